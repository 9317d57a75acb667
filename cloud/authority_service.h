//  authority_service - the authority's work in a running root: enrolments that arrive, revocations
//  that the operator orders. Proofs and the deny list in force on the reactor's thread, the ledger
//  on the store's strand; nothing is said, or in force, before it is durable.
#ifndef FL_CLOUD_AUTHORITY_SERVICE_H
#define FL_CLOUD_AUTHORITY_SERVICE_H

#include "common/admin/queries.h"
#include "common/identity/enrol_issue.h"

typedef struct fl_authority_service fl_authority_service;

//  Every pointer is borrowed.
typedef struct fl_authority_service_conf {
    fl_identity *identity; // with its authority
    fl_ledger *ledger;
    fl_node *node;
    fl_queries *queries;
    uint64_t life_s; // of a certificate issued here
    uint64_t grace_s; // after which one that ended is not renewed any more
    uint32_t shards; // leased to devices that enrol, one each; 0: none
} fl_authority_service_conf;

//  The caller owns the result. NULL when out of memory.
fl_authority_service *fl_authority_service_new(const fl_authority_service_conf *conf);
void fl_authority_service_destroy(fl_authority_service **self_p);

//  A sealed request came up; the answer goes to the relay. False: too busy.
bool fl_authority_service_enrol(fl_authority_service *self, uint64_t ticket, fl_bytes sealed);
//  `revoke NODE [SERIAL [any]]`, `admit NODE [SERIAL]`, `forget NODE`, `certificate NODE` and those
//  about tokens. False: not a question that is answered here.
bool fl_authority_service_ask(fl_authority_service *self, uint32_t ticket, const fl_ask *ask);

#endif
