//  The expected shares were made with another program's GF(2^8) (shift and reduce, in Python).
#include "common/crypto/share.h"

#include "tests/support/unit.h"

#include "tests/support/seeded.h"

#include <string.h>

#include "common/base/id.h"
#include "common/base/rng.h"
#include "common/crypto/share_kernel.h"

enum { LANES = FL_SHARE_BYTES };

//  A source that hands out what the test laid ready.
typedef struct ready {
    uint8_t bytes[FL_SHARE_HOLDERS_MAX * FL_SHARE_BYTES];
    size_t asked;
} ready;

static void
s_fill_ready(void *self, void *to, size_t size)
{
    ready *source = self;
    assert_true(size <= sizeof source->bytes);
    memcpy(to, source->bytes, size);
    source->asked += size;
}

static fl_entropy
s_entropy_of(ready *source)
{
    return (fl_entropy){ .self = source, .fill = s_fill_ready };
}

static void
s_secret(uint8_t secret[FL_SHARE_BYTES], unsigned from)
{
    for (unsigned i = 0; i < FL_SHARE_BYTES; i++) {
        secret[i] = (uint8_t)(from + i);
    }
}

//  A random order of the indices below `holders`.
static void
s_shuffle(fl_rng *rng, uint8_t *indices, unsigned holders)
{
    for (unsigned i = 0; i < holders; i++) {
        unsigned j = (unsigned)(fl_rng_u64(rng) % (i + 1));
        indices[i] = indices[j];
        indices[j] = (uint8_t)i;
    }
}

static void
s_assert_bytes(const fl_share *share, const char *hex)
{
    uint8_t wanted[FL_SHARE_BYTES];
    assert_true(fl_unhex(hex, wanted, sizeof wanted));
    assert_memory_equal(share->bytes, wanted, sizeof wanted);
}

static void
known_coefficients_give_known_shares(void **state)
{
    (void)state;
    ready source = { 0 };
    fl_entropy entropy = s_entropy_of(&source);
    uint8_t secret[FL_SHARE_BYTES];
    fl_share shares[FL_SHARE_HOLDERS_MAX];
    s_secret(secret, 3);
    for (unsigned k = 1; k <= 40; k++) {
        for (unsigned i = 0; i < FL_SHARE_BYTES; i++) {
            source.bytes[(k - 1) * FL_SHARE_BYTES + i] = (uint8_t)(k * 31 + i * 7 + 1);
        }
    }
    fl_share_deal(secret, 5, 3, &entropy, shares);
    assert_int_equal(source.asked, 2 * FL_SHARE_BYTES);
    s_assert_bytes(&shares[0], "1c65666760292a2b242deeefe8f132332c35367770797a3b343d3e3ff8c1c2c3");
    s_assert_bytes(&shares[4], "41f562845744d3356eebe558d065f24f44ca5d21f20c9b90cb4e823f75e02c91");
    fl_share_deal(secret, 64, 41, &entropy, shares);
    s_assert_bytes(&shares[63], "1b9caccfea99c60cfb6a71fdd3292bc78a3d92ecd9e3617446aa4171e9d0fb0f");
}

static void
s_any_rebuild(unsigned holders, unsigned threshold, fl_rng *rng)
{
    fl_seeded source = fl_seeded_of(holders * 100 + threshold);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t secret[FL_SHARE_BYTES], got[FL_SHARE_BYTES], indices[FL_SHARE_HOLDERS_MAX];
    fl_share shares[FL_SHARE_HOLDERS_MAX], some[FL_SHARE_HOLDERS_MAX];
    s_secret(secret, threshold);
    fl_share_deal(secret, holders, threshold, &entropy, shares);
    s_shuffle(rng, indices, holders);
    for (unsigned k = 0; k < threshold; k++) {
        some[k] = shares[indices[k]];
    }
    assert_true(fl_share_rebuild(indices, some, threshold, got));
    assert_memory_equal(got, secret, sizeof got);
    if (threshold > 1) {
        assert_true(fl_share_rebuild(indices, some, threshold - 1, got));
        assert_memory_not_equal(got, secret, sizeof got);
    }
}

static void
any_threshold_of_shares_rebuild_and_one_fewer_does_not(void **state)
{
    (void)state;
    fl_rng rng = fl_rng_seeded(11);
    for (unsigned holders = 1; holders <= FL_SHARE_HOLDERS_MAX; holders++) {
        for (unsigned threshold = 1; threshold <= holders; threshold += 1 + holders / 9) {
            s_any_rebuild(holders, threshold, &rng);
        }
    }
    s_any_rebuild(64, 41, &rng);
    s_any_rebuild(64, 64, &rng);
}

static void
every_pair_of_three_rebuilds_in_either_order(void **state)
{
    (void)state;
    fl_seeded source = fl_seeded_of(5);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t secret[FL_SHARE_BYTES], got[FL_SHARE_BYTES];
    fl_share shares[3];
    s_secret(secret, 9);
    fl_share_deal(secret, 3, 2, &entropy, shares);
    for (uint8_t a = 0; a < 3; a++) {
        for (uint8_t b = 0; b < 3; b++) {
            const uint8_t indices[2] = { a, b };
            const fl_share two[2] = { shares[a], shares[b] };
            assert_true(fl_share_rebuild(indices, two, 2, got) == (a != b));
            assert_true((memcmp(got, secret, sizeof got) == 0) == (a != b));
        }
    }
}

//  All 256 coefficients, 32 at a time: whatever the secret, one share takes each value once.
static void
one_share_of_two_says_nothing_about_any_byte(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool seen[3][256] = { { false } };
        uint8_t secret[FL_SHARE_BYTES];
        memset(secret, (int)byte, sizeof secret);
        for (unsigned from = 0; from < 256; from += LANES) {
            ready source = { 0 };
            fl_entropy entropy = s_entropy_of(&source);
            fl_share shares[3];
            s_secret(source.bytes, from);
            fl_share_deal(secret, 3, 2, &entropy, shares);
            for (unsigned i = 0; i < 3 * LANES; i++) {
                bool *place = &seen[i / LANES][shares[i / LANES].bytes[i % LANES]];
                assert_false(*place);
                *place = true;
            }
        }
    }
}

//  All 65,536 pairs of coefficients: two shares of a threshold of three take each pair of values
//  once, so a coalition below the threshold sees the same for every secret.
static void
two_shares_of_three_say_nothing_about_a_byte(void **state)
{
    (void)state;
    const uint8_t bytes[2] = { 0, 0xa7 };
    const unsigned coalition[2][2] = { { 0, 1 }, { 1, 4 } };
    static bool seen[2][256][256];
    for (unsigned s = 0; s < 2; s++) {
        uint8_t secret[FL_SHARE_BYTES];
        memset(secret, bytes[s], sizeof secret);
        memset(seen, 0, sizeof seen);
        for (unsigned pair = 0; pair < 65536; pair += LANES) {
            ready source = { 0 };
            fl_entropy entropy = s_entropy_of(&source);
            fl_share shares[5];
            s_secret(source.bytes, pair & 0xff);
            memset(source.bytes + FL_SHARE_BYTES, (int)(pair >> 8), FL_SHARE_BYTES);
            fl_share_deal(secret, 5, 3, &entropy, shares);
            for (unsigned i = 0; i < 2 * LANES; i++) {
                const unsigned *who = coalition[i / LANES];
                bool *place = &seen[i / LANES][shares[who[0]].bytes[i % LANES]]
                                   [shares[who[1]].bytes[i % LANES]];
                assert_false(*place);
                *place = true;
            }
        }
    }
}

static void
a_holder_twice_or_out_of_range_is_refused_and_nothing_comes_out(void **state)
{
    (void)state;
    static const uint8_t zero[FL_SHARE_BYTES];
    fl_seeded source = fl_seeded_of(5);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t secret[FL_SHARE_BYTES], got[FL_SHARE_BYTES];
    fl_share shares[FL_SHARE_HOLDERS_MAX];
    const uint8_t twice[3] = { 3, 7, 3 }, outside[3] = { 3, 7, 64 }, far[3] = { 255, 7, 1 };
    const uint8_t good[3] = { 0, 1, 2 };
    s_secret(secret, 77);
    fl_share_deal(secret, 64, 3, &entropy, shares);
    memcpy(got, secret, sizeof got);
    assert_false(fl_share_rebuild(twice, shares, 3, got));
    assert_memory_equal(got, zero, sizeof got);
    assert_false(fl_share_rebuild(outside, shares, 3, got));
    assert_false(fl_share_rebuild(far, shares, 3, got));
    assert_true(fl_share_rebuild(good, shares, 3, got));
    assert_memory_equal(got, secret, sizeof got);
}

static void
a_threshold_of_one_needs_no_randomness(void **state)
{
    (void)state;
    ready source = { 0 };
    fl_entropy entropy = s_entropy_of(&source);
    uint8_t secret[FL_SHARE_BYTES];
    fl_share shares[2];
    s_secret(secret, 1);
    fl_share_deal(secret, 2, 1, &entropy, shares);
    assert_int_equal(source.asked, 0);
    assert_memory_equal(shares[0].bytes, secret, sizeof secret);
    assert_memory_equal(shares[1].bytes, secret, sizeof secret);
}

static void
the_shuffles_give_what_the_portable_loop_gives(void **state)
{
    (void)state;
    fl_share_value *fast = fl_share_value_avx2();
    fl_share coefficients[FL_SHARE_HOLDERS_MAX], truth, got;
    fl_rng rng = fl_rng_seeded(3);
    for (size_t i = 0; i < sizeof coefficients; i++) {
        ((uint8_t *)coefficients)[i] = (uint8_t)fl_rng_u64(&rng);
    }
    for (unsigned x = 0; fast != NULL && x < 256; x++) {
        for (unsigned count = 1; count <= FL_SHARE_HOLDERS_MAX; count += 9) {
            fl_share_value_portable(coefficients, count, (uint8_t)x, &truth);
            fast(coefficients, count, (uint8_t)x, &got);
            assert_memory_equal(&got, &truth, sizeof got);
        }
    }
}

static void
s_deal_below_its_threshold(void)
{
    fl_entropy entropy = fl_entropy_os();
    fl_share shares[2];
    fl_share_deal((const uint8_t[FL_SHARE_BYTES]){ 0 }, 2, 3, &entropy, shares);
}

static void
s_deal_to_too_many(void)
{
    fl_entropy entropy = fl_entropy_os();
    static fl_share shares[65];
    fl_share_deal((const uint8_t[FL_SHARE_BYTES]){ 0 }, 65, 3, &entropy, shares);
}

static void
numbers_that_make_no_sense_end_the_process(void **state)
{
    (void)state;
    assert_true(unit_dies(s_deal_below_its_threshold));
    assert_true(unit_dies(s_deal_to_too_many));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_coefficients_give_known_shares),
        cmocka_unit_test(any_threshold_of_shares_rebuild_and_one_fewer_does_not),
        cmocka_unit_test(every_pair_of_three_rebuilds_in_either_order),
        cmocka_unit_test(one_share_of_two_says_nothing_about_any_byte),
        cmocka_unit_test(two_shares_of_three_say_nothing_about_a_byte),
        cmocka_unit_test(a_holder_twice_or_out_of_range_is_refused_and_nothing_comes_out),
        cmocka_unit_test(a_threshold_of_one_needs_no_randomness),
        cmocka_unit_test(the_shuffles_give_what_the_portable_loop_gives),
        cmocka_unit_test(numbers_that_make_no_sense_end_the_process),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
