#include "common/round/upload_receive.h"

#include <string.h>

#include "common/base/status.h"

static void
s_raise_limit(fl_upload_receive *self)
{
    uint64_t limit = self->next + fl_policy_window_bytes(self->rate);
    limit = limit < self->total ? limit : self->total;
    if (limit > self->limit) {
        self->limit = limit;
    }
}

void
fl_upload_receive_begin(fl_upload_receive *self, uint64_t total, fl_time now)
{
    FL_ASSERT(total > 0);
    uint64_t once = self->limit > self->once ? self->limit : self->once;
    memset(self, 0, sizeof *self);
    self->once = once;
    self->total = total;
    self->rewound_at = UINT64_MAX;
    self->began_at = now;
    self->progress_at = now;
    self->window_at = now;
    s_raise_limit(self);
}

fl_upload_receive_answer
fl_upload_receive_chunk(fl_upload_receive *self, uint64_t offset, uint64_t bytes, fl_time now)
{
    uint64_t credit = self->limit > self->once ? self->limit : self->once;
    if (bytes == 0 || offset > credit || bytes > credit - offset) {
        return FL_RECEIVE_CREDIT;
    }
    if (offset < self->next || offset > self->limit || bytes > self->limit - offset) {
        return FL_RECEIVE_DUPLICATE;
    }
    if (offset > self->next) {
        if (self->rewound_at == self->next) {
            return FL_RECEIVE_GAP_KNOWN;
        }
        fl_upload_receive_rewind(self, now);
        return FL_RECEIVE_GAP;
    }
    self->next += bytes;
    self->progress_at = now;
    self->in_vain = 0;
    if (now > self->began_at) {
        self->rate = self->next * 1000 / (uint64_t)(now - self->began_at);
    }
    if (self->next == self->total) {
        return FL_RECEIVE_COMPLETE;
    }
    if (self->limit - self->next > fl_policy_window_bytes(self->rate) / 2 ||
        self->limit == self->total) {
        return FL_RECEIVE_TAKEN;
    }
    s_raise_limit(self);
    return FL_RECEIVE_GRANT;
}

bool
fl_upload_receive_stuck(const fl_upload_receive *self, uint32_t beat_ms, fl_time now)
{
    return now - self->progress_at >= fl_policy_patience_ms(beat_ms, self->rate, self->in_vain);
}

void
fl_upload_receive_rewind(fl_upload_receive *self, fl_time now)
{
    self->rewind++;
    self->in_vain++;
    self->rewound_at = self->next;
    self->progress_at = now;
}

bool
fl_upload_receive_too_slow(fl_upload_receive *self, const fl_timing *timing, fl_time now)
{
    fl_time elapsed = now - self->window_at;
    if (elapsed < (fl_time)timing->rate_window_ms) {
        return false;
    }
    uint64_t wanted = (uint64_t)elapsed * timing->rate_min / 1000;
    bool slow = self->next - self->window_next < wanted;
    self->window_at = now;
    self->window_next = self->next;
    return slow;
}

void
fl_upload_receive_grant(const fl_upload_receive *self, fl_grant *grant)
{
    grant->next = self->next;
    grant->limit = self->limit;
    grant->rewind = self->rewind;
    grant->chunk_bytes = fl_policy_chunk_bytes(self->rate);
}
