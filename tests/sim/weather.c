//  The weather of one run: small troubles that strike a message, and gusts that strike a node or a
//  link for a while. Everything that is counted here really happened to something.
#include "tests/sim/sim.h"

typedef enum sky { CALM, BREEZE, STORM } sky;

static uint32_t
s_between(fl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)fl_rng_below(rng, high - low + 1);
}

//  One storm in eight tears at everything at once.
static void
s_hurricane(fl_rng rng, fl_sim_weather *weather, fl_sim_totals *totals)
{
    if (fl_rng_below(&rng, 8) != 0) {
        return;
    }
    totals->count[SIM_HURRICANES]++;
    weather->loss = weather->loss * 5 / 2;
    weather->duplicate = weather->duplicate * 5 / 2;
    weather->reorder = weather->reorder * 5 / 2;
    weather->delay *= 3;
    weather->flip *= 5;
    weather->gust_ms /= 4;
    weather->snipe *= 10;
}

fl_sim_weather
fl_sim_weather_draw(fl_rng *rng, fl_sim_totals *totals)
{
    uint64_t dice = fl_rng_below(rng, 10);
    sky kind = dice < 1 ? CALM : dice < 6 ? BREEZE : STORM;
    if (kind == CALM) {
        totals->count[SIM_CALM]++;
        return (fl_sim_weather){ .clear = true };
    }
    bool storm = kind == STORM;
    totals->count[SIM_STORMS] += storm;
    fl_sim_weather weather = {
        .loss = s_between(rng, 0, storm ? 1500 : 300),
        .duplicate = s_between(rng, 0, storm ? 2000 : 500),
        .reorder = s_between(rng, 0, storm ? 2000 : 300),
        .delay = s_between(rng, 0, storm ? 1000 : 200),
        .flip = s_between(rng, 0, storm ? 400 : 50),
        .delay_max_ms = s_between(rng, 100, storm ? 3000 : 800),
        .jitter_ms = s_between(rng, 1, 20),
        .gust_ms = storm ? s_between(rng, 150, 1500) : s_between(rng, 800, 5000),
        .snipe = storm ? s_between(rng, 0, 300) : 50,
        .train_fails = s_between(rng, 0, storm ? 300 : 50),
        .save_fails = fl_rng_below(rng, 40) == 0 ? 300 : 0,
        .root_crashes = fl_rng_below(rng, 3) != 0,
        .queue_dead = fl_rng_below(rng, 2) == 0,
        .clear_at = (fl_time)s_between(rng, 8000, 30000),
    };
    if (storm) {
        s_hurricane(fl_rng_split(rng, 8), &weather, totals);
    }
    return weather;
}

//  One tree in eight has a store that fails for up to 20 s; one in 64 loses all edges for ten
//  minutes, in the worst of the weather.
void
fl_sim_draw_troubles(fl_sim *sim, fl_rng rng)
{
    if (fl_rng_below(&rng, 8) == 0 || sim->plant == PLANT_SICK_STORE) {
        sim->outages++;
        sim->outage_ms = s_between(&rng, 500, 20000);
        fl_sim_push(sim, (fl_sim_item){ .at = (fl_time)s_between(&rng, 1000, 20000),
                                        .what = SIM_AT_OUTAGE });
    }
    if (fl_rng_below(&rng, 64) == 0 && sim->plant == PLANT_NONE) {
        sim->patient = true;
        sim->weather.clear_at += SIM_EXODUS_MS;
        fl_sim_push(sim, (fl_sim_item){ .at = (fl_time)s_between(&rng, 3000, 15000),
                                        .what = SIM_AT_EXODUS });
    }
}

void
fl_sim_outage(fl_sim *sim)
{
    if (!sim->weather.clear) {
        fl_sim_count_up(sim, SIM_OUTAGES);
        sim->outage_until = sim->now + sim->outage_ms;
        fl_sim_trace(sim, "---- the root's store fails until %lld", (long long)sim->outage_until);
    }
}

void
fl_sim_exodus(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->link_count && !sim->weather.clear; i++) {
        if (sim->links[i].parent == 0) {
            sim->links[i].cut_until = sim->now + SIM_EXODUS_MS;
        }
    }
    sim->totals.count[SIM_EXODUSES] += !sim->weather.clear;
    fl_sim_trace(sim, "---- nobody reaches the root for ten minutes");
}

bool
fl_sim_blows(fl_sim *sim, uint32_t of_10000)
{
    return !sim->weather.clear && of_10000 > 0 && fl_rng_below(&sim->weather_rng, 10000) < of_10000;
}

// ---- gusts ------------------------------------------------------------------------------------
static void
s_partition(fl_sim *sim, fl_sim_link *link)
{
    fl_sim_count_up(sim, SIM_PARTITIONS);
    fl_time until = sim->now + (fl_time)s_between(&sim->weather_rng, 300, 6000);
    link->cut_until = link->cut_until > until ? link->cut_until : until;
    fl_sim_trace(sim, "---- partition %s | %s until %lld", sim->nodes[link->child].name.name,
                 sim->nodes[link->parent].name.name, (long long)link->cut_until);
}

static void
s_clog(fl_sim *sim, fl_sim_link *link)
{
    fl_sim_count_up(sim, SIM_CLOGS);
    uint64_t up = fl_rng_below(&sim->weather_rng, 2);
    link->clog_until[up] = sim->now + (fl_time)s_between(&sim->weather_rng, 200, 4000);
    fl_sim_trace(sim, "---- clog %s %s %s until %lld", sim->nodes[link->child].name.name,
                 up ? "->" : "<-", sim->nodes[link->parent].name.name,
                 (long long)link->clog_until[up]);
}

static void
s_freeze(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_count_up(sim, SIM_FREEZES);
    fl_time frozen = (fl_time)s_between(&sim->weather_rng, 100, 5000);
    node->frozen_until = sim->now + frozen;
    for (int i = 0; i < FL_TRACKS; i++) {
        node->desk[i].watch.due += frozen; // nobody can be on time while it stands still
    }
    fl_sim_trace(sim, "---- freeze %s until %lld", node->name.name, (long long)node->frozen_until);
}

void
fl_sim_expel(fl_sim *sim, uint32_t index)
{
    fl_sim_link *link = &sim->links[index];
    fl_sim_node *parent = &sim->nodes[link->parent];
    if (!parent->alive || parent->frozen_until > sim->now ||
        parent->children[sim->nodes[link->child].peer] != link->child) {
        return;
    }
    fl_sim_count_up(sim, SIM_EXPELS);
    link->admitted = false;
    fl_sim_link_break(sim, index);
    fl_event event = { .kind = FL_EV_GONE };
    event.gone.peer = sim->nodes[link->child].peer;
    event.gone.reason = FL_WHY_REVOKED;
    fl_sim_node_step(sim, parent, &event, NULL);
}

static void
s_stop(fl_sim *sim, fl_sim_node *node)
{
    if (!node->alive || node->frozen_until > sim->now || node->role == FL_ROLE_ROOT) {
        return;
    }
    fl_sim_count_up(sim, SIM_STOPS);
    node->stopping = true;
    fl_sim_node_step(sim, node, &(fl_event){ .kind = FL_EV_STOP }, NULL);
    fl_sim_push(sim, (fl_sim_item){ .at = sim->now + 50,
                                    .what = SIM_AT_CRASH,
                                    .node = node->index,
                                    .life = node->life });
}

static void
s_crash(fl_sim *sim, fl_sim_node *node)
{
    if (node->role == FL_ROLE_ROOT && !sim->weather.root_crashes) {
        return;
    }
    fl_sim_node_crash(sim, node, s_between(&sim->weather_rng, 100, 4000));
}

//  Edges are few and matter more: a gust strikes one as often as a device.
static fl_sim_node *
s_victim(fl_sim *sim)
{
    uint32_t edges = 0;
    while (1 + edges < sim->node_count && sim->nodes[1 + edges].role == FL_ROLE_EDGE) {
        edges++;
    }
    uint64_t dice = fl_rng_below(&sim->weather_rng, 10);
    if (dice == 0) {
        return &sim->nodes[0];
    }
    if (dice < 5 && edges > 0) {
        return &sim->nodes[1 + fl_rng_below(&sim->weather_rng, edges)];
    }
    return &sim->nodes[1 + fl_rng_below(&sim->weather_rng, sim->node_count - 1)];
}

void
fl_sim_gust(fl_sim *sim)
{
    if (sim->weather.clear) {
        return;
    }
    fl_sim_push(sim,
                (fl_sim_item){ .at = sim->now + (fl_time)s_between(&sim->weather_rng,
                                                                   sim->weather.gust_ms / 2,
                                                                   sim->weather.gust_ms * 3 / 2),
                               .what = SIM_AT_GUST });
    uint32_t index = (uint32_t)fl_rng_below(&sim->weather_rng, sim->link_count);
    switch (fl_rng_below(&sim->weather_rng, 12)) {
    case 0:
    case 1:
    case 2:
        s_partition(sim, &sim->links[index]);
        break;
    case 3:
    case 4:
    case 5:
        s_clog(sim, &sim->links[index]);
        break;
    case 6:
    case 7:
        s_freeze(sim, s_victim(sim));
        break;
    case 8:
        fl_sim_expel(sim, index);
        break;
    case 9:
        s_stop(sim, s_victim(sim));
        break;
    default:
        s_crash(sim, s_victim(sim));
        break;
    }
}
