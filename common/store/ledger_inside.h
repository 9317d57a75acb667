//  ledger_inside - what the files of ledger share with each other and with nobody else.
#ifndef FL_STORE_LEDGER_INSIDE_H
#define FL_STORE_LEDGER_INSIDE_H

#include "common/store/ledger.h"
#include "common/store/sql.h"

struct fl_ledger {
    fl_sql *sql;
};

//  The wall clock, ms since 1970: for people who read the ledger, never compared.
uint64_t fl_ledger_clock(void);

#endif
