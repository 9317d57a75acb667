//  Pools in whole machines: a block lies inside one, newcomers wait for the next drawing, and a
//  lost pool costs a heartbeat.
#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <string.h>

static uint32_t lost;

static bool
s_lose_pools(fl_sim *sim, uint32_t from, uint32_t to, fl_message *message)
{
    (void)sim;
    (void)from;
    (void)to;
    bool falls = message->verb == FL_POOL && lost > 0;
    lost -= falls ? 1 : 0;
    return !falls;
}

//  Another drawing, by hand.
static void
s_redraw(uint32_t count)
{
    stage->drawing.count = count;
    stage->drawing.epoch++;
}

static void
a_block_lies_inside_one_pool(void **state)
{
    (void)state;
    const fl_sim_layout layout = stage_layout(0, 9, FL_MASKING_MALICIOUS);
    stage_open(&layout);
    for (uint32_t i = 0; i < 9; i++) {
        stage->drawing.places[i].pool = i < 5 ? 0 : 1;
    }
    const fl_report *report = stage_closed(1);
    assert_int_equal(report->tally.in, 9);
    assert_int_equal(report->block_count, 2);
    assert_int_equal(report->blocks[0].members, 5);
    assert_int_equal(report->blocks[1].members, 4);
    stage_end();
}

static void
a_block_below_the_floor_of_its_pool_is_none(void **state)
{
    (void)state;
    enum { FIRST = 5 }; // of four at the first of four edges
    const fl_sim_layout layout = stage_layout(4, 4, FL_MASKING_MALICIOUS);
    stage_open(&layout);
    stage->drawing.floor = 4;
    stage_until_told(FIRST, FL_WELCOME);
    fl_sim_node_crash(stage, &stage->nodes[FIRST], 60000);
    assert_int_equal(stage_closed(1)->tally.in, 12);
    stage_assert_outcome(1, FL_OUT_REFUSED, FL_WHY_ROSTER_TOO_SMALL);
    stage_close();
}

static void
a_newcomer_is_in_no_block_until_the_next_drawing(void **state)
{
    (void)state;
    fl_sim_layout layout = stage_layout(0, 5, FL_MASKING_MALICIOUS);
    layout.rounds = 4;
    stage_open(&layout);
    stage->drawing.count = 4;
    uint32_t newcomer = 1;
    while (strcmp(stage->nodes[newcomer].name.name, stage->drawing.places[4].node.name) != 0) {
        newcomer++;
    }
    const fl_report *report = stage_closed(1);
    assert_int_equal(report->tally.in, 4);
    stage_assert_outcome(newcomer, FL_OUT_ABSENT, FL_WHY_NEWCOMER);
    s_redraw(5);
    assert_int_equal(stage_closed(3)->tally.in, 5); // the second may be open already
    stage_assert_outcome(newcomer, FL_OUT_IN, FL_WHY_NONE);
    stage_end();
}

static void
a_pool_that_is_lost_costs_a_heartbeat(void **state)
{
    (void)state;
    for (uint32_t edges = 0; edges <= 3; edges += 3) {
        const fl_sim_layout layout = stage_layout(edges, 3, FL_MASKING_MALICIOUS);
        stage_open(&layout);
        lost = 4;
        stage->letter_hook = s_lose_pools;
        assert_int_equal(stage_closed(1)->tally.in, edges > 0 ? 9 : 3);
        assert_int_equal(lost, 0);
        stage_end();
    }
}

//  R13: runs stay together, and one of which somebody is away when the round is opened waits for
//  it.
static void
a_run_lies_inside_one_block_or_in_none(void **state)
{
    (void)state;
    enum { DEVICES = 20, BATCH = 3 }; // six runs, of three or four
    fl_sim_layout layout = stage_layout(0, DEVICES, FL_MASKING_MALICIOUS);
    layout.plan.batch = BATCH;
    layout.plan.block_max = 12;
    layout.rounds = 3;
    stage_open(&layout);
    const fl_report *report = stage_closed(1);
    assert_int_equal(report->tally.in, DEVICES);
    assert_int_equal(report->block_count, 2);
    for (uint32_t i = 0; i < report->block_count; i++) {
        assert_true(report->blocks[i].members <= 12);
    }
    fl_sim_node_crash(stage, &stage->nodes[3], 600000);
    report = stage_closed(3);
    const uint32_t away = report->tally.invited - report->tally.in;
    assert_true(report->tally.in < DEVICES && DEVICES - report->tally.in <= BATCH + 1);
    assert_true(away <= BATCH + 1);
    uint32_t broken = 0;
    for (uint32_t i = 0; i < report->roll_count; i++) {
        broken += report->roll[i].reason == FL_WHY_BROKEN_BATCH;
    }
    assert_true(broken >= BATCH - 1 && broken <= BATCH);
    stage_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_lies_inside_one_pool),
        cmocka_unit_test(a_block_below_the_floor_of_its_pool_is_none),
        cmocka_unit_test(a_newcomer_is_in_no_block_until_the_next_drawing),
        cmocka_unit_test(a_pool_that_is_lost_costs_a_heartbeat),
        cmocka_unit_test(a_run_lies_inside_one_block_or_in_none),
    };
    return cmocka_run_group_tests_name("round/pools", tests, NULL, NULL);
}
