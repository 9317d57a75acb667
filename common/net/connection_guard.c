#include "common/net/connection_guard.h"

#include <czmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/descriptor.h"

enum {
    LOOKS = 512, // connections per look
    EVENTS = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

typedef struct lane {
    void *watched; // libzmq socket; NULL: not attached
    zsock_t *news; // PAIR: its monitor events
    uint16_t port;
    uint64_t queue_bytes_max;
    bool drained; // in this turn
} lane;

struct fl_guard {
    fl_metrics *metrics;
    lane lanes[FL_WATCHED];
    fl_visitor *visitors; // (size), by descriptor
    int size;
    int next;              // descriptor to look at next
    int strangers_at_most; // visitors without a peer; counted anew when above the bound
    fl_time due;
};

fl_guard *
fl_guard_new(fl_metrics *metrics)
{
    fl_guard *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->metrics = metrics;
    }
    return self;
}

void
fl_guard_destroy(fl_guard **self_p)
{
    fl_guard *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    for (unsigned i = 0; i < FL_WATCHED; i++) {
        if (self->lanes[i].watched != NULL) {
            zmq_socket_monitor(self->lanes[i].watched, NULL, 0); // before its reader goes
            zsock_destroy(&self->lanes[i].news);
        }
    }
    free(self->visitors);
    free(self);
}

//  The reader's queue is unbounded on purpose: libzmq writes to it with a blocking send on its I/O
//  thread. It is read each turn, and an event costs its cause a connection.
fl_status
fl_guard_attach(fl_guard *self, fl_way way, fl_socket *link, uint16_t port,
                uint64_t queue_bytes_max, fl_why *why)
{
    FL_ASSERT((unsigned)way < FL_WATCHED && self->lanes[way].watched == NULL);
    static unsigned serial;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://fl.watchdog.%u", serial++);
    lane *at = &self->lanes[way];
    void *watched = fl_socket_handle(link);
    zsock_t *news = zsock_new(ZMQ_PAIR);
    if (news != NULL) {
        zsock_set_rcvhwm(news, 0);
    }
    if (news == NULL || zmq_socket_monitor(watched, endpoint, EVENTS) != 0 ||
        zsock_connect(news, "%s", endpoint) != 0) {
        fl_why_set(why, "net: cannot watch the connections of a lane: %s",
                   zmq_strerror(zmq_errno()));
        zmq_socket_monitor(watched, NULL, 0);
        zsock_destroy(&news);
        return FL_IO;
    }
    *at = (lane){
        .watched = watched, .news = news, .port = port, .queue_bytes_max = queue_bytes_max
    };
    return FL_OK;
}

void *
fl_guard_handle(fl_guard *self, fl_way way)
{
    return zsock_resolve(self->lanes[way].news);
}

static bool
s_grow(fl_guard *self, int descriptor)
{
    if (descriptor < self->size) {
        return true;
    }
    const int size = descriptor < 64 ? 64 : descriptor * 2;
    fl_visitor *visitors = realloc(self->visitors, (size_t)size * sizeof *visitors);
    if (visitors == NULL) {
        return false;
    }
    memset(visitors + self->size, 0, (size_t)(size - self->size) * sizeof *visitors);
    self->visitors = visitors;
    self->size = size;
    return true;
}

static fl_visitor *
s_record(fl_guard *self, fl_way way, int descriptor, fl_time now)
{
    const uint64_t inode = fl_descriptor_inode(descriptor);
    if (inode == 0 || fl_descriptor_port(descriptor) != self->lanes[way].port ||
        !s_grow(self, descriptor)) {
        return NULL;
    }
    fl_visitor *visitor = &self->visitors[descriptor];
    *visitor = (fl_visitor){
        .inode = inode, .way = way, .peer = FL_PARENT, .since = now, .refused_since = now
    };
    return visitor;
}

static fl_visitor *
s_find(fl_guard *self, int descriptor)
{
    if (descriptor < 0 || descriptor >= self->size || self->visitors[descriptor].inode == 0) {
        return NULL;
    }
    return &self->visitors[descriptor];
}

unsigned
fl_guard_cut(fl_guard *self, int descriptor)
{
    fl_visitor *visitor = s_find(self, descriptor);
    if (visitor == NULL) {
        return 0;
    }
    const bool shut = fl_descriptor_shut(descriptor, visitor->inode);
    visitor->inode = 0;
    return shut ? 1 : 0;
}

unsigned
fl_guard_cut_peer(fl_guard *self, fl_peer peer)
{
    FL_ASSERT(peer != FL_PARENT);
    unsigned cut = 0;
    for (int i = 0; i < self->size; i++) {
        if (self->visitors[i].inode != 0 && self->visitors[i].peer == peer) {
            cut += fl_guard_cut(self, i);
        }
    }
    return cut;
}

static bool
s_stranger(const fl_visitor *visitor)
{
    return visitor->inode != 0 && visitor->peer == FL_PARENT;
}

//  Counts them, and shuts the oldest when there are too many.
static void
s_bound_strangers(fl_guard *self)
{
    int oldest = -1;
    self->strangers_at_most = 0;
    for (int i = 0; i < self->size; i++) {
        if (s_stranger(&self->visitors[i])) {
            self->strangers_at_most++;
            if (oldest < 0 || self->visitors[i].since < self->visitors[oldest].since) {
                oldest = i;
            }
        }
    }
    if (self->strangers_at_most > FL_STRANGERS_MAX) {
        self->metrics->net_cut_silent_total += fl_guard_cut(self, oldest);
    }
}

static void
s_accepted(fl_guard *self, fl_way way, int descriptor, fl_time now)
{
    self->metrics->net_accepted_total++;
    if (s_record(self, way, descriptor, now) != NULL &&
        ++self->strangers_at_most > FL_STRANGERS_MAX) {
        s_bound_strangers(self);
    }
}

//  A number that has become free may be another lane's connection already, and that lane's news may
//  have been read first: such a visitor stays.
static void
s_disconnected(fl_guard *self, fl_way way, int descriptor)
{
    fl_visitor *visitor = s_find(self, descriptor);
    if (visitor != NULL && visitor->way == way) {
        visitor->inode = 0;
    }
}

//  An event is 16 bits of kind and 32 of value in the host's order, then a frame with the address.
static void
s_event(fl_guard *self, fl_way way, zframe_t *frame, fl_time now)
{
    uint16_t kind;
    uint32_t value;
    FL_ASSERT(zframe_size(frame) == sizeof kind + sizeof value);
    memcpy(&kind, zframe_data(frame), sizeof kind);
    memcpy(&value, zframe_data(frame) + sizeof kind, sizeof value);
    if (kind == ZMQ_EVENT_ACCEPTED) {
        s_accepted(self, way, (int)value, now);
    } else if (kind == ZMQ_EVENT_DISCONNECTED) {
        s_disconnected(self, way, (int)value);
    } else if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        self->metrics->net_handshakes_total++;
    } else {
        self->metrics->net_handshakes_failed_total++;
    }
}

void
fl_guard_listen(fl_guard *self, fl_time now)
{
    for (unsigned i = 0; i < FL_WATCHED; i++) {
        lane *at = &self->lanes[i];
        while (at->watched != NULL && (zsock_events(at->news) & ZMQ_POLLIN) != 0) {
            zmsg_t *news = zmsg_recv(at->news);
            FL_ASSERT(news != NULL && zmsg_size(news) >= 1);
            s_event(self, (fl_way)i, zmsg_first(news), now);
            zmsg_destroy(&news);
        }
    }
}

fl_visitor *
fl_guard_heard(fl_guard *self, fl_way way, int descriptor, fl_time now)
{
    FL_ASSERT((unsigned)way < FL_WATCHED);
    if (descriptor < 0) {
        return NULL;
    }
    fl_visitor *visitor = s_find(self, descriptor);
    if (visitor == NULL || visitor->way != way) {
        visitor = s_record(self, way, descriptor, now);
    }
    if (visitor != NULL) {
        visitor->messages++;
    }
    return visitor;
}

void
fl_guard_drained(fl_guard *self, fl_way way, bool drained)
{
    self->lanes[way].drained = drained;
}

fl_time
fl_guard_deadline(const fl_guard *self)
{
    return self->due;
}

//  A lane that was drained has delivered every whole message; one that was not may hold a full
//  queue of them.
static void
s_look_at(fl_guard *self, int descriptor, fl_time now)
{
    fl_visitor *visitor = &self->visitors[descriptor];
    uint64_t consumed = 0;
    if (fl_descriptor_inode(descriptor) != visitor->inode ||
        !fl_descriptor_consumed(descriptor, &consumed)) {
        visitor->inode = 0;
        return;
    }
    const lane *at = &self->lanes[visitor->way];
    const uint64_t bound = FL_UNDELIVERED_MAX + (at->drained ? 0 : at->queue_bytes_max);
    if (visitor->messages != visitor->messages_seen) {
        visitor->messages_seen = visitor->messages;
        visitor->floor = consumed;
    } else if (consumed > visitor->floor + bound) {
        self->metrics->net_cut_flood_total += fl_guard_cut(self, descriptor);
    }
    if (s_stranger(visitor) && now - visitor->since > FL_STRANGER_MS) {
        self->metrics->net_cut_silent_total += fl_guard_cut(self, descriptor);
    }
}

void
fl_guard_look(fl_guard *self, fl_time now)
{
    int looks = 0;
    while (self->next < self->size && looks < LOOKS) {
        if (self->visitors[self->next].inode != 0) {
            s_look_at(self, self->next, now);
            looks++;
        }
        self->next++;
    }
    if (self->next >= self->size) {
        self->next = 0;
    }
    self->due = now + FL_WATCH_MS;
}
