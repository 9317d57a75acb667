#include "common/round/participation.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>

static fl_seats *roster;
static fl_roll_entry entries[FL_ROLL_MAX];

static int
s_new(void **state)
{
    (void)state;
    roster = fl_seats_new(FL_SEATS_MAX);
    return roster == NULL;
}

static int
s_destroy(void **state)
{
    (void)state;
    fl_seats_destroy(&roster);
    return 0;
}

static fl_seat *
s_seat(fl_role role, fl_seat_phase phase, uint64_t samples)
{
    char name[16];
    uint32_t number = fl_seats_count(roster);
    (void)snprintf(name, sizeof name, "%s%u", role == FL_ROLE_EDGE ? "e" : "d", number);
    fl_message hello = machine_hello(1, 4);
    fl_event event = machine_from_child(number, name, role, &hello, 0);
    bool renewed;
    fl_seat *seat = fl_seats_at(roster, (uint32_t)fl_seats_join(roster, &event, 0, &renewed));
    fl_seats_enter(roster, seat, phase);
    fl_seats_told(roster, number, seat->leaves, samples);
    return seat;
}

//  So many lines, which it reports in this round.
static void
s_reports(fl_seat *edge, const fl_roll_entry *lines, uint32_t count)
{
    free(edge->roll);
    edge->roll = malloc(count * FL_ROLL_ENTRY_BYTES); // the seat's from here on
    assert_non_null(edge->roll);
    for (uint32_t i = 0; i < count; i++) {
        fl_roll_encode(&lines[i], edge->roll + (size_t)i * FL_ROLL_ENTRY_BYTES);
    }
    edge->roll_used = count * FL_ROLL_ENTRY_BYTES;
}

static const fl_name here = { "root" };

static fl_roll_entry
s_line(const char *node, const char *parent, fl_outcome outcome)
{
    return (fl_roll_entry){ .node = machine_node(node),
                            .parent = machine_node(parent),
                            .outcome = (uint8_t)outcome };
}

static void
a_name_under_two_parents_stays_where_it_was_first_until_it_is_absent_there(void **state)
{
    (void)state;
    fl_doubles doubles = { 0 };
    fl_seat *e0 = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 1);
    fl_seat *e1 = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 1);
    const fl_roll_entry first[] = { s_line("d9", "e1", FL_OUT_IN) };
    s_reports(e1, first, 1);
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 0);
    const fl_roll_entry copy[] = { s_line("d7", "e1", FL_OUT_IN), // it cannot speak for e1
                                   s_line("d9", "e0", FL_OUT_IN) };
    s_reports(e0, copy, 2);
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 1);
    assert_string_equal(doubles.twins[0].node.name, "d9");
    assert_string_equal(doubles.twins[0].keeper.name, "e1");
    assert_string_equal(doubles.other[0].name, "e0");
    s_reports(e0, copy, 1);                   // refused there
    fl_seats_enter(roster, e1, FL_SEAT_LATE); // which says nothing of it
    for (int round = 0; round < 2; round++) {
        fl_participation_doubles(roster, &here, &doubles);
        assert_int_equal(doubles.twin_count, 1);
        assert_string_equal(doubles.other[0].name, "");
    }
    fl_seats_enter(roster, e1, FL_SEAT_IDLE); // not asked, and the name has moved
    s_reports(e0, copy, 2);
    fl_participation_doubles(roster, &here, &doubles);
    assert_string_equal(doubles.twins[0].keeper.name, "e1"); // until it says more
    fl_seats_enter(roster, e1, FL_SEAT_ABSENT);
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 0);
    free(doubles.lines);
}

static void
devices_are_told_apart_by_their_phase(void **state)
{
    (void)state;
    s_seat(FL_ROLE_DEVICE, FL_SEAT_IDLE, 1); // not invited: not there
    s_seat(FL_ROLE_DEVICE, FL_SEAT_COUNTED, 10);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_FOLDING, 20);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_LATE, 100);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_REFUSED, 200);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_ABSENT, 400);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_STAGING, 800); // on its way: nothing yet
    fl_tally tally = fl_participation_tally(roster);
    assert_int_equal(tally.invited, 6);
    assert_int_equal(tally.in, 2);
    assert_int_equal(tally.late, 1);
    assert_int_equal(tally.refused, 1);
    assert_int_equal(tally.absent, 1);
    assert_int_equal(tally.samples_known, 1530);
    assert_int_equal(tally.samples_missing, 1500);
}

static const fl_tally said = { .invited = 5,
                               .in = 3,
                               .late = 1,
                               .absent = 1,
                               .samples_known = 50,
                               .samples_missing = 20,
                               .merge_ms = 7,
                               .bytes_up = 11,
                               .bytes_down = 13,
                               .masked = 4,
                               .recovered = 1,
                               .aborted = 2 };

static void
an_edge_that_is_in_speaks_for_its_devices(void **state)
{
    (void)state;
    s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 60)->contrib.tally = said;
    s_seat(FL_ROLE_EDGE, FL_SEAT_TASKED, 60)->tally = said; // so far
    fl_tally tally = fl_participation_tally(roster);
    assert_int_equal(tally.invited, 10);
    assert_int_equal(tally.in, 6);
    assert_int_equal(tally.late, 2);
    assert_int_equal(tally.absent, 2);
    assert_int_equal(tally.samples_known, 100);
    assert_int_equal(tally.samples_missing, 40);
    assert_int_equal(tally.merge_ms, 7);
    assert_int_equal(tally.bytes_up, 22);
    assert_int_equal(tally.bytes_down, 26);
    assert_int_equal(tally.masked, 8);
    assert_int_equal(tally.recovered, 2);
    assert_int_equal(tally.aborted, 4);
}

static void
a_subtree_is_out_with_its_edge(void **state)
{
    (void)state;
    s_seat(FL_ROLE_EDGE, FL_SEAT_LATE, 60)->tally = said;
    s_seat(FL_ROLE_EDGE, FL_SEAT_REFUSED, 60)->tally = said;
    s_seat(FL_ROLE_EDGE, FL_SEAT_ABSENT, 60); // never said anything: its four leaves
    fl_tally tally = fl_participation_tally(roster);
    assert_int_equal(tally.in, 0);
    assert_int_equal(tally.late, 5);
    assert_int_equal(tally.refused, 5);
    assert_int_equal(tally.absent, 4);
    assert_int_equal(tally.samples_known, 50 + 50 + 60);
    assert_int_equal(tally.samples_missing, 50 + 50 + 60);
}

//  It sits here, or its seat is empty; the round was opened without it.
static fl_seat *
s_lost(fl_role role, uint32_t below)
{
    fl_seat *seat = s_seat(role, FL_SEAT_IDLE, 100);
    seat->member = seat->lost = true;
    seat->reason = FL_WHY_SILENT;
    seat->below = below;
    return seat;
}

static void
who_was_in_the_run_and_is_gone_is_absent(void **state)
{
    (void)state;
    s_lost(FL_ROLE_DEVICE, 0);
    s_lost(FL_ROLE_EDGE, 5);
    fl_tally tally = fl_participation_tally(roster);
    assert_int_equal(tally.invited, 6);
    assert_int_equal(tally.absent, 6);
    assert_int_equal(tally.samples_missing, 200);
    fl_name parent = machine_node("root");
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &parent, 2, entries, &dropped), 2);
    assert_int_equal(entries[0].outcome, FL_OUT_ABSENT);
    assert_int_equal(entries[0].reason, FL_WHY_SILENT);
}

//  It began anew and knows two of its six again.
static void
whom_an_edge_has_forgotten_is_absent(void **state)
{
    (void)state;
    static const fl_tally two = { .invited = 2, .in = 2 };
    fl_seat *edge = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 60);
    edge->contrib.tally = two;
    edge->below = 6;
    fl_seat *late = s_seat(FL_ROLE_EDGE, FL_SEAT_LATE, 60);
    late->tally = two;
    late->below = 6;
    fl_tally tally = fl_participation_tally(roster);
    assert_int_equal(tally.invited, 12);
    assert_int_equal(tally.in, 2);
    assert_int_equal(tally.absent, 4);
    assert_int_equal(tally.late, 6);
}

//  The edge sent no report in this round: the names are those of its last one.
static void
devices_are_named_with_the_edge_that_is_out(void **state)
{
    (void)state;
    fl_seat *edge = s_lost(FL_ROLE_EDGE, 1);
    fl_roll_entry entry = { .node = machine_node("d10"),
                            .parent = machine_node("e0"),
                            .outcome = FL_OUT_IN,
                            .staleness = 3 };
    s_reports(edge, &entry, 1);
    fl_name parent = machine_node("root");
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &parent, 2, entries, &dropped), 2);
    assert_string_equal(entries[1].node.name, "d10");
    assert_int_equal(entries[1].outcome, FL_OUT_ABSENT);
    assert_int_equal(entries[1].reason, FL_WHY_SILENT);
    assert_int_equal(entries[1].staleness, 0);
}

static void
the_roll_lists_the_seats_and_what_counted_edges_report(void **state)
{
    (void)state;
    fl_roll_entry lines[2] = {
        { .node = machine_node("d10"), .parent = machine_node("e1"), .outcome = FL_OUT_IN },
        { .node = machine_node("d11"), .parent = machine_node("e1"), .outcome = FL_OUT_IN }
    };
    s_seat(FL_ROLE_DEVICE, FL_SEAT_IDLE, 0);
    fl_seat *edge = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 0);
    s_reports(edge, lines, 2);
    edge->contrib.roll_dropped = 3;
    edge->contrib.base_round = 500;
    fl_seat *stale = s_seat(FL_ROLE_DEVICE, FL_SEAT_COUNTED, 0);
    stale->contrib.base_round = 100;
    fl_seat *late = s_seat(FL_ROLE_EDGE, FL_SEAT_LATE, 0);
    late->reason = FL_WHY_BUSY;
    fl_name parent = machine_node("root");
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &parent, 500, entries, &dropped), 6);
    assert_int_equal(dropped, 3);
    assert_int_equal(entries[0].outcome, FL_OUT_IDLE); // it came when all were asked
    assert_int_equal(entries[0].reason, FL_WHY_LATE);
    assert_string_equal(entries[1].node.name, "e1");
    assert_string_equal(entries[1].parent.name, "root");
    assert_int_equal(entries[1].staleness, 0);
    assert_string_equal(entries[2].node.name, "d10");
    assert_string_equal(entries[3].node.name, "d11");
    assert_string_equal(entries[3].parent.name, "e1");
    assert_int_equal(entries[4].staleness, 255); // that or more
    assert_int_equal(entries[5].outcome, FL_OUT_LATE);
    assert_int_equal(entries[5].reason, FL_WHY_BUSY);
}

//  It came when the blocks were made, or there was no place in them; those below it neither.
static void
who_was_asked_for_nothing_is_idle_by_name(void **state)
{
    (void)state;
    fl_seat *edge = s_seat(FL_ROLE_EDGE, FL_SEAT_IDLE, 0);
    const fl_roll_entry line = s_line("d10", "e0", FL_OUT_IN); // in the round before
    s_reports(edge, &line, 1);
    edge->reason = FL_WHY_FULL;
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &here, 2, entries, &dropped), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(entries[i].outcome, FL_OUT_IDLE);
        assert_int_equal(entries[i].reason, FL_WHY_FULL);
    }
    fl_seats_vacate(roster, 0); // and it was in no round before
    assert_int_equal(fl_participation_roll(roster, &here, 2, entries, &dropped), 0);
}

//  Its parent began anew and does not know it any more; who has another parent now is named there.
static void
whom_the_report_before_names_is_absent_when_nobody_names_it(void **state)
{
    (void)state;
    fl_roll_entry before[] = { s_line("e1", "root", FL_OUT_IN), s_line("d2", "e1", FL_OUT_IN),
                               s_line("d3", "e1", FL_OUT_ABSENT), s_line("d4", "e1", FL_OUT_IN),
                               s_line("d5", "elsewhere", FL_OUT_IN) };
    before[2].reason = FL_WHY_GONE;
    entries[0] = s_line("e1", "root", FL_OUT_IN);
    entries[1] = s_line("d4", "e6", FL_OUT_IN);
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_missed(&here, before, 5, entries, 2, &dropped), 4);
    assert_string_equal(entries[2].node.name, "d2");
    assert_string_equal(entries[2].parent.name, "e1");
    assert_int_equal(entries[2].outcome, FL_OUT_ABSENT);
    assert_int_equal(entries[2].reason, FL_WHY_SILENT);
    assert_int_equal(entries[3].reason, FL_WHY_GONE);
    assert_int_equal(dropped, 0);
}

//  What is seen here goes before what an edge says: the edge is told, whoever was first.
static void
a_copy_below_an_edge_is_named_when_the_first_sits_here(void **state)
{
    (void)state;
    fl_doubles doubles = { 0 };
    fl_seat *edge = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 1);
    fl_seat *ours = s_seat(FL_ROLE_DEVICE, FL_SEAT_ABSENT, 1);
    const fl_roll_entry copy = s_line("d1", "e0", FL_OUT_IN);
    s_reports(edge, &copy, 1);
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 0);
    fl_seats_enter(roster, ours, FL_SEAT_COUNTED);
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 1);
    assert_string_equal(doubles.twins[0].keeper.name, "root");
    assert_string_equal(doubles.other[0].name, "e0");
    edge->roll_used = 0; // refused there
    fl_participation_doubles(roster, &here, &doubles);
    assert_int_equal(doubles.twin_count, 1);
    assert_string_equal(doubles.other[0].name, "");
    free(doubles.lines);
}

//  Its update is in the sum of the edge, whatever became of that of our child.
static void
a_copy_that_an_edge_has_counted_is_named_beside_our_child(void **state)
{
    (void)state;
    const fl_roll_entry lines[] = { s_line("d1", "e0", FL_OUT_IN),
                                    s_line("d2", "e0", FL_OUT_LATE) };
    fl_seat *edge = s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 1);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_REFUSED, 1);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_COUNTED, 1);
    s_reports(edge, lines, 2);
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &here, 1, entries, &dropped), 4);
    assert_string_equal(entries[1].node.name, "d1");
    assert_string_equal(entries[1].parent.name, "e0");
    assert_int_equal(entries[1].outcome, FL_OUT_IN);
    assert_string_equal(entries[2].parent.name, "root");
    assert_int_equal(entries[2].outcome, FL_OUT_REFUSED);
    assert_string_equal(entries[3].node.name, "d2");
    fl_seats_enter(roster, edge, FL_SEAT_LATE); // what is not in the sum is not named
    assert_int_equal(fl_participation_roll(roster, &here, 2, entries, &dropped), 3);
}

//  Of us, of a child of ours, of what is below another one; and of its own.
static void
an_edge_does_not_report_for_others(void **state)
{
    (void)state;
    static const struct {
        const char *node, *parent;
    } said_of[] = { { "d10", "root" }, { "e1", "e0" },  { "d2", "e0" },
                    { "d10", "e1" },   { "d11", "e0" }, { "d12", "e9" } };
    fl_roll_entry lines[6];
    for (int i = 0; i < 6; i++) {
        lines[i] = (fl_roll_entry){ .node = machine_node(said_of[i].node),
                                    .parent = machine_node(said_of[i].parent),
                                    .outcome = FL_OUT_REFUSED,
                                    .reason = FL_WHY_DEALER_LIED };
    }
    s_reports(s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 0), lines, 6);
    s_seat(FL_ROLE_EDGE, FL_SEAT_COUNTED, 0);
    s_seat(FL_ROLE_DEVICE, FL_SEAT_COUNTED, 0);
    fl_name parent = machine_node("root");
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &parent, 1, entries, &dropped), 5);
    assert_string_equal(entries[0].node.name, "e0");
    assert_string_equal(entries[1].node.name, "d11");
    assert_string_equal(entries[2].node.name, "d12"); // below an edge below it
    assert_string_equal(entries[3].node.name, "e1");
    assert_int_equal(entries[3].reason, FL_WHY_NONE);
    assert_string_equal(entries[4].node.name, "d2");
    assert_int_equal(entries[4].reason, FL_WHY_NONE);
}

static void
what_does_not_fit_is_counted(void **state)
{
    (void)state;
    for (int i = 0; i < FL_ROLL_MAX + 9; i++) {
        s_seat(FL_ROLE_DEVICE, FL_SEAT_LATE, 0);
    }
    fl_name parent = machine_node("root");
    uint32_t dropped = 0;
    assert_int_equal(fl_participation_roll(roster, &parent, 1, entries, &dropped), FL_ROLL_MAX);
    assert_int_equal(dropped, 9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_name_under_two_parents_stays_where_it_was_first_until_it_is_absent_there, s_new,
                  s_destroy),
        unit_case(devices_are_told_apart_by_their_phase, s_new, s_destroy),
        unit_case(an_edge_that_is_in_speaks_for_its_devices, s_new, s_destroy),
        unit_case(a_subtree_is_out_with_its_edge, s_new, s_destroy),
        unit_case(who_was_in_the_run_and_is_gone_is_absent, s_new, s_destroy),
        unit_case(whom_an_edge_has_forgotten_is_absent, s_new, s_destroy),
        unit_case(devices_are_named_with_the_edge_that_is_out, s_new, s_destroy),
        unit_case(the_roll_lists_the_seats_and_what_counted_edges_report, s_new, s_destroy),
        unit_case(who_was_asked_for_nothing_is_idle_by_name, s_new, s_destroy),
        unit_case(whom_the_report_before_names_is_absent_when_nobody_names_it, s_new, s_destroy),
        unit_case(a_copy_below_an_edge_is_named_when_the_first_sits_here, s_new, s_destroy),
        unit_case(a_copy_that_an_edge_has_counted_is_named_beside_our_child, s_new, s_destroy),
        unit_case(an_edge_does_not_report_for_others, s_new, s_destroy),
        unit_case(what_does_not_fit_is_counted, s_new, s_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
