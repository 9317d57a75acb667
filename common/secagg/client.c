//  A member believes nobody. What it was told is in a context hash that its masks and signatures
//  depend on, so that members who were told different things make masks that do not cancel. What
//  it said it can say again, byte for byte, and nothing else. It cannot know whether a block was
//  opened, so what it masked of a model it masks once, unless enough of that block sign that they
//  gave no share of it and have none: then nobody will ever read what it sent there.
#include "common/secagg/client_inside.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/machine/policy.h"
#include "common/secagg/burnt.h"

static const char *const step_names[FL_CLIENT_STEPS] = {
    [FL_CLIENT_IDLE] = "idle",   [FL_CLIENT_HELD] = "held",     [FL_CLIENT_KEYED] = "keyed",
    [FL_CLIENT_DEALT] = "dealt", [FL_CLIENT_READY] = "ready",   [FL_CLIENT_MASKED] = "masked",
    [FL_CLIENT_ACKED] = "acked", [FL_CLIENT_OPENED] = "opened",
};

static const bool legal[FL_CLIENT_STEPS][FL_CLIENT_STEPS] = {
    [FL_CLIENT_IDLE] = { [FL_CLIENT_HELD] = true, [FL_CLIENT_KEYED] = true },
    [FL_CLIENT_HELD] = { [FL_CLIENT_KEYED] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_KEYED] = { [FL_CLIENT_KEYED] = true, // a fresh roster
                          [FL_CLIENT_DEALT] = true,
                          [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_DEALT] = { [FL_CLIENT_KEYED] = true,
                          [FL_CLIENT_READY] = true,
                          [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_READY] = { [FL_CLIENT_KEYED] = true,
                          [FL_CLIENT_MASKED] = true,
                          [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_MASKED] = { [FL_CLIENT_ACKED] = true,
                           [FL_CLIENT_OPENED] = true, // the profile honest
                           [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_ACKED] = { [FL_CLIENT_OPENED] = true, [FL_CLIENT_IDLE] = true },
    [FL_CLIENT_OPENED] = { [FL_CLIENT_IDLE] = true },
};

//  How the sums of this hop are hidden.
static fl_masking
s_profile(const fl_secagg_client *self)
{
    return fl_plan_masking(&self->task.order.plan, self->conf.hop);
}

static void
s_enter(fl_secagg_client *self, fl_secagg_step next, fl_outbox *out)
{
    FL_ASSERT(legal[self->step][next]);
    self->step = next;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_STEP,
                                   .round = self->task.order.round,
                                   .a = (uint64_t)next,
                                   .b = self->block.members });
}

// ---- what is said ----------------------------------------------------------------------------
static fl_message *
s_word(fl_secagg_client *self, fl_verb verb)
{
    memset(&self->said, 0, sizeof self->said);
    self->said.verb = verb;
    self->said.run = self->task.order.run;
    self->said.round = self->task.order.round;
    return &self->said;
}

static void
s_utter(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    *fl_outbox_send(out, FL_PARENT, self->said.verb) = self->said;
    self->again_at = now + self->conf.again_ms;
}

// ---- the end of a round ----------------------------------------------------------------------
static void
s_finish(fl_secagg_client *self, fl_reason reason, bool burnt, fl_outbox *out)
{
    fl_wipe(self->secrets, sizeof *self->secrets);
    fl_wipe(self->shares, sizeof self->shares);
    memset(&self->said, 0, sizeof self->said);
    self->again_at = FL_NEVER;
    self->until = FL_NEVER;
    self->token = 0;
    self->outcome = (fl_secagg_outcome){
        .round = self->task.order.round, .reason = reason, .burnt = burnt, .spent = self->masking
    };
    self->outcome_new = true;
    if (reason != FL_WHY_NONE) {
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_OUT,
                                       .round = self->task.order.round,
                                       .reason = reason,
                                       .a = self->index,
                                       .b = (uint64_t)self->step });
    }
    self->masking = self->masked = false;
    s_enter(self, FL_CLIENT_IDLE, out);
}

//  A rule was broken: wipe, say why to the parent, be idle.
static void
s_burn(fl_secagg_client *self, fl_reason reason, fl_verb about, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_REFUSED);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    message->refused.reason = reason;
    message->refused.about = about;
    s_finish(self, reason, true, out);
}

// ---- the beginning ---------------------------------------------------------------------------
static fl_reason
s_judge_task(const fl_secagg_client *self, const fl_task *task)
{
    const fl_plan *plan = &task->order.plan;
    fl_masking masking = fl_plan_masking(plan, self->conf.hop);
    bool pinned =
        plan->pin && self->conf.profile == FL_MASKING_MALICIOUS && !self->conf.pin_allowed;
    if (masking == FL_MASKING_NONE || masking < self->conf.profile || pinned) {
        return FL_WHY_POLICY_REFUSED;
    }
    if (!fl_secagg_plan_holds(plan, task->order.elements)) {
        return FL_WHY_PLAN;
    }
    const fl_secagg_left spent = fl_secagg_mark_spent(&self->mark, &task->order.run);
    bool newer =
        !fl_run_equal(&task->order.run, &self->accepted_run) || task->order.round > self->accepted;
    newer = newer && task->order.round > spent.round;
    if (newer) {
        return task->order.pools < spent.pools ? FL_WHY_OLD_POOL : FL_WHY_NONE;
    }
    return task->order.round < spent.round ? FL_WHY_RESTORED : FL_WHY_STALE;
}

static void
s_say_keys(fl_secagg_client *self, uint8_t number, fl_time now, fl_outbox *out)
{
    fl_secagg_secrets *secrets = self->secrets;
    const fl_transcript_round round = { .run = self->task.order.run,
                                        .hop = self->conf.hop,
                                        .edge = self->parent,
                                        .round = self->task.order.round,
                                        .number = number };
    fl_wipe(secrets, sizeof *secrets); // of a roster before this one nothing is left
    self->good = 0;
    memset(self->heard, 0, sizeof self->heard);
    fl_entropy_fill(&self->conf.entropy, secrets->b, sizeof secrets->b);
    fl_entropy_fill(&self->conf.entropy, secrets->msk, sizeof secrets->msk);
    fl_entropy_fill(&self->conf.entropy, secrets->esk, sizeof secrets->esk);
    fl_transcript_public_of(secrets->esk, self->epk);
    fl_transcript_public_of(secrets->msk, self->mpk);
    memset(&self->block, 0, sizeof self->block);
    self->block.round = round;
    self->block.plan = &self->task.order.plan;
    fl_block_keys *keys = &s_word(self, FL_KEYS)->keys;
    self->keys = self->conf.keys;
    memcpy(self->certificate, self->conf.certificate, sizeof self->certificate);
    keys->certificate = fl_bytes_of(self->certificate, sizeof self->certificate);
    memcpy(keys->epk, self->epk, sizeof keys->epk);
    memcpy(keys->mpk, self->mpk, sizeof keys->mpk);
    keys->class = fl_policy_class(self->conf.samples, self->block.plan);
    fl_transcript_keys_sign(self->keys, &self->block.round, keys->class, self->epk, self->mpk,
                            keys->signature);
    keys->roster = number;
    s_utter(self, now, out);
    s_enter(self, FL_CLIENT_KEYED, out);
}

// ---- the update ------------------------------------------------------------------------------
static void
s_mask(fl_secagg_client *self, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_ask(out, FL_FX_MASK, &self->token);
    effect->mask.vec = self->input.vec;
    effect->mask.elements = self->input.elements;
    effect->mask.element = fl_policy_element(&self->task.order.plan);
    effect->mask.seeds = self->secrets->seeds;
    effect->mask.seed_count = self->secrets->seed_count;
    fl_transcript_checksum_key(&self->ctx, effect->mask.checksum_key);
}

//  READY, when both the shares and the training are there.
static void
s_ready(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->step != FL_CLIENT_DEALT || !self->heard[FL_HEARD_DEALT] || !self->trained) {
        return;
    }
    fl_block_word *ready = &s_word(self, FL_READY)->ready;
    ready->block = self->block.round.block;
    ready->set = self->good;
    s_utter(self, now, out);
    s_enter(self, FL_CLIENT_READY, out);
}

static void
on_masked(fl_secagg_client *self, const fl_event *event, fl_outbox *out)
{
    if (event->masked.vec == 0) {
        s_burn(self, FL_WHY_STORAGE, FL_MASKSET, out);
        return;
    }
    fl_secagg_sums sums = { .weight = self->input.weight,
                            .count = self->input.count,
                            .checksum = event->masked.checksum };
    memcpy(sums.stats, self->input.stats, sizeof sums.stats);
    fl_secagg_header_mask(&sums, self->secrets->seeds, self->secrets->seed_count);
    fl_secagg_header_encode(&sums, self->header);
    bool sign = s_profile(self) == FL_MASKING_MALICIOUS;
    fl_transcript_psig(self->keys, &self->ctx, self->index, self->psig);
    self->upload =
        (fl_secagg_upload){ .vec = event->masked.vec,
                            .hash = event->masked.hash,
                            .vector_bytes = event->masked.bytes,
                            .header = fl_bytes_of(self->header, sizeof self->header),
                            .psig = fl_bytes_of(self->psig, sign ? sizeof self->psig : 0) };
    self->masked = true;
    //  What could make a second mask, or undo this one, is gone from here on.
    fl_secagg_secrets *secrets = self->secrets;
    fl_wipe(secrets->b, sizeof secrets->b);
    fl_wipe(secrets->msk, sizeof secrets->msk);
    fl_wipe(secrets->esk, sizeof secrets->esk);
    fl_wipe(secrets->pair, sizeof secrets->pair);
    fl_wipe(secrets->seeds, sizeof secrets->seeds);
    secrets->seed_count = 0;
}

// ---- what is kept ----------------------------------------------------------------------------
static void
s_keep(fl_secagg_client *self, fl_outbox *out)
{
    fl_secagg_mark_encode(&self->mark, self->fact);
    fl_effect *effect = fl_outbox_ask(out, FL_FX_KEEP, &self->token);
    effect->keep.what = FL_KEEP_MARK;
    effect->keep.run = self->task.order.run;
    effect->keep.round = self->task.order.round;
    effect->keep.fact = fl_bytes_of(self->fact, sizeof self->fact);
}

// ---- deal ---------------------------------------------------------------------
//  What a member deals to the others, and what it finds in what they dealt.
static bool
s_deal_to(fl_secagg_client *self, uint32_t to, const fl_transcript_dealt *dealt)
{
    const fl_secagg_block *block = &self->block;
    const fl_transcript_round *round = &block->round;
    uint8_t *digests = self->digests + (size_t)to * FL_DIGESTS_BYTES;
    fl_hash digest = fl_transcript_digest(round, self->index, to, FL_TRANSCRIPT_SELF, &dealt->self);
    memcpy(digests, digest.bytes, sizeof digest);
    digest = fl_transcript_digest(round, self->index, to, FL_TRANSCRIPT_PAIR, &dealt->pair);
    memcpy(digests + sizeof digest, digest.bytes, sizeof digest);
    uint8_t *sealed = self->sealed + (size_t)to * FL_SEALED_SHARE_BYTES;
    if (to == self->index) {
        self->secrets->held[to] = *dealt;
        memset(sealed, 0, FL_SEALED_SHARE_BYTES);
        return true;
    }
    uint8_t *key = self->secrets->pair[to];
    if (!fl_transcript_pair_key(round, &block->seat[self->index], self->secrets->esk,
                                &block->seat[to], key)) {
        return false;
    }
    fl_transcript_seal(round, key, self->index, to, dealt, &self->conf.entropy, sealed);
    return true;
}

//  Deal both secrets to the block, and say SHARES. False: somebody's key is of low order.
static bool
s_deal(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    fl_secagg_secrets *secrets = self->secrets;
    uint32_t members = self->block.members, threshold = fl_secagg_threshold(members);
    bool fine = true;
    fl_share_deal(secrets->b, members, threshold, &self->conf.entropy, secrets->self_shares);
    fl_share_deal(secrets->msk, members, threshold, &self->conf.entropy, secrets->pair_shares);
    for (uint32_t i = 0; i < members; i++) {
        fl_transcript_dealt dealt = { .self = secrets->self_shares[i],
                                      .pair = secrets->pair_shares[i] };
        fine = fine && s_deal_to(self, i, &dealt);
        fl_wipe(&dealt, sizeof dealt);
    }
    fl_wipe(secrets->self_shares, sizeof secrets->self_shares);
    fl_wipe(secrets->pair_shares, sizeof secrets->pair_shares);
    if (!fine) {
        return false;
    }
    fl_block_shares *shares = &s_word(self, FL_SHARES)->shares;
    shares->block = self->block.round.block;
    shares->index = self->index;
    shares->commitment = fl_transcript_commitment(secrets->b);
    shares->digests = fl_bytes_of(self->digests, (size_t)members * FL_DIGESTS_BYTES);
    shares->sealed = fl_bytes_of(self->sealed, (size_t)members * FL_SEALED_SHARE_BYTES);
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, shares->digests);
    fl_secagg_public_part(&shares->commitment, &tree.node[1], part);
    fl_transcript_dealt_sign(self->keys, &self->block.round, self->index,
                             fl_bytes_of(part, sizeof part), shares->signature);
    s_utter(self, now, out);
    return true;
}

//  Keep the shares in one part of DEALT. False: they are not what the dealer signed.
static bool
s_take_now(fl_secagg_client *self, uint32_t from, const uint8_t *part)
{
    const fl_secagg_block *block = &self->block;
    fl_reader in = fl_reader_of(fl_bytes_of(part, FL_DEALT_BYTES));
    fl_hash commitment;
    fl_read_into(&in, commitment.bytes, sizeof commitment);
    fl_bytes digests = fl_read_view(&in, FL_DIGESTS_BYTES);
    fl_bytes path = fl_read_view(&in, FL_PATH_BYTES);
    fl_bytes signature = fl_read_view(&in, FL_SIGN_BYTES);
    fl_bytes sealed = fl_read_view(&in, FL_SEALED_SHARE_BYTES);
    FL_ASSERT(fl_reader_done(&in));
    fl_hash root = fl_secagg_tree_climb(digests.data, self->index, path.data);
    uint8_t public_part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_public_part(&commitment, &root, public_part);
    fl_transcript_dealt *held = &self->secrets->held[from];
    if (!fl_transcript_dealt_holds(block->cert[from].keys.ed, &block->round, from,
                                   fl_bytes_of(public_part, sizeof public_part), signature.data) ||
        !fl_transcript_open(&block->round, self->secrets->pair[from], from, self->index,
                            sealed.data, held)) {
        return false;
    }
    fl_hash self_digest =
        fl_transcript_digest(&block->round, from, self->index, FL_TRANSCRIPT_SELF, &held->self);
    fl_hash pair_digest =
        fl_transcript_digest(&block->round, from, self->index, FL_TRANSCRIPT_PAIR, &held->pair);
    return memcmp(self_digest.bytes, digests.data, sizeof self_digest) == 0 &&
           memcmp(pair_digest.bytes, digests.data + sizeof self_digest, sizeof pair_digest) == 0;
}

// ---- parent -------------------------------------------------------------------
//  What the parent says, in the order of a round. A message of another round or block, or of a step
//  that is not due, is dropped; a second content for one that was taken burns the round (R2).
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
s_read_roster(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s)
{
    fl_secagg_block *block = &self->block;
    bool found = false;
    block->members = 0;
    block->round.block = word->block;
    fl_secagg_block_seal(block, word->list);
    for (size_t at = 0; at < word->list.size; at += FL_MEMBER_BYTES) {
        fl_bytes member = fl_bytes_of(word->list.data + at, FL_MEMBER_BYTES);
        fl_reason reason = fl_secagg_block_add(block, member, &self->conf.trust, now_s);
        if (reason != FL_WHY_NONE) {
            return reason;
        }
        const fl_transcript_seat *seat = &block->seat[block->members - 1];
        if (fl_name_equal(&seat->node, &self->conf.node)) {
            found = memcmp(member.data, self->certificate, FL_CERT_BYTES) == 0 &&
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
    if (members < FL_SECAGG_MEMBERS_MIN || members < self->conf.members_min ||
        members < fl_secagg_floor(plan->members_min, self->conf.hop) || members < self->quorum) {
        return FL_WHY_ROSTER_TOO_SMALL;
    }
    if (members > plan->block_max) {
        return FL_WHY_POLICY_REFUSED;
    }
    return fl_secagg_hides(&self->block, self->index, fl_secagg_all(members), FL_SECAGG_PART_ROSTER)
               ? FL_WHY_NONE
               : FL_WHY_WEIGHT;
}

//  What the update of this round is drawn from. A pinned update of a model is the same in every
//  run.
static fl_secagg_drawn
s_drawn(const fl_secagg_client *self)
{
    const fl_order *order = &self->task.order;
    return (fl_secagg_drawn){ order->run, order->tensors, order->draw, order->plan.pin };
}

//  R4: what was masked of this before; NULL when it may be masked.
static const fl_secagg_deed *
s_masked_before(const fl_secagg_client *self)
{
    const fl_secagg_drawn of = s_drawn(self);
    return fl_secagg_mark_binds(&self->mark, &of, self->conf.draws_max);
}

//  Whether the root can help with another draw.
static fl_reason
s_bound_by(const fl_secagg_client *self)
{
    const fl_secagg_drawn of = s_drawn(self);
    return fl_secagg_mark_draws(&self->mark, &of) > self->conf.draws_max ? FL_WHY_DRAWS_USED
                                                                         : FL_WHY_SAME_MODEL;
}

static fl_reason
on_roster(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
          fl_outbox *out)
{
    fl_reason reason = s_read_roster(self, word, now_s);
    if (reason == FL_WHY_NONE) {
        reason = s_judge_block(self);
    }
    if (reason == FL_WHY_NONE) {
        reason = fl_secagg_client_judge_pool(self);
    }
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    if (!s_deal(self, now, out)) {
        return FL_WHY_KEY;
    }
    s_enter(self, FL_CLIENT_DEALT, out);
    return FL_WHY_NONE;
}

// ---- DEALT -> READY --------------------------------------------------------------------------
static fl_reason
on_dealt(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
         fl_outbox *out)
{
    (void)now_s;
    if (!fl_set_within(word->set, self->block.members) ||
        (word->set & fl_secagg_bit(self->index)) != 0) {
        return FL_WHY_MALFORMED;
    }
    const uint8_t *part = word->list.data;
    self->good = fl_secagg_bit(self->index);
    FL_EACH_MEMBER (i, word->set) {
        self->good |= s_take_now(self, i, part) ? fl_secagg_bit(i) : 0;
        part += FL_DEALT_BYTES;
    }
    memset(&self->said, 0, sizeof self->said); // SHARES have arrived
    self->again_at = FL_NEVER;
    s_ready(self, now, out);
    return FL_WHY_NONE;
}

// ---- MASKSET -> the masked update ------------------------------------------------------------
static bool
s_make_seeds(fl_secagg_client *self)
{
    const fl_secagg_block *block = &self->block;
    fl_secagg_secrets *secrets = self->secrets;
    secrets->seed_count = 0;
    fl_transcript_self_seed(&self->ctx, secrets->b, &secrets->seeds[secrets->seed_count++]);
    FL_EACH_MEMBER (i, self->maskset & ~fl_secagg_bit(self->index)) {
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
    fl_hash maskset = fl_transcript_set_hash(self->maskset, self->block.members);
    self->ctx = fl_transcript_ctx(&self->block.round, &self->task_hash, &maskset);
}

static fl_reason
s_judge_maskset(const fl_secagg_client *self, uint64_t set)
{
    if ((set & ~self->good) != 0) {
        return FL_WHY_MALFORMED;
    }
    if (fl_pool_whole(self->run, set) != set) {
        return FL_WHY_BROKEN_BATCH; // R13
    }
    if (fl_set_count(set) < self->quorum) {
        return FL_WHY_TOO_FEW_READY;
    }
    if (!fl_secagg_hides(&self->block, self->index, set, FL_SECAGG_PART_SUM)) {
        return FL_WHY_WEIGHT;
    }
    return FL_WHY_NONE;
}

static fl_reason
on_maskset(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
           fl_outbox *out)
{
    (void)now_s;
    (void)now;
    if (fl_set_within(word->set, self->block.members) &&
        (word->set & fl_secagg_bit(self->index)) == 0) {
        s_finish(self, FL_WHY_LATE, false, out); // R5: not in it, and says nothing more
        return FL_WHY_NONE;
    }
    fl_reason reason = s_judge_maskset(self, word->set);
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    self->maskset = word->set;
    s_make_ctx(self);
    if (!s_make_seeds(self)) {
        return FL_WHY_KEY;
    }
    //  R4: spent before the first masked byte exists, the round and what is drawn from the model.
    const fl_secagg_drawn of = s_drawn(self);
    fl_secagg_mark_spend(&self->mark, &self->task.order.run, self->task.order.round,
                         self->task.order.pools);
    fl_secagg_mark_mask(&self->mark, &of, &self->block.round);
    s_keep(self, out); // READY, said again, asks for news meanwhile
    s_enter(self, FL_CLIENT_MASKED, out);
    return FL_WHY_NONE;
}

// ---- SURVIVORS -> ACK ------------------------------------------------------------------------
static fl_reason
s_judge_survivors(const fl_secagg_client *self, uint64_t set)
{
    if ((set & ~self->maskset) != 0) {
        return FL_WHY_MALFORMED;
    }
    if (fl_pool_whole(self->run, set) != set) {
        return FL_WHY_BROKEN_BATCH; // R13
    }
    if (fl_set_count(set) < self->quorum) {
        return FL_WHY_TOO_FEW_UPLOADS;
    }
    if (!fl_secagg_hides(&self->block, self->index, set, FL_SECAGG_PART_SUM)) {
        return FL_WHY_WEIGHT;
    }
    return FL_WHY_NONE;
}

//  R1: whose own mask may be opened. Under the profile honest: every survivor's.
static uint64_t
s_signers(const fl_secagg_client *self, const fl_block_word *word)
{
    if (s_profile(self) == FL_MASKING_HONEST) {
        return word->set;
    }
    uint64_t signers = fl_secagg_bit(self->index);
    const uint8_t *psig = word->list.data;
    FL_EACH_MEMBER (i, word->list.size > 0 ? word->set : 0) {
        if (fl_transcript_psig_holds(self->block.cert[i].keys.ed, &self->ctx, i, psig)) {
            signers |= fl_secagg_bit(i);
        }
        psig += FL_SIGN_BYTES;
    }
    return signers;
}

static void
s_acknowledge(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    fl_block_ack *ack = &s_word(self, FL_ACK)->ack;
    ack->block = self->block.round.block;
    fl_transcript_asig(self->keys, &self->ctx, &self->survivors_hash, self->index, ack->signature);
    s_utter(self, now, out);
    s_enter(self, FL_CLIENT_ACKED, out);
}

//  The sum may be opened: remember that, for ever, before anybody hears a share.
static fl_reason
s_open(fl_secagg_client *self, fl_outbox *out)
{
    if (fl_secagg_mark_at(&self->mark, &self->block.round.roster)->released) {
        return FL_WHY_EQUIVOCATION; // shares of this roster are given once
    }
    fl_secagg_mark_release(&self->mark, &self->block.round.roster);
    s_keep(self, out);
    return FL_WHY_NONE;
}

static fl_reason
on_survivors(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
             fl_outbox *out)
{
    (void)now_s;
    uint64_t set = word->set;
    if (fl_set_within(set, self->block.members) && (set & fl_secagg_bit(self->index)) == 0) {
        return FL_WHY_NONE; // R3: only survivors speak from here on; CLOSED ends this round for us
    }
    fl_reason reason = s_judge_survivors(self, set);
    if (reason == FL_WHY_NONE && !self->masked) {
        reason = FL_WHY_EQUIVOCATION; // nobody has our upload yet
    }
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    self->survivors = set;
    self->survivors_hash = fl_transcript_set_hash(set, self->block.members);
    self->signers = s_signers(self, word);
    if (s_profile(self) == FL_MASKING_HONEST) {
        return s_open(self, out);
    }
    s_acknowledge(self, now, out);
    return FL_WHY_NONE;
}

// ---- ACKS -> UNMASK --------------------------------------------------------------------------
//  R3: how many survivors signed what we signed, ourselves included.
static uint32_t
s_agreeing(const fl_secagg_client *self, const fl_block_word *word)
{
    uint32_t agreeing = 1;
    const uint8_t *asig = word->list.data;
    FL_EACH_MEMBER (i, word->set) {
        if (i != self->index && (self->survivors & fl_secagg_bit(i)) != 0 &&
            fl_transcript_asig_holds(self->block.cert[i].keys.ed, &self->ctx, &self->survivors_hash,
                                     i, asig)) {
            agreeing++;
        }
        asig += FL_SIGN_BYTES;
    }
    return agreeing;
}

static fl_reason
on_acks(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
        fl_outbox *out)
{
    (void)now_s;
    (void)now;
    if (!fl_set_within(word->set, self->block.members)) {
        return FL_WHY_MALFORMED;
    }
    if (s_agreeing(self, word) < fl_secagg_threshold(self->block.members)) {
        return FL_WHY_TOO_FEW_ACKS;
    }
    return s_open(self, out);
}

//  UNMASK, once the mark is kept.
static void
s_unmask(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    fl_block_unmask *unmask = &s_word(self, FL_UNMASK)->unmask;
    unmask->block = self->block.round.block;
    unmask->self = self->survivors & self->signers;
    unmask->pair = self->maskset & ~self->survivors;
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
    s_utter(self, now, out);
    fl_wipe(self->secrets, sizeof *self->secrets); // what was said is in `shares` already
    s_enter(self, FL_CLIENT_OPENED, out);
}

// ---- answers ---------------------------------------------------------------------------------
static void
on_saved(fl_secagg_client *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!event->saved.ok) {
        s_burn(self, FL_WHY_STORAGE, FL_TASK, out);
    } else if (!self->masking) {
        self->masking = true;
        s_mask(self, out);
    } else {
        s_unmask(self, now, out);
    }
}

// ---- BURNTS -> BURNT, or KEYS anew -----------------------------------------------------------
//  R10: one word per roster. Who gave shares of it never says BURNT; who says it has none to give:
//  they died with its round, or with the process.
static void
s_say_burnt(const fl_secagg_client *self, const fl_burnts *burnts, fl_outbox *out)
{
    const fl_transcript_round *round = &burnts->round;
    const fl_secagg_deed *deed = fl_secagg_mark_at(&self->mark, &round->roster);
    const uint32_t index = fl_burnts_member(burnts, self->conf.trust.authority, &self->conf.node,
                                            fl_keys_public(self->conf.keys)->ed);
    bool in_hand = self->step != FL_CLIENT_IDLE && round->round == self->task.order.round &&
                   fl_run_equal(&round->run, &self->task.order.run);
    if (in_hand || (deed != NULL && deed->released) || index == FL_MEMBERS_MAX) {
        return;
    }
    fl_message *message = fl_outbox_send(out, FL_PARENT, FL_BURNT);
    message->run = round->run;
    message->round = round->round;
    message->burnt.block = round->block;
    fl_transcript_burnt_sign(self->conf.keys, round, index, message->burnt.signature);
}

//  R10b: what was masked there stays unread for ever, so it may be masked again. That this is known
//  need not be kept: it can be heard again.
static void
on_burnts(fl_secagg_client *self, const fl_message *message, fl_time now, fl_outbox *out)
{
    fl_burnts burnts;
    if (!fl_burnts_read(message, &self->parent, self->conf.hop, &burnts)) {
        s_drop(self, message, out);
        return;
    }
    if (fl_secagg_mark_at(&self->mark, &burnts.round.roster) == NULL ||
        !fl_burnts_prove(&burnts, self->conf.trust.authority)) {
        s_say_burnt(self, &burnts, out);
        return;
    }
    (void)fl_secagg_mark_clear(&self->mark, &burnts.round.roster);
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_CLEARED,
                                   .round = message->round,
                                   .a = burnts.members,
                                   .b = fl_set_count(burnts.signers) });
    if (self->step == FL_CLIENT_HELD && s_masked_before(self) == NULL) {
        s_say_keys(self, self->block.round.number, now, out);
    }
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

//  Of what a word says, its block and set first.
static fl_hash
s_content(const fl_block_word *word)
{
    uint8_t head[12];
    fl_writer out = fl_writer_over(head, sizeof head);
    fl_write_u32(&out, word->block);
    fl_write_u64(&out, word->set);
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    s_feed(&hasher, fl_bytes_of(head, sizeof head));
    s_feed(&hasher, word->list);
    return fl_hasher_final(&hasher);
}

//  What the parent says, the step in which it is due, and what comes of it: FL_WHY_NONE, or why
//  the round burns.
static const struct {
    fl_verb verb;
    fl_secagg_step due;
    fl_reason (*on)(fl_secagg_client *self, const fl_block_word *word, uint64_t now_s, fl_time now,
                    fl_outbox *out);
} words[FL_HEARD_COUNT] = {
    [FL_HEARD_ROSTER] = { FL_ROSTER, FL_CLIENT_KEYED, on_roster },
    [FL_HEARD_DEALT] = { FL_DEALT, FL_CLIENT_DEALT, on_dealt },
    [FL_HEARD_MASKSET] = { FL_MASKSET, FL_CLIENT_READY, on_maskset },
    [FL_HEARD_SURVIVORS] = { FL_SURVIVORS, FL_CLIENT_MASKED, on_survivors },
    [FL_HEARD_ACKS] = { FL_ACKS, FL_CLIENT_ACKED, on_acks },
};

//  The others mask, and we were not ready in time: nothing is wrong. READY will hear it again.
static bool
s_without_us(const fl_secagg_client *self, const fl_message *message)
{
    return message->verb == FL_MASKSET && self->step == FL_CLIENT_DEALT &&
           (message->maskset.set & fl_secagg_bit(self->index)) == 0;
}

//  The parent asks for keys of a later roster: nothing was masked for the one before.
static void
s_begin_anew(fl_secagg_client *self, uint32_t number, const fl_message *message, fl_time now,
             fl_outbox *out)
{
    if (number == self->block.round.number) {
        return; // said, and said again until there is an answer
    }
    if (number < self->block.round.number || number >= FL_SECAGG_ROSTERS_MAX ||
        self->step >= FL_CLIENT_MASKED) {
        s_drop(self, message, out);
        return;
    }
    if (self->step == FL_CLIENT_HELD) { // those, when it may
        self->block.round.number = (uint8_t)number;
        return;
    }
    s_say_keys(self, (uint8_t)number, now, out);
}

// ---- the doors -------------------------------------------------------------------------------
fl_secagg_client *
fl_secagg_client_new(const fl_secagg_client_conf *conf, const fl_secagg_mark *mark)
{
    fl_secagg_client *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    FL_ASSERT(conf->hop >= 1 && conf->again_ms >= 1);
    self->conf = *conf;
    if (mark != NULL) {
        self->mark = *mark;
    }
    self->until = FL_NEVER;
    self->again_at = FL_NEVER;
    self->secrets = sodium_malloc(sizeof *self->secrets);
    if (self->secrets == NULL) {
        fl_secagg_client_destroy(&self);
        return NULL;
    }
    fl_wipe(self->secrets, sizeof *self->secrets);
    return self;
}

void
fl_secagg_client_destroy(fl_secagg_client **self_p)
{
    fl_secagg_client *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        sodium_free(self->secrets); // wipes
        fl_wipe(self->shares, sizeof self->shares);
        free(self);
    }
}

void
fl_secagg_client_under(fl_secagg_client *self, const fl_name *parent, uint8_t hop)
{
    FL_ASSERT(hop >= 1 && self->step == FL_CLIENT_IDLE);
    self->parent = *parent;
    self->conf.hop = hop;
}

void
fl_secagg_client_renewed(fl_secagg_client *self, const fl_keys *keys,
                         const uint8_t certificate[FL_CERT_BYTES])
{
    self->conf.keys = keys;
    memcpy(self->conf.certificate, certificate, sizeof self->conf.certificate);
}

bool
fl_secagg_client_open(const fl_secagg_client *self, const fl_plan *plan)
{
    bool plain = fl_plan_masking(plan, self->conf.hop) == FL_MASKING_NONE;
    return plain && self->conf.profile == FL_MASKING_NONE;
}

fl_reason
fl_secagg_client_begin(fl_secagg_client *self, const fl_task *task, const fl_name *parent,
                       fl_time until, fl_time now, fl_outbox *out)
{
    fl_hash hash = fl_secagg_task_hash(task);
    if (self->step != FL_CLIENT_IDLE && fl_run_equal(&task->order.run, &self->accepted_run) &&
        task->order.round == self->accepted) {
        bool same = fl_hash_equal(&hash, &self->task_hash) && fl_name_equal(parent, &self->parent);
        if (!same) {
            s_burn(self, FL_WHY_EQUIVOCATION, FL_TASK, out);
            return FL_WHY_EQUIVOCATION;
        }
        self->until = until > self->until ? until : self->until; // a new attempt has a new budget
        return FL_WHY_NONE;
    }
    fl_reason reason = s_judge_task(self, task);
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    fl_secagg_client_end(self, FL_WHY_STALE, out); // a newer round replaces an older one
    self->parent = *parent;
    self->accepted = task->order.round;
    self->accepted_run = task->order.run;
    self->task = *task;
    self->task_hash = hash;
    self->until = until;
    self->trained = self->masking = self->masked = false;
    self->maskset = self->survivors = self->signers = 0;
    memset(&self->block, 0, sizeof self->block);
    const fl_secagg_deed *deed = s_masked_before(self);
    if (deed != NULL && deed->released) {
        return s_bound_by(self);
    }
    if (deed == NULL) {
        s_say_keys(self, 0, now, out);
    } else { // before the parent goes on without our keys, it hears why
        self->again_at = now + task->budget_ms / 32 * 3; // its parent waits for KEYS an eighth
        s_enter(self, FL_CLIENT_HELD, out);
    }
    return FL_WHY_NONE;
}

fl_reason
fl_secagg_client_trained(fl_secagg_client *self, const fl_secagg_input *input, fl_time now,
                         fl_outbox *out)
{
    const fl_order *order = &self->task.order;
    if (self->step == FL_CLIENT_IDLE || self->trained) {
        return FL_WHY_LATE;
    }
    bool fresh = fl_hash_equal(&input->base, &order->model);
    if (!fresh && s_profile(self) == FL_MASKING_MALICIOUS) {
        return FL_WHY_BASE;
    }
    if (input->count < 1 || input->weight < input->count || input->elements != order->elements ||
        input->weight > (uint64_t)input->count * order->plan.weight_max) {
        return FL_WHY_WEIGHT;
    }
    self->input = *input;
    self->trained = true;
    s_ready(self, now, out);
    return FL_WHY_NONE;
}

void
fl_secagg_client_hear(fl_secagg_client *self, const fl_message *message, uint64_t now_s,
                      fl_time now, fl_outbox *out)
{
    if (message->verb == FL_BURNTS) {
        on_burnts(self, message, now, out);
        return;
    }
    const fl_block_word *word = &message->word;
    uint32_t kind = 0;
    while (kind < FL_HEARD_COUNT && words[kind].verb != message->verb) {
        kind++;
    }
    if (kind == FL_HEARD_COUNT || self->step == FL_CLIENT_IDLE ||
        !fl_run_equal(&message->run, &self->task.order.run) ||
        message->round != self->task.order.round) {
        s_drop(self, message, out);
        return;
    }
    const uint32_t number = word->block / FL_BLOCKS_MAX;
    if (kind == FL_HEARD_ROSTER && fl_secagg_asks_keys(word->list)) {
        s_begin_anew(self, number, message, now, out);
        return;
    }
    if (kind == FL_HEARD_ROSTER && number != self->block.round.number) {
        s_drop(self, message, out); // one that goes on without us
        return;
    }
    fl_hash content = s_content(word);
    bool twice = self->heard[kind];
    if (twice && fl_hash_equal(&content, &self->content[kind])) {
        return; // heard and answered; `again` repeats the answer
    }
    if (twice) {
        s_burn(self, FL_WHY_EQUIVOCATION, message->verb, out);
        return;
    }
    bool foreign = kind != FL_HEARD_ROSTER && word->block != self->block.round.block;
    if (foreign || self->step != words[kind].due) {
        if (foreign || !s_without_us(self, message)) {
            s_drop(self, message, out);
        }
        return;
    }
    self->heard[kind] = true;
    self->content[kind] = content;
    fl_reason reason = words[kind].on(self, word, now_s, now, out);
    if (reason != FL_WHY_NONE) {
        s_burn(self, reason, message->verb, out);
    }
}

bool
fl_secagg_client_answer(fl_secagg_client *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!fl_answers(event, self->token)) {
        return false;
    }
    self->token = 0;
    if (event->kind == FL_EV_MASKED) {
        on_masked(self, event, out);
    } else {
        on_saved(self, event, now, out);
    }
    return true;
}

void
fl_secagg_client_again(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->said.verb != FL_VERB_NONE) {
        s_utter(self, now, out);
    }
}

void
fl_secagg_client_tick(fl_secagg_client *self, fl_time now, fl_outbox *out)
{
    if (self->step == FL_CLIENT_IDLE) {
        return;
    }
    if (now >= self->until) {
        s_burn(self, FL_WHY_SILENT, FL_TASK, out);
    } else if (now >= self->again_at && self->step == FL_CLIENT_HELD) {
        s_burn(self, s_bound_by(self), FL_TASK, out);
    } else if (now >= self->again_at) {
        fl_secagg_client_again(self, now, out);
    }
}

void
fl_secagg_client_end(fl_secagg_client *self, fl_reason reason, fl_outbox *out)
{
    if (self->step != FL_CLIENT_IDLE) {
        s_finish(self, reason, false, out);
    }
}

fl_time
fl_secagg_client_deadline(const fl_secagg_client *self)
{
    return self->until < self->again_at ? self->until : self->again_at;
}

// ---- what the participant looks at ------------------------------------------------------------
const char *
fl_secagg_step_name(fl_secagg_step step)
{
    FL_ASSERT((unsigned)step < FL_CLIENT_STEPS);
    return step_names[step];
}

fl_secagg_step
fl_secagg_client_step_of(const fl_secagg_client *self)
{
    return self->step;
}

bool
fl_secagg_client_upload(const fl_secagg_client *self, fl_secagg_upload *upload)
{
    if (self->step == FL_CLIENT_IDLE || !self->masked) {
        return false;
    }
    *upload = self->upload;
    return true;
}

bool
fl_secagg_client_outcome(fl_secagg_client *self, fl_secagg_outcome *outcome)
{
    if (!self->outcome_new) {
        return false;
    }
    *outcome = self->outcome;
    self->outcome_new = false;
    return true;
}
