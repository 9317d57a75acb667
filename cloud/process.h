//  process - fl-root as a whole: its files opened, its machine given to a node, its run begun
//  or gone on with. Main thread.
#ifndef FL_CLOUD_PROCESS_H
#define FL_CLOUD_PROCESS_H

#include "common/config/conf.h"
#include "common/config/stop.h"

//  Run to the end. FL_OK: the run is complete, or a signal ended the process. FL_MISMATCH: the run
//  was aborted. Everything else: it could not begin; `why` says what, where and what to do.
FL_CHECKED fl_status fl_root_process(const fl_conf *conf, fl_stop *stop, fl_why *why);

#endif
