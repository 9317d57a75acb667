//  offerings - what a device trains with and on, by name, and of an edge what those below it do. A
//  plain value. A run may name the trainer and the data that it wants.
#ifndef FL_MACHINE_OFFERINGS_H
#define FL_MACHINE_OFFERINGS_H

#include "common/wire/message.h"

typedef struct fl_offerings {
    bool any; // not known, or too many to say: whoever is asked answers for himself
    uint32_t count;
    fl_offering of[FL_OFFERINGS_MAX]; // (count), none twice
} fl_offerings;

//  As HELLO says them; nothing said is `any`. The bytes are a view of `self`.
fl_offerings fl_offerings_read(fl_bytes said);
fl_bytes fl_offerings_bytes(const fl_offerings *self);
void fl_offerings_add(fl_offerings *self, const fl_offerings *more);
//  FL_WHY_NONE, or what of that is not there: FL_WHY_NO_TRAINER, FL_WHY_NO_DATA.
fl_reason fl_offerings_lack(const fl_offerings *self, const fl_offering *wanted);

#endif
