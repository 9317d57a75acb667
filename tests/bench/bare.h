//  bare - what the edge's way in is compared with: CURVE PUSH -> PULL of the same bytes and nothing
//  else. Each sender is a process of its own, made by a fork before ZeroMQ is touched; it sends a
//  vector when it is told to, on a connection that stays. The receiver copies each chunk to its
//  place. Behind the same authentication handler as everything else in this process.
#ifndef FL_BENCH_BARE_H
#define FL_BENCH_BARE_H

#include "common/net/socket.h"

enum { BARE_SENDERS_MAX = 16 };

typedef struct bare {
    unsigned senders;
    uint64_t bytes;                 // of one vector
    uint32_t chunk;                 // bytes
    bool fresh;                     // a new connection for each vector, as a lane is opened for it
    int pipes[BARE_SENDERS_MAX];    // to the senders
    fl_socket *pull;
    uint8_t *room[BARE_SENDERS_MAX];// (bytes)
} bare;

//  Fork the senders. Before the network is opened.
void bare_fork(bare *self);
//  Bind, and let the senders connect. After it.
void bare_open(bare *self);
//  All senders send their vector: ns until the last byte is in its place.
uint64_t bare_run(bare *self);
//  The senders end.
void bare_close(bare *self);

#endif
