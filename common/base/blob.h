//  blob - one immutable-once-shared buffer with a reference count, so that a model or a message
//  is made once and sent many times. Any thread may hold a reference; the maker fills it before
//  the first `ref`. 64-byte aligned.
#ifndef FL_BASE_BLOB_H
#define FL_BASE_BLOB_H

#include "common/base/bytes.h"
#include "common/base/status.h"

typedef struct fl_blob fl_blob;

//  Whose memory it is, where it is not the heap's.
typedef struct fl_blob_keeper {
    void (*end)(uint8_t *data, size_t size);   // the last reference is gone
    void (*rest)(uint8_t *data, size_t bytes); // the first bytes are not needed for now
} fl_blob_keeper;

//  One reference, yours; contents are zero. NULL when out of memory.
fl_blob *fl_blob_new(size_t size);
//  As above, with the bytes copied in.
fl_blob *fl_blob_copy(fl_bytes bytes);
//  Over memory that the keeper has from now on; one reference, yours. NULL: it is still yours.
fl_blob *fl_blob_over(uint8_t *data, size_t size, const fl_blob_keeper *keeper);
//  One more reference, yours. Returns `self`.
fl_blob *fl_blob_ref(fl_blob *self);
//  Give a reference back and NULL it; the last one frees. A NULL reference is fine.
void fl_blob_unref(fl_blob **self_p);
//  Trade a reference for one that may be written to: the same blob if nobody else has it, else a
//  copy. NULL when out of memory; the reference is gone in any case.
fl_blob *fl_blob_alone(fl_blob **self_p);

fl_bytes fl_blob_bytes(const fl_blob *self);
//  For the maker only, while it holds the one reference.
uint8_t *fl_blob_data(fl_blob *self);
size_t fl_blob_size(const fl_blob *self);
//  So many bytes from its first one may leave memory until they are read again, if they can.
void fl_blob_rest(const fl_blob *self, size_t bytes);

#endif
