//  An aggregator in masked rounds, with whole members below it: what they send, who comes and goes.
#include "common/round/aggregator.h"

#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <string.h>

#include "common/round/participant_inside.h"
#include "common/secagg/client_inside.h"
#include "common/secagg/evidence.h"
#include "tests/support/messages.h"

static uint32_t loser;

// ---- uploads ----------------------------------------------------------------------------------
static void
an_upload_that_is_verified_too_late_is_not_folded(void **state)
{
    (void)state;
    flock_begin(5);
    fl_time opened = flock.now;
    flock.child[3].mute = (uint64_t)1 << FL_CONTRIB;
    flock_open(1, FL_NEVER);
    flock_pass(opened + 1000); // the others are counted
    flock.hold = FLOCK_VERIFIED;
    flock.child[3].mute = 0; // it is asked to say it again, and comes whole
    flock_pass(opened + FLOCK_WINDOW_MS - 1);
    assert_int_equal(flock.held_count, 1);
    assert_int_equal(flock.unmasks, 0);
    flock_pass(opened + FLOCK_WINDOW_MS + 100); // the survivors are told
    flock_release();
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_assert_seat(3, FL_OUT_LATE, FL_WHY_LATE);
    assert_int_equal(result.tally.recovered, 1);
    flock_end();
}

static void
bytes_that_are_not_what_was_announced_are_refused(void **state)
{
    (void)state;
    flock_begin(5);
    fl_time opened = flock.now;
    flock.hold = FLOCK_VERIFIED;
    flock_open(1, FL_NEVER);
    flock_settle();
    assert_int_equal(flock.held_count, 4); // slots
    flock.held[2].verified.ok = false;
    flock_release();
    fl_result result = flock_run();
    assert_true(flock.now - opened < 1000); // nobody waits for the one that is out
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    assert_int_equal(result.tally.refused, 1);
    assert_int_equal(result.tally.recovered, 1);
    flock_end();
}

//  An announcement of child 1 that never arrives as it was said.
static fl_message announced;
static uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];

static bool
s_catch_contrib(int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (from != 1 || message->verb != FL_CONTRIB) {
        return true;
    }
    announced = *message;
    memcpy(header, message->contrib.header.data, sizeof header);
    memcpy(psig, message->contrib.psig.data, sizeof psig);
    announced.contrib.header = fl_bytes_of(header, sizeof header);
    announced.contrib.psig = fl_bytes_of(psig, sizeof psig);
    return false;
}

static void
s_weight(fl_contrib *contrib)
{
    contrib->weight = 1;
}

static void
s_count(fl_contrib *contrib)
{
    contrib->count = 1;
}

static void
s_stat(fl_contrib *contrib)
{
    contrib->stats[FL_STAT_LOSS] = 1;
}

static void
s_shape(fl_contrib *contrib)
{
    contrib->elements++;
}

static void
s_base(fl_contrib *contrib)
{
    contrib->base.bytes[0] ^= 1;
}

static void
s_stale(fl_contrib *contrib)
{
    contrib->base_round = 1;
}

static void
s_header(fl_contrib *contrib)
{
    contrib->header = (fl_bytes){ 0 };
}

static void
s_psig(fl_contrib *contrib)
{
    (void)contrib;
    psig[7] ^= 1;
}

static void
an_announcement_that_cannot_be_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        void (*change)(fl_contrib *contrib);
        fl_reason reason;
    } rows[] = {
        { s_weight, FL_WHY_WEIGHT },    { s_count, FL_WHY_WEIGHT },   { s_stat, FL_WHY_WEIGHT },
        { s_shape, FL_WHY_SHAPE },      { s_base, FL_WHY_BASE },      { s_stale, FL_WHY_BASE },
        { s_header, FL_WHY_MALFORMED }, { s_psig, FL_WHY_SIGNATURE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        flock_begin(4);
        flock_open(1, FL_NEVER);
        (void)flock_run();
        flock_settle_round(FL_OUT_IN);
        flock.hook = s_catch_contrib;
        flock_open(2, FL_NEVER);
        flock_settle();
        fl_time opened = flock.now;
        rows[i].change(&announced.contrib);
        flock_say(1, &announced);
        flock_assert_seat(1, FL_OUT_REFUSED, rows[i].reason);
        flock_settle();
        assert_int_equal(flock.child[1].told[FL_REFUSED], 1); // once
        assert_int_equal(flock.child[1].refused.reason, rows[i].reason);
        (void)flock_run();
        assert_true(flock.now - opened < 1000); // nobody waits for it
        flock_assert_exact();
        assert_int_equal(flock_in(), 3);
        flock_end();
    }
}

// ---- who comes and goes -----------------------------------------------------------------------
static void
who_joins_after_the_open_waits_for_the_next_round(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    flock_new(&plan);
    for (uint32_t i = 0; i < 4; i++) {
        flock_join(i);
    }
    flock_settle();
    flock.child[0].idle = true;
    flock_open(1, FL_NEVER);
    flock_settle();
    flock_join(4);
    flock_pass(flock.now + 2 * FLOCK_BEAT_MS);
    flock.child[0].idle = false;
    flock_train(0);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    assert_int_equal(flock_result().tally.invited, 4);
    assert_int_equal(flock.child[4].told[FL_WELCOME], 1);
    assert_int_equal(flock.child[4].told[FL_TASK], 0);
    flock_settle_round(FL_OUT_IN);
    flock_open(2, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 5);
    flock_end();
}

static void
a_new_process_of_a_child_has_no_part_in_the_round(void **state)
{
    (void)state;
    static const fl_verb after[] = { FL_KEYS, FL_SHARES, FL_READY };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        flock_begin(5);
        flock.child[0].idle = i < 2;
        flock_open(1, FL_NEVER);
        flock_until_said(2, after[i]);
        flock_restart_child(2);
        uint32_t tasks = flock.child[2].told[FL_TASK];
        flock_settle();
        fl_message ready = { .verb = FL_READY, .run = flock.keys->task.order.run, .round = 1 };
        flock_say(2, &ready);
        flock_settle();
        assert_int_equal(flock.child[2].refused.reason, FL_WHY_UNKNOWN_ROUND);
        flock.child[0].idle = false;
        if (fl_participant_wants(flock.child[0].member)) {
            flock_train(0);
        }
        (void)flock_run();
        flock_assert_exact();
        flock_assert_seat(2, FL_OUT_ABSENT, FL_WHY_RESTART);
        assert_int_equal(flock_in(), 4);
        assert_true(flock.child[2].told[FL_TASK] <= tasks + 1); // one may have been on its way
        flock_settle_round(FL_OUT_IN);
        flock_open(2, FL_NEVER);
        (void)flock_run();
        flock_assert_exact();
        assert_int_equal(flock_in(), 5);
        flock_end();
    }
}

static void
a_new_process_of_a_child_that_was_counted_takes_nothing_back(void **state)
{
    (void)state;
    flock_begin(5);
    flock_open(1, FL_NEVER);
    flock_until_said(2, FL_ACK);
    flock_restart_child(2);
    (void)flock_run();
    flock_assert_exact();
    flock_assert_seat(2, FL_OUT_IN, FL_WHY_NONE);
    assert_int_equal(flock_in(), 5);
    flock_end();
}

static bool
s_lose_to_one(int32_t from, int32_t to, fl_message *message)
{
    (void)message;
    return from != (int32_t)loser && to != (int32_t)loser;
}

//  The same process on a new connection is told what it missed.
static void
a_child_that_reconnects_goes_on(void **state)
{
    (void)state;
    static const fl_verb at[] = { FL_KEYS, FL_SHARES, FL_READY, FL_CONTRIB, FL_ACK };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        flock_begin(4);
        loser = 1;
        flock_open(1, FL_NEVER);
        flock_until_said(1, at[i]);
        flock.hook = s_lose_to_one;
        flock_pass(flock.now + 3 * FLOCK_BEAT_MS); // it gives the connection up
        flock.hook = NULL;
        (void)flock_run();
        flock_assert_exact();
        if (flock_in() != 4) {
            fail_msg("gone after %s: %u are in", fl_verb_name(at[i]), flock_in());
        }
        flock_end();
    }
}

static void
hello_of_the_same_process_is_answered_with_what_it_missed(void **state)
{
    (void)state;
    flock_begin(4);
    flock.child[1].deaf = (uint64_t)1 << FL_ROSTER;
    flock_open(1, FL_NEVER);
    flock_settle();
    assert_int_equal(flock.child[1].told[FL_ROSTER], 0);
    flock.child[1].deaf = 0;
    fl_message hello = { .verb = FL_HELLO };
    hello.hello = (fl_hello){ .role = FL_ROLE_DEVICE, .incarnation = 1, .leaves = 1 };
    flock_say(1, &hello);
    flock_settle();
    assert_int_equal(flock.child[1].told[FL_ROSTER], 1);
    assert_int_equal(flock_in(), 4); // at once
    flock_end();
}

static bool
s_forge_shares(int32_t from, int32_t to, fl_message *message)
{
    static uint8_t sealed[MASKED_MEMBERS * FL_SEALED_SHARE_BYTES];
    (void)to;
    if (from == (int32_t)loser && message->verb == FL_SHARES) {
        memcpy(sealed, message->shares.sealed.data, message->shares.sealed.size);
        message->shares.signature[5] ^= 1;
        message->shares.sealed = fl_bytes_of(sealed, message->shares.sealed.size);
    }
    return true;
}

static void
who_was_blamed_is_left_out_of_the_next_rounds(void **state)
{
    (void)state;
    flock_begin(6);
    loser = 3;
    flock.hook = s_forge_shares;
    flock_open(1, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    flock_assert_seat(3, FL_OUT_REFUSED, FL_WHY_SIGNATURE);
    flock_settle_round(FL_OUT_IN);
    flock.hook = NULL;
    uint32_t tasks = flock.child[3].told[FL_TASK];
    flock_restart_child(3); // a new process is the same node
    flock_settle();
    for (uint64_t round = 2; round < 4; round++) {
        flock_open(round, FL_NEVER);
        fl_result result = flock_run();
        flock_assert_exact();
        assert_int_equal(flock_in(), 5);
        flock_assert_seat(3, FL_OUT_REFUSED, FL_WHY_SIGNATURE);
        assert_int_equal(result.tally.refused, 1);
        assert_int_equal(result.blocks[0].members, 5);
        flock_settle_round(FL_OUT_IN);
    }
    assert_int_equal(flock.child[3].told[FL_TASK], tasks);
    flock_destroy();
}

// ---- any word at any time ---------------------------------------------------------------------
enum { STRANGER = 200 };
static messages_letter letter;

//  Every verb of a masked round from this peer, in this round.
static void
s_say_everything(fl_peer peer, uint32_t index, uint64_t round)
{
    for (fl_verb verb = FL_KEYS; verb <= FL_UNMASK; verb++) {
        messages_sample(verb, &letter);
        letter.message.run = flock.keys->task.order.run;
        letter.message.round = round;
        fl_event event = { .kind = FL_EV_MESSAGE };
        event.message.from = peer;
        event.message.node = flock.keys->member[index].node;
        event.message.role = FL_ROLE_DEVICE;
        event.message.message = &letter.message;
        flock_step(&event);
    }
}

static void
s_everybody_says_everything(void)
{
    uint64_t round = flock.keys->task.order.round;
    for (uint32_t i = 0; i < 5; i++) {
        s_say_everything(i, i, round + 1);
        s_say_everything(i, i, round > 1 ? round - 1 : round + 1);
    }
    s_say_everything(4, 4, round); // who is in no block
    s_say_everything(STRANGER, 0, round);
    s_say_everything(STRANGER, 0, 0);
}

static void
any_word_of_anybody_is_refused_by_name_in_any_phase(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    flock_new(&plan);
    for (uint32_t i = 0; i < 4; i++) {
        flock_join(i);
    }
    flock_settle();
    s_everybody_says_everything(); // idle, no round ever
    flock.hold = FLOCK_UNMASKED;
    flock.child[0].idle = true;
    flock_open(1, FL_NEVER);
    flock_join(4);
    flock_settle();
    uint32_t told = flock.child[4].told[FL_REFUSED];
    s_everybody_says_everything(); // open
    flock_settle();
    assert_int_equal(flock.child[4].told[FL_REFUSED] - told, 3 * 10); // each once, by name
    flock_train(0);
    flock_pass(flock.now + FLOCK_BEAT_MS);
    assert_int_equal(flock.held_count, 1);
    s_everybody_says_everything(); // draining
    flock_release();
    flock_settle();
    assert_int_equal(flock_result().close, FL_CLOSE_DONE);
    s_everybody_says_everything(); // closed
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_settle_round(FL_OUT_IN);
    told = flock.child[1].told[FL_CLOSED];
    messages_sample(FL_READY, &letter);
    letter.message.run = flock.keys->task.order.run;
    letter.message.round = 1;
    flock_say(1, &letter.message); // it seems to have missed how the round ended
    flock_settle();
    assert_int_equal(flock.child[1].told[FL_CLOSED], told + 1);
    s_everybody_says_everything(); // idle
    flock_end();
}

// ---- liars ------------------------------------------------------------------------------------
//  Shares of another secret than the one that was committed to, all signed as they should be.
static bool
s_deal_another(int32_t from, int32_t to, fl_message *message)
{
    static uint8_t digests[MASKED_MEMBERS * FL_DIGESTS_BYTES];
    static uint8_t sealed[MASKED_MEMBERS * FL_SEALED_SHARE_BYTES];
    (void)to;
    if (from != (int32_t)loser || message->verb != FL_SHARES) {
        return true;
    }
    //  Its commitment is to another mask; digests and shares stay those of the real one.
    fl_block_shares *shares = &message->shares;
    memcpy(digests, shares->digests.data, shares->digests.size);
    memcpy(sealed, shares->sealed.data, shares->sealed.size);
    shares->digests = fl_bytes_of(digests, shares->digests.size);
    shares->sealed = fl_bytes_of(sealed, shares->sealed.size);
    shares->commitment.bytes[0] ^= 1;
    const fl_secagg_client *self = flock.child[loser].member->masking;
    fl_secagg_tree tree;
    uint8_t part[FL_SECAGG_PUBLIC_BYTES];
    fl_secagg_tree_fill(&tree, shares->digests);
    fl_secagg_public_part(&shares->commitment, &tree.node[1], part);
    fl_transcript_dealt_sign(self->conf.keys, &self->block.round, shares->index,
                             fl_bytes_of(part, sizeof part), shares->signature);
    return true;
}

static void
a_dealer_that_lied_spoils_one_round_of_its_block(void **state)
{
    (void)state;
    flock_begin(8);
    flock.block_max = 4;
    loser = 6;
    flock.hook = s_deal_another;
    flock_open(1, FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact(); // of the other block
    assert_int_equal(flock_in(), 4);
    assert_int_equal(result.blocks[1].reason, FL_WHY_DEALER_LIED);
    flock_assert_seat(5, FL_OUT_REFUSED, FL_WHY_DEALER_LIED);
    assert_non_null(flock.facts[1][FL_KEEP_EVIDENCE]);
    fl_name liar;
    assert_true(fl_evidence_holds(fl_blob_bytes(flock.facts[1][FL_KEEP_EVIDENCE]),
                                  &flock.keys->trust, IDENTITY_NOW, &liar));
    assert_true(fl_name_equal(&liar, &flock.keys->member[6].node));
    flock_settle_round(FL_OUT_IN);
    flock.hook = NULL;
    flock_open(2, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 7); // without the liar, and with those whom it had spoilt it for
    flock_assert_seat(6, FL_OUT_REFUSED, FL_WHY_DEALER_LIED);
    flock_end();
}

//  More than the weights of its members allow in one element: with right checksums.
static void
a_sum_that_no_honest_members_make_is_refused(void **state)
{
    (void)state;
    flock_begin(4);
    masked_member *member = &flock.keys->member[1];
    member->plain[3] = 127 * 4 * 4 + 1;
    for (uint32_t b = 0; b < flock.keys->plan.wire_bytes; b++) {
        member->wire[3 * flock.keys->plan.wire_bytes + b] =
            (uint8_t)((uint64_t)member->plain[3] >> (8 * b));
    }
    for (uint32_t i = 0; i < 4; i++) { // nobody else makes up for it
        flock.keys->member[i].weight = 1;
    }
    flock_open(1, flock.now + FLOCK_WINDOW_MS);
    fl_result result = flock_run();
    assert_int_equal(result.close, FL_CLOSE_SKIPPED);
    assert_int_equal(result.reason, FL_WHY_WEIGHT);
    flock_end();
}

// ---- pace -------------------------------------------------------------------------------------
//  Three are quick, one is slow: the quick ones wait for it, and that is not their time.
static void
waiting_for_others_does_not_lengthen_the_next_deadline(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    flock_new(&plan);
    flock.conf.window.factor_permille = 2000;
    flock.conf.window.time_min_ms = 1;
    flock_restart();
    flock_join_all();
    for (uint32_t i = 0; i < 5; i++) {
        flock.child[i].idle = true;
    }
    flock_open(1, FL_NEVER);
    fl_time opened = flock.now;
    flock_pass(opened + 400);
    for (uint32_t i = 0; i < 4; i++) {
        flock_train(i);
    }
    flock_pass(opened + 9000);
    flock_train(4);
    (void)flock_run();
    assert_int_equal(flock_in(), 5);
    flock_settle_round(FL_OUT_IN);
    flock_open(2, FL_NEVER);
    fl_time window = fl_aggregator_cutoff(flock.aggregator) - flock.now;
    assert_true(window >= 800 && window < 4000); // of 400 ms, not of 9 s
    flock_pass(flock.now + 100);
    for (uint32_t i = 0; i < 5; i++) {
        flock_train(i);
    }
    (void)flock_run();
    flock_end();
}

//  Who was away for a moment, and is tasked again, has not become quicker by that.
static void
a_second_task_of_a_round_starts_no_new_clock(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    flock_new(&plan);
    flock.conf.window.factor_permille = 2000;
    flock_restart();
    flock_join_all();
    for (uint32_t i = 0; i < 3; i++) {
        flock.child[i].idle = true;
    }
    flock_open(1, FL_NEVER);
    fl_time opened = flock.now;
    flock_pass(opened + 4000);
    for (uint32_t i = 0; i < 2; i++) {
        flock_train(i);
        flock_settle();
        fl_message leave = { .verb = FL_LEAVE, .run = flock.keys->task.order.run };
        leave.leave.reason = FL_WHY_LEFT;
        flock_say(i, &leave);
        fl_message hello = { .verb = FL_HELLO };
        hello.hello = (fl_hello){ .role = FL_ROLE_DEVICE, .incarnation = 1, .leaves = 1 };
        flock_say(i, &hello);
        assert_int_equal(flock_seat(i).outcome, FL_OUT_ABSENT); // on its way
    }
    flock_pass(opened + 6000);
    flock_train(2);
    (void)flock_run();
    assert_int_equal(flock_in(), 3);
    flock_settle_round(FL_OUT_IN);
    flock_open(2, FL_NEVER);
    assert_true(fl_aggregator_cutoff(flock.aggregator) - flock.now >= 8000);
    for (uint32_t i = 0; i < 3; i++) {
        flock_settle();
        flock_train(i);
    }
    (void)flock_run();
    flock_end();
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_upload_that_is_verified_too_late_is_not_folded),
        TEST(bytes_that_are_not_what_was_announced_are_refused),
        TEST(an_announcement_that_cannot_be_is_refused_by_name),
        TEST(who_joins_after_the_open_waits_for_the_next_round),
        TEST(a_new_process_of_a_child_has_no_part_in_the_round),
        TEST(a_new_process_of_a_child_that_was_counted_takes_nothing_back),
        TEST(a_child_that_reconnects_goes_on),
        TEST(hello_of_the_same_process_is_answered_with_what_it_missed),
        TEST(who_was_blamed_is_left_out_of_the_next_rounds),
        TEST(any_word_of_anybody_is_refused_by_name_in_any_phase),
        TEST(a_dealer_that_lied_spoils_one_round_of_its_block),
        TEST(a_sum_that_no_honest_members_make_is_refused),
        TEST(waiting_for_others_does_not_lengthen_the_next_deadline),
        TEST(a_second_task_of_a_round_starts_no_new_clock),
    };
    return cmocka_run_group_tests_name("core/cohort_masking_children", tests, NULL, NULL);
}
