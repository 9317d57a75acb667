//  effects - the heavy effects of a machine, carried out by the worker pool: staging, hashing,
//  folding, masking, encoding, training, applying. Each answer comes back as an event through
//  `post`. `obey` and the handles are the reactor's thread; the accumulators, one per block of the
//  newest CLEAR, are touched by jobs of one strand only, so they need no lock.
#ifndef FL_RUNTIME_EFFECTS_H
#define FL_RUNTIME_EFFECTS_H

#include "common/crypto/hash.h"
#include "common/machine/event.h"
#include "common/net/worker_pool.h"
#include "common/runtime/handles.h"
#include "common/runtime/trainer.h"
#include "common/store/staging.h"
#include "common/tensor/combine.h"

typedef struct fl_effects fl_effects;

//  What the root makes of a sum. `apply` runs on a worker, never twice at a time.
typedef struct fl_applied {
    fl_blob *model; // the next model as a file; the caller's
    fl_hash hash, tensors;
    double loss, accuracy; // on the root's test set; NaN when it has none
} fl_applied;

typedef struct fl_applier {
    void *self;
    bool (*apply)(void *self, const fl_fold *fold, const fl_effect *effect, fl_applied *applied);
} fl_applier;

//  Makes facts durable. Runs on a worker, in order, never twice at a time. False: not durable.
typedef struct fl_saver {
    void *self;
    bool (*save)(void *self, fl_save what, const fl_report *report);
    //  A fact of a masked round (machine/event.h); `keep` says which round and block. NULL: none is
    //  durable.
    bool (*keep)(void *self, const fl_effect *keep);
    //  The vector of the sum that was kept of that run, the caller's; NULL: none. May be NULL.
    fl_blob *(*recall)(void *self, const fl_run *run);
} fl_saver;

//  Every pointer is borrowed and outlives the result.
typedef struct fl_effects_conf {
    uint32_t track; // whose effects these are
    fl_workers *workers;
    fl_handles *handles;
    fl_staging *staging; // NULL: no children
    fl_trainer *trainer; // NULL: no device
    const char *directory; // where a device's update waits
    fl_applier applier;  // apply NULL: no root
    fl_saver saver;      // save NULL: keeps nothing
    const fl_combine_rule *combine; // NULL: the sum
    fl_name node;        // ours; part of the dither's seed
    uint8_t own_seed[FL_MAC_KEY_BYTES]; // of this process, secret: key of the seeds of masked runs
    void *post_self;
    void (*post)(void *self, const fl_event *event);
} fl_effects_conf;

//  Strands of the worker pool that are used here; others may use higher numbers.
enum { FL_STRAND_FOLD = 1, FL_STRAND_STORE = 2, FL_STRAND_TRAIN = 3 };

//  The caller owns the result. NULL when out of memory.
fl_effects *fl_effects_new(const fl_effects_conf *conf);
//  After the worker pool has stopped and its jobs were collected.
void fl_effects_destroy(fl_effects **self_p);

//  Carry out one effect. `body`: of the message being stepped, for STAGE and PLACE. False when the
//  effect is none of these (a note).
bool fl_effects_obey(fl_effects *self, const fl_effect *effect, fl_bytes body);
//  Jobs that have not come back yet.
uint32_t fl_effects_running(const fl_effects *self);

#endif
