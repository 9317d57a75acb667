#include "common/config/pause.h"

#include <time.h>

//  How long a cancelled wait may go on.
enum { SLICE_MS = 10 };

fl_time
fl_pause_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (fl_time)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool
fl_pause(uint32_t delay_ms, const atomic_bool *cancel)
{
    const fl_time end = fl_pause_clock() + delay_ms;
    for (fl_time left = delay_ms; left > 0; left = end - fl_pause_clock()) {
        if (atomic_load(cancel)) {
            return false;
        }
        const long slice = left < SLICE_MS ? (long)left : SLICE_MS;
        (void)nanosleep(&(struct timespec){ .tv_nsec = slice * 1000000 }, NULL);
    }
    return !atomic_load(cancel);
}
