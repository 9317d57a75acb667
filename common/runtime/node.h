//  node - one running process of the fabric: a tier's machine with everything around it that the
//  three programs share (sockets, admission, worker pool, handles, staging, effects, log). The tier
//  brings its machine, its trainer or model, and its answers to the operator.
//  Main thread; callbacks too, unless they say otherwise.
#ifndef FL_RUNTIME_NODE_H
#define FL_RUNTIME_NODE_H

#include "common/base/metrics.h"
#include "common/config/stop.h"
#include "common/identity/enrol_relay.h"
#include "common/identity/identity.h"
#include "common/net/reactor.h"
#include "common/runtime/effects.h"

typedef struct fl_node fl_node;

typedef struct fl_node_conf {
    const char *directory; // state: staging slots, operator's socket
    fl_identity *identity; // borrowed
    fl_stop *stop;         // borrowed
    //  children: none when listen[FL_WAY_CONTROL] is NULL
    const char *listen[FL_WATCHED];
    uint16_t advertise[FL_WATCHED]; // bulk lanes' ports as children see them; 0: as listened on
    uint32_t seats_max, slots;
    //  parent: none unless set
    bool parent;
    unsigned threads;    // of the worker pool
    unsigned io_threads; // of ZeroMQ
    uint64_t unread_max; // bytes received and not read; 0: what fits
} fl_node_conf;

//  What the tier brings. All but `machine` may be NULL.
typedef struct fl_tier {
    void *self;
    fl_machine machine;
    fl_trainer *trainer;
    fl_applier applier[FL_TRACKS];
    fl_saver saver[FL_TRACKS];
    fl_enrol_relay_register *enrol; // at the root: where enrolments end; arg is self
    //  An operator's question; answer now or later by fl_node_answer. False: not of this tier.
    bool (*ask)(void *self, uint32_t ticket, const fl_ask *ask);
    //  The deny list has changed: keep it.
    void (*denied)(void *self);
    //  In each turn of the loop, four times a second at least.
    void (*turn)(void *self);
} fl_tier;

//  Opens the network; binds the ports. One per process.
FL_CHECKED fl_status fl_node_open(const fl_node_conf *conf, fl_node **node, fl_why *why);
//  Give it the tier; before `run`.
FL_CHECKED fl_status fl_node_seat(fl_node *self, const fl_tier *tier, fl_why *why);
void fl_node_close(fl_node **self_p);

//  Turn until a signal or the operator ends it. FL_BUSY: work had to be left running.
FL_CHECKED fl_status fl_node_run(fl_node *self, fl_why *why);

//  The site's own reason to take no new round; FL_WHY_NONE: it has none.
void fl_node_rest(fl_node *self, fl_reason site);
FL_CHECKED fl_status fl_node_post(fl_node *self, const fl_event *event);
//  Takes the reference.
void fl_node_answer(fl_node *self, uint32_t ticket, uint8_t code, fl_blob **json_p);

uint16_t fl_node_port(const fl_node *self, fl_way way);
//  The ports that were bound, for those who start children: "<state>/ports", a line per lane.
FL_CHECKED fl_status fl_node_tell_ports(const fl_node *self, fl_why *why);
fl_workers *fl_node_workers(fl_node *self);
fl_handles *fl_node_handles(fl_node *self);
fl_enrol_relay *fl_node_relay(fl_node *self);
const fl_cert *fl_node_certificate(const fl_node *self);
const fl_metrics *fl_node_metrics(const fl_node *self);
fl_time fl_node_now(const fl_node *self);
fl_time fl_node_since(const fl_node *self); // opened

#endif
