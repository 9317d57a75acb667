#include "common/base/metrics.h"

#include "common/base/status.h"

static const fl_metric_info table[FL_METRIC_COUNT] = {
#define FL_METRIC(name, kind, unit, help) { "fl_" #name, FL_METRIC_KIND_##kind, unit, help },
#include "common/base/metrics.def"
#undef FL_METRIC
};

void
fl_metrics_add(fl_metrics *self, fl_metric metric, uint64_t by)
{
    FL_ASSERT(fl_metric_about(metric)->kind == FL_METRIC_KIND_COUNTER);
    self->value[metric] += by;
}

void
fl_metrics_set(fl_metrics *self, fl_metric metric, uint64_t value)
{
    FL_ASSERT(fl_metric_about(metric)->kind == FL_METRIC_KIND_GAUGE);
    self->value[metric] = value;
}

const fl_metric_info *
fl_metric_about(fl_metric metric)
{
    FL_ASSERT((unsigned)metric < FL_METRIC_COUNT);
    return &table[metric];
}
