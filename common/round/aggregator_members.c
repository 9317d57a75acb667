//  Who belongs to an aggregator: of a report from before this process, and who will not come again.
#include <stdlib.h>
#include <string.h>

#include "common/round/aggregator_inside.h"

//  Some line has that parent.
static bool
s_is_parent(const fl_roll_entry *roll, uint32_t count, const fl_name *node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fl_name_equal(&roll[i].parent, node)) {
            return true;
        }
    }
    return false;
}

//  Below an edge, however far: a report names a parent before its children.
static void
s_remember_below(fl_seat *edge, const fl_roll_entry *roll, uint32_t count)
{
    fl_roll_entry taken[FL_ROLL_MAX];
    uint32_t used = 0;
    edge->roll =
        edge->roll != NULL ? edge->roll : malloc((size_t)FL_ROLL_MAX * FL_ROLL_ENTRY_BYTES);
    for (uint32_t i = 0; edge->roll != NULL && i < count && used < FL_ROLL_MAX; i++) {
        bool below = fl_name_equal(&roll[i].parent, &edge->node);
        for (uint32_t k = 0; k < used && !below; k++) {
            below = fl_name_equal(&roll[i].parent, &taken[k].node);
        }
        if (below) {
            fl_roll_encode(&roll[i], edge->roll + (size_t)used * FL_ROLL_ENTRY_BYTES);
            taken[used++] = roll[i];
            edge->below += s_is_parent(roll, count, &roll[i].node) ? 0 : 1;
        }
    }
    edge->roll_used = (size_t)used * FL_ROLL_ENTRY_BYTES;
}

void
fl_aggregator_recall_roll(fl_aggregator *self, const fl_roll_entry *roll, uint32_t count)
{
    self->before_count = count < FL_ROLL_MAX ? count : FL_ROLL_MAX;
    if (count > 0) {
        memcpy(self->before, roll, self->before_count * sizeof *roll);
    }
}

const fl_roll_entry *
fl_aggregator_passed(fl_aggregator *self, uint32_t *count)
{
    for (uint32_t i = 0; i < self->before_count; i++) {
        self->roll[i] = self->before[i];
        if (self->roll[i].outcome != FL_OUT_ABSENT) {
            self->roll[i].outcome = FL_OUT_LATE;
            self->roll[i].reason = FL_WHY_RESTART;
            self->roll[i].staleness = 0;
        }
    }
    *count = self->before_count;
    return self->roll;
}

uint32_t
fl_aggregator_remember(fl_aggregator *self, const fl_roll_entry *roll, uint32_t count)
{
    uint32_t children = 0, devices = 0;
    fl_aggregator_recall_roll(self, roll, count);
    for (uint32_t i = 0; i < count; i++) {
        bool edge = s_is_parent(roll, count, &roll[i].node);
        bool there = roll[i].outcome != FL_OUT_ABSENT;
        devices += there && !edge ? 1 : 0;
        children += there && fl_name_equal(&roll[i].parent, &self->conf.node) ? 1 : 0;
        fl_seat *seat = !fl_name_equal(&roll[i].parent, &self->conf.node)
                            ? NULL
                            : fl_seats_remember(self->seats, &roll[i].node,
                                                edge ? FL_ROLE_EDGE : FL_ROLE_DEVICE);
        if (seat != NULL && !seat->member) {
            seat->member = true;
            bool gone = roll[i].reason == FL_WHY_GONE || roll[i].reason == FL_WHY_REVOKED;
            seat->away = gone ? (fl_reason)roll[i].reason : FL_WHY_SILENT;
        }
        if (seat != NULL &&
            seat->last_round == 0) { // else it is another run's, and may be asked for
            seat->last_outcome = (fl_outcome)roll[i].outcome;
            seat->last_reason = (fl_reason)roll[i].reason;
            const bool rests = fl_reason_rests_run(seat->last_reason) || // others: late, no place
                               (fl_reason_rests(seat->last_reason) && !seat->present);
            if (roll[i].outcome == FL_OUT_IDLE && rests) {
                fl_seats_rest(self->seats, seat, seat->last_reason);
            }
        }
        if (seat != NULL && edge && seat->roll_used == 0) {
            s_remember_below(seat, roll, count);
        }
    }
    fl_awaited_recall(&self->awaited, children, count > 0 ? self->conf.absent_max : 0,
                      self->others);
    return devices;
}

bool
fl_aggregator_others(const fl_aggregator *self)
{
    return self->others;
}

uint32_t
fl_aggregator_expects(const fl_aggregator *self)
{
    return fl_awaited_of(&self->awaited, self->conf.expect);
}

//  It is below one of the children; where these are but some, one of them has said so.
static bool
s_is_below(const fl_aggregator *self, const fl_name *node)
{
    fl_roll_entry entry;
    bool below = self->conf.on_count == 0;
    for (uint32_t i = 0; i < fl_seats_count(self->seats) && !below; i++) {
        const fl_seat *seat = fl_seats_look(self->seats, i);
        const bool wanted = fl_seats_wants(self->seats, &seat->node);
        for (size_t at = 0;
             wanted && !below &&
             fl_participation_below(self->seats, seat, &self->conf.node, &at, &entry);) {
            below = fl_name_equal(&entry.node, node);
        }
    }
    return below;
}

uint32_t
fl_aggregator_deny(fl_aggregator *self, const fl_name *node)
{
    int64_t index = fl_seats_of_node(self->seats, node);
    if (index < 0) {
        return s_is_below(self, node) ? 1 : 0;
    }
    fl_seat *seat = fl_seats_at(self->seats, (uint32_t)index);
    const bool wanted = fl_seats_wants(self->seats, node);
    uint32_t leaves = wanted ? seat->leaves : 0;
    if (seat->present) {
        return leaves; // it is cut off, and taken off then
    }
    if (wanted && seat->away != FL_WHY_REVOKED && seat->away != FL_WHY_GONE) {
        fl_awaited_lower(&self->awaited, self->conf.expect, 1);
    }
    leaves = seat->away == FL_WHY_GONE ? 0 : leaves;
    seat->away = FL_WHY_REVOKED;
    seat->leaves = 0; // once is enough
    return leaves;
}
