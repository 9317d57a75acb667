//  aggregator - the parent's half of a round: seat the children, invite them, stage and fold what
//  comes back, close once. Its owner (edge or root) opens a round, takes the result after each
//  step, and settles it when the fate of the result is known.
//  One thread at a time. Holds conf.seats_max seats, conf.slots staging slots, an accumulator per
//  block.
//
//  Round:  IDLE -> OPEN -> DRAINING -> FINISHING -> CLOSED -> IDLE.
//  Seat:   TASKED -> OFFERED -> STAGING -> VERIFYING -> FOLDING -> COUNTED, or LATE, REFUSED,
//  ABSENT from any of the earlier ones.
//
//  A masked round (docs/masking.md) is OPEN until every block has what it needs, or the cut-off,
//  and DRAINING until each is opened or aborted. Who is not in a block when it opens waits for the
//  next one; the window's time_min, count_max and extending do not apply to it, nor does `expect`.
//  A seat whose block is aborted is REFUSED with its reason, even when it had been counted.
#ifndef FL_ROUND_AGGREGATOR_H
#define FL_ROUND_AGGREGATOR_H

#include "common/machine/outbox.h"
#include "common/machine/policy.h"
#include "common/round/seats.h"
#include "common/secagg/pool.h"

typedef struct fl_aggregator fl_aggregator;

typedef struct fl_aggregator_conf {
    fl_name node;           // our own name, parent column of the report
    fl_role child_roles[2]; // roles that may sit here; FL_ROLE_NONE in unused places
    uint32_t seats_max;     // 1..FL_SEATS_MAX
    uint32_t slots;         // F: 1..FL_SLOTS_MAX staged contributions at a time
    uint32_t expect;        // children waited for; 0 = whoever is there
    uint32_t absent_max;    // rounds until who is away is not waited for any more; 0: never
    fl_name on[FL_ON_MAX];  // (on_count), the children of its rounds; on_count 0: all
    uint32_t on_count;
    bool vector;            // FINISH makes a vector to push on (an edge); false at the root
    fl_window window;
    fl_timing timing;
    const fl_secagg_server_conf *masking; // borrowed; NULL: this aggregator opens no masked round
    //  What was kept of the masked round that was open when the last process ended. Borrowed until
    //  the first open.
    const fl_bytes *facts;
    uint32_t fact_count;
} fl_aggregator_conf;

//  What an earlier round was trained from. So many are remembered; an older update is refused.
typedef struct fl_past {
    uint64_t round;
    fl_hash model;
} fl_past;
enum { FL_PASTS_MAX = 64 };

//  A closed round, until it is settled.
typedef struct fl_result {
    fl_close close;
    fl_reason reason; // why not DONE
    fl_vec vec;       // the caller's, when conf.vector and DONE
    fl_hash hash;
    uint64_t vector_bytes;
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    fl_tally tally;
    uint32_t duration_ms, budget_ms;
    const fl_roll_entry *roll; // (roll_count), the aggregator's, until the next open
    uint32_t roll_count, roll_dropped;
    fl_masking masking;
    fl_weighting weighting;
    bool pin;
    const fl_block_line *blocks; // (block_count), the aggregator's, until the next open
    uint32_t block_count;
} fl_result;

//  What a result says of the round, into its report; what it does not know stays.
void fl_result_report(const fl_result *self, fl_report *report);

//  One seat, for the live tree and tests.
typedef struct fl_seat_view {
    fl_name node;
    fl_role role;
    bool present, evasive, rests;
    bool moved; // its child sits at another aggregator now
    const fl_offerings *offers;
    fl_activity activity;
    uint64_t done, total;
    fl_outcome outcome; // of the current or last round
    fl_reason reason;
    uint32_t leaves;
    uint64_t samples;
    fl_tally tally;                                                 // of an edge's devices
    uint64_t told_round; // of its last report (fl_aggregator_below); 0: before a restart
    uint32_t rounds_in, rounds_late, rounds_absent, rounds_refused; // since start
} fl_seat_view;

//  One block of the masked round at hand or of the last one. `line` says how far it has come; its
//  reason is that of its end.
typedef struct fl_block_view {
    fl_block_line line;
    fl_secagg_state state;
} fl_block_view;

//  The caller owns the result. NULL when out of memory.
fl_aggregator *fl_aggregator_new(const fl_aggregator_conf *conf);
void fl_aggregator_destroy(fl_aggregator **self_p);

//  Rounds from now on have this window, and go on with these facts. The rest is as it was. Only
//  while IDLE.
void fl_aggregator_assign(fl_aggregator *self, const fl_aggregator_conf *conf);
//  Before that, they were for other children.
bool fl_aggregator_others(const fl_aggregator *self);

//  Events: TICK, MESSAGE from a child, GONE, VERIFIED, FOLDED, FINISHED, UNMASKED, SAVED.
//  Never blocks, never fails: a bad message is refused and noted, a broken invariant panics.
void fl_aggregator_step(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out);
fl_time fl_aggregator_deadline(const fl_aggregator *self);

//  Begin a round that must be CLOSED by `due`. The task's attempt is ours; its budget is ignored
//  (each child's is computed). Only while IDLE.
//  `wall_s`: wall clock, for the certificates of a masked round that goes on after a restart.
void fl_aggregator_open(fl_aggregator *self, const fl_task *task, fl_time due, uint64_t wall_s,
                        fl_time now, fl_outbox *out);
//  When the open round is cut off; FL_NEVER when none is open.
fl_time fl_aggregator_cutoff(const fl_aggregator *self);
//  The result, while CLOSED; false otherwise.
bool fl_aggregator_result(const fl_aggregator *self, fl_result *result);
//  Tell the children what became of the round: those counted hear `outcome` and `reason` (IN when
//  the sum counted above), the others their own. Only while CLOSED.
//  `end`: the run is over with it, and why (FL_WHY_NONE: it has all its rounds); NULL: it goes on.
void fl_aggregator_settle(fl_aggregator *self, fl_outcome outcome, fl_reason reason,
                          const fl_reason *end, fl_outbox *out);
//  Tell every child that the run is over, and why, when no round is in hand.
void fl_aggregator_dismiss(fl_aggregator *self, fl_reason end, fl_outbox *out);
//  Give a round up whose sum went nowhere: its children hear LATE and may offer again, but for
//  those that were refused or absent. Folds in flight are awaited before the next `open` (see
//  `idle`).
void fl_aggregator_abandon(fl_aggregator *self, fl_reason reason, fl_time now, fl_outbox *out);
//  How many children are waited for: conf.expect, less those that are given up.
uint32_t fl_aggregator_expects(const fl_aggregator *self);
//  A node is shut out, a child or below one: it is not waited for, nor are so many devices, which
//  this answers.
uint32_t fl_aggregator_deny(fl_aggregator *self, const fl_name *node);
//  True when `open` may be called.
bool fl_aggregator_idle(const fl_aggregator *self);

//  The run, and the model that children are served from (bytes 0: none yet). Another run than
//  before: the children stay seated, and nothing of the old one is remembered but how its last
//  round ended for each of them. Only while IDLE, when the run changes.
void fl_aggregator_model(fl_aggregator *self, const fl_run *run, const fl_hash *model,
                         uint64_t bytes);

//  Beats say from now on that the run is paused, and why, or with FL_WHY_NONE that it goes on.
void fl_aggregator_pause(fl_aggregator *self, fl_reason why);

//  A round of the run at hand that was opened before this process began: late updates of it are
//  known by its model. After the run is set.
void fl_aggregator_recall(fl_aggregator *self, const fl_past *past);

//  Those whom the report of a round of the run at hand names, from before this process began: until
//  they are back they are gone. A child that has none below it is taken for a device. As many as
//  were there then are waited for; so many were devices. After the run is set.
uint32_t fl_aggregator_remember(fl_aggregator *self, const fl_roll_entry *roll, uint32_t count);

//  The lines of a round that is passed over: those who were in the one before, late. Until the next
//  open.
const fl_roll_entry *fl_aggregator_passed(fl_aggregator *self, uint32_t *count);

//  What the parent above says (TWINS), before it says how the round ended: from then on the names
//  that others keep are refused here, as long as it says so with each round.
void fl_aggregator_twins(fl_aggregator *self, fl_bytes nodes);

//  What the run at hand wants of devices, after it is set: a child that does not offer it rests.
void fl_aggregator_needs(fl_aggregator *self, const fl_plan *plan);
//  A child has said HELLO.
void fl_aggregator_fit(fl_aggregator *self, uint32_t seat);
//  Add what children with a device offer.
void fl_aggregator_offers(const fl_aggregator *self, fl_offerings *offers);

//  Tell a node, a child or one below an edge, to take no new round, or to take rounds again.
void fl_aggregator_rest(fl_aggregator *self, const fl_name *node, bool drains, fl_outbox *out);

//  The pools that its blocks lie in, and those of parents below, for its owner to fill: all of the
//  order's epoch before a round is opened.
fl_pool_set *fl_aggregator_pools(fl_aggregator *self);

//  Its rounds are for this child too. Its child sits here.
bool fl_aggregator_wants(const fl_aggregator *self, const fl_name *node);
bool fl_aggregator_holds(const fl_aggregator *self, fl_peer peer);
//  Who says this HELLO sits at that other aggregator from now on, which hears what is known of its
//  lies. Only when it is in no open round here. False: another process of its name sits here and is
//  heard; it was refused.
bool fl_aggregator_part(fl_aggregator *self, fl_aggregator *other, const fl_event *hello,
                        fl_time now, fl_outbox *out);

//  Of the children that its rounds are limited to.
fl_presence fl_aggregator_presence(const fl_aggregator *self);
fl_tally fl_aggregator_tally(const fl_aggregator *self); // of the round so far
//  Seats ever used are 0..count-1; a view by value.
uint32_t fl_aggregator_seats(const fl_aggregator *self);
fl_seat_view fl_aggregator_seat(const fl_aggregator *self, uint32_t seat);
//  The next line of what the edge of a seat reported last, from `*at` on, which begins at 0. False:
//  there is none.
bool fl_aggregator_below(const fl_aggregator *self, uint32_t seat, size_t *at,
                         fl_roll_entry *entry);
//  Block 0..FL_BLOCKS_MAX-1; false when there is no such block.
bool fl_aggregator_block(const fl_aggregator *self, uint32_t block, fl_block_view *view);

#endif
