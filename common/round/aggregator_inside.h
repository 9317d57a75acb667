//  aggregator_inside - the struct of aggregator.c, for it, aggregator_look.c and
//  aggregator_members.c. Nobody else includes it.
#ifndef FL_ROUND_AGGREGATOR_INSIDE_H
#define FL_ROUND_AGGREGATOR_INSIDE_H

#include "common/round/aggregator.h"
#include "common/round/participation.h"
#include "common/round/seats.h"
#include "common/round/selection.h"
#include "common/round/uploads.h"
#include "common/secagg/burnt.h"
#include "common/secagg/pool.h"

typedef enum fl_aggregator_phase {
    FL_AGGREGATOR_IDLE,
    FL_AGGREGATOR_OPEN,
    FL_AGGREGATOR_DRAINING, // cut off; folds in flight are awaited
    FL_AGGREGATOR_FINISHING,
    FL_AGGREGATOR_CLOSED, // edge or root has the result and owes a verdict
    FL_AGGREGATOR_PHASES
} fl_aggregator_phase;

enum { FACTS_MAX = FL_KEEP_ACKS - FL_KEEP_ROSTER + 1 };

typedef struct one_block {
    fl_secagg_server *machine; // kept for later rounds
    bool used;                 // in the round at hand
    bool open;                 // and its machine was opened for it
    bool taken;                // it has ended, and that was seen to
    fl_reason reason;          // why it never opened; once taken, why it is not in the sum
    uint32_t floor;            // of its pool
    fl_bytes facts[FACTS_MAX]; // to go on with, by kind
} one_block;

//  What the blocks that were opened add up to.
typedef struct opened_sum {
    uint64_t set; // of their accumulators
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    fl_reason reason; // why the first of the others was aborted; FL_WHY_NONE: none was
} opened_sum;

struct fl_aggregator {
    fl_aggregator_conf conf;
    fl_seats *seats;
    fl_uploads *uploads;
    fl_selection selection;         // of the round at hand
    one_block block[FL_BLOCKS_MAX]; // of a masked round
    bool resumed;                   // those are from before a restart
    opened_sum opened;
    fl_burnt_book *burnt; // blocks that ended unopened; NULL: this aggregator masks nothing
    fl_block_line *lines; // (FL_BLOCK_LINES_MAX)
    fl_aggregator_phase phase;
    fl_reason paused; // every child hears so on its beat; FL_WHY_NONE: it is not
    bool over;        // the run is over: every child hears so ...
    fl_reason end;    // ... and why; FL_WHY_NONE: it has all its rounds
    uint64_t finish;  // of the FINISH that is awaited
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
    fl_awaited awaited;  // of the children expected
    bool others;         // in the turn before, rounds were for other children
    uint32_t ready_then; // when the round at hand was opened
    uint64_t bytes_down; // served this round
    fl_result result;
    fl_roll_entry *roll;   // (FL_ROLL_MAX)
    fl_roll_entry *before; // (before_count of FL_ROLL_MAX) behind it: the run's last report
    uint32_t before_count;
    fl_doubles doubles;  // names under two parents: looked for at the root, told to an edge ...
    fl_offering wanted;  // by the run at hand
    bool twins_told;     // ... since its last round was settled
    uint32_t *durations; // (seats_max) scratch
    fl_pool_set pools;
};

//  What the run's last report says.
void fl_aggregator_recall_roll(fl_aggregator *self, const fl_roll_entry *roll, uint32_t count);
//  Put the seats that are invited into blocks, each inside one pool.
void fl_aggregator_place(fl_aggregator *self, fl_outbox *out);
//  R13: the run of its pool that a child is in.
fl_pool_run fl_aggregator_run_of(const fl_aggregator *self, const fl_name *node);
//  What a child has to know of pools before the task at hand.
void fl_aggregator_tell_pools(const fl_aggregator *self, const fl_seat *seat, fl_outbox *out);
//  Of blocks that ended unopened: their members masked, and do not mask again under this model
//  until it is proved that they were not opened (R10). They are asked when the round is over, and
//  whenever they come. A roster of a round before this process; `tensors` NULL: of the same model,
//  as far as is known.
void fl_aggregator_lapse(fl_aggregator *self);
void fl_aggregator_lapse_fact(fl_aggregator *self, fl_bytes fact, const fl_hash *tensors);
void fl_aggregator_tell_burnt(fl_aggregator *self, uint32_t index, fl_outbox *out);
void fl_aggregator_tell_burnt_all(fl_aggregator *self, fl_outbox *out);

#endif
