//  counters - what the network side counts. A plain value: written by the reactor's thread only,
//  copied there for a snapshot. Everything grows, nothing is ever reset.
#ifndef FL_NET_COUNTERS_H
#define FL_NET_COUNTERS_H

#include <stdint.h>

#include "common/wire/codec.h"
#include "common/wire/message.h"

//  Where a frame travels: three lanes to the children, three to the parent, one to the operator.
typedef enum fl_way {
    FL_WAY_CONTROL,
    FL_WAY_UP,
    FL_WAY_DOWN,
    FL_WAY_PARENT,      // control lane to the parent
    FL_WAY_PARENT_UP,
    FL_WAY_PARENT_DOWN,
    FL_WAY_OPERATOR,
    FL_WAYS
} fl_way;
const char *fl_way_name(fl_way way); // "control", ..., "parent-down", "operator"

//  Why a frame was not passed on.
typedef enum fl_drop {
    FL_DROP_FULL,       // its queue was full; the protocol heals
    FL_DROP_ROUTE,      // nobody is connected there
    FL_DROP_LENT,       // the bytes to send were gone
    FL_DROP_UNSEATED,   // bulk frame of a key without an admitted seat
    FL_DROP_WAY,        // a verb that does not belong on this lane
    FL_DROP_MALFORMED,  // the codec's refusals, all of them
    FL_DROP_STANDING,   // revoked or expired
    FL_DROP_NAMED,      // a peer that chose its own routing id
    FL_DROP_REFUSED,    // by a certificate, a ticket or a full table
    FL_DROP_PARENT,     // a message of the parent that did not stand up to its check
    FL_DROPS
} fl_drop;
const char *fl_drop_name(fl_drop drop); // "full", ...

typedef struct fl_net_counters {
    struct {
        uint64_t messages_in, bytes_in;   // header and body frames, as the peer sent them
        uint64_t messages_out, bytes_out; // handed to a queue
    } way[FL_WAYS];
    uint64_t dropped[FL_DROPS];
    uint64_t codec[FL_CODEC_COUNT];       // refusals by what the codec said
    uint64_t refused[FL_WHY_COUNT];       // refusals by reason
    uint64_t refusals_unsaid;             // not told to the peer: too many on one connection
    uint64_t admitted;                    // HELLOs that passed
    uint64_t accepted;                    // connections
    uint64_t handshakes, handshakes_failed;
    uint64_t keys_denied;                 // at connect
    uint64_t cut_flood;                   // connections shut because they delivered no message
    uint64_t cut_silent;                  // connections that no child spoke on
    uint64_t cut_standing;                // connections shut because of a revoked or expired key
    uint64_t turns;                       // of the reactor's loop
} fl_net_counters;

#endif
