#include "cloud/run_service.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/run_files.h"
#include "cloud/run_recipe.h"
#include "cloud/scheduler.h"
#include "common/admin/run_json.h"
#include "common/config/clock.h"
#include "common/config/exit_codes.h"

struct fl_run_service {
    fl_run_service_conf conf;
    fl_run_files *files; // the store strand's
};

//  What a question carries besides its number, laid into its blob, with the body behind it.
typedef struct order {
    char argument[FL_TEXT_MAX];
    fl_run_state wanted; // of run-pause, run-resume, run-stop
    fl_ledger_run run;   // that it is about, found on the way
    bool news;           // the root must hear of `run`
    fl_reason trouble;   // runs stand still for it, and nobody paused them
    fl_run_waiting waiting[FL_WAITING_MAX]; // (waiting_count), when this was asked
    uint32_t waiting_count;
} order;

fl_run_service *
fl_run_service_new(const fl_run_service_conf *conf)
{
    fl_run_service *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
        self->files = fl_run_files_new(conf->checkpoints, conf->ledger);
    }
    if (self != NULL && self->files == NULL) {
        fl_run_service_destroy(&self);
    }
    return self;
}

void
fl_run_service_destroy(fl_run_service **self_p)
{
    if (*self_p != NULL) {
        fl_run_files_destroy(&(*self_p)->files);
    }
    free(*self_p);
    *self_p = NULL;
}

static order *
s_order(const fl_question *question)
{
    return (order *)(void *)fl_blob_data(question->made);
}

static fl_bytes
s_body(const fl_question *question)
{
    return fl_bytes_of((const uint8_t *)fl_blob_data(question->made) + sizeof(order),
                       fl_blob_size(question->made) - sizeof(order));
}

static const fl_run_service_conf *
s_conf(const fl_question *question)
{
    const fl_run_service *self = question->self;
    return &self->conf;
}

//  Ends a question whose step failed; true when it did.
static bool
s_failed(fl_question *question, fl_status status, const fl_why *why)
{
    static const uint8_t codes[FL_STATUS_COUNT] = {
        [FL_MISSING] = FL_EXIT_MISSING, [FL_EXISTS] = FL_EXIT_EXISTS,
        [FL_DENIED] = FL_EXIT_REFUSED,  [FL_MALFORMED] = FL_EXIT_USAGE,
        [FL_RANGE] = FL_EXIT_USAGE,     [FL_MISMATCH] = FL_EXIT_DAMAGED,
        [FL_BUSY] = FL_EXIT_BUSY,
    };
    if (status != FL_OK) {
        question->code = codes[status] == 0 ? FL_EXIT_FAILED : codes[status];
        question->json = fl_error_json(why->text);
    }
    return status != FL_OK;
}

static bool
s_find(fl_question *question, const char *which)
{
    fl_why why;
    fl_status status =
        fl_ledger_run_find(s_conf(question)->ledger, which, &s_order(question)->run, &why);
    return !s_failed(question, status, &why);
}

// ---- files ------------------------------------------------------------------------------------
static void
s_put(fl_question *question)
{
    const fl_run_service *self = question->self;
    char hex[2 * sizeof(fl_hash) + 1], surplus;
    uint64_t offset, total, next;
    fl_hash hash;
    fl_why why;
    fl_status status = FL_MALFORMED;
    if (sscanf(s_order(question)->argument, "%64s %" SCNu64 " %" SCNu64 "%c", hex, &offset, &total,
               &surplus) != 3 ||
        !fl_unhex(hex, hash.bytes, sizeof hash.bytes)) {
        fl_why_set(&why, "put takes HASH OFFSET TOTAL");
    } else {
        status = fl_run_files_put(self->files, &hash, offset, total, s_body(question),
                                  fl_clock_ms(), &next, &why);
    }
    if (!s_failed(question, status, &why)) {
        question->json = fl_put_json(next);
    }
}

// ---- submit -----------------------------------------------------------------------------------
//  What the body of `run-submit` says; views into `json`.
typedef struct submission {
    fl_ledger_run run;
    fl_bytes recipe;
} submission;

static fl_status
s_take_submission(const fl_run_service *self, const json_t *json, submission *asked, fl_why *why)
{
    const char *id = json_string_value(json_object_get(json, "run"));
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *recipe = json_object_get(json, "recipe");
    const char *initial = json_string_value(json_object_get(json, "initial"));
    json_int_t priority = json_integer_value(json_object_get(json, "priority"));
    fl_ledger_run *run = &asked->run;
    *asked = (submission){ .run = { .priority = (int32_t)priority } };
    if (id == NULL || !fl_unhex(id, run->run.bytes, sizeof run->run.bytes) || name == NULL ||
        json_string_length(recipe) == 0) {
        return fl_fail(FL_MALFORMED, why, "run-submit takes run, name, recipe and priority");
    }
    if (priority < -FL_PRIORITY_MAX || priority > FL_PRIORITY_MAX) {
        return fl_fail(FL_RANGE, why, "a priority is %d to %d", -FL_PRIORITY_MAX, FL_PRIORITY_MAX);
    }
    if (!fl_run_name_valid(name)) {
        return fl_fail(FL_MALFORMED, why,
                       "'%.40s' is no name of a run: 1 to 31 of a-z 0-9 . -, not "
                       "digits alone",
                       name);
    }
    (void)snprintf(run->name, sizeof run->name, "%s", name);
    asked->recipe = fl_bytes_of(json_string_value(recipe), json_string_length(recipe));
    if (initial != NULL) {
        bool hash = fl_unhex(initial, run->model.bytes, sizeof run->model.bytes);
        run->model_bytes = hash ? fl_run_files_size(self->files, &run->model) : 0;
        return run->model_bytes > 0 ? FL_OK
                                    : fl_fail(FL_MISSING, why,
                                              "the model that the run begins with "
                                              "is not here: put it first");
    }
    return FL_OK;
}

//  Could it be done here at all? A path of the root's machine is not for who submits.
static fl_status
s_fits(const fl_run_service_conf *conf, const submission *asked, fl_why *why)
{
    char hex[2 * sizeof(fl_hash) + 1] = "";
    fl_conf *run = NULL;
    FL_TRY(fl_conf_of_text(&fl_run_program, "recipe", asked->recipe, NULL, 0, &run, why));
    if (asked->run.model_bytes > 0) {
        fl_hex(asked->run.model.bytes, sizeof asked->run.model.bytes, hex);
    }
    bool fits = strcmp(fl_conf_text(run, "model.initial"), hex) == 0;
    if (!fits) {
        fl_why_set(why, "model.initial must be the hash of the file that was put for this run");
    } else if (conf->fits != NULL) {
        fits = conf->fits(conf->self, run, why) == FL_OK;
    }
    fl_conf_destroy(&run);
    return fits ? FL_OK : FL_DENIED;
}

static fl_status
s_store(fl_question *question, const submission *asked, fl_why *why)
{
    const fl_run_service_conf *conf = s_conf(question);
    order *mine = s_order(question);
    char hex[2 * sizeof(fl_run) + 1];
    uint64_t number = 0;
    FL_TRY(s_fits(conf, asked, why));
    fl_status status = fl_ledger_run_submit(conf->ledger, &asked->run, asked->recipe, &number, why);
    mine->news = status == FL_OK;
    if (status == FL_EXISTS && number > 0) {
        status = FL_OK; // the same once more: the answer was lost
    }
    FL_TRY(status);
    fl_hex(asked->run.run.bytes, sizeof asked->run.run.bytes, hex);
    return fl_ledger_run_find(conf->ledger, hex, &mine->run, why);
}

static void
s_submit(fl_question *question)
{
    const fl_run_service *self = question->self;
    fl_bytes body = s_body(question);
    submission asked;
    fl_why why;
    json_t *json = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    fl_status status = s_take_submission(self, json, &asked, &why);
    FL_THEN(status, s_store(question, &asked, &why));
    json_decref(json);
    if (!s_failed(question, status, &why)) {
        const fl_ledger_run *run = &s_order(question)->run;
        fl_why_set(&why, "run %" PRIu64 " (%s) is %s", run->number, run->name,
                   fl_run_state_name(run->state));
        question->json = fl_run_json(run, why.text);
    }
}

// ---- looking ----------------------------------------------------------------------------------
//  The ledger cannot know: it may be what is in trouble.
//  What a run waits for stands where its end will.
static void
s_stand(const order *mine, fl_ledger_run *run)
{
    fl_reason trouble = mine->trouble;
    for (uint32_t i = 0; i < mine->waiting_count && run->state < FL_RUN_PAUSED; i++) {
        if (fl_run_equal(&run->run, &mine->waiting[i].run)) {
            trouble = trouble == FL_WHY_NONE ? mine->waiting[i].trouble : trouble;
            memcpy(run->text, mine->waiting[i].text, sizeof run->text);
        }
    }
    if (trouble != FL_WHY_NONE && run->state == FL_RUN_RUNNING) {
        run->state = FL_RUN_PAUSED;
        run->reason = trouble;
    }
}

static void
s_list(fl_question *question)
{
    uint32_t count = 0;
    fl_why why = { "out of memory" };
    fl_status status = FL_NOMEM;
    fl_ledger_run *runs = calloc(FL_RUNS_JSON_MAX, sizeof *runs);
    if (runs != NULL) {
        status = fl_ledger_runs(s_conf(question)->ledger,
                                strtoull(s_order(question)->argument, NULL, 10), runs,
                                FL_RUNS_JSON_MAX, &count, &why);
    }
    for (uint32_t i = 0; i < count; i++) {
        s_stand(s_order(question), &runs[i]);
    }
    if (!s_failed(question, status, &why)) {
        question->json = fl_runs_json(runs, count);
    }
    free(runs);
}

//  The newest changes, oldest of them first: what is read page by page, and the last of it kept.
static fl_status
s_newest_changes(fl_ledger *ledger, const fl_run *run, fl_ledger_change *room, uint32_t *first,
                 uint32_t *shown, fl_why *why)
{
    enum { PAGE = FL_CHANGES_JSON_MAX };
    uint32_t kept = 0, count = 0;
    uint64_t after = 0;
    do {
        if (count == PAGE) {
            memmove(room, room + kept, PAGE * sizeof *room);
            kept = PAGE;
        }
        FL_TRY(fl_ledger_run_changes(ledger, run, after, room + kept, PAGE, &count, why));
        after = count == 0 ? after : room[kept + count - 1].line;
    } while (count == PAGE);
    *shown = kept + count < PAGE ? kept + count : PAGE;
    *first = kept + count - *shown;
    return FL_OK;
}

static void
s_show(fl_question *question)
{
    order *mine = s_order(question);
    fl_ledger *ledger = s_conf(question)->ledger;
    fl_conf *conf = NULL;
    fl_blob *recipe = NULL;
    fl_ledger_round scored;
    uint32_t first = 0, count = 0;
    fl_why why = { "out of memory" };
    fl_status status = FL_NOMEM;
    if (!s_find(question, mine->argument)) {
        return;
    }
    fl_ledger_change *changes = calloc(2, FL_CHANGES_JSON_MAX * sizeof *changes);
    if (changes != NULL) {
        status = fl_ledger_run_recipe(ledger, &mine->run.run, &recipe, &why);
    }
    FL_THEN(status, s_newest_changes(ledger, &mine->run.run, changes, &first, &count, &why));
    FL_THEN(status, fl_ledger_scored(ledger, &mine->run.run, &scored, &why));
    s_stand(mine, &mine->run);
    if (!s_failed(question, status, &why)) {
        bool known = fl_run_recipe_load(ledger, &mine->run.run, NULL, &conf, &why) == FL_OK;
        question->json = fl_run_whole_json(&mine->run, fl_blob_bytes(recipe),
                                           known && fl_conf_bool(conf, "plan.pin"), &scored.report,
                                           changes + first, count);
    }
    fl_conf_destroy(&conf);
    fl_blob_unref(&recipe);
    free(changes);
}

static void
s_watch(fl_question *question)
{
    order *mine = s_order(question);
    char *which = NULL;
    uint64_t after = strtoull(mine->argument, &which, 10);
    uint32_t count = 0;
    fl_why why = { "out of memory" };
    fl_status status = FL_NOMEM;
    if (!s_find(question, which + strspn(which, " "))) {
        return;
    }
    fl_ledger_event *events = calloc(FL_EVENTS_JSON_MAX, sizeof *events);
    if (events != NULL) {
        status = fl_ledger_events(s_conf(question)->ledger, &mine->run.run, after, events,
                                  FL_EVENTS_JSON_MAX, &count, &why);
    }
    s_stand(mine, &mine->run);
    if (!s_failed(question, status, &why)) {
        question->json = fl_events_json(&mine->run, after, events, count);
    }
    free(events);
}

// ---- pause, resume, stop ----------------------------------------------------------------------
static void
s_enter(fl_question *question)
{
    order *mine = s_order(question);
    fl_ledger_run *run = &mine->run;
    fl_why why;
    if (!s_find(question, mine->argument)) {
        return;
    }
    const fl_reason reason = mine->wanted == FL_RUN_STOPPED ? FL_WHY_STOPPED : FL_WHY_NONE;
    bool already = run->state == mine->wanted && run->reason == reason;
    bool begins = run->state == FL_RUN_QUEUED && mine->wanted == FL_RUN_RUNNING;
    fl_status status = FL_OK;
    if (!already && (begins || !fl_run_state_may(run->state, mine->wanted))) {
        status =
            fl_fail(FL_DENIED, &why, "run %" PRIu64 " (%s) is %s: it cannot be %s", run->number,
                    run->name, fl_run_state_name(run->state), fl_run_state_name(mine->wanted));
    } else if (!already) {
        status = fl_ledger_run_enter(s_conf(question)->ledger, &run->run, mine->wanted, reason, "",
                                     &why);
    }
    if (!s_failed(question, status, &why)) {
        mine->news = !already;
        run->state = mine->wanted;
        run->reason = reason;
        fl_why_set(&why, "run %" PRIu64 " (%s) is %s%s", run->number, run->name,
                   fl_run_state_name(run->state), already ? " already" : "");
        question->json = fl_run_json(run, why.text);
    }
}

// ---- set --------------------------------------------------------------------------------------
//  "KEY=VALUE" of a body, cut in two. False: it is not that.
static bool
s_take_set(fl_bytes body, fl_ledger_change *change)
{
    char set[FL_SETTING_BYTES + FL_VALUE_BYTES];
    if (body.size >= sizeof set) {
        return false;
    }
    (void)snprintf(set, sizeof set, "%.*s", (int)body.size, (const char *)body.data);
    size_t key = strcspn(set, "=");
    if (set[key] != '=' || key == 0 || key >= sizeof change->setting ||
        strlen(set + key + 1) >= sizeof change->new_value) {
        return false;
    }
    set[key] = '\0';
    memcpy(change->setting, set, key + 1);
    memcpy(change->new_value, set + key + 1, strlen(set + key + 1) + 1);
    return true;
}

static fl_status
s_set_priority(fl_question *question, fl_ledger_change *change, fl_why *why)
{
    fl_ledger_run *run = &s_order(question)->run;
    char *end = NULL;
    long priority = strtol(change->new_value, &end, 10);
    if (end == change->new_value || *end != '\0' || priority < -FL_PRIORITY_MAX ||
        priority > FL_PRIORITY_MAX) {
        return fl_fail(FL_RANGE, why,
                       "priority is '%.40s'; it must be a whole number from %d to %d",
                       change->new_value, -FL_PRIORITY_MAX, FL_PRIORITY_MAX);
    }
    (void)snprintf(change->old_value, sizeof change->old_value, "%" PRId32, run->priority);
    run->priority = (int32_t)priority;
    return fl_ledger_run_prefer(s_conf(question)->ledger, &run->run, run->priority, why);
}

//  The new value must be one that the whole recipe holds with.
static fl_status
s_check_set(fl_question *question, const char *set, fl_ledger_change *change, fl_why *why)
{
    const fl_run_service_conf *service = s_conf(question);
    const fl_run *run = &s_order(question)->run.run;
    fl_conf *before = NULL, *after = NULL;
    FL_TRY(fl_run_recipe_load(service->ledger, run, NULL, &before, why));
    fl_status status = fl_run_recipe_load(service->ledger, run, set, &after, why);
    if (status == FL_OK && service->fits != NULL) {
        status = service->fits(service->self, after, why) == FL_OK ? FL_OK : FL_DENIED;
    }
    if (status == FL_OK) {
        (void)snprintf(change->old_value, sizeof change->old_value, "%s",
                       fl_conf_written(before, change->setting));
    }
    fl_conf_destroy(&before);
    fl_conf_destroy(&after);
    return status;
}

static fl_status
s_change(fl_question *question, fl_ledger_change *change, fl_why *why)
{
    const fl_ledger_run *run = &s_order(question)->run;
    char set[FL_SETTING_BYTES + FL_VALUE_BYTES];
    bool priority = strcmp(change->setting, "priority") == 0;
    if (run->state >= FL_RUN_DONE) {
        return fl_fail(FL_DENIED, why, "run %" PRIu64 " (%s) is %s: nothing of it can be changed",
                       run->number, run->name, fl_run_state_name(run->state));
    }
    if (!priority && !fl_run_recipe_may_change(change->setting)) {
        return fl_fail(FL_DENIED, why, "%s is fixed once a run is submitted: submit another run",
                       change->setting);
    }
    change->run = run->run;
    change->round = run->rounds_closed + 1;
    (void)snprintf(change->who, sizeof change->who, "operator");
    (void)snprintf(set, sizeof set, "%s=%s", change->setting, change->new_value);
    FL_TRY(priority ? s_set_priority(question, change, why)
                    : s_check_set(question, set, change, why));
    return fl_ledger_run_change(s_conf(question)->ledger, change, why);
}

static void
s_set(fl_question *question)
{
    fl_ledger_change change = { .line = 0 };
    fl_why why;
    fl_status status = FL_MALFORMED;
    if (!s_find(question, s_order(question)->argument)) {
        return;
    }
    if (!s_take_set(s_body(question), &change)) {
        fl_why_set(&why, "run-set takes KEY=VALUE");
    } else {
        status = s_change(question, &change, &why);
    }
    if (!s_failed(question, status, &why)) {
        const fl_ledger_run *run = &s_order(question)->run;
        s_order(question)->news = true;
        fl_why_set(&why, "run %" PRIu64 " (%s): %s is %s, it was %s", run->number, run->name,
                   change.setting, change.new_value, change.old_value);
        question->json = fl_run_json(run, why.text);
    }
}

// ---- asking -----------------------------------------------------------------------------------
static void
s_tell(fl_question *question)
{
    const fl_run_service_conf *conf = s_conf(question);
    if (s_order(question)->news) {
        conf->told(conf->self, &s_order(question)->run);
    }
}

typedef struct verb {
    const char *name;
    void (*work)(fl_question *question);
    fl_run_state wanted;
} verb;

bool
fl_run_service_ask(fl_run_service *self, uint32_t ticket, const fl_ask *ask)
{
    static const verb verbs[] = {
        { "put", s_put, 0 },
        { "run-submit", s_submit, 0 },
        { "run-list", s_list, 0 },
        { "run-show", s_show, 0 },
        { "run-watch", s_watch, 0 },
        { "run-set", s_set, 0 },
        { "run-pause", s_enter, FL_RUN_PAUSED },
        { "run-resume", s_enter, FL_RUN_RUNNING },
        { "run-stop", s_enter, FL_RUN_STOPPED },
    };
    const verb *asked = NULL;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        asked = strcmp(ask->verb, verbs[i].name) == 0 ? &verbs[i] : asked;
    }
    if (asked == NULL) {
        return false;
    }
    fl_question question = { .ticket = ticket,
                             .self = self,
                             .work = asked->work,
                             .then = s_tell,
                             .made = fl_blob_new(sizeof(order) + ask->body.size) };
    if (question.made == NULL) {
        fl_queries_say(self->conf.queries, ticket, FL_EXIT_FAILED, "out of memory");
        return true;
    }
    order *mine = s_order(&question);
    memcpy(mine->argument, ask->argument, sizeof mine->argument);
    mine->wanted = asked->wanted;
    mine->trouble = self->conf.trouble == NULL ? FL_WHY_NONE : self->conf.trouble(self->conf.self);
    mine->waiting_count =
        self->conf.waiting == NULL ? 0 : self->conf.waiting(self->conf.self, mine->waiting);
    if (ask->body.size > 0) {
        memcpy(mine + 1, ask->body.data, ask->body.size);
    }
    fl_queries_put(self->conf.queries, &question);
    return true;
}
