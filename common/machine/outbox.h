//  outbox - the effects of one step of a machine, in order. Sized once; filled by the machine,
//  read and emptied by its driver. One thread.
#ifndef FL_MACHINE_OUTBOX_H
#define FL_MACHINE_OUTBOX_H

#include "common/machine/event.h"

//  Room for `capacity` effects. NULL when out of memory.
fl_outbox *fl_outbox_new(uint32_t capacity);
void fl_outbox_destroy(fl_outbox **self_p);

//  Append one zeroed effect of this kind and return it for filling; yours until the next append
//  or reset. A full outbox is a broken invariant: panic.
fl_effect *fl_outbox_add(fl_outbox *self, fl_effect_kind kind);
uint32_t fl_outbox_count(const fl_outbox *self);
const fl_effect *fl_outbox_at(const fl_outbox *self, uint32_t index);
void fl_outbox_reset(fl_outbox *self);
//  What is appended from now on, until the next reset, is of this track; 0 at first.
void fl_outbox_set_track(fl_outbox *self, uint32_t track);

//  Append an effect that will be answered: it has a token of its own, which `token` remembers.
fl_effect *fl_outbox_ask(fl_outbox *self, fl_effect_kind kind, uint64_t *token);
//  Nobody waits for this answer any more: free the vector that it brings.
void fl_outbox_discard(fl_outbox *self, const fl_event *answer);

//  The two commonest effects, spelled once.
fl_message *fl_outbox_send(fl_outbox *self, fl_peer to, fl_verb verb);
void fl_outbox_note(fl_outbox *self, fl_note note);

#endif
