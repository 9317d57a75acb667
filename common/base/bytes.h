//  bytes - a view of bytes that somebody else owns, and a little-endian reader and writer over
//  one. Both remember their first failure («sticky»): read or write all fields straight down,
//  test `broken` once. A broken reader answers zeros; a broken writer writes nothing more.
#ifndef FL_BASE_BYTES_H
#define FL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fl_bytes {
    const uint8_t *data; // NULL only when size is 0
    size_t size;
} fl_bytes;

static inline fl_bytes
fl_bytes_of(const void *data, size_t size)
{
    return (fl_bytes){ .data = data, .size = size };
}

bool fl_bytes_equal(fl_bytes one, fl_bytes other);

typedef struct fl_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool broken;
} fl_reader;

fl_reader fl_reader_of(fl_bytes bytes);
uint8_t fl_read_u8(fl_reader *self);
uint16_t fl_read_u16(fl_reader *self);
uint32_t fl_read_u32(fl_reader *self);
uint64_t fl_read_u64(fl_reader *self);
//  Copy exactly `size` bytes; zeros when broken.
void fl_read_into(fl_reader *self, void *to, size_t size);
//  A view of the next `size` bytes of the source; empty when broken.
fl_bytes fl_read_view(fl_reader *self, size_t size);
//  True when everything was read and nothing was missing.
bool fl_reader_done(const fl_reader *self);

typedef struct fl_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool broken; // did not fit
} fl_writer;

fl_writer fl_writer_over(void *buffer, size_t size);
void fl_write_u8(fl_writer *self, uint8_t value);
void fl_write_u16(fl_writer *self, uint16_t value);
void fl_write_u32(fl_writer *self, uint32_t value);
void fl_write_u64(fl_writer *self, uint64_t value);
void fl_write_from(fl_writer *self, const void *from, size_t size);
size_t fl_writer_size(const fl_writer *self);

#endif
