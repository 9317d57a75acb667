//  network - forward and backward through a multi-layer perceptron: ReLU on hidden layers, softmax
//  cross-entropy on the last. Holds the workspace of one batch and no parameters: those are a
//  flat vector of the caller's, laid out as shape.h says. One thread at a time; nothing is
//  allocated after `new`. Cross-entropy and its gradient: Goodfellow, Bengio, Courville, Deep
//  Learning (2016), sections 6.2 and 6.5.
#ifndef FL_MODEL_NETWORK_H
#define FL_MODEL_NETWORK_H

#include "common/model/matrix.h"
#include "common/model/shape.h"

typedef struct fl_network fl_network;

typedef struct fl_score {
    double loss;      // summed over samples
    uint64_t correct; // samples whose largest output is their label
    uint64_t samples;
} fl_score;

//  For batches of up to batch_max samples (>= 1). NULL when out of memory.
fl_network *fl_network_new(const fl_shape *shape, uint32_t batch_max, fl_gemm gemm);
void fl_network_destroy(fl_network **self_p);

const fl_shape *fl_network_shape(const fl_network *self);
uint32_t fl_network_batch_max(const fl_network *self);
//  Where the caller puts the samples of a batch: (batch_max, inputs).
float *fl_network_input(fl_network *self);

//  Fresh parameters: weights normal with variance 2 / inputs (He et al., Delving deep into
//  rectifiers, ICCV 2015), biases zero. The same seed gives the same values.
void fl_network_init(const fl_shape *shape, uint64_t seed, float *parameters);

//  The score of the `count` samples in `input`; every label is below the number of classes.
fl_score fl_network_evaluate(fl_network *self, const float *parameters, const uint8_t *labels,
                             uint32_t count);
//  As above, and the gradient of the mean loss by the parameters, into `gradient` (elements).
fl_score fl_network_gradient(fl_network *self, const float *parameters, const uint8_t *labels,
                             uint32_t count, float *gradient);

#endif
