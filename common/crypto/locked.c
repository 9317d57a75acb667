#include "common/crypto/locked.h"

#include <sodium.h>

void *
fl_locked_new(size_t size)
{
    void *memory = sodium_malloc(size);
    if (memory != NULL) {
        sodium_memzero(memory, size);
    }
    return memory;
}

void
fl_locked_free(void *memory)
{
    sodium_free(memory);
}
