//  The child's side of the lanes: what it believes of a parent, and how it goes.
#include <string.h>
#include <zmq.h>

#include "common/net/zap.h"
#include "tests/support/toy.h"

//  A parent that is nothing but a socket: it says what no parent would.
typedef struct fake {
    fl_keypair keys;
    fl_zap *zap;             // NULL: nobody answers libzmq's question
    fl_socket *control;
    fl_guard *guard;
    fl_metrics metrics;
    fl_parcel parcel;
    toy as_parent;           // as far as toy_stranger reads it
} fake;

static fl_zap_verdict
s_admit_all(void *arg, fl_way way, const uint8_t key[FL_KEY_BYTES], fl_time now)
{
    (void)arg;
    (void)key;
    (void)now;
    return way == FL_WAY_CONTROL ? FL_ZAP_ADMIT : FL_ZAP_DENY;
}

static fake *
s_fake(bool handler)
{
    static fake self;
    self = (fake){ .parcel = { .descriptor = -1 } };
    toy_keys(&self.keys);
    self.zap = handler ? fl_zap_new(s_admit_all, NULL, NULL) : NULL;
    const fl_socket_conf conf = { .kind = FL_SOCKET_ROUTER,
                                  .queue = 10,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = &self.keys,
                                  .domain = "control" };
    self.control = fl_socket_new(&conf, NULL);
    self.guard = fl_guard_new(&(fl_guard_conf){ .unread_max = 0 }, &self.metrics);
    uint16_t *port = &self.as_parent.listener.port[FL_WAY_CONTROL];
    assert_int_equal(fl_socket_bind(self.control, "tcp://127.0.0.1:0", port, NULL), FL_OK);
    assert_int_equal(fl_guard_attach(self.guard, FL_WAY_CONTROL, self.control, *port, false, NULL),
                     FL_OK);
    self.as_parent.keys = self.keys;
    return &self;
}

static void
s_fake_release(fake *self)
{
    fl_parcel_release(&self->parcel);
    fl_guard_destroy(&self->guard);
    fl_socket_destroy(&self->control);
    fl_zap_destroy(&self->zap);
}

//  One turn of both. True when the fake parent received something.
static bool
s_turn(fake *self, toy *child)
{
    if (self->zap != NULL) {
        fl_zap_serve(self->zap, 8, toy_now());
    }
    fl_guard_listen(self->guard, toy_now());
    toy_turn(NULL, child);
    return fl_socket_receive(self->control, &self->parcel);
}

static toy *
s_child(fake *parent)
{
    fl_keypair keys;
    uint8_t bytes[FL_CERT_BYTES_MAX];
    toy_keys(&keys);
    return toy_stranger(&parent->as_parent, &keys,
                        toy_certificate("child", FL_ROLE_DEVICE, &keys, bytes), NULL);
}

static void
s_say_raw(fake *parent, const char *first, size_t first_size, const char *second)
{
    void *handle = fl_socket_handle(parent->control);
    const fl_bytes route = parent->parcel.route;
    zmq_send(handle, route.data, route.size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(handle, first, first_size, (second != NULL ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT);
    if (second != NULL) {
        zmq_send(handle, second, strlen(second), ZMQ_SNDMORE | ZMQ_DONTWAIT);
        zmq_send(handle, second, strlen(second), ZMQ_DONTWAIT);
    }
}

static void
s_say(fake *parent, const fl_message *message, const char *surplus)
{
    fl_blob *header = fl_encode(message, 0);
    s_say_raw(parent, (const char *)fl_blob_bytes(header).data, fl_blob_size(header), surplus);
    fl_blob_unref(&header);
}

static void
what_a_parent_may_not_say_is_dropped_by_name(void **state)
{
    (void)state;
    fake *parent = s_fake(true);
    toy *child = s_child(parent);
    const fl_message leave = { .verb = FL_LEAVE, .leave = { .reason = FL_WHY_LEFT } };
    const fl_message beat = { .verb = FL_BEAT };
    const fl_message refused = { .verb = FL_REFUSED,
                                 .refused = { .reason = FL_WHY_LATE, .about = FL_CONTRIB } };
    toy_say_hello(child);
    toy_until(NULL, NULL, s_turn(parent, child));
    s_say_raw(parent, "junk", 4, NULL);
    s_say(parent, &leave, NULL);        // a child's verb
    s_say(parent, &beat, "surplus");
    child->trust.suspect = FL_REFUSED;  // stands for a welcome with a bad certificate
    child->trust.suspicion = FL_WHY_CERTIFICATE;
    s_say(parent, &refused, NULL);
    s_say(parent, &beat, NULL);
    toy_until(NULL, NULL, (s_turn(parent, child), child->heard_count > 0));
    assert_int_equal(child->heard_count, 1);
    assert_int_equal(child->heard[0].verb, FL_BEAT);
    assert_int_equal(child->heard[0].from, FL_PARENT);
    assert_int_equal(child->metrics.net_dropped_total[FL_DROP_MALFORMED], 2);
    assert_int_equal(child->metrics.net_dropped_total[FL_DROP_WAY], 1);
    assert_int_equal(child->metrics.net_dropped_total[FL_DROP_PARENT], 1);
    assert_int_equal(child->metrics.net_refused_total[FL_WHY_CERTIFICATE], 1);
    assert_int_equal(child->refusals, 4);
    assert_int_equal(child->metrics.net_messages_in_total[FL_WAY_PARENT], 5);
    toy_destroy(&child);
    s_fake_release(parent);
}

//  libzmq lets anyone in while no handler is bound, unless told otherwise.
static void
without_its_handler_nobody_gets_in(void **state)
{
    (void)state;
    fake *parent = s_fake(false);
    toy *child = s_child(parent);
    toy_say_hello(child);
    bool received = false;
    toy_until(NULL, NULL, (received = s_turn(parent, child) || received,
                           parent->metrics.net_handshakes_failed_total > 1));
    assert_false(received);
    assert_int_equal(parent->metrics.net_handshakes_total, 0);
    toy_destroy(&child);
    s_fake_release(parent);
}

static void
the_last_word_goes_out_before_the_connection_does(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "leaver");
    toy_say_hello(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) == 1);
    toy_say(child, FL_PARENT, FL_LEAVE)->leave.reason = FL_WHY_LEFT;
    toy_until(NULL, child, child->says_count == 0);
    toy_destroy(&child); // at once
    toy_until(parent, NULL, toy_count(parent, FL_EV_MESSAGE, FL_LEAVE) == 1);
}

static void
a_reconnecting_child_is_heard_on_its_new_connection(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "again");
    for (unsigned i = 1; i <= 3; i++) {
        toy_say_hello(child);
        toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) == i);
        (void)toy_do(child, FL_FX_RECONNECT);
    }
    toy_say_beat(child); // a new connection: the parent does not know it
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_REFUSED) == 1);
    assert_int_equal(toy_last(child, FL_EV_MESSAGE, FL_REFUSED)->reason, FL_WHY_UNKNOWN_SEAT);
    assert_int_equal(parent->metrics.net_accepted_total, 4);
}

static void
an_impossible_address_is_told_in_one_line(void **state)
{
    (void)state;
    fl_keypair keys;
    toy_keys(&keys);
    const fl_dialer_conf wrong = { .host = "no host", .port = 1, .keys = &keys };
    fl_dialer dialer;
    fl_metrics metrics = { .net_turns_total = 0 };
    fl_why why = { .text = "" };
    assert_int_equal(fl_dialer_open(&dialer, &wrong, &metrics, &why), FL_IO);
    assert_non_null(strstr(why.text, "tcp://no host:1"));
    assert_null(dialer.control);
    fl_dialer_close(&dialer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        toy_test(what_a_parent_may_not_say_is_dropped_by_name),
        toy_test(without_its_handler_nobody_gets_in),
        toy_test(the_last_word_goes_out_before_the_connection_does),
        toy_test(a_reconnecting_child_is_heard_on_its_new_connection),
        toy_test(an_impossible_address_is_told_in_one_line),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
