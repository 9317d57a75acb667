//  What takes a page: the tree with its children, a round's report, the list of rounds.
#include "cloud/fl/render.h"

#include <inttypes.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/text_table.h"
#include "common/config/clock.h"

enum { HASH_SHOWN = 16, RUN_SHOWN = 8 };

// ---- tables -----------------------------------------------------------------------------------
//  A column: what stands above it, and how a cell of it comes from a row's JSON.
typedef struct column {
    fl_text_table_column head;
    const char *key;
    void (*cell)(fl_text_table *grid, const json_t *row, const char *key);
} column;

static void
s_text(fl_text_table *grid, const json_t *row, const char *key)
{
    fl_text_table_cell(grid, "%s", leaf_text(row, key));
}

static void
s_whole(fl_text_table *grid, const json_t *row, const char *key)
{
    fl_text_table_cell(grid, "%" PRIu64, leaf_whole(row, key));
}

static void
s_table(const json_t *rows, const column *columns, uint32_t count, uint32_t width, FILE *out)
{
    fl_text_table_column heads[FL_TABLE_COLUMNS_MAX];
    size_t index;
    json_t *row;
    for (uint32_t i = 0; i < count; i++) {
        heads[i] = columns[i].head;
    }
    fl_text_table *grid = fl_text_table_new(heads, count);
    if (grid == NULL) {
        (void)fputs("out of memory: the table is not shown\n", out);
        return;
    }
    json_array_foreach(rows, index, row)
    {
        fl_text_table_row(grid);
        for (uint32_t i = 0; i < count; i++) {
            const char *key = columns[i].key;
            if (!leaf_true(row, "told")) {
                columns[i].cell(grid, row, key);
            } else { // as it is, or nothing
                bool some = json_object_get(row, key) != NULL;
                fl_text_table_cell(grid, "%s", some ? leaf_text(row, key) : "");
            }
        }
    }
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
}

#define COUNT(columns) (sizeof(columns) / sizeof *(columns))

//  Below something else, with a line between; nothing when there is no row.
static void
s_table_below(const json_t *rows, const column *columns, uint32_t count, uint32_t width, FILE *out)
{
    if (json_array_size(rows) > 0) {
        (void)fputc('\n', out);
        s_table(rows, columns, count, width, out);
    }
}

static void
s_say_dropped(const json_t *answer, const char *key, FILE *out)
{
    if (leaf_whole(answer, key) > 0) {
        (void)fprintf(out, "and %" PRIu64 " more\n", leaf_whole(answer, key));
    }
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
s_certificate(const json_t *status, uint32_t width, FILE *out)
{
    const json_t *certificate = json_object_get(status, "certificate");
    char line[FL_RENDER_LINE_BYTES], date[32];
    if (certificate != NULL) {
        fl_clock_date(leaf_whole(certificate, "not_after"), date);
        (void)snprintf(line, sizeof line, "certificate until %s%s", date,
                       leaf_true(certificate, "ending") ? ", not renewed yet" : "");
        fl_text_table_line(line, width, out);
    }
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
s_doing(fl_text_table *grid, const json_t *child, const char *key)
{
    uint64_t done = leaf_whole(child, "done"), total = leaf_whole(child, "total");
    if (leaf_true(child, "rests")) {
        fl_text_table_cell(grid, leaf_true(child, "present") ? "rest" : "rest, gone");
    } else if (!leaf_true(child, "present")) {
        fl_text_table_cell(grid, "gone");
    } else if (leaf_true(child, "evasive")) {
        fl_text_table_cell(grid, "silent?");
    } else if (total > 0) {
        uint64_t percent = done >= total ? 100 : (uint64_t)(100 * ((double)done / (double)total));
        fl_text_table_cell(grid, "%s %" PRIu64 "%%", leaf_text(child, key), percent);
    } else {
        fl_text_table_cell(grid, "%s", leaf_text(child, key));
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
s_outcome(fl_text_table *grid, const json_t *child, const char *key)
{
    fl_text_table_cell(grid, "%s", s_awaited(child) ? "-" : leaf_text(child, key));
}

//  Of the devices below an edge.
static void
s_tally(fl_text_table *grid, const json_t *child, const char *key)
{
    if (leaf_is(child, "role", "edge")) {
        s_whole(grid, json_object_get(child, "tally"), key);
    } else {
        fl_text_table_cell(grid, "-");
    }
}

static void
s_rounds(fl_text_table *grid, const json_t *child, const char *key)
{
    const json_t *rounds = json_object_get(child, key);
    fl_text_table_cell(grid, "%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64,
                       leaf_whole(rounds, "in"), leaf_whole(rounds, "late"),
                       leaf_whole(rounds, "absent"), leaf_whole(rounds, "refused"));
}

static void
s_bytes(fl_text_table *grid, const json_t *child, const char *key)
{
    char text[FL_RENDER_TEXT_BYTES];
    const json_t *tally = json_object_get(child, "tally");
    fl_text_table_cell(grid, "%s", fl_render_bytes(leaf_whole(tally, key), text));
}

static const column of_children[] = {
    { { "NODE", false, 0 }, "node", s_text },
    { { "ROLE", false, 6 }, "role", s_text },
    { { "OUTCOME", false, 0 }, "outcome", s_outcome },
    { { "WHY", false, 1 }, "reason", s_text },
    { { "DOING", false, 2 }, "activity", s_doing },
    { { "DEVICES", true, 3 }, "leaves", s_whole },
    { { "IN", true, 0 }, "in", s_tally },
    { { "LATE", true, 0 }, "late", s_tally },
    { { "ABSENT", true, 4 }, "absent", s_tally },
    { { "REFUSED", true, 5 }, "refused", s_tally },
    { { "ROUNDS", true, 8 }, "rounds", s_rounds },
    { { "UP", true, 7 }, "bytes_up", s_bytes },
    { { "DOWN", true, 9 }, "bytes_down", s_bytes },
    { { "OFFERS", false, 10 }, "offers", s_text },
};

static const column of_blocks[] = {
    { { "TIER", false, 2 }, "tier", s_text },
    { { "PARENT", false, 0 }, "parent", s_text },
    { { "BLOCK", true, 0 }, "block", s_whole },
    { { "MEMBERS", true, 1 }, "members", s_whole },
    { { "MASKED", true, 0 }, "masked", s_whole },
    { { "SURVIVORS", true, 4 }, "survivors", s_whole },
    { { "RECOVERED", true, 3 }, "recovered", s_whole }, { { "STATE", false, 0 }, "state", s_text },
    { { "WHY", false, 0 }, "reason", s_text },
};

static void
s_blocks(const json_t *answer, uint32_t width, FILE *out)
{
    s_table_below(json_object_get(answer, "blocks"), of_blocks, COUNT(of_blocks), width, out);
}

//  How deep a node is below the child whose report names it: a report names parents first.
static uint64_t
s_depth(const json_t *below, size_t index)
{
    const char *parent = leaf_text(json_array_get(below, index), "parent");
    for (size_t i = index; i-- > 0;) {
        const json_t *other = json_array_get(below, i);
        if (leaf_is(other, "node", parent)) {
            return leaf_whole(other, "depth") + 1;
        }
        if (leaf_is(other, "parent", parent)) { // its brother
            return leaf_whole(other, "depth");
        }
    }
    return 1;
}

//  A row of texts: what the report of that round (0: an earlier one) tells of a node.
static json_t *
s_told(const json_t *node, uint64_t depth, uint64_t round)
{
    json_t *row = json_object();
    json_t *told = round == 0 ? json_string("earlier") : json_sprintf("in round %" PRIu64, round);
    (void)json_object_set_new(row, "told", json_true());
    (void)json_object_set_new(row, "node",
                              json_sprintf("%*s%s", 2 * (int)depth, "", leaf_text(node, "node")));
    (void)json_object_set(row, "outcome", json_object_get(node, "outcome"));
    (void)json_object_set(row, "reason", json_object_get(node, "reason"));
    (void)json_object_set_new(row, "activity", told);
    return row;
}

//  The tree as rows: each child, and behind it those below.
static json_t *
s_tree(const json_t *children)
{
    json_t *rows = json_array(), *child, *node;
    size_t index, at;
    json_array_foreach(children, index, child)
    {
        const json_t *below = json_object_get(child, "below");
        (void)json_array_append(rows, child);
        json_array_foreach(below, at, node)
        {
            uint64_t depth = s_depth(below, at);
            (void)json_object_set_new(node, "depth", json_integer((json_int_t)depth));
            (void)json_array_append_new(rows, s_told(node, depth, leaf_whole(child, "told_round")));
        }
    }
    return rows;
}

//  Why a node has to be looked at; NULL: it has not. An outcome is named of an edge's devices, not
//  of the edge beside them.
static const char *
s_lacking(const json_t *row)
{
    bool told = leaf_true(row, "told");
    if (leaf_true(row, "rests")) {
        return NULL; // it is expected to be out, by its own word
    }
    if (!told && !leaf_true(row, "present")) {
        return "gone";
    }
    if (leaf_true(row, "evasive") || leaf_is(row, "reason", "silent")) {
        return "silent";
    }
    bool fine = json_array_size(json_object_get(row, "below")) > 0 ||
                leaf_is(row, "outcome", "in") || leaf_is(row, "outcome", "idle") ||
                leaf_is(row, "outcome", "-") || (!told && s_awaited(row));
    return fine ? NULL : leaf_text(row, "outcome");
}

//  "not in: device-07 late, device-09 silent and 3 more": by name, as many as fit the line.
static void
s_not_in(const json_t *rows, uint32_t width, FILE *out)
{
    enum { MORE = 16 };
    char line[FL_RENDER_LINE_BYTES] = "not in: ";
    size_t index, more = 0, start = strlen(line), used = start;
    size_t room = width < sizeof line ? width : sizeof line;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        const char *why = s_lacking(row), *name = leaf_text(row, "node");
        name += strspn(name, " ");
        if (why == NULL) {
            continue;
        }
        if (more > 0 || used + strlen(name) + strlen(why) + MORE > room) {
            more++;
            continue;
        }
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %s",
                                 used > start ? ", " : "", name, why);
    }
    if (more > 0) {
        (void)snprintf(line + used, sizeof line - used,
                       used > start ? " and %zu more" : "%zu nodes", more);
    }
    if (more > 0 || used > start) {
        fl_text_table_line(line, width, out);
    }
}

void
fl_render_status(const json_t *status, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES];
    json_t *tree = s_tree(json_object_get(status, "children"));
    s_header(status, width, out);
    s_score(status, width, out);
    s_certificate(status, width, out);
    if (leaf_true(status, "final")) {
        fl_render_end(status, line);
        fl_text_table_line(line, width, out);
    }
    fl_render_wait(status, line);
    if (line[0] != '\0') {
        fl_text_table_line(line, width, out);
    }
    s_not_in(tree, width, out);
    s_table_below(tree, of_children, COUNT(of_children), width, out);
    json_decref(tree);
    s_say_dropped(status, "children_dropped", out);
    s_say_dropped(status, "below_dropped", out);
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
                   "samples lost %s, merge %" PRIu64 " ms, saturated %" PRIu64 ", stale %" PRIu64
                   ", capped %" PRIu64,
                   s_percent(lost, one), leaf_whole(report, "merge_ms"),
                   leaf_whole(stats, "saturated"), leaf_whole(stats, "stale"),
                   leaf_whole(stats, "capped"));
    fl_text_table_line(line, width, out);
    if (isfinite(device_accuracy)) {
        (void)snprintf(line, sizeof line, FL_RENDER_ON_DEVICES, device_accuracy,
                       leaf_real(stats, "device_loss"));
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

static const column of_entries[] = {
    { { "NODE", false, 0 }, "node", s_text },
    { { "PARENT", false, 1 }, "parent", s_text },
    { { "OUTCOME", false, 0 }, "outcome", s_text },     { { "WHY", false, 0 }, "reason", s_text },
    { { "STALENESS", true, 2 }, "staleness", s_whole },
};

void
fl_render_report(const json_t *report, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES];
    fl_render_round(report, line);
    fl_text_table_line(line, width, out);
    s_report_facts(report, width, out);
    s_report_tiers(report, width, out);
    s_blocks(report, width, out);
    s_table_below(json_object_get(report, "entries"), of_entries, COUNT(of_entries), width, out);
    s_say_dropped(report, "entries_dropped", out);
}

// ---- rounds -----------------------------------------------------------------------------------
//  An open one was not closed in any way.
static void
s_close(fl_text_table *grid, const json_t *round, const char *key)
{
    fl_text_table_cell(grid, "%s", leaf_is(round, key, "-") ? "open" : leaf_text(round, key));
}

static void
s_ms(fl_text_table *grid, const json_t *round, const char *key)
{
    char text[FL_RENDER_TEXT_BYTES];
    fl_text_table_cell(grid, "%s", fl_render_ms(leaf_whole(round, key), text));
}

//  The profile, if the round kept to it.
static void
s_masking(fl_text_table *grid, const json_t *round, const char *key)
{
    const char *profile = leaf_text(round, key);
    bool kept =
        leaf_true(round, "masked") || strcmp(profile, "unmasked") == 0 || strcmp(profile, "-") == 0;
    fl_text_table_cell(grid, "%s%s", kept ? profile : "partly",
                       leaf_true(round, "pinned") ? " pinned" : "");
}

//  "2/1": of devices, of edges.
static void
s_tiers(fl_text_table *grid, const json_t *round, const char *key)
{
    const json_t *tiers = json_object_get(round, "tiers");
    fl_text_table_cell(grid, "%" PRIu64 "/%" PRIu64,
                       leaf_whole(json_object_get(tiers, "devices"), key),
                       leaf_whole(json_object_get(tiers, "edges"), key));
}

static void
s_share(fl_text_table *grid, const json_t *round, const char *key)
{
    char text[FL_RENDER_TEXT_BYTES];
    fl_text_table_cell(grid, "%s", s_percent(leaf_real(round, key), text));
}

//  A number that may be missing.
static void
s_real(fl_text_table *grid, const json_t *round, const char *key)
{
    double value = leaf_real(round, key);
    if (isfinite(value)) {
        fl_text_table_cell(grid, "%.4f", value);
    } else {
        fl_text_table_cell(grid, "-");
    }
}

static const column of_rounds[] = {
    { { "ROUND", true, 0 }, "round", s_whole },
    { { "CLOSE", false, 0 }, "close", s_close },
    { { "WHY", false, 1 }, "reason", s_text },
    { { "TIME", true, 4 }, "duration_ms", s_ms },
    { { "IN", true, 0 }, "in", s_whole },
    { { "LATE", true, 0 }, "late", s_whole },
    { { "ABSENT", true, 3 }, "absent", s_whole },
    { { "REFUSED", true, 5 }, "refused", s_whole },
    { { "CAPPED", true, 4 }, "capped", s_whole },
    { { "MASKING", false, 2 }, "masking", s_masking },
    { { "WEIGHTING", false, 10 }, "weighting", s_text },
    { { "RECOVERED", true, 9 }, "recovered", s_tiers },
    { { "ABORTED", true, 8 }, "aborted", s_tiers },
    { { "LOST", true, 6 }, "samples_lost_share", s_share },
    { { "ACCURACY", true, 0 }, "accuracy", s_real },
    { { "LOSS", true, 7 }, "loss", s_real },
    { { "ON DEVICES", true, 6 }, "device_accuracy", s_real },
};

void
fl_render_rounds(const json_t *rounds, uint32_t width, FILE *out)
{
    s_table(json_object_get(rounds, "rounds"), of_rounds, COUNT(of_rounds), width, out);
}
