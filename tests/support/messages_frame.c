//  Frames of messages, and frames with one value replaced.
#include "tests/support/messages.h"

#include <string.h>

#include "common/base/status.h"

// ---- frames -----------------------------------------------------------------------------------
size_t
messages_encode(const messages_letter *letter, uint8_t *out, size_t room)
{
    fl_blob *blob = fl_encode(&letter->message, letter->body_bytes);
    FL_ASSERT(blob != NULL && fl_blob_size(blob) <= room);
    size_t size = fl_blob_size(blob);
    memcpy(out, fl_blob_bytes(blob).data, size);
    fl_blob_unref(&blob);
    return size;
}

static size_t
s_array_bytes(fl_bytes bytes, size_t count)
{
    size_t at = 1;
    for (size_t i = 0; i < count; i++) {
        size_t size = messages_value_bytes(fl_bytes_of(bytes.data + at, bytes.size - at));
        if (size == 0) {
            return 0;
        }
        at += size;
    }
    return at;
}

size_t
messages_value_bytes(fl_bytes bytes)
{
    if (bytes.size == 0) {
        return 0;
    }
    uint8_t first = bytes.data[0];
    size_t size = 0;
    if (first < 0x80 || first == 0xc2 || first == 0xc3) {
        size = 1;
    } else if (first >= 0x90 && first < 0xa0) {
        return s_array_bytes(bytes, first & 0x0f);
    } else if (first >= 0xa0 && first < 0xc0) {
        size = 1 + (size_t)(first & 0x1f);
    } else if (first >= 0xcc && first <= 0xcf) {
        size = 1 + ((size_t)1 << (first - 0xcc));
    } else if ((first == 0xc4 || first == 0xd9) && bytes.size >= 2) {
        size = 2 + (size_t)bytes.data[1];
    } else if ((first == 0xc5 || first == 0xda) && bytes.size >= 3) {
        size = 3 + ((size_t)bytes.data[1] << 8 | bytes.data[2]);
    }
    return size <= bytes.size ? size : 0;
}

size_t
messages_head_bytes(fl_bytes frame)
{
    FL_ASSERT(frame.size > FL_ENVELOPE_BYTES);
    uint8_t first = frame.data[FL_ENVELOPE_BYTES];
    FL_ASSERT((first & 0xf0) == 0x90 || first == 0xdc);
    return first == 0xdc ? 3 : 1;
}

size_t
messages_value_at(fl_bytes frame, uint32_t index)
{
    size_t at = FL_ENVELOPE_BYTES + messages_head_bytes(frame);
    for (uint32_t i = 0; i < index; i++) {
        size_t size = messages_value_bytes(fl_bytes_of(frame.data + at, frame.size - at));
        FL_ASSERT(size > 0);
        at += size;
    }
    return at;
}

size_t
messages_replace(fl_bytes frame, uint32_t index, fl_bytes value, uint8_t *out, size_t room)
{
    size_t from = messages_value_at(frame, index), to = messages_value_at(frame, index + 1);
    fl_writer writer = fl_writer_over(out, room);
    fl_write_from(&writer, frame.data, from);
    fl_write_from(&writer, value.data, value.size);
    fl_write_from(&writer, frame.data + to, frame.size - to);
    FL_ASSERT(!writer.broken);
    size_t size = fl_writer_size(&writer);
    writer = fl_writer_over(out + 32, 4); // header_bytes of the envelope
    fl_write_u32(&writer, (uint32_t)(size - FL_ENVELOPE_BYTES));
    return size;
}
