//  blocks - the blocks of the masked round at hand: which seat is in which, how each ends,
//  and what those that are opened add up to. A part of fl_aggregator, which holds the seats'
//  phases: it asks here before it takes a contribution, tells of those that come and go, and looks
//  for ended blocks after each step. One thread. Borrows the roster; holds a fl_secagg_server per
//  block, made when it is first needed.
#ifndef FL_ROUND_BLOCKS_H
#define FL_ROUND_BLOCKS_H

#include "common/round/seats.h"
#include "common/secagg/server.h"

typedef struct fl_blocks fl_blocks;

//  What the blocks that were opened add up to.
typedef struct fl_blocks_sum {
    uint64_t set;       // of their accumulators
    uint32_t survivors; // in them
    uint64_t weight;
    uint32_t count;
    uint64_t stats[FL_STATS];
    fl_reason reason; // why the first of the others was aborted; FL_WHY_NONE: none was
} fl_blocks_sum;

//  The caller owns the result. NULL when out of memory. `conf` is borrowed.
fl_blocks *fl_blocks_new(const fl_secagg_server_conf *conf, fl_seats *seats);
void fl_blocks_destroy(fl_blocks **self_p);

//  Begin a round: put the seats that are invited into blocks (`in_block`, `block`), as few as hold
//  them, all as even as may be, none below the floor unless it is the only one. With `facts` of
//  this very round (views until `resume`), the blocks are those of the facts, and no others. Says
//  how many accumulators there are, at least one. Not while `busy`.
uint32_t fl_blocks_open(fl_blocks *self, const fl_task *task, const fl_bytes *facts,
                        uint32_t fact_count, const fl_secagg_times *times, uint64_t wall_s,
                        fl_time now, fl_outbox *out);
//  Right after `open`, when the seats have their tasks: blocks of facts go on.
void fl_blocks_resume(fl_blocks *self, uint64_t wall_s, fl_time now, fl_outbox *out);

//  Of a seat that is in a block, each of these.
void fl_blocks_hear(fl_blocks *self, uint32_t seat, const fl_event *event, fl_time now,
                    fl_outbox *out);
void fl_blocks_joined(fl_blocks *self, uint32_t seat, fl_time now, fl_outbox *out);
void fl_blocks_gone(fl_blocks *self, uint32_t seat, fl_time now, fl_outbox *out);
void fl_blocks_drop(fl_blocks *self, uint32_t seat, fl_reason reason, fl_time now, fl_outbox *out);
FL_CHECKED fl_reason fl_blocks_contrib(fl_blocks *self, uint32_t seat, const fl_contrib *contrib,
                                       fl_outbox *out);
bool fl_blocks_wants(const fl_blocks *self, uint32_t seat);
//  Its upload is wanted, whole, and its fold was asked for.
void fl_blocks_uploaded(fl_blocks *self, uint32_t seat, fl_time now, fl_outbox *out);
//  How the block sees it; zeros when it is not, or no longer, in a block.
fl_secagg_seat fl_blocks_seat(const fl_blocks *self, uint32_t seat);
//  A seat that came after `open`: true when it is of a block that goes on after a restart; it is
//  put there.
bool fl_blocks_adopt(fl_blocks *self, uint32_t seat);

//  Answers of the crew, whatever round they are of.
void fl_blocks_saved(fl_blocks *self, const fl_event *event, fl_time now, fl_outbox *out);
void fl_blocks_unmasked(fl_blocks *self, const fl_event *event, fl_outbox *out);
//  Give every block up that has not ended.
void fl_blocks_abort(fl_blocks *self, fl_reason reason, fl_outbox *out);
void fl_blocks_tick(fl_blocks *self, fl_time now, fl_outbox *out);
fl_time fl_blocks_deadline(const fl_blocks *self);

//  An upload may still be taken somewhere.
bool fl_blocks_collecting(const fl_blocks *self);
//  Each block has ended, and was taken.
bool fl_blocks_ended(const fl_blocks *self);
//  Something is in flight that must be answered before the next `open`.
bool fl_blocks_busy(const fl_blocks *self);
//  The next block that has ended, once: `reason` is FL_WHY_NONE when it was opened, and its sum is
//  added. False when there is no new one.
bool fl_blocks_take_end(fl_blocks *self, uint32_t *block, fl_reason *reason);
const fl_blocks_sum *fl_blocks_sum_of(const fl_blocks *self);
//  Adds the devices of our own blocks: told to mask, recovered, in a block that was aborted.
void fl_blocks_tally(const fl_blocks *self, fl_tally *tally);
//  How far a block has come, and in which state it is; false when there is no such block.
bool fl_blocks_look(const fl_blocks *self, uint32_t block, fl_block_line *line,
                    fl_secagg_state *state);
//  A line per block, and behind them those that counted edges sent; views until the next call.
const fl_block_line *fl_blocks_lines(fl_blocks *self, uint32_t *count);

#endif
