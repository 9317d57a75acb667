//  settings - the settings table of fl-device, and its trainer.
#ifndef FL_DEVICE_SETTINGS_H
#define FL_DEVICE_SETTINGS_H

#include "common/app/conf.h"
#include "common/data/idx.h"
#include "device/trainer.h"

extern const fl_program fl_device_program;

//  The trainer that the settings ask for, with this device's shard in `data`; both are the
//  caller's, `data` is released after the trainer.
FL_CHECKED fl_status fl_device_trainer(const fl_conf *conf, fl_dataset *data, fl_trainer *trainer,
                                       fl_why *why);

#endif
