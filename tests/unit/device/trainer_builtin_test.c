#include "device/trainer_builtin.h"

#include "tests/support/unit.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "common/config/clock.h"
#include "common/model/start.h"
#include "tests/support/blobs.h"

enum { ELEMENTS = (BLOBS_FEATURES + 1) * 6 + (6 + 1) * BLOBS_CLASSES };

static const fl_shape shape = { .layers = 2, .size = { BLOBS_FEATURES, 6, BLOBS_CLASSES } };
static blobs here;
static bool any_shape; // of the trainers that are made next: they are given none

typedef struct fixture {
    fl_trainer trainer;
    fl_blob *model;
    float update[ELEMENTS];
    fl_training training;
} fixture;

static void
s_open(fixture *fix, uint32_t samples, uint32_t shard, uint32_t delay_ms)
{
    memset(fix, 0, sizeof *fix);
    const fl_trainer_builtin_conf conf = {
        .shape = any_shape ? (fl_shape){ 0 } : shape,
        .gemm = fl_gemm_reference,
        .samples = blobs_fill(&here, samples, 1),
        .shard = shard,
        .delay_ms = delay_ms,
    };
    assert_int_equal(fl_trainer_builtin_new(&conf, &fix->trainer, NULL), FL_OK);
    assert_int_equal(fl_start_network(&shape, 1, &fix->model, NULL), FL_OK);
    fix->training.order.round = 3;
    fix->training.order.elements = ELEMENTS;
    fix->training.order.plan = (fl_plan){
        .recipe = { 3, { { "batch", 16 }, { "epochs", 2 }, { "rate", 0.1f } } }, .seed = 5
    };
    fix->training.model = fl_blob_bytes(fix->model);
    fix->training.update = fix->update;
}

static void
s_close(fixture *fix)
{
    fix->trainer.destroy(&fix->trainer.self);
    assert_null(fix->trainer.self);
    fix->trainer.destroy(&fix->trainer.self);
    fl_blob_unref(&fix->model);
}

static fl_status
s_train(fixture *fix, fl_why *why)
{
    return fix->trainer.train(fix->trainer.self, &fix->training, why);
}

static void
a_model_is_scored_unless_the_order_says_no(void **state)
{
    (void)state;
    fixture fix;
    float scored[ELEMENTS];
    s_open(&fix, 400, 0, 0);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    assert_int_equal(fix.training.stats[FL_STAT_EVALUATED], 400);
    memcpy(scored, fix.update, sizeof scored);
    s_close(&fix);
    s_open(&fix, 400, 0, 0);
    fl_recipe_put(&fix.training.order.plan.recipe, "evaluate", 0);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    assert_int_equal(fix.training.stats[FL_STAT_EVALUATED], 0);
    assert_int_equal(fix.training.stats[FL_STAT_LOSS] + fix.training.stats[FL_STAT_CORRECT], 0);
    assert_int_equal(fix.training.stats[FL_STAT_SAMPLES], 400);
    assert_memory_equal(fix.update, scored, sizeof scored); // learnt all the same
    s_close(&fix);
}

//  The update added to the received model must classify better than it.
static void
an_update_improves_the_model_it_was_made_from(void **state)
{
    (void)state;
    fixture fix;
    s_open(&fix, 400, 0, 0);
    assert_int_equal(fix.trainer.samples, 400);
    fl_recipe_put(&fix.training.order.plan.recipe, "epochs", 6);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    assert_int_equal(fix.training.samples, 400);
    const uint64_t *stats = fix.training.stats;
    assert_int_equal(stats[FL_STAT_SAMPLES], 400);
    assert_int_equal(stats[FL_STAT_EVALUATED], 400);

    float parameters[ELEMENTS];
    fl_network_init(&shape, 1, parameters);
    fl_network *network = fl_network_new(&shape, 64, fl_gemm_reference);
    assert_non_null(network);
    const fl_samples samples = { here.inputs, here.labels, 400, BLOBS_FEATURES };
    atomic_bool cancel = false;
    fl_score before, after;
    assert_int_equal(fl_assess(network, &samples, parameters, &cancel, &before), FL_OK);
    for (int i = 0; i < ELEMENTS; i++) {
        parameters[i] += fix.update[i];
    }
    assert_int_equal(fl_assess(network, &samples, parameters, &cancel, &after), FL_OK);
    assert_true(after.loss < before.loss / 2);
    assert_int_equal(stats[FL_STAT_CORRECT], before.correct);
    assert_true(fabs((double)stats[FL_STAT_LOSS] / 0x1.0p20 - before.loss) < 1e-3);
    fl_network_destroy(&network);
    s_close(&fix);
}

static void
the_same_order_gives_the_same_update_and_another_shuffle_another(void **state)
{
    (void)state;
    fixture a, b;
    s_open(&a, 300, 7, 0);
    s_open(&b, 300, 7, 0);
    assert_int_equal(s_train(&a, NULL), FL_OK);
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_equal(a.update, b.update, sizeof a.update);
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_equal(a.update, b.update, sizeof a.update);
    b.training.order.round++;
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_not_equal(a.update, b.update, sizeof a.update);
    b.training.order.round--;
    b.training.order.plan.seed++;
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_not_equal(a.update, b.update, sizeof a.update);
    s_close(&b);
    s_open(&b, 300, 8, 0);
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_not_equal(a.update, b.update, sizeof a.update);
    s_close(&a);
    s_close(&b);
}

static void
the_whole_recipe_of_the_plan_is_followed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double number;
    } other[6] = { { "epochs", 3 },     { "batch", 300 },  { "rate", 0.05 },
                   { "momentum", 0.5 }, { "decay", 0.01 }, { "proximal", 0.1 } };
    for (int field = 0; field < 6; field++) {
        fixture a, b;
        s_open(&a, 300, 0, 0);
        s_open(&b, 300, 0, 0);
        fl_recipe_put(&b.training.order.plan.recipe, other[field].name, other[field].number);
        assert_int_equal(s_train(&a, NULL), FL_OK);
        assert_int_equal(s_train(&b, NULL), FL_OK);
        assert_memory_not_equal(a.update, b.update, sizeof a.update);
        s_close(&a);
        s_close(&b);
    }
}

static void
a_model_or_plan_that_cannot_be_learnt_is_refused_with_advice(void **state)
{
    (void)state;
    fixture fix;
    fl_why why = { "" };
    s_open(&fix, 50, 0, 0);
    const fl_shape other = { .layers = 2, .size = { BLOBS_FEATURES, 7, BLOBS_CLASSES } };
    fl_blob *wrong = NULL;
    assert_int_equal(fl_start_network(&other, 1, &wrong, NULL), FL_OK);
    fix.training.model = fl_blob_bytes(wrong);
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "this side works on (6) (8-6-3)"));
    fix.training.model.size = 5;
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "cut off"));
    fix.training.model = fl_blob_bytes(fix.model);
    fix.training.order.elements = 1000;
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "1000 parameters, this trainer learns 75 (8-6-3)"));
    fix.training.order.elements = ELEMENTS;
    fl_recipe_put(&fix.training.order.plan.recipe, "epochs", 0);
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    fl_recipe_put(&fix.training.order.plan.recipe, "epochs", 1);
    fl_recipe_put(&fix.training.order.plan.recipe, "batch", FL_BATCH_MAX + 1);
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "batches of 4097"));
    fl_blob_unref(&wrong);
    s_close(&fix);
}

static void
without_a_shape_of_its_own_it_learns_what_it_is_given(void **state)
{
    (void)state;
    static const fl_shape other = { .layers = 1, .size = { BLOBS_FEATURES, BLOBS_CLASSES } };
    static const fl_shape wide = { .layers = 1, .size = { BLOBS_FEATURES + 1, BLOBS_CLASSES } };
    fixture own, any;
    fl_why why = { "" };
    fl_blob *model[2] = { NULL };
    assert_int_equal(fl_start_network(&other, 1, &model[0], NULL), FL_OK);
    assert_int_equal(fl_start_network(&wide, 1, &model[1], NULL), FL_OK);
    s_open(&own, 100, 0, 0);
    any_shape = true;
    s_open(&any, 100, 0, 0);
    any_shape = false;
    assert_int_equal(s_train(&own, NULL), FL_OK);
    any.training.model = fl_blob_bytes(model[0]);
    assert_int_equal(s_train(&any, &why), FL_MISMATCH); // the order says more elements
    any.training.order.elements = fl_shape_elements(&other);
    assert_int_equal(s_train(&any, NULL), FL_OK);
    any.training.model = fl_blob_bytes(model[1]);
    any.training.order.elements = fl_shape_elements(&wide);
    assert_int_equal(s_train(&any, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "samples have 8 values each, the network takes 9"));
    any.training.model = fl_blob_bytes(any.model);
    any.training.order.elements = ELEMENTS;
    assert_int_equal(s_train(&any, NULL), FL_OK);
    assert_memory_equal(any.update, own.update, sizeof any.update);
    fl_blob_unref(&model[0]);
    fl_blob_unref(&model[1]);
    s_close(&any);
    s_close(&own);
}

static void
a_device_without_samples_says_so(void **state)
{
    (void)state;
    fixture fix;
    fl_why why = { "" };
    s_open(&fix, 0, 0, 0);
    assert_int_equal(s_train(&fix, &why), FL_MISSING);
    assert_non_null(strstr(why.text, "no sample"));
    assert_int_equal(fix.training.samples, 0);
    s_close(&fix);
}

static void
samples_of_another_width_are_refused_at_once(void **state)
{
    (void)state;
    fl_trainer_builtin_conf conf = { .shape = shape,
                                     .gemm = fl_gemm_reference,
                                     .samples = blobs_fill(&here, 20, 1) };
    conf.samples.features++;
    fl_trainer trainer;
    fl_why why = { "" };
    assert_int_equal(fl_trainer_builtin_new(&conf, &trainer, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "first layer"));
}

static void
a_diverged_model_keeps_its_statistics_in_bounds(void **state)
{
    (void)state;
    fixture fix;
    s_open(&fix, 50, 0, 0);
    float parameters[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) {
        parameters[i] = NAN;
    }
    fl_blob *wild = NULL;
    assert_int_equal(fl_shape_save(&shape, parameters, NULL, 0, &wild), FL_OK);
    fix.training.model = fl_blob_bytes(wild);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    assert_true(fix.training.stats[FL_STAT_LOSS] == (uint64_t)50 * 1000 << 20);
    assert_true(isnan(fix.update[0]));
    fl_blob_unref(&wild);
    s_close(&fix);
}

typedef struct runner {
    fixture *fix;
    fl_status status;
    atomic_bool over;
} runner;

static void *
s_run(void *object)
{
    runner *self = object;
    self->status = s_train(self->fix, NULL);
    atomic_store(&self->over, true);
    return NULL;
}

//  Cancel again and again: a first call may come before the training has begun.
static void
s_expect_cancelled(fixture *fix)
{
    runner run = { .fix = fix };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, s_run, &run), 0);
    const fl_time start = fl_clock_ms();
    while (!atomic_load(&run.over) && fl_clock_ms() - start < 20000) {
        fix->trainer.cancel(fix->trainer.self);
        (void)sched_yield();
    }
    assert_true(atomic_load(&run.over));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(run.status, FL_BUSY);
}

static void
a_running_training_can_be_cancelled_and_started_again(void **state)
{
    (void)state;
    fixture fix;
    s_open(&fix, 100, 0, 0);
    fl_recipe_put(&fix.training.order.plan.recipe, "epochs", 1000000000);
    s_expect_cancelled(&fix);
    fl_recipe_put(&fix.training.order.plan.recipe, "epochs", 1);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    s_close(&fix);
}

static void
the_delay_of_a_slow_device_can_be_cancelled_too(void **state)
{
    (void)state;
    fixture fix;
    s_open(&fix, 100, 0, UINT32_MAX);
    s_expect_cancelled(&fix);
    s_close(&fix);
    s_open(&fix, 100, 0, 30);
    assert_int_equal(s_train(&fix, NULL), FL_OK);
    assert_true(fix.training.stats[FL_STAT_TRAIN_MS] >= 29);
    s_close(&fix);
}

static void
a_site_bounds_what_a_round_costs_and_what_leaves(void **state)
{
    (void)state;
    fixture fix;
    fl_trainer bounded;
    s_open(&fix, 400, 0, 0);
    fl_trainer_builtin_conf conf = { .shape = shape,
                                     .gemm = fl_gemm_reference,
                                     .steps_max = 3,
                                     .samples = blobs_fill(&here, 400, 1),
                                     .mute = true };
    assert_int_equal(fl_trainer_builtin_new(&conf, &bounded, NULL), FL_OK);
    assert_int_equal(bounded.train(bounded.self, &fix.training, NULL), FL_OK);
    assert_int_equal(fix.training.stats[FL_STAT_EVALUATED], 0);
    assert_true(fix.training.steps == 3 && fix.training.steps_wanted == 50);
    assert_int_equal(fix.training.samples, 48);
    assert_int_equal(fix.training.stats[FL_STAT_SAMPLES], 48);
    bounded.destroy(&bounded.self);
    conf.steps_max = 0;
    conf.time_max_ms = 20;
    fix.training.order.plan.recipe.value[1].number = 1e6; // epochs: hours of them
    assert_int_equal(fl_trainer_builtin_new(&conf, &bounded, NULL), FL_OK);
    assert_int_equal(bounded.train(bounded.self, &fix.training, NULL), FL_OK);
    assert_true(fix.training.steps > 0 && fix.training.steps < fix.training.steps_wanted);
    bounded.destroy(&bounded.self);
    s_close(&fix);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_scored_unless_the_order_says_no),
        cmocka_unit_test(an_update_improves_the_model_it_was_made_from),
        cmocka_unit_test(the_same_order_gives_the_same_update_and_another_shuffle_another),
        cmocka_unit_test(the_whole_recipe_of_the_plan_is_followed),
        cmocka_unit_test(a_model_or_plan_that_cannot_be_learnt_is_refused_with_advice),
        cmocka_unit_test(without_a_shape_of_its_own_it_learns_what_it_is_given),
        cmocka_unit_test(a_device_without_samples_says_so),
        cmocka_unit_test(samples_of_another_width_are_refused_at_once),
        cmocka_unit_test(a_diverged_model_keeps_its_statistics_in_bounds),
        cmocka_unit_test(a_running_training_can_be_cancelled_and_started_again),
        cmocka_unit_test(the_delay_of_a_slow_device_can_be_cancelled_too),
        cmocka_unit_test(a_site_bounds_what_a_round_costs_and_what_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
