#include "common/round/seats.h"

#include "common/base/rng.h"
#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static fl_seats *roster;
static bool renewed;

enum { CROWD = 40 }; // peers

static int
s_new(void **state)
{
    (void)state;
    roster = fl_seats_new(2);
    return roster == NULL;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_seats_destroy(&roster);
    assert_null(roster);
    fl_seats_destroy(&roster);
    return 0;
}

static int64_t
s_join(fl_peer peer, const char *name, fl_role role, uint64_t incarnation, uint32_t leaves)
{
    fl_message hello = machine_hello(incarnation, leaves);
    fl_event event = machine_from_child(peer, name, role, &hello, 0);
    return fl_seats_join(roster, &event, 50, &renewed);
}

static void
a_seat_belongs_to_a_name_and_its_epoch_to_a_process(void **state)
{
    (void)state;
    assert_int_equal(s_join(7, "d1", FL_ROLE_DEVICE, 1, 9), 0);
    assert_true(renewed);
    fl_seat *seat = fl_seats_at(roster, 0);
    assert_int_equal(seat->epoch, 1);
    assert_int_equal(seat->leaves, 1); // a device is one, whatever it says
    assert_int_equal(seat->heard_at, 50);
    seat->evasive = true;
    assert_int_equal(s_join(7, "d1", FL_ROLE_DEVICE, 1, 1), 0);
    assert_false(renewed);
    assert_int_equal(seat->epoch, 1);
    assert_false(seat->evasive);
    seat->tally.in = 3;
    assert_int_equal(s_join(8, "d1", FL_ROLE_DEVICE, 2, 1), 0); // restarted, with another key
    assert_true(renewed);
    assert_int_equal(seat->epoch, 2);
    assert_int_equal(seat->tally.in, 0);
    assert_int_equal(fl_seats_of_peer(roster, 8), 0);
    assert_int_equal(fl_seats_of_peer(roster, 7), -1);
    assert_int_equal(fl_seats_count(roster), 1);
}

static void
a_full_roster_gives_away_only_idle_seats_of_absent_children(void **state)
{
    (void)state;
    (void)s_join(1, "d1", FL_ROLE_DEVICE, 1, 1);
    (void)s_join(2, "d2", FL_ROLE_DEVICE, 1, 1);
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), -1);
    fl_seats_vacate(roster, 1);
    fl_seats_enter(roster, fl_seats_at(roster, 1), FL_SEAT_COUNTED); // still needed in this round
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), -1);
    fl_seats_enter(roster, fl_seats_at(roster, 1), FL_SEAT_IDLE);
    fl_seats_at(roster, 1)->rounds[FL_OUT_IN] = 4;
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), 1);
    assert_int_equal(fl_seats_look(roster, 1)->rounds[FL_OUT_IN], 0);
    assert_int_equal(fl_seats_look(roster, 1)->epoch, 1);
    assert_int_equal(s_join(2, "d2", FL_ROLE_DEVICE, 1, 1), -1);
}

static void
the_seat_of_a_liar_is_given_away_last(void **state)
{
    (void)state;
    (void)s_join(1, "d1", FL_ROLE_DEVICE, 1, 1);
    (void)s_join(2, "d2", FL_ROLE_DEVICE, 1, 1);
    fl_seats_vacate(roster, 0);
    fl_seats_vacate(roster, 1);
    fl_seats_at(roster, 0)->blamed = FL_WHY_SIGNATURE;
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), 1);
    assert_int_equal(s_join(1, "d1", FL_ROLE_DEVICE, 2, 1), 0); // it comes back
    assert_int_equal(fl_seats_look(roster, 0)->blamed, FL_WHY_SIGNATURE);
    fl_seats_vacate(roster, 0);
    assert_int_equal(s_join(4, "d4", FL_ROLE_DEVICE, 1, 1), 0); // there is no other
    assert_int_equal(fl_seats_look(roster, 0)->blamed, FL_WHY_NONE);
}

static void
who_is_here_or_was_in_this_round_has_a_seat(void **state)
{
    (void)state;
    fl_name node = machine_node("d1"), other = machine_node("d2");
    (void)s_join(1, "d1", FL_ROLE_DEVICE, 1, 1);
    assert_true(fl_seats_has(roster, &node));
    assert_false(fl_seats_has(roster, &other));
    fl_seats_vacate(roster, 0);
    assert_false(fl_seats_has(roster, &node));
    fl_seats_enter(roster, fl_seats_at(roster, 0), FL_SEAT_ABSENT);
    assert_true(fl_seats_has(roster, &node));
}

static void
a_peer_finds_its_seat_whatever_peers_came_and_went(void **state)
{
    (void)state;
    enum { LATER = 0x10000 }; // the same place of the gate, another generation
    (void)s_join(1, "d1", FL_ROLE_DEVICE, 1, 1);
    (void)s_join(1 + LATER, "d2", FL_ROLE_DEVICE, 1, 1); // both in one chain
    assert_int_equal(fl_seats_of_peer(roster, 1), 0);
    assert_int_equal(fl_seats_of_peer(roster, 1 + LATER), 1);
    assert_int_equal(fl_seats_of_peer(roster, 1 + 2 * LATER), -1);
    fl_seats_vacate(roster, 0);
    assert_int_equal(fl_seats_of_peer(roster, 1), -1);
    assert_int_equal(fl_seats_of_peer(roster, 1 + LATER), 1);
    (void)s_join(1 + LATER, "d1", FL_ROLE_DEVICE, 1, 1); // a key of two names
    assert_int_equal(fl_seats_of_peer(roster, 1 + LATER), 0);
    (void)s_join(2, "d1", FL_ROLE_DEVICE, 1, 1);
    assert_int_equal(fl_seats_of_peer(roster, 1 + LATER), 1);
    fl_seats_vacate(roster, 1);
    assert_int_equal(fl_seats_of_peer(roster, 1 + LATER), -1);
    assert_int_equal(fl_seats_of_peer(roster, 2), 0);
}

static void
presence_never_wraps_around(void **state)
{
    (void)state;
    (void)s_join(1, "e1", FL_ROLE_EDGE, 1, UINT32_MAX);
    (void)s_join(2, "e2", FL_ROLE_EDGE, 1, 5);
    fl_presence presence = fl_seats_presence(roster);
    assert_int_equal(presence.joined, 2);
    assert_int_equal(presence.ready, 2);
    assert_int_equal(presence.leaves, UINT32_MAX);
    fl_seats_vacate(roster, 0);
    fl_seats_told(roster, 1, 0, 0);
    presence = fl_seats_presence(roster);
    assert_int_equal(presence.joined, 1);
    assert_int_equal(presence.ready, 0);
}

static void
every_phase_of_a_seat_stands_for_an_outcome(void **state)
{
    (void)state;
    const struct {
        fl_seat_phase phase;
        fl_outcome outcome;
        bool terminal;
    } rows[] = {
        { FL_SEAT_IDLE, FL_OUT_IDLE, true },         { FL_SEAT_TASKED, FL_OUT_ABSENT, false },
        { FL_SEAT_OFFERED, FL_OUT_ABSENT, false },   { FL_SEAT_STAGING, FL_OUT_ABSENT, false },
        { FL_SEAT_VERIFYING, FL_OUT_ABSENT, false }, { FL_SEAT_FOLDING, FL_OUT_IN, false },
        { FL_SEAT_COUNTED, FL_OUT_IN, true },        { FL_SEAT_LATE, FL_OUT_LATE, true },
        { FL_SEAT_REFUSED, FL_OUT_REFUSED, true },   { FL_SEAT_ABSENT, FL_OUT_ABSENT, true },
    };
    assert_int_equal(sizeof rows / sizeof *rows, FL_SEAT_PHASES);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_seat seat = { .phase = rows[i].phase };
        assert_int_equal(fl_seat_outcome(&seat), rows[i].outcome);
        assert_int_equal(fl_seat_terminal(&seat), rows[i].terminal);
    }
}

static void
s_look_behind_the_end(void)
{
    (void)fl_seats_look(roster, 0);
}

static void
s_reach_behind_the_end(void)
{
    (void)fl_seats_at(roster, 0);
}

static void
s_no_seats(void)
{
    (void)fl_seats_new(0);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_look_behind_the_end));
    assert_true(unit_dies(s_reach_behind_the_end));
    assert_true(unit_dies(s_no_seats));
}

//  What a look at every seat gives is what is kept count of.
static void
s_recount(const fl_seats *seats)
{
    fl_presence presence = { 0 };
    fl_standing standing = { 0 };
    int64_t of_peer[CROWD];
    memset(of_peer, 0xff, sizeof of_peer);
    for (uint32_t i = fl_seats_count(seats); i-- > 0;) {
        const fl_seat *seat = fl_seats_look(seats, i);
        bool idle = seat->phase == FL_SEAT_IDLE;
        standing.invited += !idle;
        standing.ended += !idle && fl_seat_terminal(seat);
        standing.offered += seat->phase == FL_SEAT_OFFERED;
        standing.coming += seat->phase == FL_SEAT_VERIFYING || seat->phase == FL_SEAT_FOLDING ||
                           seat->phase == FL_SEAT_COUNTED;
        if (seat->present) {
            presence.joined++;
            presence.ready += seat->leaves > 0;
            presence.leaves += seat->leaves;
            presence.samples += seat->samples;
            of_peer[seat->peer] = i;
        }
    }
    fl_presence kept = fl_seats_presence(seats);
    fl_standing stand = fl_seats_standing(seats);
    assert_true(kept.joined == presence.joined && kept.ready == presence.ready);
    assert_true(kept.leaves == presence.leaves && kept.samples == presence.samples);
    assert_memory_equal(&stand, &standing, sizeof standing);
    for (fl_peer peer = 0; peer < CROWD; peer++) {
        assert_int_equal(fl_seats_of_peer(seats, peer), of_peer[peer]);
    }
}

static void
counts_are_those_of_a_look_at_every_seat_after_any_steps(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(7);
    fl_seats *seats = fl_seats_new(CROWD / 2);
    for (int step = 0; step < 20000; step++) {
        uint32_t draw = (uint32_t)fl_rng_below(&rng, CROWD), seat = draw % (CROWD / 2);
        bool there = seat < fl_seats_count(seats);
        char name[16];
        (void)snprintf(name, sizeof name, "d%u", (unsigned)fl_rng_below(&rng, CROWD));
        fl_message hello = machine_hello(fl_rng_below(&rng, 3), draw % 5);
        fl_event event = machine_from_child(draw, name, FL_ROLE_EDGE, &hello, 0);
        switch (fl_rng_below(&rng, 4)) {
        case 0:
            (void)fl_seats_join(seats, &event, 50, &renewed);
            break;
        case 1:
            if (there && fl_seats_look(seats, seat)->present) {
                fl_seats_vacate(seats, seat);
            }
            break;
        case 2:
            if (there && fl_seats_look(seats, seat)->present) {
                fl_seats_told(seats, seat, draw % 7, draw);
            }
            break;
        default:
            if (there) {
                fl_seat_phase phase = (fl_seat_phase)fl_rng_below(&rng, FL_SEAT_PHASES);
                fl_seats_enter(seats, fl_seats_at(seats, seat), phase);
            }
        }
        s_recount(seats);
    }
    fl_seats_destroy(&seats);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_seat_belongs_to_a_name_and_its_epoch_to_a_process, s_new, s_destroy),
        unit_case(a_full_roster_gives_away_only_idle_seats_of_absent_children, s_new, s_destroy),
        unit_case(the_seat_of_a_liar_is_given_away_last, s_new, s_destroy),
        unit_case(who_is_here_or_was_in_this_round_has_a_seat, s_new, s_destroy),
        unit_case(a_peer_finds_its_seat_whatever_peers_came_and_went, s_new, s_destroy),
        unit_case(presence_never_wraps_around, s_new, s_destroy),
        unit_case(every_phase_of_a_seat_stands_for_an_outcome, s_new, s_destroy),
        unit_case(counts_are_those_of_a_look_at_every_seat_after_any_steps, s_new, s_destroy),
        unit_case(misuse_is_a_broken_invariant, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
