#include "common/base/blob.h"

#include "tests/support/unit.h"

static void
a_new_blob_is_zero_and_aligned(void **state)
{
    (void)state;
    fl_blob *blob = fl_blob_new(1000);
    assert_non_null(blob);
    assert_int_equal(fl_blob_size(blob), 1000);
    assert_int_equal((uintptr_t)fl_blob_data(blob) % 64, 0);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(fl_blob_bytes(blob).data[i], 0);
    }
    fl_blob_unref(&blob);
    assert_null(blob);
}

static void
a_copy_is_its_own(void **state)
{
    (void)state;
    uint8_t bytes[] = { 1, 2, 3 };
    fl_blob *blob = fl_blob_copy(fl_bytes_of(bytes, 3));
    bytes[0] = 9;
    assert_int_equal(fl_blob_bytes(blob).data[0], 1);
    fl_blob *empty = fl_blob_copy((fl_bytes){ 0 });
    assert_int_equal(fl_blob_size(empty), 0);
    fl_blob_unref(&empty);
    fl_blob_unref(&blob);
}

static void
the_last_reference_frees(void **state)
{
    (void)state;
    fl_blob *first = fl_blob_copy(fl_bytes_of("abc", 3));
    fl_blob *second = fl_blob_ref(first);
    assert_ptr_equal(first, second);
    fl_blob_unref(&first);
    assert_memory_equal(fl_blob_bytes(second).data, "abc", 3);
    assert_int_equal(fl_blob_data(second)[0], 'a'); // alone again: may be written
    fl_blob_unref(&second);
    fl_blob_unref(&second);
}

static void
a_size_that_cannot_be_is_out_of_memory(void **state)
{
    (void)state;
    assert_null(fl_blob_new(SIZE_MAX));
    assert_null(fl_blob_new(SIZE_MAX - 64));
}

static void
s_write_a_shared_one(void)
{
    fl_blob *blob = fl_blob_new(1);
    (void)fl_blob_ref(blob);
    (void)fl_blob_data(blob);
}

static void
a_shared_blob_is_not_written(void **state)
{
    (void)state;
    assert_true(unit_dies(s_write_a_shared_one));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_blob_is_zero_and_aligned),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(a_size_that_cannot_be_is_out_of_memory),
        cmocka_unit_test(a_shared_blob_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
