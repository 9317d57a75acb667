//  The aggregator decides when: who is seated, who is invited, when a round is cut
//  off and closed. What children send is collect's; who they are is the
//  roster's. A round ends in one of three ways only: every invited seat has
//  come to an end, enough have come, or the cut-off has passed. From the
//  cut-off on nothing new is let in, so closing waits for nothing but our own
//  folds.
#include "common/round/aggregator_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/round/participation.h"

static const bool legal[FL_AGGREGATOR_PHASES][FL_AGGREGATOR_PHASES] = {
    [FL_AGGREGATOR_IDLE] = { [FL_AGGREGATOR_OPEN] = true },
    [FL_AGGREGATOR_OPEN] = { [FL_AGGREGATOR_DRAINING] = true, [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_DRAINING] = { [FL_AGGREGATOR_FINISHING] = true,
                                 [FL_AGGREGATOR_CLOSED] = true,
                                 [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_FINISHING] = { [FL_AGGREGATOR_CLOSED] = true, [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_CLOSED] = { [FL_AGGREGATOR_IDLE] = true },
};

fl_aggregator *
fl_aggregator_new(const fl_aggregator_conf *conf)
{
    FL_ASSERT(conf->window.count_min >= 1 && conf->timing.beat_ms > 0);
    fl_aggregator *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->check_at = FL_NEVER;
    self->seats = fl_seats_new(conf->seats_max);
    self->roll = calloc(FL_ROLL_MAX, sizeof *self->roll);
    self->durations = calloc(conf->seats_max, sizeof *self->durations);
    if (self->seats != NULL) {
        self->uploads = fl_uploads_new(self->seats, conf->slots);
    }
    if (self->uploads != NULL && conf->masking != NULL) {
        self->blocks = fl_blocks_new(conf->masking, self->seats);
    }
    bool whole = self->uploads != NULL && (self->blocks != NULL || conf->masking == NULL);
    if (!whole || self->roll == NULL || self->durations == NULL) {
        fl_aggregator_destroy(&self);
    }
    return self;
}

void
fl_aggregator_destroy(fl_aggregator **self_p)
{
    fl_aggregator *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_blocks_destroy(&self->blocks);
        fl_uploads_destroy(&self->uploads);
        fl_seats_destroy(&self->seats);
        free(self->roll);
        free(self->durations);
        free(self);
    }
}

static void
s_enter(fl_aggregator *self, fl_aggregator_phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

// ---- closing ------------------------------------------------------------------------------------
//  Learn how long the seats of this round took, task out to last byte in. One that was late counts
//  with what it has spent so far, or a deadline that follows the median would shrink to the
//  quickest few. A missed round makes us forget: the next one gets its whole window. A second
//  attempt teaches nothing, as what was made for the first one comes at once.
static void
s_measure(fl_aggregator *self, fl_close close, fl_time now)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        bool fresh =
            seat->phase == FL_SEAT_COUNTED && seat->contrib.base_round == self->task.order.round;
        if (fresh || seat->phase == FL_SEAT_LATE) {
            fl_time took = fl_aggregator_time_spent(self, seat, now);
            self->durations[count++] = took > 1 ? (uint32_t)took : 1;
        }
    }
    if (close == FL_CLOSE_DONE) {
        fl_pace_learn(&self->pace, self->durations, self->task.attempt == 1 ? count : 0);
    } else {
        fl_pace_forget(&self->pace);
    }
}

//  What the contributions add up to: said by each of them, or opened by their blocks.
static void
s_sum_up(fl_aggregator *self, fl_result *result)
{
    const fl_sums *said = fl_uploads_sums(self->uploads);
    bool masked = fl_aggregator_masked(self);
    const fl_blocks_sum *opened = masked ? fl_blocks_sum_of(self->blocks) : NULL;
    result->weight = masked ? opened->weight : said->weight;
    result->count = masked ? opened->count : said->count;
    memcpy(result->stats, masked ? opened->stats : said->stats, sizeof result->stats);
    result->masking = (fl_masking)self->task.order.plan.masking;
    if (masked) {
        result->blocks = fl_blocks_lines(self->blocks, &result->block_count);
    }
}

static void
s_close(fl_aggregator *self, fl_close close, fl_reason reason, fl_time now, fl_outbox *out)
{
    const fl_sums *sums = fl_uploads_sums(self->uploads);
    fl_result *result = &self->result;
    result->close = close;
    result->reason = reason;
    s_sum_up(self, result);
    result->duration_ms = (uint32_t)(now - self->opened_at);
    fl_time budget = self->cutoff_at - self->opened_at; // negative when it came too late
    result->budget_ms = budget > 0 ? (uint32_t)budget : 0;
    result->tally = fl_aggregator_tally(self);
    fl_time needed = sums->last_at > self->cut_at ? sums->last_at : self->cut_at;
    uint32_t merge = close == FL_CLOSE_DONE ? (uint32_t)(now - needed) : 0;
    if (merge > result->tally.merge_ms) {
        result->tally.merge_ms = merge;
    }
    result->roll = self->roll;
    result->roll_count = fl_participation_roll(
        self->seats, &self->conf.node, self->task.order.round, self->roll, &result->roll_dropped);
    s_measure(self, close, now);
    s_enter(self, FL_AGGREGATOR_CLOSED);
    fl_aggregator_note(self, NULL, FL_NOTE_ROUND_CLOSE, reason, sums->contributions, merge, out);
}

static void
s_finish(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    const fl_window *window = &self->conf.window;
    const fl_blocks_sum *opened =
        fl_aggregator_masked(self) ? fl_blocks_sum_of(self->blocks) : NULL;
    if (fl_uploads_sums(self->uploads)->contributions >= window->count_min) {
        s_enter(self, FL_AGGREGATOR_FINISHING);
        fl_effect *effect = fl_outbox_add(out, FL_FX_FINISH);
        effect->finish.vector = self->conf.vector;
        effect->finish.blocks = opened != NULL ? opened->set : 1;
        return;
    }
    bool named = opened != NULL && opened->reason != FL_WHY_NONE;
    fl_close close = window->missed == FL_MISSED_ABORT ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED;
    s_close(self, close, named ? opened->reason : FL_WHY_QUORUM, now, out);
}

//  Nothing new is let in from here on.
static void
s_cut_off(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    s_enter(self, FL_AGGREGATOR_DRAINING);
    self->cut_at = now;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        uint64_t got = seat->phase == FL_SEAT_STAGING ? seat->intake.next : 0;
        if (seat->phase == FL_SEAT_TASKED || seat->phase == FL_SEAT_OFFERED ||
            seat->phase == FL_SEAT_STAGING) {
            fl_reason reason = seat->phase == FL_SEAT_OFFERED ? FL_WHY_BUSY : FL_WHY_LATE;
            fl_seat_phase next = seat->evasive ? FL_SEAT_ABSENT : FL_SEAT_LATE;
            (void)fl_uploads_withdraw(self->uploads, i, next,
                                      seat->evasive ? FL_WHY_SILENT : reason, out);
            fl_aggregator_note(self, &seat->node, FL_NOTE_LATE, seat->reason, i, got, out);
        }
    }
    fl_aggregator_note(self, NULL, FL_NOTE_ROUND_CUTOFF, FL_WHY_NONE,
                       fl_uploads_sums(self->uploads)->contributions,
                       (uint64_t)(now - self->opened_at), out);
}

typedef struct standing {
    uint32_t invited, ended,
        coming; // coming: verified or folded any moment, or counted
} standing;

static standing
s_standing(const fl_aggregator *self)
{
    standing sum = { 0 };
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        sum.invited += seat->phase != FL_SEAT_IDLE;
        sum.ended += seat->phase != FL_SEAT_IDLE && fl_seat_terminal(seat);
        sum.coming += seat->phase == FL_SEAT_VERIFYING || seat->phase == FL_SEAT_FOLDING ||
                      seat->phase == FL_SEAT_COUNTED;
    }
    return sum;
}

static bool
s_complete(const fl_aggregator *self, fl_time now)
{
    const fl_window *window = &self->conf.window;
    standing sum = s_standing(self);
    if (now < self->opened_at + (fl_time)window->time_min_ms) {
        return false;
    }
    uint32_t counted = fl_uploads_sums(self->uploads)->contributions;
    if (window->count_max > 0 && counted >= window->count_max) {
        return true;
    }
    if (self->due == FL_NEVER && counted < window->count_min) {
        return false; // nobody above waits for this round: others may still come and make it
    }
    bool waited = now >= self->opened_at + (fl_time)self->conf.timing.join_wait_ms;
    return sum.invited > 0 && sum.ended == sum.invited &&
           (sum.invited >= self->conf.expect || waited);
}

//  True when the cut-off was moved: too few are in or coming, and the window
//  says to wait on.
static bool
s_extend(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    const fl_window *window = &self->conf.window;
    fl_time later = self->cutoff_at + (fl_time)window->extend_ms;
    fl_time latest = self->due - (fl_time)self->conf.timing.finish_ms;
    later = later < latest ? later : latest;
    if (window->missed != FL_MISSED_EXTEND || self->extends >= window->extends_max ||
        later <= now || s_standing(self).coming >= window->count_min) {
        return false;
    }
    self->extends++;
    fl_aggregator_note(self, NULL, FL_NOTE_ROUND_EXTEND, FL_WHY_QUORUM,
                       fl_uploads_sums(self->uploads)->contributions,
                       (uint64_t)(later - self->cutoff_at), out);
    self->cutoff_at = later;
    return true;
}

//  The minimum time and the wait for expected children are moments too.
static fl_time
s_next_moment(const fl_aggregator *self, fl_time now)
{
    fl_time least = self->opened_at + (fl_time)self->conf.window.time_min_ms;
    fl_time joined = self->opened_at + (fl_time)self->conf.timing.join_wait_ms;
    fl_time first = least < joined ? least : joined;
    fl_time second = least < joined ? joined : least;
    return now < first ? first : now < second ? second : FL_NEVER;
}

static void
s_check_round(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    bool masked = fl_aggregator_masked(self);
    if (self->phase == FL_AGGREGATOR_OPEN) {
        self->wake_at = masked ? FL_NEVER : s_next_moment(self, now);
        bool over = masked ? fl_aggregator_uploads_over(self) : s_complete(self, now);
        if (!over && now >= self->cutoff_at) {
            over = masked || !s_extend(self, now, out);
        }
        if (over) {
            s_cut_off(self, now, out);
        } else {
            fl_uploads_give_slots(self->uploads, now, out);
        }
    }
    if (self->phase == FL_AGGREGATOR_DRAINING && !fl_uploads_busy(self->uploads) &&
        (!masked || fl_blocks_ended(self->blocks))) {
        s_finish(self, now, out);
    }
}

static void
on_finished(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->finish_pending) { // of a round that was given up
        self->finish_pending = false;
        if (event->finished.vec != 0) {
            fl_outbox_add(out, FL_FX_DROP)->drop.vec = event->finished.vec;
        }
        return;
    }
    FL_ASSERT(self->phase == FL_AGGREGATOR_FINISHING);
    self->result.vec = event->finished.vec;
    self->result.hash = event->finished.hash;
    self->result.vector_bytes = event->finished.bytes;
    s_close(self, FL_CLOSE_DONE, FL_WHY_NONE, now, out);
}

static void
s_age_seats(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    const fl_timing *timing = &self->conf.timing;
    bool present = false;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (!seat->present) {
            continue;
        }
        fl_time silent = now - seat->heard_at;
        if (silent >= (fl_time)timing->lease_beats * timing->beat_ms) {
            fl_aggregator_note(self, &seat->node, FL_NOTE_EXPIRED, FL_WHY_SILENT, i,
                               (uint64_t)silent, out);
            fl_aggregator_vacate(self, i, FL_WHY_SILENT, now, out);
            continue;
        }
        present = true;
        if (!seat->evasive && silent >= (fl_time)timing->evasive_beats * timing->beat_ms) {
            seat->evasive = true;
            fl_aggregator_note(self, &seat->node, FL_NOTE_EVASIVE, FL_WHY_SILENT, i,
                               (uint64_t)silent, out);
        }
        if (fl_uploads_hurry(self->uploads, i, timing, now, out)) {
            fl_aggregator_after_word(self, seat->peer, now, out);
        }
    }
    self->check_at = present ? now + timing->beat_ms : FL_NEVER;
}

static fl_reason
s_fault(const fl_event *event)
{
    if (event->verified.ok) {
        return FL_WHY_NONE;
    }
    return event->verified.reason == FL_WHY_NONE ? FL_WHY_HASH : event->verified.reason;
}

static void
on_gone(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    int64_t index = fl_seats_of_peer(self->seats, event->gone.peer);
    if (index >= 0) {
        fl_aggregator_note(self, &fl_seats_at(self->seats, (uint32_t)index)->node, FL_NOTE_LEFT,
                           event->gone.reason, (uint64_t)index, 0, out);
        fl_aggregator_vacate(self, (uint32_t)index, event->gone.reason, now, out);
    }
}

static void
on_verified(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (fl_aggregator_masked(self)) {
        fl_aggregator_verified_masked(self, event->verified.slot, s_fault(event), now, out);
    } else {
        fl_uploads_verified(self->uploads, event->verified.slot, s_fault(event), out);
    }
}

static void
on_tick(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    if (now >= self->check_at) {
        s_age_seats(self, now, out);
    }
    if (fl_aggregator_masked(self)) {
        fl_blocks_tick(self->blocks, now, out);
    }
}

void
fl_aggregator_step(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch ((int)event->kind) {
    case FL_EV_MESSAGE:
        FL_ASSERT(event->message.from != FL_PARENT);
        fl_aggregator_hear(self, event, now, out);
        break;
    case FL_EV_GONE:
        on_gone(self, event, now, out);
        break;
    case FL_EV_VERIFIED:
        on_verified(self, event, now, out);
        break;
    case FL_EV_FOLDED:
        fl_uploads_folded(self->uploads, event->folded.slot, out);
        break;
    case FL_EV_FINISHED:
        on_finished(self, event, now, out);
        break;
    case FL_EV_SAVED:
        FL_ASSERT(self->blocks != NULL && (event->saved.token & FL_SECAGG_TOKEN_SERVER) != 0);
        fl_blocks_saved(self->blocks, event, now, out);
        break;
    case FL_EV_UNMASKED:
        FL_ASSERT(self->blocks != NULL);
        fl_blocks_unmasked(self->blocks, event, out);
        break;
    default:
        FL_ASSERT(event->kind == FL_EV_TICK);
        on_tick(self, now, out);
        break;
    }
    fl_aggregator_follow_blocks(self, out);
    s_check_round(self, now, out);
}

fl_time
fl_aggregator_deadline(const fl_aggregator *self)
{
    fl_time at = self->check_at;
    if (self->phase == FL_AGGREGATOR_OPEN) {
        at = self->cutoff_at < at ? self->cutoff_at : at;
        at = self->wake_at < at ? self->wake_at : at;
    }
    if (fl_aggregator_masked(self)) {
        fl_time block = fl_blocks_deadline(self->blocks);
        at = block < at ? block : at;
    }
    return at;
}

// ---- the host's side ----------------------------------------------------------------------------
void
fl_aggregator_model(fl_aggregator *self, const fl_run *run, const fl_hash *model, uint64_t bytes)
{
    if (!fl_run_equal(&self->run, run)) { // rounds count from 1 again, nothing of the old run holds
        self->over = false;
        memset(self->history, 0, sizeof self->history);
        for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
            fl_seats_at(self->seats, i)->last_round = 0;
        }
    }
    self->run = *run;
    self->model = *model;
    self->model_bytes = bytes;
}

void
fl_aggregator_recall(fl_aggregator *self, const fl_past *past)
{
    self->history[past->round % FL_PASTS_MAX] = *past;
}

bool
fl_aggregator_idle(const fl_aggregator *self)
{
    return self->phase == FL_AGGREGATOR_IDLE && !self->finish_pending &&
           !fl_uploads_busy(self->uploads) &&
           (self->blocks == NULL || !fl_blocks_busy(self->blocks));
}

//  Everything of this round, and nothing of the last one.
static void
s_begin(fl_aggregator *self, const fl_task *task, fl_time due, fl_time now)
{
    self->over = false;
    self->task = *task;
    fl_aggregator_recall(self, &(fl_past){ task->order.round, task->order.model });
    memset(&self->result, 0, sizeof self->result);
    self->opened_at = now;
    self->due = due;
    self->extends = 0;
    self->bytes_down = 0;
    fl_time deadline = now + fl_aggregator_window_ms(self, fl_pace_ms(&self->pace));
    fl_time after =
        (fl_time)self->conf.timing.finish_ms + fl_aggregator_opening_ms(&task->order.plan);
    fl_time latest = due == FL_NEVER ? FL_NEVER : due - after;
    self->cutoff_at = deadline < latest ? deadline : latest;
    self->wake_at = fl_aggregator_masked(self) ? now : s_next_moment(self, now);
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        seat->phase = FL_SEAT_IDLE;
        seat->reason = FL_WHY_NONE;
        memset(&seat->intake, 0, sizeof seat->intake);
        seat->in_block = seat->out = false;
        seat->block = 0;
        seat->ready_at = 0;
    }
}

void
fl_aggregator_open(fl_aggregator *self, const fl_task *task, fl_time due, uint64_t wall_s,
                   fl_time now, fl_outbox *out)
{
    FL_ASSERT(fl_aggregator_idle(self));
    s_enter(self, FL_AGGREGATOR_OPEN);
    s_begin(self, task, due, now);
    bool masked = fl_aggregator_masked(self);
    uint32_t blocks = masked ? fl_aggregator_open_blocks(self, wall_s, now, out) : 1;
    fl_uploads_open(self->uploads, &task->order, task->attempt, blocks, out);
    uint32_t invited = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && (!masked || seat->in_block)) {
            fl_aggregator_task(self, i, now, out);
            invited++;
        }
    }
    fl_time budget = self->cutoff_at - now;
    fl_aggregator_note(self, NULL, FL_NOTE_ROUND_OPEN, FL_WHY_NONE, invited,
                       budget > 0 ? (uint64_t)budget : 0, out);
    if (masked) {
        fl_blocks_resume(self->blocks, wall_s, now, out);
        fl_aggregator_follow_blocks(self, out);
    }
    self->conf.fact_count = 0; // they are of the round that was open when the last process ended
}

fl_time
fl_aggregator_cutoff(const fl_aggregator *self)
{
    return self->phase == FL_AGGREGATOR_OPEN ? self->cutoff_at : FL_NEVER;
}

bool
fl_aggregator_result(const fl_aggregator *self, fl_result *result)
{
    if (self->phase != FL_AGGREGATOR_CLOSED) {
        return false;
    }
    *result = self->result;
    return true;
}

//  Every child hears its own outcome; those that were counted hear what became
//  of the sum.
static void
s_tell_all(fl_aggregator *self, fl_outcome outcome, fl_reason reason, bool final, fl_outbox *out)
{
    self->over = final;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        fl_outcome own = fl_seat_outcome(seat);
        if (seat->phase != FL_SEAT_IDLE) {
            seat->last_round = self->task.order.round;
            seat->last_attempt = self->task.attempt;
            seat->last_outcome = own == FL_OUT_IN ? outcome : own;
            seat->last_reason = own == FL_OUT_IN ? reason : seat->reason;
            seat->rounds[seat->last_outcome]++;
        }
        if (seat->present && (seat->phase != FL_SEAT_IDLE || final)) {
            fl_closed *closed = &fl_aggregator_say(self, seat->peer, FL_CLOSED, out)->closed;
            closed->attempt = self->task.attempt;
            closed->outcome = seat->phase == FL_SEAT_IDLE ? FL_OUT_IDLE : seat->last_outcome;
            closed->reason = seat->phase == FL_SEAT_IDLE ? FL_WHY_NONE : seat->last_reason;
            closed->final = final;
        }
        seat->phase = FL_SEAT_IDLE;
    }
}

void
fl_aggregator_settle(fl_aggregator *self, fl_outcome outcome, fl_reason reason, bool final,
                     fl_time now, fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == FL_AGGREGATOR_CLOSED);
    s_tell_all(self, outcome, reason, final, out);
    s_enter(self, FL_AGGREGATOR_IDLE);
}

void
fl_aggregator_dismiss(fl_aggregator *self, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_AGGREGATOR_IDLE);
    s_tell_all(self, FL_OUT_IDLE, FL_WHY_NONE, true, out);
}

void
fl_aggregator_abandon(fl_aggregator *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (self->phase == FL_AGGREGATOR_IDLE) {
        return;
    }
    if (self->phase == FL_AGGREGATOR_FINISHING) {
        self->finish_pending = true;
    }
    fl_aggregator_note(self, NULL, FL_NOTE_TASK_ENDED, reason, self->task.attempt,
                       (uint64_t)(now - self->opened_at), out);
    if (fl_aggregator_masked(self)) {
        fl_blocks_abort(self->blocks, reason != FL_WHY_NONE ? reason : FL_WHY_ABORTED, out);
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        if (!fl_seat_terminal(fl_seats_look(self->seats, i))) {
            (void)fl_uploads_withdraw(self->uploads, i, FL_SEAT_LATE, reason, out);
        }
    }
    s_tell_all(self, FL_OUT_LATE, reason, false, out);
    s_enter(self, FL_AGGREGATOR_IDLE);
}
