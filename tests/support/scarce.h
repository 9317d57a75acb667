//  scarce - memory that ends: the linker hands malloc and calloc of a test to these (--wrap), and
//  after `scarce_left` more of them each fails. For one source of a program.
#ifndef FL_SUPPORT_SCARCE_H
#define FL_SUPPORT_SCARCE_H

#include <stdatomic.h>
#include <stdlib.h>

//  The linker's names.
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);

static atomic_int scarce_left = -1; // allocations that still succeed; -1: all

static bool
scarce_fails(void)
{
    return scarce_left >= 0 && (scarce_left == 0 || scarce_left-- == 0);
}

void *
__wrap_malloc(size_t size)
{
    return scarce_fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return scarce_fails() ? NULL : __real_calloc(count, size);
}

#endif
