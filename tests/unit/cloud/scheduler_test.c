#include "cloud/scheduler.h"

#include "tests/support/unit.h"

static void
every_move_that_the_table_does_not_know_is_refused(void **state)
{
    (void)state;
    //  A row per state before, a letter per state after: y is legal.
    static const char *const moves[] = {
        [FL_RUN_QUEUED] = "nynnyy", [FL_RUN_RUNNING] = "nnyyyy", [FL_RUN_PAUSED] = "nyynyy",
        [FL_RUN_DONE] = "nnnnnn",   [FL_RUN_STOPPED] = "nnnnnn", [FL_RUN_ABORTED] = "nnnnnn"
    };
    for (fl_run_state from = FL_RUN_QUEUED; from < FL_RUN_STATES; from++) {
        for (fl_run_state to = FL_RUN_QUEUED; to < FL_RUN_STATES; to++) {
            assert_int_equal(fl_run_state_may(from, to), moves[from][to - FL_RUN_QUEUED] == 'y');
        }
    }
    assert_false(fl_run_state_may(FL_RUN_STATES, FL_RUN_DONE));
    assert_false(fl_run_state_may(FL_RUN_QUEUED, FL_RUN_STATES));
}

static void
an_open_round_goes_on_first_then_who_was_begun_then_priority_and_number_count(void **state)
{
    (void)state;
    //  In the order in which they begin.
    static const fl_ledger_run runs[] = {
        { .state = FL_RUN_RUNNING, .priority = -9, .number = 8, .open = 6 },
        { .state = FL_RUN_RUNNING, .priority = 1, .number = 2, .open = 5 },
        { .state = FL_RUN_RUNNING, .priority = -5, .number = 7 },
        { .state = FL_RUN_QUEUED, .priority = 2, .number = 9 },
        { .state = FL_RUN_QUEUED, .priority = 0, .number = 3 },
        { .state = FL_RUN_QUEUED, .priority = 0, .number = 4 },
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        assert_true(fl_run_waits(&runs[i]));
        for (size_t k = 0; k < sizeof runs / sizeof *runs; k++) {
            assert_int_equal(fl_run_before(&runs[i], &runs[k]), i < k);
        }
    }
    for (fl_run_state at = FL_RUN_PAUSED; at < FL_RUN_STATES; at++) {
        assert_false(fl_run_waits(&(fl_ledger_run){ .state = at }));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_that_the_table_does_not_know_is_refused),
        cmocka_unit_test(
            an_open_round_goes_on_first_then_who_was_begun_then_priority_and_number_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
