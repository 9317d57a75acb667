//  image - the model in memory that a trainer which stays has in common with us: what it is given,
//  which only we can write, and what it makes of it. Two files without a name, of one size for
//  good, so that nobody can be cut off in the middle. What it makes is read by pread, never mapped:
//  it may still change. One thread at a time.
#ifndef FL_TRAINER_IMAGE_H
#define FL_TRAINER_IMAGE_H

#include "common/base/bytes.h"
#include "common/base/status.h"

typedef struct fl_image {
    int model, update; // descriptors; -1: none
    uint8_t *given;    // map of the first
    size_t size;       // of each
} fl_image;

//  FL_IO, FL_FULL. Descriptors from `lowest` on.
FL_CHECKED fl_status fl_image_open(size_t size, int lowest, fl_image *self, fl_why *why);
void fl_image_close(fl_image *self);

//  Give a model of that size, and take back the first bytes of what was made of the one before.
FL_CHECKED fl_status fl_image_give(fl_image *self, fl_bytes model, fl_why *why);

#endif
