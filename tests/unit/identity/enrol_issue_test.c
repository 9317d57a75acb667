#include "common/identity/enrol_issue.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/place.h"

static fl_authority *authority;
static fl_ledger *ledger;
static fl_deny_list *denied;
static fl_keys *one, *two;
static fl_token token; // for two nodes
static fl_why why;
static uint32_t shards;
static uint64_t grace_s, life_s;

static int
start(void **state)
{
    if (place_make(state) != 0) {
        return -1;
    }
    shards = 0;
    grace_s = 0;
    life_s = IDENTITY_WEEK_S;
    authority = identity_authority(1);
    denied = fl_deny_list_new();
    one = identity_keys(5);
    two = identity_keys(6);
    token = identity_token(authority);
    return fl_ledger_open(place_of("ledger.db"), &ledger, &why) == FL_OK && denied != NULL ? 0 : -1;
}

static int
end(void **state)
{
    fl_ledger_close(&ledger);
    fl_deny_list_destroy(&denied);
    fl_keys_destroy(&one);
    fl_keys_destroy(&two);
    fl_authority_destroy(&authority);
    return place_end(state);
}

//  The whole way: open, then sign. The answer.
static fl_enrol_relay_answer
s_apply(const fl_sealed *sealed, uint64_t now)
{
    fl_enrol_relay_answer answer;
    fl_enrol_request request;
    const fl_enrol_time time = { .now = now, .grace_s = grace_s };
    if (fl_enrol_issue_open(authority, fl_bytes_of(sealed->bytes, sealed->size), &time, denied,
                            &request, &answer)) {
        fl_enrol_issue_sign(authority, ledger, &request, now, life_s, shards, &answer);
    }
    return answer;
}

static fl_enrol_relay_answer
s_join(const fl_keys *keys, const fl_token *shown, const char *name)
{
    fl_sealed sealed = identity_join(keys, shown, FL_ROLE_DEVICE, name);
    return s_apply(&sealed, IDENTITY_NOW);
}

static fl_cert
s_cert(const fl_enrol_relay_answer *answer, uint64_t now)
{
    fl_cert cert;
    assert_int_equal(answer->reason, FL_WHY_NONE);
    assert_int_equal(fl_cert_check(fl_bytes_of(answer->certificate, FL_CERT_BYTES),
                                   fl_authority_public_of(authority), now, FL_ROLES_ANY, &cert),
                     FL_TRUST_OK);
    return cert;
}

static void
s_refused(const fl_enrol_relay_answer *answer, fl_reason reason, const char *text)
{
    assert_int_equal(answer->reason, reason);
    assert_non_null(strstr(answer->text, text));
}

static fl_enrol_relay_answer
s_renew(const fl_keys *keys, const fl_keys *old, const fl_enrol_relay_answer *held, uint64_t now)
{
    fl_seeded source = fl_seeded_of(3);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_sealed sealed;
    assert_true(fl_enrol_renew(keys, old, fl_bytes_of(held->certificate, FL_CERT_BYTES),
                               fl_authority_public_of(authority), &entropy, &sealed));
    return s_apply(&sealed, now);
}

static void
a_token_gives_a_certificate_for_the_keys_that_asked(void **state)
{
    (void)state;
    fl_enrol_relay_answer answer = s_join(one, &token, "dev-1");
    fl_cert cert = s_cert(&answer, IDENTITY_NOW);
    assert_string_equal(cert.node.name, "dev-1");
    assert_int_equal(cert.role, FL_ROLE_DEVICE);
    assert_int_equal(cert.serial, 1);
    assert_int_equal(cert.not_after, IDENTITY_NOW + IDENTITY_WEEK_S);
    assert_true(fl_public_keys_equal(&cert.keys, fl_keys_public(one)));
}

static void
the_same_keys_again_are_free_and_others_are_counted(void **state)
{
    (void)state;
    fl_keys *three = identity_keys(7);
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1");
    fl_enrol_relay_answer again = s_join(one, &token, "dev-1");
    assert_int_equal(s_cert(&again, IDENTITY_NOW).serial, s_cert(&first, IDENTITY_NOW).serial);
    fl_enrol_relay_answer second = s_join(two, &token, "dev-2");
    assert_int_equal(second.reason, FL_WHY_NONE);
    fl_enrol_relay_answer third = s_join(three, &token, "dev-3");
    s_refused(&third, FL_WHY_USED_UP, "allowed 2 nodes");
    again = s_join(two, &token, "dev-2"); // used up, and still free for these
    assert_int_equal(again.reason, FL_WHY_NONE);
    fl_bytes id = fl_bytes_of(token.id, sizeof token.id);
    uint32_t uses = 0;
    bool gone = true;
    assert_int_equal(fl_ledger_token_uses(ledger, id, &uses, &gone, &why), FL_OK);
    assert_false(gone);
    assert_int_equal(uses, 2);
    fl_keys_destroy(&three);
}

static void
a_revoked_token_gives_nothing_new_and_takes_nothing_back(void **state)
{
    (void)state;
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1");
    assert_int_equal(first.reason, FL_WHY_NONE);
    fl_bytes id = fl_bytes_of(token.id, sizeof token.id);
    assert_int_equal(fl_ledger_token_revoke(ledger, id, &why), FL_OK);
    assert_int_equal(fl_ledger_token_revoke(ledger, id, &why), FL_OK);
    fl_enrol_relay_answer second = s_join(two, &token, "dev-2");
    s_refused(&second, FL_WHY_REVOKED, "the token is revoked");
    second = s_join(one, &token, "dev-1"); // its certificate, once more
    assert_int_equal(second.reason, FL_WHY_NONE);
}

static void
a_device_is_leased_a_shard_and_keeps_it(void **state)
{
    (void)state;
    shards = 3;
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1"),
                          second = s_join(two, &token, "dev-2");
    assert_true(first.lease.shard == 0 && first.lease.shards == 3);
    assert_true(second.lease.shard == 1 && second.lease.shards == 3);
    fl_enrol_relay_answer again = s_join(two, &token, "dev-2");
    assert_true(again.reason == FL_WHY_NONE && again.lease.shard == 1);
    again = s_renew(two, two, &second, IDENTITY_NOW);
    assert_true(s_cert(&again, IDENTITY_NOW).serial == 3 && again.lease.shard == 1);
}

static void
a_device_that_comes_when_all_shards_are_leased_hears_so(void **state)
{
    (void)state;
    shards = 1;
    fl_enrol_relay_answer answer = s_join(one, &token, "dev-1");
    assert_int_equal(answer.reason, FL_WHY_NONE);
    answer = s_join(two, &token, "dev-2");
    s_refused(&answer, FL_WHY_NO_SHARD, "all 1 data shards are leased");
    fl_bytes id = fl_bytes_of(token.id, sizeof token.id);
    uint32_t uses = 0;
    bool gone;
    assert_int_equal(fl_ledger_token_uses(ledger, id, &uses, &gone, &why), FL_OK);
    assert_int_equal(uses, 1); // it may come again when there is room
}

//  As `fl forget` leaves the ledger.
static void
s_forget(const char *name, uint64_t serial)
{
    static uint64_t version;
    fl_denied act = { .node = identity_node(name), .serial = serial };
    (void)snprintf(act.reason, sizeof act.reason, FL_LEDGER_FORGOTTEN);
    assert_int_equal(fl_ledger_deny_put(ledger, ++version, fl_bytes_of("list", 4), &act, &why),
                     FL_OK);
}

static void
a_machine_that_replaces_a_forgotten_one_has_its_name_and_its_shard(void **state)
{
    (void)state;
    shards = 2;
    token.count = 9;
    fl_seeded source = fl_seeded_of(4);
    fl_entropy entropy = fl_entropy_seeded(&source);
    assert_int_equal(fl_token_make(authority, IDENTITY_NOW, &entropy, &token, &why), FL_OK);
    fl_keys *three = identity_keys(7), *four = identity_keys(8);
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1");
    fl_enrol_relay_answer other = s_join(three, &token, "dev-2");
    fl_enrol_relay_answer answer = s_join(two, &token, "dev-1");
    s_refused(&answer, FL_WHY_NAME, "'fl forget' it first");
    s_forget("dev-1", s_cert(&first, IDENTITY_NOW).serial);
    answer = s_join(two, &token, "dev-1");
    assert_true(answer.reason == FL_WHY_NONE && answer.lease.shard == first.lease.shard);
    answer = s_join(one, &token, "dev-1"); // the lost disk was found
    s_refused(&answer, FL_WHY_NAME, "dev-1");
    answer = s_join(four, &token, "dev-3");
    s_refused(&answer, FL_WHY_NO_SHARD, "all 2");
    s_forget("dev-2", s_cert(&other, IDENTITY_NOW).serial);
    answer = s_join(four, &token, "dev-3"); // dev-2 is gone for good
    assert_true(answer.reason == FL_WHY_NONE && answer.lease.shard == other.lease.shard);
    answer = s_join(three, &token, "dev-2");
    s_refused(&answer, FL_WHY_NO_SHARD, "all 2");
    fl_keys_destroy(&three);
    fl_keys_destroy(&four);
}

static void
who_enrolled_before_there_were_shards_gets_one_when_it_asks_again(void **state)
{
    (void)state;
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1");
    assert_int_equal(first.lease.shards, 0);
    shards = 1;
    fl_enrol_relay_answer again = s_join(one, &token, "dev-1");
    assert_true(again.reason == FL_WHY_NONE && again.lease.shards == 1);
    fl_enrol_relay_answer answer =
        s_join(two, &token, "dev-1"); // a name that is taken leases nothing
    s_refused(&answer, FL_WHY_NAME, "dev-1");
}

static void
a_name_is_its_first_holders_until_the_certificate_ends(void **state)
{
    (void)state;
    fl_enrol_relay_answer answer = s_join(one, &token, "dev-1");
    assert_int_equal(answer.reason, FL_WHY_NONE);
    answer = s_join(two, &token, "dev-1");
    s_refused(&answer, FL_WHY_NAME, "dev-1");
    uint64_t later = IDENTITY_NOW + IDENTITY_WEEK_S + 10;
    fl_token next = identity_terms();
    fl_seeded source = fl_seeded_of(4);
    fl_entropy entropy = fl_entropy_seeded(&source);
    next.not_after = later + 3600;
    assert_int_equal(fl_token_make(authority, later, &entropy, &next, &why), FL_OK);
    fl_sealed sealed = identity_join(two, &next, FL_ROLE_DEVICE, "dev-1");
    answer = s_apply(&sealed, later);
    fl_cert cert = s_cert(&answer, later);
    assert_true(fl_public_keys_equal(&cert.keys, fl_keys_public(two)));
}

static void
what_is_wrong_with_a_request_has_its_name(void **state)
{
    (void)state;
    fl_authority *other = identity_authority(2);
    fl_token foreign = identity_token(other);
    fl_enrol_relay_answer answer = s_join(one, &foreign, "dev-1"); // sealed to somebody else
    s_refused(&answer, FL_WHY_TOKEN, "seal");
    foreign.authority = token.authority;
    answer = s_join(one, &foreign, "dev-1");
    s_refused(&answer, FL_WHY_TOKEN, "token");
    answer = s_join(one, &token, "other-1");
    s_refused(&answer, FL_WHY_NAME, "name");
    fl_sealed sealed = identity_join(one, &token, FL_ROLE_EDGE, "dev-1");
    answer = s_apply(&sealed, IDENTITY_NOW);
    s_refused(&answer, FL_WHY_ROLE, "role");
    sealed = identity_join(one, &token, FL_ROLE_DEVICE, "dev-1");
    answer = s_apply(&sealed, IDENTITY_NOW + 2 * 3600);
    s_refused(&answer, FL_WHY_EXPIRED, "the token ended at");
    fl_name node = identity_node("dev-1");
    assert_int_equal(fl_deny_list_add(denied, &node, 0), FL_OK);
    answer = s_apply(&sealed, IDENTITY_NOW);
    s_refused(&answer, FL_WHY_REVOKED, "revoked");
    sealed.bytes[60] ^= 1;
    answer = s_apply(&sealed, IDENTITY_NOW);
    s_refused(&answer, FL_WHY_TOKEN, "seal");
    fl_authority_destroy(&other);
}

static void
a_renewal_goes_on_from_the_day_it_is_asked_for(void **state)
{
    (void)state;
    const uint64_t day = 24 * 3600, then = IDENTITY_NOW + 4 * day;
    fl_enrol_relay_answer first = s_join(one, &token, "dev-1");
    fl_enrol_relay_answer second = s_renew(one, one, &first, then);
    assert_int_equal(s_cert(&second, then).serial, 2);
    assert_int_equal(s_cert(&second, then).not_after, then + IDENTITY_WEEK_S);
    fl_enrol_relay_answer lost = s_renew(one, one, &first, then + 10); // the answer did not arrive
    assert_int_equal(s_cert(&lost, then).serial, 2);
    fl_enrol_relay_answer third = s_renew(two, one, &second, then + day);
    assert_int_equal(s_cert(&third, then + day).serial, 3);
    fl_cert cert = s_cert(&third, then + day);
    assert_true(fl_public_keys_equal(&cert.keys, fl_keys_public(two)));
    fl_enrol_relay_answer late = s_renew(one, one, &first, IDENTITY_NOW + 8 * day);
    s_refused(&late, FL_WHY_EXPIRED, "the root's clock says 2027-01-23 08:00 UTC");
}

static void
a_name_gets_only_so_many_certificates_within_an_hour(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(5);
    fl_enrol_relay_answer held = s_join(keys, &token, "dev-1");
    unsigned got = 1;
    for (unsigned i = 0; i < 40; i++) {
        fl_keys *next = identity_keys((uint8_t)(10 + i));
        fl_enrol_relay_answer answer = s_renew(next, keys, &held, IDENTITY_NOW + i);
        if (answer.reason == FL_WHY_NONE) {
            got++;
            fl_keys_destroy(&keys);
            keys = next;
            held = answer;
        } else {
            s_refused(&answer, FL_WHY_BUSY, "dev-1 got 8 certificates within 3600 s");
            fl_keys_destroy(&next);
        }
    }
    assert_int_equal(got, FL_ENROL_PER_NAME);
    fl_keys_destroy(&keys);
    keys = identity_keys(90);
    held = s_join(keys, &token, "dev-2"); // another name is not held up
    assert_int_equal(held.reason, FL_WHY_NONE);
    fl_keys_destroy(&keys);
}

static void
certificates_that_live_for_a_moment_are_counted_over_that_moment(void **state)
{
    (void)state;
    life_s = 3;
    fl_enrol_relay_answer held = s_join(one, &token, "dev-1"), answer = held;
    for (unsigned i = 1; i < FL_ENROL_PER_NAME; i++) {
        answer = s_renew(i % 2 == 1 ? two : one, i % 2 == 1 ? one : two, &answer, IDENTITY_NOW);
        assert_int_equal(answer.reason, FL_WHY_NONE);
    }
    held = s_renew(one, two, &answer, IDENTITY_NOW);
    s_refused(&held, FL_WHY_BUSY, "dev-1 got 8 certificates within 3 s");
}

static void
the_root_certifies_itself(void **state)
{
    (void)state;
    fl_keys *keys = identity_keys(9);
    fl_name node = identity_node("root");
    fl_enrol_relay_answer answer = { .reason = FL_WHY_NONE };
    assert_int_equal(fl_enrol_issue_root(authority, ledger, &node, fl_keys_public(keys),
                                         IDENTITY_NOW, IDENTITY_WEEK_S, answer.certificate, &why),
                     FL_OK);
    assert_int_equal(s_cert(&answer, IDENTITY_NOW).role, FL_ROLE_ROOT);
    token = identity_terms(); // and its name is its own
    fl_seeded source = fl_seeded_of(4);
    fl_entropy entropy = fl_entropy_seeded(&source);
    memset(token.name, 0, sizeof token.name);
    assert_int_equal(fl_token_make(authority, IDENTITY_NOW, &entropy, &token, &why), FL_OK);
    fl_keys *other = identity_keys(10);
    answer = s_join(other, &token, "root");
    s_refused(&answer, FL_WHY_NAME, "root");
    fl_keys_destroy(&keys);
    fl_keys_destroy(&other);
}

static void
a_ledger_that_cannot_write_gives_no_certificate(void **state)
{
    (void)state;
    fl_ledger_close(&ledger);
    if (!place_on_disk("size=256k", false)) {
        skip();
    }
    assert_int_equal(fl_ledger_open(place_of("ledger.db"), &ledger, &why), FL_OK);
    static uint8_t filling[4 * 1024 * 1024];
    FILE *file = fopen(place_of("full"), "wb");
    assert_true(fwrite(filling, 1, sizeof filling, file) < sizeof filling);
    (void)fclose(file);
    fl_enrol_relay_answer answer = s_join(one, &token, "dev-1");
    s_refused(&answer, FL_WHY_STORAGE, "log");
    assert_null(strstr(answer.text, place)); // no path of ours
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_token_gives_a_certificate_for_the_keys_that_asked, start, end),
        unit_case(the_same_keys_again_are_free_and_others_are_counted, start, end),
        unit_case(a_revoked_token_gives_nothing_new_and_takes_nothing_back, start, end),
        unit_case(a_device_is_leased_a_shard_and_keeps_it, start, end),
        unit_case(a_machine_that_replaces_a_forgotten_one_has_its_name_and_its_shard, start, end),
        unit_case(a_device_that_comes_when_all_shards_are_leased_hears_so, start, end),
        unit_case(who_enrolled_before_there_were_shards_gets_one_when_it_asks_again, start, end),
        unit_case(a_name_is_its_first_holders_until_the_certificate_ends, start, end),
        unit_case(what_is_wrong_with_a_request_has_its_name, start, end),
        unit_case(a_renewal_goes_on_from_the_day_it_is_asked_for, start, end),
        unit_case(a_name_gets_only_so_many_certificates_within_an_hour, start, end),
        unit_case(certificates_that_live_for_a_moment_are_counted_over_that_moment, start, end),
        unit_case(the_root_certifies_itself, start, end),
        unit_case(a_ledger_that_cannot_write_gives_no_certificate, start, end),
    };
    fl_why reason;
    if (fl_crypto_init(&reason) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
