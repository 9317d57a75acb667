#include "common/admin/status_json.h"

#include "tests/support/unit.h"

#include "tests/support/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fl_outbox *out;
static fl_aggregator *aggregator;
static const fl_run run = { { 0xab, 0xcd } };

static int
s_start(const fl_secagg_server_conf *masking)
{
    const fl_aggregator_conf conf = { .node = { "cloud" },
                                  .child_roles = { FL_ROLE_EDGE, FL_ROLE_DEVICE },
                                  .seats_max = 8,
                                  .slots = 4,
                                  .expect = 3,
                                  .window = { .count_min = 1, .time_max_ms = 60000 },
                                  .timing = fl_timing_default(),
                                  .masking = masking };
    out = fl_outbox_new(4096);
    aggregator = fl_aggregator_new(&conf);
    fl_aggregator_model(aggregator, &run, &(fl_hash){ { 1 } }, 100);
    return out == NULL || aggregator == NULL;
}

static int
start(void **state)
{
    (void)state;
    return s_start(NULL);
}

static int
start_masked(void **state)
{
    (void)state;
    static const fl_secagg_server_conf masking = { .node = { "edge-a" }, .hop = 1 };
    return s_start(&masking);
}

static int
end(void **state)
{
    (void)state;
    fl_aggregator_destroy(&aggregator);
    fl_outbox_destroy(&out);
    return 0;
}

static void
tell(fl_peer from, const char *name, fl_role role, const fl_message *message)
{
    fl_event event = { .kind = FL_EV_MESSAGE,
                       .message = { .from = from, .role = role, .message = message } };
    assert_true(fl_name_parse(name, &event.message.node));
    fl_aggregator_step(aggregator, &event, 1000, out);
    fl_outbox_reset(out);
}

static void
hello(fl_peer from, const char *name, fl_role role, uint32_t leaves)
{
    const fl_message message = { .verb = FL_HELLO, .run = run,
                                 .hello = { .role = role, .incarnation = from + 1,
                                            .leaves = leaves } };
    tell(from, name, role, &message);
}

static void
leave(fl_peer from, const char *name, fl_role role)
{
    const fl_message message = { .verb = FL_LEAVE, .run = run, .leave = { FL_WHY_LEFT } };
    tell(from, name, role, &message);
}

//  With the masking that `asked` names.
static void
open_round(const fl_plan *asked)
{
    fl_task task = { .attempt = 1,
                     .order = {
                         .run = run,
                         .round = 7,
                         .model = { { 1 } },
                         .model_bytes = 100,
                         .elements = 10,
                         .plan = { .clip = 1,
                                   .bits = 8,
                                   .weight_unit = 1,
                                   .weight_max = 100,
                                   .devices_max = 8,
                                   .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } } } } };
    memcpy(task.order.plan.masking, asked->masking, sizeof asked->masking);
    task.order.plan.block_max = asked->block_max;
    task.order.plan.step_ms = asked->step_ms;
    fl_aggregator_open(aggregator, &task, asked->step_ms > 0 ? 61000 : FL_NEVER, 0, 1000, out);
    fl_outbox_reset(out);
}

static fl_status_input
input_of_root(const fl_root_view *root)
{
    return (fl_status_input){ .tier = "root", .version = "0.1.0", .node = { "cloud" }, .run = run,
                            .uptime_ms = 12345, .now = 1000, .root = root,
                            .aggregator = aggregator };
}

//  So many devices below edge-a, in the report of the round before.
static void
remember(uint32_t devices)
{
    fl_roll_entry *roll = calloc(1 + devices, sizeof *roll);
    assert_non_null(roll);
    roll[0] = (fl_roll_entry){ .node = { "edge-a" }, .parent = { "cloud" }, .outcome = FL_OUT_IN };
    for (uint32_t i = 0; i < devices; i++) {
        roll[1 + i] = (fl_roll_entry){ .parent = { "edge-a" },
                                       .outcome = FL_OUT_REFUSED,
                                       .reason = FL_WHY_ROSTER_TOO_SMALL };
        (void)snprintf(roll[1 + i].node.name, sizeof roll[1 + i].node.name, "dev-%u", i);
    }
    fl_aggregator_remember(aggregator, roll, 1 + devices);
    free(roll);
}

static void
the_devices_below_an_edge_are_named(void **state)
{
    (void)state;
    const fl_root_view root = { .phase = FL_ROOT_COLLECTING, .round = 7, .rounds = 20 };
    remember(2);
    fl_status_input input = input_of_root(&root);
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "children/0/below/1/node", "dev-1");
    assert_text(json, "children/0/below/1/parent", "edge-a");
    assert_text(json, "children/0/below/1/outcome", "refused");
    assert_text(json, "children/0/below/1/reason", "roster-too-small");
    assert_whole(json, "children/0/told_round", 0);
    assert_whole(json, "below_dropped", 0);
    json_decref(json);
    open_round(&(fl_plan){ 0 }); // without edge-a
    json = json_of(fl_status_json(&input));
    assert_true(json_is_false(json_at(json, "children/0/present")));
    assert_text(json, "children/0/below/1/outcome", "absent");
    assert_text(json, "children/0/below/1/reason", "silent");
    assert_whole(json, "tally/absent", 2);
    json_decref(json);
}

static void
a_waiting_root_says_for_whom_and_for_how_long(void **state)
{
    (void)state;
    hello(0, "edge-a", FL_ROLE_EDGE, 4);
    hello(1, "edge-b", FL_ROLE_EDGE, 4);
    hello(2, "edge-c", FL_ROLE_EDGE, 0);
    leave(1, "edge-b", FL_ROLE_EDGE);
    const fl_root_view root = { .phase = FL_ROOT_WAITING,
                                .round = 7,
                                .rounds = 20,
                                .ready = 1,
                                .resting = 1,
                                .expect = 3,
                                .leaves = 4,
                                .expect_leaves = 12,
                                .left_ms = 14000,
                                .loss = NAN,
                                .accuracy = NAN };
    const fl_status_input input = input_of_root(&root);
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "tier", "root");
    assert_text(json, "node", "cloud");
    assert_text(json, "run", "abcd0000000000000000000000000000");
    assert_text(json, "version", "0.1.0");
    assert_whole(json, "uptime_s", 12);
    assert_text(json, "phase", "waiting");
    assert_text(json, "waiting/for", "children");
    assert_whole(json, "waiting/ready", 1);
    assert_whole(json, "waiting/expect", 3);
    assert_whole(json, "waiting/leaves", 4);
    assert_whole(json, "waiting/expect_leaves", 12);
    assert_whole(json, "waiting/left_ms", 14000);
    assert_whole(json, "waiting/resting", 1);
    assert_int_equal(json_array_size(json_at(json, "waiting/missing")), 2);
    assert_text(json, "waiting/missing/0", "edge-b");
    assert_text(json, "waiting/missing/1", "edge-c");
    assert_null_at(json, "loss");
    assert_null_at(json, "accuracy");
    assert_null_at(json, "eta_s");
    assert_null_at(json, "reason");
    assert_null_at(json, "member");
    assert_true(json_is_true(json_at(json, "encrypted")));
    assert_text(json, "masking", "unmasked");
    assert_true(json_is_false(json_at(json, "masked")));
    assert_true(json_is_false(json_at(json, "final")));
    assert_int_equal(json_array_size(json_at(json, "children")), 3);
    assert_text(json, "children/0/node", "edge-a");
    assert_text(json, "children/0/role", "edge");
    assert_true(json_is_true(json_at(json, "children/0/present")));
    assert_true(json_is_false(json_at(json, "children/1/present")));
    assert_whole(json, "children/0/leaves", 4);
    assert_whole(json, "children/0/rounds/in", 0);
    assert_whole(json, "children_dropped", 0);
    json_decref(json);
}

static void
a_collecting_root_says_whose_contribution_it_waits_for(void **state)
{
    (void)state;
    hello(0, "edge-a", FL_ROLE_EDGE, 4);
    hello(1, "edge-b", FL_ROLE_EDGE, 3);
    open_round(&(fl_plan){ 0 });
    const fl_message beat = { .verb = FL_BEAT, .run = run, .round = 7,
                              .beat = { .seat = 0, .epoch = 1, .attempt = 1,
                                        .activity = FL_DOING_COLLECT, .done = 2, .total = 4,
                                        .leaves = 4, .samples = 900,
                                        .tally = { .invited = 4, .in = 2, .late = 1,
                                                   .bytes_up = 77, .masked = 4,
                                                   .recovered = 1, .aborted = 3 } } };
    tell(0, "edge-a", FL_ROLE_EDGE, &beat);
    leave(1, "edge-b", FL_ROLE_EDGE);
    const fl_root_view root = { .phase = FL_ROOT_COLLECTING,
                                .round = 7,
                                .rounds = 20,
                                .attempt = 1,
                                .left_ms = 3200,
                                .phase_ms = 500,
                                .round_ms = 2000,
                                .loss = 0.5,
                                .accuracy = 0.75,
                                .masking = { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS },
                                .bad = 3 };
    const fl_status_input input = input_of_root(&root);
    json_t *json = json_of(fl_status_json(&input));
    assert_whole(json, "pools/bad", 3);
    assert_text(json, "waiting/for", "contributions");
    assert_whole(json, "waiting/ready", 0);
    assert_whole(json, "waiting/expect", 1);
    assert_whole(json, "waiting/leaves", 2);
    assert_whole(json, "waiting/expect_leaves", 4);
    assert_text(json, "waiting/missing/0", "edge-a");
    assert_int_equal(json_array_size(json_at(json, "waiting/missing")), 1);
    assert_text(json, "children/0/activity", "collect");
    assert_whole(json, "children/0/done", 2);
    assert_whole(json, "children/0/total", 4);
    assert_whole(json, "children/0/samples", 900);
    assert_whole(json, "children/0/tally/in", 2);
    assert_whole(json, "children/0/tally/late", 1);
    assert_whole(json, "children/0/tally/bytes_up", 77);
    assert_whole(json, "children/0/tally/masked", 4);
    assert_whole(json, "children/0/tally/recovered", 1);
    assert_whole(json, "children/0/tally/aborted", 3);
    assert_text(json, "masking", "malicious");
    assert_true(json_is_true(json_at(json, "masked")));
    assert_null_at(json, "children/0/reason");
    assert_text(json, "children/1/outcome", "absent");
    assert_text(json, "children/1/reason", "left");
    //  What is left of this round, then 13 more.
    assert_true(fabs(json_real_value(json_at(json, "eta_s")) - (1.5 + 13 * 2.0)) < 1e-9);
    assert_true(json_real_value(json_at(json, "loss")) == 0.5);
    assert_true(json_real_value(json_at(json, "accuracy")) == 0.75);
    json_decref(json);
}

static void
a_run_that_is_over_says_how(void **state)
{
    (void)state;
    const fl_root_view root = { .phase = FL_ROOT_DONE, .round = 3, .rounds = 20, .round_ms = 100,
                                .loss = NAN, .accuracy = NAN, .aborted = true,
                                .reason = FL_WHY_QUORUM };
    const fl_status_input input = input_of_root(&root);
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "done");
    assert_true(json_is_true(json_at(json, "final")));
    assert_true(json_is_true(json_at(json, "aborted")));
    assert_text(json, "reason", "quorum");
    assert_null_at(json, "waiting");
    assert_null_at(json, "eta_s");
    assert_null_at(json, "best_round");
    assert_null_at(json, "best_score");
    json_decref(json);
    const fl_root_view early = { .phase = FL_ROOT_DONE, .round = 3, .rounds = 20, .best_round = 2,
                                 .best_score = 0.5, .reason = FL_WHY_PATIENCE };
    const fl_status_input done = input_of_root(&early);
    json = json_of(fl_status_json(&done));
    assert_false(json_is_true(json_at(json, "aborted")));
    assert_text(json, "reason", "patience");
    assert_whole(json, "best_round", 2);
    assert_true(json_real_value(json_at(json, "best_score")) == 0.5);
    json_decref(json);
}

static void
a_root_that_waits_for_nobody_says_nothing_of_waiting(void **state)
{
    (void)state;
    static const fl_root_phase busy[] = { FL_ROOT_IDLE, FL_ROOT_OPENING, FL_ROOT_APPLYING,
                                          FL_ROOT_SAVING };
    for (unsigned i = 0; i < sizeof busy / sizeof *busy; i++) {
        const fl_root_view root = { .phase = busy[i], .round = 1, .rounds = 2 };
        const fl_status_input input = input_of_root(&root);
        json_t *json = json_of(fl_status_json(&input));
        assert_null_at(json, "waiting");
        assert_text(json, "phase", fl_root_phase_name(busy[i]));
        json_decref(json);
    }
}

static fl_participant *
new_member(void)
{
    const fl_participant_conf conf = { .node = { "dev-1" },
                                  .role = FL_ROLE_DEVICE, .incarnation = 1,
                                  .seed = 1, .beat_ms = 1000, .backoff_min_ms = 100,
                                  .backoff_max_ms = 1000 };
    fl_participant *participant = fl_participant_new(&conf);
    assert_non_null(participant);
    return participant;
}

static void
hear(fl_participant *participant, fl_message message)
{
    const fl_event event = { .kind = FL_EV_MESSAGE,
                             .message = { .from = FL_PARENT, .message = &message } };
    fl_participant_step(participant, &event, 1000, out);
    fl_outbox_reset(out);
}

static void
welcome(fl_participant *participant)
{
    fl_participant_step(participant, &(fl_event){ .kind = FL_EV_TICK }, 1000, out);
    hear(participant,
         (fl_message){
             .verb = FL_WELCOME,
             .run = run,
             .welcome = { .seat = 0, .epoch = 1, .beat_ms = 1000, .up_port = 1, .down_port = 2 } });
}

static void
a_device_waits_for_its_parent_and_then_for_a_task(void **state)
{
    (void)state;
    fl_participant *participant = new_member();
    fl_status_input input = { .tier = "device", .version = "0.1.0", .node = { "dev-1" },
                            .now = 1000, .parent = "tcp://edge-a:7001",
                            .participant = participant };
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "joining");
    assert_null_at(json, "masking"); // no order in hand
    assert_null_at(json, "masked");
    assert_null_at(json, "run");
    assert_null_at(json, "rounds");
    assert_text(json, "waiting/for", "parent");
    assert_null_at(json, "waiting/left_ms");
    assert_text(json, "member/parent", "tcp://edge-a:7001");
    assert_true(json_is_false(json_at(json, "member/joined")));
    assert_int_equal(json_array_size(json_at(json, "children")), 0);
    json_decref(json);
    welcome(participant);
    json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "nothing");
    assert_text(json, "waiting/for", "task");
    assert_true(json_is_true(json_at(json, "member/joined")));
    assert_text(json, "member/activity", "nothing");
    json_decref(json);
    hear(participant,
         (fl_message){ .verb = FL_BEAT,
                       .beat = { .activity = FL_DOING_PAUSED, .done = FL_WHY_STORAGE } });
    json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "paused");
    assert_text(json, "reason", "storage");
    json_decref(json);
    input.final = true;
    json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "done");
    assert_null_at(json, "waiting");
    assert_true(json_is_true(json_at(json, "final")));
    json_decref(json);
    fl_participant_destroy(&participant);
}

static void
an_edge_shows_both_of_its_sides(void **state)
{
    (void)state;
    fl_participant *participant = new_member();
    welcome(participant);
    hello(0, "dev-1", FL_ROLE_DEVICE, 1);
    hello(1, "dev-2", FL_ROLE_DEVICE, 1);
    open_round(&(fl_plan){ 0 });
    const fl_status_input input = { .tier = "edge", .version = "0.1.0", .node = { "edge-a" },
                                  .run = run, .now = 1000, .round = 7,
                                  .parent = "tcp://cloud:7000", .aggregator = aggregator,
                                  .participant = participant };
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "collecting");
    assert_whole(json, "round", 7);
    assert_text(json, "waiting/for", "contributions");
    assert_whole(json, "waiting/expect", 2);
    assert_whole(json, "waiting/left_ms", fl_aggregator_cutoff(aggregator) - 1000);
    assert_whole(json, "leaves", 2);
    assert_true(json_is_true(json_at(json, "member/joined")));
    assert_int_equal(json_array_size(json_at(json, "children")), 2);
    json_decref(json);
    fl_participant_destroy(&participant);
}

static void
a_status_without_a_machine_is_complete(void **state)
{
    (void)state;
    const fl_status_input input = { .tier = "edge", .version = "0.1.0" };
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "idle");
    assert_null_at(json, "waiting");
    assert_whole(json, "left_ms", 0);
    json_decref(json);
}

static void
counters_are_shown_when_they_are_not_zero(void **state)
{
    (void)state;
    fl_metrics metrics = { .contrib_late_total = 2, .net_admitted_total = 3,
                           .net_cut_flood_total = 1, .net_turns_total = 0 };
    metrics.net_bytes_in_total[FL_WAY_UP] = 1234;
    metrics.net_bytes_out_total[FL_WAY_PARENT] = 99;
    metrics.net_dropped_total[FL_DROP_FULL] = 5;
    metrics.net_codec_total[FL_CODEC_GUARD] = 6;
    metrics.net_refused_total[FL_WHY_REVOKED] = UINT64_MAX;
    const fl_status_input input = { .tier = "edge", .version = "0.1.0", .metrics = &metrics };
    json_t *json = json_of(fl_status_json(&input));
    assert_whole(json, "bytes/up/in", 1234);
    assert_whole(json, "bytes/up/out", 0);
    assert_whole(json, "bytes/parent/out", 99);
    assert_int_equal(json_object_size(json_at(json, "bytes")), FL_WAYS);
    assert_whole(json, "counters/fl_net_admitted", 3);
    assert_whole(json, "counters/fl_net_cut_flood", 1);
    assert_whole(json, "counters/fl_net_dropped_full", 5);
    assert_whole(json, "counters/fl_net_codec_guard", 6);
    assert_whole(json, "counters/fl_net_refused_revoked", INT64_MAX);
    assert_whole(json, "counters/fl_contrib_late_total", 2);
    assert_int_equal(json_object_size(json_at(json, "counters")), 6);
    json_decref(json);
}

static void
a_status_shows_each_block_and_how_far_it_has_come(void **state)
{
    (void)state;
    const fl_status_input input = { .tier = "edge", .version = "0.1.0", .aggregator = aggregator };
    for (uint32_t i = 0; i < 6; i++) {
        const char name[] = { 'd', 'e', 'v', (char)('0' + i), '\0' };
        hello(i, name, FL_ROLE_DEVICE, 1);
    }
    json_t *json = json_of(fl_status_json(&input));
    assert_int_equal(json_array_size(json_at(json, "blocks")), 0); // no round yet
    json_decref(json);
    open_round(&(fl_plan){ .masking = { FL_MASKING_MALICIOUS, FL_MASKING_MALICIOUS },
                           .block_max = 3,
                           .step_ms = 100 });
    json = json_of(fl_status_json(&input));
    assert_int_equal(json_array_size(json_at(json, "blocks")), 2);
    assert_text(json, "blocks/0/tier", "devices");
    assert_text(json, "blocks/0/parent", "edge-a");
    assert_text(json, "blocks/1/state", "invited");
    assert_whole(json, "blocks/1/block", 1);
    assert_whole(json, "blocks/1/members", 0); // nobody has said KEYS
    assert_true(json_is_false(json_at(json, "blocks/1/aborted")));
    assert_null_at(json, "blocks/1/reason");
    json_decref(json);
    fl_aggregator_abandon(aggregator, FL_WHY_RESTART, 2000, out);
    fl_outbox_reset(out);
    json = json_of(fl_status_json(&input));
    assert_text(json, "blocks/0/state", "aborted");
    assert_true(json_is_true(json_at(json, "blocks/0/aborted")));
    json_decref(json);
}

static void
a_drain_is_the_phase_until_it_is_undone(void **state)
{
    (void)state;
    fl_root_view root = { .phase = FL_ROOT_COLLECTING, .rests = FL_WHY_DRAIN, .busy = true };
    fl_status_input input = input_of_root(&root);
    const fl_message rests = { .verb = FL_REFUSED,
                               .refused = { .reason = FL_WHY_DRAIN, .about = FL_TASK } };
    hello(1, "edge-a", FL_ROLE_EDGE, 2);
    tell(1, "edge-a", FL_ROLE_EDGE, &rests);
    json_t *json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "draining");
    assert_true(json_is_true(json_at(json, "children/0/rests")));
    assert_text(json, "children/0/outcome", "idle");
    assert_text(json, "children/0/reason", "drain");
    json_decref(json);
    root.busy = false;
    json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "drained");
    json_decref(json);
    root.rests = FL_WHY_NONE;
    json = json_of(fl_status_json(&input));
    assert_text(json, "phase", "collecting");
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(the_devices_below_an_edge_are_named, start, end),
        unit_case(a_waiting_root_says_for_whom_and_for_how_long, start, end),
        unit_case(a_collecting_root_says_whose_contribution_it_waits_for, start, end),
        unit_case(a_run_that_is_over_says_how, start, end),
        unit_case(a_root_that_waits_for_nobody_says_nothing_of_waiting, start, end),
        unit_case(a_device_waits_for_its_parent_and_then_for_a_task, start, end),
        unit_case(an_edge_shows_both_of_its_sides, start, end),
        unit_case(a_status_shows_each_block_and_how_far_it_has_come, start_masked, end),
        cmocka_unit_test(a_status_without_a_machine_is_complete),
        cmocka_unit_test(counters_are_shown_when_they_are_not_zero),
        unit_case(a_drain_is_the_phase_until_it_is_undone, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
