//  Who may speak to a parent, over real CURVE connections on loopback.
#include <string.h>
#include <zmq.h>

#include "tests/support/messages.h"
#include "tests/support/toy.h"

//  A toy that said HELLO and was welcomed.
static fl_peer
s_seat(toy *parent, toy *child)
{
    const unsigned before = toy_count(child, FL_EV_MESSAGE, FL_WELCOME);
    toy_say_hello(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) > before);
    return toy_last(parent, FL_EV_MESSAGE, FL_HELLO)->from;
}

static unsigned
s_refusals(const toy *self, fl_reason reason)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->heard_count; i++) {
        count += self->heard[i].verb == FL_REFUSED && self->heard[i].reason == reason ? 1 : 0;
    }
    return count;
}

//  A bare link with a key of its own, for what no toy would say.
static fl_socket *
s_raw(toy *parent, fl_socket_kind kind, fl_way way, const fl_keypair *keys, const char *name,
      size_t name_size)
{
    char endpoint[64];
    const fl_socket_conf conf = { .kind = kind,
                                  .queue = 100,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = keys,
                                  .server_key = parent->keys.public_key };
    fl_socket *link = fl_socket_new(&conf, NULL);
    assert_non_null(link);
    if (name != NULL) {
        assert_int_equal(zmq_setsockopt(fl_socket_handle(link), ZMQ_ROUTING_ID, name, name_size),
                         0);
    }
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", parent->listener.port[way]);
    assert_int_equal(fl_socket_connect(link, endpoint, NULL), FL_OK);
    return link;
}

static void
s_raw_send(fl_socket *link, const void *bytes, size_t size)
{
    assert_int_equal(zmq_send(fl_socket_handle(link), bytes, size, ZMQ_DONTWAIT), (int)size);
}

static void
s_raw_say(fl_socket *link, const fl_message *message, fl_loan *body)
{
    fl_blob *header = fl_encode(message, body != NULL ? body->bytes.size : 0);
    assert_int_equal(fl_socket_send(link, fl_bytes_of(NULL, 0), &header, body), FL_SENT);
}

static fl_message
s_raw_hello(fl_bytes certificate)
{
    return (fl_message){ .verb = FL_HELLO,
                         .hello = { .role = FL_ROLE_DEVICE, .incarnation = 1, .leaves = 1,
                                    .certificate = certificate } };
}

// ---- admission --------------------------------------------------------------------------------
static void
a_hello_with_its_own_certificate_is_welcomed(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "device-1");
    const fl_peer peer = s_seat(parent, child);
    const toy_heard *hello = toy_last(parent, FL_EV_MESSAGE, FL_HELLO);
    assert_string_equal(hello->node.name, "device-1");
    assert_int_equal(hello->role, FL_ROLE_DEVICE);
    assert_int_equal(parent->metrics.net_admitted_total, 1);
    assert_int_equal(parent->metrics.net_accepted_total, 1);
    assert_int_equal(parent->metrics.net_handshakes_total, 1);
    assert_string_equal(fl_admission_badge(parent->listener.gate, peer)->node.name, "device-1");
    toy_say_beat(child);
    toy_until(parent, child, toy_count(parent, FL_EV_MESSAGE, FL_BEAT) == 1);
    assert_int_equal(toy_last(parent, FL_EV_MESSAGE, FL_BEAT)->from, peer);
}

static void
a_wrong_server_key_never_connects(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys, other;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    toy_keys(&other);
    toy *child = toy_stranger(parent, &keys, toy_certificate("d", FL_ROLE_DEVICE, &keys, bytes),
                              other.public_key);
    toy_say_hello(child);
    toy_until(parent, child, parent->metrics.net_handshakes_failed_total > 0);
    assert_int_equal(parent->metrics.net_messages_in_total[FL_WAY_CONTROL], 0);
    assert_int_equal(parent->metrics.net_handshakes_total, 0);
}

static void
what_comes_before_hello_is_refused_by_name(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "early");
    toy_say_beat(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_REFUSED) == 1);
    const toy_heard *refused = toy_last(child, FL_EV_MESSAGE, FL_REFUSED);
    assert_int_equal(refused->reason, FL_WHY_UNKNOWN_SEAT);
    assert_int_equal(refused->about, FL_BEAT);
    assert_int_equal(parent->heard_count, 0);
    assert_int_equal(parent->metrics.net_dropped_total[FL_DROP_UNSEATED], 1);
    assert_int_equal(parent->refusals, 1);
    assert_string_equal(parent->refused_node.name, "");
    (void)s_seat(parent, child); // and it may still come in
}

static void
a_certificate_of_another_key_or_role_is_refused(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys, other;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    toy_keys(&other);
    toy *thief = toy_stranger(parent, &keys,
                              toy_certificate("victim", FL_ROLE_DEVICE, &other, bytes), NULL);
    toy_say_hello(thief);
    toy_until(parent, thief, s_refusals(thief, FL_WHY_CERTIFICATE) == 1);
    toy_destroy(&thief);
    thief = toy_stranger(parent, &keys, toy_certificate("climber", FL_ROLE_EDGE, &keys, bytes),
                         NULL);
    toy_say_hello(thief);
    toy_until(parent, thief, s_refusals(thief, FL_WHY_ROLE) == 1);
    assert_int_equal(parent->metrics.net_admitted_total, 0);
    assert_int_equal(parent->metrics.net_refused_total[FL_WHY_CERTIFICATE], 1);
    assert_int_equal(parent->heard_count, 0);
}

static void
what_the_identity_code_refuses_does_not_pass(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "forger");
    (void)s_seat(parent, child);
    parent->trust.suspect = FL_CONTRIB;
    parent->trust.suspicion = FL_WHY_TICKET;
    static messages_letter letter;
    messages_sample(FL_CONTRIB, &letter);
    *toy_say(child, FL_PARENT, FL_CONTRIB) = letter.message;
    toy_until(parent, child, s_refusals(child, FL_WHY_TICKET) == 1);
    assert_int_equal(toy_count(parent, FL_EV_MESSAGE, FL_CONTRIB), 0);
    assert_int_equal(parent->metrics.net_refused_total[FL_WHY_TICKET], 1);
    assert_string_equal(parent->refused_node.name, "forger");
}

static void
a_newcomer_is_heard_and_answered_but_gets_no_seat(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    toy *newcomer[3];
    for (unsigned i = 0; i < 3; i++) {
        newcomer[i] = toy_child(parent, "newcomer");
        fl_message *enrol = toy_say(newcomer[i], FL_PARENT, FL_ENROL);
        enrol->enrol = (fl_enrol){ .request = 1, .sealed = fl_bytes_of("sealed", 6) };
        toy_until(parent, newcomer[i], toy_count(parent, FL_EV_MESSAGE, FL_ENROL) == i + 1);
        const toy_heard *heard = toy_last(parent, FL_EV_MESSAGE, FL_ENROL);
        assert_int_equal(heard->role, FL_ROLE_NONE);
        assert_null(fl_admission_badge(parent->listener.gate, heard->from));
        fl_message *answer = toy_say(parent, heard->from, FL_ENROLLED);
        answer->enrolled = (fl_enrolled){ .request = 1, .reason = FL_WHY_TOKEN };
        toy_until(parent, newcomer[i], toy_count(newcomer[i], FL_EV_MESSAGE, FL_ENROLLED) == 1);
    }
    assert_int_not_equal(parent->heard[2].from, parent->heard[0].from); // the third took a place
    toy_say(parent, parent->heard[0].from, FL_ENROLLED)->enrolled.reason = FL_WHY_TOKEN;
    toy_until(parent, NULL, parent->metrics.net_dropped_total[FL_DROP_ROUTE] == 1);
    toy_say_beat(newcomer[2]);
    toy_until(parent, newcomer[2], s_refusals(newcomer[2], FL_WHY_UNKNOWN_SEAT) == 1);
}

static void
places_are_bounded_and_those_without_a_seat_make_room(void **state)
{
    (void)state;
    toy *parent = toy_parent(); // eight places
    toy *child[9];
    fl_peer peer[9];
    for (unsigned i = 0; i < 9; i++) {
        child[i] = toy_child(parent, "crowd");
    }
    for (unsigned i = 0; i < 8; i++) {
        peer[i] = s_seat(parent, child[i]);
    }
    toy_say_hello(child[8]);
    toy_until(parent, child[8], s_refusals(child[8], FL_WHY_FULL) == 1);
    toy_do(parent, FL_FX_EXPEL)->expel.peer = peer[3];
    toy_until(parent, NULL, fl_admission_badge(parent->listener.gate, peer[3]) == NULL);
    peer[8] = s_seat(parent, child[8]);
    assert_int_not_equal(peer[8], peer[3]); // a number is never used again for another key
    toy_say_beat(child[3]);
    toy_until(parent, child[3], s_refusals(child[3], FL_WHY_UNKNOWN_SEAT) == 1);
}

static void
an_expelled_child_has_to_say_hello_again(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "silent");
    const fl_peer peer = s_seat(parent, child);
    toy_do(parent, FL_FX_EXPEL)->expel.peer = peer;
    toy_until(parent, NULL,
              fl_admission_route(parent->listener.gate, FL_WAY_CONTROL, peer).size == 0);
    toy_say_beat(child);
    toy_until(parent, child, s_refusals(child, FL_WHY_UNKNOWN_SEAT) == 1);
    assert_int_equal(s_seat(parent, child), peer); // the number outlives it
}

// ---- routes -----------------------------------------------------------------------------------
static void
the_newest_route_of_a_key_is_its_route(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "twice");
    const fl_peer peer = s_seat(parent, child);
    toy *again = toy_stranger(parent, &child->keys, child->trust.certificate, NULL);
    assert_int_equal(s_seat(parent, again), peer);
    toy_say_beat(child); // the older connection is no longer its route
    toy_until(parent, child, s_refusals(child, FL_WHY_UNKNOWN_SEAT) == 1);
    (void)toy_say(parent, peer, FL_BEAT);
    toy_until(parent, again, toy_count(again, FL_EV_MESSAGE, FL_BEAT) == 1);
    assert_int_equal(toy_count(child, FL_EV_MESSAGE, FL_BEAT), 0);
}

static void
a_peer_that_names_itself_is_cut(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    fl_socket *raw = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_CONTROL, &keys, "chosen", 6);
    const fl_message hello = s_raw_hello(toy_certificate("vain", FL_ROLE_DEVICE, &keys, bytes));
    s_raw_say(raw, &hello, NULL);
    toy_until(parent, NULL, parent->metrics.net_dropped_total[FL_DROP_NAMED] == 1);
    assert_int_equal(parent->metrics.net_admitted_total, 0);
    fl_socket_destroy(&raw);
}

static void
a_peer_cannot_take_anothers_route(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *victim = toy_child(parent, "victim");
    const fl_peer peer = s_seat(parent, victim);
    const fl_bytes route = fl_admission_route(parent->listener.gate, FL_WAY_CONTROL, peer);
    static const uint8_t unseeded[5] = { 0, 0x6b, 0x8b, 0x45, 0x67 };
    assert_int_equal(route.size, 5);
    assert_memory_not_equal(route.data, unseeded, 5); // where rand() begins, unseeded
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    fl_socket *thief = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_CONTROL, &keys,
                             (const char *)route.data, route.size);
    const fl_message hello = s_raw_hello(toy_certificate("thief", FL_ROLE_DEVICE, &keys, bytes));
    s_raw_say(thief, &hello, NULL);
    toy_until(parent, NULL, parent->metrics.net_handshakes_total == 2);
    (void)toy_say(parent, peer, FL_BEAT);
    toy_until(parent, victim, toy_count(victim, FL_EV_MESSAGE, FL_BEAT) == 1);
    fl_parcel parcel = { .descriptor = -1 };
    assert_false(fl_socket_receive(thief, &parcel));
    assert_int_equal(parent->metrics.net_admitted_total, 1);
    fl_socket_destroy(&thief);
}

// ---- standing ---------------------------------------------------------------------------------
static void
a_denied_key_is_refused_at_connect_and_comes_back_once_admitted(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "revoked");
    toy_deny(parent, &child->keys);
    toy_say_hello(child);
    toy_until(parent, child, parent->metrics.net_keys_denied_total == 1);
    toy_until(parent, child, parent->metrics.net_handshakes_failed_total == 1);
    assert_int_equal(parent->metrics.net_messages_in_total[FL_WAY_CONTROL], 0);
    toy_allow_all(parent);
    (void)toy_do(child, FL_FX_RECONNECT); // libzmq never tries a denied connection again
    (void)s_seat(parent, child);
}

static void
a_connected_key_is_cut_when_it_is_denied(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "revoked");
    toy *other = toy_child(parent, "other");
    const fl_peer peer = s_seat(parent, child);
    (void)s_seat(parent, other);
    toy_deny(parent, &child->keys);
    fl_admission_recheck(parent->listener.gate);
    toy_until(parent, child, toy_count(parent, FL_EV_GONE, FL_VERB_NONE) == 1);
    const toy_heard *gone = toy_last(parent, FL_EV_GONE, FL_VERB_NONE);
    assert_int_equal(gone->from, peer);
    assert_int_equal(gone->reason, FL_WHY_REVOKED);
    assert_int_equal(parent->metrics.net_cut_standing_total, 1);
    //  It tried again by itself.
    toy_until(parent, child, parent->metrics.net_keys_denied_total == 1);
    assert_int_equal(fl_admission_route(parent->listener.gate, FL_WAY_CONTROL, peer).size, 0);
    toy_say_beat(other);
    toy_until(parent, other, toy_count(parent, FL_EV_MESSAGE, FL_BEAT) == 1);
}

static void
a_denied_key_is_found_out_by_its_next_message(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "revoked");
    (void)s_seat(parent, child);
    toy_deny(parent, &child->keys); // nobody asks for a recheck
    toy_say_beat(child);
    toy_until(parent, child, toy_count(parent, FL_EV_GONE, FL_VERB_NONE) == 1);
    assert_int_equal(toy_count(parent, FL_EV_MESSAGE, FL_BEAT), 0);
    assert_int_equal(parent->metrics.net_dropped_total[FL_DROP_STANDING], 1);
    assert_int_equal(parent->metrics.net_cut_standing_total, 1);
}

// ---- shapes -----------------------------------------------------------------------------------
//  What a raw link hears next; false when it is no REFUSED.
static bool
s_hear_refusal(toy *parent, fl_socket *raw, fl_refused *refused)
{
    fl_parcel parcel = { .descriptor = -1 };
    fl_message message;
    toy_until(parent, NULL, fl_socket_receive(raw, &parcel));
    const fl_codec_result result = fl_decode(parcel.header, parcel.body.size, &message);
    const bool right = result.code == FL_CODEC_OK && message.verb == FL_REFUSED;
    *refused = message.refused;
    fl_parcel_release(&parcel);
    return right;
}

static void
malformed_frames_are_refused_by_name_and_not_for_ever(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys;
    toy_keys(&keys);
    fl_socket *raw = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_CONTROL, &keys, NULL, 0);
    fl_refused refused;
    s_raw_send(raw, "junk", 4);
    assert_true(s_hear_refusal(parent, raw, &refused));
    assert_int_equal(refused.reason, FL_WHY_MALFORMED);
    for (unsigned i = 0; i < 30; i++) {
        s_raw_send(raw, "junk", 4);
    }
    toy_until(parent, NULL, parent->metrics.net_dropped_total[FL_DROP_MALFORMED] == 31);
    assert_int_equal(parent->metrics.net_codec_total[FL_CODEC_MAGIC], 31);
    assert_true(parent->metrics.net_refusals_unsaid_total >= 31 - 2 * FL_REFUSALS_PER_SECOND);
    fl_socket_destroy(&raw);
}

static void
another_major_version_is_told_both_versions(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    fl_socket *raw = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_CONTROL, &keys, NULL, 0);
    const fl_message hello = s_raw_hello(toy_certificate("future", FL_ROLE_DEVICE, &keys, bytes));
    fl_blob *frame = fl_encode(&hello, 0);
    fl_blob_data(frame)[4] = FL_WIRE_MAJOR + 1; // the envelope's major, behind its magic
    s_raw_send(raw, fl_blob_bytes(frame).data, fl_blob_size(frame));
    fl_blob_unref(&frame);
    fl_refused refused;
    assert_true(s_hear_refusal(parent, raw, &refused));
    assert_int_equal(refused.reason, FL_WHY_VERSION);
    assert_non_null(strstr(refused.text, "3."));
    assert_non_null(strstr(refused.text, "4."));
    fl_socket_destroy(&raw);
}

static void
surplus_frames_and_verbs_of_another_lane_are_refused(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    fl_socket *raw = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_CONTROL, &keys, NULL, 0);
    const fl_message hello = s_raw_hello(toy_certificate("wide", FL_ROLE_DEVICE, &keys, bytes));
    fl_blob *frame = fl_encode(&hello, 0);
    void *handle = fl_socket_handle(raw);
    zmq_send(handle, fl_blob_bytes(frame).data, fl_blob_size(frame), ZMQ_SNDMORE);
    zmq_send(handle, "", 0, ZMQ_SNDMORE);
    zmq_send(handle, "x", 1, ZMQ_SNDMORE);
    zmq_send(handle, "y", 1, 0);
    fl_blob_unref(&frame);
    fl_refused refused;
    assert_true(s_hear_refusal(parent, raw, &refused));
    assert_int_equal(parent->metrics.net_codec_total[FL_CODEC_BODY], 1);
    fl_message fetch = { .verb = FL_FETCH, .fetch = { .bytes = 1 } };
    s_raw_say(raw, &fetch, NULL);
    assert_true(s_hear_refusal(parent, raw, &refused));
    assert_int_equal(refused.about, FL_FETCH);
    assert_int_equal(parent->metrics.net_dropped_total[FL_DROP_WAY], 1);
    fl_socket_destroy(&raw);
}

//  The words of a masked round, and who says them.
static void
each_word_of_a_masked_round_goes_its_own_way_only(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        bool up;
    } words[] = { { FL_KEYS, true },       { FL_ROSTER, false },  { FL_SHARES, true },
                  { FL_DEALT, false },     { FL_READY, true },    { FL_MASKSET, false },
                  { FL_SURVIVORS, false }, { FL_ACK, true },      { FL_ACKS, false },
                  { FL_UNMASK, true } };
    static messages_letter letter;
    toy *parent = toy_parent(), *child = toy_child(parent, "a");
    const fl_peer peer = s_seat(parent, child);
    unsigned dropped = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        messages_sample(words[i].verb, &letter);
        *toy_say(child, FL_PARENT, words[i].verb) = letter.message;
        *toy_say(parent, peer, words[i].verb) = letter.message;
        toy *hearer = words[i].up ? parent : child, *other = words[i].up ? child : parent;
        dropped++;
        toy_until(parent, child, toy_count(hearer, FL_EV_MESSAGE, words[i].verb) == 1 &&
                  parent->metrics.net_dropped_total[FL_DROP_WAY] +
                          child->metrics.net_dropped_total[FL_DROP_WAY] ==
                      dropped);
        assert_int_equal(toy_count(other, FL_EV_MESSAGE, words[i].verb), 0);
    }
    assert_int_equal(parent->metrics.net_dropped_total[FL_DROP_WAY], dropped / 2);
}

static void
a_bulk_lane_lets_nobody_in_without_a_seat(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_keypair keys;
    toy_keys(&keys);
    fl_socket *up = s_raw(parent, FL_SOCKET_PUSH, FL_WAY_UP, &keys, NULL, 0);
    fl_socket *down = s_raw(parent, FL_SOCKET_DEALER, FL_WAY_DOWN, &keys, NULL, 0);
    fl_loan loan = { .blob = fl_blob_new(10) };
    loan.bytes = fl_blob_bytes(loan.blob);
    const fl_message chunk = { .verb = FL_CHUNK, .round = 1, .chunk = { .attempt = 1,
                                                                        .total = 10 } };
    const fl_message fetch = { .verb = FL_FETCH, .fetch = { .bytes = 1 } };
    s_raw_say(up, &chunk, &loan);
    s_raw_say(down, &fetch, NULL);
    //  They ask again by themselves: not now is not never.
    toy_until(parent, NULL, parent->metrics.net_keys_later_total >= 6);
    assert_int_equal(parent->heard_count, 0);
    assert_int_equal(parent->metrics.net_messages_in_total[FL_WAY_UP], 0);
    fl_socket_destroy(&up);
    fl_socket_destroy(&down);
}

static void
a_taken_port_and_a_second_listener_are_told_in_one_line(void **state)
{
    (void)state;
    toy *parent = toy_parent();
    fl_listener second;
    fl_why why = { .text = "" };
    char taken[64];
    snprintf(taken, sizeof taken, "tcp://127.0.0.1:%u", parent->listener.port[FL_WAY_UP]);
    fl_socket_conf link_conf = {
        .kind = FL_SOCKET_PULL, .queue = 1, .frame_bytes_max = 1, .keys = &parent->keys,
        .domain = "up" };
    fl_socket *link = fl_socket_new(&link_conf, &why);
    assert_int_equal(fl_socket_bind(link, taken, NULL, &why), FL_BUSY);
    assert_non_null(strstr(why.text, taken));
    assert_int_equal(fl_socket_bind(link, "tcp://nowhere", NULL, &why), FL_IO);
    assert_int_equal(fl_socket_connect(link, "nonsense", &why), FL_IO);
    assert_non_null(strstr(why.text, "nonsense"));
    fl_socket_destroy(&link);
    const fl_listener_conf conf = { .endpoint = { "tcp://127.0.0.1:0", "tcp://127.0.0.1:0",
                                                  "tcp://127.0.0.1:0" },
                                    .keys = &parent->keys,
                                    .gate = { .sessions_max = 1 } };
    assert_int_equal(fl_listener_open(&second, &conf, &parent->trust.ops, &parent->metrics, &why),
                     FL_BUSY);
    assert_non_null(strstr(why.text, "one per process"));
    toy_destroy(&parent);
    uint16_t port = 0;
    fl_keypair keys; // the parent's went with it
    toy_keys(&keys);
    fl_listener_conf busy = conf; // but for its keys and one port
    busy.keys = &keys;
    link_conf.keys = &keys;
    fl_socket *holder = fl_socket_new(&link_conf, &why);
    assert_int_equal(fl_socket_bind(holder, "tcp://127.0.0.1:0", &port, &why), FL_OK);
    snprintf(taken, sizeof taken, "tcp://127.0.0.1:%u", port);
    busy.endpoint[FL_WAY_DOWN] = taken;
    fl_metrics metrics = { .net_turns_total = 0 };
    const fl_admission_ops none = { .self = NULL };
    assert_int_equal(fl_listener_open(&second, &busy, &none, &metrics, &why), FL_BUSY);
    fl_socket_destroy(&holder);
    fl_status status = FL_BUSY; // libzmq closes a listener, and what a failed try leaves, later on
    for (unsigned i = 0; i < 50 && status == FL_BUSY && zmq_poll(NULL, 0, 20) == 0; i++) {
        status = fl_listener_open(&second, &busy, &none, &metrics, &why);
    }
    assert_int_equal(status, FL_OK);
    fl_listener_close(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        toy_test(a_hello_with_its_own_certificate_is_welcomed),
        toy_test(a_wrong_server_key_never_connects),
        toy_test(what_comes_before_hello_is_refused_by_name),
        toy_test(a_certificate_of_another_key_or_role_is_refused),
        toy_test(what_the_identity_code_refuses_does_not_pass),
        toy_test(a_newcomer_is_heard_and_answered_but_gets_no_seat),
        toy_test(places_are_bounded_and_those_without_a_seat_make_room),
        toy_test(an_expelled_child_has_to_say_hello_again),
        toy_test(the_newest_route_of_a_key_is_its_route),
        toy_test(a_peer_that_names_itself_is_cut),
        toy_test(a_peer_cannot_take_anothers_route),
        toy_test(a_denied_key_is_refused_at_connect_and_comes_back_once_admitted),
        toy_test(a_connected_key_is_cut_when_it_is_denied),
        toy_test(a_denied_key_is_found_out_by_its_next_message),
        toy_test(malformed_frames_are_refused_by_name_and_not_for_ever),
        toy_test(another_major_version_is_told_both_versions),
        toy_test(surplus_frames_and_verbs_of_another_lane_are_refused),
        toy_test(each_word_of_a_masked_round_goes_its_own_way_only),
        toy_test(a_bulk_lane_lets_nobody_in_without_a_seat),
        toy_test(a_taken_port_and_a_second_listener_are_told_in_one_line),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
