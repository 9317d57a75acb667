//  The edge is glue: what its participant hears becomes a round of its aggregator, what
//  its aggregator closes becomes the participant's contribution, and the verdict from
//  above is handed to the children. So a device learns «counted» only when the
//  root has made it durable.
#include "edge/edge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "edge/kept.h"

typedef enum phase { IDLE, SAVING, COLLECTING, ANSWERED, PHASES } phase;

static const bool legal[PHASES][PHASES] = {
    [IDLE] = { [SAVING] = true },
    [SAVING] = { [COLLECTING] = true, [IDLE] = true, [ANSWERED] = true },
    [COLLECTING] = { [ANSWERED] = true, [IDLE] = true },
    [ANSWERED] = { [IDLE] = true },
};

struct fl_edge {
    fl_edge_conf conf;
    fl_participant *participant;
    fl_aggregator *aggregator;
    phase phase;
    fl_task task;      // of the round in hand; its attempt is ours
    uint64_t token;    // of the SAVE of an opening, or the RECALL, that is awaited
    fl_kept *kept;     // sums that were opened here
    uint64_t keeping;  // of the KEEP of such a sum
    fl_verdict verdict; // that waits for it ...
    bool held;          // ... or is being looked at
    fl_report opening; // of the newest SAVE of either kind: one step may ask for both
    fl_report closing;
    bool final;     // the run is over ...
    fl_reason end;  // ... for this reason ...
    bool dismissed; // ... and the children were told
};

fl_edge *
fl_edge_new(const fl_edge_conf *conf)
{
    fl_edge *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->conf.aggregator.vector = true;
    self->task.order.run = conf->last_run;
    self->task.order.round = conf->last_round;
    self->task.attempt = conf->last_attempt;
    self->conf.participant.run = conf->last_run;
    self->participant = fl_participant_new(&self->conf.participant);
    self->aggregator = fl_aggregator_new(&self->conf.aggregator);
    self->kept = fl_kept_new(conf->kept, conf->kept_count);
    if (self->participant == NULL || self->aggregator == NULL || self->kept == NULL) {
        fl_edge_destroy(&self);
        return NULL;
    }
    static const fl_hash none;
    fl_aggregator_model(self->aggregator, &conf->last_run, &none, 0);
    for (uint32_t i = 0; i < conf->past_count; i++) {
        fl_aggregator_recall(self->aggregator, &conf->pasts[i]);
    }
    fl_aggregator_remember(self->aggregator, conf->members, conf->member_count);
    return self;
}

void
fl_edge_destroy(fl_edge **self_p)
{
    fl_edge *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_participant_destroy(&self->participant);
        fl_aggregator_destroy(&self->aggregator);
        fl_kept_destroy(&self->kept);
        free(self);
    }
}

static void
s_enter(fl_edge *self, phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

static const fl_report *
s_report(fl_edge *self, const fl_result *result)
{
    fl_report *report = result != NULL ? &self->closing : &self->opening;
    const fl_order *order = &self->task.order;
    *report = (fl_report){ .run = order->run,
                           .round = order->round,
                           .attempt = self->task.attempt,
                           .base = order->model,
                           .model = order->model,
                           .loss = NAN,
                           .accuracy = NAN };
    if (result != NULL) {
        fl_result_report(result, report);
    }
    return report;
}

//  That is the round in hand, or the last one.
static bool
s_of_round(const fl_edge *self, const fl_run *run, uint64_t round)
{
    return round == self->task.order.round && fl_run_equal(run, &self->task.order.run);
}

//  The next verdict. A sum that did not count is handed in again, so it is durable before children
//  hear that its round is over: until then they can be asked to open it once more.
static bool
s_next_verdict(fl_edge *self, fl_verdict *verdict)
{
    self->held = self->held || fl_participant_verdict(self->participant, &self->verdict);
    *verdict = self->verdict;
    if (!self->held || (self->keeping != 0 && verdict->outcome != FL_OUT_IN)) {
        return false;
    }
    self->held = false;
    return true;
}

static void
s_take_verdict(fl_edge *self, fl_time now, fl_outbox *out)
{
    fl_verdict verdict;
    if (!s_next_verdict(self, &verdict)) {
        return;
    }
    bool ours = s_of_round(self, &verdict.run, verdict.round);
    self->final = verdict.final;
    self->end = verdict.end;
    self->dismissed = false;
    if (ours && self->phase == ANSWERED) {
        fl_result result;
        if (fl_aggregator_result(self->aggregator, &result)) {
            fl_outcome outcome = verdict.certain ? verdict.outcome : FL_OUT_REFUSED;
            fl_reason reason = verdict.certain ? verdict.reason : FL_WHY_UNKNOWN_ROUND;
            if (outcome == FL_OUT_ABSENT || outcome == FL_OUT_IDLE) { // our sum was not taken
                outcome = FL_OUT_LATE;
            }
            fl_aggregator_settle(self->aggregator, outcome, reason,
                                 verdict.final ? &verdict.end : NULL, out);
            self->dismissed = verdict.final;
            fl_effect *effect = fl_outbox_add(out, FL_FX_SAVE); // nobody waits for it
            effect->save.what = FL_SAVE_CLOSE;
            effect->save.report = s_report(self, &result);
        }
        s_enter(self, IDLE);
    } else if (ours && (self->phase == COLLECTING || self->phase == SAVING)) {
        fl_aggregator_abandon(self->aggregator, verdict.reason, now, out);
        self->token = 0;
        s_enter(self, IDLE);
    }
}

//  The run is over: the children hear it as soon as nothing of ours is in flight.
static void
s_dismiss(fl_edge *self, fl_outbox *out)
{
    static const fl_hash none;
    if (self->final && !self->dismissed && fl_aggregator_idle(self->aggregator)) {
        //  It may be one that this edge opened no round of.
        fl_aggregator_model(self->aggregator, fl_participant_run(self->participant), &none, 0);
        fl_aggregator_dismiss(self->aggregator, self->end, out);
        self->dismissed = true;
    }
}

//  The children mask in the round in hand.
static bool
s_masks(const fl_edge *self)
{
    return fl_plan_masking(&self->task.order.plan, 1) != FL_MASKING_NONE;
}

//  A plan with masks needs an aggregator that can make its children mask.
static bool
s_can_mask(const fl_edge *self, const fl_plan *plan)
{
    const fl_secagg_server_conf *masking = self->conf.aggregator.masking;
    return masking != NULL || fl_plan_masking(plan, 1) == FL_MASKING_NONE;
}

//  The pools that its blocks would lie in are here.
static bool
s_pooled(const fl_edge *self, const fl_order *order)
{
    const fl_secagg_server_conf *masking = self->conf.aggregator.masking;
    return masking == NULL || order->pools == 0 ||
           fl_plan_masking(&order->plan, masking->hop) == FL_MASKING_NONE ||
           fl_pool_set_whole(fl_aggregator_pools(self->aggregator), &order->run, order->pools,
                             &self->conf.aggregator.node);
}

//  The operator's word for a node below: it goes on down.
static bool
s_passes_on(fl_edge *self, const fl_message *message, fl_outbox *out)
{
    const fl_refused *refused = &message->refused;
    fl_name node;
    bool below = message->verb == FL_REFUSED && refused->reason == FL_WHY_DRAIN &&
                 fl_name_parse(refused->text, &node);
    if (below) {
        fl_aggregator_rest(self->aggregator, &node, refused->about == FL_TASK, out);
    }
    return below;
}

//  Pools are for us, as a child and as a parent, and for edges below. A task whose pools are not
//  all here is not taken: it comes again, and they before it.
static void
s_hear_parent(fl_edge *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    static const fl_name everyone;
    const fl_message *message = event->message.message;
    bool fine = true;
    if (message->verb == FL_TWINS) {
        fl_aggregator_twins(self->aggregator, message->twins.nodes);
        return;
    }
    if (s_passes_on(self, message, out)) {
        return;
    }
    if (message->verb == FL_POOL) {
        fine =
            fl_pool_set_add(fl_aggregator_pools(self->aggregator), &everyone, message->pool.pools);
    } else if (message->verb == FL_TASK) {
        fine = s_pooled(self, &message->task.order);
    }
    if (fine) {
        fl_participant_step(self->participant, event, now, out);
    } else {
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_POOL_REFUSED,
                                       .round = message->round,
                                       .reason = message->verb == FL_TASK ? FL_WHY_NO_POOL
                                                                          : FL_WHY_MALFORMED });
    }
}

static void
s_take_task(fl_edge *self, fl_time now, fl_outbox *out)
{
    const fl_task *task = fl_participant_task(self->participant);
    if (task == NULL || !fl_participant_wants(self->participant)) {
        return;
    }
    if (self->phase != IDLE || self->held || !fl_aggregator_idle(self->aggregator)) {
        return;
    }
    if (!s_can_mask(self, &task->order.plan)) {
        fl_participant_decline(self->participant, FL_WHY_POLICY_REFUSED,
                               "this edge is not set up for secure aggregation", now, out);
        return;
    }
    bool again = s_of_round(self, &task->order.run, task->order.round);
    uint32_t attempt = again ? self->task.attempt + 1 : 1;
    self->final = self->dismissed = false;
    self->task = *task;
    self->task.attempt = attempt;
    s_enter(self, SAVING);
    fl_effect *effect = fl_outbox_ask(out, FL_FX_SAVE, &self->token);
    effect->save.what = FL_SAVE_OPEN;
    effect->save.report = s_report(self, NULL);
}

//  When our sum must be there. In a masked round the parent wants us ready by three quarters of its
//  time, and we may have heard of the task when an eighth of it was gone: 11/16 of what was left
//  then are never later. The rest is for masking it and sending it up.
static fl_time
s_due(const fl_edge *self)
{
    fl_time due = fl_participant_due(self->participant);
    fl_time budget = self->task.budget_ms;
    fl_masking masking = fl_participant_masking(self->participant, &self->task.order.plan);
    return masking == FL_MASKING_NONE ? due : due - budget * 5 / 16;
}

//  Our sum of this round, as it was opened by blocks of it or of a round before.
static void
s_offer(fl_edge *self, const fl_offer *sums, fl_time now, fl_outbox *out)
{
    fl_offer offer = *sums;
    offer.base_round = self->task.order.round;
    offer.base = self->task.order.model;
    s_enter(self, ANSWERED);
    fl_participant_offer(self->participant, &offer, now, out);
}

static void
s_open(fl_edge *self, uint64_t wall_s, fl_time now, fl_outbox *out)
{
    const fl_order *order = &self->task.order;
    fl_aggregator_model(self->aggregator, &order->run, &order->model, order->model_bytes);
    fl_aggregator_needs(self->aggregator, &order->plan);
    s_enter(self, COLLECTING);
    fl_aggregator_open(self->aggregator, &self->task, s_due(self), wall_s, now, out);
}

//  A sum of this model was opened here before. Without its vector the round is opened anew, for
//  those who may mask.
static void
on_recalled(fl_edge *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    static fl_roll_entry roll[FL_ROLL_MAX];
    static fl_block_line blocks[FL_BLOCK_LINES_MAX];
    fl_contrib kept;
    fl_offer offer = { .vec = event->recalled.vec };
    self->token = 0;
    if (offer.vec == 0 || !fl_kept_of(self->kept, &self->task.order, &kept)) {
        s_open(self, event->wall_s, now, out);
        return;
    }
    for (size_t at = 0; at < kept.roll.size; at += FL_ROLL_ENTRY_BYTES) {
        bool read = fl_roll_decode(fl_bytes_of(kept.roll.data + at, FL_ROLL_ENTRY_BYTES),
                                   &roll[offer.roll_count]);
        offer.roll_count += read ? 1 : 0;
    }
    for (size_t at = 0; at < kept.blocks.size; at += FL_BLOCK_LINE_BYTES) {
        bool read = fl_block_line_decode(fl_bytes_of(kept.blocks.data + at, FL_BLOCK_LINE_BYTES),
                                         &blocks[offer.block_count]);
        offer.block_count += read ? 1 : 0;
    }
    offer.hash = kept.hash;
    offer.vector_bytes = kept.vector_bytes;
    offer.weight = kept.weight;
    offer.count = kept.count;
    memcpy(offer.stats, kept.stats, sizeof offer.stats);
    offer.tally = kept.tally;
    offer.roll_dropped = kept.roll_dropped;
    offer.roll = roll;
    offer.blocks = blocks;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_SUM_AGAIN,
                                   .round = self->task.order.round,
                                   .a = kept.base_round,
                                   .b = kept.count });
    s_offer(self, &offer, now, out);
}

//  The vector of a RECALL that nobody waits for any more is dropped.
static void
s_give_recalled(fl_edge *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (fl_answers(event, self->token)) {
        on_recalled(self, event, now, out);
    } else if (event->recalled.vec != 0) {
        fl_outbox_add(out, FL_FX_DROP)->drop.vec = event->recalled.vec;
    }
}

static void
on_saved(fl_edge *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    self->token = 0;
    if (!event->saved.ok) {
        s_enter(self, ANSWERED);
        fl_participant_decline(self->participant, FL_WHY_STORAGE,
                               "the edge cannot write its ledger", now, out);
        return;
    }
    fl_contrib kept;
    if (s_masks(self) && fl_kept_of(self->kept, &self->task.order, &kept)) {
        fl_effect *effect = fl_outbox_ask(out, FL_FX_RECALL, &self->token);
        effect->recall.run = self->task.order.run;
        effect->recall.hash = kept.hash;
        return;
    }
    s_open(self, event->wall_s, now, out);
}

//  The answer of a SAVE is the edge's, of a KEEP that of its half of a masked round above or below.
static void
s_give_saved(fl_edge *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!event->saved.ok) {
        fl_outbox_note(out, (fl_note){ .id = FL_NOTE_SAVE_FAILED,
                                       .round = self->task.order.round,
                                       .reason = FL_WHY_STORAGE,
                                       .a = event->token });
    }
    if (fl_answers(event, self->token)) {
        on_saved(self, event, now, out);
    } else if (fl_answers(event, self->keeping)) {
        self->keeping = 0;
    } else {
        fl_participant_step(self->participant, event, now, out);
        fl_aggregator_step(self->aggregator, event, now, out);
    }
}

static void
s_answer(fl_edge *self, fl_time now, fl_outbox *out)
{
    fl_result result;
    if (self->phase != COLLECTING || !fl_aggregator_result(self->aggregator, &result)) {
        return;
    }
    FL_ASSERT(fl_participant_wants(self->participant));
    if (result.close != FL_CLOSE_DONE) {
        s_enter(self, ANSWERED);
        fl_participant_decline(self->participant, result.reason, "this edge has made no sum", now,
                               out);
        return;
    }
    fl_offer offer = { .vec = result.vec,
                       .hash = result.hash,
                       .vector_bytes = result.vector_bytes,
                       .weight = result.weight,
                       .count = result.count,
                       .tally = result.tally,
                       .roll = result.roll,
                       .roll_count = result.roll_count,
                       .roll_dropped = result.roll_dropped,
                       .blocks = result.blocks,
                       .block_count = result.block_count };
    memcpy(offer.stats, result.stats, sizeof offer.stats);
    if (s_masks(self)) {
        (void)fl_kept_put(self->kept, &self->task.order, &result, &self->keeping, out);
    }
    s_offer(self, &offer, now, out);
}

//  What the participant may say of us. The sums over all children cost a look at each of them: they
//  are made for a heartbeat, not for every message.
static void
s_tell_parent(fl_edge *self, bool sums)
{
    fl_tally tally = sums ? fl_aggregator_tally(self->aggregator) : (fl_tally){ 0 };
    fl_doing doing = { .activity = self->phase == COLLECTING ? FL_DOING_COLLECT : FL_DOING_NOTHING,
                       .done = tally.in,
                       .total = tally.invited,
                       .leaves = fl_aggregator_presence(self->aggregator).leaves,
                       .samples = fl_aggregator_presence(self->aggregator).samples,
                       .tally = tally };
    fl_participant_doing(self->participant, &doing);
}

//  A heartbeat that is due takes along what there is to tell.
static void
s_speak(fl_edge *self, fl_time now, fl_outbox *out)
{
    if (fl_participant_speaks(self->participant, now)) {
        fl_offerings offers = { .count = 0 };
        fl_aggregator_offers(self->aggregator, &offers);
        fl_participant_offers(self->participant, &offers, now, out);
        s_tell_parent(self, true);
    }
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_edge *self = arg;
    bool from_parent = event->kind == FL_EV_MESSAGE && event->message.from == FL_PARENT;
    switch ((int)event->kind) {
    case FL_EV_TICK:
        s_speak(self, now, out);
        fl_participant_step(self->participant, event, now, out);
        fl_aggregator_step(self->aggregator, event, now, out);
        break;
    case FL_EV_MESSAGE:
        if (from_parent) {
            s_hear_parent(self, event, now, out);
        } else {
            fl_aggregator_step(self->aggregator, event, now, out);
        }
        break;
    case FL_EV_MODEL:
    case FL_EV_MASKED:
    case FL_EV_LANE:
        fl_participant_step(self->participant, event, now, out);
        break;
    case FL_EV_RENEWED:
        fl_participant_step(self->participant, event, now, out);
        fl_aggregator_step(self->aggregator, event, now, out);
        break;
    case FL_EV_GONE:
        if (event->gone.peer == FL_PARENT) {
            fl_participant_step(self->participant, event, now, out);
        } else {
            fl_aggregator_step(self->aggregator, event, now, out);
        }
        break;
    case FL_EV_SAVED:
        s_give_saved(self, event, now, out);
        break;
    case FL_EV_RECALLED:
        s_give_recalled(self, event, now, out);
        break;
    case FL_EV_REST:
        fl_participant_rest(self->participant, event->rest.reason, now, out);
        break;
    case FL_EV_STOP:
        fl_participant_leave(self->participant, FL_WHY_LEFT, out);
        return;
    default:
        fl_aggregator_step(self->aggregator, event, now, out);
        break;
    }
    bool rests = fl_participant_rests(self->participant) != FL_WHY_NONE;
    fl_aggregator_pause(self->aggregator,
                        rests ? FL_WHY_DRAIN : fl_participant_paused(self->participant));
    s_take_verdict(self, now, out);
    s_dismiss(self, out);
    s_take_task(self, now, out);
    s_answer(self, now, out);
    s_tell_parent(self, false);
}

static fl_time
s_deadline(const void *arg)
{
    const fl_edge *self = arg;
    fl_time up = fl_participant_deadline(self->participant);
    fl_time down = fl_aggregator_deadline(self->aggregator);
    return up < down ? up : down;
}

fl_machine
fl_edge_machine(fl_edge *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}

const fl_aggregator *
fl_edge_aggregator(const fl_edge *self)
{
    return self->aggregator;
}

const fl_participant *
fl_edge_participant(const fl_edge *self)
{
    return self->participant;
}

uint64_t
fl_edge_round(const fl_edge *self)
{
    return self->phase == IDLE ? 0 : self->task.order.round;
}

bool
fl_edge_done(const fl_edge *self)
{
    return self->final;
}
