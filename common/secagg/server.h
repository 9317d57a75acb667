//  server - the aggregator's half of a masked round (docs/masking.md), for one block of 3
//  to 64 members: it brings their keys, shares and signatures together, says who masks with whom,
//  and takes the masks off the sum that the aggregator folded. It reads no update and could not.
//
//  INVITED -> ROSTERED -> DEALING -> WAITING_READY -> COLLECTING -> ACKING -> OPENING -> SUMMING ->
//  DONE, or ABORTED with a reason from any of them. Before COLLECTING, when too few are left of a
//  roster, a fresh one is begun: INVITED again. A state is left when all have answered, or
//  enough have and its deadline is there; with fewer the block is aborted by name. What it tells
//  several members is kept before it is told, and never told otherwise after a restart.
//
//  A part of fl_aggregator, one per block: effects are SEND to children, KEEP and UNMASK
//  (answered by `answer`) and NOTE. The aggregator asks `contrib` before it
//  grants an upload and `uploaded` before it folds one. One thread. Holds about 1 MiB for a block
//  of 64.
#ifndef FL_SECAGG_SERVER_H
#define FL_SECAGG_SERVER_H

#include "common/machine/outbox.h"
#include "common/secagg/pool.h"
#include "common/secagg/secagg.h"

typedef struct fl_secagg_server fl_secagg_server;

typedef struct fl_secagg_server_conf {
    fl_name node; // our own name
    uint8_t hop;  // of this block: 1 for devices
    fl_secagg_trust trust;
} fl_secagg_server_conf;

typedef enum fl_secagg_state {
    FL_SERVER_NO_ROUND,
    FL_SERVER_INVITED,       // KEYS are awaited
    FL_SERVER_ROSTERED,      // SHARES are awaited
    FL_SERVER_DEALING,       // DEALT is being kept
    FL_SERVER_WAITING_READY, // READY is awaited
    FL_SERVER_COLLECTING,    // uploads are awaited
    FL_SERVER_ACKING,        // ACK is awaited
    FL_SERVER_OPENING,       // UNMASK is awaited
    FL_SERVER_SUMMING,       // the masks are being taken off
    FL_SERVER_DONE,
    FL_SERVER_ABORTED,
    FL_SERVER_STATES
} fl_secagg_state;
const char *fl_secagg_state_name(fl_secagg_state state); // "waiting-ready"

//  Deadlines on our clock. Opening takes the plan's step_ms per step after that.
typedef struct fl_secagg_times {
    fl_time keys_by, deal_by, ready_by, upload_by;
    uint32_t floor; // of the pool that the block lies in; 0: in none
} fl_secagg_times;

//  Who is invited sits at a seat of the aggregator's; FL_SECAGG_NO_SEAT: it is away, waited for,
//  and told all when it has a seat and has `joined`.
#define FL_SECAGG_NO_SEAT UINT32_MAX
typedef struct fl_secagg_invite {
    fl_name node;
    uint32_t seat;
    fl_peer peer;
    fl_pool_run run; // of the pool that the block lies in
} fl_secagg_invite;

//  How the block ended. Plain sums only when DONE.
typedef struct fl_secagg_result {
    fl_reason reason; // FL_WHY_NONE when DONE
    fl_secagg_sums sums;
    uint32_t members, masked, survivors;        // n, |P|, |S|
    uint32_t masked_devices, surviving_devices; // of them, by their certificates
} fl_secagg_result;

//  One who was invited. `reason` is the only place that says whether it is out of the block.
typedef struct fl_secagg_seat {
    bool in_roster, dealt, masked, survived;
    fl_reason reason; // why nobody waits for it; FL_WHY_NONE: it is waited for, if it is there
    bool blamed;      // shown to have lied: leave it out of the next blocks
} fl_secagg_seat;

//  What the head of a kept fact says.
typedef struct fl_secagg_fact {
    fl_keep what;
    uint32_t block, number; // of the roster
    fl_run run;
    uint64_t round;
    fl_bytes list; // behind the head
} fl_secagg_fact;
//  False: these bytes are no fact of a block.
FL_CHECKED bool fl_secagg_fact_read(fl_bytes fact, fl_secagg_fact *head);
//  The names in a kept ROSTER, in their order, how many; 0 when it is malformed. Who may still be a
//  member is for `resume` to judge. `now_s`: wall clock.
uint32_t fl_secagg_fact_names(fl_bytes fact, const fl_secagg_trust *trust, uint64_t now_s,
                              fl_name names[FL_MEMBERS_MAX]);

//  The caller owns the result. NULL when out of memory.
fl_secagg_server *fl_secagg_server_new(const fl_secagg_server_conf *conf);
void fl_secagg_server_destroy(fl_secagg_server **self_p);

//  Begin a block with 1..64 children who were sent `task` (no mask comes off yet: that is OPENING).
//  Ends what was before.
void fl_secagg_server_open(fl_secagg_server *self, uint32_t block, const fl_task *task,
                           const fl_secagg_invite *invites, uint32_t count,
                           const fl_secagg_times *times, fl_time now, fl_outbox *out);
//  Right after `open`, after a restart: the facts that were kept, in their order. False: they are
//  not of this task and block, and it is aborted as `restart`. Uploads are wanted again.
bool fl_secagg_server_resume(fl_secagg_server *self, const fl_bytes *facts, uint32_t count,
                             uint64_t now_s, fl_time now, fl_outbox *out);

//  Members are known by their seats. One that was invited while it was away has this seat from here
//  on; false when there is none of that name.
bool fl_secagg_server_adopt(fl_secagg_server *self, const fl_name *node, uint32_t seat,
                            fl_peer peer);
//  A message from a seat: KEYS, SHARES, READY, ACK, UNMASK, or REFUSED about a step.
void fl_secagg_server_hear(fl_secagg_server *self, uint32_t seat, const fl_event *event,
                           fl_time now, fl_outbox *out);
//  A member is there (again): it is told what it may have missed.
void fl_secagg_server_joined(fl_secagg_server *self, uint32_t seat, fl_peer peer, fl_time now,
                             fl_outbox *out);
//  A member is gone: nobody waits for it, unless it comes back. `tick` draws the conclusion.
void fl_secagg_server_gone(fl_secagg_server *self, uint32_t seat);
//  Nothing more comes from a member in this round, whatever it says: it is out, unless it is
//  already. `tick` draws the conclusion.
void fl_secagg_server_drop(fl_secagg_server *self, uint32_t seat, fl_reason reason, fl_outbox *out);
//  A new process sits there, without the secrets of the old one. Where its keys are in no roster
//  yet, or a fresh one is begun because too few are left, it takes part; else it is out
//  (FL_WHY_RESTART).
void fl_secagg_server_restarted(fl_secagg_server *self, uint32_t seat, fl_time now, fl_outbox *out);
//  Its upload is announced. FL_WHY_NONE: grant it. Else refuse: unknown-round (too early, or not
//  of this block), late, signature (the child is named), malformed.
FL_CHECKED fl_reason fl_secagg_server_contrib(fl_secagg_server *self, uint32_t seat,
                                              const fl_contrib *contrib, fl_outbox *out);
//  Its upload is whole and verified. True: it is a survivor; its fold comes before what is asked
//  for here, so look at `wants` first. False: too late, drop it.
FL_CHECKED bool fl_secagg_server_uploaded(fl_secagg_server *self, uint32_t seat, fl_time now,
                                          fl_outbox *out);
//  SAVED or UNMASKED. False: this block does not wait for it.
bool fl_secagg_server_answer(fl_secagg_server *self, const fl_event *event, fl_time now,
                             fl_outbox *out);
//  Give the block up by name.
void fl_secagg_server_abort(fl_secagg_server *self, fl_reason reason, fl_outbox *out);
void fl_secagg_server_tick(fl_secagg_server *self, fl_time now, fl_outbox *out);
fl_time fl_secagg_server_deadline(const fl_secagg_server *self);

fl_secagg_state fl_secagg_server_state(const fl_secagg_server *self);
//  While DONE or ABORTED; false otherwise.
bool fl_secagg_server_result(const fl_secagg_server *self, fl_secagg_result *result);
//  True when it ended unopened and members may have masked: whose block it was, and its lines.
bool fl_secagg_server_lapsed(const fl_secagg_server *self, fl_transcript_round *round,
                             fl_bytes *lines);
//  May upload now: in the mask set, and after a restart in what was already said of survivors.
bool fl_secagg_server_wants(const fl_secagg_server *self, uint32_t seat);
//  Uploads that are wanted and not here.
uint32_t fl_secagg_server_awaits(const fl_secagg_server *self);
//  A view by value; zeros when nobody of this block sits there.
fl_secagg_seat fl_secagg_server_seat(const fl_secagg_server *self, uint32_t seat);

#endif
