#include "common/net/request.h"

#include <czmq.h>

#include <stdlib.h>
#include <string.h>

#include "common/wire/codec.h"

enum { QUEUE = 8 };

struct fl_request {
    fl_socket *link;
    fl_parcel parcel;
    char endpoint[300];
};

fl_request *
fl_request_new(const fl_request_conf *conf, fl_why *why)
{
    const fl_socket_conf link = { .kind = FL_SOCKET_DEALER,
                                  .queue = QUEUE,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = conf->keys,
                                  .server_key = conf->server_key };
    FL_ASSERT((conf->keys == NULL) == (conf->server_key == NULL));
    fl_request *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fl_why_set(why, "net: no memory for a question");
        return NULL;
    }
    self->parcel.descriptor = -1;
    snprintf(self->endpoint, sizeof self->endpoint, "%s", conf->endpoint);
    self->link = fl_socket_new(&link, why);
    if (self->link == NULL || fl_socket_connect(self->link, conf->endpoint, why) != FL_OK) {
        fl_request_destroy(&self);
    }
    return self;
}

void
fl_request_destroy(fl_request **self_p)
{
    fl_request *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_parcel_release(&self->parcel);
        fl_socket_destroy(&self->link);
        free(self);
    }
}

//  False: nothing came by `until` (of zclock_mono).
static bool
s_wait(fl_request *self, int64_t until)
{
    while (!fl_socket_receive(self->link, &self->parcel)) {
        const int64_t left = until - zclock_mono();
        zmq_pollitem_t item = { .socket = fl_socket_handle(self->link), .events = ZMQ_POLLIN };
        if (left <= 0) {
            return false;
        }
        zmq_poll(&item, 1, (long)left);
    }
    return true;
}

static bool
s_send(fl_request *self, const fl_message *question)
{
    const fl_bytes body = question->verb == FL_ASK ? question->ask.body : (fl_bytes){ 0 };
    fl_loan loan = { .blob = body.size > 0 ? fl_blob_copy(body) : NULL };
    fl_blob *header = fl_encode(question, body.size);
    if (header == NULL || (body.size > 0 && loan.blob == NULL)) {
        fl_blob_unref(&header);
        fl_blob_unref(&loan.blob);
        return false;
    }
    loan.bytes = body.size > 0 ? fl_blob_bytes(loan.blob) : body;
    return fl_socket_send(self->link, fl_bytes_of(NULL, 0), &header, &loan) == FL_SENT;
}

fl_status
fl_request_ask(fl_request *self, const fl_message *question, fl_verb answer, uint32_t timeout_ms,
               fl_message *reply, fl_bytes *body, fl_why *why)
{
    const int64_t until = zclock_mono() + (int64_t)timeout_ms;
    if (!s_send(self, question)) {
        return fl_fail(FL_FULL, why, "net: cannot send to %s", self->endpoint);
    }
    while (s_wait(self, until)) {
        const fl_codec_result result =
            fl_decode(self->parcel.header, self->parcel.body.size, reply);
        if (result.code != FL_CODEC_OK) {
            return fl_fail(FL_MALFORMED, why,
                           "%s answered with something else than our protocol: %s", self->endpoint,
                           result.text);
        }
        if (reply->verb == answer || reply->verb == FL_REFUSED) {
            *body = self->parcel.body;
            return FL_OK;
        }
    }
    return fl_fail(FL_MISSING, why,
                   "no answer from %s within %u ms: is it running, and is it the right one?",
                   self->endpoint, timeout_ms);
}
