#include <czmq.h>

#include <stdio.h>
#include <string.h>

#include "common/identity/state_dir.h"
#include "tests/integ/hostile.h"
#include "tests/support/words.h"

//  As many connections of one key as it likes, on each a message with more frames than any may
//  have, again and again; on control each says HELLO before, on up the seat is another connection's
//  (seat=E: the control lane). What is shut comes back.
static uint64_t
s_crowd(fl_socket *link, int64_t until)
{
    enum { CROWD_MAX = 200 };
    uint8_t bytes[FL_CERT_BYTES];
    const fl_message hello = hostile_hello(bytes);
    const int64_t count = hostile_number("count", 64);
    const char *seat = hostile_get("seat", "");
    const bool up = *seat != '\0';
    const size_t frame = up ? MIB : CONTROL_FRAME;
    hostile_child self = { .control = up ? hostile_dial(FL_SOCKET_DEALER, seat, 100) : NULL };
    fl_socket *links[CROWD_MAX] = { link };
    uint64_t sent = 0;
    if (up) {
        hostile_act(&self, "hello");
    }
    for (unsigned turn = 0; zclock_mono() < until; turn++) {
        for (int64_t i = 1; i < count && i < CROWD_MAX && turn % 10 == 0; i++) {
            fl_socket_destroy(&links[i]); // libzmq gives up where it was denied: begin anew
            links[i] = hostile_dial(up ? FL_SOCKET_PUSH : FL_SOCKET_DEALER,
                                    hostile_need("endpoint"), 1000);
        }
        for (int64_t i = 0; i < count && !up; i++) {
            hostile_say(links[i], &hello, fl_bytes_of(NULL, 0));
        }
        zclock_sleep(200);
        for (int64_t i = 0; i < count; i++) {
            zmq_pollitem_t item = { .socket = fl_socket_handle(links[i]), .events = ZMQ_POLLOUT };
            if (zmq_poll(&item, 1, 0) == 1) {
                hostile_endless(links[i], 10 * MIB / frame, frame);
                sent++;
            }
        }
    }
    for (int64_t i = 1; i < count; i++) {
        fl_socket_destroy(&links[i]);
    }
    fl_socket_destroy(&self.control);
    return sent;
}

//  A storm of messages as fast as the connection takes them.
static uint64_t
s_storm(fl_socket *link, int64_t until, fl_bytes bytes)
{
    uint64_t sent = 0;
    while (zclock_mono() < until) {
        if (zmq_send(fl_socket_handle(link), bytes.data, bytes.size, ZMQ_DONTWAIT) >= 0) {
            sent++;
        } else {
            zmq_pollitem_t item = { .socket = fl_socket_handle(link), .events = ZMQ_POLLOUT };
            (void)zmq_poll(&item, 1, 50);
        }
        fl_parcel parcel = { .descriptor = -1 };
        (void)fl_socket_receive(link, &parcel); // what it answers is not of interest
        fl_parcel_release(&parcel);
    }
    return sent;
}

//  A step of a masked round, each as large as it may be and none of them true, or the announcement
//  of an upload of the greatest size.
static fl_message
s_step(const hostile_child *self, uint64_t round, uint64_t turn)
{
    static uint8_t filler[FL_MEMBERS_MAX * FL_SEALED_SHARE_BYTES];
    memset(filler, 0x5a, sizeof filler);
    static const fl_verb verbs[] = { FL_KEYS, FL_SHARES, FL_READY, FL_ACK, FL_UNMASK, FL_CONTRIB };
    fl_message message = { .verb = verbs[turn % (sizeof verbs / sizeof *verbs)] };
    if (message.verb == FL_CONTRIB) {
        message = hostile_contrib(self, false);
        message.contrib.weight = message.contrib.count = 0;
        message.contrib.vector_bytes = message.contrib.elements = FL_VECTOR_BYTES_MAX;
        message.contrib.hash.bytes[0] = (uint8_t)turn; // another one each time
        message.contrib.header = fl_bytes_of(filler, FL_MASKED_HEADER_BYTES);
        message.contrib.psig = fl_bytes_of(filler, FL_SIGNATURE_BYTES);
    } else if (message.verb == FL_KEYS) {
        message.keys.certificate = fl_bytes_of(filler, FL_MEMBER_CERT_BYTES);
    } else if (message.verb == FL_SHARES) {
        message.shares.digests = fl_bytes_of(filler, FL_MEMBERS_MAX * FL_DIGESTS_BYTES);
        message.shares.sealed = fl_bytes_of(filler, FL_MEMBERS_MAX * FL_SEALED_SHARE_BYTES);
    } else if (message.verb == FL_READY) {
        message.ready.set = UINT64_MAX;
    } else if (message.verb == FL_UNMASK) {
        message.unmask.self = UINT64_MAX;
        message.unmask.shares = fl_bytes_of(filler, FL_MEMBERS_MAX * FL_SHARE_WIRE_BYTES);
    }
    message.run = self->run;
    message.round = round;
    return message;
}

//  Steps as fast as they are taken, of the round that the newest task is of. Says by which names
//  they were refused, and how often.
static uint64_t
s_storm_steps(hostile_child *self, int64_t until)
{
    uint64_t sent = 0, round = 1, refused[FL_WHY_COUNT] = { 0 };
    fl_parcel parcel = { .descriptor = -1 };
    fl_message heard;
    while (zclock_mono() < until) {
        while (hostile_hear(self->control, &parcel, &heard, 0)) {
            round = heard.verb == FL_TASK ? heard.round : round;
            self->run = heard.verb == FL_TASK ? heard.run : self->run;
            refused[heard.verb == FL_REFUSED ? heard.refused.reason : FL_WHY_NONE]++;
        }
        const fl_message message = s_step(self, round, sent);
        fl_blob *frame = fl_encode(&message, 0);
        if (zmq_send(fl_socket_handle(self->control), fl_blob_bytes(frame).data,
                     fl_blob_size(frame), ZMQ_DONTWAIT) >= 0) {
            sent++;
        } else {
            zmq_pollitem_t item = { .socket = fl_socket_handle(self->control),
                                    .events = ZMQ_POLLOUT };
            (void)zmq_poll(&item, 1, 50);
        }
        fl_blob_unref(&frame);
    }
    fl_parcel_release(&parcel);
    for (int reason = FL_WHY_NONE + 1; reason < FL_WHY_COUNT; reason++) {
        if (refused[reason] > 0) {
            (void)printf("refused reason=%s times=%llu\n", fl_reason_name((fl_reason)reason),
                         (unsigned long long)refused[reason]);
        }
    }
    return sent;
}

//  flood home=DIR server=KEY endpoint=E kind=endless|oversize|hello|enrol|steps|crowd [lane=up]
//  [seconds=S] [count=N connections of a crowd] [seat=E]
void
hostile_flood(void)
{
    const bool up = strcmp(hostile_get("lane", "control"), "up") == 0;
    const char *kind = hostile_need("kind");
    fl_socket *link = hostile_dial(up ? FL_SOCKET_PUSH : FL_SOCKET_DEALER,
                                   hostile_need("endpoint"), 1000);
    const int64_t until = zclock_mono() + 1000 * hostile_number("seconds", 5);
    uint64_t sent = 0;
    if (strcmp(kind, "endless") == 0) {
        const size_t frame = up ? MIB : CONTROL_FRAME;
        hostile_endless(link, HOSTILE_ENDLESS / frame, frame);
        while (zclock_mono() < until) {
            zclock_sleep(100);
        }
    } else if (strcmp(kind, "crowd") == 0) {
        sent = s_crowd(link, until);
    } else if (strcmp(kind, "oversize") == 0) {
        static uint8_t large[2 * MIB];
        sent = s_storm(link, until, fl_bytes_of(large, sizeof large));
    } else if (strcmp(kind, "steps") == 0) {
        hostile_child self = { .control = link };
        hostile_act(&self, "hello");
        sent = s_storm_steps(&self, until);
    } else {
        static const uint8_t sealed[1000] = { 1 };
        uint8_t bytes[FL_CERT_BYTES];
        fl_message message = hostile_hello(bytes);
        if (strcmp(kind, "enrol") == 0) {
            message = (fl_message){ .verb = FL_ENROL, .enrol = { 7, { sealed, sizeof sealed } } };
        }
        do { // each enrolment is another one
            message.enrol.request += message.verb == FL_ENROL;
            fl_blob *header = fl_encode(&message, 0);
            const int64_t slice = message.verb == FL_ENROL ? zclock_mono() + 1 : until;
            sent += s_storm(link, slice, fl_blob_bytes(header));
            fl_blob_unref(&header);
        } while (zclock_mono() < until);
    }
    (void)printf("sent messages=%llu\n", (unsigned long long)sent);
    fl_socket_destroy(&link);
}
