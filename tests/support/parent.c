#include "tests/support/parent.h"

#include <stdio.h>

#include "common/base/status.h"

fl_aggregator *parent_cohort;
fl_time parent_now;
fl_order parent_order;
uint32_t parent_attempt;

fl_aggregator_conf
parent_conf(void)
{
    return (fl_aggregator_conf){ .node = machine_node("parent"),
                                 .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                 .seats_max = MACHINE_SEATS,
                                 .slots = 4,
                                 .window = { .count_min = 1,
                                             .time_max_ms = 1000,
                                             .missed = FL_MISSED_SKIP,
                                             .extend_ms = 500,
                                             .extends_max = 1 },
                                 .timing = { .beat_ms = 100,
                                             .evasive_beats = 3,
                                             .lease_beats = 6,
                                             .hop_ms = 10,
                                             .finish_ms = 50,
                                             .rate_window_ms = 100000 } };
}

void
parent_make(const fl_aggregator_conf *conf)
{
    fl_aggregator_destroy(&parent_cohort);
    parent_cohort = fl_aggregator_new(conf);
    FL_ASSERT(parent_cohort != NULL);
    parent_now = 0;
    parent_attempt = 0;
    fl_run run = machine_run(1);
    fl_hash model = machine_hash(1);
    fl_aggregator_model(parent_cohort, &run, &model, MACHINE_MODEL);
}

int
parent_destroy(void **state)
{
    (void)state;
    fl_aggregator_destroy(&parent_cohort);
    return 0;
}

int
parent_setup(void **state)
{
    (void)state;
    fl_aggregator_conf conf = parent_conf();
    parent_make(&conf);
    return 0;
}

// ---- driving it -------------------------------------------------------------------------------
void
parent_step(const fl_event *event)
{
    machine_clear();
    fl_aggregator_step(parent_cohort, event, parent_now, machine_out);
    machine_proof();
}

void
parent_tick(void)
{
    parent_step(&(fl_event){ .kind = FL_EV_TICK });
}

void
parent_hear(fl_peer peer, const fl_message *message, uint32_t body_bytes)
{
    char name[16];
    (void)snprintf(name, sizeof name, "d%u", peer);
    fl_event event = machine_from_child(peer, name, FL_ROLE_DEVICE, message, body_bytes);
    parent_step(&event);
}

void
parent_join(fl_peer peer)
{
    fl_message hello = machine_hello(100 + peer, 1);
    parent_hear(peer, &hello, 0);
    FL_ASSERT(machine_said(peer, FL_WELCOME) != NULL);
}

void
parent_join_all(uint32_t count)
{
    for (fl_peer peer = 0; peer < count; peer++) {
        parent_join(peer);
    }
}

void
parent_open(uint64_t round, fl_time due)
{
    parent_order = machine_order(round);
    fl_task task = { .attempt = ++parent_attempt, .order = parent_order };
    fl_aggregator_model(parent_cohort, &parent_order.run, &parent_order.model,
                        parent_order.model_bytes);
    machine_clear();
    fl_aggregator_open(parent_cohort, &task, due, 0, parent_now, machine_out);
    machine_proof();
}

void
parent_verified(uint32_t slot, bool ok, fl_reason reason)
{
    fl_event event = { .kind = FL_EV_VERIFIED };
    event.verified.slot = slot;
    event.verified.ok = ok;
    event.verified.reason = reason;
    parent_step(&event);
}

void
parent_folded(uint32_t slot)
{
    fl_event event = { .kind = FL_EV_FOLDED };
    event.folded.slot = slot;
    parent_step(&event);
}

void
parent_finished(fl_vec vec)
{
    fl_event event = { .kind = FL_EV_FINISHED };
    event.finished.vec = vec;
    event.finished.hash = machine_hash(999);
    event.finished.bytes = MACHINE_VECTOR;
    parent_step(&event);
}

//  All bytes of a contribution of this child come in; answers the slot that is to be verified.
uint32_t
parent_send(fl_peer peer, uint32_t number, uint64_t weight)
{
    fl_message contrib = machine_contrib(&parent_order, parent_attempt, peer, 1, number, weight);
    parent_hear(peer, &contrib, 0);
    FL_ASSERT(machine_said(peer, FL_GRANT) != NULL);
    fl_message chunk = machine_chunk(&contrib, 0);
    parent_hear(peer, &chunk, MACHINE_VECTOR);
    FL_ASSERT(machine_count(FL_FX_VERIFY) == 1);
    return machine_effect(FL_FX_VERIFY)->verify.slot;
}

void
parent_give(fl_peer peer, uint64_t weight)
{
    uint32_t slot = parent_send(peer, 1000 + peer, weight);
    parent_verified(slot, true, FL_WHY_NONE);
    FL_ASSERT(machine_count(FL_FX_FOLD) == 1);
    parent_folded(slot);
}

fl_result
parent_result(void)
{
    fl_result result;
    FL_ASSERT(fl_aggregator_result(parent_cohort, &result));
    return result;
}
