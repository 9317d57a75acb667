//  zap - our end of ZeroMQ's authentication protocol (rfc.zeromq.org/spec/27): each CURVE
//  handshake of this process asks here who may in. Any key may but those that `admits` denies; the
//  key, as hex, becomes the User-Id on every frame of that connection. Bound once per process
//  (the address is fixed by libzmq), served by the reactor's thread: no locks, and a deny list
//  acts on the next handshake at once.
#ifndef FL_NET_ZAP_H
#define FL_NET_ZAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct fl_zap fl_zap;
typedef bool fl_zap_admits(void *arg, const uint8_t key[32]);

//  NULL with `why` when another one is open in this process.
fl_zap *fl_zap_new(fl_zap_admits *admits, void *arg, fl_why *why);
void fl_zap_destroy(fl_zap **self_p);

//  Answer what waits, at most `max` requests.
void fl_zap_serve(fl_zap *self, unsigned max);

void *fl_zap_handle(fl_zap *self);

#endif
