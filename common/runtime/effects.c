#include "common/runtime/effects.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/machine/policy.h"
#include "common/model/safetensors.h"
#include "common/runtime/effects_inside.h"

enum { PIECE = 1 << 18 }; // elements that are encoded at a time

fl_effects *
fl_effects_new(const fl_effects_conf *conf)
{
    fl_effects *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    if (conf->combine == NULL) {
        self->conf.combine = fl_combine_find("sum");
    }
    self->errands_max = fl_workers_jobs_max(conf->workers) + 1; // and one answered here
    self->errands = calloc(self->errands_max, sizeof *self->errands);
    if (self->errands == NULL) {
        fl_effects_destroy(&self);
    }
    return self;
}

void
fl_effects_destroy(fl_effects **self_p)
{
    fl_effects *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        FL_ASSERT(self->running == 0);
        fl_effects_combined(self, NULL);
        for (int i = 0; i < FL_BLOCKS_MAX; i++) {
            fl_fold_destroy(&self->folds[i]);
        }
        fl_blob_unref(&self->fetching);
        for (int i = 0; i < FL_SLOTS_MAX; i++) {
            free(self->arrivals[i]);
        }
        free(self->errands);
        free(self);
    }
}

uint32_t
fl_effects_running(const fl_effects *self)
{
    return self->running;
}

// ---- on a worker ------------------------------------------------------------------------------
static void
s_check(void *arg)
{
    fl_errand *job = arg;
    fl_hash hash = fl_hash_of(fl_blob_bytes(job->in));
    job->event.model.ok = fl_hash_equal(&hash, &job->effect.check.hash);
}

static fl_reason
s_reason_of(fl_status status)
{
    return status == FL_OK         ? FL_WHY_NONE
           : status == FL_MISMATCH ? FL_WHY_MODEL
           : status == FL_MISSING  ? FL_WHY_NO_DATA
           : status == FL_BUSY     ? FL_WHY_ABORTED
           : status == FL_DENIED   ? FL_WHY_PLAN
                                   : FL_WHY_TRAINER;
}

//  Of shuffles and dither. What is masked must not be made again by who knows the plan, nor be the
//  same in another run or another draw (R4), unless the plan pins it.
static uint64_t
s_seed(const fl_errand *job, const fl_order *order)
{
    if (!fl_plan_masks(&order->plan) || order->plan.pin) {
        return order->plan.seed;
    }
    if (order->draw > 0) {
        const fl_entropy entropy = fl_entropy_os();
        uint64_t seed;
        fl_entropy_fill(&entropy, &seed, sizeof seed);
        return seed;
    }
    uint8_t bytes[16 + 8], mac[FL_MAC_BYTES];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_from(&writer, order->run.bytes, sizeof order->run.bytes);
    fl_write_u64(&writer, order->plan.seed);
    fl_mac(job->effects->conf.own_seed, "tributary/own-seed", fl_bytes_of(bytes, sizeof bytes), mac,
           sizeof mac);
    fl_reader reader = fl_reader_of(fl_bytes_of(mac, sizeof mac));
    return fl_read_u64(&reader);
}

//  By what the order calls the tensors, a device knows later that it trained from them before (R4):
//  so that must be their name, whatever else the root has written into the file.
static fl_status
s_named_rightly(fl_bytes model, const fl_order *order, fl_why *why)
{
    fl_safetensors file;
    FL_TRY(fl_safetensors_parse(model, &file, why) == FL_OK ? FL_OK : FL_MISMATCH);
    const fl_hash digest = fl_safetensors_digest(&file);
    return fl_hash_equal(&digest, &order->tensors)
               ? FL_OK
               : fl_fail(FL_DENIED, why, "the order names other tensors than the model has");
}

static void
s_train(void *arg)
{
    fl_errand *job = arg;
    fl_trainer *trainer = job->effects->conf.trainer;
    fl_training *training = &job->training;
    const fl_order *order = &job->effect.train.order;
    fl_why why = { "there is no memory for the update" };
    fl_status status = job->in != NULL
                           ? fl_staging_blob(job->effects->conf.directory,
                                             order->elements * sizeof(float), &job->out, &why)
                           : fl_fail(FL_MISMATCH, &why, "the model is not here");
    if (status == FL_OK) {
        training->order = *order;
        training->order.plan.seed = s_seed(job, order);
        training->model = fl_blob_bytes(job->in);
        training->update = (float *)(void *)fl_blob_data(job->out);
        status = s_named_rightly(training->model, order, &why);
        FL_THEN(status, trainer->train(trainer->self, training, &why));
    }
    job->event.trained.reason = s_reason_of(status);
    job->event.trained.samples = training->samples;
    job->event.trained.steps = training->steps;
    job->event.trained.steps_wanted = training->steps_wanted;
    memcpy(job->event.trained.stats, training->stats, sizeof training->stats);
    if (status != FL_OK) {
        fl_blob_unref(&job->out);
    }
    if (status == FL_BUSY) {
        fl_log(FL_LOG_INFO, "training-cancelled", fl_log_u64("of_round", order->round));
    } else if (status != FL_OK) {
        fl_log(FL_LOG_ERROR, "training-failed", fl_log_text("status", fl_status_name(status)),
               fl_log_text("why", why.text));
    }
}

//  One seed per update and encoding: rounding is unbiased, and the same update in the same round
//  gives the same bytes. The run's random id stays out of it: two unmasked or pinned runs with one
//  seed of the plan give the same model.
static uint64_t
s_dither(const fl_errand *job)
{
    const fl_order *order = &job->effect.encode.order;
    uint8_t bytes[16 + 8 + 8];
    fl_writer writer = fl_writer_over(bytes, sizeof bytes);
    fl_write_from(&writer, job->effects->conf.node.name, sizeof job->effects->conf.node.name);
    fl_write_u64(&writer, order->round);
    fl_write_u64(&writer, s_seed(job, order));
    fl_hash hash = fl_hash_domain("tributary/dither", fl_bytes_of(bytes, sizeof bytes));
    fl_reader reader = fl_reader_of(fl_bytes_of(hash.bytes, sizeof hash.bytes));
    return fl_read_u64(&reader);
}

static void
s_encode(void *arg)
{
    fl_errand *job = arg;
    const fl_order *order = &job->effect.encode.order;
    fl_element element = fl_policy_element(&order->plan);
    job->out = fl_blob_new(fl_element_bytes(&element, order->elements));
    const bool fits = fl_blob_size(job->in) == order->elements * sizeof(float);
    fl_reason reason = job->out != NULL && fits ? FL_WHY_NONE : FL_WHY_STORAGE;
    const float *update = (const float *)(const void *)fl_blob_bytes(job->in).data;
    const uint64_t dither = s_dither(job);
    for (uint64_t at = 0; reason == FL_WHY_NONE && at < order->elements; at += PIECE) {
        const uint64_t left = order->elements - at, count = left < PIECE ? left : PIECE;
        uint8_t *to = fl_blob_data(job->out) + fl_element_bytes(&element, at);
        fl_status status =
            fl_element_encode(&element, (uint32_t)job->effect.encode.weight, dither, at, count,
                              update + at, to, &job->event.encoded.saturated);
        reason = status == FL_OK ? FL_WHY_NONE : FL_WHY_NAN;
        fl_blob_rest(job->in, (size_t)(at + count) * sizeof(float));
    }
    job->event.encoded.reason = reason;
    if (reason != FL_WHY_NONE) {
        fl_blob_unref(&job->out);
        return;
    }
    job->event.encoded.hash = fl_hash_of(fl_blob_bytes(job->out));
    job->event.encoded.bytes = fl_blob_size(job->out);
}

static void
s_apply(void *arg)
{
    fl_errand *job = arg;
    const fl_applier *applier = &job->effects->conf.applier;
    job->event.applied.ok =
        applier->apply(applier->self, job->effects->folds[0], &job->effect, &job->applied);
    if (job->event.applied.ok) {
        job->event.applied.model = job->applied.hash;
        job->event.applied.tensors = job->applied.tensors;
        job->event.applied.model_bytes = fl_blob_size(job->applied.model);
        job->event.applied.loss = job->applied.loss;
        job->event.applied.accuracy = job->applied.accuracy;
    }
}

static void
s_save(void *arg)
{
    fl_errand *job = arg;
    const fl_saver *saver = &job->effects->conf.saver;
    job->event.saved.ok =
        saver->save == NULL || saver->save(saver->self, job->effect.save.what, &job->report);
}

// ---- on the reactor's thread ------------------------------------------------------------------
static fl_blob *
s_ref(fl_blob *blob)
{
    return blob == NULL ? NULL : fl_blob_ref(blob);
}

static void
s_place(fl_effects *self, const fl_effect *effect)
{
    const fl_bytes body = self->body;
    if (effect->place.offset == 0) {
        fl_blob_unref(&self->fetching);
        if (self->conf.trainer != NULL) { // an edge serves the one before until the new one is here
            fl_handles_put_model(self->conf.handles, self->conf.track, &effect->place.hash,
                                 &self->fetching);
        }
        self->fetching = fl_blob_new(effect->place.total);
        if (self->fetching == NULL) {
            fl_log(FL_LOG_ERROR, "no-memory", fl_log_u64("bytes", effect->place.total),
                   fl_log_text("for", "the model"));
        }
    }
    if (self->fetching == NULL) {
        return; // CHECK finds it missing
    }
    FL_ASSERT(fl_blob_size(self->fetching) == effect->place.total);
    FL_ASSERT(effect->place.offset + body.size <= effect->place.total);
    memcpy(fl_blob_data(self->fetching) + effect->place.offset, body.data, body.size);
}

static void
s_ask_check(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_MODEL);
    job->in = self->fetching;
    self->fetching = NULL;
    if (job->in == NULL) {
        job->event.model.reason = FL_WHY_STORAGE;
        fl_effects_answer(job);
        return;
    }
    fl_effects_start(job, FL_WORKERS_FREE, s_check);
}

//  NULL when there is nothing to copy, or no memory.
static void *
s_copy(const void *list, size_t bytes)
{
    void *copy = bytes == 0 ? NULL : malloc(bytes);
    if (copy != NULL) {
        memcpy(copy, list, bytes);
    }
    return copy;
}

static void
s_ask_save(fl_effects *self, const fl_effect *effect)
{
    const fl_report *report = effect->save.report;
    fl_errand *job = fl_effects_job(self, effect, FL_EV_SAVED);
    job->report = *report;
    job->roll = s_copy(report->roll, report->roll_count * sizeof *job->roll);
    job->blocks = s_copy(report->blocks, report->block_count * sizeof *job->blocks);
    if ((job->roll == NULL) != (report->roll_count == 0) ||
        (job->blocks == NULL) != (report->block_count == 0)) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_text("for", "a round's report"));
        fl_effects_answer(job); // not saved
        return;
    }
    job->report.roll = job->roll;
    job->report.blocks = job->blocks;
    fl_effects_start(job, FL_STRAND_STORE, s_save);
}

static void
s_ask_train(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_TRAINED);
    job->vec = &job->event.trained.update;
    job->in = s_ref(fl_handles_model(self->conf.handles, &effect->train.order.model));
    fl_effects_start(job, FL_STRAND_TRAIN, s_train);
}

static void
s_ask_encode(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_ENCODED);
    job->vec = &job->event.encoded.vec;
    job->in = fl_blob_ref(fl_handles_look(self->conf.handles, effect->encode.update));
    fl_effects_start(job, FL_WORKERS_FREE, s_encode);
}

static void
s_ask_apply(fl_effects *self, const fl_effect *effect)
{
    fl_effects_start(fl_effects_job(self, effect, FL_EV_APPLIED), FL_STRAND_FOLD, s_apply);
}

static void
s_cancel(fl_effects *self, const fl_effect *effect)
{
    (void)effect;
    self->conf.trainer->cancel(self->conf.trainer->self);
}

static void
s_drop(fl_effects *self, const fl_effect *effect)
{
    fl_handles_drop(self->conf.handles, effect->drop.vec);
}

bool
fl_effects_obey(fl_effects *self, const fl_effect *effect, fl_bytes body)
{
    static void (*const table[FL_FX_COUNT])(fl_effects * self, const fl_effect *effect) = {
        [FL_FX_SLOT] = fl_effects_slot,
        [FL_FX_STAGE] = fl_effects_stage,
        [FL_FX_VERIFY] = fl_effects_verify,
        [FL_FX_CLEAR] = fl_effects_clear,
        [FL_FX_FOLD] = fl_effects_fold,
        [FL_FX_FINISH] = fl_effects_finish,
        [FL_FX_PLACE] = s_place,
        [FL_FX_CHECK] = s_ask_check,
        [FL_FX_TRAIN] = s_ask_train,
        [FL_FX_CANCEL] = s_cancel,
        [FL_FX_ENCODE] = s_ask_encode,
        [FL_FX_DROP] = s_drop,
        [FL_FX_APPLY] = s_ask_apply,
        [FL_FX_SAVE] = s_ask_save,
        [FL_FX_KEEP] = fl_effects_keep,
        [FL_FX_MASK] = fl_effects_mask,
        [FL_FX_UNMASK] = fl_effects_unmask,
        [FL_FX_RECALL] = fl_effects_recall,
    };
    self->body = body;
    if (table[effect->kind] != NULL) {
        table[effect->kind](self, effect);
    }
    return table[effect->kind] != NULL;
}
