//  What an aggregator keeps of the masked round in hand, so that a restart cannot make it say
//  something else.
#include <stdlib.h>

#include "common/store/ledger_inside.h"

static fl_status
s_put_evidence(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why)
{
    fl_query query =
        fl_query_of(self->sql, "INSERT INTO evidence(line, at, run, round, block, paper) "
                               "VALUES((SELECT coalesce(max(line), 0)+1 FROM evidence),?,?,?,?,?)");
    fl_query_u64(&query, fl_ledger_clock());
    fl_query_blob(&query, fact->run.bytes, sizeof fact->run.bytes);
    fl_query_u64(&query, fact->round);
    fl_query_u64(&query, fact->block);
    fl_query_blob(&query, fact->bytes.data, fact->bytes.size);
    return fl_query_run(&query, why);
}

static fl_status
s_forget(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "DELETE FROM fact WHERE run=? AND (round<>? OR (block=? AND what>=?))");
    fl_query_blob(&query, fact->run.bytes, sizeof fact->run.bytes);
    fl_query_u64(&query, fact->round);
    fl_query_u64(&query, fact->block);
    fl_query_u64(&query, fact->what);
    return fl_query_run(&query, why);
}

static fl_status
s_insert(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO fact(block, what, run, round, fact) VALUES(?,?,?,?,?)");
    fl_query_u64(&query, fact->block);
    fl_query_u64(&query, fact->what);
    fl_query_blob(&query, fact->run.bytes, sizeof fact->run.bytes);
    fl_query_u64(&query, fact->round);
    fl_query_blob(&query, fact->bytes.data, fact->bytes.size);
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_fact_put(fl_ledger *self, const fl_ledger_fact *fact, fl_why *why)
{
    FL_ASSERT(fact->what != FL_KEEP_MARK && fact->what < FL_KEEP_COUNT && fact->bytes.size > 0);
    if (fact->what == FL_KEEP_EVIDENCE) {
        return s_put_evidence(self, fact, why);
    }
    FL_TRY(fl_sql_begin(self->sql, why));
    fl_status status = s_forget(self, fact, why);
    FL_THEN(status, s_insert(self, fact, why));
    return fl_sql_end(self->sql, status, why);
}

fl_status
fl_ledger_facts_forget(fl_ledger *self, const fl_run *run, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "DELETE FROM fact WHERE run=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    return fl_query_run(&query, why);
}

// ---- reading ----------------------------------------------------------------------------------
//  How many there are, and how long they are together.
static fl_status
s_measure(fl_ledger *self, const fl_run *run, uint64_t round, uint32_t *count, size_t *bytes,
          fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql,
        "SELECT count(*), coalesce(sum(length(fact)), 0) FROM fact WHERE run=? AND round=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, round);
    if (fl_query_next(&query)) {
        *count = (uint32_t)fl_query_take_u64(&query);
        *bytes = (size_t)fl_query_take_u64(&query);
    }
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_facts_get(fl_ledger *self, const fl_run *run, uint64_t round, fl_ledger_facts **facts,
                    fl_why *why)
{
    uint32_t count = 0;
    size_t bytes = 0;
    *facts = NULL;
    FL_TRY(s_measure(self, run, round, &count, &bytes, why));
    fl_ledger_facts *all = calloc(1, sizeof *all + count * sizeof all->facts[0] + bytes);
    if (all == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory for what was kept of round %llu",
                       (unsigned long long)round);
    }
    uint8_t *at = (uint8_t *)&all->facts[count];
    fl_query query = fl_query_of(self->sql, "SELECT length(fact), fact FROM fact "
                                            "WHERE run=? AND round=? ORDER BY block, what");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_u64(&query, round);
    while (all->count < count && fl_query_next(&query)) {
        size_t size = (size_t)fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, at, size);
        all->facts[all->count++] = fl_bytes_of(at, size);
        at += size;
    }
    fl_status status = fl_query_end(&query, why);
    if (status != FL_OK) {
        fl_ledger_facts_destroy(&all);
    }
    *facts = all;
    return status;
}

void
fl_ledger_facts_destroy(fl_ledger_facts **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
