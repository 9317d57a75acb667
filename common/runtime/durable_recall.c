#include "common/runtime/durable_recall.h"

#include <stdlib.h>

#include "common/base/log.h"

uint32_t
fl_durable_recall(fl_ledger *ledger, const fl_run *run, uint64_t newest,
                  fl_past pasts[FL_PASTS_MAX])
{
    fl_why why = { "out of memory" };
    uint32_t count = 0;
    uint64_t first = newest > FL_PASTS_MAX ? newest - FL_PASTS_MAX + 1 : 1;
    fl_ledger_round *rounds = calloc(FL_PASTS_MAX, sizeof *rounds);
    if (rounds == NULL ||
        fl_ledger_rounds(ledger, run, first, rounds, FL_PASTS_MAX, &count, &why) != FL_OK) {
        fl_log(FL_LOG_WARN, "history-lost", fl_log_text("why", why.text));
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        pasts[i] = (fl_past){ rounds[i].report.round, rounds[i].report.base };
    }
    free(rounds);
    return count;
}
