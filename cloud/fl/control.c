//  fl revoke, admit, token revoke, stop, health: one question, one line.
#include "cloud/fl/verbs.h"

//  The text that the process said, or all of it as JSON.
static int
s_order(const fl_context *context, const fl_conf *conf, const char *verb, const char *argument)
{
    json_t *answer = NULL;
    int code = fl_context_answer(context, conf, verb, argument, &answer);
    if (code != FL_EXIT_OK) {
        return code;
    }
    const char *said = json_string_value(json_object_get(answer, "said"));
    if (fl_conf_bool(conf, "json") || said == NULL) {
        fl_context_print(context, &answer);
    } else {
        (void)fprintf(context->out, "%s\n", said);
    }
    json_decref(answer);
    return FL_EXIT_OK;
}

static int
s_node_order(const fl_context *context, const fl_conf *conf, const char *verb)
{
    const char *name = fl_conf_argument(conf, 0);
    fl_name node;
    if (!fl_name_parse(name, &node)) {
        return fl_context_fail(context, verb, FL_EXIT_USAGE,
                               "'%.40s' is no node name: 1 to 15 characters of a-z 0-9 . -", name);
    }
    return s_order(context, conf, verb, node.name);
}

int
fl_verb_revoke(void *context, const fl_conf *conf)
{
    return s_node_order(context, conf, "revoke");
}

int
fl_verb_admit(void *context, const fl_conf *conf)
{
    return s_node_order(context, conf, "admit");
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
    return s_order(context, conf, "token-revoke", fl_conf_argument(conf, 0));
}
