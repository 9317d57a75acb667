//  What a member takes for a share or for its own key, when it may give its shares away, and what
//  is left of secrets on either side.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/secagg/server_inside.h"
#include "common/wire/codec.h"

enum { VICTIM = 1, LIAR = 2, LOST = 5, MEMBERS = 6 };

static uint8_t room[64 * 1024];
static size_t at_byte;
static fl_transcript_kind kind_of;

static bool
s_all_zero(const void *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum |= ((const uint8_t *)bytes)[i];
    }
    return sum == 0;
}

static masked_world *
s_six(masked_hook *hook)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    masked_world *world = masked_new(&plan, 5);
    world->hook = hook;
    masked_open(world);
    return world;
}

// ---- shares ----------------------------------------------------------------------------------
//  One byte of what the first dealer says to the victim.
static bool
s_flip_part(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)from;
    if (to == VICTIM && message->verb == FL_DEALT) {
        memcpy(room, message->dealt.list.data, message->dealt.list.size);
        room[at_byte] ^= 1;
        message->dealt.list.data = room;
    }
    return true;
}

//  Another share than the one whose digest is signed, well sealed.
static bool
s_seal_another(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (from == LIAR && message->verb == FL_SHARES) {
        const fl_secagg_client *liar = world->member[LIAR].machine;
        const uint8_t *key = liar->secrets->pair[VICTIM];
        uint8_t *sealed = room + (size_t)VICTIM * FL_SEALED_SHARE_BYTES;
        fl_transcript_dealt dealt;
        memcpy(room, message->shares.sealed.data, message->shares.sealed.size);
        assert_true(fl_transcript_open(&liar->block.round, key, LIAR, VICTIM, sealed, &dealt));
        (kind_of == FL_TRANSCRIPT_SELF ? &dealt.self : &dealt.pair)->bytes[4] ^= 1;
        fl_transcript_seal(&liar->block.round, key, LIAR, VICTIM, &dealt, &liar->conf.entropy,
                           sealed);
        message->shares.sealed.data = room;
    }
    return true;
}

//  The victim and the dealer of a bad share are not masked with together, and nobody is blamed.
static void
s_assert_apart(masked_hook *hook)
{
    masked_world *world = s_six(hook);
    fl_secagg_result result;
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.masked, MEMBERS - 1);
    assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
    masked_destroy(&world);
}

static void
a_share_is_good_as_it_was_signed_and_in_no_other_way(void **state)
{
    (void)state;
    static const size_t bytes[] = { 0, 32, 95, 96, 287, 288, 351, 352, 376, 455 };
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) { // commitment to tag
        at_byte = bytes[i];
        s_assert_apart(s_flip_part);
    }
    kind_of = FL_TRANSCRIPT_SELF;
    s_assert_apart(s_seal_another);
    kind_of = FL_TRANSCRIPT_PAIR;
    s_assert_apart(s_seal_another);
}

// ---- our own line ----------------------------------------------------------------------------
static size_t own_key; // where it is in a line

static bool
s_other_own_key(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)from;
    if (to == VICTIM && message->verb == FL_ROSTER) {
        uint8_t secret[FL_TRANSCRIPT_KEY_BYTES] = { 8, 9 };
        uint8_t *line = room + (size_t)VICTIM * FL_MEMBER_BYTES;
        uint8_t *epk = line + FL_CERT_BYTES, *mpk = epk + FL_TRANSCRIPT_KEY_BYTES;
        const fl_transcript_round round = {
            .run = message->run, .hop = 1, .edge = world->parent, .round = message->round
        };
        memcpy(room, message->roster.list.data, message->roster.list.size);
        fl_transcript_public_of(secret, line + own_key);
        fl_transcript_keys_sign(world->member[VICTIM].keys, &round, 0, epk, mpk,
                                mpk + FL_TRANSCRIPT_KEY_BYTES);
        message->roster.list.data = room;
    }
    return true;
}

static void
our_own_line_has_both_keys_that_we_said(void **state)
{
    (void)state;
    for (size_t key = 0; key < 2; key++) {
        fl_secagg_outcome how;
        own_key = FL_CERT_BYTES + key * FL_TRANSCRIPT_KEY_BYTES;
        masked_world *world = s_six(s_other_own_key);
        (void)masked_run(world);
        assert_true(fl_secagg_client_outcome(world->member[VICTIM].machine, &how));
        assert_int_equal(how.reason, FL_WHY_KEY);
        masked_destroy(&world);
    }
}

// ---- before a share leaves -------------------------------------------------------------------
static fl_blob *acks;

static bool
s_keep_back_acks(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)from;
    if (to == VICTIM && message->verb == FL_ACKS) {
        acks = fl_encode(message, 0);
        return false;
    }
    return true;
}

static uint32_t
s_said(const masked_world *world, fl_verb verb)
{
    uint32_t said = 0;
    for (uint32_t i = 0; i < fl_outbox_count(world->out); i++) {
        const fl_effect *effect = fl_outbox_at(world->out, i);
        said += effect->kind == FL_FX_SEND && effect->send.message.verb == verb;
    }
    return said;
}

static void
no_share_leaves_before_the_mark_is_kept_and_once_only(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        masked_world *world = s_six(s_keep_back_acks);
        fl_secagg_client *victim = world->member[VICTIM].machine;
        fl_message word;
        (void)masked_settle(world);
        assert_non_null(acks);
        assert_int_equal(fl_decode(fl_blob_bytes(acks), 0, &word).code, FL_CODEC_OK);
        assert_false(masked_saved(world, VICTIM, 0, true)); // nothing is waited for
        assert_int_equal(fl_secagg_client_step_of(victim), FL_CLIENT_ACKED);
        fl_secagg_client_hear(victim, &word, IDENTITY_NOW, world->now, world->out);
        assert_int_equal(s_said(world, FL_UNMASK), 0);
        assert_int_equal(fl_outbox_at(world->out, 0)->kind, FL_FX_KEEP);
        uint64_t token = fl_outbox_at(world->out, 0)->token;
        assert_false(masked_saved(world, VICTIM, token - 1, true)); // of something before
        assert_int_equal(s_said(world, FL_UNMASK), 0);
        assert_true(masked_saved(world, VICTIM, token, kept == 1));
        assert_int_equal(s_said(world, FL_UNMASK), kept);
        assert_int_equal(s_said(world, FL_REFUSED), 1 - kept);
        assert_true(s_all_zero(victim->secrets, sizeof *victim->secrets)); // of either end
        fl_blob_unref(&acks);
        fl_outbox_reset(world->out);
        masked_destroy(&world);
    }
}

//  Own and two others: the own one counts once.
static bool
s_three_acks(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)from;
    if (to == VICTIM && message->verb == FL_ACKS) {
        message->acks.set = 7;
        message->acks.list.size = (size_t)3 * FL_SIGN_BYTES;
    }
    return true;
}

static void
our_own_acknowledgement_counts_once(void **state)
{
    (void)state;
    fl_secagg_outcome how;
    masked_world *world = s_six(s_three_acks);
    (void)masked_run(world);
    (void)masked_settle(world);
    assert_true(fl_secagg_client_outcome(world->member[VICTIM].machine, &how));
    assert_true(how.burnt);
    assert_int_equal(how.reason, FL_WHY_TOO_FEW_ACKS);
    masked_destroy(&world);
}

//  What was masked is remembered with its run: in the same run it is not masked again, in another
//  run the updates are other ones, unless they are pinned.
static void
s_open_again_elsewhere(bool pin, fl_reason wanted)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.pin = pin;
    masked_world *world = masked_new(&plan, 5);
    masked_next_round(world, 5, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_next_round(world, 6, true);
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_ROSTER_TOO_SMALL);
    world->run = 1;
    masked_next_round(world, 3, true);
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), wanted);
    masked_destroy(&world);
}

static void
a_model_is_opened_anew_in_another_run_only(void **state)
{
    (void)state;
    s_open_again_elsewhere(false, FL_WHY_NONE);
    s_open_again_elsewhere(true, FL_WHY_ROSTER_TOO_SMALL);
}

//  Who says that all six survived while our mask is being made has no upload of ours.
static void
survivors_named_before_the_upload_end_the_round_of_the_participant(void **state)
{
    (void)state;
    masked_world *world = s_six(NULL);
    fl_secagg_client *victim = world->member[VICTIM].machine;
    fl_message word = masked_message(world, FL_MASKSET);
    word.maskset.block = 3;
    word.maskset.set = 0x3f;
    while (fl_secagg_client_step_of(victim) != FL_CLIENT_READY) {
        assert_true(masked_deliver(world));
    }
    fl_secagg_client_hear(victim, &word, IDENTITY_NOW, world->now, world->out);
    assert_true(masked_saved(world, VICTIM, fl_outbox_at(world->out, 0)->token, true));
    word = masked_message(world, FL_SURVIVORS);
    memset(room, 0, sizeof room);
    word.survivors.block = 3;
    word.survivors.set = 0x3f;
    word.survivors.list = fl_bytes_of(room, (size_t)MEMBERS * FL_SIGN_BYTES);
    fl_secagg_client_hear(victim, &word, IDENTITY_NOW, world->now, world->out);
    fl_secagg_outcome how;
    assert_true(fl_secagg_client_outcome(victim, &how));
    assert_int_equal(how.reason, FL_WHY_EQUIVOCATION);
    assert_int_equal(s_said(world, FL_ACK), 0);
    fl_outbox_reset(world->out);
    masked_destroy(&world);
}

// ---- certificates ----------------------------------------------------------------------------
//  A line by the keys and the serial of these numbers.
static fl_reason
s_add(fl_secagg_block *block, const masked_world *world, uint64_t key, const char *name,
      uint64_t serial, uint8_t salt)
{
    uint8_t line[FL_MEMBER_BYTES] = { 0 }, secret[FL_TRANSCRIPT_KEY_BYTES] = { salt };
    uint8_t *epk = line + FL_CERT_BYTES, *mpk = epk + FL_TRANSCRIPT_KEY_BYTES;
    fl_keys *keys = identity_keys(key);
    (void)identity_cert(world->authority, keys, FL_ROLE_DEVICE, name, serial, line);
    fl_transcript_public_of(secret, epk);
    secret[1] = 1;
    fl_transcript_public_of(secret, mpk);
    fl_transcript_keys_sign(keys, &block->round, 0, epk, mpk, mpk + FL_TRANSCRIPT_KEY_BYTES);
    fl_keys_destroy(&keys);
    return fl_secagg_block_add(block, fl_bytes_of(line, sizeof line), &world->trust, IDENTITY_NOW);
}

static void
no_name_serial_or_key_of_a_certificate_is_twice_in_a_block(void **state)
{
    (void)state;
    masked_world *world = s_six(NULL);
    fl_secagg_block block = { .round = { .hop = 1, .round = 1 } };
    assert_int_equal(s_add(&block, world, 901, "one", 51, 16), FL_WHY_NONE);
    assert_int_equal(s_add(&block, world, 902, "one", 52, 24), FL_WHY_CERTIFICATE);
    assert_int_equal(s_add(&block, world, 902, "two", 51, 24), FL_WHY_CERTIFICATE);
    assert_int_equal(s_add(&block, world, 901, "two", 52, 24), FL_WHY_CERTIFICATE);
    assert_int_equal(s_add(&block, world, 902, "two", 52, 24), FL_WHY_NONE);
    masked_destroy(&world);
}

// ---- what is left ----------------------------------------------------------------------------
static void
each_secret_of_a_member_is_gone_when_it_has_served(void **state)
{
    (void)state;
    masked_world *world = s_six(NULL);
    const fl_secagg_client *victim = world->member[VICTIM].machine;
    const fl_secagg_secrets *secrets = victim->secrets;
    while (victim->step != FL_CLIENT_DEALT) {
        assert_true(masked_deliver(world));
    }
    assert_true(s_all_zero(secrets->self_shares, sizeof secrets->self_shares));
    assert_true(s_all_zero(secrets->pair_shares, sizeof secrets->pair_shares));
    assert_false(s_all_zero(secrets->b, sizeof secrets->b));
    while (victim->step != FL_CLIENT_MASKED) {
        assert_true(masked_deliver(world));
    }
    assert_true(victim->masked); // it is answered at once here
    assert_true(s_all_zero(secrets->b, sizeof secrets->b));
    assert_true(s_all_zero(secrets->msk, sizeof secrets->msk));
    assert_true(s_all_zero(secrets->esk, sizeof secrets->esk));
    assert_true(s_all_zero(secrets->pair, sizeof secrets->pair));
    assert_true(s_all_zero(secrets->seeds, sizeof secrets->seeds));
    assert_false(s_all_zero(secrets->held, sizeof secrets->held));
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_int_equal(victim->step, FL_CLIENT_OPENED);
    assert_true(s_all_zero(secrets, sizeof *secrets));
    masked_destroy(&world);
}

static void
what_opens_a_sum_is_gone_when_the_block_ends(void **state)
{
    (void)state;
    for (int fault = 0; fault < 4; fault++) {
        masked_world *world = s_six(NULL);
        const fl_secagg_server *aggregator = world->aggregator;
        world->checksum_error = fault == 1 ? 1 : 0;
        world->unmask_fails = fault == 3 ? FL_WHY_STORAGE : FL_WHY_NONE;
        while (aggregator->openers == 0) {
            assert_true(masked_deliver(world));
        }
        assert_false(s_all_zero(aggregator->opening, MEMBERS * sizeof *aggregator->opening));
        if (fault == 2) {
            fl_secagg_server_abort(world->aggregator, FL_WHY_QUORUM, world->out);
            masked_obey(world, -1);
        }
        (void)masked_run(world);
        assert_int_equal(aggregator->result.reason, fault == 1   ? FL_WHY_CHECKSUM
                                                    : fault == 2 ? FL_WHY_QUORUM
                                                    : fault == 3 ? FL_WHY_STORAGE
                                                                 : FL_WHY_NONE);
        assert_true(s_all_zero(aggregator->opening, FL_MEMBERS_MAX * sizeof *aggregator->opening));
        assert_true(s_all_zero(aggregator->seeds, sizeof aggregator->seeds));
        masked_destroy(&world);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_is_good_as_it_was_signed_and_in_no_other_way),
        cmocka_unit_test(our_own_line_has_both_keys_that_we_said),
        cmocka_unit_test(no_share_leaves_before_the_mark_is_kept_and_once_only),
        cmocka_unit_test(our_own_acknowledgement_counts_once),
        cmocka_unit_test(a_model_is_opened_anew_in_another_run_only),
        cmocka_unit_test(survivors_named_before_the_upload_end_the_round_of_the_participant),
        cmocka_unit_test(no_name_serial_or_key_of_a_certificate_is_twice_in_a_block),
        cmocka_unit_test(each_secret_of_a_member_is_gone_when_it_has_served),
        cmocka_unit_test(what_opens_a_sum_is_gone_when_the_block_ends),
    };
    return cmocka_run_group_tests_name("core/masking_secrets", tests, NULL, NULL);
}
