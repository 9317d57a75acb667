#include "common/crypto/authority.h"

#include "common/crypto/secret.h"

#include <sodium.h>
#include <string.h>

struct fl_authority {
    fl_authority_public public_keys;
    uint8_t master[32];
    uint8_t ed_secret[FL_SIGN_SECRET_BYTES];
    uint8_t order_secret[FL_SIGN_SECRET_BYTES];
    uint8_t seal_secret[FL_CURVE_BYTES];
    uint8_t token_key[FL_MAC_KEY_BYTES];
};

//  Numbers of the derived keys. They are part of the file format: never renumbered.
enum { KEY_CERTIFICATE = 1, KEY_SEAL = 2, KEY_TOKEN = 3, KEY_ORDER = 4 };
enum { MASTER_BYTES = 32, PUBLIC_BODY_BYTES = 96 };

_Static_assert(MASTER_BYTES == crypto_kdf_KEYBYTES, "a master secret derives");
_Static_assert(FL_SECRET_MAGIC_BYTES + MASTER_BYTES + FL_SECRET_CHECK_BYTES ==
                   FL_AUTHORITY_FILE_BYTES,
               "the secret file");
_Static_assert(FL_SECRET_MAGIC_BYTES + PUBLIC_BODY_BYTES + FL_SECRET_CHECK_BYTES ==
                   FL_AUTHORITY_PUBLIC_FILE_BYTES,
               "the public file");
_Static_assert(FL_SEAL_EXTRA_BYTES == crypto_box_SEALBYTES, "a sealed box");

static const char secret_magic[] = "FLauth-1";
static const char public_magic[] = "FLapub-1";
static const char order_domain[] = "tributary/order/v3";
static const char pool_domain[] = "tributary/pool/v1";

// ---- the public half --------------------------------------------------------------------------
bool
fl_authority_public_equal(const fl_authority_public *a, const fl_authority_public *b)
{
    return memcmp(a->ed, b->ed, sizeof a->ed) == 0 &&
           memcmp(a->seal, b->seal, sizeof a->seal) == 0 &&
           memcmp(a->order, b->order, sizeof a->order) == 0;
}

void
fl_authority_public_encode(const fl_authority_public *self,
                           uint8_t bytes[FL_AUTHORITY_PUBLIC_FILE_BYTES])
{
    uint8_t body[PUBLIC_BODY_BYTES];
    fl_writer writer = fl_writer_over(body, sizeof body);
    fl_write_from(&writer, self->ed, sizeof self->ed);
    fl_write_from(&writer, self->seal, sizeof self->seal);
    fl_write_from(&writer, self->order, sizeof self->order);
    fl_secret_wrap(public_magic, fl_bytes_of(body, sizeof body), bytes);
}

fl_status
fl_authority_public_decode(fl_bytes bytes, fl_authority_public *self, fl_why *why)
{
    memset(self, 0, sizeof *self);
    fl_bytes body;
    fl_status status = fl_secret_unwrap(public_magic, "public file of an authority", bytes,
                                        PUBLIC_BODY_BYTES, &body, why);
    if (status == FL_OK) {
        fl_reader reader = fl_reader_of(body);
        fl_read_into(&reader, self->ed, sizeof self->ed);
        fl_read_into(&reader, self->seal, sizeof self->seal);
        fl_read_into(&reader, self->order, sizeof self->order);
    }
    return status;
}

// ---- the secret half --------------------------------------------------------------------------
static void
s_derive(const uint8_t *master, uint64_t number, uint8_t key[32])
{
    FL_ASSERT(crypto_kdf_derive_from_key(key, 32, number, "FLauthor", master) == 0);
}

static void
s_derive_pair(const uint8_t *master, uint64_t number, uint8_t *public_key, uint8_t *secret)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    s_derive(master, number, seed);
    FL_ASSERT(crypto_sign_seed_keypair(public_key, secret, seed) == 0);
    sodium_memzero(seed, sizeof seed);
}

static fl_authority *
s_authority_of(const uint8_t *master)
{
    fl_authority *self = sodium_malloc(sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    memcpy(self->master, master, sizeof self->master);
    s_derive_pair(master, KEY_CERTIFICATE, self->public_keys.ed, self->ed_secret);
    s_derive_pair(master, KEY_ORDER, self->public_keys.order, self->order_secret);
    s_derive(master, KEY_SEAL, self->seal_secret);
    FL_ASSERT(crypto_scalarmult_base(self->public_keys.seal, self->seal_secret) == 0);
    s_derive(master, KEY_TOKEN, self->token_key);
    FL_ASSERT(sodium_mprotect_readonly(self) == 0);
    return self;
}

fl_authority *
fl_authority_new(const fl_entropy *entropy)
{
    uint8_t master[MASTER_BYTES];
    fl_entropy_fill(entropy, master, sizeof master);
    fl_authority *self = s_authority_of(master);
    sodium_memzero(master, sizeof master);
    return self;
}

void
fl_authority_destroy(fl_authority **self_p)
{
    sodium_free(*self_p); // makes it writable, wipes it, gives it back
    *self_p = NULL;
}

const fl_authority_public *
fl_authority_public_of(const fl_authority *self)
{
    return &self->public_keys;
}

void
fl_authority_encode(const fl_authority *self, uint8_t bytes[FL_AUTHORITY_FILE_BYTES])
{
    fl_secret_wrap(secret_magic, fl_bytes_of(self->master, sizeof self->master), bytes);
}

fl_status
fl_authority_decode(fl_bytes bytes, fl_authority **self_p, fl_why *why)
{
    *self_p = NULL;
    fl_bytes body;
    FL_TRY(fl_secret_unwrap(secret_magic, "secret file of an authority", bytes, MASTER_BYTES, &body,
                            why));
    *self_p = s_authority_of(body.data);
    if (*self_p == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory for the authority's keys");
    }
    return FL_OK;
}

// ---- what it does -----------------------------------------------------------------------------
void
fl_order_sign(const fl_authority *self, fl_bytes order, uint8_t signature[FL_SIGN_BYTES])
{
    fl_sign(self->order_secret, order_domain, order, signature);
}

bool
fl_order_holds(const fl_authority_public *authority, fl_bytes order,
               const uint8_t signature[FL_SIGN_BYTES])
{
    return fl_sign_holds(authority->order, order_domain, order, signature);
}

void
fl_pool_sign(const fl_authority *self, fl_bytes pool, uint8_t signature[FL_SIGN_BYTES])
{
    fl_sign(self->order_secret, pool_domain, pool, signature);
}

bool
fl_pool_holds(const fl_authority_public *authority, fl_bytes pool,
              const uint8_t signature[FL_SIGN_BYTES])
{
    return fl_sign_holds(authority->order, pool_domain, pool, signature);
}

void
fl_authority_sign(const fl_authority *self, const char *domain, fl_bytes bytes,
                  uint8_t signature[FL_SIGN_BYTES])
{
    fl_sign(self->ed_secret, domain, bytes, signature);
}

void
fl_authority_token_mac(const fl_authority *self, const char *domain, fl_bytes bytes,
                       uint8_t mac[FL_MAC_BYTES])
{
    fl_mac(self->token_key, domain, bytes, mac, FL_MAC_BYTES);
}

bool
fl_authority_mac_with(const fl_authority *self, const uint8_t their_x[FL_CURVE_BYTES],
                      const char *domain, fl_bytes bytes, uint8_t mac[FL_MAC_BYTES])
{
    return fl_secret_mac(self->seal_secret, their_x, domain, bytes, mac);
}

//  nonce = BLAKE2b-192(one-time public key || recipient's), as crypto_box_seal has it.
static void
s_seal_nonce(const uint8_t *once, const uint8_t *recipient, uint8_t nonce[crypto_box_NONCEBYTES])
{
    crypto_generichash_state state;
    FL_ASSERT(crypto_generichash_init(&state, NULL, 0, crypto_box_NONCEBYTES) == 0);
    FL_ASSERT(crypto_generichash_update(&state, once, FL_CURVE_BYTES) == 0);
    FL_ASSERT(crypto_generichash_update(&state, recipient, FL_CURVE_BYTES) == 0);
    FL_ASSERT(crypto_generichash_final(&state, nonce, crypto_box_NONCEBYTES) == 0);
}

bool
fl_seal(const fl_authority_public *authority, fl_bytes plain, const fl_entropy *entropy,
        uint8_t *sealed)
{
    uint8_t once_secret[FL_CURVE_BYTES];
    uint8_t nonce[crypto_box_NONCEBYTES];
    fl_entropy_fill(entropy, once_secret, sizeof once_secret);
    FL_ASSERT(crypto_scalarmult_base(sealed, once_secret) == 0);
    s_seal_nonce(sealed, authority->seal, nonce);
    bool sound = crypto_box_easy(sealed + FL_CURVE_BYTES, plain.data, plain.size, nonce,
                                 authority->seal, once_secret) == 0;
    sodium_memzero(once_secret, sizeof once_secret);
    return sound;
}

bool
fl_unseal(const fl_authority *self, fl_bytes sealed, uint8_t *plain)
{
    return sealed.size >= FL_SEAL_EXTRA_BYTES &&
           crypto_box_seal_open(plain, sealed.data, sealed.size, self->public_keys.seal,
                                self->seal_secret) == 0;
}
