//  Whatever the bytes, a frame decodes to a message or to a named refusal; a message that is
//  accepted encodes, and what it encodes to decodes to the same message.
#include "common/wire/codec.h"

#include "tests/fuzz/fuzz.h"
#include "tests/support/messages.h"

//  The body that the envelope claims, so that most inputs get past that check.
static size_t
s_body_bytes(fl_bytes frame)
{
    fl_reader reader = fl_reader_of(frame);
    (void)fl_read_view(&reader, FL_ENVELOPE_BYTES - 4);
    return fl_read_u32(&reader);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_bytes frame = fl_bytes_of(data, size);
    size_t body_bytes = s_body_bytes(frame);
    fl_message message, again;
    fl_codec_result result = fl_decode(frame, body_bytes, &message);
    if (result.code != FL_CODEC_OK) {
        fuzz_must(result.text[0] != '\0' && message.verb == FL_VERB_NONE);
        return 0;
    }
    if (message.verb == FL_TASK && message.task.order.beyond) {
        return 0; // nobody takes part, so nobody passes it on
    }
    fl_blob *blob = fl_encode(&message, body_bytes);
    fuzz_must(blob != NULL);
    result = fl_decode(fl_blob_bytes(blob), body_bytes, &again);
    fuzz_must(result.code == FL_CODEC_OK && messages_equal(&message, &again));
    fl_blob_unref(&blob);
    return 0;
}
