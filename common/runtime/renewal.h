//  renewal - keeps the certificate of a running process alive: from the last third of its life on,
//  at a moment drawn at random, it asks for the next one, again and again until there is one, and
//  takes it over while everything goes on. So it does at once with a certificate that does not hold
//  by this machine's clock. What `fl enrol --renew` leaves in the directory is taken over too.
//  Reactor's thread; it writes its few bytes itself.
#ifndef FL_RUNTIME_RENEWAL_H
#define FL_RUNTIME_RENEWAL_H

#include "common/identity/enrol_relay.h"

//  The first five are the owner's to set, all else is zero.
typedef struct fl_renewal {
    const char *directory;
    fl_identity *identity;
    fl_enrol_relay *relay;
    void (*post)(void *self, const fl_event *event); // to the machine
    void *self;
    bool asked;              // and there is no answer yet
    fl_time try_at, look_at; // no attempt, no look into the directory before
    uint64_t serial, due_s;  // of which certificate, and its moment
    fl_trust time;           // what was said last of the clock
} fl_renewal;

//  In each turn of the loop.
void fl_renewal_turn(fl_renewal *self, fl_time now);

//  When to renew by the wall clock, and how long to wait after an attempt in vain, in ms. `draw`: a
//  random number.
uint64_t fl_renewal_at(const fl_cert *cert, uint64_t draw);
uint32_t fl_renewal_pause_ms(const fl_cert *cert, uint64_t now_s, uint64_t draw);

#endif
