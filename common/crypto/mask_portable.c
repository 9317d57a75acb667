#include "common/crypto/mask_kernel.h"

#include "common/crypto/entropy.h"

#include <sodium.h>
#include <string.h>

_Static_assert(FL_MASK_SEED_BYTES == crypto_stream_chacha20_ietf_KEYBYTES, "ChaCha20");

//  Small enough to stay in the first-level cache beside the tile, large enough for libsodium.
enum { SCRATCH = 4096, NONCE = crypto_stream_chacha20_ietf_NONCEBYTES };
static const uint8_t zeros[SCRATCH];

static uint32_t
s_little32(uint32_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap32(word);
#else
    return word;
#endif
}

static uint64_t
s_little64(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(word);
#else
    return word;
#endif
}

//  `size` bytes of keystream: what zeros become.
static void
s_expand(const fl_mask_seed *seed, uint32_t lane, uint32_t block, uint8_t *stream, size_t size)
{
    uint8_t nonce[NONCE] = { (uint8_t)lane, (uint8_t)(lane >> 8), (uint8_t)(lane >> 16),
                             (uint8_t)(lane >> 24) };
    FL_ASSERT(crypto_stream_chacha20_ietf_xor_ic(stream, zeros, size, nonce, block, seed->key) ==
              0);
}

//  Whole blocks first: a fixed number of words makes a plain loop fast. Minus w is (w ^ m) - m for
//  a mask m of ones.
static void
s_join32(uint32_t *restrict words, const uint32_t *restrict stream, size_t count, bool subtract)
{
    enum { BLOCK = FL_MASK_BLOCK_BYTES / sizeof *words };
    const uint32_t minus = subtract ? UINT32_MAX : 0;
    size_t at = 0;
    for (; !subtract && at + BLOCK <= count; at += BLOCK) {
        for (size_t i = at; i < at + BLOCK; i++) {
            words[i] += s_little32(stream[i]);
        }
    }
    for (; subtract && at + BLOCK <= count; at += BLOCK) {
        for (size_t i = at; i < at + BLOCK; i++) {
            words[i] -= s_little32(stream[i]);
        }
    }
    for (; at < count; at++) {
        words[at] += (s_little32(stream[at]) ^ minus) - minus;
    }
}

static void
s_add32(uint32_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane, uint32_t block)
{
    enum { STEP = SCRATCH / sizeof *words };
    _Alignas(64) uint32_t stream[STEP];
    for (size_t at = 0; at < count; at += STEP) {
        size_t now = count - at < STEP ? count - at : STEP;
        uint32_t here = block + (uint32_t)(at * sizeof *words / FL_MASK_BLOCK_BYTES);
        s_expand(seed, lane, here, (uint8_t *)stream, now * sizeof *words);
        s_join32(words + at, stream, now, seed->subtract);
    }
    fl_wipe(stream, sizeof stream);
}

static void
s_join64(uint64_t *restrict words, const uint64_t *restrict stream, size_t count, bool subtract)
{
    enum { BLOCK = FL_MASK_BLOCK_BYTES / sizeof *words };
    const uint64_t minus = subtract ? UINT64_MAX : 0;
    size_t at = 0;
    for (; !subtract && at + BLOCK <= count; at += BLOCK) {
        for (size_t i = at; i < at + BLOCK; i++) {
            words[i] += s_little64(stream[i]);
        }
    }
    for (; subtract && at + BLOCK <= count; at += BLOCK) {
        for (size_t i = at; i < at + BLOCK; i++) {
            words[i] -= s_little64(stream[i]);
        }
    }
    for (; at < count; at++) {
        words[at] += (s_little64(stream[at]) ^ minus) - minus;
    }
}

static void
s_add64(uint64_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane, uint32_t block)
{
    enum { STEP = SCRATCH / sizeof *words };
    _Alignas(64) uint64_t stream[STEP];
    for (size_t at = 0; at < count; at += STEP) {
        size_t now = count - at < STEP ? count - at : STEP;
        uint32_t here = block + (uint32_t)(at * sizeof *words / FL_MASK_BLOCK_BYTES);
        s_expand(seed, lane, here, (uint8_t *)stream, now * sizeof *words);
        s_join64(words + at, stream, now, seed->subtract);
    }
    fl_wipe(stream, sizeof stream);
}

const fl_mask_kernel fl_mask_portable = {
    .name = "portable",
    .add32 = s_add32,
    .add64 = s_add64,
};
