//  secret - what keys.c and authority.c share: how a secret becomes a file and comes back, and the
//  MAC between two X25519 keys. For this folder only.
#ifndef FL_CRYPTO_SECRET_H
#define FL_CRYPTO_SECRET_H

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/crypto/hash.h"

enum { FL_SECRET_MAGIC_BYTES = 8, FL_SECRET_CHECK_BYTES = 16 };

//  magic, body, checksum; the checksum finds a damaged file, it does not authenticate one.
//  `file` holds magic + body + check bytes.
void fl_secret_wrap(const char *magic, fl_bytes body, uint8_t *file);
//  On FL_OK `body` is a view of the `body_bytes` inside `file`. `what` names the file in `why`.
FL_CHECKED fl_status fl_secret_unwrap(const char *magic, const char *what, fl_bytes file,
                                      size_t body_bytes, fl_bytes *body, fl_why *why);

FL_CHECKED bool fl_secret_mac(const uint8_t our_secret[32], const uint8_t their_public[32],
                              const char *domain, fl_bytes bytes, uint8_t mac[FL_MAC_BYTES]);

#endif
