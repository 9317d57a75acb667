#include "common/base/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct fl_blob {
    atomic_uint references;
    size_t size;
    uint8_t *data;
    void *memory; // ours, that it lies in; NULL: the keeper's
    const fl_blob_keeper *keeper;
};

enum { ALIGNMENT = 64 };

fl_blob *
fl_blob_new(size_t size)
{
    if (size > SIZE_MAX - 2 * ALIGNMENT) {
        return NULL;
    }
    //  Not aligned_alloc: what is large comes from the system as zeros, and costs no memory until
    //  it is written.
    uint8_t *memory = calloc(1, size + ALIGNMENT);
    const size_t more = ALIGNMENT - (uintptr_t)memory % ALIGNMENT;
    fl_blob *self = memory == NULL ? NULL : fl_blob_over(memory + more % ALIGNMENT, size, NULL);
    if (self == NULL) {
        free(memory);
        return NULL;
    }
    self->memory = memory;
    return self;
}

fl_blob *
fl_blob_over(uint8_t *data, size_t size, const fl_blob_keeper *keeper)
{
    fl_blob *self = malloc(sizeof *self);
    if (self != NULL) {
        *self = (fl_blob){ .size = size, .data = data, .keeper = keeper };
        atomic_init(&self->references, 1);
    }
    return self;
}

fl_blob *
fl_blob_copy(fl_bytes bytes)
{
    fl_blob *self = fl_blob_new(bytes.size);
    if (self != NULL && bytes.size > 0) {
        memcpy(self->data, bytes.data, bytes.size);
    }
    return self;
}

fl_blob *
fl_blob_ref(fl_blob *self)
{
    unsigned before = atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
    FL_ASSERT(before > 0);
    return self;
}

void
fl_blob_unref(fl_blob **self_p)
{
    fl_blob *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel);
    FL_ASSERT(before > 0);
    if (before == 1) {
        if (self->keeper != NULL) {
            self->keeper->end(self->data, self->size);
        }
        free(self->memory);
        free(self);
    }
}

void
fl_blob_rest(const fl_blob *self, size_t bytes)
{
    if (self->keeper != NULL) {
        self->keeper->rest(self->data, bytes);
    }
}

fl_blob *
fl_blob_alone(fl_blob **self_p)
{
    fl_blob *self = *self_p;
    if (atomic_load_explicit(&self->references, memory_order_acquire) == 1) {
        *self_p = NULL;
        return self;
    }
    fl_blob *copy = fl_blob_copy(fl_blob_bytes(self));
    fl_blob_unref(self_p);
    return copy;
}

fl_bytes
fl_blob_bytes(const fl_blob *self)
{
    return fl_bytes_of(self->data, self->size);
}

uint8_t *
fl_blob_data(fl_blob *self)
{
    FL_ASSERT(atomic_load_explicit(&self->references, memory_order_relaxed) == 1);
    return self->data;
}

size_t
fl_blob_size(const fl_blob *self)
{
    return self->size;
}
