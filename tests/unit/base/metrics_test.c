#include "common/base/metrics.h"

#include "tests/support/unit.h"

#include <string.h>

static bool
s_ends_in_total(const char *name)
{
    size_t length = strlen(name);
    return length > 6 && strcmp(name + length - 6, "_total") == 0;
}

static void
every_row_says_what_it_is(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FL_METRIC_COUNT; i++) {
        const fl_metric_info *info = fl_metric_about((fl_metric)i);
        assert_memory_equal(info->name, "fl_", 3);
        assert_true(strlen(info->unit) > 0 && strlen(info->help) > 0);
        assert_int_equal(s_ends_in_total(info->name), info->kind == FL_METRIC_KIND_COUNTER);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(info->name, fl_metric_about((fl_metric)k)->name);
        }
    }
}

static void
a_counter_grows_and_a_gauge_is_set(void **state)
{
    (void)state;
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 2);
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 3);
    fl_metrics_set(&metrics, FL_METRIC_children, 7);
    fl_metrics snapshot = metrics;
    fl_metrics_set(&metrics, FL_METRIC_children, 4);
    assert_int_equal(snapshot.value[FL_METRIC_contrib_late_total], 5);
    assert_int_equal(snapshot.value[FL_METRIC_children], 7);
    assert_int_equal(metrics.value[FL_METRIC_children], 4);
}

static void
s_set_a_counter(void)
{
    fl_metrics metrics = { 0 };
    fl_metrics_set(&metrics, FL_METRIC_contrib_late_total, 1);
}

static void
s_add_to_a_gauge(void)
{
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_children, 1);
}

static void
the_kinds_are_not_mixed(void **state)
{
    (void)state;
    assert_true(unit_dies(s_set_a_counter));
    assert_true(unit_dies(s_add_to_a_gauge));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_what_it_is),
        cmocka_unit_test(a_counter_grows_and_a_gauge_is_set),
        cmocka_unit_test(the_kinds_are_not_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
