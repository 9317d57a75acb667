//  mp - small msgpack headers, written and read through msgpack-c, behind a guard. msgpack-c
//  believes the counts that a peer claims (five bytes make it ask for gigabytes), so nothing
//  reaches it that the guard has not walked first. One thread; one allocation per opened reader.
#ifndef FL_WIRE_MP_H
#define FL_WIRE_MP_H

#include "common/base/bytes.h"
#include "common/base/status.h"

enum {
    FL_MP_DEPTH_MAX = 8,      // arrays and maps inside one another
    FL_MP_ELEMENTS_MAX = 256, // values of one header, containers included
};

//  NULL when `bytes` are exactly one msgpack value with counts that can be true, within the two
//  bounds above and without extension types; else what is wrong, in a few words. Looks at the
//  claims only; allocates nothing.
const char *fl_mp_guard(fl_bytes bytes);

// ---- reading ----------------------------------------------------------------------------------
//  Sticky: after the first value that is missing or of the wrong type, `broken` stays set and
//  every read answers zero. Fields are for mp.c alone, except `broken`.
typedef struct fl_mp_reader {
    bool broken;
    uint32_t depth; // arrays entered
    struct {
        const void *at; // next value of the array
        uint32_t left;
    } level[FL_MP_DEPTH_MAX + 1];
    _Alignas(16) unsigned char zone[64]; // msgpack-c's allocator
    _Alignas(16) unsigned char root[32]; // the outermost value
} fl_mp_reader;

//  Guard and unpack. FL_OK, FL_MALFORMED with `wrong` set, or FL_NOMEM. The bytes must outlive the
//  reader: views point into them. Close it whatever the answer.
fl_status fl_mp_open(fl_mp_reader *self, fl_bytes bytes, const char **wrong) FL_CHECKED;
void fl_mp_close(fl_mp_reader *self);

//  Step into the next value, an array; its count. Leave it again, skipping what is left of it.
//  `enter_map`: a map, whose keys and values then come in turn; the count of its pairs.
uint32_t fl_mp_enter(fl_mp_reader *self);
uint32_t fl_mp_enter_map(fl_mp_reader *self);
void fl_mp_leave(fl_mp_reader *self);

uint64_t fl_mp_read_uint(fl_mp_reader *self);
bool fl_mp_read_bool(fl_mp_reader *self);
double fl_mp_read_number(fl_mp_reader *self); // a float, or an integer that is not negative
fl_bytes fl_mp_read_bin(fl_mp_reader *self); // empty views have no data
fl_bytes fl_mp_read_str(fl_mp_reader *self); // not zero-terminated, any bytes

// ---- writing ----------------------------------------------------------------------------------
//  Append one value to a writer; it breaks when full. An array is its count, then its values.
void fl_mp_write_array(fl_writer *out, uint32_t count);
void fl_mp_write_map(fl_writer *out, uint32_t pairs);
//  A whole number from 0 to 2^53 as an integer, any other as a float of 8 bytes.
void fl_mp_write_number(fl_writer *out, double value);
void fl_mp_write_uint(fl_writer *out, uint64_t value);
void fl_mp_write_bool(fl_writer *out, bool value);
void fl_mp_write_bin(fl_writer *out, fl_bytes bytes);
void fl_mp_write_str(fl_writer *out, fl_bytes text);

#endif
