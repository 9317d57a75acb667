#include "common/round/upload_send.h"

#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include <string.h>

enum { CHUNK = 64 * 1024, TOTAL = 40 * CHUNK };

static fl_upload_send push;
static fl_task task;
static fl_welcome seat;

static int
s_load(void **state)
{
    (void)state;
    assert_true(fl_upload_send_init(&push, false));
    task = (fl_task){ .attempt = 1, .order = machine_order_of(3, TOTAL) };
    seat = (fl_welcome){ .seat = 4, .epoch = 2, .up_port = 1001 };
    memset(seat.ticket, 9, sizeof seat.ticket);
    fl_upload_send_load(&push, &(fl_offer){ .vec = 7,
                                            .hash = machine_hash(70),
                                            .vector_bytes = TOTAL,
                                            .base_round = 2,
                                            .base = machine_hash(2),
                                            .weight = 11,
                                            .count = 1 });
    return 0;
}

static int
s_release(void **state)
{
    (void)state;
    fl_upload_send_release(&push);
    return 0;
}

static fl_upload_send_state
s_grant(uint64_t next, uint64_t limit, uint32_t rewind)
{
    const fl_grant grant = { .attempt = 1,
                             .hash = machine_hash(70),
                             .next = next,
                             .limit = limit,
                             .rewind = rewind,
                             .chunk_bytes = CHUNK };
    machine_clear();
    fl_upload_send_state now = fl_upload_send_granted(&push, &grant, &task, &seat, machine_out);
    machine_proof();
    return now;
}

static void
an_announcement_says_what_is_offered_and_by_whom(void **state)
{
    (void)state;
    fl_contrib contrib = { 0 };
    fl_upload_send_announce(&push, &task, &seat, &contrib);
    assert_int_equal(contrib.attempt, 1);
    assert_int_equal(contrib.seat, 4);
    assert_int_equal(contrib.epoch, 2);
    assert_memory_equal(contrib.ticket, seat.ticket, sizeof seat.ticket);
    assert_int_equal(contrib.base_round, 2);
    assert_int_equal(contrib.weight, 11);
    assert_int_equal(contrib.count, 1);
    assert_int_equal(contrib.elements, TOTAL / 4);
    assert_int_equal(contrib.vector_bytes, TOTAL);
    assert_int_equal(contrib.roll.size, 0);
}

static void
an_edge_sends_its_roll_along(void **state)
{
    (void)state;
    fl_upload_send edge;
    assert_true(fl_upload_send_init(&edge, true));
    const fl_roll_entry roll[2] = { { .node = machine_node("d1"), .parent = machine_node("e1") },
                                    { .node = machine_node("d2"), .parent = machine_node("e1") } };
    fl_upload_send_load(
        &edge, &(fl_offer){
                   .vec = 1, .vector_bytes = 4, .roll = roll, .roll_count = 2, .roll_dropped = 5 });
    fl_contrib contrib = { 0 };
    fl_upload_send_announce(&edge, &task, &seat, &contrib);
    assert_int_equal(contrib.roll.size, 2 * FL_ROLL_ENTRY_BYTES);
    assert_int_equal(contrib.roll_dropped, 5);
    fl_roll_entry second;
    assert_true(fl_roll_decode(
        fl_bytes_of(contrib.roll.data + FL_ROLL_ENTRY_BYTES, FL_ROLL_ENTRY_BYTES), &second));
    assert_string_equal(second.node.name, "d2");
    fl_upload_send_release(&edge);
    assert_null(edge.roll);
}

static void
an_edge_tells_how_its_blocks_ended(void **state)
{
    (void)state;
    fl_upload_send edge;
    assert_true(fl_upload_send_init(&edge, true));
    fl_block_line lines[2] = {
        { .parent = machine_node("e1"), .block = 0, .hop = 1, .members = 5, .masked = 5 },
        { .parent = machine_node("e1"), .block = 1, .hop = 1, .members = 4, .masked = 4 },
    };
    lines[0].survivors = 4;
    lines[1].reason = FL_WHY_TOO_FEW_UPLOADS;
    fl_upload_send_load(
        &edge, &(fl_offer){ .vec = 1, .vector_bytes = 4, .blocks = lines, .block_count = 2 });
    lines[1].block = 9; // they were copied
    fl_contrib contrib = { 0 };
    fl_upload_send_announce(&edge, &task, &seat, &contrib);
    assert_int_equal(contrib.blocks.size, 2 * FL_BLOCK_LINE_BYTES);
    fl_block_line second;
    assert_true(fl_block_line_decode(
        fl_bytes_of(contrib.blocks.data + FL_BLOCK_LINE_BYTES, FL_BLOCK_LINE_BYTES), &second));
    assert_int_equal(second.block, 1);
    assert_int_equal(second.reason, FL_WHY_TOO_FEW_UPLOADS);
    fl_upload_send_release(&edge);
    assert_null(edge.blocks);
}

static uint8_t header[FL_MASKED_HEADER_BYTES], psig[FL_SIGNATURE_BYTES];

static fl_secagg_upload
s_upload(bool signs)
{
    memset(header, 5, sizeof header);
    memset(psig, 6, sizeof psig);
    return (fl_secagg_upload){ .vec = 8,
                               .hash = machine_hash(71),
                               .vector_bytes = TOTAL,
                               .header = fl_bytes_of(header, sizeof header),
                               .psig = fl_bytes_of(psig, signs ? sizeof psig : 0) };
}

static void
masked_bytes_take_the_place_of_plain_ones(void **state)
{
    for (int signs = 0; signs < 2; signs++) {
        (void)s_load(state);
        push.offer.stats[2] = 7;
        push.offer.tally.in = 3;
        fl_secagg_upload upload = s_upload(signs == 1);
        machine_clear();
        fl_upload_send_mask(&push, &upload, machine_out);
        assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, 7);
        memset(header, 0, sizeof header); // they were copied
        memset(psig, 0, sizeof psig);
        fl_contrib contrib = { 0 };
        fl_upload_send_announce(&push, &task, &seat, &contrib);
        assert_int_equal(contrib.weight, 0);
        assert_int_equal(contrib.count, 0);
        assert_int_equal(contrib.stats[2], 0);
        assert_int_equal(contrib.tally.in, 3);
        assert_int_equal(contrib.base_round, 2);
        fl_hash hash = machine_hash(71);
        assert_true(fl_hash_equal(&contrib.hash, &hash));
        assert_int_equal(contrib.header.size, sizeof header);
        assert_int_equal(contrib.header.data[0], 5);
        assert_int_equal(contrib.psig.size, signs == 1 ? sizeof psig : 0);
        machine_clear();
        fl_upload_send_end(&push, machine_out);
        assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, 8);
        fl_upload_send_load(&push,
                            &(fl_offer){ .vec = 9, .vector_bytes = 4, .weight = 2, .count = 1 });
        contrib = (fl_contrib){ 0 };
        fl_upload_send_announce(&push, &task, &seat, &contrib); // a plain one after it is plain
        assert_int_equal(contrib.header.size + contrib.psig.size, 0);
    }
}

static void
nothing_is_sent_beyond_the_limit(void **state)
{
    (void)state;
    assert_int_equal(s_grant(0, CHUNK + 100, 0), FL_UPLOAD_SENDING);
    assert_true(machine_effect(FL_FX_LANE)->lane.open);
    assert_int_equal(machine_effect(FL_FX_LANE)->lane.port, 1001);
    assert_int_equal(machine_count(FL_FX_PUSH), 2);
    const fl_effect *last = machine_effect(FL_FX_PUSH);
    assert_int_equal(last->push.bytes, 100);
    assert_int_equal(last->push.vec, 7);
    assert_int_equal(last->push.message.chunk.offset, CHUNK);
    assert_int_equal(last->push.message.chunk.seat, 4);
    assert_int_equal(last->push.message.chunk.epoch, 2);
    assert_int_equal(last->push.message.chunk.attempt, 1);
    assert_false(fl_upload_send_ready(&push));
    assert_int_equal(s_grant(0, CHUNK + 100, 0), FL_UPLOAD_SENDING); // again: nothing new
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
one_step_sends_its_share_whatever_is_granted(void **state)
{
    (void)state;
    assert_int_equal(s_grant(0, FL_VECTOR_BYTES_MAX, 0), FL_UPLOAD_SENDING);
    assert_int_equal(machine_count(FL_FX_PUSH), 32);
    assert_true(fl_upload_send_ready(&push));
    machine_clear();
    assert_int_equal(fl_upload_send_pump(&push, &task, &seat, machine_out), FL_UPLOAD_SENT);
    assert_int_equal(machine_count(FL_FX_PUSH), 8);
    assert_false(fl_upload_send_ready(&push));
    assert_int_equal(push.sent, TOTAL);
}

static void
a_rewind_goes_back_once(void **state)
{
    (void)state;
    (void)s_grant(0, 4 * CHUNK, 0);
    assert_int_equal(push.sent, 4 * CHUNK);
    assert_int_equal(s_grant(CHUNK, 3 * CHUNK, 1), FL_UPLOAD_SENDING);
    assert_int_equal(machine_count(FL_FX_PUSH), 2); // limit as it is now
    assert_int_equal(push.sent, 3 * CHUNK);
    (void)s_grant(CHUNK, 3 * CHUNK, 1); // a repeated one does not move us back
    assert_int_equal(machine_count(FL_FX_PUSH), 0);
    (void)s_grant(0, 3 * CHUNK, 0); // nor does an old one
    assert_int_equal(machine_count(FL_FX_PUSH), 0);
    assert_int_equal(push.sent, 3 * CHUNK);
}

static void
a_parent_that_holds_more_than_was_sent_moves_us_forward(void **state)
{
    (void)state;
    assert_int_equal(s_grant(5 * CHUNK, 6 * CHUNK, 0), FL_UPLOAD_SENDING);
    assert_int_equal(machine_count(FL_FX_PUSH), 1);
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.message.chunk.offset, 5 * CHUNK);
}

static void
the_last_grant_closes_the_lane(void **state)
{
    (void)state;
    (void)s_grant(0, TOTAL, 0);
    assert_int_equal(s_grant(TOTAL, TOTAL, 0), FL_UPLOAD_SENT);
    assert_int_equal(machine_count(FL_FX_PUSH), 0);
    assert_false(machine_effect(FL_FX_LANE)->lane.open);
    assert_int_equal(s_grant(0, TOTAL, 1), FL_UPLOAD_SENDING); // but it may have to be opened again
    assert_true(machine_effect(FL_FX_LANE)->lane.open);
}

static void
a_grant_for_something_else_is_strange(void **state)
{
    (void)state;
    fl_grant grant = { .attempt = 2, .hash = machine_hash(70), .limit = 10, .chunk_bytes = 1 };
    machine_clear();
    assert_int_equal(fl_upload_send_granted(&push, &grant, &task, &seat, machine_out),
                     FL_UPLOAD_STRANGE);
    grant.attempt = 1;
    grant.hash = machine_hash(71);
    assert_int_equal(fl_upload_send_granted(&push, &grant, &task, &seat, machine_out),
                     FL_UPLOAD_STRANGE);
    grant.hash = machine_hash(70);
    grant.next = TOTAL + 1;
    grant.limit = TOTAL + 1;
    assert_int_equal(fl_upload_send_granted(&push, &grant, &task, &seat, machine_out),
                     FL_UPLOAD_STRANGE);
    assert_int_equal(fl_outbox_count(machine_out), 0);
}

static void
the_size_of_a_chunk_is_the_parents_wish_within_limits(void **state)
{
    (void)state;
    const struct {
        uint32_t wish, want;
    } rows[] = { { 1, FL_CHUNK_BYTES_MIN },
                 { 2 * CHUNK, 2 * CHUNK },
                 { UINT32_MAX, FL_CHUNK_BYTES_MAX } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fl_upload_send_restart(&push);
        const fl_grant grant = {
            .attempt = 1, .hash = machine_hash(70), .limit = TOTAL, .chunk_bytes = rows[i].wish
        };
        machine_clear();
        (void)fl_upload_send_granted(&push, &grant, &task, &seat, machine_out);
        uint32_t first = fl_outbox_at(machine_out, 0)->kind == FL_FX_LANE ? 1 : 0;
        assert_int_equal(fl_outbox_at(machine_out, first)->push.bytes, rows[i].want);
    }
}

static void
a_restart_asks_from_the_start(void **state)
{
    (void)state;
    (void)s_grant(CHUNK, 4 * CHUNK, 3);
    fl_upload_send_restart(&push);
    assert_false(fl_upload_send_ready(&push));
    (void)s_grant(0, CHUNK, 0);
    assert_int_equal(machine_effect(FL_FX_PUSH)->push.message.chunk.offset, 0);
}

static void
an_end_frees_the_vector_and_closes_the_lane_once(void **state)
{
    (void)state;
    (void)s_grant(0, CHUNK, 0);
    machine_clear();
    fl_upload_send_end(&push, machine_out);
    assert_int_equal(machine_effect(FL_FX_DROP)->drop.vec, 7);
    assert_false(machine_effect(FL_FX_LANE)->lane.open);
    fl_upload_send_end(&push, machine_out);
    assert_int_equal(fl_outbox_count(machine_out), 2);
}

static void
s_load_twice(void)
{
    fl_upload_send_load(&push, &(fl_offer){ .vec = 8, .vector_bytes = 4 });
}

static void
s_mask_twice(void)
{
    fl_secagg_upload upload = s_upload(true);
    fl_upload_send_mask(&push, &upload, machine_out);
    fl_upload_send_mask(&push, &upload, machine_out);
}

static void
a_second_offer_is_a_broken_invariant(void **state)
{
    (void)state;
    assert_true(unit_dies(s_load_twice));
    assert_true(unit_dies(s_mask_twice));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(an_announcement_says_what_is_offered_and_by_whom, s_load, s_release),
        unit_case(an_edge_sends_its_roll_along, s_load, s_release),
        unit_case(an_edge_tells_how_its_blocks_ended, s_load, s_release),
        unit_case(masked_bytes_take_the_place_of_plain_ones, s_load, s_release),
        unit_case(nothing_is_sent_beyond_the_limit, s_load, s_release),
        unit_case(one_step_sends_its_share_whatever_is_granted, s_load, s_release),
        unit_case(a_rewind_goes_back_once, s_load, s_release),
        unit_case(a_parent_that_holds_more_than_was_sent_moves_us_forward, s_load, s_release),
        unit_case(the_last_grant_closes_the_lane, s_load, s_release),
        unit_case(a_grant_for_something_else_is_strange, s_load, s_release),
        unit_case(the_size_of_a_chunk_is_the_parents_wish_within_limits, s_load, s_release),
        unit_case(a_restart_asks_from_the_start, s_load, s_release),
        unit_case(an_end_frees_the_vector_and_closes_the_lane_once, s_load, s_release),
        unit_case(a_second_offer_is_a_broken_invariant, s_load, s_release),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
