#include "common/net/connection_guard.h"

#include <czmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/net/descriptor.h"
#include "common/wire/codec.h"

enum {
    LOOKS = 512,        // connections per look
    MOVING = 64 * 1024, // bytes that came since the last look: look again soon
    DENIED_MS = 200,    // a connection that proved its key and was not let in is shut after it
    EVENTS = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
             ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
    //  On the wire: a header, a body and their frames. A child that connects anew may have one
    //  message waiting that goes before its HELLO.
    UNHEARD_BYTES_MAX = FL_FRAME_BYTES_MAX + 8192,
    //  Twice a message was consumed and nothing came of it: it is one that does not end.
    CONTROL_BYTES_MAX = 2 * UNHEARD_BYTES_MAX,
    BULK_BYTES_MAX = 2 * (FL_FRAME_BYTES_MAX + FL_MESSAGE_BYTES_MAX + 8192),
};

typedef struct lane {
    void *watched; // libzmq socket; NULL: not attached
    zsock_t *news; // PAIR: its monitor events
    uint16_t port;
    bool ours;
    bool drained; // in this turn
    bool proved;  // since it was asked
} lane;

struct fl_guard {
    fl_guard_conf conf;
    fl_metrics *metrics;
    lane lanes[FL_WATCHED];
    fl_visitor *visitors; // (size), by descriptor
    int size;
    int next;              // descriptor to look at next
    unsigned strangers_at_most; // counted anew when above the bound
    uint64_t salt;         // of crowds: nobody chooses which prefixes share one
    fl_notice notices[FL_NOTICES_MAX];
    unsigned notice_told, notice_count;
    fl_time now; // of this turn
    fl_time due;
};

fl_guard *
fl_guard_new(const fl_guard_conf *conf, fl_metrics *metrics)
{
    fl_guard *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
        self->conf.unread_max = conf->unread_max > 0 ? conf->unread_max : FL_UNREAD_DEFAULT;
        self->conf.strangers_max =
            conf->strangers_max > 0 ? conf->strangers_max : FL_STRANGERS_MAX;
        self->metrics = metrics;
        FL_ASSERT(getrandom(&self->salt, sizeof self->salt, 0) == sizeof self->salt);
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
        fl_guard_detach(self, (fl_way)i);
    }
    free(self->visitors);
    free(self);
}

//  The reader's queue is unbounded on purpose: libzmq writes to it with a blocking send on its I/O
//  thread. It is read each turn, and an event costs its cause a connection.
fl_status
fl_guard_attach(fl_guard *self, fl_way way, fl_socket *link, uint16_t port,
                bool ours, fl_why *why)
{
    FL_ASSERT((unsigned)way < FL_WATCHED && self->lanes[way].watched == NULL);
    static unsigned serial;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://fl.guard.%u", serial++);
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
    *at = (lane){ .watched = watched, .news = news, .port = port, .ours = ours };
    return FL_OK;
}

void
fl_guard_detach(fl_guard *self, fl_way way)
{
    lane *at = &self->lanes[way];
    if (at->watched != NULL) {
        zmq_socket_monitor(at->watched, NULL, 0); // before its reader goes
        zsock_destroy(&at->news);
        at->watched = NULL;
    }
    for (int i = 0; i < self->size; i++) {
        self->visitors[i].inode = self->visitors[i].way == way ? 0 : self->visitors[i].inode;
    }
}

void *
fl_guard_handle(fl_guard *self, fl_way way)
{
    return self->lanes[way].watched == NULL ? NULL : zsock_resolve(self->lanes[way].news);
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

//  Where two networks meet in one crowd is nobody's to choose.
static uint16_t
s_crowd(const fl_guard *self, uint64_t origin)
{
    const uint64_t mixed = (origin ^ self->salt) * 0x9e3779b97f4a7c15u;
    return (uint16_t)((mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9u >> 48) % FL_CROWDS;
}

static fl_visitor *
s_record(fl_guard *self, fl_way way, int descriptor, fl_time now)
{
    const lane *at = &self->lanes[way];
    const uint64_t inode = fl_descriptor_inode(descriptor);
    if (inode == 0 || fl_descriptor_port(descriptor, at->ours) != at->port ||
        !s_grow(self, descriptor)) {
        return NULL;
    }
    fl_visitor *visitor = &self->visitors[descriptor];
    *visitor = (fl_visitor){
        .inode = inode, .way = way, .peer = FL_PARENT, .ours = at->ours,
        .crowd = s_crowd(self, fl_descriptor_origin(descriptor)),
        .since = now, .progress_at = now, .refused_since = now
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

void
fl_guard_tell(fl_guard *self, fl_notice notice)
{
    if (self->notice_count < FL_NOTICES_MAX) {
        self->notices[self->notice_count++] = notice;
    }
}

bool
fl_guard_told(fl_guard *self, fl_notice *notice)
{
    if (self->notice_told == self->notice_count) {
        self->notice_told = self->notice_count = 0;
        return false;
    }
    *notice = self->notices[self->notice_told++];
    return true;
}

//  What a visitor has received and got acknowledged by now. False: it is gone.
static bool
s_measure(fl_guard *self, int descriptor, fl_time now)
{
    fl_visitor *visitor = &self->visitors[descriptor];
    uint64_t acknowledged = 0, before = visitor->received;
    if (!fl_descriptor_counts(descriptor, &visitor->received, &acknowledged) ||
        visitor->received < before) { // or the number is another connection's
        visitor->inode = 0;
        return false;
    }
    const fl_progress progress =
        fl_allowance_progress(visitor->progress, visitor->received, acknowledged);
    if (progress != visitor->progress) {
        visitor->progress = progress;
        visitor->progress_at = now;
    }
    return true;
}

//  Counts them, and shuts who must make room when there are too many. Who is chosen is measured
//  again before: bytes may have come since the last look.
static void
s_bound_strangers(fl_guard *self, fl_time now)
{
    self->strangers_at_most = 0;
    for (int i = 0; i < self->size; i++) {
        self->strangers_at_most += fl_allowance_stranger(&self->visitors[i]) ? 1 : 0;
    }
    while (self->strangers_at_most > self->conf.strangers_max) {
        const int least = fl_allowance_least_stranger(self->visitors, self->size);
        fl_visitor *at = &self->visitors[least];
        const fl_progress was = at->progress;
        if (s_measure(self, least, now) && at->progress > was) { // perhaps another one goes
            self->strangers_at_most -= fl_allowance_stranger(at) ? 0 : 1;
            continue;
        }
        self->metrics->net_cut_silent_total += fl_guard_cut(self, least);
        self->strangers_at_most--;
    }
}

static void
s_met(fl_guard *self, fl_way way, int descriptor, fl_time now)
{
    self->metrics->net_accepted_total += self->lanes[way].ours ? 0 : 1;
    if (s_record(self, way, descriptor, now) != NULL && !self->lanes[way].ours &&
        ++self->strangers_at_most > self->conf.strangers_max) {
        s_bound_strangers(self, now);
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
    if (kind == ZMQ_EVENT_ACCEPTED || kind == ZMQ_EVENT_CONNECTED) {
        s_met(self, way, (int)value, now);
    } else if (kind == ZMQ_EVENT_DISCONNECTED) {
        s_disconnected(self, way, (int)value);
    } else if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        self->metrics->net_handshakes_total++;
        self->lanes[way].proved = true;
    } else {
        self->metrics->net_handshakes_failed_total++;
    }
}

void
fl_guard_listen(fl_guard *self, fl_time now)
{
    self->now = now;
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
fl_guard_heard(fl_guard *self, fl_way way, int descriptor, uint64_t bytes, fl_time now)
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
        visitor->delivered += bytes;
    }
    return visitor;
}

void
fl_guard_name(fl_guard *self, fl_visitor *visitor, fl_peer peer, bool child, bool seat)
{
    const bool first = visitor->peer != peer;
    for (int i = 0; seat && !visitor->seat && i < self->size; i++) {
        self->visitors[i].seat = self->visitors[i].seat && self->visitors[i].peer != peer;
    }
    visitor->seat = visitor->seat || seat;
    visitor->peer = peer;
    visitor->child = child;
    const int oldest =
        first ? fl_allowance_surplus(self->visitors, self->size, visitor->way, peer) : -1;
    if (oldest >= 0) {
        fl_guard_tell(self, (fl_notice){ visitor->way, peer, false,
                                         "more connections than a key may have: "
                                         "the oldest is cut" });
        self->metrics->net_cut_surplus_total += fl_guard_cut(self, oldest);
    }
}

void
fl_guard_unseat(fl_guard *self, fl_peer peer)
{
    for (int i = 0; i < self->size; i++) {
        fl_visitor *visitor = &self->visitors[i];
        if (visitor->inode != 0 && visitor->peer == peer) {
            visitor->peer = FL_PARENT;
            visitor->child = visitor->seat = false;
            visitor->since = self->now;
            self->strangers_at_most++;
        }
    }
}

void
fl_guard_drained(fl_guard *self, fl_way way, bool drained)
{
    self->lanes[way].drained = drained;
}

bool
fl_guard_proved(fl_guard *self, fl_way way)
{
    bool proved = self->lanes[way].proved;
    self->lanes[way].proved = false;
    return proved;
}

fl_time
fl_guard_deadline(const fl_guard *self)
{
    return self->due;
}

static void
s_cut_flood(fl_guard *self, int descriptor, const char *text)
{
    const fl_visitor *visitor = &self->visitors[descriptor];
    fl_guard_tell(self, (fl_notice){ visitor->way, visitor->peer, true, text });
    self->metrics->net_cut_flood_total += fl_guard_cut(self, descriptor);
}

//  One message that does not end: its lane is drained, nothing came of it since the last look, and
//  yet more was consumed than the largest messages have.
static bool
s_endless(const fl_guard *self, int descriptor, bool silent)
{
    const fl_visitor *visitor = &self->visitors[descriptor];
    const uint64_t most =
        visitor->way == FL_WAY_CONTROL ? CONTROL_BYTES_MAX : BULK_BYTES_MAX;
    const uint64_t held = fl_allowance_held(visitor);
    return silent && self->lanes[visitor->way].drained && held > most &&
           held - most > fl_descriptor_unread(descriptor);
}

//  Returns how many bytes came since the last look.
static uint64_t
s_look_at(fl_guard *self, int descriptor, fl_time now)
{
    fl_visitor *visitor = &self->visitors[descriptor];
    const uint64_t before = visitor->received;
    const bool silent = visitor->messages == visitor->messages_seen;
    visitor->messages_seen = visitor->messages;
    if (!s_measure(self, descriptor, now)) {
        return 0;
    }
    const fl_allowance share = fl_allowance_of(visitor);
    if (share == FL_ALLOWANCE_STRANGERS && fl_allowance_held(visitor) > UNHEARD_BYTES_MAX) {
        s_cut_flood(self, descriptor, "more bytes than one message before HELLO: cut");
    } else if (s_endless(self, descriptor, silent)) {
        s_cut_flood(self, descriptor, "a message that does not end: cut");
    } else if (!visitor->ours &&
               ((visitor->peer == FL_PARENT && now - visitor->since > FL_STRANGER_MS) ||
                (visitor->progress == FL_PROGRESS_PROOF &&
                 now - visitor->progress_at > DENIED_MS))) {
        self->metrics->net_cut_silent_total += fl_guard_cut(self, descriptor);
    }
    return visitor->received - before;
}

//  Shut the largest holders until the rest fits. True: more than half of the share is used.
static bool
s_keep_share(fl_guard *self, fl_allowance share)
{
    const uint64_t bytes = fl_allowance_bytes(self->conf.unread_max, share);
    uint64_t sum = fl_allowance_sum(self->visitors, self->size, share);
    while (sum > bytes) {
        const int heaviest = fl_allowance_heaviest(self->visitors, self->size, share);
        sum -= fl_allowance_held(&self->visitors[heaviest]);
        s_cut_flood(self, heaviest, share == FL_ALLOWANCE_STRANGERS
                                        ? "the strangers' share of net.unread_max is used up: cut"
                                    : share == FL_ALLOWANCE_CHILDREN
                                        ? "the children's share of net.unread_max is used up: cut"
                                        : "the parent's share of net.unread_max is used up: cut");
    }
    return sum > bytes / 2;
}

void
fl_guard_look(fl_guard *self, fl_time now)
{
    uint64_t moved = 0;
    int looks = 0;
    while (self->next < self->size && looks < LOOKS) {
        if (self->visitors[self->next].inode != 0) {
            moved += s_look_at(self, self->next, now);
            looks++;
        }
        self->next++;
    }
    if (self->next >= self->size) {
        self->next = 0;
    }
    bool busy = moved > MOVING;
    for (unsigned i = 0; i < FL_ALLOWANCES; i++) {
        busy = s_keep_share(self, (fl_allowance)i) || busy;
    }
    self->due = now + (busy ? FL_WATCH_BUSY_MS : FL_WATCH_MS);
}
