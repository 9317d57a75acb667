#include "cloud/optimizer.h"

#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

#include "common/base/rng.h"

enum { ELEMENTS = 500 };

static const fl_optimizer_conf fedavg = { FL_OPTIMIZER_FEDAVG, 1.0f, 0.0f, 0, 0 };
static const fl_optimizer_conf fedavgm = { FL_OPTIMIZER_FEDAVGM, 0.5f, 0.75f, 0, 0 };

static void
s_means(float mean[ELEMENTS], uint64_t round)
{
    fl_rng rng = fl_rng_seeded(round);
    for (int i = 0; i < ELEMENTS; i++) {
        mean[i] = (float)fl_rng_normal(&rng);
    }
}

static void
fedavg_adds_the_mean(void **state)
{
    (void)state;
    fl_optimizer *optimizer = fl_optimizer_new(&fedavg, 3);
    assert_non_null(optimizer);
    float model[3] = { 1, 2, 3 };
    const float mean[3] = { 0.5f, -2, 0 };
    fl_optimizer_apply(optimizer, mean, model, 0, 3);
    fl_optimizer_apply(optimizer, mean, model, 0, 3);
    assert_true(model[0] == 2 && model[1] == -2 && model[2] == 3);
    assert_int_equal(fl_optimizer_state(optimizer).size, 0);
    fl_optimizer_destroy(&optimizer);
    assert_null(optimizer);
    fl_optimizer_destroy(&optimizer);
}

static void
fedavgm_carries_a_velocity(void **state)
{
    (void)state;
    fl_optimizer *optimizer = fl_optimizer_new(&fedavgm, 1);
    assert_non_null(optimizer);
    float model = 0;
    const float mean[3] = { 8, 0, 4 };
    //  v: 8, 6, 8.5; the model grows by half of each.
    const float expect[3] = { 4, 7, 11.25f };
    for (int i = 0; i < 3; i++) {
        fl_optimizer_apply(optimizer, &mean[i], &model, 0, 1);
        assert_true(model == expect[i]);
    }
    fl_optimizer_destroy(&optimizer);
}

//  The second step is one of an optimizer that was restored.
static void
fedadam_steps_by_both_moments(void **state)
{
    (void)state;
    const fl_optimizer_conf adam = { FL_OPTIMIZER_FEDADAM, 0.1f, 0.9f, 0.99f, 0.001f };
    fl_optimizer *one = fl_optimizer_new(&adam, 2), *other = fl_optimizer_new(&adam, 2);
    assert_true(one != NULL && other != NULL);
    float model[2] = { 0 };
    const float mean[2][2] = { { 0.5f, 0.5f }, { -0.25f, -0.25f } };
    fl_optimizer_begin(one);
    fl_optimizer_apply(one, mean[0], model, 0, 1);
    fl_optimizer_apply(one, mean[0] + 1, model + 1, 1, 1);
    assert_true(fabs((double)model[0] - 0.072790175) < 1e-7 && model[0] == model[1]);
    assert_int_equal(fl_optimizer_restore(other, fl_optimizer_state(one), NULL), FL_OK);
    fl_optimizer_begin(other);
    fl_optimizer_apply(other, mean[1], model, 0, 2);
    assert_true(fabs((double)model[0] - 0.095230775) < 1e-7 && model[0] == model[1]);
    fl_optimizer_destroy(&one);
    fl_optimizer_destroy(&other);
}

static void
without_momentum_fedavgm_is_fedavg(void **state)
{
    (void)state;
    const fl_optimizer_conf still = { FL_OPTIMIZER_FEDAVGM, 1.0f, 0.0f, 0, 0 };
    fl_optimizer *a = fl_optimizer_new(&fedavg, ELEMENTS), *b = fl_optimizer_new(&still, ELEMENTS);
    assert_true(a != NULL && b != NULL);
    float left[ELEMENTS] = { 0 }, right[ELEMENTS] = { 0 }, mean[ELEMENTS];
    for (uint64_t round = 0; round < 5; round++) {
        s_means(mean, round);
        fl_optimizer_apply(a, mean, left, 0, ELEMENTS);
        fl_optimizer_apply(b, mean, right, 0, ELEMENTS);
    }
    assert_memory_equal(left, right, sizeof left);
    fl_optimizer_destroy(&a);
    fl_optimizer_destroy(&b);
}

static void
any_split_into_ranges_gives_the_same_model(void **state)
{
    (void)state;
    fl_optimizer *whole = fl_optimizer_new(&fedavgm, ELEMENTS);
    fl_optimizer *split = fl_optimizer_new(&fedavgm, ELEMENTS);
    assert_true(whole != NULL && split != NULL);
    float left[ELEMENTS] = { 0 }, right[ELEMENTS] = { 0 }, mean[ELEMENTS];
    fl_rng rng = fl_rng_seeded(1);
    for (uint64_t round = 0; round < 20; round++) {
        s_means(mean, round);
        fl_optimizer_apply(whole, mean, left, 0, ELEMENTS);
        for (uint64_t at = 0; at < ELEMENTS;) {
            uint64_t now = 1 + fl_rng_below(&rng, 90);
            now = now < ELEMENTS - at ? now : ELEMENTS - at;
            fl_optimizer_apply(split, mean + at, right + at, at, now);
            at += now;
        }
        assert_memory_equal(left, right, sizeof left);
    }
    fl_optimizer_destroy(&whole);
    fl_optimizer_destroy(&split);
}

static void
a_restored_state_goes_on_as_if_nothing_had_happened(void **state)
{
    (void)state;
    fl_optimizer *old = fl_optimizer_new(&fedavgm, ELEMENTS);
    fl_optimizer *restarted = fl_optimizer_new(&fedavgm, ELEMENTS);
    assert_true(old != NULL && restarted != NULL);
    float left[ELEMENTS] = { 0 }, right[ELEMENTS], mean[ELEMENTS];
    s_means(mean, 1);
    fl_optimizer_apply(old, mean, left, 0, ELEMENTS);
    assert_int_equal(fl_optimizer_restore(restarted, fl_optimizer_state(old), NULL), FL_OK);
    memcpy(right, left, sizeof right);
    s_means(mean, 2);
    fl_optimizer_apply(old, mean, left, 0, ELEMENTS);
    fl_optimizer_apply(restarted, mean, right, 0, ELEMENTS);
    assert_memory_equal(left, right, sizeof left);
    fl_optimizer_destroy(&old);
    fl_optimizer_destroy(&restarted);
}

//  Each state is as long as ours, or the row says so: its name is looked at, not its size.
static void
a_state_of_another_optimizer_or_model_is_refused_by_name(void **state)
{
    (void)state;
    fl_optimizer *none = fl_optimizer_new(&fedavg, ELEMENTS);
    fl_optimizer *ours = fl_optimizer_new(&fedavgm, ELEMENTS);
    fl_optimizer *small = fl_optimizer_new(&fedavgm, ELEMENTS - 1);
    assert_true(none != NULL && ours != NULL && small != NULL);
    fl_bytes own = fl_optimizer_state(ours);
    uint8_t adam[2048] = { 0 }, second[2048], nameless[2048] = { 0 };
    assert_true(own.size == 24 + ELEMENTS * sizeof(float) && own.size <= sizeof adam);
    memcpy(adam, own.data, own.size);
    memcpy(second, own.data, own.size);
    memcpy(adam + 8, "fedadam", 7);
    memcpy(second + 8, "fedavgm/2", 9);
    const struct { fl_optimizer *at; fl_bytes kept; const char *said; } rows[] = {
        { ours, { adam, own.size }, "is of fedadam/1, server.optimizer is fedavgm" },
        { ours, { second, own.size }, "is of fedavgm/2" },
        { none, own, "is of fedavgm/1, server.optimizer is fedavg:" },
        { ours, fl_optimizer_state(small), "of another model" },
        { ours, { nameless, own.size }, "has no name" },
        { ours, { nameless, ELEMENTS * sizeof(float) }, "has no name" }, // as it was before names
        { ours, { own.data, 6 }, "has no name" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_why why = { "" };
        assert_int_equal(fl_optimizer_restore(rows[i].at, rows[i].kept, &why), FL_MISMATCH);
        assert_non_null(strstr(why.text, rows[i].said));
    }
    fl_optimizer_destroy(&none);
    fl_optimizer_destroy(&ours);
    fl_optimizer_destroy(&small);
}

static void
a_setting_out_of_bounds_is_refused_by_name(void **state)
{
    (void)state;
    const struct { fl_optimizer_conf conf; const char *said;
    } rows[] = {
        { { FL_OPTIMIZER_FEDAVG, 0, 0, 0, 0 }, "rate is 0" },
        { { FL_OPTIMIZER_FEDAVG, NAN, 0, 0, 0 }, "rate is" },
        { { FL_OPTIMIZER_FEDAVG, INFINITY, 0, 0, 0 }, "rate is" },
        { { FL_OPTIMIZER_FEDAVGM, 1, 1, 0, 0 }, "momentum is 1" },
        { { FL_OPTIMIZER_FEDAVGM, 1, -0.5f, 0, 0 }, "momentum is -0.5" },
        { { FL_OPTIMIZER_FEDAVGM, 1, NAN, 0, 0 }, "momentum is" },
        { { FL_OPTIMIZER_FEDAVG, 1, 0.5f, 0, 0 }, "take fedavgm" },
        { { FL_OPTIMIZER_FEDADAM, 1, 0.9f, 1, 0.001f }, "second of 0 to below 1 (1 is set)" },
        { { FL_OPTIMIZER_FEDADAM, 1, 0.9f, 0.99f, 0 }, "tau above 0 (0 is set)" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_why why = { "" };
        assert_int_equal(fl_optimizer_check(&rows[i].conf, &why), FL_RANGE);
        assert_non_null(strstr(why.text, rows[i].said));
    }
    assert_int_equal(fl_optimizer_check(&fedavg, NULL), FL_OK);
    assert_int_equal(fl_optimizer_check(&fedavgm, NULL), FL_OK);
}

static void
s_apply_beyond_the_end(void)
{
    fl_optimizer *optimizer = fl_optimizer_new(&fedavg, 2);
    float mean[2] = { 0 }, model[2] = { 0 };
    fl_optimizer_apply(optimizer, mean, model, 1, 2);
}

static void
a_range_beyond_the_end_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_apply_beyond_the_end));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fedavg_adds_the_mean),
        cmocka_unit_test(fedavgm_carries_a_velocity),
        cmocka_unit_test(fedadam_steps_by_both_moments),
        cmocka_unit_test(without_momentum_fedavgm_is_fedavg),
        cmocka_unit_test(any_split_into_ranges_gives_the_same_model),
        cmocka_unit_test(a_restored_state_goes_on_as_if_nothing_had_happened),
        cmocka_unit_test(a_state_of_another_optimizer_or_model_is_refused_by_name),
        cmocka_unit_test(a_setting_out_of_bounds_is_refused_by_name),
        cmocka_unit_test(a_range_beyond_the_end_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
