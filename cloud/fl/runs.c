//  fl run settings, list, show, watch, set, pause, resume, stop.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/render.h"
#include "cloud/fl/verbs.h"
#include "cloud/run_settings.h"

enum { ASK_MS = 5000, LOOK_MS = 500 };

// ---- settings ---------------------------------------------------------------------------------
//  What `fl run submit` takes as it is, and does what it does without a line.
static void
s_print_setting(const fl_setting *setting, FILE *out)
{
    const char *before = setting->type == FL_CONF_TEXT      ? "\""
                         : setting->type == FL_CONF_NUMBERS ? "["
                                                            : "";
    const char *behind = *before == '[' ? "]" : before;
    (void)fprintf(out, "# %s%s%s\n", setting->help, setting->choices == NULL ? "" : ": ",
                  setting->choices == NULL ? "" : setting->choices);
    if (setting->fallback == NULL) {
        (void)fprintf(out, "# %s: must be given\n", setting->key);
    } else {
        (void)fprintf(out, "%s: %s%s%s\n", setting->key, before, setting->fallback, behind);
    }
}

//  For a page of the manual.
static void
s_print_roff(const fl_setting *setting, FILE *out)
{
    (void)fprintf(out, ".TP\n.B %s\n%s%s%s.\n", setting->key, setting->help,
                  setting->choices == NULL ? "" : ": ",
                  setting->choices == NULL ? "" : setting->choices);
    if (setting->fallback == NULL) {
        (void)fprintf(out, "Must be given.\n");
    } else {
        (void)fprintf(out, "Default: %s.\n",
                      setting->fallback[0] == '\0' ? "none" : setting->fallback);
    }
}

int
fl_verb_run_settings(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    const bool json = fl_conf_bool(conf, "json"), roff = fl_conf_bool(conf, "roff");
    json_t *all = json_object();
    for (uint32_t i = 0; i < fl_run_program.setting_count; i++) {
        const fl_setting *setting = &fl_run_program.settings[i];
        (void)json_object_set_new(
            all, setting->key,
            json_pack("{ss?,ss}", "default", setting->fallback, "help", setting->help));
        if (!json) {
            (roff ? s_print_roff : s_print_setting)(setting, context->out);
        }
    }
    if (json) {
        fl_context_print(context, &all);
    }
    json_decref(all);
    return FL_EXIT_OK;
}

// ---- looking ----------------------------------------------------------------------------------
static const char *
s_run(const fl_conf *conf)
{
    const char *run = fl_conf_argument(conf, 0);
    return run == NULL ? "" : run;
}

//  Page after page into one list.
int
fl_verb_run_list(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    json_t *whole = NULL, *page = NULL;
    char first[32] = "";
    do {
        int code = fl_context_answer(context, conf, "run list", first, fl_bytes_of(NULL, 0), &page);
        if (code != FL_EXIT_OK) {
            json_decref(whole);
            return code;
        }
        uint64_t next = leaf_whole(page, "next");
        (void)snprintf(first, sizeof first, "%" PRIu64, next);
        if (whole == NULL) {
            whole = page;
        } else {
            (void)json_array_extend(json_object_get(whole, "runs"), json_object_get(page, "runs"));
            json_decref(page);
        }
        page = next == 0 ? NULL : whole;
    } while (page != NULL);
    (void)json_object_del(whole, "next");
    fl_context_show(context, conf, &whole, fl_render_runs);
    return FL_EXIT_OK;
}

int
fl_verb_run_show(void *context, const fl_conf *conf)
{
    return fl_context_ask_and_show(context, conf, "run show", s_run(conf), fl_bytes_of(NULL, 0),
                                   fl_render_run);
}

// ---- watching ---------------------------------------------------------------------------------
//  The events of one answer; the newest sequence number into `*after`.
static void
s_print_events(const fl_context *context, const json_t *events, bool json, uint64_t *after)
{
    char line[FL_RENDER_LINE_BYTES];
    size_t index;
    json_t *event;
    json_array_foreach(events, index, event)
    {
        *after = leaf_whole(event, "seq");
        if (json) {
            json_t *own = json_incref(event);
            fl_context_print(context, &own);
        } else {
            fl_render_event(event, line);
            (void)fprintf(context->out, "%s\n", line);
        }
    }
    (void)fflush(context->out);
}

int
fl_run_code(const json_t *run, bool done)
{
    return !done                             ? FL_EXIT_ABORTED
           : leaf_is(run, "reason", "skipped") ? FL_EXIT_SKIPPED
                                               : FL_EXIT_OK;
}

//  The exit code of a run that has ended, and its line when it did not end well.
static int
s_end(const fl_context *context, const char *verb, const json_t *run)
{
    const int code = fl_run_code(run, leaf_is(run, "state", "done"));
    if (code == FL_EXIT_OK) {
        return code;
    }
    const char *text = leaf_text(run, "text");
    return fl_context_fail(context, verb, code, "run %" PRIu64 " (%s) %s %s%s%s",
                           leaf_whole(run, "number"), leaf_text(run, "name"),
                           code == FL_EXIT_SKIPPED ? "is" : "was", leaf_text(run, "state"),
                           text[0] == '\0' ? "" : ": ", text);
}

int
fl_run_follow(const fl_context *context, const char *state, const char *verb, const char *run,
              uint32_t patience_ms, bool json)
{
    char argument[FL_TEXT_MAX];
    fl_time heard = context->now_ms();
    uint64_t after = 0;
    bool more = false;
    do {
        json_t *answer = NULL;
        fl_why why = { "" };
        (void)snprintf(argument, sizeof argument, "%" PRIu64 " %.64s", after, run);
        int code = fl_context_ask(context, state, "run-watch", argument, ASK_MS, &answer, &why);
        bool silent = code == FL_EXIT_SILENT || code == FL_EXIT_BUSY;
        if (code != FL_EXIT_OK && (!silent || context->now_ms() - heard >= patience_ms)) {
            return fl_context_fail(context, verb, code, "%s", why.text);
        }
        if (code == FL_EXIT_OK) {
            const json_t *about = json_object_get(answer, "run");
            heard = context->now_ms();
            s_print_events(context, json_object_get(answer, "events"), json, &after);
            more = !json_is_null(json_object_get(answer, "next"));
            code = !more && leaf_true(about, "ended") ? s_end(context, verb, about) : -1;
            json_decref(answer);
            if (code >= 0) {
                return code;
            }
        }
        if (ferror(context->out)) {
            return FL_EXIT_FAILED; // whoever read us is gone
        }
    } while (more || context->pause(context->self, LOOK_MS));
    return FL_EXIT_OK;
}

int
fl_verb_run_watch(void *arg, const fl_conf *conf)
{
    static const char verb[] = "run watch";
    const fl_context *context = arg;
    const char *state = fl_context_state(context, conf, verb);
    char run[2 * sizeof(fl_run) + 1];
    json_t *answer = NULL;
    fl_why why = { "" };
    if (state == NULL) {
        return FL_EXIT_USAGE;
    }
    if (context->watch(context->self, &why) != FL_OK) {
        return fl_context_fail(context, verb, FL_EXIT_FAILED, "%s", why.text);
    }
    //  Once and for all: «the newest» may be another one soon.
    int code = fl_context_ask(context, state, "run-show", s_run(conf), ASK_MS, &answer, &why);
    if (code != FL_EXIT_OK) {
        return fl_context_fail(context, verb, code, "%s", why.text);
    }
    (void)snprintf(run, sizeof run, "%s", leaf_text(answer, "run"));
    json_decref(answer);
    return fl_run_follow(context, state, verb, run, (uint32_t)fl_conf_ms(conf, "wait"),
                         fl_conf_bool(conf, "json"));
}

// ---- changing ---------------------------------------------------------------------------------
static int
s_order(const fl_context *context, const fl_conf *conf, const char *verb, fl_bytes body)
{
    return fl_context_ask_and_show(context, conf, verb, s_run(conf), body, fl_context_said);
}

int
fl_verb_run_set(void *context, const fl_conf *conf)
{
    const char *set = fl_conf_argument(conf, 1);
    return s_order(context, conf, "run set", fl_bytes_of(set, strlen(set)));
}

int
fl_verb_run_pause(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "run pause", fl_bytes_of(NULL, 0));
}

int
fl_verb_run_resume(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "run resume", fl_bytes_of(NULL, 0));
}

int
fl_verb_run_stop(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "run stop", fl_bytes_of(NULL, 0));
}
