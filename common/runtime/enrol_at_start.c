#include "common/runtime/enrol_at_start.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/start.h"
#include "common/identity/state_dir.h"
#include "common/net/context.h"

enum { LOOK_MS = 200, SAY_MS = 10 * 1000 };

// ---- waiting ----------------------------------------------------------------------------------
fl_status
fl_enrol_at_start_wait(const fl_conf *conf, fl_stop *stop, const char *path, fl_why *why)
{
    const fl_time wait = fl_conf_ms(conf, "start.wait");
    fl_time now = fl_clock_ms(), until = now + wait, said = now - SAY_MS;
    fl_start_step("waiting for a file", FL_START_SHORT_S + (uint32_t)(wait / 1000));
    while (access(path, R_OK) != 0) {
        now = fl_clock_ms();
        if (now >= until) {
            return fl_fail(FL_MISSING, why,
                           "%s is not there: %s; check the path, or wait longer (start.wait)", path,
                           strerror(errno));
        }
        if (now - said >= SAY_MS) {
            said = now;
            fl_log(FL_LOG_INFO, "waiting", fl_log_text("for", path),
                   fl_log_u64("seconds_left", (uint64_t)(until - now + 999) / 1000));
        }
        if (!fl_stop_pause(stop, LOOK_MS)) {
            return fl_fail(FL_MISSING, why, "stopped while waiting for %s", path);
        }
    }
    return FL_OK;
}

// ---- what an enrolment uses of the world ------------------------------------------------------
typedef struct joining {
    fl_stop *stop;
    fl_request *inquiry; // the last one: its answer is still looked at
} joining;

static fl_status
s_ask(void *arg, const fl_request_conf *to, const fl_message *question, fl_verb answer,
      uint32_t timeout_ms, fl_message *reply, fl_bytes *body, fl_why *why)
{
    joining *self = arg;
    fl_request_destroy(&self->inquiry);
    self->inquiry = fl_request_new(to, why);
    return self->inquiry == NULL
               ? FL_IO
               : fl_request_ask(self->inquiry, question, answer, timeout_ms, reply, body, why);
}

static bool
s_let_pass(void *arg, uint32_t ms)
{
    const joining *self = arg;
    return fl_stop_pause(self->stop, ms);
}

static void
s_say(void *arg, const char *line)
{
    (void)arg;
    fl_log(FL_LOG_INFO, "waiting", fl_log_text("for", line));
}

// ---- joining ----------------------------------------------------------------------------------
static fl_status
s_name(const fl_enrol_at_start_conf *conf, fl_name *node, fl_why *why)
{
    char name[FL_CONF_TEXT_MAX + 16];
    const char *wanted = fl_conf_text(conf->conf, "join.name");
    if (conf->slotted) {
        (void)snprintf(name, sizeof name, "%s%02u", wanted, conf->slot);
    } else {
        (void)snprintf(name, sizeof name, "%s", wanted);
    }
    if (!fl_name_parse(name, node)) {
        return fl_fail(FL_RANGE, why,
                       "join.name: '%.40s' is no node name: 1 to 15 characters of a-z 0-9 . -",
                       name);
    }
    return FL_OK;
}

static bool
s_enrolled(const char *state)
{
    uint8_t bytes[FL_CERT_BYTES];
    return fl_state_dir_cert_load(state, bytes, NULL) == FL_OK;
}

//  What a first enrolment needs may be made by somebody who starts when we do.
static int
s_await(const fl_enrol_at_start_conf *conf, const fl_enrol_client_conf *how, fl_why *why)
{
    fl_why missing;
    if (how->parent[0] != '\0' &&
        fl_enrol_at_start_wait(conf->conf, conf->stop, how->parent, why) != FL_OK) {
        return FL_EXIT_STATE_DIR;
    }
    if (fl_enrol_at_start_wait(conf->conf, conf->stop, how->token, &missing) != FL_OK) {
        fl_why_set(why, "no token: %s", missing.text);
        return FL_EXIT_NO_TOKEN;
    }
    return FL_EXIT_OK;
}

static fl_status
s_join(const fl_enrol_at_start_conf *conf, const fl_enrol_client_conf *how, fl_why *why)
{
    joining self = { .stop = conf->stop };
    const fl_enrol_client_world world = { .in = stdin,
                                          .entropy = fl_entropy_os(),
                                          .wall_s = fl_clock_wall_s,
                                          .now_ms = fl_clock_ms,
                                          .self = &self,
                                          .ask = s_ask,
                                          .pause = s_let_pass,
                                          .say = s_say };
    fl_enrol_client result;
    const bool enrolled = s_enrolled(conf->state);
    int code = enrolled ? FL_EXIT_OK : s_await(conf, how, why);
    if (code == FL_EXIT_OK) {
        fl_start_step("joining", FL_START_SHORT_S + (how->wait_ms + FL_ENROL_RENEW_MS) / 1000);
        code = fl_enrol_client_join(how, &world, &result, why);
    }
    if (code == FL_EXIT_OK) {
        fl_log(FL_LOG_INFO, "enrolled", fl_log_text("name", result.cert.node.name),
               fl_log_text("how", result.how));
    }
    fl_request_destroy(&self.inquiry);
    //  One that has ended, by a clock that may be wrong: it goes on with that, says so and asks
    //  again.
    return code == FL_EXIT_OK || (enrolled && code == FL_EXIT_EXPIRED) ? FL_OK : FL_DENIED;
}

fl_status
fl_enrol_at_start_join(const fl_enrol_at_start_conf *conf, fl_why *why)
{
    fl_enrol_client_conf how = { .state = conf->state,
                                 .locked = true,
                                 .role = conf->role,
                                 .token = fl_conf_text(conf->conf, "join.token"),
                                 .lines = true,
                                 .line = conf->slot,
                                 .endpoint = fl_conf_text(conf->conf, "join.endpoint"),
                                 .parent = fl_conf_text(conf->conf, "join.parent"),
                                 .wait_ms = (uint32_t)fl_conf_ms(conf->conf, "join.wait") };
    if (how.token[0] == '\0') {
        return FL_OK;
    }
    FL_TRY(s_name(conf, &how.node, why));
    FL_TRY(fl_net_open(1, why));
    fl_status status = s_join(conf, &how, why);
    fl_net_close();
    return status;
}
