//  metrics - the numbers that a process shows of itself, as one table (metrics.def) and plain
//  structs. Whoever writes all of them out (JSON today) is a loop over the table.
//  One thread counts; whoever else wants to see takes a copy made by that thread: a snapshot is
//  `fl_metrics copy = *metrics`. Counters are never reset and wrap after 2^64.
#ifndef FL_BASE_METRICS_H
#define FL_BASE_METRICS_H

#include <stdint.h>

//  What tells the numbers of one row apart. Their words stand in net/counters.h; here is room for
//  as many.
typedef enum fl_label {
    FL_LABEL_none,
    FL_LABEL_lane,
    FL_LABEL_drop,
    FL_LABEL_code,
    FL_LABEL_reason
} fl_label;
enum { FL_ROOM_lane = 8, FL_ROOM_drop = 16, FL_ROOM_code = 32, FL_ROOM_reason = 96 };

//  A member per counter: `metrics->contrib_late_total`, `metrics->net_dropped_total[drop]`.
typedef struct fl_metrics {
#define FL_COUNTER(name, unit, help) uint64_t name;
#define FL_COUNTERS(name, label, unit, help) uint64_t name[FL_ROOM_##label];
#include "common/base/metrics.def"
} fl_metrics;

//  A member per gauge; NaN: this tier does not know.
typedef struct fl_gauges {
#define FL_GAUGE(name, unit, help) double name;
#include "common/base/metrics.def"
} fl_gauges;

//  The rows, in the order of the table.
typedef enum fl_metric {
#define FL_COUNTER(name, unit, help) FL_METRIC_##name,
#define FL_COUNTERS(name, label, unit, help) FL_METRIC_##name,
#define FL_GAUGE(name, unit, help) FL_METRIC_##name,
#include "common/base/metrics.def"
    FL_METRIC_COUNT
} fl_metric;

typedef enum fl_metric_kind { FL_METRIC_COUNTER, FL_METRIC_GAUGE } fl_metric_kind;

typedef struct fl_metric_info {
    const char *name; // "fl_contrib_late_total"
    fl_metric_kind kind;
    fl_label label;
    const char *unit; // "bytes"
    const char *help; // one phrase
    unsigned at;      // its first number in fl_metrics or in fl_gauges
} fl_metric_info;
const fl_metric_info *fl_metric_about(fl_metric metric);

//  A counter of this row, the first or that of word `word`.
uint64_t fl_metrics_get(const fl_metrics *self, fl_metric metric, unsigned word);
//  A counter without a label grows by `by`.
void fl_metrics_add(fl_metrics *self, fl_metric metric, uint64_t by);

#endif
