//  Whole blocks against a plaintext oracle: whatever falls silent wherever, the sum is exactly that
//  of the survivors, or the round ends by exactly the name that the counts call for.
//  With a number, so many random cases: unit_core_masking_round_test 10000 [first seed]; with
//  `every`, every schedule of losses in blocks of 6 and 8 too. Both take minutes.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
s_larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

//  How a round must end, from where its members fall silent.
static fl_reason
s_oracle(const masked_world *world)
{
    uint32_t at[MASKED_DROPS] = { 0 };
    const masked_plan *plan = &world->plan;
    for (uint32_t i = 0; i < plan->members; i++) {
        at[world->member[i].drop]++;
    }
    uint32_t n = plan->members - at[MASKED_BEFORE_KEYS];
    uint32_t t = (n + n / 4) / 2 + 1, least = s_larger(s_larger(t, 3), plan->survivors_min);
    if (n < 3 || n < plan->members_min || n < least) {
        return FL_WHY_ROSTER_TOO_SMALL;
    }
    uint32_t have = n - at[MASKED_BEFORE_SHARES];
    if (have < least) {
        return FL_WHY_TOO_FEW_DEALT;
    }
    have -= at[MASKED_BEFORE_READY];
    if (have < least) {
        return FL_WHY_TOO_FEW_READY;
    }
    have -= at[MASKED_BEFORE_UPLOAD];
    if (have < least) {
        return FL_WHY_TOO_FEW_UPLOADS;
    }
    have -= at[MASKED_BEFORE_ACK];
    if (have < t && plan->profile == FL_MASKING_MALICIOUS) {
        return FL_WHY_TOO_FEW_ACKS;
    }
    have -= at[MASKED_BEFORE_UNMASK];
    return have < t ? FL_WHY_TOO_FEW_SHARES : FL_WHY_NONE;
}

//  Run it; the word of the oracle is checked. Answers how it ended.
static fl_reason
s_check(masked_world *world)
{
    masked_open(world);
    fl_reason reason = masked_run(world), want = s_oracle(world);
    if (reason != want) {
        fail_msg("n=%u: ended as %s, not as %s", world->plan.members, fl_reason_name(reason),
                 fl_reason_name(want));
    }
    assert_int_equal(masked_sum_exact(world), reason == FL_WHY_NONE);
    return reason;
}

// ---- every drop in small blocks --------------------------------------------------------------
static void
nobody_is_lost_and_the_sum_is_exact(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 3, 4, 5, 6, 8, 10, 16 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        masked_plan plan = masked_plan_small(sizes[i]);
        masked_world *world = masked_new(&plan, i);
        assert_int_equal(s_check(world), FL_WHY_NONE);
        assert_int_equal(world->unmasks, 1);
        masked_destroy(&world);
    }
}

static void
a_full_block_loses_what_it_may(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(64);
    masked_world *world = masked_new(&plan, 64);
    for (uint32_t i = 0; i < 23; i++) { // m_min is 41
        world->member[(i * 7) % 64].drop = (masked_drop)(MASKED_BEFORE_SHARES + i % 3);
    }
    assert_int_equal(s_check(world), FL_WHY_NONE);
    masked_destroy(&world);
}

//  Every way in which the members of a block fall silent, up to who is who: the steps of the losses
//  do not decrease, and every schedule starts with another member. Answers how many there were.
static uint32_t
s_every_schedule(uint32_t members)
{
    masked_plan plan = masked_plan_small(members);
    plan.elements = 1;
    masked_world *world = masked_new(&plan, members);
    uint32_t step[MASKED_MEMBERS] = { 0 }, round = 1, at = 0;
    while (at < members) {
        for (uint32_t i = 0; i < members; i++) {
            world->member[(i + round) % members].drop = (masked_drop)step[i];
        }
        masked_next_round(world, round++, false);
        (void)s_check(world);
        at = 0; // the next one: raise the first that may be raised, level those before it
        while (at < members && step[at] + 1 == MASKED_DROPS) {
            at++;
        }
        for (uint32_t i = 0, level = at < members ? step[at] + 1 : 0; i <= at && at < members;
             i++) {
            step[i] = level;
        }
    }
    masked_destroy(&world);
    return round - 1;
}

static void
every_schedule_of_losses_ends_as_the_oracle_says(void **state)
{
    (void)state;
    assert_int_equal(s_every_schedule(3), 84); // 7 outcomes of 3 members, in no order
    assert_int_equal(s_every_schedule(4), 210);
    assert_int_equal(s_every_schedule(5), 462);
}

//  All members alike but for one or two who fall silent at any step: by symmetry of the counts this
//  is every number of losses at every step and pair of steps.
static void
every_number_of_losses_at_every_step_ends_as_the_oracle_says(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 6, 8 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        masked_plan plan = masked_plan_small(sizes[s]);
        plan.elements = 2;
        masked_world *world = masked_new(&plan, 100 + s);
        uint64_t round = 1;
        for (int first = MASKED_BEFORE_KEYS; first < MASKED_DROPS; first++) {
            for (int second = first; second < MASKED_DROPS; second++) {
                for (uint32_t lost = 1; lost <= sizes[s]; lost++) {
                    for (uint32_t i = 0; i < sizes[s]; i++) {
                        world->member[(i + lost) % sizes[s]].drop =
                            i >= lost ? MASKED_STAYS : (masked_drop)(i % 2 == 0 ? first : second);
                    }
                    masked_next_round(world, round++, false);
                    (void)s_check(world);
                }
            }
        }
        masked_destroy(&world);
    }
}

static void
exactly_the_quorum_is_enough_and_one_less_is_not(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 5, 6, 9, 12 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint32_t n = sizes[s], t = (n + n / 4) / 2 + 1;
        for (uint32_t beyond = 0; beyond < 2; beyond++) {
            masked_plan plan = masked_plan_small(n);
            masked_world *world = masked_new(&plan, s);
            for (uint32_t i = 0; i < n - t + beyond; i++) {
                world->member[i].drop = MASKED_BEFORE_UPLOAD;
            }
            assert_int_equal(s_check(world), beyond == 0 ? FL_WHY_NONE : FL_WHY_TOO_FEW_UPLOADS);
            masked_destroy(&world);
        }
    }
}

static void
a_floor_of_the_policy_is_kept(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(8);
    plan.survivors_min = 7; // t is 6
    masked_world *world = masked_new(&plan, 1);
    world->member[0].drop = MASKED_BEFORE_UPLOAD;
    assert_int_equal(s_check(world), FL_WHY_NONE);
    masked_next_round(world, 2, false);
    world->member[1].drop = MASKED_BEFORE_UPLOAD;
    assert_int_equal(s_check(world), FL_WHY_TOO_FEW_UPLOADS);
    masked_destroy(&world);
    plan = masked_plan_small(8);
    plan.members_min = 8;
    world = masked_new(&plan, 1);
    world->member[0].drop = MASKED_BEFORE_KEYS;
    assert_int_equal(s_check(world), FL_WHY_ROSTER_TOO_SMALL);
    masked_destroy(&world);
}

static void
edges_are_summed_by_the_root_in_the_same_way(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    plan.hop = 2;
    masked_world *world = masked_new(&plan, 9);
    world->member[2].drop = MASKED_BEFORE_UPLOAD;
    assert_int_equal(s_check(world), FL_WHY_NONE);
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_true(result.sums.count > result.survivors); // devices behind the edges
    masked_destroy(&world);
}

static void
the_profile_honest_leaves_the_signatures_out(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    plan.profile = FL_MASKING_HONEST;
    masked_world *world = masked_new(&plan, 9);
    world->member[2].drop = MASKED_BEFORE_UPLOAD;
    assert_int_equal(s_check(world), FL_WHY_NONE);
    assert_null(world->facts[FL_KEEP_ACKS]);
    masked_destroy(&world);
}

// ---- random cases ----------------------------------------------------------------------------
//  The smallest wire and ring that hold the plan's sums.
static void
s_fit(masked_plan *plan)
{
    uint64_t most = (uint64_t)256 * plan->weight_max * (((uint64_t)1 << (plan->bits - 1)) - 1);
    plan->wire_bytes = 1;
    while (plan->wire_bytes < 8 && most >= (uint64_t)1 << (8 * plan->wire_bytes - 1)) {
        plan->wire_bytes++;
    }
    plan->ring_bits = plan->wire_bytes <= 4 ? 32 : 64;
}

static masked_plan
s_random_plan(fl_rng *rng)
{
    uint64_t scale = fl_rng_below(rng, 200);
    uint64_t members = scale == 0   ? 3 + fl_rng_below(rng, 62)
                       : scale < 10 ? 3 + fl_rng_below(rng, 22)
                                    : 3 + fl_rng_below(rng, 8);
    uint64_t elements =
        fl_rng_below(rng, 20) == 0 ? 1 + fl_rng_below(rng, 5000) : 1 + fl_rng_below(rng, 100);
    masked_plan plan = masked_plan_small((uint32_t)members);
    plan.elements = (uint32_t)elements;
    plan.profile = fl_rng_below(rng, 4) == 0 ? FL_MASKING_HONEST : FL_MASKING_MALICIOUS;
    plan.hop = (uint8_t)(1 + fl_rng_below(rng, 2));
    plan.bits = (uint8_t)(2 + fl_rng_below(rng, 23));
    plan.weight_max = (uint32_t)1 << fl_rng_below(rng, 20);
    plan.survivors_min = (uint8_t)fl_rng_below(rng, 4);
    s_fit(&plan);
    return plan;
}

//  Some fall silent; mostly few.
static void
s_random_drops(fl_rng *rng, masked_world *world)
{
    uint64_t most =
        fl_rng_below(rng, 6) == 0 ? world->plan.members / 2 + 1 : world->plan.members / 4;
    uint64_t lost = fl_rng_below(rng, most + 1);
    for (uint64_t i = 0; i < lost; i++) {
        uint64_t who = fl_rng_below(rng, world->plan.members);
        world->member[who].drop = (masked_drop)(1 + fl_rng_below(rng, MASKED_DROPS - 1));
        if (world->plan.profile == FL_MASKING_HONEST &&
            world->member[who].drop == MASKED_BEFORE_ACK) {
            world->member[who].drop = MASKED_BEFORE_UNMASK; // nobody acknowledges
        }
    }
}

static uint32_t
s_random_cases(uint64_t first, uint32_t cases)
{
    uint32_t complete = 0;
    for (uint64_t seed = first; seed < first + cases; seed++) {
        fl_rng rng = fl_rng_seeded(seed);
        masked_plan plan = s_random_plan(&rng);
        masked_world *world = masked_new(&plan, seed);
        s_random_drops(&rng, world);
        complete += s_check(world) == FL_WHY_NONE ? 1 : 0;
        masked_destroy(&world);
    }
    return complete;
}

static void
random_blocks_end_as_the_oracle_says(void **state)
{
    (void)state;
    uint32_t complete = s_random_cases(1, 120);
    assert_true(complete >= 84);
}

// ---- kernels ----------------------------------------------------------------------------------
//  As builds for different machines would have them.
enum { MIXED = 6, MIXED_ELEMENTS = 5000, WIRE_BYTES = 3 };

//  A block of six, one lost after masking: member i has kernel (i + turn), the aggregator `turn`.
static void
s_mixed(unsigned turn, bool mixed, uint8_t uploads[MIXED][MIXED_ELEMENTS * WIRE_BYTES])
{
    masked_plan plan = masked_plan_small(MIXED);
    plan.elements = MIXED_ELEMENTS;
    masked_world *world = masked_new(&plan, 5);
    for (uint32_t i = 0; mixed && i < MIXED; i++) { // NULL, the best, where this machine has none
        world->member[i].kernel = fl_mask_kernel_at((i + turn) % FL_MASK_KERNELS);
    }
    world->kernel = mixed ? fl_mask_kernel_at(turn) : &fl_mask_portable;
    world->member[4].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    for (uint32_t i = 0; i < MIXED; i++) {
        memcpy(uploads[i], world->member[i].masked, sizeof uploads[i]);
    }
    masked_destroy(&world);
}

static void
members_of_one_block_may_have_any_kernels(void **state)
{
    (void)state;
    static uint8_t uploads[MIXED][MIXED_ELEMENTS * WIRE_BYTES], others[MIXED][sizeof *uploads];
    s_mixed(0, false, uploads);
    for (unsigned turn = 0; turn < FL_MASK_KERNELS; turn++) {
        memset(others, 0, sizeof others);
        s_mixed(turn, true, others);
        assert_memory_equal(uploads, others, sizeof others);
    }
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "every") == 0) {
        (void)printf("%u schedules, all as the oracle says\n",
                     s_every_schedule(6) + s_every_schedule(8));
        return 0;
    }
    if (argc > 1) {
        uint32_t cases = (uint32_t)strtoul(argv[1], NULL, 10);
        uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        uint32_t complete = s_random_cases(first, cases);
        (void)printf("%u of %u cases complete, all as the oracle says\n", complete, cases);
        return 10 * complete >= 7 * cases ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_lost_and_the_sum_is_exact),
        cmocka_unit_test(a_full_block_loses_what_it_may),
        cmocka_unit_test(every_schedule_of_losses_ends_as_the_oracle_says),
        cmocka_unit_test(every_number_of_losses_at_every_step_ends_as_the_oracle_says),
        cmocka_unit_test(exactly_the_quorum_is_enough_and_one_less_is_not),
        cmocka_unit_test(a_floor_of_the_policy_is_kept),
        cmocka_unit_test(edges_are_summed_by_the_root_in_the_same_way),
        cmocka_unit_test(the_profile_honest_leaves_the_signatures_out),
        cmocka_unit_test(random_blocks_end_as_the_oracle_says),
        cmocka_unit_test(members_of_one_block_may_have_any_kernels),
    };
    return cmocka_run_group_tests_name("core/masking_round", tests, NULL, NULL);
}
