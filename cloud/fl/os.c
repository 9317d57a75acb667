#include "cloud/fl/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/config/clock.h"
#include "common/config/stop.h"
#include "common/net/context.h"

#define IPC "ipc://"

enum { COLUMNS_LEAST = 20, ROWS_LEAST = 4 };

struct fl_os {
    fl_request *inquiry; // the last one: its answer is still looked at
    fl_stop *stop;       // NULL: Ctrl-C ends the process as usual
    bool open;           // the network
};

//  The network is opened by the first question, so that verbs without one start no threads.
static fl_status
s_open(fl_os *self, fl_why *why)
{
    fl_status status = self->open ? FL_OK : fl_net_open(1, why);
    self->open = self->open || status == FL_OK;
    return status;
}

//  A socket file that a dead process left would be waited for until the time is up.
static fl_status
s_knock(const char *endpoint, fl_why *why)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = endpoint + strlen(IPC);
    if (strncmp(endpoint, IPC, strlen(IPC)) != 0 || strlen(path) >= sizeof address.sun_path) {
        return FL_OK;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
                errno == ECONNREFUSED;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (dead) {
        fl_why_set(why, "the process behind %s has ended: start it again", path);
    }
    return dead ? FL_MISSING : FL_OK;
}

static fl_status
s_ask(void *arg, const fl_request_conf *to, const fl_message *question, fl_verb answer,
      uint32_t timeout_ms, fl_message *reply, fl_bytes *body, fl_why *why)
{
    fl_os *self = arg;
    fl_status status = s_open(self, why);
    fl_request_destroy(&self->inquiry);
    FL_THEN(status, s_knock(to->endpoint, why));
    if (status != FL_OK) {
        return status;
    }
    self->inquiry = fl_request_new(to, why);
    return self->inquiry == NULL
               ? FL_IO
               : fl_request_ask(self->inquiry, question, answer, timeout_ms, reply, body, why);
}

static fl_status
s_watch(void *arg, fl_why *why)
{
    fl_os *self = arg;
    FL_ASSERT(!self->open);
    return self->stop == NULL ? fl_stop_open(&self->stop, why) : FL_OK;
}

static bool
s_pause(void *arg, uint32_t ms)
{
    const fl_os *self = arg;
    return fl_stop_pause(self->stop, ms);
}

static bool
s_screen(void *arg, uint32_t *columns, uint32_t *rows)
{
    struct winsize size;
    (void)arg;
    if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
        size.ws_col < COLUMNS_LEAST || size.ws_row < ROWS_LEAST) {
        return false;
    }
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

fl_os *
fl_os_new(fl_why *why)
{
    fl_os *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fl_why_set(why, "out of memory");
        return NULL;
    }
    if (fl_crypto_init(why) != FL_OK) {
        fl_os_destroy(&self);
    }
    return self;
}

void
fl_os_destroy(fl_os **self_p)
{
    fl_os *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_request_destroy(&self->inquiry);
        if (self->open) {
            fl_net_close();
        }
        if (self->stop != NULL) {
            (void)fl_stop_take(self->stop);
            fl_stop_close(&self->stop);
        }
        free(self);
    }
}

fl_context
fl_os_context(fl_os *self)
{
    return (fl_context){ .in = stdin,
                         .out = stdout,
                         .err = stderr,
                         .state = getenv("FL_STATE"),
                         .entropy = fl_entropy_os(),
                         .wall_s = fl_clock_wall_s,
                         .now_ms = fl_clock_ms,
                         .self = self,
                         .ask = s_ask,
                         .watch = s_watch,
                         .pause = s_pause,
                         .screen = s_screen };
}
