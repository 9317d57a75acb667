#include "tests/support/parent.h"

#include "common/base/status.h"

fl_aggregator *parent_cohort;
fl_order parent_order;
uint32_t parent_attempt;

static void
s_step(void *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_aggregator_step(self, event, now, out);
}

static fl_time
s_deadline(const void *self)
{
    return fl_aggregator_deadline(self);
}

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
    machine_it = (fl_machine){ parent_cohort, s_step, s_deadline };
    machine_now = 0;
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
parent_join(fl_peer peer)
{
    machine_join(peer);
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
    fl_order order = machine_order(round);
    parent_open_order(&order, due);
}

void
parent_open_order(const fl_order *order, fl_time due)
{
    parent_order = *order;
    fl_task task = { .attempt = ++parent_attempt, .order = parent_order };
    fl_aggregator_model(parent_cohort, &parent_order.run, &parent_order.model,
                        parent_order.model_bytes);
    machine_clear();
    fl_aggregator_open(parent_cohort, &task, due, 0, machine_now, machine_out);
    machine_proof();
}

uint32_t
parent_send(fl_peer peer, uint32_t number, uint64_t weight)
{
    return machine_send(peer, &parent_order, parent_attempt, number, weight);
}

void
parent_give(fl_peer peer, uint64_t weight)
{
    uint32_t slot = parent_send(peer, 1000 + peer, weight);
    machine_verified(slot, true, FL_WHY_NONE);
    FL_ASSERT(machine_count(FL_FX_FOLD) == 1);
    machine_folded(slot);
}

fl_result
parent_result(void)
{
    fl_result result;
    FL_ASSERT(fl_aggregator_result(parent_cohort, &result));
    return result;
}

// ---- two children ------------------------------------------------------------------------------
int
parent_two(void **state)
{
    (void)parent_setup(state);
    parent_join_all(2);
    parent_open(1, FL_NEVER);
    return 0;
}

fl_message
parent_contrib(fl_peer peer)
{
    return machine_contrib(&parent_order, parent_attempt, peer, 1, 1000 + peer, 5);
}

void
parent_end_round(void)
{
    fl_time cutoff = fl_aggregator_cutoff(parent_cohort);
    if (cutoff != FL_NEVER) {
        machine_now = cutoff - 400;
        for (fl_peer peer = 0; peer < 2; peer++) { // or their leases would end
            fl_message beat =
                machine_beat(peer, 1, parent_order.round, parent_attempt, FL_DOING_TRAIN);
            machine_hear_child(peer, &beat, 0);
        }
        machine_now = cutoff;
        machine_tick();
    }
    if (machine_count(FL_FX_FINISH) > 0) {
        machine_finished(0);
    }
}

void
parent_settle(void)
{
    machine_clear();
    fl_aggregator_settle(parent_cohort, FL_OUT_IN, FL_WHY_NONE, NULL, machine_out);
}
