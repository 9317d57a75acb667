#include "cloud/global_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/central_baseline.h"
#include "cloud/schedule.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "common/runtime/durable.h"

enum { RANGE = 1 << 14 }; // elements of the mean in hand at a time

struct fl_global_model {
    fl_global_model_conf conf;
    fl_blob *model;      // the newest; durable but between apply and save
    fl_hash hash;        // of it, once it was made here
    fl_hash tensors;     // in it
    fl_safetensors file; // a view of it
    float mean[RANGE];
    fl_optimizer *optimizer;
};

fl_status
fl_global_model_new(const fl_global_model_conf *conf, fl_blob *model, fl_bytes optimizer_state,
                    fl_global_model **server, fl_why *why)
{
    *server = NULL;
    fl_global_model *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->conf = *conf;
    self->model = fl_blob_ref(model);
    fl_status status = fl_safetensors_parse(fl_blob_bytes(model), &self->file, why);
    if (status == FL_OK) {
        self->tensors = fl_safetensors_digest(&self->file);
        self->optimizer = fl_optimizer_new(&conf->optimizer, self->file.elements);
        status = self->optimizer != NULL ? FL_OK : FL_NOMEM;
        fl_why_set(why, "out of memory for a model of %llu parameters",
                   (unsigned long long)self->file.elements);
    }
    FL_THEN(status, fl_optimizer_restore(self->optimizer, optimizer_state, why));
    if (status != FL_OK) {
        fl_global_model_destroy(&self);
        return status;
    }
    *server = self;
    return FL_OK;
}

void
fl_global_model_destroy(fl_global_model **self_p)
{
    fl_global_model *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_optimizer_destroy(&self->optimizer);
        fl_blob_unref(&self->model);
        free(self);
    }
}

fl_blob *
fl_global_model_file(const fl_global_model *self)
{
    return self->model;
}

fl_hash
fl_global_model_tensors(const fl_global_model *self)
{
    return self->tensors;
}

static void
s_score(fl_global_model *self, uint64_t round, fl_applied *applied)
{
    const bool due = fl_schedule_due(self->conf.evaluate_every, round, self->conf.rounds);
    fl_central_baseline score;
    atomic_bool cancel = false;
    fl_why why;
    applied->loss = NAN;
    applied->accuracy = NAN;
    if (self->conf.test.count == 0 || !due) {
        return;
    }
    if (fl_central_baseline_evaluate(fl_blob_bytes(applied->model), self->conf.gemm,
                                     &self->conf.test, &cancel, &score, &why) == FL_OK) {
        applied->loss = score.loss;
        applied->accuracy = score.accuracy;
    } else {
        fl_log(FL_LOG_ERROR, "not-scored", fl_log_text("why", why.text));
    }
}

//  The old values and the mean's step, range by range, straight into the new file.
static void
s_advance(fl_global_model *self, const fl_fold *fold, uint64_t weight, float *values)
{
    const uint64_t elements = self->file.elements;
    fl_optimizer_begin(self->optimizer);
    for (uint64_t first = 0; first < elements; first += RANGE) {
        uint64_t count = elements - first < RANGE ? elements - first : RANGE;
        fl_safetensors_read(&self->file, first, count, values + first);
        fl_fold_mean(fold, weight, first, count, self->mean);
        fl_optimizer_apply(self->optimizer, self->mean, values + first, first, count);
    }
}

static bool
s_apply(void *arg, const fl_fold *fold, const fl_effect *effect, fl_applied *applied)
{
    fl_global_model *self = arg;
    const uint64_t elements = self->file.elements;
    FL_ASSERT(fl_fold_elements(fold) == elements);
    fl_safetensors_note note = { .key = "round" };
    (void)snprintf(note.text, sizeof note.text, "%llu",
                   (unsigned long long)effect->apply.order.round);
    if (fl_safetensors_save(self->file.tensor, self->file.count, &note, 1, NULL, &applied->model) !=
        FL_OK) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_text("for", "the next model"));
        return false;
    }
    float *values = fl_safetensors_values(applied->model, elements);
    s_advance(self, fold, effect->apply.weight, values);
    fl_blob_unref(&self->model);
    self->model = fl_blob_ref(applied->model);
    self->file.data = fl_bytes_of(values, elements * sizeof *values);
    applied->hash = self->hash = fl_hash_of(fl_blob_bytes(applied->model));
    applied->tensors = self->tensors = fl_safetensors_digest(&self->file);
    s_score(self, effect->apply.order.round, applied);
    return true;
}

fl_applier
fl_global_model_applier(fl_global_model *self)
{
    return (fl_applier){ .self = self, .apply = s_apply };
}

//  The checkpoint first: the ledger never names a model that is not there.
static fl_status
s_save_close(fl_global_model *self, const fl_report *report, fl_why *why)
{
    uint64_t model_bytes = 0;
    if (report->close == FL_CLOSE_DONE) {
        FL_ASSERT(fl_hash_equal(&self->hash, &report->model));
        model_bytes = fl_blob_size(self->model);
        FL_TRY(fl_checkpoints_save_optimizer(self->conf.checkpoints, &report->run, &report->model,
                                             fl_optimizer_state(self->optimizer), why));
        FL_TRY(fl_checkpoints_save(self->conf.checkpoints, &report->model,
                                   fl_blob_bytes(self->model), why));
    }
    FL_TRY(fl_ledger_round_close(self->conf.ledger, report, model_bytes, why));
    fl_checkpoints_settle(self->conf.checkpoints, &report->run, self->conf.keep);
    return FL_OK;
}

static bool
s_save(void *arg, fl_save what, const fl_report *report)
{
    fl_global_model *self = arg;
    fl_why why;
    fl_status status = what == FL_SAVE_OPEN ? fl_ledger_round_open(self->conf.ledger, report, &why)
                                            : s_save_close(self, report, &why);
    return fl_durable_said(status, &why);
}

static bool
s_keep(void *arg, const fl_effect *keep)
{
    const fl_global_model *self = arg;
    const fl_durable durable = { .ledger = self->conf.ledger };
    return fl_durable_keep(&durable, keep);
}

fl_saver
fl_global_model_saver(fl_global_model *self)
{
    return (fl_saver){ .self = self, .save = s_save, .keep = s_keep };
}
