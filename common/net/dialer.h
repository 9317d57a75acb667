//  dialer - the child's side of the lanes: one control DEALER that stays, and an up PUSH and a
//  down DEALER that are opened for a transfer and closed after it. All of them prove the parent's
//  key: with another one the handshake never ends. A denied connection is not tried again by
//  libzmq, so a child that hears nothing makes a new one.
//  Reactor's thread.
#ifndef FL_NET_DIALER_H
#define FL_NET_DIALER_H

#include "common/machine/event.h"
#include "common/net/connection_guard.h"
#include "common/net/socket.h"

typedef struct fl_dialer_conf {
    char host[256]; // of the parent: a name or an IPv4 address
    uint16_t port;  // of its control lane
    const fl_keypair *keys; // ours, borrowed as long as it is open: `reconnect` needs them
    uint8_t parent_key[FL_KEY_BYTES];
    int bulk_queue; // messages; 0: FL_BULK_QUEUE
    fl_guard_conf guard;
} fl_dialer_conf;

typedef struct fl_dialer {
    fl_dialer_conf conf;
    fl_guard *guard;    // of the connections to the parent; NULL: never opened
    fl_socket *control; // NULL only when the system gave no socket: see `reconnect`
    fl_socket *lane[FL_LANES]; // the bulk lanes; NULL: closed
} fl_dialer;

//  `metrics` outlive this.
FL_CHECKED fl_status fl_dialer_open(fl_dialer *self, const fl_dialer_conf *conf,
                                    fl_metrics *metrics, fl_why *why);
void fl_dialer_close(fl_dialer *self);
//  Leave the parent: close every lane. Only `reconnect` goes on from there.
void fl_dialer_leave(fl_dialer *self);

//  Throw away every connection, with what was queued on it, and make a new control lane.
FL_CHECKED fl_status fl_dialer_reconnect(fl_dialer *self, fl_why *why);
//  Open a bulk lane to a port of the parent (an open one is made anew), or close it.
FL_CHECKED fl_status fl_dialer_lane(fl_dialer *self, fl_lane lane, bool open, uint16_t port,
                                    fl_why *why);

#endif
