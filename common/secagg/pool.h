//  pool - who may be in a block together (docs/masking.md, R11): a list of names below one parent
//  that the root drew at random and signed. A block lies inside one pool and is never smaller than
//  its floor, so that a parent cannot choose it.
//
//      version u8 = 1 | run 16 | epoch u64 | edge 16 | pool u16 | of u16 | floor u8 | count u8
//      | names 16 each, as drawn | Ed25519 signature 64, domain "tributary/pool/v1", order key
//
//  Plain values and pure functions, but for fl_pool_set, which owns what it was told.
#ifndef FL_SECAGG_POOL_H
#define FL_SECAGG_POOL_H

#include "common/crypto/authority.h"
#include "common/wire/message.h"

enum {
    FL_POOL_MAX = 128, // names
    FL_POOL_HEAD_BYTES = 1 + 16 + 8 + 16 + 2 + 2 + 1 + 1,
    FL_POOL_BYTES_MAX = FL_POOL_HEAD_BYTES + 16 * FL_POOL_MAX + FL_SIGN_BYTES,
};

typedef struct fl_pool {
    fl_run run;
    uint64_t epoch;             // from 1; grows with each change of any pool
    fl_name edge;               // the parent that they are below
    uint16_t index, of;         // which of this parent's pools
    uint8_t floor;              // a smaller block is none
    uint8_t count;              // 3..FL_POOL_MAX; 0: this parent has no pool
    fl_name names[FL_POOL_MAX]; // (count)
} fl_pool;

//  Signed bytes; how many.
size_t fl_pool_encode(const fl_pool *self, const fl_authority *authority,
                      uint8_t bytes[FL_POOL_BYTES_MAX]);
//  One pool from the front of `in`. False: malformed, and the reader is broken. `signed_part` and
//  `signature` may be NULL.
FL_CHECKED bool fl_pool_read(fl_reader *in, fl_pool *self, fl_bytes *signed_part,
                             const uint8_t **signature);
//  FL_WHY_NONE when the one pool in `bytes` is signed by the root: else malformed or signature.
FL_CHECKED fl_reason fl_pool_check(fl_bytes bytes, const fl_authority_public *authority,
                                   fl_pool *self);
bool fl_pool_names(const fl_pool *self, const fl_name *node);

//  R13: the list falls into runs of `batch` names or a few more, which are in a set all together or
//  not at all.
typedef struct fl_pool_run {
    uint8_t number, names; // which one, and how many are in it; 0: there are no runs
} fl_pool_run;
//  Of a name of the pool.
fl_pool_run fl_pool_run_of(const fl_pool *self, uint32_t batch, const fl_name *node);
//  Those of a set whose run is whole in it; `run` of each member.
uint64_t fl_pool_whole(const fl_pool_run *run, uint64_t set);

//  Of the devices in a pool so many percent are there in a round: the fewest of them that come
//  together but once in 1000 rounds, as far as they are away independently. 4 to 64; 3 in a pool of
//  3 or 4 and below the root.
uint32_t fl_pool_floor(uint32_t count, uint32_t online, bool below_root);
//  So many bad members, with a bad parent, read every update of some block that is not below the
//  floor (the least 2t(n) - n of all n from there on).
uint32_t fl_pool_cliff(uint32_t floor);

//  The pools of one epoch, as they travel: parcels of several pools.
enum { FL_PARCELS_MAX = 4096 };
typedef struct fl_pool_parcel {
    fl_name to; // the child that it is for; empty: every edge below
    uint8_t *bytes;
    size_t size;
} fl_pool_parcel;
typedef struct fl_pool_set {
    fl_run run;
    uint64_t epoch; // 0: none
    uint32_t count;
    fl_pool_parcel *parcels; // (count)
} fl_pool_set;

void fl_pool_set_clear(fl_pool_set *self);
//  Take a parcel, unless it is there or older. One of a newer epoch or another run replaces all.
//  False: malformed, no room, or pools of different runs or epochs.
FL_CHECKED bool fl_pool_set_add(fl_pool_set *self, const fl_name *to, fl_bytes bytes);
//  The next pool of that parent, from `*at` on, which begins at zero; `whole`: its bytes. False:
//  there is none.
typedef struct fl_pool_at {
    uint32_t parcel;
    size_t offset;
} fl_pool_at;
bool fl_pool_set_next(const fl_pool_set *self, const fl_name *edge, fl_pool_at *at, fl_pool *pool,
                      fl_bytes *whole);
//  All pools of that parent are here.
bool fl_pool_set_whole(const fl_pool_set *self, const fl_run *run, uint64_t epoch,
                       const fl_name *edge);

#endif
