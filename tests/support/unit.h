//  unit - what every unit test includes: cmocka with the headers it wants first, and a way to see
//  that a broken invariant ends the process.
#ifndef FL_SUPPORT_UNIT_H
#define FL_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

//  A line of the list of tests: what is done before and after it.
#define unit_case(name, before, after) cmocka_unit_test_setup_teardown(name, before, after)

//  True when `act` aborts. It runs in a child, silent and without a core file.
static inline bool
unit_dies(void (*act)(void))
{
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        act();
        _exit(0);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
