#include "common/crypto/hash.h"

#include "common/base/status.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(fl_hasher), "the state fits");
_Static_assert(_Alignof(crypto_generichash_state) <= _Alignof(fl_hasher), "and is aligned");

static crypto_generichash_state *
s_state(fl_hasher *self)
{
    return (crypto_generichash_state *)(void *)self->state;
}

//  libsodium's calls below fail only for sizes out of range, and ours are fixed.
static void
s_feed(crypto_generichash_state *state, fl_bytes bytes)
{
    if (bytes.size > 0) {
        FL_ASSERT(crypto_generichash_update(state, bytes.data, bytes.size) == 0);
    }
}

static void
s_feed_domain(crypto_generichash_state *state, const char *domain)
{
    size_t length = strlen(domain);
    FL_ASSERT(length > 0 && length <= FL_DOMAIN_LENGTH_MAX);
    uint8_t prefix = (uint8_t)length;
    s_feed(state, fl_bytes_of(&prefix, 1));
    s_feed(state, fl_bytes_of(domain, length));
}

void
fl_hasher_init(fl_hasher *self)
{
    FL_ASSERT(crypto_generichash_init(s_state(self), NULL, 0, sizeof(fl_hash)) == 0);
}

void
fl_hasher_update(fl_hasher *self, fl_bytes bytes)
{
    s_feed(s_state(self), bytes);
}

fl_hash
fl_hasher_final(fl_hasher *self)
{
    fl_hash hash;
    FL_ASSERT(crypto_generichash_final(s_state(self), hash.bytes, sizeof hash.bytes) == 0);
    sodium_memzero(self, sizeof *self); // what was hashed may have been a secret
    return hash;
}

fl_hash
fl_hash_of(fl_bytes bytes)
{
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    fl_hasher_update(&hasher, bytes);
    return fl_hasher_final(&hasher);
}

fl_hash
fl_hash_domain(const char *domain, fl_bytes bytes)
{
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    s_feed_domain(s_state(&hasher), domain);
    fl_hasher_update(&hasher, bytes);
    return fl_hasher_final(&hasher);
}

void
fl_mac(const uint8_t key[FL_MAC_KEY_BYTES], const char *domain, fl_bytes bytes, void *mac,
       size_t size)
{
    crypto_generichash_state state;
    FL_ASSERT(size >= crypto_generichash_BYTES_MIN && size <= crypto_generichash_BYTES_MAX);
    FL_ASSERT(crypto_generichash_init(&state, key, FL_MAC_KEY_BYTES, size) == 0);
    s_feed_domain(&state, domain);
    s_feed(&state, bytes);
    FL_ASSERT(crypto_generichash_final(&state, mac, size) == 0);
    sodium_memzero(&state, sizeof state);
}

bool
fl_mac_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}
