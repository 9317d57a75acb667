//  run_files - files that an operator hands over in pieces, by hash: staged beside the models,
//  proved when they are whole, kept in the model store. A few at a time; what nobody goes on with
//  is removed, and what no run holds soon after. On the store's strand.
#ifndef FL_CLOUD_RUN_FILES_H
#define FL_CLOUD_RUN_FILES_H

#include "common/store/checkpoint.h"

enum { FL_RUN_FILES_MAX = 8, FL_RUN_FILES_IDLE_MS = 10 * 60 * 1000 };

typedef struct fl_run_files fl_run_files;

//  Both pointers are borrowed. The caller owns the result. NULL when out of memory.
fl_run_files *fl_run_files_new(fl_checkpoints *checkpoints, fl_ledger *ledger);
void fl_run_files_destroy(fl_run_files **self_p);

//  One piece of the file with this hash and size; empty: only ask. `*next`: the offset that is
//  wanted, `total` when the file is here. A piece that does not begin there changes nothing, so
//  that repeating one does no harm. FL_RANGE: more than FL_VECTOR_BYTES_MAX, beyond the total, or
//  another total than before;
//  FL_BUSY: too many at a time; FL_MISMATCH: whole, and not what the hash says: all of it is gone.
FL_CHECKED fl_status fl_run_files_put(fl_run_files *self, const fl_hash *hash, uint64_t offset,
                                      uint64_t total, fl_bytes piece, fl_time now, uint64_t *next,
                                      fl_why *why);
//  The size of a file that is here; 0: it is not.
uint64_t fl_run_files_size(const fl_run_files *self, const fl_hash *hash);

#endif
