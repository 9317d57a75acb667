//  uplink - which key of its parent a child dials. An edge tells each child the key that it will
//  have when it changes its keys; the child keeps it beside the one in use. It is dialled when
//  nobody answers by that one, or when the parent says that it changes now. Who answers by it must
//  show the authority's certificate for it, with the name that the parent had.
//  Reactor's thread; it writes its few bytes itself.
#ifndef FL_IDENTITY_UPLINK_H
#define FL_IDENTITY_UPLINK_H

#include "common/crypto/cert.h"
#include "common/identity/state_dir.h"
#include "common/wire/message.h"

typedef struct fl_uplink {
    fl_state_dir_parent parent; // as it is kept
    bool ahead;                 // dialled last: the key that comes next
    bool failed;                // nobody has answered by the key dialled last
    bool changes;               // the parent has said so since
} fl_uplink;

//  The key (FL_KEY_BYTES) to prove on a new connection.
const uint8_t *fl_uplink_dial(fl_uplink *self);
//  Somebody answered by it.
void fl_uplink_heard(fl_uplink *self, const fl_message *message);
//  A certificate that holds: it is the parent's, for the key that was dialled.
bool fl_uplink_fits(const fl_uplink *self, const fl_cert *cert);
//  It fits: keep the key that answered, and the one that the parent says comes next.
void fl_uplink_settle(fl_uplink *self, const fl_cert *cert, const uint8_t next[FL_CURVE_BYTES],
                      const char *directory);

#endif
