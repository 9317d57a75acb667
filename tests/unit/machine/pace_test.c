#include "common/machine/pace.h"

#include "tests/support/unit.h"

static uint32_t
s_after(uint32_t rounds, const uint32_t *medians)
{
    fl_pace pace = { 0 };
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t one = medians[i];
        fl_pace_learn(&pace, &one, 1);
    }
    return fl_pace_ms(&pace);
}

static void
without_a_measured_round_there_is_no_pace(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    assert_int_equal(fl_pace_ms(&pace), 0);
    fl_pace_learn(&pace, NULL, 0);
    assert_int_equal(fl_pace_ms(&pace), 0);
}

static void
the_pace_is_the_median_of_the_medians_of_the_last_rounds(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    uint32_t durations[] = { 500, 100, 300, 200, 400 };
    fl_pace_learn(&pace, durations, 5);
    assert_int_equal(fl_pace_ms(&pace), 300);
    const uint32_t medians[] = { 300, 10, 290, 310, 5000 };
    assert_int_equal(s_after(5, medians), 300); // neither the quick round nor the slow one
}

static void
only_the_newest_rounds_are_remembered(void **state)
{
    (void)state;
    uint32_t medians[2 * FL_PACE_ROUNDS];
    for (uint32_t i = 0; i < 2 * FL_PACE_ROUNDS; i++) {
        medians[i] = i < FL_PACE_ROUNDS ? 1000 : 7;
    }
    assert_int_equal(s_after(FL_PACE_ROUNDS, medians), 1000);
    assert_int_equal(s_after(2 * FL_PACE_ROUNDS, medians), 7);
}

static void
a_forgotten_pace_is_measured_anew(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    uint32_t one = 250;
    fl_pace_learn(&pace, &one, 1);
    fl_pace_forget(&pace);
    assert_int_equal(fl_pace_ms(&pace), 0);
    one = 40;
    fl_pace_learn(&pace, &one, 1);
    assert_int_equal(fl_pace_ms(&pace), 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_measured_round_there_is_no_pace),
        cmocka_unit_test(the_pace_is_the_median_of_the_medians_of_the_last_rounds),
        cmocka_unit_test(only_the_newest_rounds_are_remembered),
        cmocka_unit_test(a_forgotten_pace_is_measured_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
