#include "common/base/metrics.h"

#include "common/base/status.h"

static const fl_metric_info table[FL_METRIC_COUNT] = {
#define FL_METRIC(name, unit, help) { "fl_" #name, unit, help },
#include "common/base/metrics.def"
#undef FL_METRIC
};

void
fl_metrics_add(fl_metrics *self, fl_metric metric, uint64_t by)
{
    FL_ASSERT((unsigned)metric < FL_METRIC_COUNT);
    self->value[metric] += by;
}

const fl_metric_info *
fl_metric_about(fl_metric metric)
{
    FL_ASSERT((unsigned)metric < FL_METRIC_COUNT);
    return &table[metric];
}
