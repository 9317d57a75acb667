//  troop - a masked block whose children are whole members: fl_participant below, the aggregator's
//  half of the block above, and this in the place of the aggregator: it welcomes, tasks, grants and
//  closes. Every message goes through the codec, vectors are masked and folded by the kernels, and
//  each is freed exactly once or the test ends. Built on masking.h, whose world it borrows. Include
//  tests/support/unit.h first.
#ifndef FL_SUPPORT_TROOP_H
#define FL_SUPPORT_TROOP_H

#include "common/round/participant_inside.h"
#include "tests/support/secagg.h"

enum { TROOP_BEAT_MS = 10000, TROOP_BUDGET_MS = 50000, TROOP_AGAIN_MS = 700, TROOP_SAMPLES = 77 };

typedef struct troop_child {
    fl_participant *member;
    fl_participant_conf conf;
    uint64_t mute; // verbs of its that are lost, bit by bit
    bool hold_model, hold_saved, hold_masked, hold_grant, hold_bytes; // are not answered
    fl_event saved, masked;                                           // what was held back
    bool no_memory;                                                   // for masked bytes
    uint32_t said[FL_VERB_COUNT];                                     // how often, ever
    fl_reason noted;                                                  // what it refused last
    fl_refused refused;                                               // newest of each of these
    fl_beat beat;
    fl_contrib contrib; // its views are those below
    uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];
    uint32_t masks; // MASK effects, ever
} troop_child;

extern masked_world *troop_world;
extern troop_child troop[MASKED_MEMBERS];

//  `plan.members` of them, nobody joined yet. Change their conf, then `join`.
void troop_new(const masked_plan *plan);
void troop_destroy(void);
//  Make the member of this child anew, and have all that it says delivered until it is seated.
void troop_join(uint32_t index);
//  WELCOME with this certificate of the parent's, straight to the child.
void troop_welcome(uint32_t index, const uint8_t *certificate);
//  A certificate for the parent's name, or another's.
void troop_certificate(fl_role role, const char *name, uint8_t bytes[FL_CERT_BYTES]);

//  Everybody is made and seated, the block is opened; nobody has the task yet.
void troop_open(void);
//  Of the world's order: to one child, straight.
void troop_task(uint32_t index, uint32_t attempt);
//  `open`, the task to all.
void troop_begin(void);
//  Another round of another model: the block is opened, nobody has the task.
void troop_next_round(uint64_t round);
//  The host answers: `index`'s update of the world.
void troop_train(uint32_t index);
void troop_train_all(void);

//  One letter; false when there is none.
bool troop_deliver(void);
void troop_settle(void);
//  Deliver until this child is at this step.
void troop_until(uint32_t index, fl_secagg_step step);
void troop_step(uint32_t index, fl_event event);
void troop_hear(uint32_t index, const fl_message *message);
void troop_tick(uint32_t index, fl_time now);
void troop_close(uint32_t index, fl_outcome outcome, fl_reason reason);
//  Answer what was held.
void troop_give_saved(uint32_t index);
void troop_give_masked(uint32_t index);
//  Carry out what a call of the test's own made the child ask for, in this outbox.
extern fl_outbox *troop_out;
void troop_obey(uint32_t index);

//  There is one, and only one.
fl_verdict troop_verdict(uint32_t index);
bool troop_no_verdict(uint32_t index);
//  Vectors that are not freed.
uint32_t troop_alive(void);

#endif
