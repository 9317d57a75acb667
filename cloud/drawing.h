//  drawing - whom the root lets into a block together (docs/masking.md, R11): the names below each
//  parent, drawn into pools at random. A later drawing takes out who is not enrolled any more and
//  puts newcomers at random places: every whole new draw is another chance for whoever holds some
//  of the names. Signed for each run. Pure; a plain value that owns its places.
#ifndef FL_CLOUD_DRAWING_H
#define FL_CLOUD_DRAWING_H

#include "common/crypto/entropy.h"
#include "common/secagg/pool.h"

typedef struct fl_drawing {
    fl_name root;
    uint32_t online; // percent of the devices that are there in a round
    uint32_t floor;  // of every pool of devices; 0: by its size
    uint64_t epoch;
    uint32_t count;
    fl_place *places; // (count) by parent, pool and place; a parent without a pool: no name
} fl_drawing;

//  By parent, then name.
int fl_place_order(const void *a, const void *b);
//  `places` (count) was drawn before. `nodes` (node_count) are to be drawn, in their order; the
//  first of each parent has no name. `uneven`: pools of uneven size are drawn anew. Into `next`,
//  with room for count + node_count; how many. UINT32_MAX: without memory.
uint32_t fl_drawing_next(const fl_place *places, uint32_t count, const fl_place *nodes,
                         uint32_t node_count, uint32_t online, bool uneven,
                         const fl_entropy *entropy, fl_place *next);

//  Make `set` the pools of a run, signed. False: `authority` is NULL and they are not yet, or
//  without memory.
FL_CHECKED bool fl_drawing_give(const fl_drawing *self, const fl_authority *authority,
                                const fl_run *run, fl_pool_set *set);

//  The pool of devices that protects least: so many bad ones in it, with its edge, read every
//  update of some block.
typedef struct fl_drawing_view {
    uint64_t epoch;
    uint32_t pools, names;
    fl_name edge;
    uint32_t floor, bad; // 0: there is no pool of devices
} fl_drawing_view;
fl_drawing_view fl_drawing_look(const fl_drawing *self);

#endif
