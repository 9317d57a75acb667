//  A block's line that is accepted encodes to exactly the bytes that it came from.
#include "common/wire/message.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_block_line line;
    if (fl_block_line_decode(fl_bytes_of(data, size), &line)) {
        uint8_t again[FL_BLOCK_LINE_BYTES];
        fl_block_line_encode(&line, again);
        fuzz_must(size == sizeof again && memcmp(again, data, size) == 0);
    } else {
        fuzz_must(line.parent.name[0] == '\0');
    }
    return 0;
}
