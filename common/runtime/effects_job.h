//  effects_job - a heavy effect as a job of a worker, and back: what every file of effects stands
//  on. A job carries a copy of its effect, references to the bytes that it reads, and the event
//  that it will answer with. It is made on the reactor's thread, filled on a worker, and ended on
//  the reactor's thread again: there its results get their handles and its event is posted.
#ifndef FL_RUNTIME_EFFECTS_JOB_H
#define FL_RUNTIME_EFFECTS_JOB_H

#include <stdatomic.h>

#include "common/crypto/mask.h"
#include "common/runtime/effects.h"
#include "common/runtime/upload_check.h"

//  A contribution on its way into a slot. The proof is the slot's strand's, the rest the reactor's.
typedef struct fl_arrival {
    fl_upload_check proof;
    uint64_t staged; // bytes here
    uint64_t handed; // of them, to the proof
    uint32_t jobs;   // that read it now
    bool given_up;   // the slot is free or another's ...
    fl_bytes memory; // ... and this was it
} fl_arrival;

struct fl_effects {
    fl_effects_conf conf;
    fl_fold *folds[FL_BLOCKS_MAX];      // one per block; the fold strand's
    uint32_t fold_count;                // likewise; 0: there was no memory for them
    void *kept;                         // the combine rule's, likewise
    fl_element element;                 // likewise
    fl_element wanted;                  // of the newest CLEAR, for what comes in
    bool masked;                        // likewise
    fl_bytes body;                      // of the message that the effect in hand is about
    fl_blob *fetching;                  // the model on its way down
    fl_arrival *arrivals[FL_SLOTS_MAX]; // NULL: free, or no room for what was to come
    uint32_t running;
    //  Made at start-up, so that no effect of a machine is lost for want of memory.
    struct fl_errand *errands; // (errands_max); memory that no job has used yet is untouched
    struct fl_errand *spare;
    uint32_t errands_used, errands_max;
};

typedef struct fl_errand {
    fl_effects *effects;
    struct fl_errand *next; // of the spare ones
    fl_effect effect;
    fl_event event;      // the answer
    fl_vec *vec;         // where it names `out`; NULL: nowhere
    fl_blob *in, *out;   // references
    fl_blob *vector;     // likewise, of a sum that is kept
    fl_bytes bytes;      // of a slot
    fl_arrival *arrival; // in it
    fl_training training;
    fl_applied applied;
    fl_mask_seed *seeds;             // ours, in locked memory
    _Atomic uint64_t checksum, peak; // of the tiles done so far
    fl_report report;
    fl_block_line *blocks; // (report.block_count), ours
    fl_roll_entry *roll;   // (report.roll_count), ours
} fl_errand;

//  A job that carries a copy of the effect.
fl_errand *fl_effects_job(fl_effects *self, const fl_effect *effect, fl_event_kind answer);
//  To the workers; an answer that is known already: back at once.
void fl_effects_start(fl_errand *job, uint32_t strand, void (*work)(void *arg));
void fl_effects_answer(fl_errand *job);

#endif
