#include "common/crypto/secret.h"

#include <sodium.h>
#include <string.h>

static fl_hash
s_check(const uint8_t *file, size_t size)
{
    return fl_hash_domain("tributary/file/v1", fl_bytes_of(file, size));
}

void
fl_secret_wrap(const char *magic, fl_bytes body, uint8_t *file)
{
    FL_ASSERT(strlen(magic) == FL_SECRET_MAGIC_BYTES);
    memcpy(file, magic, FL_SECRET_MAGIC_BYTES);
    memcpy(file + FL_SECRET_MAGIC_BYTES, body.data, body.size);
    size_t size = FL_SECRET_MAGIC_BYTES + body.size;
    fl_hash check = s_check(file, size);
    memcpy(file + size, check.bytes, FL_SECRET_CHECK_BYTES);
}

fl_status
fl_secret_unwrap(const char *magic, const char *what, fl_bytes file, size_t body_bytes,
                 fl_bytes *body, fl_why *why)
{
    size_t wanted = FL_SECRET_MAGIC_BYTES + body_bytes + FL_SECRET_CHECK_BYTES;
    *body = (fl_bytes){ 0 };
    if (file.size < FL_SECRET_MAGIC_BYTES || memcmp(file.data, magic, FL_SECRET_MAGIC_BYTES) != 0) {
        return fl_fail(FL_MALFORMED, why, "this is not a %s (it does not begin with %s)", what,
                       magic);
    }
    if (file.size != wanted) {
        return fl_fail(FL_MALFORMED, why,
                       "the %s has %zu bytes instead of %zu: it was cut or something was added; "
                       "restore it from its copy",
                       what, file.size, wanted);
    }
    fl_hash check = s_check(file.data, FL_SECRET_MAGIC_BYTES + body_bytes);
    if (memcmp(check.bytes, file.data + FL_SECRET_MAGIC_BYTES + body_bytes,
               FL_SECRET_CHECK_BYTES) != 0) {
        return fl_fail(FL_MALFORMED, why,
                       "the %s is damaged (its checksum is wrong); restore it from its copy", what);
    }
    *body = fl_bytes_of(file.data + FL_SECRET_MAGIC_BYTES, body_bytes);
    return FL_OK;
}

bool
fl_secret_mac(const uint8_t our_secret[32], const uint8_t their_public[32], const char *domain,
              fl_bytes bytes, uint8_t mac[FL_MAC_BYTES])
{
    uint8_t shared[crypto_scalarmult_BYTES];
    bool sound = crypto_scalarmult(shared, our_secret, their_public) == 0;
    if (sound) {
        fl_mac(shared, domain, bytes, mac, FL_MAC_BYTES);
    } else {
        memset(mac, 0, FL_MAC_BYTES);
    }
    sodium_memzero(shared, sizeof shared);
    return sound;
}
