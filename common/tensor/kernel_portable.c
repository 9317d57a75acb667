#include "common/tensor/kernel.h"

#include <string.h>

#include "common/base/status.h"

//  The dither's hash: a 32-bit finaliser with the constants 21f0aaad and 735a2d97 of Wellons,
//  hash-prospector (2018-2022), keyed before and between its two multiplications.
static uint32_t
s_hash(uint32_t index, const uint32_t key[2])
{
    uint32_t h = index + key[0];
    h ^= h >> 16;
    h *= 0x21f0aaadu;
    h ^= h >> 15;
    h += key[1];
    h *= 0x735a2d97u;
    h ^= h >> 15;
    return h;
}

//  Sign extension: (x ^ m) - m, with m the sign bit of a `wire_bytes` wide integer.
static uint32_t
s_load32(const uint8_t *wire, unsigned wire_bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < wire_bytes; i++) {
        value |= (uint32_t)wire[i] << (8 * i);
    }
    uint32_t sign = (uint32_t)1 << (8 * wire_bytes - 1);
    return (value ^ sign) - sign;
}

static uint64_t
s_load64(const uint8_t *wire, unsigned wire_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < wire_bytes; i++) {
        value |= (uint64_t)wire[i] << (8 * i);
    }
    uint64_t sign = (uint64_t)1 << (8 * wire_bytes - 1);
    return (value ^ sign) - sign;
}

static void
s_add32(int32_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    for (size_t i = 0; i < count; i++) {
        sum[i] = (int32_t)((uint32_t)sum[i] + s_load32(wire + i * wire_bytes, wire_bytes));
    }
}

static void
s_add64(int64_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    for (size_t i = 0; i < count; i++) {
        sum[i] = (int64_t)((uint64_t)sum[i] + s_load64(wire + i * wire_bytes, wire_bytes));
    }
}

static bool
s_pack32(uint8_t *wire, const int32_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 4);
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = wire + i * wire_bytes;
        for (unsigned b = 0; b < wire_bytes; b++) {
            to[b] = (uint8_t)((uint32_t)value[i] >> (8 * b));
        }
        fits &= s_load32(to, wire_bytes) == (uint32_t)value[i];
    }
    return fits;
}

static bool
s_pack64(uint8_t *wire, const int64_t *value, size_t count, unsigned wire_bytes)
{
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = wire + i * wire_bytes;
        for (unsigned b = 0; b < wire_bytes; b++) {
            to[b] = (uint8_t)((uint64_t)value[i] >> (8 * b));
        }
        fits &= s_load64(to, wire_bytes) == (uint64_t)value[i];
    }
    return fits;
}

//  2^24 is added before the conversion, so that cutting the fraction off is the floor: the sum is
//  positive, keeps 28 bits of fraction and takes the 24-bit dither exactly.
static bool
s_quantise(int32_t *whole, const float *x, size_t count, uint32_t first, const fl_grain *grain,
           uint64_t *clipped)
{
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) {
            finite = false;
            continue;
        }
        *clipped += x[i] > grain->clip || x[i] < -grain->clip;
        double value = (double)x[i] * grain->scale;
        value = value > grain->limit ? grain->limit : value;
        value = value < -grain->limit ? -grain->limit : value;
        uint32_t hash = s_hash(first + (uint32_t)i, grain->key);
        double dither = (double)(int32_t)(hash >> 8) * 0x1.0p-24;
        whole[i] = (int32_t)(value + 0x1.0p24 + dither) - (1 << 24);
    }
    return finite;
}

const fl_kernel fl_kernel_portable = {
    .name = "portable",
    .add32 = s_add32,
    .add64 = s_add64,
    .pack32 = s_pack32,
    .pack64 = s_pack64,
    .quantise = s_quantise,
};

const fl_kernel *
fl_kernel_at(unsigned number)
{
    switch (number) {
    case FL_KERNEL_PORTABLE:
        return &fl_kernel_portable;
    case FL_KERNEL_AVX2:
        return fl_kernel_avx2();
    default:
        return NULL;
    }
}

const fl_kernel *
fl_kernel_best(void)
{
    for (unsigned number = FL_KERNEL_COUNT; number-- > 0;) {
        const fl_kernel *kernel = fl_kernel_at(number);
        if (kernel != NULL) {
            return kernel;
        }
    }
    return &fl_kernel_portable;
}
