#include "common/runtime/effects_job.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/locked.h"

//  A job that read it has come back.
static void
s_let_go(fl_arrival *self)
{
    FL_ASSERT(self->jobs > 0);
    self->jobs--;
    if (self->given_up && self->jobs == 0) {
        fl_staging_unmap(self->memory);
        free(self);
    }
}

static void
s_hand_over(fl_handles *handles, fl_errand *job)
{
    const uint32_t track = job->event.track;
    if (job->out != NULL) {
        *job->vec = fl_handles_put(handles, &job->out);
    }
    if (job->event.kind == FL_EV_MODEL && job->event.model.ok) {
        fl_handles_put_model(handles, track, &job->effect.check.hash, &job->in);
    } else if (job->event.kind == FL_EV_APPLIED && job->event.applied.ok) {
        fl_handles_put_model(handles, track, &job->applied.hash, &job->applied.model);
    }
}

static void
s_done(void *arg, bool ran)
{
    fl_errand *job = arg;
    fl_effects *self = job->effects;
    self->running--;
    if (job->arrival != NULL) {
        s_let_go(job->arrival);
    }
    if (ran) {
        s_hand_over(self->conf.handles, job);
        if (job->event.kind != FL_EV_TICK) { // CLEAR and a piece have no answer
            self->conf.post(self->conf.post_self, &job->event);
        }
    }
    fl_blob_unref(&job->in);
    fl_blob_unref(&job->out);
    fl_blob_unref(&job->vector);
    fl_blob_unref(&job->applied.model);
    fl_locked_free(job->seeds);
    free(job->blocks);
    free(job->roll);
    job->next = self->spare;
    self->spare = job;
}

fl_errand *
fl_effects_job(fl_effects *self, const fl_effect *effect, fl_event_kind answer)
{
    fl_errand *job = self->spare;
    if (job != NULL) {
        self->spare = job->next;
    } else {
        FL_ASSERT(self->errands_used < self->errands_max);
        job = &self->errands[self->errands_used++];
    }
    memset(job, 0, sizeof *job);
    job->effects = self;
    job->effect = *effect;
    job->event.kind = answer;
    job->event.track = self->conf.track;
    job->event.token = effect->token;
    return job;
}

void
fl_effects_start(fl_errand *job, uint32_t strand, void (*work)(void *arg))
{
    fl_effects *self = job->effects;
    const fl_job hired = { .strand = strand, .work = work, .done = s_done, .arg = job };
    fl_status status = fl_workers_add(self->conf.workers, &hired);
    if (status == FL_DENIED) { // stopping: nobody waits for the answer
        self->running++;
        s_done(job, false);
        return;
    }
    FL_ASSERT(status == FL_OK); // the worker pool is sized for every job of a machine
    self->running++;
}

void
fl_effects_answer(fl_errand *job)
{
    job->effects->running++;
    s_done(job, true);
}
