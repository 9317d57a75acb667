//  fl enrol: a newcomer joins with a token, or renews the certificate that it has.
#include <string.h>

#include "cloud/fl/verbs.h"
#include "common/config/clock.h"
#include "common/identity/enrol_client.h"
#include "common/identity/state_dir.h"

#define VERB "enrol"

static void
s_show(const fl_context *console, const char *state, const fl_enrol_client *result, bool json)
{
    const fl_cert *cert = &result->cert;
    char date[32];
    fl_clock_date(cert->not_after, date);
    if (json) {
        json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "node", cert->node.name,
                                   "role", fl_role_name(cert->role), "state", state, "how",
                                   result->how, "serial", (json_int_t)cert->serial, "not_after",
                                   (json_int_t)cert->not_after);
        if (result->lease.shards > 0) {
            (void)json_object_set_new(answer, "shard", json_integer(result->lease.shard));
            (void)json_object_set_new(answer, "shards", json_integer(result->lease.shards));
        }
        fl_context_print(console, &answer);
        return;
    }
    (void)fprintf(console->out, "%s as %s (%s) until %s", result->how, cert->node.name,
                  fl_role_name(cert->role), date);
    if (result->lease.shards > 0) {
        (void)fprintf(console->out, ", with data shard %u of %u", result->lease.shard,
                      result->lease.shards);
    }
    (void)fputc('\n', console->out);
}

static void
s_say(void *arg, const char *line)
{
    const fl_context *console = arg;
    (void)fprintf(console->err, "fl " VERB ": %s\n", line);
}

//  The console's functions get its own `self`, ours get the console.
static fl_status
s_ask(void *arg, const fl_request_conf *to, const fl_message *question, fl_verb answer,
      uint32_t timeout_ms, fl_message *reply, fl_bytes *body, fl_why *why)
{
    const fl_context *console = arg;
    return console->ask(console->self, to, question, answer, timeout_ms, reply, body, why);
}

static bool
s_pause(void *arg, uint32_t ms)
{
    const fl_context *console = arg;
    return console->pause(console->self, ms);
}

int
fl_verb_enrol(void *context, const fl_conf *conf)
{
    fl_context *console = context;
    fl_enrol_client_conf how = { .state = fl_context_state(console, conf, VERB),
                                 .role = fl_conf_choice(conf, "role") == 0 ? FL_ROLE_DEVICE
                                                                           : FL_ROLE_EDGE,
                                 .token = fl_conf_text(conf, "token.file"),
                                 .endpoint = fl_conf_text(conf, "endpoint"),
                                 .parent = fl_conf_text(conf, "parent.cert"),
                                 .wait_ms = (uint32_t)fl_conf_ms(conf, "wait"),
                                 .next_keys = fl_conf_bool(conf, "new.keys") };
    const fl_enrol_client_world world = { .in = console->in,
                                          .entropy = console->entropy,
                                          .wall_s = console->wall_s,
                                          .now_ms = console->now_ms,
                                          .self = console,
                                          .ask = s_ask,
                                          .pause = s_pause,
                                          .say = s_say };
    bool renew = fl_conf_bool(conf, "renew");
    fl_enrol_client result;
    fl_why why = { "" };
    if (how.state == NULL) {
        return FL_EXIT_USAGE;
    }
    fl_status status = fl_state_dir_open(how.state, &why);
    if (status != FL_OK) {
        return fl_context_fail(console, VERB, fl_context_code(status), "%s", why.text);
    }
    FL_ASSERT(renew || fl_name_parse(fl_conf_text(conf, "node"), &how.node));
    int code = renew ? fl_enrol_client_renew(&how, &world, &result, &why)
                     : fl_enrol_client_join(&how, &world, &result, &why);
    if (code != FL_EXIT_OK) {
        return fl_context_fail(console, VERB, code, "%s", why.text);
    }
    s_show(console, how.state, &result, fl_conf_bool(conf, "json"));
    return result.already ? fl_context_fail(console, VERB, FL_EXIT_EXISTS,
                                            "nothing was changed: --renew gets the next "
                                            "certificate; to join through another parent, remove "
                                            "%s/" FL_STATE_CERT " first",
                                            how.state)
                          : FL_EXIT_OK;
}

fl_status
fl_check_enrol(const fl_conf *conf, fl_why *why)
{
    const char *endpoint = fl_conf_text(conf, "endpoint");
    fl_name node;
    fl_endpoint place;
    if (endpoint[0] != '\0' && !fl_endpoint_parse_remote(endpoint, &place)) {
        return fl_fail(FL_RANGE, why, "--endpoint: " FL_ENDPOINT_REFUSED, endpoint,
                       FL_ENDPOINT_LENGTH_MAX);
    }
    if (fl_conf_bool(conf, "renew")) {
        return FL_OK;
    }
    if (fl_conf_bool(conf, "new.keys")) {
        return fl_fail(FL_MISMATCH, why,
                       "--new-keys goes with --renew: a first enrolment makes keys anyway");
    }
    if (!fl_name_parse(fl_conf_text(conf, "node"), &node)) {
        return fl_fail(FL_MISSING, why,
                       "--node: give the name to take, 1 to 15 characters of a-z 0-9 . -");
    }
    return FL_OK;
}
