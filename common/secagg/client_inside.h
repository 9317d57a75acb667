//  client_inside - the struct of client.c, for it and for the tests that look inside:
//  that secrets are wiped and lie in locked memory. Nobody else includes it.
#ifndef FL_SECAGG_CLIENT_INSIDE_H
#define FL_SECAGG_CLIENT_INSIDE_H

#include "common/secagg/client.h"
#include "common/secagg/pool.h"

//  What a round depends on; wiped when it ends.
typedef struct fl_secagg_secrets {
    uint8_t b[FL_SHARE_BYTES];            // own mask
    uint8_t msk[FL_TRANSCRIPT_KEY_BYTES]; // masks with others
    uint8_t esk[FL_TRANSCRIPT_KEY_BYTES]; // shares to and from others
    uint8_t pair[FL_MEMBERS_MAX][FL_TRANSCRIPT_KEY_BYTES];
    fl_share self_shares[FL_MEMBERS_MAX], pair_shares[FL_MEMBERS_MAX]; // while dealing
    fl_transcript_dealt held[FL_MEMBERS_MAX];                          // by dealer, the own one too
    fl_mask_seed seeds[FL_MEMBERS_MAX];
    uint32_t seed_count;
} fl_secagg_secrets;

//  What is kept of the content that was taken, one per message type.
typedef enum fl_secagg_heard {
    FL_HEARD_ROSTER,
    FL_HEARD_DEALT,
    FL_HEARD_MASKSET,
    FL_HEARD_SURVIVORS,
    FL_HEARD_ACKS,
    FL_HEARD_COUNT
} fl_secagg_heard;

struct fl_secagg_client {
    fl_secagg_client_conf conf;
    fl_secagg_mark mark;
    fl_secagg_secrets *secrets; // in locked memory
    fl_secagg_step step;
    uint64_t accepted; // newest round of `accepted_run` begun
    fl_run accepted_run;
    fl_name parent;
    const fl_keys *keys; // of the round in hand, as its roster has them
    uint8_t certificate[FL_CERT_BYTES];
    fl_task task;
    fl_hash task_hash;
    fl_secagg_block block;
    uint32_t index, quorum;
    uint8_t epk[FL_TRANSCRIPT_KEY_BYTES], mpk[FL_TRANSCRIPT_KEY_BYTES];
    bool heard[FL_HEARD_COUNT];
    fl_hash content[FL_HEARD_COUNT];
    uint64_t good; // dealers whose shares opened and matched
    bool trained;
    fl_secagg_input input;
    uint64_t maskset, survivors;
    uint64_t signers; // survivors whose psig holds
    fl_hash ctx, survivors_hash;
    uint64_t token;       // of the KEEP or MASK that is awaited
    bool masking, masked; // MASK is out; it is answered
    fl_secagg_upload upload;
    uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGN_BYTES];
    fl_message said; // the last word; verb NONE when there is nothing to say again
    uint8_t digests[FL_MEMBERS_MAX * FL_DIGESTS_BYTES];
    uint8_t sealed[FL_MEMBERS_MAX * FL_SEALED_SHARE_BYTES];
    uint8_t shares[FL_MEMBERS_MAX * FL_SHARE_WIRE_BYTES];
    uint8_t fact[FL_MARK_BYTES];
    fl_time until, again_at;
    fl_secagg_outcome outcome;
    bool outcome_new;
    fl_pool pool;                         // that names us, as the root signed it; epoch 0: none
    bool two_pools;                       // and another one of its epoch
    uint8_t pools[2 * FL_POOL_BYTES_MAX]; // as they came: the one held, behind it the other
    size_t pool_bytes;                    // of the one held
    fl_pool_run run[FL_MEMBERS_MAX];      // of each member of the block
};

//  R11: whether the roster in `block` may be one. FL_WHY_NONE, or why not.
FL_CHECKED fl_reason fl_secagg_client_judge_pool(fl_secagg_client *self);

#endif
