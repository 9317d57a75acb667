//  The aggregator decides when: who is invited, when a round is cut off and closed. A round ends in
//  one of three ways only: every invited seat has come to an end, enough have come, or the cut-off
//  has passed. From the cut-off on nothing new is let in, so closing waits for nothing but our own
//  folds.
//
//  A round of many children is masked in blocks, because each member of a block works for every
//  other one. Blocks know nothing of each other: one may be aborted and the others count. They
//  decide whose uploads are wanted, when they have all they need, and who is out; the aggregator
//  holds the window around them, makes their ends the ends of its seats, and adds up what they have
//  opened.
#include "common/round/aggregator_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/verb_table.h"

enum { HELD_BEATS = 3 }; // a child as silent as that has left a parent, so it has left a seat

static const bool legal[FL_AGGREGATOR_PHASES][FL_AGGREGATOR_PHASES] = {
    [FL_AGGREGATOR_IDLE] = { [FL_AGGREGATOR_OPEN] = true },
    [FL_AGGREGATOR_OPEN] = { [FL_AGGREGATOR_DRAINING] = true, [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_DRAINING] = { [FL_AGGREGATOR_FINISHING] = true,
                                 [FL_AGGREGATOR_CLOSED] = true,
                                 [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_FINISHING] = { [FL_AGGREGATOR_CLOSED] = true, [FL_AGGREGATOR_IDLE] = true },
    [FL_AGGREGATOR_CLOSED] = { [FL_AGGREGATOR_IDLE] = true },
};

static void
s_enter(fl_aggregator *self, fl_aggregator_phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

// ---- what is said and noted -------------------------------------------------------------------
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

// ---- seats ------------------------------------------------------------------------------------
static bool
s_counted(const fl_seat *seat)
{
    return seat->phase == FL_SEAT_FOLDING || seat->phase == FL_SEAT_COUNTED;
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
s_role_fits(const fl_aggregator *self, fl_role role)
{
    return role != FL_ROLE_NONE &&
           (self->conf.child_roles[0] == role || self->conf.child_roles[1] == role);
}

static bool
s_this_round(const fl_aggregator *self, const fl_message *message, uint32_t attempt)
{
    return self->phase != FL_AGGREGATOR_IDLE && message->round == self->task.order.round &&
           attempt == self->task.attempt && fl_run_equal(&message->run, &self->run);
}

//  How the sum of this hop is hidden, as the task in hand says.
static fl_masking
s_masking(const fl_aggregator *self)
{
    const fl_secagg_server_conf *masking = self->conf.masking;
    return masking == NULL ? FL_MASKING_NONE
                           : fl_plan_masking(&self->task.order.plan, masking->hop);
}

//  The round at hand is masked. What follows is only for such a round, unless it says otherwise.
static bool
s_masked(const fl_aggregator *self)
{
    return self->phase != FL_AGGREGATOR_IDLE && s_masking(self) != FL_MASKING_NONE;
}

static void
on_burnt(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0 || self->burnt == NULL) {
        s_refuse(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    s_heard(fl_seats_at(self->seats, (uint32_t)index), now);
    if (fl_burnt_book_hear(self->burnt, &event->message.node, event->message.message)) {
        fl_aggregator_tell_burnt_all(self, out);
    }
}

// ---- blocks begin, and go on after a restart --------------------------------------------------
//  Facts of the round at hand, to their blocks. False when there are none.
static bool
s_sort(fl_aggregator *self)
{
    bool some = false;
    for (uint32_t i = 0; i < self->conf.fact_count; i++) {
        fl_secagg_fact head;
        bool read = fl_secagg_fact_read(self->conf.facts[i], &head);
        bool here = read && head.round == self->task.order.round &&
                    fl_run_equal(&head.run, &self->task.order.run);
        if (!here) {
            fl_aggregator_lapse_fact(self, self->conf.facts[i], NULL);
        } else {
            one_block *at = &self->block[head.block];
            at->facts[head.what - FL_KEEP_ROSTER] = self->conf.facts[i];
            at->used = at->used || head.what == FL_KEEP_ROSTER;
            some = some || head.what == FL_KEEP_ROSTER;
        }
    }
    return some;
}

//  Those of a block, and where they are. After a restart they are known by name, and some are yet
//  to come.
static uint32_t
s_invites(const fl_aggregator *self, uint32_t number, uint64_t wall_s,
          fl_secagg_invite invites[FL_MEMBERS_MAX])
{
    uint32_t count = 0;
    if (self->resumed) {
        fl_name names[FL_MEMBERS_MAX];
        count = fl_secagg_fact_names(self->block[number].facts[0], &self->conf.masking->trust,
                                     wall_s, names);
        for (uint32_t i = 0; i < count; i++) {
            invites[i] = (fl_secagg_invite){ .node = names[i],
                                             .seat = FL_SECAGG_NO_SEAT,
                                             .run = fl_aggregator_run_of(self, &names[i]) };
        }
        return count;
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->in_block && seat->block == number) {
            invites[count++] = (fl_secagg_invite){ seat->node, i, seat->peer, seat->run };
        }
    }
    return count;
}

//  The machine of a block of this round; NULL when it has none.
static fl_secagg_server *
s_machine(const fl_aggregator *self, uint32_t number)
{
    return self->block[number].open ? self->block[number].machine : NULL;
}

//  Without time, memory for it or names to go on with, a block ends before it has begun.
static void
s_open_one(fl_aggregator *self, uint32_t number, const fl_secagg_times *times, uint64_t wall_s,
           fl_time now, fl_outbox *out)
{
    fl_secagg_invite invites[FL_MEMBERS_MAX];
    one_block *one = &self->block[number];
    uint32_t count = s_invites(self, number, wall_s, invites);
    if (one->machine == NULL) {
        one->machine = fl_secagg_server_new(self->conf.masking);
    }
    one->reason = times->upload_by <= now ? FL_WHY_LATE
                  : count == 0            ? FL_WHY_RESTART
                  : one->machine == NULL  ? FL_WHY_STORAGE
                                          : FL_WHY_NONE;
    if (one->reason == FL_WHY_NONE) {
        fl_secagg_times bound = *times;
        bound.floor = one->floor;
        one->open = true;
        fl_secagg_server_open(one->machine, number, &self->task, invites, count, &bound, now, out);
    } else {
        fl_aggregator_lapse_fact(self, one->facts[0], &self->task.order.tensors);
    }
    for (uint32_t i = 0; i < count && one->open && !self->resumed; i++) {
        fl_seats_at(self->seats, invites[i].seat)->server = one->machine;
    }
}

//  A seat that comes after the round was opened has its place again in a block that goes on after a
//  restart, if it had one.
static void
s_adopt(fl_aggregator *self, uint32_t index)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    for (uint32_t i = 0; i < FL_BLOCKS_MAX && self->resumed && !seat->in_block; i++) {
        fl_secagg_server *machine = s_machine(self, i);
        if (machine != NULL && fl_secagg_server_adopt(machine, &seat->node, index, seat->peer)) {
            seat->in_block = true;
            seat->block = i;
            seat->server = machine;
        }
    }
}

//  Put the seats that are there into blocks, as few as hold them, all as even as may be, none below
//  the floor unless it is the only one. With facts of this very round the blocks are those of the
//  facts, and no others. Keys and shares go around while children train; uploads have the last
//  quarter. Answers how many accumulators there are.
static uint32_t
s_open_blocks(fl_aggregator *self, uint64_t wall_s, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->conf.masking != NULL); // nobody opens a masked round without it
    fl_time span = self->cutoff_at > now ? self->cutoff_at - now : 0;
    fl_secagg_times times = { .keys_by = now + span / 8,
                              .deal_by = now + span / 4,
                              .ready_by = now + span / 4 * 3,
                              .upload_by = self->cutoff_at };
    uint32_t accumulators = 1;
    memset(&self->opened, 0, sizeof self->opened);
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        self->block[i] = (one_block){ .machine = self->block[i].machine };
    }
    self->resumed = s_sort(self);
    fl_burnt_book_turn(self->burnt, &self->task.order.run, &self->task.order.tensors);
    if (!self->resumed) {
        fl_aggregator_place(self, out);
    }
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].used) {
            s_open_one(self, i, &times, wall_s, now, out);
            accumulators = i + 1;
        }
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        if (fl_seats_look(self->seats, i)->present) {
            s_adopt(self, i);
        }
    }
    return accumulators;
}

//  When the seats have their tasks: blocks of facts go on.
static void
s_resume_blocks(fl_aggregator *self, uint64_t wall_s, fl_time now, fl_outbox *out)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX && self->resumed; i++) {
        fl_secagg_server *machine = s_machine(self, i);
        if (machine == NULL || fl_secagg_server_state(machine) != FL_SERVER_INVITED) {
            continue; // it could not even begin
        }
        uint32_t count = FACTS_MAX;
        while (count > 0 && self->block[i].facts[count - 1].size == 0) {
            count--;
        }
        //  One with a gap, or of another body of the task, is aborted by name.
        if (!fl_secagg_server_resume(machine, self->block[i].facts, count, wall_s, now, out)) {
            fl_aggregator_lapse_fact(self, self->block[i].facts[0], &self->task.order.tensors);
        }
    }
}

// ---- blocks and their ends --------------------------------------------------------------------
//  An answer to a KEEP or UNMASK. False: no block of this round waits for it.
static bool
s_answer_block(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        const one_block *one = &self->block[i];
        if (one->open && fl_secagg_server_answer(one->machine, event, now, out)) {
            return true;
        }
    }
    return false;
}

static fl_time
s_blocks_deadline(const fl_aggregator *self)
{
    fl_time at = FL_NEVER;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        const fl_secagg_server *machine = s_machine(self, i);
        fl_time one = machine == NULL ? FL_NEVER : fl_secagg_server_deadline(machine);
        at = one < at ? one : at;
    }
    return at;
}

//  An upload may still be taken somewhere.
static bool
s_collecting(const fl_aggregator *self)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        const fl_secagg_server *machine = s_machine(self, i);
        if (machine != NULL && (fl_secagg_server_state(machine) <= FL_SERVER_COLLECTING ||
                                fl_secagg_server_awaits(machine) > 0)) {
            return true;
        }
    }
    return false;
}

static bool
s_blocks_ended(const fl_aggregator *self)
{
    bool ended = true;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        ended = ended && (!self->block[i].used || self->block[i].taken);
    }
    return ended;
}

//  Each block is within the plan's proof by itself; together they must be, too.
static bool
s_add(fl_aggregator *self, uint32_t number, const fl_secagg_result *result)
{
    const fl_plan *plan = &self->task.order.plan;
    opened_sum *sum = &self->opened;
    const fl_secagg_sums *more = &result->sums;
    if (more->count > plan->devices_max - sum->count ||
        more->weight > (uint64_t)plan->devices_max * plan->weight_max - sum->weight) {
        return false;
    }
    sum->set |= (uint64_t)1 << number;
    sum->weight += more->weight;
    sum->count += (uint32_t)more->count;
    for (int i = 0; i < FL_STATS; i++) {
        sum->stats[i] += more->stats[i];
    }
    return true;
}

//  The next block that has ended, once: `reason` is FL_WHY_NONE when it was opened, and its sum is
//  added. False when there is no new one.
static bool
s_take_end(fl_aggregator *self, uint32_t *number, fl_reason *reason)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        one_block *one = &self->block[i];
        fl_secagg_server *machine = s_machine(self, i);
        fl_secagg_result result;
        if (!one->used || one->taken ||
            (machine != NULL && !fl_secagg_server_result(machine, &result))) {
            continue;
        }
        one->taken = true;
        *reason = machine == NULL ? one->reason : result.reason;
        if (*reason == FL_WHY_NONE && !s_add(self, i, &result)) {
            *reason = FL_WHY_COUNT_MISMATCH;
        }
        if (self->opened.reason == FL_WHY_NONE) {
            self->opened.reason = *reason;
        }
        one->reason = *reason;
        *number = i;
        return true;
    }
    return false;
}

//  What the block of a seat says of it: who lied is left out from here on, who is out of the block
//  is out of the round. An upload that is whole is still judged by itself.
static void
s_follow_seat(fl_aggregator *self, uint32_t index, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (seat->server == NULL) {
        return;
    }
    fl_secagg_seat member = fl_secagg_server_seat(seat->server, index);
    if (member.blamed) {
        seat->blamed = member.reason;
    }
    bool whole = seat->phase == FL_SEAT_VERIFYING && !member.blamed;
    if (member.reason != FL_WHY_NONE && !fl_seat_terminal(seat) && !whole) {
        bool missing = member.reason == FL_WHY_LATE; // it has not refused, it did not answer
        fl_seat_phase next = !missing        ? FL_SEAT_REFUSED
                             : seat->evasive ? FL_SEAT_ABSENT
                                             : FL_SEAT_LATE;
        (void)fl_uploads_withdraw(self->uploads, index, next,
                                  next == FL_SEAT_ABSENT ? FL_WHY_SILENT : member.reason, out);
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
        s_follow_seat(self, i, out);
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

//  In any round, after each step: blocks go as far as they can, and ended ones end their seats.
static void
s_follow_blocks(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    if (!s_masked(self)) {
        return;
    }
    uint32_t block;
    fl_reason reason;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].open) {
            fl_secagg_server_tick(self->block[i].machine, now, out);
        }
    }
    while (s_take_end(self, &block, &reason)) {
        s_end_block(self, block, reason, out);
    }
}

//  In a block, but a new process sits here: what a member knows of a round died with the old one.
static bool
s_renewed(const fl_aggregator *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    return seat->server != NULL &&
           fl_secagg_server_seat(seat->server, index).reason == FL_WHY_RESTART;
}

// ---- blocks in the report ---------------------------------------------------------------------
//  Of a block that is in the round, whether it was opened or not, in the order of its sets.
static fl_secagg_result
s_result(const fl_aggregator *self, uint32_t number)
{
    const fl_secagg_server *machine = s_machine(self, number);
    fl_secagg_result result = { 0 };
    if (machine != NULL) {
        (void)fl_secagg_server_result(machine, &result);
    }
    result.reason = self->block[number].reason;
    if (result.masked > result.members || result.survivors > result.masked) {
        result.masked = result.survivors = 0; // of facts that made no sense
    }
    return result;
}

//  Adds the devices of our own blocks: told to mask, recovered, in a block that was aborted.
static void
s_tally_blocks(const fl_aggregator *self, fl_tally *tally)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].used) {
            fl_secagg_result result = s_result(self, i);
            bool opened = self->block[i].taken && result.reason == FL_WHY_NONE;
            tally->masked += result.masked_devices;
            tally->recovered += opened ? result.masked_devices - result.surviving_devices : 0;
        }
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        bool aborted = seat->in_block && self->block[seat->block].taken &&
                       self->block[seat->block].reason != FL_WHY_NONE;
        tally->aborted += aborted && seat->role == FL_ROLE_DEVICE ? 1 : 0;
    }
}

//  An edge tells of blocks of devices below it, never of ours, nor of those of another child.
static bool
s_below(const fl_aggregator *self, const fl_seat *seat, const fl_block_line *line)
{
    return line->hop == 1 && !fl_name_equal(&line->parent, &self->conf.masking->node) &&
           (fl_name_equal(&line->parent, &seat->node) || !fl_seats_has(self->seats, &line->parent));
}

//  Of the edges that are in, as far as there is room.
static uint32_t
s_lines_below(fl_aggregator *self, uint32_t count)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        fl_bytes said = fl_seat_outcome(seat) == FL_OUT_IN ? seat->contrib.blocks : (fl_bytes){ 0 };
        for (size_t at = 0; at + FL_BLOCK_LINE_BYTES <= said.size && count < FL_BLOCK_LINES_MAX;
             at += FL_BLOCK_LINE_BYTES) {
            fl_bytes line = fl_bytes_of(said.data + at, FL_BLOCK_LINE_BYTES);
            bool told = fl_block_line_decode(line, &self->lines[count]) &&
                        s_below(self, seat, &self->lines[count]);
            count += told ? 1 : 0;
        }
    }
    return count;
}

static fl_block_line
s_line(const fl_aggregator *self, uint32_t number)
{
    fl_secagg_result result = s_result(self, number);
    return (fl_block_line){ .parent = self->conf.masking->node,
                            .block = (uint16_t)number,
                            .hop = self->conf.masking->hop,
                            .reason = (uint8_t)result.reason,
                            .members = (uint8_t)result.members,
                            .masked = (uint8_t)result.masked,
                            .survivors = (uint8_t)result.survivors };
}

//  In any round: a line per block, and behind them those that counted edges sent.
static const fl_block_line *
s_lines(fl_aggregator *self, uint32_t *count)
{
    uint32_t own = 0;
    for (uint32_t i = 0; s_masked(self) && i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].used) {
            self->lines[own++] = s_line(self, i);
        }
    }
    *count = s_lines_below(self, own);
    return self->lines;
}

// ---- tasks and ends ---------------------------------------------------------------------------
static void
s_task(fl_aggregator *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_time left = self->cutoff_at - now - (fl_time)self->conf.timing.hop_ms;
    fl_aggregator_tell_pools(self, seat, out);
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
    return s_masked(self) ? seat->in_block && !s_renewed(self, index)
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

//  Tell a child that is in another round than ours, or in none, how that one ended, if we remember,
//  or else that the run is over, if it is. `attempt`: the child's newest. True when something was
//  said.
static bool
s_tell_end(fl_aggregator *self, const fl_seat *seat, const fl_message *heard, uint32_t attempt,
           fl_outbox *out)
{
    bool known = heard->round != 0 && heard->round == seat->last_round &&
                 attempt <= seat->last_attempt && fl_run_equal(&heard->run, &seat->last_run);
    bool over = self->over && fl_run_equal(&heard->run, &self->run);
    if (!known && !over) {
        return false;
    }
    fl_message *message = s_say(self, seat->peer, FL_CLOSED, out);
    message->closed.outcome = FL_OUT_IDLE;
    if (known) {
        message->run = seat->last_run;
        message->round = seat->last_round;
        message->closed.attempt = seat->last_attempt;
        message->closed.outcome = seat->last_outcome;
        message->closed.reason = seat->last_reason;
    }
    message->closed.final = over;
    message->closed.end = over ? self->end : FL_WHY_NONE;
    return true;
}

//  The child of a seat is gone: its part in the round ends.
static void
s_empty(fl_aggregator *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (!fl_seat_terminal(seat)) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, reason, out);
    }
    fl_seats_vacate(self->seats, index);
    seat->away = reason;
    if (reason == FL_WHY_REVOKED && fl_seats_wants(self->seats, &seat->node)) {
        fl_awaited_lower(&self->awaited, self->conf.expect, 1);
    }
    if (seat->server != NULL) {
        fl_secagg_server_gone(seat->server, index);
    }
}

//  And its route is forgotten.
static void
s_vacate(fl_aggregator *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    s_empty(self, index, reason, out);
    fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = fl_seats_look(self->seats, index)->peer;
}

// ---- children come and go ---------------------------------------------------------------------
//  To a parent that has restarted itself every HELLO is the first one: whether the child is a new
//  process it shows by what it says next.
static void
s_greet(fl_aggregator *self, uint32_t index, bool renewed, fl_time now, fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    if (!s_masked(self)) {
        return;
    }
    s_adopt(self, index);
    if (seat->server == NULL || !renewed || seat->epoch == 1) {
        return;
    }
    if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING) {
        (void)fl_uploads_withdraw(self->uploads, index, FL_SEAT_ABSENT, FL_WHY_RESTART, out);
    }
    fl_secagg_server_restarted(seat->server, index, now, out);
}

//  The parent that keeps the name of a child that came here as well; NULL: it is in one place.
static const fl_name *
s_keeper(const fl_aggregator *self, const fl_name *node)
{
    for (uint32_t i = 0; i < self->doubles.twin_count; i++) {
        const fl_twin *twin = &self->doubles.twins[i];
        if (fl_name_equal(&twin->node, node) && !fl_name_equal(&twin->keeper, &self->conf.node)) {
            return &twin->keeper;
        }
    }
    return NULL;
}

//  The driver makes a sentence of it: it knows addresses.
static void
s_say_in_use(fl_aggregator *self, fl_peer peer, const fl_name *keeper, fl_outbox *out)
{
    fl_refused *refused = &s_say(self, peer, FL_REFUSED, out)->refused;
    refused->reason = FL_WHY_IN_USE;
    refused->about = FL_HELLO;
    if (keeper != NULL) {
        memcpy(refused->text, keeper->name, sizeof keeper->name);
    }
}

//  One identity, one process: who comes with keys that are in use here, or that another parent
//  keeps, costs nobody anything. True: it was refused.
static bool
s_refuse_copy(fl_aggregator *self, const fl_event *event, const fl_name *keeper, fl_time now,
              fl_outbox *out)
{
    const fl_seat *held =
        fl_seats_held(self->seats, event, now, (fl_time)HELD_BEATS * self->conf.timing.beat_ms);
    if (keeper == NULL && held == NULL) {
        return false;
    }
    s_say_in_use(self, event->message.from, held == NULL ? keeper : NULL, out);
    s_note(self, &event->message.node, FL_NOTE_REFUSED, FL_WHY_IN_USE, FL_HELLO, 0, out);
    if (held == NULL || held->peer != event->message.from) {
        fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = event->message.from;
    }
    return true;
}

//  A child that sits here says HELLO because it offers something else now.
static bool
s_offers_anew(const fl_aggregator *self, const fl_event *event)
{
    const int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    const fl_seat *seat = index < 0 ? NULL : fl_seats_look(self->seats, (uint32_t)index);
    return seat != NULL && seat->present &&
           !fl_bytes_equal(fl_offerings_bytes(&seat->offers),
                           event->message.message->hello.offers);
}

static void
on_hello(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    bool renewed = false;
    const bool fits = s_role_fits(self, event->message.role);
    const bool offers = s_offers_anew(self, event);
    if (s_refuse_copy(self, event, s_keeper(self, &event->message.node), now, out)) {
        return;
    }
    int64_t index = fits ? fl_seats_join(self->seats, event, now, &renewed) : -1;
    if (index < 0) { // who has no seat takes no session from who may have one
        s_refuse(self, event, fits ? FL_WHY_FULL : FL_WHY_ROLE, out);
        fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = event->message.from;
        return;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    fl_aggregator_fit(self, (uint32_t)index);
    if (seat->before != seat->peer) { // the node has another key now
        fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = seat->before;
    }
    if (renewed && (seat->phase == FL_SEAT_OFFERED || seat->phase == FL_SEAT_STAGING)) {
        (void)fl_uploads_withdraw(self->uploads, (uint32_t)index, FL_SEAT_TASKED, FL_WHY_NONE, out);
        memset(&seat->contrib, 0, sizeof seat->contrib);
    }
    fl_welcome *welcome = &fl_outbox_send(out, seat->peer, FL_WELCOME)->welcome;
    welcome->seat = (uint32_t)index;
    welcome->epoch = seat->epoch;
    welcome->beat_ms = self->conf.timing.beat_ms;
    if (renewed || !offers) {
        s_note(self, &seat->node, seat->epoch == 1 && renewed ? FL_NOTE_JOINED : FL_NOTE_REJOINED,
               FL_WHY_NONE, (uint64_t)index, seat->epoch, out);
    }
    if (renewed && self->burnt != NULL) { // what it heard may be lost
        fl_burnt_book_heard(self->burnt, &seat->node, false);
    }
    fl_aggregator_tell_burnt(self, (uint32_t)index, out);
    bool was_in = self->over && fl_seats_wants(self->seats, &seat->node);
    if (renewed && was_in && seat->role == FL_ROLE_EDGE) { // some below may have a task of it
        fl_closed *closed = &s_say(self, seat->peer, FL_CLOSED, out)->closed;
        closed->outcome = FL_OUT_IDLE;
        closed->final = true;
        closed->end = self->end;
    }
    s_greet(self, (uint32_t)index, renewed, now, out);
    (void)s_invite(self, (uint32_t)index, now, out);
    if (seat->server != NULL && s_takes_part(self, (uint32_t)index)) {
        fl_secagg_server_joined(seat->server, (uint32_t)index, seat->peer, now, out);
    }
    if (self->check_at == FL_NEVER) {
        self->check_at = now + self->conf.timing.beat_ms;
    }
}

static void
s_left(fl_aggregator *self, fl_peer peer, fl_reason said, fl_reason reason, fl_outbox *out)
{
    int64_t index = fl_seats_of_peer(self->seats, peer);
    if (index >= 0) {
        s_note(self, &fl_seats_look(self->seats, (uint32_t)index)->node, FL_NOTE_LEFT, said,
               (uint64_t)index, 0, out);
        s_vacate(self, (uint32_t)index, reason, out);
    }
}

static void
on_leave(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    (void)now;
    s_left(self, event->message.from, event->message.message->leave.reason, FL_WHY_LEFT, out);
}

// ---- what children send -----------------------------------------------------------------------
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
                  beat->samples > 0 && !self->over ? beat->samples : seat->samples);
    bool here = s_this_round(self, message, beat->attempt);
    bool waits = beat->activity == FL_DOING_WAIT_GRANT || beat->activity == FL_DOING_SEND ||
                 beat->activity == FL_DOING_WAIT_CLOSE;
    uint32_t before = fl_outbox_count(out);
    if (here && seat->phase == FL_SEAT_STAGING) {
        fl_uploads_beat(self->uploads, (uint32_t)index, &self->conf.timing, now, out);
    } else if (!here || (seat->phase == FL_SEAT_TASKED && waits) || seat->phase == FL_SEAT_ABSENT ||
               seat->phase == FL_SEAT_IDLE) {
        if (!here) {
            (void)s_tell_end(self, seat, message, beat->attempt, out);
        }
        (void)s_invite(self, (uint32_t)index, now, out);
    }
    if (fl_outbox_count(out) == before) {
        fl_beat *answer = &fl_outbox_send(out, seat->peer, FL_BEAT)->beat;
        answer->activity = self->paused != FL_WHY_NONE ? FL_DOING_PAUSED : FL_DOING_NOTHING;
        answer->done = self->paused;
    }
}

static bool
s_base_fits(const fl_aggregator *self, const fl_contrib *contrib, fl_reason *reason)
{
    const fl_order *order = &self->task.order;
    uint64_t staleness = order->round - contrib->base_round;
    *reason = FL_WHY_BASE;
    if (contrib->base_round > order->round || contrib->base_round == 0 ||
        (s_masking(self) == FL_MASKING_MALICIOUS && staleness > 0)) {
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
    if (!seat->in_block || s_renewed(self, index)) {
        s_refuse(self, event, seat->in_block ? FL_WHY_RESTART : FL_WHY_UNKNOWN_ROUND, out);
        return false;
    }
    FL_ASSERT(seat->server !=
              NULL); // else the block ended when it was opened, and the seat with it
    bool blamed = fl_secagg_server_seat(seat->server, index).blamed;
    fl_reason reason =
        fl_secagg_server_contrib(seat->server, index, &event->message.message->contrib, out);
    if (reason == FL_WHY_NONE) {
        return true;
    }
    if (reason == FL_WHY_UNKNOWN_ROUND) { // not that far: the task has it said again
        s_task(self, index, now, out);
        return false;
    }
    (void)fl_uploads_withdraw(self->uploads, index,
                              reason == FL_WHY_LATE ? FL_SEAT_LATE : FL_SEAT_REFUSED, reason, out);
    if (blamed || !fl_secagg_server_seat(seat->server, index).blamed) { // else it was told so
        fl_uploads_refuse(self->uploads, index, reason, FL_CONTRIB, out);
    }
    return false;
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
        if (!s_tell_end(self, seat, message, contrib->attempt, out)) {
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
        seat->reason = FL_WHY_NONE;
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
    effect->serve.message.run = event->message.message->run;
    effect->serve.message.round = event->message.message->round;
    effect->serve.message.piece.hash = fetch->hash;
    effect->serve.message.piece.offset = fetch->offset;
    effect->serve.message.piece.total = self->model_bytes;
    self->bytes_down += fetch->bytes;
}

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
    if (!s_masked(self) || !seat->in_block || s_renewed(self, index) ||
        message->round != self->task.order.round || !fl_run_equal(&message->run, &self->run)) {
        bool asks = message->verb != FL_REFUSED;
        if (asks && !s_tell_end(self, seat, message, 0, out)) {
            s_refuse(self, event, FL_WHY_UNKNOWN_ROUND, out);
        }
        return;
    }
    if (message->verb == FL_KEYS) {
        fl_burnt_book_heard(self->burnt, &seat->node, true);
    }
    if (message->verb == FL_READY && seat->ready_at == 0) {
        seat->ready_at = now;
    }
    if (seat->server != NULL) {
        fl_secagg_server_hear(seat->server, index, event, now, out);
    }
}

//  In any round: a refusal that is for the blocks.
static bool
s_about_step(const fl_aggregator *self, const fl_refused *refused)
{
    const fl_verb_row *about = fl_verb_row_of(refused->about);
    return s_masked(self) && about != NULL && (refused->about == FL_TASK || about->masked);
}

//  A child takes no task, or has done one in part: what it says of itself, of this round or of all.
//  True: there is nothing else in it.
static bool
s_hear_rest(fl_aggregator *self, const fl_event *event, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    fl_reason reason = message->refused.reason;
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0 || message->refused.about != FL_TASK) {
        return false;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    if (fl_reason_rests(reason) &&
        (!fl_reason_rests_run(reason) || fl_run_equal(&message->run, &self->run))) {
        if (seat->rests != reason) {
            s_note(self, &seat->node, FL_NOTE_REST, reason, (uint64_t)index, 0, out);
        }
        fl_seats_rest(self->seats, seat, reason);
    } else if (reason == FL_WHY_PARTIAL && message->round == self->task.order.round &&
               fl_run_equal(&message->run, &self->run)) {
        seat->partial = true;
    }
    return reason == FL_WHY_PARTIAL || message->round == 0;
}

static void
on_refused(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    if (s_hear_rest(self, event, out)) {
        return;
    }
    if (s_about_step(self, &message->refused)) {
        s_hear_step(self, event, now, out);
        return;
    }
    int64_t index = fl_seats_of_peer(self->seats, event->message.from);
    if (index < 0 || self->phase != FL_AGGREGATOR_OPEN ||
        message->round != self->task.order.round || !fl_run_equal(&message->run, &self->run) ||
        message->refused.about != FL_TASK) {
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

typedef void (*handler)(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out);

//  What a child may say to this machine; the admission knows the rest (wire/verb_table).
static const handler handlers[FL_VERB_COUNT] = {
    [FL_HELLO] = on_hello,    [FL_BEAT] = on_beat,     [FL_CONTRIB] = on_contrib,
    [FL_CHUNK] = on_chunk,    [FL_FETCH] = on_fetch,   [FL_REFUSED] = on_refused,
    [FL_LEAVE] = on_leave,    [FL_KEYS] = s_hear_step, [FL_SHARES] = s_hear_step,
    [FL_READY] = s_hear_step, [FL_ACK] = s_hear_step,  [FL_UNMASK] = s_hear_step,
    [FL_BURNT] = on_burnt,
};

//  In any round, after each word of a child.
static void
s_after_word(fl_aggregator *self, fl_peer peer, fl_outbox *out)
{
    int64_t index = s_masked(self) ? fl_seats_of_peer(self->seats, peer) : -1;
    if (index >= 0) {
        s_follow_seat(self, (uint32_t)index, out);
    }
}

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
    s_after_word(self, event->message.from, out);
}

// ---- the window -------------------------------------------------------------------------------
//  Steps of opening that fit between the cut-off and the due time.
enum { OPENING_STEPS = 3 };

//  What opening takes after the cut-off, when the sum is hidden so.
static fl_time
s_opening_ms(const fl_plan *plan, fl_masking masking)
{
    return masking == FL_MASKING_NONE ? 0 : (fl_time)OPENING_STEPS * plan->step_ms;
}

//  A deadline that follows what was measured has to leave room for what was not: uploads have the
//  last quarter for themselves; and an edge, which is ready in 11/16 of it, needs time of its own
//  to open its sum.
static fl_time
s_window_ms(const fl_aggregator *self, uint32_t median_ms)
{
    const fl_window *window = &self->conf.window;
    const fl_timing *timing = &self->conf.timing;
    const fl_plan *plan = &self->task.order.plan;
    fl_time wanted = (fl_time)fl_policy_deadline_ms(window, median_ms);
    if (!s_masked(self)) {
        return wanted;
    }
    fl_time below = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && seat->role == FL_ROLE_EDGE) {
            below = s_opening_ms(plan, fl_plan_masking(plan, 1)) + (fl_time)timing->finish_ms +
                    (fl_time)timing->hop_ms;
        }
    }
    wanted = below > 0 ? (wanted + below) * 3 / 2 : wanted * 4 / 3;
    return wanted < (fl_time)window->time_max_ms ? wanted : (fl_time)window->time_max_ms;
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

//  So many contributions are enough, and so is the share of the devices that are in, and of their
//  samples where nothing is masked: only then children say how many they have.
static bool
s_quorum(const fl_aggregator *self, uint32_t contributions)
{
    const fl_window *window = &self->conf.window;
    if (contributions < window->count_min || window->share_permille == 0) {
        return contributions >= window->count_min;
    }
    fl_tally tally = fl_participation_tally(self->seats);
    bool samples = fl_plan_masks(&self->task.order.plan) ||
                   tally.samples_missing * 1000 <=
                       tally.samples_known * (1000 - (uint64_t)window->share_permille);
    return samples && (uint64_t)tally.in * 1000 >= (uint64_t)tally.invited * window->share_permille;
}

//  No upload is wanted any more, and nobody is waited for. Nor is anybody in a round that the
//  children had before, or that a restart ended: a root goes on with the next one at once.
static bool
s_uploads_over(const fl_aggregator *self)
{
    const fl_reason reason = self->opened.reason;
    const bool lost = reason == FL_WHY_RESTORED || reason == FL_WHY_RESTART;
    return !s_collecting(self) && (self->due != FL_NEVER || lost ||
                                   s_quorum(self, fl_uploads_sums(self->uploads)->contributions));
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
    return sum.invited + sum.resting > 0 && sum.ended == sum.invited &&
           (sum.invited + sum.resting >= fl_aggregator_expects(self) || waited) &&
           (self->due != FL_NEVER || s_quorum(self, counted));
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
        later <= now || s_quorum(self, fl_seats_standing(self->seats).coming)) {
        return false;
    }
    self->extends++;
    s_note(self, NULL, FL_NOTE_ROUND_EXTEND, FL_WHY_QUORUM,
           fl_uploads_sums(self->uploads)->contributions, (uint64_t)(later - self->cutoff_at), out);
    self->cutoff_at = later;
    return true;
}

// ---- closing ----------------------------------------------------------------------------------
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
    result->weight = masked ? self->opened.weight : said->weight;
    result->count = masked ? self->opened.count : said->count;
    memcpy(result->stats, masked ? self->opened.stats : said->stats, sizeof result->stats);
    result->masking = fl_plan_masking(&self->task.order.plan, 1);
    result->weighting = (fl_weighting)self->task.order.plan.weighting;
    result->pin = self->task.order.plan.pin;
    if (self->conf.masking != NULL && fl_plan_masks(&self->task.order.plan)) {
        result->blocks = s_lines(self, &result->block_count);
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
    if (!self->conf.vector) { // nobody above sees more
        fl_participation_doubles(self->seats, &self->conf.node, &self->doubles);
    }
    result->roll = self->roll;
    result->roll_count = fl_participation_roll(
        self->seats, &self->conf.node, self->task.order.round, self->roll, &result->roll_dropped);
    if (!self->conf.vector) {
        result->roll_count =
            fl_participation_missed(&self->conf.node, self->before, self->before_count, self->roll,
                                    result->roll_count, &result->roll_dropped);
        fl_aggregator_recall_roll(self, self->roll, result->roll_count);
    }
    s_measure(self, close, now);
    s_enter(self, FL_AGGREGATOR_CLOSED);
    if (result->stats[FL_STAT_CAPPED] > 0) {
        s_note(self, NULL, FL_NOTE_WEIGHT_CAPPED, FL_WHY_NONE, result->stats[FL_STAT_CAPPED],
               fl_policy_samples_max(&self->task.order.plan), out);
    }
    s_note(self, NULL, FL_NOTE_ROUND_CLOSE, reason, sums->contributions, merge, out);
}

//  How a round ends that has no result.
static fl_close
s_missed(const fl_aggregator *self)
{
    return self->conf.window.missed == FL_MISSED_ABORT ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED;
}

//  Why there are too few. Members that are bound by an update that they masked come first: that is
//  what the root can do something about (R4d).
static fl_reason
s_missed_by(const fl_aggregator *self)
{
    bool named = s_masked(self) && self->opened.reason != FL_WHY_NONE, used = false;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        const bool refused = seat->phase == FL_SEAT_REFUSED;
        if (refused && seat->reason == FL_WHY_SAME_MODEL) {
            return FL_WHY_SAME_MODEL;
        }
        used = used || (refused && seat->reason == FL_WHY_DRAWS_USED);
    }
    return used ? FL_WHY_DRAWS_USED : named ? self->opened.reason : FL_WHY_QUORUM;
}

static void
s_finish(fl_aggregator *self, fl_time now, fl_outbox *out)
{
    bool masked = s_masked(self);
    if (s_quorum(self, fl_uploads_sums(self->uploads)->contributions)) {
        s_enter(self, FL_AGGREGATOR_FINISHING);
        fl_effect *effect = fl_outbox_ask(out, FL_FX_FINISH, &self->finish);
        effect->finish.vector = self->conf.vector;
        effect->finish.blocks = masked ? self->opened.set : 1;
        return;
    }
    s_close(self, s_missed(self), s_missed_by(self), now, out);
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
        (!masked || s_blocks_ended(self))) {
        s_finish(self, now, out);
    }
}

// ---- answers to effects -----------------------------------------------------------------------
static void
on_finished(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_AGGREGATOR_FINISHING);
    self->finish = 0;
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
on_verified(fl_aggregator *self, uint32_t slot, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_reason named = event->verified.reason == FL_WHY_NONE ? FL_WHY_HASH : event->verified.reason;
    fl_reason fault = event->verified.ok ? FL_WHY_NONE : named;
    int64_t owner = s_masked(self) ? fl_uploads_owner(self->uploads, slot) : -1;
    const fl_seat *seat = owner >= 0 ? fl_seats_look(self->seats, (uint32_t)owner) : NULL;
    if (seat != NULL && fault == FL_WHY_NONE &&
        !fl_secagg_server_wants(seat->server, (uint32_t)owner)) {
        fault = FL_WHY_LATE;
    }
    fl_uploads_verified(self->uploads, slot, fault, out);
    if (seat != NULL && s_counted(seat)) { // its fold comes before what opens the sum
        bool taken = fl_secagg_server_uploaded(seat->server, (uint32_t)owner, now, out);
        FL_ASSERT(taken); // it was wanted, and its announcement was taken
    }
}

//  An answer to an effect: an upload's, the sum's, a block's, or nobody's.
static void
on_answer(fl_aggregator *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    int64_t slot = fl_uploads_slot(self->uploads, event);
    if (slot >= 0 && event->kind == FL_EV_VERIFIED) {
        on_verified(self, (uint32_t)slot, event, now, out);
    } else if (slot >= 0) {
        fl_uploads_folded(self->uploads, (uint32_t)slot, out);
    } else if (fl_answers(event, self->finish)) {
        on_finished(self, event, now, out);
    } else if (!s_answer_block(self, event, now, out)) {
        fl_outbox_discard(out, event);
    }
}

// ---- time -------------------------------------------------------------------------------------
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
            s_vacate(self, i, FL_WHY_SILENT, out);
            continue;
        }
        present = true;
        if (!seat->evasive && silent >= (fl_time)timing->evasive_beats * timing->beat_ms) {
            seat->evasive = true;
            s_note(self, &seat->node, FL_NOTE_EVASIVE, FL_WHY_SILENT, i, (uint64_t)silent, out);
        }
        (void)fl_uploads_hurry(self->uploads, i, timing, now, out);
    }
    self->check_at = present ? now + timing->beat_ms : FL_NEVER;
}

// ---- beginning and settling -------------------------------------------------------------------
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
    self->ready_then = fl_seats_presence(self->seats).ready;
    fl_time deadline = now + s_window_ms(self, fl_pace_ms(&self->pace));
    fl_time after =
        (fl_time)self->conf.timing.finish_ms + s_opening_ms(&task->order.plan, s_masking(self));
    fl_time latest = due == FL_NEVER ? FL_NEVER : due - after;
    self->cutoff_at = deadline < latest ? deadline : latest;
    self->wake_at = s_masked(self) ? now : s_next_moment(self, now);
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        fl_seats_enter(self->seats, seat, FL_SEAT_IDLE);
        seat->lost = seat->member && !seat->present && seat->rests == FL_WHY_NONE &&
                     fl_seats_wants(self->seats, &seat->node);
        seat->partial = false;
        seat->reason = seat->lost ? seat->away : seat->rests;
        memset(&seat->intake, 0, sizeof seat->intake);
        seat->in_block = false;
        seat->block = 0;
        seat->server = NULL;
        seat->ready_at = 0;
    }
}

//  A seat was in a round; an edge stands for as many devices as it ever had in one.
static void
s_enlist(const fl_aggregator *self, fl_seat *seat)
{
    uint32_t said = seat->tally.invited > seat->contrib.tally.invited ? seat->tally.invited
                                                                      : seat->contrib.tally.invited;
    said = said > 0 || seat->below > 0 ? said : seat->leaves;
    for (uint32_t i = 0; i < self->doubles.twin_count; i++) { // counted here once too often
        said -= said > 0 && fl_name_equal(&self->doubles.other[i], &seat->node) ? 1 : 0;
    }
    seat->member = true;
    seat->below = said > seat->below ? said : seat->below;
}

//  A round has been without some that were expected, from before it began to its end. Enough such
//  rounds, and nobody waits for them: the report says so of each until it is back.
static void
s_give_up(fl_aggregator *self, fl_outbox *out)
{
    uint32_t now = fl_seats_presence(self->seats).ready, expect = fl_aggregator_expects(self);
    uint32_t there = now > self->ready_then ? now : self->ready_then;
    if (!fl_awaited_round(&self->awaited, self->conf.expect, there, self->conf.absent_max)) {
        return;
    }
    uint32_t unnamed = expect - there;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        bool known = seat->away == FL_WHY_GONE || seat->away == FL_WHY_REVOKED;
        if (!seat->present && !known && fl_seats_wants(self->seats, &seat->node)) {
            seat->away = FL_WHY_GONE;
            unnamed -= unnamed > 0 ? 1 : 0;
            s_note(self, &seat->node, FL_NOTE_GIVEN_UP, FL_WHY_GONE, 1, self->conf.absent_max, out);
        }
    }
    if (unnamed > 0) { // they never came, or have no device
        s_note(self, NULL, FL_NOTE_GIVEN_UP, FL_WHY_GONE, unnamed, self->conf.absent_max, out);
    }
}

//  Every edge hears of names that were counted twice, before it hears how the round ended.
static void
s_tell_twins(fl_aggregator *self, fl_outbox *out)
{
    const fl_doubles *doubles = &self->doubles;
    for (uint32_t i = 0; i < doubles->twin_count; i++) {
        fl_note note = { .id = FL_NOTE_TWIN, .round = self->task.order.round };
        note.node = doubles->twins[i].node;
        note.at = doubles->twins[i].keeper;
        fl_outbox_note(out, note);
        if (doubles->other[i].name[0] != '\0') {
            note.at = doubles->other[i];
            note.reason = FL_WHY_IN_USE;
            fl_outbox_note(out, note);
        }
    }
    for (uint32_t i = 0; doubles->twin_count > 0 && i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && seat->role == FL_ROLE_EDGE) {
            fl_outbox_send(out, seat->peer, FL_TWINS)->twins.nodes =
                fl_bytes_of((const uint8_t *)doubles->twins, doubles->twin_count * sizeof(fl_twin));
        }
    }
}

//  Who has a place elsewhere has none here, and is no loss.
static void
s_part_twins(fl_aggregator *self, fl_outbox *out)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        const fl_name *keeper = seat->present ? s_keeper(self, &seat->node) : NULL;
        if (keeper != NULL) {
            s_say_in_use(self, seat->peer, keeper, out);
            s_vacate(self, i, FL_WHY_IN_USE, out);
            seat->member = false;
        }
    }
    if (self->conf.vector && !self->twins_told) { // the parent says it with each round
        self->doubles.twin_count = 0;
    }
    self->twins_told = false;
}

//  Every child hears its own outcome; those that were counted hear what became
//  of the sum.
static void
s_tell_all(fl_aggregator *self, fl_outcome outcome, fl_reason reason, const fl_reason *end,
           fl_outbox *out)
{
    self->over = end != NULL;
    self->end = end != NULL ? *end : FL_WHY_NONE;
    if (s_masked(self)) {
        fl_aggregator_lapse(self);
    }
    s_tell_twins(self, out);
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        fl_outcome own = fl_seat_outcome(seat);
        if (seat->phase != FL_SEAT_IDLE) {
            seat->last_run = self->task.order.run;
            seat->last_round = self->task.order.round;
            seat->last_attempt = self->task.attempt;
            seat->last_outcome = own == FL_OUT_IN ? outcome : own;
            seat->last_reason = own == FL_OUT_IN ? reason : seat->reason;
            seat->rounds[seat->last_outcome]++;
            s_enlist(self, seat);
        } else if (seat->lost) {
            seat->rounds[FL_OUT_ABSENT]++;
        }
        bool ends = self->over && fl_seats_wants(self->seats, &seat->node);
        if (seat->present && (seat->phase != FL_SEAT_IDLE || ends)) {
            fl_closed *closed = &s_say(self, seat->peer, FL_CLOSED, out)->closed;
            closed->attempt = self->task.attempt;
            closed->outcome = seat->phase == FL_SEAT_IDLE ? FL_OUT_IDLE : seat->last_outcome;
            closed->reason = seat->phase == FL_SEAT_IDLE ? FL_WHY_NONE : seat->last_reason;
            closed->final = self->over;
            closed->end = self->end;
        }
        fl_seats_enter(self->seats, seat, FL_SEAT_IDLE);
    }
    if (!self->over) {
        fl_aggregator_tell_burnt_all(self, out);
    }
    s_part_twins(self, out);
}

//  Each child is to come again, by the keys that it knows to come next.
static void
s_tell_new_keys(fl_aggregator *self, fl_outbox *out)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present) {
            fl_refused *refused = &s_say(self, seat->peer, FL_REFUSED, out)->refused;
            refused->reason = FL_WHY_NEW_KEYS;
            refused->about = FL_HELLO;
        }
    }
}

// ---- the doors --------------------------------------------------------------------------------
fl_aggregator *
fl_aggregator_new(const fl_aggregator_conf *conf)
{
    FL_ASSERT(conf->timing.beat_ms > 0);
    fl_aggregator *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->check_at = FL_NEVER;
    self->seats = fl_seats_new(conf->seats_max);
    self->roll = calloc((size_t)2 * FL_ROLL_MAX, sizeof *self->roll);
    self->before = self->roll == NULL ? NULL : self->roll + FL_ROLL_MAX;
    self->durations = calloc(conf->seats_max, sizeof *self->durations);
    self->selection = (fl_selection){ fl_selection_find("all"), self->seats, 0 };
    if (self->seats != NULL) {
        fl_seats_limit(self->seats, self->conf.on, conf->on_count);
        self->uploads = fl_uploads_new(self->seats, conf->slots);
    }
    if (conf->masking != NULL) {
        self->lines = calloc(FL_BLOCK_LINES_MAX, sizeof *self->lines);
        self->burnt = fl_burnt_book_new();
    }
    bool masks = self->lines != NULL && self->burnt != NULL;
    bool whole = self->uploads != NULL && (masks || conf->masking == NULL);
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
        for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
            fl_secagg_server_destroy(&self->block[i].machine);
        }
        fl_pool_set_clear(&self->pools);
        free(self->lines);
        fl_burnt_book_destroy(&self->burnt);
        fl_uploads_destroy(&self->uploads);
        fl_seats_destroy(&self->seats);
        free(self->doubles.lines);
        free(self->roll);
        free(self->durations);
        free(self);
    }
}

void
fl_aggregator_assign(fl_aggregator *self, const fl_aggregator_conf *conf)
{
    FL_ASSERT(self->phase == FL_AGGREGATOR_IDLE && conf->seats_max == self->conf.seats_max &&
              conf->slots == self->conf.slots);
    self->others = conf->on_count != self->conf.on_count ||
                   memcmp(conf->on, self->conf.on, conf->on_count * sizeof *conf->on) != 0;
    self->conf = *conf;
    fl_seats_limit(self->seats, self->conf.on, conf->on_count);
    fl_pace_forget(&self->pace);
}

bool
fl_aggregator_part(fl_aggregator *self, fl_aggregator *other, const fl_event *hello, fl_time now,
                   fl_outbox *out)
{
    const int64_t index = fl_seats_of_node(self->seats, &hello->message.node);
    if (index < 0) {
        return true;
    }
    if (s_refuse_copy(self, hello, NULL, now, out)) {
        return false;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    if (seat->present && seat->peer == hello->message.from) {
        s_empty(self, (uint32_t)index, FL_WHY_LEFT, out);
    } else if (seat->present) { // the node has another key now
        s_vacate(self, (uint32_t)index, FL_WHY_LEFT, out);
    }
    fl_seat *next = seat->blamed == FL_WHY_NONE
                        ? NULL
                        : fl_seats_remember(other->seats, &seat->node, seat->role);
    if (next != NULL) {
        next->blamed = seat->blamed;
    }
    seat->moved = true;
    return true;
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
        s_left(self, event->gone.peer, event->gone.reason, event->gone.reason, out);
        break;
    case FL_EV_RENEWED:
        if (event->renewed.rekeyed) {
            s_tell_new_keys(self, out);
        }
        break;
    case FL_EV_VERIFIED:
    case FL_EV_FOLDED:
    case FL_EV_FINISHED:
    case FL_EV_SAVED:
    case FL_EV_UNMASKED:
        on_answer(self, event, now, out);
        break;
    default:
        FL_ASSERT(event->kind == FL_EV_TICK);
        if (now >= self->check_at) {
            s_age_seats(self, now, out);
        }
        break;
    }
    fl_awaited_see(&self->awaited, fl_seats_presence(self->seats).ready);
    s_follow_blocks(self, now, out);
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
        fl_time block = s_blocks_deadline(self);
        at = block < at ? block : at;
    }
    return at;
}

void
fl_aggregator_model(fl_aggregator *self, const fl_run *run, const fl_hash *model, uint64_t bytes)
{
    if (!fl_run_equal(&self->run, run)) { // rounds count from 1 again, nothing of the old run holds
        FL_ASSERT(self->phase == FL_AGGREGATOR_IDLE);
        self->over = false;
        self->before_count = 0;
        memset(self->history, 0, sizeof self->history);
        fl_pace_forget(&self->pace);
        for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
            fl_seat *seat = fl_seats_at(self->seats, i);
            seat->member = seat->lost = false;
            seat->below = 0;
            if (fl_reason_rests_run(seat->rests)) {
                fl_seats_rest(self->seats, seat, FL_WHY_NONE);
            }
            seat->roll_used = 0;
        }
    }
    self->run = *run;
    self->model = *model;
    self->model_bytes = bytes;
}

void
fl_aggregator_pause(fl_aggregator *self, fl_reason why)
{
    self->paused = why;
}

void
fl_aggregator_recall(fl_aggregator *self, const fl_past *past)
{
    self->history[past->round % FL_PASTS_MAX] = *past;
}

bool
fl_aggregator_idle(const fl_aggregator *self)
{
    return self->phase == FL_AGGREGATOR_IDLE && !fl_uploads_busy(self->uploads);
}

void
fl_aggregator_open(fl_aggregator *self, const fl_task *task, fl_time due, uint64_t wall_s,
                   fl_time now, fl_outbox *out)
{
    FL_ASSERT(fl_aggregator_idle(self) && self->conf.window.count_min >= 1);
    s_enter(self, FL_AGGREGATOR_OPEN);
    s_begin(self, task, due, now);
    fl_selection_open(&self->selection);
    bool masked = s_masked(self);
    uint32_t blocks = masked ? s_open_blocks(self, wall_s, now, out) : 1;
    fl_uploads_open(self->uploads, &task->order, task->attempt, masked, blocks, out);
    uint32_t invited = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        if (fl_seats_look(self->seats, i)->present && s_takes_part(self, i)) {
            s_task(self, i, now, out);
            fl_aggregator_tell_burnt(self, i, out);
            invited++;
        }
    }
    fl_time budget = self->cutoff_at - now;
    s_note(self, NULL, FL_NOTE_ROUND_OPEN, FL_WHY_NONE, invited, budget > 0 ? (uint64_t)budget : 0,
           out);
    if (masked) {
        s_resume_blocks(self, wall_s, now, out);
        s_follow_blocks(self, now, out);
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

void
fl_aggregator_settle(fl_aggregator *self, fl_outcome outcome, fl_reason reason,
                     const fl_reason *end, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_AGGREGATOR_CLOSED);
    s_give_up(self, out);
    s_tell_all(self, outcome, reason, end, out);
    s_enter(self, FL_AGGREGATOR_IDLE);
}

void
fl_aggregator_dismiss(fl_aggregator *self, fl_reason end, fl_outbox *out)
{
    FL_ASSERT(self->phase == FL_AGGREGATOR_IDLE);
    s_tell_all(self, FL_OUT_IDLE, FL_WHY_NONE, &end, out);
}

void
fl_aggregator_abandon(fl_aggregator *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (self->phase == FL_AGGREGATOR_IDLE) {
        return;
    }
    self->finish = 0;
    s_note(self, NULL, FL_NOTE_TASK_ENDED, reason, self->task.attempt,
           (uint64_t)(now - self->opened_at), out);
    if (s_masked(self)) {
        for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
            if (self->block[i].open) {
                fl_secagg_server_abort(self->block[i].machine,
                                       reason != FL_WHY_NONE ? reason : FL_WHY_ABORTED, out);
            }
        }
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        if (!fl_seat_terminal(fl_seats_look(self->seats, i))) {
            (void)fl_uploads_withdraw(self->uploads, i, FL_SEAT_LATE, reason, out);
        }
    }
    s_tell_all(self, FL_OUT_LATE, reason, NULL, out);
    s_enter(self, FL_AGGREGATOR_IDLE);
}

// ---- what edge, root and operator look at -----------------------------------------------------
fl_tally
fl_aggregator_tally(const fl_aggregator *self)
{
    fl_tally tally = fl_participation_tally(self->seats);
    tally.bytes_up += fl_uploads_sums(self->uploads)->bytes_up;
    tally.bytes_down += self->bytes_down;
    if (s_masked(self)) {
        s_tally_blocks(self, &tally);
    }
    return tally;
}

bool
fl_aggregator_block(const fl_aggregator *self, uint32_t number, fl_block_view *view)
{
    FL_ASSERT(number < FL_BLOCKS_MAX);
    const fl_secagg_server *machine = s_machine(self, number);
    view->line = self->block[number].used ? s_line(self, number) : (fl_block_line){ 0 };
    view->state = machine == NULL ? FL_SERVER_ABORTED : fl_secagg_server_state(machine);
    return self->block[number].used;
}
