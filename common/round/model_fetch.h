//  model_fetch - a model on its way down: which bytes were asked for, which came, when to ask
//  again. A plain value inside the participant; asks are absolute, so a lost piece costs one more
//  ask.
#ifndef FL_ROUND_MODEL_FETCH_H
#define FL_ROUND_MODEL_FETCH_H

#include "common/machine/outbox.h"

typedef struct fl_model_fetch {
    bool active, checking;
    fl_hash hash;
    uint64_t total;
    uint64_t received; // bytes in order from 0
    uint64_t asked;    // end of what was asked for
    uint64_t rate;     // bytes/s over the fetch so far; 0 = unknown
    uint32_t in_vain;  // so often it stood still since the last byte
    fl_time started_at, progress_at;
} fl_model_fetch;

//  Begin: opens the down lane at `port` and asks for the first bytes.
void fl_model_fetch_begin(fl_model_fetch *self, const fl_hash *hash, uint64_t total,
                          const fl_run *run, uint16_t port, fl_time now, fl_outbox *out);
//  A piece came. Bytes that continue what we hold are placed, others dropped (false). The last
//  byte asks for the check.
bool fl_model_fetch_piece(fl_model_fetch *self, const fl_message *message, uint32_t body_bytes,
                          fl_time now, fl_outbox *out);
//  When it has stood still for too long; FL_NEVER when nothing is awaited.
fl_time fl_model_fetch_stuck_at(const fl_model_fetch *self, uint32_t beat_ms);
//  Ask again from the last byte held, on a fresh lane.
void fl_model_fetch_again(fl_model_fetch *self, const fl_run *run, uint16_t port, fl_time now,
                          fl_outbox *out);
//  Close the lane and forget.
void fl_model_fetch_end(fl_model_fetch *self, fl_outbox *out);

#endif
