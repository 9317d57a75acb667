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
    float velocity[]; // (elements)
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
        self->state = calloc(1, sizeof *self->state + (size_t)elements * sizeof(float));
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
    float *velocity = self->state->velocity + first;
    for (uint64_t i = 0; i < count; i++) {
        velocity[i] = momentum * velocity[i] + mean[i];
        model[i] += rate * velocity[i];
    }
}

fl_bytes
fl_optimizer_state(const fl_optimizer *self)
{
    return self->state == NULL
               ? fl_bytes_of(NULL, 0)
               : fl_bytes_of(self->state, sizeof *self->state +
                                              (size_t)self->elements * sizeof(float));
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
