#include "common/store/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 30 }; // one write call takes at most about 2 GiB

fl_status
fl_file_why(int error, const char *path, const char *doing, fl_why *why)
{
    char said[128] = "";
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return fl_fail(FL_FULL, why,
                       "%s cannot be %s: no space left on its disk; free some or move it", path,
                       doing);
    case EROFS:
        return fl_fail(FL_DENIED, why, "%s cannot be %s: its disk is mounted read-only", path,
                       doing);
    case EACCES:
    case EPERM:
        return fl_fail(FL_DENIED, why,
                       "%s cannot be %s: permission denied; check the owner and mode of it and "
                       "its directory",
                       path, doing);
    case ENOENT:
        return fl_fail(FL_MISSING, why, "%s cannot be %s: there is no such file or directory", path,
                       doing);
    case ENOMEM:
        return fl_fail(FL_NOMEM, why, "%s cannot be %s: out of memory", path, doing);
    default:
        if (strerror_r(error, said, sizeof said) != 0) {
            (void)snprintf(said, sizeof said, "error %d", error);
        }
        return fl_fail(FL_IO, why, "%s cannot be %s: %s", path, doing, said);
    }
}

//  Fill `to` from the file. errno is set on failure; EIO when the file got shorter meanwhile.
static bool
s_read_all(int fd, uint8_t *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, to + done, size - done < PIECE ? size - done : PIECE);
        if (got == 0) {
            errno = EIO;
            return false;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        done += got < 0 ? 0 : (size_t)got;
    }
    return true;
}

static bool
s_write_all(int fd, fl_bytes bytes)
{
    for (size_t done = 0; done < bytes.size;) {
        size_t left = bytes.size - done;
        ssize_t put = write(fd, bytes.data + done, left < PIECE ? left : PIECE);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put < 0 ? 0 : (size_t)put;
    }
    return true;
}

static fl_status
s_read_open(int fd, const char *path, uint64_t size_max, fl_blob **blob, fl_why *why)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        return fl_file_why(errno, path, "read", why);
    }
    if (!S_ISREG(about.st_mode)) {
        return fl_fail(FL_IO, why, "%s cannot be read: it is not a file", path);
    }
    if ((uint64_t)about.st_size > size_max) {
        return fl_fail(FL_RANGE, why, "%s is refused: %llu bytes, at most %llu are allowed", path,
                       (unsigned long long)about.st_size, (unsigned long long)size_max);
    }
    fl_blob *read_in = fl_blob_new((size_t)about.st_size);
    if (read_in == NULL) {
        return fl_file_why(ENOMEM, path, "read", why);
    }
    if (!s_read_all(fd, fl_blob_data(read_in), (size_t)about.st_size)) {
        fl_status status = fl_file_why(errno, path, "read", why);
        fl_blob_unref(&read_in);
        return status;
    }
    *blob = read_in;
    return FL_OK;
}

fl_status
fl_file_read(const char *path, uint64_t size_max, fl_blob **blob, fl_why *why)
{
    *blob = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not stop us here
    if (fd < 0) {
        return fl_file_why(errno, path, "opened", why);
    }
    fl_status status = s_read_open(fd, path, size_max, blob, why);
    (void)close(fd);
    return status;
}

//  Make the renaming itself durable: fsync of the directory that holds `path`.
static bool
s_sync_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    (void)snprintf(parent, sizeof parent, "%.*s", length, slash == NULL ? "." : path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = error;
    return synced;
}

//  `like`: whose file it shall be, when we may say so; NULL: ours.
static fl_status
s_replace(const char *path, fl_bytes bytes, unsigned mode, const struct stat *like, fl_why *why)
{
    char temp[PATH_MAX];
    if (snprintf(temp, sizeof temp, "%s" FL_FILE_TEMP_MARK "XXXXXX", path) >= PATH_MAX) {
        return fl_file_why(ENAMETOOLONG, path, "written", why);
    }
    int fd = mkstemp(temp);
    if (fd < 0) {
        return fl_file_why(errno, path, "written", why);
    }
    int error = 0;
    bool kept = like == NULL || fchown(fd, like->st_uid, like->st_gid) == 0;
    (void)kept; // only the superuser can give a file away
    if (!s_write_all(fd, bytes) || fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0) {
        error = errno;
    }
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(temp, path) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)unlink(temp);
        return fl_file_why(error, path, "written", why);
    }
    return s_sync_parent(path) ? FL_OK : fl_file_why(errno, path, "made durable", why);
}

fl_status
fl_file_write(const char *path, fl_bytes bytes, unsigned mode, fl_why *why)
{
    return s_replace(path, bytes, mode, NULL, why);
}

fl_status
fl_file_adopt(const char *finished, const char *path, fl_why *why)
{
    int fd = open(finished, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) {
        (void)close(fd); // nothing was written through it
    }
    if (error == 0 && rename(finished, path) != 0) {
        error = errno;
    }
    if (error != 0) {
        return fl_file_why(error, path, "written", why);
    }
    return s_sync_parent(path) ? FL_OK : fl_file_why(errno, path, "made durable", why);
}

// ---- what the user named ----------------------------------------------------------------------
//  A pipe, a device: its reader gets the bytes.
static fl_status
s_write_into(const char *path, fl_bytes bytes, fl_why *why)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int error = fd < 0 || !s_write_all(fd, bytes) ? errno : 0;
    if (fd >= 0 && close(fd) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 ? FL_OK : fl_file_why(error, path, "written", why);
}

static fl_status
s_deliver_new(const char *path, fl_bytes bytes, unsigned mode, int error, fl_why *why)
{
    struct stat about;
    if (error != ENOENT) {
        return fl_file_why(error, path, "written", why);
    }
    if (lstat(path, &about) == 0) {
        return fl_fail(FL_EXISTS, why,
                       "%s is a symbolic link to nothing and was not changed: remove it, or give "
                       "another path",
                       path);
    }
    return fl_file_write(path, bytes, mode, why);
}

fl_status
fl_file_deliver(const char *path, fl_bytes bytes, unsigned mode, bool force, fl_why *why)
{
    char real[PATH_MAX];
    struct stat about;
    if (stat(path, &about) != 0) {
        return s_deliver_new(path, bytes, mode, errno, why);
    }
    if (!S_ISREG(about.st_mode) && (!force || S_ISDIR(about.st_mode))) {
        return fl_fail(FL_EXISTS, why,
                       "%s is no regular file and was not changed: give another path, or - for "
                       "standard output%s",
                       path, S_ISDIR(about.st_mode) ? "" : "; --force writes into it");
    }
    if (!S_ISREG(about.st_mode)) {
        return s_write_into(path, bytes, why);
    }
    if (!force && ((about.st_mode & 0222) == 0 || access(path, W_OK) != 0)) {
        return fl_fail(FL_EXISTS, why,
                       "%s is read-only and was not changed: give another path, or replace it with "
                       "--force",
                       path);
    }
    if (realpath(path, real) == NULL) {
        return fl_file_why(errno, path, "written", why);
    }
    return s_replace(real, bytes, about.st_mode & 07777, &about, why);
}

fl_status
fl_directory_make(const char *path, unsigned mode, fl_why *why)
{
    char part[PATH_MAX];
    struct stat about;
    if (path[0] == '\0' || snprintf(part, sizeof part, "%s", path) >= PATH_MAX) {
        return fl_file_why(ENAMETOOLONG, path, "made", why);
    }
    for (char *slash = part + 1; *slash != '\0'; slash++) {
        if (*slash == '/') {
            *slash = '\0';
            (void)mkdir(part, (mode_t)mode); // only the last one matters
            *slash = '/';
        }
    }
    if (mkdir(path, (mode_t)mode) != 0 && errno != EEXIST) {
        return fl_file_why(errno, path, "made", why);
    }
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
        return fl_file_why(ENOTDIR, path, "used", why);
    }
    return FL_OK;
}

unsigned
fl_file_sweep(const char *directory)
{
    char path[PATH_MAX];
    unsigned count = 0;
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        const char *mark = strstr(entry->d_name, FL_FILE_TEMP_MARK);
        size_t tail = sizeof FL_FILE_TEMP_MARK - 1 + 6;
        if (mark != NULL && strlen(mark) == tail &&
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) < PATH_MAX &&
            unlink(path) == 0) {
            count++;
        }
    }
    (void)closedir(listing);
    return count;
}
