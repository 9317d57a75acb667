//  fl top: look at a process again and again until its run is done. On a terminal the picture is
//  drawn over the last one with nothing but «up so many lines, clear to the end», so there is no
//  state of the terminal to restore, however this ends. Elsewhere: one plain line a change.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/render.h"
#include "cloud/fl/text_table.h"
#include "cloud/fl/verbs.h"

#define VERB "top"

enum { ASK_MS = 900, LINES_SPARE = 2, ROUNDS_MOST = 16 };

typedef struct watching {
    const fl_context *context;
    const char *state;
    char run[FL_TEXT_MAX]; // "run:NAME", "" for the one in hand
    fl_time silent_since;  // of the first unanswered look; FL_NEVER when it answers
    uint32_t wait_ms;
    uint32_t lines;        // on the screen, ours
    uint64_t reported;     // newest round whose report was shown
    bool seen;             // there was an answer before
    char last[FL_RENDER_LINE_BYTES];   // that report's line
    char change[FL_RENDER_LINE_BYTES]; // what the last plain line said, without its countdown
    bool json;
} watching;

// ---- on a terminal ----------------------------------------------------------------------------
static uint32_t
s_count_lines(const char *text)
{
    uint32_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

//  `text` in place of the last picture, in one write so that nothing flickers.
static void
s_draw(watching *self, const char *text, uint32_t rows)
{
    FILE *out = self->context->out;
    uint32_t most = rows > LINES_SPARE ? rows - LINES_SPARE : 1, count = s_count_lines(text);
    uint32_t shown = count > most ? most : count;
    if (self->lines > 0) {
        (void)fprintf(out, "\r\x1b[%uA", self->lines);
    }
    for (uint32_t i = 0; i < shown; i++) {
        int length = (int)strcspn(text, "\n");
        if (i + 1 == shown && count > shown) {
            (void)fprintf(out, "(%u more lines: make the window higher)\x1b[K\n", count - i);
        } else {
            (void)fprintf(out, "%.*s\x1b[K\n", length, text);
        }
        text += length + 1;
    }
    (void)fprintf(out, "\x1b[J");
    (void)fflush(out);
    self->lines = shown;
}

static void
s_picture(watching *self, const json_t *status, const char *trouble, uint32_t columns,
          uint32_t rows)
{
    char *text = NULL;
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);
    if (page == NULL) {
        return;
    }
    if (status != NULL) {
        fl_render_status(status, columns, page);
    }
    if (self->last[0] != '\0') {
        (void)fputc('\n', page);
        fl_text_table_line(self->last, columns, page);
    }
    if (trouble != NULL) {
        fl_text_table_line(trouble, columns, page);
    }
    if (fclose(page) == 0) {
        s_draw(self, text, rows);
    }
    free(text);
}

// ---- elsewhere --------------------------------------------------------------------------------
//  What makes a new line worth printing: everything but times.
static void
s_change_of(const json_t *status, char change[FL_RENDER_LINE_BYTES])
{
    const json_t *wait = json_object_get(status, "waiting");
    char stand[FL_RENDER_LINE_BYTES];
    char *missing = json_dumps(json_object_get(wait, "missing"), JSON_COMPACT);
    fl_render_stand(status, stand);
    (void)snprintf(change, FL_RENDER_LINE_BYTES,
                   "%.128s %.32s %" PRIu64 "/%" PRIu64 " %" PRIu64 " %.256s", stand,
                   leaf_text(wait, "for"), leaf_whole(wait, "ready"), leaf_whole(wait, "expect"),
                   leaf_whole(wait, "leaves"), missing == NULL ? "" : missing);
    free(missing);
}

static void
s_print_json(const json_t *answer, FILE *out)
{
    (void)json_dumpf(answer, out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    (void)fputc('\n', out);
}

static void
s_line(watching *self, const json_t *status)
{
    FILE *out = self->context->out;
    char change[FL_RENDER_LINE_BYTES], stand[FL_RENDER_LINE_BYTES], wait[FL_RENDER_LINE_BYTES];
    s_change_of(status, change);
    if (strcmp(change, self->change) == 0) {
        return;
    }
    memcpy(self->change, change, sizeof self->change);
    if (self->json) {
        s_print_json(status, out);
    } else {
        fl_render_stand(status, stand);
        fl_render_wait(status, wait);
        (void)fprintf(out, "%s%s%s\n", stand, wait[0] == '\0' ? "" : ": ", wait);
    }
    (void)fflush(out);
}

// ---- looking ----------------------------------------------------------------------------------
//  The line of one closed round: kept for the picture, or printed.
static void
s_report(watching *self, uint64_t round)
{
    uint32_t columns, rows;
    char number[FL_TEXT_MAX + 24];
    json_t *report = NULL;
    fl_why why;
    (void)snprintf(number, sizeof number, "%s%s%" PRIu64, self->run,
                   self->run[0] == '\0' ? "" : " ", round);
    if (fl_context_ask(self->context, self->state, "report", number, ASK_MS, &report, &why) !=
        FL_EXIT_OK) {
        return;
    }
    fl_render_round(report, self->last);
    if (!self->context->screen(self->context->self, &columns, &rows)) {
        (void)fprintf(self->context->out, "%s\n", self->last);
    }
    json_decref(report);
}

//  Rounds that closed since the last look, the newest ROUNDS_MOST of them; of those before the
//  first look the last alone.
static void
s_look_at_rounds(watching *self, const json_t *status)
{
    uint64_t round = leaf_whole(status, "round");
    uint64_t closed = leaf_true(status, "final") ? round : round > 0 ? round - 1 : 0;
    bool first = !self->seen;
    if (self->json || !leaf_is(status, "tier", "root")) {
        return;
    }
    self->seen = true;
    if (closed <= self->reported) {
        return;
    }
    uint64_t from = self->reported + 1;
    from = first ? closed : closed - self->reported > ROUNDS_MOST ? closed - ROUNDS_MOST + 1 : from;
    for (; from <= closed; from++) {
        s_report(self, from);
    }
    self->reported = closed;
}

static void
s_show(watching *self, const json_t *status, const char *trouble)
{
    uint32_t columns, rows;
    if (!self->json && self->context->screen(self->context->self, &columns, &rows)) {
        s_picture(self, status, trouble, columns, rows);
    } else if (status != NULL) {
        s_line(self, status);
    } else if (strcmp(self->change, trouble) != 0) {
        (void)snprintf(self->change, sizeof self->change, "%s", trouble);
        (void)fprintf(self->context->err, "fl top: %s\n", trouble);
    }
}

//  No answer: patience for `wait`, then the end.
static int
s_silent(watching *self, const fl_why *why, bool *over)
{
    char trouble[FL_RENDER_LINE_BYTES];
    fl_time now = self->context->now_ms();
    self->silent_since = self->silent_since == FL_NEVER ? now : self->silent_since;
    *over = now - self->silent_since >= (fl_time)self->wait_ms;
    if (*over) {
        return fl_context_fail(self->context, VERB, FL_EXIT_SILENT, "%s", why->text);
    }
    (void)snprintf(trouble, sizeof trouble, "no answer, waiting %u s in all: %s",
                   self->wait_ms / 1000, why->text);
    s_show(self, NULL, trouble);
    return FL_EXIT_OK;
}

//  A run that is not in hand: it is queued, or it has ended.
static int
s_look_elsewhere(watching *self, const json_t *run, bool *over)
{
    char line[FL_RENDER_LINE_BYTES];
    const fl_context *context = self->context;
    *over = leaf_true(run, "ended");
    (void)snprintf(line, sizeof line, "run %" PRIu64 " (%.32s) is %.16s", leaf_whole(run, "number"),
                   leaf_text(run, "name"), leaf_text(run, "state"));
    if (strcmp(line, self->change) != 0) {
        memcpy(self->change, line, sizeof self->change);
        if (self->json) {
            s_print_json(run, context->out);
        } else {
            (void)fprintf(context->out, "%s\n", line);
        }
        (void)fflush(context->out);
    }
    return *over ? fl_run_code(run, leaf_is(run, "state", "done")) : FL_EXIT_OK;
}

//  One look. `*over`: the watch ends with the code that is returned.
static int
s_look(watching *self, bool *over)
{
    char line[FL_RENDER_LINE_BYTES];
    json_t *status = NULL;
    fl_why why = { "" };
    int code =
        fl_context_ask(self->context, self->state, "status", self->run, ASK_MS, &status, &why);
    *over = false;
    if (code == FL_EXIT_SILENT || code == FL_EXIT_BUSY) {
        return s_silent(self, &why, over);
    }
    if (code != FL_EXIT_OK) {
        *over = true;
        return fl_context_fail(self->context, VERB, code, "%s", why.text);
    }
    self->silent_since = FL_NEVER;
    if (json_object_get(status, "ended") != NULL) {
        code = s_look_elsewhere(self, status, over);
        json_decref(status);
        return code;
    }
    s_look_at_rounds(self, status);
    s_show(self, status, NULL);
    *over = leaf_true(status, "final");
    if (*over) {
        code = fl_run_code(status, !leaf_true(status, "aborted"));
        fl_render_end(status, line);
        uint32_t columns, rows;
        if (!self->json && !self->context->screen(self->context->self, &columns, &rows)) {
            (void)fprintf(self->context->out, "%s\n", line);
        }
    }
    json_decref(status);
    return code;
}

int
fl_verb_top(void *context, const fl_conf *conf)
{
    watching self = { .context = context, .silent_since = FL_NEVER,
                      .wait_ms = (uint32_t)fl_conf_ms(conf, "wait"),
                      .json = fl_conf_bool(conf, "json") };
    fl_why why = { "" };
    bool over = false;
    int code = FL_EXIT_OK;
    self.state = fl_context_state(self.context, conf, VERB);
    if (self.state == NULL || !fl_context_of_run(context, conf, VERB, "", self.run)) {
        return FL_EXIT_USAGE;
    }
    if (self.context->watch(self.context->self, &why) != FL_OK) {
        return fl_context_fail(self.context, VERB, FL_EXIT_FAILED, "%s", why.text);
    }
    const uint32_t refresh_ms = (uint32_t)fl_conf_ms(conf, "refresh");
    do {
        code = s_look(&self, &over);
        if (ferror(self.context->out)) {
            return FL_EXIT_FAILED;                  // whoever read us is gone
        }
    } while (!over && self.context->pause(self.context->self, refresh_ms));
    if (!over && self.lines > 0) {
        (void)fputc('\n', self.context->out);      // the terminal has put a ^C on this line
    }
    return code;
}
