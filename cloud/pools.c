#include "cloud/pools.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

enum { REDRAW_ROUNDS = 100, DAY_S = 86400, TIME_BITS = 40 };

struct fl_pools {
    fl_ledger *ledger;
    uint64_t grace_s;
    fl_entropy entropy;
    fl_drawing drawn;            // of the store's strand
    uint32_t since;              // rounds, from the last look at uneven pools on
    bool taken;                  // since the process began
    _Atomic(fl_drawing *) fresh; // a copy, from there to the other thread
    fl_drawing *held;            // which has it here
};

static void
s_free(fl_drawing *drawing)
{
    if (drawing != NULL) {
        free(drawing->places);
        free(drawing);
    }
}

static fl_status
s_publish(fl_pools *self, fl_why *why)
{
    const size_t bytes = (self->drawn.count + 1) * sizeof *self->drawn.places;
    fl_drawing *copy = malloc(sizeof *copy);
    fl_place *places = malloc(bytes);
    if (copy == NULL || places == NULL) {
        free(copy);
        free(places);
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    *copy = self->drawn;
    copy->places = places;
    if (copy->count > 0) {
        memcpy(places, self->drawn.places, copy->count * sizeof *places);
    }
    s_free(atomic_exchange_explicit(&self->fresh, copy, memory_order_acq_rel));
    return FL_OK;
}

fl_status
fl_pools_open(fl_ledger *ledger, const fl_drawing *first, uint64_t grace_s,
              const fl_entropy *entropy, fl_pools **pools, fl_why *why)
{
    fl_pools *self = calloc(1, sizeof *self);
    *pools = self;
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->ledger = ledger;
    self->grace_s = grace_s;
    self->entropy = *entropy;
    self->drawn = *first;
    FL_TRY(fl_ledger_pools_get(ledger, &self->drawn.epoch, &self->drawn.places, &self->drawn.count,
                               why));
    return s_publish(self, why);
}

void
fl_pools_close(fl_pools **self_p)
{
    fl_pools *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        s_free(atomic_load(&self->fresh));
        s_free(self->held);
        free(self->drawn.places);
        free(self);
    }
}

static void
s_log(const fl_drawing *drawn)
{
    const fl_drawing_view view = fl_drawing_look(drawn);
    if (view.pools == 0) { // nobody is enrolled
        return;
    }
    fl_log(FL_LOG_INFO, "pools", fl_log_u64("epoch", view.epoch), fl_log_u64("pools", view.pools),
           fl_log_u64("names", view.names), fl_log_text("weakest", view.edge.name),
           fl_log_u64("floor", view.floor), fl_log_u64("bad", view.bad));
}

//  Seconds since 1970, at least one more than before; in front of them a count of the times that
//  the clock was put back by more than a day. So one from a backup is above all that were told
//  since.
static uint64_t
s_next_epoch(uint64_t epoch, uint64_t now_s)
{
    const uint64_t before = epoch & (((uint64_t)1 << TIME_BITS) - 1);
    if (now_s + DAY_S < before) {
        return epoch - before + ((uint64_t)1 << TIME_BITS) + now_s;
    }
    return epoch + (now_s > before ? now_s - before : 1);
}

//  What was drawn is durable before anybody hears of it. `next` goes to the drawing, or stays. A
//  root that starts may be one from a backup, which knows less than it told: what it has is new.
static fl_status
s_take(fl_pools *self, fl_place **next, uint32_t count, uint64_t now_s, fl_why *why)
{
    fl_drawing *drawn = &self->drawn;
    if (self->taken && count == drawn->count &&
        memcmp(*next, drawn->places, count * sizeof **next) == 0) {
        return FL_OK;
    }
    const uint64_t epoch = s_next_epoch(drawn->epoch, now_s);
    FL_TRY(fl_ledger_pools_put(self->ledger, epoch, *next, count, why));
    fl_place *old = drawn->places;
    drawn->places = *next;
    drawn->count = count;
    drawn->epoch = epoch;
    self->taken = true;
    *next = old;
    s_log(drawn);
    return s_publish(self, why);
}

fl_status
fl_pools_refresh(fl_pools *self, bool goes_on, uint64_t now_s, fl_why *why)
{
    const fl_drawing *drawn = &self->drawn;
    if (goes_on && drawn->epoch > 0) {
        return FL_OK;
    }
    fl_place *nodes = NULL;
    uint32_t count = 0, made = UINT32_MAX;
    const uint64_t ended = now_s > self->grace_s ? now_s - self->grace_s : 0;
    FL_TRY(fl_ledger_enrolled(self->ledger, ended, &nodes, &count, why));
    fl_place *more = realloc(nodes, (count + 1) * sizeof *nodes);
    nodes = more != NULL ? more : nodes;
    fl_place *next = more != NULL ? calloc(drawn->count + count + 2, sizeof *next) : NULL;
    const bool uneven = ++self->since % REDRAW_ROUNDS == 0;
    if (next != NULL) {
        more[count++] = (fl_place){ .edge = drawn->root }; // it is one, whoever is enrolled
        qsort(nodes, count, sizeof *nodes, fl_place_order);
        made = fl_drawing_next(drawn->places, drawn->count, nodes, count, drawn->online, uneven,
                               &self->entropy, next);
    }
    fl_status status = made == UINT32_MAX ? fl_fail(FL_NOMEM, why, "out of memory")
                                          : s_take(self, &next, made, now_s, why);
    free(next);
    free(nodes);
    return status;
}

const fl_drawing *
fl_pools_drawing(fl_pools *self)
{
    fl_drawing *fresh = atomic_exchange_explicit(&self->fresh, NULL, memory_order_acq_rel);
    if (fresh != NULL) {
        s_free(self->held);
        self->held = fresh;
    }
    return self->held;
}
