//  An edge changes its keys, and its child follows: two identities and their directories; the
//  connections between them are the test's to make.
#include "common/identity/uplink.h"

#include "tests/support/unit.h"

#include "common/identity/identity.h"
#include "tests/support/place.h"
#include "tests/support/settled.h"
#include "tests/support/stub_gate.h"

static fl_identity *edge, *child;

static int
start(void **state)
{
    wall = IDENTITY_NOW;
    is_seated = true;
    if (place_make(state) != 0) {
        return -1;
    }
    authority = identity_authority(1);
    settle("root", 10, FL_ROLE_ROOT, NULL);
    settle("edge-a", 20, FL_ROLE_EDGE, "root");
    settle("dev-a", 30, FL_ROLE_DEVICE, "edge-a");
    edge = open_as("edge-a", FL_ROLE_EDGE);
    child = open_as("dev-a", FL_ROLE_DEVICE);
    return 0;
}

static int
end(void **state)
{
    fl_identity_close(&edge);
    fl_identity_close(&child);
    fl_authority_destroy(&authority);
    return place_end(state);
}

//  What `fl enrol --renew --new-keys` leaves, for a certificate of that name; and it is taken over.
static fl_status
s_change_keys(const char *name)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_keys *next = NULL;
    bool rekeyed = false;
    assert_int_equal(fl_state_dir_keys_next(place_of("edge-a"), NULL, &next, &why), FL_OK);
    (void)identity_cert(authority, next, FL_ROLE_EDGE, name, 99, bytes);
    fl_keys_destroy(&next);
    assert_int_equal(fl_state_dir_cert_save(place_of("edge-a"), bytes, true, &why), FL_OK);
    assert_int_equal(fl_state_dir_keys_next(place_of("edge-a"), NULL, &next, &why), FL_MISSING);
    return fl_identity_reload(edge, &rekeyed, &why);
}

static const uint8_t *
s_dial(void)
{
    const fl_admission_ops ops = fl_identity_ops(child);
    return ops.dial(ops.self);
}

static const uint8_t *
s_key(void)
{
    return fl_identity_keypair(edge)->public_key;
}

static fl_reason
s_hear(fl_message message)
{
    const fl_admission_ops ops = fl_identity_ops(child);
    return ops.incoming(ops.self, FL_PARENT, NULL, &message);
}

static fl_message
s_welcome(void)
{
    const fl_admission_ops ops = fl_identity_ops(edge);
    fl_message welcome = { .verb = FL_WELCOME };
    ops.outgoing(ops.self, 1, &welcome);
    return welcome;
}

static fl_message
s_changes(void)
{
    return (fl_message){ .verb = FL_REFUSED,
                         .refused = { .reason = FL_WHY_NEW_KEYS, .about = FL_HELLO } };
}

static void
who_is_told_that_the_keys_change_dials_the_next_ones_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { // each time there are other ones
        assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES);
        assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
        assert_int_equal(s_hear(s_changes()), FL_WHY_NONE);
        assert_int_equal(s_hear((fl_message){ .verb = FL_BEAT }), FL_WHY_NONE); // came behind it
        assert_int_equal(s_change_keys("edge-a"), FL_OK);
        assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES);
        assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
        assert_memory_equal(fl_identity_parent(child)->key, s_key(), FL_KEY_BYTES);
    }
}

static void
who_was_away_finds_its_parent_by_the_keys_that_it_was_told_of(void **state)
{
    (void)state;
    uint8_t old[FL_KEY_BYTES];
    memcpy(old, s_key(), sizeof old);
    (void)s_dial();
    assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
    fl_identity_close(&child);
    assert_int_equal(s_change_keys("edge-a"), FL_OK);
    child = open_as("dev-a", FL_ROLE_DEVICE);
    for (int i = 0; i < 2; i++) { // nobody answers, by the old one or the next
        assert_memory_equal(s_dial(), old, sizeof old);
        assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES);
    }
    assert_int_equal(s_hear((fl_message){ .verb = FL_BEAT }), FL_WHY_NONE);
    assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES); // somebody did: again by that
    assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
    fl_identity_close(&child);
    child = open_as("dev-a", FL_ROLE_DEVICE); // and the directory has it
    assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES);
}

static void
a_certificate_is_believed_for_the_key_that_answered_and_the_same_name_only(void **state)
{
    (void)state;
    (void)s_dial();
    assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
    assert_int_equal(s_change_keys("edge-a"), FL_OK);
    (void)s_dial(); // the thief of the old keys shows the certificate of the new ones
    assert_int_equal(s_hear(s_welcome()), FL_WHY_CERTIFICATE);
    fl_keys *stranger = identity_keys(20);
    uint8_t bytes[FL_CERT_BYTES];
    (void)s_hear(s_changes());
    assert_memory_equal(s_dial(), s_key(), FL_KEY_BYTES);
    fl_message welcome = s_welcome();
    (void)identity_cert(authority, stranger, FL_ROLE_EDGE, "edge-a", 98, bytes);
    welcome.welcome.certificate = fl_bytes_of(bytes, sizeof bytes);
    assert_int_equal(s_hear(welcome), FL_WHY_CERTIFICATE);
    assert_int_equal(fl_state_dir_keys_load(place_of("edge-a"), &stranger, &why), FL_OK);
    (void)identity_cert(authority, stranger, FL_ROLE_EDGE, "edge-b", 97, bytes);
    assert_int_equal(s_hear(welcome), FL_WHY_CERTIFICATE); // the key, but another name
    assert_int_equal(s_hear(s_welcome()), FL_WHY_NONE);
    fl_keys_destroy(&stranger);
}

static void
a_newcomer_is_told_of_the_next_keys_too(void **state)
{
    (void)state;
    const fl_admission_ops ops = fl_identity_ops(edge);
    fl_message enrolled = { .verb = FL_ENROLLED };
    ops.outgoing(ops.self, 1, &enrolled);
    assert_memory_equal(enrolled.enrolled.next, s_welcome().welcome.next, FL_KEY_BYTES);
    assert_int_equal(s_change_keys("edge-a"), FL_OK);
    assert_memory_equal(enrolled.enrolled.next, s_key(), FL_KEY_BYTES);
    assert_memory_not_equal(s_welcome().welcome.next, s_key(), FL_KEY_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            who_is_told_that_the_keys_change_dials_the_next_ones_at_once, start, end),
        cmocka_unit_test_setup_teardown(
            who_was_away_finds_its_parent_by_the_keys_that_it_was_told_of, start, end),
        cmocka_unit_test_setup_teardown(
            a_certificate_is_believed_for_the_key_that_answered_and_the_same_name_only, start, end),
        cmocka_unit_test_setup_teardown(a_newcomer_is_told_of_the_next_keys_too, start, end),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
