#include "common/crypto/sign.h"

#include "common/base/status.h"
#include "common/crypto/hash.h"

#include <sodium.h>

_Static_assert(FL_SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(FL_SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519");
_Static_assert(FL_SIGN_BYTES == crypto_sign_BYTES, "Ed25519");

void
fl_sign(const uint8_t secret[FL_SIGN_SECRET_BYTES], const char *domain, fl_bytes bytes,
        uint8_t signature[FL_SIGN_BYTES])
{
    fl_hash hash = fl_hash_domain(domain, bytes);
    FL_ASSERT(crypto_sign_detached(signature, NULL, hash.bytes, sizeof hash.bytes, secret) == 0);
}

bool
fl_sign_holds(const uint8_t public_key[FL_SIGN_PUBLIC_BYTES], const char *domain, fl_bytes bytes,
              const uint8_t signature[FL_SIGN_BYTES])
{
    fl_hash hash = fl_hash_domain(domain, bytes);
    return crypto_sign_verify_detached(signature, hash.bytes, sizeof hash.bytes, public_key) == 0;
}
