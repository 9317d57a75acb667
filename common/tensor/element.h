//  element - how one element of a vector travels on a hop: floats to fixed-point integers and back,
//  their width on the wire and in a sum, and the proof that the sum cannot overflow. Whoever needs
//  a size asks here; nobody else multiplies elements by bytes.
//  Q = floor(clamp(x * scale, -limit, limit) + dither), limit = 2^(bits-1) - 1, scale = limit /
//  clip; what travels is weight * Q. The dither is uniform in [0, 1) and a function of (seed,
//  element index) alone: rounding is unbiased, and any split into ranges gives the same bytes.
//  Pure functions over caller-owned memory; any thread may call them.
#ifndef FL_TENSOR_ELEMENT_H
#define FL_TENSOR_ELEMENT_H

#include "common/base/bytes.h"
#include "common/base/status.h"

enum { FL_ELEMENT_BITS_MIN = 2, FL_ELEMENT_BITS_MAX = 24 };

typedef struct fl_element {
    float clip;           // > 0: |x| above it is clipped
    uint8_t bits;         // of one Q, sign included: 2..24
    uint8_t ring_bits;    // width of a sum: 32 or 64
    uint8_t wire_bytes;   // of one element on the wire, 1..ring_bits / 8
    uint32_t weight_unit; // samples per unit of weight, >= 1
    uint32_t weight_max;  // of one device, >= 1; before `choose` 0: as large as costs nothing
    uint32_t devices_max; // behind one sum, >= 1
} fl_element;

//  Prove that devices_max updates of weight_max each, all at the clip, fit the ring and the wire.
//  FL_RANGE when a field is out of bounds or the proof fails; `why` says which and what to do.
FL_CHECKED fl_status fl_element_prove(const fl_element *self, fl_why *why);
//  Set weight_max, when it is 0, to the largest one with which the sums of all devices still fit 32
//  bits, and to no less than 255; ring_bits (32 whenever it suffices) and the smallest wire_bytes
//  from the other fields, and prove the result. FL_RANGE as above, or when even 64 bits do not
//  suffice.
FL_CHECKED fl_status fl_element_choose(fl_element *self, fl_why *why);

//  Bytes of so many elements on the wire; and of those that are whole in so many bytes.
uint64_t fl_element_bytes(const fl_element *self, uint64_t count);
uint64_t fl_element_whole(const fl_element *self, uint64_t bytes);

//  Largest |Q|, and Q per unit of x.
int32_t fl_element_limit(const fl_element *self);
double fl_element_scale(const fl_element *self);

//  Encode elements [first, first + count) of an update. `values` (count) and `wire` (count,
//  wire_bytes) start at element `first`. `clipped` grows by the elements beyond the clip. One
//  seed per update. The plan is proved and 1 <= weight <= weight_max. FL_RANGE when a value is
//  NaN or Inf: `wire` is not to be used then.
FL_CHECKED fl_status fl_element_encode(const fl_element *self, uint32_t weight, uint64_t seed,
                                       uint64_t first, size_t count, const float *values,
                                       uint8_t *wire, uint64_t *clipped);

//  The size of the largest element of `wire` (whole elements). Not for masked bytes.
uint64_t fl_element_peak(const fl_element *self, fl_bytes wire);
//  True when an honest contribution of that weight may hold an element of size `peak`, at most
//  weight * limit: what the proof stands on.
bool fl_element_allows(const fl_element *self, uint64_t weight, uint64_t peak);

#endif
