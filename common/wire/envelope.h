//  envelope - the 40 fixed little-endian bytes in front of every header: what it is, which version
//  wrote it, and how much follows. Values only; knows nothing of verbs.
#ifndef FL_WIRE_ENVELOPE_H
#define FL_WIRE_ENVELOPE_H

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/wire/codec.h"

//  In the order of the bytes: magic "FLT1" (4), major (1), minor (1), verb (2), round (8),
//  run (16), header_bytes (4), body_bytes (4).
typedef struct fl_envelope {
    uint8_t major, minor;
    uint16_t verb;
    uint64_t round;
    fl_run run;
    uint32_t header_bytes; // of the msgpack array behind the envelope, in the same frame
    uint32_t body_bytes;   // of the body frame, 0 when there is none
} fl_envelope;

void fl_envelope_encode(const fl_envelope *envelope, uint8_t bytes[FL_ENVELOPE_BYTES]);

//  Read the first FL_ENVELOPE_BYTES of `frame`. FL_CODEC_OK, or FL_CODEC_SHORT, FL_CODEC_MAGIC,
//  FL_CODEC_VERSION. Magic and version are judged before the length, so that a peer of another
//  major is told so whatever the rest of its envelope looks like. `envelope` holds what was read,
//  zeros elsewhere. The sizes are the peer's claims: the caller judges them.
fl_codec fl_envelope_decode(fl_bytes frame, fl_envelope *envelope);

#endif
