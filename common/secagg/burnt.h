//  burnt - how it is proved that a block was not opened and never will be (docs/masking.md, R10):
//  enough members of its roster sign that they gave no share of it and have none any more. The
//  member's side is a pure reading of BURNTS; the parent's is a book of the blocks that ended
//  unopened, for as long as their model lasts. One thread.
#ifndef FL_SECAGG_BURNT_H
#define FL_SECAGG_BURNT_H

#include "common/machine/outbox.h"
#include "common/secagg/secagg.h"

// ---- what BURNTS says -------------------------------------------------------------------------
typedef struct fl_burnts {
    fl_transcript_round round; // of that block; its roster is the hash of the lines
    uint32_t members;
    fl_bytes lines; // (members, FL_MEMBER_BYTES)
    uint64_t signers;
    fl_bytes signatures; // one for each of them
} fl_burnts;

//  `edge`, `hop`: of who says it. False: the lists do not fit.
FL_CHECKED bool fl_burnts_read(const fl_message *burnts, const fl_name *edge, uint8_t hop,
                               fl_burnts *self);
//  The member with that name and key; FL_MEMBERS_MAX: there is none.
uint32_t fl_burnts_member(const fl_burnts *self, const fl_authority_public *authority,
                          const fl_name *node, const uint8_t ed[FL_SIGN_PUBLIC_BYTES]);
//  So many signatures hold by the keys of the lines that shares of no member can be complete. For
//  one who checked these lines when they were its roster.
FL_CHECKED bool fl_burnts_prove(const fl_burnts *self, const fl_authority_public *authority);

// ---- the parent's book ------------------------------------------------------------------------
typedef struct fl_burnt_book fl_burnt_book;

//  The caller owns the result. NULL when out of memory.
fl_burnt_book *fl_burnt_book_new(void);
void fl_burnt_book_destroy(fl_burnt_book **self_p);

//  A round of that run and model opens: blocks of other models of the run are forgotten.
void fl_burnt_book_turn(fl_burnt_book *self, const fl_run *run, const fl_hash *tensors);
//  A block ended unopened, or may have before a restart (`tensors` NULL: of the model of the next
//  turn). What was there before is not put in again. Without memory it is left out: its members
//  wait for another model.
void fl_burnt_book_add(fl_burnt_book *self, const fl_transcript_round *round, fl_bytes lines,
                       const fl_hash *tensors, const fl_authority_public *authority);
//  BURNT of a child. True: a block is proved with it, which was not before.
bool fl_burnt_book_hear(fl_burnt_book *self, const fl_name *node, const fl_message *burnt);
//  Send a child what it may want to hear: proofs, and where one is missing, the question.
void fl_burnt_book_tell(const fl_burnt_book *self, const fl_name *node, fl_peer peer,
                        fl_outbox *out);
//  A child masks anew under this model, so it has heard the proofs; or it may have lost them.
void fl_burnt_book_heard(fl_burnt_book *self, const fl_name *node, bool heard);

#endif
