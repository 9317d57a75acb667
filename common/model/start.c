#include "common/model/start.h"

#include <stdlib.h>

#include "common/base/limits.h"
#include "common/model/network.h"

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
