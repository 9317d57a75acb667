//  What a host and an operator look at: who is there, and how each seat stands.
#include "common/base/status.h"
#include "common/round/aggregator_inside.h"
#include "common/round/participation.h"

uint32_t
fl_aggregator_joined(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).joined;
}

uint32_t
fl_aggregator_ready(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).ready;
}

uint32_t
fl_aggregator_leaves(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).leaves;
}

uint64_t
fl_aggregator_samples(const fl_aggregator *self)
{
    return fl_seats_presence(self->seats).samples;
}

fl_tally
fl_aggregator_tally(const fl_aggregator *self)
{
    fl_tally tally = fl_participation_tally(self->seats);
    tally.bytes_up += fl_uploads_sums(self->uploads)->bytes_up;
    tally.bytes_down += self->bytes_down;
    if (fl_aggregator_masked(self)) {
        fl_blocks_tally(self->blocks, &tally);
    }
    return tally;
}

uint32_t
fl_aggregator_seats(const fl_aggregator *self)
{
    return fl_seats_count(self->seats);
}

bool
fl_aggregator_block(const fl_aggregator *self, uint32_t block, fl_block_view *view)
{
    FL_ASSERT(block < FL_BLOCKS_MAX);
    return self->blocks != NULL && fl_blocks_look(self->blocks, block, &view->line, &view->state);
}

fl_seat_view
fl_aggregator_seat(const fl_aggregator *self, uint32_t index)
{
    const fl_seat *seat = fl_seats_look(self->seats, index);
    bool running = seat->phase != FL_SEAT_IDLE;
    return (fl_seat_view){
        .node = seat->node,
        .role = seat->role,
        .present = seat->present,
        .evasive = seat->evasive,
        .activity = seat->activity,
        .done = seat->done,
        .total = seat->total,
        .outcome = running ? fl_seat_outcome(seat) : seat->last_outcome,
        .reason = running ? seat->reason : seat->last_reason,
        .leaves = seat->leaves,
        .samples = seat->samples,
        .tally = seat->tally,
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
    for (int i = 0; i < FL_STATS; i++) {
        report->stats[i] = self->stats[i];
    }
    report->sum = self->hash;
    report->tally = self->tally;
    report->roll = self->roll;
    report->roll_count = self->roll_count;
    report->roll_dropped = self->roll_dropped;
    report->masking = self->masking;
    report->blocks = self->blocks;
    report->block_count = self->block_count;
}
