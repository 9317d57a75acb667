#include "common/tensor/element.h"

#include <math.h>

#include "common/base/rng.h"
#include "common/tensor/kernel.h"

//  Elements worked on at a time, so that the intermediate integers stay in the first-level cache.
enum { BLOCK = 1024 };

//  Bits that hold `largest` - 1: ceil(log2(largest)).
static unsigned
s_log2_up(uint64_t largest)
{
    unsigned bits = 0;
    while (bits < 64 && ((uint64_t)1 << bits) < largest) {
        bits++;
    }
    return bits;
}

static fl_status
s_prove_fields(const fl_element *self, fl_why *why)
{
    if (!(isfinite(self->clip) && self->clip > 0.0f)) {
        return fl_fail(FL_RANGE, why, "fixed point: clip is %g, it must be a positive number",
                       (double)self->clip);
    }
    if (self->bits < FL_ELEMENT_BITS_MIN || self->bits > FL_ELEMENT_BITS_MAX) {
        return fl_fail(FL_RANGE, why, "fixed point: bits is %u, it must be %d to %d", self->bits,
                       FL_ELEMENT_BITS_MIN, FL_ELEMENT_BITS_MAX);
    }
    if (self->weight_unit < 1 || self->weight_max < 1 || self->devices_max < 1) {
        return fl_fail(FL_RANGE, why,
                       "fixed point: weight unit %u, largest weight %u and devices %u must all be "
                       "at least 1",
                       self->weight_unit, self->weight_max, self->devices_max);
    }
    return FL_OK;
}

//  Bits of the largest sum, sign included: |sum| <= total * limit < 2^(bits - 1 + log2(total)).
static unsigned
s_sum_bits(const fl_element *self)
{
    uint64_t total = (uint64_t)self->devices_max * self->weight_max;
    return self->bits + s_log2_up(total);
}

fl_status
fl_element_prove(const fl_element *self, fl_why *why)
{
    FL_TRY(s_prove_fields(self, why));
    if (self->ring_bits != 32 && self->ring_bits != 64) {
        return fl_fail(FL_RANGE, why, "fixed point: ring is %u bits, it must be 32 or 64",
                       self->ring_bits);
    }
    uint64_t total = (uint64_t)self->devices_max * self->weight_max;
    uint64_t room = ((uint64_t)1 << (self->ring_bits - 1)) - 1;
    if (total > room / (uint64_t)fl_element_limit(self)) {
        return fl_fail(FL_RANGE, why,
                       "fixed point: %u devices of weight %u at %u bits overflow a %u-bit sum; "
                       "lower bits, the largest weight or the number of devices",
                       self->devices_max, self->weight_max, self->bits, self->ring_bits);
    }
    if (self->wire_bytes < 1 || self->wire_bytes > self->ring_bits / 8 ||
        8u * self->wire_bytes < s_sum_bits(self)) {
        return fl_fail(FL_RANGE, why,
                       "fixed point: %u wire bytes cannot hold sums of %u bits in a %u-bit ring; "
                       "%u would",
                       self->wire_bytes, s_sum_bits(self), self->ring_bits,
                       (s_sum_bits(self) + 7) / 8);
    }
    return FL_OK;
}

//  The sum of all weights that a 32-bit sum of so many bits has room for, shared by all devices.
static uint32_t
s_weight_max(const fl_element *self)
{
    enum { LEAST = 255, MOST = 1000000 };
    uint64_t room = self->bits <= FL_ELEMENT_BITS_MAX ? (uint64_t)1 << (32 - self->bits) : 0;
    uint64_t share = self->devices_max > 0 ? room / self->devices_max : 0;
    return share < LEAST ? LEAST : share < MOST ? (uint32_t)share : MOST;
}

fl_status
fl_element_choose(fl_element *self, fl_why *why)
{
    self->weight_max = self->weight_max > 0 ? self->weight_max : s_weight_max(self);
    FL_TRY(s_prove_fields(self, why));
    unsigned bits = s_sum_bits(self);
    if (bits > 64) {
        return fl_fail(FL_RANGE, why,
                       "fixed point: %u devices of weight %u at %u bits need sums of %u bits; "
                       "lower bits, the largest weight or the number of devices",
                       self->devices_max, self->weight_max, self->bits, bits);
    }
    self->ring_bits = bits <= 32 ? 32 : 64;
    self->wire_bytes = (uint8_t)((bits + 7) / 8);
    return fl_element_prove(self, why);
}

uint64_t
fl_element_bytes(const fl_element *self, uint64_t count)
{
    return count * self->wire_bytes;
}

uint64_t
fl_element_whole(const fl_element *self, uint64_t bytes)
{
    return bytes - bytes % self->wire_bytes;
}

int32_t
fl_element_limit(const fl_element *self)
{
    return (int32_t)(((uint32_t)1 << (self->bits - 1)) - 1);
}

double
fl_element_scale(const fl_element *self)
{
    return (double)fl_element_limit(self) / (double)self->clip;
}

//  One block: quantise, weigh in the ring's width (it fits, by the proof), write the low bytes.
static bool
s_encode_block(const fl_element *self, uint32_t weight, const fl_grain *grain, uint32_t first,
               size_t count, const float *values, uint8_t *wire, uint64_t *clipped)
{
    const fl_kernel *kernel = fl_kernel_best();
    int32_t whole[BLOCK];
    if (!kernel->quantise(whole, values, count, first, grain, clipped)) {
        return false;
    }
    bool fits = false;
    if (self->ring_bits == 32) {
        for (size_t i = 0; i < count; i++) {
            whole[i] *= (int32_t)weight;
        }
        fits = kernel->pack32(wire, whole, count, self->wire_bytes);
    } else {
        int64_t wide[BLOCK];
        for (size_t i = 0; i < count; i++) {
            wide[i] = (int64_t)whole[i] * weight;
        }
        fits = kernel->pack64(wire, wide, count, self->wire_bytes);
    }
    FL_ASSERT(fits);
    return true;
}

fl_status
fl_element_encode(const fl_element *self, uint32_t weight, uint64_t seed, uint64_t first,
                  size_t count, const float *values, uint8_t *wire, uint64_t *clipped)
{
    FL_ASSERT(fl_element_prove(self, NULL) == FL_OK);
    FL_ASSERT(weight >= 1 && weight <= self->weight_max);
    const fl_rng rng = fl_rng_seeded(seed);
    fl_grain grain = {
        .scale = fl_element_scale(self),
        .limit = (double)fl_element_limit(self),
        .clip = self->clip,
    };
    size_t done = 0;
    while (done < count) {
        //  A kernel counts elements in 32 bits: each 2^32 of them has a key of its own.
        uint64_t at = first + done;
        fl_rng lane = fl_rng_split(&rng, at >> 32);
        uint64_t key = fl_rng_u64(&lane);
        grain.key[0] = (uint32_t)key;
        grain.key[1] = (uint32_t)(key >> 32);
        uint64_t left = ((uint64_t)1 << 32) - (at & UINT32_MAX);
        size_t now = count - done < BLOCK ? count - done : BLOCK;
        now = now < left ? now : (size_t)left;
        if (!s_encode_block(self, weight, &grain, (uint32_t)at, now, values + done,
                            wire + fl_element_bytes(self, done), clipped)) {
            return FL_RANGE;
        }
        done += now;
    }
    return FL_OK;
}

static uint64_t
s_peak32(const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    int32_t value[BLOCK] = { 0 };
    fl_kernel_best()->add32(value, wire, count, wire_bytes);
    int32_t low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = value[i] < low ? value[i] : low;
        high = value[i] > high ? value[i] : high;
    }
    const uint64_t below = 0 - (uint64_t)(int64_t)low;
    return below > (uint64_t)high ? below : (uint64_t)high;
}

static uint64_t
s_peak64(const uint8_t *wire, size_t count, unsigned wire_bytes)
{
    int64_t value[BLOCK] = { 0 };
    fl_kernel_best()->add64(value, wire, count, wire_bytes);
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = value[i] < low ? value[i] : low;
        high = value[i] > high ? value[i] : high;
    }
    const uint64_t below = 0 - (uint64_t)low;
    return below > (uint64_t)high ? below : (uint64_t)high;
}

uint64_t
fl_element_peak(const fl_element *self, fl_bytes wire)
{
    const unsigned wire_bytes = self->wire_bytes;
    FL_ASSERT(wire.size % wire_bytes == 0);
    uint64_t peak = 0;
    for (size_t done = 0; done < wire.size; done += (size_t)BLOCK * wire_bytes) {
        const size_t left = (wire.size - done) / wire_bytes;
        const size_t now = left < BLOCK ? left : BLOCK;
        const uint64_t found = wire_bytes <= 4 ? s_peak32(wire.data + done, now, wire_bytes)
                                               : s_peak64(wire.data + done, now, wire_bytes);
        peak = found > peak ? found : peak;
    }
    return peak;
}

bool
fl_element_allows(const fl_element *self, uint64_t weight, uint64_t peak)
{
    const uint64_t total = (uint64_t)self->devices_max * self->weight_max;
    return weight <= total && peak <= weight * (uint64_t)fl_element_limit(self);
}
