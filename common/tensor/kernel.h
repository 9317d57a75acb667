//  kernel - the inner loops over a vector, once as plain C and once per instruction set. The
//  portable table is the truth: every other one gives the same bytes for the same input. Pure
//  functions over caller-owned ranges, none of which overlap; any thread may call them.
#ifndef FL_TENSOR_KERNEL_H
#define FL_TENSOR_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  How a float becomes an integer: floor(clamp(x * scale, -limit, limit) + dither), where the
//  dither of element i is a hash of i under `key`, uniform in [0, 1) in steps of 2^-24.
typedef struct fl_grain {
    double scale;
    double limit;    // 2^(bits-1) - 1, at most 2^23 - 1
    float clip;      // |x| above it counts as clipped
    uint32_t key[2];
} fl_grain;

//  A wire element is the low `wire_bytes` bytes of a two's complement integer, little-endian.
typedef struct fl_kernel {
    const char *name;
    //  sum[i] += wire[i], modulo 2^32 or 2^64. wire: (count, wire_bytes), 1..4 or 1..8.
    void (*add32)(int32_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes);
    void (*add64)(int64_t *sum, const uint8_t *wire, size_t count, unsigned wire_bytes);
    //  wire[i] = value[i]. False when a value does not fit and was cut.
    bool (*pack32)(uint8_t *wire, const int32_t *value, size_t count, unsigned wire_bytes);
    bool (*pack64)(uint8_t *wire, const int64_t *value, size_t count, unsigned wire_bytes);
    //  whole[i] = x[i] quantised; element i has the index first + i (modulo 2^32). `clipped` grows
    //  by the elements beyond the clip. False when x holds NaN or Inf: `whole` is undefined then.
    bool (*quantise)(int32_t *whole, const float *x, size_t count, uint32_t first,
                     const fl_grain *grain, uint64_t *clipped);
} fl_kernel;

enum { FL_KERNEL_PORTABLE, FL_KERNEL_AVX2, FL_KERNEL_COUNT };

//  The table of that number; NULL when this build or this CPU has not got it.
const fl_kernel *fl_kernel_at(unsigned number);
//  The fastest table that this CPU runs.
const fl_kernel *fl_kernel_best(void);

//  Each file's own table; NULL when the file was built for another kind of CPU.
extern const fl_kernel fl_kernel_portable;
const fl_kernel *fl_kernel_avx2(void);

#endif
