//  A root that misses somebody: what it waits for, for how long, and what it says of who is gone.
#include "tests/support/root.h"

#include <string.h>

//  Three children are expected, and five devices: two of them are devices, one is an edge of three.
static void
s_expect_three(void)
{
    fl_root_conf conf = s_conf();
    conf.aggregator.expect = 3;
    conf.aggregator.absent_max = 1;
    conf.expect_leaves = 5;
    conf.rounds = 9;
    s_make(&conf);
}

static void
s_join_edge(uint32_t leaves)
{
    fl_message hello = machine_hello(3, leaves);
    hello.hello.role = FL_ROLE_EDGE;
    fl_event event = machine_from_child(2, "d2", FL_ROLE_EDGE, &hello, 0);
    machine_step(&event);
}

static void
s_leave(fl_peer peer, fl_reason reason)
{
    fl_event gone = { .kind = FL_EV_GONE };
    gone.gone.peer = peer;
    gone.gone.reason = reason;
    machine_step(&gone);
}

static void
s_deny(const char *node)
{
    fl_event denied = { .kind = FL_EV_DENIED };
    denied.denied.node = machine_node(node);
    machine_step(&denied);
}

//  A whole round with children 0 and 1, in which child 2 may go; answers how long was waited.
static fl_time
s_round(uint64_t round, bool goes)
{
    const fl_time began = machine_now;
    while (s_look().phase == FL_ROOT_WAITING) {
        machine_now += 10;
        machine_tick();
        assert_true(machine_now < began + 2000);
    }
    const fl_time waited = machine_now - began;
    s_answer_save(true);
    if (goes) {
        s_leave(2, FL_WHY_SILENT);
    }
    s_give(0, round);
    s_give(1, round);
    if (machine_count(FL_FX_FINISH) == 0) { // one is waited for that is there
        machine_now += 1000;
        machine_tick();
    }
    s_finished();
    s_applied(round, true);
    s_answer_save(true);
    return waited;
}

static void
who_is_gone_costs_one_wait_and_is_named_until_it_is_back(void **state)
{
    (void)state;
    s_expect_three();
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_join_edge(3);
    (void)s_round(1, true);
    assert_null(machine_note(FL_NOTE_GIVEN_UP)); // it was there when the round began
    assert_int_equal(s_round(2, false), 500);
    assert_string_equal(machine_note(FL_NOTE_GIVEN_UP)->node.name, "d2");
    assert_int_equal(s_round(3, false), 0);
    assert_int_equal(s_look().expect, 2);
    assert_int_equal(s_look().expect_leaves, 2);
    s_answer_save(true);
    s_give(0, 4);
    s_give(1, 4);
    s_finished();
    s_applied(4, true);
    const fl_report *report = machine_effect(FL_FX_SAVE)->save.report;
    assert_string_equal(report->roll[2].node.name, "d2");
    assert_int_equal(report->roll[2].outcome, FL_OUT_ABSENT);
    assert_int_equal(report->roll[2].reason, FL_WHY_GONE);
    s_join_edge(3);
    assert_int_equal(s_look().expect, 3);
    assert_int_equal(s_look().expect_leaves, 5);
}

static void
a_device_that_is_gone_below_an_edge_costs_one_wait(void **state)
{
    (void)state;
    s_expect_three();
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_join_edge(2);
    assert_int_equal(s_round(1, false), 500);
    assert_int_equal(s_look().round_ms, 1500); // the time left follows the waits
    assert_int_equal(s_round(2, false), 0);
    s_join_edge(3);
    assert_int_equal(s_look().expect_leaves, 5);
}

static void
who_is_shut_out_is_not_waited_for_any_more(void **state)
{
    (void)state;
    s_expect_three();
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    s_join_edge(3);
    (void)s_round(1, true);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    s_deny("d2"); // while it is waited for
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
    assert_int_equal(s_look().expect, 2);
    assert_int_equal(s_look().expect_leaves, 2);
    s_deny("d2");
    assert_int_equal(s_look().expect, 2);
    s_deny("below"); // one below somebody
    assert_int_equal(s_look().expect_leaves, 1);
}

//  Of the other children none is waited for, given up, reported or missed.
static void
a_run_of_some_children_misses_none_of_the_others(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.aggregator.on[0] = machine_node("d0");
    conf.aggregator.on[1] = machine_node("d1");
    conf.aggregator.on_count = conf.aggregator.expect = 2;
    conf.aggregator.absent_max = 1;
    conf.expect_leaves = 2;
    conf.rounds = 9;
    s_make(&conf);
    machine_join(0);
    machine_join(1);
    s_join_edge(3);
    const fl_message rests = machine_refused(FL_TASK, 0, FL_WHY_DRAIN);
    machine_hear_child(2, &rests, 0);
    assert_non_null(machine_note(FL_NOTE_REST));
    assert_int_equal(fl_aggregator_presence(fl_root_aggregator(root)).resting, 0);
    s_start(1, 0);
    assert_int_equal(s_round(1, true), 0);
    s_answer_save(true);
    s_give(0, 2);
    s_give(1, 2);
    s_finished();
    s_applied(2, true);
    assert_int_equal(machine_effect(FL_FX_SAVE)->save.report->roll_count, 2);
    s_deny("d2");
    s_deny("below");
    s_leave(1, FL_WHY_SILENT);
    assert_int_equal(s_look().expect, 2);
    assert_int_equal(s_look().expect_leaves, 2);
}

static void
a_root_that_was_restarted_does_not_wait_for_those_that_were_gone(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    const fl_roll_entry roll[] = {
        { .node = machine_node("d0"), .parent = machine_node("root"), .outcome = FL_OUT_IN },
        { .node = machine_node("d1"), .parent = machine_node("root"), .outcome = FL_OUT_IN },
        { .node = machine_node("d2"), .parent = machine_node("root"), .outcome = FL_OUT_ABSENT,
          .reason = FL_WHY_GONE },
        { .node = machine_node("below"), .parent = machine_node("d2"), .outcome = FL_OUT_ABSENT },
    };
    conf.aggregator.expect = 3;
    conf.aggregator.absent_max = 1;
    conf.expect_leaves = 3;
    conf.members = roll;
    conf.member_count = 4;
    s_make(&conf);
    s_start(2, 0);
    machine_join(0);
    assert_int_equal(s_look().phase, FL_ROOT_WAITING);
    machine_join(1);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

//  It has its turn after that of a run over other children, all of whom were there.
static void
who_was_gone_is_not_waited_for_again_after_a_turn_of_others(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    const fl_roll_entry roll[] = {
        { .node = machine_node("d0"), .parent = machine_node("root"), .outcome = FL_OUT_IN },
        { .node = machine_node("d1"), .parent = machine_node("root"), .outcome = FL_OUT_ABSENT },
    };
    conf.aggregator.on_count = conf.aggregator.expect = conf.expect_leaves = 2;
    conf.aggregator.on[0] = machine_node("d0");
    conf.aggregator.on[1] = machine_node("d2");
    conf.aggregator.absent_max = 1;
    s_make(&conf);
    machine_join(0);
    machine_join(2);
    conf.members = roll;
    conf.member_count = 2;
    conf.aggregator.on[1] = machine_node("d1");
    fl_root_assign(root, &conf);
    s_start(2, 0);
    assert_int_equal(s_look().phase, FL_ROOT_OPENING);
}

static void
a_run_that_ends_with_a_skipped_round_says_so(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    conf.rounds = 2;
    s_make(&conf);
    s_open();
    for (int round = 1; round <= 2; round++) {
        machine_now += 1000;
        machine_tick();
        s_answer_save(true);
        if (round == 1) {
            s_answer_save(true);
        }
    }
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_SKIPPED);
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->reason, FL_WHY_SKIPPED);
    assert_int_equal(machine_note(FL_NOTE_RUN_SKIPPED)->a, 2);
    assert_int_equal(s_look().reason, FL_WHY_SKIPPED);
    assert_int_equal(s_look().skipped, 2);
    assert_false(s_look().aborted);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(who_is_gone_costs_one_wait_and_is_named_until_it_is_back, s_new, s_destroy),
        unit_case(a_device_that_is_gone_below_an_edge_costs_one_wait, s_new, s_destroy),
        unit_case(who_is_shut_out_is_not_waited_for_any_more, s_new, s_destroy),
        unit_case(a_run_of_some_children_misses_none_of_the_others, s_new, s_destroy),
        unit_case(a_root_that_was_restarted_does_not_wait_for_those_that_were_gone, s_new,
                  s_destroy),
        unit_case(who_was_gone_is_not_waited_for_again_after_a_turn_of_others, s_new, s_destroy),
        unit_case(a_run_that_ends_with_a_skipped_round_says_so, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
