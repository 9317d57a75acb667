//  fl status, report: ask, then show.
#include "cloud/fl/render.h"
#include "cloud/fl/verbs.h"

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
               ? fl_context_ask_and_show(context, conf, "status", run, fl_bytes_of(NULL, 0),
                                         s_render)
               : FL_EXIT_USAGE;
}

int
fl_verb_report(void *context, const fl_conf *conf)
{
    char asked[FL_TEXT_MAX];
    const char *round = fl_context_round(context, conf, "report");
    return round != NULL && fl_context_of_run(context, conf, "report", round, asked)
               ? fl_context_ask_and_show(context, conf, "report", asked, fl_bytes_of(NULL, 0),
                                         fl_render_report)
               : FL_EXIT_USAGE;
}
