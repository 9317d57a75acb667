//  memory - does a secret still lie anywhere in the readable memory of this process? The needle is
//  kept masked, so that the search does not find its own question.
#ifndef FL_SUPPORT_MEMORY_H
#define FL_SUPPORT_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

enum { MEMORY_NEEDLE_BYTES = 32 };

typedef struct memory_needle {
    uint8_t masked[MEMORY_NEEDLE_BYTES];
} memory_needle;

memory_needle memory_mask(const uint8_t secret[MEMORY_NEEDLE_BYTES]);
//  Looks at every readable mapping below 256 MiB (above it lies a sanitizer's shadow).
bool memory_holds(const memory_needle *needle);

#endif
