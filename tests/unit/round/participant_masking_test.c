//  A member in a masked round: what it takes part in, what it announces, and how it finds its way
//  back after a loss. How its part ends is in member_masking_end_test.c.
#include "tests/support/unit.h"

#include "tests/support/troop.h"

#include <string.h>

#include "common/secagg/client_inside.h"

static int
s_new(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    troop_new(&plan);
    return 0;
}

static int
s_destroy(void **state)
{
    (void)state;
    troop_destroy();
    return 0;
}

static fl_secagg_step
s_step_of(uint32_t index)
{
    return fl_secagg_client_step_of(troop[index].member->masking);
}

// ---- a whole round ----------------------------------------------------------------------------
static void
three_members_open_the_sum_of_their_updates_and_nothing_else(void **state)
{
    (void)state;
    for (int profile = FL_MASKING_HONEST; profile <= FL_MASKING_MALICIOUS; profile++) {
        for (uint8_t hop = 1; hop <= 2; hop++) {
            masked_plan plan = masked_plan_small(3);
            plan.profile = (fl_masking)profile;
            plan.hop = hop;
            troop_destroy();
            troop_new(&plan);
            troop_begin();
            troop_train_all();
            troop_settle();
            assert_true(masked_sum_exact(troop_world));
            for (uint32_t i = 0; i < 3; i++) {
                assert_int_equal(s_step_of(i), FL_CLIENT_OPENED);
                assert_true(troop_no_verdict(i)); // only the parent knows whether it counts
                troop_close(i, FL_OUT_IN, FL_WHY_NONE);
                fl_verdict verdict = troop_verdict(i);
                assert_int_equal(verdict.outcome, FL_OUT_IN);
                assert_true(verdict.certain && verdict.spent && !verdict.final);
                assert_int_equal(s_step_of(i), FL_CLIENT_IDLE);
                assert_int_equal(troop[i].masks, 1);
            }
            assert_int_equal(troop_alive(), 0);
        }
    }
}

static void
rounds_follow_each_other(void **state)
{
    (void)state;
    troop_begin();
    for (uint64_t round = 1; round <= 3; round++) {
        troop_train_all();
        troop_settle();
        assert_true(masked_sum_exact(troop_world));
        troop_next_round(round + 1);
        for (uint32_t i = 0; i < 3; i++) { // the word about the last one was lost
            troop_task(i, 1);
            fl_verdict verdict = troop_verdict(i);
            assert_int_equal(verdict.round, round);
            assert_int_equal(verdict.outcome, FL_OUT_LATE);
            assert_true(verdict.spent && !verdict.certain);
        }
        assert_int_equal(troop_alive(), 0);
    }
}

static void
a_masked_contribution_says_nothing_in_the_clear(void **state)
{
    (void)state;
    troop_begin();
    troop_train_all();
    assert_int_equal(fl_participant_activity(troop[0].member), FL_DOING_ENCODE);
    assert_false(fl_participant_wants(troop[0].member));
    assert_int_equal(troop_alive(), 3);
    troop_settle();
    assert_int_equal(troop_alive(), 3); // the masked ones; the plain ones are freed
    const fl_contrib *contrib = &troop[0].contrib;
    static const uint64_t none[FL_STATS];
    assert_int_equal(troop[0].said[FL_CONTRIB], 1);
    assert_int_equal(contrib->weight, 0);
    assert_int_equal(contrib->count, 0);
    assert_memory_equal(contrib->stats, none, sizeof none);
    assert_int_equal(contrib->base_round, 1);
    assert_int_equal(contrib->header.size, FL_MASKED_HEADER_BYTES);
    assert_int_equal(contrib->psig.size, FL_SIGNATURE_BYTES);
    fl_bytes masked = fl_bytes_of(troop_world->member[0].masked, contrib->vector_bytes);
    fl_hash hash = fl_hash_of(masked);
    assert_true(fl_hash_equal(&contrib->hash, &hash));
    fl_hash plain = fl_hash_of(fl_bytes_of(troop_world->member[0].wire, contrib->vector_bytes));
    assert_false(fl_hash_equal(&contrib->hash, &plain));
}

static void
nor_does_a_heartbeat_tell_how_many_samples_there_are(void **state)
{
    (void)state;
    for (int profile = FL_MASKING_NONE; profile <= FL_MASKING_MALICIOUS; profile++) {
        troop_world->member[0].conf.profile = (fl_masking)profile;
        troop_join(0);
        troop_tick(0, troop_world->now + TROOP_BEAT_MS);
        assert_int_equal(troop[0].beat.leaves, 1);
        assert_int_equal(troop[0].beat.samples, profile == FL_MASKING_NONE ? TROOP_SAMPLES : 0);
    }
}

// ---- what it takes part in --------------------------------------------------------------------
//  The task of a child for this reason, which the host never sees.
static void
s_declined(uint32_t index, fl_reason reason)
{
    uint32_t keys = troop[index].said[FL_KEYS];
    troop_task(index, 1);
    assert_int_equal(troop[index].refused.about, FL_TASK);
    assert_int_equal(troop[index].refused.reason, reason);
    assert_int_equal(troop[index].said[FL_REFUSED], 1);
    assert_int_equal(troop[index].said[FL_KEYS], keys);
    assert_int_equal(troop[index].said[FL_FETCH], 0);
    assert_false(fl_participant_wants(troop[index].member));
    assert_null(fl_participant_task(troop[index].member)); // its model is not here
    troop_task(index, 1);
    assert_int_equal(troop[index].said[FL_REFUSED], 2);
    troop_close(index, FL_OUT_REFUSED, reason);
    fl_verdict verdict = troop_verdict(index);
    assert_int_equal(verdict.reason, reason);
    assert_true(verdict.certain && !verdict.spent);
}

static void
a_task_that_asks_for_less_than_configured_is_declined(void **state)
{
    const struct {
        fl_masking own, asked;
        fl_reason reason;
    } rows[] = { { FL_MASKING_MALICIOUS, FL_MASKING_NONE, FL_WHY_POLICY_REFUSED },
                 { FL_MASKING_MALICIOUS, FL_MASKING_HONEST, FL_WHY_POLICY_REFUSED },
                 { FL_MASKING_HONEST, FL_MASKING_NONE, FL_WHY_POLICY_REFUSED },
                 { FL_MASKING_HONEST, FL_MASKING_MALICIOUS, FL_WHY_NONE },
                 { FL_MASKING_NONE, FL_MASKING_HONEST, FL_WHY_NONE },
                 { FL_MASKING_NONE, FL_MASKING_NONE, FL_WHY_NONE } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)s_destroy(state);
        (void)s_new(state);
        troop_world->member[0].conf.profile = rows[i].own;
        fl_plan *plan = &troop_world->task.order.plan;
        plan->masking = (uint8_t)rows[i].asked;
        if (rows[i].asked == FL_MASKING_NONE) {
            plan->block_max = 0;
            plan->step_ms = 0;
        }
        troop_join(0);
        if (rows[i].reason != FL_WHY_NONE) {
            s_declined(0, rows[i].reason);
            continue;
        }
        troop_task(0, 1);
        assert_true(fl_participant_wants(troop[0].member));
        assert_int_equal(troop[0].said[FL_KEYS], rows[i].asked != FL_MASKING_NONE);
        troop_train(0);
        assert_int_equal(troop[0].said[FL_CONTRIB], rows[i].asked == FL_MASKING_NONE);
        if (rows[i].asked == FL_MASKING_NONE) {
            assert_int_equal(troop[0].contrib.weight, troop_world->member[0].weight);
            assert_int_equal(troop[0].contrib.header.size, 0);
        }
    }
}

static void
a_member_without_masks_declines_a_masked_task(void **state)
{
    (void)state;
    troop[0].conf.masking = NULL;
    troop_join(0);
    s_declined(0, FL_WHY_POLICY_REFUSED);
}

//  Masked or not: the encoder of a device and the accumulator of an edge hold a plan to its proof.
static void
an_unmasked_plan_whose_sums_may_wrap_is_declined_too(void **state)
{
    for (int configured = 0; configured < 2; configured++) {
        (void)s_destroy(state);
        (void)s_new(state);
        fl_plan *plan = &troop_world->task.order.plan;
        plan->masking = FL_MASKING_NONE;
        plan->block_max = 0;
        plan->step_ms = 0;
        plan->weight_max = UINT32_MAX;
        troop_world->member[0].conf.profile = FL_MASKING_NONE;
        if (configured == 0) {
            troop[0].conf.masking = NULL;
        }
        troop_join(0);
        s_declined(0, FL_WHY_PLAN);
    }
}

static void
a_plan_whose_sums_may_wrap_and_a_round_before_the_mark_are_declined(void **state)
{
    (void)state;
    troop_join(0);
    troop_world->task.order.plan.weight_max = UINT32_MAX;
    s_declined(0, FL_WHY_PLAN);
    (void)s_destroy(state);
    (void)s_new(state);
    fl_secagg_mark mark = { .run = troop_world->task.order.run, .round = 1 };
    troop[0].conf.mark = &mark; // it was masked in before this process
    troop_join(0);
    s_declined(0, FL_WHY_STALE);
    troop_next_round(2);
    troop_task(0, 1);
    assert_int_equal(troop[0].said[FL_KEYS], 1);
}

static void
an_update_that_may_not_be_masked_is_freed_and_the_task_declined(void **state)
{
    (void)state;
    troop_begin();
    fl_hash model = troop_world->task.order.model;
    troop_world->task.order.model.bytes[0] ^= 1; // the update is of another one
    troop_train(0);
    troop_world->task.order.model = model;
    assert_int_equal(troop[0].refused.reason, FL_WHY_BASE);
    assert_int_equal(troop[0].refused.about, FL_TASK);
    troop_world->member[1].weight = 0;
    troop_train(1);
    assert_int_equal(troop[1].refused.reason, FL_WHY_WEIGHT);
    assert_int_equal(troop_alive(), 0);
    assert_int_equal(s_step_of(0), FL_CLIENT_IDLE);
    assert_int_equal(s_step_of(1), FL_CLIENT_IDLE);
    troop_close(0, FL_OUT_REFUSED, FL_WHY_BASE);
    assert_false(troop_verdict(0).spent);
}

static void
a_host_that_declines_ends_its_half_too(void **state)
{
    (void)state;
    troop_begin();
    fl_outbox_reset(troop_out);
    fl_participant_decline(troop[0].member, FL_WHY_NO_DATA, "nothing", troop_world->now, troop_out);
    troop_obey(0);
    assert_int_equal(s_step_of(0), FL_CLIENT_IDLE);
    assert_int_equal(troop[0].refused.reason, FL_WHY_NO_DATA);
    troop_task(0, 1);
    assert_int_equal(troop[0].said[FL_REFUSED], 2);
    assert_int_equal(troop[0].said[FL_KEYS], 1);
}

// ---- said again -------------------------------------------------------------------------------
static void
the_same_task_again_changes_nothing(void **state)
{
    (void)state;
    troop_begin();
    troop_task(0, 1);
    troop_train_all();
    troop_task(0, 1);
    troop_settle();
    troop_task(0, 1);
    troop_settle();
    assert_int_equal(troop[0].said[FL_KEYS], 1);
    assert_int_equal(troop[0].said[FL_CONTRIB], 2); // announced again, as plain ones are
    assert_int_equal(troop[0].masks, 1);
    assert_true(masked_sum_exact(troop_world));
}

static void
a_new_attempt_gets_the_same_bytes(void **state)
{
    (void)state;
    troop_begin();
    troop_train_all();
    troop_settle();
    troop_child *child = &troop[0];
    fl_contrib first = child->contrib;
    uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];
    memcpy(header, child->header, sizeof header);
    memcpy(psig, child->psig, sizeof psig);
    fl_vec vec = child->member->push.offer.vec;
    fl_time until = child->member->masking->until;
    troop_world->now += 1000;
    troop_task(0, 2);
    assert_int_equal(child->said[FL_CONTRIB], 2);
    assert_int_equal(child->contrib.attempt, 2);
    assert_true(fl_hash_equal(&child->contrib.hash, &first.hash));
    assert_memory_equal(child->header, header, sizeof header);
    assert_memory_equal(child->psig, psig, sizeof psig);
    assert_int_equal(child->member->push.offer.vec, vec);
    assert_int_equal(child->masks, 1);
    assert_int_equal(child->member->masking->until, until + 1000);
    troop_task(0, 1); // an older one moves nothing
    assert_int_equal(child->member->masking->until, until + 1000);
    assert_int_equal(child->said[FL_CONTRIB], 2);
}

static void
a_parent_that_is_not_that_far_again_does_not_end_the_offer(void **state)
{
    (void)state;
    troop_begin();
    troop[0].hold_grant = true;
    troop_train_all();
    troop_settle();
    fl_message refused = masked_message(troop_world, FL_REFUSED);
    refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_ROUND, .about = FL_CONTRIB };
    troop_hear(0, &refused);
    assert_true(troop_no_verdict(0));
    troop[0].hold_grant = false;
    troop_task(0, 1);
    troop_settle();
    assert_true(masked_sum_exact(troop_world));
    refused.refused.reason = FL_WHY_LATE;
    troop_hear(0, &refused);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.outcome, FL_OUT_LATE);
    assert_true(verdict.spent && !verdict.certain);
}

static void
the_last_word_is_said_again_on_a_new_seat(void **state)
{
    (void)state;
    const struct {
        fl_secagg_step step;
        fl_verb word;
    } rows[] = { { FL_CLIENT_KEYED, FL_KEYS },
                 { FL_CLIENT_DEALT, FL_SHARES },
                 { FL_CLIENT_READY, FL_READY },
                 { FL_CLIENT_ACKED, FL_ACK },
                 { FL_CLIENT_OPENED, FL_UNMASK } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)s_destroy(state);
        (void)s_new(state);
        troop_begin();
        troop_train_all();
        troop_until(0, rows[i].step);
        assert_int_equal(troop[0].said[rows[i].word], 1);
        fl_message refused = masked_message(troop_world, FL_REFUSED);
        refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_SEAT, .about = FL_BEAT };
        troop_hear(0, &refused);
        troop_settle();
        assert_int_equal(troop[0].said[FL_HELLO], 2);
        assert_int_equal(troop[0].said[rows[i].word], 2);
        assert_true(masked_sum_exact(troop_world));
    }
}

static void
what_is_not_answered_is_said_again_while_there_is_a_seat(void **state)
{
    (void)state;
    troop[0].mute = (uint64_t)1 << FL_KEYS;
    troop_begin();
    fl_time now = troop_world->now;
    assert_int_equal(fl_participant_deadline(troop[0].member), now + TROOP_AGAIN_MS);
    troop_tick(0, now + TROOP_AGAIN_MS);
    assert_int_equal(troop[0].said[FL_KEYS], 2);
    troop[0].mute |= (uint64_t)1 << FL_HELLO;
    troop_tick(0, now + 3 * TROOP_BEAT_MS + 1);
    assert_false(fl_participant_joined(troop[0].member));
    uint32_t said = troop[0].said[FL_KEYS];
    troop_tick(0, now + 3 * TROOP_BEAT_MS + 2 * TROOP_AGAIN_MS);
    assert_int_equal(troop[0].said[FL_KEYS], said);
}

// ---- who the parent is ------------------------------------------------------------------------
static void
a_welcome_without_a_certificate_that_holds_is_refused_by_name(void **state)
{
    (void)state;
    const struct {
        fl_role role;
        size_t spoilt; // a byte of it; FL_CERT_BYTES: none
        fl_reason reason;
    } rows[] = { { FL_ROLE_EDGE, 100, FL_WHY_CERTIFICATE },
                 { FL_ROLE_DEVICE, FL_CERT_BYTES, FL_WHY_ROLE },
                 { FL_ROLE_EDGE, FL_CERT_BYTES, FL_WHY_NONE } };
    troop[0].mute = (uint64_t)1 << FL_HELLO;
    troop[0].member = fl_participant_new(&troop[0].conf);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_time due = fl_participant_deadline(troop[0].member);
        troop_tick(0, due > troop_world->now ? due : troop_world->now);
        uint8_t certificate[FL_CERT_BYTES + 1];
        troop_certificate(rows[i].role, "edge-a", certificate);
        certificate[rows[i].spoilt] ^= 1;
        troop_welcome(0, certificate);
        troop_settle();
        assert_int_equal(fl_participant_joined(troop[0].member), rows[i].reason == FL_WHY_NONE);
        assert_int_equal(troop[0].noted, rows[i].reason);
        troop[0].noted = FL_WHY_NONE;
    }
    assert_string_equal(troop[0].member->parent.name, "edge-a");
    assert_int_equal(troop[0].said[FL_HELLO], 3);
}

static void
the_hop_is_that_of_the_parents_role(void **state)
{
    (void)state;
    troop_join(0);
    assert_int_equal(troop[0].member->masking->conf.hop, 1);
    masked_plan plan = masked_plan_small(3);
    plan.hop = 2;
    troop_destroy();
    troop_new(&plan);
    troop_world->member[0].conf.hop = 1; // whatever the host thought
    troop_join(0);
    assert_int_equal(troop[0].member->masking->conf.hop, 2);
}

static void
another_parent_ends_what_was_masked_for_the_old_one(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        (void)s_destroy(state);
        (void)s_new(state);
        troop_begin();
        troop_train_all();
        if (sent == 1) {
            troop_settle();
        }
        troop[0].mute = (uint64_t)1 << FL_HELLO;
        fl_message refused = masked_message(troop_world, FL_REFUSED);
        refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_SEAT, .about = FL_BEAT };
        troop_hear(0, &refused);
        uint8_t certificate[FL_CERT_BYTES];
        troop_certificate(FL_ROLE_EDGE, "edge-b", certificate);
        troop_welcome(0, certificate);
        troop_settle();
        fl_verdict verdict = troop_verdict(0);
        assert_int_equal(verdict.reason, FL_WHY_MOVED);
        assert_int_equal(verdict.certain, sent == 0);
        assert_int_equal(verdict.spent, sent == 1);
        assert_int_equal(s_step_of(0), FL_CLIENT_IDLE);
        assert_string_equal(troop[0].member->parent.name, "edge-b");
        troop_next_round(2);
        troop_task(0, 1);
        assert_int_equal(troop[0].said[FL_KEYS], 2);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_members_open_the_sum_of_their_updates_and_nothing_else),
        TEST(rounds_follow_each_other),
        TEST(a_masked_contribution_says_nothing_in_the_clear),
        TEST(nor_does_a_heartbeat_tell_how_many_samples_there_are),
        TEST(a_task_that_asks_for_less_than_configured_is_declined),
        TEST(a_member_without_masks_declines_a_masked_task),
        TEST(an_unmasked_plan_whose_sums_may_wrap_is_declined_too),
        TEST(a_plan_whose_sums_may_wrap_and_a_round_before_the_mark_are_declined),
        TEST(an_update_that_may_not_be_masked_is_freed_and_the_task_declined),
        TEST(a_host_that_declines_ends_its_half_too),
        TEST(the_same_task_again_changes_nothing),
        TEST(a_new_attempt_gets_the_same_bytes),
        TEST(a_parent_that_is_not_that_far_again_does_not_end_the_offer),
        TEST(the_last_word_is_said_again_on_a_new_seat),
        TEST(what_is_not_answered_is_said_again_while_there_is_a_seat),
        TEST(a_welcome_without_a_certificate_that_holds_is_refused_by_name),
        TEST(the_hop_is_that_of_the_parents_role),
        TEST(another_parent_ends_what_was_masked_for_the_old_one),
    };
    return cmocka_run_group_tests_name("core/member_masking", tests, NULL, NULL);
}
