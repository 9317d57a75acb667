//  How a member's part in a masked round ends: by a rule that was broken, by the parent's word, by
//  a newer task, by time, or for want of memory; at every stage of the task.
#include "tests/support/unit.h"

#include "tests/support/troop.h"

#include <string.h>

#include "common/secagg/client_inside.h"

//  Child 0 is looked at. The others are as far as they can be; nobody's sum is opened yet.
typedef enum stage { FETCHING, WORKING, READY, MASK_OUT, OFFERED, SENDING, SENT, STAGES } stage;

static const fl_participant_phase phases[STAGES] = {
    FL_PARTICIPANT_FETCHING, FL_PARTICIPANT_WORKING, FL_PARTICIPANT_MASKING, FL_PARTICIPANT_MASKING,
    FL_PARTICIPANT_OFFERED,  FL_PARTICIPANT_SENDING, FL_PARTICIPANT_SENT,
};

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

static void
s_grant_a_byte(void)
{
    fl_message grant = masked_message(troop_world, FL_GRANT);
    grant.grant = (fl_grant){
        .attempt = 1, .hash = troop[0].contrib.hash, .limit = 1, .chunk_bytes = FL_CHUNK_BYTES_MIN
    };
    troop_hear(0, &grant);
}

static void
s_reach(stage at)
{
    void *state = NULL;
    (void)s_destroy(&state);
    (void)s_new(&state);
    troop[0].hold_model = at == FETCHING;
    troop[0].hold_masked = at == MASK_OUT;
    troop[0].hold_grant = at == OFFERED || at == SENDING;
    troop[1].hold_grant = true;
    troop_begin();
    if (at >= READY) {
        troop_train_all();
        troop_until(0, FL_CLIENT_READY);
    }
    if (at != READY) {
        troop_settle();
    }
    if (at == SENDING) {
        s_grant_a_byte();
    }
    assert_int_equal(troop[0].member->phase, phases[at]);
    assert_int_equal(troop[0].masks, at >= MASK_OUT);
}

//  What child 0 holds is freed, its secrets are gone; only the updates of the others are left.
static void
s_nothing_left(stage at)
{
    if (at == MASK_OUT && troop[0].masked.kind == FL_EV_MASKED) {
        uint32_t before = troop_alive();
        troop_give_masked(0); // nobody waits for it
        assert_int_equal(troop_alive(), before - 1);
    }
    assert_int_equal(troop_alive(), at >= READY ? 2 : 0);
    static const fl_secagg_secrets none;
    const fl_secagg_client *half = troop[0].member->masking;
    assert_int_equal(half->step, FL_CLIENT_IDLE);
    assert_memory_equal(half->secrets, &none, sizeof none);
}

// ---- a rule is broken -------------------------------------------------------------------------
static void
s_tell_another_roster(void)
{
    static const uint8_t line[FL_MEMBER_BYTES];
    fl_message message = masked_message(troop_world, FL_ROSTER);
    message.roster.block = 3;
    message.roster.members = fl_bytes_of(line, sizeof line);
    troop_hear(0, &message);
}

static void
s_tell_another_task(void)
{
    troop_world->task.order.plan.clip = 2;
    troop_task(0, 1);
    troop_world->task.order.plan.clip = 1;
}

static void
a_broken_rule_ends_the_task_as_long_as_the_upload_is_not_whole(void **state)
{
    (void)state;
    static void (*const tell[])(void) = { s_tell_another_roster, s_tell_another_task };
    static const fl_verb about[] = { FL_ROSTER, FL_TASK };
    for (int n = 0; n < 2 * SENT; n++) {
        stage at = (stage)(n % SENT);
        s_reach(at);
        tell[n / SENT]();
        assert_int_equal(troop[0].refused.about, about[n / SENT]);
        assert_int_equal(troop[0].refused.reason, FL_WHY_EQUIVOCATION);
        fl_verdict verdict = troop_verdict(0);
        assert_int_equal(verdict.outcome, FL_OUT_REFUSED);
        assert_int_equal(verdict.reason, FL_WHY_EQUIVOCATION);
        assert_true(verdict.certain);
        assert_int_equal(verdict.spent, at >= MASK_OUT);
        s_nothing_left(at);
        uint32_t said = troop[0].said[FL_REFUSED];
        troop_task(0, 1); // over is over
        assert_int_equal(troop[0].said[FL_REFUSED], said);
        troop_task(0, 2);
        assert_int_equal(troop[0].refused.reason, FL_WHY_STALE);
        assert_int_equal(troop[0].said[FL_KEYS], 1);
    }
}

static void
after_that_only_the_parent_knows_what_became_of_it(void **state)
{
    (void)state;
    static const fl_outcome outcomes[] = { FL_OUT_IN, FL_OUT_LATE, FL_OUT_REFUSED };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        s_reach(SENT);
        s_tell_another_roster();
        assert_true(troop_no_verdict(0));
        s_nothing_left(SENT);
        assert_int_equal(fl_participant_activity(troop[0].member), FL_DOING_WAIT_CLOSE);
        fl_message grant = masked_message(troop_world, FL_GRANT);
        grant.grant = (fl_grant){ .attempt = 1, .hash = troop[0].contrib.hash, .rewind = 1 };
        troop_hear(0, &grant); // there is nothing to send again
        for (uint32_t attempt = 1; attempt <= 2; attempt++) {
            troop_task(0, attempt);
            assert_int_equal(troop[0].refused.about, FL_TASK);
            assert_int_equal(troop[0].refused.reason, FL_WHY_EQUIVOCATION);
            assert_int_equal(troop[0].said[FL_REFUSED], attempt + 1);
        }
        assert_int_equal(troop[0].said[FL_CONTRIB], 1);
        troop_close(0, outcomes[i], FL_WHY_NONE);
        fl_verdict verdict = troop_verdict(0);
        assert_int_equal(verdict.outcome, outcomes[i]);
        assert_true(verdict.spent);
        assert_int_equal(verdict.certain, outcomes[i] == FL_OUT_IN); // attempt 2 knows no better
    }
}

static void
who_is_left_out_of_the_mask_set_is_late_and_may_carry(void **state)
{
    (void)state;
    s_reach(READY);
    fl_message message = masked_message(troop_world, FL_MASKSET);
    message.maskset.block = 3;
    message.maskset.members = 7 & ~((uint64_t)1 << troop[0].member->masking->index);
    troop_hear(0, &message);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.outcome, FL_OUT_LATE);
    assert_true(verdict.certain && !verdict.spent);
    assert_int_equal(troop[0].said[FL_REFUSED], 0); // R5: it says nothing more
    s_nothing_left(READY);
}

// ---- the parent ends it -----------------------------------------------------------------------
static void
a_closed_round_ends_at_any_stage(void **state)
{
    (void)state;
    for (stage at = FETCHING; at < STAGES; at++) {
        s_reach(at);
        troop_close(0, FL_OUT_LATE, FL_WHY_TOO_FEW_UPLOADS);
        fl_verdict verdict = troop_verdict(0);
        assert_int_equal(verdict.outcome, FL_OUT_LATE);
        assert_int_equal(verdict.reason, FL_WHY_TOO_FEW_UPLOADS);
        assert_true(verdict.certain);
        assert_int_equal(verdict.spent, at >= MASK_OUT);
        s_nothing_left(at);
        assert_int_equal(troop[0].said[FL_REFUSED], 0);
    }
}

static void
a_round_after_one_that_was_spent_is_not(void **state)
{
    (void)state;
    s_reach(OFFERED);
    troop_close(0, FL_OUT_LATE, FL_WHY_LATE);
    assert_true(troop_verdict(0).spent);
    troop_next_round(2);
    troop_task(0, 1);
    troop_close(0, FL_OUT_LATE, FL_WHY_LATE);
    assert_false(troop_verdict(0).spent);
}

static void
a_newer_task_replaces_an_older_one_at_any_stage_and_its_sum_is_exact(void **state)
{
    (void)state;
    for (stage at = FETCHING; at < STAGES; at++) {
        s_reach(at);
        troop_next_round(2);
        troop[0].hold_model = troop[0].hold_grant = troop[1].hold_grant = false;
        for (uint32_t i = 0; i < 3; i++) {
            troop_task(i, 1);
        }
        fl_verdict verdict = troop_verdict(0);
        assert_int_equal(verdict.outcome, FL_OUT_LATE);
        assert_int_equal(verdict.certain, at != SENT);
        assert_int_equal(verdict.spent, at >= MASK_OUT);
        assert_int_equal(troop[0].said[FL_KEYS], 2);
        troop_train_all();
        troop_settle();
        if (at == MASK_OUT) { // the old answer is still to come: nothing is masked before it
            assert_int_equal(troop[0].masks, 1);
            assert_int_equal(s_step_of(0), FL_CLIENT_MASKED);
            troop[0].hold_masked = false;
            troop_give_masked(0);
            troop_settle();
        }
        assert_int_equal(troop[0].masks, at >= MASK_OUT ? 2 : 1);
        assert_true(masked_sum_exact(troop_world));
        assert_int_equal(troop_alive(), 3);
    }
}

static void
of_several_marks_that_wait_the_newest_counts(void **state)
{
    (void)state;
    s_reach(MASK_OUT);
    troop[0].hold_saved = true;
    fl_event second = { 0 };
    for (uint64_t round = 2; round <= 3; round++) {
        second = troop[0].saved; // of round 2, in the end
        troop_next_round(round);
        for (uint32_t i = 0; i < 3; i++) {
            troop_task(i, 1);
        }
        troop_train_all();
        troop_settle();
        assert_int_equal(troop[0].saved.kind, FL_EV_SAVED);
    }
    troop_give_saved(0);
    troop_step(0, second);
    assert_int_equal(troop[0].masks, 1);
    troop[0].hold_saved = troop[0].hold_masked = troop[1].hold_grant = false;
    troop_give_masked(0);
    assert_int_equal(troop[0].masks, 2);
    troop_task(1, 1); // its CONTRIB was not heard
    troop_settle();
    assert_true(masked_sum_exact(troop_world));
    assert_int_equal(troop_alive(), 3);
}

static void
a_step_that_the_parent_refuses_ends_our_part(void **state)
{
    (void)state;
    static const fl_verb verbs[] = { FL_KEYS, FL_SHARES, FL_READY, FL_ACK, FL_UNMASK };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        s_reach(i == 0 ? SENT : WORKING);
        fl_message refused = masked_message(troop_world, FL_REFUSED);
        refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_ROUND, .about = verbs[i] };
        troop_hear(0, &refused); // it will be that far
        refused.refused.reason = FL_WHY_SIGNATURE;
        refused.round = 2;
        troop_hear(0, &refused); // of another round
        refused.refused.about = FL_FETCH;
        refused.round = 1;
        troop_hear(0, &refused); // not of a masked one
        assert_int_not_equal(s_step_of(0), FL_CLIENT_IDLE);
        refused.refused.about = verbs[i];
        troop_hear(0, &refused);
        s_nothing_left(i == 0 ? SENT : WORKING);
        assert_int_equal(troop[0].said[FL_REFUSED], 0);
        if (i == 0) {
            assert_true(troop_no_verdict(0));
        } else {
            assert_int_equal(troop_verdict(0).reason, FL_WHY_SIGNATURE);
        }
    }
}

// ---- time -------------------------------------------------------------------------------------
static fl_time
s_until(void)
{
    return troop_world->now + TROOP_BUDGET_MS + 4 * 1000 + 2 * TROOP_BEAT_MS;
}

//  The parent is heard until then.
static void
s_pass(fl_time until)
{
    fl_message beat = masked_message(troop_world, FL_BEAT);
    beat.round = 0;
    while (troop_world->now < until) {
        fl_time next = troop_world->now + TROOP_BEAT_MS;
        troop_world->now = next < until ? next : until;
        troop_hear(0, &beat);
    }
    troop_tick(0, troop_world->now); // beats, if it is time to
    troop_tick(0, troop_world->now);
}

static void
a_round_that_takes_too_long_is_given_up(void **state)
{
    (void)state;
    troop[0].mute = (uint64_t)1 << FL_KEYS;
    troop_begin();
    fl_time until = s_until();
    s_pass(until - 1);
    assert_true(troop_no_verdict(0));
    assert_true(fl_participant_deadline(troop[0].member) <= until);
    s_pass(until);
    assert_int_equal(troop[0].refused.about, FL_TASK);
    assert_int_equal(troop[0].refused.reason, FL_WHY_SILENT);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.outcome, FL_OUT_REFUSED);
    assert_int_equal(verdict.reason, FL_WHY_SILENT);
    assert_true(verdict.certain && !verdict.spent);
    s_nothing_left(WORKING);
}

static void
without_a_seat_it_is_given_up_in_silence(void **state)
{
    (void)state;
    troop_begin();
    fl_time until = s_until();
    troop[0].mute = (uint64_t)1 << FL_HELLO;
    troop_tick(0, troop_world->now + 3 * TROOP_BEAT_MS + 1);
    assert_false(fl_participant_joined(troop[0].member));
    troop[0].member->joining.retry_at = FL_NEVER; // nothing else is due
    assert_int_equal(fl_participant_deadline(troop[0].member), until);
    troop_tick(0, until - 1);
    assert_true(troop_no_verdict(0));
    troop_tick(0, until);
    assert_int_equal(troop_verdict(0).reason, FL_WHY_SILENT);
    assert_int_equal(troop[0].said[FL_REFUSED], 0);
    s_nothing_left(WORKING);
}

static void
who_has_opened_owes_nothing_and_waits_for_the_verdict(void **state)
{
    (void)state;
    troop_begin();
    fl_time until = s_until();
    troop_train_all();
    troop_settle();
    assert_int_equal(s_step_of(0), FL_CLIENT_OPENED);
    s_pass(until);
    assert_int_equal(s_step_of(0), FL_CLIENT_IDLE);
    assert_int_equal(troop[0].said[FL_REFUSED], 0);
    assert_true(troop_no_verdict(0));
    troop_task(0, 2); // the bytes are still here
    assert_int_equal(troop[0].contrib.attempt, 2);
    troop_close(0, FL_OUT_IN, FL_WHY_NONE);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.outcome, FL_OUT_IN);
    assert_true(verdict.spent && verdict.certain);
}

static void
but_another_parent_has_no_use_for_the_bytes(void **state)
{
    (void)state;
    troop_begin();
    fl_time until = s_until();
    troop_train_all();
    troop_settle();
    s_pass(until);
    troop[0].mute = (uint64_t)1 << FL_HELLO;
    fl_message refused = masked_message(troop_world, FL_REFUSED);
    refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_SEAT, .about = FL_BEAT };
    troop_hear(0, &refused);
    uint8_t certificate[FL_CERT_BYTES];
    troop_certificate(FL_ROLE_EDGE, "edge-b", certificate);
    troop_welcome(0, certificate);
    troop_settle();
    assert_int_equal(troop_verdict(0).reason, FL_WHY_MOVED);
    assert_int_equal(troop[0].said[FL_CONTRIB], 1);
}

// ---- memory, disk -----------------------------------------------------------------------------
static void
no_memory_for_the_masked_bytes_ends_it(void **state)
{
    (void)state;
    troop_begin();
    troop[0].no_memory = true;
    troop_train_all();
    troop_settle();
    assert_int_equal(troop[0].refused.reason, FL_WHY_STORAGE);
    assert_int_equal(troop[0].said[FL_CONTRIB], 0);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.reason, FL_WHY_STORAGE);
    assert_true(verdict.spent && verdict.certain);
    s_nothing_left(OFFERED);
}

static void
a_mark_that_is_not_durable_ends_it_before_a_byte_is_masked(void **state)
{
    (void)state;
    troop_begin();
    troop[0].hold_saved = true;
    troop_train_all();
    troop_settle();
    troop[0].saved.saved.ok = false;
    troop_give_saved(0);
    fl_verdict verdict = troop_verdict(0);
    assert_int_equal(verdict.reason, FL_WHY_STORAGE);
    assert_true(!verdict.spent && verdict.certain);
    assert_int_equal(troop[0].masks, 0);
    s_nothing_left(OFFERED);
}

// ---- strangers, goodbyes, misuse --------------------------------------------------------------
static void
words_of_a_masked_round_that_are_not_ours_change_nothing(void **state)
{
    (void)state;
    s_reach(WORKING);
    fl_message message = masked_message(troop_world, FL_MASKSET);
    message.maskset.members = 7;
    message.run.bytes[0] ^= 1;
    troop_hear(0, &message); // the parent has begun another run
    assert_int_equal(troop[0].noted, FL_WHY_UNKNOWN_RUN);
    assert_int_equal(troop[0].said[FL_HELLO], 2);
    assert_int_equal(s_step_of(0), FL_CLIENT_DEALT);
    troop[2].conf.masking = NULL;
    troop_join(2);
    message.run = troop_world->task.order.run;
    troop_hear(2, &message);
    assert_int_equal(troop[2].noted, FL_WHY_MALFORMED);
}

static void
a_goodbye_wipes_its_secrets(void **state)
{
    (void)state;
    for (stage at = FETCHING; at < STAGES; at++) {
        s_reach(at);
        fl_outbox_reset(troop_out);
        fl_participant_leave(troop[0].member, FL_WHY_LEFT, troop_out);
        troop_obey(0);
        assert_int_equal(troop[0].said[FL_LEAVE], 1);
        assert_int_equal(s_step_of(0), FL_CLIENT_IDLE);
        assert_int_equal(fl_participant_deadline(troop[0].member), FL_NEVER);
    }
}

static void
s_masked_without_masks(void)
{
    troop[0].conf.masking = NULL;
    troop_join(0);
    troop_step(0, (fl_event){ .kind = FL_EV_MASKED });
}

static void
s_saved_without_masks(void)
{
    troop[0].conf.masking = NULL;
    troop_join(0);
    troop_step(0, (fl_event){ .kind = FL_EV_SAVED });
}

static void
s_masked_unasked(void)
{
    troop_begin();
    troop_step(0, (fl_event){ .kind = FL_EV_MASKED });
}

static void
s_saved_for_somebody_else(void)
{
    troop_begin();
    fl_event event = { .kind = FL_EV_SAVED };
    event.saved.token = FL_SECAGG_TOKEN_SERVER | 1;
    troop_step(0, event);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_masked_without_masks));
    assert_true(unit_dies(s_saved_without_masks));
    assert_true(unit_dies(s_masked_unasked));
    assert_true(unit_dies(s_saved_for_somebody_else));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, s_new, s_destroy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_broken_rule_ends_the_task_as_long_as_the_upload_is_not_whole),
        TEST(after_that_only_the_parent_knows_what_became_of_it),
        TEST(who_is_left_out_of_the_mask_set_is_late_and_may_carry),
        TEST(a_closed_round_ends_at_any_stage),
        TEST(a_round_after_one_that_was_spent_is_not),
        TEST(a_newer_task_replaces_an_older_one_at_any_stage_and_its_sum_is_exact),
        TEST(of_several_marks_that_wait_the_newest_counts),
        TEST(a_step_that_the_parent_refuses_ends_our_part),
        TEST(a_round_that_takes_too_long_is_given_up),
        TEST(without_a_seat_it_is_given_up_in_silence),
        TEST(who_has_opened_owes_nothing_and_waits_for_the_verdict),
        TEST(but_another_parent_has_no_use_for_the_bytes),
        TEST(no_memory_for_the_masked_bytes_ends_it),
        TEST(a_mark_that_is_not_durable_ends_it_before_a_byte_is_masked),
        TEST(words_of_a_masked_round_that_are_not_ours_change_nothing),
        TEST(a_goodbye_wipes_its_secrets),
        TEST(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests_name("core/member_masking_end", tests, NULL, NULL);
}
