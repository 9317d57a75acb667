#include "cloud/fl/text_table.h"

#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

static const fl_text_table_column columns[] = {
    { "NAME", false, 0 },
    { "NOTE", false, 2 },
    { "COUNT", true, 0 },
    { "SPARE", true, 1 },
};

static fl_text_table *
two_rows(void)
{
    fl_text_table *grid = fl_text_table_new(columns, 4);
    assert_non_null(grid);
    fl_text_table_row(grid);
    fl_text_table_cell(grid, "edge-a");
    fl_text_table_cell(grid, "in time");
    fl_text_table_cell(grid, "%d", 7);
    fl_text_table_cell(grid, "-");
    fl_text_table_row(grid);
    fl_text_table_cell(grid, "b");
    fl_text_table_cell(grid, "%s", "late");
    fl_text_table_cell(grid, "%d", 123456);
    return grid;
}

static void
assert_prints(fl_text_table *grid, uint32_t width, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fl_text_table_print(grid, width, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, wanted);
    free(text);
}

static void
columns_are_as_wide_as_they_must_be_and_numbers_stand_right(void **state)
{
    (void)state;
    fl_text_table *grid = two_rows();
    assert_prints(grid, 80,
                  "NAME    NOTE      COUNT  SPARE\n"
                  "edge-a  in time       7      -\n"
                  "b       late     123456\n");
    fl_text_table_destroy(&grid);
    assert_null(grid);
    fl_text_table_destroy(&grid);
}

static void
a_narrow_terminal_loses_columns_by_rank_and_then_the_ends_of_lines(void **state)
{
    (void)state;
    fl_text_table *grid = two_rows();
    assert_prints(grid, 29,
                  "NAME     COUNT  SPARE\n"
                  "edge-a       7      -\n"
                  "b       123456\n");
    assert_prints(grid, 20,
                  "NAME     COUNT\n"
                  "edge-a       7\n"
                  "b       123456\n");
    assert_prints(grid, 10,
                  "NAME     >\n"
                  "edge-a   >\n"
                  "b       1>\n");
    fl_text_table_destroy(&grid);
}

static void
a_thousand_rows_and_long_cells_fit_into_a_table(void **state)
{
    (void)state;
    static const fl_text_table_column one[] = { { "N", false, 0 } };
    fl_text_table *grid = fl_text_table_new(one, 1);
    char *text = NULL, name[200];
    size_t size = 0;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 1000; i++) {
        fl_text_table_row(grid);
        fl_text_table_cell(grid, "%s", name);
    }
    FILE *out = open_memstream(&text, &size);
    fl_text_table_print(grid, 100, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(size, 2 + 1000 * FL_TABLE_CELL_BYTES);
    free(text);
    fl_text_table_destroy(&grid);
}

static void
a_line_ends_at_its_newline_or_at_the_width(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fl_text_table_line("five!", 5, out);
    fl_text_table_line("sixsix", 5, out);
    fl_text_table_line("two\nlines", 80, out);
    fl_text_table_line("x", 0, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "five!\nsixs>\ntwo\n>\n");
    free(text);
}

static fl_text_table *overfull;

static void
fill_beyond_the_last_column(void)
{
    fl_text_table_cell(overfull, "one too many");
}

static void
a_cell_beyond_the_last_column_is_our_own_mistake(void **state)
{
    (void)state;
    static const fl_text_table_column one[] = { { "N", false, 0 } };
    overfull = fl_text_table_new(one, 1);
    fl_text_table_row(overfull);
    fl_text_table_cell(overfull, "x");
    assert_true(unit_dies(fill_beyond_the_last_column));
    fl_text_table_destroy(&overfull);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_they_must_be_and_numbers_stand_right),
        cmocka_unit_test(a_narrow_terminal_loses_columns_by_rank_and_then_the_ends_of_lines),
        cmocka_unit_test(a_thousand_rows_and_long_cells_fit_into_a_table),
        cmocka_unit_test(a_line_ends_at_its_newline_or_at_the_width),
        cmocka_unit_test(a_cell_beyond_the_last_column_is_our_own_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
