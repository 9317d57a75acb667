//  hash - BLAKE2b-256 of bytes in one go or piece by piece, the same bound to a purpose
//  («domain»), and keyed as a MAC. A domain is a short text such as "tributary/cert/v1"; its
//  length and its letters go in front of the bytes, so no two domains ever hash the same input.
//  Plain values, no allocation; any thread.
#ifndef FL_CRYPTO_HASH_H
#define FL_CRYPTO_HASH_H

#include "common/base/bytes.h"
#include "common/base/id.h"

enum { FL_MAC_KEY_BYTES = 32, FL_MAC_BYTES = 32, FL_DOMAIN_LENGTH_MAX = 32 };

fl_hash fl_hash_of(fl_bytes bytes);
fl_hash fl_hash_domain(const char *domain, fl_bytes bytes);

//  The state of a hash that is fed piece by piece; its bytes are nobody's business.
typedef struct fl_hasher {
    _Alignas(64) uint8_t state[384];
} fl_hasher;

void fl_hasher_init(fl_hasher *self);
void fl_hasher_update(fl_hasher *self, fl_bytes bytes);
//  Ends it: init again before the next update.
fl_hash fl_hasher_final(fl_hasher *self);

//  Keyed BLAKE2b with an output of `size` bytes (16 to 64) into `mac`.
void fl_mac(const uint8_t key[FL_MAC_KEY_BYTES], const char *domain, fl_bytes bytes, void *mac,
            size_t size);
//  Takes as long for a wrong MAC as for a right one.
bool fl_mac_equal(const void *a, const void *b, size_t size);

#endif
