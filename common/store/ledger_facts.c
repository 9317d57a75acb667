//  What an aggregator keeps of the masked round in hand, so that a restart cannot make it say
//  something else; and the rosters of the rounds before it, of which it may have to be proved that
//  they were not opened.
#include <stdlib.h>

#include "common/store/ledger_inside.h"

enum { ROSTER_ROUNDS = 16 };

//  Facts of that round, and rosters of those before.
#define OF_ROUND "FROM fact WHERE run=? AND (round=? OR (round<? AND what=?))"

static void
s_bind(fl_query *query, const fl_run *run, uint64_t round)
{
    fl_query_blob(query, run->bytes, sizeof run->bytes);
    fl_query_u64(query, round);
    fl_query_u64(query, round);
    fl_query_u64(query, FL_KEEP_ROSTER);
}

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
        self->sql, "DELETE FROM fact WHERE run=? AND (round<? OR (round<>? AND what<>?) OR "
                   "(round=? AND block=? AND what>=?))");
    fl_query_blob(&query, fact->run.bytes, sizeof fact->run.bytes);
    fl_query_u64(&query, fact->round > ROSTER_ROUNDS ? fact->round - ROSTER_ROUNDS : 0);
    fl_query_u64(&query, fact->round);
    fl_query_u64(&query, FL_KEEP_ROSTER);
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

static fl_status
s_drop_sum(fl_ledger *self, const fl_run *run, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "DELETE FROM kept WHERE run=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    return fl_query_run(&query, why);
}

static fl_status
s_insert_sum(fl_ledger *self, const fl_run *run, fl_bytes head, fl_bytes vector, fl_why *why)
{
    fl_query query = fl_query_of(
        self->sql, "INSERT INTO kept(run, tensors, draw, block, codec, file, header, survivors) "
                   "VALUES(?,?,0,0,0,?,?,?)");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    fl_query_blob(&query, head.data, sizeof(fl_hash));
    fl_query_blob(&query, vector.data, vector.size);
    fl_query_blob(&query, head.data, head.size);
    fl_query_blob(&query, "", 0); // who is in it stands in the head
    return fl_query_run(&query, why);
}

fl_status
fl_ledger_sum_put(fl_ledger *self, const fl_run *run, fl_bytes head, fl_bytes vector, fl_why *why)
{
    FL_ASSERT(head.size > sizeof(fl_hash) && vector.size > 0);
    FL_TRY(fl_sql_begin(self->sql, why));
    fl_status status = s_drop_sum(self, run, why);
    FL_THEN(status, s_insert_sum(self, run, head, vector, why));
    return fl_sql_end(self->sql, status, why);
}

fl_status
fl_ledger_sum_get(fl_ledger *self, const fl_run *run, fl_blob **vector, fl_why *why)
{
    fl_query query = fl_query_of(self->sql, "SELECT file FROM kept WHERE run=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    *vector = fl_query_next(&query) ? fl_query_take_copy(&query) : NULL;
    return fl_query_end(&query, why);
}

fl_status
fl_ledger_facts_forget(fl_ledger *self, const fl_run *run, fl_why *why)
{
    FL_TRY(s_drop_sum(self, run, why));
    fl_query query = fl_query_of(self->sql, "DELETE FROM fact WHERE run=?");
    fl_query_blob(&query, run->bytes, sizeof run->bytes);
    return fl_query_run(&query, why);
}

// ---- reading ----------------------------------------------------------------------------------
//  Rows of (length, bytes); `query` asks for them, `sum` how many there are and how long together.
static fl_status
s_read(fl_query sum, fl_query query, fl_ledger_facts **facts, fl_why *why)
{
    uint32_t count = 0;
    size_t bytes = 0;
    *facts = NULL;
    if (fl_query_next(&sum)) {
        count = (uint32_t)fl_query_take_u64(&sum);
        bytes = (size_t)fl_query_take_u64(&sum);
    }
    fl_status status = fl_query_end(&sum, why);
    fl_ledger_facts *all = calloc(1, sizeof *all + count * sizeof all->facts[0] + bytes);
    if (all == NULL) {
        status = fl_fail(FL_NOMEM, why, "out of memory for what was kept of masked rounds");
    }
    uint8_t *at = all == NULL ? NULL : (uint8_t *)&all->facts[count];
    while (status == FL_OK && all->count < count && fl_query_next(&query)) {
        size_t size = (size_t)fl_query_take_u64(&query);
        (void)fl_query_take_blob(&query, at, size);
        all->facts[all->count++] = fl_bytes_of(at, size);
        at += size;
    }
    fl_why later;
    fl_status ended = fl_query_end(&query, status == FL_OK ? why : &later);
    status = status == FL_OK ? ended : status;
    if (status != FL_OK) {
        fl_ledger_facts_destroy(&all);
    }
    *facts = all;
    return status;
}

fl_status
fl_ledger_facts_get(fl_ledger *self, const fl_run *run, uint64_t round, fl_ledger_facts **facts,
                    fl_why *why)
{
    fl_query sum =
        fl_query_of(self->sql, "SELECT count(*), coalesce(sum(length(fact)), 0) " OF_ROUND);
    fl_query query = fl_query_of(self->sql, "SELECT length(fact), fact " OF_ROUND
                                            " ORDER BY round, block, what");
    s_bind(&sum, run, round);
    s_bind(&query, run, round);
    return s_read(sum, query, facts, why);
}

fl_status
fl_ledger_sum_heads(fl_ledger *self, fl_ledger_facts **heads, fl_why *why)
{
    fl_query sum =
        fl_query_of(self->sql, "SELECT count(*), coalesce(sum(length(header)), 0) FROM kept");
    fl_query query = fl_query_of(self->sql, "SELECT length(header), header FROM kept");
    return s_read(sum, query, heads, why);
}

void
fl_ledger_facts_destroy(fl_ledger_facts **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
