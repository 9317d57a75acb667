//  share - Shamir's secret sharing of 32 bytes (Shamir, How to share a secret, 1979): any
//  `threshold` of the shares rebuild the secret, fewer say nothing about it. Byte by byte over
//  GF(2^8) with the polynomial 0x11B; the holder of index i has the value at x = i + 1.
//  Time and memory accesses depend on indices and counts alone, never on a secret or a share.
//  Pure functions, no allocation; any thread. Wiping what they fill in is the caller's.
#ifndef FL_CRYPTO_SHARE_H
#define FL_CRYPTO_SHARE_H

#include "common/crypto/entropy.h"

enum { FL_SHARE_BYTES = 32, FL_SHARE_HOLDERS_MAX = 64 };

typedef struct fl_share {
    uint8_t bytes[FL_SHARE_BYTES];
} fl_share;

//  shares[i] is for index i, of `holders`; 1 <= threshold <= holders <= FL_SHARE_HOLDERS_MAX.
//  Draws once from `entropy`, unless the threshold is 1.
void fl_share_deal(const uint8_t secret[FL_SHARE_BYTES], unsigned holders, unsigned threshold,
                   const fl_entropy *entropy, fl_share *shares);

//  Rebuild from `count` shares (1 to FL_SHARE_HOLDERS_MAX; give exactly the threshold), shares[k]
//  being that of indices[k]. False, and a zeroed secret, when an index comes twice or is out of
//  range. A wrong share gives a wrong secret: whoever rebuilds checks it against its commitment.
FL_CHECKED bool fl_share_rebuild(const uint8_t *indices, const fl_share *shares, unsigned count,
                                 uint8_t secret[FL_SHARE_BYTES]);

#endif
