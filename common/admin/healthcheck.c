#include "common/admin/healthcheck.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/config/lock.h"
#include "common/identity/state_dir.h"
#include "common/net/context.h"
#include "common/net/request.h"

enum { HEALTH_MS = 3000, SAID_MAX = 200 };

static fl_status
s_ask(const char *endpoint, fl_why *why)
{
    const fl_request_conf to = { .endpoint = endpoint };
    const fl_message question = { .verb = FL_ASK, .ask = { .verb = "health" } };
    fl_message reply;
    fl_bytes body = { 0 };
    fl_request *inquiry = fl_request_new(&to, why);
    if (inquiry == NULL) {
        return FL_IO;
    }
    fl_status status = fl_request_ask(inquiry, &question, FL_ANSWER, HEALTH_MS, &reply, &body, why);
    int length = (int)(body.size < SAID_MAX ? body.size : SAID_MAX);
    if (status == FL_OK && reply.verb == FL_ANSWER && reply.answer.code == 0) {
        (void)printf("%.*s\n", length, (const char *)body.data);
    } else if (status == FL_OK) {
        status = fl_fail(FL_IO, why, "it is not well: %.*s", length, (const char *)body.data);
    }
    fl_request_destroy(&inquiry);
    return status;
}

//  A socket file that a dead process left, or none.
static bool
s_listens(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) {
        return true; // the question will tell
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return listens;
}

fl_status
fl_healthcheck_ask(const char *state, const char *program, fl_why *why)
{
    char path[FL_STATE_PATH_MAX], endpoint[FL_STATE_PATH_MAX + 8];
    FL_TRY(fl_state_dir_path(state, FL_STATE_OPERATOR, path, why));
    if (!s_listens(path)) {
        if (fl_lock_ours(state, program)) {
            (void)puts("{\"ok\":true,\"said\":\"it is starting; its log says what it waits for\"}");
            return FL_OK;
        }
        return fl_fail(FL_MISSING, why, "no %s runs in %s", program, state);
    }
    FL_TRY(fl_net_open(1, why));
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    fl_status status = s_ask(endpoint, why);
    fl_net_close();
    return status;
}
