#include "cloud/best.h"

#include <math.h>

//  `value` is above `other`, or below it where less is better.
static bool
s_better(const fl_best *self, double value, double other)
{
    return self->by == FL_BEST_LOSS ? value < other : value > other;
}

bool
fl_best_see(fl_best *self, uint64_t round, double loss, double accuracy)
{
    const double value = self->by == FL_BEST_LOSS ? loss : accuracy;
    if (isnan(value)) {
        return false;
    }
    if (self->round > 0 && !s_better(self, value, self->value)) {
        self->since++;
        return false;
    }
    self->round = round;
    self->value = value;
    self->since = 0;
    return true;
}

fl_reason
fl_best_ending(const fl_best *self)
{
    if (self->round > 0 && self->target > 0 && !s_better(self, self->target, self->value)) {
        return FL_WHY_TARGET;
    }
    return self->patience > 0 && self->since >= self->patience ? FL_WHY_PATIENCE : FL_WHY_NONE;
}
