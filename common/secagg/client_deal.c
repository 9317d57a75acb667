//  What a member deals to the others, and what it finds in what they dealt.
#include "common/secagg/client_inside.h"

#include <string.h>

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

bool
fl_secagg_client_deal(fl_secagg_client *self, fl_time now, fl_outbox *out)
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
    fl_block_shares *shares = &fl_secagg_client_word(self, FL_SHARES)->shares;
    shares->block = self->block.round.block;
    shares->index = self->index;
    shares->commitment = fl_transcript_commitment(secrets->b);
    shares->digests = fl_bytes_of(self->digests, (size_t)members * FL_DIGESTS_BYTES);
    shares->sealed = fl_bytes_of(self->sealed, (size_t)members * FL_SEALED_SHARE_BYTES);
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, shares->digests);
    fl_secagg_public_part(&shares->commitment, &tree.node[1], part);
    fl_transcript_dealt_sign(self->conf.keys, &self->block.round, self->index,
                             fl_bytes_of(part, sizeof part), shares->signature);
    fl_secagg_client_utter(self, now, out);
    return true;
}

bool
fl_secagg_client_take(fl_secagg_client *self, uint32_t from, const uint8_t *part)
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
