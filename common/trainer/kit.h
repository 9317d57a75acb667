//  kit - a trainer tried out as a device would use it, with a small model: what is wrong with it in
//  one line for its author, or what is worth knowing.
#ifndef FL_TRAINER_KIT_H
#define FL_TRAINER_KIT_H

#include "common/trainer/once.h"

typedef struct fl_kit_found {
    uint64_t samples;
    uint32_t fit_ms;  // of a round
    uint32_t stop_ms; // from SIGTERM to its end; 0: it was done before
    bool same;        // the same seed gives the same update
    bool moved;       // the update is not zero
    unsigned fences;  // that held
} fl_kit_found;

//  `once` as a device has it; `model` is a file that the trainer takes, empty: one with the tensors
//  w (4,3), b (4) and scale (), which a trainer of any model takes. FL_OK, or `why`.
FL_CHECKED fl_status fl_kit_check(const fl_once_conf *once, fl_bytes model, const fl_recipe *recipe,
                                  fl_kit_found *found, fl_why *why);

#endif
