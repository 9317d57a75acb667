//  token - leave to join, as one line of URL-safe text that an operator hands to a newcomer. It
//  names the authority, the parent to knock at, and what it allows: a role, a node name or the
//  beginning of one, so many nodes, until then. The text is base64 (no padding) of
//
//      version u8 = 1 | role u8 | exact u8 | name 16 | count u32 | not_after u64 | id 16
//      | ed 32 | seal 32 | order 32 | parent 32 | endpoint length u8 | endpoint
//      | MAC 32, domain "tributary/token/v1", by the authority's token key, over all in front of it
//      | checksum 4, the text only: finds a bad copy where nobody can check the MAC
//
//  The MAC covers the parent as well, but joining elsewhere is allowed: the parent is where to
//  knock first, and the authority looks at role, name, count and time alone.
//  A token is a secret until it is used up. Times are wall-clock seconds since 1970.
#ifndef FL_CRYPTO_TOKEN_H
#define FL_CRYPTO_TOKEN_H

#include "common/base/endpoint.h"
#include "common/crypto/authority.h"
#include "common/crypto/trust.h"

enum {
    FL_TOKEN_ID_BYTES = 16,
    FL_TOKEN_BYTES_MIN = 208, // without the endpoint's characters
    FL_TOKEN_BYTES_MAX = FL_TOKEN_BYTES_MIN + FL_ENDPOINT_LENGTH_MAX,
    FL_TOKEN_TEXT_BYTES = 456, // the longest text with its final zero
    FL_TOKEN_LIFE_MAX_S = 90 * 24 * 3600,
};

typedef struct fl_token {
    //  what the operator chooses
    fl_role role;       // device, edge or operator: the root certifies itself
    bool exact;         // `name` is the whole name; else what it must begin with
    char name[16];      // zero-padded; empty (and not exact) = any name
    uint32_t count;     // nodes that may join with it, from 1
    uint64_t not_after; // last second
    uint8_t parent[FL_CURVE_BYTES];            // CURVE key of the parent to knock at
    char endpoint[FL_ENDPOINT_LENGTH_MAX + 1]; // its "tcp://host:port"
    //  what fl_token_make adds
    uint8_t id[FL_TOKEN_ID_BYTES];
    fl_authority_public authority;
    uint8_t mac[FL_MAC_BYTES];
} fl_token;

//  Complete `token`. FL_RANGE, with the field in `why`, when the operator's choice makes no sense:
//  role, name, count, endpoint, or a not_after outside now < not_after <= now + the longest life.
FL_CHECKED fl_status fl_token_make(const fl_authority *authority, uint64_t now,
                                   const fl_entropy *entropy, fl_token *token, fl_why *why);

//  The bytes that ride in a request (all but the checksum); how many.
size_t fl_token_encode(const fl_token *token, uint8_t bytes[FL_TOKEN_BYTES_MAX]);
//  The line for the newcomer, zero-terminated, without a newline.
void fl_token_text(const fl_token *token, char text[FL_TOKEN_TEXT_BYTES]);

//  The newcomer's side, which can check only that the text was copied whole: FL_TRUST_OK, malformed
//  or version. White space in it is skipped. `token` is zero unless FL_TRUST_OK.
FL_CHECKED fl_trust fl_token_parse(const char *text, fl_token *token);

//  The authority's side: may `node` become `role` with these bytes now? FL_TRUST_OK, or the first
//  of: malformed, version, token (the MAC is wrong), expired, role, name. How often the token was
//  used already is the ledger's to know: see `id` and `count`. `token` is zero unless the MAC held.
FL_CHECKED fl_trust fl_token_verify(const fl_authority *authority, fl_bytes bytes, uint64_t now,
                                    fl_role role, const fl_name *node, fl_token *token);

#endif
