//  fl rounds: a process answers in pages, the newest first; here they are one list, and summed up.
#include <inttypes.h>
#include <stdlib.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/render.h"
#include "cloud/fl/verbs.h"

#define VERB "rounds"

static int
s_by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static bool
s_done(const json_t *round)
{
    return leaf_is(round, "close", "done");
}

static void
s_put_whole(json_t *in, const char *key, uint64_t value)
{
    (void)json_object_set_new(in, key, json_integer((json_int_t)value));
}

//  Of all rows, under another key.
static void
s_put_total(json_t *in, const char *name, const json_t *rows, const char *key)
{
    uint64_t sum = 0;
    size_t index;
    json_t *row;
    json_array_foreach(rows, index, row)
    {
        sum += leaf_whole(row, key);
    }
    s_put_whole(in, name, sum);
}

//  The sums of both tiers over all rows, key by key.
static json_t *
s_tiers(const json_t *rows)
{
    json_t *both = json_object(), *row, *tier, *value;
    const char *name, *key;
    size_t index;
    json_array_foreach(rows, index, row)
    {
        json_object_foreach(json_object_get(row, "tiers"), name, tier)
        {
            if (json_object_get(both, name) == NULL) {
                (void)json_object_set_new(both, name, json_object());
            }
            json_t *sums = json_object_get(both, name);
            json_object_foreach(tier, key, value)
            {
                s_put_whole(sums, key, leaf_whole(sums, key) + leaf_whole(tier, key));
            }
        }
    }
    return both;
}

//  The one profile that all rounds had, or "mixed"; masked when every one of them was, and there
//  was a sum to be masked.
static void
s_sum_masking(json_t *in, const json_t *rows)
{
    bool same = true, masked = true, summed = false;
    json_t *row, *first = json_object_get(json_array_get(rows, 0), "masking");
    size_t index;
    json_array_foreach(rows, index, row)
    {
        same = same && json_equal(json_object_get(row, "masking"), first);
        masked = masked && leaf_true(row, "masked");
        summed = summed || s_done(row);
    }
    (void)json_object_set_new(in, "masking",
                              !same           ? json_string("mixed")
                              : first == NULL ? json_null()
                                              : json_incref(first));
    (void)json_object_set_new(in, "masked", json_boolean(summed && masked));
}

//  The rounds that were done, in one object: sums over their devices, the median merge, the newest
//  score: not every model has one.
static json_t *
s_summary(const json_t *rows)
{
    json_t *in = json_object(), *row;
    const json_t *newest = NULL;
    size_t index, done = 0;
    uint64_t *merge = calloc(json_array_size(rows) + 1, sizeof *merge);
    json_array_foreach(rows, index, row)
    {
        if (merge != NULL && s_done(row)) {
            merge[done++] = leaf_whole(row, "merge_ms");
            newest = json_is_number(json_object_get(row, "accuracy")) ? row : newest;
        }
    }
    if (merge != NULL) {
        qsort(merge, done, sizeof *merge, s_by_value);
    }
    s_put_whole(in, "rounds_done", done);
    s_put_total(in, "late_total", rows, "late");
    s_put_total(in, "carried_total", rows, "carried");
    s_put_total(in, "capped_total", rows, "capped");
    s_put_total(in, "absent_total", rows, "absent");
    s_put_total(in, "refused_total", rows, "refused");
    s_put_whole(in, "merge_ms_p50", done == 0 ? 0 : merge[done / 2]);
    free(merge);
    const char *const scores[][2] = { { "last_loss", "loss" }, { "last_accuracy", "accuracy" } };
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        json_t *score = json_object_get(newest, scores[i][1]);
        (void)json_object_set(in, scores[i][0], score == NULL ? json_null() : score);
    }
    (void)json_object_set_new(in, "tiers", s_tiers(rows));
    s_sum_masking(in, rows);
    return in;
}

//  Pages from the newest back into "rounds" of `whole`, until one is empty, begins where it should,
//  or `limit` is reached.
static int
s_collect(const fl_context *context, const fl_conf *conf, uint64_t first, json_t *whole)
{
    uint64_t before = (uint64_t)fl_conf_int(conf, "before");
    uint64_t limit = (uint64_t)fl_conf_int(conf, "limit");
    for (;;) {
        char numbers[64], argument[FL_TEXT_MAX];
        json_t *answer = NULL, *rows = json_object_get(whole, "rounds");
        uint64_t left = limit > 0 ? limit - json_array_size(rows) : 0;
        (void)snprintf(numbers, sizeof numbers, "%" PRIu64 " %" PRIu64 " %" PRIu64, first, before,
                       left);
        if (!fl_context_of_run(context, conf, VERB, numbers, argument)) {
            return FL_EXIT_USAGE;
        }
        int code = fl_context_answer(context, conf, VERB, argument, fl_bytes_of(NULL, 0), &answer);
        if (code != FL_EXIT_OK) {
            return code;
        }
        json_t *page = json_object_get(answer, "rounds");
        uint64_t oldest = leaf_whole(json_array_get(page, 0), "round"); // 0: the page is empty
        bool older = before == 0 || oldest < before;
        if (oldest > 0 && older) {
            (void)json_array_extend(page, rows);
            (void)json_object_set(whole, "rounds", page);
        }
        json_decref(answer);
        bool full = limit > 0 && json_array_size(json_object_get(whole, "rounds")) >= limit;
        if (full || !older || oldest <= 1 || oldest <= first) {
            return FL_EXIT_OK;
        }
        before = oldest;
    }
}

int
fl_verb_rounds(void *context, const fl_conf *conf)
{
    const fl_context *self = context;
    const char *from = fl_context_round(self, conf, VERB);
    if (from == NULL) {
        return FL_EXIT_USAGE;
    }
    json_t *whole = json_object();
    (void)json_object_set_new(whole, "rounds", json_array());
    int code = s_collect(self, conf, strtoull(from, NULL, 10), whole);
    if (code != FL_EXIT_OK) {
        json_decref(whole);
        return code;
    }
    if (fl_conf_bool(conf, "json")) {
        (void)json_object_set_new(whole, "summary", s_summary(json_object_get(whole, "rounds")));
    }
    fl_context_show(self, conf, &whole, fl_render_rounds);
    return code;
}
