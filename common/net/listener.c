#include "common/net/listener.h"

#include <string.h>

enum { SLACK_BYTES = 4096 };

//  Control frames are small; nothing but a chunk or a piece is as large as a message may be.
static fl_socket_conf
s_link_conf(const fl_listener_conf *conf, fl_way way)
{
    const int bulk = conf->bulk_queue > 0 ? conf->bulk_queue : FL_BULK_QUEUE;
    fl_socket_conf link = { .kind = FL_SOCKET_ROUTER, .queue = bulk, .keys = conf->keys,
                            .domain = fl_label_word(FL_LABEL_lane, way) };
    if (way == FL_WAY_UP) {
        link.kind = FL_SOCKET_PULL;
        link.frame_bytes_max = FL_MESSAGE_BYTES_MAX;
    } else {
        link.frame_bytes_max = FL_FRAME_BYTES_MAX + SLACK_BYTES;
    }
    if (way == FL_WAY_CONTROL) {
        link.queue = FL_CONTROL_QUEUE;
    }
    return link;
}

static fl_status
s_open_lane(fl_listener *self, const fl_listener_conf *conf, fl_way way, fl_why *why)
{
    const fl_socket_conf link = s_link_conf(conf, way);
    self->link[way] = fl_socket_new(&link, why);
    if (self->link[way] == NULL) {
        return FL_IO;
    }
    uint16_t *port = &self->port[way];
    fl_status status = fl_socket_bind(self->link[way], conf->endpoint[way], port, why);
    FL_THEN(status, fl_guard_attach(self->guard, way, self->link[way], *port, false, why));
    return status;
}

//  The authentication handler comes first: there is no moment without it.
fl_status
fl_listener_open(fl_listener *self, const fl_listener_conf *conf, const fl_admission_ops *ops,
                 fl_metrics *metrics, fl_why *why)
{
    fl_status status = FL_OK;
    FL_ASSERT(conf->keys != NULL); // without them nothing would be encrypted
    *self = (fl_listener){ .metrics = metrics };
    self->guard = fl_guard_new(&conf->guard, metrics);
    if (self->guard != NULL) {
        self->gate = fl_admission_new(&conf->gate, ops, self->guard, metrics);
    }
    if (self->gate == NULL) {
        status = fl_fail(FL_NOMEM, why, "net: no memory for %u sessions", conf->gate.sessions_max);
    }
    if (status == FL_OK) {
        self->zap = fl_zap_new(fl_admission_admits, self->gate, why);
        status = self->zap != NULL ? FL_OK : FL_BUSY;
    }
    for (unsigned way = 0; status == FL_OK && way < FL_WATCHED; way++) {
        status = s_open_lane(self, conf, (fl_way)way, why);
    }
    if (status != FL_OK) {
        fl_listener_close(self);
    }
    return status;
}

fl_status
fl_listener_rekey(fl_listener *self, const fl_keypair *keys, fl_why *why)
{
    fl_status status = FL_OK;
    for (unsigned way = 0; way < FL_WATCHED; way++) {
        FL_THEN(status, fl_socket_rekey(self->link[way], keys, why));
    }
    return status;
}

void
fl_listener_close(fl_listener *self)
{
    fl_guard_destroy(&self->guard);
    for (unsigned i = 0; i < FL_WATCHED; i++) {
        fl_socket_destroy(&self->link[i]);
    }
    fl_zap_destroy(&self->zap);
    fl_admission_destroy(&self->gate);
}
