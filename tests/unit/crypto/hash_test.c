//  The expected values were made with another BLAKE2b (Python's hashlib).
#include "common/crypto/hash.h"

#include "tests/support/unit.h"

#include <string.h>

static void
s_assert_hash(fl_hash hash, const char *hex)
{
    fl_hash wanted;
    assert_true(fl_unhex(hex, wanted.bytes, sizeof wanted.bytes));
    assert_memory_equal(hash.bytes, wanted.bytes, sizeof wanted.bytes);
}

static void
known_inputs_have_known_hashes(void **state)
{
    (void)state;
    s_assert_hash(fl_hash_of((fl_bytes){ 0 }),
                  "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    s_assert_hash(fl_hash_of(fl_bytes_of("abc", 3)),
                  "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    s_assert_hash(fl_hash_domain("tributary/cert/v1", fl_bytes_of("abc", 3)),
                  "6d9d1db3e1dcb5dacb1d54747ee675c0f2b03813b4e95c5ad978fae7786faa79");
}

static void
pieces_hash_like_the_whole(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i % 251);
    }
    const size_t steps[] = { 1, 127, 128, 129, 4096, sizeof bytes };
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        fl_hasher hasher;
        fl_hasher_init(&hasher);
        for (size_t at = 0; at < sizeof bytes; at += steps[s]) {
            size_t left = sizeof bytes - at;
            fl_hasher_update(&hasher, fl_bytes_of(bytes + at, left < steps[s] ? left : steps[s]));
            fl_hasher_update(&hasher, (fl_bytes){ 0 });
        }
        s_assert_hash(fl_hasher_final(&hasher),
                      "916cfaa800ee55811e82095babeb88ea29c9ef8a36e8d7e20c7b772c344c9e1c");
    }
}

static void
a_finished_state_keeps_nothing_of_what_it_hashed(void **state)
{
    (void)state;
    static const fl_hasher zero;
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    fl_hasher_update(&hasher, fl_bytes_of("secret", 6));
    assert_memory_not_equal(&hasher, &zero, sizeof zero);
    (void)fl_hasher_final(&hasher);
    assert_memory_equal(&hasher, &zero, sizeof zero);
}

static void
domains_never_meet(void **state)
{
    (void)state;
    fl_hash plain = fl_hash_of(fl_bytes_of("abc", 3));
    fl_hash a = fl_hash_domain("a", fl_bytes_of("bc", 2));
    fl_hash ab = fl_hash_domain("ab", fl_bytes_of("c", 1));
    assert_false(fl_hash_equal(&plain, &a));
    assert_false(fl_hash_equal(&a, &ab));
}

static void
known_inputs_have_known_macs(void **state)
{
    (void)state;
    uint8_t key[FL_MAC_KEY_BYTES], mac[32], wanted[32];
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    fl_mac(key, "tributary/ticket/v1", fl_bytes_of("abc", 3), mac, 16);
    assert_true(fl_unhex("07a99f5ef09bbdf050798b91851c8cd6", wanted, 16));
    assert_true(fl_mac_equal(mac, wanted, 16));
    fl_mac(key, "tributary/ticket/v1", fl_bytes_of("abc", 3), mac, 32);
    assert_true(
        fl_unhex("312c794dac906b4b9e5ee7da24f5262e51a4d47717d2506421e3165d36cb5597", wanted, 32));
    assert_true(fl_mac_equal(mac, wanted, 32));
}

static void
a_mac_moves_with_key_domain_and_bytes(void **state)
{
    (void)state;
    uint8_t key[FL_MAC_KEY_BYTES] = { 0 }, mac[32], other[32];
    fl_mac(key, "d", fl_bytes_of("abc", 3), mac, sizeof mac);
    fl_mac(key, "d", fl_bytes_of("abd", 3), other, sizeof other);
    assert_false(fl_mac_equal(mac, other, sizeof mac));
    fl_mac(key, "e", fl_bytes_of("abc", 3), other, sizeof other);
    assert_false(fl_mac_equal(mac, other, sizeof mac));
    key[31] = 1;
    fl_mac(key, "d", fl_bytes_of("abc", 3), other, sizeof other);
    assert_false(fl_mac_equal(mac, other, sizeof mac));
    fl_mac(key, "d", fl_bytes_of("abc", 3), mac, sizeof mac);
    assert_true(fl_mac_equal(mac, other, sizeof mac));
    mac[31] ^= 0x80;
    assert_false(fl_mac_equal(mac, other, sizeof mac));
}

static void
s_no_domain(void)
{
    (void)fl_hash_domain("", (fl_bytes){ 0 });
}

static void
s_long_domain(void)
{
    (void)fl_hash_domain("a-domain-of-more-than-32-characters", (fl_bytes){ 0 });
}

static void
s_short_mac(void)
{
    uint8_t key[FL_MAC_KEY_BYTES] = { 0 }, mac[16];
    fl_mac(key, "d", (fl_bytes){ 0 }, mac, 15);
}

static void
a_domain_or_mac_out_of_bounds_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_no_domain));
    assert_true(unit_dies(s_long_domain));
    assert_true(unit_dies(s_short_mac));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_inputs_have_known_hashes),
        cmocka_unit_test(pieces_hash_like_the_whole),
        cmocka_unit_test(a_finished_state_keeps_nothing_of_what_it_hashed),
        cmocka_unit_test(domains_never_meet),
        cmocka_unit_test(known_inputs_have_known_macs),
        cmocka_unit_test(a_mac_moves_with_key_domain_and_bytes),
        cmocka_unit_test(a_domain_or_mac_out_of_bounds_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
