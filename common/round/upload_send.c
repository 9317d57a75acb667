#include "common/round/upload_send.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

enum { PUSHES_MAX = 32 }; // chunks of one step, whatever a parent grants

bool
fl_upload_send_init(fl_upload_send *self, bool with_roll)
{
    memset(self, 0, sizeof *self);
    if (with_roll) {
        self->roll = malloc((size_t)FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES);
        self->blocks = malloc((size_t)FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES);
    }
    return !with_roll || (self->roll != NULL && self->blocks != NULL);
}

void
fl_upload_send_release(fl_upload_send *self)
{
    free(self->roll);
    free(self->blocks);
    self->roll = self->blocks = NULL;
}

void
fl_upload_send_load(fl_upload_send *self, const fl_offer *offer)
{
    FL_ASSERT(self->offer.vec == 0 && offer->vec != 0 && offer->vector_bytes > 0);
    FL_ASSERT(offer->roll_count <= FL_ROLL_MAX && (offer->roll_count == 0 || self->roll != NULL));
    FL_ASSERT(offer->block_count <= FL_BLOCK_LINES_MAX);
    FL_ASSERT(offer->block_count == 0 || self->blocks != NULL);
    self->offer = *offer;
    self->offer.roll = NULL;
    self->offer.blocks = NULL;
    self->masked = self->signs = false;
    for (uint32_t i = 0; i < offer->roll_count; i++) {
        fl_roll_encode(&offer->roll[i], self->roll + (size_t)i * FL_ROLL_ENTRY_BYTES);
    }
    for (uint32_t i = 0; i < offer->block_count; i++) {
        fl_block_line_encode(&offer->blocks[i], self->blocks + (size_t)i * FL_BLOCK_LINE_BYTES);
    }
}

void
fl_upload_send_mask(fl_upload_send *self, const fl_secagg_upload *upload, fl_outbox *out)
{
    FL_ASSERT(self->offer.vec != 0 && upload->vec != 0 && !self->masked);
    FL_ASSERT(upload->header.size == sizeof self->header);
    FL_ASSERT(upload->psig.size == 0 || upload->psig.size == sizeof self->psig);
    fl_outbox_add(out, FL_FX_DROP)->drop.vec = self->offer.vec;
    self->offer.vec = upload->vec;
    self->offer.hash = upload->hash;
    self->offer.vector_bytes = upload->vector_bytes;
    self->offer.weight = 0;
    self->offer.count = 0;
    memset(self->offer.stats, 0, sizeof self->offer.stats);
    self->masked = true;
    memcpy(self->header, upload->header.data, sizeof self->header);
    self->signs = upload->psig.size > 0;
    if (self->signs) {
        memcpy(self->psig, upload->psig.data, sizeof self->psig);
    }
}

void
fl_upload_send_restart(fl_upload_send *self)
{
    self->sent = 0;
    self->limit = 0;
    self->rewind = 0;
}

void
fl_upload_send_announce(const fl_upload_send *self, const fl_task *task, const fl_welcome *seat,
                        fl_contrib *contrib)
{
    const fl_offer *offer = &self->offer;
    contrib->attempt = task->attempt;
    contrib->seat = seat->seat;
    contrib->epoch = seat->epoch;
    memcpy(contrib->ticket, seat->ticket, sizeof contrib->ticket);
    contrib->base_round = offer->base_round;
    contrib->base = offer->base;
    contrib->weight = offer->weight;
    contrib->count = offer->count;
    contrib->elements = task->order.elements;
    contrib->vector_bytes = offer->vector_bytes;
    contrib->hash = offer->hash;
    memcpy(contrib->stats, offer->stats, sizeof contrib->stats);
    contrib->tally = offer->tally;
    contrib->roll_dropped = offer->roll_dropped;
    contrib->roll = fl_bytes_of(self->roll, (size_t)offer->roll_count * FL_ROLL_ENTRY_BYTES);
    contrib->blocks = fl_bytes_of(self->blocks, (size_t)offer->block_count * FL_BLOCK_LINE_BYTES);
    contrib->header = fl_bytes_of(self->header, self->masked ? sizeof self->header : 0);
    contrib->psig = fl_bytes_of(self->psig, self->signs ? sizeof self->psig : 0);
}

static void
s_lane(fl_upload_send *self, bool open, uint16_t port, fl_outbox *out)
{
    if (self->lane_open != open) {
        fl_effect *effect = fl_outbox_add(out, FL_FX_LANE);
        effect->lane.lane = FL_LANE_UP;
        effect->lane.open = open;
        effect->lane.port = port;
        self->lane_open = open;
    }
}

static uint64_t
s_end_of_credit(const fl_upload_send *self)
{
    return self->limit < self->offer.vector_bytes ? self->limit : self->offer.vector_bytes;
}

bool
fl_upload_send_ready(const fl_upload_send *self)
{
    return self->lane_open && self->sent < s_end_of_credit(self);
}

fl_upload_send_state
fl_upload_send_pump(fl_upload_send *self, const fl_task *task, const fl_welcome *seat,
                    fl_outbox *out)
{
    for (int n = 0; n < PUSHES_MAX && fl_upload_send_ready(self); n++) {
        uint64_t left = s_end_of_credit(self) - self->sent;
        uint64_t bytes = left < self->chunk_bytes ? left : self->chunk_bytes;
        fl_effect *effect = fl_outbox_add(out, FL_FX_PUSH);
        effect->push.vec = self->offer.vec;
        effect->push.bytes = (uint32_t)bytes;
        fl_message *message = &effect->push.message;
        message->verb = FL_CHUNK;
        message->run = task->order.run;
        message->round = task->order.round;
        message->chunk.attempt = task->attempt;
        message->chunk.seat = seat->seat;
        message->chunk.epoch = seat->epoch;
        message->chunk.hash = self->offer.hash;
        message->chunk.offset = self->sent;
        message->chunk.total = self->offer.vector_bytes;
        self->sent += bytes;
    }
    return self->sent == self->offer.vector_bytes ? FL_UPLOAD_SENT : FL_UPLOAD_SENDING;
}

fl_upload_send_state
fl_upload_send_granted(fl_upload_send *self, const fl_grant *grant, const fl_task *task,
                       const fl_welcome *seat, fl_outbox *out)
{
    uint64_t total = self->offer.vector_bytes;
    if (grant->attempt != task->attempt || !fl_hash_equal(&grant->hash, &self->offer.hash) ||
        grant->next > total) {
        return FL_UPLOAD_STRANGE;
    }
    if (grant->rewind > self->rewind) {
        self->rewind = grant->rewind;
        self->sent = grant->next;
        self->limit = grant->limit;
    }
    if (grant->next > self->sent) {
        self->sent = grant->next; // a parent that holds more than we remember sending
    }
    if (grant->limit > self->limit) {
        self->limit = grant->limit;
    }
    self->chunk_bytes = grant->chunk_bytes < FL_CHUNK_BYTES_MIN   ? FL_CHUNK_BYTES_MIN
                        : grant->chunk_bytes > FL_CHUNK_BYTES_MAX ? FL_CHUNK_BYTES_MAX
                                                                  : grant->chunk_bytes;
    s_lane(self, grant->next < total, seat->up_port, out);
    return fl_upload_send_pump(self, task, seat, out);
}

void
fl_upload_send_end(fl_upload_send *self, fl_outbox *out)
{
    if (self->offer.vec != 0) {
        fl_outbox_add(out, FL_FX_DROP)->drop.vec = self->offer.vec;
        self->offer.vec = 0;
    }
    s_lane(self, false, 0, out);
}
