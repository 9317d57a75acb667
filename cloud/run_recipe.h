//  run_recipe - the settings of a run as they hold now: the recipe that was submitted, and what the
//  operator changed since. On the ledger's thread.
#ifndef FL_CLOUD_RUN_RECIPE_H
#define FL_CLOUD_RUN_RECIPE_H

#include "cloud/run_settings.h"
#include "common/store/ledger.h"

//  May this setting be changed after the run was submitted? Only what the root alone reads may.
bool fl_run_recipe_may_change(const char *key);
//  The settings, the caller's. `set`: one more change, "KEY=VALUE", not recorded yet; NULL: none.
//  FL_MISMATCH: the run was begun before runs had recipes.
FL_CHECKED fl_status fl_run_recipe_load(fl_ledger *ledger, const fl_run *run, const char *set,
                                        fl_conf **conf, fl_why *why);

#endif
