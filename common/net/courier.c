#include "common/net/courier.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/codec.h"

enum { LEAVE_LINGER_MS = 500 };

static void
s_count_drop(fl_courier *self, fl_drop drop)
{
    self->metrics->net_dropped_total[drop]++;
}

//  Takes the loan. Encodes, sends, counts.
static void
s_send(fl_courier *self, fl_way way, fl_socket *link, fl_bytes route, const fl_message *message,
       fl_loan *body)
{
    const size_t body_bytes = body != NULL ? body->bytes.size : 0;
    fl_blob *header = fl_encode(message, body_bytes);
    fl_sent sent = FL_SENT_FULL; // out of memory is a full queue
    uint64_t bytes = body_bytes;
    if (header != NULL) {
        bytes += fl_blob_size(header);
        sent = fl_socket_send(link, route, &header, body);
    } else if (body != NULL) {
        fl_blob_unref(&body->blob);
    }
    if (sent == FL_SENT) {
        self->metrics->net_messages_out_total[way]++;
        self->metrics->net_bytes_out_total[way] += bytes;
    } else {
        s_count_drop(self, sent == FL_SENT_FULL ? FL_DROP_FULL : FL_DROP_ROUTE);
    }
}

static void
s_send_parent(fl_courier *self, const fl_message *message)
{
    const bool fetch = message->verb == FL_FETCH;
    fl_socket *link = fetch ? self->dialer.lane[FL_LANE_DOWN] : self->dialer.control;
    if (link == NULL) {
        s_count_drop(self, FL_DROP_ROUTE);
        return;
    }
    if (message->verb == FL_LEAVE) {
        fl_socket_linger(link, LEAVE_LINGER_MS); // the last word may take a moment
    }
    s_send(self, fetch ? FL_WAY_PARENT_DOWN : FL_WAY_PARENT, link, fl_bytes_of(NULL, 0), message,
           NULL);
}

//  Takes the loan. To a child, on the control or the down lane.
static void
s_send_child(fl_courier *self, fl_way way, fl_peer to, const fl_message *message, fl_loan *body)
{
    fl_bytes route = fl_bytes_of(NULL, 0);
    bool enrolment = message->verb == FL_ENROLLED ||
                     (message->verb == FL_REFUSED && message->refused.about == FL_ENROL);
    bool hello = message->verb == FL_REFUSED && message->refused.about == FL_HELLO;
    if (self->listener != NULL) {
        route = enrolment ? fl_admission_enrol_route(self->listener->gate, to)
                : hello   ? fl_admission_hello_route(self->listener->gate, to)
                          : fl_admission_route(self->listener->gate, way, to);
    }
    if (route.size == 0) {
        s_count_drop(self, FL_DROP_ROUTE);
        if (body != NULL) {
            fl_blob_unref(&body->blob);
        }
        return;
    }
    s_send(self, way, self->listener->link[way], route, message, body);
}

static void
s_obey_send(fl_courier *self, fl_peer to, const fl_message *said)
{
    fl_message message = *said;
    if (message.verb == FL_WELCOME && self->listener != NULL) {
        fl_admission_welcome(self->listener->gate, to);
    }
    self->ops->outgoing(self->ops->self, to, &message);
    if (to == FL_PARENT) {
        s_send_parent(self, &message);
    } else {
        s_send_child(self, FL_WAY_CONTROL, to, &message, NULL);
    }
}

static void
s_obey_push(fl_courier *self, const fl_effect *effect)
{
    fl_message message = effect->push.message;
    fl_loan loan = { .blob = NULL };
    fl_socket *link = self->dialer.lane[FL_LANE_UP];
    if (link == NULL) {
        s_count_drop(self, FL_DROP_ROUTE);
        return;
    }
    if (!self->host.vector(self->host.self, effect->push.vec, message.chunk.offset,
                                effect->push.bytes, &loan)) {
        s_count_drop(self, FL_DROP_LENT);
        return;
    }
    FL_ASSERT(loan.bytes.size == effect->push.bytes);
    self->ops->outgoing(self->ops->self, FL_PARENT, &message);
    s_send(self, FL_WAY_PARENT_UP, link, fl_bytes_of(NULL, 0), &message, &loan);
}

static void
s_obey_serve(fl_courier *self, const fl_effect *effect)
{
    fl_message message = effect->serve.message;
    fl_loan loan = { .blob = NULL };
    if (!self->host.model(self->host.self, &message.piece.hash, message.piece.offset,
                               effect->serve.bytes, &loan)) {
        s_count_drop(self, FL_DROP_LENT);
        return;
    }
    FL_ASSERT(loan.bytes.size == effect->serve.bytes);
    self->ops->outgoing(self->ops->self, effect->serve.to, &message);
    s_send_child(self, FL_WAY_DOWN, effect->serve.to, &message, &loan);
}

static void
s_say_why(fl_courier *self, fl_way way, const fl_why *why)
{
    fl_refused refused = { .reason = FL_WHY_BUSY };
    snprintf(refused.text, sizeof refused.text, "%.*s", (int)sizeof refused.text - 1, why->text);
    self->host.refused(self->host.self, way, NULL, &refused);
}

//  When the system gives no socket, the lane stays closed and what is sent there is counted; the
//  machine, hearing nothing, asks again.
static void
s_obey_lane(fl_courier *self, const fl_effect *effect)
{
    fl_why why = { .text = "" };
    fl_status status;
    FL_ASSERT(self->dialer.conf.port != 0); // only a child asks for this
    if (effect->kind == FL_FX_RECONNECT) {
        if (self->ops->dial != NULL) {
            memcpy(self->dialer.conf.parent_key, self->ops->dial(self->ops->self), FL_KEY_BYTES);
        }
        status = fl_dialer_reconnect(&self->dialer, &why);
    } else {
        status = fl_dialer_lane(&self->dialer, effect->lane.lane, effect->lane.open,
                                effect->lane.port, &why);
    }
    if (status != FL_OK) {
        s_count_drop(self, FL_DROP_ROUTE);
        s_say_why(self, FL_WAY_PARENT, &why);
    }
}

void
fl_courier_obey(fl_courier *self, const fl_effect *effect, fl_bytes body)
{
    switch ((int)effect->kind) { // an effect that is not named here is the host's
    case FL_FX_SEND:
        s_obey_send(self, effect->send.to, &effect->send.message);
        break;
    case FL_FX_PUSH:
        s_obey_push(self, effect);
        break;
    case FL_FX_SERVE:
        s_obey_serve(self, effect);
        break;
    case FL_FX_LANE:
    case FL_FX_RECONNECT:
        s_obey_lane(self, effect);
        break;
    case FL_FX_EXPEL:
        if (self->listener != NULL) {
            fl_admission_expel(self->listener->gate, effect->expel.peer);
        }
        break;
    default:
        self->host.obey(self->host.self, effect, body);
        break;
    }
}

void
fl_courier_refuse(fl_courier *self, fl_way way, fl_bytes route, const fl_refused *refused)
{
    const fl_message answer = { .verb = FL_REFUSED, .refused = *refused };
    s_send(self, way, self->listener->link[way], route, &answer, NULL);
}
