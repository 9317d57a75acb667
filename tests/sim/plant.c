//  The planted mistakes by name, and the checker that must find each.
#include "tests/sim/sim.h"

typedef struct mistake {
    const char *name;
    fl_sim_checker prey;
    bool masked;
} mistake;

//  What each does stands where it is put in.
static const mistake plants[PLANTS] = {
    [PLANT_NONE] = { "none", CHECK_NONE, false },
    // a device hears LATE instead of IN
    [PLANT_LIE_CLOSED] = { "lie-closed", CHECK_ONCE, false },
    // a slot is added twice
    [PLANT_FOLD_TWICE] = { "fold-twice", CHECK_FLAT, false },
    // a weight loses one on its way
    [PLANT_WRONG_WEIGHT] = { "wrong-weight", CHECK_WEIGHT, false },
    // a durable close is gone again
    [PLANT_FORGET_COMMIT] = { "forget-commit", CHECK_COMMIT, false },
    // the machines are told count_min 1
    [PLANT_LOW_QUORUM] = { "low-quorum", CHECK_QUORUM, false },
    // a driver sleeps after opening
    [PLANT_OVERSLEEP] = { "oversleep", CHECK_DEADLINE, false },
    // no TASK ever arrives
    [PLANT_LOST_TASK] = { "lost-task", CHECK_PROGRESS, false },
    // SAVED of round 2 never comes
    [PLANT_LOST_SAVED] = { "lost-saved", CHECK_STALL, false },
    // DROP is not obeyed
    [PLANT_LEAK_VEC] = { "leak-vec", CHECK_LEAK, false },
    // a slot is not given back
    [PLANT_LEAK_SLOT] = { "leak-slot", CHECK_HANDLE, false },
    // every hash is called right
    [PLANT_SKIP_VERIFY] = { "skip-verify", CHECK_BYTES, false },
    // SAVED before it is durable
    [PLANT_EARLY_SAVED] = { "early-saved", CHECK_VERDICT, false },
    // trains the first model for ever
    [PLANT_STALE_CACHE] = { "stale-cache", CHECK_BASE, false },
    // a header loses its last byte
    [PLANT_CUT_HEADER] = { "cut-header", CHECK_WIRE, false },
    // a vector is freed when first pushed
    [PLANT_EARLY_FREE] = { "early-free", CHECK_HANDLE, false },
    // only the last round trains
    [PLANT_FEW_ROUNDS] = { "few-rounds", CHECK_FLOOR, false },
    // one update under two masks
    [PLANT_MASK_TWICE] = { "mask-twice", CHECK_SPENT, true },
    // what was masked comes out of the next training again
    [PLANT_CARRY_MASKED] = { "carry-masked", CHECK_SPENT, true },
    // a mark that is said to be kept is not, nor is a parent's fact
    [PLANT_FORGET_MARK] = { "forget-mark", CHECK_SPENT, true },
    [PLANT_FORGET_FACT] = { "forget-fact", CHECK_TOLD, true },
    // every other member hears another P
    [PLANT_TWO_SETS] = { "two-sets", CHECK_TOLD, true },
    // MASK gives the plain bytes back
    [PLANT_PLAIN_PUSH] = { "plain-push", CHECK_VEIL, true },
    // samples in the clear
    [PLANT_TELL_SIZE] = { "tell-size", CHECK_VEIL, true },
    // a dealing with a spoilt signature
    [PLANT_LIAR] = { "liar", CHECK_BLAME, true },
    // a block is opened with uploads missing
    [PLANT_LOSE_UPLOAD] = { "lose-upload", CHECK_BLAME, true },
    // a bit of an opened sum is wrong
    [PLANT_OPEN_WRONG] = { "open-wrong", CHECK_FLAT, true },
    // the report of a block is changed
    [PLANT_WRONG_LINE] = { "wrong-line", CHECK_BLOCKS, true },
    // a device hears LATE instead of IN when its run is paused
    [PLANT_PAUSE_TWICE] = { "pause-twice", CHECK_ONCE, false },
    // the root does not clear its sums for another run
    [PLANT_SHARED_SUM] = { "shared-sum", CHECK_APART, false },
    // all runs round with the seed of the first
    [PLANT_SHARED_SEED] = { "shared-seed", CHECK_APART, false },
    // the root is not told that a run is resumed
    [PLANT_LOST_RESUME] = { "lost-resume", CHECK_STALL, false },
    // a store that failed for a while fails for ever
    [PLANT_SICK_STORE] = { "sick-store", CHECK_STALL, false },
    // the next model is made of the sum of the run beside it
    [PLANT_OTHER_SUM] = { "other-sum", CHECK_APART, false },
    // the machines are told absent_max 0
    [PLANT_WAIT_FOR_GONE] = { "wait-for-gone", CHECK_WAITS, false },
    // a copy says HELLO with the incarnation of its original
    [PLANT_COPY_BESIDE] = { "copy-beside", CHECK_COPIES, false },
    // no edge hears of names under two parents
    [PLANT_LOST_TWINS] = { "lost-twins", CHECK_COPIES, false },
    // the machine of who is drained is not told
    [PLANT_DRAIN_DEAF] = { "drain-deaf", CHECK_DRAIN, false },
    // who is absent does not stand in the report
    [PLANT_DROP_ABSENT] = { "drop-absent", CHECK_MISSING, false },
};

const char *
fl_sim_plant_name(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plants[plant].name;
}

bool
fl_sim_plant_masked(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plants[plant].masked;
}

bool
fl_sim_plant_runs(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plant >= PLANT_PAUSE_TWICE && !fl_sim_plant_lives(plant); // and those behind it
}

bool
fl_sim_plant_lives(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plant >= PLANT_WAIT_FOR_GONE; // and those behind it
}

fl_sim_checker
fl_sim_plant_prey(fl_sim_plant plant)
{
    FL_ASSERT((unsigned)plant < PLANTS);
    return plants[plant].prey;
}

void
fl_sim_plant_said(const fl_sim *sim, uint32_t to, fl_message *message)
{
    if (sim->plant == PLANT_TELL_SIZE && message->verb == FL_BEAT) {
        message->beat.samples = 1;
    } else if (sim->plant == PLANT_TWO_SETS && message->verb == FL_MASKSET && to % 2 == 0) {
        message->maskset.set &= message->maskset.set - 1;
    } else if (sim->plant == PLANT_LIAR && message->verb == FL_SHARES &&
               message->shares.index == 1) {
        message->shares.signature[0] ^= 1;
    }
}
