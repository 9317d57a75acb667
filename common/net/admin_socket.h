//  admin_socket - the operator's lane: a ROUTER on a local socket, 0600 in a 0700 directory, so
//  whoever can reach it owns the process. Questions come in, answers go back, now or later, by the
//  number that the question got (`ticket`; not the ticket of a seat).
//  Reactor's thread. At most FL_TICKETS_MAX questions are open; one more is told to come back.
#ifndef FL_NET_ADMIN_SOCKET_H
#define FL_NET_ADMIN_SOCKET_H

#include "common/net/counters.h"
#include "common/net/socket.h"

typedef struct fl_admin_socket fl_admin_socket;

//  Codes that an answer gets here: too many questions are open; the text is above
//  FL_JSON_BYTES_MAX.
enum { FL_TICKETS_MAX = 64, FL_ANSWER_LARGE = 74, FL_ANSWER_BUSY = 75 };

//  NULL with `why`.
fl_admin_socket *fl_admin_socket_new(const char *endpoint, fl_metrics *metrics, fl_why *why);
void fl_admin_socket_destroy(fl_admin_socket **self_p);

void *fl_admin_socket_handle(fl_admin_socket *self);

//  The next question; false when none waits.
bool fl_admin_socket_ask(fl_admin_socket *self, uint32_t *ticket, fl_ask *ask);
//  Takes the reference (NULL: an empty object). A ticket that was answered already is ignored.
void fl_admin_socket_answer(fl_admin_socket *self, uint32_t ticket, uint8_t code, fl_blob **json_p);

#endif
