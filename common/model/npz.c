#include "common/model/npz.h"

#include <zlib.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"

enum {
    END_BYTES = 22,       // of the record at the end, without its comment
    COMMENT_MAX = 0xffff, // behind it
    STORED = 0,
    DEFLATED = 8,
    ENCRYPTED = 1,       // a flag of a member
    DEFLATE_MOST = 1032, // bytes that one byte of deflate can stand for
    MAGIC_BYTES = 6,     // of an array
    TYPE_BYTES = 3,      // "<f4"
    ZIP64 = 0xffff,      // a count that stands elsewhere
};

#define BYTES_MAX (2 * FL_VECTOR_BYTES_MAX) // of all members: doubles become floats

//  One member, from the directory at the end of the archive to the values in it.
typedef struct member {
    fl_tensor tensor;
    uint16_t flags, method;
    uint32_t crc, packed_bytes, bytes, offset;
    fl_bytes packed, array;
    uint8_t *inflated; // what `array` points to, unless it was stored
    uint32_t width;    // bytes of a value: 2, 4 or 8
    fl_bytes values;
} member;

typedef struct archive {
    fl_bytes bytes;
    uint32_t count;
    member members[FL_TENSORS_MAX];
} archive;

static fl_status
s_damaged(const char *what, fl_why *why)
{
    return fl_fail(FL_MALFORMED, why, "npz: %s: the file is cut off or damaged", what);
}

bool
fl_npz_is(fl_bytes bytes)
{
    return bytes.size >= 4 && memcmp(bytes.data, "PK\3\4", 4) == 0;
}

// ---- the archive ------------------------------------------------------------------------------
//  The record at the end: how many members, and where their directory is.
static fl_status
s_find_directory(fl_bytes bytes, uint32_t *count, fl_reader *directory, fl_why *why)
{
    for (size_t behind = END_BYTES; behind <= END_BYTES + COMMENT_MAX && behind <= bytes.size;
         behind++) {
        const uint8_t *at = bytes.data + bytes.size - behind;
        if (memcmp(at, "PK\5\6", 4) != 0) {
            continue;
        }
        fl_reader end = fl_reader_of(fl_bytes_of(at + 4, behind - 4));
        const bool one_disk = fl_read_u32(&end) == 0;
        *count = fl_read_u16(&end);
        const bool all_here = fl_read_u16(&end) == *count;
        const uint32_t size = fl_read_u32(&end), offset = fl_read_u32(&end);
        if (!one_disk || !all_here || fl_read_u16(&end) != behind - END_BYTES) {
            return s_damaged("the end of the archive", why);
        }
        if (*count == ZIP64 || offset == UINT32_MAX || size == UINT32_MAX) {
            return fl_fail(FL_MISMATCH, why,
                           "npz: the archive is zip64, for 4 GiB and more, "
                           "which is not read: save the weights as safetensors");
        }
        fl_reader whole = fl_reader_of(bytes);
        (void)fl_read_view(&whole, offset);
        *directory = fl_reader_of(fl_read_view(&whole, size));
        return FL_OK;
    }
    return s_damaged("there is no end of a zip archive", why);
}

//  "layer0.weight" of "layer0.weight.npy".
static fl_status
s_name(fl_bytes name, fl_tensor *tensor, fl_why *why)
{
    static const char suffix[] = ".npy";
    const size_t length = name.size - (sizeof suffix - 1);
    bool fine = name.size >= sizeof suffix && length < sizeof tensor->name &&
                memcmp(name.data + length, suffix, sizeof suffix - 1) == 0;
    for (size_t i = 0; fine && i < length; i++) {
        fine = name.data[i] > ' ' && name.data[i] <= '~';
    }
    if (!fine) {
        return fl_fail(FL_MISMATCH, why,
                       "npz: a member has a name that is not 1 to %zu visible ASCII characters "
                       "and .npy",
                       sizeof tensor->name - 1);
    }
    memcpy(tensor->name, name.data, length);
    return FL_OK;
}

//  One line of the directory.
static fl_status
s_read_member(fl_reader *directory, member *self, fl_why *why)
{
    const uint32_t mark = fl_read_u32(directory);
    (void)fl_read_u32(directory); // versions
    self->flags = fl_read_u16(directory);
    self->method = fl_read_u16(directory);
    (void)fl_read_u32(directory); // time
    self->crc = fl_read_u32(directory);
    self->packed_bytes = fl_read_u32(directory);
    self->bytes = fl_read_u32(directory);
    const uint16_t name_bytes = fl_read_u16(directory), extra = fl_read_u16(directory);
    const uint16_t comment = fl_read_u16(directory);
    (void)fl_read_u64(directory); // disk and attributes
    self->offset = fl_read_u32(directory);
    fl_bytes name = fl_read_view(directory, name_bytes);
    (void)fl_read_view(directory, (size_t)extra + comment);
    if (directory->broken || mark != 0x02014b50) {
        return s_damaged("the archive's directory", why);
    }
    FL_TRY(s_name(name, &self->tensor, why));
    if ((self->flags & ENCRYPTED) != 0 || (self->method != STORED && self->method != DEFLATED)) {
        return fl_fail(FL_MISMATCH, why,
                       "npz: %s is encrypted or compressed by method %u, only stored and deflated "
                       "members are read: save it with numpy.savez",
                       self->tensor.name, self->method);
    }
    if (self->packed_bytes == UINT32_MAX || self->bytes == UINT32_MAX ||
        self->offset == UINT32_MAX) {
        return fl_fail(FL_MISMATCH, why,
                       "npz: %s is a zip64 member, for 4 GiB and more, which is not read: save "
                       "the weights as safetensors",
                       self->tensor.name);
    }
    return FL_OK;
}

//  The packed bytes lie behind the member's own head, which names sizes that may not be filled in.
static fl_status
s_find_packed(const archive *self, member *one, fl_why *why)
{
    fl_reader local = fl_reader_of(self->bytes);
    (void)fl_read_view(&local, one->offset);
    const uint32_t mark = fl_read_u32(&local);
    (void)fl_read_view(&local, 22);
    const uint16_t name_bytes = fl_read_u16(&local), extra = fl_read_u16(&local);
    (void)fl_read_view(&local, (size_t)name_bytes + extra);
    one->packed = fl_read_view(&local, one->packed_bytes);
    if (local.broken || mark != 0x04034b50) {
        return s_damaged(one->tensor.name, why);
    }
    return FL_OK;
}

//  No more is made than so many bytes of deflate can say, whatever the directory claims.
static fl_status
s_inflate(member *self, fl_why *why)
{
    if (self->bytes / DEFLATE_MOST > self->packed.size) {
        return s_damaged(self->tensor.name, why);
    }
    self->inflated = malloc((size_t)self->bytes + 1);
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)self->packed.data,
                        .avail_in = self->packed_bytes,
                        .next_out = self->inflated,
                        .avail_out = self->bytes };
    if (self->inflated == NULL || inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
        return fl_fail(FL_NOMEM, why, "no memory for the %u bytes of %s", self->bytes,
                       self->tensor.name);
    }
    const int end = inflate(&stream, Z_FINISH);
    (void)inflateEnd(&stream);
    if (end != Z_STREAM_END || stream.avail_out != 0 || stream.avail_in != 0) {
        return s_damaged(self->tensor.name, why);
    }
    self->array = fl_bytes_of(self->inflated, self->bytes);
    return FL_OK;
}

static fl_status
s_unpack(const archive *self, member *one, fl_why *why)
{
    FL_TRY(s_find_packed(self, one, why));
    if (one->method == DEFLATED) {
        FL_TRY(s_inflate(one, why));
    } else if (one->packed_bytes != one->bytes) {
        return s_damaged(one->tensor.name, why);
    } else {
        one->array = one->packed;
    }
    uLong crc = crc32_z(crc32_z(0, Z_NULL, 0), one->array.data, one->array.size);
    return crc == one->crc ? FL_OK : s_damaged(one->tensor.name, why);
}

// ---- an array ---------------------------------------------------------------------------------
//  The text of its head: a Python dictionary with three keys.
typedef struct text {
    const char *at, *end;
} text;

//  Skip spaces, then take this word if it is next.
static bool
s_take(text *self, const char *word)
{
    while (self->at < self->end && *self->at == ' ') {
        self->at++;
    }
    const size_t length = strlen(word);
    if ((size_t)(self->end - self->at) < length || memcmp(self->at, word, length) != 0) {
        return false;
    }
    self->at += length;
    return true;
}

static fl_status
s_type(text *head, member *self, fl_why *why)
{
    static const char *const types[] = { "'<f2'", "'<f4'", "'<f8'" };
    for (uint32_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (s_take(head, types[i])) {
            self->width = 2U << i;
            return FL_OK;
        }
    }
    return fl_fail(FL_MISMATCH, why,
                   "npz: %s is not of the type <f2, <f4 or <f8: convert it with astype('<f4')",
                   self->tensor.name);
}

//  "(3, 4)", "(3,)", "()".
static fl_status
s_shape(text *head, fl_tensor *tensor, fl_why *why)
{
    static const uint64_t most = FL_VECTOR_BYTES_MAX / sizeof(float);
    bool fine = s_take(head, "("), comma = true;
    tensor->elements = 1;
    while (fine && !s_take(head, ")")) {
        uint64_t size = 0;
        (void)s_take(head, ""); // spaces
        const char *digits = head->at;
        while (head->at < head->end && *head->at >= '0' && *head->at <= '9' && size <= most) {
            size = 10 * size + (uint64_t)(*head->at++ - '0');
        }
        fine = comma && head->at > digits;
        if (fine &&
            (tensor->rank == FL_TENSOR_RANK_MAX || size == 0 || size > most / tensor->elements)) {
            return fl_fail(FL_RANGE, why,
                           "npz: %s has more than %d dimensions, or one that is out of bounds",
                           tensor->name, FL_TENSOR_RANK_MAX);
        }
        if (fine) {
            tensor->shape[tensor->rank++] = size;
            tensor->elements *= size;
            comma = s_take(head, ",");
        }
    }
    return fine ? FL_OK : s_damaged(tensor->name, why);
}

static fl_status
s_order(text *head, const member *self, fl_why *why)
{
    if (s_take(head, "True")) {
        return fl_fail(FL_MISMATCH, why,
                       "npz: %s is in Fortran order: save it after numpy.ascontiguousarray",
                       self->tensor.name);
    }
    return s_take(head, "False") ? FL_OK : s_damaged(self->tensor.name, why);
}

static fl_status
s_read_head(text *head, member *self, fl_why *why)
{
    enum { TYPE = 1, ORDER = 2, SHAPE = 4 };
    unsigned seen = 0;
    bool fine = s_take(head, "{");
    while (fine && !s_take(head, "}")) {
        unsigned key = s_take(head, "'descr':")           ? TYPE
                       : s_take(head, "'fortran_order':") ? ORDER
                       : s_take(head, "'shape':")         ? SHAPE
                                                          : 0;
        fine = key != 0 && (seen & key) == 0;
        seen |= key;
        if (fine) {
            FL_TRY(key == TYPE    ? s_type(head, self, why)
                   : key == ORDER ? s_order(head, self, why)
                                  : s_shape(head, &self->tensor, why));
            (void)s_take(head, ",");
        }
    }
    const bool ended = s_take(head, "\n") && head->at == head->end;
    return fine && ended && seen == (TYPE | ORDER | SHAPE) ? FL_OK
                                                           : s_damaged(self->tensor.name, why);
}

static fl_status
s_read_array(member *self, fl_why *why)
{
    fl_reader reader = fl_reader_of(self->array);
    fl_bytes magic = fl_read_view(&reader, MAGIC_BYTES);
    const uint8_t major = fl_read_u8(&reader);
    (void)fl_read_u8(&reader);
    const uint32_t length = major == 1 ? fl_read_u16(&reader) : fl_read_u32(&reader);
    fl_bytes head = fl_read_view(&reader, length);
    if (reader.broken || major < 1 || major > 3 || length > FL_SAFETENSORS_HEADER_MAX ||
        memcmp(magic.data, "\x93NUMPY", MAGIC_BYTES) != 0) {
        return s_damaged(self->tensor.name, why);
    }
    const char *from = (const char *)head.data;
    text words = { .at = from, .end = from + head.size };
    FL_TRY(s_read_head(&words, self, why));
    self->values = fl_bytes_of(reader.at, (size_t)(reader.end - reader.at));
    if (self->values.size != self->tensor.elements * self->width) {
        return fl_fail(FL_MALFORMED, why, "npz: %s has %zu bytes, its shape needs %llu",
                       self->tensor.name, self->values.size,
                       (unsigned long long)(self->tensor.elements * self->width));
    }
    return FL_OK;
}

//  IEEE 754 binary16.
static float
s_half(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 0    ? ldexpf((float)fraction, -24)
                 : exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
                                  : ldexpf((float)(fraction + 1024), exponent - 25);
    return bits >> 15 != 0 ? -size : size;
}

static void
s_write_values(const member *self, float *to)
{
    fl_reader reader = fl_reader_of(self->values);
    if (self->width == sizeof(float)) {
        memcpy(to, self->values.data, self->values.size);
        return;
    }
    for (uint64_t i = 0; i < self->tensor.elements; i++) {
        if (self->width == 2) {
            to[i] = s_half(fl_read_u16(&reader));
        } else {
            double value = 0;
            fl_read_into(&reader, &value, sizeof value);
            to[i] = fabs(value) > FLT_MAX ? NAN : (float)value; // no F32: refused
        }
    }
}

// ---- both -------------------------------------------------------------------------------------
static fl_status
s_read(archive *self, fl_why *why)
{
    fl_reader directory;
    uint32_t count = 0;
    uint64_t elements = 0, bytes = 0, packed = 0;
    FL_TRY(s_find_directory(self->bytes, &count, &directory, why));
    if (count == 0 || count > FL_TENSORS_MAX) {
        return fl_fail(FL_RANGE, why, "npz: %u arrays, there must be 1 to %d", count,
                       FL_TENSORS_MAX);
    }
    for (; self->count < count; self->count++) {
        member *one = &self->members[self->count];
        FL_TRY(s_read_member(&directory, one, why));
        for (uint32_t i = 0; i < self->count; i++) {
            if (strcmp(self->members[i].tensor.name, one->tensor.name) == 0) {
                return fl_fail(FL_MALFORMED, why, "npz: %s is there twice", one->tensor.name);
            }
        }
        bytes += one->bytes;
        packed += one->packed_bytes;
        if (bytes > BYTES_MAX) {
            return fl_fail(FL_RANGE, why, "npz: the arrays have more than %llu bytes",
                           (unsigned long long)BYTES_MAX);
        }
        if (packed > self->bytes.size) { // members share their bytes, to make more of them
            return s_damaged(one->tensor.name, why);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        member *one = &self->members[i];
        FL_TRY(s_unpack(self, one, why));
        FL_TRY(s_read_array(one, why));
        elements += one->tensor.elements;
    }
    if (elements > FL_VECTOR_BYTES_MAX / sizeof(float)) {
        return fl_fail(FL_RANGE, why, "npz: %llu values are too many",
                       (unsigned long long)elements);
    }
    return FL_OK;
}

static fl_status
s_save(const archive *self, fl_blob **blob, fl_why *why)
{
    fl_tensor tensors[FL_TENSORS_MAX];
    uint64_t elements = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        tensors[i] = self->members[i].tensor;
        elements += tensors[i].elements;
    }
    if (fl_safetensors_save(tensors, self->count, NULL, 0, NULL, blob) != FL_OK) {
        return fl_fail(FL_NOMEM, why, "no memory for weights of %llu values",
                       (unsigned long long)elements);
    }
    float *to = fl_safetensors_values(*blob, elements);
    for (uint32_t i = 0; i < self->count; i++) {
        s_write_values(&self->members[i], to);
        to += self->members[i].tensor.elements;
    }
    return FL_OK;
}

fl_status
fl_npz_convert(fl_bytes bytes, fl_blob **blob, fl_why *why)
{
    archive *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "no memory to read an npz file");
    }
    self->bytes = bytes;
    fl_status status = s_read(self, why);
    FL_THEN(status, s_save(self, blob, why));
    for (uint32_t i = 0; i < FL_TENSORS_MAX; i++) {
        free(self->members[i].inflated);
    }
    free(self);
    return status;
}
