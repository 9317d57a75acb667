#include "common/wire/mp.h"

#include "tests/support/unit.h"

#include <string.h>

#define BYTES(...)                                                                                 \
    fl_bytes_of((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

// ---- guard ------------------------------------------------------------------------------------
static void
honest_values_of_every_kind_pass(void **state)
{
    (void)state;
    assert_null(fl_mp_guard(BYTES(0x00)));
    assert_null(fl_mp_guard(BYTES(0x7f)));
    assert_null(fl_mp_guard(BYTES(0xe0))); // -32
    assert_null(fl_mp_guard(BYTES(0xc0)));
    assert_null(fl_mp_guard(BYTES(0xc3)));
    assert_null(fl_mp_guard(BYTES(0xcc, 1)));
    assert_null(fl_mp_guard(BYTES(0xcd, 1, 2)));
    assert_null(fl_mp_guard(BYTES(0xce, 1, 2, 3, 4)));
    assert_null(fl_mp_guard(BYTES(0xcf, 1, 2, 3, 4, 5, 6, 7, 8)));
    assert_null(fl_mp_guard(BYTES(0xd0, 1)));
    assert_null(fl_mp_guard(BYTES(0xd1, 1, 2)));
    assert_null(fl_mp_guard(BYTES(0xd2, 1, 2, 3, 4)));
    assert_null(fl_mp_guard(BYTES(0xd3, 1, 2, 3, 4, 5, 6, 7, 8)));
    assert_null(fl_mp_guard(BYTES(0xca, 1, 2, 3, 4)));
    assert_null(fl_mp_guard(BYTES(0xcb, 1, 2, 3, 4, 5, 6, 7, 8)));
    assert_null(fl_mp_guard(BYTES(0xa2, 'h', 'i')));
    assert_null(fl_mp_guard(BYTES(0xd9, 1, 'h')));
    assert_null(fl_mp_guard(BYTES(0xda, 0, 1, 'h')));
    assert_null(fl_mp_guard(BYTES(0xdb, 0, 0, 0, 1, 'h')));
    assert_null(fl_mp_guard(BYTES(0xc4, 1, 9)));
    assert_null(fl_mp_guard(BYTES(0xc5, 0, 1, 9)));
    assert_null(fl_mp_guard(BYTES(0xc6, 0, 0, 0, 1, 9)));
    assert_null(fl_mp_guard(BYTES(0x90)));
    assert_null(fl_mp_guard(BYTES(0x92, 1, 0x91, 2)));
    assert_null(fl_mp_guard(BYTES(0xdc, 0, 1, 5)));
    assert_null(fl_mp_guard(BYTES(0xdd, 0, 0, 0, 1, 5)));
    assert_null(fl_mp_guard(BYTES(0x81, 1, 2)));
    assert_null(fl_mp_guard(BYTES(0xde, 0, 1, 1, 2)));
    assert_null(fl_mp_guard(BYTES(0xdf, 0, 0, 0, 1, 1, 2)));
}

static void
a_count_above_the_bytes_left_is_a_lie(void **state)
{
    (void)state;
    static const char lie[] = "a count above the bytes that are left";
    assert_string_equal(fl_mp_guard(BYTES(0xdd, 0x04, 0, 0, 0)), lie); // asks for 2 GiB
    assert_string_equal(fl_mp_guard(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff, 1)), lie);
    assert_string_equal(fl_mp_guard(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff, 1)), lie);
    assert_string_equal(fl_mp_guard(BYTES(0xdc, 0, 2, 1)), lie);
    assert_string_equal(fl_mp_guard(BYTES(0x92, 1)), lie);
    assert_string_equal(fl_mp_guard(BYTES(0x81, 1)), lie); // a key without its value
}

static void
a_value_that_is_cut_off_is_found(void **state)
{
    (void)state;
    static const char cut[] = "a value is cut off";
    assert_string_equal(fl_mp_guard((fl_bytes){ 0 }), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xcd, 1)), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xcb, 1, 2, 3, 4, 5, 6, 7)), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xa2, 'h')), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xd9)), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xc6, 0, 0, 0)), cut);
    assert_string_equal(fl_mp_guard(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff, 1)), cut);
    assert_string_equal(fl_mp_guard(BYTES(0x92, 0xcc, 1)), cut);
}

static void
extension_types_and_the_unused_byte_are_refused(void **state)
{
    (void)state;
    const uint8_t first[] = { 0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8 };
    for (size_t i = 0; i < sizeof first; i++) {
        uint8_t bytes[24] = { first[i] };
        const char *wrong = fl_mp_guard(fl_bytes_of(bytes, sizeof bytes));
        assert_string_equal(wrong, "an extension type");
    }
}

static void
nothing_may_follow_the_one_value(void **state)
{
    (void)state;
    assert_string_equal(fl_mp_guard(BYTES(0x01, 0x02)), "bytes after the header");
    assert_string_equal(fl_mp_guard(BYTES(0x91, 1, 2)), "bytes after the header");
    assert_string_equal(fl_mp_guard(BYTES(0x90, 0xc0)), "bytes after the header");
}

static void
arrays_nest_eight_deep_and_no_deeper(void **state)
{
    (void)state;
    uint8_t bytes[FL_MP_DEPTH_MAX + 2];
    memset(bytes, 0x91, sizeof bytes);
    bytes[FL_MP_DEPTH_MAX] = 1;
    assert_null(fl_mp_guard(fl_bytes_of(bytes, FL_MP_DEPTH_MAX + 1)));
    bytes[FL_MP_DEPTH_MAX] = 0x91;
    bytes[FL_MP_DEPTH_MAX + 1] = 1;
    assert_string_equal(fl_mp_guard(fl_bytes_of(bytes, sizeof bytes)), "nested too deep");
}

static void
the_number_of_values_is_bounded(void **state)
{
    (void)state;
    uint8_t bytes[3 + FL_MP_ELEMENTS_MAX] = { 0xdc, 0, FL_MP_ELEMENTS_MAX - 1 }; // and the array
    assert_null(fl_mp_guard(fl_bytes_of(bytes, 3 + FL_MP_ELEMENTS_MAX - 1)));
    bytes[1] = FL_MP_ELEMENTS_MAX >> 8;
    bytes[2] = FL_MP_ELEMENTS_MAX & 0xff;
    assert_string_equal(fl_mp_guard(fl_bytes_of(bytes, sizeof bytes)), "too many values");
}

// ---- reading and writing ----------------------------------------------------------------------
static void
what_is_written_is_read_back(void **state)
{
    (void)state;
    uint8_t buffer[128];
    fl_writer out = fl_writer_over(buffer, sizeof buffer);
    fl_mp_write_array(&out, 6);
    fl_mp_write_uint(&out, UINT64_MAX);
    fl_mp_write_bool(&out, true);
    fl_mp_write_bin(&out, BYTES(1, 2, 3));
    fl_mp_write_array(&out, 2);
    fl_mp_write_uint(&out, 5);
    fl_mp_write_bool(&out, false);
    fl_mp_write_str(&out, BYTES('h', 'i'));
    fl_mp_write_bin(&out, (fl_bytes){ 0 });
    assert_false(out.broken);

    fl_mp_reader in;
    const char *wrong;
    assert_int_equal(fl_mp_open(&in, fl_bytes_of(buffer, fl_writer_size(&out)), &wrong), FL_OK);
    assert_int_equal(fl_mp_enter(&in), 6);
    assert_true(fl_mp_read_uint(&in) == UINT64_MAX);
    assert_true(fl_mp_read_bool(&in));
    fl_bytes bin = fl_mp_read_bin(&in);
    assert_int_equal(bin.size, 3);
    assert_memory_equal(bin.data, ((uint8_t[]){ 1, 2, 3 }), 3);
    assert_true(bin.data > buffer && bin.data < buffer + sizeof buffer); // a view, no copy
    assert_int_equal(fl_mp_enter(&in), 2);
    assert_int_equal(fl_mp_read_uint(&in), 5);
    fl_mp_leave(&in); // the false is skipped
    fl_bytes text = fl_mp_read_str(&in);
    assert_int_equal(text.size, 2);
    assert_memory_equal(text.data, "hi", 2);
    assert_null(fl_mp_read_bin(&in).data);
    assert_false(in.broken);
    fl_mp_leave(&in);
    fl_mp_close(&in);
    fl_mp_close(&in); // twice is once
}

//  Open one value and read it with each function: which ones take it?
static unsigned
s_takers(fl_bytes bytes)
{
    unsigned takers = 0;
    for (unsigned i = 0; i < 5; i++) {
        fl_mp_reader in;
        const char *wrong;
        assert_int_equal(fl_mp_open(&in, bytes, &wrong), FL_OK);
        switch (i) {
        case 0:
            (void)fl_mp_read_uint(&in);
            break;
        case 1:
            (void)fl_mp_read_bool(&in);
            break;
        case 2:
            (void)fl_mp_read_bin(&in);
            break;
        case 3:
            (void)fl_mp_read_str(&in);
            break;
        default:
            (void)fl_mp_enter(&in);
            break;
        }
        takers |= (unsigned)!in.broken << i;
        fl_mp_close(&in);
    }
    return takers;
}

static void
a_value_of_another_type_breaks_the_reader(void **state)
{
    (void)state;
    assert_int_equal(s_takers(BYTES(5)), 1u << 0);
    assert_int_equal(s_takers(BYTES(0xd0, 5)), 1u << 0); // signed, but not negative
    assert_int_equal(s_takers(BYTES(0xff)), 0);          // -1
    assert_int_equal(s_takers(BYTES(0xc0)), 0);
    assert_int_equal(s_takers(BYTES(0xc2)), 1u << 1);
    assert_int_equal(s_takers(BYTES(0xc4, 1, 0)), 1u << 2);
    assert_int_equal(s_takers(BYTES(0xa1, 'x')), 1u << 3);
    assert_int_equal(s_takers(BYTES(0x91, 0)), 1u << 4);
    assert_int_equal(s_takers(BYTES(0x81, 0, 0)), 0);
    assert_int_equal(s_takers(BYTES(0xca, 0, 0, 0, 0)), 0);
}

static void
a_broken_reader_answers_zeros_for_ever(void **state)
{
    (void)state;
    fl_mp_reader in;
    const char *wrong;
    assert_int_equal(fl_mp_open(&in, BYTES(0x91, 7), &wrong), FL_OK);
    assert_int_equal(fl_mp_enter(&in), 1);
    assert_int_equal(fl_mp_read_uint(&in), 7);
    assert_false(in.broken);
    assert_int_equal(fl_mp_read_uint(&in), 0); // nothing left
    assert_true(in.broken);
    assert_int_equal(fl_mp_enter(&in), 0);
    assert_false(fl_mp_read_bool(&in));
    assert_int_equal(fl_mp_read_bin(&in).size, 0);
    assert_int_equal(fl_mp_read_str(&in).size, 0);
    fl_mp_leave(&in);
    assert_true(in.broken);
    fl_mp_close(&in);
}

static void
what_the_guard_stops_is_never_opened(void **state)
{
    (void)state;
    fl_mp_reader in;
    const char *wrong = NULL;
    fl_status status = fl_mp_open(&in, BYTES(0xdd, 0x04, 0, 0, 0), &wrong);
    assert_int_equal(status, FL_MALFORMED);
    assert_string_equal(wrong, "a count above the bytes that are left");
    assert_true(in.broken);
    assert_int_equal(fl_mp_enter(&in), 0);
    fl_mp_close(&in);
}

static void
the_largest_header_opens(void **state)
{
    (void)state;
    uint8_t bytes[3 + FL_MP_ELEMENTS_MAX] = { 0xdc, 0, FL_MP_ELEMENTS_MAX - 1 };
    fl_mp_reader in;
    const char *wrong;
    fl_bytes header = fl_bytes_of(bytes, 3 + FL_MP_ELEMENTS_MAX - 1);
    memset(bytes + 3, 9, FL_MP_ELEMENTS_MAX);
    assert_int_equal(fl_mp_open(&in, header, &wrong), FL_OK);
    assert_int_equal(fl_mp_enter(&in), FL_MP_ELEMENTS_MAX - 1);
    for (int i = 0; i < FL_MP_ELEMENTS_MAX - 1; i++) {
        assert_int_equal(fl_mp_read_uint(&in), 9);
    }
    assert_false(in.broken);
    fl_mp_close(&in);
}

static void
a_full_writer_breaks_and_stays_within_its_bytes(void **state)
{
    (void)state;
    uint8_t buffer[4] = { 0, 0, 0, 0xee };
    fl_writer out = fl_writer_over(buffer, 3);
    fl_mp_write_bin(&out, BYTES(1, 2, 3));
    assert_true(out.broken);
    assert_int_equal(buffer[3], 0xee);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_values_of_every_kind_pass),
        cmocka_unit_test(a_count_above_the_bytes_left_is_a_lie),
        cmocka_unit_test(a_value_that_is_cut_off_is_found),
        cmocka_unit_test(extension_types_and_the_unused_byte_are_refused),
        cmocka_unit_test(nothing_may_follow_the_one_value),
        cmocka_unit_test(arrays_nest_eight_deep_and_no_deeper),
        cmocka_unit_test(the_number_of_values_is_bounded),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_value_of_another_type_breaks_the_reader),
        cmocka_unit_test(a_broken_reader_answers_zeros_for_ever),
        cmocka_unit_test(what_the_guard_stops_is_never_opened),
        cmocka_unit_test(the_largest_header_opens),
        cmocka_unit_test(a_full_writer_breaks_and_stays_within_its_bytes),
    };
    return cmocka_run_group_tests_name("wire/mp", tests, NULL, NULL);
}
