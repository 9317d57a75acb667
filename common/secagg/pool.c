#include "common/secagg/pool.h"

#include <stdlib.h>
#include <string.h>

#include "common/secagg/secagg.h"

enum { VERSION = 1 };

size_t
fl_pool_encode(const fl_pool *self, const fl_authority *authority, uint8_t bytes[FL_POOL_BYTES_MAX])
{
    fl_writer out = fl_writer_over(bytes, FL_POOL_BYTES_MAX);
    fl_write_u8(&out, VERSION);
    fl_write_from(&out, self->run.bytes, sizeof self->run.bytes);
    fl_write_u64(&out, self->epoch);
    fl_write_from(&out, self->edge.name, sizeof self->edge.name);
    fl_write_u16(&out, self->index);
    fl_write_u16(&out, self->of);
    fl_write_u8(&out, self->floor);
    fl_write_u8(&out, self->count);
    fl_write_from(&out, self->names, self->count * sizeof *self->names);
    const size_t size = fl_writer_size(&out);
    FL_ASSERT(!out.broken && size + FL_SIGN_BYTES <= FL_POOL_BYTES_MAX);
    fl_pool_sign(authority, fl_bytes_of(bytes, size), bytes + size);
    return size + FL_SIGN_BYTES;
}

bool
fl_pool_read(fl_reader *in, fl_pool *self, fl_bytes *signed_part, const uint8_t **signature)
{
    const uint8_t *from = in->at;
    *self = (fl_pool){ .epoch = 0 };
    bool fine = fl_read_u8(in) == VERSION;
    fl_read_into(in, self->run.bytes, sizeof self->run.bytes);
    self->epoch = fl_read_u64(in);
    fl_read_into(in, self->edge.name, sizeof self->edge.name);
    self->index = fl_read_u16(in);
    self->of = fl_read_u16(in);
    self->floor = fl_read_u8(in);
    self->count = fl_read_u8(in);
    fine = fine && self->count <= FL_POOL_MAX && self->index < self->of && self->epoch > 0 &&
           (self->count == 0 || self->count >= FL_SECAGG_MEMBERS_MIN);
    fl_read_into(in, self->names, fine ? self->count * sizeof *self->names : 0);
    const size_t size = in->broken ? 0 : (size_t)(in->at - from);
    const uint8_t *sign = fl_read_view(in, FL_SIGN_BYTES).data;
    in->broken = in->broken || !fine;
    if (signed_part != NULL) {
        *signed_part = fl_bytes_of(from, size);
        *signature = sign;
    }
    return !in->broken;
}

fl_reason
fl_pool_check(fl_bytes bytes, const fl_authority_public *authority, fl_pool *self)
{
    fl_reader in = fl_reader_of(bytes);
    fl_bytes part;
    const uint8_t *signature;
    if (!fl_pool_read(&in, self, &part, &signature) || !fl_reader_done(&in)) {
        return FL_WHY_MALFORMED;
    }
    return fl_pool_holds(authority, part, signature) ? FL_WHY_NONE : FL_WHY_SIGNATURE;
}

static uint32_t
s_find(const fl_pool *self, const fl_name *node)
{
    uint32_t i = 0;
    while (i < self->count && !fl_name_equal(&self->names[i], node)) {
        i++;
    }
    return i;
}

bool
fl_pool_names(const fl_pool *self, const fl_name *node)
{
    return s_find(self, node) < self->count;
}

// ---- runs -------------------------------------------------------------------------------------
fl_pool_run
fl_pool_run_of(const fl_pool *self, uint32_t batch, const fl_name *node)
{
    const uint32_t at = s_find(self, node), count = self->count;
    if (batch == 0 || at == count) {
        return (fl_pool_run){ 0, 0 };
    }
    const uint32_t runs = count < batch ? 1 : count / batch, number = at * runs / count;
    uint32_t names = 0;
    for (uint32_t i = 0; i < count; i++) {
        names += i * runs / count == number ? 1 : 0;
    }
    return (fl_pool_run){ (uint8_t)number, (uint8_t)names };
}

uint64_t
fl_pool_whole(const fl_pool_run *run, uint64_t set)
{
    uint64_t whole = set;
    FL_EACH_MEMBER (i, set) {
        uint32_t there = 0;
        FL_EACH_MEMBER (k, set) {
            there += run[k].number == run[i].number ? 1 : 0;
        }
        whole &= there >= run[i].names ? UINT64_MAX : ~fl_secagg_bit(i);
    }
    return whole;
}

// ---- floors -----------------------------------------------------------------------------------
//  floor(b q - 3 sqrt(b q (1 - b))), b = online / 100, in whole numbers.
static uint32_t
s_mostly_there(uint32_t count, uint32_t online)
{
    const uint64_t mean = (uint64_t)count * online, spread = 9 * mean * (100 - online);
    uint32_t floor = 0;
    while (mean >= 100 * (uint64_t)(floor + 1) &&
           (mean - 100 * (uint64_t)(floor + 1)) * (mean - 100 * (uint64_t)(floor + 1)) >= spread) {
        floor++;
    }
    return floor;
}

uint32_t
fl_pool_floor(uint32_t count, uint32_t online, bool below_root)
{
    if (count <= 4 || below_root) {
        return FL_SECAGG_MEMBERS_MIN;
    }
    const uint32_t floor = s_mostly_there(count, online);
    return floor < 4 ? 4 : floor > FL_MEMBERS_MAX ? FL_MEMBERS_MAX : floor;
}

uint32_t
fl_pool_cliff(uint32_t floor)
{
    uint32_t least = FL_MEMBERS_MAX;
    for (uint32_t n = floor; n <= FL_MEMBERS_MAX; n++) {
        const uint32_t bad = 2 * fl_secagg_threshold(n) - n;
        least = bad < least ? bad : least;
    }
    return least;
}

// ---- a set ------------------------------------------------------------------------------------
void
fl_pool_set_clear(fl_pool_set *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->parcels[i].bytes);
    }
    free(self->parcels);
    *self = (fl_pool_set){ .epoch = 0 };
}

//  Every pool in these bytes is of one run and epoch, that of the first.
static bool
s_of_one(fl_bytes bytes, fl_pool *first)
{
    fl_pool pool;
    fl_reader in = fl_reader_of(bytes);
    bool fine = bytes.size <= FL_POOLS_BYTES_MAX && fl_pool_read(&in, first, NULL, NULL);
    while (fine && !fl_reader_done(&in)) {
        fine = fl_pool_read(&in, &pool, NULL, NULL) && pool.epoch == first->epoch &&
               fl_run_equal(&pool.run, &first->run);
    }
    return fine;
}

bool
fl_pool_set_add(fl_pool_set *self, const fl_name *to, fl_bytes bytes)
{
    fl_pool first;
    if (!s_of_one(bytes, &first)) {
        return false;
    }
    const bool same = fl_run_equal(&first.run, &self->run);
    if (same && first.epoch < self->epoch) {
        return true;
    }
    if (!same || first.epoch > self->epoch) {
        fl_pool_set_clear(self);
        self->run = first.run;
        self->epoch = first.epoch;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_pool_parcel *held = &self->parcels[i];
        if (fl_name_equal(&held->to, to) &&
            fl_bytes_equal(fl_bytes_of(held->bytes, held->size), bytes)) {
            return true;
        }
    }
    uint8_t *copy = malloc(bytes.size);
    fl_pool_parcel *more = self->count == FL_PARCELS_MAX
                               ? NULL
                               : realloc(self->parcels, (self->count + 1) * sizeof *more);
    self->parcels = more != NULL ? more : self->parcels;
    if (copy == NULL || more == NULL) {
        free(copy);
        return false;
    }
    memcpy(copy, bytes.data, bytes.size);
    more[self->count++] = (fl_pool_parcel){ *to, copy, bytes.size };
    return true;
}

bool
fl_pool_set_next(const fl_pool_set *self, const fl_name *edge, fl_pool_at *at, fl_pool *pool,
                 fl_bytes *whole)
{
    for (; at->parcel < self->count; *at = (fl_pool_at){ at->parcel + 1, 0 }) {
        const fl_pool_parcel *parcel = &self->parcels[at->parcel];
        while (at->offset < parcel->size) {
            const uint8_t *from = parcel->bytes + at->offset;
            fl_reader in = fl_reader_of(fl_bytes_of(from, parcel->size - at->offset));
            bool fine = fl_pool_read(&in, pool, NULL, NULL);
            FL_ASSERT(fine); // it was read when it came
            *whole = fl_bytes_of(from, (size_t)(in.at - from));
            at->offset += whole->size;
            if (fl_name_equal(&pool->edge, edge)) {
                return true;
            }
        }
    }
    return false;
}

bool
fl_pool_set_whole(const fl_pool_set *self, const fl_run *run, uint64_t epoch, const fl_name *edge)
{
    fl_pool pool;
    fl_bytes whole;
    fl_pool_at at = { 0, 0 };
    uint32_t count = 0, of = 1;
    while (fl_pool_set_next(self, edge, &at, &pool, &whole)) {
        count++;
        of = pool.of;
    }
    return count >= of && epoch == self->epoch && fl_run_equal(run, &self->run);
}
