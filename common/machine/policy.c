#include "common/machine/policy.h"

#include <stdlib.h>
#include <string.h>

fl_timing
fl_timing_default(void)
{
    return (fl_timing){
        .beat_ms = 1000,
        .evasive_beats = 3,
        .lease_beats = 6,
        .hop_ms = 100,
        .finish_ms = 200,
        .join_wait_ms = 5000,
        .rate_min = 2048,
        .rate_window_ms = 10000,
    };
}

uint32_t
fl_policy_deadline_ms(const fl_window *window, uint32_t median_ms)
{
    if (window->factor_permille == 0 || median_ms == 0) {
        return window->time_max_ms;
    }
    uint64_t measured = (uint64_t)median_ms * window->factor_permille / 1000;
    if (measured < window->time_min_ms) {
        measured = window->time_min_ms;
    }
    return measured < window->time_max_ms ? (uint32_t)measured : window->time_max_ms;
}

uint64_t
fl_policy_damped(uint64_t weight, uint64_t staleness)
{
    if (weight == 0 || staleness == UINT64_MAX) {
        return weight == 0 ? 0 : 1;
    }
    uint64_t damped = weight / (1 + staleness);
    return damped > 0 ? damped : 1;
}

static uint64_t
s_units(uint64_t samples, const fl_plan *plan)
{
    uint64_t units = samples / plan->weight_unit + (samples % plan->weight_unit != 0);
    return units < plan->weight_max ? units : plan->weight_max;
}

uint64_t
fl_policy_weight(uint64_t samples, const fl_plan *plan)
{
    return plan->weighting == FL_WEIGHTING_SAMPLES ? s_units(samples, plan)
                                                   : (uint64_t)1 << fl_policy_class(samples, plan);
}

uint8_t
fl_policy_class(uint64_t samples, const fl_plan *plan)
{
    uint8_t class = 0;
    while (plan->weighting == FL_WEIGHTING_CLASSES && s_units(samples, plan) >> class > 1) {
        class ++;
    }
    return class;
}

uint64_t
fl_policy_samples_max(const fl_plan *plan)
{
    return plan->weighting == FL_WEIGHTING_EQUAL ? 0
                                                 : (uint64_t)plan->weight_unit * plan->weight_max;
}

fl_element
fl_policy_element(const fl_plan *plan)
{
    fl_element element = { .clip = plan->clip,
                           .bits = plan->bits,
                           .weight_unit = plan->weight_unit,
                           .weight_max = plan->weight_max,
                           .devices_max = plan->devices_max };
    fl_status chosen = fl_element_choose(&element, NULL);
    (void)chosen; // one that overflows has no width: the proof says so
    return element;
}

static uint64_t
s_clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

uint32_t
fl_policy_chunk_bytes(uint64_t rate)
{
    uint64_t quarter = s_clamp(rate / 4, FL_CHUNK_BYTES_MIN, FL_CHUNK_BYTES_MAX);
    return (uint32_t)(quarter / FL_CHUNK_BYTES_MIN * FL_CHUNK_BYTES_MIN);
}

uint64_t
fl_policy_window_bytes(uint64_t rate)
{
    uint64_t chunk = fl_policy_chunk_bytes(rate);
    return s_clamp(rate / 2, 2 * chunk, FL_WINDOW_BYTES_MAX);
}

fl_time
fl_policy_patience_ms(uint32_t beat_ms, uint64_t rate, uint32_t in_vain)
{
    enum { BEATS = 2, DOUBLINGS = 4 };
    uint64_t least = BEATS * (uint64_t)beat_ms;
    uint64_t most = least << DOUBLINGS;
    uint64_t window = rate == 0 ? 0 : fl_policy_window_bytes(rate) * 1000 / rate;
    uint64_t patience = s_clamp(window, least, most) << (in_vain < DOUBLINGS ? in_vain : DOUBLINGS);
    return (fl_time)(patience < most ? patience : most);
}

uint32_t
fl_policy_backoff_ms(uint32_t attempt, uint32_t min_ms, uint32_t max_ms, uint64_t random)
{
    uint64_t delay = attempt < 20 ? (uint64_t)min_ms << attempt : max_ms;
    delay = s_clamp(delay, min_ms, max_ms);
    return (uint32_t)(delay / 2 + random % (delay / 2 + 1));
}

uint32_t
fl_awaited_of(const fl_awaited *self, uint32_t expect)
{
    return self->short_of && self->enough < expect ? self->enough : expect;
}

//  Only who comes is back: one that goes may be counted for a moment longer.
void
fl_awaited_see(fl_awaited *self, uint32_t there)
{
    if (there > self->there && there > self->enough) {
        self->enough = there;
    }
    self->there = there;
}

bool
fl_awaited_round(fl_awaited *self, uint32_t expect, uint32_t there, uint32_t absent_max)
{
    bool whole = there >= fl_awaited_of(self, expect);
    self->rounds = whole ? 0 : self->rounds + 1;
    if (whole || absent_max == 0 || self->rounds < absent_max) {
        return false;
    }
    *self = (fl_awaited){ .short_of = true, .enough = there, .there = self->there };
    return true;
}

void
fl_awaited_recall(fl_awaited *self, uint32_t last, uint32_t absent_max, bool others)
{
    if (others) {
        *self = (fl_awaited){ .there = 0 };
    }
    if (self->there == 0 && absent_max > 0) {
        *self = (fl_awaited){ .short_of = true, .enough = last };
    }
}

void
fl_awaited_lower(fl_awaited *self, uint32_t expect, uint32_t by)
{
    uint32_t all = fl_awaited_of(self, expect);
    self->short_of = self->short_of || expect > 0; // nobody is waited for, and nobody the less
    self->enough = all > by ? all - by : 0;
}

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
