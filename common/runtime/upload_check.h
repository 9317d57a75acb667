//  upload_check - what a parent proves of a contribution before it counts: that its bytes have the
//  hash that was announced, and that no element is larger than its weight allows. Piece by piece in
//  their order, so that it goes on while the next piece is on its way. Of masked bytes only the
//  hash says something: their bound is proved once the masks are off the sum.
//  A plain value that allocates nothing; one thread at a time.
#ifndef FL_RUNTIME_UPLOAD_CHECK_H
#define FL_RUNTIME_UPLOAD_CHECK_H

#include "common/crypto/hash.h"
#include "common/tensor/element.h"
#include "common/wire/message.h"

typedef struct fl_upload_check {
    fl_hasher hasher;
    fl_element element;
    bool masked;
    uint64_t peak; // size of the largest element so far; 0 when masked
} fl_upload_check;

void fl_upload_check_begin(fl_upload_check *self, const fl_element *element, bool masked);
//  The next bytes, whole elements.
void fl_upload_check_add(fl_upload_check *self, fl_bytes wire);
//  FL_WHY_NONE, or the first of FL_WHY_HASH and FL_WHY_WEIGHT; the weight of masked bytes is 0, of
//  others it is not. Begin again before the next `add`.
fl_reason fl_upload_check_end(fl_upload_check *self, const fl_hash *hash, uint64_t weight);

#endif
