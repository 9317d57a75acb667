//  What children say to an aggregator: each refusal by its name, each loss healed by one answer.
#include "common/round/aggregator.h"

#include "tests/support/parent.h"
#include "tests/support/unit.h"

#include <string.h>

// ---- HELLO ------------------------------------------------------------------------------------
static void
a_child_is_seated_and_tasked(void **state)
{
    (void)state;
    parent_join(2);
    const fl_message *welcome = machine_said(2, FL_WELCOME);
    assert_int_equal(welcome->welcome.seat, 2);
    assert_int_equal(welcome->welcome.epoch, 1);
    assert_int_equal(welcome->welcome.beat_ms, 100);
    const fl_message *task = machine_said(2, FL_TASK);
    assert_int_equal(task->task.attempt, 1);
    assert_int_equal(task->round, 1);
    assert_non_null(machine_note(FL_NOTE_JOINED));
    assert_non_null(machine_note(FL_NOTE_TASKED));
}

static void
a_wrong_role_and_a_full_house_are_refused_by_name(void **state)
{
    (void)state;
    fl_message hello = machine_hello(1, 1);
    fl_event event = machine_from_child(9, "d9", FL_ROLE_OPERATOR, &hello, 0);
    machine_step(&event);
    assert_true(machine_refuses(9, FL_HELLO, FL_WHY_ROLE));
    event = machine_from_child(9, "d9", FL_ROLE_NONE, &hello, 0);
    machine_step(&event);
    assert_true(machine_refuses(9, FL_HELLO, FL_WHY_ROLE));
    for (fl_peer peer = 2; peer < MACHINE_SEATS; peer++) {
        parent_join(peer);
    }
    machine_hear_child(MACHINE_SEATS, &hello, 0);
    assert_true(machine_refuses(MACHINE_SEATS, FL_HELLO, FL_WHY_FULL));
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, MACHINE_SEATS); // takes no session
}

static void
children_stay_seated_from_one_run_to_the_next(void **state)
{
    (void)state;
    fl_run next = machine_run(2);
    parent_give(0, 5);
    parent_end_round();
    parent_settle();
    fl_aggregator_model(parent_cohort, &next, &parent_order.model, MACHINE_MODEL);
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_WAIT_CLOSE); // CLOSED was lost
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    beat.run = next; // round 1 of this run is another one
    machine_hear_child(0, &beat, 0);
    assert_null(machine_said(0, FL_CLOSED));
    machine_clear();
    parent_order.run = next;
    fl_task task = { .attempt = 1, .order = parent_order };
    fl_aggregator_open(parent_cohort, &task, FL_NEVER, 0, machine_now, machine_out);
    assert_true(fl_run_equal(&machine_said(0, FL_TASK)->run, &next));
    assert_true(fl_run_equal(&machine_said(1, FL_TASK)->run, &next));
}

static void
whoever_is_here_hears_that_the_keys_change(void **state)
{
    (void)state;
    fl_event renewed = { .kind = FL_EV_RENEWED };
    machine_step(&renewed); // the same keys
    assert_false(machine_refuses(0, FL_HELLO, FL_WHY_NEW_KEYS));
    renewed.renewed.rekeyed = true;
    machine_step(&renewed);
    assert_true(machine_refuses(0, FL_HELLO, FL_WHY_NEW_KEYS));
    assert_true(machine_refuses(1, FL_HELLO, FL_WHY_NEW_KEYS));
    assert_null(machine_said(2, FL_REFUSED));
}

static void
a_child_is_seated_before_there_is_a_run(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    parent_make(&conf);
    fl_run none = { { 0 } };
    fl_hash model = machine_hash(1);
    fl_aggregator_model(parent_cohort, &none, &model, 0);
    parent_join(0);
    assert_non_null(machine_said(0, FL_WELCOME));
    assert_null(machine_said(0, FL_TASK));
}

static void
the_same_process_keeps_its_seat_epoch_and_transfer(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_count(FL_FX_SLOT), 1);
    parent_join(0);
    assert_int_equal(machine_said(0, FL_WELCOME)->welcome.epoch, 1);
    assert_int_equal(machine_count(FL_FX_SLOT), 0);
    assert_non_null(machine_note(FL_NOTE_REJOINED));
    assert_non_null(machine_said(0, FL_TASK)); // it says CONTRIB again upon this
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.next, 0);
    assert_int_equal(machine_count(FL_FX_SLOT), 0);
}

static void
a_new_process_gets_a_new_epoch_and_what_was_announced_is_forgotten(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0);
    fl_message hello = machine_hello(777, 1);
    machine_now += 300;
    machine_hear_child(0, &hello, 0);
    assert_int_equal(machine_said(0, FL_WELCOME)->welcome.epoch, 2);
    assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
    assert_non_null(machine_said(0, FL_TASK));
    fl_message chunk = machine_chunk(&contrib, 0); // of the process that died
    machine_hear_child(0, &chunk, MACHINE_VECTOR);
    assert_true(machine_refuses(0, FL_CHUNK, FL_WHY_UNKNOWN_SEAT));
    assert_int_equal(machine_count(FL_FX_STAGE), 0);
}

static void
what_was_counted_stays_counted_over_a_restart_and_is_not_asked_for_again(void **state)
{
    (void)state;
    parent_give(0, 5);
    fl_message hello = machine_hello(777, 1);
    machine_now += 300;
    machine_hear_child(0, &hello, 0);
    assert_null(machine_said(0, FL_TASK));
    assert_int_equal(machine_count(FL_FX_EXPEL), 0);
    fl_event moved = machine_from_child(70, "d0", FL_ROLE_DEVICE, &hello, 0); // with another key
    machine_step(&moved);
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 0);
    machine_hear_child(0, &hello, 0);
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 70);
    fl_message again = machine_contrib(&parent_order, 1, 0, 2, 4444, 5);
    machine_hear_child(0, &again, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_DUPLICATE));
    assert_int_equal(fl_aggregator_tally(parent_cohort).in, 1);
}

// ---- one identity, one process ----------------------------------------------------------------
static void
a_process_keeps_its_seat_while_it_is_heard_within_three_beats(void **state)
{
    (void)state;
    fl_message hello = machine_hello(777, 1), beat = machine_beat(0, 1, 1, 1, FL_DOING_TRAIN);
    machine_now += 250;
    machine_hear_child(0, &beat, 0);
    machine_now += 299;
    machine_hear_child(0, &hello, 0); // the same keys, on a second machine
    assert_true(machine_refuses(0, FL_HELLO, FL_WHY_IN_USE));
    assert_int_equal(machine_count(FL_FX_EXPEL), 0); // it would be the first one's connection
    fl_event renewed = machine_from_child(70, "d0", FL_ROLE_DEVICE, &hello, 0); // with newer keys
    machine_step(&renewed);
    assert_true(machine_refuses(70, FL_HELLO, FL_WHY_IN_USE));
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 70);
    machine_hear_child(0, &beat, 0);
    assert_null(machine_said(0, FL_REFUSED)); // it has lost nothing
    machine_now += 300;
    machine_hear_child(0, &hello, 0); // now it may have died
    assert_int_equal(machine_said(0, FL_WELCOME)->welcome.epoch, 2);
}

static void
a_name_that_another_parent_keeps_is_refused_from_the_end_of_the_round_on(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.vector = true; // an edge
    parent_make(&conf);
    parent_join(0);
    parent_join(1);
    const fl_twin kept[] = { { machine_node("d0"), machine_node("other") },
                             { machine_node("d1"), machine_node("parent") } };
    fl_message hello = machine_hello(7, 1);
    for (int told = 1; told >= 0; told--) {
        parent_open(told == 1 ? 1 : 2, FL_NEVER);
        if (told == 1) {
            fl_aggregator_twins(parent_cohort, fl_bytes_of((const uint8_t *)kept, sizeof kept));
        }
        parent_give(1, 5);
        parent_end_round();
        parent_settle();
        assert_int_equal(machine_refuses(0, FL_HELLO, FL_WHY_IN_USE), told);
        assert_int_equal(machine_count(FL_FX_EXPEL), told);
        assert_false(machine_refuses(1, FL_HELLO, FL_WHY_IN_USE)); // that one is kept here
        machine_hear_child(0, &hello, 0);
        assert_int_equal(machine_refuses(0, FL_HELLO, FL_WHY_IN_USE), told); // until it is not said
    }
    assert_non_null(machine_said(0, FL_WELCOME));
}

// ---- seats ------------------------------------------------------------------------------------
static void
words_from_an_unknown_seat_are_refused(void **state)
{
    (void)state;
    fl_message beat = machine_beat(7, 1, 1, 1, FL_DOING_TRAIN); // no such seat
    machine_hear_child(0, &beat, 0);
    assert_true(machine_refuses(0, FL_BEAT, FL_WHY_UNKNOWN_SEAT));
    beat = machine_beat(1, 1, 1, 1, FL_DOING_TRAIN); // somebody else's
    machine_hear_child(0, &beat, 0);
    assert_true(machine_refuses(0, FL_BEAT, FL_WHY_UNKNOWN_SEAT));
    beat = machine_beat(0, 2, 1, 1, FL_DOING_TRAIN); // of another life
    machine_hear_child(0, &beat, 0);
    assert_true(machine_refuses(0, FL_BEAT, FL_WHY_UNKNOWN_SEAT));
    fl_message contrib = machine_contrib(&parent_order, 1, 7, 1, 1, 5);
    machine_hear_child(0, &contrib, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_UNKNOWN_SEAT));
    fl_message fetch = machine_message(FL_FETCH, 1);
    machine_hear_child(9, &fetch, 0);
    assert_true(machine_refuses(9, FL_FETCH, FL_WHY_UNKNOWN_SEAT));
}

static void
who_leaves_is_absent_unless_counted(void **state)
{
    (void)state;
    parent_give(0, 5);
    fl_message leave = machine_message(FL_LEAVE, 1);
    for (fl_peer peer = 0; peer < 2; peer++) {
        machine_hear_child(peer, &leave, 0);
        assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, peer);
        assert_non_null(machine_note(FL_NOTE_LEFT));
    }
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).outcome, FL_OUT_IN);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).outcome, FL_OUT_ABSENT);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).reason, FL_WHY_LEFT);
    machine_hear_child(5, &leave, 0); // a stranger
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
a_child_that_comes_back_in_the_round_may_still_come_in(void **state)
{
    (void)state;
    fl_message leave = machine_message(FL_LEAVE, 1);
    machine_hear_child(1, &leave, 0);
    parent_join(1);
    assert_non_null(machine_said(1, FL_TASK));
    parent_give(1, 5);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).outcome, FL_OUT_IN);
}

static void
verbs_that_are_not_for_a_parent_are_refused_as_malformed(void **state)
{
    (void)state;
    static const fl_verb verbs[] = { FL_WELCOME, FL_TASK,  FL_GRANT,    FL_CLOSED, FL_DENY,
                                     FL_ENROL,   FL_PIECE, FL_ENROLLED, FL_ASK,    FL_ANSWER };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        fl_message message = machine_message(verbs[i], 1);
        machine_hear_child(0, &message, 0);
        assert_true(machine_refuses(0, verbs[i], FL_WHY_MALFORMED));
        assert_int_equal(fl_outbox_count(machine_out), 2); // the refusal and its note
    }
}

// ---- BEAT: what was lost ----------------------------------------------------------------------
static void
a_lost_task_is_said_again(void **state)
{
    (void)state;
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_TASK)->task.attempt, 1);
    beat = machine_beat(0, 1, 1, 1, FL_DOING_TRAIN); // it has it: nothing to say
    machine_hear_child(0, &beat, 0);
    assert_null(machine_said(0, FL_TASK));
    assert_non_null(machine_said(0, FL_BEAT));
}

static void
a_lost_announcement_is_asked_for_again(void **state)
{
    (void)state;
    static const fl_activity waits[] = { FL_DOING_WAIT_GRANT, FL_DOING_SEND, FL_DOING_WAIT_CLOSE };
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        fl_message beat = machine_beat(0, 1, 1, 1, waits[i]);
        machine_hear_child(0, &beat, 0);
        assert_non_null(machine_said(0, FL_TASK)); // upon which it says CONTRIB again
    }
}

static void
a_lost_grant_is_said_again(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0);
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_WAIT_GRANT);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.limit, MACHINE_VECTOR);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.rewind, 0);
    assert_null(machine_said(0, FL_BEAT));
}

static void
a_lost_verdict_is_said_again_as_long_as_it_is_remembered(void **state)
{
    (void)state;
    parent_give(0, 5);
    parent_end_round();
    parent_settle();
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_WAIT_CLOSE);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_null(machine_said(0, FL_TASK));
    parent_open(2, FL_NEVER);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->round, 1);
    assert_int_equal(machine_said(0, FL_TASK)->round, 2);
    parent_end_round();
    parent_settle();
    machine_hear_child(0, &beat, 0); // two rounds ago: forgotten
    assert_null(machine_said(0, FL_CLOSED));
}

static void
the_end_of_the_run_comes_with_the_last_verdict(void **state)
{
    (void)state;
    parent_give(0, 5);
    parent_end_round();
    const fl_reason over = FL_WHY_NONE;
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, &over, machine_out);
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_WAIT_CLOSE);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said_count(0, FL_CLOSED), 1);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IDLE);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
}

//  It was replaced meanwhile, and knows of no run; some below it may have a task of this one.
static void
an_edge_that_begins_anew_hears_that_the_run_is_over(void **state)
{
    (void)state;
    const fl_reason end = FL_WHY_TARGET;
    parent_end_round();
    fl_aggregator_settle(parent_cohort, FL_OUT_LATE, FL_WHY_QUORUM, &end, machine_out);
    fl_message hello = machine_hello(7, 0);
    for (int new = 1; new >= 0; new --) { // once
        fl_event event = machine_from_child(2, "e2", FL_ROLE_EDGE, &hello, 0);
        machine_step(&event);
        assert_int_equal(machine_said_count(2, FL_CLOSED), new);
        assert_true(!new || (machine_said(2, FL_CLOSED)->closed.final &&
                             machine_said(2, FL_CLOSED)->closed.end == FL_WHY_TARGET));
    }
}

// ---- who is gone ------------------------------------------------------------------------------
static const fl_roll_entry *
s_line_of(const fl_result *result, const char *node)
{
    fl_name name = machine_node(node);
    for (uint32_t i = 0; i < result->roll_count; i++) {
        if (fl_name_equal(&result->roll[i].node, &name)) {
            return &result->roll[i];
        }
    }
    return NULL;
}

//  It was in round 1 and left; rounds without it still say so, until another run begins.
static void
who_was_in_the_run_and_left_stands_in_later_rounds_as_absent(void **state)
{
    (void)state;
    fl_message leave = machine_message(FL_LEAVE, 1);
    for (uint64_t round = 1; round <= 3; round++) {
        parent_give(0, 5);
        if (round == 1) {
            parent_give(1, 5);
        }
        parent_end_round();
        fl_result result = parent_result();
        assert_int_equal(result.tally.invited, 2);
        assert_int_equal(result.tally.absent, round == 1 ? 0 : 1);
        const fl_roll_entry *line = s_line_of(&result, "d1");
        assert_non_null(line);
        assert_int_equal(line->reason, round == 1 ? FL_WHY_NONE : FL_WHY_LEFT);
        parent_settle();
        machine_hear_child(1, &leave, 0);
        parent_open(round + 1, FL_NEVER);
    }
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).outcome, FL_OUT_ABSENT);
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    fl_run other = machine_run(2);
    fl_hash model = machine_hash(1);
    fl_aggregator_model(parent_cohort, &other, &model, MACHINE_MODEL);
    assert_int_equal(fl_aggregator_tally(parent_cohort).invited, 0);
}

//  What the report of the last process's newest round says.
static void
who_was_in_the_run_before_a_restart_is_absent_until_it_is_back(void **state)
{
    (void)state;
    const char *const lines[][2] = {
        { "d0", "parent" }, { "e7", "parent" }, { "d71", "e7" },
        { "e72", "e7" },    { "d73", "e72" },   { "e8", "elsewhere" },
    };
    fl_roll_entry roll[6] = { { .outcome = FL_OUT_IN } };
    for (int i = 0; i < 6; i++) {
        roll[i] = (fl_roll_entry){ .node = machine_node(lines[i][0]),
                                   .parent = machine_node(lines[i][1]),
                                   .outcome = FL_OUT_IN };
    }
    fl_aggregator_conf conf = parent_conf();
    parent_make(&conf);
    fl_aggregator_remember(parent_cohort, roll, 6);
    parent_join(0);
    parent_open(2, FL_NEVER);
    parent_give(0, 5);
    parent_end_round();
    fl_result result = parent_result();
    assert_int_equal(result.tally.invited, 3);
    assert_int_equal(result.tally.in, 1);
    assert_int_equal(result.tally.absent, 2); // below e7
    assert_int_equal(s_line_of(&result, "d0")->outcome, FL_OUT_IN);
    assert_int_equal(s_line_of(&result, "d73")->outcome, FL_OUT_ABSENT);
    assert_int_equal(s_line_of(&result, "d73")->reason, FL_WHY_SILENT);
    assert_null(s_line_of(&result, "e8"));
    assert_int_equal(result.roll_count, 5);
}

//  Of the sum of a round, by whoever adds it up.
static void
capped_weights_are_said_when_the_round_closes(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    contrib.contrib.stats[FL_STAT_CAPPED] = 1;
    machine_hear_child(0, &contrib, 0);
    parent_give(0, 5);
    parent_end_round();
    const fl_note *note = machine_note(FL_NOTE_WEIGHT_CAPPED);
    assert_non_null(note);
    assert_int_equal(note->a, 1);
    assert_int_equal(note->b,
                     (uint64_t)parent_order.plan.weight_unit * parent_order.plan.weight_max);
}

// ---- models -----------------------------------------------------------------------------------
static void
a_model_is_served_as_asked_and_no_byte_beyond(void **state)
{
    (void)state;
    fl_message fetch = machine_message(FL_FETCH, 1);
    fetch.fetch = (fl_fetch){ .hash = machine_hash(1), .offset = 99000, .bytes = 1000 };
    machine_hear_child(0, &fetch, 0);
    const fl_effect *serve = machine_effect(FL_FX_SERVE);
    assert_int_equal(serve->serve.to, 0);
    assert_int_equal(serve->serve.bytes, 1000);
    assert_int_equal(serve->serve.message.piece.offset, 99000);
    assert_int_equal(serve->serve.message.piece.total, MACHINE_MODEL);
    assert_int_equal(fl_aggregator_tally(parent_cohort).bytes_down, 1000);
    const fl_fetch wrong[] = {
        { .hash = machine_hash(2), .offset = 0, .bytes = 1 },
        { .hash = machine_hash(1), .offset = MACHINE_MODEL, .bytes = 1 },
        { .hash = machine_hash(1), .offset = 99000, .bytes = 1001 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fetch.fetch = wrong[i];
        machine_hear_child(0, &fetch, 0);
        assert_true(machine_refuses(0, FL_FETCH, FL_WHY_MODEL));
        assert_int_equal(machine_count(FL_FX_SERVE), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parent_two, parent_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_is_seated_and_tasked),
        TEST(children_stay_seated_from_one_run_to_the_next),
        TEST(whoever_is_here_hears_that_the_keys_change),
        TEST(a_child_is_seated_before_there_is_a_run),
        TEST(a_wrong_role_and_a_full_house_are_refused_by_name),
        TEST(the_same_process_keeps_its_seat_epoch_and_transfer),
        TEST(a_new_process_gets_a_new_epoch_and_what_was_announced_is_forgotten),
        TEST(what_was_counted_stays_counted_over_a_restart_and_is_not_asked_for_again),
        TEST(a_process_keeps_its_seat_while_it_is_heard_within_three_beats),
        TEST(a_name_that_another_parent_keeps_is_refused_from_the_end_of_the_round_on),
        TEST(words_from_an_unknown_seat_are_refused),
        TEST(who_leaves_is_absent_unless_counted),
        TEST(a_child_that_comes_back_in_the_round_may_still_come_in),
        TEST(verbs_that_are_not_for_a_parent_are_refused_as_malformed),
        TEST(a_lost_task_is_said_again),
        TEST(a_lost_announcement_is_asked_for_again),
        TEST(a_lost_grant_is_said_again),
        TEST(a_lost_verdict_is_said_again_as_long_as_it_is_remembered),
        TEST(the_end_of_the_run_comes_with_the_last_verdict),
        TEST(an_edge_that_begins_anew_hears_that_the_run_is_over),
        TEST(who_was_in_the_run_and_left_stands_in_later_rounds_as_absent),
        TEST(who_was_in_the_run_before_a_restart_is_absent_until_it_is_back),
        TEST(capped_weights_are_said_when_the_round_closes),
        TEST(a_model_is_served_as_asked_and_no_byte_beyond),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
