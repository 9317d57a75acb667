//  settings - the settings table of fl-root, and what it means as plain values.
#ifndef FL_CLOUD_SETTINGS_H
#define FL_CLOUD_SETTINGS_H

#include "cloud/optimizer.h"
#include "cloud/root.h"
#include "common/config/conf.h"
#include "common/model/shape.h"

extern const fl_program fl_root_program;

//  The root's machine: all but the node.
fl_root_conf fl_root_settings(const fl_conf *conf);
fl_optimizer_conf fl_root_settings_optimizer(const fl_conf *conf);
//  The test set, as far as it is there, is one for this model; part of the program's check.
FL_CHECKED fl_status fl_root_settings_test_fits(const fl_conf *conf, fl_why *why);
//  The model that a new run begins with; the caller's.
FL_CHECKED fl_status fl_root_settings_model(const fl_conf *conf, fl_blob **model, fl_why *why);
//  FL_MISMATCH unless the model in a file has the tensors of that one; `why` says what differs.
FL_CHECKED fl_status fl_root_settings_same(const fl_conf *conf, const fl_safetensors *file,
                                           fl_why *why);

#endif
