#include "cloud/fl/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/identity/state_dir.h"

enum { FORM = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9) };

int
fl_context_fail(const fl_context *self, const char *verb, int code, const char *format, ...)
{
    va_list args;
    (void)fprintf(self->err, "fl %s: ", verb);
    va_start(args, format);
    (void)vfprintf(self->err, format, args);
    va_end(args);
    (void)fputc('\n', self->err);
    return code;
}

int
fl_context_code(fl_status status)
{
    return status == FL_OK       ? FL_EXIT_OK
           : status == FL_EXISTS ? FL_EXIT_EXISTS
           : status == FL_NOMEM  ? FL_EXIT_FAILED
                                 : FL_EXIT_STATE_DIR;
}

const char *
fl_context_state(const fl_context *self, const fl_conf *conf, const char *verb)
{
    const char *state = fl_conf_text(conf, "state");
    if (state[0] == '\0') {
        state = self->state == NULL ? "" : self->state;
    }
    if (state[0] == '\0') {
        (void)fl_context_fail(self, verb, FL_EXIT_USAGE,
                              "no state directory: give --state DIR or set FL_STATE");
        return NULL;
    }
    return state;
}

const char *
fl_context_round(const fl_context *self, const fl_conf *conf, const char *verb)
{
    const char *text = fl_conf_argument(conf, 0);
    char *end = NULL;
    if (text == NULL) {
        return "";
    }
    errno = 0;
    long long round = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || round < 1) {
        (void)fl_context_fail(self, verb, FL_EXIT_USAGE,
                              "'%.40s' is no round: give a number from 1", text);
        return NULL;
    }
    return text;
}

uint32_t
fl_context_columns(const fl_context *self)
{
    uint32_t columns, rows;
    return self->screen(self->self, &columns, &rows) ? columns : FL_CONTEXT_WIDE;
}

//  The process's own words out of {"error": ...}; NULL when there are none.
static const char *
s_error_of(const json_t *answer)
{
    return json_string_value(json_object_get(answer, "error"));
}

//  What came back, as JSON and exit code.
static int
s_take(const fl_message *reply, fl_bytes body, json_t **answer, fl_why *why)
{
    json_error_t trouble;
    if (reply->verb == FL_REFUSED) {
        fl_why_set(why, "the process refuses: %s (%s)", reply->refused.text,
                   fl_reason_name(reply->refused.reason));
        return FL_EXIT_REFUSED;
    }
    json_t *json = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &trouble);
    if (reply->answer.code != 0) {
        const char *said = s_error_of(json);
        fl_why_set(why, "%s", said == NULL ? "the process failed and gave no reason" : said);
        json_decref(json);
        return reply->answer.code;
    }
    if (!json_is_object(json)) {
        fl_why_set(why, "the answer is no JSON object; is the process of another version?");
        json_decref(json);
        return FL_EXIT_FAILED;
    }
    *answer = json;
    return FL_EXIT_OK;
}

int
fl_context_ask(const fl_context *self, const char *state, const char *verb, const char *argument,
               uint32_t timeout_ms, json_t **answer, fl_why *why)
{
    return fl_context_send(self, state, verb, argument, fl_bytes_of(NULL, 0), timeout_ms, answer,
                           why);
}

int
fl_context_send(const fl_context *self, const char *state, const char *verb, const char *argument,
                fl_bytes body, uint32_t timeout_ms, json_t **answer, fl_why *why)
{
    char path[FL_STATE_PATH_MAX], endpoint[FL_STATE_PATH_MAX + 8];
    struct stat about;
    fl_message reply, question = { .verb = FL_ASK, .ask = { .body = body } };
    fl_bytes said = { 0 };
    *answer = NULL;
    if (fl_state_dir_path(state, FL_STATE_OPERATOR, path, why) != FL_OK) {
        return FL_EXIT_STATE_DIR;
    }
    if (lstat(path, &about) != 0 && errno == EACCES) {
        fl_why_set(why, "%s belongs to another user, and only that user may ask: run fl as it",
                   state);
        return FL_EXIT_STATE_DIR;
    }
    if (lstat(path, &about) != 0) {
        fl_why_set(why,
                   "no process runs in %s (there is no %s): start it, or name another "
                   "directory with --state",
                   state, FL_STATE_OPERATOR);
        return FL_EXIT_SILENT;
    }
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    (void)snprintf(question.ask.verb, sizeof question.ask.verb, "%s", verb);
    char *space = strchr(question.ask.verb, ' ');
    if (space != NULL) {
        *space = '-';
    }
    int length = snprintf(question.ask.argument, sizeof question.ask.argument, "%s", argument);
    if (length >= (int)sizeof question.ask.argument) {
        fl_why_set(why, "'%.40s...' is too long", argument);
        return FL_EXIT_USAGE;
    }
    const fl_request_conf to = { .endpoint = endpoint };
    if (self->ask(self->self, &to, &question, FL_ANSWER, timeout_ms, &reply, &said, why) != FL_OK) {
        return FL_EXIT_SILENT;
    }
    return s_take(&reply, said, answer, why);
}

int
fl_context_answer(const fl_context *self, const fl_conf *conf, const char *verb,
                  const char *argument, fl_bytes body, json_t **answer)
{
    fl_why why = { "" };
    const char *state = fl_context_state(self, conf, verb);
    *answer = NULL;
    if (state == NULL) {
        return FL_EXIT_USAGE;
    }
    int code = fl_context_send(self, state, verb, argument, body,
                               (uint32_t)fl_conf_ms(conf, "timeout"), answer, &why);
    return code == FL_EXIT_OK ? code : fl_context_fail(self, verb, code, "%s", why.text);
}

void
fl_context_show(const fl_context *self, const fl_conf *conf, json_t **answer_p, fl_context_how *how)
{
    if (fl_conf_bool(conf, "json")) {
        fl_context_print(self, answer_p);
        return;
    }
    how(*answer_p, fl_context_columns(self), self->out);
    json_decref(*answer_p);
    *answer_p = NULL;
}

void
fl_context_said(const json_t *answer, uint32_t width, FILE *out)
{
    const char *said = json_string_value(json_object_get(answer, "said"));
    (void)width;
    if (said == NULL) {
        (void)json_dumpf(answer, out, FORM);
    }
    (void)fprintf(out, "%s\n", said == NULL ? "" : said);
}

int
fl_context_ask_and_show(const fl_context *self, const fl_conf *conf, const char *verb,
                        const char *argument, fl_bytes body, fl_context_how *how)
{
    json_t *answer = NULL;
    int code = fl_context_answer(self, conf, verb, argument, body, &answer);
    if (code == FL_EXIT_OK) {
        fl_context_show(self, conf, &answer, how);
    }
    return code;
}

bool
fl_context_of_run(const fl_context *self, const fl_conf *conf, const char *verb, const char *number,
                  char argument[FL_TEXT_MAX])
{
    const char *run = fl_conf_text(conf, "run");
    bool fine = strchr(run, ' ') == NULL && strlen(run) <= 2 * sizeof(fl_run);
    bool named = run[0] != '\0';
    (void)snprintf(argument, FL_TEXT_MAX, "%s%.*s%s%s", named ? "run:" : "",
                   (int)(2 * sizeof(fl_run)), run, named && number[0] != '\0' ? " " : "", number);
    if (!fine) {
        (void)fl_context_fail(self, verb, FL_EXIT_USAGE,
                              "'%.40s' is no run: give its name, number or id", run);
    }
    return fine;
}

void
fl_context_print(const fl_context *self, json_t **answer_p)
{
    (void)json_dumpf(*answer_p, self->out, FORM);
    (void)fputc('\n', self->out);
    json_decref(*answer_p);
    *answer_p = NULL;
}
