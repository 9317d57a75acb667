#include "common/config/start.h"

#include "tests/support/unit.h"

#include <string.h>

#include "common/config/clock.h"
#include "common/config/stop.h"

enum { CODE = 7, NONE = 9 };

static fl_why why;

//  What a child says on standard error, and its exit code: it starts, and goes on when `goes_on`
//  says so; NONE: it was not ended.
static int
s_child(uint32_t bound_s, bool asked, bool over, char said[512])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        fl_stop *stop = NULL;
        (void)dup2(ends[1], STDERR_FILENO);
        if (fl_stop_open(&stop, &why) != FL_OK || (asked && raise(SIGTERM) != 0)) {
            _exit(1);
        }
        fl_start_begin("prog", CODE);
        fl_start_step("opening the ledger", bound_s);
        if (over) {
            fl_start_over();
        }
        for (fl_time until = fl_clock_ms() + 2500; fl_clock_ms() < until;) {
        } // a step that asks nobody
        _exit(NONE);
    }
    (void)close(ends[1]);
    ssize_t size = read(ends[0], said, 511);
    said[size < 0 ? 0 : size] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
a_step_beyond_its_bound_is_named_and_ends_the_process(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(s_child(1, false, false, said), CODE);
    assert_non_null(strstr(said, "prog: opening the ledger did not end within 1 s"));
    assert_int_equal(said[strlen(said) - 1], '\n');
}

static void
a_signal_ends_a_step_that_does_not_look_at_it(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(s_child(60, true, false, said), CODE);
    assert_string_equal(said, "prog: stopped while opening the ledger\n");
}

static void
when_the_start_is_over_nothing_is_bounded(void **state)
{
    (void)state;
    char said[512];
    assert_int_equal(s_child(1, true, true, said), NONE);
    assert_string_equal(said, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_beyond_its_bound_is_named_and_ends_the_process),
        cmocka_unit_test(a_signal_ends_a_step_that_does_not_look_at_it),
        cmocka_unit_test(when_the_start_is_over_nothing_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
