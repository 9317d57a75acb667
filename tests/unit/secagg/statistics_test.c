//  What an edge is left with: an upload minus every mask that the edge and its accomplices can
//  derive, whether the upload was counted or came too late, looks like noise whatever is in it; and
//  no keystream is ever used twice. Bounds are for all tests of a thousand rounds together.
#include "tests/support/unit.h"

#include "tests/support/secagg_thief.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

//  A block of four: two honest survivors, one accomplice, one honest member whose upload is late.
enum { MEMBERS = 4, FIRST = 0, SECOND = 1, OWN = 2, LATE = 3 };
enum { ELEMENTS = 1024, WIRE = 3, BYTES = ELEMENTS * WIRE, ROUNDS = 500 };

//  Some 16,000 tests at most: a normal deviate beyond 5.5, 4e-8 on two sides, is one in 1,600
//  runs of them all; the tail of chi-squared is a little heavier.
static const double deviation_max = 5.5, chi_max = 6.5;

static thief bad;

// ---- tests of randomness, each a deviate of mean 0 and deviation 1 -----------------------------
static double
s_chi(const uint8_t *bytes)
{
    double sum = 0, wanted = (double)BYTES / 256;
    uint32_t seen[256] = { 0 };
    for (size_t i = 0; i < BYTES; i++) {
        seen[bytes[i]]++;
    }
    for (int value = 0; value < 256; value++) {
        sum += (seen[value] - wanted) * (seen[value] - wanted) / wanted;
    }
    return (sum - 255) / sqrt(2.0 * 255);
}

//  Ones among the bits.
static double
s_ones(const uint8_t *bytes)
{
    double ones = 0, bits = 8.0 * BYTES;
    for (size_t i = 0; i < BYTES; i++) {
        ones += __builtin_popcount(bytes[i]);
    }
    return (ones - bits / 2) / (sqrt(bits) / 2);
}

//  Changes between neighbouring bits.
static double
s_runs(const uint8_t *bytes)
{
    double changes = 0, pairs = 8.0 * (BYTES - 1);
    for (size_t i = 0; i + 1 < BYTES; i++) {
        unsigned both = bytes[i] | (unsigned)bytes[i + 1] << 8;
        changes += __builtin_popcount((both ^ both >> 1) & 0xff);
    }
    return (changes - pairs / 2) / (sqrt(pairs) / 2);
}

//  Correlation of two rows of bytes.
static double
s_correlation(const uint8_t *one, const uint8_t *other, size_t count)
{
    double sum = 0, variance = (65536.0 - 1) / 12;
    for (size_t i = 0; i < count; i++) {
        sum += (one[i] - 127.5) * (other[i] - 127.5);
    }
    return sum / (variance * sqrt((double)count));
}

//  The worst of all tests of one row.
static double
s_worst(const uint8_t *bytes)
{
    static const size_t lags[] = { 1, 2, WIRE, 4, 8, 64, 64 * WIRE };
    double worst = s_chi(bytes) * deviation_max / chi_max;
    worst = fmax(fabs(worst), fmax(fabs(s_ones(bytes)), fabs(s_runs(bytes))));
    for (size_t i = 0; i < sizeof lags / sizeof *lags; i++) {
        worst = fmax(worst, fabs(s_correlation(bytes, bytes + lags[i], BYTES - lags[i])));
    }
    return worst;
}

// ---- a thousand rounds -------------------------------------------------------------------------
static void
s_fill(masked_world *world, int64_t value)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        masked_member *member = &world->member[i];
        for (uint32_t e = 0; e < ELEMENTS; e++) {
            member->plain[e] = value;
            for (uint32_t b = 0; b < WIRE; b++) {
                member->wire[e * WIRE + b] = (uint8_t)((uint64_t)value >> (8 * b));
            }
        }
    }
}

static void
s_pack(const uint32_t *words, uint8_t *bytes)
{
    for (size_t i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)(words[i / WIRE] >> (8 * (i % WIRE)));
    }
}

//  One round as the protocol wants it, all shares given; what is left of these three.
static void
s_round(masked_world *world, uint64_t round)
{
    static uint32_t words[ELEMENTS], sum[ELEMENTS];
    uint8_t left[BYTES];
    uint64_t all = 0xf, late = 1 << LATE;
    masked_next_round(world, round, false);
    thief_move_in(&bad, world, 1 << OWN);
    thief_wait_for_uploads(&bad);
    thief_tell_survivors(&bad, all, all & ~late, 0);
    thief_tell_acks(&bad, all & ~late, all & ~late);
    assert_int_equal(thief_peel(&bad, LATE, words), 3); // every pair; not its own mask
    s_pack(words, left);
    assert_true(s_worst(left) < deviation_max);
    memset(sum, 0, sizeof sum);
    for (uint32_t i = FIRST; i <= SECOND; i++) {
        assert_int_equal(thief_peel(&bad, i, words), 3); // all but the pair of these two
        s_pack(words, left);
        assert_true(s_worst(left) < deviation_max);
        for (uint32_t e = 0; e < ELEMENTS; e++) {
            sum[e] += words[e];
        }
    }
    s_pack(sum, left);
    assert_true(s_worst(left) > 20 * deviation_max); // the sum is bare, and the tests see it
    const masked_member *member = world->member;
    double cross = s_correlation(member[FIRST].masked, member[SECOND].masked, BYTES);
    assert_true(fabs(cross) < deviation_max);
    cross = s_correlation(member[FIRST].masked, member[LATE].masked, BYTES);
    assert_true(fabs(cross) < deviation_max);
}

static void
what_an_edge_cannot_derive_is_noise(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.elements = ELEMENTS;
    const int64_t most = (int64_t)127 * plan.weight_max;
    masked_world *world = masked_new(&plan, 17);
    for (uint64_t round = 1; round <= 2 * ROUNDS; round++) {
        s_fill(world, round <= ROUNDS ? 0 : most);
        s_round(world, round);
    }
    masked_destroy(&world);
}

// ---- no keystream twice ------------------------------------------------------------------------
enum { LONG = 64, STREAMS_MAX = 64 * 1024 };
typedef struct stream {
    uint64_t lane[2]; // how the keystream begins in the header's lane and in the vector's
    uint64_t round;
    uint32_t member;
    bool subtract;
} stream;
static stream streams[STREAMS_MAX];
static size_t stream_count;
static uint64_t keys[STREAMS_MAX]; // how the factors of the checksum begin
static size_t key_count;

static uint64_t
s_begin(const uint8_t key[FL_MASK_SEED_BYTES], uint32_t lane)
{
    fl_mask_seed seed = { .subtract = false };
    fl_mask_range range = { .ring_bits = 64, .lane = lane, .count = 1 };
    uint64_t word = 0;
    memcpy(seed.key, key, sizeof seed.key);
    fl_mask_apply(&seed, 1, &range, &word);
    return word;
}

static void
s_note_seeds(masked_world *world, uint32_t index, const fl_effect *effect)
{
    for (uint32_t i = 0; i < effect->mask.seed_count; i++) {
        const fl_mask_seed *seed = &effect->mask.seeds[i];
        assert_true(stream_count < STREAMS_MAX && key_count < STREAMS_MAX);
        streams[stream_count++] = (stream){ .lane = { s_begin(seed->key, FL_MASK_LANE_HEADER),
                                                      s_begin(seed->key, FL_MASK_LANE_VECTOR) },
                                            .round = world->task.order.round,
                                            .member = index,
                                            .subtract = seed->subtract };
    }
    keys[key_count++] = s_begin(effect->mask.checksum_key, FL_MASK_LANE_VECTOR);
}

//  Rounds that end well, that lose somebody, that are given up and come again, with a member that
//  starts anew before it masks: the updates stay the same.
static uint32_t
s_long_run(masked_world *world)
{
    uint32_t sums = 0;
    world->seeds_hook = s_note_seeds;
    for (uint64_t round = 1; round <= LONG; round++) {
        for (uint32_t i = 0; i < 5; i++) {
            world->member[i].drop = MASKED_STAYS;
        }
        world->member[round % 5].drop = round % 3 == 0 ? MASKED_BEFORE_UPLOAD : MASKED_STAYS;
        world->member[(round + 1) % 5].drop =
            round % 6 == 0 ? MASKED_BEFORE_UPLOAD : MASKED_STAYS; // two: given up
        masked_next_round(world, round, round % 6 == 1 && round > 1);
        masked_open(world);
        if (round % 5 == 0) {
            masked_restart_member(world, 4);
            masked_begin(world, 4);
            masked_train(world, 4);
        }
        sums += masked_run(world) == FL_WHY_NONE ? 1 : 0;
        masked_lapse(world);
        masked_tell_burnt(world);
    }
    return sums;
}

static int
s_by_word(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one < other ? -1 : one > other ? 1 : 0;
}

static int
s_by_stream(const void *a, const void *b)
{
    const stream *one = a, *other = b;
    return s_by_word(&one->lane[1], &other->lane[1]);
}

static void
no_keystream_is_used_in_two_rounds(void **state)
{
    (void)state;
    static uint64_t words[2 * STREAMS_MAX];
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 18);
    uint32_t sums = s_long_run(world);
    assert_true(sums > 40 && sums < LONG);
    assert_true(stream_count > (size_t)LONG * 20);
    qsort(streams, stream_count, sizeof *streams, s_by_stream);
    size_t distinct = 0, pairs = 0;
    for (size_t i = 0; i < stream_count; distinct++) {
        const stream *one = &streams[i];
        bool pair = i + 1 < stream_count && s_by_stream(one, one + 1) == 0;
        words[2 * distinct] = one->lane[0];
        words[2 * distinct + 1] = one->lane[1];
        if (pair) { // the two of a pair, in one round, and nobody else
            assert_int_equal(one[0].round, one[1].round);
            assert_true(one[0].member != one[1].member && one[0].subtract != one[1].subtract);
            assert_true(i + 2 >= stream_count || s_by_stream(one, one + 2) != 0);
            pairs++;
        }
        i += pair ? 2 : 1;
    }
    assert_true(pairs > (size_t)LONG * 8);
    qsort(words, 2 * distinct, sizeof *words, s_by_word);
    for (size_t i = 1; i < 2 * distinct; i++) {
        assert_true(words[i - 1] != words[i]); // lanes apart, too
    }
    for (size_t i = 0; i < key_count; i++) {
        assert_null(bsearch(&keys[i], words, 2 * distinct, sizeof *words, s_by_word));
    }
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_edge_cannot_derive_is_noise),
        cmocka_unit_test(no_keystream_is_used_in_two_rounds),
    };
    return cmocka_run_group_tests_name("core/masking_statistics", tests, NULL, NULL);
}
