//  The checkers hold the tree against what the driver itself saw: which bytes each device encoded,
//  which slots were folded where, what the ledger made durable. They believe no machine's own
//  bookkeeping. The first failure of a run counts.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { GRACE_MS = 400 }; // for our own folds, the finish and, at the root, the next model

static const char *const checkers[CHECKERS] = {
    [CHECK_NONE] = "none",         [CHECK_ONCE] = "once",         [CHECK_FLAT] = "flat",
    [CHECK_WEIGHT] = "weight",     [CHECK_COMMIT] = "commit",     [CHECK_QUORUM] = "quorum",
    [CHECK_DEADLINE] = "deadline", [CHECK_PROGRESS] = "progress", [CHECK_LEAK] = "leak",
    [CHECK_BYTES] = "bytes",       [CHECK_VERDICT] = "verdict",   [CHECK_BASE] = "base",
    [CHECK_WIRE] = "wire",         [CHECK_HANDLE] = "handle",     [CHECK_FLOOR] = "floor",
    [CHECK_SPENT] = "spent",       [CHECK_VEIL] = "veil",         [CHECK_TOLD] = "told",
    [CHECK_BLAME] = "blame",       [CHECK_BLOCKS] = "blocks",     [CHECK_APART] = "apart",
    [CHECK_STALL] = "stall",       [CHECK_MISSING] = "missing",   [CHECK_COPIES] = "copies",
    [CHECK_DRAIN] = "drain",       [CHECK_WAITS] = "waits",
};

const char *
fl_sim_checker_name(fl_sim_checker checker)
{
    FL_ASSERT((unsigned)checker < CHECKERS);
    return checkers[checker];
}

void
fl_sim_fail(fl_sim *sim, fl_sim_checker checker, const char *format, ...)
{
    fl_sim_notary *notary = &sim->notary;
    if (notary->failed != CHECK_NONE || (sim->deaf >> checker & 1) != 0) {
        return;
    }
    notary->failed = checker;
    int used = snprintf(notary->sentence, sizeof notary->sentence, "at %" PRId64 " ms: ", sim->now);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(notary->sentence + used, sizeof notary->sentence - (size_t)used, format, arguments);
    va_end(arguments);
    fl_sim_trace(sim, "FAILED %s: %s", fl_sim_checker_name(checker), notary->sentence);
}

// ---- where every byte comes from --------------------------------------------------------------
uint32_t
fl_sim_note_training(fl_sim *sim, fl_sim_training training)
{
    fl_sim_notary *notary = &sim->notary;
    if (notary->training_count == notary->training_capacity) {
        notary->training_capacity = 2 * notary->training_capacity + 64;
        notary->trainings =
            fl_sim_grow(notary->trainings, notary->training_capacity * sizeof training);
    }
    notary->trainings[notary->training_count] = training;
    return notary->training_count++;
}

fl_sim_lot *
fl_sim_lot_of(fl_sim *sim, const fl_hash *hash)
{
    fl_sim_notary *notary = &sim->notary;
    for (uint32_t i = notary->lot_count; i-- > 0;) {
        if (fl_hash_equal(&notary->lots[i].hash, hash)) {
            return &notary->lots[i];
        }
    }
    return NULL;
}

void
fl_sim_lot_add(fl_sim *sim, fl_sim_lot lot, const uint32_t *leaves)
{
    fl_sim_notary *notary = &sim->notary;
    if (notary->lot_count == notary->lot_capacity) {
        notary->lot_capacity = 2 * notary->lot_capacity + 64;
        notary->lots = fl_sim_grow(notary->lots, notary->lot_capacity * sizeof lot);
    }
    size_t bytes = lot.leaf_count * sizeof *leaves;
    lot.leaves = fl_sim_new(bytes);
    if (bytes > 0) {
        memcpy(lot.leaves, leaves, bytes);
    }
    notary->lots[notary->lot_count++] = lot;
}

//  w * Q with Q one of the two integers around x * scale, and w what the policy promises.
static void
s_check_encoding(fl_sim *sim, const fl_sim_training *training, const fl_effect *effect,
                 fl_bytes update, fl_bytes wire)
{
    const fl_plan *plan = &effect->encode.order.plan;
    const fl_order *order = &effect->encode.order;
    uint64_t damped = fl_sim_weight(plan, training->samples,
                                    fl_sim_round(sim, &order->run, order->round) - training->round);
    if (effect->encode.weight != damped) {
        fl_sim_fail(sim, CHECK_WEIGHT, "%s encodes with weight %" PRIu64 " instead of %" PRIu64,
                    sim->nodes[training->node].name.name, effect->encode.weight, damped);
        return;
    }
    double limit = (double)(((uint32_t)1 << (plan->bits - 1)) - 1);
    for (uint64_t i = 0; i < effect->encode.order.elements; i++) {
        float x;
        memcpy(&x, update.data + i * sizeof x, sizeof x);
        double value = (double)x * limit / (double)plan->clip;
        value = value > limit ? limit : value < -limit ? -limit : value;
        double got = (double)fl_sim_element(wire.data, i, fl_policy_element(plan).wire_bytes) /
                     (double)damped;
        if (fabs(got - value) > 1.0 + 1e-6 || got != floor(got)) {
            fl_sim_fail(sim, CHECK_WEIGHT, "element %" PRIu64 " of an update is %g, encoded as %g",
                        i, value, got);
            return;
        }
    }
}

void
fl_sim_note_leaf(fl_sim *sim, uint32_t training, const fl_effect *effect, fl_bytes update,
                 const fl_hash *hash, fl_blob *bytes)
{
    fl_sim_notary *notary = &sim->notary;
    if (fl_sim_lot_of(sim, hash) != NULL) {
        return; // the same update for a second attempt
    }
    s_check_encoding(sim, &notary->trainings[training], effect, update, fl_blob_bytes(bytes));
    if (notary->leaf_count == notary->leaf_capacity) {
        notary->leaf_capacity = 2 * notary->leaf_capacity + 64;
        notary->leaves =
            fl_sim_grow(notary->leaves, notary->leaf_capacity * sizeof *notary->leaves);
    }
    notary->leaves[notary->leaf_count] =
        (fl_sim_leaf){ training, effect->encode.weight,
                       fl_policy_element(&effect->encode.order.plan).wire_bytes,
                       fl_blob_ref(bytes) };
    uint32_t leaf = notary->leaf_count++;
    const uint32_t node = notary->trainings[training].node;
    fl_sim_lot_add(sim, (fl_sim_lot){ .hash = *hash, .leaf_count = 1, .node = node }, &leaf);
}

//  Room for so many leaves more.
static void
s_sum_grow(fl_sim_sum *sum, uint32_t more)
{
    uint32_t wanted = sum->leaf_count + more;
    if (wanted > sum->leaf_capacity) {
        sum->leaf_capacity = 2 * wanted;
        sum->leaves = fl_sim_grow(sum->leaves, sum->leaf_capacity * sizeof *sum->leaves);
    }
}

void
fl_sim_note_fold(fl_sim *sim, fl_sim_node *node, fl_sim_sum *sum, const fl_hash *hash)
{
    const fl_sim_lot *lot = fl_sim_lot_of(sim, hash);
    if (lot == NULL) {
        fl_sim_fail(sim, CHECK_BYTES, "%s folds bytes that nobody has made", node->name.name);
        return;
    }
    s_sum_grow(sum, lot->leaf_count);
    for (uint32_t i = 0; i < lot->leaf_count; i++) {
        sum->leaves[sum->leaf_count++] = lot->leaves[i];
    }
    sum->folds++;
}

void
fl_sim_note_join(fl_sim_sum *sum, const fl_sim_sum *other)
{
    s_sum_grow(sum, other->leaf_count);
    for (uint32_t i = 0; i < other->leaf_count; i++) {
        sum->leaves[sum->leaf_count++] = other->leaves[i];
    }
    sum->folds += other->folds;
}

//  Tree sum == flat sum: add up the updates themselves, in a plain loop, and compare all bits.
void
fl_sim_check_flat(fl_sim *sim, const fl_sim_node *node, uint32_t track, const fl_sim_sum *sum,
                  fl_bytes bytes)
{
    unsigned wire_bytes = node->desk[track].sum_element.wire_bytes;
    for (uint64_t i = 0; i < node->desk[track].sum_elements; i++) {
        int64_t flat = 0;
        for (uint32_t j = 0; j < sum->leaf_count; j++) {
            const fl_sim_leaf *leaf = &sim->notary.leaves[sum->leaves[j]];
            flat += fl_sim_element(fl_blob_bytes(leaf->bytes).data, i, leaf->wire_bytes);
        }
        int64_t tree = fl_sim_element(bytes.data, i, wire_bytes);
        if (flat != tree) {
            fl_sim_fail(sim, CHECK_FLAT,
                        "element %" PRIu64 " of the sum at %s is %" PRId64 ", the %u updates in it "
                        "add up to %" PRId64,
                        i, node->name.name, tree, sum->leaf_count, flat);
            return;
        }
    }
}

void
fl_sim_note_sum(fl_sim *sim, fl_sim_node *node, uint32_t track, fl_bytes bytes)
{
    const fl_sim_desk *desk = &node->desk[track];
    const fl_sim_sum *sum = &desk->sums[0];
    const uint32_t least = desk->turn != NULL ? desk->turn->count_min : node->window.count_min;
    fl_sim_check_flat(sim, node, track, sum, bytes);
    if (sum->folds < least) {
        fl_sim_fail(sim, CHECK_QUORUM, "%s finishes a sum of %u contributions, it needs %u",
                    node->name.name, sum->folds, least);
    }
    if (fl_sim_lot_of(sim, &desk->sum_hash) == NULL) {
        fl_sim_lot_add(sim,
                       (fl_sim_lot){ .hash = desk->sum_hash,
                                     .leaf_count = sum->leaf_count,
                                     .folds = sum->folds,
                                     .node = node->index },
                       sum->leaves);
    }
}

// ---- a commit ---------------------------------------------------------------------------------
static void
s_check_leaf(fl_sim *sim, const fl_report *report, uint32_t index)
{
    fl_sim_notary *notary = &sim->notary;
    const fl_sim_training *training = &notary->trainings[notary->leaves[index].training];
    const char *name = sim->nodes[training->node].name.name;
    const uint64_t staleness = report->round - training->round;
    const fl_hash *base = &notary->commits[training->round].base;
    const fl_sim_era *era = fl_sim_era_of(sim, &report->run);
    if (training->round <= era->before || training->round > era->before + sim->rounds) {
        fl_sim_fail(sim, CHECK_APART, "run %" PRIu64 " counts an update of %s for another run",
                    era->row.number, name);
    }
    fl_sim_count_up(sim, SIM_IN);
    sim->totals.count[SIM_CARRIED] += staleness > 0;
    const bool same = fl_hash_equal(&training->model, &report->base); // also once it was undone
    if (training->round > report->round || !(same || fl_hash_equal(base, &training->model))) {
        fl_sim_fail(sim, CHECK_BASE,
                    "round %" PRIu64 " counts an update of %s of another model than round %" PRIu64,
                    report->round, name, training->round);
    } else if (staleness > 0 && !same && era->again_in != report->round && // else a sum is kept
               (sim->plan.late != FL_LATE_CARRY || staleness > sim->plan.staleness_max)) {
        fl_sim_fail(sim, CHECK_BASE,
                    "round %" PRIu64 " counts an update of %s that is %" PRIu64 " rounds old",
                    report->round, name, staleness);
    }
    uint64_t bit = (uint64_t)1 << training->round;
    if ((notary->counted[training->node] & bit) != 0) {
        fl_sim_fail(sim, CHECK_ONCE,
                    "the update of %s for round %" PRIu64 " is counted again in "
                    "round %" PRIu64,
                    name, training->round, report->round);
    }
    notary->counted[training->node] |= bit;
    uint64_t *in = notary->commits[report->round].nodes_in;
    in[training->node / 64] |= (uint64_t)1 << (training->node % 64);
}

//  The report's IN entries of devices are exactly the updates in the sum.
static void
s_check_roll(fl_sim *sim, const fl_report *report, uint32_t leaves)
{
    const uint64_t *in = sim->notary.commits[report->round].nodes_in;
    uint32_t listed = 0;
    for (uint32_t i = 0; i < report->roll_count; i++) {
        uint32_t index = fl_sim_node_listed(sim, &report->roll[i], in);
        if (index == SIM_NONE) {
            fl_sim_fail(sim, CHECK_FLAT, "the report of round %" PRIu64 " names a stranger",
                        report->round);
            return;
        }
        if (sim->nodes[index].role != FL_ROLE_DEVICE || report->roll[i].outcome != FL_OUT_IN) {
            continue;
        }
        listed++;
        if ((in[index / 64] >> (index % 64) & 1) == 0) {
            fl_sim_fail(sim, CHECK_FLAT,
                        "the report of round %" PRIu64 " says that %s is in; its "
                        "update is not",
                        report->round, sim->nodes[index].name.name);
        }
    }
    if (listed != leaves || report->tally.in != leaves) {
        fl_sim_fail(sim, CHECK_FLAT,
                    "round %" PRIu64 ": %u updates are in the sum, the report "
                    "lists %u and its tally says %u",
                    report->round, leaves, listed, report->tally.in);
    }
}

static void
s_check_done(fl_sim *sim, const fl_report *report)
{
    fl_sim_notary *notary = &sim->notary;
    const fl_sim_lot *lot = fl_sim_lot_of(sim, &report->sum);
    if (lot == NULL) {
        fl_sim_fail(sim, CHECK_BYTES, "round %" PRIu64 " commits a sum that was never made",
                    report->round);
        return;
    }
    uint64_t weight = 0, samples = 0;
    for (uint32_t i = 0; i < lot->leaf_count; i++) {
        const fl_sim_leaf *leaf = &notary->leaves[lot->leaves[i]];
        weight += leaf->weight;
        samples += notary->trainings[leaf->training].samples;
        s_check_leaf(sim, report, lot->leaves[i]);
    }
    if (weight != report->weight || lot->leaf_count != report->count ||
        samples != report->stats[FL_STAT_SAMPLES]) {
        fl_sim_fail(sim, CHECK_WEIGHT,
                    "round %" PRIu64 " reports weight %" PRIu64 ", count %u, "
                    "samples %" PRIu64 "; its updates have %" PRIu64 ", %u, %" PRIu64,
                    report->round, report->weight, report->count, report->stats[FL_STAT_SAMPLES],
                    weight, lot->leaf_count, samples);
    }
    if (report->roll_dropped == 0) {
        s_check_roll(sim, report, lot->leaf_count);
    }
}

static void
s_tally(fl_sim *sim, const fl_report *report)
{
    const fl_tally *tally = &report->tally;
    if (tally->invited != tally->in + tally->late + tally->absent + tally->refused) {
        fl_sim_fail(sim, CHECK_WEIGHT,
                    "round %" PRIu64 " invited %u devices, of which %u are in, "
                    "%u late, %u absent, %u refused",
                    report->round, tally->invited, tally->in, tally->late, tally->absent,
                    tally->refused);
    }
    static const fl_sim_count closes[FL_CLOSE_COUNT] = { SIM_DONE, SIM_SKIPPED, SIM_ABORTED };
    fl_sim_count_up(sim, closes[report->close]);
    sim->totals.count[SIM_RETRIES] += report->attempt > 1;
    sim->totals.count[SIM_LATE] += report->tally.late;
    sim->totals.count[SIM_ABSENT] += report->tally.absent;
    sim->totals.count[SIM_REFUSED] += report->tally.refused;
}

static uint64_t
s_rounds_left(const fl_sim *sim)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < sim->runs; i++) {
        left += fl_sim_era_ended(&sim->eras[i]) ? 0 : sim->rounds - sim->notary.closed_of[i];
    }
    return left;
}

void
fl_sim_check_commit(fl_sim *sim, const fl_report *of_run)
{
    fl_sim_notary *notary = &sim->notary;
    fl_sim_era *era = fl_sim_era_of(sim, &of_run->run);
    const uint64_t last = notary->closed_of[era - sim->eras];
    fl_report counted = *of_run, *report = &counted; // its round among those of all runs
    report->round = fl_sim_round(sim, &of_run->run, of_run->round);
    FL_ASSERT(report->round < SIM_ROUNDS_MAX);
    fl_sim_commit *commit = &notary->commits[report->round];
    fl_sim_trace(sim, "==== round %" PRIu64 " is durable: %s, weight %" PRIu64 ", count %u",
                 report->round, fl_close_name(report->close), report->weight, report->count);
    if (commit->known || of_run->round != last + 1 || era->aborted) {
        fl_sim_fail(sim, CHECK_COMMIT, "round %" PRIu64 " is committed after round %" PRIu64,
                    report->round, era->before + last);
        return;
    }
    const fl_hash *before = last > 0 ? &notary->commits[report->round - 1].model : &era->first;
    if (!fl_hash_equal(before, &report->base) ||
        (report->close != FL_CLOSE_DONE && !fl_hash_equal(before, &report->model))) {
        fl_sim_fail(sim, CHECK_COMMIT, "round %" PRIu64 " does not start from the model before it",
                    report->round);
        return;
    }
    commit->known = true;
    commit->done = report->close == FL_CLOSE_DONE;
    commit->base = report->base;
    commit->model = report->model;
    notary->closed++;
    notary->closed_of[era - sim->eras]++;
    s_tally(sim, report);
    if (commit->done) {
        notary->done++;
        notary->done_clear += sim->weather.clear;
        s_check_done(sim, report);
    }
    fl_sim_check_members(sim, era, report);
    fl_sim_veil_commit(sim, report);
    if (commit->done) {
        fl_sim_check_apart(sim, era, of_run);
    }
    if (s_rounds_left(sim) <= (fl_plan_masks(&sim->plan) ? SIM_LAST_MASKED : 3)) {
        fl_sim_clear_sky(sim); // the last rounds must show that the tree finds together again
    }
}

// ---- what is said and heard -------------------------------------------------------------------
void
fl_sim_watch_said(fl_sim *sim, fl_sim_node *node, uint32_t to, const fl_message *message)
{
    const fl_sim_notary *notary = &sim->notary;
    if (message->verb == FL_CLOSED && sim->nodes[to].role == FL_ROLE_DEVICE &&
        message->closed.outcome == FL_OUT_IN) {
        uint64_t round = fl_sim_round(sim, &message->run, message->round);
        const fl_sim_commit *commit = &notary->commits[round];
        if (!commit->done || !fl_sim_name_in(sim, &sim->nodes[to], commit->nodes_in)) {
            fl_sim_fail(sim, CHECK_VERDICT,
                        "%s tells %s that it is in round %" PRIu64 ", which is "
                        "not durable",
                        node->name.name, sim->nodes[to].name.name, message->round);
        }
    }
    if (message->verb == FL_CONTRIB && node->role == FL_ROLE_DEVICE) {
        const fl_sim_lot *lot = fl_sim_lot_of(sim, &message->contrib.hash);
        const fl_sim_leaf *leaf = lot != NULL ? &notary->leaves[lot->leaves[0]] : NULL;
        if (leaf == NULL || (!lot->masked && leaf->weight != message->contrib.weight) ||
            notary->trainings[leaf->training].round !=
                fl_sim_round(sim, &message->run, message->contrib.base_round)) {
            fl_sim_fail(sim, CHECK_WEIGHT, "%s offers what it has not encoded", node->name.name);
        }
    }
    fl_sim_veil_said(sim, node, to, message);
}

void
fl_sim_watch_heard(fl_sim *sim, fl_sim_node *node, const fl_message *message)
{
    (void)sim;
    if (message->verb == FL_TASK) {
        node->desk[0].watch.heard_budget_ms = message->task.budget_ms;
    }
}

static void
s_watch_open(fl_sim *sim, fl_sim_node *node, fl_sim_watch *watch)
{
    const fl_window *window = &node->window;
    watch->open = true;
    watch->due = sim->now + (fl_time)window->time_max_ms + GRACE_MS;
    uint8_t hop = node->role == FL_ROLE_ROOT ? 2 : 1;
    if (fl_plan_masking(&sim->plan, hop) != FL_MASKING_NONE) { // the steps of opening; no extension
        watch->due += 3 * (fl_time)sim->plan.step_ms;
    } else if (window->missed == FL_MISSED_EXTEND) {
        watch->due += (fl_time)window->extends_max * window->extend_ms;
    }
    fl_time told = watch->told_due + GRACE_MS;
    if (node->role == FL_ROLE_EDGE && told < watch->due) {
        watch->due = told > sim->now + GRACE_MS ? told : sim->now + GRACE_MS;
    }
    if (sim->plant == PLANT_OVERSLEEP) {
        node->frozen_until = sim->now + 60000;
    }
}

static void
s_check_due(fl_sim *sim, const fl_sim_node *node, const fl_sim_watch *watch)
{
    if (watch->open && sim->now > watch->due) {
        fl_sim_fail(sim, CHECK_DEADLINE, "the round at %s should have ended at %" PRId64,
                    node->name.name, watch->due);
    }
}

void
fl_sim_watch_effect(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    bool root = node->role == FL_ROLE_ROOT;
    bool note = effect->kind == FL_FX_NOTE;
    fl_sim_watch *watch = &node->desk[effect->track].watch;
    bool ended = note && !root &&
                 (effect->note.id == FL_NOTE_ROUND_CLOSE || effect->note.id == FL_NOTE_TASK_ENDED);
    ended = ended || (root && effect->kind == FL_FX_SAVE && effect->save.what == FL_SAVE_CLOSE);
    if (note && effect->note.id == FL_NOTE_TASK) {
        watch->told_due = sim->now + (fl_time)watch->heard_budget_ms;
        fl_sim_check_task(sim, node, &effect->note);
    } else if (root && effect->kind == FL_FX_SAVE && effect->save.what == FL_SAVE_OPEN) {
        fl_sim_check_open(sim, effect->track);
    }
    if (effect->kind == FL_FX_CLEAR) {
        s_watch_open(sim, node, watch);
    } else if (ended) {
        s_check_due(sim, node, watch);
        watch->open = false;
    }
}

//  One that will never do anything more by itself, though it has something in hand.
static bool
s_asleep(const fl_sim *sim, const fl_sim_node *node, uint32_t track)
{
    const fl_sim_desk *desk = &node->desk[track];
    fl_machine machine = node->machine;
    if (node->role == FL_ROLE_ROOT) {
        bool none = sim->posted > 0 || desk->phase == FL_ROOT_IDLE || desk->phase == FL_ROOT_DONE;
        machine = fl_root_machine(fl_tracks_root(node->tracks, track));
        if (none) {
            return false;
        }
    }
    return desk->jobs == 0 && desk->saves == 0 && machine.deadline(machine.self) == FL_NEVER;
}

void
fl_sim_watch_step(fl_sim *sim, fl_sim_node *node)
{
    const uint32_t tracks = node->role == FL_ROLE_ROOT ? FL_TRACKS : 1;
    if (node->role == FL_ROLE_ROOT) {
        fl_sim_check_waiting(sim, node);
    }
    for (uint32_t i = 0; i < tracks; i++) {
        s_check_due(sim, node, &node->desk[i].watch);
        if (s_asleep(sim, node, i) && !node->training && !node->stopping &&
            !node->fate.drained && // else it waits for its operator
            !fl_sim_node_finished(sim, node)) {
            fl_sim_fail(sim, CHECK_PROGRESS, "%s waits without a deadline", node->name.name);
        }
    }
    if (node->role == FL_ROLE_ROOT) {
        fl_sim_check_stall(sim);
    }
    if (!sim->over && fl_sim_all_ended(sim)) {
        sim->over = true;
        fl_sim_clear_sky(sim);
    }
}

// ---- the end ----------------------------------------------------------------------------------
static void
s_check_leaks(fl_sim *sim, const fl_sim_node *node)
{
    uint32_t vecs = 0, slots = 0;
    bool busy = node->training || node->desk[0].jobs > 0 || node->desk[1].jobs > 0;
    for (int i = 0; i < SIM_VECS_MAX; i++) {
        vecs += node->vecs[i].id != 0;
    }
    for (int i = 0; i < FL_TRACKS * FL_SLOTS_MAX; i++) {
        slots += node->desk[i / FL_SLOTS_MAX].slots[i % FL_SLOTS_MAX].blob != NULL;
    }
    if (vecs + slots > 0 && !busy) {
        fl_sim_fail(sim, CHECK_LEAK, "%s still holds %u vectors and %u slots after the run",
                    node->name.name, vecs, slots);
    }
}

void
fl_sim_check_end(fl_sim *sim)
{
    const fl_sim_notary *notary = &sim->notary;
    if (!sim->over) {
        fl_sim_fail(sim, CHECK_PROGRESS,
                    "the runs have not ended: %" PRIu64 " of %" PRIu64 " rounds are closed",
                    notary->closed, sim->runs * sim->rounds);
        return;
    }
    bool aborted = false;
    for (uint32_t i = 0; i < sim->runs; i++) {
        aborted = aborted || sim->eras[i].row.state != FL_RUN_DONE;
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (fl_sim_node_out(sim, node)) {
            continue;
        }
        if (!node->alive || !fl_sim_node_finished(sim, node)) {
            const char *name = node->name.name;
            fl_sim_fail(sim, CHECK_PROGRESS, "%s has not heard that the run is over", name);
            return;
        }
        if (!fl_sim_node_astray(sim, node)) { // else it holds what was for that run
            s_check_leaks(sim, node);
        }
    }
    const bool masks = fl_plan_masks(&sim->plan), waits = masks && fl_sim_veil_waits(sim);
    sim->totals.count[SIM_DRAWS_USED] += waits;
    if (waits || (masks && sim->stuck)) {
        return; // too few at some parent
    }
    if (!aborted && notary->done_clear == 0) {
        fl_sim_fail(sim, CHECK_PROGRESS, "no round was done after the sky had cleared");
    }
    //  One child of the root: everything hangs on one link, and its weather may take all but one.
    uint32_t children = 0;
    for (uint32_t i = 1; i < sim->node_count; i++) {
        children += sim->nodes[i].parent == 0;
    }
    //  The first rounds of a calm run may open before the devices have found their edges, the first
    //  under a clear sky may suffer from before, and a root from a backup takes three until a draw.
    const uint32_t lost = sim->totals.count[SIM_RESTORED] > 0 ? 5 : 2;
    uint32_t floor = sim->calm && !sim->measured      ? sim->runs * ((uint32_t)sim->rounds - lost)
                     : sim->measured || children == 1 ? 1
                                                      : 2;
    if (!aborted && notary->done < floor) {
        fl_sim_fail(sim, CHECK_FLOOR, "only %u of %" PRIu64 " rounds were done", notary->done,
                    sim->rounds);
    }
}
