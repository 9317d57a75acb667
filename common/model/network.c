#include "common/model/network.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/rng.h"

struct fl_network {
    fl_shape shape;
    uint32_t batch_max;
    fl_gemm gemm;
    float *value[FL_LAYERS_MAX + 1]; // (batch, size): [0] the input, then each layer's output
    float *slope[FL_LAYERS_MAX + 1]; // (batch, size): of the loss by that output; [0] is unused
};

fl_network *
fl_network_new(const fl_shape *shape, uint32_t batch_max, fl_gemm gemm)
{
    FL_ASSERT(shape->layers >= 1 && shape->layers <= FL_LAYERS_MAX);
    FL_ASSERT(batch_max >= 1 && gemm != NULL);
    fl_network *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->shape = *shape;
    self->batch_max = batch_max;
    self->gemm = gemm;
    bool made = true;
    for (uint32_t i = 0; i <= shape->layers; i++) {
        const size_t floats = (size_t)batch_max * shape->size[i];
        self->value[i] = calloc(floats, sizeof(float));
        self->slope[i] = i == 0 ? NULL : calloc(floats, sizeof(float));
        made = made && self->value[i] != NULL && (i == 0 || self->slope[i] != NULL);
    }
    if (!made) {
        fl_network_destroy(&self);
    }
    return self;
}

void
fl_network_destroy(fl_network **self_p)
{
    if (*self_p != NULL) {
        for (uint32_t i = 0; i <= FL_LAYERS_MAX; i++) {
            free((*self_p)->value[i]);
            free((*self_p)->slope[i]);
        }
        free(*self_p);
        *self_p = NULL;
    }
}

const fl_shape *
fl_network_shape(const fl_network *self)
{
    return &self->shape;
}

uint32_t
fl_network_batch_max(const fl_network *self)
{
    return self->batch_max;
}

float *
fl_network_input(fl_network *self)
{
    return self->value[0];
}

void
fl_network_init(const fl_shape *shape, uint64_t seed, float *parameters)
{
    const fl_rng root = fl_rng_seeded(seed);
    for (uint32_t layer = 0; layer < shape->layers; layer++) {
        const uint32_t in = shape->size[layer], out = shape->size[layer + 1];
        fl_rng rng = fl_rng_split(&root, layer);
        float *bias = parameters + fl_shape_bias(shape, layer);
        for (uint32_t i = 0; i < out; i++) {
            bias[i] = 0;
        }
        float *weight = parameters + fl_shape_weight(shape, layer);
        const double spread = sqrt(2.0 / in);
        for (uint64_t i = 0; i < (uint64_t)in * out; i++) {
            weight[i] = (float)(fl_rng_normal(&rng) * spread);
        }
    }
}

//  y (count, out) += bias (out), then max(0, y) on hidden layers.
static void
s_activate(float *y, const float *bias, uint32_t count, uint32_t out, bool hidden)
{
    for (uint32_t n = 0; n < count; n++) {
        float *row = y + (size_t)n * out;
        for (uint32_t i = 0; i < out; i++) {
            row[i] += bias[i];
        }
        for (uint32_t i = 0; hidden && i < out; i++) {
            row[i] = row[i] < 0 ? 0 : row[i];
        }
    }
}

static void
s_forward(fl_network *self, const float *parameters, uint32_t count)
{
    const fl_shape *shape = &self->shape;
    for (uint32_t layer = 0; layer < shape->layers; layer++) {
        const uint32_t in = shape->size[layer], out = shape->size[layer + 1];
        self->gemm(&(fl_product){
            .rows = count,
            .columns = out,
            .inner = in,
            .a = self->value[layer],                               // (count, in)
            .b = parameters + fl_shape_weight(shape, layer),       // (out, in)
            .b_turned = true,
            .c = self->value[layer + 1],                           // (count, out)
        });
        s_activate(self->value[layer + 1], parameters + fl_shape_bias(shape, layer), count, out,
                   layer + 1 < shape->layers);
    }
}

//  Softmax cross-entropy of the outputs, shifted by their maximum so that no exponential
//  overflows. `slope` (may be NULL): (softmax - one-hot) / count.
static fl_score
s_score(const float *outputs, const uint8_t *labels, uint32_t count, uint32_t classes, float *slope)
{
    fl_score score = { .samples = count };
    for (uint32_t n = 0; n < count; n++) {
        const float *row = outputs + (size_t)n * classes;
        const uint32_t label = labels[n];
        FL_ASSERT(label < classes);
        uint32_t best = 0;
        for (uint32_t i = 1; i < classes; i++) {
            best = row[i] > row[best] ? i : best;
        }
        float power[FL_CLASSES_MAX];
        double sum = 0;
        for (uint32_t i = 0; i < classes; i++) {
            power[i] = expf(row[i] - row[best]);
            sum += (double)power[i];
        }
        score.loss += log(sum) - (double)(row[label] - row[best]);
        score.correct += best == label;
        for (uint32_t i = 0; slope != NULL && i < classes; i++) {
            double share = (double)power[i] / sum - (i == label);
            slope[(size_t)n * classes + i] = (float)(share / count);
        }
    }
    return score;
}

//  From the slopes of a layer's output (count, out): those of its parameters, and unless it is the
//  first layer those of its input, zero where the ReLU before it was shut.
static void
s_backward(fl_network *self, const float *parameters, uint32_t layer, uint32_t count,
           float *gradient)
{
    const fl_shape *shape = &self->shape;
    const uint32_t in = shape->size[layer], out = shape->size[layer + 1];
    const float *slope = self->slope[layer + 1];
    float *bias = gradient + fl_shape_bias(shape, layer);
    for (uint32_t i = 0; i < out; i++) {
        bias[i] = 0;
    }
    for (uint32_t n = 0; n < count; n++) {
        for (uint32_t i = 0; i < out; i++) {
            bias[i] += slope[(size_t)n * out + i];
        }
    }
    self->gemm(&(fl_product){
        .rows = out,
        .columns = in,
        .inner = count,
        .a = slope, // (count, out)
        .a_turned = true,
        .b = self->value[layer], // (count, in)
        .c = gradient + fl_shape_weight(shape, layer), // (out, in)
    });
    if (layer == 0) {
        return;
    }
    self->gemm(&(fl_product){
        .rows = count,
        .columns = in,
        .inner = out,
        .a = slope, // (count, out)
        .b = parameters + fl_shape_weight(shape, layer), // (out, in)
        .c = self->slope[layer], // (count, in)
    });
    const float *value = self->value[layer];
    for (size_t i = 0; i < (size_t)count * in; i++) {
        self->slope[layer][i] = value[i] > 0 ? self->slope[layer][i] : 0;
    }
}

fl_score
fl_network_evaluate(fl_network *self, const float *parameters, const uint8_t *labels,
                    uint32_t count)
{
    FL_ASSERT(count >= 1 && count <= self->batch_max);
    s_forward(self, parameters, count);
    return s_score(self->value[self->shape.layers], labels, count, fl_shape_classes(&self->shape),
                   NULL);
}

fl_score
fl_network_gradient(fl_network *self, const float *parameters, const uint8_t *labels,
                    uint32_t count, float *gradient)
{
    FL_ASSERT(count >= 1 && count <= self->batch_max);
    const uint32_t layers = self->shape.layers;
    s_forward(self, parameters, count);
    fl_score score = s_score(self->value[layers], labels, count, fl_shape_classes(&self->shape),
                             self->slope[layers]);
    for (uint32_t layer = layers; layer-- > 0;) {
        s_backward(self, parameters, layer, count, gradient);
    }
    return score;
}
