//  One description of each verb (verb_table.c) serves both directions, so that they cannot drift
//  apart: encoding writes a struct's members by it, decoding fills them by it, and one validator
//  judges the filled struct in both cases, with a panic on our side and a refusal on theirs.
#include "common/wire/codec.h"

#include <stdio.h>
#include <string.h>

#include "common/base/status.h"
#include "common/wire/envelope.h"
#include "common/wire/manifest.h"
#include "common/wire/mp.h"
#include "common/wire/verb_table.h"

static const char *const names[FL_CODEC_COUNT] = {
    [FL_CODEC_OK] = "ok",           [FL_CODEC_SHORT] = "short", [FL_CODEC_MAGIC] = "magic",
    [FL_CODEC_VERSION] = "version", [FL_CODEC_VERB] = "verb",   [FL_CODEC_GUARD] = "guard",
    [FL_CODEC_FIELDS] = "fields",   [FL_CODEC_BODY] = "body",   [FL_CODEC_NOMEM] = "no-memory",
};

const char *
fl_codec_name(fl_codec code)
{
    FL_ASSERT((unsigned)code < FL_CODEC_COUNT);
    return names[code];
}

//  All structs of a message share one address: that of their union.
static void *
s_base(fl_message *message)
{
    return &message->hello;
}

static const void *
s_const_base(const fl_message *message)
{
    return &message->hello;
}

// ---- members ----------------------------------------------------------------------------------
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a member is the low bytes of its value");

static uint64_t
s_load(const fl_field *field, const void *base)
{
    uint64_t value = 0;
    FL_ASSERT(field->size <= sizeof value);
    memcpy(&value, (const uint8_t *)base + field->offset, field->size);
    return value;
}

static fl_bytes
s_load_view(const fl_field *field, const void *base)
{
    fl_bytes view;
    memcpy(&view, (const uint8_t *)base + field->offset, sizeof view);
    return view;
}

// ---- validity ---------------------------------------------------------------------------------
static bool
s_between(uint64_t value, const fl_field *field)
{
    return value >= field->min && value <= field->max;
}

static bool
s_text_valid(const fl_field *field, const char *text)
{
    size_t length = 0;
    while (length < field->size && text[length] >= ' ' && text[length] <= '~') {
        length++;
    }
    return length < field->size && text[length] == '\0' && s_between(length, field);
}

static bool
s_field_valid(const fl_field *field, const void *base)
{
    switch (field->kind) {
    case FL_FIELD_UINT:
        return s_between(s_load(field, base), field);
    case FL_FIELD_VIEW:
        return s_between(s_load_view(field, base).size, field);
    case FL_FIELD_TEXT:
        return s_text_valid(field, (const char *)base + field->offset);
    case FL_FIELD_BOOL:
    case FL_FIELD_BYTES:
    case FL_FIELD_ORDER: // these three are judged by their own pairs of functions
    case FL_FIELD_SETTINGS:
    case FL_FIELD_MANIFEST:
    case FL_FIELD_UINTS:
    case FL_FIELD_GROUP: // every value is fine: see the rows
        return true;
    }
    return false;
}

//  NULL when the message may travel; else what is wrong, about `*field` unless that is NULL.
static const char *
s_judge(const fl_verb_row *shape, const fl_message *message, size_t body_bytes,
        const fl_field **field)
{
    const void *base = s_const_base(message);
    for (uint32_t i = 0; i < shape->group.count; i++) {
        *field = &shape->group.fields[i];
        if (!s_field_valid(*field, base)) {
            return "out of range";
        }
    }
    *field = NULL;
    if (shape->masked && message->round == 0) {
        return "the round is 0";
    }
    return shape->check == NULL ? NULL : shape->check(message, body_bytes);
}

static bool
s_body_valid(const fl_verb_row *shape, size_t body_bytes)
{
    return body_bytes >= shape->body_min && body_bytes <= shape->body_max;
}

// ---- encoding ---------------------------------------------------------------------------------
static void s_write_group(const fl_group *group, const void *base, fl_writer *out);

static void
s_write_field(const fl_field *field, const void *base, fl_writer *out)
{
    const uint8_t *from = (const uint8_t *)base + field->offset;
    uint8_t room[FL_PARTS_MADE_MAX];
    switch (field->kind) {
    case FL_FIELD_UINT:
        fl_mp_write_uint(out, s_load(field, base));
        break;
    case FL_FIELD_BOOL:
        fl_mp_write_bool(out, *from != 0);
        break;
    case FL_FIELD_BYTES:
        fl_mp_write_bin(out, fl_bytes_of(from, field->size));
        break;
    case FL_FIELD_VIEW:
        fl_mp_write_bin(out, s_load_view(field, base));
        break;
    case FL_FIELD_TEXT:
        fl_mp_write_str(out, fl_bytes_of(from, strlen((const char *)from)));
        break;
    case FL_FIELD_ORDER:
        fl_order_encode((const fl_order *)(const void *)from, room);
        fl_mp_write_bin(out, fl_bytes_of(room, FL_ORDER_BYTES));
        break;
    case FL_FIELD_SETTINGS:
        fl_mp_write_bin(out, fl_settings_encode((const fl_order *)(const void *)from, room));
        break;
    case FL_FIELD_MANIFEST:
        fl_mp_write_bin(out, fl_manifest_encode((const fl_order *)(const void *)from, room));
        break;
    case FL_FIELD_UINTS: // as they lie in memory
        fl_mp_write_bin(out, fl_bytes_of(from, field->size));
        break;
    case FL_FIELD_GROUP:
        s_write_group(field->group, from, out);
        break;
    }
}

static void
s_write_group(const fl_group *group, const void *base, fl_writer *out)
{
    fl_mp_write_array(out, group->count);
    for (uint32_t i = 0; i < group->count; i++) {
        s_write_field(&group->fields[i], base, out);
    }
}

fl_blob *
fl_encode(const fl_message *message, size_t body_bytes)
{
    const fl_verb_row *shape = fl_verb_row_of(message->verb);
    FL_ASSERT(shape != NULL);
    FL_ASSERT(s_body_valid(shape, body_bytes));
    const fl_field *field;
    FL_ASSERT(s_judge(shape, message, body_bytes, &field) == NULL);

    uint8_t frame[FL_FRAME_BYTES_MAX]; // only the bytes written are ever touched
    fl_writer out = fl_writer_over(frame + FL_ENVELOPE_BYTES, FL_HEADER_BYTES_MAX);
    s_write_group(&shape->group, s_const_base(message), &out);
    FL_ASSERT(!out.broken);
    fl_envelope envelope = {
        .major = FL_WIRE_MAJOR,
        .minor = shape->minor,
        .verb = (uint16_t)message->verb,
        .round = message->round,
        .run = message->run,
        .header_bytes = (uint32_t)fl_writer_size(&out),
        .body_bytes = (uint32_t)body_bytes,
    };
    fl_envelope_encode(&envelope, frame);
    return fl_blob_copy(fl_bytes_of(frame, FL_ENVELOPE_BYTES + fl_writer_size(&out)));
}

// ---- decoding ---------------------------------------------------------------------------------
//  Where the reading of one message stands.
typedef struct decoding {
    fl_mp_reader in;
    uint8_t minor;         // of who wrote it: of a greater one values behind the known are skipped
    const fl_field *field; // the last one tried
    bool counts;           // an array was too short, or longer than its writer's version has it
} decoding;

static bool s_read_group(decoding *self, const fl_group *group, void *base);

static bool
s_enter(decoding *self, size_t known)
{
    uint32_t count = fl_mp_enter(&self->in);
    self->counts =
        !self->in.broken && (count < known || (count > known && self->minor <= FL_WIRE_MINOR));
    return !self->in.broken && !self->counts;
}

//  Text and fixed bytes land in `to`, zeros behind them.
static bool
s_copy(const fl_field *field, uint8_t *to, fl_bytes from)
{
    bool text = field->kind == FL_FIELD_TEXT;
    if (text ? from.size >= field->size : from.size != field->size) {
        return false;
    }
    if (text && from.size > 0 && memchr(from.data, '\0', from.size) != NULL) {
        return false;
    }
    if (from.size > 0) {
        memcpy(to, from.data, from.size);
    }
    return true;
}

static bool
s_read_field(decoding *self, const fl_field *field, void *base)
{
    uint8_t *to = (uint8_t *)base + field->offset;
    uint64_t value;
    fl_bytes view;
    bool truth;
    switch (field->kind) {
    case FL_FIELD_UINT:
        value = fl_mp_read_uint(&self->in);
        if (value > UINT64_MAX >> (64 - 8 * field->size)) {
            return false;
        }
        memcpy(to, &value, field->size);
        break;
    case FL_FIELD_BOOL:
        truth = fl_mp_read_bool(&self->in);
        memcpy(to, &truth, sizeof truth);
        break;
    case FL_FIELD_VIEW:
        view = fl_mp_read_bin(&self->in);
        memcpy(to, &view, sizeof view);
        break;
    case FL_FIELD_BYTES:
    case FL_FIELD_UINTS:
        return s_copy(field, to, fl_mp_read_bin(&self->in));
    case FL_FIELD_TEXT:
        return s_copy(field, to, fl_mp_read_str(&self->in)) && !self->in.broken;
    case FL_FIELD_ORDER:
        return fl_order_decode(fl_mp_read_bin(&self->in), (fl_order *)(void *)to);
    case FL_FIELD_SETTINGS:
        view = fl_mp_read_bin(&self->in);
        fl_settings_decode(view, (fl_order *)(void *)to);
        return s_between(view.size, field);
    case FL_FIELD_MANIFEST:
        view = fl_mp_read_bin(&self->in);
        fl_manifest_decode(view, (fl_order *)(void *)to);
        return s_between(view.size, field);
    case FL_FIELD_GROUP:
        return s_read_group(self, field->group, to);
    }
    return !self->in.broken;
}

static bool
s_read_group(decoding *self, const fl_group *group, void *base)
{
    uint32_t known = group->count;
    while (known > 0 && group->fields[known - 1].minor > self->minor) {
        known--;
    }
    if (!s_enter(self, known)) {
        return false;
    }
    for (uint32_t i = 0; i < known; i++) {
        self->field = &group->fields[i];
        if (!s_read_field(self, self->field, base)) {
            return false;
        }
    }
    fl_mp_leave(&self->in);
    return true;
}

static void
s_say(fl_codec_result *result, fl_codec code, const char *field, const char *what)
{
    const char *dot = field == NULL ? "" : ".";
    result->code = code;
    (void)snprintf(result->text, sizeof result->text, "%s%s%s: %s",
                   fl_verb_name((fl_verb)result->verb), dot, field == NULL ? "" : field, what);
}

static void
s_decode_header(const fl_verb_row *shape, fl_bytes header, size_t body_bytes, fl_message *message,
                fl_codec_result *result)
{
    decoding self = { .minor = result->minor };
    const char *wrong;
    fl_status status = fl_mp_open(&self.in, header, &wrong);
    if (status != FL_OK) {
        s_say(result, status == FL_NOMEM ? FL_CODEC_NOMEM : FL_CODEC_GUARD, NULL,
              status == FL_NOMEM ? "out of memory" : wrong);
    } else if (!s_read_group(&self, &shape->group, s_base(message))) {
        s_say(result, FL_CODEC_FIELDS, self.field == NULL ? NULL : self.field->name,
              self.counts ? "too few or too many values" : "of the wrong type or size");
    } else if ((wrong = s_judge(shape, message, body_bytes, &self.field)) != NULL) {
        s_say(result, FL_CODEC_FIELDS, self.field == NULL ? NULL : self.field->name, wrong);
    }
    fl_mp_close(&self.in);
}

//  Judge the envelope; true when a header of this shape is worth reading.
static bool
s_decode_envelope(fl_bytes frame, size_t body_bytes, fl_envelope *envelope, fl_codec_result *result)
{
    fl_codec code = fl_envelope_decode(frame, envelope);
    result->major = envelope->major;
    result->minor = envelope->minor;
    result->verb = envelope->verb;
    const fl_verb_row *shape = fl_verb_row_of(envelope->verb);
    if (code == FL_CODEC_VERSION) {
        result->code = code;
        (void)snprintf(result->text, sizeof result->text,
                       "peer speaks wire %u.%u, this build speaks %u.%u: upgrade the older side",
                       envelope->major, envelope->minor, FL_WIRE_MAJOR, FL_WIRE_MINOR);
    } else if (code == FL_CODEC_MAGIC) {
        s_say(result, code, NULL, "not a frame of this protocol");
    } else if (code == FL_CODEC_SHORT) {
        s_say(result, code, NULL, "the envelope is cut off");
    } else if (shape == NULL) {
        s_say(result, FL_CODEC_VERB, NULL, "no such verb in this version");
    } else if (envelope->header_bytes > FL_HEADER_BYTES_MAX) {
        s_say(result, FL_CODEC_GUARD, NULL, "the header is too long");
    } else if (frame.size - FL_ENVELOPE_BYTES < envelope->header_bytes) {
        s_say(result, FL_CODEC_SHORT, NULL, "the header is cut off");
    } else if (frame.size - FL_ENVELOPE_BYTES > envelope->header_bytes) {
        s_say(result, FL_CODEC_GUARD, NULL, "bytes after the header");
    } else if (envelope->body_bytes != body_bytes || !s_body_valid(shape, body_bytes)) {
        s_say(result, FL_CODEC_BODY, NULL, "the body frame is not what the envelope says");
    }
    return result->code == FL_CODEC_OK;
}

fl_codec_result
fl_decode(fl_bytes frame, size_t body_bytes, fl_message *message)
{
    fl_codec_result result = { .code = FL_CODEC_OK };
    fl_envelope envelope;
    memset(message, 0, sizeof *message);
    if (s_decode_envelope(frame, body_bytes, &envelope, &result)) {
        message->verb = (fl_verb)envelope.verb;
        message->run = envelope.run;
        message->round = envelope.round;
        s_decode_header(fl_verb_row_of(envelope.verb),
                        fl_bytes_of(frame.data + FL_ENVELOPE_BYTES, envelope.header_bytes),
                        body_bytes, message, &result);
    }
    if (result.code != FL_CODEC_OK) {
        memset(message, 0, sizeof *message); // half a message is none
    }
    return result;
}
