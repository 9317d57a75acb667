//  A member answers its task: offers, declines, hears its fate.
#include "common/round/participant.h"

#include "tests/support/child.h"
#include "tests/support/unit.h"

#include <string.h>

// ---- the offer --------------------------------------------------------------------------------
static void
an_offer_is_announced_sent_within_credit_and_told_its_fate(void **state)
{
    (void)state;
    child_work();
    child_offer();
    const fl_message *contrib = machine_said(FL_PARENT, FL_CONTRIB);
    assert_int_equal(contrib->contrib.seat, 3);
    assert_int_equal(contrib->contrib.weight, 9);
    assert_int_equal(contrib->contrib.vector_bytes, CHILD_BYTES);
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_WAIT_GRANT);
    child_grant(1, 0, CHILD_CHUNK, 0);
    assert_int_equal(machine_count(FL_FX_PUSH), 1);
    assert_non_null(machine_note(FL_NOTE_SENDING));
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_SEND);
    child_grant(1, CHILD_CHUNK, CHILD_BYTES, 0);
    assert_int_equal(machine_count(FL_FX_PUSH), 2);
    assert_non_null(machine_note(FL_NOTE_SENT));
    child_grant(1, CHILD_BYTES, CHILD_BYTES, 0);
    assert_false(machine_effect(FL_FX_LANE)->lane.open);
    machine_now = 1100;
    machine_tick();
    assert_int_equal(machine_said(FL_PARENT, FL_BEAT)->beat.done, CHILD_BYTES);
    assert_int_equal(machine_said(FL_PARENT, FL_BEAT)->beat.attempt, 1);
    child_closed(1, 1, FL_OUT_IN, FL_WHY_NONE, false);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, CHILD_VEC);
    fl_verdict verdict = child_verdict();
    assert_int_equal(verdict.outcome, FL_OUT_IN);
    assert_true(verdict.certain && !verdict.final);
    assert_int_equal(fl_participant_due(child_member), FL_NEVER);
    assert_null(fl_participant_task(child_member));
}

static void
a_large_grant_is_sent_in_shares(void **state)
{
    (void)state;
    child_work();
    machine_clear();
    fl_participant_offer(child_member,
                         &(fl_offer){ .vec = CHILD_VEC,
                                      .hash = machine_hash(70),
                                      .vector_bytes = 40 * CHILD_CHUNK,
                                      .base_round = 1,
                                      .weight = 9,
                                      .count = 1 },
                         machine_now, machine_out);
    child_grant(1, 0, 40 * CHILD_CHUNK, 0);
    assert_int_equal(machine_count(FL_FX_PUSH), 32);
    assert_int_equal(fl_participant_deadline(child_member), 0); // at once
    machine_tick();
    assert_int_equal(machine_count(FL_FX_PUSH), 8);
    assert_true(fl_participant_deadline(child_member) > 0);
}

static void
a_repeated_task_heals_what_was_lost(void **state)
{
    (void)state;
    child_work();
    child_offer();
    child_task(1, 1, 5000); // CONTRIB was lost
    assert_non_null(machine_said(FL_PARENT, FL_CONTRIB));
    child_grant(1, 0, CHILD_BYTES, 0);
    child_task(1, 1, 5000); // it was lost a second time
    assert_non_null(machine_said(FL_PARENT, FL_CONTRIB));
    child_grant(1, 0, CHILD_BYTES, 1); // so were the bytes
    assert_int_equal(machine_count(FL_FX_PUSH), 3);
}

static void
a_new_attempt_asks_for_the_same_bytes_from_the_start(void **state)
{
    (void)state;
    child_send_all();
    child_task(1, 2, 700);
    assert_int_equal(machine_said(FL_PARENT, FL_CONTRIB)->contrib.attempt, 2);
    assert_int_equal(machine_note(FL_NOTE_TASK)->reason, FL_WHY_RESTART);
    assert_int_equal(fl_participant_due(child_member), 1700);
    child_grant(1, CHILD_BYTES, CHILD_BYTES, 9); // of the old attempt
    assert_int_equal(fl_outbox_count(machine_out), 0);
    child_grant(2, 0, CHILD_CHUNK, 0);
    assert_int_equal(machine_count(FL_FX_PUSH), 1);
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.message.chunk.attempt, 2);
    child_task(1, 1, 5000); // an old one
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
a_rejoin_offers_again_on_the_new_seat(void **state)
{
    (void)state;
    child_work();
    child_offer();
    child_grant(1, 0, CHILD_CHUNK, 0);
    machine_now += 301;
    machine_tick();
    child_task(1, 1, 5000); // heard on the connection that is given up: nothing can be said
    assert_null(machine_said(FL_PARENT, FL_CONTRIB));
    machine_now = fl_participant_deadline(child_member);
    machine_tick();
    fl_message welcome = machine_welcome(8, 4);
    machine_hear_parent(&welcome, 0);
    assert_int_equal(machine_said(FL_PARENT, FL_CONTRIB)->contrib.seat, 8);
    child_grant(1, 0, CHILD_CHUNK, 0);
    assert_true(machine_effect(FL_FX_LANE)->lane.open); // a lane of the new connection
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.message.chunk.epoch, 4);
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.message.chunk.offset, 0);
}

static void
a_refused_offer_ends_the_task(void **state)
{
    const struct {
        fl_verb about;
        fl_reason reason;
        bool all_sent;
        fl_outcome want;
        bool certain;
    } rows[] = {
        { FL_CONTRIB, FL_WHY_LATE, false, FL_OUT_LATE, true },
        { FL_CONTRIB, FL_WHY_BUSY, false, FL_OUT_LATE, true },
        { FL_CONTRIB, FL_WHY_SLOW, false, FL_OUT_LATE, true },
        { FL_CHUNK, FL_WHY_CREDIT, false, FL_OUT_REFUSED, true },
        { FL_CONTRIB, FL_WHY_HASH, true, FL_OUT_REFUSED, false },
        { FL_CONTRIB, FL_WHY_LATE, true, FL_OUT_LATE, false },
        { FL_CONTRIB, FL_WHY_DUPLICATE, true, FL_OUT_REFUSED, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_participant_destroy(&child_member);
        (void)child_new(state);
        child_work();
        child_offer();
        child_grant(1, 0, rows[i].all_sent ? CHILD_BYTES : CHILD_CHUNK, 0);
        fl_message refused = machine_refused(rows[i].about, 2, rows[i].reason);
        machine_hear_parent(&refused, 0); // about another round
        assert_true(child_no_verdict());
        refused.round = 1;
        machine_hear_parent(&refused, 0);
        fl_verdict verdict = child_verdict();
        assert_int_equal(verdict.outcome, rows[i].want);
        assert_int_equal(verdict.reason, rows[i].reason);
        assert_int_equal(verdict.certain, rows[i].certain);
        assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, CHILD_VEC);
        machine_hear_parent(&refused, 0); // nothing is on offer any more
        assert_true(child_no_verdict());
    }
}

static void
what_a_closed_round_says_is_believed_for_its_own_attempt_only(void **state)
{
    const struct {
        bool all_sent;    // under attempt 1
        bool again;       // and then attempt 2 came
        uint32_t attempt; // that CLOSED speaks of
        fl_outcome outcome;
        fl_reason reason;
        bool ends, certain;
    } rows[] = {
        { true, false, 1, FL_OUT_IN, FL_WHY_NONE, true, true },
        { true, false, 1, FL_OUT_LATE, FL_WHY_LATE, true, true },
        { false, false, 1, FL_OUT_LATE, FL_WHY_LATE, true, true },
        { false, true, 2, FL_OUT_LATE, FL_WHY_LATE, true, true },
        { true, true, 2, FL_OUT_LATE, FL_WHY_LATE, true, false }, // attempt 1 may have counted it
        { true, true, 2, FL_OUT_REFUSED, FL_WHY_HASH, true, false },
        { true, true, 2, FL_OUT_IN, FL_WHY_NONE, true, true },
        { true, true, 1, FL_OUT_IN, FL_WHY_NONE, false, false }, // of the attempt before
        { true, false, 1, FL_OUT_REFUSED, FL_WHY_UNKNOWN_ROUND, true, false }, // nobody knows
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_participant_destroy(&child_member);
        (void)child_new(state);
        child_work();
        child_offer();
        child_grant(1, 0, rows[i].all_sent ? CHILD_BYTES : CHILD_CHUNK, 0);
        if (rows[i].again) {
            child_task(1, 2, 5000);
        }
        child_closed(1, rows[i].attempt, rows[i].outcome, rows[i].reason, false);
        if (!rows[i].ends) {
            assert_true(child_no_verdict());
            continue;
        }
        fl_verdict verdict = child_verdict();
        assert_int_equal(verdict.outcome, rows[i].outcome);
        assert_int_equal(verdict.certain, rows[i].certain);
    }
}

// ---- declining, and the end -------------------------------------------------------------------
static void
a_task_may_be_declined_and_that_is_said_again_when_it_was_lost(void **state)
{
    (void)state;
    child_work();
    machine_clear();
    char text[2 * FL_TEXT_MAX];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    fl_participant_decline(child_member, FL_WHY_NO_DATA, text, machine_now, machine_out);
    machine_proof();
    const fl_message *refused = machine_said(FL_PARENT, FL_REFUSED);
    assert_int_equal(refused->refused.about, FL_TASK);
    assert_int_equal(refused->refused.reason, FL_WHY_NO_DATA);
    assert_int_equal(strlen(refused->refused.text), FL_TEXT_MAX - 1);
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_WAIT_CLOSE);
    assert_false(fl_participant_wants(child_member));
    child_task(1, 1, 5000);
    assert_non_null(machine_said(FL_PARENT, FL_REFUSED));
    child_closed(1, 1, FL_OUT_REFUSED, FL_WHY_NO_DATA, false);
    assert_int_equal(child_verdict().reason, FL_WHY_NO_DATA);
}

static void
a_decline_without_a_seat_is_said_when_there_is_one(void **state)
{
    (void)state;
    child_work();
    machine_now += 301;
    machine_tick();
    machine_clear();
    fl_participant_decline(child_member, FL_WHY_NAN, "NaN", machine_now, machine_out);
    assert_int_equal(machine_count(FL_FX_SEND), 0);
    assert_int_equal(machine_note(FL_NOTE_DECLINED)->reason, FL_WHY_NAN);
    machine_now = fl_participant_deadline(child_member);
    machine_tick();
    fl_message welcome = machine_welcome(3, 1);
    machine_hear_parent(&welcome, 0);
    child_task(1, 1, 5000); // that a parent says to who joins
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.reason, FL_WHY_NAN);
}

static void
the_end_of_the_run_is_told_with_and_without_a_task(void **state)
{
    (void)state;
    child_work();
    child_closed(7, 0, FL_OUT_IDLE, FL_WHY_QUORUM, true);
    fl_verdict verdict = child_verdict();
    assert_int_equal(verdict.outcome, FL_OUT_LATE);
    assert_true(verdict.final && verdict.certain);
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->reason, FL_WHY_NONE);
    child_closed(0, 0, FL_OUT_IDLE, FL_WHY_NONE, true); // again: that is no news
    assert_true(child_no_verdict());
    child_task(2, 1, 5000);
    child_closed(2, 1, FL_OUT_IN, FL_WHY_NONE, false);
    assert_false(child_verdict().final);
    fl_message closed = machine_closed(0, 0, FL_OUT_IDLE, FL_WHY_NONE);
    closed.closed.final = true;
    closed.closed.end = FL_WHY_QUORUM;
    machine_hear_parent(&closed, 0);
    verdict = child_verdict();
    assert_int_equal(verdict.outcome, FL_OUT_IDLE);
    assert_true(verdict.final);
    assert_int_equal(verdict.end, FL_WHY_QUORUM);
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->reason, FL_WHY_QUORUM);
}

//  Whoever was left out of its rounds hears it once, but for the time in which it has a round of
//  its own run in hand; and it knows afterwards where it stands in that.
static void
the_end_of_a_run_is_heard_by_who_had_no_task_of_it(void **state)
{
    (void)state;
    child_work();
    fl_message end = machine_closed(7, 1, FL_OUT_IDLE, FL_WHY_NONE);
    end.run = machine_run(2);
    end.closed.final = true;
    end.closed.end = FL_WHY_TARGET;
    machine_hear_parent(&end, 0);
    assert_true(child_no_verdict()); // in hand: a round of its own run
    const fl_order ours = child_order;
    fl_message closed = machine_closed(1, 1, FL_OUT_LATE, FL_WHY_LATE);
    machine_hear_parent(&closed, 0);
    assert_false(child_verdict().final);
    machine_hear_parent(&end, 0);
    const fl_verdict verdict = child_verdict();
    assert_true(verdict.final && fl_run_equal(&verdict.run, &end.run));
    assert_int_equal(machine_note(FL_NOTE_RUN_DONE)->reason, FL_WHY_TARGET);
    fl_message old = machine_task(&ours, 1, 100); // is still over
    machine_hear_parent(&old, 0);
    assert_false(fl_participant_wants(child_member));
    old.task.attempt = 2;
    machine_hear_parent(&old, 0);
    assert_true(fl_participant_wants(child_member));
    closed.closed.attempt = 2;
    machine_hear_parent(&closed, 0);
    assert_false(child_verdict().final);
    machine_hear_parent(&end, 0); // heard before
    assert_true(child_no_verdict());
}

static void
an_end_of_the_run_without_a_word_about_what_was_sent_is_uncertain(void **state)
{
    (void)state;
    child_send_all();
    child_closed(0, 0, FL_OUT_IDLE, FL_WHY_NONE, true);
    assert_false(child_verdict().certain);
}

// ---- rest -------------------------------------------------------------------------------------
static void
s_rest(fl_reason reason)
{
    machine_clear();
    fl_participant_rest(child_member, reason, machine_now, machine_out);
    machine_proof();
}

static void
who_rests_finishes_its_task_and_takes_no_other_until_it_says_hello(void **state)
{
    (void)state;
    child_work();
    child_offer();
    s_rest(FL_WHY_DRAIN);
    const fl_message *said = machine_said(FL_PARENT, FL_REFUSED);
    assert_int_equal(said->round, 0); // of all that come
    assert_int_equal(said->refused.reason, FL_WHY_DRAIN);
    assert_true(fl_participant_busy(child_member));
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_WAIT_GRANT);
    child_closed(1, 1, FL_OUT_IN, FL_WHY_NONE, false);
    assert_int_equal(child_verdict().outcome, FL_OUT_IN);
    assert_false(fl_participant_busy(child_member));
    assert_int_equal(fl_participant_activity(child_member), FL_DOING_REST);
    child_task(2, 1, 5000);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->round, 2);
    assert_null(fl_participant_task(child_member));
    fl_message unknown = machine_refused(FL_BEAT, 0, FL_WHY_UNKNOWN_SEAT); // the parent restarted
    machine_hear_parent(&unknown, 0);
    fl_message welcome = machine_welcome(3, 2);
    machine_hear_parent(&welcome, 0);
    assert_int_equal(machine_said(FL_PARENT, FL_REFUSED)->refused.reason, FL_WHY_DRAIN);
    s_rest(FL_WHY_NONE);
    assert_non_null(machine_said(FL_PARENT, FL_HELLO));
    machine_hear_parent(&welcome, 0);
    assert_null(machine_said(FL_PARENT, FL_REFUSED));
    child_task(2, 1, 5000);
    assert_true(fl_participant_wants(child_member)); // of the model that it holds
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, child_new, child_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_offer_is_announced_sent_within_credit_and_told_its_fate),
        TEST(a_large_grant_is_sent_in_shares),
        TEST(a_repeated_task_heals_what_was_lost),
        TEST(a_new_attempt_asks_for_the_same_bytes_from_the_start),
        TEST(a_rejoin_offers_again_on_the_new_seat),
        TEST(a_refused_offer_ends_the_task),
        TEST(what_a_closed_round_says_is_believed_for_its_own_attempt_only),
        TEST(a_task_may_be_declined_and_that_is_said_again_when_it_was_lost),
        TEST(a_decline_without_a_seat_is_said_when_there_is_one),
        TEST(the_end_of_the_run_is_told_with_and_without_a_task),
        TEST(the_end_of_a_run_is_heard_by_who_had_no_task_of_it),
        TEST(an_end_of_the_run_without_a_word_about_what_was_sent_is_uncertain),
        TEST(who_rests_finishes_its_task_and_takes_no_other_until_it_says_hello),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
