//  The window of a round: when it ends, and how.
#include "common/round/aggregator.h"

#include "tests/support/parent.h"
#include "tests/support/unit.h"

enum { NEVER = -1, DECLINES = -2, CHILDREN = 3 };

#define SKIP FL_MISSED_SKIP
#define ABORT FL_MISSED_ABORT
#define EXTEND FL_MISSED_EXTEND
#define DONE FL_CLOSE_DONE
#define SKIPPED FL_CLOSE_SKIPPED
#define ABORTED FL_CLOSE_ABORTED

typedef struct play {
    const char *what;
    fl_window window;      // counts min, max; times min, max; factor; missed; extend by, so often
    uint32_t pace;         // how long everybody took in the round before; 0 = there was none
    fl_time due;           // 0 = nobody above waits
    int arrives[CHILDREN]; // ms after the round opened
    fl_time want_at;       // closed then
    fl_close want;
    uint32_t want_in;
} play;

static const play plays[] = {
    // clang-format off
    { "everybody came",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 30, DONE, 3 },
    { "enough came",
      { 1, 2, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 20, DONE, 2 },
    { "one is enough",
      { 1, 1, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 10, DONE, 1 },
    { "enough, but not so soon",
      { 1, 2, 25, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 25, DONE, 2 },
    { "more than enough by the minimum time",
      { 1, 2, 40, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 40, DONE, 3 },
    { "everybody, but not so soon",
      { 1, 0, 50, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, 30 }, 50, DONE, 3 },
    { "one never comes",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, NEVER }, 1000, DONE, 2 },
    { "one declines",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, DECLINES }, 20, DONE, 2 },
    { "nobody comes",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { NEVER, NEVER, NEVER }, 1000, SKIPPED, 0 },
    { "too few: skipped",
      { 3, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, NEVER }, 1000, SKIPPED, 2 },
    { "too few: aborted",
      { 3, 0, 0, 1000, 0, ABORT, 0, 0, 0 }, 0, 0, { 10, 20, NEVER }, 1000, ABORTED, 2 },
    { "too few left: a root waits for others",
      { 3, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, DECLINES }, 1000, SKIPPED, 2 },
    { "too few left: an edge says so at once",
      { 3, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 900, { 10, 20, DECLINES }, 20, SKIPPED, 2 },
    { "extended, and it helps",
      { 3, 0, 0, 1000, 0, EXTEND, 500, 1, 0 }, 0, 0, { 10, 20, 1200 }, 1200, DONE, 3 },
    { "extended in vain",
      { 3, 0, 0, 1000, 0, EXTEND, 500, 1, 0 }, 0, 0, { 10, 20, NEVER }, 1500, SKIPPED, 2 },
    { "extended twice",
      { 3, 0, 0, 1000, 0, EXTEND, 500, 2, 0 }, 0, 0, { 10, 20, 1800 }, 1800, DONE, 3 },
    { "extended never",
      { 3, 0, 0, 1000, 0, EXTEND, 500, 0, 0 }, 0, 0, { 10, 20, 1200 }, 1000, SKIPPED, 2 },
    { "enough: not extended",
      { 2, 0, 0, 1000, 0, EXTEND, 500, 1, 0 }, 0, 0, { 10, 20, 1200 }, 1000, DONE, 2 },
    { "due before the deadline",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 0 }, 0, 650, { 10, 20, NEVER }, 600, DONE, 2 },
    { "extended up to when it is due",
      { 3, 0, 0, 300, 0, EXTEND, 500, 1, 0 }, 0, 450, { 10, 20, NEVER }, 400, SKIPPED, 2 },
    { "due at once: no extension",
      { 3, 0, 0, 300, 0, EXTEND, 500, 1, 0 }, 0, 350, { 10, 20, NEVER }, 300, SKIPPED, 2 },
    { "twice the median",
      { 1, 0, 0, 1000, 2000, SKIP, 0, 0, 0 }, 100, 0, { 10, 20, 300 }, 200, DONE, 2 },
    { "nothing measured: the ceiling",
      { 1, 0, 0, 1000, 2000, SKIP, 0, 0, 0 }, 0, 0, { 10, 20, NEVER }, 1000, DONE, 2 },
    { "not below the minimum time",
      { 1, 0, 250, 1000, 2000, SKIP, 0, 0, 0 }, 100, 0, { 10, 20, NEVER }, 250, DONE, 2 },
    { "not above the maximum time",
      { 1, 0, 0, 1000, 2000, SKIP, 0, 0, 0 }, 700, 0, { 10, 20, NEVER }, 1000, DONE, 2 },
    { "measured and extended",
      { 3, 0, 0, 1000, 2000, EXTEND, 50, 1, 0 }, 100, 0, { 10, 20, 240 }, 240, DONE, 3 },
    { "measured and aborted",
      { 3, 0, 0, 1000, 2000, ABORT, 0, 0, 0 }, 100, 0, { 10, 20, NEVER }, 200, ABORTED, 2 },
    { "measured and skipped",
      { 3, 0, 0, 1000, 3000, SKIP, 0, 0, 0 }, 100, 0, { 10, 20, NEVER }, 300, SKIPPED, 2 },
    { "two of three devices are enough",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 666 }, 0, 0, { 10, 20, NEVER }, 1000, DONE, 2 },
    { "two of three devices are too few",
      { 1, 0, 0, 1000, 0, SKIP, 0, 0, 667 }, 0, 0, { 10, 20, NEVER }, 1000, SKIPPED, 2 },
    { "too few devices: extended",
      { 1, 0, 0, 1000, 0, EXTEND, 500, 1, 1000 }, 0, 0, { 10, 20, 1200 }, 1200, DONE, 3 },
    { "measured, enough",
      { 1, 2, 30, 1000, 2000, SKIP, 0, 0, 0 }, 100, 0, { 10, 20, 300 }, 30, DONE, 2 },
    // clang-format on
};

static void
s_decline(fl_peer peer)
{
    fl_message refused = machine_refused(FL_TASK, parent_order.round, FL_WHY_NAN);
    machine_hear_child(peer, &refused, 0);
}

//  Play a round by its script; answers how long it took. Folds and finish take no time.
static fl_time
s_run(uint64_t round, const int *arrives, fl_time due)
{
    fl_time opened = machine_now;
    parent_open(round, due == 0 ? FL_NEVER : machine_now + due);
    for (fl_result result; !fl_aggregator_result(parent_cohort, &result); machine_now++) {
        assert_true(machine_now < opened + 5000);
        for (fl_peer peer = 0; peer < CHILDREN && fl_aggregator_cutoff(parent_cohort) != FL_NEVER;
             peer++) {
            if (machine_now - opened == arrives[peer]) {
                parent_give(peer, 1);
            } else if (machine_now == opened && arrives[peer] == DECLINES) {
                s_decline(peer);
            }
        }
        if (machine_now >= fl_aggregator_deadline(parent_cohort)) {
            machine_tick();
        }
        if (machine_count(FL_FX_FINISH) == 1) {
            machine_finished(0);
        }
    }
    return --machine_now - opened;
}

static void
a_round_ends_when_its_window_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++) {
        const play *row = &plays[i];
        fl_aggregator_conf conf = parent_conf();
        conf.window = row->window;
        conf.timing.beat_ms = 100000;
        parent_make(&conf);
        parent_join_all(CHILDREN);
        if (row->pace > 0) {
            const int all[CHILDREN] = { (int)row->pace, (int)row->pace, (int)row->pace };
            (void)s_run(1, all, 0);
            machine_clear();
            fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL,
                                 machine_out);
        }
        fl_time took = s_run(2, row->arrives, row->due);
        fl_result result = parent_result();
        if (took != row->want_at || result.close != row->want || result.count != row->want_in) {
            fail_msg("%s: %s after %d ms with %u in", row->what, fl_close_name(result.close),
                     (int)took, result.count);
        }
        assert_int_equal(result.reason, row->want == FL_CLOSE_DONE ? FL_WHY_NONE : FL_WHY_QUORUM);
        assert_int_equal(result.duration_ms, took);
    }
}

static void
the_deadline_follows_the_median_and_a_missed_round_forgets_it(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.window.factor_permille = 2000;
    conf.timing.beat_ms = 100000;
    parent_make(&conf);
    parent_join_all(CHILDREN);
    const int quick[CHILDREN] = { 50, 100, 150 };
    const int nobody[CHILDREN] = { NEVER, NEVER, NEVER };
    assert_int_equal(s_run(1, quick, 0), 150);
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    assert_int_equal(s_run(2, nobody, 0), 200); // the median of 50, 100, 150, twice
    assert_int_equal(parent_result().close, FL_CLOSE_SKIPPED);
    fl_aggregator_settle(parent_cohort, FL_OUT_LATE, FL_WHY_SKIPPED, NULL,
                         machine_out);
    assert_int_equal(s_run(3, nobody, 0), 1000);
}

static void
a_second_attempt_teaches_the_deadline_nothing(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.window.factor_permille = 2000;
    conf.timing.beat_ms = 100000;
    parent_make(&conf);
    parent_join_all(CHILDREN);
    const int steady[CHILDREN] = { 100, 100, 100 };
    const int at_once[CHILDREN] = { 1, 1, 1 };
    const int nobody[CHILDREN] = { NEVER, NEVER, NEVER };
    assert_int_equal(s_run(1, steady, 0), 100);
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    for (int i = 0; i < 8; i++) { // sums that were kept from before come back at once
        assert_int_equal(s_run(2, at_once, 0), 1);
        fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL,
                             machine_out);
    }
    assert_int_equal(s_run(3, nobody, 0), 200); // still twice the hundred
}

static void
a_round_does_not_close_early_before_the_expected_children_had_their_chance(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.expect = 4;
    conf.timing.join_wait_ms = 300;
    conf.timing.beat_ms = 100000;
    parent_make(&conf);
    parent_join_all(CHILDREN);
    const int quick[CHILDREN] = { 50, 100, 150 };
    assert_int_equal(s_run(1, quick, 0), 300);
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    parent_join(3);
    fl_time opened = machine_now;
    parent_open(2, FL_NEVER);
    for (fl_peer peer = 0; peer < 3; peer++) {
        parent_give(peer, 1);
    }
    assert_int_equal(machine_count(FL_FX_FINISH), 0);
    parent_give(3, 1);
    assert_int_equal(machine_count(FL_FX_FINISH), 1);
    assert_int_equal(machine_now, opened);
}

static void
who_never_came_costs_the_wait_once_and_is_waited_for_when_it_comes(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.expect = 4;
    conf.absent_max = 1;
    conf.timing.join_wait_ms = 300;
    conf.timing.beat_ms = 100000;
    parent_make(&conf);
    parent_join_all(CHILDREN);
    const int quick[CHILDREN] = { 50, 100, 150 };
    assert_int_equal(s_run(1, quick, 0), 300);
    machine_clear();
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    assert_int_equal(machine_note(FL_NOTE_GIVEN_UP)->a, 1);
    assert_int_equal(s_run(2, quick, 0), 150);
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    assert_int_equal(fl_aggregator_expects(parent_cohort), 3);
    parent_join(3);
    assert_int_equal(fl_aggregator_expects(parent_cohort), 4);
}

static void
time_travels_down_as_a_shrinking_budget(void **state)
{
    (void)state;
    parent_join_all(2);
    machine_now = 5000;
    parent_open(1, 5000 + 640); // due in 640, kept back for the finish: 50, for the hop: 10
    assert_int_equal(fl_aggregator_cutoff(parent_cohort), 5590);
    assert_int_equal(machine_said(0, FL_TASK)->task.budget_ms, 580);
    assert_int_equal(machine_note(FL_NOTE_ROUND_OPEN)->a, 2);
    assert_int_equal(machine_note(FL_NOTE_ROUND_OPEN)->b, 590);
    machine_now = 5300;
    parent_join(2); // who comes later has less
    assert_int_equal(machine_said(2, FL_TASK)->task.budget_ms, 280);
    machine_now = 5585;
    fl_message beat = machine_beat(1, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(1, &beat, 0);
    assert_int_equal(machine_said(1, FL_TASK)->task.budget_ms, 1); // never none
}

static void
a_task_that_comes_too_late_is_a_missed_round_at_once(void **state)
{
    (void)state;
    machine_now = 5000;
    parent_join(0);
    parent_open(1, 5000); // nothing is left
    assert_true(fl_aggregator_deadline(parent_cohort) <= machine_now);
    machine_tick();
    fl_result result = parent_result();
    assert_int_equal(result.close, FL_CLOSE_SKIPPED);
    assert_int_equal(result.budget_ms, 0);
    assert_int_equal(result.tally.late, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parent_setup, parent_destroy)

//  The share is of the samples too, where children say how many they have: not under masks.
static void
a_share_of_the_devices_with_few_of_the_samples_is_too_few(void **state)
{
    (void)state;
    for (int lost = 0; lost < CHILDREN; lost += 2) {
        fl_aggregator_conf conf = parent_conf();
        conf.window.share_permille = 600;
        parent_make(&conf);
        parent_join_all(CHILDREN);
        for (fl_peer peer = 0; peer < CHILDREN; peer++) {
            fl_message beat = machine_beat(peer, 1, 0, 0, FL_DOING_NOTHING);
            beat.beat.samples = peer == 2 ? 1 : 1000; // who is in says it again
            machine_hear_child(peer, &beat, 0);
        }
        parent_open(1, FL_NEVER);
        parent_give(1, 5);
        parent_give(lost == 0 ? 2 : 0, 5);
        machine_now += 5000;
        machine_tick();
        if (lost != 0) {
            machine_finished(7);
        }
        assert_int_equal(parent_result().close, lost == 0 ? SKIPPED : DONE);
        assert_int_equal(parent_result().tally.in, 2);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_ends_when_its_window_says_so),
        TEST(the_deadline_follows_the_median_and_a_missed_round_forgets_it),
        TEST(a_second_attempt_teaches_the_deadline_nothing),
        TEST(a_round_does_not_close_early_before_the_expected_children_had_their_chance),
        TEST(who_never_came_costs_the_wait_once_and_is_waited_for_when_it_comes),
        TEST(time_travels_down_as_a_shrinking_budget),
        TEST(a_task_that_comes_too_late_is_a_missed_round_at_once),
        TEST(a_share_of_the_devices_with_few_of_the_samples_is_too_few),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
