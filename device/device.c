//  A device owns one update at most. It is born of one training, belongs to the
//  round whose model it was trained from, and dies when it was counted, may
//  have been counted, was masked, or is too old. In between it is offered, under
//  the plan's rule for late ones, to whichever round is open.
#include "device/device.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

typedef enum phase { IDLE, TRAINING, ENCODING, PHASES } phase;

struct fl_device {
    fl_participant *participant;
    phase phase;
    uint64_t token; // of the TRAIN or ENCODE that runs
    bool cancelled; // the running training was told to stop
    bool over;      // the run is over
    bool stopped;   // and we too
    fl_order trained;  // order of the running training, or of the update held
    fl_order encoding; // order that the running encoding is for
    fl_vec update;     // 0 when none
    uint64_t shard;    // samples here, as they were counted at the start
    uint64_t samples;  // trained on
    uint64_t counted;  // the one of the two that the update weighs
    uint64_t stats[FL_STATS];
    uint64_t steps, steps_wanted; // of its training
    uint64_t weight;  // of the running encoding
    uint64_t offered; // round that the update was last offered to; 0 = none
};

fl_device *
fl_device_new(const fl_participant_conf *conf)
{
    FL_ASSERT(conf->role == FL_ROLE_DEVICE);
    fl_device *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->shard = conf->samples;
    self->participant = fl_participant_new(conf);
    if (self->participant == NULL) {
        fl_device_destroy(&self);
    }
    return self;
}

void
fl_device_destroy(fl_device **self_p)
{
    fl_device *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_participant_destroy(&self->participant);
        free(self);
    }
}

static void
s_note(fl_note_id id, uint64_t round, uint64_t a, uint64_t b, fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = id, .round = round, .a = a, .b = b });
}

static void
s_drop_update(fl_device *self, fl_outbox *out)
{
    if (self->update != 0) {
        fl_outbox_add(out, FL_FX_DROP)->drop.vec = self->update;
        self->update = 0;
    }
    self->offered = 0;
}

//  Under the profile malicious only what was trained from the round's own model is masked; for
//  another draw, only what was trained for it.
static bool
s_carries(const fl_device *self, const fl_order *order, uint64_t staleness)
{
    const fl_plan *plan = &order->plan;
    return staleness == 0 ||
           (plan->late == FL_LATE_CARRY && staleness <= plan->staleness_max && order->draw == 0 &&
            fl_participant_masking(self->participant, plan) != FL_MASKING_MALICIOUS);
}

static void
s_cancel(fl_device *self, fl_outbox *out)
{
    if (self->phase == TRAINING && !self->cancelled) {
        self->cancelled = true;
        fl_outbox_add(out, FL_FX_CANCEL);
    }
}

static void
s_train(fl_device *self, const fl_task *task, fl_time now, fl_outbox *out)
{
    fl_time left = fl_participant_due(self->participant) - now;
    fl_effect *effect = fl_outbox_ask(out, FL_FX_TRAIN, &self->token);
    effect->train.order = task->order;
    effect->train.budget_ms = left > 0 ? (uint32_t)left : 0;
    self->trained = task->order;
    self->cancelled = false;
    self->phase = TRAINING;
}

static void
s_encode(fl_device *self, const fl_task *task, fl_outbox *out)
{
    uint64_t staleness = task->order.round - self->trained.round;
    const fl_plan *plan = &task->order.plan;
    self->counted = plan->weighting == FL_WEIGHTING_CLASSES ? self->shard : self->samples;
    self->weight = fl_policy_weight(self->counted, plan);
    if (plan->weighting == FL_WEIGHTING_SAMPLES) { // else it depends on nothing but the device
        self->weight = fl_policy_damped(self->weight, staleness);
    }
    self->encoding = task->order;
    self->offered = 0; // a verdict about an earlier attempt does not take it from under the encoder
    if (staleness > 0) {
        s_note(FL_NOTE_CARRIED, task->order.round, staleness, self->weight, out);
    }
    fl_effect *effect = fl_outbox_ask(out, FL_FX_ENCODE, &self->token);
    effect->encode.update = self->update;
    effect->encode.weight = self->weight;
    effect->encode.order = task->order;
    self->phase = ENCODING;
}

//  What became of the update, if the parent has said so.
static void
s_take_verdict(fl_device *self, fl_outbox *out)
{
    fl_verdict verdict;
    if (!fl_participant_verdict(self->participant, &verdict)) {
        return;
    }
    bool ours = self->offered != 0 && self->offered == verdict.round &&
                fl_run_equal(&self->trained.run, &verdict.run);
    bool spent = verdict.spent || !verdict.certain || verdict.outcome == FL_OUT_IN ||
                 verdict.outcome == FL_OUT_REFUSED || !s_carries(self, &self->trained, 1);
    if (ours && spent) {
        s_drop_update(self, out);
    }
    if (verdict.final) {
        self->over = true;
        s_cancel(self, out);
        if (self->phase != ENCODING) { // else when that is done
            s_drop_update(self, out);
        }
    }
}

//  Do what the task in hand asks for next.
static void
s_work(fl_device *self, fl_time now, fl_outbox *out)
{
    const fl_task *task = fl_participant_task(self->participant);
    if (task == NULL || !fl_participant_wants(self->participant) || self->stopped) {
        return;
    }
    self->over = false;
    uint64_t staleness = task->order.round - self->trained.round;
    if (!fl_run_equal(&task->order.run, &self->trained.run) ||
        task->order.round < self->trained.round) {
        staleness = UINT64_MAX; // of another life
    }
    if (self->phase == TRAINING && !s_carries(self, &task->order, staleness)) {
        s_cancel(self, out);
    }
    if (self->phase != IDLE) {
        return;
    }
    if (self->update != 0 && s_carries(self, &task->order, staleness)) {
        s_encode(self, task, out);
        return;
    }
    if (self->update != 0) {
        s_note(FL_NOTE_DROPPED, task->order.round, staleness, 0, out);
        s_drop_update(self, out);
    }
    s_train(self, task, now, out);
}

//  The task in hand is of that round, and waits for an answer.
static bool
s_wanted(const fl_device *self, const fl_order *order)
{
    const fl_task *task = fl_participant_task(self->participant);
    return task != NULL && fl_participant_wants(self->participant) && !self->stopped &&
           task->order.round == order->round && fl_run_equal(&task->order.run, &order->run);
}

static void
s_decline(fl_device *self, const fl_order *order, fl_reason reason, const char *text, fl_time now,
          fl_outbox *out)
{
    if (s_wanted(self, order)) {
        fl_participant_decline(self->participant, reason, text, now, out);
    }
}

static void
on_trained(fl_device *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (event->trained.reason != FL_WHY_NONE) {
        if (!self->cancelled) {
            s_decline(self, &self->trained, event->trained.reason, "training gave no update", now,
                      out);
        }
        return;
    }
    self->update = event->trained.update;
    self->offered = 0;
    self->samples = event->trained.samples;
    self->steps = event->trained.steps;
    self->steps_wanted = event->trained.steps_wanted;
    memcpy(self->stats, event->trained.stats, sizeof self->stats);
    if (self->over) {
        s_drop_update(self, out);
    }
}

static void
on_encoded(fl_device *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    uint64_t round = self->encoding.round;
    if (event->encoded.reason != FL_WHY_NONE) {
        s_drop_update(self, out);
        s_decline(self, &self->encoding, event->encoded.reason, "the update cannot be encoded", now,
                  out);
        return;
    }
    if (!s_wanted(self, &self->encoding)) {
        fl_outbox_add(out, FL_FX_DROP)->drop.vec = event->encoded.vec; // for a round that is gone
        if (self->over) {
            s_drop_update(self, out);
        }
        return;
    }
    if (event->encoded.saturated > 0) {
        s_note(FL_NOTE_SATURATED, round, event->encoded.saturated, self->encoding.elements, out);
    }
    fl_offer offer = { .vec = event->encoded.vec,
                       .hash = event->encoded.hash,
                       .vector_bytes = event->encoded.bytes,
                       .base_round = self->trained.round,
                       .base = self->trained.model,
                       .weight = self->weight,
                       .count = 1 };
    memcpy(offer.stats, self->stats, sizeof offer.stats);
    offer.stats[FL_STAT_SATURATED] = event->encoded.saturated;
    uint64_t most = fl_policy_samples_max(&self->encoding.plan);
    bool capped = most > 0 && self->counted > most;
    offer.stats[FL_STAT_CAPPED] = capped ? 1 : 0;
    if (capped) {
        s_note(FL_NOTE_WEIGHT_CAPPED, round, 1, most, out);
    }
    if (self->steps < self->steps_wanted) {
        s_note(FL_NOTE_PARTIAL, round, self->steps, self->steps_wanted, out);
        fl_participant_partial(self->participant, out);
    }
    self->offered = round;
    fl_participant_offer(self->participant, &offer, now, out);
}

static void
on_answer(fl_device *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!fl_answers(event, self->token)) {
        fl_outbox_discard(out, event);
        return;
    }
    self->token = 0;
    self->phase = IDLE;
    if (event->kind == FL_EV_TRAINED) {
        on_trained(self, event, now, out);
    } else {
        on_encoded(self, event, now, out);
    }
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_device *self = arg;
    switch ((int)event->kind) {
    case FL_EV_TRAINED:
    case FL_EV_ENCODED:
        on_answer(self, event, now, out);
        break;
    case FL_EV_REST:
        fl_participant_rest(self->participant, event->rest.reason, now, out);
        break;
    case FL_EV_STOP:
        s_cancel(self, out);
        fl_participant_leave(self->participant, FL_WHY_LEFT, out);
        self->over = self->stopped = true;
        return;
    default:
        fl_participant_step(self->participant, event, now, out);
        break;
    }
    s_take_verdict(self, out);
    s_work(self, now, out);
    fl_doing doing = { .activity = self->phase == TRAINING   ? FL_DOING_TRAIN
                                   : self->phase == ENCODING ? FL_DOING_ENCODE
                                                             : FL_DOING_NOTHING,
                       .leaves = 1,
                       .samples = self->samples };
    fl_participant_doing(self->participant, &doing);
}

static fl_time
s_deadline(const void *arg)
{
    const fl_device *self = arg;
    return fl_participant_deadline(self->participant);
}

fl_machine
fl_device_machine(fl_device *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}

const fl_participant *
fl_device_participant(const fl_device *self)
{
    return self->participant;
}

bool
fl_device_done(const fl_device *self)
{
    return self->over;
}
