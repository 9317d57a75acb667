//  What tests of a flock look at.
#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include "common/base/status.h"

fl_result
flock_result(void)
{
    fl_result result;
    bool closed = fl_aggregator_result(flock.aggregator, &result);
    FL_ASSERT(closed);
    return result;
}

fl_seat_view
flock_seat(uint32_t index)
{
    for (uint32_t i = 0; i < fl_aggregator_seats(flock.aggregator); i++) {
        fl_seat_view seat = fl_aggregator_seat(flock.aggregator, i);
        if (fl_name_equal(&seat.node, &flock.keys->member[index].node)) {
            return seat;
        }
    }
    return (fl_seat_view){ .outcome = FL_OUT_IDLE };
}

//  By the report: a seat that was not invited shows how an earlier round ended for it.
static bool
s_is_in(const fl_result *result, uint32_t index)
{
    for (uint32_t i = 0; i < result->roll_count; i++) {
        if (fl_name_equal(&result->roll[i].node, &flock.keys->member[index].node)) {
            return result->roll[i].outcome == FL_OUT_IN;
        }
    }
    return false;
}

void
flock_assert_exact(void)
{
    fl_result result = flock_result();
    uint64_t weight = 0, count = 0, stats[FL_STATS] = { 0 };
    assert_int_equal(result.close, FL_CLOSE_DONE);
    for (uint32_t e = 0; e < flock.keys->plan.elements; e++) {
        int64_t want = 0;
        for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
            want += s_is_in(&result, i) ? flock.keys->member[i].plain[e] : 0;
        }
        assert_int_equal((int64_t)flock.total[e], want);
    }
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        const masked_member *member = &flock.keys->member[i];
        bool in = s_is_in(&result, i);
        weight += in ? member->weight : 0;
        count += in ? member->count : 0;
        for (int k = 0; in && k < FL_STATS; k++) {
            stats[k] += member->stats[k];
        }
    }
    assert_int_equal(result.weight, weight);
    assert_int_equal(result.count, count);
    assert_memory_equal(result.stats, stats, sizeof stats);
}

uint32_t
flock_in(void)
{
    fl_result result = flock_result();
    uint32_t in = 0;
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        in += s_is_in(&result, i) ? 1 : 0;
    }
    return in;
}

void
flock_assert_seat(uint32_t index, fl_outcome outcome, fl_reason reason)
{
    fl_seat_view seat = flock_seat(index);
    if (seat.outcome != outcome || seat.reason != reason) {
        fail_msg("child %u is %s for %s, not %s for %s", index, fl_outcome_name(seat.outcome),
                 fl_reason_name(seat.reason), fl_outcome_name(outcome), fl_reason_name(reason));
    }
}

void
flock_begin(uint32_t children)
{
    masked_plan plan = masked_plan_small(children);
    flock_new(&plan);
    flock_join_all();
}

void
flock_end(void)
{
    fl_result result;
    if (fl_aggregator_result(flock.aggregator, &result)) {
        flock_settle_round(FL_OUT_IN);
    }
    flock_pass(flock.now + 2 * FLOCK_WINDOW_MS); // nobody waits for longer
    for (uint32_t i = 0; i < flock.keys->plan.members; i++) {
        if (!flock.child[i].cut) {
            assert_int_equal(flock.child[i].vecs, 0);
        }
    }
    flock_destroy();
}
