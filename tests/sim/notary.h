//  notary - what the checkers of the simulator write down: where every update comes from, which
//  sums it went into, and what became of the rounds. Rounds are counted over all runs.
#ifndef FL_SIM_NOTARY_H
#define FL_SIM_NOTARY_H

#include "common/base/blob.h"
#include "tests/sim/masks.h"

enum { SIM_ROUNDS_MAX = 64 }; // a device's rounds fit into one word of bits
//  Masked rounds under a clear sky: two that fail may come before a draw.
enum { SIM_LAST_MASKED = 6 };

typedef enum fl_sim_checker {
    CHECK_NONE,
    CHECK_ONCE,
    CHECK_FLAT,
    CHECK_WEIGHT,
    CHECK_COMMIT,
    CHECK_QUORUM,
    CHECK_DEADLINE,
    CHECK_PROGRESS,
    CHECK_LEAK,
    CHECK_BYTES,
    CHECK_VERDICT,
    CHECK_BASE,
    CHECK_WIRE,
    CHECK_HANDLE,
    CHECK_FLOOR,
    CHECK_SPENT,
    CHECK_VEIL,
    CHECK_TOLD,
    CHECK_BLAME,
    CHECK_BLOCKS,
    CHECK_APART,
    CHECK_STALL,
    CHECK_MISSING,
    CHECK_COPIES,
    CHECK_DRAIN,
    CHECK_WAITS,
    CHECKERS
} fl_sim_checker;
const char *fl_sim_checker_name(fl_sim_checker checker);

//  One training of one device: the origin of every update.
typedef struct fl_sim_training {
    uint32_t node;
    uint64_t round;
    fl_hash model;
    uint64_t samples;
    uint64_t masked_in; // the round that it was masked in; 0: none
} fl_sim_training;

//  One encoded update.
typedef struct fl_sim_leaf {
    uint32_t training;
    uint64_t weight;
    uint8_t wire_bytes;
    fl_blob *bytes;
} fl_sim_leaf;

//  A vector that was made by a device or an edge, known by its hash: the updates inside.
typedef struct fl_sim_lot {
    fl_hash hash;
    uint32_t *leaves; // (leaf_count)
    uint32_t leaf_count;
    uint32_t folds; // contributions folded by the aggregator that made it; 0: a device
    uint32_t node;
    bool masked;        // the bytes are under masks
    uint64_t masked_in; // the round that these plain bytes were masked in; 0: none
} fl_sim_lot;

typedef struct fl_sim_commit {
    bool known, done;
    fl_hash base, model;
    uint64_t nodes_in[SIM_NODES_MAX / 64];
} fl_sim_commit;

typedef struct fl_sim_notary {
    fl_sim_checker failed;
    char sentence[240];
    fl_sim_training *trainings;
    uint32_t training_count, training_capacity;
    fl_sim_leaf *leaves;
    uint32_t leaf_count, leaf_capacity;
    fl_sim_lot *lots;
    uint32_t lot_count, lot_capacity;
    fl_sim_told *told;
    uint32_t told_count, told_capacity;
    uint64_t counted[SIM_NODES_MAX]; // bit r: the update of base round r is in a committed sum
    fl_sim_commit commits[SIM_ROUNDS_MAX];
    uint64_t closed; // committed rounds, of all runs
    uint64_t closed_of[SIM_RUNS_MAX];
    uint32_t done, done_clear; // DONE rounds in all, and of those opened under a clear sky
} fl_sim_notary;

#endif
