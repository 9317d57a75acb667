#include "common/crypto/ticket.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <string.h>

static fl_ticket_key
s_key(uint64_t seed)
{
    fl_seeded source = fl_seeded_of(seed);
    fl_entropy entropy = fl_entropy_seeded(&source);
    return fl_ticket_key_draw(&entropy);
}

static fl_ticket_claim
s_claim(void)
{
    return (fl_ticket_claim){
        .parent = identity_node("edge-a"),
        .child = identity_node("dev-1"),
        .seat = 4,
        .epoch = 5,
    };
}

static void
a_ticket_holds_for_what_it_was_made_for(void **state)
{
    (void)state;
    fl_ticket_key key = s_key(1);
    fl_ticket_claim claim = s_claim();
    uint8_t ticket[FL_TICKET_MAC_BYTES];
    fl_ticket_make(&key, &claim, ticket);
    assert_true(fl_ticket_holds(&key, &claim, ticket));
}

static void
a_ticket_holds_for_no_other_parent_child_seat_or_epoch(void **state)
{
    (void)state;
    fl_ticket_key key = s_key(1);
    fl_ticket_claim claim = s_claim();
    uint8_t ticket[FL_TICKET_MAC_BYTES];
    fl_ticket_make(&key, &claim, ticket);
    fl_ticket_claim others[4];
    for (size_t i = 0; i < 4; i++) {
        others[i] = claim;
    }
    others[0].parent = identity_node("edge-b");
    others[1].child = identity_node("dev-2");
    others[2].seat = 5;
    others[3].epoch = 4;
    for (size_t i = 0; i < 4; i++) {
        assert_false(fl_ticket_holds(&key, &others[i], ticket));
    }
    fl_ticket_claim swapped = claim;
    swapped.parent = claim.child;
    swapped.child = claim.parent;
    assert_false(fl_ticket_holds(&key, &swapped, ticket));
}

static void
every_flipped_bit_of_a_ticket_is_refused(void **state)
{
    (void)state;
    fl_ticket_key key = s_key(1);
    fl_ticket_claim claim = s_claim();
    uint8_t ticket[FL_TICKET_MAC_BYTES];
    fl_ticket_make(&key, &claim, ticket);
    for (size_t bit = 0; bit < 8 * sizeof ticket; bit++) {
        ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(fl_ticket_holds(&key, &claim, ticket));
        ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
a_ticket_of_another_process_is_refused(void **state)
{
    (void)state;
    fl_ticket_key key = s_key(1), other = s_key(2);
    fl_ticket_claim claim = s_claim();
    uint8_t ticket[FL_TICKET_MAC_BYTES];
    fl_ticket_make(&other, &claim, ticket);
    assert_false(fl_ticket_holds(&key, &claim, ticket));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_holds_for_what_it_was_made_for),
        cmocka_unit_test(a_ticket_holds_for_no_other_parent_child_seat_or_epoch),
        cmocka_unit_test(every_flipped_bit_of_a_ticket_is_refused),
        cmocka_unit_test(a_ticket_of_another_process_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
