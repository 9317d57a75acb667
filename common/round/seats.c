#include "common/round/seats.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"

//  A seat, and a chain of the present seats whose peers fall to this place.
typedef struct place {
    fl_seat seat;
    uint32_t first, next; // seat + 1; 0: none
} place;

struct fl_seats {
    uint32_t seats_max;
    uint32_t count;
    const fl_name *on; // (on_count), those that are wanted; on_count 0: all
    uint32_t on_count;
    uint32_t standing[FL_SEAT_PHASES]; // seats by phase
    uint32_t joined, ready;            // present seats; of them, with a leaf
    uint64_t leaves, samples;          // of present seats
    uint32_t resting;                  // seats, present or not
    place places[];                    // (seats_max)
};

fl_seats *
fl_seats_new(uint32_t seats_max)
{
    FL_ASSERT(seats_max >= 1 && seats_max <= FL_SEATS_MAX);
    fl_seats *self = calloc(1, sizeof *self + (size_t)seats_max * sizeof self->places[0]);
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
        free(self->places[i].seat.roll);
        free(self->places[i].seat.blocks);
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
    return &self->places[seat].seat;
}

const fl_seat *
fl_seats_look(const fl_seats *self, uint32_t seat)
{
    FL_ASSERT(seat < self->count);
    return &self->places[seat].seat;
}

//  A driver numbers its peers from 0, with a generation in the upper half: chains are short.
static uint32_t
s_chain(const fl_seats *self, fl_peer peer)
{
    return (peer & 0xffff) % self->seats_max;
}

//  The first seat of them, should a key have had two names.
int64_t
fl_seats_of_peer(const fl_seats *self, fl_peer peer)
{
    uint32_t found = 0;
    for (uint32_t at = self->places[s_chain(self, peer)].first; at != 0;
         at = self->places[at - 1].next) {
        if (self->places[at - 1].seat.peer == peer && (found == 0 || at < found)) {
            found = at;
        }
    }
    return (int64_t)found - 1;
}

// ---- what is summed ---------------------------------------------------------------------------
static void
s_add(fl_seats *self, const fl_seat *seat)
{
    self->joined++;
    self->ready += seat->leaves > 0;
    self->leaves += seat->leaves;
    self->samples += seat->samples;
}

static void
s_take_off(fl_seats *self, const fl_seat *seat)
{
    self->joined--;
    self->ready -= seat->leaves > 0;
    self->leaves -= seat->leaves;
    self->samples -= seat->samples;
}

void
fl_seats_enter(fl_seats *self, fl_seat *seat, fl_seat_phase phase)
{
    FL_ASSERT(self->standing[seat->phase] > 0);
    self->standing[seat->phase]--;
    self->standing[phase]++;
    seat->phase = phase;
}

void
fl_seats_rest(fl_seats *self, fl_seat *seat, fl_reason reason)
{
    self->resting -= seat->rests != FL_WHY_NONE;
    self->resting += reason != FL_WHY_NONE;
    seat->rests = reason;
}

void
fl_seats_told(fl_seats *self, uint32_t seat, uint32_t leaves, uint64_t samples)
{
    fl_seat *at = fl_seats_at(self, seat);
    FL_ASSERT(at->present);
    s_take_off(self, at);
    at->leaves = leaves;
    at->samples = samples;
    s_add(self, at);
}

void
fl_seats_vacate(fl_seats *self, uint32_t seat)
{
    fl_seat *at = fl_seats_at(self, seat);
    FL_ASSERT(at->present);
    uint32_t *hook = &self->places[s_chain(self, at->peer)].first;
    while (*hook != seat + 1) {
        hook = &self->places[*hook - 1].next;
    }
    *hook = self->places[seat].next;
    at->present = false;
    s_take_off(self, at);
}

static void
s_arrive(fl_seats *self, uint32_t seat, fl_peer peer)
{
    fl_seat *at = fl_seats_at(self, seat);
    uint32_t *first = &self->places[s_chain(self, peer)].first;
    self->places[seat].next = *first;
    *first = seat + 1;
    at->peer = peer;
    at->present = true;
    s_add(self, at);
}

int64_t
fl_seats_of_node(const fl_seats *self, const fl_name *node)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (fl_name_equal(&self->places[i].seat.node, node)) {
            return i;
        }
    }
    return -1;
}

//  An absent, idle child's, and of these the one that is missed least: who was in no round, then
//  who was, then who lied. Who leaves and comes back is not to be forgotten for it.
static int64_t
s_old_seat(const fl_seats *self)
{
    int64_t found = -1;
    int least = 3;
    for (uint32_t i = 0; i < self->count; i++) {
        const fl_seat *seat = &self->places[i].seat;
        bool member = seat->member || seat->rests != FL_WHY_NONE;
        int missed = seat->blamed != FL_WHY_NONE ? 2 : member ? 1 : 0;
        if (!seat->present && seat->phase == FL_SEAT_IDLE && missed < least) {
            found = i;
            least = missed;
        }
    }
    return found;
}

static int64_t
s_new_seat(fl_seats *self)
{
    if (self->count < self->seats_max) {
        self->standing[FL_SEAT_IDLE]++;
        return self->count++;
    }
    int64_t index = s_old_seat(self);
    if (index >= 0) {
        fl_seat *seat = &self->places[index].seat;
        fl_seats_rest(self, seat, FL_WHY_NONE);
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
    int64_t index = fl_seats_of_node(self, &event->message.node);
    if (index < 0) {
        index = s_new_seat(self);
    }
    if (index < 0) {
        return -1;
    }
    fl_seat *seat = &self->places[index].seat;
    *renewed = seat->epoch == 0 || seat->incarnation != hello->incarnation;
    if (*renewed) {
        seat->epoch++;
        seat->incarnation = hello->incarnation;
        memset(&seat->tally, 0, sizeof seat->tally);
        seat->activity = FL_DOING_NOTHING;
    }
    seat->before = seat->present ? seat->peer : event->message.from;
    if (seat->present) {
        fl_seats_vacate(self, (uint32_t)index);
    }
    seat->node = event->message.node;
    seat->role = event->message.role;
    seat->evasive = seat->moved = false;
    fl_seats_rest(self, seat, FL_WHY_NONE);
    seat->heard_at = now;
    seat->leaves = seat->role == FL_ROLE_DEVICE ? 1 : hello->leaves;
    seat->offers = fl_offerings_read(hello->offers);
    s_arrive(self, (uint32_t)index, event->message.from);
    return index;
}

const fl_seat *
fl_seats_held(const fl_seats *self, const fl_event *hello, fl_time now, fl_time silent)
{
    int64_t index = fl_seats_of_node(self, &hello->message.node);
    const fl_seat *seat = index < 0 ? NULL : &self->places[index].seat;
    bool held = seat != NULL && seat->present && now - seat->heard_at < silent &&
                seat->incarnation != hello->message.message->hello.incarnation;
    return held ? seat : NULL;
}

fl_seat *
fl_seats_remember(fl_seats *self, const fl_name *node, fl_role role)
{
    int64_t index = fl_seats_of_node(self, node);
    if (index < 0 && self->count < self->seats_max) {
        index = s_new_seat(self);
        self->places[index].seat.node = *node;
        self->places[index].seat.role = role;
    }
    return index < 0 ? NULL : &self->places[index].seat;
}

bool
fl_seats_has(const fl_seats *self, const fl_name *node)
{
    int64_t index = fl_seats_of_node(self, node);
    return index >= 0 &&
           (self->places[index].seat.present || self->places[index].seat.phase != FL_SEAT_IDLE);
}

void
fl_seats_limit(fl_seats *self, const fl_name *on, uint32_t count)
{
    self->on = on;
    self->on_count = count;
}

bool
fl_seats_wants(const fl_seats *self, const fl_name *node)
{
    bool wants = self->on_count == 0;
    for (uint32_t i = 0; i < self->on_count && !wants; i++) {
        wants = fl_name_equal(&self->on[i], node);
    }
    return wants;
}

fl_presence
fl_seats_presence(const fl_seats *self)
{
    const bool few = self->on_count > 0;
    uint64_t leaves = few ? 0 : self->leaves;
    fl_presence sum = { 0 };
    if (!few) {
        sum = (fl_presence){ self->joined, self->ready, .samples = self->samples };
    }
    for (uint32_t i = 0; i < self->count && (few || self->resting > 0); i++) {
        const fl_seat *seat = &self->places[i].seat;
        if (!fl_seats_wants(self, &seat->node)) {
            continue;
        }
        uint32_t below = seat->leaves > seat->below ? seat->leaves : seat->below;
        bool rests = seat->rests != FL_WHY_NONE && (below > 0 || seat->role == FL_ROLE_DEVICE);
        bool away = rests && !seat->present, adds = few && seat->present;
        sum.joined += adds;
        sum.samples += adds ? seat->samples : 0;
        sum.resting += rests && (away || seat->leaves > 0);
        sum.ready += away || (adds && seat->leaves > 0);
        leaves += adds ? seat->leaves : !away ? 0 : below > 0 ? below : 1;
    }
    sum.leaves = leaves < UINT32_MAX ? (uint32_t)leaves : UINT32_MAX;
    return sum;
}

static uint32_t
s_resting(const fl_seats *self)
{
    uint32_t sum = self->resting;
    for (uint32_t i = 0; i < self->count && self->on_count > 0; i++) {
        const fl_seat *seat = &self->places[i].seat;
        sum -= seat->rests != FL_WHY_NONE && !fl_seats_wants(self, &seat->node);
    }
    return sum;
}

fl_standing
fl_seats_standing(const fl_seats *self)
{
    const uint32_t *in = self->standing;
    return (fl_standing){
        .invited = self->count - in[FL_SEAT_IDLE],
        .ended = in[FL_SEAT_COUNTED] + in[FL_SEAT_LATE] + in[FL_SEAT_REFUSED] + in[FL_SEAT_ABSENT],
        .offered = in[FL_SEAT_OFFERED],
        .resting = s_resting(self),
        .coming = in[FL_SEAT_VERIFYING] + in[FL_SEAT_FOLDING] + in[FL_SEAT_COUNTED]
    };
}

fl_outcome
fl_seat_outcome(const fl_seat *seat)
{
    static const fl_outcome outcomes[FL_SEAT_PHASES] = {
        [FL_SEAT_IDLE] = FL_OUT_IDLE,        [FL_SEAT_TASKED] = FL_OUT_ABSENT,
        [FL_SEAT_OFFERED] = FL_OUT_ABSENT,   [FL_SEAT_STAGING] = FL_OUT_ABSENT,
        [FL_SEAT_VERIFYING] = FL_OUT_ABSENT, [FL_SEAT_FOLDING] = FL_OUT_IN,
        [FL_SEAT_COUNTED] = FL_OUT_IN,       [FL_SEAT_LATE] = FL_OUT_LATE,
        [FL_SEAT_REFUSED] = FL_OUT_REFUSED,  [FL_SEAT_ABSENT] = FL_OUT_ABSENT,
    };
    return seat->phase == FL_SEAT_IDLE && seat->lost ? FL_OUT_ABSENT : outcomes[seat->phase];
}

bool
fl_seat_terminal(const fl_seat *seat)
{
    return seat->phase == FL_SEAT_IDLE || seat->phase >= FL_SEAT_COUNTED;
}
