//  aggregator_inside - the aggregator's struct and what its files share: aggregator.c decides when
//  a round ends, cohort_children.c hears what the children say, cohort_masked.c has what is
//  different when the round is masked, cohort_view.c what others look at. For these files only.
#ifndef FL_ROUND_AGGREGATOR_INSIDE_H
#define FL_ROUND_AGGREGATOR_INSIDE_H

#include "common/machine/pace.h"
#include "common/round/aggregator.h"
#include "common/round/blocks.h"
#include "common/round/seats.h"
#include "common/round/uploads.h"

typedef enum fl_aggregator_phase {
    FL_AGGREGATOR_IDLE,
    FL_AGGREGATOR_OPEN,
    FL_AGGREGATOR_DRAINING, // cut off; folds in flight are awaited
    FL_AGGREGATOR_FINISHING,
    FL_AGGREGATOR_CLOSED, // the host has the result and owes a verdict
    FL_AGGREGATOR_PHASES
} fl_aggregator_phase;

struct fl_aggregator {
    fl_aggregator_conf conf;
    fl_seats *seats;
    fl_uploads *uploads;
    fl_blocks *blocks; // NULL: no round here is masked
    fl_aggregator_phase phase;
    bool over;           // the run is over: every child hears so
    bool finish_pending; // a FINISH of an abandoned round is on its way
    fl_run run;
    fl_hash model;
    uint64_t model_bytes;
    fl_past history[FL_PASTS_MAX]; // by round, to check the base of a late update
    fl_task task;
    fl_time opened_at, cutoff_at, due, check_at;
    fl_time wake_at; // next moment that alone may complete the round
    uint32_t extends;
    fl_time cut_at;      // when this round was cut off
    fl_pace pace;        // of the rounds here
    uint64_t bytes_down; // served this round
    fl_result result;
    fl_roll_entry *roll; // (FL_ROLL_MAX)
    uint32_t *durations; // (seats_max) scratch
};

//  A message to a child, run and round filled in.
fl_message *fl_aggregator_say(fl_aggregator *self, fl_peer peer, fl_verb verb, fl_outbox *out);
//  A note about `node`, or about ourselves when it is NULL.
void fl_aggregator_note(fl_aggregator *self, const fl_name *node, fl_note_id id, fl_reason reason,
                        uint64_t a, uint64_t b, fl_outbox *out);
//  Send the current task to a seat, with what is left of the budget.
void fl_aggregator_task(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out);
//  The child of a seat is gone: its part in the round ends, its route is
//  forgotten.
void fl_aggregator_vacate(fl_aggregator *self, uint32_t index, fl_reason reason, fl_time now,
                          fl_outbox *out);
//  The child was heard.
void fl_aggregator_heard(fl_seat *seat, fl_time now);
//  Refuse a message by name, and note it.
void fl_aggregator_refuse(fl_aggregator *self, const fl_event *event, fl_reason reason,
                          fl_outbox *out);
//  Tell a child that is in another round than ours, or in none, how that one ended, if we remember,
//  or else that the run is over, if it is. `attempt`: the child's newest. True when something was
//  said.
bool fl_aggregator_tell_end(fl_aggregator *self, const fl_seat *seat, uint64_t round,
                            uint32_t attempt, fl_outbox *out);
//  A message of a child.
void fl_aggregator_hear(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out);

// ---- masked rounds ------------------------------------------------------------------------------
//  The round at hand is masked. What follows is only for such a round, unless it says otherwise.
bool fl_aggregator_masked(const fl_aggregator *self);
//  What opening takes after the cut-off; 0 when the plan asks for no masks.
fl_time fl_aggregator_opening_ms(const fl_plan *plan);
//  What the round at hand may take, as seats took so long lately.
fl_time fl_aggregator_window_ms(const fl_aggregator *self, uint32_t median_ms);
//  Put seats into blocks and begin these; how many accumulators there are.
uint32_t fl_aggregator_open_blocks(fl_aggregator *self, uint64_t wall_s, fl_time now,
                                   fl_outbox *out);
//  In any round, after each step: ended blocks end their seats.
void fl_aggregator_follow_blocks(fl_aggregator *self, fl_outbox *out);
//  No upload is wanted any more, and nobody is waited for.
bool fl_aggregator_uploads_over(const fl_aggregator *self);
//  In any round: what a seat that is counted or late has spent on it.
fl_time fl_aggregator_time_spent(const fl_aggregator *self, const fl_seat *seat, fl_time now);
//  In any round: a step of masking, KEYS to UNMASK, or REFUSED about one.
void fl_aggregator_hear_step(fl_aggregator *self, const fl_event *event, fl_time now,
                             fl_outbox *out);
//  In any round: a refusal that is for the blocks.
bool fl_aggregator_about_step(const fl_aggregator *self, const fl_refused *refused);
//  True when the block takes an announcement, or another answer is due; else it was answered.
bool fl_aggregator_take_masked(fl_aggregator *self, uint32_t index, const fl_event *event,
                               fl_time now, fl_outbox *out);
//  In any round, after each word of a child.
void fl_aggregator_after_word(fl_aggregator *self, fl_peer peer, fl_time now, fl_outbox *out);
void fl_aggregator_verified_masked(fl_aggregator *self, uint32_t slot, fl_reason fault, fl_time now,
                                   fl_outbox *out);
//  In any round, after HELLO: a new process has no part in what the old one began.
void fl_aggregator_greet(fl_aggregator *self, uint32_t index, bool renewed, fl_time now,
                         fl_outbox *out);

#endif
