//  Answers of libsodium, remembered. In a block everybody checks what everybody signed, and two
//  members compute the same shared point from either side: in one process each needs to be done
//  once. The linker puts these in front of the library's functions (`--wrap`), in fl-sim only.
//
//  Nothing else comes out than without it. A signature is known by all that is checked, and one
//  that was made here holds. The product of a secret and a point is known by the two public points
//  when both stand for a secret of ours: a·B and b·A are one point. What is not in the table is
//  computed, and a place in it is taken by the newest.
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "tests/sim/masks.h"

enum { PLACES = 1 << 14, POINT = 32, SIGNATURE = 64, SIGNED_MAX = 64 };

//  NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's own names
int __real_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __real_crypto_scalarmult_base(unsigned char *q, const unsigned char *n);
int __real_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key);
int __real_crypto_sign_detached(unsigned char *signature, unsigned long long *signature_size,
                                const unsigned char *message, unsigned long long size,
                                const unsigned char *secret);
int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *signature_size,
                                const unsigned char *message, unsigned long long size,
                                const unsigned char *secret);
int __wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p);
int __wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n);
int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key);
//  NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

typedef struct own {
    bool used;
    uint8_t secret[POINT], point[POINT];
} own;

typedef struct product {
    bool used;
    int code;
    uint8_t pair[2 * POINT]; // the lower one first
    uint8_t point[POINT];
} product;

typedef struct verdict {
    bool used;
    int code;
    fl_hash of;
} verdict;

static bool off;
static own owns[PLACES];
static product products[PLACES];
static verdict verdicts[PLACES];

void
fl_sim_memo_off(void)
{
    off = true;
}

static uint32_t
s_place(const uint8_t *bytes)
{
    uint32_t place;
    memcpy(&place, bytes, sizeof place);
    return place % PLACES;
}

int
__wrap_crypto_scalarmult_base(unsigned char *q, const unsigned char *n)
{
    own *known = &owns[s_place(n)];
    if (off || !known->used || memcmp(known->secret, n, POINT) != 0) {
        int code = __real_crypto_scalarmult_base(q, n);
        if (code != 0) {
            return code;
        }
        known->used = true;
        memcpy(known->secret, n, POINT);
        memcpy(known->point, q, POINT);
    }
    memcpy(q, known->point, POINT);
    return 0;
}

int
__wrap_crypto_scalarmult(unsigned char *q, const unsigned char *n, const unsigned char *p)
{
    const own *known = &owns[s_place(n)];
    if (off || !known->used || memcmp(known->secret, n, POINT) != 0) {
        return __real_crypto_scalarmult(q, n, p);
    }
    uint8_t pair[2 * POINT];
    bool first = memcmp(known->point, p, POINT) < 0;
    memcpy(pair + (first ? 0 : POINT), known->point, POINT);
    memcpy(pair + (first ? POINT : 0), p, POINT);
    product *made = &products[(s_place(pair) ^ s_place(pair + POINT)) % PLACES];
    if (!made->used || memcmp(made->pair, pair, sizeof pair) != 0) {
        made->used = true;
        memcpy(made->pair, pair, sizeof pair);
        made->code = __real_crypto_scalarmult(made->point, n, p);
    }
    memcpy(q, made->point, POINT);
    return made->code;
}

//  Where the verdict on this signature is, or will be.
static verdict *
s_verdict(const unsigned char *signature, const unsigned char *message, unsigned long long size,
          const unsigned char *key, fl_hash *of)
{
    uint8_t all[SIGNATURE + POINT + SIGNED_MAX];
    memcpy(all, signature, SIGNATURE);
    memcpy(all + SIGNATURE, key, POINT);
    memcpy(all + SIGNATURE + POINT, message, (size_t)size);
    *of = fl_hash_of(fl_bytes_of(all, SIGNATURE + POINT + (size_t)size));
    return &verdicts[s_place(of->bytes)];
}

int
__wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *signature_size,
                            const unsigned char *message, unsigned long long size,
                            const unsigned char *secret)
{
    int code = __real_crypto_sign_detached(signature, signature_size, message, size, secret);
    if (!off && code == 0 && size <= SIGNED_MAX) {
        fl_hash of;
        //  The public half is the second of the secret's.
        verdict *known = s_verdict(signature, message, size, secret + POINT, &of);
        *known = (verdict){ .used = true, .of = of };
    }
    return code;
}

int
__wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                   unsigned long long size, const unsigned char *key)
{
    if (off || size > SIGNED_MAX) {
        return __real_crypto_sign_verify_detached(signature, message, size, key);
    }
    fl_hash of;
    verdict *known = s_verdict(signature, message, size, key, &of);
    if (!known->used || !fl_hash_equal(&known->of, &of)) {
        known->code = __real_crypto_sign_verify_detached(signature, message, size, key);
        known->of = of;
        known->used = true;
    }
    return known->code;
}
