//  central_baseline - what a model is worth: its loss and accuracy on a test set, and how good it
//  would be had all samples been in one place (the same network, start, loop and settings, no
//  federation). One thread at a time; another may set `*cancel`.
#ifndef FL_CLOUD_CENTRAL_BASELINE_H
#define FL_CLOUD_CENTRAL_BASELINE_H

#include "common/base/bytes.h"
#include "common/model/learn.h"

typedef struct fl_central_baseline {
    double loss;     // mean over the test samples
    double accuracy; // share of test samples classified correctly
} fl_central_baseline;

//  Score the model in `blob` on `test`. FL_MALFORMED or FL_RANGE: no model file. FL_MISMATCH: no
//  network, or not one for these samples. FL_MISSING: no test sample. FL_NOMEM, FL_BUSY
//  (cancelled). `why` says more.
FL_CHECKED fl_status fl_central_baseline_evaluate(fl_bytes blob, fl_gemm gemm,
                                                  const fl_samples *test, const atomic_bool *cancel,
                                                  fl_central_baseline *result, fl_why *why);

//  Train from the parameters of fl_start_network(shape, sgd->seed) on `train` and score on
//  `test`. As above.
FL_CHECKED fl_status fl_central_baseline_train(const fl_shape *shape, fl_gemm gemm,
                                               const fl_sgd *sgd, const fl_samples *train,
                                               const fl_samples *test, const atomic_bool *cancel,
                                               fl_central_baseline *result, fl_why *why);

#endif
