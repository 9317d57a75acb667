#include "common/net/zap.h"

#include <czmq.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/net/socket.h"

struct fl_zap {
    zsock_t *sock;    // REP: one request, one reply
    fl_zap_admits *admits;
    void *arg;
};

static const char *const address = "inproc://zeromq.zap.01"; // given by the protocol

fl_zap *
fl_zap_new(fl_zap_admits *admits, void *arg, fl_why *why)
{
    fl_zap *self = calloc(1, sizeof *self);
    zsock_t *sock = zsock_new(ZMQ_REP);
    if (self == NULL || sock == NULL || zsock_bind(sock, "%s", address) != 0) {
        fl_why_set(why, "net: cannot bind the authentication handler: %s; there is one per process",
                   zmq_strerror(zmq_errno()));
        free(self);
        zsock_destroy(&sock);
        return NULL;
    }
    self->sock = sock;
    self->admits = admits;
    self->arg = arg;
    return self;
}

void
fl_zap_destroy(fl_zap **self_p)
{
    fl_zap *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        zsock_unbind(self->sock, "%s", address); // closing frees the address only some time later
        zsock_destroy(&self->sock);
        free(self);
    }
}

void *
fl_zap_handle(fl_zap *self)
{
    return zsock_resolve(self->sock);
}

//  A lane's domain is its name. FL_WAYS: not one of ours.
static fl_way
s_way(zframe_t *domain)
{
    for (unsigned way = FL_WAY_CONTROL; way <= FL_WAY_DOWN; way++) {
        if (zframe_streq(domain, fl_label_word(FL_LABEL_lane, way))) {
            return (fl_way)way;
        }
    }
    return FL_WAYS;
}

//  Request frames: version, request id, domain, address, identity (the server's own, not the
//  peer's), mechanism, credentials.
static fl_zap_verdict
s_judge(fl_zap *self, zmsg_t *request, fl_time now, char user[2 * FL_KEY_BYTES + 1])
{
    zframe_t *frames[7] = { NULL };
    size_t count = 0;
    for (zframe_t *f = zmsg_first(request); f != NULL && count < 7; f = zmsg_next(request)) {
        frames[count++] = f;
    }
    user[0] = '\0';
    if (zmsg_size(request) != 7 || !zframe_streq(frames[0], "1.0") ||
        s_way(frames[2]) == FL_WAYS || !zframe_streq(frames[5], "CURVE") ||
        zframe_size(frames[6]) != FL_KEY_BYTES) {
        return FL_ZAP_DENY;
    }
    fl_hex(zframe_data(frames[6]), FL_KEY_BYTES, user);
    return self->admits(self->arg, s_way(frames[2]), zframe_data(frames[6]), now);
}

//  Reply frames: version, request id, status, text, user id, metadata.
static void
s_reply(fl_zap *self, zmsg_t *request, fl_zap_verdict verdict, const char *user)
{
    static const char *const codes[] = {
        [FL_ZAP_ADMIT] = "200", [FL_ZAP_LATER] = "300", [FL_ZAP_DENY] = "400"
    };
    zmsg_first(request);
    zframe_t *id = zmsg_next(request);
    zmsg_t *reply = zmsg_new();
    zmsg_addstr(reply, "1.0");
    zmsg_addmem(reply, id != NULL ? zframe_data(id) : NULL, id != NULL ? zframe_size(id) : 0);
    zmsg_addstr(reply, codes[verdict]);
    zmsg_addstr(reply, verdict == FL_ZAP_ADMIT ? "OK" : "denied");
    zmsg_addstr(reply, verdict == FL_ZAP_ADMIT ? user : "");
    zmsg_addmem(reply, NULL, 0);
    if (zmsg_send(&reply, self->sock) != 0) {
        zmsg_destroy(&reply); // the connection that asked is gone
    }
}

void
fl_zap_serve(fl_zap *self, unsigned max, fl_time now)
{
    for (unsigned i = 0; i < max && (zsock_events(self->sock) & ZMQ_POLLIN) != 0; i++) {
        zmsg_t *request = zmsg_recv(self->sock);
        if (request == NULL) {
            break;
        }
        char user[2 * FL_KEY_BYTES + 1];
        const fl_zap_verdict verdict = s_judge(self, request, now, user);
        s_reply(self, request, verdict, user);
        zmsg_destroy(&request);
    }
}
