//  Who may speak, asked of the admission itself: no socket is opened, parcels are made by hand.
#include "common/net/admission.h"

#include <string.h>

#include "common/wire/codec.h"
#include "tests/support/messages.h"
#include "tests/support/unit.h"

enum { PLACES = 512, CROWD = 100000 };

static bool revoked; // node "dev-a"
static fl_metrics metrics;

static fl_reason
s_standing(void *self, const uint8_t key[FL_KEY_BYTES], const fl_badge *badge)
{
    (void)self, (void)key;
    return revoked && badge != NULL && strcmp(badge->node.name, "dev-a") == 0 ? FL_WHY_REVOKED
                                                                              : FL_WHY_NONE;
}

//  The certificate is the name.
static fl_reason
s_check(void *self, fl_bytes certificate, const uint8_t key[FL_KEY_BYTES], fl_role claimed,
        fl_badge *badge)
{
    (void)self, (void)key;
    *badge = (fl_badge){ .role = claimed, .serial = 1, .not_after = 1 };
    memcpy(badge->node.name, certificate.data, certificate.size);
    return s_standing(NULL, key, badge);
}

static fl_reason
s_incoming(void *self, fl_peer from, const fl_badge *badge, fl_message *message)
{
    (void)self, (void)from, (void)badge, (void)message;
    return FL_WHY_NONE;
}

static const fl_admission_ops ops = { .standing = s_standing,
                                      .check = s_check,
                                      .incoming = s_incoming };

//  A message of the key that is `number`, on that route.
static fl_judgement
s_say_on(fl_admission *at, uint32_t number, uint32_t on, const fl_message *message)
{
    uint8_t key[FL_KEY_BYTES] = { 1 }, route[5] = { 0 };
    char user[FL_USER_CHARS + 1];
    memcpy(key + 1, &number, sizeof number);
    memcpy(route + 1, &on, sizeof on);
    fl_hex(key, sizeof key, user);
    fl_blob *header = fl_encode(message, 0);
    assert_non_null(header);
    const fl_parcel parcel = { .route = fl_bytes_of(route, sizeof route),
                               .header = fl_blob_bytes(header),
                               .user = user,
                               .descriptor = -1 };
    fl_message heard;
    fl_judgement verdict = fl_admission_judge(at, FL_WAY_CONTROL, &parcel, 1000, &heard);
    fl_blob_unref(&header);
    return verdict;
}

static fl_judgement
s_say(fl_admission *at, uint32_t number, const fl_message *message)
{
    return s_say_on(at, number, number, message);
}

static fl_judgement
s_hello(fl_admission *at, uint32_t number, const char *name)
{
    const fl_message hello = {
        .verb = FL_HELLO,
        .hello = { .role = FL_ROLE_DEVICE, .certificate = fl_bytes_of(name, strlen(name)) }
    };
    return s_say(at, number, &hello);
}

static void
a_seated_node_that_is_revoked_is_not_heard_however_many_other_keys_were_admitted(void **state)
{
    (void)state;
    fl_guard *guard = fl_guard_new(&(fl_guard_conf){ .unread_max = 0 }, &metrics);
    fl_admission *at = fl_admission_new(&(fl_admission_conf){ .sessions_max = PLACES }, &ops, guard,
                                        &metrics);
    const fl_message beat = { .verb = FL_BEAT };
    assert_int_equal(s_hello(at, 0, "dev-a").kind, FL_JUDGED_PASS);
    for (uint32_t i = 1; i <= CROWD; i++) {
        fl_judgement verdict = s_hello(at, i, "crowd");
        assert_int_equal(verdict.kind, FL_JUDGED_PASS);
        fl_admission_expel(at, verdict.peer); // it goes again
    }
    assert_int_equal(s_say(at, 0, &beat).kind, FL_JUDGED_PASS);
    revoked = true;
    fl_judgement verdict = s_say(at, 0, &beat);
    assert_int_equal(verdict.kind, FL_JUDGED_DROP);
    assert_int_equal(verdict.refused.reason, FL_WHY_REVOKED);
    assert_int_not_equal(s_hello(at, 0, "dev-a").kind, FL_JUDGED_PASS);
    for (size_t i = 0; i < MESSAGES_VERBS; i++) { // a round's words and those of a masked round
        static messages_letter letter;
        messages_sample(messages_verbs[i], &letter);
        if (letter.body_bytes == 0) {
            assert_int_equal(s_say(at, 0, &letter.message).refused.reason, FL_WHY_REVOKED);
        }
    }
    revoked = false;
    assert_int_equal(s_hello(at, 0, "dev-a").kind, FL_JUDGED_PASS);
    fl_admission_destroy(&at);
    fl_guard_destroy(&guard);
}

//  The same key from a second machine: until the machine welcomes it, the first one is heard.
static void
a_second_process_of_a_key_is_heard_once_it_is_welcome(void **state)
{
    (void)state;
    fl_guard *guard = fl_guard_new(&(fl_guard_conf){ .unread_max = 0 }, &metrics);
    fl_admission *at =
        fl_admission_new(&(fl_admission_conf){ .sessions_max = PLACES }, &ops, guard, &metrics);
    const fl_message beat = { .verb = FL_BEAT };
    const fl_message hello = { .verb = FL_HELLO,
                               .hello = { .role = FL_ROLE_DEVICE,
                                          .certificate = fl_bytes_of("dev-a", 5) } };
    const fl_peer peer = s_hello(at, 0, "dev-a").peer;
    fl_judgement second = s_say_on(at, 0, 9, &hello);
    assert_int_equal(second.kind, FL_JUDGED_PASS);
    assert_string_equal(second.badge->node.name, "dev-a");
    assert_int_equal(fl_admission_hello_route(at, peer).data[1], 9); // where the answer goes
    assert_int_equal(fl_admission_route(at, FL_WAY_CONTROL, peer).data[1], 0);
    assert_int_equal(s_say_on(at, 0, 9, &beat).refused.reason, FL_WHY_UNKNOWN_SEAT);
    assert_int_equal(s_say(at, 0, &beat).kind, FL_JUDGED_PASS);
    fl_admission_welcome(at, peer);
    assert_int_equal(s_say_on(at, 0, 9, &beat).kind, FL_JUDGED_PASS);
    assert_int_equal(s_say(at, 0, &beat).refused.reason, FL_WHY_UNKNOWN_SEAT);
    fl_admission_destroy(&at);
    fl_guard_destroy(&guard);
}

//  Three connections of a seated key that end before their first word, as those of a process that
//  stood still do: it waits a moment for the third, not for as long as a silent one may last.
static void
silent_connections_are_few_and_those_that_ended_are_soon_forgotten(void **state)
{
    (void)state;
    const uint8_t key[FL_KEY_BYTES] = { 1 };
    fl_guard *guard = fl_guard_new(&(fl_guard_conf){ .unread_max = 0 }, &metrics);
    fl_admission *at =
        fl_admission_new(&(fl_admission_conf){ .sessions_max = PLACES }, &ops, guard, &metrics);
    assert_int_equal(fl_admission_admits(at, FL_WAY_UP, key, 1000), FL_ZAP_LATER); // no seat
    assert_int_equal(s_hello(at, 0, "dev-a").kind, FL_JUDGED_PASS);
    assert_int_equal(fl_admission_admits(at, FL_WAY_UP, key, 1000), FL_ZAP_ADMIT);
    assert_int_equal(fl_admission_admits(at, FL_WAY_UP, key, 1000), FL_ZAP_ADMIT);
    assert_int_equal(fl_admission_admits(at, FL_WAY_UP, key, 1000), FL_ZAP_LATER);
    assert_int_equal(fl_admission_admits(at, FL_WAY_DOWN, key, 1000), FL_ZAP_ADMIT);
    assert_int_equal(fl_admission_admits(at, FL_WAY_UP, key, 999 + FL_UNHEARD_MS), FL_ZAP_LATER);
    unsigned let_in = 2; // and who is greedy gets few more
    for (fl_time now = 1000; now <= 1000 + FL_STRANGER_MS; now += 50) {
        let_in += fl_admission_admits(at, FL_WAY_UP, key, now) == FL_ZAP_ADMIT ? 1 : 0;
    }
    assert_int_equal(let_in, FL_KEY_UNHEARD + FL_STRANGER_MS / FL_UNHEARD_MS);
    fl_admission_destroy(&at);
    fl_guard_destroy(&guard);
}

//  A node renews beside its running process, with the same key: the answer goes to who asked.
static void
a_certified_key_enrols_with_its_name_and_keeps_its_seat(void **state)
{
    (void)state;
    fl_guard *guard = fl_guard_new(&(fl_guard_conf){ .unread_max = 0 }, &metrics);
    fl_admission *at = fl_admission_new(
        &(fl_admission_conf){ .sessions_max = PLACES, .guests_max = 4 }, &ops, guard, &metrics);
    const fl_message beat = { .verb = FL_BEAT };
    const fl_message enrol = { .verb = FL_ENROL, .enrol = { .sealed = fl_bytes_of("sealed", 6) } };
    fl_judgement seat = s_hello(at, 0, "dev-a");
    fl_bytes control = fl_admission_route(at, FL_WAY_CONTROL, seat.peer);
    fl_judgement verdict = s_say_on(at, 0, 9, &enrol);
    assert_int_equal(verdict.kind, FL_JUDGED_PASS);
    assert_int_equal(verdict.peer, seat.peer);
    assert_string_equal(verdict.badge->node.name, "dev-a");
    assert_int_equal(fl_admission_enrol_route(at, seat.peer).data[1], 9);
    assert_int_equal(fl_admission_route(at, FL_WAY_CONTROL, seat.peer).data[1], control.data[1]);
    assert_int_equal(s_say(at, 0, &beat).kind, FL_JUDGED_PASS);
    const uint8_t key[FL_KEY_BYTES] = { 1 };
    fl_admission_shun(at, seat.peer, 1000); // it flooded
    assert_int_equal(fl_admission_admits(at, FL_WAY_CONTROL, key, 1000 + FL_SHUN_MS - 1),
                     FL_ZAP_DENY);
    assert_int_equal(fl_admission_admits(at, FL_WAY_CONTROL, key, 1000 + FL_SHUN_MS), FL_ZAP_ADMIT);
    fl_admission_expel(at, seat.peer);
    assert_non_null(s_say_on(at, 0, 9, &enrol).badge); // seated once: known
    assert_null(s_say_on(at, 1, 1, &enrol).badge);     // a stranger is not
    fl_admission_destroy(&at);
    fl_guard_destroy(&guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_seated_node_that_is_revoked_is_not_heard_however_many_other_keys_were_admitted),
        cmocka_unit_test(a_second_process_of_a_key_is_heard_once_it_is_welcome),
        cmocka_unit_test(silent_connections_are_few_and_those_that_ended_are_soon_forgotten),
        cmocka_unit_test(a_certified_key_enrols_with_its_name_and_keeps_its_seat),
    };
    return cmocka_run_group_tests_name("net/admission", tests, NULL, NULL);
}
