//  effects_inside - what the four files of effects share and nobody else sees: one file would be
//  longer than a file may be.
#ifndef FL_RUNTIME_EFFECTS_INSIDE_H
#define FL_RUNTIME_EFFECTS_INSIDE_H

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
    fl_blob *in, *out;   // references
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
//  To the worker pool; an answer that is known already: back at once.
void fl_effects_start(fl_errand *job, uint32_t strand, void (*work)(void *arg));
void fl_effects_answer(fl_errand *job);

//  CLEAR, FOLD and FINISH: see effects_sum.c.
void fl_effects_sum(fl_effects *self, const fl_effect *effect);
//  All contributions are in `sum`; NULL: the round was given up.
void fl_effects_combined(fl_effects *self, fl_fold *sum);

//  MASK, UNMASK and KEEP: see effects_mask.c.
void fl_effects_masking(fl_effects *self, const fl_effect *effect);

//  The slots: see effects_slot.c.
void fl_effects_slot(fl_effects *self, const fl_effect *effect);
void fl_effects_stage(fl_effects *self, const fl_effect *effect, fl_bytes body);
void fl_effects_verify(fl_effects *self, const fl_effect *effect);
//  A job that read it has come back.
void fl_effects_let_go(fl_arrival *arrival);

#endif
