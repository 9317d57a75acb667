#include "common/tensor/fold.h"

#include "tests/support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

enum { CHILDREN = 13, ELEMENTS = 1003, WIRE_MAX = 8 };

//  The same contributions for every test, in a plan of every wire width.
typedef struct fixture {
    fl_element plan;
    float values[CHILDREN][ELEMENTS];
    uint8_t wire[CHILDREN][ELEMENTS * WIRE_MAX];
    uint32_t weight[CHILDREN];
    uint64_t total;
    uint8_t flat[ELEMENTS * WIRE_MAX]; // the sum in the order 0, 1, 2, ...
} fixture;

static void
s_add_all(fl_fold *fold, const uint8_t *wire, unsigned wire_bytes, fl_rng *cut)
{
    for (uint64_t at = 0; at < ELEMENTS;) {
        uint64_t now = cut == NULL ? ELEMENTS : 1 + fl_rng_below(cut, 400);
        now = now < ELEMENTS - at ? now : ELEMENTS - at;
        fl_fold_add(fold, at, now, wire + at * wire_bytes);
        at += now;
    }
}

static fl_fold *
s_new(const fixture *fix)
{
    fl_fold *fold = fl_fold_new(&fix->plan, ELEMENTS);
    assert_non_null(fold);
    return fold;
}

static void
s_expect_flat(const fixture *fix, const fl_fold *fold)
{
    uint8_t got[ELEMENTS * WIRE_MAX];
    assert_true(fl_fold_finish(fold, 0, ELEMENTS, got));
    assert_memory_equal(got, fix->flat, (size_t)ELEMENTS * fix->plan.wire_bytes);
}

static fixture *
s_fixture(uint8_t bits, uint32_t devices_max)
{
    fixture *fix = calloc(1, sizeof *fix);
    assert_non_null(fix);
    fix->plan = (fl_element){ .clip = 0.5f, .bits = bits, .weight_unit = 1, .weight_max = 15,
                            .devices_max = devices_max };
    assert_int_equal(fl_element_choose(&fix->plan, NULL), FL_OK);
    fl_rng rng = fl_rng_seeded(bits);
    for (int child = 0; child < CHILDREN; child++) {
        fix->weight[child] = 1 + (uint32_t)fl_rng_below(&rng, 15);
        fix->total += fix->weight[child];
        for (int i = 0; i < ELEMENTS; i++) {
            fix->values[child][i] = (float)(fl_rng_normal(&rng) * 0.2);
        }
        uint64_t clipped = 0;
        assert_int_equal(fl_element_encode(&fix->plan, fix->weight[child], (uint64_t)child, 0,
                                         ELEMENTS, fix->values[child], fix->wire[child],
                                         &clipped), FL_OK);
    }
    fl_fold *fold = s_new(fix);
    for (int child = 0; child < CHILDREN; child++) {
        s_add_all(fold, fix->wire[child], fix->plan.wire_bytes, NULL);
    }
    assert_true(fl_fold_finish(fold, 0, ELEMENTS, fix->flat));
    fl_fold_destroy(&fold);
    assert_null(fold);
    return fix;
}

static fixture *all[6];

static int
s_setup(void **state)
{
    (void)state;
    const struct { uint8_t bits; uint32_t devices; } plans[6] = {
        { 7, 13 }, { 16, 13 }, { 20, 16 }, { 24, 13 }, { 24, 1 << 16 }, { 24, 1 << 30 },
    };
    for (int i = 0; i < 6; i++) {
        all[i] = s_fixture(plans[i].bits, plans[i].devices);
    }
    return 0;
}

static int
s_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        free(all[i]);
    }
    return 0;
}

static void
any_order_and_any_split_give_the_same_bytes(void **state)
{
    (void)state;
    for (int plan = 0; plan < 6; plan++) {
        const fixture *fix = all[plan];
        fl_rng rng = fl_rng_seeded(100 + (uint64_t)plan);
        fl_fold *fold = s_new(fix);
        for (int trial = 0; trial < 50; trial++) {
            int order[CHILDREN];
            for (int i = 0; i < CHILDREN; i++) {
                uint64_t place = fl_rng_below(&rng, (uint64_t)i + 1);
                order[i] = order[place];
                order[place] = i;
            }
            for (int i = 0; i < CHILDREN; i++) {
                s_add_all(fold, fix->wire[order[i]], fix->plan.wire_bytes, &rng);
            }
            s_expect_flat(fix, fold);
            fl_fold_clear(fold, 0, ELEMENTS / 3);
            fl_fold_clear(fold, ELEMENTS / 3, ELEMENTS - ELEMENTS / 3);
        }
        fl_fold_destroy(&fold);
    }
}

//  Children -> edges -> root, the edges' sums as wire bytes or merged in memory.
static void
any_tree_gives_the_same_bytes_as_the_flat_sum(void **state)
{
    (void)state;
    const int widths[3] = { 1, 2, 7 };
    for (int run = 0; run < 6 * 3 * 2; run++) {
        const fixture *fix = all[run / 6];
        const int width = widths[run % 3];
        const bool in_memory = run / 3 % 2 == 0;
        fl_fold *root = s_new(fix);
        for (int edge = 0; edge < width; edge++) {
            fl_fold *fold = s_new(fix);
            for (int child = edge; child < CHILDREN; child += width) {
                s_add_all(fold, fix->wire[child], fix->plan.wire_bytes, NULL);
            }
            if (in_memory) {
                fl_fold_merge(root, fold, 0, 500);
                fl_fold_merge(root, fold, 500, ELEMENTS - 500);
            } else {
                uint8_t wire[ELEMENTS * WIRE_MAX];
                assert_true(fl_fold_finish(fold, 0, 333, wire));
                assert_true(fl_fold_finish(fold, 333, ELEMENTS - 333,
                                           wire + (size_t)333 * fix->plan.wire_bytes));
                s_add_all(root, wire, fix->plan.wire_bytes, NULL);
            }
            fl_fold_destroy(&fold);
        }
        s_expect_flat(fix, root);
        fl_fold_destroy(&root);
    }
}

static void
the_mean_is_the_weighted_mean_of_the_updates(void **state)
{
    (void)state;
    for (int plan = 1; plan < 6; plan++) {
        const fixture *fix = all[plan];
        fl_fold *fold = s_new(fix);
        for (int child = 0; child < CHILDREN; child++) {
            s_add_all(fold, fix->wire[child], fix->plan.wire_bytes, NULL);
        }
        float mean[ELEMENTS], split[ELEMENTS];
        fl_fold_mean(fold, fix->total, 0, ELEMENTS, mean);
        fl_fold_mean(fold, fix->total, 0, 77, split);
        fl_fold_mean(fold, fix->total, 77, ELEMENTS - 77, split + 77);
        assert_memory_equal(mean, split, sizeof mean);
        for (int i = 0; i < ELEMENTS; i++) {
            double expect = 0;
            for (int child = 0; child < CHILDREN; child++) {
                double value = fmax(fmin((double)fix->values[child][i], 0.5), -0.5);
                expect += value * fix->weight[child] / (double)fix->total;
            }
            double step = 1 / fl_element_scale(&fix->plan);
            assert_true(fabs((double)mean[i] - expect) < step + 1e-7);
        }
        fl_fold_destroy(&fold);
    }
}

static void
the_worst_case_of_the_proof_fits_and_one_more_does_not(void **state)
{
    (void)state;
    fl_element plan = { .clip = 1, .bits = 8, .weight_unit = 1, .weight_max = 1, .devices_max = 2 };
    assert_int_equal(fl_element_choose(&plan, NULL), FL_OK);
    plan.devices_max = 256; // 256 * 127 is the most that two bytes can take
    assert_int_equal(fl_element_prove(&plan, NULL), FL_OK);
    const uint8_t most[4] = { 127, 0, 129, 255 }; // 127, -127
    fl_fold *fold = fl_fold_new(&plan, 2);
    assert_non_null(fold);
    for (int i = 0; i < 256; i++) {
        fl_fold_add(fold, 0, 2, most);
    }
    uint8_t wire[4];
    assert_true(fl_fold_finish(fold, 0, 2, wire));
    assert_int_equal(wire[0] | wire[1] << 8, 256 * 127);
    fl_fold_add(fold, 0, 2, most);
    fl_fold_add(fold, 0, 2, most);
    fl_fold_add(fold, 0, 2, most);
    assert_false(fl_fold_finish(fold, 0, 2, wire));
    fl_fold_destroy(&fold);
}

static void
sizes_are_those_of_the_plan(void **state)
{
    (void)state;
    fl_fold *fold = s_new(all[2]);
    assert_int_equal(fl_fold_elements(fold), ELEMENTS);
    assert_int_equal(fl_fold_wire_bytes(fold), ELEMENTS * 4);
    fl_fold_destroy(&fold);
    fl_fold_destroy(&fold);
}

static void
the_words_of_a_range_are_those_that_are_summed_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        const fixture *fix = all[i];
        fl_fold *fold = s_new(fix);
        for (int child = 0; child < CHILDREN; child++) {
            s_add_all(fold, fix->wire[child], fix->plan.wire_bytes, NULL);
        }
        for (uint64_t at = 0; at < ELEMENTS; at += 500) { // one more in some of them ...
            void *word = fl_fold_words(fold, at, 1);
            if (fix->plan.ring_bits == 32) {
                ++*(int32_t *)word;
            } else {
                ++*(int64_t *)word;
            }
        }
        uint8_t got[ELEMENTS * WIRE_MAX];
        assert_true(fl_fold_finish(fold, 0, ELEMENTS, got));
        for (uint64_t at = 0; at < ELEMENTS; at++) { // ... is seen there and nowhere else
            size_t byte = at * fix->plan.wire_bytes;
            assert_int_equal((uint8_t)(got[byte] - fix->flat[byte]), at % 500 == 0);
        }
        fl_fold_destroy(&fold);
    }
}

static void
s_words_beyond_the_end(void)
{
    (void)fl_fold_words(s_new(all[0]), ELEMENTS - 1, 2);
}

static void
s_add_beyond_the_end(void)
{
    fl_fold *fold = s_new(all[0]);
    fl_fold_add(fold, 1, ELEMENTS, all[0]->wire[0]);
}

static void
s_mean_of_no_weight(void)
{
    float mean = 0;
    fl_fold_mean(s_new(all[0]), 0, 0, 1, &mean);
}

static void
a_range_beyond_the_end_is_our_mistake(void **state)
{
    (void)state;
    assert_true(unit_dies(s_add_beyond_the_end));
    assert_true(unit_dies(s_words_beyond_the_end));
    assert_true(unit_dies(s_mean_of_no_weight));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_and_any_split_give_the_same_bytes),
        cmocka_unit_test(any_tree_gives_the_same_bytes_as_the_flat_sum),
        cmocka_unit_test(the_mean_is_the_weighted_mean_of_the_updates),
        cmocka_unit_test(the_worst_case_of_the_proof_fits_and_one_more_does_not),
        cmocka_unit_test(sizes_are_those_of_the_plan),
        cmocka_unit_test(the_words_of_a_range_are_those_that_are_summed_up),
        cmocka_unit_test(a_range_beyond_the_end_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, s_setup, s_teardown);
}
