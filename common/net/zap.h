//  zap - our end of ZeroMQ's authentication protocol (rfc.zeromq.org/spec/27): each CURVE
//  handshake of this process asks here who may in, and on which lane (the domain is its name); the
//  key, as hex, becomes the User-Id on every frame of that connection. Bound once per process
//  (the address is fixed by libzmq), served by the reactor's thread: no locks, and a deny list
//  acts on the next handshake at once.
#ifndef FL_NET_ZAP_H
#define FL_NET_ZAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"
#include "common/machine/event.h"
#include "common/net/counters.h"

typedef struct fl_zap fl_zap;
typedef enum fl_zap_verdict {
    FL_ZAP_ADMIT,
    FL_ZAP_LATER, // the peer tries again by itself once its connection is shut
    FL_ZAP_DENY,  // it does not
} fl_zap_verdict;
typedef fl_zap_verdict fl_zap_admits(void *arg, fl_way way, const uint8_t key[32], fl_time now);

//  NULL with `why` when another one is open in this process.
fl_zap *fl_zap_new(fl_zap_admits *admits, void *arg, fl_why *why);
void fl_zap_destroy(fl_zap **self_p);

//  Answer what waits, at most `max` requests.
void fl_zap_serve(fl_zap *self, unsigned max, fl_time now);

void *fl_zap_handle(fl_zap *self);

#endif
