//  enrol - how a node gets its certificate: it makes its keys, asks in a request that is sealed to
//  the authority (any parent may carry it up), and takes the certificate that comes back. The first
//  time it shows a token; later, to renew or to change its keys, its old certificate.
//
//      version u8 = 1 | kind u8 | role u8 | node 16 | ed 32 | x 32 | nonce 16
//      | leave length u16 | leave (the token's bytes, or the old certificate)
//      | proof 32: MAC with what x and the authority's seal key share, "tributary/proof/v1"
//      | Ed25519 signature 64 by ed, "tributary/request/v1"
//      | renewal only: Ed25519 signature 64 by the old ed, "tributary/renew/v1"
//
//  Each of the last three covers everything in front of it; then the whole is sealed. A request may
//  be sent again and again: the ledger counts distinct (token id, ed), so that a lost answer costs
//  the newcomer nothing and a replay gives its sender a certificate it has no keys for.
#ifndef FL_CRYPTO_ENROL_H
#define FL_CRYPTO_ENROL_H

#include "common/crypto/cert.h"
#include "common/crypto/deny.h"
#include "common/crypto/token.h"

typedef enum fl_enrol_request_kind {
    FL_REQUEST_JOIN = 1,
    FL_REQUEST_RENEW = 2
} fl_enrol_request_kind;

enum { FL_REQUEST_NONCE_BYTES = 16 };

//  A request as sent: `size` of the bytes are in use.
typedef struct fl_sealed {
    uint8_t bytes[FL_SEALED_BYTES_MAX];
    size_t size;
} fl_sealed;

//  Ask for a first certificate. False when the token's authority holds no usable seal key.
FL_CHECKED bool fl_enrol_join(const fl_keys *keys, const fl_token *token, fl_role role,
                              const fl_name *node, const fl_entropy *entropy, fl_sealed *sealed);

//  Ask for the next one: same role and node as in `old`, the bytes of the certificate held. `keys`
//  may be new ones or `old_keys` once more. False as above, or when `old` is no certificate.
FL_CHECKED bool fl_enrol_renew(const fl_keys *keys, const fl_keys *old_keys, fl_bytes old,
                               const fl_authority_public *authority, const fl_entropy *entropy,
                               fl_sealed *sealed);

//  A request as the authority has proved it.
typedef struct fl_enrol_request {
    fl_enrol_request_kind kind;
    fl_role role;
    fl_name node;
    fl_public_keys keys;
    uint8_t nonce[FL_REQUEST_NONCE_BYTES];
    fl_token token; // join: its id and count are for the ledger
    fl_cert old;    // renewal: what is held now
} fl_enrol_request;

//  The authority's clock, and how long after its end a certificate may be renewed.
typedef struct fl_enrol_time {
    uint64_t now, grace_s;
} fl_enrol_time;

//  The authority's side. `denied` may be NULL. FL_TRUST_OK, or the first of: seal, malformed,
//  version, key, signature; of a join then token, expired, role, name (and malformed or version of
//  the token); of a renewal signature, role, expired, name (and malformed or version of the old
//  certificate); of both revoked. `request` is filled as far as it was proved.
//  The ledger still decides: is the token used up, is the name another node's?
FL_CHECKED fl_trust fl_enrol_open(const fl_authority *authority, fl_bytes sealed,
                                  const fl_enrol_time *time, const fl_deny_list *denied,
                                  fl_enrol_request *request);

//  The newcomer's side of the answer: a certificate of this authority for these keys (else key),
//  this role and this name. Reasons as in fl_cert_prove, then key and name: whether the clocks of
//  both agree is for fl_cert_time.
FL_CHECKED fl_trust fl_enrol_accept(fl_bytes certificate, const fl_authority_public *authority,
                                    const fl_keys *keys, fl_role role, const fl_name *node,
                                    fl_cert *cert);

#endif
