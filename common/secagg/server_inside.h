//  server_inside - the struct of server.c, for it and for the tests that look inside:
//  what is kept and what is wiped. Nobody else includes it.
#ifndef FL_SECAGG_SERVER_INSIDE_H
#define FL_SECAGG_SERVER_INSIDE_H

#include "common/secagg/server.h"

enum {
    FL_FACT_HEAD_BYTES = 1 + 4 + 16 + 8 + 32 + 8, // kind, block, run, round, task, set
    //  max over s of s + (64 - s) * s: own masks, and pairs of lost members with survivors
    FL_SECAGG_SEEDS_MAX = 32 * 33,
};

typedef struct fl_secagg_child {
    fl_name node;
    uint32_t seat;
    fl_peer peer;
    bool reachable; // has said something, or sits somewhere
    bool gone;
    bool keyed;
    fl_pool_run run;
    uint8_t member[FL_MEMBER_BYTES]; // its line of the roster
    fl_reason reason;
    bool blamed;
} fl_secagg_child;

struct fl_secagg_server {
    fl_secagg_server_conf conf;
    fl_secagg_state state;
    uint32_t block_id;
    uint8_t number; // of the roster
    bool behind;    // after a restart: a member has a later one
    fl_task task;
    fl_hash task_hash;
    fl_secagg_times times;
    fl_time step_by; // deadline of ACKING and OPENING
    //  index i of the roster is child i; those who are not in it stand behind
    uint32_t count;
    fl_secagg_child child[FL_MEMBERS_MAX];
    fl_secagg_block block;
    uint32_t quorum, threshold;
    uint64_t dealt; // who dealt
    uint64_t heard_ready, ready[FL_MEMBERS_MAX];
    uint64_t maskset, survivors, acked;
    uint64_t announced, uploaded; // psig and header are there; the whole upload is
    bool fixed;                   // the survivors are
    bool resumed;
    fl_hash ctx, survivors_hash;
    uint64_t token;           // of the KEEP or UNMASK that is awaited
    fl_keep keeping;          // what that KEEP is of
    bool told[FL_KEEP_COUNT]; // kept and sent
    //  lists by index, and as they are sent: of members in the set alone
    uint8_t header[FL_MEMBERS_MAX][FL_MASKED_HEADER_BYTES];
    uint8_t psig[FL_MEMBERS_MAX][FL_SIGN_BYTES], asig[FL_MEMBERS_MAX][FL_SIGN_BYTES];
    uint8_t roster_fact[FL_FACT_HEAD_BYTES + FL_MEMBERS_MAX * FL_MEMBER_BYTES];
    uint8_t set_fact[FL_FACT_HEAD_BYTES];
    uint8_t psigs_fact[FL_FACT_HEAD_BYTES + FL_MEMBERS_MAX * FL_SIGN_BYTES];
    uint8_t asigs_fact[FL_FACT_HEAD_BYTES + FL_MEMBERS_MAX * FL_SIGN_BYTES];
    uint8_t *dealt_fact; // head, then (n, s_dealing) of every member, zeros of who did not deal
    size_t dealt_bytes;
    uint8_t *parts; // (n, n - 1, FL_DEALT_BYTES): what DEALT says to each
    uint8_t *evidence;
    //  the opening; wiped when the block ends
    uint32_t openers;
    uint8_t opener[FL_MEMBERS_MAX];
    uint64_t opened;                     // who has
    fl_share (*opening)[FL_MEMBERS_MAX]; // (openers, members)
    fl_mask_seed seeds[FL_SECAGG_SEEDS_MAX];
    uint32_t seed_count;
    fl_secagg_result result;
};

//  A member's dealing in the fact: commitment, signature, digests, sealed.
typedef struct fl_secagg_dealing {
    uint8_t *commitment, *signature, *digests, *sealed;
} fl_secagg_dealing;
fl_secagg_dealing fl_secagg_server_dealing(const fl_secagg_server *self, uint32_t index);

#endif
