#include "common/model/safetensors.h"

#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"
#include "common/crypto/hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are copied as they are");
_Static_assert(sizeof(float) == 4, "F32");

enum { LENGTH_BYTES = 8, ALIGN = 8 };
static const uint64_t elements_max = FL_VECTOR_BYTES_MAX / sizeof(float);

// ---- reading ----------------------------------------------------------------------------------
static fl_status
s_parse_shape(const json_t *shape, fl_tensor *tensor, fl_why *why)
{
    if (!json_is_array(shape)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %s has no shape", tensor->name);
    }
    if (json_array_size(shape) > FL_TENSOR_RANK_MAX) {
        return fl_fail(FL_RANGE, why, "safetensors: %s has %zu dimensions, at most %d are allowed",
                       tensor->name, json_array_size(shape), FL_TENSOR_RANK_MAX);
    }
    tensor->rank = (uint32_t)json_array_size(shape);
    tensor->elements = 1;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size)) {
            return fl_fail(FL_MALFORMED, why, "safetensors: %s has a dimension that is no integer",
                           tensor->name);
        }
        if (json_integer_value(size) < 1 ||
            (uint64_t)json_integer_value(size) > elements_max / tensor->elements) {
            return fl_fail(FL_RANGE, why, "safetensors: %s has a dimension of %lld, out of bounds",
                           tensor->name, (long long)json_integer_value(size));
        }
        tensor->shape[i] = (uint64_t)json_integer_value(size);
        tensor->elements *= tensor->shape[i];
    }
    return FL_OK;
}

//  `first` holds the byte offset until all tensors are sorted by it.
static fl_status
s_parse_tensor(const char *name, const json_t *entry, uint64_t data_bytes, fl_tensor *tensor,
               fl_why *why)
{
    memset(tensor, 0, sizeof *tensor);
    if (strlen(name) == 0 || strlen(name) >= sizeof tensor->name) {
        return fl_fail(FL_RANGE, why, "safetensors: a tensor's name must have 1 to %zu bytes",
                       sizeof tensor->name - 1);
    }
    memcpy(tensor->name, name, strlen(name));
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (type == NULL) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %s has no dtype", name);
    }
    if (strcmp(type, "F32") != 0) {
        return fl_fail(FL_MISMATCH, why,
                       "safetensors: %s is %.16s, only F32 is supported: convert it", name, type);
    }
    FL_TRY(s_parse_shape(json_object_get(entry, "shape"), tensor, why));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %s has no data_offsets [begin, end]", name);
    }
    const json_int_t begin = json_integer_value(from), end = json_integer_value(to);
    if (begin < 0 || end < begin || (uint64_t)end > data_bytes) {
        return fl_fail(FL_MALFORMED, why,
                       "safetensors: data_offsets [%lld, %lld] of %s lie outside the %llu bytes of "
                       "data",
                       (long long)begin, (long long)end, name, (unsigned long long)data_bytes);
    }
    if ((uint64_t)(end - begin) != tensor->elements * sizeof(float)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %s has %lld bytes, its shape needs %llu",
                       name, (long long)(end - begin),
                       (unsigned long long)(tensor->elements * sizeof(float)));
    }
    tensor->first = (uint64_t)begin;
    return FL_OK;
}

static fl_status
s_check_notes(const json_t *notes, fl_why *why)
{
    if (!json_is_object(notes)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: __metadata__ is no object");
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)notes, key, value)
    {
        if (!json_is_string(value)) {
            return fl_fail(FL_MALFORMED, why,
                           "safetensors: __metadata__ holds something that is no string");
        }
    }
    return FL_OK;
}

static int
s_by_offset(const void *left, const void *right)
{
    const fl_tensor *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

//  The tensors must cover the data from its first byte to its last.
static fl_status
s_join(fl_safetensors *self, uint64_t data_bytes, fl_why *why)
{
    if (self->count == 0) {
        return fl_fail(FL_MALFORMED, why, "safetensors: the file holds no tensor");
    }
    qsort(self->tensor, self->count, sizeof *self->tensor, s_by_offset);
    for (uint32_t i = 0; i < self->count; i++) {
        fl_tensor *tensor = &self->tensor[i];
        if (tensor->first != self->elements * sizeof(float)) {
            return fl_fail(FL_MALFORMED, why,
                           "safetensors: %s begins at byte %llu, where %llu is due: tensors "
                           "overlap or leave a gap",
                           tensor->name, (unsigned long long)tensor->first,
                           (unsigned long long)(self->elements * sizeof(float)));
        }
        tensor->first = self->elements;
        self->elements += tensor->elements;
    }
    if (self->elements * sizeof(float) != data_bytes) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %llu bytes of data, the tensors cover %llu",
                       (unsigned long long)data_bytes,
                       (unsigned long long)(self->elements * sizeof(float)));
    }
    return FL_OK;
}

static fl_status
s_parse_header(const json_t *header, uint64_t data_bytes, fl_safetensors *self, fl_why *why)
{
    if (!json_is_object(header)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: the header is no JSON object");
    }
    const char *name = NULL;
    json_t *entry = NULL;
    json_object_foreach((json_t *)header, name, entry)
    {
        fl_status status = FL_OK;
        if (strcmp(name, "__metadata__") == 0) {
            status = s_check_notes(entry, why);
        } else if (self->count == FL_TENSORS_MAX) {
            status = fl_fail(FL_RANGE, why, "safetensors: more than %d tensors", FL_TENSORS_MAX);
        } else {
            fl_tensor *tensor = &self->tensor[self->count++];
            status = s_parse_tensor(name, entry, data_bytes, tensor, why);
        }
        if (status != FL_OK) {
            return status;
        }
    }
    return s_join(self, data_bytes, why);
}

fl_status
fl_safetensors_parse_head(fl_bytes text, uint64_t data_bytes, fl_safetensors *self, fl_why *why)
{
    json_error_t error;
    json_t *header = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    memset(self, 0, sizeof *self);
    if (header == NULL) {
        return fl_fail(FL_MALFORMED, why, "safetensors: the header is no JSON: %s", error.text);
    }
    fl_status status = s_parse_header(header, data_bytes, self, why);
    json_decref(header);
    return status;
}

fl_status
fl_safetensors_parse(fl_bytes bytes, fl_safetensors *self, fl_why *why)
{
    fl_reader reader = fl_reader_of(bytes);
    uint64_t length = fl_read_u64(&reader);
    if (!reader.broken && length > FL_SAFETENSORS_HEADER_MAX) {
        return fl_fail(FL_RANGE, why,
                       "safetensors: a header of %llu bytes, at most %d are allowed: not a model?",
                       (unsigned long long)length, FL_SAFETENSORS_HEADER_MAX);
    }
    fl_bytes text = fl_read_view(&reader, (size_t)length);
    if (reader.broken) {
        return fl_fail(FL_MALFORMED, why, "safetensors: %zu bytes are too few: the file is cut off",
                       bytes.size);
    }
    const size_t data_bytes = (size_t)(reader.end - reader.at);
    FL_TRY(fl_safetensors_parse_head(text, data_bytes, self, why));
    self->data = fl_bytes_of(reader.at, data_bytes);
    return FL_OK;
}

const fl_tensor *
fl_safetensors_find(const fl_safetensors *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->tensor[i].name, name) == 0) {
            return &self->tensor[i];
        }
    }
    return NULL;
}

void
fl_safetensors_read(const fl_safetensors *self, uint64_t first, uint64_t count, float *values)
{
    FL_ASSERT(first <= self->elements && count <= self->elements - first);
    memcpy(values, self->data.data + first * sizeof *values, (size_t)count * sizeof *values);
}

static int
s_by_name(const void *left, const void *right)
{
    const fl_tensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

fl_hash
fl_safetensors_digest(const fl_safetensors *self)
{
    const fl_tensor *sorted[FL_TENSORS_MAX];
    fl_hasher hasher;
    for (uint32_t i = 0; i < self->count; i++) {
        sorted[i] = &self->tensor[i];
    }
    qsort(sorted, self->count, sizeof *sorted, s_by_name);
    fl_hasher_init(&hasher);
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_tensor *tensor = sorted[i];
        uint8_t head[sizeof tensor->name + 8 * FL_TENSOR_RANK_MAX]; // no dimension is 0
        fl_writer writer = fl_writer_over(head, sizeof head);
        fl_write_from(&writer, tensor->name, sizeof tensor->name);
        for (uint32_t k = 0; k < FL_TENSOR_RANK_MAX; k++) {
            fl_write_u64(&writer, k < tensor->rank ? tensor->shape[k] : 0);
        }
        fl_hasher_update(&hasher, fl_bytes_of(head, sizeof head));
        fl_hasher_update(&hasher, fl_bytes_of(self->data.data + tensor->first * sizeof(float),
                                              (size_t)tensor->elements * sizeof(float)));
    }
    return fl_hasher_final(&hasher);
}

// ---- writing ----------------------------------------------------------------------------------
//  {"data_offsets":[begin,end],"dtype":"F32","shape":[...]}; NULL when out of memory.
static json_t *
s_entry(const fl_tensor *tensor, uint64_t *elements)
{
    uint64_t size = 1;
    json_t *shape = json_array();
    for (uint32_t i = 0; i < tensor->rank; i++) {
        FL_ASSERT(tensor->shape[i] >= 1 && tensor->shape[i] <= elements_max / size);
        size *= tensor->shape[i];
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    uint64_t begin = *elements * sizeof(float);
    *elements += size;
    FL_ASSERT(*elements <= elements_max);
    return json_pack("{s:[I,I], s:s, s:o*}", "data_offsets", (json_int_t)begin,
                     (json_int_t)(*elements * sizeof(float)), "dtype", "F32", "shape", shape);
}

//  The header's text, to be freed, or NULL when out of memory; `elements` of all tensors.
static char *
s_header(const fl_tensor *tensors, uint32_t count, const fl_safetensors_note *notes,
         uint32_t note_count, uint64_t *elements)
{
    json_t *header = json_object(), *metadata = json_object();
    bool made = header != NULL && metadata != NULL;
    for (uint32_t i = 0; made && i < note_count; i++) {
        FL_ASSERT(memchr(notes[i].text, '\0', sizeof notes[i].text) != NULL);
        FL_ASSERT(json_object_get(metadata, notes[i].key) == NULL);
        made = json_object_set_new(metadata, notes[i].key, json_string(notes[i].text)) == 0;
    }
    if (made && note_count > 0) {
        made = json_object_set(header, "__metadata__", metadata) == 0;
    }
    for (uint32_t i = 0; made && i < count; i++) {
        FL_ASSERT(tensors[i].name[0] != '\0' && json_object_get(header, tensors[i].name) == NULL);
        made = json_object_set_new(header, tensors[i].name, s_entry(&tensors[i], elements)) == 0;
    }
    char *text = made ? json_dumps(header, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(metadata);
    json_decref(header);
    return text;
}

fl_status
fl_safetensors_save(const fl_tensor *tensors, uint32_t count, const fl_safetensors_note *notes,
                    uint32_t note_count, const float *values, fl_blob **blob)
{
    FL_ASSERT(count >= 1 && count <= FL_TENSORS_MAX && note_count <= FL_NOTES_MAX);
    uint64_t elements = 0;
    char *text = s_header(tensors, count, notes, note_count, &elements);
    if (text == NULL) {
        return FL_NOMEM;
    }
    const size_t used = strlen(text);
    const size_t padded = (used + ALIGN - 1) / ALIGN * ALIGN;
    const size_t data_bytes = (size_t)elements * sizeof(float);
    *blob = fl_blob_new(LENGTH_BYTES + padded + data_bytes);
    if (*blob != NULL) {
        uint8_t *to = fl_blob_data(*blob);
        fl_writer writer = fl_writer_over(to, LENGTH_BYTES);
        fl_write_u64(&writer, padded);
        memcpy(to + LENGTH_BYTES, text, used);
        memset(to + LENGTH_BYTES + used, ' ', padded - used);
        if (values != NULL) {
            memcpy(to + LENGTH_BYTES + padded, values, data_bytes);
        }
    }
    free(text);
    return *blob == NULL ? FL_NOMEM : FL_OK;
}

float *
fl_safetensors_values(fl_blob *blob, uint64_t elements)
{
    FL_ASSERT(elements <= fl_blob_size(blob) / sizeof(float));
    uint8_t *end = fl_blob_data(blob) + fl_blob_size(blob);
    return (float *)(void *)(end - elements * sizeof(float)); // ALIGN has seen to the alignment
}
