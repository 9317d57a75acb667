//  Whatever the bytes, an enrolment request is opened or refused by name. Tried as sealed bytes, as
//  what lies in a seal, and with proofs made by a node that holds its keys, so that the token and
//  the certificate inside are reached as well.
#include "common/crypto/enrol.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/identity.h"

enum { KIND = 1, ED = 19, X = 51, LEAVE = 101, PROOFS = FL_MAC_BYTES + 2 * FL_SIGN_BYTES };

static fl_authority *authority;
static fl_keys *keys;

static fl_trust
s_try(fl_bytes sealed)
{
    fl_enrol_request request;
    const fl_enrol_time time = { .now = IDENTITY_NOW };
    fl_trust trust = fl_enrol_open(authority, sealed, &time, NULL, &request);
    bool proved = trust != FL_TRUST_SEAL && trust != FL_TRUST_KEY && request.kind != 0;
    if (proved) {
        fuzz_must(fl_name_valid(&request.node) && request.role != FL_ROLE_NONE);
    }
    fuzz_must(trust != FL_TRUST_OK || proved);
    return trust;
}

static fl_trust
s_try_plain(const uint8_t *plain, size_t size)
{
    fl_seeded source = fl_seeded_of(1);
    fl_entropy entropy = fl_entropy_seeded(&source);
    uint8_t sealed[FL_SEALED_BYTES_MAX];
    if (size + FL_SEAL_EXTRA_BYTES > sizeof sealed) {
        return FL_TRUST_SEAL;
    }
    fuzz_must(
        fl_seal(fl_authority_public_of(authority), fl_bytes_of(plain, size), &entropy, sealed));
    return s_try(fl_bytes_of(sealed, size + FL_SEAL_EXTRA_BYTES));
}

//  `data` is the head and the leave; our keys and our proofs go in and behind.
static void
s_try_proved(const uint8_t *data, size_t size)
{
    uint8_t plain[FL_SEALED_BYTES_MAX];
    if (size < LEAVE || size + PROOFS + FL_SEAL_EXTRA_BYTES > sizeof plain) {
        return;
    }
    memcpy(plain, data, size);
    memcpy(plain + ED, fl_keys_public(keys)->ed, FL_SIGN_PUBLIC_BYTES);
    memcpy(plain + X, fl_keys_public(keys)->x, FL_CURVE_BYTES);
    plain[LEAVE - 2] = (uint8_t)(size - LEAVE);
    plain[LEAVE - 1] = (uint8_t)((size - LEAVE) >> 8);
    fuzz_must(fl_keys_mac_with(keys, fl_authority_public_of(authority)->seal, "tributary/proof/v1",
                               fl_bytes_of(plain, size), plain + size));
    size += FL_MAC_BYTES;
    fl_keys_sign(keys, "tributary/request/v1", fl_bytes_of(plain, size), plain + size);
    size += FL_SIGN_BYTES;
    if (plain[KIND] == FL_REQUEST_RENEW) {
        fl_keys_sign(keys, "tributary/renew/v1", fl_bytes_of(plain, size), plain + size);
        size += FL_SIGN_BYTES;
    }
    fl_trust trust = s_try_plain(plain, size);
    fuzz_must(trust != FL_TRUST_KEY && trust != FL_TRUST_SEAL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (authority == NULL) {
        fuzz_must(fl_crypto_init(NULL) == FL_OK);
        authority = identity_authority(1);
        keys = identity_keys(3);
    }
    fl_trust sealed = s_try(fl_bytes_of(data, size));
    fuzz_must(sealed != FL_TRUST_OK || size > FL_SEAL_EXTRA_BYTES);
    (void)s_try_plain(data, size);
    s_try_proved(data, size);
    if (size > LEAVE + PROOFS) { // a whole request: strip its proofs, and take ours
        s_try_proved(data, size - FL_MAC_BYTES - FL_SIGN_BYTES);
        s_try_proved(data, size - PROOFS);
    }
    return 0;
}
