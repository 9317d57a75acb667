#include "common/secagg/secagg.h"

#include <string.h>

#include "common/machine/policy.h"

_Static_assert((int)FL_MEMBER_CERT_BYTES == (int)FL_CERT_BYTES, "certificates travel whole");
_Static_assert((int)FL_MEMBER_BYTES ==
                   (int)FL_CERT_BYTES + 2 * (int)FL_TRANSCRIPT_KEY_BYTES + (int)FL_SIGN_BYTES + 2,
               "a line of a roster");
_Static_assert((int)FL_SEALED_SHARE_BYTES == (int)FL_TRANSCRIPT_SEALED_BYTES,
               "shares travel sealed");
_Static_assert((int)FL_SHARE_WIRE_BYTES == (int)FL_SHARE_BYTES, "shares travel whole");
_Static_assert((int)FL_MEMBERS_MAX == (int)FL_SHARE_HOLDERS_MAX, "each member holds a share");
_Static_assert(FL_PATH_BYTES == 6 * sizeof(fl_hash) && FL_MEMBERS_MAX == 1 << 6, "a tree of 64");

uint32_t
fl_secagg_corrupt(uint32_t members)
{
    return members / 4;
}

uint32_t
fl_secagg_threshold(uint32_t members)
{
    return (members + fl_secagg_corrupt(members)) / 2 + 1;
}

uint32_t
fl_secagg_quorum(uint32_t members, uint32_t floor)
{
    uint32_t quorum = fl_secagg_threshold(members);
    quorum = quorum > FL_SECAGG_MEMBERS_MIN ? quorum : FL_SECAGG_MEMBERS_MIN;
    return quorum > floor ? quorum : floor;
}

uint32_t
fl_secagg_floor(const uint8_t floors[2], uint8_t hop)
{
    FL_ASSERT(hop >= 1);
    return floors[hop == 1 ? 0 : 1];
}

bool
fl_secagg_plan_holds(const fl_plan *plan, uint64_t elements)
{
    const fl_element element = fl_policy_element(plan);
    return fl_element_prove(&element, NULL) == FL_OK &&
           fl_element_bytes(&element, elements) <= FL_VECTOR_BYTES_MAX;
}

fl_hash
fl_secagg_task_hash(const fl_task *task)
{
    uint8_t body[FL_ORDER_BYTES + FL_SIGNATURE_BYTES];
    fl_order_encode(&task->order, body);
    memcpy(body + FL_ORDER_BYTES, task->signature, FL_SIGNATURE_BYTES);
    return fl_hash_domain("HSA2 task", fl_bytes_of(body, sizeof body));
}

bool
fl_secagg_asks_keys(fl_bytes members)
{
    static const uint8_t nobody[FL_MEMBER_BYTES];
    return fl_bytes_equal(members, fl_bytes_of(nobody, sizeof nobody));
}

// ---- rosters ---------------------------------------------------------------------------------
static fl_reason
s_certified(const fl_secagg_block *self, fl_bytes bytes, const fl_secagg_trust *trust,
            uint64_t now_s, fl_cert *cert)
{
    fl_trust answer = fl_cert_check(bytes, trust->authority, now_s, trust->roles, cert);
    if (answer != FL_TRUST_OK) {
        return answer == FL_TRUST_ROLE      ? FL_WHY_ROLE
               : answer == FL_TRUST_EXPIRED ? FL_WHY_EXPIRED
               : answer == FL_TRUST_EARLY   ? FL_WHY_CLOCK
                                            : FL_WHY_CERTIFICATE;
    }
    if (trust->deny != NULL && fl_deny_list_names(trust->deny, &cert->node, cert->serial)) {
        return FL_WHY_REVOKED;
    }
    if (fl_name_equal(&cert->node, &self->round.edge)) {
        return FL_WHY_ROLE; // who adds up is no member: it would be a corrupt one for nothing
    }
    for (uint32_t i = 0; i < self->members; i++) {
        const fl_cert *other = &self->cert[i];
        if (fl_name_equal(&other->node, &cert->node) || other->serial == cert->serial ||
            memcmp(other->keys.ed, cert->keys.ed, sizeof cert->keys.ed) == 0) {
            return FL_WHY_CERTIFICATE;
        }
    }
    return FL_WHY_NONE;
}

//  Sound, and nobody else's, in neither of the two roles of a key.
static bool
s_key_fresh(const fl_secagg_block *self, const uint8_t key[FL_TRANSCRIPT_KEY_BYTES])
{
    bool fresh = fl_transcript_point_sound(key);
    for (uint32_t i = 0; i < self->members; i++) {
        fresh = fresh && memcmp(self->seat[i].epk, key, FL_TRANSCRIPT_KEY_BYTES) != 0 &&
                memcmp(self->seat[i].mpk, key, FL_TRANSCRIPT_KEY_BYTES) != 0;
    }
    return fresh;
}

//  Edges have no class: what an edge sums up weighs what its devices do.
static uint8_t
s_class_max(const fl_plan *plan, const fl_cert *cert)
{
    uint8_t most = cert->role == FL_ROLE_DEVICE ? fl_policy_class(UINT64_MAX, plan) : 0;
    return cert->class_max > 0 && cert->class_max < most ? cert->class_max : most;
}

fl_reason
fl_secagg_block_add(fl_secagg_block *self, fl_bytes member, const fl_secagg_trust *trust,
                    uint64_t now_s)
{
    FL_ASSERT(self->members < FL_MEMBERS_MAX && member.size == FL_MEMBER_BYTES);
    fl_reader in = fl_reader_of(member);
    fl_bytes bytes = fl_read_view(&in, FL_MEMBER_CERT_BYTES);
    fl_cert cert;
    fl_reason reason = s_certified(self, bytes, trust, now_s, &cert);
    if (reason != FL_WHY_NONE) {
        return reason;
    }
    fl_transcript_seat seat = { .index = self->members, .node = cert.node };
    fl_read_into(&in, seat.epk, sizeof seat.epk);
    fl_read_into(&in, seat.mpk, sizeof seat.mpk);
    if (!s_key_fresh(self, seat.epk) || !s_key_fresh(self, seat.mpk) ||
        memcmp(seat.epk, seat.mpk, sizeof seat.epk) == 0) {
        return FL_WHY_KEY;
    }
    fl_bytes signature = fl_read_view(&in, FL_SIGN_BYTES);
    seat.class = fl_read_u8(&in);
    uint8_t roster = fl_read_u8(&in);
    if (roster != self->round.number ||
        !fl_transcript_keys_hold(cert.keys.ed, &self->round, seat.class, seat.epk, seat.mpk,
                                 signature.data)) {
        return FL_WHY_SIGNATURE;
    }
    if (self->plan != NULL && seat.class > s_class_max(self->plan, &cert)) {
        return FL_WHY_WEIGHT;
    }
    self->cert[self->members] = cert;
    self->seat[self->members++] = seat;
    return FL_WHY_NONE;
}

uint64_t
fl_secagg_weight(const fl_secagg_block *self, uint64_t set)
{
    uint64_t weight = 0;
    FL_EACH_MEMBER (i, set) {
        weight += (uint64_t)1 << self->seat[i].class;
    }
    return weight;
}

bool
fl_secagg_hides(const fl_secagg_block *self, uint32_t index, uint64_t set, uint32_t parts)
{
    parts = fl_set_count(set) < parts ? fl_set_count(set) : parts;
    return ((uint64_t)parts << self->seat[index].class) <= fl_secagg_weight(self, set);
}

void
fl_secagg_block_seal(fl_secagg_block *self, fl_bytes members)
{
    self->round.roster = fl_secagg_roster_hash(members);
}

fl_hash
fl_secagg_roster_hash(fl_bytes members)
{
    return fl_hash_domain("HSA2 roster", members);
}

// ---- the tree of digests ---------------------------------------------------------------------
static fl_hash
s_leaf(const uint8_t digests[FL_DIGESTS_BYTES], uint32_t index)
{
    uint8_t bytes[4 + FL_DIGESTS_BYTES];
    fl_writer out = fl_writer_over(bytes, sizeof bytes);
    fl_write_u32(&out, index);
    fl_write_from(&out, digests, FL_DIGESTS_BYTES);
    return fl_hash_domain("HSA2 leaf", fl_bytes_of(bytes, sizeof bytes));
}

static fl_hash
s_join(const fl_hash *left, const fl_hash *right)
{
    uint8_t bytes[2 * sizeof(fl_hash)];
    memcpy(bytes, left->bytes, sizeof *left);
    memcpy(bytes + sizeof *left, right->bytes, sizeof *right);
    return fl_hash_domain("HSA2 node", fl_bytes_of(bytes, sizeof bytes));
}

void
fl_secagg_tree_fill(fl_secagg_tree *self, fl_bytes digests)
{
    uint32_t members = (uint32_t)(digests.size / FL_DIGESTS_BYTES);
    FL_ASSERT(members <= FL_MEMBERS_MAX && digests.size % FL_DIGESTS_BYTES == 0);
    memset(self, 0, sizeof *self);
    for (uint32_t i = 0; i < members; i++) {
        self->node[FL_MEMBERS_MAX + i] = s_leaf(digests.data + (size_t)i * FL_DIGESTS_BYTES, i);
    }
    for (uint32_t i = FL_MEMBERS_MAX - 1; i >= 1; i--) {
        self->node[i] = s_join(&self->node[2 * i], &self->node[2 * i + 1]);
    }
}

void
fl_secagg_tree_path(const fl_secagg_tree *self, uint32_t index, uint8_t path[FL_PATH_BYTES])
{
    FL_ASSERT(index < FL_MEMBERS_MAX);
    for (uint32_t at = FL_MEMBERS_MAX + index; at > 1; at /= 2) {
        memcpy(path, self->node[at ^ 1].bytes, sizeof(fl_hash));
        path += sizeof(fl_hash);
    }
}

fl_hash
fl_secagg_tree_climb(const uint8_t digests[FL_DIGESTS_BYTES], uint32_t index,
                     const uint8_t path[FL_PATH_BYTES])
{
    FL_ASSERT(index < FL_MEMBERS_MAX);
    fl_hash hash = s_leaf(digests, index);
    for (uint32_t at = FL_MEMBERS_MAX + index; at > 1; at /= 2) {
        fl_hash beside;
        memcpy(beside.bytes, path, sizeof beside);
        hash = at % 2 == 0 ? s_join(&hash, &beside) : s_join(&beside, &hash);
        path += sizeof beside;
    }
    return hash;
}

void
fl_secagg_public_part(const fl_hash *commitment, const fl_hash *root,
                      uint8_t bytes[FL_SECAGG_PUBLIC_BYTES])
{
    memcpy(bytes, commitment->bytes, sizeof *commitment);
    memcpy(bytes + sizeof *commitment, root->bytes, sizeof *root);
}

// ---- the header lane -------------------------------------------------------------------------
//  Its words in the order of the struct.
_Static_assert(sizeof(fl_secagg_sums) == FL_MASKED_HEADER_BYTES, "no gaps");

void
fl_secagg_header_mask(fl_secagg_sums *sums, const fl_mask_seed *seeds, size_t count)
{
    uint64_t words[FL_MASKED_HEADER_WORDS];
    fl_mask_range range = { .ring_bits = 64,
                            .lane = FL_MASK_LANE_HEADER,
                            .count = FL_MASKED_HEADER_WORDS };
    memcpy(words, sums, sizeof words);
    fl_mask_apply(seeds, count, &range, words);
    memcpy(sums, words, sizeof words);
}

void
fl_secagg_header_encode(const fl_secagg_sums *sums, uint8_t bytes[FL_MASKED_HEADER_BYTES])
{
    uint64_t words[FL_MASKED_HEADER_WORDS];
    fl_writer out = fl_writer_over(bytes, FL_MASKED_HEADER_BYTES);
    memcpy(words, sums, sizeof words);
    for (int i = 0; i < FL_MASKED_HEADER_WORDS; i++) {
        fl_write_u64(&out, words[i]);
    }
}

void
fl_secagg_header_add(fl_secagg_sums *sums, const uint8_t bytes[FL_MASKED_HEADER_BYTES])
{
    uint64_t words[FL_MASKED_HEADER_WORDS];
    fl_reader in = fl_reader_of(fl_bytes_of(bytes, FL_MASKED_HEADER_BYTES));
    memcpy(words, sums, sizeof words);
    for (int i = 0; i < FL_MASKED_HEADER_WORDS; i++) {
        words[i] += fl_read_u64(&in);
    }
    memcpy(sums, words, sizeof words);
}
