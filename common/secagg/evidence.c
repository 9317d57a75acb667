#include "common/secagg/evidence.h"

#include <string.h>

bool
fl_secagg_secret_kept(fl_transcript_kind kind, const uint8_t secret[FL_SHARE_BYTES],
                      const fl_hash *commitment, const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES])
{
    if (kind == FL_TRANSCRIPT_SELF) {
        fl_hash hash = fl_transcript_commitment(secret);
        return fl_hash_equal(&hash, commitment);
    }
    uint8_t point[FL_TRANSCRIPT_KEY_BYTES];
    fl_transcript_public_of(secret, point);
    return memcmp(point, mpk, sizeof point) == 0;
}

size_t
fl_evidence_encode(const fl_evidence *self, uint8_t bytes[FL_EVIDENCE_BYTES_MAX])
{
    const fl_transcript_round *round = &self->round;
    fl_writer out = fl_writer_over(bytes, FL_EVIDENCE_BYTES_MAX);
    fl_write_u8(&out, round->hop);
    fl_write_from(&out, round->edge.name, sizeof round->edge.name);
    fl_write_from(&out, round->run.bytes, sizeof round->run.bytes);
    fl_write_u32(&out, round->block);
    fl_write_u64(&out, round->round);
    fl_write_from(&out, round->roster.bytes, sizeof round->roster.bytes);
    fl_write_u8(&out, (uint8_t)self->members);
    fl_write_u8(&out, (uint8_t)self->dealer);
    fl_write_u8(&out, (uint8_t)self->kind);
    fl_write_u8(&out, (uint8_t)self->threshold);
    fl_write_from(&out, self->member.data, self->member.size);
    fl_write_from(&out, self->commitment.bytes, sizeof self->commitment.bytes);
    fl_write_from(&out, self->signature.data, self->signature.size);
    fl_write_from(&out, self->digests.data, self->digests.size);
    for (uint32_t i = 0; i < self->threshold; i++) {
        fl_write_u8(&out, self->holders[i]);
        fl_write_from(&out, self->shares[i].bytes, sizeof self->shares[i].bytes);
    }
    FL_ASSERT(!out.broken);
    return fl_writer_size(&out);
}

static bool
s_decode(fl_bytes bytes, fl_evidence *self)
{
    fl_reader in = fl_reader_of(bytes);
    self->round.hop = fl_read_u8(&in);
    fl_read_into(&in, self->round.edge.name, sizeof self->round.edge.name);
    fl_read_into(&in, self->round.run.bytes, sizeof self->round.run.bytes);
    self->round.block = fl_read_u32(&in);
    self->round.round = fl_read_u64(&in);
    fl_read_into(&in, self->round.roster.bytes, sizeof self->round.roster.bytes);
    self->members = fl_read_u8(&in);
    self->dealer = fl_read_u8(&in);
    uint8_t kind = fl_read_u8(&in);
    self->threshold = fl_read_u8(&in);
    if (in.broken || self->members < 1 || self->members > FL_MEMBERS_MAX ||
        self->dealer >= self->members ||
        (kind != FL_TRANSCRIPT_SELF && kind != FL_TRANSCRIPT_PAIR) ||
        self->threshold != fl_secagg_threshold(self->members)) {
        return false;
    }
    self->kind = (fl_transcript_kind)kind;
    self->member = fl_read_view(&in, FL_MEMBER_BYTES);
    self->round.number = in.broken ? 0 : self->member.data[FL_MEMBER_BYTES - 1];
    fl_read_into(&in, self->commitment.bytes, sizeof self->commitment.bytes);
    self->signature = fl_read_view(&in, FL_SIGN_BYTES);
    self->digests = fl_read_view(&in, (size_t)self->members * FL_DIGESTS_BYTES);
    for (uint32_t i = 0; i < self->threshold; i++) {
        self->holders[i] = fl_read_u8(&in);
        fl_read_into(&in, self->shares[i].bytes, sizeof self->shares[i].bytes);
    }
    return fl_reader_done(&in);
}

//  The dealer signed exactly these digests, and these shares are what they are digests of.
static bool
s_signed(const fl_evidence *self, const fl_cert *cert)
{
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, self->digests);
    fl_secagg_public_part(&self->commitment, &tree.node[1], part);
    if (!fl_transcript_dealt_holds(cert->keys.ed, &self->round, self->dealer,
                                   fl_bytes_of(part, sizeof part), self->signature.data)) {
        return false;
    }
    for (uint32_t i = 0; i < self->threshold; i++) {
        if (self->holders[i] >= self->members) {
            return false;
        }
        fl_hash digest = fl_transcript_digest(&self->round, self->dealer, self->holders[i],
                                              self->kind, &self->shares[i]);
        const uint8_t *said = self->digests.data + (size_t)self->holders[i] * FL_DIGESTS_BYTES +
                              (self->kind == FL_TRANSCRIPT_SELF ? 0 : sizeof digest);
        if (memcmp(digest.bytes, said, sizeof digest) != 0) {
            return false;
        }
    }
    return true;
}

bool
fl_evidence_holds(fl_bytes bytes, const fl_secagg_trust *trust, uint64_t now_s, fl_name *liar)
{
    fl_evidence self = { 0 };
    fl_secagg_block block = { 0 };
    memset(liar, 0, sizeof *liar);
    if (!s_decode(bytes, &self)) {
        return false;
    }
    block.round = self.round;
    uint8_t secret[FL_SHARE_BYTES];
    if (fl_secagg_block_add(&block, self.member, trust, now_s) != FL_WHY_NONE ||
        !s_signed(&self, &block.cert[0]) ||
        !fl_share_rebuild(self.holders, self.shares, self.threshold, secret) ||
        fl_secagg_secret_kept(self.kind, secret, &self.commitment, block.seat[0].mpk)) {
        return false;
    }
    *liar = block.cert[0].node;
    return true;
}
