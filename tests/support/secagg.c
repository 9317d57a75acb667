#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/machine/policy.h"
#include "common/wire/codec.h"
#include "common/wire/manifest.h"

enum { OUTBOX = 1024, STEP_MS = 1000 };

masked_plan
masked_plan_small(uint32_t members)
{
    return (masked_plan){ .members = members,
                          .elements = 8,
                          .profile = FL_MASKING_MALICIOUS,
                          .bits = 8,
                          .ring_bits = 32,
                          .wire_bytes = 3,
                          .weight_max = 4,
                          .hop = 1 };
}

// ---- the world -------------------------------------------------------------------------------
void
masked_sign(const masked_world *world, fl_task *task)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    task->order.manifest = fl_hash_of(fl_manifest_encode(&task->order, room));
    task->order.settings = fl_hash_of(fl_settings_encode(&task->order, room));
    fl_order_encode(&task->order, room);
    fl_order_sign(world->authority, fl_bytes_of(room, FL_ORDER_BYTES), task->signature);
}

static void
s_sign_task(masked_world *world, uint64_t round, uint64_t model)
{
    const masked_plan *plan = &world->plan;
    fl_order *order = &world->task.order;
    *order = (fl_order){ .round = round,
                         .draw = world->draw,
                         .model_bytes = 4,
                         .elements = plan->elements,
                         .plan = { .clip = 1.0f,
                                   .bits = plan->bits,
                                   .weight_unit = 1,
                                   .weight_max = plan->weight_max,
                                   .weighting = (uint8_t)plan->weighting,
                                   .devices_max = 256,
                                   .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } },
                                   .masking = { (uint8_t)plan->profile, (uint8_t)plan->profile },
                                   .block_max = 64,
                                   .pin = plan->pin,
                                   .members_min = { plan->members_min, plan->members_min },
                                   .survivors_min = { plan->survivors_min, plan->survivors_min },
                                   .step_ms = plan->step_ms > 0 ? plan->step_ms : STEP_MS } };
    memset(order->run.bytes, 0x11 + world->run, sizeof order->run.bytes);
    for (size_t i = 0; i < sizeof order->model.bytes; i++) {
        order->model.bytes[i] = (uint8_t)(model >> (8 * (i % 8)));
        order->tensors.bytes[i] = order->model.bytes[i] ^ 0x55;
    }
    masked_sign(world, &world->task);
    world->task.attempt = 1;
    world->task.budget_ms = 1000000;
}

static void
s_make_machine(masked_world *world, uint32_t index)
{
    masked_member *member = &world->member[index];
    fl_secagg_mark mark;
    if (member->marked) {
        bool fine = fl_secagg_mark_decode(fl_bytes_of(member->mark, sizeof member->mark), &mark);
        FL_ASSERT(fine);
    }
    member->machine = fl_secagg_client_new(&member->conf, member->marked ? &mark : NULL);
    FL_ASSERT(member->machine != NULL);
    fl_secagg_client_under(member->machine, &world->parent, member->conf.hop);
}

static void
s_make_member(masked_world *world, uint32_t index, uint64_t seed)
{
    const masked_plan *plan = &world->plan;
    masked_member *member = &world->member[index];
    char name[16];
    (void)snprintf(name, sizeof name, "m-%02u", index);
    member->node = identity_node(name);
    member->keys = identity_keys(seed * 100 + index + 1);
    fl_role role = plan->hop == 1 ? FL_ROLE_DEVICE : FL_ROLE_EDGE;
    member->cert =
        identity_cert(world->authority, member->keys, role, name, index + 1, member->certificate);
    member->seeded = fl_seeded_of(seed * 1000 + index);
    member->conf = (fl_secagg_client_conf){ .keys = member->keys,
                                            .node = member->node,
                                            .hop = plan->hop,
                                            .trust = world->trust,
                                            .entropy = fl_entropy_seeded(&member->seeded),
                                            .profile = plan->profile,
                                            .members_min = plan->own_members_min,
                                            .survivors_min = plan->own_survivors_min,
                                            .pin_allowed = plan->pin,
                                            .samples = plan->samples[index],
                                            .again_ms = 1000000 };
    memcpy(member->conf.certificate, member->certificate, FL_CERT_BYTES);
    member->plain = calloc(plan->elements, sizeof *member->plain);
    member->wire = calloc(plan->elements, plan->wire_bytes);
    member->masked = calloc(plan->elements, plan->wire_bytes);
    FL_ASSERT(member->plain != NULL && member->wire != NULL && member->masked != NULL);
    s_make_machine(world, index);
}

//  Some elements at their maximum.
static void
s_draw_updates(masked_world *world, uint64_t seed)
{
    const masked_plan *plan = &world->plan;
    fl_rng rng = fl_rng_seeded(seed ^ 0x5eed);
    int64_t limit = ((int64_t)1 << (plan->bits - 1)) - 1;
    for (uint32_t i = 0; i < plan->members; i++) {
        masked_member *member = &world->member[i];
        member->count = plan->hop == 1 ? 1 : 1 + fl_rng_below(&rng, 4);
        member->weight =
            member->count + fl_rng_below(&rng, member->count * (plan->weight_max - 1) + 1);
        if (plan->weighting == FL_WEIGHTING_CLASSES) {
            member->weight = fl_policy_weight(plan->samples[i], &world->task.order.plan);
        }
        for (int k = 0; k < FL_STATS; k++) {
            member->stats[k] = fl_rng_below(&rng, 1000000);
        }
        for (uint32_t e = 0; e < plan->elements; e++) {
            int64_t q = (int64_t)fl_rng_below(&rng, (uint64_t)(2 * limit + 1)) - limit;
            q = fl_rng_below(&rng, 50) == 0 ? limit : q;
            member->plain[e] = q * (int64_t)member->weight;
            for (uint32_t b = 0; b < plan->wire_bytes; b++) {
                member->wire[e * plan->wire_bytes + b] =
                    (uint8_t)((uint64_t)member->plain[e] >> (8 * b));
            }
        }
    }
}

masked_world *
masked_new(const masked_plan *plan, uint64_t seed)
{
    masked_world *world = calloc(1, sizeof *world);
    FL_ASSERT(world != NULL && fl_crypto_init(NULL) == FL_OK);
    world->plan = *plan;
    world->parent = identity_node("edge-a");
    world->authority = identity_authority(seed + 7);
    world->deny = fl_deny_list_new();
    world->trust = (fl_secagg_trust){ .authority = fl_authority_public_of(world->authority),
                                      .deny = world->deny,
                                      .roles = FL_ROLES_CHILD };
    world->out = fl_outbox_new(OUTBOX);
    world->now = 1000;
    world->sum = calloc(plan->elements, sizeof *world->sum);
    FL_ASSERT(world->deny != NULL && world->out != NULL && world->sum != NULL);
    s_sign_task(world, 1, 1);
    world->model = 1;
    for (uint32_t i = 0; i < plan->members; i++) {
        s_make_member(world, i, seed);
    }
    world->aggregator = fl_secagg_server_new(
        &(fl_secagg_server_conf){ .node = world->parent, .hop = plan->hop, .trust = world->trust });
    world->burnt = fl_burnt_book_new();
    FL_ASSERT(world->aggregator != NULL && world->burnt != NULL);
    s_draw_updates(world, seed);
    return world;
}

static void
s_empty_queue(masked_world *world)
{
    for (; world->head < world->tail; world->head++) {
        fl_blob_unref(&world->queue[world->head % MASKED_QUEUE].frame);
    }
    world->head = world->tail = 0;
}

void
masked_destroy(masked_world **world_p)
{
    masked_world *world = *world_p;
    *world_p = NULL;
    s_empty_queue(world);
    for (uint32_t i = 0; i < world->plan.members; i++) {
        masked_member *member = &world->member[i];
        fl_secagg_client_destroy(&member->machine);
        fl_keys_destroy(&member->keys);
        free(member->plain);
        free(member->wire);
        free(member->masked);
    }
    for (int i = 0; i < FL_KEEP_COUNT; i++) {
        fl_blob_unref(&world->facts[i]);
    }
    fl_secagg_server_destroy(&world->aggregator);
    fl_burnt_book_destroy(&world->burnt);
    fl_outbox_destroy(&world->out);
    fl_deny_list_destroy(&world->deny);
    fl_authority_destroy(&world->authority);
    free(world->sum);
    free(world);
}

void
masked_next_round(masked_world *world, uint64_t round, bool same_model)
{
    s_sign_task(world, round, same_model ? world->model : round);
    world->model = same_model ? world->model : round;
    s_empty_queue(world);
    memset(world->sum, 0, world->plan.elements * sizeof *world->sum);
    world->folded = world->unmasks = 0;
    for (uint32_t i = 0; i < world->plan.members; i++) {
        world->member[i].uploaded = false;
        world->member[i].silent = false;
    }
    for (int i = 0; i < FL_KEEP_COUNT; i++) {
        fl_blob_unref(&world->facts[i]);
    }
}

// ---- messages --------------------------------------------------------------------------------
static masked_drop
s_step_of(fl_verb verb)
{
    return verb == FL_KEYS     ? MASKED_BEFORE_KEYS
           : verb == FL_SHARES ? MASKED_BEFORE_SHARES
           : verb == FL_READY  ? MASKED_BEFORE_READY
           : verb == FL_ACK    ? MASKED_BEFORE_ACK
           : verb == FL_UNMASK ? MASKED_BEFORE_UNMASK
                               : MASKED_STAYS;
}

static void
s_post(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (from >= 0 && message->verb != FL_REFUSED) {
        masked_member *member = &world->member[from];
        member->silent = member->silent ||
                         (member->drop != MASKED_STAYS && s_step_of(message->verb) == member->drop);
    }
    if ((from >= 0 && world->member[from].silent) || (to >= 0 && world->member[to].silent)) {
        return;
    }
    if (world->hook == NULL || world->hook(world, from, to, message)) {
        masked_post(world, from, to, message);
    }
}

void
masked_post(masked_world *world, int32_t from, int32_t to, const fl_message *message)
{
    FL_ASSERT(world->tail - world->head < MASKED_QUEUE);
    masked_letter *letter = &world->queue[world->tail++ % MASKED_QUEUE];
    *letter = (masked_letter){ .from = from, .to = to, .frame = fl_encode(message, 0) };
    FL_ASSERT(letter->frame != NULL);
}

fl_message
masked_message(const masked_world *world, fl_verb verb)
{
    fl_message message = { .verb = verb };
    message.run = world->task.order.run;
    message.round = world->task.order.round;
    return message;
}

void
masked_say(masked_world *world, uint32_t index, const fl_message *message)
{
    fl_secagg_client_hear(world->member[index].machine, message, IDENTITY_NOW, world->now,
                          world->out);
    masked_obey(world, (int32_t)index);
}

bool
masked_deliver(masked_world *world)
{
    if (world->head == world->tail) {
        return false;
    }
    masked_letter letter = world->queue[world->head++ % MASKED_QUEUE];
    fl_message message;
    fl_codec_result result = fl_decode(fl_blob_bytes(letter.frame), 0, &message);
    FL_ASSERT(result.code == FL_CODEC_OK);
    if (letter.to >= 0) {
        if (!world->member[letter.to].silent) {
            masked_say(world, (uint32_t)letter.to, &message);
        }
    } else if (message.verb == FL_BURNT) {
        if (fl_burnt_book_hear(world->burnt, &world->member[letter.from].node, &message)) {
            masked_say_burnts(world);
        }
    } else {
        fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
        event.message.from = (fl_peer)letter.from;
        event.message.node = world->member[letter.from].node;
        event.message.role = world->member[letter.from].cert.role;
        event.message.message = &message;
        fl_secagg_server_hear(world->aggregator, event.message.from, &event, world->now,
                              world->out);
        masked_obey(world, -1);
    }
    fl_blob_unref(&letter.frame);
    return true;
}

// ---- effects ---------------------------------------------------------------------------------
bool
masked_saved(masked_world *world, uint32_t index, uint64_t token, bool ok)
{
    fl_event saved = { .kind = FL_EV_SAVED, .token = token, .saved.ok = ok };
    return fl_secagg_client_answer(world->member[index].machine, &saved, world->now, world->out);
}

static void
s_keep(masked_world *world, int32_t index, const fl_effect *effect)
{
    if (index >= 0) {
        masked_member *member = &world->member[index];
        FL_ASSERT(effect->keep.fact.size == sizeof member->mark);
        bool durable = true;
        const bool lives =
            world->keep_hook == NULL || world->keep_hook(world, (uint32_t)index, &durable);
        if (durable) {
            memcpy(member->mark, effect->keep.fact.data, sizeof member->mark);
            member->marked = true;
        }
        if (lives) {
            (void)masked_saved(world, (uint32_t)index, effect->token, true);
        }
        return;
    }
    fl_blob_unref(&world->facts[effect->keep.what]);
    world->facts[effect->keep.what] = fl_blob_copy(effect->keep.fact);
    if (effect->keep.what == FL_KEEP_EVIDENCE) {
        return;
    }
    world->token = effect->token;
    if (!world->hold_saved) {
        masked_answer_saved(world, true);
    }
}

void
masked_answer_saved(masked_world *world, bool ok)
{
    fl_event saved = { .kind = FL_EV_SAVED, .token = world->token, .saved.ok = ok };
    bool ours = fl_secagg_server_answer(world->aggregator, &saved, world->now, world->out);
    FL_ASSERT(ours);
    if (world->hold_saved) {
        masked_obey(world, -1);
    }
}

void
masked_obey(masked_world *world, int32_t index)
{
    //  Answers append to the same outbox: effects are taken one by one until none is left.
    for (uint32_t i = 0; i < fl_outbox_count(world->out); i++) {
        fl_effect effect = *fl_outbox_at(world->out, i);
        if (effect.kind == FL_FX_SEND) {
            int32_t to = effect.send.to == FL_PARENT ? -1 : (int32_t)effect.send.to;
            s_post(world, index, to, &effect.send.message);
        } else if (effect.kind == FL_FX_KEEP) {
            s_keep(world, index, &effect);
        } else if (effect.kind == FL_FX_MASK) {
            masked_mask(world, (uint32_t)index, &effect);
        } else if (effect.kind == FL_FX_UNMASK) {
            masked_unmask(world, &effect);
        } else {
            FL_ASSERT(effect.kind == FL_FX_NOTE);
            world->notes[effect.note.id]++;
            if (world->note_hook != NULL) {
                world->note_hook(world, index, &effect.note);
            }
            if (effect.note.id == FL_NOTE_MASKING_BLAMED) {
                world->blamed = effect.note.node;
                world->blamed_reason = effect.note.reason;
            }
        }
    }
    fl_outbox_reset(world->out);
    if (index >= 0) {
        (void)masked_upload(world, (uint32_t)index);
    }
}

// ---- uploads ---------------------------------------------------------------------------------
fl_reason
masked_upload(masked_world *world, uint32_t index)
{
    masked_member *member = &world->member[index];
    fl_secagg_upload upload;
    if (!fl_secagg_client_upload(member->machine, &upload) || member->uploaded) {
        return FL_WHY_NONE;
    }
    member->silent = member->silent || member->drop == MASKED_BEFORE_UPLOAD;
    if (member->silent) {
        return FL_WHY_SILENT;
    }
    fl_message message = masked_message(world, FL_CONTRIB);
    message.contrib.attempt = 1;
    message.contrib.base_round = world->task.order.round;
    message.contrib.base = world->task.order.model;
    message.contrib.elements = world->plan.elements;
    message.contrib.vector_bytes = upload.vector_bytes;
    message.contrib.hash = upload.hash;
    message.contrib.header = upload.header;
    message.contrib.psig = upload.psig;
    if (world->hook != NULL && !world->hook(world, (int32_t)index, -1, &message)) {
        return FL_WHY_SILENT;
    }
    fl_reason reason =
        fl_secagg_server_contrib(world->aggregator, index, &message.contrib, world->out);
    if (reason == FL_WHY_NONE) {
        member->uploaded = true;
        if (fl_secagg_server_uploaded(world->aggregator, index, world->now, world->out)) {
            masked_fold(world, member->masked);
        }
    }
    masked_obey(world, -1);
    return reason;
}

// ---- a round ---------------------------------------------------------------------------------
void
masked_begin(masked_world *world, uint32_t index)
{
    fl_reason reason =
        fl_secagg_client_begin(world->member[index].machine, &world->task, &world->parent,
                               world->now + 1000000, world->now, world->out);
    world->member[index].refused = reason;
    world->member[index].silent = world->member[index].silent || reason != FL_WHY_NONE;
    masked_obey(world, (int32_t)index);
}

void
masked_train(masked_world *world, uint32_t index)
{
    masked_member *member = &world->member[index];
    fl_secagg_input input = { .vec = 100 + index,
                              .elements = world->plan.elements,
                              .weight = member->weight,
                              .count = (uint32_t)member->count,
                              .base = world->task.order.model };
    memcpy(input.stats, member->stats, sizeof input.stats);
    fl_reason reason = fl_secagg_client_trained(member->machine, &input, world->now, world->out);
    (void)reason; // of a member that fell out: nobody waits for it
    masked_obey(world, (int32_t)index);
}

static fl_pool_run
s_run_of(const masked_world *world, uint32_t index)
{
    return fl_pool_run_of(&world->pool, world->task.order.plan.batch, &world->member[index].node);
}

void
masked_invite(masked_world *world)
{
    fl_secagg_invite invites[MASKED_MEMBERS];
    for (uint32_t i = 0; i < world->plan.members; i++) {
        invites[i] = (fl_secagg_invite){ world->member[i].node, i, i, s_run_of(world, i) };
    }
    world->times = (fl_secagg_times){ .keys_by = world->now + 100,
                                      .deal_by = world->now + 200,
                                      .ready_by = world->now + 300,
                                      .upload_by = world->now + 400 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, invites, world->plan.members,
                          &world->times, world->now, world->out);
    masked_obey(world, -1);
}

void
masked_open(masked_world *world)
{
    masked_invite(world);
    for (uint32_t i = 0; i < world->plan.members; i++) {
        masked_begin(world, i);
        masked_train(world, i);
    }
}

bool
masked_settle(masked_world *world)
{
    fl_secagg_result result;
    while (masked_deliver(world)) {
    }
    return fl_secagg_server_result(world->aggregator, &result);
}

fl_reason
masked_run(masked_world *world)
{
    fl_secagg_result result;
    for (int turns = 0; turns < 32 && !masked_settle(world); turns++) {
        fl_time due = fl_secagg_server_deadline(world->aggregator);
        FL_ASSERT(due != FL_NEVER);
        world->now = due;
        fl_secagg_server_tick(world->aggregator, world->now, world->out);
        masked_obey(world, -1);
    }
    bool ended = fl_secagg_server_result(world->aggregator, &result);
    FL_ASSERT(ended);
    return result.reason;
}

// ---- restarts --------------------------------------------------------------------------------
void
masked_restart_member(masked_world *world, uint32_t index)
{
    fl_secagg_client_destroy(&world->member[index].machine);
    s_make_machine(world, index);
}

bool
masked_restart_cohort(masked_world *world)
{
    fl_secagg_invite invites[MASKED_MEMBERS];
    fl_bytes facts[FL_KEEP_COUNT];
    uint32_t count = 0;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS && world->facts[what] != NULL; what++) {
        facts[count++] = fl_blob_bytes(world->facts[what]);
    }
    for (uint32_t i = 0; i < world->plan.members; i++) { // in another order than before
        uint32_t from = world->plan.members - 1 - i;
        invites[i] =
            (fl_secagg_invite){ world->member[from].node, from, from, s_run_of(world, from) };
        world->member[i].uploaded = false;
    }
    s_empty_queue(world);
    memset(world->sum, 0, world->plan.elements * sizeof *world->sum);
    world->folded = 0;
    fl_secagg_server_conf conf = { .node = world->parent,
                                   .hop = world->plan.hop,
                                   .trust = world->trust };
    fl_secagg_server_destroy(&world->aggregator);
    world->aggregator = fl_secagg_server_new(&conf);
    FL_ASSERT(world->aggregator != NULL);
    fl_secagg_times times = { .keys_by = world->now + 100,
                              .deal_by = world->now + 200,
                              .ready_by = world->now + 300,
                              .upload_by = world->now + 400 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, invites, world->plan.members, &times,
                          world->now, world->out);
    bool fine = fl_secagg_server_resume(world->aggregator, facts, count, IDENTITY_NOW, world->now,
                                        world->out);
    masked_obey(world, -1);
    for (uint32_t i = 0; i < world->plan.members; i++) {
        if (!world->member[i].silent) {
            fl_secagg_client_again(world->member[i].machine, world->now, world->out);
            masked_obey(world, (int32_t)i);
        }
    }
    return fine;
}

// ---- the oracle's word -----------------------------------------------------------------------
bool
masked_sum_exact(const masked_world *world)
{
    fl_secagg_result result;
    if (!fl_secagg_server_result(world->aggregator, &result) || result.reason != FL_WHY_NONE) {
        return false;
    }
    fl_secagg_sums want = { .checksum = result.sums.checksum };
    bool same = true;
    for (uint32_t i = 0; i < world->plan.members; i++) {
        const masked_member *member = &world->member[i];
        if (fl_secagg_server_seat(world->aggregator, i).survived) {
            want.weight += member->weight;
            want.count += member->count;
            for (int k = 0; k < FL_STATS; k++) {
                want.stats[k] += member->stats[k];
            }
        }
    }
    for (uint32_t e = 0; e < world->plan.elements; e++) {
        int64_t sum = 0;
        for (uint32_t i = 0; i < world->plan.members; i++) {
            sum += fl_secagg_server_seat(world->aggregator, i).survived ? world->member[i].plain[e]
                                                                        : 0;
        }
        same = same && (int64_t)world->sum[e] == sum;
    }
    return same && memcmp(&want, &result.sums, sizeof want) == 0;
}
