//  Many runs at the root, and an operator who pauses, resumes and stops them. Who has a turn is
//  decided by cloud/runs.c as it is: here are the functions that it calls, over a ledger, a store's
//  strand and a reactor of the simulator's.
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

struct fl_live_run {
    fl_sim *sim;
    fl_sim_era *era;
    fl_past pasts[FL_PASTS_MAX];
};

typedef struct fl_sim_call {
    fl_job job;
    fl_event event; // posted to the root
} fl_sim_call;

static fl_sim *
s_sim(const void *handle)
{
    return (fl_sim *)(uintptr_t)handle;
}

fl_sim_era *
fl_sim_era_of(const fl_sim *sim, const fl_run *run)
{
    for (uint32_t i = 0; i < sim->runs; i++) {
        if (fl_run_equal(&sim->eras[i].row.run, run)) {
            return &s_sim(sim)->eras[i];
        }
    }
    return NULL;
}

uint64_t
fl_sim_round(const fl_sim *sim, const fl_run *run, uint64_t round)
{
    const fl_sim_era *era = fl_sim_era_of(sim, run);
    return era != NULL && round > 0 ? era->before + round : round;
}

bool
fl_sim_era_ended(const fl_sim_era *era)
{
    return era->row.state >= FL_RUN_DONE;
}

static void
s_enter(fl_sim *sim, fl_sim_era *era, fl_run_state state)
{
    fl_sim_trace(sim, "==== run %u is %d, was %d", (unsigned)era->row.number, state,
                 era->row.state);
    sim->totals.count[SIM_PAUSED] += state == FL_RUN_PAUSED;
    sim->totals.count[SIM_STOPPED] += state == FL_RUN_STOPPED;
    era->row.state = state;
    era->since = sim->now;
}

// ---- the store's strand and the reactor -------------------------------------------------------
static bool
s_store_fails(const fl_sim *sim)
{
    return sim->now < sim->outage_until;
}

//  One process, one strand: after what was saved before it. A tree with one run is as if it took no
//  time, so that its history is the one that it had when it had no queue.
fl_status
fl_workers_add(fl_workers *self, const fl_job *job)
{
    fl_sim *sim = s_sim(self);
    fl_sim_node *root = &sim->nodes[0];
    fl_sim_call *call = fl_sim_new(sizeof *call);
    call->job = *job;
    fl_time at = sim->now;
    if (sim->runs > 1) {
        at = root->ledger_at > at ? root->ledger_at : at;
        at += 1 + (fl_time)fl_rng_below(&sim->turn_rng, 25);
        root->ledger_at = at;
    }
    fl_sim_push(sim, (fl_sim_item){
                         .at = at, .what = SIM_AT_STORE, .life = root->life, .with.call = call });
    return FL_OK;
}

fl_workers *
fl_node_workers(fl_node *self)
{
    return (fl_workers *)(void *)self;
}

fl_handles *
fl_node_handles(fl_node *self)
{
    return (fl_handles *)(void *)self;
}

fl_time
fl_node_now(const fl_node *self)
{
    return s_sim(self)->now;
}

fl_status
fl_node_post(fl_node *self, const fl_event *event)
{
    fl_sim *sim = s_sim(self);
    fl_sim_call *call = fl_sim_new(sizeof *call);
    call->event = *event;
    sim->posted++;
    fl_sim_push(sim, (fl_sim_item){ .at = sim->now,
                                    .what = SIM_AT_POST,
                                    .life = sim->nodes[0].life,
                                    .with.call = call });
    return FL_OK;
}

void
fl_handles_put_model(fl_handles *self, uint32_t track, const fl_hash *hash, fl_blob **blob_p)
{
    fl_sim *sim = s_sim(self);
    fl_sim_desk *desk = &sim->nodes[0].desk[track];
    fl_blob_unref(blob_p);
    fl_sim_model_keep(desk, hash);
    sim->totals.count[SIM_TURNS] += desk->turn != sim->turn;
    desk->turn = sim->turn;
    sim->turn->track = track;
}

// ---- the ledger -------------------------------------------------------------------------------
fl_status
fl_ledger_runs(fl_ledger *self, uint64_t first, fl_ledger_run *runs, uint32_t capacity,
               uint32_t *count, fl_why *why)
{
    const fl_sim *sim = s_sim(self);
    *count = 0;
    if (s_store_fails(sim)) {
        return fl_fail(FL_IO, why, "the store fails");
    }
    for (uint32_t i = 0; i < sim->runs && *count < capacity; i++) {
        if (sim->eras[i].row.number >= first) {
            runs[(*count)++] = sim->eras[i].row;
        }
    }
    return FL_OK;
}

fl_status
fl_ledger_run_enter(fl_ledger *self, const fl_run *run, fl_run_state state, fl_reason reason,
                    const char *text, fl_why *why)
{
    (void)text;
    fl_sim *sim = s_sim(self);
    fl_sim_era *era = fl_sim_era_of(sim, run);
    if (s_store_fails(sim)) {
        return fl_fail(FL_IO, why, "the store fails");
    }
    if (!fl_run_state_may(era->row.state, state)) {
        return fl_fail(FL_EXISTS, why, "it has ended");
    }
    era->row.reason = reason;
    s_enter(sim, era, state);
    fl_sim_check_ended(sim, era);
    return FL_OK;
}

// ---- a run in hand ----------------------------------------------------------------------------
//  From what a run begins: in half of them from what another one has made so far.
static void
s_begin(fl_sim *sim, fl_sim_era *era)
{
    const fl_sim_era *other = &sim->eras[fl_rng_below(&sim->turn_rng, sim->runs)];
    bool fresh = sim->runs == 1 || fl_rng_below(&sim->turn_rng, 2) == 0;
    era->first = fresh || other->row.model_bytes == 0 ? sim->model_hashes[0] : other->row.model;
    era->row.model = era->first;
    era->row.model_bytes = sim->model_bytes;
    s_enter(sim, era, FL_RUN_RUNNING);
    fl_sim_count_up(sim, SIM_RUNS);
}

void
fl_sim_turns_restored(fl_sim *sim)
{
    fl_sim_notary *notary = &sim->notary;
    for (uint32_t i = 0; i < sim->runs && sim->restores; i++) {
        fl_sim_era *era = &sim->eras[i];
        uint64_t last = notary->closed_of[i], done = last;
        while (done > 0 && !notary->commits[era->before + done].done) {
            done--;
        }
        if (era->row.state == FL_RUN_RUNNING && done > 0 && last + 5 <= sim->rounds) {
            era->row.model = notary->commits[era->before + done].base;
            era->draw = 0;
            era->bound = 0;
            for (uint32_t k = 0; k < sim->node_count; k++) { // what is undone may count again
                notary->counted[k] &= ~((((uint64_t)1 << sim->rounds) - 1) << (era->before + 1));
            }
            era->opened = ++sim->opened; // the round that is open was of another model
            notary->commits[era->before + last].model = era->row.model;
            fl_sim_count_up(sim, SIM_RESTORED);
            sim->restores = false;
        }
    }
}

fl_status
fl_live_run_read(const fl_live_run_conf *conf, const fl_run *run, fl_live_run **live, fl_why *why)
{
    fl_sim *sim = s_sim(conf->ledger);
    fl_sim_era *era = fl_sim_era_of(sim, run);
    *live = NULL;
    if (s_store_fails(sim)) {
        return fl_fail(FL_IO, why, "the store fails");
    }
    *live = fl_sim_new(sizeof **live);
    **live = (fl_live_run){ .sim = sim, .era = era };
    return FL_OK;
}

fl_status
fl_live_run_open(fl_live_run *self, fl_why *why)
{
    (void)why;
    if (self->era->row.state == FL_RUN_QUEUED) {
        s_begin(self->sim, self->era);
    }
    return FL_OK;
}

fl_status
fl_live_run_refresh(fl_live_run *self, fl_why *why)
{
    if (s_store_fails(self->sim)) {
        return fl_fail(FL_IO, why, "the store fails");
    }
    fl_sim_mask_give(self->sim, &self->sim->nodes[0], (uint32_t)(self->era - self->sim->eras),
                     &self->era->row.run, self->era->row.rounds_closed + 1);
    for (uint64_t i = 0; i < self->era->row.rounds_closed; i++) {
        self->pasts[i] = (fl_past){ i + 1, self->era->bases[i] };
    }
    return FL_OK;
}

void
fl_live_run_close(fl_live_run **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

const fl_run *
fl_live_run_id(const fl_live_run *self)
{
    return &self->era->row.run;
}

uint64_t
fl_live_run_samples_max(const fl_live_run *self)
{
    return self->era->plan.weight_max;
}

fl_claim
fl_live_run_claim(const fl_live_run *self)
{
    return self->era->claim;
}

const char *
fl_live_run_name(const fl_live_run *self)
{
    return self->era->row.name;
}

//  Another run's round was opened since then for some of its children.
static bool
s_passed(const fl_sim *sim, const fl_sim_era *era)
{
    bool passed = false;
    for (uint32_t i = 0; i < sim->runs && era->row.open > 0; i++) {
        const fl_sim_era *other = &sim->eras[i];
        passed =
            passed || (other->opened > era->row.open && fl_claims_meet(&other->claim, &era->claim));
    }
    return passed;
}

//  What of the conf is a run's that is for some children alone.
static void
s_limit(const fl_sim *sim, const fl_sim_era *era, fl_root_conf *conf)
{
    const fl_claim *claim = &era->claim;
    memcpy(conf->aggregator.on, claim->on, sizeof claim->on);
    conf->aggregator.on_count = claim->on_count;
    if (claim->on_count > 0) {
        conf->aggregator.expect = sim->expect ? claim->on_count : 0;
        conf->expect_leaves = 0;
        conf->aggregator.window.count_min = sim->plant == PLANT_LOW_QUORUM ? 1 : era->count_min;
    }
}

void
fl_live_run_start(fl_live_run *self, fl_root_conf *conf, fl_event *start, fl_blob **model)
{
    const fl_sim_era *era = self->era;
    const fl_sim_node *root = &self->sim->nodes[0];
    const fl_sim_given *given = &root->masks.given[era - self->sim->eras];
    *conf = fl_sim_root_conf(self->sim, &self->sim->nodes[0]);
    conf->plan = era->plan;
    conf->pasts = self->pasts;
    conf->past_count = (uint32_t)era->row.rounds_closed;
    conf->members = era->roll;
    conf->member_count = era->roll_count;
    conf->aborted = era->aborted;
    conf->passed = s_passed(self->sim, era);
    conf->aggregator.facts = given->views;
    conf->aggregator.fact_count = given->count;
    s_limit(self->sim, era, conf);
    *model = NULL;
    *start = (fl_event){ .kind = FL_EV_START };
    start->start.round = era->row.rounds_closed + 1;
    start->start.attempt = era->row.open > 0 ? era->attempt : 0;
    start->start.draw = era->draw;
    start->start.bound = era->bound;
    start->start.run = era->row.run;
    start->start.model = start->start.tensors = era->row.model;
    start->start.model_bytes = era->row.model_bytes;
    start->start.elements = era->elements;
    self->sim->turn = self->era;
    self->era->life = self->sim->nodes[0].life;
}

//  The simulator's own jobs apply and save: a report names its run.
fl_applier
fl_live_run_applier(fl_live_run *self)
{
    return (fl_applier){ .self = self };
}

fl_saver
fl_live_run_saver(fl_live_run *self)
{
    return (fl_saver){ .self = self };
}

// ---- the operator -----------------------------------------------------------------------------
//  What the operator wants of a run now.
static fl_run_state
s_wanted(const fl_sim *sim, const fl_sim_era *era)
{
    return era->stop_at > 0 && sim->now >= era->stop_at             ? FL_RUN_STOPPED
           : sim->now >= era->pause_at && sim->now < era->resume_at ? FL_RUN_PAUSED
                                                                    : FL_RUN_RUNNING;
}

static void
s_command(void *arg)
{
    fl_sim_era *era = arg;
    era->told = !s_store_fails(era->sim) && fl_run_state_may(era->row.state, era->wanted);
    if (era->told) {
        era->unheard = era->wanted == FL_RUN_STOPPED && era->life != era->sim->nodes[0].life;
        s_enter(era->sim, era, era->wanted);
    }
}

static void
s_told(void *arg, bool ran)
{
    fl_sim_era *era = arg;
    bool lost = era->sim->plant == PLANT_LOST_RESUME && era->wanted == FL_RUN_RUNNING;
    if (ran && era->told && !lost) {
        fl_runs_told(era->sim->nodes[0].runs, &era->row.run, era->wanted == FL_RUN_STOPPED);
    }
}

//  Says it until it holds: a root that is down, or whose store fails, does not hear.
static void
s_operate(fl_sim *sim, fl_sim_era *era)
{
    const fl_run_state wanted = s_wanted(sim, era);
    const fl_run_state state = era->row.state;
    bool holds = wanted == state || (wanted == FL_RUN_RUNNING && state == FL_RUN_QUEUED);
    if (fl_sim_era_ended(era) || holds) {
        return;
    }
    if (sim->nodes[0].alive) {
        const fl_job job = { .work = s_command, .done = s_told, .arg = era };
        era->wanted = wanted;
        FL_ASSERT(fl_workers_add((fl_workers *)(void *)sim, &job) == FL_OK);
    }
    fl_sim_push(sim, (fl_sim_item){ .at = sim->now + 700,
                                    .what = SIM_AT_OPERATOR,
                                    .node = (uint32_t)(era - sim->eras) });
}

static void
s_draw_operator(fl_sim *sim, fl_sim_era *era)
{
    fl_rng *rng = &sim->turn_rng;
    const fl_time begin = 1000 + (fl_time)fl_rng_below(rng, 25000);
    const uint64_t longest = fl_rng_below(rng, 10) == 0 ? 120000 : 12000;
    const fl_time length = 200 + (fl_time)fl_rng_below(rng, longest);
    bool pauses = fl_rng_below(rng, sim->runs > 1 ? 2 : 8) == 0;
    if (pauses || fl_sim_plant_runs(sim->plant)) {
        era->pause_at = begin;
        era->resume_at = begin + length;
    }
    if (fl_rng_below(rng, 16) == 0 && sim->plant == PLANT_NONE) {
        era->stop_at = begin + length / 2;
    }
    const fl_time times[] = { era->pause_at, era->resume_at, era->stop_at };
    for (int i = 0; i < 3; i++) {
        if (times[i] > 0) {
            fl_sim_push(sim, (fl_sim_item){ .at = times[i],
                                            .what = SIM_AT_OPERATOR,
                                            .node = (uint32_t)(era - sim->eras) });
        }
    }
}

// ---- from the beginning to the end ------------------------------------------------------------
//  Two runs are for different children of the root; a third one for those of one of them, or for
//  all. Of each there is somebody who is in under a clear sky.
static void
s_share_out(fl_sim *sim, fl_rng rng)
{
    const fl_sim_node *root = &sim->nodes[0];
    fl_claim half[2] = { { .on_count = 0 } };
    uint32_t able[2] = { 0 };
    for (uint32_t i = 0; i < root->kin; i++) {
        const fl_sim_node *child = &sim->nodes[root->children[i]];
        const uint64_t which = fl_rng_below(&rng, 2);
        if (half[which].on_count < FL_ON_MAX) {
            half[which].on[half[which].on_count++] = child->name;
            able[which] += child->able;
        }
    }
    sim->overlap = able[0] > 0 && able[1] > 0;
    sim->most = sim->overlap ? sim->runs : sim->most;
    const uint64_t third = fl_rng_below(&rng, 3);
    for (uint32_t i = 0; i < sim->runs && sim->overlap; i++) {
        const uint64_t which = i < 2 ? i : third;
        if (which < 2) {
            const uint32_t most =
                root->window.factor_permille > 0 ? (able[which] + 1) / 2 : able[which];
            sim->eras[i].claim = half[which];
            sim->eras[i].count_min = root->window.count_min < most ? root->window.count_min : most;
        }
        sim->eras[i].claim.bytes = 1;
    }
    //  The pools at the root are drawn of all children: of some there may be too few.
    sim->stuck = sim->stuck || (sim->overlap && fl_plan_masking(&sim->plan, 2) != FL_MASKING_NONE);
    sim->totals.count[SIM_OVERLAPS] += sim->overlap;
}

//  All runs are in the queue from the beginning. They differ in length and in their seeds.
void
fl_sim_submit(fl_sim *sim, bool operated)
{
    sim->most = sim->runs > 1 ? 1 + (fl_rng_below(&sim->turn_rng, 4) > 0) : 1;
    for (uint32_t i = 0; i < sim->runs; i++) {
        fl_sim_era *era = &sim->eras[i];
        era->sim = sim;
        era->row.run = sim->run;
        era->row.run.bytes[15] = (uint8_t)(sim->run.bytes[15] + i);
        era->row.number = 1 + i;
        era->row.state = FL_RUN_QUEUED;
        era->row.priority = sim->runs > 1 ? (int32_t)fl_rng_below(&sim->turn_rng, 2) : 0;
        era->before = i * sim->rounds;
        era->claim.bytes = 1;
        era->count_min = sim->nodes[0].window.count_min;
        era->plan = sim->plan;
        era->plan.seed += i * 0x9e3779b97f4a7c15u;
        bool other = i > 0 && sim->elements < 1000 && fl_rng_below(&sim->turn_rng, 2) == 0;
        era->elements = sim->elements + (other ? 1 + fl_rng_below(&sim->turn_rng, 9) : 0);
        if (operated) {
            s_draw_operator(sim, era);
        }
    }
    sim->turn = &sim->eras[0];
    const fl_rng rng = fl_rng_seeded(sim->seed);
    fl_rng shares = fl_rng_split(&rng, 417); // what is in seeds.txt already does not overlap
    bool overlaps =
        sim->plant == PLANT_NONE ? fl_rng_below(&shares, 2) == 0 : sim->plant == PLANT_OTHER_SUM;
    if (sim->runs > 1 && overlaps) {
        s_share_out(sim, shares);
    }
    const fl_rng troubles = fl_rng_split(&sim->turn_rng, 1);
    if (operated && !sim->calm) {
        fl_sim_draw_troubles(sim, troubles);
    }
}

static void
s_look_soon(fl_sim *sim)
{
    fl_sim_push(sim, (fl_sim_item){
                         .at = sim->now + 250, .what = SIM_AT_LOOK, .life = sim->nodes[0].life });
}

void
fl_sim_turns_start(fl_sim *sim, fl_sim_node *root)
{
    const fl_runs_conf conf = { .most = sim->most,
                                .memory = sim->seed % 8 == 0 ? 1 : 2,
                                .live = { .ledger = (fl_ledger *)(void *)sim },
                                .machine = root->tracks,
                                .node = (fl_node *)(void *)sim };
    root->runs = fl_runs_new(&conf);
    FL_ASSERT(root->runs != NULL);
    sim->posted = 0;
    for (uint32_t i = 0; i < sim->runs; i++) {
        sim->totals.count[SIM_PAUSED_ACROSS] += sim->eras[i].row.state == FL_RUN_PAUSED;
    }
    fl_runs_wake(root->runs);
    s_look_soon(sim);
}

void
fl_sim_turns_do(fl_sim *sim, fl_sim_item *item)
{
    fl_sim_node *root = &sim->nodes[0];
    fl_sim_call *call = item->with.call;
    if (item->what == SIM_AT_OPERATOR) {
        s_operate(sim, &sim->eras[item->node]);
    } else if (!root->alive || root->life != item->life) {
        free(call); // died with its process
    } else if (item->what == SIM_AT_LOOK) {
        fl_runs_turn(root->runs, sim->now);
        s_look_soon(sim);
    } else if (item->what == SIM_AT_STORE) {
        call->job.work(call->job.arg);
        fl_time at = sim->now;
        if (sim->runs > 1) {
            at += (fl_time)fl_rng_below(&sim->turn_rng, 25);
            at = at > root->called_at ? at : root->called_at; // in their order
            root->called_at = at;
        }
        fl_sim_push(
            sim,
            (fl_sim_item){ .at = at, .what = SIM_AT_CALL, .life = item->life, .with.call = call });
    } else if (item->what == SIM_AT_CALL) {
        call->job.done(call->job.arg, true);
        free(call);
    } else {
        sim->posted--;
        fl_sim_node_step(sim, root, &call->event, NULL);
        free(call);
    }
}

bool
fl_sim_all_ended(const fl_sim *sim)
{
    bool all = true;
    for (uint32_t i = 0; i < sim->runs; i++) {
        all = all && fl_sim_era_ended(&sim->eras[i]);
    }
    return all;
}
