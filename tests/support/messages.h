//  messages - messages to test with: one fixed sample per verb (the golden vectors are made of
//  them), random ones within every bound, equality, and frames with one value replaced.
#ifndef FL_SUPPORT_MESSAGES_H
#define FL_SUPPORT_MESSAGES_H

#include "common/base/rng.h"
#include "common/wire/codec.h"

enum { MESSAGES_VERBS = 33, MESSAGES_ROOM = 128 * 1024 };
extern const fl_verb messages_verbs[MESSAGES_VERBS];

//  A message with the size of the body frame that goes with it, and the bytes that its views show.
//  Large: keep it static. Do not copy it.
typedef struct messages_letter {
    fl_message message;
    uint32_t body_bytes;
    size_t used;
    uint8_t room[MESSAGES_ROOM];
} messages_letter;

//  Always the same message, no field of which is zero.
void messages_sample(fl_verb verb, messages_letter *letter);
//  A valid message, every field drawn from its whole range.
void messages_random(fl_verb verb, fl_rng *rng, messages_letter *letter);
//  The letter as its header frame, in `out`; its size.
size_t messages_encode(const messages_letter *letter, uint8_t *out, size_t room);
bool messages_equal(const fl_message *a, const fl_message *b);

//  Bytes of the msgpack value that `bytes` start with; 0 when it is cut off or of a type that no
//  header holds.
size_t messages_value_bytes(fl_bytes bytes);
//  Bytes of the head of the header array: 1, or 3 for more than 15 values.
size_t messages_head_bytes(fl_bytes frame);
//  Offset in `frame` of value number `index` of the header array; its end for index == count.
size_t messages_value_at(fl_bytes frame, uint32_t index);
//  `frame` with its value number `index` replaced by `value`, lengths put right. Answers its size.
size_t messages_replace(fl_bytes frame, uint32_t index, fl_bytes value, uint8_t *out, size_t room);

#endif
