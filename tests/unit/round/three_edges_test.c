//  Three edges below a root, masked on both hops: at the root none of them may be lost, so whatever
//  dies after MASKSET ends the root's block, and the run goes on by what is proved (BURNT) and what
//  is kept (R4c). A number as argument: so many worlds in the last test.
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/stage.h"

enum { EDGES = 3, DEVICES = 3, EDGE = 2, FIRST = 1 + EDGES, NODES = 1 + EDGES + EDGES * DEVICES };
enum { ROUND_MS = 16000, BRIEFLY_MS = 100 };

static uint32_t worlds = 60;

static fl_sim_layout
s_layout(void)
{
    fl_sim_layout layout = stage_layout(EDGES, DEVICES, FL_MASKING_MALICIOUS);
    layout.window.time_max_ms = ROUND_MS;
    layout.rounds = 10;
    return layout;
}

//  A root that comes back waits for all.
static void
s_open(const fl_sim_layout *layout, uint32_t draws_max)
{
    stage_open(layout);
    stage->draws_max = draws_max;
    stage->start_wait_ms = 60000;
}

static void
s_kill(uint32_t node, uint32_t down_ms)
{
    fl_sim_node_crash(stage, &stage->nodes[node], down_ms);
}

static bool proofs; // BURNT and BURNTS arrive
static uint8_t draw;

static bool
s_looks(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    (void)to;
    if (message->verb == FL_TASK && message->task.order.draw > draw) {
        draw = message->task.order.draw;
    }
    return proofs || (message->verb != FL_BURNT && message->verb != FL_BURNTS);
}

//  The moments at which it dies.
typedef enum moment { MASKED, ACKED, OPENED, KEPT, MOMENTS } moment;

static void
s_until(moment when)
{
    if (when == KEPT) { // its own block is open, and nobody above knows of it
        while (stage->nodes[EDGE].masks.kept_count == 0) {
            assert_true(fl_sim_go_on(stage));
        }
        return;
    }
    stage_until_told(EDGE, when == MASKED ? FL_MASKSET : when == ACKED ? FL_SURVIVORS : FL_ACKS);
}

//  The newest round had a sum of everybody.
static bool
s_moved(void)
{
    return stage->closed != NULL && stage->closed->report.close == FL_CLOSE_DONE &&
           stage->closed->report.tally.in == EDGES * DEVICES;
}

// ---- one that is away for five rounds ----------------------------------------------------------
//  Whether the model has moved within two rounds after it came back.
static bool
s_away_for_five_rounds(moment when)
{
    const fl_sim_layout layout = s_layout();
    s_open(&layout, 0);
    stage->letter_hook = s_looks;
    s_until(when);
    const uint64_t before = stage->closed != NULL ? stage->closed->report.round : 0;
    s_kill(EDGE, 5 * ROUND_MS);
    stage_pass(5 * ROUND_MS + 1);
    stage_pass(2 * ROUND_MS);
    const bool moved = s_moved() && stage->closed->report.round > before + 1;
    if (proofs) {
        stage_end();
    } else {
        stage_close();
    }
    return moved;
}

static void
a_run_goes_on_as_soon_as_the_third_edge_is_back(void **state)
{
    (void)state;
    proofs = true;
    draw = 0;
    for (moment when = MASKED; when < MOMENTS; when++) {
        if (!s_away_for_five_rounds(when)) {
            fail_msg("it stands after moment %d", (int)when);
        }
    }
    assert_int_equal(draw, 0);
    proofs = false;
    assert_true(!s_away_for_five_rounds(MASKED) || draw > 0); // with marks only it needs a draw
}

// ---- a sum that is kept ------------------------------------------------------------------------
static void
an_edge_that_dies_with_an_opened_sum_hands_in_the_same(void **state)
{
    (void)state;
    const fl_sim_layout layout = s_layout();
    s_open(&layout, 0);
    s_until(KEPT);
    const fl_bytes sum = fl_blob_bytes(stage->nodes[EDGE].masks.kept[0].vector);
    uint8_t *copy = fl_sim_new(sum.size);
    memcpy(copy, sum.data, sum.size);
    const fl_bytes then = fl_bytes_of(copy, sum.size);
    s_kill(EDGE, BRIEFLY_MS);
    stage_until_noted(EDGE, FL_NOTE_SUM_AGAIN);
    while (!s_moved()) {
        assert_true(fl_bytes_equal(then, fl_blob_bytes(stage->nodes[EDGE].masks.kept[0].vector)));
        assert_true(fl_sim_go_on(stage));
    }
    free(copy);
    stage_end();
}

// ---- one that is back too late ------------------------------------------------------------------
//  Its devices masked and gave nothing; it is back within its round, and can open its block no
//  more.
static void
an_edge_that_is_back_too_late_for_its_round_asks_its_devices(void **state)
{
    (void)state;
    const fl_sim_layout layout = s_layout();
    s_open(&layout, 0);
    stage->letter_hook = s_looks;
    proofs = true;
    const uint32_t device = FIRST + EDGE - 1; // of that edge
    stage_until_said(device, FL_ACK);
    s_kill(EDGE, ROUND_MS * 3 / 4);
    stage_until_noted(device, FL_NOTE_MASKING_CLEARED);
    while (!s_moved()) {
        assert_true(fl_sim_go_on(stage));
    }
    stage_end();
}

// ---- crashes in every step ---------------------------------------------------------------------
//  Two of the tree die at some moment of the run, for a moment or for rounds. The checkers see to
//  it that nothing is opened twice, and that the run has its rounds in the end.
static void
nothing_stands_when_the_weather_clears(void **state)
{
    (void)state;
    uint32_t drawn = 0;
    for (uint32_t seed = 0; seed < worlds; seed++) {
        fl_rng rng = fl_rng_seeded(seed);
        const fl_sim_layout layout = s_layout();
        s_open(&layout, FL_DRAW_MAX);
        stage->letter_hook = s_looks;
        proofs = true;
        draw = 0;
        for (int deaths = 0; deaths < 2; deaths++) {
            const uint32_t node = (uint32_t)fl_rng_below(&rng, NODES);
            uint64_t events = fl_rng_below(&rng, 1500);
            while (events-- > 0 && fl_sim_go_on(stage)) {
            }
            s_kill(node, 1 + (uint32_t)fl_rng_below(&rng, fl_rng_below(&rng, 3) * ROUND_MS + 500));
        }
        while (fl_sim_go_on(stage)) {
        }
        drawn += draw > 0; // too many had given shares of a sum that is gone
        if (!s_moved()) {
            fail_msg("world %u stands after %u rounds", seed, (unsigned)stage->notary.closed);
        }
        stage_end();
    }
    print_message("%u worlds, %u of them by another draw\n", worlds, drawn);
    assert_true(drawn * 10 < worlds);
}

int
main(int argc, char **argv)
{
    worlds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : worlds;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_as_soon_as_the_third_edge_is_back),
        cmocka_unit_test(an_edge_that_dies_with_an_opened_sum_hands_in_the_same),
        cmocka_unit_test(an_edge_that_is_back_too_late_for_its_round_asks_its_devices),
        cmocka_unit_test(nothing_stands_when_the_weather_clears),
    };
    return cmocka_run_group_tests_name("round/three_edges", tests, NULL, NULL);
}
