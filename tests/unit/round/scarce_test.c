//  Out of memory: the linker hands malloc and calloc of this program to us (--wrap), and the n-th
//  one fails. A machine is then either whole or not there, and nothing leaks.
#include "tests/support/machine.h"
#include "tests/support/unit.h"

#include "cloud/root.h"
#include "common/round/uploads.h"
#include "device/device.h"
#include "edge/edge.h"
#include "tests/support/scarce.h"

static const fl_participant_conf member_conf = { .role = FL_ROLE_EDGE, .beat_ms = 100 };
static const fl_participant_conf device_conf = { .role = FL_ROLE_DEVICE, .beat_ms = 100 };
static const fl_aggregator_conf cohort_conf = {
    .seats_max = 4, .slots = 1, .window = { .count_min = 1 }, .timing = { .beat_ms = 100 }
};
static const fl_secagg_server_conf blocks_conf = { .hop = 1 };

//  Make one and destroy it; false when it could not be made.
static bool
s_outbox(void)
{
    fl_outbox *outbox = fl_outbox_new(4);
    bool made = outbox != NULL;
    fl_outbox_destroy(&outbox);
    return made;
}

static bool
s_member(void)
{
    fl_participant *member = fl_participant_new(&member_conf);
    bool made = member != NULL;
    fl_participant_destroy(&member);
    return made;
}

static bool
s_masked_member(void)
{
    static const fl_secagg_client_conf masking = { .hop = 1, .again_ms = 1 };
    fl_participant_conf conf = device_conf;
    conf.masking = &masking;
    fl_participant *member = fl_participant_new(&conf);
    bool made = member != NULL;
    fl_participant_destroy(&member);
    return made;
}

static bool
s_cohort(void)
{
    fl_aggregator *aggregator = fl_aggregator_new(&cohort_conf);
    bool made = aggregator != NULL;
    fl_aggregator_destroy(&aggregator);
    return made;
}

static bool
s_masked_cohort(void)
{
    fl_aggregator_conf conf = cohort_conf;
    conf.masking = &blocks_conf;
    fl_aggregator *aggregator = fl_aggregator_new(&conf);
    bool made = aggregator != NULL;
    fl_aggregator_destroy(&aggregator);
    return made;
}

static bool
s_edge(void)
{
    fl_edge *edge =
        fl_edge_new(&(fl_edge_conf){ .participant = member_conf, .aggregator = cohort_conf });
    bool made = edge != NULL;
    fl_edge_destroy(&edge);
    return made;
}

static bool
s_device(void)
{
    fl_device *device = fl_device_new(&device_conf);
    bool made = device != NULL;
    fl_device_destroy(&device);
    return made;
}

static bool
s_root(void)
{
    fl_root *root = fl_root_new(&(fl_root_conf){ .aggregator = cohort_conf });
    bool made = root != NULL;
    fl_root_destroy(&root);
    return made;
}

static void
whatever_allocation_fails_a_machine_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(fl_crypto_init(NULL), FL_OK);
    const struct {
        bool (*make)(void);
        int allocations;
    } rows[] = {
        { s_outbox, 1 },        { s_member, 3 }, { s_masked_member, 2 }, { s_cohort, 5 },
        { s_masked_cohort, 7 }, { s_edge, 10 },  { s_device, 2 },        { s_root, 6 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int n = 0; n < rows[i].allocations; n++) {
            scarce_left = n;
            bool made = rows[i].make();
            scarce_left = -1;
            assert_false(made);
        }
        scarce_left = rows[i].allocations;
        bool made = rows[i].make();
        scarce_left = -1;
        assert_true(made);
    }
}

static void
an_edges_report_that_finds_no_room_is_refused_for_storage(void **state)
{
    (void)state;
    static uint8_t bytes[FL_ROLL_ENTRY_BYTES];
    fl_seats *roster = fl_seats_new(1);
    fl_uploads *collect = fl_uploads_new(roster, 1);
    fl_message hello = machine_hello(1, 4);
    fl_event event = machine_from_child(0, "e1", FL_ROLE_EDGE, &hello, 0);
    bool renewed;
    assert_int_equal(fl_seats_join(roster, &event, 0, &renewed), 0);
    fl_order order = machine_order(1);
    fl_uploads_open(collect, &order, 1, false, 1, machine_out);
    fl_seats_enter(roster, fl_seats_at(roster, 0), FL_SEAT_TASKED);
    fl_message contrib = machine_contrib(&order, 1, 0, 1, 5, 9);
    contrib.contrib.roll = fl_bytes_of(bytes, sizeof bytes);
    scarce_left = 0;
    fl_uploads_contrib(collect, 0, &contrib, 0, machine_out);
    scarce_left = -1;
    assert_true(machine_refuses(0, FL_CONTRIB, FL_WHY_STORAGE));
    assert_int_equal(fl_seats_look(roster, 0)->phase, FL_SEAT_REFUSED);
    fl_uploads_destroy(&collect);
    fl_seats_destroy(&roster);
}

static void
a_block_that_finds_no_room_is_aborted_for_storage(void **state)
{
    (void)state;
    fl_task task = { .attempt = 1, .order = machine_order(1) };
    task.order.plan.masking[0] = task.order.plan.masking[1] = FL_MASKING_MALICIOUS;
    task.order.plan.block_max = 64;
    task.order.plan.step_ms = 1000;
    for (int n = 0; n < 3; n++) { // two allocations, then there is enough
        fl_aggregator_conf conf = cohort_conf;
        conf.masking = &blocks_conf;
        conf.child_roles[0] = FL_ROLE_DEVICE;
        conf.window.time_max_ms = 1000;
        fl_aggregator *aggregator = fl_aggregator_new(&conf);
        fl_aggregator_model(aggregator, &task.order.run, &task.order.model, MACHINE_MODEL);
        for (fl_peer peer = 0; peer < 3; peer++) {
            static const char *const names[] = { "d0", "d1", "d2" };
            fl_message hello = machine_hello(1, 1);
            fl_event event = machine_from_child(peer, names[peer], FL_ROLE_DEVICE, &hello, 0);
            fl_aggregator_step(aggregator, &event, 0, machine_out);
        }
        machine_clear();
        scarce_left = n;
        fl_aggregator_open(aggregator, &task, FL_NEVER, 0, 10, machine_out);
        scarce_left = -1;
        fl_block_view view;
        assert_true(fl_aggregator_block(aggregator, 0, &view));
        assert_int_equal(view.line.reason, n < 2 ? FL_WHY_STORAGE : FL_WHY_NONE);
        assert_int_equal(view.state, n < 2 ? FL_SERVER_ABORTED : FL_SERVER_INVITED);
        assert_false(fl_aggregator_block(aggregator, 1, &view));
        for (uint32_t i = 0; i < 3; i++) {
            fl_outcome outcome = fl_aggregator_seat(aggregator, i).outcome;
            assert_int_equal(outcome, n < 2 ? FL_OUT_REFUSED : FL_OUT_ABSENT);
        }
        machine_clear();
        fl_aggregator_destroy(&aggregator);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_allocation_fails_a_machine_is_not_there),
        cmocka_unit_test(an_edges_report_that_finds_no_room_is_refused_for_storage),
        cmocka_unit_test(a_block_that_finds_no_room_is_aborted_for_storage),
    };
    return cmocka_run_group_tests(tests, machine_setup, machine_teardown);
}
