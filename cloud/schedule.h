//  schedule - the devices' learning rate, round by round; pure. With t rounds of the schedule
//  behind it and T, the last of them:
//    constant  first
//    step      first * factor ^ floor(t / every): the drops of He, Zhang, Ren, Sun, Deep residual
//              learning for image recognition, CVPR 2016, at equal distances
//    cosine    last + (first - last) * (1 + cos(pi * t / T)) / 2: Loshchilov, Hutter, SGDR, ICLR
//              2017, equation 5, without restarts: from `first` in its first round to `last` in T
//  In the `warmup` rounds before that, round r of them has first * r / (warmup + 1): Goyal et al.,
//  Accurate, large minibatch SGD, 2017, section 2.2.
#ifndef FL_CLOUD_SCHEDULE_H
#define FL_CLOUD_SCHEDULE_H

#include <stdint.h>

#include "common/base/status.h"

#define FL_SCHEDULE_RATE_MAX 1000.0

typedef enum fl_schedule_kind {
    FL_SCHEDULE_NONE, // the root says nothing: the recipe stays as it is
    FL_SCHEDULE_CONSTANT,
    FL_SCHEDULE_STEP,
    FL_SCHEDULE_COSINE
} fl_schedule_kind;

typedef struct fl_schedule {
    fl_schedule_kind kind;
    double first;
    double last;     // of COSINE
    double factor;   // of STEP
    uint64_t every;  // of STEP, rounds
    uint64_t warmup; // rounds
} fl_schedule;

//  FL_RANGE when a number is out of bounds; `why` says which.
FL_CHECKED fl_status fl_schedule_check(const fl_schedule *self, uint64_t rounds, fl_why *why);
//  The rate of a round, from 1, of a run of so many; of a schedule that was checked, not of NONE.
double fl_schedule_at(const fl_schedule *self, uint64_t round, uint64_t rounds);
//  Whether something is done in this round that is done every so many, and in the last; 0: never.
bool fl_schedule_due(uint64_t every, uint64_t round, uint64_t rounds);

#endif
