//  client - the member's half of a masked round (docs/masking.md): one set of keys, one
//  dealing, one masked upload, one opening; every rule is judged by its own configuration and what
//  it saw itself. Whatever breaks a rule burns the round: secrets are wiped, nothing more is said.
//
//  IDLE -> KEYED -> DEALT -> READY -> MASKED -> ACKED -> OPENED -> IDLE. Before MASKED a fresh
//  roster of the same round leads back to KEYED, with secrets of its own. Under a model that was
//  masked before, HELD comes before KEYED until it is proved that this was not opened: soon, or not
//  in this round.
//
//  A part of fl_participant, which hands it the parent's messages and obeys nothing of its own
//  accord: effects are SEND to FL_PARENT, KEEP and MASK (answered by `answer`), NOTE.
//  One thread at a time. Holds one round; its secrets lie in locked memory.
#ifndef FL_SECAGG_CLIENT_H
#define FL_SECAGG_CLIENT_H

#include "common/machine/outbox.h"
#include "common/secagg/client_memory.h"
#include "common/secagg/secagg.h"

typedef struct fl_secagg_client fl_secagg_client;

typedef struct fl_secagg_client_conf {
    const fl_keys *keys;                // outlive the member
    uint8_t certificate[FL_CERT_BYTES]; // of these keys
    fl_name node;
    uint8_t hop; // of its parent's blocks, until `under` says otherwise: 1 below an edge
    fl_secagg_trust trust;
    fl_entropy entropy;
    fl_masking profile;   // the weakest that it takes part in
    uint32_t members_min; // its own floors, beside those of the plan
    uint32_t survivors_min;
    bool pin_allowed;   // take part in a pinned round although the profile is malicious
    uint32_t draws_max; // of one model, beside the first one, that it masks updates of
    uint32_t again_ms;  // what is not answered is said again
    uint64_t samples;   // of a device: its class follows from them; 0: the lowest
} fl_secagg_client_conf;

typedef enum fl_secagg_step {
    FL_CLIENT_IDLE,
    FL_CLIENT_HELD,   // masked under this model before; BURNTS is awaited
    FL_CLIENT_KEYED,  // KEYS said; ROSTER is awaited
    FL_CLIENT_DEALT,  // SHARES said; DEALT and the training are awaited
    FL_CLIENT_READY,  // READY said; MASKSET is awaited
    FL_CLIENT_MASKED, // in the mask set; the update is spent; SURVIVORS are awaited
    FL_CLIENT_ACKED,  // ACK said; ACKS are awaited
    FL_CLIENT_OPENED, // UNMASK said; CLOSED is awaited
    FL_CLIENT_STEPS
} fl_secagg_step;
const char *fl_secagg_step_name(fl_secagg_step step); // "keyed"

//  What the training made: the update as wire integers, after weight and rounding.
typedef struct fl_secagg_input {
    fl_vec vec; // stays the participant's, whole until it is masked
    uint64_t elements;
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    fl_hash base; // the model that it was trained from
} fl_secagg_input;

//  What to announce with CONTRIB once masked. Views are the member's, until the round ends.
typedef struct fl_secagg_upload {
    fl_vec vec;
    fl_hash hash;
    uint64_t vector_bytes;
    fl_bytes header;
    fl_bytes psig; // empty under the profile honest
} fl_secagg_upload;

//  How the last round ended here.
typedef struct fl_secagg_outcome {
    uint64_t round;
    fl_reason reason; // FL_WHY_NONE: to its end
    bool burnt;       // a rule was broken, or time ran out
    bool spent;       // the update was masked, and may not be used again
} fl_secagg_outcome;

//  `mark`: what was kept last, NULL for nothing. The caller owns the result. NULL when out of
//  memory.
fl_secagg_client *fl_secagg_client_new(const fl_secagg_client_conf *conf,
                                       const fl_secagg_mark *mark);
void fl_secagg_client_destroy(fl_secagg_client **self_p);

//  Blocks of this parent and hop from here on: what its certificate says. Not within a round.
void fl_secagg_client_under(fl_secagg_client *self, const fl_name *parent, uint8_t hop);

//  Keys and certificate of later rounds; those of the round in hand outlive it.
void fl_secagg_client_renewed(fl_secagg_client *self, const fl_keys *keys,
                              const uint8_t certificate[FL_CERT_BYTES]);

//  A task was accepted (its signature holds) from the parent of that name; `until`: when to give
//  up. Says KEYS, or waits for BURNTS. The same body again changes nothing but a later `until`;
//  another body for the same round burns it. FL_WHY_NONE, or why this member takes no part:
//  policy-refused, plan, stale (no later round than the last), equivocation, same-model (shares of
//  a sum were given), draws-used (and it masks no more draws). Not for an unmasked plan that
//  `profile` allows.
FL_CHECKED fl_reason fl_secagg_client_begin(fl_secagg_client *self, const fl_task *task,
                                            const fl_name *parent, fl_time until, fl_time now,
                                            fl_outbox *out);
//  True when `plan` asks for no masks and this member is configured to do without.
bool fl_secagg_client_open(const fl_secagg_client *self, const fl_plan *plan);

//  What the parent says of pools: the one that names us is held, in a round or not. Two of one
//  epoch are kept as evidence, and end the round in hand.
void fl_secagg_client_pool(fl_secagg_client *self, fl_bytes pools, fl_outbox *out);
//  A round of this order can be masked here: it needs no pool, or the pool of its epoch is held.
bool fl_secagg_client_pooled(const fl_secagg_client *self, const fl_order *order);

//  The update is there, frozen. FL_WHY_NONE, or why it may not be masked: base, weight, late (no
//  round is waiting for one).
FL_CHECKED fl_reason fl_secagg_client_trained(fl_secagg_client *self, const fl_secagg_input *input,
                                              fl_time now, fl_outbox *out);
//  A message of the parent: ROSTER, DEALT, MASKSET, SURVIVORS, ACKS, and, in a round or without,
//  BURNTS. `now_s`: wall clock, for certificates.
void fl_secagg_client_hear(fl_secagg_client *self, const fl_message *message, uint64_t now_s,
                           fl_time now, fl_outbox *out);
//  SAVED or MASKED. False: nothing here waits for it. The masked vector is the participant's, to
//  push and to drop.
bool fl_secagg_client_answer(fl_secagg_client *self, const fl_event *event, fl_time now,
                             fl_outbox *out);
//  The round is over (CLOSED, another task, another parent): secrets are wiped. `reason`:
//  FL_WHY_NONE when the sum was made.
void fl_secagg_client_end(fl_secagg_client *self, fl_reason reason, fl_outbox *out);
//  Say the last word again (after a reconnection).
void fl_secagg_client_again(fl_secagg_client *self, fl_time now, fl_outbox *out);
void fl_secagg_client_tick(fl_secagg_client *self, fl_time now, fl_outbox *out);
fl_time fl_secagg_client_deadline(const fl_secagg_client *self);

fl_secagg_step fl_secagg_client_step_of(const fl_secagg_client *self);
//  The masked upload, from MASKED until the round ends; false before and after.
bool fl_secagg_client_upload(const fl_secagg_client *self, fl_secagg_upload *upload);
//  Take the outcome of the last round, once. False when there is no new one.
bool fl_secagg_client_outcome(fl_secagg_client *self, fl_secagg_outcome *outcome);

#endif
