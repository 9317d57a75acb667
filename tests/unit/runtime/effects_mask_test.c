//  Masked rounds on a real workers: masks go on, blocks are folded apart, masks come off, facts are
//  kept. The machine is the test, which waits for each answer.
#include "common/runtime/effects.h"

#include "common/base/rng.h"
#include "common/crypto/hash.h"
#include "tests/support/memory.h"
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/workshop.h"

enum { MEMBERS = 3, ELEMENTS = 140001, SEEDS = MEMBERS };

static fl_plan plan;
static fl_element fixed;
static const fl_combine_rule *rule;

//  One member of a block: what it learnt, and what it masks that with.
typedef struct member {
    fl_blob *plain;
    fl_mask_seed seeds[SEEDS]; // own, then one per other member
    fl_event masked;
} member;

static uint8_t kept[8];
static fl_effect kept_effect;
static bool keep_says;

static bool
s_keep(void *self, const fl_effect *keep)
{
    (void)self;
    kept_effect = *keep;
    assert_int_equal(keep->keep.fact.size, sizeof kept);
    memcpy(kept, keep->keep.fact.data, sizeof kept);
    return keep_says;
}

// ---- a test -----------------------------------------------------------------------------------
static void
open_works(bool durable)
{
    effects = workshop_effects((fl_effects_conf){ .saver.keep = durable ? s_keep : NULL,
                                                  .combine = rule });
    assert_non_null(effects);
}

//  Few devices: 32 bits suffice. Many: 64 are needed.
static void
set_plan(uint32_t devices_max)
{
    fixed = (fl_element){
        .clip = 1.0f, .bits = 16, .weight_unit = 1, .weight_max = 2, .devices_max = devices_max
    };
    assert_int_equal(fl_element_choose(&fixed, &why), FL_OK);
    plan = (fl_plan){ .clip = fixed.clip,
                      .bits = fixed.bits,
                      .weight_unit = 1,
                      .weight_max = 2,
                      .devices_max = devices_max,
                      .masking = { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS } };
}

static int
start(void **state)
{
    if (workshop_open(state, 3) != 0) {
        return -1;
    }
    set_plan(4);
    keep_says = true;
    rule = NULL;
    open_works(true);
    return 0;
}

//  Into a slot, proved; what VERIFY says.
static fl_event
verify(fl_bytes wire, const fl_hash *hash, uint64_t weight)
{
    lease(0, wire.size);
    fl_effect stage = { .kind = FL_FX_STAGE };
    assert_true(fl_effects_obey(effects, &stage, wire));
    fl_effect effect = { .kind = FL_FX_VERIFY };
    effect.verify.hash = *hash;
    effect.verify.weight = weight;
    settle();
    return answer_of(&effect, FL_EV_VERIFIED);
}

static void
fold(uint32_t block)
{
    fl_effect effect = { .kind = FL_FX_FOLD };
    effect.fold.weight = fl_plan_masks(&plan) ? 0 : 2;
    effect.fold.block = block;
    (void)answer_of(&effect, FL_EV_FOLDED);
}

// ---- a block ----------------------------------------------------------------------------------
static uint8_t checksum_key[FL_MASK_SEED_BYTES];

static void
draw(fl_rng *rng, uint8_t key[FL_MASK_SEED_BYTES])
{
    for (int i = 0; i < FL_MASK_SEED_BYTES; i++) {
        key[i] = (uint8_t)fl_rng_below(rng, 256);
    }
}

//  Members with random updates of weight 2, and seeds of which the pairs cancel.
static void
make_block(member *members, uint64_t seed)
{
    fl_rng rng = fl_rng_seeded(seed);
    const uint64_t limit = 2 * (uint64_t)fl_element_limit(&fixed);
    draw(&rng, checksum_key);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i].plain = fl_blob_new((uint64_t)ELEMENTS * fixed.wire_bytes);
        for (uint64_t e = 0; e < ELEMENTS; e++) {
            uint64_t value = fl_rng_below(&rng, 2 * limit + 1) - limit;
            for (unsigned b = 0; b < fixed.wire_bytes; b++) {
                fl_blob_data(members[i].plain)[e * fixed.wire_bytes + b] =
                    (uint8_t)(value >> (8 * b));
            }
        }
        for (uint32_t j = i; j < MEMBERS; j++) {
            fl_mask_seed *mine = &members[i].seeds[j == i ? 0 : j];
            draw(&rng, mine->key);
            mine->subtract = false;
            if (j != i) {
                members[j].seeds[i + 1] = *mine;
                members[j].seeds[i + 1].subtract = true;
            }
        }
    }
}

//  Every other time somebody else has the plain bytes, too, as who stores the sum of an edge.
static fl_event
mask(member *one)
{
    static bool shared;
    shared = !shared;
    fl_blob *plain = shared ? fl_blob_ref(one->plain) : fl_blob_copy(fl_blob_bytes(one->plain));
    fl_effect effect = { .kind = FL_FX_MASK };
    effect.mask.vec = fl_handles_put(handles, &plain);
    effect.mask.elements = ELEMENTS;
    effect.mask.element = fixed;
    effect.mask.seeds = one->seeds;
    effect.mask.seed_count = SEEDS;
    memcpy(effect.mask.checksum_key, checksum_key, sizeof checksum_key);
    one->masked = answer_of(&effect, FL_EV_MASKED);
    fl_handles_drop(handles, effect.mask.vec);
    return one->masked;
}

static fl_bytes
masked_bytes(const member *one)
{
    fl_blob *blob = fl_handles_look(handles, one->masked.masked.vec);
    assert_non_null(blob);
    return fl_blob_bytes(blob);
}

//  Every member masks, and is folded into `block`.
static void
collect(member *members, uint32_t block)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_event event = mask(&members[i]);
        assert_true(verify(masked_bytes(&members[i]), &event.masked.hash, 0).verified.ok);
        fold(block);
    }
}

static fl_effect
unmask_of(const member *members, fl_mask_seed seeds[MEMBERS], uint32_t block)
{
    fl_effect effect = { .kind = FL_FX_UNMASK };
    for (uint32_t i = 0; i < MEMBERS; i++) {
        seeds[i] = members[i].seeds[0];
        seeds[i].subtract = true;
    }
    effect.unmask.block = block;
    effect.unmask.elements = ELEMENTS;
    effect.unmask.element = fixed;
    effect.unmask.seeds = seeds;
    effect.unmask.seed_count = MEMBERS;
    memcpy(effect.unmask.checksum_key, checksum_key, sizeof checksum_key);
    return effect;
}

//  What the plain updates of these blocks sum up to.
static fl_blob *
plain_sum(const member *first, const member *second)
{
    fl_fold *sum = fl_fold_new(&fixed, ELEMENTS);
    for (uint32_t i = 0; i < 2 * MEMBERS; i++) {
        const member *one = i < MEMBERS ? first : second;
        if (one != NULL) {
            fl_fold_add(sum, 0, ELEMENTS, fl_blob_data(one[i % MEMBERS].plain));
        }
    }
    fl_blob *wire = fl_blob_new(fl_fold_wire_bytes(sum));
    assert_true(fl_fold_finish(sum, 0, ELEMENTS, fl_blob_data(wire)));
    fl_fold_destroy(&sum);
    return wire;
}

static void
expect_sum(uint64_t blocks, const member *first, const member *second)
{
    fl_blob *expected = plain_sum(first, second);
    fl_hash hash = fl_hash_of(fl_blob_bytes(expected));
    fl_event event = finish(blocks, true);
    assert_true(fl_hash_equal(&event.finished.hash, &hash));
    fl_blob_unref(&expected);
    fl_handles_drop(handles, event.finished.vec);
}

static void
end_block(member *members)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_blob_unref(&members[i].plain);
    }
}

// ---- masks ------------------------------------------------------------------------------------
static void
masks_go_on_come_off_and_leave_the_plain_sum(void **state)
{
    (void)state;
    static const uint32_t devices[] = { 4, 1000000 };
    for (size_t ring = 0; ring < 2; ring++) {
        member members[MEMBERS];
        fl_mask_seed seeds[MEMBERS];
        set_plan(devices[ring]);
        assert_int_equal(fixed.ring_bits, ring == 0 ? 32 : 64);
        make_block(members, 7 + ring);
        clear(1, ELEMENTS, &plan);
        collect(members, 0);
        uint64_t checksum = 0;
        for (uint32_t i = 0; i < MEMBERS; i++) {
            fl_bytes masked = masked_bytes(&members[i]);
            fl_hash hash = fl_hash_of(masked);
            assert_true(fl_hash_equal(&members[i].masked.masked.hash, &hash));
            assert_int_equal(members[i].masked.masked.bytes, fl_blob_size(members[i].plain));
            assert_memory_not_equal(masked.data, fl_blob_data(members[i].plain), 64);
            uint64_t own = fl_mask_checksum(checksum_key, 0, ELEMENTS, fixed.wire_bytes,
                                            fl_blob_data(members[i].plain));
            assert_true(members[i].masked.masked.checksum == own);
            checksum += own;
        }
        fl_effect unmask = unmask_of(members, seeds, 0);
        fl_event opened = answer_of(&unmask, FL_EV_UNMASKED);
        assert_true(opened.unmasked.checksum == checksum);
        fl_blob *sum = plain_sum(members, NULL);
        assert_true(opened.unmasked.peak == fl_element_peak(&fixed, fl_blob_bytes(sum)));
        assert_true(fl_element_allows(&fixed, 2 * MEMBERS, opened.unmasked.peak));
        expect_sum(1, members, NULL);
        fl_blob_unref(&sum);
        end_block(members);
        fl_effects_destroy(&effects);
        fl_handles_destroy(&handles);
        handles = fl_handles_new();
        open_works(true);
    }
}

static void
a_sum_with_a_mask_left_on_it_is_seen_and_breaks_nothing(void **state)
{
    (void)state;
    member members[MEMBERS];
    fl_mask_seed seeds[MEMBERS];
    make_block(members, 3);
    clear(1, ELEMENTS, &plan);
    collect(members, 0);
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        checksum += members[i].masked.masked.checksum;
    }
    fl_effect unmask = unmask_of(members, seeds, 0);
    unmask.unmask.seed_count = MEMBERS - 1;
    fl_event opened = answer_of(&unmask, FL_EV_UNMASKED);
    assert_true(opened.unmasked.checksum != checksum);
    assert_false(fl_element_allows(&fixed, 2 * MEMBERS, opened.unmasked.peak));
    (void)finish(1, false); // it fits its words, whatever it is
    end_block(members);
}

static void
the_sums_of_chosen_blocks_are_added_up_and_the_others_are_not(void **state)
{
    (void)state;
    member one[MEMBERS], two[MEMBERS], lost[MEMBERS];
    fl_mask_seed seeds[MEMBERS];
    set_plan(2 * MEMBERS);
    make_block(one, 1);
    make_block(two, 2);
    make_block(lost, 3);
    clear(3, ELEMENTS, &plan);
    collect(lost, 0); // never opened
    collect(one, 1);
    fl_effect unmask = unmask_of(one, seeds, 1);
    (void)answer_of(&unmask, FL_EV_UNMASKED);
    collect(two, 2);
    unmask = unmask_of(two, seeds, 2);
    (void)answer_of(&unmask, FL_EV_UNMASKED);
    expect_sum(1 << 1 | 1 << 2, one, two);
    expect_sum(1 << 2, two, NULL);
    expect_sum(1 | 1 << 1, one, two); // what the first holds by then is `two`
    clear(1, ELEMENTS, &plan);
    collect(one, 0); // the same accumulator again, zeroed
    unmask = unmask_of(one, seeds, 0);
    (void)answer_of(&unmask, FL_EV_UNMASKED);
    expect_sum(1, one, NULL);
    end_block(one);
    end_block(two);
    end_block(lost);
}

static void
seeds_are_copied_when_obeyed_and_wiped_when_the_job_has_ended(void **state)
{
    (void)state;
    member members[MEMBERS];
    fl_mask_seed seeds[MEMBERS];
    make_block(members, 5);
    clear(1, ELEMENTS, &plan);
    collect(members, 0);
    for (uint32_t i = 0; i < MEMBERS; i++) { // a key that lies nowhere else
        fl_entropy entropy = fl_entropy_os();
        fl_entropy_fill(&entropy, members[i].seeds[0].key, sizeof members[i].seeds[0].key);
    }
    fl_effect unmask = unmask_of(members, seeds, 0);
    memory_needle needle = memory_mask(seeds[1].key);
    fl_wipe(members[1].seeds, sizeof members[1].seeds);
    obey(&unmask);
    fl_wipe(seeds, sizeof seeds); // the machine's step is over
    settle();
    assert_int_equal(last.kind, FL_EV_UNMASKED);
    assert_false(memory_holds(&needle));
    //  A job that never runs: nobody waits for its answer, and its seeds are gone too.
    unmask = unmask_of(members, seeds, 0);
    needle = memory_mask(seeds[2].key);
    fl_wipe(members[2].seeds, sizeof members[2].seeds);
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, WAIT_MS), FL_OK);
    obey(&unmask);
    assert_true(memory_holds(&needle)); // `seeds` holds it yet
    fl_wipe(seeds, sizeof seeds);
    assert_int_equal(fl_effects_running(effects), 0);
    assert_false(memory_holds(&needle));
    end_block(members);
}

// ---- proofs -----------------------------------------------------------------------------------
static void
of_masked_bytes_the_hash_alone_is_proved(void **state)
{
    (void)state;
    member members[MEMBERS];
    make_block(members, 9);
    clear(1, ELEMENTS, &plan);
    fl_event event = mask(&members[0]);
    fl_bytes masked = masked_bytes(&members[0]);
    assert_true(verify(masked, &event.masked.hash, 0).verified.ok);
    fl_hash wrong = event.masked.hash;
    wrong.bytes[5] ^= 1;
    event = verify(masked, &wrong, 0);
    assert_false(event.verified.ok);
    assert_int_equal(event.verified.reason, FL_WHY_HASH);
    wrong.bytes[5] ^= 1;
    event = verify(masked, &wrong, 2); // nobody has looked at its bound
    assert_int_equal(event.verified.reason, FL_WHY_WEIGHT);
    plan.masking[0] = plan.masking[1] = FL_MASKING_NONE;
    clear(1, ELEMENTS, &plan);
    event = verify(masked, &wrong, 0); // in the clear, nothing goes without a bound
    assert_int_equal(event.verified.reason, FL_WHY_WEIGHT);
    end_block(members);
}

// ---- another rule than the sum ------------------------------------------------------------------
static uint64_t weights;
static int ended, given_up;

//  Of what it sees one by one, the last.
static void
s_last_add(void **mine, fl_fold *sum, const uint8_t *wire, uint64_t weight)
{
    *mine = (void *)(uintptr_t)1;
    weights += weight;
    fl_fold_clear(sum, 0, fl_fold_elements(sum));
    fl_fold_add(sum, 0, fl_fold_elements(sum), wire);
}

static void
s_last_end(void **mine, fl_fold *sum)
{
    ended += sum != NULL && *mine != NULL;
    given_up += sum == NULL && *mine != NULL;
    *mine = NULL;
}

static void
a_rule_sees_each_contribution_and_then_the_accumulator_or_that_the_round_was_given_up(void **state)
{
    (void)state;
    static const fl_combine_rule of_last = { "last", true, s_last_add, s_last_end };
    member members[MEMBERS];
    fl_effects_destroy(&effects);
    rule = &of_last;
    open_works(true);
    plan.masking[0] = plan.masking[1] = FL_MASKING_NONE;
    make_block(members, 10);
    clear(1, ELEMENTS, &plan);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        const fl_hash hash = fl_hash_of(fl_blob_bytes(members[i].plain));
        assert_true(verify(fl_blob_bytes(members[i].plain), &hash, 2).verified.ok);
        fold(0);
    }
    const fl_hash sum = finish(1, false).finished.hash;
    const fl_hash expected = fl_hash_of(fl_blob_bytes(members[MEMBERS - 1].plain));
    assert_true(fl_hash_equal(&sum, &expected));
    assert_true(weights == 2 * MEMBERS && ended == 1 && given_up == 0);
    clear(1, ELEMENTS, &plan);
    fold(0);
    clear(1, ELEMENTS, &plan);
    settle();
    assert_true(ended == 1 && given_up == 1);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_blob_unref(&members[i].plain);
    }
}

// ---- facts ------------------------------------------------------------------------------------
static void
a_fact_is_kept_as_it_was_when_it_was_asked_for(void **state)
{
    (void)state;
    uint8_t fact[sizeof kept] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    fl_effect effect = { .kind = FL_FX_KEEP };
    effect.token = 77;
    effect.keep.what = FL_KEEP_MASKSET;
    effect.keep.round = 12;
    effect.keep.block = 3;
    effect.keep.fact = fl_bytes_of(fact, sizeof fact);
    obey(&effect);
    memset(fact, 0xee, sizeof fact); // the machine's own again
    fl_event event = answer(FL_EV_SAVED);
    assert_int_equal(event.token, 77);
    assert_true(event.saved.ok);
    assert_memory_equal(kept, ((const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }), sizeof kept);
    assert_int_equal(kept_effect.keep.what, FL_KEEP_MASKSET);
    assert_int_equal(kept_effect.keep.round, 12);
    assert_int_equal(kept_effect.keep.block, 3);
    keep_says = false;
    assert_false(answer_of(&effect, FL_EV_SAVED).saved.ok);
    fl_effects_destroy(&effects);
    open_works(false); // one that keeps nothing does not say that it has
    assert_false(answer_of(&effect, FL_EV_SAVED).saved.ok);
}

#define working(test) cmocka_unit_test_setup_teardown(test, start, workshop_close)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        working(masks_go_on_come_off_and_leave_the_plain_sum),
        working(a_sum_with_a_mask_left_on_it_is_seen_and_breaks_nothing),
        working(the_sums_of_chosen_blocks_are_added_up_and_the_others_are_not),
        working(seeds_are_copied_when_obeyed_and_wiped_when_the_job_has_ended),
        working(of_masked_bytes_the_hash_alone_is_proved),
        working(
            a_rule_sees_each_contribution_and_then_the_accumulator_or_that_the_round_was_given_up),
        working(a_fact_is_kept_as_it_was_when_it_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
