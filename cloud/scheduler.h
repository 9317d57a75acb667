//  scheduler - the queue of runs at the root: which one begins next, and which state may follow
//  which. Plain values; the ledger keeps them.
#ifndef FL_CLOUD_SCHEDULER_H
#define FL_CLOUD_SCHEDULER_H

#include "common/base/limits.h"
#include "common/machine/offerings.h"
#include "common/store/ledger.h"

enum { FL_PRIORITY_MAX = 1000000 };

//  The table of legal moves. A run that is paused may be paused again, for another reason.
bool fl_run_state_may(fl_run_state from, fl_run_state to);
//  A run that waits for a turn: it was begun by an earlier process, or is in the queue.
bool fl_run_waits(const fl_ledger_run *run);
//  Of two that wait: the one whose round was open when the root ended, which is in the children's
//  hands; then those that were begun, then the higher priority, then the lower number.
bool fl_run_before(const fl_ledger_run *run, const fl_ledger_run *other);

//  What a run in hand takes of the root.
typedef struct fl_claim {
    fl_name on[FL_ON_MAX]; // (on_count), its children; on_count 0: all
    uint32_t on_count;
    uint64_t bytes; // memory of an open round, not 0
    fl_offering wanted; // of devices
    uint32_t track;
} fl_claim;

//  Some child is wanted by both.
bool fl_claims_meet(const fl_claim *a, const fl_claim *b);
//  On which track a run has its turns beside those in hand (count): on that of the runs whose
//  children it wants too, or else on a free one. FL_BUSY: it has to wait, and why. `memory`: bytes
//  that open rounds of two tracks may take together.
FL_CHECKED fl_status fl_run_place(const fl_claim *held, uint32_t count, uint64_t memory,
                                  fl_claim *run, fl_why *why);

//  FL_BUSY, and why, while nobody offers what a run that was not begun wants of devices.
FL_CHECKED fl_status fl_run_offered(const fl_claim *run, const fl_offerings *offers, fl_why *why);

#endif
