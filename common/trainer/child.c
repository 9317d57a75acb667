#include "common/trainer/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/config/clock.h"

enum { TURN_MS = 50, DISK_MS = 500, DEPTH_MAX = 32, FILE_LEAST = 1 << 16 };

//  What comes out of one descriptor, a line at a time.
typedef struct lines {
    int fd;
    size_t used;
    char text[FL_CHILD_LINE_MAX];
} lines;

//  What comes from it, and what goes there.
enum { OUT, ERR, WORD, ANSWER, PIPES, LEASH = PIPES, ASKED, ENDS };
static const int places[ENDS] = { STDOUT_FILENO,   STDERR_FILENO,  FL_FENCE_WORD,
                                  FL_FENCE_ANSWER, FL_FENCE_LEASH, FL_FENCE_ASKED };

struct fl_child {
    fl_child_conf conf;
    fl_child_end end;
    lines pipe[PIPES];
    fl_image image;
    int leash, asked; // -1: let go
    pid_t fence;
    fl_time begun, disk_due, kill_due;
    bool told;     // the fence has said how it ended
    bool answered; // with this:
    char answer[FL_CHILD_LINE_MAX];
};

// ---- what it says -----------------------------------------------------------------------------
static void
s_word(fl_child *self, const char *line)
{
    int code, left;
    if (sscanf(line, "fences %u", &self->end.fences) == 1) {
        return;
    }
    if (sscanf(line, "end %d %d", &code, &left) == 2) {
        self->told = true;
        self->end.left = left != 0;
        if (self->end.how == FL_CHILD_EXIT) {
            const bool crashed = code > 128 && code != 255; // a shell's word for a signal
            self->end.how = crashed ? FL_CHILD_SIGNAL : FL_CHILD_EXIT;
            self->end.code = crashed ? code % 128 : code;
        }
    }
}

static void
s_line(fl_child *self, int which)
{
    lines *pipe = &self->pipe[which];
    pipe->text[pipe->used] = '\0';
    if (which == WORD) {
        s_word(self, pipe->text);
    } else if (which == ANSWER) {
        self->answered = self->answered || pipe->used > 0;
        memcpy(self->answer, pipe->text, sizeof self->answer);
    } else if (pipe->used > 0) {
        (void)snprintf(self->end.last, sizeof self->end.last, "%s", pipe->text);
        if (self->conf.say != NULL) {
            self->conf.say(self->conf.self, pipe->text);
        }
    }
    pipe->used = 0;
}

//  What is there now; longer lines are cut, what is no text becomes a question mark.
static void
s_read(fl_child *self, int which)
{
    lines *pipe = &self->pipe[which];
    char piece[4096];
    //  Of answers not more than one, which is asked for: the next one waits in the pipe.
    ssize_t size = read(pipe->fd, piece, which == ANSWER ? 1 : sizeof piece);
    for (ssize_t i = 0; i < size; i++) {
        const char one = piece[i];
        if (one == '\n' || one == '\r') {
            s_line(self, which);
        } else if (pipe->used < sizeof pipe->text - 1) {
            pipe->text[pipe->used++] = (one >= 0 && one < ' ') || one == 127 ? '?' : one;
        }
    }
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        s_line(self, which);
        (void)close(pipe->fd);
        pipe->fd = -1;
    }
}

// ---- its directory ----------------------------------------------------------------------------
//  The bytes below a directory, which is closed; or all of it is removed. False: not everything.
static bool
s_walk(int fd, int depth, bool removes, const char *const *keep, uint64_t *bytes)
{
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool all = list != NULL;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;
        struct stat seen;
        bool kept = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
        for (size_t i = 0; !kept && keep != NULL && keep[i] != NULL; i++) {
            kept = strcmp(name, keep[i]) == 0;
        }
        if (kept || fstatat(fd, name, &seen, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        const bool below = S_ISDIR(seen.st_mode);
        *bytes += (uint64_t)seen.st_blocks * 512;
        if (below && depth < DEPTH_MAX) {
            const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
            all = (!removes || fchmodat(fd, name, 0700, 0) == 0) && all;
            (void)s_walk(openat(fd, name, flags), depth + 1, removes, NULL, bytes);
        }
        all = (!removes || unlinkat(fd, name, below ? AT_REMOVEDIR : 0) == 0) && all;
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return all;
}

fl_status
fl_child_empty(const char *directory, const char *const *keep, fl_why *why)
{
    uint64_t bytes = 0;
    return s_walk(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, true, keep, &bytes)
               ? FL_OK
               : fl_fail(FL_IO, why, "%s cannot be emptied", directory);
}

// ---- its life ---------------------------------------------------------------------------------
static void
s_order(fl_child *self, char order)
{
    if (self->leash < 0) {
        return;
    }
    if (order == FL_LEASH_TERM) {
        (void)!send(self->leash, &order, 1, MSG_NOSIGNAL); // it may be gone already
        return;
    }
    (void)close(self->leash); // which says it as well
    self->leash = -1;
}

static void
s_ask_to_end(fl_child *self, fl_child_how how, fl_time now)
{
    self->end.how = how;
    self->kill_due = now + self->conf.cancel_ms;
    s_order(self, FL_LEASH_TERM);
}

static bool
s_full(const fl_child_conf *conf)
{
    uint64_t bytes = 0;
    int fd = open(conf->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)s_walk(fd, 0, false, NULL, &bytes);
    return bytes > conf->disk;
}

static void
s_bound(fl_child *self, fl_time now)
{
    const fl_child_conf *conf = &self->conf;
    const bool asked = self->kill_due > 0;
    if (asked && now >= self->kill_due && self->leash >= 0) {
        self->end.deaf = true;
        s_order(self, FL_LEASH_KILL);
    } else if (!asked && conf->cancel != NULL && atomic_load(conf->cancel)) {
        s_ask_to_end(self, FL_CHILD_CANCELLED, now);
    } else if (!asked && now - self->begun >= conf->time_max_ms) {
        s_ask_to_end(self, FL_CHILD_LATE, now);
    } else if (now >= self->disk_due) {
        if (s_full(conf)) {
            self->end.how = FL_CHILD_DISK;
            s_order(self, FL_LEASH_KILL);
        }
        self->disk_due = fl_clock_ms() + DISK_MS;
    }
}

//  Until it has ended, or answered.
static void
s_watch(fl_child *self)
{
    while (self->pipe[WORD].fd >= 0 && !self->answered) {
        struct pollfd from[PIPES];
        for (int i = 0; i < PIPES; i++) {
            from[i] = (struct pollfd){ .fd = self->pipe[i].fd, .events = POLLIN };
        }
        (void)poll(from, PIPES, TURN_MS);
        for (int i = 0; i < PIPES; i++) {
            if (from[i].revents != 0) {
                s_read(self, i);
            }
        }
        s_bound(self, fl_clock_ms());
    }
    for (int i = OUT; i <= ERR && !self->answered; i++) { // nobody writes any more
        for (int turns = 0; self->pipe[i].fd >= 0 && turns < 64; turns++) {
            s_read(self, i);
        }
        s_line(self, i);
    }
}

static int
s_spawn(fl_child *self, const int inside[ENDS])
{
    static const char self_again[] = "/proc/self/exe";
    const fl_child_conf *conf = &self->conf;
    char memory[24], disk[24];
    (void)snprintf(memory, sizeof memory, "%llu", (unsigned long long)conf->memory);
    (void)snprintf(disk, sizeof disk, "%llu", (unsigned long long)conf->disk + FILE_LEAST);
    const char *words[FL_FENCE_WORDS + 1] = { FL_FENCE_NAME,
                                              conf->directory,
                                              conf->from,
                                              conf->hidden,
                                              conf->network == FL_NETWORK_WORLD ? "world"
                                                                                : "loopback",
                                              memory,
                                              disk,
                                              conf->command,
                                              conf->stays > 0 ? "stays" : "once",
                                              NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int error = posix_spawn_file_actions_init(&files) | posix_spawnattr_init(&how);
    error |= posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error |= posix_spawnattr_setsigmask(&how, &none) | posix_spawnattr_setsigdefault(&how, &all);
    error |= posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < ENDS; i++) {
        error |= posix_spawn_file_actions_adddup2(&files, inside[i], places[i]);
    }
    if (conf->stays > 0) {
        error |= posix_spawn_file_actions_adddup2(&files, self->image.model, FL_FENCE_MODEL) |
                 posix_spawn_file_actions_adddup2(&files, self->image.update, FL_FENCE_UPDATE);
    }
    error |= posix_spawn_file_actions_addclosefrom_np(&files, FL_FENCE_END);
    if (error == 0) {
        error = posix_spawn(&self->fence, self_again, &files, &how, (char *const *)words,
                            conf->environment);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&how);
    return error;
}

//  One end of each stays here, above those that the fence has its own at.
static bool
s_pipes(fl_child *self, int inside[ENDS])
{
    for (int i = 0; i < ENDS; i++) {
        int ends[2], high[2];
        if (i >= PIPES ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0
                       : pipe2(ends, O_CLOEXEC) != 0) {
            return false;
        }
        for (int k = 0; k < 2; k++) {
            high[k] = fcntl(ends[k], F_DUPFD_CLOEXEC, FL_FENCE_END);
            (void)close(ends[k]);
        }
        inside[i] = high[1];
        *(i == LEASH ? &self->leash : i == ASKED ? &self->asked : &self->pipe[i].fd) = high[0];
        if (high[0] < 0 || high[1] < 0 || fcntl(high[0], F_SETFL, O_NONBLOCK) != 0) {
            return false;
        }
    }
    return true;
}

fl_status
fl_child_start(const fl_child_conf *conf, fl_child **child, fl_why *why)
{
    int inside[ENDS] = { -1, -1, -1, -1, -1, -1 };
    fl_child *self = calloc(1, sizeof *self);
    *child = NULL;
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "no memory for a trainer");
    }
    *self = (fl_child){ .conf = *conf,
                        .begun = fl_clock_ms(),
                        .image = { .model = -1, .update = -1 },
                        .leash = -1,
                        .asked = -1,
                        .pipe = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 } } };
    fl_status status =
        conf->stays > 0 ? fl_image_open(conf->stays, FL_FENCE_END, &self->image, why) : FL_OK;
    if (status != FL_OK) {
        fl_child_close(&self);
        return status;
    }
    const int error = s_pipes(self, inside) ? s_spawn(self, inside) : errno;
    for (int i = 0; i < ENDS; i++) {
        (void)(inside[i] >= 0 && close(inside[i]));
    }
    if (error != 0) {
        fl_child_close(&self);
        return fl_fail(FL_IO, why, "a trainer cannot be started: %s", strerror(error));
    }
    *child = self;
    return FL_OK;
}

fl_image *
fl_child_image(fl_child *self)
{
    return &self->image;
}

const char *
fl_child_ask(fl_child *self, const char *line, fl_child_end *end)
{
    self->begun = fl_clock_ms();
    self->answered = false;
    if (line != NULL) {
        (void)!send(self->asked, line, strlen(line), MSG_NOSIGNAL);
    }
    s_watch(self);
    self->end.ms = (uint32_t)(fl_clock_ms() - self->begun);
    if (!self->answered && self->end.how <= FL_CHILD_SIGNAL && self->end.code != 0 &&
        s_full(&self->conf)) {
        self->end.how = FL_CHILD_DISK; // that is what it could not go on for
    }
    *end = self->end;
    return self->answered ? self->answer : NULL;
}

void
fl_child_close(fl_child **self_p)
{
    fl_child *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    s_order(self, FL_LEASH_KILL);
    while (self->fence > 0 && waitpid(self->fence, &(int){ 0 }, 0) < 0 && errno == EINTR) {
    }
    for (int i = 0; i < PIPES; i++) {
        (void)(self->pipe[i].fd >= 0 && close(self->pipe[i].fd));
    }
    (void)(self->asked >= 0 && close(self->asked));
    fl_image_close(&self->image);
    free(self);
}

fl_status
fl_child_run(const fl_child_conf *conf, fl_child_end *end, fl_why *why)
{
    fl_child *self;
    FL_TRY(fl_child_start(conf, &self, why));
    (void)fl_child_ask(self, NULL, end);
    bool lost = !self->told && end->how == FL_CHILD_EXIT;
    fl_child_close(&self);
    return lost ? fl_fail(FL_IO, why, "the fence of a trainer has failed: %s", end->last) : FL_OK;
}
