#include "common/base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/base/limits.h"
#include "common/base/status.h"

enum { IDS_MAX = 128, NAME_MAX_BYTES = 32, RUN_SHOWN = 4 };
enum { BURST = 20, WINDOW_MS = 10000 };
static const char cut_mark[] = " cut=1\n";

//  How often one id was heard in its present window.
typedef struct rate {
    char id[NAME_MAX_BYTES];
    fl_time opened;
    uint32_t shown;
    uint64_t suppressed;
} rate;

//  The one state of the process. `lock` is held for a few copies, never while the sink runs.
static struct {
    atomic_flag lock;
    fl_log_conf conf;
    char tier[NAME_MAX_BYTES];
    char node[NAME_MAX_BYTES];
    char run[FL_TRACKS][2 * RUN_SHOWN + 1];
    uint32_t track;
    uint64_t round;
    rate rates[IDS_MAX];
    uint32_t rate_count;
} state = { .lock = ATOMIC_FLAG_INIT, .conf = { .least = FL_LOG_INFO } };

//  A line in the making. Room for a closing quote and the cut mark is kept free.
typedef struct line {
    char text[FL_LOG_LINE_MAX];
    size_t size;
    bool cut;
} line;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static void
s_lock(void)
{
    while (atomic_flag_test_and_set_explicit(&state.lock, memory_order_acquire)) {
    }
}

static void
s_unlock(void)
{
    atomic_flag_clear_explicit(&state.lock, memory_order_release);
}

static void
s_copy(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from == NULL ? "" : from);
}

//  All of `text` or nothing, so that a cut never leaves half an escape.
static void
s_append(line *self, const char *text, size_t size)
{
    if (self->cut || self->size + size + sizeof cut_mark > sizeof self->text) {
        self->cut = true;
        return;
    }
    memcpy(self->text + self->size, text, size);
    self->size += size;
}

static void
s_append_text(line *self, const char *text)
{
    s_append(self, text, strlen(text));
}

static void
s_append_key(line *self, const char *key)
{
    s_append(self, " ", self->size > 0);
    s_append_text(self, key);
    s_append(self, "=", 1);
}

static bool
s_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._:/@%+-,*", c) != NULL);
}

static void
s_append_escaped(line *self, char c)
{
    char escape[8];
    unsigned char byte = (unsigned char)c;
    if (c == '"' || c == '\\') {
        (void)snprintf(escape, sizeof escape, "\\%c", c);
    } else if (c == '\n') {
        (void)snprintf(escape, sizeof escape, "\\n");
    } else if (byte < 0x20 || byte >= 0x7f) {
        (void)snprintf(escape, sizeof escape, "\\x%02x", byte);
    } else {
        (void)snprintf(escape, sizeof escape, "%c", c);
    }
    s_append_text(self, escape);
}

//  Bare when it is one plain word, else in quotes with everything unprintable escaped: a line stays
//  one line, whatever is in the text. The closing quote is there even when the text was cut.
static void
s_append_value(line *self, const char *text)
{
    size_t plain = 0;
    while (s_bare(text[plain])) {
        plain++;
    }
    bool quoted = plain == 0 || text[plain] != '\0';
    s_append(self, "\"", quoted);
    bool opened = quoted && !self->cut;
    for (const char *c = text; *c != '\0'; c++) {
        s_append_escaped(self, *c);
    }
    if (opened) {
        self->text[self->size++] = '"';
    }
}

static void
s_append_pair(line *self, const fl_log_pair *pair)
{
    char number[24];
    s_append_key(self, pair->key);
    if (pair->kind == FL_LOG_TEXT) {
        s_append_value(self, pair->text == NULL ? "" : pair->text);
    } else {
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)pair->u64);
        s_append_text(self, number);
    }
}

static rate *
s_rate_of(const char *id)
{
    for (uint32_t i = 0; i < state.rate_count; i++) {
        if (strcmp(state.rates[i].id, id) == 0) {
            return &state.rates[i];
        }
    }
    if (state.rate_count == IDS_MAX || strlen(id) >= NAME_MAX_BYTES) {
        return NULL;
    }
    rate *fresh = &state.rates[state.rate_count++];
    *fresh = (rate){ .opened = -FL_NEVER };
    s_copy(fresh->id, sizeof fresh->id, id);
    return fresh;
}

//  May a line of this id be shown now? `suppressed`: how many were not since the last one.
static bool
s_admit(const char *id, fl_time now, uint64_t *suppressed)
{
    rate *self = s_rate_of(id);
    *suppressed = 0;
    if (self == NULL) {
        return true; // unknown beyond the table: never limited
    }
    if (self->opened == -FL_NEVER || now - self->opened >= (fl_time)state.conf.window_ms) {
        self->opened = now;
        self->shown = 0;
    }
    if (self->shown == state.conf.burst) {
        self->suppressed++;
        return false;
    }
    self->shown++;
    *suppressed = self->suppressed;
    self->suppressed = 0;
    return true;
}

void
fl_log_setup(const fl_log_conf *conf)
{
    FL_ASSERT((unsigned)conf->least <= FL_LOG_DEBUG);
    s_lock();
    state.conf = *conf;
    state.conf.burst = conf->burst == 0 ? BURST : conf->burst;
    state.conf.window_ms = conf->window_ms == 0 ? WINDOW_MS : conf->window_ms;
    s_copy(state.tier, sizeof state.tier, conf->tier);
    s_copy(state.node, sizeof state.node, conf->node);
    memset(state.run, 0, sizeof state.run);
    state.track = 0;
    state.round = 0;
    state.rate_count = 0;
    s_unlock();
}

void
fl_log_set_node(const char *node)
{
    s_lock();
    s_copy(state.node, sizeof state.node, node);
    s_unlock();
}

void
fl_log_set_run(const fl_run *run)
{
    s_lock();
    fl_hex(run->bytes, RUN_SHOWN, state.run[state.track]);
    s_unlock();
}

void
fl_log_set_track(uint32_t track)
{
    s_lock();
    state.track = track;
    s_unlock();
}

void
fl_log_set_round(uint64_t round)
{
    s_lock();
    state.round = round;
    s_unlock();
}

bool
fl_log_wanted(fl_log_level level)
{
    return level <= state.conf.least;
}

//  Level to round: what every line begins with. The lock is held.
static void
s_append_context(line *self, fl_log_level level, const char *id)
{
    s_append_pair(self, &(fl_log_pair){ "level", FL_LOG_TEXT, { level_names[level] } });
    if (state.tier[0] != '\0') {
        s_append_pair(self, &(fl_log_pair){ "tier", FL_LOG_TEXT, { state.tier } });
    }
    if (state.node[0] != '\0') {
        s_append_pair(self, &(fl_log_pair){ "node", FL_LOG_TEXT, { state.node } });
    }
    s_append_pair(self, &(fl_log_pair){ "id", FL_LOG_TEXT, { id } });
    if (state.run[state.track][0] != '\0') {
        s_append_pair(self, &(fl_log_pair){ "run", FL_LOG_TEXT, { state.run[state.track] } });
    }
    fl_log_pair round = fl_log_u64("round", state.round);
    s_append_pair(self, &round);
}

void
fl_log_line(fl_log_level level, const char *id, const fl_log_pair *pairs)
{
    if (!fl_log_wanted(level)) {
        return;
    }
    line text = { .size = 0 };
    if (state.conf.stamp != NULL) {
        char stamp[32] = "";
        state.conf.stamp(stamp);
        fl_log_pair pair = fl_log_text("time", stamp);
        s_append_pair(&text, &pair);
    }
    fl_time now = state.conf.now == NULL ? 0 : state.conf.now();
    uint64_t suppressed = 0;
    s_lock();
    bool shown = state.conf.now == NULL || s_admit(id, now, &suppressed);
    if (shown) {
        s_append_context(&text, level, id);
    }
    s_unlock();
    if (!shown) {
        return;
    }
    if (suppressed > 0) {
        fl_log_pair pair = fl_log_u64("suppressed", suppressed);
        s_append_pair(&text, &pair);
    }
    for (; pairs->kind != FL_LOG_END; pairs++) {
        s_append_pair(&text, pairs);
    }
    const char *end = text.cut ? cut_mark : "\n";
    memcpy(text.text + text.size, end, strlen(end));
    text.size += strlen(end);
    if (state.conf.sink != NULL) {
        state.conf.sink(state.conf.sink_self, text.text, text.size);
    } else {
        (void)fwrite(text.text, 1, text.size, stderr);
    }
}
