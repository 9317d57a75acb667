//  messages_inside - what messages.c and messages_masking.c share. For these two files only.
#ifndef FL_SUPPORT_MESSAGES_INSIDE_H
#define FL_SUPPORT_MESSAGES_INSIDE_H

#include "tests/support/messages.h"

//  `size` bytes that count up from `first`; the same in the letter's room.
void messages_count_up(void *to, size_t size, unsigned first);
fl_bytes messages_view(messages_letter *letter, size_t size, unsigned first);
//  The next `size` bytes of the letter's room.
uint8_t *messages_room(messages_letter *letter, size_t size);
//  All magnitudes are about equally likely, the two ends too.
uint64_t messages_draw(fl_rng *rng, uint64_t low, uint64_t high);

void messages_random_node(fl_rng *rng, fl_name *node);

fl_bytes messages_sample_blocks(messages_letter *letter);
void messages_sample_masking(messages_letter *letter);
void messages_agree_contrib(fl_rng *rng, messages_letter *letter);
void messages_agree_masking(fl_rng *rng, messages_letter *letter);

#endif
