//  connection_guard - the connections of a parent's lanes by descriptor, and the bounds that libzmq
//  does not keep. An endless multipart message passes every high-water mark and frame limit,
//  because it is never delivered: the watchdog compares what a descriptor received (TCP_INFO) with
//  what was delivered since, and shuts it. It also shuts connections that no admitted child speaks
//  on: they cost descriptors, and libzmq aborts when a routing id that a peer chose meets the next
//  one that it hands out, so strangers must not hold many ids, nor for long. Reactor's thread only.
#ifndef FL_NET_CONNECTION_GUARD_H
#define FL_NET_CONNECTION_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/machine/event.h"
#include "common/net/counters.h"
#include "common/net/socket.h"

typedef struct fl_guard fl_guard;

enum {
    FL_WATCHED = 3,             // FL_WAY_CONTROL, FL_WAY_UP, FL_WAY_DOWN
    FL_WATCH_MS = 100,          // between two looks
    FL_STRANGER_MS = 30 * 1000, // an unnamed connection may last
    FL_STRANGERS_MAX = 512,     // unnamed connections at a time; beyond it the oldest goes
    FL_UNDELIVERED_MAX = 4 * FL_MESSAGE_BYTES_MAX, // of one connection, once its lane is drained
};

//  One accepted connection.
typedef struct fl_visitor {
    uint64_t inode; // tells this socket from a later one of the same number; 0: no visitor
    fl_way way;
    fl_peer peer; // FL_PARENT: a stranger yet
    fl_time since;
    uint64_t messages;      // delivered
    uint64_t messages_seen; // at the last look at which there were new ones
    uint64_t floor;         // bytes received up to that look
    fl_time refused_since;  // window of the refusals told on this connection
    uint32_t refused;       // in that window
} fl_visitor;

//  `metrics` are the caller's and outlive this. NULL when out of memory.
fl_guard *fl_guard_new(fl_metrics *metrics);
//  Before the links that it watches are destroyed.
void fl_guard_destroy(fl_guard **self_p);

//  Learn of connections to a bound lane (one per way) with so many messages of so many bytes
//  allowed in its queue.
FL_CHECKED fl_status fl_guard_attach(fl_guard *self, fl_way way, fl_socket *link, uint16_t port,
                                     uint64_t queue_bytes_max, fl_why *why);
//  The socket that becomes readable when there is news of that lane.
void *fl_guard_handle(fl_guard *self, fl_way way);
//  Read the news of all lanes.
void fl_guard_listen(fl_guard *self, fl_time now);

//  A message was delivered on this descriptor. NULL when the connection is gone already.
fl_visitor *fl_guard_heard(fl_guard *self, fl_way way, int descriptor, fl_time now);
//  Whether the lane was read until nothing was left, in this turn.
void fl_guard_drained(fl_guard *self, fl_way way, bool drained);

//  When `look` wants to be called next.
fl_time fl_guard_deadline(const fl_guard *self);
//  Look at some of the connections (at all of them, a few times a second) and shut what must go.
//  Right after the lanes were read.
void fl_guard_look(fl_guard *self, fl_time now);

//  Shut every connection of a peer, or one descriptor. Returns how many.
unsigned fl_guard_cut_peer(fl_guard *self, fl_peer peer);
unsigned fl_guard_cut(fl_guard *self, int descriptor);

#endif
