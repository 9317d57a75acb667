#include "common/tensor/combine.h"

#include "tests/support/unit.h"

#include <string.h>

enum { ELEMENTS = 5 };

static void
by_the_rule_sum_contributions_are_added_up_whatever_they_weigh(void **state)
{
    (void)state;
    const fl_element element = { .clip = 1, .bits = 8, .ring_bits = 32, .wire_bytes = 2,
                                 .weight_unit = 1, .weight_max = 4, .devices_max = 4 };
    const fl_combine_rule *rule = fl_combine_find("sum");
    assert_non_null(rule);
    assert_false(rule->each); // it may be masked
    assert_null(rule->end);
    fl_fold *sum = fl_fold_new(&element, ELEMENTS);
    const uint8_t one[2 * ELEMENTS] = { 1, 0, 0xff, 0xff, 100, 1, 0, 0, 7 };
    const uint8_t other[2 * ELEMENTS] = { 2, 0, 0xfe, 0xff, 56, 0, 0, 0, 1 };
    const uint8_t both[2 * ELEMENTS] = { 3, 0, 0xfd, 0xff, 156, 1, 0, 0, 8 };
    uint8_t wire[2 * ELEMENTS];
    void *kept = NULL;
    rule->add(&kept, sum, one, 4);
    rule->add(&kept, sum, other, 0);
    assert_null(kept);
    assert_true(fl_fold_finish(sum, 0, ELEMENTS, wire));
    assert_memory_equal(wire, both, sizeof both);
    fl_fold_destroy(&sum);
}

static void
a_rule_is_found_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(fl_combine_find("sum")->name, "sum");
    assert_null(fl_combine_find("total"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_the_rule_sum_contributions_are_added_up_whatever_they_weigh),
        cmocka_unit_test(a_rule_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
