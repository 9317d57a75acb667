#include "cloud/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fl_optimizer {
    fl_optimizer_conf conf;
    uint64_t elements;
    float *velocity; // (elements); NULL for FedAvg
};

static const char *const names[FL_OPTIMIZER_COUNT] = {
    [FL_OPTIMIZER_FEDAVG] = "fedavg",
    [FL_OPTIMIZER_FEDAVGM] = "fedavgm",
};

bool
fl_optimizer_parse(const char *name, fl_optimizer_kind *kind)
{
    for (unsigned i = 0; i < FL_OPTIMIZER_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *kind = (fl_optimizer_kind)i;
            return true;
        }
    }
    return false;
}

const char *
fl_optimizer_name(fl_optimizer_kind kind)
{
    FL_ASSERT((unsigned)kind < FL_OPTIMIZER_COUNT);
    return names[kind];
}

fl_status
fl_optimizer_check(const fl_optimizer_conf *conf, fl_why *why)
{
    if (!(isfinite(conf->rate) && conf->rate > 0)) {
        fl_why_set(why, "server optimizer: rate is %g, it must be positive", (double)conf->rate);
        return FL_RANGE;
    }
    if (!(conf->momentum >= 0 && conf->momentum < 1)) {
        fl_why_set(why, "server optimizer: momentum is %g, it must be at least 0 and below 1",
                   (double)conf->momentum);
        return FL_RANGE;
    }
    if (conf->kind == FL_OPTIMIZER_FEDAVG && conf->momentum != 0) {
        fl_why_set(why, "server optimizer: fedavg has no momentum (%g is set): take fedavgm, or "
                        "momentum 0", (double)conf->momentum);
        return FL_RANGE;
    }
    return FL_OK;
}

fl_optimizer *
fl_optimizer_new(const fl_optimizer_conf *conf, uint64_t elements)
{
    FL_ASSERT(fl_optimizer_check(conf, NULL) == FL_OK);
    FL_ASSERT(elements >= 1);
    fl_optimizer *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->elements = elements;
    if (conf->kind == FL_OPTIMIZER_FEDAVGM) {
        self->velocity = calloc((size_t)elements, sizeof *self->velocity);
        if (self->velocity == NULL) {
            fl_optimizer_destroy(&self);
        }
    }
    return self;
}

void
fl_optimizer_destroy(fl_optimizer **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->velocity);
        free(*self_p);
        *self_p = NULL;
    }
}

void
fl_optimizer_apply(fl_optimizer *self, const float *mean, float *model, uint64_t first,
                   uint64_t count)
{
    FL_ASSERT(first <= self->elements && count <= self->elements - first);
    const float rate = self->conf.rate, momentum = self->conf.momentum;
    if (self->velocity == NULL) {
        for (uint64_t i = 0; i < count; i++) {
            model[i] += rate * mean[i];
        }
        return;
    }
    float *velocity = self->velocity + first;
    for (uint64_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + mean[i];
        model[i] += rate * velocity[i];
    }
}

float *
fl_optimizer_state(fl_optimizer *self, uint64_t *count)
{
    *count = self->velocity == NULL ? 0 : self->elements;
    return self->velocity;
}
