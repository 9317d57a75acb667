//  Runs: the list, one run with its settings, a line per event.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/render.h"
#include "cloud/fl/text_table.h"

enum { STAMP_BYTES = 24, TEXT_SHOWN = 160 };

//  "2026-11-30 13:31:02", of ms since 1970; "-" for 0.
static const char *
s_stamp(uint64_t ms, char text[STAMP_BYTES])
{
    struct tm parts;
    time_t at = (time_t)(ms / 1000);
    (void)snprintf(text, STAMP_BYTES, "-");
    if (ms > 0 && gmtime_r(&at, &parts) != NULL) {
        (void)strftime(text, STAMP_BYTES, "%Y-%m-%d %H:%M:%S", &parts);
    }
    return text;
}

static int64_t
s_signed(const json_t *in, const char *key)
{
    return json_integer_value(json_object_get(in, key));
}

void
fl_render_runs(const json_t *runs, uint32_t width, FILE *out)
{
    static const fl_text_table_column columns[] = {
        { "RUN", true, 0 },    { "NAME", false, 0 },  { "STATE", false, 0 },
        { "WHY", false, 1 },   { "ROUNDS", true, 0 }, { "PRIORITY", true, 3 },
        { "BEGUN", false, 2 }, { "ENDED", false, 4 },
    };
    char begun[STAMP_BYTES], ended[STAMP_BYTES];
    size_t index;
    json_t *run;
    fl_text_table *grid = fl_text_table_new(columns, sizeof columns / sizeof *columns);
    if (grid == NULL) {
        (void)fputs("out of memory: the table is not shown\n", out);
        return;
    }
    json_array_foreach(json_object_get(runs, "runs"), index, run)
    {
        fl_text_table_row(grid);
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(run, "number"));
        fl_text_table_cell(grid, "%s", leaf_text(run, "name"));
        fl_text_table_cell(grid, "%s", leaf_text(run, "state"));
        bool why = !leaf_is(run, "reason", "-"); // else, of one that waits, what for
        fl_text_table_cell(grid, "%s", leaf_text(run, why ? "reason" : "text"));
        fl_text_table_cell(grid, "%" PRIu64, leaf_whole(run, "rounds_closed"));
        fl_text_table_cell(grid, "%" PRId64, s_signed(run, "priority"));
        fl_text_table_cell(grid, "%s", s_stamp(leaf_whole(run, "begun_at"), begun));
        fl_text_table_cell(grid, "%s", s_stamp(leaf_whole(run, "ended_at"), ended));
    }
    fl_text_table_print(grid, width, out);
    fl_text_table_destroy(&grid);
}

//  "run 3 (digits) is paused (storage): no space left", and what else is known.
static void
s_head(const json_t *run, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES], submitted[STAMP_BYTES], begun[STAMP_BYTES], ended[STAMP_BYTES];
    const char *text = leaf_text(run, "text");
    bool why = !leaf_is(run, "reason", "-"), more = text[0] != '\0' && strcmp(text, "-") != 0;
    (void)snprintf(line, sizeof line, "run %" PRIu64 " (%s) is %s%s%s%s%s%s",
                   leaf_whole(run, "number"), leaf_text(run, "name"), leaf_text(run, "state"),
                   why ? " (" : "", why ? leaf_text(run, "reason") : "", why ? ")" : "",
                   more ? ": " : "", more ? text : "");
    fl_text_table_line(line, width, out);
    (void)snprintf(line, sizeof line,
                   "%" PRIu64 " rounds closed, %" PRIu64 " parameters, priority %" PRId64 ", id %s",
                   leaf_whole(run, "rounds_closed"), leaf_whole(run, "elements"),
                   s_signed(run, "priority"), leaf_text(run, "run"));
    fl_text_table_line(line, width, out);
    (void)snprintf(line, sizeof line, "submitted %s, begun %s, ended %s UTC",
                   s_stamp(leaf_whole(run, "submitted_at"), submitted),
                   s_stamp(leaf_whole(run, "begun_at"), begun),
                   s_stamp(leaf_whole(run, "ended_at"), ended));
    fl_text_table_line(line, width, out);
}

//  "round 4: accuracy 0.8123, loss 0.6", and the same on the devices.
static void
s_scores(const json_t *run, uint32_t width, FILE *out)
{
    const json_t *in = json_object_get(run, "scored");
    const double root = leaf_real(in, "accuracy"), devices = leaf_real(in, "device_accuracy");
    char line[FL_RENDER_LINE_BYTES];
    if (isfinite(root)) {
        (void)snprintf(line, sizeof line, "round %" PRIu64 ": accuracy %.4f, loss %.4f",
                       leaf_whole(in, "round"), root, leaf_real(in, "loss"));
        fl_text_table_line(line, width, out);
    }
    if (isfinite(devices)) {
        (void)snprintf(line, sizeof line, FL_RENDER_ON_DEVICES, devices,
                       leaf_real(in, "device_loss"));
        fl_text_table_line(line, width, out);
    }
    if (leaf_true(run, "pinned")) {
        fl_text_table_line("pinned: updates have no randomness of their own, not even masked ones",
                           width, out);
    }
}

void
fl_render_run(const json_t *run, uint32_t width, FILE *out)
{
    char line[FL_RENDER_LINE_BYTES], at[STAMP_BYTES];
    const char *recipe = json_string_value(json_object_get(run, "recipe"));
    size_t index;
    json_t *change;
    s_head(run, width, out);
    s_scores(run, width, out);
    if (recipe != NULL && *recipe != '\0') {
        (void)fputs("\nsettings that were given:\n", out);
    }
    while (recipe != NULL && *recipe != '\0') {
        size_t length = strcspn(recipe, "\n");
        (void)snprintf(line, sizeof line, "  %.*s", (int)length, recipe);
        fl_text_table_line(line, width, out);
        recipe += length + (recipe[length] == '\n');
    }
    json_array_foreach(json_object_get(run, "changes"), index, change)
    {
        (void)snprintf(line, sizeof line,
                       "%s  %.64s is %.*s, it was %.*s: from round %" PRIu64 " on, by %s",
                       s_stamp(leaf_whole(change, "at"), at), leaf_text(change, "setting"),
                       TEXT_SHOWN, leaf_text(change, "new"), TEXT_SHOWN, leaf_text(change, "old"),
                       leaf_whole(change, "round"), leaf_text(change, "who"));
        fl_text_table_line(line, width, out);
    }
}

void
fl_render_event(const json_t *event, char line[FL_RENDER_LINE_BYTES])
{
    char at[STAMP_BYTES];
    const char *key;
    json_t *what = json_object_get(event, "what"), *value;
    int used = snprintf(line, FL_RENDER_LINE_BYTES, "%s %.32s",
                        s_stamp(leaf_whole(event, "at"), at), leaf_text(event, "kind"));
    size_t length = used < 0 ? 0 : (size_t)used;
    json_object_foreach(what, key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(4));
        const char *plain = json_string_value(value);
        bool nothing = text == NULL || json_is_null(value) ||
                       (plain != NULL && (plain[0] == '\0' || strcmp(plain, "none") == 0));
        bool same = leaf_is(event, "kind", key); // "state running" and not "state state=running"
        bool word = plain != NULL && strchr(plain, ' ') == NULL;
        if (!nothing && length < FL_RENDER_LINE_BYTES) {
            used = snprintf(line + length, FL_RENDER_LINE_BYTES - length, " %.32s%s%.*s",
                            same ? "" : key, same ? "" : "=", TEXT_SHOWN, word ? plain : text);
            length += used < 0 ? 0 : (size_t)used;
        }
        free(text);
    }
}
