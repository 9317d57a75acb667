//  checkpoint - the models of a run, as files in one directory: <hash>.safetensors and, beside it,
//  <hash>.optimizer with the server optimizer's state. Written all or nothing; a read proves the
//  hash, so a damaged file is refused by name. The newest `keep` are kept. One thread.
#ifndef FL_STORE_CHECKPOINT_H
#define FL_STORE_CHECKPOINT_H

#include "common/base/blob.h"
#include "common/base/id.h"
#include "common/base/status.h"

enum { FL_CHECKPOINTS_KEEP_MAX = 256 };

typedef struct fl_checkpoints fl_checkpoints;

//  Use `directory` (made when missing) and keep `keep` models, 2 to FL_CHECKPOINTS_KEEP_MAX: the
//  one that the ledger names and the one that it will name next. Sweeps up after a crash.
FL_CHECKED fl_status fl_checkpoints_open(const char *directory, uint32_t keep,
                                         fl_checkpoints **checkpoints, fl_why *why);
void fl_checkpoints_close(fl_checkpoints **self_p);

//  Make a model durable under its hash, which the caller vouches for; `optimizer` may be empty.
//  Then forget the oldest beyond `keep`. On failure nothing is forgotten.
FL_CHECKED fl_status fl_checkpoints_save(fl_checkpoints *self, const fl_hash *hash, fl_bytes model,
                                         fl_bytes optimizer, fl_why *why);
//  The model, and the optimizer's state (NULL when it has none; `optimizer` itself may be NULL).
//  Both are the caller's. FL_MISSING, or FL_MISMATCH when the bytes are not those of the hash.
FL_CHECKED fl_status fl_checkpoints_load(const fl_checkpoints *self, const fl_hash *hash,
                                         fl_blob **model, fl_blob **optimizer, fl_why *why);
//  The path of a model's file into `path`; false when it does not fit. The file need not exist.
bool fl_checkpoints_path(const fl_checkpoints *self, const fl_hash *hash, char *path, size_t size);

#endif
