//  Whatever the bytes, a certificate is taken or refused by name; what is taken obeys the rules,
//  and nothing of what is not signed is handed out. The second try signs the bytes first, so that
//  the fields are what is tried and not Ed25519.
#include "common/crypto/cert.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/identity.h"

static fl_authority *authority;

static void
s_try(fl_bytes bytes)
{
    static const fl_cert zero;
    fl_cert cert;
    fl_trust trust = fl_cert_check(bytes, fl_authority_public_of(authority), IDENTITY_NOW,
                                   FL_ROLES_CHILD, &cert);
    if (trust == FL_TRUST_MALFORMED || trust == FL_TRUST_VERSION || trust == FL_TRUST_SIGNATURE) {
        fuzz_must(memcmp(&cert, &zero, sizeof zero) == 0);
        return;
    }
    fuzz_must(bytes.size == FL_CERT_BYTES && fl_name_valid(&cert.node) && cert.serial > 0);
    fuzz_must((trust == FL_TRUST_EARLY) == (cert.not_before > IDENTITY_NOW));
    fuzz_must((trust == FL_TRUST_EXPIRED) == (cert.not_after < IDENTITY_NOW));
    fuzz_must(trust != FL_TRUST_OK || cert.role == FL_ROLE_DEVICE || cert.role == FL_ROLE_EDGE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (authority == NULL) {
        fuzz_must(fl_crypto_init(NULL) == FL_OK);
        authority = identity_authority(1);
    }
    s_try(fl_bytes_of(data, size));
    uint8_t resigned[FL_CERT_BYTES] = { 0 };
    size_t body = FL_CERT_BYTES - FL_SIGN_BYTES;
    if (size > 0) {
        memcpy(resigned, data, size < body ? size : body);
    }
    fl_authority_sign(authority, "tributary/cert/v2", fl_bytes_of(resigned, body), resigned + body);
    s_try(fl_bytes_of(resigned, sizeof resigned));
    return 0;
}
