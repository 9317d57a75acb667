#include "common/model/start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"
#include "common/model/network.h"
#include "common/model/npz.h"

static fl_status
s_no_memory(uint64_t elements, fl_why *why)
{
    return fl_fail(FL_NOMEM, why, "no memory for a model of %llu elements",
                   (unsigned long long)elements);
}

fl_status
fl_start_network(const fl_shape *shape, uint64_t seed, fl_blob **blob, fl_why *why)
{
    const uint64_t elements = fl_shape_elements(shape);
    float *values = calloc((size_t)elements, sizeof *values);
    if (values == NULL) {
        return s_no_memory(elements, why);
    }
    fl_network_init(shape, seed, values);
    fl_status status = fl_shape_save(shape, values, NULL, 0, blob);
    free(values);
    return status == FL_OK ? FL_OK : s_no_memory(elements, why);
}

//  `found` is what the file has under the name of `wanted`; NULL: nothing.
static fl_status
s_same(const fl_tensor *wanted, const fl_tensor *found, fl_why *why)
{
    char needs[96], has[96];
    fl_shape_dimensions(wanted, needs, sizeof needs);
    if (found == NULL) {
        return fl_fail(FL_MISMATCH, why, "the weights have no %s, the model needs it as %s",
                       wanted->name, needs);
    }
    bool same = found->rank == wanted->rank, turned = same && wanted->rank == 2;
    for (uint32_t i = 0; same && i < wanted->rank; i++) {
        same = found->shape[i] == wanted->shape[i];
        turned = turned && found->shape[i] == wanted->shape[1 - i];
    }
    fl_shape_dimensions(found, has, sizeof has);
    return same
               ? FL_OK
               : fl_fail(FL_MISMATCH, why, "the weights have %s as %s, the model needs it as %s%s",
                         wanted->name, has, needs, turned ? ", output by input: transpose it" : "");
}

//  The file's tensors into `values`, in the order of ours.
static fl_status
s_take(const fl_tensor *wanted, uint32_t count, const fl_safetensors *file, float *values,
       fl_why *why)
{
    for (uint32_t i = 0; i < count; i++) {
        const fl_tensor *found = fl_safetensors_find(file, wanted[i].name);
        FL_TRY(s_same(&wanted[i], found, why));
        fl_safetensors_read(file, found->first, found->elements, values);
        for (uint64_t k = 0; k < found->elements; k++) {
            if (!isfinite(values[k])) {
                return fl_fail(FL_MISMATCH, why,
                               "the weights have a value in %s that is no finite 32-bit number",
                               found->name);
            }
        }
        values += found->elements;
    }
    for (uint32_t i = 0; i < file->count; i++) {
        bool known = false;
        for (uint32_t k = 0; k < count; k++) {
            known = known || strcmp(file->tensor[i].name, wanted[k].name) == 0;
        }
        if (!known) {
            return fl_fail(FL_MISMATCH, why, "the weights have %s, the model has no such tensor",
                           file->tensor[i].name);
        }
    }
    return FL_OK;
}

fl_status
fl_start_weights(const fl_shape *shape, fl_bytes bytes, fl_blob **blob, fl_why *why)
{
    const uint64_t elements = fl_shape_elements(shape);
    fl_tensor wanted[2 * FL_LAYERS_MAX];
    const uint32_t count = fl_shape_tensors(shape, wanted);
    fl_safetensors file;
    fl_blob *converted = NULL;
    if (fl_npz_is(bytes)) {
        FL_TRY(fl_npz_convert(bytes, &converted, why));
        bytes = fl_blob_bytes(converted);
    }
    *blob = NULL;
    fl_status status = fl_safetensors_parse(bytes, &file, why);
    if (status == FL_OK && fl_shape_save(shape, NULL, NULL, 0, blob) != FL_OK) {
        status = s_no_memory(elements, why);
    }
    FL_THEN(status, s_take(wanted, count, &file, fl_safetensors_values(*blob, elements), why));
    if (status != FL_OK) {
        fl_blob_unref(blob);
    }
    fl_blob_unref(&converted);
    return status;
}

fl_status
fl_start_vector(uint64_t elements, fl_blob **blob, fl_why *why)
{
    const uint64_t most = FL_VECTOR_BYTES_MAX / sizeof(float);
    if (elements < 1 || elements > most) {
        return fl_fail(FL_RANGE, why, "a model of %llu elements: there must be 1 to %llu",
                       (unsigned long long)elements, (unsigned long long)most);
    }
    float *values = calloc((size_t)elements, sizeof *values);
    if (values == NULL) {
        return s_no_memory(elements, why);
    }
    const fl_tensor tensor = { .name = "w", .rank = 1, .shape = { elements } };
    fl_status status = fl_safetensors_save(&tensor, 1, NULL, 0, values, blob);
    free(values);
    return status == FL_OK ? FL_OK : s_no_memory(elements, why);
}
