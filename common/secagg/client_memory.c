#include "common/secagg/client_memory.h"

#include <string.h>

#include "common/base/status.h"

enum { PIN = 0x80 }; // beside the draw

static void
s_write_deed(fl_writer *out, const fl_secagg_deed *deed)
{
    fl_write_from(out, deed->of.run.bytes, sizeof deed->of.run.bytes);
    fl_write_from(out, deed->of.tensors.bytes, sizeof deed->of.tensors.bytes);
    fl_write_u8(out, (uint8_t)(deed->of.draw | (deed->of.pin ? PIN : 0)));
    fl_write_u8(out, deed->released ? 1 : 0);
    fl_write_u8(out, deed->where.hop);
    fl_write_from(out, deed->where.edge.name, sizeof deed->where.edge.name);
    fl_write_u32(out, deed->where.block);
    fl_write_u64(out, deed->where.round);
    fl_write_u8(out, deed->where.number);
    fl_write_from(out, deed->where.roster.bytes, sizeof deed->where.roster.bytes);
}

static void
s_read_deed(fl_reader *in, fl_secagg_deed *deed)
{
    fl_read_into(in, deed->of.run.bytes, sizeof deed->of.run.bytes);
    fl_read_into(in, deed->of.tensors.bytes, sizeof deed->of.tensors.bytes);
    uint8_t draw = fl_read_u8(in);
    deed->of.draw = draw & (PIN - 1);
    deed->of.pin = (draw & PIN) != 0;
    deed->released = fl_read_u8(in) != 0;
    deed->where.run = deed->of.run;
    deed->where.hop = fl_read_u8(in);
    fl_read_into(in, deed->where.edge.name, sizeof deed->where.edge.name);
    deed->where.block = fl_read_u32(in);
    deed->where.round = fl_read_u64(in);
    deed->where.number = fl_read_u8(in);
    fl_read_into(in, deed->where.roster.bytes, sizeof deed->where.roster.bytes);
}

void
fl_secagg_mark_encode(const fl_secagg_mark *self, uint8_t bytes[FL_MARK_BYTES])
{
    fl_writer out = fl_writer_over(bytes, FL_MARK_BYTES);
    fl_write_from(&out, self->run.bytes, sizeof self->run.bytes);
    fl_write_u64(&out, self->round);
    fl_write_u64(&out, self->pools);
    fl_write_u32(&out, self->count);
    for (uint32_t i = 0; i < FL_MARK_DEEDS_MAX; i++) {
        s_write_deed(&out, &self->deed[i]);
    }
    fl_write_u32(&out, self->left_count);
    for (uint32_t i = 0; i < FL_MARK_LEFT_MAX; i++) {
        fl_write_from(&out, self->left[i].run.bytes, sizeof self->left[i].run.bytes);
        fl_write_u64(&out, self->left[i].round);
        fl_write_u64(&out, self->left[i].pools);
    }
    FL_ASSERT(!out.broken && fl_writer_size(&out) == FL_MARK_BYTES);
}

static bool
s_valid(const fl_secagg_mark *self)
{
    bool valid = self->count <= FL_MARK_DEEDS_MAX && self->left_count <= FL_MARK_LEFT_MAX;
    for (uint32_t i = 0; valid && i < FL_MARK_DEEDS_MAX; i++) {
        valid = (self->deed[i].where.round > 0) == (i < self->count);
    }
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
    self->pools = fl_read_u64(&in);
    self->count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MARK_DEEDS_MAX; i++) {
        s_read_deed(&in, &self->deed[i]);
    }
    self->left_count = fl_read_u32(&in);
    for (uint32_t i = 0; i < FL_MARK_LEFT_MAX; i++) {
        fl_read_into(&in, self->left[i].run.bytes, sizeof self->left[i].run.bytes);
        self->left[i].round = fl_read_u64(&in);
        self->left[i].pools = fl_read_u64(&in);
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
    self->left[0] = (fl_secagg_left){ self->run, self->round, self->pools };
}

void
fl_secagg_mark_spend(fl_secagg_mark *self, const fl_run *run, uint64_t round, uint64_t pools)
{
    FL_ASSERT(round > 0);
    if (self->round > 0 && !fl_run_equal(&self->run, run)) {
        s_leave(self, run);
    }
    self->run = *run;
    self->round = round;
    self->pools = pools;
}

fl_secagg_left
fl_secagg_mark_spent(const fl_secagg_mark *self, const fl_run *run)
{
    uint32_t at = s_place(self, run);
    if (fl_run_equal(&self->run, run)) {
        return (fl_secagg_left){ self->run, self->round, self->pools };
    }
    return at < self->left_count ? self->left[at] : (fl_secagg_left){ .round = 0 };
}

// ---- updates that were masked ------------------------------------------------------------------
static bool
s_same_model(const fl_secagg_drawn *a, const fl_secagg_drawn *b)
{
    return a->pin == b->pin && (a->pin || fl_run_equal(&a->run, &b->run)) &&
           fl_hash_equal(&a->tensors, &b->tensors);
}

//  The place of what is forgotten when there is room for no more: the oldest one that is not the
//  newest of one of the newest runs, as a run that rests comes back to its newest model, however
//  many rounds others had.
static uint32_t
s_least(const fl_secagg_mark *self)
{
    const fl_run *newest[FL_MARK_RUNS_MAX];
    uint32_t runs = 0, least = FL_MARK_DEEDS_MAX - 1;
    for (uint32_t i = 0; i < FL_MARK_DEEDS_MAX; i++) {
        uint32_t at = 0;
        while (at < runs && !fl_run_equal(newest[at], &self->deed[i].of.run)) {
            at++;
        }
        if (at == runs && runs < FL_MARK_RUNS_MAX) {
            newest[runs++] = &self->deed[i].of.run;
        } else {
            least = i;
        }
    }
    return least;
}

static void
s_take_out(fl_secagg_mark *self, uint32_t at)
{
    self->count--;
    memmove(&self->deed[at], &self->deed[at + 1], (self->count - at) * sizeof self->deed[0]);
    memset(&self->deed[self->count], 0, sizeof self->deed[0]);
}

void
fl_secagg_mark_mask(fl_secagg_mark *self, const fl_secagg_drawn *of,
                    const fl_transcript_round *where)
{
    FL_ASSERT(where->round > 0);
    const fl_secagg_deed *old = fl_secagg_mark_of(self, of);
    if (old != NULL) {
        s_take_out(self, (uint32_t)(old - self->deed));
    } else if (self->count == FL_MARK_DEEDS_MAX) {
        s_take_out(self, s_least(self));
    }
    memmove(&self->deed[1], &self->deed[0], self->count * sizeof self->deed[0]);
    self->deed[0] = (fl_secagg_deed){ .of = *of, .where = *where };
    self->count++;
}

void
fl_secagg_mark_release(fl_secagg_mark *self, const fl_hash *roster)
{
    const fl_secagg_deed *deed = fl_secagg_mark_at(self, roster);
    FL_ASSERT(deed != NULL);
    self->deed[deed - self->deed].released = true;
}

bool
fl_secagg_mark_clear(fl_secagg_mark *self, const fl_hash *roster)
{
    const fl_secagg_deed *deed = fl_secagg_mark_at(self, roster);
    if (deed != NULL) {
        s_take_out(self, (uint32_t)(deed - self->deed));
    }
    return deed != NULL;
}

const fl_secagg_deed *
fl_secagg_mark_of(const fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (s_same_model(&self->deed[i].of, of) && self->deed[i].of.draw == of->draw) {
            return &self->deed[i];
        }
    }
    return NULL;
}

const fl_secagg_deed *
fl_secagg_mark_binds(const fl_secagg_mark *self, const fl_secagg_drawn *of, uint32_t draws_max)
{
    const bool spent = fl_secagg_mark_draws(self, of) > draws_max;
    for (uint32_t i = 0; i < self->count; i++) {
        if (s_same_model(&self->deed[i].of, of) && (spent || self->deed[i].of.draw >= of->draw)) {
            return &self->deed[i];
        }
    }
    return NULL;
}

uint32_t
fl_secagg_mark_draws(const fl_secagg_mark *self, const fl_secagg_drawn *of)
{
    uint32_t draws = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        draws += s_same_model(&self->deed[i].of, of) ? 1 : 0;
    }
    return draws;
}

const fl_secagg_deed *
fl_secagg_mark_at(const fl_secagg_mark *self, const fl_hash *roster)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_hash_equal(&self->deed[i].where.roster, roster)) {
            return &self->deed[i];
        }
    }
    return NULL;
}
