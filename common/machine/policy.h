//  policy - the numbers that decide a round: its window, its deadline, what happens when too few
//  came, how much a late update still weighs, how long contributions take here. Plain values and
//  pure functions; whether an update is late, the aggregator decides, and a device whether it
//  carries it on.
#ifndef FL_MACHINE_POLICY_H
#define FL_MACHINE_POLICY_H

#include "common/base/id.h"
#include "common/tensor/element.h"
#include "common/wire/message.h"

//  What a parent does when its window ends with fewer than count_min contributions, or with a
//  smaller share of the devices.
typedef enum fl_missed { FL_MISSED_EXTEND, FL_MISSED_SKIP, FL_MISSED_ABORT } fl_missed;

typedef struct fl_window {
    uint32_t count_min;       // >= 1; fewer is a missed round
    uint32_t count_max;       // enough: close as soon as time_min_ms has passed; 0 = all invited
    uint32_t time_min_ms;     // never close earlier, so that a joiner has a chance
    uint32_t time_max_ms;     // the deadline when it is fixed, its ceiling when it is measured
    uint32_t factor_permille; // 0: fixed. Else deadline = factor * fl_pace_ms()
    fl_missed missed;
    uint32_t extend_ms;   // added by FL_MISSED_EXTEND ...
    uint32_t extends_max; // ... at most so often a round, then the round is skipped
    uint32_t share_permille; // of the devices of the run have to be in, or the round is missed
} fl_window;

typedef struct fl_timing {
    uint32_t beat_ms;        // heartbeat interval that the parent sets for its children
    uint32_t evasive_beats;  // silent so long: shown as evasive
    uint32_t lease_beats;    // silent so long: the seat is given up
    uint32_t hop_ms;         // taken off a child's budget for the way there and back
    uint32_t finish_ms;      // kept back before our own due time to finish and send the sum
    uint32_t join_wait_ms;   // wait for expected children before a round closes early
    uint32_t rate_min;       // bytes/s below which a staging slot is withdrawn
    uint32_t rate_window_ms; // over which that rate is measured
} fl_timing;

//  Sensible numbers for a LAN; every one is a setting.
fl_timing fl_timing_default(void);

//  Deadline of a round in ms after it opened. `median_ms` is 0 when nothing was measured yet.
uint32_t fl_policy_deadline_ms(const fl_window *window, uint32_t median_ms);

//  Weight of an update that is `staleness` rounds old: max(1, floor(w / (1 + staleness))), and 0
//  for w = 0. (The 1/(1+s) damping of REFL, arXiv 2111.01108, with beta = 0.)
uint64_t fl_policy_damped(uint64_t weight, uint64_t staleness);

//  What a device with so many samples weighs. Samples: ceil(samples / unit), at most weight_max, 0
//  for none; equal: 1; classes: 2^class.
uint64_t fl_policy_weight(uint64_t samples, const fl_plan *plan);
//  The class of a device with so many samples: the largest c with 2^c <= ceil(samples / unit) and
//  <= weight_max. 0 where there are no classes.
uint8_t fl_policy_class(uint64_t samples, const fl_plan *plan);
//  So many samples of a device count at most: above it its weight is capped. 0, equal: any number.
uint64_t fl_policy_samples_max(const fl_plan *plan);

//  How an element travels in a round of that plan: today the same on every hop. The only place that
//  says so; a plan whose sums do not fit gives one that cannot be proved.
fl_element fl_policy_element(const fl_plan *plan);

//  Bytes of one chunk and of a credit window for a measured rate (bytes/s; 0 = unknown yet):
//  about a quarter second of chunk and half a second of window, within the limits.
uint32_t fl_policy_chunk_bytes(uint64_t rate);
uint64_t fl_policy_window_bytes(uint64_t rate);
enum { FL_WINDOW_BYTES_MAX = 8 * FL_CHUNK_BYTES_MAX };

//  How long a transfer may stand still until its bytes are taken for lost and asked for again: two
//  beats, or what a window takes at the measured rate, whichever is longer; twice as long for every
//  time that asking was `in_vain`, up to 32 beats. Slow is not lost: who asks a slow link again and
//  again fills it with bytes that nobody wants any more.
fl_time fl_policy_patience_ms(uint32_t beat_ms, uint64_t rate, uint32_t in_vain);

//  Delay before reconnect number `attempt` (from 0): doubling from `min_ms` to `max_ms`, times a
//  jitter in [0.5, 1.0] drawn from `random`.
uint32_t fl_policy_backoff_ms(uint32_t attempt, uint32_t min_ms, uint32_t max_ms, uint64_t random);

//  How many of those that are expected are waited for: all of them, until so many rounds in a row
//  were without some; then as many as there were, and more at once when more are there. A plain
//  value, the same for one run after the other.
typedef struct fl_awaited {
    bool short_of;   // some are given up, so:
    uint32_t enough; // who is waited for
    uint32_t there;  // as last seen
    uint32_t rounds; // without some, one after the other
} fl_awaited;

//  Of so many that are expected.
uint32_t fl_awaited_of(const fl_awaited *self, uint32_t expect);
//  So many are there now.
void fl_awaited_see(fl_awaited *self, uint32_t there);
//  A round was without all but `there`, for as long as it waits. True: the others are given up now.
bool fl_awaited_round(fl_awaited *self, uint32_t expect, uint32_t there, uint32_t absent_max);
//  A run has its turn that had so many in its last round. They are who is waited for, unless it is
//  known who was there since then, in turns that were for the same ones and not for `others`.
void fl_awaited_recall(fl_awaited *self, uint32_t last, uint32_t absent_max, bool others);
//  So many will not come again: nobody waits for them, not even once.
void fl_awaited_lower(fl_awaited *self, uint32_t expect, uint32_t by);

//  How long contributions take here: the median of the last rounds' medians, so that one round in
//  which everybody happened to be quick does not shorten the next deadline. A plain value.
enum { FL_PACE_ROUNDS = 8 };

typedef struct fl_pace {
    uint32_t medians[FL_PACE_ROUNDS]; // ms, a ring
    uint32_t count;                   // rounds learnt, ever
} fl_pace;

//  Learn from one round: so many durations in ms, which are sorted here. None teaches nothing.
void fl_pace_learn(fl_pace *self, uint32_t *durations, uint32_t count);
//  Forget everything: the next deadline is the window's.
void fl_pace_forget(fl_pace *self);
//  0 when nothing was learnt.
uint32_t fl_pace_ms(const fl_pace *self);

#endif
