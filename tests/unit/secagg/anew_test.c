//  A fresh roster in the same round: who is lost before anything is masked costs the others a few
//  messages and not the round.
#include "tests/support/unit.h"

#include "tests/support/secagg.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/secagg/server_inside.h"
#include "common/wire/codec.h"

enum { LINES = FL_SECAGG_ROSTERS_MAX, TAPE_MAX = 1024 };

//  What was said, by the number of the roster.
static struct {
    uint32_t rosters, asked;
    uint8_t epk[LINES][FL_POINT_BYTES]; // of member 0, in its KEYS
    uint8_t b[LINES][FL_SHARE_BYTES];   // and its secret then
    bool kept;                          // something of an earlier roster, when KEYS left
    masked_letter tape[TAPE_MAX];       // all that was said of the first roster
    uint32_t taped;
} seen;

static bool
s_look(masked_world *world, int32_t from, int32_t to, fl_message *message)
{
    if (message->verb == FL_ROSTER) {
        bool asks = fl_secagg_asks_keys(message->roster.list);
        seen.asked += asks ? 1 : 0;
        seen.rosters = asks ? seen.rosters : message->roster.block / FL_BLOCKS_MAX + 1;
    }
    if (message->verb == FL_KEYS && from == 0) {
        static const fl_secagg_secrets nothing;
        const fl_secagg_secrets *now = world->member[0].machine->secrets;
        uint8_t number = message->keys.roster;
        memcpy(seen.epk[number], message->keys.epk, FL_POINT_BYTES);
        memcpy(seen.b[number], now->b, FL_SHARE_BYTES);
        seen.kept = seen.kept || memcmp(now->pair, nothing.pair, sizeof now->pair) != 0 ||
                    memcmp(now->held, nothing.held, sizeof now->held) != 0;
    }
    if (world->aggregator != NULL && world->aggregator->number == 0 && seen.taped < TAPE_MAX &&
        (from < 0 || message->verb != FL_KEYS)) {
        seen.tape[seen.taped++] = (masked_letter){ from, to, fl_encode(message, 0) };
    }
    return true;
}

static void
s_drop_tape(void)
{
    for (uint32_t i = 0; i < seen.taped; i++) {
        fl_blob_unref(&seen.tape[i].frame);
    }
    memset(&seen, 0, sizeof seen);
}

static masked_world *
s_world(uint32_t members)
{
    masked_plan plan = masked_plan_small(members);
    plan.step_ms = 10; // 30 ms are time enough for a roster
    masked_world *world = masked_new(&plan, members);
    s_drop_tape();
    world->hook = s_look;
    return world;
}

static void
s_end(masked_world **world_p)
{
    s_drop_tape();
    masked_destroy(world_p);
}

//  The last three of eight, whose connections end; the aggregator looks.
static void
s_lose_three(masked_world *world)
{
    for (uint32_t i = 5; i < 8; i++) {
        fl_secagg_server_gone(world->aggregator, i);
    }
    fl_secagg_server_tick(world->aggregator, world->now, world->out);
    masked_obey(world, -1);
}

//  Eight, of whom three never say that word, once nothing is on its way.
static masked_world *
s_eight(masked_drop step)
{
    masked_world *world = s_world(8);
    for (uint32_t i = 5; i < 8; i++) {
        world->member[i].drop = step;
    }
    masked_open(world);
    (void)masked_settle(world);
    return world;
}

//  Eight may lose two; three fall silent, or go.
static void
a_roster_that_lost_too_many_is_followed_by_one_of_the_others(void **state)
{
    (void)state;
    for (masked_drop step = MASKED_BEFORE_SHARES; step <= MASKED_BEFORE_READY; step++) {
        for (int gone = 0; gone < 2; gone++) {
            masked_world *world = s_eight(step);
            if (gone == 1) {
                s_lose_three(world);
            }
            bool late = step == MASKED_BEFORE_READY && gone == 0; // there is no time any more
            assert_int_equal(masked_run(world), late ? FL_WHY_TOO_FEW_READY : FL_WHY_NONE);
            assert_int_equal(seen.rosters, late ? 1 : 2);
            assert_true(late || masked_sum_exact(world));
            fl_secagg_result result;
            (void)fl_secagg_server_result(world->aggregator, &result);
            assert_int_equal(result.members, late ? 8 : 5);
            s_end(&world);
        }
    }
}

static void
what_belongs_to_a_roster_is_gone_before_the_keys_of_the_next_leave(void **state)
{
    (void)state;
    masked_world *world = s_eight(MASKED_BEFORE_READY);
    s_lose_three(world);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_false(seen.kept);
    assert_memory_not_equal(seen.epk[0], seen.epk[1], FL_POINT_BYTES);
    assert_memory_not_equal(seen.b[0], seen.b[1], FL_SHARE_BYTES);
    assert_int_equal(world->member[0].masks, 1);
    s_end(&world);
}

//  What is on its way to the old process, or from it, ends with its connection.
static void
s_restart(masked_world *world, uint32_t index)
{
    enum { NOBODY = MASKED_MEMBERS - 1 };
    world->member[NOBODY].silent = true;
    for (uint32_t i = world->head; i < world->tail; i++) {
        masked_letter *letter = &world->queue[i % MASKED_QUEUE];
        bool its = letter->to == (int32_t)index || letter->from == (int32_t)index;
        letter->to = its ? NOBODY : letter->to;
    }
    masked_restart_member(world, index);
    fl_secagg_server_restarted(world->aggregator, index, world->now, world->out);
    masked_obey(world, -1);
    masked_begin(world, index);
    masked_train(world, index);
    fl_secagg_server_joined(world->aggregator, index, index, world->now, world->out);
    masked_obey(world, -1);
}

//  Three cannot lose one; but one that comes back as a new process is none that is lost.
static void
a_new_process_takes_part_in_the_roster_to_come(void **state)
{
    (void)state;
    static const fl_secagg_state at[] = { FL_SERVER_INVITED, FL_SERVER_ROSTERED,
                                          FL_SERVER_WAITING_READY };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        for (uint32_t away = 0; away < 2; away++) {
            masked_world *world = s_world(3);
            masked_open(world);
            while (fl_secagg_server_state(world->aggregator) < at[i] ||
                   (at[i] == FL_SERVER_INVITED && world->aggregator->block.members < 2)) {
                assert_true(masked_deliver(world));
            }
            if (away == 1) { // its connection ends first, and all others have answered
                world->member[1].silent = true;
                fl_secagg_server_gone(world->aggregator, 1);
                (void)masked_settle(world);
                fl_secagg_server_tick(world->aggregator, world->now, world->out);
                masked_obey(world, -1);
                (void)masked_settle(world);
                world->member[1].silent = false;
            }
            s_restart(world, 1);
            assert_int_equal(masked_run(world), FL_WHY_NONE);
            assert_int_equal(seen.rosters, at[i] == FL_SERVER_INVITED && away == 0 ? 1 : 2);
            assert_true(masked_sum_exact(world));
            s_end(&world);
        }
    }
}

static void
a_round_has_three_rosters_at_most_and_none_without_time(void **state)
{
    (void)state;
    masked_world *world = s_world(3);
    world->member[2].drop = MASKED_BEFORE_SHARES;
    masked_open(world);
    world->times = world->aggregator->times; // each is ended by the one that goes
    for (uint32_t i = 0; i < 4; i++) {
        (void)masked_settle(world);
        world->member[2].silent = false;
        fl_secagg_server_gone(world->aggregator, 2);
        fl_secagg_server_tick(world->aggregator, world->now, world->out);
        masked_obey(world, -1);
        (void)masked_settle(world);
        if (fl_secagg_server_state(world->aggregator) == FL_SERVER_INVITED) {
            fl_secagg_server_joined(world->aggregator, 2, 2, world->now, world->out);
            masked_obey(world, -1);
        }
    }
    fl_secagg_result result;
    assert_true(fl_secagg_server_result(world->aggregator, &result));
    assert_int_equal(result.reason, FL_WHY_TOO_FEW_DEALT);
    assert_int_equal(seen.rosters, 3);
    s_end(&world);
    world = s_world(3);
    world->task.order.plan.step_ms = 101; // three steps are 303 ms, one more than there is
    masked_open(world);
    fl_secagg_server_gone(world->aggregator, 1);
    world->member[1].drop = MASKED_BEFORE_SHARES;
    assert_int_equal(masked_run(world), FL_WHY_TOO_FEW_DEALT);
    assert_int_equal(seen.rosters, 1);
    s_end(&world);
}

//  All that was said of the first roster comes again while the second one is made.
static void
words_of_an_earlier_roster_are_those_of_another_block(void **state)
{
    (void)state;
    masked_world *world = s_eight(MASKED_BEFORE_READY);
    s_lose_three(world);
    assert_int_equal(world->aggregator->number, 1);
    for (uint32_t i = 0, said = seen.taped; i < said; i++) {
        fl_message message;
        fl_codec_result read = fl_decode(fl_blob_bytes(seen.tape[i].frame), 0, &message);
        assert_int_equal(read.code, FL_CODEC_OK);
        masked_post(world, seen.tape[i].from, seen.tape[i].to, &message);
        (void)masked_deliver(world);
    }
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    assert_true(masked_sum_exact(world));
    assert_int_equal(world->notes[FL_NOTE_MASKING_BLAMED], 0);
    s_end(&world);
}

static void
who_has_masked_begins_no_other_roster(void **state)
{
    (void)state;
    static const uint8_t nobody[FL_MEMBER_BYTES];
    masked_world *world = s_world(4);
    masked_open(world);
    while (world->member[0].masks == 0) {
        assert_true(masked_deliver(world));
    }
    fl_message ask = masked_message(world, FL_ROSTER);
    ask.word.block = fl_secagg_block_of(3, 1);
    ask.word.list = fl_bytes_of(nobody, sizeof nobody);
    masked_say(world, 0, &ask);
    assert_true(world->member[0].machine->step >= FL_CLIENT_MASKED);
    assert_int_equal(masked_run(world), FL_WHY_NONE);
    s_end(&world);
}

//  A parent that restarts goes on with what it kept: of a roster before the newest it reads
//  nothing; one that it had asked keys for and not kept, its members name.
static void
a_parent_that_restarts_goes_on_with_the_newest_roster(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        masked_world *world = s_eight(MASKED_BEFORE_READY);
        s_lose_three(world);
        while (kept == 1 && fl_secagg_server_state(world->aggregator) != FL_SERVER_ROSTERED) {
            assert_true(masked_deliver(world));
        }
        while (kept == 0 && world->aggregator->block.members < 2) {
            assert_true(masked_deliver(world));
        }
        assert_true(masked_restart_cohort(world));
        assert_int_equal(world->aggregator->number, kept);
        s_lose_three(world);
        assert_int_equal(masked_run(world), FL_WHY_NONE);
        assert_true(masked_sum_exact(world));
        s_end(&world);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_roster_that_lost_too_many_is_followed_by_one_of_the_others),
        cmocka_unit_test(what_belongs_to_a_roster_is_gone_before_the_keys_of_the_next_leave),
        cmocka_unit_test(a_new_process_takes_part_in_the_roster_to_come),
        cmocka_unit_test(a_round_has_three_rosters_at_most_and_none_without_time),
        cmocka_unit_test(words_of_an_earlier_roster_are_those_of_another_block),
        cmocka_unit_test(who_has_masked_begins_no_other_roster),
        cmocka_unit_test(a_parent_that_restarts_goes_on_with_the_newest_roster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
