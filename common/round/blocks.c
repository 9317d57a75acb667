//  A round of many children is masked in blocks, because each member of a block works for every
//  other one. Blocks know nothing of each other: one may be aborted and the others count. What is
//  added up here is what each of them has opened.
#include "common/round/blocks.h"

#include <stdlib.h>
#include <string.h>

enum { FACTS_MAX = FL_KEEP_ACKS - FL_KEEP_ROSTER + 1 };

typedef struct block {
    fl_secagg_server *machine; // kept for later rounds
    bool used;                 // in the round at hand
    bool open;                 // and its machine was opened for it
    bool taken;                // it has ended, and that was seen to
    fl_reason reason;          // why it never opened; once taken, why it is not in the sum
    fl_bytes facts[FACTS_MAX]; // to go on with, by kind
} block;

struct fl_blocks {
    const fl_secagg_server_conf *conf;
    fl_seats *seats;
    fl_task task;
    block block[FL_BLOCKS_MAX];
    bool resumed; // these blocks are from before a restart
    fl_blocks_sum sum;
    fl_block_line lines[FL_BLOCK_LINES_MAX];
};

fl_blocks *
fl_blocks_new(const fl_secagg_server_conf *conf, fl_seats *seats)
{
    fl_blocks *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = conf;
        self->seats = seats;
    }
    return self;
}

void
fl_blocks_destroy(fl_blocks **self_p)
{
    fl_blocks *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
            fl_secagg_server_destroy(&self->block[i].machine);
        }
        free(self);
    }
}

// ---- who is in which --------------------------------------------------------------------------
static void
s_note_out(const fl_blocks *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_OUT,
                                   .node = fl_seats_look(self->seats, index)->node,
                                   .round = self->task.order.round,
                                   .reason = reason,
                                   .a = index });
}

//  How many blocks for so many children: as few as hold them, and none that is below the floor.
static uint32_t
s_block_count(const fl_blocks *self, uint32_t children, uint32_t most)
{
    const fl_plan *plan = &self->task.order.plan;
    uint32_t floor = fl_secagg_floor(plan->members_min, self->conf->hop);
    uint32_t least = floor > FL_SECAGG_MEMBERS_MIN ? floor : FL_SECAGG_MEMBERS_MIN;
    uint32_t count = (children + most - 1) / most;
    count = count < children / least ? count : children / least;
    count = count < FL_BLOCKS_MAX ? count : FL_BLOCKS_MAX;
    return count > 0 ? count : children > 0;
}

//  Runs of seats, their sizes differing by one at most.
static void
s_seat(fl_blocks *self, fl_outbox *out)
{
    uint32_t most = self->task.order.plan.block_max;
    most = most > 0 && most < FL_MEMBERS_MAX ? most : FL_MEMBERS_MAX;
    uint32_t children = 0, placed = 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        children += fl_seats_look(self->seats, i)->invited ? 1 : 0;
    }
    uint32_t count = s_block_count(self, children, most);
    uint32_t seats = children < count * most ? children : count * most;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (!seat->invited) {
            continue;
        }
        if (placed == seats) {
            s_note_out(self, i, FL_WHY_FULL, out);
            continue;
        }
        seat->in_block = true;
        seat->block = (uint32_t)((uint64_t)placed++ * count / seats);
        self->block[seat->block].used = true;
    }
}

//  The seat of that name, if somebody sits there; NULL otherwise.
static fl_seat *
s_seat_named(fl_blocks *self, const fl_name *node)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_seat *seat = fl_seats_at(self->seats, i);
        if (seat->present && fl_name_equal(&seat->node, node)) {
            return seat;
        }
    }
    return NULL;
}

//  Facts of the round at hand, to their blocks. False when there are none.
static bool
s_sort(fl_blocks *self, const fl_bytes *facts, uint32_t count)
{
    bool some = false;
    for (uint32_t i = 0; i < count; i++) {
        fl_secagg_fact head;
        if (fl_secagg_fact_read(facts[i], &head) && head.round == self->task.order.round &&
            fl_run_equal(&head.run, &self->task.order.run)) {
            block *at = &self->block[head.block];
            at->facts[head.what - FL_KEEP_ROSTER] = facts[i];
            at->used = at->used || head.what == FL_KEEP_ROSTER;
            some = some || head.what == FL_KEEP_ROSTER;
        }
    }
    return some;
}

// ---- opening ----------------------------------------------------------------------------------
//  Those of a block, and where they are. After a restart some are yet to come.
static uint32_t
s_invites(fl_blocks *self, uint32_t number, uint64_t wall_s,
          fl_secagg_invite invites[FL_MEMBERS_MAX])
{
    uint32_t count = 0;
    if (self->resumed) {
        fl_name names[FL_MEMBERS_MAX];
        count =
            fl_secagg_fact_names(self->block[number].facts[0], &self->conf->trust, wall_s, names);
        for (uint32_t i = 0; i < count; i++) {
            fl_seat *seat = s_seat_named(self, &names[i]);
            invites[i] = (fl_secagg_invite){ .node = names[i], .away = seat == NULL };
            if (seat != NULL) {
                invites[i].peer = seat->peer;
                seat->in_block = true;
                seat->block = number;
            }
        }
        return count;
    }
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->in_block && seat->block == number) {
            invites[count++] = (fl_secagg_invite){ .node = seat->node, .peer = seat->peer };
        }
    }
    return count;
}

//  Without time, memory for it or names to go on with, a block ends before it has begun.
static void
s_open_one(fl_blocks *self, uint32_t number, const fl_secagg_times *times, uint64_t wall_s,
           fl_time now, fl_outbox *out)
{
    fl_secagg_invite invites[FL_MEMBERS_MAX];
    block *one = &self->block[number];
    uint32_t count = s_invites(self, number, wall_s, invites);
    if (one->machine == NULL) {
        one->machine = fl_secagg_server_new(self->conf);
    }
    one->reason = times->upload_by <= now ? FL_WHY_LATE
                  : count == 0            ? FL_WHY_RESTART
                  : one->machine == NULL  ? FL_WHY_STORAGE
                                          : FL_WHY_NONE;
    if (one->reason == FL_WHY_NONE) {
        FL_ASSERT(!fl_secagg_server_busy(one->machine));
        one->open = true;
        fl_secagg_server_open(one->machine, number, &self->task, invites, count, times, now, out);
    }
}

uint32_t
fl_blocks_open(fl_blocks *self, const fl_task *task, const fl_bytes *facts, uint32_t fact_count,
               const fl_secagg_times *times, uint64_t wall_s, fl_time now, fl_outbox *out)
{
    uint32_t accumulators = 1;
    self->task = *task;
    memset(&self->sum, 0, sizeof self->sum);
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        self->block[i] = (block){ .machine = self->block[i].machine };
    }
    self->resumed = s_sort(self, facts, fact_count);
    if (!self->resumed) {
        s_seat(self, out);
    }
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].used) {
            s_open_one(self, i, times, wall_s, now, out);
            accumulators = i + 1;
        }
    }
    return accumulators;
}

//  The machine of a block of this round; NULL when it has none.
static fl_secagg_server *
s_machine(const fl_blocks *self, uint32_t number)
{
    return self->block[number].open ? self->block[number].machine : NULL;
}

void
fl_blocks_resume(fl_blocks *self, uint64_t wall_s, fl_time now, fl_outbox *out)
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
        (void)fl_secagg_server_resume(machine, self->block[i].facts, count, wall_s, now, out);
    }
}

// ---- seats ------------------------------------------------------------------------------------
static fl_secagg_server *
s_of(const fl_blocks *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    return seat->in_block ? s_machine(self, seat->block) : NULL;
}

void
fl_blocks_hear(fl_blocks *self, uint32_t index, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_secagg_server *machine = s_of(self, index);
    if (machine != NULL) {
        fl_secagg_server_hear(machine, event, event->wall_s, now, out);
    }
}

void
fl_blocks_joined(fl_blocks *self, uint32_t index, fl_time now, fl_outbox *out)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    fl_secagg_server *machine = s_of(self, index);
    if (machine != NULL) {
        fl_secagg_server_joined(machine, &seat->node, seat->peer, now, out);
    }
}

void
fl_blocks_gone(fl_blocks *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_secagg_server *machine = s_of(self, index);
    if (machine != NULL) {
        fl_secagg_server_gone(machine, &fl_seats_look(self->seats, index)->node, now, out);
    }
}

void
fl_blocks_drop(fl_blocks *self, uint32_t index, fl_reason reason, fl_time now, fl_outbox *out)
{
    fl_secagg_server *machine = s_of(self, index);
    if (machine != NULL) {
        fl_secagg_server_drop(machine, &fl_seats_look(self->seats, index)->node, reason, now, out);
    }
}

fl_reason
fl_blocks_contrib(fl_blocks *self, uint32_t index, const fl_contrib *contrib, fl_outbox *out)
{
    fl_secagg_server *machine = s_of(self, index);
    return machine == NULL ? FL_WHY_UNKNOWN_ROUND
                           : fl_secagg_server_contrib(
                                 machine, &fl_seats_look(self->seats, index)->node, contrib, out);
}

bool
fl_blocks_wants(const fl_blocks *self, uint32_t index)
{
    const fl_secagg_server *machine = s_of(self, index);
    return machine != NULL &&
           fl_secagg_server_wants(machine, &fl_seats_look(self->seats, index)->node);
}

void
fl_blocks_uploaded(fl_blocks *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_secagg_server *machine = s_of(self, index);
    FL_ASSERT(machine != NULL);
    bool taken =
        fl_secagg_server_uploaded(machine, &fl_seats_look(self->seats, index)->node, now, out);
    FL_ASSERT(taken); // it was wanted, and its announcement was taken
}

fl_secagg_seat
fl_blocks_seat(const fl_blocks *self, uint32_t index)
{
    fl_secagg_seat seat = { 0 };
    const fl_secagg_server *machine = s_of(self, index);
    if (machine != NULL) {
        (void)fl_secagg_server_seat_of(machine, &fl_seats_look(self->seats, index)->node, &seat);
    }
    return seat;
}

bool
fl_blocks_adopt(fl_blocks *self, uint32_t index)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    for (uint32_t i = 0; i < FL_BLOCKS_MAX && self->resumed && !seat->in_block; i++) {
        const fl_secagg_server *machine = s_machine(self, i);
        fl_secagg_seat member;
        if (machine != NULL && fl_secagg_server_seat_of(machine, &seat->node, &member)) {
            seat->in_block = true;
            seat->block = i;
            return true;
        }
    }
    return false;
}

// ---- answers and time -------------------------------------------------------------------------
void
fl_blocks_saved(fl_blocks *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    uint64_t number = (event->saved.token & ~FL_SECAGG_TOKEN_SERVER) >> 32;
    if (number < FL_BLOCKS_MAX && self->block[number].machine != NULL) {
        //  False for a round that is over, and for a paper that nobody waits for.
        (void)fl_secagg_server_saved(self->block[number].machine, event->saved.token,
                                     event->saved.ok, now, out);
    }
}

void
fl_blocks_unmasked(fl_blocks *self, const fl_event *event, fl_outbox *out)
{
    uint32_t number = event->unmasked.block;
    FL_ASSERT(number < FL_BLOCKS_MAX && self->block[number].machine != NULL);
    fl_secagg_server_unmasked(self->block[number].machine, event, out);
}

void
fl_blocks_abort(fl_blocks *self, fl_reason reason, fl_outbox *out)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        fl_secagg_server *machine = s_machine(self, i);
        if (machine != NULL) {
            fl_secagg_server_abort(machine, reason, out);
        }
    }
}

void
fl_blocks_tick(fl_blocks *self, fl_time now, fl_outbox *out)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        fl_secagg_server *machine = s_machine(self, i);
        if (machine != NULL) {
            fl_secagg_server_tick(machine, now, out);
        }
    }
}

fl_time
fl_blocks_deadline(const fl_blocks *self)
{
    fl_time at = FL_NEVER;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        const fl_secagg_server *machine = s_machine(self, i);
        fl_time one = machine == NULL ? FL_NEVER : fl_secagg_server_deadline(machine);
        at = one < at ? one : at;
    }
    return at;
}

// ---- how they end -----------------------------------------------------------------------------
bool
fl_blocks_collecting(const fl_blocks *self)
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

bool
fl_blocks_ended(const fl_blocks *self)
{
    bool ended = true;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        ended = ended && (!self->block[i].used || self->block[i].taken);
    }
    return ended;
}

bool
fl_blocks_busy(const fl_blocks *self)
{
    bool busy = false;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        const fl_secagg_server *machine = self->block[i].machine;
        busy = busy || (machine != NULL && fl_secagg_server_busy(machine));
    }
    return busy;
}

//  Each block is within the plan's proof by itself; together they must be, too.
static bool
s_add(fl_blocks *self, uint32_t number, const fl_secagg_result *result)
{
    const fl_plan *plan = &self->task.order.plan;
    fl_blocks_sum *sum = &self->sum;
    const fl_secagg_sums *more = &result->sums;
    if (more->count > plan->devices_max - sum->count ||
        more->weight > (uint64_t)plan->devices_max * plan->weight_max - sum->weight) {
        return false;
    }
    sum->set |= (uint64_t)1 << number;
    sum->survivors += result->survivors;
    sum->weight += more->weight;
    sum->count += (uint32_t)more->count;
    for (int i = 0; i < FL_STATS; i++) {
        sum->stats[i] += more->stats[i];
    }
    return true;
}

bool
fl_blocks_take_end(fl_blocks *self, uint32_t *number, fl_reason *reason)
{
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        block *one = &self->block[i];
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
        if (self->sum.reason == FL_WHY_NONE) {
            self->sum.reason = *reason;
        }
        one->reason = *reason;
        *number = i;
        return true;
    }
    return false;
}

const fl_blocks_sum *
fl_blocks_sum_of(const fl_blocks *self)
{
    return &self->sum;
}

// ---- the report -------------------------------------------------------------------------------
//  Of a block that is in the round, whether it was opened or not, in the order of its sets.
static fl_secagg_result
s_result(const fl_blocks *self, uint32_t number)
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

void
fl_blocks_tally(const fl_blocks *self, fl_tally *tally)
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
s_below(const fl_blocks *self, const fl_seat *seat, const fl_block_line *line)
{
    return line->hop == 1 && !fl_name_equal(&line->parent, &self->conf->node) &&
           (fl_name_equal(&line->parent, &seat->node) || !fl_seats_has(self->seats, &line->parent));
}

//  Of the edges that are in, as far as there is room.
static uint32_t
s_lines_below(fl_blocks *self, uint32_t count)
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
s_line(const fl_blocks *self, uint32_t number)
{
    fl_secagg_result result = s_result(self, number);
    return (fl_block_line){ .parent = self->conf->node,
                            .block = (uint16_t)number,
                            .hop = self->conf->hop,
                            .reason = (uint8_t)result.reason,
                            .members = (uint8_t)result.members,
                            .masked = (uint8_t)result.masked,
                            .survivors = (uint8_t)result.survivors };
}

bool
fl_blocks_look(const fl_blocks *self, uint32_t number, fl_block_line *line, fl_secagg_state *state)
{
    const fl_secagg_server *machine = s_machine(self, number);
    *line = s_line(self, number);
    *state = machine == NULL ? FL_SERVER_ABORTED : fl_secagg_server_state(machine);
    return self->block[number].used;
}

const fl_block_line *
fl_blocks_lines(fl_blocks *self, uint32_t *count)
{
    uint32_t own = 0;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        if (self->block[i].used) {
            self->lines[own++] = s_line(self, i);
        }
    }
    *count = s_lines_below(self, own);
    return self->lines;
}
