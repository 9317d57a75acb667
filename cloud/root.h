//  root - an aggregator with a server optimizer behind it: waits for enough children, opens round
//  after round, has the sum applied to the model, makes the close durable, then tells the children.
//  One thread at a time.
//
//  IDLE -> WAITING -> OPENING -> COLLECTING -> APPLYING -> SAVING -> WAITING ... -> DONE, and from
//  there WAITING again with the next run. Back to IDLE between two rounds when another run has its
//  turn, or the operator pauses this one. PAUSED while something cannot be made durable.
#ifndef FL_CLOUD_ROOT_H
#define FL_CLOUD_ROOT_H

#include "cloud/best.h"
#include "cloud/schedule.h"
#include "common/admin/root_view.h"
#include "common/round/aggregator.h"

typedef struct fl_root fl_root;

//  Who signs a round's order, once and before anybody hears of it: what is masked later depends on
//  the signature too, so the machine has to know it. The same order gets the same signature.
typedef struct fl_signer {
    void *self;
    bool (*sign)(void *self, fl_task *task); // NULL: orders are not signed; false: not now
} fl_signer;

//  Who has pools drawn and signed. A SAVE of FL_SAVE_POOLS goes before each masked round.
typedef struct fl_pooler {
    void *self;
    //  NULL: there are none. Make `pools` those of that run; false: not now.
    bool (*give)(void *self, const fl_run *run, fl_pool_set *pools);
} fl_pooler;

typedef struct fl_root_conf {
    fl_aggregator_conf aggregator;
    fl_plan plan;
    fl_schedule rate;    // of the devices, by round
    fl_best best;        // of the rounds so far; ends the run early
    uint64_t keep_every; // the models of rounds n, 2n, ... stay; 0: none for that
    fl_signer signer;
    fl_pooler pooler;
    uint64_t rounds;        // to run in all
    uint64_t evaluate_every; // rounds from one score on the devices to the next; 0: none
    uint32_t expect_leaves; // devices wanted before a round opens; 0 = any
    uint32_t start_wait_ms; // bound of the wait for them, before each round
    uint64_t patience_ms;   // longest wait for a quorum of children, then the run ends; 0: for ever
    const fl_past *pasts;   // (past_count), closed rounds of the run to go on with; borrowed
    uint32_t past_count;
    const fl_roll_entry *members; // (member_count), of its newest closed round; borrowed
    uint32_t member_count;
    bool passed; // the next round was open when the process ended, and since then another run's
    fl_reason aborted; // why that round ended the run; NONE: it did not
} fl_root_conf;

//  The caller owns the result. NULL when out of memory.
fl_root *fl_root_new(const fl_root_conf *conf);
void fl_root_destroy(fl_root **self_p);
fl_machine fl_root_machine(fl_root *self);
//  What the next START begins: another run with the same children. Seats and slots stay as they
//  were. Only before the first run and after the end of one.
void fl_root_assign(fl_root *self, const fl_root_conf *conf);

fl_aggregator *fl_root_aggregator(const fl_root *self);
//  A run is in hand, and this child is one of those that it is for.
bool fl_root_wants(const fl_root *self, const fl_name *node);
fl_root_view fl_root_look(const fl_root *self, fl_time now);

#endif
