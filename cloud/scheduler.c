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
