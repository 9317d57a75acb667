#include "common/round/seats.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

struct fl_seats {
    uint32_t seats_max;
    uint32_t count;
    fl_seat seats[]; // (seats_max)
};

fl_seats *
fl_seats_new(uint32_t seats_max)
{
    FL_ASSERT(seats_max >= 1 && seats_max <= FL_SEATS_MAX);
    fl_seats *self = calloc(1, sizeof *self + (size_t)seats_max * sizeof self->seats[0]);
    if (self != NULL) {
        self->seats_max = seats_max;
    }
    return self;
}

void
fl_seats_destroy(fl_seats **self_p)
{
    fl_seats *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        free(self->seats[i].roll);
        free(self->seats[i].blocks);
    }
    free(self);
}

uint32_t
fl_seats_count(const fl_seats *self)
{
    return self->count;
}

fl_seat *
fl_seats_at(fl_seats *self, uint32_t seat)
{
    FL_ASSERT(seat < self->count);
    return &self->seats[seat];
}

const fl_seat *
fl_seats_look(const fl_seats *self, uint32_t seat)
{
    FL_ASSERT(seat < self->count);
    return &self->seats[seat];
}

int64_t
fl_seats_of_peer(const fl_seats *self, fl_peer peer)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->seats[i].present && self->seats[i].peer == peer) {
            return i;
        }
    }
    return -1;
}

static int64_t
s_of_node(const fl_seats *self, const fl_name *node)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_name_equal(&self->seats[i].node, node)) {
            return i;
        }
    }
    return -1;
}

//  An absent, idle child's; of one who lied only when there is no other: who leaves and comes back
//  is not to be forgotten for it.
static int64_t
s_old_seat(const fl_seats *self)
{
    int64_t found = -1;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_seat *seat = &self->seats[i];
        if (seat->present || seat->phase != FL_SEAT_IDLE) {
            continue;
        }
        if (seat->blamed == FL_WHY_NONE) {
            return i;
        }
        found = found < 0 ? i : found;
    }
    return found;
}

static int64_t
s_new_seat(fl_seats *self)
{
    if (self->count < self->seats_max) {
        return self->count++;
    }
    int64_t index = s_old_seat(self);
    if (index >= 0) {
        fl_seat *seat = &self->seats[index];
        free(seat->roll);
        free(seat->blocks);
        memset(seat, 0, sizeof *seat);
    }
    return index;
}

int64_t
fl_seats_join(fl_seats *self, const fl_event *event, fl_time now, bool *renewed)
{
    const fl_hello *hello = &event->message.message->hello;
    int64_t index = s_of_node(self, &event->message.node);
    if (index < 0) {
        index = s_new_seat(self);
    }
    if (index < 0) {
        return -1;
    }
    fl_seat *seat = &self->seats[index];
    *renewed = seat->epoch == 0 || seat->incarnation != hello->incarnation;
    if (*renewed) {
        seat->epoch++;
        seat->incarnation = hello->incarnation;
        memset(&seat->tally, 0, sizeof seat->tally);
        seat->activity = FL_DOING_NOTHING;
    }
    seat->node = event->message.node;
    seat->role = event->message.role;
    seat->peer = event->message.from;
    seat->present = true;
    seat->evasive = false;
    seat->heard_at = now;
    seat->leaves = seat->role == FL_ROLE_DEVICE ? 1 : hello->leaves;
    return index;
}

bool
fl_seats_has(const fl_seats *self, const fl_name *node)
{
    int64_t index = s_of_node(self, node);
    return index >= 0 && (self->seats[index].present || self->seats[index].phase != FL_SEAT_IDLE);
}

fl_presence
fl_seats_presence(const fl_seats *self)
{
    fl_presence sum = { 0 };
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_seat *seat = &self->seats[i];
        if (seat->present) {
            sum.joined++;
            sum.ready += seat->leaves > 0;
            sum.leaves =
                seat->leaves < UINT32_MAX - sum.leaves ? sum.leaves + seat->leaves : UINT32_MAX;
            sum.samples += seat->samples;
        }
    }
    return sum;
}

fl_outcome
fl_seat_outcome(const fl_seat *seat)
{
    switch (seat->phase) {
    case FL_SEAT_IDLE:
        return FL_OUT_IDLE;
    case FL_SEAT_FOLDING:
    case FL_SEAT_COUNTED:
        return FL_OUT_IN;
    case FL_SEAT_LATE:
        return FL_OUT_LATE;
    case FL_SEAT_REFUSED:
        return FL_OUT_REFUSED;
    case FL_SEAT_TASKED:
    case FL_SEAT_OFFERED:
    case FL_SEAT_STAGING:
    case FL_SEAT_VERIFYING:
    case FL_SEAT_ABSENT:
    case FL_SEAT_PHASES:
        break;
    }
    return FL_OUT_ABSENT;
}

bool
fl_seat_terminal(const fl_seat *seat)
{
    switch (seat->phase) {
    case FL_SEAT_IDLE:
    case FL_SEAT_COUNTED:
    case FL_SEAT_LATE:
    case FL_SEAT_REFUSED:
    case FL_SEAT_ABSENT:
        return true;
    case FL_SEAT_TASKED:
    case FL_SEAT_OFFERED:
    case FL_SEAT_STAGING:
    case FL_SEAT_VERIFYING:
    case FL_SEAT_FOLDING:
    case FL_SEAT_PHASES:
        break;
    }
    return false;
}
