//  Pools of the simulated root: drawn once, of all nodes of the tree, signed for each run.
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { ONLINE = 80 };

uint32_t
fl_sim_pool_floor(const fl_sim *sim, const fl_sim_node *parent)
{
    bool root = parent->role == FL_ROLE_ROOT;
    uint32_t floor = sim->drawing.floor;
    floor = floor > 0 && !root ? floor : fl_pool_floor(parent->child_count, ONLINE, root);
    return floor < parent->child_count ? floor : parent->child_count;
}

void
fl_sim_pools_floor(fl_sim *sim)
{
    fl_rng rng = fl_rng_split(&sim->mask_rng, 'p');
    sim->drawing.floor = fl_rng_below(&rng, 100) < 30 ? 0 : 3;
}

void
fl_sim_pools_draw(fl_sim *sim)
{
    fl_place *nodes = fl_sim_new(2 * (size_t)sim->node_count * sizeof *nodes);
    fl_seeded source = fl_seeded_of(sim->seed);
    const fl_entropy entropy = fl_entropy_seeded(&source);
    uint32_t count = 0;
    sim->drawing.root = sim->nodes[0].name;
    sim->drawing.online = ONLINE;
    sim->drawing.epoch = 1;
    sim->drawing.places = fl_sim_new(2 * (size_t)sim->node_count * sizeof *nodes);
    for (uint32_t i = 0; i < sim->node_count; i++) {
        const fl_sim_node *node = &sim->nodes[i];
        if (node->role != FL_ROLE_DEVICE) {
            nodes[count++] = (fl_place){ .edge = node->name };
        }
        if (i > 0) {
            nodes[count++] = (fl_place){ sim->nodes[node->parent].name, node->name, 0 };
        }
    }
    qsort(nodes, count, sizeof *nodes, fl_place_order);
    sim->drawing.count =
        fl_drawing_next(NULL, 0, nodes, count, ONLINE, false, &entropy, sim->drawing.places);
    free(nodes);
}

bool
fl_sim_pools_give(void *arg, const fl_run *run, fl_pool_set *set)
{
    const fl_sim *sim = arg;
    return fl_drawing_give(&sim->drawing, fl_sim_issuer(), run, set);
}
