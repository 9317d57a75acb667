//  The effects of masked rounds: what is kept and given back, masks put on and taken off real
//  bytes, and where each process stands, so that crashes are counted by it and aimed at it.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "tests/sim/sim.h"

static const char *const steps[SIM_CHILD_STEPS] = {
    [SIM_CHILD_OUT] = "out",       [SIM_CHILD_KEYED] = "keyed",     [SIM_CHILD_DEALT] = "dealt",
    [SIM_CHILD_READY] = "ready",   [SIM_CHILD_MARKING] = "marking", [SIM_CHILD_MASKING] = "masking",
    [SIM_CHILD_MASKED] = "masked", [SIM_CHILD_ACKED] = "acked",     [SIM_CHILD_OPENING] = "opening",
    [SIM_CHILD_OPENED] = "opened",
};

const char *
fl_sim_child_name(fl_sim_child step)
{
    FL_ASSERT((unsigned)step < SIM_CHILD_STEPS);
    return steps[step];
}

// ---- birth and death --------------------------------------------------------------------------
static void
s_free_given(fl_sim_given *given)
{
    for (uint32_t i = 0; i < given->count; i++) {
        fl_blob_unref(&given->facts[i]);
    }
    free(given->facts);
    free(given->views);
    *given = (fl_sim_given){ .count = 0 };
}

static void
s_free_all_given(fl_sim_masks *masks)
{
    for (uint32_t i = 0; i < SIM_RUNS_MAX; i++) {
        s_free_given(&masks->given[i]);
    }
}

void
fl_sim_mask_give(fl_sim *sim, fl_sim_node *node, uint32_t at, const fl_run *run, uint64_t round)
{
    fl_sim_masks *masks = &node->masks;
    fl_sim_given *given = &masks->given[at];
    s_free_given(given);
    given->facts = fl_sim_new(masks->fact_count * sizeof *given->facts);
    given->views = fl_sim_new(masks->fact_count * sizeof *given->views);
    masks->given_round = round;
    bool taken_up = false;
    for (uint32_t i = 0; i < masks->fact_count; i++) {
        const fl_sim_fact *fact = &masks->facts[i];
        if ((fact->round == round || fact->what == FL_KEEP_ROSTER) &&
            fl_run_equal(&fact->run, run)) {
            taken_up = taken_up || fact->round == round;
            given->facts[given->count] = fl_blob_ref(fact->bytes);
            given->views[given->count++] = fl_blob_bytes(fact->bytes);
        }
    }
    sim->totals.count[SIM_TAKEN_UP] += taken_up;
}

void
fl_sim_mask_start(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_masks *masks = &node->masks;
    if (!fl_plan_masks(&sim->plan)) {
        return;
    }
    fl_secagg_trust trust = { .authority = fl_sim_authority(), .roles = FL_ROLES_CHILD };
    if (node->role != FL_ROLE_DEVICE) {
        masks->aggregator = (fl_secagg_server_conf){ .node = node->name,
                                                     .hop = node->role == FL_ROLE_ROOT ? 2 : 1,
                                                     .trust = trust };
        if (node->role == FL_ROLE_EDGE) {
            free(masks->heads);
            masks->heads = fl_sim_new((masks->kept_count + 1) * sizeof *masks->heads);
            for (uint32_t i = 0; i < masks->kept_count; i++) {
                masks->heads[i] = fl_blob_bytes(masks->kept[i].head);
            }
            fl_sim_mask_give(sim, node, 0, &node->ledger.open_run, node->ledger.open_round);
        }
    }
    if (node->role == FL_ROLE_ROOT) {
        return;
    }
    const fl_sim_identity *identity = fl_sim_identity_of(
        node->role, &node->name, node->number + node->fate.generation * SIM_NODES_MAX);
    masks->seeded = fl_seeded_of(fl_rng_u64(&sim->work_rng));
    masks->member = (fl_secagg_client_conf){
        .keys = identity->keys,
        .node = node->name,
        .hop = sim->nodes[node->parent].role == FL_ROLE_ROOT ? 2 : 1,
        .trust = trust,
        .entropy = fl_entropy_seeded(&masks->seeded),
        .profile = masks->profile,
        .members_min = masks->members_min,
        .survivors_min = masks->survivors_min,
        .draws_max = node->role == FL_ROLE_EDGE ? FL_DRAW_MAX : sim->draws_max,
        .again_ms = 500,
    };
    memcpy(masks->member.certificate, identity->certificate, FL_CERT_BYTES);
    if (masks->marked &&
        !fl_secagg_mark_decode(fl_bytes_of(masks->mark, sizeof masks->mark), &masks->given_mark)) {
        fl_sim_fail(sim, CHECK_SPENT, "%s kept what is no mark", node->name.name);
    }
}

void
fl_sim_mask_crash(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_masks *masks = &node->masks;
    if (masks->child != SIM_CHILD_OUT) {
        fl_sim_count_up(sim, (fl_sim_count)(SIM_CRASH_CHILD + masks->child));
    }
    for (uint32_t i = 0; i < FL_TRACKS * FL_BLOCKS_MAX; i++) {
        const uint32_t track = i / FL_BLOCKS_MAX, block = i % FL_BLOCKS_MAX;
        const uint8_t state = masks->state[track][block];
        if (block < masks->blocks[track] && state != FL_SERVER_NO_ROUND) {
            fl_sim_count_up(sim, (fl_sim_count)(SIM_CRASH_PARENT + state));
        }
    }
    for (int what = 0; what < FL_KEEP_COUNT; what++) {
        if (masks->keeping[what] > 0) {
            fl_sim_count_up(sim, (fl_sim_count)(SIM_CRASH_KEEP + what));
        }
    }
    memset(masks->keeping, 0, sizeof masks->keeping);
    masks->child = SIM_CHILD_OUT;
    memset(masks->blocks, 0, sizeof masks->blocks);
    s_free_all_given(masks);
}

static void
s_forget_facts(fl_sim_masks *masks)
{
    for (uint32_t i = 0; i < masks->fact_count; i++) {
        fl_blob_unref(&masks->facts[i].bytes);
    }
    masks->fact_count = 0;
}

void
fl_sim_mask_release(fl_sim_node *node)
{
    fl_sim_masks *masks = &node->masks;
    s_free_all_given(masks);
    s_forget_facts(masks);
    free(masks->facts);
    for (uint32_t i = 0; i < masks->kept_count; i++) {
        fl_blob_unref(&masks->kept[i].head);
        fl_blob_unref(&masks->kept[i].vector);
    }
    free(masks->kept);
    free(masks->heads);
    masks->kept = NULL;
    masks->heads = NULL;
    masks->kept_count = 0;
}

// ---- what is kept -----------------------------------------------------------------------------
//  Only the newest round's facts of each run stay, and rosters.
static void
s_keep_fact(fl_sim_masks *masks, const fl_sim_fact *fact)
{
    uint32_t stay = 0;
    for (uint32_t i = 0; i < masks->fact_count; i++) {
        fl_sim_fact *old = &masks->facts[i];
        if (old->round != fact->round && old->what != FL_KEEP_ROSTER &&
            fl_run_equal(&old->run, &fact->run)) {
            fl_blob_unref(&old->bytes);
        } else {
            masks->facts[stay++] = *old;
        }
    }
    masks->fact_count = stay;
    for (uint32_t i = 0; i < masks->fact_count; i++) {
        fl_sim_fact *old = &masks->facts[i];
        if (old->what == fact->what && old->block == fact->block && old->round == fact->round &&
            fl_run_equal(&old->run, &fact->run)) {
            fl_blob_unref(&old->bytes);
            *old = *fact;
            return;
        }
    }
    masks->facts = fl_sim_grow(masks->facts, (masks->fact_count + 1) * sizeof *fact);
    masks->facts[masks->fact_count++] = *fact;
}

static void
s_keep_sum(fl_sim_masks *masks, const fl_run *run, fl_blob *head, fl_blob *vector)
{
    uint32_t at = 0;
    while (at < masks->kept_count && !fl_run_equal(&masks->kept[at].run, run)) {
        at++;
    }
    if (at == masks->kept_count) {
        masks->kept = fl_sim_grow(masks->kept, (at + 1) * sizeof *masks->kept);
        masks->kept[masks->kept_count++] = (fl_sim_kept){ .run = *run };
    }
    fl_blob_unref(&masks->kept[at].head);
    fl_blob_unref(&masks->kept[at].vector);
    masks->kept[at].head = fl_blob_ref(head);
    masks->kept[at].vector = fl_blob_ref(vector);
}

void
fl_sim_mask_recall(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_sim_masks *masks = &node->masks;
    event->kind = FL_EV_RECALLED;
    for (uint32_t i = 0; i < masks->kept_count; i++) {
        const fl_hash hash = fl_hash_of(fl_blob_bytes(masks->kept[i].vector));
        if (fl_run_equal(&masks->kept[i].run, &job->effect.recall.run) &&
            fl_hash_equal(&hash, &job->effect.recall.hash)) {
            event->recalled.vec = fl_sim_vec_add(sim, node, fl_blob_ref(masks->kept[i].vector))->id;
        }
    }
}

void
fl_sim_mask_kept(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job)
{
    const fl_effect *effect = &job->effect;
    fl_sim_masks *masks = &node->masks;
    fl_bytes bytes = fl_blob_bytes(job->bytes);
    if (effect->keep.what == FL_KEEP_EVIDENCE) {
        fl_sim_fail(sim, CHECK_BLAME, "%s keeps evidence that somebody lied", node->name.name);
    } else if (effect->keep.what == FL_KEEP_SUM) {
        s_keep_sum(masks, &effect->keep.run, job->bytes, job->vector);
    } else if (effect->keep.what != FL_KEEP_MARK) {
        if (sim->plant != PLANT_FORGET_FACT) {
            s_keep_fact(masks, &(fl_sim_fact){ .run = effect->keep.run,
                                               .round = effect->keep.round,
                                               .block = effect->keep.block,
                                               .what = effect->keep.what,
                                               .bytes = fl_blob_ref(job->bytes) });
        }
    } else if (bytes.size != sizeof masks->mark) {
        fl_sim_fail(sim, CHECK_SPENT, "%s keeps a mark of %zu bytes", node->name.name, bytes.size);
    } else if (sim->plant != PLANT_FORGET_MARK) {
        memcpy(masks->mark, bytes.data, bytes.size);
        masks->marked = true;
    }
}

// ---- when to aim at whom -----------------------------------------------------------------------
//  Between this step and the next somebody may die; later steps are shorter and fewer come to them.
static void
s_aim(fl_sim *sim, fl_sim_node *node, bool later)
{
    uint32_t within = 2 + (uint32_t)fl_rng_below(&sim->weather_rng, later ? 60 : 200);
    uint64_t before = sim->next_id;
    fl_sim_snipe(sim, node, sim->now + (fl_time)within, sim->weather.snipe / (later ? 1 : 4));
    sim->totals.count[SIM_SNIPED] += sim->next_id - before;
}

static void
s_block_at(fl_sim *sim, fl_sim_node *node, uint32_t track, uint32_t block, fl_secagg_state state)
{
    uint8_t *before = node->masks.state[track];
    if (block < node->masks.blocks[track] && (uint8_t)state > before[block]) {
        before[block] = (uint8_t)state;
        s_aim(sim, node, state >= FL_SERVER_COLLECTING);
    }
}

// ---- masks on and off -------------------------------------------------------------------------
void
fl_sim_mask_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    event->kind = FL_EV_MASKED;
    fl_bytes plain = fl_blob_bytes(job->bytes);
    unsigned wire_bytes = effect->mask.element.wire_bytes;
    if (plain.size != effect->mask.elements * wire_bytes) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s masks %zu bytes as %" PRIu64 " elements",
                    node->name.name, plain.size, effect->mask.elements);
        return;
    }
    fl_sim_veil_masking(sim, node, plain);
    if (sim->plant == PLANT_MASK_TWICE) {
        fl_sim_veil_masking(sim, node, plain);
    }
    fl_blob *masked = fl_blob_new(plain.size);
    FL_ASSERT(masked != NULL);
    fl_mask_range range = { .ring_bits = effect->mask.element.ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = (size_t)effect->mask.elements };
    size_t seeds = sim->plant == PLANT_PLAIN_PUSH ? 0 : effect->mask.seed_count;
    fl_mask_wire(job->seeds, seeds, &range, wire_bytes, plain.data, fl_blob_data(masked));
    event->masked.hash = fl_hash_of(fl_blob_bytes(masked));
    event->masked.bytes = plain.size;
    event->masked.checksum =
        fl_mask_checksum(effect->mask.checksum_key, 0, range.count, wire_bytes, plain.data);
    fl_hash hash = fl_hash_of(plain);
    const fl_sim_lot *lot = fl_sim_lot_of(sim, &hash);
    if (lot != NULL) {
        uint32_t leaves = lot->leaf_count;
        uint32_t *copy = fl_sim_new(leaves * sizeof *copy);
        memcpy(copy, lot->leaves, leaves * sizeof *copy);
        fl_sim_lot_add(sim,
                       (fl_sim_lot){ .hash = event->masked.hash,
                                     .leaf_count = leaves,
                                     .folds = lot->folds,
                                     .node = node->index,
                                     .masked = true },
                       copy);
        free(copy);
    }
    fl_sim_vec *made = fl_sim_vec_add(sim, node, masked);
    if (made != NULL) {
        made->masked = true;
        event->masked.vec = made->id;
    }
}

void
fl_sim_unmask_carry_out(fl_sim *sim, fl_sim_node *node, const fl_sim_job *job, fl_event *event)
{
    const fl_effect *effect = &job->effect;
    const fl_sim_desk *desk = &node->desk[effect->track];
    fl_sim_sum *sum = &desk->sums[effect->unmask.block];
    unsigned wire_bytes = effect->unmask.element.wire_bytes;
    event->kind = FL_EV_UNMASKED;
    s_block_at(sim, node, effect->track, effect->unmask.block, FL_SERVER_DONE);
    if (effect->unmask.elements != desk->sum_elements) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s opens a sum of another length", node->name.name);
        return;
    }
    fl_mask_range range = { .ring_bits = effect->unmask.element.ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = (size_t)effect->unmask.elements };
    void *words = fl_fold_words(sum->cells, 0, desk->sum_elements);
    fl_mask_apply(job->seeds, effect->unmask.seed_count, &range, words);
    fl_mask_settle(effect->unmask.element.ring_bits, range.count, wire_bytes, words);
    sum->opened = true;
    fl_blob *wire = fl_blob_new(fl_fold_wire_bytes(sum->cells));
    FL_ASSERT(wire != NULL);
    if (!fl_fold_finish(sum->cells, 0, desk->sum_elements, fl_blob_data(wire))) {
        fl_sim_fail(sim, CHECK_FLAT, "an opened sum of %s does not fit its wire bytes",
                    node->name.name);
    }
    event->unmasked.checksum = fl_mask_checksum(effect->unmask.checksum_key, 0, range.count,
                                                wire_bytes, fl_blob_bytes(wire).data);
    if (sim->plant == PLANT_OPEN_WRONG) {
        fl_blob_data(wire)[0] ^= 1;
    }
    if (sim->plant != PLANT_LOSE_UPLOAD) {
        fl_sim_check_flat(sim, node, effect->track, sum, fl_blob_bytes(wire));
    }
    fl_blob_unref(&wire);
}

// ---- where a process stands -------------------------------------------------------------------
static void
s_child_at(fl_sim *sim, fl_sim_node *node, uint64_t round, fl_sim_child step)
{
    fl_sim_masks *masks = &node->masks;
    if (masks->child != SIM_CHILD_OUT && masks->child_round == round && step <= masks->child) {
        return; // said again
    }
    masks->child = step;
    masks->child_round = round;
    s_aim(sim, node, step >= SIM_CHILD_MARKING);
}

static void
s_said_up(fl_sim *sim, fl_sim_node *node, const fl_message *message)
{
    static const fl_sim_child reached[FL_VERB_COUNT] = {
        [FL_KEYS] = SIM_CHILD_KEYED, [FL_SHARES] = SIM_CHILD_DEALT,  [FL_READY] = SIM_CHILD_READY,
        [FL_ACK] = SIM_CHILD_ACKED,  [FL_UNMASK] = SIM_CHILD_OPENED,
    };
    const uint64_t round = fl_sim_round(sim, &message->run, message->round);
    if (reached[message->verb] != SIM_CHILD_OUT) {
        s_child_at(sim, node, round, reached[message->verb]);
    } else if (message->verb == FL_REFUSED && round == node->masks.child_round) {
        node->masks.child = SIM_CHILD_OUT;
    }
}

static void
s_kept_by_parent(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    static const fl_secagg_state reached[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = FL_SERVER_ROSTERED,    [FL_KEEP_DEALT] = FL_SERVER_DEALING,
        [FL_KEEP_MASKSET] = FL_SERVER_COLLECTING, [FL_KEEP_SURVIVORS] = FL_SERVER_ACKING,
        [FL_KEEP_ACKS] = FL_SERVER_OPENING,
    };
    if (reached[effect->keep.what] != FL_SERVER_NO_ROUND) {
        s_block_at(sim, node, effect->track, effect->keep.block, reached[effect->keep.what]);
    }
}

void
fl_sim_mask_effect(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    fl_sim_masks *masks = &node->masks;
    if (!fl_plan_masks(&sim->plan)) {
        return;
    }
    if (effect->kind == FL_FX_SEND && effect->send.to == FL_PARENT) {
        s_said_up(sim, node, &effect->send.message);
    } else if (effect->kind == FL_FX_SEND && effect->send.message.verb == FL_DEALT) {
        s_block_at(sim, node, effect->track, effect->send.message.dealt.block,
                   FL_SERVER_WAITING_READY);
    } else if (effect->kind == FL_FX_KEEP) {
        masks->keeping[effect->keep.what]++;
        if (effect->keep.what == FL_KEEP_MARK) {
            bool before = masks->child < SIM_CHILD_MARKING;
            s_child_at(sim, node, fl_sim_round(sim, &effect->keep.run, effect->keep.round),
                       before ? SIM_CHILD_MARKING : SIM_CHILD_OPENING);
        } else {
            s_kept_by_parent(sim, node, effect);
        }
    } else if (effect->kind == FL_FX_MASK) {
        s_child_at(sim, node, masks->child_round, SIM_CHILD_MASKING);
    } else if (effect->kind == FL_FX_UNMASK) {
        s_block_at(sim, node, effect->track, effect->unmask.block, FL_SERVER_SUMMING);
    } else if (effect->kind == FL_FX_CLEAR) {
        masks->blocks[effect->track] = effect->clear.blocks;
        memset(masks->state[effect->track], FL_SERVER_INVITED, sizeof masks->state[0]);
        s_aim(sim, node, false);
    } else if (effect->kind == FL_FX_NOTE && effect->note.id == FL_NOTE_ROUND_CLOSE) {
        masks->blocks[effect->track] = 0;
    }
}

void
fl_sim_mask_event(fl_sim *sim, fl_sim_node *node, const fl_event *event)
{
    fl_sim_masks *masks = &node->masks;
    if (event->kind == FL_EV_MASKED) {
        if (masks->child == SIM_CHILD_MASKING) {
            s_child_at(sim, node, masks->child_round, SIM_CHILD_MASKED);
        }
    } else if (event->kind == FL_EV_MESSAGE && event->message.from == FL_PARENT &&
               event->message.message->verb == FL_CLOSED &&
               fl_sim_round(sim, &event->message.message->run, event->message.message->round) ==
                   masks->child_round) {
        masks->child = SIM_CHILD_OUT;
    }
}
