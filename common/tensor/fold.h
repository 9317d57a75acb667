//  fold - the accumulator of a round: weighted fixed-point vectors are added into it in any order,
//  by any split into ranges, through any tree of accumulators, and give the same bytes.
//  Owns one integer per element. Calls on disjoint ranges may run on different threads at the
//  same time; `new`, `clear` and `destroy` want the accumulator for themselves.
#ifndef FL_TENSOR_FOLD_H
#define FL_TENSOR_FOLD_H

#include "common/tensor/element.h"

typedef struct fl_fold fl_fold;

//  Zeroed, for a proved plan and at least one element. NULL when out of memory.
fl_fold *fl_fold_new(const fl_element *element, uint64_t elements);
void fl_fold_destroy(fl_fold **self_p);

uint64_t fl_fold_elements(const fl_fold *self);
const fl_element *fl_fold_element(const fl_fold *self);
uint64_t fl_fold_wire_bytes(const fl_fold *self); // of the whole vector

//  Back to zero: the range [first, first + count).
void fl_fold_clear(fl_fold *self, uint64_t first, uint64_t count);
//  Add a contribution's elements [first, first + count); `wire` (count, wire_bytes) starts at
//  element `first`. Modulo the ring: never fails.
void fl_fold_add(fl_fold *self, uint64_t first, uint64_t count, const uint8_t *wire);
//  Add a range of another accumulator of the same plan and length.
void fl_fold_merge(fl_fold *self, const fl_fold *other, uint64_t first, uint64_t count);
//  The words of a range, int32_t or int64_t as the ring says, for whoever takes masks off them.
void *fl_fold_words(fl_fold *self, uint64_t first, uint64_t count);
//  Write a range as wire bytes. False when a sum does not fit the wire: it does when every
//  contribution kept its bound (fl_element_allows), so a child lied; the bytes are worthless then.
bool fl_fold_finish(const fl_fold *self, uint64_t first, uint64_t count, uint8_t *wire);
//  The weighted mean of a range: sum / (scale * weight), in double, rounded once. weight >= 1.
void fl_fold_mean(const fl_fold *self, uint64_t weight, uint64_t first, uint64_t count,
                  float *mean);

#endif
