//  live_run - one run in hand at the root: its settings, its model, its optimizer, what is resumed
//  after a restart. Made and closed on the store strand, which it blocks for the disk; the applier
//  and the saver run on the strands of theirs (global_model.h).
#ifndef FL_CLOUD_LIVE_RUN_H
#define FL_CLOUD_LIVE_RUN_H

#include "cloud/global_model.h"
#include "cloud/pools.h"
#include "cloud/run_settings.h"
#include "cloud/scheduler.h"

typedef struct fl_live_run fl_live_run;

//  What all runs of a root share. Borrowed.
typedef struct fl_live_run_conf {
    fl_ledger *ledger;
    fl_checkpoints *checkpoints;
    fl_pools *pools; // drawn before each masked round
    fl_samples test; // count 0: no model is scored
    fl_gemm gemm;
    const fl_conf *root;
} fl_live_run_conf;

//  What a run says that is to be begun or to go on; the caller's. FL_MISMATCH, FL_RANGE,
//  FL_MALFORMED: this run can never be done here, and nothing of it is left behind; other errors
//  are the machine's (disk, memory): to be tried again.
FL_CHECKED fl_status fl_live_run_read(const fl_live_run_conf *conf, const fl_run *run,
                                      fl_live_run **live, fl_why *why);
//  Begin it, or go on with it; errors likewise.
FL_CHECKED fl_status fl_live_run_open(fl_live_run *self, fl_why *why);
//  Where it goes on now: before each of its turns.
FL_CHECKED fl_status fl_live_run_refresh(fl_live_run *self, fl_why *why);
void fl_live_run_close(fl_live_run **self_p);

const fl_run *fl_live_run_id(const fl_live_run *self);
uint64_t fl_live_run_samples_max(const fl_live_run *self); // of a device, that count
const char *fl_live_run_name(const fl_live_run *self);
fl_claim fl_live_run_claim(const fl_live_run *self); // all but its track
//  What the machine begins with: what of `conf` is a run's, and the START. The model is a reference
//  of the caller's.
void fl_live_run_start(fl_live_run *self, fl_root_conf *conf, fl_event *start, fl_blob **model);

fl_applier fl_live_run_applier(fl_live_run *self);
fl_saver fl_live_run_saver(fl_live_run *self);

#endif
