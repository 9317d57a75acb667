//  fl model export: the process says where the model lies and what its hash is; the copy is proved
//  against that hash before it gets its name.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/fl/verbs.h"
#include "common/crypto/hash.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

#define VERB "model export"

enum { PIECE = 1 << 20, MODE = 0644 };

//  Copy `from` into `to` and hash what was written. errno is set on failure; `reading` tells where.
static bool
s_copy(int from, int to, uint8_t *piece, fl_hash *hash, bool *reading)
{
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    for (;;) {
        ssize_t got = read(from, piece, PIECE);
        *reading = true;
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            *hash = fl_hasher_final(&hasher);
            return true;
        }
        fl_hasher_update(&hasher, fl_bytes_of(piece, (size_t)got));
        *reading = false;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, piece + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR) {
                return false;
            }
            done += put < 0 ? 0 : put;
        }
    }
}

//  All of it into the unfinished file `temp`, proved and durable.
static fl_status
s_copy_proved(const char *from, const char *temp, int to, const fl_hash *wanted, fl_why *why)
{
    fl_hash hash;
    bool reading = true;
    uint8_t *piece = malloc(PIECE);
    int source = open(from, O_RDONLY | O_CLOEXEC);
    fl_status status = FL_OK;
    if (piece == NULL) {
        status = fl_file_why(ENOMEM, temp, "written", why);
    } else if (source < 0) {
        status = fl_file_why(errno, from, "opened", why);
    } else if (!s_copy(source, to, piece, &hash, &reading)) {
        status = fl_file_why(errno, reading ? from : temp, reading ? "read" : "written", why);
    } else if (!fl_hash_equal(&hash, wanted)) {
        status =
            fl_fail(FL_MISMATCH, why,
                    "%s is damaged: its bytes do not match its hash; export another round", from);
    } else if (fchmod(to, MODE) != 0 || fsync(to) != 0) {
        status = fl_file_why(errno, temp, "written", why);
    }
    if (source >= 0) {
        (void)close(source);
    }
    free(piece);
    return status;
}

static fl_status
s_export(const char *from, const char *path, const fl_hash *wanted, fl_why *why)
{
    char temp[FL_STATE_PATH_MAX];
    int length = snprintf(temp, sizeof temp, "%s" FL_FILE_TEMP_MARK "XXXXXX", path);
    if (length >= (int)sizeof temp) {
        return fl_file_why(ENAMETOOLONG, path, "written", why);
    }
    int to = mkstemp(temp);
    if (to < 0) {
        return fl_file_why(errno, path, "written", why);
    }
    fl_status status = s_copy_proved(from, temp, to, wanted, why);
    if (close(to) != 0 && status == FL_OK) {
        status = fl_file_why(errno, path, "written", why);
    }
    if (status == FL_OK && rename(temp, path) != 0) {
        status = fl_file_why(errno, path, "written", why);
    }
    if (status != FL_OK) {
        (void)unlink(temp);
    }
    return status;
}

int
fl_verb_model_export(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    const char *path = fl_conf_argument(conf, 0);
    char round[32] = "", asked[FL_TEXT_MAX];
    json_t *answer = NULL;
    fl_hash wanted;
    fl_why why = { "" };
    if (fl_conf_int(conf, "round") > 0) {
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
    fl_status status = s_export(from, path, &wanted, &why);
    if (status != FL_OK) {
        json_decref(answer);
        return fl_context_fail(context, VERB,
                               status == FL_MISMATCH ? FL_EXIT_DAMAGED : fl_context_code(status),
                               "%s", why.text);
    }
    if (fl_conf_bool(conf, "json")) {
        (void)json_object_set_new(answer, "file", json_string(path));
        fl_context_print(context, &answer);
    } else {
        (void)fprintf(context->out, "%s: the model after round %" PRId64 ", hash %.16s checked\n",
                      path, (int64_t)json_integer_value(json_object_get(answer, "round")), hash);
    }
    json_decref(answer);
    return FL_EXIT_OK;
}
