//  counters - the words by which the numbers of metrics.def are told apart: where a frame travels,
//  why it was not passed on, and what codec and admission said.
#ifndef FL_NET_COUNTERS_H
#define FL_NET_COUNTERS_H

#include "common/base/metrics.h"
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

//  The words of a label of metrics.def: "up", "full", ...; "" for the one number of a row without.
//  NULL past the last.
const char *fl_label_word(fl_label label, unsigned word);

#endif
