//  A run's result does not depend on another's: the receipts of a round are played again, with that
//  run's seed and from its own model, by what a device would do in a tree of its own; and every run
//  gets on while nothing blows.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "tests/sim/sim.h"

int64_t
fl_sim_element(const uint8_t *wire, uint64_t index, unsigned wire_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < wire_bytes; i++) {
        value |= (uint64_t)wire[index * wire_bytes + i] << (8 * i);
    }
    unsigned shift = 64 - 8 * wire_bytes;
    return (int64_t)(value << shift) >> shift; // the sign
}

//  What a device trains where several runs share it: it depends on nothing but this.
void
fl_sim_trained(const fl_sim_era *era, uint32_t node, uint64_t round, float *update)
{
    uint64_t seed = era->plan.seed ^ ((uint64_t)node << 40 | round << 8 | era->row.number);
    fl_rng rng = fl_rng_seeded(seed);
    for (uint64_t i = 0; i < era->elements; i++) {
        update[i] = (float)(fl_rng_unit(&rng) * 2.4 - 1.2) * era->plan.clip;
    }
}

uint64_t
fl_sim_weight(const fl_plan *plan, uint64_t samples, uint64_t staleness)
{
    uint64_t weight = (samples + plan->weight_unit - 1) / plan->weight_unit;
    weight = weight < plan->weight_max ? weight : plan->weight_max;
    if (plan->weighting == FL_WEIGHTING_CLASSES) {
        while ((weight & (weight - 1)) != 0) {
            weight &= weight - 1;
        }
        return weight;
    }
    weight /= 1 + staleness;
    return weight > 0 ? weight : 1;
}

uint64_t
fl_sim_dither(const fl_plan *plan, uint32_t node, uint64_t round)
{
    return plan->seed ^ ((uint64_t)node << 32 | round);
}

//  What the receipt of one device adds.
static void
s_play(const fl_sim_era *era, const fl_sim_node *node, uint64_t round, uint8_t staleness,
       int64_t *sum)
{
    const fl_element element = fl_policy_element(&era->plan);
    uint64_t weight = fl_sim_weight(&era->plan, node->samples, staleness);
    float *update = fl_sim_new(era->elements * sizeof *update);
    uint8_t *wire = fl_sim_new(era->elements * element.wire_bytes);
    uint64_t clipped = 0;
    fl_sim_trained(era, node->index, round - staleness, update);
    FL_ASSERT(fl_element_encode(&element, (uint32_t)weight,
                                fl_sim_dither(&era->plan, node->index, round), 0, era->elements,
                                update, wire, &clipped) == FL_OK);
    for (uint64_t i = 0; i < era->elements; i++) {
        sum[i] += fl_sim_element(wire, i, element.wire_bytes);
    }
    free(update);
    free(wire);
}

//  It is a child of the root that the run is for, or sits below one.
static bool
s_is_for(const fl_sim *sim, const fl_sim_era *era, uint32_t index)
{
    while (sim->nodes[index].parent != 0) {
        index = sim->nodes[index].parent;
    }
    return fl_claims_meet(&era->claim,
                          &(fl_claim){ .on = { sim->nodes[index].name }, .on_count = 1 });
}

void
fl_sim_check_apart(fl_sim *sim, const fl_sim_era *era, const fl_report *report)
{
    const uint64_t *in = sim->notary.commits[era->before + report->round].nodes_in;
    if (sim->runs == 1 || report->roll_dropped > 0 || sim->notary.failed != CHECK_NONE ||
        era->again_in == report->round) {
        return;
    }
    const unsigned wire_bytes = sim->nodes[0].desk[era->track].sum_element.wire_bytes;
    int64_t *sum = fl_sim_new(era->elements * sizeof *sum);
    uint8_t *wire = fl_sim_new(era->elements * wire_bytes);
    for (uint32_t i = 0; i < report->roll_count; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        const uint32_t index = fl_sim_node_listed(sim, entry, in);
        if (index != SIM_NONE && !s_is_for(sim, era, index)) {
            fl_sim_fail(sim, CHECK_APART, "run %" PRIu64 " is not for %s, and reports it",
                        era->row.number, entry->node.name);
        }
        if (entry->outcome == FL_OUT_IN && index != SIM_NONE &&
            sim->nodes[index].role == FL_ROLE_DEVICE) {
            s_play(era, &sim->nodes[index], report->round, entry->staleness, sum);
        }
    }
    for (uint64_t i = 0; i < era->elements; i++) {
        for (unsigned j = 0; j < wire_bytes; j++) {
            wire[i * wire_bytes + j] = (uint8_t)((uint64_t)sum[i] >> 8 * j);
        }
    }
    const fl_hash alone = fl_hash_of(fl_bytes_of(wire, era->elements * wire_bytes));
    const fl_hash model = fl_sim_model_of(sim, &era->row.model, &alone, NULL);
    if (!fl_hash_equal(&alone, &report->sum) || !fl_hash_equal(&model, &report->model)) {
        fl_sim_fail(sim, CHECK_APART,
                    "round %" PRIu64 " of run %" PRIu64 ": its receipts alone give another %s",
                    report->round, era->row.number,
                    fl_hash_equal(&alone, &report->sum) ? "model" : "sum");
    }
    free(sum);
    free(wire);
}

// ---- every run gets on ------------------------------------------------------------------------
//  As long as a round may take, with the wait before it.
static fl_time
s_round_ms(const fl_sim *sim)
{
    const fl_window *window = &sim->nodes[0].window;
    return (fl_time)window->time_max_ms + (fl_time)window->extends_max * window->extend_ms +
           3 * (fl_time)sim->plan.step_ms + (fl_time)sim->start_wait_ms + 2000;
}

//  The longest that a run which nobody paused may close no round under a clear sky: the other
//  run's turn and its own, the way back into the tree, a store that is tried again after a minute.
//  One that waits for a place waits for whole runs.
static fl_time
s_bound_ms(const fl_sim *sim)
{
    fl_time rounds = sim->most < sim->runs || sim->overlap
                         ? (fl_time)(sim->runs * (sim->rounds + 2))
                         : 2 * sim->most;
    return rounds * s_round_ms(sim) + 30000 + (sim->outages ? 64000 : 0);
}

void
fl_sim_check_stall(fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->runs && sim->weather.clear; i++) {
        const fl_sim_era *era = &sim->eras[i];
        fl_time since = era->since > sim->clear_since ? era->since : sim->clear_since;
        if (era->row.state == FL_RUN_RUNNING && sim->now > since + s_bound_ms(sim)) {
            fl_sim_fail(sim, CHECK_STALL,
                        "run %" PRIu64 " has stood still since %" PRId64 ", after round %" PRIu64,
                        era->row.number, since, era->row.rounds_closed);
        }
    }
}

//  What the root could not save pauses the run, and says why.
void
fl_sim_check_pauses(fl_sim *sim, uint32_t track)
{
    const fl_root_view view = fl_root_look(fl_tracks_root(sim->nodes[0].tracks, track), sim->now);
    if (view.phase != FL_ROOT_PAUSED || view.reason != FL_WHY_STORAGE) {
        fl_sim_fail(sim, CHECK_STALL, "the store fails, and the root is in phase %d by %s",
                    (int)view.phase, fl_reason_name(view.reason));
    }
}

void
fl_sim_check_ended(fl_sim *sim, const fl_sim_era *era)
{
    if (era->row.state == FL_RUN_DONE && era->row.rounds_closed != sim->rounds) {
        fl_sim_fail(sim, CHECK_STALL,
                    "run %" PRIu64 " is done after %" PRIu64 " of %" PRIu64 " rounds",
                    era->row.number, era->row.rounds_closed, sim->rounds);
    } else if (era->row.state == FL_RUN_ABORTED && era->row.reason != FL_WHY_QUORUM &&
               !era->aborted) {
        fl_sim_fail(sim, CHECK_STALL, "run %" PRIu64 " is aborted by %s", era->row.number,
                    fl_reason_name(era->row.reason));
    } else if (era->row.state == FL_RUN_STOPPED && era->stop_at == 0) {
        fl_sim_fail(sim, CHECK_STALL, "run %" PRIu64 " is stopped by nobody", era->row.number);
    }
}

void
fl_sim_notary_release(fl_sim *sim)
{
    fl_sim_notary *notary = &sim->notary;
    for (uint32_t i = 0; i < notary->leaf_count; i++) {
        fl_blob_unref(&notary->leaves[i].bytes);
    }
    for (uint32_t i = 0; i < notary->lot_count; i++) {
        free(notary->lots[i].leaves);
    }
    for (uint32_t i = 0; i < sim->runs; i++) {
        free(sim->eras[i].bases);
        free(sim->eras[i].roll);
    }
    free(notary->told);
    free(notary->trainings);
    free(notary->leaves);
    free(notary->lots);
}
