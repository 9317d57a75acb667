#include "common/round/session.h"

#include "tests/support/unit.h"

#include "common/base/limits.h"

static fl_session joining;

static int
s_init(void **state)
{
    (void)state;
    fl_session_init(&joining, &(fl_participant_conf){ .seed = 1,
                                                      .incarnation = 2,
                                                      .beat_ms = 100,
                                                      .backoff_min_ms = 100,
                                                      .backoff_max_ms = 1000 });
    return 0;
}

static void
a_child_connects_at_once(void **state)
{
    (void)state;
    assert_int_equal(joining.phase, FL_SESSION_OFFLINE);
    assert_int_equal(fl_session_deadline(&joining), 0);
    assert_int_equal(fl_session_next(&joining, 0), FL_SESSION_DO_CONNECT);
}

static void
hello_without_answer_is_given_up_after_three_beats_then_longer(void **state)
{
    (void)state;
    static const fl_time BEATS[] = { 3, 6, 6, 6 };
    for (size_t i = 0; i < sizeof BEATS / sizeof *BEATS; i++) {
        fl_time end = 1000 + 100 * BEATS[i];
        fl_session_asked(&joining, 1000);
        assert_int_equal(joining.phase, FL_SESSION_JOINING);
        fl_session_heard(&joining, 1200); // other words are no answer to HELLO
        assert_int_equal(fl_session_deadline(&joining), end);
        assert_int_equal(fl_session_next(&joining, end - 1), FL_SESSION_DO_WAIT);
        assert_int_equal(fl_session_next(&joining, end), FL_SESSION_DO_GIVE_UP);
        fl_session_lost(&joining, FL_WHY_SILENT, end);
    }
    fl_session_welcomed(&joining, 100, 9000);
    fl_session_lost(&joining, FL_WHY_SILENT,
                    9000); // a seat that is lost is no HELLO without an answer
    fl_session_asked(&joining, 9100);
    assert_int_equal(fl_session_deadline(&joining), 9400);
}

static void
each_try_waits_longer_until_welcome(void **state)
{
    (void)state;
    uint32_t longest = 0;
    for (int i = 0; i < 12; i++) {
        uint32_t delay = fl_session_lost(&joining, FL_WHY_SILENT, 5000);
        uint32_t whole = i < 4 ? 100u << i : 1000;
        assert_in_range(delay, whole / 2, whole);
        assert_int_equal(fl_session_deadline(&joining), 5000 + delay);
        assert_int_equal(fl_session_next(&joining, 5000 + (fl_time)delay - 1), FL_SESSION_DO_WAIT);
        assert_int_equal(fl_session_next(&joining, 5000 + (fl_time)delay), FL_SESSION_DO_CONNECT);
        longest = delay > longest ? delay : longest;
    }
    assert_true(longest > 500);
    assert_int_equal(joining.tries, 12);
    fl_session_welcomed(&joining, 100, 9000);
    assert_int_equal(joining.tries, 0);
}

//  The seat is free within three beats when it is a process of ours that has died.
static void
a_seat_in_use_is_asked_for_each_beat_for_a_while(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        uint32_t delay = fl_session_lost(&joining, FL_WHY_IN_USE, 5000);
        assert_in_range(delay, 1, i < 8 ? 100 : 1000);
        assert_true(i < 8 || delay > 100);
    }
}

static void
a_seat_is_kept_by_beats_and_left_after_three_silent_ones(void **state)
{
    (void)state;
    fl_session_heard(&joining, 1000);
    fl_session_welcomed(&joining, 200, 1000);
    assert_int_equal(joining.phase, FL_SESSION_JOINED);
    assert_int_equal(fl_session_deadline(&joining), 1200);
    assert_int_equal(fl_session_next(&joining, 1199), FL_SESSION_DO_WAIT);
    assert_int_equal(fl_session_next(&joining, 1200), FL_SESSION_DO_BEAT);
    fl_session_beaten(&joining, 1200);
    assert_int_equal(fl_session_next(&joining, 1200), FL_SESSION_DO_WAIT);
    assert_int_equal(fl_session_deadline(&joining), 1400);
    fl_session_beaten(&joining, 1500);
    assert_int_equal(fl_session_deadline(&joining), 1601); // silence comes first
    assert_int_equal(fl_session_next(&joining, 1600), FL_SESSION_DO_WAIT);
    assert_int_equal(fl_session_next(&joining, 1601), FL_SESSION_DO_GIVE_UP);
    fl_session_heard(&joining, 1600);
    assert_int_equal(fl_session_next(&joining, 1601), FL_SESSION_DO_WAIT);
}

static void
no_parent_sets_a_beat_out_of_bounds(void **state)
{
    (void)state;
    fl_session_welcomed(&joining, 1, 0);
    assert_int_equal(joining.beat_ms, FL_BEAT_MS_MIN);
    fl_session_welcomed(&joining, UINT32_MAX, 0);
    assert_int_equal(joining.beat_ms, FL_BEAT_MS_MAX);
    fl_session_welcomed(&joining, 777, 0);
    assert_int_equal(joining.beat_ms, 777);
}

static void
a_child_that_has_left_has_no_deadline(void **state)
{
    (void)state;
    fl_session_asked(&joining, 1000);
    fl_session_welcomed(&joining, 100, 1000);
    fl_session_left(&joining);
    assert_int_equal(fl_session_deadline(&joining), FL_NEVER);
    assert_int_equal(fl_session_next(&joining, 1000000), FL_SESSION_DO_WAIT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_child_connects_at_once, s_init),
        cmocka_unit_test_setup(hello_without_answer_is_given_up_after_three_beats_then_longer,
                               s_init),
        cmocka_unit_test_setup(each_try_waits_longer_until_welcome, s_init),
        cmocka_unit_test_setup(a_seat_in_use_is_asked_for_each_beat_for_a_while, s_init),
        cmocka_unit_test_setup(a_seat_is_kept_by_beats_and_left_after_three_silent_ones, s_init),
        cmocka_unit_test_setup(no_parent_sets_a_beat_out_of_bounds, s_init),
        cmocka_unit_test_setup(a_child_that_has_left_has_no_deadline, s_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
