#include "common/base/blob.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct fl_blob {
    atomic_uint references;
    size_t size;
    uint8_t *data;
};

enum { ALIGNMENT = 64 };

fl_blob *
fl_blob_new(size_t size)
{
    if (size > SIZE_MAX - 2 * ALIGNMENT) {
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT) & ~(size_t)(ALIGNMENT - 1);
    fl_blob *self = malloc(sizeof *self);
    uint8_t *data = aligned_alloc(ALIGNMENT, rounded);
    if (self == NULL || data == NULL) {
        free(self);
        free(data);
        return NULL;
    }
    memset(data, 0, rounded);
    atomic_init(&self->references, 1);
    self->size = size;
    self->data = data;
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
        free(self->data);
        free(self);
    }
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
