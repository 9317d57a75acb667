//  Contributions at an aggregator: refused by name, counted once, sent within credit.
#include "common/round/aggregator.h"

#include "tests/support/parent.h"
#include "tests/support/unit.h"

#include <string.h>

enum { BIG = 3 * FL_CHUNK_BYTES_MIN };

// ---- CONTRIB ----------------------------------------------------------------------------------
static void
s_shape(fl_contrib *contrib)
{
    contrib->elements++;
}

static void
s_bytes(fl_contrib *contrib)
{
    contrib->vector_bytes--;
}

static void
s_weightless(fl_contrib *contrib)
{
    contrib->weight = 0;
}

static void
s_heavy(fl_contrib *contrib)
{
    contrib->weight = 101;
}

static void
s_nobody(fl_contrib *contrib)
{
    contrib->count = 0;
}

static void
s_two_devices(fl_contrib *contrib)
{
    contrib->count = 2; // a device is one
}

static void
s_crowd(fl_contrib *contrib)
{
    contrib->count = 51; // the plan proves its sums for 50
}

static void
s_other_model(fl_contrib *contrib)
{
    contrib->base = machine_hash(77);
}

static void
a_contribution_that_cannot_be_right_is_refused_by_name(void **state)
{
    const struct {
        void (*spoil)(fl_contrib *contrib);
        fl_reason want;
    } rows[] = {
        { s_shape, FL_WHY_SHAPE },       { s_bytes, FL_WHY_SHAPE },
        { s_weightless, FL_WHY_WEIGHT }, { s_heavy, FL_WHY_WEIGHT },
        { s_nobody, FL_WHY_WEIGHT },     { s_two_devices, FL_WHY_WEIGHT },
        { s_crowd, FL_WHY_WEIGHT },      { s_other_model, FL_WHY_BASE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)parent_two(state);
        fl_message contrib = parent_contrib(0);
        rows[i].spoil(&contrib.contrib);
        machine_hear_child(0, &contrib, 0);
        assert_true(machine_refuses(0, FL_CONTRIB, rows[i].want));
        assert_int_equal(machine_note(FL_NOTE_REFUSED)->reason, rows[i].want);
        assert_int_equal(machine_count(FL_FX_SLOT), 0);
        contrib = parent_contrib(0); // refused is refused, in this round
        machine_hear_child(0, &contrib, 0);
        assert_true(machine_refuses(0, FL_CONTRIB, rows[i].want));
        assert_int_equal(fl_aggregator_seat(parent_cohort, 0).outcome, FL_OUT_REFUSED);
    }
}

static void
a_late_update_needs_a_plan_that_carries_and_a_base_that_is_remembered(void **state)
{
    (void)state;
    parent_end_round();
    parent_settle();
    const struct {
        uint64_t base_round;
        uint32_t base;
        uint8_t late;
        fl_reason want;
    } rows[] = {
        { 1, 1, FL_LATE_DROP, FL_WHY_STALE }, // carried by nobody
        { 1, 1, FL_LATE_CARRY, FL_WHY_NONE }, // one round old
        { 1, 9, FL_LATE_CARRY, FL_WHY_BASE }, // of a model that round 1 did not have
        { 0, 1, FL_LATE_CARRY, FL_WHY_BASE }, // of no round
        { 3, 3, FL_LATE_CARRY, FL_WHY_BASE }, // of the future
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_order order = machine_order(2);
        order.plan.late = rows[i].late;
        fl_task task = { .attempt = (uint32_t)(10 + i), .order = order };
        fl_aggregator_open(parent_cohort, &task, FL_NEVER, 0, machine_now, machine_out);
        fl_message contrib = machine_contrib(&order, task.attempt, 0, 1, 50, 5);
        contrib.contrib.base_round = rows[i].base_round;
        contrib.contrib.base = machine_hash(rows[i].base);
        machine_hear_child(0, &contrib, 0);
        if (rows[i].want == FL_WHY_NONE) {
            assert_non_null(machine_said(0, FL_GRANT));
        } else {
            assert_true(machine_refuses(0, FL_CONTRIB, rows[i].want));
        }
        fl_aggregator_abandon(parent_cohort, FL_WHY_RESTART, machine_now, machine_out);
    }
}

static void
an_update_of_a_round_before_a_restart_fits_once_it_is_recalled(void **state)
{
    (void)state;
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    parent_open(9, FL_NEVER);
    fl_message contrib = machine_contrib(&parent_order, parent_attempt, 0, 1, 50, 5);
    contrib.contrib.base_round = 8; // this aggregator never opened it
    contrib.contrib.base = machine_hash(8);
    machine_hear_child(0, &contrib, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_BASE));
    fl_aggregator_recall(parent_cohort, &(fl_past){ 8, machine_hash(8) });
    contrib.contrib.seat = 1;
    machine_hear_child(1, &contrib, 0);
    assert_non_null(machine_said(1, FL_GRANT));
}

static void
an_update_older_than_the_plan_takes_is_stale(void **state)
{
    (void)state;
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    for (uint64_t round = 2; round <= 4; round++) {
        parent_open(round, FL_NEVER);
        fl_message contrib = machine_contrib(&parent_order, parent_attempt, 0, 1, 50, 5);
        contrib.contrib.base_round = 1;
        contrib.contrib.base = machine_hash(1);
        machine_hear_child(0, &contrib, 0);
        bool fits = round - 1 <= 2; // staleness_max
        assert_int_equal(machine_said(0, FL_GRANT) != NULL, fits);
        assert_int_equal(machine_refuses(0, FL_CONTRIB, FL_WHY_STALE), !fits);
        fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    }
}

static void
a_stale_one_is_counted_as_such(void **state)
{
    (void)state;
    fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
    parent_open(2, FL_NEVER);
    fl_message contrib = machine_contrib(&parent_order, parent_attempt, 0, 1, 50, 5);
    contrib.contrib.base_round = 1;
    contrib.contrib.base = machine_hash(1);
    machine_hear_child(0, &contrib, 0);
    fl_message chunk = machine_chunk(&contrib, 0);
    machine_hear_child(0, &chunk, MACHINE_VECTOR);
    machine_verified(0, true, FL_WHY_NONE);
    machine_folded(0);
    parent_end_round();
    fl_result result = parent_result();
    assert_int_equal(result.stats[FL_STAT_STALE], 1);
    assert_int_equal(result.roll[0].staleness, 1);
}

static void
the_same_contribution_again_is_granted_again_another_one_replaces_it(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0);
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_said_count(0, FL_GRANT), 1);
    assert_int_equal(machine_count(FL_FX_SLOT), 0);
    fl_message other = machine_contrib(&parent_order, 1, 0, 1, 4444, 6);
    machine_hear_child(0, &other, 0);
    assert_int_equal(machine_count(FL_FX_SLOT), 2); // freed, and made anew
    fl_hash hash = machine_hash(4444);
    assert_true(fl_hash_equal(&machine_said(0, FL_GRANT)->grant.hash, &hash));
    fl_message chunk = machine_chunk(&contrib, 0); // of the first one
    machine_hear_child(0, &chunk, MACHINE_VECTOR);
    assert_int_equal(machine_note(FL_NOTE_CHUNK_DROPPED)->reason, FL_WHY_DUPLICATE);
}

static void
a_seat_is_counted_once_whatever_comes_after(void **state)
{
    (void)state;
    parent_give(0, 5);
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0); // the last GRANT was lost: all of it is here
    assert_int_equal(machine_said(0, FL_GRANT)->grant.next, MACHINE_VECTOR);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.limit, MACHINE_VECTOR);
    fl_message chunk = machine_chunk(&contrib, 0);
    machine_hear_child(0, &chunk, MACHINE_VECTOR);
    assert_int_equal(machine_count(FL_FX_STAGE), 0);
    fl_message other = machine_contrib(&parent_order, 1, 0, 1, 4444, 6);
    machine_hear_child(0, &other, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_DUPLICATE));
    fl_message refused = machine_refused(FL_TASK, 1, FL_WHY_NAN);
    machine_hear_child(0, &refused, 0); // too late to decline
    other = machine_contrib(&parent_order, 1, 0, 1, 4444, 6);
    other.contrib.base = machine_hash(99);
    machine_hear_child(0, &other, 0); // refused, but what is counted stays
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).outcome, FL_OUT_IN);
    parent_end_round();
    assert_int_equal(parent_result().count, 1);
    assert_int_equal(parent_result().weight, 5);
}

static void
bytes_that_are_not_what_was_announced_are_refused(void **state)
{
    const struct {
        fl_reason says, want;
    } rows[] = { { FL_WHY_NONE, FL_WHY_HASH },
                 { FL_WHY_WEIGHT, FL_WHY_WEIGHT },
                 { FL_WHY_STORAGE, FL_WHY_STORAGE } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)parent_two(state);
        uint32_t slot = parent_send(0, 1000, 5);
        machine_verified(slot, false, rows[i].says);
        assert_true(machine_refuses(0, FL_CONTRIB, rows[i].want));
        assert_int_equal(machine_count(FL_FX_FOLD), 0);
        assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
    }
}

//  Of a device: equal is one, a class is a power of two, and so in the clear.
static void
a_weight_is_what_the_weighting_lets_it_be(void **state)
{
    static const struct {
        fl_weighting weighting;
        uint64_t weight;
        bool fine;
    } rows[] = { { FL_WEIGHTING_EQUAL, 1, true },
                 { FL_WEIGHTING_EQUAL, 2, false },
                 { FL_WEIGHTING_CLASSES, 8, true },
                 { FL_WEIGHTING_CLASSES, 6, false },
                 { FL_WEIGHTING_SAMPLES, 6, true } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)parent_two(state);
        fl_order order = machine_order(9);
        order.plan.weighting = (uint8_t)rows[i].weighting;
        order.plan.weight_max = rows[i].weighting == FL_WEIGHTING_EQUAL ? 1 : 100;
        fl_aggregator_abandon(parent_cohort, FL_WHY_LATE, machine_now, machine_out);
        parent_open_order(&order, FL_NEVER);
        fl_message contrib =
            machine_contrib(&parent_order, parent_attempt, 0, 1, 1000, rows[i].weight);
        const fl_element element = fl_policy_element(&order.plan);
        contrib.contrib.vector_bytes = fl_element_bytes(&element, contrib.contrib.elements);
        machine_hear_child(0, &contrib, 0);
        assert_int_equal(machine_refuses(0, FL_CONTRIB, FL_WHY_WEIGHT), !rows[i].fine);
        assert_int_equal(machine_said(0, FL_GRANT) != NULL, rows[i].fine);
    }
}

static void
a_plan_takes_no_more_devices_than_its_proof(void **state)
{
    (void)state;
    for (fl_peer peer = 50; peer < 52; peer++) { // two edges with 30 devices each
        fl_message hello = machine_hello(1, 30);
        fl_event event =
            machine_from_child(peer, peer == 50 ? "e50" : "e51", FL_ROLE_EDGE, &hello, 0);
        machine_step(&event);
        uint32_t seat = machine_said(peer, FL_WELCOME)->welcome.seat;
        fl_message contrib = machine_contrib(&parent_order, 1, seat, 1, 1000 + peer, 300);
        contrib.contrib.count = 30;
        event = machine_from_child(peer, "e50", FL_ROLE_EDGE, &contrib, 0);
        machine_step(&event);
        fl_message chunk = machine_chunk(&contrib, 0);
        event = machine_from_child(peer, "e50", FL_ROLE_EDGE, &chunk, MACHINE_VECTOR);
        machine_step(&event);
        machine_verified(machine_effect(FL_FX_VERIFY)->verify.slot, true, FL_WHY_NONE);
    }
    assert_true(machine_refuses(51, FL_CONTRIB, FL_WHY_WEIGHT)); // 60 of 50
}

static void
words_of_another_round_are_answered_with_what_the_child_needs(void **state)
{
    (void)state;
    fl_message contrib = parent_contrib(0);
    contrib.contrib.attempt = 9; // a round of its own
    machine_hear_child(0, &contrib, 0);
    assert_non_null(machine_said(0, FL_TASK)); // the current one
    parent_give(0, 5);
    parent_end_round();
    parent_settle();
    contrib.contrib.attempt = 1; // over: its verdict
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_said(0, FL_CLOSED)->round, 1);
    assert_int_equal(machine_said(0, FL_CLOSED)->closed.outcome, FL_OUT_IN);
    contrib.contrib.attempt = 9; // never heard of
    machine_hear_child(0, &contrib, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_UNKNOWN_ROUND));
    contrib.round = 7;
    contrib.contrib.attempt = 1;
    machine_hear_child(0, &contrib, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_UNKNOWN_ROUND));
}

static void
a_child_that_was_not_invited_hears_late_after_the_cut_off(void **state)
{
    (void)state;
    parent_give(0, 5);
    fl_message refused = machine_refused(FL_TASK, 1, FL_WHY_NO_DATA);
    machine_hear_child(1, &refused, 0);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 1).reason, FL_WHY_NO_DATA);
    assert_int_equal(machine_count(FL_FX_FINISH), 1); // everybody has ended
    parent_join(2);
    assert_null(machine_said(2, FL_TASK));
    fl_message contrib = parent_contrib(2);
    machine_hear_child(2, &contrib, 0);
    assert_true(machine_refuses(2, FL_CONTRIB, FL_WHY_LATE));
    fl_message early = machine_refused(FL_TASK, 1, FL_WHY_NAN); // nothing to decline any more
    machine_hear_child(2, &early, 0);
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

// ---- transfers --------------------------------------------------------------------------------
static fl_message
s_big_transfer(void)
{
    fl_aggregator_abandon(parent_cohort, FL_WHY_RESTART, machine_now, machine_out);
    parent_order = machine_order_of(2, BIG);
    parent_attempt = 20;
    fl_task task = { .attempt = 20, .order = parent_order };
    fl_aggregator_open(parent_cohort, &task, FL_NEVER, 0, machine_now, machine_out);
    fl_message contrib = parent_contrib(0);
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.limit, 2 * FL_CHUNK_BYTES_MIN);
    return contrib;
}

static void
chunks_are_staged_in_order_and_verified_when_whole(void **state)
{
    (void)state;
    fl_message contrib = s_big_transfer();
    for (uint64_t at = 0; at < BIG; at += FL_CHUNK_BYTES_MIN) {
        fl_message chunk = machine_chunk(&contrib, at);
        machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
        assert_int_equal(machine_effect(FL_FX_STAGE)->stage.offset, at);
        assert_int_equal(machine_count(FL_FX_VERIFY), at + FL_CHUNK_BYTES_MIN == BIG);
    }
    assert_int_equal(machine_said(0, FL_GRANT)->grant.next, BIG);
    assert_int_equal(machine_effect(FL_FX_VERIFY)->verify.weight, 5);
}

static void
a_gap_is_asked_for_once_and_a_duplicate_dropped(void **state)
{
    (void)state;
    fl_message contrib = s_big_transfer();
    fl_message chunk = machine_chunk(&contrib, FL_CHUNK_BYTES_MIN);
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.rewind, 1);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.next, 0);
    assert_non_null(machine_note(FL_NOTE_REWIND));
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
    assert_null(machine_said(0, FL_GRANT));
    assert_non_null(machine_note(FL_NOTE_CHUNK_DROPPED));
    chunk = machine_chunk(&contrib, 0);
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
    assert_int_equal(machine_count(FL_FX_STAGE), 0);
}

static void
bytes_beyond_the_credit_cost_the_slot(void **state)
{
    (void)state;
    fl_message contrib = s_big_transfer();
    fl_message chunk = machine_chunk(&contrib, 2 * FL_CHUNK_BYTES_MIN);
    machine_hear_child(0, &chunk, 1);
    assert_true(machine_refuses(0, FL_CHUNK, FL_WHY_CREDIT));
    assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
    assert_int_equal(fl_aggregator_seat(parent_cohort, 0).reason, FL_WHY_CREDIT);
}

static void
bytes_on_the_way_from_before_a_rejoin_are_no_offence(void **state)
{
    (void)state;
    fl_message contrib = s_big_transfer();
    fl_message chunk = machine_chunk(&contrib, 0);
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN); // credit up to the end
    fl_message leave = machine_message(FL_LEAVE, 2);
    machine_hear_child(0, &leave, 0);
    parent_join(0);
    machine_hear_child(0, &contrib, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.limit, 2 * FL_CHUNK_BYTES_MIN);
    chunk = machine_chunk(&contrib, 2 * FL_CHUNK_BYTES_MIN);
    machine_hear_child(0, &chunk, FL_CHUNK_BYTES_MIN);
    assert_null(machine_said(0, FL_REFUSED));
    assert_int_equal(machine_count(FL_FX_STAGE), 0);
}

static void
a_stand_still_is_rewound_and_a_slow_transfer_withdrawn(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.timing.rate_min = 1000;
    conf.timing.rate_window_ms = 500;
    parent_make(&conf);
    parent_join_all(2);
    parent_open(1, FL_NEVER);
    fl_message contrib = s_big_transfer();
    fl_message beat = machine_beat(0, 1, 2, 20, FL_DOING_SEND);
    machine_now = 200; // two beats without a byte
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.rewind, 1);
    assert_int_equal(machine_note(FL_NOTE_REWIND)->reason, FL_WHY_SILENT);
    machine_now = 250;
    machine_hear_child(0, &beat, 0);
    assert_int_equal(machine_said(0, FL_GRANT)->grant.rewind, 1);
    machine_now = 500;
    machine_hear_child(0, &beat, 0);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_SLOW));
    assert_non_null(machine_note(FL_NOTE_SLOT_WITHDRAWN));
    (void)contrib;
}

//  Somebody who holds a slot, sends nothing, and shows that it lives by words of another round.
static void
a_slot_is_not_kept_by_talking_of_something_else(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    conf.timing.rate_min = 1000;
    conf.timing.rate_window_ms = 500;
    parent_make(&conf);
    parent_join_all(2);
    parent_open(1, FL_NEVER);
    (void)s_big_transfer();
    fl_message beat = machine_beat(0, 1, 1, 20, FL_DOING_SEND);
    for (machine_now = 100; machine_now < 500; machine_now += 100) {
        machine_hear_child(0, &beat, 0);
        machine_tick();
        assert_null(machine_note(FL_NOTE_SLOT_WITHDRAWN));
    }
    machine_hear_child(0, &beat, 0);
    machine_tick();
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_SLOW));
    assert_non_null(machine_note(FL_NOTE_SLOT_WITHDRAWN));
    assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, parent_two, parent_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_contribution_that_cannot_be_right_is_refused_by_name),
        TEST(a_late_update_needs_a_plan_that_carries_and_a_base_that_is_remembered),
        TEST(an_update_of_a_round_before_a_restart_fits_once_it_is_recalled),
        TEST(an_update_older_than_the_plan_takes_is_stale),
        TEST(a_stale_one_is_counted_as_such),
        TEST(the_same_contribution_again_is_granted_again_another_one_replaces_it),
        TEST(a_seat_is_counted_once_whatever_comes_after),
        TEST(bytes_that_are_not_what_was_announced_are_refused),
        TEST(a_plan_takes_no_more_devices_than_its_proof),
        TEST(words_of_another_round_are_answered_with_what_the_child_needs),
        TEST(a_child_that_was_not_invited_hears_late_after_the_cut_off),
        TEST(chunks_are_staged_in_order_and_verified_when_whole),
        TEST(a_gap_is_asked_for_once_and_a_duplicate_dropped),
        TEST(bytes_beyond_the_credit_cost_the_slot),
        TEST(a_weight_is_what_the_weighting_lets_it_be),
        TEST(bytes_on_the_way_from_before_a_rejoin_are_no_offence),
        TEST(a_stand_still_is_rewound_and_a_slow_transfer_withdrawn),
        TEST(a_slot_is_not_kept_by_talking_of_something_else),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
