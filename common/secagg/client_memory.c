#include "common/secagg/client_memory.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/crypto/hash.h"

enum { PIN = 0x80 }; // beside the draw

static void
s_write_drawn(fl_writer *out, const fl_secagg_drawn *of)
{
    fl_write_from(out, of->run.bytes, sizeof of->run.bytes);
    fl_write_from(out, of->tensors.bytes, sizeof of->tensors.bytes);
    fl_write_u8(out, (uint8_t)(of->draw | (of->pin ? PIN : 0)));
}

static void
s_read_drawn(fl_reader *in, fl_secagg_drawn *of)
{
    fl_read_into(in, of->run.bytes, sizeof of->run.bytes);
    fl_read_into(in, of->tensors.bytes, sizeof of->tensors.bytes);
    uint8_t draw = fl_read_u8(in);
    of->draw = draw & (PIN - 1);
    of->pin = (draw & PIN) != 0;
}

static bool
s_same(const fl_secagg_drawn *a, const fl_secagg_drawn *b)
{
    return a->pin == b->pin && (a->pin || fl_run_equal(&a->run, &b->run)) &&
           fl_hash_equal(&a->tensors, &b->tensors) && a->draw == b->draw;
}

void
fl_secagg_mark_encode(const fl_secagg_mark *self, uint8_t bytes[FL_MARK_BYTES])
{
    fl_writer out = fl_writer_over(bytes, FL_MARK_BYTES);
    fl_write_from(&out, self->run.bytes, sizeof self->run.bytes);
    fl_write_u64(&out, self->round);
    fl_write_u64(&out, self->opened);
    s_write_drawn(&out, &self->of);
    fl_write_u32(&out, self->count);
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        fl_write_from(&out, self->survivors[i].name, sizeof self->survivors[i].name);
    }
    fl_write_u32(&out, self->older_count);
    for (uint32_t i = 0; i < FL_MARK_OLDER_MAX; i++) {
        fl_write_u64(&out, self->older[i].round);
        s_write_drawn(&out, &self->older[i].of);
        fl_write_from(&out, self->older[i].survivors.bytes, sizeof self->older[i].survivors);
    }
    fl_write_u32(&out, self->left_count);
    for (uint32_t i = 0; i < FL_MARK_LEFT_MAX; i++) {
        fl_write_from(&out, self->left[i].run.bytes, sizeof self->left[i].run.bytes);
        fl_write_u64(&out, self->left[i].round);
    }
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_MARK_BYTES);
}

static bool
s_valid(const fl_secagg_mark *self)
{
    bool valid = self->count <= FL_MEMBERS_MAX && (self->opened > 0) == (self->count > 0);
    for (uint32_t i = 0; valid && i < self->count; i++) {
        valid = fl_name_valid(&self->survivors[i]) &&
                (i == 0 || memcmp(&self->survivors[i - 1], &self->survivors[i],
                                  sizeof self->survivors[i]) < 0);
    }
    valid = valid && self->older_count <= FL_MARK_OLDER_MAX;
    for (uint32_t i = 0; valid && i < FL_MARK_OLDER_MAX; i++) {
        valid = (self->older[i].round > 0) == (i < self->older_count);
    }
    valid = valid && self->left_count <= FL_MARK_LEFT_MAX;
    for (uint32_t i = 0; valid && i < FL_MARK_LEFT_MAX; i++) {
        valid = (self->left[i].round > 0) == (i < self->left_count);
    }
    return valid;
}

bool
fl_secagg_mark_decode(fl_bytes bytes, fl_secagg_mark *self)
{
    memset(self, 0, sizeof *self);
    fl_reader in = fl_reader_of(bytes);
    fl_read_into(&in, self->run.bytes, sizeof self->run.bytes);
    self->round = fl_read_u64(&in);
    self->opened = fl_read_u64(&in);
    s_read_drawn(&in, &self->of);
    self->count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MEMBERS_MAX; i++) {
        fl_read_into(&in, self->survivors[i].name, sizeof self->survivors[i].name);
    }
    self->older_count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MARK_OLDER_MAX; i++) {
        self->older[i].round = fl_read_u64(&in);
        s_read_drawn(&in, &self->older[i].of);
        fl_read_into(&in, self->older[i].survivors.bytes, sizeof self->older[i].survivors);
    }
    self->left_count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MARK_LEFT_MAX; i++) {
        fl_read_into(&in, self->left[i].run.bytes, sizeof self->left[i].run.bytes);
        self->left[i].round = fl_read_u64(&in);
    }
    if (fl_reader_done(&in) && s_valid(self)) {
        return true;
    }
    memset(self, 0, sizeof *self);
    return false;
}

// ---- rounds that were masked in ----------------------------------------------------------------
//  The place of a run among those that were left; that behind them when it is none of them.
static uint32_t
s_place(const fl_secagg_mark *self, const fl_run *run)
{
    uint32_t at = 0;
    while (at < self->left_count && !fl_run_equal(&self->left[at].run, run)) {
        at++;
    }
    return at;
}

//  The run at hand becomes the newest of those that were left, in the place of the one that is gone
//  back to; if there is none, in a new one, or that of the oldest.
static void
s_leave(fl_secagg_mark *self, const fl_run *next)
{
    uint32_t at = s_place(self, next);
    if (at == self->left_count && self->left_count < FL_MARK_LEFT_MAX) {
        self->left_count++;
    } else if (at == self->left_count) {
        at--;
    }
    memmove(&self->left[1], &self->left[0], at * sizeof self->left[0]);
    self->left[0] = (fl_secagg_left){ .run = self->run, .round = self->round };
}

void
fl_secagg_mark_spend(fl_secagg_mark *self, const fl_run *run, uint64_t round)
{
    FL_ASSERT(round > 0);
    if (self->round > 0 && !fl_run_equal(&self->run, run)) {
        s_leave(self, run);
    }
    self->run = *run;
    self->round = round;
}

uint64_t
fl_secagg_mark_spent(const fl_secagg_mark *self, const fl_run *run)
{
    uint32_t at = s_place(self, run);
    return fl_run_equal(&self->run, run) ? self->round
           : at < self->left_count       ? self->left[at].round
                                         : 0;
}

// ---- sums that were opened ---------------------------------------------------------------------
static int
s_by_name(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(fl_name));
}

static fl_hash
s_hash_names(const fl_name *names, uint32_t count)
{
    fl_name sorted[FL_MEMBERS_MAX];
    FL_ASSERT(count <= FL_MEMBERS_MAX);
    memcpy(sorted, names, count * sizeof *names);
    qsort(sorted, count, sizeof *sorted, s_by_name);
    return fl_hash_domain("HSA2 opened", fl_bytes_of(sorted, count * sizeof *sorted));
}

//  The older sum of this; NULL when there is none.
static const fl_secagg_older *
s_older(const fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    for (uint32_t i = 0; i < self->older_count; i++) {
        if (s_same(&self->older[i].of, of)) {
            return &self->older[i];
        }
    }
    return NULL;
}

static bool
s_last(const fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    return self->opened > 0 && s_same(&self->of, of);
}

typedef struct newest {
    const fl_run *run[FL_MARK_RUNS_MAX];
    uint32_t count;
} newest;

//  Is this sum the newest one of its run, and that run among the newest? Asked from the newest on.
static bool
s_stays(newest *self, const fl_run *run)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_run_equal(self->run[i], run)) {
            return false;
        }
    }
    bool room = self->count < FL_MARK_RUNS_MAX;
    if (room) {
        self->run[self->count++] = run;
    }
    return room;
}

//  The place of the one that is forgotten when there is room for no more: the oldest one that need
//  not stay, as a run that rests comes back to its newest model, however many rounds others had.
static uint32_t
s_least(const fl_secagg_mark *self, const fl_run *next)
{
    newest seen = { .count = 0 };
    uint32_t least = 0;
    (void)s_stays(&seen, next);
    (void)s_stays(&seen, &self->of.run);
    for (uint32_t i = 0; i < FL_MARK_OLDER_MAX; i++) {
        least = s_stays(&seen, &self->older[i].of.run) ? least : i;
    }
    return least;
}

//  The last one becomes the newest of the older; when there is no room, one of them is forgotten.
static void
s_set_aside(fl_secagg_mark *self, const fl_run *next)
{
    bool full = self->older_count == FL_MARK_OLDER_MAX;
    uint32_t at = full ? s_least(self, next) : self->older_count++;
    memmove(&self->older[1], &self->older[0], at * sizeof self->older[0]);
    self->older[0] = (fl_secagg_older){ .round = self->opened,
                                        .of = self->of,
                                        .survivors = s_hash_names(self->survivors, self->count) };
}

static void
s_take_out(fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    const fl_secagg_older *older = s_older(self, of);
    if (older != NULL) {
        size_t at = (size_t)(older - self->older);
        self->older_count--;
        memmove(&self->older[at], &self->older[at + 1],
                (self->older_count - at) * sizeof self->older[0]);
        memset(&self->older[self->older_count], 0, sizeof self->older[0]);
    }
}

void
fl_secagg_mark_open(fl_secagg_mark *self, uint64_t round, const fl_secagg_drawn *of,
                    const fl_name *names, uint32_t count)
{
    FL_ASSERT(round > 0 && count > 0 && count <= FL_MEMBERS_MAX);
    if (self->opened > 0 && !s_last(self, of)) {
        s_take_out(self, of);
        s_set_aside(self, &of->run);
    }
    self->opened = round;
    self->of = *of;
    self->count = count;
    memset(self->survivors, 0, sizeof self->survivors);
    memcpy(self->survivors, names, count * sizeof *names);
    qsort(self->survivors, count, sizeof *names, s_by_name);
}

uint64_t
fl_secagg_mark_opened(const fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    const fl_secagg_older *older = s_older(self, of);
    return s_last(self, of) ? self->opened : older != NULL ? older->round : 0;
}

bool
fl_secagg_mark_within(const fl_secagg_mark *self, const fl_secagg_drawn *of, const fl_name *names,
                      uint32_t count)
{
    for (uint32_t i = 0; i < self->count && s_last(self, of); i++) {
        bool found = false;
        for (uint32_t n = 0; n < count; n++) {
            found = found || fl_name_equal(&self->survivors[i], &names[n]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

bool
fl_secagg_mark_exactly(const fl_secagg_mark *self, const fl_secagg_drawn *of, const fl_name *names,
                       uint32_t count)
{
    const fl_secagg_older *older = s_older(self, of);
    fl_hash theirs = s_hash_names(names, count);
    if (s_last(self, of)) {
        fl_hash ours = s_hash_names(self->survivors, self->count);
        return fl_hash_equal(&ours, &theirs);
    }
    return older == NULL || fl_hash_equal(&older->survivors, &theirs);
}
