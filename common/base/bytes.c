#include "common/base/bytes.h"

#include <string.h>

bool
fl_bytes_equal(fl_bytes one, fl_bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

fl_reader
fl_reader_of(fl_bytes bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *start = bytes.data == NULL ? nothing : bytes.data;
    return (fl_reader){ .at = start, .end = start + bytes.size, .broken = false };
}

fl_bytes
fl_read_view(fl_reader *self, size_t size)
{
    if (self->broken || (size_t)(self->end - self->at) < size) {
        self->broken = true;
        return (fl_bytes){ 0 };
    }
    fl_bytes view = fl_bytes_of(self->at, size);
    self->at += size;
    return view;
}

void
fl_read_into(fl_reader *self, void *to, size_t size)
{
    fl_bytes view = fl_read_view(self, size);
    if (self->broken) {
        memset(to, 0, size);
    } else if (size > 0) {
        memcpy(to, view.data, size);
    }
}

static uint64_t
s_read(fl_reader *self, size_t size)
{
    fl_bytes view = fl_read_view(self, size);
    uint64_t value = 0;
    for (size_t i = 0; i < view.size; i++) {
        value |= (uint64_t)view.data[i] << (8 * i);
    }
    return value;
}

uint8_t
fl_read_u8(fl_reader *self)
{
    return (uint8_t)s_read(self, 1);
}

uint16_t
fl_read_u16(fl_reader *self)
{
    return (uint16_t)s_read(self, 2);
}

uint32_t
fl_read_u32(fl_reader *self)
{
    return (uint32_t)s_read(self, 4);
}

uint64_t
fl_read_u64(fl_reader *self)
{
    return s_read(self, 8);
}

bool
fl_reader_done(const fl_reader *self)
{
    return !self->broken && self->at == self->end;
}

fl_writer
fl_writer_over(void *buffer, size_t size)
{
    uint8_t *start = buffer;
    return (fl_writer){ .start = start, .at = start, .end = start + size, .broken = false };
}

void
fl_write_from(fl_writer *self, const void *from, size_t size)
{
    if (self->broken || (size_t)(self->end - self->at) < size) {
        self->broken = true;
        return;
    }
    if (size > 0) {
        memcpy(self->at, from, size);
        self->at += size;
    }
}

static void
s_write(fl_writer *self, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    fl_write_from(self, bytes, size);
}

void
fl_write_u8(fl_writer *self, uint8_t value)
{
    s_write(self, value, 1);
}

void
fl_write_u16(fl_writer *self, uint16_t value)
{
    s_write(self, value, 2);
}

void
fl_write_u32(fl_writer *self, uint32_t value)
{
    s_write(self, value, 4);
}

void
fl_write_u64(fl_writer *self, uint64_t value)
{
    s_write(self, value, 8);
}

size_t
fl_writer_size(const fl_writer *self)
{
    return (size_t)(self->at - self->start);
}
