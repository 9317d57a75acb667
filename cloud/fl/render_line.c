//  What fits one line: where the run stands, what it waits for, how a round and the run ended.
#include "cloud/fl/render.h"

#include <inttypes.h>
#include <stdarg.h>

#include "cloud/fl/json_read.h"

enum { NAMES_MAX = 4 };

const char *
fl_render_bytes(uint64_t bytes, char text[FL_RENDER_TEXT_BYTES])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, FL_RENDER_TEXT_BYTES, unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s",
                   value, units[unit]);
    return text;
}

const char *
fl_render_ms(uint64_t ms, char text[FL_RENDER_TEXT_BYTES])
{
    uint64_t seconds = (ms + 500) / 1000;
    if (ms < 9950) {
        (void)snprintf(text, FL_RENDER_TEXT_BYTES, "%.1f s", (double)ms / 1000);
    } else if (seconds < 60) {
        (void)snprintf(text, FL_RENDER_TEXT_BYTES, "%" PRIu64 " s", seconds);
    } else if (seconds < 3600) {
        (void)snprintf(text, FL_RENDER_TEXT_BYTES, "%" PRIu64 "m%02us", seconds / 60,
                       (unsigned)(seconds % 60));
    } else {
        (void)snprintf(text, FL_RENDER_TEXT_BYTES, "%" PRIu64 "h%02um", seconds / 3600,
                       (unsigned)(seconds / 60 % 60));
    }
    return text;
}

static void __attribute__((format(printf, 2, 3)))
s_add(char line[FL_RENDER_LINE_BYTES], const char *format, ...)
{
    va_list args;
    size_t length = strlen(line);
    va_start(args, format);
    (void)vsnprintf(line + length, FL_RENDER_LINE_BYTES - length, format, args);
    va_end(args);
}

void
fl_render_stand(const json_t *status, char line[FL_RENDER_LINE_BYTES])
{
    uint64_t attempt = leaf_whole(status, "attempt"), rounds = leaf_whole(status, "rounds");
    line[0] = '\0';
    s_add(line, "round %" PRIu64, leaf_whole(status, "round"));
    if (rounds > 0) {
        s_add(line, "/%" PRIu64, rounds);
    }
    s_add(line, " %s%s", leaf_text(status, "phase"),
          leaf_is(status, "phase", "drained") ? ": safe to stop" : "");
    if (!leaf_true(status, "final") && !leaf_is(status, "reason", "-")) {
        s_add(line, " (%s)", leaf_text(status, "reason"));
    }
    if (attempt > 1) {
        s_add(line, " (attempt %" PRIu64 ")", attempt);
    }
}

// ---- waiting ----------------------------------------------------------------------------------
//  What the children are, in the plural.
static const char *
s_children_noun(const json_t *status)
{
    size_t index, edges = 0, devices = 0;
    json_t *child;
    json_array_foreach(json_object_get(status, "children"), index, child)
    {
        edges += leaf_is(child, "role", "edge");
        devices += leaf_is(child, "role", "device");
    }
    return edges > 0 && devices == 0 ? "edges" : devices > 0 && edges == 0 ? "devices" : "children";
}

//  "edge-b, edge-c and 2 not seen yet"; `unseen` is of those without a name.
static void
s_add_names(char line[FL_RENDER_LINE_BYTES], const json_t *names, uint64_t unseen)
{
    size_t count = json_array_size(names);
    for (size_t i = 0; i < count && i < NAMES_MAX; i++) {
        s_add(line, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(names, i)));
    }
    if (count > NAMES_MAX) {
        s_add(line, " and %zu more", count - NAMES_MAX);
    }
    if (unseen > 0) {
        s_add(line, "%s%" PRIu64 " not seen yet", count > 0 ? " and " : "", unseen);
    }
}

static uint64_t
s_less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

//  ", 14 s more for "; how long when it is bounded.
static void
s_add_left(char line[FL_RENDER_LINE_BYTES], const json_t *wait)
{
    char text[FL_RENDER_TEXT_BYTES];
    if (json_is_integer(json_object_get(wait, "left_ms"))) {
        s_add(line, ", %s more", fl_render_ms(leaf_whole(wait, "left_ms"), text));
    }
}

static void
s_wait_for_children(const json_t *status, const json_t *wait, const char *done,
                    char line[FL_RENDER_LINE_BYTES])
{
    uint64_t ready = leaf_whole(wait, "ready"), expect = leaf_whole(wait, "expect");
    uint64_t resting = leaf_whole(wait, "resting");
    uint64_t leaves = leaf_whole(wait, "leaves"), leaves_wanted = leaf_whole(wait, "expect_leaves");
    const json_t *names = json_object_get(wait, "missing");
    uint64_t unseen = s_less(s_less(expect, ready), json_array_size(names));
    s_add(line, "%" PRIu64, ready);
    if (expect > 0) {
        s_add(line, " of %" PRIu64, expect);
    }
    s_add(line, " %s %s", s_children_noun(status), done);
    if (resting > 0) {
        s_add(line, ", of which %" PRIu64 " rest%s", resting, resting == 1 ? "s" : "");
    }
    //  Where each child is a device, the second pair of numbers is the first again.
    if (leaves < leaves_wanted && (leaves != ready || leaves_wanted != expect)) {
        s_add(line, " with %" PRIu64 " of %" PRIu64 " devices", leaves, leaves_wanted);
    }
    s_add_left(line, wait);
    if (ready < expect && (unseen > 0 || json_array_size(names) > 0)) {
        s_add(line, " for ");
        s_add_names(line, names, unseen);
    } else if (leaves < leaves_wanted) {
        uint64_t lacking = leaves_wanted - leaves;
        s_add(line, " for %" PRIu64 " device%s", lacking, lacking == 1 ? "" : "s");
    }
}

void
fl_render_wait(const json_t *status, char line[FL_RENDER_LINE_BYTES])
{
    const json_t *wait = json_object_get(status, "waiting");
    line[0] = '\0';
    if (!json_is_object(wait)) {
        return;
    }
    if (leaf_is(wait, "for", "children")) {
        s_wait_for_children(status, wait, "ready", line);
    } else if (leaf_is(wait, "for", "contributions")) {
        s_wait_for_children(status, wait, "in", line);
    } else if (leaf_is(wait, "for", "parent")) {
        s_add(line, "not joined yet, connecting to %s",
              leaf_text(json_object_get(status, "member"), "parent"));
    } else if (leaf_is(wait, "for", "task")) {
        s_add(line, "joined, the parent has no task for it");
    } else {
        s_add(line, "waiting for the parent's %s", leaf_text(wait, "for"));
        s_add_left(line, wait);
    }
}

// ---- a round ----------------------------------------------------------------------------------
//  ", 2 late (device-07: slow, device-09: late)"; nothing for none.
static void
s_add_outcome(char line[FL_RENDER_LINE_BYTES], const json_t *report, const char *outcome)
{
    uint64_t count = leaf_whole(json_object_get(report, "tally"), outcome), named = 0;
    size_t index;
    json_t *entry;
    if (count == 0) {
        return;
    }
    s_add(line, ", %" PRIu64 " %s", count, outcome);
    json_array_foreach(json_object_get(report, "entries"), index, entry)
    {
        if (leaf_is(entry, "outcome", outcome) && !leaf_is(entry, "parent", "-")) {
            if (named < NAMES_MAX) {
                const char *why = json_string_value(json_object_get(entry, "reason"));
                s_add(line, "%s%s%s%s", named == 0 ? " (" : ", ", leaf_text(entry, "node"),
                      why == NULL ? "" : ": ", why == NULL ? "" : why);
            }
            named++;
        }
    }
    if (named > NAMES_MAX) {
        s_add(line, " and %" PRIu64 " more", named - NAMES_MAX);
    }
    if (named > 0) {
        s_add(line, ")");
    }
}

static void
s_add_score(char line[FL_RENDER_LINE_BYTES], const json_t *in, const char *before)
{
    double accuracy = leaf_real(in, "accuracy"), loss = leaf_real(in, "loss");
    if (isfinite(accuracy)) {
        s_add(line, "%saccuracy %.4f", before, accuracy);
    }
    if (isfinite(loss)) {
        s_add(line, "%sloss %.4f", isfinite(accuracy) ? ", " : before, loss);
    }
}

void
fl_render_masking(const json_t *answer, char line[FL_RENDER_LINE_BYTES])
{
    const char *profile = leaf_text(answer, "masking");
    const char *above = leaf_text(answer, "masking_edges");
    const json_t *pools = json_object_get(answer, "pools");
    line[0] = '\0';
    if (strcmp(profile, "unmasked") == 0) {
        s_add(line, "not masked");
    } else if (strcmp(profile, "-") != 0) {
        s_add(line, "%smasked (%s)", leaf_true(answer, "masked") ? "" : "only partly ", profile);
    }
    if (strcmp(above, "-") != 0 && strcmp(above, profile) != 0) {
        s_add(line, ", sums of edges %s", above);
    }
    if (pools != NULL) {
        s_add(line, ", floor %" PRIu64 ": %" PRIu64 " bad devices break it at %s",
              leaf_whole(pools, "floor"), leaf_whole(pools, "bad"), leaf_text(pools, "weakest"));
    }
    if (!leaf_is(answer, "weighting", "-")) {
        s_add(line, "%sweighting %s", line[0] == '\0' ? "" : ", ", leaf_text(answer, "weighting"));
    }
    if (leaf_true(answer, "pinned")) {
        s_add(line, "%spinned", line[0] == '\0' ? "" : ", ");
    }
}

//  ", 2 recovered, 3 blocks aborted (edge-a/1: checksum, edge-b/0: too-few-uploads and 1 more)".
static void
s_add_blocks(char line[FL_RENDER_LINE_BYTES], const json_t *report)
{
    uint64_t recovered = leaf_whole(json_object_get(report, "tally"), "recovered"), aborted = 0;
    const json_t *blocks = json_object_get(report, "blocks");
    size_t index;
    json_t *block;
    json_array_foreach(blocks, index, block)
    {
        aborted += leaf_true(block, "aborted");
    }
    if (recovered > 0) {
        s_add(line, ", %" PRIu64 " recovered", recovered);
    }
    if (aborted == 0) {
        return;
    }
    s_add(line, ", %" PRIu64 " block%s aborted (", aborted, aborted == 1 ? "" : "s");
    uint64_t named = 0;
    json_array_foreach(blocks, index, block)
    {
        if (leaf_true(block, "aborted") && named < NAMES_MAX) {
            s_add(line, "%s%s/%" PRIu64 ": %s", named > 0 ? ", " : "", leaf_text(block, "parent"),
                  leaf_whole(block, "block"), leaf_text(block, "reason"));
            named++;
        }
    }
    if (aborted > named) {
        s_add(line, " and %" PRIu64 " more", aborted - named);
    }
    s_add(line, ")");
}

void
fl_render_round(const json_t *report, char line[FL_RENDER_LINE_BYTES])
{
    char text[FL_RENDER_TEXT_BYTES], masking[FL_RENDER_LINE_BYTES];
    const json_t *tally = json_object_get(report, "tally");
    fl_render_masking(report, masking);
    line[0] = '\0';
    s_add(line, "round %" PRIu64 " %s", leaf_whole(report, "round"), leaf_text(report, "close"));
    if (!leaf_is(report, "reason", "-")) {
        s_add(line, " (%s)", leaf_text(report, "reason"));
    }
    s_add(line, " in %s%s%s: %" PRIu64 " of %" PRIu64 " devices in",
          fl_render_ms(leaf_whole(report, "duration_ms"), text), masking[0] == '\0' ? "" : ", ",
          masking, leaf_whole(tally, "in"), leaf_whole(tally, "invited"));
    s_add_outcome(line, report, "late");
    s_add_outcome(line, report, "absent");
    s_add_outcome(line, report, "refused");
    s_add_blocks(line, report);
    s_add_score(line, report, "; ");
}

void
fl_render_end(const json_t *status, char line[FL_RENDER_LINE_BYTES])
{
    line[0] = '\0';
    if (leaf_true(status, "aborted")) {
        s_add(line, "run aborted in round %" PRIu64 " of %" PRIu64 ": %s",
              leaf_whole(status, "round"), leaf_whole(status, "rounds"),
              leaf_text(status, "reason"));
    } else {
        s_add(line, "run %s", leaf_is(status, "reason", "skipped") ? "ended with skipped rounds"
                                                                 : "done");
        bool target = leaf_is(status, "reason", "target");
        if (target || leaf_is(status, "reason", "patience")) {
            s_add(line, ": %" PRIu64 " of %" PRIu64 " rounds, %s", leaf_whole(status, "round"),
                  leaf_whole(status, "rounds"), target ? "target reached" : "no better model came");
        } else if (leaf_whole(status, "rounds") > 0) {
            s_add(line, ": %" PRIu64 " rounds", leaf_whole(status, "rounds"));
        }
    }
    s_add_score(line, status, ", ");
    const uint64_t best = leaf_whole(status, "best_round");
    if (best > 0 && best != leaf_whole(status, "round")) {
        s_add(line, ", best in round %" PRIu64, best);
    }
}
