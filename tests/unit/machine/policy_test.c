#include "common/machine/policy.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

static void
the_defaults_make_sense_together(void **state)
{
    (void)state;
    fl_timing timing = fl_timing_default();
    assert_true(timing.beat_ms > 0);
    assert_true(timing.evasive_beats <= timing.lease_beats);
    assert_true(timing.hop_ms + timing.finish_ms < timing.beat_ms);
}

static void
a_deadline_is_fixed_or_a_factor_of_the_median_within_its_bounds(void **state)
{
    (void)state;
    const struct {
        uint32_t time_min, time_max, factor, median, want;
    } rows[] = {
        { 0, 1000, 0, 0, 1000 },       // fixed, nothing measured
        { 0, 1000, 0, 123, 1000 },     // fixed, whatever was measured
        { 0, 1000, 2000, 0, 1000 },    // measured, nothing known yet: the ceiling
        { 0, 1000, 2000, 200, 400 },   // twice the median
        { 0, 1000, 1500, 201, 301 },   // rounded down
        { 0, 1000, 2000, 501, 1000 },  // the ceiling holds
        { 0, 1000, 2000, 500, 1000 },  // exactly the ceiling
        { 300, 1000, 2000, 100, 300 }, // the floor holds
        { 300, 1000, 500, 700, 350 },  // less than the median
        { 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX }, // no overflow
        { 500, 400, 1000, 10, 400 },                           // a ceiling below the floor wins
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_window window = { .count_min = 1,
                             .time_min_ms = rows[i].time_min,
                             .time_max_ms = rows[i].time_max,
                             .factor_permille = rows[i].factor };
        assert_int_equal(fl_policy_deadline_ms(&window, rows[i].median), rows[i].want);
    }
}

static void
a_late_update_weighs_less_but_never_nothing(void **state)
{
    (void)state;
    const struct {
        uint64_t weight, staleness, want;
    } rows[] = {
        { 100, 0, 100 }, { 100, 1, 50 },       { 100, 2, 33 },       { 100, 99, 1 },
        { 100, 100, 1 }, { 1, 1, 1 },          { 7, 1, 3 },          { 0, 0, 0 },
        { 0, 5, 0 },     { 9, UINT64_MAX, 1 }, { 0, UINT64_MAX, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_policy_damped(rows[i].weight, rows[i].staleness), rows[i].want);
    }
}

static void
weight_counts_samples_in_units_up_to_its_maximum(void **state)
{
    (void)state;
    fl_plan plan = machine_plan(); // unit 10, at most 100
    const struct {
        uint64_t samples, want;
    } rows[] = {
        { 0, 0 },     { 1, 1 },      { 10, 1 },     { 11, 2 },
        { 999, 100 }, { 1000, 100 }, { 1001, 100 }, { UINT64_MAX, 100 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_policy_weight(rows[i].samples, &plan), rows[i].want);
    }
}

static void
chunks_and_windows_grow_with_the_rate_within_their_limits(void **state)
{
    (void)state;
    enum { KIB = 1024, MIB = 1024 * 1024 };
    const struct {
        uint64_t rate, chunk, window;
    } rows[] = {
        { 0, 64 * KIB, 128 * KIB },              // unknown: small
        { 125000, 64 * KIB, 128 * KIB },         // 1 Mbit/s
        { 512 * KIB, 128 * KIB, 256 * KIB },     // a quarter second, half a second
        { 800 * KIB, 192 * KIB, 400 * KIB },     // whole multiples of 64 KiB
        { 12 * MIB, 1 * MIB, 6 * MIB },          // the largest chunk
        { (uint64_t)1 << 40, 1 * MIB, 8 * MIB }, // the largest window
        { UINT64_MAX, 1 * MIB, 8 * MIB },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_policy_chunk_bytes(rows[i].rate), rows[i].chunk);
        assert_int_equal(fl_policy_window_bytes(rows[i].rate), rows[i].window);
        assert_true(rows[i].window >= 2 * rows[i].chunk);
    }
}

static void
backoff_doubles_up_to_its_maximum_with_half_of_it_by_chance(void **state)
{
    (void)state;
    const struct {
        uint32_t attempt, min, max;
        uint64_t random;
        uint32_t want;
    } rows[] = {
        { 0, 100, 2000, 0, 50 },      // the least: half
        { 0, 100, 2000, 50, 100 },    // the most: whole
        { 0, 100, 2000, 51, 50 },     // the chance goes round
        { 1, 100, 2000, 0, 100 },     // doubled
        { 3, 100, 2000, 0, 400 },     //
        { 5, 100, 2000, 1000, 2000 }, // 3200 is above the maximum
        { 19, 1, UINT32_MAX, 0, 262144 },
        { 20, 100, 2000, 0, 1000 }, // no shift beyond sense
        { UINT32_MAX, 100, 2000, 0, 1000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            fl_policy_backoff_ms(rows[i].attempt, rows[i].min, rows[i].max, rows[i].random),
            rows[i].want);
    }
}

static void
lost_bytes_are_asked_for_after_two_beats_or_a_window_then_doubled(void **state)
{
    (void)state;
    enum { WINDOW = 2 * 64 * 1024 }; // of a slow link
    const struct {
        uint32_t beat, in_vain;
        uint64_t rate;
        fl_time want;
    } rows[] = {
        { 1000, 0, 0, 2000 },              // nothing measured: two beats
        { 1000, 1, 0, 4000 },              // in vain: twice as long
        { 1000, 4, 0, 32000 },             // at most 32 beats
        { 1000, 5, 0, 32000 },             //
        { 1000, UINT32_MAX, 0, 32000 },    // no shift beyond sense
        { 1000, 0, WINDOW, 2000 },         // the window takes a second: two beats are more
        { 200, 0, WINDOW, 1000 },          // now the window is more
        { 200, 1, WINDOW, 2000 },          //
        { 200, 0, WINDOW / 100, 6400 },    // a window of 100 s: at most 32 beats
        { 200, 0, 1, 6400 },               //
        { 1000, 0, UINT64_MAX / 4, 2000 }, // a rate that nobody has
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(fl_policy_patience_ms(rows[i].beat, rows[i].rate, rows[i].in_vain),
                         rows[i].want);
    }
}

static void
the_numbers_of_a_plan_are_its_own(void **state)
{
    (void)state;
    const fl_plan plan = {
        .clip = 0.5f, .bits = 12, .weight_unit = 4, .weight_max = 5, .devices_max = 6
    };
    const fl_element fixed = fl_policy_element(&plan);
    assert_true(fixed.clip == 0.5f && fixed.bits == 12 && fixed.ring_bits == 32);
    assert_true(fixed.wire_bytes == 3 && fixed.weight_unit == 4 && fixed.weight_max == 5);
    assert_int_equal(fixed.devices_max, 6);
}

static void
a_device_weighs_what_the_weighting_says(void **state)
{
    (void)state;
    static const struct {
        uint64_t samples, by_samples;
        uint8_t class;
    } rows[] = { { 0, 0, 0 },    { 1, 1, 0 },     { 10, 1, 0 },         { 11, 2, 1 },
                 { 30, 3, 1 },   { 31, 4, 2 },    { 79, 8, 3 },         { 150, 15, 3 },
                 { 151, 16, 4 }, { 9999, 20, 4 }, { UINT64_MAX, 20, 4 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_plan plan = { .weight_unit = 10, .weight_max = 20 };
        assert_int_equal(fl_policy_weight(rows[i].samples, &plan), rows[i].by_samples);
        assert_int_equal(fl_policy_class(rows[i].samples, &plan), 0);
        assert_int_equal(fl_policy_samples_max(&plan), 200);
        plan.weighting = FL_WEIGHTING_CLASSES;
        assert_int_equal(fl_policy_class(rows[i].samples, &plan), rows[i].class);
        assert_int_equal(fl_policy_weight(rows[i].samples, &plan), 1 << rows[i].class);
        plan.weighting = FL_WEIGHTING_EQUAL;
        plan.weight_max = 1;
        assert_int_equal(fl_policy_weight(rows[i].samples, &plan), 1);
        assert_int_equal(fl_policy_samples_max(&plan), 0);
    }
}

static uint32_t
s_after(uint32_t rounds, const uint32_t *medians)
{
    fl_pace pace = { 0 };
    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t one = medians[i];
        fl_pace_learn(&pace, &one, 1);
    }
    return fl_pace_ms(&pace);
}

static void
without_a_measured_round_there_is_no_pace(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    assert_int_equal(fl_pace_ms(&pace), 0);
    fl_pace_learn(&pace, NULL, 0);
    assert_int_equal(fl_pace_ms(&pace), 0);
}

static void
the_pace_is_the_median_of_the_medians_of_the_last_rounds(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    uint32_t durations[] = { 500, 100, 300, 200, 400 };
    fl_pace_learn(&pace, durations, 5);
    assert_int_equal(fl_pace_ms(&pace), 300);
    const uint32_t medians[] = { 300, 10, 290, 310, 5000 };
    assert_int_equal(s_after(5, medians), 300); // neither the quick round nor the slow one
}

static void
only_the_newest_rounds_are_remembered(void **state)
{
    (void)state;
    uint32_t medians[2 * FL_PACE_ROUNDS];
    for (uint32_t i = 0; i < 2 * FL_PACE_ROUNDS; i++) {
        medians[i] = i < FL_PACE_ROUNDS ? 1000 : 7;
    }
    assert_int_equal(s_after(FL_PACE_ROUNDS, medians), 1000);
    assert_int_equal(s_after(2 * FL_PACE_ROUNDS, medians), 7);
}

static void
a_forgotten_pace_is_measured_anew(void **state)
{
    (void)state;
    fl_pace pace = { 0 };
    uint32_t one = 250;
    fl_pace_learn(&pace, &one, 1);
    fl_pace_forget(&pace);
    assert_int_equal(fl_pace_ms(&pace), 0);
    one = 40;
    fl_pace_learn(&pace, &one, 1);
    assert_int_equal(fl_pace_ms(&pace), 40);
}

static void
who_is_away_for_long_is_not_waited_for_until_more_are_there(void **state)
{
    (void)state;
    fl_awaited awaited = { 0 };
    fl_awaited_see(&awaited, 3);
    assert_false(fl_awaited_round(&awaited, 4, 3, 0)); // always waited for
    awaited = (fl_awaited){ .there = 3 };
    assert_false(fl_awaited_round(&awaited, 4, 3, 2));
    assert_false(fl_awaited_round(&awaited, 4, 4, 2)); // it was back: counted anew
    assert_false(fl_awaited_round(&awaited, 4, 3, 2));
    assert_int_equal(fl_awaited_of(&awaited, 4), 4);
    assert_true(fl_awaited_round(&awaited, 4, 3, 2));
    assert_int_equal(fl_awaited_of(&awaited, 4), 3);
    assert_int_equal(fl_awaited_of(&awaited, 2), 2); // another run wants fewer
    fl_awaited_see(&awaited, 0);                     // a parent of theirs went, and is back
    fl_awaited_see(&awaited, 3);
    assert_int_equal(fl_awaited_of(&awaited, 4), 3);
    fl_awaited_see(&awaited, 4);
    assert_int_equal(fl_awaited_of(&awaited, 4), 4);
    fl_awaited_lower(&awaited, 4, 1); // shut out, and there for a moment longer
    fl_awaited_see(&awaited, 4);
    fl_awaited_see(&awaited, 3);
    assert_int_equal(fl_awaited_of(&awaited, 4), 3);
    fl_awaited_lower(&awaited, 4, 9);
    assert_int_equal(fl_awaited_of(&awaited, 4), 0);
    awaited = (fl_awaited){ 0 };
    fl_awaited_lower(&awaited, 0, 1); // nobody is waited for yet
    assert_int_equal(fl_awaited_of(&awaited, 4), 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_make_sense_together),
        cmocka_unit_test(a_deadline_is_fixed_or_a_factor_of_the_median_within_its_bounds),
        cmocka_unit_test(a_late_update_weighs_less_but_never_nothing),
        cmocka_unit_test(weight_counts_samples_in_units_up_to_its_maximum),
        cmocka_unit_test(chunks_and_windows_grow_with_the_rate_within_their_limits),
        cmocka_unit_test(backoff_doubles_up_to_its_maximum_with_half_of_it_by_chance),
        cmocka_unit_test(a_device_weighs_what_the_weighting_says),
        cmocka_unit_test(the_numbers_of_a_plan_are_its_own),
        cmocka_unit_test(lost_bytes_are_asked_for_after_two_beats_or_a_window_then_doubled),
        cmocka_unit_test(without_a_measured_round_there_is_no_pace),
        cmocka_unit_test(the_pace_is_the_median_of_the_medians_of_the_last_rounds),
        cmocka_unit_test(only_the_newest_rounds_are_remembered),
        cmocka_unit_test(a_forgotten_pace_is_measured_anew),
        cmocka_unit_test(who_is_away_for_long_is_not_waited_for_until_more_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
