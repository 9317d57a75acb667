//  run_settings - the settings of a run, as they stand in its RUN.yaml and in the ledger, and what
//  they mean as plain values. What is the installation's and not a run's stands in settings.h.
#ifndef FL_CLOUD_RUN_SETTINGS_H
#define FL_CLOUD_RUN_SETTINGS_H

#include "cloud/optimizer.h"
#include "cloud/root.h"
#include "common/config/conf.h"
#include "common/model/shape.h"
#include "common/store/ledger.h"

extern const fl_program fl_run_program;

enum { FL_EVALUATE_BOTH, FL_EVALUATE_ROOT, FL_EVALUATE_DEVICES }; // evaluate.on

//  A run as it is submitted.
typedef struct fl_run_recipe {
    char name[FL_RUN_NAME_BYTES];
    char initial[FL_CONF_TEXT_MAX]; // file that the run begins with; "": none
    fl_blob *text; // canonical: what was given, in the order of the table; the caller's
} fl_run_recipe;

//  Read a RUN.yaml; `sets` (count) are KEY=VALUE words that win over it. What is wrong is said with
//  file and line.
FL_CHECKED fl_status fl_run_recipe_read(const char *path, const char *const *sets, uint32_t count,
                                        fl_run_recipe *recipe, fl_why *why);

//  FL_RANGE when no round could succeed at a root with these settings, or it has too few seats.
FL_CHECKED fl_status fl_run_settings_fit(const fl_conf *run, const fl_conf *root, fl_why *why);
//  What the root's machine does for this run: all but the node, the signer and what is resumed.
fl_root_conf fl_run_settings_root(const fl_conf *run, const fl_conf *root);
//  Bytes that an open round takes at that root: its sums, what is received at a time, the next
//  model. `elements` of its model, where train.trainer leaves them to a file.
uint64_t fl_run_settings_memory(const fl_conf *run, const fl_conf *root, uint64_t elements);
//  So many samples of a device count at most.
uint64_t fl_run_settings_samples_max(const fl_conf *run);
fl_optimizer_conf fl_run_settings_optimizer(const fl_conf *run);
//  The model that the run begins with, the caller's; `initial` are the bytes of model.initial, none
//  when it is not set. As fl_start_weights, fl_start_network and fl_start_vector; with
//  train.trainer the tensors of the file, all F32, in its order.
FL_CHECKED fl_status fl_run_settings_model(const fl_conf *run, fl_bytes initial, fl_blob **model,
                                           fl_why *why);

#endif
