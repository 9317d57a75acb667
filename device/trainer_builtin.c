#include "device/trainer_builtin.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/config/clock.h"

//  Samples scored at a time: large enough for the products to run at full speed.
enum { ASSESS_BATCH = 256 };

//  Loss of one sample beyond which more is no news; keeps a diverged model's sum in its integer.
static const double loss_max = 1000.0;

typedef struct builtin {
    fl_trainer_builtin_conf conf;
    fl_shape shape;      // of the model in hand; it and the network are touched by `train` only
    fl_network *network; // of that shape, for the largest batch seen so far
    atomic_bool cancel;
    fl_time due; // of the training in hand
} builtin;

static bool
s_over(const void *object)
{
    return fl_clock_ms() >= ((const builtin *)object)->due;
}

static fl_status
s_check_elements(const fl_shape *shape, const fl_order *order, fl_why *why)
{
    if (order->elements == fl_shape_elements(shape)) {
        return FL_OK;
    }
    char text[96];
    fl_shape_text(shape, text, sizeof text);
    return fl_fail(FL_MISMATCH, why,
                   "the round is over %llu parameters, this trainer learns %llu (%s): set the "
                   "same layers here and at the root",
                   (unsigned long long)order->elements,
                   (unsigned long long)fl_shape_elements(shape), text);
}

//  The model that was received, and from it the shape, where none was given.
static fl_status
s_receive(builtin *self, const fl_training *training, fl_safetensors *file, fl_why *why)
{
    fl_shape shape = self->conf.shape;
    const bool given = shape.layers > 0;
    if (fl_safetensors_parse(training->model, file, why) != FL_OK) {
        return FL_MISMATCH;
    }
    if (!given) {
        FL_TRY(fl_shape_infer(file, &shape, why));
    }
    FL_TRY(s_check_elements(&shape, &training->order, why));
    FL_TRY(given ? fl_shape_check(&shape, file, why)
                 : fl_samples_check(&self->conf.samples, &shape, why));
    if (memcmp(&shape, &self->shape, sizeof shape) != 0) {
        fl_network_destroy(&self->network);
        self->shape = shape;
    }
    return FL_OK;
}

static fl_status
s_check_plan(const fl_training *training, fl_why *why)
{
    const double epochs = fl_recipe_get(&training->order.plan.recipe, "epochs", 1);
    const double batch = fl_recipe_get(&training->order.plan.recipe, "batch", 32);
    if (!(epochs >= 1 && epochs <= UINT32_MAX && batch >= 1 && batch <= FL_BATCH_MAX)) {
        return fl_fail(FL_MISMATCH, why,
                       "the plan asks for %g epochs in batches of %g: this trainer takes at least "
                       "1 and batches of 1 to %d",
                       epochs, batch, FL_BATCH_MAX);
    }
    return FL_OK;
}

static fl_status
s_make_room(builtin *self, uint32_t batch)
{
    if (batch < ASSESS_BATCH) {
        batch = ASSESS_BATCH;
    }
    if (self->network != NULL && fl_network_batch_max(self->network) >= batch) {
        return FL_OK;
    }
    fl_network_destroy(&self->network);
    self->network = fl_network_new(&self->shape, batch, self->conf.gemm);
    return self->network == NULL ? FL_NOMEM : FL_OK;
}

//  Of a plan that was checked.
static fl_sgd
s_sgd(const builtin *self, const fl_order *order)
{
    const fl_recipe *recipe = &order->plan.recipe;
    const fl_rng seed = fl_rng_seeded(order->plan.seed);
    const fl_rng round = fl_rng_split(&seed, order->round);
    fl_rng shard = fl_rng_split(&round, self->conf.shard);
    return (fl_sgd){
        .epochs = (uint32_t)fl_recipe_get(recipe, "epochs", 1),
        .batch = (uint32_t)fl_recipe_get(recipe, "batch", 32),
        .rate = (float)fl_recipe_get(recipe, "rate", 0.1),
        .momentum = (float)fl_recipe_get(recipe, "momentum", 0),
        .decay = (float)fl_recipe_get(recipe, "decay", 0),
        .proximal = (float)fl_recipe_get(recipe, "proximal", 0),
        .seed = fl_rng_u64(&shard),
        .half = order->draw > 0,
    };
}

static void
s_note_score(const fl_score *score, uint64_t stats[FL_STATS])
{
    const double most = loss_max * (double)score->samples;
    const double loss = score->loss >= 0 && score->loss < most ? score->loss : most;
    stats[FL_STAT_LOSS] = (uint64_t)llround(loss * 0x1.0p20);
    stats[FL_STAT_CORRECT] = score->correct;
    stats[FL_STAT_EVALUATED] = score->samples;
}

//  `received` and `update` (elements): trains `update` from a copy, then takes the difference.
static fl_status
s_run(builtin *self, fl_training *training, fl_sgd *sgd, float *received)
{
    fl_limit limit = { .steps_max = self->conf.steps_max, .over = s_over, .self = self };
    if (!fl_clock_pause(self->conf.delay_ms, &self->cancel)) {
        return FL_BUSY;
    }
    //  A second score of one model, beside the first one, would tell who was left out.
    bool scores = !self->conf.mute && training->order.draw == 0;
    if (scores && fl_recipe_get(&training->order.plan.recipe, "evaluate", 1) != 0) {
        fl_score score;
        FL_TRY(fl_assess(self->network, &self->conf.samples, received, &self->cancel, &score));
        s_note_score(&score, training->stats);
    }
    const size_t elements = (size_t)training->order.elements;
    memcpy(training->update, received, elements * sizeof *received);
    self->due = self->conf.time_max_ms > 0 ? fl_clock_ms() + self->conf.time_max_ms : FL_NEVER;
    sgd->limit = &limit;
    fl_status status = fl_learn(self->network, sgd, &self->conf.samples, received, training->update,
                                &self->cancel);
    for (size_t i = 0; status == FL_OK && i < elements; i++) {
        training->update[i] -= received[i];
    }
    training->steps = limit.steps;
    training->steps_wanted = limit.wanted;
    training->samples = limit.samples;
    return status;
}

static fl_status
s_train(void *object, fl_training *training, fl_why *why)
{
    builtin *self = object;
    const fl_time start = fl_clock_ms();
    const uint64_t samples = self->conf.samples.count;
    atomic_store(&self->cancel, false);
    memset(training->stats, 0, sizeof training->stats);
    training->samples = samples;
    if (samples < fl_trainer_least(&training->order)) {
        return fl_fail(FL_MISSING, why, "no sample here, or one and a draw takes half");
    }
    fl_safetensors file;
    FL_TRY(s_check_plan(training, why));
    FL_TRY(s_receive(self, training, &file, why));
    fl_sgd sgd = s_sgd(self, &training->order);
    float *received = malloc((size_t)training->order.elements * sizeof *received);
    fl_status status = received == NULL ? FL_NOMEM : s_make_room(self, sgd.batch);
    if (status == FL_OK) {
        fl_safetensors_read(&file, 0, file.elements, received);
        status = s_run(self, training, &sgd, received);
    }
    free(received);
    if (status == FL_NOMEM) {
        fl_why_set(why, "no memory to train %llu parameters",
                   (unsigned long long)training->order.elements);
    }
    training->stats[FL_STAT_SAMPLES] = training->samples;
    training->stats[FL_STAT_TRAIN_MS] = (uint64_t)(fl_clock_ms() - start);
    return status;
}

static void
s_cancel(void *object)
{
    builtin *self = object;
    atomic_store(&self->cancel, true);
}

static void
s_destroy(void **self_p)
{
    builtin *self = *self_p;
    if (self != NULL) {
        fl_network_destroy(&self->network);
        free(self);
        *self_p = NULL;
    }
}

fl_status
fl_trainer_builtin_new(const fl_trainer_builtin_conf *conf, fl_trainer *trainer, fl_why *why)
{
    if (conf->shape.layers > 0) {
        FL_TRY(fl_samples_check(&conf->samples, &conf->shape, why));
    }
    builtin *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "no memory for a trainer");
    }
    self->conf = *conf;
    *trainer = (fl_trainer){
        .self = self,
        .train = s_train,
        .cancel = s_cancel,
        .samples = conf->samples.count,
        .destroy = s_destroy,
    };
    return FL_OK;
}
