#include "common/trainer/kit.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/blob.h"
#include "common/model/safetensors.h"

enum { SEED = 14, STOP_LEAST_MS = 20 };

typedef struct kit {
    fl_once_conf once;
    fl_order order;
    fl_blob *model;
    float *update, *again; // (order.elements)
    fl_child_end end;
} kit;

//  What stays begins anew.
static void
s_end(kit *self)
{
    if (self->once.standing != NULL) {
        fl_child_close(self->once.standing);
    }
}

static fl_status
s_fit(kit *self, float *update, uint64_t *samples, fl_why *why)
{
    fl_training training = { .order = self->order,
                             .model = fl_blob_bytes(self->model),
                             .update = update };
    fl_status status = fl_once_train(&self->once, NULL, &training, &self->end, why);
    *samples = training.samples;
    return status;
}

//  It does what it should where it can reach the world.
static bool
s_wants_network(kit *self)
{
    uint64_t samples;
    const fl_child_end end = self->end;
    bool failed = end.how == FL_CHILD_EXIT && end.code != 0;
    s_end(self);
    self->once.network = FL_NETWORK_WORLD;
    bool wants = failed && s_fit(self, self->again, &samples, NULL) == FL_OK;
    s_end(self);
    self->once.network = FL_NETWORK_LOOPBACK;
    self->end = end;
    return wants;
}

static fl_status
s_first(kit *self, fl_kit_found *found, fl_why *why)
{
    fl_status status = s_fit(self, self->update, &found->samples, why);
    if (status != FL_OK && self->once.network == FL_NETWORK_LOOPBACK && s_wants_network(self)) {
        const fl_why said = *why;
        return fl_fail(FL_MALFORMED, why,
                       "network: it works only with one: bring what it needs before, or set "
                       "network: world where it is allowed (%.120s)",
                       said.text);
    }
    FL_TRY(status);
    if (self->end.left) {
        return fl_fail(FL_MALFORMED, why,
                       "left: it ended and processes of it went on: wait for them, or end them");
    }
    found->fit_ms = self->end.ms;
    found->fences = self->end.fences;
    for (uint64_t i = 0; i < self->order.elements; i++) {
        found->moved = found->moved || self->update[i] > 0 || self->update[i] < 0;
    }
    return FL_OK;
}

//  The model of the next round.
static fl_status
s_advance(kit *self, fl_why *why)
{
    fl_blob *next = fl_blob_copy(fl_blob_bytes(self->model));
    if (next == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    float *values = fl_safetensors_values(next, self->order.elements);
    for (uint64_t i = 0; i < self->order.elements; i++) {
        values[i] += self->update[i];
    }
    fl_blob_unref(&self->model);
    self->model = next;
    self->order.round++;
    return FL_OK;
}

//  Half of its time, then SIGTERM.
static fl_status
s_stop(kit *self, fl_kit_found *found, fl_why *why)
{
    const uint32_t half = found->fit_ms / 2;
    s_end(self);
    uint64_t samples;
    fl_why said;
    self->once.time_max_ms = half > STOP_LEAST_MS ? half : STOP_LEAST_MS;
    fl_status status = s_fit(self, self->again, &samples, &said);
    if (self->end.deaf) {
        return fl_fail(FL_MALFORMED, why,
                       "cancel: it ignores SIGTERM and was killed after %u ms: end at once then",
                       self->once.cancel_ms);
    }
    found->stop_ms = status != FL_OK && self->end.ms > self->once.time_max_ms
                         ? self->end.ms - self->once.time_max_ms
                         : 0;
    return FL_OK;
}

static fl_status
s_check(kit *self, fl_kit_found *found, fl_why *why)
{
    uint64_t samples;
    FL_TRY(s_first(self, found, why));
    FL_TRY(s_fit(self, self->again, &samples, why));
    found->same =
        samples == found->samples &&
        memcmp(self->update, self->again, (size_t)self->order.elements * sizeof *self->update) == 0;
    FL_TRY(s_advance(self, why));
    fl_recipe_put(&self->order.plan.recipe, "unheard-of", 1); // later devices say more
    FL_TRY(s_fit(self, self->again, &samples, why));
    return s_stop(self, found, why);
}

static fl_status
s_model(kit *self, fl_bytes model, fl_why *why)
{
    static const float values[] = { 0.5f,  -0.25f, 0.125f,  1.0f, 0.0f, -1.0f, 0.75f, 0.25f, -0.5f,
                                    0.25f, 0.375f, -0.125f, 0.0f, 0.0f, 0.0f,  0.0f,  1.0f };
    static const fl_tensor tensors[] = { { .name = "w", .rank = 2, .shape = { 4, 3 } },
                                         { .name = "b", .rank = 1, .shape = { 4 } },
                                         { .name = "scale", .rank = 0 } };
    fl_safetensors file;
    if (model.size > 0) {
        FL_TRY(fl_safetensors_parse(model, &file, why));
        self->order.elements = file.elements;
        self->model =
            fl_safetensors_save(file.tensor, file.count, NULL, 0, NULL, &self->model) == FL_OK
                ? self->model
                : NULL;
        if (self->model != NULL) {
            fl_safetensors_read(&file, 0, file.elements,
                                fl_safetensors_values(self->model, file.elements));
        }
    } else {
        self->order.elements = sizeof values / sizeof *values;
        if (fl_safetensors_save(tensors, 3, NULL, 0, values, &self->model) != FL_OK) {
            self->model = NULL;
        }
    }
    return self->model != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
}

fl_status
fl_kit_check(const fl_once_conf *once, fl_bytes model, const fl_recipe *recipe, fl_kit_found *found,
             fl_why *why)
{
    kit self = { .once = *once,
                 .order = { .round = 1,
                            .plan = { .run = "check", .seed = SEED, .recipe = *recipe } } };
    *found = (fl_kit_found){ .samples = 0 };
    FL_TRY(s_model(&self, model, why));
    self.update = calloc((size_t)self.order.elements, sizeof *self.update);
    self.again = calloc((size_t)self.order.elements, sizeof *self.again);
    fl_status status = self.update != NULL && self.again != NULL
                           ? s_check(&self, found, why)
                           : fl_fail(FL_NOMEM, why, "out of memory");
    s_end(&self);
    free(self.update);
    free(self.again);
    fl_blob_unref(&self.model);
    return status;
}
