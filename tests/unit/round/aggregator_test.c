#include "common/round/aggregator.h"

#include "tests/support/parent.h"
#include "tests/support/unit.h"

static void
s_decline(fl_peer peer)
{
    fl_message refused = machine_refused(FL_TASK, parent_order.round, FL_WHY_NAN);
    machine_hear_child(peer, &refused, 0);
}

// ---- closing ----------------------------------------------------------------------------------
static void
from_the_cut_off_on_nothing_new_is_let_in_but_what_is_here_is_folded(void **state)
{
    (void)state;
    parent_join_all(4);
    parent_open(1, FL_NEVER);
    machine_now = 900;
    for (fl_peer peer = 0; peer < 4; peer++) { // all are heard from
        fl_message beat = machine_beat(peer, 1, 1, 1, FL_DOING_TRAIN);
        machine_hear_child(peer, &beat, 0);
    }
    uint32_t slot = parent_send(0, 1000, 5); // verified and folded after the cut-off
    fl_message contrib = machine_contrib(&parent_order, parent_attempt, 1, 1, 1001, 5);
    machine_hear_child(1, &contrib, 0); // has a slot, no byte
    machine_now = 1000;
    machine_tick();
    assert_int_equal(machine_note(FL_NOTE_ROUND_CUTOFF)->b, 1000);
    assert_int_equal(machine_count(FL_FX_SLOT), 1); // that of child 1 is free
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).outcome, FL_OUT_LATE);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).reason, FL_WHY_LATE);
    assert_int_equal(fl_aggregator_cutoff(parent_cohort), FL_NEVER);
    fl_message late = machine_contrib(&parent_order, parent_attempt, 2, 1, 1002, 5);
    machine_hear_child(2, &late, 0);
    assert_true(machine_refuses(2, FL_CONTRIB, FL_WHY_LATE));
    fl_message chunk = machine_chunk(&contrib, 0);
    machine_hear_child(1, &chunk, MACHINE_VECTOR);
    assert_int_equal(machine_count(FL_FX_STAGE), 0);
    assert_int_equal(machine_note(FL_NOTE_CHUNK_DROPPED)->reason, FL_WHY_LATE);
    machine_now = 1020;
    machine_verified(slot, true, FL_WHY_NONE);
    assert_int_equal(machine_count(FL_FX_FINISH), 0);
    machine_folded(slot);
    assert_int_equal(machine_count(FL_FX_FINISH), 1);
    assert_false(machine_effect(FL_FX_FINISH)->finish.vector);
    machine_now = 1030;
    machine_finished(0);
    fl_result result = parent_result();
    assert_int_equal(result.close, FL_CLOSE_DONE);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.weight, 5);
    assert_int_equal(result.tally.merge_ms, 30); // cut-off -> sum
    assert_int_equal(result.tally.in, 1);
    assert_int_equal(result.tally.late, 3);
    assert_int_equal(result.tally.invited, 4);
    assert_int_equal(result.roll_count, 4);
    assert_int_equal(result.roll[0].outcome, FL_OUT_IN);
    assert_int_equal(result.roll[1].outcome, FL_OUT_LATE);
    assert_string_equal(result.roll[1].parent.name, "parent");
    assert_int_equal(result.tally.bytes_up, MACHINE_VECTOR);
}

static void
who_waits_for_a_slot_at_the_cut_off_hears_busy_and_who_was_silent_is_absent(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.slots = 1;
    parent_make(&conf);
    parent_join_all(3);
    parent_open(1, FL_NEVER);
    machine_now = 500;
    machine_tick(); // nobody was heard from for five beats
    assert_non_null(machine_note(FL_NOTE_EVASIVE));
    assert_true(fl_aggregator_seat(parent_cohort, 2).evasive);
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message contrib =
            machine_contrib(&parent_order, parent_attempt, peer, 1, 1000 + peer, 5);
        machine_hear_child(peer, &contrib, 0);
        assert_int_equal(machine_said_count(peer, FL_GRANT), peer == 0);
    }
    assert_false(fl_aggregator_seat(parent_cohort, 0).evasive);
    machine_now = 560; // before the lease of child 2 ends
    fl_aggregator_abandon(parent_cohort, FL_WHY_NONE, machine_now, machine_out);
    parent_open(2, 560 + 60);
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message contrib =
            machine_contrib(&parent_order, parent_attempt, peer, 1, 1000 + peer, 5);
        machine_hear_child(peer, &contrib, 0);
    }
    machine_now = 570;
    machine_tick();
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).reason, FL_WHY_LATE);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).reason, FL_WHY_BUSY);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 2).reason, FL_WHY_SILENT);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 2).outcome, FL_OUT_ABSENT);
    assert_int_equal(parent_result().tally.absent, 1);
}

static void
an_edges_cohort_asks_for_a_vector_to_push_on(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.vector = true;
    parent_make(&conf);
    parent_join(0);
    parent_open(1, 900);
    parent_give(0, 7);
    assert_true(machine_effect(FL_FX_FINISH)->finish.vector);
    machine_finished(33);
    fl_result result = parent_result();
    assert_int_equal(result.vec, 33);
    assert_int_equal(result.vector_bytes, MACHINE_VECTOR);
    fl_hash sum = machine_hash(999);
    assert_true(fl_hash_equal(&result.hash, &sum));
}

static void
a_sum_that_cannot_be_made_ends_the_round_by_name(void **state)
{
    (void)state;
    for (int abort = 0; abort < 2; abort++) {
        fl_aggregator_conf conf = parent_conf();
        conf.window.missed = abort ? FL_MISSED_ABORT : FL_MISSED_EXTEND;
        parent_make(&conf);
        parent_join(0);
        parent_open(1, FL_NEVER);
        parent_give(0, 7);
        fl_event event = { .kind = FL_EV_FINISHED, .token = machine_token(FL_FX_FINISH, 0) };
        event.finished.reason = FL_WHY_STORAGE;
        machine_step(&event);
        assert_int_equal(machine_note(FL_NOTE_ROUND_CLOSE)->reason, FL_WHY_STORAGE);
        fl_result result = parent_result();
        assert_int_equal(result.close, abort ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_STORAGE);
        assert_int_equal(result.vec, 0);
        machine_clear();
        fl_aggregator_settle(parent_cohort, FL_OUT_LATE, FL_WHY_STORAGE, NULL, machine_out);
        assert_int_equal(machine_said(0, FL_CLOSED)->closed.reason, FL_WHY_STORAGE);
        assert_true(fl_aggregator_idle(parent_cohort));
    }
}

static void
settling_tells_the_counted_what_became_of_the_sum_and_the_others_their_own(void **state)
{
    (void)state;
    parent_join_all(3);
    parent_open(1, FL_NEVER);
    parent_give(0, 7);
    s_decline(1);
    machine_now = 550;
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message beat = machine_beat(peer, 1, 1, 1, FL_DOING_WAIT_CLOSE);
        machine_hear_child(peer, &beat, 0);
    }
    machine_now = 600; // the lease of child 2 ends, and nobody else is waited for
    machine_tick();
    machine_finished(0);
    machine_clear();
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
    machine_proof();
    const struct {
        fl_outcome outcome;
        fl_reason reason;
    } want[] = { { FL_OUT_IN, FL_WHY_NONE },
                 { FL_OUT_REFUSED, FL_WHY_NAN },
                 { FL_OUT_ABSENT, FL_WHY_SILENT } };
    for (fl_peer peer = 0; peer < 2; peer++) {
        const fl_message *closed = machine_said(peer, FL_CLOSED);
        assert_int_equal(closed->round, 1);
        assert_int_equal(closed->closed.attempt, 1);
        assert_int_equal(closed->closed.outcome, want[peer].outcome);
        assert_int_equal(closed->closed.reason, want[peer].reason);
        assert_false(closed->closed.final);
    }
    assert_true(fl_aggregator_idle(parent_cohort));
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).rounds_in, 1);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).rounds_refused, 1);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 2).rounds_absent, 1); // its lease had ended
    fl_result result;
    assert_false(fl_aggregator_result(parent_cohort, &result));
}

static void
the_last_round_is_told_to_be_final_even_to_who_was_not_invited(void **state)
{
    (void)state;
    parent_join(0);
    parent_open(1, FL_NEVER);
    parent_give(0, 7);
    parent_join(1); // after the cut-off
    assert_null(machine_said(1, FL_TASK));
    machine_finished(0);
    machine_clear();
    const fl_reason over = FL_WHY_STORAGE;
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, &over, machine_out);
    machine_proof();
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_STORAGE);
    assert_int_equal(machine_said(1, FL_CLOSED)->closed.end, FL_WHY_STORAGE);
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    assert_true(machine_said(1, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(1, FL_CLOSED)->closed.outcome, FL_OUT_IDLE);
}

static void
a_dismissal_tells_everybody_and_whoever_comes_later(void **state)
{
    (void)state;
    parent_join_all(2);
    machine_clear();
    fl_aggregator_dismiss(parent_cohort, FL_WHY_QUORUM, machine_out);
    machine_proof();
    assert_true(machine_said(0, FL_CLOSED)->closed.final);
    assert_true(machine_said(1, FL_CLOSED)->closed.final);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.end, FL_WHY_QUORUM);
    parent_join(2);
    machine_clear();
    fl_message beat = machine_beat(2, 1, 0, 0, FL_DOING_NOTHING); // it takes part in that run
    machine_hear_child(2, &beat, 0);
    assert_true(machine_said(2, FL_CLOSED)->closed.final);
    machine_clear();
    beat.run = (fl_run){ { 0 } }; // or in none: no news for it
    machine_hear_child(2, &beat, 0);
    assert_null(machine_said(2, FL_CLOSED));
    fl_run other = machine_run(2);
    fl_hash model = machine_hash(1);
    fl_aggregator_model(parent_cohort, &other, &model, 10); // another run is not over
    beat.run = other;
    machine_hear_child(2, &beat, 0);
    assert_null(machine_said(2, FL_CLOSED));
}

// ---- giving a round up ------------------------------------------------------------------------
static void
an_abandoned_round_is_late_for_its_children_and_waits_for_its_folds(void **state)
{
    (void)state;
    parent_join_all(5);
    parent_open(1, 900);
    parent_give(0, 7);
    uint32_t verifying = parent_send(1, 1001, 7);
    uint32_t folding = parent_send(2, 1002, 7);
    machine_verified(folding, true, FL_WHY_NONE);
    s_decline(3);
    machine_clear();
    fl_aggregator_abandon(parent_cohort, FL_WHY_RESTART, machine_now, machine_out);
    machine_proof();
    for (fl_peer peer = 0; peer < 5; peer++) {
        bool declined = peer == 3;
        const fl_closed *closed = &machine_said(peer, FL_CLOSED)->closed;
        assert_int_equal(closed->outcome, declined ? FL_OUT_REFUSED : FL_OUT_LATE);
        assert_int_equal(closed->reason, declined ? FL_WHY_NAN : FL_WHY_RESTART);
    }
    assert_false(fl_aggregator_idle(parent_cohort));
    machine_folded(folding);
    assert_false(fl_aggregator_idle(parent_cohort));
    machine_verified(verifying, true, FL_WHY_NONE);
    assert_int_equal(machine_count(FL_FX_FOLD), 0); // not into the next sum
    assert_int_equal(machine_count(FL_FX_SLOT), 1);
    assert_true(fl_aggregator_idle(parent_cohort));
    parent_open(1, 900);
    parent_give(1, 3);
    assert_int_equal(fl_aggregator_tally(parent_cohort).in, 1);
}

static void
a_finish_of_an_abandoned_round_is_dropped_when_it_comes(void **state)
{
    (void)state;
    parent_join(0);
    parent_open(1, 900);
    parent_give(0, 7);
    assert_int_equal(machine_count(FL_FX_FINISH), 1);
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    assert_true(fl_aggregator_idle(parent_cohort));
    parent_open(2, 1900);
    machine_finished(44); // while the next one is open
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, 44);
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    machine_clear();
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now,
                          machine_out); // nothing in hand: nothing happens
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
an_abandoned_round_leaves_the_uninvited_alone(void **state)
{
    (void)state;
    parent_join(0);
    parent_open(1, 900);
    fl_event gone = { .kind = FL_EV_GONE };
    gone.gone.reason = FL_WHY_REVOKED;
    machine_step(&gone);
    assert_int_equal(machine_note(FL_NOTE_LEFT)->reason, FL_WHY_REVOKED);
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    parent_open(2, 900); // seat 0 is not there any more: absent once more, never late
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).rounds_late, 0);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).rounds_absent, 2);
}

// ---- age --------------------------------------------------------------------------------------
static void
a_silent_child_is_evasive_and_then_its_seat_is_given_up(void **state)
{
    (void)state;
    parent_join_all(2);
    parent_open(1, FL_NEVER);
    assert_int_equal(fl_aggregator_deadline(parent_cohort), 100); // one beat
    machine_now = 250;
    fl_message beat = machine_beat(0, 1, 1, 1, FL_DOING_TRAIN);
    machine_hear_child(0, &beat, 0);
    assert_non_null(machine_said(0, FL_BEAT));
    machine_now = 300;
    machine_tick();
    assert_int_equal(machine_note(FL_NOTE_EVASIVE)->a, 1);
    assert_int_equal(machine_note(FL_NOTE_EVASIVE)->b, 300);
    assert_int_equal(fl_aggregator_presence(parent_cohort).joined, 2);
    machine_now = 400;
    machine_tick();
    assert_null(machine_note(FL_NOTE_EVASIVE)); // said once
    machine_now = 600;
    machine_tick();
    assert_int_equal(machine_note(FL_NOTE_EXPIRED)->a, 1);
    assert_int_equal(machine_effect(FL_FX_EXPEL)->expel.peer, 1);
    assert_int_equal(fl_aggregator_presence(parent_cohort).joined, 1);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).outcome, FL_OUT_ABSENT);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).reason, FL_WHY_SILENT);
    machine_now = 5000;
    machine_tick(); // everybody is gone: nothing to wake up for but the round, which ends here
    assert_int_equal(fl_aggregator_presence(parent_cohort).joined, 0);
    assert_int_equal(fl_aggregator_deadline(parent_cohort), FL_NEVER);
}

static void
a_slot_that_a_lost_child_held_goes_to_who_waits(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.slots = 1;
    parent_make(&conf);
    parent_join_all(2);
    parent_open(1, FL_NEVER);
    for (fl_peer peer = 0; peer < 2; peer++) {
        fl_message contrib =
            machine_contrib(&parent_order, parent_attempt, peer, 1, 1000 + peer, 5);
        machine_hear_child(peer, &contrib, 0);
    }
    assert_null(machine_said(1, FL_GRANT));
    fl_event gone = { .kind = FL_EV_GONE };
    gone.gone.reason = FL_WHY_REVOKED;
    machine_step(&gone);
    assert_non_null(machine_said(1, FL_GRANT));
    machine_step(&gone); // it is gone already
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

// ---- who is there -----------------------------------------------------------------------------
//  Its devices leave it one by one, and it counts those that are there.
static void
what_an_edge_had_is_not_lost_when_the_run_is_over(void **state)
{
    (void)state;
    parent_join_all(2);
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    beat.beat.samples = 600;
    machine_hear_child(0, &beat, 0);
    fl_aggregator_dismiss(parent_cohort, FL_WHY_NONE, machine_out);
    beat.beat.samples = 200;
    machine_hear_child(0, &beat, 0);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).samples, 600);
}

static void
presence_is_summed_over_live_seats(void **state)
{
    (void)state;
    parent_join_all(2);
    fl_message hello = machine_hello(7, 9);
    fl_event edge = machine_from_child(50, "e1", FL_ROLE_EDGE, &hello, 0);
    machine_step(&edge);
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_TRAIN);
    beat.beat.samples = 600;
    beat.beat.done = 3;
    beat.beat.total = 8;
    machine_hear_child(0, &beat, 0);
    assert_int_equal(fl_aggregator_presence(parent_cohort).joined, 3);
    assert_int_equal(fl_aggregator_presence(parent_cohort).ready, 3);
    assert_int_equal(fl_aggregator_presence(parent_cohort).leaves, 11);
    assert_int_equal(fl_aggregator_presence(parent_cohort).samples, 600);
    assert_int_equal(fl_aggregator_seats(parent_cohort), 3);
    fl_seat_view view = fl_aggregator_seat(parent_cohort, 0);
    assert_string_equal(view.node.name, "d0");
    assert_int_equal(view.activity, FL_DOING_TRAIN);
    assert_int_equal(view.done, 3);
    assert_int_equal(view.total, 8);
    assert_int_equal(view.outcome, FL_OUT_ABSENT);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 2).role, FL_ROLE_EDGE);
    fl_message empty = machine_beat(2, 1, 0, 0, FL_DOING_NOTHING);
    empty.beat.leaves = 0; // an edge that lost its devices is not ready
    edge = machine_from_child(50, "e1", FL_ROLE_EDGE, &empty, 0);
    machine_step(&edge);
    assert_int_equal(fl_aggregator_presence(parent_cohort).ready, 2);
}

// ---- our own invariants -----------------------------------------------------------------------
static void
s_open_twice(void)
{
    parent_open(1, FL_NEVER);
    parent_open(2, FL_NEVER);
}

static void
s_settle_nothing(void)
{
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
}

static void
s_hear_the_parent(void)
{
    fl_message beat = machine_beat(0, 1, 0, 0, FL_DOING_NOTHING);
    fl_event event = machine_from_parent(&beat, 0);
    machine_step(&event);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_open_twice));
    assert_true(unit_dies(s_settle_nothing));
    assert_true(unit_dies(s_hear_the_parent));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parent_setup, parent_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(from_the_cut_off_on_nothing_new_is_let_in_but_what_is_here_is_folded),
        TEST(who_waits_for_a_slot_at_the_cut_off_hears_busy_and_who_was_silent_is_absent),
        TEST(an_edges_cohort_asks_for_a_vector_to_push_on),
        TEST(a_sum_that_cannot_be_made_ends_the_round_by_name),
        TEST(settling_tells_the_counted_what_became_of_the_sum_and_the_others_their_own),
        TEST(the_last_round_is_told_to_be_final_even_to_who_was_not_invited),
        TEST(a_dismissal_tells_everybody_and_whoever_comes_later),
        TEST(an_abandoned_round_is_late_for_its_children_and_waits_for_its_folds),
        TEST(a_finish_of_an_abandoned_round_is_dropped_when_it_comes),
        TEST(an_abandoned_round_leaves_the_uninvited_alone),
        TEST(a_silent_child_is_evasive_and_then_its_seat_is_given_up),
        TEST(a_slot_that_a_lost_child_held_goes_to_who_waits),
        TEST(what_an_edge_had_is_not_lost_when_the_run_is_over),
        TEST(presence_is_summed_over_live_seats),
        TEST(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
