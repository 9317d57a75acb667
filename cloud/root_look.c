//  What the operator sees of a root, and what it reads off a round that failed.
#include "cloud/root_inside.h"

fl_root_view
fl_root_look(const fl_root *self, fl_time now)
{
    fl_time left = self->since + (fl_time)self->conf.start_wait_ms - now;
    fl_root_view view = { .phase = self->assigned ? FL_ROOT_WAITING : self->phase,
                          .round = self->task.order.round,
                          .rounds = self->conf.rounds,
                          .attempt = self->task.attempt,
                          .ready = fl_aggregator_presence(self->aggregator).ready,
                          .resting = fl_aggregator_presence(self->aggregator).resting,
                          .expect = fl_aggregator_expects(self->aggregator),
                          .leaves = fl_aggregator_presence(self->aggregator).leaves,
                          .expect_leaves = fl_awaited_of(&self->awaited, self->conf.expect_leaves),
                          .phase_ms = (uint32_t)(now - self->since),
                          .loss = self->loss,
                          .accuracy = self->accuracy,
                          .best_round = self->best.round,
                          .best_score = self->best.value,
                          .aborted = self->aborted,
                          .skipped = self->skipped,
                          .reason = self->reason,
                          .rests = self->rests ? FL_WHY_DRAIN : FL_WHY_NONE,
                          .busy =
                              (self->phase >= FL_ROOT_OPENING && self->phase <= FL_ROOT_SAVING) ||
                              (self->phase == FL_ROOT_PAUSED && self->paused != FL_ROOT_WAITING),
                          .masking = { self->conf.plan.masking[0], self->conf.plan.masking[1] },
                          .weighting = (fl_weighting)self->conf.plan.weighting,
                          .pin = self->conf.plan.pin };
    if (self->phase == FL_ROOT_DONE && view.round > view.rounds) {
        view.rounds = view.round; // it had run further before it was to end earlier
    }
    if (self->phase == FL_ROOT_WAITING && left > 0) {
        view.left_ms = (uint32_t)left;
    } else if (self->phase == FL_ROOT_PAUSED) {
        view.left_ms = self->retry_at > now ? (uint32_t)(self->retry_at - now) : 0;
    } else if (self->phase == FL_ROOT_COLLECTING) {
        fl_time cutoff = fl_aggregator_cutoff(self->aggregator);
        fl_time end = cutoff == FL_NEVER ? 0 : cutoff - now;
        view.left_ms = end > 0 ? (uint32_t)end : 0;
    }
    view.round_ms = fl_pace_ms(&self->pace);
    return view;
}

//  A sum of our children was opened and lost: they gave their shares, and no proof clears that. The
//  next round has another draw, under which edges hand in their sums once more.
bool
fl_root_lost(const fl_root *self)
{
    const fl_report *report = &self->report;
    for (uint32_t i = 0; i < report->roll_count; i++) {
        if (report->roll[i].reason == FL_WHY_SAME_MODEL &&
            fl_name_equal(&report->roll[i].parent, &self->conf.aggregator.node)) {
            return self->task.order.draw < FL_DRAW_MAX;
        }
    }
    return false;
}
