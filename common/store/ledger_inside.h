//  ledger_inside - the open ledger, for its own files and for nobody else: one file would be longer
//  than a file may be.
#ifndef FL_STORE_LEDGER_INSIDE_H
#define FL_STORE_LEDGER_INSIDE_H

#include "common/store/ledger.h"
#include "common/store/sql.h"

struct fl_ledger {
    fl_sql *sql;
};

//  The wall clock, ms since 1970: for people who read the ledger, never compared.
uint64_t fl_ledger_clock(void);

//  Run, round and attempt.
static inline void
fl_ledger_bind_key(fl_query *query, const fl_report *report)
{
    fl_query_blob(query, report->run.bytes, sizeof report->run.bytes);
    fl_query_u64(query, report->round);
    fl_query_u64(query, report->attempt);
}

//  The blocks of a report; `blocks` has room for FL_BLOCK_LINES_MAX.
fl_status fl_ledger_blocks_put(fl_ledger *self, const fl_report *report, fl_why *why);
fl_status fl_ledger_blocks_get(fl_ledger *self, fl_ledger_round *round, fl_block_line *blocks,
                               fl_why *why);
//  The totals of the blocks of `rounds`, ascending, all of one run.
fl_status fl_ledger_hops_get(fl_ledger *self, fl_ledger_round *rounds, uint32_t count, fl_why *why);

#endif
