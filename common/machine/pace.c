#include "common/machine/pace.h"

#include <stdlib.h>
#include <string.h>

static int
s_by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void
fl_pace_learn(fl_pace *self, uint32_t *durations, uint32_t count)
{
    if (count > 0) {
        qsort(durations, count, sizeof *durations, s_by_value);
        self->medians[self->count++ % FL_PACE_ROUNDS] = durations[count / 2];
    }
}

void
fl_pace_forget(fl_pace *self)
{
    self->count = 0;
}

uint32_t
fl_pace_ms(const fl_pace *self)
{
    uint32_t sorted[FL_PACE_ROUNDS];
    uint32_t count = self->count < FL_PACE_ROUNDS ? self->count : FL_PACE_ROUNDS;
    if (count == 0) {
        return 0;
    }
    memcpy(sorted, self->medians, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, s_by_value);
    return sorted[count / 2];
}
