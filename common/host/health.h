//  health - `PROGRAM --healthcheck`: asks the process that runs in a state directory whether it is
//  well, over the operator's lane, and prints what it says. Blocks, at most HEALTH_MS. Main thread.
#ifndef FL_HOST_HEALTH_H
#define FL_HOST_HEALTH_H

#include "common/app/conf.h"

//  FL_OK when it is well. FL_MISSING: nobody answers. FL_IO: it says that it is not.
FL_CHECKED fl_status fl_health_ask(const char *state, fl_why *why);

#endif
