//  Whatever the bytes, an envelope decodes to a code, and one that is fine encodes to the same
//  bytes again.
#include "common/wire/envelope.h"

#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_envelope envelope;
    fl_codec code = fl_envelope_decode(fl_bytes_of(data, size), &envelope);
    if (code == FL_CODEC_OK) {
        uint8_t again[FL_ENVELOPE_BYTES];
        fl_envelope_encode(&envelope, again);
        fuzz_must(size >= sizeof again && memcmp(again, data, sizeof again) == 0);
    } else {
        fuzz_must(code == FL_CODEC_SHORT || code == FL_CODEC_MAGIC || code == FL_CODEC_VERSION);
    }
    return 0;
}
