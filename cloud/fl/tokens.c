//  fl token list: what was made of an authority, and what became of it. Which tokens there are
//  stands in DIRECTORY/tokens; how often one was used, and whether it is revoked, the root knows.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/verbs.h"
#include "common/identity/state_dir.h"

enum { LINE_MAX_BYTES = 128 };

//  One line, in one write: so two who make tokens at a time write two lines.
fl_status
fl_token_note(const char *directory, const fl_token *token, fl_why *why)
{
    char path[FL_STATE_PATH_MAX], id[2 * FL_TOKEN_ID_BYTES + 1];
    (void)snprintf(path, sizeof path, "%s/tokens", directory);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    fl_hex(token->id, FL_TOKEN_ID_BYTES, id);
    bool noted =
        file >= 0 &&
        dprintf(file, "%s %s %s%s %" PRIu32 " %" PRIu64 "\n", id, fl_role_name(token->role),
                token->name, token->exact ? "" : "*", token->count, token->not_after) > 0 &&
        fsync(file) == 0;
    fl_status status = noted ? FL_OK : fl_fail(FL_IO, why, "%s: %s", path, strerror(errno));
    if (file >= 0) {
        (void)close(file);
    }
    return status;
}

//  What the line says and the root knows; the caller's. NULL: no line of ours.
static json_t *
s_describe(const char *line, uint64_t now, const char *said)
{
    char id[33], role[16], name[24];
    uint32_t count = 0, uses = 0;
    uint64_t until = 0;
    if (sscanf(line, "%32s %15s %23s %" SCNu32 " %" SCNu64, id, role, name, &count, &until) != 5) {
        return NULL;
    }
    (void)sscanf(said, "used %" SCNu32, &uses);
    const char *stands = strstr(said, "revoked") != NULL ? "revoked"
                         : until < now                   ? "expired"
                         : uses >= count                 ? "used-up"
                                                         : "valid";
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "id", id, "role", role, "name", name, "left",
                     (json_int_t)(uses < count ? count - uses : 0), "until", (json_int_t)until,
                     "stands", stands);
}

static int
s_collect(const fl_context *console, const fl_conf *conf, FILE *file, json_t *tokens)
{
    char line[LINE_MAX_BYTES];
    int code = FL_EXIT_OK;
    while (code == FL_EXIT_OK && fgets(line, sizeof line, file) != NULL) {
        char id[33] = "";
        json_t *answer = NULL;
        (void)sscanf(line, "%32s", id);
        code = fl_context_answer(console, conf, "token", id, fl_bytes_of(NULL, 0), &answer);
        if (code == FL_EXIT_OK) { // what is no line of ours is left out
            (void)json_array_append_new(
                tokens, s_describe(line, console->wall_s(), leaf_text(answer, "said")));
        }
        json_decref(answer);
    }
    return code;
}

static void
s_show(const json_t *tokens, FILE *out)
{
    size_t i;
    json_t *token;
    json_array_foreach(tokens, i, token) {
        char until[32] = "";
        struct tm at;
        const time_t when = (time_t)leaf_whole(token, "until");
        (void)strftime(until, sizeof until, "%Y-%m-%dT%H:%MZ", gmtime_r(&when, &at));
        (void)fprintf(out, "%s  %-6s  %-16s  %7" PRIu64 " left, until %s, %s\n",
                      leaf_text(token, "id"), leaf_text(token, "role"), leaf_text(token, "name"),
                      leaf_whole(token, "left"), until, leaf_text(token, "stands"));
    }
}

int
fl_verb_token_list(void *context, const fl_conf *conf)
{
    const fl_context *console = context;
    char path[FL_STATE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/tokens", fl_conf_text(conf, "authority"));
    FILE *file = fopen(path, "re");
    if (file == NULL && errno != ENOENT) {
        return fl_context_fail(console, "token list", FL_EXIT_STATE_DIR, "%s: %s", path,
                               strerror(errno));
    }
    json_t *tokens = json_array();
    int code = file == NULL ? FL_EXIT_OK : s_collect(console, conf, file, tokens);
    if (file != NULL) {
        (void)fclose(file);
    }
    if (code == FL_EXIT_OK && fl_conf_bool(conf, "json")) {
        json_t *answer = json_pack("{s:O}", "tokens", tokens);
        fl_context_print(console, &answer);
    } else if (code == FL_EXIT_OK) {
        s_show(tokens, console->out);
    }
    json_decref(tokens);
    return code;
}
