#include "common/core/masking_mark.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

void
fl_masking_mark_encode(const fl_masking_mark *self, uint8_t bytes[FL_MASKING_MARK_BYTES])
{
    fl_writer out = fl_writer_over(bytes, FL_MASKING_MARK_BYTES);
    fl_write_from(&out, self->run.bytes, sizeof self->run.bytes);
    fl_write_u64(&out, self->round);
    fl_write_u64(&out, self->opened);
    fl_write_from(&out, self->model.bytes, sizeof self->model.bytes);
    fl_write_u32(&out, self->count);
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        fl_write_from(&out, self->survivors[i].name, sizeof self->survivors[i].name);
    }
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_MASKING_MARK_BYTES);
}

static bool
s_valid(const fl_masking_mark *self)
{
    bool valid = self->count <= FL_MEMBERS_MAX && (self->opened > 0) == (self->count > 0);
    for (uint32_t i = 0; valid && i < self->count; i++) {
        valid = fl_node_valid(&self->survivors[i]) &&
                (i == 0 || memcmp(&self->survivors[i - 1], &self->survivors[i],
                                  sizeof self->survivors[i]) < 0);
    }
    return valid;
}

bool
fl_masking_mark_decode(fl_bytes bytes, fl_masking_mark *self)
{
    memset(self, 0, sizeof *self);
    fl_reader in = fl_reader_of(bytes);
    fl_read_into(&in, self->run.bytes, sizeof self->run.bytes);
    self->round = fl_read_u64(&in);
    self->opened = fl_read_u64(&in);
    fl_read_into(&in, self->model.bytes, sizeof self->model.bytes);
    self->count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        fl_read_into(&in, self->survivors[i].name, sizeof self->survivors[i].name);
    }
    if (fl_reader_done(&in) && s_valid(self)) {
        return true;
    }
    memset(self, 0, sizeof *self);
    return false;
}

static int
s_by_name(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(fl_node));
}

void
fl_masking_mark_open(fl_masking_mark *self, uint64_t round, const fl_hash *model,
                     const fl_node *names, uint32_t count)
{
    FL_ASSERT(round > 0 && count > 0 && count <= FL_MEMBERS_MAX);
    self->opened = round;
    self->model = *model;
    self->count = count;
    memset(self->survivors, 0, sizeof self->survivors);
    memcpy(self->survivors, names, count * sizeof *names);
    qsort(self->survivors, count, sizeof *names, s_by_name);
}

bool
fl_masking_mark_within(const fl_masking_mark *self, const fl_node *names, uint32_t count)
{
    for (uint32_t i = 0; i < self->count; i++) {
        bool found = false;
        for (uint32_t n = 0; n < count; n++) {
            found = found || fl_node_equal(&self->survivors[i], &names[n]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}
