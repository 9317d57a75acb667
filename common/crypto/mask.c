#include "common/crypto/mask.h"

#include "common/crypto/entropy.h"
#include "common/crypto/mask_kernel.h"

#include <sodium.h>
#include <string.h>

//  Deeper than any kernel's frame, which holds words of the keystream where registers ran out.
enum { STACK_BYTES = 8 * 1024 };

typedef union tile {
    _Alignas(64) uint32_t narrow[FL_MASK_TILE_BYTES / 4];
    uint64_t wide[FL_MASK_TILE_BYTES / 8];
} tile;

const fl_mask_kernel *
fl_mask_kernel_at(unsigned number)
{
    switch (number) {
    case FL_MASK_PORTABLE:
        return &fl_mask_portable;
    case FL_MASK_AVX2:
        return fl_mask_avx2();
    case FL_MASK_AVX512:
        return fl_mask_avx512();
    default:
        return NULL;
    }
}

const fl_mask_kernel *
fl_mask_kernel_best(void)
{
    for (unsigned number = FL_MASK_KERNELS; number-- > 0;) {
        const fl_mask_kernel *kernel = fl_mask_kernel_at(number);
        if (kernel != NULL) {
            return kernel;
        }
    }
    return &fl_mask_portable;
}

void
fl_mask_state(const fl_mask_seed *seed, uint32_t lane, uint32_t block, uint32_t state[16])
{
    static const uint32_t constant[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
    memcpy(state, constant, sizeof constant);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *at = seed->key + 4 * i;
        state[4 + i] = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                       (uint32_t)at[3] << 24;
    }
    state[12] = block;
    state[13] = lane;
    state[14] = 0;
    state[15] = 0;
}

//  Elements of the ring in 64 bytes of stream.
static size_t
s_block_elements(const fl_mask_range *range)
{
    FL_ASSERT(range->ring_bits == 32 || range->ring_bits == 64);
    return FL_MASK_BLOCK_BYTES / (range->ring_bits / 8);
}

//  The range's first block; the counter does not wrap within the range.
static uint32_t
s_first_block(const fl_mask_range *range)
{
    const uint64_t elements = s_block_elements(range), most = (uint64_t)UINT32_MAX * elements;
    FL_ASSERT(range->first % elements == 0);
    FL_ASSERT(range->first <= most && range->count <= most - range->first);
    return (uint32_t)(range->first / elements);
}

//  All seeds over one tile, which `block` is the first block of.
static void
s_run_tile(const fl_mask_kernel *kernel, const fl_mask_seed *seeds, size_t seed_count,
           const fl_mask_range *range, uint32_t block, void *words, size_t count)
{
    for (size_t s = 0; s < seed_count; s++) {
        if (range->ring_bits == 32) {
            kernel->add32(words, count, &seeds[s], range->lane, block);
        } else {
            kernel->add64(words, count, &seeds[s], range->lane, block);
        }
    }
}

void
fl_mask_apply_by(const fl_mask_kernel *kernel, const fl_mask_seed *seeds, size_t seed_count,
                 const fl_mask_range *range, void *words)
{
    const size_t wide = range->ring_bits / 8, step = FL_MASK_TILE_BYTES / wide;
    const size_t block_elements = s_block_elements(range);
    const uint32_t first = s_first_block(range);
    for (size_t at = 0; at < range->count; at += step) {
        size_t now = range->count - at < step ? range->count - at : step;
        s_run_tile(kernel, seeds, seed_count, range, first + (uint32_t)(at / block_elements),
                   (uint8_t *)words + at * wide, now);
    }
    sodium_stackzero(STACK_BYTES);
}

//  Wire elements to words, zero-extended: what is above their width is cut again.
static void
s_widen(tile *words, unsigned ring_bits, const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;
        for (unsigned b = 0; b < wire_bytes; b++) {
            value |= (uint64_t)wire[i * wire_bytes + b] << (8 * b);
        }
        if (ring_bits == 32) {
            words->narrow[i] = (uint32_t)value;
        } else {
            words->wide[i] = value;
        }
    }
}

static void
s_cut(uint8_t *wire, const tile *words, unsigned ring_bits, size_t count, unsigned wire_bytes)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = ring_bits == 32 ? words->narrow[i] : words->wide[i];
        for (unsigned b = 0; b < wire_bytes; b++) {
            wire[i * wire_bytes + b] = (uint8_t)(value >> (8 * b));
        }
    }
}

void
fl_mask_wire_by(const fl_mask_kernel *kernel, const fl_mask_seed *seeds, size_t seed_count,
                const fl_mask_range *range, unsigned wire_bytes, const uint8_t *plain,
                uint8_t *masked)
{
    const unsigned wide = range->ring_bits / 8;
    const size_t step = FL_MASK_TILE_BYTES / wide, block_elements = s_block_elements(range);
    const uint32_t first = s_first_block(range);
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= wide);
    tile words;
    for (size_t at = 0; at < range->count; at += step) {
        size_t now = range->count - at < step ? range->count - at : step;
        s_widen(&words, range->ring_bits, plain + at * wire_bytes, now, wire_bytes);
        s_run_tile(kernel, seeds, seed_count, range, first + (uint32_t)(at / block_elements),
                   &words, now);
        s_cut(masked + at * wire_bytes, &words, range->ring_bits, now, wire_bytes);
    }
    fl_wipe(&words, sizeof words);
    sodium_stackzero(STACK_BYTES);
}

void
fl_mask_settle(unsigned ring_bits, size_t count, unsigned wire_bytes, void *words)
{
    FL_ASSERT((ring_bits == 32 || ring_bits == 64) && wire_bytes >= 1 &&
              wire_bytes <= ring_bits / 8);
    const uint64_t sign = (uint64_t)1 << (8 * wire_bytes - 1), low = sign | (sign - 1);
    uint32_t *narrow = words;
    uint64_t *wide = words;
    for (size_t i = 0; i < count; i++) {
        if (ring_bits == 32) {
            narrow[i] = (uint32_t)(((narrow[i] & low) ^ sign) - sign);
        } else {
            wide[i] = ((wide[i] & low) ^ sign) - sign;
        }
    }
}

uint64_t
fl_mask_checksum_by(const fl_mask_kernel *kernel, const uint8_t key[FL_MASK_SEED_BYTES],
                    uint64_t first, size_t count, unsigned wire_bytes, const uint8_t *wire)
{
    enum { STEP = FL_MASK_TILE_BYTES / 8 };
    FL_ASSERT(wire_bytes >= 1 && wire_bytes <= 8);
    const uint64_t sign = (uint64_t)1 << (8 * wire_bytes - 1);
    fl_mask_seed seed = { .subtract = false };
    memcpy(seed.key, key, sizeof seed.key);
    tile factors, values;
    uint64_t sum = 0;
    for (size_t at = 0; at < count; at += STEP) {
        size_t now = count - at < STEP ? count - at : STEP;
        memset(&factors, 0, now * sizeof factors.wide[0]);
        const fl_mask_range range = { 64, FL_MASK_LANE_VECTOR, first + at, now };
        kernel->add64(factors.wide, now, &seed, range.lane, s_first_block(&range));
        s_widen(&values, 64, wire + at * wire_bytes, now, wire_bytes);
        for (size_t i = 0; i < now; i++) {
            sum += (factors.wide[i] | 1) * ((values.wide[i] ^ sign) - sign);
        }
    }
    fl_wipe(&values, sizeof values);
    return sum;
}

void
fl_mask_apply(const fl_mask_seed *seeds, size_t seed_count, const fl_mask_range *range, void *words)
{
    fl_mask_apply_by(fl_mask_kernel_best(), seeds, seed_count, range, words);
}

void
fl_mask_wire(const fl_mask_seed *seeds, size_t seed_count, const fl_mask_range *range,
             unsigned wire_bytes, const uint8_t *plain, uint8_t *masked)
{
    fl_mask_wire_by(fl_mask_kernel_best(), seeds, seed_count, range, wire_bytes, plain, masked);
}

uint64_t
fl_mask_checksum(const uint8_t key[FL_MASK_SEED_BYTES], uint64_t first, size_t count,
                 unsigned wire_bytes, const uint8_t *wire)
{
    return fl_mask_checksum_by(fl_mask_kernel_best(), key, first, count, wire_bytes, wire);
}
