//  sign - Ed25519 over the domain hash of some bytes: the only way in which anything is signed.
//  A signature made for one domain holds for no other.
#ifndef FL_CRYPTO_SIGN_H
#define FL_CRYPTO_SIGN_H

#include "common/base/bytes.h"

enum { FL_SIGN_PUBLIC_BYTES = 32, FL_SIGN_SECRET_BYTES = 64, FL_SIGN_BYTES = 64 };

void fl_sign(const uint8_t secret[FL_SIGN_SECRET_BYTES], const char *domain, fl_bytes bytes,
             uint8_t signature[FL_SIGN_BYTES]);
//  True when the holder of `public_key`'s secret signed exactly these bytes for `domain`.
bool fl_sign_holds(const uint8_t public_key[FL_SIGN_PUBLIC_BYTES], const char *domain,
                   fl_bytes bytes, const uint8_t signature[FL_SIGN_BYTES]);

#endif
