//  client_memory - what a member remembers for ever of its masked rounds: the last round that it
//  masked in, of each of the newest 65 runs, and what the sums that it helped to open were of and
//  who survived in them, the newest 64, among them the newest one of each of 16 runs. Durable
//  before the first masked byte leaves, and again before the shares that open a sum do. A plain
//  value.
#ifndef FL_SECAGG_CLIENT_MEMORY_H
#define FL_SECAGG_CLIENT_MEMORY_H

#include "common/base/status.h"
#include "common/wire/message.h"

enum { FL_MARK_OLDER_MAX = 63, FL_MARK_LEFT_MAX = 64, FL_MARK_RUNS_MAX = 16 };

//  What an update is drawn from: as often as this is the same, updates may be, too. Another run is
//  another draw, because seeds follow from the run and a secret of the device, unless it is pinned.
typedef struct fl_secagg_drawn {
    fl_run run;
    fl_hash tensors; // of the model, as the order says
    uint8_t draw;    // below 128; 0: updates are drawn once
    bool pin;        // nothing is random: the same in every run
} fl_secagg_drawn;

//  A sum that was opened before the last one; the last one of its drawing.
typedef struct fl_secagg_older {
    uint64_t round;
    fl_secagg_drawn of;
    fl_hash survivors; // of their names in ascending order
} fl_secagg_older;

//  A run that was left for another one.
typedef struct fl_secagg_left {
    fl_run run;
    uint64_t round; // last one masked in
} fl_secagg_left;

typedef struct fl_secagg_mark {
    fl_run run;                        // of the last round masked in
    uint64_t round;                    // 0 for none
    uint64_t opened;                   // round of the last sum opened; 0 for none
    fl_secagg_drawn of;                // what it was a sum of
    uint32_t count;                    // survivors of that sum ...
    fl_name survivors[FL_MEMBERS_MAX]; // ... by ascending name, zeros behind them
    uint32_t older_count;
    fl_secagg_older older[FL_MARK_OLDER_MAX]; // newest first, zeros behind them
    uint32_t left_count;
    fl_secagg_left left[FL_MARK_LEFT_MAX]; // likewise
} fl_secagg_mark;

enum {
    FL_MARK_DRAWN_BYTES = 16 + 32 + 1,
    FL_MARK_OLDER_BYTES = 8 + FL_MARK_DRAWN_BYTES + 32,
    FL_MARK_LEFT_BYTES = 16 + 8,
    FL_MARK_BYTES = 16 + 8 + 8 + FL_MARK_DRAWN_BYTES + 4 + 16 * FL_MEMBERS_MAX + 4 +
                    FL_MARK_OLDER_MAX * FL_MARK_OLDER_BYTES + 4 +
                    FL_MARK_LEFT_MAX * FL_MARK_LEFT_BYTES,
};

void fl_secagg_mark_encode(const fl_secagg_mark *self, uint8_t bytes[FL_MARK_BYTES]);
//  False: not such bytes; the mark is zeroed then.
FL_CHECKED bool fl_secagg_mark_decode(fl_bytes bytes, fl_secagg_mark *self);

//  Remember the round that is masked in.
void fl_secagg_mark_spend(fl_secagg_mark *self, const fl_run *run, uint64_t round);
//  The last round of this run that was masked in; 0: none that we know.
uint64_t fl_secagg_mark_spent(const fl_secagg_mark *self, const fl_run *run);

//  Remember who survived; `names` (count) in any order.
void fl_secagg_mark_open(fl_secagg_mark *self, uint64_t round, const fl_secagg_drawn *of,
                         const fl_name *names, uint32_t count);
//  The round in which a sum of this was opened last; 0: not that we know.
uint64_t fl_secagg_mark_opened(const fl_secagg_mark *self, const fl_secagg_drawn *of);
//  The survivors of it, where they are known by name, are all among `names`.
bool fl_secagg_mark_within(const fl_secagg_mark *self, const fl_secagg_drawn *of,
                           const fl_name *names, uint32_t count);
//  They are exactly `names`, or nothing of it was opened.
bool fl_secagg_mark_exactly(const fl_secagg_mark *self, const fl_secagg_drawn *of,
                            const fl_name *names, uint32_t count);

#endif
