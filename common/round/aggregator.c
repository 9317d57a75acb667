//  The aggregator decides when: who is seated, who is invited, when a round is cut
//  off and closed. What children send is collect's; who they are is the
//  roster's. A round ends in one of three ways only: every invited seat has
//  come to an end, enough have come, or the cut-off has passed. From the
//  cut-off on nothing new is let in, so closing waits for nothing but our own
//  folds.
#include "common/round/aggregator.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/round/blocks.h"
#include "common/round/participation.h"
#include "common/round/seats.h"
#include "common/round/selection.h"
#include "common/round/uploads.h"
#include "common/wire/verb_table.h"

typedef enum fl_aggregator_phase {
    FL_AGGREGATOR_IDLE,
    FL_AGGREGATOR_OPEN,
    FL_AGGREGATOR_DRAINING, // cut off; folds in flight are awaited
    FL_AGGREGATOR_FINISHING,
    FL_AGGREGATOR_CLOSED, // the host has the result and owes a verdict
    FL_AGGREGATOR_PHASES
} fl_aggregator_phase;

struct fl_aggregator {
    fl_aggregator_conf conf;
    fl_seats *seats;
    fl_uploads *uploads;
    fl_selection selection; // of the round at hand
    fl_blocks *blocks; // NULL: no round here is masked
    fl_aggregator_phase phase;
    bool over;           // the run is over: every child hears so
    bool finish_pending; // a FINISH of an abandoned round is on its way
    fl_run run;
    fl_hash model;
    uint64_t model_bytes;
    fl_past history[FL_PASTS_MAX]; // by round, to check the base of a late update
    fl_task task;
    fl_time opened_at, cutoff_at, due, check_at;
    fl_time wake_at; // next moment that alone may complete the round
    uint32_t extends;
    fl_time cut_at;      // when this round was cut off
    fl_pace pace;        // of the rounds here
    uint64_t bytes_down; // served this round
    fl_result result;
    fl_roll_entry *roll; // (FL_ROLL_MAX)
    uint32_t *durations; // (seats_max) scratch
};

static void s_task(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out);
static void s_heard(fl_seat *seat, fl_time now);
static void s_refuse(fl_aggregator *self, const fl_event *event, fl_reason reason, fl_outbox *out);
static bool s_tell_end(fl_aggregator *self, const fl_seat *seat, uint64_t round, uint32_t attempt,
                       fl_outbox *out);

// ---- masked ---------------------------------------------------------------
//  What is different in a round that is masked: seats are in blocks, and a seat counts only if its
//  block is opened. The blocks decide whose uploads are wanted and when they have all they need;
//  the aggregator holds the window around them, and makes their ends the ends of its seats.

//  Steps of opening that fit between the cut-off and the due time.
enum { OPENING_STEPS = 3 };

//  The round at hand is masked. What follows is only for such a round, unless it says otherwise.
static bool
s_masked(const fl_aggregator *self)
{
    return self->phase != FL_AGGREGATOR_IDLE && self->task.order.plan.masking != FL_MASKING_NONE;
}

//  What opening takes after the cut-off; 0 when the plan asks for no masks.
static fl_time
s_opening_ms(const fl_plan *plan)
{
    return plan->masking == FL_MASKING_NONE ? 0 : (fl_time)OPENING_STEPS * plan->step_ms;
}

//  A deadline that follows what was measured has to leave room for what was not: uploads have the
//  last quarter for themselves; and an edge, which is ready in 11/16 of it, needs time of its own
//  to open its sum.
static fl_time
s_window_ms(const fl_aggregator *self, uint32_t median_ms)
{
    const fl_window *window = &self->conf.window;
    const fl_timing *timing = &self->conf.timing;
    fl_time wanted = (fl_time)fl_policy_deadline_ms(window, median_ms);
    if (!s_masked(self)) {
        return wanted;
    }
    fl_time below = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && seat->role == FL_ROLE_EDGE) {
            below = s_opening_ms(&self->task.order.plan) + (fl_time)timing->finish_ms +
                    (fl_time)timing->hop_ms;
        }
    }
    wanted = below > 0 ? (wanted + below) * 3 / 2 : wanted * 4 / 3;
    return wanted < (fl_time)window->time_max_ms ? wanted : (fl_time)window->time_max_ms;
}

//  Keys and shares go around while children train; uploads have the last quarter.
static uint32_t
s_open_blocks(fl_aggregator *self, uint64_t wall_s, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->blocks != NULL); // a host opens no masked round without its configuration
    fl_time span = self->cutoff_at > now ? self->cutoff_at - now : 0;
    fl_secagg_times times = { .keys_by = now + span / 8,
                              .deal_by = now + span / 4,
                              .ready_by = now + span / 4 * 3,
                              .upload_by = self->cutoff_at };
    return fl_blocks_open(self->blocks, &self->task, self->conf.facts, self->conf.fact_count,
                          &times, wall_s, now, out);
}

// ---- the ends of seats ------------------------------------------------------------------------
static bool
s_counted(const fl_seat *seat)
{
    return seat->phase == FL_SEAT_FOLDING || seat->phase == FL_SEAT_COUNTED;
}

//  What the block has found out about a seat: who lied is left out from here on, who is out of the
//  block is out of the round. An upload that is whole is still judged by itself.
static void
s_look(fl_aggregator *self, uint32_t index, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_secagg_seat member = fl_blocks_seat(self->blocks, index);
    if (member.blamed) {
        seat->blamed = member.reason;
    }
    bool whole = seat->phase == FL_SEAT_VERIFYING && !member.blamed;
    if (member.reason != FL_WHY_NONE && !fl_seat_terminal(seat) && !whole) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_REFUSED, member.reason, out);
    }
}

//  A seat whose upload cannot come any more is not waited for.
static void
s_follow_seat(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    if (seat->in_block && (seat->phase == FL_SEAT_LATE || seat->phase == FL_SEAT_REFUSED)) {
        fl_blocks_drop(self->blocks, index, seat->reason, now, out);
    }
}

//  A block has ended: with it its seats, unless it was opened.
static void
s_end_block(fl_aggregator *self, uint32_t block, fl_reason reason, fl_outbox *out)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (!seat->in_block || seat->block != block) {
            continue;
        }
        s_look(self, i, out);
        if (reason == FL_WHY_NONE) {
            continue;
        }
        if (s_counted(seat)) {
            fl_uploads_void(self->uploads, i, reason);
        } else if (!fl_seat_terminal(seat)) {
            fl_seat_phase next = reason == FL_WHY_LATE ? FL_SEAT_LATE : FL_SEAT_REFUSED;
            (void)fl_uploads_withdraw(self->uploads, i, next, reason, out);
        }
    }
}

//  In any round, after each step: ended blocks end their seats.
static void
s_follow_blocks(fl_aggregator *self, fl_outbox *out)
{
    uint32_t block;
    fl_reason reason;
    while (s_masked(self) && fl_blocks_take_end(self->blocks, &block, &reason)) {
        s_end_block(self, block, reason, out);
    }
}

//  No upload is wanted any more, and nobody is waited for.
static bool
s_uploads_over(const fl_aggregator *self)
{
    uint32_t counted = fl_uploads_sums(self->uploads)->contributions;
    return !fl_blocks_collecting(self->blocks) &&
           (self->due != FL_NEVER || counted >= self->conf.window.count_min);
}

//  Waiting for others is not the seat's time.
static fl_time
s_time_spent(const fl_aggregator *self, const fl_seat *seat, fl_time now)
{
    if (!s_masked(self)) {
        return (s_counted(seat) ? seat->came_at : now) - seat->tasked_at;
    }
    if (seat->ready_at == 0) {
        return now - seat->tasked_at;
    }
    fl_time trained = seat->ready_at > seat->tasked_at ? seat->ready_at - seat->tasked_at : 0;
    return trained + (s_counted(seat) ? seat->came_at - seat->offered_at : 0);
}

// ---- what children say ------------------------------------------------------------------------
static void
s_hear_step(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    int64_t found = fl_seats_of_peer(self->seats, event->message.from);
    if (found < 0) {
        s_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    uint32_t index = (uint32_t)found;
    fl_seat *seat = fl_seats_at(self->seats, index);
    s_heard(seat, now);
    if (!s_masked(self) || !seat->in_block || seat->out ||
        message->round != self->task.order.round || !fl_run_equal(&message->run, &self->run)) {
        bool asks = message->verb != FL_REFUSED;
        if (asks && !s_tell_end(self, seat, message->round, 0, out)) {
            s_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
        }
        return;
    }
    if (message->verb == FL_READY && seat->ready_at == 0) {
        seat->ready_at = now;
    }
    fl_event named = *event;
    named.message.node = seat->node; // whose key it is, whatever it says
    fl_blocks_hear(self->blocks, index, &named, now, out);
    s_look(self, index, out);
}

//  In any round: a refusal that is for the blocks.
static bool
s_about_step(const fl_aggregator *self, const fl_refused *refused)
{
    const fl_verb_row *about = fl_verb_row_of(refused->about);
    return s_masked(self) && about != NULL && (refused->about == FL_TASK || about->masked);
}

//  What a block says to an announcement. True: it may be taken like any other.
static bool
s_take_masked(fl_aggregator *self, uint32_t index, const fl_event *event, fl_time now,
              fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool over = seat->phase == FL_SEAT_LATE || seat->phase == FL_SEAT_REFUSED;
    if (seat->in_block && (over || s_counted(seat) || seat->phase == FL_SEAT_VERIFYING)) {
        return true; // it has an answer already
    }
    if (!seat->in_block || seat->out) {
        s_refuse(self, event, seat->out ? FL_WHY_RESTART : FL_WHY_UNKNOWN_ROUND, out);
        return false;
    }
    bool blamed = fl_blocks_seat(self->blocks, index).blamed;
    fl_reason reason =
        fl_blocks_contrib(self->blocks, index, &event->message.message->contrib, out);
    if (reason == FL_WHY_NONE) {
        return true;
    }
    if (reason == FL_WHY_UNKNOWN_ROUND) { // not that far: the task has it said again
        s_task(self, index, now, out);
        return false;
    }
    (void)fl_uploads_withdraw(self->uploads, index,
                              reason == FL_WHY_LATE ? FL_SEAT_LATE : FL_SEAT_REFUSED, reason, out);
    if (blamed || !fl_blocks_seat(self->blocks, index).blamed) { // else it was told so
        fl_uploads_refuse(self->uploads, index, reason, FL_CONTRIB, out);
    }
    s_look(self, index, out);
    s_follow_seat(self, index, now, out);
    return false;
}

//  In any round, after each word of a child.
static void
s_after_word(fl_aggregator *self, fl_peer peer, fl_time now, fl_outbox *out)
{
    int64_t index = s_masked(self) ? fl_seats_of_peer(self->seats, peer) : -1;
    if (index >= 0) {
        s_follow_seat(self, (uint32_t)index, now, out);
    }
}

static void
s_verified_masked(fl_aggregator *self, uint32_t slot, fl_reason fault, fl_time now, fl_outbox *out)
{
    uint32_t index = fl_uploads_owner(self->uploads, slot);
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool current = seat->phase == FL_SEAT_VERIFYING && seat->slot == slot;
    if (current && fault == FL_WHY_NONE && !fl_blocks_wants(self->blocks, index)) {
        fault = FL_WHY_LATE;
    }
    fl_uploads_verified(self->uploads, slot, fault, out);
    if (current && seat->phase == FL_SEAT_FOLDING) { // its fold comes before what opens the sum
        fl_blocks_uploaded(self->blocks, index, now, out);
    }
    s_follow_seat(self, index, now, out);
}

// ---- who comes and goes -----------------------------------------------------------------------
//  What a member knows of a round dies with its process. To a parent that has restarted itself
//  every HELLO is the first one: such a child shows by what it says next.
static void
s_greet(fl_aggregator *self, uint32_t index, bool renewed, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!s_masked(self) || (!seat->in_block && !fl_blocks_adopt(self->blocks, index)) || !renewed ||
        seat->epoch == 1) {
        return;
    }
    seat->out = true;
    if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, FL_WHY_RESTART, out);
    }
    fl_blocks_drop(self->blocks, index, FL_WHY_RESTART, now, out);
}

// ---- children -------------------------------------------------------------
//  What children say, and what the aggregator answers: every message is either
//  taken, or answered with what the child needs to put itself right (the
//  current task, a grant, its last verdict), or refused by name.
//  A message to a child, run and round filled in.
static fl_message *
s_say(fl_aggregator *self, fl_peer peer, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, peer, verb);
    message->run = self->run;
    message->round = self->phase == FL_AGGREGATOR_IDLE ? 0 : self->task.order.round;
    return message;
}

//  A note about `node`, or about ourselves when it is NULL.
static void
s_note(fl_aggregator *self, const fl_name *node, fl_note_id id, fl_reason reason, uint64_t a,
       uint64_t b, fl_outbox *out)
{
    fl_note note = { .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b };
    if (node != NULL) {
        note.node = *node;
    }
    fl_outbox_note(out, note);
}

//  Refuse a message by name, and note it.
static void
s_refuse(fl_aggregator *self, const fl_event *event, fl_reason reason, fl_outbox *out)
{
    fl_verb about = event->message.message->verb;
    fl_refused *refused = &s_say(self, event->message.from, FL_REFUSED, out)->refused;
    refused->reason = reason;
    refused->about = about;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED,
                                   .node = event->message.node,
                                   .round = event->message.message->round,
                                   .reason = reason,
                                   .a = (uint64_t)about });
}

// ---- seats --------------------------------------------------------------------------------------
static void
s_task(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_time left = self->cutoff_at - now - (fl_time)self->conf.timing.hop_ms;
    fl_message *message = s_say(self, seat->peer, FL_TASK, out);
    message->task = self->task;
    message->task.budget_ms = left > 1 ? (uint32_t)left : 1;
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        fl_seats_enter(self->seats, seat, FL_SEAT_TASKED);
        seat->reason = FL_WHY_NONE;
        seat->tasked_at = seat->ready_at == 0 ? now : seat->tasked_at;
        memset(&seat->contrib, 0, sizeof seat->contrib);
        s_note(self, &seat->node, FL_NOTE_TASKED, FL_WHY_NONE, index, message->task.budget_ms, out);
    }
}

//  Blocks are fixed when the round opens: who comes later waits for the next one.
static bool
s_takes_part(fl_aggregator *self, uint32_t index)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    return s_masked(self) ? seat->in_block && !seat->out
                          : fl_selection_invites(&self->selection, seat);
}

//  Task a seat if it may still come in; true when a TASK went out.
static bool
s_invite(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat_phase seat = fl_seats_look(self->seats, index)->phase;
    bool open = self->phase == FL_AGGREGATOR_OPEN && now < self->cutoff_at;
    if (!open || seat == FL_SEAT_COUNTED || seat == FL_SEAT_FOLDING || seat == FL_SEAT_VERIFYING ||
        seat == FL_SEAT_REFUSED || seat == FL_SEAT_LATE || !s_takes_part(self, index)) {
        return false;
    }
    s_task(self, index, now, out);
    return true;
}

static bool
s_role_fits(const fl_aggregator *self, fl_role role)
{
    return role != FL_ROLE_NONE &&
           (self->conf.child_roles[0] == role || self->conf.child_roles[1] == role);
}

//  Tell a child that is in another round than ours, or in none, how that one ended, if we remember,
//  or else that the run is over, if it is. `attempt`: the child's newest. True when something was
//  said.
static bool
s_tell_end(fl_aggregator *self, const fl_seat *seat, uint64_t round, uint32_t attempt,
           fl_outbox *out)
{
    bool known = round != 0 && round == seat->last_round && attempt <= seat->last_attempt;
    if (!known && !self->over) {
        return false;
    }
    fl_message *message = s_say(self, seat->peer, FL_CLOSED, out);
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
        s_refuse(self, event, FL_WHY_ROLE, out);
        return;
    }
    static const fl_run unknown;
    if (fl_run_equal(&self->run,
                     &unknown)) { // an edge that has not joined its own parent yet
        s_refuse(self, event, FL_WHY_UNKNOWN_RUN, out);
        return;
    }
    bool renewed = false;
    int64_t index = fl_seats_join(self->seats, event, now, &renewed);
    if (index < 0) {
        s_refuse(self, event, FL_WHY_FULL, out);
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    if (renewed && (seat->phase == FL_SEAT_OFFERED || seat->phase == FL_SEAT_STAGING)) {
        (void)fl_uploads_withdraw(self->uploads, (uint32_t)index, FL_SEAT_TASKED, FL_WHY_NONE, out);
        memset(&seat->contrib, 0, sizeof seat->contrib);
    }
    fl_welcome *welcome = &s_say(self, seat->peer, FL_WELCOME, out)->welcome;
    welcome->seat = (uint32_t)index;
    welcome->epoch = seat->epoch;
    welcome->beat_ms = self->conf.timing.beat_ms;
    s_note(self, &seat->node, seat->epoch == 1 && renewed ? FL_NOTE_JOINED : FL_NOTE_REJOINED,
           FL_WHY_NONE, (uint64_t)index, seat->epoch, out);
    if (self->over) {
        (void)s_tell_end(self, seat, event->message.message->round, 0, out);
    }
    s_greet(self, (uint32_t)index, renewed, now, out);
    (void)s_invite(self, (uint32_t)index, now, out);
    if (s_masked(self) && s_takes_part(self, (uint32_t)index)) {
        fl_blocks_joined(self->blocks, (uint32_t)index, now, out);
    }
    if (self->check_at == FL_NEVER) {
        self->check_at = now + self->conf.timing.beat_ms;
    }
}

//  The child of a seat is gone: its part in the round ends, its route is
//  forgotten.
static void
s_vacate(fl_aggregator *self, uint32_t index, fl_reason reason, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!fl_seat_terminal(seat)) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, reason, out);
    }
    fl_seats_vacate(self->seats, index);
    fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = seat->peer;
    if (s_masked(self)) {
        fl_blocks_gone(self->blocks, index, now, out);
    }
}

//  The child was heard.
static void
s_heard(fl_seat *seat, fl_time now)
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
            s_heard(found, now);
            return seat;
        }
    }
    s_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
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
    fl_seats_told(self->seats, (uint32_t)index,
                  seat->role == FL_ROLE_EDGE ? beat->leaves : seat->leaves,
                  beat->samples > 0 ? beat->samples : seat->samples);
    bool here = s_this_round(self, message, beat->attempt);
    bool waits = beat->activity == FL_DOING_WAIT_GRANT || beat->activity == FL_DOING_SEND ||
                 beat->activity == FL_DOING_WAIT_CLOSE;
    uint32_t before = fl_outbox_count(out);
    if (here && seat->phase == FL_SEAT_STAGING) {
        fl_uploads_beat(self->uploads, (uint32_t)index, &self->conf.timing, now, out);
    } else if (!here || (seat->phase == FL_SEAT_TASKED && waits) || seat->phase == FL_SEAT_ABSENT ||
               seat->phase == FL_SEAT_IDLE) {
        if (!here) {
            (void)s_tell_end(self, seat, message->round, beat->attempt, out);
        }
        (void)s_invite(self, (uint32_t)index, now, out);
    }
    if (fl_outbox_count(out) == before) {
        (void)s_say(self, seat->peer, FL_BEAT, out);
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
        if (!s_tell_end(self, seat, message->round, contrib->attempt, out)) {
            s_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
        }
        return;
    }
    if (self->phase != FL_AGGREGATOR_OPEN) {
        if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING &&
            seat->phase != FL_SEAT_FOLDING) {
            (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_LATE, FL_WHY_LATE, out);
        }
        if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
            s_refuse(self, event, FL_WHY_LATE, out);
            return;
        }
        fl_uploads_contrib(self->uploads, index, message, now, out);
        return;
    }
    if (s_masked(self) && !s_take_masked(self, index, event, now, out)) {
        return;
    }
    fl_reason reason;
    if (!s_base_fits(self, contrib, &reason)) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_REFUSED, reason, out);
        fl_uploads_refuse(self->uploads, index, reason, FL_CONTRIB, out);
        return;
    }
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        if (!s_takes_part(self, index)) {
            s_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
            return;
        }
        fl_seats_enter(self->seats, seat, FL_SEAT_TASKED); // it came back by itself
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
        s_note(self, &event->message.node, FL_NOTE_CHUNK_DROPPED, FL_WHY_LATE, (uint64_t)index,
               chunk->offset, out);
    }
}

static void
on_fetch(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_fetch *fetch = &event->message.message->fetch;
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0) {
        s_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    s_heard(fl_seats_at(self->seats, (uint32_t)index), now);
    if (!fl_hash_equal(&fetch->hash, &self->model) || fetch->offset >= self->model_bytes ||
        fetch->bytes > self->model_bytes - fetch->offset) {
        s_refuse(self, event, FL_WHY_MODEL, out);
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
    if (s_about_step(self, &message->refused)) {
        s_hear_step(self, event, now, out);
        return;
    }
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0 || self->phase != FL_AGGREGATOR_OPEN ||
        message->round != self->task.order.round || message->refused.about != FL_TASK) {
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    s_heard(seat, now);
    if (seat->phase == FL_SEAT_TASKED) {
        (void)fl_uploads_withdraw(self->uploads, (uint32_t)index, FL_SEAT_REFUSED,
                                  message->refused.reason, out);
        s_note(self, &seat->node, FL_NOTE_REFUSED, message->refused.reason, FL_TASK, 0, out);
    }
}

static void
on_leave(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index >= 0) {
        s_note(self, &event->message.node, FL_NOTE_LEFT, event->message.message->leave.reason,
               (uint64_t)index, 0, out);
        s_vacate(self, (uint32_t)index, FL_WHY_LEFT, now, out);
    }
}

typedef void (*handler)(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out);

//  What a child may say to this machine; the admission knows the rest (wire/verb_table).
static const handler handlers[FL_VERB_COUNT] = {
    [FL_HELLO] = on_hello,    [FL_BEAT] = on_beat,     [FL_CONTRIB] = on_contrib,
    [FL_CHUNK] = on_chunk,    [FL_FETCH] = on_fetch,   [FL_REFUSED] = on_refused,
    [FL_LEAVE] = on_leave,    [FL_KEYS] = s_hear_step, [FL_SHARES] = s_hear_step,
    [FL_READY] = s_hear_step, [FL_ACK] = s_hear_step,  [FL_UNMASK] = s_hear_step,
};

//  A message of a child.
static void
s_hear(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    handler on = handlers[event->message.message->verb];
    if (on != NULL) {
        on(self, event, now, out);
    } else {
        s_refuse(self, event, FL_WHY_MALFORMED, out);
    }
    s_after_word(self, event->message.from, now, out);
}

// ---- view -----------------------------------------------------------------
//  What a host and an operator look at: who is there, and how each seat stands.
uint32_t
fl_aggregator_joined(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).joined;
}

uint32_t
fl_aggregator_ready(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).ready;
}

uint32_t
fl_aggregator_leaves(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).leaves;
}

uint64_t
fl_aggregator_samples(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).samples;
}

fl_tally
fl_aggregator_tally(const fl_aggregator *self)
{
    fl_tally tally = fl_participation_tally(self->seats);
    tally.bytes_up += fl_uploads_sums(self->uploads)->bytes_up;
    tally.bytes_down += self->bytes_down;
    if (s_masked(self)) {
        fl_blocks_tally(self->blocks, &tally);
    }
    return tally;
}

uint32_t
fl_aggregator_seats(const fl_aggregator *self)
{
    return fl_seats_count(self->seats);
}

bool
fl_aggregator_block(const fl_aggregator *self, uint32_t block, fl_block_view *view)
{
    FL_ASSERT(block < FL_BLOCKS_MAX);
    return self->blocks != NULL && fl_blocks_look(self->blocks, block, &view->line, &view->state);
}

fl_seat_view
fl_aggregator_seat(const fl_aggregator *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool running = seat->phase != FL_SEAT_IDLE;
    return (fl_seat_view){
        .node = seat->node,
        .role = seat->role,
        .present = seat->present,
        .evasive = seat->evasive,
        .activity = seat->activity,
        .done = seat->done,
        .total = seat->total,
        .outcome = running ? fl_seat_outcome(seat) : seat->last_outcome,
        .reason = running ? seat->reason : seat->last_reason,
        .leaves = seat->leaves,
        .samples = seat->samples,
        .tally = seat->tally,
        .rounds_in = seat->rounds[FL_OUT_IN],
        .rounds_late = seat->rounds[FL_OUT_LATE],
        .rounds_absent = seat->rounds[FL_OUT_ABSENT],
        .rounds_refused = seat->rounds[FL_OUT_REFUSED],
    };
}

void
fl_result_report(const fl_result *self, fl_report *report)
{
    report->close = self->close;
    report->reason = self->reason;
    report->duration_ms = self->duration_ms;
    report->budget_ms = self->budget_ms;
    report->weight = self->weight;
    report->count = self->count;
    for (int i = 0; i < FL_STATS; i++) {
        report->stats[i] = self->stats[i];
    }
    report->sum = self->hash;
    report->tally = self->tally;
    report->roll = self->roll;
    report->roll_count = self->roll_count;
    report->roll_dropped = self->roll_dropped;
    report->masking = self->masking;
    report->blocks = self->blocks;
    report->block_count = self->block_count;
}

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
    self->selection = (fl_selection){ fl_selection_find("all"), self->seats, 0 };
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
            fl_time took = s_time_spent(self, seat, now);
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
    bool masked = s_masked(self);
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
    s_note(self, NULL, FL_NOTE_ROUND_CLOSE, reason, sums->contributions, merge, out);
}

//  How a round ends that has no result.
static fl_close
s_missed(const fl_aggregator *self)
{
    return self->conf.window.missed == FL_MISSED_ABORT ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED;
}

static void
s_finish(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    const fl_window *window = &self->conf.window;
    const fl_blocks_sum *opened = s_masked(self) ? fl_blocks_sum_of(self->blocks) : NULL;
    if (fl_uploads_sums(self->uploads)->contributions >= window->count_min) {
        s_enter(self, FL_AGGREGATOR_FINISHING);
        fl_effect *effect = fl_outbox_add(out, FL_FX_FINISH);
        effect->finish.vector = self->conf.vector;
        effect->finish.blocks = opened != NULL ? opened->set : 1;
        return;
    }
    bool named = opened != NULL && opened->reason != FL_WHY_NONE;
    s_close(self, s_missed(self), named ? opened->reason : FL_WHY_QUORUM, now, out);
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
            s_note(self, &seat->node, FL_NOTE_LATE, seat->reason, i, got, out);
        }
    }
    s_note(self, NULL, FL_NOTE_ROUND_CUTOFF, FL_WHY_NONE,
           fl_uploads_sums(self->uploads)->contributions, (uint64_t)(now - self->opened_at), out);
}

static bool
s_complete(const fl_aggregator *self, fl_time now)
{
    const fl_window *window = &self->conf.window;
    fl_standing sum = fl_seats_standing(self->seats);
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
        later <= now || fl_seats_standing(self->seats).coming >= window->count_min) {
        return false;
    }
    self->extends++;
    s_note(self, NULL, FL_NOTE_ROUND_EXTEND, FL_WHY_QUORUM,
           fl_uploads_sums(self->uploads)->contributions, (uint64_t)(later - self->cutoff_at), out);
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
    bool masked = s_masked(self);
    if (self->phase == FL_AGGREGATOR_OPEN) {
        self->wake_at = masked ? FL_NEVER : s_next_moment(self, now);
        bool over = masked ? s_uploads_over(self) : s_complete(self, now);
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
    if (event->finished.reason != FL_WHY_NONE) {
        s_close(self, s_missed(self), event->finished.reason, now, out);
        return;
    }
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
            s_note(self, &seat->node, FL_NOTE_EXPIRED, FL_WHY_SILENT, i, (uint64_t)silent, out);
            s_vacate(self, i, FL_WHY_SILENT, now, out);
            continue;
        }
        present = true;
        if (!seat->evasive && silent >= (fl_time)timing->evasive_beats * timing->beat_ms) {
            seat->evasive = true;
            s_note(self, &seat->node, FL_NOTE_EVASIVE, FL_WHY_SILENT, i, (uint64_t)silent, out);
        }
        if (fl_uploads_hurry(self->uploads, i, timing, now, out)) {
            s_after_word(self, seat->peer, now, out);
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
        s_note(self, &fl_seats_at(self->seats, (uint32_t)index)->node, FL_NOTE_LEFT,
               event->gone.reason, (uint64_t)index, 0, out);
        s_vacate(self, (uint32_t)index, event->gone.reason, now, out);
    }
}

static void
on_verified(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (s_masked(self)) {
        s_verified_masked(self, event->verified.slot, s_fault(event), now, out);
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
    if (s_masked(self)) {
        fl_blocks_tick(self->blocks, now, out);
    }
}

void
fl_aggregator_step(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch ((int)event->kind) {
    case FL_EV_MESSAGE:
        FL_ASSERT(event->message.from != FL_PARENT);
        s_hear(self, event, now, out);
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
    s_follow_blocks(self, out);
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
    if (s_masked(self)) {
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
    fl_time deadline = now + s_window_ms(self, fl_pace_ms(&self->pace));
    fl_time after = (fl_time)self->conf.timing.finish_ms + s_opening_ms(&task->order.plan);
    fl_time latest = due == FL_NEVER ? FL_NEVER : due - after;
    self->cutoff_at = deadline < latest ? deadline : latest;
    self->wake_at = s_masked(self) ? now : s_next_moment(self, now);
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        fl_seats_enter(self->seats, seat, FL_SEAT_IDLE);
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
    fl_selection_open(&self->selection);
    bool masked = s_masked(self);
    uint32_t blocks = masked ? s_open_blocks(self, wall_s, now, out) : 1;
    fl_uploads_open(self->uploads, &task->order, task->attempt, blocks, out);
    uint32_t invited = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        if (fl_seats_look(self->seats, i)->present && s_takes_part(self, i)) {
            s_task(self, i, now, out);
            invited++;
        }
    }
    fl_time budget = self->cutoff_at - now;
    s_note(self, NULL, FL_NOTE_ROUND_OPEN, FL_WHY_NONE, invited, budget > 0 ? (uint64_t)budget : 0,
           out);
    if (masked) {
        fl_blocks_resume(self->blocks, wall_s, now, out);
        s_follow_blocks(self, out);
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
            fl_closed *closed = &s_say(self, seat->peer, FL_CLOSED, out)->closed;
            closed->attempt = self->task.attempt;
            closed->outcome = seat->phase == FL_SEAT_IDLE ? FL_OUT_IDLE : seat->last_outcome;
            closed->reason = seat->phase == FL_SEAT_IDLE ? FL_WHY_NONE : seat->last_reason;
            closed->final = final;
        }
        fl_seats_enter(self->seats, seat, FL_SEAT_IDLE);
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
    s_note(self, NULL, FL_NOTE_TASK_ENDED, reason, self->task.attempt,
           (uint64_t)(now - self->opened_at), out);
    if (s_masked(self)) {
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
