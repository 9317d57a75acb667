//  The aggregator is trusted with the work, not with the inputs. It may stop a round, and then it
//  says why; it can open one sum of many, and nothing smaller, because members give it the pieces
//  of one sum only. It is the first to check what members show each other, so that a liar is named
//  here and does not spoil the round of the others.
#include "common/secagg/server_inside.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[FL_SERVER_STATES] = {
    [FL_SERVER_NO_ROUND] = "no-round",
    [FL_SERVER_INVITED] = "invited",
    [FL_SERVER_ROSTERED] = "rostered",
    [FL_SERVER_DEALING] = "dealing",
    [FL_SERVER_WAITING_READY] = "waiting-ready",
    [FL_SERVER_COLLECTING] = "collecting",
    [FL_SERVER_ACKING] = "acking",
    [FL_SERVER_OPENING] = "opening",
    [FL_SERVER_SUMMING] = "summing",
    [FL_SERVER_DONE] = "done",
    [FL_SERVER_ABORTED] = "aborted",
};

//  Every state may be aborted, and every end opened anew.
static const fl_secagg_state next_of[FL_SERVER_STATES] = {
    [FL_SERVER_INVITED] = FL_SERVER_ROSTERED,      [FL_SERVER_ROSTERED] = FL_SERVER_DEALING,
    [FL_SERVER_DEALING] = FL_SERVER_WAITING_READY, [FL_SERVER_WAITING_READY] = FL_SERVER_COLLECTING,
    [FL_SERVER_COLLECTING] = FL_SERVER_ACKING,     [FL_SERVER_ACKING] = FL_SERVER_OPENING,
    [FL_SERVER_OPENING] = FL_SERVER_SUMMING,       [FL_SERVER_SUMMING] = FL_SERVER_DONE,
};

const char *
fl_secagg_state_name(fl_secagg_state state)
{
    FL_ASSERT((unsigned)state < FL_SERVER_STATES);
    return names[state];
}

fl_secagg_server *
fl_secagg_server_new(const fl_secagg_server_conf *conf)
{
    fl_secagg_server *self = calloc(1, sizeof *self);
    if (self != NULL) {
        FL_ASSERT(conf->hop >= 1);
        self->conf = *conf;
        self->opening = calloc(FL_MEMBERS_MAX, sizeof *self->opening);
        if (self->opening == NULL) {
            fl_secagg_server_destroy(&self);
        }
    }
    return self;
}

static void
s_free_room(fl_secagg_server *self)
{
    free(self->dealt_fact);
    free(self->parts);
    free(self->evidence);
    self->dealt_fact = self->parts = self->evidence = NULL;
    self->dealt_bytes = 0;
}

void
fl_secagg_server_destroy(fl_secagg_server **self_p)
{
    fl_secagg_server *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        if (self->opening != NULL) {
            fl_secagg_server_forget(self);
        }
        s_free_room(self);
        free(self->opening);
        free(self);
    }
}

void
fl_secagg_server_enter(fl_secagg_server *self, fl_secagg_state next, fl_outbox *out)
{
    bool honest = self->task.order.plan.masking == FL_MASKING_HONEST &&
                  self->state == FL_SERVER_COLLECTING && next == FL_SERVER_OPENING;
    FL_ASSERT(next == FL_SERVER_ABORTED || next == next_of[self->state] || honest);
    self->state = next;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING,
                                   .round = self->task.order.round,
                                   .reason = self->result.reason,
                                   .a = (uint64_t)next,
                                   .b = self->block.members });
}

void
fl_secagg_server_open(fl_secagg_server *self, uint32_t block, const fl_task *task,
                      const fl_secagg_invite *invites, uint32_t count, const fl_secagg_times *times,
                      fl_time now, fl_outbox *out)
{
    FL_ASSERT(count >= 1 && count <= FL_MEMBERS_MAX && block < FL_SEATS_MAX);
    FL_ASSERT(task->order.plan.masking != FL_MASKING_NONE);
    s_free_room(self);
    fl_secagg_server_forget(self);
    fl_secagg_server_conf conf = self->conf;
    fl_share(*opening)[FL_MEMBERS_MAX] = self->opening;
    uint64_t tokens = self->tokens;
    bool unmasking = self->unmasking;
    memset(self, 0, sizeof *self);
    self->conf = conf;
    self->opening = opening;
    self->tokens = tokens;
    self->unmasking = unmasking;
    self->block_id = block;
    self->task = *task;
    self->task_hash = fl_secagg_task_hash(task);
    self->times = *times;
    self->step_by = FL_NEVER;
    self->count = count;
    for (uint32_t i = 0; i < count; i++) {
        self->child[i].node = invites[i].node;
        self->child[i].peer = invites[i].peer;
        self->child[i].reachable = !invites[i].away;
    }
    self->block.round = (fl_transcript_round){ .run = task->order.run,
                                               .hop = conf.hop,
                                               .edge = conf.node,
                                               .block = block,
                                               .round = task->order.round };
    self->state = FL_SERVER_INVITED;
    fl_secagg_server_advance(self, now, out);
}

fl_secagg_child *
fl_secagg_server_child(fl_secagg_server *self, const fl_name *node, uint32_t *index)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_name_equal(&self->child[i].node, node)) {
            *index = i;
            return &self->child[i];
        }
    }
    return NULL;
}

void
fl_secagg_server_turn_away(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_verb about,
                           fl_note_id note, fl_outbox *out)
{
    fl_secagg_child *child = &self->child[index];
    child->reason = reason;
    fl_outbox_note(out, (fl_note){ .id = note,
                                   .node = child->node,
                                   .round = self->task.order.round,
                                   .reason = reason,
                                   .a = index,
                                   .b = (uint64_t)self->state });
    if (child->reachable) {
        fl_message *message = fl_outbox_send(out, child->peer, FL_REFUSED);
        message->run = self->task.order.run;
        message->round = self->task.order.round;
        message->refused.reason = reason;
        message->refused.about = about;
    }
}

void
fl_secagg_server_blame(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_verb about,
                       fl_outbox *out)
{
    self->child[index].blamed = true;
    fl_secagg_server_turn_away(self, index, reason, about, FL_NOTE_MASKING_BLAMED, out);
}

// ---- the end ---------------------------------------------------------------------------------
void
fl_secagg_server_abort(fl_secagg_server *self, fl_reason reason, fl_outbox *out)
{
    FL_ASSERT(reason != FL_WHY_NONE);
    if (self->state == FL_SERVER_NO_ROUND || self->state >= FL_SERVER_DONE) {
        return;
    }
    fl_secagg_server_forget(self);
    self->token = 0;
    self->step_by = FL_NEVER;
    memset(&self->result, 0, sizeof self->result);
    self->result.reason = reason;
    fl_secagg_server_enter(self, FL_SERVER_ABORTED, out);
}

//  How many of a set are devices.
static uint32_t
s_devices(const fl_secagg_server *self, uint64_t set)
{
    uint32_t devices = 0;
    for (uint32_t i = 0; i < self->block.members; i++) {
        bool device = self->block.cert[i].role == FL_ROLE_DEVICE;
        devices += (set & fl_secagg_bit(i)) != 0 && device ? 1 : 0;
    }
    return devices;
}

//  What a sum must look like, whoever made it: a device counts once, an edge for what is behind it.
static fl_reason
s_judge_sums(const fl_secagg_server *self, const fl_secagg_sums *sums, const fl_event *event)
{
    const fl_plan *plan = &self->task.order.plan;
    uint64_t survivors = fl_set_count(self->survivors);
    if (sums->checksum != event->unmasked.checksum) {
        return FL_WHY_CHECKSUM;
    }
    bool alone = s_devices(self, self->survivors) == survivors;
    bool counted = sums->count >= survivors && sums->count <= plan->devices_max &&
                   (!alone || sums->count == survivors);
    if (!counted || sums->weight < sums->count || sums->weight > sums->count * plan->weight_max) {
        return FL_WHY_COUNT_MISMATCH;
    }
    uint64_t limit = ((uint64_t)1 << (plan->bits - 1)) - 1; // of one unit of weight
    return event->unmasked.peak <= sums->weight * limit ? FL_WHY_NONE : FL_WHY_WEIGHT;
}

void
fl_secagg_server_unmasked(fl_secagg_server *self, const fl_event *event, fl_outbox *out)
{
    self->unmasking = false;
    if (self->state != FL_SERVER_SUMMING || event->unmasked.block != self->block_id) {
        return; // of a block that was given up
    }
    fl_secagg_sums sums = { 0 };
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((self->survivors & fl_secagg_bit(i)) != 0) {
            fl_secagg_header_add(&sums, self->header[i]);
        }
    }
    fl_secagg_header_mask(&sums, self->seeds, self->seed_count);
    fl_reason reason = s_judge_sums(self, &sums, event);
    if (reason != FL_WHY_NONE) {
        fl_secagg_server_abort(self, reason, out);
        return;
    }
    fl_secagg_server_forget(self);
    self->result.sums = sums;
    fl_secagg_server_enter(self, FL_SERVER_DONE, out);
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_ENDED,
                                   .round = self->task.order.round,
                                   .a = fl_set_count(self->survivors),
                                   .b = fl_set_count(self->maskset & ~self->survivors) });
}

// ---- leaving states --------------------------------------------------------------------------
//  Nobody in `set` is still to come; `have`: those who answered.
static bool
s_all_answered(const fl_secagg_server *self, uint64_t set, uint64_t have)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_secagg_child *child = &self->child[i];
        bool awaited = (set & fl_secagg_bit(i)) != 0 && (have & fl_secagg_bit(i)) == 0;
        if (awaited && !child->gone && child->reason == FL_WHY_NONE) {
            return false;
        }
    }
    return true;
}

static void
s_fix_roster(fl_secagg_server *self)
{
    uint32_t members = 0;
    for (uint32_t i = 0; i < self->count; i++) { // those with keys to the front, in their order
        if (self->child[i].keyed) {
            fl_secagg_child keyed = self->child[i];
            memmove(&self->child[members + 1], &self->child[members], (i - members) * sizeof keyed);
            self->child[members++] = keyed;
        }
    }
    for (uint32_t i = 0; i < members; i++) {
        memcpy(self->roster_fact + FL_FACT_HEAD_BYTES + (size_t)i * FL_MEMBER_BYTES,
               self->child[i].member, FL_MEMBER_BYTES);
    }
}

//  INVITED -> ROSTERED
static bool
s_leave_invited(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    uint64_t keyed = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        keyed |= self->child[i].keyed ? fl_secagg_bit(i) : 0;
    }
    if (!s_all_answered(self, fl_secagg_all(self->count), keyed) && now < self->times.keys_by) {
        return false;
    }
    const fl_plan *plan = &self->task.order.plan;
    uint32_t members = fl_set_count(keyed);
    uint32_t floor = fl_secagg_floor(plan->members_min, self->conf.hop);
    self->threshold = fl_secagg_threshold(members);
    self->quorum = fl_secagg_quorum(members, fl_secagg_floor(plan->survivors_min, self->conf.hop));
    if (members < FL_SECAGG_MEMBERS_MIN || members < floor || members < self->quorum) {
        fl_secagg_server_abort(self, FL_WHY_ROSTER_TOO_SMALL, out);
        return false;
    }
    s_fix_roster(self);
    fl_secagg_block_seal(&self->block, fl_bytes_of(self->roster_fact + FL_FACT_HEAD_BYTES,
                                                   (size_t)members * FL_MEMBER_BYTES));
    //  `block` was filled in the order in which KEYS came: line it up with the roster.
    fl_secagg_block block = self->block;
    for (uint32_t i = 0; i < members; i++) {
        for (uint32_t n = 0; n < members; n++) {
            if (fl_name_equal(&block.seat[n].node, &self->child[i].node)) {
                self->block.cert[i] = block.cert[n];
                self->block.seat[i] = block.seat[n];
                self->block.seat[i].index = i;
            }
        }
    }
    if (!fl_secagg_server_make_room(self)) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return false;
    }
    fl_secagg_server_keep(self, FL_KEEP_ROSTER, out);
    fl_secagg_server_enter(self, FL_SERVER_ROSTERED, out);
    return true;
}

//  ROSTERED -> DEALING
static bool
s_leave_rostered(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, fl_secagg_all(self->block.members), self->dealt) &&
        now < self->times.deal_by) {
        return false;
    }
    if (fl_set_count(self->dealt) < self->quorum) {
        fl_secagg_server_abort(self, FL_WHY_TOO_FEW_DEALT, out);
        return false;
    }
    fl_secagg_server_keep(self, FL_KEEP_DEALT, out);
    fl_secagg_server_enter(self, FL_SERVER_DEALING, out);
    return true;
}

//  DEALING -> WAITING_READY
static bool
s_leave_dealing(fl_secagg_server *self, fl_outbox *out)
{
    if (!fl_secagg_server_make_parts(self)) {
        fl_secagg_server_abort(self, FL_WHY_STORAGE, out);
        return false;
    }
    fl_secagg_server_enter(self, FL_SERVER_WAITING_READY, out);
    return true;
}

//  The mask set, without those whose upload cannot come: as long as somebody in it lacks a good
//  share of somebody else in it, the one with the most such gaps, on either side, goes.
static uint64_t
s_choose_maskset(const fl_secagg_server *self)
{
    uint64_t set = self->heard_ready & self->dealt;
    for (uint32_t i = 0; i < self->block.members; i++) {
        set &= self->child[i].reason == FL_WHY_NONE ? UINT64_MAX : ~fl_secagg_bit(i);
    }
    for (;;) {
        uint32_t worst = 0, most = 0;
        for (uint32_t i = 0; i < self->block.members; i++) {
            if ((set & fl_secagg_bit(i)) == 0) {
                continue;
            }
            uint32_t gaps = fl_set_count(set & ~self->ready[i]);
            for (uint32_t n = 0; n < self->block.members; n++) {
                bool lacks =
                    (set & fl_secagg_bit(n)) != 0 && (self->ready[n] & fl_secagg_bit(i)) == 0;
                gaps += lacks ? 1 : 0;
            }
            worst = gaps > most ? i : worst;
            most = gaps > most ? gaps : most;
        }
        if (most == 0) {
            return set;
        }
        set &= ~fl_secagg_bit(worst);
    }
}

//  WAITING_READY -> COLLECTING
static bool
s_leave_waiting(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, self->dealt, self->heard_ready) && now < self->times.ready_by) {
        return false;
    }
    uint64_t set = s_choose_maskset(self);
    if (fl_set_count(set) < self->quorum) {
        fl_secagg_server_abort(self, FL_WHY_TOO_FEW_READY, out);
        return false;
    }
    self->maskset = set;
    fl_secagg_server_bind(self);
    fl_secagg_server_keep(self, FL_KEEP_MASKSET, out);
    fl_secagg_server_enter(self, FL_SERVER_COLLECTING, out);
    return true;
}

//  COLLECTING -> ACKING, under the profile honest OPENING
static bool
s_leave_collecting(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, self->maskset, self->uploaded) && now < self->times.upload_by) {
        return false;
    }
    if (fl_set_count(self->uploaded) < self->quorum) {
        fl_secagg_server_abort(self, FL_WHY_TOO_FEW_UPLOADS, out);
        return false;
    }
    self->survivors = self->uploaded;
    self->fixed = true;
    fl_secagg_server_bind(self);
    fl_secagg_server_keep(self, FL_KEEP_SURVIVORS, out);
    self->step_by = now + self->task.order.plan.step_ms;
    bool honest = self->task.order.plan.masking == FL_MASKING_HONEST;
    fl_secagg_server_enter(self, honest ? FL_SERVER_OPENING : FL_SERVER_ACKING, out);
    return true;
}

//  ACKING -> OPENING
static bool
s_leave_acking(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    if (!s_all_answered(self, self->survivors, self->acked) && now < self->step_by) {
        return false;
    }
    if (fl_set_count(self->acked) < self->threshold) {
        fl_secagg_server_abort(self, FL_WHY_TOO_FEW_ACKS, out);
        return false;
    }
    fl_secagg_server_keep(self, FL_KEEP_ACKS, out);
    self->step_by = now + self->task.order.plan.step_ms;
    if (self->resumed && self->step_by < self->times.upload_by) {
        self->step_by = self->times.upload_by;
    }
    fl_secagg_server_enter(self, FL_SERVER_OPENING, out);
    return true;
}

//  OPENING -> SUMMING. Nothing is gained by waiting for more shares than rebuild.
static bool
s_leave_opening(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    bool whole = (self->survivors & ~self->uploaded) == 0; // uploads come again after a restart
    if (fl_secagg_server_complete(self) && whole) {
        fl_secagg_server_sum(self, out);
        return false;
    }
    uint64_t have = self->opened & (whole ? UINT64_MAX : self->uploaded);
    if (!s_all_answered(self, self->survivors, have) && now < self->step_by) {
        return false;
    }
    fl_secagg_server_abort(self, whole ? FL_WHY_TOO_FEW_SHARES : FL_WHY_RESTART, out);
    return false;
}

static bool
s_leave(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    switch (self->state) {
    case FL_SERVER_INVITED:
        return s_leave_invited(self, now, out);
    case FL_SERVER_ROSTERED:
        return s_leave_rostered(self, now, out);
    case FL_SERVER_DEALING:
        return s_leave_dealing(self, out);
    case FL_SERVER_WAITING_READY:
        return s_leave_waiting(self, now, out);
    case FL_SERVER_COLLECTING:
        return s_leave_collecting(self, now, out);
    case FL_SERVER_ACKING:
        return s_leave_acking(self, now, out);
    case FL_SERVER_OPENING:
        return s_leave_opening(self, now, out);
    case FL_SERVER_NO_ROUND:
    case FL_SERVER_SUMMING:
    case FL_SERVER_DONE:
    case FL_SERVER_ABORTED:
    case FL_SERVER_STATES:
        break;
    }
    return false;
}

void
fl_secagg_server_advance(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    while (self->token == 0 && s_leave(self, now, out)) {
    }
}

// ---- time ------------------------------------------------------------------------------------
fl_time
fl_secagg_server_deadline(const fl_secagg_server *self)
{
    if (self->token != 0) {
        return FL_NEVER; // the answer to KEEP wakes us
    }
    switch (self->state) {
    case FL_SERVER_INVITED:
        return self->times.keys_by;
    case FL_SERVER_ROSTERED:
        return self->times.deal_by;
    case FL_SERVER_WAITING_READY:
        return self->times.ready_by;
    case FL_SERVER_COLLECTING:
        return self->times.upload_by;
    case FL_SERVER_ACKING:
    case FL_SERVER_OPENING:
        return self->step_by;
    case FL_SERVER_NO_ROUND:
    case FL_SERVER_DEALING:
    case FL_SERVER_SUMMING:
    case FL_SERVER_DONE:
    case FL_SERVER_ABORTED:
    case FL_SERVER_STATES:
        break;
    }
    return FL_NEVER;
}

void
fl_secagg_server_tick(fl_secagg_server *self, fl_time now, fl_outbox *out)
{
    fl_secagg_server_advance(self, now, out);
}

// ---- what the aggregator looks at
// ----------------------------------------------------------------
fl_secagg_state
fl_secagg_server_state(const fl_secagg_server *self)
{
    return self->state;
}

bool
fl_secagg_server_result(const fl_secagg_server *self, fl_secagg_result *result)
{
    *result = self->result;
    result->members = self->block.members;
    result->masked = fl_set_count(self->maskset);
    result->survivors = fl_set_count(self->survivors);
    result->masked_devices = s_devices(self, self->maskset);
    result->surviving_devices = s_devices(self, self->survivors);
    return self->state == FL_SERVER_DONE || self->state == FL_SERVER_ABORTED;
}

uint32_t
fl_secagg_server_seats(const fl_secagg_server *self)
{
    return self->count;
}

fl_secagg_seat
fl_secagg_server_seat(const fl_secagg_server *self, uint32_t seat)
{
    FL_ASSERT(seat < self->count);
    const fl_secagg_child *child = &self->child[seat];
    bool rostered =
        self->state >= FL_SERVER_ROSTERED && seat < self->block.members && self->dealt_fact != NULL;
    uint64_t bit = rostered ? fl_secagg_bit(seat) : 0;
    return (fl_secagg_seat){ .node = child->node,
                             .in_roster = rostered,
                             .dealt = (self->dealt & bit) != 0,
                             .masked = (self->maskset & bit) != 0,
                             .survived = (self->survivors & bit) != 0,
                             .reason = child->reason,
                             .blamed = child->blamed };
}

bool
fl_secagg_server_seat_of(const fl_secagg_server *self, const fl_name *node, fl_secagg_seat *seat)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_name_equal(&self->child[i].node, node)) {
            *seat = fl_secagg_server_seat(self, i);
            return true;
        }
    }
    return false;
}

bool
fl_secagg_server_busy(const fl_secagg_server *self)
{
    return self->unmasking;
}
