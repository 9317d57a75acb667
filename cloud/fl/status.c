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

int
fl_verb_status(void *context, const fl_conf *conf)
{
    return s_ask_and_show(context, conf, "status", "", fl_render_status);
}

int
fl_verb_report(void *context, const fl_conf *conf)
{
    const char *round = fl_context_round(context, conf, "report");
    return round == NULL ? FL_EXIT_USAGE
                         : s_ask_and_show(context, conf, "report", round, fl_render_report);
}
