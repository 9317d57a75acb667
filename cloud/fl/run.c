//  fl run submit: the settings are checked here, with file and line; what the run begins with goes
//  to the root by hash, then the recipe. The id is drawn here, so that asking again does no harm.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/verbs.h"
#include "cloud/run_settings.h"
#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"
#include "common/store/ledger.h"

#define VERB "run submit"

enum {
    TRIES = 3,               // of a question that nobody answers
    PATIENCE_MS = 30 * 1000, // of --wait with a root that does not answer
    SETS_MAX = FL_CONF_LIST_MAX + 2,
    BYTES_PER_MS = 10000, // that the root keeps, at least
    NONCE_BYTES = 16,
};

//  Ask until somebody answers: the same question once more changes nothing.
static int
s_insist(const fl_context *context, const char *state, const char *verb, const char *argument,
         fl_bytes body, uint32_t timeout_ms, json_t **answer, fl_why *why)
{
    int code = FL_EXIT_SILENT;
    for (int i = 0; i < TRIES && code == FL_EXIT_SILENT; i++) {
        code = fl_context_send(context, state, verb, argument, body, timeout_ms, answer, why);
    }
    return code;
}

// ---- the file that a run begins with ----------------------------------------------------------
//  Pass over all of it; `size` and `hash` are the answers.
static fl_status
s_measure(const char *path, int file, uint8_t *piece, uint64_t *size, fl_hash *hash, fl_why *why)
{
    fl_hasher hasher;
    ssize_t got;
    fl_hasher_init(&hasher);
    *size = 0;
    while ((got = pread(file, piece, FL_JSON_BYTES_MAX, (off_t)*size)) != 0) {
        if (got < 0 && errno != EINTR) {
            return fl_file_why(errno, path, "read", why);
        }
        fl_hasher_update(&hasher, fl_bytes_of(piece, got < 0 ? 0 : (size_t)got));
        *size += got < 0 ? 0 : (uint64_t)got;
    }
    *hash = fl_hasher_final(&hasher);
    return *size > 0 ? FL_OK : fl_fail(FL_MISSING, why, "%s is empty", path);
}

typedef struct upload {
    const char *state, *path;
    int file;
    uint8_t *piece; // (FL_JSON_BYTES_MAX)
    uint64_t size;
    fl_hash hash;
    uint32_t timeout_ms;
} upload;

//  Piece after piece, from the offset that the root wants.
static int
s_send_pieces(const fl_context *context, const upload *self, fl_why *why)
{
    char hex[2 * sizeof(fl_hash) + 1], argument[FL_TEXT_MAX];
    const uint32_t timeout_ms = self->timeout_ms + (uint32_t)(self->size / BYTES_PER_MS);
    uint64_t next = 0, stalled = 0;
    ssize_t got = 0;
    fl_hex(self->hash.bytes, sizeof self->hash.bytes, hex);
    for (;;) {
        json_t *answer = NULL;
        (void)snprintf(argument, sizeof argument, "%s %" PRIu64 " %" PRIu64, hex, next, self->size);
        int code = s_insist(context, self->state, "put", argument,
                            fl_bytes_of(self->piece, (size_t)got), timeout_ms, &answer, why);
        if (code != FL_EXIT_OK) {
            return code;
        }
        uint64_t wanted = leaf_whole(answer, "next");
        json_decref(answer);
        stalled = wanted > next ? 0 : stalled + 1;
        next = wanted;
        if (next >= self->size) {
            return FL_EXIT_OK;
        }
        got = pread(self->file, self->piece, FL_JSON_BYTES_MAX, (off_t)next);
        if (got <= 0 || stalled > TRIES) {
            fl_why_set(why, "%s: %s", self->path,
                       got <= 0 ? "it is shorter than it was" : "the root takes no more of it");
            return FL_EXIT_FAILED;
        }
    }
}

//  Hand the file over; its hash is the answer.
static int
s_upload(const fl_context *context, const char *state, const char *path, uint32_t timeout_ms,
         fl_hash *hash, fl_why *why)
{
    upload self = { .state = state, .path = path, .timeout_ms = timeout_ms };
    struct stat about;
    self.file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO would wait for a writer
    fl_status status = self.file < 0 ? fl_file_why(errno, path, "opened", why) : FL_OK;
    if (status == FL_OK && (fstat(self.file, &about) != 0 || !S_ISREG(about.st_mode))) {
        status = fl_fail(FL_MALFORMED, why, "%s is no file", path);
    }
    self.piece = malloc(FL_JSON_BYTES_MAX);
    FL_THEN(status, self.piece == NULL
                        ? fl_file_why(ENOMEM, path, "read", why)
                        : s_measure(path, self.file, self.piece, &self.size, hash, why));
    self.hash = *hash;
    int code = status == FL_OK ? s_send_pieces(context, &self, why) : fl_context_code(status);
    if (self.file >= 0) {
        (void)close(self.file);
    }
    free(self.piece);
    return code;
}

// ---- submit -----------------------------------------------------------------------------------
typedef struct submission {
    const char *sets[SETS_MAX];
    uint32_t count;
    char name[FL_CONF_TEXT_MAX + sizeof "name="];
    char initial[sizeof "model.initial=" + 2 * sizeof(fl_hash)];
    fl_run_recipe recipe;
} submission;

//  Read it with what the flags say; a name there wins.
static int
s_read(submission *self, const fl_conf *conf, fl_why *why)
{
    const char *path = fl_conf_argument(conf, 0), *name = fl_conf_text(conf, "name");
    if (self->count == 0) {
        const char *const *sets = fl_conf_list(conf, &self->count);
        memcpy(self->sets, sets, self->count * sizeof *sets);
        (void)snprintf(self->name, sizeof self->name, "name=%s", name);
    }
    if (self->initial[0] == '\0' && name[0] != '\0') {
        self->sets[self->count++] = self->name;
    }
    fl_blob_unref(&self->recipe.text);
    fl_status status = fl_run_recipe_read(path, self->sets, self->count, &self->recipe, why);
    return status == FL_OK        ? FL_EXIT_OK
           : status == FL_NOMEM   ? FL_EXIT_FAILED
           : status == FL_MISSING ? fl_context_code(status)
                                  : FL_EXIT_USAGE;
}

//  The id is of what is submitted and of a number drawn once: asking again is the same run, and
//  submitting the same file tomorrow is another.
static void
s_draw_id(const fl_context *context, fl_bytes text, char hex[2 * sizeof(fl_run) + 1])
{
    uint8_t nonce[NONCE_BYTES];
    fl_hasher hasher;
    fl_entropy_fill(&context->entropy, nonce, sizeof nonce);
    fl_hasher_init(&hasher);
    fl_hasher_update(&hasher, fl_bytes_of(nonce, sizeof nonce));
    fl_hasher_update(&hasher, text);
    const fl_hash hash = fl_hasher_final(&hasher);
    fl_hex(hash.bytes, sizeof(fl_run), hex);
}

static int
s_submit(const fl_context *context, const fl_conf *conf, const char *state, const submission *self,
         json_t **answer, fl_why *why)
{
    const char *initial = strchr(self->initial, '=');
    const fl_bytes text = fl_blob_bytes(self->recipe.text);
    char id[2 * sizeof(fl_run) + 1];
    s_draw_id(context, text, id);
    json_t *asked = json_pack("{ss,ss,ss%,sI,ss*}", "run", id, "name", self->recipe.name, "recipe",
                              (const char *)text.data, text.size, "priority",
                              (json_int_t)fl_conf_int(conf, "priority"), "initial",
                              initial == NULL ? NULL : initial + 1);
    char *body = json_dumps(asked, JSON_COMPACT);
    json_decref(asked);
    if (body == NULL) {
        fl_why_set(why, "out of memory, or the settings are no UTF-8");
        return FL_EXIT_FAILED;
    }
    int code = s_insist(context, state, "run-submit", "", fl_bytes_of(body, strlen(body)),
                        (uint32_t)fl_conf_ms(conf, "timeout"), answer, why);
    free(body);
    return code;
}

//  Read, hand over, submit. On FL_EXIT_OK `answer` is the caller's.
static int
s_do(const fl_context *context, const fl_conf *conf, const char *state, submission *self,
     json_t **answer, fl_why *why)
{
    char hex[2 * sizeof(fl_hash) + 1];
    fl_hash hash;
    int code = s_read(self, conf, why);
    //  A hash is of a model that the root has: `fl run show` and `fl model export` say which.
    if (code == FL_EXIT_OK && fl_unhex(self->recipe.initial, hash.bytes, sizeof hash.bytes)) {
        (void)snprintf(self->initial, sizeof self->initial, "model.initial=%.64s",
                       self->recipe.initial);
    } else if (code == FL_EXIT_OK && self->recipe.initial[0] != '\0') {
        code = s_upload(context, state, self->recipe.initial, (uint32_t)fl_conf_ms(conf, "timeout"),
                        &hash, why);
        if (code == FL_EXIT_OK) {
            fl_hex(hash.bytes, sizeof hash.bytes, hex);
            (void)snprintf(self->initial, sizeof self->initial, "model.initial=%s", hex);
            self->sets[self->count++] = self->initial;
            code = s_read(self, conf, why);
        }
    }
    return code == FL_EXIT_OK ? s_submit(context, conf, state, self, answer, why) : code;
}

static int
s_check(const fl_context *context, const fl_conf *conf)
{
    submission self = { .count = 0 };
    json_t *answer = NULL;
    fl_why why = { "" };
    int code = s_read(&self, conf, &why);
    fl_blob_unref(&self.recipe.text);
    if (code != FL_EXIT_OK) {
        return fl_context_fail(context, VERB, code, "%s", why.text);
    }
    if (fl_conf_bool(conf, "json")) {
        answer = json_pack("{ss}", "name", self.recipe.name);
        fl_context_print(context, &answer);
    } else {
        (void)fprintf(context->out, "%s: the settings are fine\n", self.recipe.name);
    }
    return code;
}

int
fl_verb_run_submit(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    const bool json = fl_conf_bool(conf, "json"), wait = fl_conf_bool(conf, "wait");
    if (fl_conf_bool(conf, "check")) {
        return s_check(context, conf);
    }
    const char *state = fl_context_state(context, conf, VERB);
    submission self = { .count = 0 };
    json_t *answer = NULL;
    char run[2 * sizeof(fl_run) + 1];
    fl_why why = { "" };
    if (state == NULL) {
        return FL_EXIT_USAGE;
    }
    if (wait && context->watch(context->self, &why) != FL_OK) {
        return fl_context_fail(context, VERB, FL_EXIT_FAILED, "%s", why.text);
    }
    int code = s_do(context, conf, state, &self, &answer, &why);
    fl_blob_unref(&self.recipe.text);
    if (code != FL_EXIT_OK) {
        return fl_context_fail(context, VERB, code, "%s", why.text);
    }
    (void)snprintf(run, sizeof run, "%s", leaf_text(answer, "run"));
    fl_context_show(context, conf, &answer, fl_context_said);
    return wait ? fl_run_follow(context, state, VERB, run, PATIENCE_MS, json) : code;
}
