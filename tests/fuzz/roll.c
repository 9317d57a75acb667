//  A report line that is accepted encodes to exactly the bytes that it came from.
#include "common/wire/message.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_roll_entry entry;
    if (fl_roll_decode(fl_bytes_of(data, size), &entry)) {
        uint8_t again[FL_ROLL_ENTRY_BYTES];
        fl_roll_encode(&entry, again);
        fuzz_must(size == sizeof again && memcmp(again, data, size) == 0);
    } else {
        fuzz_must(entry.node.name[0] == '\0');
    }
    return 0;
}
