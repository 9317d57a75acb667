#include "common/runtime/durable.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

//  A device has no ledger: what it has against its root is a file beside its mark.
static fl_status
s_keep_file(const fl_durable *self, fl_bytes paper, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    FL_TRY(fl_state_dir_path(self->directory, FL_STATE_EVIDENCE, path, why));
    return fl_file_write(path, paper, 0600, why);
}

static fl_status
s_keep(const fl_durable *self, const fl_effect *keep, fl_why *why)
{
    if (keep->keep.what == FL_KEEP_MARK) {
        FL_ASSERT(self->directory != NULL);
        return fl_state_dir_mark_save(self->directory, &self->node, keep->keep.fact, why);
    }
    if (self->ledger == NULL && keep->keep.what == FL_KEEP_EVIDENCE) {
        return s_keep_file(self, keep->keep.fact, why);
    }
    FL_ASSERT(self->ledger != NULL);
    if (keep->keep.what == FL_KEEP_SUM) {
        return fl_ledger_sum_put(self->ledger, &keep->keep.run, keep->keep.fact, keep->keep.vector,
                                 why);
    }
    const fl_ledger_fact fact = { .what = keep->keep.what,
                                  .run = keep->keep.run,
                                  .round = keep->keep.round,
                                  .block = keep->keep.block,
                                  .bytes = keep->keep.fact };
    return fl_ledger_fact_put(self->ledger, &fact, why);
}

bool
fl_durable_said(fl_status status, const fl_why *why)
{
    if (status != FL_OK) {
        fl_log(FL_LOG_ERROR, "not-saved", fl_log_text("status", fl_status_name(status)),
               fl_log_text("why", why->text));
    }
    return status == FL_OK;
}

bool
fl_durable_keep(const fl_durable *self, const fl_effect *keep)
{
    fl_why why;
    fl_status status = s_keep(self, keep, &why);
    if (fl_durable_said(status, &why) && keep->keep.what == FL_KEEP_EVIDENCE) {
        fl_log(FL_LOG_WARN, "evidence", fl_log_u64("round", keep->keep.round),
               fl_log_u64("block", keep->keep.block), fl_log_u64("bytes", keep->keep.fact.size));
    }
    return status == FL_OK;
}

static bool
s_save_round(void *arg, fl_save what, const fl_report *report)
{
    const fl_durable *self = arg;
    fl_why why;
    fl_status status = what == FL_SAVE_OPEN
                           ? fl_ledger_round_open(self->ledger, report, &why)
                           : fl_ledger_round_close(self->ledger, report, 0, &why);
    return fl_durable_said(status, &why);
}

static bool
s_keep_fact(void *arg, const fl_effect *keep)
{
    return fl_durable_keep(arg, keep);
}

static fl_blob *
s_recall(void *arg, const fl_run *run)
{
    const fl_durable *self = arg;
    fl_why why;
    fl_blob *vector = NULL;
    (void)fl_durable_said(fl_ledger_sum_get(self->ledger, run, &vector, &why), &why);
    return vector;
}

fl_saver
fl_durable_saver(fl_durable *self)
{
    return (fl_saver){ .self = self,
                       .save = self->ledger == NULL ? NULL : s_save_round,
                       .keep = s_keep_fact,
                       .recall = self->ledger == NULL ? NULL : s_recall };
}

uint32_t
fl_durable_recall(fl_ledger *ledger, const fl_run *run, uint64_t newest,
                  fl_past pasts[FL_PASTS_MAX])
{
    fl_why why = { "out of memory" };
    uint32_t count = 0;
    uint64_t first = newest > FL_PASTS_MAX ? newest - FL_PASTS_MAX + 1 : 1;
    fl_ledger_round *rounds = calloc(FL_PASTS_MAX, sizeof *rounds);
    if (rounds == NULL ||
        fl_ledger_rounds(ledger, run, first, 0, rounds, FL_PASTS_MAX, &count, &why) != FL_OK) {
        fl_log(FL_LOG_WARN, "history-lost", fl_log_text("why", why.text));
        count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        pasts[i] = (fl_past){ rounds[i].report.round, rounds[i].report.base };
    }
    free(rounds);
    return count;
}

fl_ledger_round *
fl_durable_members(fl_ledger *ledger, const fl_run *run)
{
    fl_why why;
    fl_ledger_round *round = NULL;
    fl_status status = fl_ledger_round_get(ledger, run, 0, &round, &why);
    for (uint32_t i = 0; status == FL_OK && i < round->report.roll_count; i++) {
        const fl_roll_entry *entry = &round->report.roll[i];
        if (!fl_name_valid(&entry->node) || !fl_name_valid(&entry->parent) ||
            entry->outcome >= FL_OUT_COUNT || entry->reason >= FL_WHY_COUNT) {
            status = fl_fail(FL_MALFORMED, &why, "line %u of the newest report cannot be", i);
        }
    }
    if (status != FL_OK) {
        fl_ledger_round_destroy(&round);
    }
    if (status != FL_OK && status != FL_MISSING) {
        fl_log(FL_LOG_WARN, "history-lost", fl_log_text("why", why.text));
    }
    return round;
}
