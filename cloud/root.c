//  The root drives rounds. A round is real once its close is durable: only then
//  do the children hear of it, and only then does the next one begin. A restart
//  therefore finds either the old model and the round to repeat, or the new
//  model and the round after.
#include "cloud/root_inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/manifest.h"

static const bool legal[FL_ROOT_PHASES][FL_ROOT_PHASES] = {
    [FL_ROOT_IDLE] = { [FL_ROOT_WAITING] = true, [FL_ROOT_DONE] = true },
    [FL_ROOT_WAITING] = { [FL_ROOT_OPENING] = true,
                          [FL_ROOT_SAVING] = true,
                          [FL_ROOT_PAUSED] = true,
                          [FL_ROOT_IDLE] = true,
                          [FL_ROOT_DONE] = true },
    [FL_ROOT_OPENING] = { [FL_ROOT_COLLECTING] = true,
                          [FL_ROOT_WAITING] = true,
                          [FL_ROOT_PAUSED] = true },
    [FL_ROOT_COLLECTING] = { [FL_ROOT_APPLYING] = true, [FL_ROOT_SAVING] = true },
    [FL_ROOT_APPLYING] = { [FL_ROOT_SAVING] = true, [FL_ROOT_PAUSED] = true },
    [FL_ROOT_SAVING] = { [FL_ROOT_WAITING] = true, [FL_ROOT_PAUSED] = true, [FL_ROOT_DONE] = true },
    [FL_ROOT_PAUSED] = { [FL_ROOT_WAITING] = true,
                         [FL_ROOT_IDLE] = true,
                         [FL_ROOT_APPLYING] = true,
                         [FL_ROOT_SAVING] = true,
                         [FL_ROOT_DONE] = true },
    [FL_ROOT_DONE] = { [FL_ROOT_WAITING] = true },
};

enum { RETRY_MIN_MS = 1000, RETRY_MAX_MS = 60000, TRIES_MAX = 6, NOTED_EACH_MS = 60000 };

fl_root *
fl_root_new(const fl_root_conf *conf)
{
    fl_root *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->conf.aggregator.vector = false;
    self->loss = NAN;
    self->accuracy = NAN;
    self->conf.aggregator.timing.join_wait_ms = 0; // the wait is before the round
    self->aggregator = fl_aggregator_new(&self->conf.aggregator);
    if (self->aggregator == NULL) {
        fl_root_destroy(&self);
    }
    return self;
}

void
fl_root_destroy(fl_root **self_p)
{
    fl_root *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_aggregator_destroy(&self->aggregator);
        free(self);
    }
}

//  What the children hear on their beats.
static void
s_tell(fl_root *self)
{
    fl_aggregator_pause(self->aggregator, self->rests                     ? FL_WHY_DRAIN
                                          : self->phase == FL_ROOT_PAUSED ? self->reason
                                                                          : FL_WHY_NONE);
}

static void
s_enter(fl_root *self, fl_root_phase next, fl_time now)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
    self->since = now;
    s_tell(self);
}

static void
s_note(const fl_root *self, fl_note_id id, fl_reason reason, uint64_t a, uint64_t b, fl_outbox *out)
{
    const uint64_t round = self->task.order.round;
    fl_outbox_note(out,
                   (fl_note){ .id = id, .round = round, .reason = reason, .a = a, .b = b });
}

static void
s_save(fl_root *self, fl_save what, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_ask(out, FL_FX_SAVE, &self->token);
    effect->save.what = what;
    effect->save.report = &self->report;
}

//  The disk or memory fails, nobody can sign, or members have no draw left: nothing new is opened
//  until it is tried again, and nothing is lost but time.
static void
s_pause(fl_root *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    uint32_t delay_ms = (uint32_t)RETRY_MIN_MS
                        << (self->tries < TRIES_MAX ? self->tries : TRIES_MAX);
    delay_ms = delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS;
    self->tries++;
    self->token = 0;
    self->drawing = false;
    self->paused = self->phase == FL_ROOT_OPENING ? FL_ROOT_WAITING : self->phase;
    self->reason = reason;
    self->retry_at = now + (fl_time)delay_ms;
    s_enter(self, FL_ROOT_PAUSED, now);
    s_note(self, FL_NOTE_RUN_PAUSED, self->reason, delay_ms, 0, out);
}

static void
s_ask_apply(fl_root *self, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_ask(out, FL_FX_APPLY, &self->token);
    effect->apply.order = self->task.order;
    effect->apply.weight = self->report.weight;
    effect->apply.count = self->report.count;
}

static void
s_go_on(fl_root *self, fl_time now, fl_outbox *out)
{
    self->reason = FL_WHY_NONE;
    s_enter(self, self->paused, now);
    self->waits_since = now;
    if (self->phase == FL_ROOT_APPLYING) {
        s_ask_apply(self, out);
    } else if (self->phase == FL_ROOT_SAVING) {
        s_save(self, FL_SAVE_CLOSE, out);
    }
}

static void
s_end(fl_root *self, bool aborted, fl_reason reason, fl_time now, fl_outbox *out)
{
    self->aborted = aborted;
    self->reason = reason;
    s_enter(self, FL_ROOT_DONE, now);
    if (self->skipped > 0) {
        s_note(self, FL_NOTE_RUN_SKIPPED, reason, self->skipped, self->task.order.round, out);
    }
    s_note(self, FL_NOTE_RUN_DONE, reason, self->task.order.round, 0, out);
}

//  Whether the run is over after this round, and why before its last one.
static bool
s_over(const fl_root *self, uint64_t round, fl_reason *end)
{
    *end = round >= self->conf.rounds ? FL_WHY_NONE : fl_best_ending(&self->best);
    return round >= self->conf.rounds || *end != FL_WHY_NONE;
}

static void
s_report(fl_root *self)
{
    const fl_order *order = &self->task.order;
    self->report = (fl_report){ .run = order->run,
                                .round = order->round,
                                .attempt = self->task.attempt,
                                .draw = self->task.order.draw,
                                .base = order->model,
                                .model = order->model,
                                .loss = NAN,
                                .accuracy = NAN };
}

//  What the parents told in a masked round, some have forgotten for another run's; and nothing may
//  be told in it twice in two ways. So it is not asked for again.
static void
s_skip(fl_root *self, uint32_t devices, fl_time now, fl_outbox *out)
{
    s_report(self);
    self->report.masking = fl_plan_masking(&self->conf.plan, 1);
    self->report.close = FL_CLOSE_SKIPPED;
    self->report.reason = FL_WHY_RESTART;
    self->report.tally.invited = self->report.tally.late = devices;
    self->report.roll = fl_aggregator_passed(self->aggregator, &self->report.roll_count);
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_ROUND_CLOSE,
                                   .round = self->report.round,
                                   .reason = self->report.reason });
    s_enter(self, FL_ROOT_SAVING, now);
    s_save(self, FL_SAVE_CLOSE, out);
}

static void
on_start(fl_root *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_ROOT_IDLE || self->phase == FL_ROOT_DONE);
    fl_order *order = &self->task.order;
    self->conf.passed = self->conf.passed && fl_plan_masks(&self->conf.plan);
    bool aborted = self->conf.aborted != FL_WHY_NONE; // and the process ended before that was said
    fl_reason end;
    self->task = (fl_task){ 0 };
    self->wish = event->start.order;
    self->assigned = false;
    self->aborted = false;
    self->reason = FL_WHY_NONE;
    self->loss = NAN;
    self->accuracy = NAN;
    self->best = self->conf.best;
    fl_pace_forget(&self->pace);
    self->turn_at = now;
    self->skipped = 0;
    self->tries = 0;
    self->waits_since = now;
    order->run = event->start.run;
    order->round = event->start.round;
    order->model = event->start.model;
    order->tensors = event->start.tensors;
    order->draw = event->start.draw;
    self->bound = event->start.attempt > 0 ? 0 : event->start.bound;
    order->draw = fl_root_raise(self, out);
    self->bound = 0;
    order->model_bytes = event->start.model_bytes;
    order->elements = event->start.elements;
    order->plan = self->conf.plan;
    self->task.attempt = event->start.attempt;
    fl_aggregator_model(self->aggregator, &order->run, &order->model, order->model_bytes);
    for (uint32_t i = 0; i < self->conf.past_count; i++) {
        fl_aggregator_recall(self->aggregator, &self->conf.pasts[i]);
    }
    s_enter(self, FL_ROOT_WAITING, now);
    uint32_t devices =
        fl_aggregator_remember(self->aggregator, self->conf.members, self->conf.member_count);
    fl_aggregator_needs(self->aggregator, &order->plan);
    fl_awaited_recall(&self->awaited, devices, devices > 0 ? self->conf.aggregator.absent_max : 0,
                      fl_aggregator_others(self->aggregator));
    if (s_over(self, order->round - 1, &end) || aborted) {
        end = aborted ? self->conf.aborted : end;
        order->round--; // the next one will not come: the run stands after its last
        fl_aggregator_dismiss(self->aggregator, end, out);
        s_end(self, aborted, end, now, out);
    } else if (self->conf.passed) {
        s_skip(self, devices, now, out);
    }
}

static uint32_t
s_leaves(const fl_root *self)
{
    return fl_aggregator_presence(self->aggregator).leaves;
}

//  The wait for devices is over, and was in vain for some.
static void
s_give_up(fl_root *self, fl_outbox *out)
{
    uint32_t most = self->conf.aggregator.absent_max, leaves = s_leaves(self);
    uint32_t missing = fl_awaited_of(&self->awaited, self->conf.expect_leaves) - leaves;
    if (fl_awaited_round(&self->awaited, self->conf.expect_leaves, leaves, most)) {
        s_note(self, FL_NOTE_GIVEN_UP, FL_WHY_GONE, missing, most, out);
    }
}

static bool
s_pools(const fl_root *self)
{
    return self->conf.pooler.give != NULL && fl_plan_masks(&self->conf.plan);
}

static void
s_order(fl_root *self, fl_time now, fl_outbox *out)
{
    fl_order *order = &self->task.order;
    const fl_signer *signer = &self->conf.signer;
    const fl_pooler *pooler = &self->conf.pooler;
    fl_pool_set *pools = fl_aggregator_pools(self->aggregator);
    if (s_pools(self) && !pooler->give(pooler->self, &order->run, pools)) {
        s_pause(self, FL_WHY_AUTHORITY, now, out);
        return;
    }
    order->pools = s_pools(self) ? pools->epoch : 0;
    if (self->conf.rate.kind != FL_SCHEDULE_NONE) { // as wide as it travels
        double rate = fl_schedule_at(&self->conf.rate, order->round, self->conf.rounds);
        fl_recipe_put(&order->plan.recipe, "rate", (float)rate);
    }
    fl_recipe_put(&order->plan.recipe, "evaluate",
                  fl_schedule_due(self->conf.evaluate_every, order->round, self->conf.rounds));
    if (signer->sign != NULL && !signer->sign(signer->self, &self->task)) {
        s_pause(self, FL_WHY_AUTHORITY, now, out);
        return;
    }
    self->task.attempt++;
    s_report(self);
    fl_order_encode(order, self->order);
    self->report.order = fl_bytes_of(self->order, sizeof self->order);
    self->report.settings = fl_settings_encode(order, self->settings);
    self->report.signature = fl_bytes_of(self->task.signature, sizeof self->task.signature);
    s_save(self, FL_SAVE_OPEN, out);
}

static void
s_open(fl_root *self, fl_time now, fl_outbox *out)
{
    s_give_up(self, out);
    s_enter(self, FL_ROOT_OPENING, now);
    if (fl_plan_masks(&self->conf.plan) && s_leaves(self) > self->conf.plan.devices_max) {
        s_pause(self, FL_WHY_FULL, now, out); // the sum of so many could not be judged
        return;
    }
    self->drawing = s_pools(self);
    if (self->drawing) {
        s_report(self);
        s_save(self, FL_SAVE_POOLS, out);
    } else {
        s_order(self, now, out);
    }
}

//  What was asked for, between two rounds. True: the run is not in hand any more.
static bool
s_obey(fl_root *self, fl_time now, fl_outbox *out)
{
    if (self->wish == FL_RUN_STOP) {
        fl_aggregator_dismiss(self->aggregator, FL_WHY_STOPPED, out);
        s_end(self, true, FL_WHY_STOPPED, now, out);
    } else if (self->wish == FL_RUN_LEAVE) {
        s_enter(self, FL_ROOT_IDLE, now);
    }
    return self->wish == FL_RUN_STOP || self->wish == FL_RUN_LEAVE;
}

static fl_time
s_patience_ends(const fl_root *self)
{
    const fl_time patience = (fl_time)self->conf.patience_ms;
    return patience > 0 ? self->waits_since + patience : FL_NEVER;
}

//  Before each round: wait for the expected children, within a bound, and say for what; then for a
//  quorum of them, as long as the run's patience says.
static void
s_wait(fl_root *self, fl_time now, fl_outbox *out)
{
    uint32_t ready = fl_aggregator_presence(self->aggregator).ready;
    uint32_t resting = fl_aggregator_presence(self->aggregator).resting;
    uint32_t leaves = s_leaves(self), expect = fl_aggregator_expects(self->aggregator);
    bool quorum = ready - resting >= self->conf.aggregator.window.count_min;
    bool all = ready >= expect && leaves >= fl_awaited_of(&self->awaited, self->conf.expect_leaves);
    if (!fl_aggregator_idle(self->aggregator) || s_obey(self, now, out) || self->rests) {
        return;
    }
    bool over = now >= self->since + (fl_time)self->conf.start_wait_ms;
    if (quorum && (all || over)) {
        s_open(self, now, out);
        return;
    }
    if (ready != self->ready || leaves != self->leaves || now >= self->noted_at + NOTED_EACH_MS) {
        self->ready = ready;
        self->leaves = leaves;
        self->noted_at = now;
        s_note(self, FL_NOTE_WAITING, FL_WHY_NONE, ready, expect, out);
    }
    if (quorum) {
        self->waits_since = now;
    } else if (over && self->wish == FL_RUN_YIELD) {
        s_enter(self, FL_ROOT_IDLE, now);
    } else if (now >= s_patience_ends(self)) {
        fl_aggregator_dismiss(self->aggregator, FL_WHY_QUORUM, out);
        s_end(self, true, FL_WHY_QUORUM, now, out);
    } else if (over) {
        self->since = now;
    }
}

static void
s_close(fl_root *self, const fl_result *result, fl_time now, fl_outbox *out)
{
    fl_report *report = &self->report;
    fl_result_report(result, report);
    if (report->close == FL_CLOSE_ABORTED && report->reason == FL_WHY_STORAGE) {
        report->close = FL_CLOSE_SKIPPED; // trouble of ours costs a round, and ends no run
    }
    if (result->close == FL_CLOSE_DONE) {
        s_enter(self, FL_ROOT_APPLYING, now);
        s_ask_apply(self, out);
    } else {
        s_enter(self, FL_ROOT_SAVING, now);
        s_save(self, FL_SAVE_CLOSE, out);
    }
}

static void
on_applied(fl_root *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!fl_answers(event, self->token)) {
        return;
    }
    FL_ASSERT(self->phase == FL_ROOT_APPLYING);
    fl_report *report = &self->report;
    if (!event->applied.ok) {
        s_pause(self, FL_WHY_STORAGE, now, out);
        return;
    }
    report->model = event->applied.model;
    report->loss = event->applied.loss;
    report->accuracy = event->applied.accuracy;
    report->best = fl_best_see(&self->best, report->round, report->loss, report->accuracy);
    report->kept = self->conf.keep_every > 0 && report->round % self->conf.keep_every == 0;
    self->task.order.model_bytes = event->applied.model_bytes;
    self->task.order.tensors = event->applied.tensors;
    s_enter(self, FL_ROOT_SAVING, now);
    s_save(self, FL_SAVE_CLOSE, out);
}

//  The close is durable: tell the children, go on or end.
static void
s_settle(fl_root *self, fl_time now, fl_outbox *out)
{
    fl_report *report = &self->report;
    fl_order *order = &self->task.order;
    bool done = report->close == FL_CLOSE_DONE;
    bool aborted = report->close == FL_CLOSE_ABORTED;
    fl_reason end;
    bool last = s_over(self, order->round, &end) || aborted, skipped = !done && !aborted;
    self->skipped += skipped;
    end = aborted ? report->reason : skipped && end == FL_WHY_NONE ? FL_WHY_SKIPPED : end;
    if (!self->conf.passed) {
        fl_aggregator_settle(self->aggregator, done ? FL_OUT_IN : FL_OUT_LATE, report->reason,
                             last ? &end : NULL, out);
    } else if (last) {
        fl_aggregator_dismiss(self->aggregator, end, out);
    }
    self->conf.passed = false;
    order->draw = fl_root_draw(self, out);
    if (done) {
        order->model = report->model;
        self->loss = isnan(report->loss) ? self->loss : report->loss;
        self->accuracy = isnan(report->accuracy) ? self->accuracy : report->accuracy;
    }
    uint32_t took = now > self->turn_at ? (uint32_t)(now - self->turn_at) : 1;
    fl_pace_learn(&self->pace, &took, 1);
    self->turn_at = now;
    if (last) {
        s_end(self, aborted, end, now, out);
        return;
    }
    order->round++;
    self->task.attempt = 0;
    memset(self->task.signature, 0, sizeof self->task.signature);
    fl_aggregator_model(self->aggregator, &order->run, &order->model, order->model_bytes);
    s_enter(self, FL_ROOT_WAITING, now);
    self->waits_since = now;
    if (self->wish == FL_RUN_YIELD) {
        s_enter(self, FL_ROOT_IDLE, now);
    } else if (report->reason == FL_WHY_DRAWS_USED) { // only the operator can help, or who is away
        self->tries = TRIES_MAX;
        s_pause(self, report->reason, now, out);
    }
}

static void
on_saved(fl_root *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!event->saved.ok) {
        s_note(self, FL_NOTE_SAVE_FAILED, FL_WHY_STORAGE, event->token, 0, out);
    }
    if (!fl_answers(event, self->token)) { // a KEEP of a masked round
        fl_aggregator_step(self->aggregator, event, now, out);
        return;
    }
    if (!event->saved.ok) {
        s_pause(self, FL_WHY_STORAGE, now, out);
        return;
    }
    if (self->tries > 0) {
        s_note(self, FL_NOTE_RUN_RESUMED, FL_WHY_NONE, 0, 0, out);
    }
    self->token = 0;
    self->tries = 0;
    if (self->phase == FL_ROOT_SAVING) {
        s_settle(self, now, out);
        return;
    }
    FL_ASSERT(self->phase == FL_ROOT_OPENING);
    bool asked = self->rests || self->wish == FL_RUN_STOP || self->wish == FL_RUN_LEAVE;
    if (self->drawing && asked) { // meanwhile, and nothing is told yet
        s_enter(self, FL_ROOT_WAITING, now);
    } else if (self->drawing) {
        self->drawing = false;
        s_order(self, now, out);
    } else {
        s_enter(self, FL_ROOT_COLLECTING, now);
        fl_aggregator_open(self->aggregator, &self->task, FL_NEVER, event->wall_s, now, out);
    }
}

//  The round in hand is closed first.
static void
on_order(fl_root *self, fl_run_order order, fl_time now, fl_outbox *out)
{
    if (self->phase == FL_ROOT_IDLE && order == FL_RUN_STOP) { // it was left before: paused
        fl_aggregator_dismiss(self->aggregator, FL_WHY_STOPPED, out);
        s_end(self, true, FL_WHY_STOPPED, now, out);
    }
    if (self->phase == FL_ROOT_IDLE || self->phase == FL_ROOT_DONE) {
        return;
    }
    self->wish = order > self->wish ? order : self->wish; // a turn given away undoes no stop
    if (self->phase != FL_ROOT_PAUSED) {
        return;
    }
    if (order == FL_RUN_GO) {
        s_go_on(self, now, out);
    } else if (self->paused == FL_ROOT_WAITING) {
        (void)s_obey(self, now, out);
    }
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_root *self = arg;
    switch ((int)event->kind) {
    case FL_EV_START:
        on_start(self, event, now, out);
        break;
    case FL_EV_APPLIED:
        on_applied(self, event, now, out);
        break;
    case FL_EV_SAVED:
        on_saved(self, event, now, out);
        break;
    case FL_EV_RUN:
        on_order(self, event->run.order, now, out);
        break;
    case FL_EV_DENIED:
        fl_awaited_lower(&self->awaited, self->conf.expect_leaves,
                         fl_aggregator_deny(self->aggregator, &event->denied.node));
        break;
    case FL_EV_REST:
        if (event->rest.node.name[0] != '\0') {
            fl_aggregator_rest(self->aggregator, &event->rest.node,
                               event->rest.reason != FL_WHY_NONE, out);
            break;
        }
        self->rests = event->rest.reason != FL_WHY_NONE;
        self->waits_since = now;
        s_tell(self);
        break;
    case FL_EV_STOP:
        return; // the ledger knows where to go on
    default:
        fl_aggregator_step(self->aggregator, event, now, out);
        break;
    }
    fl_awaited_see(&self->awaited, s_leaves(self));
    fl_result result;
    if (self->phase == FL_ROOT_COLLECTING && fl_aggregator_result(self->aggregator, &result)) {
        s_close(self, &result, now, out);
    }
    if (self->phase == FL_ROOT_PAUSED && now >= self->retry_at) {
        s_go_on(self, now, out);
    }
    if (self->phase == FL_ROOT_WAITING) {
        s_wait(self, now, out);
    }
}

static fl_time
s_deadline(const void *arg)
{
    const fl_root *self = arg;
    fl_time at = fl_aggregator_deadline(self->aggregator);
    if (self->phase == FL_ROOT_WAITING && !self->rests) {
        fl_time bound = self->since + (fl_time)self->conf.start_wait_ms;
        fl_time noted = self->noted_at + NOTED_EACH_MS;
        at = bound < at ? bound : at;
        at = noted < at ? noted : at;
        at = s_patience_ends(self) < at ? s_patience_ends(self) : at;
    } else if (self->phase == FL_ROOT_PAUSED) {
        at = self->retry_at < at ? self->retry_at : at;
    }
    return at;
}

fl_machine
fl_root_machine(fl_root *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}

void
fl_root_assign(fl_root *self, const fl_root_conf *conf)
{
    FL_ASSERT(self->phase == FL_ROOT_IDLE || self->phase == FL_ROOT_DONE);
    self->conf = *conf;
    self->conf.aggregator.vector = false;
    self->conf.aggregator.timing.join_wait_ms = 0;
    self->assigned = true;
    fl_aggregator_assign(self->aggregator, &self->conf.aggregator);
}
