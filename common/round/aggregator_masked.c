//  What is different in a round that is masked: seats are in blocks, and a seat counts only if its
//  block is opened. The blocks decide whose uploads are wanted and when they have all they need;
//  the aggregator holds the window around them, and makes their ends the ends of its seats.
#include "common/base/status.h"
#include "common/round/aggregator_inside.h"

//  Steps of opening that fit between the cut-off and the due time.
enum { OPENING_STEPS = 3 };

bool
fl_aggregator_masked(const fl_aggregator *self)
{
    return self->phase != FL_AGGREGATOR_IDLE && self->task.order.plan.masking != FL_MASKING_NONE;
}

fl_time
fl_aggregator_opening_ms(const fl_plan *plan)
{
    return plan->masking == FL_MASKING_NONE ? 0 : (fl_time)OPENING_STEPS * plan->step_ms;
}

//  A deadline that follows what was measured has to leave room for what was not: uploads have the
//  last quarter for themselves; and an edge, which is ready in 11/16 of it, needs time of its own
//  to open its sum.
fl_time
fl_aggregator_window_ms(const fl_aggregator *self, uint32_t median_ms)
{
    const fl_window *window = &self->conf.window;
    const fl_timing *timing = &self->conf.timing;
    fl_time wanted = (fl_time)fl_policy_deadline_ms(window, median_ms);
    if (!fl_aggregator_masked(self)) {
        return wanted;
    }
    fl_time below = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && seat->role == FL_ROLE_EDGE) {
            below = fl_aggregator_opening_ms(&self->task.order.plan) + (fl_time)timing->finish_ms +
                    (fl_time)timing->hop_ms;
        }
    }
    wanted = below > 0 ? (wanted + below) * 3 / 2 : wanted * 4 / 3;
    return wanted < (fl_time)window->time_max_ms ? wanted : (fl_time)window->time_max_ms;
}

//  Keys and shares go around while children train; uploads have the last quarter.
uint32_t
fl_aggregator_open_blocks(fl_aggregator *self, uint64_t wall_s, fl_time now, fl_outbox *out)
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

void
fl_aggregator_follow_blocks(fl_aggregator *self, fl_outbox *out)
{
    uint32_t block;
    fl_reason reason;
    while (fl_aggregator_masked(self) && fl_blocks_take_end(self->blocks, &block, &reason)) {
        s_end_block(self, block, reason, out);
    }
}

bool
fl_aggregator_uploads_over(const fl_aggregator *self)
{
    uint32_t counted = fl_uploads_sums(self->uploads)->contributions;
    return !fl_blocks_collecting(self->blocks) &&
           (self->due != FL_NEVER || counted >= self->conf.window.count_min);
}

//  Waiting for others is not the seat's time.
fl_time
fl_aggregator_time_spent(const fl_aggregator *self, const fl_seat *seat, fl_time now)
{
    if (!fl_aggregator_masked(self)) {
        return (s_counted(seat) ? seat->came_at : now) - seat->tasked_at;
    }
    if (seat->ready_at == 0) {
        return now - seat->tasked_at;
    }
    fl_time trained = seat->ready_at > seat->tasked_at ? seat->ready_at - seat->tasked_at : 0;
    return trained + (s_counted(seat) ? seat->came_at - seat->offered_at : 0);
}

// ---- what children say ------------------------------------------------------------------------
void
fl_aggregator_hear_step(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    int64_t found = fl_seats_of_peer(self->seats, event->message.from);
    if (found < 0) {
        fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    uint32_t index = (uint32_t)found;
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_aggregator_heard(seat, now);
    if (!fl_aggregator_masked(self) || !seat->in_block || seat->out ||
        message->round != self->task.order.round || !fl_run_equal(&message->run, &self->run)) {
        bool asks = message->verb != FL_REFUSED;
        if (asks && !fl_aggregator_tell_end(self, seat, message->round, 0, out)) {
            fl_aggregator_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
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

bool
fl_aggregator_about_step(const fl_aggregator *self, const fl_refused *refused)
{
    return fl_aggregator_masked(self) &&
           (refused->about == FL_TASK ||
            (refused->about >= FL_KEYS && refused->about <= FL_UNMASK));
}

//  What a block says to an announcement. True: it may be taken like any other.
bool
fl_aggregator_take_masked(fl_aggregator *self, uint32_t index, const fl_event *event, fl_time now,
                          fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool over = seat->phase == FL_SEAT_LATE || seat->phase == FL_SEAT_REFUSED;
    if (seat->in_block && (over || s_counted(seat) || seat->phase == FL_SEAT_VERIFYING)) {
        return true; // it has an answer already
    }
    if (!seat->in_block || seat->out) {
        fl_aggregator_refuse(self, event, seat->out ? FL_WHY_RESTART : FL_WHY_UNKNOWN_ROUND, out);
        return false;
    }
    bool blamed = fl_blocks_seat(self->blocks, index).blamed;
    fl_reason reason =
        fl_blocks_contrib(self->blocks, index, &event->message.message->contrib, out);
    if (reason == FL_WHY_NONE) {
        return true;
    }
    if (reason == FL_WHY_UNKNOWN_ROUND) { // not that far: the task has it said again
        fl_aggregator_task(self, index, now, out);
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

void
fl_aggregator_after_word(fl_aggregator *self, fl_peer peer, fl_time now, fl_outbox *out)
{
    int64_t index = fl_aggregator_masked(self) ? fl_seats_of_peer(self->seats, peer) : -1;
    if (index >= 0) {
        s_follow_seat(self, (uint32_t)index, now, out);
    }
}

void
fl_aggregator_verified_masked(fl_aggregator *self, uint32_t slot, fl_reason fault, fl_time now,
                              fl_outbox *out)
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
void
fl_aggregator_greet(fl_aggregator *self, uint32_t index, bool renewed, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!fl_aggregator_masked(self) || (!seat->in_block && !fl_blocks_adopt(self->blocks, index)) ||
        !renewed || seat->epoch == 1) {
        return;
    }
    seat->out = true;
    if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, FL_WHY_RESTART, out);
    }
    fl_blocks_drop(self->blocks, index, FL_WHY_RESTART, now, out);
}
