#include "tests/support/identity.h"

#include "common/base/status.h"

#include <string.h>

fl_authority *
identity_authority(uint64_t seed)
{
    fl_seeded source = fl_seeded_of(seed);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_authority *authority = fl_authority_new(&entropy);
    FL_ASSERT(authority != NULL);
    return authority;
}

fl_authority *identity_ours, *identity_theirs;

int
identity_setup(void **state)
{
    (void)state;
    if (fl_crypto_init(NULL) != FL_OK) {
        return -1;
    }
    identity_ours = identity_authority(1);
    identity_theirs = identity_authority(2);
    return 0;
}

int
identity_teardown(void **state)
{
    (void)state;
    fl_authority_destroy(&identity_ours);
    fl_authority_destroy(&identity_theirs);
    return 0;
}

fl_keys *
identity_keys(uint64_t seed)
{
    fl_seeded source = fl_seeded_of(seed);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_keys *keys = fl_keys_new(&entropy);
    FL_ASSERT(keys != NULL);
    return keys;
}

fl_name
identity_node(const char *name)
{
    fl_name node;
    FL_ASSERT(fl_name_parse(name, &node));
    return node;
}

fl_cert
identity_cert(const fl_authority *authority, const fl_keys *keys, fl_role role, const char *name,
              uint64_t serial, uint8_t bytes[FL_CERT_BYTES])
{
    fl_cert cert = {
        .role = role,
        .node = identity_node(name),
        .keys = *fl_keys_public(keys),
        .serial = serial,
    };
    fl_cert_issue(authority, &cert, IDENTITY_NOW, IDENTITY_WEEK_S, bytes);
    return cert;
}

fl_token
identity_terms(void)
{
    fl_token token = {
        .role = FL_ROLE_DEVICE,
        .exact = false,
        .name = "dev-",
        .count = 2,
        .not_after = IDENTITY_NOW + 3600,
        .endpoint = "tcp://edge-a.example:7402",
    };
    memset(token.parent, 0x17, sizeof token.parent);
    return token;
}

fl_token
identity_token(const fl_authority *authority)
{
    fl_seeded source = fl_seeded_of(77);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_token token = identity_terms();
    FL_ASSERT(fl_token_make(authority, IDENTITY_NOW, &entropy, &token, NULL) == FL_OK);
    return token;
}

fl_sealed
identity_join(const fl_keys *keys, const fl_token *token, fl_role role, const char *name)
{
    fl_seeded source = fl_seeded_of(88);
    fl_entropy entropy = fl_entropy_seeded(&source);
    fl_name node = identity_node(name);
    fl_sealed sealed;
    FL_ASSERT(fl_enrol_join(keys, token, role, &node, &entropy, &sealed));
    return sealed;
}
