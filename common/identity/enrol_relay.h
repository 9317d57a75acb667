//  enrol_relay - a machine around a machine: it takes what is not of a round (enrolments going up,
//  certificates coming down, deny lists) and hands everything else to the tier's own machine.
//  Newcomers and known keys (seated, or seated once: edges with what is below them, nodes that
//  renew) have a lane each. At most FL_ENROL_RELAY_OPEN of a lane are on their way, so many of it
//  are handed on in a second, one after the other; the rest waits. Places are shared evenly: among
//  networks, then among keys of one network; among known keys. Reactor's thread.
#ifndef FL_IDENTITY_ENROL_RELAY_H
#define FL_IDENTITY_ENROL_RELAY_H

#include "common/crypto/enrol.h"
#include "common/identity/identity.h"
#include "common/machine/outbox.h"
#include "common/store/ledger.h"

typedef struct fl_enrol_relay fl_enrol_relay;

enum { FL_ENROL_RELAY_OPEN = 64, FL_ENROL_RELAY_MS = 60 * 1000,
       FL_ENROL_RELAY_PER_SECOND = 50, FL_ENROL_RELAY_KNOWN_PER_SECOND = 100 };

//  Where enrolments end: at the root's authority_service, which answers later with
//  `fl_enrol_relay_enrolled`. False: too many at a time.
typedef bool fl_enrol_relay_register(void *arg, uint64_t ticket, fl_bytes sealed);

typedef struct fl_enrol_relay_conf {
    fl_machine inner;
    fl_identity *identity;          // borrowed
    fl_enrol_relay_register *enrol; // NULL: pass them to the parent
    void *enrol_arg;
} fl_enrol_relay_conf;

//  An answer to an enrolment. `certificate` and `lease` are used when `reason` is FL_WHY_NONE.
typedef struct fl_enrol_relay_answer {
    fl_reason reason;
    char text[FL_TEXT_MAX];
    uint8_t certificate[FL_CERT_BYTES];
    fl_lease lease;
} fl_enrol_relay_answer;

//  The caller owns the result. NULL when out of memory.
fl_enrol_relay *fl_enrol_relay_new(const fl_enrol_relay_conf *conf);
void fl_enrol_relay_destroy(fl_enrol_relay **self_p);
fl_machine fl_enrol_relay_machine(fl_enrol_relay *self);

//  A renewal of our own, on its way with the next step (post a TICK); the last one is forgotten.
void fl_enrol_relay_ask(fl_enrol_relay *self, const fl_sealed *sealed, fl_time now);
//  Its answer, once. False: there is none yet.
bool fl_enrol_relay_answered(fl_enrol_relay *self, fl_enrol_relay_answer *answer);

//  Answer the enrolment of that ticket; it goes out in the next step (post a TICK).
void fl_enrol_relay_enrolled(fl_enrol_relay *self, uint64_t ticket,
                             const fl_enrol_relay_answer *answer);

#endif
