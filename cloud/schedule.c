#include "cloud/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

fl_status
fl_schedule_check(const fl_schedule *self, uint64_t rounds, fl_why *why)
{
    const double rates[] = { self->first, self->last };
    for (int i = 0; i < 2; i++) {
        if (!(rates[i] >= 0 && rates[i] <= FL_SCHEDULE_RATE_MAX)) {
            return fl_fail(FL_RANGE, why, "train.rate: %g is no rate, it must be from 0 to %g",
                           rates[i], FL_SCHEDULE_RATE_MAX);
        }
    }
    if (self->kind == FL_SCHEDULE_STEP && !(self->factor > 0 && self->factor <= 1)) {
        return fl_fail(FL_RANGE, why,
                       "train.rate.step: the factor is %g, it must be above 0 and at most 1",
                       self->factor);
    }
    if (self->kind == FL_SCHEDULE_STEP && self->every < 1) {
        return fl_fail(FL_RANGE, why,
                       "train.rate.step: a step takes a whole number of rounds, "
                       "from 1");
    }
    if (self->warmup > 0 && self->warmup >= rounds) {
        return fl_fail(FL_RANGE, why,
                       "train.rate.warmup is %llu, of %llu rounds: leave some for the rate itself",
                       (unsigned long long)self->warmup, (unsigned long long)rounds);
    }
    return FL_OK;
}

double
fl_schedule_at(const fl_schedule *self, uint64_t round, uint64_t rounds)
{
    FL_ASSERT(self->kind != FL_SCHEDULE_NONE && round >= 1);
    if (round <= self->warmup) {
        return self->first * (double)round / (double)(self->warmup + 1);
    }
    const uint64_t behind = round - self->warmup - 1;
    if (self->kind == FL_SCHEDULE_STEP) {
        return self->first * pow(self->factor, (double)(behind / self->every));
    }
    if (self->kind == FL_SCHEDULE_COSINE) {
        const uint64_t end = rounds > self->warmup + 1 ? rounds - self->warmup - 1 : 1;
        const double part = behind < end ? (double)behind / (double)end : 1;
        return self->last + (self->first - self->last) * (1 + cos(pi * part)) / 2;
    }
    return self->first;
}

bool
fl_schedule_due(uint64_t every, uint64_t round, uint64_t rounds)
{
    return every > 0 && (round % every == 0 || round == rounds);
}
