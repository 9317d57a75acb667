//  once - a trainer that is a command, in any language, run once a round or staying: files in its
//  own directory say what to do, files there and its exit code, or its answer, are what came of it.
//  docs/trainer-protocol.md is the contract. What a trainer does wrong is named in one line that
//  its author understands.
#ifndef FL_TRAINER_ONCE_H
#define FL_TRAINER_ONCE_H

#include "common/runtime/trainer.h"
#include "common/trainer/child.h"

enum { FL_ONCE_PROTOCOL = 1 };

typedef struct fl_once_conf {
    const char *name;      // of the trainer
    const char *node;      // name of this device
    const char *command;   // for /bin/sh
    const char *directory; // its own; exists
    const char *hidden;    // what it cannot read; "": nothing
    const char *from;      // where its files are: it begins there
    const char *data;      // where the owner says that its samples are; may be ""
    fl_network network;
    uint64_t memory, disk; // bytes; disk beside the model
    uint32_t time_max_ms, cancel_ms;
    uint32_t shard, shards; // which part of the samples is this device's
    bool mute;              // scores do not leave
    fl_child **standing;    // NULL: a command a round; else one that stays, closed by its holder
    void (*say)(void *self, const char *line);
    void *self;
} fl_once_conf;

//  As the `train` of fl_trainer: FL_MALFORMED names what the trainer did wrong, FL_MISMATCH what
//  it cannot train, FL_MISSING: it has no sample, FL_BUSY: cancelled. `end` is how the command
//  ended, where it was run.
FL_CHECKED fl_status fl_once_train(const fl_once_conf *conf, const atomic_bool *cancel,
                                   fl_training *training, fl_child_end *end, fl_why *why);

#endif
