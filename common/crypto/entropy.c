#include "common/crypto/entropy.h"

#include <sodium.h>

fl_status
fl_crypto_init(fl_why *why)
{
    if (sodium_init() < 0) {
        return fl_fail(FL_IO, why,
                       "libsodium does not start: the system gives no random bytes; "
                       "check getrandom and /dev/urandom in this container");
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
