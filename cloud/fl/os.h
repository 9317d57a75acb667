//  os - the console of a real `fl`: sockets, clocks, signals, the terminal. Main thread.
#ifndef FL_CLOUD_FL_OS_H
#define FL_CLOUD_FL_OS_H

#include "cloud/fl/context.h"

typedef struct fl_world fl_world;

//  The caller owns the result. NULL with `why`.
fl_world *fl_world_new(fl_why *why);
void fl_world_destroy(fl_world **self_p);
//  Borrows the world.
fl_console fl_world_console(fl_world *self);

#endif
