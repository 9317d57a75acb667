//  settled - state directories as `fl enrol` leaves them, below `place`, and the identities in
//  them. Include after place.h.
#ifndef FL_SUPPORT_SETTLED_H
#define FL_SUPPORT_SETTLED_H

#include "common/identity/identity.h"
#include "tests/support/identity.h"

static fl_authority *authority;
static uint64_t wall = IDENTITY_NOW;
static fl_why why;

static inline uint64_t
s_wall(void)
{
    return wall;
}

static inline void
settle(const char *name, uint64_t seed, fl_role role, const char *parent)
{
    uint8_t bytes[FL_CERT_BYTES], file[FL_KEYS_FILE_BYTES];
    fl_keys *keys = identity_keys(seed);
    char at[64];
    (void)identity_cert(authority, keys, role, name, seed, bytes);
    assert_int_equal(fl_state_dir_open(place_of(name), &why), FL_OK);
    fl_keys_encode(keys, file);
    (void)snprintf(at, sizeof at, "%s/node.key", name);
    place_write(at, file, sizeof file);
    assert_int_equal(chmod(place_of(at), 0600), 0);
    assert_int_equal(fl_state_dir_cert_save(place_of(name), bytes, false, &why), FL_OK);
    const fl_authority_public *public = fl_authority_public_of(authority);
    assert_int_equal(fl_state_dir_authority_save(place_of(name), public, &why), FL_OK);
    if (parent != NULL) {
        fl_state_dir_parent above = { .endpoint = "tcp://127.0.0.1:7000" };
        uint8_t cert[FL_CERT_BYTES];
        assert_int_equal(fl_state_dir_cert_load(place_of(parent), cert, &why), FL_OK);
        memcpy(above.key, cert + 50, sizeof above.key);
        assert_int_equal(fl_state_dir_parent_save(place_of(name), &above, &why), FL_OK);
    }
    fl_keys_destroy(&keys);
}

static inline fl_status
s_open(const char *name, fl_role role, bool parent, fl_identity **identity)
{
    const fl_identity_conf conf = { .directory = place_of(name),
                                    .role = role,
                                    .parent = parent,
                                    .authority = role == FL_ROLE_ROOT ? authority : NULL,
                                    .wall_s = s_wall };
    return fl_identity_open(&conf, identity, &why);
}

static inline fl_identity *
open_as(const char *name, fl_role role)
{
    fl_identity *identity = NULL;
    assert_int_equal(s_open(name, role, role != FL_ROLE_ROOT, &identity), FL_OK);
    return identity;
}

#endif
