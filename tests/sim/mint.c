//  Keys and certificates of the simulated authority. They are drawn from fixed seeds and made when
//  first asked for: a node of one name is the same in every run, so that thousands of seeds share
//  what is slow to make.
#include "tests/sim/masks.h"

enum { ROLES = FL_ROLE_ROOT + 1, AUTHORITY_SEED = 7, LIFE_S = 365 * 24 * 3600 };

static fl_authority *authority;
static fl_sim_identity identities[ROLES][SIM_GENERATIONS * SIM_NODES_MAX];

static const fl_authority *
s_authority(void)
{
    if (authority == NULL) {
        FL_ASSERT(fl_crypto_init(NULL) == FL_OK);
        fl_seeded source = fl_seeded_of(AUTHORITY_SEED);
        fl_entropy entropy = fl_entropy_seeded(&source);
        authority = fl_authority_new(&entropy);
        FL_ASSERT(authority != NULL);
    }
    return authority;
}

const fl_authority *
fl_sim_issuer(void)
{
    return s_authority();
}

const fl_authority_public *
fl_sim_authority(void)
{
    return fl_authority_public_of(s_authority());
}

const fl_sim_identity *
fl_sim_identity_of(fl_role role, const fl_name *name, uint32_t number)
{
    FL_ASSERT((unsigned)role < ROLES && number < SIM_GENERATIONS * SIM_NODES_MAX);
    fl_sim_identity *identity = &identities[role][number];
    if (identity->keys == NULL) {
        const fl_authority *issuer = s_authority();
        uint64_t serial = 1 + (uint64_t)role * SIM_NODES_MAX + number % SIM_NODES_MAX +
                          (number < SIM_NODES_MAX ? 0 : ROLES * SIM_NODES_MAX);
        fl_seeded source = fl_seeded_of(serial << 8);
        fl_entropy entropy = fl_entropy_seeded(&source);
        identity->keys = fl_keys_new(&entropy);
        FL_ASSERT(identity->keys != NULL);
        fl_cert cert = {
            .role = role, .node = *name, .keys = *fl_keys_public(identity->keys), .serial = serial
        };
        fl_cert_issue(issuer, &cert, SIM_WALL_S, LIFE_S, identity->certificate);
    }
    return identity;
}

void
fl_sim_mint_release(void)
{
    for (int role = 0; role < ROLES; role++) {
        for (int i = 0; i < SIM_GENERATIONS * SIM_NODES_MAX; i++) {
            if (identities[role][i].keys != NULL) {
                fl_keys_destroy(&identities[role][i].keys);
            }
        }
    }
    if (authority != NULL) {
        fl_authority_destroy(&authority);
    }
}
