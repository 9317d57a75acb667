//  A contribution is proved while it comes in: whenever enough of it is staged and no piece is with
//  the workers, the next piece goes there, so that little is left for VERIFY. The jobs of a slot
//  are one strand: its proof needs no lock. A machine may give a slot up while a piece of it is
//  being read; then the memory stays with the job, and the slot gets new memory with its next
//  lease.
#include "common/runtime/effects_inside.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

enum {
    PIECE = 1 << 18,  // bytes that are worth a job of their own
    STRAND_SLOT = 16, // the first slot's
};

// ---- on a worker ------------------------------------------------------------------------------
static void
s_prove(void *arg)
{
    fl_errand *job = arg;
    fl_upload_check_add(&job->arrival->proof, job->bytes);
}

static void
s_verify(void *arg)
{
    fl_errand *job = arg;
    fl_upload_check_add(&job->arrival->proof, job->bytes);
    fl_reason reason = fl_upload_check_end(&job->arrival->proof, &job->effect.verify.hash,
                                           job->effect.verify.weight);
    job->event.verified.ok = reason == FL_WHY_NONE;
    job->event.verified.reason = reason;
}

// ---- on the reactor's thread ------------------------------------------------------------------
static void
s_free_slot(fl_effects *self, uint32_t slot)
{
    fl_arrival *last = self->arrivals[slot];
    self->arrivals[slot] = NULL;
    if (last != NULL && last->jobs > 0) {
        last->given_up = true;
        last->memory = fl_staging_take(self->conf.staging, slot);
    } else {
        free(last);
    }
    fl_staging_free(self->conf.staging, slot);
}

void
fl_effects_slot(fl_effects *self, const fl_effect *effect)
{
    uint32_t slot = effect->slot.slot;
    s_free_slot(self, slot);
    if (effect->slot.bytes == 0) {
        return;
    }
    fl_why why = { "out of memory" };
    fl_arrival *next = aligned_alloc(_Alignof(fl_arrival), sizeof *next);
    if (next == NULL ||
        fl_staging_lease(self->conf.staging, slot, effect->slot.bytes, &why) != FL_OK) {
        fl_log(FL_LOG_ERROR, "no-slot", fl_log_text("why", why.text));
        free(next);
        return;
    }
    memset(next, 0, sizeof *next);
    fl_upload_check_begin(&next->proof, &self->wanted, self->masked);
    self->arrivals[slot] = next;
}

//  What is staged and not yet handed to the proof, in whole elements.
static fl_errand *
s_piece(fl_effects *self, uint32_t slot, const fl_effect *effect, fl_event_kind answer)
{
    fl_arrival *from = self->arrivals[slot];
    const uint64_t until = fl_element_whole(&from->proof.element, from->staged);
    const fl_bytes all = fl_staging_bytes(self->conf.staging, slot);
    fl_errand *job = fl_effects_job(self, effect, answer);
    job->bytes = fl_bytes_of(all.data + from->handed, (size_t)(until - from->handed));
    job->arrival = from;
    from->handed = until;
    from->jobs++;
    return job;
}

void
fl_effects_stage(fl_effects *self, const fl_effect *effect)
{
    const uint32_t slot = effect->stage.slot;
    fl_arrival *to = self->arrivals[slot];
    if (to == NULL) {
        return; // VERIFY says so
    }
    fl_status status = fl_staging_write(self->conf.staging, slot, effect->stage.offset, self->body);
    FL_ASSERT(status == FL_OK && effect->stage.offset == to->staged); // leased, and in order
    to->staged += self->body.size;
    if (to->jobs == 0 && to->staged - to->handed >= PIECE) {
        fl_effects_start(s_piece(self, slot, effect, FL_EV_TICK), STRAND_SLOT + slot, s_prove);
    }
}

void
fl_effects_verify(fl_effects *self, const fl_effect *effect)
{
    const uint32_t slot = effect->verify.slot;
    if (self->arrivals[slot] == NULL) {
        fl_errand *job = fl_effects_job(self, effect, FL_EV_VERIFIED);
        job->event.verified.reason = FL_WHY_STORAGE;
        fl_effects_answer(job);
        return;
    }
    fl_errand *job = s_piece(self, slot, effect, FL_EV_VERIFIED);
    fl_effects_start(job, STRAND_SLOT + slot, s_verify); // behind the pieces
}
