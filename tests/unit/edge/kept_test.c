//  Sums that an edge keeps: for which order one is handed in again, and that it is the same one.
#include "edge/kept.h"

#include "tests/support/unit.h"

#include <string.h>

static fl_order
s_order(void)
{
    return (fl_order){ .run = { { 1 } },
                       .round = 4,
                       .manifest = { { 2 } },
                       .model = { { 3 } },
                       .tensors = { { 4 } },
                       .model_bytes = 64,
                       .elements = 16,
                       .plan = { .weight_unit = 1, .weight_max = 8, .devices_max = 9 } };
}

//  Two devices of it were in.
static uint64_t
s_put(fl_kept *kept, const fl_order *order, uint64_t weight, fl_outbox *out)
{
    static const fl_roll_entry roll[] = { { { "dev-1" }, { "edge" }, FL_OUT_IN, 0, 0, 0 },
                                          { { "dev-2" }, { "edge" }, FL_OUT_IN, 0, 0, 0 } };
    const fl_block_line line = {
        .parent = { "edge" }, .hop = 1, .members = 3, .masked = 3, .survivors = 2
    };
    const fl_result result = { .vec = 77,
                               .hash = { { 9 } },
                               .vector_bytes = 48,
                               .weight = weight,
                               .count = 2,
                               .stats = { 5, 6 },
                               .tally = { .invited = 3, .in = 2 },
                               .roll = roll,
                               .roll_count = 2,
                               .blocks = &line,
                               .block_count = 1 };
    uint64_t token = 0;
    assert_true(fl_kept_put(kept, order, &result, &token, out));
    return token;
}

static void
the_same_sum_is_handed_in_for_the_same_model_and_numbers_alone(void **state)
{
    (void)state;
    fl_outbox *out = fl_outbox_new(8);
    fl_kept *kept = fl_kept_new(NULL, 0);
    const fl_order order = s_order();
    fl_contrib sum;
    assert_false(fl_kept_of(kept, &order, &sum));
    assert_int_not_equal(s_put(kept, &order, 11, out), 0);
    fl_order later = order;
    later.round = 5;
    later.draw = 3;
    later.model.bytes[0]++; // another file, the same tensors
    assert_true(fl_kept_of(kept, &later, &sum));
    assert_int_equal(sum.weight, 11);
    assert_int_equal(sum.count, 2);
    assert_int_equal(sum.stats[1], 6);
    assert_int_equal(sum.tally.in, 2);
    assert_int_equal(sum.roll.size, 2 * FL_ROLL_ENTRY_BYTES);
    assert_int_equal(sum.blocks.size, FL_BLOCK_LINE_BYTES);
    for (int i = 0; i < 8; i++) {
        fl_order other = later;
        uint8_t *const bytes[] = { &other.run.bytes[0], &other.tensors.bytes[0],
                                   &other.manifest.bytes[0], &other.plan.weighting };
        uint32_t *const numbers[] = { &other.plan.weight_unit, &other.plan.weight_max,
                                      &other.plan.devices_max };
        if (i < 4) {
            (*bytes[i])++;
        } else if (i < 7) {
            (*numbers[i - 4])++;
        } else {
            other.elements++;
        }
        assert_false(fl_kept_of(kept, &other, &sum));
    }
    fl_kept_destroy(&kept);
    fl_outbox_destroy(&out);
}

static void
a_sum_comes_back_after_a_restart_and_one_stays_of_each_run(void **state)
{
    (void)state;
    fl_outbox *out = fl_outbox_new(8);
    fl_kept *kept = fl_kept_new(NULL, 0);
    fl_order order = s_order(), other = s_order();
    other.run.bytes[0] = 2;
    (void)s_put(kept, &order, 11, out);
    (void)s_put(kept, &other, 12, out);
    fl_bytes heads[3];
    for (uint32_t i = 0; i < 2; i++) {
        const fl_effect *effect = fl_outbox_at(out, i);
        assert_int_equal(effect->kind, FL_FX_KEEP);
        assert_int_equal(effect->keep.what, FL_KEEP_SUM);
        assert_int_equal(effect->keep.vec, 77);
        assert_memory_equal(effect->keep.fact.data, order.tensors.bytes, sizeof order.tensors);
        heads[i] = effect->keep.fact;
    }
    heads[2] = fl_bytes_of("damaged", 7);
    fl_kept *again = fl_kept_new(heads, 3);
    fl_contrib sum;
    assert_true(fl_kept_of(again, &order, &sum));
    assert_int_equal(sum.weight, 11);
    assert_true(fl_kept_of(again, &other, &sum));
    assert_int_equal(sum.weight, 12);
    other.tensors.bytes[0]++;
    (void)s_put(again, &other, 13, out); // its model moved
    other.tensors.bytes[0]--;
    assert_false(fl_kept_of(again, &other, &sum));
    assert_true(fl_kept_of(again, &order, &sum));
    fl_kept_destroy(&again);
    fl_kept_destroy(&kept);
    fl_outbox_destroy(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_sum_is_handed_in_for_the_same_model_and_numbers_alone),
        cmocka_unit_test(a_sum_comes_back_after_a_restart_and_one_stays_of_each_run),
    };
    return cmocka_run_group_tests_name("edge/kept", tests, NULL, NULL);
}
