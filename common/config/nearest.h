//  nearest - «did you mean»: how far one word is from another.
#ifndef FL_CONFIG_NEAREST_H
#define FL_CONFIG_NEAREST_H

#include "common/base/status.h"

//  The best word so far.
typedef struct fl_nearest {
    const char *word; // borrowed; NULL: nothing is near enough
    unsigned distance;
} fl_nearest;

//  Let `candidate` compete: near enough is at most 3 edits and at most a third of the longer word.
//  An edit inserts, removes, replaces or swaps neighbours.
void fl_nearest_try(fl_nearest *self, const char *typed, const char *candidate);
//  ", did you mean 'window'?" or "" into `text`.
void fl_nearest_say(const fl_nearest *self, char text[96]);

#endif
