//  The live half of what an operator sees: status. The recorded half is report_json.c.
#include "common/admin/status_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/admin/json_writer.h"

enum { CHILDREN_MAX = 1200, MISSING_MAX = 64, NAME_MAX_BYTES = 64 };

//  Keep the lists within one answer, generously counted: what children leave is for those below.
enum { CHILD_BYTES = 820, BELOW_BYTES = 130, OTHER_BYTES = 56 * 1024 };
_Static_assert(CHILDREN_MAX *CHILD_BYTES + OTHER_BYTES <= FL_JSON_BYTES_MAX, "a status fits");

// ---- children ---------------------------------------------------------------------------------
static const char *const phase_names[FL_ROOT_PHASES] = {
    [FL_ROOT_IDLE] = "idle",         [FL_ROOT_WAITING] = "waiting",
    [FL_ROOT_OPENING] = "opening",   [FL_ROOT_COLLECTING] = "collecting",
    [FL_ROOT_APPLYING] = "applying", [FL_ROOT_SAVING] = "saving",
    [FL_ROOT_PAUSED] = "paused",     [FL_ROOT_DONE] = "done",
};

const char *
fl_root_phase_name(fl_root_phase phase)
{
    FL_ASSERT((unsigned)phase < FL_ROOT_PHASES);
    return phase_names[phase];
}

//  A number that may not be known; null then.
static void
s_whole(fl_json *doc, json_t *in, const char *key, double value)
{
    if (isnan(value)) {
        fl_json_text(doc, in, key, NULL);
    } else {
        fl_json_whole(doc, in, key, (uint64_t)llround(value));
    }
}

static void
s_child(fl_json *doc, json_t *in, const fl_seat_view *seat)
{
    const fl_offerings *offers = seat->offers;
    char first[2 * sizeof(fl_name) + 8];
    (void)snprintf(first, sizeof first, "%s/%s%s", offers->of[0].trainer.name,
                   offers->of[0].data.name, offers->count > 1 ? ", ..." : "");
    fl_json_text(doc, in, "node", seat->node.name);
    fl_json_text(doc, in, "offers", offers->any || offers->count == 0 ? NULL : first);
    fl_json_text(doc, in, "role", fl_role_name(seat->role));
    fl_json_bool(doc, in, "present", seat->present);
    fl_json_bool(doc, in, "evasive", seat->evasive);
    fl_json_bool(doc, in, "rests", seat->rests);
    fl_json_text(doc, in, "activity", fl_activity_name(seat->activity));
    fl_json_whole(doc, in, "done", seat->done);
    fl_json_whole(doc, in, "total", seat->total);
    fl_json_text(doc, in, "outcome", fl_outcome_name(seat->outcome));
    fl_json_text(doc, in, "reason", fl_json_reason(seat->reason));
    fl_json_whole(doc, in, "leaves", seat->leaves);
    fl_json_whole(doc, in, "samples", seat->samples);
    fl_json_tally(doc, fl_json_object(doc, in, "tally"), &seat->tally);
    json_t *rounds = fl_json_object(doc, in, "rounds");
    fl_json_whole(doc, rounds, "in", seat->rounds_in);
    fl_json_whole(doc, rounds, "late", seat->rounds_late);
    fl_json_whole(doc, rounds, "absent", seat->rounds_absent);
    fl_json_whole(doc, rounds, "refused", seat->rounds_refused);
}

//  Those below an edge by name, as it reported last, while there is `*room`; answers how many there
//  was none for.
static uint64_t
s_below(fl_json *doc, json_t *in, const fl_aggregator *aggregator, uint32_t seat, uint32_t *room)
{
    fl_roll_entry entry;
    uint64_t dropped = 0;
    json_t *below = fl_json_array(doc, in, "below");
    for (size_t at = 0; fl_aggregator_below(aggregator, seat, &at, &entry);) {
        if (*room == 0) {
            dropped++;
            continue;
        }
        json_t *item = fl_json_item(doc, below);
        fl_json_text(doc, item, "node", entry.node.name);
        fl_json_text(doc, item, "parent", entry.parent.name);
        fl_json_text(doc, item, "outcome", fl_outcome_name((fl_outcome)entry.outcome));
        fl_json_text(doc, item, "reason", fl_json_reason((fl_reason)entry.reason));
        (*room)--;
    }
    return dropped;
}

static void
s_children(fl_json *doc, const fl_aggregator *aggregator, const fl_aggregator *beside)
{
    json_t *children = fl_json_array(doc, doc->top, "children");
    const uint32_t own = aggregator == NULL ? 0 : fl_aggregator_seats(aggregator);
    uint32_t count = own + (beside == NULL ? 0 : fl_aggregator_seats(beside));
    uint32_t shown = count < CHILDREN_MAX ? count : CHILDREN_MAX;
    uint32_t room = (FL_JSON_BYTES_MAX - OTHER_BYTES - shown * CHILD_BYTES) / BELOW_BYTES;
    uint64_t dropped = 0;
    for (uint32_t i = 0; i < shown; i++) {
        const fl_aggregator *at = i < own ? aggregator : beside;
        const uint32_t index = i < own ? i : i - own;
        fl_seat_view seat = fl_aggregator_seat(at, index);
        if (seat.moved) {
            continue;
        }
        json_t *child = fl_json_item(doc, children);
        s_child(doc, child, &seat);
        fl_json_whole(doc, child, "told_round", seat.told_round);
        dropped += s_below(doc, child, at, index, &room);
    }
    fl_json_whole(doc, doc->top, "below_dropped", dropped);
    fl_json_whole(doc, doc->top, "children_dropped",
                  count > CHILDREN_MAX ? count - CHILDREN_MAX : 0);
}

//  The blocks that an aggregator has in hand, or had in its last round.
static void
s_blocks(fl_json *doc, const fl_aggregator *aggregator)
{
    json_t *blocks = fl_json_array(doc, doc->top, "blocks");
    fl_block_view view;
    for (uint32_t i = 0; aggregator != NULL && i < FL_BLOCKS_MAX; i++) {
        if (fl_aggregator_block(aggregator, i, &view)) {
            fl_json_block(doc, blocks, &view.line, view.state);
        }
    }
}

// ---- what it waits for ------------------------------------------------------------------------
typedef struct wait {
    const char *what; // NULL: it does not wait
    uint32_t ready, resting, expect, leaves, expect_leaves;
    double left_ms; // NaN: as long as it takes
} wait;

//  A child whose contribution to the open round may still come.
static bool
s_awaited(const fl_seat_view *seat)
{
    return seat->present && seat->outcome == FL_OUT_ABSENT && seat->reason == FL_WHY_NONE;
}

//  A child counts as ready when it is here and brings a device, or rests.
static bool
s_missing(const wait *self, const fl_seat_view *seat)
{
    bool ready = (seat->present && seat->leaves > 0) || seat->rests;
    return strcmp(self->what, "children") == 0 ? !ready : s_awaited(seat);
}

static wait
s_collecting(const fl_aggregator *aggregator, uint64_t left_ms)
{
    wait self = { .what = "contributions", .left_ms = (double)left_ms };
    for (uint32_t i = 0; i < fl_aggregator_seats(aggregator); i++) {
        fl_seat_view seat = fl_aggregator_seat(aggregator, i);
        bool in = seat.outcome == FL_OUT_IN;
        self.ready += in;
        self.expect += in || s_awaited(&seat);
        //  An edge that is not in says how many of its devices are.
        self.leaves += in ? seat.leaves : s_awaited(&seat) ? seat.tally.in : 0;
        self.expect_leaves += in || s_awaited(&seat) ? seat.leaves : 0;
    }
    return self;
}

static uint64_t
s_left(fl_time due, fl_time now)
{
    return due == FL_NEVER || due <= now ? 0 : (uint64_t)(due - now);
}

static wait
s_wait_of_root(const fl_status_input *input)
{
    const fl_root_view *root = input->root;
    if (root->phase == FL_ROOT_WAITING) {
        return (wait){ .what = "children",
                       .ready = root->ready,
                       .resting = root->resting,
                       .expect = root->expect,
                       .leaves = root->leaves,
                       .expect_leaves = root->expect_leaves,
                       .left_ms = root->left_ms };
    }
    if (root->phase == FL_ROOT_COLLECTING && input->aggregator != NULL) {
        return s_collecting(input->aggregator, root->left_ms);
    }
    return (wait){ 0 };
}

static wait
s_wait_of_participant(const fl_status_input *input)
{
    fl_time due = fl_participant_due(input->participant);
    wait self = { .left_ms = due == FL_NEVER ? NAN : (double)s_left(due, input->now) };
    if (!fl_participant_joined(input->participant)) {
        return (wait){ .what = "parent", .left_ms = NAN };
    }
    switch ((int)fl_participant_activity(input->participant)) {
    case FL_DOING_NOTHING:
        self = (wait){ .what = "task", .left_ms = NAN };
        break;
    case FL_DOING_WAIT_GRANT:
        self.what = "grant";
        break;
    case FL_DOING_WAIT_CLOSE:
        self.what = "close";
        break;
    default:
        break;
    }
    return self;
}

static wait
s_wait(const fl_status_input *input)
{
    if (input->root != NULL) {
        return s_wait_of_root(input);
    }
    fl_time cutoff = input->aggregator == NULL ? FL_NEVER : fl_aggregator_cutoff(input->aggregator);
    if (cutoff != FL_NEVER) {
        return s_collecting(input->aggregator, s_left(cutoff, input->now));
    }
    return input->participant == NULL || input->final ? (wait){ 0 } : s_wait_of_participant(input);
}

static void
s_waiting(fl_json *doc, const fl_status_input *input)
{
    wait self = s_wait(input);
    if (self.what == NULL) {
        fl_json_text(doc, doc->top, "waiting", NULL);
        return;
    }
    json_t *in = fl_json_object(doc, doc->top, "waiting");
    fl_json_text(doc, in, "for", self.what);
    fl_json_whole(doc, in, "ready", self.ready);
    fl_json_whole(doc, in, "resting", self.resting);
    fl_json_whole(doc, in, "expect", self.expect);
    fl_json_whole(doc, in, "leaves", self.leaves);
    fl_json_whole(doc, in, "expect_leaves", self.expect_leaves);
    s_whole(doc, in, "left_ms", self.left_ms);
    json_t *missing = fl_json_array(doc, in, "missing");
    uint32_t seats = input->aggregator == NULL ? 0 : fl_aggregator_seats(input->aggregator);
    for (uint32_t i = 0, said = 0; i < seats && said < MISSING_MAX; i++) {
        fl_seat_view seat = fl_aggregator_seat(input->aggregator, i);
        if (fl_aggregator_wants(input->aggregator, &seat.node) && s_missing(&self, &seat)) {
            fl_json_append(doc, missing, seat.node.name);
            said++;
        }
    }
}

// ---- where the run stands ---------------------------------------------------------------------
//  Rounds to come at the average pace; what this round has used up already is taken off.
static double
s_eta(const fl_root_view *root)
{
    if (root->round_ms == 0 || root->phase == FL_ROOT_DONE || root->round > root->rounds) {
        return NAN;
    }
    double spent = root->phase == FL_ROOT_COLLECTING ? (double)root->phase_ms : 0;
    double this_round = fmax(0, (double)root->round_ms - spent);
    double rest = (double)(root->rounds - root->round) * (double)root->round_ms;
    return (this_round + rest) / 1000;
}

static const fl_task *
s_task(const fl_status_input *input)
{
    return input->participant == NULL ? NULL : fl_participant_task(input->participant);
}

static fl_gauges
s_gauges_of_root(const fl_root_view *root)
{
    return (fl_gauges){ .run_rounds = (double)root->rounds,
                        .run_eta_seconds = s_eta(root),
                        .round_number = (double)root->round,
                        .round_attempt = root->attempt,
                        .round_left_seconds = root->left_ms / 1e3,
                        .round_mean_seconds = root->round_ms / 1e3,
                        .model_loss = root->loss,
                        .model_accuracy_ratio = root->accuracy };
}

static fl_gauges
s_gauges_below(const fl_status_input *input)
{
    const fl_task *task = s_task(input);
    fl_time due = input->participant == NULL ? FL_NEVER : fl_participant_due(input->participant);
    return (fl_gauges){ .run_rounds = NAN,
                        .run_eta_seconds = NAN,
                        .round_number = (double)input->round,
                        .round_attempt = task == NULL ? 0 : task->attempt,
                        .round_left_seconds = (double)s_left(due, input->now) / 1e3,
                        .round_mean_seconds = NAN,
                        .model_loss = NAN,
                        .model_accuracy_ratio = NAN };
}

static uint32_t
s_leaves(const fl_aggregator *aggregator)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; aggregator != NULL && i < fl_aggregator_seats(aggregator); i++) {
        const fl_seat_view seat = fl_aggregator_seat(aggregator, i);
        sum += seat.present ? seat.leaves : 0;
    }
    return sum;
}

//  The gauges of metrics.def as they stand now.
static fl_gauges
s_gauges(const fl_status_input *input)
{
    fl_gauges now = input->root != NULL ? s_gauges_of_root(input->root) : s_gauges_below(input);
    now.uptime_seconds = (double)input->uptime_ms / 1e3;
    now.aggregator_leaves = s_leaves(input->aggregator) + s_leaves(input->beside);
    const fl_cert *cert = input->certificate;
    now.certificate_left_seconds = cert == NULL ? NAN
                                   : cert->not_after <= input->wall_s
                                       ? 0
                                       : (double)(cert->not_after - input->wall_s);
    return now;
}

//  Of a node that takes no new round; NULL: it does, or finishes one although it has not been told
//  to drain.
static const char *
s_rest(const fl_status_input *input)
{
    const fl_root_view *root = input->root;
    fl_reason rests = root != NULL                 ? root->rests
                      : input->participant != NULL ? fl_participant_rests(input->participant)
                                                   : FL_WHY_NONE;
    bool busy = root != NULL ? root->busy : input->aggregator != NULL && input->round != 0;
    busy = busy || (input->participant != NULL && fl_participant_busy(input->participant));
    if (rests == FL_WHY_DRAIN) {
        return busy ? "draining" : "drained";
    }
    return rests == FL_WHY_NONE || busy ? NULL : fl_reason_name(rests);
}

static const char *
s_phase_below(const fl_status_input *input)
{
    if (input->final) {
        return "done";
    }
    if (input->participant != NULL && !fl_participant_joined(input->participant)) {
        return "joining";
    }
    if (input->participant != NULL && fl_participant_paused(input->participant) != FL_WHY_NONE) {
        return "paused";
    }
    if (input->aggregator != NULL && fl_aggregator_cutoff(input->aggregator) != FL_NEVER) {
        return "collecting";
    }
    return input->participant == NULL
               ? "idle"
               : fl_activity_name(fl_participant_activity(input->participant));
}

static void
s_run(fl_json *doc, const fl_status_input *input, const fl_gauges *now)
{
    const fl_root_view *root = input->root;
    json_t *top = doc->top;
    const char *rest = s_rest(input);
    fl_json_text(doc, top, "phase",
                 rest != NULL   ? rest
                 : root != NULL ? fl_root_phase_name(root->phase)
                                : s_phase_below(input));
    fl_json_bool(doc, top, "busy", root != NULL && root->busy);
    s_whole(doc, top, "round", now->round_number);
    s_whole(doc, top, "rounds", now->run_rounds);
    s_whole(doc, top, "attempt", now->round_attempt);
    s_whole(doc, top, "left_ms", now->round_left_seconds * 1e3);
    s_whole(doc, top, "round_ms", now->round_mean_seconds * 1e3);
    fl_json_real(doc, top, "eta_s", now->run_eta_seconds);
    fl_json_real(doc, top, "loss", now->model_loss);
    fl_json_real(doc, top, "accuracy", now->model_accuracy_ratio);
    fl_json_bool(doc, top, "final", root != NULL ? root->phase == FL_ROOT_DONE : input->final);
    const fl_participant *below = root == NULL ? input->participant : NULL;
    fl_reason end = root != NULL    ? root->reason
                    : below != NULL ? fl_participant_end(below)
                                    : FL_WHY_NONE;
    const bool done = end == FL_WHY_NONE || end == FL_WHY_TARGET || end == FL_WHY_PATIENCE ||
                      end == FL_WHY_SKIPPED;
    fl_json_bool(doc, top, "aborted", root != NULL ? root->aborted : !done);
    end = below != NULL && !input->final ? fl_participant_trouble(below) : end;
    fl_json_text(doc, top, "reason", fl_json_reason(end));
    const bool scored = root != NULL && root->best_round > 0;
    s_whole(doc, top, "best_round", scored ? (double)root->best_round : NAN);
    fl_json_real(doc, top, "best_score", scored ? root->best_score : NAN);
}

static void
s_participant(fl_json *doc, const fl_status_input *input)
{
    if (input->participant == NULL) {
        fl_json_text(doc, doc->top, "member", NULL);
        return;
    }
    json_t *in = fl_json_object(doc, doc->top, "member");
    fl_json_text(doc, in, "parent", input->parent);
    fl_json_bool(doc, in, "joined", fl_participant_joined(input->participant));
    fl_json_text(doc, in, "activity",
                 fl_activity_name(fl_participant_activity(input->participant)));
}

//  Of the order that the root gives, or of the one in hand below it; between two rounds an edge or
//  a device does not know what the next one asks for.
static void
s_masking(fl_json *doc, const fl_status_input *input)
{
    const fl_task *task = s_task(input);
    if (input->root == NULL && task == NULL) {
        fl_json_text(doc, doc->top, "masking", NULL);
        fl_json_text(doc, doc->top, "masking_edges", NULL);
        fl_json_text(doc, doc->top, "masked", NULL);
        fl_json_text(doc, doc->top, "weighting", NULL);
        fl_json_text(doc, doc->top, "pinned", NULL);
        return;
    }
    const uint8_t *masking = input->root != NULL ? input->root->masking : task->order.plan.masking;
    fl_json_text(doc, doc->top, "masking", fl_masking_name((fl_masking)masking[0]));
    fl_json_text(doc, doc->top, "masking_edges", fl_masking_name((fl_masking)masking[1]));
    fl_json_bool(doc, doc->top, "masked", masking[0] != FL_MASKING_NONE);
    if (input->root != NULL && input->root->bad > 0 && masking[0] != FL_MASKING_NONE) {
        json_t *pools = fl_json_object(doc, doc->top, "pools");
        fl_json_text(doc, pools, "weakest", input->root->weakest.name);
        fl_json_whole(doc, pools, "floor", input->root->floor);
        fl_json_whole(doc, pools, "bad", input->root->bad);
    }
    fl_weighting weighting =
        input->root != NULL ? input->root->weighting : (fl_weighting)task->order.plan.weighting;
    fl_json_text(doc, doc->top, "weighting", fl_weighting_name(weighting));
    fl_json_bool(doc, doc->top, "pinned",
                 input->root != NULL ? input->root->pin : task->order.plan.pin);
}

// ---- counters ---------------------------------------------------------------------------------
static void
s_bytes(fl_json *doc, const fl_metrics *metrics)
{
    json_t *bytes = fl_json_object(doc, doc->top, "bytes");
    for (unsigned way = 0; metrics != NULL && way < FL_WAYS; way++) {
        json_t *lane = fl_json_object(doc, bytes, fl_label_word(FL_LABEL_lane, way));
        fl_json_whole(doc, lane, "in", metrics->net_bytes_in_total[way]);
        fl_json_whole(doc, lane, "out", metrics->net_bytes_out_total[way]);
    }
}

//  "fl_contrib_late_total", "fl_net_dropped_full": what net counts has no _total here, for those
//  who read it so from the start.
static void
s_count(fl_json *doc, json_t *in, const char *name, const char *word, uint64_t value)
{
    char key[NAME_MAX_BYTES];
    bool net = strncmp(name, "fl_net_", 7) == 0;
    size_t size = strlen(name) - (net ? strlen("_total") : 0);
    (void)snprintf(key, sizeof key, "%.*s%s%s", (int)size, name, *word == '\0' ? "" : "_", word);
    fl_json_whole(doc, in, key, value);
}

static void
s_counters(fl_json *doc, const fl_metrics *metrics)
{
    json_t *in = fl_json_object(doc, doc->top, "counters");
    for (unsigned i = 0; metrics != NULL && i < FL_METRIC_COUNT; i++) {
        const fl_metric_info *about = fl_metric_about((fl_metric)i);
        if (about->kind != FL_METRIC_COUNTER || about->label == FL_LABEL_lane) {
            continue; // gauges are keys of their own, lanes stand under "bytes"
        }
        const char *word;
        for (unsigned k = 0; (word = fl_label_word(about->label, k)) != NULL; k++) {
            uint64_t value = fl_metrics_get(metrics, (fl_metric)i, k);
            if (value > 0) {
                s_count(doc, in, about->name, word, value);
            }
        }
    }
}

static void
s_certificate(fl_json *doc, const fl_status_input *input, const fl_gauges *now)
{
    if (input->certificate != NULL) {
        json_t *in = fl_json_object(doc, doc->top, "certificate");
        fl_json_whole(doc, in, "serial", input->certificate->serial);
        fl_json_whole(doc, in, "not_after", input->certificate->not_after);
        fl_json_whole(doc, in, "left_s", (uint64_t)now->certificate_left_seconds);
        fl_json_bool(doc, in, "ending", input->wall_s >= fl_cert_ends_from(input->certificate));
    }
}

fl_blob *
fl_status_json(const fl_status_input *input)
{
    const fl_gauges now = s_gauges(input);
    fl_json doc = fl_json_begin();
    json_t *top = doc.top;
    fl_json_text(&doc, top, "tier", input->tier);
    fl_json_text(&doc, top, "node", input->node.name);
    fl_json_hex(&doc, top, "run", input->run.bytes, sizeof input->run.bytes);
    fl_json_text(&doc, top, "version", input->version);
    fl_json_whole(&doc, top, "uptime_s", (uint64_t)now.uptime_seconds);
    s_certificate(&doc, input, &now);
    s_run(&doc, input, &now);
    s_waiting(&doc, input);
    fl_json_bool(&doc, top, "encrypted", true);
    s_masking(&doc, input);
    s_participant(&doc, input);
    fl_tally tally =
        input->aggregator == NULL ? (fl_tally){ 0 } : fl_aggregator_tally(input->aggregator);
    s_whole(&doc, top, "leaves", now.aggregator_leaves);
    fl_json_tally(&doc, fl_json_object(&doc, top, "tally"), &tally);
    s_blocks(&doc, input->aggregator);
    s_children(&doc, input->aggregator, input->beside);
    s_bytes(&doc, input->metrics);
    s_counters(&doc, input->metrics);
    return fl_json_end(&doc);
}
