#include "common/round/seats.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <stdio.h>

static fl_seats *roster;
static bool renewed;

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
    fl_seats_at(roster, 1)->present = false;
    fl_seats_at(roster, 1)->phase = FL_SEAT_COUNTED; // still needed in this round
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), -1);
    fl_seats_at(roster, 1)->phase = FL_SEAT_IDLE;
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
    fl_seats_at(roster, 0)->present = fl_seats_at(roster, 1)->present = false;
    fl_seats_at(roster, 0)->blamed = FL_WHY_SIGNATURE;
    assert_int_equal(s_join(3, "d3", FL_ROLE_DEVICE, 1, 1), 1);
    assert_int_equal(s_join(1, "d1", FL_ROLE_DEVICE, 2, 1), 0); // it comes back
    assert_int_equal(fl_seats_look(roster, 0)->blamed, FL_WHY_SIGNATURE);
    fl_seats_at(roster, 0)->present = false;
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
    fl_seats_at(roster, 0)->present = false;
    assert_false(fl_seats_has(roster, &node));
    fl_seats_at(roster, 0)->phase = FL_SEAT_ABSENT;
    assert_true(fl_seats_has(roster, &node));
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
    fl_seats_at(roster, 0)->present = false;
    fl_seats_at(roster, 1)->leaves = 0;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_seat_belongs_to_a_name_and_its_epoch_to_a_process),
        TEST(a_full_roster_gives_away_only_idle_seats_of_absent_children),
        TEST(the_seat_of_a_liar_is_given_away_last),
        TEST(who_is_here_or_was_in_this_round_has_a_seat),
        TEST(presence_never_wraps_around),
        TEST(every_phase_of_a_seat_stands_for_an_outcome),
        TEST(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
