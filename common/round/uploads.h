//  uploads - stage, verify and fold what seats send in one round: the slots, the credit, the sums.
//  A contribution counts when its fold is asked for, once per seat. Knows no deadline: the cohort
//  says when to cut. In a masked round weights, counts and stats are hidden, so their sums stay 0.
//  One thread. Borrows the roster; holds `slots` slots and an accumulator per block.
#ifndef FL_ROUND_UPLOADS_H
#define FL_ROUND_UPLOADS_H

#include "common/machine/outbox.h"
#include "common/round/seats.h"

typedef struct fl_collect fl_collect;

typedef struct fl_sums {
    uint64_t weight;
    uint32_t count;         // devices inside
    uint32_t contributions; // of our own children
    uint64_t stats[FL_STATS];
    uint64_t bytes_up; // chunk bytes taken
    fl_time last_at;   // last byte of the newest counted contribution
} fl_sums;

//  The caller owns the result. NULL when out of memory.
fl_collect *fl_collect_new(fl_roster *roster, uint32_t slots);
void fl_collect_destroy(fl_collect **self_p);

//  Begin a round: clears so many accumulators. Not while `busy`.
void fl_collect_open(fl_collect *self, const fl_order *order, uint32_t attempt, uint32_t blocks,
                     fl_outbox *out);

//  A CONTRIB of this round and attempt, from this seat, whose base is right.
void fl_collect_contrib(fl_collect *self, uint32_t seat, const fl_message *message, fl_time now,
                        fl_outbox *out);
//  A CHUNK of this round and attempt.
void fl_collect_chunk(fl_collect *self, uint32_t seat, const fl_message *message,
                      uint32_t body_bytes, fl_time now, fl_outbox *out);
//  Withdraw the slot of a seat that is too slow, whatever else it says. True when it was.
bool fl_collect_hurry(fl_collect *self, uint32_t seat, const fl_timing *timing, fl_time now,
                      fl_outbox *out);
//  A heartbeat of a seat that is sending: grant again, go back on a stand-still, or the same.
void fl_collect_beat(fl_collect *self, uint32_t seat, const fl_timing *timing, fl_time now,
                     fl_outbox *out);
//  The seat whose bytes lie in a slot that is being verified or folded.
uint32_t fl_collect_owner(const fl_collect *self, uint32_t slot);
//  `fault`: FL_WHY_NONE, or what is wrong with the bytes; late: they are right, and not wanted.
void fl_collect_verified(fl_collect *self, uint32_t slot, fl_reason fault, fl_outbox *out);
void fl_collect_folded(fl_collect *self, uint32_t slot, fl_outbox *out);
//  Give free slots to the seats that have waited longest. Whoever frees one calls this when all is
//  said: at the end of a step, while the round is open.
void fl_collect_give_slots(fl_collect *self, fl_time now, fl_outbox *out);

//  The seat leaves the race as `phase` (TASKED, LATE, REFUSED or ABSENT) unless it is counted.
//  False when it was counted already.
bool fl_collect_withdraw(fl_collect *self, uint32_t seat, fl_seat_phase phase, fl_reason reason,
                         fl_outbox *out);
//  What a seat had counted is in a block that was given up: it is refused, and out of the sums. Its
//  fold goes to an accumulator that nobody adds. Only when it is counted.
void fl_collect_void(fl_collect *self, uint32_t seat, fl_reason reason);
//  Refuse by message and note.
void fl_collect_refuse(fl_collect *self, uint32_t seat, fl_reason reason, fl_verb about,
                       fl_outbox *out);

//  Verifications or folds are in flight.
bool fl_collect_busy(const fl_collect *self);
const fl_sums *fl_collect_sums(const fl_collect *self);

#endif
