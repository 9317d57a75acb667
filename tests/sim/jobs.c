//  When work ends and what survives: the workers of a node do one thing after the other, a training
//  runs beside it, the ledger makes a fact durable some time before it says so. A crash can fall
//  into every one of these gaps, and the weather aims at them.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static fl_time
s_some(fl_sim *sim, uint32_t low, uint32_t high)
{
    return low + (fl_time)fl_rng_below(&sim->work_rng, high - low + 1);
}

static fl_time
s_cost(fl_sim *sim, const fl_sim_node *node, fl_effect_kind kind)
{
    if (kind == FL_FX_TRAIN) {
        return s_some(sim, node->train_ms * 4 / 5, node->train_ms * 6 / 5);
    }
    if (kind == FL_FX_APPLY) {
        return s_some(sim, 2, 40);
    }
    return s_some(sim, 0, kind == FL_FX_ENCODE || kind == FL_FX_FINISH ? 10 : 3);
}

void
fl_sim_snipe(fl_sim *sim, fl_sim_node *node, fl_time until, uint32_t of_10000)
{
    if (!fl_sim_blows(sim, of_10000) ||
        (node->role == FL_ROLE_ROOT && !sim->weather.root_crashes)) {
        return;
    }
    fl_time at =
        sim->now + (fl_time)fl_rng_below(&sim->weather_rng, (uint64_t)(until - sim->now) + 1);
    fl_sim_push(sim, (fl_sim_item){
                         .at = at, .what = SIM_AT_CRASH, .node = node->index, .life = node->life });
}

void
fl_sim_job_free(fl_sim_job *job)
{
    free(job->roll);
    free(job->blocks);
    fl_blob_unref(&job->bytes);
    fl_blob_unref(&job->vector);
    free(job->seeds);
    free(job);
}

// ---- the ledger -------------------------------------------------------------------------------
static void
s_push_job(fl_sim *sim, const fl_sim_node *node, fl_sim_what what, fl_time at, fl_sim_job *job)
{
    fl_sim_push(
        sim,
        (fl_sim_item){
            .at = at, .what = what, .node = node->index, .life = node->life, .with.job = job });
}

static fl_sim_job *
s_save_job(const fl_sim *sim, const fl_effect *effect)
{
    fl_sim_job *job = fl_sim_new(sizeof *job);
    job->effect = *effect;
    FL_ASSERT(effect->save.report != NULL);
    job->report = *effect->save.report;
    size_t bytes = job->report.roll_count * sizeof *job->roll;
    job->roll = fl_sim_new(bytes);
    if (bytes > 0) {
        memcpy(job->roll, job->report.roll, bytes);
    }
    job->report.roll = job->roll;
    bytes = job->report.block_count * sizeof *job->blocks;
    job->blocks = fl_sim_new(bytes);
    if (bytes > 0) {
        memcpy(job->blocks, job->report.blocks, bytes);
    }
    job->report.blocks = job->blocks;
    for (uint32_t i = 0; i < job->report.roll_count && sim->plant == PLANT_DROP_ABSENT; i++) {
        if (job->roll[i].outcome == FL_OUT_ABSENT) { // the last one stands in its place
            job->roll[i] = job->roll[--job->report.roll_count];
        }
    }
    if (sim->plant == PLANT_WRONG_LINE && job->report.block_count > 0) {
        job->blocks[0].survivors = (uint8_t)(job->blocks[0].members + 1);
    }
    return job;
}

static fl_sim_job *
s_keep_job(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    fl_sim_job *job = fl_sim_new(sizeof *job);
    job->effect = *effect;
    job->bytes = fl_blob_copy(effect->keep.fact);
    FL_ASSERT(job->bytes != NULL);
    if (effect->keep.vec != 0) {
        job->vector = fl_blob_ref(fl_sim_vec_at(sim, node, effect->keep.vec)->blob);
    }
    return job;
}

//  SAVE and KEEP: one thread makes both durable, in their order.
static void
s_save(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    bool keep = effect->kind == FL_FX_KEEP;
    fl_sim_job *job = keep ? s_keep_job(sim, node, effect) : s_save_job(sim, effect);
    fl_time from = node->ledger_at > sim->now ? node->ledger_at : sim->now;
    fl_time at = from + s_some(sim, 1, 25);
    node->ledger_at = at;
    node->desk[effect->track].saves++;
    if (sim->plant == PLANT_EARLY_SAVED && !keep && effect->save.what == FL_SAVE_CLOSE) {
        s_push_job(sim, node, SIM_AT_SAVED, sim->now, s_save_job(sim, effect));
        at += 1500;
    }
    job->save_fails = fl_sim_blows(sim, sim->weather.save_fails) ||
                      (node->role == FL_ROLE_ROOT && at < sim->outage_until);
    if (sim->plant == PLANT_SICK_STORE && job->save_fails) {
        sim->outage_until = FL_NEVER;
    }
    s_push_job(sim, node, SIM_AT_DURABLE, at, job);
    fl_sim_snipe(sim, node, at + 25, sim->weather.snipe);
}

static void
s_kept(fl_sim *sim, fl_sim_node *node, fl_sim_job *job)
{
    if (job->save_fails) {
        fl_sim_count_up(sim, SIM_KEEP_FAILED);
    } else {
        fl_sim_mask_kept(sim, node, job);
    }
    s_push_job(sim, node, SIM_AT_SAVED, sim->now + s_some(sim, 0, 25), job);
}

//  The root's ledger.
static void
s_close_round(fl_sim_era *era, const fl_report *report)
{
    const size_t bytes = report->roll_count * sizeof *era->roll;
    era->bases = fl_sim_grow(era->bases, (era->row.rounds_closed + 1) * sizeof *era->bases);
    era->bases[era->row.rounds_closed++] = report->base;
    era->row.model = report->model;
    era->row.open = 0;
    const bool done = report->close == FL_CLOSE_DONE;
    era->draw = done ? 0 : era->draw;
    era->bound = done ? 0 : era->bound + (report->reason == FL_WHY_SAME_MODEL);
    era->aborted = report->close == FL_CLOSE_ABORTED ? report->reason : FL_WHY_NONE;
    era->since = era->sim->now;
    era->roll = fl_sim_grow(era->roll, bytes > 0 ? bytes : 1);
    era->roll_count = report->roll_count;
    if (bytes > 0) {
        memcpy(era->roll, report->roll, bytes);
    }
}

//  An edge's: what is read of it when it starts again.
static void
s_close_below(fl_sim *sim, fl_sim_node *node, const fl_report *report)
{
    const fl_sim_era *era = fl_sim_era_of(sim, &report->run);
    const size_t bytes = report->roll_count * sizeof *report->roll;
    fl_roll_entry **roll = &node->ledger.members[era - sim->eras].roll;
    *roll = fl_sim_grow(*roll, bytes > 0 ? bytes : 1);
    node->ledger.members[era - sim->eras].count = report->roll_count;
    if (bytes > 0) {
        memcpy(*roll, report->roll, bytes);
    }
}

void
fl_sim_ledger_release(fl_sim_node *node)
{
    for (uint32_t i = 0; i < SIM_RUNS_MAX; i++) {
        free(node->ledger.members[i].roll);
    }
}

void
fl_sim_work_durable(fl_sim *sim, fl_sim_node *node, fl_sim_job *job)
{
    if (job->effect.kind == FL_FX_KEEP) {
        s_kept(sim, node, job);
        return;
    }
    fl_sim_ledger *ledger = &node->ledger;
    const fl_report *report = &job->report;
    bool close = job->effect.save.what == FL_SAVE_CLOSE;
    if (job->save_fails) {
        fl_sim_count_up(sim, SIM_SAVE_FAILED);
    } else if (!close && job->effect.save.what == FL_SAVE_OPEN) {
        ledger->open_run = report->run;
        ledger->open_round = report->round;
        ledger->open_attempt = report->attempt;
        if (node->role == FL_ROLE_ROOT) {
            fl_sim_era *era = fl_sim_era_of(sim, &report->run);
            era->row.open = era->opened = ++sim->opened;
            era->attempt = report->attempt;
            era->bound = report->draw == era->draw ? era->bound : 0;
            era->draw = report->draw;
        }
    } else if (close && node->role == FL_ROLE_EDGE) {
        s_close_below(sim, node, report);
    } else if (close && node->role == FL_ROLE_ROOT) {
        fl_sim_check_commit(sim, report);
        if (sim->restores && report->close == FL_CLOSE_DONE) {
            fl_sim_push(sim, (fl_sim_item){ .at = sim->now + s_some(sim, 30, 3000),
                                            .what = SIM_AT_CRASH,
                                            .life = node->life });
        }
        if (sim->plant != PLANT_FORGET_COMMIT || report->round != 2) {
            s_close_round(fl_sim_era_of(sim, &report->run), report);
        } else if (!sim->weather.clear) {
            fl_sim_push(sim, (fl_sim_item){
                                 .at = sim->now + 100, .what = SIM_AT_CRASH, .life = node->life });
        }
    }
    bool silent = sim->plant == PLANT_LOST_SAVED && close && report->round == 2;
    if (silent || (sim->plant == PLANT_EARLY_SAVED && close)) {
        fl_sim_job_free(job);
        return;
    }
    s_push_job(sim, node, SIM_AT_SAVED, sim->now + s_some(sim, 0, 25), job);
}

//  The one place where an answer goes back to who asked.
static void
s_answer(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_event *answer)
{
    if (sim->answer_hook == NULL || sim->answer_hook(sim, node, effect, answer)) {
        fl_sim_node_step(sim, node, answer, NULL);
    }
}

void
fl_sim_work_saved(fl_sim *sim, fl_sim_node *node, fl_sim_job *job)
{
    fl_event event = { .kind = FL_EV_SAVED };
    fl_effect effect = job->effect;
    bool keep = effect.kind == FL_FX_KEEP;
    event.token = effect.token;
    event.track = effect.track;
    event.saved.ok = !job->save_fails;
    node->desk[effect.track].saves--;
    if (keep) {
        node->masks.keeping[effect.keep.what]--;
    }
    if (!keep && node->role == FL_ROLE_ROOT && effect.save.what == FL_SAVE_CLOSE) {
        fl_sim_job *before = sim->closed;
        sim->closed = job;
        job = before;
    }
    if (job != NULL) {
        fl_sim_job_free(job);
    }
    s_answer(sim, node, &effect, &event);
    if (!event.saved.ok && !keep && node->role == FL_ROLE_ROOT) {
        fl_sim_check_pauses(sim, effect.track);
    }
}

// ---- the workers -------------------------------------------------------------------------------
//  The machine wipes its seeds when it has asked, and may drop the vector: as in life, the work
//  holds both.
static void
s_hold(fl_sim *sim, fl_sim_node *node, fl_sim_job *job)
{
    bool mask = job->effect.kind == FL_FX_MASK;
    if (!mask && job->effect.kind != FL_FX_UNMASK) {
        return;
    }
    const fl_mask_seed *seeds = mask ? job->effect.mask.seeds : job->effect.unmask.seeds;
    size_t count = mask ? job->effect.mask.seed_count : job->effect.unmask.seed_count;
    job->seeds = fl_sim_new(count * sizeof *seeds);
    memcpy(job->seeds, seeds, count * sizeof *seeds);
    fl_sim_vec *vec = mask ? fl_sim_vec_at(sim, node, job->effect.mask.vec) : NULL;
    job->bytes = vec != NULL ? fl_blob_ref(vec->blob) : NULL;
}

void
fl_sim_work_begin(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    if (effect->kind == FL_FX_SAVE || effect->kind == FL_FX_KEEP) {
        s_save(sim, node, effect);
        return;
    }
    if (!fl_sim_work_check(sim, node, effect)) {
        return;
    }
    fl_sim_job *job = fl_sim_new(sizeof *job);
    job->effect = *effect;
    fl_time at = sim->now + s_cost(sim, node, effect->kind);
    if (effect->kind == FL_FX_TRAIN) {
        fl_sim_trace(sim, "%s trains for round %" PRIu64 " until %" PRId64, node->name.name,
                     effect->train.order.round, at);
    }
    if (effect->kind == FL_FX_TRAIN) {
        node->training = true;
        node->train_token = effect->token;
        job->serial = ++node->train_serial;
    } else {
        at = at > node->crew_at ? at : node->crew_at;
        node->crew_at = at;
        node->desk[effect->track].jobs++;
        node->desk[effect->track].loose += fl_sim_work_loose(effect);
        fl_sim_snipe(sim, node, at, sim->weather.snipe);
    }
    job->clears = node->desk[effect->track].clears;
    s_hold(sim, node, job);
    s_push_job(sim, node, SIM_AT_JOB, at, job);
}

void
fl_sim_work_done(fl_sim *sim, fl_sim_node *node, fl_sim_job *job)
{
    bool training = job->effect.kind == FL_FX_TRAIN;
    if (training && job->serial != node->train_serial) {
        fl_sim_job_free(job); // its cancellation answers
        return;
    }
    fl_sim_desk *desk = &node->desk[job->effect.track];
    desk->jobs -= !training;
    desk->loose -= fl_sim_work_loose(&job->effect);
    fl_event event = { 0 };
    fl_effect effect = job->effect;
    fl_sim_work_carry_out(sim, node, job, &event);
    fl_sim_job_free(job);
    if (sim->notary.failed == CHECK_NONE) {
        s_answer(sim, node, &effect, &event);
    }
}
