//  upload_send - one offered contribution on its way up: what was announced, what was
//  granted, what was sent. A plain value inside the participant. Sends no byte at or
//  beyond the granted limit; goes back when a grant's `rewind` grew.
#ifndef FL_ROUND_UPLOAD_SEND_H
#define FL_ROUND_UPLOAD_SEND_H

#include "common/round/participant.h"

typedef struct fl_upload_send {
    fl_offer offer;  // vec 0 when none; its pointers are not kept
    uint8_t *roll;   // (FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES), of an edge only
    uint8_t *blocks; // (FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES), likewise
    uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];
    bool masked, signs; // the header is there; the psig too
    uint64_t sent, limit;
    uint32_t rewind, chunk_bytes;
    bool lane_open;
} fl_upload_send;

//  `with_roll`: this participant reports children. False when out of memory.
bool fl_upload_send_init(fl_upload_send *self, bool with_roll);
void fl_upload_send_release(fl_upload_send *self);

//  Take over what is offered; nothing is sent yet.
void fl_upload_send_load(fl_upload_send *self, const fl_offer *offer);
//  From now on it is these masked bytes, and nothing of it is said in the clear; the plain vector
//  is freed.
void fl_upload_send_mask(fl_upload_send *self, const fl_secagg_upload *upload, fl_outbox *out);
//  Forget what was granted and sent (a new attempt or seat asks from the
//  start).
void fl_upload_send_restart(fl_upload_send *self);
//  Announce it: fill the fields of a CONTRIB for this task and seat.
void fl_upload_send_announce(const fl_upload_send *self, const fl_task *task,
                             const fl_welcome *seat, fl_contrib *contrib);

typedef enum fl_upload_send_state {
    FL_UPLOAD_STRANGE, // the grant is not for this contribution
    FL_UPLOAD_SENDING,
    FL_UPLOAD_SENT, // every byte left here
} fl_upload_send_state;

//  A grant came: open the lane, send what it allows. The last grant closes the
//  lane.
fl_upload_send_state fl_upload_send_granted(fl_upload_send *self, const fl_grant *grant,
                                            const fl_task *task, const fl_welcome *seat,
                                            fl_outbox *out);
//  Send on, as far as the limit and one step's share allow.
fl_upload_send_state fl_upload_send_pump(fl_upload_send *self, const fl_task *task,
                                         const fl_welcome *seat, fl_outbox *out);
//  More may be sent at once.
bool fl_upload_send_ready(const fl_upload_send *self);
//  Free the vector, close the lane.
void fl_upload_send_end(fl_upload_send *self, fl_outbox *out);

#endif
