#include "cloud/drawing.h"

#include <stdlib.h>
#include <string.h>

#include "common/secagg/secagg.h"

enum { PERCENT = 100, LEVELS_MAX = 8 };

// ---- drawing ----------------------------------------------------------------------------------
int
fl_place_order(const void *a, const void *b)
{
    const fl_place *one = a, *other = b;
    int order = memcmp(&one->edge, &other->edge, sizeof one->edge);
    return order != 0 ? order : memcmp(&one->node, &other->node, sizeof one->node);
}

static int
s_by_node(const void *a, const void *b)
{
    return memcmp(&((const fl_place *)a)->node, &((const fl_place *)b)->node, sizeof(fl_name));
}

//  Uniform in [0, bound): what would lean to small numbers is drawn again.
static uint32_t
s_below(const fl_entropy *entropy, uint32_t bound)
{
    const uint32_t unfair = (uint32_t)(0 - bound) % bound; // 2^32 mod bound
    uint32_t drawn;
    do {
        fl_entropy_fill(entropy, &drawn, sizeof drawn);
    } while (drawn < unfair);
    return drawn % bound;
}

static void
s_shuffle(fl_place *places, uint32_t count, const fl_entropy *entropy)
{
    for (uint32_t i = count; i > 1; i--) {
        const uint32_t with = s_below(entropy, i);
        const fl_place last = places[i - 1];
        places[i - 1] = places[with];
        places[with] = last;
    }
}

static uint32_t
s_size(const fl_place *group, uint32_t count, uint32_t pool)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += group[i].pool == pool ? 1 : 0;
    }
    return size;
}

static uint32_t
s_pools(const fl_place *group, uint32_t count)
{
    return count == 0 ? 0 : group[count - 1].pool + 1;
}

//  A newcomer goes to a smallest pool, at a random place in it.
static void
s_join(fl_place *group, uint32_t count, fl_place newcomer, const fl_entropy *entropy)
{
    uint32_t least = UINT32_MAX, ties = 0;
    for (uint32_t pool = 0; pool < s_pools(group, count); pool++) {
        const uint32_t size = s_size(group, count, pool);
        ties = size < least ? 1 : ties + (size == least ? 1 : 0);
        if (size <= least && s_below(entropy, ties) == 0) {
            newcomer.pool = pool;
        }
        least = size < least ? size : least;
    }
    uint32_t at = 0;
    while (at < count && group[at].pool < newcomer.pool) {
        at++;
    }
    at += s_below(entropy, least + 1);
    memmove(&group[at + 1], &group[at], (count - at) * sizeof *group);
    group[at] = newcomer;
}

//  The pools of one parent cannot stay as they are.
static bool
s_spoilt(const fl_place *group, uint32_t count, bool uneven)
{
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t pool = 0; pool < s_pools(group, count); pool++) {
        const uint32_t size = s_size(group, count, pool);
        least = size < least ? size : least;
        most = size > most ? size : most;
    }
    return least < FL_SECAGG_MEMBERS_MIN || most > FL_POOL_MAX || (uneven && 4 * least < 3 * most);
}

//  Every order is as likely as any other; sizes differ by one at most.
static void
s_deal(fl_place *group, uint32_t count, uint32_t online, const fl_entropy *entropy)
{
    uint32_t pools = (count * online + PERCENT * FL_MEMBERS_MAX - 1) / (PERCENT * FL_MEMBERS_MAX);
    const uint32_t least = (count + FL_POOL_MAX - 1) / FL_POOL_MAX;
    pools = pools > least ? pools : least;
    s_shuffle(group, count, entropy);
    for (uint32_t i = 0; i < count; i++) {
        group[i].pool = (uint32_t)((uint64_t)i * pools / count);
    }
}

//  What one drawing has in hand.
typedef struct draw {
    const fl_place *known; // (known_count) by name: who is enrolled, below whichever parent
    uint32_t known_count, online;
    bool uneven;
    const fl_entropy *entropy;
} draw;

//  Those in `old` that are still enrolled, then newcomers; how many were kept and came.
static uint32_t
s_gather(const draw *self, const fl_place *old, uint32_t old_count, const fl_place *nodes,
         uint32_t node_count, fl_place *group, uint32_t *kept)
{
    *kept = 0;
    for (uint32_t i = 0; i < old_count; i++) {
        if (old[i].node.name[0] != '\0' &&
            bsearch(&old[i], self->known, self->known_count, sizeof *old, s_by_node) != NULL) {
            group[(*kept)++] = old[i];
        }
    }
    uint32_t count = *kept;
    for (uint32_t i = 0; i < node_count; i++) {
        bool held = nodes[i].node.name[0] == '\0';
        for (uint32_t n = 0; n < *kept && !held; n++) {
            held = fl_name_equal(&group[n].node, &nodes[i].node);
        }
        group[count] = nodes[i];
        count += held ? 0 : 1;
    }
    return count;
}

//  Those below one parent, into `group`; how many.
static uint32_t
s_draw_one(const draw *self, const fl_place *old, uint32_t old_count, const fl_place *nodes,
           uint32_t node_count, fl_place *group)
{
    uint32_t kept;
    const uint32_t count = s_gather(self, old, old_count, nodes, node_count, group, &kept);
    if (count < FL_SECAGG_MEMBERS_MIN) { // no block can be made of them
        group[0] = (fl_place){ .edge = nodes[0].edge };
        return 1;
    }
    s_shuffle(group + kept, count - kept, self->entropy);
    for (uint32_t i = kept; i < count && kept > 0; i++) {
        s_join(group, i, group[i], self->entropy);
    }
    if (kept == 0 || s_spoilt(group, count, self->uneven)) {
        qsort(group, count, sizeof *group, fl_place_order); // what stood before says nothing
        s_deal(group, count, self->online, self->entropy);
    }
    return count;
}

static uint32_t
s_same_parent(const fl_place *places, uint32_t from, uint32_t count)
{
    uint32_t to = from;
    while (to < count && fl_name_equal(&places[to].edge, &places[from].edge)) {
        to++;
    }
    return to;
}

uint32_t
fl_drawing_next(const fl_place *places, uint32_t count, const fl_place *nodes, uint32_t node_count,
                uint32_t online, bool uneven, const fl_entropy *entropy, fl_place *next)
{
    uint32_t made = 0;
    fl_place *known = calloc(node_count + 1, sizeof *known);
    if (known == NULL) {
        return UINT32_MAX;
    }
    memcpy(known, nodes, node_count * sizeof *known);
    qsort(known, node_count, sizeof *known, s_by_node);
    const draw self = { known, node_count, online, uneven, entropy };
    for (uint32_t from = 0, to; from < node_count; from = to) {
        uint32_t old = 0;
        to = s_same_parent(nodes, from, node_count);
        while (old < count && !fl_name_equal(&places[old].edge, &nodes[from].edge)) {
            old++;
        }
        const uint32_t old_count = old < count ? s_same_parent(places, old, count) - old : 0;
        made += s_draw_one(&self, old_count > 0 ? places + old : NULL, old_count, nodes + from,
                           to - from, next + made);
    }
    free(known);
    return made;
}

// ---- what is told -----------------------------------------------------------------------------
//  Those of one pool from `from` on, up to `*to`; without a name: none.
static fl_pool
s_pool(const fl_drawing *self, const fl_run *run, uint32_t from, uint32_t *to)
{
    const fl_place *first = &self->places[from];
    const uint32_t end = s_same_parent(self->places, from, self->count);
    const bool root = fl_name_equal(&first->edge, &self->root);
    fl_pool pool = { .run = *run,
                     .epoch = self->epoch,
                     .edge = first->edge,
                     .index = (uint16_t)first->pool,
                     .of = (uint16_t)(self->places[end - 1].pool + 1) };
    for (*to = from; *to < end && self->places[*to].pool == first->pool; (*to)++) {
        if (first->node.name[0] != '\0') {
            pool.names[pool.count++] = self->places[*to].node;
        }
    }
    uint32_t floor =
        self->floor == 0 || root ? fl_pool_floor(pool.count, self->online, root) : self->floor;
    pool.floor = (uint8_t)(floor < pool.count ? floor : pool.count);
    return pool;
}

//  The parent of an edge, of several the root; false: nobody knows.
static bool
s_above(const fl_drawing *self, fl_name *edge)
{
    const fl_place *above = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_place *at = &self->places[i];
        bool root = above != NULL && fl_name_equal(&above->edge, &self->root);
        above = fl_name_equal(&at->node, edge) && !root ? at : above;
    }
    *edge = above != NULL ? above->edge : *edge;
    return above != NULL;
}

//  The child of the root that leads to that parent; the root for itself.
static fl_name
s_way(const fl_drawing *self, fl_name edge)
{
    fl_name above = edge;
    for (uint32_t up = 0;
         up < LEVELS_MAX && s_above(self, &above) && !fl_name_equal(&above, &self->root); up++) {
        edge = above;
    }
    return edge;
}

//  Every parcel to that child.
static bool
s_pack(const fl_drawing *self, const fl_authority *authority, const fl_run *run, const fl_name *way,
       fl_pool_set *set)
{
    static uint8_t parcel[FL_POOLS_BYTES_MAX];
    size_t size = 0;
    bool fine = true, ours = false;
    for (uint32_t from = 0, to; from < self->count && fine; from = to) {
        const bool parent_again =
            from > 0 && fl_name_equal(&self->places[from - 1].edge, &self->places[from].edge);
        const fl_name leads = parent_again ? *way : s_way(self, self->places[from].edge);
        ours = parent_again ? ours : fl_name_equal(&leads, way);
        if (!ours) {
            to = s_same_parent(self->places, from, self->count);
            continue;
        }
        const fl_pool pool = s_pool(self, run, from, &to);
        if (size + FL_POOL_BYTES_MAX > sizeof parcel) {
            fine = fl_pool_set_add(set, way, fl_bytes_of(parcel, size));
            size = 0;
        }
        size += fl_pool_encode(&pool, authority, parcel + size);
    }
    return fine && (size == 0 || fl_pool_set_add(set, way, fl_bytes_of(parcel, size)));
}

bool
fl_drawing_give(const fl_drawing *self, const fl_authority *authority, const fl_run *run,
                fl_pool_set *set)
{
    bool fine = fl_run_equal(&set->run, run) && set->epoch == self->epoch && set->epoch > 0;
    if (!fine && authority != NULL) {
        fl_pool_set_clear(set);
        fine = s_pack(self, authority, run, &self->root, set); // ours are looked for most
        for (uint32_t from = 0; from < self->count && fine;
             from = s_same_parent(self->places, from, self->count)) {
            const fl_name *edge = &self->places[from].edge;
            const fl_name way = s_way(self, *edge);
            if (fl_name_equal(&way, edge) && !fl_name_equal(edge, &self->root)) {
                fine = s_pack(self, authority, run, edge, set);
            }
        }
        fine = fine && set->epoch > 0;
    }
    if (!fine) {
        fl_pool_set_clear(set);
    }
    return fine;
}

fl_drawing_view
fl_drawing_look(const fl_drawing *self)
{
    static const fl_run none;
    fl_drawing_view view = { .epoch = self->epoch };
    for (uint32_t from = 0, to; from < self->count; from = to) {
        const fl_pool pool = s_pool(self, &none, from, &to);
        const uint32_t bad = pool.count > 0 ? fl_pool_cliff(pool.floor) : 0;
        view.pools += pool.count > 0 ? 1 : 0;
        view.names += pool.count;
        if (pool.count > 0 && !fl_name_equal(&pool.edge, &self->root) &&
            (view.bad == 0 || bad < view.bad)) {
            view.edge = pool.edge;
            view.floor = pool.floor;
            view.bad = bad;
        }
    }
    return view;
}
