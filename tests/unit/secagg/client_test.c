//  The member's half by itself: the parent is a hook that changes, drops or repeats what a member
//  hears. What a rule refuses burns the round by name, and leaves nothing behind.
#include "common/secagg/client.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/secagg.h"

#include <string.h>

enum { VICTIM = 1 };

//  What the hook does to one kind of message on its way to the victim.
static struct {
    fl_verb verb;
    void (*change)(fl_message *message);
    bool twice; // the true one first, then the changed one
    masked_world *world;
    fl_reason refused;
    uint32_t words[FL_VERB_COUNT]; // what the victim said
} trick;

static uint8_t room[FL_MEMBERS_MAX * FL_DEALT_BYTES];

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (from == VICTIM) {
        trick.words[message->verb]++;
        if (message->verb == FL_REFUSED) {
            trick.refused = message->refused.reason;
        }
    }
    if (to != VICTIM || message->verb != trick.verb || trick.change == NULL) {
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

//  A block of `n` in which the victim hears one changed message. Answers the victim's last word of
//  refusal; `how` is how the victim's round ended.
static fl_reason
s_trick(uint32_t n, fl_verb verb, void (*change)(fl_message *), bool twice, fl_secagg_outcome *how)
{
    masked_plan plan = masked_plan_small(n);
    masked_world *world = masked_new(&plan, 5);
    memset(&trick, 0, sizeof trick);
    memset(how, 0, sizeof *how);
    trick.world = world;
    trick.verb = verb;
    trick.change = change;
    trick.twice = twice;
    world->hook = s_hook;
    masked_open(world);
    (void)masked_run(world);
    assert_null(trick.change); // it was said
    (void)fl_secagg_client_outcome(world->member[VICTIM].machine, how);
    masked_destroy(&world);
    return trick.refused;
}

static void
s_assert_burns(fl_verb verb, void (*change)(fl_message *), bool twice, fl_reason reason)
{
    fl_secagg_outcome how;
    assert_int_equal(s_trick(6, verb, change, twice, &how), reason);
    assert_true(how.burnt);
    assert_int_equal(how.reason, reason);
    assert_int_equal(trick.words[FL_UNMASK], 0);
}

// ---- ROSTER ----------------------------------------------------------------------------------
static void
s_copy_roster(fl_message *message)
{
    memcpy(room, message->roster.list.data, message->roster.list.size);
    message->roster.list.data = room;
}

static void
s_without_me(fl_message *message)
{
    s_copy_roster(message);
    size_t size = message->roster.list.size - FL_MEMBER_BYTES;
    memmove(room + FL_MEMBER_BYTES, room + (size_t)2 * FL_MEMBER_BYTES, size - FL_MEMBER_BYTES);
    message->roster.list.size = size;
}

static void
s_first_two(fl_message *message)
{
    message->roster.list.size = (size_t)2 * FL_MEMBER_BYTES;
}

static void
s_one_twice(fl_message *message)
{
    s_copy_roster(message);
    memcpy(room, room + (size_t)2 * FL_MEMBER_BYTES, FL_MEMBER_BYTES);
}

static void
s_forged_keys(fl_message *message)
{
    s_copy_roster(message);
    room[FL_MEMBER_BYTES - 1] ^= 1;
}

static void
s_two_swapped(fl_message *message)
{
    s_copy_roster(message);
    uint8_t line[FL_MEMBER_BYTES];
    memcpy(line, room, sizeof line);
    memmove(room, room + (size_t)2 * FL_MEMBER_BYTES, sizeof line);
    memcpy(room + (size_t)2 * FL_MEMBER_BYTES, line, sizeof line);
}

//  Our name by the certificate and the keys of before a renewal, which somebody found: he would
//  sign in our place whom we take for ourselves.
static void
s_my_old_certificate(fl_message *message)
{
    s_copy_roster(message);
    uint8_t *line = room + (size_t)VICTIM * FL_MEMBER_BYTES;
    uint8_t *epk = line + FL_CERT_BYTES, *mpk = epk + FL_TRANSCRIPT_KEY_BYTES;
    const masked_member *victim = &trick.world->member[VICTIM];
    const fl_transcript_round round = { .run = message->run,
                                        .hop = victim->conf.hop,
                                        .edge = trick.world->parent,
                                        .round = message->round };
    fl_keys *old = identity_keys(4711);
    (void)identity_cert(trick.world->authority, old, FL_ROLE_DEVICE, victim->node.name, 4711, line);
    fl_transcript_keys_sign(old, &round, 0, epk, mpk, mpk + FL_TRANSCRIPT_KEY_BYTES);
    fl_keys_destroy(&old);
}

static void
a_roster_that_fails_a_check_ends_the_round_of_the_participant(void **state)
{
    (void)state;
    s_assert_burns(FL_ROSTER, s_my_old_certificate, false, FL_WHY_KEY);
    s_assert_burns(FL_ROSTER, s_without_me, false, FL_WHY_KEY);
    s_assert_burns(FL_ROSTER, s_first_two, false, FL_WHY_ROSTER_TOO_SMALL);
    s_assert_burns(FL_ROSTER, s_one_twice, false, FL_WHY_CERTIFICATE);
    s_assert_burns(FL_ROSTER, s_forged_keys, false, FL_WHY_SIGNATURE);
    s_assert_burns(FL_ROSTER, s_two_swapped, true, FL_WHY_EQUIVOCATION);
}

// ---- DEALT -----------------------------------------------------------------------------------
static void
s_one_part_more(fl_message *message, uint32_t dealer)
{
    memcpy(room, message->dealt.list.data, message->dealt.list.size);
    message->dealt.list = fl_bytes_of(room, message->dealt.list.size + FL_DEALT_BYTES);
    message->dealt.set |= (uint64_t)1 << dealer;
}

static void
s_stray_dealer(fl_message *message)
{
    s_one_part_more(message, 40);
}

static void
s_my_own_bit(fl_message *message)
{
    s_one_part_more(message, VICTIM);
}

//  One bit of the first dealer's part, at `at`.
static size_t at_bit;

static void
s_flip_part(fl_message *message)
{
    memcpy(room, message->dealt.list.data, message->dealt.list.size);
    room[at_bit / 8] ^= (uint8_t)(1 << at_bit % 8);
    message->dealt.list.data = room;
}

static void
s_swap_parts(fl_message *message)
{
    memcpy(room, message->dealt.list.data + FL_DEALT_BYTES, FL_DEALT_BYTES);
    memcpy(room + FL_DEALT_BYTES, message->dealt.list.data, FL_DEALT_BYTES);
    memcpy(room + (size_t)2 * FL_DEALT_BYTES,
           message->dealt.list.data + (size_t)2 * FL_DEALT_BYTES,
           message->dealt.list.size - (size_t)2 * FL_DEALT_BYTES);
    message->dealt.list.data = room;
}

static void
shares_that_were_touched_are_not_good(void **state)
{
    (void)state;
    fl_secagg_outcome how;
    s_assert_burns(FL_DEALT, s_stray_dealer, false, FL_WHY_MALFORMED);
    s_assert_burns(FL_DEALT, s_my_own_bit, false, FL_WHY_MALFORMED);
    static const size_t bytes[] = { 0, 32, 95, 96, 287, 288, 351, 352, 376, 455 };
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) { // commitment to tag
        at_bit = 8 * bytes[i] + i % 8;
        (void)s_trick(6, FL_DEALT, s_flip_part, false, &how);
        //  The victim or its dealer is left out of the mask set; nothing else happens.
        assert_true(!how.burnt && trick.refused == FL_WHY_NONE);
    }
    (void)s_trick(6, FL_DEALT, s_swap_parts, false, &how);
    assert_true(!how.burnt);
    at_bit = 8;
    s_assert_burns(FL_DEALT, s_flip_part, true, FL_WHY_EQUIVOCATION);
}

// ---- MASKSET ---------------------------------------------------------------------------------
static void
s_without_victim(fl_message *message)
{
    message->maskset.set &= ~((uint64_t)1 << VICTIM);
}

static void
s_stray_member(fl_message *message)
{
    message->maskset.set |= (uint64_t)1 << 6;
}

static void
s_small_maskset(fl_message *message)
{
    message->maskset.set = 7; // the quorum of 6 is 4
}

static void
s_other_maskset(fl_message *message)
{
    message->maskset.set &= ~(uint64_t)1;
}

static void
a_mask_set_is_within_what_was_found_good(void **state)
{
    (void)state;
    fl_secagg_outcome how;
    s_assert_burns(FL_MASKSET, s_stray_member, false, FL_WHY_MALFORMED);
    s_assert_burns(FL_MASKSET, s_small_maskset, false, FL_WHY_TOO_FEW_READY);
    s_assert_burns(FL_MASKSET, s_other_maskset, true, FL_WHY_EQUIVOCATION);
    assert_int_equal(s_trick(6, FL_MASKSET, s_without_victim, false, &how), FL_WHY_NONE);
    assert_true(!how.burnt && !how.spent && how.reason == FL_WHY_LATE);
    assert_int_equal(trick.words[FL_CONTRIB] + trick.words[FL_ACK] + trick.words[FL_UNMASK], 0);
}

static void
a_member_outside_what_we_found_good_is_not_masked_with(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    world->member[5].drop = MASKED_BEFORE_SHARES;
    memset(&trick, 0, sizeof trick);
    trick.verb = FL_MASKSET;
    trick.change = s_stray_member;
    world->hook = s_hook;
    masked_open(world);
    (void)masked_settle(world);
    fl_message message = masked_message(world, FL_MASKSET);
    world->now = fl_secagg_server_deadline(world->aggregator);
    fl_secagg_server_tick(world->aggregator, world->now, world->out);
    masked_obey(world, -1);
    while (fl_secagg_client_step_of(world->member[VICTIM].machine) < FL_CLIENT_READY) {
        assert_true(masked_deliver(world));
    }
    message.maskset.block = 3;
    message.maskset.set = 0x3f; // member 5 never dealt
    masked_say(world, VICTIM, &message);
    assert_int_equal(trick.refused, FL_WHY_MALFORMED);
    assert_int_equal(world->member[VICTIM].masks, 0);
    masked_destroy(&world);
}

//  DEALT to the victim is lost as long as it is to be late.
static bool
s_keep_back_dealt(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)from;
    trick.words[message->verb] += to == VICTIM;
    return to != VICTIM || message->verb != FL_DEALT || world->hook_arg == NULL;
}

static void
a_participant_that_is_not_ready_in_time_is_late_and_nothing_is_refused(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    fl_secagg_client *victim = world->member[VICTIM].machine;
    memset(&trick, 0, sizeof trick);
    world->hook = s_keep_back_dealt;
    world->hook_arg = world;
    masked_open(world);
    (void)masked_settle(world);
    world->now = fl_secagg_server_deadline(world->aggregator); // of READY
    fl_secagg_server_tick(world->aggregator, world->now, world->out);
    masked_obey(world, -1);
    while (trick.words[FL_MASKSET] == 0) {
        assert_true(masked_deliver(world));
    }
    fl_message named = masked_message(world, FL_MASKSET);
    named.maskset.block = 3;
    named.maskset.set = 0x3f;
    assert_int_equal(fl_secagg_client_step_of(victim), FL_CLIENT_DEALT);
    assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 0);
    masked_say(world, VICTIM, &named); // but it cannot be among them
    assert_int_equal(fl_secagg_client_step_of(victim), FL_CLIENT_DEALT);
    assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
    world->hook_arg = NULL;
    fl_secagg_client_again(victim, world->now, world->out);
    masked_obey(world, VICTIM);
    (void)masked_settle(world);
    fl_secagg_outcome how;
    assert_true(fl_secagg_client_outcome(victim, &how));
    assert_int_equal(how.reason, FL_WHY_LATE);
    assert_false(how.burnt || how.spent);
    assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

// ---- SURVIVORS, ACKS -------------------------------------------------------------------------
static void
s_small_survivors(fl_message *message)
{
    message->survivors.set = 7;
    message->survivors.list.size = (size_t)3 * FL_SIGN_BYTES;
}

static void
s_other_survivors(fl_message *message)
{
    message->survivors.set &= ~(uint64_t)1;
    message->survivors.list.size -= FL_SIGN_BYTES;
    message->survivors.list.data += FL_SIGN_BYTES;
}

static void
s_no_survivor(fl_message *message)
{
    message->survivors.set &= ~((uint64_t)1 << VICTIM);
    message->survivors.list.size -= FL_SIGN_BYTES;
}

static void
s_no_acks(fl_message *message)
{
    message->acks.set = 1;
    message->acks.list.size = FL_SIGN_BYTES;
}

static void
s_forged_acks(fl_message *message)
{
    memcpy(room, message->acks.list.data, message->acks.list.size);
    for (int i = 0; i < 4; i++) { // two others are left, and four are needed
        room[i * FL_SIGN_BYTES] ^= 1;
    }
    message->acks.list.data = room;
}

static void
s_swapped_acks(fl_message *message)
{
    size_t size = message->acks.list.size;
    memcpy(room, message->acks.list.data + FL_SIGN_BYTES, size - FL_SIGN_BYTES);
    memcpy(room + size - FL_SIGN_BYTES, message->acks.list.data, FL_SIGN_BYTES);
    message->acks.list.data = room;
}

static void
s_stray_acks(fl_message *message)
{
    message->acks.set = message->acks.set << 1; // bit 6 of six members
}

static void
survivors_and_acks_are_believed_only_as_signed(void **state)
{
    (void)state;
    fl_secagg_outcome how;
    s_assert_burns(FL_SURVIVORS, s_small_survivors, false, FL_WHY_TOO_FEW_UPLOADS);
    s_assert_burns(FL_SURVIVORS, s_other_survivors, true, FL_WHY_EQUIVOCATION);
    s_assert_burns(FL_ACKS, s_no_acks, false, FL_WHY_TOO_FEW_ACKS);
    s_assert_burns(FL_ACKS, s_forged_acks, false, FL_WHY_TOO_FEW_ACKS);
    s_assert_burns(FL_ACKS, s_swapped_acks, false, FL_WHY_TOO_FEW_ACKS);
    s_assert_burns(FL_ACKS, s_stray_acks, false, FL_WHY_MALFORMED);
    //  Other survivors than everybody else saw: its ack helps nobody, theirs do not help it.
    s_assert_burns(FL_SURVIVORS, s_other_survivors, false, FL_WHY_TOO_FEW_ACKS);
    assert_int_equal(s_trick(6, FL_SURVIVORS, s_no_survivor, false, &how), FL_WHY_NONE);
    assert_int_equal(trick.words[FL_ACK] + trick.words[FL_UNMASK], 0);
}

static uint64_t seen_self, seen_pair;

static bool
s_watch_unmask(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    static uint8_t psigs[FL_MEMBERS_MAX * FL_SIGN_BYTES];
    (void)world;
    if (to == VICTIM && message->verb == FL_SURVIVORS) { // members 0 and 2 swapped
        memcpy(psigs, message->survivors.list.data, message->survivors.list.size);
        memcpy(psigs, message->survivors.list.data + (size_t)2 * FL_SIGN_BYTES, FL_SIGN_BYTES);
        memcpy(psigs + (size_t)2 * FL_SIGN_BYTES, message->survivors.list.data, FL_SIGN_BYTES);
        message->survivors.list.data = psigs;
    }
    if (from == VICTIM && message->verb == FL_UNMASK) {
        seen_self = message->unmask.self;
        seen_pair = message->unmask.pair;
    }
    return true;
}

static void
a_bad_signature_gets_neither_kind_of_share(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(6);
    masked_world *world = masked_new(&plan, 5);
    world->member[5].drop = MASKED_BEFORE_UPLOAD;
    world->hook = s_watch_unmask;
    masked_open(world);
    (void)masked_run(world);
    assert_int_equal(seen_self, 0x1a); // 1, 3, 4: 0 and 2 were swapped
    assert_int_equal(seen_pair, 0x20);
    masked_destroy(&world);
}

// ---- other keys ------------------------------------------------------------------------------
static struct {
    fl_keys *keys;
    uint8_t certificate[FL_CERT_BYTES];
    bool given, shown;
} renewed;

//  Other keys before the first ROSTER; whether KEYS shows them.
static bool
s_hook_renewal(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (to == VICTIM && message->verb == FL_ROSTER && !renewed.given) {
        fl_secagg_client_renewed(world->member[VICTIM].machine, renewed.keys, renewed.certificate);
        renewed.given = true;
    }
    if (from == VICTIM && message->verb == FL_KEYS) {
        renewed.shown = memcmp(message->keys.certificate.data, renewed.certificate,
                               sizeof renewed.certificate) == 0;
    }
    return true;
}

static void
a_round_ends_with_the_keys_it_began_with_and_the_next_one_has_the_new_ones(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(4);
    masked_world *world = masked_new(&plan, 5);
    const masked_member *victim = &world->member[VICTIM];
    renewed.given = false;
    renewed.keys = identity_keys(4711);
    (void)identity_cert(world->authority, renewed.keys, victim->cert.role, victim->node.name, 4711,
                        renewed.certificate);
    world->hook = s_hook_renewal;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world) && renewed.given && !renewed.shown);
    masked_next_round(world, 2, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world) && renewed.shown);
    masked_destroy(&world);
    fl_keys_destroy(&renewed.keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_roster_that_fails_a_check_ends_the_round_of_the_participant),
        cmocka_unit_test(
            a_round_ends_with_the_keys_it_began_with_and_the_next_one_has_the_new_ones),
        cmocka_unit_test(shares_that_were_touched_are_not_good),
        cmocka_unit_test(a_mask_set_is_within_what_was_found_good),
        cmocka_unit_test(a_member_outside_what_we_found_good_is_not_masked_with),
        cmocka_unit_test(a_participant_that_is_not_ready_in_time_is_late_and_nothing_is_refused),
        cmocka_unit_test(survivors_and_acks_are_believed_only_as_signed),
        cmocka_unit_test(a_bad_signature_gets_neither_kind_of_share),
    };
    return cmocka_run_group_tests_name("core/masking_member", tests, NULL, NULL);
}
