//  evidence - how it is shown to anybody that a member dealt shares which do not make what
//  it promised: its certificate and keys, what it signed of its shares, and as many of them as
//  rebuild a secret. An honest member's shares never make such a paper. Pure functions.
//
//      hop u8 | edge 16 | run 16 | block u32 | round u64 | roster 32 | members u8 | dealer u8
//      | kind u8 | threshold u8 | member FL_MEMBER_BYTES | commitment 32 | signature 64
//      | digests members * 64 | threshold * (holder u8 | share 32)
#ifndef FL_SECAGG_EVIDENCE_H
#define FL_SECAGG_EVIDENCE_H

#include "common/secagg/secagg.h"

enum {
    FL_EVIDENCE_BYTES_MAX = 1 + 16 + 16 + 4 + 8 + 32 + 4 + FL_MEMBER_BYTES + 32 + FL_SIGN_BYTES +
                            FL_MEMBERS_MAX * (FL_DIGESTS_BYTES + 33),
};

typedef struct fl_evidence {
    fl_transcript_round round;
    uint32_t members, dealer, threshold;
    fl_transcript_kind kind;
    fl_bytes member; // the dealer's line of the roster
    fl_hash commitment;
    fl_bytes signature;
    fl_bytes digests;                // (members, FL_DIGESTS_BYTES)
    uint8_t holders[FL_MEMBERS_MAX]; // (threshold)
    fl_share shares[FL_MEMBERS_MAX]; // (threshold)
} fl_evidence;

//  Into `bytes`; its size.
size_t fl_evidence_encode(const fl_evidence *self, uint8_t bytes[FL_EVIDENCE_BYTES_MAX]);
//  True when these bytes show that `liar` lied. `trust` and `now_s`: at the time of the round.
FL_CHECKED bool fl_evidence_holds(fl_bytes bytes, const fl_secagg_trust *trust, uint64_t now_s,
                                  fl_name *liar);

//  The secret that the shares make is the one that was promised: b of the commitment, or msk of
//  mpk.
bool fl_secagg_secret_kept(fl_transcript_kind kind, const uint8_t secret[FL_SHARE_BYTES],
                           const fl_hash *commitment, const uint8_t mpk[FL_TRANSCRIPT_KEY_BYTES]);

#endif
