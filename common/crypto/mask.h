//  mask - masks over vectors of ring integers: the ChaCha20 keystream of a seed, added to or
//  subtracted from each word. What two members add and subtract cancels in the sum; what a member
//  adds alone comes off when its seed is known.
//  The keystream is libsodium's crypto_stream_chacha20_ietf under the seed, with the nonce
//  {lane u32 little-endian, 0, 0} and the block counter from 0. Word i of the mask is the i-th
//  little-endian word of the stream in the ring's width, so that any split into ranges gives the
//  same words. On the wire a word is cut to its low wire_bytes bytes, before or after the addition
//  alike: sums are then exact modulo 2^(8 * wire_bytes).
//  Pure functions over caller-owned memory, no allocation; any thread may call them, on disjoint
//  ranges of one vector at the same time. Scratch that held keystream or plain words is wiped.
#ifndef FL_CRYPTO_MASK_H
#define FL_CRYPTO_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FL_MASK_SEED_BYTES = 32,
    FL_MASK_LANE_HEADER = 0, // the few sums that ride beside the vector
    FL_MASK_LANE_VECTOR = 1,
};

typedef struct fl_mask_seed {
    uint8_t key[FL_MASK_SEED_BYTES];
    bool subtract;
} fl_mask_seed;

//  Elements [first, first + count) of a lane. The ring is 32 or 64 bits; `first` is a multiple of
//  64 bytes of it (16 or 8 elements) and the lane ends below 2^32 blocks of 64 bytes.
typedef struct fl_mask_range {
    unsigned ring_bits;
    uint32_t lane;
    uint64_t first;
    size_t count;
} fl_mask_range;

//  Run all masks over `words`, uint32_t or uint64_t as the ring says, which start at element
//  `first`.
void fl_mask_apply(const fl_mask_seed *seeds, size_t seed_count, const fl_mask_range *range,
                   void *words);

//  An upload: wire elements in, masked wire elements out, both (count, wire_bytes) from element
//  `first`. `masked` may be `plain`; otherwise they do not overlap.
void fl_mask_wire(const fl_mask_seed *seeds, size_t seed_count, const fl_mask_range *range,
                  unsigned wire_bytes, const uint8_t *plain, uint8_t *masked);

//  Once every mask is off a sum: cut each word to its low wire_bytes bytes and extend the sign, as
//  the sum of the plain integers stands there. What was above the wire's width is masks' carries.
void fl_mask_settle(unsigned ring_bits, size_t count, unsigned wire_bytes, void *words);

//  Sum of a_i * x_i modulo 2^64 over wire elements [first, first + count), sign-extended;
//  a_i = word i of `key`'s 64-bit vector lane, with its lowest bit set. `first` is a multiple of 8.
//  Linear: checksums of ranges and of members add up to the checksum of the sum.
uint64_t fl_mask_checksum(const uint8_t key[FL_MASK_SEED_BYTES], uint64_t first, size_t count,
                          unsigned wire_bytes, const uint8_t *wire);

#endif
