#include "cloud/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/scheduler.h"
#include "common/base/log.h"
#include "common/runtime/durable.h"

enum { RETRY_MS = 5000, ROWS = 64 };

_Static_assert(FL_WAITING_MAX == 2 * FL_RUNS_MAX + 1, "all in hand, the next, those not offered");

typedef enum step {
    RESTS,   // no run is in hand
    TURNS,   // the store reads how the next one goes on
    RUNS,    // the machine has it
    RECORDS, // the store writes how it ended
} step;

typedef struct taken {
    fl_live_run *run;
    fl_claim claim;
    bool stops;  // the operator ended it
    bool leaves; // it was paused or changed: what the ledger says of it holds, once it is left
} taken;

//  Runs that want the same children take turns on one track.
typedef struct track {
    fl_runs *runs;
    uint32_t number;
    taken live[FL_RUNS_MAX];
    uint32_t count, at; // live[at] has its turn
    fl_live_run *turn;  // the same, for jobs: runs beside it may come and go meanwhile
    step step;
    fl_run_order owed; // to the machine, that could not be posted; FL_RUN_GO: none
    fl_time retry_at;  // of the job of `step`, which is not in flight then
    fl_root_view ended;
    fl_run last; // that had a turn
    //  a job of `step`, between the store's strand and ours
    fl_status status;
    fl_why why;
} track;

struct fl_runs {
    fl_runs_conf conf;
    track tracks[FL_TRACKS];
    fl_time open_retry_at; // of the look for one more run
    fl_run_waiting waits[FL_RUNS_MAX + 1]; // (waits_count), for those in hand, or for an offer
    uint32_t waits_count;
    //  that look, between the store's strand and ours
    bool opening, again;
    fl_claim held[FL_RUNS_MAX], claim; // by those in hand; by the opened one
    uint32_t held_count;
    fl_offerings offers;                   // of the children that are here
    fl_run_waiting found[FL_RUNS_MAX + 1]; // (found_count), to be `waits`
    uint32_t found_count;
    fl_run known[2 * FL_RUNS_MAX]; // in hand, then those that cannot be opened now
    uint32_t known_count;
    fl_live_run *opened;
    fl_status open_status;
    fl_why open_why;
};

fl_runs *
fl_runs_new(const fl_runs_conf *conf)
{
    FL_ASSERT(conf->most >= 1 && conf->most <= FL_RUNS_MAX);
    fl_runs *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
        self->open_retry_at = FL_NEVER;
    }
    for (uint32_t i = 0; self != NULL && i < FL_TRACKS; i++) {
        self->tracks[i] = (track){ .runs = self, .number = i, .retry_at = FL_NEVER };
    }
    return self;
}

void
fl_runs_destroy(fl_runs **self_p)
{
    fl_runs *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        for (uint32_t i = 0; i < FL_TRACKS * FL_RUNS_MAX; i++) {
            fl_live_run_close(&self->tracks[i / FL_RUNS_MAX].live[i % FL_RUNS_MAX].run);
        }
        fl_live_run_close(&self->opened);
        free(self);
    }
}

uint32_t
fl_runs_shown(const fl_runs *self)
{
    return self->tracks[0].step == RESTS && self->tracks[1].step != RESTS ? 1 : 0;
}

const fl_run *
fl_runs_current(const fl_runs *self, uint32_t number)
{
    return &self->tracks[number].last;
}

// ---- on the store's strand --------------------------------------------------------------------
static bool
s_better(const fl_runs *self, const fl_ledger_run *row, const fl_ledger_run *best)
{
    bool better = fl_run_waits(row) && (best->number == 0 || fl_run_before(row, best));
    for (uint32_t i = 0; i < self->known_count; i++) {
        better = better && !fl_run_equal(&row->run, &self->known[i]);
    }
    return better;
}

//  Number 0: there is none.
static fl_status
s_next(const fl_runs *self, fl_ledger_run *next, fl_why *why)
{
    static fl_ledger_run rows[ROWS];
    uint32_t count = 0;
    uint64_t first = 1;
    *next = (fl_ledger_run){ .number = 0 };
    do {
        FL_TRY(fl_ledger_runs(self->conf.live.ledger, first, rows, ROWS, &count, why));
        for (uint32_t i = 0; i < count; i++) {
            first = rows[i].number + 1;
            *next = s_better(self, &rows[i], next) ? rows[i] : *next;
        }
    } while (count == ROWS);
    return FL_OK;
}

//  What can never be done here; the machine's trouble is another matter.
static bool
s_hopeless(fl_status status)
{
    return status == FL_MISMATCH || status == FL_RANGE || status == FL_MALFORMED;
}

//  A run that was never begun ends; one that was is paused: what is wrong may be mended.
static fl_status
s_refuse(fl_runs *self, const fl_ledger_run *row, const fl_why *refused, fl_why *why)
{
    fl_log(FL_LOG_ERROR, "run-refused", fl_log_text("name", row->name),
           fl_log_text("why", refused->text));
    return fl_ledger_run_enter(self->conf.live.ledger, &row->run,
                               row->state == FL_RUN_QUEUED ? FL_RUN_ABORTED : FL_RUN_PAUSED,
                               FL_WHY_PLAN, refused->text, why);
}

static void
s_waits_for(fl_runs *self, const fl_run *run, const char *why)
{
    if (self->found_count <= FL_RUNS_MAX) {
        fl_run_waiting *line = &self->found[self->found_count++];
        *line = (fl_run_waiting){ .run = *run };
        (void)snprintf(line->text, sizeof line->text, "%.*s", FL_TEXT_MAX - 1, why);
    }
}

//  It is opened if there is a track for it; else it waits for one.
static fl_status
s_open_one(fl_runs *self, const fl_ledger_run *row, fl_why *why)
{
    FL_TRY(fl_live_run_read(&self->conf.live, &row->run, &self->opened, why));
    self->claim = fl_live_run_claim(self->opened);
    if (row->state == FL_RUN_QUEUED && fl_run_offered(&self->claim, &self->offers, why) != FL_OK) {
        fl_live_run_close(&self->opened);
        return FL_BUSY;
    }
    bool waits =
        fl_run_place(self->held, self->held_count, self->conf.memory, &self->claim, why) != FL_OK;
    fl_status status = waits ? FL_OK : fl_live_run_open(self->opened, why);
    if (waits) {
        s_waits_for(self, &row->run, why->text);
    }
    if (waits || status != FL_OK) {
        fl_live_run_close(&self->opened);
    }
    return status;
}

//  The next run that can be opened. Those that cannot for now keep no other one waiting; one that
//  waits for runs in hand does, or its turn would never come.
static void
s_open(void *arg)
{
    fl_runs *self = arg;
    fl_ledger_run row;
    fl_why why;
    fl_status status = s_next(self, &row, &why);
    self->open_status = status;
    self->open_why = why;
    while (status == FL_OK && row.number > 0 && self->known_count < 2 * FL_RUNS_MAX) {
        status = s_open_one(self, &row, &why);
        if (status == FL_OK) {
            return;
        }
        if (status == FL_BUSY) { // nobody offers what it wants: others may go on
            self->known[self->known_count++] = row.run;
            s_waits_for(self, &row.run, why.text);
            status = FL_OK;
        }
        if (s_hopeless(status)) {
            const fl_why refused = why;
            status = s_refuse(self, &row, &refused, &why);
        }
        if (status != FL_OK) { // tried again later
            self->known[self->known_count++] = row.run;
            self->open_status = status;
            self->open_why = why;
        }
        status = s_next(self, &row, &why);
    }
}

static void
s_refresh(void *arg)
{
    track *self = arg;
    self->status = fl_live_run_refresh(self->turn, &self->why);
}

static void
s_record(void *arg)
{
    track *self = arg;
    const fl_root_view *end = &self->ended;
    const fl_run_state state = !end->aborted                   ? FL_RUN_DONE
                               : end->reason == FL_WHY_STOPPED ? FL_RUN_STOPPED
                                                               : FL_RUN_ABORTED;
    fl_why text = { "" };
    if (end->reason == FL_WHY_TARGET || end->reason == FL_WHY_PATIENCE) {
        fl_why_set(&text, "the best score is %.4f, of round %llu", end->best_score,
                   (unsigned long long)end->best_round);
    } else if (end->skipped > 0 && !end->aborted) {
        fl_why_set(&text, "%llu of %llu rounds were skipped", (unsigned long long)end->skipped,
                   (unsigned long long)end->round);
    }
    self->status = fl_ledger_run_enter(self->runs->conf.live.ledger, &self->last, state,
                                       end->reason, text.text, &self->why);
    if (self->status == FL_EXISTS) { // the operator stopped it, and the ledger knew it first
        self->status = FL_OK;
    }
}

// ---- here -------------------------------------------------------------------------------------
//  The store failed, or there was no room for a job: the machine's trouble. When it is tried again.
static fl_time
s_later(const fl_runs *self, const char *why)
{
    fl_log(FL_LOG_WARN, "run-waits", fl_log_text("why", why), fl_log_u64("retry_ms", RETRY_MS));
    return fl_node_now(self->conf.node) + RETRY_MS;
}

//  When it is tried again; FL_NEVER: the store has it, or the process stops, and the ledger knows
//  where to go on.
static fl_time
s_job(const fl_runs *self, void (*work)(void *), void (*done)(void *, bool), void *arg)
{
    const fl_job job = { .strand = FL_STRAND_STORE, .work = work, .done = done, .arg = arg };
    fl_status status = fl_workers_add(fl_node_workers(self->conf.node), &job);
    return status == FL_FULL ? s_later(self, "there are too many jobs at once") : FL_NEVER;
}

//  To the run that has its turn, at the latest in a later turn of the loop.
static void
s_say(track *self, fl_run_order order)
{
    const fl_event event = { .kind = FL_EV_RUN, .track = self->number, .run.order = order };
    self->owed = fl_node_post(self->runs->conf.node, &event) == FL_OK ? FL_RUN_GO : order;
}

static fl_root *
s_machine(const track *self)
{
    return fl_tracks_root(self->runs->conf.machine, self->number);
}

static void
s_begin(track *self)
{
    fl_node *node = self->runs->conf.node;
    fl_root_conf conf = self->runs->conf.shared;
    fl_event start;
    fl_blob *model = NULL;
    fl_live_run *live = self->turn;
    self->last = *fl_live_run_id(live);
    fl_live_run_start(live, &conf, &start, &model);
    start.track = self->number;
    start.start.order = self->live[self->at].stops    ? FL_RUN_STOP
                        : self->live[self->at].leaves ? FL_RUN_LEAVE
                        : self->count > 1             ? FL_RUN_YIELD
                                                      : FL_RUN_GO;
    fl_handles_put_model(fl_node_handles(node), self->number, &start.start.model, &model);
    if (fl_node_post(node, &start) != FL_OK) {
        self->retry_at = s_later(self->runs, "there are too many events at once");
        return;
    }
    fl_root_assign(s_machine(self), &conf);
    self->owed = FL_RUN_GO;
    fl_log_set_track(self->number);
    fl_log_set_run(&self->last);
    fl_log(self->count > 1 ? FL_LOG_DEBUG : FL_LOG_INFO, "run-begins",
           fl_log_text("name", fl_live_run_name(live)), fl_log_u64("next_round", start.start.round),
           fl_log_u64("rounds", conf.rounds), fl_log_u64("parameters", start.start.elements),
           fl_log_u64("samples_max", fl_live_run_samples_max(live)),
           fl_log_u64("round_mib", self->live[self->at].claim.bytes >> 20));
    self->step = RUNS;
}

static void s_close(track *self);

static void
s_refreshed(void *arg, bool ran)
{
    track *self = arg;
    if (ran && self->status == FL_OK) {
        s_begin(self);
    } else if (ran && self->live[self->at].leaves) {
        s_close(self);
    } else if (ran) {
        self->retry_at = s_later(self->runs, self->why.text);
    }
}

//  Whoever is next has its turn.
static void
s_turn_to(track *self, uint32_t at)
{
    self->at = self->count > 0 ? at % self->count : 0;
    self->step = self->count > 0 ? TURNS : RESTS;
    self->turn = self->live[self->at].run;
    if (self->step == TURNS) {
        self->retry_at = s_job(self->runs, s_refresh, s_refreshed, self);
    }
}

static void
s_forget(track *self, uint32_t i)
{
    fl_live_run_close(&self->live[i].run);
    self->count--;
    memmove(&self->live[i], &self->live[i + 1], (self->count - i) * sizeof *self->live);
    self->live[self->count].run = NULL;
    self->at -= self->at > i;
}

//  The one that had its turn is not in hand any more; the next one has its own.
static void
s_close(track *self)
{
    s_forget(self, self->at);
    s_turn_to(self, self->at);
    fl_runs_wake(self->runs);
}

static void
s_recorded(void *arg, bool ran)
{
    track *self = arg;
    if (ran && self->status != FL_OK) {
        self->retry_at = s_later(self->runs, self->why.text);
    } else if (ran) {
        s_close(self);
    }
}

static void
s_opened(void *arg, bool ran)
{
    fl_runs *self = arg;
    self->opening = false;
    if (!ran) {
        return;
    }
    self->waits_count = self->found_count;
    memcpy(self->waits, self->found, sizeof self->waits);
    if (self->opened != NULL) {
        track *own = &self->tracks[self->claim.track];
        own->live[own->count++] = (taken){ .run = self->opened, .claim = self->claim };
        self->opened = NULL;
        self->again = true; // perhaps there is one more
        if (own->step == RESTS) {
            s_turn_to(own, own->count - 1);
        } else if (own->step == RUNS) { // else the next START says it
            s_say(own, own->owed > FL_RUN_YIELD ? own->owed : FL_RUN_YIELD);
        }
    }
    if (self->open_status != FL_OK) {
        self->open_retry_at = s_later(self, self->open_why.text);
    } else if (self->waits_count > 0) { // somebody may join who does
        self->open_retry_at = fl_node_now(self->conf.node) + RETRY_MS;
    }
    if (self->again) {
        fl_runs_wake(self);
    }
}

void
fl_runs_wake(fl_runs *self)
{
    self->again = true;
    if (self->opening || self->tracks[0].count + self->tracks[1].count == self->conf.most) {
        return;
    }
    self->again = false;
    self->held_count = self->found_count = 0;
    self->offers = (fl_offerings){ .count = 0 };
    for (const track *at = self->tracks; at < self->tracks + FL_TRACKS; at++) {
        for (uint32_t i = 0; i < at->count; i++) {
            self->known[self->held_count] = *fl_live_run_id(at->live[i].run);
            self->held[self->held_count++] = at->live[i].claim;
        }
        fl_aggregator_offers(fl_root_aggregator(s_machine(at)), &self->offers);
    }
    self->known_count = self->held_count;
    self->open_retry_at = s_job(self, s_open, s_opened, self);
    self->opening = self->open_retry_at == FL_NEVER;
}

//  False: it does not have its turns here.
static bool
s_told(track *self, const fl_run *run, bool stops)
{
    uint32_t i = 0;
    while (i < self->count && !fl_run_equal(run, fl_live_run_id(self->live[i].run))) {
        i++;
    }
    if (i == self->count) {
        if (stops && self->step == RESTS && fl_run_equal(run, &self->last)) {
            s_say(self, FL_RUN_STOP); // the children of a run that was paused
        }
        return false;
    }
    self->live[i].stops = stops;
    self->live[i].leaves = !stops;
    if (i == self->at && self->step == RUNS) {
        s_say(self, stops ? FL_RUN_STOP : FL_RUN_LEAVE);
    } else if (i != self->at && !stops) {
        s_forget(self, i);
        fl_runs_wake(self->runs);
    } // else its turn says so
    return true;
}

void
fl_runs_told(fl_runs *self, const fl_run *run, bool stops)
{
    if (!s_told(&self->tracks[0], run, stops) && !s_told(&self->tracks[1], run, stops)) {
        fl_runs_wake(self);
    }
}

static void
s_look(track *self, fl_time now)
{
    const fl_root_view view = fl_root_look(s_machine(self), now);
    if (self->owed != FL_RUN_GO) {
        s_say(self, self->owed);
    }
    if (self->step == RUNS && view.phase == FL_ROOT_DONE) {
        self->ended = view;
        self->step = RECORDS;
        self->retry_at = s_job(self->runs, s_record, s_recorded, self);
    } else if (self->step == RUNS && view.phase == FL_ROOT_IDLE) {
        if (self->live[self->at].leaves) {
            s_close(self);
        } else {
            s_turn_to(self, self->at + 1);
        }
    } else if (now >= self->retry_at) {
        self->retry_at = FL_NEVER;
        if (self->step == RECORDS) {
            self->retry_at = s_job(self->runs, s_record, s_recorded, self);
        } else if (self->step == TURNS) {
            s_turn_to(self, self->at + 1);
        }
    }
}

void
fl_runs_turn(fl_runs *self, fl_time now)
{
    s_look(&self->tracks[0], now);
    s_look(&self->tracks[1], now);
    if (now >= self->open_retry_at) {
        self->open_retry_at = FL_NEVER;
        fl_runs_wake(self);
    }
}

fl_reason
fl_runs_trouble(const fl_runs *self, uint32_t number)
{
    const track *at = &self->tracks[number];
    const fl_root_view view = fl_root_look(s_machine(at), fl_node_now(self->conf.node));
    if (at->step == RUNS) {
        return view.phase == FL_ROOT_PAUSED ? view.reason : FL_WHY_NONE;
    }
    return at->step != RESTS && at->retry_at != FL_NEVER ? FL_WHY_STORAGE : FL_WHY_NONE;
}

// ---- for whom a run waits ---------------------------------------------------------------------
static bool
s_is_here(const fl_aggregator *aggregator, const fl_name *node)
{
    bool here = false;
    for (uint32_t i = 0; i < fl_aggregator_seats(aggregator) && !here; i++) {
        const fl_seat_view seat = fl_aggregator_seat(aggregator, i);
        here = seat.present && seat.leaves > 0 && fl_name_equal(&seat.node, node);
    }
    return here;
}

//  "it waits for e1 e4": those that it names and that are not here, or bring no device.
static bool
s_waits(const track *self, fl_run_waiting *line)
{
    const fl_claim *claim = &self->live[self->at].claim;
    const fl_aggregator *aggregator = fl_root_aggregator(s_machine(self));
    const fl_root_view view = fl_root_look(s_machine(self), fl_node_now(self->runs->conf.node));
    size_t used = (size_t)snprintf(line->text, sizeof line->text, "it waits for");
    const size_t none = used;
    if (self->step != RUNS || view.phase != FL_ROOT_WAITING) {
        return false;
    }
    line->run = self->last;
    line->trouble = FL_WHY_NONE;
    for (uint32_t i = 0; i < claim->on_count && used < sizeof line->text; i++) {
        if (!s_is_here(aggregator, &claim->on[i])) {
            used += (size_t)snprintf(line->text + used, sizeof line->text - used, " %s",
                                     claim->on[i].name);
        }
    }
    return used > none;
}

uint32_t
fl_runs_waiting(const fl_runs *self, fl_run_waiting waiting[FL_WAITING_MAX])
{
    uint32_t count = 0;
    for (const track *at = self->tracks; at < self->tracks + FL_TRACKS; at++) {
        const fl_reason trouble = fl_runs_trouble(self, at->number);
        for (uint32_t i = 0; i < at->count && trouble != FL_WHY_NONE; i++) {
            waiting[count++] =
                (fl_run_waiting){ .run = *fl_live_run_id(at->live[i].run), .trouble = trouble };
        }
        count += s_waits(at, &waiting[count]) ? 1 : 0;
    }
    memcpy(waiting + count, self->waits, self->waits_count * sizeof *waiting);
    return count + self->waits_count;
}

// ---- what the run in hand brings --------------------------------------------------------------
static bool
s_apply(void *arg, const fl_fold *fold, const fl_effect *effect, fl_applied *applied)
{
    const fl_applier applier = fl_live_run_applier(((const track *)arg)->turn);
    return applier.apply(applier.self, fold, effect, applied);
}

static bool
s_save(void *arg, fl_save what, const fl_report *report)
{
    const fl_saver saver = fl_live_run_saver(((const track *)arg)->turn);
    return saver.save(saver.self, what, report);
}

static bool
s_keep(void *arg, const fl_effect *keep)
{
    const fl_saver saver = fl_live_run_saver(((const track *)arg)->turn);
    return saver.keep(saver.self, keep);
}

fl_applier
fl_runs_applier(fl_runs *self, uint32_t number)
{
    return (fl_applier){ .self = &self->tracks[number], .apply = s_apply };
}

fl_saver
fl_runs_saver(fl_runs *self, uint32_t number)
{
    return (fl_saver){ .self = &self->tracks[number], .save = s_save, .keep = s_keep };
}
