//  best - which round of a run made the best model, and whether the run has gone far enough; pure.
//  Only rounds whose model was scored on the root's test set count. A run ends early when its best
//  score reaches a target, or when so many scores in a row were no better than the best (patience:
//  Prechelt, Early stopping - but when?, 1998). What it knows follows from the rounds that it was
//  shown: after a restart show it the same ones again.
#ifndef FL_CLOUD_BEST_H
#define FL_CLOUD_BEST_H

#include <stdint.h>

#include "common/wire/message.h"

typedef enum fl_best_by { FL_BEST_ACCURACY, FL_BEST_LOSS } fl_best_by;

typedef struct fl_best {
    fl_best_by by;
    double target;     // 0: none
    uint64_t patience; // scored rounds; 0: without end
    uint64_t round;    // the best; 0: none was scored
    double value;      // its score
    uint64_t since;    // scored rounds that were no better
} fl_best;

//  A round was closed with these scores, NaN where its model was not scored. True when it is the
//  best so far; of equal ones that is the first.
bool fl_best_see(fl_best *self, uint64_t round, double loss, double accuracy);
//  Why the run should end now: FL_WHY_TARGET, FL_WHY_PATIENCE or FL_WHY_NONE.
fl_reason fl_best_ending(const fl_best *self);

#endif
