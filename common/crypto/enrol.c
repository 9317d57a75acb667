#include "common/crypto/enrol.h"

#include <string.h>

enum {
    VERSION = 1,
    HEAD_BYTES = 3 + 16 + FL_SIGN_PUBLIC_BYTES + FL_CURVE_BYTES + FL_REQUEST_NONCE_BYTES + 2,
    PLAIN_BYTES_MAX = FL_SEALED_BYTES_MAX - FL_SEAL_EXTRA_BYTES,
};
_Static_assert(HEAD_BYTES + FL_TOKEN_BYTES_MAX + FL_MAC_BYTES + FL_SIGN_BYTES <= PLAIN_BYTES_MAX,
               "the longest join fits");
_Static_assert(HEAD_BYTES + FL_CERT_BYTES + FL_MAC_BYTES + 2 * FL_SIGN_BYTES <= PLAIN_BYTES_MAX,
               "a renewal fits");

static const char proof_domain[] = "tributary/proof/v1";
static const char request_domain[] = "tributary/request/v1";
static const char renew_domain[] = "tributary/renew/v1";

// ---- asking -----------------------------------------------------------------------------------
static fl_bytes
s_so_far(const fl_writer *writer)
{
    return fl_bytes_of(writer->start, fl_writer_size(writer));
}

static void
s_write_head(fl_writer *writer, const fl_enrol_request *request, fl_bytes leave)
{
    fl_write_u8(writer, VERSION);
    fl_write_u8(writer, (uint8_t)request->kind);
    fl_write_u8(writer, (uint8_t)request->role);
    fl_write_from(writer, request->node.name, sizeof request->node.name);
    fl_write_from(writer, request->keys.ed, sizeof request->keys.ed);
    fl_write_from(writer, request->keys.x, sizeof request->keys.x);
    fl_write_from(writer, request->nonce, sizeof request->nonce);
    fl_write_u16(writer, (uint16_t)leave.size);
    fl_write_from(writer, leave.data, leave.size);
}

//  Complete, sign and seal. `old_keys` is NULL for a join.
static bool
s_ask(fl_enrol_request *request, fl_bytes leave, const fl_keys *keys, const fl_keys *old_keys,
      const fl_authority_public *authority, const fl_entropy *entropy, fl_sealed *sealed)
{
    uint8_t plain[PLAIN_BYTES_MAX];
    uint8_t proof[FL_MAC_BYTES];
    uint8_t signature[FL_SIGN_BYTES];
    memset(sealed, 0, sizeof *sealed);
    request->keys = *fl_keys_public(keys);
    fl_entropy_fill(entropy, request->nonce, sizeof request->nonce);
    fl_writer writer = fl_writer_over(plain, sizeof plain);
    s_write_head(&writer, request, leave);
    if (!fl_keys_mac_with(keys, authority->seal, proof_domain, s_so_far(&writer), proof)) {
        fl_wipe(plain, sizeof plain);
        return false;
    }
    fl_write_from(&writer, proof, sizeof proof);
    fl_keys_sign(keys, request_domain, s_so_far(&writer), signature);
    fl_write_from(&writer, signature, sizeof signature);
    if (old_keys != NULL) {
        fl_keys_sign(old_keys, renew_domain, s_so_far(&writer), signature);
        fl_write_from(&writer, signature, sizeof signature);
    }
    FL_ASSERT(!writer.broken);
    bool sound = fl_seal(authority, s_so_far(&writer), entropy, sealed->bytes);
    FL_ASSERT(sound); // the proof has used the same key
    sealed->size = fl_writer_size(&writer) + FL_SEAL_EXTRA_BYTES;
    fl_wipe(plain, sizeof plain); // it holds the token
    return true;
}

bool
fl_enrol_join(const fl_keys *keys, const fl_token *token, fl_role role, const fl_name *node,
              const fl_entropy *entropy, fl_sealed *sealed)
{
    uint8_t leave[FL_TOKEN_BYTES_MAX];
    size_t size = fl_token_encode(token, leave);
    fl_enrol_request request = { .kind = FL_REQUEST_JOIN, .role = role, .node = *node };
    bool asked = s_ask(&request, fl_bytes_of(leave, size), keys, NULL, &token->authority, entropy,
                       sealed);
    fl_wipe(leave, sizeof leave);
    return asked;
}

bool
fl_enrol_renew(const fl_keys *keys, const fl_keys *old_keys, fl_bytes old,
               const fl_authority_public *authority, const fl_entropy *entropy, fl_sealed *sealed)
{
    fl_cert held;
    memset(sealed, 0, sizeof *sealed);
    if (fl_cert_prove(old, authority, FL_ROLES_ANY, &held) != FL_TRUST_OK) {
        return false;
    }
    fl_enrol_request request = { .kind = FL_REQUEST_RENEW, .role = held.role, .node = held.node };
    return s_ask(&request, old, keys, old_keys, authority, entropy, sealed);
}

// ---- opening ----------------------------------------------------------------------------------
//  Views into the opened bytes.
typedef struct layout {
    fl_bytes leave;
    fl_bytes proved, proof;
    fl_bytes signed_bytes, signature;
    fl_bytes renewed, old_signature;
} layout;

static fl_trust
s_parse(fl_bytes plain, fl_enrol_request *request, layout *at)
{
    fl_reader reader = fl_reader_of(plain);
    uint8_t version = fl_read_u8(&reader);
    request->kind = (fl_enrol_request_kind)fl_read_u8(&reader);
    request->role = (fl_role)fl_read_u8(&reader);
    fl_read_into(&reader, request->node.name, sizeof request->node.name);
    fl_read_into(&reader, request->keys.ed, sizeof request->keys.ed);
    fl_read_into(&reader, request->keys.x, sizeof request->keys.x);
    fl_read_into(&reader, request->nonce, sizeof request->nonce);
    at->leave = fl_read_view(&reader, fl_read_u16(&reader));
    at->proved = fl_bytes_of(plain.data, (size_t)(reader.at - plain.data));
    at->proof = fl_read_view(&reader, FL_MAC_BYTES);
    at->signed_bytes = fl_bytes_of(plain.data, (size_t)(reader.at - plain.data));
    at->signature = fl_read_view(&reader, FL_SIGN_BYTES);
    at->renewed = fl_bytes_of(plain.data, (size_t)(reader.at - plain.data));
    if (request->kind == FL_REQUEST_RENEW) {
        at->old_signature = fl_read_view(&reader, FL_SIGN_BYTES);
    }
    if (plain.size > 0 && version != VERSION) {
        return FL_TRUST_VERSION;
    }
    bool known = request->kind == FL_REQUEST_JOIN || request->kind == FL_REQUEST_RENEW;
    bool role = request->role >= FL_ROLE_DEVICE && request->role <= FL_ROLE_OPERATOR;
    return known && role && fl_name_valid(&request->node) && fl_reader_done(&reader)
               ? FL_TRUST_OK
               : FL_TRUST_MALFORMED;
}

//  Does the sender hold the two keys that it wants certified?
static fl_trust
s_prove_possession(const fl_authority *authority, const fl_enrol_request *request, const layout *at)
{
    uint8_t proof[FL_MAC_BYTES];
    if (!fl_authority_mac_with(authority, request->keys.x, proof_domain, at->proved, proof) ||
        !fl_mac_equal(proof, at->proof.data, sizeof proof)) {
        return FL_TRUST_KEY;
    }
    return fl_sign_holds(request->keys.ed, request_domain, at->signed_bytes, at->signature.data)
               ? FL_TRUST_OK
               : FL_TRUST_SIGNATURE;
}

//  One that is not valid yet is from a time when our clock was ahead: it may be renewed, or that
//  would shut its node out for as long as the clock was wrong by.
static fl_trust
s_check_renewal(const fl_authority *authority, const fl_enrol_time *time, const layout *at,
                fl_enrol_request *request)
{
    fl_trust trust = fl_cert_prove(at->leave, fl_authority_public_of(authority),
                                   FL_ROLES(request->role), &request->old);
    if (trust != FL_TRUST_OK) {
        return trust;
    }
    //  The root's own ends early when its clock was behind; nobody but us can give it another one.
    if (request->role != FL_ROLE_ROOT && time->now > request->old.not_after &&
        time->now - request->old.not_after > time->grace_s) {
        return FL_TRUST_EXPIRED;
    }
    if (!fl_name_equal(&request->old.node, &request->node)) {
        return FL_TRUST_NAME;
    }
    return fl_sign_holds(request->old.keys.ed, renew_domain, at->renewed, at->old_signature.data)
               ? FL_TRUST_OK
               : FL_TRUST_SIGNATURE;
}

static fl_trust
s_check(const fl_authority *authority, fl_bytes plain, const fl_enrol_time *time,
        const fl_deny_list *denied, fl_enrol_request *request)
{
    layout at = { 0 };
    fl_trust trust = s_parse(plain, request, &at);
    if (trust == FL_TRUST_OK) {
        trust = s_prove_possession(authority, request, &at);
    }
    if (trust != FL_TRUST_OK) {
        memset(request, 0, sizeof *request);
        return trust;
    }
    trust = request->kind == FL_REQUEST_JOIN
                ? fl_token_verify(authority, at.leave, time->now, request->role, &request->node,
                                  &request->token)
                : s_check_renewal(authority, time, &at, request);
    if (trust == FL_TRUST_OK && denied != NULL &&
        fl_deny_list_names(denied, &request->node, request->old.serial)) {
        trust = FL_TRUST_REVOKED;
    }
    return trust;
}

fl_trust
fl_enrol_open(const fl_authority *authority, fl_bytes sealed, const fl_enrol_time *time,
              const fl_deny_list *denied, fl_enrol_request *request)
{
    uint8_t plain[PLAIN_BYTES_MAX];
    memset(request, 0, sizeof *request);
    if (sealed.size > FL_SEALED_BYTES_MAX || !fl_unseal(authority, sealed, plain)) {
        return FL_TRUST_SEAL;
    }
    fl_bytes opened = fl_bytes_of(plain, sealed.size - FL_SEAL_EXTRA_BYTES);
    fl_trust trust = s_check(authority, opened, time, denied, request);
    fl_wipe(plain, sizeof plain); // it held a token
    return trust;
}

fl_trust
fl_enrol_accept(fl_bytes certificate, const fl_authority_public *authority, const fl_keys *keys,
                fl_role role, const fl_name *node, fl_cert *cert)
{
    fl_trust trust = fl_cert_prove(certificate, authority, FL_ROLES(role), cert);
    if (trust != FL_TRUST_OK) {
        return trust;
    }
    if (!fl_public_keys_equal(&cert->keys, fl_keys_public(keys))) {
        return FL_TRUST_KEY;
    }
    return fl_name_equal(&cert->node, node) ? FL_TRUST_OK : FL_TRUST_NAME;
}
