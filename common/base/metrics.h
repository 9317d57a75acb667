//  metrics - the numbers that a process counts, as one table (metrics.def) and one plain struct.
//  One thread adds; whoever else wants to see takes a copy made by that thread: a snapshot is
//  `fl_metrics copy = *metrics`.
#ifndef FL_BASE_METRICS_H
#define FL_BASE_METRICS_H

#include <stdint.h>

typedef enum fl_metric {
#define FL_METRIC(name, unit, help) FL_METRIC_##name,
#include "common/base/metrics.def"
#undef FL_METRIC
    FL_METRIC_COUNT
} fl_metric;

typedef struct fl_metric_info {
    const char *name; // "fl_contrib_late_total"
    const char *unit; // "bytes"
    const char *help; // one phrase
} fl_metric_info;

typedef struct fl_metrics {
    uint64_t value[FL_METRIC_COUNT];
} fl_metrics;

//  A counter grows by `by`; wraps after 2^64.
void fl_metrics_add(fl_metrics *self, fl_metric metric, uint64_t by);
const fl_metric_info *fl_metric_about(fl_metric metric);

#endif
