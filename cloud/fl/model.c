//  fl model export: the process says where the model lies and what its hash is; the copy is proved
//  against that hash before it gets its name.
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cloud/fl/verbs.h"
#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"

#define VERB "model export"

enum { MODE = 0644, HEAD_BYTES_MAX = 1 << 20 };

//  The bytes of the model, proved; the caller's.
static fl_status
s_read(const char *from, const fl_hash *wanted, fl_blob **model, fl_why *why)
{
    FL_TRY(fl_file_read(from, FL_VECTOR_BYTES_MAX + HEAD_BYTES_MAX, model, why));
    const fl_hash hash = fl_hash_of(fl_blob_bytes(*model));
    if (!fl_hash_equal(&hash, wanted)) {
        fl_blob_unref(model);
        return fl_fail(FL_MISMATCH, why,
                       "%s is damaged: its bytes do not match its hash; export another round",
                       from);
    }
    return FL_OK;
}

static fl_status
s_export(const fl_context *context, const fl_conf *conf, const char *from, const fl_hash *wanted,
         fl_why *why)
{
    const char *path = fl_conf_argument(conf, 0);
    fl_blob *model = NULL;
    FL_TRY(s_read(from, wanted, &model, why));
    const fl_bytes bytes = fl_blob_bytes(model);
    fl_status status = FL_OK;
    if (strcmp(path, "-") != 0) {
        status = fl_file_deliver(path, bytes, MODE, fl_conf_bool(conf, "force"), why);
    } else if (fwrite(bytes.data, 1, bytes.size, context->out) != bytes.size ||
               fflush(context->out) != 0) {
        status = fl_file_why(errno, "standard output", "written", why);
    }
    fl_blob_unref(&model);
    return status;
}

//  Beside the model, not in it.
static void
s_say(const fl_context *context, const fl_conf *conf, json_t *answer)
{
    const char *path = fl_conf_argument(conf, 0);
    if (fl_conf_bool(conf, "json")) {
        (void)json_object_set_new(answer, "file", json_string(path));
        fl_context_print(context, &(json_t *){ json_incref(answer) });
    } else {
        (void)fprintf(strcmp(path, "-") == 0 ? context->err : context->out,
                      "%s: the model after round %" PRId64 ", hash %.16s checked\n", path,
                      (int64_t)json_integer_value(json_object_get(answer, "round")),
                      json_string_value(json_object_get(answer, "hash")));
    }
}

int
fl_verb_model_export(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    char round[32] = "", asked[FL_TEXT_MAX];
    json_t *answer = NULL;
    fl_hash wanted;
    fl_why why = { "" };
    if (strcmp(fl_conf_argument(conf, 0), "-") == 0 && fl_conf_bool(conf, "json")) {
        return fl_context_fail(
            context, VERB, FL_EXIT_USAGE,
            "--json and the model would both go to standard output: give a file");
    }
    if (fl_conf_int(conf, "round") > 0 && fl_conf_bool(conf, "best")) {
        return fl_context_fail(context, VERB, FL_EXIT_USAGE, "give --round or --best, not both");
    }
    if (fl_conf_bool(conf, "best")) {
        (void)snprintf(round, sizeof round, "best");
    } else if (fl_conf_int(conf, "round") > 0) {
        (void)snprintf(round, sizeof round, "%" PRId64, fl_conf_int(conf, "round"));
    }
    const char *state = fl_context_state(context, conf, VERB);
    if (state == NULL || !fl_context_of_run(context, conf, VERB, round, asked)) {
        return FL_EXIT_USAGE;
    }
    const uint32_t timeout_ms = (uint32_t)fl_conf_ms(conf, "timeout");
    int code = fl_context_ask(context, state, "export", asked, timeout_ms, &answer, &why);
    if (code != FL_EXIT_OK) {
        return fl_context_fail(context, VERB, code, "%s", why.text);
    }
    const char *from = json_string_value(json_object_get(answer, "path"));
    const char *hash = json_string_value(json_object_get(answer, "hash"));
    if (from == NULL || hash == NULL || !fl_unhex(hash, wanted.bytes, sizeof wanted.bytes)) {
        json_decref(answer);
        return fl_context_fail(context, VERB, FL_EXIT_FAILED,
                               "the answer names no file and hash: is the process of another "
                               "version?");
    }
    fl_status status = s_export(context, conf, from, &wanted, &why);
    if (status != FL_OK) {
        json_decref(answer);
        return fl_context_fail(context, VERB,
                               status == FL_MISMATCH ? FL_EXIT_DAMAGED : fl_context_code(status),
                               "%s", why.text);
    }
    s_say(context, conf, answer);
    json_decref(answer);
    return FL_EXIT_OK;
}
