//  An aggregator that goes on with what the one before it kept, and what it does not go on with.
//  That nobody is told two things and that the sum is the same, whenever it died, is shown by whole
//  machines in masked_restart_test.c and by the simulator.
#include "common/secagg/server_inside.h"

#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

static void
a_survivor_that_does_not_come_again_ends_the_block(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    masked_open(world);
    while (fl_secagg_server_state(world->aggregator) != FL_SERVER_ACKING) {
        assert_true(masked_deliver(world));
    }
    world->member[2].silent = true; // its upload died with the aggregator
    assert_true(masked_restart_cohort(world));
    assert_int_equal(masked_run(world), FL_WHY_RESTART);
    assert_int_equal(world->unmasks, 0);
    masked_destroy(&world);
}

static void
a_participant_that_was_not_invited_again_stays_in_its_block(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    masked_open(world);
    while (world->facts[FL_KEEP_MASKSET] == NULL) {
        assert_true(masked_deliver(world));
    }
    fl_bytes facts[3];
    for (int i = 0; i < 3; i++) {
        facts[i] = fl_blob_bytes(world->facts[FL_KEEP_ROSTER + i]);
    }
    fl_secagg_invite one = { world->member[4].node, 4, 4, { 0, 0 } };
    fl_secagg_times times = { 9999, 9999, 9999, 9999, 0 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, &one, 1, &times, world->now,
                          world->out);
    assert_true(
        fl_secagg_server_resume(world->aggregator, facts, 3, IDENTITY_NOW, world->now, world->out));
    assert_int_equal(world->aggregator->count, 5);
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_COLLECTING);
    uint32_t told = 0;
    for (uint32_t i = 0; i < fl_outbox_count(world->out); i++) {
        const fl_effect *effect = fl_outbox_at(world->out, i);
        told += effect->kind == FL_FX_SEND;
        assert_true(effect->kind != FL_FX_SEND || effect->send.to == 4);
    }
    assert_int_equal(told, 3);
    fl_outbox_reset(world->out);
    masked_destroy(&world);
}

//  Facts that are not of this task and block, out of order, or changed.
static void
foreign_facts_end_the_block_by_name(void **state)
{
    (void)state;
    for (int fault = 0; fault < 8; fault++) {
        masked_plan plan = masked_plan_small(4);
        masked_world *world = masked_new(&plan, 5);
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        fl_blob *blob = fl_blob_copy(fl_blob_bytes(world->facts[FL_KEEP_ROSTER]));
        uint8_t *bytes = fl_blob_data(blob);
        fl_bytes facts[5];
        for (int i = 0; i < 5; i++) {
            facts[i] = fl_blob_bytes(world->facts[FL_KEEP_ROSTER + i]);
        }
        facts[0] = fl_blob_bytes(blob);
        uint32_t count = 5;
        if (fault < 5) { // block, run, round, task, a member's signature
            static const size_t at[] = { 1, 5, 21, 29, 69 + 297 };
            bytes[at[fault]] ^= 1;
        } else if (fault == 5) {
            facts[1] = facts[2];
        } else if (fault == 6) {
            facts[3].size--;
        } else {
            facts[0].size = 3;
        }
        fl_secagg_invite one = { world->member[0].node, 0, 0, { 0, 0 } };
        fl_secagg_times times = { 9999, 9999, 9999, 9999, 0 };
        fl_secagg_server_open(world->aggregator, 3, &world->task, &one, 1, &times, world->now,
                              world->out);
        assert_false(fl_secagg_server_resume(world->aggregator, facts, count, IDENTITY_NOW,
                                             world->now, world->out));
        fl_secagg_result result;
        assert_true(fl_secagg_server_result(world->aggregator, &result));
        assert_int_equal(result.reason, FL_WHY_RESTART);
        fl_outbox_reset(world->out);
        fl_blob_unref(&blob);
        masked_destroy(&world);
    }
}

static void
a_fact_says_what_it_is_of_and_a_roster_whose_names_it_has(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(4);
    masked_world *world = masked_new(&plan, 5);
    masked_next_round(world, 7, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    fl_secagg_fact head;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS; what++) {
        assert_true(fl_secagg_fact_read(fl_blob_bytes(world->facts[what]), &head));
        assert_int_equal(head.what, what);
        assert_int_equal(head.block, 3);
        assert_int_equal(head.round, 7);
        assert_true(fl_run_equal(&head.run, &world->task.order.run));
    }
    fl_bytes roster = fl_blob_bytes(world->facts[FL_KEEP_ROSTER]);
    fl_name names[FL_MEMBERS_MAX];
    uint64_t expired = IDENTITY_NOW + 100 * (uint64_t)IDENTITY_WEEK_S; // a name is a name
    assert_int_equal(fl_secagg_fact_names(roster, &world->trust, IDENTITY_NOW, names), 4);
    assert_int_equal(fl_secagg_fact_names(roster, &world->trust, expired, names), 4);
    assert_true(fl_name_equal(&names[2], &world->member[2].node));
    fl_bytes cut = { roster.data, roster.size - 1 };
    assert_int_equal(fl_secagg_fact_names(cut, &world->trust, IDENTITY_NOW, names), 0);
    cut.size = 3;
    assert_int_equal(fl_secagg_fact_names(cut, &world->trust, IDENTITY_NOW, names), 0);
    assert_false(fl_secagg_fact_read(cut, &head));
    uint8_t *bytes = fl_blob_data(world->facts[FL_KEEP_ROSTER]);
    bytes[69 + 5] ^= 1; // a certificate of somebody else's
    assert_int_equal(fl_secagg_fact_names(roster, &world->trust, IDENTITY_NOW, names), 0);
    bytes[1] = 2 * FL_BLOCKS_MAX + 3;
    assert_true(fl_secagg_fact_read(roster, &head));
    assert_true(head.block == 3 && head.number == 2);
    bytes[1] = 3 * FL_BLOCKS_MAX;
    assert_false(fl_secagg_fact_read(roster, &head)); // there is no fourth roster
    bytes[1] = 0;
    bytes[0] = FL_KEEP_EVIDENCE;
    assert_false(fl_secagg_fact_read(roster, &head));
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_survivor_that_does_not_come_again_ends_the_block),
        cmocka_unit_test(a_participant_that_was_not_invited_again_stays_in_its_block),
        cmocka_unit_test(foreign_facts_end_the_block_by_name),
        cmocka_unit_test(a_fact_says_what_it_is_of_and_a_roster_whose_names_it_has),
    };
    return cmocka_run_group_tests_name("core/masking_cohort_restart", tests, NULL, NULL);
}
