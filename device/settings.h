//  settings - the settings table of fl-device, and its trainer.
#ifndef FL_DEVICE_SETTINGS_H
#define FL_DEVICE_SETTINGS_H

#include "common/config/conf.h"
#include "common/data/idx.h"
#include "common/machine/offerings.h"
#include "common/runtime/trainer.h"
#include "common/store/ledger.h"
#include "device/site.h"

extern const fl_program fl_device_program;

//  The trainer and the data by name; none: data.name is no name.
fl_offerings fl_device_offers(const fl_conf *conf);

//  Which shard of the samples is ours: what data.shard and data.shards say, else what the root has
//  leased to the directory `state`, else all. FL_MISSING: a slot without a lease.
FL_CHECKED fl_status fl_device_shard(const fl_conf *conf, const char *state, fl_lease *ours,
                                     fl_why *why);
//  The trainer that the settings ask for, with our shard in `data`; both are the caller's, `data`
//  is released after the trainer. The limits of `site` hold for the builtin one; NULL: none. It has
//  no `train` where only the owner's commands train.
FL_CHECKED fl_status fl_device_trainer(const fl_conf *conf, const fl_site *site,
                                       const fl_lease *ours, fl_dataset *data, fl_trainer *trainer,
                                       fl_why *why);

#endif
