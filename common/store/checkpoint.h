//  checkpoint - the models of all runs, as files in one directory: <hash>.safetensors, and
//  <hash>.<run>.optimizer with the state that a run's server optimizer had with it. The ledger says
//  which run holds which model; a file goes when nobody holds it. Written all or nothing; a read
//  proves the hash, so a damaged file is refused by name. One thread, the ledger's.
#ifndef FL_STORE_CHECKPOINT_H
#define FL_STORE_CHECKPOINT_H

#include "common/base/blob.h"
#include "common/base/id.h"
#include "common/base/status.h"
#include "common/store/ledger.h"

typedef struct fl_checkpoints fl_checkpoints;

//  Use `directory`, made when missing. What no run of `ledger` (borrowed) holds is removed: half of
//  a crash, and files that were put for a run that was never submitted.
FL_CHECKED fl_status fl_checkpoints_open(const char *directory, fl_ledger *ledger,
                                         fl_checkpoints **checkpoints, fl_why *why);
void fl_checkpoints_close(fl_checkpoints **self_p);

//  Make a model durable under its hash, which the caller vouches for. Then name it in the ledger,
//  or the next start removes it.
FL_CHECKED fl_status fl_checkpoints_save(fl_checkpoints *self, const fl_hash *hash, fl_bytes model,
                                         fl_why *why);
//  The same for the optimizer's state of a run with a model; an empty one needs no file.
FL_CHECKED fl_status fl_checkpoints_save_optimizer(fl_checkpoints *self, const fl_run *run,
                                                   const fl_hash *hash, fl_bytes state,
                                                   fl_why *why);
//  The model, the caller's. FL_MISSING, or FL_MISMATCH when the bytes are not those of the hash.
FL_CHECKED fl_status fl_checkpoints_load(const fl_checkpoints *self, const fl_hash *hash,
                                         fl_blob **model, fl_why *why);
//  The optimizer's state, the caller's; NULL when it had none.
FL_CHECKED fl_status fl_checkpoints_load_optimizer(const fl_checkpoints *self, const fl_run *run,
                                                   const fl_hash *hash, fl_blob **state,
                                                   fl_why *why);
//  Of a run keep the `keep` newest models, the best, the initial one and the KEPT ones. What cannot
//  be removed now is removed at another time.
void fl_checkpoints_settle(fl_checkpoints *self, const fl_run *run, uint32_t keep);
//  The path of a model's file into `path`; false when it does not fit. The file need not exist.
bool fl_checkpoints_path(const fl_checkpoints *self, const fl_hash *hash, char *path, size_t size);

#endif
