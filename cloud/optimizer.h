//  optimizer - how the root turns the mean update of a round into the next model. Pure, element by
//  element: any split into ranges gives the same bytes, and disjoint ranges may run on different
//  threads. FedAvg: McMahan et al., Communication-efficient learning of deep networks from
//  decentralized data, AISTATS 2017. FedAvgM: Hsu, Qi, Brown, Measuring the effects of
//  non-identical data distribution for federated visual classification, 2019. FedAdam: Reddi et
//  al., Adaptive federated optimization, ICLR 2021, with Adam's correction of its first steps.
#ifndef FL_CLOUD_OPTIMIZER_H
#define FL_CLOUD_OPTIMIZER_H

#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/status.h"

typedef enum fl_optimizer_kind {
    FL_OPTIMIZER_FEDAVG,  // model += rate * mean
    FL_OPTIMIZER_FEDAVGM, // v = momentum * v + mean; model += rate * v
    FL_OPTIMIZER_FEDADAM, // m, v: means of mean, mean^2; model += rate * m / (sqrt(v) + tau)
    FL_OPTIMIZER_COUNT
} fl_optimizer_kind;

typedef struct fl_optimizer_conf {
    fl_optimizer_kind kind;
    float rate;     // > 0
    float momentum; // [0, 1); FedAvg has none
    float second;   // [0, 1), > 0 tau: of FedAdam alone
    float tau;
} fl_optimizer_conf;

typedef struct fl_optimizer fl_optimizer;

//  FL_RANGE when a setting is out of bounds; `why` says which.
FL_CHECKED fl_status fl_optimizer_check(const fl_optimizer_conf *conf, fl_why *why);

//  For a checked setting and a model of `elements` >= 1. NULL when out of memory.
fl_optimizer *fl_optimizer_new(const fl_optimizer_conf *conf, uint64_t elements);
void fl_optimizer_destroy(fl_optimizer **self_p);

//  Before a mean update is applied in whatever ranges: one more step.
void fl_optimizer_begin(fl_optimizer *self);
//  Apply the mean update to the model: elements [first, first + count), both starting at `first`.
void fl_optimizer_apply(fl_optimizer *self, const float *mean, float *model, uint64_t first,
                        uint64_t count);

//  What must be kept with a checkpoint to go on as if nothing had happened. It begins with a name,
//  that of the optimizer and of its version. Empty for FedAvg.
fl_bytes fl_optimizer_state(const fl_optimizer *self);
//  Before the first `apply`. Nothing when `kept` is empty. FL_MISMATCH: it is not of this optimizer
//  and model; `why` says whose.
FL_CHECKED fl_status fl_optimizer_restore(fl_optimizer *self, fl_bytes kept, fl_why *why);

#endif
