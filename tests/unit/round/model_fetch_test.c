#include "common/round/model_fetch.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include "common/base/status.h"

enum { CHUNK = 64 * 1024, TOTAL = 5 * CHUNK + 10 };

static fl_model_fetch fetch;
static fl_run run;
static fl_hash model;

static void
s_begin(fl_time now)
{
    machine_clear();
    run = machine_run(1);
    model = machine_hash(1);
    fl_model_fetch_begin(&fetch, &model, TOTAL, &run, 1002, now, machine_out);
    machine_proof();
}

static bool
s_piece(uint64_t offset, uint32_t bytes, fl_time now)
{
    fl_message message = machine_message(FL_PIECE, 1);
    message.piece = (fl_piece){ .hash = model, .offset = offset, .total = TOTAL };
    machine_clear();
    bool taken = fl_model_fetch_piece(&fetch, &message, bytes, now, machine_out);
    machine_proof();
    return taken;
}

static void
a_fetch_opens_the_lane_and_asks_for_a_window(void **state)
{
    (void)state;
    s_begin(1000);
    const fl_effect *lane = machine_effect(FL_FX_LANE);
    assert_true(lane->lane.open && lane->lane.lane == FL_LANE_DOWN && lane->lane.port == 1002);
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    const fl_message *last = machine_said(FL_PARENT, FL_FETCH);
    assert_true(fl_hash_equal(&last->fetch.hash, &model));
    assert_int_equal(last->fetch.offset, CHUNK);
    assert_int_equal(last->fetch.bytes, CHUNK);
    assert_true(fl_run_equal(&last->run, &run));
}

static void
pieces_in_order_are_placed_until_the_last_one_asks_for_the_check(void **state)
{
    (void)state;
    s_begin(1000);
    for (uint64_t at = 0; at < TOTAL; at += CHUNK) {
        uint32_t bytes = TOTAL - at < CHUNK ? (uint32_t)(TOTAL - at) : CHUNK;
        assert_true(s_piece(at, bytes, 1000));
        assert_int_equal(machine_effect(FL_FX_PLACE)->place.offset, at);
        assert_int_equal(machine_effect(FL_FX_PLACE)->place.total, TOTAL);
        assert_int_equal(machine_count(FL_FX_CHECK), at + bytes == TOTAL);
    }
    assert_true(fetch.checking);
    assert_int_equal(machine_count(FL_FX_SEND), 0);
    assert_false(s_piece(TOTAL - 10, 10, 1001)); // one more changes nothing
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
asks_never_exceed_what_the_lane_holds(void **state)
{
    (void)state;
    s_begin(1000);
    fetch.total = (uint64_t)1 << 34;
    fl_message message = machine_message(FL_PIECE, 1);
    uint64_t asked = 2 * CHUNK;
    for (int i = 0; i < 200; i++) { // a fast line: larger chunks, more of them
        message.piece = (fl_piece){ .hash = model, .offset = fetch.received, .total = fetch.total };
        machine_clear();
        assert_true(fl_model_fetch_piece(&fetch, &message, CHUNK, 1001 + i / 10, machine_out));
        assert_true(machine_said_count(FL_PARENT, FL_FETCH) <= 16);
        assert_true(fetch.asked >= asked);
        asked = fetch.asked;
        assert_true(asked - fetch.received <= 16 * (uint64_t)FL_CHUNK_BYTES_MAX);
    }
    assert_true(fetch.rate > 0);
}

static void
what_does_not_fit_is_dropped(void **state)
{
    (void)state;
    s_begin(1000);
    assert_false(s_piece(CHUNK, CHUNK, 1001)); // out of order
    assert_false(s_piece(0, 0, 1001));         // empty
    assert_false(s_piece(0, TOTAL + 1, 1001)); // too much
    fl_message other = machine_message(FL_PIECE, 1);
    other.piece = (fl_piece){ .hash = machine_hash(2), .total = TOTAL };
    assert_false(
        fl_model_fetch_piece(&fetch, &other, CHUNK, 1001, machine_out)); // of another model
    other.piece = (fl_piece){ .hash = model, .total = TOTAL + 1 };
    assert_false(fl_model_fetch_piece(&fetch, &other, CHUNK, 1001, machine_out)); // of another size
    assert_int_equal(fl_outbox_count(machine_out), 0);
    assert_true(s_piece(0, CHUNK, 1001));
    assert_false(s_piece(0, CHUNK, 1002)); // had it
    fl_model_fetch none = { 0 };
    assert_false(fl_model_fetch_piece(&none, &other, CHUNK, 1001, machine_out));
}

static void
a_fetch_that_stands_still_asks_again_from_the_last_byte_held(void **state)
{
    (void)state;
    s_begin(1000);
    assert_true(s_piece(0, 100, 1001)); // a short piece is progress too
    machine_clear();
    fl_model_fetch_again(&fetch, &run, 2002, 1500, machine_out);
    assert_int_equal(machine_count(FL_FX_LANE), 2); // closed, and opened anew
    assert_int_equal(machine_effect(FL_FX_LANE)->lane.port, 2002);
    assert_false(fl_outbox_at(machine_out, 0)->lane.open);
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    assert_int_equal(fetch.progress_at, 1500);
    bool from_there = false;
    for (uint32_t i = 0; i < fl_outbox_count(machine_out); i++) {
        const fl_effect *effect = fl_outbox_at(machine_out, i);
        from_there |= effect->kind == FL_FX_SEND && effect->send.message.fetch.offset == 100;
    }
    assert_true(from_there);
}

static void
more_than_was_asked_for_moves_the_asks_on(void **state)
{
    (void)state;
    s_begin(1000);
    assert_true(s_piece(0, 4 * CHUNK, 1000));
    assert_true(fetch.asked > fetch.received);
    assert_int_equal(fetch.received, 4 * CHUNK);
}

static void
ending_a_fetch_closes_its_lane_once(void **state)
{
    (void)state;
    s_begin(1000);
    machine_clear();
    fl_model_fetch_end(&fetch, machine_out);
    assert_int_equal(machine_count(FL_FX_LANE), 1);
    assert_false(machine_effect(FL_FX_LANE)->lane.open);
    fl_model_fetch_end(&fetch, machine_out);
    assert_int_equal(machine_count(FL_FX_LANE), 1);
    assert_false(fetch.active);
}

static void
failed_checks_are_counted_until_one_passes(void **state)
{
    (void)state;
    s_begin(1000);
    for (uint32_t task = 0; task < 2; task++) { // the second one waits for the first one's pause
        for (uint32_t i = 1; i <= FL_FETCHES_MAX; i++) {
            fetch.checking = 1;
            assert_int_equal(fl_fetch_failed(&fetch, 50, 1000, machine_out), i < FL_FETCHES_MAX);
            assert_int_equal(fetch.failures_in_row, task * FL_FETCHES_MAX + i);
            assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), 1050);
            machine_clear();
            fl_model_fetch_again(&fetch, &run, 1002, 1049, machine_out);
            assert_int_equal(fl_outbox_count(machine_out), 0);
        }
        fl_model_fetch_end(&fetch, machine_out);
        assert_int_equal(fl_outbox_count(machine_out), 0); // its lane is closed
        s_begin(1049);
        assert_int_equal(fl_outbox_count(machine_out), 0);
        assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), 1050);
    }
    s_begin(1050);
    assert_int_equal(machine_said_count(FL_PARENT, FL_FETCH), 2);
    fetch.checking = 1;
    fl_fetch_passed(&fetch, machine_out);
    assert_int_equal(fetch.failures_in_row, 0);
}

static void
s_fetch_nothing(void)
{
    fl_model_fetch_begin(&fetch, &model, 0, &run, 1, 0, machine_out);
}

static void
s_again_without_a_fetch(void)
{
    fetch = (fl_model_fetch){ 0 };
    fl_model_fetch_again(&fetch, &run, 1, 0, machine_out);
}

static void
a_slow_fetch_is_not_a_lost_one(void **state)
{
    (void)state;
    s_begin(1000);
    assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), 1400); // two beats, nothing is known yet
    fetch.in_vain++;
    assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), 1800);
    assert_true(s_piece(0, CHUNK, 1500)); // 64 KiB in half a second: a window takes one
    assert_int_equal(fetch.in_vain, 0);
    assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), 2500);
    fetch.checking = 1;
    assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), FL_NEVER);
    fetch.checking = 0;
    machine_clear();
    fl_model_fetch_end(&fetch, machine_out);
    assert_int_equal(fl_model_fetch_stuck_at(&fetch, 200), FL_NEVER);
}

static void
misuse_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_fetch_nothing));
    assert_true(unit_dies(s_again_without_a_fetch));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fetch_opens_the_lane_and_asks_for_a_window),
        cmocka_unit_test(pieces_in_order_are_placed_until_the_last_one_asks_for_the_check),
        cmocka_unit_test(asks_never_exceed_what_the_lane_holds),
        cmocka_unit_test(what_does_not_fit_is_dropped),
        cmocka_unit_test(a_fetch_that_stands_still_asks_again_from_the_last_byte_held),
        cmocka_unit_test(more_than_was_asked_for_moves_the_asks_on),
        cmocka_unit_test(ending_a_fetch_closes_its_lane_once),
        cmocka_unit_test(a_slow_fetch_is_not_a_lost_one),
        cmocka_unit_test(failed_checks_are_counted_until_one_passes),
        cmocka_unit_test(misuse_is_a_broken_invariant),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
