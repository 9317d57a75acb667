#include "common/net/dialer.h"

#include <stdio.h>

#include "common/wire/codec.h"

enum { SLACK_BYTES = 4096 };

static void
s_hang_up(fl_dialer *self, fl_way way, fl_socket **link_p)
{
    if (self->guard != NULL) {
        fl_guard_detach(self->guard, way);
    }
    fl_socket_destroy(link_p);
}

static fl_status
s_connect(fl_dialer *self, fl_way way, fl_socket **link_p, fl_socket_conf conf, uint16_t port,
          fl_why *why)
{
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "tcp://%s:%u", self->conf.host, port);
    conf.keys = self->conf.keys;
    conf.server_key = self->conf.parent_key;
    s_hang_up(self, way, link_p);
    *link_p = fl_socket_new(&conf, why);
    if (*link_p == NULL) {
        return FL_IO;
    }
    fl_status status = fl_guard_attach(self->guard, way, *link_p, port, true, why);
    FL_THEN(status, fl_socket_connect(*link_p, endpoint, why));
    if (status != FL_OK) {
        s_hang_up(self, way, link_p);
    }
    return status;
}

fl_status
fl_dialer_reconnect(fl_dialer *self, fl_why *why)
{
    const fl_socket_conf control = { .kind = FL_SOCKET_DEALER,
                                     .queue = FL_CONTROL_QUEUE,
                                     .frame_bytes_max = FL_FRAME_BYTES_MAX + SLACK_BYTES };
    fl_dialer_leave(self);
    return s_connect(self, FL_WAY_CONTROL, &self->control, control, self->conf.port, why);
}

fl_status
fl_dialer_open(fl_dialer *self, const fl_dialer_conf *conf, fl_metrics *metrics,
               fl_why *why)
{
    FL_ASSERT(conf->keys != NULL); // without them nothing would be encrypted
    *self = (fl_dialer){ .conf = *conf, .guard = fl_guard_new(&conf->guard, metrics) };
    if (self->guard == NULL) {
        return fl_fail(FL_NOMEM, why, "net: no memory to watch the parent's connections");
    }
    return fl_dialer_reconnect(self, why);
}

void
fl_dialer_leave(fl_dialer *self)
{
    s_hang_up(self, FL_WAY_CONTROL, &self->control);
    s_hang_up(self, FL_WAY_UP, &self->lane[FL_LANE_UP]);
    s_hang_up(self, FL_WAY_DOWN, &self->lane[FL_LANE_DOWN]);
}

void
fl_dialer_close(fl_dialer *self)
{
    fl_dialer_leave(self);
    fl_guard_destroy(&self->guard);
}

fl_status
fl_dialer_lane(fl_dialer *self, fl_lane lane, bool open, uint16_t port, fl_why *why)
{
    const fl_socket_conf bulk = {
        .kind = lane == FL_LANE_UP ? FL_SOCKET_PUSH : FL_SOCKET_DEALER,
        .queue = self->conf.bulk_queue > 0 ? self->conf.bulk_queue : FL_BULK_QUEUE,
        .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
    };
    const fl_way way = lane == FL_LANE_UP ? FL_WAY_UP : FL_WAY_DOWN;
    if (open) {
        return s_connect(self, way, &self->lane[lane], bulk, port, why);
    }
    s_hang_up(self, way, &self->lane[lane]);
    return FL_OK;
}
