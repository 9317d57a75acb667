//  What the parent says, and what the participant makes of it. Every message is taken for what it
//  is worth at that moment: one of another round, attempt or contribution changes nothing.
#include "common/round/participant_inside.h"

#include <string.h>

#include "common/base/status.h"

static void
on_welcome(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (self->joining.phase != FL_SESSION_JOINING) {
        return; // an answer to a HELLO that we gave up
    }
    if (!fl_participant_masking_welcome(self, event, now, out)) {
        return;
    }
    if (!fl_run_equal(&self->run, &message->run)) {
        fl_participant_end(self, FL_OUT_REFUSED, FL_WHY_UNKNOWN_RUN, true, out);
        self->run = message->run;
        memset(&self->task, 0, sizeof self->task); // rounds count from 1 again
        self->verdict.final = false;
    }
    fl_session_welcomed(&self->joining, message->welcome.beat_ms, now);
    self->seat = message->welcome;
    self->seat.certificate = (fl_bytes){ 0 };
    fl_participant_note(self, FL_NOTE_WELCOMED, FL_WHY_NONE, self->seat.seat, self->seat.epoch,
                        out);
    if (self->phase == FL_PARTICIPANT_FETCHING && !self->fetch.checking) {
        fl_model_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (fl_participant_offering(self)) {
        fl_participant_offer_anew(self, out);
    }
    fl_participant_masking_again(self, now, out);
}

static void
s_begin_task(fl_participant *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_PARTICIPANT_NONE);
    self->task = *task;
    self->exposed = 0;
    self->due = now + task->budget_ms;
    fl_participant_note(self, FL_NOTE_TASK, FL_WHY_NONE, task->attempt, task->budget_ms, out);
    fl_reason reason = fl_participant_masking_begin(self, now, out);
    if (reason != FL_WHY_NONE) {
        fl_participant_turn_down(self, reason, "this participant takes no part in such a round");
        fl_participant_decline_again(self, out);
    } else if (fl_hash_equal(&self->model, &task->order.model)) {
        fl_participant_enter(self, FL_PARTICIPANT_WORKING);
    } else {
        fl_participant_enter(self, FL_PARTICIPANT_FETCHING);
        fl_model_fetch_begin(&self->fetch, &task->order.model, task->order.model_bytes, &self->run,
                             self->seat.down_port, now, out);
    }
}

//  The same round again: a new attempt asks for the same bytes, the same attempt heals a loss.
static void
s_task_again(fl_participant *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    bool newer = task->attempt > self->task.attempt;
    bool older = task->attempt < self->task.attempt;
    if (newer) {
        self->task.attempt = task->attempt;
        self->due = now + task->budget_ms;
        fl_participant_note(self, FL_NOTE_TASK, FL_WHY_RESTART, task->attempt, task->budget_ms,
                            out);
    }
    if (!fl_participant_masking_repeat(self, task, now, out) || older) {
        return;
    }
    switch (self->phase) {
    case FL_PARTICIPANT_OFFERED:
    case FL_PARTICIPANT_SENDING:
    case FL_PARTICIPANT_SENT:
        if (newer) {
            fl_participant_offer_anew(self, out);
        } else {
            fl_participant_announce(self, out);
        }
        break;
    case FL_PARTICIPANT_DECLINED:
        fl_participant_decline_again(self, out);
        break;
    case FL_PARTICIPANT_NONE:
    case FL_PARTICIPANT_FETCHING:
    case FL_PARTICIPANT_WORKING:
    case FL_PARTICIPANT_MASKING:
    case FL_PARTICIPANT_PHASES:
        break;
    }
}

static void
on_task(fl_participant *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    uint64_t round = task->order.round;
    uint64_t ours = self->task.order.round;
    if (round < ours || (round == ours && self->phase == FL_PARTICIPANT_NONE &&
                         task->attempt <= self->task.attempt)) {
        return; // over already
    }
    if (round == ours && self->phase != FL_PARTICIPANT_NONE) {
        s_task_again(self, task, now, out);
        return;
    }
    fl_participant_end(self, FL_OUT_LATE, FL_WHY_LATE, self->exposed == 0, out);
    s_begin_task(self, task, now, out);
}

static void
on_grant(fl_participant *self, const fl_grant *grant, fl_outbox *out)
{
    if (!fl_participant_offering(self)) {
        return;
    }
    fl_upload_send_state state =
        fl_upload_send_granted(&self->push, grant, &self->task, &self->seat, out);
    if (state != FL_UPLOAD_STRANGE) {
        fl_participant_pushed(self, state, out);
    }
}

static void
on_closed(fl_participant *self, const fl_message *message, fl_outbox *out)
{
    const fl_closed *closed = &message->closed;
    self->verdict.final = self->verdict.final || closed->final;
    if (self->phase == FL_PARTICIPANT_NONE) {
        if (closed->final) { // nothing in hand, but the host must hear that the run is over
            self->verdict = (fl_verdict){ .round = message->round,
                                          .outcome = FL_OUT_IDLE,
                                          .reason = closed->reason,
                                          .certain = true,
                                          .final = true };
            self->verdict_new = true;
        }
        return;
    }
    if (message->round == self->task.order.round && closed->attempt >= self->task.attempt) {
        //  A refusal speaks for its own attempt: an earlier one may have counted it all the same.
        bool told = closed->reason != FL_WHY_UNKNOWN_ROUND &&
                    (self->exposed == 0 || self->exposed >= closed->attempt);
        fl_participant_end(self, closed->outcome, closed->reason,
                           told || closed->outcome == FL_OUT_IN, out);
    } else if (closed->final) { // the run is over without a word about this task
        fl_participant_end(self, FL_OUT_LATE, closed->reason, self->exposed == 0, out);
    }
}

static void
s_rejoin(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (fl_participant_joined(self)) {
        fl_participant_note(self, FL_NOTE_RECONNECT, reason, 0, 0, out);
        fl_participant_hello(self, now, out);
    }
}

static void
s_offer_refused(fl_participant *self, const fl_message *message, fl_outbox *out)
{
    fl_reason reason = message->refused.reason;
    if (!fl_participant_offering(self) || message->round != self->task.order.round) {
        return;
    }
    if (fl_participant_masks(self) && reason == FL_WHY_UNKNOWN_ROUND) {
        return; // a parent that restarted is not that far again; TASK has it said again
    }
    bool late = reason == FL_WHY_LATE || reason == FL_WHY_BUSY || reason == FL_WHY_SLOW;
    fl_participant_end(self, late ? FL_OUT_LATE : FL_OUT_REFUSED, reason, self->exposed == 0, out);
}

static void
on_refused(fl_participant *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    fl_reason reason = message->refused.reason;
    fl_participant_note(self, FL_NOTE_REFUSED, reason, (uint64_t)message->refused.about, 0, out);
    if (message->refused.about == FL_HELLO) {
        if (self->joining.phase != FL_SESSION_OFFLINE) {
            fl_participant_lose(self, reason, now, out);
        }
    } else if (reason == FL_WHY_UNKNOWN_SEAT || reason == FL_WHY_UNKNOWN_RUN ||
               reason == FL_WHY_TICKET) {
        s_rejoin(self, reason, now, out);
    } else if (message->refused.about == FL_CONTRIB || message->refused.about == FL_CHUNK) {
        s_offer_refused(self, message, out);
    } else {
        fl_participant_masking_refused(self, message, out);
    }
}

static void
on_piece(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (!fl_participant_joined(self) ||
        !fl_model_fetch_piece(&self->fetch, message, event->message.body_bytes, now, out)) {
        fl_participant_note(self, FL_NOTE_CHUNK_DROPPED, FL_WHY_DUPLICATE, self->seat.seat,
                            message->piece.offset, out);
    }
}

//  True for words about another run than ours.
static bool
s_foreign(const fl_participant *self, const fl_message *message)
{
    bool speaks = message->verb == FL_TASK || message->verb == FL_GRANT ||
                  message->verb == FL_CLOSED || message->verb == FL_BEAT ||
                  message->verb == FL_PIECE || message->verb == FL_ROSTER ||
                  message->verb == FL_DEALT || message->verb == FL_MASKSET ||
                  message->verb == FL_SURVIVORS || message->verb == FL_ACKS;
    return speaks && !fl_run_equal(&message->run, &self->run);
}

void
fl_participant_hear(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    fl_session_heard(&self->joining, now);
    if (s_foreign(self, message)) { // the parent has begun another run: HELLO takes us there
        fl_participant_note(self, FL_NOTE_REFUSED, FL_WHY_UNKNOWN_RUN, (uint64_t)message->verb, 0,
                            out);
        s_rejoin(self, FL_WHY_UNKNOWN_RUN, now, out);
        return;
    }
    switch (message->verb) {
    case FL_WELCOME:
        on_welcome(self, event, now, out);
        break;
    case FL_TASK:
        on_task(self, &message->task, now, out);
        break;
    case FL_GRANT:
        on_grant(self, &message->grant, out);
        break;
    case FL_CLOSED:
        on_closed(self, message, out);
        break;
    case FL_REFUSED:
        on_refused(self, message, now, out);
        break;
    case FL_PIECE:
        on_piece(self, event, now, out);
        break;
    case FL_ROSTER:
    case FL_DEALT:
    case FL_MASKSET:
    case FL_SURVIVORS:
    case FL_ACKS:
        fl_participant_masking_hear(self, event, now, out);
        break;
    case FL_BEAT:
        break;
    case FL_VERB_NONE:
    case FL_HELLO:
    case FL_CONTRIB:
    case FL_LEAVE:
    case FL_DENY:
    case FL_ENROL:
    case FL_ENROLLED:
    case FL_CHUNK:
    case FL_FETCH:
    case FL_ASK:
    case FL_ANSWER:
    case FL_KEYS:
    case FL_SHARES:
    case FL_READY:
    case FL_ACK:
    case FL_UNMASK:
    case FL_VERB_COUNT:
        fl_participant_note(self, FL_NOTE_REFUSED, FL_WHY_MALFORMED, (uint64_t)message->verb, 0,
                            out);
        break;
    }
}
