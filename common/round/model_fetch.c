#include "common/round/model_fetch.h"

#include "common/base/status.h"
#include "common/machine/policy.h"

enum { ASKS_MAX = 16 }; // outstanding asks at most: the down lane never holds more

static void
s_lane(bool open, uint16_t port, fl_outbox *out)
{
    fl_effect *effect = fl_outbox_add(out, FL_FX_LANE);
    effect->lane.lane = FL_LANE_DOWN;
    effect->lane.open = open;
    effect->lane.port = port;
}

static void
s_ask(fl_model_fetch *self, const fl_run *run, fl_outbox *out)
{
    uint64_t chunk = fl_policy_chunk_bytes(self->rate);
    uint64_t limit = self->received + fl_policy_window_bytes(self->rate);
    if (limit > self->received + ASKS_MAX * chunk) {
        limit = self->received + ASKS_MAX * chunk;
    }
    while (self->asked < self->total && self->asked < limit) {
        uint64_t left = self->total - self->asked;
        uint64_t bytes = left < chunk ? left : chunk;
        fl_message *message = fl_outbox_send(out, FL_PARENT, FL_FETCH);
        message->run = *run;
        message->fetch.hash = self->hash;
        message->fetch.offset = self->asked;
        message->fetch.bytes = (uint32_t)bytes;
        self->asked += bytes;
    }
}

void
fl_model_fetch_begin(fl_model_fetch *self, const fl_hash *hash, uint64_t total, const fl_run *run,
                     uint16_t port, fl_time now, fl_outbox *out)
{
    FL_ASSERT(total > 0);
    *self = (fl_model_fetch){ .active = true,
                              .paused = true,
                              .hash = *hash,
                              .total = total,
                              .failures_in_row = self->failures_in_row,
                              .retry_at = self->retry_at };
    fl_model_fetch_again(self, run, port, now, out);
}

bool
fl_model_fetch_piece(fl_model_fetch *self, const fl_message *message, uint32_t body_bytes,
                     fl_time now, fl_outbox *out)
{
    const fl_piece *piece = &message->piece;
    if (!self->active || self->paused || self->checking != 0 ||
        !fl_hash_equal(&piece->hash, &self->hash) || piece->total != self->total ||
        piece->offset != self->received || body_bytes == 0 ||
        body_bytes > self->total - self->received) {
        return false;
    }
    fl_effect *place = fl_outbox_add(out, FL_FX_PLACE);
    place->place.hash = self->hash;
    place->place.offset = piece->offset;
    place->place.total = self->total;
    self->received += body_bytes;
    self->progress_at = now;
    self->in_vain = 0;
    if (self->asked < self->received) {
        self->asked = self->received;
    }
    if (now > self->started_at) {
        self->rate = self->received * 1000 / (uint64_t)(now - self->started_at);
    }
    if (self->received == self->total) {
        fl_outbox_ask(out, FL_FX_CHECK, &self->checking)->check.hash = self->hash;
    } else {
        s_ask(self, &message->run, out);
    }
    return true;
}

fl_time
fl_model_fetch_stuck_at(const fl_model_fetch *self, uint32_t beat_ms)
{
    if (!self->active || self->checking != 0) {
        return FL_NEVER;
    }
    if (self->paused) {
        return self->retry_at;
    }
    return self->progress_at + fl_policy_patience_ms(beat_ms, self->rate, self->in_vain);
}

void
fl_model_fetch_again(fl_model_fetch *self, const fl_run *run, uint16_t port, fl_time now,
                     fl_outbox *out)
{
    FL_ASSERT(self->active && self->checking == 0);
    if (self->paused && now < self->retry_at) {
        return;
    }
    if (self->paused) { // from the start
        self->paused = false;
        self->in_vain = 0;
        self->started_at = now;
    } else {
        s_lane(false, 0, out);
    }
    s_lane(true, port, out);
    self->asked = self->received;
    self->progress_at = now;
    s_ask(self, run, out);
}

bool
fl_fetch_failed(fl_model_fetch *self, uint32_t pause_ms, fl_time now, fl_outbox *out)
{
    FL_ASSERT(self->checking != 0);
    s_lane(false, 0, out);
    self->checking = 0;
    self->paused = true;
    self->received = self->asked = 0;
    self->failures++;
    self->failures_in_row++;
    self->retry_at = now + (fl_time)pause_ms;
    return self->failures < FL_FETCHES_MAX;
}

void
fl_fetch_passed(fl_model_fetch *self, fl_outbox *out)
{
    fl_model_fetch_end(self, out);
    self->failures_in_row = 0;
}

void
fl_model_fetch_end(fl_model_fetch *self, fl_outbox *out)
{
    if (self->active && !self->paused) {
        s_lane(false, 0, out);
    }
    *self =
        (fl_model_fetch){ .failures_in_row = self->failures_in_row, .retry_at = self->retry_at };
}
