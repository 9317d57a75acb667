//  fl revoke, admit, forget, token revoke, stop, health: one question, one line.
#include <inttypes.h>

#include "cloud/fl/verbs.h"

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
