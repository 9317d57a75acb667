//  fl status, report, rounds: ask, then show.
#include <errno.h>
#include <stdlib.h>

#include "cloud/fl/render.h"
#include "cloud/fl/verbs.h"

typedef void show(const json_t *answer, uint32_t width, FILE *out);

static int
s_ask_and_show(const fl_context *context, const fl_conf *conf, const char *verb,
               const char *argument, show *how)
{
    json_t *answer = NULL;
    int code = fl_context_answer(context, conf, verb, argument, &answer);
    if (code != FL_EXIT_OK) {
        return code;
    }
    if (fl_conf_bool(conf, "json")) {
        fl_context_print(context, &answer);
    } else {
        how(answer, fl_context_columns(context), context->out);
        json_decref(answer);
    }
    return FL_EXIT_OK;
}

//  What is asked for, of which run. False (said) when it is no round or no run.
static bool
s_round(const fl_context *context, const fl_conf *conf, const char *verb, char asked[FL_TEXT_MAX])
{
    const char *text = fl_conf_argument(conf, 0);
    char *end = NULL;
    if (text == NULL) {
        return fl_context_of_run(context, conf, verb, "", asked);
    }
    errno = 0;
    long long round = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || round < 1) {
        (void)fl_context_fail(context, verb, FL_EXIT_USAGE,
                              "'%.40s' is no round: give a number from 1", text);
        return false;
    }
    return fl_context_of_run(context, conf, verb, text, asked);
}

//  Of a run that is not in hand there is what the ledger knows.
static void
s_render(const json_t *status, uint32_t width, FILE *out)
{
    bool stored = json_object_get(status, "ended") != NULL;
    (stored ? fl_render_run : fl_render_status)(status, width, out);
}

int
fl_verb_status(void *context, const fl_conf *conf)
{
    char run[FL_TEXT_MAX];
    return fl_context_of_run(context, conf, "status", "", run)
               ? s_ask_and_show(context, conf, "status", run, s_render)
               : FL_EXIT_USAGE;
}

int
fl_verb_report(void *context, const fl_conf *conf)
{
    char round[FL_TEXT_MAX];
    return s_round(context, conf, "report", round)
               ? s_ask_and_show(context, conf, "report", round, fl_render_report)
               : FL_EXIT_USAGE;
}

int
fl_verb_rounds(void *context, const fl_conf *conf)
{
    char first[FL_TEXT_MAX];
    return s_round(context, conf, "rounds", first)
               ? s_ask_and_show(context, conf, "rounds", first, fl_render_rounds)
               : FL_EXIT_USAGE;
}
