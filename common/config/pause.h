//  pause - a wait that another thread can end, and a clock to measure work with. For trainers,
//  which run outside the machines and may know the time.
#ifndef FL_CONFIG_PAUSE_H
#define FL_CONFIG_PAUSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/id.h"

//  The monotonic clock now.
fl_time fl_pause_clock(void);
//  Wait so long, or until `*cancel`, whichever is first. False when cancelled.
bool fl_pause(uint32_t delay_ms, const atomic_bool *cancel);

#endif
