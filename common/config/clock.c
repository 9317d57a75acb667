#include "common/config/clock.h"

#include <stdio.h>
#include <time.h>

//  How long a cancelled wait may go on.
enum { SLICE_MS = 10 };

fl_time
fl_clock_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (fl_time)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

uint64_t
fl_clock_wall_s(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec < 0 ? 0 : (uint64_t)at.tv_sec;
}

void
fl_clock_stamp(char text[32])
{
    struct timespec at;
    struct tm parts;
    (void)clock_gettime(CLOCK_REALTIME, &at);
    text[0] = '\0';
    if (gmtime_r(&at.tv_sec, &parts) == NULL) {
        return;
    }
    size_t used = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + used, 32 - used, ".%03dZ", (int)(at.tv_nsec / 1000000) % 1000);
}

void
fl_clock_date(uint64_t seconds, char text[32])
{
    struct tm parts;
    time_t at = (time_t)seconds;
    if (gmtime_r(&at, &parts) == NULL || strftime(text, 32, "%Y-%m-%d %H:%M UTC", &parts) == 0) {
        (void)snprintf(text, 32, "second %llu", (unsigned long long)seconds);
    }
}

bool
fl_clock_pause(uint32_t delay_ms, const atomic_bool *cancel)
{
    const fl_time end = fl_clock_ms() + delay_ms;
    for (fl_time left = delay_ms; left > 0; left = end - fl_clock_ms()) {
        if (atomic_load(cancel)) {
            return false;
        }
        const long slice = left < SLICE_MS ? (long)left : SLICE_MS;
        (void)nanosleep(&(struct timespec){ .tv_nsec = slice * 1000000 }, NULL);
    }
    return !atomic_load(cancel);
}
