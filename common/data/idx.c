#include "common/data/idx.h"

#include <zlib.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

//  Magic: two zero bytes, the type (8: unsigned byte), the number of dimensions; then each
//  dimension as a big-endian u32; then the bytes.
enum { TYPE_U8 = 8, DIMENSIONS_MAX = 4, GZ_BUFFER = 256 * 1024 };

typedef struct source {
    const char *path;
    gzFile file;
    uint32_t samples;  // the first dimension
    uint32_t features; // the others multiplied
    fl_why *why;
} source;

static fl_status
s_cut_off(const source *self)
{
    int code = Z_OK;
    const char *text = gzerror(self->file, &code); // "<fd:5>: ", then what is wrong
    const char *wrong = strstr(text, ": ");
    if (code == Z_ERRNO) {
        return fl_fail(FL_IO, self->why, "%s: cannot be read: %s", self->path, strerror(errno));
    }
    return fl_fail(FL_MALFORMED, self->why, "%s: is cut off or damaged%s: fetch it again",
                   self->path, code == Z_OK || wrong == NULL ? "" : wrong);
}

static fl_status
s_read(const source *self, void *to, size_t size)
{
    uint8_t *at = to;
    while (size > 0) {
        unsigned now = size < GZ_BUFFER ? (unsigned)size : GZ_BUFFER;
        int got = gzread(self->file, at, now);
        if (got <= 0) {
            return s_cut_off(self);
        }
        at += got;
        size -= (size_t)got;
    }
    return FL_OK;
}

static fl_status
s_skip(const source *self, uint64_t size)
{
    uint8_t waste[4096];
    fl_status status = FL_OK;
    while (size > 0 && status == FL_OK) {
        size_t now = size < sizeof waste ? (size_t)size : sizeof waste;
        status = s_read(self, waste, now);
        size -= now;
    }
    return status;
}

static fl_status
s_read_sizes(source *self, unsigned dimensions)
{
    uint64_t features = 1;
    for (unsigned i = 0; i < dimensions; i++) {
        uint8_t bytes[4];
        FL_TRY(s_read(self, bytes, sizeof bytes));
        uint32_t size = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                        (uint32_t)bytes[2] << 8 | bytes[3];
        if (i == 0) {
            self->samples = size;
        } else {
            features *= size;
        }
        if (self->samples > FL_IDX_SAMPLES_MAX || features < 1 || features > FL_IDX_FEATURES_MAX) {
            return fl_fail(FL_RANGE, self->why,
                           "%s: dimension %u of %u is out of bounds (at most %d samples "
                           "of %d values)",
                           self->path, i, size, FL_IDX_SAMPLES_MAX, FL_IDX_FEATURES_MAX);
        }
    }
    self->features = (uint32_t)features;
    return FL_OK;
}

//  Open and read the head; `labels`: one dimension is wanted, else at least two.
static fl_status
s_open(source *self, const char *path, bool labels, fl_why *why)
{
    *self = (source){ .path = path, .why = why };
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe must not stop us here
    if (file < 0) {
        int cause = errno;
        fl_why_set(why, "%s: cannot be opened: %s; check the path, or install the data set", path,
                   strerror(cause));
        return cause == ENOENT ? FL_MISSING : FL_IO;
    }
    struct stat about;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(file);
        return fl_fail(FL_IO, why, "%s: is no regular file: give an IDX file, plain or gzip", path);
    }
    self->file = gzdopen(file, "rb");
    if (self->file == NULL) {
        (void)close(file);
        return fl_fail(FL_NOMEM, why, "%s: cannot be opened: out of memory", path);
    }
    (void)gzbuffer(self->file, GZ_BUFFER);
    uint8_t magic[4];
    FL_TRY(s_read(self, magic, sizeof magic));
    if (magic[0] != 0 || magic[1] != 0 || magic[2] != TYPE_U8) {
        return fl_fail(FL_MALFORMED, why,
                       "%s: begins with %02x%02x%02x%02x: not an IDX file of unsigned bytes", path,
                       magic[0], magic[1], magic[2], magic[3]);
    }
    if (magic[3] < 1 || magic[3] > DIMENSIONS_MAX || (magic[3] == 1) != labels) {
        return fl_fail(FL_MALFORMED, why, "%s: has %u dimensions, a file of %s is wanted here",
                       path, magic[3], labels ? "labels (1)" : "inputs (2 to 4)");
    }
    return s_read_sizes(self, magic[3]);
}

//  Nothing may follow: a file longer than its head says is not what it seems. Reading to the end
//  also proves the checksum of a gzip file.
static fl_status
s_expect_end(const source *self)
{
    uint8_t extra = 0;
    int got = gzread(self->file, &extra, 1), code = Z_OK;
    (void)gzerror(self->file, &code); // an archive may end within its checksum
    if (got < 0 || code != Z_OK) {
        return s_cut_off(self);
    }
    if (got > 0) {
        return fl_fail(FL_MALFORMED, self->why,
                       "%s: is longer than the %u samples that it announces", self->path,
                       self->samples);
    }
    return FL_OK;
}

static void
s_close(source *self)
{
    if (self->file != NULL) {
        (void)gzclose(self->file);
        self->file = NULL;
    }
}

fl_status
fl_idx_head(const char *path, uint32_t *samples, uint32_t *features, fl_why *why)
{
    source file;
    fl_status status = s_open(&file, path, false, why);
    *samples = file.samples;
    *features = file.features;
    s_close(&file);
    return status;
}

fl_status
fl_idx_labels(const char *path, uint8_t **labels, uint32_t *count, fl_why *why)
{
    *labels = NULL;
    *count = 0;
    source file;
    fl_status status = s_open(&file, path, true, why);
    if (status != FL_OK) {
        goto done;
    }
    *labels = malloc((size_t)file.samples + 1);
    if (*labels == NULL) {
        status = fl_fail(FL_NOMEM, why, "%s: no memory for %u labels", path, file.samples);
        goto done;
    }
    status = s_read(&file, *labels, file.samples);
    FL_THEN(status, s_expect_end(&file));
    *count = file.samples;
done:
    s_close(&file);
    if (status != FL_OK) {
        free(*labels);
        *labels = NULL;
        *count = 0;
    }
    return status;
}

//  The chosen rows of a file, which is read to its end.
static fl_status
s_read_rows(const source *file, const uint32_t *chosen, fl_dataset *self)
{
    const size_t row = file->features;
    if (chosen == NULL) {
        return s_read(file, self->inputs, row * self->samples);
    }
    uint64_t next = 0;
    fl_status status = FL_OK;
    for (uint32_t i = 0; i < self->samples && status == FL_OK; i++) {
        status = s_skip(file, (chosen[i] - next) * row);
        FL_THEN(status, s_read(file, self->inputs + row * i, row));
        next = (uint64_t)chosen[i] + 1;
    }
    return status == FL_OK ? s_skip(file, (file->samples - next) * row) : status;
}

static fl_status
s_load_inputs(const char *path, const uint32_t *chosen, uint32_t samples_all, fl_dataset *self,
              fl_why *why)
{
    source file;
    fl_status status = s_open(&file, path, false, why);
    if (status != FL_OK) {
        goto done;
    }
    if (file.samples != samples_all) {
        status = fl_fail(FL_MISMATCH, why,
                         "%s: holds %u samples, the labels beside it %u: the two files do not "
                         "belong together",
                         path, file.samples, samples_all);
        goto done;
    }
    self->features = file.features;
    self->inputs = malloc((size_t)self->samples * self->features + 1);
    if (self->inputs == NULL) {
        status = fl_fail(FL_NOMEM, why, "%s: no memory for %u samples of %u bytes", path,
                         self->samples, self->features);
        goto done;
    }
    status = s_read_rows(&file, chosen, self);
    FL_THEN(status, s_expect_end(&file));
done:
    s_close(&file);
    return status;
}

fl_status
fl_dataset_load(const char *inputs_path, const char *labels_path, const uint32_t *chosen,
                uint32_t chosen_count, fl_dataset *self, fl_why *why)
{
    *self = (fl_dataset){ 0 };
    uint8_t *labels = NULL;
    uint32_t count = 0;
    FL_TRY(fl_idx_labels(labels_path, &labels, &count, why));
    if (chosen != NULL && chosen_count > 0 && chosen[chosen_count - 1] >= count) {
        fl_why_set(why, "%s: sample %u is wanted, the file holds %u", labels_path,
                   chosen[chosen_count - 1], count);
        free(labels);
        return FL_RANGE;
    }
    self->labels = labels;
    self->samples = chosen == NULL ? count : chosen_count;
    for (uint32_t i = 0; chosen != NULL && i < chosen_count; i++) {
        FL_ASSERT(i == 0 || chosen[i] > chosen[i - 1]);
        labels[i] = labels[chosen[i]]; // ascending: chosen[i] >= i
    }
    fl_status status = s_load_inputs(inputs_path, chosen, count, self, why);
    if (status != FL_OK) {
        fl_dataset_release(self);
    }
    return status;
}

void
fl_dataset_release(fl_dataset *self)
{
    free(self->inputs);
    free(self->labels);
    *self = (fl_dataset){ 0 };
}
