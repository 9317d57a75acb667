#include "tests/support/machine.h"

#include <stdio.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/codec.h"

fl_outbox *machine_out;
fl_machine machine_it;
fl_time machine_now;

static uint64_t newest[FL_FX_COUNT][FL_SLOTS_MAX];

//  Which questions were asked last.
static void
s_remember(void)
{
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        const fl_effect *effect = fl_outbox_at(machine_out, i);
        uint32_t slot = effect->kind == FL_FX_VERIFY ? effect->verify.slot
                        : effect->kind == FL_FX_FOLD ? effect->fold.slot
                                                     : 0;
        newest[effect->kind][slot] =
            effect->token != 0 ? effect->token : newest[effect->kind][slot];
    }
}

int
machine_setup(void **state)
{
    (void)state;
    machine_out = fl_outbox_new(MACHINE_ROOM);
    return machine_out == NULL;
}

int
machine_teardown(void **state)
{
    (void)state;
    fl_outbox_destroy(&machine_out);
    return 0;
}

void
machine_clear(void)
{
    s_remember();
    fl_outbox_reset(machine_out);
}

uint64_t
machine_token(fl_effect_kind kind, uint32_t slot)
{
    s_remember();
    return newest[kind][slot];
}

static const fl_message *
s_message(const fl_effect *effect, fl_peer *to, uint32_t *body_bytes)
{
    *to = FL_PARENT;
    *body_bytes = 0;
    if (effect->kind == FL_FX_SEND) {
        *to = effect->send.to;
        return &effect->send.message;
    }
    if (effect->kind == FL_FX_PUSH) {
        *body_bytes = effect->push.bytes;
        return &effect->push.message;
    }
    if (effect->kind == FL_FX_SERVE) {
        *to = effect->serve.to;
        *body_bytes = effect->serve.bytes;
        return &effect->serve.message;
    }
    return NULL;
}

void
machine_proof(void)
{
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        fl_peer to;
        uint32_t body_bytes;
        const fl_message *message = s_message(fl_outbox_at(machine_out, i), &to, &body_bytes);
        if (message != NULL) {
            fl_blob *frame = fl_encode(message, body_bytes);
            FL_ASSERT(frame != NULL);
            fl_blob_unref(&frame);
        }
    }
}

void
machine_step(const fl_event *event)
{
    machine_clear();
    machine_it.step(machine_it.self, event, machine_now, machine_out);
    machine_proof();
}

void
machine_tick(void)
{
    machine_step(&(fl_event){ .kind = FL_EV_TICK });
}

void
machine_hear_parent(const fl_message *message, uint32_t body_bytes)
{
    fl_event event = machine_from_parent(message, body_bytes);
    machine_step(&event);
}

void
machine_hear_child(fl_peer peer, const fl_message *message, uint32_t body_bytes)
{
    char name[16];
    (void)snprintf(name, sizeof name, "d%u", peer);
    fl_event event = machine_from_child(peer, name, FL_ROLE_DEVICE, message, body_bytes);
    machine_step(&event);
}

void
machine_saved(uint64_t token, bool ok)
{
    fl_event event = { .kind = FL_EV_SAVED };
    event.token = token;
    event.saved.ok = ok;
    machine_step(&event);
}

void
machine_model(bool ok)
{
    fl_event event = { .kind = FL_EV_MODEL };
    event.token = machine_token(FL_FX_CHECK, 0);
    event.model.ok = ok;
    machine_step(&event);
}

void
machine_verified(uint32_t slot, bool ok, fl_reason reason)
{
    fl_event event = { .kind = FL_EV_VERIFIED };
    event.token = machine_token(FL_FX_VERIFY, slot);
    event.verified.ok = ok;
    event.verified.reason = reason;
    machine_step(&event);
}

void
machine_folded(uint32_t slot)
{
    fl_event event = { .kind = FL_EV_FOLDED };
    event.token = machine_token(FL_FX_FOLD, slot);
    machine_step(&event);
}

void
machine_finished(fl_vec vec)
{
    fl_event event = { .kind = FL_EV_FINISHED, .token = machine_token(FL_FX_FINISH, 0) };
    event.finished.vec = vec;
    event.finished.hash = machine_hash(MACHINE_SUM);
    event.finished.bytes = MACHINE_VECTOR;
    machine_step(&event);
}

// ---- a whole step -----------------------------------------------------------------------------
void
machine_join(fl_peer peer)
{
    fl_message hello = machine_hello(100 + peer, 1);
    machine_hear_child(peer, &hello, 0);
}

void
machine_fetch(void)
{
    fl_message piece = machine_message(FL_PIECE, 1);
    piece.piece = (fl_piece){ .hash = machine_hash(1), .total = MACHINE_MODEL };
    machine_hear_parent(&piece, MACHINE_MODEL);
    machine_model(true);
}

uint32_t
machine_send(fl_peer peer, const fl_order *order, uint32_t attempt, uint32_t number,
             uint64_t weight)
{
    fl_message contrib = machine_contrib(order, attempt, peer, 1, number, weight);
    machine_hear_child(peer, &contrib, 0);
    FL_ASSERT(machine_said(peer, FL_GRANT) != NULL);
    fl_message chunk = machine_chunk(&contrib, 0);
    machine_hear_child(peer, &chunk, MACHINE_VECTOR);
    FL_ASSERT(machine_count(FL_FX_VERIFY) == 1);
    return machine_effect(FL_FX_VERIFY)->verify.slot;
}

// ---- names ------------------------------------------------------------------------------------
fl_name
machine_node(const char *name)
{
    fl_name node;
    FL_ASSERT(fl_name_parse(name, &node));
    return node;
}

fl_run
machine_run(uint8_t number)
{
    fl_run run;
    memset(&run, number, sizeof run);
    return run;
}

fl_hash
machine_hash(uint32_t number)
{
    fl_hash hash;
    memset(&hash, 0xee, sizeof hash);
    memcpy(&hash, &number, sizeof number);
    return hash;
}

fl_plan
machine_plan(void)
{
    return (fl_plan){
        .clip = 1.0f,
        .bits = 16,
        .weight_unit = 10,
        .weight_max = 100,
        .devices_max = 50,
        .recipe = { 3, { { "batch", 32 }, { "epochs", 1 }, { "rate", 0.1f } } },
        .late = FL_LATE_CARRY,
        .staleness_max = 2,
    };
}

fl_order
machine_order_of(uint64_t round, uint64_t vector_bytes)
{
    return (fl_order){ .run = machine_run(1),
                       .round = round,
                       .model = machine_hash((uint32_t)round),
                       .model_bytes = MACHINE_MODEL,
                       .elements = vector_bytes / 4,
                       .plan = machine_plan() };
}

fl_order
machine_order(uint64_t round)
{
    return machine_order_of(round, MACHINE_VECTOR);
}

// ---- messages and events ----------------------------------------------------------------------
fl_message
machine_message(fl_verb verb, uint64_t round)
{
    return (fl_message){ .verb = verb, .run = machine_run(1), .round = round };
}

fl_message
machine_task(const fl_order *order, uint32_t attempt, uint32_t budget_ms)
{
    fl_message message = { .verb = FL_TASK, .run = order->run, .round = order->round };
    message.task = (fl_task){ .attempt = attempt, .budget_ms = budget_ms, .order = *order };
    return message;
}

fl_message
machine_welcome(uint32_t seat, uint32_t epoch)
{
    fl_message message = machine_message(FL_WELCOME, 0);
    message.welcome = (fl_welcome){
        .seat = seat, .epoch = epoch, .beat_ms = 100, .up_port = 1001, .down_port = 1002
    };
    return message;
}

fl_message
machine_refused(fl_verb about, uint64_t round, fl_reason reason)
{
    fl_message message = machine_message(FL_REFUSED, round);
    message.refused = (fl_refused){ .reason = reason, .about = about };
    return message;
}

fl_message
machine_closed(uint64_t round, uint32_t attempt, fl_outcome outcome, fl_reason reason)
{
    fl_message message = machine_message(FL_CLOSED, round);
    message.closed = (fl_closed){ .attempt = attempt, .outcome = outcome, .reason = reason };
    return message;
}

fl_message
machine_hello(uint64_t incarnation, uint32_t leaves)
{
    fl_message message = { .verb = FL_HELLO };
    message.hello =
        (fl_hello){ .role = FL_ROLE_DEVICE, .incarnation = incarnation, .leaves = leaves };
    return message;
}

fl_message
machine_beat(uint32_t seat, uint32_t epoch, uint64_t round, uint32_t attempt, fl_activity activity)
{
    fl_message message = machine_message(FL_BEAT, round);
    message.beat = (fl_beat){
        .seat = seat, .epoch = epoch, .attempt = attempt, .activity = activity, .leaves = 1
    };
    return message;
}

fl_message
machine_contrib(const fl_order *order, uint32_t attempt, uint32_t seat, uint32_t epoch,
                uint32_t number, uint64_t weight)
{
    fl_message message = machine_message(FL_CONTRIB, order->round);
    message.contrib = (fl_contrib){ .attempt = attempt,
                                    .seat = seat,
                                    .epoch = epoch,
                                    .base_round = order->round,
                                    .base = order->model,
                                    .weight = weight,
                                    .count = 1,
                                    .elements = order->elements,
                                    .vector_bytes = order->elements * 4,
                                    .hash = machine_hash(number) };
    message.contrib.stats[FL_STAT_SAMPLES] = weight * order->plan.weight_unit;
    return message;
}

fl_message
machine_chunk(const fl_message *contrib, uint64_t offset)
{
    fl_message message = machine_message(FL_CHUNK, contrib->round);
    message.chunk = (fl_chunk){ .attempt = contrib->contrib.attempt,
                                .seat = contrib->contrib.seat,
                                .epoch = contrib->contrib.epoch,
                                .hash = contrib->contrib.hash,
                                .offset = offset,
                                .total = contrib->contrib.vector_bytes };
    return message;
}

fl_event
machine_from_parent(const fl_message *message, uint32_t body_bytes)
{
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = FL_PARENT;
    event.message.message = message;
    event.message.body_bytes = body_bytes;
    return event;
}

fl_event
machine_from_child(fl_peer peer, const char *node, fl_role role, const fl_message *message,
                   uint32_t body_bytes)
{
    fl_event event = machine_from_parent(message, body_bytes);
    event.message.from = peer;
    event.message.node = machine_node(node);
    event.message.role = role;
    return event;
}

// ---- what was asked for -----------------------------------------------------------------------
uint32_t
machine_count(fl_effect_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        count += fl_outbox_at(machine_out, i)->kind == kind;
    }
    return count;
}

const fl_effect *
machine_effect(fl_effect_kind kind)
{
    for (uint32_t i = fl_outbox_count(machine_out); i-- > 0;) {
        if (fl_outbox_at(machine_out, i)->kind == kind) {
            return fl_outbox_at(machine_out, i);
        }
    }
    return NULL;
}

const fl_message *
machine_said(fl_peer to, fl_verb verb)
{
    for (uint32_t i = fl_outbox_count(machine_out); i-- > 0;) {
        fl_peer whom;
        uint32_t body_bytes;
        const fl_message *message = s_message(fl_outbox_at(machine_out, i), &whom, &body_bytes);
        if (message != NULL && whom == to && message->verb == verb) {
            return message;
        }
    }
    return NULL;
}

uint32_t
machine_said_count(fl_peer to, fl_verb verb)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        fl_peer whom;
        uint32_t body_bytes;
        const fl_message *message = s_message(fl_outbox_at(machine_out, i), &whom, &body_bytes);
        count += message != NULL && whom == to && message->verb == verb;
    }
    return count;
}

const fl_note *
machine_note(fl_note_id id)
{
    for (uint32_t i = fl_outbox_count(machine_out); i-- > 0;) {
        const fl_effect *effect = fl_outbox_at(machine_out, i);
        if (effect->kind == FL_FX_NOTE && effect->note.id == id) {
            return &effect->note;
        }
    }
    return NULL;
}

bool
machine_refuses(fl_peer to, fl_verb about, fl_reason reason)
{
    const fl_message *message = machine_said(to, FL_REFUSED);
    return message != NULL && message->refused.about == about && message->refused.reason == reason;
}
