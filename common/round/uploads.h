//  uploads - stage, verify and fold what seats send in one round: the slots, the credit, the sums.
//  A contribution counts when its fold is asked for, once per seat. Knows no deadline: the
//  aggregator says when to cut. In a masked round weights, counts and stats are hidden, so their
//  sums stay 0. One thread. Borrows the seats; holds `slots` slots and an accumulator per block.
#ifndef FL_ROUND_UPLOADS_H
#define FL_ROUND_UPLOADS_H

#include "common/machine/outbox.h"
#include "common/round/seats.h"

typedef struct fl_uploads fl_uploads;

typedef struct fl_sums {
    uint64_t weight;
    uint32_t count;         // devices inside
    uint32_t contributions; // of our own children
    uint64_t stats[FL_STATS];
    uint64_t bytes_up; // chunk bytes taken
    fl_time last_at;   // last byte of the newest counted contribution
} fl_sums;

//  The caller owns the result. NULL when out of memory.
fl_uploads *fl_uploads_new(fl_seats *seats, uint32_t slots);
void fl_uploads_destroy(fl_uploads **self_p);

//  Begin a round: clears so many accumulators. Not while `busy`.
void fl_uploads_open(fl_uploads *self, const fl_order *order, uint32_t attempt, bool masked,
                     uint32_t blocks, fl_outbox *out);

//  A CONTRIB of this round and attempt, from this seat, whose base is right.
void fl_uploads_contrib(fl_uploads *self, uint32_t seat, const fl_message *message, fl_time now,
                        fl_outbox *out);
//  A CHUNK of this round and attempt.
void fl_uploads_chunk(fl_uploads *self, uint32_t seat, const fl_message *message,
                      uint32_t body_bytes, fl_time now, fl_outbox *out);
//  Withdraw the slot of a seat that is too slow, whatever else it says. True when it was.
bool fl_uploads_hurry(fl_uploads *self, uint32_t seat, const fl_timing *timing, fl_time now,
                      fl_outbox *out);
//  A heartbeat of a seat that is sending: grant again, go back on a stand-still, or the same.
void fl_uploads_beat(fl_uploads *self, uint32_t seat, const fl_timing *timing, fl_time now,
                     fl_outbox *out);
//  The slot that an answer is about; -1 when it is not one of these.
int64_t fl_uploads_slot(const fl_uploads *self, const fl_event *answer);
//  The seat whose bytes are in a slot, while they are verified; -1 when it was withdrawn.
int64_t fl_uploads_owner(const fl_uploads *self, uint32_t slot);
//  `fault`: FL_WHY_NONE, or what is wrong with the bytes; late: they are right, and not wanted.
void fl_uploads_verified(fl_uploads *self, uint32_t slot, fl_reason fault, fl_outbox *out);
void fl_uploads_folded(fl_uploads *self, uint32_t slot, fl_outbox *out);
//  Give free slots to the seats that have waited longest. Whoever frees one calls this when all is
//  said: at the end of a step, while the round is open.
void fl_uploads_give_slots(fl_uploads *self, fl_time now, fl_outbox *out);

//  The seat leaves the race as `phase` (TASKED, LATE, REFUSED or ABSENT) unless it is counted. Late
//  or refused it is out of its block, too. False when it was counted already.
bool fl_uploads_withdraw(fl_uploads *self, uint32_t seat, fl_seat_phase phase, fl_reason reason,
                         fl_outbox *out);
//  What a seat had counted is in a block that was given up: it is refused, and out of the sums. Its
//  fold goes to an accumulator that nobody adds. Only when it is counted.
void fl_uploads_void(fl_uploads *self, uint32_t seat, fl_reason reason);
//  Refuse by message and note.
void fl_uploads_refuse(fl_uploads *self, uint32_t seat, fl_reason reason, fl_verb about,
                       fl_outbox *out);

//  Verifications or folds are in flight.
bool fl_uploads_busy(const fl_uploads *self);
const fl_sums *fl_uploads_sums(const fl_uploads *self);

#endif
