#include "common/tensor/kernel.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

enum { COUNT_MAX = 131 };

static void
s_fill(void *to, size_t size, uint64_t seed)
{
    fl_rng rng = fl_rng_seeded(seed);
    uint8_t *bytes = to;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)fl_rng_u64(&rng);
    }
}

//  Exactly `size` bytes on the heap, so that the address sanitizer sees a byte too many.
static void *
s_exactly(size_t size)
{
    void *bytes = malloc(size == 0 ? 1 : size);
    assert_non_null(bytes);
    return bytes;
}

static void
s_adds_alike(const fl_kernel *kernel, size_t count, unsigned wire_bytes)
{
    uint8_t *wire = s_exactly(count * wire_bytes);
    s_fill(wire, count * wire_bytes, count * 31 + wire_bytes);
    if (wire_bytes <= 4) {
        int32_t *truth = s_exactly(count * sizeof *truth);
        int32_t *got = s_exactly(count * sizeof *got);
        s_fill(truth, count * sizeof *truth, count);
        memcpy(got, truth, count * sizeof *got);
        fl_kernel_portable.add32(truth, wire, count, wire_bytes);
        kernel->add32(got, wire, count, wire_bytes);
        assert_memory_equal(got, truth, count * sizeof *got);
        free(truth);
        free(got);
    }
    int64_t *truth = s_exactly(count * sizeof *truth);
    int64_t *got = s_exactly(count * sizeof *got);
    s_fill(truth, count * sizeof *truth, count);
    memcpy(got, truth, count * sizeof *got);
    fl_kernel_portable.add64(truth, wire, count, wire_bytes);
    kernel->add64(got, wire, count, wire_bytes);
    assert_memory_equal(got, truth, count * sizeof *got);
    free(truth);
    free(got);
    free(wire);
}

static void
s_packs_alike(const fl_kernel *kernel, size_t count, unsigned wire_bytes)
{
    size_t size = count * wire_bytes;
    uint8_t *truth = s_exactly(size), *got = s_exactly(size);
    if (wire_bytes <= 4) {
        int32_t *value = s_exactly(count * sizeof *value);
        s_fill(value, count * sizeof *value, count + wire_bytes);
        bool fits = fl_kernel_portable.pack32(truth, value, count, wire_bytes);
        assert_true(kernel->pack32(got, value, count, wire_bytes) == fits);
        assert_memory_equal(got, truth, size);
        free(value);
    }
    int64_t *value = s_exactly(count * sizeof *value);
    s_fill(value, count * sizeof *value, count + wire_bytes);
    bool fits = fl_kernel_portable.pack64(truth, value, count, wire_bytes);
    assert_true(kernel->pack64(got, value, count, wire_bytes) == fits);
    assert_memory_equal(got, truth, size);
    free(value);
    free(truth);
    free(got);
}

static void
every_kernel_adds_and_packs_like_the_portable_one(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        const fl_kernel *kernel = fl_kernel_at(number);
        for (size_t count = 0; kernel != NULL && count <= COUNT_MAX; count++) {
            for (unsigned wire_bytes = 1; wire_bytes <= 8; wire_bytes++) {
                s_adds_alike(kernel, count, wire_bytes);
                s_packs_alike(kernel, count, wire_bytes);
            }
        }
    }
}

//  The portable kernel is the truth for the others, so it is held against plain arithmetic.
static void
a_wire_element_is_a_little_endian_signed_integer(void **state)
{
    (void)state;
    const uint8_t wire[6] = { 0xff, 0xff, 0xff, 0x01, 0x00, 0x80 };
    int32_t sum32[2] = { 10, 10 };
    fl_kernel_portable.add32(sum32, wire, 2, 3);
    assert_int_equal(sum32[0], 9);
    assert_int_equal(sum32[1], 10 + 1 - (1 << 23));
    int64_t sum64[1] = { 0 };
    fl_kernel_portable.add64(sum64, wire, 1, 6);
    assert_true(sum64[0] == 0x01ffffff - ((int64_t)1 << 47));
}

static void
a_sum_wraps_around_the_ring(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        const fl_kernel *kernel = fl_kernel_at(number);
        if (kernel == NULL) {
            continue;
        }
        int32_t sum32 = INT32_MAX;
        int64_t sum64 = INT64_MAX;
        const uint8_t one[8] = { 1 };
        kernel->add32(&sum32, one, 1, 4);
        kernel->add64(&sum64, one, 1, 8);
        assert_true(sum32 == INT32_MIN);
        assert_true(sum64 == INT64_MIN);
    }
}

static void
packing_says_when_a_value_does_not_fit(void **state)
{
    (void)state;
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        const fl_kernel *kernel = fl_kernel_at(number);
        for (unsigned wire_bytes = 1; kernel != NULL && wire_bytes < 8; wire_bytes++) {
            const int64_t half = (int64_t)1 << (8 * wire_bytes - 1);
            uint8_t wire[64 * 8];
            for (size_t place = 0; place < 64; place += 9) {
                int64_t wide[64] = { 0 };
                int32_t small[64] = { 0 };
                const int64_t edge[4] = { half - 1, -half, half, -half - 1 };
                for (int i = 0; i < 4; i++) {
                    wide[place] = edge[i];
                    small[place] = (int32_t)edge[i];
                    assert_true(kernel->pack64(wire, wide, 64, wire_bytes) == (i < 2));
                    assert_true(wire_bytes > 3 ||
                                kernel->pack32(wire, small, 64, wire_bytes) == (i < 2));
                }
            }
        }
    }
}

static fl_grain
s_grain(double limit)
{
    return (fl_grain){ .scale = limit / 0.25, .limit = limit, .clip = 0.25f, .key = { 77, 99 } };
}

static void
every_kernel_quantises_like_the_portable_one(void **state)
{
    (void)state;
    const double limits[] = { 1, 127, 524287, 8388607 };
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        const fl_kernel *kernel = fl_kernel_at(number);
        for (size_t count = 0; kernel != NULL && count <= COUNT_MAX; count++) {
            const fl_grain grain = s_grain(limits[count % 4]);
            float *x = s_exactly(count * sizeof *x);
            int32_t *truth = s_exactly(count * sizeof *truth);
            int32_t *got = s_exactly(count * sizeof *got);
            fl_rng rng = fl_rng_seeded(count);
            for (size_t i = 0; i < count; i++) {
                x[i] = (float)(fl_rng_normal(&rng) * 0.15);
            }
            uint64_t beyond[2] = { 0 };
            uint32_t first = (uint32_t)fl_rng_u64(&rng);
            assert_true(fl_kernel_portable.quantise(truth, x, count, first, &grain, &beyond[0]));
            assert_true(kernel->quantise(got, x, count, first, &grain, &beyond[1]));
            assert_memory_equal(got, truth, count * sizeof *got);
            assert_true(beyond[0] == beyond[1]);
            free(x);
            free(truth);
            free(got);
        }
    }
}

static void
every_kernel_finds_one_nan_or_infinity_anywhere(void **state)
{
    (void)state;
    const float wild[3] = { NAN, INFINITY, -INFINITY };
    const fl_grain grain = s_grain(127);
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        const fl_kernel *kernel = fl_kernel_at(number);
        for (size_t place = 0; kernel != NULL && place < 45; place++) {
            float x[45] = { 0 };
            int32_t whole[45];
            uint64_t clipped = 0;
            assert_true(kernel->quantise(whole, x, 45, 0, &grain, &clipped));
            x[place] = wild[place % 3];
            assert_false(kernel->quantise(whole, x, 45, 0, &grain, &clipped));
        }
    }
}

static void
values_at_and_beyond_the_clip_stay_within_the_limit(void **state)
{
    (void)state;
    const fl_grain grain = s_grain(8388607);
    const float x[8] = { 0.25f, -0.25f, 0.26f, -0.26f, 3e38f, -3e38f, 0.0f, -0.0f };
    for (uint32_t first = 0; first < 2000; first++) {
        int32_t whole[8];
        uint64_t clipped = 0;
        assert_true(fl_kernel_best()->quantise(whole, x, 8, first, &grain, &clipped));
        for (int i = 0; i < 6; i++) {
            assert_int_equal(whole[i], i % 2 == 0 ? 8388607 : -8388607);
        }
        assert_int_equal(whole[6], 0);
        assert_int_equal(whole[7], 0);
        assert_int_equal(clipped, 4);
    }
}

static void
the_best_kernel_is_the_last_that_this_cpu_runs(void **state)
{
    (void)state;
    assert_ptr_equal(fl_kernel_at(FL_KERNEL_PORTABLE), &fl_kernel_portable);
    assert_null(fl_kernel_at(FL_KERNEL_COUNT));
    const fl_kernel *last = NULL;
    for (unsigned number = 0; number < FL_KERNEL_COUNT; number++) {
        last = fl_kernel_at(number) != NULL ? fl_kernel_at(number) : last;
    }
    assert_ptr_equal(fl_kernel_best(), last);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_adds_and_packs_like_the_portable_one),
        cmocka_unit_test(a_wire_element_is_a_little_endian_signed_integer),
        cmocka_unit_test(a_sum_wraps_around_the_ring),
        cmocka_unit_test(packing_says_when_a_value_does_not_fit),
        cmocka_unit_test(every_kernel_quantises_like_the_portable_one),
        cmocka_unit_test(every_kernel_finds_one_nan_or_infinity_anywhere),
        cmocka_unit_test(values_at_and_beyond_the_clip_stay_within_the_limit),
        cmocka_unit_test(the_best_kernel_is_the_last_that_this_cpu_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
