//  ledger_inside - the open ledger, for its own files and for nobody else: one file would be longer
//  than a file may be.
#ifndef FL_STORE_LEDGER_INSIDE_H
#define FL_STORE_LEDGER_INSIDE_H

#include "common/store/ledger.h"
#include "common/store/sql.h"

struct fl_ledger {
    fl_sql *sql;
};

//  FL_LEDGER_SAID_MAX: an order, a signature or settings.
enum { FL_LEDGER_STEPS = 9, FL_LEDGER_SAID_MAX = 16 * 1024 };
extern const fl_sql_step fl_ledger_steps[FL_LEDGER_STEPS];

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

//  Take a text of at most `size` - 1 bytes.
static inline void
fl_ledger_take_text(fl_query *query, char *text, size_t size)
{
    (void)fl_query_take_blob(query, text, size - 1);
    text[size - 1] = '\0';
}

//  A run is in a state now: an event.
fl_status fl_ledger_state_event(fl_ledger *self, const fl_run *run, fl_run_state state,
                                fl_reason reason, const char *text, fl_why *why);

//  A run holds a model; once more is fine.
typedef struct fl_ledger_model {
    fl_run run;
    fl_model_why why;
    uint64_t round; // that made it; 0: the initial one
    fl_hash hash;
    uint64_t bytes;
} fl_ledger_model;
fl_status fl_ledger_model_put(fl_ledger *self, const fl_ledger_model *model, fl_why *why);

//  The blocks of a report; `blocks` has room for FL_BLOCK_LINES_MAX.
fl_status fl_ledger_blocks_put(fl_ledger *self, const fl_report *report, fl_why *why);
fl_status fl_ledger_blocks_get(fl_ledger *self, fl_ledger_round *round, fl_block_line *blocks,
                               fl_why *why);
//  The totals of the blocks of `rounds`, ascending, all of one run.
fl_status fl_ledger_hops_get(fl_ledger *self, fl_ledger_round *rounds, uint32_t count, fl_why *why);

#endif
