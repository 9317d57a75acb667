#include "common/core/masking_mark.h"

#include "tests/support/unit.h"

#include <string.h>

static fl_node
s_node(const char *name)
{
    fl_node node;
    assert_true(fl_node_parse(name, &node));
    return node;
}

static fl_masking_mark
s_mark(void)
{
    fl_masking_mark mark = { .run = { { 1 } }, .round = 9 };
    fl_node names[] = { s_node("c"), s_node("a"), s_node("b") };
    fl_masking_mark_open(&mark, 8, &(fl_hash){ { 7 } }, names, 3);
    return mark;
}

static void
a_mark_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t bytes[FL_MASKING_MARK_BYTES];
    fl_masking_mark back, empty = { 0 }, mark = s_mark();
    fl_masking_mark_encode(&mark, bytes);
    assert_true(fl_masking_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_int_equal(back.round, 9);
    assert_int_equal(back.opened, 8);
    assert_int_equal(back.count, 3);
    assert_string_equal(back.survivors[0].name, "a"); // in order, whatever it was made from
    fl_masking_mark_encode(&empty, bytes);
    assert_true(fl_masking_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    assert_int_equal(back.count, 0);
}

static void
what_is_no_mark_is_none(void **state)
{
    (void)state;
    uint8_t bytes[FL_MASKING_MARK_BYTES + 1] = { 0 };
    fl_masking_mark back, mark = s_mark();
    fl_masking_mark_encode(&mark, bytes);
    assert_false(fl_masking_mark_decode(fl_bytes_of(bytes, FL_MASKING_MARK_BYTES - 1), &back));
    assert_false(fl_masking_mark_decode(fl_bytes_of(bytes, sizeof bytes), &back));
    mark.count = 65;
    fl_masking_mark_encode(&mark, bytes);
    assert_false(fl_masking_mark_decode(fl_bytes_of(bytes, FL_MASKING_MARK_BYTES), &back));
    mark = s_mark();
    mark.survivors[1] = mark.survivors[0];
    fl_masking_mark_encode(&mark, bytes);
    assert_false(fl_masking_mark_decode(fl_bytes_of(bytes, FL_MASKING_MARK_BYTES), &back));
    mark = s_mark();
    mark.opened = 0;
    fl_masking_mark_encode(&mark, bytes);
    assert_false(fl_masking_mark_decode(fl_bytes_of(bytes, FL_MASKING_MARK_BYTES), &back));
    assert_int_equal(back.round, 0);
}

static void
survivors_are_found_among_others(void **state)
{
    (void)state;
    fl_masking_mark mark = s_mark(), none = { 0 };
    fl_node more[] = { s_node("d"), s_node("b"), s_node("a"), s_node("c") };
    assert_true(fl_masking_mark_within(&mark, more, 4));
    assert_false(fl_masking_mark_within(&mark, more, 3));
    assert_false(fl_masking_mark_within(&mark, more, 0));
    assert_true(fl_masking_mark_within(&none, more, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_comes_back_from_its_bytes),
        cmocka_unit_test(what_is_no_mark_is_none),
        cmocka_unit_test(survivors_are_found_among_others),
    };
    return cmocka_run_group_tests_name("core/masking_mark", tests, NULL, NULL);
}
