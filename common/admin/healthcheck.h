//  healthcheck - `PROGRAM --healthcheck`: asks the process that runs in a state directory whether
//  it is well, over the operator's lane, and prints what it says. One that holds the directory and
//  does not listen yet is on its way: it waits, within bounds, for what others make. Blocks, at
//  most HEALTH_MS. Main thread.
#ifndef FL_ADMIN_HEALTHCHECK_H
#define FL_ADMIN_HEALTHCHECK_H

#include "common/config/conf.h"

//  FL_OK when it is well, or on its way. FL_MISSING: nobody is there, or nobody answers. FL_IO: it
//  says that it is not well.
FL_CHECKED fl_status fl_healthcheck_ask(const char *state, const char *program, fl_why *why);

#endif
