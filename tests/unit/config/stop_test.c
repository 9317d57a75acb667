#include "common/config/stop.h"

#include "tests/support/unit.h"

#include <poll.h>

static fl_why why;

static bool
s_readable(const fl_stop *stop)
{
    struct pollfd wait = { .fd = fl_stop_fd(stop), .events = POLLIN };
    return poll(&wait, 1, 0) == 1;
}

static void
a_signal_is_something_to_read_once(void **state)
{
    (void)state;
    fl_stop *stop = NULL;
    assert_int_equal(fl_stop_open(&stop, &why), FL_OK);
    assert_false(s_readable(stop));
    assert_int_equal(fl_stop_take(stop), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_true(s_readable(stop));
    assert_int_equal(fl_stop_take(stop), SIGTERM);
    assert_int_equal(fl_stop_take(stop), 0);
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(fl_stop_take(stop), SIGINT);
    assert_false(s_readable(stop));
    fl_stop_close(&stop);
    assert_null(stop);
    fl_stop_close(&stop);
}

static void
a_broken_pipe_is_an_error_and_not_the_end(void **state)
{
    (void)state;
    fl_stop *stop = NULL;
    int ends[2];
    assert_int_equal(fl_stop_open(&stop, &why), FL_OK);
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    (void)close(ends[1]);
    fl_stop_close(&stop);
}

static int
s_child_ends_by(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)raise(SIGTERM);
        _exit(0);
    }
    int status = 0;
    assert_true(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
the_signals_are_blocked_until_it_is_closed(void **state)
{
    (void)state;
    fl_stop *stop = NULL;
    assert_int_equal(fl_stop_open(&stop, &why), FL_OK);
    assert_int_equal(s_child_ends_by(), 0); // the block is inherited
    fl_stop_close(&stop);
    assert_int_equal(s_child_ends_by(), SIGTERM); // closed: as before
}

static void
opening_without_a_free_descriptor_fails_with_advice(void **state)
{
    (void)state;
    fl_stop *stop = NULL;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = { .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fl_status status = fl_stop_open(&stop, &why);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, FL_IO);
    assert_null(stop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_something_to_read_once),
        cmocka_unit_test(a_broken_pipe_is_an_error_and_not_the_end),
        cmocka_unit_test(the_signals_are_blocked_until_it_is_closed),
        cmocka_unit_test(opening_without_a_free_descriptor_fails_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
