#include "common/net/admin_socket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/wire/codec.h"

enum { QUEUE = 64, ROUTE_BYTES_MAX = 255 };

typedef struct ticket {
    uint32_t number; // serial * FL_TICKETS_MAX + place; 0: free
    uint8_t route[ROUTE_BYTES_MAX];
    uint8_t route_size;
} ticket;

struct fl_admin_socket {
    fl_socket *link;
    fl_metrics *metrics;
    fl_parcel parcel;
    uint32_t serial;
    ticket tickets[FL_TICKETS_MAX];
};

//  The socket's file is 0600 from its first moment, whatever the umask was. The umask is the whole
//  process's: a file that another thread makes just now gets fewer rights, not more.
static fl_status
s_bind(fl_socket *link, const char *endpoint, fl_why *why)
{
    mode_t before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
    fl_status status = fl_socket_bind(link, endpoint, NULL, why);
    (void)umask(before);
    return status;
}

fl_admin_socket *
fl_admin_socket_new(const char *endpoint, fl_metrics *metrics, fl_why *why)
{
    const fl_socket_conf conf = { .kind = FL_SOCKET_ROUTER,
                                  .queue = QUEUE,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX };
    fl_admin_socket *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fl_why_set(why, "net: no memory for the operator's lane");
        return NULL;
    }
    self->metrics = metrics;
    self->parcel.descriptor = -1;
    self->link = fl_socket_new(&conf, why);
    if (self->link == NULL || s_bind(self->link, endpoint, why) != FL_OK) {
        fl_admin_socket_destroy(&self);
    }
    return self;
}

void
fl_admin_socket_destroy(fl_admin_socket **self_p)
{
    fl_admin_socket *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_parcel_release(&self->parcel);
        fl_socket_destroy(&self->link);
        free(self);
    }
}

void *
fl_admin_socket_handle(fl_admin_socket *self)
{
    return fl_socket_handle(self->link);
}

//  Takes the reference. An answer has a text: where there is none, or too much of it, an empty
//  object.
static void
s_answer(fl_admin_socket *self, fl_bytes route, uint8_t code, fl_blob **json_p)
{
    fl_message message = { .verb = FL_ANSWER, .answer = { .code = code } };
    if (*json_p != NULL && fl_blob_size(*json_p) > FL_JSON_BYTES_MAX) {
        message.answer.code = FL_ANSWER_LARGE;
        fl_blob_unref(json_p);
    }
    fl_loan loan = { .blob = *json_p };
    *json_p = NULL;
    if (loan.blob == NULL || fl_blob_size(loan.blob) == 0) {
        fl_blob_unref(&loan.blob);
        loan.blob = fl_blob_copy(fl_bytes_of("{}", 2));
    }
    fl_blob *header = NULL;
    if (loan.blob != NULL) {
        loan.bytes = fl_blob_bytes(loan.blob);
        header = fl_encode(&message, loan.bytes.size);
    }
    uint64_t bytes = loan.bytes.size + (header != NULL ? fl_blob_size(header) : 0);
    fl_sent sent = FL_SENT_FULL;
    if (header != NULL) {
        sent = fl_socket_send(self->link, route, &header, &loan);
    } else {
        fl_blob_unref(&loan.blob);
    }
    if (sent == FL_SENT) {
        self->metrics->net_messages_out_total[FL_WAY_OPERATOR]++;
        self->metrics->net_bytes_out_total[FL_WAY_OPERATOR] += bytes;
    } else {
        self->metrics->net_dropped_total[sent == FL_SENT_FULL ? FL_DROP_FULL : FL_DROP_ROUTE]++;
    }
}

static ticket *
s_free_ticket(fl_admin_socket *self)
{
    for (uint32_t i = 0; i < FL_TICKETS_MAX; i++) {
        if (self->tickets[i].number == 0) {
            self->serial = (self->serial + 1) % (UINT32_MAX / FL_TICKETS_MAX - 1);
            self->tickets[i].number = (self->serial + 1) * FL_TICKETS_MAX + i;
            return &self->tickets[i];
        }
    }
    return NULL;
}

bool
fl_admin_socket_ask(fl_admin_socket *self, uint32_t *number, fl_ask *ask)
{
    while (fl_socket_receive(self->link, &self->parcel)) {
        fl_message message;
        const fl_parcel *parcel = &self->parcel;
        self->metrics->net_messages_in_total[FL_WAY_OPERATOR]++;
        self->metrics->net_bytes_in_total[FL_WAY_OPERATOR] +=
            parcel->header.size + parcel->body.size;
        const fl_codec_result result = fl_decode(parcel->header, parcel->body.size, &message);
        if (result.code != FL_CODEC_OK || message.verb != FL_ASK || parcel->surplus > 0) {
            self->metrics->net_codec_total[result.code]++;
            self->metrics->net_dropped_total[FL_DROP_MALFORMED]++;
            continue;
        }
        ticket *open = s_free_ticket(self);
        if (open == NULL) {
            fl_blob *nothing = NULL;
            s_answer(self, parcel->route, FL_ANSWER_BUSY, &nothing);
            continue;
        }
        FL_ASSERT(parcel->route.size <= ROUTE_BYTES_MAX);
        memcpy(open->route, parcel->route.data, parcel->route.size);
        open->route_size = (uint8_t)parcel->route.size;
        *number = open->number;
        *ask = message.ask;
        ask->body = parcel->body;
        return true;
    }
    return false;
}

void
fl_admin_socket_answer(fl_admin_socket *self, uint32_t number, uint8_t code, fl_blob **json_p)
{
    ticket *open = &self->tickets[number % FL_TICKETS_MAX];
    if (number == 0 || open->number != number) {
        fl_blob_unref(json_p);
        return;
    }
    open->number = 0;
    s_answer(self, fl_bytes_of(open->route, open->route_size), code, json_p);
}
