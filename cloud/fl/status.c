//  fl status, report: ask, then show.
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
    char asked[FL_TEXT_MAX];
    const char *round = fl_context_round(context, conf, "report");
    return round != NULL && fl_context_of_run(context, conf, "report", round, asked)
               ? s_ask_and_show(context, conf, "report", asked, fl_render_report)
               : FL_EXIT_USAGE;
}
