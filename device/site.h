//  site - what the owner of a device's site allows: a file of settings that this node alone reads,
//  and the runs that were approved here. It is asked before a round is taken; what it refuses, it
//  logs and names. Main thread.
#ifndef FL_DEVICE_SITE_H
#define FL_DEVICE_SITE_H

#include <time.h>

#include "common/base/blob.h"
#include "common/config/conf.h"
#include "common/wire/message.h"

typedef struct fl_site fl_site;

//  Reads the file, and what was approved in the state directory. `samples` that the device
//  holds: borrowed. The result is the caller's.
FL_CHECKED fl_status fl_site_open(const char *path, const char *directory, const uint64_t *samples,
                                  fl_site **site, fl_why *why);
void fl_site_close(fl_site **self_p);
const fl_conf *fl_site_conf(const fl_site *self);

//  FL_WHY_HOURS outside the hours of the site, else FL_WHY_NONE.
fl_reason fl_site_hours(const fl_site *self, const struct tm *now);
//  For fl_participant_conf; `self` is a site.
fl_reason fl_site_judge(void *self, const fl_order *order, char text[FL_TEXT_MAX]);
//  Approve a manifest by its hash, or by the beginning of one that waits; "": only list them. What
//  there is to say of it, the caller's; NULL: no memory. FL_MISSING: nothing is called so.
FL_CHECKED fl_status fl_site_approve(fl_site *self, const char *hash, char **said, fl_why *why);

#endif
