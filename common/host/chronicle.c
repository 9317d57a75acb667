#include "common/host/chronicle.h"

#include "common/base/log.h"
#include "common/base/status.h"

enum { NO_METRIC = -1 };

typedef struct row {
    fl_log_level level;
    const char *a, *b; // names of the two numbers; NULL: not shown
    int metric;        // grows by one; NO_METRIC: none
} row;

static const row rows[FL_NOTE_COUNT_OF] = {
    [FL_NOTE_JOINED] = { FL_LOG_INFO, "seat", "epoch", NO_METRIC },
    [FL_NOTE_REJOINED] = { FL_LOG_INFO, "seat", "epoch", NO_METRIC },
    [FL_NOTE_LEFT] = { FL_LOG_INFO, "seat", NULL, NO_METRIC },
    [FL_NOTE_EVASIVE] = { FL_LOG_WARN, "seat", "silent_ms", NO_METRIC },
    [FL_NOTE_EXPIRED] = { FL_LOG_WARN, "seat", "silent_ms", NO_METRIC },
    [FL_NOTE_TASKED] = { FL_LOG_DEBUG, "seat", "budget_ms", NO_METRIC },
    [FL_NOTE_REFUSED] = { FL_LOG_WARN, "verb", NULL, FL_METRIC_contrib_refused_total },
    [FL_NOTE_COUNTED] = { FL_LOG_DEBUG, "seat", "weight", FL_METRIC_contrib_counted_total },
    [FL_NOTE_LATE] = { FL_LOG_WARN, "seat", "bytes", FL_METRIC_contrib_late_total },
    [FL_NOTE_SLOT_WITHDRAWN] = { FL_LOG_WARN, "seat", "bytes", FL_METRIC_slots_withdrawn_total },
    [FL_NOTE_REWIND] = { FL_LOG_INFO, "seat", "offset", NO_METRIC },
    [FL_NOTE_CHUNK_DROPPED] = { FL_LOG_DEBUG, "seat", "offset", FL_METRIC_chunks_dropped_total },
    [FL_NOTE_ROUND_OPEN] = { FL_LOG_INFO, "invited", "budget_ms", FL_METRIC_rounds_opened_total },
    [FL_NOTE_ROUND_EXTEND] = { FL_LOG_WARN, "in", "added_ms", NO_METRIC },
    [FL_NOTE_ROUND_CUTOFF] = { FL_LOG_INFO, "in", "after_ms", NO_METRIC },
    [FL_NOTE_ROUND_CLOSE] = { FL_LOG_INFO, "in", "merge_ms", NO_METRIC },
    [FL_NOTE_WAITING] = { FL_LOG_INFO, "ready", "wanted", NO_METRIC },
    [FL_NOTE_RECONNECT] = { FL_LOG_WARN, "attempt", "delay_ms", FL_METRIC_reconnects_total },
    [FL_NOTE_WELCOMED] = { FL_LOG_INFO, "seat", "epoch", NO_METRIC },
    [FL_NOTE_TASK] = { FL_LOG_INFO, "attempt", "budget_ms", NO_METRIC },
    [FL_NOTE_TASK_ENDED] = { FL_LOG_INFO, "attempt", "after_ms", NO_METRIC },
    [FL_NOTE_MODEL] = { FL_LOG_INFO, "bytes", "took_ms", NO_METRIC },
    [FL_NOTE_OFFERED] = { FL_LOG_INFO, "weight", "staleness", NO_METRIC },
    [FL_NOTE_SENDING] = { FL_LOG_DEBUG, "bytes", "total", NO_METRIC },
    [FL_NOTE_SENT] = { FL_LOG_DEBUG, "bytes", "total", NO_METRIC },
    [FL_NOTE_VERDICT] = { FL_LOG_INFO, "outcome", "certain", NO_METRIC },
    [FL_NOTE_CARRIED] = { FL_LOG_INFO, "staleness", "weight", NO_METRIC },
    [FL_NOTE_DROPPED] = { FL_LOG_WARN, "staleness", NULL, NO_METRIC },
    [FL_NOTE_SATURATED] = { FL_LOG_WARN, "clipped", "elements", NO_METRIC },
    [FL_NOTE_RUN_DONE] = { FL_LOG_INFO, "rounds", NULL, NO_METRIC },
    [FL_NOTE_SAVE_FAILED] = { FL_LOG_ERROR, "token", NULL, NO_METRIC },
    [FL_NOTE_MASKING] = { FL_LOG_DEBUG, "step", "members", NO_METRIC },
    [FL_NOTE_MASKING_OUT] = { FL_LOG_WARN, "index", "step", NO_METRIC },
    [FL_NOTE_MASKING_REFUSED] = { FL_LOG_WARN, "verb", "step", NO_METRIC },
    [FL_NOTE_MASKING_BLAMED] = { FL_LOG_ERROR, "index", "step", NO_METRIC },
    [FL_NOTE_MASKING_ENDED] = { FL_LOG_INFO, "survivors", "lost", NO_METRIC },
};

static fl_log_pair
s_number(const fl_note *note, const char *key, uint64_t value)
{
    if (note->id == FL_NOTE_REFUSED) {
        return fl_log_text(key, fl_verb_name((fl_verb)value));
    }
    if (note->id == FL_NOTE_VERDICT && key == rows[FL_NOTE_VERDICT].a) {
        return fl_log_text(key, fl_outcome_name((fl_outcome)value));
    }
    return fl_log_u64(key, value);
}

void
fl_chronicle(const fl_note *note, fl_metrics *metrics)
{
    FL_ASSERT((unsigned)note->id < FL_NOTE_COUNT_OF);
    const row *row_of = &rows[note->id];
    if (row_of->metric != NO_METRIC) {
        fl_metrics_add(metrics, (fl_metric)row_of->metric, 1);
    }
    if (note->id == FL_NOTE_SATURATED) {
        fl_metrics_add(metrics, FL_METRIC_saturated_total, note->a);
    }
    if (note->round > 0) {
        fl_log_set_round(note->round);
    }
    if (!fl_log_wanted(row_of->level)) {
        return;
    }
    fl_log_pair pairs[5];
    int count = 0;
    if (note->node.name[0] != '\0') {
        pairs[count++] = fl_log_text("peer", note->node.name);
    }
    if (row_of->a != NULL) {
        pairs[count++] = s_number(note, row_of->a, note->a);
    }
    if (row_of->b != NULL) {
        pairs[count++] = s_number(note, row_of->b, note->b);
    }
    if (note->reason != FL_WHY_NONE) {
        pairs[count++] = fl_log_text("reason", fl_reason_name(note->reason));
    }
    pairs[count] = fl_log_none();
    fl_log_line(row_of->level, fl_note_name(note->id), pairs);
}
