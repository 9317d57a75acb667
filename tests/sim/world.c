//  The loop of one seed: pop the earliest thing, set the clock, do it. What is at the same time is
//  done in the order in which it was planned, so a seed has exactly one history.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "tests/sim/sim.h"

enum { EVENTS_MAX = 3000000 }; // a run that needs more is caught in a loop

static const char *const counts[SIM_COUNTS] = {
    [SIM_SENT] = "messages sent",
    [SIM_LOST] = "lost",
    [SIM_DUPLICATED] = "duplicated",
    [SIM_REORDERED] = "reordered",
    [SIM_DELAYED] = "delayed",
    [SIM_CLOGGED] = "held by a clog",
    [SIM_CUT] = "cut by a partition",
    [SIM_FLIP_HEADER] = "bit flips in a header",
    [SIM_FLIP_BODY] = "bit flips in a body",
    [SIM_VANISHED] = "gone with a connection",
    [SIM_QUEUED_DEAD] = "queued for a dead parent",
    [SIM_PARTITIONS] = "partitions",
    [SIM_CLOGS] = "clogs",
    [SIM_FREEZES] = "freezes",
    [SIM_STOPS] = "orderly stops",
    [SIM_EXPELS] = "children cut off",
    [SIM_CRASH_ROOT] = "crashes of the root",
    [SIM_CRASH_EDGE] = "crashes of an edge",
    [SIM_CRASH_DEVICE] = "crashes of a device",
    [SIM_CRASH_UNSAVED] = "crashes between save and saved",
    [SIM_CRASH_JOB] = "crashes with work in flight",
    [SIM_SAVE_FAILED] = "saves that failed",
    [SIM_TRAIN_FAILED] = "trainings that failed",
    [SIM_EVENTS] = "events",
    [SIM_RECONNECTS] = "reconnects",
    [SIM_REJOINS] = "rejoins",
    [SIM_BAD_HASH] = "wrong bytes caught by their hash",
    [SIM_WITHDRAWN] = "slots withdrawn",
    [SIM_REWINDS] = "rewinds",
    [SIM_EXTENDS] = "extensions",
    [SIM_RETRIES] = "second attempts",
    [SIM_DONE] = "rounds done",
    [SIM_SKIPPED] = "rounds skipped",
    [SIM_ABORTED] = "rounds aborted",
    [SIM_IN] = "updates in",
    [SIM_LATE] = "updates late",
    [SIM_ABSENT] = "devices absent",
    [SIM_REFUSED] = "updates refused",
    [SIM_CARRIED] = "late updates counted",
    [SIM_CALM] = "calm seeds",
    [SIM_STORMS] = "stormy seeds",
    [SIM_HURRICANES] = "of them hurricanes",
    [SIM_SEEDS] = "seeds",
    [SIM_RUNS] = "runs",
    [SIM_TURNS] = "turns of another run",
    [SIM_OVERLAPS] = "trees whose runs overlap",
    [SIM_ABREAST] = "rounds opened beside another one",
    [SIM_PAUSED] = "pauses by the operator",
    [SIM_PAUSED_ACROSS] = "restarts of the root meanwhile",
    [SIM_STOPPED] = "runs stopped by him",
    [SIM_GONE] = "members gone for good",
    [SIM_REPLACED] = "members replaced",
    [SIM_COPIED] = "copies of a device",
    [SIM_DOUBLED] = "rounds that counted both",
    [SIM_DRAINED] = "nodes drained",
    [SIM_OUTAGES] = "stores that failed for a while",
    [SIM_EXODUSES] = "ten minutes without edges",
    [SIM_SEEDS_MASKED] = "of them masked",
    [SIM_SEEDS_HONEST] = "of these honest",
    [SIM_BLOCKS_DONE] = "blocks opened",
    [SIM_BLOCKS_ABORTED] = "blocks aborted",
    [SIM_MASKED] = "members told to mask",
    [SIM_RECOVERED] = "lost and recovered",
    [SIM_KEEP_FAILED] = "facts that were not kept",
    [SIM_TAKEN_UP] = "starts with facts of a round",
    [SIM_TAKEN_UP_DONE] = "blocks opened after a restart",
    [SIM_SUMS_AGAIN] = "sums handed in again",
    [SIM_CLEARED] = "marks cleared by BURNTS",
    [SIM_RESTORED] = "models taken back with the root's backup",
    [SIM_DRAWS] = "further draws",
    [SIM_DRAWS_USED] = "seeds that end with all draws used",
    [SIM_SNIPED] = "crashes aimed at a step",
    [SIM_VIRTUAL_MS] = "virtual ms",
};

static const char *const kinds[FL_KEEP_COUNT] = { "mark",      "roster", "dealt",    "mask set",
                                                  "survivors", "acks",   "evidence", "sum" };

//  "crash of a child: masked" and the like, made when asked for.
static const char *
s_made_name(const char *what, const char *which)
{
    static char name[64];
    snprintf(name, sizeof name, "%s %s", what, which);
    return name;
}

const char *
fl_sim_count_name(fl_sim_count count)
{
    FL_ASSERT((unsigned)count < SIM_COUNTS);
    if (counts[count] != NULL) {
        return counts[count];
    }
    if (count >= SIM_ENDED) {
        return s_made_name("block ended:", fl_reason_name((fl_reason)(count - SIM_ENDED)));
    }
    if (count >= SIM_CRASH_KEEP) {
        return s_made_name("crash while keeping:", kinds[count - SIM_CRASH_KEEP]);
    }
    if (count >= SIM_CRASH_PARENT) {
        return s_made_name("crash of a parent:",
                           fl_secagg_state_name((fl_secagg_state)(count - SIM_CRASH_PARENT)));
    }
    return s_made_name("crash of a child:",
                       fl_sim_child_name((fl_sim_child)(count - SIM_CRASH_CHILD)));
}

void
fl_sim_count_up(fl_sim *sim, fl_sim_count count)
{
    sim->totals.count[count]++;
}

void
fl_sim_trace(const fl_sim *sim, const char *format, ...)
{
    if (sim->trace) {
        va_list arguments;
        va_start(arguments, format);
        printf("%8" PRId64 "  ", sim->now);
        vprintf(format, arguments);
        printf("\n");
        va_end(arguments);
    }
}

void *
fl_sim_new(size_t bytes)
{
    void *fresh = calloc(1, bytes > 0 ? bytes : 1);
    FL_ASSERT(fresh != NULL);
    return fresh;
}

void *
fl_sim_grow(void *old, size_t bytes)
{
    void *fresh = realloc(old, bytes);
    FL_ASSERT(fresh != NULL);
    return fresh;
}

// ---- the heap ---------------------------------------------------------------------------------
static bool
s_before(const fl_sim_item *a, const fl_sim_item *b)
{
    return a->at != b->at ? a->at < b->at : a->id < b->id;
}

void
fl_sim_push(fl_sim *sim, fl_sim_item item)
{
    FL_ASSERT(item.at >= sim->now);
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity > 0 ? 2 * sim->heap_capacity : 256;
        sim->heap = fl_sim_grow(sim->heap, sim->heap_capacity * sizeof *sim->heap);
    }
    if (item.id == 0) {
        item.id = ++sim->next_id;
    }
    size_t hole = sim->heap_count++;
    while (hole > 0 && s_before(&item, &sim->heap[(hole - 1) / 2])) {
        sim->heap[hole] = sim->heap[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    sim->heap[hole] = item;
}

static fl_sim_item
s_pop(fl_sim *sim)
{
    fl_sim_item top = sim->heap[0];
    fl_sim_item last = sim->heap[--sim->heap_count];
    size_t hole = 0;
    for (;;) {
        size_t child = 2 * hole + 1;
        if (child + 1 < sim->heap_count && s_before(&sim->heap[child + 1], &sim->heap[child])) {
            child++;
        }
        if (child >= sim->heap_count || !s_before(&sim->heap[child], &last)) {
            break;
        }
        sim->heap[hole] = sim->heap[child];
        hole = child;
    }
    if (sim->heap_count > 0) {
        sim->heap[hole] = last;
    }
    return top;
}

// ---- one item ---------------------------------------------------------------------------------
static void
s_item_free(fl_sim_item *item)
{
    switch (item->what) {
    case SIM_AT_LETTER:
        fl_sim_letter_free(item->with.letter);
        break;
    case SIM_AT_JOB:
    case SIM_AT_DURABLE:
    case SIM_AT_SAVED:
        fl_sim_job_free(item->with.job);
        break;
    case SIM_AT_STORE:
    case SIM_AT_CALL:
    case SIM_AT_POST:
        free(item->with.call);
        break;
    case SIM_AT_TICK:
    case SIM_AT_CRASH:
    case SIM_AT_LOOK:
    case SIM_AT_OUTAGE:
    case SIM_AT_EXODUS:
    case SIM_AT_OPERATOR:
    case SIM_AT_FATE:
    case SIM_AT_START:
    case SIM_AT_GUST:
    case SIM_AT_CLEAR:
        break;
    }
}

//  A frozen process does nothing until it thaws; what was meant for it waits in order.
static bool
s_postponed(fl_sim *sim, const fl_sim_item *item)
{
    uint32_t index = item->node;
    if (item->what == SIM_AT_LETTER) {
        const fl_sim_link *link = &sim->links[item->with.letter->link];
        index = item->with.letter->up ? link->parent : link->child;
    } else if (item->what != SIM_AT_TICK && item->what != SIM_AT_JOB &&
               item->what != SIM_AT_SAVED && item->what != SIM_AT_CALL &&
               item->what != SIM_AT_POST && item->what != SIM_AT_LOOK &&
               item->what != SIM_AT_FATE) {
        return false;
    }
    const fl_sim_node *node = &sim->nodes[index];
    if (!node->alive || node->frozen_until <= sim->now) {
        return false;
    }
    fl_sim_item later = *item;                                   // keeps its id: the order stays
    later.at = node->frozen_until + (item->what == SIM_AT_TICK); // reads before it looks up
    fl_sim_push(sim, later);
    return true;
}

static void
s_job_due(fl_sim *sim, fl_sim_node *node, const fl_sim_item *item)
{
    if (!node->alive || node->life != item->life) {
        fl_sim_job_free(item->with.job); // died with its process
    } else if (item->what == SIM_AT_JOB) {
        fl_sim_work_done(sim, node, item->with.job);
    } else if (item->what == SIM_AT_SAVED) {
        fl_sim_work_saved(sim, node, item->with.job);
    } else {
        fl_sim_work_durable(sim, node, item->with.job);
    }
}

static void
s_do(fl_sim *sim, fl_sim_item *item)
{
    fl_sim_node *node = &sim->nodes[item->node];
    bool current = node->alive && node->life == item->life;
    switch (item->what) {
    case SIM_AT_LETTER:
        fl_sim_deliver(sim, item->with.letter);
        break;
    case SIM_AT_TICK:
        if (current && node->tick_id == item->id) {
            fl_sim_node_tick(sim, node);
        }
        break;
    case SIM_AT_JOB:
    case SIM_AT_DURABLE:
    case SIM_AT_SAVED:
        s_job_due(sim, node, item);
        break;
    case SIM_AT_CRASH:
        if (current && (node->stopping || sim->restores || !sim->weather.clear)) {
            fl_sim_node_crash(sim, node, 200 + (uint32_t)fl_rng_below(&sim->weather_rng, 2000));
        }
        break;
    case SIM_AT_STORE:
    case SIM_AT_CALL:
    case SIM_AT_POST:
    case SIM_AT_LOOK:
    case SIM_AT_OPERATOR:
        fl_sim_turns_do(sim, item);
        break;
    case SIM_AT_OUTAGE:
        fl_sim_outage(sim);
        break;
    case SIM_AT_EXODUS:
        fl_sim_exodus(sim);
        break;
    case SIM_AT_FATE:
        fl_sim_fated(sim, node);
        break;
    case SIM_AT_START:
        if (!node->alive && !node->fate.gone) {
            fl_sim_node_start(sim, node);
        }
        break;
    case SIM_AT_GUST:
        fl_sim_gust(sim);
        break;
    case SIM_AT_CLEAR:
        fl_sim_clear_sky(sim);
        break;
    }
}

//  Once nothing blows, the rest of the run has a bound: every round its longest window with all
//  extensions, the wait before it, and the time that the tree needs to find together again.
void
fl_sim_clear_sky(fl_sim *sim)
{
    if (sim->weather.clear) {
        return;
    }
    sim->weather.clear = true;
    sim->outage_until = sim->plant == PLANT_SICK_STORE ? sim->outage_until : 0;
    fl_time from = sim->now;
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (!sim->nodes[i].alive && sim->nodes[i].back_at > from) {
            from = sim->nodes[i].back_at;
        }
        if (sim->nodes[i].fate.drained) {
            fl_sim_push(sim, (fl_sim_item){ .at = sim->now, .what = SIM_AT_FATE, .node = i });
        }
    }
    for (uint32_t i = 0; i < sim->link_count; i++) {
        sim->links[i].cut_until = 0;
    }
    const fl_window *window = &sim->nodes[0].window;
    fl_time round = (fl_time)window->time_max_ms +
                    (fl_time)window->extends_max * window->extend_ms + sim->start_wait_ms + 2000;
    sim->clear_since = from;
    for (uint32_t i = 0; i < sim->runs; i++) {
        const fl_sim_era *era = &sim->eras[i];
        from = era->resume_at > from ? era->resume_at : from;
    }
    uint64_t left = sim->runs * (sim->rounds + 2) - sim->notary.closed;
    sim->progress_by =
        from + (fl_time)left * round + (fl_time)sim->runs * 30000 + (sim->outages > 0 ? 64000 : 0);
    fl_sim_trace(sim, "---- the sky clears; the run must end by %" PRId64, sim->progress_by);
}

static bool
s_all_finished(const fl_sim *sim)
{
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (!fl_sim_node_out(sim, node) &&
            (!node->alive || node->stopping || !fl_sim_node_finished(sim, node))) {
            return false;
        }
    }
    return true;
}

static bool
s_goes_on(fl_sim *sim)
{
    if (sim->notary.failed != CHECK_NONE || sim->heap_count == 0) {
        return false;
    }
    if (sim->totals.count[SIM_EVENTS] > EVENTS_MAX) {
        fl_sim_fail(sim, CHECK_PROGRESS, "more than %d events: something runs in a circle",
                    EVENTS_MAX);
        return false;
    }
    if (sim->weather.clear && sim->now > sim->progress_by) {
        return false; // check_end says what is missing
    }
    return !(sim->over && s_all_finished(sim));
}

bool
fl_sim_go_on(fl_sim *sim)
{
    if (!s_goes_on(sim)) {
        return false;
    }
    fl_sim_item item = s_pop(sim);
    sim->now = item.at;
    fl_sim_count_up(sim, SIM_EVENTS);
    if (!s_postponed(sim, &item)) {
        s_do(sim, &item);
    }
    return true;
}

//  What the root's runs log is no news here.
static void
s_hush(void *self, const char *line, size_t size)
{
    (void)self;
    (void)line;
    (void)size;
}

fl_sim *
fl_sim_open(const fl_sim_setup *setup)
{
    const fl_log_conf log = { .tier = "root", .node = "sim", .sink = s_hush };
    fl_log_setup(&log);
    fl_sim *sim = fl_sim_new(sizeof *sim);
    sim->seed = setup->seed;
    sim->plant = setup->plant;
    sim->trace = setup->trace;
    const fl_rng rng = fl_rng_seeded(setup->seed);
    sim->shape_rng = fl_rng_split(&rng, 1);
    sim->weather_rng = fl_rng_split(&rng, 2);
    sim->work_rng = fl_rng_split(&rng, 3);
    sim->mask_rng = fl_rng_split(&rng, 4);
    fl_rng runs = fl_rng_split(&rng, 5);
    sim->turn_rng = fl_rng_split(&rng, 6);
    sim->life_rng = fl_rng_split(&rng, 7);
    bool lives = fl_rng_below(&sim->life_rng, 4) == 0;
    sim->lives = setup->plant == PLANT_NONE ? lives && setup->layout == NULL
                                            : fl_sim_plant_lives(setup->plant);
    bool several = fl_rng_below(&runs, 4) == 0;
    several = setup->plant == PLANT_NONE ? several && setup->layout == NULL
                                         : fl_sim_plant_runs(setup->plant);
    sim->runs = several ? 2 + (uint32_t)fl_rng_below(&runs, SIM_RUNS_MAX - 1) : 1;
    if (setup->layout != NULL) {
        fl_sim_lay_out(sim, setup->layout);
    } else {
        fl_sim_shape(sim, setup->nodes, setup->masking);
    }
    fl_sim_submit(sim, setup->layout == NULL &&
                           (setup->plant == PLANT_NONE || fl_sim_plant_runs(setup->plant)));
    for (uint32_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].fate.kind == SIM_IS_A_COPY) {
            continue;
        }
        fl_time at = setup->layout != NULL ? i : (fl_time)fl_rng_below(&sim->shape_rng, 800);
        fl_sim_push(sim, (fl_sim_item){ .at = at, .what = SIM_AT_START, .node = i });
    }
    if (!sim->weather.clear) {
        fl_sim_push(sim, (fl_sim_item){ .at = sim->weather.clear_at, .what = SIM_AT_CLEAR });
        if (sim->weather.gust_ms > 0) {
            fl_sim_push(sim, (fl_sim_item){ .at = sim->weather.gust_ms, .what = SIM_AT_GUST });
        }
    }
    return sim;
}

void
fl_sim_close(fl_sim **sim_p)
{
    fl_sim *sim = *sim_p;
    *sim_p = NULL;
    for (size_t i = 0; i < sim->heap_count; i++) {
        s_item_free(&sim->heap[i]);
    }
    for (uint32_t i = 0; i < sim->node_count; i++) {
        fl_sim_node_release(sim, &sim->nodes[i]);
    }
    if (sim->closed != NULL) {
        fl_sim_job_free(sim->closed);
    }
    fl_sim_notary_release(sim);
    fl_sim_unshape(sim);
    free(sim->heap);
    free(sim);
}

bool
fl_sim_run(const fl_sim_setup *setup, fl_sim_totals *totals, fl_sim_checker *failed, char *sentence)
{
    fl_sim *sim = fl_sim_open(setup);
    while (fl_sim_go_on(sim)) {
    }
    if (sim->notary.failed == CHECK_NONE) {
        fl_sim_check_end(sim);
    }
    fl_sim_count_up(sim, SIM_SEEDS);
    sim->totals.count[SIM_VIRTUAL_MS] += (uint64_t)sim->now;
    for (int i = 0; i < SIM_COUNTS; i++) {
        totals->count[i] += sim->totals.count[i];
    }
    *failed = sim->notary.failed;
    snprintf(sentence, sizeof sim->notary.sentence, "%s", sim->notary.sentence);
    fl_sim_close(&sim);
    return *failed == CHECK_NONE;
}
