//  fuzz - the one door of every fuzz target: libFuzzer calls it with bytes of its own making, the
//  replay program with the files of a corpus. A finding is a crash; fuzz_must makes a wrong answer
//  one.
#ifndef FL_FUZZ_FUZZ_H
#define FL_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/status.h"

#define fuzz_must FL_ASSERT

//  Always 0. The name is libFuzzer's.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
