#include "common/config/clock.h"

#include "tests/support/unit.h"

static void
a_pause_of_nothing_ends_at_once(void **state)
{
    (void)state;
    atomic_bool cancel = false;
    assert_true(fl_clock_pause(0, &cancel));
}

static void
a_pause_lasts_at_least_as_long_as_asked(void **state)
{
    (void)state;
    atomic_bool cancel = false;
    const fl_time start = fl_clock_ms();
    assert_true(fl_clock_pause(25, &cancel));
    assert_true(fl_clock_ms() - start >= 24);
}

static void
a_cancelled_pause_ends_early_and_says_so(void **state)
{
    (void)state;
    atomic_bool cancel = true;
    const fl_time start = fl_clock_ms();
    assert_false(fl_clock_pause(UINT32_MAX, &cancel));
    assert_false(fl_clock_pause(0, &cancel));
    assert_true(fl_clock_ms() - start < 5000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_of_nothing_ends_at_once),
        cmocka_unit_test(a_pause_lasts_at_least_as_long_as_asked),
        cmocka_unit_test(a_cancelled_pause_ends_early_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
