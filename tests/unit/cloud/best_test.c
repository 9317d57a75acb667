#include "cloud/best.h"

#include "tests/support/unit.h"

#include <math.h>

static fl_best best;

static int
s_begin(void **state)
{
    (void)state;
    best = (fl_best){ 0 };
    return 0;
}

//  Rounds 1, 2, ... with these accuracies; how the run stands then.
static fl_reason
s_show(const double *accuracies, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)fl_best_see(&best, i + 1, 1, accuracies[i]);
    }
    return fl_best_ending(&best);
}

static void
the_best_is_the_first_of_the_highest(void **state)
{
    (void)state;
    assert_int_equal(best.round, 0);
    assert_true(fl_best_see(&best, 1, 3, 0.5));
    assert_false(fl_best_see(&best, 2, 1, 0.5)); // its loss does not count
    assert_true(fl_best_see(&best, 3, 9, 0.6));
    assert_false(fl_best_see(&best, 4, 1, 0.4));
    assert_true(best.round == 3 && best.value == 0.6 && best.since == 1);
}

static void
of_losses_the_lowest_is_the_best(void **state)
{
    (void)state;
    best.by = FL_BEST_LOSS;
    best.target = 0.5;
    assert_true(fl_best_see(&best, 1, 3, 0.9));
    assert_false(fl_best_see(&best, 2, 4, 0.99));
    assert_int_equal(fl_best_ending(&best), FL_WHY_NONE);
    assert_true(fl_best_see(&best, 3, 0.5, 0.1));
    assert_int_equal(fl_best_ending(&best), FL_WHY_TARGET);
}

static void
a_round_without_a_score_says_nothing(void **state)
{
    (void)state;
    best.patience = 1;
    assert_false(fl_best_see(&best, 1, NAN, NAN));
    assert_int_equal(best.round, 0);
    assert_true(fl_best_see(&best, 2, 1, 0)); // the worst score is one
    for (uint64_t round = 3; round < 9; round++) {
        assert_false(fl_best_see(&best, round, 1, NAN));
    }
    assert_int_equal(fl_best_ending(&best), FL_WHY_NONE);
    assert_false(fl_best_see(&best, 9, 1, 0));
    assert_int_equal(fl_best_ending(&best), FL_WHY_PATIENCE);
}

static void
a_target_is_reached_from_either_side_of_it(void **state)
{
    (void)state;
    static const double up[] = { 0.5, 0.79, 0.8, 0.7 };
    best.target = 0.8;
    assert_int_equal(s_show(up, 2), FL_WHY_NONE);
    assert_int_equal(s_show(up, 3), FL_WHY_TARGET); // exactly
    assert_int_equal(s_show(up, 4), FL_WHY_TARGET); // the best has it
}

static void
patience_counts_from_the_last_best_one(void **state)
{
    (void)state;
    static const double plateau[] = { 0.5, 0.4, 0.5, 0.6, 0.6, 0.3, 0.2 };
    best.patience = 3;
    assert_int_equal(s_show(plateau, 3), FL_WHY_NONE);
    (void)s_begin(NULL);
    best.patience = 3;
    assert_int_equal(s_show(plateau, 6), FL_WHY_NONE);
    (void)s_begin(NULL);
    best.patience = 3;
    assert_int_equal(s_show(plateau, 7), FL_WHY_PATIENCE);
    best.patience = 4; // raised: the run goes on
    assert_int_equal(fl_best_ending(&best), FL_WHY_NONE);
    best.patience = 0;
    best.since = 1000000;
    assert_int_equal(fl_best_ending(&best), FL_WHY_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_best_is_the_first_of_the_highest, s_begin),
        cmocka_unit_test_setup(of_losses_the_lowest_is_the_best, s_begin),
        cmocka_unit_test_setup(a_round_without_a_score_says_nothing, s_begin),
        cmocka_unit_test_setup(a_target_is_reached_from_either_side_of_it, s_begin),
        cmocka_unit_test_setup(patience_counts_from_the_last_best_one, s_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
