//  run_settings - the settings of a run, as they stand in its RUN.yaml and in the ledger, and what
//  they mean as plain values.
#ifndef FL_CLOUD_RUN_SETTINGS_H
#define FL_CLOUD_RUN_SETTINGS_H

#include "common/config/conf.h"

extern const fl_program fl_run_program;

#endif
