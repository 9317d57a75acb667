#include "cloud/tracks.h"

#include <stdlib.h>

#include "common/base/status.h"

_Static_assert(FL_TRACKS == 2, "a child is at the one track or at the other");

struct fl_tracks {
    fl_root *root[FL_TRACKS];
    uint64_t started[FL_TRACKS], starts; // which of all starts its newest was; 0: none
};

fl_tracks *
fl_tracks_new(const fl_root_conf *shared)
{
    fl_tracks *self = calloc(1, sizeof *self);
    for (uint32_t i = 0; self != NULL && i < FL_TRACKS; i++) {
        self->root[i] = fl_root_new(shared);
        if (self->root[i] == NULL) {
            fl_tracks_destroy(&self);
        }
    }
    return self;
}

void
fl_tracks_destroy(fl_tracks **self_p)
{
    fl_tracks *self = *self_p;
    *self_p = NULL;
    for (uint32_t i = 0; self != NULL && i < FL_TRACKS; i++) {
        fl_root_destroy(&self->root[i]);
    }
    free(self);
}

static void
s_step_one(fl_tracks *self, uint32_t track, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_machine machine = fl_root_machine(self->root[track]);
    fl_outbox_set_track(out, track);
    machine.step(machine.self, event, now, out);
}

//  The newest run that was for this child had its turns on the second track. Two runs for one
//  child are never in hand on two tracks, so the one that was started later is the newer one.
static bool
s_was_second(const fl_tracks *self, const fl_name *node)
{
    bool first =
        self->started[0] > 0 && fl_aggregator_wants(fl_root_aggregator(self->root[0]), node);
    return self->started[1] > (first ? self->started[0] : 0) &&
           fl_aggregator_wants(fl_root_aggregator(self->root[1]), node);
}

//  Whom no run in hand wants stays where it sits, or goes where it hears how its last run ended.
static uint32_t
s_track(const fl_tracks *self, fl_peer peer, const fl_name *node)
{
    bool second = fl_root_wants(self->root[1], node) ||
                  (!fl_root_wants(self->root[0], node) &&
                   (fl_aggregator_holds(fl_root_aggregator(self->root[1]), peer) ||
                    s_was_second(self, node)));
    return second ? 1 : 0;
}

//  Who has to change tracks has no seat at the new one yet: it is refused, and says HELLO.
static void
s_hear(fl_tracks *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const uint32_t track = s_track(self, event->message.from, &event->message.node);
    fl_outbox_set_track(out, 1 - track);
    if (event->message.message->verb == FL_HELLO &&
        !fl_aggregator_part(fl_root_aggregator(self->root[1 - track]),
                            fl_root_aggregator(self->root[track]), event, now, out)) {
        return;
    }
    s_step_one(self, track, event, now, out);
}

//  It is about the time, this node or its children, and not about one run.
static bool
s_is_for_all(fl_event_kind kind)
{
    return kind == FL_EV_TICK || kind == FL_EV_GONE || kind == FL_EV_DENIED || kind == FL_EV_REST;
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_tracks *self = arg;
    if (event->kind == FL_EV_START) {
        self->started[event->track] = ++self->starts;
    }
    if (event->kind == FL_EV_MESSAGE) {
        s_hear(self, event, now, out);
    } else if (s_is_for_all(event->kind)) {
        s_step_one(self, 0, event, now, out);
        s_step_one(self, 1, event, now, out);
    } else {
        s_step_one(self, event->track, event, now, out);
    }
}

static fl_time
s_deadline(const void *arg)
{
    const fl_tracks *self = arg;
    const fl_machine one = fl_root_machine(self->root[0]), other = fl_root_machine(self->root[1]);
    const fl_time at = one.deadline(one.self), later = other.deadline(other.self);
    return at < later ? at : later;
}

fl_machine
fl_tracks_machine(fl_tracks *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}

fl_root *
fl_tracks_root(const fl_tracks *self, uint32_t track)
{
    return self->root[track];
}
