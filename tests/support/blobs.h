//  blobs - a small problem that a perceptron can learn: three clouds of points in eight bytes of
//  input, the same for the same seed. For tests of training.
#ifndef FL_SUPPORT_BLOBS_H
#define FL_SUPPORT_BLOBS_H

#include "common/base/rng.h"
#include "common/model/learn.h"

enum { BLOBS_FEATURES = 8, BLOBS_CLASSES = 3, BLOBS_MAX = 600 };

typedef struct blobs {
    uint8_t inputs[BLOBS_MAX * BLOBS_FEATURES];
    uint8_t labels[BLOBS_MAX];
} blobs;

static inline fl_samples
blobs_fill(blobs *self, uint32_t count, uint64_t seed)
{
    fl_rng rng = fl_rng_seeded(seed);
    for (uint32_t n = 0; n < count; n++) {
        const uint32_t label = (uint32_t)fl_rng_below(&rng, BLOBS_CLASSES);
        self->labels[n] = (uint8_t)label;
        for (uint32_t i = 0; i < BLOBS_FEATURES; i++) {
            const uint32_t centre = i % BLOBS_CLASSES == label ? 150 : 60;
            self->inputs[n * BLOBS_FEATURES + i] = (uint8_t)(centre + fl_rng_below(&rng, 100));
        }
    }
    return (fl_samples){ self->inputs, self->labels, count, BLOBS_FEATURES };
}

#endif
