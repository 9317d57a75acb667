#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/unit/fl/enrolling.h"

// ---- joining ----------------------------------------------------------------------------------
static void
a_newcomer_joins_with_a_token_from_standard_input(void **state)
{
    (void)state;
    fl_token token = identity_token(parent.authority);
    fl_state_dir_parent up;
    struct stat about;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    assert_out("enrolled as dev-1 (device) until 2027-");
    assert_string_equal(fake.err, "");
    (void)assert_enrolled("dev-1");
    assert_int_equal(stat(STATE, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(stat(place_of("d/node.key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(fl_state_dir_parent_load(STATE, &up, NULL), FL_OK);
    assert_string_equal(up.endpoint, token.endpoint);
    assert_memory_equal(up.key, token.parent, sizeof up.key);
    assert_string_equal(parent.endpoint, token.endpoint);
    //  The door's key is made for the door: the node's own may be in use.
    assert_memory_not_equal(parent.door, parent.seen.keys.x, sizeof parent.door);
}

static void
a_token_comes_from_a_file_and_a_parent_may_be_reached_elsewhere(void **state)
{
    (void)state;
    fl_state_dir_parent up;
    char text[FL_TOKEN_TEXT_BYTES + 4];
    (void)snprintf(text, sizeof text, "\n%s\r\n", parent.token);
    place_write("token", text, strlen(text));
    fake.input = "";
    assert_int_equal(JOIN("--token-file", place_of("token"), "--endpoint", "tcp://10.0.0.9:7001",
                          "--json"),
                     FL_EXIT_OK);
    assert_out("{\"node\":\"dev-1\",\"role\":\"device\"");
    assert_out("\"how\":\"enrolled\",\"serial\":1,");
    assert_string_equal(parent.endpoint, "tcp://10.0.0.9:7001");
    assert_int_equal(fl_state_dir_parent_load(STATE, &up, NULL), FL_OK);
    assert_string_equal(up.endpoint, "tcp://10.0.0.9:7001");
}

static void
enrolling_again_changes_nothing_and_needs_no_token(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    fl_cert before = assert_enrolled("dev-1");
    static fl_secagg_mark mark; // made with the certificate
    assert_int_equal(fl_state_dir_mark_load(STATE, &before.node, &mark, NULL), FL_OK);
    uint32_t asked = fake.asked;
    fake.input = "";
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_EXISTS);
    assert_err("nothing was changed: --renew");
    assert_int_equal(fake.asked, asked);
    assert_int_equal(assert_enrolled("dev-1").serial, before.serial);
    assert_int_equal(JOIN("--role", "edge"), FL_EXIT_EXISTS);
    assert_err("belongs to dev-1 (device) already");
    assert_int_equal(fake_fl("enrol", "--state", STATE, "--node", "dev-2", NULL), FL_EXIT_EXISTS);
}

static void
an_expired_certificate_makes_room_for_a_new_token(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    fake.wall_s = parent.clock = IDENTITY_NOW + 2 * IDENTITY_WEEK_S;
    fl_token token = identity_terms();
    token.not_after = fake.wall_s + 100;
    fl_entropy entropy = fl_entropy_seeded(&fake.source);
    assert_int_equal(fl_token_make(parent.authority, fake.wall_s, &entropy, &token, NULL), FL_OK);
    fl_token_text(&token, parent.token);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    assert_out("enrolled as dev-1");
    assert_int_equal(parent.serial, 2);
}

static void
keys_of_an_attempt_that_failed_are_used_again(void **state)
{
    (void)state;
    parent.reason = FL_WHY_STORAGE;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_REFUSED);
    fl_public_keys first = parent.seen.keys;
    assert_false(is_there("d/node.cert"));
    parent.reason = FL_WHY_NONE;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    assert_true(fl_public_keys_equal(&first, &parent.seen.keys));
}

// ---- waiting ----------------------------------------------------------------------------------
static void
a_parent_that_is_late_is_waited_for_and_said_so(void **state)
{
    (void)state;
    parent.silent = 3;
    parent.busy = 2;
    assert_int_equal(JOIN("--wait", "60s"), FL_EXIT_OK);
    assert_int_equal(fake.asked, 6);
    assert_non_null(strstr(fake.err, "no answer from tcp://"));
    assert_non_null(strstr(fake.err, "trying for 57 s more"));
    (void)assert_enrolled("dev-1");
}

static void
a_wait_ends_at_its_bound_with_a_line_and_nothing_kept(void **state)
{
    (void)state;
    parent.silent = UINT32_MAX;
    assert_int_equal(JOIN("--wait", "20s"), FL_EXIT_SILENT);
    assert_non_null(strstr(fake.err, "within 20 s: is it running"));
    assert_in_range(fake.now, 20000, 21000);
    assert_false(is_there("d/node.cert"));
    parent.silent = 0;
    parent.busy = UINT32_MAX;
    assert_int_equal(JOIN("--wait", "2s"), FL_EXIT_BUSY);
    assert_null(strstr(fake.err, "trying for 0 s"));
    assert_non_null(strstr(fake.err, "had no room"));
    parent.busy = 0;
    parent.reason = FL_WHY_AUTHORITY; // it comes back
    assert_int_equal(JOIN("--wait", "2s"), FL_EXIT_BUSY);
    parent.stale = true;
    assert_int_equal(JOIN("--wait", "2s"), FL_EXIT_SILENT);
}

// ---- refusals ---------------------------------------------------------------------------------
static void
each_refusal_has_one_line_and_a_code_of_its_own(void **state)
{
    (void)state;
    static const struct {
        fl_reason reason;
        int code;
    } cases[] = {
        { FL_WHY_TOKEN, FL_EXIT_TOKEN },      { FL_WHY_EXPIRED, FL_EXIT_EXPIRED },
        { FL_WHY_USED_UP, FL_EXIT_USED_UP },  { FL_WHY_NAME, FL_EXIT_NAME },
        { FL_WHY_REVOKED, FL_EXIT_REFUSED },  { FL_WHY_ROLE, FL_EXIT_REFUSED },
        { FL_WHY_STORAGE, FL_EXIT_REFUSED },
    };
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        parent.reason = cases[i / 2].reason;
        parent.refused_verb = i % 2 == 1;
        parent.words = "because\x1b[2J";
        assert_int_equal(JOIN("--role", "device"), cases[i / 2].code);
        assert_err(fl_reason_name(parent.reason));
        assert_err("because?[2J");
        assert_string_equal(fake.out, "");
    }
    parent.words = "";
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_REFUSED);
    assert_err("refused (storage)\n");
}

static void
an_expired_token_is_refused_by_the_clock_of_the_authority(void **state)
{
    (void)state;
    parent.clock = IDENTITY_NOW + 7200;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_EXPIRED);
    assert_err("expired");
}

static void
no_token_and_a_damaged_token_are_told_apart(void **state)
{
    (void)state;
    fake.input = " \n";
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_NO_TOKEN);
    assert_err("standard input was empty");
    assert_int_equal(JOIN("--token-file", place_of("none")), FL_EXIT_NO_TOKEN);
    assert_err("/none is missing, unreadable or empty");
    parent.token[40] ^= 1;
    fake.input = parent.token;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_TOKEN);
    assert_err("cut short or changed");
    char much[3000];
    memset(much, 'A', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    fake.input = much;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_TOKEN);
    assert_int_equal(fake.asked, 0);
    assert_false(is_there("d/node.key"));
}

static void
a_token_for_another_role_name_or_authority_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "edge"), FL_EXIT_REFUSED);
    assert_err("for the role device, not edge: give --role device");
    assert_int_equal(fake_fl("enrol", "--state", STATE, "--node", "edge-1", NULL), FL_EXIT_NAME);
    assert_err("for a node named dev-..., not edge-1");
    fl_authority *other = identity_authority(6);
    const fl_authority_public *public = fl_authority_public_of(other);
    assert_int_equal(fl_state_dir_authority_save(STATE, public, NULL), FL_OK);
    fl_authority_destroy(&other);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_TOKEN);
    assert_err("of another authority");
    assert_int_equal(fake.asked, 0);
}

static void
a_certificate_that_does_not_hold_is_not_kept(void **state)
{
    (void)state;
    parent.foreign = true;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_REFUSED);
    assert_err("is not valid: signature");
    parent.foreign = false;
    parent.cut = true;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_REFUSED);
    assert_err("no certificate that this version knows");
    parent.cut = false;
    fake.wall_s = IDENTITY_NOW + 2 * IDENTITY_WEEK_S;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_EXPIRED);
    assert_err("if one of the clocks is wrong, set it");
    assert_false(is_there("d/node.cert"));
}

static void
a_directory_that_is_not_fit_is_refused(void **state)
{
    (void)state;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    //  Another node's keys beside our certificate.
    fl_keys *keys = identity_keys(8);
    uint8_t bytes[FL_KEYS_FILE_BYTES];
    fl_keys_encode(keys, bytes);
    place_write("d/node.key", bytes, sizeof bytes);
    fl_keys_destroy(&keys);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_STATE_DIR);
    assert_err("does not fit the other files");
    place_write("d/node.cert", "x", 1);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_STATE_DIR);
    assert_int_equal(chmod(place_of("d/node.key"), 0644) | remove(place_of("d/node.cert")), 0);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_STATE_DIR);
    assert_err("chmod 600");
    assert_int_equal(chmod(STATE, 0755), 0);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_STATE_DIR);
    assert_err("chmod 700");
}

static void
a_directory_in_use_is_not_enrolled_under_its_process(void **state)
{
    (void)state;
    fl_lock *lock = NULL;
    assert_int_equal(fl_lock_take(STATE, "fl-device", &lock, NULL), FL_OK);
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_BUSY);
    assert_err("fl-device");
    fl_lock_release(&lock);
}

static void
the_command_line_is_checked(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("enrol", "--state", STATE, NULL), FL_EXIT_USAGE);
    assert_err("--node");
    assert_int_equal(fake_fl("enrol", "--state", STATE, "--node", "NO", NULL), FL_EXIT_USAGE);
    assert_int_equal(JOIN("--new-keys"), FL_EXIT_USAGE);
    assert_err("goes with --renew");
    assert_int_equal(JOIN("--endpoint", "ipc://x"), FL_EXIT_USAGE);
    assert_err("tcp://HOST:PORT");
    assert_int_equal(fake_fl("enrol", "--node", "dev-1", NULL), FL_EXIT_USAGE);
    //  A token on the command line would be seen by everybody.
    assert_int_equal(JOIN("--token", parent.token), FL_EXIT_USAGE);
    assert_null(strstr(fake.err, parent.token));
}

static void
another_parent_of_the_same_authority_may_carry_the_request(void **state)
{
    (void)state;
    uint8_t bytes[FL_CERT_BYTES];
    fl_keys *keys = identity_keys(21);
    fl_state_dir_parent up;
    fl_cert cert = { .role = FL_ROLE_EDGE, .keys = *fl_keys_public(keys), .serial = 9,
                     .node = identity_node("edge-9") };
    fl_cert_issue(parent.authority, &cert, IDENTITY_NOW, IDENTITY_WEEK_S, bytes);
    place_write("edge.cert", bytes, sizeof bytes);
    cert.role = FL_ROLE_DEVICE;
    fl_cert_issue(parent.authority, &cert, IDENTITY_NOW, IDENTITY_WEEK_S, bytes);
    place_write("device.cert", bytes, sizeof bytes);
    bytes[FL_CERT_BYTES - 1] ^= 1;
    place_write("foreign.cert", bytes, sizeof bytes);
    assert_int_equal(JOIN("--parent-cert", place_of("gone.cert")), FL_EXIT_STATE_DIR);
    assert_err("gone.cert");
    assert_int_equal(JOIN("--parent-cert", place_of("device.cert")), FL_EXIT_REFUSED);
    assert_err("(role)");
    assert_int_equal(JOIN("--parent-cert", place_of("foreign.cert")), FL_EXIT_REFUSED);
    assert_err("no certificate of a parent under the token's authority (signature)");
    assert_int_equal(JOIN("--parent-cert", place_of("edge.cert"), "--endpoint",
                          "tcp://edge-9:7000"), FL_EXIT_OK);
    assert_int_equal(fl_state_dir_parent_load(STATE, &up, NULL), FL_OK);
    assert_string_equal(up.endpoint, "tcp://edge-9:7000");
    assert_memory_equal(up.key, fl_keys_public(keys)->x, sizeof up.key);
    fl_keys_destroy(&keys);
}

//  In the way of a program: a file with a token a line, of which a slot takes its own.
static void
the_line_of_a_slot_is_its_number_modulo_their_count(void **state)
{
    (void)state;
    char lines[3 * FL_TOKEN_TEXT_BYTES];
    (void)snprintf(lines, sizeof lines, "\nwrong\n%s\n\n", parent.token);
    place_write("tokens", lines, strlen(lines));
    parent.lease = (fl_lease){ .shard = 4, .shards = 9 };
    fl_os_of_test world;
    const uint32_t cut[] = { 0, 2, 20 };
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(world_join(&world, cut[i]), FL_EXIT_TOKEN);
        assert_non_null(strstr(world.why.text, "cut short"));
        assert_false(is_there("d/node.cert"));
    }
    assert_int_equal(world_join(&world, 21), FL_EXIT_OK);
    assert_string_equal(world.result.how, "enrolled");
    assert_int_equal(world_join(&world, cut[0]), FL_EXIT_OK); // and no token is needed any more
    assert_string_equal(world.result.how, "already enrolled");
    fl_lease lease;
    assert_int_equal(fl_state_dir_lease_load(STATE, &lease, NULL), FL_OK);
    assert_true(lease.shard == 4 && lease.shards == 9);
}

static void
a_leased_shard_is_kept_and_shown_or_named_when_there_is_none(void **state)
{
    (void)state;
    fl_lease lease;
    parent.reason = FL_WHY_NO_SHARD;
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_REFUSED);
    assert_err("refused (no-shard)");
    assert_false(is_there("d/shard"));
    parent.reason = FL_WHY_NONE;
    parent.lease = (fl_lease){ .shard = 2, .shards = 3 };
    assert_int_equal(JOIN("--role", "device"), FL_EXIT_OK);
    assert_out("with data shard 2 of 3\n");
    assert_true(fl_state_dir_lease_load(STATE, &lease, NULL) == FL_OK && lease.shard == 2);
    assert_int_equal(fake_fl("enrol", "--renew", "--json", "--state", STATE, NULL), FL_EXIT_OK);
    assert_out("\"shard\":2,\"shards\":3}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_newcomer_joins_with_a_token_from_standard_input, start, stop),
        unit_case(a_token_comes_from_a_file_and_a_parent_may_be_reached_elsewhere, start, stop),
        unit_case(enrolling_again_changes_nothing_and_needs_no_token, start, stop),
        unit_case(an_expired_certificate_makes_room_for_a_new_token, start, stop),
        unit_case(keys_of_an_attempt_that_failed_are_used_again, start, stop),
        unit_case(a_parent_that_is_late_is_waited_for_and_said_so, start, stop),
        unit_case(a_wait_ends_at_its_bound_with_a_line_and_nothing_kept, start, stop),
        unit_case(each_refusal_has_one_line_and_a_code_of_its_own, start, stop),
        unit_case(an_expired_token_is_refused_by_the_clock_of_the_authority, start, stop),
        unit_case(no_token_and_a_damaged_token_are_told_apart, start, stop),
        unit_case(a_token_for_another_role_name_or_authority_is_refused_at_once, start, stop),
        unit_case(a_certificate_that_does_not_hold_is_not_kept, start, stop),
        unit_case(a_directory_that_is_not_fit_is_refused, start, stop),
        unit_case(a_directory_in_use_is_not_enrolled_under_its_process, start, stop),
        unit_case(the_command_line_is_checked, start, stop),
        unit_case(another_parent_of_the_same_authority_may_carry_the_request, start, stop),
        unit_case(the_line_of_a_slot_is_its_number_modulo_their_count, start, stop),
        unit_case(a_leased_shard_is_kept_and_shown_or_named_when_there_is_none, start, stop),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
