//  Who rests is not waited for: a child that drains, is outside its hours, or refuses a run.
#include "common/round/aggregator.h"

#include "tests/support/parent.h"
#include "tests/support/unit.h"

static void
s_refuses_tasks(fl_peer peer, uint64_t round, fl_reason reason)
{
    fl_message refused = machine_refused(FL_TASK, round, reason);
    machine_hear_child(peer, &refused, 0);
}

static const fl_roll_entry *
s_line(const fl_result *result, const char *name)
{
    fl_name node = machine_node(name);
    for (uint32_t i = 0; i < result->roll_count; i++) {
        if (fl_name_equal(&result->roll[i].node, &node)) {
            return &result->roll[i];
        }
    }
    return NULL;
}

//  The next round: child 0 gives, and nobody is waited for.
static fl_result
s_round_of_one(uint64_t round)
{
    parent_open(round, FL_NEVER);
    assert_null(machine_said(1, FL_TASK));
    parent_give(0, 5);
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(result.tally.invited, 1);
    return result;
}

static void
who_rests_finishes_its_round_and_is_idle_by_name_until_hello(void **state)
{
    (void)state;
    s_refuses_tasks(1, 0, FL_WHY_DRAIN);
    parent_give(0, 5);
    parent_give(1, 6); // of the round in hand
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(s_line(&result, "d1")->outcome, FL_OUT_IN);
    parent_settle();
    result = s_round_of_one(2);
    assert_int_equal(s_line(&result, "d1")->outcome, FL_OUT_IDLE);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_DRAIN);
    assert_true(fl_aggregator_seat(parent_cohort, 1).rests);
    assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 1);
    parent_settle();
    fl_message leave = machine_message(FL_LEAVE, 0); // it is stopped
    leave.leave.reason = FL_WHY_LEFT;
    machine_hear_child(1, &leave, 0);
    assert_int_equal(fl_aggregator_presence(parent_cohort).ready, 2); // and not waited for
    assert_int_equal(fl_aggregator_presence(parent_cohort).leaves, 2);
    result = s_round_of_one(3);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_DRAIN);
    parent_settle();
    fl_message hello = machine_hello(777, 1);
    machine_hear_child(1, &hello, 0);
    assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 0);
    parent_open(4, FL_NEVER);
    assert_non_null(machine_said(1, FL_TASK));
}

static void
who_is_back_while_a_round_without_it_goes_on_is_idle_in_it_by_name(void **state)
{
    (void)state;
    s_refuses_tasks(1, 0, FL_WHY_DRAIN);
    parent_give(0, 5);
    parent_give(1, 6);
    machine_finished(7);
    parent_settle();
    parent_open(2, FL_NEVER);
    parent_give(0, 5);
    fl_message leave = machine_message(FL_LEAVE, 0), hello = machine_hello(777, 1);
    leave.leave.reason = FL_WHY_LEFT;
    machine_hear_child(1, &leave, 0);
    machine_hear_child(1, &hello, 0); // too late for this round
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(s_line(&result, "d1")->outcome, FL_OUT_IDLE);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_DRAIN);
}

static void
a_round_without_anybody_else_ends_at_once_below_a_parent(void **state)
{
    (void)state;
    s_refuses_tasks(0, 0, FL_WHY_DRAIN);
    s_refuses_tasks(1, 0, FL_WHY_HOURS);
    parent_give(0, 5);
    parent_give(1, 6);
    machine_finished(7);
    parent_settle();
    parent_open(2, machine_now + 5000);
    machine_tick();
    assert_int_equal(parent_result().reason, FL_WHY_QUORUM);
}

static void
what_a_site_says_of_a_run_holds_for_that_run(void **state)
{
    (void)state;
    fl_run next = machine_run(2);
    s_refuses_tasks(1, 1, FL_WHY_SITE);
    parent_give(0, 5);
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(s_line(&result, "d1")->outcome, FL_OUT_REFUSED);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_SITE);
    parent_settle();
    result = s_round_of_one(2);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_SITE);
    parent_settle();
    fl_aggregator_model(parent_cohort, &next, &parent_order.model, MACHINE_MODEL);
    machine_clear();
    parent_order.run = next;
    fl_task task = { .attempt = 1, .order = parent_order };
    fl_aggregator_open(parent_cohort, &task, FL_NEVER, 0, machine_now, machine_out);
    assert_non_null(machine_said(1, FL_TASK));
}

static void
s_says_it_has(fl_peer peer, const char *data)
{
    fl_message hello = machine_hello(100 + peer, 1);
    const fl_offering has = { machine_node("builtin"), machine_node(data) };
    hello.hello.offers = fl_bytes_of((const uint8_t *)&has, sizeof has);
    machine_hear_child(peer, &hello, 0);
}

//  It rests before it is asked, until it says that it has it or another run wants something else.
static void
who_does_not_offer_what_the_run_wants_is_idle_by_name(void **state)
{
    fl_plan plan = { .data = machine_node("xray") };
    (void)state;
    parent_end_round();
    parent_settle();
    s_says_it_has(0, "xray");
    s_says_it_has(1, "scans");
    fl_aggregator_needs(parent_cohort, &plan);
    assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 1);
    fl_result result = s_round_of_one(2);
    assert_int_equal(s_line(&result, "d1")->outcome, FL_OUT_IDLE);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_NO_DATA);
    parent_settle();
    plan = (fl_plan){ .trainer = machine_node("builtin") };
    fl_aggregator_needs(parent_cohort, &plan);
    assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 0);
    plan.trainer = machine_node("other");
    fl_aggregator_needs(parent_cohort, &plan);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).reason, FL_WHY_NO_TRAINER);
    s_refuses_tasks(0, 0, FL_WHY_DRAIN); // its own word goes before
    fl_aggregator_needs(parent_cohort, &(fl_plan){ .bits = 16 });
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).reason, FL_WHY_DRAIN);
    fl_aggregator_needs(parent_cohort, &(fl_plan){ .data = machine_node("xray") });
    machine_clear();
    s_says_it_has(1, "xray");
    assert_null(machine_note(FL_NOTE_REJOINED)); // it was there all the time
    parent_open(3, FL_NEVER);
    assert_non_null(machine_said(1, FL_TASK));
    assert_null(machine_said(0, FL_TASK));
}

static void
who_rested_when_the_parent_ended_rests_until_it_is_back(void **state)
{
    (void)state;
    const fl_aggregator_conf conf = parent_conf();
    const fl_roll_entry roll = { .node = machine_node("d0"),
                                 .parent = conf.node,
                                 .outcome = FL_OUT_IDLE,
                                 .reason = FL_WHY_DRAIN };
    parent_make(&conf);
    fl_aggregator_remember(parent_cohort, &roll, 1);
    parent_join(1);
    assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 1);
    parent_open(1, FL_NEVER);
    parent_give(1, 5);
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(s_line(&result, "d0")->outcome, FL_OUT_IDLE);
}

//  A run that goes on after a pause recalls its last round: who came late in it, or has ended its
//  drain since then, is asked.
static void
who_is_here_is_asked_whatever_it_was_in_the_round_before(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_LATE, FL_WHY_FULL, FL_WHY_NO_POOL, FL_WHY_DRAIN };
    const fl_aggregator_conf conf = parent_conf();
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        const fl_roll_entry roll = { .node = machine_node("d0"),
                                     .parent = conf.node,
                                     .outcome = FL_OUT_IDLE,
                                     .reason = (uint8_t)reasons[i] };
        parent_make(&conf);
        parent_join(0);
        fl_aggregator_remember(parent_cohort, &roll, 1);
        assert_int_equal(fl_aggregator_presence(parent_cohort).resting, 0);
        parent_open(1, FL_NEVER);
        assert_non_null(machine_said(0, FL_TASK));
    }
}

static void
a_part_of_a_task_counts_and_is_named(void **state)
{
    (void)state;
    s_refuses_tasks(0, 1, FL_WHY_PARTIAL);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).reason, FL_WHY_NONE);
    parent_give(0, 5);
    parent_give(1, 6);
    machine_finished(7);
    fl_result result = parent_result();
    assert_int_equal(result.count, 2);
    assert_int_equal(s_line(&result, "d0")->outcome, FL_OUT_IN);
    assert_int_equal(s_line(&result, "d0")->reason, FL_WHY_PARTIAL);
    assert_int_equal(s_line(&result, "d1")->reason, FL_WHY_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parent_two, parent_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_rests_finishes_its_round_and_is_idle_by_name_until_hello),
        TEST(who_is_back_while_a_round_without_it_goes_on_is_idle_in_it_by_name),
        TEST(a_round_without_anybody_else_ends_at_once_below_a_parent),
        TEST(what_a_site_says_of_a_run_holds_for_that_run),
        TEST(who_does_not_offer_what_the_run_wants_is_idle_by_name),
        TEST(who_rested_when_the_parent_ended_rests_until_it_is_back),
        TEST(who_is_here_is_asked_whatever_it_was_in_the_round_before),
        TEST(a_part_of_a_task_counts_and_is_named),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
