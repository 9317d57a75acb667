//  Masks go on an update and come off a sum in tiles, which idle workers take too. The
//  seeds are the machine's secrets: a job has its own copy in locked memory, which is wiped when it
//  comes back, whether it ran or not. Facts of the round are kept on the store's strand.
#include <string.h>

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/crypto/locked.h"
#include "common/runtime/effects_inside.h"

enum { TILE = 1 << 16, PART = 1 << 12 }; // elements: of a job's share, packed at a time

//  A tile of a vector of so many elements.
static fl_mask_range
s_tile(uint32_t tile, uint64_t elements, const fl_element *element)
{
    const uint64_t first = (uint64_t)tile * TILE, left = elements - first;
    return (fl_mask_range){ .ring_bits = element->ring_bits,
                            .lane = FL_MASK_LANE_VECTOR,
                            .first = first,
                            .count = left < TILE ? left : TILE };
}

static uint32_t
s_tiles(uint64_t elements)
{
    return (uint32_t)((elements + TILE - 1) / TILE);
}

// ---- on a worker ------------------------------------------------------------------------------
static void
s_mask_tile(void *arg, uint32_t tile)
{
    fl_errand *job = arg;
    const fl_element *element = &job->effect.mask.element;
    const fl_mask_range range = s_tile(tile, job->effect.mask.elements, element);
    const uint64_t at = fl_element_bytes(element, range.first);
    uint8_t *wire = fl_blob_data(job->out) + at;
    job->checksum += fl_mask_checksum(job->effect.mask.checksum_key, range.first, range.count,
                                      element->wire_bytes, wire);
    fl_mask_wire(job->seeds, job->effect.mask.seed_count, &range, element->wire_bytes, wire, wire);
}

static void
s_mask(void *arg)
{
    fl_errand *job = arg;
    //  In place: of one update there is one mask, and no way back. An edge may still be storing its
    //  sum, which is then the store's.
    job->out = fl_blob_alone(&job->in);
    if (job->out == NULL) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_text("for", "a masked update"));
        return; // no vector says it
    }
    FL_ASSERT(fl_blob_size(job->out) ==
              fl_element_bytes(&job->effect.mask.element, job->effect.mask.elements));
    fl_workers_share(job->effects->conf.workers, s_tiles(job->effect.mask.elements), s_mask_tile,
                     job);
    job->event.masked.hash = fl_hash_of(fl_blob_bytes(job->out));
    job->event.masked.bytes = fl_blob_size(job->out);
    job->event.masked.checksum = job->checksum;
}

static void
s_raise(_Atomic uint64_t *peak, uint64_t found)
{
    uint64_t known = *peak;
    while (known < found && !atomic_compare_exchange_weak(peak, &known, found)) {
    }
}

//  Elements of the opened sum, into its checksum and its peak.
static void
s_judge(fl_errand *job, const fl_fold *fold, uint64_t first, uint64_t count)
{
    const fl_element *element = &job->effect.unmask.element;
    uint8_t wire[PART * sizeof(int64_t)];
    bool fits = fl_fold_finish(fold, first, count, wire);
    FL_ASSERT(fits); // settled words do, whatever they are
    job->checksum += fl_mask_checksum(job->effect.unmask.checksum_key, first, count,
                                      element->wire_bytes, wire);
    const fl_bytes opened = fl_bytes_of(wire, fl_element_bytes(element, count));
    s_raise(&job->peak, fl_element_peak(element, opened));
}

static void
s_unmask_tile(void *arg, uint32_t tile)
{
    fl_errand *job = arg;
    fl_fold *fold = job->effects->folds[job->effect.unmask.block];
    const fl_element *element = &job->effect.unmask.element;
    const fl_mask_range range = s_tile(tile, job->effect.unmask.elements, element);
    void *words = fl_fold_words(fold, range.first, range.count);
    fl_mask_apply(job->seeds, job->effect.unmask.seed_count, &range, words);
    fl_mask_settle(range.ring_bits, range.count, element->wire_bytes, words);
    for (uint64_t at = 0; at < range.count; at += PART) {
        const uint64_t left = range.count - at;
        s_judge(job, fold, range.first + at, left < PART ? left : PART);
    }
}

static void
s_unmask(void *arg)
{
    fl_errand *job = arg;
    const fl_effects *self = job->effects;
    const uint32_t block = job->effect.unmask.block;
    if (self->fold_count == 0) {
        job->event.unmasked.reason = FL_WHY_STORAGE;
        return;
    }
    FL_ASSERT(block < self->fold_count);
    FL_ASSERT(fl_fold_elements(self->folds[block]) == job->effect.unmask.elements);
    FL_ASSERT(self->element.ring_bits == job->effect.unmask.element.ring_bits &&
              self->element.wire_bytes == job->effect.unmask.element.wire_bytes);
    fl_workers_share(self->conf.workers, s_tiles(job->effect.unmask.elements), s_unmask_tile, job);
    job->event.unmasked.checksum = job->checksum;
    job->event.unmasked.peak = job->peak;
}

static void
s_keep(void *arg)
{
    fl_errand *job = arg;
    const fl_saver *saver = &job->effects->conf.saver;
    job->event.saved.ok = saver->keep != NULL && saver->keep(saver->self, &job->effect);
}

static void
s_recall(void *arg)
{
    fl_errand *job = arg;
    const fl_saver *saver = &job->effects->conf.saver;
    if (saver->recall != NULL) {
        job->out = saver->recall(saver->self, &job->effect.recall.run);
    }
    const fl_hash hash = job->out == NULL ? (fl_hash){ 0 } : fl_hash_of(fl_blob_bytes(job->out));
    if (!fl_hash_equal(&hash, &job->effect.recall.hash)) {
        fl_blob_unref(&job->out);
    }
}

// ---- on the reactor's thread ------------------------------------------------------------------
//  False: no memory.
static bool
s_copy_seeds(fl_errand *job, const fl_mask_seed *seeds, uint32_t count)
{
    job->seeds = fl_locked_new(count * sizeof *seeds);
    if (job->seeds == NULL) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_text("for", "the seeds of masks"));
        return false;
    }
    memcpy(job->seeds, seeds, count * sizeof *seeds);
    return true;
}

void
fl_effects_mask(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_MASKED);
    job->vec = &job->event.masked.vec;
    job->effect.mask.seeds = NULL; // they are the machine's
    if (!s_copy_seeds(job, effect->mask.seeds, effect->mask.seed_count)) {
        fl_effects_answer(job); // no vector says it
        return;
    }
    job->in = fl_handles_take(self->conf.handles, effect->mask.vec);
    fl_effects_start(job, FL_WORKERS_FREE, s_mask);
}

void
fl_effects_unmask(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_UNMASKED);
    job->effect.unmask.seeds = NULL;
    if (!s_copy_seeds(job, effect->unmask.seeds, effect->unmask.seed_count)) {
        job->event.unmasked.reason = FL_WHY_STORAGE;
        fl_effects_answer(job);
        return;
    }
    fl_effects_start(job, FL_STRAND_FOLD, s_unmask);
}

//  The fact is the machine's until its next step only: the job has a copy.
void
fl_effects_keep(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_SAVED);
    job->in = fl_blob_copy(effect->keep.fact);
    if (job->in == NULL) {
        fl_effects_answer(job); // not kept
        return;
    }
    job->effect.keep.fact = fl_blob_bytes(job->in);
    if (effect->keep.vec != 0) {
        job->vector = fl_blob_ref(fl_handles_look(self->conf.handles, effect->keep.vec));
        job->effect.keep.vector = fl_blob_bytes(job->vector);
    }
    fl_effects_start(job, FL_STRAND_STORE, s_keep);
}

void
fl_effects_recall(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_RECALLED);
    job->vec = &job->event.recalled.vec;
    fl_effects_start(job, FL_STRAND_STORE, s_recall);
}
