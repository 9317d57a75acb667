#include "common/machine/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

struct fl_outbox {
    uint32_t capacity;
    uint32_t count;
    uint32_t track;
    uint64_t newest;     // the last token given
    fl_effect effects[]; // (capacity)
};

fl_outbox *
fl_outbox_new(uint32_t capacity)
{
    fl_outbox *self = malloc(sizeof *self + (size_t)capacity * sizeof self->effects[0]);
    if (self != NULL) {
        self->capacity = capacity;
        self->count = 0;
        self->track = 0;
        self->newest = 0;
    }
    return self;
}

void
fl_outbox_destroy(fl_outbox **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

fl_effect *
fl_outbox_add(fl_outbox *self, fl_effect_kind kind)
{
    FL_ASSERT(self->count < self->capacity);
    FL_ASSERT((unsigned)kind < FL_FX_COUNT);
    fl_effect *effect = &self->effects[self->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    effect->track = self->track;
    return effect;
}

fl_effect *
fl_outbox_ask(fl_outbox *self, fl_effect_kind kind, uint64_t *token)
{
    fl_effect *effect = fl_outbox_add(self, kind);
    effect->token = *token = ++self->newest;
    return effect;
}

void
fl_outbox_discard(fl_outbox *self, const fl_event *answer)
{
    fl_vec vec = answer->kind == FL_EV_FINISHED  ? answer->finished.vec
                 : answer->kind == FL_EV_TRAINED ? answer->trained.update
                 : answer->kind == FL_EV_ENCODED ? answer->encoded.vec
                 : answer->kind == FL_EV_MASKED  ? answer->masked.vec
                                                 : 0;
    if (vec != 0) {
        fl_outbox_add(self, FL_FX_DROP)->drop.vec = vec;
    }
}

uint32_t
fl_outbox_count(const fl_outbox *self)
{
    return self->count;
}

const fl_effect *
fl_outbox_at(const fl_outbox *self, uint32_t index)
{
    FL_ASSERT(index < self->count);
    return &self->effects[index];
}

void
fl_outbox_reset(fl_outbox *self)
{
    self->count = 0;
    self->track = 0;
}

void
fl_outbox_set_track(fl_outbox *self, uint32_t track)
{
    self->track = track;
}

fl_message *
fl_outbox_send(fl_outbox *self, fl_peer to, fl_verb verb)
{
    fl_effect *effect = fl_outbox_add(self, FL_FX_SEND);
    effect->send.to = to;
    effect->send.message.verb = verb;
    return &effect->send.message;
}

void
fl_outbox_note(fl_outbox *self, fl_note note)
{
    fl_outbox_add(self, FL_FX_NOTE)->note = note;
}
