//  settings - the settings table of fl-root: what is the installation's. A run's stands in
//  run_settings.h.
#ifndef FL_CLOUD_SETTINGS_H
#define FL_CLOUD_SETTINGS_H

#include "common/config/conf.h"

extern const fl_program fl_root_program;

#endif
