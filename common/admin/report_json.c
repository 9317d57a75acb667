//  The recorded half of what an operator sees: reports, rounds, answers of one line.
#include "common/admin/status_json.h"

#include <math.h>

#include "common/admin/json_writer.h"

enum { ENTRIES_MAX = 6000 };

_Static_assert(ENTRIES_MAX * 150 + FL_BLOCK_LINES_MAX * 240 + 16 * 1024 <= FL_JSON_BYTES_MAX,
               "a report fits");
_Static_assert(FL_ROUNDS_JSON_MAX * 860 + 16 * 1024 <= FL_JSON_BYTES_MAX, "the rounds fit");

//  The share of `part` in `whole`; of nothing it is not known.
static double
s_share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

static void
s_stats(fl_json *doc, const uint64_t stats[FL_STATS])
{
    json_t *in = fl_json_object(doc, doc->top, "stats");
    uint64_t evaluated = stats[FL_STAT_EVALUATED];
    fl_json_whole(doc, in, "samples", stats[FL_STAT_SAMPLES]);
    fl_json_whole(doc, in, "evaluated", evaluated);
    fl_json_whole(doc, in, "correct", stats[FL_STAT_CORRECT]);
    fl_json_real(doc, in, "loss_sum", (double)stats[FL_STAT_LOSS] / FL_STAT_ONE);
    fl_json_whole(doc, in, "saturated", stats[FL_STAT_SATURATED]);
    fl_json_whole(doc, in, "stale", stats[FL_STAT_STALE]);
    fl_json_whole(doc, in, "capped", stats[FL_STAT_CAPPED]);
    fl_json_whole(doc, in, "train_ms", stats[FL_STAT_TRAIN_MS]);
    fl_json_device_scores(doc, in, stats);
}

//  True when nobody above a device saw less than the sum of a block, at either hop. A sum is as
//  well hidden as its blocks say. One over devices that sit at the root itself has no blocks of hop
//  1: then every update in it came through a block of the root.
static bool
s_masked(const fl_report *report, const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    const fl_ledger_hop *devices = &hops[0], *edges = &hops[1];
    bool below = devices->opened + devices->aborted_blocks > 0;
    bool above = edges->opened + edges->aborted_blocks > 0;
    if (report->masking == FL_MASKING_NONE) {
        return false;
    }
    if (report->close != FL_CLOSE_DONE) {
        return true; // there is no sum
    }
    if (above && !below) {
        return edges->opened > 0 && report->count == edges->survivors;
    }
    return devices->opened > 0 && (edges->opened > 0 || !above);
}

//  "tiers": the totals of both hops.
static void
s_tiers(fl_json *doc, json_t *in, const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    json_t *both = fl_json_object(doc, in, "tiers");
    for (int i = 0; i < FL_LEDGER_HOPS; i++) {
        json_t *tier = fl_json_object(doc, both, fl_json_tiers[i]);
        fl_json_whole(doc, tier, "masked", hops[i].masked);
        fl_json_whole(doc, tier, "recovered", hops[i].recovered);
        fl_json_whole(doc, tier, "aborted", hops[i].aborted);
        fl_json_whole(doc, tier, "blocks", hops[i].opened);
        fl_json_whole(doc, tier, "blocks_aborted", hops[i].aborted_blocks);
    }
}

static void
s_blocks(fl_json *doc, json_t *in, const fl_block_line *lines, uint32_t count)
{
    json_t *blocks = fl_json_array(doc, in, "blocks");
    for (uint32_t i = 0; i < count; i++) {
        bool opened = lines[i].reason == FL_WHY_NONE;
        fl_json_block(doc, blocks, &lines[i], opened ? FL_SERVER_DONE : FL_SERVER_ABORTED);
    }
}

static void
s_entries(fl_json *doc, const fl_report *report)
{
    json_t *entries = fl_json_array(doc, doc->top, "entries");
    uint32_t shown = report->roll_count < ENTRIES_MAX ? report->roll_count : ENTRIES_MAX;
    for (uint32_t i = 0; i < shown; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        json_t *in = fl_json_item(doc, entries);
        fl_json_text(doc, in, "node", entry->node.name);
        fl_json_text(doc, in, "parent", entry->parent.name);
        fl_json_text(doc, in, "outcome", fl_outcome_name((fl_outcome)entry->outcome));
        fl_json_text(doc, in, "reason", fl_json_reason((fl_reason)entry->reason));
        fl_json_whole(doc, in, "staleness", entry->staleness);
    }
    fl_json_whole(doc, doc->top, "entries_dropped",
                  (uint64_t)report->roll_dropped + (report->roll_count - shown));
}

fl_blob *
fl_report_json(const fl_report *report, uint64_t model_bytes, uint64_t opened_at,
               uint64_t closed_at)
{
    fl_json doc = fl_json_begin();
    json_t *top = doc.top;
    const fl_tally *tally = &report->tally;
    fl_ledger_hop hops[FL_LEDGER_HOPS] = { { 0 } };
    for (uint32_t i = 0; i < report->block_count; i++) {
        fl_ledger_hop_add(hops, &report->blocks[i]);
    }
    fl_json_hex(&doc, top, "run", report->run.bytes, sizeof report->run.bytes);
    fl_json_whole(&doc, top, "round", report->round);
    fl_json_whole(&doc, top, "attempt", report->attempt);
    fl_json_text(&doc, top, "close", fl_close_name(report->close));
    fl_json_text(&doc, top, "reason", fl_json_reason(report->reason));
    fl_json_hex(&doc, top, "base", report->base.bytes, sizeof report->base.bytes);
    fl_json_hex(&doc, top, "model", report->model.bytes, sizeof report->model.bytes);
    fl_json_whole(&doc, top, "model_bytes", model_bytes);
    fl_json_hex(&doc, top, "sum", report->sum.bytes, sizeof report->sum.bytes);
    fl_json_whole(&doc, top, "opened_at", opened_at);
    fl_json_whole(&doc, top, "closed_at", closed_at);
    fl_json_whole(&doc, top, "duration_ms", report->duration_ms);
    fl_json_whole(&doc, top, "budget_ms", report->budget_ms);
    fl_json_whole(&doc, top, "weight", report->weight);
    fl_json_whole(&doc, top, "count", report->count);
    fl_json_real(&doc, top, "loss", report->loss);
    fl_json_real(&doc, top, "accuracy", report->accuracy);
    s_stats(&doc, report->stats);
    fl_json_tally(&doc, fl_json_object(&doc, top, "tally"), tally);
    fl_json_real(&doc, top, "samples_lost_share",
                 s_share(tally->samples_missing, tally->samples_known));
    fl_json_whole(&doc, top, "merge_ms", tally->merge_ms);
    fl_json_text(&doc, top, "masking", fl_masking_name(report->masking));
    fl_json_bool(&doc, top, "masked", s_masked(report, hops));
    fl_json_text(&doc, top, "weighting", fl_weighting_name(report->weighting));
    fl_json_bool(&doc, top, "pinned", report->pin);
    s_tiers(&doc, top, hops);
    s_blocks(&doc, top, report->blocks, report->block_count);
    s_entries(&doc, report);
    return fl_json_end(&doc);
}

static void
s_round(fl_json *doc, json_t *in, const fl_ledger_round *round)
{
    const fl_report *report = &round->report;
    const fl_tally *tally = &report->tally;
    fl_json_whole(doc, in, "round", report->round);
    fl_json_whole(doc, in, "attempt", report->attempt);
    fl_json_text(doc, in, "close", round->closed ? fl_close_name(report->close) : NULL);
    fl_json_text(doc, in, "reason", fl_json_reason(report->reason));
    fl_json_whole(doc, in, "closed_at", round->closed_at);
    fl_json_whole(doc, in, "duration_ms", report->duration_ms);
    fl_json_whole(doc, in, "count", report->count);
    fl_json_whole(doc, in, "in", tally->in);
    fl_json_whole(doc, in, "late", tally->late);
    fl_json_whole(doc, in, "absent", tally->absent);
    fl_json_whole(doc, in, "refused", tally->refused);
    fl_json_whole(doc, in, "carried", report->stats[FL_STAT_STALE]);
    fl_json_whole(doc, in, "capped", report->stats[FL_STAT_CAPPED]);
    fl_json_whole(doc, in, "merge_ms", tally->merge_ms);
    fl_json_real(doc, in, "samples_lost_share",
                 s_share(tally->samples_missing, tally->samples_known));
    fl_json_real(doc, in, "loss", round->closed ? report->loss : NAN);
    fl_json_real(doc, in, "accuracy", round->closed ? report->accuracy : NAN);
    fl_json_device_scores(doc, in, report->stats);
    fl_json_text(doc, in, "masking", fl_masking_name(report->masking));
    fl_json_bool(doc, in, "masked", s_masked(report, round->hops));
    fl_json_text(doc, in, "weighting", fl_weighting_name(report->weighting));
    fl_json_bool(doc, in, "pinned", report->pin);
    s_tiers(doc, in, round->hops);
}

fl_blob *
fl_rounds_json(const fl_ledger_round *rounds, uint32_t count)
{
    fl_json doc = fl_json_begin();
    json_t *list = fl_json_array(&doc, doc.top, "rounds");
    FL_ASSERT(count <= FL_ROUNDS_JSON_MAX);
    for (uint32_t i = 0; i < count; i++) {
        s_round(&doc, fl_json_item(&doc, list), &rounds[i]);
    }
    return fl_json_end(&doc);
}

fl_blob *
fl_export_json(const char *path, const fl_hash *hash, uint64_t round, uint64_t model_bytes)
{
    fl_json doc = fl_json_begin();
    fl_json_text(&doc, doc.top, "path", path);
    fl_json_hex(&doc, doc.top, "hash", hash->bytes, sizeof hash->bytes);
    fl_json_whole(&doc, doc.top, "round", round);
    fl_json_whole(&doc, doc.top, "model_bytes", model_bytes);
    return fl_json_end(&doc);
}

fl_blob *
fl_said_json(const char *text)
{
    fl_json doc = fl_json_begin();
    fl_json_text(&doc, doc.top, "said", text);
    return fl_json_end(&doc);
}

fl_blob *
fl_error_json(const char *text)
{
    fl_json doc = fl_json_begin();
    fl_json_text(&doc, doc.top, "error", text);
    return fl_json_end(&doc);
}
