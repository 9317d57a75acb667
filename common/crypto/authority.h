//  authority - the operator's keys, from which all trust comes: one master secret and, derived from
//  it, an Ed25519 pair that signs certificates and deny lists, an X25519 pair that requests are
//  sealed to, the key of the token MAC, and a second Ed25519 pair that signs orders.
//  Secrets live in locked memory and are wiped when destroyed. Immutable, so any thread may read.
#ifndef FL_CRYPTO_AUTHORITY_H
#define FL_CRYPTO_AUTHORITY_H

#include "common/crypto/keys.h"

enum {
    FL_AUTHORITY_FILE_BYTES = 56,
    FL_AUTHORITY_PUBLIC_FILE_BYTES = 120,
    FL_SEAL_EXTRA_BYTES = 48,
};

//  What every node knows of its authority: the contents of "authority.pub".
typedef struct fl_authority_public {
    uint8_t ed[FL_SIGN_PUBLIC_BYTES];    // certificates, deny lists
    uint8_t seal[FL_CURVE_BYTES];        // enrolment requests
    uint8_t order[FL_SIGN_PUBLIC_BYTES]; // orders of a run
} fl_authority_public;

bool fl_authority_public_equal(const fl_authority_public *a, const fl_authority_public *b);
//  The bytes of "authority.pub": magic 8, the three keys, checksum 16.
void fl_authority_public_encode(const fl_authority_public *self,
                                uint8_t bytes[FL_AUTHORITY_PUBLIC_FILE_BYTES]);
FL_CHECKED fl_status fl_authority_public_decode(fl_bytes bytes, fl_authority_public *self,
                                                fl_why *why);

typedef struct fl_authority fl_authority;

//  The caller owns the result. NULL when out of memory.
fl_authority *fl_authority_new(const fl_entropy *entropy);
void fl_authority_destroy(fl_authority **self_p);

const fl_authority_public *fl_authority_public_of(const fl_authority *self);

//  The bytes of the secret file: magic 8, master secret 32, checksum 16. fl_wipe them after use.
void fl_authority_encode(const fl_authority *self, uint8_t bytes[FL_AUTHORITY_FILE_BYTES]);
//  On FL_OK `*self_p` is the caller's; else NULL: FL_MALFORMED (says what) or FL_NOMEM.
FL_CHECKED fl_status fl_authority_decode(fl_bytes bytes, fl_authority **self_p, fl_why *why);

//  Sign an order of a run (any bytes), and check it below.
void fl_order_sign(const fl_authority *self, fl_bytes order, uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_order_holds(const fl_authority_public *authority, fl_bytes order,
                               const uint8_t signature[FL_SIGN_BYTES]);
//  The same key, for a pool (secagg/pool.h).
void fl_pool_sign(const fl_authority *self, fl_bytes pool, uint8_t signature[FL_SIGN_BYTES]);
FL_CHECKED bool fl_pool_holds(const fl_authority_public *authority, fl_bytes pool,
                              const uint8_t signature[FL_SIGN_BYTES]);

//  Sign with the certificate key; MAC with the token key; MAC shared with the holder of `their_x`
//  (false: a point that no honest key is). For the files of this folder.
void fl_authority_sign(const fl_authority *self, const char *domain, fl_bytes bytes,
                       uint8_t signature[FL_SIGN_BYTES]);
void fl_authority_token_mac(const fl_authority *self, const char *domain, fl_bytes bytes,
                            uint8_t mac[FL_MAC_BYTES]);
FL_CHECKED bool fl_authority_mac_with(const fl_authority *self,
                                      const uint8_t their_x[FL_CURVE_BYTES], const char *domain,
                                      fl_bytes bytes, uint8_t mac[FL_MAC_BYTES]);

//  An anonymous sealed box (libsodium's crypto_box_seal, with the one-time key drawn from
//  `entropy`): `sealed` gets plain.size + FL_SEAL_EXTRA_BYTES. False when `authority` holds no
//  usable key.
FL_CHECKED bool fl_seal(const fl_authority_public *authority, fl_bytes plain,
                        const fl_entropy *entropy, uint8_t *sealed);
//  `plain` gets sealed.size - FL_SEAL_EXTRA_BYTES. False when it was not sealed to us, or changed.
FL_CHECKED bool fl_unseal(const fl_authority *self, fl_bytes sealed, uint8_t *plain);

#endif
