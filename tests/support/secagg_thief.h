//  secagg_thief - an aggregator that does not keep to the protocol: it takes over from the honest
//  one once the mask set is said, tells each member what it likes, and tries to read fewer inputs
//  than it may. It knows every message, and the secrets of the members that are its own.
//  Include tests/support/unit.h first.
#ifndef FL_SUPPORT_SECAGG_THIEF_H
#define FL_SUPPORT_SECAGG_THIEF_H

#include "tests/support/secagg.h"

typedef struct thief {
    masked_world *world;
    uint64_t own;                                  // corrupt members
    bool roster_too;                               // tells the roster and all after it as well
    uint8_t keys[MASKED_MEMBERS][FL_MEMBER_BYTES]; // lines of a roster, from KEYS
    uint8_t asig[MASKED_MEMBERS][FL_SIGN_BYTES];   // newest
    uint64_t acked;
    //  by kind (self 0, pair 1), whose, holder
    fl_share share[2][MASKED_MEMBERS][MASKED_MEMBERS];
    uint64_t has[2][MASKED_MEMBERS];
    uint8_t msk[MASKED_MEMBERS][FL_TRANSCRIPT_KEY_BYTES]; // of its own
    uint64_t refused;                                     // members that burnt the round
} thief;

//  Take a place in `world`, with these members corrupt. Large: the test keeps it static.
void thief_move_in(thief *self, masked_world *world, uint64_t own);
//  Open and run the world as the honest aggregator would, up to the uploads.
void thief_wait_for_uploads(thief *self);

void thief_tell_roster(thief *self, uint64_t audience, uint64_t members);
void thief_tell_maskset(thief *self, uint64_t audience, uint64_t set);
//  With the signatures of the uploads; zeros for members of `spoilt`.
void thief_tell_survivors(thief *self, uint64_t audience, uint64_t set, uint64_t spoilt);
//  With the newest asigs of `ackers`; its own members sign whatever `audience`'s first saw.
void thief_tell_acks(thief *self, uint64_t audience, uint64_t ackers);

//  The updates of exactly `group` come out as their true sum.
bool thief_reads(const thief *self, uint64_t group);
//  Some single honest member's does.
bool thief_reads_anybody(const thief *self);

//  What is left of an upload when everything that can be known is taken off it, as ring words
//  (elements). How many masks came off.
size_t thief_peel(const thief *self, uint32_t index, uint32_t *words);

uint64_t thief_all(const thief *self);

#endif
