//  combine - how the contributions of a round become one vector. A rule is shown each contribution
//  when it is added, and the accumulator when all are in. A rule that needs to see contributions
//  one by one is none for masked rounds: there they are noise, and only their sum says something.
//  Pure functions over caller-owned memory; one thread at a time per accumulator.
#ifndef FL_TENSOR_COMBINE_H
#define FL_TENSOR_COMBINE_H

#include "common/tensor/fold.h"

typedef struct fl_combine_rule {
    const char *name;
    bool each; // sees contributions one by one: unmasked rounds only
    //  A contribution, whole, of that weight (0: masked). `kept` is the rule's: NULL at first.
    void (*add)(void **kept, fl_fold *sum, const uint8_t *wire, uint64_t weight);
    //  All are in, and `sum` is what goes on from here; NULL: the round was given up. Either way
    //  nothing is kept any more. A rule that keeps nothing has none.
    void (*end)(void **kept, fl_fold *sum);
} fl_combine_rule;

//  "sum". NULL when there is no rule of that name.
const fl_combine_rule *fl_combine_find(const char *name);

#endif
