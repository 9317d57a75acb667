//  socket - one ZeroMQ socket of a lane: its settings, and messages in and out of it as one header
//  frame and at most one body frame. Never blocks: «full» and «nobody there» are answers.
//  One thread. CURVE on everything but the operator's local socket.
#ifndef FL_NET_SOCKET_H
#define FL_NET_SOCKET_H

#include <stdalign.h>
#include <stdint.h>

#include "common/base/blob.h"
#include "common/base/bytes.h"
#include "common/base/status.h"

typedef struct fl_socket fl_socket;

enum {
    FL_KEY_BYTES = 32,      // a CURVE (X25519) key
    FL_USER_CHARS = 64,     // a public key as hex: the User-Id that our ZAP handler hands out
    FL_CONTROL_QUEUE = 200, // messages per peer and direction; some have 60 KiB
    FL_BULK_QUEUE = 16,
};

//  Borrowed wherever it is asked for, never copied by us. libzmq keeps copies, which it does not
//  wipe: docs/threat-model.md.
typedef struct fl_keypair {
    uint8_t public_key[FL_KEY_BYTES];
    uint8_t secret_key[FL_KEY_BYTES];
} fl_keypair;

typedef enum fl_socket_kind {
    FL_SOCKET_ROUTER,
    FL_SOCKET_DEALER,
    FL_SOCKET_PULL,
    FL_SOCKET_PUSH,
} fl_socket_kind;

typedef struct fl_socket_conf {
    fl_socket_kind kind;
    int queue;                 // high-water mark, > 0
    uint32_t frame_bytes_max;  // larger frames end the connection
    const fl_keypair *keys;    // ours; NULL only for the operator's ipc socket
    const uint8_t *server_key; // (FL_KEY_BYTES) of whom we connect to; NULL: we are the server
    const char *domain;        // of a server, for the authentication handler: its lane's name
} fl_socket_conf;

//  Bytes lent for sending, and the reference that keeps them alive. blob NULL: nothing.
typedef struct fl_loan {
    fl_blob *blob;
    fl_bytes bytes;
} fl_loan;

//  One received message. The views live until the next receive into it or its release.
typedef struct fl_parcel {
    fl_bytes route;        // of the sender; empty unless received by a ROUTER
    fl_bytes header, body; // body.size 0: none
    uint32_t surplus;      // frames behind the body: they are gone, the message is not ours
    uint64_t wire_bytes;   // of all its frames, as CURVE and ZMTP made them
    const char *user;      // FL_USER_CHARS hex digits of the sender's key; NULL: no CURVE
    bool named;            // the sender chose a routing id of its own
    int descriptor;        // that it came on; -1 unknown
    unsigned held;
    alignas(8) unsigned char frames[3][64];
} fl_parcel;

typedef enum fl_sent { FL_SENT, FL_SENT_FULL, FL_SENT_NO_ROUTE } fl_sent;

//  NULL with `why` when the system gives no socket.
fl_socket *fl_socket_new(const fl_socket_conf *conf, fl_why *why);
//  Closes; what was not sent yet is thrown away (but see `linger`).
void fl_socket_destroy(fl_socket **self_p);

//  "tcp://127.0.0.1:0" takes any free port; `port` (may be NULL) tells which, 0 for ipc.
FL_CHECKED fl_status fl_socket_bind(fl_socket *self, const char *endpoint, uint16_t *port,
                                    fl_why *why);
//  A bound server ends its connections, once what is queued is sent, and listens on the same port
//  with other keys. Waits for the port a moment.
FL_CHECKED fl_status fl_socket_rekey(fl_socket *self, const fl_keypair *keys, fl_why *why);
//  Connecting goes on in the background, again and again (100 ms doubling to 10 s, with jitter).
FL_CHECKED fl_status fl_socket_connect(fl_socket *self, const char *endpoint, fl_why *why);
//  Let a later destroy wait in the background for what is queued, at most so long.
void fl_socket_linger(fl_socket *self, int linger_ms);

//  `route` is empty unless this is a ROUTER. Takes the header, and the loan (may be NULL), sent
//  or not. Never copies: the frames point into the blobs and drop the references when sent.
fl_sent fl_socket_send(fl_socket *self, fl_bytes route, fl_blob **header_p, fl_loan *body);
//  False when nothing waits.
bool fl_socket_receive(fl_socket *self, fl_parcel *parcel);
void fl_parcel_release(fl_parcel *parcel);

//  The libzmq socket, for polling and monitoring inside net.
void *fl_socket_handle(fl_socket *self);

#endif
