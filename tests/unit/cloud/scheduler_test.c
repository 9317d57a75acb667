#include "cloud/scheduler.h"

#include <string.h>

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

static fl_claim
s_claim(const char *one, const char *other, uint64_t bytes, uint32_t track)
{
    fl_claim claim = { .bytes = bytes, .track = track };
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? one : other;
        claim.on_count += name != NULL && fl_name_parse(name, &claim.on[claim.on_count]) ? 1 : 0;
    }
    return claim;
}

//  NULL: it is placed there; else what it waits for.
static void
s_placed(const fl_claim *held, uint32_t count, fl_claim run, uint32_t track, const char *waits)
{
    fl_why why = { "" };
    const fl_status status = fl_run_place(held, count, 10, &run, &why);
    assert_int_equal(status, waits == NULL ? FL_OK : FL_BUSY);
    assert_true(waits != NULL ? strstr(why.text, waits) != NULL : run.track == track);
}

static void
runs_that_want_the_same_children_share_a_track_and_others_have_one_each(void **state)
{
    (void)state;
    const fl_claim held[] = { s_claim("a", "b", 4, 0), s_claim("c", NULL, 5, 1) };
    const fl_claim all = s_claim(NULL, NULL, 4, 1);
    s_placed(NULL, 0, s_claim("a", NULL, 99, 0), 0, NULL);
    s_placed(held, 1, s_claim("d", "b", 99, 0), 0, NULL); // it takes turns: no second round
    s_placed(held, 1, s_claim(NULL, NULL, 4, 0), 0, NULL);
    s_placed(held, 1, s_claim("c", NULL, 6, 0), 1, NULL);
    s_placed(held, 1, s_claim("c", NULL, 7, 0), 1, "for memory");
    s_placed(&held[1], 1, s_claim("a", NULL, 5, 0), 0, NULL);
    s_placed(&all, 1, s_claim("a", NULL, 5, 0), 1, NULL);
    s_placed(held, 2, s_claim("d", "c", 6, 0), 1, NULL);
    s_placed(held, 2, s_claim("d", "c", 7, 0), 1, "for memory");
    s_placed(held, 2, s_claim("d", NULL, 5, 0), 0, NULL);
    s_placed(held, 2, s_claim("b", "c", 1, 0), 0, "two runs that overlap");
    s_placed(held, 2, s_claim(NULL, NULL, 1, 0), 0, "two runs that overlap");
}

static void
a_run_waits_for_somebody_who_offers_what_it_names(void **state)
{
    static const fl_offerings offers = { .count = 1, .of = { { { "builtin" }, { "xray" } } } };
    static const struct {
        fl_offering wanted;
        const char *waits;
    } rows[] = {
        { { { "" }, { "" } }, NULL },
        { { { "builtin" }, { "xray" } }, NULL },
        { { { "digits" }, { "" } }, "nobody offers trainer digits" },
        { { { "" }, { "scans" } }, "nobody offers data scans" },
        { { { "builtin" }, { "scans" } }, "nobody offers data scans" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const fl_claim run = { .wanted = rows[i].wanted };
        fl_why why = { "" };
        assert_int_equal(fl_run_offered(&run, &offers, &why),
                         rows[i].waits == NULL ? FL_OK : FL_BUSY);
        assert_string_equal(why.text, rows[i].waits == NULL ? "" : rows[i].waits);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_move_that_the_table_does_not_know_is_refused),
        cmocka_unit_test(
            an_open_round_goes_on_first_then_who_was_begun_then_priority_and_number_count),
        cmocka_unit_test(a_run_waits_for_somebody_who_offers_what_it_names),
        cmocka_unit_test(runs_that_want_the_same_children_share_a_track_and_others_have_one_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
