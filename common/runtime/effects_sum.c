//  The accumulators of a round: one when it is unmasked, one for each block when it is masked. Only
//  jobs of the fold's strand touch them; when masks come off, idle workers help that job with tiles
//  of its own. Without memory for them the round goes on, and has no sum: UNMASK and FINISH say so.
#include <string.h>

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/runtime/effects_inside.h"

enum { RANGE = 1 << 12 }; // elements finished at a time when no vector is wanted

// ---- on a worker ------------------------------------------------------------------------------
//  Zeroed for this plan and length. False: no memory.
static bool
s_zero(fl_fold **fold, bool same, const fl_element *element, uint64_t elements)
{
    if (same && *fold != NULL) {
        fl_fold_clear(*fold, 0, elements);
        return true;
    }
    fl_fold_destroy(fold);
    *fold = fl_fold_new(element, elements);
    if (*fold == NULL) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_u64("elements", elements),
               fl_log_text("for", "an accumulator of a round"));
    }
    return *fold != NULL;
}

void
fl_effects_combined(fl_effects *self, fl_fold *sum)
{
    if (self->conf.combine->end != NULL) {
        self->conf.combine->end(&self->kept, sum);
    }
}

static void
s_clear(void *arg)
{
    fl_errand *job = arg;
    fl_effects *self = job->effects;
    const uint64_t elements = job->effect.clear.elements;
    uint32_t count = job->effect.clear.blocks;
    FL_ASSERT(!(self->conf.combine->each && job->effect.clear.masked));
    fl_effects_combined(self, NULL);
    const fl_element element = job->effect.clear.element;
    const bool same = self->fold_count > 0 && fl_fold_elements(self->folds[0]) == elements &&
                      memcmp(&element, &self->element, sizeof element) == 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!s_zero(&self->folds[i], same, &element, elements)) {
            count = 0;
        }
    }
    for (uint32_t i = count; i < FL_BLOCKS_MAX; i++) {
        fl_fold_destroy(&self->folds[i]);
    }
    self->element = element;
    self->fold_count = count;
}

static void
s_fold(void *arg)
{
    fl_errand *job = arg;
    if (job->effects->fold_count == 0) {
        return;
    }
    FL_ASSERT(job->effect.fold.block < job->effects->fold_count);
    fl_fold *fold = job->effects->folds[job->effect.fold.block];
    FL_ASSERT(job->bytes.size == fl_fold_wire_bytes(fold));
    job->effects->conf.combine->add(&job->effects->kept, fold, job->bytes.data,
                                    job->effect.fold.weight);
}

//  The sums of a set of blocks, into the first accumulator.
static fl_fold *
s_gather(fl_effects *self, uint64_t blocks)
{
    fl_fold *sum = self->folds[0];
    const uint64_t elements = fl_fold_elements(sum);
    if ((blocks & 1) == 0) {
        fl_fold_clear(sum, 0, elements);
    }
    for (uint32_t i = 1; i < FL_BLOCKS_MAX; i++) {
        if ((blocks >> i & 1) != 0) {
            FL_ASSERT(i < self->fold_count);
            fl_fold_merge(sum, self->folds[i], 0, elements);
        }
    }
    return sum;
}

static void
s_finish_vector(fl_errand *job, const fl_fold *fold)
{
    job->out = fl_blob_new(fl_fold_wire_bytes(fold));
    if (job->out == NULL) {
        fl_log(FL_LOG_ERROR, "no-memory", fl_log_u64("bytes", fl_fold_wire_bytes(fold)),
               fl_log_text("for", "the sum of a round"));
        job->event.finished.reason = FL_WHY_STORAGE;
        return;
    }
    bool fits = fl_fold_finish(fold, 0, fl_fold_elements(fold), fl_blob_data(job->out));
    FL_ASSERT(fits); // every element was held to its bound, when it was verified or unmasked
    job->event.finished.hash = fl_hash_of(fl_blob_bytes(job->out));
    job->event.finished.bytes = fl_blob_size(job->out);
}

static void
s_finish_hash(fl_errand *job, const fl_fold *fold)
{
    const fl_element *element = fl_fold_element(fold);
    uint64_t elements = fl_fold_elements(fold);
    uint8_t buffer[RANGE * sizeof(int64_t)];
    fl_hasher hasher;
    fl_hasher_init(&hasher);
    for (uint64_t first = 0; first < elements; first += RANGE) {
        uint64_t count = elements - first < RANGE ? elements - first : RANGE;
        bool fits = fl_fold_finish(fold, first, count, buffer);
        FL_ASSERT(fits);
        fl_hasher_update(&hasher, fl_bytes_of(buffer, fl_element_bytes(element, count)));
    }
    job->event.finished.hash = fl_hasher_final(&hasher);
}

static void
s_finish(void *arg)
{
    fl_errand *job = arg;
    if (job->effects->fold_count == 0) {
        job->event.finished.reason = FL_WHY_STORAGE;
        return;
    }
    fl_fold *sum = s_gather(job->effects, job->effect.finish.blocks);
    fl_effects_combined(job->effects, sum);
    if (job->effect.finish.vector) {
        s_finish_vector(job, sum);
    } else {
        s_finish_hash(job, sum);
    }
}

// ---- on the reactor's thread ------------------------------------------------------------------
void
fl_effects_clear(fl_effects *self, const fl_effect *effect)
{
    FL_ASSERT(effect->clear.blocks >= 1 && effect->clear.blocks <= FL_BLOCKS_MAX);
    self->wanted = effect->clear.element;
    self->masked = effect->clear.masked;
    fl_effects_start(fl_effects_job(self, effect, FL_EV_TICK), FL_STRAND_FOLD, s_clear);
}

void
fl_effects_fold(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_FOLDED);
    job->bytes = fl_staging_bytes(self->conf.staging, effect->fold.slot);
    fl_effects_start(job, FL_STRAND_FOLD, s_fold);
}

void
fl_effects_finish(fl_effects *self, const fl_effect *effect)
{
    fl_errand *job = fl_effects_job(self, effect, FL_EV_FINISHED);
    job->vec = &job->event.finished.vec;
    fl_effects_start(job, FL_STRAND_FOLD, s_finish);
}
