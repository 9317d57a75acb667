//  stop - SIGINT and SIGTERM as something to wait for. Open it before another thread starts: the
//  two signals are blocked in the calling thread and in all that it makes, and arrive here only.
#ifndef FL_CONFIG_STOP_H
#define FL_CONFIG_STOP_H

#include <stdint.h>

#include "common/base/status.h"

typedef struct fl_stop fl_stop;

//  Also ignores SIGPIPE: a peer that is gone is an error of a write, not the end of us.
FL_CHECKED fl_status fl_stop_open(fl_stop **stop, fl_why *why);
//  Unblocks the signals again; one that is waiting then takes its usual course.
void fl_stop_close(fl_stop **self_p);
//  Readable when a signal has come. Do not read it.
int fl_stop_fd(const fl_stop *self);
//  Let time pass. False: a signal came; it is left to be taken. NULL: none can.
bool fl_stop_pause(const fl_stop *self, uint32_t ms);
//  The signal that came, once each; 0 when none. Never blocks.
int fl_stop_take(fl_stop *self);

#endif
