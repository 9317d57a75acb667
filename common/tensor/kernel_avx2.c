#include "common/tensor/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "common/base/status.h"

#define AVX2 __attribute__((target("avx2")))

//  A register holds two lanes of 16 bytes. A lane of `wide`-byte integers takes 16 / wide wire
//  elements, which are `step` bytes on the wire; a byte shuffle moves them to their places.
enum { LANE = 16 };
#define ZERO 0x80u // to the byte shuffle: nothing comes here

//  Wire -> integers, zero-extended: byte b of element e comes from e * wire_bytes + b.
AVX2 static __m256i
s_spread(unsigned wide, unsigned wire_bytes)
{
    uint8_t from[LANE];
    for (unsigned i = 0; i < LANE; i++) {
        unsigned byte = i % wide;
        from[i] = (uint8_t)(byte < wire_bytes ? i / wide * wire_bytes + byte : ZERO);
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

//  Integers -> wire: the other way round; the rest of the lane is zero.
AVX2 static __m256i
s_squeeze(unsigned wide, unsigned wire_bytes)
{
    uint8_t from[LANE];
    for (unsigned i = 0; i < LANE; i++) {
        unsigned element = i / wire_bytes;
        from[i] = (uint8_t)(element < LANE / wide ? element * wide + i % wire_bytes : ZERO);
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

AVX2 static inline __m256i
s_load_lanes(const uint8_t *from, size_t step)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)from);
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(from + step));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

//  The upper lane overwrites what the lower one left behind its `step` bytes.
AVX2 static inline void
s_store_lanes(uint8_t *to, size_t step, __m256i value)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(value));
    _mm_storeu_si128((__m128i *)(void *)(to + step), _mm256_extracti128_si256(value, 1));
}

AVX2 static inline __m256i
s_load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static inline void
s_store(void *to, __m256i value)
{
    _mm256_storeu_si256((__m256i *)to, value);
}

AVX2 static void
s_add32(int32_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    size_t i = 0;
    if (wire_bytes == 4) {
        for (; count - i >= 8; i += 8) {
            s_store(sum + i, _mm256_add_epi32(s_load(sum + i), s_load(wire + 4 * i)));
        }
    } else {
        const __m256i spread = s_spread(4, wire_bytes);
        const __m256i sign = _mm256_set1_epi32(1 << (8 * wire_bytes - 1));
        const size_t step = 4 * (size_t)wire_bytes;
        for (; (count - i) * wire_bytes >= step + LANE; i += 8) {
            __m256i value = s_load_lanes(wire + i * wire_bytes, step);
            value = _mm256_xor_si256(_mm256_shuffle_epi8(value, spread), sign);
            value = _mm256_sub_epi32(value, sign);
            s_store(sum + i, _mm256_add_epi32(s_load(sum + i), value));
        }
    }
    fl_kernel_portable.add32(sum + i, wire + i * wire_bytes, count - i, wire_bytes);
}

AVX2 static void
s_add64(int64_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    size_t i = 0;
    if (wire_bytes == 8) {
        for (; count - i >= 4; i += 4) {
            s_store(sum + i, _mm256_add_epi64(s_load(sum + i), s_load(wire + 8 * i)));
        }
    } else {
        const __m256i spread = s_spread(8, wire_bytes);
        const __m256i sign = _mm256_set1_epi64x(1LL << (8 * wire_bytes - 1));
        const size_t step = 2 * (size_t)wire_bytes;
        for (; (count - i) * wire_bytes >= step + LANE; i += 4) {
            __m256i value = s_load_lanes(wire + i * wire_bytes, step);
            value = _mm256_xor_si256(_mm256_shuffle_epi8(value, spread), sign);
            value = _mm256_sub_epi64(value, sign);
            s_store(sum + i, _mm256_add_epi64(s_load(sum + i), value));
        }
    }
    fl_kernel_portable.add64(sum + i, wire + i * wire_bytes, count - i, wire_bytes);
}

//  A value fits when value + 2^(8 * wire_bytes - 1) has no bit above the wire's.
AVX2 static bool
s_pack32(uint8_t *wire, const int32_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    size_t i = 0;
    __m256i above = _mm256_setzero_si256();
    if (wire_bytes == 4) {
        for (; count - i >= 8; i += 8) {
            s_store(wire + 4 * i, s_load(value + i));
        }
    } else {
        const __m256i squeeze = s_squeeze(4, wire_bytes);
        const __m256i half = _mm256_set1_epi32(1 << (8 * wire_bytes - 1));
        const __m128i shift = _mm_cvtsi32_si128((int)(8 * wire_bytes));
        const size_t step = 4 * (size_t)wire_bytes;
        for (; (count - i) * wire_bytes >= step + LANE; i += 8) {
            __m256i each = s_load(value + i);
            __m256i over = _mm256_srl_epi32(_mm256_add_epi32(each, half), shift);
            above = _mm256_or_si256(above, over);
            s_store_lanes(wire + i * wire_bytes, step, _mm256_shuffle_epi8(each, squeeze));
        }
    }
    bool fits = _mm256_testz_si256(above, above) != 0;
    return fl_kernel_portable.pack32(wire + i * wire_bytes, value + i, count - i, wire_bytes) &&
           fits;
}

AVX2 static bool
s_pack64(uint8_t *wire, const int64_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    size_t i = 0;
    __m256i above = _mm256_setzero_si256();
    if (wire_bytes == 8) {
        for (; count - i >= 4; i += 4) {
            s_store(wire + 8 * i, s_load(value + i));
        }
    } else {
        const __m256i squeeze = s_squeeze(8, wire_bytes);
        const __m256i half = _mm256_set1_epi64x(1LL << (8 * wire_bytes - 1));
        const __m128i shift = _mm_cvtsi32_si128((int)(8 * wire_bytes));
        const size_t step = 2 * (size_t)wire_bytes;
        for (; (count - i) * wire_bytes >= step + LANE; i += 4) {
            __m256i each = s_load(value + i);
            __m256i over = _mm256_srl_epi64(_mm256_add_epi64(each, half), shift);
            above = _mm256_or_si256(above, over);
            s_store_lanes(wire + i * wire_bytes, step, _mm256_shuffle_epi8(each, squeeze));
        }
    }
    bool fits = _mm256_testz_si256(above, above) != 0;
    return fl_kernel_portable.pack64(wire + i * wire_bytes, value + i, count - i, wire_bytes) &&
           fits;
}

//  The portable file's hash, eight at a time; the upper 24 bits of each.
AVX2 static inline __m256i
s_hash(uint32_t index, const fl_grain *grain)
{
    __m256i h = _mm256_add_epi32(_mm256_set1_epi32((int)(index + grain->key[0])),
                                 _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    h = _mm256_xor_si256(h, _mm256_srli_epi32(h, 16));
    h = _mm256_mullo_epi32(h, _mm256_set1_epi32(0x21f0aaad));
    h = _mm256_xor_si256(h, _mm256_srli_epi32(h, 15));
    h = _mm256_add_epi32(h, _mm256_set1_epi32((int)grain->key[1]));
    h = _mm256_mullo_epi32(h, _mm256_set1_epi32(0x735a2d97));
    h = _mm256_xor_si256(h, _mm256_srli_epi32(h, 15));
    return _mm256_srli_epi32(h, 8);
}

//  Four elements, in the portable file's order of operations.
AVX2 static inline __m128i
s_floor(__m128 x, __m128i hash, const fl_grain *grain)
{
    __m256d value = _mm256_mul_pd(_mm256_cvtps_pd(x), _mm256_set1_pd(grain->scale));
    value = _mm256_min_pd(value, _mm256_set1_pd(grain->limit));
    value = _mm256_max_pd(value, _mm256_set1_pd(-grain->limit));
    __m256d dither = _mm256_mul_pd(_mm256_cvtepi32_pd(hash), _mm256_set1_pd(0x1.0p-24));
    value = _mm256_add_pd(_mm256_add_pd(value, _mm256_set1_pd(0x1.0p24)), dither);
    return _mm_sub_epi32(_mm256_cvttpd_epi32(value), _mm_set1_epi32(1 << 24));
}

AVX2 static bool
s_quantise(int32_t *whole, const float *x, size_t count, uint32_t first, const fl_grain *grain,
           uint64_t *clipped)
{
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    const __m256 clip = _mm256_set1_ps(grain->clip);
    __m256i wild = _mm256_setzero_si256();
    uint64_t beyond = 0;
    size_t i = 0;
    for (; count - i >= 8; i += 8) {
        __m256 value = _mm256_loadu_ps(x + i);
        __m256i bits = _mm256_castps_si256(value);
        __m256i masked = _mm256_and_si256(bits, exponent);
        wild = _mm256_or_si256(wild, _mm256_cmpeq_epi32(masked, exponent));
        __m256 size = _mm256_castsi256_ps(_mm256_and_si256(bits, _mm256_set1_epi32(INT32_MAX)));
        int mask = _mm256_movemask_ps(_mm256_cmp_ps(size, clip, _CMP_GT_OQ));
        beyond += (uint64_t)__builtin_popcount((unsigned)mask);
        __m256i hash = s_hash(first + (uint32_t)i, grain);
        __m128i low = s_floor(_mm256_castps256_ps128(value), _mm256_castsi256_si128(hash), grain);
        __m128i high = s_floor(_mm256_extractf128_ps(value, 1), _mm256_extracti128_si256(hash, 1),
                               grain);
        s_store_lanes((uint8_t *)(whole + i), LANE, _mm256_set_m128i(high, low));
    }
    *clipped += beyond;
    bool finite = _mm256_testz_si256(wild, wild) != 0;
    return fl_kernel_portable.quantise(whole + i, x + i, count - i, first + (uint32_t)i, grain,
                                       clipped) && finite;
}

static const fl_kernel table = {
    .name = "avx2",
    .add32 = s_add32,
    .add64 = s_add64,
    .pack32 = s_pack32,
    .pack64 = s_pack64,
    .quantise = s_quantise,
};

const fl_kernel *
fl_kernel_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? &table : NULL;
}

#else

const fl_kernel *
fl_kernel_avx2(void)
{
    return NULL;
}

#endif
