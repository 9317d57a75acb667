#include "common/base/bytes.h"

#include "tests/support/unit.h"

#include <string.h>

static void
numbers_are_little_endian_and_come_back(void **state)
{
    (void)state;
    uint8_t buffer[15 + 3];
    fl_writer writer = fl_writer_over(buffer, sizeof buffer);
    fl_write_u8(&writer, 0x12);
    fl_write_u16(&writer, 0x3456);
    fl_write_u32(&writer, 0x789abcdeu);
    fl_write_u64(&writer, 0x0123456789abcdefu);
    fl_write_from(&writer, "end", 3);
    assert_false(writer.broken);
    assert_int_equal(fl_writer_size(&writer), sizeof buffer);
    const uint8_t wanted[] = { 0x12, 0x56, 0x34, 0xde, 0xbc, 0x9a, 0x78, 0xef };
    assert_memory_equal(buffer, wanted, sizeof wanted);

    fl_reader reader = fl_reader_of(fl_bytes_of(buffer, sizeof buffer));
    char text[4] = "";
    assert_int_equal(fl_read_u8(&reader), 0x12);
    assert_int_equal(fl_read_u16(&reader), 0x3456);
    assert_int_equal(fl_read_u32(&reader), 0x789abcdeu);
    assert_true(fl_read_u64(&reader) == 0x0123456789abcdefu);
    assert_false(fl_reader_done(&reader));
    fl_read_into(&reader, text, 3);
    assert_string_equal(text, "end");
    assert_true(fl_reader_done(&reader));
}

static void
a_broken_reader_answers_zeros_for_ever(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 1, 2, 3 };
    fl_reader reader = fl_reader_of(fl_bytes_of(bytes, sizeof bytes));
    assert_int_equal(fl_read_u32(&reader), 0);
    assert_true(reader.broken);
    assert_int_equal(fl_read_u8(&reader), 0);
    uint8_t into[2] = { 9, 9 };
    fl_read_into(&reader, into, 2);
    assert_int_equal(into[0] + into[1], 0);
    assert_int_equal(fl_read_view(&reader, 0).size, 0);
    assert_false(fl_reader_done(&reader));
}

static void
a_view_points_into_the_source(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 1, 2, 3 };
    fl_reader reader = fl_reader_of(fl_bytes_of(bytes, sizeof bytes));
    fl_bytes view = fl_read_view(&reader, 2);
    assert_ptr_equal(view.data, bytes);
    assert_int_equal(view.size, 2);
    assert_true(fl_read_view(&reader, SIZE_MAX).size == 0 && reader.broken);
}

static void
nothing_can_be_read_from_nothing(void **state)
{
    (void)state;
    fl_reader reader = fl_reader_of((fl_bytes){ 0 });
    assert_true(fl_reader_done(&reader));
    fl_read_into(&reader, NULL, 0);
    assert_true(fl_reader_done(&reader));
    assert_int_equal(fl_read_u8(&reader), 0);
    assert_false(fl_reader_done(&reader));
}

static void
a_broken_writer_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t buffer[4] = { 0 };
    fl_writer writer = fl_writer_over(buffer, 3);
    fl_write_u16(&writer, 0xffff);
    fl_write_u16(&writer, 0xffff);
    assert_true(writer.broken);
    fl_write_u8(&writer, 0xff);
    fl_write_from(&writer, "", 0);
    assert_int_equal(fl_writer_size(&writer), 2);
    assert_int_equal(buffer[2], 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian_and_come_back),
        cmocka_unit_test(a_broken_reader_answers_zeros_for_ever),
        cmocka_unit_test(a_view_points_into_the_source),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
        cmocka_unit_test(a_broken_writer_writes_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
