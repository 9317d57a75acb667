//  start - the steps of a program's start, each with a name and a bound. The signals that stop a
//  program are blocked then (stop.h), and a step may hang where nobody looks at them: in a library,
//  on a disk. So a timer looks each second: a step that goes on beyond its bound, or two seconds
//  after such a signal came, ends the process with a line that names it. Nothing is lost: what a
//  start has written is whole or not there, whatever ends it. One thread, which takes SIGALRM.
#ifndef FL_CONFIG_START_H
#define FL_CONFIG_START_H

#include <stdint.h>

//  Bounds in seconds: of what is done at once, and of what grows with a model, a ledger or a data
//  set.
enum { FL_START_SHORT_S = 60, FL_START_LONG_S = 600 };

//  Who starts, and the exit code of one that is ended so. Before it nothing is bounded: `fl` uses
//  what the programs use, and may be stopped at any time.
void fl_start_begin(const char *program, int code);
//  From here on the start does this: "opening the ledger".
void fl_start_step(const char *name, uint32_t seconds);
//  The start is over, well or not; nothing is bounded any more.
void fl_start_over(void);

#endif
