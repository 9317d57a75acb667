//  The participant keeps its side of three promises. It counts once: what was sent whole and got no
//  verdict is never offered again under another round. It heals: a repeated task, grant or closed
//  changes nothing that was right already, and puts right what was lost. It never waits without a
//  bound: three silent beats of the parent throw the connection away, a fetch that stands still is
//  asked for again.
//
//  When a task is masked, its other half, fl_secagg_client, keeps the rules; here is who it talks
//  to, how long, and what its end means for the task in hand: before the upload has left, the task
//  is over; after that only the parent knows what became of it.
#include "common/round/participant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/round/model_fetch.h"
#include "common/round/session.h"
#include "common/round/upload_send.h"
#include "common/wire/verb_table.h"

typedef enum fl_participant_phase {
    FL_PARTICIPANT_NONE,
    FL_PARTICIPANT_FETCHING,
    FL_PARTICIPANT_WORKING,
    FL_PARTICIPANT_MASKING, // answered; the masked upload is not there yet
    FL_PARTICIPANT_OFFERED,
    FL_PARTICIPANT_SENDING,
    FL_PARTICIPANT_SENT,
    FL_PARTICIPANT_DECLINED,
    FL_PARTICIPANT_PHASES
} fl_participant_phase;

//  A run that was left for another one, and where it stood: its old tasks are old when they come
//  again.
typedef struct left_run {
    fl_run run;
    uint64_t round;
    uint32_t attempt;
    bool over; // and its end was heard
} left_run;
enum { LEFT_RUNS = 8 };

struct fl_participant {
    fl_participant_conf conf;
    fl_session session;
    uint8_t hop;              // ours: 1 below an edge, 2 below the root
    fl_run run;               // of `task`
    left_run left[LEFT_RUNS]; // newest first
    fl_welcome seat; // its certificate view is not kept
    fl_hash model;   // held here
    fl_participant_phase phase;
    fl_task task;
    fl_time due;
    fl_model_fetch fetch;
    fl_upload_send upload;
    uint32_t exposed; // first attempt for which all of it was sent; 0 = never
    fl_reason declined;
    char declined_text[FL_TEXT_MAX];
    fl_verdict verdict;
    fl_reason paused; // says the parent; FL_WHY_NONE: it is not
    fl_reason rests;  // why no new round is taken; FL_WHY_NONE: they are
    bool unproved[FL_LANES]; // lanes that were tried, and not opened yet
    bool blocked;            // and that took too long
    fl_time lanes_at;        // when it does
    bool verdict_new;
    fl_reason end; // why the run is over, once the verdict is final
    fl_doing doing;
    fl_secagg_client *masking; // NULL: without
    fl_name parent;            // as certified, of a participant with `masking`
    fl_role parent_role;
    fl_time masking_until; // when its half of the round in hand ends at the latest
    bool spent;            // the update in hand was masked
};

static const bool legal[FL_PARTICIPANT_PHASES][FL_PARTICIPANT_PHASES] = {
    [FL_PARTICIPANT_NONE] = { [FL_PARTICIPANT_FETCHING] = true,
                              [FL_PARTICIPANT_WORKING] = true,
                              [FL_PARTICIPANT_DECLINED] = true },
    [FL_PARTICIPANT_FETCHING] = { [FL_PARTICIPANT_NONE] = true,
                                  [FL_PARTICIPANT_WORKING] = true,
                                  [FL_PARTICIPANT_DECLINED] = true },
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

static void
s_enter(fl_participant *self, fl_participant_phase next)
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

static void
s_note(fl_participant *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b,
       fl_outbox *out)
{
    fl_note note = { .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b };
    if (id == FL_NOTE_RECONNECT || id == FL_NOTE_WELCOMED) {
        note.node = self->parent;
    }
    fl_outbox_note(out, note);
}

static const char no_lane[] = "a bulk lane of the parent cannot be reached";

// ---- the link ---------------------------------------------------------------------------------
static void
s_lose(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    uint32_t delay = fl_session_lost(&self->session, reason, now);
    s_note(self, FL_NOTE_RECONNECT, reason, self->session.tries, delay, out);
}

//  HELLO on the connection at hand.
static void
s_hello(fl_participant *self, fl_time now, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_HELLO);
    message->hello.role = self->conf.role;
    message->hello.incarnation = self->conf.incarnation;
    message->hello.model = self->model;
    message->hello.leaves = self->doing.leaves;
    message->hello.offers = fl_offerings_bytes(&self->conf.offers);
    fl_session_asked(&self->session, now);
}

//  Both bulk lanes are opened once for a connection, when this child is seated: ports that it
//  cannot reach have a name then, and are not a late verdict in each round.
static void
s_try_lanes(fl_participant *self, fl_time now, fl_outbox *out)
{
    for (fl_lane lane = FL_LANE_UP; lane <= FL_LANE_DOWN; lane++) {
        if (self->unproved[lane]) {
            fl_effect *effect = fl_outbox_add(out, FL_FX_LANE);
            effect->lane.lane = lane;
            effect->lane.open = true;
            effect->lane.port = lane == FL_LANE_UP ? self->seat.up_port : self->seat.down_port;
        }
    }
    self->lanes_at = now + self->conf.lanes_ms;
}

//  A lane is open. One that nothing is sent on is closed again.
static void
on_lane(fl_participant *self, const fl_event *event, fl_outbox *out)
{
    const fl_lane lane = event->lane.lane;
    bool used = lane == FL_LANE_UP ? self->upload.lane_open : self->fetch.active;
    if (self->unproved[lane] && !used) {
        fl_outbox_add(out, FL_FX_LANE)->lane.lane = lane;
    }
    self->unproved[lane] = false;
    if (!self->unproved[FL_LANE_UP] && !self->unproved[FL_LANE_DOWN]) {
        self->lanes_at = FL_NEVER;
        self->blocked = false;
    }
}

static void
s_connect(fl_participant *self, fl_time now, fl_outbox *out)
{
    fl_outbox_add(out, FL_FX_RECONNECT);
    self->upload.lane_open = false; // every lane went with the connection
    self->unproved[FL_LANE_UP] = self->unproved[FL_LANE_DOWN] = self->conf.lanes_ms > 0;
    self->lanes_at = FL_NEVER;
    s_hello(self, now, out);
}

static void
s_rejoin(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (fl_participant_joined(self)) {
        s_note(self, FL_NOTE_RECONNECT, reason, 0, 0, out);
        s_hello(self, now, out);
    }
}

//  Why a task is refused: this one, or, without one, those to come.
static void
s_say_rest(fl_participant *self, const fl_order *order, fl_outbox *out)
{
    if (self->rests != FL_WHY_NONE && fl_participant_joined(self)) {
        fl_message *message = fl_outbox_send(out, FL_PARENT, FL_REFUSED);
        message->run = order != NULL ? order->run : self->run;
        message->round = order != NULL ? order->round : 0;
        message->refused.reason = self->rests;
        message->refused.about = FL_TASK;
    }
}

//  Where we stand in a run: in the one at hand, or one that was left.
static left_run
s_standing(const fl_participant *self, const fl_run *run)
{
    if (fl_run_equal(run, &self->run)) {
        return (left_run){ *run, self->task.order.round, self->task.attempt, self->verdict.final };
    }
    for (uint32_t i = 0; i < LEFT_RUNS; i++) {
        if (fl_run_equal(run, &self->left[i].run)) {
            return self->left[i];
        }
    }
    return (left_run){ .run = *run };
}

//  True for words about another run than ours. A task of one takes us there, and so does the news
//  of its end while nothing is in hand: whoever was left out of its last rounds hears it too.
static bool
s_foreign(const fl_participant *self, const fl_message *message)
{
    const fl_verb_row *row = fl_verb_row_of(message->verb);
    bool ends = message->verb == FL_CLOSED && message->closed.final &&
                self->phase == FL_PARTICIPANT_NONE && !s_standing(self, &message->run).over;
    return row != NULL && row->of_run && message->verb != FL_TASK && !ends &&
           !fl_run_equal(&message->run, &self->run);
}

//  A refusal of something that belongs to the task in hand.
static bool
s_about_task(const fl_participant *self, const fl_message *refusal)
{
    return refusal->round == self->task.order.round && fl_run_equal(&refusal->run, &self->run);
}

// ---- the offered contribution -----------------------------------------------------------------
static void
s_announce(fl_participant *self, fl_outbox *out)
{
    if (!fl_participant_joined(self)) {
        return; // WELCOME says it again
    }
    fl_contrib *contrib = &s_say(self, FL_CONTRIB, out)->contrib;
    fl_upload_send_announce(&self->upload, &self->task, &self->seat, contrib);
}

//  A contribution is on offer, in whatever state of sending.
static bool
s_offering(const fl_participant *self)
{
    return self->phase == FL_PARTICIPANT_OFFERED || self->phase == FL_PARTICIPANT_SENDING ||
           self->phase == FL_PARTICIPANT_SENT;
}

//  Offer the same bytes from their start: to a new attempt, on a new seat.
static void
s_offer_anew(fl_participant *self, fl_outbox *out)
{
    s_enter(self, FL_PARTICIPANT_OFFERED);
    fl_upload_send_restart(&self->upload);
    s_announce(self, out);
}

static bool
s_pushing(const fl_participant *self)
{
    return fl_participant_joined(self) && self->phase == FL_PARTICIPANT_SENDING &&
           fl_upload_send_ready(&self->upload);
}

//  Once every byte has left here, this attempt may count it.
static void
s_pushed(fl_participant *self, fl_upload_send_state state, fl_outbox *out)
{
    fl_participant_phase next =
        state == FL_UPLOAD_SENT ? FL_PARTICIPANT_SENT : FL_PARTICIPANT_SENDING;
    if (next != self->phase) {
        s_note(self, next == FL_PARTICIPANT_SENT ? FL_NOTE_SENT : FL_NOTE_SENDING, FL_WHY_NONE,
               self->upload.sent, self->upload.offer.vector_bytes, out);
    }
    s_enter(self, next);
    if (state == FL_UPLOAD_SENT && self->exposed == 0) {
        self->exposed = self->task.attempt;
    }
}

// ---- its half of a masked round ---------------------------------------------------------------
//  The task in hand asks us for masks.
static bool
s_masks(const fl_participant *self)
{
    return fl_plan_masking(&self->task.order.plan, self->hop) != FL_MASKING_NONE;
}

//  Its half of the round in hand goes on.
static bool
s_active(const fl_participant *self)
{
    return self->masking != NULL && fl_secagg_client_step_of(self->masking) != FL_CLIENT_IDLE;
}

static void
s_drop(fl_vec vec, fl_outbox *out)
{
    if (vec != 0) {
        fl_outbox_add(out, FL_FX_DROP)->drop.vec = vec;
    }
}

//  Why it ended; FL_WHY_NONE when it did not, or as it should.
static fl_reason
s_ended(fl_participant *self)
{
    fl_secagg_outcome outcome;
    if (!fl_secagg_client_outcome(self->masking, &outcome)) {
        return FL_WHY_NONE;
    }
    self->spent = self->spent || outcome.spent;
    return outcome.reason;
}

//  The task is over, or declined: secrets are wiped.
static void
s_masking_end(fl_participant *self, fl_reason reason, fl_outbox *out)
{
    if (self->masking != NULL) {
        fl_secagg_client_end(self->masking, reason, out);
        (void)s_ended(self);
    }
}

// ---- the end of a task ------------------------------------------------------------------------
//  End the task: free what was offered, keep the verdict.
static void
s_end(fl_participant *self, fl_outcome outcome, fl_reason reason, bool certain, fl_outbox *out)
{
    if (self->phase == FL_PARTICIPANT_NONE) {
        return;
    }
    s_masking_end(self, outcome == FL_OUT_IN ? FL_WHY_NONE : reason, out);
    fl_upload_send_end(&self->upload, out);
    fl_model_fetch_end(&self->fetch, out);
    self->verdict = (fl_verdict){ .run = self->run,
                                  .round = self->task.order.round,
                                  .outcome = outcome,
                                  .reason = reason,
                                  .certain = certain,
                                  .spent = self->spent,
                                  .final = self->verdict.final,
                                  .end = self->verdict.end };
    self->verdict_new = true;
    s_note(self, FL_NOTE_VERDICT, reason, (uint64_t)outcome, certain, out);
    s_enter(self, FL_PARTICIPANT_NONE);
    self->due = FL_NEVER;
}

//  Say (again) why the task is declined, if joined.
static void
s_decline_again(fl_participant *self, fl_outbox *out)
{
    if (!fl_participant_joined(self)) {
        return;
    }
    fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
    refused->reason = self->declined;
    refused->about = FL_TASK;
    memcpy(refused->text, self->declined_text, sizeof refused->text);
}

//  The task is declined; nothing is said yet.
static void
s_turn_down(fl_participant *self, fl_reason reason, const char *text, fl_outbox *out)
{
    s_enter(self, FL_PARTICIPANT_DECLINED);
    s_note(self, FL_NOTE_DECLINED, reason, self->task.attempt, 0, out);
    self->declined = reason;
    size_t length = strlen(text);
    length = length < FL_TEXT_MAX - 1 ? length : FL_TEXT_MAX - 1;
    memset(self->declined_text, 0, sizeof self->declined_text);
    memcpy(self->declined_text, text, length);
}

static void
s_decline(fl_participant *self, fl_reason reason, const char *text, fl_outbox *out)
{
    s_masking_end(self, reason, out);
    s_turn_down(self, reason, text, out);
    s_decline_again(self, out);
}

// ---- a masked task ----------------------------------------------------------------------------
//  What a round may take beyond the budget of its task: the steps of the opening, the way back.
enum { STEPS = 4, BEATS = 2 };

//  After anything that may have ended it: so may the task.
static void
s_look(fl_participant *self, fl_outbox *out)
{
    fl_reason reason = s_ended(self);
    if (reason == FL_WHY_NONE) {
        return;
    }
    if (self->phase == FL_PARTICIPANT_SENT) { // the sum may be opened without us: CLOSED tells
        fl_upload_send_end(&self->upload, out);
        s_turn_down(self, reason, "this node has ended its part in the masked round", out);
        return;
    }
    fl_outcome outcome = reason == FL_WHY_LATE ? FL_OUT_LATE : FL_OUT_REFUSED;
    s_end(self, outcome, reason, self->exposed == 0, out);
}

static bool
s_masking_welcome(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->masking == NULL) {
        return true;
    }
    fl_cert cert;
    fl_trust trust =
        fl_cert_check(event->message.message->welcome.certificate,
                      self->conf.masking->trust.authority, event->wall_s, FL_ROLES_PARENT, &cert);
    if (trust != FL_TRUST_OK) {
        fl_reason reason = trust == FL_TRUST_ROLE ? FL_WHY_ROLE : FL_WHY_CERTIFICATE;
        s_note(self, FL_NOTE_REFUSED, reason, FL_WELCOME, 0, out);
        s_lose(self, reason, now, out);
        return false;
    }
    if (self->parent_role == cert.role && fl_name_equal(&self->parent, &cert.node)) {
        return true;
    }
    bool in_hand = self->phase != FL_PARTICIPANT_NONE && self->phase != FL_PARTICIPANT_DECLINED;
    if (in_hand && s_masks(self)) { // the masks are those of the old one's block
        s_end(self, FL_OUT_REFUSED, FL_WHY_MOVED, self->exposed == 0, out);
    }
    self->parent = cert.node;
    self->parent_role = cert.role;
    self->hop = cert.role == FL_ROLE_ROOT ? 2 : 1;
    fl_secagg_client_under(self->masking, &self->parent, self->hop);
    return true;
}

static void
s_bound(fl_participant *self)
{
    self->masking_until = self->due + (fl_time)STEPS * self->task.order.plan.step_ms +
                          (fl_time)BEATS * self->session.beat_ms;
}

//  The task in hand is new. FL_WHY_NONE, or why we take no part; its plan is proved in any case.
static fl_reason
s_masking_begin(fl_participant *self, fl_time now, fl_outbox *out)
{
    self->spent = false;
    if (!fl_secagg_plan_holds(&self->task.order.plan, self->task.order.elements)) {
        return FL_WHY_PLAN; // masked or not: our own numbers could overflow
    }
    if (self->masking == NULL) {
        return s_masks(self) ? FL_WHY_POLICY_REFUSED : FL_WHY_NONE;
    }
    if (fl_secagg_client_open(self->masking, &self->task.order.plan)) {
        return FL_WHY_NONE;
    }
    s_bound(self);
    return fl_secagg_client_begin(self->masking, &self->task, &self->parent, self->masking_until,
                                  now, out);
}

//  Its TASK came again. False: it was another one, and our part is over.
static bool
s_masking_repeat(fl_participant *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    if (!s_active(self)) {
        return true;
    }
    s_bound(self);
    if (fl_secagg_client_begin(self->masking, task, &self->parent, self->masking_until, now, out) ==
        FL_WHY_NONE) {
        return true;
    }
    s_look(self, out);
    return false;
}

//  The answer to a masked task.
static void
s_masking_offer(fl_participant *self, const fl_offer *offer, fl_time now, fl_outbox *out)
{
    fl_secagg_input input = { .vec = offer->vec,
                              .elements = self->task.order.elements,
                              .weight = offer->weight,
                              .count = offer->count,
                              .base = offer->base };
    memcpy(input.stats, offer->stats, sizeof input.stats);
    fl_reason reason = fl_secagg_client_trained(self->masking, &input, now, out);
    if (reason != FL_WHY_NONE) {
        s_drop(offer->vec, out);
        fl_participant_decline(self, reason, "the update may not be masked", now, out);
        return;
    }
    fl_upload_send_load(&self->upload, offer);
    s_enter(self, FL_PARTICIPANT_MASKING);
}

static void
s_masking_hear(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (self->masking == NULL) {
        s_note(self, FL_NOTE_REFUSED, FL_WHY_MALFORMED, (uint64_t)message->verb, 0, out);
        return;
    }
    fl_secagg_client_hear(self->masking, message, event->wall_s, now, out);
    s_look(self, out);
}

static void
on_pool(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    if (self->masking != NULL) {
        fl_secagg_client_pool(self->masking, event->message.message->pool.pools, out);
        s_look(self, out);
    }
}

//  The parent refuses a step of ours: it has left us out.
static void
s_masking_refused(fl_participant *self, const fl_message *message, fl_outbox *out)
{
    fl_verb about = message->refused.about;
    const fl_verb_row *row = fl_verb_row_of(about);
    bool step = row != NULL && row->masked && (row->from & FL_FROM_CHILD) != 0;
    fl_reason reason = message->refused.reason;
    if (!step || !s_active(self) || !s_about_task(self, message) || reason == FL_WHY_NONE ||
        reason == FL_WHY_UNKNOWN_ROUND) { // that far it will be
        return;
    }
    fl_secagg_client_end(self->masking, reason, out);
    s_look(self, out);
}

//  False: nothing in the round at hand waits for it.
static bool
s_masking_answer(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->masking == NULL || !fl_secagg_client_answer(self->masking, event, now, out)) {
        return false;
    }
    s_look(self, out); // not kept, or without memory for the masked bytes
    fl_secagg_upload upload;
    if (event->kind == FL_EV_MASKED && fl_secagg_client_upload(self->masking, &upload)) {
        fl_upload_send_mask(&self->upload, &upload, out);
        s_offer_anew(self, out);
    }
    return true;
}

static void
s_masking_tick(fl_participant *self, fl_time now, fl_outbox *out)
{
    if (!s_active(self)) {
        return;
    }
    bool joined = fl_participant_joined(self);
    bool opened = fl_secagg_client_step_of(self->masking) == FL_CLIENT_OPENED;
    if (now >= self->masking_until && (opened || !joined)) {
        //  Nothing more is owed, or nobody is there to hear why.
        fl_secagg_client_end(self->masking, opened ? FL_WHY_NONE : FL_WHY_SILENT, out);
    } else if (joined) {
        fl_secagg_client_tick(self->masking, now, out);
    }
    s_look(self, out);
}

static fl_time
s_masking_deadline(const fl_participant *self)
{
    if (!s_active(self)) {
        return FL_NEVER;
    }
    return fl_participant_joined(self) ? fl_secagg_client_deadline(self->masking)
                                       : self->masking_until;
}

// ---- answers to effects -----------------------------------------------------------------------
//  Wrong bytes, or no room for them: once more after a pause, which doubles with every failure
//  since the last model that passed; the task is declined when that was in vain too often.
static void
s_model_failed(fl_participant *self, fl_reason said, fl_time now, fl_outbox *out)
{
    fl_reason reason = said == FL_WHY_NONE ? FL_WHY_HASH : said;
    uint32_t pause = fl_session_pause_ms(&self->session, self->fetch.failures_in_row);
    bool once_more = fl_fetch_failed(&self->fetch, pause, now, out);
    s_note(self, FL_NOTE_MODEL_FAILED, reason, self->fetch.failures_in_row, pause, out);
    if (!once_more) {
        fl_model_fetch_end(&self->fetch, out);
        s_decline(self, reason, "the model could not be fetched whole", out);
    }
}

static void
on_model(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!event->model.ok) {
        s_model_failed(self, event->model.reason, now, out);
        return;
    }
    s_note(self, FL_NOTE_MODEL, FL_WHY_NONE, self->fetch.total,
           (uint64_t)(now - self->fetch.started_at), out);
    self->model = self->fetch.hash;
    fl_fetch_passed(&self->fetch, out);
    s_enter(self, FL_PARTICIPANT_WORKING);
}

//  An answer to an effect: the fetch's, the masks', or nobody's.
static void
on_answer(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (fl_answers(event, self->fetch.checking)) {
        on_model(self, event, now, out);
    } else if (!s_masking_answer(self, event, now, out)) {
        fl_outbox_discard(out, event);
    }
}

// ---- what the parent says ---------------------------------------------------------------------
//  Every message is taken for what it is worth at that moment: one of another round, attempt or
//  contribution changes nothing.

static void
on_welcome(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (self->session.phase != FL_SESSION_JOINING) {
        return; // an answer to a HELLO that we gave up
    }
    if (!s_masking_welcome(self, event, now, out)) {
        return;
    }
    fl_session_welcomed(&self->session, message->welcome.beat_ms, now);
    self->seat = message->welcome;
    self->seat.certificate = (fl_bytes){ 0 };
    self->paused = FL_WHY_NONE;
    s_note(self, FL_NOTE_WELCOMED, FL_WHY_NONE, self->seat.seat, self->seat.epoch, out);
    s_say_rest(self, NULL, out);
    if (self->unproved[FL_LANE_UP] || self->unproved[FL_LANE_DOWN]) {
        s_try_lanes(self, now, out);
    }
    if (self->phase == FL_PARTICIPANT_FETCHING && self->fetch.checking == 0) {
        fl_model_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_offering(self)) {
        s_offer_anew(self, out);
    }
    if (s_active(self)) { // say the last word again, on the new seat
        fl_secagg_client_again(self->masking, now, out);
    }
}

static void
s_begin_task(fl_participant *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_PARTICIPANT_NONE);
    self->task = *task;
    self->verdict.final = false;
    self->verdict.end = FL_WHY_NONE;
    self->exposed = 0;
    self->due = now + task->budget_ms;
    s_note(self, FL_NOTE_TASK, FL_WHY_NONE, task->attempt, task->budget_ms, out);
    char text[FL_TEXT_MAX] = "this node takes no part in a round with these settings";
    static const char opened[] = "a sum of this model may be read that has an update of ours";
    static const char used[] = "that, and masking.draws_max here allows no further draw: begin "
                               "with other weights (model.seed), or raise it";
    const fl_offering wanted = { task->order.plan.trainer, task->order.plan.data };
    const fl_offerings ours = fl_offerings_read(fl_offerings_bytes(&self->conf.offers));
    fl_reason reason = self->blocked ? FL_WHY_UNREACHABLE : fl_offerings_lack(&ours, &wanted);
    if (reason == FL_WHY_NONE && self->conf.judge != NULL) {
        reason = self->conf.judge(self->conf.judge_self, &task->order, text);
    }
    reason = reason == FL_WHY_NONE ? s_masking_begin(self, now, out) : reason;
    if (reason != FL_WHY_NONE) {
        s_turn_down(self, reason,
                    self->blocked                 ? no_lane
                    : reason == FL_WHY_SAME_MODEL ? opened
                    : reason == FL_WHY_DRAWS_USED ? used
                                                  : text,
                    out);
        s_decline_again(self, out);
        if (self->blocked) {
            s_try_lanes(self, now, out);
        }
    } else if (fl_hash_equal(&self->model, &task->order.model)) {
        s_enter(self, FL_PARTICIPANT_WORKING);
    } else {
        self->model = (fl_hash){ 0 }; // a device lets it go before the next one comes
        s_enter(self, FL_PARTICIPANT_FETCHING);
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
        s_note(self, FL_NOTE_TASK, FL_WHY_RESTART, task->attempt, task->budget_ms, out);
    }
    if (!s_masking_repeat(self, task, now, out) || older) {
        return;
    }
    switch (self->phase) {
    case FL_PARTICIPANT_OFFERED:
    case FL_PARTICIPANT_SENDING:
    case FL_PARTICIPANT_SENT:
        if (newer) {
            s_offer_anew(self, out);
        } else {
            s_announce(self, out);
        }
        break;
    case FL_PARTICIPANT_DECLINED:
        s_decline_again(self, out);
        break;
    case FL_PARTICIPANT_NONE:
    case FL_PARTICIPANT_FETCHING:
    case FL_PARTICIPANT_WORKING:
    case FL_PARTICIPANT_MASKING:
    case FL_PARTICIPANT_PHASES:
        break;
    }
}

//  To another run. What is still held of the old one is dropped.
static void
s_change_run(fl_participant *self, const fl_run *run, fl_outbox *out)
{
    const left_run next = s_standing(self, run);
    s_end(self, FL_OUT_REFUSED, FL_WHY_UNKNOWN_RUN, self->exposed == 0, out);
    uint32_t at = 0;
    while (at < LEFT_RUNS - 1 && !fl_run_equal(run, &self->left[at].run)) {
        at++;
    }
    memmove(&self->left[1], &self->left[0], at * sizeof self->left[0]);
    self->left[0] = s_standing(self, &self->run);
    self->run = next.run;
    self->task.order.round = next.round;
    self->task.attempt = next.attempt;
    self->verdict.final = next.over;
}

//  A parent that runs a round again which we had long ago: it remembers less than we do.
static void
s_decline_past(const fl_task *task, uint64_t ours, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_REFUSED);
    message->run = task->order.run;
    message->round = task->order.round;
    message->refused.reason = FL_WHY_RESTORED;
    message->refused.about = FL_TASK;
    (void)snprintf(message->refused.text, sizeof message->refused.text,
                   "had round %" PRIu64 " of this run already", ours);
}

static void
on_task(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_task *task = &event->message.message->task;
    const left_run ours = s_standing(self, &task->order.run);
    bool other = !fl_run_equal(&ours.run, &self->run);
    bool idle = other || self->phase == FL_PARTICIPANT_NONE;
    uint64_t round = task->order.round;
    if (!fl_participant_joined(self)) {
        return; // whose it is, WELCOME says; it comes again
    }
    if (self->masking != NULL && !fl_secagg_client_pooled(self->masking, &task->order)) {
        s_note(self, FL_NOTE_POOL_REFUSED, FL_WHY_NO_POOL, task->order.pools, 0, out);
        return; // it comes again, and its pool before it
    }
    if (round < ours.round && !other) {
        s_decline_past(task, ours.round, out);
    }
    if (round < ours.round || (round == ours.round && idle && task->attempt <= ours.attempt)) {
        return; // over already
    }
    if (round == ours.round && !idle) {
        s_task_again(self, task, now, out);
        return;
    }
    if (other) {
        s_change_run(self, &task->order.run, out);
    }
    s_end(self, FL_OUT_LATE, FL_WHY_LATE, self->exposed == 0, out);
    if (self->rests != FL_WHY_NONE) { // the parent gave it before it heard
        s_say_rest(self, &task->order, out);
        return;
    }
    s_begin_task(self, task, now, out);
}

static void
on_grant(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    const fl_grant *grant = &event->message.message->grant;
    if (!s_offering(self)) {
        return;
    }
    fl_upload_send_state state =
        fl_upload_send_granted(&self->upload, grant, &self->task, &self->seat, out);
    if (state != FL_UPLOAD_STRANGE) {
        s_pushed(self, state, out);
    }
}

static void
on_closed(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    const fl_message *message = event->message.message;
    const fl_closed *closed = &message->closed;
    if (!fl_run_equal(&message->run, &self->run)) {
        s_change_run(self, &message->run, out);
    }
    bool ends = closed->final && !self->verdict.final;
    if (ends) {
        self->verdict.final = true;
        self->verdict.end = closed->end;
        s_note(self, FL_NOTE_RUN_DONE, closed->end, self->task.order.round, 0, out);
    }
    if (self->phase == FL_PARTICIPANT_NONE) {
        if (ends) { // nothing in hand, but the run is over, and that must be heard
            self->verdict = (fl_verdict){ .run = self->run,
                                          .round = message->round,
                                          .outcome = FL_OUT_IDLE,
                                          .reason = closed->reason,
                                          .certain = true,
                                          .final = true,
                                          .end = closed->end };
            self->verdict_new = true;
        }
        return;
    }
    if (message->round == self->task.order.round && closed->attempt >= self->task.attempt) {
        //  A refusal speaks for its own attempt: an earlier one may have counted it all the same.
        bool told = closed->reason != FL_WHY_UNKNOWN_ROUND &&
                    (self->exposed == 0 || self->exposed >= closed->attempt);
        s_end(self, closed->outcome, closed->reason, told || closed->outcome == FL_OUT_IN, out);
    } else if (closed->final) { // the run is over without a word about this task
        s_end(self, FL_OUT_LATE, closed->reason, self->exposed == 0, out);
    }
}

static void
s_offer_refused(fl_participant *self, const fl_message *message, fl_outbox *out)
{
    fl_reason reason = message->refused.reason;
    if (!s_offering(self) || !s_about_task(self, message)) {
        return;
    }
    if (s_masks(self) && reason == FL_WHY_UNKNOWN_ROUND) {
        return; // a parent that restarted is not that far again; TASK has it said again
    }
    bool late = reason == FL_WHY_LATE || reason == FL_WHY_BUSY || reason == FL_WHY_SLOW;
    s_end(self, late ? FL_OUT_LATE : FL_OUT_REFUSED, reason, self->exposed == 0, out);
}

//  The operator's word for this node, through its parent: no new task, or tasks again. The process
//  knows what else it rests for.
static bool
s_told_to_rest(fl_participant *self, const fl_refused *refused, fl_time now, fl_outbox *out)
{
    const bool drains = refused->about == FL_TASK;
    if (refused->reason != FL_WHY_DRAIN || (!drains && refused->about != FL_REFUSED)) {
        return false;
    }
    if (drains) { // from here on, whatever comes with the same turn
        fl_participant_rest(self, FL_WHY_DRAIN, now, out);
    }
    fl_outbox_add(out, FL_FX_REST)->rest.drains = drains;
    return true;
}

static void
on_refused(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    fl_reason reason = message->refused.reason;
    if (s_told_to_rest(self, &message->refused, now, out)) {
        return;
    }
    s_note(self, FL_NOTE_REFUSED, reason, (uint64_t)message->refused.about, 0, out);
    if (message->refused.about == FL_HELLO) {
        if (self->session.phase != FL_SESSION_OFFLINE) {
            s_lose(self, reason, now, out);
        }
    } else if (reason == FL_WHY_UNKNOWN_SEAT || reason == FL_WHY_TICKET) {
        s_rejoin(self, reason, now, out);
    } else if (message->refused.about == FL_CONTRIB || message->refused.about == FL_CHUNK) {
        s_offer_refused(self, message, out);
    } else {
        s_masking_refused(self, message, out);
    }
}

static void
on_piece(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (!fl_participant_joined(self) ||
        !fl_model_fetch_piece(&self->fetch, message, event->message.body_bytes, now, out)) {
        s_note(self, FL_NOTE_CHUNK_DROPPED, FL_WHY_DUPLICATE, self->seat.seat,
               message->piece.offset, out);
    }
}

//  The seat stays: for the parent this is a HELLO like that after a lost connection. With other
//  keys it takes a new one.
static void
on_renewed(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->masking != NULL) {
        fl_secagg_client_renewed(self->masking, event->renewed.keys, event->renewed.certificate);
    }
    if (self->session.phase != FL_SESSION_OFFLINE && event->renewed.rekeyed) {
        s_connect(self, now, out);
    } else if (self->session.phase != FL_SESSION_OFFLINE) {
        s_hello(self, now, out);
    }
}

typedef void (*handler)(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out);

//  That it was heard is enough, but for a pause of the run.
static void
on_beat(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    const fl_beat *beat = &event->message.message->beat;
    const fl_reason why = beat->done < FL_WHY_COUNT ? (fl_reason)beat->done : FL_WHY_STORAGE;
    const fl_reason paused = beat->activity == FL_DOING_PAUSED ? why : FL_WHY_NONE;
    if (paused != self->paused) {
        s_note(self, paused != FL_WHY_NONE ? FL_NOTE_RUN_PAUSED : FL_NOTE_RUN_RESUMED, paused, 0, 0,
               out);
    }
    self->paused = paused;
}

//  What the parent may say to this machine; the reactor knows the rest (wire/verb_table).
static const handler handlers[FL_VERB_COUNT] = {
    [FL_WELCOME] = on_welcome,   [FL_TASK] = on_task,           [FL_GRANT] = on_grant,
    [FL_BEAT] = on_beat,         [FL_CLOSED] = on_closed,       [FL_REFUSED] = on_refused,
    [FL_PIECE] = on_piece,       [FL_POOL] = on_pool,           [FL_ROSTER] = s_masking_hear,
    [FL_DEALT] = s_masking_hear, [FL_MASKSET] = s_masking_hear, [FL_SURVIVORS] = s_masking_hear,
    [FL_ACKS] = s_masking_hear,  [FL_BURNTS] = s_masking_hear,
};

//  A message of the parent.
static void
s_hear(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    fl_session_heard(&self->session, now);
    if (s_foreign(self, message)) {
        return;
    }
    handler on = handlers[message->verb];
    if (on != NULL) {
        on(self, event, now, out);
    } else {
        s_note(self, FL_NOTE_REFUSED, FL_WHY_MALFORMED, (uint64_t)message->verb, 0, out);
    }
}

// ---- time -------------------------------------------------------------------------------------
static void
s_beat(fl_participant *self, fl_time now, fl_outbox *out)
{
    static const fl_run none;
    fl_message *message = s_say(self, FL_BEAT, out);
    message->run = self->verdict.final ? none : self->run; // of one that is over there is no news
    fl_beat *beat = &message->beat;
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
        beat->done = self->upload.sent;
        beat->total = self->upload.offer.vector_bytes;
    } else if (self->phase == FL_PARTICIPANT_WORKING || self->phase == FL_PARTICIPANT_NONE) {
        beat->done = self->doing.done;
        beat->total = self->doing.total;
    }
    fl_session_beaten(&self->session, now);
}

//  Lanes that were tried did not open: both ends hear which ones.
static void
s_lanes_late(fl_participant *self, fl_outbox *out)
{
    self->lanes_at = FL_NEVER;
    self->blocked = true;
    for (fl_lane lane = FL_LANE_UP; lane <= FL_LANE_DOWN; lane++) {
        if (self->unproved[lane]) {
            fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
            refused->reason = FL_WHY_UNREACHABLE;
            refused->about = lane == FL_LANE_UP ? FL_CHUNK : FL_FETCH;
        }
    }
    if (self->phase == FL_PARTICIPANT_FETCHING) {
        fl_model_fetch_end(&self->fetch, out);
        s_decline(self, FL_WHY_UNREACHABLE, no_lane, out);
    }
}

static fl_time
s_fetch_stuck_at(const fl_participant *self)
{
    if (self->phase != FL_PARTICIPANT_FETCHING || !fl_participant_joined(self)) {
        return FL_NEVER;
    }
    return fl_model_fetch_stuck_at(&self->fetch, self->session.beat_ms);
}

static void
on_tick(fl_participant *self, fl_time now, fl_outbox *out)
{
    switch (fl_session_next(&self->session, now)) {
    case FL_SESSION_DO_CONNECT:
        s_connect(self, now, out);
        break;
    case FL_SESSION_DO_GIVE_UP:
        s_lose(self, FL_WHY_SILENT, now, out);
        break;
    case FL_SESSION_DO_BEAT:
        s_beat(self, now, out);
        break;
    case FL_SESSION_DO_WAIT:
        break;
    }
    if (now >= self->lanes_at && fl_participant_joined(self)) {
        s_lanes_late(self, out);
    }
    if (now >= s_fetch_stuck_at(self)) {
        self->fetch.in_vain++;
        fl_model_fetch_again(&self->fetch, &self->run, self->seat.down_port, now, out);
    }
    if (s_pushing(self)) {
        s_pushed(self, fl_upload_send_pump(&self->upload, &self->task, &self->seat, out), out);
    }
    s_masking_tick(self, now, out);
}

// ---- the doors --------------------------------------------------------------------------------
fl_participant *
fl_participant_new(const fl_participant_conf *conf)
{
    fl_participant *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->run = conf->run;
    fl_session_init(&self->session, conf);
    self->due = self->lanes_at = FL_NEVER;
    self->hop = conf->role == FL_ROLE_EDGE ? 2 : 1;
    self->doing.leaves = conf->role == FL_ROLE_DEVICE ? 1 : 0;
    bool made = fl_upload_send_init(&self->upload, conf->role == FL_ROLE_EDGE);
    if (made && conf->masking != NULL) {
        fl_secagg_client_conf masking = *conf->masking;
        masking.samples = conf->role == FL_ROLE_DEVICE ? conf->samples : 0;
        self->masking = fl_secagg_client_new(&masking, conf->mark);
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
        fl_upload_send_release(&self->upload);
        free(self);
    }
}

void
fl_participant_step(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch ((int)event->kind) {
    case FL_EV_MESSAGE:
        FL_ASSERT(event->message.from == FL_PARENT);
        s_hear(self, event, now, out);
        break;
    case FL_EV_MODEL:
    case FL_EV_MASKED:
    case FL_EV_SAVED:
        on_answer(self, event, now, out);
        break;
    case FL_EV_LANE:
        on_lane(self, event, out);
        break;
    case FL_EV_GONE: // it took more than a parent may: back to it after the backoff
        if (self->session.phase != FL_SESSION_OFFLINE) {
            s_lose(self, event->gone.reason, now, out);
        }
        break;
    case FL_EV_RENEWED:
        on_renewed(self, event, now, out);
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
    fl_time link = s_sooner(fl_session_deadline(&self->session), s_fetch_stuck_at(self));
    link = fl_participant_joined(self) ? s_sooner(link, self->lanes_at) : link;
    return s_sooner(link, s_masking_deadline(self));
}

const fl_task *
fl_participant_task(const fl_participant *self)
{
    bool held =
        self->phase != FL_PARTICIPANT_NONE && fl_hash_equal(&self->model, &self->task.order.model);
    return held ? &self->task : NULL;
}

fl_masking
fl_participant_masking(const fl_participant *self, const fl_plan *plan)
{
    return fl_plan_masking(plan, self->hop);
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
    s_note(self, FL_NOTE_OFFERED, FL_WHY_NONE, offer->weight, staleness, out);
    if (s_masks(self)) {
        s_masking_offer(self, offer, now, out);
        return;
    }
    fl_upload_send_load(&self->upload, offer);
    s_offer_anew(self, out);
}

void
fl_participant_decline(fl_participant *self, fl_reason reason, const char *text, fl_time now,
                       fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == FL_PARTICIPANT_WORKING);
    s_decline(self, reason, text, out);
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

fl_reason
fl_participant_end(const fl_participant *self)
{
    return self->verdict.final ? self->verdict.end : FL_WHY_NONE;
}

bool
fl_participant_speaks(const fl_participant *self, fl_time now)
{
    return fl_session_next(&self->session, now) != FL_SESSION_DO_WAIT;
}

void
fl_participant_doing(fl_participant *self, const fl_doing *doing)
{
    self->doing = *doing;
}

void
fl_participant_offers(fl_participant *self, const fl_offerings *offers, fl_time now, fl_outbox *out)
{
    const fl_bytes before = fl_offerings_bytes(&self->conf.offers);
    const bool same = fl_bytes_equal(before, fl_offerings_bytes(offers));
    self->conf.offers = *offers;
    if (!same && fl_participant_joined(self)) {
        s_hello(self, now, out);
    }
}

fl_reason
fl_participant_paused(const fl_participant *self)
{
    return self->paused;
}

void
fl_participant_partial(fl_participant *self, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_PARTICIPANT_WORKING);
    if (fl_participant_joined(self)) {
        fl_refused *refused = &s_say(self, FL_REFUSED, out)->refused;
        refused->reason = FL_WHY_PARTIAL;
        refused->about = FL_TASK;
    }
}

void
fl_participant_rest(fl_participant *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    bool again = reason == FL_WHY_NONE;
    if (reason == FL_WHY_DRAIN && reason == self->rests) {
        return;
    }
    s_note(self, FL_NOTE_REST, reason, self->seat.seat, 0, out);
    self->rests = reason;
    s_say_rest(self, NULL, out);
    if (again && fl_participant_joined(self)) {
        s_hello(self, now, out); // to be given a seat is to be given tasks
    }
}

fl_reason
fl_participant_rests(const fl_participant *self)
{
    return self->rests;
}

bool
fl_participant_busy(const fl_participant *self)
{
    return self->phase != FL_PARTICIPANT_NONE && self->phase != FL_PARTICIPANT_DECLINED;
}

fl_reason
fl_participant_trouble(const fl_participant *self)
{
    const bool declined = self->phase == FL_PARTICIPANT_DECLINED;
    const bool refused = declined || self->verdict.outcome == FL_OUT_REFUSED;
    const fl_reason last = declined ? self->declined : self->verdict.reason;
    return refused && last == FL_WHY_STORAGE ? last : self->paused;
}

bool
fl_participant_joined(const fl_participant *self)
{
    return self->session.phase == FL_SESSION_JOINED;
}

const fl_run *
fl_participant_run(const fl_participant *self)
{
    return &self->run;
}

fl_activity
fl_participant_activity(const fl_participant *self)
{
    static const fl_activity activities[FL_PARTICIPANT_PHASES] = {
        [FL_PARTICIPANT_FETCHING] = FL_DOING_FETCH,
        [FL_PARTICIPANT_MASKING] = FL_DOING_ENCODE, // WAIT_CLOSE would speak of a lost CONTRIB
        [FL_PARTICIPANT_OFFERED] = FL_DOING_WAIT_GRANT,
        [FL_PARTICIPANT_SENDING] = FL_DOING_SEND,
        [FL_PARTICIPANT_SENT] = FL_DOING_WAIT_CLOSE,
        [FL_PARTICIPANT_DECLINED] = FL_DOING_WAIT_CLOSE,
    };
    bool idle = self->phase == FL_PARTICIPANT_NONE || self->phase == FL_PARTICIPANT_WORKING;
    if (self->rests != FL_WHY_NONE && !fl_participant_busy(self)) {
        return FL_DOING_REST;
    }
    return idle ? self->doing.activity : activities[self->phase];
}

void
fl_participant_leave(fl_participant *self, fl_reason reason, fl_outbox *out)
{
    if (fl_participant_joined(self)) {
        fl_outbox_send(out, FL_PARENT, FL_LEAVE)->leave.reason = reason;
    }
    s_masking_end(self, reason, out);
    fl_session_left(&self->session);
}
