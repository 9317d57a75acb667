//  Members come and go. Some go for good; some lose their machine, are forgotten, and come back
//  under the same name with other keys; of one device there is a copy with the same keys, under the
//  same parent or another one; some are drained for a while. What a gate does with two processes
//  of one key is done as in common/net/admission.c.
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static bool
s_chance(fl_sim *sim, uint32_t percent)
{
    return fl_rng_below(&sim->life_rng, 100) < percent;
}

static uint32_t
s_between(fl_sim *sim, uint32_t low, uint32_t high)
{
    return low + (uint32_t)fl_rng_below(&sim->life_rng, high - low + 1);
}

static void
s_give(fl_sim *sim, uint32_t index, fl_sim_kind kind)
{
    fl_sim_fate *fate = &sim->nodes[index].fate;
    fate->kind = kind;
    fate->at = s_between(sim, 500, kind == SIM_GOES && sim->calm ? 8000 : 20000);
    fate->until = fate->at + s_between(sim, 500, 8000);
}

// ---- drawn with the tree ----------------------------------------------------------------------
//  The first device is always quick: it, and those above it, stay.
static bool
s_stays(const fl_sim *sim, uint32_t index)
{
    uint32_t at = 1;
    while (at < sim->node_count && sim->nodes[at].role != FL_ROLE_DEVICE) {
        at++;
    }
    for (; at != SIM_NONE && at != index; at = sim->nodes[at].parent) {
    }
    return at == index;
}

void
fl_sim_doom(fl_sim *sim, bool *quick)
{
    for (uint32_t i = 0; i < sim->node_count && sim->lives; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (node->role == FL_ROLE_DEVICE || node->child_count < 3) {
            continue;
        }
        const uint32_t child = node->children[fl_rng_below(&sim->life_rng, node->child_count)];
        const bool goes = sim->plant == PLANT_WAIT_FOR_GONE || s_chance(sim, 40);
        if (goes && !s_stays(sim, child)) {
            s_give(sim, child, SIM_GOES);
            quick[child] = false;
        }
    }
}

//  Somebody of this role to whom nothing happens yet; SIM_NONE after some tries.
static uint32_t
s_somebody(fl_sim *sim, fl_role role)
{
    for (int tries = 0; tries < 20; tries++) {
        const uint32_t index = 1 + s_between(sim, 0, sim->node_count - 2);
        const fl_sim_node *node = &sim->nodes[index];
        if (node->role == role && node->fate.kind == SIM_LASTS) {
            return index;
        }
    }
    return SIM_NONE;
}

static void
s_give_some(fl_sim *sim, fl_role role, fl_sim_kind kind, uint32_t percent)
{
    const uint32_t index = s_chance(sim, percent) ? s_somebody(sim, role) : SIM_NONE;
    if (index != SIM_NONE) {
        s_give(sim, index, kind);
    }
}

//  Another parent of devices, to put a copy under; the same one when there is none.
static uint32_t
s_other_parent(fl_sim *sim, uint32_t parent)
{
    for (int tries = 0; tries < 20; tries++) {
        const uint32_t index = s_between(sim, 0, sim->node_count - 1);
        const fl_sim_node *node = &sim->nodes[index];
        bool above = node->child_count > 0 && sim->nodes[node->children[0]].role == FL_ROLE_DEVICE;
        if (above && index != parent) {
            return index;
        }
    }
    return parent;
}

static uint32_t
s_new_peer(fl_sim_node *parent, uint32_t child)
{
    const size_t count = parent->child_count + 1;
    parent->children = fl_sim_grow(parent->children, count * sizeof *parent->children);
    parent->asks = fl_sim_grow(parent->asks, count * sizeof *parent->asks);
    parent->children[parent->child_count] = parent->asks[parent->child_count] = child;
    return parent->child_count++;
}

static void
s_copy(fl_sim *sim)
{
    const uint32_t origin = s_somebody(sim, FL_ROLE_DEVICE);
    if (origin == SIM_NONE || sim->node_count == SIM_NODES_MAX) {
        return;
    }
    const fl_sim_node *first = &sim->nodes[origin];
    const uint32_t index = sim->node_count++;
    fl_sim_node *copy = &sim->nodes[index];
    *copy = *first;
    copy->index = index;
    copy->link = sim->link_count++;
    copy->fate.origin = origin;
    bool apart = sim->plant == PLANT_LOST_TWINS || s_chance(sim, 60);
    if (apart && sim->plant != PLANT_COPY_BESIDE) {
        copy->parent = s_other_parent(sim, first->parent);
    }
    if (copy->parent != first->parent) {
        copy->peer = s_new_peer(&sim->nodes[copy->parent], index);
        copy->depth = sim->nodes[copy->parent].depth + 1;
    }
    copy->out = fl_outbox_new(64);
    FL_ASSERT(copy->out != NULL);
    sim->links[copy->link] = (fl_sim_link){ .child = index,
                                            .parent = copy->parent,
                                            .latency_ms = s_between(sim, 1, 25) };
    s_give(sim, index, SIM_IS_A_COPY);
}

void
fl_sim_draw_lives(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].fate.origin = SIM_NONE;
    }
    if (sim->lives && !sim->calm) {
        s_give_some(sim, FL_ROLE_DEVICE, SIM_IS_REPLACED, 50);
        s_give_some(sim, FL_ROLE_EDGE, SIM_IS_REPLACED, 25);
        s_give_some(sim, FL_ROLE_DEVICE, SIM_DRAINS, 70);
        s_give_some(sim, FL_ROLE_DEVICE, SIM_DRAINS, 50);
        s_give_some(sim, FL_ROLE_EDGE, SIM_DRAINS, 50);
        if (s_chance(sim, 25)) {
            s_give(sim, 0, SIM_DRAINS);
        }
    }
    if (sim->lives && sim->node_count > 2 &&
        (fl_sim_plant_lives(sim->plant) || s_chance(sim, 50))) {
        s_copy(sim);
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].fate.kind != SIM_LASTS) {
            fl_sim_push(
                sim, (fl_sim_item){ .at = sim->nodes[i].fate.at, .what = SIM_AT_FATE, .node = i });
        }
    }
}

// ---- what happens -----------------------------------------------------------------------------
static void
s_rest(fl_sim *sim, fl_sim_node *node, fl_reason reason)
{
    node->fate.drained = reason != FL_WHY_NONE;
    fl_event rest = { .kind = FL_EV_REST };
    rest.rest.reason = reason;
    if (sim->plant != PLANT_DRAIN_DEAF) {
        fl_sim_node_step(sim, node, &rest, NULL);
    }
}

//  It says that it may stop, and is started again or told to go on.
static void
s_drain(fl_sim *sim, fl_sim_node *node)
{
    if (node->fate.drained && s_chance(sim, 50) && !sim->weather.clear) {
        fl_sim_node_crash(sim, node, 500);
    } else if (node->fate.drained && node->alive) {
        s_rest(sim, node, FL_WHY_NONE);
    } else if (!sim->weather.clear && node->alive && sim->now < node->fate.until) {
        fl_sim_count_up(sim, SIM_DRAINED);
        fl_sim_trace(sim, "---- %s is drained", node->name.name);
        s_rest(sim, node, FL_WHY_DRAIN);
        fl_sim_push(
            sim, (fl_sim_item){ .at = node->fate.until, .what = SIM_AT_FATE, .node = node->index });
    }
}

static void
s_unlist(fl_sim *sim, const fl_sim_node *node)
{
    for (uint32_t i = 1; i < sim->node_count; i++) {
        uint32_t at = i;
        while (at != SIM_NONE && at != node->index) {
            at = sim->nodes[at].parent;
        }
        sim->nodes[i].fate.listed = at == SIM_NONE ? sim->nodes[i].fate.listed : 0;
    }
}

//  `fl forget`: what it had is refused from now on. Its machine is gone with all that was on it.
static void
s_replace(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_count_up(sim, SIM_REPLACED);
    fl_sim_trace(sim, "---- %s is forgotten, and replaced", node->name.name);
    if (sim->links[node->link].admitted) {
        fl_sim_expel(sim, node->link);
    }
    fl_sim_node_crash(sim, node, s_between(sim, 500, 5000));
    fl_sim_mask_release(node);
    fl_sim_ledger_release(node);
    memset(&node->ledger, 0, sizeof node->ledger);
    node->masks.facts = NULL;
    node->masks.marked = false;
    memset(node->masks.masked_in, 0, sizeof node->masks.masked_in);
    node->fate.generation++;
    node->peer = s_new_peer(&sim->nodes[node->parent], node->index);
    s_unlist(sim, node);
}

void
fl_sim_fated(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_fate *fate = &node->fate;
    if (fate->kind == SIM_DRAINS) {
        s_drain(sim, node);
    } else if (fate->kind == SIM_GOES && !fate->gone) {
        fl_sim_count_up(sim, SIM_GONE);
        fl_sim_trace(sim, "---- %s goes for good", node->name.name);
        fate->gone = true;
        fl_sim_node_crash(sim, node, 0);
    } else if (fate->kind == SIM_IS_REPLACED && fate->generation == 0 && !sim->weather.clear) {
        s_replace(sim, node);
    } else if (fate->kind == SIM_IS_A_COPY && !node->alive) {
        fl_sim_count_up(sim, SIM_COPIED);
        fl_sim_trace(sim, "---- a copy of %s, under %s", node->name.name,
                     sim->nodes[node->parent].name.name);
        fl_sim_node_start(sim, node);
    }
}

bool
fl_sim_node_out(const fl_sim *sim, const fl_sim_node *node)
{
    for (uint32_t at = node->index; at != SIM_NONE; at = sim->nodes[at].parent) {
        if (sim->nodes[at].fate.gone) {
            return true;
        }
    }
    const fl_sim_node *last = &sim->nodes[sim->node_count - 1];
    bool copied = last->fate.origin == node->index;
    return node->fate.origin != SIM_NONE ||
           (copied && last->alive && fl_sim_node_finished(sim, last));
}

// ---- the gate's routes ------------------------------------------------------------------------
void
fl_sim_gate_asked(fl_sim *sim, uint32_t index)
{
    fl_sim_link *link = &sim->links[index];
    fl_sim_node *parent = &sim->nodes[link->parent];
    const uint32_t peer = sim->nodes[link->child].peer;
    uint32_t *holder = &parent->children[peer];
    parent->asks[peer] = link->child;
    if (*holder == link->child || !sim->links[sim->nodes[*holder].link].admitted) {
        *holder = link->child;
        link->admitted = true;
    }
}

uint32_t
fl_sim_gate_route(fl_sim *sim, fl_sim_node *parent, uint32_t peer, const fl_message *message)
{
    uint32_t *holder = &parent->children[peer];
    const uint32_t asks = parent->asks[peer];
    if (message->verb == FL_WELCOME && *holder != asks) {
        fl_sim_check_welcome(sim, parent, *holder, asks);
        sim->links[sim->nodes[*holder].link].admitted = false;
        sim->links[sim->nodes[asks].link].admitted = true;
        *holder = asks;
    }
    if (message->verb == FL_WELCOME || message->verb == FL_BEAT) {
        sim->links[sim->nodes[*holder].link].heard_at = sim->now;
    }
    bool hello = message->verb == FL_REFUSED && message->refused.about == FL_HELLO;
    const uint32_t to = hello ? asks : *holder;
    return sim->nodes[to].peer == peer ? to : SIM_NONE;
}
