#include "device/trainer_synthetic.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/clock.h"
#include "common/model/safetensors.h"

//  Elements filled between two looks at `cancel`.
enum { BLOCK = 65536 };

typedef struct synthetic {
    fl_trainer_synthetic_conf conf;
    atomic_bool cancel;
} synthetic;

static fl_status
s_check_model(const synthetic *self, const fl_training *training, fl_why *why)
{
    fl_safetensors file;
    if (fl_safetensors_parse(training->model, &file, why) != FL_OK) {
        return FL_MISMATCH;
    }
    const uint64_t own = self->conf.elements > 0 ? self->conf.elements : training->order.elements;
    if (file.elements != own || training->order.elements != own) {
        return fl_fail(FL_MISMATCH, why,
                       "the model has %llu elements and the round %llu, this synthetic trainer "
                       "makes %llu: set the same number here and at the root",
                       (unsigned long long)file.elements,
                       (unsigned long long)training->order.elements, (unsigned long long)own);
    }
    return FL_OK;
}

static fl_status
s_fill(synthetic *self, fl_training *training)
{
    const fl_rng seed = fl_rng_seeded(self->conf.seed);
    fl_rng rng = fl_rng_split(&seed, training->order.round);
    const float clip = training->order.plan.clip;
    for (uint64_t i = 0; i < training->order.elements; i++) {
        if (i % BLOCK == 0 && atomic_load(&self->cancel)) {
            return FL_BUSY;
        }
        training->update[i] = ((float)fl_rng_unit(&rng) - 0.5f) * clip;
    }
    return FL_OK;
}

static fl_status
s_train(void *object, fl_training *training, fl_why *why)
{
    synthetic *self = object;
    const fl_time start = fl_clock_ms();
    atomic_store(&self->cancel, false);
    memset(training->stats, 0, sizeof training->stats);
    training->samples = self->conf.samples;
    if (self->conf.samples < fl_trainer_least(&training->order)) {
        return fl_fail(FL_MISSING, why, "no sample here, or one and a draw takes half");
    }
    if (training->order.draw > 0) {
        training->samples = (training->samples + 1) / 2;
    }
    fl_status status = s_check_model(self, training, why);
    if (status == FL_OK) {
        bool waited = fl_clock_pause(self->conf.delay_ms, &self->cancel);
        status = waited ? s_fill(self, training) : FL_BUSY;
    }
    training->stats[FL_STAT_SAMPLES] = training->samples;
    training->stats[FL_STAT_TRAIN_MS] = (uint64_t)(fl_clock_ms() - start);
    return status;
}

static void
s_cancel(void *object)
{
    synthetic *self = object;
    atomic_store(&self->cancel, true);
}

static void
s_destroy(void **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

fl_status
fl_trainer_synthetic_new(const fl_trainer_synthetic_conf *conf, fl_trainer *trainer, fl_why *why)
{
    if (conf->elements > FL_VECTOR_BYTES_MAX / sizeof(float)) {
        return fl_fail(FL_RANGE, why, "synthetic trainer: %llu elements, there may be %llu",
                       (unsigned long long)conf->elements,
                       (unsigned long long)(FL_VECTOR_BYTES_MAX / sizeof(float)));
    }
    synthetic *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "no memory for a trainer");
    }
    self->conf = *conf;
    *trainer = (fl_trainer){
        .self = self,
        .train = s_train,
        .cancel = s_cancel,
        .samples = conf->samples,
        .destroy = s_destroy,
    };
    return FL_OK;
}
