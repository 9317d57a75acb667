//  session - a child's way to its seat, as a clock: when to connect, how long to wait for WELCOME,
//  when to beat, when to leave a silent parent. A plain value inside the member, which says the
//  words. Every phase has an end: OFFLINE after the backoff, JOINING and a silent JOINED after
//  three beats.
#ifndef FL_ROUND_SESSION_H
#define FL_ROUND_SESSION_H

#include "common/base/rng.h"
#include "common/round/participant.h"

typedef enum fl_link_phase {
    FL_LINK_OFFLINE, // waits out the backoff
    FL_LINK_JOINING, // HELLO is out
    FL_LINK_JOINED,  // seated
} fl_link_phase;

typedef struct fl_joining {
    fl_link_phase phase;
    uint32_t beat_ms;
    uint32_t backoff_min_ms, backoff_max_ms;
    fl_rng rng;
    uint32_t tries; // connections given up since the last WELCOME
    fl_time retry_at, hello_at, heard_at, beat_at;
} fl_joining;

void fl_joining_init(fl_joining *self, const fl_member_conf *conf);

//  The parent said something.
void fl_joining_heard(fl_joining *self, fl_time now);
//  HELLO goes out.
void fl_joining_asked(fl_joining *self, fl_time now);
//  WELCOME came. Its `beat_ms` is taken within FL_BEAT_MS_MIN..FL_BEAT_MS_MAX, so that no parent
//  can make a child spin, or wait for ever.
void fl_joining_welcomed(fl_joining *self, uint32_t beat_ms, fl_time now);
//  The connection is given up: back to OFFLINE. Answers the delay before the next one.
uint32_t fl_joining_lost(fl_joining *self, fl_time now);
//  We go on purpose: nothing is due any more.
void fl_joining_left(fl_joining *self);
//  BEAT goes out.
void fl_joining_beaten(fl_joining *self, fl_time now);

typedef enum fl_joining_step {
    FL_JOINING_WAIT,
    FL_JOINING_CONNECT, // the backoff is over
    FL_JOINING_GIVE_UP, // the parent is silent
    FL_JOINING_BEAT,    // time to say that we live
} fl_joining_step;

//  What is due at `now`.
fl_joining_step fl_joining_next(const fl_joining *self, fl_time now);
//  When something will be.
fl_time fl_joining_deadline(const fl_joining *self);

#endif
