#include "cloud/schedule.h"

#include "tests/support/unit.h"

#include <math.h>
#include <string.h>

static void
s_near(double found, double wanted)
{
    if (fabs(found - wanted) > 1e-12) {
        fail_msg("%.17g is not %.17g", found, wanted);
    }
}

static void
a_constant_rate_stays(void **state)
{
    (void)state;
    const fl_schedule rate = { .kind = FL_SCHEDULE_CONSTANT, .first = 0.3 };
    for (uint64_t round = 1; round <= 9; round++) {
        assert_true(fl_schedule_at(&rate, round, 5) == 0.3); // to the bit, beyond the end as well
    }
}

static void
a_step_multiplies_every_so_many_rounds(void **state)
{
    (void)state;
    const fl_schedule rate = { .kind = FL_SCHEDULE_STEP, .first = 0.4, .factor = 0.5, .every = 3 };
    static const double wanted[] = { 0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1 };
    for (uint64_t round = 1; round <= 7; round++) {
        s_near(fl_schedule_at(&rate, round, 7), wanted[round - 1]);
    }
}

static void
a_cosine_goes_from_the_first_to_the_last_round(void **state)
{
    (void)state;
    const fl_schedule rate = { .kind = FL_SCHEDULE_COSINE, .first = 0.9, .last = 0.1 };
    s_near(fl_schedule_at(&rate, 1, 5), 0.9);
    s_near(fl_schedule_at(&rate, 2, 5), 0.5 + 0.4 * sqrt(0.5));
    s_near(fl_schedule_at(&rate, 3, 5), 0.5);
    s_near(fl_schedule_at(&rate, 4, 5), 0.5 - 0.4 * sqrt(0.5));
    s_near(fl_schedule_at(&rate, 5, 5), 0.1);
    s_near(fl_schedule_at(&rate, 6, 5), 0.1); // a run that was given fewer rounds meanwhile
    s_near(fl_schedule_at(&rate, 1, 1), 0.9);
}

static void
a_warm_up_climbs_and_the_rest_begins_behind_it(void **state)
{
    (void)state;
    fl_schedule rate = { .kind = FL_SCHEDULE_COSINE, .first = 0.9, .last = 0.1, .warmup = 2 };
    static const double wanted[] = { 0.3, 0.6, 0.9, 0.5, 0.1 };
    for (uint64_t round = 1; round <= 5; round++) {
        s_near(fl_schedule_at(&rate, round, 5), wanted[round - 1]);
    }
    rate.kind = FL_SCHEDULE_CONSTANT;
    s_near(fl_schedule_at(&rate, 2, 5), 0.6);
    s_near(fl_schedule_at(&rate, 3, 5), 0.9);
    rate = (fl_schedule){ .kind = FL_SCHEDULE_STEP, .first = 0.9, .factor = 0.5, .every = 1,
                          .warmup = 2 };
    s_near(fl_schedule_at(&rate, 3, 5), 0.9);
    s_near(fl_schedule_at(&rate, 4, 5), 0.45);
}

static void
what_is_no_schedule_is_refused(void **state)
{
    (void)state;
    static const struct {
        fl_schedule rate;
        const char *said;
    } rows[] = {
        { { FL_SCHEDULE_COSINE, .first = -1 }, "-1 is no rate" },
        { { FL_SCHEDULE_COSINE, .first = 1, .last = 1001 }, "1001 is no rate" },
        { { FL_SCHEDULE_CONSTANT, .first = NAN }, "nan is no rate" },
        { { FL_SCHEDULE_STEP, .first = 1, .factor = 0, .every = 1 }, "the factor is 0" },
        { { FL_SCHEDULE_STEP, .first = 1, .factor = 1.5, .every = 1 }, "the factor is 1.5" },
        { { FL_SCHEDULE_STEP, .first = 1, .factor = 1, .every = 0 }, "whole number of rounds" },
        { { FL_SCHEDULE_CONSTANT, .first = 1, .warmup = 10 }, "warmup is 10, of 10 rounds" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_why why = { "" };
        assert_int_equal(fl_schedule_check(&rows[i].rate, 10, &why), FL_RANGE);
        if (strstr(why.text, rows[i].said) == NULL) {
            fail_msg("'%s' is not in: %s", rows[i].said, why.text);
        }
    }
    const fl_schedule widest = { FL_SCHEDULE_STEP, .first = 1000, .factor = 1, .every = 1,
                                 .warmup = 9 };
    assert_int_equal(fl_schedule_check(&widest, 10, NULL), FL_OK);
    const fl_schedule least = { .kind = FL_SCHEDULE_CONSTANT };
    assert_int_equal(fl_schedule_check(&least, 1, NULL), FL_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(a_step_multiplies_every_so_many_rounds),
        cmocka_unit_test(a_cosine_goes_from_the_first_to_the_last_round),
        cmocka_unit_test(a_warm_up_climbs_and_the_rest_begins_behind_it),
        cmocka_unit_test(what_is_no_schedule_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
