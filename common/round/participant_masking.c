//  What is different when a task is masked. The other half of the participant, fl_secagg_client,
//  keeps the rules; here is who it talks to, how long, and what its end means for the task in hand:
//  before the upload has left, the task is over; after that only the parent knows what became of
//  it.
#include "common/round/participant_inside.h"

#include <string.h>

#include "common/base/status.h"

//  What a round may take beyond the budget of its task: the steps of the opening, the way back.
enum { STEPS = 4, BEATS = 2 };

bool
fl_participant_masks(const fl_participant *self)
{
    return self->task.order.plan.masking != FL_MASKING_NONE;
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

// ---- its end ----------------------------------------------------------------------------------
//  Why it ended; FL_WHY_NONE when it did not, or as it should.
static fl_reason
s_ended(fl_participant *self)
{
    fl_secagg_outcome outcome;
    if (!fl_secagg_client_outcome(self->masking, &outcome)) {
        return FL_WHY_NONE;
    }
    self->spent = self->spent || outcome.spent;
    self->mask_stale = self->mask_stale || (outcome.spent && !self->mask_answered);
    return outcome.reason;
}

//  After anything that may have ended it: so may the task.
static void
s_look(fl_participant *self, fl_outbox *out)
{
    fl_reason reason = s_ended(self);
    if (reason == FL_WHY_NONE) {
        return;
    }
    if (self->phase == FL_PARTICIPANT_SENT) { // the sum may be opened without us: CLOSED tells
        fl_upload_send_end(&self->push, out);
        fl_participant_turn_down(self, reason, "this participant has left the masked round");
        return;
    }
    fl_outcome outcome = reason == FL_WHY_LATE ? FL_OUT_LATE : FL_OUT_REFUSED;
    fl_participant_end(self, outcome, reason, self->exposed == 0, out);
}

void
fl_participant_masking_end(fl_participant *self, fl_reason reason, fl_outbox *out)
{
    if (self->masking != NULL) {
        fl_secagg_client_end(self->masking, reason, out);
        (void)s_ended(self);
    }
}

// ---- who the parent is ------------------------------------------------------------------------
bool
fl_participant_masking_welcome(fl_participant *self, const fl_event *event, fl_time now,
                               fl_outbox *out)
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
        fl_participant_note(self, FL_NOTE_REFUSED, reason, FL_WELCOME, 0, out);
        fl_participant_lose(self, reason, now, out);
        return false;
    }
    if (self->parent_role == cert.role && fl_name_equal(&self->parent, &cert.node)) {
        return true;
    }
    bool in_hand = self->phase != FL_PARTICIPANT_NONE && self->phase != FL_PARTICIPANT_DECLINED;
    if (in_hand && fl_participant_masks(self)) { // the masks are those of the old one's block
        fl_participant_end(self, FL_OUT_REFUSED, FL_WHY_MOVED, self->exposed == 0, out);
    }
    self->parent = cert.node;
    self->parent_role = cert.role;
    fl_secagg_client_under(self->masking, cert.role == FL_ROLE_ROOT ? 2 : 1);
    return true;
}

void
fl_participant_masking_again(fl_participant *self, fl_time now, fl_outbox *out)
{
    if (s_active(self)) {
        fl_secagg_client_again(self->masking, now, out);
    }
}

// ---- the task ---------------------------------------------------------------------------------
static void
s_bound(fl_participant *self)
{
    self->masking_until = self->due + (fl_time)STEPS * self->task.order.plan.step_ms +
                          (fl_time)BEATS * self->joining.beat_ms;
}

fl_reason
fl_participant_masking_begin(fl_participant *self, fl_time now, fl_outbox *out)
{
    self->spent = false;
    self->mask_answered = false;
    if (!fl_secagg_plan_holds(&self->task.order.plan)) {
        return FL_WHY_PLAN; // masked or not: our own numbers could overflow
    }
    if (self->masking == NULL) {
        return fl_participant_masks(self) ? FL_WHY_POLICY_REFUSED : FL_WHY_NONE;
    }
    if (fl_secagg_client_open(self->masking, &self->task.order.plan)) {
        return FL_WHY_NONE;
    }
    s_bound(self);
    return fl_secagg_client_begin(self->masking, &self->task, &self->parent, self->masking_until,
                                  now, out);
}

bool
fl_participant_masking_repeat(fl_participant *self, const fl_task *task, fl_time now,
                              fl_outbox *out)
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

void
fl_participant_masking_offer(fl_participant *self, const fl_offer *offer, fl_time now,
                             fl_outbox *out)
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
    fl_upload_send_load(&self->push, offer);
    fl_participant_enter(self, FL_PARTICIPANT_MASKING);
}

// ---- what the parent says ---------------------------------------------------------------------
void
fl_participant_masking_hear(fl_participant *self, const fl_event *event, fl_time now,
                            fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (self->masking == NULL) {
        fl_participant_note(self, FL_NOTE_REFUSED, FL_WHY_MALFORMED, (uint64_t)message->verb, 0,
                            out);
        return;
    }
    fl_secagg_client_hear(self->masking, message, event->wall_s, now, out);
    s_look(self, out);
}

void
fl_participant_masking_refused(fl_participant *self, const fl_message *message, fl_outbox *out)
{
    fl_verb about = message->refused.about;
    bool step = about == FL_KEYS || about == FL_SHARES || about == FL_READY || about == FL_ACK ||
                about == FL_UNMASK;
    fl_reason reason = message->refused.reason;
    if (!step || !s_active(self) || message->round != self->task.order.round ||
        reason == FL_WHY_NONE || reason == FL_WHY_UNKNOWN_ROUND) { // that far it will be
        return;
    }
    fl_secagg_client_end(self->masking, reason, out);
    s_look(self, out);
}

// ---- answers ----------------------------------------------------------------------------------
static void
s_saved(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    bool ours =
        fl_secagg_client_saved(self->masking, event->saved.token, event->saved.ok, now, out);
    FL_ASSERT(ours);
    s_look(self, out);
}

//  The mark of a new round waits for MASKED of the old one: with one MASK at a time there is no
//  doubt which one is answered. Of several the newest counts, the others are of rounds before it.
void
fl_participant_masking_saved(fl_participant *self, const fl_event *event, fl_time now,
                             fl_outbox *out)
{
    FL_ASSERT(self->masking != NULL);
    if (!self->mask_stale) {
        s_saved(self, event, now, out);
    } else if (event->saved.token > self->held.saved.token) {
        self->held = *event;
    }
}

static void
s_stale_masked(fl_participant *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    s_drop(event->masked.vec, out);
    self->mask_stale = false;
    if (self->held.saved.token != 0) {
        fl_event held = self->held;
        self->held.saved.token = 0;
        s_saved(self, &held, now, out);
    }
}

void
fl_participant_masking_masked(fl_participant *self, const fl_event *event, fl_time now,
                              fl_outbox *out)
{
    FL_ASSERT(self->masking != NULL);
    if (self->mask_stale) {
        s_stale_masked(self, event, now, out);
        return;
    }
    FL_ASSERT(self->phase == FL_PARTICIPANT_MASKING && !self->mask_answered);
    self->mask_answered = true;
    fl_secagg_client_masked(self->masking, event, now, out);
    s_look(self, out); // without memory for the masked bytes
    fl_secagg_upload upload;
    if (fl_secagg_client_upload(self->masking, &upload)) {
        fl_upload_send_mask(&self->push, &upload, out);
        fl_participant_offer_anew(self, out);
    }
}

// ---- time -------------------------------------------------------------------------------------
void
fl_participant_masking_tick(fl_participant *self, fl_time now, fl_outbox *out)
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

fl_time
fl_participant_masking_deadline(const fl_participant *self)
{
    if (!s_active(self)) {
        return FL_NEVER;
    }
    return fl_participant_joined(self) ? fl_secagg_client_deadline(self->masking)
                                       : self->masking_until;
}
