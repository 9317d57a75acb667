#include "common/store/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/store/file.h"

enum { HEX = 2 * sizeof(fl_hash), RUN_HEX = 2 * sizeof(fl_run), OPTIMIZER_FACTOR = 4 };
static const char model_suffix[] = ".safetensors";
static const char optimizer_suffix[] = ".optimizer";

struct fl_checkpoints {
    char directory[PATH_MAX];
    fl_ledger *ledger;
};

bool
fl_checkpoints_path(const fl_checkpoints *self, const fl_hash *hash, char *path, size_t size)
{
    char name[HEX + 1];
    fl_hex(hash->bytes, sizeof hash->bytes, name);
    return (size_t)snprintf(path, size, "%s/%s%s", self->directory, name, model_suffix) < size;
}

static bool
s_optimizer_path(const fl_checkpoints *self, const fl_run *run, const fl_hash *hash, char *path,
                 size_t size)
{
    char name[HEX + 1], owner[RUN_HEX + 1];
    fl_hex(hash->bytes, sizeof hash->bytes, name);
    fl_hex(run->bytes, sizeof run->bytes, owner);
    return (size_t)snprintf(path, size, "%s/%s.%s%s", self->directory, name, owner,
                            optimizer_suffix) < size;
}

//  A run gave up a model once: remove what nobody holds any more.
static void
s_drop(const fl_checkpoints *self, const fl_run *run, const fl_hash *hash)
{
    char path[PATH_MAX];
    fl_run holder;
    if (fl_ledger_model_holder(self->ledger, run, hash, &holder, NULL) == FL_MISSING &&
        s_optimizer_path(self, run, hash, path, sizeof path)) {
        (void)unlink(path);
    }
    if (fl_ledger_model_holder(self->ledger, NULL, hash, &holder, NULL) == FL_MISSING &&
        fl_checkpoints_path(self, hash, path, sizeof path)) {
        (void)unlink(path);
    }
}

static void
s_give_up(const fl_checkpoints *self, const fl_run *run, fl_model_why held, uint32_t keep)
{
    fl_hash hash;
    while (fl_ledger_model_surplus(self->ledger, run, held, keep, &hash, NULL) == FL_OK) {
        s_drop(self, run, &hash);
    }
}

void
fl_checkpoints_settle(fl_checkpoints *self, const fl_run *run, uint32_t keep)
{
    FL_ASSERT(keep > 0);
    s_give_up(self, run, FL_MODEL_ROUND, keep);
    s_give_up(self, run, FL_MODEL_BEST, 1);
}

// ---- what a directory holds at the start ------------------------------------------------------
//  False: no name of ours. `*run` is zero when the name has none: a model, or the optimizer's state
//  as programs before version 4 of the ledger kept it.
static bool
s_parse(const char *name, fl_hash *hash, fl_run *run, bool *model)
{
    char hex[HEX + 1], owner[RUN_HEX + 1];
    size_t size = strnlen(name, HEX);
    memcpy(hex, name, size);
    hex[size] = '\0';
    if (!fl_unhex(hex, hash->bytes, sizeof hash->bytes)) {
        return false;
    }
    const char *rest = name + HEX;
    *run = (fl_run){ { 0 } };
    *model = strcmp(rest, model_suffix) == 0;
    if (*model || strcmp(rest, optimizer_suffix) == 0) {
        return true;
    }
    if (strlen(rest) != 1 + RUN_HEX + sizeof optimizer_suffix - 1 || rest[0] != '.' ||
        strcmp(rest + 1 + RUN_HEX, optimizer_suffix) != 0) {
        return false;
    }
    memcpy(owner, rest + 1, RUN_HEX);
    owner[RUN_HEX] = '\0';
    return fl_unhex(owner, run->bytes, sizeof run->bytes);
}

//  Remove a file that nobody holds; name an old optimizer's after the one run that there was.
static fl_status
s_look(const fl_checkpoints *self, const char *name, fl_why *why)
{
    static const fl_run nobody;
    char path[PATH_MAX], owned[PATH_MAX];
    fl_hash hash;
    fl_run run, holder;
    bool model;
    if (!s_parse(name, &hash, &run, &model) ||
        (size_t)snprintf(path, sizeof path, "%s/%s", self->directory, name) >= sizeof path) {
        return FL_OK;
    }
    bool owner = !fl_run_equal(&run, &nobody);
    fl_status status =
        fl_ledger_model_holder(self->ledger, owner ? &run : NULL, &hash, &holder, why);
    if (status == FL_MISSING) {
        (void)unlink(path);
        return FL_OK;
    }
    if (status == FL_OK && !model && !owner &&
        s_optimizer_path(self, &holder, &hash, owned, sizeof owned) && rename(path, owned) != 0) {
        return fl_file_why(errno, path, "renamed", why);
    }
    return status;
}

static fl_status
s_sweep(const fl_checkpoints *self, fl_why *why)
{
    DIR *listing = opendir(self->directory);
    fl_status status = FL_OK;
    if (listing == NULL) {
        return fl_file_why(errno, self->directory, "listed", why);
    }
    (void)fl_file_sweep(self->directory);
    for (struct dirent *found = readdir(listing); found != NULL && status == FL_OK;
         found = readdir(listing)) {
        status = s_look(self, found->d_name, why);
    }
    (void)closedir(listing);
    return status;
}

fl_status
fl_checkpoints_open(const char *directory, fl_ledger *ledger, fl_checkpoints **checkpoints,
                    fl_why *why)
{
    *checkpoints = NULL;
    FL_TRY(fl_directory_make(directory, 0700, why));
    fl_checkpoints *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_file_why(ENOMEM, directory, "opened", why);
    }
    (void)snprintf(self->directory, sizeof self->directory, "%s", directory);
    self->ledger = ledger;
    fl_status status = s_sweep(self, why);
    if (status != FL_OK) {
        fl_checkpoints_close(&self);
    }
    *checkpoints = self;
    return status;
}

void
fl_checkpoints_close(fl_checkpoints **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

// ---- writing and reading ----------------------------------------------------------------------
fl_status
fl_checkpoints_save(fl_checkpoints *self, const fl_hash *hash, fl_bytes model, fl_why *why)
{
    char path[PATH_MAX];
    if (!fl_checkpoints_path(self, hash, path, sizeof path)) {
        return fl_file_why(ENAMETOOLONG, self->directory, "written to", why);
    }
    return fl_file_write(path, model, 0600, why);
}

//  The file: the BLAKE2b of what follows, then the state.
fl_status
fl_checkpoints_save_optimizer(fl_checkpoints *self, const fl_run *run, const fl_hash *hash,
                              fl_bytes state, fl_why *why)
{
    char path[PATH_MAX];
    if (state.size == 0) {
        return FL_OK;
    }
    if (!s_optimizer_path(self, run, hash, path, sizeof path)) {
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
fl_checkpoints_load(const fl_checkpoints *self, const fl_hash *hash, fl_blob **model, fl_why *why)
{
    char path[PATH_MAX];
    *model = NULL;
    if (!fl_checkpoints_path(self, hash, path, sizeof path)) {
        return fl_file_why(ENAMETOOLONG, self->directory, "read", why);
    }
    FL_TRY(fl_file_read(path, FL_VECTOR_BYTES_MAX, model, why));
    fl_hash found = fl_hash_of(fl_blob_bytes(*model));
    if (fl_hash_equal(hash, &found)) {
        return FL_OK;
    }
    fl_blob_unref(model);
    return fl_fail(FL_MISMATCH, why,
                   "%s is damaged: its bytes do not match its name; restore it from a copy", path);
}

fl_status
fl_checkpoints_load_optimizer(const fl_checkpoints *self, const fl_run *run, const fl_hash *hash,
                              fl_blob **state, fl_why *why)
{
    char path[PATH_MAX];
    fl_blob *file = NULL;
    *state = NULL;
    if (!s_optimizer_path(self, run, hash, path, sizeof path)) {
        return fl_file_why(ENAMETOOLONG, self->directory, "read", why);
    }
    fl_status status = fl_file_read(path, OPTIMIZER_FACTOR * FL_VECTOR_BYTES_MAX, &file, why);
    if (status != FL_OK) {
        return status == FL_MISSING ? FL_OK : status; // a plain optimizer has no state
    }
    fl_reader reader = fl_reader_of(fl_blob_bytes(file));
    fl_hash proof;
    fl_read_into(&reader, proof.bytes, sizeof proof.bytes);
    fl_bytes bytes = fl_read_view(&reader, (size_t)(reader.end - reader.at));
    fl_hash found = fl_hash_of(bytes);
    if (reader.broken || !fl_hash_equal(&proof, &found)) {
        status = fl_fail(FL_MISMATCH, why,
                         "%s is damaged: its bytes do not match its hash; restore it, or remove it "
                         "to go on with a fresh optimizer",
                         path);
    } else if ((*state = fl_blob_copy(bytes)) == NULL) {
        status = fl_file_why(ENOMEM, path, "read", why);
    }
    fl_blob_unref(&file);
    return status;
}
