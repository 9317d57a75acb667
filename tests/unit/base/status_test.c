#include "common/base/status.h"

#include "tests/support/unit.h"

#include <string.h>

static void
every_status_has_its_own_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FL_STATUS_COUNT; i++) {
        assert_non_null(fl_status_name((fl_status)i));
        for (unsigned k = 0; k < i; k++) {
            assert_string_not_equal(fl_status_name((fl_status)i), fl_status_name((fl_status)k));
        }
    }
    assert_string_equal(fl_status_name(FL_NOMEM), "no-memory");
}

static void
a_why_is_cut_to_its_size_and_terminated(void **state)
{
    (void)state;
    fl_why why;
    char longer[sizeof why.text + 50];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    fl_why_set(&why, "%s", longer);
    assert_int_equal(strlen(why.text), sizeof why.text - 1);
    fl_why_set(&why, "port %d is taken", 5555);
    assert_string_equal(why.text, "port 5555 is taken");
}

static void
a_null_why_is_ignored(void **state)
{
    (void)state;
    fl_why_set(NULL, "unheard %s", "words");
}

static void
s_name_out_of_range(void)
{
    (void)fl_status_name(FL_STATUS_COUNT);
}

static void
s_panic(void)
{
    fl_panic("here.c", 7, "1 == 2");
}

static void
a_broken_invariant_ends_the_process(void **state)
{
    (void)state;
    assert_true(unit_dies(s_name_out_of_range));
    assert_true(unit_dies(s_panic));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_name),
        cmocka_unit_test(a_why_is_cut_to_its_size_and_terminated),
        cmocka_unit_test(a_null_why_is_ignored),
        cmocka_unit_test(a_broken_invariant_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
