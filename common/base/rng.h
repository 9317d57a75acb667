//  rng - seeded, splittable random numbers for training, partitions and the simulator. Never for
//  secrets. splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
//  OOPSLA 2014): the same seed gives the same numbers on every machine.
#ifndef FL_BASE_RNG_H
#define FL_BASE_RNG_H

#include <stdint.h>

typedef struct fl_rng {
    uint64_t state;
} fl_rng;

fl_rng fl_rng_seeded(uint64_t seed);
//  An independent stream named by `lane`; `self` does not move.
fl_rng fl_rng_split(const fl_rng *self, uint64_t lane);
uint64_t fl_rng_u64(fl_rng *self);
//  Uniform in [0, bound); bound > 0; without modulo bias.
uint64_t fl_rng_below(fl_rng *self, uint64_t bound);
//  Uniform in [0, 1), 53 bits.
double fl_rng_unit(fl_rng *self);
//  Standard normal (Box-Muller, one value a call).
double fl_rng_normal(fl_rng *self);
//  Gamma(shape, 1), shape > 0 (Marsaglia and Tsang, ACM TOMS 26(3), 2000).
double fl_rng_gamma(fl_rng *self, double shape);
//  Every order of the `count` numbers is as likely as any other.
void fl_rng_shuffle(fl_rng *self, uint32_t *numbers, uint32_t count);

#endif
