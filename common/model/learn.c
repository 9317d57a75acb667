#include "common/model/learn.h"

#include <stdlib.h>

#include "common/base/rng.h"

fl_status
fl_samples_check(const fl_samples *samples, const fl_shape *shape, fl_why *why)
{
    if (samples->features != fl_shape_inputs(shape)) {
        return fl_fail(FL_MISMATCH, why,
                       "samples have %u values each, the network takes %u: set its first layer to "
                       "%u",
                       samples->features, fl_shape_inputs(shape), samples->features);
    }
    for (uint32_t i = 0; i < samples->count; i++) {
        if (samples->labels[i] >= fl_shape_classes(shape)) {
            return fl_fail(FL_MISMATCH, why,
                           "sample %u has label %u, the network knows %u classes: set its last "
                           "layer to more",
                           i, samples->labels[i], fl_shape_classes(shape));
        }
    }
    return FL_OK;
}

static void
s_to_unit(const uint8_t *from, uint32_t count, float *to)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (float)from[i] * (1.0f / 255.0f);
    }
}

//  What one training run works with; vectors are (elements).
typedef struct session {
    fl_network *network;
    const fl_sgd *sgd;
    const fl_samples *samples;
    const float *anchor; // NULL: no pull
    float *parameters;
    float *gradient;
    float *velocity;
    uint32_t *order;     // (samples)
    uint64_t elements;
    fl_limit limit;
    bool cut; // the limit is reached
} session;

static void
s_count(session *self, uint32_t seen)
{
    fl_limit *limit = &self->limit;
    limit->steps++;
    limit->samples +=
        seen < self->samples->count - limit->samples ? seen : self->samples->count - limit->samples;
    self->cut = (limit->steps_max > 0 && limit->steps >= limit->steps_max) ||
                (limit->over != NULL && limit->over(limit->self));
}

//  gradient += decay * w + proximal * (w - anchor)
static void
s_pull(const session *self)
{
    const float decay = self->sgd->decay, proximal = self->sgd->proximal;
    const float *parameters = self->parameters, *anchor = self->anchor;
    for (uint64_t i = 0; decay != 0 && i < self->elements; i++) {
        self->gradient[i] += decay * parameters[i];
    }
    for (uint64_t i = 0; proximal != 0 && anchor != NULL && i < self->elements; i++) {
        self->gradient[i] += proximal * (parameters[i] - anchor[i]);
    }
}

static void
s_descend(const float *gradient, uint64_t elements, const fl_sgd *sgd, float *velocity,
          float *parameters)
{
    const float rate = sgd->rate, momentum = sgd->momentum;
    for (uint64_t i = 0; i < elements; i++) {
        velocity[i] = momentum * velocity[i] + gradient[i];
        parameters[i] -= rate * velocity[i];
    }
}

//  One pass over the samples in `order`.
static fl_status
s_epoch(session *self, const atomic_bool *cancel)
{
    const fl_samples *samples = self->samples;
    const uint32_t features = samples->features, batch = self->sgd->batch;
    float *input = fl_network_input(self->network);
    uint8_t labels[FL_BATCH_MAX];
    for (uint32_t at = 0; at < samples->count && !self->cut; at += batch) {
        if (atomic_load(cancel)) {
            return FL_BUSY;
        }
        const uint32_t now = samples->count - at < batch ? samples->count - at : batch;
        for (uint32_t n = 0; n < now; n++) {
            const uint32_t sample = self->order[at + n];
            s_to_unit(samples->inputs + (size_t)sample * features, features,
                      input + (size_t)n * features);
            labels[n] = samples->labels[sample];
        }
        (void)fl_network_gradient(self->network, self->parameters, labels, now, self->gradient);
        s_pull(self);
        s_descend(self->gradient, self->elements, self->sgd, self->velocity, self->parameters);
        s_count(self, now);
    }
    return FL_OK;
}

fl_status
fl_learn(fl_network *network, const fl_sgd *sgd, const fl_samples *samples,
         const float *anchor, float *parameters, const atomic_bool *cancel)
{
    FL_ASSERT(sgd->epochs >= 1 && sgd->batch >= 1);
    FL_ASSERT(sgd->batch <= fl_network_batch_max(network) && sgd->batch <= FL_BATCH_MAX);
    FL_ASSERT(samples->features == fl_shape_inputs(fl_network_shape(network)));
    fl_samples part = *samples;
    part.count = sgd->half ? (samples->count + 1) / 2 : samples->count;
    session self = {
        .network = network,
        .sgd = sgd,
        .samples = &part,
        .anchor = anchor,
        .parameters = parameters,
        .elements = fl_shape_elements(fl_network_shape(network)),
        .limit = sgd->limit != NULL ? *sgd->limit : (fl_limit){ 0 },
    };
    fl_status status = FL_NOMEM;
    self.gradient = calloc((size_t)self.elements, sizeof(float));
    self.velocity = calloc((size_t)self.elements, sizeof(float));
    self.order = calloc((size_t)samples->count + 1, sizeof *self.order);
    if (self.gradient == NULL || self.velocity == NULL || self.order == NULL) {
        goto done;
    }
    for (uint32_t i = 0; i < samples->count; i++) {
        self.order[i] = i;
    }
    fl_rng rng = fl_rng_seeded(sgd->seed);
    if (sgd->half) {
        fl_rng_shuffle(&rng, self.order, samples->count);
    }
    status = FL_OK;
    self.limit.steps = self.limit.samples = 0;
    self.limit.wanted = (uint64_t)sgd->epochs * ((part.count + sgd->batch - 1) / sgd->batch);
    for (uint32_t epoch = 0; status == FL_OK && epoch < sgd->epochs && !self.cut; epoch++) {
        fl_rng_shuffle(&rng, self.order, part.count);
        status = s_epoch(&self, cancel);
    }
    if (sgd->limit != NULL) {
        *sgd->limit = self.limit;
    }
done:
    free(self.gradient);
    free(self.velocity);
    free(self.order);
    return status;
}

fl_status
fl_assess(fl_network *network, const fl_samples *samples, const float *parameters,
          const atomic_bool *cancel, fl_score *score)
{
    FL_ASSERT(samples->features == fl_shape_inputs(fl_network_shape(network)));
    *score = (fl_score){ 0 };
    const uint32_t features = samples->features, batch = fl_network_batch_max(network);
    for (uint32_t at = 0; at < samples->count; at += batch) {
        if (atomic_load(cancel)) {
            return FL_BUSY;
        }
        const uint32_t now = samples->count - at < batch ? samples->count - at : batch;
        for (uint32_t n = 0; n < now; n++) {
            s_to_unit(samples->inputs + (size_t)(at + n) * features, features,
                      fl_network_input(network) + (size_t)n * features);
        }
        fl_score part = fl_network_evaluate(network, parameters, samples->labels + at, now);
        score->loss += part.loss;
        score->correct += part.correct;
        score->samples += part.samples;
    }
    return FL_OK;
}
