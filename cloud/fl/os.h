//  os - the context of a real `fl`: sockets, clocks, signals, the terminal. Main thread.
#ifndef FL_CLOUD_FL_OS_H
#define FL_CLOUD_FL_OS_H

#include "cloud/fl/context.h"

typedef struct fl_os fl_os;

//  The caller owns the result. NULL with `why`.
fl_os *fl_os_new(fl_why *why);
void fl_os_destroy(fl_os **self_p);
//  Borrows the world.
fl_context fl_os_context(fl_os *self);

#endif
