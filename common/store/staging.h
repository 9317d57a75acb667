//  staging - where contributions wait until their last byte is here. A slot is memory mapped over
//  an unlinked file in the state directory: it costs disk, not memory that cannot be given back,
//  and is gone with the process. Its space is reserved when it is leased, so that a full disk is an
//  answer then and never a signal later.
//  One thread leases, writes and frees; others may read a slot's bytes between its last write and
//  its free.
#ifndef FL_STORE_STAGING_H
#define FL_STORE_STAGING_H

#include "common/base/blob.h"
#include "common/base/limits.h"
#include "common/base/status.h"

typedef struct fl_staging fl_staging;

//  `slots` slots (1 to FL_SLOTS_MAX), numbered from 0, all free, in `directory`. The caller's.
FL_CHECKED fl_status fl_staging_open(const char *directory, uint32_t slots, fl_staging **staging,
                                     fl_why *why);
void fl_staging_close(fl_staging **self_p);

//  Reserve `bytes` (1 to FL_VECTOR_BYTES_MAX) in a free slot; what is in them is not defined.
//  FL_FULL: no disk space.
FL_CHECKED fl_status fl_staging_lease(fl_staging *self, uint32_t slot, uint64_t bytes, fl_why *why);
//  FL_RANGE when the bytes do not lie inside the lease: nothing is written.
FL_CHECKED fl_status fl_staging_write(fl_staging *self, uint32_t slot, uint64_t offset,
                                      fl_bytes bytes);
//  The whole lease; empty when the slot is free. Valid until it is freed.
fl_bytes fl_staging_bytes(const fl_staging *self, uint32_t slot);
//  End the lease. The space is kept for the next lease of about this size. A free slot is fine.
void fl_staging_free(fl_staging *self, uint32_t slot);
//  Take the memory out of a slot, which is free then, while someone still reads it; the caller's to
//  give back by `unmap`. Empty when there is none.
fl_bytes fl_staging_take(fl_staging *self, uint32_t slot);
void fl_staging_unmap(fl_bytes taken);

//  A vector of our own that waits in such a file: zeros, of which no more need be in memory than
//  are worked on (fl_blob_rest). FL_FULL as above. Any thread.
FL_CHECKED fl_status fl_staging_blob(const char *directory, size_t bytes, fl_blob **blob,
                                     fl_why *why);

#endif
