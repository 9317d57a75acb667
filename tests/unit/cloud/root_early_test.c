//  What the root tells from round to round, and when it ends a run before its last one.
#include "cloud/root.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <math.h>

static fl_root *root;

static fl_root_conf
s_conf(void)
{
    return (fl_root_conf){ .aggregator = { .node = machine_node("root"),
                                           .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                           .seats_max = MACHINE_SEATS,
                                           .slots = 2,
                                           .expect = 1,
                                           .window = { .count_min = 1, .time_max_ms = 1000 },
                                           .timing = { .beat_ms = 10000,
                                                       .evasive_beats = 3,
                                                       .lease_beats = 6,
                                                       .hop_ms = 10,
                                                       .finish_ms = 50,
                                                       .rate_window_ms = 100000 } },
                           .plan = machine_plan(),
                           .rounds = 3,
                           .start_wait_ms = 500 };
}

static void
s_make(const fl_root_conf *conf)
{
    fl_root_destroy(&root);
    root = fl_root_new(conf);
    assert_non_null(root);
    machine_it = fl_root_machine(root);
    machine_now = 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_root_destroy(&root);
    return 0;
}

static fl_root_view
s_look(void)
{
    return fl_root_look(root, machine_now);
}

static void
s_start(uint64_t round, uint32_t attempts)
{
    fl_event event = { .kind = FL_EV_START };
    event.start.round = round;
    event.start.attempt = attempts;
    event.start.run = machine_run(1);
    event.start.model = machine_hash((uint32_t)round);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
}

static void
s_answer_save(void)
{
    machine_saved(machine_effect(FL_FX_SAVE)->token, true);
}

static void
s_open(uint64_t round)
{
    s_start(round, 0);
    machine_join(0);
    s_answer_save();
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
}

//  A whole round; ends with the SAVE of its close in the outbox.
static void
s_collect(uint64_t round, double accuracy)
{
    fl_order order = machine_order(round);
    uint32_t slot = machine_send(0, &order, s_look().attempt, 100, 5);
    machine_verified(slot, true, FL_WHY_NONE);
    machine_folded(slot);
    machine_finished(0);
    fl_event event = { .kind = FL_EV_APPLIED, .token = machine_token(FL_FX_APPLY, 0) };
    event.applied.ok = true;
    event.applied.model = machine_hash((uint32_t)round + 1);
    event.applied.model_bytes = MACHINE_MODEL;
    event.applied.loss = 1;
    event.applied.accuracy = accuracy;
    machine_step(&event);
}

//  The rate that the last task to child 0 has.
static double
s_rate(void)
{
    return fl_recipe_get(&machine_said(0, FL_TASK)->task.order.plan.recipe, "rate", -1);
}

static void
each_round_has_the_rate_of_its_schedule(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    s_make(&conf);
    s_open(1);
    assert_true(s_rate() == 0.1f); // of the plan: the root says nothing
    conf.rate = (fl_schedule){ .kind = FL_SCHEDULE_STEP, .first = 0.8, .factor = 0.5, .every = 1 };
    s_make(&conf);
    s_open(1);
    static const double wanted[] = { 0.8f, 0.4f, 0.2f };
    for (uint64_t round = 1; round <= 3; round++) {
        assert_true(s_rate() == wanted[round - 1]);
        s_collect(round, 0.75);
        s_answer_save();
        if (round < 3) {
            s_answer_save();
        }
    }
    s_make(&conf); // a restart knows where it was
    s_open(2);
    assert_true(s_rate() == 0.4f);
}

//  Open a run of 9 rounds that ends early as `best` says; play rounds with these accuracies.
static void
s_play(fl_best best, const double *accuracies, uint64_t count)
{
    fl_root_conf conf = s_conf();
    conf.rounds = 9;
    conf.best = best;
    s_make(&conf);
    s_open(1);
    for (uint64_t round = 1; round <= count; round++) {
        s_collect(round, accuracies[round - 1]);
        s_answer_save();
        if (round < count) {
            s_answer_save();
        }
    }
}

static void
a_run_ends_early_at_its_target_or_when_nothing_is_gained(void **state)
{
    (void)state;
    static const double up[] = { 0.5, NAN, 0.85, 0.9 }, flat[] = { 0.5, 0.6, 0.5, NAN, 0.6 };
    s_play((fl_best){ .target = 0.85 }, up, 3);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_TARGET);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->reason, FL_WHY_TARGET);
    fl_root_view view = s_look();
    assert_int_equal(view.phase, FL_ROOT_DONE);
    assert_int_equal(view.reason, FL_WHY_TARGET);
    assert_true(!view.aborted && view.round == 3 && view.best_round == 3);
    s_play((fl_best){ .patience = 2 }, flat, 4);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
    assert_true(s_look().accuracy == 0.5); // the newest there is
    s_play((fl_best){ .patience = 2 }, flat, 5);
    view = s_look();
    assert_int_equal(view.phase, FL_ROOT_DONE);
    assert_int_equal(view.reason, FL_WHY_PATIENCE);
    assert_true(view.round == 5 && view.best_round == 2);
}

static void
a_run_that_ended_early_stays_so_over_a_restart(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.best = (fl_best){ .target = 0.8, .round = 1, .value = 0.85 };
    s_make(&conf);
    s_start(2, 0);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_TARGET);
    assert_int_equal(s_look().round, 1);
    machine_join(0);
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_TARGET);
    conf.best.target = 0.9; // raised meanwhile
    s_make(&conf);
    s_start(2, 0);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_round_has_the_rate_of_its_schedule, s_destroy),
        cmocka_unit_test_teardown(a_run_ends_early_at_its_target_or_when_nothing_is_gained,
                                  s_destroy),
        cmocka_unit_test_teardown(a_run_that_ended_early_stays_so_over_a_restart, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
