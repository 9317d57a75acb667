//  Masked rounds in the worst weather: words lost, twice, out of order, forged, of strangers, of
//  any verb at any time; children and the aggregator itself die and come back; the crew answers
//  late. It never panics, every round ends in time, and a sum is exactly that of who is said to be
//  in. `cohort_masking_storm_test SEEDS [FIRST]` blows longer.
#include "common/round/aggregator.h"

#include "tests/support/unit.h"

#include "tests/support/flock.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"

enum { ROUNDS = 5, STRANGER = 200, STEP_MS = 1000, PATIENCE_MS = 8 * STEP_MS };

static fl_rng rng;
static bool mild; // the weather of this round
static messages_letter letter;
static uint32_t done, aborted, restarts;

static uint64_t
s_below(uint64_t bound)
{
    return fl_rng_below(&rng, bound);
}

static bool
s_chance(uint64_t permille)
{
    return s_below(1000) < permille;
}

//  Some words are lost; now and then a signature is.
static bool
s_weather(int32_t from, int32_t to, fl_message *message)
{
    (void)to;
    if (from >= 0 && !mild && s_chance(2)) {
        message->keys.signature[3] ^= message->verb == FL_KEYS ? 1 : 0;
        message->shares.signature[3] ^= message->verb == FL_SHARES ? 1 : 0;
        message->ack.signature[3] ^= message->verb == FL_ACK ? 1 : 0;
    }
    return !s_chance(mild ? 5 : 150);
}

//  A word of any verb, aimed at the round at hand more often than not.
static void
s_stray(void)
{
    fl_verb verb = s_chance(700) ? (fl_verb)(FL_KEYS + s_below(FL_UNMASK - FL_KEYS + 1))
                                 : messages_verbs[s_below(MESSAGES_VERBS)];
    messages_random(verb, &rng, &letter);
    fl_message *message = &letter.message;
    if (verb == FL_HELLO || verb == FL_LEAVE || verb == FL_CHUNK) {
        return; // of their own kind of trouble
    }
    if (s_chance(900)) {
        message->run = flock.keys->task.order.run;
        message->round = flock.keys->task.order.round + (s_chance(100) ? 1 : 0);
    }
    fl_event event = { .kind = FL_EV_MESSAGE };
    uint32_t index = (uint32_t)s_below(flock.keys->plan.members + 1);
    bool stranger = index == flock.keys->plan.members;
    if (verb == FL_REFUSED && !stranger) {
        return; // it would be believed
    }
    event.message.from = stranger ? STRANGER : (fl_peer)index;
    event.message.node = flock.keys->member[stranger ? 0 : index].node;
    event.message.role = FL_ROLE_DEVICE;
    event.message.message = message;
    event.message.body_bytes = letter.body_bytes;
    flock_step(&event);
}

static void
s_crash(void)
{
    flock_restart();
    restarts++;
    if (s_chance(500)) {
        flock_pass(flock.now + 4 * FLOCK_BEAT_MS);
    }
    flock_open_again(s_chance(500) ? FL_NEVER : flock.now + FLOCK_WINDOW_MS);
}

//  One thing happens.
static void
s_happen(void)
{
    if (s_chance(mild ? 5 : 40)) {
        s_stray();
    }
    if (s_chance(mild ? 10 : 100)) {
        flock_ruffle((uint32_t)s_below(40), s_chance(300));
    }
    if (!mild && s_chance(10)) {
        flock_restart_child((uint32_t)s_below(flock.keys->plan.members));
    }
    if (!mild && s_chance(10)) {
        flock.hold = (unsigned)s_below(16);
    } else if (flock.hold != 0 && s_chance(100)) {
        flock_release();
    }
    if (flock.held_count > FLOCK_HELD / 2 || !flock_go_on(flock.now + STEP_MS)) {
        flock_release();
    }
}

static void
s_round(uint64_t round)
{
    fl_result result;
    mild = s_chance(500);
    flock_open(round, s_chance(500) ? FL_NEVER : flock.now + 4000 + (fl_time)s_below(20000));
    fl_time latest = flock.now + FLOCK_WINDOW_MS + PATIENCE_MS;
    uint32_t crashes = mild ? (uint32_t)s_below(2) : 0;
    while (!fl_aggregator_result(flock.aggregator, &result)) {
        s_happen();
        if (crashes > 0 && s_chance(10) && !fl_aggregator_result(flock.aggregator, &result)) {
            s_crash();
            crashes--;
            latest = flock.now + FLOCK_WINDOW_MS + PATIENCE_MS;
        }
        latest += flock.hold != 0 ? STEP_MS : 0; // the crew is slow
        assert_true(flock.now <= latest);
    }
    flock_release();
    if (result.close == FL_CLOSE_DONE) {
        flock_assert_exact();
        done++;
    } else {
        assert_true(result.reason != FL_WHY_NONE);
        aborted++;
    }
    flock_settle_round(FL_OUT_IN);
}

static void
s_life(uint64_t seed)
{
    rng = fl_rng_seeded(seed);
    masked_plan plan = masked_plan_small((uint32_t)(3 + s_below(8)));
    plan.profile = s_chance(700) ? FL_MASKING_MALICIOUS : FL_MASKING_HONEST;
    plan.hop = s_chance(700) ? 1 : 2;
    flock_new(&plan);
    flock.conf.window.count_min = (uint32_t)(1 + s_below(3));
    flock_restart();
    flock_join_all();
    flock.block_max = (uint32_t)(3 + s_below(6));
    flock.hook = s_weather;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        s_round(round);
        mild = true;
        flock_pass(flock.now + (fl_time)s_below(4 * FLOCK_BEAT_MS));
    }
    flock.hook = NULL;
    flock_end();
}

static void
no_weather_breaks_a_masked_round(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        s_life(seed);
    }
    assert_true(done > 100 && aborted > 10 && restarts > 10);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        uint64_t seeds = strtoull(argv[1], NULL, 10);
        uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        for (uint64_t seed = first; seed < first + seeds; seed++) {
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
            s_life(seed);
        }
        (void)printf("%u rounds done, %u aborted, %u restarts\n", done, aborted, restarts);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_weather_breaks_a_masked_round),
    };
    return cmocka_run_group_tests_name("core/cohort_masking_storm", tests, NULL, NULL);
}
