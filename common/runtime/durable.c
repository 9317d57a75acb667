#include "common/runtime/durable.h"

#include <string.h>

#include "common/base/log.h"
#include "common/identity/state_dir.h"

static fl_status
s_keep(const fl_durable *self, const fl_effect *keep, fl_why *why)
{
    if (keep->keep.what == FL_KEEP_MARK) {
        FL_ASSERT(self->directory != NULL);
        return fl_state_dir_mark_save(self->directory, keep->keep.fact, why);
    }
    FL_ASSERT(self->ledger != NULL);
    const fl_ledger_fact fact = { .what = keep->keep.what,
                                  .run = keep->keep.run,
                                  .round = keep->keep.round,
                                  .block = keep->keep.block,
                                  .bytes = keep->keep.fact };
    return fl_ledger_fact_put(self->ledger, &fact, why);
}

bool
fl_durable_keep(const fl_durable *self, const fl_effect *keep)
{
    fl_why why;
    fl_status status = s_keep(self, keep, &why);
    if (status != FL_OK) {
        fl_log(FL_LOG_ERROR, "not-saved", fl_log_text("status", fl_status_name(status)),
               fl_log_text("why", why.text));
    } else if (keep->keep.what == FL_KEEP_EVIDENCE) {
        fl_log(FL_LOG_WARN, "evidence", fl_log_u64("round", keep->keep.round),
               fl_log_u64("block", keep->keep.block), fl_log_u64("bytes", keep->keep.fact.size));
    }
    return status == FL_OK;
}

fl_status
fl_durable_mark(const char *directory, fl_secagg_mark *mark, fl_why *why)
{
    fl_status status = fl_state_dir_mark_load(directory, mark, why);
    if (status == FL_MISSING) {
        memset(mark, 0, sizeof *mark);
        status = FL_OK;
    }
    return status;
}
