#include "common/net/request.h"

#include <czmq.h>

#include <stdlib.h>
#include <string.h>

#include "common/wire/codec.h"

enum { QUEUE = 8 };

struct fl_inquiry {
    fl_link *link;
    fl_parcel parcel;
    char endpoint[300];
};

fl_inquiry *
fl_inquiry_new(const fl_inquiry_conf *conf, fl_why *why)
{
    const fl_link_conf link = { .kind = FL_LINK_DEALER, .queue = QUEUE,
                                .frame_bytes_max = FL_MESSAGE_BYTES_MAX, .keys = conf->keys,
                                .server_key = conf->server_key };
    FL_ASSERT((conf->keys == NULL) == (conf->server_key == NULL));
    fl_inquiry *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fl_why_set(why, "net: no memory for a question");
        return NULL;
    }
    self->parcel.descriptor = -1;
    snprintf(self->endpoint, sizeof self->endpoint, "%s", conf->endpoint);
    self->link = fl_link_new(&link, why);
    if (self->link == NULL || fl_link_connect(self->link, conf->endpoint, why) != FL_OK) {
        fl_inquiry_destroy(&self);
    }
    return self;
}

void
fl_inquiry_destroy(fl_inquiry **self_p)
{
    fl_inquiry *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_parcel_release(&self->parcel);
        fl_link_destroy(&self->link);
        free(self);
    }
}

//  False: nothing came by `until` (of zclock_mono).
static bool
s_wait(fl_inquiry *self, int64_t until)
{
    while (!fl_link_receive(self->link, &self->parcel)) {
        const int64_t left = until - zclock_mono();
        zmq_pollitem_t item = { .socket = fl_link_handle(self->link), .events = ZMQ_POLLIN };
        if (left <= 0) {
            return false;
        }
        zmq_poll(&item, 1, (long)left);
    }
    return true;
}

fl_status
fl_inquiry_ask(fl_inquiry *self, const fl_message *question, fl_verb answer, uint32_t timeout_ms,
               fl_message *reply, fl_bytes *body, fl_why *why)
{
    const int64_t until = zclock_mono() + (int64_t)timeout_ms;
    fl_blob *header = fl_encode(question, 0);
    if (header == NULL ||
        fl_link_send(self->link, fl_bytes_of(NULL, 0), &header, NULL) != FL_SENT) {
        fl_why_set(why, "net: cannot send to %s", self->endpoint);
        return FL_FULL;
    }
    while (s_wait(self, until)) {
        const fl_codec_result result =
            fl_decode(self->parcel.header, self->parcel.body.size, reply);
        if (result.code != FL_CODEC_OK) {
            fl_why_set(why, "%s answered with something else than our protocol: %s",
                       self->endpoint, result.text);
            return FL_MALFORMED;
        }
        if (reply->verb == answer || reply->verb == FL_REFUSED) {
            *body = self->parcel.body;
            return FL_OK;
        }
    }
    fl_why_set(why, "no answer from %s within %u ms: is it running, and is it the right one?",
               self->endpoint, timeout_ms);
    return FL_MISSING;
}
