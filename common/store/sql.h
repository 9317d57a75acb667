//  sql - the thinnest layer over SQLite that ledger needs: a database that is durable after each
//  transaction, and a statement that remembers its first failure. For this folder only. One thread.
#ifndef FL_STORE_SQL_H
#define FL_STORE_SQL_H

#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/status.h"

typedef struct fl_sql fl_sql;

//  Open or make the database at `path`: WAL, synchronous=FULL, mode 0600. A new one gets `schema`
//  and `version`. An older one is brought up by `steps` in one transaction (step v: v to v + 1;
//  NULL: there is none, FL_MISMATCH). A newer one is FL_MISMATCH, no database FL_MALFORMED.
FL_CHECKED fl_status fl_sql_open(const char *path, uint32_t version, const char *schema,
                                 const char *const *steps, fl_sql **sql, fl_why *why);
void fl_sql_close(fl_sql **self_p);

FL_CHECKED fl_status fl_sql_begin(fl_sql *self, fl_why *why);
//  Commit when `status` is FL_OK, else roll back; returns the first failure of all.
FL_CHECKED fl_status fl_sql_end(fl_sql *self, fl_status status, fl_why *why);

//  One statement. Bind its parameters in their order, then `next` row by row taking its columns in
//  their order, then `end`, always: it frees.
typedef struct fl_query {
    fl_sql *sql;
    void *statement;
    int bound, column;
    int code; // first failure
} fl_query;

fl_query fl_query_of(fl_sql *sql, const char *text);
void fl_query_u64(fl_query *self, uint64_t value);
void fl_query_real(fl_query *self, double value);                  // NaN is stored as NULL
void fl_query_text(fl_query *self, const char *text);              // copied
void fl_query_blob(fl_query *self, const void *data, size_t size); // copied
//  True when a row is there to be taken.
bool fl_query_next(fl_query *self);
uint64_t fl_query_take_u64(fl_query *self);
double fl_query_take_real(fl_query *self); // NULL comes back as NaN
bool fl_query_take_null(fl_query *self);   // looks, does not move on
//  Copy at most `size` bytes, the rest of `to` becomes zero. Returns the size stored.
size_t fl_query_take_blob(fl_query *self, void *to, size_t size);
//  FL_OK, or the first failure with its line. FL_EXISTS: a row of that key is there already.
FL_CHECKED fl_status fl_query_end(fl_query *self, fl_why *why);
//  A statement without rows: step it and end it.
FL_CHECKED fl_status fl_query_run(fl_query *self, fl_why *why);
//  The statement again, for other values; its failure stays.
void fl_query_reset(fl_query *self);
//  Rows that the last statement changed.
uint64_t fl_sql_changes(const fl_sql *self);

#endif
