#include "common/store/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"

enum { HEX = 2 * sizeof(fl_hash), OPTIMIZER_FACTOR = 4 };
static const char model_suffix[] = ".safetensors";
static const char optimizer_suffix[] = ".optimizer";

//  A model on disk, oldest first in the list.
typedef struct entry {
    fl_hash hash;
    struct timespec saved;
} entry;

struct fl_checkpoints {
    char directory[PATH_MAX];
    uint32_t keep;
    uint32_t count;
    entry entries[FL_CHECKPOINTS_KEEP_MAX + 1]; // one more than is kept, while it is saved
};

static bool
s_path(const fl_checkpoints *self, const fl_hash *hash, const char *suffix, char *path, size_t size)
{
    char name[HEX + 1];
    fl_hex(hash->bytes, sizeof hash->bytes, name);
    return (size_t)snprintf(path, size, "%s/%s%s", self->directory, name, suffix) < size;
}

//  Both files of an entry. That one is gone already is no trouble.
static void
s_remove(const fl_checkpoints *self, const fl_hash *hash)
{
    char path[PATH_MAX];
    if (s_path(self, hash, optimizer_suffix, path, sizeof path)) {
        (void)unlink(path);
    }
    if (s_path(self, hash, model_suffix, path, sizeof path)) {
        (void)unlink(path);
    }
}

static void
s_forget(fl_checkpoints *self, uint32_t index)
{
    self->count--;
    memmove(&self->entries[index], &self->entries[index + 1],
            (self->count - index) * sizeof self->entries[0]);
}

static void
s_forget_oldest(fl_checkpoints *self)
{
    while (self->count > self->keep) {
        s_remove(self, &self->entries[0].hash);
        s_forget(self, 0);
    }
}

static bool
s_older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

//  Put an entry where its age belongs; the oldest falls out when the list is full.
static void
s_insert(fl_checkpoints *self, entry fresh)
{
    uint32_t at = self->count;
    while (at > 0 && s_older(&fresh.saved, &self->entries[at - 1].saved)) {
        self->entries[at] = self->entries[at - 1];
        at--;
    }
    self->entries[at] = fresh;
    self->count++;
    s_forget_oldest(self);
}

static void
s_list(fl_checkpoints *self, DIR *listing)
{
    for (struct dirent *found = readdir(listing); found != NULL; found = readdir(listing)) {
        char path[PATH_MAX], name[HEX + 1];
        struct stat about;
        entry fresh;
        if (strlen(found->d_name) != HEX + sizeof model_suffix - 1 ||
            strcmp(found->d_name + HEX, model_suffix) != 0) {
            continue;
        }
        memcpy(name, found->d_name, HEX);
        name[HEX] = '\0';
        if (fl_unhex(name, fresh.hash.bytes, sizeof fresh.hash.bytes) &&
            s_path(self, &fresh.hash, model_suffix, path, sizeof path) && stat(path, &about) == 0) {
            fresh.saved = about.st_mtim;
            s_insert(self, fresh);
        }
    }
}

fl_status
fl_checkpoints_open(const char *directory, uint32_t keep, fl_checkpoints **checkpoints, fl_why *why)
{
    FL_ASSERT(keep >= 2 && keep <= FL_CHECKPOINTS_KEEP_MAX);
    *checkpoints = NULL;
    fl_status status = fl_directory_make(directory, 0700, why);
    if (status != FL_OK) {
        return status;
    }
    fl_checkpoints *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_file_why(ENOMEM, directory, "opened", why);
    }
    (void)snprintf(self->directory, sizeof self->directory, "%s", directory);
    self->keep = keep;
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        free(self);
        return fl_file_why(errno, directory, "listed", why);
    }
    (void)fl_file_sweep(directory);
    s_list(self, listing);
    (void)closedir(listing);
    *checkpoints = self;
    return FL_OK;
}

void
fl_checkpoints_close(fl_checkpoints **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

//  The optimizer's file: the BLAKE2b of what follows, then the state.
static fl_status
s_save_optimizer(const fl_checkpoints *self, const fl_hash *hash, fl_bytes state, fl_why *why)
{
    char path[PATH_MAX];
    if (!s_path(self, hash, optimizer_suffix, path, sizeof path)) {
        return fl_file_why(ENAMETOOLONG, self->directory, "written to", why);
    }
    fl_blob *blob = fl_blob_new(sizeof(fl_hash) + state.size);
    if (blob == NULL) {
        return fl_file_why(ENOMEM, path, "written", why);
    }
    fl_hash proof = fl_hash_of(state);
    memcpy(fl_blob_data(blob), proof.bytes, sizeof proof.bytes);
    memcpy(fl_blob_data(blob) + sizeof proof, state.data, state.size);
    fl_status status = fl_file_write(path, fl_blob_bytes(blob), 0600, why);
    fl_blob_unref(&blob);
    return status;
}

fl_status
fl_checkpoints_save(fl_checkpoints *self, const fl_hash *hash, fl_bytes model, fl_bytes optimizer,
                    fl_why *why)
{
    char path[PATH_MAX];
    fl_status status = FL_OK;
    struct stat about;
    if (optimizer.size > 0) {
        status = s_save_optimizer(self, hash, optimizer, why);
    }
    if (status == FL_OK && !s_path(self, hash, model_suffix, path, sizeof path)) {
        status = fl_file_why(ENAMETOOLONG, self->directory, "written to", why);
    }
    if (status == FL_OK) { // last: a model is there only when it is whole
        status = fl_file_write(path, model, 0600, why);
    }
    if (status == FL_OK && stat(path, &about) != 0) {
        status = fl_file_why(errno, path, "read", why);
    }
    if (status != FL_OK) {
        return status;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_hash_equal(&self->entries[i].hash, hash)) {
            s_forget(self, i);
            break;
        }
    }
    //  Last in the list whatever the disk's clock says: what was saved last is never forgotten.
    self->entries[self->count++] = (entry){ .hash = *hash, .saved = about.st_mtim };
    s_forget_oldest(self);
    return FL_OK;
}

static fl_status
s_load_optimizer(const char *path, fl_blob **optimizer, fl_why *why)
{
    fl_blob *file = NULL;
    fl_status status = fl_file_read(path, OPTIMIZER_FACTOR * FL_VECTOR_BYTES_MAX, &file, why);
    if (status == FL_MISSING) {
        return FL_OK; // a plain optimizer has no state
    }
    if (status != FL_OK) {
        return status;
    }
    fl_reader reader = fl_reader_of(fl_blob_bytes(file));
    fl_hash proof;
    fl_read_into(&reader, proof.bytes, sizeof proof.bytes);
    fl_bytes state = fl_read_view(&reader, (size_t)(reader.end - reader.at));
    fl_hash found = fl_hash_of(state);
    if (reader.broken || !fl_hash_equal(&proof, &found)) {
        status = fl_fail(FL_MISMATCH, why,
                         "%s is damaged: its bytes do not match its hash; restore it, or remove it "
                         "to go on with a fresh optimizer",
                         path);
    } else if ((*optimizer = fl_blob_copy(state)) == NULL) {
        status = fl_file_why(ENOMEM, path, "read", why);
    }
    fl_blob_unref(&file);
    return status;
}

fl_status
fl_checkpoints_load(const fl_checkpoints *self, const fl_hash *hash, fl_blob **model,
                    fl_blob **optimizer, fl_why *why)
{
    char path[PATH_MAX];
    *model = NULL;
    if (optimizer != NULL) {
        *optimizer = NULL;
    }
    if (!s_path(self, hash, model_suffix, path, sizeof path)) {
        return fl_file_why(ENAMETOOLONG, self->directory, "read", why);
    }
    fl_status status = fl_file_read(path, FL_VECTOR_BYTES_MAX, model, why);
    if (status != FL_OK) {
        return status;
    }
    fl_hash found = fl_hash_of(fl_blob_bytes(*model));
    if (!fl_hash_equal(hash, &found)) {
        status =
            fl_fail(FL_MISMATCH, why,
                    "%s is damaged: its bytes do not match its name; restore it from a copy", path);
    } else if (optimizer != NULL && s_path(self, hash, optimizer_suffix, path, sizeof path)) {
        status = s_load_optimizer(path, optimizer, why);
    }
    if (status != FL_OK) {
        fl_blob_unref(model);
    }
    return status;
}

bool
fl_checkpoints_path(const fl_checkpoints *self, const fl_hash *hash, char *path, size_t size)
{
    return s_path(self, hash, model_suffix, path, size);
}
