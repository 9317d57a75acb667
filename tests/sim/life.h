//  life - members that go for good, are replaced, copied or drained, and what the driver knows of
//  them.
#ifndef FL_SIM_LIFE_H
#define FL_SIM_LIFE_H

#include "common/base/blob.h"
#include "common/machine/event.h"

struct fl_sim;
struct fl_sim_node;
struct fl_sim_era;

enum { SIM_ABSENT_MAX = 1 };

typedef enum fl_sim_kind {
    SIM_LASTS,
    SIM_GOES,        // and never comes back
    SIM_IS_REPLACED, // forgotten; its name comes back with other keys and an empty state
    SIM_IS_A_COPY,   // of another one, with its keys
    SIM_DRAINS,      // and comes back
} fl_sim_kind;

typedef struct fl_sim_fate {
    fl_sim_kind kind;
    fl_time at, until;
    bool gone, drained;
    uint32_t origin;     // of a copy
    uint32_t generation; // of its keys
    uint64_t took;       // newest round that it has a task of ...
    uint32_t took_lives; // ... and in which life, of it and of those above
    uint64_t listed;     // bit r: the report of round r names it; see fl_sim_round
    uint64_t incarnation;
} fl_sim_fate;

// ---- life.c -----------------------------------------------------------------------------------
//  Who goes is not counted on: `quick` is taken from it.
void fl_sim_doom(struct fl_sim *sim, bool *quick);
//  The others, when the tree stands.
void fl_sim_draw_lives(struct fl_sim *sim);
//  What is to come to this node comes; once more at the end of a drain.
void fl_sim_fated(struct fl_sim *sim, struct fl_sim_node *node);
//  Nothing is expected of it: it, or who it sits below, is gone, or it is a copy, or a copy has its
//  seat.
bool fl_sim_node_out(const struct fl_sim *sim, const struct fl_sim_node *node);

//  A HELLO has come to the gate of its parent: who has no seat takes the route of its key.
void fl_sim_gate_asked(struct fl_sim *sim, uint32_t link);
//  To which child a message goes: the gate moves the route of a key when its newest HELLO is
//  welcomed. SIM_NONE: the key is not in use any more.
uint32_t fl_sim_gate_route(struct fl_sim *sim, struct fl_sim_node *parent, uint32_t peer,
                           const fl_message *message);

// ---- member.c: their checkers -----------------------------------------------------------------
//  The node that a line of a report means, of those with this name; SIM_NONE: a stranger.
uint32_t fl_sim_node_listed(const struct fl_sim *sim, const fl_roll_entry *entry,
                            const uint64_t *in);
//  It, or who has the same name and parent, is in.
bool fl_sim_name_in(const struct fl_sim *sim, const struct fl_sim_node *node, const uint64_t *in);
//  The gate gives the route of one process to another one.
void fl_sim_check_welcome(struct fl_sim *sim, const struct fl_sim_node *parent, uint32_t holder,
                          uint32_t asks);
void fl_sim_check_members(struct fl_sim *sim, const struct fl_sim_era *era,
                          const fl_report *report);
void fl_sim_check_task(struct fl_sim *sim, struct fl_sim_node *node, const fl_note *note);
void fl_sim_check_open(struct fl_sim *sim, uint32_t track);
void fl_sim_check_waiting(struct fl_sim *sim, struct fl_sim_node *root);

#endif
