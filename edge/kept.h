//  kept - the sums that an edge opened and that may not have counted above. Devices mask an update
//  of a model once (docs/masking.md, R4), so a round that failed above cannot be opened again: the
//  edge hands in the same sum as long as the model and the numbers of the plan stay. One per run;
//  the vectors are durable, what is known of them is here. One thread.
#ifndef FL_EDGE_KEPT_H
#define FL_EDGE_KEPT_H

#include "common/base/blob.h"
#include "common/machine/outbox.h"
#include "common/round/aggregator.h"

typedef struct fl_kept fl_kept;

//  With what was durable: `heads` (count). NULL when out of memory.
fl_kept *fl_kept_new(const fl_bytes *heads, uint32_t count);
void fl_kept_destroy(fl_kept **self_p);

//  Ask for a result to be kept; its vector may be dropped right after. False: no memory for it.
bool fl_kept_put(fl_kept *self, const fl_order *order, const fl_result *result, uint64_t *token,
                 fl_outbox *out);
//  The sum that may be handed in for this order: a CONTRIB as if it was sent in the clear, its
//  views until the next `put`. False: there is none.
bool fl_kept_of(const fl_kept *self, const fl_order *order, fl_contrib *contrib);

#endif
