//  context - what a verb of `fl` may use of the world, as one plain struct, so that every verb runs
//  in a test without a socket, a clock or a terminal. Also: the exit codes, and how a verb asks a
//  process something. Main thread.
#ifndef FL_CLOUD_FL_CONTEXT_H
#define FL_CLOUD_FL_CONTEXT_H

#include <jansson.h>
#include <stdio.h>

#include "common/base/id.h"
#include "common/config/exit_codes.h"
#include "common/crypto/entropy.h"
#include "common/net/request.h"

typedef struct fl_context {
    FILE *in, *out, *err;
    const char *state; // FL_STATE of the environment; NULL: not set
    fl_entropy entropy;
    uint64_t (*wall_s)(void); // wall clock, seconds since 1970
    fl_time (*now_ms)(void);  // monotonic
    void *self;               // of the functions below
    //  One question on a connection of its own: see fl_request_ask. The views in `reply` and `body`
    //  live until the next call.
    fl_status (*ask)(void *self, const fl_request_conf *to, const fl_message *question,
                     fl_verb answer, uint32_t timeout_ms, fl_message *reply, fl_bytes *body,
                     fl_why *why);
    //  From now on Ctrl-C ends `pause` instead of the process. Before the first `ask`.
    fl_status (*watch)(void *self, fl_why *why);
    //  Let time pass. False: Ctrl-C came.
    bool (*pause)(void *self, uint32_t ms);
    //  The size of the terminal that `out` is. False: it is none.
    bool (*screen)(void *self, uint32_t *columns, uint32_t *rows);
} fl_context;

//  Say one line on `err`, "fl VERB: ...", and return `code`.
int fl_context_fail(const fl_context *self, const char *verb, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
//  The exit code of a file's trouble.
int fl_context_code(fl_status status);
//  The state directory of --state or FL_STATE; NULL when neither names one (said on `err`).
const char *fl_context_state(const fl_context *self, const fl_conf *conf, const char *verb);
//  The round that is the argument: "" when there is none, NULL when it is no round (said on `err`).
const char *fl_context_round(const fl_context *self, const fl_conf *conf, const char *verb);
//  Ask the process in the state directory: the verb "run list" is the question "run-list". On
//  FL_EXIT_OK `answer` is the caller's; otherwise why not is in `why`, and `answer` NULL.
int fl_context_ask(const fl_context *self, const char *state, const char *verb,
                   const char *argument, uint32_t timeout_ms, json_t **answer, fl_why *why);
//  The same with a body for the question.
int fl_context_send(const fl_context *self, const char *state, const char *verb,
                    const char *argument, fl_bytes body, uint32_t timeout_ms, json_t **answer,
                    fl_why *why);
//  The same with the settings --state and --timeout, trouble said on `err`.
int fl_context_answer(const fl_context *self, const fl_conf *conf, const char *verb,
                      const char *argument, fl_bytes body, json_t **answer);
//  Print an answer, with --json as JSON, else in the way of `how`; takes it.
typedef void fl_context_how(const json_t *answer, uint32_t width, FILE *out);
void fl_context_show(const fl_context *self, const fl_conf *conf, json_t **answer_p,
                     fl_context_how *how);
//  The line that the process said, else all of the answer as JSON.
void fl_context_said(const json_t *answer, uint32_t width, FILE *out);
//  Ask and show: the exit code.
int fl_context_ask_and_show(const fl_context *self, const fl_conf *conf, const char *verb,
                            const char *argument, fl_bytes body, fl_context_how *how);
//  "[run:NAME] NUMBER" of the setting --run and a number as text, "" for none; false (said) when
//  that is no run.
bool fl_context_of_run(const fl_context *self, const fl_conf *conf, const char *verb,
                       const char *number, char argument[FL_TEXT_MAX]);
//  One line of JSON on `out`; takes the object.
void fl_context_print(const fl_context *self, json_t **answer_p);
//  How wide text may be: of the terminal, else FL_CONTEXT_WIDE.
enum { FL_CONTEXT_WIDE = 200 };
uint32_t fl_context_columns(const fl_context *self);

#endif
