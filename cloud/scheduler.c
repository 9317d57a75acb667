#include "cloud/scheduler.h"

#include <stdlib.h>
#include <string.h>

struct fl_scheduler {
    uint32_t slots, count;
    fl_scheduled runs[FL_SCHEDULER_RUNS_MAX];
};

static const bool legal[FL_RUN_STATES][FL_RUN_STATES] = {
    [FL_RUN_QUEUED] = { [FL_RUN_RUNNING] = true, [FL_RUN_STOPPED] = true, [FL_RUN_ABORTED] = true },
    [FL_RUN_RUNNING] = { [FL_RUN_PAUSED] = true,
                         [FL_RUN_DONE] = true,
                         [FL_RUN_STOPPED] = true,
                         [FL_RUN_ABORTED] = true },
    [FL_RUN_PAUSED] = { [FL_RUN_RUNNING] = true,
                        [FL_RUN_PAUSED] = true,
                        [FL_RUN_STOPPED] = true,
                        [FL_RUN_ABORTED] = true },
};

bool
fl_run_state_may(fl_run_state from, fl_run_state to)
{
    return from < FL_RUN_STATES && to < FL_RUN_STATES && legal[from][to];
}

fl_scheduler *
fl_scheduler_new(uint32_t slots)
{
    fl_scheduler *self = calloc(1, sizeof *self);
    FL_ASSERT(slots > 0);
    if (self != NULL) {
        self->slots = slots;
    }
    return self;
}

void
fl_scheduler_destroy(fl_scheduler **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

//  Where it stands; self->count: unknown, or ended.
static uint32_t
s_place(const fl_scheduler *self, const fl_run *run)
{
    uint32_t i = 0;
    while (i < self->count && !fl_run_equal(&self->runs[i].run, run)) {
        i++;
    }
    return i;
}

static fl_scheduled *
s_find(fl_scheduler *self, const fl_run *run)
{
    uint32_t place = s_place(self, run);
    return place < self->count ? &self->runs[place] : NULL;
}

const fl_scheduled *
fl_scheduler_find(const fl_scheduler *self, const fl_run *run)
{
    uint32_t place = s_place(self, run);
    return place < self->count ? &self->runs[place] : NULL;
}

bool
fl_scheduler_room(const fl_scheduler *self)
{
    return self->count < FL_SCHEDULER_RUNS_MAX;
}

fl_status
fl_scheduler_add(fl_scheduler *self, const fl_scheduled *run)
{
    FL_ASSERT(run->state >= FL_RUN_QUEUED && run->state < FL_RUN_DONE);
    if (s_find(self, &run->run) != NULL) {
        return FL_EXISTS;
    }
    if (!fl_scheduler_room(self)) {
        return FL_FULL;
    }
    self->runs[self->count++] = (fl_scheduled){ .run = run->run,
                                                .number = run->number,
                                                .priority = run->priority,
                                                .state = run->state,
                                                .reason = run->reason,
                                                .retry_at = FL_NEVER };
    return FL_OK;
}

//  Before: begun by an earlier process, then the higher priority, then the lower number.
static bool
s_before(const fl_scheduled *a, const fl_scheduled *b)
{
    bool one = a->state != FL_RUN_QUEUED, other = b->state != FL_RUN_QUEUED;
    if (one != other) {
        return one;
    }
    return a->priority != b->priority ? a->priority > b->priority : a->number < b->number;
}

const fl_scheduled *
fl_scheduler_next(const fl_scheduler *self)
{
    const fl_scheduled *next = NULL;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_scheduled *run = &self->runs[i];
        taken += run->begun;
        if (!run->begun && (next == NULL || s_before(run, next))) {
            next = run;
        }
    }
    return taken < self->slots ? next : NULL;
}

static void
s_pause(fl_scheduled *run, fl_reason reason, fl_time now)
{
    run->reason = reason;
    run->retry_at = FL_NEVER;
    if (reason != FL_WHY_NONE) {
        uint32_t delay = run->retry_ms == 0 ? FL_SCHEDULER_RETRY_MIN_MS : 2 * run->retry_ms;
        run->retry_ms = delay < FL_SCHEDULER_RETRY_MAX_MS ? delay : FL_SCHEDULER_RETRY_MAX_MS;
        run->retry_at = now + (fl_time)run->retry_ms;
    }
}

void
fl_scheduler_begin(fl_scheduler *self, const fl_run *run, fl_time now)
{
    fl_scheduled *found = s_find(self, run);
    FL_ASSERT(found != NULL && !found->begun);
    found->begun = true;
    if (found->state == FL_RUN_QUEUED) {
        found->state = FL_RUN_RUNNING;
    } else if (found->state == FL_RUN_PAUSED) {
        s_pause(found, found->reason, now);
    }
}

fl_status
fl_scheduler_enter(fl_scheduler *self, const fl_run *run, fl_run_state to, fl_reason reason,
                   fl_time now)
{
    fl_scheduled *found = s_find(self, run);
    if (found == NULL) {
        return FL_MISSING;
    }
    if (!fl_run_state_may(found->state, to)) {
        return FL_DENIED;
    }
    if (to >= FL_RUN_DONE) {
        *found = self->runs[--self->count];
        return FL_OK;
    }
    found->begun = found->begun || found->state == FL_RUN_QUEUED;
    found->state = to;
    if (to == FL_RUN_PAUSED) {
        s_pause(found, reason, now);
    } else {
        found->reason = FL_WHY_NONE;
        found->retry_at = FL_NEVER;
    }
    return FL_OK;
}

void
fl_scheduler_well(fl_scheduler *self, const fl_run *run)
{
    fl_scheduled *found = s_find(self, run);
    if (found != NULL) {
        found->retry_ms = 0;
    }
}

void
fl_scheduler_prefer(fl_scheduler *self, const fl_run *run, int32_t priority)
{
    fl_scheduled *found = s_find(self, run);
    if (found != NULL) {
        found->priority = priority;
    }
}

//  The run that is tried first; NULL when none waits.
static const fl_scheduled *
s_first_retry(const fl_scheduler *self)
{
    const fl_scheduled *first = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_scheduled *run = &self->runs[i];
        if (run->retry_at != FL_NEVER && (first == NULL || run->retry_at < first->retry_at)) {
            first = run;
        }
    }
    return first;
}

fl_time
fl_scheduler_deadline(const fl_scheduler *self)
{
    const fl_scheduled *first = s_first_retry(self);
    return first == NULL ? FL_NEVER : first->retry_at;
}

const fl_scheduled *
fl_scheduler_due(const fl_scheduler *self, fl_time now)
{
    const fl_scheduled *first = s_first_retry(self);
    return first != NULL && first->retry_at <= now ? first : NULL;
}
