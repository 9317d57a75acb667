//  Whole worlds in their weather, and stray words: any verb, of anybody, to anybody, aimed at the
//  round at hand or wild, past the gate. No machine panics or says what the codec would refuse,
//  none uses or keeps what it does not hold, nothing is masked twice, and everybody always knows
//  when to wake up. When the sky clears and the words stop, the tree finds together again.
//  `unit_core_strays_test SEEDS [FIRST]` tries more.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/messages.h"

//  What is sent again when it was said not to be counted, or announced with other numbers, is no
//  fault of the machines.
enum {
    NODES = 14,
    LIES = STAGE_LIES | 1 << CHECK_ONCE | 1 << CHECK_BYTES | 1 << CHECK_WEIGHT | 1 << CHECK_FLAT |
           1 << CHECK_BASE | 1 << CHECK_FLOOR | 1 << CHECK_VERDICT
};

static fl_rng rng;
static fl_blob *newest[SIM_NODES_MAX][2][FL_VERB_COUNT]; // of each link, down and up
static messages_letter letter;
static fl_blob *again; // what the letter's views show
static uint64_t strays;

static uint64_t
s_below(uint64_t bound)
{
    return fl_rng_below(&rng, bound);
}

static void
s_nudge(uint32_t *value)
{
    uint64_t choice = s_below(4);
    *value = choice == 0 ? *value + 1 : choice == 1 && *value > 1 ? *value - 1 : *value;
}

static bool
s_remember(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    bool up = sim->nodes[from].parent == to;
    fl_blob **place = &newest[sim->nodes[up ? from : to].link][up][message->verb];
    if (message->verb != FL_CHUNK && message->verb != FL_PIECE) { // they have bodies
        fl_blob_unref(place);
        *place = fl_encode(message, 0);
    }
    return true;
}

//  What was said here last of this verb, with a bit flipped or a number changed; false when nothing
//  was, or the codec refuses it.
static bool
s_said_again(uint32_t link, bool up, fl_verb verb)
{
    fl_blob_unref(&again);
    if (newest[link][up][verb] == NULL) {
        return false;
    }
    fl_bytes said = fl_blob_bytes(newest[link][up][verb]);
    again = fl_blob_copy(said);
    if (verb != FL_TASK && s_below(2) == 0) {
        fl_blob_data(again)[s_below(said.size)] ^= (uint8_t)(1u << s_below(8));
    }
    if (fl_decode(fl_blob_bytes(again), 0, &letter.message).code != FL_CODEC_OK ||
        letter.message.verb != verb) {
        return false;
    }
    fl_message *message = &letter.message;
    letter.body_bytes = 0;
    message->round += s_below(8) == 0;
    if (verb == FL_CONTRIB) {
        s_nudge(&message->contrib.attempt);
        message->contrib.hash.bytes[0] ^= s_below(2) == 0;
        message->contrib.base_round -= message->contrib.base_round > 1 && s_below(8) == 0;
    } else if (verb == FL_GRANT) {
        s_nudge(&message->grant.attempt);
        s_nudge(&message->grant.rewind);
        message->grant.next = s_below(message->grant.limit + 1);
    } else if (verb == FL_TASK) {
        s_nudge(&message->task.attempt);
        message->task.budget_ms = (uint32_t)s_below(8000);
    } else if (verb == FL_CLOSED) {
        s_nudge(&message->closed.attempt);
        message->closed.outcome = (fl_outcome)(FL_OUT_IN + s_below(4));
    } else if (verb == FL_FETCH) {
        message->fetch.offset = s_below(2 * message->fetch.offset + 2);
    }
    return true;
}

//  Wild, but often of this run and round; chunks of what was announced here.
static void
s_wild(const fl_sim *sim, uint32_t link, fl_verb verb)
{
    messages_random(verb, &rng, &letter);
    fl_message *message = &letter.message;
    fl_blob *said = newest[link][1][FL_CONTRIB];
    fl_message contrib = { 0 };
    if (verb == FL_TASK || s_below(10) != 0) { // a TASK of a late round would be believed
        message->run = sim->turn->row.run;
        message->round = sim->turn->row.rounds_closed + (verb == FL_TASK ? 1 : 0) + s_below(2);
    }
    if (verb == FL_TASK) {
        message->task.order.run = message->run;
        message->task.order.round = message->round;
    }
    if (verb == FL_CHUNK && said != NULL &&
        fl_decode(fl_blob_bytes(said), 0, &contrib).code == FL_CODEC_OK) {
        message->round = contrib.round;
        message->chunk.attempt = contrib.contrib.attempt;
        message->chunk.seat = contrib.contrib.seat;
        message->chunk.epoch = contrib.contrib.epoch;
        message->chunk.total = contrib.contrib.vector_bytes;
        message->chunk.offset = s_below(contrib.contrib.vector_bytes);
        uint64_t most = message->chunk.total - message->chunk.offset;
        letter.body_bytes = (uint32_t)(1 + s_below(most));
    }
}

static void
s_stray(fl_sim *sim)
{
    uint32_t link = (uint32_t)s_below(sim->link_count);
    bool up = s_below(2) == 0;
    const fl_sim_node *child = &sim->nodes[sim->links[link].child];
    fl_sim_node *to = up ? &sim->nodes[child->parent] : &sim->nodes[child->index];
    fl_verb verb = messages_verbs[s_below(MESSAGES_VERBS)];
    if (!to->alive || to->stopping || to->frozen_until > sim->now || verb == FL_WELCOME) {
        return; // WELCOME is dressed by the driver
    }
    if (verb == FL_TASK && !up && sim->nodes[child->parent].ledger.open_round == 0) {
        return; // of a run that its parent knows nothing of: it would wait for the end of it
    }
    if (s_below(2) == 0 || !s_said_again(link, up, verb)) {
        s_wild(sim, link, verb);
    }
    if (verb == FL_CLOSED) {
        letter.message.closed.final = false; // it would be believed
    } else if (verb == FL_REFUSED && letter.message.refused.reason == FL_WHY_DRAIN) {
        letter.message.refused.reason = FL_WHY_BUSY; // likewise
    }
    fl_blob *body = letter.body_bytes > 0 ? fl_blob_new(letter.body_bytes) : NULL;
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = up ? child->peer : FL_PARENT;
    event.message.node = child->name;
    event.message.role = child->role;
    event.message.message = &letter.message;
    event.message.body_bytes = letter.body_bytes;
    strays++;
    fl_sim_watch_heard(sim, to, &letter.message);
    fl_sim_node_step(sim, to, &event, body);
    fl_blob_unref(&body);
}

static void
s_life(uint64_t seed, fl_sim_masking masking)
{
    rng = fl_rng_seeded(seed);
    fl_sim *sim = fl_sim_open(&(fl_sim_setup){ .seed = seed, .nodes = NODES, .masking = masking });
    sim->deaf = LIES;
    sim->stuck = sim->measured = true; // rounds may be missed for what was said
    sim->letter_hook = s_remember;
    while (fl_sim_go_on(sim)) {
        if (!sim->weather.clear && s_below(4) == 0) {
            s_stray(sim);
        }
    }
    if (sim->notary.failed == CHECK_NONE) {
        fl_sim_check_end(sim);
    }
    if (sim->notary.failed != CHECK_NONE) {
        fail_msg("seed %llu, %s: %s", (unsigned long long)seed,
                 fl_sim_checker_name(sim->notary.failed), sim->notary.sentence);
    }
    fl_sim_close(&sim);
    fl_blob_unref(&again);
    for (int i = 0; i < SIM_NODES_MAX; i++) {
        for (int verb = 0; verb < FL_VERB_COUNT; verb++) {
            fl_blob_unref(&newest[i][0][verb]);
            fl_blob_unref(&newest[i][1][verb]);
        }
    }
}

static uint64_t seeds = 60, first = 1;

static void
stray_words_break_no_machine_and_no_run(void **state)
{
    (void)state;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        s_life(seed, SIM_MASKING_NEVER);
        s_life(seed, SIM_MASKING_ALWAYS);
    }
    fl_sim_mint_release();
    assert_true(strays > 100 * seeds);
}

int
main(int argc, char **argv)
{
    seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : seeds;
    first = argc > 2 ? strtoull(argv[2], NULL, 10) : first;
    const struct CMUnitTest tests[] = { cmocka_unit_test(stray_words_break_no_machine_and_no_run) };
    return cmocka_run_group_tests_name("round/strays", tests, NULL, NULL);
}
