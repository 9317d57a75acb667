//  parent - an aggregator under test and its children: they join, are invited, send. One at a time;
//  the machine of tests/support/machine.h. When children join in order, the seat of child 3 is
//  seat 3.
#ifndef FL_SUPPORT_PARENT_H
#define FL_SUPPORT_PARENT_H

#include "common/round/aggregator.h"
#include "tests/support/machine.h"

extern fl_aggregator *parent_cohort;
extern fl_order parent_order;   // of the round at hand
extern uint32_t parent_attempt; // newest: every open takes the next one

//  Sixteen seats, four slots, a window of a second that needs one, beats of 100 ms.
fl_aggregator_conf parent_conf(void);
//  Replaces the aggregator; run 1 and model 1 are known.
void parent_make(const fl_aggregator_conf *conf);
//  For cmocka: with parent_conf.
int parent_setup(void **state);
int parent_destroy(void **state);

//  Each of these is one step: the outbox holds what it caused.
void parent_join(fl_peer peer);
void parent_join_all(uint32_t count);
void parent_open(uint64_t round, fl_time due);
void parent_open_order(const fl_order *order, fl_time due);

//  A contribution of this child comes in whole; answers the slot that is to be verified.
uint32_t parent_send(fl_peer peer, uint32_t number, uint64_t weight);
//  And is verified and folded.
void parent_give(fl_peer peer, uint64_t weight);
//  The result; there must be one.
fl_result parent_result(void);

//  For cmocka: children 0 and 1 are seated, round 1 is open, its vectors are of one chunk.
int parent_two(void **state);
//  The contribution of this child as it is announced.
fl_message parent_contrib(fl_peer peer);
//  Nobody else comes: the cut-off passes, the sum is made.
void parent_end_round(void);
//  It counted above.
void parent_settle(void);

#endif
