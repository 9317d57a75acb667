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
        assert_true(s_ends_in_total(info->name));
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(info->name, fl_metric_about((fl_metric)k)->name);
        }
    }
}

static void
a_counter_grows_and_a_copy_is_a_snapshot(void **state)
{
    (void)state;
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 2);
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 3);
    const fl_metrics snapshot = metrics;
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 1);
    assert_int_equal(snapshot.value[FL_METRIC_contrib_late_total], 5);
    assert_int_equal(metrics.value[FL_METRIC_contrib_late_total], 6);
    assert_int_equal(metrics.value[FL_METRIC_contrib_counted_total], 0);
}

static void
s_add_to_none(void)
{
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_COUNT, 1);
}

static void
what_is_no_row_is_not_counted(void **state)
{
    (void)state;
    assert_true(unit_dies(s_add_to_none));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_what_it_is),
        cmocka_unit_test(a_counter_grows_and_a_copy_is_a_snapshot),
        cmocka_unit_test(what_is_no_row_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
