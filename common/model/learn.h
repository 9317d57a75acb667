//  learn - the training loop over one set of samples in memory: shuffled batches, SGD with
//  momentum and weight decay, the proximal term of FedProx. The devices and the centralised
//  reference run the same loop. One thread at a time per network; any thread may set `*cancel` to
//  end it within one batch. Equal arguments give equal parameters.
#ifndef FL_MODEL_LEARN_H
#define FL_MODEL_LEARN_H

#include <stdatomic.h>

#include "common/model/network.h"

//  Borrowed samples, a byte per input: 0..255 becomes 0..1.
typedef struct fl_samples {
    const uint8_t *inputs; // (count, features)
    const uint8_t *labels; // (count), each below the number of classes
    uint32_t count;
    uint32_t features;     // the network's inputs
} fl_samples;

//  How far a training may go, and how far it went. The step that reaches the limit is whole.
typedef struct fl_limit {
    uint64_t steps_max;             // batches; 0: any number
    bool (*over)(const void *self); // asked after each step; NULL: never
    const void *self;
    uint64_t steps, wanted; // out: done, and what the epochs come to
    uint32_t samples;       // out: of those, how many were seen
} fl_limit;

//  g = gradient + decay * w + proximal * (w - anchor); v = momentum * v + g; w -= rate * v.
//  FedProx: Li et al., Federated optimization in heterogeneous networks, MLSys 2020.
typedef struct fl_sgd {
    uint32_t epochs;  // >= 1
    uint32_t batch;   // >= 1; at most FL_BATCH_MAX and the network's batch_max
    float rate;
    float momentum;
    float decay;
    float proximal;
    uint64_t seed;    // of the shuffles
    bool half;        // train on one half of the samples, drawn by the seed
    fl_limit *limit;  // NULL: none
} fl_sgd;

//  Largest batch.
enum { FL_BATCH_MAX = 4096 };

//  FL_MISMATCH when the samples do not fit the shape: their width, or a label too large.
FL_CHECKED fl_status fl_samples_check(const fl_samples *samples, const fl_shape *shape,
                                      fl_why *why);

//  Train `parameters` (elements) in place on samples that were checked. `anchor` (elements) is what
//  the proximal term pulls to; NULL: no pull. FL_NOMEM, or FL_BUSY when cancelled: `parameters`
//  are half trained then.
FL_CHECKED fl_status fl_learn(fl_network *network, const fl_sgd *sgd,
                              const fl_samples *samples, const float *anchor, float *parameters,
                              const atomic_bool *cancel);
//  The score of `parameters` on checked samples, in batches of the network's batch_max. FL_BUSY
//  when cancelled.
FL_CHECKED fl_status fl_assess(fl_network *network, const fl_samples *samples,
                               const float *parameters, const atomic_bool *cancel, fl_score *score);

#endif
