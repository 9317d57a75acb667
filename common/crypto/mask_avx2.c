#include "common/crypto/mask_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "common/crypto/entropy.h"

//  Eight blocks at a time, as in the AVX-512 file; rotations by whole bytes are shuffles.
#define AVX2 __attribute__((target("avx2")))
enum { BLOCKS = 8, BATCH = BLOCKS * FL_MASK_BLOCK_BYTES };

AVX2 static inline __m256i
s_rotate(__m256i value, int by)
{
    return _mm256_or_si256(_mm256_slli_epi32(value, by), _mm256_srli_epi32(value, 32 - by));
}

AVX2 static inline void
s_quarter(__m256i *a, __m256i *b, __m256i *c, __m256i *d)
{
    const __m256i by16 = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2,
                                          3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    const __m256i by8 = _mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3,
                                         0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
    *a = _mm256_add_epi32(*a, *b);
    *d = _mm256_shuffle_epi8(_mm256_xor_si256(*d, *a), by16);
    *c = _mm256_add_epi32(*c, *d);
    *b = s_rotate(_mm256_xor_si256(*b, *c), 12);
    *a = _mm256_add_epi32(*a, *b);
    *d = _mm256_shuffle_epi8(_mm256_xor_si256(*d, *a), by8);
    *c = _mm256_add_epi32(*c, *d);
    *b = s_rotate(_mm256_xor_si256(*b, *c), 7);
}

AVX2 static inline void
s_double_round(__m256i x[16])
{
    s_quarter(&x[0], &x[4], &x[8], &x[12]);
    s_quarter(&x[1], &x[5], &x[9], &x[13]);
    s_quarter(&x[2], &x[6], &x[10], &x[14]);
    s_quarter(&x[3], &x[7], &x[11], &x[15]);
    s_quarter(&x[0], &x[5], &x[10], &x[15]);
    s_quarter(&x[1], &x[6], &x[11], &x[12]);
    s_quarter(&x[2], &x[7], &x[8], &x[13]);
    s_quarter(&x[3], &x[4], &x[9], &x[14]);
}

//  Four registers, each 2 groups of 4 words: the groups at one place are transposed.
AVX2 static inline void
s_turn_groups(__m256i x[4])
{
    __m256i ab = _mm256_unpacklo_epi32(x[0], x[1]), ab_high = _mm256_unpackhi_epi32(x[0], x[1]);
    __m256i cd = _mm256_unpacklo_epi32(x[2], x[3]), cd_high = _mm256_unpackhi_epi32(x[2], x[3]);
    x[0] = _mm256_unpacklo_epi64(ab, cd);
    x[1] = _mm256_unpackhi_epi64(ab, cd);
    x[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
    x[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

//  x[i] = word i of 8 blocks becomes the stream: its 32-byte half h of block b, in half[2 * b + h].
AVX2 static inline void
s_transpose(__m256i x[16], __m256i half[16])
{
    for (unsigned i = 0; i < 16; i += 4) {
        s_turn_groups(x + i);
    }
    for (unsigned b = 0; b < 4; b++) {
        half[2 * b] = _mm256_permute2x128_si256(x[b], x[4 + b], 0x20);
        half[2 * b + 1] = _mm256_permute2x128_si256(x[8 + b], x[12 + b], 0x20);
        half[2 * b + 8] = _mm256_permute2x128_si256(x[b], x[4 + b], 0x31);
        half[2 * b + 9] = _mm256_permute2x128_si256(x[8 + b], x[12 + b], 0x31);
    }
}

//  The next 8 blocks as 16 halves; the counter of `state` moves on.
AVX2 static inline void
s_blocks(uint32_t state[16], __m256i half[16])
{
    const __m256i counters = _mm256_add_epi32(_mm256_set1_epi32((int)state[12]),
                                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    __m256i x[16];
    for (unsigned i = 0; i < 16; i++) {
        x[i] = _mm256_set1_epi32((int)state[i]);
    }
    x[12] = counters;
    for (unsigned i = 0; i < 10; i++) {
        s_double_round(x);
    }
    for (unsigned i = 0; i < 16; i++) {
        __m256i start = i == 12 ? counters : _mm256_set1_epi32((int)state[i]);
        x[i] = _mm256_add_epi32(x[i], start);
    }
    s_transpose(x, half);
    state[12] += BLOCKS;
}

//  Words of `wide` bytes, plus or minus the stream's.
AVX2 static inline __m256i
s_join(__m256i words, __m256i stream, unsigned wide, bool subtract)
{
    if (wide == 8) {
        return subtract ? _mm256_sub_epi64(words, stream) : _mm256_add_epi64(words, stream);
    }
    return subtract ? _mm256_sub_epi32(words, stream) : _mm256_add_epi32(words, stream);
}

//  The last, incomplete batch: loads and stores are masked, in units of 4 bytes.
AVX2 static void
s_join_some(uint8_t *words, size_t size, const __m256i half[16], unsigned wide, bool subtract)
{
    const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (unsigned h = 0; h < 16 && h * 32 < size; h++) {
        size_t left = (size - h * 32) / 4;
        __m256i lanes = _mm256_cmpgt_epi32(_mm256_set1_epi32(left >= 8 ? 8 : (int)left), places);
        int *at = (int *)(void *)(words + h * 32);
        __m256i sum = s_join(_mm256_maskload_epi32(at, lanes), half[h], wide, subtract);
        _mm256_maskstore_epi32(at, lanes, sum);
    }
}

AVX2 static inline void
s_run(uint8_t *words, size_t size, uint32_t state[16], unsigned wide, bool subtract)
{
    __m256i half[16];
    for (; size >= BATCH; size -= BATCH, words += BATCH) {
        s_blocks(state, half);
        for (unsigned h = 0; h < 16; h++) {
            __m256i *at = (__m256i *)(void *)(words + h * 32);
            _mm256_storeu_si256(at, s_join(_mm256_loadu_si256(at), half[h], wide, subtract));
        }
    }
    if (size > 0) {
        s_blocks(state, half);
        s_join_some(words, size, half, wide, subtract);
        fl_wipe(half, sizeof half);
    }
    _mm256_zeroall(); // no keystream stays in a register, whose contents a core file would show
}

AVX2 static void
s_add32(uint32_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane, uint32_t block)
{
    uint32_t state[16];
    fl_mask_state(seed, lane, block, state);
    if (seed->subtract) {
        s_run((uint8_t *)words, count * sizeof *words, state, sizeof *words, true);
    } else {
        s_run((uint8_t *)words, count * sizeof *words, state, sizeof *words, false);
    }
    fl_wipe(state, sizeof state);
}

AVX2 static void
s_add64(uint64_t *words, size_t count, const fl_mask_seed *seed, uint32_t lane, uint32_t block)
{
    uint32_t state[16];
    fl_mask_state(seed, lane, block, state);
    if (seed->subtract) {
        s_run((uint8_t *)words, count * sizeof *words, state, sizeof *words, true);
    } else {
        s_run((uint8_t *)words, count * sizeof *words, state, sizeof *words, false);
    }
    fl_wipe(state, sizeof state);
}

static const fl_mask_kernel table = {
    .name = "avx2",
    .add32 = s_add32,
    .add64 = s_add64,
};

const fl_mask_kernel *
fl_mask_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &table : NULL;
}

#else

const fl_mask_kernel *
fl_mask_avx2(void)
{
    return NULL;
}

#endif
