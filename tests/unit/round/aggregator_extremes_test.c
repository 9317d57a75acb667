//  Orders at their extremes, as far as the wire lets them through, and clocks that are wrong: every
//  round ends in time, by name, or with a sum that keeps each floor.
#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <stdlib.h>
#include <string.h>

enum { CHILDREN = 5 };

static uint32_t
s_largest(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t most = a > b ? a : b;
    return most > c ? most : c;
}

//  How a round of five under these numbers ends; its sum is checked.
static fl_result
s_round(const masked_plan *plan, uint32_t block_max)
{
    flock_new(plan);
    flock.block_max = block_max;
    flock_join_all();
    flock_open(1, flock.now + FLOCK_WINDOW_MS);
    fl_result result = flock_run();
    assert_true(result.duration_ms <= FLOCK_WINDOW_MS);
    if (result.close == FL_CLOSE_DONE) {
        uint32_t floors = s_largest(3, plan->survivors_min, plan->own_survivors_min);
        assert_true(flock_in() >= floors);
        assert_true(CHILDREN >= s_largest(3, plan->members_min, plan->own_members_min));
        flock_assert_exact();
    } else {
        assert_int_not_equal(result.reason, FL_WHY_NONE);
        assert_int_equal(flock_in(), 0);
        assert_int_equal(flock.unmasks, 0);
    }
    return result;
}

static void
s_end(fl_close close)
{
    flock_settle_round(close == FL_CLOSE_DONE ? FL_OUT_IN : FL_OUT_REFUSED);
    flock_destroy();
}

static void
every_floor_is_kept_or_the_round_has_none(void **state)
{
    (void)state;
    static const uint8_t floors[] = { 0, 3, 5, 6, 64 };
    enum { FLOORS = sizeof floors / sizeof *floors };
    uint32_t done = 0, rounds = 0;
    for (int members = 0; members < FLOORS; members++) {
        for (int survivors = 0; survivors < FLOORS; survivors++) {
            for (int own = 0; own < 2; own++) { // the order's, or each member's own
                masked_plan plan = masked_plan_small(CHILDREN);
                if (own == 0) {
                    plan.members_min = floors[members];
                    plan.survivors_min = floors[survivors];
                } else {
                    plan.own_members_min = floors[members];
                    plan.own_survivors_min = floors[survivors];
                }
                bool may = floors[members] <= CHILDREN && floors[survivors] <= CHILDREN;
                fl_close close = s_round(&plan, FL_MEMBERS_MAX).close;
                assert_int_equal(close == FL_CLOSE_DONE, may);
                done += close == FL_CLOSE_DONE;
                rounds++;
                s_end(close);
            }
        }
    }
    assert_true(done > 0 && done < rounds);
}

static void
blocks_of_any_size_are_no_smaller_than_three(void **state)
{
    (void)state;
    for (uint32_t block_max = 3; block_max <= 6; block_max++) {
        masked_plan plan = masked_plan_small(CHILDREN);
        fl_result result = s_round(&plan, block_max);
        assert_int_equal(result.close, FL_CLOSE_DONE);
        assert_int_equal(result.block_count, 1); // two would be too small
        s_end(result.close);
    }
}

//  Three of the longest steps do not fit into any window: nothing is begun, and that is said.
static void
steps_of_any_length_end_in_time(void **state)
{
    (void)state;
    static const uint32_t steps[] = { 1, 1000, 4000, 6000, UINT32_MAX };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        masked_plan plan = masked_plan_small(CHILDREN);
        plan.step_ms = steps[i];
        fl_result result = s_round(&plan, FL_MEMBERS_MAX);
        bool fits = 3 * (uint64_t)steps[i] < FLOCK_WINDOW_MS;
        assert_int_equal(result.close == FL_CLOSE_DONE, fits);
        assert_true(fits || result.reason == FL_WHY_LATE);
        s_end(result.close);
    }
}

// ---- wall clocks -------------------------------------------------------------------------------
//  A member whose clock jumps before the roster comes, by so much.
static fl_reason
s_clock(int64_t jump_s)
{
    masked_plan plan = masked_plan_small(4);
    masked_world *world = masked_new(&plan, 4);
    masked_open(world);
    while (world->facts[FL_KEEP_ROSTER] == NULL) {
        assert_true(masked_deliver(world));
    }
    fl_message message = masked_message(world, FL_ROSTER);
    fl_bytes fact = fl_blob_bytes(world->facts[FL_KEEP_ROSTER]);
    size_t size = 4 * (size_t)FL_MEMBER_BYTES;
    message.roster.block = 3;
    message.roster.members = fl_bytes_of(fact.data + fact.size - size, size);
    fl_secagg_outcome how = { .reason = FL_WHY_NONE };
    fl_secagg_client *machine = world->member[0].machine;
    fl_secagg_client_hear(machine, &message, (uint64_t)((int64_t)IDENTITY_NOW + jump_s), world->now,
                          world->out);
    bool ended = fl_secagg_client_outcome(machine, &how);
    assert_true(ended == (how.reason != FL_WHY_NONE));
    fl_outbox_reset(world->out);
    masked_destroy(&world);
    return how.reason;
}

static void
a_clock_that_jumps_ends_the_round_by_name_and_no_sooner_than_it_must(void **state)
{
    (void)state;
    assert_int_equal(s_clock(0), FL_WHY_NONE);
    assert_int_equal(s_clock(IDENTITY_WEEK_S - 1), FL_WHY_NONE);
    assert_int_equal(s_clock(IDENTITY_WEEK_S + 1), FL_WHY_CERTIFICATE);
    assert_int_equal(s_clock(-(int64_t)FL_CERT_DATED_BACK_S + 1), FL_WHY_NONE);
    assert_int_equal(s_clock(-(int64_t)FL_CERT_DATED_BACK_S - 1), FL_WHY_CERTIFICATE);
    assert_int_equal(s_clock(-(int64_t)IDENTITY_NOW), FL_WHY_CERTIFICATE); // 1970
    assert_int_equal(s_clock(INT64_MAX - (int64_t)IDENTITY_NOW), FL_WHY_CERTIFICATE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_floor_is_kept_or_the_round_has_none),
        cmocka_unit_test(blocks_of_any_size_are_no_smaller_than_three),
        cmocka_unit_test(steps_of_any_length_end_in_time),
        cmocka_unit_test(a_clock_that_jumps_ends_the_round_by_name_and_no_sooner_than_it_must),
    };
    return cmocka_run_group_tests_name("core/cohort_extremes", tests, NULL, NULL);
}
