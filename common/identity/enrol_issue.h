//  enrol_issue - the authority's part at the root: proves a sealed request, asks the ledger whether
//  the token has a use left and the name is free, signs and records the certificate.
//  `open` and `sign` are separate, so that secrets and the deny list stay on the reactor's thread
//  and the disk on the store's strand.
#ifndef FL_IDENTITY_ENROL_ISSUE_H
#define FL_IDENTITY_ENROL_ISSUE_H

#include "common/crypto/enrol.h"
#include "common/identity/enrol_relay.h"
#include "common/store/ledger.h"

//  Certificates that one name gets in an hour, or in the life of one when that is less.
enum { FL_ENROL_PER_NAME = 8, FL_ENROL_PER_NAME_MS = 60 * 60 * 1000 };

//  Prove a request. True: `request` goes to `sign`. False: `answer` is the refusal.
bool fl_enrol_issue_open(const fl_authority *authority, fl_bytes sealed, const fl_enrol_time *time,
                         const fl_deny_list *denied, fl_enrol_request *request,
                         fl_enrol_relay_answer *answer);
//  Decide, sign and record; blocks for the disk. `life_s`: of the certificate. `shards`: a device
//  is leased one of so many data shards with it, and the same one ever after; 0: none.
void fl_enrol_issue_sign(const fl_authority *authority, fl_ledger *ledger,
                         const fl_enrol_request *request, uint64_t wall_s, uint64_t life_s,
                         uint32_t shards, fl_enrol_relay_answer *answer);
//  The root certifies itself. The certificate goes into `bytes`.
FL_CHECKED fl_status fl_enrol_issue_root(const fl_authority *authority, fl_ledger *ledger,
                                         const fl_name *node, const fl_public_keys *keys,
                                         uint64_t wall_s, uint64_t life_s,
                                         uint8_t bytes[FL_CERT_BYTES], fl_why *why);

#endif
