//  masks - what the simulator holds of masked rounds: keys and certificates of a simulated
//  authority, what a node has kept, and where it stands. Everything belongs to the `fl_sim` of the
//  run but for the identities, which are made once per program and never change.
#ifndef FL_SIM_MASKS_H
#define FL_SIM_MASKS_H

#include "common/base/blob.h"
#include "common/secagg/client.h"
#include "common/secagg/server.h"
#include "tests/support/seeded.h"

enum { SIM_NODES_MAX = 256, SIM_RUNS_MAX = 3, SIM_GENERATIONS = 2 };
//  The wall clock at virtual time 0.
#define SIM_WALL_S ((uint64_t)1800000000)

//  Who decides whether a run is masked.
typedef enum fl_sim_masking {
    SIM_MASKING_DRAWN,  // its seed
    SIM_MASKING_NEVER,  // unmasked, whatever the seed
    SIM_MASKING_ALWAYS, // honest or malicious
} fl_sim_masking;

//  Where a process stands as a child of a masked round. MARKING and OPENING: its mark is being
//  kept, before masking and before opening.
typedef enum fl_sim_child {
    SIM_CHILD_OUT,
    SIM_CHILD_KEYED,
    SIM_CHILD_DEALT,
    SIM_CHILD_READY,
    SIM_CHILD_MARKING,
    SIM_CHILD_MASKING,
    SIM_CHILD_MASKED,
    SIM_CHILD_ACKED,
    SIM_CHILD_OPENING,
    SIM_CHILD_OPENED,
    SIM_CHILD_STEPS
} fl_sim_child;
const char *fl_sim_child_name(fl_sim_child step);

//  A durable fact of a parent.
typedef struct fl_sim_fact {
    fl_run run;
    uint64_t round;
    uint32_t block;
    fl_keep what;
    fl_blob *bytes;
} fl_sim_fact;

//  A sum that an edge opened.
typedef struct fl_sim_kept {
    fl_run run;
    fl_blob *head, *vector;
} fl_sim_kept;

//  The facts of its open round that a run is begun with.
typedef struct fl_sim_given {
    fl_blob **facts; // (count)
    fl_bytes *views; // of them
    uint32_t count;
} fl_sim_given;

typedef struct fl_sim_masks {
    //  durable
    bool marked;
    uint8_t mark[FL_MARK_BYTES];
    fl_sim_fact *facts; // (fact_count), in the order in which they were kept, of one round
    uint32_t fact_count;
    fl_sim_kept *kept; // (kept_count), one per run
    uint32_t kept_count;
    //  of this life
    fl_seeded seeded;
    fl_secagg_client_conf member;
    fl_secagg_server_conf aggregator;
    fl_secagg_mark given_mark;
    fl_bytes *heads;                  // (kept_count) when the process started
    fl_sim_given given[SIM_RUNS_MAX]; // an edge has one run in hand
    uint64_t given_round;             // the newest
    fl_sim_child child;
    uint64_t child_round;
    uint32_t blocks[FL_TRACKS];
    uint8_t state[FL_TRACKS][FL_BLOCKS_MAX]; // fl_secagg_state
    uint32_t keeping[FL_KEEP_COUNT];
    //  of all lives, for the checkers
    uint64_t masked_in[SIM_RUNS_MAX]; // newest round that it masked in, of each run
    uint32_t trained;   // its newest training, from 1
    //  drawn with the tree
    fl_masking profile;
    uint32_t members_min, survivors_min;
} fl_sim_masks;

//  What a parent told: one content for ever per round, block and verb (and child, of DEALT).
typedef struct fl_sim_told {
    uint32_t parent, to, block;
    uint64_t round;
    fl_verb verb;
    fl_hash content;
} fl_sim_told;

// ---- mint.c -----------------------------------------------------------------------------------
typedef struct fl_sim_identity {
    fl_keys *keys; // NULL: not made yet
    uint8_t certificate[FL_CERT_BYTES];
} fl_sim_identity;

const fl_authority_public *fl_sim_authority(void);
const fl_authority *fl_sim_issuer(void);
//  Of the node with this name and number, SIM_NODES_MAX more when it was replaced; the same for
//  every seed.
const fl_sim_identity *fl_sim_identity_of(fl_role role, const fl_name *name, uint32_t number);
//  Wipe and free all of them, at the end of the program.
void fl_sim_mint_release(void);

// ---- memo.c -----------------------------------------------------------------------------------
//  Compute everything from now on, to see that nothing else comes out.
void fl_sim_memo_off(void);

#endif
