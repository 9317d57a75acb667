#include "common/base/id.h"

#include "tests/support/unit.h"

#include <string.h>

static void
a_node_name_is_short_and_plain(void **state)
{
    (void)state;
    fl_name node;
    assert_true(fl_name_parse("edge-a.1", &node));
    assert_string_equal(node.name, "edge-a.1");
    assert_true(fl_name_parse("123456789012345", &node));
    const char *bad[] = { "", "1234567890123456", "Edge", "a b", "a_b", "\xc3\xa4", "a/b", "a\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(fl_name_parse(bad[i], &node));
        assert_int_equal(node.name[0], 0);
        assert_int_equal(node.name[15], 0);
    }
}

static void
a_node_from_outside_must_be_padded_with_zeros(void **state)
{
    (void)state;
    fl_name node;
    assert_true(fl_name_parse("d1", &node));
    assert_true(fl_name_valid(&node));
    node.name[9] = 'x';
    assert_false(fl_name_valid(&node));
    memset(node.name, 'a', sizeof node.name);
    assert_false(fl_name_valid(&node));
    memset(node.name, 0, sizeof node.name);
    assert_false(fl_name_valid(&node));
}

static void
equality_looks_at_every_byte(void **state)
{
    (void)state;
    fl_name a, b;
    assert_true(fl_name_parse("d1", &a) && fl_name_parse("d1", &b));
    assert_true(fl_name_equal(&a, &b));
    b.name[15] = 1;
    assert_false(fl_name_equal(&a, &b));
    fl_run run = { { 1 } }, other = run;
    assert_true(fl_run_equal(&run, &other));
    other.bytes[15] = 1;
    assert_false(fl_run_equal(&run, &other));
    fl_hash hash = { { 0 } }, second = hash;
    assert_true(fl_hash_equal(&hash, &second));
    second.bytes[31] = 1;
    assert_false(fl_hash_equal(&hash, &second));
}

static void
hex_goes_there_and_back(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0x00, 0x9a, 0xff };
    char text[7];
    uint8_t back[3];
    fl_hex(bytes, 3, text);
    assert_string_equal(text, "009aff");
    assert_true(fl_unhex("009AfF", back, 3));
    assert_memory_equal(back, bytes, 3);
    assert_false(fl_unhex("009aF", back, 3));
    assert_false(fl_unhex("009aff0", back, 3));
    assert_false(fl_unhex("009afg", back, 3));
    assert_false(fl_unhex("00 aff", back, 3));
}

static void
s_role_out_of_range(void)
{
    (void)fl_role_name((fl_role)99);
}

static void
a_role_out_of_range_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_role_out_of_range));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_name_is_short_and_plain),
        cmocka_unit_test(a_node_from_outside_must_be_padded_with_zeros),
        cmocka_unit_test(equality_looks_at_every_byte),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(a_role_out_of_range_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
