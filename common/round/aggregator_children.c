//  What children say, and what the aggregator answers: every message is either
//  taken, or answered with what the child needs to put itself right (the
//  current task, a grant, its last verdict), or refused by name.
#include <string.h>

#include "common/base/status.h"
#include "common/round/aggregator_inside.h"

fl_message *
fl_aggregator_say(fl_aggregator *self, fl_peer peer, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, peer, verb);
    message->run = self->run;
    message->round = self->phase == FL_AGGREGATOR_IDLE ? 0 : self->task.order.round;
    return message;
}

void
fl_aggregator_note(fl_aggregator *self, const fl_name *node, fl_note_id id, fl_reason reason,
                   uint64_t a, uint64_t b, fl_outbox *out)
{
    fl_note note = { .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b };
    if (node != NULL) {
        note.node = *node;
    }
    fl_outbox_note(out, note);
}

void
fl_aggregator_refuse(fl_aggregator *self, const fl_event *event, fl_reason reason, fl_outbox *out)
{
    fl_verb about = event->message.message->verb;
    fl_refused *refused = &fl_aggregator_say(self, event->message.from, FL_REFUSED, out)->refused;
    refused->reason = reason;
    refused->about = about;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED,
                                   .node = event->message.node,
                                   .round = event->message.message->round,
                                   .reason = reason,
                                   .a = (uint64_t)about });
}

// ---- seats --------------------------------------------------------------------------------------
void
fl_aggregator_task(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_time left = self->cutoff_at - now - (fl_time)self->conf.timing.hop_ms;
    fl_message *message = fl_aggregator_say(self, seat->peer, FL_TASK, out);
    message->task = self->task;
    message->task.budget_ms = left > 1 ? (uint32_t)left : 1;
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        seat->phase = FL_SEAT_TASKED;
        seat->reason = FL_WHY_NONE;
        seat->tasked_at = seat->ready_at == 0 ? now : seat->tasked_at;
        memset(&seat->contrib, 0, sizeof seat->contrib);
        fl_aggregator_note(self, &seat->node, FL_NOTE_TASKED, FL_WHY_NONE, index,
                           message->task.budget_ms, out);
    }
}

//  Blocks are fixed when the round opens: who comes later waits for the next one.
static bool
s_sits_out(const fl_aggregator *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    return fl_aggregator_masked(self) && (!seat->in_block || seat->out);
}

//  Task a seat if it may still come in; true when a TASK went out.
static bool
s_invite(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat_phase seat = fl_seats_look(self->seats, index)->phase;
    bool open = self->phase == FL_AGGREGATOR_OPEN && now < self->cutoff_at;
    if (!open || seat == FL_SEAT_COUNTED || seat == FL_SEAT_FOLDING || seat == FL_SEAT_VERIFYING ||
        seat == FL_SEAT_REFUSED || seat == FL_SEAT_LATE || s_sits_out(self, index)) {
        return false;
    }
    fl_aggregator_task(self, index, now, out);
    return true;
}

static bool
s_role_fits(const fl_aggregator *self, fl_role role)
{
    return role != FL_ROLE_NONE &&
           (self->conf.child_roles[0] == role || self->conf.child_roles[1] == role);
}

bool
fl_aggregator_tell_end(fl_aggregator *self, const fl_seat *seat, uint64_t round, uint32_t attempt,
                       fl_outbox *out)
{
    bool known = round != 0 && round == seat->last_round && attempt <= seat->last_attempt;
    if (!known && !self->over) {
        return false;
    }
    fl_message *message = fl_aggregator_say(self, seat->peer, FL_CLOSED, out);
    message->closed.final = self->over;
    message->closed.outcome = FL_OUT_IDLE;
    if (known) {
        message->round = seat->last_round;
        message->closed.attempt = seat->last_attempt;
        message->closed.outcome = seat->last_outcome;
        message->closed.reason = seat->last_reason;
    }
    return true;
}

static void
on_hello(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!s_role_fits(self, event->message.role)) {
        fl_aggregator_refuse(self, event, FL_WHY_ROLE, out);
        return;
    }
    static const fl_run unknown;
    if (fl_run_equal(&self->run,
                     &unknown)) { // an edge that has not joined its own parent yet
        fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_RUN, out);
        return;
    }
    bool renewed = false;
    int64_t index = fl_seats_join(self->seats, event, now, &renewed);
    if (index < 0) {
        fl_aggregator_refuse(self, event, FL_WHY_FULL, out);
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    if (renewed && (seat->phase == FL_SEAT_OFFERED || seat->phase == FL_SEAT_STAGING)) {
        (void)fl_uploads_withdraw(self->uploads, (uint32_t)index, FL_SEAT_TASKED, FL_WHY_NONE, out);
        memset(&seat->contrib, 0, sizeof seat->contrib);
    }
    fl_welcome *welcome = &fl_aggregator_say(self, seat->peer, FL_WELCOME, out)->welcome;
    welcome->seat = (uint32_t)index;
    welcome->epoch = seat->epoch;
    welcome->beat_ms = self->conf.timing.beat_ms;
    fl_aggregator_note(self, &seat->node,
                       seat->epoch == 1 && renewed ? FL_NOTE_JOINED : FL_NOTE_REJOINED, FL_WHY_NONE,
                       (uint64_t)index, seat->epoch, out);
    if (self->over) {
        (void)fl_aggregator_tell_end(self, seat, event->message.message->round, 0, out);
    }
    fl_aggregator_greet(self, (uint32_t)index, renewed, now, out);
    (void)s_invite(self, (uint32_t)index, now, out);
    if (fl_aggregator_masked(self) && !s_sits_out(self, (uint32_t)index)) {
        fl_blocks_joined(self->blocks, (uint32_t)index, now, out);
    }
    if (self->check_at == FL_NEVER) {
        self->check_at = now + self->conf.timing.beat_ms;
    }
}

void
fl_aggregator_vacate(fl_aggregator *self, uint32_t index, fl_reason reason, fl_time now,
                     fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!fl_seat_terminal(seat)) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, reason, out);
    }
    seat->present = false;
    fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = seat->peer;
    if (fl_aggregator_masked(self)) {
        fl_blocks_gone(self->blocks, index, now, out);
    }
}

void
fl_aggregator_heard(fl_seat *seat, fl_time now)
{
    seat->heard_at = now;
    seat->evasive = false;
}

//  The seat that a message names, if it is this peer's; -1 and a refusal otherwise.
static int64_t
s_seat_of(fl_aggregator *self, const fl_event *event, uint32_t seat, uint32_t epoch, fl_time now,
          fl_outbox *out)
{
    if (seat < fl_seats_count(self->seats)) {
        fl_seat *found = fl_seats_at(self->seats, seat);
        if (found->present && found->peer == event->message.from && found->epoch == epoch) {
            fl_aggregator_heard(found, now);
            return seat;
        }
    }
    fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
    return -1;
}

static bool
s_this_round(const fl_aggregator *self, const fl_message *message, uint32_t attempt)
{
    return self->phase != FL_AGGREGATOR_IDLE && message->round == self->task.order.round &&
           attempt == self->task.attempt && fl_run_equal(&message->run, &self->run);
}

static void
on_beat(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_beat *beat = &message->beat;
    int64_t index = s_seat_of(self, event, beat->seat, beat->epoch, now, out);
    if (index < 0) {
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    seat->activity = beat->activity;
    seat->done = beat->done;
    seat->total = beat->total;
    seat->tally = beat->tally;
    seat->samples = beat->samples > 0 ? beat->samples : seat->samples;
    if (seat->role == FL_ROLE_EDGE) {
        seat->leaves = beat->leaves;
    }
    bool here = s_this_round(self, message, beat->attempt);
    bool waits = beat->activity == FL_DOING_WAIT_GRANT || beat->activity == FL_DOING_SEND ||
                 beat->activity == FL_DOING_WAIT_CLOSE;
    uint32_t before = fl_outbox_count(out);
    if (here && seat->phase == FL_SEAT_STAGING) {
        fl_uploads_beat(self->uploads, (uint32_t)index, &self->conf.timing, now, out);
    } else if (!here || (seat->phase == FL_SEAT_TASKED && waits) || seat->phase == FL_SEAT_ABSENT ||
               seat->phase == FL_SEAT_IDLE) {
        if (!here) {
            (void)fl_aggregator_tell_end(self, seat, message->round, beat->attempt, out);
        }
        (void)s_invite(self, (uint32_t)index, now, out);
    }
    if (fl_outbox_count(out) == before) {
        (void)fl_aggregator_say(self, seat->peer, FL_BEAT, out);
    }
}

// ---- contributions ------------------------------------------------------------------------------
static bool
s_base_fits(const fl_aggregator *self, const fl_contrib *contrib, fl_reason *reason)
{
    const fl_order *order = &self->task.order;
    uint64_t staleness = order->round - contrib->base_round;
    *reason = FL_WHY_BASE;
    if (contrib->base_round > order->round || contrib->base_round == 0 ||
        (order->plan.masking == FL_MASKING_MALICIOUS && staleness > 0)) {
        return false;
    }
    if (staleness > 0 &&
        (order->plan.late != FL_LATE_CARRY || staleness > order->plan.staleness_max)) {
        *reason = FL_WHY_STALE;
        return false;
    }
    const fl_past *then = &self->history[contrib->base_round % FL_PASTS_MAX];
    return then->round == contrib->base_round && fl_hash_equal(&then->model, &contrib->base);
}

static void
on_contrib(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_contrib *contrib = &message->contrib;
    int64_t found = s_seat_of(self, event, contrib->seat, contrib->epoch, now, out);
    if (found < 0) {
        return;
    }
    uint32_t index = (uint32_t)found;
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!s_this_round(self, message, contrib->attempt)) {
        if (s_invite(self, index, now, out)) {
            return; // the current task says it all
        }
        if (!fl_aggregator_tell_end(self, seat, message->round, contrib->attempt, out)) {
            fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
        }
        return;
    }
    if (self->phase != FL_AGGREGATOR_OPEN) {
        if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING &&
            seat->phase != FL_SEAT_FOLDING) {
            (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_LATE, FL_WHY_LATE, out);
        }
        if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
            fl_aggregator_refuse(self, event, FL_WHY_LATE, out);
            return;
        }
        fl_uploads_contrib(self->uploads, index, message, now, out);
        return;
    }
    if (fl_aggregator_masked(self) && !fl_aggregator_take_masked(self, index, event, now, out)) {
        return;
    }
    fl_reason reason;
    if (!s_base_fits(self, contrib, &reason)) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_REFUSED, reason, out);
        fl_uploads_refuse(self->uploads, index, reason, FL_CONTRIB, out);
        return;
    }
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        seat->phase = FL_SEAT_TASKED; // it came back by itself
        seat->tasked_at = now;
    }
    fl_uploads_contrib(self->uploads, index, message, now, out);
}

static void
on_chunk(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_chunk *chunk = &message->chunk;
    int64_t index = s_seat_of(self, event, chunk->seat, chunk->epoch, now, out);
    if (index < 0) {
        return;
    }
    if (self->phase == FL_AGGREGATOR_OPEN && s_this_round(self, message, chunk->attempt)) {
        fl_uploads_chunk(self->uploads, (uint32_t)index, message, event->message.body_bytes, now,
                         out);
    } else {
        fl_aggregator_note(self, &event->message.node, FL_NOTE_CHUNK_DROPPED, FL_WHY_LATE,
                           (uint64_t)index, chunk->offset, out);
    }
}

static void
on_fetch(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_fetch *fetch = &event->message.message->fetch;
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0) {
        fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    fl_aggregator_heard(fl_seats_at(self->seats, (uint32_t)index), now);
    if (!fl_hash_equal(&fetch->hash, &self->model) || fetch->offset >= self->model_bytes ||
        fetch->bytes > self->model_bytes - fetch->offset) {
        fl_aggregator_refuse(self, event, FL_WHY_MODEL, out);
        return;
    }
    fl_effect *effect = fl_outbox_add(out, FL_FX_SERVE);
    effect->serve.to = event->message.from;
    effect->serve.bytes = fetch->bytes;
    effect->serve.message.verb = FL_PIECE;
    effect->serve.message.run = self->run;
    effect->serve.message.round = event->message.message->round;
    effect->serve.message.piece.hash = fetch->hash;
    effect->serve.message.piece.offset = fetch->offset;
    effect->serve.message.piece.total = self->model_bytes;
    self->bytes_down += fetch->bytes;
}

static void
on_refused(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (fl_aggregator_about_step(self, &message->refused)) {
        fl_aggregator_hear_step(self, event, now, out);
        return;
    }
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0 || self->phase != FL_AGGREGATOR_OPEN ||
        message->round != self->task.order.round || message->refused.about != FL_TASK) {
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    fl_aggregator_heard(seat, now);
    if (seat->phase == FL_SEAT_TASKED) {
        (void)fl_uploads_withdraw(self->uploads, (uint32_t)index, FL_SEAT_REFUSED,
                                  message->refused.reason, out);
        fl_aggregator_note(self, &seat->node, FL_NOTE_REFUSED, message->refused.reason, FL_TASK, 0,
                           out);
    }
}

static void
on_leave(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index >= 0) {
        fl_aggregator_note(self, &event->message.node, FL_NOTE_LEFT,
                           event->message.message->leave.reason, (uint64_t)index, 0, out);
        fl_aggregator_vacate(self, (uint32_t)index, FL_WHY_LEFT, now, out);
    }
}

void
fl_aggregator_hear(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch (event->message.message->verb) {
    case FL_HELLO:
        on_hello(self, event, now, out);
        break;
    case FL_BEAT:
        on_beat(self, event, now, out);
        break;
    case FL_CONTRIB:
        on_contrib(self, event, now, out);
        break;
    case FL_CHUNK:
        on_chunk(self, event, now, out);
        break;
    case FL_FETCH:
        on_fetch(self, event, now, out);
        break;
    case FL_REFUSED:
        on_refused(self, event, now, out);
        break;
    case FL_LEAVE:
        on_leave(self, event, now, out);
        break;
    case FL_KEYS:
    case FL_SHARES:
    case FL_READY:
    case FL_ACK:
    case FL_UNMASK:
        fl_aggregator_hear_step(self, event, now, out);
        break;
    case FL_VERB_NONE:
    case FL_WELCOME:
    case FL_TASK:
    case FL_GRANT:
    case FL_CLOSED:
    case FL_DENY:
    case FL_ENROL:
    case FL_ENROLLED:
    case FL_PIECE:
    case FL_ASK:
    case FL_ANSWER:
    case FL_ROSTER:
    case FL_DEALT:
    case FL_MASKSET:
    case FL_SURVIVORS:
    case FL_ACKS:
    case FL_VERB_COUNT:
        fl_aggregator_refuse(self, event, FL_WHY_MALFORMED, out);
        break;
    }
    fl_aggregator_after_word(self, event->message.from, now, out);
}
