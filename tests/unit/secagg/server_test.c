//  The aggregator's half by itself: what it refuses, whom it names, and how a block ends when a
//  member lies, is silent, or the sums cannot be.
#include "common/secagg/server.h"

#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"

enum { LIAR = 2, STRANGER = 77 };

//  What the hook does to one kind of message of the liar's.
static struct {
    fl_verb verb;
    void (*change)(fl_message *message);
    bool twice; // the true one first, then the changed one
    fl_reason refused;
} trick;

static uint8_t room[64 * 1024];

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (to == LIAR && message->verb == FL_REFUSED) {
        trick.refused = message->refused.reason;
    }
    if (from != LIAR || message->verb != trick.verb || trick.change == NULL) {
        return true;
    }
    void (*change)(fl_message *) = trick.change;
    trick.change = NULL; // once
    if (trick.twice) {
        masked_post(world, from, to, message);
    }
    change(message);
    return true;
}

//  How a block of six ends when one message of the liar's was changed; a loss at uploads or not.
static fl_reason
s_end(fl_verb verb, void (*change)(fl_message *), bool twice, uint32_t lost, masked_world **left)
{
    masked_plan plan = masked_plan_small(6); // t = m_min = 4
    masked_world *world = masked_new(&plan, 5);
    memset(&trick, 0, sizeof trick);
    trick.verb = verb;
    trick.change = change;
    trick.twice = twice;
    world->hook = s_hook;
    for (uint32_t i = 0; i < lost; i++) {
        world->member[5 - i].drop = MASKED_BEFORE_UPLOAD;
    }
    masked_open(world);
    fl_reason reason = masked_run(world);
    assert_null(trick.change);
    assert_int_equal(masked_sum_exact(world), reason == FL_WHY_NONE);
    if (left != NULL) {
        *left = world;
    } else {
        masked_destroy(&world);
    }
    return reason;
}

//  The liar is named and left out, and the round goes on without it.
static void
s_assert_named(fl_verb verb, void (*change)(fl_message *), fl_reason reason)
{
    masked_world *world;
    assert_int_equal(s_end(verb, change, false, 1, &world), FL_WHY_NONE);
    assert_string_equal(world->blamed.name, world->member[LIAR].node.name);
    assert_int_equal(world->blamed_reason, reason);
    assert_int_equal(trick.refused, reason);
    uint32_t blamed = 0;
    for (uint32_t i = 0; i < world->plan.members; i++) {
        fl_secagg_seat seat = fl_secagg_server_seat(world->aggregator, i);
        blamed += seat.blamed && seat.reason == reason;
    }
    assert_int_equal(blamed, 1);
    masked_destroy(&world);
}

// ---- lies ------------------------------------------------------------------------------------
static void
s_flip_keys(fl_message *message)
{
    message->keys.signature[0] ^= 1;
}

static void
s_low_order(fl_message *message)
{
    memset(message->keys.mpk, 0, sizeof message->keys.mpk);
}

static void
s_cut_certificate(fl_message *message)
{
    memcpy(room, message->keys.certificate.data, FL_MEMBER_CERT_BYTES);
    room[40] ^= 1;
    message->keys.certificate.data = room;
}

static uint64_t made; // by another clock

static void
s_other_time(fl_message *message)
{
    fl_authority *authority = identity_authority(12); // that of the world
    fl_cert cert;
    assert_int_equal(fl_cert_prove(message->keys.certificate, fl_authority_public_of(authority),
                                   FL_ROLES_ANY, &cert),
                     FL_TRUST_OK);
    fl_cert_issue(authority, &cert, made, IDENTITY_WEEK_S, room);
    message->keys.certificate.data = room;
    fl_authority_destroy(&authority);
}

static void
s_flip_dealing(fl_message *message)
{
    message->shares.signature[5] ^= 1;
}

static void
s_own_place(fl_message *message)
{
    memcpy(room, message->shares.sealed.data, message->shares.sealed.size);
    room[LIAR * FL_SEALED_SHARE_BYTES] = 1;
    message->shares.sealed.data = room;
}

static void
s_flip_psig(fl_message *message)
{
    memcpy(room, message->contrib.psig.data, FL_SIGN_BYTES);
    room[9] ^= 1;
    message->contrib.psig.data = room;
}

static void
s_no_psig(fl_message *message)
{
    message->contrib.psig.size = 0;
}

static void
s_flip_asig(fl_message *message)
{
    message->ack.signature[63] ^= 1;
}

static void
s_flip_share(fl_message *message)
{
    memcpy(room, message->unmask.shares.data, message->unmask.shares.size);
    room[3 * FL_SHARE_BYTES] ^= 1;
    message->unmask.shares.data = room;
}

//  Whose clock is wrong is not shown.
static void
a_certificate_of_another_time_is_out_of_the_block_and_nobody_lied(void **state)
{
    (void)state;
    static const fl_reason reasons[] = { FL_WHY_EXPIRED, FL_WHY_CLOCK };
    for (uint64_t i = 0; i < 2; i++) {
        masked_world *world;
        made = IDENTITY_NOW + 4 * i * IDENTITY_WEEK_S - 2 * IDENTITY_WEEK_S;
        assert_int_equal(s_end(FL_KEYS, s_other_time, false, 1, &world), FL_WHY_NONE);
        assert_int_equal(trick.refused, reasons[i]);
        assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
        masked_destroy(&world);
    }
}

static void
a_participant_that_fails_a_check_is_named_and_left_out(void **state)
{
    (void)state;
    s_assert_named(FL_KEYS, s_flip_keys, FL_WHY_SIGNATURE);
    s_assert_named(FL_KEYS, s_low_order, FL_WHY_KEY);
    s_assert_named(FL_KEYS, s_cut_certificate, FL_WHY_CERTIFICATE);
    s_assert_named(FL_SHARES, s_flip_dealing, FL_WHY_SIGNATURE);
    s_assert_named(FL_SHARES, s_own_place, FL_WHY_SIGNATURE);
    s_assert_named(FL_CONTRIB, s_flip_psig, FL_WHY_SIGNATURE);
    s_assert_named(FL_CONTRIB, s_no_psig, FL_WHY_SIGNATURE);
    s_assert_named(FL_ACK, s_flip_asig, FL_WHY_SIGNATURE);
    s_assert_named(FL_UNMASK, s_flip_share, FL_WHY_HASH);
}

//  Keys that another member has said already: which of the two copied is not shown.
static uint8_t foreign[FL_POINT_BYTES];

static void
s_copy_keys(fl_message *message)
{
    memcpy(message->keys.mpk, foreign, sizeof foreign);
}

static void
a_copied_key_is_left_out_and_nobody_is_blamed(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    memset(&trick, 0, sizeof trick);
    masked_begin(world, 0); // speaks first
    memcpy(foreign, world->member[0].machine->mpk, sizeof foreign);
    trick.verb = FL_KEYS;
    trick.change = s_copy_keys;
    world->hook = s_hook;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_null(trick.change);
    assert_true(masked_sum_exact(world));
    assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
    assert_int_equal(trick.refused, FL_WHY_KEY);
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.survivors, 5);
    masked_destroy(&world);
}

//  Hook: its false shares first, then the true ones.
static bool
s_lie_first(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (from == LIAR && message->verb == FL_SHARES && !trick.twice) {
        fl_message lie = *message;
        trick.twice = true;
        s_flip_dealing(&lie);
        masked_post(world, from, to, &lie);
    }
    return true;
}

static void
a_blamed_participant_has_no_part_in_the_round_whatever_it_sends(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_seat seat;
    memset(&trick, 0, sizeof trick);
    world->hook = s_lie_first;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    seat = fl_secagg_server_seat(world->aggregator, LIAR);
    assert_true(seat.blamed && seat.in_roster);
    assert_false(seat.dealt || seat.masked || seat.survived);
    masked_destroy(&world);
}

static void
a_participant_that_leaves_before_the_mask_set_is_not_in_it(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_result result;
    world->member[5].drop = MASKED_BEFORE_READY; // it is waited for
    masked_open(world);
    (void)masked_settle(world);
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_WAITING_READY);
    fl_secagg_server_drop(world->aggregator, 1, FL_WHY_RESTART, world->out);
    masked_obey(world, -1);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.masked, 4);
    assert_int_equal(result.survivors, 4);
    masked_destroy(&world);
}

static void
one_bad_signature_where_every_survivor_counts(void **state)
{
    (void)state;
    assert_int_equal(s_end(FL_CONTRIB, s_flip_psig, false, 2, NULL), FL_WHY_TOO_FEW_UPLOADS);
    assert_int_equal(s_end(FL_ACK, s_flip_asig, false, 2, NULL), FL_WHY_TOO_FEW_ACKS);
    assert_int_equal(s_end(FL_UNMASK, s_flip_share, false, 2, NULL), FL_WHY_TOO_FEW_SHARES);
    assert_int_equal(s_end(FL_CONTRIB, s_flip_psig, false, 1, NULL), FL_WHY_NONE);
}

// ---- words that do not count -----------------------------------------------------------------
static void
s_foreign_index(fl_message *message)
{
    message->shares.index = 0;
}

static void
s_other_sealed(fl_message *message)
{
    memcpy(room, message->shares.sealed.data, message->shares.sealed.size);
    room[7] ^= 1;
    message->shares.sealed.data = room;
}

static void
s_cut_dealing(fl_message *message)
{
    message->shares.digests.size -= FL_DIGESTS_BYTES;
    message->shares.sealed.size -= FL_SEALED_SHARE_BYTES;
}

static void
s_stray_ready(fl_message *message)
{
    message->ready.set |= (uint64_t)1 << 60;
}

static void
s_not_even_myself(fl_message *message)
{
    message->ready.set &= ~((uint64_t)1 << LIAR);
}

static void
s_fewer_ready(fl_message *message)
{
    message->ready.set &= ~(uint64_t)1;
}

static void
s_another_block(fl_message *message)
{
    message->ready.block = 9; // the first field of every verb of a block
}

static void
s_pair_of_survivor(fl_message *message)
{
    message->unmask.self &= ~(uint64_t)1;
    message->unmask.pair |= 1;
}

static void
s_other_keys(fl_message *message)
{
    memset(message->keys.epk, 9, sizeof message->keys.epk);
}

static void
messages_that_make_no_sense_do_not_count(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        void (*change)(fl_message *message);
        bool twice;
    } words[] = {
        { FL_KEYS, s_other_keys, true },        { FL_SHARES, s_foreign_index, false },
        { FL_SHARES, s_other_sealed, true },    { FL_SHARES, s_cut_dealing, false },
        { FL_SHARES, s_another_block, false },  { FL_READY, s_stray_ready, false },
        { FL_READY, s_not_even_myself, false }, { FL_READY, s_fewer_ready, true },
        { FL_READY, s_another_block, false },   { FL_ACK, s_another_block, false },
        { FL_UNMASK, s_another_block, false },  { FL_UNMASK, s_pair_of_survivor, false },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        masked_world *world;
        assert_int_equal(s_end(words[i].verb, words[i].change, words[i].twice, 0, &world),
                         FL_WHY_NONE);
        assert_true(world->notes[FL_NOTE_MASKING_REFUSED] >= 1);
        assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
        masked_destroy(&world);
    }
}

static void
a_participant_does_not_mask_with_a_dealer_whose_share_it_lacks(void **state)
{
    (void)state;
    masked_world *world;
    assert_int_equal(s_end(FL_READY, s_fewer_ready, false, 0, &world), FL_WHY_NONE);
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.masked, 5);
    masked_destroy(&world);
}

// ---- sums that cannot be ---------------------------------------------------------------------
static void
s_flip_header(fl_message *message, size_t word)
{
    memcpy(room, message->contrib.header.data, FL_MASKED_HEADER_BYTES);
    room[8 * word] ^= 1;
    message->contrib.header.data = room;
}

static void
s_flip_weight(fl_message *message)
{
    memcpy(room, message->contrib.header.data, FL_MASKED_HEADER_BYTES);
    room[7] ^= 0x40;
    message->contrib.header.data = room;
}

static void
s_flip_count(fl_message *message)
{
    s_flip_header(message, 1);
}

static void
s_flip_checksum(fl_message *message)
{
    s_flip_header(message, 2);
}

static void
an_impossible_weight_count_or_checksum_aborts_the_block(void **state)
{
    (void)state;
    assert_int_equal(s_end(FL_CONTRIB, s_flip_weight, false, 0, NULL), FL_WHY_COUNT_MISMATCH);
    assert_int_equal(s_end(FL_CONTRIB, s_flip_count, false, 0, NULL), FL_WHY_COUNT_MISMATCH);
    assert_int_equal(s_end(FL_CONTRIB, s_flip_checksum, false, 0, NULL), FL_WHY_CHECKSUM);
}

//  Faults of an accumulator: a flipped word, a missing mask, a doubled one.
static void
the_checksum_finds_what_went_wrong_in_the_vector(void **state)
{
    (void)state;
    for (int fault = 0; fault < 3; fault++) {
        masked_plan plan = masked_plan_small(5);
        masked_world *world = masked_new(&plan, 5);
        masked_open(world);
        while (fl_secagg_server_state(world->aggregator) != FL_SERVER_OPENING) {
            assert_true(masked_deliver(world));
        }
        const uint8_t *upload = world->member[1].masked; // three bytes an element
        for (uint32_t e = 0; fault > 0 && e < plan.elements; e++) {
            uint64_t value = (uint64_t)upload[3 * e] | (uint64_t)upload[3 * e + 1] << 8 |
                             (uint64_t)upload[3 * e + 2] << 16;
            world->sum[e] += fault == 1 ? value : (uint64_t)0 - value;
        }
        world->sum[3] ^= fault == 0 ? 4 : 0;
        assert_int_equal(masked_run(world), FL_WHY_CHECKSUM);
        masked_destroy(&world);
    }
}

// ---- coming, going, being early and late -----------------------------------------------------
static void
a_block_does_not_wait_for_participants_that_left_or_refused(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    world->member[4].drop = MASKED_BEFORE_READY;
    masked_open(world);
    assert_false(masked_settle(world));
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_WAITING_READY);
    fl_secagg_server_gone(world->aggregator, STRANGER);
    fl_secagg_server_joined(world->aggregator, STRANGER, 77, world->now, world->out);
    masked_obey(world, -1);
    assert_false(masked_settle(world));
    fl_secagg_server_gone(world->aggregator, 4);
    fl_secagg_server_tick(world->aggregator, world->now, world->out);
    masked_obey(world, -1);
    assert_true(masked_settle(world)); // no deadline was needed
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

static void
a_participant_that_reconnects_gets_what_it_missed(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    masked_open(world);
    world->member[4].silent = true;
    (void)masked_settle(world);
    world->member[4].silent = false; // KEYS are there; the roster was lost
    fl_secagg_server_joined(world->aggregator, 4, 4, world->now, world->out);
    masked_obey(world, -1);
    assert_true(masked_settle(world));
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_true(result.reason == FL_WHY_NONE && result.survivors == 5);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

static void
uploads_are_taken_when_they_are_due(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(5);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_server *aggregator = world->aggregator;
    uint8_t header[FL_MASKED_HEADER_BYTES] = { 0 }, psig[FL_SIGN_BYTES] = { 0 };
    fl_contrib contrib = { .header = fl_bytes_of(header, sizeof header),
                           .psig = fl_bytes_of(psig, sizeof psig) };
    world->member[4].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    fl_reason early = fl_secagg_server_contrib(aggregator, 4, &contrib, world->out);
    assert_int_equal(early, FL_WHY_UNKNOWN_ROUND);
    assert_false(fl_secagg_server_wants(aggregator, 4));
    assert_false(masked_settle(world));
    assert_true(fl_secagg_server_wants(aggregator, 4));
    assert_false(fl_secagg_server_wants(aggregator, 0)); // has it
    assert_false(fl_secagg_server_wants(aggregator, STRANGER));
    assert_false(fl_secagg_server_uploaded(aggregator, 4, world->now, world->out)); // unannounced
    assert_false(fl_secagg_server_uploaded(aggregator, STRANGER, world->now, world->out));
    contrib.header.size = 0;
    fl_reason open = fl_secagg_server_contrib(aggregator, 4, &contrib, world->out);
    assert_int_equal(open, FL_WHY_MALFORMED);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    fl_reason late = fl_secagg_server_contrib(aggregator, 4, &contrib, world->out);
    assert_int_equal(late, FL_WHY_UNKNOWN_ROUND); // the block is over
    assert_false(fl_secagg_server_wants(aggregator, 4));
    masked_destroy(&world);
}

static void
a_fact_that_cannot_be_stored_is_never_sent(void **state)
{
    (void)state;
    for (uint32_t failing = 0; failing < 5; failing++) {
        masked_plan plan = masked_plan_small(3);
        masked_world *world = masked_new(&plan, 5);
        world->hold_saved = true;
        masked_open(world);
        for (uint32_t kept = 0; kept <= failing; kept++) {
            world->token = 0;
            while (masked_deliver(world)) {
            }
            assert_true(world->token != 0);
            masked_answer_saved(world, kept < failing);
        }
        assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_ABORTED);
        assert_int_equal(masked_run(world), FL_WHY_STORAGE);
        assert_int_equal(world->unmasks, 0);
        masked_destroy(&world);
    }
}

static void
a_block_that_is_given_up_has_its_reason(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_result result;
    assert_false(fl_secagg_server_result(world->aggregator, &result));
    fl_secagg_server_abort(world->aggregator, FL_WHY_QUORUM, world->out); // nothing to give up
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_NO_ROUND);
    masked_open(world);
    fl_secagg_server_abort(world->aggregator, FL_WHY_QUORUM, world->out);
    fl_secagg_server_abort(world->aggregator, FL_WHY_SILENT, world->out); // the first one stands
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.reason, FL_WHY_QUORUM);
    assert_true(fl_secagg_server_deadline(world->aggregator) == FL_NEVER);
    assert_string_equal(fl_secagg_state_name(FL_SERVER_WAITING_READY), "waiting-ready");
    fl_outbox_reset(world->out);
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_participant_that_fails_a_check_is_named_and_left_out),
        cmocka_unit_test(a_certificate_of_another_time_is_out_of_the_block_and_nobody_lied),
        cmocka_unit_test(a_copied_key_is_left_out_and_nobody_is_blamed),
        cmocka_unit_test(a_blamed_participant_has_no_part_in_the_round_whatever_it_sends),
        cmocka_unit_test(a_participant_that_leaves_before_the_mask_set_is_not_in_it),
        cmocka_unit_test(one_bad_signature_where_every_survivor_counts),
        cmocka_unit_test(messages_that_make_no_sense_do_not_count),
        cmocka_unit_test(a_participant_does_not_mask_with_a_dealer_whose_share_it_lacks),
        cmocka_unit_test(an_impossible_weight_count_or_checksum_aborts_the_block),
        cmocka_unit_test(the_checksum_finds_what_went_wrong_in_the_vector),
        cmocka_unit_test(a_block_does_not_wait_for_participants_that_left_or_refused),
        cmocka_unit_test(a_participant_that_reconnects_gets_what_it_missed),
        cmocka_unit_test(uploads_are_taken_when_they_are_due),
        cmocka_unit_test(a_fact_that_cannot_be_stored_is_never_sent),
        cmocka_unit_test(a_block_that_is_given_up_has_its_reason),
    };
    return cmocka_run_group_tests_name("core/masking_cohort", tests, NULL, NULL);
}
