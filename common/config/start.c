#include "common/config/start.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 2, LINE_MAX_BYTES = 512 };

//  Written while the timer is off, read by its handler.
static struct {
    char program[32];
    char late[LINE_MAX_BYTES], stopped[LINE_MAX_BYTES];
    volatile sig_atomic_t left, patience; // ticks
    int code;
} start;

static void
s_set_timer(time_t seconds)
{
    const struct itimerval each = { .it_interval.tv_sec = seconds, .it_value.tv_sec = seconds };
    (void)setitimer(ITIMER_REAL, &each, NULL);
}

static void
s_end(const char *line)
{
    ssize_t put = write(STDERR_FILENO, line, strlen(line));
    (void)put; // nobody is left to be told
    _exit(start.code);
}

//  Ticks are counted, not time: a process that was frozen has not hung.
static void
s_tick(int signal)
{
    const int before = errno;
    sigset_t came;
    (void)signal;
    const bool asked = sigpending(&came) == 0 &&
                       (sigismember(&came, SIGTERM) == 1 || sigismember(&came, SIGINT) == 1);
    start.patience -= asked;
    start.left--;
    if (start.patience <= 0) {
        s_end(start.stopped);
    }
    if (start.left <= 0) {
        s_end(start.late);
    }
    errno = before;
}

void
fl_start_begin(const char *program, int code)
{
    const struct sigaction action = { .sa_handler = s_tick, .sa_flags = SA_RESTART };
    (void)snprintf(start.program, sizeof start.program, "%s", program);
    start.code = code;
    (void)sigaction(SIGALRM, &action, NULL);
}

void
fl_start_step(const char *name, uint32_t seconds)
{
    if (start.program[0] == '\0') {
        return;
    }
    s_set_timer(0);
    (void)snprintf(start.late, sizeof start.late,
                   "%s: %.256s did not end within %u s: look at what it needs (memory, disk, "
                   "network), then start this again\n",
                   start.program, name, (unsigned)seconds);
    (void)snprintf(start.stopped, sizeof start.stopped, "%s: stopped while %.256s\n", start.program,
                   name);
    start.left = (sig_atomic_t)seconds;
    start.patience = PATIENCE_S;
    s_set_timer(1);
}

void
fl_start_over(void)
{
    s_set_timer(0);
}
