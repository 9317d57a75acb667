//  Every machine in a storm (tests/support/storm.h): it never panics, never overfills its outbox,
//  says nothing that the codec would refuse, counts nobody twice and always knows when to wake up.
//  `storm_test STEPS` blows longer.
#include "tests/support/storm.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "cloud/root.h"
#include "device/device.h"
#include "edge/edge.h"

static uint64_t steps = 120000;

static fl_aggregator_conf
s_cohort_conf(void)
{
    static const fl_missed missed[] = { FL_MISSED_EXTEND, FL_MISSED_SKIP, FL_MISSED_SKIP };
    return (fl_aggregator_conf){ .node = machine_node("self"),
                                 .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                 .seats_max = STORM_SEATS,
                                 .slots = STORM_SLOTS,
                                 .window = { .count_min = (uint32_t)(1 + storm_below(2)),
                                             .count_max = (uint32_t)storm_below(5),
                                             .time_max_ms = 1500,
                                             .factor_permille = storm_chance(50) ? 2000 : 0,
                                             .missed = missed[storm_below(3)],
                                             .extend_ms = 300,
                                             .extends_max = 2 },
                                 .timing = { .beat_ms = 100,
                                             .evasive_beats = 6,
                                             .lease_beats = 20,
                                             .hop_ms = 5,
                                             .finish_ms = 10,
                                             .rate_min = 1000,
                                             .rate_window_ms = 500 } };
}

static fl_participant_conf
s_member_conf(fl_role role)
{
    return (fl_participant_conf){ .node = machine_node("self"),
                                  .role = role,
                                  .incarnation = fl_rng_u64(&storm.rng),
                                  .beat_ms = 100,
                                  .backoff_min_ms = 20,
                                  .backoff_max_ms = 100 };
}

static void
a_device_survives_any_parent(void **state)
{
    (void)state;
    uint64_t pushes = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        storm_begin(seed, (fl_machine){ 0 });
        fl_participant_conf conf = s_member_conf(FL_ROLE_DEVICE);
        fl_device *device = fl_device_new(&conf);
        storm.machine = fl_device_machine(device);
        for (uint64_t i = 0; i < steps / 8; i++) {
            if (storm.job_count > 0 && storm_chance(25)) {
                storm_answer();
            } else if (storm_chance(70)) {
                storm_hear_parent();
            } else {
                storm_pass_time();
            }
            assert_true(fl_device_machine(device).deadline(device) < FL_NEVER);
        }
        pushes += storm.pushes;
        fl_device_destroy(&device);
    }
    assert_true(pushes > steps / 500); // the storm reached the far end of the machine
}

static void
an_edge_survives_any_parent_and_any_children(void **state)
{
    (void)state;
    uint64_t rounds = 0, folds = 0, pushes = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        storm_begin(seed, (fl_machine){ 0 });
        fl_edge_conf conf = { .participant = s_member_conf(FL_ROLE_EDGE),
                              .aggregator = s_cohort_conf() };
        fl_edge *edge = fl_edge_new(&conf);
        storm.machine = fl_edge_machine(edge);
        for (uint64_t i = 0; i < steps / 8; i++) {
            uint64_t choice = storm_below(1000);
            if (storm.job_count > 0 && choice < 250) {
                storm_answer();
            } else if (choice < 600) {
                storm_hear_child();
            } else if (choice < 780) {
                storm_hear_parent();
            } else if (choice < 782) {
                storm_gone();
            } else {
                storm_pass_time();
            }
            if (fl_edge_round(edge) != 0) {
                storm.round = fl_edge_round(edge);
            }
            assert_true(fl_edge_machine(edge).deadline(edge) < FL_NEVER);
        }
        rounds += storm.rounds;
        folds += storm.folds;
        pushes += storm.pushes;
        fl_edge_destroy(&edge);
    }
    assert_true(rounds > steps / 5000 && folds > steps / 10000 && pushes > steps / 20000);
}

static fl_root *
s_new_root(void)
{
    fl_root_conf conf = { .aggregator = s_cohort_conf(),
                          .plan = machine_plan(),
                          .rounds = 1000000,
                          .start_wait_ms = 500 };
    fl_root *root = fl_root_new(&conf);
    storm.machine = fl_root_machine(root);
    fl_event event = { .kind = FL_EV_START };
    event.start.round = 1;
    event.start.run = machine_run(1);
    event.start.model = machine_hash(1);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = STORM_VECTOR / 4;
    storm_step(&event);
    return root;
}

//  A root that is done has said so; a new one takes its place.
static bool
s_root_done(const fl_root *root)
{
    return fl_root_look(root, storm.now).phase == FL_ROOT_DONE && storm.job_count == 0;
}

static void
a_root_survives_any_children_and_no_round_outlives_its_window(void **state)
{
    (void)state;
    uint64_t rounds = 0, folds = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        storm_begin(seed, (fl_machine){ 0 });
        fl_root *root = s_new_root();
        fl_time waits_since = 0;
        for (uint64_t i = 0; i < steps / 8; i++) {
            uint64_t choice = storm_below(1000);
            if (storm.job_count > 0 && choice < 300) {
                storm_answer();
            } else if (choice < 850) {
                storm_hear_child();
            } else if (choice < 852) {
                storm_gone();
            } else {
                storm_pass_time();
            }
            fl_root_view view = fl_root_look(root, storm.now);
            storm.round = view.round;
            bool open = fl_aggregator_cutoff(fl_root_aggregator(root)) != FL_NEVER;
            waits_since = open ? waits_since : storm.now;
            assert_true(storm.now - waits_since <= 1500 + 2 * 300 + 2000); // one jump of the clock
            if (s_root_done(root)) {
                fl_root_destroy(&root);
                uint64_t before = storm.rounds, folded = storm.folds;
                storm_begin(fl_rng_u64(&storm.rng), (fl_machine){ 0 });
                root = s_new_root();
                storm.rounds = before;
                storm.folds = folded;
                waits_since = 0;
            }
        }
        rounds += storm.rounds;
        folds += storm.folds;
        fl_root_destroy(&root);
    }
    assert_true(rounds > steps / 1000 && folds > steps / 1000);
}

int
main(int argc, char **argv)
{
    if (argc > 1) {
        steps = strtoull(argv[1], NULL, 10);
    }
    machine_out = fl_outbox_new(STORM_ROOM);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_survives_any_parent),
        cmocka_unit_test(an_edge_survives_any_parent_and_any_children),
        cmocka_unit_test(a_root_survives_any_children_and_no_round_outlives_its_window),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fl_outbox_destroy(&machine_out);
    return failed;
}
