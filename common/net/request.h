//  request - one question on a connection of its own, one answer, a bounded wait: what the
//  operator's command and a newcomer's enrolment need, without a reactor. Blocks. Main thread.
#ifndef FL_NET_REQUEST_H
#define FL_NET_REQUEST_H

#include "common/net/socket.h"
#include "common/wire/message.h"

typedef struct fl_request fl_request;

typedef struct fl_request_conf {
    const char *endpoint;      // "ipc://..." of a process here, or "tcp://host:port"
    const fl_keypair *keys;    // ours, and
    const uint8_t *server_key; // (FL_KEY_BYTES) theirs; both NULL on ipc
} fl_request_conf;

//  NULL with `why`.
fl_request *fl_request_new(const fl_request_conf *conf, fl_why *why);
void fl_request_destroy(fl_request **self_p);

//  Ask, and wait for a message of the verb `answer` or a REFUSED. The views in `reply` and `body`
//  live until the next call. FL_MISSING: nothing came in time; FL_MALFORMED: what came was no
//  message of ours.
FL_CHECKED fl_status fl_request_ask(fl_request *self, const fl_message *question, fl_verb answer,
                                    uint32_t timeout_ms, fl_message *reply, fl_bytes *body,
                                    fl_why *why);

#endif
