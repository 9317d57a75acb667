#include "common/crypto/entropy.h"

#include "common/crypto/hash.h"

#include <sodium.h>

fl_status
fl_crypto_init(fl_why *why)
{
    if (sodium_init() < 0) {
        fl_why_set(why, "libsodium does not start: the system gives no random bytes; "
                        "check getrandom and /dev/urandom in this container");
        return FL_IO;
    }
    return FL_OK;
}

static void
s_fill_os(void *self, void *to, size_t size)
{
    (void)self;
    randombytes_buf(to, size);
}

fl_entropy
fl_entropy_os(void)
{
    return (fl_entropy){ .self = NULL, .fill = s_fill_os };
}

fl_seeded
fl_seeded_of(uint64_t seed)
{
    return (fl_seeded){ .seed = seed, .draws = 0 };
}

static void
s_fill_seeded(void *self, void *to, size_t size)
{
    fl_seeded *source = self;
    uint8_t place[16];
    fl_writer writer = fl_writer_over(place, sizeof place);
    fl_write_u64(&writer, source->seed);
    fl_write_u64(&writer, source->draws);
    source->draws++;
    fl_hash key = fl_hash_domain("tributary/seeded/v1", fl_bytes_of(place, sizeof place));
    _Static_assert(sizeof key.bytes == randombytes_SEEDBYTES, "a hash is a seed");
    randombytes_buf_deterministic(to, size, key.bytes);
    fl_wipe(&key, sizeof key);
}

fl_entropy
fl_entropy_seeded(fl_seeded *source)
{
    return (fl_entropy){ .self = source, .fill = s_fill_seeded };
}

void
fl_entropy_fill(const fl_entropy *self, void *to, size_t size)
{
    self->fill(self->self, to, size);
}

void
fl_wipe(void *secret, size_t size)
{
    sodium_memzero(secret, size);
}
