#include "common/tensor/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "common/base/status.h"

#define AVX512 __attribute__((target("avx512f,avx512bw")))

//  A register holds four lanes of 16 bytes. A lane of `wide`-byte integers takes 16 / wide wire
//  elements, which are an even number of bytes: 16-bit words move between lanes, then bytes
//  within one. Loads and stores are masked, so that a range needs no tail and no slack.
enum { LANE = 16, REGISTER = 64 };
#define ZERO 0x80u // to the byte shuffle: nothing comes here

typedef struct moves {
    __m512i words; // across lanes
    __m512i bytes; // within a lane
} moves;

//  Wire -> integers, zero-extended: words first, then bytes.
AVX512 static moves
s_spread(unsigned wide, unsigned wire_bytes)
{
    uint16_t word[REGISTER / 2];
    uint8_t byte[REGISTER];
    unsigned step = LANE / wide * wire_bytes;
    for (unsigned i = 0; i < REGISTER / 2; i++) {
        word[i] = (uint16_t)((i / 8 * (step / 2) + i % 8) % (REGISTER / 2));
    }
    for (unsigned i = 0; i < REGISTER; i++) {
        unsigned place = i % LANE;
        bool held = place % wide < wire_bytes;
        byte[i] = (uint8_t)(held ? place / wide * wire_bytes + place % wide : ZERO);
    }
    return (moves){ _mm512_loadu_si512(word), _mm512_loadu_si512(byte) };
}

//  Integers -> wire: bytes first, then words.
AVX512 static moves
s_squeeze(unsigned wide, unsigned wire_bytes)
{
    uint16_t word[REGISTER / 2];
    uint8_t byte[REGISTER];
    unsigned words = LANE / wide * wire_bytes / 2;
    for (unsigned i = 0; i < REGISTER / 2; i++) {
        word[i] = (uint16_t)((i / words * 8 + i % words) % (REGISTER / 2));
    }
    for (unsigned i = 0; i < REGISTER; i++) {
        unsigned element = i % LANE / wire_bytes;
        bool held = element < LANE / wide;
        byte[i] = (uint8_t)(held ? element * wide + i % LANE % wire_bytes : ZERO);
    }
    return (moves){ _mm512_loadu_si512(word), _mm512_loadu_si512(byte) };
}

//  A mask of the lowest `ones` bits, up to 64.
static inline uint64_t
s_low(size_t ones)
{
    return ones >= 64 ? UINT64_MAX : ((uint64_t)1 << ones) - 1;
}

AVX512 static void
s_add32(int32_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    const moves spread = s_spread(4, wire_bytes);
    const __m512i sign = _mm512_set1_epi32((int)((uint32_t)1 << (8 * wire_bytes - 1)));
    for (size_t i = 0; i < count; i += 16) {
        size_t now = count - i < 16 ? count - i : 16;
        __mmask16 lanes = (__mmask16)s_low(now);
        __m512i value = _mm512_maskz_loadu_epi8(s_low(now * wire_bytes), wire + i * wire_bytes);
        if (wire_bytes < 4) {
            value = _mm512_permutexvar_epi16(spread.words, value);
            value = _mm512_xor_si512(_mm512_shuffle_epi8(value, spread.bytes), sign);
            value = _mm512_sub_epi32(value, sign);
        }
        value = _mm512_add_epi32(_mm512_maskz_loadu_epi32(lanes, sum + i), value);
        _mm512_mask_storeu_epi32(sum + i, lanes, value);
    }
}

AVX512 static void
s_add64(int64_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    const moves spread = s_spread(8, wire_bytes);
    const __m512i sign = _mm512_set1_epi64((int64_t)((uint64_t)1 << (8 * wire_bytes - 1)));
    for (size_t i = 0; i < count; i += 8) {
        size_t now = count - i < 8 ? count - i : 8;
        __mmask8 lanes = (__mmask8)s_low(now);
        __m512i value = _mm512_maskz_loadu_epi8(s_low(now * wire_bytes), wire + i * wire_bytes);
        if (wire_bytes < 8) {
            value = _mm512_permutexvar_epi16(spread.words, value);
            value = _mm512_xor_si512(_mm512_shuffle_epi8(value, spread.bytes), sign);
            value = _mm512_sub_epi64(value, sign);
        }
        value = _mm512_add_epi64(_mm512_maskz_loadu_epi64(lanes, sum + i), value);
        _mm512_mask_storeu_epi64(sum + i, lanes, value);
    }
}

//  A value fits when value + 2^(8 * wire_bytes - 1) has no bit above the wire's.
AVX512 static bool
s_pack32(uint8_t *wire, const int32_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    const moves squeeze = s_squeeze(4, wire_bytes);
    const __m512i half = _mm512_set1_epi32((int)((uint32_t)1 << (8 * wire_bytes - 1)));
    const __m128i shift = _mm_cvtsi32_si128((int)(8 * wire_bytes));
    __m512i above = _mm512_setzero_si512();
    for (size_t i = 0; i < count; i += 16) {
        size_t now = count - i < 16 ? count - i : 16;
        __m512i each = _mm512_maskz_loadu_epi32((__mmask16)s_low(now), value + i);
        __m512i over = _mm512_srl_epi32(_mm512_add_epi32(each, half), shift);
        above = _mm512_or_si512(above, over);
        each = _mm512_shuffle_epi8(each, squeeze.bytes);
        each = _mm512_permutexvar_epi16(squeeze.words, each);
        _mm512_mask_storeu_epi8(wire + i * wire_bytes, s_low(now * wire_bytes), each);
    }
    return _mm512_test_epi32_mask(above, above) == 0;
}

AVX512 static bool
s_pack64(uint8_t *wire, const int64_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    const moves squeeze = s_squeeze(8, wire_bytes);
    const __m512i half = _mm512_set1_epi64((int64_t)((uint64_t)1 << (8 * wire_bytes - 1)));
    const __m128i shift = _mm_cvtsi32_si128((int)(8 * wire_bytes));
    __m512i above = _mm512_setzero_si512();
    for (size_t i = 0; i < count; i += 8) {
        size_t now = count - i < 8 ? count - i : 8;
        __m512i each = _mm512_maskz_loadu_epi64((__mmask8)s_low(now), value + i);
        __m512i over = _mm512_srl_epi64(_mm512_add_epi64(each, half), shift);
        above = _mm512_or_si512(above, over);
        each = _mm512_shuffle_epi8(each, squeeze.bytes);
        each = _mm512_permutexvar_epi16(squeeze.words, each);
        _mm512_mask_storeu_epi8(wire + i * wire_bytes, s_low(now * wire_bytes), each);
    }
    return _mm512_test_epi64_mask(above, above) == 0;
}

//  The portable file's hash, sixteen at a time; the upper 24 bits of each.
AVX512 static inline __m512i
s_hash(uint32_t index, const fl_grain *grain)
{
    __m512i h = _mm512_add_epi32(
        _mm512_set1_epi32((int)(index + grain->key[0])),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 16));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32(0x21f0aaad));
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 15));
    h = _mm512_add_epi32(h, _mm512_set1_epi32((int)grain->key[1]));
    h = _mm512_mullo_epi32(h, _mm512_set1_epi32(0x735a2d97));
    h = _mm512_xor_si512(h, _mm512_srli_epi32(h, 15));
    return _mm512_srli_epi32(h, 8);
}

//  Eight elements, in the portable file's order of operations.
AVX512 static inline __m256i
s_floor(__m256 x, __m256i hash, const fl_grain *grain)
{
    __m512d value = _mm512_mul_pd(_mm512_cvtps_pd(x), _mm512_set1_pd(grain->scale));
    value = _mm512_min_pd(value, _mm512_set1_pd(grain->limit));
    value = _mm512_max_pd(value, _mm512_set1_pd(-grain->limit));
    __m512d dither = _mm512_mul_pd(_mm512_cvtepi32_pd(hash), _mm512_set1_pd(0x1.0p-24));
    value = _mm512_add_pd(_mm512_add_pd(value, _mm512_set1_pd(0x1.0p24)), dither);
    return _mm256_sub_epi32(_mm512_cvttpd_epi32(value), _mm256_set1_epi32(1 << 24));
}

AVX512 static bool
s_quantise(int32_t *whole, const float *x, size_t count, uint32_t first, const fl_grain *grain,
           uint64_t *clipped)
{
    const __m512i exponent = _mm512_set1_epi32(0x7f800000);
    const __m512 clip = _mm512_set1_ps(grain->clip);
    __mmask16 wild = 0;
    uint64_t beyond = 0;
    for (size_t i = 0; i < count; i += 16) {
        __mmask16 lanes = (__mmask16)s_low(count - i);
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512i bits = _mm512_castps_si512(value);
        wild |= _mm512_cmpeq_epi32_mask(_mm512_and_si512(bits, exponent), exponent);
        __mmask16 over = _mm512_cmp_ps_mask(_mm512_abs_ps(value), clip, _CMP_GT_OQ);
        beyond += (uint64_t)__builtin_popcount(over);
        __m512i hash = s_hash(first + (uint32_t)i, grain);
        __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(value), 1));
        __m256i low = s_floor(_mm512_castps512_ps256(value), _mm512_castsi512_si256(hash), grain);
        __m256i high = s_floor(upper, _mm512_extracti64x4_epi64(hash, 1), grain);
        __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        _mm512_mask_storeu_epi32(whole + i, lanes, both);
    }
    *clipped += beyond;
    return wild == 0;
}

static const fl_kernel table = {
    .name = "avx512",
    .add32 = s_add32,
    .add64 = s_add64,
    .pack32 = s_pack32,
    .pack64 = s_pack64,
    .quantise = s_quantise,
};

const fl_kernel *
fl_kernel_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") ? &table : NULL;
}

#else

const fl_kernel *
fl_kernel_avx512(void)
{
    return NULL;
}

#endif
