//  trainer - the seam between a device and whatever learns on it. The device knows nothing of
//  models: it hands over the bytes of one and takes back a vector of differences.
//  One thread at a time calls a trainer, except `cancel`, which any thread may call at any time.
#ifndef FL_RUNTIME_TRAINER_H
#define FL_RUNTIME_TRAINER_H

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/wire/message.h"

//  From draw 1 on a training is of a half of the samples, which the seed of the plan draws: it is
//  private and new each time, but in a pinned run. So there must be two.
static inline uint64_t
fl_trainer_least(const fl_order *order)
{
    return order->draw > 0 ? 2 : 1;
}

typedef struct fl_training {
    fl_order order;           // round, draw, elements and the plan with its recipe
    fl_bytes model;           // the safetensors blob, hash already proved
    float *update;            // (order.elements) filled by the trainer: trained minus received
    uint64_t samples;         // out: samples that were trained on: weighs the update
    uint64_t steps;           // out: steps that were done ...
    uint64_t steps_wanted;    // ... of so many; fewer when a limit of this site cut it short
    uint64_t stats[FL_STATS]; // out: FL_STAT_SAMPLES, LOSS, CORRECT, EVALUATED, TRAIN_MS
} fl_training;

typedef struct fl_trainer {
    void *self;
    //  Train. FL_MISMATCH: the model is not of the shape this trainer can learn. FL_MISSING: no
    //  sample here. FL_BUSY: cancelled. NaN in `update` is found by the encoder, not here.
    fl_status (*train)(void *self, fl_training *training, fl_why *why);
    //  Make a running `train` return FL_BUSY within one batch. Thread-safe.
    void (*cancel)(void *self);
    uint64_t samples; // of the shard
    void (*destroy)(void **self_p);
} fl_trainer;

#endif
