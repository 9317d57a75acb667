//  What the parent says, in the order of a round. A message of another round or block, or of a step
//  that is not due, is dropped; a second content for one that was taken burns the round (R2).
#include "common/secagg/client_inside.h"

#include <string.h>

static void
s_drop(fl_secagg_client *self, const fl_message *message, fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_REFUSED,
                                   .round = message->round,
                                   .reason = FL_WHY_UNKNOWN_ROUND,
                                   .a = (uint64_t)message->verb,
                                   .b = (uint64_t)self->step });
}

// ---- ROSTER -> SHARES ------------------------------------------------------------------------
//  FL_WHY_NONE when this is a block that we may be in, at `self->index`.
static fl_reason
s_read_roster(fl_secagg_client *self, const fl_block_roster *roster, uint64_t now_s)
{
    fl_secagg_block *block = &self->block;
    bool found = false;
    block->members = 0;
    block->round.block = roster->block;
    fl_secagg_block_seal(block, roster->members);
    if (!FL_SECAGG_RULE(&self->conf, FL_RULE_ROSTER)) {
        memset(&block->round.roster, 0, sizeof block->round.roster);
    }
    for (size_t at = 0; at < roster->members.size; at += FL_MEMBER_BYTES) {
        fl_bytes member = fl_bytes_of(roster->members.data + at, FL_MEMBER_BYTES);
        fl_reason reason = fl_secagg_block_add(block, member, &self->conf.trust, now_s);
        if (reason != FL_WHY_NONE) {
            return reason;
        }
        const fl_transcript_seat *seat = &block->seat[block->members - 1];
        if (fl_name_equal(&seat->node, &self->conf.node)) {
            found = memcmp(member.data, self->conf.certificate, FL_CERT_BYTES) == 0 &&
                    memcmp(seat->epk, self->epk, sizeof self->epk) == 0 &&
                    memcmp(seat->mpk, self->mpk, sizeof self->mpk) == 0;
            self->index = seat->index;
        }
    }
    return found ? FL_WHY_NONE : FL_WHY_KEY; // our entry is missing, or is not ours
}

static fl_reason
s_judge_block(fl_secagg_client *self)
{
    const fl_plan *plan = &self->task.order.plan;
    uint32_t members = self->block.members;
    uint32_t floor = fl_secagg_floor(plan->survivors_min, self->conf.hop);
    floor = floor > self->conf.survivors_min ? floor : self->conf.survivors_min;
    self->quorum = fl_secagg_quorum(members, floor);
    if (FL_SECAGG_RULE(&self->conf, FL_RULE_FLOORS) &&
        (members < FL_SECAGG_MEMBERS_MIN || members < self->conf.members_min ||
         members < fl_secagg_floor(plan->members_min, self->conf.hop) || members < self->quorum)) {
        return FL_WHY_ROSTER_TOO_SMALL;
    }
    if (!FL_SECAGG_RULE(&self->conf, FL_RULE_FLOORS)) {
        self->quorum = fl_secagg_threshold(members);
    }
    if (members > plan->block_max) {
        return FL_WHY_POLICY_REFUSED;
    }
    return FL_WHY_NONE;
}

//  R4: under a model that was opened before, only the same survivors may be opened again.
static bool
s_bound_by_model(const fl_secagg_client *self)
{
    uint64_t opened = fl_secagg_mark_opened(&self->mark, &self->task.order.model);
    bool waived = self->conf.reopen_after > 0 && self->task.order.round > opened &&
                  self->task.order.round - opened >= self->conf.reopen_after;
    return opened > 0 && !waived && FL_SECAGG_RULE(&self->conf, FL_RULE_SAME_MODEL);
}

static uint32_t
s_names(const fl_secagg_client *self, uint64_t set, fl_name names[FL_MEMBERS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((set & fl_secagg_bit(i)) != 0) {
            names[count++] = self->block.seat[i].node;
        }
    }
    return count;
}

//  Those who survived last time are all among `set`; `exactly`: and nobody else.
static bool
s_same_model_allows(const fl_secagg_client *self, uint64_t set, bool exactly)
{
    fl_name names[FL_MEMBERS_MAX];
    uint32_t count = s_names(self, set, names);
    const fl_hash *model = &self->task.order.model;
    return !s_bound_by_model(self) ||
           (exactly ? fl_secagg_mark_exactly(&self->mark, model, names, count)
                    : fl_secagg_mark_within(&self->mark, model, names, count));
}

static void
on_roster(fl_secagg_client *self, const fl_message *message, uint64_t now_s, fl_time now,
          fl_outbox *out)
{
    fl_reason reason = s_read_roster(self, &message->roster, now_s);
    if (reason == FL_WHY_NONE) {
        reason = s_judge_block(self);
    }
    if (reason == FL_WHY_NONE &&
        !s_same_model_allows(self, fl_secagg_all(self->block.members), false)) {
        reason = FL_WHY_SAME_MODEL;
    }
    if (reason == FL_WHY_NONE && !fl_secagg_client_deal(self, now, out)) {
        reason = FL_WHY_KEY;
    }
    if (reason != FL_WHY_NONE) {
        fl_secagg_client_burn(self, reason, FL_ROSTER, out);
        return;
    }
    fl_secagg_client_enter(self, FL_CLIENT_DEALT, out);
}

// ---- DEALT -> READY --------------------------------------------------------------------------
static void
on_dealt(fl_secagg_client *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    const fl_block_dealt *dealt = &message->dealt;
    if (!fl_set_within(dealt->dealers, self->block.members) ||
        (dealt->dealers & fl_secagg_bit(self->index)) != 0) {
        fl_secagg_client_burn(self, FL_WHY_MALFORMED, FL_DEALT, out);
        return;
    }
    const uint8_t *part = dealt->parts.data;
    self->good = fl_secagg_bit(self->index);
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((dealt->dealers & fl_secagg_bit(i)) == 0) {
            continue;
        }
        self->good |= fl_secagg_client_take(self, i, part) ? fl_secagg_bit(i) : 0;
        part += FL_DEALT_BYTES;
    }
    memset(&self->said, 0, sizeof self->said); // SHARES have arrived
    self->again_at = FL_NEVER;
    fl_secagg_client_ready(self, now, out);
}

// ---- MASKSET -> the masked update ------------------------------------------------------------
static bool
s_make_seeds(fl_secagg_client *self)
{
    const fl_secagg_block *block = &self->block;
    fl_secagg_secrets *secrets = self->secrets;
    secrets->seed_count = 0;
    fl_transcript_self_seed(&self->ctx, secrets->b, &secrets->seeds[secrets->seed_count++]);
    for (uint32_t i = 0; i < block->members; i++) {
        if (i == self->index || (self->maskset & fl_secagg_bit(i)) == 0) {
            continue;
        }
        if (!fl_transcript_mask_seed(&self->ctx, &block->seat[self->index], secrets->msk,
                                     &block->seat[i], &secrets->seeds[secrets->seed_count++])) {
            return false;
        }
    }
    return true;
}

static void
s_make_ctx(fl_secagg_client *self)
{
    fl_hash task = self->task_hash;
    if (!FL_SECAGG_RULE(&self->conf, FL_RULE_CTX_TASK)) {
        memset(&task, 0, sizeof task);
    }
    fl_hash maskset = fl_transcript_set_hash(self->maskset, self->block.members);
    self->ctx = fl_transcript_ctx(&self->block.round, &task, &maskset);
}

static fl_reason
s_judge_maskset(const fl_secagg_client *self, uint64_t set)
{
    if (!fl_set_within(set, self->block.members)) {
        return FL_WHY_MALFORMED;
    }
    bool sound = (set & ~self->good) == 0;
    if (!sound && FL_SECAGG_RULE(&self->conf, FL_RULE_SUBSET)) {
        return FL_WHY_MALFORMED;
    }
    if (fl_set_count(set) < self->quorum && FL_SECAGG_RULE(&self->conf, FL_RULE_SIZE)) {
        return FL_WHY_TOO_FEW_READY;
    }
    return s_same_model_allows(self, set, false) ? FL_WHY_NONE : FL_WHY_SAME_MODEL;
}

static void
on_maskset(fl_secagg_client *self, const fl_message *message, fl_outbox *out)
{
    uint64_t set = message->maskset.members;
    if (fl_set_within(set, self->block.members) && (set & fl_secagg_bit(self->index)) == 0) {
        fl_secagg_client_leave(self, FL_WHY_LATE, out); // R5: says nothing more
        return;
    }
    fl_reason reason = s_judge_maskset(self, set);
    if (reason == FL_WHY_NONE) {
        self->maskset = set;
        s_make_ctx(self);
        reason = s_make_seeds(self) ? FL_WHY_NONE : FL_WHY_KEY;
    }
    if (reason != FL_WHY_NONE) {
        fl_secagg_client_burn(self, reason, FL_MASKSET, out);
        return;
    }
    //  R4: spent before the first masked byte exists.
    fl_secagg_mark_spend(&self->mark, &self->task.order.run, self->task.order.round);
    fl_secagg_client_keep(self, out); // READY, said again, asks for news meanwhile
    fl_secagg_client_enter(self, FL_CLIENT_MASKED, out);
}

// ---- SURVIVORS -> ACK ------------------------------------------------------------------------
static fl_reason
s_judge_survivors(const fl_secagg_client *self, uint64_t set)
{
    if (!fl_set_within(set, self->block.members)) {
        return FL_WHY_MALFORMED;
    }
    if ((set & ~self->maskset) != 0 && FL_SECAGG_RULE(&self->conf, FL_RULE_SUBSET)) {
        return FL_WHY_MALFORMED;
    }
    if (fl_set_count(set) < self->quorum && FL_SECAGG_RULE(&self->conf, FL_RULE_SIZE)) {
        return FL_WHY_TOO_FEW_UPLOADS;
    }
    return s_same_model_allows(self, set, true) ? FL_WHY_NONE : FL_WHY_SAME_MODEL;
}

//  R1: whose own mask may be opened. Under the profile honest: every survivor's.
static uint64_t
s_signers(const fl_secagg_client *self, const fl_block_survivors *survivors)
{
    uint64_t signers = fl_secagg_bit(self->index);
    const uint8_t *psig = survivors->psigs.data;
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((survivors->members & fl_secagg_bit(i)) == 0) {
            continue;
        }
        bool plain = self->task.order.plan.masking == FL_MASKING_HONEST ||
                     !FL_SECAGG_RULE(&self->conf, FL_RULE_SIGNED);
        if (plain || (survivors->psigs.size > 0 &&
                      fl_transcript_psig_holds(self->block.cert[i].keys.ed, &self->ctx, i, psig))) {
            signers |= fl_secagg_bit(i);
        }
        psig = psig == NULL ? NULL : psig + FL_SIGN_BYTES;
    }
    return signers;
}

static void
s_acknowledge(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    fl_block_ack *ack = &fl_secagg_client_word(self, FL_ACK)->ack;
    ack->block = self->block.round.block;
    fl_transcript_asig(self->conf.keys, &self->ctx, &self->survivors_hash, self->index,
                       ack->signature);
    fl_secagg_client_utter(self, now, out);
    fl_secagg_client_enter(self, FL_CLIENT_ACKED, out);
}

//  The sum may be opened: remember which, for ever, before anybody hears a share.
static void
s_open(fl_secagg_client *self, fl_outbox *out)
{
    fl_name names[FL_MEMBERS_MAX];
    uint32_t count = s_names(self, self->survivors, names);
    fl_secagg_mark_open(&self->mark, self->task.order.round, &self->task.order.model, names, count);
    fl_secagg_client_keep(self, out);
}

static void
on_survivors(fl_secagg_client *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    const fl_block_survivors *survivors = &message->survivors;
    uint64_t set = survivors->members;
    if (fl_set_within(set, self->block.members) && (set & fl_secagg_bit(self->index)) == 0) {
        return; // R3: only survivors speak from here on; CLOSED ends this round for us
    }
    fl_reason reason = s_judge_survivors(self, set);
    if (reason != FL_WHY_NONE || !self->masked) {
        fl_secagg_client_burn(self, reason == FL_WHY_NONE ? FL_WHY_EQUIVOCATION : reason,
                              FL_SURVIVORS, out); // nobody has our upload yet
        return;
    }
    self->survivors = set;
    self->survivors_hash = fl_transcript_set_hash(set, self->block.members);
    self->signers = s_signers(self, survivors);
    if (self->task.order.plan.masking == FL_MASKING_HONEST) {
        s_open(self, out);
    } else {
        s_acknowledge(self, now, out);
    }
}

// ---- ACKS -> UNMASK --------------------------------------------------------------------------
//  R3: how many survivors signed what we signed, ourselves included.
static uint32_t
s_agreeing(const fl_secagg_client *self, const fl_block_acks *acks)
{
    uint32_t agreeing = 1;
    const uint8_t *asig = acks->asigs.data;
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((acks->members & fl_secagg_bit(i)) == 0) {
            continue;
        }
        if (i != self->index && (self->survivors & fl_secagg_bit(i)) != 0 &&
            fl_transcript_asig_holds(self->block.cert[i].keys.ed, &self->ctx, &self->survivors_hash,
                                     i, asig)) {
            agreeing++;
        }
        asig += FL_SIGN_BYTES;
    }
    return agreeing;
}

static void
on_acks(fl_secagg_client *self, const fl_message *message, fl_outbox *out)
{
    const fl_block_acks *acks = &message->acks;
    if (!fl_set_within(acks->members, self->block.members)) {
        fl_secagg_client_burn(self, FL_WHY_MALFORMED, FL_ACKS, out);
        return;
    }
    if (s_agreeing(self, acks) < fl_secagg_threshold(self->block.members) &&
        FL_SECAGG_RULE(&self->conf, FL_RULE_ACKS)) {
        fl_secagg_client_burn(self, FL_WHY_TOO_FEW_ACKS, FL_ACKS, out);
        return;
    }
    s_open(self, out);
}

void
fl_secagg_client_unmask(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    fl_block_unmask *unmask = &fl_secagg_client_word(self, FL_UNMASK)->unmask;
    unmask->block = self->block.round.block;
    unmask->self = self->survivors & self->signers;
    unmask->pair = self->maskset & ~self->survivors;
    if (!FL_SECAGG_RULE(&self->conf, FL_RULE_PSIG)) {
        unmask->pair |= self->survivors & ~self->signers;
    }
    fl_writer shares = fl_writer_over(self->shares, sizeof self->shares);
    for (uint32_t i = 0; i < self->block.members; i++) {
        const fl_transcript_dealt *held = &self->secrets->held[i];
        if ((unmask->self & fl_secagg_bit(i)) != 0) {
            fl_write_from(&shares, held->self.bytes, sizeof held->self.bytes);
        } else if ((unmask->pair & fl_secagg_bit(i)) != 0) {
            fl_write_from(&shares, held->pair.bytes, sizeof held->pair.bytes);
        }
    }
    unmask->shares = fl_bytes_of(self->shares, fl_writer_size(&shares));
    fl_secagg_client_utter(self, now, out);
    if (FL_SECAGG_RULE(&self->conf, FL_RULE_ONE_CONTENT)) {
        fl_wipe(self->secrets, sizeof *self->secrets); // what was said is in `shares` already
    }
    fl_secagg_client_enter(self, FL_CLIENT_OPENED, out);
}

// ---- R2 and the order of things --------------------------------------------------------------
static void
s_feed(fl_hasher *hasher, fl_bytes list)
{
    uint8_t size[8];
    fl_writer out = fl_writer_over(size, sizeof size);
    fl_write_u64(&out, list.size);
    fl_hasher_update(hasher, fl_bytes_of(size, sizeof size));
    fl_hasher_update(hasher, list);
}

//  Of what a message says, its block and set first.
static fl_hash
s_content(uint64_t set, uint32_t block, fl_bytes list)
{
    uint8_t head[12];
    fl_writer out = fl_writer_over(head, sizeof head);
    fl_write_u32(&out, block);
    fl_write_u64(&out, set);
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    s_feed(&hasher, fl_bytes_of(head, sizeof head));
    s_feed(&hasher, list);
    return fl_hasher_final(&hasher);
}

//  The kind, block and content of a message; false when it is none of ours.
static bool
s_read(const fl_message *message, fl_secagg_heard *kind, uint32_t *block, fl_hash *content)
{
    fl_bytes none = { 0 };
    switch ((int)message->verb) {
    case FL_ROSTER:
        *kind = FL_HEARD_ROSTER;
        *block = message->roster.block;
        *content = s_content(0, *block, message->roster.members);
        return true;
    case FL_DEALT:
        *kind = FL_HEARD_DEALT;
        *block = message->dealt.block;
        *content = s_content(message->dealt.dealers, *block, message->dealt.parts);
        return true;
    case FL_MASKSET:
        *kind = FL_HEARD_MASKSET;
        *block = message->maskset.block;
        *content = s_content(message->maskset.members, *block, none);
        return true;
    case FL_SURVIVORS:
        *kind = FL_HEARD_SURVIVORS;
        *block = message->survivors.block;
        *content = s_content(message->survivors.members, *block, message->survivors.psigs);
        return true;
    case FL_ACKS:
        *kind = FL_HEARD_ACKS;
        *block = message->acks.block;
        *content = s_content(message->acks.members, *block, message->acks.asigs);
        return true;
    default:
        return false;
    }
}

//  The step in which a content of this kind is due.
static bool
s_due(const fl_secagg_client *self, fl_secagg_heard kind)
{
    switch (kind) {
    case FL_HEARD_ROSTER:
        return self->step == FL_CLIENT_KEYED;
    case FL_HEARD_DEALT:
        return self->step == FL_CLIENT_DEALT;
    case FL_HEARD_MASKSET:
        return self->step == FL_CLIENT_READY;
    case FL_HEARD_SURVIVORS:
        return self->step == FL_CLIENT_MASKED || !FL_SECAGG_RULE(&self->conf, FL_RULE_ONE_CONTENT);
    case FL_HEARD_ACKS:
        return self->step == FL_CLIENT_ACKED;
    case FL_HEARD_COUNT:
        break;
    }
    return false;
}

//  The others mask, and we were not ready in time: nothing is wrong. READY will hear it again.
static bool
s_without_us(const fl_secagg_client *self, fl_secagg_heard kind, const fl_message *message)
{
    return kind == FL_HEARD_MASKSET && self->step == FL_CLIENT_DEALT &&
           (message->maskset.members & fl_secagg_bit(self->index)) == 0;
}

static void
s_take(fl_secagg_client *self, fl_secagg_heard kind, const fl_message *message, uint64_t now_s,
       fl_time now, fl_outbox *out)
{
    switch (kind) {
    case FL_HEARD_ROSTER:
        on_roster(self, message, now_s, now, out);
        break;
    case FL_HEARD_DEALT:
        on_dealt(self, message, now, out);
        break;
    case FL_HEARD_MASKSET:
        on_maskset(self, message, out);
        break;
    case FL_HEARD_SURVIVORS:
        on_survivors(self, message, now, out);
        break;
    case FL_HEARD_ACKS:
        on_acks(self, message, out);
        break;
    case FL_HEARD_COUNT:
        break;
    }
}

void
fl_secagg_client_hear(fl_secagg_client *self, const fl_message *message, uint64_t now_s,
                      fl_time now, fl_outbox *out)
{
    fl_secagg_heard kind;
    uint32_t block;
    fl_hash content;
    if (!s_read(message, &kind, &block, &content) || self->step == FL_CLIENT_IDLE ||
        !fl_run_equal(&message->run, &self->task.order.run) ||
        message->round != self->task.order.round) {
        s_drop(self, message, out);
        return;
    }
    bool twice = self->heard[kind];
    if (twice && fl_hash_equal(&content, &self->content[kind])) {
        return; // heard and answered; `again` repeats the answer
    }
    if (twice && FL_SECAGG_RULE(&self->conf, FL_RULE_ONE_CONTENT)) {
        fl_secagg_client_burn(self, FL_WHY_EQUIVOCATION, message->verb, out);
        return;
    }
    bool foreign = kind != FL_HEARD_ROSTER && block != self->block.round.block;
    if (foreign || !s_due(self, kind)) {
        if (foreign || !s_without_us(self, kind, message)) {
            s_drop(self, message, out);
        }
        return;
    }
    self->heard[kind] = true;
    self->content[kind] = content;
    s_take(self, kind, message, now_s, now, out);
}
