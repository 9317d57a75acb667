#include "device/trainers.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/base/log.h"
#include "common/store/file.h"
#include "common/trainer/once.h"

enum { FILE_BYTES_MAX = 64 * 1024, NAME_MAX_BYTES = sizeof(fl_name) };

static const fl_setting rows[] = {
    { "command", FL_CONF_TEXT, NULL, 0, 0, NULL,
      "what trains, a line for /bin/sh, which begins in the directory of this file" },
    { "form", FL_CONF_CHOICE, "once", 0, 0, "once|serve",
      "whether it is started in each round, or stays" },
    { "data", FL_CONF_TEXT, "", 0, 0, NULL, "where its samples are: it is told as $FL_DATA" },
    { "network", FL_CONF_CHOICE, "loopback", 0, 0, "loopback|world",
      "what it can reach: itself only, or all that this machine can" },
    { "fence", FL_CONF_CHOICE, "wanted", 0, 0, "wanted|required",
      "whether this device starts where the kernel cannot hold it" },
    { "time_max", FL_CONF_DURATION, "1h", 10, 604800000, NULL, "longest training of one round" },
    { "limits.cancel", FL_CONF_DURATION, "5s", 10, 3600000, NULL,
      "from SIGTERM until it is killed" },
    { "limits.disk", FL_CONF_SIZE, "2GiB", 65536, 1099511627776, NULL,
      "bytes in its own directory, beside the model" },
    { "limits.memory", FL_CONF_SIZE, "0", 0, 1099511627776, NULL,
      "bytes of data of one of its processes; 0: any" },
};

static const fl_program program = { .name = "trainer",
                                    .settings = rows,
                                    .setting_count = sizeof rows / sizeof *rows };

typedef struct entry {
    char name[NAME_MAX_BYTES];
    char path[2 * PATH_MAX], directory[PATH_MAX]; // of its file, and its own
    fl_conf *conf;
    fl_child *standing; // NULL: it does not run
} entry;

typedef struct trainers {
    fl_trainer own;
    uint32_t shard, shards, count;
    bool mute;
    uint64_t samples_min;
    char hidden[PATH_MAX], from[PATH_MAX], node[64];
    atomic_bool cancel;
    entry entry[FL_TRAINERS_MAX];
} trainers;

static entry *
s_find(trainers *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (strcmp(self->entry[i].name, name) == 0) {
            return &self->entry[i];
        }
    }
    return NULL;
}

static void
s_say(void *name, const char *line)
{
    fl_log(FL_LOG_INFO, "trainer-says", fl_log_text("trainer", name), fl_log_text("text", line));
}

static fl_once_conf
s_once(trainers *self, entry *one)
{
    const fl_conf *conf = one->conf;
    return (fl_once_conf){ .name = one->name,
                           .node = self->node,
                           .command = fl_conf_text(conf, "command"),
                           .directory = one->directory,
                           .hidden = self->hidden,
                           .data = fl_conf_text(conf, "data"),
                           .from = self->from,
                           .network = (fl_network)fl_conf_choice(conf, "network"),
                           .memory = fl_conf_bytes(conf, "limits.memory"),
                           .disk = fl_conf_bytes(conf, "limits.disk"),
                           .time_max_ms = (uint32_t)fl_conf_ms(conf, "time_max"),
                           .cancel_ms = (uint32_t)fl_conf_ms(conf, "limits.cancel"),
                           .shard = self->shard,
                           .shards = self->shards,
                           .mute = self->mute,
                           .standing = fl_conf_choice(conf, "form") == 0 ? NULL : &one->standing,
                           .say = s_say,
                           .self = (void *)(uintptr_t)one->name };
}

static fl_status
s_train(void *object, fl_training *training, fl_why *why)
{
    trainers *self = object;
    entry *one = s_find(self, training->order.plan.trainer.name);
    if (one == NULL && self->own.train != NULL) {
        return self->own.train(self->own.self, training, why);
    }
    if (one == NULL) {
        return fl_fail(FL_MISMATCH, why, "this device has only commands of its owner");
    }
    fl_child_end end;
    const fl_once_conf once = s_once(self, one);
    atomic_store(&self->cancel, false);
    fl_status status = fl_once_train(&once, &self->cancel, training, &end, why);
    if (end.left || end.deaf) {
        fl_log(FL_LOG_WARN, "trainer-killed", fl_log_text("trainer", one->name),
               fl_log_text("why", end.deaf ? "it ignores SIGTERM" : "it left processes behind"));
    }
    return status == FL_OK && training->samples < self->samples_min
               ? fl_fail(FL_MISSING, why, "fewer samples than samples_min of this site")
               : status;
}

static void
s_cancel(void *object)
{
    trainers *self = object;
    atomic_store(&self->cancel, true);
    if (self->own.train != NULL) {
        self->own.cancel(self->own.self);
    }
}

static void
s_destroy(void **self_p)
{
    trainers *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        fl_child_close(&self->entry[i].standing);
        fl_conf_destroy(&self->entry[i].conf);
    }
    if (self->own.destroy != NULL) {
        self->own.destroy(&self->own.self);
    }
    free(self);
}

//  What holds of a trainer without limits, in one line; what does not, in another.
static fl_status
s_try_fence(trainers *self, entry *one, fl_why *why)
{
    static const char *const names[] = { "network", "files", "processes" };
    const fl_once_conf once = s_once(self, one);
    char *const environment[] = { NULL };
    const fl_child_conf probe = { .command = ":",
                                  .directory = one->directory,
                                  .from = self->from,
                                  .hidden = self->hidden,
                                  .network = once.network,
                                  .disk = once.disk,
                                  .time_max_ms = 10000,
                                  .cancel_ms = 100,
                                  .environment = environment };
    fl_child_end end;
    char missing[64] = "";
    FL_TRY(fl_child_run(&probe, &end, why));
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t used = strlen(missing);
        bool wanted = i > 0 || once.network != FL_NETWORK_WORLD;
        if (wanted && (end.fences & 1u << i) == 0) {
            (void)snprintf(missing + used, sizeof missing - used, "%s%s", used > 0 ? ", " : "",
                           names[i]);
        }
    }
    if (missing[0] != '\0' && fl_conf_choice(one->conf, "fence") == 1) {
        return fl_fail(FL_DENIED, why,
                       "%s: fence is required, and this kernel gives none around: %s", one->path,
                       missing);
    }
    if (missing[0] != '\0') {
        fl_log(FL_LOG_WARN, "trainer-unfenced", fl_log_text("trainer", one->name),
               fl_log_text("missing", missing));
    }
    fl_log(FL_LOG_INFO, "trainer", fl_log_text("trainer", one->name),
           fl_log_u64("started_in_ms", end.ms));
    return FL_OK;
}

static fl_status
s_add(trainers *self, const char *state, const char *file, size_t length, fl_why *why)
{
    char own[PATH_MAX + 64];
    fl_blob *text = NULL;
    if (self->count == FL_TRAINERS_MAX) {
        return fl_fail(FL_RANGE, why, "%s: more than %d trainers", self->from, FL_TRAINERS_MAX);
    }
    entry *one = &self->entry[self->count];
    fl_name name;
    (void)snprintf(one->name, sizeof one->name, "%.*s", (int)length, file);
    if (length >= sizeof one->name || !fl_name_parse(one->name, &name) ||
        fl_trainer_own(one->name)) {
        return fl_fail(FL_RANGE, why,
                       "%s/%.64s: the name of a trainer is 1 to 15 characters of a-z 0-9 . -, and "
                       "not builtin or synthetic",
                       self->from, file);
    }
    (void)snprintf(one->path, sizeof one->path, "%s/%s", self->from, file);
    (void)snprintf(own, sizeof own, "%s/trainers/%s", state, one->name);
    FL_TRY(fl_file_read(one->path, FILE_BYTES_MAX, &text, why));
    fl_status status =
        fl_conf_of_text(&program, one->path, fl_blob_bytes(text), NULL, 0, &one->conf, why);
    fl_blob_unref(&text);
    FL_TRY(status);
    self->count++;
    FL_TRY(fl_directory_make(own, 0700, why));
    return realpath(own, one->directory) != NULL ? s_try_fence(self, one, why)
                                                 : fl_fail(FL_IO, why, "%s: not found", own);
}

static fl_status
s_read(trainers *self, const fl_trainers_conf *conf, fl_why *why)
{
    static const char ending[] = ".yaml";
    struct dirent **list = NULL;
    fl_status status = FL_OK;
    const bool there = realpath(conf->directory, self->from) != NULL &&
                       realpath(conf->hidden, self->hidden) != NULL;
    int count = there ? scandir(self->from, &list, NULL, alphasort) : -1;
    if (count < 0) {
        return fl_fail(FL_MISSING, why, "trainers: %s is no directory that can be read",
                       conf->directory);
    }
    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;
        const size_t length = strlen(name), end = sizeof ending - 1;
        if (status == FL_OK && name[0] != '.' && length > end &&
            strcmp(name + length - end, ending) == 0) {
            status = s_add(self, conf->state, name, length - end, why);
        }
        free(list[i]);
    }
    free(list);
    return status == FL_OK && self->count == 0
               ? fl_fail(FL_MISSING, why, "trainers: %s has no NAME.yaml", conf->directory)
               : status;
}

fl_status
fl_trainers_open(const fl_trainers_conf *conf, fl_trainer *trainer, fl_why *why)
{
    trainers *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "no memory for a trainer");
    }
    self->shard = conf->shard;
    self->shards = conf->shards;
    self->mute = conf->mute;
    self->samples_min = conf->samples_min;
    (void)snprintf(self->node, sizeof self->node, "%s", conf->node);
    fl_status status = FL_OK;
    if (conf->directory[0] != '\0') {
        (void)prctl(PR_SET_DUMPABLE, 0); // where user namespaces are missing they could read us
        status = s_read(self, conf, why);
    }
    if (status != FL_OK) {
        s_destroy((void **)&self);
        return status;
    }
    self->own = conf->own;
    *trainer = (fl_trainer){ .self = self,
                             .train = s_train,
                             .cancel = s_cancel,
                             .samples = conf->own.samples,
                             .destroy = s_destroy };
    return FL_OK;
}

void
fl_trainers_offer(const void *object, fl_offerings *offers)
{
    const trainers *self = object;
    const fl_name data = offers->of[0].data;
    offers->count = self->own.train != NULL ? offers->count : 0;
    for (uint32_t i = 0; i < self->count; i++) {
        fl_offerings one = { .count = 1, .of = { { .data = data } } };
        bool named = fl_name_parse(self->entry[i].name, &one.of[0].trainer);
        FL_ASSERT(named); // s_add has seen to it
        fl_offerings_add(offers, &one);
    }
}

fl_reason
fl_trainers_judge(const void *object, const fl_order *order, char text[FL_TEXT_MAX])
{
    const trainers *self = object;
    if (order->plan.trainer.name[0] != '\0' || self->own.train != NULL) {
        return FL_WHY_NONE;
    }
    (void)snprintf(text, FL_TEXT_MAX, "this device has only commands; set train.trainer");
    return FL_WHY_NO_TRAINER;
}
