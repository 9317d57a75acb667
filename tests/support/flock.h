//  flock - an aggregator and the children of its masked rounds, all of them real: fl_aggregator
//  above, fl_participant below, every message through the codec, vectors masked, folded and opened
//  by the kernels, time made by hand. The crew answers at once, or when a test says. Built on
//  masking.h, whose world it borrows: names, keys, updates and the signed order. Include
//  tests/support/unit.h first.
#ifndef FL_SUPPORT_FLOCK_H
#define FL_SUPPORT_FLOCK_H

#include "common/round/aggregator.h"
#include "common/round/participant.h"
#include "tests/support/secagg.h"

enum { FLOCK_BEAT_MS = 500, FLOCK_WINDOW_MS = 16000, FLOCK_SLOTS = 4, FLOCK_HELD = 64 };

typedef struct flock_child {
    fl_participant *member;
    fl_participant_conf conf;
    uint64_t mute;   // verbs of its that are lost, bit by bit
    uint64_t deaf;   // verbs to it that are lost
    bool cut;        // nothing passes any more, either way
    bool idle;       // has not trained, and does not by itself
    uint32_t said[FL_VERB_COUNT], told[FL_VERB_COUNT];
    fl_closed closed;   // newest that it was told, zeros for none
    fl_refused refused; // likewise
    uint32_t vecs;      // vectors that are not freed
    uint8_t mark[FL_MARK_BYTES]; // what is durable
    bool marked;
} flock_child;

//  Sees a message on its way, from or to (-1: the aggregator), and may change it; false loses it.
typedef bool flock_hook(int32_t from, int32_t to, fl_message *message);

//  Kinds of answers that the crew holds back.
enum { FLOCK_SAVED = 1, FLOCK_VERIFIED = 2, FLOCK_FOLDED = 4, FLOCK_UNMASKED = 8 };

typedef struct flock_world {
    masked_world *keys; // names, keys, updates; the order
    fl_aggregator *aggregator;
    fl_aggregator_conf conf;
    fl_secagg_server_conf masking;
    flock_child child[MASKED_MEMBERS];
    fl_time now;
    uint32_t attempt;
    uint32_t block_max, devices_max; // of the order
    flock_hook *hook;
    unsigned hold; // kinds of answers
    fl_event held[FLOCK_HELD];
    uint32_t held_count;
    fl_blob *facts[FL_BLOCKS_MAX][FL_KEEP_COUNT]; // of the newest round
    uint32_t kept;                                // KEEP effects, ever
    uint32_t fail_keep;                           // this one is not durable; 0: all are
    uint64_t checksum_error[FL_BLOCKS_MAX];       // added to that of the sum
    uint32_t accumulators;                        // of the newest CLEAR
    uint64_t *sum[FL_BLOCKS_MAX];                 // (elements) words of each
    uint64_t *total;                              // (elements) after FINISH
    uint64_t finished;                            // set that FINISH named
    uint32_t unmasks, notes[FL_NOTE_COUNT_OF];
} flock_world;

extern flock_world flock;

//  `plan.members` children, nobody joined yet; change conf before `join`.
void flock_new(const masked_plan *plan);
void flock_destroy(void);
//  So many devices, all of them seated.
void flock_begin(uint32_t children);
//  The round is settled, if one is closed; some time later every vector of every child is free, but
//  for those who were cut off.
void flock_end(void);
//  Everybody has said HELLO and is seated.
void flock_join_all(void);
void flock_join(uint32_t index);
//  A child's process dies; a new one, with what was durable, says HELLO.
void flock_restart_child(uint32_t index);
//  The aggregator's process dies; a new one has its facts. Children find out by themselves.
void flock_restart(void);
//  Open the next round (or the same one, another attempt), due then; TASKs are on their way.
void flock_open(uint64_t round, fl_time due);
void flock_open_again(fl_time due);

//  One letter; false when there is none.
bool flock_deliver(void);
//  Exchange the next letter with a later one; `twice`: it is delivered once more, last.
void flock_ruffle(uint32_t place, bool twice);
void flock_settle(void);
//  Until nothing is on its way and no moment is due up to `until`.
void flock_pass(fl_time until);
//  Until the round is closed; answers how.
fl_result flock_run(void);
//  The same step by step: one letter, or the next moment; false when that is after `until`.
bool flock_go_on(fl_time until);
//  Deliver, or let time pass, until this child has said, or was told, a verb (again).
void flock_until_said(uint32_t index, fl_verb verb);
void flock_until_told(uint32_t index, fl_verb verb);
void flock_settle_round(fl_outcome outcome);
void flock_train(uint32_t index);
void flock_step(const fl_event *event);
void flock_step_child(uint32_t index, fl_event event);
void flock_say(uint32_t index, const fl_message *message);
void flock_push(uint32_t index, const fl_message *message, uint32_t body_bytes); // with a body
void flock_hear(uint32_t index, const fl_message *message);
//  Answer what was held.
void flock_release(void);

fl_result flock_result(void);
fl_seat_view flock_seat(uint32_t index); // idle when it never sat here
void flock_assert_seat(uint32_t index, fl_outcome outcome, fl_reason reason);
//  Children who are in the closed round.
uint32_t flock_in(void);
//  The total is that of the children who are in, header lane too, or the test ends.
void flock_assert_exact(void);

//  flock_work.c: the vectors. Those with an answer make it.
fl_event flock_mask(uint32_t index, const fl_effect *effect);
void flock_slot(const fl_effect *effect);
void flock_forget_slots(void);
//  `sender`: whose chunk is being stepped.
void flock_stage(int32_t sender, const fl_effect *effect);
void flock_clear(uint32_t blocks);
void flock_fold(const fl_effect *effect);
fl_event flock_unmask(const fl_effect *effect);
void flock_finish(uint64_t set);

#endif
