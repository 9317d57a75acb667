#include "common/crypto/authority.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/memory.h"

#include <stdlib.h>
#include <string.h>

static void
one_master_secret_gives_the_same_keys_and_all_of_them_differ(void **state)
{
    (void)state;
    fl_authority *again = identity_authority(1);
    const fl_authority_public *a = fl_authority_public_of(identity_ours);
    assert_true(fl_authority_public_equal(a, fl_authority_public_of(again)));
    assert_false(fl_authority_public_equal(a, fl_authority_public_of(identity_theirs)));
    assert_memory_not_equal(a->ed, a->order, sizeof a->ed);
    assert_memory_not_equal(a->ed, a->seal, sizeof a->ed);
    fl_authority_public other = *a;
    other.seal[3] ^= 1;
    assert_false(fl_authority_public_equal(a, &other));
    other = *a;
    other.order[3] ^= 1;
    assert_false(fl_authority_public_equal(a, &other));
    fl_authority_destroy(&again);
    assert_null(again);
    fl_authority_destroy(&again);
}

static void
the_secret_file_gives_back_the_same_authority(void **state)
{
    (void)state;
    fl_authority *back = NULL;
    uint8_t file[FL_AUTHORITY_FILE_BYTES], one[FL_MAC_BYTES], two[FL_MAC_BYTES];
    fl_authority_encode(identity_ours, file);
    assert_int_equal(fl_authority_decode(fl_bytes_of(file, sizeof file), &back, NULL), FL_OK);
    assert_true(fl_authority_public_equal(fl_authority_public_of(identity_ours),
                                          fl_authority_public_of(back)));
    fl_authority_token_mac(identity_ours, "d", fl_bytes_of("abc", 3), one);
    fl_authority_token_mac(back, "d", fl_bytes_of("abc", 3), two);
    assert_memory_equal(one, two, sizeof one);
    fl_authority_token_mac(identity_theirs, "d", fl_bytes_of("abc", 3), two);
    assert_memory_not_equal(one, two, sizeof one);
    fl_authority_destroy(&back);
}

static void
the_public_file_gives_back_the_same_keys(void **state)
{
    (void)state;
    fl_authority_public back;
    uint8_t file[FL_AUTHORITY_PUBLIC_FILE_BYTES];
    fl_authority_public_encode(fl_authority_public_of(identity_ours), file);
    assert_int_equal(fl_authority_public_decode(fl_bytes_of(file, sizeof file), &back, NULL),
                     FL_OK);
    assert_true(fl_authority_public_equal(fl_authority_public_of(identity_ours), &back));
}

static void
a_cut_or_damaged_file_is_refused_with_a_line_to_act_on(void **state)
{
    (void)state;
    fl_authority *back = identity_ours;
    fl_authority_public public_keys;
    fl_why why;
    uint8_t file[FL_AUTHORITY_PUBLIC_FILE_BYTES];
    fl_authority_public_encode(fl_authority_public_of(identity_ours), file);
    for (size_t size = 0; size < sizeof file; size++) {
        assert_int_equal(fl_authority_public_decode(fl_bytes_of(file, size), &public_keys, &why),
                         FL_MALFORMED);
        assert_non_null(strstr(why.text, "authority"));
    }
    assert_int_equal(fl_authority_decode(fl_bytes_of(file, sizeof file), &back, &why),
                     FL_MALFORMED);
    assert_null(back); // the public file is not the secret one
    assert_non_null(strstr(why.text, "FLauth-1"));
    fl_authority_encode(identity_ours, file);
    file[20] ^= 4;
    assert_int_equal(fl_authority_decode(fl_bytes_of(file, FL_AUTHORITY_FILE_BYTES), &back, &why),
                     FL_MALFORMED);
    assert_non_null(strstr(why.text, "damaged"));
}

static void
an_order_holds_for_its_authority_and_its_bytes_alone(void **state)
{
    (void)state;
    uint8_t signature[FL_SIGN_BYTES];
    fl_bytes order = fl_bytes_of("train this", 10);
    fl_order_sign(identity_ours, order, signature);
    assert_true(fl_order_holds(fl_authority_public_of(identity_ours), order, signature));
    assert_false(fl_order_holds(fl_authority_public_of(identity_theirs), order, signature));
    assert_false(fl_order_holds(fl_authority_public_of(identity_ours),
                                fl_bytes_of("train that", 10), signature));
    //  the certificate key signs no order, not even with the order's domain
    fl_authority_sign(identity_ours, "tributary/order/v1", order, signature);
    assert_false(fl_order_holds(fl_authority_public_of(identity_ours), order, signature));
}

static void
what_is_sealed_to_an_authority_only_it_opens(void **state)
{
    (void)state;
    fl_seeded source = fl_seeded_of(5);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t sealed[5 + FL_SEAL_EXTRA_BYTES], again[sizeof sealed], plain[5];
    assert_true(
        fl_seal(fl_authority_public_of(identity_ours), fl_bytes_of("plain", 5), &entropy, sealed));
    assert_true(fl_unseal(identity_ours, fl_bytes_of(sealed, sizeof sealed), plain));
    assert_memory_equal(plain, "plain", 5);
    assert_false(fl_unseal(identity_theirs, fl_bytes_of(sealed, sizeof sealed), plain));
    for (size_t size = 0; size < sizeof sealed; size++) {
        assert_false(fl_unseal(identity_ours, fl_bytes_of(sealed, size), plain));
    }
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_false(fl_unseal(identity_ours, fl_bytes_of(sealed, sizeof sealed), plain));
        sealed[i] ^= 1;
    }
    assert_true(
        fl_seal(fl_authority_public_of(identity_ours), fl_bytes_of("plain", 5), &entropy, again));
    assert_memory_not_equal(sealed, again, sizeof sealed); // a new one-time key
}

static void
nothing_is_sealed_to_a_key_of_low_order(void **state)
{
    (void)state;
    fl_seeded source = fl_seeded_of(5);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_authority_public weak = *fl_authority_public_of(identity_ours);
    uint8_t sealed[5 + FL_SEAL_EXTRA_BYTES];
    memset(weak.seal, 0, sizeof weak.seal);
    assert_false(fl_seal(&weak, fl_bytes_of("plain", 5), &entropy, sealed));
}

static void
the_authority_and_a_node_make_the_same_mac(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(3);
    uint8_t here[FL_MAC_BYTES], there[FL_MAC_BYTES];
    fl_bytes bytes = fl_bytes_of("abc", 3);
    assert_true(fl_authority_mac_with(identity_ours, fl_keys_public(keys)->x, "d", bytes, here));
    assert_true(
        fl_keys_mac_with(keys, fl_authority_public_of(identity_ours)->seal, "d", bytes, there));
    assert_memory_equal(here, there, sizeof here);
    const uint8_t weak[FL_CURVE_BYTES] = { 0 };
    assert_false(fl_authority_mac_with(identity_ours, weak, "d", bytes, here));
    fl_keys_destroy(&keys);
}

static void
no_secret_of_a_destroyed_authority_stays_in_memory(void **state)
{
    (void)state;
    fl_entropy entropy = fl_entropy_os();
    fl_authority *authority = fl_authority_new(&entropy);
    assert_non_null(authority);
    uint8_t file[FL_AUTHORITY_FILE_BYTES];
    fl_authority_encode(authority, file);
    memory_needle master = memory_mask(file + 8);
    fl_wipe(file, sizeof file);
    assert_true(memory_holds(&master)); // the search does find what is there
    fl_authority_destroy(&authority);
    assert_false(memory_holds(&master));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_master_secret_gives_the_same_keys_and_all_of_them_differ),
        cmocka_unit_test(the_secret_file_gives_back_the_same_authority),
        cmocka_unit_test(the_public_file_gives_back_the_same_keys),
        cmocka_unit_test(a_cut_or_damaged_file_is_refused_with_a_line_to_act_on),
        cmocka_unit_test(an_order_holds_for_its_authority_and_its_bytes_alone),
        cmocka_unit_test(what_is_sealed_to_an_authority_only_it_opens),
        cmocka_unit_test(nothing_is_sealed_to_a_key_of_low_order),
        cmocka_unit_test(the_authority_and_a_node_make_the_same_mac),
        cmocka_unit_test(no_secret_of_a_destroyed_authority_stays_in_memory),
    };
    return cmocka_run_group_tests(tests, identity_setup, identity_teardown);
}
