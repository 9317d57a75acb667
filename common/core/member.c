//  The member keeps its side of three promises. It counts once: what was sent
//  whole and got no verdict is never offered again under another round. It
//  heals: a repeated task, grant or closed changes nothing that was right
//  already, and puts right what was lost. It never waits without a bound: three
//  silent beats of the parent throw the connection away, a fetch that stands
//  still is asked for again.
#include "common/core/member.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/base/status.h"
#include "common/core/fetch.h"
#include "common/core/push.h"

enum { SILENT_BEATS = 3 };

typedef enum link_phase { OFFLINE, JOINING, JOINED, LINKS } link_phase;

typedef enum task_phase {
    NONE,
    FETCHING,
    WORKING,
    OFFERED,
    SENDING,
    SENT,
    DECLINED,
    PHASES
} task_phase;

static const bool legal[PHASES][PHASES] = {
    [NONE] = { [FETCHING] = true, [WORKING] = true },
    [FETCHING] = { [NONE] = true, [FETCHING] = true, [WORKING] = true },
    [WORKING] = { [NONE] = true,
                  [FETCHING] = true,
                  [WORKING] = true,
                  [OFFERED] = true,
                  [DECLINED] = true },
    [OFFERED] = { [NONE] = true, [OFFERED] = true, [SENDING] = true, [SENT] = true },
    [SENDING] = { [NONE] = true, [OFFERED] = true, [SENDING] = true, [SENT] = true },
    [SENT] = { [NONE] = true, [OFFERED] = true, [SENDING] = true, [SENT] = true },
    [DECLINED] = { [NONE] = true },
};

struct fl_member {
    fl_member_conf conf;
    fl_rng rng;
    link_phase link;
    uint32_t tries; // reconnects since the last WELCOME
    fl_time retry_at, hello_at, heard_at, beat_at;
    fl_run run;
    fl_welcome seat; // its certificate view is not kept
    fl_hash model;   // held here
    task_phase phase;
    fl_task task;
    fl_time due;
    fl_fetch_state fetch;
    fl_push push;
    uint32_t exposed; // first attempt for which all of it was sent; 0 = never
    fl_reason declined;
    char declined_text[FL_TEXT_MAX];
    fl_verdict verdict;
    bool verdict_new;
    fl_doing doing;
};

fl_member *
fl_member_new(const fl_member_conf *conf)
{
    fl_member *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->rng = fl_rng_seeded(conf->seed ^ conf->incarnation);
    self->seat.beat_ms = conf->beat_ms;
    self->due = FL_NEVER;
    self->doing.leaves = conf->role == FL_ROLE_DEVICE ? 1 : 0;
    if (!fl_push_init(&self->push, conf->role == FL_ROLE_EDGE)) {
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
        fl_push_release(&self->push);
        free(self);
    }
}

static void
s_enter(fl_member *self, task_phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

static fl_message *
s_say(fl_member *self, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, verb);
    message->run = self->run;
    message->round = self->phase == NONE ? 0 : self->task.order.round;
    return message;
}

static void
s_note(fl_member *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b, fl_outbox *out)
{
    fl_outbox_note(
        out,
        (fl_note){ .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b });
}

// ---- the link
// ---------------------------------------------------------------------------------
static void
s_go_offline(fl_member *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    uint32_t delay = fl_policy_backoff_ms(self->tries, self->conf.backoff_min_ms,
                                          self->conf.backoff_max_ms, fl_rng_u64(&self->rng));
    self->tries++;
    self->link = OFFLINE;
    self->retry_at = now + delay;
    s_note(self, FL_NOTE_RECONNECT, reason, self->tries, delay, out);
}

static void
s_hello(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_message *message = s_say(self, FL_HELLO, out);
    message->hello.role = self->conf.role;
    message->hello.incarnation = self->conf.incarnation;
    message->hello.model = self->model;
    message->hello.leaves = self->doing.leaves;
    self->link = JOINING;
    self->hello_at = now;
}

static void
s_connect(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_outbox_add(out, FL_FX_RECONNECT);
    self->push.lane_open = false; // every lane went with the connection
    s_hello(self, now, out);
}

// ---- the offered contribution
// -----------------------------------------------------------------
static void
s_contrib(fl_member *self, fl_outbox *out)
{
    if (self->link != JOINED) {
        return; // WELCOME says it again
    }
    fl_contrib *contrib = &s_say(self, FL_CONTRIB, out)->contrib;
    fl_push_announce(&self->push, &self->task, &self->seat, contrib);
}

static bool
s_offering(const fl_member *self)
{
    return self->phase == OFFERED || self->phase == SENDING || self->phase == SENT;
}

static void
s_offer_anew(fl_member *self, fl_outbox *out)
{
    s_enter(self, OFFERED);
    fl_push_restart(&self->push);
    s_contrib(self, out);
}

static bool
s_pushing(const fl_member *self)
{
    return self->link == JOINED && self->phase == SENDING && fl_push_ready(&self->push);
}

//  Every byte has left here: from now on this attempt may count it.
static void
s_pushed(fl_member *self, fl_push_state state)
{
    s_enter(self, state == FL_PUSH_SENT ? SENT : SENDING);
    if (state == FL_PUSH_SENT && self->exposed == 0) {
        self->exposed = self->task.attempt;
    }
}

//  End the task: free what was offered, keep the verdict for the host.
static void
s_end_task(fl_member *self, fl_outcome outcome, fl_reason reason, bool certain, fl_outbox *out)
{
    if (self->phase == NONE) {
        return;
    }
    fl_push_end(&self->push, out);
    fl_fetch_end(&self->fetch, out);
    self->verdict = (fl_verdict){ .round = self->task.order.round,
                                  .outcome = outcome,
                                  .reason = reason,
                                  .certain = certain,
                                  .final = self->verdict.final };
    self->verdict_new = true;
    s_note(self, FL_NOTE_VERDICT, reason, (uint64_t)outcome, certain, out);
    s_enter(self, NONE);
    self->due = FL_NEVER;
}

// ---- what the parent says
// ---------------------------------------------------------------------
static void
on_welcome(fl_member *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    if (self->link != JOINING) {
        return; // an answer to a HELLO that we gave up
    }
    if (!fl_run_equal(&self->run, &message->run)) {
        s_end_task(self, FL_OUT_REFUSED, FL_WHY_UNKNOWN_RUN, true, out);
        self->run = message->run;
    }
    self->link = JOINED;
    self->tries = 0;
    self->seat = message->welcome;
    self->seat.certificate = (fl_bytes){ 0 };
    self->beat_at = now + self->seat.beat_ms;
    s_note(self, FL_NOTE_WELCOMED, FL_WHY_NONE, self->seat.seat, self->seat.epoch, out);
    if (self->phase == FETCHING && !self->fetch.checking) {
        fl_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_offering(self)) {
        s_offer_anew(self, out);
    }
}

static void
s_begin_task(fl_member *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == NONE);
    self->task = *task;
    self->exposed = 0;
    self->due = now + task->budget_ms;
    s_note(self, FL_NOTE_TASK, FL_WHY_NONE, task->attempt, task->budget_ms, out);
    if (fl_hash_equal(&self->model, &task->order.model)) {
        s_enter(self, WORKING);
    } else {
        s_enter(self, FETCHING);
        fl_fetch_begin(&self->fetch, &task->order.model, task->order.model_bytes, &self->run,
                       self->seat.down_port, now, out);
    }
}

static void
s_decline_again(fl_member *self, fl_outbox *out)
{
    if (self->link != JOINED) {
        return;
    }
    fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
    refused->reason = self->declined;
    refused->about = FL_TASK;
    memcpy(refused->text, self->declined_text, sizeof refused->text);
}

//  The same round again: a new attempt asks for the same bytes, the same
//  attempt heals a loss.
static void
s_task_again(fl_member *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    bool newer = task->attempt > self->task.attempt;
    if (task->attempt < self->task.attempt) {
        return;
    }
    if (newer) {
        self->task.attempt = task->attempt;
        self->due = now + task->budget_ms;
        s_note(self, FL_NOTE_TASK, FL_WHY_RESTART, task->attempt, task->budget_ms, out);
    }
    switch (self->phase) {
    case OFFERED:
    case SENDING:
    case SENT:
        if (newer) {
            s_offer_anew(self, out);
        } else {
            s_contrib(self, out);
        }
        break;
    case DECLINED:
        s_decline_again(self, out);
        break;
    case NONE:
    case FETCHING:
    case WORKING:
    case PHASES:
        break;
    }
}

static void
on_task(fl_member *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    if (!fl_run_equal(&task->order.run, &self->run)) {
        s_note(self, FL_NOTE_REFUSED, FL_WHY_UNKNOWN_RUN, FL_TASK, 0, out);
        return;
    }
    uint64_t round = task->order.round;
    uint64_t ours = self->task.order.round;
    if (round < ours ||
        (round == ours && self->phase == NONE && task->attempt <= self->task.attempt)) {
        return; // over already
    }
    if (round == ours && self->phase != NONE) {
        s_task_again(self, task, now, out);
        return;
    }
    s_end_task(self, FL_OUT_LATE, FL_WHY_LATE, self->exposed == 0, out);
    s_begin_task(self, task, now, out);
}

static void
on_grant(fl_member *self, const fl_grant *grant, fl_outbox *out)
{
    if (!s_offering(self)) {
        return;
    }
    fl_push_state state = fl_push_granted(&self->push, grant, &self->task, &self->seat, out);
    if (state != FL_PUSH_STRANGE) {
        s_pushed(self, state);
    }
}

static void
on_closed(fl_member *self, const fl_message *message, fl_outbox *out)
{
    const fl_closed *closed = &message->closed;
    self->verdict.final = self->verdict.final || closed->final;
    if (self->phase == NONE) {
        if (closed->final) { // nothing in hand, but the host must hear that the run
                             // is over
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
        s_end_task(self, closed->outcome, closed->reason, told || closed->outcome == FL_OUT_IN,
                   out);
    } else if (closed->final) { // the run is over without a word about this task
        s_end_task(self, FL_OUT_LATE, closed->reason, self->exposed == 0, out);
    }
}

static void
s_rejoin(fl_member *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (self->link == JOINED) {
        s_note(self, FL_NOTE_RECONNECT, reason, 0, 0, out);
        s_hello(self, now, out);
    }
}

static void
s_offer_refused(fl_member *self, const fl_message *message, fl_outbox *out)
{
    fl_reason reason = message->refused.reason;
    if (!s_offering(self) || message->round != self->task.order.round) {
        return;
    }
    bool late = reason == FL_WHY_LATE || reason == FL_WHY_BUSY || reason == FL_WHY_SLOW;
    s_end_task(self, late ? FL_OUT_LATE : FL_OUT_REFUSED, reason, self->exposed == 0, out);
}

static void
on_refused(fl_member *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    fl_reason reason = message->refused.reason;
    s_note(self, FL_NOTE_REFUSED, reason, (uint64_t)message->refused.about, 0, out);
    if (message->refused.about == FL_HELLO) {
        if (self->link != OFFLINE) {
            s_go_offline(self, reason, now, out);
        }
    } else if (reason == FL_WHY_UNKNOWN_SEAT || reason == FL_WHY_UNKNOWN_RUN ||
               reason == FL_WHY_TICKET) {
        s_rejoin(self, reason, now, out);
    } else if (message->refused.about == FL_CONTRIB || message->refused.about == FL_CHUNK) {
        s_offer_refused(self, message, out);
    }
}

static void
on_message(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    self->heard_at = now;
    switch (message->verb) {
    case FL_WELCOME:
        on_welcome(self, message, now, out);
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
        if (!fl_fetch_piece(&self->fetch, message, event->message.body_bytes, now, out)) {
            s_note(self, FL_NOTE_CHUNK_DROPPED, FL_WHY_DUPLICATE, self->seat.seat,
                   message->piece.offset, out);
        }
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
    case FL_VERB_COUNT:
        s_note(self, FL_NOTE_REFUSED, FL_WHY_MALFORMED, (uint64_t)message->verb, 0, out);
        break;
    }
}

static void
on_model(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->phase != FETCHING || !self->fetch.checking ||
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
    s_note(self, FL_NOTE_MODEL, FL_WHY_NONE, self->fetch.total,
           (uint64_t)(now - self->fetch.started_at), out);
    self->model = self->fetch.hash;
    fl_fetch_end(&self->fetch, out);
    s_enter(self, WORKING);
}

// ---- time
// -------------------------------------------------------------------------------------
static void
s_beat(fl_member *self, fl_time now, fl_outbox *out)
{
    fl_beat *beat = &s_say(self, FL_BEAT, out)->beat;
    beat->seat = self->seat.seat;
    beat->epoch = self->seat.epoch;
    beat->attempt = self->phase == NONE ? 0 : self->task.attempt;
    beat->activity = fl_member_activity(self);
    beat->leaves = self->doing.leaves;
    beat->samples = self->doing.samples;
    beat->tally = self->doing.tally;
    if (self->phase == FETCHING) {
        beat->done = self->fetch.received;
        beat->total = self->fetch.total;
    } else if (self->phase == SENDING || self->phase == SENT) {
        beat->done = self->push.sent;
        beat->total = self->push.offer.vector_bytes;
    } else if (self->phase == WORKING || self->phase == NONE) {
        beat->done = self->doing.done;
        beat->total = self->doing.total;
    }
    self->beat_at = now + self->seat.beat_ms;
}

static fl_time
s_silence_at(const fl_member *self)
{
    return self->heard_at + (fl_time)SILENT_BEATS * self->seat.beat_ms + 1;
}

static fl_time
s_fetch_stuck_at(const fl_member *self)
{
    if (self->phase != FETCHING || self->fetch.checking || self->link != JOINED) {
        return FL_NEVER;
    }
    return self->fetch.progress_at + 2 * (fl_time)self->seat.beat_ms;
}

static void
on_tick(fl_member *self, fl_time now, fl_outbox *out)
{
    if (self->link == OFFLINE) {
        if (now >= self->retry_at) {
            s_connect(self, now, out);
        }
        return;
    }
    if (self->link == JOINING) {
        if (now >= self->hello_at + (fl_time)SILENT_BEATS * self->seat.beat_ms) {
            s_go_offline(self, FL_WHY_SILENT, now, out);
        }
        return;
    }
    if (now >= s_silence_at(self)) {
        s_go_offline(self, FL_WHY_SILENT, now, out);
        return;
    }
    if (now >= self->beat_at) {
        s_beat(self, now, out);
    }
    if (now >= s_fetch_stuck_at(self)) {
        fl_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_pushing(self)) {
        s_pushed(self, fl_push_pump(&self->push, &self->task, &self->seat, out));
    }
}

void
fl_member_step(fl_member *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    FL_ASSERT(event->kind == FL_EV_TICK || event->kind == FL_EV_MESSAGE ||
              event->kind == FL_EV_MODEL);
    if (event->kind == FL_EV_MESSAGE) {
        FL_ASSERT(event->message.from == FL_PARENT);
        on_message(self, event, now, out);
    } else if (event->kind == FL_EV_MODEL) {
        on_model(self, event, now, out);
    } else {
        on_tick(self, now, out);
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
    switch (self->link) {
    case OFFLINE:
        return self->retry_at;
    case JOINING:
        return self->hello_at + (fl_time)SILENT_BEATS * self->seat.beat_ms;
    case JOINED:
    case LINKS:
        break;
    }
    fl_time at = s_sooner(self->beat_at, s_silence_at(self));
    return s_pushing(self) ? 0 : s_sooner(at, s_fetch_stuck_at(self));
}

// ---- the host's side
// --------------------------------------------------------------------------
const fl_task *
fl_member_task(const fl_member *self)
{
    return self->phase == NONE || self->phase == FETCHING ? NULL : &self->task;
}

fl_time
fl_member_due(const fl_member *self)
{
    return self->due;
}

bool
fl_member_wants(const fl_member *self)
{
    return self->phase == WORKING;
}

void
fl_member_offer(fl_member *self, const fl_offer *offer, fl_time now, fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == WORKING);
    fl_push_load(&self->push, offer);
    uint64_t staleness = self->task.order.round - offer->base_round;
    s_note(self, FL_NOTE_OFFERED, FL_WHY_NONE, offer->weight, staleness, out);
    s_offer_anew(self, out);
}

void
fl_member_decline(fl_member *self, fl_reason reason, const char *text, fl_time now, fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == WORKING);
    s_enter(self, DECLINED);
    self->declined = reason;
    size_t length = strlen(text);
    length = length < FL_TEXT_MAX - 1 ? length : FL_TEXT_MAX - 1;
    memset(self->declined_text, 0, sizeof self->declined_text);
    memcpy(self->declined_text, text, length);
    s_decline_again(self, out);
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
    return self->link == JOINED;
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
    case FETCHING:
        return FL_DOING_FETCH;
    case OFFERED:
        return FL_DOING_WAIT_GRANT;
    case SENDING:
        return FL_DOING_SEND;
    case SENT:
    case DECLINED:
        return FL_DOING_WAIT_CLOSE;
    case NONE:
    case WORKING:
    case PHASES:
        break;
    }
    return self->doing.activity;
}

void
fl_member_leave(fl_member *self, fl_reason reason, fl_outbox *out)
{
    if (self->link == JOINED) {
        s_say(self, FL_LEAVE, out)->leave.reason = reason;
    }
}
