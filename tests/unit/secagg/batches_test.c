//  R13: with batches the names of a pool are summed up in runs, each whole or not at all.
#include "tests/support/unit.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/secagg/pool.h"
#include "tests/support/secagg_thief.h"

enum { MEMBERS = 12, BATCH = 3, EPOCH = 5 };

static thief bad;
static uint64_t refused;
static bool anew; // a fresh roster was begun

static bool
s_hears(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    if (to >= 0 && message->verb == FL_ROSTER && fl_secagg_asks_keys(message->roster.list)) {
        anew = true;
    }
    if (from >= 0 && message->verb == FL_REFUSED) {
        assert_int_equal(message->refused.reason, FL_WHY_BROKEN_BATCH);
        refused |= fl_secagg_bit((uint32_t)from);
    }
    return true;
}

//  All are in one pool, four runs of three; the pool's order is not the block's.
static masked_world *
s_world(uint8_t batch)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 1);
    fl_pool *pool = &world->pool;
    *pool = (fl_pool){ .run = world->task.order.run,
                       .epoch = EPOCH,
                       .edge = world->parent,
                       .of = 1,
                       .floor = 4,
                       .count = MEMBERS };
    for (uint32_t i = 0; i < MEMBERS; i++) {
        pool->names[i] = world->member[i * 5 % MEMBERS].node;
    }
    world->task.order.pools = EPOCH;
    world->task.order.plan.batch = batch;
    masked_sign(world, &world->task);
    uint8_t bytes[FL_POOL_BYTES_MAX];
    const size_t size = fl_pool_encode(pool, world->authority, bytes);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_secagg_client_pool(world->member[i].machine, fl_bytes_of(bytes, size), world->out);
    }
    fl_outbox_reset(world->out);
    world->hook = s_hears;
    refused = 0;
    anew = false;
    return world;
}

//  The members of the run of that one.
static uint64_t
s_run_of(const masked_world *world, uint32_t index)
{
    uint64_t set = 0;
    const fl_pool_run run = fl_pool_run_of(&world->pool, BATCH, &world->member[index].node);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        const fl_pool_run other = fl_pool_run_of(&world->pool, BATCH, &world->member[i].node);
        set |= other.number == run.number ? fl_secagg_bit(i) : 0;
    }
    assert_int_equal(fl_set_count(set), BATCH);
    return set;
}

static void
every_list_falls_into_runs_of_that_many_names_and_none_is_shorter(void **state)
{
    (void)state;
    for (uint32_t count = FL_SECAGG_MEMBERS_MIN; count <= FL_POOL_MAX; count++) {
        fl_pool pool = { .count = (uint8_t)count };
        for (uint32_t i = 0; i < count; i++) {
            (void)snprintf(pool.names[i].name, sizeof pool.names[i].name, "n%u", i);
        }
        for (uint32_t batch = 2; batch <= FL_BATCH_NAMES_MAX; batch++) {
            uint32_t size[FL_POOL_MAX] = { 0 }, last = 0;
            for (uint32_t i = 0; i < count; i++) {
                const fl_pool_run run = fl_pool_run_of(&pool, batch, &pool.names[i]);
                assert_true(run.number == last || run.number == last + 1);
                last = run.number;
                size[last]++;
            }
            for (uint32_t i = 0; i < count; i++) {
                const fl_pool_run run = fl_pool_run_of(&pool, batch, &pool.names[i]);
                assert_int_equal(run.names, size[run.number]);
                assert_true(run.names >= (batch < count ? batch : count));
                assert_true(run.names < 2 * batch);
            }
        }
        assert_int_equal(fl_pool_run_of(&pool, 0, &pool.names[0]).names, 0);
    }
}

//  A parent that leaves one device out of a sum: with the sum of another round it would see little
//  else than that one. True when it has such a sum.
static bool
s_leaves_out(uint8_t batch, bool of_p)
{
    const uint64_t all = fl_secagg_all(MEMBERS), others = all & ~fl_secagg_bit(4);
    masked_world *world = s_world(batch);
    thief_move_in(&bad, world, 0);
    if (of_p) {
        masked_open(world);
        world->hold_saved = true; // MASKSET is ours to tell
        while (masked_deliver(world)) {
            if (fl_secagg_server_state(world->aggregator) < FL_SERVER_COLLECTING &&
                world->token != 0) {
                masked_answer_saved(world, true);
                world->token = 0;
            }
        }
        thief_tell_maskset(&bad, all, others);
    } else {
        thief_wait_for_uploads(&bad);
    }
    thief_tell_survivors(&bad, others, others, 0);
    thief_tell_acks(&bad, others, others);
    const bool reads = thief_reads(&bad, others);
    refused = bad.refused;
    masked_destroy(&world);
    return reads;
}

static void
a_set_without_one_of_a_run_is_refused(void **state)
{
    const bool of_p = *(const bool *)*state;
    assert_true(s_leaves_out(0, of_p)); // without batches it is a block like any other
    assert_false(s_leaves_out(BATCH, of_p));
    assert_int_equal(refused, fl_secagg_all(MEMBERS) & ~fl_secagg_bit(4));
}

//  Whoever falls silent takes its run with it, and nobody else.
static void
a_parent_sums_up_whole_runs(void **state)
{
    (void)state;
    for (masked_drop drop = MASKED_BEFORE_KEYS; drop <= MASKED_BEFORE_READY; drop++) {
        masked_world *world = s_world(BATCH);
        const uint64_t run = s_run_of(world, 7);
        fl_secagg_result result;
        world->member[7].drop = drop;
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_true(masked_sum_exact(world));
        assert_true(fl_secagg_server_result(world->aggregator, &result));
        assert_int_equal(result.masked, MEMBERS - BATCH);
        assert_int_equal(result.survivors, MEMBERS - BATCH);
        assert_int_equal(refused, 0);
        for (uint32_t i = 0; i < MEMBERS; i++) {
            const fl_secagg_seat seat = fl_secagg_server_seat(world->aggregator, i);
            assert_int_equal(seat.survived, (run & fl_secagg_bit(i)) == 0);
        }
        masked_destroy(&world);
    }
}

//  No run can be whole any more: the others are many, and are not asked for keys again.
static void
a_fresh_roster_is_begun_only_for_enough_in_whole_runs(void **state)
{
    (void)state;
    masked_world *world = s_world(BATCH);
    world->task.order.plan.step_ms = 10;
    masked_sign(world, &world->task);
    masked_open(world);
    while (fl_secagg_server_state(world->aggregator) != FL_SERVER_ROSTERED) {
        assert_true(masked_deliver(world));
    }
    for (uint64_t left = fl_secagg_all(MEMBERS); left != 0;) { // one of each run
        const uint32_t first = fl_set_next(left, 0);
        left &= ~s_run_of(world, first);
        fl_secagg_server_drop(world->aggregator, first, FL_WHY_NO_DATA, world->out);
    }
    masked_obey(world, -1);
    assert_int_not_equal(masked_run(world), FL_WHY_NONE);
    assert_false(anew);
    masked_destroy(&world);
}

//  What was uploaded is in the sum already, so that one is not opened, before a restart nor after.
static void
a_run_that_is_lost_after_masking_ends_the_block(void **state)
{
    (void)state;
    for (int restarts = 0; restarts < 2; restarts++) {
        masked_world *world = s_world(BATCH);
        world->member[7].drop = MASKED_BEFORE_UPLOAD;
        masked_open(world);
        if (restarts) {
            (void)masked_settle(world);
            assert_true(masked_restart_cohort(world));
        }
        assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_UPLOADS);
        assert_int_equal(refused, 0);
        masked_destroy(&world);
    }
}

int
main(void)
{
    static bool of_p = true, of_s = false;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_list_falls_into_runs_of_that_many_names_and_none_is_shorter),
        cmocka_unit_test_prestate(a_set_without_one_of_a_run_is_refused, &of_p),
        cmocka_unit_test_prestate(a_set_without_one_of_a_run_is_refused, &of_s),
        cmocka_unit_test(a_parent_sums_up_whole_runs),
        cmocka_unit_test(a_fresh_roster_is_begun_only_for_enough_in_whole_runs),
        cmocka_unit_test(a_run_that_is_lost_after_masking_ends_the_block),
    };
    return cmocka_run_group_tests_name("secagg/batches", tests, NULL, NULL);
}
