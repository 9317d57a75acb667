//  storm - the world around one machine, and its worst weather: valid messages of every verb, aimed
//  and wild, answers of the crew in any order, time in leaps. What the machine asks for is held
//  against what it may: no handle that it does not hold, no byte beyond its credit, nobody counted
//  twice. One that breaks a rule ends the process like a broken invariant, the seed above it.
#ifndef FL_SUPPORT_STORM_H
#define FL_SUPPORT_STORM_H

#include "common/base/rng.h"
#include "tests/support/machine.h"

enum {
    STORM_PEERS = 12,
    STORM_SEATS = 8,
    STORM_SLOTS = 3,
    STORM_ROOM = 8 * STORM_SEATS + 512,
    STORM_VECTOR = 3 * FL_CHUNK_BYTES_MIN,
    STORM_JOBS = 64,
    STORM_VECS = 16
};

typedef struct storm_job {
    fl_effect effect;
} storm_job;

//  What a child was told last.
typedef struct storm_child {
    fl_message granted;
    uint32_t seat, epoch, attempt;
} storm_child;

//  The world around one machine: what it has asked for, and what it was told last.
typedef struct storm_world {
    fl_machine machine;
    fl_rng rng;
    fl_time now;
    bool mild;      // for a while, everybody is nearly honest: so far ends are reached
    uint64_t round; // the one at hand, about
    storm_job jobs[STORM_JOBS];
    uint32_t job_count;
    bool slot_used[STORM_SLOTS], slot_busy[STORM_SLOTS], vec_held[STORM_VECS], lane[2];
    bool training, finishing;
    uint32_t encoding;              // vector, 0 = none
    bool counted[STORM_SEATS];      // in the round at hand
    uint64_t weight, contributions; // of it
    storm_child child[STORM_PEERS];
    fl_message fetch, contrib;      // last ones to the parent
    uint64_t credit;                // most that was granted for it
    uint64_t rounds, folds, pushes; // what came of it all
} storm_world;

extern storm_world storm;

void storm_begin(uint64_t seed, fl_machine machine);
//  One event; its effects are carried out as far as rules need it.
void storm_step(const fl_event *event);

//  What may happen next.
void storm_hear_child(void);
void storm_hear_parent(void);
void storm_gone(void);
void storm_pass_time(void);
//  The crew answers one of its jobs, not the oldest; only while `job_count` > 0.
void storm_answer(void);

uint64_t storm_below(uint64_t bound);
bool storm_chance(uint64_t percent);

#endif
