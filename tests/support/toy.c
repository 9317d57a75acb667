#include "tests/support/toy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "common/machine/outbox.h"

static const char *const loopback = "tcp://127.0.0.1:0";

enum { TOYS_MAX = 32 };
static toy *toys[TOYS_MAX]; // all that live, so that a failed test leaves none

int
toy_setup(void **state)
{
    (void)state;
    return fl_net_open(1, NULL) == FL_OK ? 0 : -1;
}

int
toy_teardown(void **state)
{
    (void)state;
    fl_net_close();
    return 0;
}

int
toy_clear(void **state)
{
    (void)state;
    for (unsigned i = TOYS_MAX; i > 0; i--) {
        if (toys[i - 1] != NULL) {
            toy *left = toys[i - 1];
            toy_destroy(&left);
        }
    }
    return 0;
}

void
toy_keys(fl_keypair *keys)
{
    char public_text[41], secret_text[41];
    assert_int_equal(zmq_curve_keypair(public_text, secret_text), 0);
    assert_non_null(zmq_z85_decode(keys->public_key, public_text));
    assert_non_null(zmq_z85_decode(keys->secret_key, secret_text));
}

enum { NAME_BYTES = 16 };

fl_bytes
toy_certificate(const char *name, fl_role role, const fl_keypair *keys,
                uint8_t bytes[FL_CERT_BYTES_MAX])
{
    memset(bytes, 0, NAME_BYTES);
    memcpy(bytes, name, strlen(name));
    bytes[NAME_BYTES] = (uint8_t)role;
    memcpy(bytes + NAME_BYTES + 1, keys->public_key, FL_KEY_BYTES);
    return fl_bytes_of(bytes, NAME_BYTES + 1 + FL_KEY_BYTES);
}

void
toy_fill(uint8_t *bytes, size_t size, uint64_t offset)
{
    for (size_t i = 0; i < size; i++) {
        const uint64_t at = offset + i;
        bytes[i] = (uint8_t)(at ^ (at >> 8) ^ (at >> 16));
    }
}

// ---- identity ---------------------------------------------------------------------------------
static fl_reason
s_standing(void *arg, const uint8_t key[FL_KEY_BYTES], const fl_badge *badge)
{
    const toy_trust *self = arg;
    (void)badge;
    for (unsigned i = 0; i < self->denied_count; i++) {
        if (memcmp(self->denied[i], key, FL_KEY_BYTES) == 0) {
            return FL_WHY_REVOKED;
        }
    }
    return FL_WHY_NONE;
}

static fl_reason
s_check(void *arg, fl_bytes certificate, const uint8_t key[FL_KEY_BYTES], fl_role claimed,
        fl_badge *badge)
{
    (void)arg;
    if (certificate.size != NAME_BYTES + 1 + FL_KEY_BYTES ||
        memcmp(certificate.data + NAME_BYTES + 1, key, FL_KEY_BYTES) != 0) {
        return FL_WHY_CERTIFICATE;
    }
    if (certificate.data[NAME_BYTES] != (uint8_t)claimed) {
        return FL_WHY_ROLE;
    }
    memcpy(badge->node.name, certificate.data, NAME_BYTES);
    badge->role = claimed;
    return FL_WHY_NONE;
}

static fl_reason
s_incoming(void *arg, fl_peer from, const fl_badge *badge, fl_message *message)
{
    const toy_trust *self = arg;
    (void)from;
    (void)badge;
    return message->verb == self->suspect ? self->suspicion : FL_WHY_NONE;
}

static void
s_outgoing(void *arg, fl_peer to, fl_message *message)
{
    const toy_trust *self = arg;
    if (message->verb == FL_HELLO && to == FL_PARENT) {
        message->hello.certificate = self->certificate;
    }
    if (message->verb == FL_WELCOME) {
        message->welcome.certificate = fl_bytes_of("parent", 6);
    }
}

// ---- machine ----------------------------------------------------------------------------------
static void
s_hear_message(toy *self, toy_heard *heard, const fl_event *event)
{
    const fl_message *message = event->message.message;
    heard->verb = message->verb;
    heard->from = event->message.from;
    heard->node = event->message.node;
    heard->role = event->message.role;
    heard->body_bytes = event->message.body_bytes;
    if (message->verb == FL_REFUSED) {
        heard->reason = message->refused.reason;
        heard->about = message->refused.about;
        memcpy(heard->text, message->refused.text, sizeof heard->text);
    } else if (message->verb == FL_CHUNK) {
        heard->offset = message->chunk.offset;
        toy_do(self, FL_FX_STAGE)->stage.offset = heard->offset;
    } else if (message->verb == FL_PIECE) {
        heard->offset = message->piece.offset;
        toy_do(self, FL_FX_PLACE)->place.offset = heard->offset;
    } else if (message->verb == FL_HELLO && self->welcomes) {
        fl_message *welcome = toy_say(self, heard->from, FL_WELCOME);
        welcome->welcome.seat = 1;
        welcome->welcome.epoch = 1;
        welcome->welcome.beat_ms = 1000;
        welcome->welcome.up_port = self->listener.port[FL_WAY_UP];
        welcome->welcome.down_port = self->listener.port[FL_WAY_DOWN];
    }
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    toy *self = arg;
    (void)now;
    self->ticks += event->kind == FL_EV_TICK ? 1 : 0;
    if (event->kind != FL_EV_TICK) {
        assert_true(self->heard_count < TOY_HEARD_MAX);
        toy_heard *heard = &self->heard[self->heard_count++];
        *heard = (toy_heard){ .kind = event->kind };
        if (event->kind == FL_EV_MESSAGE) {
            s_hear_message(self, heard, event);
        } else if (event->kind == FL_EV_GONE) {
            heard->from = event->gone.peer;
            heard->reason = event->gone.reason;
        }
    }
    for (unsigned i = 0; i < self->says_count; i++) {
        *fl_outbox_add(out, self->says[i].kind) = self->says[i];
    }
    self->says_count = 0;
}

static fl_time
s_deadline(const void *arg)
{
    return ((const toy *)arg)->says_count > 0 ? 0 : FL_NEVER;
}

// ---- host -------------------------------------------------------------------------------------
//  STAGE and PLACE follow the event that was heard last: its body must be there.
static void
s_obey(void *arg, const fl_effect *effect, fl_bytes body)
{
    toy *self = arg;
    self->obeyed++;
    if (effect->kind == FL_FX_STAGE || effect->kind == FL_FX_PLACE) {
        toy_heard *heard = &self->heard[self->heard_count - 1];
        uint8_t *right = malloc(body.size + 1);
        assert_non_null(right);
        toy_fill(right, body.size, heard->offset);
        heard->body_right = body.size > 0 && body.size == heard->body_bytes &&
                            memcmp(right, body.data, body.size) == 0;
        free(right);
    }
}

static bool
s_lend(toy *self, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    if (self->vector == NULL || offset + bytes > fl_blob_size(self->vector)) {
        return false;
    }
    loan->blob = fl_blob_ref(self->vector);
    loan->bytes = fl_bytes_of(fl_blob_bytes(self->vector).data + offset, bytes);
    return true;
}

static bool
s_vector(void *arg, fl_vec vec, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    (void)vec;
    return s_lend(arg, offset, bytes, loan);
}

static bool
s_model(void *arg, const fl_hash *hash, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    (void)hash;
    return s_lend(arg, offset, bytes, loan);
}

static void
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    toy *self = arg;
    self->asks++;
    self->ask = *ask;
    self->ticket = ticket;
    if (self->answers) {
        fl_blob *json = fl_blob_copy(fl_bytes_of("{}", 2));
        fl_reactor_answer(self->reactor, ticket, 3, &json);
    }
}

static void
s_refused(void *arg, fl_way way, const fl_name *node, const fl_refused *refused)
{
    toy *self = arg;
    (void)way;
    self->refusals++;
    self->refused = *refused;
    self->refused_node = node != NULL ? *node : (fl_name){ .name = "" };
}

static void
s_cut(void *arg, fl_way way, const fl_name *node, const char *why)
{
    fl_refused refused = { .reason = FL_WHY_FULL };
    snprintf(refused.text, sizeof refused.text, "%s", why);
    s_refused(arg, way, node, &refused);
}

// ---- making -----------------------------------------------------------------------------------
static toy *
s_new(void)
{
    toy *self = calloc(1, sizeof *self);
    assert_non_null(self);
    unsigned place = 0;
    while (place < TOYS_MAX && toys[place] != NULL) {
        place++;
    }
    assert_true(place < TOYS_MAX);
    toys[place] = self;
    self->trust.ops =
        (fl_admission_ops){ &self->trust, s_standing, s_check, s_incoming, s_outgoing, NULL };
    return self;
}

static void
s_react(toy *self, fl_listener *listener, const fl_dialer_conf *dialer)
{
    const fl_reactor_conf conf = {
        .machine = { self, s_step, s_deadline },
        .host = { self, s_obey, s_vector, s_model, s_ask, s_refused, s_cut },
        .ops = &self->trust.ops,
        .metrics = &self->metrics,
        .listener = listener,
        .dialer = dialer,
        .effects_max = TOY_SAYS_MAX,
        .posts_max = 16,
    };
    fl_why why = { .text = "" };
    self->reactor = fl_reactor_new(&conf, &why);
    if (self->reactor == NULL) {
        fail_msg("%s", why.text);
    }
}

toy *
toy_parent(void)
{
    toy *self = s_new();
    fl_listener_conf conf = {
        .endpoint = { loopback, loopback, loopback },
        .gate = { .sessions_max = 8, .guests_max = 2 },
    };
    fl_why why = { .text = "" };
    toy_keys(&self->keys);
    conf.keys = &self->keys;
    if (fl_listener_open(&self->listener, &conf, &self->trust.ops, &self->metrics, &why) != FL_OK) {
        fail_msg("%s", why.text);
    }
    self->welcomes = true;
    s_react(self, &self->listener, NULL);
    return self;
}

toy *
toy_stranger(toy *parent, const fl_keypair *keys, fl_bytes certificate, const uint8_t *parent_key)
{
    toy *self = s_new();
    fl_dialer_conf conf = { .host = "127.0.0.1", .port = parent->listener.port[FL_WAY_CONTROL] };
    self->keys = *keys;
    conf.keys = &self->keys;
    memcpy(conf.parent_key, parent_key != NULL ? parent_key : parent->keys.public_key,
           FL_KEY_BYTES);
    memcpy(self->trust.bytes, certificate.data, certificate.size);
    self->trust.certificate = fl_bytes_of(self->trust.bytes, certificate.size);
    s_react(self, NULL, &conf);
    return self;
}

toy *
toy_child(toy *parent, const char *name)
{
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    return toy_stranger(parent, &keys, toy_certificate(name, FL_ROLE_DEVICE, &keys, bytes), NULL);
}

void
toy_destroy(toy **self_p)
{
    toy *self = *self_p;
    *self_p = NULL;
    for (unsigned i = 0; i < TOYS_MAX; i++) {
        toys[i] = toys[i] == self ? NULL : toys[i];
    }
    fl_reactor_destroy(&self->reactor);
    fl_listener_close(&self->listener);
    fl_blob_unref(&self->vector);
    free(self);
}

void
toy_deny(toy *self, const fl_keypair *keys)
{
    assert_true(self->trust.denied_count < TOY_DENIED_MAX);
    memcpy(self->trust.denied[self->trust.denied_count++], keys->public_key, FL_KEY_BYTES);
}

void
toy_allow_all(toy *self)
{
    self->trust.denied_count = 0;
}

// ---- talking ----------------------------------------------------------------------------------
fl_effect *
toy_do(toy *self, fl_effect_kind kind)
{
    assert_true(self->says_count < TOY_SAYS_MAX);
    fl_effect *effect = &self->says[self->says_count++];
    *effect = (fl_effect){ .kind = kind };
    return effect;
}

fl_message *
toy_say(toy *self, fl_peer to, fl_verb verb)
{
    fl_effect *effect = toy_do(self, FL_FX_SEND);
    effect->send.to = to;
    effect->send.message.verb = verb;
    return &effect->send.message;
}

void
toy_say_hello(toy *self)
{
    fl_message *hello = toy_say(self, FL_PARENT, FL_HELLO);
    hello->hello.role = FL_ROLE_DEVICE;
    hello->hello.incarnation = 7;
    hello->hello.leaves = 1;
}

void
toy_say_beat(toy *self)
{
    (void)toy_say(self, FL_PARENT, FL_BEAT);
}

const toy_heard *
toy_last(const toy *self, fl_event_kind kind, fl_verb verb)
{
    for (unsigned i = self->heard_count; i > 0; i--) {
        if (self->heard[i - 1].kind == kind && self->heard[i - 1].verb == verb) {
            return &self->heard[i - 1];
        }
    }
    return NULL;
}

unsigned
toy_count(const toy *self, fl_event_kind kind, fl_verb verb)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->heard_count; i++) {
        count += self->heard[i].kind == kind && self->heard[i].verb == verb ? 1 : 0;
    }
    return count;
}

void
toy_turn(toy *one, toy *other)
{
    if (one != NULL) {
        fl_reactor_turn(one->reactor, other != NULL ? 1 : 5);
    }
    if (other != NULL) {
        fl_reactor_turn(other->reactor, 1);
    }
}

fl_time
toy_now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (fl_time)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

// ---- attackers --------------------------------------------------------------------------------
fl_socket *
toy_dial(const toy *parent, fl_way way, fl_socket_kind kind, const fl_keypair *keys, int queue)
{
    char endpoint[64];
    const fl_socket_conf conf = { .kind = kind,
                                  .queue = queue,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = keys,
                                  .server_key = parent->keys.public_key };
    fl_socket *link = fl_socket_new(&conf, NULL);
    assert_non_null(link);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", parent->listener.port[way]);
    assert_int_equal(fl_socket_connect(link, endpoint, NULL), FL_OK);
    return link;
}

void
toy_send_endless(fl_socket *link, size_t frame_bytes)
{
    static uint8_t same[1 << 20];
    for (uint64_t left = ((uint64_t)4 << 30) / frame_bytes; left > 0; left--) {
        zmq_msg_t frame;
        assert_int_equal(zmq_msg_init_data(&frame, same, frame_bytes, NULL, NULL), 0);
        assert_int_equal(zmq_msg_send(&frame, fl_socket_handle(link), left > 1 ? ZMQ_SNDMORE : 0),
                         frame_bytes);
    }
}
