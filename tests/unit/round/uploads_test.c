//  The slots and the sums by themselves; what they are part of is in aggregator_contrib_test.c.
#include "common/round/uploads.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <stdio.h>

#include "common/machine/policy.h"

enum { SEATS = 3 };

static fl_seats *roster;
static fl_uploads *collect;
static fl_order order;

//  Three devices are tasked, one slot is there.
static int
s_new(void **state)
{
    (void)state;
    roster = fl_seats_new(SEATS);
    collect = fl_uploads_new(roster, 1);
    order = machine_order(1);
    for (fl_peer peer = 0; peer < SEATS; peer++) {
        char name[16];
        (void)snprintf(name, sizeof name, "d%u", peer);
        fl_message hello = machine_hello(1, 1);
        fl_event event = machine_from_child(peer, name, FL_ROLE_DEVICE, &hello, 0);
        bool renewed;
        fl_seat *seat = fl_seats_at(roster, (uint32_t)fl_seats_join(roster, &event, 0, &renewed));
        fl_seats_enter(roster, seat, FL_SEAT_TASKED);
    }
    machine_clear();
    fl_uploads_open(collect, &order, 1, fl_plan_masks(&order.plan), 1, machine_out);
    assert_int_equal(machine_effect(FL_FX_CLEAR)->clear.elements, MACHINE_ELEMENTS);
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_uploads_destroy(&collect);
    fl_seats_destroy(&roster);
    assert_null(collect);
    return 0;
}

static fl_message
s_offer(uint32_t seat, fl_time now)
{
    fl_message contrib = machine_contrib(&order, 1, seat, 1, 100 + seat, 10 * (seat + 1));
    machine_clear();
    fl_uploads_contrib(collect, seat, &contrib, now, machine_out);
    fl_uploads_give_slots(collect, now, machine_out);
    machine_proof();
    return contrib;
}

static void
s_chunk(const fl_message *contrib, fl_time now)
{
    fl_message chunk = machine_chunk(contrib, 0);
    machine_clear();
    fl_uploads_chunk(collect, contrib->contrib.seat, &chunk, MACHINE_VECTOR, now, machine_out);
}

static fl_seat_phase
s_phase(uint32_t seat)
{
    return fl_seats_look(roster, seat)->phase;
}

static void
slots_go_to_whoever_has_waited_longest(void **state)
{
    (void)state;
    fl_message first = s_offer(0, 10);
    (void)s_offer(2, 20);
    (void)s_offer(1, 30);
    assert_int_equal(s_phase(0), FL_SEAT_STAGING);
    assert_int_equal(s_phase(2), FL_SEAT_OFFERED);
    s_chunk(&first, 40);
    assert_true(fl_uploads_busy(collect));
    machine_clear();
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
    assert_int_equal(s_phase(0), FL_SEAT_FOLDING);
    fl_uploads_folded(collect, 0, machine_out);
    assert_int_equal(s_phase(0), FL_SEAT_COUNTED);
    assert_false(fl_uploads_busy(collect));
    fl_uploads_give_slots(collect, 50, machine_out);
    assert_int_equal(s_phase(2), FL_SEAT_STAGING);
    assert_int_equal(s_phase(1), FL_SEAT_OFFERED);
}

static void
a_sum_is_what_was_folded(void **state)
{
    (void)state;
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        fl_message contrib = s_offer(seat, 10 + seat);
        s_chunk(&contrib, 20 + seat);
        fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
        fl_uploads_folded(collect, 0, machine_out);
    }
    const fl_sums *sums = fl_uploads_sums(collect);
    assert_int_equal(sums->weight, 60);
    assert_int_equal(sums->count, 3);
    assert_int_equal(sums->contributions, 3);
    assert_int_equal(sums->stats[FL_STAT_SAMPLES], 600);
    assert_int_equal(sums->bytes_up, 3 * MACHINE_VECTOR);
    assert_int_equal(sums->last_at, 22);
    assert_int_equal(fl_seats_look(roster, 1)->samples, 200); // as it has just said
    fl_uploads_open(collect, &order, 2, fl_plan_masks(&order.plan), 1, machine_out);
    assert_int_equal(fl_uploads_sums(collect)->weight, 0);
}

//  A run may be over before the edge beats again.
static void
an_edge_says_with_its_sum_how_many_samples_it_knows_of(void **state)
{
    (void)state;
    fl_seats_at(roster, 1)->role = FL_ROLE_EDGE;
    fl_message contrib = machine_contrib(&order, 1, 1, 1, 101, 20);
    contrib.contrib.tally.samples_known = 320;
    fl_uploads_contrib(collect, 1, &contrib, 10, machine_out);
    fl_uploads_give_slots(collect, 10, machine_out);
    s_chunk(&contrib, 20);
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
    assert_int_equal(fl_seats_look(roster, 1)->samples, 320);
}

static void
who_is_withdrawn_while_being_verified_is_not_folded(void **state)
{
    (void)state;
    fl_message contrib = s_offer(0, 10);
    s_chunk(&contrib, 20);
    machine_clear();
    assert_true(fl_uploads_withdraw(collect, 0, FL_SEAT_ABSENT, FL_WHY_LEFT, machine_out));
    assert_int_equal(machine_count(FL_FX_SLOT), 0); // the crew still reads it
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
    assert_int_equal(machine_count(FL_FX_FOLD), 0);
    assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
    assert_int_equal(s_phase(0), FL_SEAT_ABSENT);
    assert_int_equal(fl_uploads_sums(collect)->count, 0);
}

static void
what_is_counted_cannot_be_withdrawn(void **state)
{
    (void)state;
    fl_message contrib = s_offer(0, 10);
    s_chunk(&contrib, 20);
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
    assert_false(fl_uploads_withdraw(collect, 0, FL_SEAT_LATE, FL_WHY_LATE, machine_out));
    fl_uploads_folded(collect, 0, machine_out);
    assert_false(fl_uploads_withdraw(collect, 0, FL_SEAT_LATE, FL_WHY_LATE, machine_out));
    assert_int_equal(s_phase(0), FL_SEAT_COUNTED);
}

static void
a_heartbeat_of_who_does_not_send_changes_nothing(void **state)
{
    (void)state;
    fl_timing timing = fl_timing_default();
    machine_clear();
    fl_uploads_beat(collect, 0, &timing, 99999, machine_out);
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

// ---- masked rounds ----------------------------------------------------------------------------
static fl_message
s_offer_masked(uint32_t seat)
{
    fl_message contrib = machine_contrib(&order, 1, seat, 1, 100 + seat, 0);
    contrib.contrib.count = 0;
    machine_clear();
    fl_uploads_contrib(collect, seat, &contrib, 10, machine_out);
    fl_uploads_give_slots(collect, 10, machine_out);
    return contrib;
}

static void
a_masked_contribution_goes_to_the_accumulator_of_its_block(void **state)
{
    (void)state;
    order.plan.masking[0] = order.plan.masking[1] = FL_MASKING_MALICIOUS;
    machine_clear();
    fl_uploads_open(collect, &order, 1, fl_plan_masks(&order.plan), 3, machine_out);
    assert_int_equal(machine_effect(FL_FX_CLEAR)->clear.blocks, 3);
    fl_seat *seat = fl_seats_at(roster, 1);
    seat->block = 2;
    fl_seats_told(roster, 1, 1, 77);
    fl_message contrib = s_offer_masked(1);
    s_chunk(&contrib, 20);
    assert_int_equal(machine_effect(FL_FX_VERIFY)->verify.weight, 0);
    assert_int_equal(fl_uploads_owner(collect, 0), 1);
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
    assert_int_equal(machine_effect(FL_FX_FOLD)->fold.block, 2);
    assert_int_equal(fl_uploads_sums(collect)->contributions, 1);
    assert_int_equal(fl_uploads_sums(collect)->count, 0); // nobody knows yet
    assert_int_equal(seat->samples, 77);
}

static void
what_is_verified_and_not_wanted_is_late(void **state)
{
    (void)state;
    fl_message contrib = s_offer(0, 10);
    s_chunk(&contrib, 20);
    machine_clear();
    fl_uploads_verified(collect, 0, FL_WHY_LATE, machine_out);
    assert_int_equal(machine_count(FL_FX_FOLD), 0);
    assert_int_equal(s_phase(0), FL_SEAT_LATE);
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_LATE));
}

static void
what_was_counted_for_nothing_is_refused_and_out_of_the_sums(void **state)
{
    (void)state;
    for (uint32_t seat = 0; seat < 2; seat++) {
        fl_message contrib = s_offer(seat, 10);
        s_chunk(&contrib, 20);
        fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
        if (seat == 0) {
            fl_uploads_folded(collect, 0, machine_out);
        }
    }
    fl_uploads_void(collect, 0, FL_WHY_CHECKSUM);
    fl_uploads_void(collect, 1, FL_WHY_CHECKSUM); // its fold is in flight
    assert_true(fl_uploads_busy(collect));
    machine_clear();
    fl_uploads_folded(collect, 0, machine_out);
    assert_int_equal(machine_effect(FL_FX_SLOT)->slot.bytes, 0);
    assert_int_equal(s_phase(0), FL_SEAT_REFUSED);
    assert_int_equal(s_phase(1), FL_SEAT_REFUSED);
    assert_int_equal(fl_seats_look(roster, 1)->reason, FL_WHY_CHECKSUM);
    assert_int_equal(fl_uploads_sums(collect)->contributions, 0);
}

static void
s_void_what_is_not_counted(void)
{
    fl_uploads_void(collect, 0, FL_WHY_CHECKSUM);
}

static void
s_owner_of_a_free_slot(void)
{
    (void)fl_uploads_owner(collect, 0);
}

static void
s_open_while_busy(void)
{
    fl_message contrib = s_offer(0, 10);
    s_chunk(&contrib, 20);
    fl_uploads_open(collect, &order, 2, fl_plan_masks(&order.plan), 1, machine_out);
}

static void
s_withdraw_as_counted(void)
{
    (void)fl_uploads_withdraw(collect, 0, FL_SEAT_COUNTED, FL_WHY_NONE, machine_out);
}

static void
s_verify_a_free_slot(void)
{
    fl_uploads_verified(collect, 0, FL_WHY_NONE, machine_out);
}

static void
s_too_many_slots(void)
{
    (void)fl_uploads_new(roster, FL_SLOTS_MAX + 1);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_open_while_busy));
    assert_true(unit_dies(s_withdraw_as_counted));
    assert_true(unit_dies(s_verify_a_free_slot));
    assert_true(unit_dies(s_too_many_slots));
    assert_true(unit_dies(s_void_what_is_not_counted));
    assert_true(unit_dies(s_owner_of_a_free_slot));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(slots_go_to_whoever_has_waited_longest, s_new, s_destroy),
        unit_case(a_sum_is_what_was_folded, s_new, s_destroy),
        unit_case(an_edge_says_with_its_sum_how_many_samples_it_knows_of, s_new, s_destroy),
        unit_case(who_is_withdrawn_while_being_verified_is_not_folded, s_new, s_destroy),
        unit_case(what_is_counted_cannot_be_withdrawn, s_new, s_destroy),
        unit_case(a_heartbeat_of_who_does_not_send_changes_nothing, s_new, s_destroy),
        unit_case(a_masked_contribution_goes_to_the_accumulator_of_its_block, s_new, s_destroy),
        unit_case(what_is_verified_and_not_wanted_is_late, s_new, s_destroy),
        unit_case(what_was_counted_for_nothing_is_refused_and_out_of_the_sums, s_new, s_destroy),
        unit_case(misuse_is_a_broken_invariant, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
