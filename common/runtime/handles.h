//  handles - what the machines hold by number and hash: vectors (updates, encoded contributions)
//  and the model. Reactor's thread; jobs work on references that were taken here before they
//  started. Holds as many vectors as the machine keeps, and one model: whoever still asks for the
//  one before is told of the next round, and with it of the newest.
#ifndef FL_RUNTIME_HANDLES_H
#define FL_RUNTIME_HANDLES_H

#include "common/base/blob.h"
#include "common/base/id.h"
#include "common/machine/event.h"

enum { FL_HANDLES_VECTORS_MAX = 64 };

typedef struct fl_handles fl_handles;

//  The caller owns the result. NULL when out of memory.
fl_handles *fl_handles_new(void);
void fl_handles_destroy(fl_handles **self_p);

//  Keep a vector; takes the reference. More than FL_HANDLES_VECTORS_MAX is a leak: panic.
fl_vec fl_handles_put(fl_handles *self, fl_blob **blob_p);
//  The vector, our own reference; NULL when there is none of that number.
fl_blob *fl_handles_look(const fl_handles *self, fl_vec vec);
void fl_handles_drop(fl_handles *self, fl_vec vec);
//  Its bytes, the reference yours; the number is there until it is dropped, and empty.
fl_blob *fl_handles_take(fl_handles *self, fl_vec vec);

//  Keep this model, in place of the one before of its track; takes the reference.
//  A NULL one: none is here.
void fl_handles_put_model(fl_handles *self, uint32_t track, const fl_hash *hash, fl_blob **blob_p);
//  The model, our own reference; NULL when it is not here.
fl_blob *fl_handles_model(const fl_handles *self, const fl_hash *hash);

#endif
