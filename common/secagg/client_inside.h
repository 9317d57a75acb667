//  client_inside - the struct that the files of the member's half share: masking_member.c
//  (rounds and time), masking_member_parent.c (what the parent says) and masking_member_deal.c
//  (shares). For these files only.
#ifndef FL_SECAGG_CLIENT_INSIDE_H
#define FL_SECAGG_CLIENT_INSIDE_H

#include "common/secagg/client.h"

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
    uint64_t token; // of the KEEP that is awaited; 0 for none
    uint64_t tokens;
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
};

void fl_secagg_client_enter(fl_secagg_client *self, fl_secagg_step next, fl_outbox *out);
//  A message to the parent, run and round filled in: say it with `utter`, keep it for later.
fl_message *fl_secagg_client_word(fl_secagg_client *self, fl_verb verb);
void fl_secagg_client_utter(fl_secagg_client *self, fl_time now, fl_outbox *out);
//  A rule was broken: wipe, say why to the parent, be idle.
void fl_secagg_client_burn(fl_secagg_client *self, fl_reason reason, fl_verb about, fl_outbox *out);
//  The round ends without a broken rule: this member is not in it.
void fl_secagg_client_leave(fl_secagg_client *self, fl_reason reason, fl_outbox *out);
//  Keep the mark; `saved` goes on.
void fl_secagg_client_keep(fl_secagg_client *self, fl_outbox *out);
//  Deal both secrets to the block, and say SHARES. False: somebody's key is of low order.
bool fl_secagg_client_deal(fl_secagg_client *self, fl_time now, fl_outbox *out);
//  Keep the shares in one part of DEALT. False: they are not what the dealer signed.
bool fl_secagg_client_take(fl_secagg_client *self, uint32_t from, const uint8_t *part);
//  READY, when both the shares and the training are there.
void fl_secagg_client_ready(fl_secagg_client *self, fl_time now, fl_outbox *out);
//  UNMASK, once the mark is kept.
void fl_secagg_client_unmask(fl_secagg_client *self, fl_time now, fl_outbox *out);

#endif
