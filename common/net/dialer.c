#include "common/net/dialer.h"

#include <stdio.h>

#include "common/wire/codec.h"

enum { SLACK_BYTES = 4096 };

static fl_status
s_connect(fl_dialer *self, fl_socket **link_p, const fl_socket_conf *conf, uint16_t port,
          fl_why *why)
{
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "tcp://%s:%u", self->conf.host, port);
    fl_socket_destroy(link_p);
    *link_p = fl_socket_new(conf, why);
    if (*link_p == NULL) {
        return FL_IO;
    }
    fl_status status = fl_socket_connect(*link_p, endpoint, why);
    if (status != FL_OK) {
        fl_socket_destroy(link_p);
    }
    return status;
}

fl_status
fl_dialer_reconnect(fl_dialer *self, fl_why *why)
{
    const fl_socket_conf control = {
        .kind = FL_SOCKET_DEALER,
        .queue = FL_CONTROL_QUEUE,
        .frame_bytes_max = FL_FRAME_BYTES_MAX + SLACK_BYTES,
        .keys = self->conf.keys,
        .server_key = self->conf.parent_key,
    };
    fl_dialer_close(self);
    return s_connect(self, &self->control, &control, self->conf.port, why);
}

fl_status
fl_dialer_open(fl_dialer *self, const fl_dialer_conf *conf, fl_why *why)
{
    FL_ASSERT(conf->keys != NULL); // without them nothing would be encrypted
    *self = (fl_dialer){ .conf = *conf };
    return fl_dialer_reconnect(self, why);
}

void
fl_dialer_close(fl_dialer *self)
{
    fl_socket_destroy(&self->control);
    fl_socket_destroy(&self->lane[FL_LANE_UP]);
    fl_socket_destroy(&self->lane[FL_LANE_DOWN]);
}

fl_status
fl_dialer_lane(fl_dialer *self, fl_lane lane, bool open, uint16_t port, fl_why *why)
{
    const fl_socket_conf bulk = {
        .kind = lane == FL_LANE_UP ? FL_SOCKET_PUSH : FL_SOCKET_DEALER,
        .queue = self->conf.bulk_queue > 0 ? self->conf.bulk_queue : FL_BULK_QUEUE,
        .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
        .keys = self->conf.keys,
        .server_key = self->conf.parent_key,
    };
    if (open) {
        return s_connect(self, &self->lane[lane], &bulk, port, why);
    }
    fl_socket_destroy(&self->lane[lane]);
    return FL_OK;
}
