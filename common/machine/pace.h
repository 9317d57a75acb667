//  pace - how long contributions take here: the median of the last rounds' medians, so that one
//  round in which everybody happened to be quick does not shorten the next deadline. A plain value.
#ifndef FL_MACHINE_PACE_H
#define FL_MACHINE_PACE_H

#include <stdint.h>

enum { FL_PACE_ROUNDS = 8 };

typedef struct fl_pace {
    uint32_t medians[FL_PACE_ROUNDS]; // ms, a ring
    uint32_t count;                   // rounds learnt, ever
} fl_pace;

//  Learn from one round: so many durations in ms, which are sorted here. None teaches nothing.
void fl_pace_learn(fl_pace *self, uint32_t *durations, uint32_t count);
//  Forget everything: the next deadline is the window's.
void fl_pace_forget(fl_pace *self);
//  0 when nothing was learnt.
uint32_t fl_pace_ms(const fl_pace *self);

#endif
