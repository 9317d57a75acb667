//  workshop - effects carried out by real workers, in a directory of their own; the machine is the
//  test, which asks for one effect after the other and waits for each answer. Include after unit.h.
#ifndef FL_SUPPORT_WORKSHOP_H
#define FL_SUPPORT_WORKSHOP_H

#include <poll.h>

#include "common/base/log.h"
#include "common/crypto/entropy.h"
#include "common/machine/policy.h"
#include "common/runtime/effects.h"
#include "tests/support/place.h"

enum { WAIT_MS = 20000 };

static fl_workers *workers;
static fl_handles *handles;
static fl_staging *staging;
static fl_effects *effects;
static fl_why why;
static fl_event last; // newest answer
static uint32_t posts;

static inline void
workshop_post(void *self, const fl_event *event)
{
    (void)self;
    last = *event;
    posts++;
}

static inline void
workshop_silent(void *self, const char *line, size_t size)
{
    (void)self;
    (void)line;
    (void)size;
}

static inline fl_effects *
workshop_effects(fl_effects_conf conf)
{
    conf.workers = workers;
    conf.handles = handles;
    conf.staging = staging;
    conf.directory = place;
    conf.post = workshop_post;
    return fl_effects_new(&conf);
}

//  All but the effects.
static inline int
workshop_open(void **state, unsigned threads)
{
    fl_log_setup(&(fl_log_conf){ .tier = "test", .node = "t", .sink = workshop_silent });
    if (fl_crypto_init(&why) != FL_OK || place_make(state) != 0 ||
        fl_staging_open(place, 4, &staging, &why) != FL_OK) {
        return -1;
    }
    workers = fl_workers_new(threads, 64, &why);
    handles = fl_handles_new();
    posts = 0;
    return workers == NULL || handles == NULL;
}

static inline int
workshop_close(void **state)
{
    assert_int_equal(fl_workers_stop(workers, FL_WORKERS_DRAIN, WAIT_MS), FL_OK);
    (void)fl_workers_collect(workers);
    fl_effects_destroy(&effects);
    fl_workers_destroy(&workers);
    fl_staging_close(&staging);
    fl_handles_destroy(&handles);
    return place_end(state);
}

static inline void
obey(const fl_effect *effect)
{
    assert_true(fl_effects_obey(effects, effect, fl_bytes_of(NULL, 0)));
}

//  Until nothing runs.
static inline void
settle(void)
{
    while (fl_effects_running(effects) > 0) {
        struct pollfd ready = { .fd = fl_workers_fd(workers), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        (void)fl_workers_collect(workers);
    }
}

//  The only event posted since the last call.
static inline fl_event
answer(fl_event_kind kind)
{
    settle();
    assert_int_equal(posts, 1);
    assert_int_equal(last.kind, kind);
    posts = 0;
    return last;
}

static inline fl_event
answer_of(const fl_effect *effect, fl_event_kind kind)
{
    static uint64_t token;
    fl_effect asked = *effect;
    asked.token = ++token;
    obey(&asked);
    fl_event event = answer(kind);
    assert_int_equal(event.token, token);
    return event;
}

static inline void
lease(uint32_t slot, uint64_t bytes)
{
    fl_effect effect = { .kind = FL_FX_SLOT };
    effect.slot.slot = slot;
    effect.slot.bytes = bytes;
    obey(&effect);
}

//  Zeroed accumulators, each of so many elements.
static inline void
clear(uint32_t blocks, uint64_t elements, const fl_plan *plan)
{
    fl_effect effect = { .kind = FL_FX_CLEAR };
    effect.clear.elements = elements;
    effect.clear.element = fl_policy_element(plan);
    effect.clear.masked = fl_plan_masks(plan);
    effect.clear.blocks = blocks;
    obey(&effect);
}

static inline fl_event
finish(uint64_t blocks, bool vector)
{
    fl_effect effect = { .kind = FL_FX_FINISH };
    effect.finish.vector = vector;
    effect.finish.blocks = blocks;
    return answer_of(&effect, FL_EV_FINISHED);
}

#endif
