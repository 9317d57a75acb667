//  seeded - secret random bytes for tests and the simulator: the same bytes for the same seed, draw
//  by draw. One thread at a time.
#ifndef FL_SUPPORT_SEEDED_H
#define FL_SUPPORT_SEEDED_H

#include <sodium.h>

#include "common/crypto/entropy.h"
#include "common/crypto/hash.h"

typedef struct fl_seeded {
    uint64_t seed;
    uint64_t draws;
} fl_seeded;

static inline fl_seeded
fl_seeded_of(uint64_t seed)
{
    return (fl_seeded){ .seed = seed, .draws = 0 };
}

static inline void
seeded_fill(void *self, void *to, size_t size)
{
    fl_seeded *source = self;
    uint8_t spot[16];
    fl_writer writer = fl_writer_over(spot, sizeof spot);
    fl_write_u64(&writer, source->seed);
    fl_write_u64(&writer, source->draws);
    source->draws++;
    fl_hash key = fl_hash_domain("tributary/seeded/v1", fl_bytes_of(spot, sizeof spot));
    _Static_assert(sizeof key.bytes == randombytes_SEEDBYTES, "a hash is a seed");
    randombytes_buf_deterministic(to, size, key.bytes);
}

//  `source` must outlive the result.
static inline fl_entropy
fl_entropy_seeded(fl_seeded *source)
{
    return (fl_entropy){ .self = source, .fill = seeded_fill };
}

#endif
