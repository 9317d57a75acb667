//  connection_guard - the connections of a process's lanes by descriptor, and the bounds that
//  libzmq does not keep. An endless multipart message passes every high-water mark and frame limit,
//  because it is never delivered: the guard compares what a descriptor received (TCP_INFO) with
//  what was delivered, for each connection and summed up (see allowance), and shuts who holds too
//  much. It also shuts connections that no admitted child speaks on, and those above what a key may
//  have: they cost descriptors, and libzmq aborts when a routing id that a peer chose meets the
//  next one that it hands out, so strangers must not hold many ids, nor for long.
//  A parent has one for its children, a child one for its parent. Reactor's thread only.
#ifndef FL_NET_CONNECTION_GUARD_H
#define FL_NET_CONNECTION_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/machine/event.h"
#include "common/net/counters.h"
#include "common/net/allowance.h"
#include "common/net/socket.h"

typedef struct fl_guard fl_guard;

enum {
    FL_WATCHED = 3,             // FL_WAY_CONTROL, FL_WAY_UP, FL_WAY_DOWN
    FL_WATCH_MS = 25,           // between two looks
    FL_WATCH_BUSY_MS = 10,      // while bytes move or a share is more than half used
    FL_STRANGER_MS = 30 * 1000, // an unnamed connection may last
    FL_STRANGERS_MAX = 512,     // unnamed connections at a time
    FL_NOTICES_MAX = 32,        // of one turn; what is above is counted and not told
};

typedef struct fl_guard_conf {
    uint64_t unread_max;    // bytes received and not delivered, of all shares; 0: the default
    unsigned strangers_max; // 0: FL_STRANGERS_MAX
} fl_guard_conf;

//  Something that the log shall hear.
typedef struct fl_notice {
    fl_way way;
    fl_peer peer;     // FL_PARENT: a stranger, or the parent
    bool flood;       // it was shut for what it sent
    const char *text; // constant
} fl_notice;

//  `metrics` are the caller's and outlive this. NULL when out of memory.
fl_guard *fl_guard_new(const fl_guard_conf *conf, fl_metrics *metrics);
//  Before the links that it watches are destroyed.
void fl_guard_destroy(fl_guard **self_p);

//  Learn of connections to a bound lane (one per way) at this port of ours; or, `ours`, of those
//  that we make to this port of the parent.
FL_CHECKED fl_status fl_guard_attach(fl_guard *self, fl_way way, fl_socket *link, uint16_t port,
                                     bool ours, fl_why *why);
//  Before that link is destroyed. Nothing when it is not watched.
void fl_guard_detach(fl_guard *self, fl_way way);
//  The socket that becomes readable when there is news of that lane; NULL: not watched.
void *fl_guard_handle(fl_guard *self, fl_way way);
//  Read the news of all lanes.
void fl_guard_listen(fl_guard *self, fl_time now);

//  A message of so many bytes on the wire was delivered on this descriptor. NULL when the
//  connection is gone already.
fl_visitor *fl_guard_heard(fl_guard *self, fl_way way, int descriptor, uint64_t bytes,
                           fl_time now);
//  It was a message of this peer, an admitted `child` or a newcomer; `seat`: by which it has its
//  seat. Shuts the peer's oldest other connection on that lane when there are too many.
void fl_guard_name(fl_guard *self, fl_visitor *visitor, fl_peer peer, bool child, bool seat);
//  Its connections are a stranger's again.
void fl_guard_unseat(fl_guard *self, fl_peer peer);
//  Whether the lane was read until nothing was left, in this turn.
void fl_guard_drained(fl_guard *self, fl_way way, bool drained);

//  A connection of that lane has proved both keys since this was asked last.
bool fl_guard_proved(fl_guard *self, fl_way way);

//  When `look` wants to be called next.
fl_time fl_guard_deadline(const fl_guard *self);
//  Look at the connections (some, when they are many) and shut what must go. Right after the lanes
//  were read.
void fl_guard_look(fl_guard *self, fl_time now);

//  Shut every connection of a peer, or one descriptor. Returns how many.
unsigned fl_guard_cut_peer(fl_guard *self, fl_peer peer);
unsigned fl_guard_cut(fl_guard *self, int descriptor);

//  Have the log hear of it; the next such thing, false when there is none.
void fl_guard_tell(fl_guard *self, fl_notice notice);
bool fl_guard_told(fl_guard *self, fl_notice *notice);

#endif
