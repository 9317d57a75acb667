#include "common/crypto/keys.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/memory.h"

#include <stdlib.h>
#include <string.h>

static void
the_same_entropy_makes_the_same_keys(void **state)
{
    (void)state;
    fl_keys *a = identity_keys(1), *b = identity_keys(1), *c = identity_keys(2);
    assert_true(fl_public_keys_equal(fl_keys_public(a), fl_keys_public(b)));
    assert_false(fl_public_keys_equal(fl_keys_public(a), fl_keys_public(c)));
    fl_public_keys other = *fl_keys_public(a);
    other.ed[0] ^= 1;
    assert_false(fl_public_keys_equal(fl_keys_public(a), &other));
    other = *fl_keys_public(a);
    other.x[31] ^= 1;
    assert_false(fl_public_keys_equal(fl_keys_public(a), &other));
    fl_keys_destroy(&a);
    assert_null(a);
    fl_keys_destroy(&a);
    fl_keys_destroy(&b);
    fl_keys_destroy(&c);
}

static void
a_key_file_gives_back_the_same_keys(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3), *back = NULL;
    uint8_t file[FL_KEYS_FILE_BYTES], again[FL_KEYS_FILE_BYTES];
    uint8_t one[FL_CURVE_BYTES], two[FL_CURVE_BYTES];
    fl_keys_encode(keys, file);
    assert_int_equal(fl_keys_decode(fl_bytes_of(file, sizeof file), &back, NULL), FL_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(keys), fl_keys_public(back)));
    fl_keys_curve_secret(keys, one);
    fl_keys_curve_secret(back, two);
    assert_memory_equal(one, two, sizeof one);
    fl_keys_encode(back, again);
    assert_memory_equal(file, again, sizeof file);
    fl_keys_destroy(&keys);
    fl_keys_destroy(&back);
}

//  Every length but the right one, in a block of exactly that length.
static void
a_cut_or_grown_key_file_is_refused_with_a_line_to_act_on(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3), *back = keys;
    uint8_t file[FL_KEYS_FILE_BYTES + 1] = { 0 };
    fl_why why;
    fl_keys_encode(keys, file);
    for (size_t size = 0; size <= sizeof file; size++) {
        if (size == FL_KEYS_FILE_BYTES) {
            continue;
        }
        uint8_t *exact = malloc(size + 1);
        assert_non_null(exact);
        memcpy(exact + 1, file, size);
        assert_int_equal(fl_keys_decode(fl_bytes_of(exact + 1, size), &back, &why), FL_MALFORMED);
        assert_null(back);
        assert_non_null(strstr(why.text, "key file"));
        free(exact);
    }
    fl_keys_destroy(&keys);
}

static void
a_key_file_with_any_bit_flipped_is_refused(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3), *back = NULL;
    uint8_t file[FL_KEYS_FILE_BYTES];
    fl_why why;
    fl_keys_encode(keys, file);
    for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(fl_keys_decode(fl_bytes_of(file, sizeof file), &back, &why), FL_MALFORMED);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    file[50] ^= 1;
    assert_int_equal(fl_keys_decode(fl_bytes_of(file, sizeof file), &back, &why), FL_MALFORMED);
    assert_non_null(strstr(why.text, "damaged"));
    fl_keys_destroy(&keys);
}

static void
only_the_two_ends_make_the_same_mac(void **state)
{
    (void)state;
    fl_keys *a = identity_keys(1), *b = identity_keys(2), *c = identity_keys(3);
    uint8_t ab[FL_MAC_BYTES], ba[FL_MAC_BYTES], cb[FL_MAC_BYTES];
    fl_bytes bytes = fl_bytes_of("abc", 3);
    assert_true(fl_keys_mac_with(a, fl_keys_public(b)->x, "d", bytes, ab));
    assert_true(fl_keys_mac_with(b, fl_keys_public(a)->x, "d", bytes, ba));
    assert_true(fl_keys_mac_with(c, fl_keys_public(b)->x, "d", bytes, cb));
    assert_memory_equal(ab, ba, sizeof ab);
    assert_memory_not_equal(ab, cb, sizeof ab);
    fl_keys_destroy(&a);
    fl_keys_destroy(&b);
    fl_keys_destroy(&c);
}

//  With such a point everybody shares the same secret: RFC 7748 section 6.1.
static void
a_curve_key_of_low_order_makes_no_mac(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(1);
    uint8_t point[FL_CURVE_BYTES] = { 0 }, mac[FL_MAC_BYTES], zero[FL_MAC_BYTES] = { 0 };
    memset(mac, 1, sizeof mac);
    assert_false(fl_keys_mac_with(keys, point, "d", fl_bytes_of("abc", 3), mac));
    assert_memory_equal(mac, zero, sizeof mac);
    point[0] = 1;
    assert_false(fl_keys_mac_with(keys, point, "d", fl_bytes_of("abc", 3), mac));
    fl_keys_destroy(&keys);
}

static void
no_secret_of_a_destroyed_pair_stays_in_memory(void **state)
{
    (void)state;
    fl_entropy entropy = fl_entropy_os();
    fl_keys *keys = fl_keys_new(&entropy);
    assert_non_null(keys);
    uint8_t file[FL_KEYS_FILE_BYTES], mac[FL_MAC_BYTES], signature[FL_SIGN_BYTES];
    fl_keys_encode(keys, file);
    memory_needle seed = memory_mask(file + 8);
    memory_needle curve = memory_mask(file + 40);
    fl_wipe(file, sizeof file);
    fl_keys_sign(keys, "d", fl_bytes_of("abc", 3), signature);
    assert_true(fl_keys_mac_with(keys, fl_keys_public(keys)->x, "d", fl_bytes_of("abc", 3), mac));
    assert_true(memory_holds(&seed)); // the search does find what is there
    assert_true(memory_holds(&curve));
    fl_keys_destroy(&keys);
    assert_false(memory_holds(&seed));
    assert_false(memory_holds(&curve));
}

int
main(void)
{
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_entropy_makes_the_same_keys),
        cmocka_unit_test(a_key_file_gives_back_the_same_keys),
        cmocka_unit_test(a_cut_or_grown_key_file_is_refused_with_a_line_to_act_on),
        cmocka_unit_test(a_key_file_with_any_bit_flipped_is_refused),
        cmocka_unit_test(only_the_two_ends_make_the_same_mac),
        cmocka_unit_test(a_curve_key_of_low_order_makes_no_mac),
        cmocka_unit_test(no_secret_of_a_destroyed_pair_stays_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
