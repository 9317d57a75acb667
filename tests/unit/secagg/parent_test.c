//  The aggregator's half against what is almost right: words that come too late, twice or in
//  somebody else's name, and sums that are almost possible.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/wire/codec.h"

enum { FIRST = 0, VICTIM = 1, LIAR = 2, LOST = 5, MEMBERS = 6 }; // t and m of six are 4

static uint8_t room[64 * 1024];

static struct {
    int32_t from; // whose word of this verb is kept back, once, ...
    fl_verb verb;
    fl_blob *kept;
    void (*change)(fl_message *message); // ... or changed, if there is a change,
    bool again;                          // and said as it was after that, too
    uint64_t take, count;                // off the weight, and the count, of the first upload
} trick;

static bool
s_hook(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (message->verb == FL_CONTRIB && from == FIRST && trick.take + trick.count > 0) {
        memcpy(room, message->contrib.header.data, FL_MASKED_HEADER_BYTES);
        fl_secagg_sums less = { .weight = (uint64_t)0 - trick.take,
                                .count = (uint64_t)0 - trick.count };
        fl_secagg_header_add(&less, room);
        fl_secagg_header_encode(&less, room);
        message->contrib.header.data = room;
        return true;
    }
    if (from != trick.from || message->verb != trick.verb) {
        return true;
    }
    if (trick.change == NULL) {
        bool first = trick.kept == NULL;
        trick.kept = first ? fl_encode(message, 0) : trick.kept;
        return !first;
    }
    fl_message lie = *message;
    trick.change(&lie);
    trick.change = NULL;
    trick.from = -2; // once
    if (trick.again) {
        masked_post(world, from, to, &lie);
    } else {
        *message = lie;
    }
    return true;
}

static masked_world *
s_world(const masked_plan *plan)
{
    masked_world *world = masked_new(plan, 5);
    memset(&trick, 0, sizeof trick);
    trick.from = -2;
    world->hook = s_hook;
    return world;
}

static masked_world *
s_six(void)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    return s_world(&plan);
}

static fl_secagg_result
s_result(const masked_world *world)
{
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    return result;
}

//  What was kept back comes now.
static void
s_let_go(masked_world *world, int32_t from)
{
    fl_message word;
    assert_non_null(trick.kept);
    assert_int_equal(fl_decode(fl_blob_bytes(trick.kept), 0, &word).code, FL_CODEC_OK);
    masked_post(world, from, -1, &word);
    fl_blob_unref(&trick.kept);
    trick.from = -2;
}

static void
s_pass_deadline(masked_world *world)
{
    world->now = fl_secagg_server_deadline(world->aggregator);
    fl_secagg_server_tick(world->aggregator, world->now, world->out);
    masked_obey(world, -1);
}

// ---- in somebody else's name, too late, twice --------------------------------------------------
static void
keys_sent_in_anothers_name_blame_their_sender(void **state)
{
    (void)state;
    masked_world *world = s_six();
    trick.from = FIRST;
    trick.verb = FL_KEYS;
    masked_begin(world, FIRST); // its keys are kept back, and the liar says them first
    s_let_go(world, LIAR);
    masked_open(world);
    (void)masked_settle(world);
    fl_secagg_client_again(world->member[FIRST].machine, world->now, world->out);
    masked_obey(world, FIRST);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    assert_int_equal(s_result(world).members, MEMBERS - 1);
    assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 1);
    assert_int_equal(world->blamed_reason, FL_WHY_CERTIFICATE);
    assert_string_equal(world->blamed.name, world->member[LIAR].node.name);
    masked_destroy(&world);
}

static void
keys_and_shares_that_come_late_are_in_nothing(void **state)
{
    (void)state;
    for (int shares = 0; shares < 2; shares++) {
        masked_world *world = s_six();
        trick.from = LOST;
        trick.verb = shares ? FL_SHARES : FL_KEYS;
        masked_open(world);
        (void)masked_settle(world);
        s_pass_deadline(world);
        s_let_go(world, LOST);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_true(masked_sum_exact(world));
        assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
        assert_int_equal(s_result(world).members, shares ? MEMBERS : MEMBERS - 1);
        assert_int_equal(s_result(world).masked, MEMBERS - 1);
        assert_false(fl_secagg_server_seat(world->aggregator, LOST).dealt);
        masked_destroy(&world);
    }
}

static void
s_as_it_is(fl_message *message)
{
    assert_int_equal(message->verb, FL_UNMASK);
}

static void
s_flip_share(fl_message *message)
{
    memcpy(room, message->unmask.shares.data, message->unmask.shares.size);
    room[3 * FL_SHARE_BYTES] ^= 1;
    message->unmask.shares.data = room;
}

static void
a_member_opens_once_and_not_after_a_lie(void **state)
{
    (void)state;
    masked_world *world = s_six();
    trick.from = LIAR;
    trick.verb = FL_UNMASK;
    trick.change = s_as_it_is;
    trick.again = true;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE); // twice the same share rebuilds nothing
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
    world = s_six();
    trick.from = LIAR;
    trick.verb = FL_UNMASK;
    trick.change = s_flip_share;
    trick.again = true;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    world->member[LOST - 1].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_SHARES);
    masked_destroy(&world);
}

static void
s_another_run(fl_message *message)
{
    message->run.bytes[5] ^= 1;
}

static void
s_another_round(fl_message *message)
{
    message->round++;
}

static void
keys_of_another_run_or_round_are_dropped(void **state)
{
    (void)state;
    void (*const changes[])(fl_message *) = { s_another_run, s_another_round };
    for (size_t i = 0; i < 2; i++) {
        masked_world *world = s_six();
        trick.from = LIAR;
        trick.verb = FL_KEYS;
        trick.change = changes[i];
        masked_open(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_int_equal(s_result(world).members, MEMBERS - 1);
        masked_destroy(&world);
    }
}

// ---- the sets --------------------------------------------------------------------------------
static void
s_without_two(fl_message *message)
{
    message->ready.set &= ~(uint64_t)0x9; // the first and the fourth
}

static void
the_participant_that_lacks_most_shares_is_left_out_alone(void **state)
{
    (void)state;
    masked_world *world = s_six();
    uint8_t header[FL_MASKED_HEADER_BYTES] = { 0 }, psig[FL_SIGN_BYTES] = { 0 };
    fl_contrib contrib = { .header = fl_bytes_of(header, sizeof header),
                           .psig = fl_bytes_of(psig, sizeof psig) };
    trick.from = VICTIM;
    trick.verb = FL_READY;
    trick.change = s_without_two;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD; // it is waited for
    masked_open(world);
    assert_false(masked_settle(world));
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_COLLECTING);
    assert_int_equal(fl_secagg_server_contrib(world->aggregator, VICTIM, &contrib, world->out),
                     FL_WHY_LATE);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_int_equal(s_result(world).masked, MEMBERS - 1);
    assert_int_equal(s_result(world).survivors, MEMBERS - 2);
    masked_destroy(&world);
}

static void
s_who_did_not_deal(fl_message *message)
{
    message->ready.set |= (uint64_t)1 << LOST;
}

static void
shares_of_a_dealer_that_sent_none_cannot_be_claimed(void **state)
{
    (void)state;
    masked_world *world = s_six();
    trick.from = LIAR;
    trick.verb = FL_READY;
    trick.change = s_who_did_not_deal;
    world->member[LOST].drop = MASKED_BEFORE_SHARES;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_int_equal(world->notes[FL_NOTE_MASKING_REFUSED], 1);
    assert_int_equal(s_result(world).masked, MEMBERS - 2);
    masked_destroy(&world);
}

static void
a_header_is_not_replaced_once_its_upload_counts(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_secagg_upload upload;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    (void)masked_settle(world);
    assert_true(fl_secagg_client_upload(world->member[FIRST].machine, &upload));
    memset(room, 3, FL_MASKED_HEADER_BYTES);
    fl_contrib contrib = { .header = fl_bytes_of(room, FL_MASKED_HEADER_BYTES),
                           .psig = upload.psig };
    assert_int_equal(fl_secagg_server_contrib(world->aggregator, FIRST, &contrib, world->out),
                     FL_WHY_NONE);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

static void
an_upload_after_the_survivors_are_fixed_is_late_whatever_it_is(void **state)
{
    (void)state;
    masked_world *world = s_six();
    fl_secagg_upload upload;
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    world->member[FIRST].drop = MASKED_BEFORE_ACK; // it is waited for
    masked_open(world);
    (void)masked_settle(world);
    s_pass_deadline(world);
    (void)masked_settle(world);
    assert_int_equal(fl_secagg_server_state(world->aggregator), FL_SERVER_ACKING);
    assert_true(fl_secagg_client_upload(world->member[LOST].machine, &upload));
    fl_contrib contrib = { .header = upload.header, .psig = upload.psig };
    assert_int_equal(fl_secagg_server_contrib(world->aggregator, LOST, &contrib, world->out),
                     FL_WHY_LATE);
    assert_false(fl_secagg_server_wants(world->aggregator, LOST));
    assert_int_equal(fl_secagg_server_awaits(world->aggregator), 0);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    masked_destroy(&world);
}

// ---- a parent that was restored from a backup ------------------------------------------------
static void
a_round_that_its_members_had_long_ago_is_not_the_rosters_fault(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(3);
    masked_world *world = s_world(&plan);
    masked_next_round(world, 7, false);
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    masked_next_round(world, 3, false);
    masked_invite(world);
    for (int32_t i = 0; i < 3; i++) {
        fl_message refused = masked_message(world, FL_REFUSED);
        refused.refused.about = FL_TASK;
        refused.refused.reason =
            fl_secagg_client_begin(world->member[i].machine, &world->task, &world->parent,
                                   world->now + 1000, world->now, world->out);
        assert_int_equal(refused.refused.reason, FL_WHY_RESTORED);
        masked_post(world, i, -1, &refused);
    }
    assert_int_equal(masked_run(world), FL_WHY_RESTORED);
    masked_destroy(&world);
}

// ---- numbers ---------------------------------------------------------------------------------
static void
each_floor_of_the_order_is_kept_by_the_aggregator(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.members_min = MEMBERS;
    masked_world *world = s_world(&plan);
    world->member[LOST].drop = MASKED_BEFORE_KEYS;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_ROSTER_TOO_SMALL);
    masked_destroy(&world);
    plan = masked_plan_small(MEMBERS);
    plan.survivors_min = MEMBERS;
    world = s_world(&plan);
    world->member[LOST].drop = MASKED_BEFORE_KEYS;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_ROSTER_TOO_SMALL);
    masked_destroy(&world);
    world = s_world(&plan);
    world->member[LOST].drop = MASKED_BEFORE_UPLOAD;
    masked_open(world);
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_UPLOADS);
    masked_destroy(&world);
}

static void
the_floor_of_survivors_is_kept_after_a_restart(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.survivors_min = MEMBERS;
    masked_world *world = s_world(&plan);
    masked_open(world);
    while (world->facts[FL_KEEP_MASKSET] == NULL) {
        assert_true(masked_deliver(world));
    }
    world->member[LOST].silent = true;
    assert_true(masked_restart_cohort(world));
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_UPLOADS);
    masked_destroy(&world);
}

//  How a block of edges ends whose first upload says less weight, and less count, than is in it.
static fl_reason
s_end(uint32_t devices_max, uint64_t take, uint64_t count)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.hop = 2;
    masked_world *world = s_world(&plan);
    world->task.order.plan.devices_max = devices_max;
    for (uint32_t i = 0; i < MEMBERS; i++) { // no element is above what a small weight allows
        memset(world->member[i].wire, 0, (size_t)plan.elements * plan.wire_bytes);
    }
    trick.take = take;
    trick.count = count;
    masked_open(world);
    fl_reason reason = masked_run(world);
    masked_destroy(&world);
    return reason;
}

static void
weight_and_count_are_within_what_can_be(void **state)
{
    (void)state;
    masked_plan plan = masked_plan_small(MEMBERS);
    plan.hop = 2;
    masked_world *world = s_world(&plan);
    uint64_t weight = 0, count = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        weight += world->member[i].weight;
        count += world->member[i].count;
    }
    masked_destroy(&world);
    assert_true(weight > count && count > MEMBERS);
    assert_int_equal(s_end(256, weight - count, 0), FL_WHY_NONE);
    assert_int_equal(s_end(256, weight - count + 1, 0), FL_WHY_COUNT_MISMATCH);
    assert_int_equal(s_end(256, weight - MEMBERS, count - MEMBERS), FL_WHY_NONE);
    assert_int_equal(s_end(256, weight - MEMBERS, count - MEMBERS + 1), FL_WHY_COUNT_MISMATCH);
    assert_int_equal(s_end((uint32_t)count, 0, 0), FL_WHY_NONE);
    assert_int_equal(s_end((uint32_t)count - 1, 0, 0), FL_WHY_COUNT_MISMATCH);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sent_in_anothers_name_blame_their_sender),
        cmocka_unit_test(keys_and_shares_that_come_late_are_in_nothing),
        cmocka_unit_test(a_member_opens_once_and_not_after_a_lie),
        cmocka_unit_test(keys_of_another_run_or_round_are_dropped),
        cmocka_unit_test(the_participant_that_lacks_most_shares_is_left_out_alone),
        cmocka_unit_test(shares_of_a_dealer_that_sent_none_cannot_be_claimed),
        cmocka_unit_test(a_header_is_not_replaced_once_its_upload_counts),
        cmocka_unit_test(an_upload_after_the_survivors_are_fixed_is_late_whatever_it_is),
        cmocka_unit_test(a_round_that_its_members_had_long_ago_is_not_the_rosters_fault),
        cmocka_unit_test(each_floor_of_the_order_is_kept_by_the_aggregator),
        cmocka_unit_test(the_floor_of_survivors_is_kept_after_a_restart),
        cmocka_unit_test(weight_and_count_are_within_what_can_be),
    };
    return cmocka_run_group_tests_name("core/masking_parent", tests, NULL, NULL);
}
