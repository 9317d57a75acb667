#include "common/runtime/data_check.h"

#include <stdlib.h>

#include "common/data/idx.h"
#include "common/model/learn.h"

static fl_status
s_check(const char *inputs, uint32_t samples, const fl_samples *of_labels, const fl_shape *shape,
        fl_why *why)
{
    fl_why differs;
    if (of_labels->count != samples) {
        return fl_fail(FL_MISMATCH, why,
                       "%s: holds %u samples, the labels beside it %u: the two files do not "
                       "belong together",
                       inputs, samples, of_labels->count);
    }
    fl_status status = shape->layers == 0 ? FL_OK : fl_samples_check(of_labels, shape, &differs);
    if (status != FL_OK) {
        fl_why_set(why, "%s: %s", inputs, differs.text);
    }
    return status;
}

fl_status
fl_data_check(const char *inputs, const char *labels, const fl_shape *shape, fl_why *why)
{
    uint32_t samples = 0;
    uint8_t *read = NULL;
    fl_samples of_labels = { 0 };
    fl_status status = fl_idx_head(inputs, &samples, &of_labels.features, why);
    FL_THEN(status, fl_idx_labels(labels, &read, &of_labels.count, why));
    if (status == FL_OK) {
        of_labels.labels = read;
        status = s_check(inputs, samples, &of_labels, shape, why);
    }
    free(read);
    return status == FL_MISSING ? FL_OK : status;
}
