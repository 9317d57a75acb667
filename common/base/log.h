//  log - one logfmt line per thing worth saying, with a stable id. Every line carries level, tier,
//  node, id, run and round; the caller adds typed pairs. Never a secret, a key or a tensor.
//
//      fl_log(FL_LOG_INFO, "round-close", fl_log_u64("heard", 38), fl_log_text("why", "full"));
//      level=info tier=edge node=e3 id=round-close run=1f2e round=7 heard=38 why=full
//
//  The same id is rate-limited; the next line that passes says how many were not shown. Any thread
//  may log; set-up comes before the second thread. A line is at most FL_LOG_LINE_MAX bytes and goes
//  to the sink in one call; what does not fit is cut and marked `cut=1`.
#ifndef FL_BASE_LOG_H
#define FL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/id.h"

enum { FL_LOG_LINE_MAX = 1024 };

//  error: wake someone. warn: look at it. info: about one a round. debug: everything.
typedef enum fl_log_level { FL_LOG_ERROR, FL_LOG_WARN, FL_LOG_INFO, FL_LOG_DEBUG } fl_log_level;

typedef struct fl_log_conf {
    const char *tier;   // "edge"; copied
    const char *node;   // "e3"; copied
    fl_log_level least; // what is less urgent is not made
    //  One finished line with its newline. NULL: standard error.
    void (*sink)(void *self, const char *line, size_t size);
    void *sink_self;
    //  Monotonic milliseconds; NULL: no rate limit.
    fl_time (*now)(void);
    //  Text of the wall clock for `time=`, at most 32 bytes; NULL: the line has none.
    void (*stamp)(char text[32]);
    uint32_t burst;     // lines of one id in one window; 0 means 20
    uint32_t window_ms; // 0 means 10 000
} fl_log_conf;

//  Start anew with these settings: no run, no round, nothing suppressed.
void fl_log_setup(const fl_log_conf *conf);
//  Context of every line from now on. A short prefix of the run's id is shown.
void fl_log_set_node(const char *node);
//  Of the track at hand; each has a run of its own, the first is at hand at first.
void fl_log_set_run(const fl_run *run);
void fl_log_set_track(uint32_t track);
void fl_log_set_round(uint64_t round);
//  False when a line of this level would not be made: skip the work of its pairs.
bool fl_log_wanted(fl_log_level level);

typedef enum fl_log_kind { FL_LOG_END, FL_LOG_TEXT, FL_LOG_U64 } fl_log_kind;

typedef struct fl_log_pair {
    const char *key; // [a-z_]+, a literal
    fl_log_kind kind;
    union {
        const char *text;
        uint64_t u64;
    };
} fl_log_pair;

static inline fl_log_pair
fl_log_text(const char *key, const char *text)
{
    return (fl_log_pair){ .key = key, .kind = FL_LOG_TEXT, .text = text };
}

static inline fl_log_pair
fl_log_u64(const char *key, uint64_t value)
{
    return (fl_log_pair){ .key = key, .kind = FL_LOG_U64, .u64 = value };
}

//  For a line whose id says it all: fl_log(FL_LOG_INFO, "stopped", fl_log_none()).
static inline fl_log_pair
fl_log_none(void)
{
    return (fl_log_pair){ .kind = FL_LOG_END };
}

#define fl_log(level, id, ...)                                                                     \
    fl_log_line((level), (id), (const fl_log_pair[]){ __VA_ARGS__, fl_log_none() })

//  What the macro calls: `pairs` ends with FL_LOG_END. `id` is a literal of [a-z0-9-]+.
void fl_log_line(fl_log_level level, const char *id, const fl_log_pair *pairs);

#endif
