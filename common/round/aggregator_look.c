//  What edge, root and operator look at: of an aggregator, and of what it came to.
#include <string.h>

#include "common/base/status.h"
#include "common/round/aggregator_inside.h"

void
fl_aggregator_twins(fl_aggregator *self, fl_bytes nodes)
{
    fl_doubles *doubles = &self->doubles;
    doubles->twin_count = 0;
    self->twins_told = true;
    for (size_t at = 0; at + sizeof(fl_twin) <= nodes.size; at += sizeof(fl_twin)) {
        fl_twin *next = &doubles->twins[doubles->twin_count];
        memcpy(next, nodes.data + at, sizeof *next);
        doubles->twin_count += fl_name_valid(&next->node) && fl_name_valid(&next->keeper) ? 1 : 0;
    }
}

void
fl_aggregator_fit(fl_aggregator *self, uint32_t index)
{
    fl_seat *seat = fl_seats_at(self->seats, index);
    const fl_reason now = seat->rests;
    if (seat->epoch > 0 &&
        (now == FL_WHY_NONE || now == FL_WHY_NO_TRAINER || now == FL_WHY_NO_DATA)) {
        fl_seats_rest(self->seats, seat, fl_offerings_lack(&seat->offers, &self->wanted));
    }
}

void
fl_aggregator_needs(fl_aggregator *self, const fl_plan *plan)
{
    self->wanted = (fl_offering){ plan->trainer, plan->data };
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        fl_aggregator_fit(self, i);
    }
}

void
fl_aggregator_offers(const fl_aggregator *self, fl_offerings *offers)
{
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && seat->leaves > 0) {
            fl_offerings_add(offers, &seat->offers);
        }
    }
}

//  Where a node is that is not here, every edge is asked to look.
void
fl_aggregator_rest(fl_aggregator *self, const fl_name *node, bool drains, fl_outbox *out)
{
    const int64_t child = fl_seats_of_node(self->seats, node);
    const bool here = child >= 0 && fl_seats_look(self->seats, (uint32_t)child)->present;
    for (uint32_t i = 0; i < fl_seats_count(self->seats); i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        if (seat->present && (here ? i == child : seat->role == FL_ROLE_EDGE)) {
            fl_refused *refused = &fl_outbox_send(out, seat->peer, FL_REFUSED)->refused;
            refused->reason = FL_WHY_DRAIN;
            refused->about = drains ? FL_TASK : FL_REFUSED;
            memcpy(refused->text, node->name, here ? 0 : sizeof node->name);
        }
    }
}

fl_presence
fl_aggregator_presence(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats);
}

bool
fl_aggregator_wants(const fl_aggregator *self, const fl_name *node)
{
    return fl_seats_wants(self->seats, node);
}

bool
fl_aggregator_holds(const fl_aggregator *self, fl_peer peer)
{
    return fl_seats_of_peer(self->seats, peer) >= 0;
}

uint32_t
fl_aggregator_seats(const fl_aggregator *self)
{
    return fl_seats_count(self->seats);
}

bool
fl_aggregator_below(const fl_aggregator *self, uint32_t index, size_t *at, fl_roll_entry *entry)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    return fl_participation_below(self->seats, seat, &self->conf.node, at, entry);
}

fl_seat_view
fl_aggregator_seat(const fl_aggregator *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool rests = fl_seat_outcome(seat) == FL_OUT_IDLE && seat->rests != FL_WHY_NONE;
    bool running = fl_seat_outcome(seat) != FL_OUT_IDLE || rests;
    return (fl_seat_view){
        .node = seat->node,
        .role = seat->role,
        .present = seat->present,
        .evasive = seat->evasive,
        .moved = seat->moved,
        .offers = &seat->offers,
        .activity = seat->activity,
        .done = seat->done,
        .total = seat->total,
        .outcome = running ? fl_seat_outcome(seat) : seat->last_outcome,
        .rests = seat->rests != FL_WHY_NONE,
        .reason = rests     ? seat->rests
                  : running ? seat->reason
                            : seat->last_reason,
        .leaves = seat->leaves,
        .samples = seat->samples,
        .tally = seat->tally,
        .told_round = seat->roll_round,
        .rounds_in = seat->rounds[FL_OUT_IN],
        .rounds_late = seat->rounds[FL_OUT_LATE],
        .rounds_absent = seat->rounds[FL_OUT_ABSENT],
        .rounds_refused = seat->rounds[FL_OUT_REFUSED],
    };
}

void
fl_result_report(const fl_result *self, fl_report *report)
{
    report->close = self->close;
    report->reason = self->reason;
    report->duration_ms = self->duration_ms;
    report->budget_ms = self->budget_ms;
    report->weight = self->weight;
    report->count = self->count;
    memcpy(report->stats, self->stats, sizeof report->stats);
    report->sum = self->hash;
    report->tally = self->tally;
    report->roll = self->roll;
    report->roll_count = self->roll_count;
    report->roll_dropped = self->roll_dropped;
    report->masking = self->masking;
    report->weighting = self->weighting;
    report->pin = self->pin;
    report->blocks = self->blocks;
    report->block_count = self->block_count;
}
