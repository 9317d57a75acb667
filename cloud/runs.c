#include "cloud/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/runtime/durable.h"

enum { RETRY_MS = 5000, ROWS = 64 };

typedef enum step {
    RESTS,   // nothing is in hand
    OPENS,   // the store looks for the next run
    RUNS,    // the machine has it
    RECORDS, // the store writes how it ended
} step;

struct fl_runs {
    fl_runs_conf conf;
    step step;
    bool again;    // woken meanwhile
    fl_live_run *live;
    fl_run current;
    fl_root_view ended;
    fl_time retry_at;
    //  between the store's strand and ours
    fl_status status;
    fl_why why;
    fl_ledger_run row;
};

fl_runs *
fl_runs_new(const fl_runs_conf *conf)
{
    fl_runs *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
        self->retry_at = FL_NEVER;
    }
    return self;
}

void
fl_runs_destroy(fl_runs **self_p)
{
    if (*self_p != NULL) {
        fl_live_run_close(&(*self_p)->live);
    }
    free(*self_p);
    *self_p = NULL;
}

const fl_run *
fl_runs_current(const fl_runs *self)
{
    return &self->current;
}

// ---- on the store's strand --------------------------------------------------------------------
//  The run that was in hand when the last process ended, else the first of the queue.
static fl_status
s_next(const fl_ledger *ledger, fl_ledger_run *next, fl_why *why)
{
    static fl_ledger_run rows[ROWS];
    uint32_t count = 0;
    uint64_t first = 1;
    *next = (fl_ledger_run){ .state = FL_RUN_DONE };
    do {
        FL_TRY(fl_ledger_runs((fl_ledger *)(uintptr_t)ledger, first, rows, ROWS, &count, why));
        for (uint32_t i = 0; i < count; i++) {
            const fl_ledger_run *row = &rows[i];
            bool waits = row->state == FL_RUN_RUNNING || row->state == FL_RUN_QUEUED;
            bool better = next->state == FL_RUN_DONE || row->state > next->state ||
                          (row->state == next->state && row->priority > next->priority);
            if (waits && better) {
                *next = *row;
            }
            first = row->number + 1;
        }
    } while (count == ROWS);
    return FL_OK;
}

//  What can never be done here ends the run; the machine's trouble does not.
static bool
s_hopeless(fl_status status)
{
    return status == FL_MISMATCH || status == FL_RANGE || status == FL_MALFORMED;
}

static void
s_open(void *arg)
{
    fl_runs *self = arg;
    fl_ledger *ledger = self->conf.live.ledger;
    fl_why more;
    self->status = s_next(ledger, &self->row, &self->why);
    while (self->status == FL_OK && self->row.state != FL_RUN_DONE) {
        self->status = fl_live_run_open(&self->conf.live, &self->row.run, &self->live, &self->why);
        if (!s_hopeless(self->status)) {
            return;
        }
        fl_log(FL_LOG_ERROR, "run-refused", fl_log_text("name", self->row.name),
               fl_log_text("why", self->why.text));
        self->status = fl_ledger_run_enter(ledger, &self->row.run, FL_RUN_ABORTED, FL_WHY_PLAN,
                                           self->why.text, &more);
        if (self->status == FL_OK) {
            self->status = s_next(ledger, &self->row, &self->why);
        }
    }
}

static void
s_record(void *arg)
{
    fl_runs *self = arg;
    const fl_root_view *end = &self->ended;
    const fl_run_state state = !end->aborted                     ? FL_RUN_DONE
                               : end->reason == FL_WHY_STOPPED ? FL_RUN_STOPPED
                                                               : FL_RUN_ABORTED;
    self->status = fl_ledger_run_enter(self->conf.live.ledger, &self->current, state, end->reason,
                                       "", &self->why);
}

// ---- here -------------------------------------------------------------------------------------
static void s_opened(void *arg, bool ran);
static void s_recorded(void *arg, bool ran);

static void
s_job(fl_runs *self, step next, void (*work)(void *), void (*done)(void *, bool))
{
    const fl_job job = { .strand = FL_STRAND_STORE, .work = work, .done = done, .arg = self };
    self->step = next;
    if (fl_workers_add(fl_node_workers(self->conf.node), &job) != FL_OK) {
        done(self, false); // the process stops; the ledger knows where to go on
    }
}

static void
s_begin(fl_runs *self)
{
    fl_root_conf conf = self->conf.shared;
    fl_event start;
    fl_blob *model = NULL;
    self->step = RUNS;
    self->current = *fl_live_run_id(self->live);
    fl_live_run_start(self->live, &conf, &start, &model);
    fl_handles_put_model(fl_node_handles(self->conf.node), &start.start.model, &model);
    fl_root_assign(self->conf.machine, &conf);
    fl_log_set_run(&self->current);
    fl_log(FL_LOG_INFO, "run-begins", fl_log_text("name", fl_live_run_name(self->live)),
           fl_log_u64("next_round", start.start.round), fl_log_u64("rounds", conf.rounds),
           fl_log_u64("parameters", start.start.elements));
    if (fl_node_post(self->conf.node, &start) != FL_OK) {
        fl_log(FL_LOG_ERROR, "run-lost", fl_log_text("why", "the process stops"));
    }
}

//  The store could not say which run is next, or not open it: the machine's trouble.
static void
s_try_later(fl_runs *self)
{
    fl_log(FL_LOG_WARN, "run-waits", fl_log_text("why", self->why.text),
           fl_log_u64("retry_ms", RETRY_MS));
    self->retry_at = fl_node_now(self->conf.node) + RETRY_MS;
}

static void
s_opened(void *arg, bool ran)
{
    fl_runs *self = arg;
    const bool again = self->again;
    self->again = false;
    self->step = RESTS;
    if (ran && self->live != NULL) {
        s_begin(self);
    } else if (ran && self->status != FL_OK) {
        s_try_later(self);
    } else if (ran && again) {
        fl_runs_wake(self);
    }
}

static void
s_recorded(void *arg, bool ran)
{
    fl_runs *self = arg;
    if (ran && self->status != FL_OK) {
        s_try_later(self);
        return;
    }
    self->step = RESTS;
    fl_live_run_close(&self->live);
    if (ran) {
        fl_runs_wake(self);
    }
}

void
fl_runs_wake(fl_runs *self)
{
    self->again = true;
    if (self->step == RESTS) {
        self->again = false;
        self->retry_at = FL_NEVER;
        s_job(self, OPENS, s_open, s_opened);
    }
}

bool
fl_runs_order(fl_runs *self, const fl_run *run, fl_run_order order)
{
    const fl_event event = { .kind = FL_EV_RUN, .run.order = order };
    return self->step == RUNS && fl_run_equal(run, &self->current) &&
           fl_node_post(self->conf.node, &event) == FL_OK;
}

void
fl_runs_turn(fl_runs *self, fl_time now)
{
    const fl_root_view view = fl_root_look(self->conf.machine, now);
    if (self->step == RUNS && view.phase == FL_ROOT_DONE) {
        self->ended = view;
        s_job(self, RECORDS, s_record, s_recorded);
    } else if (now >= self->retry_at) {
        self->retry_at = FL_NEVER;
        if (self->step == RECORDS) {
            s_job(self, RECORDS, s_record, s_recorded);
        } else {
            fl_runs_wake(self);
        }
    }
}

// ---- what the run in hand brings --------------------------------------------------------------
static bool
s_apply(void *arg, const fl_fold *fold, const fl_effect *effect, fl_applied *applied)
{
    const fl_applier applier = fl_live_run_applier(((fl_runs *)arg)->live);
    return applier.apply(applier.self, fold, effect, applied);
}

static bool
s_save(void *arg, fl_save what, const fl_report *report)
{
    const fl_saver saver = fl_live_run_saver(((fl_runs *)arg)->live);
    return saver.save(saver.self, what, report);
}

static bool
s_keep(void *arg, const fl_effect *keep)
{
    const fl_saver saver = fl_live_run_saver(((fl_runs *)arg)->live);
    return saver.keep(saver.self, keep);
}

fl_applier
fl_runs_applier(fl_runs *self)
{
    return (fl_applier){ .self = self, .apply = s_apply };
}

fl_saver
fl_runs_saver(fl_runs *self)
{
    return (fl_saver){ .self = self, .save = s_save, .keep = s_keep };
}

// ---- a run from a file ------------------------------------------------------------------------
//  Another recipe under the name of a run that is there would be neither the one nor the other.
static fl_status
s_same_recipe(fl_ledger *ledger, const fl_ledger_run *row, const fl_run_recipe *recipe, fl_why *why)
{
    fl_blob *kept = NULL;
    FL_TRY(fl_ledger_run_recipe(ledger, &row->run, &kept, why));
    bool same = fl_bytes_equal(fl_blob_bytes(kept), fl_blob_bytes(recipe->text));
    fl_blob_unref(&kept);
    if (!same) {
        return fl_fail(FL_MISMATCH, why,
                       "run %s was submitted with other settings than its file says now: set the "
                       "file as it was, change the run with 'fl run set', or name another run",
                       row->name);
    }
    return FL_OK;
}

fl_status
fl_runs_submit_file(fl_ledger *ledger, const char *path, fl_why *why)
{
    fl_run_recipe recipe;
    fl_ledger_run row;
    uint64_t number = 0;
    fl_entropy entropy = fl_entropy_os();
    FL_TRY(fl_run_recipe_read(path, NULL, 0, &recipe, why));
    fl_status status = fl_ledger_run_find(ledger, recipe.name, &row, why);
    if (status == FL_OK) {
        status = s_same_recipe(ledger, &row, &recipe, why);
    } else if (status == FL_MISSING) {
        row = (fl_ledger_run){ .state = FL_RUN_QUEUED };
        fl_entropy_fill(&entropy, row.run.bytes, sizeof row.run.bytes);
        memcpy(row.name, recipe.name, sizeof row.name);
        status = fl_ledger_run_submit(ledger, &row, fl_blob_bytes(recipe.text), &number, why);
    }
    if (status == FL_OK && row.state == FL_RUN_ABORTED) { // what was wrong may be mended now
        status = fl_ledger_run_enter(ledger, &row.run, FL_RUN_RUNNING, FL_WHY_NONE, "", why);
    }
    fl_blob_unref(&recipe.text);
    return status;
}
