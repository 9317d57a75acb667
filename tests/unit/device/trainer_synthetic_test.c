#include "device/trainer_synthetic.h"

#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

#include "common/model/start.h"

enum { ELEMENTS = 1000 };

static uint64_t own_elements = ELEMENTS; // of the trainers that are made next

typedef struct fixture {
    fl_trainer trainer;
    fl_blob *model;
    float update[ELEMENTS];
    fl_training training;
} fixture;

static void
s_open(fixture *fix, uint64_t seed, uint64_t samples)
{
    memset(fix, 0, sizeof *fix);
    const fl_trainer_synthetic_conf conf = { .elements = own_elements,
                                             .samples = samples,
                                             .seed = seed };
    assert_int_equal(fl_trainer_synthetic_new(&conf, &fix->trainer, NULL), FL_OK);
    assert_int_equal(fl_start_vector(ELEMENTS, &fix->model, NULL), FL_OK);
    fix->training = (fl_training){
        .order = { .round = 1, .elements = ELEMENTS, .plan = { .clip = 0.5f } },
        .model = fl_blob_bytes(fix->model),
        .update = fix->update,
    };
}

static void
s_close(fixture *fix)
{
    fix->trainer.destroy(&fix->trainer.self);
    assert_null(fix->trainer.self);
    fl_blob_unref(&fix->model);
}

static fl_status
s_train(fixture *fix, fl_why *why)
{
    return fix->trainer.train(fix->trainer.self, &fix->training, why);
}

static void
an_update_depends_on_seed_and_round_and_stays_within_the_clip(void **state)
{
    (void)state;
    fixture a, b;
    s_open(&a, 1, 64);
    s_open(&b, 1, 64);
    assert_int_equal(a.trainer.samples, 64);
    assert_int_equal(s_train(&a, NULL), FL_OK);
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_equal(a.update, b.update, sizeof a.update);
    double sum = 0;
    for (int i = 0; i < ELEMENTS; i++) {
        assert_true(fabsf(a.update[i]) <= 0.25f);
        sum += (double)a.update[i];
    }
    assert_true(fabs(sum) < 25 && sum != 0);
    assert_int_equal(a.training.samples, 64);
    assert_int_equal(a.training.stats[FL_STAT_SAMPLES], 64);
    b.training.order.round = 2;
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_not_equal(a.update, b.update, sizeof a.update);
    s_close(&b);
    s_open(&b, 2, 64);
    assert_int_equal(s_train(&b, NULL), FL_OK);
    assert_memory_not_equal(a.update, b.update, sizeof a.update);
    s_close(&a);
    s_close(&b);
}

static void
a_model_of_another_length_is_refused(void **state)
{
    (void)state;
    fixture fix;
    fl_why why = { "" };
    s_open(&fix, 1, 64);
    fl_blob *longer = NULL;
    assert_int_equal(fl_start_vector(ELEMENTS + 1, &longer, NULL), FL_OK);
    fix.training.model = fl_blob_bytes(longer);
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "1001 elements"));
    fix.training.model.size = 3;
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    fix.training.model = fl_blob_bytes(fix.model);
    fix.training.order.elements = 5;
    assert_int_equal(s_train(&fix, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "the round 5"));
    fl_blob_unref(&longer);
    s_close(&fix);
}

static void
without_a_length_of_its_own_it_takes_that_of_the_round(void **state)
{
    (void)state;
    fixture any, own;
    fl_why why = { "" };
    s_open(&own, 1, 64);
    own_elements = 0;
    s_open(&any, 1, 64);
    own_elements = ELEMENTS;
    assert_int_equal(s_train(&own, NULL), FL_OK);
    assert_int_equal(s_train(&any, NULL), FL_OK);
    assert_memory_equal(any.update, own.update, sizeof any.update);
    s_close(&own);
    fl_blob *shorter = NULL;
    assert_int_equal(fl_start_vector(7, &shorter, NULL), FL_OK);
    any.training.model = fl_blob_bytes(shorter);
    assert_int_equal(s_train(&any, &why), FL_MISMATCH);
    assert_non_null(strstr(why.text, "has 7 elements and the round 1000"));
    any.training.order.elements = 7;
    memset(any.update, 0, sizeof any.update);
    assert_int_equal(s_train(&any, NULL), FL_OK);
    assert_true(any.update[6] != 0 && any.update[7] == 0);
    fl_blob_unref(&shorter);
    s_close(&any);
}

static void
a_trainer_that_claims_no_sample_has_no_update(void **state)
{
    (void)state;
    fixture fix;
    s_open(&fix, 1, 0);
    assert_int_equal(s_train(&fix, NULL), FL_MISSING);
    fix.trainer.cancel(fix.trainer.self);
    s_close(&fix);
}

static void
an_impossible_length_is_refused(void **state)
{
    (void)state;
    const fl_trainer_synthetic_conf conf = { .elements = UINT64_MAX };
    fl_trainer trainer;
    fl_why why = { "" };
    assert_int_equal(fl_trainer_synthetic_new(&conf, &trainer, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "there may be"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_depends_on_seed_and_round_and_stays_within_the_clip),
        cmocka_unit_test(a_model_of_another_length_is_refused),
        cmocka_unit_test(without_a_length_of_its_own_it_takes_that_of_the_round),
        cmocka_unit_test(a_trainer_that_claims_no_sample_has_no_update),
        cmocka_unit_test(an_impossible_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
