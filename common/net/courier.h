//  courier - carries out the effects that concern lanes (SEND, PUSH, SERVE, LANE, RECONNECT,
//  EXPEL) and hands every other to the host. Nothing here waits: what a full queue or a missing
//  route refuses is counted, and the protocol heals.
//  Reactor's thread. Half of reactor.c, which would be longer than a file may be.
#ifndef FL_NET_COURIER_H
#define FL_NET_COURIER_H

#include "common/machine/event.h"
#include "common/net/counters.h"
#include "common/net/dialer.h"
#include "common/net/listener.h"
#include "common/net/reactor.h"

//  All pointers are borrowed; `uplink` is opened and closed by whoever holds the courier.
typedef struct fl_courier {
    fl_reactor_ops host;
    const fl_admission_ops *ops;
    fl_metrics *metrics;
    fl_listener *porch; // NULL: no children
    fl_dialer uplink;   // all closed: no parent
} fl_courier;

//  `body`: the body frame of the message being stepped, for the host.
void fl_courier_obey(fl_courier *self, const fl_effect *effect, fl_bytes body);
//  Tell a sender, on the route that it came by.
void fl_courier_refuse(fl_courier *self, fl_way way, fl_bytes route, const fl_refused *refused);

#endif
