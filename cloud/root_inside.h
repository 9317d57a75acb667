//  root_inside - the struct of root.c, for it and for root_look.c. Nobody else includes it.
#ifndef FL_CLOUD_ROOT_INSIDE_H
#define FL_CLOUD_ROOT_INSIDE_H

#include "cloud/root.h"
#include "common/wire/manifest.h"

struct fl_root {
    fl_root_conf conf;
    fl_aggregator *aggregator;
    fl_root_phase phase;
    fl_time since;                                              // of this phase
    fl_task task;                                               // of the round at hand
    fl_report report;                                           // of the round being closed
    uint8_t order[FL_ORDER_BYTES], settings[FL_PARTS_MADE_MAX]; // as the ledger keeps them
    uint64_t token;         // of the SAVE or APPLY that is awaited
    fl_run_order wish;      // carried out between two rounds
    fl_root_phase paused;   // what a pause goes back to
    fl_time retry_at;       // when trouble is tried again
    uint32_t tries;         // failures one after the other
    fl_time waits_since;    // without a quorum of children
    uint32_t ready, leaves; // as last noted while waiting
    fl_awaited awaited;     // of the devices expected
    fl_time noted_at;
    fl_pace pace;          // from one round to the next, with the waits between them
    fl_time turn_at;       // when the round at hand had its turn
    uint32_t bound;        // rounds of this draw that failed because of what was masked before
    uint64_t skipped;      // rounds
    double loss, accuracy; // newest
    fl_best best;
    bool assigned; // a START is on its way
    bool rests;    // opens no round
    bool drawing;  // OPENING: the pools are looked at
    bool aborted;
    fl_reason reason;
};

//  Of the round after this one.
uint8_t fl_root_draw(fl_root *self, fl_outbox *out);
//  The draw in hand, or the next one when it is due.
uint8_t fl_root_raise(fl_root *self, fl_outbox *out);

#endif
