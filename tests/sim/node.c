//  A node of the tree: one of the three machines as it runs in life, and the driver that obeys it.
//  The loop of a reactor in small: step, carry out each effect in order, ask when to wake.
#include <inttypes.h>
#include <string.h>

#include "tests/sim/sim.h"

// ---- birth and death --------------------------------------------------------------------------
static fl_participant_conf
s_member_conf(fl_sim *sim, fl_sim_node *node)
{
    node->fate.incarnation = fl_rng_u64(&sim->work_rng);
    return (fl_participant_conf){
        .node = node->name,
        .role = node->role,
        .incarnation = node->fate.incarnation,
        .seed = fl_rng_u64(&sim->work_rng),
        .beat_ms = sim->timing.beat_ms,
        .backoff_min_ms = 100,
        .backoff_max_ms = 2000,
        .samples = node->samples,
        .masking = fl_plan_masks(&sim->plan) ? &node->masks.member : NULL,
        .mark = node->masks.marked ? &node->masks.given_mark : NULL,
    };
}

static fl_aggregator_conf
s_cohort_conf(const fl_sim *sim, const fl_sim_node *node)
{
    fl_aggregator_conf conf = {
        .node = node->name,
        .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
        .seats_max = node->kin + 2, // and a copy, or other keys
        .slots = node->slot_count,
        .expect = sim->expect ? node->kin : 0,
        .absent_max = sim->plant == PLANT_WAIT_FOR_GONE ? 0 : SIM_ABSENT_MAX,
        .vector = node->role == FL_ROLE_EDGE,
        .window = node->window,
        .timing = sim->timing,
        .masking = fl_plan_masks(&sim->plan) ? &node->masks.aggregator : NULL,
        .facts = node->masks.given[0].views,
        .fact_count = node->masks.given[0].count,
    };
    if (sim->plant == PLANT_LOW_QUORUM) {
        conf.window.count_min = 1;
    }
    return conf;
}

//  As long as a round may last with all its extensions.
static uint64_t
s_patience_ms(const fl_sim *sim, const fl_sim_node *node)
{
    const uint32_t times =
        node->window.missed == FL_MISSED_ABORT ? 1 : node->window.extends_max + 1;
    return (uint64_t)times * sim->start_wait_ms;
}

fl_root_conf
fl_sim_root_conf(const fl_sim *sim, const fl_sim_node *node)
{
    const fl_pooler pooler = { .self = (void *)(uintptr_t)sim, .give = fl_sim_pools_give };
    return (fl_root_conf){ .aggregator = s_cohort_conf(sim, node),
                           .pooler = pooler,
                           .plan = sim->plan,
                           .rounds = sim->rounds,
                           .expect_leaves = sim->expect_leaves,
                           .start_wait_ms = sim->start_wait_ms,
                           .patience_ms = sim->patient ? 0 : s_patience_ms(sim, node) };
}

static void
s_make_machine(fl_sim *sim, fl_sim_node *node)
{
    if (node->role == FL_ROLE_ROOT) {
        const fl_root_conf conf = fl_sim_root_conf(sim, node);
        node->tracks = fl_tracks_new(&conf);
        FL_ASSERT(node->tracks != NULL);
        node->machine = fl_tracks_machine(node->tracks);
    } else if (node->role == FL_ROLE_EDGE) {
        fl_edge_conf conf = { .participant = s_member_conf(sim, node),
                              .aggregator = s_cohort_conf(sim, node),
                              .last_run = node->ledger.open_run,
                              .last_round = node->ledger.open_round,
                              .last_attempt = node->ledger.open_attempt,
                              .kept = node->masks.heads,
                              .kept_count =
                                  node->masks.heads == NULL ? 0 : node->masks.kept_count };
        const fl_sim_era *era = fl_sim_era_of(sim, &conf.last_run);
        if (era != NULL) {
            conf.members = node->ledger.members[era - sim->eras].roll;
            conf.member_count = node->ledger.members[era - sim->eras].count;
        }
        node->edge = fl_edge_new(&conf);
        FL_ASSERT(node->edge != NULL);
        node->machine = fl_edge_machine(node->edge);
    } else {
        fl_participant_conf conf = s_member_conf(sim, node);
        node->device = fl_device_new(&conf);
        FL_ASSERT(node->device != NULL);
        node->machine = fl_device_machine(node->device);
    }
}

static void
s_destroy_machine(fl_sim_node *node)
{
    if (node->role == FL_ROLE_ROOT) {
        fl_runs_destroy(&node->runs);
        fl_tracks_destroy(&node->tracks);
    } else if (node->role == FL_ROLE_EDGE) {
        fl_edge_destroy(&node->edge);
    } else {
        fl_device_destroy(&node->device);
    }
}

static void
s_rearm(fl_sim *sim, fl_sim_node *node)
{
    fl_time at = node->machine.deadline(node->machine.self);
    if (at == FL_NEVER) {
        return;
    }
    at = at > sim->now ? at + (fl_time)fl_rng_below(&sim->work_rng, 3) : sim->now;
    if (at < node->tick_at) {
        node->tick_at = at;
        node->tick_id = ++sim->next_id;
        fl_sim_push(sim, (fl_sim_item){ .at = at,
                                        .id = node->tick_id,
                                        .what = SIM_AT_TICK,
                                        .node = node->index,
                                        .life = node->life });
    }
}

void
fl_sim_node_start(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_trace(sim, "%s starts", node->name.name);
    node->alive = true;
    node->stopping = false;
    node->fate.drained = false;
    node->tick_at = FL_NEVER;
    node->crew_at = sim->now;
    node->ledger_at = sim->now;
    if (node->parent != SIM_NONE) {
        sim->links[node->link].open[SIM_CONTROL] = true;
    }
    fl_sim_mask_start(sim, node);
    s_make_machine(sim, node);
    if (node->role == FL_ROLE_ROOT) {
        fl_sim_turns_start(sim, node);
    }
    s_rearm(sim, node);
}

static void
s_hang_up(fl_sim *sim, uint32_t index)
{
    fl_sim_link_break(sim, index);
    sim->links[index].admitted = false;
}

void
fl_sim_node_crash(fl_sim *sim, fl_sim_node *node, uint32_t down_ms)
{
    if (!node->alive) {
        return;
    }
    fl_sim_trace(sim, "%s crashes for %u ms", node->name.name, down_ms);
    fl_sim_count_up(sim, node->role == FL_ROLE_ROOT   ? SIM_CRASH_ROOT
                         : node->role == FL_ROLE_EDGE ? SIM_CRASH_EDGE
                                                      : SIM_CRASH_DEVICE);
    const fl_sim_desk *desk = node->desk;
    sim->totals.count[SIM_CRASH_UNSAVED] += desk[0].saves > 0 || desk[1].saves > 0;
    sim->totals.count[SIM_CRASH_JOB] += desk[0].jobs > 0 || desk[1].jobs > 0 || node->training;
    fl_sim_mask_crash(sim, node);
    if (node->role == FL_ROLE_ROOT) {
        fl_sim_turns_restored(sim);
    }
    s_destroy_machine(node);
    fl_sim_work_release(node);
    node->alive = false;
    node->life++;
    node->training = false;
    node->frozen_until = 0;
    if (node->parent != SIM_NONE) {
        s_hang_up(sim, node->link);
        memset(sim->links[node->link].open, 0, sizeof sim->links[node->link].open);
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        s_hang_up(sim, sim->nodes[node->children[i]].link);
    }
    if (!node->fate.gone) {
        node->back_at = sim->now + (fl_time)down_ms;
        fl_sim_push(
            sim, (fl_sim_item){ .at = node->back_at, .what = SIM_AT_START, .node = node->index });
    }
}

void
fl_sim_node_release(fl_sim *sim, fl_sim_node *node)
{
    (void)sim;
    if (node->alive) {
        s_destroy_machine(node);
    }
    fl_sim_work_release(node);
    fl_sim_mask_release(node);
    fl_sim_ledger_release(node);
}

bool
fl_sim_node_finished(const fl_sim *sim, const fl_sim_node *node)
{
    if (node->role == FL_ROLE_ROOT) {
        return fl_sim_all_ended(sim);
    }
    if (node->role == FL_ROLE_EDGE) {
        bool idle = fl_aggregator_idle(fl_edge_aggregator(node->edge));
        return fl_sim_node_astray(sim, node) || (idle && fl_edge_round(node->edge) == 0);
    }
    return fl_device_done(node->device) || fl_sim_node_astray(sim, node);
}

bool
fl_sim_node_astray(const fl_sim *sim, const fl_sim_node *node)
{
    if (node->role == FL_ROLE_ROOT) {
        return false;
    }
    bool edge = node->role == FL_ROLE_EDGE;
    const fl_run *run = fl_participant_run(edge ? fl_edge_participant(node->edge)
                                                : fl_device_participant(node->device));
    const fl_sim_era *era = fl_sim_era_of(sim, run);
    return era == NULL || era->unheard || era != sim->nodes[0].desk[era->track].turn;
}

// ---- effects ----------------------------------------------------------------------------------
static void
s_send(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    const fl_message *message = &effect->send.message;
    bool up = effect->send.to == FL_PARENT;
    if (sim->deaf != 0 && !up && effect->send.to >= node->child_count) {
        return; // to a stranger that a test has made up
    }
    FL_ASSERT(up ? node->parent != SIM_NONE : effect->send.to < node->child_count);
    uint32_t to =
        up ? node->parent : fl_sim_gate_route(sim, node, effect->send.to, &effect->send.message);
    if (to == SIM_NONE) {
        return; // to keys that are not in use any more
    }
    uint32_t link = up ? node->link : sim->nodes[to].link;
    fl_sim_lane lane = message->verb == FL_FETCH ? SIM_DOWN : SIM_CONTROL;
    if (up && !sim->links[link].open[lane]) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s sends a %s on a lane that is closed", node->name.name,
                    fl_verb_name(message->verb));
        return;
    }
    fl_message said = *message;
    fl_sim_plant_said(sim, to, &said);
    fl_sim_watch_said(sim, node, to, &said);
    fl_sim_send(sim, link, up, lane, &said, NULL);
}

static void
s_push(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    if (!sim->links[node->link].open[SIM_UP]) {
        fl_sim_fail(sim, CHECK_HANDLE, "%s pushes on a lane that is closed", node->name.name);
        return;
    }
    fl_blob *body = fl_sim_slice(sim, node, effect->push.vec, effect->push.message.chunk.offset,
                                 effect->push.bytes);
    if (body != NULL) {
        fl_sim_veil_pushed(sim, node, fl_sim_vec_at(sim, node, effect->push.vec),
                           fl_blob_bytes(body));
        fl_sim_send(sim, node->link, true, SIM_UP, &effect->push.message, body);
        fl_blob_unref(&body);
        if (sim->plant == PLANT_EARLY_FREE) {
            fl_sim_drop(sim, node, effect->push.vec);
        }
    }
}

static void
s_serve(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    FL_ASSERT(effect->serve.to < node->child_count);
    fl_blob *body = fl_sim_model_slice(sim, node, effect);
    if (body != NULL) {
        uint32_t link = sim->nodes[node->children[effect->serve.to]].link;
        fl_sim_send(sim, link, false, SIM_DOWN, &effect->serve.message, body);
        fl_blob_unref(&body);
    }
}

static void
s_lane(fl_sim *sim, fl_sim_node *node, const fl_effect *effect)
{
    fl_sim_lane lane = effect->lane.lane == FL_LANE_UP ? SIM_UP : SIM_DOWN;
    fl_sim_lane_set(sim, node->link, lane, effect->lane.open);
}

static void
s_reconnect(fl_sim *sim, fl_sim_node *node)
{
    fl_sim_link *link = &sim->links[node->link];
    s_hang_up(sim, node->link);
    link->open[SIM_CONTROL] = true;
    link->open[SIM_UP] = false;
    link->open[SIM_DOWN] = false;
}

static void
s_note(fl_sim *sim, fl_sim_node *node, const fl_note *note)
{
    static const fl_sim_count counted[FL_NOTE_COUNT_OF] = {
        [FL_NOTE_REJOINED] = SIM_REJOINS,         [FL_NOTE_RECONNECT] = SIM_RECONNECTS,
        [FL_NOTE_SLOT_WITHDRAWN] = SIM_WITHDRAWN, [FL_NOTE_REWIND] = SIM_REWINDS,
        [FL_NOTE_ROUND_EXTEND] = SIM_EXTENDS,
    };
    node->noted[note->id]++;
    node->note[note->id] = *note;
    if (counted[note->id] != 0) {
        fl_sim_count_up(sim, counted[note->id]);
    }
    fl_sim_veil_noted(sim, node, note);
    fl_sim_trace(sim, "%s notes %s node=%s round=%" PRIu64 " reason=%s a=%" PRIu64 " b=%" PRIu64,
                 node->name.name, fl_note_name(note->id), note->node.name, note->round,
                 fl_reason_name(note->reason), note->a, note->b);
}

static void
s_expel(fl_sim *sim, const fl_sim_node *node, fl_peer peer)
{
    const fl_sim_node *child = &sim->nodes[node->children[peer]];
    if (child->peer == peer) { // else these are keys that it had before
        s_hang_up(sim, child->link);
    }
}

static void
s_land(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_bytes body)
{
    if (effect->kind == FL_FX_STAGE) {
        fl_sim_stage(sim, node, effect, body);
    } else {
        fl_sim_place(sim, node, effect->place.offset, effect->place.total, body);
    }
}

static void
s_obey(fl_sim *sim, fl_sim_node *node, const fl_effect *effect, fl_bytes body)
{
    switch (effect->kind) {
    case FL_FX_SEND:
        s_send(sim, node, effect);
        break;
    case FL_FX_PUSH:
        s_push(sim, node, effect);
        break;
    case FL_FX_SERVE:
        s_serve(sim, node, effect);
        break;
    case FL_FX_LANE:
        s_lane(sim, node, effect);
        break;
    case FL_FX_RECONNECT:
        s_reconnect(sim, node);
        break;
    case FL_FX_EXPEL:
        s_expel(sim, node, effect->expel.peer);
        break;
    case FL_FX_SLOT:
        fl_sim_slot_set(sim, node, effect);
        break;
    case FL_FX_CLEAR:
        fl_sim_clear(sim, node, effect);
        break;
    case FL_FX_STAGE:
    case FL_FX_PLACE:
        s_land(sim, node, effect, body);
        break;
    case FL_FX_CANCEL:
        fl_sim_train_cancel(sim, node);
        break;
    case FL_FX_DROP:
        fl_sim_drop(sim, node, effect->drop.vec);
        break;
    case FL_FX_VERIFY:
    case FL_FX_FOLD:
    case FL_FX_FINISH:
    case FL_FX_CHECK:
    case FL_FX_TRAIN:
    case FL_FX_ENCODE:
    case FL_FX_APPLY:
    case FL_FX_SAVE:
    case FL_FX_KEEP:
    case FL_FX_MASK:
    case FL_FX_UNMASK:
    case FL_FX_RECALL:
        fl_sim_work_begin(sim, node, effect);
        break;
    case FL_FX_NOTE:
        s_note(sim, node, &effect->note);
        break;
    case FL_FX_REST: // nobody drains here
    case FL_FX_COUNT:
        FL_ASSERT(effect->kind == FL_FX_REST);
    }
}

// ---- one turn ---------------------------------------------------------------------------------
void
fl_sim_node_step(fl_sim *sim, fl_sim_node *node, const fl_event *event, fl_blob *body)
{
    fl_bytes bytes = body != NULL ? fl_blob_bytes(body) : (fl_bytes){ 0 };
    if (event->kind == FL_EV_MESSAGE) {
        const fl_message *message = event->message.message;
        fl_sim_trace(sim, "%s hears %s round=%" PRIu64 " from %s", node->name.name,
                     fl_verb_name(message->verb), message->round,
                     event->message.from == FL_PARENT ? "its parent" : event->message.node.name);
    }
    fl_event timed = *event;
    timed.wall_s = SIM_WALL_S + (uint64_t)(sim->now / 1000);
    fl_sim_mask_event(sim, node, &timed);
    fl_outbox_reset(node->out);
    node->machine.step(node->machine.self, &timed, sim->now, node->out);
    uint32_t life = node->life;
    for (uint32_t i = 0; i < fl_outbox_count(node->out) && node->life == life; i++) {
        const fl_effect *effect = fl_outbox_at(node->out, i);
        fl_sim_watch_effect(sim, node, effect);
        fl_sim_mask_effect(sim, node, effect);
        s_obey(sim, node, effect, bytes);
        if (sim->notary.failed != CHECK_NONE) {
            return;
        }
    }
    s_rearm(sim, node);
    if (node->role == FL_ROLE_ROOT && node->life == life && sim->posted == 0) {
        fl_runs_turn(node->runs, sim->now);
    }
    fl_sim_watch_step(sim, node);
}

void
fl_sim_node_tick(fl_sim *sim, fl_sim_node *node)
{
    node->tick_at = FL_NEVER;
    fl_sim_node_step(sim, node, &(fl_event){ .kind = FL_EV_TICK }, NULL);
}
