//  What takes a page: the tree with its children, a round's report, the list of rounds.
#include "cloud/fl/render.h"

#include <inttypes.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/text_table.h"

enum { HASH_SHOWN = 16, RUN_SHOWN = 8 };

static void
s_no_memory(FILE *out)
{
    (void)fputs("out of memory: the table is not shown\n", out);
}

// ---- status -----------------------------------------------------------------------------------
static void
s_header(const json_t *status, uint32_t width, FILE *out)
{
    char line[2 * FL_RENDER_LINE_BYTES], stand[FL_RENDER_LINE_BYTES];
    char left[FL_RENDER_TEXT_BYTES] = "", up[FL_RENDER_TEXT_BYTES];
    uint64_t left_ms = leaf_whole(status, "left_ms");
    fl_render_stand(status, stand);
    (void)snprintf(line, sizeof line, "%s %s  run %.*s  %s%s%s  up %s", leaf_text(status, "tier"),
                   leaf_text(status, "node"), RUN_SHOWN, leaf_text(status, "run"), stand,
                   left_ms > 0 ? ", at most " : "", left_ms > 0 ? fl_render_ms(left_ms, left) : "",
                   fl_render_ms(1000 * leaf_whole(status, "uptime_s"), up));
    fl_text_table_line(line, width, out);
}

static void
s_score(const json_t *status, uint32_t width, FILE *out)
{
    char line[2 * FL_RENDER_LINE_BYTES], eta[FL_RENDER_TEXT_BYTES], masking[FL_RENDER_LINE_BYTES];
    const json_t *tally = json_object_get(status, "tally");
    double accuracy = leaf_real(status, "accuracy"), loss = leaf_real(status, "loss");
    double eta_s = leaf_real(status, "eta_s");
    int at = 0;
    if (isfinite(accuracy)) {
        at += snprintf(line + at, sizeof line - (size_t)at, "accuracy %.4f  ", accuracy);
    }
    if (isfinite(loss)) {
        at += snprintf(line + at, sizeof line - (size_t)at, "loss %.4f  ", loss);
    }
    if (isfinite(eta_s) && eta_s >= 0 && eta_s < 1e9) {
        at += snprintf(line + at, sizeof line - (size_t)at, "about %s to go  ",
                       fl_render_ms((uint64_t)(eta_s * 1000), eta));
    }
    fl_render_masking(status, masking);
    at += snprintf(line + at, sizeof line - (size_t)at, "%s%s%s",
                   leaf_true(status, "encrypted") ? "encrypted" : "NOT encrypted",
                   masking[0] == '\0' ? "" : ", ", masking);
    if (leaf_whole(tally, "masked") + leaf_whole(tally, "aborted") > 0) {
        (void)snprintf(line + at, sizeof line - (size_t)at,
                       ": %" PRIu64 " devices, %" PRIu64 " recovered, %" PRIu64 " aborted",
                       leaf_whole(tally, "masked"), leaf_whole(tally, "recovered"),
                       leaf_whole(tally, "aborted"));
    }
    fl_text_table_line(line, width, out);
}

//  "train 40%"; "gone" and "silent?" come before what it last did.
static void
s_cell_doing(fl_text_table *grid, const json_t *child)
{
    uint64_t done = leaf_whole(child, "done"), total = leaf_whole(child, "total");
    if (!leaf_true(child, "present")) {
        fl_text_table_cell(grid, "gone");
    } else if (leaf_true(child, "evasive")) {
        fl_text_table_cell(grid, "silent?");
    } else if (total > 0) {
        uint64_t percent = done >= total ? 100 : (uint64_t)(100 * ((double)done / (double)total));
        fl_text_table_cell(grid, "%s %" PRIu64 "%%", leaf_text(child, "activity"), percent);
    } else {
        fl_text_table_cell(grid, "%s", leaf_text(child, "activity"));
    }
}

//  It is here and may still contribute: not in yet, and not absent either.
static bool
s_awaited(const json_t *child)
{
    return leaf_true(child, "present") && leaf_is(child, "outcome", "absent") &&
           leaf_is(child, "reason", "-");
}

static void
s_child(fl_text_table *grid, const json_t *child)
{
    static const char *const outcomes[] = { "in", "late", "absent", "refused" };
    char up[FL_RENDER_TEXT_BYTES], down[FL_RENDER_TEXT_BYTES];
    const json_t *tally = json_object_get(child, "tally");
    const json_t *rounds = json_object_get(child, "rounds");
    bool edge = leaf_is(child, "role", "edge");
    fl_text_table_row(grid);
    fl_text_table_cell(grid, "%s", leaf_text(child, "node"));
    fl_text_table_cell(grid, "%s", leaf_text(child, "role"));
    fl_text_table_cell(grid, "%s", s_awaited(child) ? "-" : leaf_text(child, "outcome"));
    fl_text_table_cell(grid, "%s", leaf_text(child, "reason"));
    s_cell_doing(grid, child);
    fl_text_table_cell(grid, "%" PRIu64, leaf_whole(child, "leaves"));
    for (unsigned i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        if (edge) {
            fl_text_table_cell(grid, "%" PRIu64, leaf_whole(tally, outcomes[i]));
        } else {
            fl_text_table_cell(grid, "-");
        }
    }
    fl_text_table_cell(grid, "%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64,
                       leaf_whole(rounds, "in"), leaf_whole(rounds, "late"),
                       leaf_whole(rounds, "absent"), leaf_whole(rounds, "refused"));
    fl_text_table_cell(grid, "%s", fl_render_bytes(leaf_whole(tally, "bytes_up"), up));
    fl_text_table_cell(grid, "%s", fl_render_bytes(leaf_whole(tally, "bytes_down"), down));
}

static void
s_children(const json_t *status, uint32_t width, FILE *out)
{
    static const fl_text_table_column columns[] = {
        { "NODE", false, 0 },  { "ROLE", false, 6 },   { "OUTCOME", false, 0 }, { "WHY", false, 1 },
        { "DOING", false, 2 }, { "DEVICES", true, 3 }, { "IN", true, 0 },       { "LATE", true, 0 },
        { "ABSENT", true, 4 }, { "REFUSED", true, 5 }, { "ROUNDS", true, 8 },   { "UP", true, 7 },
        { "DOWN", true, 9 },
    };
    const json_t *children = json_object_get(status, "children");
    size_t index;
    json_t *child;
    if (json_array_size(children) == 0) {
        return;
    }
    fl_text_table *grid = fl_text_table_new(columns, sizeof columns / sizeof *columns);
    if (grid == NULL) {
        s_no_memory(out);
        return;
    }
    json_array_foreach(children, index, child)
    {
        s_child(grid, child);
    }
    (void)fputc('\n', out);
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
    if (leaf_whole(status, "children_dropped") > 0) {
        (void)fprintf(out, "and %" PRIu64 " more\n", leaf_whole(status, "children_dropped"));
    }
}

// ---- blocks -----------------------------------------------------------------------------------
static void
s_blocks(const json_t *answer, uint32_t width, FILE *out)
{
    static const fl_text_table_column columns[] = {
        { "TIER", false, 2 },     { "PARENT", false, 0 }, { "BLOCK", true, 0 },
        { "MEMBERS", true, 1 },   { "MASKED", true, 0 },  { "SURVIVORS", true, 4 },
        { "RECOVERED", true, 3 }, { "STATE", false, 0 },  { "WHY", false, 0 },
    };
    const json_t *blocks = json_object_get(answer, "blocks");
    size_t index;
    json_t *block;
    if (json_array_size(blocks) == 0) {
        return;
    }
    fl_text_table *grid = fl_text_table_new(columns, sizeof columns / sizeof *columns);
    if (grid == NULL) {
        s_no_memory(out);
        return;
    }
    json_array_foreach(blocks, index, block)
    {
        fl_text_table_row(grid);
        fl_text_table_cell(grid, "%s", leaf_text(block, "tier"));
        fl_text_table_cell(grid, "%s", leaf_text(block, "parent"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(block, "block"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(block, "members"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(block, "masked"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(block, "survivors"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(block, "recovered"));
        fl_text_table_cell(grid, "%s", leaf_text(block, "state"));
        fl_text_table_cell(grid, "%s", leaf_text(block, "reason"));
    }
    (void)fputc('\n', out);
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
}

void
fl_render_status(const json_t *status, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES];
    s_header(status, width, out);
    s_score(status, width, out);
    if (leaf_true(status, "final")) {
        fl_render_end(status, line);
        fl_text_table_line(line, width, out);
    }
    fl_render_wait(status, line);
    if (line[0] != '\0') {
        fl_text_table_line(line, width, out);
    }
    s_children(status, width, out);
    s_blocks(status, width, out);
}

// ---- report -----------------------------------------------------------------------------------
//  "12.5%"; "-" when nobody said how many samples there are.
static const char *
s_percent(double share, char text[FL_RENDER_TEXT_BYTES])
{
    if (!isfinite(share)) {
        return "-";
    }
    (void)snprintf(text, FL_RENDER_TEXT_BYTES, "%.1f%%", 100 * share);
    return text;
}

//  An edge makes no model, and a round that was missed none either.
static void
s_report_model(const json_t *report, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES], size[FL_RENDER_TEXT_BYTES];
    const char *model = leaf_text(report, "model"), *base = leaf_text(report, "base");
    if (strcmp(model, base) == 0) {
        (void)snprintf(line, sizeof line, "of model %.*s", HASH_SHOWN, base);
    } else {
        (void)snprintf(line, sizeof line, "model %.*s (%s), from %.*s", HASH_SHOWN, model,
                       fl_render_bytes(leaf_whole(report, "model_bytes"), size), HASH_SHOWN, base);
    }
    fl_text_table_line(line, width, out);
}

static void
s_report_facts(const json_t *report, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES], one[FL_RENDER_TEXT_BYTES];
    char up[FL_RENDER_TEXT_BYTES], down[FL_RENDER_TEXT_BYTES];
    const json_t *tally = json_object_get(report, "tally");
    const json_t *stats = json_object_get(report, "stats");
    double device_accuracy = leaf_real(stats, "device_accuracy");
    double lost = leaf_real(report, "samples_lost_share");
    (void)snprintf(
        line, sizeof line, "attempt %" PRIu64 ", budget %s, weight %" PRIu64 ", up %s, down %s",
        leaf_whole(report, "attempt"), fl_render_ms(leaf_whole(report, "budget_ms"), one),
        leaf_whole(report, "weight"), fl_render_bytes(leaf_whole(tally, "bytes_up"), up),
        fl_render_bytes(leaf_whole(tally, "bytes_down"), down));
    fl_text_table_line(line, width, out);
    (void)snprintf(line, sizeof line,
                   "samples lost %s, merge %" PRIu64 " ms, saturated %" PRIu64 ", stale %" PRIu64,
                   s_percent(lost, one), leaf_whole(report, "merge_ms"),
                   leaf_whole(stats, "saturated"), leaf_whole(stats, "stale"));
    fl_text_table_line(line, width, out);
    if (isfinite(device_accuracy)) {
        (void)snprintf(line, sizeof line,
                       "on the devices, of the model before: accuracy %.4f, loss %.4f",
                       device_accuracy, leaf_real(stats, "device_loss"));
        fl_text_table_line(line, width, out);
    }
    s_report_model(report, width, out);
}

//  "devices: 16 masked, 1 recovered, 4 aborted; blocks: 3 opened, 1 aborted".
static void
s_report_tiers(const json_t *report, uint32_t width, FILE *out)
{
    static const char *const names[] = { "devices", "edges" };
    char line[FL_RENDER_LINE_BYTES];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *tier = json_object_get(json_object_get(report, "tiers"), names[i]);
        uint64_t opened = leaf_whole(tier, "blocks"), aborted = leaf_whole(tier, "blocks_aborted");
        if (opened + aborted > 0) {
            (void)snprintf(line, sizeof line,
                           "%s: %" PRIu64 " masked, %" PRIu64 " recovered, %" PRIu64
                           " aborted; blocks: %" PRIu64 " opened, %" PRIu64 " aborted",
                           names[i], leaf_whole(tier, "masked"), leaf_whole(tier, "recovered"),
                           leaf_whole(tier, "aborted"), opened, aborted);
            fl_text_table_line(line, width, out);
        }
    }
}

void
fl_render_report(const json_t *report, uint32_t width, FILE *out)
{
    static const fl_text_table_column columns[] = {
        { "NODE", false, 0 }, { "PARENT", false, 1 },   { "OUTCOME", false, 0 },
        { "WHY", false, 0 },  { "STALENESS", true, 2 },
    };
    char line[FL_RENDER_LINE_BYTES];
    size_t index;
    json_t *entry;
    fl_render_round(report, line);
    fl_text_table_line(line, width, out);
    s_report_facts(report, width, out);
    s_report_tiers(report, width, out);
    s_blocks(report, width, out);
    const json_t *entries = json_object_get(report, "entries");
    if (json_array_size(entries) == 0) {
        return;
    }
    fl_text_table *grid = fl_text_table_new(columns, sizeof columns / sizeof *columns);
    if (grid == NULL) {
        s_no_memory(out);
        return;
    }
    json_array_foreach(entries, index, entry)
    {
        fl_text_table_row(grid);
        fl_text_table_cell(grid, "%s", leaf_text(entry, "node"));
        fl_text_table_cell(grid, "%s", leaf_text(entry, "parent"));
        fl_text_table_cell(grid, "%s", leaf_text(entry, "outcome"));
        fl_text_table_cell(grid, "%s", leaf_text(entry, "reason"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(entry, "staleness"));
    }
    (void)fputc('\n', out);
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
    if (leaf_whole(report, "entries_dropped") > 0) {
        (void)fprintf(out, "and %" PRIu64 " more\n", leaf_whole(report, "entries_dropped"));
    }
}

// ---- rounds -----------------------------------------------------------------------------------
//  The profile, if the round kept to it.
static void
s_cell_masking(fl_text_table *grid, const json_t *round)
{
    const char *profile = leaf_text(round, "masking");
    bool kept =
        leaf_true(round, "masked") || strcmp(profile, "unmasked") == 0 || strcmp(profile, "-") == 0;
    fl_text_table_cell(grid, "%s", kept ? profile : "partly");
}

//  "2/1": of devices, of edges.
static void
s_cell_tiers(fl_text_table *grid, const json_t *round, const char *what)
{
    const json_t *tiers = json_object_get(round, "tiers");
    fl_text_table_cell(grid, "%" PRIu64 "/%" PRIu64,
                       leaf_whole(json_object_get(tiers, "devices"), what),
                       leaf_whole(json_object_get(tiers, "edges"), what));
}

//  A number that may be missing.
static void
s_cell_real(fl_text_table *grid, double value)
{
    if (isfinite(value)) {
        fl_text_table_cell(grid, "%.4f", value);
    } else {
        fl_text_table_cell(grid, "-");
    }
}

void
fl_render_rounds(const json_t *rounds, uint32_t width, FILE *out)
{
    static const fl_text_table_column columns[] = {
        { "ROUND", true, 0 },     { "CLOSE", false, 0 },  { "WHY", false, 1 },
        { "TIME", true, 4 },      { "IN", true, 0 },      { "LATE", true, 0 },
        { "ABSENT", true, 3 },    { "REFUSED", true, 5 }, { "MASKING", false, 2 },
        { "RECOVERED", true, 9 }, { "ABORTED", true, 8 }, { "LOST", true, 6 },
        { "ACCURACY", true, 0 },  { "LOSS", true, 7 },
    };
    char text[FL_RENDER_TEXT_BYTES];
    size_t index;
    json_t *round;
    fl_text_table *grid = fl_text_table_new(columns, sizeof columns / sizeof *columns);
    if (grid == NULL) {
        s_no_memory(out);
        return;
    }
    json_array_foreach(json_object_get(rounds, "rounds"), index, round)
    {
        bool closed = !leaf_is(round, "close", "-");
        fl_text_table_row(grid);
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(round, "round"));
        fl_text_table_cell(grid, "%s", closed ? leaf_text(round, "close") : "open");
        fl_text_table_cell(grid, "%s", leaf_text(round, "reason"));
        fl_text_table_cell(grid, "%s", fl_render_ms(leaf_whole(round, "duration_ms"), text));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(round, "in"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(round, "late"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(round, "absent"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(round, "refused"));
        s_cell_masking(grid, round);
        s_cell_tiers(grid, round, "recovered");
        s_cell_tiers(grid, round, "aborted");
        fl_text_table_cell(grid, "%s", s_percent(leaf_real(round, "samples_lost_share"), text));
        s_cell_real(grid, leaf_real(round, "accuracy"));
        s_cell_real(grid, leaf_real(round, "loss"));
    }
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
    if (leaf_whole(rounds, "rounds_dropped") > 0) {
        (void)fprintf(out, "and %" PRIu64 " more: ask from a later round on\n",
                      leaf_whole(rounds, "rounds_dropped"));
    }
}
