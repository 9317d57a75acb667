#include "cloud/scheduler.h"

static const bool legal[FL_RUN_STATES][FL_RUN_STATES] = {
    [FL_RUN_QUEUED] = { [FL_RUN_RUNNING] = true, [FL_RUN_STOPPED] = true, [FL_RUN_ABORTED] = true },
    [FL_RUN_RUNNING] = { [FL_RUN_PAUSED] = true,
                         [FL_RUN_DONE] = true,
                         [FL_RUN_STOPPED] = true,
                         [FL_RUN_ABORTED] = true },
    [FL_RUN_PAUSED] = { [FL_RUN_RUNNING] = true,
                        [FL_RUN_PAUSED] = true,
                        [FL_RUN_STOPPED] = true,
                        [FL_RUN_ABORTED] = true },
};

bool
fl_run_state_may(fl_run_state from, fl_run_state to)
{
    return from < FL_RUN_STATES && to < FL_RUN_STATES && legal[from][to];
}

bool
fl_run_waits(const fl_ledger_run *run)
{
    return run->state == FL_RUN_RUNNING || run->state == FL_RUN_QUEUED;
}

bool
fl_run_before(const fl_ledger_run *run, const fl_ledger_run *other)
{
    if (run->open != other->open) {
        return run->open > other->open;
    }
    if (run->state != other->state) {
        return run->state == FL_RUN_RUNNING;
    }
    return run->priority != other->priority ? run->priority > other->priority
                                            : run->number < other->number;
}

bool
fl_claims_meet(const fl_claim *a, const fl_claim *b)
{
    bool meet = a->on_count == 0 || b->on_count == 0;
    for (uint32_t i = 0; i < a->on_count * b->on_count && !meet; i++) {
        meet = fl_name_equal(&a->on[i / b->on_count], &b->on[i % b->on_count]);
    }
    return meet;
}

fl_status
fl_run_offered(const fl_claim *run, const fl_offerings *offers, fl_why *why)
{
    const fl_reason lack = fl_offerings_lack(offers, &run->wanted);
    return lack == FL_WHY_NONE ? FL_OK
           : lack == FL_WHY_NO_TRAINER
               ? fl_fail(FL_BUSY, why, "nobody offers trainer %s", run->wanted.trainer.name)
               : fl_fail(FL_BUSY, why, "nobody offers data %s", run->wanted.data.name);
}

fl_status
fl_run_place(const fl_claim *held, uint32_t count, uint64_t memory, fl_claim *run, fl_why *why)
{
    bool meets[FL_TRACKS] = { false };
    uint64_t bytes[FL_TRACKS] = { 0 }; // of the largest round of a track; 0: it is free
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = held[i].track;
        meets[at] = meets[at] || fl_claims_meet(&held[i], run);
        bytes[at] = held[i].bytes > bytes[at] ? held[i].bytes : bytes[at];
    }
    if (meets[0] && meets[1]) {
        return fl_fail(FL_BUSY, why, "it waits for children of two runs that overlap");
    }
    run->track = meets[1] || (!meets[0] && bytes[0] > 0 && bytes[1] == 0) ? 1 : 0;
    const uint64_t other = bytes[1 - run->track], own = bytes[run->track];
    const uint64_t both = other + (own > run->bytes ? own : run->bytes);
    if (other > 0 && both > memory) {
        return fl_fail(FL_BUSY, why,
                       "it waits for memory: two rounds at a time take %llu MiB, runs.memory is "
                       "%llu MiB",
                       (unsigned long long)(both >> 20), (unsigned long long)(memory >> 20));
    }
    return FL_OK;
}
