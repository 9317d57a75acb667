//  fl revoke, admit, forget, token revoke, stop, health, approve: one question, one line; and fl
//  drain.
#include <inttypes.h>

#include "cloud/fl/json_read.h"
#include "cloud/fl/render.h"
#include "cloud/fl/verbs.h"

enum { LOOK_MS = 100 };

static int
s_order(const fl_context *context, const fl_conf *conf, const char *verb, const char *argument)
{
    return fl_context_ask_and_show(context, conf, verb, argument, fl_bytes_of(NULL, 0),
                                   fl_context_said);
}

//  The node of the argument; `serial`: of which certificate, 0: of all; `any`: known or not.
static int
s_node_order(const fl_context *context, const fl_conf *conf, const char *verb, int64_t serial,
             bool any)
{
    const char *name = fl_conf_argument(conf, 0);
    char argument[FL_TEXT_MAX];
    fl_name node;
    if (!fl_name_parse(name, &node)) {
        return fl_context_fail(context, verb, FL_EXIT_USAGE,
                               "'%.40s' is no node name: 1 to 15 characters of a-z 0-9 . -", name);
    }
    (void)snprintf(argument, sizeof argument, "%s %" PRId64 "%s", node.name, serial,
                   any ? " any" : "");
    return s_order(context, conf, verb, argument);
}

int
fl_verb_revoke(void *context, const fl_conf *conf)
{
    return s_node_order(context, conf, "revoke", fl_conf_int(conf, "serial"),
                        fl_conf_bool(conf, "force"));
}

int
fl_verb_admit(void *context, const fl_conf *conf)
{
    return s_node_order(context, conf, "admit", fl_conf_int(conf, "serial"), false);
}

int
fl_verb_forget(void *context, const fl_conf *conf)
{
    return s_node_order(context, conf, "forget", 0, false);
}

int
fl_verb_stop(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "stop", "");
}

int
fl_verb_health(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "health", "");
}

int
fl_verb_token_revoke(void *context, const fl_conf *conf)
{
    return s_order(context, conf, "token revoke", fl_conf_argument(conf, 0));
}

//  An order, or a question whether there is such a node, of which only the exit code counts.
static int
s_tell(const fl_context *context, const fl_conf *conf, const char *verb, const char *argument)
{
    json_t *answer = NULL;
    int code = fl_context_answer(context, conf, verb, argument, fl_bytes_of(NULL, 0), &answer);
    json_decref(answer);
    return code;
}

//  Where a drain stands.
static void
s_drains(const json_t *status, uint32_t width, FILE *out)
{
    char left[FL_RENDER_TEXT_BYTES];
    (void)width;
    if (leaf_is(status, "phase", "drained")) {
        (void)fprintf(out, "drained: safe to stop\n");
    } else {
        (void)fprintf(out, "draining: about %s, until its round is closed\n",
                      fl_render_ms(leaf_whole(status, "left_ms"), left));
    }
    (void)fflush(out);
}

//  Of a node below a root: what its parent said of it last. One that is below an edge takes part in
//  no round that was opened after it was told. NULL: it is not here to be told.
static const char *
s_phase_of(const json_t *status, const char *name)
{
    const char *phase = leaf_true(status, "busy") ? "draining" : "drained";
    const json_t *child, *entry;
    size_t i, k;
    json_array_foreach(json_object_get(status, "children"), i, child)
    {
        const bool rests = leaf_true(child, "rests"), here = leaf_true(child, "present");
        if (leaf_is(child, "node", name)) {
            return !here && !rests                               ? NULL
                   : !here || leaf_is(child, "activity", "rest") ? "drained"
                                                                 : "draining";
        }
        json_array_foreach(json_object_get(child, "below"), k, entry)
        {
            bool drained = leaf_is(entry, "node", name) && leaf_is(entry, "reason", "drain");
            phase = drained ? "drained" : phase;
        }
    }
    return phase;
}

//  Where the drain stands. Of a node by name the root is asked.
static int
s_look(const fl_context *context, const fl_conf *conf, const char *name, json_t **answer)
{
    int code = fl_context_answer(context, conf, "status", "", fl_bytes_of(NULL, 0), answer);
    if (code != FL_EXIT_OK || name[0] == '\0') {
        return code;
    }
    const char *phase = s_phase_of(*answer, name);
    json_t *of = json_pack("{s:s, s:s?, s:I}", "node", name, "phase", phase, "left_ms",
                           (json_int_t)leaf_whole(*answer, "left_ms"));
    json_decref(*answer);
    *answer = of;
    return phase != NULL ? FL_EXIT_OK
                         : fl_context_fail(context, "drain", FL_EXIT_MISSING,
                                           "%s is away and was not told", name);
}

//  Said at once, and when nothing is in hand any more. A name is told again with each look.
int
fl_verb_drain(void *arg, const fl_conf *conf)
{
    const fl_context *context = arg;
    const fl_time wait_ms = (fl_time)fl_conf_ms(conf, "wait"), began = context->now_ms();
    const char *argument = fl_conf_argument(conf, 0), *name = argument == NULL ? "" : argument;
    char undo[FL_TEXT_MAX];
    json_t *answer = NULL;
    fl_why why;
    bool said = false, drained = false;
    if (fl_conf_bool(conf, "undo")) {
        (void)snprintf(undo, sizeof undo, "undo%s%.40s", name[0] == '\0' ? "" : " ", name);
        return s_order(context, conf, "drain", undo);
    }
    if (context->watch(context->self, &why) != FL_OK) {
        return fl_context_fail(context, "drain", FL_EXIT_FAILED, "%s", why.text);
    }
    int code = name[0] == '\0' ? FL_EXIT_OK : s_tell(context, conf, "certificate", name);
    while (code == FL_EXIT_OK && !drained) {
        code = said && name[0] == '\0' ? code : s_tell(context, conf, "drain", name);
        code = code != FL_EXIT_OK ? code : s_look(context, conf, name, &answer);
        drained = code == FL_EXIT_OK && leaf_is(answer, "phase", "drained");
        if (code == FL_EXIT_OK && (drained || !said)) {
            fl_context_show(context, conf, &answer, s_drains);
        }
        json_decref(answer);
        answer = NULL;
        said = true;
        if (!drained &&
            (context->now_ms() - began >= wait_ms || !context->pause(context->self, LOOK_MS))) {
            break;
        }
    }
    return code == FL_EXIT_OK && !drained && wait_ms > 0 ? FL_EXIT_FAILED : code;
}

int
fl_verb_approve(void *context, const fl_conf *conf)
{
    const char *hash = fl_conf_argument(conf, 0);
    return s_order(context, conf, "approve", hash == NULL ? "" : hash);
}
