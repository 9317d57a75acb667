#include "tests/support/unit.h"

#include "tests/support/stage.h"

#include <stdlib.h>

#include "common/base/status.h"

enum { PATIENCE_MS = 200000 };

fl_sim *stage;

// ---- a world ----------------------------------------------------------------------------------
fl_sim_layout
stage_layout(uint32_t edges, uint32_t devices, fl_masking masking)
{
    bool masked = masking != FL_MASKING_NONE;
    return (fl_sim_layout){
        .edges = edges,
        .devices = devices,
        .rounds = 2,
        .slots = 4,
        .train_ms = 20,
        .plan = { .clip = 1.0f,
                  .bits = 8,
                  .weight_unit = 10,
                  .weight_max = 4,
                  .devices_max = 64,
                  .recipe = { 2, { { "batch", 1 }, { "epochs", 1 } } },
                  .masking = { (uint8_t)masking, (uint8_t)masking },
                  .block_max = masked ? FL_MEMBERS_MAX : 0,
                  .step_ms = masked ? 1000 : 0 },
        .window = { .count_min = 1, .time_max_ms = 16000, .missed = FL_MISSED_SKIP },
        .timing = { .beat_ms = 500,
                    .evasive_beats = 3,
                    .lease_beats = 6,
                    .hop_ms = 10,
                    .finish_ms = 50,
                    .join_wait_ms = 1000,
                    .rate_min = 1,
                    .rate_window_ms = 100000 },
    };
}

void
stage_open(const fl_sim_layout *layout)
{
    bool trace = getenv("FL_STAGE_TRACE") != NULL;
    stage = fl_sim_open(&(fl_sim_setup){ .seed = 1, .layout = layout, .trace = trace });
}

void
stage_begin(uint32_t devices)
{
    fl_sim_layout layout = stage_layout(0, devices, FL_MASKING_MALICIOUS);
    stage_open(&layout);
}

static void
s_assert_well(void)
{
    if (stage->notary.failed != CHECK_NONE) {
        fail_msg("%s: %s", fl_sim_checker_name(stage->notary.failed), stage->notary.sentence);
    }
}

void
stage_close(void)
{
    s_assert_well();
    fl_sim_close(&stage);
    fl_sim_mint_release();
}

void
stage_end(void)
{
    while (fl_sim_go_on(stage)) {
    }
    if (stage->notary.failed == CHECK_NONE) {
        fl_sim_check_end(stage);
    }
    stage_close();
}

// ---- time -------------------------------------------------------------------------------------
static void
s_go_on(fl_time latest)
{
    bool more = fl_sim_go_on(stage);
    s_assert_well();
    assert_true(more && stage->now < latest);
}

void
stage_pass(fl_time ms)
{
    fl_time until = stage->now + ms;
    while (stage->heap_count > 0 && stage->heap[0].at <= until && fl_sim_go_on(stage)) {
    }
    s_assert_well();
    stage->now = until;
}

static void
s_until(const uint32_t *count)
{
    uint32_t before = *count;
    fl_time latest = stage->now + PATIENCE_MS;
    while (*count == before) {
        s_go_on(latest);
    }
}

void
stage_until_said(uint32_t node, fl_verb verb)
{
    s_until(&stage->nodes[node].said[verb]);
}

void
stage_until_told(uint32_t node, fl_verb verb)
{
    s_until(&stage->nodes[node].told[verb]);
}

void
stage_until_noted(uint32_t node, fl_note_id id)
{
    s_until(&stage->nodes[node].noted[id]);
}

const fl_report *
stage_closed(uint64_t round)
{
    fl_time latest = stage->now + PATIENCE_MS;
    while (stage->closed == NULL || stage->closed->report.round < round) {
        s_go_on(latest);
    }
    return &stage->closed->report;
}

static fl_root *
s_root(void)
{
    return fl_tracks_root(stage->nodes[0].tracks, 0);
}

// ---- words ------------------------------------------------------------------------------------
fl_message
stage_message(fl_verb verb)
{
    return (fl_message){ .verb = verb,
                         .run = stage->run,
                         .round = fl_root_look(s_root(), stage->now).round };
}

void
stage_say(uint32_t child, const fl_message *message)
{
    fl_sim_send(stage, stage->nodes[child].link, true, SIM_CONTROL, message, NULL);
}

void
stage_refuse(uint32_t child, fl_verb about, fl_reason reason)
{
    fl_message message = stage_message(FL_REFUSED);
    message.refused = (fl_refused){ .reason = reason, .about = about };
    fl_sim_send(stage, stage->nodes[child].link, false, SIM_CONTROL, &message, NULL);
}

void
stage_hear(uint32_t node, const fl_message *message)
{
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = FL_PARENT;
    event.message.message = message;
    fl_sim_node_step(stage, &stage->nodes[node], &event, NULL);
    s_assert_well();
}

void
stage_hear_from(uint32_t parent, fl_peer peer, const fl_message *message, uint32_t body_bytes)
{
    fl_sim_node *node = &stage->nodes[parent];
    const fl_sim_node *child = &stage->nodes[node->children[peer % node->child_count]];
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = peer;
    event.message.node = child->name;
    event.message.role = child->role;
    event.message.message = message;
    event.message.body_bytes = body_bytes;
    fl_sim_node_step(stage, node, &event, NULL);
    s_assert_well();
}

// ---- looks ------------------------------------------------------------------------------------
const fl_aggregator *
stage_cohort(uint32_t node)
{
    const fl_sim_node *at = &stage->nodes[node];
    return node == 0 ? fl_root_aggregator(s_root()) : fl_edge_aggregator(at->edge);
}

const fl_participant *
stage_member(uint32_t node)
{
    const fl_sim_node *at = &stage->nodes[node];
    return at->role == FL_ROLE_EDGE ? fl_edge_participant(at->edge)
                                    : fl_device_participant(at->device);
}

void
stage_assert_outcome(uint32_t node, fl_outcome outcome, fl_reason reason)
{
    const fl_report *report = &stage->closed->report;
    for (uint32_t i = 0; i < report->roll_count; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        if (fl_name_equal(&entry->node, &stage->nodes[node].name)) {
            if (entry->outcome != outcome || entry->reason != reason) {
                fail_msg("%s is %s for %s", entry->node.name, fl_outcome_name(entry->outcome),
                         fl_reason_name(entry->reason));
            }
            return;
        }
    }
    fail_msg("the report does not name %s", stage->nodes[node].name.name);
}
