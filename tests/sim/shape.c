//  What one seed decides before anything happens: the tree, the plan, the windows, the weather.
//  The numbers are drawn so that a clear sky always lets a round succeed; all the rest is weather.
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/sim.h"

static uint32_t
s_draw(fl_sim *sim, uint32_t low, uint32_t high)
{
    return low + (uint32_t)fl_rng_below(&sim->shape_rng, high - low + 1);
}

static bool
s_chance(fl_sim *sim, uint32_t percent)
{
    return fl_rng_below(&sim->shape_rng, 100) < percent;
}

// ---- the tree ---------------------------------------------------------------------------------
static void
s_add_node(fl_sim *sim, fl_role role, uint32_t parent, uint32_t number)
{
    uint32_t index = sim->node_count++;
    fl_sim_node *node = &sim->nodes[index];
    node->index = index;
    node->role = role;
    node->parent = parent;
    const char *kind = role == FL_ROLE_EDGE ? "e" : "d";
    if (role == FL_ROLE_ROOT) {
        snprintf(node->name.name, sizeof node->name.name, "root");
    } else {
        snprintf(node->name.name, sizeof node->name.name, "%s%u", kind, number % 10000);
    }
    node->tick_at = FL_NEVER;
    node->slot_count = s_draw(sim, 1, 8);
    if (parent == SIM_NONE) {
        return;
    }
    fl_sim_node *above = &sim->nodes[parent];
    node->depth = above->depth + 1;
    node->peer = above->child_count;
    above->children =
        fl_sim_grow(above->children, (above->child_count + 1) * sizeof *above->children);
    above->children[above->child_count++] = index;
    node->link = sim->link_count++;
    sim->links[node->link] =
        (fl_sim_link){ .child = index, .parent = parent, .latency_ms = s_draw(sim, 1, 25) };
}

//  What one step may ask for, in all: four effects a child, and a window of chunks and fetches.
static void
s_make_outboxes(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].out = fl_outbox_new(64 + 4 * sim->nodes[i].child_count);
        FL_ASSERT(sim->nodes[i].out != NULL);
    }
}

static void
s_grow_tree(fl_sim *sim, uint32_t nodes)
{
    FL_ASSERT(nodes >= 2 && nodes <= SIM_NODES_MAX);
    sim->nodes = fl_sim_new(nodes * sizeof *sim->nodes);
    sim->links = fl_sim_new(nodes * sizeof *sim->links);
    s_add_node(sim, FL_ROLE_ROOT, SIM_NONE, 0);
    uint32_t edges = nodes > 2 && !s_chance(sim, 5) ? s_draw(sim, 1, 1 + nodes / 8) : 0;
    uint32_t upper = edges >= 3 && s_chance(sim, 30) ? s_draw(sim, 1, edges / 3) : 0;
    for (uint32_t i = 0; i < edges; i++) {
        uint32_t above = i < upper ? 0 : upper > 0 ? 1 + (i - upper) % upper : 0;
        s_add_node(sim, FL_ROLE_EDGE, above, i);
    }
    uint32_t lower = edges - upper; // the edges that devices sit behind
    bool mixed = s_chance(sim, 10); // some devices sit at the root itself
    for (uint32_t i = 0; sim->node_count < nodes; i++) {
        uint32_t below = i < lower ? i : s_draw(sim, 0, lower > 0 ? lower - 1 : 0);
        uint32_t above =
            lower == 0 || (mixed && i >= lower && s_chance(sim, 20)) ? 0 : 1 + upper + below;
        s_add_node(sim, FL_ROLE_DEVICE, above, i);
    }
    s_make_outboxes(sim);
}

// ---- the plan and the windows -----------------------------------------------------------------
static void
s_draw_plan(fl_sim *sim)
{
    fl_fixed fixed = { .clip = (float)s_draw(sim, 1, 40) / 8.0f,
                       .bits = (uint8_t)s_draw(sim, 6, 20),
                       .weight_unit = s_draw(sim, 1, 50),
                       .weight_max = s_draw(sim, 1, 200),
                       .devices_max = sim->node_count };
    fl_why why;
    FL_ASSERT(fl_fixed_choose(&fixed, &why) == FL_OK);
    bool carry = s_chance(sim, 60);
    sim->plan = (fl_plan){ .clip = fixed.clip,
                           .bits = fixed.bits,
                           .ring_bits = fixed.ring_bits,
                           .wire_bytes = fixed.wire_bytes,
                           .weight_unit = fixed.weight_unit,
                           .weight_max = fixed.weight_max,
                           .devices_max = fixed.devices_max,
                           .epochs = 1,
                           .batch = 32,
                           .rate = 0.1f,
                           .momentum = 0.5f,
                           .seed = fl_rng_u64(&sim->shape_rng),
                           .late = carry ? FL_LATE_CARRY : FL_LATE_DROP,
                           .staleness_max = carry ? s_draw(sim, 1, 3) : 0 };
}

static fl_window
s_draw_window(fl_sim *sim, uint32_t time_max_ms, uint32_t children)
{
    uint32_t dice = s_draw(sim, 0, 99);
    fl_window window = {
        .count_min = s_draw(sim, 1, 1 + children / 3),
        .count_max = s_chance(sim, 15) ? children : 0,
        .time_min_ms = s_chance(sim, 30) ? s_draw(sim, 50, 800) : 0,
        .time_max_ms = time_max_ms,
        .factor_permille = s_chance(sim, 25) ? s_draw(sim, 1500, 4000) : 0,
        .missed = dice < 45   ? FL_MISSED_EXTEND
                  : dice < 97 ? FL_MISSED_SKIP
                              : FL_MISSED_ABORT,
        .extend_ms = time_max_ms / 3,
        .extends_max = s_draw(sim, 2, 4),
    };
    return window;
}

static void
s_draw_timing(fl_sim *sim)
{
    sim->timing = (fl_timing){
        .beat_ms = s_draw(sim, 300, 900),
        .evasive_beats = 3,
        .lease_beats = 6,
        .hop_ms = 100,
        .finish_ms = 200,
        .join_wait_ms = s_draw(sim, 500, 2000),
        .rate_min = 64,
        .rate_window_ms = 3000,
    };
    sim->expect = s_chance(sim, 50);
    sim->start_wait_ms = s_draw(sim, 3000, 6000);
}

//  Most devices are quick, some are too slow for the window, a few hold no data.
static void
s_draw_devices(fl_sim *sim, uint32_t round_ms, bool *quick)
{
    uint32_t devices = 0;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_sim_node *node = &sim->nodes[i];
        if (node->role != FL_ROLE_DEVICE) {
            continue;
        }
        bool slow = devices > 0 && s_chance(sim, 12);
        node->train_ms =
            slow ? s_draw(sim, round_ms / 2, round_ms * 2) : s_draw(sim, 20, round_ms / 4);
        node->samples = devices > 0 && s_chance(sim, 3) ? 0 : s_draw(sim, 1, 2000);
        quick[i] = !slow && node->samples > 0;
        devices++;
    }
    sim->expect_leaves = s_chance(sim, 30) ? devices / 2 : 0;
}

//  From the leaves up: no cohort asks for more than its quick children can give.
static void
s_draw_windows(fl_sim *sim, uint32_t round_ms, bool *quick)
{
    for (uint32_t i = sim->node_count; i-- > 0;) {
        fl_sim_node *node = &sim->nodes[i];
        if (node->role == FL_ROLE_DEVICE) {
            continue;
        }
        uint32_t able = 0;
        for (uint32_t j = 0; j < node->child_count; j++) {
            able += quick[node->children[j]];
        }
        node->window = s_draw_window(sim, round_ms - 600 * node->depth, node->child_count);
        uint32_t most = node->window.factor_permille > 0 ? (able + 1) / 2 : able;
        if (node->window.count_min > most) {
            node->window.count_min = most > 0 ? most : 1;
        }
        sim->measured = sim->measured || node->window.factor_permille > 0;
        quick[i] = able > 0;
    }
}

void
fl_sim_shape(fl_sim *sim, uint32_t nodes)
{
    if (nodes > 4 && s_chance(sim, 12)) {
        nodes = s_draw(sim, 3, nodes); // small trees have corners of their own
    }
    s_grow_tree(sim, nodes);
    bool big = nodes <= 12 && s_chance(sim, 40); // several chunks
    sim->elements = big ? s_draw(sim, 20000, 60000) : s_draw(sim, 16, 64);
    sim->model_bytes = big || s_chance(sim, 4) ? s_draw(sim, 70000, 400000) : s_draw(sim, 64, 512);
    sim->rounds = s_draw(sim, 5, 8);
    s_draw_plan(sim);
    s_draw_timing(sim);
    uint32_t round_ms = s_draw(sim, 3500, 8000);
    bool *quick = fl_sim_new(sim->node_count * sizeof *quick);
    s_draw_devices(sim, round_ms, quick);
    s_draw_windows(sim, round_ms, quick);
    free(quick);
    for (size_t i = 0; i < sizeof sim->run.bytes; i++) {
        sim->run.bytes[i] = (uint8_t)fl_rng_u64(&sim->shape_rng);
    }
    static const fl_hash none;
    sim->nodes[0].ledger.model = fl_sim_model_add(sim, &none, &none);
    sim->weather = fl_sim_weather_draw(&sim->weather_rng, &sim->totals);
    sim->calm = sim->weather.clear;
    if (sim->calm) {
        sim->weather.clear = false;
        fl_sim_clear_sky(sim);
    }
}

void
fl_sim_unshape(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_outbox_destroy(&sim->nodes[i].out);
        free(sim->nodes[i].children);
    }
    for (uint32_t i = 0; i < sim->model_count; i++) {
        fl_blob_unref(&sim->models[i]);
    }
    free(sim->nodes);
    free(sim->links);
    free(sim->models);
    free(sim->model_hashes);
}
