//  upload_send - one offered contribution on its way up: what was announced, what was
//  granted, what was sent. A plain value inside the member. Sends no byte at or
//  beyond the granted limit; goes back when a grant's `rewind` grew.
#ifndef FL_ROUND_UPLOAD_SEND_H
#define FL_ROUND_UPLOAD_SEND_H

#include "common/round/participant.h"

typedef struct fl_push {
    fl_offer offer;  // vec 0 when none; its pointers are not kept
    uint8_t *roll;   // (FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES), of an edge only
    uint8_t *blocks; // (FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES), likewise
    uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];
    bool masked, signs; // the header is there; the psig too
    uint64_t sent, limit;
    uint32_t rewind, chunk_bytes;
    bool lane_open;
} fl_push;

//  `with_roll`: this member reports children. False when out of memory.
bool fl_push_init(fl_push *self, bool with_roll);
void fl_push_release(fl_push *self);

//  Take over what the host offers; nothing is sent yet.
void fl_push_load(fl_push *self, const fl_offer *offer);
//  From now on it is these masked bytes, and nothing of it is said in the clear; the plain vector
//  is freed.
void fl_push_mask(fl_push *self, const fl_masking_upload *upload, fl_outbox *out);
//  Forget what was granted and sent (a new attempt or seat asks from the
//  start).
void fl_push_restart(fl_push *self);
//  Announce it: fill the fields of a CONTRIB for this task and seat.
void fl_push_announce(const fl_push *self, const fl_task *task, const fl_welcome *seat,
                      fl_contrib *contrib);

typedef enum fl_push_state {
    FL_PUSH_STRANGE, // the grant is not for this contribution
    FL_PUSH_SENDING,
    FL_PUSH_SENT, // every byte left here
} fl_push_state;

//  A grant came: open the lane, send what it allows. The last grant closes the
//  lane.
fl_push_state fl_push_granted(fl_push *self, const fl_grant *grant, const fl_task *task,
                              const fl_welcome *seat, fl_outbox *out);
//  Send on, as far as the limit and one step's share allow.
fl_push_state fl_push_pump(fl_push *self, const fl_task *task, const fl_welcome *seat,
                           fl_outbox *out);
//  More may be sent at once.
bool fl_push_ready(const fl_push *self);
//  Free the vector, close the lane.
void fl_push_end(fl_push *self, fl_outbox *out);

#endif
