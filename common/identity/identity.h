//  identity - who this process is and whom it believes: its keys and certificate, its authority,
//  the deny list, the tickets that it gives. It is admission's table of functions, so everything
//  that crosses a hop is proved here before a machine sees it.
//  Reactor's thread, after `open`.
#ifndef FL_IDENTITY_IDENTITY_H
#define FL_IDENTITY_IDENTITY_H

#include "common/crypto/authority.h"
#include "common/crypto/cert.h"
#include "common/crypto/deny.h"
#include "common/identity/uplink.h"
#include "common/net/admission.h"
#include "common/secagg/secagg.h"

typedef struct fl_identity fl_identity;

typedef struct fl_identity_conf {
    const char *directory;         // the state directory: see state_dir.h
    fl_role role;                  // what our certificate must say
    const fl_authority *authority; // the root's: it signs orders; NULL below, or while it is away
    bool parent;                   // this process has one
    uint64_t (*wall_s)(void);
} fl_identity_conf;

//  Read and prove our own files. FL_DENIED: our certificate is not to be believed. One that is only
//  not valid now, by this machine's clock, is taken: it is renewed while the process runs.
FL_CHECKED fl_status fl_identity_open(const fl_identity_conf *conf, fl_identity **identity,
                                      fl_why *why);
void fl_identity_close(fl_identity **self_p);

const fl_name *fl_identity_node(const fl_identity *self);
//  For masked rounds, without copies: our keys, in locked memory, and whom we believe. Both are the
//  identity's; the deny list behind `trust` is always the newest.
const fl_keys *fl_identity_keys(const fl_identity *self);
const uint8_t *fl_identity_certificate(const fl_identity *self); // (FL_CERT_BYTES)
fl_secagg_trust fl_identity_trust(const fl_identity *self, unsigned roles);
//  Ours, for the sockets: the identity's, in locked memory.
const fl_keypair *fl_identity_keypair(const fl_identity *self);
const fl_state_dir_parent *fl_identity_parent(const fl_identity *self); // conf.parent only

//  Our certificate as it was read, and the wall clock that it is measured by.
const fl_cert *fl_identity_cert(const fl_identity *self);
uint64_t fl_identity_wall_s(const fl_identity *self);
//  What a certificate that does not hold by this machine's clock says about the clocks.
void fl_identity_clock_why(const fl_cert *cert, uint64_t now, fl_why *why);

//  Take over the certificate that stands in the directory now, and its keys, which are new ones
//  when `*rekeyed`; the last ones before are kept for a round in hand. FL_MISSING: it is the one in
//  use. A root keeps its keys.
FL_CHECKED fl_status fl_identity_reload(fl_identity *self, bool *rekeyed, fl_why *why);

//  Root only: the authority; NULL while it is away. Borrowed; one that comes later is lent once.
const fl_authority *fl_identity_authority(const fl_identity *self);
void fl_identity_lend(fl_identity *self, const fl_authority *authority);
//  Root only, with its authority: sign the order of a task.
void fl_identity_sign(const fl_identity *self, fl_task *task);

//  For the reactor. `gate` (may be NULL) is asked who a peer is; the ports go into WELCOME.
void fl_identity_serve(fl_identity *self, fl_admission *gate, uint16_t up_port, uint16_t down_port);
fl_admission_ops fl_identity_ops(fl_identity *self);

//  The deny list held. `bytes` is empty for version 0, else the identity's until it changes.
uint64_t fl_identity_deny_version(const fl_identity *self);
fl_bytes fl_identity_deny_bytes(const fl_identity *self);
//  Take a signed list over: one that the ledger keeps, or from the parent. An older one is
//  refused. From now on it holds here, and children hear of it: at the root it is durable first.
FL_CHECKED fl_trust fl_identity_deny_take(fl_identity *self, fl_bytes bytes);
//  A list of `version` comes in parts: the first byte of it that is not here yet. It holds when it
//  is here whole and proved, never before; the parts of another version begin anew.
uint64_t fl_identity_deny_missing(const fl_identity *self, uint64_t version);
const fl_deny_list *fl_identity_denied(const fl_identity *self);
//  True once after each change, for whoever must recheck connections and keep the list.
bool fl_identity_deny_changed(fl_identity *self);

//  What a child hears when something of its does not hold.
fl_reason fl_identity_reason(fl_trust trust);

#endif
