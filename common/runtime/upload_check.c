#include "common/runtime/upload_check.h"

void
fl_upload_check_begin(fl_upload_check *self, const fl_element *element, bool masked)
{
    fl_hasher_init(&self->hasher);
    self->element = *element;
    self->masked = masked;
    self->peak = 0;
}

void
fl_upload_check_add(fl_upload_check *self, fl_bytes wire)
{
    fl_hasher_update(&self->hasher, wire);
    if (!self->masked) {
        const uint64_t peak = fl_element_peak(&self->element, wire);
        self->peak = peak > self->peak ? peak : self->peak;
    }
}

fl_reason
fl_upload_check_end(fl_upload_check *self, const fl_hash *hash, uint64_t weight)
{
    const fl_hash found = fl_hasher_final(&self->hasher);
    if (!fl_hash_equal(&found, hash)) {
        return FL_WHY_HASH;
    }
    const bool allowed =
        self->masked ? weight == 0 : fl_element_allows(&self->element, weight, self->peak);
    return allowed ? FL_WHY_NONE : FL_WHY_WEIGHT;
}
