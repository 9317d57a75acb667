//  codec - a message as bytes and back. A message travels as one header frame (40-byte envelope,
//  then a msgpack array) and, for four verbs, one raw body frame. Decoding touches nothing but
//  the given bytes, allocates a bounded amount, and answers by name what is wrong.
#ifndef FL_WIRE_CODEC_H
#define FL_WIRE_CODEC_H

#include "common/base/blob.h"
#include "common/wire/message.h"

//  The version this build speaks. Another major is refused, a greater minor of the same major is
//  read by ignoring fields at the end of the header array.
enum { FL_WIRE_MAJOR = 3, FL_WIRE_MINOR = 3, FL_ENVELOPE_BYTES = 40 };

//  Largest header frame that encode can make.
enum { FL_FRAME_BYTES_MAX = FL_ENVELOPE_BYTES + FL_HEADER_BYTES_MAX };

typedef enum fl_codec {
    FL_CODEC_OK = 0,
    FL_CODEC_SHORT,          // fewer bytes than the envelope says
    FL_CODEC_MAGIC,          // not ours
    FL_CODEC_VERSION,        // another major: see fl_codec_result.major, .minor
    FL_CODEC_VERB,           // unknown verb
    FL_CODEC_GUARD,          // msgpack nested too deep, or counts that cannot be true
    FL_CODEC_FIELDS,         // a field is missing, of the wrong type or out of range
    FL_CODEC_BODY,           // body frame missing, unexpected or of another size
    FL_CODEC_NOMEM,          // our trouble, not the peer's: out of memory
    FL_CODEC_COUNT
} fl_codec;
const char *fl_codec_name(fl_codec code); // "short", ...

typedef struct fl_codec_result {
    fl_codec code;
    uint8_t major, minor;    // the peer's, as far as read
    uint16_t verb;           // as far as read
    char text[FL_TEXT_MAX];  // a human line; for FL_CODEC_VERSION it names both versions
} fl_codec_result;

//  Encode `message` into one new blob (yours); `body_bytes` is the size of the body frame that
//  will follow, 0 when none. NULL only when out of memory. An invalid message is ours: it panics.
fl_blob *fl_encode(const fl_message *message, size_t body_bytes);

//  Decode a header frame. `body_bytes`: size of the body frame that came with it, 0 when none.
//  On FL_CODEC_OK `message` is complete and valid; its views point into `frame`. Otherwise it is
//  all zeros and `text` says what is wrong, in printable characters of our own.
fl_codec_result fl_decode(fl_bytes frame, size_t body_bytes, fl_message *message);

#endif
