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

//  The argument, "" when there is none, NULL (said) when it is no round.
static const char *
s_round(const fl_context *context, const fl_conf *conf, const char *verb)
{
    const char *text = fl_conf_argument(conf, 0);
    char *end = NULL;
    if (text == NULL) {
        return "";
    }
    errno = 0;
    long long round = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || round < 1) {
        (void)fl_context_fail(context, verb, FL_EXIT_USAGE,
                              "'%.40s' is no round: give a number from 1", text);
        return NULL;
    }
    return text;
}

int
fl_verb_status(void *context, const fl_conf *conf)
{
    return s_ask_and_show(context, conf, "status", "", fl_render_status);
}

int
fl_verb_report(void *context, const fl_conf *conf)
{
    const char *round = s_round(context, conf, "report");
    return round == NULL ? FL_EXIT_USAGE
                         : s_ask_and_show(context, conf, "report", round, fl_render_report);
}

int
fl_verb_rounds(void *context, const fl_conf *conf)
{
    const char *first = s_round(context, conf, "rounds");
    return first == NULL ? FL_EXIT_USAGE
                         : s_ask_and_show(context, conf, "rounds", first, fl_render_rounds);
}
