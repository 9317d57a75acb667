//  What the operator sees of a root, and what it reads off a round that failed.
#include "cloud/root_inside.h"

enum { BOUND_ROUNDS = 2 };

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

//  R4d. Who masked an update of this model keeps it from being moved. Once all had a whole round to
//  prove what can be proved, the next one has another draw: edges hand in their sums once more, and
//  devices without one train anew.
uint8_t
fl_root_draw(fl_root *self, fl_outbox *out)
{
    if (self->report.close == FL_CLOSE_DONE) {
        self->bound = 0;
        return 0;
    }
    self->bound += self->report.reason == FL_WHY_SAME_MODEL;
    return fl_root_raise(self, out);
}

uint8_t
fl_root_raise(fl_root *self, fl_outbox *out)
{
    const uint8_t draw = self->task.order.draw;
    if (self->bound < BOUND_ROUNDS || draw == FL_DRAW_MAX) {
        return draw;
    }
    self->bound = 0;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_DRAW,
                                   .round = self->task.order.round,
                                   .reason = FL_WHY_SAME_MODEL,
                                   .a = (uint64_t)draw + 1 });
    return (uint8_t)(draw + 1);
}

fl_aggregator *
fl_root_aggregator(const fl_root *self)
{
    return self->aggregator;
}

bool
fl_root_wants(const fl_root *self, const fl_name *node)
{
    return self->phase != FL_ROOT_IDLE && self->phase != FL_ROOT_DONE &&
           fl_aggregator_wants(self->aggregator, node);
}
