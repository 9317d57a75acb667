//  hostile - a peer that says what an attacker would say, made from the libraries of the real ones:
//  wrong certificates, forged tickets, other versions, unsigned orders, floods. For the tests in
//  security_*.py, which tell it what to do as `hostile ACT key=value ...` and read one line per
//  thing that it heard: `heard verb=refused reason=revoked about=hello text="..."`, or `silent`.
#include <czmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config/clock.h"
#include "common/crypto/deny.h"
#include "common/identity/state_dir.h"
#include "common/net/context.h"
#include "common/net/socket.h"
#include "common/net/zap.h"
#include "common/store/ledger.h"
#include "common/wire/codec.h"
#include "tests/integ/hostile.h"
#include "tests/support/words.h"

enum { WAIT_MS = 3000, RUN_WAIT_MS = 300 };

// ---- identities -------------------------------------------------------------------------------
static fl_keys *
s_keys(const char *home)
{
    fl_why why = { "" };
    fl_keys *keys = NULL;
    words_must(fl_state_dir_keys_load(home, &keys, &why), &why);
    return keys;
}

//  make home=DIR: a directory with fresh keys.
static void
s_make(void)
{
    fl_why why = { "" };
    fl_entropy entropy = fl_entropy_os();
    fl_keys *keys = NULL;
    char hex[2 * FL_CURVE_BYTES + 1];
    words_must(fl_state_dir_open(words_need("home"), &why), &why);
    words_must(fl_state_dir_keys_make(words_need("home"), &entropy, &keys, &why), &why);
    fl_hex(fl_keys_public(keys)->x, FL_CURVE_BYTES, hex);
    (void)printf("made key=%s\n", hex);
    fl_keys_destroy(&keys);
}

//  found home=DIR: an authority of our own.
static void
s_found(void)
{
    fl_why why = { "" };
    fl_entropy entropy = fl_entropy_os();
    fl_authority *authority = NULL;
    words_must(fl_state_dir_open(words_need("home"), &why), &why);
    words_must(fl_state_dir_secret_make(words_need("home"), &entropy, &authority, &why), &why);
    fl_authority_destroy(&authority);
    (void)printf("founded\n");
}

fl_role
hostile_role(const char *name)
{
    fl_role role = FL_ROLE_OPERATOR;
    while (role != FL_ROLE_NONE && strcmp(name, fl_role_name(role)) != 0) {
        role--;
    }
    return role;
}

//  issue authority=DIR home=DIR name=N role=R [life=S] [at=S from now]: a certificate for the keys
//  in `home`, left there as its own.
static void
s_issue(void)
{
    fl_why why = { "" };
    uint8_t bytes[FL_CERT_BYTES];
    fl_authority *authority = NULL;
    fl_keys *keys = s_keys(words_need("home"));
    fl_cert cert = { .role = hostile_role(words_need("role")), .keys = *fl_keys_public(keys),
                     .serial = (uint64_t)words_number("serial", 900000) };
    if (cert.role == FL_ROLE_NONE || !fl_name_parse(words_need("name"), &cert.node)) {
        words_die("no such role or name");
    }
    words_must(fl_state_dir_secret_load(words_need("authority"), &authority, &why), &why);
    uint64_t now = (uint64_t)((int64_t)fl_clock_wall_s() + words_number("at", 0));
    fl_cert_issue(authority, &cert, now, (uint64_t)words_number("life", 24 * 3600), bytes);
    words_must(fl_state_dir_cert_save(words_need("home"), bytes, false, &why), &why);
    words_must(fl_state_dir_mark_make(words_need("home"), &cert.node, &why), &why);
    words_must(
        fl_state_dir_authority_save(words_need("home"), fl_authority_public_of(authority), &why),
        &why);
    fl_authority_destroy(&authority);
    fl_keys_destroy(&keys);
    (void)printf("issued not_after=%llu\n", (unsigned long long)cert.not_after);
}

//  deny authority=DIR ledger=FILE count=N: the list of a root that revoked so many nodes, in the
//  ledger of one that does not run.
static void
s_deny(void)
{
    fl_why why = { "" };
    fl_authority *authority = NULL;
    fl_ledger *ledger = NULL;
    fl_deny_list *list = fl_deny_list_new();
    words_must(fl_state_dir_secret_load(words_need("authority"), &authority, &why), &why);
    words_must(fl_ledger_open(words_need("ledger"), &ledger, &why), &why);
    for (int64_t i = 0; i < words_number("count", 1); i++) {
        fl_name node = { { 0 } };
        (void)snprintf(node.name, sizeof node.name, "n-%09d", (int)i);
        words_must(fl_deny_list_add(list, &node, 0), &why);
    }
    fl_blob *bytes = fl_deny_list_sign(list, authority);
    words_must(fl_ledger_deny_put(ledger, fl_deny_list_version(list), fl_blob_bytes(bytes), NULL,
                                  &why), &why);
    fl_blob_unref(&bytes);
    fl_deny_list_destroy(&list);
    fl_ledger_close(&ledger);
    fl_authority_destroy(&authority);
}

static void
s_keypair(const char *home, fl_keypair *pair)
{
    fl_keys *keys = s_keys(home);
    memcpy(pair->public_key, fl_keys_public(keys)->x, sizeof pair->public_key);
    fl_keys_curve_secret(keys, pair->secret_key);
    fl_keys_destroy(&keys);
}

//  The certificate of `cert=DIR`, or our own; empty when there is none.
static fl_bytes
s_certificate(uint8_t bytes[FL_CERT_BYTES])
{
    const char *home = words_get("cert", words_need("home"));
    return fl_state_dir_cert_load(home, bytes, NULL) == FL_OK ? fl_bytes_of(bytes, FL_CERT_BYTES)
                                                              : fl_bytes_of(NULL, 0);
}

// ---- a child ----------------------------------------------------------------------------------
fl_socket *
hostile_dial_as(const fl_keypair *pair, fl_socket_kind kind, const char *endpoint, int queue)
{
    fl_why why = { "" };
    uint8_t server[FL_CURVE_BYTES];
    if (!fl_unhex(words_need("server"), server, sizeof server)) {
        words_die("server= is no key");
    }
    const bool plain = words_number("plain", 0) != 0; // no CURVE at all
    const fl_socket_conf conf = { .kind = kind,
                                  .queue = queue,
                                  .frame_bytes_max = 4 * MIB,
                                  .keys = plain ? NULL : pair,
                                  .server_key = plain ? NULL : server };
    fl_socket *link = fl_socket_new(&conf, &why);
    if (link == NULL || fl_socket_connect(link, endpoint, &why) != FL_OK) {
        words_die("%s", why.text);
    }
    return link;
}

fl_socket *
hostile_dial(fl_socket_kind kind, const char *endpoint, int queue)
{
    fl_keypair pair;
    s_keypair(words_need("home"), &pair);
    return hostile_dial_as(&pair, kind, endpoint, queue);
}

void
hostile_say(fl_socket *link, const fl_message *message, fl_bytes route)
{
    fl_blob *header = fl_encode(message, 0);
    (void)fl_socket_send(link, route, &header, NULL);
}

static void
s_print(const fl_message *message)
{
    (void)printf("heard verb=%s", fl_verb_name(message->verb));
    if (message->verb == FL_REFUSED) {
        (void)printf(" reason=%s about=%s text=\"%s\"", fl_reason_name(message->refused.reason),
                     fl_verb_name(message->refused.about), message->refused.text);
    } else if (message->verb == FL_WELCOME) {
        (void)printf(" seat=%u epoch=%u", message->welcome.seat, message->welcome.epoch);
    } else if (message->verb == FL_HELLO) {
        (void)printf(" role=%s", fl_role_name(message->hello.role));
    } else if (message->verb == FL_ENROLLED) {
        (void)printf(" reason=%s text=\"%s\"", fl_reason_name(message->enrolled.reason),
                     message->enrolled.text);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

//  Wait for one message. False when none came, or one that is not of our protocol.
bool
hostile_hear(fl_socket *link, fl_parcel *parcel, fl_message *message, int64_t wait_ms)
{
    const int64_t until = zclock_mono() + wait_ms;
    while (!fl_socket_receive(link, parcel)) {
        zmq_pollitem_t item = { .socket = fl_socket_handle(link), .events = ZMQ_POLLIN };
        const int64_t left = until - zclock_mono();
        if (left <= 0) {
            return false;
        }
        (void)zmq_poll(&item, 1, (long)left);
    }
    return fl_decode(parcel->header, parcel->body.size, message).code == FL_CODEC_OK;
}

//  Print the first message of the verb that is awaited (FL_VERB_NONE: of any), or a refusal; what
//  else comes until the end of the time is no answer.
static void
s_listen(hostile_child *self, fl_verb awaited)
{
    fl_parcel parcel = { .descriptor = -1 };
    fl_message message;
    const int64_t until = zclock_mono() + words_number("wait", WAIT_MS);
    bool answered = false;
    while (!answered && hostile_hear(self->control, &parcel, &message, until - zclock_mono())) {
        if (message.verb == FL_WELCOME) {
            self->seat = message.welcome;
        } else if (message.verb == FL_TASK) {
            self->run = message.run;
        }
        answered = awaited == FL_VERB_NONE || message.verb == awaited ||
                   message.verb == FL_REFUSED;
        if (answered) {
            s_print(&message);
        }
    }
    if (!answered) {
        (void)printf("silent\n");
        (void)fflush(stdout);
    }
    fl_parcel_release(&parcel);
}

fl_message
hostile_hello(uint8_t bytes[FL_CERT_BYTES])
{
    fl_message message = { .verb = FL_HELLO };
    message.hello.role = hostile_role(words_get("role", "device"));
    message.hello.incarnation = (uint64_t)words_number("incarnation", 4711);
    message.hello.leaves = 1;
    message.hello.certificate = s_certificate(bytes);
    return message;
}

//  Whole frames as they go out, a byte of them changed.
static void
s_say_changed(fl_socket *link, const fl_message *message, size_t at, uint8_t value)
{
    fl_blob *header = fl_encode(message, 0);
    fl_blob_data(header)[at] = value;
    (void)fl_socket_send(link, fl_bytes_of(NULL, 0), &header, NULL);
}

fl_message
hostile_contrib(const hostile_child *self, bool forged)
{
    fl_message message = { .verb = FL_CONTRIB, .run = self->run, .round = 1 };
    fl_contrib *contrib = &message.contrib;
    contrib->attempt = 1;
    contrib->seat = self->seat.seat;
    contrib->epoch = self->seat.epoch;
    memcpy(contrib->ticket, self->seat.ticket, sizeof contrib->ticket);
    contrib->ticket[0] ^= forged ? 1 : 0;
    contrib->base_round = 1;
    contrib->weight = 1;
    contrib->count = 1;
    contrib->elements = 1;
    contrib->vector_bytes = 1;
    return message;
}

//  The run comes with the first task, if there is one soon.
static void
s_learn_run(hostile_child *self)
{
    fl_parcel parcel = { .descriptor = -1 };
    fl_message message = { .verb = FL_VERB_NONE };
    const int64_t until = zclock_mono() + RUN_WAIT_MS;
    while (message.verb != FL_TASK &&
           hostile_hear(self->control, &parcel, &message, until - zclock_mono())) {
        self->run = message.verb == FL_TASK ? message.run : self->run;
    }
    fl_parcel_release(&parcel);
}

void
hostile_act(hostile_child *self, const char *what)
{
    uint8_t bytes[FL_CERT_BYTES];
    const fl_bytes nobody = fl_bytes_of(NULL, 0);
    fl_message message = { .verb = FL_BEAT };
    if (strcmp(what, "hello") == 0) {
        message = hostile_hello(bytes);
        hostile_say(self->control, &message, nobody);
        s_listen(self, FL_WELCOME);
        s_learn_run(self);
    } else if (strcmp(what, "major") == 0) {
        message = hostile_hello(bytes);
        s_say_changed(self->control, &message, 4, FL_WIRE_MAJOR + 1);
        s_listen(self, FL_WELCOME);
    } else if (strcmp(what, "garbage") == 0) {
        message = hostile_hello(bytes);
        s_say_changed(self->control, &message, 0, 'X');
        s_listen(self, FL_WELCOME);
    } else if (strcmp(what, "beat") == 0) {
        message.run = self->run;
        message.beat.seat = self->seat.seat;
        message.beat.epoch = self->seat.epoch;
        hostile_say(self->control, &message, nobody);
        s_listen(self, FL_VERB_NONE); // a beat, a task or whatever heals us
    } else if (strcmp(what, "forged") == 0 || strcmp(what, "contrib") == 0) {
        message = hostile_contrib(self, what[0] == 'f');
        hostile_say(self->control, &message, nobody);
        s_listen(self, FL_GRANT);
    } else if (strcmp(what, "welcome") == 0) { // a parent's word from a child
        message = (fl_message){ .verb = FL_WELCOME, .welcome = { .beat_ms = 1 } };
        hostile_say(self->control, &message, nobody);
        s_listen(self, FL_WELCOME);
    } else if (strcmp(what, "bulk") == 0) { // on a lane where we hold no seat
        fl_socket *down = hostile_dial(FL_SOCKET_DEALER, words_need("down"), 100);
        message = (fl_message){ .verb = FL_FETCH, .fetch = { .bytes = 100 } };
        hostile_say(down, &message, nobody);
        hostile_child lane = { .control = down };
        s_listen(&lane, FL_PIECE);
        fl_socket_destroy(&down);
    } else if (strcmp(what, "pause") == 0) {
        zclock_sleep((int)words_number("pause", 1000));
    } else {
        words_die("cannot say '%s'", what);
    }
}

//  speak home=DIR server=KEY endpoint=E say=hello,beat,... [cert=DIR] [role=R] [wait=MS] [plain=1]
static void
s_speak(void)
{
    hostile_child self = { .control = hostile_dial(FL_SOCKET_DEALER, words_need("endpoint"), 100) };
    char plan[256];
    char *rest = NULL;
    (void)snprintf(plan, sizeof plan, "%s", words_need("say"));
    for (char *what = strtok_r(plan, ",", &rest); what != NULL; what = strtok_r(NULL, ",", &rest)) {
        hostile_act(&self, what);
    }
    fl_socket_destroy(&self.control);
}

// ---- messages without an end ------------------------------------------------------------------
//  One message of so many frames, all the same bytes of ours; libzmq holds references only.
void
hostile_endless(fl_socket *link, uint64_t frames, size_t frame_bytes)
{
    static uint8_t same[2 * MIB];
    for (uint64_t i = 0; i < frames; i++) {
        zmq_msg_t frame;
        (void)zmq_msg_init_data(&frame, same, frame_bytes, NULL, NULL);
        if (zmq_msg_send(&frame, fl_socket_handle(link), i < frames - 1 ? ZMQ_SNDMORE : 0) < 0) {
            words_die("%s", zmq_strerror(zmq_errno()));
        }
    }
}

static void
s_endless_to(fl_socket *link, fl_bytes route, uint64_t frames, size_t frame_bytes)
{
    if (zmq_send(fl_socket_handle(link), route.data, route.size, ZMQ_SNDMORE) >= 0) {
        hostile_endless(link, frames, frame_bytes);
    }
}

// ---- a parent ---------------------------------------------------------------------------------
static fl_zap_verdict
s_everybody(void *arg, fl_way way, const uint8_t key[FL_KEY_BYTES], fl_time now)
{
    (void)arg;
    (void)way;
    (void)key;
    (void)now;
    return FL_ZAP_ADMIT;
}

//  A task that everything is right about but the signature.
static void
s_say_task(fl_socket *link, fl_bytes route, const fl_run *run)
{
    fl_message message = { .verb = FL_TASK, .run = *run, .round = 1 };
    fl_order *order = &message.task.order;
    message.task.attempt = 1;
    message.task.budget_ms = 60000;
    *order = (fl_order){ .run = *run, .round = 1, .model_bytes = 1000, .elements = 100 };
    order->plan = (fl_plan){ .clip = 1.0f,
                             .bits = 8,
                             .weight_unit = 1,
                             .weight_max = 1,
                             .devices_max = 1,
                             .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } } };
    memset(message.task.signature, 0x5a, sizeof message.task.signature);
    hostile_say(link, &message, route);
}

static void
s_say_welcome(fl_socket *link, fl_bytes route, const fl_run *run)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_message message = { .verb = FL_WELCOME, .run = *run };
    message.welcome = (fl_welcome){ .epoch = 1, .beat_ms = 500, .up_port = 1, .down_port = 1,
                                    .certificate = s_certificate(bytes) };
    hostile_say(link, &message, route);
}

//  A list that only the authority could sign, from somebody else.
static void
s_say_deny(fl_socket *link, fl_bytes route, const fl_run *run)
{
    static uint8_t list[200];
    memset(list, 1, sizeof list);
    const fl_message message = { .verb = FL_DENY, .run = *run,
                                 .deny = { .version = 99, .list = { list, sizeof list } } };
    hostile_say(link, &message, route);
}

static void
s_answer_child(fl_socket *link, const fl_parcel *parcel, const fl_message *message)
{
    static const fl_run run = { { 7, 7, 7 } };
    const char *says = words_get("say", "welcome,task");
    const fl_message beat = { .verb = FL_BEAT, .run = run };
    s_print(message);
    if (message->verb == FL_HELLO && strstr(says, "endless") != NULL) {
        s_endless_to(link, parcel->route, HOSTILE_ENDLESS / CONTROL_FRAME, CONTROL_FRAME);
    }
    if (message->verb == FL_HELLO && strstr(says, "welcome") != NULL) {
        s_say_welcome(link, parcel->route, &run);
    }
    if (message->verb == FL_BEAT && strstr(says, "deny") != NULL) {
        s_say_deny(link, parcel->route, &run);
    }
    if (message->verb != FL_ENROL && strstr(says, "task") != NULL) {
        s_say_task(link, parcel->route, &run);
    }
    if (message->verb == FL_BEAT) {
        hostile_say(link, &beat, parcel->route);
    }
}

//  parent home=DIR listen=E say=welcome,task,deny,endless [cert=DIR] [wait=MS]: stands where a
//  parent of these keys should stand.
static void
s_parent(void)
{
    fl_why why = { "" };
    fl_keypair pair;
    s_keypair(words_need("home"), &pair);
    const fl_socket_conf conf = {
        .kind = FL_SOCKET_ROUTER, .queue = 100, .frame_bytes_max = MIB, .keys = &pair,
        .domain = "control"
    };
    fl_zap *zap = fl_zap_new(s_everybody, NULL, &why);
    fl_socket *link = fl_socket_new(&conf, &why);
    if (zap == NULL || link == NULL ||
        fl_socket_bind(link, words_need("listen"), NULL, &why) != FL_OK) {
        words_die("%s", why.text);
    }
    (void)printf("listening\n");
    (void)fflush(stdout);
    const int64_t until = zclock_mono() + words_number("wait", WAIT_MS);
    fl_parcel parcel = { .descriptor = -1 };
    fl_message message;
    while (zclock_mono() < until) {
        zmq_pollitem_t items[] = { { .socket = fl_zap_handle(zap), .events = ZMQ_POLLIN },
                                   { .socket = fl_socket_handle(link), .events = ZMQ_POLLIN } };
        (void)zmq_poll(items, 2, 100);
        fl_zap_serve(zap, 100, 0);
        if (hostile_hear(link, &parcel, &message, 0)) {
            s_answer_child(link, &parcel, &message);
        }
    }
    fl_parcel_release(&parcel);
    fl_socket_destroy(&link);
    fl_zap_destroy(&zap);
}

int
main(int argc, char **argv)
{
    static const words_act acts[] = { { "make", s_make },   { "found", s_found },
                                      { "issue", s_issue }, { "speak", s_speak },
                                      { "parent", s_parent }, { "flood", hostile_flood },
                                      { "deny", s_deny }, { "keys", hostile_keys } };
    fl_why why = { "" };
    words_must(fl_crypto_init(&why), &why);
    words_must(fl_net_open(1, &why), &why);
    words_run(argc, argv, acts, sizeof acts / sizeof *acts);
    fl_net_close();
    return 0;
}
