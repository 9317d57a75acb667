//  A tree of masked blocks against one flat masked block, and against the same sums without masks:
//  four ways to add the same updates of the same survivors, and one vector, byte for byte. And one
//  block whose members have different kernels, as builds for different machines would.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdlib.h>
#include <string.h>

#include "common/tensor/fold.h"

enum { EDGES = 4, EACH = 5, DEVICES = EDGES * EACH, LOST_EDGE = 3, BYTES_MAX = 8 * 5000 };

//  One device of each of the first two edges is lost, and the last edge with all of its own: of 20
//  devices 13 survive, which is what a block of 20 needs; of 4 edges 3, which is what the root
//  does.
static bool
s_lost(uint32_t device)
{
    return device == 1 || device == EACH + 3 || device / EACH == LOST_EDGE;
}

static void
s_lose(masked_world *world, uint32_t index)
{
    world->member[index].drop = MASKED_BEFORE_UPLOAD;
}

static void
s_to_wire(const uint64_t *words, const masked_plan *plan, uint8_t *wire)
{
    for (uint32_t e = 0; e < plan->elements; e++) {
        for (uint32_t b = 0; b < plan->wire_bytes; b++) {
            wire[e * plan->wire_bytes + b] = (uint8_t)(words[e] >> (8 * b));
        }
    }
}

//  The sum of a world that was opened, as wire bytes and header.
static fl_secagg_sums
s_opened(masked_world *world, uint8_t *wire)
{
    fl_secagg_result result;
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    s_to_wire(world->sum, &world->plan, wire);
    result.sums.checksum = 0; // of its own context
    return result.sums;
}

static void
s_give(masked_world *world, uint32_t index, const masked_member *from)
{
    masked_member *member = &world->member[index];
    member->weight = from->weight;
    member->count = from->count;
    memcpy(member->stats, from->stats, sizeof member->stats);
    memcpy(member->plain, from->plain, world->plan.elements * sizeof *member->plain);
    memcpy(member->wire, from->wire, (size_t)world->plan.elements * world->plan.wire_bytes);
}

static fl_secagg_sums
s_flat(masked_world *flat, uint8_t *wire)
{
    for (uint32_t i = 0; i < DEVICES; i++) {
        if (s_lost(i)) {
            s_lose(flat, i);
        }
    }
    masked_open(flat);
    return s_opened(flat, wire);
}

//  What an edge of the tree offers to the root: the opened sum of its block.
static void
s_edge(const masked_world *flat, uint32_t edge, masked_world *root, uint64_t seed)
{
    masked_plan plan = flat->plan;
    plan.members = EACH;
    masked_world *block = masked_new(&plan, seed + 100 + edge);
    for (uint32_t i = 0; i < EACH; i++) {
        s_give(block, i, &flat->member[edge * EACH + i]);
        if (s_lost(edge * EACH + i) && edge != LOST_EDGE) {
            s_lose(block, i);
        }
    }
    masked_open(block);
    masked_member *member = &root->member[edge];
    fl_secagg_sums sums = s_opened(block, member->wire);
    member->weight = sums.weight;
    member->count = sums.count;
    memcpy(member->stats, sums.stats, sizeof sums.stats);
    for (uint32_t e = 0; e < plan.elements; e++) {
        member->plain[e] = (int64_t)block->sum[e];
    }
    masked_destroy(&block);
}

static fl_secagg_sums
s_tree(const masked_world *flat, uint64_t seed, uint8_t *wire)
{
    masked_plan plan = flat->plan;
    plan.members = EDGES;
    plan.hop = 2;
    masked_world *root = masked_new(&plan, seed + 99);
    for (uint32_t edge = 0; edge < EDGES; edge++) {
        s_edge(flat, edge, root, seed);
    }
    s_lose(root, LOST_EDGE);
    masked_open(root);
    fl_secagg_sums sums = s_opened(root, wire);
    masked_destroy(&root);
    return sums;
}

//  The same without masks: one accumulator, or one for each edge and one for them.
static void
s_bare(const masked_world *flat, uint32_t edges, uint8_t *wire)
{
    const fl_plan *order = &flat->task.order.plan;
    const fl_fixed fixed = { .clip = order->clip,
                             .bits = order->bits,
                             .ring_bits = order->ring_bits,
                             .wire_bytes = order->wire_bytes,
                             .weight_unit = order->weight_unit,
                             .weight_max = order->weight_max,
                             .devices_max = order->devices_max };
    const uint64_t elements = flat->plan.elements;
    static uint8_t part[BYTES_MAX];
    fl_fold *root = fl_fold_new(&fixed, elements), *edge = fl_fold_new(&fixed, elements);
    assert_true(root != NULL && edge != NULL);
    for (uint32_t e = 0; e < edges; e++) {
        uint32_t each = DEVICES / edges;
        fl_fold_clear(edge, 0, elements);
        for (uint32_t i = e * each; i < (e + 1) * each; i++) {
            if (!s_lost(i)) {
                fl_fold_add(edge, 0, elements, flat->member[i].wire);
            }
        }
        assert_true(fl_fold_finish(edge, 0, elements, part));
        fl_fold_add(root, 0, elements, part);
    }
    assert_true(fl_fold_finish(root, 0, elements, wire));
    fl_fold_destroy(&root);
    fl_fold_destroy(&edge);
}

static void
s_compare(const masked_plan *plan, uint64_t seed)
{
    static uint8_t wire[4][BYTES_MAX];
    size_t bytes = (size_t)plan->elements * plan->wire_bytes;
    masked_world *flat = masked_new(plan, seed);
    fl_secagg_sums one = s_flat(flat, wire[0]), other = s_tree(flat, seed, wire[1]);
    s_bare(flat, 1, wire[2]);
    s_bare(flat, EDGES, wire[3]);
    for (int way = 1; way < 4; way++) {
        assert_memory_equal(wire[0], wire[way], bytes);
    }
    assert_memory_equal(&one, &other, sizeof one);
    assert_int_equal(one.count, 13);
    masked_destroy(&flat);
}

static void
a_tree_of_blocks_gives_the_flat_sum_with_masks_and_without(void **state)
{
    (void)state;
    static const uint32_t elements[] = { 1, 16, 17, 1000, 5000 };
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        masked_plan plan = masked_plan_small(DEVICES);
        plan.elements = elements[i];
        s_compare(&plan, i + 1);
        plan.bits = 24; // 256 * 2^10 * (2^23 - 1) < 2^47
        plan.ring_bits = 64;
        plan.wire_bytes = 6;
        plan.weight_max = 1024;
        s_compare(&plan, i + 1);
    }
}

static void
a_tree_of_blocks_gives_the_flat_sum_under_the_profile_honest(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(DEVICES);
    plan.profile = FL_MASKING_HONEST;
    plan.elements = 100;
    s_compare(&plan, 9);
}

// ---- kernels ---------------------------------------------------------------------------------
enum { MIXED = 6, MIXED_ELEMENTS = 5000 };

//  A block of six, one lost after masking: member i has kernel (i + turn), the aggregator `turn`.
static void
s_mixed(unsigned turn, bool mixed, uint8_t uploads[MIXED][BYTES_MAX], uint8_t *sum)
{
    masked_plan plan = masked_plan_small(MIXED);
    plan.elements = MIXED_ELEMENTS;
    masked_world *world = masked_new(&plan, 5);
    for (uint32_t i = 0; mixed && i < MIXED; i++) { // NULL, the best, where this machine has none
        world->member[i].kernel = fl_mask_kernel_at((i + turn) % FL_MASK_KERNELS);
    }
    world->kernel = mixed ? fl_mask_kernel_at(turn) : &fl_mask_portable;
    s_lose(world, 4);
    masked_open(world);
    (void)s_opened(world, sum);
    for (uint32_t i = 0; i < MIXED; i++) {
        memcpy(uploads[i], world->member[i].masked, (size_t)MIXED_ELEMENTS * plan.wire_bytes);
    }
    masked_destroy(&world);
}

static void
members_of_one_block_may_have_any_kernels(void **state)
{
    (void)state;
    static uint8_t uploads[MIXED][BYTES_MAX], others[MIXED][BYTES_MAX];
    static uint8_t sum[BYTES_MAX], other[BYTES_MAX];
    s_mixed(0, false, uploads, sum);
    for (unsigned turn = 0; turn < FL_MASK_KERNELS; turn++) {
        memset(others, 0, sizeof others);
        s_mixed(turn, true, others, other);
        assert_memory_equal(sum, other, MIXED_ELEMENTS * 3);
        assert_memory_equal(uploads, others, sizeof others);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_of_blocks_gives_the_flat_sum_with_masks_and_without),
        cmocka_unit_test(a_tree_of_blocks_gives_the_flat_sum_under_the_profile_honest),
        cmocka_unit_test(members_of_one_block_may_have_any_kernels),
    };
    return cmocka_run_group_tests_name("core/masking_tree", tests, NULL, NULL);
}
