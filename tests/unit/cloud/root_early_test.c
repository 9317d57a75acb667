//  What the root tells from round to round, and when it ends a run before its last one.
#include "tests/support/root.h"

#include <math.h>

static fl_root_conf
s_alone(void)
{
    fl_root_conf conf = s_conf();
    conf.aggregator.expect = 1;
    return conf;
}

static void
s_begin(uint64_t round)
{
    s_start(round, 0);
    machine_join(0);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
}

//  A whole round; with its close saved, and the next one's opening if there is one.
static void
s_round(uint64_t round, double accuracy, bool more)
{
    s_give(0, round);
    s_finished();
    s_scored(round, true, accuracy);
    s_answer_save(true);
    if (more) {
        s_answer_save(true);
    }
}

//  What the last task to child 0 tells a trainer.
static double
s_told(const char *name)
{
    return fl_recipe_get(&machine_said(0, FL_TASK)->task.order.plan.recipe, name, -1);
}

static double
s_rate(void)
{
    return s_told("rate");
}

static void
devices_are_told_in_which_rounds_they_score_the_model(void **state)
{
    (void)state;
    static const double wanted[][3] = { { 0, 0, 0 }, { 1, 1, 1 }, { 0, 1, 1 }, { 0, 0, 1 } };
    fl_root_conf conf = s_alone();
    conf.rounds = 3; // whose last one is scored too
    for (uint64_t every = 0; every < 4; every++) {
        conf.evaluate_every = every;
        s_make(&conf);
        s_begin(1);
        for (uint64_t round = 1; round <= 3; round++) {
            assert_true(s_told("evaluate") == wanted[every][round - 1]);
            s_round(round, 0.75, round < 3);
        }
    }
}

static void
each_round_has_the_rate_of_its_schedule(void **state)
{
    (void)state;
    fl_root_conf conf = s_alone();
    s_make(&conf);
    s_begin(1);
    assert_true(s_rate() == 0.1f); // of the plan: the root says nothing
    conf.rate = (fl_schedule){ .kind = FL_SCHEDULE_STEP, .first = 0.8, .factor = 0.5, .every = 1 };
    s_make(&conf);
    s_begin(1);
    static const double wanted[] = { 0.8f, 0.4f, 0.2f };
    for (uint64_t round = 1; round <= 3; round++) {
        assert_true(s_rate() == wanted[round - 1]);
        s_round(round, 0.75, round < 3);
    }
    s_make(&conf); // a restart knows where it was
    s_begin(2);
    assert_true(s_rate() == 0.4f);
}

//  Open a run of 9 rounds that ends early as `best` says; play rounds with these accuracies.
static void
s_play(fl_best best, const double *accuracies, uint64_t count)
{
    fl_root_conf conf = s_alone();
    conf.rounds = 9;
    conf.best = best;
    s_make(&conf);
    s_begin(1);
    for (uint64_t round = 1; round <= count; round++) {
        s_round(round, accuracies[round - 1], round < count);
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
    fl_root_conf conf = s_alone();
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

//  It is not a stop: what stands in hand is finished, and the run stays in hand.
static void
a_root_that_rests_closes_its_round_and_opens_none(void **state)
{
    (void)state;
    fl_event rest = { .kind = FL_EV_REST, .rest.reason = FL_WHY_DRAIN };
    fl_root_conf conf = s_alone();
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    s_answer_save(true);
    machine_step(&rest);
    assert_true(s_look().busy && s_look().rests == FL_WHY_DRAIN);
    s_give(0, 1);
    s_finished();
    s_applied(1, true);
    s_answer_save(true);
    assert_false(s_look().busy);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_BEAT)->beat.done, FL_WHY_DRAIN);
    machine_now += 1000000;
    machine_tick();
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    machine_join(0);
    rest.rest.reason = FL_WHY_NONE;
    machine_step(&rest);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->round, 2);
    rest = (fl_event){ .kind = FL_EV_REST, .rest = { FL_WHY_DRAIN, machine_node("d0") } };
    machine_step(&rest);
    assert_true(machine_refuses(0, FL_TASK, FL_WHY_DRAIN)); // of a child, and not of itself
    assert_int_equal(s_look().rests, FL_WHY_NONE);
    rest.rest.reason = FL_WHY_NONE;
    machine_step(&rest);
    assert_true(machine_refuses(0, FL_REFUSED, FL_WHY_DRAIN));
}

static bool
s_gives_pools(void *self, const fl_run *run, fl_pool_set *set)
{
    (void)self, (void)run, (void)set;
    return true;
}

static void
a_root_that_is_drained_while_it_draws_pools_opens_no_round(void **state)
{
    (void)state;
    fl_event rest = { .kind = FL_EV_REST, .rest.reason = FL_WHY_DRAIN };
    fl_root_conf conf = s_alone();
    conf.plan.masking[0] = FL_MASKING_MALICIOUS;
    conf.pooler.give = s_gives_pools;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.what, FL_SAVE_POOLS);
    const uint64_t token = machine_effect(FL_FX_SAVE)->token;
    machine_step(&rest);
    machine_saved(token, true);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    rest.rest.reason = FL_WHY_NONE;
    machine_step(&rest);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.what, FL_SAVE_POOLS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(devices_are_told_in_which_rounds_they_score_the_model, NULL, s_destroy),
        unit_case(each_round_has_the_rate_of_its_schedule, NULL, s_destroy),
        unit_case(a_run_ends_early_at_its_target_or_when_nothing_is_gained, NULL, s_destroy),
        unit_case(a_run_that_ended_early_stays_so_over_a_restart, NULL, s_destroy),
        unit_case(a_root_that_rests_closes_its_round_and_opens_none, NULL, s_destroy),
        unit_case(a_root_that_is_drained_while_it_draws_pools_opens_no_round, NULL, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
