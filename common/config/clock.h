//  clock - the two clocks of a process: a monotonic one for everything that is measured or waited
//  for, a wall clock for certificates and records only. And a wait that another thread can end.
#ifndef FL_CONFIG_CLOCK_H
#define FL_CONFIG_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/id.h"

fl_time fl_clock_ms(void);      // monotonic
uint64_t fl_clock_wall_s(void); // seconds since 1970
//  "2026-11-23T10:15:30.123Z" for a log line.
void fl_clock_stamp(char text[32]);
//  "2027-01-31 12:00 UTC", of seconds since 1970.
void fl_clock_date(uint64_t seconds, char text[32]);
//  Wait so long, or until `*cancel`, whichever is first. False when cancelled.
bool fl_clock_pause(uint32_t delay_ms, const atomic_bool *cancel);

#endif
