#include "common/wire/mp.h"

#include <msgpack.h>

// ---- guard ------------------------------------------------------------------------------------
//  The shape of one value, by its first byte: how many bytes of count or length follow, how many
//  bytes of plain payload, and whether the count is of bytes or of further values.
typedef enum kind { PLAIN, LENGTH, ARRAY, MAP, REFUSED } kind;

typedef struct shape {
    kind kind;
    uint8_t bytes; // PLAIN: of payload. LENGTH, ARRAY, MAP: of the big-endian count; 0 = inline
    uint8_t count; // the inline count
} shape;

//  First bytes 0xc0 to 0xdf (msgpack specification, section Formats).
static const shape shapes[32] = {
    { PLAIN, 0, 0 },   { REFUSED, 0, 0 }, { PLAIN, 0, 0 },   { PLAIN, 0, 0 },   // nil - false true
    { LENGTH, 1, 0 },  { LENGTH, 2, 0 },  { LENGTH, 4, 0 },  { REFUSED, 0, 0 }, // bin, ext 8
    { REFUSED, 0, 0 }, { REFUSED, 0, 0 }, { PLAIN, 4, 0 },   { PLAIN, 8, 0 },   // ext, float
    { PLAIN, 1, 0 },   { PLAIN, 2, 0 },   { PLAIN, 4, 0 },   { PLAIN, 8, 0 },   // uint
    { PLAIN, 1, 0 },   { PLAIN, 2, 0 },   { PLAIN, 4, 0 },   { PLAIN, 8, 0 },   // int
    { REFUSED, 0, 0 }, { REFUSED, 0, 0 }, { REFUSED, 0, 0 }, { REFUSED, 0, 0 }, // fixext
    { REFUSED, 0, 0 }, { LENGTH, 1, 0 },  { LENGTH, 2, 0 },  { LENGTH, 4, 0 },  // fixext 16, str
    { ARRAY, 2, 0 },   { ARRAY, 4, 0 },   { MAP, 2, 0 },     { MAP, 4, 0 },
};

static shape
s_shape(uint8_t first)
{
    if (first < 0x80 || first >= 0xe0) {
        return (shape){ PLAIN, 0, 0 };
    }
    if (first < 0x90) {
        return (shape){ MAP, 0, first & 0x0f };
    }
    if (first < 0xa0) {
        return (shape){ ARRAY, 0, first & 0x0f };
    }
    if (first < 0xc0) {
        return (shape){ LENGTH, 0, first & 0x1f };
    }
    return shapes[first - 0xc0];
}

//  The count that follows the first byte, msgpack's big end first; `at` moves behind it.
static uint64_t
s_count(fl_reader *in, shape it)
{
    uint64_t count = it.count;
    for (unsigned i = 0; i < it.bytes; i++) {
        count = count << 8 | fl_read_u8(in);
    }
    return count;
}

const char *
fl_mp_guard(fl_bytes bytes)
{
    fl_reader in = fl_reader_of(bytes);
    uint64_t left[FL_MP_DEPTH_MAX + 1] = { 1 }; // values still to come, per level
    unsigned depth = 0, elements = 0;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) {
                return in.at == in.end ? NULL : "bytes after the header";
            }
            depth--;
        }
        left[depth]--;
        shape it = s_shape(fl_read_u8(&in));
        uint64_t count = it.kind == PLAIN ? it.bytes : s_count(&in, it);
        if (in.broken) {
            return "a value is cut off";
        }
        if (it.kind == REFUSED) {
            return "an extension type";
        }
        if (++elements > FL_MP_ELEMENTS_MAX) {
            return "too many values";
        }
        uint64_t needed = it.kind == MAP ? 2 * count : count; // every value has a byte or more
        bool container = it.kind == ARRAY || it.kind == MAP;
        if (needed > (uint64_t)(in.end - in.at)) {
            return container ? "a count above the bytes that are left" : "a value is cut off";
        }
        if (container) {
            if (depth == FL_MP_DEPTH_MAX) {
                return "nested too deep";
            }
            left[++depth] = needed;
        } else {
            (void)fl_read_view(&in, (size_t)count);
        }
    }
}

// ---- reading ----------------------------------------------------------------------------------
_Static_assert(sizeof(msgpack_zone) <= sizeof((fl_mp_reader *)0)->zone, "room for the zone");
_Static_assert(sizeof(msgpack_object) <= sizeof((fl_mp_reader *)0)->root, "room for the root");

//  One allocation of this size holds the values of every usual header (24 bytes each).
enum { ZONE_BYTES = 960 };

static msgpack_zone *
s_zone(fl_mp_reader *self)
{
    return (msgpack_zone *)(void *)self->zone;
}

fl_status
fl_mp_open(fl_mp_reader *self, fl_bytes bytes, const char **wrong)
{
    msgpack_object *root = (msgpack_object *)(void *)self->root;
    self->broken = true;
    self->depth = 0;
    *s_zone(self) = (msgpack_zone){ 0 };
    *wrong = fl_mp_guard(bytes);
    if (*wrong != NULL) {
        return FL_MALFORMED;
    }
    if (!msgpack_zone_init(s_zone(self), ZONE_BYTES)) {
        return FL_NOMEM;
    }
    size_t at = 0;
    msgpack_unpack_return answer =
        msgpack_unpack((const char *)bytes.data, bytes.size, &at, s_zone(self), root);
    if (answer != MSGPACK_UNPACK_SUCCESS) { // what the guard passes, only memory can stop
        *wrong = "msgpack-c cannot read it";
        return answer == MSGPACK_UNPACK_NOMEM_ERROR ? FL_NOMEM : FL_MALFORMED;
    }
    self->level[0].at = root;
    self->level[0].left = 1;
    self->broken = false;
    return FL_OK;
}

void
fl_mp_close(fl_mp_reader *self)
{
    if (s_zone(self)->chunk_list.head != NULL) {
        msgpack_zone_destroy(s_zone(self));
        *s_zone(self) = (msgpack_zone){ 0 };
    }
    self->broken = true;
}

//  The next value if it is of this type, else NULL and broken.
static const msgpack_object *
s_next(fl_mp_reader *self, msgpack_object_type type)
{
    if (self->broken || self->level[self->depth].left == 0) {
        self->broken = true;
        return NULL;
    }
    const msgpack_object *value = self->level[self->depth].at;
    if (value->type != type) {
        self->broken = true;
        return NULL;
    }
    self->level[self->depth].at = value + 1;
    self->level[self->depth].left--;
    return value;
}

uint32_t
fl_mp_enter(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_ARRAY);
    if (value == NULL) {
        return 0;
    }
    FL_ASSERT(self->depth < FL_MP_DEPTH_MAX);
    self->depth++;
    self->level[self->depth].at = value->via.array.ptr;
    self->level[self->depth].left = value->via.array.size;
    return value->via.array.size;
}

//  Its pairs lie in a row, each a key and a value.
_Static_assert(sizeof(msgpack_object_kv) == 2 * sizeof(msgpack_object), "no gaps");

uint32_t
fl_mp_enter_map(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_MAP);
    if (value == NULL) {
        return 0;
    }
    FL_ASSERT(self->depth < FL_MP_DEPTH_MAX);
    self->depth++;
    self->level[self->depth].at = value->via.map.ptr;
    self->level[self->depth].left = 2 * value->via.map.size;
    return value->via.map.size;
}

void
fl_mp_leave(fl_mp_reader *self)
{
    if (!self->broken) {
        FL_ASSERT(self->depth > 0);
        self->depth--;
    }
}

uint64_t
fl_mp_read_uint(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_POSITIVE_INTEGER);
    return value == NULL ? 0 : value->via.u64;
}

bool
fl_mp_read_bool(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_BOOLEAN);
    return value != NULL && value->via.boolean;
}

double
fl_mp_read_number(fl_mp_reader *self)
{
    const msgpack_object *next = self->broken ? NULL : self->level[self->depth].at;
    bool more = next != NULL && self->level[self->depth].left > 0;
    if (more && next->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
        return (double)fl_mp_read_uint(self);
    }
    bool narrow = more && next->type == MSGPACK_OBJECT_FLOAT32;
    const msgpack_object *value =
        s_next(self, narrow ? MSGPACK_OBJECT_FLOAT32 : MSGPACK_OBJECT_FLOAT64);
    return value == NULL ? 0 : value->via.f64;
}

static fl_bytes
s_view(const char *data, uint32_t size)
{
    return size == 0 ? (fl_bytes){ 0 } : fl_bytes_of(data, size);
}

fl_bytes
fl_mp_read_bin(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_BIN);
    return value == NULL ? (fl_bytes){ 0 } : s_view(value->via.bin.ptr, value->via.bin.size);
}

fl_bytes
fl_mp_read_str(fl_mp_reader *self)
{
    const msgpack_object *value = s_next(self, MSGPACK_OBJECT_STR);
    return value == NULL ? (fl_bytes){ 0 } : s_view(value->via.str.ptr, value->via.str.size);
}

// ---- writing ----------------------------------------------------------------------------------
static int
s_append(void *out, const char *bytes, size_t size)
{
    fl_write_from(out, bytes, size);
    return 0; // the writer remembers its first failure
}

static msgpack_packer
s_packer(fl_writer *out)
{
    return (msgpack_packer){ .data = out, .callback = s_append };
}

void
fl_mp_write_array(fl_writer *out, uint32_t count)
{
    msgpack_packer packer = s_packer(out);
    (void)msgpack_pack_array(&packer, count);
}

void
fl_mp_write_map(fl_writer *out, uint32_t pairs)
{
    msgpack_packer packer = s_packer(out);
    (void)msgpack_pack_map(&packer, pairs);
}

void
fl_mp_write_number(fl_writer *out, double value)
{
    msgpack_packer packer = s_packer(out);
    bool whole = value >= 0 && value <= 0x1p53 && value == (double)(uint64_t)value;
    (void)(whole ? msgpack_pack_uint64(&packer, (uint64_t)value)
                 : msgpack_pack_double(&packer, value));
}

void
fl_mp_write_uint(fl_writer *out, uint64_t value)
{
    msgpack_packer packer = s_packer(out);
    (void)msgpack_pack_uint64(&packer, value);
}

void
fl_mp_write_bool(fl_writer *out, bool value)
{
    msgpack_packer packer = s_packer(out);
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void
fl_mp_write_bin(fl_writer *out, fl_bytes bytes)
{
    msgpack_packer packer = s_packer(out);
    (void)msgpack_pack_bin_with_body(&packer, bytes.data, bytes.size);
}

void
fl_mp_write_str(fl_writer *out, fl_bytes text)
{
    msgpack_packer packer = s_packer(out);
    (void)msgpack_pack_str_with_body(&packer, text.data, text.size);
}
