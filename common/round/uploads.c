#include "common/round/uploads.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/machine/policy.h"

#define NOBODY UINT32_MAX

struct fl_uploads {
    fl_seats *seats; // borrowed
    uint32_t slots;
    uint64_t asked[FL_SLOTS_MAX]; // VERIFY or FOLD of a slot, not yet answered; 0: none
    uint32_t owner[FL_SLOTS_MAX]; // seat per slot; NOBODY when free
    fl_order order;
    fl_element element; // of its vectors
    uint32_t attempt;
    bool masked; // at this hop
    fl_sums sums;
};

fl_uploads *
fl_uploads_new(fl_seats *seats, uint32_t slots)
{
    FL_ASSERT(slots >= 1 && slots <= FL_SLOTS_MAX);
    fl_uploads *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->seats = seats;
        self->slots = slots;
        for (uint32_t i = 0; i < FL_SLOTS_MAX; i++) {
            self->owner[i] = NOBODY;
        }
    }
    return self;
}

void
fl_uploads_destroy(fl_uploads **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

void
fl_uploads_open(fl_uploads *self, const fl_order *order, uint32_t attempt, bool masked,
                uint32_t blocks, fl_outbox *out)
{
    FL_ASSERT(!fl_uploads_busy(self));
    self->order = *order;
    self->element = fl_policy_element(&order->plan);
    self->attempt = attempt;
    self->masked = masked;
    memset(&self->sums, 0, sizeof self->sums);
    fl_effect *effect = fl_outbox_add(out, FL_FX_CLEAR);
    effect->clear.elements = order->elements;
    effect->clear.element = self->element;
    effect->clear.masked = masked;
    effect->clear.blocks = blocks;
}

static fl_message *
s_say(fl_uploads *self, const fl_seat *seat, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, seat->peer, verb);
    message->run = self->order.run;
    message->round = self->order.round;
    return message;
}

static void
s_note(fl_uploads *self, uint32_t index, fl_note_id id, fl_reason reason, uint64_t b,
       fl_outbox *out)
{
    fl_outbox_note(out, (fl_note){ .id = id,
                                   .node = fl_seats_look(self->seats, index)->node,
                                   .round = self->order.round,
                                   .reason = reason,
                                   .a = index,
                                   .b = b });
}

void
fl_uploads_refuse(fl_uploads *self, uint32_t index, fl_reason reason, fl_verb about, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_message *message = s_say(self, seat, FL_REFUSED, out);
    message->refused.reason = reason;
    message->refused.about = about;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED,
                                   .node = seat->node,
                                   .round = self->order.round,
                                   .reason = reason,
                                   .a = (uint64_t)about });
}

// ---- slots and credit ---------------------------------------------------------------------------
static void
s_free_slot(fl_uploads *self, uint32_t slot, fl_outbox *out)
{
    FL_ASSERT(self->owner[slot] != NOBODY);
    self->owner[slot] = NOBODY;
    fl_outbox_add(out, FL_FX_SLOT)->slot.slot = slot;
}

static void
s_grant(fl_uploads *self, uint32_t index, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_grant *grant = &s_say(self, seat, FL_GRANT, out)->grant;
    grant->attempt = self->attempt;
    grant->hash = seat->contrib.hash;
    if (seat->phase == FL_SEAT_STAGING) {
        fl_upload_receive_grant(&seat->intake, grant);
    } else { // all of it is here
        grant->next = seat->contrib.vector_bytes;
        grant->limit = seat->contrib.vector_bytes;
        grant->rewind = seat->intake.rewind;
        grant->chunk_bytes = FL_CHUNK_BYTES_MIN;
    }
}

static int64_t
s_first_waiting(const fl_uploads *self)
{
    int64_t first = -1;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->phase == FL_SEAT_OFFERED &&
            (first < 0 ||
             seat->offered_at < fl_seats_look(self->seats, (uint32_t)first)->offered_at)) {
            first = i;
        }
    }
    return first;
}

void
fl_uploads_give_slots(fl_uploads *self, fl_time now, fl_outbox *out)
{
    if (fl_seats_standing(self->seats).offered == 0) {
        return; // as at nearly every message
    }
    for (uint32_t slot = 0; slot < self->slots; slot++) {
        if (self->owner[slot] != NOBODY) {
            continue;
        }
        int64_t index = s_first_waiting(self);
        if (index < 0) {
            return;
        }
        fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
        self->owner[slot] = (uint32_t)index;
        seat->slot = slot;
        fl_seats_enter(self->seats, seat, FL_SEAT_STAGING);
        fl_upload_receive_begin(&seat->intake, seat->contrib.vector_bytes, now);
        fl_effect *effect = fl_outbox_add(out, FL_FX_SLOT);
        effect->slot.slot = slot;
        effect->slot.bytes = seat->contrib.vector_bytes;
        s_grant(self, (uint32_t)index, out);
    }
}

bool
fl_uploads_withdraw(fl_uploads *self, uint32_t index, fl_seat_phase phase, fl_reason reason,
                    fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    FL_ASSERT(phase == FL_SEAT_TASKED || phase == FL_SEAT_LATE || phase == FL_SEAT_REFUSED ||
              phase == FL_SEAT_ABSENT);
    if (seat->phase == FL_SEAT_FOLDING || seat->phase == FL_SEAT_COUNTED) {
        return false;
    }
    if (seat->phase == FL_SEAT_STAGING) {
        s_free_slot(self, seat->slot, out);
    } // a slot that is being verified is freed when the answer comes
    fl_seats_enter(self->seats, seat, phase);
    seat->reason = reason;
    if (seat->server != NULL && (phase == FL_SEAT_LATE || phase == FL_SEAT_REFUSED)) {
        fl_secagg_server_drop(seat->server, index, reason, out);
    }
    return true;
}

void
fl_uploads_void(fl_uploads *self, uint32_t index, fl_reason reason)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    FL_ASSERT(seat->phase == FL_SEAT_FOLDING || seat->phase == FL_SEAT_COUNTED);
    FL_ASSERT(self->sums.contributions > 0);
    self->sums.contributions--;
    fl_seats_enter(self->seats, seat, FL_SEAT_REFUSED);
    seat->reason = reason;
}

// ---- what children send -------------------------------------------------------------------------
//  Nothing but the masked header may say what is inside.
static bool
s_hidden(const fl_contrib *contrib)
{
    bool hidden = contrib->weight == 0 && contrib->count == 0;
    for (int i = 0; i < FL_STATS; i++) {
        hidden = hidden && contrib->stats[i] == 0;
    }
    return hidden;
}

static fl_reason
s_judge(const fl_uploads *self, const fl_seat *seat, const fl_contrib *contrib)
{
    const fl_plan *plan = &self->order.plan;
    if (contrib->elements != self->order.elements ||
        contrib->vector_bytes != fl_element_bytes(&self->element, contrib->elements)) {
        return FL_WHY_SHAPE;
    }
    if (self->masked) {
        return s_hidden(contrib) ? FL_WHY_NONE : FL_WHY_WEIGHT;
    }
    bool device = seat->role == FL_ROLE_DEVICE;
    if (contrib->count < 1 || contrib->count > plan->devices_max ||
        (device && contrib->count != 1) || contrib->weight < contrib->count ||
        contrib->weight > (uint64_t)contrib->count * plan->weight_max) {
        return FL_WHY_WEIGHT;
    }
    bool power = (contrib->weight & (contrib->weight - 1)) == 0;
    return device && plan->weighting == FL_WEIGHTING_CLASSES && !power ? FL_WHY_WEIGHT
                                                                       : FL_WHY_NONE;
}

//  What an edge reports, into room of its seat that is made when it is needed. False: none.
static bool
s_keep_list(const fl_seat *seat, uint8_t **room, size_t room_bytes, fl_bytes *list)
{
    size_t size = seat->role == FL_ROLE_EDGE ? list->size : 0;
    FL_ASSERT(size <= room_bytes); // by the codec
    if (size > 0 && *room == NULL) {
        *room = malloc(room_bytes);
        if (*room == NULL) {
            return false;
        }
    }
    if (size > 0) {
        memcpy(*room, list->data, size);
    }
    *list = fl_bytes_of(*room, size);
    return true;
}

static bool
s_keep(fl_seat *seat, const fl_contrib *contrib, uint64_t round)
{
    fl_contrib kept = *contrib;
    kept.header = kept.psig = (fl_bytes){ 0 }; // its block has them
    if (!s_keep_list(seat, &seat->roll, (size_t)FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES, &kept.roll) ||
        !s_keep_list(seat, &seat->blocks, (size_t)FL_BLOCK_LINES_MAX * FL_BLOCK_LINE_BYTES,
                     &kept.blocks)) {
        return false;
    }
    seat->contrib = kept;
    seat->roll_used = kept.roll.size;
    seat->roll_round = round;
    return true;
}

void
fl_uploads_contrib(fl_uploads *self, uint32_t index, const fl_message *message, fl_time now,
                   fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    const fl_contrib *contrib = &message->contrib;
    bool same = fl_hash_equal(&contrib->hash, &seat->contrib.hash);
    bool counted = seat->phase == FL_SEAT_VERIFYING || seat->phase == FL_SEAT_FOLDING ||
                   seat->phase == FL_SEAT_COUNTED;
    if (counted) {
        if (same) {
            s_grant(self, index, out);
        } else {
            fl_uploads_refuse(self, index, FL_WHY_DUPLICATE, FL_CONTRIB, out);
        }
        return;
    }
    if (seat->phase == FL_SEAT_LATE || seat->phase == FL_SEAT_REFUSED) {
        fl_uploads_refuse(self, index, seat->reason, FL_CONTRIB, out);
        return;
    }
    if (same && (seat->phase == FL_SEAT_OFFERED || seat->phase == FL_SEAT_STAGING)) {
        if (seat->phase == FL_SEAT_STAGING) {
            s_grant(self, index, out);
        }
        return;
    }
    fl_reason reason = s_judge(self, seat, contrib);
    if (reason == FL_WHY_NONE && !s_keep(seat, contrib, self->order.round)) {
        reason = FL_WHY_STORAGE;
    }
    if (reason != FL_WHY_NONE) {
        (void)fl_uploads_withdraw(self, index, FL_SEAT_REFUSED, reason, out);
        fl_uploads_refuse(self, index, reason, FL_CONTRIB, out);
        return;
    }
    (void)fl_uploads_withdraw(self, index, FL_SEAT_TASKED, FL_WHY_NONE, out);
    fl_seats_enter(self->seats, seat, FL_SEAT_OFFERED);
    seat->offered_at = now;
}

static void
s_complete(fl_uploads *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    fl_seats_enter(self->seats, seat, FL_SEAT_VERIFYING);
    seat->came_at = now;
    fl_effect *effect = fl_outbox_ask(out, FL_FX_VERIFY, &self->asked[seat->slot]);
    effect->verify.slot = seat->slot;
    effect->verify.hash = seat->contrib.hash;
    effect->verify.weight = seat->contrib.weight;
    s_grant(self, index, out);
}

void
fl_uploads_chunk(fl_uploads *self, uint32_t index, const fl_message *message, uint32_t body_bytes,
                 fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    const fl_chunk *chunk = &message->chunk;
    if (seat->phase != FL_SEAT_STAGING || !fl_hash_equal(&chunk->hash, &seat->contrib.hash) ||
        chunk->total != seat->contrib.vector_bytes) {
        s_note(self, index, FL_NOTE_CHUNK_DROPPED, FL_WHY_DUPLICATE, chunk->offset, out);
        return;
    }
    fl_upload_receive_answer answer =
        fl_upload_receive_chunk(&seat->intake, chunk->offset, body_bytes, now);
    switch (answer) {
    case FL_RECEIVE_TAKEN:
    case FL_RECEIVE_GRANT:
    case FL_RECEIVE_COMPLETE: {
        fl_effect *effect = fl_outbox_add(out, FL_FX_STAGE);
        effect->stage.slot = seat->slot;
        effect->stage.offset = chunk->offset;
        self->sums.bytes_up += body_bytes;
        if (answer == FL_RECEIVE_GRANT) {
            s_grant(self, index, out);
        } else if (answer == FL_RECEIVE_COMPLETE) {
            s_complete(self, index, now, out);
        }
        return;
    }
    case FL_RECEIVE_GAP:
        s_note(self, index, FL_NOTE_REWIND, FL_WHY_NONE, seat->intake.next, out);
        s_grant(self, index, out);
        return;
    case FL_RECEIVE_DUPLICATE:
    case FL_RECEIVE_GAP_KNOWN:
        s_note(self, index, FL_NOTE_CHUNK_DROPPED, FL_WHY_NONE, chunk->offset, out);
        return;
    case FL_RECEIVE_CREDIT:
        (void)fl_uploads_withdraw(self, index, FL_SEAT_REFUSED, FL_WHY_CREDIT, out);
        fl_uploads_refuse(self, index, FL_WHY_CREDIT, FL_CHUNK, out);
        return;
    }
}

bool
fl_uploads_hurry(fl_uploads *self, uint32_t index, const fl_timing *timing, fl_time now,
                 fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (seat->phase != FL_SEAT_STAGING || !fl_upload_receive_too_slow(&seat->intake, timing, now)) {
        return false;
    }
    s_note(self, index, FL_NOTE_SLOT_WITHDRAWN, FL_WHY_SLOW, seat->intake.next, out);
    (void)fl_uploads_withdraw(self, index, FL_SEAT_REFUSED, FL_WHY_SLOW, out);
    fl_uploads_refuse(self, index, FL_WHY_SLOW, FL_CONTRIB, out);
    return true;
}

void
fl_uploads_beat(fl_uploads *self, uint32_t index, const fl_timing *timing, fl_time now,
                fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    if (seat->phase != FL_SEAT_STAGING || fl_uploads_hurry(self, index, timing, now, out)) {
        return;
    }
    if (fl_upload_receive_stuck(&seat->intake, timing->beat_ms, now)) {
        fl_upload_receive_rewind(&seat->intake, now);
        s_note(self, index, FL_NOTE_REWIND, FL_WHY_SILENT, seat->intake.next, out);
    }
    s_grant(self, index, out);
}

// ---- answers to effects -------------------------------------------------------------------------
static bool
s_fits(const fl_uploads *self, const fl_contrib *contrib)
{
    const fl_plan *plan = &self->order.plan;
    uint64_t weight_max = (uint64_t)plan->devices_max * plan->weight_max;
    return contrib->count <= plan->devices_max - self->sums.count &&
           contrib->weight <= weight_max - self->sums.weight;
}

static void
s_count(fl_uploads *self, uint32_t index, fl_outbox *out)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    const fl_contrib *contrib = &seat->contrib;
    self->sums.weight += contrib->weight;
    self->sums.count += contrib->count;
    self->sums.contributions++;
    for (int i = 0; i < FL_STATS; i++) {
        self->sums.stats[i] += contrib->stats[i];
    }
    if (contrib->base_round < self->order.round) {
        self->sums.stats[FL_STAT_STALE] += contrib->count;
    }
    const uint64_t samples = seat->role == FL_ROLE_DEVICE ? contrib->stats[FL_STAT_SAMPLES]
                                                          : contrib->tally.samples_known;
    if (samples > 0 && !self->masked) {
        fl_seats_told(self->seats, index, seat->leaves, samples);
    }
    if (seat->came_at > self->sums.last_at) {
        self->sums.last_at = seat->came_at;
    }
    fl_seats_enter(self->seats, seat, FL_SEAT_FOLDING);
    s_note(self, index, FL_NOTE_COUNTED, FL_WHY_NONE, contrib->weight, out);
    fl_effect *effect = fl_outbox_ask(out, FL_FX_FOLD, &self->asked[seat->slot]);
    effect->fold.slot = seat->slot;
    effect->fold.block = seat->block;
    effect->fold.weight = contrib->weight;
}

int64_t
fl_uploads_slot(const fl_uploads *self, const fl_event *answer)
{
    int64_t slot = (int64_t)self->slots - 1;
    while (slot >= 0 && !fl_answers(answer, self->asked[slot])) {
        slot--;
    }
    return slot;
}

int64_t
fl_uploads_owner(const fl_uploads *self, uint32_t slot)
{
    FL_ASSERT(slot < self->slots && self->owner[slot] != NOBODY);
    const fl_seat *seat = fl_seats_look(self->seats, self->owner[slot]);
    bool wanted = seat->phase == FL_SEAT_VERIFYING && seat->slot == slot;
    return wanted ? (int64_t)self->owner[slot] : -1;
}

void
fl_uploads_verified(fl_uploads *self, uint32_t slot, fl_reason fault, fl_outbox *out)
{
    int64_t owner = fl_uploads_owner(self, slot);
    self->asked[slot] = 0;
    if (owner < 0) {
        s_free_slot(self, slot, out);
        return;
    }
    uint32_t index = (uint32_t)owner;
    fl_seat *seat = fl_seats_at(self->seats, index);
    bool ok = fault == FL_WHY_NONE;
    if (ok && s_fits(self, &seat->contrib)) {
        s_count(self, index, out);
        return;
    }
    fl_reason reason = ok ? FL_WHY_WEIGHT : fault;
    s_free_slot(self, slot, out);
    (void)fl_uploads_withdraw(self, index, reason == FL_WHY_LATE ? FL_SEAT_LATE : FL_SEAT_REFUSED,
                              reason, out);
    fl_uploads_refuse(self, index, reason, FL_CONTRIB, out);
}

void
fl_uploads_folded(fl_uploads *self, uint32_t slot, fl_outbox *out)
{
    FL_ASSERT(slot < self->slots && self->owner[slot] != NOBODY);
    self->asked[slot] = 0;
    fl_seat *seat = fl_seats_at(self->seats, self->owner[slot]);
    if (seat->phase == FL_SEAT_FOLDING) {
        fl_seats_enter(self->seats, seat, FL_SEAT_COUNTED);
    }
    s_free_slot(self, slot, out);
}

bool
fl_uploads_busy(const fl_uploads *self)
{
    bool busy = false;
    for (uint32_t slot = 0; slot < self->slots; slot++) {
        busy = busy || self->asked[slot] != 0;
    }
    return busy;
}

const fl_sums *
fl_uploads_sums(const fl_uploads *self)
{
    return &self->sums;
}
