//  root - a root on top of the machine support: made, started, driven through whole rounds.
#ifndef FL_SUPPORT_ROOT_H
#define FL_SUPPORT_ROOT_H

#include "cloud/root.h"
#include "tests/support/machine.h"
#include "tests/support/unit.h"

static fl_root *root;

static inline fl_root_conf
s_conf(void)
{
    return (fl_root_conf){ .aggregator = { .node = machine_node("root"),
                                           .child_roles = { FL_ROLE_DEVICE, FL_ROLE_EDGE },
                                           .seats_max = MACHINE_SEATS,
                                           .slots = 2,
                                           .expect = 2,
                                           .window = { .count_min = 1,
                                                       .time_max_ms = 1000,
                                                       .missed = FL_MISSED_SKIP,
                                                       .extends_max = 2 },
                                           .timing = { .beat_ms = 10000,
                                                       .evasive_beats = 3,
                                                       .lease_beats = 6,
                                                       .hop_ms = 10,
                                                       .finish_ms = 50,
                                                       .rate_window_ms = 100000 } },
                           .plan = machine_plan(),
                           .rounds = 3,
                           .start_wait_ms = 500,
                           .patience_ms = 1500 };
}

static inline void
s_make(const fl_root_conf *conf)
{
    fl_root_destroy(&root);
    root = fl_root_new(conf);
    assert_non_null(root);
    machine_it = fl_root_machine(root);
    machine_now = 0;
}

static inline int
s_new(void **state)
{
    (void)state;
    fl_root_conf conf = s_conf();
    s_make(&conf);
    return 0;
}

static inline int
s_destroy(void **state)
{
    (void)state;
    fl_root_destroy(&root);
    return 0;
}

static inline fl_root_view
s_look(void)
{
    return fl_root_look(root, machine_now);
}

// ---- driving it -------------------------------------------------------------------------------
static inline void
s_start(uint64_t round, uint32_t attempts)
{
    fl_event event = { .kind = FL_EV_START };
    event.start.round = round;
    event.start.attempt = attempts;
    event.start.run = machine_run(1);
    event.start.model = machine_hash((uint32_t)round);
    event.start.tensors = machine_hash((uint32_t)round + 1000);
    event.start.model_bytes = MACHINE_MODEL;
    event.start.elements = MACHINE_ELEMENTS;
    machine_step(&event);
}

//  The last SAVE in the outbox is answered.
static inline void
s_answer_save(bool ok)
{
    assert_int_equal(machine_count(FL_FX_SAVE), 1);
    machine_saved(machine_effect(FL_FX_SAVE)->token, ok);
}

//  As far as an open round 1 with two children.
static inline void
s_open(void)
{
    s_start(1, 0);
    machine_join(0);
    machine_join(1);
    s_answer_save(true);
    assert_int_equal(s_look().phase, FL_ROOT_COLLECTING);
}

static inline void
s_give(fl_peer peer, uint64_t round)
{
    fl_order order = machine_order(round);
    uint32_t slot = machine_send(peer, &order, s_look().attempt, 100 + peer, 5 + peer);
    machine_verified(slot, true, FL_WHY_NONE);
    machine_folded(slot);
}

static inline void
s_finished(void)
{
    assert_int_equal(machine_count(FL_FX_FINISH), 1);
    machine_finished(0);
}

static inline void
s_scored(uint64_t round, bool ok, double accuracy)
{
    fl_event event = { .kind = FL_EV_APPLIED, .token = machine_token(FL_FX_APPLY, 0) };
    event.applied.ok = ok;
    event.applied.model = machine_hash((uint32_t)round + 1);
    event.applied.tensors = machine_hash((uint32_t)round + 1001);
    event.applied.model_bytes = MACHINE_MODEL;
    event.applied.loss = 0.5;
    event.applied.accuracy = accuracy;
    machine_step(&event);
}

static inline void
s_applied(uint64_t round, bool ok)
{
    s_scored(round, ok, 0.75);
}

//  A whole round with both children in; ends with the SAVE of its close in the outbox.
static inline void
s_collect(uint64_t round)
{
    s_give(0, round);
    s_give(1, round);
    s_finished();
    assert_int_equal(s_look().phase, FL_ROOT_APPLYING);
    s_applied(round, true);
}

#endif
