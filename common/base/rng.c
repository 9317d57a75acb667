#include "common/base/rng.h"

#include <math.h>

#include "common/base/status.h"

static uint64_t
s_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

fl_rng
fl_rng_seeded(uint64_t seed)
{
    return (fl_rng){ .state = s_mix(seed + 0x9e3779b97f4a7c15u) };
}

fl_rng
fl_rng_split(const fl_rng *self, uint64_t lane)
{
    return (fl_rng){ .state = s_mix(self->state ^ s_mix(lane + 0x632be59bd9b4e019u)) };
}

uint64_t
fl_rng_u64(fl_rng *self)
{
    self->state += 0x9e3779b97f4a7c15u;
    return s_mix(self->state);
}

uint64_t
fl_rng_below(fl_rng *self, uint64_t bound)
{
    FL_ASSERT(bound > 0);
    uint64_t floor = (UINT64_MAX - bound + 1) % bound;
    uint64_t value = fl_rng_u64(self);
    while (value < floor) {
        value = fl_rng_u64(self);
    }
    return value % bound;
}

double
fl_rng_unit(fl_rng *self)
{
    return (double)(fl_rng_u64(self) >> 11) * 0x1.0p-53;
}

double
fl_rng_normal(fl_rng *self)
{
    double radius = sqrt(-2.0 * log(1.0 - fl_rng_unit(self)));
    return radius * cos(6.283185307179586 * fl_rng_unit(self));
}

double
fl_rng_gamma(fl_rng *self, double shape)
{
    FL_ASSERT(shape > 0.0);
    double boost = 1.0;
    if (shape < 1.0) {
        boost = pow(1.0 - fl_rng_unit(self), 1.0 / shape);
        shape += 1.0;
    }
    double d = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = fl_rng_normal(self);
        double v = 1.0 + c * x;
        if (v <= 0.0) {
            continue;
        }
        v = v * v * v;
        if (log(1.0 - fl_rng_unit(self)) < 0.5 * x * x + d - d * v + d * log(v)) {
            return boost * d * v;
        }
    }
}

void
fl_rng_shuffle(fl_rng *self, uint32_t *numbers, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)fl_rng_below(self, i);
        uint32_t swap = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = swap;
    }
}
