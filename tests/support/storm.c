#include "tests/support/storm.h"

#include <stdio.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/codec.h"
#include "common/wire/verb_table.h"
#include "tests/support/messages.h"

storm_world storm;
static messages_letter letter;

uint64_t
storm_below(uint64_t bound)
{
    return fl_rng_below(&storm.rng, bound);
}

bool
storm_chance(uint64_t percent)
{
    return storm_below(100) < percent;
}

// ---- obeying ----------------------------------------------------------------------------------
static void
s_job(const fl_effect *effect)
{
    FL_ASSERT(storm.job_count < STORM_JOBS);
    storm.jobs[storm.job_count++] = (storm_job){ .effect = *effect };
}

static void
s_obey_slots(const fl_effect *effect)
{
    if (effect->kind == FL_FX_SLOT) {
        FL_ASSERT(effect->slot.slot < STORM_SLOTS);
        bool wanted = effect->slot.bytes > 0;
        FL_ASSERT(storm.slot_used[effect->slot.slot] != wanted);
        FL_ASSERT(!(storm.slot_busy[effect->slot.slot]));
        storm.slot_used[effect->slot.slot] = wanted;
    } else if (effect->kind == FL_FX_STAGE) {
        FL_ASSERT(storm.slot_used[effect->stage.slot] && !storm.slot_busy[effect->stage.slot]);
    } else { // VERIFY and FOLD
        uint32_t slot = effect->kind == FL_FX_VERIFY ? effect->verify.slot : effect->fold.slot;
        FL_ASSERT(storm.slot_used[slot] && !storm.slot_busy[slot]);
        storm.slot_busy[slot] = true;
        storm.folds += effect->kind == FL_FX_FOLD;
        s_job(effect);
    }
}

static void
s_obey_vectors(const fl_effect *effect)
{
    if (effect->kind == FL_FX_DROP) {
        FL_ASSERT(effect->drop.vec < STORM_VECS && storm.vec_held[effect->drop.vec]);
        FL_ASSERT(storm.encoding != effect->drop.vec);
        storm.vec_held[effect->drop.vec] = false;
    } else if (effect->kind == FL_FX_ENCODE) {
        FL_ASSERT(storm.vec_held[effect->encode.update] && storm.encoding == 0);
        storm.encoding = effect->encode.update;
        s_job(effect);
    } else { // PUSH
        const fl_chunk *chunk = &effect->push.message.chunk;
        FL_ASSERT(storm.vec_held[effect->push.vec] && storm.lane[FL_LANE_UP]);
        FL_ASSERT(chunk->offset + effect->push.bytes <= storm.credit);
        storm.pushes++;
    }
}

static void
s_obey_note(const fl_note *note)
{
    if (note->id == FL_NOTE_COUNTED) {
        FL_ASSERT(note->a < STORM_SEATS && !storm.counted[note->a]);
        storm.counted[note->a] = true;
        storm.weight += note->b;
        storm.contributions++;
    } else if (note->id == FL_NOTE_ROUND_CLOSE) {
        FL_ASSERT(note->a == storm.contributions);
        storm.rounds++;
    }
}

static void
s_remember(storm_child *child, const fl_message *message)
{
    if (message->verb == FL_GRANT) {
        child->granted = *message;
    } else if (message->verb == FL_WELCOME) {
        child->seat = message->welcome.seat;
        child->epoch = message->welcome.epoch;
    } else if (message->verb == FL_TASK) {
        child->attempt = message->task.attempt;
    }
}

static void
s_obey_send(const fl_effect *effect)
{
    const fl_message *message = &effect->send.message;
    if (effect->send.to != FL_PARENT) {
        FL_ASSERT(effect->send.to < STORM_PEERS);
        s_remember(&storm.child[effect->send.to], message);
    } else if (message->verb == FL_FETCH) {
        FL_ASSERT(storm.lane[FL_LANE_DOWN]);
        storm.fetch = *message;
    } else if (message->verb == FL_CONTRIB) {
        bool same = fl_hash_equal(&storm.contrib.contrib.hash, &message->contrib.hash);
        storm.credit = same ? storm.credit : 0;
        storm.contrib = *message;
    }
}

static void
s_obey_once(const fl_effect *effect)
{
    if (effect->kind == FL_FX_TRAIN) {
        FL_ASSERT(!(storm.training));
        storm.training = true;
    } else if (effect->kind == FL_FX_FINISH) {
        FL_ASSERT(!(storm.finishing));
        storm.finishing = true;
    }
    s_job(effect);
}

static void
s_obey(const fl_effect *effect)
{
    switch (effect->kind) {
    case FL_FX_SLOT:
    case FL_FX_STAGE:
    case FL_FX_VERIFY:
    case FL_FX_FOLD:
        s_obey_slots(effect);
        break;
    case FL_FX_DROP:
    case FL_FX_ENCODE:
    case FL_FX_PUSH:
        s_obey_vectors(effect);
        break;
    case FL_FX_SEND:
        s_obey_send(effect);
        break;
    case FL_FX_SERVE:
        FL_ASSERT(effect->serve.message.piece.offset + effect->serve.bytes <= MACHINE_MODEL);
        break;
    case FL_FX_LANE:
        storm.lane[effect->lane.lane] = effect->lane.open;
        break;
    case FL_FX_RECONNECT:
        memset(storm.lane, 0, sizeof storm.lane);
        break;
    case FL_FX_CLEAR:
        FL_ASSERT(!(storm.finishing));
        memset(storm.counted, 0, sizeof storm.counted);
        storm.weight = 0;
        storm.contributions = 0;
        break;
    case FL_FX_TRAIN:
    case FL_FX_FINISH:
    case FL_FX_APPLY:
    case FL_FX_SAVE:
    case FL_FX_CHECK:
        s_obey_once(effect);
        break;
    case FL_FX_CANCEL:
        FL_ASSERT(storm.training);
        break;
    case FL_FX_NOTE:
        s_obey_note(&effect->note);
        break;
    case FL_FX_KEEP:
    case FL_FX_MASK:
    case FL_FX_UNMASK:
        FL_ASSERT(false); // of a masked round: none is open here
        break;
    case FL_FX_EXPEL:
    case FL_FX_PLACE:
    case FL_FX_COUNT:
        break;
    }
}

void
storm_step(const fl_event *event)
{
    machine_clear();
    storm.machine.step(storm.machine.self, event, storm.now, machine_out);
    machine_proof();
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        s_obey(fl_outbox_at(machine_out, i));
    }
}

// ---- the crew's answers -----------------------------------------------------------------------
static fl_vec
s_new_vec(void)
{
    for (fl_vec vec = 1; vec < STORM_VECS; vec++) {
        if (!storm.vec_held[vec]) {
            storm.vec_held[vec] = true;
            return vec;
        }
    }
    fl_panic(__FILE__, __LINE__, "vectors are leaking");
}

static void
s_answer_device(const fl_effect *effect, fl_event *event)
{
    if (effect->kind == FL_FX_TRAIN) {
        storm.training = false;
        event->kind = FL_EV_TRAINED;
        event->trained.round = effect->train.order.round;
        event->trained.reason = storm_chance(20) ? FL_WHY_TRAINER : FL_WHY_NONE;
        event->trained.update = event->trained.reason == FL_WHY_NONE ? s_new_vec() : 0;
        event->trained.samples = 1 + storm_below(500);
    } else if (effect->kind == FL_FX_ENCODE) {
        storm.encoding = 0;
        event->kind = FL_EV_ENCODED;
        event->encoded.reason = storm_chance(10) ? FL_WHY_NAN : FL_WHY_NONE;
        event->encoded.vec = event->encoded.reason == FL_WHY_NONE ? s_new_vec() : 0;
        event->encoded.hash = machine_hash((uint32_t)storm_below(1u << 31));
        event->encoded.bytes = STORM_VECTOR;
        event->encoded.saturated = storm_below(2);
    } else { // CHECK
        event->kind = FL_EV_MODEL;
        event->model.hash = effect->check.hash;
        event->model.ok = storm_chance(80);
        event->model.reason = !event->model.ok && storm_chance(50) ? FL_WHY_STORAGE : FL_WHY_NONE;
    }
}

static void
s_answer_parent(const fl_effect *effect, fl_event *event)
{
    if (effect->kind == FL_FX_VERIFY) {
        storm.slot_busy[effect->verify.slot] = false;
        event->kind = FL_EV_VERIFIED;
        event->verified.slot = effect->verify.slot;
        event->verified.ok = storm_chance(80);
    } else if (effect->kind == FL_FX_FOLD) {
        storm.slot_busy[effect->fold.slot] = false;
        event->kind = FL_EV_FOLDED;
        event->folded.slot = effect->fold.slot;
    } else if (effect->kind == FL_FX_FINISH) {
        storm.finishing = false;
        event->kind = FL_EV_FINISHED;
        if (storm_chance(5)) {
            event->finished.reason = FL_WHY_STORAGE;
            return;
        }
        event->finished.vec = effect->finish.vector ? s_new_vec() : 0;
        event->finished.hash = machine_hash((uint32_t)storm_below(1u << 31));
        event->finished.bytes = STORM_VECTOR;
    } else if (effect->kind == FL_FX_APPLY) {
        event->kind = FL_EV_APPLIED;
        event->applied.ok = storm_chance(98);
        event->applied.model = machine_hash((uint32_t)effect->apply.order.round + 1);
        event->applied.model_bytes = MACHINE_MODEL;
    } else {
        event->kind = FL_EV_SAVED;
        event->saved.token = effect->save.token;
        event->saved.ok = storm_chance(97);
    }
}

void
storm_answer(void)
{
    uint32_t index = (uint32_t)storm_below(storm.job_count);
    fl_effect effect = storm.jobs[index].effect;
    storm.jobs[index] = storm.jobs[--storm.job_count];
    fl_event event;
    memset(&event, 0, sizeof event);
    if (effect.kind == FL_FX_TRAIN || effect.kind == FL_FX_ENCODE || effect.kind == FL_FX_CHECK) {
        s_answer_device(&effect, &event);
    } else {
        s_answer_parent(&effect, &event);
    }
    storm_step(&event);
}

// ---- what others say --------------------------------------------------------------------------
static uint64_t
s_near(uint64_t value)
{
    uint64_t choice = storm_below(10);
    return choice < 7 ? value : choice == 7 ? value + 1 : choice == 8 && value > 1 ? value - 1 : 1;
}

//  The round, run and order that this message is about: mostly the one at hand.
static void
s_aim(fl_message *message)
{
    if (!storm.mild && !storm_chance(95)) {
        return; // as wild as it came
    }
    message->run = machine_run(storm.mild || storm_chance(98) ? 1 : 2);
    message->round = storm.mild ? storm.round : s_near(storm.round);
    if (message->verb == FL_TASK) {
        message->round += storm_chance(4);
        message->task.attempt = storm.mild ? 1 : (uint32_t)(1 + storm_below(3));
        message->task.budget_ms = (uint32_t)storm_below(3000);
        message->task.order = machine_order_of(message->round, STORM_VECTOR);
        message->task.order.run = message->run;
        message->task.order.model = machine_hash((uint32_t)message->round);
    } else if (message->verb == FL_CLOSED) {
        message->closed.attempt = (uint32_t)(1 + storm_below(3));
        message->closed.final = storm_below(2000) == 0;
    } else if (message->verb == FL_WELCOME) {
        message->welcome.beat_ms = storm_chance(95) ? 100 : message->welcome.beat_ms;
    } else if (message->verb == FL_HELLO) {
        message->hello.incarnation = storm_chance(90) ? 1 : storm_below(3);
    } else if (message->verb == FL_REFUSED) {
        message->refused.about = storm_chance(50) ? FL_TASK : message->refused.about;
    }
}

static void
s_aim_grant(fl_message *message)
{
    fl_grant *grant = &message->grant;
    if (storm.contrib.verb == FL_CONTRIB && storm_chance(90)) {
        grant->hash = storm.contrib.contrib.hash;
        grant->attempt = storm.contrib.contrib.attempt;
        grant->next = storm_below(10) * FL_CHUNK_BYTES_MIN / 2;
        grant->limit = grant->next + storm_below(10) * FL_CHUNK_BYTES_MIN / 2;
        grant->rewind = (uint32_t)storm_below(4);
    }
    if (grant->limit > storm.credit) {
        storm.credit = grant->limit;
    }
}

static void
s_aim_piece(fl_message *message, uint32_t *body_bytes)
{
    if (storm.fetch.verb == FL_FETCH && storm_chance(95)) {
        message->run = storm.fetch.run;
        message->piece.hash = storm.fetch.fetch.hash;
        message->piece.total = MACHINE_MODEL;
        message->piece.offset = storm_chance(60) ? storm.fetch.fetch.offset : 0;
        uint64_t left = MACHINE_MODEL - message->piece.offset;
        *body_bytes = storm_chance(60) ? storm.fetch.fetch.bytes : 1 + (uint32_t)storm_below(left);
    }
}

static void
s_aim_child(fl_peer peer, fl_message *message, uint32_t *body_bytes)
{
    const storm_child *child = &storm.child[peer];
    const fl_message *granted = &child->granted;
    bool honest = storm_chance(95);
    uint32_t seat = honest ? child->seat : (uint32_t)storm_below(STORM_SEATS + 1);
    uint32_t epoch = honest ? child->epoch : (uint32_t)(1 + storm_below(3));
    uint32_t attempt = child->attempt > 0 && honest ? child->attempt : (uint32_t)s_near(1);
    if (message->verb == FL_BEAT) {
        message->beat.seat = seat;
        message->beat.epoch = epoch;
        message->beat.attempt = attempt;
    } else if (message->verb == FL_CONTRIB && message->round > 0) {
        fl_order order = machine_order_of(message->round, STORM_VECTOR);
        fl_bytes roll = message->contrib.roll;
        bool sane = storm_chance(85);
        uint32_t number = storm_chance(90) ? peer : (uint32_t)storm_below(3);
        uint64_t weight = sane ? 1 + storm_below(100) : storm_below(200);
        *message = machine_contrib(&order, attempt, seat, epoch, number, weight);
        message->contrib.count = sane ? 1 : (uint32_t)storm_below(4);
        message->contrib.base_round =
            storm_chance(85) ? message->round : 1 + storm_below(message->round);
        message->contrib.base = machine_hash((uint32_t)message->contrib.base_round);
        message->contrib.roll = roll;
    } else if (message->verb == FL_CHUNK && granted->verb == FL_GRANT && storm_chance(97)) {
        const fl_grant *grant = &granted->grant;
        message->round = granted->round;
        message->chunk =
            (fl_chunk){ .attempt = grant->attempt,
                        .seat = seat,
                        .epoch = epoch,
                        .hash = grant->hash,
                        .offset = storm_chance(96) ? grant->next : storm_below(STORM_VECTOR),
                        .total = STORM_VECTOR };
        uint64_t left = STORM_VECTOR - message->chunk.offset;
        uint64_t credit =
            grant->limit > message->chunk.offset ? grant->limit - message->chunk.offset : 1;
        *body_bytes = (uint32_t)(storm_chance(96) ? credit : 1 + storm_below(left + 1));
        *body_bytes = *body_bytes <= left ? *body_bytes : (uint32_t)left;
    } else if (message->verb == FL_FETCH && storm_chance(90)) {
        message->fetch.hash = machine_hash((uint32_t)storm.round);
        message->fetch.offset = storm_below(MACHINE_MODEL);
    }
}

static void
s_letter(const fl_verb *verbs, size_t count)
{
    fl_verb verb = storm.mild || storm_chance(97) ? verbs[storm_below(count)]
                                                  : messages_verbs[storm_below(MESSAGES_VERBS)];
    messages_random(verb, &storm.rng, &letter);
    s_aim(&letter.message);
}

static bool
s_sendable(void)
{
    const fl_message *message = &letter.message;
    bool rounded = message->verb == FL_GRANT || message->verb == FL_CHUNK ||
                   message->verb == FL_TASK || message->verb == FL_CONTRIB;
    if ((rounded && message->round == 0) ||
        (message->verb == FL_CONTRIB && message->contrib.base_round > message->round) ||
        (fl_verb_row_of(message->verb)->body_max > 0 && letter.body_bytes == 0)) {
        return false; // made impossible by aiming
    }
    fl_blob *frame = fl_encode(message, letter.body_bytes); // valid by codec, or a panic
    FL_ASSERT(frame != NULL);
    fl_blob_unref(&frame);
    return true;
}

void
storm_hear_child(void)
{
    static const fl_verb verbs[] = { FL_HELLO, FL_HELLO, FL_BEAT,  FL_BEAT,  FL_BEAT,    FL_BEAT,
                                     FL_CHUNK, FL_CHUNK, FL_CHUNK, FL_CHUNK, FL_CONTRIB, FL_CONTRIB,
                                     FL_CHUNK, FL_CHUNK, FL_CHUNK, FL_CHUNK, FL_CHUNK,   FL_FETCH };
    fl_peer peer = (fl_peer)storm_below(STORM_PEERS);
    s_letter(verbs, sizeof verbs / sizeof *verbs);
    s_aim_child(peer, &letter.message, &letter.body_bytes);
    if (letter.message.verb == FL_LEAVE && storm_chance(90)) {
        return;
    }
    char name[16];
    (void)snprintf(name, sizeof name, "n%u",
                   storm_chance(98) ? peer : (unsigned)storm_below(STORM_PEERS));
    fl_role role = peer < 7 ? FL_ROLE_DEVICE : peer < 11 ? FL_ROLE_EDGE : FL_ROLE_OPERATOR;
    if (s_sendable()) {
        fl_event event = machine_from_child(peer, name, role, &letter.message, letter.body_bytes);
        storm_step(&event);
    }
}

void
storm_hear_parent(void)
{
    static const fl_verb verbs[] = { FL_WELCOME, FL_WELCOME, FL_TASK,  FL_TASK,   FL_GRANT,
                                     FL_GRANT,   FL_GRANT,   FL_PIECE, FL_PIECE,  FL_PIECE,
                                     FL_PIECE,   FL_BEAT,    FL_BEAT,  FL_CLOSED, FL_REFUSED };
    static const fl_verb kind[] = { FL_WELCOME, FL_TASK,  FL_BEAT,  FL_BEAT,  FL_PIECE,
                                    FL_PIECE,   FL_GRANT, FL_GRANT, FL_GRANT, FL_CLOSED };
    if (storm.mild) {
        s_letter(kind, sizeof kind / sizeof *kind);
    } else {
        s_letter(verbs, sizeof verbs / sizeof *verbs);
    }
    if (letter.message.verb == FL_CLOSED && storm_chance(90)) {
        return; // or no task would live long enough
    }
    if (letter.message.verb == FL_GRANT) {
        s_aim_grant(&letter.message);
    } else if (letter.message.verb == FL_PIECE) {
        s_aim_piece(&letter.message, &letter.body_bytes);
    }
    if (s_sendable()) {
        fl_event event = machine_from_parent(&letter.message, letter.body_bytes);
        storm_step(&event);
    }
}

// ---- the storm --------------------------------------------------------------------------------
//  Time goes on, in small steps mostly; a machine is woken when it wants to be.
void
storm_pass_time(void)
{
    storm.mild = storm_below(200) == 0 ? !storm.mild : storm.mild;
    storm.now += (fl_time)(storm_chance(99) ? storm_below(20) : storm_below(2000));
    for (int i = 0; i < 40; i++) {
        if (storm.now < storm.machine.deadline(storm.machine.self)) {
            return;
        }
        storm_step(&(fl_event){ .kind = FL_EV_TICK });
    }
    fl_panic(__FILE__, __LINE__, "a machine wants to be woken without end");
}

void
storm_gone(void)
{
    fl_event event = { .kind = FL_EV_GONE };
    event.gone.peer = (fl_peer)storm_below(STORM_PEERS);
    event.gone.reason = FL_WHY_REVOKED;
    storm_step(&event);
}

void
storm_begin(uint64_t seed, fl_machine machine)
{
    memset(&storm, 0, sizeof storm);
    storm.rng = fl_rng_seeded(seed);
    storm.machine = machine;
    storm.round = 1;
}
