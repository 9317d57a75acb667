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
every_row_says_what_it_is_and_a_counter_ends_in_total(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FL_METRIC_COUNT; i++) {
        const fl_metric_info *info = fl_metric_about((fl_metric)i);
        assert_memory_equal(info->name, "fl_", 3);
        assert_true(strlen(info->unit) > 0 && strlen(info->help) > 0);
        assert_int_equal(s_ends_in_total(info->name), info->kind == FL_METRIC_COUNTER);
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(info->name, fl_metric_about((fl_metric)k)->name);
        }
    }
}

//  Every number is reached by a loop over the table, and no two rows share one.
static void
a_loop_over_the_rows_finds_what_was_counted_by_name(void **state)
{
    (void)state;
    fl_metrics metrics = { .contrib_late_total = 2, .net_cut_flood_total = 3 };
    metrics.net_dropped_total[4] = 5;
    metrics.net_bytes_out_total[FL_ROOM_lane - 1] = 7;
    fl_metrics_add(&metrics, FL_METRIC_contrib_late_total, 9);
    static const unsigned rooms[] = { [FL_LABEL_none] = 1,
                                      [FL_LABEL_lane] = FL_ROOM_lane,
                                      [FL_LABEL_drop] = FL_ROOM_drop,
                                      [FL_LABEL_code] = FL_ROOM_code,
                                      [FL_LABEL_reason] = FL_ROOM_reason };
    uint64_t sum = 0, numbers = 0;
    for (unsigned i = 0; i < FL_METRIC_COUNT; i++) {
        const fl_metric_info *info = fl_metric_about((fl_metric)i);
        unsigned room = info->kind == FL_METRIC_COUNTER ? rooms[info->label] : 0;
        for (unsigned k = 0; k < room; k++) {
            sum += fl_metrics_get(&metrics, (fl_metric)i, k);
        }
        numbers += room;
    }
    assert_int_equal(sum, 26);
    assert_int_equal(numbers, sizeof metrics / sizeof(uint64_t));
    assert_int_equal(fl_metrics_get(&metrics, FL_METRIC_contrib_late_total, 0), 11);
    assert_int_equal(fl_metrics_get(&metrics, FL_METRIC_net_dropped_total, 4), 5);
}

static void
s_add_to_none(void)
{
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_COUNT, 1);
}

static void
s_add_to_a_gauge(void)
{
    fl_metrics metrics = { 0 };
    fl_metrics_add(&metrics, FL_METRIC_model_loss, 1);
}

static void
what_is_no_counter_is_not_counted(void **state)
{
    (void)state;
    assert_true(unit_dies(s_add_to_none));
    assert_true(unit_dies(s_add_to_a_gauge));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_says_what_it_is_and_a_counter_ends_in_total),
        cmocka_unit_test(a_loop_over_the_rows_finds_what_was_counted_by_name),
        cmocka_unit_test(what_is_no_counter_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
