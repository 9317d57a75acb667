#include "common/crypto/keys.h"

#include "common/crypto/secret.h"

#include <sodium.h>
#include <string.h>

struct fl_keys {
    fl_public_keys public_keys;
    uint8_t ed_secret[FL_SIGN_SECRET_BYTES]; // seed 32, public key 32
    uint8_t x_secret[FL_CURVE_BYTES];
};

enum { SEED_BYTES = 32, BODY_BYTES = SEED_BYTES + FL_CURVE_BYTES };
_Static_assert(FL_SECRET_MAGIC_BYTES + BODY_BYTES + FL_SECRET_CHECK_BYTES == FL_KEYS_FILE_BYTES,
               "a key file is as long as the header says");
_Static_assert(SEED_BYTES == crypto_sign_SEEDBYTES, "Ed25519");
_Static_assert(FL_CURVE_BYTES == crypto_scalarmult_BYTES, "X25519");

static const char magic[] = "FLkeys-1";

bool
fl_public_keys_equal(const fl_public_keys *a, const fl_public_keys *b)
{
    return memcmp(a->ed, b->ed, sizeof a->ed) == 0 && memcmp(a->x, b->x, sizeof a->x) == 0;
}

//  `body` is the Ed25519 seed, then the X25519 secret.
static fl_keys *
s_keys_of(const uint8_t *body)
{
    fl_keys *self = sodium_malloc(sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    FL_ASSERT(crypto_sign_seed_keypair(self->public_keys.ed, self->ed_secret, body) == 0);
    memcpy(self->x_secret, body + SEED_BYTES, sizeof self->x_secret);
    FL_ASSERT(crypto_scalarmult_base(self->public_keys.x, self->x_secret) == 0);
    FL_ASSERT(sodium_mprotect_readonly(self) == 0);
    return self;
}

fl_keys *
fl_keys_new(const fl_entropy *entropy)
{
    uint8_t body[BODY_BYTES];
    fl_entropy_fill(entropy, body, sizeof body);
    fl_keys *self = s_keys_of(body);
    sodium_memzero(body, sizeof body);
    return self;
}

void
fl_keys_destroy(fl_keys **self_p)
{
    sodium_free(*self_p); // makes it writable, wipes it, gives it back
    *self_p = NULL;
}

const fl_public_keys *
fl_keys_public(const fl_keys *self)
{
    return &self->public_keys;
}

void
fl_keys_curve_secret(const fl_keys *self, uint8_t secret[FL_CURVE_BYTES])
{
    memcpy(secret, self->x_secret, FL_CURVE_BYTES);
}

void
fl_keys_encode(const fl_keys *self, uint8_t bytes[FL_KEYS_FILE_BYTES])
{
    uint8_t body[BODY_BYTES];
    memcpy(body, self->ed_secret, SEED_BYTES);
    memcpy(body + SEED_BYTES, self->x_secret, FL_CURVE_BYTES);
    fl_secret_wrap(magic, fl_bytes_of(body, sizeof body), bytes);
    sodium_memzero(body, sizeof body);
}

fl_status
fl_keys_decode(fl_bytes bytes, fl_keys **self_p, fl_why *why)
{
    *self_p = NULL;
    fl_bytes body;
    FL_TRY(fl_secret_unwrap(magic, "key file", bytes, BODY_BYTES, &body, why));
    *self_p = s_keys_of(body.data);
    if (*self_p == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory for keys");
    }
    return FL_OK;
}

void
fl_keys_sign(const fl_keys *self, const char *domain, fl_bytes bytes,
             uint8_t signature[FL_SIGN_BYTES])
{
    fl_sign(self->ed_secret, domain, bytes, signature);
}

bool
fl_keys_mac_with(const fl_keys *self, const uint8_t their_x[FL_CURVE_BYTES], const char *domain,
                 fl_bytes bytes, uint8_t mac[FL_MAC_BYTES])
{
    return fl_secret_mac(self->x_secret, their_x, domain, bytes, mac);
}
