//  An aggregator that dies between any two steps: it goes on with what it kept, so that nobody is
//  told two things, and the sum is the same or the block ends by name.
#include "common/secagg/server.h"

#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/wire/codec.h"

//  Every content that was sent, by kind and receiver: a second one is what must not be.
static fl_blob *sent[FL_VERB_COUNT][MASKED_MEMBERS];
static uint32_t contradictions;

static bool
s_witness(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    if (from < 0 && message->verb >= FL_KEYS) {
        fl_blob *frame = fl_encode(message, 0);
        fl_blob **first = &sent[message->verb][to];
        assert_non_null(frame);
        if (*first == NULL) {
            *first = fl_blob_ref(frame);
        }
        bool same =
            fl_blob_size(*first) == fl_blob_size(frame) &&
            memcmp(fl_blob_bytes(*first).data, fl_blob_bytes(frame).data, fl_blob_size(frame)) == 0;
        contradictions += same ? 0 : 1;
        fl_blob_unref(&frame);
    }
    return true;
}

static void
s_forget(void)
{
    contradictions = 0;
    for (int verb = 0; verb < FL_VERB_COUNT; verb++) {
        for (int i = 0; i < MASKED_MEMBERS; i++) {
            fl_blob_unref(&sent[verb][i]);
        }
    }
}

//  Kill after `kill` letters; false when the block had ended by then.
static bool
s_killed_after(uint32_t kill, fl_masking profile, masked_drop drop)
{
    masked_plan plan = masked_plan_small(5);
    plan.profile = profile;
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_result result;
    uint32_t delivered = 0;
    world->member[3].drop = drop;
    world->hook = s_witness;
    masked_open(world);
    while (delivered < kill && masked_deliver(world)) {
        delivered++;
    }
    bool running = !fl_secagg_server_result(world->aggregator, &result);
    if (running) {
        assert_true(masked_restart_cohort(world));
        fl_reason reason = masked_run(world);
        if (reason != FL_WHY_NONE) {
            fail_msg("killed after %u: %s", kill, fl_reason_name(reason));
        }
        assert_true(masked_sum_exact(world));
        assert_int_equal(contradictions, 0);
    }
    s_forget();
    masked_destroy(&world);
    return running;
}

static void
a_parent_killed_between_any_two_steps_makes_the_same_sum(void **state)
{
    (void)state;
    uint32_t kill = 0;
    while (s_killed_after(kill, FL_MASKING_MALICIOUS, MASKED_STAYS)) {
        kill++;
    }
    assert_true(kill >= 24);
    kill = 0;
    while (s_killed_after(kill, FL_MASKING_HONEST, MASKED_STAYS)) {
        kill++;
    }
    assert_true(kill >= 15);
}

//  Before the mask set is kept, a member that has sent nothing is found missing again.
static void
a_silent_member_is_found_missing_again(void **state)
{
    (void)state;
    for (uint32_t kill = 0; kill < 15; kill++) {
        (void)s_killed_after(kill, FL_MASKING_MALICIOUS, MASKED_BEFORE_UPLOAD);
    }
}

static void
a_survivor_that_does_not_come_again_ends_the_block(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    world->hook = s_witness;
    masked_open(world);
    while (fl_secagg_server_state(world->aggregator) != FL_SERVER_ACKING) {
        assert_true(masked_deliver(world));
    }
    world->member[2].silent = true; // its upload died with the aggregator
    assert_true(masked_restart_cohort(world));
    assert_int_equal(masked_run(world), FL_WHY_RESTART);
    assert_int_equal(world->unmasks, 0);
    assert_int_equal(contradictions, 0);
    s_forget();
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
    fl_secagg_invite one = { .node = world->member[4].node, .peer = 4 };
    fl_secagg_times times = { 9999, 9999, 9999, 9999 };
    fl_secagg_server_open(world->aggregator, 3, &world->task, &one, 1, &times, world->now,
                          world->out);
    assert_true(
        fl_secagg_server_resume(world->aggregator, facts, 3, IDENTITY_NOW, world->now, world->out));
    assert_int_equal(fl_secagg_server_seats(world->aggregator), 5);
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
        fl_secagg_invite one = { .node = world->member[0].node, .peer = 0 };
        fl_secagg_times times = { 9999, 9999, 9999, 9999 };
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parent_killed_between_any_two_steps_makes_the_same_sum),
        cmocka_unit_test(a_silent_member_is_found_missing_again),
        cmocka_unit_test(a_survivor_that_does_not_come_again_ends_the_block),
        cmocka_unit_test(a_participant_that_was_not_invited_again_stays_in_its_block),
        cmocka_unit_test(foreign_facts_end_the_block_by_name),
    };
    return cmocka_run_group_tests_name("core/masking_cohort_restart", tests, NULL, NULL);
}
