//  ledger - a ledger in a directory of the test's own, and its database from outside. Include after
//  unit.h.
#ifndef FL_SUPPORT_LEDGER_H
#define FL_SUPPORT_LEDGER_H

#include <sqlite3.h>

#include "common/store/ledger.h"
#include "tests/support/place.h"

static fl_why why;
static fl_ledger *ledger;
static const fl_run run = { { 7, 8, 9 } };

static inline int
ledger_begin(void **state)
{
    int code = place_make(state);
    return code != 0 || fl_ledger_open(place_of("ledger"), &ledger, &why) != FL_OK;
}

static inline int
ledger_end(void **state)
{
    fl_ledger_close(&ledger);
    return place_end(state);
}

static inline void
ledger_reopen(void)
{
    fl_ledger_close(&ledger);
    assert_int_equal(fl_ledger_open(place_of("ledger"), &ledger, &why), FL_OK);
}

static inline void
ledger_sql(const char *text)
{
    sqlite3 *base = NULL;
    assert_int_equal(sqlite3_open(place_of("ledger"), &base), SQLITE_OK);
    assert_int_equal(sqlite3_exec(base, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(base), SQLITE_OK);
}

#endif
