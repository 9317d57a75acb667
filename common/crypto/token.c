#include "common/crypto/token.h"

#include <sodium.h>
#include <string.h>

enum { VERSION = 1, CHECK_BYTES = 4, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING };
enum { TEXT_BYTES = sodium_base64_ENCODED_LEN(FL_TOKEN_BYTES_MAX + CHECK_BYTES, BASE64) };
_Static_assert((int)TEXT_BYTES <= (int)FL_TOKEN_TEXT_BYTES, "the longest token fits its text");

static const char domain[] = "tributary/token/v1";

// ---- what makes sense -------------------------------------------------------------------------
static bool
s_role_valid(fl_role role)
{
    return role == FL_ROLE_DEVICE || role == FL_ROLE_EDGE || role == FL_ROLE_OPERATOR;
}

//  A whole name, or the beginning of one: valid characters, then zeros only.
static bool
s_name_valid(const fl_token *token)
{
    fl_name node;
    memcpy(node.name, token->name, sizeof node.name);
    if (fl_name_valid(&node)) {
        return true;
    }
    static const fl_name none;
    return !token->exact && fl_name_equal(&node, &none);
}

// ---- bytes ------------------------------------------------------------------------------------
//  Everything in front of the MAC.
static size_t
s_write_body(const fl_token *token, uint8_t bytes[FL_TOKEN_BYTES_MAX])
{
    size_t length = strlen(token->endpoint);
    fl_writer writer = fl_writer_over(bytes, FL_TOKEN_BYTES_MAX);
    fl_write_u8(&writer, VERSION);
    fl_write_u8(&writer, (uint8_t)token->role);
    fl_write_u8(&writer, token->exact ? 1 : 0);
    fl_write_from(&writer, token->name, sizeof token->name);
    fl_write_u32(&writer, token->count);
    fl_write_u64(&writer, token->not_after);
    fl_write_from(&writer, token->id, sizeof token->id);
    fl_write_from(&writer, token->authority.ed, sizeof token->authority.ed);
    fl_write_from(&writer, token->authority.seal, sizeof token->authority.seal);
    fl_write_from(&writer, token->authority.order, sizeof token->authority.order);
    fl_write_from(&writer, token->parent, sizeof token->parent);
    fl_write_u8(&writer, (uint8_t)length);
    fl_write_from(&writer, token->endpoint, length);
    FL_ASSERT(!writer.broken);
    return fl_writer_size(&writer);
}

size_t
fl_token_encode(const fl_token *token, uint8_t bytes[FL_TOKEN_BYTES_MAX])
{
    size_t body = s_write_body(token, bytes);
    FL_ASSERT(body + sizeof token->mac <= FL_TOKEN_BYTES_MAX);
    memcpy(bytes + body, token->mac, sizeof token->mac);
    return body + sizeof token->mac;
}

static bool
s_fields_valid(const fl_token *token, uint8_t exact)
{
    fl_endpoint place;
    return s_role_valid(token->role) && exact <= 1 && s_name_valid(token) && token->count > 0 &&
           fl_endpoint_parse_remote(token->endpoint, &place);
}

//  FL_TRUST_OK means that `bytes` are exactly what fl_token_encode makes of `token`.
static fl_trust
s_decode(fl_bytes bytes, fl_token *token)
{
    memset(token, 0, sizeof *token);
    fl_reader reader = fl_reader_of(bytes);
    uint8_t version = fl_read_u8(&reader);
    token->role = (fl_role)fl_read_u8(&reader);
    uint8_t exact = fl_read_u8(&reader);
    token->exact = exact == 1;
    fl_read_into(&reader, token->name, sizeof token->name);
    token->count = fl_read_u32(&reader);
    token->not_after = fl_read_u64(&reader);
    fl_read_into(&reader, token->id, sizeof token->id);
    fl_read_into(&reader, token->authority.ed, sizeof token->authority.ed);
    fl_read_into(&reader, token->authority.seal, sizeof token->authority.seal);
    fl_read_into(&reader, token->authority.order, sizeof token->authority.order);
    fl_read_into(&reader, token->parent, sizeof token->parent);
    uint8_t length = fl_read_u8(&reader);
    if (bytes.size > 0 && version != VERSION) {
        return FL_TRUST_VERSION;
    }
    if (length > FL_ENDPOINT_LENGTH_MAX) {
        return FL_TRUST_MALFORMED;
    }
    fl_read_into(&reader, token->endpoint, length);
    fl_read_into(&reader, token->mac, sizeof token->mac);
    bool whole = fl_reader_done(&reader) && strlen(token->endpoint) == length;
    return whole && s_fields_valid(token, exact) ? FL_TRUST_OK : FL_TRUST_MALFORMED;
}

// ---- make and read ----------------------------------------------------------------------------
fl_status
fl_token_make(const fl_authority *authority, uint64_t now, const fl_entropy *entropy,
              fl_token *token, fl_why *why)
{
    const char *bad = NULL;
    fl_endpoint place;
    if (!s_role_valid(token->role)) {
        bad = "role: a token is for a device, an edge or an operator";
    } else if (!s_name_valid(token)) {
        bad = "name: 1 to 15 of a-z 0-9 - . (or, as a prefix, none)";
    } else if (token->count == 0) {
        bad = "count: at least one node must be able to join";
    } else if (token->not_after <= now || token->not_after - now > FL_TOKEN_LIFE_MAX_S) {
        bad = "end: it must be in the future, by at most 90 days";
    } else if (memchr(token->endpoint, '\0', sizeof token->endpoint) == NULL ||
               !fl_endpoint_parse_remote(token->endpoint, &place)) {
        bad = "endpoint: tcp://host:port, at most 128 characters";
    }
    if (bad != NULL) {
        return fl_fail(FL_RANGE, why, "no token was made; %s", bad);
    }
    fl_entropy_fill(entropy, token->id, sizeof token->id);
    token->authority = *fl_authority_public_of(authority);
    uint8_t body[FL_TOKEN_BYTES_MAX];
    size_t size = s_write_body(token, body);
    fl_authority_token_mac(authority, domain, fl_bytes_of(body, size), token->mac);
    return FL_OK;
}

static fl_hash
s_check(const uint8_t *bytes, size_t size)
{
    return fl_hash_domain("tributary/token-text/v1", fl_bytes_of(bytes, size));
}

void
fl_token_text(const fl_token *token, char text[FL_TOKEN_TEXT_BYTES])
{
    uint8_t bytes[FL_TOKEN_BYTES_MAX + CHECK_BYTES];
    size_t size = fl_token_encode(token, bytes);
    fl_hash check = s_check(bytes, size);
    memcpy(bytes + size, check.bytes, CHECK_BYTES);
    (void)sodium_bin2base64(text, FL_TOKEN_TEXT_BYTES, bytes, size + CHECK_BYTES, BASE64);
    fl_wipe(bytes, sizeof bytes);
}

//  The bytes of a text: a token and its checksum.
static fl_trust
s_decode_checked(const uint8_t *bytes, size_t size, fl_token *token)
{
    if (size <= CHECK_BYTES) {
        return FL_TRUST_MALFORMED;
    }
    size -= CHECK_BYTES;
    fl_hash check = s_check(bytes, size);
    if (memcmp(check.bytes, bytes + size, CHECK_BYTES) != 0) {
        return FL_TRUST_MALFORMED;
    }
    return s_decode(fl_bytes_of(bytes, size), token);
}

fl_trust
fl_token_parse(const char *text, fl_token *token)
{
    uint8_t bytes[FL_TOKEN_BYTES_MAX + CHECK_BYTES];
    size_t size = 0;
    int read =
        sodium_base642bin(bytes, sizeof bytes, text, strlen(text), " \t\r\n", &size, NULL, BASE64);
    fl_trust trust = read == 0 ? s_decode_checked(bytes, size, token) : FL_TRUST_MALFORMED;
    if (trust != FL_TRUST_OK) {
        fl_wipe(token, sizeof *token);
    }
    fl_wipe(bytes, sizeof bytes);
    return trust;
}

static bool
s_name_allowed(const fl_token *token, const fl_name *node)
{
    size_t length = strnlen(token->name, sizeof token->name);
    size_t compared = token->exact ? sizeof node->name : length;
    return memcmp(token->name, node->name, compared) == 0;
}

fl_trust
fl_token_verify(const fl_authority *authority, fl_bytes bytes, uint64_t now, fl_role role,
                const fl_name *node, fl_token *token)
{
    uint8_t mac[FL_MAC_BYTES];
    fl_trust trust = s_decode(bytes, token);
    if (trust == FL_TRUST_OK) {
        fl_authority_token_mac(authority, domain, fl_bytes_of(bytes.data, bytes.size - sizeof mac),
                               mac);
        trust = fl_mac_equal(mac, token->mac, sizeof mac) ? FL_TRUST_OK : FL_TRUST_TOKEN;
    }
    if (trust != FL_TRUST_OK) {
        memset(token, 0, sizeof *token);
        return trust;
    }
    if (now > token->not_after) {
        return FL_TRUST_EXPIRED;
    }
    if (role != token->role) {
        return FL_TRUST_ROLE;
    }
    return s_name_allowed(token, node) ? FL_TRUST_OK : FL_TRUST_NAME;
}
