//  sql - the thinnest layer over SQLite that ledger needs: a database that is durable after each
//  transaction, and a statement that remembers its first failure. For this folder only. One thread.
#ifndef FL_STORE_SQL_H
#define FL_STORE_SQL_H

#include <stdint.h>

#include "common/base/blob.h"
#include "common/base/status.h"

typedef struct fl_sql fl_sql;

//  What leads from one version to the next; an empty file is of version 0. Steps between the same
//  two are one, in several texts.
typedef struct fl_sql_step {
    uint32_t from, to;
    const char *text;
} fl_sql_step;

//  Open or make the database at `path`: WAL, synchronous=FULL, mode 0600. It is brought up to the
//  version of the last step, in one transaction. FL_MISMATCH: it is newer, or no step leads on from
//  it. FL_MALFORMED: no database, or another program's.
FL_CHECKED fl_status fl_sql_open(const char *path, const fl_sql_step *steps, uint32_t count,
                                 fl_sql **sql, fl_why *why);
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
void fl_query_null(fl_query *self);
void fl_query_real(fl_query *self, double value);                  // NaN is stored as NULL
void fl_query_text(fl_query *self, fl_bytes text);                 // copied
void fl_query_blob(fl_query *self, const void *data, size_t size); // copied
//  True when a row is there to be taken.
bool fl_query_next(fl_query *self);
uint64_t fl_query_take_u64(fl_query *self);
double fl_query_take_real(fl_query *self); // NULL comes back as NaN
bool fl_query_take_null(fl_query *self);   // looks, does not move on
//  Copy at most `size` bytes, the rest of `to` becomes zero. Returns the size stored.
size_t fl_query_take_blob(fl_query *self, void *to, size_t size);
//  The whole of a column, the caller's. NULL: out of memory, which is the query's failure.
fl_blob *fl_query_take_copy(fl_query *self);
//  FL_OK, or the first failure with its line. FL_EXISTS: a row of that key is there already.
FL_CHECKED fl_status fl_query_end(fl_query *self, fl_why *why);
//  A statement without rows: step it and end it.
FL_CHECKED fl_status fl_query_run(fl_query *self, fl_why *why);
//  The statement again, for other values; its failure stays.
void fl_query_reset(fl_query *self);
//  Rows that the last statement changed.
uint64_t fl_sql_changes(const fl_sql *self);

#endif
