#include "cloud/run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"

enum { PIECE_BYTES = 64 * 1024 }; // read at a time to prove a file

//  A file on its way, or here and perhaps not yet held by a run.
typedef struct file {
    fl_hash hash;
    bool used, whole;
    uint64_t total; // bytes, as announced by its first piece
    fl_time touched;
} file;

struct fl_run_files {
    fl_checkpoints *checkpoints;
    fl_ledger *ledger;
    file files[FL_RUN_FILES_MAX];
};

fl_run_files *
fl_run_files_new(fl_checkpoints *checkpoints, fl_ledger *ledger)
{
    fl_run_files *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->checkpoints = checkpoints;
        self->ledger = ledger;
    }
    return self;
}

void
fl_run_files_destroy(fl_run_files **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

//  Where the file lies, or grows: a start of the store sweeps up what bears the mark.
static bool
s_path(const fl_run_files *self, const fl_hash *hash, bool whole, char path[PATH_MAX])
{
    static const char mark[] = FL_FILE_TEMP_MARK "put";
    size_t room = PATH_MAX - sizeof mark;
    bool fits = fl_checkpoints_path(self->checkpoints, hash, path, room);
    if (fits && !whole) {
        memcpy(path + strlen(path), mark, sizeof mark);
    }
    return fits;
}

static uint64_t
s_size(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
}

uint64_t
fl_run_files_size(const fl_run_files *self, const fl_hash *hash)
{
    char path[PATH_MAX];
    return s_path(self, hash, true, path) ? s_size(path) : 0;
}

//  Give up what nobody goes on with: an unfinished file, or one that no run holds.
static void
s_expire(fl_run_files *self, fl_time now)
{
    char path[PATH_MAX];
    fl_run holder;
    for (uint32_t i = 0; i < FL_RUN_FILES_MAX; i++) {
        file *one = &self->files[i];
        if (!one->used || now - one->touched < FL_RUN_FILES_IDLE_MS) {
            continue;
        }
        bool held = one->whole && fl_ledger_model_holder(self->ledger, NULL, &one->hash, &holder,
                                                         NULL) != FL_MISSING;
        if (!held && s_path(self, &one->hash, one->whole, path)) {
            (void)unlink(path);
        }
        one->used = false;
    }
}

//  The place of a file in the list, from now on fresh. NULL: it has none.
static file *
s_touch(fl_run_files *self, const fl_hash *hash, fl_time now)
{
    for (uint32_t i = 0; i < FL_RUN_FILES_MAX; i++) {
        file *one = &self->files[i];
        if (one->used && fl_hash_equal(&one->hash, hash)) {
            one->touched = now;
            return one;
        }
    }
    return NULL;
}

//  A new place. NULL: too many.
static file *
s_place(fl_run_files *self, const fl_hash *hash, uint64_t total, fl_time now)
{
    file *place = NULL;
    for (uint32_t i = 0; i < FL_RUN_FILES_MAX; i++) {
        file *one = &self->files[i];
        //  A file that is here needs no place while another wants one: the next start sees to it.
        if (!one->used || (one->whole && (place == NULL || place->used))) {
            place = one;
        }
    }
    if (place != NULL) {
        *place = (file){ .hash = *hash, .used = true, .total = total, .touched = now };
    }
    return place;
}

//  Behind what is there. On failure the file ends where it ended before.
static fl_status
s_append(const char *path, uint64_t offset, fl_bytes piece, fl_why *why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fl_file_why(errno, path, "opened", why);
    }
    int error = 0;
    for (size_t done = 0; done < piece.size && error == 0;) {
        ssize_t put = pwrite(fd, piece.data + done, piece.size - done, (off_t)(offset + done));
        error = put < 0 && errno != EINTR ? errno : 0;
        done += put < 0 ? 0 : (size_t)put;
    }
    if (error != 0 && ftruncate(fd, (off_t)offset) != 0) {
        (void)unlink(path);
    }
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 ? FL_OK : fl_file_why(error, path, "written", why);
}

static fl_status
s_hash(const char *path, fl_hash *hash, fl_why *why)
{
    uint8_t piece[PIECE_BYTES];
    fl_hasher hasher;
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return fl_file_why(errno, path, "opened", why);
    }
    fl_hasher_init(&hasher);
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, in)) > 0) {
        fl_hasher_update(&hasher, fl_bytes_of(piece, size));
    }
    int error = ferror(in) != 0 ? EIO : 0;
    (void)fclose(in);
    *hash = fl_hasher_final(&hasher);
    return error == 0 ? FL_OK : fl_file_why(error, path, "read", why);
}

//  All bytes are here: prove them, keep them.
static fl_status
s_finish(fl_run_files *self, const char *path, file *place, fl_why *why)
{
    char kept[PATH_MAX];
    fl_hash found;
    FL_TRY(s_hash(path, &found, why));
    if (!fl_hash_equal(&found, &place->hash)) {
        (void)unlink(path);
        place->used = false;
        return fl_fail(FL_MISMATCH, why,
                       "the file that arrived is not the one that was announced: did it change? "
                       "Put it again");
    }
    bool fits = s_path(self, &place->hash, true, kept);
    FL_ASSERT(fits); // the path of the unfinished file is longer
    FL_TRY(fl_file_adopt(path, kept, why));
    place->whole = true;
    return FL_OK;
}

//  Where the pieces of a file that is not here go.
static fl_status
s_find(fl_run_files *self, const fl_hash *hash, uint64_t total, fl_time now, file **place,
       fl_why *why)
{
    s_expire(self, now);
    *place = s_touch(self, hash, now);
    if (*place != NULL && (*place)->total != total) {
        return fl_fail(FL_RANGE, why,
                       "a file of %llu bytes: %llu were announced for it before, and it goes on "
                       "with these or is forgotten after %d minutes",
                       (unsigned long long)total, (unsigned long long)(*place)->total,
                       FL_RUN_FILES_IDLE_MS / 60000);
    }
    if (*place == NULL) {
        *place = s_place(self, hash, total, now);
    }
    if (*place == NULL) {
        return fl_fail(FL_BUSY, why, "%d files are on their way already: try again later",
                       FL_RUN_FILES_MAX);
    }
    (*place)->whole = false; // it may have been, before its run gave it up
    return FL_OK;
}

fl_status
fl_run_files_put(fl_run_files *self, const fl_hash *hash, uint64_t offset, uint64_t total,
                 fl_bytes piece, fl_time now, uint64_t *next, fl_why *why)
{
    char path[PATH_MAX];
    file *place;
    *next = total;
    if (total == 0 || total > FL_VECTOR_BYTES_MAX || piece.size > total ||
        offset > total - piece.size) {
        return fl_fail(FL_RANGE, why,
                       "%llu bytes from %llu of a file of %llu: a file may have 1 to %llu bytes",
                       (unsigned long long)piece.size, (unsigned long long)offset,
                       (unsigned long long)total, (unsigned long long)FL_VECTOR_BYTES_MAX);
    }
    if (fl_run_files_size(self, hash) > 0) {
        (void)s_touch(self, hash, now); // so that it is still here for its run
        return FL_OK;
    }
    FL_TRY(s_find(self, hash, total, now, &place, why));
    if (!s_path(self, hash, false, path)) {
        return fl_file_why(ENAMETOOLONG, "the path of a model", "written", why);
    }
    *next = s_size(path);
    if (piece.size > 0 && offset == *next) {
        FL_TRY(s_append(path, offset, piece, why));
        *next += piece.size;
    }
    return *next < total ? FL_OK : s_finish(self, path, place, why);
}
