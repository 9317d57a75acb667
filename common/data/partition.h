//  partition - which samples of a common data set are whose: evenly, or skewed by label. Every
//  sample belongs to exactly one shard. Equal arguments give the same partition in every process
//  on machines with the same C library (the Dirichlet draws go through its log and pow), so that
//  devices can each take their shard without being told.
#ifndef FL_DATA_PARTITION_H
#define FL_DATA_PARTITION_H

#include <stdint.h>

#include "common/base/status.h"

enum { FL_SHARDS_MAX = 65536, FL_PARTITION_TRIES = 1000 };

typedef struct fl_partition_conf {
    uint32_t shards;     // 1..FL_SHARDS_MAX
    double alpha;        // Dirichlet concentration, > 0; 0: evenly, whatever the labels
    uint32_t minimum;    // samples that every shard has at least
    uint64_t seed;
} fl_partition_conf;

typedef struct fl_partition {
    uint32_t shards;
    uint32_t *start;  // (shards + 1): shard s is index[start[s]] to index[start[s + 1] - 1]
    uint32_t *index;  // (samples), ascending within a shard
} fl_partition;

//  Evenly: a shuffle cut into shards that differ by one sample at most. By label: for each label
//  the shares of the shards are drawn from Dirichlet(alpha) (Hsu, Qi, Brown: Measuring the effects
//  of non-identical data distribution, 2019), and the whole draw is repeated, up to
//  FL_PARTITION_TRIES times, until no shard is below the minimum (Li et al., Federated learning on
//  non-IID data silos, ICDE 2022). FL_RANGE: that never came, or a setting is out of bounds;
//  `why` says what to change. FL_NOMEM. `self` holds nothing unless FL_OK.
FL_CHECKED fl_status fl_partition_make(const fl_partition_conf *conf, const uint8_t *labels,
                                       uint32_t samples, fl_partition *self, fl_why *why);
void fl_partition_release(fl_partition *self);

//  Shard `shard`'s samples, and how many they are.
const uint32_t *fl_partition_shard(const fl_partition *self, uint32_t shard, uint32_t *count);

#endif
