//  The checkers of members that come and go: nobody vanishes from a report, a copy costs nobody
//  anything, who is drained takes no new round and finishes its own, who is gone is not waited for.
#include <inttypes.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { HELD_BEATS = 3, SETTLE_MS = 10000, DOUBLES_MAX = 2 };

static bool
s_has(const uint64_t *in, uint32_t index)
{
    return (in[index / 64] >> (index % 64) & 1) != 0;
}

uint32_t
fl_sim_node_listed(const fl_sim *sim, const fl_roll_entry *entry, const uint64_t *in)
{
    uint32_t found = SIM_NONE;
    for (uint32_t i = 1; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (fl_name_equal(&node->name, &entry->node) &&
            fl_name_equal(&sim->nodes[node->parent].name, &entry->parent) &&
            (found == SIM_NONE || s_has(in, i))) {
            found = i;
        }
    }
    return found;
}

bool
fl_sim_name_in(const fl_sim *sim, const fl_sim_node *node, const uint64_t *in)
{
    bool found = false;
    for (uint32_t i = 1; i < sim->node_count; i++) {
        found = found || (s_has(in, i) && sim->nodes[i].parent == node->parent &&
                          fl_name_equal(&sim->nodes[i].name, &node->name));
    }
    return found;
}

// ---- nobody vanishes --------------------------------------------------------------------------
//  A member stands in every later report of its run, with a reason when it is not in.
static void
s_check_listed(fl_sim *sim, const fl_sim_era *era, const fl_report *report)
{
    const uint64_t here = (uint64_t)1 << report->round;
    const uint64_t before = (here - 1) & ~(((uint64_t)2 << era->before) - 1);
    for (uint32_t i = 0; i < report->roll_count; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        const uint32_t index =
            fl_sim_node_listed(sim, entry, sim->notary.commits[report->round].nodes_in);
        if (index == SIM_NONE) {
            continue; // s_check_roll says so
        }
        const uint32_t origin = sim->nodes[index].fate.origin;
        sim->nodes[origin == SIM_NONE ? index : origin].fate.listed |= here;
        fl_sim_trace(sim, "     %s below %s: %s, %s", entry->node.name, entry->parent.name,
                     fl_outcome_name((fl_outcome)entry->outcome),
                     fl_reason_name((fl_reason)entry->reason));
        if (entry->outcome != FL_OUT_IN && entry->reason == FL_WHY_NONE) {
            fl_sim_fail(sim, CHECK_MISSING, "round %" PRIu64 " does not say why %s is %s",
                        report->round, entry->node.name,
                        fl_outcome_name((fl_outcome)entry->outcome));
        }
    }
    for (uint32_t i = 1; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (node->fate.origin == SIM_NONE && (node->fate.listed & before) != 0 &&
            (node->fate.listed & here) == 0) {
            fl_sim_fail(sim, CHECK_MISSING, "%s is not in the report of round %" PRIu64,
                        node->name.name, report->round);
        }
    }
}

// ---- copies -----------------------------------------------------------------------------------
//  Who has the seat keeps it while it is heard.
void
fl_sim_check_welcome(fl_sim *sim, const fl_sim_node *parent, uint32_t holder, uint32_t asks)
{
    const fl_sim_node *first = &sim->nodes[holder];
    const fl_sim_link *link = &sim->links[first->link];
    const fl_time held = (fl_time)HELD_BEATS * sim->timing.beat_ms;
    if (holder != asks && link->admitted && first->alive && sim->now - link->heard_at < held) {
        fl_sim_fail(sim, CHECK_COPIES, "%s gives the seat of %s, heard at %" PRId64 ", to a copy",
                    parent->name.name, first->name.name, link->heard_at);
    }
}

//  One name is counted once in a round, but for the first that shows that it sits in two places.
static void
s_check_doubles(fl_sim *sim, const fl_report *report)
{
    const fl_sim_node *copy = &sim->nodes[sim->node_count - 1];
    const uint64_t *in = sim->notary.commits[report->round].nodes_in;
    if (copy->fate.origin == SIM_NONE || !s_has(in, copy->index) || !s_has(in, copy->fate.origin)) {
        return;
    }
    fl_sim_count_up(sim, SIM_DOUBLED);
    sim->doubled += sim->weather.clear && sim->now > sim->clear_since;
    bool beside = copy->parent == sim->nodes[copy->fate.origin].parent;
    bool often = sim->doubled > DOUBLES_MAX * sim->runs && !sim->overlap;
    if (beside || often) {
        fl_sim_fail(sim, CHECK_COPIES, "round %" PRIu64 " counts %s and its copy%s", report->round,
                    copy->name.name, beside ? " under one parent" : " again");
    }
}

// ---- drained nodes ----------------------------------------------------------------------------
//  It has a task in hand, in the round of a parent: until one of those above it begins anew.
static uint32_t
s_lives(const fl_sim *sim, const fl_sim_node *node)
{
    uint32_t lives = node->life;
    for (uint32_t at = node->parent; at != SIM_NONE; at = sim->nodes[at].parent) {
        lives += sim->nodes[at].life;
    }
    return lives;
}

void
fl_sim_check_task(fl_sim *sim, fl_sim_node *node, const fl_note *note)
{
    bool edge = node->role == FL_ROLE_EDGE;
    const fl_run *run = fl_participant_run(edge ? fl_edge_participant(node->edge)
                                                : fl_device_participant(node->device));
    node->fate.took = fl_sim_round(sim, run, note->round);
    node->fate.took_lives = s_lives(sim, node);
    if (node->fate.drained && note->reason == FL_WHY_NONE) {
        fl_sim_fail(sim, CHECK_DRAIN, "%s is drained, and takes round %" PRIu64, node->name.name,
                    node->fate.took);
    }
}

static void
s_check_drained(fl_sim *sim, const fl_report *report)
{
    for (uint32_t i = 0; i < report->roll_count; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        const uint32_t index =
            fl_sim_node_listed(sim, entry, sim->notary.commits[report->round].nodes_in);
        const fl_sim_node *node = index == SIM_NONE ? NULL : &sim->nodes[index];
        if (node != NULL && node->fate.drained && entry->reason == FL_WHY_DRAIN &&
            node->fate.took == report->round && node->fate.took_lives == s_lives(sim, node)) {
            fl_sim_fail(sim, CHECK_DRAIN,
                        "%s was in round %" PRIu64 " when it was drained, and lost it",
                        node->name.name, report->round);
        }
    }
}

void
fl_sim_check_members(fl_sim *sim, const fl_sim_era *era, const fl_report *report)
{
    s_check_doubles(sim, report);
    if (report->roll_dropped == 0) {
        s_check_listed(sim, era, report);
        s_check_drained(sim, report);
    }
}

// ---- who is gone is not waited for ------------------------------------------------------------
void
fl_sim_check_waiting(fl_sim *sim, fl_sim_node *root)
{
    for (uint32_t i = 0; i < FL_TRACKS; i++) {
        fl_sim_desk *desk = &root->desk[i];
        const fl_root_phase phase = fl_root_look(fl_tracks_root(root->tracks, i), sim->now).phase;
        desk->waits_since =
            phase == FL_ROOT_WAITING && desk->phase != phase ? sim->now : desk->waits_since;
        desk->phase = phase;
    }
}

//  The root opens a round. Under a clear sky all that will ever come are there.
void
fl_sim_check_open(fl_sim *sim, uint32_t track)
{
    const fl_sim_desk *desk = &sim->nodes[0].desk[track];
    fl_sim_era *era = desk->turn;
    const fl_root_phase beside = sim->nodes[0].desk[1 - track].phase;
    sim->totals.count[SIM_ABREAST] += beside == FL_ROOT_COLLECTING;
    if (sim->nodes[0].fate.drained) {
        fl_sim_fail(sim, CHECK_DRAIN, "the root is drained, and opens a round");
    }
    bool whole = desk->phase == FL_ROOT_WAITING &&
                 sim->now - desk->waits_since >= (fl_time)sim->start_wait_ms;
    bool settled = sim->weather.clear && desk->waits_since > sim->clear_since + SETTLE_MS;
    era->waits += whole && settled;
    if (era->waits > SIM_ABSENT_MAX + 1) {
        fl_sim_fail(sim, CHECK_WAITS, "the root has waited the whole time %u times for who is gone",
                    era->waits);
    }
}
