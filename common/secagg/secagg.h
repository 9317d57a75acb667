//  secagg - what both halves of a masked round share (docs/masking.md): the thresholds that follow
//  from the size of a block, what is checked of a roster, and the tree over a dealer's digests.
//  Plain values and pure functions.
#ifndef FL_SECAGG_SECAGG_H
#define FL_SECAGG_SECAGG_H

#include "common/crypto/cert.h"
#include "common/crypto/deny.h"
#include "common/machine/event.h"
#include "common/secagg/transcript.h"

enum { FL_SECAGG_MEMBERS_MIN = 3, FL_SECAGG_ROSTERS_MAX = 3 };

//  What is said names the roster with the block: number x FL_BLOCKS_MAX + block. A word of another
//  roster is one of another block.
static inline uint32_t
fl_secagg_block_of(uint32_t block, uint8_t number)
{
    return (uint32_t)number * FL_BLOCKS_MAX + block;
}

//  Sets of members: bit i for index i.
static inline uint64_t
fl_secagg_bit(uint32_t index)
{
    return (uint64_t)1 << index;
}

//  All of so many, 0..FL_MEMBERS_MAX.
static inline uint64_t
fl_secagg_all(uint32_t members)
{
    return members == 0 ? 0 : UINT64_MAX >> (FL_MEMBERS_MAX - members);
}

//  Members that may be corrupt together with the parent: A = floor(n / 4).
uint32_t fl_secagg_corrupt(uint32_t members);
//  Shares that rebuild a secret: t = floor((n + A) / 2) + 1.
uint32_t fl_secagg_threshold(uint32_t members);
//  Fewest survivors of a sum: max(t, 3, floor).
uint32_t fl_secagg_quorum(uint32_t members, uint32_t floor);

//  A floor of the plan for a hop, from 1.
uint32_t fl_secagg_floor(const uint8_t floors[2], uint8_t hop);
//  True when the sums of a round of so many elements fit a ring, and its vectors the wire.
bool fl_secagg_plan_holds(const fl_plan *plan, uint64_t elements);
//  The hash of a whole signed task body, the same at every attempt.
fl_hash fl_secagg_task_hash(const fl_task *task);

//  A ROSTER with one line of zeros is none: it asks for KEYS of the roster that its block names.
bool fl_secagg_asks_keys(fl_bytes members);

//  Whose certificates count.
typedef struct fl_secagg_trust {
    const fl_authority_public *authority;
    const fl_deny_list *deny; // may be NULL
    unsigned roles;           // FL_ROLES of members
} fl_secagg_trust;

//  A block as its roster shows it.
typedef struct fl_secagg_block {
    fl_transcript_round round; // its roster hash included
    const fl_plan *plan;       // borrowed: bounds the classes; NULL: any class
    uint32_t members;
    fl_cert cert[FL_MEMBERS_MAX];
    fl_transcript_seat seat[FL_MEMBERS_MAX];
} fl_secagg_block;

//  Append one member: FL_MEMBER_BYTES of a roster. FL_WHY_NONE, or why it may not be one:
//  certificate, role, revoked, key, signature, weight (a class above the plan's or the
//  certificate's); certificate and key also when another member has the name, the certificate or
//  one of the keys, role also when it is the parent. `round` is set but for its roster. `now_s`:
//  wall clock.
FL_CHECKED fl_reason fl_secagg_block_add(fl_secagg_block *self, fl_bytes member,
                                         const fl_secagg_trust *trust, uint64_t now_s);
//  What a set weighs by its classes.
uint64_t fl_secagg_weight(const fl_secagg_block *self, uint64_t set);
//  The part of its own update that a member lets a sum be: a quarter of what the roster may sum
//  up, a third of what is left after losses; a smaller set has equal parts.
enum { FL_SECAGG_PART_ROSTER = 4, FL_SECAGG_PART_SUM = 3 };
bool fl_secagg_hides(const fl_secagg_block *self, uint32_t index, uint64_t set, uint32_t parts);
//  The hash of the roster, put into `round`.
void fl_secagg_block_seal(fl_secagg_block *self, fl_bytes members);
//  Of all the lines of a roster.
fl_hash fl_secagg_roster_hash(fl_bytes members);

//  The tree over what a dealer says of its shares: one signature for all, 192 bytes to show a part.
//  node[1] is the root, node[64 + i] the leaf of member i, zeros for nobody.
typedef struct fl_secagg_tree {
    fl_hash node[2 * FL_MEMBERS_MAX];
} fl_secagg_tree;

//  From (members, FL_DIGESTS_BYTES) digests.
void fl_secagg_tree_fill(fl_secagg_tree *self, fl_bytes digests);
void fl_secagg_tree_path(const fl_secagg_tree *self, uint32_t index, uint8_t path[FL_PATH_BYTES]);
//  The root that these digests and this path lead to.
fl_hash fl_secagg_tree_climb(const uint8_t digests[FL_DIGESTS_BYTES], uint32_t index,
                             const uint8_t path[FL_PATH_BYTES]);
//  The public part of a dealing, as it is signed.
enum { FL_SECAGG_PUBLIC_BYTES = 64 };
void fl_secagg_public_part(const fl_hash *commitment, const fl_hash *root,
                           uint8_t bytes[FL_SECAGG_PUBLIC_BYTES]);

//  The sums of the header lane, in the order of its words.
typedef struct fl_secagg_sums {
    uint64_t weight, count, checksum;
    uint64_t stats[FL_STATS];
} fl_secagg_sums;

//  Run masks over the header lane.
void fl_secagg_header_mask(fl_secagg_sums *sums, const fl_mask_seed *seeds, size_t count);
void fl_secagg_header_encode(const fl_secagg_sums *sums, uint8_t bytes[FL_MASKED_HEADER_BYTES]);
//  Of exactly FL_MASKED_HEADER_BYTES.
void fl_secagg_header_add(fl_secagg_sums *sums, const uint8_t bytes[FL_MASKED_HEADER_BYTES]);

#endif
