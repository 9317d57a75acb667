//  entropy - where secret random bytes come from, handed in by the caller: the system's source in
//  life, a seeded one in tests and in the simulator. Nothing else in this folder draws randomness.
#ifndef FL_CRYPTO_ENTROPY_H
#define FL_CRYPTO_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/status.h"

typedef struct fl_entropy {
    void *self;
    //  Fill `size` bytes. Never fails: a source without bytes to give ends the process.
    void (*fill)(void *self, void *to, size_t size);
} fl_entropy;

//  Once per process, before any other call of this folder and before the second thread.
FL_CHECKED fl_status fl_crypto_init(fl_why *why);

//  The system's. Any thread.
fl_entropy fl_entropy_os(void);

void fl_entropy_fill(const fl_entropy *self, void *to, size_t size);

//  Overwrite a secret in a way that the compiler keeps.
void fl_wipe(void *secret, size_t size);

#endif
