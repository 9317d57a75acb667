//  model_fetch - a model on its way down: which bytes were asked for, which came, when to ask
//  again. A plain value inside the participant; asks are absolute, so a lost piece costs one more
//  ask. What fails its check is fetched at most FL_FETCHES_MAX times for one task. After each
//  failed check no byte is asked for until a pause is over, whatever task comes.
#ifndef FL_ROUND_MODEL_FETCH_H
#define FL_ROUND_MODEL_FETCH_H

#include "common/machine/outbox.h"

enum { FL_FETCHES_MAX = 3 };

typedef struct fl_model_fetch {
    bool active;
    bool paused;       // wanted, and not asked for before `retry_at`
    uint64_t checking; // of the CHECK that is awaited, when all of it is here
    fl_hash hash;
    uint64_t total;
    uint64_t received; // bytes in order from 0
    uint64_t asked;    // end of what was asked for
    uint64_t rate;     // bytes/s over the fetch so far; 0 = unknown
    uint32_t in_vain;  // so often it stood still since the last byte
    fl_time started_at, progress_at;
    uint32_t failures; // checks that failed in this task
    //  beyond a task
    uint32_t failures_in_row; // until one passes
    fl_time retry_at;         // end of the pause after the last one
} fl_model_fetch;

//  Begin for a task: opens the down lane at `port` and asks for the first bytes, or waits for the
//  end of the pause.
void fl_model_fetch_begin(fl_model_fetch *self, const fl_hash *hash, uint64_t total,
                          const fl_run *run, uint16_t port, fl_time now, fl_outbox *out);
//  A piece came. Bytes that continue what we hold are placed, others dropped (false). The last
//  byte asks for the check.
bool fl_model_fetch_piece(fl_model_fetch *self, const fl_message *message, uint32_t body_bytes,
                          fl_time now, fl_outbox *out);
//  When it has stood still for too long, or its pause ends; FL_NEVER when nothing is awaited.
fl_time fl_model_fetch_stuck_at(const fl_model_fetch *self, uint32_t beat_ms);
//  Ask again from the last byte held, on a fresh lane; not before the pause is over.
void fl_model_fetch_again(fl_model_fetch *self, const fl_run *run, uint16_t port, fl_time now,
                          fl_outbox *out);
//  The check said no: the bytes are worthless. True: they are fetched once more after the pause.
//  False: not in this task, which the caller ends.
bool fl_fetch_failed(fl_model_fetch *self, uint32_t pause_ms, fl_time now, fl_outbox *out);
//  The check said yes: the fetch ends.
void fl_fetch_passed(fl_model_fetch *self, fl_outbox *out);
//  Close the lane and forget all but the pause.
void fl_model_fetch_end(fl_model_fetch *self, fl_outbox *out);

#endif
