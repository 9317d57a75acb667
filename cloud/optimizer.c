#include "cloud/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_BYTES = 8, NAME_BYTES = 16 };

//  How a state begins, in memory and in its file: whose it is and in which version.
typedef struct head {
    char magic[MAGIC_BYTES];
    char name[NAME_BYTES]; // "fedavgm/1"
} head;

typedef struct state {
    head head;
    float velocity[]; // (elements); of FedAdam then the second moments, and the steps done
} state;

struct fl_optimizer {
    fl_optimizer_conf conf;
    uint64_t elements;
    state *state; // NULL for FedAvg
};

static const char magic[MAGIC_BYTES] = "FLopt-1";

static const char *const names[FL_OPTIMIZER_COUNT] = {
    [FL_OPTIMIZER_FEDAVG] = "fedavg",
    [FL_OPTIMIZER_FEDAVGM] = "fedavgm",
    [FL_OPTIMIZER_FEDADAM] = "fedadam",
};

fl_status
fl_optimizer_check(const fl_optimizer_conf *conf, fl_why *why)
{
    if (!(isfinite(conf->rate) && conf->rate > 0)) {
        return fl_fail(FL_RANGE, why, "server optimizer: rate is %g, it must be positive",
                       (double)conf->rate);
    }
    if (!(conf->momentum >= 0 && conf->momentum < 1)) {
        return fl_fail(FL_RANGE, why,
                       "server optimizer: momentum is %g, it must be at least 0 and below 1",
                       (double)conf->momentum);
    }
    if (conf->kind == FL_OPTIMIZER_FEDAVG && conf->momentum != 0) {
        return fl_fail(FL_RANGE, why,
                       "server optimizer: fedavg has no momentum (%g is set): take fedavgm, or "
                       "momentum 0",
                       (double)conf->momentum);
    }
    if (conf->kind == FL_OPTIMIZER_FEDADAM &&
        !(conf->second >= 0 && conf->second < 1 && conf->tau > 0)) {
        return fl_fail(FL_RANGE, why,
                       "server optimizer: fedadam takes a second of 0 to below 1 (%g is set) and a "
                       "tau above 0 (%g is set)",
                       (double)conf->second, (double)conf->tau);
    }
    return FL_OK;
}

static size_t
s_state_bytes(const fl_optimizer *self)
{
    const size_t elements = (size_t)self->elements;
    const size_t floats = self->conf.kind == FL_OPTIMIZER_FEDADAM ? 2 * elements + 1 : elements;
    return sizeof *self->state + floats * sizeof(float);
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
    if (conf->kind != FL_OPTIMIZER_FEDAVG) {
        self->state = calloc(1, s_state_bytes(self));
        if (self->state == NULL) {
            fl_optimizer_destroy(&self);
            return NULL;
        }
        memcpy(self->state->head.magic, magic, MAGIC_BYTES);
        (void)snprintf(self->state->head.name, NAME_BYTES, "%s/1", names[conf->kind]);
    }
    return self;
}

void
fl_optimizer_destroy(fl_optimizer **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->state);
        free(*self_p);
        *self_p = NULL;
    }
}

void
fl_optimizer_begin(fl_optimizer *self)
{
    if (self->conf.kind == FL_OPTIMIZER_FEDADAM) {
        self->state->velocity[2 * self->elements] += 1;
    }
}

static void
s_adam(fl_optimizer *self, const float *mean, float *model, uint64_t first, uint64_t count)
{
    const fl_optimizer_conf *conf = &self->conf;
    float *m = self->state->velocity + first, *v = m + self->elements;
    const double step = (double)self->state->velocity[2 * self->elements] + 1; // as Flower counts
    const float rate = (float)((double)conf->rate * sqrt(1 - pow((double)conf->second, step)) /
                               (1 - pow((double)conf->momentum, step)));
    for (uint64_t i = 0; i < count; i++) {
        m[i] = conf->momentum * m[i] + (1 - conf->momentum) * mean[i];
        v[i] = conf->second * v[i] + (1 - conf->second) * mean[i] * mean[i];
        model[i] += rate * m[i] / (sqrtf(v[i]) + conf->tau);
    }
}

void
fl_optimizer_apply(fl_optimizer *self, const float *mean, float *model, uint64_t first,
                   uint64_t count)
{
    FL_ASSERT(first <= self->elements && count <= self->elements - first);
    const float rate = self->conf.rate, momentum = self->conf.momentum;
    if (self->state == NULL) {
        for (uint64_t i = 0; i < count; i++) {
            model[i] += rate * mean[i];
        }
        return;
    }
    if (self->conf.kind == FL_OPTIMIZER_FEDADAM) {
        s_adam(self, mean, model, first, count);
        return;
    }
    float *velocity = self->state->velocity + first;
    for (uint64_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + mean[i];
        model[i] += rate * velocity[i];
    }
}

fl_bytes
fl_optimizer_state(const fl_optimizer *self)
{
    return self->state == NULL ? fl_bytes_of(NULL, 0)
                               : fl_bytes_of(self->state, s_state_bytes(self));
}

fl_status
fl_optimizer_restore(fl_optimizer *self, fl_bytes kept, fl_why *why)
{
    fl_bytes own = fl_optimizer_state(self);
    head found = { .magic = "" };
    if (kept.size == 0) {
        return FL_OK;
    }
    memcpy(&found, kept.data, kept.size < sizeof found ? kept.size : sizeof found);
    if (memcmp(found.magic, magic, MAGIC_BYTES) != 0) {
        fl_why_set(why, "the checkpoint's optimizer state has no name, an older program wrote it: "
                        "finish the run with that program, or remove the newest model's .optimizer "
                        "file to go on with a fresh optimizer");
    } else if (own.size == 0 || memcmp(&found, own.data, sizeof found) != 0) {
        fl_why_set(why, "the checkpoint's optimizer state is of %.*s, server.optimizer is %s: go "
                        "on with the optimizer and the program that the run began with",
                   NAME_BYTES - 1, found.name, names[self->conf.kind]);
    } else if (kept.size != own.size) {
        fl_why_set(why, "the checkpoint's optimizer state is of another model: it has %zu bytes, "
                        "not %zu; restore models from a copy", kept.size, own.size);
    } else {
        memcpy(self->state, kept.data, kept.size);
        return FL_OK;
    }
    return FL_MISMATCH;
}
