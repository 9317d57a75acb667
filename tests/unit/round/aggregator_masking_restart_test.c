//  An aggregator whose process dies in the middle of a masked round, and one that gives a round up.
#include "common/round/aggregator.h"

#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <string.h>

#include "common/wire/codec.h"

//  Every content that was sent, by kind and receiver: a second one is what must not be.
static fl_blob *sent[FL_VERB_COUNT][MASKED_MEMBERS];
static uint32_t contradictions;

static bool
s_witness(int32_t from, int32_t to, fl_message *message)
{
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

static uint32_t
s_facts(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FL_BLOCKS_MAX; i++) {
        for (int what = 0; what < FL_KEEP_COUNT; what++) {
            count += flock.facts[i][what] != NULL ? 1 : 0;
        }
    }
    return count;
}

// ---- the process dies -------------------------------------------------------------------------
//  Kill after so many letters; false when the round was closed by then. `early`: children are back
//  before the round is opened again.
static bool
s_killed_after(uint32_t kill, uint32_t blocks, bool early)
{
    flock_begin(4 * blocks);
    flock.block_max = 4;
    flock.hook = s_witness;
    flock_open(1, FL_NEVER);
    fl_result result;
    for (uint32_t i = 0; i < kill && flock_deliver(); i++) {
    }
    bool running = !fl_aggregator_result(flock.aggregator, &result);
    if (running) {
        uint32_t facts = s_facts();
        flock_restart();
        if (early) {
            flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
            assert_int_equal(fl_aggregator_joined(flock.aggregator), 4 * blocks);
        }
        flock_open_again(FL_NEVER);
        result = flock_run();
        if (facts == 0 && result.close != FL_CLOSE_DONE) { // no block to come back to
            assert_true(!early || result.reason == FL_WHY_ROSTER_TOO_SMALL);
        } else if (result.close != FL_CLOSE_DONE) {
            fail_msg("killed after %u, %u facts: %s", kill, facts, fl_reason_name(result.reason));
        } else {
            flock_assert_exact();
        }
        assert_int_equal(contradictions, 0);
    }
    s_forget();
    flock_end();
    return running;
}

static void
killed_at_any_moment_it_makes_the_same_sum(void **state)
{
    (void)state;
    for (int early = 0; early < 2; early++) {
        uint32_t kill = 0;
        while (s_killed_after(kill, 1, early)) {
            kill++;
        }
        assert_true(kill > 24);
    }
}

static void
two_blocks_go_on_each_from_where_it_was(void **state)
{
    (void)state;
    uint32_t kill = 0;
    while (s_killed_after(kill, 2, kill % 2 == 0)) {
        kill += 3;
    }
    assert_true(kill > 48);
}

static void
blocks_that_were_not_yet_fixed_are_not_made_again(void **state)
{
    (void)state;
    flock_begin(8);
    flock.block_max = 4;
    for (uint32_t i = 4; i < 8; i++) {
        flock.child[i].mute = (uint64_t)1 << FL_KEYS;
    }
    flock_open(1, FL_NEVER);
    flock_settle();
    assert_int_equal(s_facts(), 5); // of the first block; the second one has no roster yet
    for (uint32_t i = 4; i < 8; i++) {
        flock.child[i].mute = 0;
    }
    flock_restart();
    flock_open_again(FL_NEVER);
    fl_result result = flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    assert_int_equal(flock.accumulators, 1);
    assert_int_equal(result.block_count, 1);
    flock_settle_round(FL_OUT_IN);
    flock_open(2, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 8);
    flock_end();
}

static void
facts_of_another_round_are_not_gone_on_with(void **state)
{
    (void)state;
    flock_begin(4);
    flock_open(1, FL_NEVER);
    (void)flock_run();
    assert_int_equal(s_facts(), 5); // it dies before it says how the round ended
    flock_restart();
    flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    flock_open(2, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_end();
}

static void
changed_facts_end_their_block_by_name(void **state)
{
    (void)state;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_MASKSET; what++) {
        flock_begin(4);
        flock_open(1, FL_NEVER);
        flock_until_told(2, FL_MASKSET);
        fl_blob *fact = fl_blob_copy(fl_blob_bytes(flock.facts[0][what]));
        fl_blob_data(fact)[what == FL_KEEP_ROSTER ? 69 + 5 : 29] ^= 1; // a certificate; the task
        fl_blob_unref(&flock.facts[0][what]);
        flock.facts[0][what] = fact;
        flock_restart();
        flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
        flock_open_again(flock.now + FLOCK_WINDOW_MS);
        fl_result result = flock_run();
        assert_int_equal(result.close, FL_CLOSE_SKIPPED);
        assert_int_equal(result.reason, FL_WHY_RESTART);
        assert_int_equal(result.block_count, 1);
        flock_end();
    }
}

static void
bytes_that_are_no_facts_are_not_looked_at(void **state)
{
    (void)state;
    static const uint8_t junk[100] = { FL_KEEP_ROSTER };
    flock_begin(4);
    flock.conf.facts = &(fl_bytes){ 0 };
    fl_bytes facts[2] = { fl_bytes_of(junk, sizeof junk), fl_bytes_of(junk, 3) };
    flock_restart();
    flock.conf.facts = facts;
    flock.conf.fact_count = 2;
    fl_aggregator_destroy(&flock.aggregator);
    flock.aggregator = fl_aggregator_new(&flock.conf);
    const fl_order *order = &flock.keys->task.order;
    fl_aggregator_model(flock.aggregator, &order->run, &order->model, order->model_bytes);
    flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    flock_open(1, FL_NEVER);
    (void)flock_run();
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_end();
}

//  Both sides of a connection die at once: whose new process has no part is found out by what it
//  says, or by its silence.
static void
a_child_that_dies_with_its_parent_is_lost_and_recovered(void **state)
{
    (void)state;
    static const fl_verb at[] = { FL_SHARES, FL_READY, FL_CONTRIB };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        flock_begin(5);
        flock_open(1, FL_NEVER);
        flock_until_said(2, at[i]);
        flock_restart();
        flock_restart_child(2);
        flock_open_again(FL_NEVER);
        fl_result result = flock_run();
        if (result.close != FL_CLOSE_DONE) {
            fail_msg("dead after %s: %s", fl_verb_name(at[i]), fl_reason_name(result.reason));
        }
        flock_assert_exact();
        assert_int_equal(flock_in(), 4);
        flock_end();
    }
}

//  What a process says that has no part in the round, and says it all the same.
static fl_message
s_uninvited(uint32_t index, fl_verb verb, uint32_t epoch)
{
    const fl_order *order = &flock.keys->task.order;
    uint64_t bytes = (uint64_t)flock.keys->plan.elements * flock.keys->plan.wire_bytes;
    fl_message message = { .verb = verb, .run = order->run, .round = order->round };
    if (verb == FL_HELLO) {
        message.hello.role = FL_ROLE_DEVICE;
        message.hello.incarnation = 4711;
        message.hello.leaves = 1;
    } else if (verb == FL_CONTRIB) {
        message.contrib.attempt = flock.attempt;
        message.contrib.seat = index;
        message.contrib.epoch = epoch;
        message.contrib.base_round = order->round;
        message.contrib.base = order->model;
        message.contrib.elements = order->elements;
        message.contrib.vector_bytes = bytes;
    } else if (verb == FL_CHUNK) {
        message.chunk.attempt = flock.attempt;
        message.chunk.seat = index;
        message.chunk.epoch = epoch;
        message.chunk.total = bytes;
    }
    return message;
}

//  It sat here before the round was opened again, and comes back as a new process while it is open.
static void
a_child_that_left_and_came_anew_has_no_part_in_a_round_that_goes_on(void **state)
{
    (void)state;
    flock_begin(5);
    flock_open(1, FL_NEVER);
    flock_until_told(2, FL_MASKSET);
    flock_restart();
    flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    fl_message leave = s_uninvited(2, FL_LEAVE, 0);
    flock.child[2].cut = true;
    flock_say(2, &leave);
    flock_open_again(FL_NEVER);
    fl_message hello = s_uninvited(2, FL_HELLO, 0), contrib = s_uninvited(2, FL_CONTRIB, 2);
    fl_message chunk = s_uninvited(2, FL_CHUNK, 2);
    flock_say(2, &hello);
    flock_say(2, &contrib);
    flock_push(2, &chunk, (uint32_t)chunk.chunk.total);
    fl_result result = flock_run();
    assert_int_equal(result.close, FL_CLOSE_DONE);
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_end();
}

static void
a_fact_says_what_it_is_of(void **state)
{
    (void)state;
    flock_begin(4);
    flock_open(7, FL_NEVER);
    (void)flock_run();
    fl_secagg_fact head;
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS; what++) {
        assert_true(fl_secagg_fact_read(fl_blob_bytes(flock.facts[0][what]), &head));
        assert_int_equal(head.what, what);
        assert_int_equal(head.block, 0);
        assert_int_equal(head.round, 7);
        assert_true(fl_run_equal(&head.run, &flock.keys->task.order.run));
    }
    fl_bytes roster = fl_blob_bytes(flock.facts[0][FL_KEEP_ROSTER]);
    fl_name names[FL_MEMBERS_MAX];
    fl_secagg_trust trust = flock.keys->trust;
    uint64_t expired = IDENTITY_NOW + 100 * (uint64_t)IDENTITY_WEEK_S; // a name is a name
    assert_int_equal(fl_secagg_fact_names(roster, &trust, IDENTITY_NOW, names), 4);
    assert_int_equal(fl_secagg_fact_names(roster, &trust, expired, names), 4);
    assert_true(fl_name_equal(&names[2], &flock.keys->member[2].node));
    fl_bytes cut = { roster.data, roster.size - 1 };
    assert_int_equal(fl_secagg_fact_names(cut, &trust, IDENTITY_NOW, names), 0);
    cut.size = 3;
    assert_int_equal(fl_secagg_fact_names(cut, &trust, IDENTITY_NOW, names), 0);
    assert_false(fl_secagg_fact_read(cut, &head));
    uint8_t other[100] = { 0 };
    memcpy(other, roster.data, sizeof other);
    other[1] = FL_BLOCKS_MAX;
    assert_false(fl_secagg_fact_read(fl_bytes_of(other, sizeof other), &head));
    other[1] = 0;
    other[0] = FL_KEEP_EVIDENCE;
    assert_false(fl_secagg_fact_read(fl_bytes_of(other, sizeof other), &head));
    flock_end();
}

//  A round of the same number in another run: its blocks are not those of ours.
static void
facts_of_another_run_are_not_gone_on_with(void **state)
{
    (void)state;
    flock_begin(4);
    flock_open(1, FL_NEVER);
    (void)flock_run();
    for (int what = FL_KEEP_ROSTER; what <= FL_KEEP_ACKS; what++) {
        uint8_t *head = fl_blob_data(flock.facts[0][what]);
        head[5] ^= 1; // of the run
        head[21] = 2; // the round
    }
    flock_restart();
    flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    assert_int_equal(fl_aggregator_joined(flock.aggregator), 4);
    flock_open(2, FL_NEVER);
    assert_int_equal(flock_run().close, FL_CLOSE_DONE);
    flock_assert_exact();
    assert_int_equal(flock_in(), 4);
    flock_end();
}

//  Keys said by the second child under the name of the first one.
static fl_message named;
static uint8_t certificate[FL_CERT_BYTES];

static bool
s_keep_back_keys(int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (from == 0 && message->verb == FL_KEYS && named.verb == FL_VERB_NONE) {
        named = *message;
        memcpy(certificate, message->keys.certificate.data, sizeof certificate);
        named.keys.certificate.data = certificate;
        return false;
    }
    return true;
}

static void
a_step_counts_for_the_seat_that_it_came_from(void **state)
{
    (void)state;
    flock_begin(5);
    named = (fl_message){ 0 };
    flock.hook = s_keep_back_keys;
    flock_open(1, FL_NEVER);
    flock_until_said(0, FL_KEYS);
    assert_int_equal(named.verb, FL_KEYS);
    fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
    event.message.from = 1;
    event.message.node = flock.keys->member[0].node;
    event.message.role = FL_ROLE_DEVICE;
    event.message.message = &named;
    flock_step(&event);
    assert_int_equal(flock_run().close, FL_CLOSE_DONE);
    flock_assert_exact();
    flock_assert_seat(1, FL_OUT_REFUSED, FL_WHY_CERTIFICATE);
    flock_end();
}

// ---- the round is given up --------------------------------------------------------------------
static void
s_abandon(fl_reason reason)
{
    fl_outbox *out = fl_outbox_new(256);
    fl_aggregator_abandon(flock.aggregator, reason, flock.now, out);
    for (uint32_t i = 0; i < fl_outbox_count(out); i++) {
        const fl_effect *effect = fl_outbox_at(out, i);
        if (effect->kind == FL_FX_SEND) {
            flock_hear(effect->send.to, &effect->send.message);
        } else if (effect->kind == FL_FX_SLOT) {
            flock_slot(effect);
        } else {
            assert_int_equal(effect->kind, FL_FX_NOTE);
        }
    }
    fl_outbox_destroy(&out);
    assert_int_equal(fl_aggregator_cutoff(flock.aggregator), FL_NEVER);
}

static void
given_up_at_any_moment_the_next_round_is_whole(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_LATE, FL_WHY_NONE };
    bool running = true;
    for (uint32_t kill = 0; running; kill++) {
        flock_begin(4);
        flock_open(1, FL_NEVER);
        fl_result result;
        for (uint32_t i = 0; i < kill && flock_deliver(); i++) {
        }
        running = !fl_aggregator_result(flock.aggregator, &result);
        s_abandon(reasons[kill % 2]);
        flock_settle();
        assert_true(fl_aggregator_idle(flock.aggregator));
        assert_true(fl_aggregator_deadline(flock.aggregator) >
                    flock.now); // of the old one nothing is due
        flock_open(2, FL_NEVER);
        (void)flock_run();
        flock_assert_exact();
        assert_int_equal(flock_in(), 4);
        flock_end();
        assert_true(kill < 200);
    }
}

static void
what_is_in_flight_is_awaited_before_the_next_round(void **state)
{
    (void)state;
    static const unsigned held[] = { FLOCK_SAVED, FLOCK_VERIFIED, FLOCK_FOLDED, FLOCK_UNMASKED };
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        flock_begin(4);
        flock_open(1, FL_NEVER);
        flock.hold = held[i];
        flock_settle();
        assert_true(flock.held_count > 0);
        s_abandon(FL_WHY_LATE);
        flock_settle();
        //  A fact may still be on its way to the disk: its answer is of no round.
        assert_int_equal(fl_aggregator_idle(flock.aggregator), held[i] == FLOCK_SAVED);
        flock_release();
        assert_true(fl_aggregator_idle(flock.aggregator));
        flock_open(2, FL_NEVER);
        (void)flock_run();
        flock_assert_exact();
        assert_int_equal(flock_in(), 4);
        flock_end();
    }
}

//  The same round once more in the same process: its members have ended it, and say so.
static void
a_round_that_was_given_up_is_not_masked_again(void **state)
{
    (void)state;
    flock_begin(4);
    flock_open(1, FL_NEVER);
    flock_until_told(1, FL_MASKSET);
    s_abandon(FL_WHY_LATE);
    flock_settle();
    fl_time opened = flock.now;
    flock_open_again(flock.now + FLOCK_WINDOW_MS);
    fl_result result = flock_run();
    assert_int_equal(result.close, FL_CLOSE_SKIPPED);
    assert_int_equal(result.reason, FL_WHY_ROSTER_TOO_SMALL);
    assert_true(flock.now - opened < 1000);
    flock_end();
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_moment_it_makes_the_same_sum),
        TEST(two_blocks_go_on_each_from_where_it_was),
        TEST(blocks_that_were_not_yet_fixed_are_not_made_again),
        TEST(facts_of_another_round_are_not_gone_on_with),
        TEST(changed_facts_end_their_block_by_name),
        TEST(bytes_that_are_no_facts_are_not_looked_at),
        TEST(a_child_that_dies_with_its_parent_is_lost_and_recovered),
        TEST(a_child_that_left_and_came_anew_has_no_part_in_a_round_that_goes_on),
        TEST(a_fact_says_what_it_is_of),
        TEST(facts_of_another_run_are_not_gone_on_with),
        TEST(a_step_counts_for_the_seat_that_it_came_from),
        TEST(given_up_at_any_moment_the_next_round_is_whole),
        TEST(what_is_in_flight_is_awaited_before_the_next_round),
        TEST(a_round_that_was_given_up_is_not_masked_again),
    };
    return cmocka_run_group_tests_name("core/cohort_masking_restart", tests, NULL, NULL);
}
