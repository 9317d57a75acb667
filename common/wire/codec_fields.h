//  codec_fields - what each verb carries, told once, in the order of the wire: the codec writes,
//  reads and checks messages by this table, the document is tested against it. Constant.
#ifndef FL_WIRE_CODEC_FIELDS_H
#define FL_WIRE_CODEC_FIELDS_H

#include "common/wire/message.h"

typedef enum fl_field_kind {
    FL_FIELD_UINT, // an unsigned integer or enum, value in min..max
    FL_FIELD_BOOL,
    FL_FIELD_BYTES, // bin of exactly `size` bytes
    FL_FIELD_VIEW,  // bin of min..max bytes, held as fl_bytes
    FL_FIELD_TEXT,  // str of min..max printable ASCII characters
    FL_FIELD_ORDER, // bin of FL_ORDER_BYTES, held as fl_order
    FL_FIELD_UINTS, // array of uint64_t
    FL_FIELD_GROUP, // array of the fields of `group`
} fl_field_kind;

typedef struct fl_group fl_group;

typedef struct fl_field {
    const char *name;
    fl_field_kind kind;
    uint16_t offset; // in the struct of the verb or group
    uint16_t size;   // of the struct's member
    uint64_t min, max;
    const fl_group *group;
} fl_field;

struct fl_group {
    const fl_field *fields;
    uint32_t count;
};

typedef struct fl_verb_shape {
    fl_group group;
    uint32_t body_max; // of the body frame that must follow; 0: none may
    //  What no single field can tell: NULL when fine, else what is wrong. May be NULL.
    const char *(*check)(const fl_message *message, size_t body_bytes);
} fl_verb_shape;

//  The shape of a verb; NULL when this build knows no such verb.
const fl_verb_shape *fl_verb_shape_of(uint32_t verb);

#endif
