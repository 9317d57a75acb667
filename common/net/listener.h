//  listener - the parent's side of the lanes: a control ROUTER, an up PULL and a down ROUTER, all
//  CURVE servers behind one authentication handler, with the admission that judges what comes in
//  and the guard that shuts what should not. One per process (see zap).
//  Reactor's thread; may be made by the main thread before the reactor runs.
#ifndef FL_NET_LISTENER_H
#define FL_NET_LISTENER_H

#include "common/net/admission.h"
#include "common/net/connection_guard.h"
#include "common/net/socket.h"
#include "common/net/zap.h"

typedef struct fl_listener_conf {
    const char *endpoint[FL_WATCHED]; // by fl_way: "tcp://0.0.0.0:7000"; port 0: any free one
    const fl_keypair *keys; // ours
    fl_admission_conf gate;
    fl_guard_conf guard;
    int bulk_queue; // messages per peer; 0: FL_BULK_QUEUE
} fl_listener_conf;

//  The parts, for the reactor; the owner of the listener reads `port` only.
typedef struct fl_listener {
    fl_zap *zap;
    fl_admission *gate;
    fl_guard *guard;
    fl_socket *link[FL_WATCHED];
    uint16_t port[FL_WATCHED]; // really bound
    fl_metrics *metrics;
} fl_listener;

//  Binds all three lanes or none. `ops` and `metrics` outlive it. FL_BUSY: a port is
//  taken, or another listener is open in this process.
FL_CHECKED fl_status fl_listener_open(fl_listener *self, const fl_listener_conf *conf,
                                      const fl_admission_ops *ops, fl_metrics *metrics,
                                      fl_why *why);
//  Every lane ends its connections and listens with other keys. Not FL_OK: some listen no more.
FL_CHECKED fl_status fl_listener_rekey(fl_listener *self, const fl_keypair *keys, fl_why *why);
void fl_listener_close(fl_listener *self);

#endif
