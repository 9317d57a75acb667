#include "common/runtime/note_log.h"

#include "common/base/log.h"
#include "common/base/status.h"
#include "common/secagg/client.h"
#include "common/secagg/server.h"

enum { FL_METRIC_none = -1 };

typedef struct row {
    fl_log_level level;
    const char *a, *b; // names of the two numbers; NULL: not shown
    int metric;        // grows by one; FL_METRIC_none: none
} row;

static const row rows[FL_NOTE_COUNT_OF] = {
#define FL_NOTED(id, name, level, a, b, counter)                                                   \
    [FL_NOTE_##id] = { FL_LOG_##level, (a), (b), FL_METRIC_##counter },
#include "common/machine/notes.def"
};

//  The first number, by its name where it has one.
static fl_log_pair
s_first(const fl_note *note, const char *key)
{
    switch ((int)note->id) {
    case FL_NOTE_REFUSED:
    case FL_NOTE_MASKING_REFUSED:
        return fl_log_text(key, fl_verb_name((fl_verb)note->a));
    case FL_NOTE_VERDICT:
        return fl_log_text(key, fl_outcome_name((fl_outcome)note->a));
    case FL_NOTE_MASKING:
        return fl_log_text(key, fl_secagg_state_name((fl_secagg_state)note->a));
    case FL_NOTE_MASKING_STEP:
        return fl_log_text(key, fl_secagg_step_name((fl_secagg_step)note->a));
    default:
        return fl_log_u64(key, note->a);
    }
}

//  The second one. Where it is a place in a masked round: a child's is the state of its block, ours
//  our own step.
static fl_log_pair
s_second(const fl_note *note, const char *key)
{
    bool ours = note->node.name[0] == '\0';
    switch ((int)note->id) {
    case FL_NOTE_MASKING_OUT:
    case FL_NOTE_MASKING_REFUSED:
    case FL_NOTE_MASKING_BLAMED:
        return ours ? fl_log_text("step", fl_secagg_step_name((fl_secagg_step)note->b))
                    : fl_log_text("state", fl_secagg_state_name((fl_secagg_state)note->b));
    default:
        return fl_log_u64(key, note->b);
    }
}

//  A refusal is about a child's contribution, or about anything else: a hello, a task that a child
//  declines, what our parent refuses of us.
static fl_metric
s_refused(const fl_note *note)
{
    bool contribution = note->a == FL_CONTRIB || note->a == FL_CHUNK;
    return contribution && note->node.name[0] != '\0' ? FL_METRIC_contrib_refused_total
                                                      : FL_METRIC_messages_refused_total;
}

static bool
s_block_aborted(const fl_note *note)
{
    return note->id == FL_NOTE_MASKING && note->a == FL_SERVER_ABORTED;
}

//  What one note counts beside the counter of its row.
static void
s_count(const fl_note *note, fl_metrics *metrics)
{
    if (note->id == FL_NOTE_REFUSED) {
        fl_metrics_add(metrics, s_refused(note), 1);
    } else if (note->id == FL_NOTE_SATURATED) {
        metrics->saturated_total += note->a;
    } else if (note->id == FL_NOTE_WEIGHT_CAPPED) {
        metrics->weight_capped_total += note->a;
    } else if (note->id == FL_NOTE_MASKING_ENDED) {
        metrics->masking_masked_total += note->a + note->b;
        metrics->masking_recovered_total += note->b;
    } else if (s_block_aborted(note)) {
        metrics->masking_aborted_total++;
    }
}

void
fl_note_log(const fl_note *note, fl_metrics *metrics)
{
    FL_ASSERT((unsigned)note->id < FL_NOTE_COUNT_OF);
    const row *row_of = &rows[note->id];
    if (row_of->metric != FL_METRIC_none) {
        fl_metrics_add(metrics, (fl_metric)row_of->metric, 1);
    }
    s_count(note, metrics);
    if (note->round > 0) {
        fl_log_set_round(note->round);
    }
    fl_log_level level = s_block_aborted(note) ? FL_LOG_WARN : row_of->level;
    if (!fl_log_wanted(level)) {
        return;
    }
    fl_log_pair pairs[6];
    int count = 0;
    if (note->node.name[0] != '\0') {
        pairs[count++] = fl_log_text("peer", note->node.name);
    }
    if (note->at.name[0] != '\0') {
        pairs[count++] = fl_log_text("at", note->at.name);
    }
    if (row_of->a != NULL) {
        pairs[count++] = s_first(note, row_of->a);
    }
    if (row_of->b != NULL) {
        pairs[count++] = s_second(note, row_of->b);
    }
    if (note->reason != FL_WHY_NONE) {
        pairs[count++] = fl_log_text("reason", fl_reason_name(note->reason));
    }
    pairs[count] = fl_log_none();
    fl_log_line(level, fl_note_name(note->id), pairs);
}
