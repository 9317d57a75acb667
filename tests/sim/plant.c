//  The planted mistakes by name, and the checker that must find each.
#include "tests/sim/sim.h"

typedef struct mistake {
    const char *name;
    fl_sim_checker prey;
} mistake;

static const mistake plants[PLANTS] = {
    [PLANT_NONE] = { "none", CHECK_NONE },
    [PLANT_LIE_CLOSED] = { "lie-closed", CHECK_ONCE },         // a device hears LATE instead of IN
    [PLANT_FOLD_TWICE] = { "fold-twice", CHECK_FLAT },         // a slot is added twice
    [PLANT_WRONG_WEIGHT] = { "wrong-weight", CHECK_WEIGHT },   // a weight loses one on its way
    [PLANT_FORGET_COMMIT] = { "forget-commit", CHECK_COMMIT }, // a durable close is gone again
    [PLANT_LOW_QUORUM] = { "low-quorum", CHECK_QUORUM },       // the machines are told count_min 1
    [PLANT_OVERSLEEP] = { "oversleep", CHECK_DEADLINE },       // a driver sleeps after opening
    [PLANT_LOST_TASK] = { "lost-task", CHECK_PROGRESS },       // no TASK ever arrives
    [PLANT_LOST_SAVED] = { "lost-saved", CHECK_PROGRESS },     // SAVED of round 2 never comes
    [PLANT_LEAK_VEC] = { "leak-vec", CHECK_LEAK },             // DROP is not obeyed
    [PLANT_LEAK_SLOT] = { "leak-slot", CHECK_HANDLE },         // a slot is not given back
    [PLANT_SKIP_VERIFY] = { "skip-verify", CHECK_BYTES },      // every hash is called right
    [PLANT_EARLY_SAVED] = { "early-saved", CHECK_VERDICT },    // SAVED before it is durable
    [PLANT_STALE_CACHE] = { "stale-cache", CHECK_BASE },       // trains the first model for ever
    [PLANT_CUT_HEADER] = { "cut-header", CHECK_WIRE },         // a header loses its last byte
    [PLANT_EARLY_FREE] = { "early-free", CHECK_HANDLE }, // a vector is freed when first pushed
    [PLANT_FEW_ROUNDS] = { "few-rounds", CHECK_FLOOR },  // only the last round trains
};

const char *
fl_sim_plant_name(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plants[plant].name;
}

fl_sim_checker
fl_sim_plant_prey(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plants[plant].prey;
}
