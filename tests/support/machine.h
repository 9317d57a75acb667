//  machine - what tests of the pure machines share: names, orders and messages to feed them, and
//  ways to look at what they ask for. One outbox, emptied before each step; every message that a
//  machine says is encoded once, so one that the codec would refuse ends the test.
#ifndef FL_SUPPORT_MACHINE_H
#define FL_SUPPORT_MACHINE_H

#include "common/machine/outbox.h"
#include "common/machine/policy.h"

enum {
    MACHINE_ELEMENTS = 40,
    MACHINE_VECTOR = 4 * MACHINE_ELEMENTS, // bytes of a small vector
    MACHINE_MODEL = 100 * 1000,            // bytes of a model
    MACHINE_SUM = 999,                     // number of the hash of every finished sum
};

//  For cmocka: make and destroy the outbox, with room for what `seats` may cause in one step.
enum { MACHINE_SEATS = 16, MACHINE_ROOM = 8 * MACHINE_SEATS + 512 };
int machine_setup(void **state);
int machine_teardown(void **state);
extern fl_outbox *machine_out;

//  The machine under test and its clock, for tests of one that has this shape. Each call is one
//  step: the outbox holds what it caused. Child number `peer` is the device d<peer>.
extern fl_machine machine_it;
extern fl_time machine_now;
void machine_step(const fl_event *event);
void machine_tick(void);
void machine_hear_parent(const fl_message *message, uint32_t body_bytes);
void machine_hear_child(fl_peer peer, const fl_message *message, uint32_t body_bytes);
//  Answers: of the ledger, and of the worker pool.
void machine_saved(uint64_t token, bool ok);
void machine_model(bool ok); // number 1
void machine_verified(uint32_t slot, bool ok, fl_reason reason);
void machine_folded(uint32_t slot);
void machine_finished(fl_vec vec); // with the hash machine_hash(MACHINE_SUM)

//  HELLO of this child. Model 1 comes from the parent in one piece. A contribution of this child,
//  in seat `peer`, comes in whole; answers the slot that is to be verified.
void machine_join(fl_peer peer);
void machine_fetch(void);
uint32_t machine_send(fl_peer peer, const fl_order *order, uint32_t attempt, uint32_t number,
                      uint64_t weight);

//  The token of the newest effect of this kind, for an answer to it; `slot`: of VERIFY and FOLD.
uint64_t machine_token(fl_effect_kind kind, uint32_t slot);
//  Empty the outbox; before a step.
void machine_clear(void);
//  Encode every message in the outbox; after a step.
void machine_proof(void);

// ---- names ------------------------------------------------------------------------------------
fl_name machine_node(const char *name);
fl_run machine_run(uint8_t number);
fl_hash machine_hash(uint32_t number);
//  Four bytes an element, weights up to 100 for up to 50 devices, late ones are carried 2 rounds.
fl_plan machine_plan(void);
//  Of run 1; the model of round r is machine_hash(r).
fl_order machine_order(uint64_t round);
//  One whose vectors have so many bytes (a multiple of 4).
fl_order machine_order_of(uint64_t round, uint64_t vector_bytes);

// ---- messages and events ----------------------------------------------------------------------
//  Of run 1, everything else zero.
fl_message machine_message(fl_verb verb, uint64_t round);
fl_message machine_task(const fl_order *order, uint32_t attempt, uint32_t budget_ms);
fl_message machine_welcome(uint32_t seat, uint32_t epoch);
fl_message machine_refused(fl_verb about, uint64_t round, fl_reason reason);
fl_message machine_closed(uint64_t round, uint32_t attempt, fl_outcome outcome, fl_reason reason);
fl_message machine_hello(uint64_t incarnation, uint32_t leaves);
fl_message machine_beat(uint32_t seat, uint32_t epoch, uint64_t round, uint32_t attempt,
                        fl_activity activity);
//  Fresh, of one device; its bytes have the hash machine_hash(number).
fl_message machine_contrib(const fl_order *order, uint32_t attempt, uint32_t seat, uint32_t epoch,
                           uint32_t number, uint64_t weight);
//  The chunk at `offset` of that contribution; its body comes with the event.
fl_message machine_chunk(const fl_message *contrib, uint64_t offset);
fl_event machine_from_parent(const fl_message *message, uint32_t body_bytes);
fl_event machine_from_child(fl_peer peer, const char *node, fl_role role, const fl_message *message,
                            uint32_t body_bytes);

// ---- what was asked for -----------------------------------------------------------------------
uint32_t machine_count(fl_effect_kind kind);
//  The last effect of this kind, NULL when there is none.
const fl_effect *machine_effect(fl_effect_kind kind);
//  The last message of this verb to `to`, sent, pushed or served; NULL when there is none.
const fl_message *machine_said(fl_peer to, fl_verb verb);
uint32_t machine_said_count(fl_peer to, fl_verb verb);
//  The last note of this id, NULL when there is none.
const fl_note *machine_note(fl_note_id id);
//  True when `to` was REFUSED this verb for this reason.
bool machine_refuses(fl_peer to, fl_verb about, fl_reason reason);

#endif
