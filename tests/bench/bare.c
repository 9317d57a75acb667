#include "tests/bench/bare.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <zmq.h>

#include "common/base/limits.h"
#include "common/net/context.h"
#include "common/net/counters.h"
#include "tests/bench/bench.h"

enum { WAIT_MS = 60 * 1000, LABEL = 16 };

typedef struct order {
    uint16_t port;               // 0: send
    uint8_t server[FL_KEY_BYTES];
} order;

static void
s_keys(fl_keypair *keys)
{
    char public_text[41], secret_text[41];
    if (zmq_curve_keypair(public_text, secret_text) != 0 ||
        zmq_z85_decode(keys->public_key, public_text) == NULL ||
        zmq_z85_decode(keys->secret_key, secret_text) == NULL) {
        bench_die("bare", "libzmq makes no CURVE keys");
    }
}

// ---- a sender ---------------------------------------------------------------------------------
static fl_socket *
s_connect(const fl_keypair *keys, const order *to)
{
    fl_why why = { "" };
    char endpoint[64];
    const fl_socket_conf conf = { .kind = FL_SOCKET_PUSH,
                                  .queue = FL_BULK_QUEUE,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = keys,
                                  .server_key = to->server };
    fl_socket *link = fl_socket_new(&conf, &why);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", to->port);
    if (link == NULL || fl_socket_connect(link, endpoint, &why) != FL_OK) {
        bench_die("bare", why.text);
    }
    fl_socket_linger(link, WAIT_MS);
    return link;
}

//  Two frames, as a chunk of ours: who and where, then the bytes, which are not copied.
static void
s_send(void *push, unsigned number, uint8_t *vector, uint64_t bytes, uint32_t chunk)
{
    for (uint64_t at = 0; at < bytes; at += chunk) {
        const uint64_t label[2] = { number, at };
        const uint64_t size = bytes - at < chunk ? bytes - at : chunk;
        zmq_msg_t body;
        if (zmq_send(push, label, sizeof label, ZMQ_SNDMORE) < 0 ||
            zmq_msg_init_data(&body, vector + at, size, NULL, NULL) != 0 ||
            zmq_msg_send(&body, push, 0) < 0) {
            bench_die("bare", zmq_strerror(zmq_errno()));
        }
    }
}

static void __attribute__((noreturn))
s_sender(const bare *self, unsigned number, int orders)
{
    fl_why why = { "" };
    fl_keypair keys;
    order to = { .port = 0 }, word;
    fl_socket *link = NULL;
    uint8_t *vector = malloc(self->bytes);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (vector == NULL || fl_net_open(1, &why) != FL_OK) {
        bench_die("bare", why.text);
    }
    memset(vector, 0x5a, self->bytes);
    s_keys(&keys);
    while (read(orders, &word, sizeof word) == (ssize_t)sizeof word) {
        to = word.port != 0 ? word : to;
        if (link == NULL) {
            link = s_connect(&keys, &to);
        }
        if (word.port == 0) {
            s_send(fl_socket_handle(link), number, vector, self->bytes, self->chunk);
            if (self->fresh) {
                fl_socket_destroy(&link);
            }
        } else if (self->fresh) {
            fl_socket_destroy(&link);
        }
    }
    _exit(0);
}

void
bare_fork(bare *self)
{
    FL_ASSERT(self->senders >= 1 && self->senders <= BARE_SENDERS_MAX && self->chunk > LABEL);
    for (unsigned i = 0; i < self->senders; i++) {
        int ends[2];
        if (pipe(ends) != 0) {
            bench_die("bare", "no pipe");
        }
        const pid_t pid = fork();
        if (pid == 0) {
            close(ends[1]);
            s_sender(self, i, ends[0]);
        }
        if (pid < 0) {
            bench_die("bare", "no process");
        }
        close(ends[0]);
        self->pipes[i] = ends[1];
    }
}

// ---- the receiver -----------------------------------------------------------------------------
static void
s_tell(const bare *self, const order *word)
{
    for (unsigned i = 0; i < self->senders; i++) {
        if (write(self->pipes[i], word, sizeof *word) != (ssize_t)sizeof *word) {
            bench_die("bare", "a sender is gone");
        }
    }
}

void
bare_open(bare *self)
{
    fl_why why = { "" };
    fl_keypair keys;
    order word = { .port = 0 };
    s_keys(&keys);
    memcpy(word.server, keys.public_key, sizeof word.server);
    const fl_socket_conf conf = { .kind = FL_SOCKET_PULL,
                                  .queue = FL_BULK_QUEUE,
                                  .frame_bytes_max = FL_MESSAGE_BYTES_MAX,
                                  .keys = &keys,
                                  // the lane of strangers: the bulk lanes want a seat
                                  .domain = fl_label_word(FL_LABEL_lane, FL_WAY_CONTROL) };
    self->pull = fl_socket_new(&conf, &why);
    if (self->pull == NULL ||
        fl_socket_bind(self->pull, "tcp://127.0.0.1:0", &word.port, &why) != FL_OK) {
        bench_die("bare", why.text);
    }
    for (unsigned i = 0; i < self->senders; i++) {
        self->room[i] = malloc(self->bytes);
        if (self->room[i] == NULL) {
            bench_die("bare", "out of memory");
        }
        memset(self->room[i], 0, self->bytes);
    }
    s_tell(self, &word);
}

uint64_t
bare_run(bare *self)
{
    const order word = { .port = 0 };
    fl_parcel parcel = { .descriptor = -1 };
    uint64_t left = self->senders * self->bytes;
    zmq_pollitem_t item = { .socket = fl_socket_handle(self->pull), .events = ZMQ_POLLIN };
    const uint64_t start = bench_ns();
    s_tell(self, &word);
    while (left > 0) {
        if (!fl_socket_receive(self->pull, &parcel)) {
            if (zmq_poll(&item, 1, WAIT_MS) <= 0) {
                bench_die("bare", "nothing comes");
            }
            continue;
        }
        uint64_t label[2];
        FL_ASSERT(parcel.header.size == sizeof label);
        memcpy(label, parcel.header.data, sizeof label);
        FL_ASSERT(label[0] < self->senders && label[1] + parcel.body.size <= self->bytes);
        memcpy(self->room[label[0]] + label[1], parcel.body.data, parcel.body.size);
        left -= parcel.body.size;
    }
    const uint64_t took = bench_ns() - start;
    fl_parcel_release(&parcel);
    return took;
}

void
bare_close(bare *self)
{
    for (unsigned i = 0; i < self->senders; i++) {
        close(self->pipes[i]);
        free(self->room[i]);
    }
    fl_socket_destroy(&self->pull);
}
