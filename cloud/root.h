//  root - a cohort with a server optimizer behind it: waits for enough children, opens round after
//  round, has the sum applied to the model, makes the close durable, then tells the children.
//  One thread at a time.
//
//  IDLE -> WAITING -> OPENING -> COLLECTING -> APPLYING -> SAVING -> WAITING ... -> DONE.
#ifndef FL_CLOUD_ROOT_H
#define FL_CLOUD_ROOT_H

#include "common/round/aggregator.h"

typedef struct fl_root fl_root;

//  Who signs a round's order, once and before anybody hears of it: what is masked later depends on
//  the signature too, so the machine has to know it. The same order gets the same signature.
typedef struct fl_signer {
    void *self;
    void (*sign)(void *self, fl_task *task); // NULL: orders are not signed
} fl_signer;

typedef struct fl_root_conf {
    fl_aggregator_conf cohort;
    fl_plan plan;
    fl_signer signer;
    uint64_t rounds;        // to run in all
    uint32_t expect_leaves; // devices wanted before a round opens; 0 = any
    uint32_t start_wait_ms; // bound of the wait for them, before each round
    const fl_past *pasts;   // (past_count), closed rounds of the run to go on with; borrowed
    uint32_t past_count;
} fl_root_conf;

typedef enum fl_root_phase {
    FL_ROOT_IDLE,
    FL_ROOT_WAITING,
    FL_ROOT_OPENING,
    FL_ROOT_COLLECTING,
    FL_ROOT_APPLYING,
    FL_ROOT_SAVING,
    FL_ROOT_DONE,
    FL_ROOT_PHASES
} fl_root_phase;
const char *fl_root_phase_name(fl_root_phase phase);

//  For `fl status` and `fl top`.
typedef struct fl_root_view {
    fl_root_phase phase;
    uint64_t round, rounds;
    uint32_t attempt;
    uint32_t ready, expect; // children; what a wait waits for
    uint32_t leaves, expect_leaves;
    uint32_t phase_ms;     // time spent in this phase
    uint32_t left_ms;      // until its bound; 0 when it has none
    uint32_t round_ms;     // average of the closed rounds of this process; 0 = none yet
    double loss, accuracy; // newest; NaN when none
    bool aborted;
    fl_reason reason; // why DONE early
    fl_masking masking; // profile of every round
} fl_root_view;

//  The caller owns the result. NULL when out of memory.
fl_root *fl_root_new(const fl_root_conf *conf);
void fl_root_destroy(fl_root **self_p);
void fl_root_step(fl_root *self, const fl_event *event, fl_time now, fl_outbox *out);
fl_time fl_root_deadline(const fl_root *self);
fl_machine fl_root_machine(fl_root *self);

const fl_aggregator *fl_root_cohort(const fl_root *self);
fl_root_view fl_root_look(const fl_root *self, fl_time now);

#endif
