#include "common/crypto/share_kernel.h"

#include <string.h>

//  Sixteen bytes at a time; the compiler makes of it what the machine has.
typedef uint8_t vector __attribute__((vector_size(16)));
enum { VECTORS = FL_SHARE_BYTES / sizeof(vector) };
typedef struct wide {
    vector at[VECTORS];
} wide;

//  Each byte times two: shift, and the polynomial's 0x1B where a bit fell out. No branch on data.
static inline void
s_double(wide *value)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        vector fell = 0 - (value->at[i] >> 7); // 0xFF or 0
        value->at[i] = (value->at[i] + value->at[i]) ^ (fell & 0x1b);
    }
}

//  value * by: doubled once for each bit of the public factor, added where it is set.
static inline wide
s_times(wide value, uint8_t by)
{
    wide product = { 0 };
    for (; by != 0; by >>= 1) {
        for (unsigned i = 0; by & 1 && i < VECTORS; i++) {
            product.at[i] ^= value.at[i];
        }
        s_double(&value);
    }
    return product;
}

//  Horner's rule, from the highest coefficient down.
void
fl_share_value_portable(const fl_share *coefficients, unsigned count, uint8_t x, fl_share *value)
{
    wide sum, next;
    memcpy(&sum, &coefficients[count - 1], sizeof sum);
    for (unsigned k = count - 1; k-- > 0;) {
        sum = s_times(sum, x);
        memcpy(&next, &coefficients[k], sizeof next);
        for (unsigned i = 0; i < VECTORS; i++) {
            sum.at[i] ^= next.at[i];
        }
    }
    memcpy(value, &sum, sizeof *value);
    fl_wipe(&sum, sizeof sum);
}

void
fl_share_add_times(fl_share *sum, const fl_share *share, uint8_t by)
{
    wide value;
    memcpy(&value, share, sizeof value);
    value = s_times(value, by);
    for (unsigned i = 0; i < FL_SHARE_BYTES; i++) {
        sum->bytes[i] ^= ((const uint8_t *)&value)[i];
    }
    fl_wipe(&value, sizeof value);
}

#if defined(__x86_64__)

#include <immintrin.h>

//  The multiples 0..15 of a public factor, for the shuffle: an index in a register touches no
//  memory.
static void
s_multiples(uint8_t by, uint8_t multiple[16])
{
    multiple[0] = 0;
    for (unsigned i = 1; i < 16; i++) {
        uint8_t half = multiple[i / 2];
        uint8_t twice = (uint8_t)((half << 1) ^ (half & 0x80 ? 0x1b : 0));
        multiple[i] = (uint8_t)(i % 2 == 0 ? twice : twice ^ by);
    }
}

static uint8_t
s_times_sixteen(uint8_t by)
{
    for (unsigned i = 0; i < 4; i++) {
        by = (uint8_t)((by << 1) ^ (by & 0x80 ? 0x1b : 0));
    }
    return by;
}

__attribute__((target("avx2"))) static void
s_value_avx2(const fl_share *coefficients, unsigned count, uint8_t x, fl_share *value)
{
    uint8_t multiple[2][16];
    s_multiples(x, multiple[0]);
    s_multiples(s_times_sixteen(x), multiple[1]);
    const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)multiple[0]));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)multiple[1]));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i sum = _mm256_loadu_si256((const void *)&coefficients[count - 1]);
    for (unsigned k = count - 1; k-- > 0;) {
        __m256i upper = _mm256_and_si256(_mm256_srli_epi16(sum, 4), nibble);
        __m256i lower = _mm256_and_si256(sum, nibble);
        __m256i next = _mm256_loadu_si256((const void *)&coefficients[k]);
        next = _mm256_xor_si256(next, _mm256_shuffle_epi8(low, lower));
        sum = _mm256_xor_si256(next, _mm256_shuffle_epi8(high, upper));
    }
    _mm256_storeu_si256((void *)value, sum);
    _mm256_zeroall();
}

fl_share_value *
fl_share_value_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? s_value_avx2 : NULL;
}

#else

fl_share_value *
fl_share_value_avx2(void)
{
    return NULL;
}

#endif
