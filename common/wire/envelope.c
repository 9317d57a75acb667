#include "common/wire/envelope.h"

#include <string.h>

#include "common/base/status.h"

static const char magic[4] = { 'F', 'L', 'T', '1' };

void
fl_envelope_encode(const fl_envelope *envelope, uint8_t bytes[FL_ENVELOPE_BYTES])
{
    fl_writer out = fl_writer_over(bytes, FL_ENVELOPE_BYTES);
    fl_write_from(&out, magic, sizeof magic);
    fl_write_u8(&out, envelope->major);
    fl_write_u8(&out, envelope->minor);
    fl_write_u16(&out, envelope->verb);
    fl_write_u64(&out, envelope->round);
    fl_write_from(&out, envelope->run.bytes, sizeof envelope->run.bytes);
    fl_write_u32(&out, envelope->header_bytes);
    fl_write_u32(&out, envelope->body_bytes);
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_ENVELOPE_BYTES);
}

fl_codec
fl_envelope_decode(fl_bytes frame, fl_envelope *envelope)
{
    memset(envelope, 0, sizeof *envelope);
    fl_reader in = fl_reader_of(frame);
    fl_bytes start = fl_read_view(&in, sizeof magic);
    if (in.broken) {
        return FL_CODEC_SHORT;
    }
    if (memcmp(start.data, magic, sizeof magic) != 0) {
        return FL_CODEC_MAGIC;
    }
    envelope->major = fl_read_u8(&in);
    envelope->minor = fl_read_u8(&in);
    if (in.broken) {
        return FL_CODEC_SHORT;
    }
    if (envelope->major != FL_WIRE_MAJOR) {
        return FL_CODEC_VERSION;
    }
    envelope->verb = fl_read_u16(&in);
    envelope->round = fl_read_u64(&in);
    fl_read_into(&in, envelope->run.bytes, sizeof envelope->run.bytes);
    envelope->header_bytes = fl_read_u32(&in);
    envelope->body_bytes = fl_read_u32(&in);
    return in.broken ? FL_CODEC_SHORT : FL_CODEC_OK;
}
