#include "common/host/health.h"

#include <stdio.h>

#include "common/host/home.h"
#include "common/net/context.h"
#include "common/net/inquiry.h"

enum { HEALTH_MS = 3000, SAID_MAX = 200 };

static fl_status
s_ask(const char *endpoint, fl_why *why)
{
    const fl_inquiry_conf to = { .endpoint = endpoint };
    const fl_message question = { .verb = FL_ASK, .ask = { .verb = "health" } };
    fl_message reply;
    fl_bytes body = { 0 };
    fl_inquiry *inquiry = fl_inquiry_new(&to, why);
    if (inquiry == NULL) {
        return FL_IO;
    }
    fl_status status = fl_inquiry_ask(inquiry, &question, FL_ANSWER, HEALTH_MS, &reply, &body, why);
    int length = (int)(body.size < SAID_MAX ? body.size : SAID_MAX);
    if (status == FL_OK && reply.verb == FL_ANSWER && reply.answer.code == 0) {
        (void)printf("%.*s\n", length, (const char *)body.data);
    } else if (status == FL_OK) {
        fl_why_set(why, "it is not well: %.*s", length, (const char *)body.data);
        status = FL_IO;
    }
    fl_inquiry_destroy(&inquiry);
    return status;
}

fl_status
fl_health_ask(const char *state, fl_why *why)
{
    char path[FL_HOME_PATH_MAX], endpoint[FL_HOME_PATH_MAX + 8];
    fl_status status = fl_home_path(state, FL_HOME_OPERATOR, path, why);
    if (status == FL_OK) {
        status = fl_net_open(1, why);
    }
    if (status != FL_OK) {
        return status;
    }
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    status = s_ask(endpoint, why);
    fl_net_close();
    return status;
}
