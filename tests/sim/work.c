//  The heavy effects, on real bytes: slots, hashes, folds, encodings, models, the ledger. Each is
//  begun at once, costs virtual time, and is carried out when that time has passed: a machine that
//  pulls the ground away from under running work is found out.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "tests/sim/sim.h"

// ---- vectors ----------------------------------------------------------------------------------
fl_sim_vec *
fl_sim_vec_at(fl_sim *sim, fl_sim_node *node, fl_vec id)
{
    for (int i = 0; i < SIM_VECS_MAX && id != 0; i++) {
        if (node->vecs[i].id == id) {
            return &node->vecs[i];
        }
    }
    fl_sim_fail(sim, CHECK_HANDLE, "%s uses vector %u, which it does not hold", node->name.name,
                id);
    return NULL;
}

fl_sim_vec *
fl_sim_vec_add(fl_sim *sim, fl_sim_node *node, fl_blob *blob)
{
    for (int i = 0; i < SIM_VECS_MAX; i++) {
        if (node->vecs[i].id == 0) {
            node->vecs[i] = (fl_sim_vec){ .id = ++node->vec_next, .blob = blob };
            return &node->vecs[i];
        }
    }
    fl_blob_unref(&blob);
    fl_sim_fail(sim, CHECK_LEAK, "%s holds %d vectors and wants one more", node->name.name,
                SIM_VECS_MAX);
    return NULL;
}

static fl_vec
s_vec_add(fl_sim *sim, fl_sim_node *node, fl_blob *blob, uint32_t training)
{
    fl_sim_vec *vec = fl_sim_vec_add(sim, node, blob);
    if (vec == NULL) {
        return ++node->vec_next; // the run has failed
    }
    vec->training = training;
    return vec->id;
}

void
fl_sim_drop(fl_sim *sim, fl_sim_node *node, fl_vec id)
{
    fl_sim_vec *vec = fl_sim_vec_at(sim, node, id);
    if (vec != NULL && sim->plant != PLANT_LEAK_VEC) {
        fl_blob_unref(&vec->blob);
        vec->id = 0;
    }
}

fl_blob *
fl_sim_slice(fl_sim *sim, fl_sim_node *node, fl_vec id, uint64_t offset, uint32_t bytes)
{
    fl_sim_vec *vec = fl_sim_vec_at(sim, node, id);
    if (vec == NULL) {
        return NULL;
    }
    fl_bytes all = fl_blob_bytes(vec->blob);
    if (offset > all.size || bytes > all.size - offset) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s pushes bytes beyond the end of vector %u",
                    node->name.name, id);
        return NULL;
    }
    fl_blob *slice = fl_blob_copy(fl_bytes_of(all.data + offset, bytes));
    FL_ASSERT(slice != NULL);
    return slice;
}

// ---- slots and the sum ------------------------------------------------------------------------
void
fl_sim_slot_set(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    const uint32_t index = effect->slot.slot;
    const uint64_t bytes = effect->slot.bytes;
    fl_sim_slot *slot = &node->desk[effect->track].slots[index];
    if ((bytes > 0) == (slot->blob != NULL)) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s %s slot %u", node->name.name,
                    bytes > 0 ? "takes the used" : "frees the free", index);
    } else if (slot->folding) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s frees slot %u while work on it is in flight",
                    node->name.name, index);
    } else if (bytes > 0) {
        slot->blob = fl_blob_new(bytes);
        FL_ASSERT(slot->blob != NULL);
    } else if (sim->plant != PLANT_LEAK_SLOT || fl_rng_below(&sim->work_rng, 20) != 0) {
        fl_blob_unref(&slot->blob);
    }
}

void
fl_sim_stage(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_bytes body)
{
    const uint32_t index = effect->stage.slot;
    const uint64_t offset = effect->stage.offset;
    fl_sim_slot *slot = &node->desk[effect->track].slots[index];
    if (slot->blob == NULL || slot->folding || offset > fl_blob_size(slot->blob) ||
        body.size > fl_blob_size(slot->blob) - offset) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s stages %zu bytes at %llu of slot %u, which cannot be",
                    node->name.name, body.size, (unsigned long long)offset, index);
        return;
    }
    memcpy(fl_blob_data(slot->blob) + offset, body.data, body.size);
}

static void
s_sums_free(fl_sim_desk *desk)
{
    for (uint32_t i = 0; i < desk->sum_count; i++) {
        fl_fold_destroy(&desk->sums[i].cells);
        free(desk->sums[i].leaves);
    }
    free(desk->sums);
    desk->sums = NULL;
    desk->sum_count = 0;
}

//  The planted mistake: the root's next round of another run adds to what is there.
static bool
s_shared_sum(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    fl_sim_desk *desk = &node->desk[effect->track];
    if (node->role != FL_ROLE_ROOT) {
        return false;
    }
    const fl_run *run = &desk->turn->row.run;
    bool other = !fl_run_equal(&desk->cleared, run);
    desk->cleared = *run;
    return sim->plant == PLANT_SHARED_SUM && other && effect->clear.blocks == desk->sum_count &&
           effect->clear.elements == desk->sum_elements;
}

void
fl_sim_clear(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    fl_sim_desk *desk = &node->desk[effect->track];
    if (desk->jobs > desk->loose) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s clears its sums while work on them is in flight",
                    node->name.name);
        return;
    }
    uint32_t blocks = effect->clear.blocks;
    if (s_shared_sum(sim, node, effect)) {
        return;
    }
    if (blocks < 1 || blocks > FL_BLOCKS_MAX) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s asks for %u accumulators", node->name.name, blocks);
        return;
    }
    desk->clears++;
    s_sums_free(desk);
    desk->sums = fl_sim_new(blocks * sizeof *desk->sums);
    desk->sum_count = blocks;
    desk->sum_element = effect->clear.element;
    desk->sum_masked = effect->clear.masked;
    desk->sum_elements = effect->clear.elements;
    for (uint32_t i = 0; i < blocks; i++) {
        desk->sums[i].cells = fl_fold_new(&desk->sum_element, effect->clear.elements);
        FL_ASSERT(desk->sums[i].cells != NULL);
    }
}

static void
s_verify(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    fl_sim_slot *slot = &node->desk[effect->track].slots[effect->verify.slot];
    slot->folding = false;
    slot->hash = fl_hash_of(fl_blob_bytes(slot->blob));
    bool ok = fl_hash_equal(&slot->hash, &effect->verify.hash);
    if (!ok) {
        fl_sim_count_up(sim, SIM_BAD_HASH);
    }
    event->kind = FL_EV_VERIFIED;
    event->verified.ok = ok || sim->plant == PLANT_SKIP_VERIFY;
}

static void
s_fold(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    const fl_sim_desk *desk = &node->desk[effect->track];
    fl_sim_slot *slot = &node->desk[effect->track].slots[effect->fold.slot];
    slot->folding = false;
    event->kind = FL_EV_FOLDED;
    fl_sim_sum *sum = &desk->sums[effect->fold.block];
    if (fl_blob_size(slot->blob) != fl_fold_wire_bytes(sum->cells)) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s folds a slot of another length", node->name.name);
        return;
    }
    const uint8_t *bytes = fl_blob_bytes(slot->blob).data;
    int times = sim->plant == PLANT_FOLD_TWICE && fl_rng_below(&sim->work_rng, 20) == 0 ? 2 : 1;
    for (int i = 0; i < times; i++) {
        fl_fold_add(sum->cells, 0, desk->sum_elements, bytes);
    }
    fl_sim_note_fold(sim, node, sum, &slot->hash);
    if (sim->plant == PLANT_LOSE_UPLOAD && desk->sum_masked &&
        fl_rng_below(&sim->work_rng, 20) == 0) {
        fl_fold_clear(sum->cells, 0, desk->sum_elements);
    }
}

//  The sums of a set of accumulators, into the first.
static void
s_join(fl_sim *sim, const fl_sim_node *node, const fl_sim_desk *desk, uint64_t blocks)
{
    fl_sim_sum *sum = &desk->sums[0];
    bool masked = desk->sum_masked;
    if ((blocks & 1) == 0) {
        fl_fold_clear(sum->cells, 0, desk->sum_elements);
        sum->leaf_count = 0;
        sum->folds = 0;
        sum->opened = true;
    }
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if ((blocks >> i & 1) == 0) {
            continue;
        }
        if (i >= desk->sum_count || (masked && !desk->sums[i].opened)) {
            fl_sim_fail(sim, CHECK_HANDLE, "%s finishes block %u, which it has not opened",
                        node->name.name, i);
            return;
        }
        if (i > 0) {
            fl_fold_merge(sum->cells, desk->sums[i].cells, 0, desk->sum_elements);
            fl_sim_note_join(sum, &desk->sums[i]);
        }
    }
}

static void
s_finish(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    fl_sim_desk *desk = &node->desk[effect->track];
    event->kind = FL_EV_FINISHED;
    s_join(sim, node, desk, effect->finish.blocks);
    const fl_fold *cells = desk->sums[0].cells;
    fl_blob *blob = fl_blob_new(fl_fold_wire_bytes(cells));
    FL_ASSERT(blob != NULL);
    if (!fl_fold_finish(cells, 0, desk->sum_elements, fl_blob_data(blob))) {
        fl_sim_fail(sim, CHECK_FLAT, "the sum of %s does not fit its wire bytes", node->name.name);
    }
    desk->sum_hash = fl_hash_of(fl_blob_bytes(blob));
    fl_sim_note_sum(sim, node, effect->track, fl_blob_bytes(blob));
    event->finished.hash = desk->sum_hash;
    event->finished.bytes = fl_blob_size(blob);
    if (effect->finish.vector) {
        event->finished.vec = s_vec_add(sim, node, blob, 0);
    } else {
        fl_blob_unref(&blob);
    }
}

// ---- training and encoding --------------------------------------------------------------------
static void
s_train(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_order *order = &job->effect.train.order;
    event->kind = FL_EV_TRAINED;
    event->trained.samples = node->samples;
    node->training = false;
    if (job->cancelled) {
        event->trained.reason = FL_WHY_TRAINER;
        return;
    }
    bool planted = sim->plant == PLANT_FEW_ROUNDS && order->round < sim->rounds;
    if (node->samples == 0 || planted || fl_sim_blows(sim, sim->weather.train_fails / 2)) {
        event->trained.reason = node->samples == 0 ? FL_WHY_NO_DATA : FL_WHY_TRAINER;
        fl_sim_count_up(sim, SIM_TRAIN_FAILED);
        return;
    }
    fl_blob *blob = fl_blob_new(order->elements * sizeof(float));
    FL_ASSERT(blob != NULL);
    float *update = (float *)(void *)fl_blob_data(blob);
    for (uint64_t i = 0; i < order->elements && sim->runs == 1; i++) {
        update[i] = (float)(fl_rng_unit(&sim->work_rng) * 2.4 - 1.2) * order->plan.clip;
    }
    if (sim->runs > 1) {
        fl_sim_trained(fl_sim_era_of(sim, &order->run), node->index, order->round, update);
    }
    if (fl_sim_blows(sim, sim->weather.train_fails / 2)) {
        update[fl_rng_below(&sim->work_rng, order->elements)] = NAN;
        fl_sim_count_up(sim, SIM_TRAIN_FAILED);
    }
    fl_hash model = order->model;
    if (sim->plant == PLANT_STALE_CACHE) {
        model = node->desk[0].models[0];
    }
    uint64_t round = fl_sim_round(sim, &order->run, order->round);
    fl_sim_training made = { node->index, round, model, node->samples, 0 };
    if (sim->plant == PLANT_CARRY_MASKED) { // the update of the training before
        made.masked_in =
            node->masks.trained > 0 ? sim->notary.trainings[node->masks.trained - 1].masked_in : 0;
    }
    uint32_t training = fl_sim_note_training(sim, made);
    node->masks.trained = training + 1;
    event->trained.update = s_vec_add(sim, node, blob, training);
    event->trained.stats[FL_STAT_SAMPLES] = node->samples;
    event->trained.stats[FL_STAT_EVALUATED] = node->samples;
    event->trained.stats[FL_STAT_TRAIN_MS] = node->train_ms;
}

void
fl_sim_train_cancel(fl_sim *sim, fl_sim_node *node)
{
    if (!node->training) {
        return;
    }
    fl_sim_job *job = fl_sim_new(sizeof *job);
    job->effect.kind = FL_FX_TRAIN;
    job->effect.token = node->train_token;
    job->cancelled = true;
    job->serial = ++node->train_serial;
    fl_sim_push(sim, (fl_sim_item){ .at = sim->now + 1 + (fl_time)fl_rng_below(&sim->work_rng, 20),
                                    .what = SIM_AT_JOB,
                                    .node = node->index,
                                    .life = node->life,
                                    .with.job = job });
}

static void
s_encode(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    const fl_order *order = &effect->encode.order;
    event->kind = FL_EV_ENCODED;
    fl_sim_vec *vec = fl_sim_vec_at(sim, node, effect->encode.update);
    if (vec == NULL) {
        return;
    }
    fl_element fixed = fl_policy_element(&order->plan);
    fl_blob *wire = fl_blob_new(order->elements * fl_policy_element(&order->plan).wire_bytes);
    FL_ASSERT(wire != NULL);
    const fl_plan *plan = sim->plant == PLANT_SHARED_SEED ? &sim->plan : &order->plan;
    uint64_t seed = fl_sim_dither(plan, node->index, order->round);
    uint64_t clipped = 0;
    const float *update = (const float *)(const void *)fl_blob_bytes(vec->blob).data;
    if (fl_element_encode(&fixed, (uint32_t)effect->encode.weight, seed, 0, order->elements, update,
                        fl_blob_data(wire), &clipped) != FL_OK) {
        event->encoded.reason = FL_WHY_NAN;
        fl_blob_unref(&wire);
        return;
    }
    event->encoded.hash = fl_hash_of(fl_blob_bytes(wire));
    event->encoded.bytes = fl_blob_size(wire);
    event->encoded.saturated = clipped;
    fl_sim_note_leaf(sim, vec->training, effect, fl_blob_bytes(vec->blob), &event->encoded.hash,
                     wire);
    event->encoded.vec = s_vec_add(sim, node, wire, 0);
}

// ---- models -----------------------------------------------------------------------------------
bool
fl_sim_model_held(const fl_sim_desk *desk, const fl_hash *model)
{
    for (int i = 0; i < SIM_MODELS_MAX; i++) {
        if (fl_hash_equal(&desk->models[i], model)) {
            return true;
        }
    }
    return false;
}

void
fl_sim_model_keep(fl_sim_desk *desk, const fl_hash *model)
{
    if (!fl_sim_model_held(desk, model)) {
        desk->models[desk->model_next++ % SIM_MODELS_MAX] = *model;
    }
}

//  The next model is a chain: made of the one before and of the sum.
fl_hash
fl_sim_model_of(const fl_sim *sim, const fl_hash *before, const fl_hash *sum, fl_blob **file)
{
    fl_blob *blob = fl_blob_new(sim->model_bytes);
    FL_ASSERT(blob != NULL && sim->model_bytes >= 2 * sizeof *sum);
    memcpy(fl_blob_data(blob), before, sizeof *before);
    memcpy(fl_blob_data(blob) + sizeof *before, sum, sizeof *sum);
    const fl_hash hash = fl_hash_of(fl_blob_bytes(blob));
    if (file != NULL) {
        *file = blob;
    } else {
        fl_blob_unref(&blob);
    }
    return hash;
}

fl_hash
fl_sim_model_add(fl_sim *sim, const fl_hash *before, const fl_hash *sum)
{
    if (sim->model_count == sim->model_capacity) {
        sim->model_capacity += 16;
        sim->models = fl_sim_grow(sim->models, sim->model_capacity * sizeof *sim->models);
        sim->model_hashes =
            fl_sim_grow(sim->model_hashes, sim->model_capacity * sizeof *sim->model_hashes);
    }
    const fl_hash hash = fl_sim_model_of(sim, before, sum, &sim->models[sim->model_count]);
    sim->model_hashes[sim->model_count++] = hash;
    return hash;
}

fl_blob *
fl_sim_model_slice(fl_sim *sim, fl_sim_node *node, const fl_effect *serve)
{
    const fl_hash *model = &serve->serve.message.piece.hash;
    const uint64_t offset = serve->serve.message.piece.offset;
    const uint32_t bytes = serve->serve.bytes;
    bool held = fl_sim_model_held(&node->desk[serve->track], model);
    for (uint32_t i = sim->model_count; i-- > 0 && held;) {
        if (fl_hash_equal(&sim->model_hashes[i], model)) {
            fl_bytes all = fl_blob_bytes(sim->models[i]);
            if (offset > all.size || bytes > all.size - offset) {
                break;
            }
            fl_blob *slice = fl_blob_copy(fl_bytes_of(all.data + offset, bytes));
            FL_ASSERT(slice != NULL);
            return slice;
        }
    }
    fl_sim_fail(sim, CHECK_HANDLE, "%s serves bytes of a model that it does not hold",
                node->name.name);
    return NULL;
}

void
fl_sim_place(fl_sim *sim, fl_sim_node *node, uint64_t offset, uint64_t total, fl_bytes body)
{
    if (node->fetch == NULL || fl_blob_size(node->fetch) != total) {
        fl_blob_unref(&node->fetch);
        node->fetch = fl_blob_new(total);
        FL_ASSERT(node->fetch != NULL);
    }
    if (offset > total || body.size > total - offset) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s places bytes beyond the end of a model",
                    node->name.name);
        return;
    }
    memcpy(fl_blob_data(node->fetch) + offset, body.data, body.size);
}

static void
s_check(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    fl_hash hash = fl_hash_of(fl_blob_bytes(node->fetch));
    event->kind = FL_EV_MODEL;
    event->model.ok = fl_hash_equal(&hash, &effect->check.hash);
    if (event->model.ok) {
        fl_sim_model_keep(&node->desk[effect->track], &hash);
    } else {
        fl_sim_count_up(sim, SIM_BAD_HASH);
    }
}

static void
s_apply(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    event->kind = FL_EV_APPLIED;
    event->applied.ok = true;
    fl_sim_desk *desk = &node->desk[effect->track];
    const fl_sim_desk *other = &node->desk[1 - effect->track];
    bool mixed = sim->plant == PLANT_OTHER_SUM && other->sum_count > 0;
    const fl_hash *sum = mixed ? &other->sum_hash : &desk->sum_hash;
    event->applied.model = fl_sim_model_add(sim, &effect->apply.order.model, sum);
    event->applied.tensors = event->applied.model;
    event->applied.model_bytes = sim->model_bytes;
    event->applied.loss = NAN;
    event->applied.accuracy = NAN;
    fl_sim_model_keep(desk, &event->applied.model);
}

// ---- begin and end ----------------------------------------------------------------------------
bool
fl_sim_work_check(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    const char *wrong = NULL;
    fl_sim_desk *desk = &node->desk[effect->track];
    if (effect->kind == FL_FX_VERIFY || effect->kind == FL_FX_FOLD) {
        bool verify = effect->kind == FL_FX_VERIFY;
        fl_sim_slot *slot = &desk->slots[verify ? effect->verify.slot : effect->fold.slot];
        wrong = slot->blob == NULL ? "works on a free slot"
                : slot->folding    ? "works twice on a slot at a time"
                : !verify && effect->fold.block >= desk->sum_count ? "folds into no accumulator"
                                                                   : NULL;
        slot->folding = true;
    } else if (effect->kind == FL_FX_UNMASK) {
        wrong = effect->unmask.block >= desk->sum_count   ? "opens a block that is not there"
                : desk->sums[effect->unmask.block].opened ? "opens a block twice"
                                                          : NULL;
    } else if (effect->kind == FL_FX_FINISH && desk->sum_count == 0) {
        wrong = "finishes no accumulator";
    } else if (effect->kind == FL_FX_CHECK && node->fetch == NULL) {
        wrong = "checks a model of which nothing came";
    } else if (effect->kind == FL_FX_TRAIN) {
        wrong = node->training ? "trains twice at a time"
                : !fl_sim_model_held(desk, &effect->train.order.model)
                    ? "trains a model that it does not hold"
                    : NULL;
    }
    if (wrong != NULL) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s %s", node->name.name, wrong);
    }
    return wrong == NULL;
}

typedef void work_fn(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event);

static work_fn *const works[FL_FX_COUNT] = {
    [FL_FX_VERIFY] = s_verify,
    [FL_FX_FOLD] = s_fold,
    [FL_FX_FINISH] = s_finish,
    [FL_FX_CHECK] = s_check,
    [FL_FX_TRAIN] = s_train,
    [FL_FX_ENCODE] = s_encode,
    [FL_FX_APPLY] = s_apply,
    [FL_FX_MASK] = fl_sim_mask_carry_out,
    [FL_FX_UNMASK] = fl_sim_unmask_carry_out,
    [FL_FX_RECALL] = fl_sim_mask_recall,
};

bool
fl_sim_work_loose(const fl_effect *effect)
{
    return effect->kind == FL_FX_MASK || effect->kind == FL_FX_UNMASK ||
           effect->kind == FL_FX_FINISH;
}

//  In life the sums are cleared behind it; here they are another round's already, and nobody may
//  look at what it answers.
static void
s_outlived(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *event)
{
    event->kind = effect->kind == FL_FX_FINISH ? FL_EV_FINISHED : FL_EV_UNMASKED;
    if (effect->kind == FL_FX_FINISH && effect->finish.vector) {
        event->finished.vec =
            s_vec_add(sim, node, fl_blob_new(node->desk[effect->track].sum_elements), 0);
    }
}

void
fl_sim_work_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    FL_ASSERT(works[job->effect.kind] != NULL);
    event->token = job->effect.token;
    event->track = job->effect.track;
    if (job->clears != node->desk[event->track].clears && fl_sim_work_loose(&job->effect)) {
        s_outlived(sim, node, &job->effect, event);
    } else {
        works[job->effect.kind](sim, node, job, event);
    }
}

void
fl_sim_work_release(fl_sim_node *node)
{
    for (int i = 0; i < SIM_VECS_MAX; i++) {
        fl_blob_unref(&node->vecs[i].blob);
        node->vecs[i].id = 0;
    }
    fl_blob_unref(&node->fetch);
    for (fl_sim_desk *desk = node->desk; desk < node->desk + FL_TRACKS; desk++) {
        for (int i = 0; i < FL_SLOTS_MAX; i++) {
            fl_blob_unref(&desk->slots[i].blob);
        }
        s_sums_free(desk);
        *desk = (fl_sim_desk){ .clears = desk->clears };
    }
}
