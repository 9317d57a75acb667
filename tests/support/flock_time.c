//  Time in a flock: the next letter, or else the next moment of anybody's.
#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include "common/base/status.h"

static fl_time
s_next(void)
{
    fl_time at = fl_aggregator_deadline(flock.aggregator);
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        fl_time one = flock.child[i].member == NULL
                          ? FL_NEVER
                          : fl_participant_deadline(flock.child[i].member);
        at = one < at ? one : at;
    }
    return at;
}

//  Everybody whose moment has come.
static void
s_tick(void)
{
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        if (flock.child[i].member != NULL &&
            fl_participant_deadline(flock.child[i].member) <= flock.now) {
            flock_step_child(i, (fl_event){ .kind = FL_EV_TICK });
        }
    }
    if (fl_aggregator_deadline(flock.aggregator) <= flock.now) {
        flock_step(&(fl_event){ .kind = FL_EV_TICK });
    }
}

//  One letter, or else the next moment; false when that is after `until`.
bool
flock_go_on(fl_time until)
{
    if (flock_deliver()) {
        return true;
    }
    fl_time next = s_next();
    if (next > until) {
        flock.now = until > flock.now ? until : flock.now;
        return false;
    }
    flock.now = next > flock.now ? next : flock.now;
    s_tick();
    return true;
}

void
flock_pass(fl_time until)
{
    while (flock_go_on(until)) {
    }
}

fl_result
flock_run(void)
{
    fl_result result;
    fl_time latest = flock.now + 4 * FLOCK_WINDOW_MS;
    while (!fl_aggregator_result(flock.aggregator, &result)) {
        bool more = flock_go_on(latest);
        FL_ASSERT(more); // the round ends by itself, in time
    }
    return result;
}

void
flock_until_said(uint32_t index, fl_verb verb)
{
    uint32_t before = flock.child[index].said[verb];
    while (flock.child[index].said[verb] == before) {
        bool more = flock_go_on(flock.now + FLOCK_WINDOW_MS);
        FL_ASSERT(more);
    }
}

void
flock_until_told(uint32_t index, fl_verb verb)
{
    uint32_t before = flock.child[index].told[verb];
    while (flock.child[index].told[verb] == before) {
        bool more = flock_go_on(flock.now + FLOCK_WINDOW_MS);
        FL_ASSERT(more);
    }
}
