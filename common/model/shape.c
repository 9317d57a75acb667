#include "common/model/shape.h"

#include <stdio.h>
#include <string.h>

#include "common/base/limits.h"

static fl_status
s_check_sizes(const fl_shape *self, fl_why *why)
{
    uint64_t elements = 0;
    for (uint32_t i = 0; i <= self->layers; i++) {
        bool last = i == self->layers;
        uint32_t least = last ? 2 : 1, most = last ? FL_CLASSES_MAX : FL_LAYER_SIZE_MAX;
        if (self->size[i] < least || self->size[i] > most) {
            return fl_fail(FL_RANGE, why, "network: %s %u has size %u, it must be %u to %u",
                           last ? "output layer" : "layer", i, self->size[i], least, most);
        }
        elements += i == 0 ? 0 : (uint64_t)self->size[i] * (self->size[i - 1] + 1);
    }
    if (elements > FL_VECTOR_BYTES_MAX / sizeof(float)) {
        return fl_fail(FL_RANGE, why, "network: %llu parameters are more than the %llu allowed",
                       (unsigned long long)elements,
                       (unsigned long long)(FL_VECTOR_BYTES_MAX / sizeof(float)));
    }
    return FL_OK;
}

fl_status
fl_shape_parse(const char *text, fl_shape *shape, fl_why *why)
{
    *shape = (fl_shape){ 0 };
    uint32_t sizes = 0;
    const char *at = text;
    for (;;) {
        uint32_t value = 0;
        const char *start = at;
        while (*at >= '0' && *at <= '9' && at - start < 8) {
            value = value * 10 + (uint32_t)(*at - '0');
            at++;
        }
        if (at == start || (*at != '-' && *at != '\0')) {
            return fl_fail(FL_MALFORMED, why,
                           "network: \"%s\" is not a list of layer sizes such as 784-128-10", text);
        }
        if (sizes > FL_LAYERS_MAX) {
            return fl_fail(FL_RANGE, why, "network: \"%s\" has more than %d layers", text,
                           FL_LAYERS_MAX);
        }
        shape->size[sizes++] = value;
        if (*at++ == '\0') {
            break;
        }
    }
    if (sizes < 2) {
        return fl_fail(FL_RANGE, why,
                       "network: \"%s\" needs at least inputs and classes, such as 784-10", text);
    }
    shape->layers = sizes - 1;
    return s_check_sizes(shape, why);
}

void
fl_shape_text(const fl_shape *self, char *text, size_t size)
{
    FL_ASSERT(size > 0);
    text[0] = '\0';
    size_t used = 0;
    for (uint32_t i = 0; i <= self->layers && used < size; i++) {
        int wrote = snprintf(text + used, size - used, "%s%u", i == 0 ? "" : "-", self->size[i]);
        FL_ASSERT(wrote > 0);
        used += (size_t)wrote;
    }
}

uint32_t
fl_shape_inputs(const fl_shape *self)
{
    return self->size[0];
}

uint32_t
fl_shape_classes(const fl_shape *self)
{
    return self->size[self->layers];
}

uint64_t
fl_shape_bias(const fl_shape *self, uint32_t layer)
{
    FL_ASSERT(layer <= self->layers);
    uint64_t at = 0;
    for (uint32_t i = 0; i < layer; i++) {
        at += (uint64_t)self->size[i + 1] * (self->size[i] + 1);
    }
    return at;
}

uint64_t
fl_shape_weight(const fl_shape *self, uint32_t layer)
{
    FL_ASSERT(layer < self->layers);
    return fl_shape_bias(self, layer) + self->size[layer + 1];
}

uint64_t
fl_shape_elements(const fl_shape *self)
{
    return fl_shape_bias(self, self->layers);
}

uint32_t
fl_shape_tensors(const fl_shape *self, fl_tensor tensors[2 * FL_LAYERS_MAX])
{
    memset(tensors, 0, 2 * FL_LAYERS_MAX * sizeof *tensors);
    for (uint32_t i = 0; i < self->layers; i++) {
        fl_tensor *bias = &tensors[(size_t)2 * i], *weight = bias + 1;
        (void)snprintf(bias->name, sizeof bias->name, "layer%u.bias", i);
        bias->rank = 1;
        bias->shape[0] = self->size[i + 1];
        (void)snprintf(weight->name, sizeof weight->name, "layer%u.weight", i);
        weight->rank = 2;
        weight->shape[0] = self->size[i + 1];
        weight->shape[1] = self->size[i];
    }
    return 2 * self->layers;
}

fl_status
fl_shape_save(const fl_shape *self, const float *values, const fl_safetensors_note *notes,
              uint32_t note_count, fl_blob **blob)
{
    fl_tensor tensors[2 * FL_LAYERS_MAX];
    uint32_t count = fl_shape_tensors(self, tensors);
    return fl_safetensors_save(tensors, count, notes, note_count, values, blob);
}

fl_status
fl_shape_infer(const fl_safetensors *file, fl_shape *shape, fl_why *why)
{
    *shape = (fl_shape){ 0 };
    for (uint32_t i = 0; i < FL_LAYERS_MAX; i++) {
        char name[FL_TENSOR_NAME_MAX];
        (void)snprintf(name, sizeof name, "layer%u.weight", i);
        const fl_tensor *weight = fl_safetensors_find(file, name);
        if (weight == NULL || weight->rank != 2 || weight->shape[0] > FL_LAYER_SIZE_MAX ||
            weight->shape[1] > FL_LAYER_SIZE_MAX) {
            break;
        }
        shape->size[i] = (uint32_t)weight->shape[1];
        shape->size[i + 1] = (uint32_t)weight->shape[0];
        shape->layers = i + 1;
    }
    if (shape->layers == 0 || s_check_sizes(shape, NULL) != FL_OK) {
        return fl_fail(FL_MISMATCH, why,
                       "model holds no network: layer0.weight (out, in) and so on are missing or "
                       "of impossible size");
    }
    return fl_shape_check(shape, file, why);
}

void
fl_shape_dimensions(const fl_tensor *tensor, char *text, size_t size)
{
    int used = snprintf(text, size, "(");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        used += snprintf(text + used, size - (size_t)used, "%s%llu", i == 0 ? "" : ",",
                         (unsigned long long)tensor->shape[i]);
    }
    (void)snprintf(text + used, size - (size_t)used, ")");
}

static bool
s_same(const fl_tensor *a, const fl_tensor *b)
{
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++) {
        same = a->shape[i] == b->shape[i];
    }
    return same && strcmp(a->name, b->name) == 0;
}

fl_status
fl_shape_check(const fl_shape *self, const fl_safetensors *file, fl_why *why)
{
    char mine[96];
    fl_shape_text(self, mine, sizeof mine);
    fl_tensor tensors[2 * FL_LAYERS_MAX];
    uint32_t count = fl_shape_tensors(self, tensors);
    for (uint32_t i = 0; i < count; i++) {
        char wanted[96], held[96];
        fl_shape_dimensions(&tensors[i], wanted, sizeof wanted);
        const fl_tensor *tensor = fl_safetensors_find(file, tensors[i].name);
        if (tensor == NULL) {
            return fl_fail(FL_MISMATCH, why,
                           "model has no %s, this side works on %s (%s): set the same layers here "
                           "and at the root",
                           tensors[i].name, wanted, mine);
        }
        if (!s_same(tensor, &tensors[i])) {
            fl_shape_dimensions(tensor, held, sizeof held);
            return fl_fail(FL_MISMATCH, why,
                           "model has %s %s, this side works on %s (%s): set the same layers "
                           "here and at the root",
                           tensors[i].name, held, wanted, mine);
        }
        if (tensor != &file->tensor[i]) {
            return fl_fail(FL_MISMATCH, why,
                           "model keeps %s out of order: its data must be sorted by name",
                           tensors[i].name);
        }
    }
    if (file->count != count) {
        return fl_fail(FL_MISMATCH, why,
                       "model has %u tensors, this side works on %u (%s): set the same layers "
                       "here and at the root",
                       file->count, count, mine);
    }
    return FL_OK;
}
