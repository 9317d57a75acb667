#include "common/store/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/store/file.h"

typedef struct slot {
    uint8_t *data;   // NULL: nothing is mapped
    size_t capacity; // bytes mapped and reserved
    size_t leased;   // 0: free
} slot;

struct fl_staging {
    char directory[PATH_MAX];
    uint32_t count;
    slot slots[FL_SLOTS_MAX];
};

static slot *
s_slot(fl_staging *self, uint32_t index)
{
    FL_ASSERT(index < self->count);
    return &self->slots[index];
}

static void
s_unmap(slot *self)
{
    if (self->data != NULL) {
        (void)munmap(self->data, self->capacity);
    }
    *self = (slot){ 0 };
}

//  A file without a name, so that no crash can leave it behind.
static int
s_nameless(const char *directory)
{
    char path[PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/staging" FL_FILE_TEMP_MARK "XXXXXX", directory);
    int fd = mkstemp(path);
    if (fd >= 0) {
        (void)unlink(path);
    }
    return fd;
}

//  Reserve and map. Zero or the error. posix_fallocate takes the disk's blocks now: a write through
//  the map can then no longer run into a full disk, which would be SIGBUS.
static int
s_map(const char *directory, slot *target, size_t bytes)
{
    int fd = s_nameless(directory);
    if (fd < 0) {
        return errno;
    }
    int error = posix_fallocate(fd, 0, (off_t)bytes);
    if (error == 0) {
        void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
            error = errno;
        } else {
            *target = (slot){ .data = data, .capacity = bytes };
        }
    }
    (void)close(fd);
    return error;
}

fl_status
fl_staging_open(const char *directory, uint32_t slots, fl_staging **staging, fl_why *why)
{
    FL_ASSERT(slots > 0 && slots <= FL_SLOTS_MAX);
    *staging = NULL;
    fl_staging *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_file_why(ENOMEM, directory, "used for staging", why);
    }
    self->count = slots;
    int length = snprintf(self->directory, sizeof self->directory, "%s", directory);
    int fd = -1;
    if (length >= PATH_MAX) {
        errno = ENAMETOOLONG;
    } else {
        fd = s_nameless(self->directory); // said at start-up rather than in a round
    }
    if (fd < 0) {
        free(self);
        return fl_file_why(errno, directory, "used for staging", why);
    }
    (void)close(fd);
    *staging = self;
    return FL_OK;
}

void
fl_staging_close(fl_staging **self_p)
{
    fl_staging *self = *self_p;
    *self_p = NULL;
    for (uint32_t i = 0; self != NULL && i < self->count; i++) {
        s_unmap(&self->slots[i]);
    }
    free(self);
}

fl_status
fl_staging_lease(fl_staging *self, uint32_t index, uint64_t bytes, fl_why *why)
{
    slot *target = s_slot(self, index);
    FL_ASSERT(target->leased == 0);
    FL_ASSERT(bytes > 0 && bytes <= FL_VECTOR_BYTES_MAX);
    //  Every contribution of a run has one size: the map of the last one nearly always fits.
    bool fits = target->capacity >= bytes && target->capacity / 2 <= bytes;
    if (!fits) {
        s_unmap(target);
        int error = s_map(self->directory, target, (size_t)bytes);
        if (error != 0) {
            return fl_file_why(error, self->directory, "given a staging slot", why);
        }
    }
    target->leased = (size_t)bytes;
    return FL_OK;
}

fl_status
fl_staging_write(fl_staging *self, uint32_t index, uint64_t offset, fl_bytes bytes)
{
    slot *target = s_slot(self, index);
    if (offset > target->leased || bytes.size > target->leased - offset) {
        return FL_RANGE;
    }
    if (bytes.size > 0) {
        memcpy(target->data + offset, bytes.data, bytes.size);
    }
    return FL_OK;
}

fl_bytes
fl_staging_bytes(const fl_staging *self, uint32_t index)
{
    FL_ASSERT(index < self->count);
    const slot *source = &self->slots[index];
    return source->leased == 0 ? (fl_bytes){ 0 } : fl_bytes_of(source->data, source->leased);
}

void
fl_staging_free(fl_staging *self, uint32_t index)
{
    s_slot(self, index)->leased = 0;
}

fl_bytes
fl_staging_take(fl_staging *self, uint32_t index)
{
    slot *source = s_slot(self, index);
    const fl_bytes taken = fl_bytes_of(source->data, source->capacity);
    *source = (slot){ 0 };
    return taken;
}

void
fl_staging_unmap(fl_bytes taken)
{
    if (taken.size > 0) {
        (void)munmap((void *)(uintptr_t)taken.data, taken.size);
    }
}

// ---- a vector of our own ----------------------------------------------------------------------
static void
s_end(uint8_t *data, size_t size)
{
    (void)munmap(data, size);
}

static void
s_rest(uint8_t *data, size_t bytes)
{
    (void)madvise(data, bytes, MADV_DONTNEED); // of a shared map: the file keeps them
}

fl_status
fl_staging_blob(const char *directory, size_t bytes, fl_blob **blob, fl_why *why)
{
    static const fl_blob_keeper keeper = { .end = s_end, .rest = s_rest };
    slot mapped = { 0 };
    const int error = s_map(directory, &mapped, bytes);
    *blob = error == 0 ? fl_blob_over(mapped.data, bytes, &keeper) : NULL;
    if (*blob == NULL) {
        s_unmap(&mapped);
        return fl_file_why(error == 0 ? ENOMEM : error, directory, "given an update", why);
    }
    return FL_OK;
}
