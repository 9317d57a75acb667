//  Whatever the text or the bytes, a token is read or refused by name; what is read writes the same
//  text and bytes again. The last try puts a good MAC on the bytes first.
#include "common/crypto/token.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/identity.h"

static fl_authority *authority;

static void
s_try_text(const uint8_t *data, size_t size)
{
    char text[2 * FL_TOKEN_TEXT_BYTES];
    fl_token token, again;
    if (size >= sizeof text) {
        return;
    }
    memcpy(text, size > 0 ? (const char *)data : "", size);
    text[size] = '\0';
    if (fl_token_parse(text, &token) == FL_TRUST_OK) {
        fl_token_text(&token, text);
        fuzz_must(fl_token_parse(text, &again) == FL_TRUST_OK);
        fuzz_must(memcmp(token.mac, again.mac, sizeof token.mac) == 0);
    }
}

static void
s_try_bytes(fl_bytes bytes)
{
    uint8_t again[FL_TOKEN_BYTES_MAX];
    fl_token token;
    fl_name node = identity_node("dev-1");
    fl_trust trust = fl_token_verify(authority, bytes, IDENTITY_NOW, FL_ROLE_DEVICE, &node, &token);
    if (trust == FL_TRUST_MALFORMED || trust == FL_TRUST_VERSION || trust == FL_TRUST_TOKEN) {
        fuzz_must(token.count == 0);
        return;
    }
    fuzz_must(token.count > 0 && fl_token_encode(&token, again) == bytes.size);
    fuzz_must(memcmp(again, bytes.data, bytes.size) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (authority == NULL) {
        fuzz_must(fl_crypto_init(NULL) == FL_OK);
        authority = identity_authority(1);
    }
    s_try_text(data, size);
    s_try_bytes(fl_bytes_of(data, size));
    if (size > FL_MAC_BYTES && size <= FL_TOKEN_BYTES_MAX) {
        uint8_t sealed[FL_TOKEN_BYTES_MAX];
        size_t body = size - FL_MAC_BYTES;
        memcpy(sealed, data, body);
        fl_authority_token_mac(authority, "tributary/token/v1", fl_bytes_of(sealed, body),
                               sealed + body);
        s_try_bytes(fl_bytes_of(sealed, size));
    }
    return 0;
}
