#include "common/base/metrics.h"

#include <stddef.h>

#include "common/base/status.h"

enum { NUMBERS = sizeof(fl_metrics) / sizeof(uint64_t) };

#define AT(type, name) (unsigned)(offsetof(type, name) / sizeof(uint64_t))

static const fl_metric_info table[FL_METRIC_COUNT] = {
#define FL_COUNTER(name, unit, help)                                                               \
    { "fl_" #name, FL_METRIC_COUNTER, FL_LABEL_none, unit, help, AT(fl_metrics, name) },
#define FL_COUNTERS(name, label, unit, help)                                                       \
    { "fl_" #name, FL_METRIC_COUNTER, FL_LABEL_##label, unit, help, AT(fl_metrics, name) },
#define FL_GAUGE(name, unit, help)                                                                 \
    { "fl_" #name, FL_METRIC_GAUGE, FL_LABEL_none, unit, help, AT(fl_gauges, name) },
#include "common/base/metrics.def"
};

const fl_metric_info *
fl_metric_about(fl_metric metric)
{
    FL_ASSERT((unsigned)metric < FL_METRIC_COUNT);
    return &table[metric];
}

uint64_t
fl_metrics_get(const fl_metrics *self, fl_metric metric, unsigned word)
{
    const fl_metric_info *about = fl_metric_about(metric);
    FL_ASSERT(about->kind == FL_METRIC_COUNTER && about->at + word < NUMBERS);
    return ((const uint64_t *)self)[about->at + word];
}

void
fl_metrics_add(fl_metrics *self, fl_metric metric, uint64_t by)
{
    const fl_metric_info *about = fl_metric_about(metric);
    FL_ASSERT(about->kind == FL_METRIC_COUNTER && about->label == FL_LABEL_none);
    ((uint64_t *)self)[about->at] += by;
}
