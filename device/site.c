#include "device/site.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

enum { WAITING_MAX = 8, HASH_LEAST = 8, HASH_TEXT = 2 * sizeof(fl_hash), FILE_MAX = 256 * 1024 };

static const fl_setting rows[] = {
    { "runs", FL_CONF_TEXT, "*", 0, 0, NULL,
      "names of runs to take part in, with * and ?, a comma between two" },
    { "samples_min", FL_CONF_INT, "1", 1, 1000000000, NULL,
      "with fewer samples this device takes part in nothing" },
    { "hours", FL_CONF_TEXT, "", 0, 0, NULL,
      "local time in which rounds are taken, HH:MM-HH:MM; without: always" },
    { "steps_max", FL_CONF_INT, "0", 0, 1000000000, NULL,
      "most batches of one round; the update of those counts in part; 0: any" },
    { "time_max", FL_CONF_DURATION, "0ms", 0, 86400000, NULL,
      "longest training of one round, likewise; 0: any" },
    { "scores", FL_CONF_BOOL, "true", 0, 0, NULL,
      "whether loss and accuracy on the samples here may leave" },
    { "approval", FL_CONF_CHOICE, "automatic", 0, 0, "automatic|needed",
      "whether a run that is seen for the first time waits for 'fl approve'" },
};

typedef struct line {
    char text[HASH_TEXT + 1 + sizeof((fl_plan *)0)->run]; // "HASH name"
} line;

struct fl_site {
    fl_conf *conf;
    char path[FL_STATE_PATH_MAX]; // of the approved ...
    char *approved;               // ... and its lines
    line waiting[WAITING_MAX];    // a ring
    uint32_t waits;
    const uint64_t *samples;
};

//  Minutes since midnight. False: no times of a day.
static bool
s_minutes(const char *text, int *from, int *to)
{
    unsigned h[2], m[2];
    int end = 0;
    bool read = sscanf(text, "%2u:%2u-%2u:%2u%n", &h[0], &m[0], &h[1], &m[1], &end) == 4 &&
                text[end] == '\0' && h[0] < 24 && h[1] < 24 && m[0] < 60 && m[1] < 60;
    *from = read ? (int)(h[0] * 60 + m[0]) : 0;
    *to = read ? (int)(h[1] * 60 + m[1]) : 0;
    return *from != *to;
}

static fl_status
s_check(const fl_conf *conf, fl_why *why)
{
    int from, to;
    const char *hours = fl_conf_text(conf, "hours");
    return hours[0] == '\0' || s_minutes(hours, &from, &to)
               ? FL_OK
               : fl_fail(FL_RANGE, why, "hours: '%.40s' is no HH:MM-HH:MM", hours);
}

static const fl_program program = {
    .name = "site", .settings = rows, .setting_count = sizeof rows / sizeof *rows, .check = s_check
};

//  What was approved; "" when nothing was.
static fl_status
s_load(fl_site *self, const char *directory, fl_why *why)
{
    fl_blob *file = NULL;
    FL_TRY(fl_state_dir_path(directory, "approved", self->path, why));
    fl_status status = fl_file_read(self->path, FILE_MAX, &file, why);
    if (status != FL_OK && status != FL_MISSING) {
        return status;
    }
    const fl_bytes text = file == NULL ? fl_bytes_of("", 0) : fl_blob_bytes(file);
    self->approved = strndup((const char *)text.data, text.size);
    fl_blob_unref(&file);
    return self->approved == NULL ? fl_fail(FL_NOMEM, why, "out of memory") : FL_OK;
}

fl_status
fl_site_open(const char *path, const char *directory, const uint64_t *samples, fl_site **site,
             fl_why *why)
{
    fl_blob *file = NULL;
    fl_site *self = calloc(1, sizeof *self);
    fl_status status = self == NULL ? fl_fail(FL_NOMEM, why, "out of memory") : FL_OK;
    FL_THEN(status, fl_file_read(path, FILE_MAX, &file, why));
    FL_THEN(status,
            fl_conf_of_text(&program, path, fl_blob_bytes(file), NULL, 0, &self->conf, why));
    FL_THEN(status, s_load(self, directory, why));
    fl_blob_unref(&file);
    if (status != FL_OK) {
        fl_site_close(&self);
    } else {
        self->samples = samples;
    }
    *site = self;
    return status;
}

void
fl_site_close(fl_site **self_p)
{
    fl_site *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_conf_destroy(&self->conf);
        free(self->approved);
        free(self);
    }
}

const fl_conf *
fl_site_conf(const fl_site *self)
{
    return self->conf;
}

fl_reason
fl_site_hours(const fl_site *self, const struct tm *now)
{
    int from, to, at = now->tm_hour * 60 + now->tm_min;
    bool bound = s_minutes(fl_conf_text(self->conf, "hours"), &from, &to);
    bool within = from < to ? at >= from && at < to : at >= from || at < to; // over midnight
    return !bound || within ? FL_WHY_NONE : FL_WHY_HOURS;
}

// ---- which runs -------------------------------------------------------------------------------
static bool
s_named(const fl_site *self, const char *run)
{
    char patterns[FL_CONF_TEXT_MAX], *rest = NULL;
    bool named = false;
    (void)snprintf(patterns, sizeof patterns, "%s", fl_conf_text(self->conf, "runs"));
    for (char *one = strtok_r(patterns, ", ", &rest); one != NULL;
         one = strtok_r(NULL, ", ", &rest)) {
        named = named || fnmatch(one, run, 0) == 0;
    }
    return named;
}

//  The one that waits whose hash begins so.
static line *
s_waits(fl_site *self, const char *hash)
{
    size_t length = strlen(hash);
    for (uint32_t i = 0; i < WAITING_MAX && length >= HASH_LEAST; i++) {
        if (strncmp(self->waiting[i].text, hash, length) == 0) {
            return &self->waiting[i];
        }
    }
    return NULL;
}

static fl_reason
s_judge(fl_site *self, const char *run, const char *hash, bool own, char text[FL_TEXT_MAX])
{
    if (!s_named(self, run)) {
        (void)snprintf(text, FL_TEXT_MAX, "this site takes no part in a run of that name");
        return FL_WHY_SITE;
    }
    if (own && *self->samples < (uint64_t)fl_conf_int(self->conf, "samples_min")) {
        (void)snprintf(text, FL_TEXT_MAX, "this site has fewer samples than its samples_min");
        return FL_WHY_SITE;
    }
    if (fl_conf_choice(self->conf, "approval") == 0 || strstr(self->approved, hash) != NULL) {
        return FL_WHY_NONE;
    }
    if (s_waits(self, hash) == NULL) {
        line *at = &self->waiting[self->waits++ % WAITING_MAX];
        (void)snprintf(at->text, sizeof at->text, "%s %s", hash, run);
    }
    (void)snprintf(text, FL_TEXT_MAX, "not approved here yet: fl approve %.*s", HASH_LEAST, hash);
    return FL_WHY_APPROVAL;
}

fl_reason
fl_site_judge(void *self, const fl_order *order, char text[FL_TEXT_MAX])
{
    char hash[HASH_TEXT + 1];
    fl_hex(order->manifest.bytes, sizeof order->manifest.bytes, hash);
    const bool own = fl_trainer_own(order->plan.trainer.name); // a command says how many it has
    fl_reason reason = s_judge(self, order->plan.run, hash, own, text);
    const fl_log_pair run = fl_log_text("name", order->plan.run);
    if (reason == FL_WHY_NONE) {
        fl_log(FL_LOG_INFO, "site-grants", run, fl_log_u64("of_round", order->round),
               fl_log_text("manifest", hash));
    } else {
        fl_log(FL_LOG_WARN, "site-refuses", run, fl_log_u64("of_round", order->round),
               fl_log_text("manifest", hash), fl_log_text("reason", fl_reason_name(reason)),
               fl_log_text("why", text));
    }
    return reason;
}

// ---- approvals --------------------------------------------------------------------------------
//  One more line; it holds once it is kept.
static fl_status
s_approve(fl_site *self, const char *text, fl_why *why)
{
    const size_t before = strlen(self->approved), more = strlen(text) + 1;
    char *all = realloc(self->approved, before + more + 1);
    if (all == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->approved = all;
    (void)snprintf(all + before, more + 1, "%s\n", text);
    fl_status status = fl_file_write(self->path, fl_bytes_of(all, before + more), 0600, why);
    all[status == FL_OK ? before + more : before] = '\0';
    fl_log(FL_LOG_INFO, "site-approves", fl_log_text("manifest", text));
    return status;
}

fl_status
fl_site_approve(fl_site *self, const char *hash, char **said, fl_why *why)
{
    size_t size = 0;
    line *waits = s_waits(self, hash);
    bool whole = strspn(hash, "0123456789abcdef") == HASH_TEXT && hash[HASH_TEXT] == '\0';
    if (waits != NULL || whole) {
        FL_TRY(s_approve(self, waits != NULL ? waits->text : hash, why));
    } else if (hash[0] != '\0') {
        return fl_fail(FL_MISSING, why, "no run waits here whose manifest begins '%.64s'", hash);
    }
    if (waits != NULL) {
        waits->text[0] = '\0';
    }
    FILE *out = open_memstream(said, &size);
    if (out == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    (void)fprintf(out, "approved:\n%swaiting:", self->approved);
    for (uint32_t i = 0; i < WAITING_MAX; i++) {
        const char *text = self->waiting[i].text;
        (void)fprintf(out, "%s%s", text[0] != '\0' ? "\n" : "", text);
    }
    (void)fclose(out);
    return FL_OK;
}
