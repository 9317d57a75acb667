//  What a peer may cost: connections of a key, bytes that nobody reads. Over
//  real CURVE connections on loopback.
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "tests/support/toy.h"

enum { FRAME = 64000, MANY = 20 };

// ---- connections ------------------------------------------------------------------------------
//  A seated key: of connections that say nothing it has a few, whatever it asks for, and of those
//  that say HELLO, so that none is a stranger, the newest.
static void
a_key_has_a_few_connections_on_a_lane_and_the_newest_stay(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "greedy");
    fl_socket *more[MANY];
    const fl_message hello = { .verb = FL_HELLO,
                               .hello = { .role = FL_ROLE_DEVICE, .incarnation = 1, .leaves = 1,
                                          .certificate = child->trust.certificate } };
    toy_say_hello(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) > 0);
    for (unsigned i = 0; i < MANY; i++) {
        more[i] = toy_dial(parent, FL_WAY_UP, FL_SOCKET_PUSH, &child->keys, 100);
    }
    toy_until(parent, child, parent->metrics.net_keys_later_total >= MANY);
    assert_int_equal(parent->metrics.net_handshakes_total, 1 + FL_KEY_UNHEARD); // and its own
    assert_true(fl_name_equal(&parent->refused_node, &(fl_name){ .name = "greedy" }));
    for (unsigned i = 0; i < MANY; i++) {
        fl_socket_destroy(&more[i]);
        more[i] = toy_dial(parent, FL_WAY_CONTROL, FL_SOCKET_DEALER, &child->keys, 100);
        fl_blob *header = fl_encode(&hello, 0);
        assert_int_equal(fl_socket_send(more[i], fl_bytes_of(NULL, 0), &header, NULL), FL_SENT);
        toy_until(parent, NULL, parent->metrics.net_admitted_total == i + 2);
    }
    assert_int_equal(parent->metrics.net_cut_surplus_total, 1 + MANY - FL_KEY_CONNECTIONS);
    for (unsigned i = 0; i < MANY; i++) {
        fl_socket_destroy(&more[i]);
    }
}

//  A child's libzmq connects anew with a step of a masked round in its queue, and the parent has no
//  time to read it before it looks: that is no flood. More than one message is.
static void
one_queued_message_may_come_before_hello(void **state)
{
    (void)state;
    static const uint8_t step[60 * 1024];
    toy *parent = toy_parent();
    fl_keypair keys;
    toy_keys(&keys);
    fl_socket *link = toy_dial(parent, FL_WAY_CONTROL, FL_SOCKET_DEALER, &keys, 100);
    zmq_pollitem_t read = { .socket = fl_socket_handle(parent->listener.link[FL_WAY_CONTROL]),
                            .events = ZMQ_POLLIN };
    toy_until(parent, NULL, parent->metrics.net_handshakes_total == 1);
    assert_int_equal(zmq_send(fl_socket_handle(link), step, sizeof step, 0), sizeof step);
    assert_int_equal(zmq_poll(&read, 1, TOY_WAIT_MS), 1);
    fl_guard_look(parent->listener.guard, toy_now());
    assert_int_equal(parent->metrics.net_cut_flood_total, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(zmq_send(fl_socket_handle(link), step, sizeof step, 0), sizeof step);
    }
    while (parent->metrics.net_cut_flood_total == 0) { // the test's own time limit ends it
        fl_guard_look(parent->listener.guard, toy_now());
    }
    fl_socket_destroy(&link);
}

// ---- bytes ------------------------------------------------------------------------------------
static void
a_parent_that_does_not_end_is_left_and_named(void **state)
{
    (void)state;
    toy *parent = toy_parent(), *child = toy_child(parent, "child");
    void *link = fl_socket_handle(parent->listener.link[FL_WAY_CONTROL]);
    toy_say_hello(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) > 0);
    const fl_bytes route = fl_admission_route(parent->listener.gate, FL_WAY_CONTROL,
                                              toy_last(parent, FL_EV_MESSAGE, FL_HELLO)->from);
    assert_int_equal(zmq_send(link, route.data, route.size, ZMQ_SNDMORE), (int)route.size);
    toy_send_endless(parent->listener.link[FL_WAY_CONTROL], FRAME);
    const uint64_t before = child->metrics.net_messages_in_total[FL_WAY_PARENT];
    toy_until(NULL, child, toy_count(child, FL_EV_GONE, FL_VERB_NONE) > 0);
    assert_int_equal(toy_last(child, FL_EV_GONE, FL_VERB_NONE)->from, FL_PARENT);
    assert_int_equal(child->metrics.net_cut_flood_total, 1);
    assert_non_null(strstr(child->refused.text, "does not end"));
    assert_int_equal(child->metrics.net_messages_in_total[FL_WAY_PARENT], before);
    (void)toy_do(child, FL_FX_RECONNECT); // as its machine does when the backoff is over
    toy_say_hello(child);
    toy_until(parent, child, toy_count(child, FL_EV_MESSAGE, FL_WELCOME) > 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        toy_test(a_key_has_a_few_connections_on_a_lane_and_the_newest_stay),
        toy_test(one_queued_message_may_come_before_hello),
        toy_test(a_parent_that_does_not_end_is_left_and_named),
    };
    return cmocka_run_group_tests(tests, toy_setup, toy_teardown);
}
