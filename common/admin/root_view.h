//  root_view - where the root stands, as it tells its operator. A plain value: cloud/root fills it
//  in, status_json writes it.
#ifndef FL_ADMIN_ROOT_VIEW_H
#define FL_ADMIN_ROOT_VIEW_H

#include "common/wire/message.h"

typedef enum fl_root_phase {
    FL_ROOT_IDLE,
    FL_ROOT_WAITING,
    FL_ROOT_OPENING,
    FL_ROOT_COLLECTING,
    FL_ROOT_APPLYING,
    FL_ROOT_SAVING,
    FL_ROOT_PAUSED,
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
    uint32_t resting;       // of the ready ones: they take no round now
    uint32_t leaves, expect_leaves;
    uint32_t phase_ms;     // time spent in this phase
    uint32_t left_ms;      // until its bound; 0 when it has none
    uint32_t round_ms;     // from one round to the next, waits included: the median; 0 = none yet
    double loss, accuracy; // newest; NaN when none
    uint64_t best_round;   // whose model scored best; 0: none was scored
    double best_score;
    bool aborted;
    uint64_t skipped;   // rounds, as far as this process knows
    fl_reason reason;   // why DONE early, or PAUSED
    uint8_t masking[2]; // fl_masking, of every round: fl_plan
    fl_weighting weighting;
    bool pin;           // and nothing is random in it
    fl_name weakest;    // the edge whose pool protects least ...
    uint32_t floor, bad; // ... its floor, and how many bad devices that takes; 0: no pool
    fl_reason rests;    // it opens no round; FL_WHY_NONE: it does
    bool busy;          // a round is in hand
} fl_root_view;

#endif
