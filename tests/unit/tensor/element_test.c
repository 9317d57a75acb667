#include "common/tensor/element.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/tensor/kernel.h"

static fl_element
s_plan(uint8_t bits, uint32_t weight_max, uint32_t devices_max)
{
    fl_element plan = { .clip = 0.5f, .bits = bits, .weight_unit = 32, .weight_max = weight_max,
                      .devices_max = devices_max };
    assert_int_equal(fl_element_choose(&plan, NULL), FL_OK);
    return plan;
}

static void
the_smallest_ring_and_wire_that_can_hold_every_sum_are_chosen(void **state)
{
    (void)state;
    const struct { uint8_t bits; uint32_t weight, devices; uint8_t ring, wire; } rows[] = {
        { 2, 1, 1, 32, 1 },       { 8, 1, 1, 32, 1 },        { 8, 2, 1, 32, 2 },
        { 20, 255, 16, 32, 4 },   { 20, 256, 16, 32, 4 },    { 20, 257, 16, 64, 5 },
        { 24, 1, 1, 32, 3 },      { 24, 256, 1, 32, 4 },     { 24, 255, 100000, 64, 7 },
        { 16, 255, 1, 32, 3 },    { 24, 65536, 16777216, 64, 8 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_element plan = s_plan(rows[i].bits, rows[i].weight, rows[i].devices);
        assert_int_equal(plan.ring_bits, rows[i].ring);
        assert_int_equal(plan.wire_bytes, rows[i].wire);
        assert_int_equal(fl_element_prove(&plan, NULL), FL_OK);
        //  One byte less is refused: the choice was the smallest.
        plan.wire_bytes--;
        assert_int_equal(fl_element_prove(&plan, NULL), FL_RANGE);
    }
}

//  As large as a 32-bit sum has room for, and never so small that it would count nobody in full.
static void
a_largest_weight_that_is_not_given_costs_no_byte(void **state)
{
    (void)state;
    static const struct {
        uint8_t bits;
        uint32_t devices, weight;
        uint8_t wire;
    } rows[] = { { 16, 256, 256, 4 },
                 { 16, 16, 4096, 4 },
                 { 16, 1, 65536, 4 },
                 { 24, 256, 255, 5 },
                 { 2, 1, 1000000, 3 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fl_element plan = {
            .clip = 1, .bits = rows[i].bits, .weight_unit = 64, .devices_max = rows[i].devices
        };
        assert_int_equal(fl_element_choose(&plan, NULL), FL_OK);
        assert_int_equal(plan.weight_max, rows[i].weight);
        assert_int_equal(plan.wire_bytes, rows[i].wire);
    }
    fl_element bad = { .clip = 1 };
    assert_int_equal(fl_element_choose(&bad, NULL), FL_RANGE);
}

static void
sums_that_no_ring_can_hold_are_refused_with_advice(void **state)
{
    (void)state;
    fl_element plan = { .clip = 1, .bits = 24, .weight_unit = 1, .weight_max = UINT32_MAX,
                      .devices_max = UINT32_MAX };
    fl_why why = { "" };
    assert_int_equal(fl_element_choose(&plan, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "lower bits"));
    plan.ring_bits = 64;
    plan.wire_bytes = 8;
    assert_int_equal(fl_element_prove(&plan, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "overflow a 64-bit sum"));
    fl_element narrow = s_plan(20, 256, 16);
    narrow.devices_max = 32;
    assert_int_equal(fl_element_prove(&narrow, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "32"));
}

static void
a_field_out_of_bounds_is_refused_by_name(void **state)
{
    (void)state;
    const fl_element good = s_plan(20, 255, 16);
    fl_element bad[11];
    for (size_t i = 0; i < 11; i++) {
        bad[i] = good;
    }
    bad[0].clip = 0;
    bad[1].clip = -1;
    bad[2].clip = NAN;
    bad[3].clip = INFINITY;
    bad[4].bits = 1;
    bad[5].bits = 25;
    bad[6].weight_unit = 0;
    bad[7].weight_max = 0;
    bad[8].devices_max = 0;
    bad[9].ring_bits = 48;
    bad[10].wire_bytes = 5;
    for (size_t i = 0; i < 11; i++) {
        fl_why why = { "" };
        assert_int_equal(fl_element_prove(&bad[i], &why), FL_RANGE);
        assert_true(strncmp(why.text, "fixed point: ", 13) == 0);
        fl_status chosen = fl_element_choose(&bad[i], &why); // what is its own choice, it mends
        assert_int_equal(chosen, i == 7 || i >= 9 ? FL_OK : FL_RANGE);
    }
}

//  Wire bytes as integers, by plain arithmetic.
static int64_t
s_element(const fl_element *plan, const uint8_t *wire, size_t index)
{
    int64_t value = 0, place = 1;
    for (unsigned b = 0; b < plan->wire_bytes; b++) {
        value += wire[index * plan->wire_bytes + b] * place;
        place = b < 7 ? place * 256 : place;
    }
    return plan->wire_bytes < 8 && value >= place / 2 ? value - place : value;
}

static void
an_encoded_element_is_weight_times_one_of_its_two_neighbours(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    for (uint32_t devices = 1; devices <= 1000000; devices *= 100) {
        const fl_element plan = s_plan(18, 200, devices);
        float values[COUNT];
        fl_rng rng = fl_rng_seeded(devices);
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = (float)(fl_rng_normal(&rng) * 0.2);
        }
        uint8_t wire[COUNT * 8];
        uint64_t clipped = 0, beyond = 0;
        assert_int_equal(fl_element_encode(&plan, 173, 9, 0, COUNT, values, wire, &clipped), FL_OK);
        for (size_t i = 0; i < COUNT; i++) {
            double exact = (double)values[i] * fl_element_scale(&plan);
            exact = fmax(fmin(exact, fl_element_limit(&plan)), -fl_element_limit(&plan));
            int64_t whole = s_element(&plan, wire, i);
            assert_true(whole % 173 == 0);
            assert_true(fabs((double)(whole / 173) - exact) < 1.0);
            beyond += fabsf(values[i]) > plan.clip;
        }
        assert_true(clipped == beyond && beyond > 0);
    }
}

static void
rounding_is_unbiased_over_seeds(void **state)
{
    (void)state;
    enum { COUNT = 64, SEEDS = 4000 };
    const fl_element plan = s_plan(10, 1, 1);
    float values[COUNT];
    double sum[COUNT] = { 0 };
    for (int i = 0; i < COUNT; i++) {
        values[i] = (float)((i - COUNT / 2 + 0.37) / fl_element_scale(&plan) / 3.0);
    }
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint8_t wire[COUNT * 8];
        uint64_t clipped = 0;
        assert_int_equal(fl_element_encode(&plan, 1, seed, 0, COUNT, values, wire, &clipped),
                         FL_OK);
        for (int i = 0; i < COUNT; i++) {
            sum[i] += (double)s_element(&plan, wire, (size_t)i);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        //  The standard deviation of one rounding is at most 1/2: five of the mean's.
        double error = sum[i] / SEEDS - (double)values[i] * fl_element_scale(&plan);
        assert_true(fabs(error) < 5 * 0.5 / sqrt(SEEDS));
    }
}

static void
the_dithers_of_neighbours_do_not_move_together(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    const fl_element plan = s_plan(2, 1, 1);
    float *values = malloc(COUNT * sizeof *values);
    uint8_t *wire = malloc(COUNT), *other = malloc(COUNT);
    assert_true(values != NULL && wire != NULL && other != NULL);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = 0.25f; // half of the only step: a fair coin
    }
    uint64_t clipped = 0;
    assert_int_equal(fl_element_encode(&plan, 1, 1, 0, COUNT, values, wire, &clipped), FL_OK);
    assert_int_equal(fl_element_encode(&plan, 1, 2, 0, COUNT, values, other, &clipped), FL_OK);
    double heads = 0, runs = 0, pairs = 0;
    for (size_t i = 0; i < COUNT; i++) {
        heads += wire[i];
        runs += i > 0 && wire[i] == wire[i - 1];
        pairs += wire[i] == other[i];
    }
    const double five_sigma = 5 * 0.5 * sqrt(COUNT);
    assert_true(fabs(heads - COUNT / 2.0) < five_sigma);
    assert_true(fabs(runs - COUNT / 2.0) < five_sigma);
    assert_true(fabs(pairs - COUNT / 2.0) < five_sigma);
    free(values);
    free(wire);
    free(other);
}

static void
any_split_into_ranges_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    //  Across the border where the dither's key changes as well.
    const uint64_t base = ((uint64_t)1 << 32) - 2100;
    const fl_element plan = s_plan(20, 255, 16);
    float values[COUNT];
    uint8_t whole[COUNT * 4], split[COUNT * 4];
    fl_rng rng = fl_rng_seeded(5);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = (float)(fl_rng_normal(&rng) * 0.3);
    }
    uint64_t clipped = 0;
    assert_int_equal(fl_element_encode(&plan, 255, 42, base, COUNT, values, whole, &clipped),
                     FL_OK);
    for (int trial = 0; trial < 50; trial++) {
        uint64_t clipped_split = 0;
        for (size_t at = 0; at < COUNT;) {
            size_t now = 1 + (size_t)fl_rng_below(&rng, 1700);
            now = now < COUNT - at ? now : COUNT - at;
            assert_int_equal(fl_element_encode(&plan, 255, 42, base + at, now, values + at,
                                             split + 4 * at, &clipped_split), FL_OK);
            at += now;
        }
        assert_memory_equal(whole, split, sizeof whole);
        assert_true(clipped == clipped_split);
    }
    assert_int_equal(fl_element_encode(&plan, 255, 43, base, COUNT, values, split, &clipped),
                     FL_OK);
    assert_memory_not_equal(whole, split, sizeof whole);
}

static void
nan_and_infinity_are_refused(void **state)
{
    (void)state;
    const fl_element plan = s_plan(20, 255, 16);
    float values[1500] = { 0 };
    uint8_t wire[1500 * 4];
    uint64_t clipped = 0;
    const float wild[2] = { NAN, -INFINITY };
    for (size_t place = 0; place < 1500; place += 37) {
        values[place] = wild[place % 2];
        assert_int_equal(fl_element_encode(&plan, 1, 1, 0, 1500, values, wire, &clipped), FL_RANGE);
        values[place] = 0;
    }
    assert_int_equal(fl_element_encode(&plan, 1, 1, 0, 1500, values, wire, &clipped), FL_OK);
}

//  Whole, and in two parts of which the larger counts.
static bool
s_within(const fl_element *plan, uint64_t weight, const uint8_t *wire, size_t size)
{
    const size_t part = size / plan->wire_bytes / 3 * plan->wire_bytes;
    const uint64_t peak = fl_element_peak(plan, fl_bytes_of(wire, size));
    const uint64_t one = fl_element_peak(plan, fl_bytes_of(wire, part));
    const uint64_t other = fl_element_peak(plan, fl_bytes_of(wire + part, size - part));
    assert_int_equal(peak, one > other ? one : other);
    return fl_element_allows(plan, weight, peak);
}

static void
the_peak_is_the_size_of_the_largest_element_on_either_side(void **state)
{
    (void)state;
    for (uint8_t wire_bytes = 1; wire_bytes <= 8; wire_bytes++) {
        const fl_element plan = { .wire_bytes = wire_bytes };
        uint8_t wire[3 * 8] = { 0 };
        const int64_t least = wire_bytes == 8 ? INT64_MIN : -((int64_t)1 << (8 * wire_bytes - 1));
        const int64_t sides[2][3] = { { 5, least, -3 }, { -7, least + 1, -(least + 1) } };
        for (int i = 0; i < 2; i++) {
            assert_true(fl_kernel_portable.pack64(wire, sides[i], 3, wire_bytes));
            assert_int_equal(fl_element_peak(&plan, fl_bytes_of(wire, 3u * wire_bytes)),
                             0 - (uint64_t)least - (uint64_t)i);
        }
        assert_int_equal(fl_element_peak(&plan, fl_bytes_of(NULL, 0)), 0);
    }
}

static void
a_vector_has_the_bytes_of_its_elements_and_a_piece_those_of_its_whole_ones(void **state)
{
    (void)state;
    const fl_element three = { .wire_bytes = 3 };
    assert_int_equal(fl_element_bytes(&three, 0), 0);
    assert_int_equal(fl_element_bytes(&three, (uint64_t)1 << 40), (uint64_t)3 << 40);
    assert_int_equal(fl_element_whole(&three, 2), 0);
    assert_int_equal(fl_element_whole(&three, 11), 9);
    assert_int_equal(fl_element_whole(&three, 12), 12);
}

static void
a_contribution_larger_than_its_weight_allows_is_found(void **state)
{
    (void)state;
    enum { COUNT = 2500 };
    for (uint32_t devices = 1; devices <= 1000000; devices *= 100) {
        const fl_element plan = s_plan(20, 255, devices);
        float values[COUNT];
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = i % 2 == 0 ? plan.clip : -plan.clip;
        }
        uint8_t wire[COUNT * 8];
        uint64_t clipped = 0;
        const size_t size = (size_t)COUNT * plan.wire_bytes;
        assert_int_equal(fl_element_encode(&plan, 7, 1, 0, COUNT, values, wire, &clipped), FL_OK);
        assert_true(s_within(&plan, 7, wire, size));
        assert_false(s_within(&plan, 6, wire, size));
        assert_false(s_within(&plan, UINT64_MAX, wire, size));
        assert_true(fl_element_allows(&plan, 0, 0));
        //  One unit too many in either direction, in the last element.
        int64_t most = (int64_t)7 * fl_element_limit(&plan);
        for (int64_t sign = -1; sign <= 1; sign += 2) {
            for (int64_t extra = 0; extra <= 1; extra++) {
                int64_t value = sign * (most + extra);
                assert_true(fl_kernel_portable.pack64(wire + size - plan.wire_bytes, &value, 1,
                                                      plan.wire_bytes));
                assert_true(s_within(&plan, 7, wire, size) == (extra == 0));
            }
        }
    }
}

static void
s_weight_of_nothing(void)
{
    const fl_element plan = s_plan(20, 255, 16);
    float value = 0;
    uint8_t wire[4];
    uint64_t clipped = 0;
    (void)!fl_element_encode(&plan, 256, 1, 0, 1, &value, wire, &clipped);
}

static void
s_plan_without_proof(void)
{
    fl_element plan = s_plan(20, 255, 16);
    plan.devices_max = 1000;
    float value = 0;
    uint8_t wire[4];
    uint64_t clipped = 0;
    (void)!fl_element_encode(&plan, 1, 1, 0, 1, &value, wire, &clipped);
}

static void
encoding_outside_the_proof_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_weight_of_nothing));
    assert_true(unit_dies(s_plan_without_proof));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_ring_and_wire_that_can_hold_every_sum_are_chosen),
        cmocka_unit_test(a_largest_weight_that_is_not_given_costs_no_byte),
        cmocka_unit_test(sums_that_no_ring_can_hold_are_refused_with_advice),
        cmocka_unit_test(a_field_out_of_bounds_is_refused_by_name),
        cmocka_unit_test(an_encoded_element_is_weight_times_one_of_its_two_neighbours),
        cmocka_unit_test(rounding_is_unbiased_over_seeds),
        cmocka_unit_test(the_dithers_of_neighbours_do_not_move_together),
        cmocka_unit_test(any_split_into_ranges_encodes_to_the_same_bytes),
        cmocka_unit_test(nan_and_infinity_are_refused),
        cmocka_unit_test(the_peak_is_the_size_of_the_largest_element_on_either_side),
        cmocka_unit_test(
            a_vector_has_the_bytes_of_its_elements_and_a_piece_those_of_its_whole_ones),
        cmocka_unit_test(a_contribution_larger_than_its_weight_allows_is_found),
        cmocka_unit_test(encoding_outside_the_proof_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
