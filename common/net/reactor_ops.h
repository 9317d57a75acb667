//  reactor_ops - what surrounds a machine in life: staging, folds, training, the store, the log. A
//  table of functions, so that net knows none of them.
#ifndef FL_NET_REACTOR_OPS_H
#define FL_NET_REACTOR_OPS_H

#include "common/machine/event.h"
#include "common/net/counters.h"
#include "common/net/socket.h"

//  What surrounds the machine. None of these may block for long, nor step the machine.
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
} fl_reactor_ops;

#endif
