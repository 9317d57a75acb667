#include "common/store/ledger.h"

#include <stdlib.h>
#include <time.h>

#include "common/store/ledger_inside.h"

uint64_t
fl_ledger_clock(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

fl_status
fl_ledger_open(const char *path, fl_ledger **ledger, fl_why *why)
{
    *ledger = NULL;
    fl_ledger *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "%s cannot be opened: out of memory", path);
    }
    fl_status status = fl_sql_open(path, fl_ledger_steps, FL_LEDGER_STEPS, &self->sql, why);
    if (status != FL_OK) {
        fl_ledger_close(&self);
    }
    *ledger = self;
    return status;
}

void
fl_ledger_close(fl_ledger **self_p)
{
    if (*self_p != NULL) {
        fl_sql_close(&(*self_p)->sql);
    }
    free(*self_p);
    *self_p = NULL;
}

//  Nothing said is NULL.
static void
s_bind_said(fl_query *query, fl_bytes said)
{
    if (said.size == 0) {
        fl_query_null(query);
    } else {
        fl_query_blob(query, said.data, said.size);
    }
}

#define OPEN                                                                                       \
    "INSERT INTO round(seq, run, round, attempt, opened_at, base, budget_ms, order_bytes, "        \
    "signature, settings, draw) VALUES((SELECT coalesce(max(seq), 0)+1 FROM round),?,?,?,?,?,?,"   \
    "?,?,?,?)"

static fl_status
s_open(fl_ledger *self, const char *text, const fl_report *report, fl_why *why)
{
    FL_ASSERT(report->order.size <= FL_LEDGER_SAID_MAX &&
              report->signature.size <= FL_LEDGER_SAID_MAX &&
              report->settings.size <= FL_LEDGER_SAID_MAX);
    fl_query query = fl_query_of(self->sql, text);
    fl_ledger_bind_key(&query, report);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, report->base.bytes, sizeof report->base.bytes);
    fl_query_u64(&query, report->budget_ms);
    s_bind_said(&query, report->order);
    s_bind_said(&query, report->signature);
    s_bind_said(&query, report->settings);
    fl_query_u64(&query, report->draw);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_round_open(fl_ledger *self, const fl_report *report, fl_why *why)
{
    return s_open(self, OPEN, report, why);
}

static void
s_bind_tally(fl_query *query, const fl_tally *tally)
{
    fl_query_u64(query, tally->invited);
    fl_query_u64(query, tally->in);
    fl_query_u64(query, tally->late);
    fl_query_u64(query, tally->absent);
    fl_query_u64(query, tally->refused);
    fl_query_u64(query, tally->samples_missing);
    fl_query_u64(query, tally->samples_known);
    fl_query_u64(query, tally->merge_ms);
    fl_query_u64(query, tally->bytes_up);
    fl_query_u64(query, tally->bytes_down);
    fl_query_u64(query, tally->masked);
    fl_query_u64(query, tally->recovered);
    fl_query_u64(query, tally->aborted);
}

static fl_status
s_close(fl_ledger *self, const fl_report *report, uint64_t model_bytes, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql,
        "UPDATE round SET closed_at=?, base=?, budget_ms=?, close=?, reason=?, model=?, "
        "model_bytes=?, duration_ms=?, weight=?, count=?, loss=?, accuracy=?, sum=?, samples=?, "
        "loss_sum=?, correct=?, evaluated=?, saturated=?, stale=?, train_ms=?, spare=?, invited=?, "
        "counted=?, late=?, absent=?, refused=?, samples_missing=?, samples_known=?, merge_ms=?, "
        "bytes_up=?, bytes_down=?, masked=?, recovered=?, aborted=?, roll_dropped=?, masking=?, "
        "pin=?, weighting=? WHERE run=? AND round=? AND attempt=? AND closed_at IS NULL");
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, report->base.bytes, sizeof report->base.bytes);
    fl_query_u64(&query, report->budget_ms);
    fl_query_u64(&query, report->close);
    fl_query_u64(&query, report->reason);
    fl_query_blob(&query, report->model.bytes, sizeof report->model.bytes);
    fl_query_u64(&query, model_bytes);
    fl_query_u64(&query, report->duration_ms);
    fl_query_u64(&query, report->weight);
    fl_query_u64(&query, report->count);
    fl_query_real(&query, report->loss);
    fl_query_real(&query, report->accuracy);
    fl_query_blob(&query, report->sum.bytes, sizeof report->sum.bytes);
    for (int i = 0; i < FL_STATS; i++) {
        fl_query_u64(&query, report->stats[i]);
    }
    s_bind_tally(&query, &report->tally);
    fl_query_u64(&query, report->roll_dropped);
    fl_query_u64(&query, report->masking);
    fl_query_u64(&query, report->pin);
    fl_query_u64(&query, report->weighting);
    fl_ledger_bind_key(&query, report);
    fl_status status = fl_query_run(&query, why);
    if (status == FL_OK && fl_sql_changes(self->sql) == 0) {
        status = fl_fail(FL_EXISTS, why, "round %llu, attempt %u was closed before",
                         (unsigned long long)report->round, report->attempt);
    }
    return status;
}

static fl_status
s_write_roll(fl_ledger *self, const fl_report *report, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "INSERT INTO receipt(run, round, attempt, line, node, "
                                            "parent, outcome, reason, staleness) "
                                            "VALUES(?,?,?,?,?,?,?,?,?)");
    for (uint32_t i = 0; i < report->roll_count && query.code == 0; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        fl_query_reset(&query);
        fl_ledger_bind_key(&query, report);
        fl_query_u64(&query, i);
        fl_query_blob(&query, entry->node.name, sizeof entry->node.name);
        fl_query_blob(&query, entry->parent.name, sizeof entry->parent.name);
        fl_query_u64(&query, entry->outcome);
        fl_query_u64(&query, entry->reason);
        fl_query_u64(&query, entry->staleness);
        bool row = fl_query_next(&query);
        FL_ASSERT(!row);
    }
    return fl_query_end(&query, why);
}

static fl_status
s_hold(fl_ledger *self, const fl_report *report, uint64_t model_bytes, fl_why *why)
{
    const bool held[] = {
        [FL_MODEL_ROUND] = true, [FL_MODEL_BEST] = report->best, [FL_MODEL_KEPT] = report->kept
    };
    for (fl_model_why for_what = FL_MODEL_ROUND; for_what <= FL_MODEL_KEPT; for_what++) {
        const fl_ledger_model model = { report->run, for_what, report->round, report->model,
                                        model_bytes };
        if (held[for_what]) {
            FL_TRY(fl_ledger_model_put(self, &model, why));
        }
    }
    return FL_OK;
}

static fl_status
s_close_all(fl_ledger *self, const fl_report *report, uint64_t model_bytes, fl_why *why)
{
    FL_TRY(s_open(self, OPEN " ON CONFLICT(run, round, attempt) DO NOTHING", report, why));
    FL_TRY(s_close(self, report, model_bytes, why));
    FL_TRY(s_write_roll(self, report, why));
    FL_TRY(fl_ledger_blocks_put(self, report, why));
    return model_bytes > 0 ? s_hold(self, report, model_bytes, why) : FL_OK;
}

fl_status
fl_ledger_round_close(fl_ledger *self, const fl_report *report, uint64_t model_bytes, fl_why *why)
{
    FL_TRY(fl_sql_begin(self->sql, why));
    return fl_sql_end(self->sql, s_close_all(self, report, model_bytes, why), why);
}
