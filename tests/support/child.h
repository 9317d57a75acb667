//  child - a participant under test and its parent: it joins, is tasked, offers, hears its fate.
//  One at a time; the machine of tests/support/machine.h. All rounds have one model, so it is
//  fetched once.
#ifndef FL_SUPPORT_CHILD_H
#define FL_SUPPORT_CHILD_H

#include "common/round/participant.h"
#include "tests/support/machine.h"

enum { CHILD_CHUNK = FL_CHUNK_BYTES_MIN, CHILD_VEC = 7, CHILD_BYTES = 3 * CHILD_CHUNK };

extern fl_participant *child_member;
extern fl_order child_order; // of the newest task
extern uint32_t child_lanes_ms; // of the next one that is made

//  For cmocka: device d1, beats of 100 ms, at time 1000.
int child_new(void **state);
int child_destroy(void **state);

//  As far as seat 3, epoch 1.
void child_join(void);
void child_task(uint64_t round, uint32_t attempt, uint32_t budget_ms);
//  Every piece comes.
void child_fetch_all(void);
//  As far as the model and the task of round 1, attempt 1.
void child_work(void);
//  Offer CHILD_BYTES with the hash machine_hash(70).
void child_offer(void);
void child_grant(uint32_t attempt, uint64_t next, uint64_t limit, uint32_t rewind);
//  As far as having sent every byte under attempt 1.
void child_send_all(void);
void child_closed(uint64_t round, uint32_t attempt, fl_outcome outcome, fl_reason reason,
                  bool final);
//  The verdict; there must be one, and only one.
fl_verdict child_verdict(void);
bool child_no_verdict(void);

#endif
