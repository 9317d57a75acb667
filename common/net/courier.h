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
#include "common/net/socket.h"

//  What surrounds a machine in life: staging, folds, training, the store, the log. A table of
//  functions, so that net knows none of them. None may block for long, nor step the machine.
typedef struct fl_reactor_ops {
    void *self;
    //  Any effect that is not the reactor's. `body` is the body frame of the message being
    //  stepped (for STAGE and PLACE), valid until this returns; empty otherwise.
    void (*obey)(void *self, const fl_effect *effect, fl_bytes body);
    //  Lend bytes to send, with a reference that keeps them: of a vector, of a held model.
    //  False: they are not here.
    bool (*vector)(void *self, fl_vec vec, uint64_t offset, uint32_t bytes, fl_loan *loan);
    bool (*model)(void *self, const fl_hash *hash, uint64_t offset, uint32_t bytes, fl_loan *loan);
    //  The operator asks; answer now or later with `fl_reactor_answer(ticket)`.
    void (*ask)(void *self, uint32_t ticket, const fl_ask *ask);
    //  Something was refused or dropped, by name; `from` is FL_PARENT for what the parent sent,
    //  `node` NULL for a stranger. For the log, which limits its own rate.
    void (*refused)(void *self, fl_way way, const fl_name *node, const fl_refused *refused);
    //  Likewise of a connection that cost more than it may.
    void (*cut)(void *self, fl_way way, const fl_name *node, const char *why);
} fl_reactor_ops;

//  All pointers are borrowed; `dialer` is opened and closed by whoever holds the courier.
typedef struct fl_courier {
    fl_reactor_ops host;
    const fl_admission_ops *ops;
    fl_metrics *metrics;
    fl_listener *listener; // NULL: no children
    fl_dialer dialer;      // all closed: no parent
} fl_courier;

//  `body`: the body frame of the message being stepped, for the host.
void fl_courier_obey(fl_courier *self, const fl_effect *effect, fl_bytes body);
//  Tell a sender, on the route that it came by.
void fl_courier_refuse(fl_courier *self, fl_way way, fl_bytes route, const fl_refused *refused);

#endif
