//  The member keeps its side of three promises. It counts once: what was sent whole and got no
//  verdict is never offered again under another round. It heals: a repeated task, grant or closed
//  changes nothing that was right already, and puts right what was lost. It never waits without a
//  bound: three silent beats of the parent throw the connection away, a fetch that stands still is
//  asked for again.
#include "common/round/participant_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

static const bool legal[FL_MEMBER_PHASES][FL_MEMBER_PHASES] = {
    [FL_MEMBER_NONE] = { [FL_MEMBER_FETCHING] = true,
                         [FL_MEMBER_WORKING] = true,
                         [FL_MEMBER_DECLINED] = true },
    [FL_MEMBER_FETCHING] = { [FL_MEMBER_NONE] = true, [FL_MEMBER_WORKING] = true },
    [FL_MEMBER_WORKING] = { [FL_MEMBER_NONE] = true,
                            [FL_MEMBER_MASKING] = true,
                            [FL_MEMBER_OFFERED] = true,
                            [FL_MEMBER_DECLINED] = true },
    [FL_MEMBER_MASKING] = { [FL_MEMBER_NONE] = true, [FL_MEMBER_OFFERED] = true },
    [FL_MEMBER_OFFERED] = { [FL_MEMBER_NONE] = true,
                            [FL_MEMBER_OFFERED] = true,
                            [FL_MEMBER_SENDING] = true,
                            [FL_MEMBER_SENT] = true },
    [FL_MEMBER_SENDING] = { [FL_MEMBER_NONE] = true,
                            [FL_MEMBER_OFFERED] = true,
                            [FL_MEMBER_SENDING] = true,
                            [FL_MEMBER_SENT] = true },
    [FL_MEMBER_SENT] = { [FL_MEMBER_NONE] = true,
                         [FL_MEMBER_OFFERED] = true,
                         [FL_MEMBER_SENDING] = true,
                         [FL_MEMBER_SENT] = true,
                         [FL_MEMBER_DECLINED] = true },
    [FL_MEMBER_DECLINED] = { [FL_MEMBER_NONE] = true },
};

fl_member *
fl_member_new(const fl_member_conf *conf)
{
    fl_member *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    fl_joining_init(&self->joining, conf);
    self->due = FL_NEVER;
    self->doing.leaves = conf->role == FL_ROLE_DEVICE ? 1 : 0;
    bool made = fl_push_init(&self->push, conf->role == FL_ROLE_EDGE);
    if (made && conf->masking != NULL) {
        self->masking = fl_masking_member_new(conf->masking, conf->mark);
        made = self->masking != NULL;
    }
    if (!made) {
        fl_member_destroy(&self);
    }
    return self;
}

void
fl_member_destroy(fl_member **self_p)
{
    fl_member *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_masking_member_destroy(&self->masking);
        fl_push_release(&self->push);
        free(self);
    }
}

void
fl_member_enter(fl_member *self, fl_member_phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

//  A message to the parent, run and round filled in.
static fl_message *
s_say(fl_member *self, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, verb);
    message->run = self->run;
    message->round = self->phase == FL_MEMBER_NONE ? 0 : self->task.order.round;
    return message;
}

void
fl_member_note(fl_member *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b,
               fl_outbox *out)
{
    fl_outbox_note(
        out,
        (fl_note){ .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b });
}

// ---- the link -----------------------------------------------------------------------------------
void
fl_member_lose(fl_member *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    uint32_t delay = fl_joining_lost(&self->joining, now);
    fl_member_note(self, FL_NOTE_RECONNECT, reason, self->joining.tries, delay, out);
}

void
fl_member_hello(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_message *message = s_say(self, FL_HELLO, out);
    message->hello.role = self->conf.role;
    message->hello.incarnation = self->conf.incarnation;
    message->hello.model = self->model;
    message->hello.leaves = self->doing.leaves;
    fl_joining_asked(&self->joining, now);
}

static void
s_connect(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_outbox_add(out, FL_FX_RECONNECT);
    self->push.lane_open = false; // every lane went with the connection
    fl_member_hello(self, now, out);
}

// ---- the offered contribution -------------------------------------------------------------------
void
fl_member_announce(fl_member *self, fl_outbox *out)
{
    if (!fl_member_joined(self)) {
        return; // WELCOME says it again
    }
    fl_contrib *contrib = &s_say(self, FL_CONTRIB, out)->contrib;
    fl_push_announce(&self->push, &self->task, &self->seat, contrib);
}

bool
fl_member_offering(const fl_member *self)
{
    return self->phase == FL_MEMBER_OFFERED || self->phase == FL_MEMBER_SENDING ||
           self->phase == FL_MEMBER_SENT;
}

void
fl_member_offer_anew(fl_member *self, fl_outbox *out)
{
    fl_member_enter(self, FL_MEMBER_OFFERED);
    fl_push_restart(&self->push);
    fl_member_announce(self, out);
}

static bool
s_pushing(const fl_member *self)
{
    return fl_member_joined(self) && self->phase == FL_MEMBER_SENDING && fl_push_ready(&self->push);
}

//  Once every byte has left here, this attempt may count it.
void
fl_member_pushed(fl_member *self, fl_push_state state, fl_outbox *out)
{
    fl_member_phase next = state == FL_PUSH_SENT ? FL_MEMBER_SENT : FL_MEMBER_SENDING;
    if (next != self->phase) {
        fl_member_note(self, next == FL_MEMBER_SENT ? FL_NOTE_SENT : FL_NOTE_SENDING, FL_WHY_NONE,
                       self->push.sent, self->push.offer.vector_bytes, out);
    }
    fl_member_enter(self, next);
    if (state == FL_PUSH_SENT && self->exposed == 0) {
        self->exposed = self->task.attempt;
    }
}

//  End the task: free what was offered, keep the verdict for the host.
void
fl_member_end(fl_member *self, fl_outcome outcome, fl_reason reason, bool certain, fl_outbox *out)
{
    if (self->phase == FL_MEMBER_NONE) {
        return;
    }
    fl_member_masking_end(self, outcome == FL_OUT_IN ? FL_WHY_NONE : reason, out);
    fl_push_end(&self->push, out);
    fl_fetch_end(&self->fetch, out);
    self->verdict = (fl_verdict){ .round = self->task.order.round,
                                  .outcome = outcome,
                                  .reason = reason,
                                  .certain = certain,
                                  .spent = self->spent,
                                  .final = self->verdict.final };
    self->verdict_new = true;
    fl_member_note(self, FL_NOTE_VERDICT, reason, (uint64_t)outcome, certain, out);
    fl_member_enter(self, FL_MEMBER_NONE);
    self->due = FL_NEVER;
}

void
fl_member_turn_down(fl_member *self, fl_reason reason, const char *text)
{
    fl_member_enter(self, FL_MEMBER_DECLINED);
    self->declined = reason;
    size_t length = strlen(text);
    length = length < FL_TEXT_MAX - 1 ? length : FL_TEXT_MAX - 1;
    memset(self->declined_text, 0, sizeof self->declined_text);
    memcpy(self->declined_text, text, length);
}

void
fl_member_decline_again(fl_member *self, fl_outbox *out)
{
    if (!fl_member_joined(self)) {
        return;
    }
    fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
    refused->reason = self->declined;
    refused->about = FL_TASK;
    memcpy(refused->text, self->declined_text, sizeof refused->text);
}

static void
on_model(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->phase != FL_MEMBER_FETCHING || !self->fetch.checking ||
        !fl_hash_equal(&event->model.hash, &self->fetch.hash)) {
        return; // of a fetch that was given up
    }
    if (!event->model.ok) { // wrong bytes: once more from the start
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED,
                                       .round = self->task.order.round,
                                       .reason = FL_WHY_HASH,
                                       .a = FL_PIECE });
        fl_fetch_end(&self->fetch, out);
        fl_fetch_begin(&self->fetch, &self->task.order.model, self->task.order.model_bytes,
                       &self->run, self->seat.down_port, now, out);
        return;
    }
    fl_member_note(self, FL_NOTE_MODEL, FL_WHY_NONE, self->fetch.total,
                   (uint64_t)(now - self->fetch.started_at), out);
    self->model = self->fetch.hash;
    fl_fetch_end(&self->fetch, out);
    fl_member_enter(self, FL_MEMBER_WORKING);
}

// ---- time ---------------------------------------------------------------------------------------
static void
s_beat(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_beat *beat = &s_say(self, FL_BEAT, out)->beat;
    beat->seat = self->seat.seat;
    beat->epoch = self->seat.epoch;
    beat->attempt = self->phase == FL_MEMBER_NONE ? 0 : self->task.attempt;
    beat->activity = fl_member_activity(self);
    beat->leaves = self->doing.leaves;
    bool hides = self->masking != NULL && self->conf.masking->profile != FL_MASKING_NONE;
    beat->samples = hides ? 0 : self->doing.samples;
    beat->tally = self->doing.tally;
    if (self->phase == FL_MEMBER_FETCHING) {
        beat->done = self->fetch.received;
        beat->total = self->fetch.total;
    } else if (self->phase == FL_MEMBER_SENDING || self->phase == FL_MEMBER_SENT) {
        beat->done = self->push.sent;
        beat->total = self->push.offer.vector_bytes;
    } else if (self->phase == FL_MEMBER_WORKING || self->phase == FL_MEMBER_NONE) {
        beat->done = self->doing.done;
        beat->total = self->doing.total;
    }
    fl_joining_beaten(&self->joining, now);
}

static fl_time
s_fetch_stuck_at(const fl_member *self)
{
    if (self->phase != FL_MEMBER_FETCHING || !fl_member_joined(self)) {
        return FL_NEVER;
    }
    return fl_fetch_stuck_at(&self->fetch, self->joining.beat_ms);
}

static void
on_tick(fl_member *self, fl_time now, fl_outbox *out)
{
    switch (fl_joining_next(&self->joining, now)) {
    case FL_JOINING_CONNECT:
        s_connect(self, now, out);
        break;
    case FL_JOINING_GIVE_UP:
        fl_member_lose(self, FL_WHY_SILENT, now, out);
        break;
    case FL_JOINING_BEAT:
        s_beat(self, now, out);
        break;
    case FL_JOINING_WAIT:
        break;
    }
    if (now >= s_fetch_stuck_at(self)) {
        self->fetch.in_vain++;
        fl_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_pushing(self)) {
        fl_member_pushed(self, fl_push_pump(&self->push, &self->task, &self->seat, out), out);
    }
    fl_member_masking_tick(self, now, out);
}

// ---- the door -----------------------------------------------------------------------------------
void
fl_member_step(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch ((int)event->kind) {
    case FL_EV_MESSAGE:
        FL_ASSERT(event->message.from == FL_PARENT);
        fl_member_hear(self, event, now, out);
        break;
    case FL_EV_MODEL:
        on_model(self, event, now, out);
        break;
    case FL_EV_MASKED:
        fl_member_masking_masked(self, event, now, out);
        break;
    case FL_EV_SAVED:
        fl_member_masking_saved(self, event, now, out);
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
fl_member_deadline(const fl_member *self)
{
    if (s_pushing(self)) {
        return 0;
    }
    fl_time link = s_sooner(fl_joining_deadline(&self->joining), s_fetch_stuck_at(self));
    return s_sooner(link, fl_member_masking_deadline(self));
}

// ---- the host's side ----------------------------------------------------------------------------
const fl_task *
fl_member_task(const fl_member *self)
{
    bool held =
        self->phase != FL_MEMBER_NONE && fl_hash_equal(&self->model, &self->task.order.model);
    return held ? &self->task : NULL;
}

fl_time
fl_member_due(const fl_member *self)
{
    return self->due;
}

bool
fl_member_wants(const fl_member *self)
{
    return self->phase == FL_MEMBER_WORKING;
}

void
fl_member_offer(fl_member *self, const fl_offer *offer, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_MEMBER_WORKING);
    uint64_t staleness = self->task.order.round - offer->base_round;
    fl_member_note(self, FL_NOTE_OFFERED, FL_WHY_NONE, offer->weight, staleness, out);
    if (fl_member_masks(self)) {
        fl_member_masking_offer(self, offer, now, out);
        return;
    }
    fl_push_load(&self->push, offer);
    fl_member_offer_anew(self, out);
}

void
fl_member_decline(fl_member *self, fl_reason reason, const char *text, fl_time now, fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == FL_MEMBER_WORKING);
    fl_member_masking_end(self, reason, out);
    fl_member_turn_down(self, reason, text);
    fl_member_decline_again(self, out);
}

bool
fl_member_verdict(fl_member *self, fl_verdict *verdict)
{
    if (!self->verdict_new) {
        return false;
    }
    *verdict = self->verdict;
    self->verdict_new = false;
    return true;
}

void
fl_member_doing(fl_member *self, const fl_doing *doing)
{
    self->doing = *doing;
}

bool
fl_member_joined(const fl_member *self)
{
    return self->joining.phase == FL_LINK_JOINED;
}

const fl_run *
fl_member_run(const fl_member *self)
{
    return &self->run;
}

fl_activity
fl_member_activity(const fl_member *self)
{
    switch (self->phase) {
    case FL_MEMBER_FETCHING:
        return FL_DOING_FETCH;
    case FL_MEMBER_MASKING:
        return FL_DOING_ENCODE; // not WAIT_CLOSE: a parent takes that for a lost CONTRIB
    case FL_MEMBER_OFFERED:
        return FL_DOING_WAIT_GRANT;
    case FL_MEMBER_SENDING:
        return FL_DOING_SEND;
    case FL_MEMBER_SENT:
    case FL_MEMBER_DECLINED:
        return FL_DOING_WAIT_CLOSE;
    case FL_MEMBER_NONE:
    case FL_MEMBER_WORKING:
    case FL_MEMBER_PHASES:
        break;
    }
    return self->doing.activity;
}

void
fl_member_leave(fl_member *self, fl_reason reason, fl_outbox *out)
{
    if (fl_member_joined(self)) {
        s_say(self, FL_LEAVE, out)->leave.reason = reason;
    }
    fl_member_masking_end(self, reason, out);
    fl_joining_left(&self->joining);
}
