#include "common/config/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOST_MAX = 64, HOLDER_MAX = 160 };

struct fl_lock {
    int fd;
};

//  mkdir -p: every missing part, 0700.
static fl_status
s_make_directory(const char *directory, fl_why *why)
{
    char path[PATH_MAX];
    if (directory[0] == '\0' || snprintf(path, sizeof path, "%s", directory) >= PATH_MAX) {
        return fl_fail(FL_RANGE, why, "state directory '%.80s': not a usable path", directory);
    }
    for (char *slash = path + 1; *slash != '\0'; slash++) {
        if (*slash == '/') {
            *slash = '\0';
            (void)mkdir(path, 0700); // what matters is whether the last one stands
            *slash = '/';
        }
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        fl_why_set(why, "state directory %s cannot be made: %s", directory, strerror(errno));
        return errno == EACCES || errno == EROFS ? FL_DENIED : FL_IO;
    }
    return FL_OK;
}

static bool
s_our_group(gid_t group)
{
    enum { GROUPS_MAX = 256 };
    gid_t groups[GROUPS_MAX];
    const int count = getgroups(GROUPS_MAX, groups);
    bool ours = group == getegid();
    for (int i = 0; i < count; i++) {
        ours = ours || groups[i] == group;
    }
    return ours;
}

fl_status
fl_lock_private(const char *directory, const char *path, fl_why *why)
{
    struct stat home, about;
    if (stat(directory, &home) != 0 || !S_ISDIR(home.st_mode) || lstat(path, &about) != 0) {
        return fl_fail(FL_IO, why, "state directory %s is not a directory", directory);
    }
    const bool group = (home.st_mode & S_ISGID) != 0 && (home.st_mode & 07) == 0 &&
                       s_our_group(home.st_gid) && about.st_gid == home.st_gid;
    if (!group && about.st_uid != geteuid()) {
        return fl_fail(FL_DENIED, why,
                       "%s belongs to user %u, not to this one (%u): run as its owner, change the "
                       "owner, or give it to a group of this user (chmod 2770)",
                       path, about.st_uid, geteuid());
    }
    if ((about.st_mode & (group ? 07 : 077)) != 0) {
        return fl_fail(FL_DENIED, why,
                       "%s is open to others (mode %03o) and holds secrets; run: chmod %s %s%s",
                       path, about.st_mode & 0777, S_ISDIR(about.st_mode) ? "700" : "600", path,
                       S_ISDIR(about.st_mode) ? ", or name a directory in it that is not there yet"
                                              : "");
    }
    return FL_OK;
}

//  The name of this machine, or of this container: who shares a directory may have the same pid.
static void
s_host(char host[HOST_MAX + 1])
{
    if (gethostname(host, HOST_MAX) != 0) {
        (void)snprintf(host, HOST_MAX, "localhost");
    }
    host[HOST_MAX] = '\0';
}

//  The line in the lock file.
static void
s_read_holder(int fd, char holder[HOLDER_MAX])
{
    ssize_t size = pread(fd, holder, HOLDER_MAX - 1, 0);
    holder[size < 0 ? 0 : size] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
}

static fl_status
s_hold(int fd, const char *directory, const char *program, fl_why *why)
{
    char holder[HOLDER_MAX], host[HOST_MAX + 1];
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            s_read_holder(fd, holder);
            return fl_fail(
                FL_BUSY, why,
                "state directory %s is in use by %s; stop it or choose another directory",
                directory, holder[0] == '\0' ? "another process" : holder);
        }
        return fl_fail(FL_IO, why, "state directory %s cannot be locked: %s", directory,
                       strerror(errno));
    }
    s_host(host);
    int size =
        snprintf(holder, sizeof holder, "%.32s (pid %ld on %s)\n", program, (long)getpid(), host);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)size, 0) != size) {
        fl_why_set(why, "%s/lock cannot be written: %s", directory, strerror(errno));
        return errno == ENOSPC ? FL_FULL : FL_IO;
    }
    return FL_OK;
}

fl_status
fl_lock_take(const char *directory, const char *program, fl_lock **lock, fl_why *why)
{
    char path[PATH_MAX];
    *lock = NULL;
    FL_TRY(s_make_directory(directory, why));
    FL_TRY(fl_lock_private(directory, directory, why));
    fl_status status = FL_OK;
    fl_lock *self = calloc(1, sizeof *self);
    if (self == NULL || snprintf(path, sizeof path, "%s/lock", directory) >= PATH_MAX) {
        fl_why_set(why, "state directory %s: out of memory, or its path is too long", directory);
        free(self);
        return FL_NOMEM;
    }
    self->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (self->fd < 0) {
        fl_why_set(why, "%s cannot be opened: %s", path, strerror(errno));
        status = errno == EACCES || errno == EROFS ? FL_DENIED : FL_IO;
    } else {
        status = s_hold(self->fd, directory, program, why);
    }
    if (status != FL_OK) {
        fl_lock_release(&self);
    }
    *lock = self;
    return status;
}

void
fl_lock_release(fl_lock **self_p)
{
    if (*self_p != NULL && (*self_p)->fd >= 0) {
        (void)close((*self_p)->fd);
    }
    free(*self_p);
    *self_p = NULL;
}

bool
fl_lock_ours(const char *directory, const char *program)
{
    char path[PATH_MAX], holder[HOLDER_MAX] = "", host[HOST_MAX + 1], end[HOST_MAX + 8];
    if (snprintf(path, sizeof path, "%s/lock", directory) >= PATH_MAX) {
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    s_read_holder(fd, holder);
    s_host(host);
    int length = snprintf(end, sizeof end, " on %s)", host);
    size_t size = strlen(holder), name = strlen(program);
    bool ours = size > (size_t)length && strncmp(holder, program, name) == 0 &&
                holder[name] == ' ' && strcmp(holder + size - (size_t)length, end) == 0;
    //  Asked last, as it holds a free lock for a moment: whoever wants that must not meet it.
    bool held = ours && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return held;
}
