#include "common/crypto/sign.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <string.h>

static void
a_signature_holds_for_its_key_domain_and_bytes_alone(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(1);
    fl_keys *others = identity_keys(2);
    uint8_t signature[FL_SIGN_BYTES];
    fl_bytes bytes = fl_bytes_of("abc", 3);
    fl_keys_sign(keys, "domain-a", bytes, signature);
    const uint8_t *ed = fl_keys_public(keys)->ed;
    assert_true(fl_sign_holds(ed, "domain-a", bytes, signature));
    assert_false(fl_sign_holds(ed, "domain-b", bytes, signature));
    assert_false(fl_sign_holds(ed, "domain-a", fl_bytes_of("abd", 3), signature));
    assert_false(fl_sign_holds(ed, "domain-a", (fl_bytes){ 0 }, signature));
    assert_false(fl_sign_holds(fl_keys_public(others)->ed, "domain-a", bytes, signature));
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 1;
        assert_false(fl_sign_holds(ed, "domain-a", bytes, signature));
        signature[i] ^= 1;
    }
    fl_keys_destroy(&keys);
    fl_keys_destroy(&others);
}

//  An all-zero public key would take an all-zero signature of anything from a careless verifier.
static void
a_key_of_low_order_signs_nothing(void **state)
{
    (void)state;
    uint8_t key[FL_SIGN_PUBLIC_BYTES] = { 0 }, signature[FL_SIGN_BYTES] = { 0 };
    assert_false(fl_sign_holds(key, "d", fl_bytes_of("abc", 3), signature));
    key[0] = 1; // the neutral element
    signature[0] = 1;
    assert_false(fl_sign_holds(key, "d", fl_bytes_of("abc", 3), signature));
}

//  RFC 8032 section 7.1, test 1: the secret's public half is as published, and signing is
//  deterministic, so that golden files can exist.
static void
a_known_seed_has_its_known_public_key_and_signs_alike(void **state)
{
    (void)state;
    uint8_t secret[FL_SIGN_SECRET_BYTES], one[FL_SIGN_BYTES], two[FL_SIGN_BYTES];
    assert_true(fl_unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
                         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                         secret, sizeof secret));
    fl_sign(secret, "d", fl_bytes_of("abc", 3), one);
    fl_sign(secret, "d", fl_bytes_of("abc", 3), two);
    assert_memory_equal(one, two, sizeof one);
    assert_true(fl_sign_holds(secret + 32, "d", fl_bytes_of("abc", 3), one));
}

int
main(void)
{
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_holds_for_its_key_domain_and_bytes_alone),
        cmocka_unit_test(a_key_of_low_order_signs_nothing),
        cmocka_unit_test(a_known_seed_has_its_known_public_key_and_signs_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
