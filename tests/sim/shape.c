//  What one seed decides before anything happens: the tree, the plan, the windows, the weather.
//  The numbers are drawn so that a clear sky always lets a round succeed; all the rest is weather.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    node->number = number;
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
    above->asks = fl_sim_grow(above->asks, (above->child_count + 1) * sizeof *above->asks);
    above->children[above->child_count] = above->asks[above->child_count] = index;
    above->kin = ++above->child_count;
    node->link = sim->link_count++;
    sim->links[node->link] = (fl_sim_link){
        .child = index, .parent = parent, .latency_ms = s_draw(sim, 1, 25), .heard_at = SIM_LONG_AGO
    };
}

//  What one step may ask for, in all: four effects a child, and a window of chunks and fetches. A
//  masked round that goes on after a restart tells each child what it may have missed, five steps.
static void
s_make_outboxes(fl_sim *sim)
{
    uint32_t each = fl_plan_masks(&sim->plan) ? 4 + 5 + 3 + 3 : 4;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].out = fl_outbox_new(64 + each * (sim->nodes[i].child_count + 2));
        FL_ASSERT(sim->nodes[i].out != NULL);
    }
}

//  For masks: at least three members at each parent, in most trees. Devices at the root beside the
//  edges, or edges behind edges, in some.
static void
s_grow_masked(fl_sim *sim, uint32_t nodes)
{
    uint32_t dice = s_draw(sim, 0, 99);
    uint32_t upper = 0, lower = 0;
    if (dice >= 94 && nodes >= 13) {
        lower = 3 * s_draw(sim, 1, nodes / 13);
        upper = lower / 3;
    } else if (dice >= 88) {
        lower = s_draw(sim, 1, 1 + (nodes - 2) / 4); // too many, often
    } else if (dice >= 8 && nodes >= 13) {
        lower = s_draw(sim, 3, 3 + nodes / 13);
    }
    for (uint32_t i = 0; i < upper + lower && sim->node_count < nodes; i++) {
        s_add_node(sim, FL_ROLE_EDGE, i < upper || upper == 0 ? 0 : 1 + (i - upper) % upper, i);
    }
    uint32_t beside = lower > 0 && upper < 3 && (upper > 0 || s_chance(sim, 15)) ? 3 : 0;
    for (uint32_t i = 0; sim->node_count < nodes; i++) {
        uint32_t below = i < 3 * lower ? i % lower : s_draw(sim, 0, lower > 0 ? lower - 1 : 0);
        bool top = lower == 0 || (i >= 3 * lower && i < 3 * lower + beside);
        s_add_node(sim, FL_ROLE_DEVICE, top ? 0 : 1 + upper + below, i);
    }
}

static void
s_grow_tree(fl_sim *sim, uint32_t nodes)
{
    FL_ASSERT(nodes >= 2 && nodes <= SIM_NODES_MAX);
    sim->nodes = fl_sim_new((nodes + 1) * sizeof *sim->nodes); // room for a copy
    sim->links = fl_sim_new((nodes + 1) * sizeof *sim->links);
    s_add_node(sim, FL_ROLE_ROOT, SIM_NONE, 0);
    if (fl_plan_masks(&sim->plan)) {
        s_grow_masked(sim, nodes);
        return;
    }
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
}

// ---- the plan and the windows -----------------------------------------------------------------
static void
s_draw_plan(fl_sim *sim)
{
    fl_element fixed = { .clip = (float)s_draw(sim, 1, 40) / 8.0f,
                       .bits = (uint8_t)s_draw(sim, 6, 20),
                       .weight_unit = s_draw(sim, 1, 50),
                       .weight_max = s_draw(sim, 1, 200),
                       .devices_max = sim->node_count };
    fl_why why;
    FL_ASSERT(fl_element_choose(&fixed, &why) == FL_OK);
    bool carry = s_chance(sim, 60);
    sim->plan = (fl_plan){
        .masking = { sim->plan.masking[0], sim->plan.masking[1] },
        .clip = fixed.clip,
        .bits = fixed.bits,
        .weight_unit = fixed.weight_unit,
        .weight_max = fixed.weight_max,
        .devices_max = fixed.devices_max,
        .recipe = { 4,
                    { { "batch", 32 }, { "epochs", 1 }, { "momentum", 0.5f }, { "rate", 0.1f } } },
        .seed = fl_rng_u64(&sim->shape_rng),
        .late = carry ? FL_LATE_CARRY : FL_LATE_DROP,
        .staleness_max = carry ? s_draw(sim, 1, 3) : 0
    };
    //  By the seed that is drawn already: the worlds of before stay what they were. Classes that
    //  differ would leave the heaviest of a masked block out for good.
    sim->plan.weighting = (uint8_t)(sim->plan.seed % (fl_plan_masks(&sim->plan) ? 2 : 3));
    if (sim->plan.weighting == FL_WEIGHTING_EQUAL) {
        sim->plan.weight_max = 1;
    }
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

// ---- masks ------------------------------------------------------------------------------------
static void
s_draw_masking(fl_sim *sim, fl_sim_masking masking)
{
    uint64_t dice = fl_rng_below(&sim->mask_rng, 100);
    fl_masking profile = dice < 20   ? FL_MASKING_NONE
                         : dice < 35 ? FL_MASKING_HONEST
                                     : FL_MASKING_MALICIOUS;
    if (masking == SIM_MASKING_NEVER) {
        profile = FL_MASKING_NONE;
    } else if (masking == SIM_MASKING_ALWAYS && profile == FL_MASKING_NONE) {
        profile = FL_MASKING_MALICIOUS;
    }
    sim->plan.masking[0] = sim->plan.masking[1] = (uint8_t)profile;
    if (profile != FL_MASKING_NONE && fl_rng_below(&sim->mask_rng, 100) < 15) { // one hop alone
        sim->plan.masking[fl_rng_below(&sim->mask_rng, 2)] = FL_MASKING_NONE;
    }
    sim->totals.count[SIM_SEEDS_MASKED] += profile != FL_MASKING_NONE;
    sim->totals.count[SIM_SEEDS_HONEST] += profile == FL_MASKING_HONEST;
}

//  Masked uploads come all at once, in the last quarter of a round: too few slots for them are too
//  few uploads.
static void
s_draw_slots(fl_sim *sim)
{
    bool mend = s_chance(sim, 85);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_sim_node *node = &sim->nodes[i];
        uint32_t wanted = (node->child_count + 3) / 4;
        wanted = wanted < FL_SLOTS_MAX ? wanted : FL_SLOTS_MAX;
        if (node->role != FL_ROLE_DEVICE && node->slot_count < wanted) {
            node->slot_count = mend ? wanted : node->slot_count;
            sim->stuck = sim->stuck || !mend;
        }
    }
}

//  The masked half of the plan, and what the members ask for themselves.
static void
s_draw_masks(fl_sim *sim)
{
    if (!fl_plan_masks(&sim->plan)) {
        return;
    }
    uint32_t dice = s_draw(sim, 0, 99);
    uint32_t block_max = dice < 55   ? FL_MEMBERS_MAX
                         : dice < 95 ? s_draw(sim, 5, 10)
                                     : s_draw(sim, 3, 4);
    sim->plan.block_max = (uint8_t)block_max;
    for (int hop = 0; hop < 2; hop++) {
        uint32_t most = block_max < 6 ? block_max : 6;
        sim->plan.members_min[hop] = (uint8_t)(s_chance(sim, 90) ? 3 : s_draw(sim, 3, most));
        sim->plan.survivors_min[hop] = (uint8_t)(s_chance(sim, 90) ? 3 : s_draw(sim, 3, most));
    }
    sim->plan.step_ms = s_draw(sim, 150, 500);
    sim->draws_max = s_chance(sim, 90) ? 1 : 3;
    const bool carries = sim->plan.late == FL_LATE_CARRY;
    sim->restores =
        sim->seed % 4 == 1 && !(carries && fl_plan_masking(&sim->plan, 1) != FL_MASKING_MALICIOUS);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_sim_masks *masks = &sim->nodes[i].masks;
        masks->profile = fl_plan_masking(&sim->plan, sim->nodes[i].parent == 0 ? 2 : 1);
        masks->members_min = s_chance(sim, 2) ? s_draw(sim, 3, 8) : 3;
        masks->survivors_min = s_chance(sim, 2) ? s_draw(sim, 3, 6) : 3;
    }
    fl_sim_pools_floor(sim);
    s_draw_slots(sim);
    if (s_chance(sim, 5)) { // one that asks for more than is ordered
        sim->nodes[s_draw(sim, 1, sim->node_count - 1)].masks.profile = FL_MASKING_MALICIOUS;
    }
}

//  What the root must give so that the lowest aggregators have so much: an edge must be ready by
//  three quarters of its parent's time, and its own round has its steps, its folds and the way.
static uint32_t
s_time_above(const fl_sim *sim, uint32_t lowest_ms)
{
    uint32_t depth = 0;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        bool edge = sim->nodes[i].role == FL_ROLE_EDGE;
        depth = edge && sim->nodes[i].depth > depth ? sim->nodes[i].depth : depth;
    }
    uint32_t given_ms = lowest_ms;
    for (; depth > 0; depth--) {
        given_ms = (given_ms + 3 * sim->plan.step_ms + 400) * 16 / 11;
    }
    return given_ms;
}

//  Members of the smallest of a parent's blocks, and how many of them may be missing.
static uint32_t
s_spare(const fl_sim *sim, const fl_sim_node *node)
{
    const fl_plan *plan = &sim->plan;
    uint8_t hop = node->role == FL_ROLE_ROOT ? 2 : 1;
    uint32_t blocks = (node->child_count + plan->block_max - 1) / plan->block_max;
    uint32_t floor = fl_secagg_floor(plan->members_min, hop), pool = fl_sim_pool_floor(sim, node);
    floor = floor > pool ? floor : pool;
    uint32_t small = floor > 0 ? node->child_count / floor : 0;
    blocks = blocks < small ? blocks : small;
    uint32_t least = blocks > 0 ? node->child_count / blocks : 0;
    least = least < plan->block_max ? least : plan->block_max; // the others are left out
    uint32_t quorum = fl_secagg_quorum(least, fl_secagg_floor(plan->survivors_min, hop));
    floor = floor > quorum ? floor : quorum;
    for (uint32_t i = 0; i < node->child_count; i++) { // floors of their own
        const fl_sim_masks *child = &sim->nodes[node->children[i]].masks;
        floor = floor > child->members_min ? floor : child->members_min;
        floor = floor > child->survivors_min ? floor : child->survivors_min;
        if (child->profile > fl_plan_masking(plan, hop)) {
            return SIM_NONE;
        }
    }
    return least < floor ? SIM_NONE : least - floor;
}

//  Where more of a parent's devices are slow than its blocks may lose, they are not, in most trees.
static void
s_hurry(fl_sim *sim, uint32_t round_ms, bool *quick)
{
    if (!fl_plan_masks(&sim->plan)) {
        return;
    }
    bool mend = s_chance(sim, 85);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        uint32_t spare = s_spare(sim, node);
        for (uint32_t j = 0; j < node->child_count; j++) {
            uint32_t index = node->children[j];
            fl_sim_node *child = &sim->nodes[index];
            bool goes = child->fate.kind == SIM_GOES;
            if ((child->role != FL_ROLE_DEVICE && !goes) || quick[index]) {
                continue;
            }
            if (spare > 0 && spare != SIM_NONE) {
                spare--;
            } else if (mend && child->role == FL_ROLE_EDGE) {
                child->fate.kind = SIM_LASTS;
            } else if (mend) {
                child->train_ms = s_draw(sim, 20, round_ms / 4);
                child->samples = child->samples > 0 ? child->samples : 1;
                quick[index] = true;
                child->fate.kind = SIM_LASTS;
            } else {
                sim->stuck = true;
            }
        }
        sim->stuck = sim->stuck || (node->role != FL_ROLE_DEVICE && spare == SIM_NONE);
    }
}

//  From the leaves up: no aggregator asks for more than its quick children can give.
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
        quick[i] = able > 0 && node->fate.kind != SIM_GOES;
    }
}

void
fl_sim_shape(fl_sim *sim, uint32_t nodes, fl_sim_masking masking)
{
    s_draw_masking(sim, masking);
    bool masked = fl_plan_masks(&sim->plan);
    if (nodes > 4 && s_chance(sim, 12)) {
        nodes = s_draw(sim, 3, nodes); // small trees have corners of their own
    }
    s_grow_tree(sim, nodes);
    fl_sim_pools_draw(sim);
    bool big = nodes <= 12 && s_chance(sim, 40); // several chunks
    sim->elements = big ? s_draw(sim, 20000, 60000) : s_draw(sim, 16, 64);
    sim->model_bytes = big || s_chance(sim, 4) ? s_draw(sim, 70000, 400000) : s_draw(sim, 64, 512);
    sim->rounds = masked ? SIM_LAST_MASKED + s_draw(sim, 1, 3) : s_draw(sim, 5, 8);
    s_draw_plan(sim);
    s_draw_masks(sim);
    s_make_outboxes(sim);
    s_draw_timing(sim);
    uint32_t round_ms = s_draw(sim, 3500, 8000);
    bool *quick = fl_sim_new(sim->node_count * sizeof *quick);
    s_draw_devices(sim, round_ms, quick);
    fl_sim_doom(sim, quick);
    s_hurry(sim, round_ms, quick);
    s_draw_windows(sim, masked ? s_time_above(sim, round_ms) : round_ms, quick);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].able = quick[i];
    }
    free(quick);
    for (size_t i = 0; i < sizeof sim->run.bytes; i++) {
        sim->run.bytes[i] = (uint8_t)fl_rng_u64(&sim->shape_rng);
    }
    static const fl_hash none;
    (void)fl_sim_model_add(sim, &none, &none);
    sim->weather = fl_sim_weather_draw(&sim->weather_rng, &sim->totals);
    sim->calm = sim->weather.clear;
    if (sim->calm) {
        sim->weather.clear = false;
        fl_sim_clear_sky(sim);
    }
    fl_sim_draw_lives(sim);
}

//  Everything else is as a test says, and the sky is clear.
void
fl_sim_lay_out(fl_sim *sim, const fl_sim_layout *layout)
{
    uint32_t edges = layout->edges, devices = (edges > 0 ? edges : 1) * layout->devices;
    FL_ASSERT(1 + edges + devices <= SIM_NODES_MAX);
    sim->nodes = fl_sim_new((1 + edges + devices) * sizeof *sim->nodes);
    sim->links = fl_sim_new((edges + devices) * sizeof *sim->links);
    s_add_node(sim, FL_ROLE_ROOT, SIM_NONE, 0);
    for (uint32_t i = 0; i < edges; i++) {
        s_add_node(sim, FL_ROLE_EDGE, 0, i);
    }
    for (uint32_t i = 0; i < devices; i++) {
        s_add_node(sim, FL_ROLE_DEVICE, edges > 0 ? 1 + i % edges : 0, i);
    }
    fl_sim_pools_draw(sim);
    sim->drawing.floor = 3;
    sim->plan = layout->plan;
    sim->timing = layout->timing;
    sim->rounds = layout->rounds;
    sim->elements = 16;
    sim->model_bytes = 64;
    sim->expect = 1;
    sim->expect_leaves = devices;
    sim->start_wait_ms = 2000;
    sim->draws_max = 3;
    sim->stuck = sim->measured = true; // what a test does may end any round
    memset(sim->run.bytes, 0x11, sizeof sim->run.bytes);
    s_make_outboxes(sim);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_sim_node *node = &sim->nodes[i];
        node->slot_count = layout->slots;
        node->window = layout->window;
        node->train_ms = layout->train_ms;
        node->samples = 10 * (1 + i);
        node->masks.profile = (fl_masking)layout->plan.masking[0];
        sim->links[node->link].latency_ms = 1;
    }
    static const fl_hash none;
    (void)fl_sim_model_add(sim, &none, &none);
    fl_sim_draw_lives(sim);
    fl_sim_clear_sky(sim);
}

void
fl_sim_unshape(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_outbox_destroy(&sim->nodes[i].out);
        free(sim->nodes[i].children);
        free(sim->nodes[i].asks);
    }
    for (uint32_t i = 0; i < sim->model_count; i++) {
        fl_blob_unref(&sim->models[i]);
    }
    free(sim->drawing.places);
    free(sim->nodes);
    free(sim->links);
    free(sim->models);
    free(sim->model_hashes);
}
