//  stage - a simulated world (tests/sim) as tests of whole machines use it: a tree that the test
//  lays out under a clear sky, run as far as a test likes, by what is said. The test may lose,
//  change and add messages, hold answers back, and kill processes; the checkers look on all the
//  time. Include tests/support/unit.h first.
#ifndef FL_SUPPORT_STAGE_H
#define FL_SUPPORT_STAGE_H

#include "tests/sim/sim.h"

//  Node 0 is the root, then come the edges, then the devices.
extern fl_sim *stage;

//  For stage->deaf: somebody lies, so he may be blamed, and blocks may end by any name.
enum { STAGE_LIES = 1 << CHECK_BLAME | 1 << CHECK_BLOCKS };

//  So many devices below the root, or below each edge; one block has room for all.
fl_sim_layout stage_layout(uint32_t edges, uint32_t devices, fl_masking masking);
void stage_open(const fl_sim_layout *layout);
//  Masked rounds of so many devices at the root.
void stage_begin(uint32_t devices);
//  A checker that spoke fails the test. `stage_end` goes on until the run is over, and nothing may
//  be left of it; `stage_close` ends it here.
void stage_end(void);
void stage_close(void);

//  Until then; until this node has said, heard or noted (once more); until this round is durable.
void stage_pass(fl_time ms);
void stage_until_said(uint32_t node, fl_verb verb);
void stage_until_told(uint32_t node, fl_verb verb);
void stage_until_noted(uint32_t node, fl_note_id id);
const fl_report *stage_closed(uint64_t round);

//  A message of the run and of the root's round.
fl_message stage_message(fl_verb verb);
//  In the name of a child to its parent, and of a parent to its child.
void stage_say(uint32_t child, const fl_message *message);
void stage_refuse(uint32_t child, fl_verb about, fl_reason reason);
//  At once, and past admission: what this node hears from its parent, or a parent from a peer.
void stage_hear(uint32_t node, const fl_message *message);
void stage_hear_from(uint32_t parent, fl_peer peer, const fl_message *message, uint32_t body_bytes);

const fl_aggregator *stage_cohort(uint32_t node);
const fl_participant *stage_member(uint32_t node);
//  What the newest report says of a node.
void stage_assert_outcome(uint32_t node, fl_outcome outcome, fl_reason reason);

#endif
