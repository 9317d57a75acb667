#include "common/crypto/enrol.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <stdlib.h>
#include <string.h>

//  Offsets in an opened request.
enum { KIND = 1, ROLE = 2, NAME = 3, ED = 19, X = 51, NONCE = 83, LEAVE_SIZE = 99, LEAVE = 101 };

static fl_keys *keys, *other_keys;
static fl_token token;
static uint8_t certificate[FL_CERT_BYTES]; // of `keys`: device dev-1, serial 9

static int
s_set_up(void **state)
{
    if (identity_setup(state) != 0) {
        return -1;
    }
    keys = identity_keys(3);
    other_keys = identity_keys(4);
    token = identity_token(identity_ours);
    (void)identity_cert(identity_ours, keys, FL_ROLE_DEVICE, "dev-1", 9, certificate);
    return 0;
}

static uint64_t grace_s;

static int
s_tear_down(void **state)
{
    fl_keys_destroy(&keys);
    fl_keys_destroy(&other_keys);
    return identity_teardown(state);
}

static fl_trust
s_open_at(const fl_sealed *sealed, uint64_t now, const fl_deny_list *denied,
          fl_enrol_request *request)
{
    const fl_enrol_time time = { .now = now, .grace_s = grace_s };
    return fl_enrol_open(identity_ours, fl_bytes_of(sealed->bytes, sealed->size), &time, denied,
                         request);
}

static fl_trust
s_open(const fl_sealed *sealed)
{
    fl_enrol_request request;
    return s_open_at(sealed, IDENTITY_NOW, NULL, &request);
}

static fl_sealed
s_renew(const fl_keys *fresh, const fl_keys *old_keys, const uint8_t old[FL_CERT_BYTES])
{
    fl_seeded source = fl_seeded_of(89);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_sealed sealed;
    assert_true(fl_enrol_renew(fresh, old_keys, fl_bytes_of(old, FL_CERT_BYTES),
                               fl_authority_public_of(identity_ours), &entropy, &sealed));
    return sealed;
}

//  The plain bytes of a request; how many.
static size_t
s_unseal(const fl_sealed *sealed, uint8_t *plain)
{
    assert_true(fl_unseal(identity_ours, fl_bytes_of(sealed->bytes, sealed->size), plain));
    return sealed->size - FL_SEAL_EXTRA_BYTES;
}

static fl_sealed
s_seal(const uint8_t *plain, size_t size)
{
    fl_seeded source = fl_seeded_of(90);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_sealed sealed = { .size = size + FL_SEAL_EXTRA_BYTES };
    assert_true(sealed.size <= sizeof sealed.bytes);
    assert_true(fl_seal(fl_authority_public_of(identity_ours), fl_bytes_of(plain, size), &entropy,
                        sealed.bytes));
    return sealed;
}

//  Make proof and signatures anew over changed bytes: what a sender that holds the keys could send.
static fl_sealed
s_sign_and_seal(uint8_t *plain, size_t size, const fl_keys *fresh, const fl_keys *old_keys)
{
    size_t end = size - (old_keys != NULL ? FL_SIGN_BYTES : 0);
    size_t proof = end - FL_SIGN_BYTES - FL_MAC_BYTES;
    assert_true(fl_keys_mac_with(fresh, fl_authority_public_of(identity_ours)->seal,
                                 "tributary/proof/v1", fl_bytes_of(plain, proof), plain + proof));
    fl_keys_sign(fresh, "tributary/request/v1", fl_bytes_of(plain, end - FL_SIGN_BYTES),
                 plain + end - FL_SIGN_BYTES);
    if (old_keys != NULL) {
        fl_keys_sign(old_keys, "tributary/renew/v1", fl_bytes_of(plain, end), plain + end);
    }
    return s_seal(plain, size);
}

// ---- joining ----------------------------------------------------------------------------------
static void
a_join_request_says_who_asks_for_what_with_which_token(void **state)
{
    (void)state;
    fl_sealed sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    fl_enrol_request request;
    assert_true(sealed.size <= FL_SEALED_BYTES_MAX);
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, NULL, &request), FL_TRUST_OK);
    assert_int_equal(request.kind, FL_REQUEST_JOIN);
    assert_int_equal(request.role, FL_ROLE_DEVICE);
    assert_string_equal(request.node.name, "dev-1");
    assert_true(fl_public_keys_equal(&request.keys, fl_keys_public(keys)));
    assert_memory_equal(request.token.id, token.id, sizeof token.id);
    assert_int_equal(request.token.count, token.count);
    assert_true(request.old.serial == 0);
}

static void
what_the_token_does_not_allow_is_refused_by_its_reason(void **state)
{
    (void)state;
    fl_enrol_request request;
    fl_sealed sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(s_open_at(&sealed, token.not_after, NULL, &request), FL_TRUST_OK);
    assert_int_equal(s_open_at(&sealed, token.not_after + 1, NULL, &request), FL_TRUST_EXPIRED);
    assert_string_equal(request.node.name, "dev-1"); // a refusal can name the node
    sealed = identity_join(keys, &token, FL_ROLE_EDGE, "dev-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_ROLE);
    sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "edge-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_NAME);
    fl_token forged = token;
    forged.count = 1000;
    sealed = identity_join(keys, &forged, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_TOKEN);
    forged = token;
    forged.mac[31] ^= 1;
    sealed = identity_join(keys, &forged, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_TOKEN);
}

static void
a_request_to_another_authority_cannot_be_opened(void **state)
{
    (void)state;
    fl_token foreign = identity_token(identity_theirs);
    fl_sealed sealed = identity_join(keys, &foreign, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_SEAL);
    foreign.authority = *fl_authority_public_of(identity_ours); // their token, sealed to us
    sealed = identity_join(keys, &foreign, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(s_open(&sealed), FL_TRUST_TOKEN);
}

static void
nothing_is_asked_of_an_authority_without_a_usable_key(void **state)
{
    (void)state;
    fl_seeded source = fl_seeded_of(88);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_name node = identity_node("dev-1");
    fl_token weak = token;
    fl_sealed sealed;
    memset(weak.authority.seal, 0, sizeof weak.authority.seal);
    assert_false(fl_enrol_join(keys, &weak, FL_ROLE_DEVICE, &node, &entropy, &sealed));
    assert_int_equal(sealed.size, 0);
}

static void
the_sealed_bytes_give_nothing_away_and_cannot_be_changed(void **state)
{
    (void)state;
    fl_sealed sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    for (size_t i = 0; i + 5 <= sealed.size; i++) {
        assert_memory_not_equal(sealed.bytes + i, "dev-1", 5);
    }
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.bytes[i] ^= 0x10;
        assert_int_equal(s_open(&sealed), FL_TRUST_SEAL);
        sealed.bytes[i] ^= 0x10;
    }
    for (size_t size = 0; size < sealed.size; size++) {
        fl_sealed cut = sealed;
        cut.size = size;
        assert_int_equal(s_open(&cut), FL_TRUST_SEAL);
    }
    uint8_t large[FL_SEALED_BYTES_MAX + 1] = { 0 };
    fl_enrol_request request;
    assert_int_equal(fl_enrol_open(identity_ours, fl_bytes_of(large, sizeof large),
                                   &(fl_enrol_time){ .now = IDENTITY_NOW }, NULL, &request),
                     FL_TRUST_SEAL);
}

//  Whoever seals can be anybody: what is inside must prove itself.
static void
every_byte_of_an_opened_request_is_covered(void **state)
{
    (void)state;
    uint8_t plain[FL_SEALED_BYTES_MAX];
    fl_sealed joins = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    fl_sealed renews = s_renew(other_keys, keys, certificate);
    const fl_sealed *both[] = { &joins, &renews };
    for (size_t r = 0; r < 2; r++) {
        size_t size = s_unseal(both[r], plain);
        for (size_t i = 0; i < size; i++) {
            plain[i] ^= 1;
            fl_sealed changed = s_seal(plain, size);
            plain[i] ^= 1;
            fl_trust trust = s_open(&changed);
            assert_true(trust == FL_TRUST_MALFORMED || trust == FL_TRUST_VERSION ||
                        trust == FL_TRUST_KEY || trust == FL_TRUST_SIGNATURE);
        }
        for (size_t cut = 0; cut < size; cut++) {
            fl_sealed changed = s_seal(plain, cut);
            assert_int_equal(s_open(&changed), FL_TRUST_MALFORMED);
        }
        plain[size] = 0;
        fl_sealed grown = s_seal(plain, size + 1);
        assert_int_equal(s_open(&grown), FL_TRUST_MALFORMED);
    }
}

static void
a_field_out_of_range_is_malformed_even_when_signed(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
        fl_trust wanted;
    } rows[] = {
        { 0, 2, FL_TRUST_VERSION },
        { KIND, 0, FL_TRUST_MALFORMED },
        { KIND, FL_REQUEST_RENEW, FL_TRUST_MALFORMED }, // its last signature is missing
        { KIND, 3, FL_TRUST_MALFORMED },
        { ROLE, FL_ROLE_NONE, FL_TRUST_MALFORMED },
        { ROLE, FL_ROLE_OPERATOR + 1, FL_TRUST_MALFORMED },
        { NAME, 'D', FL_TRUST_MALFORMED },
        { NAME + 15, 'x', FL_TRUST_MALFORMED },
        { LEAVE_SIZE + 1, 0xff, FL_TRUST_MALFORMED }, // longer than all there is
        { LEAVE, 2, FL_TRUST_VERSION },               // of the token
        { LEAVE + 1, FL_ROLE_ROOT, FL_TRUST_MALFORMED },
    };
    uint8_t plain[FL_SEALED_BYTES_MAX];
    fl_sealed good = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = s_unseal(&good, plain);
        assert_int_not_equal(plain[rows[i].offset], rows[i].value);
        plain[rows[i].offset] = rows[i].value;
        fl_sealed changed = s_sign_and_seal(plain, size, keys, NULL);
        if (s_open(&changed) != rows[i].wanted) {
            fail_msg("row %zu: %s", i, fl_trust_name(s_open(&changed)));
        }
    }
}

//  Somebody with a token who names another node's keys as its own.
static void
keys_that_the_sender_does_not_hold_are_refused(void **state)
{
    (void)state;
    uint8_t plain[FL_SEALED_BYTES_MAX];
    fl_enrol_request request;
    fl_sealed good = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    size_t size = s_unseal(&good, plain);
    memcpy(plain + X, fl_keys_public(other_keys)->x, FL_CURVE_BYTES);
    fl_sealed copied = s_sign_and_seal(plain, size, keys, NULL);
    assert_int_equal(s_open_at(&copied, IDENTITY_NOW, NULL, &request), FL_TRUST_KEY);
    assert_true(request.role == FL_ROLE_NONE); // nothing was proved
    size = s_unseal(&good, plain);
    memcpy(plain + ED, fl_keys_public(other_keys)->ed, FL_SIGN_PUBLIC_BYTES);
    copied = s_sign_and_seal(plain, size, keys, NULL);
    assert_int_equal(s_open(&copied), FL_TRUST_SIGNATURE);
    size = s_unseal(&good, plain);
    memset(plain + X, 0, FL_CURVE_BYTES); // a point with which everybody shares the same secret
    copied = s_sign_and_seal(plain, size, keys, NULL);
    assert_int_equal(s_open(&copied), FL_TRUST_KEY);
}

static void
a_denied_name_is_revoked_with_any_token(void **state)
{
    (void)state;
    fl_deny_list *denied = fl_deny_list_new();
    fl_name node = identity_node("dev-1");
    fl_enrol_request request;
    fl_sealed sealed = identity_join(keys, &token, FL_ROLE_DEVICE, "dev-1");
    assert_int_equal(fl_deny_list_add(denied, &node, 9), FL_OK); // one old certificate: no matter
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, denied, &request), FL_TRUST_OK);
    assert_int_equal(fl_deny_list_add(denied, &node, 0), FL_OK);
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, denied, &request), FL_TRUST_REVOKED);
    assert_string_equal(request.node.name, "dev-1");
    fl_deny_list_destroy(&denied);
}

// ---- renewing ---------------------------------------------------------------------------------
static void
a_renewal_names_the_old_certificate_and_the_new_keys(void **state)
{
    (void)state;
    fl_enrol_request request;
    fl_sealed sealed = s_renew(other_keys, keys, certificate);
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, NULL, &request), FL_TRUST_OK);
    assert_int_equal(request.kind, FL_REQUEST_RENEW);
    assert_int_equal(request.role, FL_ROLE_DEVICE);
    assert_string_equal(request.node.name, "dev-1");
    assert_true(fl_public_keys_equal(&request.keys, fl_keys_public(other_keys)));
    assert_true(fl_public_keys_equal(&request.old.keys, fl_keys_public(keys)));
    assert_true(request.old.serial == 9);
    sealed = s_renew(keys, keys, certificate); // the same keys once more
    assert_int_equal(s_open(&sealed), FL_TRUST_OK);
}

static void
an_old_certificate_renews_until_its_grace_is_over_and_before_its_time(void **state)
{
    (void)state;
    fl_enrol_request request;
    fl_sealed sealed = s_renew(other_keys, keys, certificate);
    uint64_t last = IDENTITY_NOW + IDENTITY_WEEK_S;
    assert_int_equal(s_open_at(&sealed, last, NULL, &request), FL_TRUST_OK);
    assert_int_equal(s_open_at(&sealed, last + 1, NULL, &request), FL_TRUST_EXPIRED);
    grace_s = 3600;
    assert_int_equal(s_open_at(&sealed, last + 3600, NULL, &request), FL_TRUST_OK);
    assert_int_equal(s_open_at(&sealed, last + 3601, NULL, &request), FL_TRUST_EXPIRED);
    assert_int_equal(s_open_at(&sealed, 0, NULL, &request), FL_TRUST_OK); // our clock was ahead
    grace_s = 0;
}

static void
a_revoked_certificate_does_not_renew(void **state)
{
    (void)state;
    fl_deny_list *denied = fl_deny_list_new();
    fl_name node = identity_node("dev-1");
    fl_enrol_request request;
    fl_sealed sealed = s_renew(other_keys, keys, certificate);
    assert_int_equal(fl_deny_list_add(denied, &node, 8), FL_OK);
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, denied, &request), FL_TRUST_OK);
    assert_int_equal(fl_deny_list_add(denied, &node, 9), FL_OK);
    assert_int_equal(s_open_at(&sealed, IDENTITY_NOW, denied, &request), FL_TRUST_REVOKED);
    fl_deny_list_destroy(&denied);
}

static void
only_the_holder_of_the_old_key_renews(void **state)
{
    (void)state;
    fl_sealed stolen = s_renew(other_keys, other_keys, certificate); // knows the certificate only
    assert_int_equal(s_open(&stolen), FL_TRUST_SIGNATURE);
}

static void
a_renewal_keeps_its_role_and_name(void **state)
{
    (void)state;
    uint8_t plain[FL_SEALED_BYTES_MAX];
    fl_sealed good = s_renew(other_keys, keys, certificate);
    size_t size = s_unseal(&good, plain);
    plain[ROLE] = FL_ROLE_EDGE;
    fl_sealed changed = s_sign_and_seal(plain, size, other_keys, keys);
    assert_int_equal(s_open(&changed), FL_TRUST_ROLE);
    size = s_unseal(&good, plain);
    plain[NAME + 4] = '2';
    changed = s_sign_and_seal(plain, size, other_keys, keys);
    assert_int_equal(s_open(&changed), FL_TRUST_NAME);
    size = s_unseal(&good, plain);
    changed = s_sign_and_seal(plain, size, other_keys, keys); // the control
    assert_int_equal(s_open(&changed), FL_TRUST_OK);
}

static void
a_certificate_of_another_authority_renews_nothing(void **state)
{
    (void)state;
    uint8_t foreign[FL_CERT_BYTES], plain[FL_SEALED_BYTES_MAX];
    fl_seeded source = fl_seeded_of(89);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_sealed sealed;
    (void)identity_cert(identity_theirs, keys, FL_ROLE_DEVICE, "dev-1", 9, foreign);
    assert_false(fl_enrol_renew(keys, keys, fl_bytes_of(foreign, sizeof foreign),
                                fl_authority_public_of(identity_ours), &entropy, &sealed));
    assert_int_equal(sealed.size, 0);
    fl_sealed good = s_renew(other_keys, keys, certificate);
    size_t size = s_unseal(&good, plain);
    memcpy(plain + LEAVE, foreign, sizeof foreign);
    sealed = s_sign_and_seal(plain, size, other_keys, keys);
    assert_int_equal(s_open(&sealed), FL_TRUST_SIGNATURE);
}

// ---- the answer -------------------------------------------------------------------------------
static void
the_newcomer_takes_only_a_certificate_for_itself(void **state)
{
    (void)state;
    fl_cert cert;
    fl_bytes bytes = fl_bytes_of(certificate, sizeof certificate);
    const fl_authority_public *authority = fl_authority_public_of(identity_ours);
    fl_name node = identity_node("dev-1"), other = identity_node("dev-2");
    assert_int_equal(fl_enrol_accept(bytes, authority, keys, FL_ROLE_DEVICE, &node, &cert),
                     FL_TRUST_OK);
    assert_true(cert.serial == 9);
    assert_int_equal(fl_enrol_accept(bytes, authority, other_keys, FL_ROLE_DEVICE, &node, &cert),
                     FL_TRUST_KEY);
    assert_int_equal(fl_enrol_accept(bytes, authority, keys, FL_ROLE_EDGE, &node, &cert),
                     FL_TRUST_ROLE);
    assert_int_equal(fl_enrol_accept(bytes, authority, keys, FL_ROLE_DEVICE, &other, &cert),
                     FL_TRUST_NAME);
    assert_int_equal(fl_enrol_accept(bytes, fl_authority_public_of(identity_theirs), keys,
                                     FL_ROLE_DEVICE, &node, &cert),
                     FL_TRUST_SIGNATURE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_request_says_who_asks_for_what_with_which_token),
        cmocka_unit_test(what_the_token_does_not_allow_is_refused_by_its_reason),
        cmocka_unit_test(a_request_to_another_authority_cannot_be_opened),
        cmocka_unit_test(nothing_is_asked_of_an_authority_without_a_usable_key),
        cmocka_unit_test(the_sealed_bytes_give_nothing_away_and_cannot_be_changed),
        cmocka_unit_test(every_byte_of_an_opened_request_is_covered),
        cmocka_unit_test(a_field_out_of_range_is_malformed_even_when_signed),
        cmocka_unit_test(keys_that_the_sender_does_not_hold_are_refused),
        cmocka_unit_test(a_denied_name_is_revoked_with_any_token),
        cmocka_unit_test(a_renewal_names_the_old_certificate_and_the_new_keys),
        cmocka_unit_test(an_old_certificate_renews_until_its_grace_is_over_and_before_its_time),
        cmocka_unit_test(a_revoked_certificate_does_not_renew),
        cmocka_unit_test(only_the_holder_of_the_old_key_renews),
        cmocka_unit_test(a_renewal_keeps_its_role_and_name),
        cmocka_unit_test(a_certificate_of_another_authority_renews_nothing),
        cmocka_unit_test(the_newcomer_takes_only_a_certificate_for_itself),
    };
    return cmocka_run_group_tests(tests, s_set_up, s_tear_down);
}
