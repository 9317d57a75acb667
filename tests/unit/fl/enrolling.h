//  enrolling - a parent with its authority in memory, for the tests of `fl enrol` and of programs
//  that enrol by themselves. Include after unit.h.
#ifndef FL_UNIT_FL_ENROLLING_H
#define FL_UNIT_FL_ENROLLING_H

#include "common/config/lock.h"
#include "common/identity/enrol_client.h"
#include "common/identity/state_dir.h"
#include "tests/support/identity.h"
#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

static struct {
    fl_authority *authority;
    char token[FL_TOKEN_TEXT_BYTES];
    uint64_t serial;
    uint64_t clock, grace_s; // of the authority
    uint32_t silent, busy;   // so many knocks get no answer, or no room
    fl_reason reason;        // refuse with it
    const char *words;
    bool refused_verb; // as REFUSED instead of ENROLLED
    bool foreign;      // the certificate is of another authority
    bool cut;          // the certificate is one byte short
    bool stale;        // an answer to another request
    uint8_t certificate[FL_CERT_BYTES];
    fl_lease lease;             // goes with it
    fl_enrol_request seen;      // the last request that held
    uint8_t door[FL_KEY_BYTES]; // key of the connection
    char endpoint[200];
} parent;

static inline void
issue(fl_message *reply)
{
    fl_authority *other = identity_authority(99);
    fl_cert cert = { .role = parent.seen.role,
                     .node = parent.seen.node,
                     .keys = parent.seen.keys,
                     .serial = ++parent.serial };
    fl_cert_issue(parent.foreign ? other : parent.authority, &cert, parent.clock, IDENTITY_WEEK_S,
                  parent.certificate);
    reply->enrolled.certificate =
        fl_bytes_of(parent.certificate, FL_CERT_BYTES - (size_t)parent.cut);
    reply->enrolled.shard = parent.lease.shard;
    reply->enrolled.shards = parent.lease.shards;
    fl_authority_destroy(&other);
}

static inline fl_status
knock(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
      fl_why *why)
{
    (void)body;
    (void)why;
    assert_int_equal(question->verb, FL_ENROL);
    assert_non_null(to->server_key);
    memcpy(parent.door, to->keys->public_key, sizeof parent.door);
    (void)snprintf(parent.endpoint, sizeof parent.endpoint, "%s", to->endpoint);
    if (parent.silent > 0) {
        parent.silent--;
        return FL_MISSING;
    }
    const fl_enrol_time time = { .now = parent.clock, .grace_s = parent.grace_s };
    fl_trust trust =
        fl_enrol_open(parent.authority, question->enrol.sealed, &time, NULL, &parent.seen);
    reply->verb = FL_ENROLLED;
    reply->enrolled.request = question->enrol.request + parent.stale;
    fl_reason reason = trust == FL_TRUST_OK        ? parent.reason
                       : trust == FL_TRUST_EXPIRED ? FL_WHY_EXPIRED
                                                   : FL_WHY_CERTIFICATE;
    if (parent.busy > 0) {
        parent.busy--;
        reason = FL_WHY_BUSY;
    }
    if (reason != FL_WHY_NONE) {
        fl_refused refused = { .reason = reason, .about = FL_ENROL };
        (void)snprintf(refused.text, sizeof refused.text, "%s",
                       parent.words == NULL ? fl_trust_name(trust) : parent.words);
        if (parent.refused_verb || reason == FL_WHY_BUSY) {
            *reply = (fl_message){ .verb = FL_REFUSED, .refused = refused };
        } else {
            reply->enrolled.reason = reason;
            memcpy(reply->enrolled.text, refused.text, sizeof refused.text);
        }
        return FL_OK;
    }
    issue(reply);
    return FL_OK;
}

static inline int
start(void **state)
{
    fake_forget();
    fl_authority_destroy(&parent.authority);
    memset(&parent, 0, sizeof parent);
    parent.clock = fake.wall_s = IDENTITY_NOW;
    parent.authority = identity_authority(5);
    fl_token token = identity_token(parent.authority);
    fl_token_text(&token, parent.token);
    fake.answer = knock;
    fake.input = parent.token;
    return place_make(state);
}

static inline int
stop(void **state)
{
    fake_forget();
    fl_authority_destroy(&parent.authority);
    return place_end(state);
}

static inline bool
is_there(const char *name)
{
    struct stat about;
    return lstat(place_of(name), &about) == 0;
}

//  The enrolment as a program calls it, which holds the lock and has no console.
typedef struct fl_os_of_test {
    fl_seeded source;
    fl_enrol_client result;
    fl_why why;
} fl_os_of_test;

static inline void
say_nothing(void *self, const char *line)
{
    (void)self;
    assert_non_null(line);
}

static inline int
world_join(fl_os_of_test *self, uint32_t line)
{
    self->source = fl_seeded_of(5);
    const fl_enrol_client_world world = { .in = stdin,
                                          .entropy = fl_entropy_seeded(&self->source),
                                          .wall_s = fake_wall,
                                          .now_ms = fake_now,
                                          .ask = fake_ask,
                                          .pause = fake_pause,
                                          .say = say_nothing };
    const fl_enrol_client_conf conf = { .state = place_of("d"),
                                        .locked = true,
                                        .role = FL_ROLE_DEVICE,
                                        .node = identity_node("dev-1"),
                                        .token = place_of("tokens"),
                                        .lines = true,
                                        .line = line,
                                        .endpoint = "",
                                        .parent = "",
                                        .wait_ms = 1000 };
    assert_int_equal(fl_state_dir_open(conf.state, &self->why), FL_OK);
    return fl_enrol_client_join(&conf, &world, &self->result, &self->why);
}

#define STATE place_of("d")
#define JOIN(...) fake_fl("enrol", "--state", STATE, "--node", "dev-1", __VA_ARGS__, NULL)

//  The certificate in the directory holds for the keys there.
static inline fl_cert
assert_enrolled(const char *name)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_authority_public authority;
    fl_state_dir_parent up;
    fl_keys *keys = NULL;
    fl_name node = identity_node(name);
    fl_cert cert;
    assert_int_equal(fl_state_dir_cert_load(STATE, bytes, NULL), FL_OK);
    assert_int_equal(fl_state_dir_authority_load(STATE, &authority, NULL), FL_OK);
    assert_int_equal(fl_state_dir_keys_load(STATE, &keys, NULL), FL_OK);
    assert_int_equal(fl_state_dir_parent_load(STATE, &up, NULL), FL_OK);
    assert_int_equal(fl_enrol_accept(fl_bytes_of(bytes, sizeof bytes), &authority, keys,
                                     FL_ROLE_DEVICE, &node, &cert),
                     FL_TRUST_OK);
    fl_keys_destroy(&keys);
    return cert;
}

#endif
