//  The root when something fails, when the operator speaks, and while nobody comes.
#include "tests/support/root.h"

#include <math.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)
// ---- what fails -------------------------------------------------------------------------------
//  Paused for that reason at `now`, and tried again at `at`.
static void
s_retried(fl_time at)
{
    fl_root_view view = s_look();
    assert_int_equal(view.phase, FL_ROOT_PAUSED);
    const fl_note note = *machine_note(FL_NOTE_RUN_PAUSED);
    fl_message beat = machine_beat(0, 1, 1, view.attempt, FL_DOING_SEND);
    machine_hear_child(0, &beat, 0); // and every child hears so
    assert_int_equal(machine_said(0, FL_BEAT)->beat.activity, FL_DOING_PAUSED);
    assert_int_equal(machine_said(0, FL_BEAT)->beat.done, FL_WHY_STORAGE);
    assert_int_equal(view.reason, FL_WHY_STORAGE);
    assert_false(view.aborted);
    assert_int_equal(note.reason, FL_WHY_STORAGE);
    assert_int_equal(fl_root_machine(root).deadline(root), at);
    machine_now = at;
    machine_tick();
    assert_null(machine_note(FL_NOTE_RUN_RESUMED)); // nobody knows yet
}

static void
an_opening_that_cannot_be_saved_is_tried_again(void **state)
{
    (void)state;
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_answer_save(false);
    assert_non_null(machine_note(FL_NOTE_SAVE_FAILED));
    s_retried(1000);
    s_answer_save(false);
    s_retried(3000); // it waits twice as long
    s_answer_save(true);
    assert_non_null(machine_note(FL_NOTE_RUN_RESUMED));
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    assert_int_equal(s_look().attempt, 3);
}

static void
a_close_that_cannot_be_saved_is_said_again_and_counts(void **state)
{
    (void)state;
    s_open();
    s_collect(1);
    s_answer_save(false);
    assert_int_equal(machine_count(FL_FX_SEND), 0); // nobody hears of what is not durable
    assert_true(isnan(s_look().accuracy));
    s_retried(1000);
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_int_equal(report->close, FL_CLOSE_DONE);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_false(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(s_look().round, 2);
}

static void
a_model_that_cannot_be_made_is_tried_again(void **state)
{
    (void)state;
    s_open();
    s_give(0, 1);
    s_give(1, 1);
    s_finished();
    const uint32_t count = machine_effect(FL_FX_APPLY)->apply.count;
    s_applied(1, false);
    s_retried(1000);
    assert_int_equal(machine_effect(FL_FX_APPLY)->apply.count, count);
    s_applied(1, true);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
}

static bool
s_sign_if(void *self, fl_task *task)
{
    (void)task;
    return *(const bool *)self;
}

static void
a_run_that_nobody_can_sign_waits_and_goes_on_when_somebody_can(void **state)
{
    (void)state;
    bool here = false;
    fl_root_conf conf = s_conf();
    conf.signer = (fl_signer){ .self = &here, .sign = s_sign_if };
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    assert_int_equal(machine_note(FL_NOTE_RUN_PAUSED)->reason, FL_WHY_AUTHORITY);
    for (machine_now = 100; machine_now < 50000; machine_now += 100) {
        machine_tick(); // longer than the patience, which is for children
        assert_int_equal(machine_count(FL_FX_SAVE), 0);
    }
    assert_int_equal(s_look().phase, FL_ROOT_PAUSED);
    assert_int_equal(s_look().reason, FL_WHY_AUTHORITY);
    here = true;
    machine_step(&(fl_event){ .kind = FL_EV_RUN, .run.order = FL_RUN_GO });
    s_answer_save(true);
    assert_non_null(machine_note(FL_NOTE_RUN_RESUMED));
    assert_int_equal(machine_said(0, FL_TASK)->task.attempt, 1);
}

//  A sum over more than the plan allows has impossible numbers, and would be masked in vain.
static void
a_masked_run_with_more_devices_than_its_plan_allows_is_paused(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.plan.masking[0] = conf.plan.masking[1] = FL_MASKING_HONEST;
    conf.plan.devices_max = 1;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    assert_int_equal(machine_note(FL_NOTE_RUN_PAUSED)->reason, FL_WHY_FULL);
    assert_int_equal(s_look().reason, FL_WHY_FULL);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
}

// ---- the operator's word ----------------------------------------------------------------------
static void
s_order(fl_run_order order)
{
    machine_step(&(fl_event){ .kind = FL_EV_RUN, .run.order = order });
}

static void
a_run_is_left_after_the_round_in_hand_or_at_once_when_there_is_none(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_LEAVE);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    s_start(2, 0); // with the same children
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    fl_root_conf conf = s_conf();
    s_make(&conf);
    s_start(1, 0);
    s_order(FL_RUN_LEAVE);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
}

//  Those that it does not name are neither waited for nor asked, and do not hear of its end.
static void
a_run_is_of_the_children_that_it_names(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.on[0] = machine_node("d1");
    conf.aggregator.on_count = conf.aggregator.expect = 1;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_now = 600; // longer than the wait for all
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(s_look().ready, 0);
    machine_join(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    assert_non_null(machine_said(1, FL_TASK));
    assert_null(machine_said(0, FL_TASK));
    const fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_null(machine_said(0, FL_TASK));
    s_make(&conf);
    machine_join(0);
    machine_join(1);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.order = FL_RUN_STOP;
    machine_step(&event);
    assert_true(machine_said(1, FL_CLOSED)->closed.final);
    assert_null(machine_said(0, FL_CLOSED));
}

static void
a_stopped_run_ends_between_two_rounds_and_says_so(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_STOP);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_STOPPED);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    s_order(FL_RUN_GO); // of no run: nothing happens
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.order = FL_RUN_STOP; // while another one had its turn
    machine_step(&event);
    assert_int_equal(machine_count(FL_FX_SAVE), 0);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
}

static void
a_run_that_was_paused_can_be_stopped_and_its_children_hear_so(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_LEAVE);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    s_order(FL_RUN_STOP);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_STOPPED);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
}

//  A process that begins with such a run: what its newest rounds came to.
static void
s_begun_again(fl_masking masking, bool passed, fl_reason aborted)
{
    fl_root_conf conf = s_conf();
    conf.plan.masking[0] = conf.plan.masking[1] = (uint8_t)masking;
    conf.passed = passed;
    conf.aborted = aborted;
    fl_roll_entry members[] = {
        { machine_node("e1"), machine_node("root"), FL_OUT_IN, FL_WHY_NONE, 0, 0 },
        { machine_node("d1"), machine_node("e1"), FL_OUT_IN, FL_WHY_NONE, 0, 0 },
        { machine_node("d2"), machine_node("e1"), FL_OUT_ABSENT, FL_WHY_GONE, 0, 0 }
    };
    conf.members = members;
    conf.member_count = 3;
    s_make(&conf);
    s_start(2, 1);
}

static void
a_run_that_its_round_aborted_does_not_go_on_after_a_restart(void **state)
{
    (void)state;
    s_begun_again(FL_MASKING_NONE, false, FL_WHY_QUORUM);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_true(s_look().aborted);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
}

static void
a_masked_round_is_not_asked_for_again_after_another_run_s(void **state)
{
    (void)state;
    s_begun_again(FL_MASKING_NONE, true, FL_WHY_NONE);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING); // nothing was told in it
    s_begun_again(FL_MASKING_HONEST, true, FL_WHY_NONE);
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.what, FL_SAVE_CLOSE);
    assert_int_equal(report->round, 2);
    assert_int_equal(report->attempt, 1);
    assert_int_equal(report->close, FL_CLOSE_SKIPPED);
    assert_int_equal(report->reason, FL_WHY_RESTART);
    assert_int_equal(report->roll_count, 3); // nobody vanishes from it
    assert_int_equal(report->roll[1].outcome, FL_OUT_LATE);
    assert_int_equal(report->roll[1].reason, FL_WHY_RESTART);
    assert_int_equal(report->roll[2].reason, FL_WHY_GONE);
    assert_int_equal(report->tally.late, 1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(s_look().round, 3);
}

static void
a_run_gives_its_turn_away_after_a_round_or_when_nobody_comes(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_YIELD);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    assert_false(machine_said(0, FL_CLOSED)->closed.final); // nobody hears of it
    s_start(2, 0);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
    fl_root_conf conf = s_conf();
    s_make(&conf);
    s_start(1, 0);
    s_order(FL_RUN_YIELD);
    machine_now = 500;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
}

static void
the_next_run_begins_with_the_same_children(void **state)
{
    (void)state;
    s_open();
    s_order(FL_RUN_STOP);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    fl_root_conf conf = s_conf();
    conf.rounds = 7;
    fl_root_assign(root, &conf);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.model = event.start.tensors = machine_hash(70);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
    s_answer_save(true);
    assert_int_equal(s_look().rounds, 7);
    const fl_message *task = machine_said(1, FL_TASK);
    assert_int_equal(task->round, 1);
    assert_true(fl_run_equal(&task->task.order.run, &event.start.run));
}

//  Its turn is over; what the other run's members came to is no verdict of this one's.
static void
a_child_is_told_what_became_of_its_round_when_another_run_has_its_turn(void **state)
{
    (void)state;
    s_open();
    const uint32_t attempt = s_look().attempt;
    s_order(FL_RUN_YIELD);
    s_collect(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_IDLE);
    const fl_roll_entry members[] = {
        { .node = machine_node("d0"), .parent = machine_node("root"), .outcome = FL_OUT_LATE }
    };
    fl_root_conf conf = s_conf();
    conf.members = members;
    conf.member_count = 1;
    fl_root_assign(root, &conf);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(2);
    event.start.model = event.start.tensors = machine_hash(70);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
    fl_message beat = machine_beat(0, 1, 1, attempt, FL_DOING_SEND);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
}

// ---- the wait for children --------------------------------------------------------------------
static void
a_root_waits_for_the_expected_children_and_says_so(void **state)
{
    (void)state;
    s_start(1, 0);
    machine_now = 100;
    machine_join(0);
    assert_int_equal(machine_note(FL_NOTE_WAITING)->a, 1);
    assert_int_equal(machine_note(FL_NOTE_WAITING)->b, 2);
    machine_tick();
    assert_null(machine_note(FL_NOTE_WAITING)); // said once per change
    fl_root_view view = s_look();
    assert_int_equal(view.ready, 1);
    assert_int_equal(view.expect, 2);
    assert_int_equal(view.left_ms, 400);
    assert_int_equal(view.phase_ms, 100);
    assert_int_equal(fl_root_machine(root).deadline(root), 500);
    machine_now = 499;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    machine_now = 500; // one of two will do: the window needs one
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

static void
a_root_waits_for_devices_below_its_children(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.expect = 1;
    conf.expect_leaves = 3;
    s_make(&conf);
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(s_look().leaves, 2);
    machine_join(2);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

static void
a_wait_in_vain_is_repeated_as_long_as_the_patience_lasts(void **state)
{
    (void)state;
    s_start(1, 0);
    for (fl_time at = 500; at <= 1500; at += 500) {
        assert_int_equal(s_look().phase, FL_ROOT_WAITING);
        assert_int_equal(fl_root_machine(root).deadline(root), at);
        machine_now = at;
        machine_tick();
    }
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
    assert_true(s_look().aborted);
}

static void
a_patience_may_be_shorter_than_the_wait_for_children(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.patience_ms = 200;
    s_make(&conf);
    s_start(1, 0);
    assert_int_equal(fl_root_machine(root).deadline(root), 200);
    machine_now = 199;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    machine_now = 200;
    machine_tick();
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
}

static void
without_a_bound_of_patience_a_root_waits_and_says_so_each_minute(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.patience_ms = 0;
    s_make(&conf);
    s_start(1, 0);
    unsigned notes = 0;
    for (machine_now = 500; machine_now <= 600000; machine_now += 500) {
        machine_tick();
        notes += machine_note(FL_NOTE_WAITING) != NULL ? 1 : 0;
    }
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    assert_int_equal(notes, 10);
}

//  Ten minutes in which nobody is heard; how often the root says that it waits.
static unsigned
s_alone(uint64_t patience_ms)
{
    fl_root_conf conf = s_conf();
    conf.rounds = 1000;
    conf.patience_ms = patience_ms;
    s_make(&conf);
    s_open();
    unsigned notes = 0;
    for (fl_time left = 600000; left > 0; left -= 100) {
        machine_now += 100;
        machine_tick();
        notes += machine_note(FL_NOTE_WAITING) != NULL;
        while (machine_count(FL_FX_SAVE) > 0) {
            s_answer_save(true); // of the rounds in which they are not missed yet
        }
    }
    assert_int_equal(fl_aggregator_presence(fl_root_aggregator(root)).ready, 0);
    return notes;
}

static void
a_run_whose_children_are_all_away_for_ten_minutes_goes_on_when_they_return(void **state)
{
    (void)state;
    assert_in_range(s_alone(0), 9, 11);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    const uint64_t round = s_look().round;
    machine_join(0);
    machine_join(1);
    s_answer_save(true);
    assert_int_equal(machine_said(0, FL_TASK)->round, round);
}

static void
a_run_with_less_patience_ends_and_who_returns_hears_why(void **state)
{
    (void)state;
    (void)s_alone(300000);
    assert_int_equal(s_look().phase, FL_ROOT_DONE);
    assert_int_equal(s_look().reason, FL_WHY_QUORUM);
    machine_join(0);
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_QUORUM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_opening_that_cannot_be_saved_is_tried_again),
        TEST(a_close_that_cannot_be_saved_is_said_again_and_counts),
        TEST(a_model_that_cannot_be_made_is_tried_again),
        TEST(a_masked_run_with_more_devices_than_its_plan_allows_is_paused),
        TEST(a_run_that_nobody_can_sign_waits_and_goes_on_when_somebody_can),
        TEST(a_run_whose_children_are_all_away_for_ten_minutes_goes_on_when_they_return),
        TEST(a_run_with_less_patience_ends_and_who_returns_hears_why),
        TEST(a_run_is_left_after_the_round_in_hand_or_at_once_when_there_is_none),
        TEST(a_run_is_of_the_children_that_it_names),
        TEST(a_stopped_run_ends_between_two_rounds_and_says_so),
        TEST(a_run_that_was_paused_can_be_stopped_and_its_children_hear_so),
        TEST(a_run_that_its_round_aborted_does_not_go_on_after_a_restart),
        TEST(a_masked_round_is_not_asked_for_again_after_another_run_s),
        TEST(a_run_gives_its_turn_away_after_a_round_or_when_nobody_comes),
        TEST(the_next_run_begins_with_the_same_children),
        TEST(a_child_is_told_what_became_of_its_round_when_another_run_has_its_turn),
        TEST(a_root_waits_for_the_expected_children_and_says_so),
        TEST(a_root_waits_for_devices_below_its_children),
        TEST(a_wait_in_vain_is_repeated_as_long_as_the_patience_lasts),
        TEST(a_patience_may_be_shorter_than_the_wait_for_children),
        TEST(without_a_bound_of_patience_a_root_waits_and_says_so_each_minute),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
