#include "common/crypto/mask_kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "common/crypto/entropy.h"

//  Sixteen blocks at a time: register i holds word i of all of them (Bernstein, ChaCha, a variant
//  of Salsa20, 2008; RFC 8439). Transposed they are the stream in its order.
#define AVX512 __attribute__((target("avx512f")))
enum { BLOCKS = 16, BATCH = BLOCKS * FL_MASK_BLOCK_BYTES };

AVX512 static inline void
s_quarter(__m512i *a, __m512i *b, __m512i *c, __m512i *d)
{
    *a = _mm512_add_epi32(*a, *b);
    *d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 16);
    *c = _mm512_add_epi32(*c, *d);
    *b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 12);
    *a = _mm512_add_epi32(*a, *b);
    *d = _mm512_rol_epi32(_mm512_xor_si512(*d, *a), 8);
    *c = _mm512_add_epi32(*c, *d);
    *b = _mm512_rol_epi32(_mm512_xor_si512(*b, *c), 7);
}

AVX512 static inline void
s_double_round(__m512i x[16])
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

//  Four registers, each 4 groups of 4 words: the groups at one place are transposed.
AVX512 static inline void
s_turn_groups(__m512i *a, __m512i *b, __m512i *c, __m512i *d)
{
    __m512i ab = _mm512_unpacklo_epi32(*a, *b), ab_high = _mm512_unpackhi_epi32(*a, *b);
    __m512i cd = _mm512_unpacklo_epi32(*c, *d), cd_high = _mm512_unpackhi_epi32(*c, *d);
    *a = _mm512_unpacklo_epi64(ab, cd);
    *b = _mm512_unpackhi_epi64(ab, cd);
    *c = _mm512_unpacklo_epi64(ab_high, cd_high);
    *d = _mm512_unpackhi_epi64(ab_high, cd_high);
}

//  Four registers as rows of 4 groups: the groups themselves are transposed.
AVX512 static inline void
s_turn_rows(__m512i *a, __m512i *b, __m512i *c, __m512i *d)
{
    __m512i ab = _mm512_shuffle_i32x4(*a, *b, 0x44), ab_high = _mm512_shuffle_i32x4(*a, *b, 0xee);
    __m512i cd = _mm512_shuffle_i32x4(*c, *d, 0x44), cd_high = _mm512_shuffle_i32x4(*c, *d, 0xee);
    *a = _mm512_shuffle_i32x4(ab, cd, 0x88);
    *b = _mm512_shuffle_i32x4(ab, cd, 0xdd);
    *c = _mm512_shuffle_i32x4(ab_high, cd_high, 0x88);
    *d = _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd);
}

//  x[i] = word i of 16 blocks becomes x[b] = block b.
AVX512 static inline void
s_transpose(__m512i x[16])
{
    for (unsigned i = 0; i < 16; i += 4) {
        s_turn_groups(&x[i], &x[i + 1], &x[i + 2], &x[i + 3]);
    }
    s_turn_rows(&x[0], &x[4], &x[8], &x[12]);
    s_turn_rows(&x[1], &x[5], &x[9], &x[13]);
    s_turn_rows(&x[2], &x[6], &x[10], &x[14]);
    s_turn_rows(&x[3], &x[7], &x[11], &x[15]);
}

//  The next 16 blocks, block b in x[b]; the counter of `state` moves on.
AVX512 static inline void
s_blocks(uint32_t state[16], __m512i x[16])
{
    const __m512i counters = _mm512_add_epi32(
        _mm512_set1_epi32((int)state[12]),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    for (unsigned i = 0; i < 16; i++) {
        x[i] = _mm512_set1_epi32((int)state[i]);
    }
    x[12] = counters;
    for (unsigned i = 0; i < 10; i++) {
        s_double_round(x);
    }
    for (unsigned i = 0; i < 16; i++) {
        __m512i start = i == 12 ? counters : _mm512_set1_epi32((int)state[i]);
        x[i] = _mm512_add_epi32(x[i], start);
    }
    s_transpose(x);
    state[12] += BLOCKS;
}

//  Words of `wide` bytes, plus or minus the stream's.
AVX512 static inline __m512i
s_join(__m512i words, __m512i stream, unsigned wide, bool subtract)
{
    if (wide == 8) {
        return subtract ? _mm512_sub_epi64(words, stream) : _mm512_add_epi64(words, stream);
    }
    return subtract ? _mm512_sub_epi32(words, stream) : _mm512_add_epi32(words, stream);
}

//  The last, incomplete batch: loads and stores are masked, in units of 4 bytes.
AVX512 static void
s_join_some(uint8_t *words, size_t size, const __m512i x[16], unsigned wide, bool subtract)
{
    for (unsigned b = 0; b < BLOCKS && b * FL_MASK_BLOCK_BYTES < size; b++) {
        size_t left = (size - b * FL_MASK_BLOCK_BYTES) / 4;
        unsigned low = left >= 16 ? 0xffff : (1u << left) - 1;
        __mmask16 lanes = (__mmask16)low;
        uint8_t *at = words + b * FL_MASK_BLOCK_BYTES;
        __m512i sum = s_join(_mm512_maskz_loadu_epi32(lanes, at), x[b], wide, subtract);
        _mm512_mask_storeu_epi32(at, lanes, sum);
    }
}

//  No keystream stays in a register, whose contents a core file would show.
AVX512 static inline void
s_forget(void)
{
    _mm256_zeroall();
    __asm__ volatile("vpxord %%zmm16, %%zmm16, %%zmm16\n\tvpxord %%zmm17, %%zmm17, %%zmm17\n\t"
                     "vpxord %%zmm18, %%zmm18, %%zmm18\n\tvpxord %%zmm19, %%zmm19, %%zmm19\n\t"
                     "vpxord %%zmm20, %%zmm20, %%zmm20\n\tvpxord %%zmm21, %%zmm21, %%zmm21\n\t"
                     "vpxord %%zmm22, %%zmm22, %%zmm22\n\tvpxord %%zmm23, %%zmm23, %%zmm23\n\t"
                     "vpxord %%zmm24, %%zmm24, %%zmm24\n\tvpxord %%zmm25, %%zmm25, %%zmm25\n\t"
                     "vpxord %%zmm26, %%zmm26, %%zmm26\n\tvpxord %%zmm27, %%zmm27, %%zmm27\n\t"
                     "vpxord %%zmm28, %%zmm28, %%zmm28\n\tvpxord %%zmm29, %%zmm29, %%zmm29\n\t"
                     "vpxord %%zmm30, %%zmm30, %%zmm30\n\tvpxord %%zmm31, %%zmm31, %%zmm31" ::
                         : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                           "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

AVX512 static inline void
s_run(uint8_t *words, size_t size, uint32_t state[16], unsigned wide, bool subtract)
{
    __m512i x[16];
    for (; size >= BATCH; size -= BATCH, words += BATCH) {
        s_blocks(state, x);
        for (unsigned b = 0; b < BLOCKS; b++) {
            uint8_t *at = words + b * FL_MASK_BLOCK_BYTES;
            __m512i sum = s_join(_mm512_loadu_si512(at), x[b], wide, subtract);
            _mm512_storeu_si512(at, sum);
        }
    }
    if (size > 0) {
        s_blocks(state, x);
        s_join_some(words, size, x, wide, subtract);
        fl_wipe(x, sizeof x);
    }
    s_forget();
}

AVX512 static void
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

AVX512 static void
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
    .name = "avx512",
    .add32 = s_add32,
    .add64 = s_add64,
};

const fl_mask_kernel *
fl_mask_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") ? &table : NULL;
}

#else

const fl_mask_kernel *
fl_mask_avx512(void)
{
    return NULL;
}

#endif
