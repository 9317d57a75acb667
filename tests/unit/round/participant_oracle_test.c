//  A parent that uses what it may do, restart, welcome again, task again, to get what it may not: a
//  second mask set, second survivors, another body of the task. At every moment of a round, each
//  trick is tried on every member: each masks once, opens once, and what was opened stays that.
#include "tests/support/unit.h"

#include "tests/support/troop.h"

#include <string.h>

#include "common/secagg/client_inside.h"
#include "common/wire/codec.h"

enum { MEMBERS = 4, BLOCK = 3, VICTIM = 2, ALL = 15 }; // three are enough

static struct {
    uint64_t self, pair;
    uint32_t times, contents;
} opened[MEMBERS];

//  As troop_deliver, and writes down what is opened.
static bool
s_deliver(void)
{
    const masked_world *world = troop_world;
    fl_message message = { .verb = FL_VERB_NONE };
    if (world->head != world->tail) {
        const masked_letter *letter = &world->queue[world->head % MASKED_QUEUE];
        assert_int_equal(fl_decode(fl_blob_bytes(letter->frame), 0, &message).code, FL_CODEC_OK);
        if (letter->from >= 0 && message.verb == FL_UNMASK) {
            const fl_block_unmask *unmask = &message.unmask;
            bool first = opened[letter->from].times++ == 0;
            bool same = unmask->self == opened[letter->from].self &&
                        unmask->pair == opened[letter->from].pair;
            opened[letter->from].contents += first || !same ? 1 : 0;
            opened[letter->from].self = unmask->self;
            opened[letter->from].pair = unmask->pair;
        }
    }
    return troop_deliver();
}

// ---- tricks ------------------------------------------------------------------------------------
static void
s_tell_all(const fl_message *message)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        troop_hear(i, message);
    }
}

//  The same members in another order.
static void
s_another_roster(void)
{
    static uint8_t lines[MEMBERS * FL_MEMBER_BYTES];
    fl_message message = masked_message(troop_world, FL_ROSTER);
    if (troop_world->facts[FL_KEEP_ROSTER] == NULL) {
        return; // there is none yet
    }
    fl_bytes fact = fl_blob_bytes(troop_world->facts[FL_KEEP_ROSTER]);
    const uint8_t *from = fact.data + fact.size - sizeof lines;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        memcpy(lines + i * FL_MEMBER_BYTES, from + (MEMBERS - 1 - i) * FL_MEMBER_BYTES,
               FL_MEMBER_BYTES);
    }
    message.roster.block = BLOCK;
    message.roster.members = fl_bytes_of(lines, sizeof lines);
    s_tell_all(&message);
}

static void
s_another_maskset(void)
{
    fl_message message = masked_message(troop_world, FL_MASKSET);
    message.maskset.block = BLOCK;
    message.maskset.members = ALL & ~(1u << VICTIM);
    s_tell_all(&message);
}

//  The victim is dead, say true signatures of the others' uploads.
static void
s_other_survivors(void)
{
    uint8_t psigs[(MEMBERS - 1) * FL_SIGN_BYTES] = { 0 };
    size_t size = 0;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        if (i != VICTIM) {
            memcpy(psigs + size, troop[i].member->masking->psig, FL_SIGN_BYTES);
            size += FL_SIGN_BYTES;
        }
    }
    fl_message message = masked_message(troop_world, FL_SURVIVORS);
    message.survivors.block = BLOCK;
    message.survivors.members = ALL & ~(1u << VICTIM);
    message.survivors.psigs = fl_bytes_of(psigs, sizeof psigs);
    s_tell_all(&message);
}

//  The same acknowledgements, one left out.
static void
s_other_acks(void)
{
    uint8_t asigs[(MEMBERS - 1) * FL_SIGN_BYTES] = { 0 };
    fl_message message = masked_message(troop_world, FL_ACKS);
    message.acks.block = BLOCK;
    message.acks.members = ALL & ~(1u << VICTIM);
    message.acks.asigs = fl_bytes_of(asigs, sizeof asigs);
    s_tell_all(&message);
}

//  A body that the root signed as well, of the same round.
static void
s_another_task(void)
{
    fl_message message = masked_message(troop_world, FL_TASK);
    message.task = troop_world->task;
    message.task.attempt = 3;
    message.task.budget_ms = TROOP_BUDGET_MS;
    message.task.order.plan.epochs++;
    uint8_t bytes[FL_ORDER_BYTES];
    fl_order_encode(&message.task.order, bytes);
    fl_order_sign(troop_world->authority, fl_bytes_of(bytes, sizeof bytes), message.task.signature);
    s_tell_all(&message);
}

static void
s_nothing(void)
{
}

//  It restarts, for each child: the seat is unknown, HELLO and WELCOME follow, and the task again.
static void
s_restart(uint32_t attempt)
{
    const fl_time then = troop_world->now + 500; // the pause before HELLO is over
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fl_message refused = masked_message(troop_world, FL_REFUSED);
        refused.refused = (fl_refused){ .reason = FL_WHY_UNKNOWN_SEAT, .about = FL_BEAT };
        troop_hear(i, &refused);
        troop_tick(i, then);
    }
    while (s_deliver()) { // the words on their way arrive; it hears them as it likes
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        troop_task(i, attempt);
        fl_secagg_server_joined(troop_world->aggregator, &troop_world->member[i].node, i,
                                troop_world->now, troop_world->out);
        masked_obey(troop_world, -1);
    }
}

//  The trick after so many letters. False: the round was over before. Answers by `sum` whether the
//  honest half opened it.
static bool
s_try(void (*trick)(void), bool restarts, uint32_t letters, bool *sum)
{
    masked_plan plan = masked_plan_small(MEMBERS);
    troop_new(&plan);
    memset(opened, 0, sizeof opened);
    troop_begin();
    troop_train_all();
    uint32_t delivered = 0;
    while (delivered < letters && s_deliver()) {
        delivered++;
    }
    bool running = delivered == letters;
    trick();
    if (restarts) {
        s_restart(2);
        trick();
    }
    while (s_deliver()) {
    }
    fl_secagg_result result;
    *sum =
        fl_secagg_server_result(troop_world->aggregator, &result) && result.reason == FL_WHY_NONE;
    assert_true(!*sum || masked_sum_exact(troop_world));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_true(troop[i].masks <= 1);
        assert_true(opened[i].contents <= 1);
        assert_true((opened[i].self & opened[i].pair) == 0);
        for (uint32_t n = 0; n < i; n++) { // of two who opened, nobody gave the other kind
            assert_true((opened[i].self & opened[n].pair) == 0);
            assert_true((opened[n].self & opened[i].pair) == 0);
        }
    }
    troop_destroy();
    return running;
}

static void
a_second_content_for_a_step_gets_no_second_answer(void **state)
{
    (void)state;
    static void (*const tricks[])(void) = { s_another_roster, s_another_maskset, s_other_survivors,
                                            s_other_acks,     s_another_task,    s_nothing };
    enum { TRICKS = sizeof tricks / sizeof *tricks };
    for (size_t t = 0; t < TRICKS; t++) {
        for (int restarts = 0; restarts < 2; restarts++) {
            uint32_t letters = (uint32_t)t % 2, sums = 0, tries = 0; // every other moment
            bool sum = false;
            while (s_try(tricks[t], restarts == 1, letters, &sum)) {
                sums += sum ? 1 : 0;
                tries++;
                letters += 2;
            }
            assert_true(tries > 15);
            assert_true(tricks[t] != s_nothing || sums == tries); // a restart alone harms nobody
            assert_true(sums > 0 || restarts == 1 || tricks[t] == s_another_task);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_content_for_a_step_gets_no_second_answer),
    };
    return cmocka_run_group_tests_name("core/member_oracle", tests, NULL, NULL);
}
