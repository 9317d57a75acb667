//  What children say, and what each is told. A first content is taken, the same again is answered
//  with what the child seems to have missed, another one is refused: a member has one word per
//  step.
#include "common/secagg/server_inside.h"

#include <string.h>

// ---- telling ---------------------------------------------------------------------------------
static size_t
s_list_bytes(uint64_t set)
{
    return (size_t)fl_set_count(set) * FL_SIGN_BYTES;
}

static uint64_t
s_dealers_but(const fl_secagg_server *self, uint32_t index)
{
    return self->dealt & ~fl_secagg_bit(index);
}

static void
s_fill(const fl_secagg_server *self, uint32_t index, fl_keep what, fl_message *message)
{
    uint32_t block = self->block_id;
    size_t each = (size_t)(self->block.members - 1) * FL_DEALT_BYTES;
    switch (what) {
    case FL_KEEP_ROSTER:
        message->roster.block = block;
        message->roster.members = fl_bytes_of(self->roster_fact + FL_FACT_HEAD_BYTES,
                                              (size_t)self->block.members * FL_MEMBER_BYTES);
        break;
    case FL_KEEP_DEALT:
        message->dealt.block = block;
        message->dealt.dealers = s_dealers_but(self, index);
        message->dealt.parts =
            fl_bytes_of(self->parts + index * each,
                        (size_t)fl_set_count(message->dealt.dealers) * FL_DEALT_BYTES);
        break;
    case FL_KEEP_MASKSET:
        message->maskset.block = block;
        message->maskset.members = self->maskset;
        break;
    case FL_KEEP_SURVIVORS:
        message->survivors.block = block;
        message->survivors.members = self->survivors;
        if (self->task.order.plan.masking == FL_MASKING_MALICIOUS) {
            message->survivors.psigs =
                fl_bytes_of(self->psigs_fact + FL_FACT_HEAD_BYTES, s_list_bytes(self->survivors));
        }
        break;
    case FL_KEEP_ACKS:
        message->acks.block = block;
        message->acks.members = self->acked;
        message->acks.asigs =
            fl_bytes_of(self->asigs_fact + FL_FACT_HEAD_BYTES, s_list_bytes(self->acked));
        break;
    case FL_KEEP_MARK:
    case FL_KEEP_EVIDENCE:
    case FL_KEEP_COUNT:
        FL_ASSERT(false && "said to nobody");
    }
}

//  Whom a fact is for.
static uint64_t
s_audience(const fl_secagg_server *self, fl_keep what)
{
    switch (what) {
    case FL_KEEP_ROSTER:
        return fl_secagg_all(self->block.members);
    case FL_KEEP_DEALT:
    case FL_KEEP_MASKSET: // who is not in it hears so
        return self->dealt;
    case FL_KEEP_SURVIVORS:
        return self->maskset;
    case FL_KEEP_ACKS:
        return self->survivors;
    case FL_KEEP_MARK:
    case FL_KEEP_EVIDENCE:
    case FL_KEEP_COUNT:
        break;
    }
    return 0;
}

void
fl_secagg_server_tell(fl_secagg_server *self, uint32_t index, fl_keep what, fl_outbox *out)
{
    static const fl_verb verbs[FL_KEEP_COUNT] = {
        [FL_KEEP_ROSTER] = FL_ROSTER,   [FL_KEEP_DEALT] = FL_DEALT,
        [FL_KEEP_MASKSET] = FL_MASKSET, [FL_KEEP_SURVIVORS] = FL_SURVIVORS,
        [FL_KEEP_ACKS] = FL_ACKS,
    };
    const fl_secagg_child *child = &self->child[index];
    if (!self->told[what] || !child->reachable ||
        (s_audience(self, what) & fl_secagg_bit(index)) == 0) {
        return;
    }
    fl_message *message = fl_outbox_send(out, child->peer, verbs[what]);
    message->run = self->task.order.run;
    message->round = self->task.order.round;
    s_fill(self, index, what, message);
}

static bool
s_running(const fl_secagg_server *self)
{
    return self->state >= FL_SERVER_INVITED && self->state < FL_SERVER_DONE;
}

void
fl_secagg_server_joined(fl_secagg_server *self, const fl_name *node, fl_peer peer, fl_time now,
                        fl_outbox *out)
{
    uint32_t index;
    fl_secagg_child *child = fl_secagg_server_child(self, node, &index);
    if (child == NULL || !s_running(self)) {
        return;
    }
    child->peer = peer;
    child->reachable = true;
    child->gone = false;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS && index < self->block.members; what++) {
        fl_secagg_server_tell(self, index, (fl_keep)what, out);
    }
    fl_secagg_server_advance(self, now, out);
}

void
fl_secagg_server_gone(fl_secagg_server *self, const fl_name *node, fl_time now, fl_outbox *out)
{
    uint32_t index;
    fl_secagg_child *child = fl_secagg_server_child(self, node, &index);
    if (child != NULL && s_running(self)) {
        child->gone = true;
        fl_secagg_server_advance(self, now, out);
    }
}

// ---- hearing ---------------------------------------------------------------------------------
//  A message that came too late, twice with two contents, or for something else.
static void
s_drop(fl_secagg_server *self, uint32_t index, fl_verb verb, fl_reason reason, fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_REFUSED,
                                   .node = self->child[index].node,
                                   .round = self->task.order.round,
                                   .reason = reason,
                                   .a = (uint64_t)verb,
                                   .b = (uint64_t)self->state });
}

//  A key that is sound, and somebody's already: one of the two copied it, and which is not shown.
static bool
s_copied(const fl_block_keys *keys)
{
    return fl_transcript_point_sound(keys->epk) && fl_transcript_point_sound(keys->mpk) &&
           memcmp(keys->epk, keys->mpk, sizeof keys->epk) != 0;
}

static void
on_keys(fl_secagg_server *self, uint32_t index, const fl_block_keys *keys, uint64_t now_s,
        fl_outbox *out)
{
    fl_secagg_child *child = &self->child[index];
    uint8_t member[FL_MEMBER_BYTES];
    fl_writer line = fl_writer_over(member, sizeof member);
    fl_write_from(&line, keys->certificate.data, keys->certificate.size);
    fl_write_from(&line, keys->epk, sizeof keys->epk);
    fl_write_from(&line, keys->mpk, sizeof keys->mpk);
    fl_write_from(&line, keys->signature, sizeof keys->signature);
    if (line.broken || fl_writer_size(&line) != sizeof member) {
        s_drop(self, index, FL_KEYS, FL_WHY_MALFORMED, out);
        return;
    }
    if (child->keyed) {
        bool same = memcmp(child->member, member, sizeof member) == 0;
        if (!same) {
            s_drop(self, index, FL_KEYS, FL_WHY_DUPLICATE, out);
        } else if (self->state > FL_SERVER_INVITED && index < self->block.members) {
            fl_secagg_server_tell(self, index, FL_KEEP_ROSTER, out);
        }
        return;
    }
    if (self->state != FL_SERVER_INVITED || child->reason != FL_WHY_NONE) {
        s_drop(self, index, FL_KEYS, FL_WHY_LATE, out);
        return;
    }
    fl_reason reason = fl_secagg_block_add(&self->block, fl_bytes_of(member, sizeof member),
                                           &self->conf.trust, now_s);
    if (reason == FL_WHY_NONE &&
        !fl_name_equal(&self->block.seat[self->block.members - 1].node, &child->node)) {
        self->block.members--; // somebody else's
        reason = FL_WHY_CERTIFICATE;
    }
    if (reason == FL_WHY_KEY && s_copied(keys)) {
        fl_secagg_server_turn_away(self, index, reason, FL_KEYS, FL_NOTE_MASKING_OUT, out);
        return;
    }
    if (reason != FL_WHY_NONE) {
        fl_secagg_server_blame(self, index, reason, FL_KEYS, out);
        return;
    }
    memcpy(child->member, member, sizeof member);
    child->keyed = true;
}

static bool
s_dealing_holds(const fl_secagg_server *self, uint32_t index, const fl_block_shares *shares)
{
    static const uint8_t nothing[FL_SEALED_SHARE_BYTES];
    const fl_secagg_block *block = &self->block;
    if (memcmp(shares->sealed.data + (size_t)index * sizeof nothing, nothing, sizeof nothing) !=
        0) {
        return false;
    }
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, shares->digests);
    fl_secagg_public_part(&shares->commitment, &tree.node[1], part);
    return fl_transcript_dealt_holds(block->cert[index].keys.ed, &block->round, index,
                                     fl_bytes_of(part, sizeof part), shares->signature);
}

static void
on_shares(fl_secagg_server *self, uint32_t index, const fl_block_shares *shares, fl_outbox *out)
{
    size_t members = self->block.members;
    if (self->state < FL_SERVER_ROSTERED || index >= members || !self->told[FL_KEEP_ROSTER] ||
        shares->block != self->block_id) {
        s_drop(self, index, FL_SHARES, FL_WHY_UNKNOWN_ROUND, out);
        return;
    }
    if (shares->index != index || shares->digests.size != members * FL_DIGESTS_BYTES) {
        s_drop(self, index, FL_SHARES, FL_WHY_MALFORMED, out);
        return;
    }
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, index);
    if ((self->dealt & fl_secagg_bit(index)) != 0) {
        bool same = memcmp(dealing.signature, shares->signature, FL_SIGN_BYTES) == 0 &&
                    memcmp(dealing.sealed, shares->sealed.data, shares->sealed.size) == 0;
        if (same) {
            fl_secagg_server_tell(self, index, FL_KEEP_DEALT, out);
        } else {
            s_drop(self, index, FL_SHARES, FL_WHY_DUPLICATE, out);
        }
        return;
    }
    if (self->state != FL_SERVER_ROSTERED || self->child[index].reason != FL_WHY_NONE) {
        s_drop(self, index, FL_SHARES, FL_WHY_LATE, out);
        return;
    }
    if (!s_dealing_holds(self, index, shares)) {
        fl_secagg_server_blame(self, index, FL_WHY_SIGNATURE, FL_SHARES, out);
        return;
    }
    memcpy(dealing.commitment, shares->commitment.bytes, sizeof shares->commitment);
    memcpy(dealing.signature, shares->signature, FL_SIGN_BYTES);
    memcpy(dealing.digests, shares->digests.data, shares->digests.size);
    memcpy(dealing.sealed, shares->sealed.data, shares->sealed.size);
    self->dealt |= fl_secagg_bit(index);
}

static void
on_ready(fl_secagg_server *self, uint32_t index, const fl_block_ready *ready, fl_outbox *out)
{
    uint64_t bit = fl_secagg_bit(index);
    if (!self->told[FL_KEEP_DEALT] || (self->dealt & bit) == 0 || ready->block != self->block_id) {
        s_drop(self, index, FL_READY, FL_WHY_UNKNOWN_ROUND, out);
        return;
    }
    if (!fl_set_within(ready->dealers, self->block.members) ||
        (ready->dealers & ~self->dealt) != 0 || (ready->dealers & bit) == 0) {
        s_drop(self, index, FL_READY, FL_WHY_MALFORMED, out);
        return;
    }
    if ((self->heard_ready & bit) != 0 && self->ready[index] != ready->dealers) {
        s_drop(self, index, FL_READY, FL_WHY_DUPLICATE, out);
        return;
    }
    if (self->state >= FL_SERVER_COLLECTING) { // it asks for news
        fl_secagg_server_tell(self, index, FL_KEEP_MASKSET, out);
        fl_secagg_server_tell(self, index, FL_KEEP_SURVIVORS, out);
        return;
    }
    if (self->child[index].reason != FL_WHY_NONE) {
        s_drop(self, index, FL_READY, FL_WHY_LATE, out);
        return;
    }
    self->ready[index] = ready->dealers;
    self->heard_ready |= bit;
}

static void
on_ack(fl_secagg_server *self, uint32_t index, const fl_block_ack *ack, fl_outbox *out)
{
    uint64_t bit = fl_secagg_bit(index);
    if (!self->told[FL_KEEP_SURVIVORS] || (self->survivors & bit) == 0 ||
        ack->block != self->block_id || self->task.order.plan.masking != FL_MASKING_MALICIOUS) {
        s_drop(self, index, FL_ACK, FL_WHY_UNKNOWN_ROUND, out);
        return;
    }
    if (self->told[FL_KEEP_ACKS]) {
        fl_secagg_server_tell(self, index, FL_KEEP_ACKS, out);
        return;
    }
    if (self->state != FL_SERVER_ACKING || (self->acked & bit) != 0 ||
        self->child[index].reason != FL_WHY_NONE) {
        return; // ACKS are being kept; or it is waited for others, and for this one no more
    }
    if (!fl_transcript_asig_holds(self->block.cert[index].keys.ed, &self->ctx,
                                  &self->survivors_hash, index, ack->signature)) {
        fl_secagg_server_blame(self, index, FL_WHY_SIGNATURE, FL_ACK, out);
        return;
    }
    memcpy(self->asig[index], ack->signature, FL_SIGN_BYTES);
    self->acked |= bit;
}

//  Every share is the one that its dealer signed for this holder.
static bool
s_shares_match(const fl_secagg_server *self, uint32_t holder, const fl_block_unmask *unmask)
{
    const uint8_t *at = unmask->shares.data;
    for (uint32_t i = 0; i < self->block.members; i++) {
        bool self_kind = (unmask->self & fl_secagg_bit(i)) != 0;
        if (!self_kind && (unmask->pair & fl_secagg_bit(i)) == 0) {
            continue;
        }
        fl_share share;
        memcpy(share.bytes, at, sizeof share);
        at += sizeof share;
        fl_hash digest =
            fl_transcript_digest(&self->block.round, i, holder,
                                 self_kind ? FL_TRANSCRIPT_SELF : FL_TRANSCRIPT_PAIR, &share);
        fl_wipe(&share, sizeof share);
        const uint8_t *said = fl_secagg_server_dealing(self, i).digests +
                              (size_t)holder * FL_DIGESTS_BYTES + (self_kind ? 0 : sizeof digest);
        if (memcmp(digest.bytes, said, sizeof digest) != 0) {
            return false;
        }
    }
    return true;
}

static void
on_unmask(fl_secagg_server *self, uint32_t index, const fl_block_unmask *unmask, fl_outbox *out)
{
    uint64_t bit = fl_secagg_bit(index);
    bool malicious = self->task.order.plan.masking == FL_MASKING_MALICIOUS;
    bool ours = unmask->block == self->block_id && (self->survivors & bit) != 0;
    if (self->state == FL_SERVER_SUMMING && ours) {
        return; // more shares than it takes
    }
    if (self->state != FL_SERVER_OPENING || !ours ||
        !self->told[malicious ? FL_KEEP_ACKS : FL_KEEP_SURVIVORS]) {
        s_drop(self, index, FL_UNMASK, FL_WHY_UNKNOWN_ROUND, out);
        return;
    }
    if ((self->opened & bit) != 0 || self->child[index].reason != FL_WHY_NONE) {
        return;
    }
    if (unmask->self != self->survivors || unmask->pair != (self->maskset & ~self->survivors)) {
        s_drop(self, index, FL_UNMASK, FL_WHY_MALFORMED, out);
        return;
    }
    if (!s_shares_match(self, index, unmask)) {
        fl_secagg_server_blame(self, index, FL_WHY_HASH, FL_UNMASK, out);
        return;
    }
    const uint8_t *at = unmask->shares.data;
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((self->maskset & fl_secagg_bit(i)) != 0) { // self and pair together
            memcpy(self->opening[self->openers][i].bytes, at, FL_SHARE_BYTES);
            at += FL_SHARE_BYTES;
        }
    }
    self->opener[self->openers++] = (uint8_t)index;
    self->opened |= bit;
}

//  A member that will not, or may not: nobody waits for it.
static void
s_out(fl_secagg_server *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_secagg_child *child = &self->child[index];
    if (child->reason == FL_WHY_NONE) {
        child->reason = reason;
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_MASKING_OUT,
                                       .node = child->node,
                                       .round = self->task.order.round,
                                       .reason = reason,
                                       .a = index,
                                       .b = (uint64_t)self->state });
    }
}

void
fl_secagg_server_drop(fl_secagg_server *self, const fl_name *node, fl_reason reason, fl_time now,
                      fl_outbox *out)
{
    uint32_t index;
    if (fl_secagg_server_child(self, node, &index) != NULL && s_running(self)) {
        s_out(self, index, reason, out);
        fl_secagg_server_advance(self, now, out);
    }
}

void
fl_secagg_server_hear(fl_secagg_server *self, const fl_event *event, uint64_t now_s, fl_time now,
                      fl_outbox *out)
{
    const fl_message *message = event->message.message;
    uint32_t index;
    fl_secagg_child *child = fl_secagg_server_child(self, &event->message.node, &index);
    if (child == NULL || !s_running(self) || message->round != self->task.order.round ||
        !fl_run_equal(&message->run, &self->task.order.run)) {
        return; // nobody of this block
    }
    child->peer = event->message.from;
    child->reachable = true;
    child->gone = false;
    switch ((int)message->verb) {
    case FL_KEYS:
        on_keys(self, index, &message->keys, now_s, out);
        break;
    case FL_SHARES:
        on_shares(self, index, &message->shares, out);
        break;
    case FL_READY:
        on_ready(self, index, &message->ready, out);
        break;
    case FL_ACK:
        on_ack(self, index, &message->ack, out);
        break;
    case FL_UNMASK:
        on_unmask(self, index, &message->unmask, out);
        break;
    case FL_REFUSED:
        s_out(self, index, message->refused.reason, out);
        break;
    default:
        break;
    }
    fl_secagg_server_advance(self, now, out);
}

// ---- uploads ---------------------------------------------------------------------------------
//  Whose uploads are taken: of the mask set; once the survivors are said, of them alone.
static uint64_t
s_wanted(const fl_secagg_server *self)
{
    if (self->state == FL_SERVER_COLLECTING) {
        return self->told[FL_KEEP_MASKSET] ? self->maskset : 0;
    }
    bool opening = self->state == FL_SERVER_ACKING || self->state == FL_SERVER_OPENING;
    return opening ? self->survivors : 0;
}

bool
fl_secagg_server_wants(const fl_secagg_server *self, const fl_name *node)
{
    for (uint32_t i = 0; i < self->block.members && self->told[FL_KEEP_MASKSET]; i++) {
        if (fl_name_equal(&self->child[i].node, node)) {
            return (s_wanted(self) & ~self->uploaded & fl_secagg_bit(i)) != 0 &&
                   !self->child[i].blamed;
        }
    }
    return false;
}

uint32_t
fl_secagg_server_awaits(const fl_secagg_server *self)
{
    uint64_t set = self->told[FL_KEEP_MASKSET] ? s_wanted(self) & ~self->uploaded : 0;
    for (uint32_t i = 0; i < self->block.members; i++) {
        set &= self->child[i].blamed ? ~fl_secagg_bit(i) : UINT64_MAX;
    }
    return fl_set_count(set);
}

fl_reason
fl_secagg_server_contrib(fl_secagg_server *self, const fl_name *node, const fl_contrib *contrib,
                         fl_outbox *out)
{
    uint32_t index;
    fl_secagg_child *child = fl_secagg_server_child(self, node, &index);
    if (child == NULL || !s_running(self) || !self->told[FL_KEEP_MASKSET]) {
        return FL_WHY_UNKNOWN_ROUND;
    }
    uint64_t bit = fl_secagg_bit(index);
    if (child->blamed) {
        return child->reason;
    }
    if ((s_wanted(self) & bit) == 0 || index >= self->block.members) {
        return FL_WHY_LATE;
    }
    if ((self->uploaded & bit) != 0) {
        return FL_WHY_NONE; // counted; the aggregator knows whether it is the same
    }
    if (contrib->header.size != FL_MASKED_HEADER_BYTES) {
        return FL_WHY_MALFORMED;
    }
    if (self->task.order.plan.masking == FL_MASKING_MALICIOUS) {
        if (contrib->psig.size != FL_SIGN_BYTES ||
            !fl_transcript_psig_holds(self->block.cert[index].keys.ed, &self->ctx, index,
                                      contrib->psig.data)) {
            fl_secagg_server_blame(self, index, FL_WHY_SIGNATURE, FL_CONTRIB, out);
            return FL_WHY_SIGNATURE;
        }
        memcpy(self->psig[index], contrib->psig.data, FL_SIGN_BYTES);
    }
    memcpy(self->header[index], contrib->header.data, FL_MASKED_HEADER_BYTES);
    self->announced |= bit;
    return FL_WHY_NONE;
}

bool
fl_secagg_server_uploaded(fl_secagg_server *self, const fl_name *node, fl_time now, fl_outbox *out)
{
    uint32_t index;
    fl_secagg_child *child = fl_secagg_server_child(self, node, &index);
    if (child == NULL || index >= self->block.members) {
        return false;
    }
    uint64_t bit = fl_secagg_bit(index);
    if ((s_wanted(self) & self->announced & ~self->uploaded & bit) == 0 || child->blamed) {
        return false;
    }
    self->uploaded |= bit;
    fl_secagg_server_advance(self, now, out);
    return true;
}
