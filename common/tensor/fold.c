#include "common/tensor/fold.h"

#include <stdlib.h>
#include <string.h>

#include "common/tensor/kernel.h"

struct fl_fold {
    fl_element element;
    const fl_kernel *kernel;
    uint64_t elements;
    int32_t *sum32; // (elements) in a ring of 32 bits, else NULL
    int64_t *sum64; // (elements) in a ring of 64 bits, else NULL
};

fl_fold *
fl_fold_new(const fl_element *element, uint64_t elements)
{
    FL_ASSERT(fl_element_prove(element, NULL) == FL_OK);
    FL_ASSERT(elements >= 1);
    fl_fold *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->element = *element;
    self->kernel = fl_kernel_best();
    self->elements = elements;
    if (element->ring_bits == 32) {
        self->sum32 = calloc((size_t)elements, sizeof *self->sum32);
    } else {
        self->sum64 = calloc((size_t)elements, sizeof *self->sum64);
    }
    if (self->sum32 == NULL && self->sum64 == NULL) {
        fl_fold_destroy(&self);
    }
    return self;
}

void
fl_fold_destroy(fl_fold **self_p)
{
    if (*self_p != NULL) {
        free((*self_p)->sum32);
        free((*self_p)->sum64);
        free(*self_p);
        *self_p = NULL;
    }
}

uint64_t
fl_fold_elements(const fl_fold *self)
{
    return self->elements;
}

const fl_element *
fl_fold_element(const fl_fold *self)
{
    return &self->element;
}

uint64_t
fl_fold_wire_bytes(const fl_fold *self)
{
    return fl_element_bytes(&self->element, self->elements);
}

static void
s_check_range(const fl_fold *self, uint64_t first, uint64_t count)
{
    FL_ASSERT(first <= self->elements);
    FL_ASSERT(count <= self->elements - first);
}

void
fl_fold_clear(fl_fold *self, uint64_t first, uint64_t count)
{
    s_check_range(self, first, count);
    if (self->sum32 != NULL) {
        memset(self->sum32 + first, 0, (size_t)count * sizeof *self->sum32);
    } else {
        memset(self->sum64 + first, 0, (size_t)count * sizeof *self->sum64);
    }
}

void
fl_fold_add(fl_fold *self, uint64_t first, uint64_t count, const uint8_t *wire)
{
    s_check_range(self, first, count);
    if (self->sum32 != NULL) {
        self->kernel->add32(self->sum32 + first, wire, (size_t)count, self->element.wire_bytes);
    } else {
        self->kernel->add64(self->sum64 + first, wire, (size_t)count, self->element.wire_bytes);
    }
}

//  In unsigned integers, where wrapping around the ring is defined.
void
fl_fold_merge(fl_fold *self, const fl_fold *other, uint64_t first, uint64_t count)
{
    s_check_range(self, first, count);
    FL_ASSERT(self != other && self->elements == other->elements);
    FL_ASSERT(self->element.ring_bits == other->element.ring_bits);
    if (self->sum32 != NULL) {
        for (uint64_t i = first; i < first + count; i++) {
            self->sum32[i] = (int32_t)((uint32_t)self->sum32[i] + (uint32_t)other->sum32[i]);
        }
    } else {
        for (uint64_t i = first; i < first + count; i++) {
            self->sum64[i] = (int64_t)((uint64_t)self->sum64[i] + (uint64_t)other->sum64[i]);
        }
    }
}

void *
fl_fold_words(fl_fold *self, uint64_t first, uint64_t count)
{
    s_check_range(self, first, count);
    return self->sum32 != NULL ? (void *)(self->sum32 + first) : (void *)(self->sum64 + first);
}

bool
fl_fold_finish(const fl_fold *self, uint64_t first, uint64_t count, uint8_t *wire)
{
    s_check_range(self, first, count);
    unsigned wire_bytes = self->element.wire_bytes;
    if (self->sum32 != NULL) {
        return self->kernel->pack32(wire, self->sum32 + first, (size_t)count, wire_bytes);
    }
    return self->kernel->pack64(wire, self->sum64 + first, (size_t)count, wire_bytes);
}

void
fl_fold_mean(const fl_fold *self, uint64_t weight, uint64_t first, uint64_t count, float *mean)
{
    s_check_range(self, first, count);
    FL_ASSERT(weight >= 1);
    const double divisor = fl_element_scale(&self->element) * (double)weight;
    if (self->sum32 != NULL) {
        for (uint64_t i = 0; i < count; i++) {
            mean[i] = (float)((double)self->sum32[first + i] / divisor);
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            mean[i] = (float)((double)self->sum64[first + i] / divisor);
        }
    }
}
