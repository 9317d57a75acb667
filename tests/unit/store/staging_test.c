#include "common/store/staging.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"

static fl_why why;
static fl_staging *staging;

static int
s_begin(void **state)
{
    int code = place_make(state);
    return code != 0 || fl_staging_open(place, 3, &staging, &why) != FL_OK;
}

static int
s_end(void **state)
{
    fl_staging_close(&staging);
    assert_null(staging);
    return place_end(state);
}

static void
bytes_written_in_any_order_are_read_back(void **state)
{
    (void)state;
    assert_int_equal(fl_staging_lease(staging, 1, 10, &why), FL_OK);
    assert_int_equal(fl_staging_write(staging, 1, 5, fl_bytes_of("fghij", 5)), FL_OK);
    assert_int_equal(fl_staging_write(staging, 1, 0, fl_bytes_of("abcde", 5)), FL_OK);
    fl_bytes bytes = fl_staging_bytes(staging, 1);
    assert_int_equal(bytes.size, 10);
    assert_memory_equal(bytes.data, "abcdefghij", 10);
    assert_int_equal(place_count_files(), 0); // no name on the disk at any time
}

static void
a_write_outside_the_lease_is_refused(void **state)
{
    (void)state;
    assert_int_equal(fl_staging_lease(staging, 0, 10, &why), FL_OK);
    assert_int_equal(fl_staging_write(staging, 0, 6, fl_bytes_of("abcde", 5)), FL_RANGE);
    assert_int_equal(fl_staging_write(staging, 0, 11, (fl_bytes){ 0 }), FL_RANGE);
    assert_int_equal(fl_staging_write(staging, 0, UINT64_MAX, fl_bytes_of("ab", 2)), FL_RANGE);
    assert_int_equal(fl_staging_write(staging, 0, 10, (fl_bytes){ 0 }), FL_OK);
    assert_int_equal(fl_staging_write(staging, 2, 0, fl_bytes_of("a", 1)), FL_RANGE);
}

static void
a_freed_slot_is_empty_and_can_be_leased_again(void **state)
{
    (void)state;
    assert_int_equal(fl_staging_lease(staging, 0, 100, &why), FL_OK);
    const uint8_t *first = fl_staging_bytes(staging, 0).data;
    fl_staging_free(staging, 0);
    fl_staging_free(staging, 0);
    assert_int_equal(fl_staging_bytes(staging, 0).size, 0);
    assert_int_equal(fl_staging_lease(staging, 0, 90, &why), FL_OK);
    assert_ptr_equal(fl_staging_bytes(staging, 0).data, first); // the space was kept
    assert_int_equal(fl_staging_bytes(staging, 0).size, 90);
    fl_staging_free(staging, 0);
    assert_int_equal(fl_staging_lease(staging, 0, 100000, &why), FL_OK);
    assert_int_equal(fl_staging_write(staging, 0, 99999, fl_bytes_of("z", 1)), FL_OK);
    fl_staging_free(staging, 0);
    assert_int_equal(fl_staging_lease(staging, 0, 5, &why), FL_OK); // far smaller: mapped anew
    assert_int_equal(fl_staging_bytes(staging, 0).size, 5);
}

static void
memory_that_was_taken_outlives_the_slot(void **state)
{
    (void)state;
    assert_int_equal(fl_staging_take(staging, 0).size, 0); // nothing to take
    fl_staging_unmap(fl_bytes_of(NULL, 0));
    assert_int_equal(fl_staging_lease(staging, 0, 100, &why), FL_OK);
    assert_int_equal(fl_staging_write(staging, 0, 0, fl_bytes_of("old", 3)), FL_OK);
    const fl_bytes taken = fl_staging_take(staging, 0);
    fl_staging_free(staging, 0);
    assert_int_equal(fl_staging_lease(staging, 0, 100, &why), FL_OK);
    assert_int_equal(fl_staging_write(staging, 0, 0, fl_bytes_of("new", 3)), FL_OK);
    assert_memory_equal(taken.data, "old", 3);
    assert_memory_equal(fl_staging_bytes(staging, 0).data, "new", 3);
    fl_staging_unmap(taken);
}

static void
a_full_disk_refuses_the_lease_and_spares_the_others(void **state)
{
    (void)state;
    fl_staging *small = NULL;
    fl_staging_close(&staging);
    if (!place_on_disk("size=1m", false)) {
        skip();
    }
    assert_int_equal(fl_staging_open(place, 2, &small, &why), FL_OK);
    assert_int_equal(fl_staging_lease(small, 0, 600 * 1024, &why), FL_OK);
    assert_int_equal(fl_staging_lease(small, 1, 600 * 1024, &why), FL_FULL);
    assert_non_null(strstr(why.text, "no space left"));
    assert_int_equal(fl_staging_write(small, 0, 600 * 1024 - 1, fl_bytes_of("z", 1)), FL_OK);
    assert_int_equal(fl_staging_lease(small, 1, 300 * 1024, &why), FL_OK);
    fl_staging_close(&small);
}

static void
a_directory_that_cannot_be_used_is_said_at_start_up(void **state)
{
    (void)state;
    fl_staging *none = NULL;
    assert_int_equal(fl_staging_open(place_of("missing"), 1, &none, &why), FL_MISSING);
    assert_null(none);
    assert_non_null(strstr(why.text, "/missing"));
}

static void
s_lease_twice(void)
{
    if (fl_staging_lease(staging, 0, 1, &why) == FL_OK) {
        (void)!fl_staging_lease(staging, 0, 1, &why);
    }
}

static void
s_slot_beyond(void)
{
    (void)fl_staging_bytes(staging, 3);
}

static void
slots_are_not_mixed_up(void **state)
{
    (void)state;
    assert_true(unit_dies(s_lease_twice));
    assert_true(unit_dies(s_slot_beyond));
}

//  What has left memory is read again from the file.
static void
a_vector_of_our_own_rests_and_comes_back(void **state)
{
    (void)state;
    fl_blob *blob = NULL;
    assert_int_equal(fl_staging_blob(place, 10000, &blob, &why), FL_OK);
    memset(fl_blob_data(blob), 7, 10000);
    fl_blob_rest(blob, 9000);
    assert_int_equal(fl_blob_bytes(blob).data[0] + fl_blob_bytes(blob).data[9999], 14);
    assert_int_equal(place_count_files(), 0);
    fl_blob_unref(&blob);
    assert_int_equal(fl_staging_blob("/nowhere", 10000, &blob, &why), FL_MISSING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(bytes_written_in_any_order_are_read_back, s_begin, s_end),
        unit_case(a_write_outside_the_lease_is_refused, s_begin, s_end),
        unit_case(a_freed_slot_is_empty_and_can_be_leased_again, s_begin, s_end),
        unit_case(memory_that_was_taken_outlives_the_slot, s_begin, s_end),
        unit_case(a_full_disk_refuses_the_lease_and_spares_the_others, s_begin, s_end),
        unit_case(a_directory_that_cannot_be_used_is_said_at_start_up, s_begin, s_end),
        unit_case(slots_are_not_mixed_up, s_begin, s_end),
        unit_case(a_vector_of_our_own_rests_and_comes_back, s_begin, s_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
