//  process - fl-device as a whole: its files and samples opened, its machine given to a node.
//  Main thread.
#ifndef FL_DEVICE_PROCESS_H
#define FL_DEVICE_PROCESS_H

#include "common/config/conf.h"
#include "common/config/stop.h"

//  Run to the end. FL_OK: the run is over, or a signal ended the process. Everything else: it could
//  not begin; `why` says what, where and what to do.
FL_CHECKED fl_status fl_device_process(const fl_conf *conf, fl_stop *stop, fl_why *why);

#endif
