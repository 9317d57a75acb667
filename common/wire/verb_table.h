//  verb_table - every verb in one row: its name, its lane, who may say it, what it carries and how
//  much. The codec writes, reads and checks messages by it; the admission of children, the reactor
//  and both machines ask it who may say what. Constant. docs/extending.md says how a verb is added.
#ifndef FL_WIRE_VERB_TABLE_H
#define FL_WIRE_VERB_TABLE_H

#include "common/wire/message.h"

typedef enum fl_field_kind {
    FL_FIELD_UINT, // an unsigned integer or enum, value in min..max
    FL_FIELD_BOOL,
    FL_FIELD_BYTES,    // bin of exactly `size` bytes
    FL_FIELD_VIEW,     // bin of min..max bytes, held as fl_bytes
    FL_FIELD_TEXT,     // str of min..max printable ASCII characters
    FL_FIELD_ORDER,    // bin of FL_ORDER_BYTES, held as fl_order
    FL_FIELD_SETTINGS, // bin of min..max bytes, held in the fl_order before it
    FL_FIELD_MANIFEST, // likewise
    FL_FIELD_UINTS,    // bin of 8 bytes each, held as uint64_t
    FL_FIELD_GROUP,    // array of the fields of `group`
} fl_field_kind;

typedef struct fl_group fl_group;

typedef struct fl_field {
    const char *name;
    fl_field_kind kind;
    uint16_t offset; // in the struct of the verb or group
    uint16_t size;   // of the struct's member
    uint64_t min, max;
    const fl_group *group;
    uint8_t minor; // the version 3.x that brought it, behind the others; an older one has it not
} fl_field;

struct fl_group {
    const fl_field *fields;
    uint32_t count;
};

//  Who says a verb; a set.
enum {
    FL_FROM_CHILD = 1,    // with a seat
    FL_FROM_STRANGER = 2, // any key that may connect: HELLO and ENROL
    FL_FROM_PARENT = 4,
    FL_FROM_OPERATOR = 8,
    FL_FROM_PROCESS = 16 // the answer to its operator
};

typedef struct fl_verb_row {
    const char *name; // "hello"
    fl_lane lane;
    uint8_t from;
    bool of_run; // means the run of its envelope: says nothing of another one
    bool masked; // a step of a masked round
    fl_group group;
    uint32_t body_min, body_max; // bytes of the body frame; 0: it may be left out, 0, 0: it must
    //  What no single field can tell: NULL when fine, else what is wrong. May be NULL.
    const char *(*check)(const fl_message *message, size_t body_bytes);
    uint8_t minor; // the version 3.x that brought it, and that its frames say
} fl_verb_row;

//  NULL when this build knows no such verb.
const fl_verb_row *fl_verb_row_of(uint32_t verb);
//  May one of `from` say this verb on that lane?
bool fl_verb_allowed(fl_verb verb, fl_lane lane, unsigned from);

#endif
