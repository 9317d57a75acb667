//  session - a child's way to its seat, as a clock: when to connect, how long to wait for WELCOME,
//  when to beat, when to leave a silent parent. A plain value inside the participant, which says
//  the words. Every phase has an end: OFFLINE after the backoff, a silent JOINED after three beats,
//  JOINING after as many, and after twice as many once a HELLO had no answer: a far link under load
//  gets in, and one that was cut is not waited for long.
#ifndef FL_ROUND_SESSION_H
#define FL_ROUND_SESSION_H

#include "common/base/rng.h"
#include "common/round/participant.h"

typedef enum fl_session_phase {
    FL_SESSION_OFFLINE, // waits out the backoff
    FL_SESSION_JOINING, // HELLO is out
    FL_SESSION_JOINED,  // seated
} fl_session_phase;

typedef struct fl_session {
    fl_session_phase phase;
    uint32_t beat_ms;
    uint32_t backoff_min_ms, backoff_max_ms;
    fl_rng rng;
    uint32_t tries; // connections given up since the last WELCOME
    uint32_t unanswered; // of them, those that HELLO got no answer on
    fl_time retry_at, hello_at, heard_at, beat_at;
} fl_session;

void fl_session_init(fl_session *self, const fl_participant_conf *conf);

//  The parent said something.
void fl_session_heard(fl_session *self, fl_time now);
//  HELLO goes out.
void fl_session_asked(fl_session *self, fl_time now);
//  WELCOME came. Its `beat_ms` is taken within FL_BEAT_MS_MIN..FL_BEAT_MS_MAX, so that no parent
//  can make a child spin, or wait for ever.
void fl_session_welcomed(fl_session *self, uint32_t beat_ms, fl_time now);
//  How long to wait before what has failed so often is tried again.
uint32_t fl_session_pause_ms(fl_session *self, uint32_t failures);
//  The connection is given up: back to OFFLINE. Answers the delay before the next one, which is
//  short while our seat may be that of a process of ours that has just died.
uint32_t fl_session_lost(fl_session *self, fl_reason reason, fl_time now);
//  We go on purpose: nothing is due any more.
void fl_session_left(fl_session *self);
//  BEAT goes out.
void fl_session_beaten(fl_session *self, fl_time now);

typedef enum fl_session_step {
    FL_SESSION_DO_WAIT,
    FL_SESSION_DO_CONNECT, // the backoff is over
    FL_SESSION_DO_GIVE_UP, // the parent is silent
    FL_SESSION_DO_BEAT,    // time to say that we live
} fl_session_step;

//  What is due at `now`.
fl_session_step fl_session_next(const fl_session *self, fl_time now);
//  When something will be.
fl_time fl_session_deadline(const fl_session *self);

#endif
