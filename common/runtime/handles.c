#include "common/runtime/handles.h"

#include <stdlib.h>

struct fl_handles {
    struct {
        fl_vec number;
        fl_blob *blob;
    } vectors[FL_HANDLES_VECTORS_MAX];
    fl_vec last;
    fl_blob *empty;
    fl_hash model_hash[FL_TRACKS];
    fl_blob *model[FL_TRACKS]; // NULL: none yet
};

fl_handles *
fl_handles_new(void)
{
    fl_handles *self = calloc(1, sizeof *self);
    if (self != NULL && (self->empty = fl_blob_new(0)) == NULL) {
        fl_handles_destroy(&self);
    }
    return self;
}

void
fl_handles_destroy(fl_handles **self_p)
{
    fl_handles *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < FL_HANDLES_VECTORS_MAX; i++) {
        fl_blob_unref(&self->vectors[i].blob);
    }
    for (int i = 0; i < FL_TRACKS; i++) {
        fl_blob_unref(&self->model[i]);
    }
    fl_blob_unref(&self->empty);
    free(self);
}

fl_vec
fl_handles_put(fl_handles *self, fl_blob **blob_p)
{
    FL_ASSERT(*blob_p != NULL);
    for (int i = 0; i < FL_HANDLES_VECTORS_MAX; i++) {
        if (self->vectors[i].blob == NULL) {
            self->vectors[i].blob = *blob_p;
            self->vectors[i].number = ++self->last;
            *blob_p = NULL;
            return self->last;
        }
    }
    FL_ASSERT(false); // more vectors than a machine can hold
    return 0;
}

static int
s_find(const fl_handles *self, fl_vec vec)
{
    for (int i = 0; i < FL_HANDLES_VECTORS_MAX; i++) {
        if (self->vectors[i].blob != NULL && self->vectors[i].number == vec) {
            return i;
        }
    }
    return -1;
}

fl_blob *
fl_handles_look(const fl_handles *self, fl_vec vec)
{
    int place = s_find(self, vec);
    return place < 0 ? NULL : self->vectors[place].blob;
}

void
fl_handles_drop(fl_handles *self, fl_vec vec)
{
    int place = s_find(self, vec);
    FL_ASSERT(place >= 0);
    fl_blob_unref(&self->vectors[place].blob);
}

fl_blob *
fl_handles_take(fl_handles *self, fl_vec vec)
{
    int place = s_find(self, vec);
    FL_ASSERT(place >= 0);
    fl_blob *blob = self->vectors[place].blob;
    self->vectors[place].blob = fl_blob_ref(self->empty);
    return blob;
}

void
fl_handles_put_model(fl_handles *self, uint32_t track, const fl_hash *hash, fl_blob **blob_p)
{
    fl_blob_unref(&self->model[track]);
    self->model_hash[track] = *hash;
    self->model[track] = *blob_p;
    *blob_p = NULL;
}

fl_blob *
fl_handles_model(const fl_handles *self, const fl_hash *hash)
{
    fl_blob *found = NULL;
    for (int i = 0; i < FL_TRACKS && found == NULL; i++) {
        found = fl_hash_equal(&self->model_hash[i], hash) ? self->model[i] : NULL;
    }
    return found;
}
