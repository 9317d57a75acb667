//  turns - many runs at the simulator's root, and that none depends on another.
#ifndef FL_SIM_TURNS_H
#define FL_SIM_TURNS_H

#include "cloud/runs.h"
#include "cloud/scheduler.h"

struct fl_sim;
struct fl_sim_node;
struct fl_sim_item;

//  A run, as the root's ledger has it and as the operator wants it.
typedef struct fl_sim_era {
    struct fl_sim *sim;
    fl_ledger_run row;
    fl_plan plan;
    uint64_t elements;
    uint64_t before;     // rounds of the runs before it: the checkers count over all of them
    fl_hash first;       // the model that it began with
    fl_claim claim;      // its children
    uint32_t track;      // where it had its newest turn
    uint32_t count_min;  // contributions of its children that the root needs
    uint64_t opened;     // which of all openings its newest was
    uint32_t attempt;    // of the round that is open
    uint64_t again_in;   // newest round in which an edge handed in a sum that it had kept
    uint8_t draw;        // of the newest one, 0 if it was done
    uint32_t bound;      // rounds under it that ended as same-model
    fl_reason aborted;   // why its last round ended it
    fl_hash *bases;      // (row.rounds_closed)
    fl_roll_entry *roll; // (roll_count), of the round closed last
    uint32_t roll_count;
    fl_time since;                        // of its newest close or state
    fl_time pause_at, resume_at, stop_at; // 0: never
    fl_run_state wanted;                  // by the command on its way
    bool told;
    uint32_t life; // of the root that gave it its last turn
    uint32_t waits; // whole ones of the root, for who is gone
    bool unheard;  // it was stopped, and the root that had it is no more
} fl_sim_era;

// ---- turns.c: many runs and an operator --------------------------------------------------------
fl_sim_era *fl_sim_era_of(const struct fl_sim *sim, const fl_run *run); // NULL: of no run
//  A round of a run as the checkers count: over all runs.
uint64_t fl_sim_round(const struct fl_sim *sim, const fl_run *run, uint64_t round);
//  Put all runs into the queue; `operated`: some are paused or stopped later.
void fl_sim_submit(struct fl_sim *sim, bool operated);
//  A root's process starts.
void fl_sim_turns_start(struct fl_sim *sim, struct fl_sim_node *root);
//  The root comes back from a backup, once: to the model before the newest.
void fl_sim_turns_restored(struct fl_sim *sim);
void fl_sim_turns_do(struct fl_sim *sim, struct fl_sim_item *item);
bool fl_sim_era_ended(const fl_sim_era *era);
bool fl_sim_all_ended(const struct fl_sim *sim);

// ---- apart.c: no run depends on another ---------------------------------------------------------
void fl_sim_trained(const fl_sim_era *era, uint32_t node, uint64_t round, float *update);
//  What an update of so many samples weighs, so many rounds late.
uint64_t fl_sim_weight(const fl_plan *plan, uint64_t samples, uint64_t staleness);
uint64_t fl_sim_dither(const fl_plan *plan, uint32_t node, uint64_t round);
void fl_sim_check_apart(struct fl_sim *sim, const fl_sim_era *era, const fl_report *report);
void fl_sim_check_stall(struct fl_sim *sim);
void fl_sim_check_pauses(struct fl_sim *sim, uint32_t track);
void fl_sim_check_ended(struct fl_sim *sim, const fl_sim_era *era);
//  Free what was written down, of all runs.
void fl_sim_notary_release(struct fl_sim *sim);

#endif
