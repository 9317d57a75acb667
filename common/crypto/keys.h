//  keys - what makes a node itself: an Ed25519 pair that signs and an X25519 («CURVE») pair that
//  encrypts its connections. Made where they are used; the secret halves live in locked memory,
//  between guard pages, and are wiped when destroyed. Immutable once made, so any thread may read.
#ifndef FL_CRYPTO_KEYS_H
#define FL_CRYPTO_KEYS_H

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/crypto/entropy.h"
#include "common/crypto/hash.h"
#include "common/crypto/sign.h"

enum { FL_CURVE_BYTES = 32, FL_KEYS_FILE_BYTES = 88 };

//  The half that everybody may know.
typedef struct fl_public_keys {
    uint8_t ed[FL_SIGN_PUBLIC_BYTES];
    uint8_t x[FL_CURVE_BYTES];
} fl_public_keys;

bool fl_public_keys_equal(const fl_public_keys *a, const fl_public_keys *b);

typedef struct fl_keys fl_keys;

//  The caller owns the result. NULL when out of memory.
fl_keys *fl_keys_new(const fl_entropy *entropy);
void fl_keys_destroy(fl_keys **self_p);

const fl_public_keys *fl_keys_public(const fl_keys *self);
//  The CURVE secret, for the socket that needs it; fl_wipe it when the socket has it.
void fl_keys_curve_secret(const fl_keys *self, uint8_t secret[FL_CURVE_BYTES]);

//  The bytes of a key file: magic 8, Ed25519 seed 32, X25519 secret 32, checksum 16. Not encrypted:
//  the file's mode (0600) guards it. fl_wipe the bytes when they are written.
void fl_keys_encode(const fl_keys *self, uint8_t bytes[FL_KEYS_FILE_BYTES]);
//  On FL_OK `*self_p` is the caller's; else NULL: FL_MALFORMED (says what) or FL_NOMEM.
FL_CHECKED fl_status fl_keys_decode(fl_bytes bytes, fl_keys **self_p, fl_why *why);

void fl_keys_sign(const fl_keys *self, const char *domain, fl_bytes bytes,
                  uint8_t signature[FL_SIGN_BYTES]);
//  A MAC that only we and the holder of `their_x`'s secret can make. False when `their_x` is one
//  of the few points that give everybody the same secret.
FL_CHECKED bool fl_keys_mac_with(const fl_keys *self, const uint8_t their_x[FL_CURVE_BYTES],
                                 const char *domain, fl_bytes bytes, uint8_t mac[FL_MAC_BYTES]);

#endif
