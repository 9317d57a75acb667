//  cert - a certificate: the authority says that the holder of two keys is node so-and-so, in this
//  role, until then. 187 bytes on the wire:
//
//      version u8 = 2 | role u8 | node 16 | ed 32 | x 32
//      | not_before u64 | not_after u64 | serial u64 | class_max u8 | zeros 16
//      | Ed25519 signature 64, domain "tributary/cert/v2", over everything in front of it
//
//  Times are wall-clock seconds since 1970, handed in by the caller.
#ifndef FL_CRYPTO_CERT_H
#define FL_CRYPTO_CERT_H

#include "common/base/limits.h"
#include "common/crypto/authority.h"
#include "common/crypto/trust.h"

enum {
    FL_CERT_BYTES = 187,
    FL_CERT_DATED_BACK_S = 24 * 3600, // so that a clock a day behind still takes a new one
};
#define FL_CERT_LIFE_MAX_S ((uint64_t)10 * 366 * 24 * 3600)

typedef struct fl_cert {
    fl_role role;
    fl_name node;
    fl_public_keys keys;
    uint64_t not_before; // first and last second of validity
    uint64_t not_after;
    uint64_t serial; // from 1, never given twice by one authority
    uint8_t class_max; // of weight, the highest that it may say; 0: the plan alone bounds it
} fl_cert;

//  Roles that a verifier accepts, as a set.
#define FL_ROLES(role) (1u << (role))
enum {
    FL_ROLES_CHILD = FL_ROLES(FL_ROLE_DEVICE) | FL_ROLES(FL_ROLE_EDGE),
    FL_ROLES_PARENT = FL_ROLES(FL_ROLE_EDGE) | FL_ROLES(FL_ROLE_ROOT),
    FL_ROLES_ANY = FL_ROLES_CHILD | FL_ROLES_PARENT | FL_ROLES(FL_ROLE_OPERATOR),
};

//  Sign `cert` for `life_s` seconds (1..FL_CERT_LIFE_MAX_S) from `now`, and one day back. Its
//  not_before and not_after are set here; the rest must be valid, serial 0 is nobody's.
void fl_cert_issue(const fl_authority *authority, fl_cert *cert, uint64_t now, uint64_t life_s,
                   uint8_t bytes[FL_CERT_BYTES]);

//  FL_TRUST_OK, or the first of: malformed, version, signature, not-yet, expired, role.
//  `cert` is filled as soon as the signature holds (so that a refusal can name the node), else
//  zero.
FL_CHECKED fl_trust fl_cert_check(fl_bytes bytes, const fl_authority_public *authority,
                                  uint64_t now, unsigned roles, fl_cert *cert);

//  The same whatever the time is, and the time alone: FL_TRUST_OK, _EARLY or _EXPIRED.
FL_CHECKED fl_trust fl_cert_prove(fl_bytes bytes, const fl_authority_public *authority,
                                  unsigned roles, fl_cert *cert);
fl_trust fl_cert_time(const fl_cert *cert, uint64_t now);

//  When it was made, by the authority's clock, and when its last third begins: time to renew it.
uint64_t fl_cert_made(const fl_cert *cert);
uint64_t fl_cert_ends_from(const fl_cert *cert);

#endif
