#include "common/store/ledger.h"

#include <stdlib.h>
#include <time.h>

#include "common/store/ledger_inside.h"

enum { VERSION = 3 };

//  Hashes and ids are blobs, outcomes and reasons their numbers on the wire, times ms since 1970.
static const char schema[] =
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run(number INTEGER PRIMARY KEY, run BLOB NOT NULL UNIQUE,"
    "  begun_at INTEGER NOT NULL, elements INTEGER NOT NULL, model BLOB NOT NULL,"
    "  model_bytes INTEGER NOT NULL);"
    "CREATE TABLE round(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  opened_at INTEGER NOT NULL, closed_at INTEGER, base BLOB NOT NULL,"
    "  budget_ms INTEGER NOT NULL, close INTEGER, reason INTEGER, model BLOB,"
    "  model_bytes INTEGER, duration_ms INTEGER, weight INTEGER, count INTEGER, loss REAL,"
    "  accuracy REAL, sum BLOB, samples INTEGER, loss_sum INTEGER, correct INTEGER,"
    "  evaluated INTEGER, saturated INTEGER, stale INTEGER, train_ms INTEGER, spare INTEGER,"
    "  invited INTEGER, counted INTEGER, late INTEGER, absent INTEGER, refused INTEGER,"
    "  samples_missing INTEGER, samples_known INTEGER, merge_ms INTEGER, bytes_up INTEGER,"
    "  bytes_down INTEGER, masked INTEGER, recovered INTEGER, aborted INTEGER,"
    "  roll_dropped INTEGER, masking INTEGER, PRIMARY KEY(run, round, attempt));"
    "CREATE TABLE receipt(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  line INTEGER NOT NULL, node BLOB NOT NULL, parent BLOB NOT NULL, outcome INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL, staleness INTEGER NOT NULL,"
    "  PRIMARY KEY(run, round, attempt, line)) WITHOUT ROWID;"
    "CREATE TABLE block_line(run BLOB NOT NULL, round INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    "  line INTEGER NOT NULL, parent BLOB NOT NULL, block INTEGER NOT NULL, hop INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL, members INTEGER NOT NULL, masked INTEGER NOT NULL,"
    "  survivors INTEGER NOT NULL, PRIMARY KEY(run, round, attempt, line)) WITHOUT ROWID;"
    "CREATE TABLE fact(block INTEGER NOT NULL, what INTEGER NOT NULL, run BLOB NOT NULL,"
    "  round INTEGER NOT NULL, fact BLOB NOT NULL, PRIMARY KEY(block, what));"
    "CREATE TABLE evidence(line INTEGER PRIMARY KEY, at INTEGER NOT NULL, run BLOB NOT NULL,"
    "  round INTEGER NOT NULL, block INTEGER NOT NULL, paper BLOB NOT NULL);"
    "CREATE TABLE token_use(token BLOB PRIMARY KEY, count INTEGER NOT NULL, revoked_at INTEGER)"
    "  WITHOUT ROWID;"
    "CREATE TABLE issued(serial INTEGER PRIMARY KEY, node BLOB NOT NULL, role INTEGER NOT NULL,"
    "  certificate BLOB NOT NULL, issued_at INTEGER NOT NULL);"
    "CREATE INDEX issued_node ON issued(node);"
    "CREATE TABLE lease(shard INTEGER PRIMARY KEY, node BLOB NOT NULL UNIQUE,"
    "  shards INTEGER NOT NULL);"
    "CREATE TABLE denied(line INTEGER PRIMARY KEY, node BLOB NOT NULL, serial INTEGER NOT NULL,"
    "  lifted INTEGER NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL);"
    "CREATE TABLE deny_list(only INTEGER PRIMARY KEY CHECK(only = 1), version INTEGER NOT NULL,"
    "  list BLOB NOT NULL);";

uint64_t
fl_ledger_clock(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

//  From a version to the next one; whoever changes the schema adds a line.
static const char *const steps[VERSION] = {
    [2] = "ALTER TABLE token_use ADD COLUMN revoked_at INTEGER",
};

fl_status
fl_ledger_open(const char *path, fl_ledger **ledger, fl_why *why)
{
    *ledger = NULL;
    fl_ledger *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "%s cannot be opened: out of memory", path);
    }
    fl_status status = fl_sql_open(path, VERSION, schema, steps, &self->sql, why);
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

fl_status
fl_ledger_run_begin(fl_ledger *self, const fl_ledger_run *run, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "INSERT INTO run(run, begun_at, elements, model, "
                                            "model_bytes) VALUES(?,?,?,?,?)");
    fl_query_blob(&query, run->run.bytes, sizeof run->run.bytes);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_u64(&query, run->elements);
    fl_query_blob(&query, run->model.bytes, sizeof run->model.bytes);
    fl_query_u64(&query, run->model_bytes);
    return fl_query_run(&query, why);
}

static fl_status
s_open(fl_ledger *self, const char *text, const fl_report *report, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, text);
    fl_ledger_bind_key(&query, report);
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, report->base.bytes, sizeof report->base.bytes);
    fl_query_u64(&query, report->budget_ms);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_round_open(fl_ledger *self, const fl_report *report, fl_why *why)
{
    return s_open(self,
                  "INSERT INTO round(run, round, attempt, opened_at, base, budget_ms) "
                  "VALUES(?,?,?,?,?,?)",
                  report, why);
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
        "bytes_up=?, bytes_down=?, masked=?, recovered=?, aborted=?, roll_dropped=?, masking=? "
        "WHERE run=? AND round=? AND attempt=? AND closed_at IS NULL");
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

fl_status
fl_ledger_round_close(fl_ledger *self, const fl_report *report, uint64_t model_bytes, fl_why *why)
{
    fl_status status = fl_sql_begin(self->sql, why);
    if (status != FL_OK) {
        return status;
    }
    status = s_open(self,
                    "INSERT OR IGNORE INTO round(run, round, attempt, opened_at, base, "
                    "budget_ms) VALUES(?,?,?,?,?,?)",
                    report, why);
    if (status == FL_OK) {
        status = s_close(self, report, model_bytes, why);
    }
    if (status == FL_OK) {
        status = s_write_roll(self, report, why);
    }
    if (status == FL_OK) {
        status = fl_ledger_blocks_put(self, report, why);
    }
    return fl_sql_end(self->sql, status, why);
}
