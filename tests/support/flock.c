#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/codec.h"

enum { OUTBOX = 4096, LETTERS = 1 << 16, ANSWERS = 256 };

flock_world flock;

typedef struct letter {
    int32_t from, to; // -1: the aggregator
    fl_blob *frame;
    uint32_t body_bytes;
} letter;

static letter queue[LETTERS];
static uint32_t head, tail;
static fl_outbox *out;

static void s_obey_child(uint32_t index);
static void s_obey_cohort(int32_t sender);

// ---- letters ----------------------------------------------------------------------------------
static void
s_post(int32_t from, int32_t to, const fl_message *message, uint32_t body_bytes)
{
    flock_child *child = &flock.child[from < 0 ? to : from];
    uint64_t bit = (uint64_t)1 << message->verb;
    fl_message copy = *message;
    bool lost = child->cut || ((from < 0 ? child->deaf : child->mute) & bit) != 0;
    if (from >= 0) {
        child->said[message->verb]++;
    }
    if (lost || (flock.hook != NULL && !flock.hook(from, to, &copy))) {
        return;
    }
    FL_ASSERT(tail - head < LETTERS);
    queue[tail++ % LETTERS] = (letter){ from, to, fl_encode(&copy, body_bytes), body_bytes };
    FL_ASSERT(queue[(tail - 1) % LETTERS].frame != NULL);
}

static void
s_forget_letters(void)
{
    for (; head != tail; head++) {
        fl_blob_unref(&queue[head % LETTERS].frame);
    }
}

void
flock_hear(uint32_t index, const fl_message *message)
{
    flock_child *child = &flock.child[index];
    child->told[message->verb]++;
    if (message->verb == FL_CLOSED) {
        child->closed = message->closed;
    } else if (message->verb == FL_REFUSED) {
        child->refused = message->refused;
    }
    fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
    event.message.from = FL_PARENT;
    event.message.message = message;
    event.message.body_bytes = (uint32_t)flock.keys->task.order.model_bytes; // of a PIECE
    fl_participant_step(child->member, &event, flock.now, out);
    s_obey_child(index);
}

void
flock_push(uint32_t index, const fl_message *message, uint32_t body_bytes)
{
    fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
    event.message.from = (fl_peer)index;
    event.message.node = flock.keys->member[index].node;
    event.message.role = flock.keys->member[index].cert.role;
    event.message.message = message;
    event.message.body_bytes = body_bytes;
    fl_aggregator_step(flock.aggregator, &event, flock.now, out);
    s_obey_cohort((int32_t)index);
}

void
flock_say(uint32_t index, const fl_message *message)
{
    flock_push(index, message, 0);
}

bool
flock_deliver(void)
{
    if (head == tail) {
        return false;
    }
    letter one = queue[head++ % LETTERS];
    fl_message message;
    fl_codec_result result = fl_decode(fl_blob_bytes(one.frame), one.body_bytes, &message);
    FL_ASSERT(result.code == FL_CODEC_OK);
    uint32_t index = (uint32_t)(one.to < 0 ? one.from : one.to);
    if (!flock.child[index].cut) {
        if (one.to < 0) {
            flock_push(index, &message, one.body_bytes);
        } else {
            flock_hear(index, &message);
        }
    }
    fl_blob_unref(&one.frame);
    return true;
}

void
flock_ruffle(uint32_t place, bool twice)
{
    if (head == tail) {
        return;
    }
    letter *first = &queue[head % LETTERS];
    letter *other = &queue[(head + place % (tail - head)) % LETTERS];
    letter one = *first;
    *first = *other;
    *other = one;
    if (twice) {
        FL_ASSERT(tail - head < LETTERS);
        queue[tail++ % LETTERS] = (letter){ first->from, first->to, fl_blob_ref(first->frame),
                                            first->body_bytes };
    }
}

void
flock_settle(void)
{
    while (flock_deliver()) {
    }
}

// ---- a child ----------------------------------------------------------------------------------
void
flock_step_child(uint32_t index, fl_event event)
{
    event.wall_s = IDENTITY_NOW;
    fl_participant_step(flock.child[index].member, &event, flock.now, out);
    s_obey_child(index);
}

//  True when the effect has an answer.
static bool
s_obey_child_one(uint32_t index, const fl_effect *effect, fl_event *answer)
{
    flock_child *child = &flock.child[index];
    *answer = (fl_event){ 0 };
    switch ((int)effect->kind) {
    case FL_FX_SEND:
        s_post((int32_t)index, -1, &effect->send.message, 0);
        return false;
    case FL_FX_PUSH:
        s_post((int32_t)index, -1, &effect->push.message, effect->push.bytes);
        return false;
    case FL_FX_CHECK:
        answer->kind = FL_EV_MODEL;
        answer->model.hash = effect->check.hash;
        answer->model.ok = true;
        return true;
    case FL_FX_KEEP:
        memcpy(child->mark, effect->keep.fact.data, sizeof child->mark);
        child->marked = true;
        answer->kind = FL_EV_SAVED;
        answer->saved.token = effect->keep.token;
        answer->saved.ok = true;
        return true;
    case FL_FX_MASK:
        *answer = flock_mask(index, effect);
        return true;
    case FL_FX_DROP:
        FL_ASSERT(child->vecs > 0);
        child->vecs--;
        return false;
    default:
        return false;
    }
}

static void
s_obey_child(uint32_t index)
{
    fl_event answers[ANSWERS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_outbox_count(out); i++) {
        FL_ASSERT(count < ANSWERS);
        count += s_obey_child_one(index, fl_outbox_at(out, i), &answers[count]) ? 1 : 0;
    }
    fl_outbox_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        flock_step_child(index, answers[i]);
    }
    if (fl_participant_wants(flock.child[index].member) && !flock.child[index].idle) {
        flock_train(index);
    }
}

void
flock_train(uint32_t index)
{
    const masked_member *member = &flock.keys->member[index];
    const fl_task *task = fl_participant_task(flock.child[index].member);
    FL_ASSERT(task != NULL);
    uint64_t bytes = (uint64_t)flock.keys->plan.elements * flock.keys->plan.wire_bytes;
    fl_offer offer = { .vec = 1,
                       .hash = fl_hash_of(fl_bytes_of(member->wire, bytes)),
                       .vector_bytes = bytes,
                       .base_round = task->order.round,
                       .base = task->order.model,
                       .weight = member->weight,
                       .count = (uint32_t)member->count };
    fl_block_line line = { .parent = member->node, .hop = 1, .members = 5, .masked = 4,
                           .survivors = 3 };
    if (member->cert.role == FL_ROLE_EDGE) {
        offer.tally = (fl_tally){ .invited = 5, .in = 3, .masked = 4, .recovered = 1 };
        offer.blocks = &line;
        offer.block_count = 1;
    }
    memcpy(offer.stats, member->stats, sizeof offer.stats);
    flock.child[index].vecs++;
    fl_participant_offer(flock.child[index].member, &offer, flock.now, out);
    s_obey_child(index);
}

// ---- the aggregator's crew
// ------------------------------------------------------------------------
static fl_event
s_keep(const fl_effect *effect)
{
    fl_blob **fact = &flock.facts[effect->keep.block][effect->keep.what];
    flock.kept++;
    fl_event event = { .kind = FL_EV_SAVED };
    event.saved.token = effect->keep.token;
    event.saved.ok = flock.kept != flock.fail_keep;
    if (event.saved.ok) {
        fl_blob_unref(fact);
        *fact = fl_blob_copy(effect->keep.fact);
    }
    return event;
}

static void
s_send(const fl_effect *effect)
{
    if (effect->send.to >= flock.keys->plan.members) {
        return; // a stranger
    }
    fl_message message = effect->send.message;
    uint8_t certificate[FL_CERT_BYTES];
    if (message.verb == FL_WELCOME) { // its driver adds what it is itself
        fl_keys *keys = identity_keys(4711);
        fl_role role = flock.keys->plan.hop == 1 ? FL_ROLE_EDGE : FL_ROLE_ROOT;
        (void)identity_cert(flock.keys->authority, keys, role, "edge-a", 4711, certificate);
        fl_keys_destroy(&keys);
        message.welcome.up_port = message.welcome.down_port = 1001;
        message.welcome.certificate = fl_bytes_of(certificate, sizeof certificate);
    }
    s_post(-1, (int32_t)effect->send.to, &message, 0);
}

//  True when the effect has an answer.
static bool
s_obey_one(int32_t sender, const fl_effect *effect, fl_event *answer)
{
    *answer = (fl_event){ 0 };
    switch ((int)effect->kind) {
    case FL_FX_SEND:
        s_send(effect);
        return false;
    case FL_FX_SERVE:
        s_post(-1, (int32_t)effect->serve.to, &effect->serve.message, effect->serve.bytes);
        return false;
    case FL_FX_SLOT:
        flock_slot(effect);
        return false;
    case FL_FX_STAGE:
        flock_stage(sender, effect);
        return false;
    case FL_FX_CLEAR:
        flock_clear(effect->clear.blocks);
        return false;
    case FL_FX_VERIFY:
        FL_ASSERT(effect->verify.weight == 0);
        answer->kind = FL_EV_VERIFIED;
        answer->verified.slot = effect->verify.slot;
        answer->verified.ok = true;
        return true;
    case FL_FX_FOLD:
        flock_fold(effect);
        answer->kind = FL_EV_FOLDED;
        answer->folded.slot = effect->fold.slot;
        return true;
    case FL_FX_FINISH:
        flock_finish(effect->finish.blocks);
        answer->kind = FL_EV_FINISHED;
        return true;
    case FL_FX_KEEP:
        *answer = s_keep(effect);
        return true;
    case FL_FX_UNMASK:
        *answer = flock_unmask(effect);
        return true;
    case FL_FX_NOTE:
        flock.notes[effect->note.id]++;
        return false;
    default:
        FL_ASSERT(effect->kind == FL_FX_EXPEL);
        return false;
    }
}

static bool
s_held_back(const fl_event *answer)
{
    unsigned kind = answer->kind == FL_EV_SAVED      ? FLOCK_SAVED
                    : answer->kind == FL_EV_VERIFIED ? FLOCK_VERIFIED
                    : answer->kind == FL_EV_FOLDED   ? FLOCK_FOLDED
                    : answer->kind == FL_EV_UNMASKED ? FLOCK_UNMASKED
                                                     : 0;
    if ((flock.hold & kind) == 0) {
        return false;
    }
    FL_ASSERT(flock.held_count < FLOCK_HELD);
    flock.held[flock.held_count++] = *answer;
    return true;
}

static void
s_obey_cohort(int32_t sender)
{
    fl_event answers[ANSWERS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_outbox_count(out); i++) {
        FL_ASSERT(count < ANSWERS);
        count += s_obey_one(sender, fl_outbox_at(out, i), &answers[count]) ? 1 : 0;
    }
    fl_outbox_reset(out);
    for (uint32_t i = 0; i < count; i++) {
        if (!s_held_back(&answers[i])) {
            flock_step(&answers[i]);
        }
    }
}

void
flock_step(const fl_event *event)
{
    fl_event timed = *event;
    timed.wall_s = IDENTITY_NOW;
    fl_aggregator_step(flock.aggregator, &timed, flock.now, out);
    s_obey_cohort(-1);
}

void
flock_release(void)
{
    flock.hold = 0;
    for (uint32_t i = 0; i < flock.held_count; i++) {
        flock_step(&flock.held[i]);
    }
    flock.held_count = 0;
}

// ---- a life -----------------------------------------------------------------------------------
static void
s_make_cohort(void)
{
    const fl_order *order = &flock.keys->task.order;
    fl_aggregator_destroy(&flock.aggregator);
    flock.aggregator = fl_aggregator_new(&flock.conf);
    FL_ASSERT(flock.aggregator != NULL);
    flock_forget_slots();
    fl_aggregator_model(flock.aggregator, &order->run, &order->model, order->model_bytes);
}

void
flock_new(const masked_plan *plan)
{
    memset(&flock, 0, sizeof flock);
    flock.keys = masked_new(plan, 5);
    flock.total = calloc(plan->elements, sizeof *flock.total);
    out = fl_outbox_new(OUTBOX);
    FL_ASSERT(out != NULL && flock.total != NULL);
    head = tail = 0;
    flock.now = 1000;
    flock.block_max = FL_MEMBERS_MAX;
    flock.devices_max = flock.keys->task.order.plan.devices_max;
    flock.masking = (fl_secagg_server_conf){ .node = flock.keys->parent,
                                             .hop = plan->hop,
                                             .trust = flock.keys->trust };
    flock.conf = (fl_aggregator_conf){
        .node = flock.keys->parent,
        .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
        .seats_max = MASKED_MEMBERS,
        .slots = FLOCK_SLOTS,
        .window = { .count_min = 1, .time_max_ms = FLOCK_WINDOW_MS, .missed = FL_MISSED_SKIP },
        .timing = { .beat_ms = FLOCK_BEAT_MS,
                    .evasive_beats = 3,
                    .lease_beats = 6,
                    .hop_ms = 10,
                    .finish_ms = 50,
                    .rate_window_ms = 100000 },
        .masking = &flock.masking
    };
    for (uint32_t i = 0; i < plan->members; i++) {
        masked_member *member = &flock.keys->member[i];
        member->conf.again_ms = 700;
        flock.child[i].conf = (fl_participant_conf){ .node = member->node,
                                                     .role = member->cert.role,
                                                     .incarnation = 1,
                                                     .seed = i,
                                                     .beat_ms = FLOCK_BEAT_MS,
                                                     .backoff_min_ms = 50,
                                                     .backoff_max_ms = 100,
                                                     .masking = &member->conf };
    }
    s_make_cohort();
}

static void
s_forget_facts(void)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        for (int what = 0; what < FL_KEEP_COUNT; what++) {
            fl_blob_unref(&flock.facts[i][what]);
        }
    }
}

void
flock_destroy(void)
{
    s_forget_letters();
    s_forget_facts();
    flock_clear(0);
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        fl_participant_destroy(&flock.child[i].member);
    }
    fl_aggregator_destroy(&flock.aggregator);
    fl_outbox_destroy(&out);
    free(flock.total);
    masked_destroy(&flock.keys);
}

void
flock_join(uint32_t index)
{
    flock_child *child = &flock.child[index];
    fl_secagg_mark mark;
    if (child->marked) {
        bool fine = fl_secagg_mark_decode(fl_bytes_of(child->mark, sizeof child->mark), &mark);
        FL_ASSERT(fine);
        child->conf.mark = &mark;
    }
    fl_participant_destroy(&child->member);
    child->member = fl_participant_new(&child->conf);
    child->conf.mark = NULL;
    child->vecs = 0;
    FL_ASSERT(child->member != NULL);
    fl_participant_doing(child->member, &(fl_doing){ .leaves = 1 });
    flock_step_child(index, (fl_event){ .kind = FL_EV_TICK });
}

void
flock_join_all(void)
{
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        flock_join(i);
        flock_settle();
    }
    FL_ASSERT(fl_aggregator_joined(flock.aggregator) == flock.keys->plan.members);
}

void
flock_restart_child(uint32_t index)
{
    flock.child[index].conf.incarnation++;
    flock_join(index);
}

void
flock_restart(void)
{
    static fl_bytes facts[FL_BLOCKS_MAX * FL_KEEP_COUNT];
    flock.conf.facts = facts;
    flock.conf.fact_count = 0;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        for (int what = FL_KEEP_ROSTER; what < FL_KEEP_COUNT; what++) {
            if (flock.facts[i][what] != NULL) {
                facts[flock.conf.fact_count++] = fl_blob_bytes(flock.facts[i][what]);
            }
        }
    }
    s_forget_letters();
    flock.held_count = 0;
    s_make_cohort();
}

// ---- rounds -----------------------------------------------------------------------------------
void
flock_open_again(fl_time due)
{
    fl_task *task = &flock.keys->task;
    const fl_order *order = &task->order;
    task->attempt = ++flock.attempt;
    fl_aggregator_model(flock.aggregator, &order->run, &order->model, order->model_bytes);
    fl_aggregator_open(flock.aggregator, task, due, IDENTITY_NOW, flock.now, out);
    s_obey_cohort(-1);
}

void
flock_open(uint64_t round, fl_time due)
{
    masked_next_round(flock.keys, round, false);
    fl_task *task = &flock.keys->task;
    task->order.plan.block_max = (uint8_t)flock.block_max;
    task->order.plan.devices_max = flock.devices_max;
    uint8_t bytes[FL_ORDER_BYTES];
    fl_order_encode(&task->order, bytes);
    fl_order_sign(flock.keys->authority, fl_bytes_of(bytes, sizeof bytes), task->signature);
    flock.attempt = 0;
    flock.finished = 0;
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        flock.child[i].closed = (fl_closed){ 0 };
        flock.child[i].refused = (fl_refused){ 0 };
    }
    flock_open_again(due);
}

void
flock_settle_round(fl_outcome outcome)
{
    s_forget_facts(); // of a round that is over
    fl_aggregator_settle(flock.aggregator, outcome, FL_WHY_NONE, false, flock.now, out);
    s_obey_cohort(-1);
    flock_settle();
}
