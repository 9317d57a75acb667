//  launch - what the three mains have in common: settings, signals, one line and an exit code.
#ifndef FL_RUNTIME_LAUNCH_H
#define FL_RUNTIME_LAUNCH_H

#include "common/config/conf.h"
#include "common/config/stop.h"

//  Exit codes of the programs, beside 0 and 2 (usage).
enum { FL_LAUNCH_FAILED = 1, FL_LAUNCH_ABORTED = 3, FL_LAUNCH_BUSY = 4 };
extern const fl_exit fl_launch_exits[];

//  Read the settings, run, and give the exit code of the process.
int fl_launch(const fl_program *program, int argc, char **argv,
              fl_status (*run)(const fl_conf *conf, fl_stop *stop, fl_why *why));

#endif
