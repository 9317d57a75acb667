#include "common/data/partition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

enum { LABELS = 256 };

//  owner[sample] = shard, by cutting a shuffle of all samples.
static void
s_deal_evenly(const fl_partition_conf *conf, uint32_t samples, uint32_t *order, uint32_t *owner)
{
    fl_rng rng = fl_rng_seeded(conf->seed);
    for (uint32_t i = 0; i < samples; i++) {
        order[i] = i;
    }
    fl_rng_shuffle(&rng, order, samples);
    for (uint32_t i = 0; i < samples; i++) {
        owner[order[i]] = (uint32_t)((uint64_t)i * conf->shards / samples);
    }
}

//  Shares that sum to 1. All zero, which a tiny alpha can give, becomes one shard that has it all.
static void
s_draw_shares(fl_rng *rng, const fl_partition_conf *conf, double *share)
{
    double sum = 0;
    for (uint32_t s = 0; s < conf->shards; s++) {
        share[s] = fl_rng_gamma(rng, conf->alpha);
        sum += share[s];
    }
    if (!(sum > 0)) {
        share[fl_rng_below(rng, conf->shards)] = 1;
        sum = 1;
    }
    for (uint32_t s = 0; s < conf->shards; s++) {
        share[s] /= sum;
    }
}

//  owner[sample] = shard, for the `count` samples of one label in `order`.
static void
s_deal_label(fl_rng *rng, const fl_partition_conf *conf, uint32_t *order, uint32_t count,
             double *share, uint32_t *owner)
{
    fl_rng_shuffle(rng, order, count);
    s_draw_shares(rng, conf, share);
    double reached = 0;
    uint32_t next = 0;
    for (uint32_t s = 0; s < conf->shards; s++) {
        reached += share[s];
        bool last = s + 1 == conf->shards;
        uint32_t end = last ? count : (uint32_t)fmin(floor(reached * count), count);
        for (; next < end; next++) {
            owner[order[next]] = s;
        }
    }
}

static void
s_deal_by_label(const fl_partition_conf *conf, const uint8_t *labels, uint32_t samples,
                uint32_t attempt, uint32_t *order, double *share, uint32_t *owner)
{
    const fl_rng root = fl_rng_seeded(conf->seed);
    const fl_rng draw = fl_rng_split(&root, attempt);
    //  All samples of label 0, ascending, then those of label 1, ...: at[k] is where label k is
    //  being written to, and in the end where label k + 1 begins.
    uint32_t at[LABELS + 1] = { 0 };
    for (uint32_t i = 0; i < samples; i++) {
        at[labels[i] + 1]++;
    }
    for (uint32_t label = 0; label < LABELS; label++) {
        at[label + 1] += at[label];
    }
    for (uint32_t i = 0; i < samples; i++) {
        order[at[labels[i]]++] = i;
    }
    for (uint32_t label = 0; label < LABELS; label++) {
        const uint32_t first = label == 0 ? 0 : at[label - 1], count = at[label] - first;
        fl_rng rng = fl_rng_split(&draw, label);
        if (count > 0) {
            s_deal_label(&rng, conf, order + first, count, share, owner);
        }
    }
}

//  start[s] = samples of the shards before s. Returns the size of the smallest shard.
static uint32_t
s_count(const uint32_t *owner, uint32_t samples, fl_partition *self)
{
    memset(self->start, 0, ((size_t)self->shards + 1) * sizeof *self->start);
    for (uint32_t i = 0; i < samples; i++) {
        self->start[owner[i] + 1]++;
    }
    uint32_t smallest = UINT32_MAX;
    for (uint32_t s = 0; s < self->shards; s++) {
        smallest = self->start[s + 1] < smallest ? self->start[s + 1] : smallest;
        self->start[s + 1] += self->start[s];
    }
    return smallest;
}

//  The index, ascending within a shard; `at` (shards) is scratch.
static void
s_list(const uint32_t *owner, uint32_t samples, uint32_t *at, fl_partition *self)
{
    memcpy(at, self->start, self->shards * sizeof *at);
    for (uint32_t i = 0; i < samples; i++) {
        self->index[at[owner[i]]++] = i;
    }
}

static fl_status
s_check(const fl_partition_conf *conf, uint32_t samples, fl_why *why)
{
    if (conf->shards < 1 || conf->shards > FL_SHARDS_MAX) {
        return fl_fail(FL_RANGE, why, "partition: %u shards, there must be 1 to %d", conf->shards,
                       FL_SHARDS_MAX);
    }
    if (!(isfinite(conf->alpha) && conf->alpha >= 0)) {
        return fl_fail(FL_RANGE, why,
                       "partition: alpha is %g, it must be positive, or 0 for an even split",
                       conf->alpha);
    }
    if (samples < 1 || (uint64_t)conf->minimum * conf->shards > samples) {
        return fl_fail(FL_RANGE, why,
                       "partition: %u samples cannot give %u shards %u each: take fewer shards or "
                       "a lower minimum",
                       samples, conf->shards, conf->minimum);
    }
    return FL_OK;
}

static fl_status
s_deal(const fl_partition_conf *conf, const uint8_t *labels, uint32_t samples, uint32_t *order,
       double *share, uint32_t *owner, fl_partition *self, fl_why *why)
{
    if (conf->alpha == 0) {
        s_deal_evenly(conf, samples, order, owner);
        (void)s_count(owner, samples, self);
        return FL_OK;
    }
    for (uint32_t attempt = 0; attempt < FL_PARTITION_TRIES; attempt++) {
        s_deal_by_label(conf, labels, samples, attempt, order, share, owner);
        if (s_count(owner, samples, self) >= conf->minimum) {
            return FL_OK;
        }
    }
    return fl_fail(FL_RANGE, why,
                   "partition: no draw of Dirichlet(%g) gave each of %u shards %u samples: raise "
                   "alpha, or take fewer shards or a lower minimum",
                   conf->alpha, conf->shards, conf->minimum);
}

fl_status
fl_partition_make(const fl_partition_conf *conf, const uint8_t *labels, uint32_t samples,
                  fl_partition *self, fl_why *why)
{
    *self = (fl_partition){ 0 };
    fl_status status = s_check(conf, samples, why);
    if (status != FL_OK) {
        return status;
    }
    self->shards = conf->shards;
    self->start = calloc((size_t)conf->shards + 1, sizeof *self->start);
    self->index = calloc(samples, sizeof *self->index);
    uint32_t *order = calloc(samples, sizeof *order);
    uint32_t *owner = calloc(samples, sizeof *owner);
    double *share = calloc(conf->shards, sizeof *share);
    uint32_t *at = calloc(conf->shards, sizeof *at);
    if (self->start == NULL || self->index == NULL || order == NULL || owner == NULL ||
        share == NULL || at == NULL) {
        status = fl_fail(FL_NOMEM, why, "partition: no memory for %u samples", samples);
        goto done;
    }
    status = s_deal(conf, labels, samples, order, share, owner, self, why);
    if (status == FL_OK) {
        s_list(owner, samples, at, self);
    }
done:
    free(order);
    free(owner);
    free(share);
    free(at);
    if (status != FL_OK) {
        fl_partition_release(self);
    }
    return status;
}

void
fl_partition_release(fl_partition *self)
{
    free(self->start);
    free(self->index);
    *self = (fl_partition){ 0 };
}

const uint32_t *
fl_partition_shard(const fl_partition *self, uint32_t shard, uint32_t *count)
{
    FL_ASSERT(shard < self->shards);
    *count = self->start[shard + 1] - self->start[shard];
    return self->index + self->start[shard];
}
