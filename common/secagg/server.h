//  server - the aggregator's half of a masked round (docs/masking.md), for one block of 3
//  to 64 members: it brings their keys, shares and signatures together, says who masks with whom,
//  and takes the masks off the sum that the cohort folded. It reads no update and could not.
//
//  INVITED -> ROSTERED -> DEALING -> WAITING_READY -> COLLECTING -> ACKING -> OPENING -> SUMMING ->
//  DONE, or ABORTED with a reason from any of them. A state is left when all have answered, or
//  enough have and its deadline is there; with fewer the block is aborted by name. What it tells
//  several members is kept before it is told, and never told otherwise after a restart.
//
//  A part of fl_cohort, one per block: effects are SEND to children, KEEP (answered by `saved`),
//  UNMASK (answered by `unmasked`) and NOTE. The cohort asks `contrib` before it grants an upload
//  and `uploaded` before it folds one. One thread. Holds about 1 MiB for a block of 64.
#ifndef FL_SECAGG_SERVER_H
#define FL_SECAGG_SERVER_H

#include "common/secagg/secagg.h"
#include "common/machine/outbox.h"

typedef struct fl_masking_cohort fl_masking_cohort;

typedef struct fl_masking_cohort_conf {
    fl_node node; // our own name
    uint8_t hop;  // of this block: 1 for devices
    fl_masking_trust trust;
} fl_masking_cohort_conf;

typedef enum fl_masking_state {
    FL_MASKING_NO_ROUND,
    FL_MASKING_INVITED,       // KEYS are awaited
    FL_MASKING_ROSTERED,      // SHARES are awaited
    FL_MASKING_DEALING,       // DEALT is being kept
    FL_MASKING_WAITING_READY, // READY is awaited
    FL_MASKING_COLLECTING,    // uploads are awaited
    FL_MASKING_ACKING,        // ACK is awaited
    FL_MASKING_OPENING,       // UNMASK is awaited
    FL_MASKING_SUMMING,       // the masks are being taken off
    FL_MASKING_DONE,
    FL_MASKING_ABORTED,
    FL_MASKING_STATES
} fl_masking_state;
const char *fl_masking_state_name(fl_masking_state state); // "waiting-ready"

//  Deadlines on our clock. Opening takes the plan's step_ms per step after that.
typedef struct fl_masking_times {
    fl_time keys_by, deal_by, ready_by, upload_by;
} fl_masking_times;

typedef struct fl_masking_invite {
    fl_node node;
    fl_peer peer;
    bool away; // not here: it is waited for, and told all when it has `joined`
} fl_masking_invite;

//  How the block ended. Plain sums only when DONE.
typedef struct fl_masking_result {
    fl_reason reason; // FL_WHY_NONE when DONE
    fl_masking_sums sums;
    uint32_t members, masked, survivors;        // n, |P|, |S|
    uint32_t masked_devices, surviving_devices; // of them, by their certificates
} fl_masking_result;

//  One who was invited.
typedef struct fl_masking_seat {
    fl_node node;
    bool in_roster, dealt, masked, survived;
    fl_reason reason; // why not further; FL_WHY_NONE: nothing is known
    bool blamed;      // shown to have lied: leave it out of the next blocks
} fl_masking_seat;

//  What the head of a kept fact says.
typedef struct fl_masking_fact {
    fl_keep what;
    uint32_t block;
    fl_run run;
    uint64_t round;
} fl_masking_fact;
//  False: these bytes are no fact of a block.
FL_CHECKED bool fl_masking_fact_read(fl_bytes fact, fl_masking_fact *head);
//  The names in a kept ROSTER, in their order, how many; 0 when it is malformed. Who may still be a
//  member is for `resume` to judge. `now_s`: wall clock.
uint32_t fl_masking_fact_names(fl_bytes fact, const fl_masking_trust *trust, uint64_t now_s,
                               fl_node names[FL_MEMBERS_MAX]);

//  The caller owns the result. NULL when out of memory.
fl_masking_cohort *fl_masking_cohort_new(const fl_masking_cohort_conf *conf);
void fl_masking_cohort_destroy(fl_masking_cohort **self_p);

//  Begin a block with 1..64 children who were sent `task`. Ends what was before.
void fl_masking_cohort_open(fl_masking_cohort *self, uint32_t block, const fl_task *task,
                            const fl_masking_invite *invites, uint32_t count,
                            const fl_masking_times *times, fl_time now, fl_outbox *out);
//  Right after `open`, after a restart: the facts that were kept, in their order. False: they are
//  not of this task and block, and it is aborted as `restart`. Uploads are wanted again.
bool fl_masking_cohort_resume(fl_masking_cohort *self, const fl_bytes *facts, uint32_t count,
                              uint64_t now_s, fl_time now, fl_outbox *out);

//  A message of an admitted child: KEYS, SHARES, READY, ACK, UNMASK, or REFUSED about a step.
void fl_masking_cohort_hear(fl_masking_cohort *self, const fl_event *event, uint64_t now_s,
                            fl_time now, fl_outbox *out);
//  A child is there (again): it is told what it may have missed.
void fl_masking_cohort_joined(fl_masking_cohort *self, const fl_node *node, fl_peer peer,
                              fl_time now, fl_outbox *out);
//  A child is gone: nobody waits for it, unless it comes back.
void fl_masking_cohort_gone(fl_masking_cohort *self, const fl_node *node, fl_time now,
                            fl_outbox *out);
//  Nothing more comes from a child in this round, whatever it says: nobody waits for it.
void fl_masking_cohort_drop(fl_masking_cohort *self, const fl_node *node, fl_reason reason,
                            fl_time now, fl_outbox *out);
//  Its upload is announced. FL_WHY_NONE: grant it. Else refuse: unknown-round (too early, or not
//  of this block), late, signature (the child is named), malformed.
FL_CHECKED fl_reason fl_masking_cohort_contrib(fl_masking_cohort *self, const fl_node *node,
                                               const fl_contrib *contrib, fl_outbox *out);
//  Its upload is whole and verified. True: it is a survivor; its fold comes before what is asked
//  for here, so look at `wants` first. False: too late, drop it.
FL_CHECKED bool fl_masking_cohort_uploaded(fl_masking_cohort *self, const fl_node *node,
                                           fl_time now, fl_outbox *out);
//  Answers KEEP. False: not a token of this block.
bool fl_masking_cohort_saved(fl_masking_cohort *self, uint64_t token, bool ok, fl_time now,
                             fl_outbox *out);
//  Answers UNMASK.
void fl_masking_cohort_unmasked(fl_masking_cohort *self, const fl_event *event, fl_outbox *out);
//  Give the block up by name.
void fl_masking_cohort_abort(fl_masking_cohort *self, fl_reason reason, fl_outbox *out);
void fl_masking_cohort_tick(fl_masking_cohort *self, fl_time now, fl_outbox *out);
fl_time fl_masking_cohort_deadline(const fl_masking_cohort *self);

fl_masking_state fl_masking_cohort_state(const fl_masking_cohort *self);
//  While DONE or ABORTED; false otherwise.
bool fl_masking_cohort_result(const fl_masking_cohort *self, fl_masking_result *result);
//  May upload now: in the mask set, and after a restart in what was already said of survivors.
bool fl_masking_cohort_wants(const fl_masking_cohort *self, const fl_node *node);
//  Uploads that are wanted and not here.
uint32_t fl_masking_cohort_awaits(const fl_masking_cohort *self);
//  An UNMASK has not been answered, of this block or of one that was given up: not to be opened.
bool fl_masking_cohort_busy(const fl_masking_cohort *self);
//  Those invited are 0..count-1; a view by value.
uint32_t fl_masking_cohort_seats(const fl_masking_cohort *self);
fl_masking_seat fl_masking_cohort_seat(const fl_masking_cohort *self, uint32_t seat);
//  The same by name; false when it was not invited.
bool fl_masking_cohort_seat_of(const fl_masking_cohort *self, const fl_node *node,
                               fl_masking_seat *seat);

#endif
