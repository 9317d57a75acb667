#include "tests/support/unit.h"

#include "tests/support/troop.h"

#include <string.h>

#include "common/base/status.h"
#include "common/wire/codec.h"

enum { VECS = 1024, BLOCK = 3 };

masked_world *troop_world;
troop_child troop[MASKED_MEMBERS];
fl_outbox *troop_out;

static bool alive[VECS];
static fl_vec newest;

// ---- vectors ----------------------------------------------------------------------------------
static fl_vec
s_vec(void)
{
    FL_ASSERT(newest + 1 < VECS);
    alive[++newest] = true;
    return newest;
}

static void
s_free(fl_vec vec)
{
    FL_ASSERT(vec < VECS && alive[vec]);
    alive[vec] = false;
}

uint32_t
troop_alive(void)
{
    uint32_t count = 0;
    for (fl_vec vec = 0; vec < VECS; vec++) {
        count += alive[vec] ? 1 : 0;
    }
    return count;
}

static fl_event
s_mask(uint32_t index, const fl_effect *effect)
{
    masked_member *member = &troop_world->member[index];
    uint32_t elements = troop_world->plan.elements, wire_bytes = troop_world->plan.wire_bytes;
    FL_ASSERT(alive[effect->mask.vec] && effect->mask.elements == elements);
    fl_mask_range range = { .ring_bits = effect->mask.ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .count = elements };
    fl_mask_wire(effect->mask.seeds, effect->mask.seed_count, &range, wire_bytes, member->wire,
                 member->masked);
    troop[index].masks++;
    fl_event event = { .kind = FL_EV_MASKED };
    event.masked.vec = troop[index].no_memory ? 0 : s_vec();
    event.masked.bytes = (uint64_t)elements * wire_bytes;
    event.masked.hash = fl_hash_of(fl_bytes_of(member->masked, event.masked.bytes));
    event.masked.checksum =
        fl_mask_checksum(effect->mask.checksum_key, 0, elements, wire_bytes, member->wire);
    return event;
}

// ---- what the parent does ---------------------------------------------------------------------
static void
s_refuse(uint32_t index, fl_verb about, fl_reason reason)
{
    fl_message message = masked_message(troop_world, FL_REFUSED);
    message.refused = (fl_refused){ .reason = reason, .about = about };
    masked_post(troop_world, -1, (int32_t)index, &message);
}

static void
s_grant(uint32_t index, uint64_t next)
{
    const fl_contrib *contrib = &troop[index].contrib;
    fl_message message = masked_message(troop_world, FL_GRANT);
    message.grant = (fl_grant){ .attempt = contrib->attempt,
                                .hash = contrib->hash,
                                .next = next,
                                .limit = contrib->vector_bytes,
                                .chunk_bytes = FL_CHUNK_BYTES_MIN };
    masked_post(troop_world, -1, (int32_t)index, &message);
}

static void
on_contrib(uint32_t index, const fl_contrib *contrib)
{
    troop_child *child = &troop[index];
    child->contrib = *contrib;
    memcpy(child->header, contrib->header.data, contrib->header.size);
    memcpy(child->psig, contrib->psig.data, contrib->psig.size);
    if (child->hold_grant) {
        return;
    }
    fl_reason reason = fl_secagg_server_contrib(
        troop_world->aggregator, &troop_world->member[index].node, contrib, troop_world->out);
    masked_obey(troop_world, -1);
    if (reason == FL_WHY_NONE) {
        s_grant(index, 0);
    } else {
        s_refuse(index, FL_CONTRIB, reason);
    }
}

static void
on_push(uint32_t index, const fl_effect *effect)
{
    const fl_chunk *chunk = &effect->push.message.chunk;
    masked_member *member = &troop_world->member[index];
    FL_ASSERT(alive[effect->push.vec]);
    if (troop[index].hold_bytes || chunk->offset + effect->push.bytes < chunk->total) {
        return;
    }
    if (fl_secagg_server_uploaded(troop_world->aggregator, &member->node, troop_world->now,
                                  troop_world->out)) {
        masked_fold(troop_world, member->masked);
    }
    masked_obey(troop_world, -1);
    s_grant(index, chunk->total);
}

static void
s_proof(const fl_message *message, uint32_t body_bytes)
{
    fl_blob *frame = fl_encode(message, body_bytes);
    FL_ASSERT(frame != NULL);
    fl_blob_unref(&frame);
}

static void
on_said(uint32_t index, const fl_message *message, bool *fetches)
{
    troop_child *child = &troop[index];
    s_proof(message, 0);
    child->said[message->verb]++;
    if ((child->mute >> message->verb & 1) != 0) {
        return;
    }
    uint8_t certificate[FL_CERT_BYTES];
    switch ((int)message->verb) {
    case FL_HELLO:
        troop_certificate(troop_world->plan.hop == 1 ? FL_ROLE_EDGE : FL_ROLE_ROOT, "edge-a",
                          certificate);
        troop_welcome(index, certificate);
        break;
    case FL_FETCH:
        *fetches = true;
        break;
    case FL_CONTRIB:
        on_contrib(index, &message->contrib);
        break;
    case FL_BEAT:
        child->beat = message->beat;
        break;
    case FL_REFUSED:
        child->refused = message->refused;
        masked_post(troop_world, (int32_t)index, -1, message);
        break;
    default:
        masked_post(troop_world, (int32_t)index, -1, message);
        break;
    }
}

// ---- effects ----------------------------------------------------------------------------------
typedef struct answers {
    bool fetches, checks;
    fl_event saved, masked;
} answers;

static void
s_obey_one(uint32_t index, const fl_effect *effect, answers *due)
{
    switch ((int)effect->kind) {
    case FL_FX_SEND:
        on_said(index, &effect->send.message, &due->fetches);
        break;
    case FL_FX_PUSH:
        s_proof(&effect->push.message, effect->push.bytes);
        on_push(index, effect);
        break;
    case FL_FX_CHECK:
        due->checks = true;
        break;
    case FL_FX_DROP:
        s_free(effect->drop.vec);
        break;
    case FL_FX_KEEP:
        FL_ASSERT(effect->keep.what == FL_KEEP_MARK);
        due->saved.kind = FL_EV_SAVED;
        due->saved.saved.token = effect->keep.token;
        due->saved.saved.ok = true;
        break;
    case FL_FX_MASK:
        due->masked = s_mask(index, effect);
        break;
    case FL_FX_NOTE:
        troop[index].noted =
            effect->note.id == FL_NOTE_REFUSED ? effect->note.reason : troop[index].noted;
        break;
    default:
        FL_ASSERT(effect->kind == FL_FX_LANE || effect->kind == FL_FX_RECONNECT ||
                  effect->kind == FL_FX_PLACE);
        break;
    }
}

static void
s_model(uint32_t index, bool fetches, bool checks)
{
    const fl_order *order = &troop_world->task.order;
    if (fetches) {
        fl_message piece = masked_message(troop_world, FL_PIECE);
        piece.piece = (fl_piece){ .hash = order->model, .total = order->model_bytes };
        fl_event event = { .kind = FL_EV_MESSAGE };
        event.message.from = FL_PARENT;
        event.message.message = &piece;
        event.message.body_bytes = (uint32_t)order->model_bytes;
        troop_step(index, event);
    }
    if (checks) {
        fl_event event = { .kind = FL_EV_MODEL };
        event.model.hash = order->model;
        event.model.ok = true;
        troop_step(index, event);
    }
}

void
troop_obey(uint32_t index)
{
    answers due = { 0 };
    for (uint32_t i = 0; i < fl_outbox_count(troop_out); i++) {
        s_obey_one(index, fl_outbox_at(troop_out, i), &due);
    }
    fl_outbox_reset(troop_out);
    if (!troop[index].hold_model) {
        s_model(index, due.fetches, due.checks);
    }
    if (due.saved.kind == FL_EV_SAVED) {
        troop[index].saved = due.saved;
        if (!troop[index].hold_saved) {
            troop_give_saved(index);
        }
    }
    if (due.masked.kind == FL_EV_MASKED) {
        troop[index].masked = due.masked;
        if (!troop[index].hold_masked) {
            troop_give_masked(index);
        }
    }
}

void
troop_give_saved(uint32_t index)
{
    FL_ASSERT(troop[index].saved.kind == FL_EV_SAVED);
    fl_event event = troop[index].saved;
    troop[index].saved = (fl_event){ 0 };
    troop_step(index, event);
}

void
troop_give_masked(uint32_t index)
{
    FL_ASSERT(troop[index].masked.kind == FL_EV_MASKED);
    fl_event event = troop[index].masked;
    troop[index].masked = (fl_event){ 0 };
    troop_step(index, event);
}

// ---- stepping ---------------------------------------------------------------------------------
void
troop_step(uint32_t index, fl_event event)
{
    event.wall_s = IDENTITY_NOW;
    fl_outbox_reset(troop_out);
    fl_participant_step(troop[index].member, &event, troop_world->now, troop_out);
    troop_obey(index);
}

void
troop_hear(uint32_t index, const fl_message *message)
{
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = FL_PARENT;
    event.message.message = message;
    troop_step(index, event);
}

void
troop_tick(uint32_t index, fl_time now)
{
    troop_world->now = now;
    troop_step(index, (fl_event){ .kind = FL_EV_TICK });
}

bool
troop_deliver(void)
{
    masked_world *world = troop_world;
    if (world->head == world->tail) {
        return false;
    }
    masked_letter letter = world->queue[world->head % MASKED_QUEUE];
    if (letter.to < 0) {
        return masked_deliver(world);
    }
    world->head++;
    fl_message message;
    fl_codec_result result = fl_decode(fl_blob_bytes(letter.frame), 0, &message);
    FL_ASSERT(result.code == FL_CODEC_OK);
    troop_hear((uint32_t)letter.to, &message);
    fl_blob_unref(&letter.frame);
    return true;
}

void
troop_settle(void)
{
    while (troop_deliver()) {
    }
}

void
troop_until(uint32_t index, fl_secagg_step step)
{
    while (fl_secagg_client_step_of(troop[index].member->masking) != step) {
        bool more = troop_deliver();
        FL_ASSERT(more);
    }
}

// ---- a life -----------------------------------------------------------------------------------
void
troop_new(const masked_plan *plan)
{
    troop_world = masked_new(plan, 5);
    troop_out = fl_outbox_new(1024);
    FL_ASSERT(troop_out != NULL);
    memset(troop, 0, sizeof troop);
    memset(alive, 0, sizeof alive);
    newest = 0;
    for (uint32_t i = 0; i < plan->members; i++) {
        masked_member *member = &troop_world->member[i];
        member->conf.again_ms = TROOP_AGAIN_MS;
        troop[i].conf = (fl_participant_conf){ .node = member->node,
                                               .role = member->cert.role,
                                               .incarnation = 5,
                                               .seed = i,
                                               .beat_ms = TROOP_BEAT_MS,
                                               .backoff_min_ms = 100,
                                               .backoff_max_ms = 400,
                                               .masking = &member->conf };
    }
}

void
troop_destroy(void)
{
    for (uint32_t i = 0; i < troop_world->plan.members; i++) {
        fl_participant_destroy(&troop[i].member);
    }
    fl_outbox_destroy(&troop_out);
    masked_destroy(&troop_world);
}

void
troop_certificate(fl_role role, const char *name, uint8_t bytes[FL_CERT_BYTES])
{
    fl_keys *keys = identity_keys(4711);
    (void)identity_cert(troop_world->authority, keys, role, name, 4711, bytes);
    fl_keys_destroy(&keys);
}

void
troop_welcome(uint32_t index, const uint8_t *certificate)
{
    fl_message message = masked_message(troop_world, FL_WELCOME);
    message.round = 0;
    message.welcome = (fl_welcome){ .seat = index,
                                    .epoch = 1,
                                    .beat_ms = TROOP_BEAT_MS,
                                    .up_port = 1001,
                                    .down_port = 1002,
                                    .certificate = fl_bytes_of(certificate, FL_CERT_BYTES) };
    masked_post(troop_world, -1, (int32_t)index, &message);
}

void
troop_join(uint32_t index)
{
    fl_participant_destroy(&troop[index].member);
    troop[index].member = fl_participant_new(&troop[index].conf);
    FL_ASSERT(troop[index].member != NULL);
    troop_tick(index, troop_world->now);
    troop_settle();
    FL_ASSERT(fl_participant_joined(troop[index].member));
    fl_participant_doing(troop[index].member, &(fl_doing){ .leaves = 1, .samples = TROOP_SAMPLES });
}

static void
s_open(void)
{
    masked_world *world = troop_world;
    fl_secagg_invite invites[MASKED_MEMBERS];
    for (uint32_t i = 0; i < world->plan.members; i++) {
        invites[i] = (fl_secagg_invite){ .node = world->member[i].node, .peer = i };
    }
    world->times = (fl_secagg_times){ .keys_by = world->now + 1000,
                                      .deal_by = world->now + 2000,
                                      .ready_by = world->now + 3000,
                                      .upload_by = world->now + 4000 };
    fl_secagg_server_open(world->aggregator, BLOCK, &world->task, invites, world->plan.members,
                          &world->times, world->now, world->out);
    masked_obey(world, -1);
}

void
troop_open(void)
{
    for (uint32_t i = 0; i < troop_world->plan.members; i++) {
        troop_join(i);
    }
    s_open();
}

void
troop_task(uint32_t index, uint32_t attempt)
{
    fl_message message = masked_message(troop_world, FL_TASK);
    message.task = troop_world->task;
    message.task.attempt = attempt;
    message.task.budget_ms = TROOP_BUDGET_MS;
    troop_hear(index, &message);
}

void
troop_begin(void)
{
    troop_open();
    for (uint32_t i = 0; i < troop_world->plan.members; i++) {
        troop_task(i, 1);
    }
}

void
troop_next_round(uint64_t round)
{
    masked_next_round(troop_world, round, false);
    s_open();
}

void
troop_train(uint32_t index)
{
    const masked_member *member = &troop_world->member[index];
    const fl_order *order = &troop_world->task.order;
    fl_offer offer = { .vec = s_vec(),
                       .vector_bytes = (uint64_t)order->elements * order->plan.wire_bytes,
                       .base_round = order->round,
                       .base = order->model,
                       .weight = member->weight,
                       .count = (uint32_t)member->count };
    offer.hash = fl_hash_of(fl_bytes_of(member->wire, offer.vector_bytes));
    memcpy(offer.stats, member->stats, sizeof offer.stats);
    fl_outbox_reset(troop_out);
    fl_participant_offer(troop[index].member, &offer, troop_world->now, troop_out);
    troop_obey(index);
}

void
troop_train_all(void)
{
    for (uint32_t i = 0; i < troop_world->plan.members; i++) {
        troop_train(i);
    }
}

void
troop_close(uint32_t index, fl_outcome outcome, fl_reason reason)
{
    fl_message message = masked_message(troop_world, FL_CLOSED);
    message.closed = (fl_closed){ .attempt = troop[index].member->task.attempt,
                                  .outcome = outcome,
                                  .reason = reason };
    troop_hear(index, &message);
}

fl_verdict
troop_verdict(uint32_t index)
{
    fl_verdict verdict;
    bool there = fl_participant_verdict(troop[index].member, &verdict);
    FL_ASSERT(there);
    bool again = !troop_no_verdict(index);
    FL_ASSERT(!again);
    return verdict;
}

bool
troop_no_verdict(uint32_t index)
{
    fl_verdict verdict;
    return !fl_participant_verdict(troop[index].member, &verdict);
}
