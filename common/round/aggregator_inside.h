//  aggregator_inside - the cohort's struct and what its files share: cohort.c decides when a round
//  ends, cohort_children.c hears what the children say, cohort_masked.c has what is different when
//  the round is masked, cohort_view.c what others look at. For these files only.
#ifndef FL_ROUND_AGGREGATOR_INSIDE_H
#define FL_ROUND_AGGREGATOR_INSIDE_H

#include "common/round/aggregator.h"
#include "common/round/blocks.h"
#include "common/round/uploads.h"
#include "common/machine/pace.h"
#include "common/round/seats.h"

typedef enum fl_cohort_phase {
    FL_COHORT_IDLE,
    FL_COHORT_OPEN,
    FL_COHORT_DRAINING, // cut off; folds in flight are awaited
    FL_COHORT_FINISHING,
    FL_COHORT_CLOSED, // the host has the result and owes a verdict
    FL_COHORT_PHASES
} fl_cohort_phase;

struct fl_cohort {
    fl_cohort_conf conf;
    fl_roster *roster;
    fl_collect *collect;
    fl_blocks *blocks; // NULL: no round here is masked
    fl_cohort_phase phase;
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
fl_message *fl_cohort_say(fl_cohort *self, fl_peer peer, fl_verb verb, fl_outbox *out);
//  A note about `node`, or about ourselves when it is NULL.
void fl_cohort_note(fl_cohort *self, const fl_node *node, fl_note_id id, fl_reason reason,
                    uint64_t a, uint64_t b, fl_outbox *out);
//  Send the current task to a seat, with what is left of the budget.
void fl_cohort_task(fl_cohort *self, uint32_t index, fl_time now, fl_outbox *out);
//  The child of a seat is gone: its part in the round ends, its route is
//  forgotten.
void fl_cohort_vacate(fl_cohort *self, uint32_t index, fl_reason reason, fl_time now,
                      fl_outbox *out);
//  The child was heard.
void fl_cohort_heard(fl_seat *seat, fl_time now);
//  Refuse a message by name, and note it.
void fl_cohort_refuse(fl_cohort *self, const fl_event *event, fl_reason reason, fl_outbox *out);
//  Tell a child that is in another round than ours, or in none, how that one ended, if we remember,
//  or else that the run is over, if it is. `attempt`: the child's newest. True when something was
//  said.
bool fl_cohort_tell_end(fl_cohort *self, const fl_seat *seat, uint64_t round, uint32_t attempt,
                        fl_outbox *out);
//  A message of a child.
void fl_cohort_hear(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out);

// ---- masked rounds ------------------------------------------------------------------------------
//  The round at hand is masked. What follows is only for such a round, unless it says otherwise.
bool fl_cohort_masked(const fl_cohort *self);
//  What opening takes after the cut-off; 0 when the plan asks for no masks.
fl_time fl_cohort_opening_ms(const fl_plan *plan);
//  What the round at hand may take, as seats took so long lately.
fl_time fl_cohort_window_ms(const fl_cohort *self, uint32_t median_ms);
//  Put seats into blocks and begin these; how many accumulators there are.
uint32_t fl_cohort_open_blocks(fl_cohort *self, uint64_t wall_s, fl_time now, fl_outbox *out);
//  In any round, after each step: ended blocks end their seats.
void fl_cohort_follow_blocks(fl_cohort *self, fl_outbox *out);
//  No upload is wanted any more, and nobody is waited for.
bool fl_cohort_uploads_over(const fl_cohort *self);
//  In any round: what a seat that is counted or late has spent on it.
fl_time fl_cohort_time_spent(const fl_cohort *self, const fl_seat *seat, fl_time now);
//  In any round: a step of masking, KEYS to UNMASK, or REFUSED about one.
void fl_cohort_hear_step(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out);
//  In any round: a refusal that is for the blocks.
bool fl_cohort_about_step(const fl_cohort *self, const fl_refused *refused);
//  True when the block takes an announcement, or another answer is due; else it was answered.
bool fl_cohort_take_masked(fl_cohort *self, uint32_t index, const fl_event *event, fl_time now,
                           fl_outbox *out);
//  In any round, after each word of a child.
void fl_cohort_after_word(fl_cohort *self, fl_peer peer, fl_time now, fl_outbox *out);
void fl_cohort_verified_masked(fl_cohort *self, uint32_t slot, fl_reason fault, fl_time now,
                               fl_outbox *out);
//  In any round, after HELLO: a new process has no part in what the old one began.
void fl_cohort_greet(fl_cohort *self, uint32_t index, bool renewed, fl_time now, fl_outbox *out);

#endif
