#include "common/trainer/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

//  F_SEAL_FUTURE_WRITE: what is mapped by then, by us, can be written and nothing else.
enum {
    UPDATE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
    MODEL_SEALS = UPDATE_SEALS | F_SEAL_FUTURE_WRITE
};

static int
s_memory(const char *name, int lowest)
{
    int low = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, lowest);
    (void)(low >= 0 && close(low));
    return fd;
}

fl_status
fl_image_open(size_t size, int lowest, fl_image *self, fl_why *why)
{
    *self = (fl_image){ .size = size,
                        .model = s_memory("model", lowest),
                        .update = s_memory("update", lowest) };
    //  Their pages are there from the start: the making would be the first round's.
    bool room = self->model >= 0 && self->update >= 0 &&
                (errno = posix_fallocate(self->model, 0, (off_t)size)) == 0 &&
                (errno = posix_fallocate(self->update, 0, (off_t)size)) == 0;
    void *given =
        !room ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, self->model, 0);
    self->given = given == MAP_FAILED ? NULL : given;
    if (self->given == NULL || fcntl(self->model, F_ADD_SEALS, MODEL_SEALS) != 0 ||
        fcntl(self->update, F_ADD_SEALS, UPDATE_SEALS) != 0) {
        const int error = errno;
        fl_image_close(self);
        return fl_fail(error == ENOSPC ? FL_FULL : FL_IO, why,
                       "no memory to have in common with a trainer: %s", strerror(error));
    }
    return FL_OK;
}

void
fl_image_close(fl_image *self)
{
    (void)(self->given != NULL && munmap(self->given, self->size));
    (void)(self->model >= 0 && close(self->model));
    (void)(self->update >= 0 && close(self->update));
    *self = (fl_image){ .model = -1, .update = -1 };
}

fl_status
fl_image_give(fl_image *self, fl_bytes model, fl_why *why)
{
    const uint64_t none = 0; // for the length of a header
    FL_ASSERT(model.size == self->size);
    memcpy(self->given, model.data, model.size);
    (void)madvise(self->given, self->size, MADV_DONTNEED); // the file keeps it
    return pwrite(self->update, &none, sizeof none, 0) == sizeof none
               ? FL_OK
               : fl_fail(FL_IO, why, "an update cannot be taken back: %s", strerror(errno));
}
