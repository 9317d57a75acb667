//  The recorded half of what an operator sees: reports, rounds, answers of one line.
#include "common/admin/status_json.h"

#include <math.h>
#include <stdlib.h>

#include "common/admin/json_writer.h"

enum { ENTRIES_MAX = 6000, STAT_ONE = 1 << 20 };

_Static_assert(ENTRIES_MAX * 150 + FL_BLOCK_LINES_MAX * 240 + 16 * 1024 <= FL_JSON_BYTES_MAX,
               "a report fits");
_Static_assert(FL_ROUNDS_JSON_MAX * 660 + 16 * 1024 <= FL_JSON_BYTES_MAX, "the rounds fit");

//  The share of `part` in `whole`; of nothing it is not known.
static double
s_share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? NAN : (double)part / (double)whole;
}

static void
s_stats(fl_json *sheet, const uint64_t stats[FL_STATS])
{
    json_t *in = fl_json_object(sheet, sheet->top, "stats");
    uint64_t evaluated = stats[FL_STAT_EVALUATED];
    fl_json_whole(sheet, in, "samples", stats[FL_STAT_SAMPLES]);
    fl_json_whole(sheet, in, "evaluated", evaluated);
    fl_json_whole(sheet, in, "correct", stats[FL_STAT_CORRECT]);
    fl_json_real(sheet, in, "loss_sum", (double)stats[FL_STAT_LOSS] / STAT_ONE);
    fl_json_whole(sheet, in, "saturated", stats[FL_STAT_SATURATED]);
    fl_json_whole(sheet, in, "stale", stats[FL_STAT_STALE]);
    fl_json_whole(sheet, in, "train_ms", stats[FL_STAT_TRAIN_MS]);
    //  Of the model that the round began with, on the devices' own samples.
    fl_json_real(sheet, in, "device_loss", s_share(stats[FL_STAT_LOSS], evaluated) / STAT_ONE);
    fl_json_real(sheet, in, "device_accuracy", s_share(stats[FL_STAT_CORRECT], evaluated));
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
s_tiers(fl_json *sheet, json_t *in, const fl_ledger_hop hops[FL_LEDGER_HOPS])
{
    json_t *both = fl_json_object(sheet, in, "tiers");
    for (int i = 0; i < FL_LEDGER_HOPS; i++) {
        json_t *tier = fl_json_object(sheet, both, fl_json_tiers[i]);
        fl_json_whole(sheet, tier, "masked", hops[i].masked);
        fl_json_whole(sheet, tier, "recovered", hops[i].recovered);
        fl_json_whole(sheet, tier, "aborted", hops[i].aborted);
        fl_json_whole(sheet, tier, "blocks", hops[i].opened);
        fl_json_whole(sheet, tier, "blocks_aborted", hops[i].aborted_blocks);
    }
}

static void
s_blocks(fl_json *sheet, json_t *in, const fl_block_line *lines, uint32_t count)
{
    json_t *blocks = fl_json_array(sheet, in, "blocks");
    for (uint32_t i = 0; i < count; i++) {
        bool opened = lines[i].reason == FL_WHY_NONE;
        fl_json_block(sheet, blocks, &lines[i], opened ? FL_SERVER_DONE : FL_SERVER_ABORTED);
    }
}

static void
s_entries(fl_json *sheet, const fl_report *report)
{
    json_t *entries = fl_json_array(sheet, sheet->top, "entries");
    uint32_t shown = report->roll_count < ENTRIES_MAX ? report->roll_count : ENTRIES_MAX;
    for (uint32_t i = 0; i < shown; i++) {
        const fl_roll_entry *entry = &report->roll[i];
        json_t *in = fl_json_item(sheet, entries);
        fl_json_text(sheet, in, "node", entry->node.name);
        fl_json_text(sheet, in, "parent", entry->parent.name);
        fl_json_text(sheet, in, "outcome", fl_outcome_name((fl_outcome)entry->outcome));
        fl_json_text(sheet, in, "reason", fl_json_reason((fl_reason)entry->reason));
        fl_json_whole(sheet, in, "staleness", entry->staleness);
    }
    fl_json_whole(sheet, sheet->top, "entries_dropped",
                  (uint64_t)report->roll_dropped + (report->roll_count - shown));
}

fl_blob *
fl_report_json(const fl_report *report, uint64_t model_bytes, uint64_t opened_at,
               uint64_t closed_at)
{
    fl_json sheet = fl_json_begin();
    json_t *top = sheet.top;
    const fl_tally *tally = &report->tally;
    fl_ledger_hop hops[FL_LEDGER_HOPS] = { { 0 } };
    for (uint32_t i = 0; i < report->block_count; i++) {
        fl_ledger_hop_add(hops, &report->blocks[i]);
    }
    fl_json_hex(&sheet, top, "run", report->run.bytes, sizeof report->run.bytes);
    fl_json_whole(&sheet, top, "round", report->round);
    fl_json_whole(&sheet, top, "attempt", report->attempt);
    fl_json_text(&sheet, top, "close", fl_close_name(report->close));
    fl_json_text(&sheet, top, "reason", fl_json_reason(report->reason));
    fl_json_hex(&sheet, top, "base", report->base.bytes, sizeof report->base.bytes);
    fl_json_hex(&sheet, top, "model", report->model.bytes, sizeof report->model.bytes);
    fl_json_whole(&sheet, top, "model_bytes", model_bytes);
    fl_json_hex(&sheet, top, "sum", report->sum.bytes, sizeof report->sum.bytes);
    fl_json_whole(&sheet, top, "opened_at", opened_at);
    fl_json_whole(&sheet, top, "closed_at", closed_at);
    fl_json_whole(&sheet, top, "duration_ms", report->duration_ms);
    fl_json_whole(&sheet, top, "budget_ms", report->budget_ms);
    fl_json_whole(&sheet, top, "weight", report->weight);
    fl_json_whole(&sheet, top, "count", report->count);
    fl_json_real(&sheet, top, "loss", report->loss);
    fl_json_real(&sheet, top, "accuracy", report->accuracy);
    s_stats(&sheet, report->stats);
    fl_json_tally(&sheet, fl_json_object(&sheet, top, "tally"), tally);
    fl_json_real(&sheet, top, "samples_lost_share",
                 s_share(tally->samples_missing, tally->samples_known));
    fl_json_whole(&sheet, top, "merge_ms", tally->merge_ms);
    fl_json_text(&sheet, top, "masking", fl_masking_name(report->masking));
    fl_json_bool(&sheet, top, "masked", s_masked(report, hops));
    s_tiers(&sheet, top, hops);
    s_blocks(&sheet, top, report->blocks, report->block_count);
    s_entries(&sheet, report);
    return fl_json_end(&sheet);
}

static void
s_round(fl_json *sheet, json_t *in, const fl_ledger_round *round)
{
    const fl_report *report = &round->report;
    const fl_tally *tally = &report->tally;
    fl_json_whole(sheet, in, "round", report->round);
    fl_json_whole(sheet, in, "attempt", report->attempt);
    fl_json_text(sheet, in, "close", round->closed ? fl_close_name(report->close) : NULL);
    fl_json_text(sheet, in, "reason", fl_json_reason(report->reason));
    fl_json_whole(sheet, in, "closed_at", round->closed_at);
    fl_json_whole(sheet, in, "duration_ms", report->duration_ms);
    fl_json_whole(sheet, in, "count", report->count);
    fl_json_whole(sheet, in, "in", tally->in);
    fl_json_whole(sheet, in, "late", tally->late);
    fl_json_whole(sheet, in, "absent", tally->absent);
    fl_json_whole(sheet, in, "refused", tally->refused);
    fl_json_real(sheet, in, "samples_lost_share",
                 s_share(tally->samples_missing, tally->samples_known));
    fl_json_real(sheet, in, "loss", round->closed ? report->loss : NAN);
    fl_json_real(sheet, in, "accuracy", round->closed ? report->accuracy : NAN);
    fl_json_text(sheet, in, "masking", fl_masking_name(report->masking));
    fl_json_bool(sheet, in, "masked", s_masked(report, round->hops));
    s_tiers(sheet, in, round->hops);
}

static int
s_by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

//  Of the rounds that were closed: the one profile that they had, or "mixed"; masked when every one
//  of them was, and there was a sum to be masked.
static void
s_summary_masking(fl_json *sheet, json_t *in, const fl_ledger_round *rounds, uint32_t count)
{
    fl_ledger_hop hops[FL_LEDGER_HOPS] = { { 0 } };
    const fl_ledger_round *first = NULL;
    bool same = true, masked = true, summed = false;
    for (uint32_t i = 0; i < count; i++) {
        const fl_ledger_round *round = &rounds[i];
        if (!round->closed) {
            continue;
        }
        first = first == NULL ? round : first;
        same = same && round->report.masking == first->report.masking;
        summed = summed || round->report.close == FL_CLOSE_DONE;
        masked = masked && s_masked(&round->report, round->hops);
        for (int hop = 0; hop < FL_LEDGER_HOPS; hop++) {
            fl_ledger_hop_sum(&hops[hop], &round->hops[hop]);
        }
    }
    s_tiers(sheet, in, hops);
    const char *name = first == NULL ? NULL : fl_masking_name(first->report.masking);
    fl_json_text(sheet, in, "masking", same ? name : "mixed");
    fl_json_bool(sheet, in, "masked", summed && masked);
}

//  The rounds that were done, in one line: sums over their devices, the median merge, the newest
//  score.
static void
s_summary(fl_json *sheet, const fl_ledger_round *rounds, uint32_t count)
{
    uint64_t merge[FL_ROUNDS_JSON_MAX];
    uint64_t done = 0, late = 0, absent = 0, refused = 0, carried = 0;
    double loss = NAN, accuracy = NAN;
    for (uint32_t i = 0; i < count; i++) {
        const fl_report *report = &rounds[i].report;
        late += report->tally.late;
        absent += report->tally.absent;
        refused += report->tally.refused;
        if (rounds[i].closed && report->close == FL_CLOSE_DONE) {
            merge[done++] = report->tally.merge_ms;
            carried += report->stats[FL_STAT_STALE];
            loss = report->loss;
            accuracy = report->accuracy;
        }
    }
    qsort(merge, done, sizeof merge[0], s_by_value);
    json_t *in = fl_json_object(sheet, sheet->top, "summary");
    fl_json_whole(sheet, in, "rounds_done", done);
    fl_json_whole(sheet, in, "late_total", late);
    fl_json_whole(sheet, in, "carried_total", carried);
    fl_json_whole(sheet, in, "absent_total", absent);
    fl_json_whole(sheet, in, "refused_total", refused);
    fl_json_whole(sheet, in, "merge_ms_p50", done == 0 ? 0 : merge[done / 2]);
    fl_json_real(sheet, in, "last_loss", loss);
    fl_json_real(sheet, in, "last_accuracy", accuracy);
    s_summary_masking(sheet, in, rounds, count);
}

fl_blob *
fl_rounds_json(const fl_ledger_round *rounds, uint32_t count)
{
    fl_json sheet = fl_json_begin();
    json_t *list = fl_json_array(&sheet, sheet.top, "rounds");
    uint32_t shown = count < FL_ROUNDS_JSON_MAX ? count : FL_ROUNDS_JSON_MAX;
    for (uint32_t i = 0; i < shown; i++) {
        s_round(&sheet, fl_json_item(&sheet, list), &rounds[i]);
    }
    fl_json_whole(&sheet, sheet.top, "rounds_dropped", count - shown);
    s_summary(&sheet, rounds, shown);
    return fl_json_end(&sheet);
}

fl_blob *
fl_export_json(const char *path, const fl_hash *hash, uint64_t round, uint64_t model_bytes)
{
    fl_json sheet = fl_json_begin();
    fl_json_text(&sheet, sheet.top, "path", path);
    fl_json_hex(&sheet, sheet.top, "hash", hash->bytes, sizeof hash->bytes);
    fl_json_whole(&sheet, sheet.top, "round", round);
    fl_json_whole(&sheet, sheet.top, "model_bytes", model_bytes);
    return fl_json_end(&sheet);
}

fl_blob *
fl_said_json(const char *text)
{
    fl_json sheet = fl_json_begin();
    fl_json_text(&sheet, sheet.top, "said", text);
    return fl_json_end(&sheet);
}

fl_blob *
fl_error_json(const char *text)
{
    fl_json sheet = fl_json_begin();
    fl_json_text(&sheet, sheet.top, "error", text);
    return fl_json_end(&sheet);
}
