//  authority_service - the authority's work in a running root: enrolments that arrive, revocations that the
//  operator orders. Proofs and the deny list on the reactor's thread, the ledger on the store's
//  strand; nothing is said before it is durable.
#ifndef FL_CLOUD_AUTHORITY_SERVICE_H
#define FL_CLOUD_AUTHORITY_SERVICE_H

#include "common/admin/queries.h"
#include "common/identity/enrol_issue.h"

typedef struct fl_office fl_office;

//  Every pointer is borrowed.
typedef struct fl_office_conf {
    const fl_authority *authority;
    fl_identity *identity;
    fl_ledger *ledger;
    fl_station *station;
    fl_desk *desk;
    uint64_t life_s; // of a certificate issued here
    uint32_t shards; // leased to devices that enrol, one each; 0: none
} fl_office_conf;

//  The caller owns the result. NULL when out of memory.
fl_office *fl_office_new(const fl_office_conf *conf);
void fl_office_destroy(fl_office **self_p);

//  A sealed request came up; the answer goes to the relay. False: too busy.
bool fl_office_enrol(fl_office *self, uint64_t ticket, fl_bytes sealed);
//  `revoke NODE`, `admit NODE` and `certificate NODE`. False: not a question of this office.
bool fl_office_ask(fl_office *self, uint32_t ticket, const fl_ask *ask);

#endif
