//  runs - the root's runs: takes the next ones from the ledger's queue, gives them to the machine,
//  and records how they ended. Up to `most` of them are in hand: those that want the same children
//  take turns, a round each, others overlap. A run's result does not depend on another's. Reactor's
//  thread; what blocks for the disk goes to the store's strand.
#ifndef FL_CLOUD_RUNS_H
#define FL_CLOUD_RUNS_H

#include "cloud/live_run.h"
#include "cloud/run_service.h"
#include "cloud/tracks.h"
#include "common/runtime/node.h"

typedef struct fl_runs fl_runs;

enum { FL_RUNS_MAX = 8 };

typedef struct fl_runs_conf {
    uint32_t most;   // runs in hand, 1 to FL_RUNS_MAX; each holds its model in memory
    uint64_t memory; // bytes that open rounds of two tracks may take together
    fl_live_run_conf live;
    fl_root_conf shared; // of every run: node, roles, masking, signer
    fl_tracks *machine;  // borrowed, as the node
    fl_node *node;
} fl_runs_conf;

//  The caller owns the result. NULL when out of memory.
fl_runs *fl_runs_new(const fl_runs_conf *conf);
//  After the worker pool has ended.
void fl_runs_destroy(fl_runs **self_p);

//  The queue has changed, or the process has begun: take the next run when none is in hand.
void fl_runs_wake(fl_runs *self);
//  The operator stopped a run, or paused, resumed or changed it; the ledger has it already.
void fl_runs_told(fl_runs *self, const fl_run *run, bool stops);
//  In each turn of the loop: sees the end of the runs in hand.
void fl_runs_turn(fl_runs *self, fl_time now);
//  Why the runs of a track stand still though nobody paused them; FL_WHY_NONE: they do not.
fl_reason fl_runs_trouble(const fl_runs *self, uint32_t track);

//  The track to show when one is shown. The run that has its turn there, or had the last one; zero
//  before the first.
uint32_t fl_runs_shown(const fl_runs *self);
const fl_run *fl_runs_current(const fl_runs *self, uint32_t track);
//  Runs that wait for children that they name, or for other runs, or are in trouble; how many.
uint32_t fl_runs_waiting(const fl_runs *self, fl_run_waiting waiting[FL_WAITING_MAX]);
fl_applier fl_runs_applier(fl_runs *self, uint32_t track);
fl_saver fl_runs_saver(fl_runs *self, uint32_t track);

#endif
