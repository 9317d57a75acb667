#include "common/net/dialer.h"

#include <stdio.h>

#include "common/wire/codec.h"

enum { SLACK_BYTES = 4096 };

static fl_status
s_connect(fl_uplink *self, fl_link **link_p, const fl_link_conf *conf, uint16_t port, fl_why *why)
{
    char endpoint[300];
    snprintf(endpoint, sizeof endpoint, "tcp://%s:%u", self->conf.host, port);
    fl_link_destroy(link_p);
    *link_p = fl_link_new(conf, why);
    if (*link_p == NULL) {
        return FL_IO;
    }
    fl_status status = fl_link_connect(*link_p, endpoint, why);
    if (status != FL_OK) {
        fl_link_destroy(link_p);
    }
    return status;
}

fl_status
fl_uplink_reconnect(fl_uplink *self, fl_why *why)
{
    const fl_link_conf control = {
        .kind = FL_LINK_DEALER,
        .queue = FL_CONTROL_QUEUE,
        .frame_bytes_max = FL_FRAME_BYTES_MAX + SLACK_BYTES,
        .keys = &self->conf.keys,
        .server_key = self->conf.parent_key,
    };
    fl_uplink_close(self);
    return s_connect(self, &self->control, &control, self->conf.port, why);
}

fl_status
fl_uplink_open(fl_uplink *self, const fl_uplink_conf *conf, fl_why *why)
{
    *self = (fl_uplink){ .conf = *conf };
    return fl_uplink_reconnect(self, why);
}

void
fl_uplink_close(fl_uplink *self)
{
    fl_link_destroy(&self->control);
    fl_link_destroy(&self->lane[FL_LANE_UP]);
    fl_link_destroy(&self->lane[FL_LANE_DOWN]);
}

fl_status
fl_uplink_lane(fl_uplink *self, fl_lane lane, bool open, uint16_t port, fl_why *why)
{
    const fl_link_conf bulk = {
        .kind = lane == FL_LANE_UP ? FL_LINK_PUSH : FL_LINK_DEALER,
        .queue = self->conf.bulk_queue > 0 ? self->conf.bulk_queue : FL_BULK_QUEUE,
        .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
        .keys = &self->conf.keys,
        .server_key = self->conf.parent_key,
    };
    if (open) {
        return s_connect(self, &self->lane[lane], &bulk, port, why);
    }
    fl_link_destroy(&self->lane[lane]);
    return FL_OK;
}
