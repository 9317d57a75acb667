#include "common/runtime/durable_recall.h"

#include "tests/support/unit.h"

#include <string.h>

#include "tests/support/place.h"

static fl_ledger *ledger;
static fl_why why;
static const fl_run run = { { 7 } };

static int
start(void **state)
{
    if (place_make(state) != 0) {
        return -1;
    }
    return fl_ledger_open(place_of("ledger.db"), &ledger, &why) == FL_OK ? 0 : -1;
}

static int
end(void **state)
{
    fl_ledger_close(&ledger);
    return place_end(state);
}

static fl_hash
base_of(uint64_t round)
{
    fl_hash hash = { { (uint8_t)round, (uint8_t)(round >> 8), 1 } };
    return hash;
}

static void
close_rounds(uint64_t last)
{
    for (uint64_t round = 1; round <= last; round++) {
        fl_report report = { .run = run,
                             .round = round,
                             .attempt = 1,
                             .base = base_of(round),
                             .model = base_of(round + 1) };
        assert_int_equal(fl_ledger_round_open(ledger, &report, &why), FL_OK);
        assert_int_equal(fl_ledger_round_close(ledger, &report, 0, &why), FL_OK);
    }
}

static void
closed_rounds_come_back_with_the_model_that_they_began_with(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    close_rounds(3);
    assert_int_equal(fl_durable_recall(ledger, &run, 3, pasts), 3);
    for (uint64_t i = 0; i < 3; i++) {
        fl_hash base = base_of(i + 1);
        assert_int_equal(pasts[i].round, i + 1);
        assert_true(fl_hash_equal(&pasts[i].model, &base));
    }
}

static void
of_many_rounds_the_newest_are_recalled(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    close_rounds(FL_PASTS_MAX + 5);
    assert_int_equal(fl_durable_recall(ledger, &run, FL_PASTS_MAX + 5, pasts), FL_PASTS_MAX);
    assert_int_equal(pasts[0].round, 6);
    assert_int_equal(pasts[FL_PASTS_MAX - 1].round, FL_PASTS_MAX + 5);
}

static void
another_run_has_no_past(void **state)
{
    (void)state;
    fl_past pasts[FL_PASTS_MAX];
    const fl_run other = { { 8 } };
    close_rounds(2);
    assert_int_equal(fl_durable_recall(ledger, &other, 2, pasts), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(closed_rounds_come_back_with_the_model_that_they_began_with,
                                        start, end),
        cmocka_unit_test_setup_teardown(of_many_rounds_the_newest_are_recalled, start, end),
        cmocka_unit_test_setup_teardown(another_run_has_no_past, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
