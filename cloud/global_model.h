//  global_model - the root's model: the sum of a round becomes the next model, is scored on the
//  root's test set, and is made durable together with the round's report. `apply` runs on the fold
//  strand, `save` on the store strand; the machine never has both at once. Holds the model file,
//  which it shares with whoever serves it, and the optimizer's state. While it makes the next model
//  there are two; nothing else is as long as the model.
#ifndef FL_CLOUD_GLOBAL_MODEL_H
#define FL_CLOUD_GLOBAL_MODEL_H

#include "cloud/optimizer.h"
#include "common/model/learn.h"
#include "common/runtime/effects.h"
#include "common/store/checkpoint.h"
#include "common/store/ledger.h"

typedef struct fl_global_model fl_global_model;

typedef struct fl_global_model_conf {
    fl_optimizer_conf optimizer;
    fl_samples test;         // borrowed; count 0: the model is not scored
    uint64_t evaluate_every; // rounds from one score to the next, >= 1
    uint64_t rounds;         // of the run; the last one is scored too
    fl_gemm gemm;
    fl_ledger *ledger;           // borrowed, used by `save` only
    fl_checkpoints *checkpoints; // likewise
    uint32_t keep;               // so many of the newest models, besides the best and the first
} fl_global_model_conf;

//  Begin with this model file, of which a reference is kept; `optimizer_state` is what was kept
//  beside it, empty at the start of a run. FL_MISMATCH: the state is of another optimizer or model.
FL_CHECKED fl_status fl_global_model_new(const fl_global_model_conf *conf, fl_blob *model,
                                         fl_bytes optimizer_state, fl_global_model **server,
                                         fl_why *why);
void fl_global_model_destroy(fl_global_model **self_p);

//  The newest model file, borrowed; between rounds only.
fl_blob *fl_global_model_file(const fl_global_model *self);
fl_hash fl_global_model_tensors(const fl_global_model *self); // what an order says of it
fl_applier fl_global_model_applier(fl_global_model *self);
fl_saver fl_global_model_saver(fl_global_model *self);

#endif
