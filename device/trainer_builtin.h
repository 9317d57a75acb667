//  trainer_builtin - the trainer that comes with the fabric: local SGD of a perceptron over the
//  device's own samples, by the recipe of the round's plan. It first scores the model that it was
//  given, where that is due, then trains a copy of it; the update is trained minus received. Same
//  order, model and samples give the same update. Keeps to the contract of
//  common/runtime/trainer.h.
#ifndef FL_DEVICE_TRAINER_BUILTIN_H
#define FL_DEVICE_TRAINER_BUILTIN_H

#include "common/model/learn.h"
#include "common/runtime/trainer.h"

typedef struct fl_trainer_builtin_conf {
    fl_shape shape;     // without layers: whatever the model's is
    fl_gemm gemm;       // from fl_gemm_choose
    fl_samples samples; // borrowed for the life of the trainer; may be empty
    uint32_t shard;     // makes this device's shuffles its own
    uint32_t delay_ms;  // waits so long before training: a slow device for demonstrations
    bool mute;               // it never scores
    uint64_t steps_max;      // of one training; 0: as many as the plan asks for
    uint32_t time_max_ms;    // likewise; a training that is cut short is an update all the same
} fl_trainer_builtin_conf;

//  FL_MISMATCH: the samples do not fit the shape, where one is given (`why`). FL_NOMEM. `trainer`
//  is yours to destroy by its own `destroy`.
FL_CHECKED fl_status fl_trainer_builtin_new(const fl_trainer_builtin_conf *conf,
                                            fl_trainer *trainer, fl_why *why);

#endif
