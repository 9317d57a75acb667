//  The questions that ledger answers about runs and rounds.
#include "common/store/ledger_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

//  The columns of a round, in the order that s_take_round takes them.
#define ROUND_COLUMNS                                                                              \
    "run, round, attempt, opened_at, closed_at, base, budget_ms, close, reason, model, "           \
    "model_bytes, duration_ms, weight, count, loss, accuracy, sum, samples, loss_sum, correct, "   \
    "evaluated, saturated, stale, train_ms, spare, invited, counted, late, absent, refused, "      \
    "samples_missing, samples_known, merge_ms, bytes_up, bytes_down, masked, recovered, aborted, " \
    "roll_dropped, masking, pin, weighting"

static uint32_t
s_take_u32(fl_query *query)
{
    return (uint32_t)fl_query_take_u64(query);
}

static void
s_take_tally(fl_query *query, fl_tally *tally)
{
    tally->invited = s_take_u32(query);
    tally->in = s_take_u32(query);
    tally->late = s_take_u32(query);
    tally->absent = s_take_u32(query);
    tally->refused = s_take_u32(query);
    tally->samples_missing = fl_query_take_u64(query);
    tally->samples_known = fl_query_take_u64(query);
    tally->merge_ms = s_take_u32(query);
    tally->bytes_up = fl_query_take_u64(query);
    tally->bytes_down = fl_query_take_u64(query);
    tally->masked = s_take_u32(query);
    tally->recovered = s_take_u32(query);
    tally->aborted = s_take_u32(query);
}

static void
s_take_round(fl_query *query, fl_ledger_round *round)
{
    fl_report *report = &round->report;
    *round = (fl_ledger_round){ 0 };
    (void)fl_query_take_blob(query, report->run.bytes, sizeof report->run.bytes);
    report->round = fl_query_take_u64(query);
    report->attempt = s_take_u32(query);
    round->opened_at = fl_query_take_u64(query);
    round->closed = !fl_query_take_null(query);
    round->closed_at = fl_query_take_u64(query);
    (void)fl_query_take_blob(query, report->base.bytes, sizeof report->base.bytes);
    report->budget_ms = s_take_u32(query);
    report->close = (fl_close)fl_query_take_u64(query);
    report->reason = (fl_reason)fl_query_take_u64(query);
    (void)fl_query_take_blob(query, report->model.bytes, sizeof report->model.bytes);
    round->model_bytes = fl_query_take_u64(query);
    report->duration_ms = s_take_u32(query);
    report->weight = fl_query_take_u64(query);
    report->count = s_take_u32(query);
    report->loss = fl_query_take_real(query);
    report->accuracy = fl_query_take_real(query);
    (void)fl_query_take_blob(query, report->sum.bytes, sizeof report->sum.bytes);
    for (int i = 0; i < FL_STATS; i++) {
        report->stats[i] = fl_query_take_u64(query);
    }
    s_take_tally(query, &report->tally);
    report->roll_dropped = s_take_u32(query);
    report->masking = (fl_masking)fl_query_take_u64(query);
    report->pin = fl_query_take_u64(query) != 0;
    report->weighting = (fl_weighting)fl_query_take_u64(query);
}

fl_status
fl_ledger_attempts(fl_ledger *self, const fl_run *run, uint64_t round, uint32_t *attempts,
                   fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "SELECT max(attempt) FROM round WHERE run=? AND round=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, round);
    *attempts = fl_query_next(&query) ? s_take_u32(&query) : 0;
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_newest(fl_ledger *self, fl_run *run, uint64_t *round, uint32_t *attempt, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "SELECT run, round, attempt FROM round ORDER BY seq DESC LIMIT 1");
    bool found = fl_query_next(&query);
    if (found) {
        (void)fl_query_take_blob(&query, run->bytes, sizeof run->bytes);
        *round = fl_query_take_u64(&query);
        *attempt = s_take_u32(&query);
    }
    FL_TRY(fl_query_end(&query, why));
    return found ? FL_OK : fl_fail(FL_MISSING, why, "no round was opened here yet");
}

fl_status
fl_ledger_since(fl_ledger *self, const fl_run *run, fl_run *runs, uint32_t capacity,
                uint32_t *count, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "SELECT DISTINCT run FROM round WHERE seq > "
                               "(SELECT coalesce(max(seq), 0) FROM round WHERE run=?)");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    for (*count = 0; *count < capacity && fl_query_next(&query); (*count)++) {
        (void)fl_query_take_blob(&query, runs[*count].bytes, sizeof runs->bytes);
    }
    return fl_query_end(&query, why);
}

//  Fill the roll of a round; `*room` entries are there, all are used.
static fl_status
s_read_roll(fl_ledger *self, fl_ledger_round *round, fl_roll_entry *roll, uint32_t room,
            fl_why *why)
{
    const fl_report *report = &round->report;
    fl_query query =
        fl_query_of(self->sql, "SELECT node, parent, outcome, reason, staleness FROM receipt "
                               "WHERE run=? AND round=? AND attempt=? ORDER BY line");
    fl_ledger_bind_key(&query, report);
    uint32_t count = 0;
    for (; count < room && fl_query_next(&query); count++) {
        fl_roll_entry *entry = &roll[count];
        *entry = (fl_roll_entry){ 0 };
        (void)fl_query_take_blob(&query, entry->node.name, sizeof entry->node.name);
        (void)fl_query_take_blob(&query, entry->parent.name, sizeof entry->parent.name);
        entry->outcome = (uint8_t)fl_query_take_u64(&query);
        entry->reason = (uint8_t)fl_query_take_u64(&query);
        entry->staleness = (uint8_t)fl_query_take_u64(&query);
    }
    round->report.roll = roll;
    round->report.roll_count = count;
    return fl_query_end(&query, why);
}

static fl_status
s_count_roll(fl_ledger *self, const fl_report *report, uint32_t *count, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "SELECT count(*) FROM receipt WHERE run=? AND round=? AND attempt=?");
    fl_ledger_bind_key(&query, report);
    *count = fl_query_next(&query) ? s_take_u32(&query) : 0;
    return fl_query_end(&query, why);
}

//  The round, its blocks and its roll in one piece of memory, so that one free ends all.
typedef struct bundle {
    fl_ledger_round round;
    fl_block_line blocks[FL_BLOCK_LINES_MAX];
    uint8_t order[FL_LEDGER_SAID_MAX], signature[FL_LEDGER_SAID_MAX], settings[FL_LEDGER_SAID_MAX];
    fl_roll_entry roll[];
} bundle;

static fl_bytes
s_take_said(fl_query *query, uint8_t said[FL_LEDGER_SAID_MAX])
{
    size_t size = fl_query_take_blob(query, said, FL_LEDGER_SAID_MAX);
    return fl_bytes_of(said, size < FL_LEDGER_SAID_MAX ? size : FL_LEDGER_SAID_MAX);
}

//  What was said when the round was opened.
static fl_status
s_read_said(fl_ledger *self, bundle *all, fl_why *why)
{
    fl_report *report = &all->round.report;
    fl_query query = fl_query_of(self->sql, "SELECT order_bytes, signature, settings, draw "
                                            "FROM round WHERE run=? AND round=? AND attempt=?");
    fl_ledger_bind_key(&query, report);
    if (fl_query_next(&query)) {
        report->order = s_take_said(&query, all->order);
        report->signature = s_take_said(&query, all->signature);
        report->settings = s_take_said(&query, all->settings);
        report->draw = (uint8_t)fl_query_take_u64(&query);
    }
    return fl_query_end(&query, why);
}

static fl_status
s_bundle(fl_ledger *self, const fl_ledger_round *round, fl_ledger_round **found, fl_why *why)
{
    uint32_t count = 0;
    FL_TRY(s_count_roll(self, &round->report, &count, why));
    bundle *all = calloc(1, sizeof *all + count * sizeof all->roll[0]);
    if (all == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory for the report of round %llu",
                       (unsigned long long)round->report.round);
    }
    all->round = *round;
    *found = &all->round;
    fl_status status = s_read_roll(self, *found, all->roll, count, why);
    FL_THEN(status, fl_ledger_blocks_get(self, *found, all->blocks, why));
    FL_THEN(status, s_read_said(self, all, why));
    if (status != FL_OK) {
        fl_ledger_round_destroy(found);
    }
    return status;
}

fl_status
fl_ledger_round_get(fl_ledger *self, const fl_run *run, uint64_t round, fl_ledger_round **found,
                    fl_why *why)
{
    *found = NULL;
    fl_query query = fl_query_of(
        self->sql, round == 0 ? "SELECT " ROUND_COLUMNS
                                " FROM round WHERE run=? AND closed_at IS NOT NULL "
                                "ORDER BY round DESC, attempt DESC LIMIT 1"
                              : "SELECT " ROUND_COLUMNS " FROM round WHERE run=? AND round=? "
                                "ORDER BY closed_at IS NULL, attempt DESC LIMIT 1");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    if (round > 0) {
        fl_query_u64(&query, round);
    }
    fl_ledger_round taken;
    bool there = fl_query_next(&query);
    if (there) {
        s_take_round(&query, &taken);
    }
    FL_TRY(fl_query_end(&query, why));
    if (!there) {
        return fl_fail(FL_MISSING, why,
                       round == 0 ? "no round of this run was closed yet"
                                  : "round %llu of this run is not recorded",
                       (unsigned long long)round);
    }
    return s_bundle(self, &taken, found, why);
}

void
fl_ledger_round_destroy(fl_ledger_round **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

fl_status
fl_ledger_rounds(fl_ledger *self, const fl_run *run, uint64_t first, uint64_t before,
                 fl_ledger_round *rounds, uint32_t capacity, uint32_t *count, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql,
        "SELECT * FROM (SELECT " ROUND_COLUMNS " FROM round AS this WHERE run=? AND round>=? AND "
        "round<? AND closed_at IS NOT NULL AND attempt=(SELECT max(attempt) FROM round WHERE "
        "run=this.run AND round=this.round AND closed_at IS NOT NULL) ORDER BY round DESC LIMIT ?) "
        "AS page ORDER BY round");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, first);
    fl_query_u64(&query, before == 0 ? INT64_MAX : before);
    fl_query_u64(&query, capacity);
    *count = 0;
    while (*count < capacity && fl_query_next(&query)) {
        s_take_round(&query, &rounds[(*count)++]);
    }
    FL_TRY(fl_query_end(&query, why));
    return fl_ledger_hops_get(self, rounds, *count, why);
}

fl_status
fl_ledger_scored(fl_ledger *self, const fl_run *run, fl_ledger_round *round, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "SELECT " ROUND_COLUMNS " FROM round WHERE run=? AND (evaluated>0 OR accuracy "
                   "IS NOT NULL) ORDER BY round DESC, attempt DESC LIMIT 1");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    bool found = fl_query_next(&query);
    *round = (fl_ledger_round){ .report = { .loss = NAN, .accuracy = NAN } };
    if (found) {
        s_take_round(&query, round);
    }
    return fl_query_end(&query, why);
}
