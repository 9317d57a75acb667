//  reactor - one loop that drives one machine: wait, read the clock once, drain a batch from every
//  lane, step, obey. It carries out itself what concerns lanes (SEND, PUSH, SERVE, LANE,
//  RECONNECT, EXPEL); every other effect goes to the functions of `conf.host`. Every event is
//  stamped with the wall clock. Sends never block: what a full queue refuses is counted, and the
//  protocol heals.
//  `post` may be called by any thread; all else, and every callback, is the thread of `turn`.
//  Bounds: the outbox, the posts, BATCH messages of a lane in one turn.
#ifndef FL_NET_REACTOR_H
#define FL_NET_REACTOR_H

#include "common/net/courier.h"

typedef struct fl_reactor fl_reactor;

typedef struct fl_reactor_conf {
    fl_machine machine;
    fl_reactor_ops host;
    const fl_admission_ops *ops;     // outlives the reactor
    fl_metrics *metrics;             // likewise
    fl_listener *listener;           // the caller's, outlives the reactor; NULL: no children
    const fl_dialer_conf *dialer;    // NULL: no parent
    const char *operator_endpoint;   // "ipc://.../operator.sock" in a 0700 directory; NULL: none
    uint32_t effects_max;            // of one step
    uint32_t posts_max;              // events posted and not yet stepped
} fl_reactor_conf;

//  NULL with `why`.
fl_reactor *fl_reactor_new(const fl_reactor_conf *conf, fl_why *why);
void fl_reactor_destroy(fl_reactor **self_p);

//  One turn that waits at most `wait_ms` for something to happen.
void fl_reactor_turn(fl_reactor *self, uint32_t wait_ms);

//  Hand an event to the machine, in order, in a coming turn. Any kind but MESSAGE. FL_FULL when
//  conf.posts_max wait already.
FL_CHECKED fl_status fl_reactor_post(fl_reactor *self, const fl_event *event);

//  Call `ready` in each turn in which this descriptor is readable. At most FL_WATCHES_MAX.
enum { FL_WATCHES_MAX = 8 };
void fl_reactor_watch(fl_reactor *self, int descriptor, void (*ready)(void *arg), void *arg);

//  Answer an ASK; takes the reference (NULL: an empty object). The first answer to a
//  ticket counts; above FL_JSON_BYTES_MAX the asker gets FL_ANSWER_LARGE instead.
void fl_reactor_answer(fl_reactor *self, uint32_t ticket, uint8_t code, fl_blob **json_p);

//  The clock of this turn.
fl_time fl_reactor_now(const fl_reactor *self);

#endif
