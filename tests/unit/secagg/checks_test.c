//  Checks one by one: words that a single check turns away, and no other. The true word comes after
//  the false one, or before it, and the round has to be what it is without the false one.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/wire/codec.h"

enum { FIRST = 0, VICTIM = 1, LIAR = 2, LOST = 5, MEMBERS = 6 }; // t and m of six are 4

typedef enum sequence { FALSE_ALONE, FALSE_FIRST, TRUE_FIRST } sequence;

//  One word of one speaker to one hearer, and what is said beside it.
static struct {
    fl_verb verb;
    int32_t from, to;
    void (*change)(fl_message *message);
    sequence order;
    fl_reason refused;                      // the last reason that anybody gave
    uint32_t heard[MEMBERS][FL_VERB_COUNT]; // of the aggregator
    uint64_t acks;                          // set of the last ACKS
} trick;

static uint8_t room[64 * 1024];

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (message->verb == FL_REFUSED) {
        trick.refused = message->refused.reason;
    }
    if (from < 0) {
        trick.heard[to][message->verb]++;
        trick.acks = message->verb == FL_ACKS ? message->acks.set : trick.acks;
    }
    if (trick.change == NULL || message->verb != trick.verb || from != trick.from ||
        to != trick.to) {
        return true;
    }
    fl_message lie = *message;
    trick.change(&lie);
    trick.change = NULL; // once
    if (trick.order != FALSE_ALONE) {
        masked_post(world, from, to, trick.order == FALSE_FIRST ? &lie : message);
    }
    *message = trick.order == FALSE_FIRST ? *message : lie;
    return true;
}

static masked_world *
s_world(const masked_plan *plan)
{
    masked_world *world = masked_new(plan, 5);
    memset(&trick, 0, sizeof trick);
    world->hook = s_hook;
    return world;
}

static masked_world *
s_six(void)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    return s_world(&plan);
}

static void
s_lie(int32_t from, int32_t to, fl_verb verb, void (*change)(fl_message *), sequence order)
{
    trick.from = from;
    trick.to = to;
    trick.verb = verb;
    trick.change = change;
    trick.order = order;
}

static fl_bytes
s_flipped(fl_bytes list, size_t at)
{
    memcpy(room, list.data, list.size);
    room[at] ^= 1;
    return fl_bytes_of(room, list.size);
}

// ---- what a member hears ---------------------------------------------------------------------
//  A content that would do harm, of each kind.
static void
s_spoil(fl_message *message)
{
    if (message->verb == FL_ROSTER) {
        message->roster.list = s_flipped(message->roster.list, FL_MEMBER_BYTES - 1);
    } else if (message->verb == FL_DEALT) {
        message->dealt.list = s_flipped(message->dealt.list, FL_DEALT_BYTES - 1);
    } else if (message->verb == FL_MASKSET) {
        message->maskset.set &= ~(uint64_t)1;
    } else if (message->verb == FL_SURVIVORS) {
        message->survivors.list = s_flipped(message->survivors.list, 0);
    } else {
        assert_int_equal(message->verb, FL_ACKS);
        message->acks.list = s_flipped(message->acks.list, 0);
    }
}

static void
s_of_another_run(fl_message *message)
{
    s_spoil(message);
    message->run.bytes[3] ^= 1;
}

static void
s_of_another_block(fl_message *message)
{
    s_spoil(message);
    message->roster.block++; // the first member of them all
}

static void
s_assert_nothing_came_of(fl_verb verb, void (*change)(fl_message *))
{
    masked_world *world = s_six();
    fl_secagg_result result;
    s_lie(-1, VICTIM, verb, change, FALSE_FIRST);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_null(trick.change); // it was said
    assert_true(masked_sum_exact(world));
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.survivors, MEMBERS);
    assert_int_equal(trick.refused, FL_WHY_NONE);
    assert_int_equal(fl_secagg_client_step_of(world->member[VICTIM].machine), FL_CLIENT_OPENED);
    masked_destroy(&world);
}

static void
a_frame_of_another_run_or_block_is_dropped_when_it_is_the_first(void **state)
{
    (void)state;
    static const fl_verb verbs[] = { FL_ROSTER, FL_DEALT, FL_MASKSET, FL_SURVIVORS, FL_ACKS };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        s_assert_nothing_came_of(verbs[i], s_of_another_run);
        if (verbs[i] != FL_ROSTER) { // which says the block
            s_assert_nothing_came_of(verbs[i], s_of_another_block);
        }
    }
}

static void
s_as_another_block(fl_message *message)
{
    message->roster.block++;
}

static void
a_content_is_another_one_in_its_block_and_in_its_signatures(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        void (*change)(fl_message *message);
    } seconds[] = { { FL_ROSTER, s_as_another_block },
                    { FL_SURVIVORS, s_spoil },
                    { FL_ACKS, s_spoil } };
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        masked_world *world = s_six();
        fl_secagg_outcome how;
        s_lie(-1, VICTIM, seconds[i].verb, seconds[i].change, TRUE_FIRST);
        masked_open(world);
        (void)masked_run(world);
        (void)masked_settle(world);
        assert_true(fl_secagg_client_outcome(world->member[VICTIM].machine, &how));
        assert_true(how.burnt);
        assert_int_equal(how.reason, FL_WHY_EQUIVOCATION);
        masked_destroy(&world);
    }
}

static void
s_last_line_off(fl_message *message)
{
    message->roster.list.size -= FL_MEMBER_BYTES;
}

static void
s_first_four(fl_message *message)
{
    message->maskset.set = 0xf;
}

//  How the victim refuses a roster of five, or a mask set of four.
static fl_reason
s_refusal(const masked_plan *plan, fl_verb verb)
{
    masked_world *world = s_world(plan);
    fl_secagg_outcome how = { 0 };
    s_lie(-1, VICTIM, verb, verb == FL_ROSTER ? s_last_line_off : s_first_four, FALSE_ALONE);
    masked_open(world);
    (void)masked_run(world);
    assert_null(trick.change);
    (void)fl_secagg_client_outcome(world->member[VICTIM].machine, &how);
    masked_destroy(&world);
    return how.burnt ? how.reason : FL_WHY_NONE;
}

static void
each_floor_is_asked_for_by_a_member_itself(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.members_min = MEMBERS; // of the order
    assert_int_equal(s_refusal(&plan, FL_ROSTER), FL_WHY_ROSTER_TOO_SMALL);
    plan = masked_plan_small(MEMBERS);
    plan.own_members_min = MEMBERS;
    assert_int_equal(s_refusal(&plan, FL_ROSTER), FL_WHY_ROSTER_TOO_SMALL);
    plan = masked_plan_small(MEMBERS);
    plan.survivors_min = 5; // of the order
    assert_int_equal(s_refusal(&plan, FL_MASKSET), FL_WHY_TOO_FEW_READY);
    plan = masked_plan_small(MEMBERS);
    plan.own_survivors_min = 5;
    assert_int_equal(s_refusal(&plan, FL_MASKSET), FL_WHY_TOO_FEW_READY);
    plan.own_survivors_min = MEMBERS; // more than a roster of five can have
    assert_int_equal(s_refusal(&plan, FL_ROSTER), FL_WHY_ROSTER_TOO_SMALL);
}

static void
a_block_above_the_most_of_the_order_is_refused_by_every_member(void **state)
{
    (void)state;
    masked_world *world = s_six();
    world->task.order.plan.block_max = MEMBERS - 1;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_DEALT);
    assert_int_equal(trick.refused, FL_WHY_POLICY_REFUSED);
    masked_destroy(&world);
}

// ---- what a member says ----------------------------------------------------------------------
static void
s_one_self_share_less(fl_message *message)
{
    fl_block_unmask *unmask = &message->unmask;
    unmask->self &= ~(uint64_t)1;
    unmask->shares = fl_bytes_of(unmask->shares.data + FL_SHARE_WIRE_BYTES,
                                 unmask->shares.size - FL_SHARE_WIRE_BYTES);
}

static void
s_no_pair_share(fl_message *message)
{
    message->unmask.pair = 0; // of the last member
    message->unmask.shares.size -= FL_SHARE_WIRE_BYTES;
}

static void
s_a_pair_share_more(fl_message *message)
{
    fl_block_unmask *unmask = &message->unmask;
    memset(room, 7, unmask->shares.size + FL_SHARE_WIRE_BYTES);
    memcpy(room, unmask->shares.data, unmask->shares.size);
    unmask->pair |= (uint64_t)1 << LOST;
    unmask->shares = fl_bytes_of(room, unmask->shares.size + FL_SHARE_WIRE_BYTES);
}

static void
s_flip_dealing(fl_message *message)
{
    message->shares.signature[5] ^= 1;
}

static void
messages_that_only_one_check_refuses_do_not_count(void **state)
{
    (void)state;
    static const struct {
        fl_verb verb;
        void (*change)(fl_message *message);
        sequence order;
        masked_drop lost; // the last member
    } words[] = {
        { FL_UNMASK, s_one_self_share_less, FALSE_ALONE, MASKED_STAYS },
        { FL_UNMASK, s_no_pair_share, FALSE_ALONE, MASKED_BEFORE_UPLOAD },
        { FL_UNMASK, s_a_pair_share_more, FALSE_ALONE, MASKED_BEFORE_READY },
        { FL_SHARES, s_flip_dealing, TRUE_FIRST, MASKED_STAYS },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        masked_world *world = s_six();
        world->member[LOST].drop = words[i].lost;
        s_lie(LIAR, -1, words[i].verb, words[i].change, words[i].order);
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_null(trick.change);
        assert_true(masked_sum_exact(world));
        assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
        assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
        masked_destroy(&world);
    }
}

static void
s_deliver_until(masked_world *world, uint32_t index, fl_secagg_step step)
{
    while (fl_secagg_client_step_of(world->member[index].machine) != step) {
        assert_true(masked_deliver(world));
    }
}

//  Of P and not of S, with everything that it takes to sign and to open.
static void
a_lost_participant_cannot_acknowledge_or_open(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        masked_world *world = s_six();
        const fl_secagg_client *victim = world->member[VICTIM].machine;
        const fl_secagg_client *lost = world->member[LOST].machine;
        world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
        world->member[FIRST].drop = MASKED_BEFORE_ACK; // it is waited for
        masked_open(world);
        (void)masked_settle(world);
        world->now = fl_secagg_server_deadline(world->aggregator); // of uploads
        fl_secagg_server_tick(world->aggregator, world->now, world->out);
        masked_obey(world, -1);
        fl_message word = masked_message(world, opens ? FL_UNMASK : FL_ACK);
        if (opens) {
            (void)masked_settle(world);
            world->now = fl_secagg_server_deadline(world->aggregator); // of ACK
            fl_secagg_server_tick(world->aggregator, world->now, world->out);
            masked_obey(world, -1);
            s_deliver_until(world, VICTIM, FL_CLIENT_OPENED);
            word.unmask.block = 3;
            word.unmask.self = 0x1f;
            word.unmask.pair = 0x20;
            for (uint32_t i = 0; i < MEMBERS; i++) {
                const fl_transcript_dealt *held = &lost->secrets->held[i];
                memcpy(room + (size_t)i * FL_SHARE_BYTES,
                       i == LOST ? held->pair.bytes : held->self.bytes, FL_SHARE_BYTES);
            }
            word.unmask.shares = fl_bytes_of(room, (size_t)MEMBERS * FL_SHARE_BYTES);
        } else {
            s_deliver_until(world, VICTIM, FL_CLIENT_ACKED);
            word.ack.block = 3;
            fl_transcript_asig(world->member[LOST].keys, &victim->ctx, &victim->survivors_hash,
                               LOST, word.ack.signature);
        }
        masked_post(world, LOST, -1, &word);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_true(masked_sum_exact(world));
        assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
        assert_int_equal(trick.acks, 0x1e);
        masked_destroy(&world);
    }
}

static void
a_participant_that_leaves_before_its_keys_is_not_in_the_roster(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_secagg_result result;
    masked_open(world);
    fl_secagg_server_drop(world->aggregator, LIAR, FL_WHY_RESTART, world->out);
    masked_obey(world, -1);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.members, MEMBERS - 1);
    masked_destroy(&world);
}

static void
shares_for_a_roster_that_was_not_sent_are_dropped_without_blame(void **state)
{
    (void)state;
    masked_world *world = s_six();
    world->hold_saved = true;
    masked_open(world);
    (void)masked_settle(world);
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_ROSTERED);
    fl_message word = masked_message(world, FL_SHARES);
    memset(room, 0, sizeof room);
    word.shares.block = 3;
    word.shares.index = LIAR;
    word.shares.digests = fl_bytes_of(room, (size_t)MEMBERS * FL_DIGESTS_BYTES);
    word.shares.sealed = fl_bytes_of(room, (size_t)MEMBERS * FL_SEALED_SHARE_BYTES);
    masked_post(world, LIAR, -1, &word);
    assert_true(masked_deliver(world));
    assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
    assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
    masked_destroy(&world);
}

static void
the_upload_of_a_blamed_participant_is_not_accepted(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_secagg_server *aggregator = world->aggregator;
    fl_secagg_upload upload;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    (void)masked_settle(world);
    assert_true(fl_secagg_client_upload(world->member[LOST].machine, &upload));
    fl_contrib contrib = { .header = upload.header, .psig = s_flipped(upload.psig, 0) };
    assert_int_equal(fl_secagg_server_contrib(aggregator, LOST, &contrib, world->out),
                     FL_WHY_SIGNATURE);
    contrib.psig = upload.psig;
    assert_int_equal(fl_secagg_server_contrib(aggregator, LOST, &contrib, world->out),
                     FL_WHY_SIGNATURE);
    assert_false(fl_secagg_server_wants(aggregator, LOST));
    assert_int_equal(fl_secagg_server_awaits(aggregator), 0);
    assert_false(fl_secagg_server_uploaded(aggregator, LOST, world->now, world->out));
    masked_obey(world, -1);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_destroy(&world);
}

// ---- what the aggregator says, and to whom ----------------------------------------------------
static bool
s_keep_upload(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    return s_hook(world, from, to, message) && (from != LIAR || message->verb != FL_CONTRIB);
}

static void
s_without_first(fl_message *message)
{
    message->ready.set &= ~(uint64_t)1;
}

static void
a_participant_outside_a_set_gets_no_message_about_it(void **state)
{
    (void)state;
    masked_world *world = s_six();
    s_lie(VICTIM, -1, FL_READY, s_without_first, FALSE_ALONE); // one of the two is not in P
    world->hook = s_keep_upload;                               // and the liar is not in S
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_int_equal(trick.heard[FIRST][FL_MASKSET], 1);
    assert_int_equal(trick.heard[FIRST][FL_SURVIVORS], 0);
    assert_int_equal(trick.heard[LIAR][FL_SURVIVORS], 1);
    assert_int_equal(trick.heard[LIAR][FL_ACKS], 0);
    assert_int_equal(trick.heard[VICTIM][FL_ACKS], 1);
    masked_destroy(&world);
}

static void
a_roster_is_judged_anew_after_a_restart(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_secagg_result result;
    masked_open(world);
    while (world->facts[FL_KEEP_ROSTER] == NULL) {
        assert_true(masked_deliver(world));
    }
    const masked_member *revoked = &world->member[LIAR];
    assert_int_equal(fl_deny_list_add(world->deny, &revoked->node, revoked->cert.serial), FL_OK);
    assert_false(masked_restart_cohort(world));
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.reason, FL_WHY_RESTART);
    masked_destroy(&world);
}

static fl_blob *kept_back;

static bool
s_keep_back_the_fourth(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    (void)world;
    (void)to;
    if (message->verb == FL_UNMASK && from >= 3) {
        kept_back = from == 3 ? fl_encode(message, 0) : kept_back;
        return false;
    }
    return true;
}

static void
an_answer_about_another_block_is_not_taken_for_ours(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_message word;
    world->hook = s_keep_back_the_fourth;
    masked_open(world);
    assert_false(masked_settle(world));
    assert_non_null(kept_back);
    assert_int_equal(fl_decode(fl_blob_bytes(kept_back), 0, &word).code, FL_CODEC_OK);
    fl_event event = { .kind = FL_EV_MESSAGE, .wall_s = IDENTITY_NOW };
    event.message.from = 3;
    event.message.node = world->member[3].node;
    event.message.message = &word;
    fl_secagg_server_hear(world->aggregator, event.message.from, &event, world->now, world->out);
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_SUMMING);
    fl_event other = { .kind = FL_EV_UNMASKED };
    other.token = 4; // of another block
    assert_false(fl_secagg_server_answer(world->aggregator, &other, world->now, world->out));
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_SUMMING);
    masked_obey(world, -1); // the true one
    assert_true(masked_sum_exact(world));
    fl_blob_unref(&kept_back);
    masked_destroy(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_of_another_run_or_block_is_dropped_when_it_is_the_first),
        cmocka_unit_test(a_content_is_another_one_in_its_block_and_in_its_signatures),
        cmocka_unit_test(each_floor_is_asked_for_by_a_member_itself),
        cmocka_unit_test(a_block_above_the_most_of_the_order_is_refused_by_every_member),
        cmocka_unit_test(messages_that_only_one_check_refuses_do_not_count),
        cmocka_unit_test(a_lost_participant_cannot_acknowledge_or_open),
        cmocka_unit_test(a_participant_that_leaves_before_its_keys_is_not_in_the_roster),
        cmocka_unit_test(shares_for_a_roster_that_was_not_sent_are_dropped_without_blame),
        cmocka_unit_test(the_upload_of_a_blamed_participant_is_not_accepted),
        cmocka_unit_test(a_participant_outside_a_set_gets_no_message_about_it),
        cmocka_unit_test(a_roster_is_judged_anew_after_a_restart),
        cmocka_unit_test(an_answer_about_another_block_is_not_taken_for_ours),
    };
    return cmocka_run_group_tests_name("core/masking_checks", tests, NULL, NULL);
}
