//  transcript - the keys and bytes of a masked round (protocol HSA-2, docs/masking.md): what
//  members derive from their one-round X25519 pairs, the context that everything is bound to,
//  sealed shares, and the signatures that members show each other. Integers are little-endian and
//  of fixed width, so no two inputs of a hash look alike; hashes are BLAKE2b-256. Signatures are
//  those of sign.h, a domain each. Pure functions over caller-owned memory; any thread. Secrets
//  that they fill in are the caller's to wipe; their own copies are wiped.
#ifndef FL_SECAGG_TRANSCRIPT_H
#define FL_SECAGG_TRANSCRIPT_H

#include "common/crypto/keys.h"
#include "common/crypto/mask.h"
#include "common/crypto/share.h"

enum {
    FL_TRANSCRIPT_KEY_BYTES = 32,     // an X25519 half, a pair key, a checksum key
    FL_TRANSCRIPT_SEALED_BYTES = 104, // nonce 24, two shares 64, tag 16
};

//  Where and when: a block of one round at one parent. `roster` is the hash of the whole roster.
typedef struct fl_transcript_round {
    fl_run run;
    uint8_t hop;  // 1 below an edge, 2 below the root
    fl_name edge; // the parent that sums
    uint32_t block;
    uint64_t round;
    uint8_t number; // of the roster among those of the round, from 0
    fl_hash roster;
} fl_transcript_round;

//  A member as the roster shows it.
typedef struct fl_transcript_seat {
    uint32_t index;
    fl_name node;
    uint8_t epk[FL_TRANSCRIPT_KEY_BYTES]; // for shares
    uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES]; // for masks
    uint8_t class;                        // of its weight; 0 where there are no classes
} fl_transcript_seat;

//  What one member deals to another: kind self is the share of b, kind pair that of msk.
typedef struct fl_transcript_dealt {
    fl_share self;
    fl_share pair;
} fl_transcript_dealt;
typedef enum fl_transcript_kind {
    FL_TRANSCRIPT_SELF = 1,
    FL_TRANSCRIPT_PAIR = 2
} fl_transcript_kind;

// ---- points -----------------------------------------------------------------------------------
//  The public half of an X25519 secret.
void fl_transcript_public_of(const uint8_t secret[FL_TRANSCRIPT_KEY_BYTES],
                             uint8_t point[FL_TRANSCRIPT_KEY_BYTES]);
//  False for a point of low order, and for a second spelling of another point (bit 255 set, or not
//  below 2^255 - 19). A roster holds sound points only.
bool fl_transcript_point_sound(const uint8_t point[FL_TRANSCRIPT_KEY_BYTES]);

// ---- keys -------------------------------------------------------------------------------------
//  The key that `self`, who holds esk, shares with `peer`: the same from both sides. Indices
//  differ. False, and a zeroed key, when the peer's epk is of low order.
FL_CHECKED bool fl_transcript_pair_key(const fl_transcript_round *round,
                                       const fl_transcript_seat *self,
                                       const uint8_t esk[FL_TRANSCRIPT_KEY_BYTES],
                                       const fl_transcript_seat *peer,
                                       uint8_t key[FL_TRANSCRIPT_KEY_BYTES]);

//  H(P), H(S): of the set's bitmap, bit i for index i, in ceil(members / 8) bytes. No bit at or
//  above `members` (1 to 64) is set.
fl_hash fl_transcript_set_hash(uint64_t set, unsigned members);
//  What everybody must agree on: `task` is the hash of the whole signed body, `maskset` H(P).
fl_hash fl_transcript_ctx(const fl_transcript_round *round, const fl_hash *task,
                          const fl_hash *maskset);

//  The mask that `self`, who holds msk, shares with `peer`: the same key on both sides, the lower
//  index adds and the higher subtracts. False, and a zeroed seed, when the peer's mpk is of low
//  order. To take a lost member's masks off a sum, run its own seeds over it once more.
FL_CHECKED bool fl_transcript_mask_seed(const fl_hash *ctx, const fl_transcript_seat *self,
                                        const uint8_t msk[FL_TRANSCRIPT_KEY_BYTES],
                                        const fl_transcript_seat *peer, fl_mask_seed *seed);
//  A member's own mask, which adds; who takes it off sets `subtract`.
void fl_transcript_self_seed(const fl_hash *ctx, const uint8_t b[FL_SHARE_BYTES],
                             fl_mask_seed *seed);
//  For fl_mask_checksum.
void fl_transcript_checksum_key(const fl_hash *ctx, uint8_t key[FL_TRANSCRIPT_KEY_BYTES]);

// ---- shares -----------------------------------------------------------------------------------
//  XChaCha20-Poly1305 under the pair key's half of that direction, bound to the round and to both
//  indices.
void fl_transcript_seal(const fl_transcript_round *round,
                        const uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], uint32_t from, uint32_t to,
                        const fl_transcript_dealt *dealt, const fl_entropy *entropy,
                        uint8_t sealed[FL_TRANSCRIPT_SEALED_BYTES]);
//  False, and zeroed shares, when it was not sealed so, or changed.
FL_CHECKED bool fl_transcript_open(const fl_transcript_round *round,
                                   const uint8_t pair_key[FL_TRANSCRIPT_KEY_BYTES], uint32_t from,
                                   uint32_t to, const uint8_t sealed[FL_TRANSCRIPT_SEALED_BYTES],
                                   fl_transcript_dealt *dealt);

//  The public commitment to b, and what a dealer says of one share: an opened share that does not
//  match is a lie, shown by the signed digest.
fl_hash fl_transcript_commitment(const uint8_t b[FL_SHARE_BYTES]);
fl_hash fl_transcript_digest(const fl_transcript_round *round, uint32_t from, uint32_t to,
                             fl_transcript_kind kind, const fl_share *share);

// ---- signatures -------------------------------------------------------------------------------
//  KEYS: that this class and these points are mine for this round; block and roster are not known
//  yet.
void fl_transcript_keys_sign(const fl_keys *keys, const fl_transcript_round *round, uint8_t class,
                             const uint8_t epk[FL_TRANSCRIPT_KEY_BYTES],
                             const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES],
                             uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_transcript_keys_hold(const uint8_t ed[FL_SIGN_PUBLIC_BYTES],
                                        const fl_transcript_round *round, uint8_t class,
                                        const uint8_t epk[FL_TRANSCRIPT_KEY_BYTES],
                                        const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES],
                                        const uint8_t signature[FL_SIGN_BYTES]);
//  SHARES: the public part (commitment and digests, as bytes) of the dealer of that index.
void fl_transcript_dealt_sign(const fl_keys *keys, const fl_transcript_round *round, uint32_t from,
                              fl_bytes public_part, uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_transcript_dealt_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES],
                                          const fl_transcript_round *round, uint32_t from,
                                          fl_bytes public_part,
                                          const uint8_t signature[FL_SIGN_BYTES]);
//  psig: «I masked under this ctx».
void fl_transcript_psig(const fl_keys *keys, const fl_hash *ctx, uint32_t index,
                        uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_transcript_psig_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_hash *ctx,
                                         uint32_t index, const uint8_t signature[FL_SIGN_BYTES]);
//  asig: «these are the survivors that I was shown»; `survivors` is H(S).
void fl_transcript_asig(const fl_keys *keys, const fl_hash *ctx, const fl_hash *survivors,
                        uint32_t index, uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_transcript_asig_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES], const fl_hash *ctx,
                                         const fl_hash *survivors, uint32_t index,
                                         const uint8_t signature[FL_SIGN_BYTES]);

//  That this member of the roster has given no share of it and has none any more.
void fl_transcript_burnt_sign(const fl_keys *keys, const fl_transcript_round *round, uint32_t index,
                              uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_transcript_burnt_holds(const uint8_t ed[FL_SIGN_PUBLIC_BYTES],
                                          const fl_transcript_round *round, uint32_t index,
                                          const uint8_t signature[FL_SIGN_BYTES]);

#endif
