#include "common/round/selection.h"

#include "tests/support/unit.h"

#include <string.h>

enum { SEATS = 4 };

static fl_seats *seats;
static fl_selection selection;
static uint32_t asked;

static int
start(void **state)
{
    (void)state;
    seats = fl_seats_new(SEATS);
    for (uint32_t i = 0; i < SEATS; i++) {
        const fl_message hello = { .verb = FL_HELLO, .hello.incarnation = 7 };
        fl_event event = { .kind = FL_EV_MESSAGE };
        event.message.from = i;
        event.message.node.name[0] = (char)('a' + (char)i);
        event.message.message = &hello;
        bool renewed;
        assert_int_equal(fl_seats_join(seats, &event, 1000, &renewed), i);
    }
    selection = (fl_selection){ fl_selection_find("all"), seats, 0 };
    asked = 0;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    fl_seats_destroy(&seats);
    return 0;
}

static void
by_the_rule_all_everybody_who_is_there_is_invited(void **state)
{
    (void)state;
    fl_seats_at(seats, 1)->present = false;
    fl_selection_open(&selection);
    for (uint32_t i = 0; i < SEATS; i++) {
        assert_int_equal(fl_seats_look(seats, i)->invited, i != 1);
    }
    assert_int_equal(selection.invited, 3);
    fl_seats_at(seats, 1)->present = true; // a latecomer
    assert_true(fl_selection_invites(&selection, fl_seats_at(seats, 1)));
    assert_int_equal(selection.invited, 4);
}

static void
who_was_shown_to_have_lied_is_refused_whatever_the_rule_says(void **state)
{
    (void)state;
    fl_seats_at(seats, 2)->blamed = FL_WHY_DEALER_LIED;
    fl_selection_open(&selection);
    assert_false(fl_seats_look(seats, 2)->invited);
    assert_int_equal(fl_seats_look(seats, 2)->phase, FL_SEAT_REFUSED);
    assert_int_equal(fl_seats_look(seats, 2)->reason, FL_WHY_DEALER_LIED);
    assert_int_equal(selection.invited, 3);
}

static bool
s_second_time(const fl_selection *self, const fl_seat *seat)
{
    (void)self;
    return seat->peer != 0 || ++asked == 2;
}

static void
a_seat_is_asked_about_until_it_is_invited_and_stays_so(void **state)
{
    (void)state;
    const fl_selection_rule rule = { "test", s_second_time };
    selection.rule = &rule;
    fl_selection_open(&selection);
    assert_int_equal(selection.invited, SEATS - 1);
    for (int i = 0; i < 3; i++) {
        assert_true(fl_selection_invites(&selection, fl_seats_at(seats, 0)));
    }
    assert_int_equal(asked, 2);
    assert_int_equal(selection.invited, SEATS);
    fl_selection_open(&selection); // another round
    assert_int_equal(selection.invited, SEATS - 1);
}

static void
a_rule_is_found_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(fl_selection_find("all")->name, "all");
    assert_null(fl_selection_find("most"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(by_the_rule_all_everybody_who_is_there_is_invited, start, end),
        unit_case(who_was_shown_to_have_lied_is_refused_whatever_the_rule_says, start, end),
        unit_case(a_seat_is_asked_about_until_it_is_invited_and_stays_so, start, end),
        unit_case(a_rule_is_found_by_its_name, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
