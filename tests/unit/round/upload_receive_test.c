#include "common/round/upload_receive.h"

#include "tests/support/unit.h"

#include "common/base/limits.h"
#include "common/base/status.h"

enum { KIB = 1024, CHUNK = 64 * KIB, TOTAL = 10 * CHUNK };

static fl_upload_receive intake;

static int
s_begin(void **state)
{
    (void)state;
    intake = (fl_upload_receive){ 0 };
    fl_upload_receive_begin(&intake, TOTAL, 1000);
    return 0;
}

static void
a_transfer_begins_with_a_window_of_credit(void **state)
{
    (void)state;
    fl_grant grant = { 0 };
    fl_upload_receive_grant(&intake, &grant);
    assert_int_equal(grant.next, 0);
    assert_int_equal(grant.limit, 2 * CHUNK);
    assert_int_equal(grant.rewind, 0);
    assert_int_equal(grant.chunk_bytes, CHUNK);
}

static void
a_small_transfer_is_granted_whole_and_complete_at_its_last_byte(void **state)
{
    (void)state;
    fl_upload_receive small = { 0 };
    fl_upload_receive_begin(&small, 100, 0);
    assert_int_equal(small.limit, 100);
    assert_int_equal(fl_upload_receive_chunk(&small, 0, 60, 0), FL_RECEIVE_TAKEN);
    assert_int_equal(fl_upload_receive_chunk(&small, 60, 40, 0), FL_RECEIVE_COMPLETE);
    assert_int_equal(small.next, 100);
}

static void
credit_is_raised_when_half_of_it_is_used(void **state)
{
    (void)state;
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, CHUNK / 2, 1000), FL_RECEIVE_TAKEN);
    assert_int_equal(intake.limit, 2 * CHUNK);
    assert_int_equal(fl_upload_receive_chunk(&intake, CHUNK / 2, CHUNK / 2, 1000),
                     FL_RECEIVE_GRANT);
    assert_int_equal(intake.limit, 3 * CHUNK);
}

static void
a_measured_rate_makes_larger_chunks(void **state)
{
    (void)state;
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, CHUNK, 1000), FL_RECEIVE_GRANT);
    assert_int_equal(intake.rate, 0); // no time has passed: unknown
    assert_int_equal(fl_upload_receive_chunk(&intake, CHUNK, CHUNK, 1100), FL_RECEIVE_GRANT);
    assert_int_equal(intake.rate, 10 * 2 * CHUNK); // bytes a second
    fl_grant grant = { 0 };
    fl_upload_receive_grant(&intake, &grant);
    assert_int_equal(grant.chunk_bytes, 5 * CHUNK);
    assert_int_equal(grant.limit, TOTAL);
}

static void
a_duplicate_is_dropped(void **state)
{
    (void)state;
    (void)fl_upload_receive_chunk(&intake, 0, CHUNK, 1001);
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, CHUNK, 1002), FL_RECEIVE_DUPLICATE);
    assert_int_equal(fl_upload_receive_chunk(&intake, CHUNK - 1, 2, 1002), FL_RECEIVE_DUPLICATE);
    assert_int_equal(intake.next, CHUNK);
}

static void
a_gap_asks_to_go_back_once_per_place(void **state)
{
    (void)state;
    assert_int_equal(fl_upload_receive_chunk(&intake, CHUNK, CHUNK, 1001), FL_RECEIVE_GAP);
    assert_int_equal(intake.rewind, 1);
    assert_int_equal(intake.next, 0);
    assert_int_equal(fl_upload_receive_chunk(&intake, CHUNK, CHUNK, 1002), FL_RECEIVE_GAP_KNOWN);
    assert_int_equal(intake.rewind, 1);
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, CHUNK, 1003), FL_RECEIVE_GRANT);
    assert_int_equal(fl_upload_receive_chunk(&intake, 2 * CHUNK, CHUNK, 1004),
                     FL_RECEIVE_GAP); // another
    assert_int_equal(intake.rewind, 2);
}

static void
bytes_beyond_the_limit_are_an_offence(void **state)
{
    (void)state;
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, 0, 1001), FL_RECEIVE_CREDIT);
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, 2 * CHUNK + 1, 1001), FL_RECEIVE_CREDIT);
    assert_int_equal(fl_upload_receive_chunk(&intake, 2 * CHUNK, 1, 1001), FL_RECEIVE_CREDIT);
    assert_int_equal(fl_upload_receive_chunk(&intake, UINT64_MAX, 1, 1001), FL_RECEIVE_CREDIT);
    assert_int_equal(fl_upload_receive_chunk(&intake, 1, UINT64_MAX, 1001), FL_RECEIVE_CREDIT);
    assert_int_equal(intake.next, 0);
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, 2 * CHUNK, 1001),
                     FL_RECEIVE_GRANT); // all of it
}

static void
bytes_of_an_earlier_transfer_are_no_offence(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 4 * CHUNK; at += CHUNK) {
        (void)fl_upload_receive_chunk(&intake, at, CHUNK, 1000);
    }
    uint64_t once = intake.limit;
    assert_true(once > 3 * CHUNK);
    fl_upload_receive_begin(&intake, TOTAL, 2000); // the same child came back
    assert_int_equal(intake.limit, 2 * CHUNK);
    assert_int_equal(fl_upload_receive_chunk(&intake, once - CHUNK, CHUNK, 2001),
                     FL_RECEIVE_DUPLICATE);
    assert_int_equal(fl_upload_receive_chunk(&intake, once, 1, 2001), FL_RECEIVE_CREDIT);
    fl_upload_receive_begin(&intake, TOTAL, 3000); // and again: still remembered
    assert_int_equal(fl_upload_receive_chunk(&intake, once - CHUNK, CHUNK, 3001),
                     FL_RECEIVE_DUPLICATE);
    assert_int_equal(intake.next, 0);
}

static void
a_transfer_below_the_minimum_rate_is_too_slow_after_a_whole_window(void **state)
{
    (void)state;
    const fl_timing timing = { .rate_min = 1000, .rate_window_ms = 2000 };
    assert_false(fl_upload_receive_too_slow(&intake, &timing, 1000));
    assert_false(
        fl_upload_receive_too_slow(&intake, &timing, 2999)); // nothing came, but too early to tell
    (void)fl_upload_receive_chunk(&intake, 0, 2000, 2999);
    assert_false(fl_upload_receive_too_slow(&intake, &timing, 3000)); // exactly enough
    (void)fl_upload_receive_chunk(&intake, 2000, 1999, 4000);
    assert_true(fl_upload_receive_too_slow(&intake, &timing, 5000));  // one byte short
    assert_false(fl_upload_receive_too_slow(&intake, &timing, 5001)); // the next window has begun
}

static void
s_begin_nothing(void)
{
    fl_upload_receive_begin(&intake, 0, 0);
}

static void
a_slow_transfer_is_not_a_lost_one(void **state)
{
    (void)state;
    assert_false(fl_upload_receive_stuck(&intake, 200, 1399));
    assert_true(fl_upload_receive_stuck(&intake, 200, 1400)); // two beats, nothing is known yet
    fl_upload_receive_rewind(&intake, 1400);
    assert_false(fl_upload_receive_stuck(&intake, 200, 2199)); // twice as long after that
    assert_true(fl_upload_receive_stuck(&intake, 200, 2200));
    intake = (fl_upload_receive){ 0 };
    fl_upload_receive_begin(&intake, TOTAL, 1000);
    assert_int_equal(fl_upload_receive_chunk(&intake, 0, CHUNK, 1500), FL_RECEIVE_GRANT);
    assert_false(
        fl_upload_receive_stuck(&intake, 200, 2499)); // 64 KiB took 500 ms, a window needs 1 s
    assert_true(fl_upload_receive_stuck(&intake, 200, 2500));
}

static void
a_transfer_of_nothing_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_begin_nothing));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_transfer_begins_with_a_window_of_credit, s_begin),
        cmocka_unit_test_setup(a_small_transfer_is_granted_whole_and_complete_at_its_last_byte,
                               s_begin),
        cmocka_unit_test_setup(credit_is_raised_when_half_of_it_is_used, s_begin),
        cmocka_unit_test_setup(a_measured_rate_makes_larger_chunks, s_begin),
        cmocka_unit_test_setup(a_duplicate_is_dropped, s_begin),
        cmocka_unit_test_setup(a_gap_asks_to_go_back_once_per_place, s_begin),
        cmocka_unit_test_setup(bytes_beyond_the_limit_are_an_offence, s_begin),
        cmocka_unit_test_setup(bytes_of_an_earlier_transfer_are_no_offence, s_begin),
        cmocka_unit_test_setup(a_transfer_below_the_minimum_rate_is_too_slow_after_a_whole_window,
                               s_begin),
        cmocka_unit_test_setup(a_slow_transfer_is_not_a_lost_one, s_begin),
        cmocka_unit_test_setup(a_transfer_of_nothing_is_a_broken_invariant, s_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
