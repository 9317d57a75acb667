//  scheduler - the queue of runs at the root: which one begins next, and which state may follow
//  which. Plain values; the ledger keeps them.
#ifndef FL_CLOUD_SCHEDULER_H
#define FL_CLOUD_SCHEDULER_H

#include "common/store/ledger.h"

enum { FL_PRIORITY_MAX = 1000000 };

//  The table of legal moves. A run that is paused may be paused again, for another reason.
bool fl_run_state_may(fl_run_state from, fl_run_state to);
//  A run that waits for a turn: it was begun by an earlier process, or is in the queue.
bool fl_run_waits(const fl_ledger_run *run);
//  Of two that wait: the one whose round was open when the root ended, which is in the children's
//  hands; then those that were begun, then the higher priority, then the lower number.
bool fl_run_before(const fl_ledger_run *run, const fl_ledger_run *other);

#endif
