//  The participant keeps its side of three promises. It counts once: what was sent whole and got no
//  verdict is never offered again under another round. It heals: a repeated task, grant or closed
//  changes nothing that was right already, and puts right what was lost. It never waits without a
//  bound: three silent beats of the parent throw the connection away, a fetch that stands still is
//  asked for again.
#include "common/round/participant_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

static const bool legal[FL_PARTICIPANT_PHASES][FL_PARTICIPANT_PHASES] = {
    [FL_PARTICIPANT_NONE] = { [FL_PARTICIPANT_FETCHING] = true,
                              [FL_PARTICIPANT_WORKING] = true,
                              [FL_PARTICIPANT_DECLINED] = true },
    [FL_PARTICIPANT_FETCHING] = { [FL_PARTICIPANT_NONE] = true, [FL_PARTICIPANT_WORKING] = true },
    [FL_PARTICIPANT_WORKING] = { [FL_PARTICIPANT_NONE] = true,
                                 [FL_PARTICIPANT_MASKING] = true,
                                 [FL_PARTICIPANT_OFFERED] = true,
                                 [FL_PARTICIPANT_DECLINED] = true },
    [FL_PARTICIPANT_MASKING] = { [FL_PARTICIPANT_NONE] = true, [FL_PARTICIPANT_OFFERED] = true },
    [FL_PARTICIPANT_OFFERED] = { [FL_PARTICIPANT_NONE] = true,
                                 [FL_PARTICIPANT_OFFERED] = true,
                                 [FL_PARTICIPANT_SENDING] = true,
                                 [FL_PARTICIPANT_SENT] = true },
    [FL_PARTICIPANT_SENDING] = { [FL_PARTICIPANT_NONE] = true,
                                 [FL_PARTICIPANT_OFFERED] = true,
                                 [FL_PARTICIPANT_SENDING] = true,
                                 [FL_PARTICIPANT_SENT] = true },
    [FL_PARTICIPANT_SENT] = { [FL_PARTICIPANT_NONE] = true,
                              [FL_PARTICIPANT_OFFERED] = true,
                              [FL_PARTICIPANT_SENDING] = true,
                              [FL_PARTICIPANT_SENT] = true,
                              [FL_PARTICIPANT_DECLINED] = true },
    [FL_PARTICIPANT_DECLINED] = { [FL_PARTICIPANT_NONE] = true },
};

fl_participant *
fl_participant_new(const fl_participant_conf *conf)
{
    fl_participant *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    fl_session_init(&self->joining, conf);
    self->due = FL_NEVER;
    self->doing.leaves = conf->role == FL_ROLE_DEVICE ? 1 : 0;
    bool made = fl_upload_send_init(&self->push, conf->role == FL_ROLE_EDGE);
    if (made && conf->masking != NULL) {
        self->masking = fl_secagg_client_new(conf->masking, conf->mark);
        made = self->masking != NULL;
    }
    if (!made) {
        fl_participant_destroy(&self);
    }
    return self;
}

void
fl_participant_destroy(fl_participant **self_p)
{
    fl_participant *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_secagg_client_destroy(&self->masking);
        fl_upload_send_release(&self->push);
        free(self);
    }
}

void
fl_participant_enter(fl_participant *self, fl_participant_phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

//  A message to the parent, run and round filled in.
static fl_message *
s_say(fl_participant *self, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, verb);
    message->run = self->run;
    message->round = self->phase == FL_PARTICIPANT_NONE ? 0 : self->task.order.round;
    return message;
}

void
fl_participant_note(fl_participant *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b,
                    fl_outbox *out)
{
    fl_outbox_note(
        out,
        (fl_note){ .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b });
}

// ---- the link -----------------------------------------------------------------------------------
void
fl_participant_lose(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    uint32_t delay = fl_session_lost(&self->joining, now);
    fl_participant_note(self, FL_NOTE_RECONNECT, reason, self->joining.tries, delay, out);
}

void
fl_participant_hello(fl_participant *self, fl_time now, fl_outbox *out)
{
    fl_message *message = s_say(self, FL_HELLO, out);
    message->hello.role = self->conf.role;
    message->hello.incarnation = self->conf.incarnation;
    message->hello.model = self->model;
    message->hello.leaves = self->doing.leaves;
    fl_session_asked(&self->joining, now);
}

static void
s_connect(fl_participant *self, fl_time now, fl_outbox *out)
{
    fl_outbox_add(out, FL_FX_RECONNECT);
    self->push.lane_open = false; // every lane went with the connection
    fl_participant_hello(self, now, out);
}

// ---- the offered contribution -------------------------------------------------------------------
void
fl_participant_announce(fl_participant *self, fl_outbox *out)
{
    if (!fl_participant_joined(self)) {
        return; // WELCOME says it again
    }
    fl_contrib *contrib = &s_say(self, FL_CONTRIB, out)->contrib;
    fl_upload_send_announce(&self->push, &self->task, &self->seat, contrib);
}

bool
fl_participant_offering(const fl_participant *self)
{
    return self->phase == FL_PARTICIPANT_OFFERED || self->phase == FL_PARTICIPANT_SENDING ||
           self->phase == FL_PARTICIPANT_SENT;
}

void
fl_participant_offer_anew(fl_participant *self, fl_outbox *out)
{
    fl_participant_enter(self, FL_PARTICIPANT_OFFERED);
    fl_upload_send_restart(&self->push);
    fl_participant_announce(self, out);
}

static bool
s_pushing(const fl_participant *self)
{
    return fl_participant_joined(self) && self->phase == FL_PARTICIPANT_SENDING &&
           fl_upload_send_ready(&self->push);
}

//  Once every byte has left here, this attempt may count it.
void
fl_participant_pushed(fl_participant *self, fl_upload_send_state state, fl_outbox *out)
{
    fl_participant_phase next =
        state == FL_UPLOAD_SENT ? FL_PARTICIPANT_SENT : FL_PARTICIPANT_SENDING;
    if (next != self->phase) {
        fl_participant_note(self, next == FL_PARTICIPANT_SENT ? FL_NOTE_SENT : FL_NOTE_SENDING,
                            FL_WHY_NONE, self->push.sent, self->push.offer.vector_bytes, out);
    }
    fl_participant_enter(self, next);
    if (state == FL_UPLOAD_SENT && self->exposed == 0) {
        self->exposed = self->task.attempt;
    }
}

//  End the task: free what was offered, keep the verdict for the host.
void
fl_participant_end(fl_participant *self, fl_outcome outcome, fl_reason reason, bool certain,
                   fl_outbox *out)
{
    if (self->phase == FL_PARTICIPANT_NONE) {
        return;
    }
    fl_participant_masking_end(self, outcome == FL_OUT_IN ? FL_WHY_NONE : reason, out);
    fl_upload_send_end(&self->push, out);
    fl_model_fetch_end(&self->fetch, out);
    self->verdict = (fl_verdict){ .round = self->task.order.round,
                                  .outcome = outcome,
                                  .reason = reason,
                                  .certain = certain,
                                  .spent = self->spent,
                                  .final = self->verdict.final };
    self->verdict_new = true;
    fl_participant_note(self, FL_NOTE_VERDICT, reason, (uint64_t)outcome, certain, out);
    fl_participant_enter(self, FL_PARTICIPANT_NONE);
    self->due = FL_NEVER;
}

void
fl_participant_turn_down(fl_participant *self, fl_reason reason, const char *text)
{
    fl_participant_enter(self, FL_PARTICIPANT_DECLINED);
    self->declined = reason;
    size_t length = strlen(text);
    length = length < FL_TEXT_MAX - 1 ? length : FL_TEXT_MAX - 1;
    memset(self->declined_text, 0, sizeof self->declined_text);
    memcpy(self->declined_text, text, length);
}

void
fl_participant_decline_again(fl_participant *self, fl_outbox *out)
{
    if (!fl_participant_joined(self)) {
        return;
    }
    fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
    refused->reason = self->declined;
    refused->about = FL_TASK;
    memcpy(refused->text, self->declined_text, sizeof refused->text);
}

static void
on_model(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->phase != FL_PARTICIPANT_FETCHING || !self->fetch.checking ||
        !fl_hash_equal(&event->model.hash, &self->fetch.hash)) {
        return; // of a fetch that was given up
    }
    if (!event->model.ok) { // wrong bytes: once more from the start
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED,
                                       .round = self->task.order.round,
                                       .reason = FL_WHY_HASH,
                                       .a = FL_PIECE });
        fl_model_fetch_end(&self->fetch, out);
        fl_model_fetch_begin(&self->fetch, &self->task.order.model, self->task.order.model_bytes,
                             &self->run, self->seat.down_port, now, out);
        return;
    }
    fl_participant_note(self, FL_NOTE_MODEL, FL_WHY_NONE, self->fetch.total,
                        (uint64_t)(now - self->fetch.started_at), out);
    self->model = self->fetch.hash;
    fl_model_fetch_end(&self->fetch, out);
    fl_participant_enter(self, FL_PARTICIPANT_WORKING);
}

// ---- time ---------------------------------------------------------------------------------------
static void
s_beat(fl_participant *self, fl_time now, fl_outbox *out)
{
    fl_beat *beat = &s_say(self, FL_BEAT, out)->beat;
    beat->seat = self->seat.seat;
    beat->epoch = self->seat.epoch;
    beat->attempt = self->phase == FL_PARTICIPANT_NONE ? 0 : self->task.attempt;
    beat->activity = fl_participant_activity(self);
    beat->leaves = self->doing.leaves;
    bool hides = self->masking != NULL && self->conf.masking->profile != FL_MASKING_NONE;
    beat->samples = hides ? 0 : self->doing.samples;
    beat->tally = self->doing.tally;
    if (self->phase == FL_PARTICIPANT_FETCHING) {
        beat->done = self->fetch.received;
        beat->total = self->fetch.total;
    } else if (self->phase == FL_PARTICIPANT_SENDING || self->phase == FL_PARTICIPANT_SENT) {
        beat->done = self->push.sent;
        beat->total = self->push.offer.vector_bytes;
    } else if (self->phase == FL_PARTICIPANT_WORKING || self->phase == FL_PARTICIPANT_NONE) {
        beat->done = self->doing.done;
        beat->total = self->doing.total;
    }
    fl_session_beaten(&self->joining, now);
}

static fl_time
s_fetch_stuck_at(const fl_participant *self)
{
    if (self->phase != FL_PARTICIPANT_FETCHING || !fl_participant_joined(self)) {
        return FL_NEVER;
    }
    return fl_model_fetch_stuck_at(&self->fetch, self->joining.beat_ms);
}

static void
on_tick(fl_participant *self, fl_time now, fl_outbox *out)
{
    switch (fl_session_next(&self->joining, now)) {
    case FL_SESSION_DO_CONNECT:
        s_connect(self, now, out);
        break;
    case FL_SESSION_DO_GIVE_UP:
        fl_participant_lose(self, FL_WHY_SILENT, now, out);
        break;
    case FL_SESSION_DO_BEAT:
        s_beat(self, now, out);
        break;
    case FL_SESSION_DO_WAIT:
        break;
    }
    if (now >= s_fetch_stuck_at(self)) {
        self->fetch.in_vain++;
        fl_model_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_pushing(self)) {
        fl_participant_pushed(self, fl_upload_send_pump(&self->push, &self->task, &self->seat, out),
                              out);
    }
    fl_participant_masking_tick(self, now, out);
}

// ---- the door -----------------------------------------------------------------------------------
void
fl_participant_step(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch ((int)event->kind) {
    case FL_EV_MESSAGE:
        FL_ASSERT(event->message.from == FL_PARENT);
        fl_participant_hear(self, event, now, out);
        break;
    case FL_EV_MODEL:
        on_model(self, event, now, out);
        break;
    case FL_EV_MASKED:
        fl_participant_masking_masked(self, event, now, out);
        break;
    case FL_EV_SAVED:
        fl_participant_masking_saved(self, event, now, out);
        break;
    default:
        FL_ASSERT(event->kind == FL_EV_TICK);
        on_tick(self, now, out);
        break;
    }
}

static fl_time
s_sooner(fl_time a, fl_time b)
{
    return a < b ? a : b;
}

fl_time
fl_participant_deadline(const fl_participant *self)
{
    if (s_pushing(self)) {
        return 0;
    }
    fl_time link = s_sooner(fl_session_deadline(&self->joining), s_fetch_stuck_at(self));
    return s_sooner(link, fl_participant_masking_deadline(self));
}

// ---- the host's side ----------------------------------------------------------------------------
const fl_task *
fl_participant_task(const fl_participant *self)
{
    bool held =
        self->phase != FL_PARTICIPANT_NONE && fl_hash_equal(&self->model, &self->task.order.model);
    return held ? &self->task : NULL;
}

fl_time
fl_participant_due(const fl_participant *self)
{
    return self->due;
}

bool
fl_participant_wants(const fl_participant *self)
{
    return self->phase == FL_PARTICIPANT_WORKING;
}

void
fl_participant_offer(fl_participant *self, const fl_offer *offer, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_PARTICIPANT_WORKING);
    uint64_t staleness = self->task.order.round - offer->base_round;
    fl_participant_note(self, FL_NOTE_OFFERED, FL_WHY_NONE, offer->weight, staleness, out);
    if (fl_participant_masks(self)) {
        fl_participant_masking_offer(self, offer, now, out);
        return;
    }
    fl_upload_send_load(&self->push, offer);
    fl_participant_offer_anew(self, out);
}

void
fl_participant_decline(fl_participant *self, fl_reason reason, const char *text, fl_time now,
                       fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == FL_PARTICIPANT_WORKING);
    fl_participant_masking_end(self, reason, out);
    fl_participant_turn_down(self, reason, text);
    fl_participant_decline_again(self, out);
}

bool
fl_participant_verdict(fl_participant *self, fl_verdict *verdict)
{
    if (!self->verdict_new) {
        return false;
    }
    *verdict = self->verdict;
    self->verdict_new = false;
    return true;
}

void
fl_participant_doing(fl_participant *self, const fl_doing *doing)
{
    self->doing = *doing;
}

bool
fl_participant_joined(const fl_participant *self)
{
    return self->joining.phase == FL_SESSION_JOINED;
}

const fl_run *
fl_participant_run(const fl_participant *self)
{
    return &self->run;
}

fl_activity
fl_participant_activity(const fl_participant *self)
{
    switch (self->phase) {
    case FL_PARTICIPANT_FETCHING:
        return FL_DOING_FETCH;
    case FL_PARTICIPANT_MASKING:
        return FL_DOING_ENCODE; // not WAIT_CLOSE: a parent takes that for a lost CONTRIB
    case FL_PARTICIPANT_OFFERED:
        return FL_DOING_WAIT_GRANT;
    case FL_PARTICIPANT_SENDING:
        return FL_DOING_SEND;
    case FL_PARTICIPANT_SENT:
    case FL_PARTICIPANT_DECLINED:
        return FL_DOING_WAIT_CLOSE;
    case FL_PARTICIPANT_NONE:
    case FL_PARTICIPANT_WORKING:
    case FL_PARTICIPANT_PHASES:
        break;
    }
    return self->doing.activity;
}

void
fl_participant_leave(fl_participant *self, fl_reason reason, fl_outbox *out)
{
    if (fl_participant_joined(self)) {
        s_say(self, FL_LEAVE, out)->leave.reason = reason;
    }
    fl_participant_masking_end(self, reason, out);
    fl_session_left(&self->joining);
}
