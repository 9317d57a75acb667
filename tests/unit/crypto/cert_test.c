#include "common/crypto/cert.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"

#include <stdlib.h>
#include <string.h>

enum { BODY = FL_CERT_BYTES - FL_SIGN_BYTES, SERIAL = 9 };

static fl_keys *keys;
static uint8_t bytes[FL_CERT_BYTES];
static fl_cert issued;

static int
s_set_up(void **state)
{
    if (identity_setup(state) != 0) {
        return -1;
    }
    keys = identity_keys(3);
    return 0;
}

static int
s_tear_down(void **state)
{
    fl_keys_destroy(&keys);
    return identity_teardown(state);
}

static int
s_issue(void **state)
{
    (void)state;
    issued = identity_cert(identity_ours, keys, FL_ROLE_EDGE, "edge-a", SERIAL, bytes);
    return 0;
}

static fl_trust
s_check_at(uint64_t now, unsigned roles, fl_cert *cert)
{
    return fl_cert_check(fl_bytes_of(bytes, sizeof bytes), fl_authority_public_of(identity_ours),
                         now, roles, cert);
}

static fl_trust
s_check(void)
{
    fl_cert cert;
    return s_check_at(IDENTITY_NOW, FL_ROLES_ANY, &cert);
}

//  Sign what stands in `bytes` now: a forger with the authority's own key.
static void
s_sign_again(void)
{
    fl_authority_sign(identity_ours, "tributary/cert/v2", fl_bytes_of(bytes, BODY), bytes + BODY);
}

static void
a_certificate_says_what_was_issued(void **state)
{
    (void)state;
    fl_cert cert;
    assert_int_equal(s_check_at(IDENTITY_NOW, FL_ROLES(FL_ROLE_EDGE), &cert), FL_TRUST_OK);
    assert_int_equal(cert.role, FL_ROLE_EDGE);
    assert_string_equal(cert.node.name, "edge-a");
    assert_true(fl_public_keys_equal(&cert.keys, fl_keys_public(keys)));
    assert_true(cert.serial == SERIAL);
    assert_true(cert.not_before == IDENTITY_NOW - FL_CERT_DATED_BACK_S);
    assert_true(cert.not_after == IDENTITY_NOW + IDENTITY_WEEK_S);
    assert_true(issued.not_before == cert.not_before && issued.not_after == cert.not_after);
}

static void
a_certificate_is_valid_from_its_first_to_its_last_second(void **state)
{
    (void)state;
    fl_cert cert;
    assert_int_equal(s_check_at(issued.not_before, FL_ROLES_ANY, &cert), FL_TRUST_OK);
    assert_int_equal(s_check_at(issued.not_before - 1, FL_ROLES_ANY, &cert), FL_TRUST_EARLY);
    assert_int_equal(s_check_at(0, FL_ROLES_ANY, &cert), FL_TRUST_EARLY);
    assert_int_equal(s_check_at(issued.not_after, FL_ROLES_ANY, &cert), FL_TRUST_OK);
    assert_int_equal(s_check_at(issued.not_after + 1, FL_ROLES_ANY, &cert), FL_TRUST_EXPIRED);
    assert_int_equal(s_check_at(UINT64_MAX, FL_ROLES_ANY, &cert), FL_TRUST_EXPIRED);
    assert_string_equal(cert.node.name, "edge-a"); // a refusal can name the node
}

static void
a_clock_at_the_epoch_dates_back_to_zero(void **state)
{
    (void)state;
    fl_cert cert = issued;
    fl_cert_issue(identity_ours, &cert, 5, 60, bytes);
    assert_true(cert.not_before == 0 && cert.not_after == 65);
    assert_int_equal(s_check_at(0, FL_ROLES_ANY, &cert), FL_TRUST_OK);
}

static void
a_certificate_is_due_for_renewal_after_two_thirds_of_its_life(void **state)
{
    (void)state;
    fl_cert cert = { .role = FL_ROLE_DEVICE, .node = identity_node("d"), .serial = 1 };
    fl_cert_issue(identity_ours, &cert, IDENTITY_NOW, 30, bytes); // not of the day before
    assert_true(fl_cert_made(&cert) == IDENTITY_NOW);
    assert_true(fl_cert_ends_from(&cert) == IDENTITY_NOW + 20);
    fl_cert_issue(identity_ours, &cert, 100, 300, bytes); // a clock that stands at its beginning
    assert_true(fl_cert_ends_from(&cert) == 267);
}

static void
each_role_is_accepted_only_where_it_belongs(void **state)
{
    (void)state;
    static const struct {
        fl_role role;
        unsigned accepting;
    } rows[] = {
        { FL_ROLE_DEVICE, FL_ROLES_CHILD },
        { FL_ROLE_EDGE, FL_ROLES_CHILD | FL_ROLES_PARENT },
        { FL_ROLE_ROOT, FL_ROLES_PARENT },
        { FL_ROLE_OPERATOR, FL_ROLES(FL_ROLE_OPERATOR) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fl_cert cert;
        (void)identity_cert(identity_ours, keys, rows[i].role, "n1", SERIAL, bytes);
        const unsigned sets[] = { FL_ROLES_CHILD, FL_ROLES_PARENT, FL_ROLES(FL_ROLE_OPERATOR) };
        for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
            bool belongs = (sets[s] & rows[i].accepting) == sets[s];
            assert_int_equal(s_check_at(IDENTITY_NOW, sets[s], &cert),
                             belongs ? FL_TRUST_OK : FL_TRUST_ROLE);
        }
        assert_int_equal(s_check_at(IDENTITY_NOW, FL_ROLES_ANY, &cert), FL_TRUST_OK);
        assert_int_equal(s_check_at(IDENTITY_NOW, 0, &cert), FL_TRUST_ROLE);
    }
}

//  A flipped bit that still parses is a wrong signature, one that does not is malformed; none is
//  believed, and nothing of it is handed out.
static void
every_flipped_bit_is_refused(void **state)
{
    (void)state;
    static const fl_cert zero;
    int malformed = 0, signature = 0, version = 0;
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        fl_cert cert;
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fl_trust trust = s_check_at(IDENTITY_NOW, FL_ROLES_ANY, &cert);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        malformed += trust == FL_TRUST_MALFORMED;
        signature += trust == FL_TRUST_SIGNATURE;
        version += trust == FL_TRUST_VERSION;
        assert_memory_equal(&cert, &zero, sizeof zero);
    }
    assert_int_equal(malformed + signature + version, 8 * sizeof bytes);
    assert_int_equal(version, 8);
    assert_true(signature >= 8 * (32 + 32 + 64)); // both keys and the signature itself
    assert_int_equal(s_check(), FL_TRUST_OK);
}

static void
each_field_tampered_is_refused_by_its_reason(void **state)
{
    (void)state;
    //  at `offset`, `value` instead of what stands there; signed by the authority or not
    static const struct {
        size_t offset;
        uint8_t value;
        bool resigned;
        fl_trust wanted;
    } rows[] = {
        { 0, 1, true, FL_TRUST_VERSION },
        { 1, FL_ROLE_ROOT, false, FL_TRUST_SIGNATURE }, // an edge that would be root
        { 1, FL_ROLE_NONE, true, FL_TRUST_MALFORMED },
        { 1, FL_ROLE_OPERATOR + 1, true, FL_TRUST_MALFORMED },
        { 1, 0xff, true, FL_TRUST_MALFORMED },
        { 2, 'E', true, FL_TRUST_MALFORMED },    // no character of a name
        { 2, 'x', false, FL_TRUST_SIGNATURE },   // another name
        { 2, 0, true, FL_TRUST_MALFORMED },      // an empty name
        { 17, 'x', true, FL_TRUST_MALFORMED },   // something behind the name
        { 18, 0xee, false, FL_TRUST_SIGNATURE }, // ed
        { 50, 0xee, false, FL_TRUST_SIGNATURE }, // x
        { 82, 0xee, false, FL_TRUST_SIGNATURE }, // not_before
        { 97, 0x01, false, FL_TRUST_SIGNATURE }, // not_after, for ever
        { 98, 0x07, false, FL_TRUST_SIGNATURE }, // serial
        { 98, 0x00, true, FL_TRUST_MALFORMED },  // serial 0
        { 89, 0x7f, true, FL_TRUST_MALFORMED },  // begins after it ends
        { 106, 1, false, FL_TRUST_SIGNATURE },   // class_max
        { 107, 1, true, FL_TRUST_MALFORMED },    // reserved
        { 122, 1, true, FL_TRUST_MALFORMED },
        { 186, 0xee, false, FL_TRUST_SIGNATURE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)s_issue(NULL);
        assert_int_not_equal(bytes[rows[i].offset], rows[i].value);
        bytes[rows[i].offset] = rows[i].value;
        if (rows[i].resigned) {
            s_sign_again();
        }
        if (s_check() != rows[i].wanted) {
            fail_msg("row %zu: %s", i, fl_trust_name(s_check()));
        }
    }
}

static void
another_authority_s_certificate_is_refused(void **state)
{
    (void)state;
    fl_cert cert;
    (void)identity_cert(identity_theirs, keys, FL_ROLE_EDGE, "edge-a", SERIAL, bytes);
    assert_int_equal(s_check_at(IDENTITY_NOW, FL_ROLES_ANY, &cert), FL_TRUST_SIGNATURE);
    //  nor does the order key of our own authority certify anybody
    fl_order_sign(identity_ours, fl_bytes_of(bytes, BODY), bytes + BODY);
    assert_int_equal(s_check(), FL_TRUST_SIGNATURE);
    //  nor a node for itself
    fl_keys_sign(keys, "tributary/cert/v2", fl_bytes_of(bytes, BODY), bytes + BODY);
    assert_int_equal(s_check(), FL_TRUST_SIGNATURE);
}

static void
a_signature_for_another_purpose_is_refused(void **state)
{
    (void)state;
    fl_authority_sign(identity_ours, "tributary/deny/v1", fl_bytes_of(bytes, BODY), bytes + BODY);
    assert_int_equal(s_check(), FL_TRUST_SIGNATURE);
    s_sign_again();
    assert_int_equal(s_check(), FL_TRUST_OK);
}

//  Each length in a block of exactly that length, so that a sanitizer sees one byte beyond.
static void
every_other_length_is_malformed(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof bytes + 1; size++) {
        uint8_t *exact = calloc(1, size > 0 ? size : 1);
        fl_cert cert;
        assert_non_null(exact);
        memcpy(exact, bytes, size < sizeof bytes ? size : sizeof bytes);
        fl_trust wanted = size == sizeof bytes ? FL_TRUST_OK : FL_TRUST_MALFORMED;
        assert_int_equal(fl_cert_check(fl_bytes_of(exact, size),
                                       fl_authority_public_of(identity_ours), IDENTITY_NOW,
                                       FL_ROLES_ANY, &cert),
                         wanted);
        free(exact);
    }
    fl_cert cert;
    assert_int_equal(fl_cert_check((fl_bytes){ 0 }, fl_authority_public_of(identity_ours),
                                   IDENTITY_NOW, FL_ROLES_ANY, &cert),
                     FL_TRUST_MALFORMED);
}

static void
s_issue_serial_zero(void)
{
    fl_cert cert = issued;
    cert.serial = 0;
    fl_cert_issue(identity_ours, &cert, IDENTITY_NOW, 60, bytes);
}

static void
s_issue_for_no_time(void)
{
    fl_cert cert = issued;
    fl_cert_issue(identity_ours, &cert, IDENTITY_NOW, 0, bytes);
}

static void
s_issue_for_ever(void)
{
    fl_cert cert = issued;
    fl_cert_issue(identity_ours, &cert, IDENTITY_NOW, FL_CERT_LIFE_MAX_S + 1, bytes);
}

static void
s_issue_to_nobody(void)
{
    fl_cert cert = issued;
    memset(&cert.node, 0, sizeof cert.node);
    fl_cert_issue(identity_ours, &cert, IDENTITY_NOW, 60, bytes);
}

static void
an_issuer_that_breaks_its_own_rules_dies(void **state)
{
    (void)state;
    assert_true(unit_dies(s_issue_serial_zero));
    assert_true(unit_dies(s_issue_for_no_time));
    assert_true(unit_dies(s_issue_for_ever));
    assert_true(unit_dies(s_issue_to_nobody));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_certificate_says_what_was_issued, s_issue),
        cmocka_unit_test_setup(a_certificate_is_valid_from_its_first_to_its_last_second, s_issue),
        cmocka_unit_test_setup(a_clock_at_the_epoch_dates_back_to_zero, s_issue),
        cmocka_unit_test(a_certificate_is_due_for_renewal_after_two_thirds_of_its_life),
        cmocka_unit_test_setup(each_role_is_accepted_only_where_it_belongs, s_issue),
        cmocka_unit_test_setup(every_flipped_bit_is_refused, s_issue),
        cmocka_unit_test_setup(each_field_tampered_is_refused_by_its_reason, s_issue),
        cmocka_unit_test_setup(another_authority_s_certificate_is_refused, s_issue),
        cmocka_unit_test_setup(a_signature_for_another_purpose_is_refused, s_issue),
        cmocka_unit_test_setup(every_other_length_is_malformed, s_issue),
        cmocka_unit_test_setup(an_issuer_that_breaks_its_own_rules_dies, s_issue),
    };
    return cmocka_run_group_tests(tests, s_set_up, s_tear_down);
}
