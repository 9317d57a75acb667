//  cohort_inside - the cohort's struct and what its two halves share: cohort.c
//  decides when a round ends, cohort_children.c hears what the children say.
//  For these two files only.
#ifndef FL_CORE_COHORT_INSIDE_H
#define FL_CORE_COHORT_INSIDE_H

#include "common/core/cohort.h"
#include "common/core/collect.h"
#include "common/core/pace.h"
#include "common/core/roster.h"

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
void fl_cohort_vacate(fl_cohort *self, uint32_t index, fl_reason reason, fl_outbox *out);
//  A message of a child.
void fl_cohort_hear(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out);

#endif
