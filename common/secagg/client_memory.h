//  client_memory - what a member remembers for ever of its masked rounds: the last round that it
//  masked in, of each of the newest 65 runs, and for each model that it masked an update of, in
//  which block, and whether it gave shares that open it. The newest 256, among them the newest one
//  of each of 16 runs. Durable before the first masked byte leaves, and again before the shares do.
//  A plain value.
#ifndef FL_SECAGG_CLIENT_MEMORY_H
#define FL_SECAGG_CLIENT_MEMORY_H

#include "common/base/status.h"
#include "common/secagg/transcript.h"
#include "common/wire/message.h"

enum { FL_MARK_DEEDS_MAX = 256, FL_MARK_LEFT_MAX = 64, FL_MARK_RUNS_MAX = 16 };

//  What an update is drawn from: as often as this is the same, updates may be, too. Another run is
//  another draw, because seeds follow from the run and a secret of the device, unless it is pinned.
typedef struct fl_secagg_drawn {
    fl_run run;
    fl_hash tensors; // of the model, as the order says
    uint8_t draw;    // below 128; from 1 on of another part of the samples
    bool pin;        // nothing is random: the same in every run
} fl_secagg_drawn;

//  An update of it was masked.
typedef struct fl_secagg_deed {
    fl_secagg_drawn of;
    fl_transcript_round where; // the block, and the hash of its roster
    bool released;             // shares were given
} fl_secagg_deed;

//  A run that was left for another one.
typedef struct fl_secagg_left {
    fl_run run;
    uint64_t round; // last one masked in
    uint64_t pools; // the epoch of its pools
} fl_secagg_left;

typedef struct fl_secagg_mark {
    fl_run run;     // of the last round masked in
    uint64_t round; // 0 for none
    uint64_t pools;
    uint32_t count;
    fl_secagg_deed deed[FL_MARK_DEEDS_MAX]; // newest first, zeros behind them
    uint32_t left_count;
    fl_secagg_left left[FL_MARK_LEFT_MAX]; // likewise
} fl_secagg_mark;

enum {
    FL_MARK_DEED_BYTES = 16 + 32 + 1 + 1 + 1 + 16 + 4 + 8 + 1 + 32,
    FL_MARK_LEFT_BYTES = 16 + 8 + 8,
    FL_MARK_BYTES = 16 + 8 + 8 + 4 + FL_MARK_DEEDS_MAX * FL_MARK_DEED_BYTES + 4 +
                    FL_MARK_LEFT_MAX * FL_MARK_LEFT_BYTES,
};

void fl_secagg_mark_encode(const fl_secagg_mark *self, uint8_t bytes[FL_MARK_BYTES]);
//  False: not such bytes; the mark is zeroed then.
FL_CHECKED bool fl_secagg_mark_decode(fl_bytes bytes, fl_secagg_mark *self);

//  Remember the round that is masked in, and the epoch of its pools.
void fl_secagg_mark_spend(fl_secagg_mark *self, const fl_run *run, uint64_t round, uint64_t pools);
//  The last round of this run that was masked in, and its epoch; zeros: none that we know.
fl_secagg_left fl_secagg_mark_spent(const fl_secagg_mark *self, const fl_run *run);

//  Remember that an update of it is masked there; what was known of it is replaced.
void fl_secagg_mark_mask(fl_secagg_mark *self, const fl_secagg_drawn *of,
                         const fl_transcript_round *where);
//  Remember that shares are given of the block of this roster, which is known.
void fl_secagg_mark_release(fl_secagg_mark *self, const fl_hash *roster);
//  The block of this roster was not opened and never will be: what was masked there may be masked
//  again. False: nothing is known of it.
bool fl_secagg_mark_clear(fl_secagg_mark *self, const fl_hash *roster);

//  NULL: no update of it was masked, that we know.
const fl_secagg_deed *fl_secagg_mark_of(const fl_secagg_mark *self, const fl_secagg_drawn *of);
//  What keeps that from being masked: the same or a greater draw of that model was, or, beside the
//  first one, `draws_max` other ones. NULL: nothing.
const fl_secagg_deed *fl_secagg_mark_binds(const fl_secagg_mark *self, const fl_secagg_drawn *of,
                                           uint32_t draws_max);
//  Of how many draws of that model updates were masked.
uint32_t fl_secagg_mark_draws(const fl_secagg_mark *self, const fl_secagg_drawn *of);
const fl_secagg_deed *fl_secagg_mark_at(const fl_secagg_mark *self, const fl_hash *roster);

#endif
