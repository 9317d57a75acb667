//  identity - a small world of keys for tests: authorities, nodes, certificates and tokens, all
//  drawn from seeds, so that the same call gives the same bytes everywhere. The caller destroys
//  what it gets. Include tests/support/unit.h first.
#ifndef FL_SUPPORT_IDENTITY_H
#define FL_SUPPORT_IDENTITY_H

#include "common/crypto/enrol.h"
#include "tests/support/seeded.h"

//  The wall clock of the tests.
#define IDENTITY_NOW ((uint64_t)1800000000)
enum { IDENTITY_WEEK_S = 7 * 24 * 3600 };

fl_authority *identity_authority(uint64_t seed);
//  For cmocka: our authority, and one that nobody trusts.
extern fl_authority *identity_ours, *identity_theirs;
int identity_setup(void **state);
int identity_teardown(void **state);
fl_keys *identity_keys(uint64_t seed);
fl_name identity_node(const char *name);

//  A certificate for a week from IDENTITY_NOW.
fl_cert identity_cert(const fl_authority *authority, const fl_keys *keys, fl_role role,
                      const char *name, uint64_t serial, uint8_t bytes[FL_CERT_BYTES]);

//  The operator's half of a token: two devices "dev-*" within an hour, at a made-up parent.
fl_token identity_terms(void);
//  The same, made by `authority`.
fl_token identity_token(const fl_authority *authority);

//  A join request of `keys` as device `name` with `token`.
fl_sealed identity_join(const fl_keys *keys, const fl_token *token, fl_role role, const char *name);

#endif
