//  admission - who may speak, and as whom. The User-Id of a connection is the key that CURVE
//  proved; the first message on a control connection is HELLO with a certificate of that key (or a
//  newcomer's ENROL), everything else before it is refused by name. A route is never the peer's
//  choice: it is the newest one on which that key was welcomed. Standing (revoked, expired) is
//  asked for every message. What certificates and tickets are is not known here: fl_admission_ops
//  is. Reactor's thread only. Holds at most conf.sessions_max sessions.
#ifndef FL_NET_ADMISSION_H
#define FL_NET_ADMISSION_H

#include "common/machine/event.h"
#include "common/net/connection_guard.h"
#include "common/net/counters.h"
#include "common/net/descriptor.h"
#include "common/net/socket.h"
#include "common/net/zap.h"

typedef struct fl_admission fl_admission;

//  What a certificate says, as far as admission cares.
typedef struct fl_badge {
    fl_name node;
    fl_role role;
    uint64_t serial, not_after; // as the certificate states them; only `standing` reads them
} fl_badge;

//  The identity code. All called on the reactor's thread; none may block.
typedef struct fl_admission_ops {
    void *self;
    //  May this key speak now? `badge`: what its newest certificate here said; NULL when it has
    //  shown none yet. FL_WHY_NONE, or why not.
    fl_reason (*standing)(void *self, const uint8_t key[FL_KEY_BYTES], const fl_badge *badge);
    //  A HELLO's certificate, against the key that the connection proved.
    fl_reason (*check)(void *self, fl_bytes certificate, const uint8_t key[FL_KEY_BYTES],
                       fl_role claimed, fl_badge *badge);
    //  Check what came in beyond that (a ticket, the parent's certificate in WELCOME, a deny
    //  list); may change the message. `badge` is NULL when `from` is FL_PARENT or a newcomer.
    fl_reason (*incoming)(void *self, fl_peer from, const fl_badge *badge, fl_message *message);
    //  Add what the machines do not know: certificates, tickets. Views it sets must last until the
    //  next call.
    void (*outgoing)(void *self, fl_peer to, fl_message *message);
    //  The key (FL_KEY_BYTES) of the parent, for a new connection; NULL: that of the dialer's conf.
    const uint8_t *(*dial)(void *self);
} fl_admission_ops;

typedef struct fl_admission_conf {
    uint32_t sessions_max; // keys known at a time, 1..FL_SESSIONS_MAX
    uint32_t guests_max;   // of these at most so many newcomers; one of the largest crowd that came
                           // from one network makes room
} fl_admission_conf;

enum {
    FL_SESSIONS_MAX = 65535,
    FL_GUESTS_MAX = 64,
    FL_REFUSALS_PER_SECOND = 8, // told on one connection
    FL_SHUN_MS = 3000,
    FL_KEY_UNHEARD = 2,   // connections of a key on a bulk lane that have said nothing yet,
    FL_UNHEARD_MS = 5000, // and one more each time that this has passed
};

typedef enum fl_judgement_kind {
    FL_JUDGED_PASS,   // to the machine
    FL_JUDGED_DROP,   // counted
    FL_JUDGED_REFUSE, // counted, and the sender shall hear `refused` on the same route
} fl_judgement_kind;

typedef struct fl_judgement {
    fl_judgement_kind kind;
    fl_peer peer;          // PASS
    const fl_badge *badge; // of the sender; NULL for newcomers and strangers. Ours
    uint64_t origin;       // PASS of an ENROL: the network it came from (descriptor.h)
    fl_refused refused;    // DROP, REFUSE
} fl_judgement;

//  `ops`, `guard` and `metrics` are the caller's and outlive this. NULL when out of memory.
fl_admission *fl_admission_new(const fl_admission_conf *conf, const fl_admission_ops *ops,
                               fl_guard *guard, fl_metrics *metrics);
void fl_admission_destroy(fl_admission **self_p);

//  May this key connect to this lane? (For the ZAP handler; the argument is an fl_admission.) On
//  control any key that is not denied; on a bulk lane one with a seat, and few connections that
//  have not said a word.
fl_zap_verdict fl_admission_admits(void *self, fl_way way, const uint8_t key[FL_KEY_BYTES],
                                   fl_time now);

//  Judge a parcel from a child lane and decode it into `message` (views into the parcel).
fl_judgement fl_admission_judge(fl_admission *self, fl_way way, const fl_parcel *parcel,
                                fl_time now, fl_message *message);

//  Where to send to a child: on the control lane, or on the down lane (FL_WAY_DOWN). Empty when
//  it is not connected there. Ours, until the next call.
fl_bytes fl_admission_route(const fl_admission *self, fl_way way, fl_peer peer);
//  On the control lane as well, but the connection that asked to enrol: a node renews beside its
//  running process, with the same key.
fl_bytes fl_admission_enrol_route(const fl_admission *self, fl_peer peer);
//  And the connection that said HELLO last, which the machine has not answered yet.
fl_bytes fl_admission_hello_route(const fl_admission *self, fl_peer peer);
//  The machine welcomes the process that said HELLO last: from now on the key speaks there.
void fl_admission_welcome(fl_admission *self, fl_peer peer);
//  Where a peer said HELLO last, or where its name has its `seat`, as ADDRESS:PORT; "": not known.
const char *fl_admission_place(const fl_admission *self, fl_peer peer, bool seat);
//  NULL when nobody of that number is admitted.
const fl_badge *fl_admission_badge(const fl_admission *self, fl_peer peer);

//  Forget a child's routes: it has to say HELLO again.
void fl_admission_expel(fl_admission *self, fl_peer peer);
//  It flooded: shut its connections, and let its key in again after FL_SHUN_MS.
void fl_admission_shun(fl_admission *self, fl_peer peer, fl_time now);
//  The deny list has changed: ask the standing of everyone, shut the connections of those who
//  lost it. They come out of `fl_admission_gone`, as do those found out by a message.
void fl_admission_recheck(fl_admission *self);
//  The next child that was cut off; false when there is none left to tell.
bool fl_admission_gone(fl_admission *self, fl_peer *peer, fl_reason *reason);

#endif
