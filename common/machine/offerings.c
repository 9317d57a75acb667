#include "common/machine/offerings.h"

#include <string.h>

fl_offerings
fl_offerings_read(fl_bytes said)
{
    fl_offerings self = { .any = said.size == 0 };
    for (size_t at = 0; at + sizeof(fl_offering) <= said.size && !self.any;
         at += sizeof(fl_offering)) {
        fl_offerings one = { .count = 1 };
        memcpy(one.of, said.data + at, sizeof one.of[0]);
        if (fl_name_valid(&one.of[0].trainer) && fl_name_valid(&one.of[0].data)) {
            fl_offerings_add(&self, &one);
        }
    }
    return self;
}

fl_bytes
fl_offerings_bytes(const fl_offerings *self)
{
    return fl_bytes_of((const uint8_t *)self->of, self->any ? 0 : self->count * sizeof self->of[0]);
}

void
fl_offerings_add(fl_offerings *self, const fl_offerings *more)
{
    self->any = self->any || more->any;
    for (uint32_t i = 0; i < more->count && !self->any; i++) {
        bool known = fl_offerings_lack(self, &more->of[i]) == FL_WHY_NONE;
        self->any = !known && self->count == FL_OFFERINGS_MAX;
        if (!known && !self->any) {
            self->of[self->count++] = more->of[i];
        }
    }
}

fl_reason
fl_offerings_lack(const fl_offerings *self, const fl_offering *wanted)
{
    const bool trainer = wanted->trainer.name[0] != '\0', data = wanted->data.name[0] != '\0';
    fl_reason lack = trainer ? FL_WHY_NO_TRAINER : FL_WHY_NO_DATA;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_offering *one = &self->of[i];
        if (!trainer || fl_name_equal(&one->trainer, &wanted->trainer)) {
            lack = FL_WHY_NO_DATA;
            if (!data || fl_name_equal(&one->data, &wanted->data)) {
                return FL_WHY_NONE;
            }
        }
    }
    return self->any || (!trainer && !data) ? FL_WHY_NONE : lack;
}
