//  edge - an aggregator to its children and a participant to its parent: the sum of what it
//  collects is the one contribution that it pushes. An edge behind an edge is configuration, not
//  code. One thread at a time.
#ifndef FL_EDGE_EDGE_H
#define FL_EDGE_EDGE_H

#include "common/round/aggregator.h"
#include "common/round/participant.h"

typedef struct fl_edge fl_edge;

typedef struct fl_edge_conf {
    fl_participant_conf participant;
    fl_aggregator_conf aggregator;
    uint64_t last_round;   // from the ledger: newest round that was opened here; 0 = none
    uint32_t last_attempt; // and how often
    fl_run last_run;       // of what follows
    const fl_past *pasts;  // (past_count), rounds of it; borrowed
    uint32_t past_count;
    const fl_bytes *kept; // (kept_count), heads of sums that were opened here; borrowed
    uint32_t kept_count;
    const fl_roll_entry *members; // (member_count), of its round closed last; borrowed
    uint32_t member_count;
} fl_edge_conf;

//  The caller owns the result. NULL when out of memory.
fl_edge *fl_edge_new(const fl_edge_conf *conf);
void fl_edge_destroy(fl_edge **self_p);
fl_machine fl_edge_machine(fl_edge *self);

const fl_aggregator *fl_edge_aggregator(const fl_edge *self);
const fl_participant *fl_edge_participant(const fl_edge *self);
uint64_t fl_edge_round(const fl_edge *self); // in hand; 0 = none
bool fl_edge_done(const fl_edge *self);      // the run is over; it waits for the next one

#endif
