//  fl trainer check: a trainer tried out before a device has it. fl tensor get and put: the tensors
//  of a file as text, for trainers that are scripts.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cloud/fl/verbs.h"
#include "common/base/blob.h"
#include "common/base/limits.h"
#include "common/model/npz.h"
#include "common/model/safetensors.h"
#include "common/store/file.h"
#include "common/trainer/kit.h"

#define CHECK "trainer check"

enum { COMMAND_MAX = 4096, HEAD_BYTES_MAX = 1 << 20 };
static const uint64_t file_max = FL_VECTOR_BYTES_MAX + HEAD_BYTES_MAX;

// ---- trainer check ----------------------------------------------------------------------------
//  The words as one line for /bin/sh; a single one is such a line already.
static bool
s_command(const fl_conf *conf, char command[COMMAND_MAX])
{
    size_t used = 0;
    const char *word = fl_conf_argument(conf, 0);
    if (fl_conf_argument(conf, 1) == NULL) {
        return (size_t)snprintf(command, COMMAND_MAX, "%s", word) < COMMAND_MAX;
    }
    for (uint32_t i = 0; (word = fl_conf_argument(conf, i)) != NULL; i++) {
        if (used + 4 * strlen(word) + 4 >= COMMAND_MAX) {
            return false;
        }
        used += (size_t)snprintf(command + used, COMMAND_MAX - used, "%s'", i == 0 ? "" : " ");
        for (; *word != '\0'; word++) {
            used += (size_t)snprintf(command + used, COMMAND_MAX - used,
                                     *word == '\'' ? "'\\'%c" : "%c", *word);
        }
        used += (size_t)snprintf(command + used, COMMAND_MAX - used, "'");
    }
    return true;
}

//  "rate=0.1" as a run would set train.rate.
static bool
s_recipe(const fl_conf *conf, fl_recipe *recipe)
{
    uint32_t count;
    const char *const *sets = fl_conf_list(conf, &count);
    for (uint32_t i = 0; i < count; i++) {
        char name[FL_RECIPE_NAME_BYTES] = "", surplus;
        double number;
        if (sscanf(sets[i], "%15[a-z_]=%lf%c", name, &number, &surplus) != 2 || !isfinite(number) ||
            recipe->count + 1 == FL_RECIPE_MAX) {
            return false;
        }
        fl_recipe_put(recipe, name, number);
    }
    return true;
}

static void
s_printed(void *arg, const char *line)
{
    const fl_context *context = arg;
    (void)fprintf(context->err, "  | %s\n", line);
}

static void
s_fine(const fl_context *context, const fl_conf *conf, const fl_kit_found *found)
{
    if (fl_conf_bool(conf, "json")) {
        json_t *all = json_pack("{s:I, s:I, s:I, s:b, s:b, s:b}", "round_ms",
                                (json_int_t)found->fit_ms, "samples", (json_int_t)found->samples,
                                "stop_ms", (json_int_t)found->stop_ms, "same", found->same, "moved",
                                found->moved, "held", found->fences == FL_FENCE_ALL);
        fl_context_print(context, &all);
        return;
    }
    (void)fprintf(context->out, "fine: a round of %u ms, %" PRIu64 " samples", found->fit_ms,
                  found->samples);
    if (found->stop_ms > 0) {
        (void)fprintf(context->out, "; it ends %u ms after SIGTERM", found->stop_ms);
    }
    (void)fprintf(context->out, "%s%s%s\n",
                  found->same ? "" : "\nnote: the same seed gives another update: use FL_SEED",
                  found->moved ? "" : "\nnote: the model did not change",
                  found->fences == FL_FENCE_ALL
                      ? ""
                      : "\nnote: this kernel does not hold it as a device may elsewhere");
}

static fl_status
s_check(const fl_context *context, const fl_conf *conf, fl_once_conf *once, fl_why *why)
{
    const char *path = fl_conf_text(conf, "model");
    fl_blob *file = NULL, *converted = NULL;
    fl_recipe recipe = { 0 };
    fl_kit_found found;
    if (!s_recipe(conf, &recipe)) {
        return fl_fail(FL_RANGE, why, "--set takes NAME=NUMBER, such as rate=0.1");
    }
    fl_status status = path[0] == '\0' ? FL_OK : fl_file_read(path, file_max, &file, why);
    if (status == FL_OK && file != NULL && fl_npz_is(fl_blob_bytes(file))) {
        status = fl_npz_convert(fl_blob_bytes(file), &converted, why);
    }
    const fl_bytes model = converted != NULL ? fl_blob_bytes(converted)
                           : file != NULL    ? fl_blob_bytes(file)
                                             : fl_bytes_of(NULL, 0);
    FL_THEN(status, fl_kit_check(once, model, &recipe, &found, why));
    if (status == FL_OK) {
        s_fine(context, conf, &found);
    }
    fl_blob_unref(&file);
    fl_blob_unref(&converted);
    return status;
}

int
fl_verb_trainer_check(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    char command[COMMAND_MAX], directory[] = "/tmp/fl-trainer-XXXXXX", from[PATH_MAX];
    fl_why why = { "" };
    if (!s_command(conf, command) || getcwd(from, sizeof from) == NULL) {
        return fl_context_fail(context, CHECK, FL_EXIT_USAGE, "the command is too long");
    }
    if (mkdtemp(directory) == NULL) {
        return fl_context_fail(context, CHECK, FL_EXIT_FAILED, "%s: %s", directory,
                               strerror(errno));
    }
    fl_child *standing = NULL;
    fl_once_conf once = { .name = "check",
                          .standing = fl_conf_choice(conf, "form") == 0 ? NULL : &standing,
                          .node = "check",
                          .command = command,
                          .directory = directory,
                          .from = from,
                          .hidden = "",
                          .data = fl_conf_text(conf, "data"),
                          .network = (fl_network)fl_conf_choice(conf, "network"),
                          .disk = fl_conf_bytes(conf, "disk"),
                          .time_max_ms = (uint32_t)fl_conf_ms(conf, "time.max"),
                          .cancel_ms = (uint32_t)fl_conf_ms(conf, "cancel"),
                          .shards = 1,
                          .say = s_printed,
                          .self = (void *)(uintptr_t)context };
    fl_status status = s_check(context, conf, &once, &why);
    fl_status emptied = fl_child_empty(directory, NULL, status == FL_OK ? &why : NULL);
    FL_THEN(status, emptied);
    (void)rmdir(directory);
    return status == FL_OK ? FL_EXIT_OK
                           : fl_context_fail(context, CHECK, FL_EXIT_FAILED, "%s", why.text);
}

// ---- tensors as text --------------------------------------------------------------------------
static fl_status
s_open(const fl_conf *conf, fl_blob **file, fl_safetensors *parts, const fl_tensor **one,
       fl_why *why)
{
    const char *path = fl_conf_argument(conf, 0), *name = fl_conf_argument(conf, 1);
    FL_TRY(fl_file_read(path, file_max, file, why));
    FL_TRY(fl_safetensors_parse(fl_blob_bytes(*file), parts, why));
    *one = name == NULL ? NULL : fl_safetensors_find(parts, name);
    return name == NULL || *one != NULL ? FL_OK
                                        : fl_fail(FL_MISSING, why, "%s has no %s", path, name);
}

//  A tensor's numbers, or without one the dimensions of all; as text, or by name as JSON.
static void
s_show(const fl_context *context, const fl_conf *conf, const fl_safetensors *parts,
       const fl_tensor *one)
{
    json_t *all = json_object();
    const uint64_t rows = one != NULL ? 1 : parts->count;
    for (uint64_t i = 0; i < rows; i++) {
        const fl_tensor *tensor = one != NULL ? one : &parts->tensor[i];
        const uint64_t count = one != NULL ? one->elements : tensor->rank;
        json_t *numbers = json_array();
        for (uint64_t k = 0; k < count; k++) {
            float value = 0;
            if (one != NULL) {
                fl_safetensors_read(parts, one->first + k, 1, &value);
            }
            if (fl_conf_bool(conf, "json")) {
                (void)json_array_append_new(
                    numbers, one != NULL ? json_real((double)value)
                                         : json_integer((json_int_t)tensor->shape[k]));
            } else if (one != NULL) {
                (void)fprintf(context->out, "%.9g\n", (double)value);
            } else {
                (void)fprintf(context->out, "%s %" PRIu64, k == 0 ? tensor->name : "",
                              tensor->shape[k]);
            }
        }
        if (one == NULL && !fl_conf_bool(conf, "json")) {
            (void)fprintf(context->out, "%s\n", count == 0 ? tensor->name : "");
        }
        (void)json_object_set_new(all, tensor->name, numbers);
    }
    if (fl_conf_bool(conf, "json")) {
        fl_context_print(context, &all);
    }
    json_decref(all);
}

int
fl_verb_tensor_get(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    fl_safetensors parts;
    const fl_tensor *one = NULL;
    fl_blob *file = NULL;
    fl_why why = { "" };
    fl_status status = s_open(conf, &file, &parts, &one, &why);
    if (status == FL_OK) {
        s_show(context, conf, &parts, one);
    }
    fl_blob_unref(&file);
    return status == FL_OK
               ? FL_EXIT_OK
               : fl_context_fail(context, "tensor get", fl_context_code(status), "%s", why.text);
}

//  The numbers of the input in place of those of the tensor.
static fl_status
s_replace(const fl_context *context, fl_blob *file, const fl_safetensors *parts,
          const fl_tensor *one, fl_why *why)
{
    float *values = fl_safetensors_values(file, parts->elements) + one->first;
    char surplus;
    for (uint64_t i = 0; i < one->elements; i++) {
        if (fscanf(context->in, "%f", &values[i]) != 1) {
            return fl_fail(FL_MALFORMED, why, "%" PRIu64 " numbers came, %s has %" PRIu64, i,
                           one->name, one->elements);
        }
    }
    return fscanf(context->in, " %c", &surplus) == 1
               ? fl_fail(FL_MALFORMED, why, "more numbers came than the %" PRIu64 " of %s",
                         one->elements, one->name)
               : FL_OK;
}

int
fl_verb_tensor_put(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    fl_safetensors parts;
    const fl_tensor *one = NULL;
    fl_blob *file = NULL, *copy = NULL;
    fl_why why = { "" };
    fl_status status = s_open(conf, &file, &parts, &one, &why);
    if (status == FL_OK) {
        copy = fl_blob_copy(fl_blob_bytes(file));
        status = copy == NULL ? fl_fail(FL_NOMEM, &why, "out of memory")
                              : s_replace(context, copy, &parts, one, &why);
    }
    FL_THEN(status,
            fl_file_deliver(fl_conf_argument(conf, 0), fl_blob_bytes(copy), 0644, false, &why));
    fl_blob_unref(&copy);
    fl_blob_unref(&file);
    return status == FL_OK
               ? FL_EXIT_OK
               : fl_context_fail(context, "tensor put", fl_context_code(status), "%s", why.text);
}
