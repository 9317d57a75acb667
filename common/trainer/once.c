#include "common/trainer/once.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/limits.h"
#include "common/base/rng.h"
#include "common/config/clock.h"
#include "common/model/safetensors.h"
#include "common/model/shape.h"
#include "common/store/file.h"

#define MODEL "model.safetensors"
#define UPDATE "update.safetensors"
#define CONFIG "config.json"
#define METRICS "metrics.json"

enum { NO_DATA = 75, CANNOT = 64, METRICS_MAX = 65536, VARIABLES = 24 };
enum { GIVEN_S = 1 }; // when the model was written, so that another time says that it was again
static const uint64_t samples_max = (uint64_t)1 << 40;
static const double loss_max = 1000.0; // more is no news, and its sum must fit

// ---- what it is told --------------------------------------------------------------------------
static fl_status
s_put(const fl_once_conf *conf, const char *name, fl_bytes bytes, ino_t *inode, fl_why *why)
{
    const struct timespec times[2] = { { .tv_sec = GIVEN_S }, { .tv_sec = GIVEN_S } };
    struct stat made = { 0 };
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", conf->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fl_file_why(errno, path, "written", why);
    }
    int error = 0;
    while (bytes.size > 0 && error == 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.size);
        error = wrote < 0 && errno != EINTR ? errno : 0;
        bytes = wrote > 0 ? fl_bytes_of(bytes.data + wrote, bytes.size - (size_t)wrote) : bytes;
    }
    if (error == 0 && (futimens(fd, times) != 0 || fstat(fd, &made) != 0)) {
        error = errno;
    }
    *inode = made.st_ino;
    (void)close(fd);
    return error == 0 ? FL_OK : fl_file_why(error, path, "written", why);
}

//  53 bits, so that a number of any language holds it.
static uint64_t
s_seed(const fl_once_conf *conf, const fl_order *order)
{
    const fl_rng plan = fl_rng_seeded(order->plan.seed);
    const fl_rng round = fl_rng_split(&plan, order->round);
    fl_rng shard = fl_rng_split(&round, conf->shard);
    return fl_rng_u64(&shard) >> 11;
}

static fl_status
s_config(const fl_once_conf *conf, const fl_training *training, fl_why *why)
{
    const fl_order *order = &training->order;
    const fl_recipe *recipe = &order->plan.recipe;
    json_t *config =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I}", "protocol", FL_ONCE_PROTOCOL, "run",
                  order->plan.run, "trainer", conf->name, "round", (json_int_t)order->round, "seed",
                  (json_int_t)s_seed(conf, order), "elements", (json_int_t)order->elements,
                  "budget_ms", (json_int_t)conf->time_max_ms);
    json_t *values = json_object();
    for (uint32_t i = 0; i < recipe->count; i++) {
        const double number = recipe->value[i].number;
        const bool whole = floor(number) == number && fabs(number) < 0x1.0p53;
        (void)json_object_set_new(values, recipe->value[i].name,
                                  whole ? json_integer((json_int_t)number) : json_real(number));
    }
    bool made = json_object_set_new(config, "train", values) == 0; // NULLs too
    if (order->draw > 0) {
        made = made && json_object_set_new(config, "draw", json_integer(order->draw)) == 0 &&
               json_object_set_new(config, "share", json_real(0.5)) == 0;
    }
    char *text = made ? json_dumps(config, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(config);
    if (text == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    fl_status status = s_put(conf, CONFIG, fl_bytes_of(text, strlen(text)), &(ino_t){ 0 }, why);
    free(text);
    return status;
}

static fl_status
s_prepare(const fl_once_conf *conf, const fl_training *training, ino_t *given, fl_why *why)
{
    static const char *const keep[] = { "keep", NULL };
    static const char *const ours[] = { METRICS, CONFIG };
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/keep", conf->directory);
    const bool stays = conf->standing != NULL && *conf->standing != NULL;
    for (size_t i = 0; stays && i < sizeof ours / sizeof *ours; i++) {
        char old[PATH_MAX]; // who stays has files of its own there
        (void)snprintf(old, sizeof old, "%s/%s", conf->directory, ours[i]);
        (void)unlink(old);
    }
    FL_TRY(stays ? FL_OK : fl_child_empty(conf->directory, keep, why));
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fl_file_why(errno, path, "made", why);
    }
    FL_TRY(conf->standing != NULL ? FL_OK : s_put(conf, MODEL, training->model, given, why));
    return s_config(conf, training, why);
}

//  All that its environment is; each ours to free.
typedef struct variables {
    char *text[VARIABLES + 1];
    int count;
} variables;

__attribute__((format(printf, 2, 3))) static void
s_set(variables *self, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    if (self->count < VARIABLES && vasprintf(&self->text[self->count], format, list) >= 0) {
        self->count++;
    }
    va_end(list);
}

static void
s_environment(const fl_once_conf *conf, const fl_order *order, variables *self)
{
    static const char *const passed[] = { "PATH", "LANG", "LD_LIBRARY_PATH", "OMP_NUM_THREADS",
                                          "CUDA_VISIBLE_DEVICES" };
    *self = (variables){ .count = 0 };
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const char *value = getenv(passed[i]);
        if (value != NULL) {
            s_set(self, "%s=%s", passed[i], value);
        }
    }
    static const char *const homes[] = { "HOME", "TMPDIR", "FL_DIR" };
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        s_set(self, "%s=%s", homes[i], conf->directory);
    }
    s_set(self, "FL_DO=fit");
    s_set(self, "FL_PROTOCOL=%d", FL_ONCE_PROTOCOL);
    s_set(self, "FL_CONFIG=%s/" CONFIG, conf->directory);
    s_set(self, "FL_DEVICE=%s", conf->node);
    s_set(self, "FL_DATA=%s", conf->data);
    s_set(self, "FL_INDEX=%u", conf->shard);
    s_set(self, "FL_OF=%u", conf->shards);
    s_set(self, "FL_ROUND=%" PRIu64, order->round);
    s_set(self, "FL_SEED=%" PRIu64, s_seed(conf, order));
    if (conf->standing != NULL) {
        s_set(self, "FL_TRAINER_IN=%d", FL_FENCE_ASKED);
        s_set(self, "FL_TRAINER_OUT=%d", FL_FENCE_ANSWER);
        s_set(self, "FL_MODEL=/proc/self/fd/%d", FL_FENCE_MODEL);
        s_set(self, "FL_UPDATE=/proc/self/fd/%d", FL_FENCE_UPDATE);
    } else {
        s_set(self, "FL_MODEL=%s/" MODEL, conf->directory);
    }
}

// ---- what came of it --------------------------------------------------------------------------
//  A regular file of its directory: the child could have made anything else.
static int
s_open(const fl_once_conf *conf, const char *name, struct stat *seen)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", conf->directory, name);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, seen) != 0 || !S_ISREG(seen->st_mode))) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool
s_pread(int fd, void *to, size_t size, uint64_t at)
{
    uint8_t *next = to;
    while (size > 0) {
        ssize_t got = pread(fd, next, size, (off_t)at);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got > 0) {
            next += got;
            at += (uint64_t)got;
            size -= (size_t)got;
        }
    }
    return true;
}

//  The header of a file; where its data begin.
static fl_status
s_head(int fd, uint64_t size, fl_safetensors *file, uint64_t *data, fl_why *why)
{
    uint8_t length[8] = { 0 };
    fl_reader reader = fl_reader_of(fl_bytes_of(length, sizeof length));
    if (!s_pread(fd, length, sizeof length, 0)) {
        return fl_fail(FL_MALFORMED, why, "safetensors: the file is cut off");
    }
    const uint64_t head = fl_read_u64(&reader);
    if (head > FL_SAFETENSORS_HEADER_MAX || head + sizeof length > size) {
        return fl_fail(FL_MALFORMED, why, "safetensors: no header: not a model?");
    }
    fl_blob *text = fl_blob_new((size_t)head);
    *data = head + sizeof length;
    fl_status status = text == NULL ? fl_fail(FL_NOMEM, why, "out of memory") : FL_OK;
    if (status == FL_OK && !s_pread(fd, fl_blob_data(text), (size_t)head, sizeof length)) {
        status = fl_fail(FL_MALFORMED, why, "safetensors: the file is cut off");
    }
    FL_THEN(status, fl_safetensors_parse_head(fl_blob_bytes(text), size - *data, file, why));
    fl_blob_unref(&text);
    return status;
}

//  It has the tensors of the model, in whatever order.
static fl_status
s_same(const fl_safetensors *model, const fl_safetensors *file, const char *name, fl_why *why)
{
    for (uint32_t i = 0; i < model->count; i++) {
        const fl_tensor *wanted = &model->tensor[i];
        const fl_tensor *found = fl_safetensors_find(file, wanted->name);
        char needs[96], has[96];
        fl_shape_dimensions(wanted, needs, sizeof needs);
        if (found == NULL) {
            return fl_fail(FL_MALFORMED, why, "missing: %s has no %s, the model has it as %s", name,
                           wanted->name, needs);
        }
        fl_shape_dimensions(found, has, sizeof has);
        if (strcmp(needs, has) != 0) {
            return fl_fail(FL_MALFORMED, why, "shape: %s in %s is %s, the model's is %s",
                           wanted->name, name, has, needs);
        }
    }
    for (uint32_t i = 0; i < file->count; i++) {
        if (fl_safetensors_find(model, file->tensor[i].name) == NULL) {
            return fl_fail(FL_MALFORMED, why, "unknown: %s has %s, the model has no such tensor",
                           name, file->tensor[i].name);
        }
    }
    return FL_OK;
}

typedef struct source {
    int fd;
    uint64_t data;
    const char *name;
    bool trained; // the model; else the difference
} source;

//  One tensor of it into the update, piece by piece: each value is read once.
static fl_status
s_take(const source *from, const fl_safetensors *model, const fl_tensor *wanted,
       const fl_tensor *found, float *update, fl_why *why)
{
    float received[16384];
    const uint64_t most = sizeof received / sizeof *received;
    for (uint64_t done = 0; done < wanted->elements; done += most) {
        const uint64_t left = wanted->elements - done, count = left < most ? left : most;
        float *to = update + wanted->first + done;
        if (!s_pread(from->fd, to, (size_t)count * sizeof *to,
                     from->data + (found->first + done) * sizeof *to)) {
            return fl_fail(FL_MALFORMED, why, "junk: %s became shorter", from->name);
        }
        if (from->trained) {
            fl_safetensors_read(model, wanted->first + done, count, received);
        }
        for (uint64_t i = 0; i < count; i++) {
            to[i] -= from->trained ? received[i] : 0.0f;
            if (!isfinite(to[i])) {
                return fl_fail(FL_MALFORMED, why,
                               "nan: %s in %s is no finite number at its value %llu: a smaller "
                               "train.rate, or a check in your loop, helps",
                               wanted->name, from->name, (unsigned long long)(done + i));
            }
        }
    }
    return FL_OK;
}

static fl_status
s_take_all(const source *from, uint64_t size, const fl_safetensors *model, fl_training *training,
           fl_why *why)
{
    fl_safetensors file;
    source self = *from;
    fl_why said = { "" };
    fl_status status = s_head(from->fd, size, &file, &self.data, &said);
    if (status != FL_OK) {
        return fl_fail(FL_MALFORMED, why, "%s: %s: %.300s",
                       status == FL_MISMATCH ? "dtype" : "junk", from->name, said.text);
    }
    FL_TRY(s_same(model, &file, from->name, why));
    for (uint32_t i = 0; i < model->count; i++) {
        const fl_tensor *wanted = &model->tensor[i];
        FL_TRY(s_take(&self, model, wanted, fl_safetensors_find(&file, wanted->name),
                      training->update, why));
    }
    return FL_OK;
}

//  The difference, if it was written, else the model, if that is another file now.
static fl_status
s_update(const fl_once_conf *conf, ino_t given, const fl_safetensors *model, fl_training *training,
         fl_why *why)
{
    struct stat seen;
    source from = { .name = UPDATE, .fd = s_open(conf, UPDATE, &seen) };
    if (from.fd < 0) {
        from = (source){ .name = MODEL, .trained = true, .fd = s_open(conf, MODEL, &seen) };
        bool written = from.fd >= 0 && (seen.st_ino != given || seen.st_mtim.tv_sec != GIVEN_S);
        if (!written) {
            (void)(from.fd >= 0 && close(from.fd));
            return fl_fail(FL_MALFORMED, why,
                           "nothing: it wrote neither " UPDATE " (trained minus received) nor "
                           "another " MODEL " (the trained model) into FL_DIR");
        }
    }
    fl_status status = s_take_all(&from, (uint64_t)seen.st_size, model, training, why);
    (void)close(from.fd);
    return status;
}

//  All of the image of one that stays: the model's own header, which is compared and not parsed,
//  says that it was written.
static fl_status
s_update_shared(const fl_image *image, const fl_safetensors *model, fl_training *training,
                fl_why *why)
{
    uint8_t head[4096];
    const source from = { .fd = image->update,
                          .data = image->size - model->data.size,
                          .name = "the update",
                          .trained = true };
    for (uint64_t at = 0; at < from.data; at += sizeof head) {
        const size_t left = (size_t)(from.data - at),
                     size = left < sizeof head ? left : sizeof head;
        if (!s_pread(from.fd, head, size, at) ||
            memcmp(head, training->model.data + at, size) != 0) {
            return fl_fail(FL_MALFORMED, why,
                           "nothing: FL_UPDATE does not begin with the header of FL_MODEL: write "
                           "the values of the trained model there, and the header last");
        }
    }
    for (uint32_t i = 0; i < model->count; i++) {
        const fl_tensor *one = &model->tensor[i];
        FL_TRY(s_take(&from, model, one, one, training->update, why));
    }
    return FL_OK;
}

//  Loss and accuracy are of the model that was given, over `evaluated` samples.
static fl_status
s_scores(const fl_once_conf *conf, const json_t *metrics, fl_training *training, fl_why *why)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)metrics, name, value)
    {
        if (!json_is_number(value)) {
            return fl_fail(FL_MALFORMED, why, "metric: %.40s in " METRICS " is no number", name);
        }
    }
    const json_t *loss = json_object_get(metrics, "loss");
    const json_t *count = json_object_get(metrics, "evaluated");
    const double evaluated = count == NULL ? (double)training->samples : json_number_value(count);
    const double accuracy = json_number_value(json_object_get(metrics, "accuracy"));
    if (loss == NULL || conf->mute || training->order.draw > 0) {
        return FL_OK;
    }
    if (!(evaluated >= 0 && evaluated <= 0x1.0p32 && accuracy >= 0 && accuracy <= 1)) {
        return fl_fail(FL_MALFORMED, why,
                       "metric: accuracy must be 0 to 1, evaluated a number of samples");
    }
    const double mean = json_number_value(loss);
    const double sum = (mean >= 0 && mean < loss_max ? mean : loss_max) * evaluated;
    training->stats[FL_STAT_LOSS] = (uint64_t)llround(sum * 0x1.0p20);
    training->stats[FL_STAT_CORRECT] = (uint64_t)llround(accuracy * evaluated);
    training->stats[FL_STAT_EVALUATED] = (uint64_t)evaluated;
    return FL_OK;
}

static fl_status
s_metrics(const fl_once_conf *conf, fl_training *training, fl_why *why)
{
    char text[METRICS_MAX];
    struct stat seen;
    json_error_t error;
    int fd = s_open(conf, METRICS, &seen);
    const ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);
    (void)(fd >= 0 && close(fd));
    if (size < 0) {
        return fl_fail(FL_MALFORMED, why,
                       "samples: there is no " METRICS ": write {\"samples\": N}, on how many the "
                       "model was trained");
    }
    json_t *metrics = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, &error);
    const json_t *samples = json_object_get(metrics, "samples");
    const json_t *protocol = json_object_get(metrics, "protocol");
    fl_status status = FL_OK;
    if (!json_is_object(metrics)) {
        status = fl_fail(FL_MALFORMED, why, "metric: " METRICS " is no JSON object: %s",
                         metrics == NULL ? error.text : "it is something else");
    } else if (protocol != NULL && json_integer_value(protocol) != FL_ONCE_PROTOCOL) {
        status = fl_fail(FL_MALFORMED, why, "version: it speaks protocol %lld, this device %d",
                         (long long)json_integer_value(protocol), FL_ONCE_PROTOCOL);
    } else if (!json_is_integer(samples) || json_integer_value(samples) < 0 ||
               (uint64_t)json_integer_value(samples) > samples_max) {
        status = fl_fail(FL_MALFORMED, why,
                         "samples: samples in " METRICS " must be a whole number, at least 0");
    } else {
        training->samples = (uint64_t)json_integer_value(samples);
        status = training->samples > 0 ? s_scores(conf, metrics, training, why)
                                       : fl_fail(FL_MISSING, why, "no-data: it has no sample");
    }
    json_decref(metrics);
    return status;
}

//  Of a command that did not end well; what it printed last is its own word for it.
static fl_status
s_ended(const fl_once_conf *conf, const fl_child_end *end, fl_why *why)
{
    const char *last = end->last[0] != '\0' ? end->last : "it printed nothing";
    if (end->how == FL_CHILD_CANCELLED) {
        return fl_fail(FL_BUSY, why, end->deaf ? "ignores cancel: killed" : "cancelled");
    }
    if (end->how == FL_CHILD_LATE) {
        return fl_fail(FL_MALFORMED, why, "late: not done in %u ms%s", conf->time_max_ms,
                       end->deaf ? "; it ignores SIGTERM and was killed" : "");
    }
    if (end->how == FL_CHILD_DISK) {
        return fl_fail(FL_MALFORMED, why,
                       "disk: its directory may hold %llu bytes beside the model: write less, or "
                       "raise limits.disk",
                       (unsigned long long)conf->disk);
    }
    if (end->how == FL_CHILD_SIGNAL) {
        return fl_fail(FL_MALFORMED, why, "crash: %s; %s", strsignal(end->code), last);
    }
    return end->code == 0         ? FL_OK
           : end->code == NO_DATA ? fl_fail(FL_MISSING, why, "no-data: %s", last)
           : end->code == CANNOT
               ? fl_fail(FL_MISMATCH, why, "cannot: %s", last)
               : fl_fail(FL_MALFORMED, why, "raised: exit code %d; %s", end->code, last);
}

//  A line of one that stays, which says in numbers what an exit code would. `more`: it only said
//  that it is there.
static fl_status
s_answer(const char *text, uint64_t id, bool *more, fl_child_end *end, fl_why *why)
{
    json_error_t error;
    json_t *said = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    const json_t *code = json_object_get(said, "code"), *its = json_object_get(said, "id");
    const json_t *is = json_object_get(said, "is"), *protocol = json_object_get(said, "protocol");
    const char *words = json_string_value(json_object_get(said, "text"));
    fl_status status = FL_OK;
    *more = json_is_string(is) && strcmp(json_string_value(is), "hello") == 0;
    if (*more && json_integer_value(protocol) != FL_ONCE_PROTOCOL) {
        status = fl_fail(FL_MALFORMED, why, "version: it speaks protocol %lld, this device %d",
                         (long long)json_integer_value(protocol), FL_ONCE_PROTOCOL);
    } else if (!*more && (!json_is_integer(code) || !json_is_integer(its) ||
                          (uint64_t)json_integer_value(its) != id)) {
        status = fl_fail(FL_MALFORMED, why, "junk: this is no answer to %llu: %.100s",
                         (unsigned long long)id, text);
    } else if (!*more) {
        *end = (fl_child_end){ .how = FL_CHILD_EXIT,
                               .ms = end->ms,
                               .fences = end->fences,
                               .code = (int)(json_integer_value(code) & 255) };
        (void)snprintf(end->last, sizeof end->last, "%s", words == NULL ? "" : words);
    }
    json_decref(said);
    return status;
}

//  One that stays is ended when it did not answer as it should, and begun anew in the next round.
static fl_status
s_ask(const fl_once_conf *conf, const fl_child_conf *child, fl_bytes model, fl_child_end *end,
      fl_why *why)
{
    char line[64];
    bool more = false;
    const uint64_t id = (uint64_t)fl_clock_ms();
    if (*conf->standing == NULL) {
        FL_TRY(fl_child_start(child, conf->standing, why));
    }
    FL_TRY(fl_image_give(fl_child_image(*conf->standing), model, why));
    (void)snprintf(line, sizeof line, "{\"id\":%" PRIu64 ",\"do\":\"fit\"}\n", id);
    const char *said = fl_child_ask(*conf->standing, line, end);
    fl_status status = FL_OK;
    while (said != NULL && (status = s_answer(said, id, &more, end, why)) == FL_OK && more) {
        said = fl_child_ask(*conf->standing, NULL, end);
    }
    if (said == NULL && end->how == FL_CHILD_EXIT && end->code == 0) {
        status = fl_fail(FL_MALFORMED, why, "ended: it ended without an answer; %s", end->last);
    }
    if (said == NULL || status != FL_OK) {
        fl_child_close(conf->standing);
    }
    return status;
}

static fl_status
s_run(const fl_once_conf *conf, const atomic_bool *cancel, const fl_training *training,
      fl_child_end *end, fl_why *why)
{
    variables all;
    s_environment(conf, &training->order, &all);
    const fl_child_conf child = { .command = conf->command,
                                  .directory = conf->directory,
                                  .from = conf->from,
                                  .hidden = conf->hidden,
                                  .network = conf->network,
                                  .memory = conf->memory,
                                  .disk = conf->disk + 3 * (uint64_t)training->model.size,
                                  .time_max_ms = conf->time_max_ms,
                                  .cancel_ms = conf->cancel_ms,
                                  .stays = conf->standing != NULL ? training->model.size : 0,
                                  .environment = all.text,
                                  .cancel = cancel,
                                  .say = conf->say,
                                  .self = conf->self };
    fl_status status = conf->standing == NULL ? fl_child_run(&child, end, why)
                                              : s_ask(conf, &child, training->model, end, why);
    for (int i = 0; i < all.count; i++) {
        free(all.text[i]);
    }
    return status == FL_OK ? s_ended(conf, end, why) : status;
}

fl_status
fl_once_train(const fl_once_conf *conf, const atomic_bool *cancel, fl_training *training,
              fl_child_end *end, fl_why *why)
{
    const fl_time begun = fl_clock_ms();
    fl_safetensors model;
    ino_t given = 0;
    *end = (fl_child_end){ .how = FL_CHILD_EXIT };
    memset(training->stats, 0, sizeof training->stats);
    training->samples = 0;
    if (fl_safetensors_parse(training->model, &model, why) != FL_OK) {
        return FL_MISMATCH;
    }
    if (model.elements != training->order.elements) {
        return fl_fail(FL_MISMATCH, why, "the model has another length than the round");
    }
    const bool stays = conf->standing != NULL;
    if (stays && *conf->standing != NULL &&
        fl_child_image(*conf->standing)->size != training->model.size) {
        fl_child_close(conf->standing); // another run's model
    }
    fl_status status = s_prepare(conf, training, &given, why);
    if (status != FL_OK && stays) {
        fl_child_close(conf->standing); // it may be in the way
    }
    FL_TRY(status);
    FL_TRY(s_run(conf, cancel, training, end, why));
    FL_TRY(s_metrics(conf, training, why));
    FL_TRY(stays ? s_update_shared(fl_child_image(*conf->standing), &model, training, why)
                 : s_update(conf, given, &model, training, why));
    training->stats[FL_STAT_SAMPLES] = training->samples;
    training->stats[FL_STAT_TRAIN_MS] = (uint64_t)(fl_clock_ms() - begun);
    return FL_OK;
}
