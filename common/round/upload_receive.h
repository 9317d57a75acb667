//  upload_receive - one contribution on its way in: what was granted, what came, how fast. A plain
//  value inside a seat. Credit is absolute: [next, limit) may be sent; a gap or a stand-still asks
//  the sender to go back to `next`, once per place.
#ifndef FL_ROUND_UPLOAD_RECEIVE_H
#define FL_ROUND_UPLOAD_RECEIVE_H

#include "common/machine/policy.h"

typedef struct fl_upload_receive {
    uint64_t total, next, limit;
    uint64_t once; // the highest limit of a transfer before this one in the same round
    uint32_t rewind;
    uint64_t rewound_at; // `next` at the last rewind, so that one gap asks once
    uint32_t in_vain;    // rewinds since the last byte
    uint64_t rate;       // bytes/s since it began; 0 = unknown
    fl_time began_at, progress_at;
    fl_time window_at;    // start of the minimum-rate window ...
    uint64_t window_next; // ... and `next` then
} fl_upload_receive;

typedef enum fl_upload_receive_answer {
    FL_RECEIVE_TAKEN,     // write it; no word needed
    FL_RECEIVE_GRANT,     // write it and grant more
    FL_RECEIVE_COMPLETE,  // write it: that was the last
    FL_RECEIVE_DUPLICATE, // had it, or sent on credit of an earlier transfer; drop
    FL_RECEIVE_GAP,       // drop, and grant with a rewind
    FL_RECEIVE_GAP_KNOWN, // drop, the rewind was asked for already
    FL_RECEIVE_CREDIT,    // beyond what was granted: cut
} fl_upload_receive_answer;

//  `self` is all zeros, or what it was when an earlier transfer of this seat and round was given
//  up: bytes of that one may still be on their way, beyond the new limit, and are no offence.
void fl_upload_receive_begin(fl_upload_receive *self, uint64_t total, fl_time now);
//  A chunk of `bytes` at `offset`. Moves `next` and `limit` when it is taken.
fl_upload_receive_answer fl_upload_receive_chunk(fl_upload_receive *self, uint64_t offset,
                                                 uint64_t bytes, fl_time now);
//  True when nothing came for so long that chunks must be lost.
bool fl_upload_receive_stuck(const fl_upload_receive *self, uint32_t beat_ms, fl_time now);
//  Ask to go back to `next`.
void fl_upload_receive_rewind(fl_upload_receive *self, fl_time now);
//  True when fewer than rate_min bytes/s came over the last whole window; starts the next window.
bool fl_upload_receive_too_slow(fl_upload_receive *self, const fl_timing *timing, fl_time now);
//  Fill the credit fields of a GRANT.
void fl_upload_receive_grant(const fl_upload_receive *self, fl_grant *grant);

#endif
