#include "common/config/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/config/clock.h"

struct fl_stop {
    int fd;
};

static sigset_t
s_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    return set;
}

fl_status
fl_stop_open(fl_stop **stop, fl_why *why)
{
    sigset_t set = s_signals();
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    *stop = NULL;
    fl_stop *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (self->fd < 0) {
        fl_why_set(why, "no descriptor for signals: %s; raise the limit (ulimit -n)",
                   strerror(errno));
        free(self);
        return FL_IO;
    }
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    *stop = self;
    return FL_OK;
}

void
fl_stop_close(fl_stop **self_p)
{
    if (*self_p != NULL) {
        sigset_t set = s_signals();
        (void)close((*self_p)->fd);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    free(*self_p);
    *self_p = NULL;
}

int
fl_stop_fd(const fl_stop *self)
{
    return self->fd;
}

bool
fl_stop_pause(const fl_stop *self, uint32_t ms)
{
    struct pollfd signals = { .fd = self == NULL ? -1 : self->fd, .events = POLLIN };
    fl_time until = fl_clock_ms() + ms;
    for (fl_time left = ms; left > 0; left = until - fl_clock_ms()) {
        int ready = poll(&signals, 1, (int)left);
        if (ready > 0 || (ready < 0 && errno != EINTR)) {
            return false;
        }
    }
    return true;
}

int
fl_stop_take(fl_stop *self)
{
    struct signalfd_siginfo info;
    ssize_t size = read(self->fd, &info, sizeof info);
    return size == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
