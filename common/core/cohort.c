//  The cohort decides when: who is seated, who is invited, when a round is cut off and closed. What
//  children send is collect's; who they are is the roster's. A round ends in one of three ways
//  only: every invited seat has come to an end, enough have come, or the cut-off has passed. From
//  the cut-off on nothing new is let in, so closing waits for nothing but our own folds.
#include "common/core/cohort.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/status.h"
#include "common/core/collect.h"
#include "common/core/tally.h"

enum { HISTORY = 64 }; // rounds whose model is remembered, to check the base of a late update

typedef enum phase { IDLE, OPEN, DRAINING, FINISHING, CLOSED, PHASES } phase;

static const bool legal[PHASES][PHASES] = {
    [IDLE] = { [OPEN] = true },
    [OPEN] = { [DRAINING] = true, [IDLE] = true },
    [DRAINING] = { [FINISHING] = true, [CLOSED] = true, [IDLE] = true },
    [FINISHING] = { [CLOSED] = true, [IDLE] = true },
    [CLOSED] = { [IDLE] = true },
};

typedef struct past {
    uint64_t round;
    fl_hash model;
} past;

struct fl_cohort {
    fl_cohort_conf conf;
    fl_roster *roster;
    fl_collect *collect;
    phase phase;
    bool over;                // the run is over: every child hears so
    bool finish_pending;      // a FINISH of an abandoned round is on its way
    fl_run run;
    fl_hash model;
    uint64_t model_bytes;
    past history[HISTORY];
    fl_task task;
    fl_time opened_at, cutoff_at, due, check_at;
    fl_time wake_at;          // next moment that alone may complete the round
    uint32_t extends;
    uint32_t median_ms;       // of the last round that counted somebody
    uint64_t bytes_down;      // served this round
    fl_result result;
    fl_roll_entry *roll;      // (FL_ROLL_MAX)
    uint32_t *durations;      // (seats_max) scratch
};

fl_cohort *
fl_cohort_new(const fl_cohort_conf *conf)
{
    FL_ASSERT(conf->window.count_min >= 1 && conf->timing.beat_ms > 0);
    fl_cohort *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->conf = *conf;
    self->check_at = FL_NEVER;
    self->roster = fl_roster_new(conf->seats_max);
    self->roll = calloc(FL_ROLL_MAX, sizeof *self->roll);
    self->durations = calloc(conf->seats_max, sizeof *self->durations);
    if (self->roster != NULL) {
        self->collect = fl_collect_new(self->roster, conf->slots);
    }
    if (self->collect == NULL || self->roll == NULL || self->durations == NULL) {
        fl_cohort_destroy(&self);
    }
    return self;
}

void
fl_cohort_destroy(fl_cohort **self_p)
{
    fl_cohort *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_collect_destroy(&self->collect);
        fl_roster_destroy(&self->roster);
        free(self->roll);
        free(self->durations);
        free(self);
    }
}

static void
s_enter(fl_cohort *self, phase next)
{
    FL_ASSERT(legal[self->phase][next]);
    self->phase = next;
}

static fl_message *
s_say(fl_cohort *self, fl_peer peer, fl_verb verb, fl_outbox *out)
{
    fl_message *message = fl_outbox_send(out, peer, verb);
    message->run = self->run;
    message->round = self->phase == IDLE ? 0 : self->task.order.round;
    return message;
}

static void
s_refuse_peer(fl_cohort *self, const fl_event *event, fl_reason reason, fl_outbox *out)
{
    fl_verb about = event->message.message->verb;
    fl_refused *refused = &s_say(self, event->message.from, FL_REFUSED, out)->refused;
    refused->reason = reason;
    refused->about = about;
    fl_outbox_note(out, (fl_note){ .id = FL_NOTE_REFUSED, .node = event->message.node,
                                   .round = event->message.message->round, .reason = reason,
                                   .a = (uint64_t)about });
}

static void
s_note(fl_cohort *self, const fl_node *node, fl_note_id id, fl_reason reason, uint64_t a,
       uint64_t b, fl_outbox *out)
{
    fl_note note = { .id = id, .round = self->task.order.round, .reason = reason, .a = a, .b = b };
    if (node != NULL) {
        note.node = *node;
    }
    fl_outbox_note(out, note);
}

// ---- seats ------------------------------------------------------------------------------------
static void
s_task(fl_cohort *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat *seat = fl_roster_at(self->roster, index);
    fl_time left = self->cutoff_at - now - (fl_time)self->conf.timing.hop_ms;
    fl_message *message = s_say(self, seat->peer, FL_TASK, out);
    message->task = self->task;
    message->task.budget_ms = left > 1 ? (uint32_t)left : 1;
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        seat->phase = FL_SEAT_TASKED;
        seat->reason = FL_WHY_NONE;
        seat->tasked_at = now;
        memset(&seat->contrib, 0, sizeof seat->contrib);
        s_note(self, &seat->node, FL_NOTE_TASKED, FL_WHY_NONE, index, message->task.budget_ms, out);
    }
}

//  Task a seat if it may still come in; true when a TASK went out.
static bool
s_invite(fl_cohort *self, uint32_t index, fl_time now, fl_outbox *out)
{
    fl_seat_phase seat = fl_roster_look(self->roster, index)->phase;
    bool open = self->phase == OPEN && now < self->cutoff_at;
    if (!open || seat == FL_SEAT_COUNTED || seat == FL_SEAT_FOLDING || seat == FL_SEAT_VERIFYING ||
        seat == FL_SEAT_REFUSED || seat == FL_SEAT_LATE) {
        return false;
    }
    s_task(self, index, now, out);
    return true;
}

static bool
s_role_fits(const fl_cohort *self, fl_role role)
{
    return role != FL_ROLE_NONE &&
           (self->conf.child_roles[0] == role || self->conf.child_roles[1] == role);
}

static void
s_tell_over(fl_cohort *self, const fl_seat *seat, fl_outbox *out)
{
    fl_closed *closed = &s_say(self, seat->peer, FL_CLOSED, out)->closed;
    closed->outcome = FL_OUT_IDLE;
    closed->final = true;
}

static void
on_hello(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (!s_role_fits(self, event->message.role)) {
        s_refuse_peer(self, event, FL_WHY_ROLE, out);
        return;
    }
    static const fl_run unknown;
    if (fl_run_equal(&self->run, &unknown)) { // an edge that has not joined its own parent yet
        s_refuse_peer(self, event, FL_WHY_UNKNOWN_RUN, out);
        return;
    }
    bool renewed = false;
    int64_t index = fl_roster_join(self->roster, event, now, &renewed);
    if (index < 0) {
        s_refuse_peer(self, event, FL_WHY_FULL, out);
        return;
    }
    fl_seat *seat = fl_roster_at(self->roster, (uint32_t)index);
    if (renewed && (seat->phase == FL_SEAT_OFFERED || seat->phase == FL_SEAT_STAGING)) {
        (void)fl_collect_withdraw(self->collect, (uint32_t)index, FL_SEAT_TASKED, FL_WHY_NONE, out);
        memset(&seat->contrib, 0, sizeof seat->contrib);
    }
    fl_welcome *welcome = &s_say(self, seat->peer, FL_WELCOME, out)->welcome;
    welcome->seat = (uint32_t)index;
    welcome->epoch = seat->epoch;
    welcome->beat_ms = self->conf.timing.beat_ms;
    s_note(self, &seat->node, seat->epoch == 1 && renewed ? FL_NOTE_JOINED : FL_NOTE_REJOINED,
           FL_WHY_NONE, (uint64_t)index, seat->epoch, out);
    if (self->over) {
        s_tell_over(self, seat, out);
    }
    (void)s_invite(self, (uint32_t)index, now, out);
    if (self->check_at == FL_NEVER) {
        self->check_at = now + self->conf.timing.beat_ms;
    }
}

static void
s_vacate(fl_cohort *self, uint32_t index, fl_reason reason, fl_outbox *out)
{
    fl_seat *seat = fl_roster_at(self->roster, index);
    if (!fl_seat_terminal(seat)) {
        (void)fl_collect_withdraw(self->collect, index, FL_SEAT_ABSENT, reason, out);
    }
    seat->present = false;
    fl_outbox_add(out, FL_FX_EXPEL)->expel.peer = seat->peer;
}

//  The seat that a message names, if it is this peer's; -1 and a refusal otherwise.
static int64_t
s_seat_of(fl_cohort *self, const fl_event *event, uint32_t seat, uint32_t epoch, fl_time now,
          fl_outbox *out)
{
    if (seat < fl_roster_count(self->roster)) {
        fl_seat *found = fl_roster_at(self->roster, seat);
        if (found->present && found->peer == event->message.from && found->epoch == epoch) {
            found->heard_at = now;
            found->evasive = false;
            return seat;
        }
    }
    s_refuse_peer(self, event, FL_WHY_UNKNOWN_SEAT, out);
    return -1;
}

static bool
s_this_round(const fl_cohort *self, const fl_message *message, uint32_t attempt)
{
    return self->phase != IDLE && message->round == self->task.order.round &&
           attempt == self->task.attempt && fl_run_equal(&message->run, &self->run);
}

static void
s_tell_last(fl_cohort *self, const fl_seat *seat, fl_outbox *out)
{
    fl_message *message = s_say(self, seat->peer, FL_CLOSED, out);
    message->round = seat->last_round;
    message->closed.attempt = seat->last_attempt;
    message->closed.outcome = seat->last_outcome;
    message->closed.reason = seat->last_reason;
}

static void
on_beat(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_beat *beat = &message->beat;
    int64_t index = s_seat_of(self, event, beat->seat, beat->epoch, now, out);
    if (index < 0) {
        return;
    }
    fl_seat *seat = fl_roster_at(self->roster, (uint32_t)index);
    seat->activity = beat->activity;
    seat->done = beat->done;
    seat->total = beat->total;
    seat->tally = beat->tally;
    seat->samples = beat->samples > 0 ? beat->samples : seat->samples;
    if (seat->role == FL_ROLE_EDGE) {
        seat->leaves = beat->leaves;
    }
    bool here = s_this_round(self, message, beat->attempt);
    bool waits = beat->activity == FL_DOING_WAIT_GRANT || beat->activity == FL_DOING_SEND ||
                 beat->activity == FL_DOING_WAIT_CLOSE;
    uint32_t before = fl_outbox_count(out);
    if (self->over) {
        s_tell_over(self, seat, out);
    }
    if (here && seat->phase == FL_SEAT_STAGING) {
        fl_collect_beat(self->collect, (uint32_t)index, &self->conf.timing, now, out);
    } else if (!here || (seat->phase == FL_SEAT_TASKED && waits) || seat->phase == FL_SEAT_ABSENT ||
               seat->phase == FL_SEAT_IDLE) {
        if (!here && message->round != 0 && message->round == seat->last_round &&
            beat->attempt <= seat->last_attempt) {
            s_tell_last(self, seat, out);
        }
        (void)s_invite(self, (uint32_t)index, now, out);
    }
    if (fl_outbox_count(out) == before) {
        (void)s_say(self, seat->peer, FL_BEAT, out);
    }
}

// ---- contributions ----------------------------------------------------------------------------
static bool
s_base_fits(const fl_cohort *self, const fl_contrib *contrib, fl_reason *reason)
{
    const fl_order *order = &self->task.order;
    uint64_t staleness = order->round - contrib->base_round;
    *reason = FL_WHY_BASE;
    if (contrib->base_round > order->round || contrib->base_round == 0) {
        return false;
    }
    if (staleness > 0 &&
        (order->plan.late != FL_LATE_CARRY || staleness > order->plan.staleness_max)) {
        *reason = FL_WHY_STALE;
        return false;
    }
    const past *then = &self->history[contrib->base_round % HISTORY];
    return then->round == contrib->base_round && fl_hash_equal(&then->model, &contrib->base);
}

static void
on_contrib(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_contrib *contrib = &message->contrib;
    int64_t found = s_seat_of(self, event, contrib->seat, contrib->epoch, now, out);
    if (found < 0) {
        return;
    }
    uint32_t index = (uint32_t)found;
    fl_seat *seat = fl_roster_at(self->roster, index);
    if (!s_this_round(self, message, contrib->attempt)) {
        if (s_invite(self, index, now, out)) {
            return; // the current task says it all
        }
        bool last = message->round == seat->last_round && contrib->attempt <= seat->last_attempt;
        if (message->round != 0 && last) {
            s_tell_last(self, seat, out);
        } else {
            s_refuse_peer(self, event, FL_WHY_UNKNOWN_ROUND, out);
        }
        return;
    }
    if (self->phase != OPEN) {
        if (!fl_seat_terminal(seat) && seat->phase != FL_SEAT_VERIFYING &&
            seat->phase != FL_SEAT_FOLDING) {
            (void)fl_collect_withdraw(self->collect, index, FL_SEAT_LATE, FL_WHY_LATE, out);
        }
        if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
            s_refuse_peer(self, event, FL_WHY_LATE, out);
            return;
        }
        fl_collect_contrib(self->collect, index, message, now, out);
        return;
    }
    fl_reason reason;
    if (!s_base_fits(self, contrib, &reason)) {
        (void)fl_collect_withdraw(self->collect, index, FL_SEAT_REFUSED, reason, out);
        fl_collect_refuse(self->collect, index, reason, FL_CONTRIB, out);
        return;
    }
    if (seat->phase == FL_SEAT_IDLE || seat->phase == FL_SEAT_ABSENT) {
        seat->phase = FL_SEAT_TASKED; // it came back by itself
        seat->tasked_at = now;
    }
    fl_collect_contrib(self->collect, index, message, now, out);
}

static void
on_chunk(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    const fl_chunk *chunk = &message->chunk;
    int64_t index = s_seat_of(self, event, chunk->seat, chunk->epoch, now, out);
    if (index < 0) {
        return;
    }
    if (self->phase == OPEN && s_this_round(self, message, chunk->attempt)) {
        fl_collect_chunk(self->collect, (uint32_t)index, message, event->message.body_bytes, now,
                         out);
    } else {
        s_note(self, &event->message.node, FL_NOTE_CHUNK_DROPPED, FL_WHY_LATE, (uint64_t)index,
               chunk->offset, out);
    }
}

static void
on_fetch(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_fetch *fetch = &event->message.message->fetch;
    int64_t index = fl_roster_of_peer(self->roster, event->message.from);
    if (index < 0) {
        s_refuse_peer(self, event, FL_WHY_UNKNOWN_SEAT, out);
        return;
    }
    fl_roster_at(self->roster, (uint32_t)index)->heard_at = now;
    if (!fl_hash_equal(&fetch->hash, &self->model) || fetch->offset >= self->model_bytes ||
        fetch->bytes > self->model_bytes - fetch->offset) {
        s_refuse_peer(self, event, FL_WHY_MODEL, out);
        return;
    }
    fl_effect *effect = fl_outbox_add(out, FL_FX_SERVE);
    effect->serve.to = event->message.from;
    effect->serve.bytes = fetch->bytes;
    effect->serve.message.verb = FL_PIECE;
    effect->serve.message.run = self->run;
    effect->serve.message.round = event->message.message->round;
    effect->serve.message.piece.hash = fetch->hash;
    effect->serve.message.piece.offset = fetch->offset;
    effect->serve.message.piece.total = self->model_bytes;
    self->bytes_down += fetch->bytes;
}

static void
on_refused(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    int64_t index = fl_roster_of_peer(self->roster, event->message.from);
    if (index < 0 || self->phase != OPEN || message->round != self->task.order.round ||
        message->refused.about != FL_TASK) {
        return;
    }
    fl_seat *seat = fl_roster_at(self->roster, (uint32_t)index);
    seat->heard_at = now;
    if (seat->phase == FL_SEAT_TASKED) {
        (void)fl_collect_withdraw(self->collect, (uint32_t)index, FL_SEAT_REFUSED,
                                  message->refused.reason, out);
        s_note(self, &seat->node, FL_NOTE_REFUSED, message->refused.reason, FL_TASK, 0, out);
    }
}

static void
on_leave(fl_cohort *self, const fl_event *event, fl_outbox *out)
{
    int64_t index = fl_roster_of_peer(self->roster, event->message.from);
    if (index >= 0) {
        s_note(self, &event->message.node, FL_NOTE_LEFT, event->message.message->leave.reason,
               (uint64_t)index, 0, out);
        s_vacate(self, (uint32_t)index, FL_WHY_LEFT, out);
    }
}

static void
on_message(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    switch (event->message.message->verb) {
    case FL_HELLO:
        on_hello(self, event, now, out);
        break;
    case FL_BEAT:
        on_beat(self, event, now, out);
        break;
    case FL_CONTRIB:
        on_contrib(self, event, now, out);
        break;
    case FL_CHUNK:
        on_chunk(self, event, now, out);
        break;
    case FL_FETCH:
        on_fetch(self, event, now, out);
        break;
    case FL_REFUSED:
        on_refused(self, event, now, out);
        break;
    case FL_LEAVE:
        on_leave(self, event, out);
        break;
    case FL_VERB_NONE:
    case FL_WELCOME:
    case FL_TASK:
    case FL_GRANT:
    case FL_CLOSED:
    case FL_DENY:
    case FL_ENROL:
    case FL_ENROLLED:
    case FL_PIECE:
    case FL_ASK:
    case FL_ANSWER:
    case FL_VERB_COUNT:
        s_refuse_peer(self, event, FL_WHY_MALFORMED, out);
        break;
    }
}

// ---- closing ----------------------------------------------------------------------------------
static int
s_by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

//  The median time that fresh contributions of this round took, task out to last byte in.
static void
s_measure(fl_cohort *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        const fl_seat *seat = fl_roster_look(self->roster, i);
        if (seat->phase == FL_SEAT_COUNTED && seat->contrib.base_round == self->task.order.round) {
            fl_time took = seat->came_at - seat->tasked_at;
            self->durations[count++] = took > 1 ? (uint32_t)took : 1;
        }
    }
    if (count > 0) {
        qsort(self->durations, count, sizeof *self->durations, s_by_value);
        self->median_ms = self->durations[count / 2];
    }
}

static void
s_close(fl_cohort *self, fl_close close, fl_reason reason, fl_time now, fl_outbox *out)
{
    const fl_sums *sums = fl_collect_sums(self->collect);
    fl_result *result = &self->result;
    result->close = close;
    result->reason = reason;
    result->weight = sums->weight;
    result->count = sums->count;
    memcpy(result->stats, sums->stats, sizeof result->stats);
    result->duration_ms = (uint32_t)(now - self->opened_at);
    result->budget_ms = (uint32_t)(self->cutoff_at - self->opened_at);
    result->tally = fl_cohort_tally(self);
    uint32_t merge = close == FL_CLOSE_DONE ? (uint32_t)(now - sums->last_at) : 0;
    if (merge > result->tally.merge_ms) {
        result->tally.merge_ms = merge;
    }
    result->roll = self->roll;
    result->roll_count = fl_tally_roll(self->roster, &self->conf.node, self->task.order.round,
                                       self->roll, &result->roll_dropped);
    s_measure(self);
    s_enter(self, CLOSED);
    s_note(self, NULL, FL_NOTE_ROUND_CLOSE, reason, sums->contributions, merge, out);
}

static void
s_finish(fl_cohort *self, fl_time now, fl_outbox *out)
{
    const fl_window *window = &self->conf.window;
    if (fl_collect_sums(self->collect)->contributions >= window->count_min) {
        s_enter(self, FINISHING);
        fl_outbox_add(out, FL_FX_FINISH)->finish.vector = self->conf.vector;
        return;
    }
    fl_close close = window->missed == FL_MISSED_ABORT ? FL_CLOSE_ABORTED : FL_CLOSE_SKIPPED;
    s_close(self, close, FL_WHY_QUORUM, now, out);
}

//  Nothing new is let in from here on.
static void
s_cut_off(fl_cohort *self, fl_time now, fl_outbox *out)
{
    s_enter(self, DRAINING);
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        fl_seat *seat = fl_roster_at(self->roster, i);
        uint64_t got = seat->phase == FL_SEAT_STAGING ? seat->intake.next : 0;
        if (seat->phase == FL_SEAT_TASKED || seat->phase == FL_SEAT_OFFERED ||
            seat->phase == FL_SEAT_STAGING) {
            fl_reason reason = seat->phase == FL_SEAT_OFFERED ? FL_WHY_BUSY : FL_WHY_LATE;
            fl_seat_phase next = seat->evasive ? FL_SEAT_ABSENT : FL_SEAT_LATE;
            (void)fl_collect_withdraw(self->collect, i, next,
                                      seat->evasive ? FL_WHY_SILENT : reason, out);
            s_note(self, &seat->node, FL_NOTE_LATE, seat->reason, i, got, out);
        }
    }
    s_note(self, NULL, FL_NOTE_ROUND_CUTOFF, FL_WHY_NONE,
           fl_collect_sums(self->collect)->contributions, (uint64_t)(now - self->opened_at), out);
}

typedef struct standing {
    uint32_t invited, ended, coming; // coming: verified or folded any moment, or counted
} standing;

static standing
s_standing(const fl_cohort *self)
{
    standing sum = { 0 };
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        const fl_seat *seat = fl_roster_look(self->roster, i);
        sum.invited += seat->phase != FL_SEAT_IDLE;
        sum.ended += seat->phase != FL_SEAT_IDLE && fl_seat_terminal(seat);
        sum.coming += seat->phase == FL_SEAT_VERIFYING || seat->phase == FL_SEAT_FOLDING ||
                      seat->phase == FL_SEAT_COUNTED;
    }
    return sum;
}

static bool
s_complete(const fl_cohort *self, fl_time now)
{
    const fl_window *window = &self->conf.window;
    standing sum = s_standing(self);
    if (now < self->opened_at + (fl_time)window->time_min_ms) {
        return false;
    }
    uint32_t counted = fl_collect_sums(self->collect)->contributions;
    if (window->count_max > 0 && counted >= window->count_max) {
        return true;
    }
    bool waited = now >= self->opened_at + (fl_time)self->conf.timing.join_wait_ms;
    return sum.invited > 0 && sum.ended == sum.invited &&
           (sum.invited >= self->conf.expect || waited);
}

//  True when the cut-off was moved: too few are in or coming, and the window says to wait on.
static bool
s_extend(fl_cohort *self, fl_time now, fl_outbox *out)
{
    const fl_window *window = &self->conf.window;
    fl_time later = self->cutoff_at + (fl_time)window->extend_ms;
    fl_time latest = self->due - (fl_time)self->conf.timing.finish_ms;
    later = later < latest ? later : latest;
    if (window->missed != FL_MISSED_EXTEND || self->extends >= window->extends_max ||
        later <= now || s_standing(self).coming >= window->count_min) {
        return false;
    }
    self->extends++;
    s_note(self, NULL, FL_NOTE_ROUND_EXTEND, FL_WHY_QUORUM,
           fl_collect_sums(self->collect)->contributions, (uint64_t)(later - self->cutoff_at), out);
    self->cutoff_at = later;
    return true;
}

//  The minimum time and the wait for expected children are moments too.
static fl_time
s_next_moment(const fl_cohort *self, fl_time now)
{
    fl_time least = self->opened_at + (fl_time)self->conf.window.time_min_ms;
    fl_time joined = self->opened_at + (fl_time)self->conf.timing.join_wait_ms;
    fl_time first = least < joined ? least : joined;
    fl_time second = least < joined ? joined : least;
    return now < first ? first : now < second ? second : FL_NEVER;
}

static void
s_check_round(fl_cohort *self, fl_time now, fl_outbox *out)
{
    if (self->phase == OPEN) {
        self->wake_at = s_next_moment(self, now);
        bool over = s_complete(self, now);
        if (!over && now >= self->cutoff_at) {
            over = !s_extend(self, now, out);
        }
        if (over) {
            s_cut_off(self, now, out);
        }
    }
    if (self->phase == DRAINING && !fl_collect_busy(self->collect)) {
        s_finish(self, now, out);
    }
}

static void
on_finished(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (self->finish_pending) { // of a round that was given up
        self->finish_pending = false;
        if (event->finished.vec != 0) {
            fl_outbox_add(out, FL_FX_DROP)->drop.vec = event->finished.vec;
        }
        return;
    }
    FL_ASSERT(self->phase == FINISHING);
    self->result.vec = event->finished.vec;
    self->result.hash = event->finished.hash;
    self->result.vector_bytes = event->finished.bytes;
    s_close(self, FL_CLOSE_DONE, FL_WHY_NONE, now, out);
}

static void
s_age_seats(fl_cohort *self, fl_time now, fl_outbox *out)
{
    const fl_timing *timing = &self->conf.timing;
    bool present = false;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        fl_seat *seat = fl_roster_at(self->roster, i);
        if (!seat->present) {
            continue;
        }
        fl_time silent = now - seat->heard_at;
        if (silent >= (fl_time)timing->lease_beats * timing->beat_ms) {
            s_note(self, &seat->node, FL_NOTE_EXPIRED, FL_WHY_SILENT, i, (uint64_t)silent, out);
            s_vacate(self, i, FL_WHY_SILENT, out);
            continue;
        }
        present = true;
        if (!seat->evasive && silent >= (fl_time)timing->evasive_beats * timing->beat_ms) {
            seat->evasive = true;
            s_note(self, &seat->node, FL_NOTE_EVASIVE, FL_WHY_SILENT, i, (uint64_t)silent, out);
        }
    }
    self->check_at = present ? now + timing->beat_ms : FL_NEVER;
}

void
fl_cohort_step(fl_cohort *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    if (event->kind == FL_EV_MESSAGE) {
        FL_ASSERT(event->message.from != FL_PARENT);
        on_message(self, event, now, out);
    } else if (event->kind == FL_EV_GONE) {
        int64_t index = fl_roster_of_peer(self->roster, event->gone.peer);
        if (index >= 0) {
            s_vacate(self, (uint32_t)index, event->gone.reason, out);
        }
    } else if (event->kind == FL_EV_VERIFIED) {
        fl_collect_verified(self->collect, event->verified.slot, event->verified.ok, now, out);
    } else if (event->kind == FL_EV_FOLDED) {
        fl_collect_folded(self->collect, event->folded.slot, now, out);
    } else if (event->kind == FL_EV_FINISHED) {
        on_finished(self, event, now, out);
    } else {
        FL_ASSERT(event->kind == FL_EV_TICK);
        if (now >= self->check_at) {
            s_age_seats(self, now, out);
        }
    }
    s_check_round(self, now, out);
}

fl_time
fl_cohort_deadline(const fl_cohort *self)
{
    fl_time at = self->check_at;
    if (self->phase == OPEN) {
        at = self->cutoff_at < at ? self->cutoff_at : at;
        at = self->wake_at < at ? self->wake_at : at;
    }
    return at;
}

// ---- the host's side --------------------------------------------------------------------------
void
fl_cohort_model(fl_cohort *self, const fl_run *run, const fl_hash *model, uint64_t bytes)
{
    self->run = *run;
    self->model = *model;
    self->model_bytes = bytes;
}

bool
fl_cohort_idle(const fl_cohort *self)
{
    return self->phase == IDLE && !self->finish_pending && !fl_collect_busy(self->collect);
}

void
fl_cohort_open(fl_cohort *self, const fl_task *task, fl_time due, fl_time now, fl_outbox *out)
{
    FL_ASSERT(fl_cohort_idle(self));
    s_enter(self, OPEN);
    self->over = false;
    self->task = *task;
    self->history[task->order.round % HISTORY] = (past){ task->order.round, task->order.model };
    memset(&self->result, 0, sizeof self->result);
    self->opened_at = now;
    self->due = due;
    self->extends = 0;
    self->bytes_down = 0;
    fl_time deadline = now + fl_policy_deadline_ms(&self->conf.window, self->median_ms);
    fl_time latest = due == FL_NEVER ? FL_NEVER : due - (fl_time)self->conf.timing.finish_ms;
    self->cutoff_at = deadline < latest ? deadline : latest;
    self->wake_at = s_next_moment(self, now);
    fl_collect_open(self->collect, &task->order, task->attempt, out);
    uint32_t invited = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        fl_seat *seat = fl_roster_at(self->roster, i);
        seat->phase = FL_SEAT_IDLE;
        seat->reason = FL_WHY_NONE;
        if (seat->present) {
            s_task(self, i, now, out);
            invited++;
        }
    }
    fl_time budget = self->cutoff_at - now;
    s_note(self, NULL, FL_NOTE_ROUND_OPEN, FL_WHY_NONE, invited,
           budget > 0 ? (uint64_t)budget : 0, out);
}

fl_time
fl_cohort_cutoff(const fl_cohort *self)
{
    return self->phase == OPEN ? self->cutoff_at : FL_NEVER;
}

bool
fl_cohort_result(const fl_cohort *self, fl_result *result)
{
    if (self->phase != CLOSED) {
        return false;
    }
    *result = self->result;
    return true;
}

//  Every child hears its own outcome; those that were counted hear what became of the sum.
static void
s_tell_all(fl_cohort *self, fl_outcome outcome, fl_reason reason, bool final, fl_outbox *out)
{
    self->over = final;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        fl_seat *seat = fl_roster_at(self->roster, i);
        fl_outcome own = fl_seat_outcome(seat);
        if (seat->phase != FL_SEAT_IDLE) {
            seat->last_round = self->task.order.round;
            seat->last_attempt = self->task.attempt;
            seat->last_outcome = own == FL_OUT_IN ? outcome : own;
            seat->last_reason = own == FL_OUT_IN ? reason : seat->reason;
            seat->rounds[seat->last_outcome]++;
        }
        if (seat->present && (seat->phase != FL_SEAT_IDLE || final)) {
            fl_closed *closed = &s_say(self, seat->peer, FL_CLOSED, out)->closed;
            closed->attempt = self->task.attempt;
            closed->outcome = seat->phase == FL_SEAT_IDLE ? FL_OUT_IDLE : seat->last_outcome;
            closed->reason = seat->phase == FL_SEAT_IDLE ? FL_WHY_NONE : seat->last_reason;
            closed->final = final;
        }
        seat->phase = FL_SEAT_IDLE;
    }
}

void
fl_cohort_settle(fl_cohort *self, fl_outcome outcome, fl_reason reason, bool final, fl_time now,
                 fl_outbox *out)
{
    (void)now;
    FL_ASSERT(self->phase == CLOSED);
    s_tell_all(self, outcome, reason, final, out);
    s_enter(self, IDLE);
}

void
fl_cohort_dismiss(fl_cohort *self, fl_outbox *out)
{
    FL_ASSERT(self->phase == IDLE);
    s_tell_all(self, FL_OUT_IDLE, FL_WHY_NONE, true, out);
}

void
fl_cohort_abandon(fl_cohort *self, fl_reason reason, fl_time now, fl_outbox *out)
{
    if (self->phase == IDLE) {
        return;
    }
    if (self->phase == FINISHING) {
        self->finish_pending = true;
    }
    s_note(self, NULL, FL_NOTE_TASK_ENDED, reason, self->task.attempt,
           (uint64_t)(now - self->opened_at), out);
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        (void)fl_collect_withdraw(self->collect, i, FL_SEAT_LATE, reason, out);
    }
    s_tell_all(self, FL_OUT_LATE, reason, false, out);
    s_enter(self, IDLE);
}

uint32_t
fl_cohort_joined(const fl_cohort *self)
{
    uint32_t joined = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        joined += fl_roster_look(self->roster, i)->present;
    }
    return joined;
}

uint32_t
fl_cohort_ready(const fl_cohort *self)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        const fl_seat *seat = fl_roster_look(self->roster, i);
        ready += seat->present && seat->leaves > 0;
    }
    return ready;
}

uint32_t
fl_cohort_leaves(const fl_cohort *self)
{
    uint32_t leaves = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        const fl_seat *seat = fl_roster_look(self->roster, i);
        leaves += seat->present ? seat->leaves : 0;
    }
    return leaves;
}

uint64_t
fl_cohort_samples(const fl_cohort *self)
{
    uint64_t samples = 0;
    for (uint32_t i = 0; i < fl_roster_count(self->roster); i++) {
        const fl_seat *seat = fl_roster_look(self->roster, i);
        samples += seat->present ? seat->samples : 0;
    }
    return samples;
}

fl_tally
fl_cohort_tally(const fl_cohort *self)
{
    fl_tally tally = fl_tally_of(self->roster);
    tally.bytes_up += fl_collect_sums(self->collect)->bytes_up;
    tally.bytes_down += self->bytes_down;
    return tally;
}

uint32_t
fl_cohort_seats(const fl_cohort *self)
{
    return fl_roster_count(self->roster);
}

fl_seat_view
fl_cohort_seat(const fl_cohort *self, uint32_t index)
{
    const fl_seat *seat = fl_roster_look(self->roster, index);
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
