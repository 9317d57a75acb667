//  trainer_synthetic - a trainer for load tests: a vector of any length, filled after a given delay
//  with pseudo-random numbers within half the plan's clip that depend on (conf.seed, round) alone.
//  Of the model it checks the length only. Keeps to the contract of common/runtime/trainer.h.
#ifndef FL_DEVICE_TRAINER_SYNTHETIC_H
#define FL_DEVICE_TRAINER_SYNTHETIC_H

#include "common/runtime/trainer.h"

typedef struct fl_trainer_synthetic_conf {
    uint64_t elements; // of the models that it takes; 0: of whatever length
    uint64_t samples;  // that it claims to hold; 0: it holds none and says so
    uint32_t delay_ms;
    uint64_t seed; // one per device
} fl_trainer_synthetic_conf;

//  FL_RANGE: more elements than a vector may have. FL_NOMEM. `trainer` is yours to destroy by
//  its own `destroy`.
FL_CHECKED fl_status fl_trainer_synthetic_new(const fl_trainer_synthetic_conf *conf,
                                              fl_trainer *trainer, fl_why *why);
#endif
