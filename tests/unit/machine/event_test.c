#include "common/machine/event.h"

#include "tests/support/unit.h"

#include <string.h>

static void
every_note_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < FL_NOTE_COUNT_OF; i++) {
        const char *name = fl_note_name((fl_note_id)i);
        assert_non_null(name);
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, fl_note_name((fl_note_id)j));
        }
    }
    assert_string_equal(fl_note_name(FL_NOTE_ROUND_CLOSE), "round-close");
}

static void
every_close_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(fl_close_name(FL_CLOSE_DONE), "done");
    assert_string_equal(fl_close_name(FL_CLOSE_SKIPPED), "skipped");
    assert_string_equal(fl_close_name(FL_CLOSE_ABORTED), "aborted");
}

static void
s_name_no_note(void)
{
    (void)fl_note_name(FL_NOTE_COUNT_OF);
}

static void
s_name_no_close(void)
{
    (void)fl_close_name(FL_CLOSE_COUNT);
}

static void
a_name_for_nothing_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_name_no_note));
    assert_true(unit_dies(s_name_no_close));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_note_has_a_name_of_its_own),
        cmocka_unit_test(every_close_has_a_name),
        cmocka_unit_test(a_name_for_nothing_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
