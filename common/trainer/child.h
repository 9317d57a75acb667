//  child - a command of the owner's behind a fence (fence.h): its output caught line by line, its
//  time, disk and memory bounded, its end named. It is run to its end, or stays and answers a line
//  with a line. Called by one thread at a time.
#ifndef FL_TRAINER_CHILD_H
#define FL_TRAINER_CHILD_H

#include <stdatomic.h>

#include "common/base/status.h"
#include "common/trainer/fence.h"
#include "common/trainer/image.h"

enum { FL_CHILD_LINE_MAX = 240 };

typedef struct fl_child_conf {
    const char *command;   // for /bin/sh -c
    const char *directory; // its own
    const char *from;      // where it begins
    const char *hidden;    // one that it cannot read; "": none
    fl_network network;
    uint64_t memory, disk;     // bytes, of one process and of its directory; 0: any memory
    uint32_t time_max_ms;      // of all of it, or of one answer
    uint32_t cancel_ms;        // from being asked to end until it is killed
    size_t stays; // 0: it does not; else the size of its images: it reads FL_FENCE_ASKED and
                  // FL_FENCE_MODEL, writes FL_FENCE_UPDATE and FL_FENCE_ANSWER
    char *const *environment;  // all of it; a NULL ends it
    const atomic_bool *cancel; // NULL: never
    void (*say)(void *self, const char *line); // one line that it printed; NULL: nobody hears
    void *self;
} fl_child_conf;

typedef enum fl_child_how {
    FL_CHILD_EXIT,      // by itself, `code`
    FL_CHILD_SIGNAL,    // by a signal that was not ours, `code`
    FL_CHILD_CANCELLED, // by SIGTERM or soon after it, because of `cancel`
    FL_CHILD_LATE,      // likewise, because of time_max_ms
    FL_CHILD_DISK,      // killed, because of its directory
} fl_child_how;

typedef struct fl_child_end {
    fl_child_how how;
    int code;
    bool deaf;                    // asked to end, it did not, and was killed
    bool left;                    // it left processes behind, which were killed
    unsigned fences;              // what held: fl_fences
    uint32_t ms;                  // how long it took
    char last[FL_CHILD_LINE_MAX]; // line that it printed
} fl_child_end;

typedef struct fl_child fl_child;

//  FL_IO, FL_NOMEM: it could not be started. The result is yours; what `conf` points to, but for
//  the environment, lives as long.
FL_CHECKED fl_status fl_child_start(const fl_child_conf *conf, fl_child **child, fl_why *why);
//  Of one that stays.
fl_image *fl_child_image(fl_child *self);
//  Say a line (NULL: nothing) and wait for one. NULL: it has ended instead, `end` says how.
const char *fl_child_ask(fl_child *self, const char *line, fl_child_end *end);
//  End it now, and all that it has started.
void fl_child_close(fl_child **self_p);
//  From start to end.
FL_CHECKED fl_status fl_child_run(const fl_child_conf *conf, fl_child_end *end, fl_why *why);

//  Make a directory empty but for the names in `keep` (NULL ends it), following no link.
FL_CHECKED fl_status fl_child_empty(const char *directory, const char *const *keep, fl_why *why);

#endif
