//  The rows that the programs share, and what becomes of them.
#include "common/runtime/settings.h"

#include "common/base/log.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/identity.h"
#include "tests/support/place.h"

static const fl_setting rows[] = { FL_SETTINGS_STATE, FL_SETTINGS_PROCESS, FL_SETTINGS_PARENT,
                                   FL_SETTINGS_WINDOW, FL_SETTINGS_PARTICIPANT("malicious") };
static const fl_program program = { .name = "test-program",
                                    .purpose = "is a test",
                                    .settings = rows,
                                    .setting_count = sizeof rows / sizeof *rows };
static fl_conf *conf;
static fl_why why;

static uint64_t
s_wall(void)
{
    return IDENTITY_NOW;
}

static fl_status
load(const char *const *flags)
{
    char *argv[16] = { (char *)(uintptr_t) "test-program" };
    int argc = 1;
    while (*flags != NULL) {
        argv[argc++] = (char *)(uintptr_t)*flags++;
    }
    fl_conf_destroy(&conf);
    return fl_conf_load(&program, argc, argv, stdout, &conf, &why);
}

#define with(...) load((const char *const[]){ "--state", place, __VA_ARGS__ })

static int
end(void **state)
{
    fl_conf_destroy(&conf);
    return place_end(state);
}

static void
without_a_flag_every_setting_has_its_default(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    fl_window window = fl_settings_aggregator(conf, conf).window;
    assert_int_equal(window.count_min, 1);
    assert_int_equal(window.count_max, 0);
    assert_int_equal(window.share_permille, 0);
    assert_int_equal(window.time_max_ms, 60000);
    assert_int_equal(window.factor_permille, 0);
    assert_int_equal(window.missed, FL_MISSED_SKIP);
    fl_timing timing = fl_settings_timing(conf, conf), usual = fl_timing_default();
    assert_int_equal(timing.beat_ms, 1000);
    assert_int_equal(timing.evasive_beats, usual.evasive_beats);
    fl_aggregator_conf aggregator = fl_settings_aggregator(conf, conf);
    assert_int_equal(aggregator.seats_max, 64);
    assert_int_equal(aggregator.slots, 4);
    assert_int_equal(aggregator.expect, 0);
    assert_int_equal(load((const char *const[]){ NULL }), FL_MISSING); // but the state directory
}

static void
what_is_set_arrives_in_its_unit(void **state)
{
    (void)state;
    assert_int_equal(with("--round-count-min", "3", "--round-time-max", "2s", "--round-factor",
                          "1.5", "--round-missed", "extend", "--round-extend", "250ms",
                          "--round-share-min", "0.6", NULL),
                     FL_OK);
    fl_window window = fl_settings_aggregator(conf, conf).window;
    assert_int_equal(window.count_min, 3);
    assert_int_equal(window.time_max_ms, 2000);
    assert_int_equal(window.factor_permille, 1500);
    assert_int_equal(window.missed, FL_MISSED_EXTEND);
    assert_int_equal(window.extend_ms, 250);
    assert_int_equal(window.share_permille, 600);
    assert_int_equal(with("--beat", "50ms", "--rate-min", "8k", "--round-join-wait", "3s",
                          "--margin-hop", "7ms", "--margin-finish", "9ms", NULL),
                     FL_OK);
    fl_timing timing = fl_settings_timing(conf, conf);
    assert_int_equal(timing.beat_ms, 50);
    assert_int_equal(timing.rate_min, 8192);
    assert_int_equal(timing.join_wait_ms, 3000);
    assert_int_equal(timing.hop_ms, 7);
    assert_int_equal(timing.finish_ms, 9);
}

static void
s_refused(const char *flag, const char *value, const char *said)
{
    assert_int_equal(with(flag, value, "--seats", "8", NULL), FL_OK);
    why.text[0] = '\0';
    assert_int_equal(fl_settings_check(conf, conf, &why), FL_RANGE);
    if (strstr(why.text, said) == NULL) {
        fail_msg("'%s' is not in: %s", said, why.text);
    }
}

static void
a_round_that_could_never_succeed_is_refused_at_the_start(void **state)
{
    (void)state;
    assert_int_equal(with(NULL), FL_OK);
    assert_int_equal(fl_settings_check(conf, conf, &why), FL_OK);
    s_refused("--round-expect", "9", "round.expect is above seats (8)");
    s_refused("--round-count-min", "9", "round.count_min is above seats (8)");
    s_refused("--round-time-min", "61s", "round.time_min is above round.time_max");
    s_refused("--margin-hop", "59900ms", "take all of round.time_max (60000 ms)");
    s_refused("--round-time-max", "300ms", "take all of round.time_max (300 ms)");
    assert_int_equal(with("--round-count-min", "3", "--round-count-max", "2", NULL), FL_OK);
    assert_int_equal(fl_settings_check(conf, conf, &why), FL_RANGE);
    assert_non_null(strstr(why.text, "round.count_max (2) is below round.count_min (3)"));
    assert_int_equal(with("--round-count-min", "3", "--round-count-max", "3", "--round-expect",
                          "64", "--round-time-max", "301ms", NULL),
                     FL_OK);
    assert_int_equal(fl_settings_check(conf, conf, &why), FL_OK);
}

//  A child is never evasive for longer than its lease.
static void
a_short_lease_shortens_what_comes_before_it(void **state)
{
    (void)state;
    assert_int_equal(with("--lease", "2", NULL), FL_OK);
    fl_timing timing = fl_settings_timing(conf, conf);
    assert_int_equal(timing.lease_beats, 2);
    assert_int_equal(timing.evasive_beats, 2);
}

static void
each_member_is_an_incarnation_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(with("--backoff-min", "30ms", "--backoff-max", "4s", NULL), FL_OK);
    fl_participant_conf one = fl_settings_participant(conf, FL_ROLE_EDGE);
    fl_participant_conf two = fl_settings_participant(conf, FL_ROLE_EDGE);
    assert_int_equal(one.role, FL_ROLE_EDGE);
    assert_int_equal(one.backoff_min_ms, 30);
    assert_int_equal(one.backoff_max_ms, 4000);
    assert_true(one.incarnation != two.incarnation);
    assert_true(one.seed != two.seed);
}

//  A state directory as `fl enrol` leaves it.
static fl_identity *
s_enrolled(void)
{
    fl_identity *identity = NULL;
    uint8_t bytes[FL_CERT_BYTES], file[FL_KEYS_FILE_BYTES];
    fl_authority *authority = identity_authority(1);
    fl_keys *keys = identity_keys(30);
    (void)identity_cert(authority, keys, FL_ROLE_DEVICE, "dev-a", 30, bytes);
    fl_keys_encode(keys, file);
    place_write(FL_STATE_KEYS, file, sizeof file);
    assert_int_equal(chmod(place_of(FL_STATE_KEYS), 0600), 0);
    assert_int_equal(fl_state_dir_cert_save(place, bytes, false, &why), FL_OK);
    assert_int_equal(fl_state_dir_authority_save(place, fl_authority_public_of(authority), &why),
                     FL_OK);
    const fl_identity_conf of = { .directory = place, .role = FL_ROLE_DEVICE, .wall_s = s_wall };
    assert_int_equal(fl_identity_open(&of, &identity, &why), FL_OK);
    fl_keys_destroy(&keys);
    fl_authority_destroy(&authority);
    return identity;
}

static void
a_member_masks_unless_it_is_told_not_to(void **state)
{
    (void)state;
    fl_identity *identity = s_enrolled();
    assert_int_equal(with(NULL), FL_OK);
    fl_secagg_client_conf member = fl_settings_masking(conf, identity, 1);
    assert_int_equal(member.profile, FL_MASKING_MALICIOUS);
    assert_int_equal(member.members_min, 3);
    assert_int_equal(member.survivors_min, 3);
    assert_int_equal(member.draws_max, 1);
    assert_true(member.again_ms > 0 && member.hop == 1);
    assert_string_equal(member.node.name, "dev-a");
    assert_ptr_equal(member.keys, fl_identity_keys(identity));
    assert_memory_equal(member.certificate, fl_identity_certificate(identity), FL_CERT_BYTES);
    assert_ptr_equal(member.trust.authority, fl_identity_trust(identity, FL_ROLES_CHILD).authority);
    assert_ptr_equal(member.trust.deny, fl_identity_denied(identity));
    assert_int_equal(with("--masking", "honest", "--masking-members-min", "9",
                          "--masking-survivors-min", "7", NULL),
                     FL_OK);
    member = fl_settings_masking(conf, identity, 1);
    assert_int_equal(member.profile, FL_MASKING_HONEST);
    assert_int_equal(member.members_min, 9);
    assert_int_equal(member.survivors_min, 7);
    assert_int_equal(with("--masking", "unmasked", NULL), FL_OK);
    assert_int_equal(fl_settings_masking(conf, identity, 1).profile, FL_MASKING_NONE);
    assert_int_equal(with("--masking-members-min", "2", NULL), FL_RANGE); // two are never enough
    fl_secagg_server_conf blocks = fl_settings_blocks(identity, 2);
    assert_int_equal(blocks.hop, 2);
    assert_string_equal(blocks.node.name, "dev-a");
    assert_ptr_equal(blocks.trust.deny, fl_identity_denied(identity));
    assert_int_equal(blocks.trust.roles, FL_ROLES_CHILD);
    fl_identity_close(&identity);
}

//  The profile is one word, and beside it stand keys that begin with it.
static void
a_file_may_name_the_profile_and_what_belongs_to_it(void **state)
{
    (void)state;
    fl_identity *identity = s_enrolled();
    static const char text[] = "masking: honest\nmasking.members_min: 6\n";
    place_write("settings.yaml", text, sizeof text - 1);
    assert_int_equal(with("--config", place_of("settings.yaml"), NULL), FL_OK);
    fl_secagg_client_conf member = fl_settings_masking(conf, identity, 1);
    assert_int_equal(member.profile, FL_MASKING_HONEST);
    assert_int_equal(member.members_min, 6);
    fl_identity_close(&identity);
}

static void
a_station_listens_only_when_it_has_children(void **state)
{
    (void)state;
    assert_int_equal(with("--listen-control", "tcp://127.0.0.1:5", "--seats", "9", "--slots", "2",
                          "--threads", "3", NULL),
                     FL_OK);
    fl_node_conf node = fl_settings_node(conf, true);
    assert_string_equal(node.directory, place);
    assert_string_equal(node.listen[FL_WAY_CONTROL], "tcp://127.0.0.1:5");
    assert_string_equal(node.listen[FL_WAY_UP], "tcp://0.0.0.0:7001");
    assert_string_equal(node.listen[FL_WAY_DOWN], "tcp://0.0.0.0:7002");
    assert_int_equal(node.seats_max, 9);
    assert_int_equal(node.slots, 2);
    assert_int_equal(node.threads, 3);
    node = fl_settings_node(conf, false);
    assert_null(node.listen[FL_WAY_CONTROL]);
    assert_int_equal(node.seats_max, 0);
}

static void
the_log_obeys_its_level(void **state)
{
    (void)state;
    assert_int_equal(with("--log-level", "warn", NULL), FL_OK);
    fl_settings_log(conf, "edge", "e1");
    assert_true(fl_log_wanted(FL_LOG_WARN));
    assert_false(fl_log_wanted(FL_LOG_INFO));
    assert_int_equal(with("--log-level", "debug", NULL), FL_OK);
    fl_settings_log(conf, "edge", "e1");
    assert_true(fl_log_wanted(FL_LOG_DEBUG));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(without_a_flag_every_setting_has_its_default, place_make, end),
        unit_case(what_is_set_arrives_in_its_unit, place_make, end),
        unit_case(a_short_lease_shortens_what_comes_before_it, place_make, end),
        unit_case(a_round_that_could_never_succeed_is_refused_at_the_start, place_make, end),
        unit_case(each_member_is_an_incarnation_of_its_own, place_make, end),
        unit_case(a_member_masks_unless_it_is_told_not_to, place_make, end),
        unit_case(a_file_may_name_the_profile_and_what_belongs_to_it, place_make, end),
        unit_case(a_station_listens_only_when_it_has_children, place_make, end),
        unit_case(the_log_obeys_its_level, place_make, end),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
