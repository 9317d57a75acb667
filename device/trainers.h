//  trainers - all that this device can learn with: what it has itself, and the commands that its
//  owner names, a file NAME.yaml each in one directory. A run asks for one by name. A seam of
//  common/runtime/trainer.h in front of them.
#ifndef FL_DEVICE_TRAINERS_H
#define FL_DEVICE_TRAINERS_H

#include "common/config/conf.h"
#include "common/machine/offerings.h"
#include "common/runtime/trainer.h"

enum { FL_TRAINERS_MAX = 16 };

typedef struct fl_trainers_conf {
    const char *directory; // of the files; "": there are none
    const char *state;     // state directory: below it each has a directory of its own
    const char *hidden;    // what none of them can read: the state directory, or what it stands in
    const char *node;      // name of this device
    uint32_t shard, shards;
    bool mute;            // scores do not leave
    uint64_t samples_min; // with fewer they take part in nothing
    fl_trainer own;       // that of a run which names none; `train` NULL: there is none. Taken.
} fl_trainers_conf;

//  Read the files, try the fence of each and log what it lacks. FL_MALFORMED, FL_RANGE: a file;
//  FL_DENIED: a fence that is required does not hold. `trainer` is yours to destroy by its own
//  `destroy`, and has taken conf->own then.
FL_CHECKED fl_status fl_trainers_open(const fl_trainers_conf *conf, fl_trainer *trainer,
                                      fl_why *why);
//  The commands, beside what the device offers itself, on the same data; without one of its own
//  only they are offered. `self` is that of the trainer, here and below.
void fl_trainers_offer(const void *self, fl_offerings *offers);
//  For fl_participant_conf: FL_WHY_NO_TRAINER when the run names no trainer, and only commands are
//  here.
fl_reason fl_trainers_judge(const void *self, const fl_order *order, char text[FL_TEXT_MAX]);

#endif
