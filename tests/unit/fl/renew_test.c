//  Certificates that are renewed, by `fl enrol --renew` and when a program starts; and what the
//  clocks have to do with it.
#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/unit/fl/enrolling.h"

static void
a_certificate_is_renewed_with_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    fl_public_keys keys = parent.seen.keys;
    fake.input = "";
    assert_int_equal(fake_fl("enrol", "--renew", "--state", STATE, NULL), FL_EXIT_OK);
    assert_out("renewed as dev-1 (device)");
    assert_int_equal(parent.seen.kind, FL_REQUEST_RENEW);
    assert_true(fl_public_keys_equal(&keys, &parent.seen.keys));
    assert_int_equal(assert_enrolled("dev-1").serial, 2);
    assert_int_equal(fake_fl("enrol", "--renew", "--new-keys", "--state", STATE, "--endpoint",
                             "tcp://elsewhere:1", NULL),
                     FL_EXIT_OK);
    assert_false(fl_public_keys_equal(&keys, &parent.seen.keys));
    assert_int_equal(assert_enrolled("dev-1").serial, 3);
    assert_string_equal(parent.endpoint, "tcp://elsewhere:1");
    assert_false(is_there("d/node.key.next"));
}

static void
an_edge_changes_to_the_keys_that_its_children_know_and_to_no_others(void **state)
{
    (void)state;
    fl_token token = identity_terms();
    token.role = FL_ROLE_EDGE;
    fl_entropy entropy = fl_entropy_seeded(&fake.source);
    assert_int_equal(fl_token_make(parent.authority, IDENTITY_NOW, &entropy, &token, NULL), FL_OK);
    fl_token_text(&token, parent.token);
    assert_int_equal(JOIN("--role", "edge"), FL_EXIT_OK);
    unsigned asked = fake.asked;
    assert_int_equal(fake_fl("enrol", "--renew", "--new-keys", "--state", STATE, NULL),
                     FL_EXIT_REFUSED);
    assert_err("its next keys yet: start it");
    assert_true(fake.asked == asked && !is_there("d/node.key.next"));
    fl_keys *next = NULL;
    assert_int_equal(fl_state_dir_keys_next(STATE, &entropy, &next, NULL), FL_OK); // it started
    assert_int_equal(fake_fl("enrol", "--renew", "--new-keys", "--state", STATE, NULL), FL_EXIT_OK);
    assert_true(fl_public_keys_equal(fl_keys_public(next), &parent.seen.keys));
    fl_keys_destroy(&next);
}

static void
a_renewal_that_fails_leaves_keys_and_certificate_as_they_were(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    parent.reason = FL_WHY_REVOKED;
    assert_int_equal(fake_fl("enrol", "--renew", "--new-keys", "--state", STATE, NULL),
                     FL_EXIT_REFUSED);
    assert_int_equal(assert_enrolled("dev-1").serial, 1);
    //  The next attempt goes on with the same new keys: the answer may have been lost.
    fl_public_keys wanted = parent.seen.keys;
    parent.reason = FL_WHY_NONE;
    assert_int_equal(fake_fl("enrol", "--renew", "--new-keys", "--state", STATE, NULL), FL_EXIT_OK);
    assert_true(fl_public_keys_equal(&wanted, &parent.seen.keys));
}

static void
what_cannot_be_renewed_says_why(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("enrol", "--renew", "--state", STATE, NULL), FL_EXIT_STATE_DIR);
    assert_err("node.cert");
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    fake.wall_s = parent.clock = IDENTITY_NOW + 2 * IDENTITY_WEEK_S;
    assert_int_equal(fake_fl("enrol", "--renew", "--state", STATE, NULL), FL_EXIT_EXPIRED);
    assert_err("refused (expired)");
    fake.wall_s = parent.clock = IDENTITY_NOW;
    uint8_t bytes[FL_CERT_BYTES] = { 1 };
    place_write("d/node.cert", bytes, sizeof bytes);
    assert_int_equal(fake_fl("enrol", "--renew", "--state", STATE, NULL), FL_EXIT_STATE_DIR);
    assert_err("is not valid (");
}

static void
a_clock_that_is_behind_is_named_and_keeps_nobody_out(void **state)
{
    (void)state;
    fake.wall_s = 90;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    assert_err("this machine's clock says 1970-01-01 00:01 UTC");
    assert_enrolled("dev-1");
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_EXISTS);
    assert_int_equal(fake_fl("enrol", "--renew", "--state", STATE, NULL), FL_EXIT_REFUSED);
    assert_err("this machine's clock says 1970-01-01");
    assert_int_equal(assert_enrolled("dev-1").serial, 1); // the one held is as good
}

static void
a_program_that_was_off_renews_within_the_grace_and_else_shows_its_token(void **state)
{
    (void)state;
    fl_os_of_test world;
    char line[FL_TOKEN_TEXT_BYTES];
    (void)snprintf(line, sizeof line, "%s", parent.token);
    place_write("tokens", line, strlen(line));
    assert_int_equal(world_join(&world, 0), FL_EXIT_OK);
    fake.wall_s = parent.clock = IDENTITY_NOW + IDENTITY_WEEK_S + 50;
    parent.grace_s = 60;
    assert_int_equal(world_join(&world, 0), FL_EXIT_OK);
    assert_string_equal(world.result.how, "renewed");
    fake.wall_s = parent.clock += IDENTITY_WEEK_S + 61;
    assert_int_equal(world_join(&world, 0), FL_EXIT_EXPIRED); // the token has ended as well
    assert_int_equal(parent.seen.kind, FL_REQUEST_JOIN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_certificate_is_renewed_with_the_old_one, start, stop),
        unit_case(an_edge_changes_to_the_keys_that_its_children_know_and_to_no_others, start, stop),
        unit_case(a_renewal_that_fails_leaves_keys_and_certificate_as_they_were, start, stop),
        unit_case(what_cannot_be_renewed_says_why, start, stop),
        unit_case(a_clock_that_is_behind_is_named_and_keeps_nobody_out, start, stop),
        unit_case(a_program_that_was_off_renews_within_the_grace_and_else_shows_its_token, start,
                  stop),
    };
    return fl_crypto_init(NULL) == FL_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
