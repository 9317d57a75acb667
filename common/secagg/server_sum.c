//  The opening: from the shares of `threshold` survivors, the own mask of each survivor and the
//  mask key of each who was lost after masking. What they give is what stands on the sum, and no
//  more.
#include "common/secagg/server_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/secagg/evidence.h"

void
fl_secagg_server_forget(fl_secagg_server *self)
{
    fl_wipe(self->opening, FL_MEMBERS_MAX * sizeof *self->opening);
    fl_wipe(self->seeds, sizeof self->seeds);
    self->seed_count = 0;
    self->openers = 0;
}

bool
fl_secagg_server_complete(const fl_secagg_server *self)
{
    return self->openers >= self->threshold;
}

//  The shares of one secret, from the first `threshold` openers.
static void
s_shares_of(const fl_secagg_server *self, uint32_t index, fl_share shares[FL_MEMBERS_MAX])
{
    for (uint32_t k = 0; k < self->threshold; k++) {
        shares[k] = self->opening[k][index];
    }
}

static void
s_accuse(fl_secagg_server *self, uint32_t index, fl_transcript_kind kind, const fl_share *shares,
         fl_outbox *out)
{
    fl_secagg_dealing dealing = fl_secagg_server_dealing(self, index);
    fl_evidence evidence = {
        .round = self->block.round,
        .members = self->block.members,
        .dealer = index,
        .threshold = self->threshold,
        .kind = kind,
        .member = fl_bytes_of(self->child[index].member, FL_MEMBER_BYTES),
        .signature = fl_bytes_of(dealing.signature, FL_SIGN_BYTES),
        .digests = fl_bytes_of(dealing.digests, (size_t)self->block.members * FL_DIGESTS_BYTES),
    };
    memcpy(evidence.commitment.bytes, dealing.commitment, sizeof evidence.commitment);
    memcpy(evidence.holders, self->opener, self->threshold);
    memcpy(evidence.shares, shares, self->threshold * sizeof *shares);
    self->evidence = malloc(FL_EVIDENCE_BYTES_MAX);
    if (self->evidence != NULL) {
        size_t size = fl_evidence_encode(&evidence, self->evidence);
        fl_effect *effect = fl_outbox_add(out, FL_FX_KEEP);
        effect->keep.token = FL_SECAGG_TOKEN_SERVER;
        effect->keep.what = FL_KEEP_EVIDENCE;
        effect->keep.run = self->task.order.run;
        effect->keep.round = self->task.order.round;
        effect->keep.block = self->block_id;
        effect->keep.fact = fl_bytes_of(self->evidence, size);
    }
    fl_wipe(&evidence, sizeof evidence);
    fl_secagg_server_blame(self, index, FL_WHY_DEALER_LIED, FL_SHARES, out);
    fl_secagg_server_abort(self, FL_WHY_DEALER_LIED, out);
}

//  The masks that a lost member and the survivors share.
static bool
s_seeds_of_lost(fl_secagg_server *self, uint32_t lost, const uint8_t msk[FL_TRANSCRIPT_KEY_BYTES])
{
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((self->survivors & fl_secagg_bit(i)) == 0) {
            continue;
        }
        FL_ASSERT(self->seed_count < FL_SECAGG_SEEDS_MAX);
        if (!fl_transcript_mask_seed(&self->ctx, &self->block.seat[lost], msk, &self->block.seat[i],
                                     &self->seeds[self->seed_count++])) {
            return false;
        }
    }
    return true;
}

//  False: the block was aborted.
static bool
s_open_one(fl_secagg_server *self, uint32_t index, fl_transcript_kind kind, fl_outbox *out)
{
    fl_share shares[FL_MEMBERS_MAX];
    uint8_t secret[FL_SHARE_BYTES];
    fl_hash commitment;
    s_shares_of(self, index, shares);
    memcpy(commitment.bytes, fl_secagg_server_dealing(self, index).commitment, sizeof commitment);
    bool built = fl_share_rebuild(self->opener, shares, self->threshold, secret);
    FL_ASSERT(built); // openers differ
    bool kept = fl_secagg_secret_kept(kind, secret, &commitment, self->block.seat[index].mpk);
    if (!kept) {
        s_accuse(self, index, kind, shares, out);
    } else if (kind == FL_TRANSCRIPT_SELF) {
        fl_mask_seed *seed = &self->seeds[self->seed_count++];
        fl_transcript_self_seed(&self->ctx, secret, seed);
        seed->subtract = true;
    } else {
        kept = s_seeds_of_lost(self, index, secret);
        FL_ASSERT(kept); // every point of the roster is sound
    }
    fl_wipe(secret, sizeof secret);
    fl_wipe(shares, sizeof shares);
    return kept;
}

void
fl_secagg_server_sum(fl_secagg_server *self, fl_outbox *out)
{
    self->seed_count = 0;
    for (uint32_t i = 0; i < self->block.members; i++) {
        if ((self->maskset & fl_secagg_bit(i)) == 0) {
            continue;
        }
        bool lives = (self->survivors & fl_secagg_bit(i)) != 0;
        if (!s_open_one(self, i, lives ? FL_TRANSCRIPT_SELF : FL_TRANSCRIPT_PAIR, out)) {
            return;
        }
    }
    self->unmasking = true;
    fl_effect *effect = fl_outbox_add(out, FL_FX_UNMASK);
    effect->unmask.block = self->block_id;
    effect->unmask.elements = self->task.order.elements;
    effect->unmask.ring_bits = self->task.order.plan.ring_bits;
    effect->unmask.wire_bytes = self->task.order.plan.wire_bytes;
    effect->unmask.seeds = self->seeds;
    effect->unmask.seed_count = self->seed_count;
    fl_transcript_checksum_key(&self->ctx, effect->unmask.checksum_key);
    fl_secagg_server_enter(self, FL_SERVER_SUMMING, out);
}
