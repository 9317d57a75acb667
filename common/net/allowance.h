//  allowance - what a peer may cost, as sums over plain values: who holds how many bytes that were
//  not delivered, whose allowance that is, and who goes first when one is used up, or the room for
//  strangers. No sockets here: connection_guard fills the values in and shuts what is chosen.
#ifndef FL_NET_ALLOWANCE_H
#define FL_NET_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/machine/event.h"
#include "common/net/counters.h"

//  Of the bytes that a process may hold unread. None can use up another's.
typedef enum fl_allowance {
    FL_ALLOWANCE_STRANGERS, // an eighth
    FL_ALLOWANCE_CHILDREN,  // five eighths
    FL_ALLOWANCE_PARENT,    // a quarter
    FL_ALLOWANCES
} fl_allowance;

//  How far a connection has come, told by the bytes that went each way: a greeting has 64, the
//  rest is CURVE's. The last step cannot be claimed: it is our own word, acknowledged.
typedef enum fl_progress {
    FL_PROGRESS_NONE,
    FL_PROGRESS_BYTES,
    FL_PROGRESS_GREETING,
    FL_PROGRESS_KEY,      // CURVE HELLO
    FL_PROGRESS_PROOF,    // CURVE INITIATE: the authentication handler was asked
    FL_PROGRESS_APPROVED, // and has let it in
} fl_progress;

enum {
    FL_UNREAD_DEFAULT = 64 << 20, // fits a container of 256 MiB
    FL_KEY_CONNECTIONS = 2,       // of one key on one lane
    FL_CROWDS = 4096,
};

//  One connection.
typedef struct fl_visitor {
    uint64_t inode; // tells this socket from a later one of the same number; 0: no visitor
    fl_way way;
    fl_peer peer;   // FL_PARENT: a stranger yet, or the parent itself
    bool seat;      // the key speaks for its seat here: others of it go first
    bool child;     // of an admitted key; a newcomer that waits for its certificate is none
    bool ours;      // dialled by us: the parent's
    uint16_t crowd; // of its address prefix, below FL_CROWDS
    fl_time since, progress_at;
    fl_progress progress;
    uint64_t received, delivered; // bytes on the wire, the second as far as it was passed on
    uint64_t messages;      // delivered
    uint64_t messages_seen; // at the last look
    fl_time refused_since;  // window of the refusals told on this connection
    uint32_t refused;       // in that window
} fl_visitor;

uint64_t fl_allowance_bytes(uint64_t unread_max, fl_allowance share);
//  Whose share this connection's bytes are. A bulk lane lets only admitted keys in.
fl_allowance fl_allowance_of(const fl_visitor *visitor);
bool fl_allowance_stranger(const fl_visitor *visitor);
uint64_t fl_allowance_held(const fl_visitor *visitor);
uint64_t fl_allowance_sum(const fl_visitor visitors[], int size, fl_allowance share);

//  What the counts of a connection say; never less than `before`.
fl_progress fl_allowance_progress(fl_progress before, uint64_t received, uint64_t acknowledged);
//  The largest connection of the peer that holds most of this share; -1: nobody holds anything.
int fl_allowance_heaviest(const fl_visitor visitors[], int size, fl_allowance share);
//  The stranger that makes room: of the fullest crowd, the one that stands still for longest; of
//  those that never sent a byte, when they are more than half of it, else of the rest. -1: there
//  is none.
int fl_allowance_least_stranger(const fl_visitor visitors[], int size);
//  The oldest connection of a peer on a lane but that of its seat, when there are more than
//  FL_KEY_CONNECTIONS; or -1.
int fl_allowance_surplus(const fl_visitor visitors[], int size, fl_way way, fl_peer peer);

#endif
