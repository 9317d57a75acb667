//  scheduler - the queue of runs at the root: which one begins next, which state may follow which,
//  and when a run that trouble has paused is tried again. Plain values, no clock, no disk; the
//  ledger keeps what must survive. One thread.
//
//  A run that was begun holds a slot until it ends, also while it is paused: its children stay
//  joined to it. The next one begins when a slot is free: the highest priority first, then the
//  lowest number.
#ifndef FL_CLOUD_SCHEDULER_H
#define FL_CLOUD_SCHEDULER_H

#include "common/store/ledger.h"

enum {
    FL_SCHEDULER_RUNS_MAX = 256, // that have not ended
    FL_PRIORITY_MAX = 1000000,
    FL_SCHEDULER_RETRY_MIN_MS = 1000,
    FL_SCHEDULER_RETRY_MAX_MS = 60 * 1000
};

//  A run that has not ended.
typedef struct fl_scheduled {
    fl_run run;
    uint64_t number;
    int32_t priority;
    fl_run_state state;
    fl_reason reason;  // why it is paused; FL_WHY_NONE: the operator wants it
    bool begun;        // in this process: it holds a slot
    uint32_t retry_ms; // the last delay, 0: there was no trouble
    fl_time retry_at;  // FL_NEVER: nothing to be tried
} fl_scheduled;

typedef struct fl_scheduler fl_scheduler;

//  The table of legal moves. A run that is paused may be paused again, for another reason.
bool fl_run_state_may(fl_run_state from, fl_run_state to);

//  `slots`: runs at a time, at least 1. The caller owns the result. NULL when out of memory.
fl_scheduler *fl_scheduler_new(uint32_t slots);
void fl_scheduler_destroy(fl_scheduler **self_p);

//  A run that was submitted, or at a start one that the ledger says has not ended. Only `run`,
//  `number`, `priority`, `state` and `reason` are read. FL_EXISTS: it is here; FL_FULL.
FL_CHECKED fl_status fl_scheduler_add(fl_scheduler *self, const fl_scheduled *run);
//  False: `add` would answer FL_FULL.
bool fl_scheduler_room(const fl_scheduler *self);
//  NULL: unknown, or ended. Valid until the next change.
const fl_scheduled *fl_scheduler_find(const fl_scheduler *self, const fl_run *run);

//  The run that begins now, NULL while there is none or no slot is free. Those that were begun by
//  an earlier process go on first.
const fl_scheduled *fl_scheduler_next(const fl_scheduler *self);
//  It has a slot from now on; one that was queued is running, one that trouble had paused is tried
//  again soon.
void fl_scheduler_begin(fl_scheduler *self, const fl_run *run, fl_time now);
//  A move. FL_MISSING: unknown, or ended; FL_DENIED: no legal move. An end forgets the run and
//  frees its slot; a pause with a reason is tried again.
FL_CHECKED fl_status fl_scheduler_enter(fl_scheduler *self, const fl_run *run, fl_run_state to,
                                        fl_reason reason, fl_time now);
//  All went well (a round was closed): the next trouble is tried again after the shortest delay.
void fl_scheduler_well(fl_scheduler *self, const fl_run *run);
void fl_scheduler_prefer(fl_scheduler *self, const fl_run *run, int32_t priority);

//  When `due` will name a run; FL_NEVER when none waits.
fl_time fl_scheduler_deadline(const fl_scheduler *self);
//  A run whose pause is over: to be tried, so to enter FL_RUN_RUNNING. NULL: none.
const fl_scheduled *fl_scheduler_due(const fl_scheduler *self, fl_time now);

#endif
