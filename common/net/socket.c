#include "common/net/socket.h"

#include <czmq.h>

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/endpoint.h"

//  A libzmq message fits the room that a parcel keeps for it.
_Static_assert(sizeof(zmq_msg_t) == 64, "fl_parcel.frames is sized for another libzmq");
_Static_assert(_Alignof(zmq_msg_t) <= 8, "fl_parcel.frames is aligned for another libzmq");

enum {
    HANDSHAKE_MS = 5000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 10000,
    REKEY_LINGER_MS = 500,
    REKEY_MS = 1000,
    BACKLOG = 4096, // when it is full the kernel drops a SYN, and an honest peer waits 1, 3, 7 s
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_PROBES = 3,
    ZAP_ENFORCE_DOMAIN = 93, // zmq.h hides the name behind its draft switch; 4.3.4 obeys it
};

struct fl_socket {
    zsock_t *sock;
    void *handle; // of `sock`
    fl_socket_kind kind;
};

static void
s_set(void *handle, int option, int value)
{
    FL_ASSERT(zmq_setsockopt(handle, option, &value, sizeof value) == 0);
}

static void
s_set_bytes(void *handle, int option, const void *bytes, size_t size)
{
    FL_ASSERT(zmq_setsockopt(handle, option, bytes, size) == 0);
}

//  Without a domain and its enforcement libzmq lets anyone in while no handler is bound.
static void
s_set_curve(void *handle, const fl_socket_conf *conf)
{
    s_set_bytes(handle, ZMQ_CURVE_PUBLICKEY, conf->keys->public_key, FL_KEY_BYTES);
    s_set_bytes(handle, ZMQ_CURVE_SECRETKEY, conf->keys->secret_key, FL_KEY_BYTES);
    if (conf->server_key != NULL) {
        s_set_bytes(handle, ZMQ_CURVE_SERVERKEY, conf->server_key, FL_KEY_BYTES);
    } else {
        s_set(handle, ZMQ_CURVE_SERVER, 1);
        s_set_bytes(handle, ZMQ_ZAP_DOMAIN, conf->domain, strlen(conf->domain));
        s_set(handle, ZAP_ENFORCE_DOMAIN, 1);
    }
}

//  No ZMTP heartbeat: libzmq 4.3.4 aborts when it meets a full queue and a reconnect (#3937).
static void
s_set_bounds(void *handle, const fl_socket_conf *conf)
{
    const int64_t frame_max = conf->frame_bytes_max;
    s_set(handle, ZMQ_SNDHWM, conf->queue);
    s_set(handle, ZMQ_RCVHWM, conf->queue);
    s_set_bytes(handle, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    s_set(handle, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    s_set(handle, ZMQ_LINGER, 0);
    s_set(handle, ZMQ_IMMEDIATE, 0);
    s_set(handle, ZMQ_BACKLOG, BACKLOG);
    s_set(handle, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    s_set(handle, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    s_set(handle, ZMQ_TCP_KEEPALIVE, 1);
    s_set(handle, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S);
    s_set(handle, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S);
    s_set(handle, ZMQ_TCP_KEEPALIVE_CNT, KEEPALIVE_PROBES);
    if (conf->kind == FL_SOCKET_ROUTER) {
        s_set(handle, ZMQ_ROUTER_MANDATORY, 1);
    }
}

fl_socket *
fl_socket_new(const fl_socket_conf *conf, fl_why *why)
{
    static const int types[] = {
        [FL_SOCKET_ROUTER] = ZMQ_ROUTER,
        [FL_SOCKET_DEALER] = ZMQ_DEALER,
        [FL_SOCKET_PULL] = ZMQ_PULL,
        [FL_SOCKET_PUSH] = ZMQ_PUSH,
    };
    FL_ASSERT(conf->queue > 0 && conf->frame_bytes_max > 0);
    fl_socket *self = calloc(1, sizeof *self);
    zsock_t *sock = zsock_new(types[conf->kind]);
    if (self == NULL || sock == NULL) {
        fl_why_set(why, "net: cannot make a socket: %s", zmq_strerror(zmq_errno()));
        free(self);
        zsock_destroy(&sock);
        return NULL;
    }
    self->sock = sock;
    self->handle = zsock_resolve(sock);
    self->kind = conf->kind;
    s_set_bounds(self->handle, conf);
    if (conf->keys != NULL) {
        s_set_curve(self->handle, conf);
    }
    return self;
}

void
fl_socket_destroy(fl_socket **self_p)
{
    fl_socket *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        zsock_destroy(&self->sock);
        free(self);
    }
}

void *
fl_socket_handle(fl_socket *self)
{
    return self->handle;
}

//  The number behind the last colon of the endpoint that libzmq really bound.
static uint16_t
s_bound_port(void *handle)
{
    char endpoint[256];
    size_t size = sizeof endpoint;
    FL_ASSERT(zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, "tcp://", 6) != 0 || colon == NULL) {
        return 0;
    }
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

//  libzmq listens on addresses and interfaces; the name of a host is looked up for it.
static int
s_bind(fl_socket *self, const char *endpoint)
{
    const struct addrinfo wanted = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char host[256], address[INET_ADDRSTRLEN], numeric[64];
    fl_endpoint place;
    if (zmq_bind(self->handle, endpoint) == 0) {
        return 0;
    }
    const int error = zmq_errno();
    if ((error != ENODEV && error != EINVAL) || !fl_endpoint_parse(endpoint, &place)) {
        return error;
    }
    (void)snprintf(host, sizeof host, "%.*s", (int)place.host.size, (const char *)place.host.data);
    if (getaddrinfo(host, NULL, &wanted, &found) != 0) {
        return error;
    }
    const int failed = getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, NULL,
                                   0, NI_NUMERICHOST);
    freeaddrinfo(found);
    (void)snprintf(numeric, sizeof numeric, "tcp://%s:%u", address, place.port);
    return failed != 0 ? error : zmq_bind(self->handle, numeric) == 0 ? 0 : zmq_errno();
}

fl_status
fl_socket_bind(fl_socket *self, const char *endpoint, uint16_t *port, fl_why *why)
{
    const int error = s_bind(self, endpoint);
    if (error != 0) {
        fl_why_set(why, "net: cannot listen on %s: %s; %s", endpoint, zmq_strerror(error),
                   error == EADDRINUSE ? "choose another port, or 0 for any free one"
                   : error == EACCES   ? "a port below 1024 is the superuser's: choose another"
                                       : "write it as tcp://ADDRESS:PORT, with an address or name "
                                         "of this machine or 0.0.0.0");
        return error == EADDRINUSE ? FL_BUSY : FL_IO;
    }
    if (port != NULL) {
        *port = s_bound_port(self->handle);
    }
    return FL_OK;
}

fl_status
fl_socket_rekey(fl_socket *self, const fl_keypair *keys, fl_why *why)
{
    const struct timespec nap = { .tv_nsec = 1000000 };
    char endpoint[256];
    size_t size = sizeof endpoint;
    FL_ASSERT(zmq_getsockopt(self->handle, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0);
    s_set(self->handle, ZMQ_LINGER, REKEY_LINGER_MS); // the last word
    FL_ASSERT(zmq_unbind(self->handle, endpoint) == 0);
    s_set(self->handle, ZMQ_LINGER, 0);
    s_set_bytes(self->handle, ZMQ_CURVE_PUBLICKEY, keys->public_key, FL_KEY_BYTES);
    s_set_bytes(self->handle, ZMQ_CURVE_SECRETKEY, keys->secret_key, FL_KEY_BYTES);
    int rc = zmq_bind(self->handle, endpoint);
    for (int i = 0; rc != 0 && zmq_errno() == EADDRINUSE && i < REKEY_MS; i++) {
        (void)nanosleep(&nap, NULL); // an I/O thread closes the port in a moment
        rc = zmq_bind(self->handle, endpoint);
    }
    return rc == 0 ? FL_OK
                   : fl_fail(FL_IO, why, "net: cannot listen on %s again: %s", endpoint,
                             zmq_strerror(zmq_errno()));
}

fl_status
fl_socket_connect(fl_socket *self, const char *endpoint, fl_why *why)
{
    if (zmq_connect(self->handle, endpoint) != 0) {
        return fl_fail(FL_IO, why, "net: cannot connect to %s: %s; write it as tcp://host:port",
                       endpoint, zmq_strerror(zmq_errno()));
    }
    return FL_OK;
}

void
fl_socket_linger(fl_socket *self, int linger_ms)
{
    s_set(self->handle, ZMQ_LINGER, linger_ms);
}

//  A blob passes to libzmq's I/O thread and is let go there. libzmq orders the two, but nothing in
//  our own code says so (and ThreadSanitizer cannot see into it): this pair does, for every send.
static atomic_uint handed_over;

//  libzmq calls this on an I/O thread when a frame is sent or thrown away.
static void
s_unref(void *data, void *hint)
{
    (void)data;
    (void)atomic_load_explicit(&handed_over, memory_order_acquire);
    fl_blob *blob = hint;
    fl_blob_unref(&blob);
}

//  Takes the message in either case.
static fl_sent
s_send_frame(fl_socket *self, zmq_msg_t *frame, int flags)
{
    int rc;
    do {
        rc = zmq_msg_send(frame, self->handle, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    if (rc >= 0) {
        return FL_SENT;
    }
    const int error = zmq_errno();
    FL_ASSERT(error == EAGAIN || error == EHOSTUNREACH);
    zmq_msg_close(frame);
    return error == EAGAIN ? FL_SENT_FULL : FL_SENT_NO_ROUTE;
}

//  Takes the reference. Out of memory is «full»: the protocol sends again.
static fl_sent
s_send_loan(fl_socket *self, fl_loan *loan, int flags)
{
    zmq_msg_t frame;
    fl_blob *blob = loan->blob;
    loan->blob = NULL;
    //  libzmq's signature has no const; it only reads what it sends.
    void *data = (void *)(uintptr_t)loan->bytes.data;
    atomic_fetch_add_explicit(&handed_over, 1, memory_order_release);
    if (zmq_msg_init_data(&frame, data, loan->bytes.size, s_unref, blob) != 0) {
        fl_blob_unref(&blob);
        return FL_SENT_FULL;
    }
    return s_send_frame(self, &frame, flags);
}

static fl_sent
s_send_route(fl_socket *self, fl_bytes route)
{
    zmq_msg_t frame;
    if (zmq_msg_init_size(&frame, route.size) != 0) {
        return FL_SENT_FULL;
    }
    memcpy(zmq_msg_data(&frame), route.data, route.size);
    return s_send_frame(self, &frame, ZMQ_SNDMORE);
}

fl_sent
fl_socket_send(fl_socket *self, fl_bytes route, fl_blob **header_p, fl_loan *body)
{
    FL_ASSERT((self->kind == FL_SOCKET_ROUTER) == (route.size > 0));
    fl_loan header = { .blob = *header_p, .bytes = fl_blob_bytes(*header_p) };
    *header_p = NULL;
    const bool more = body != NULL && body->bytes.size > 0;
    fl_sent sent = route.size > 0 ? s_send_route(self, route) : FL_SENT;
    if (sent == FL_SENT) {
        sent = s_send_loan(self, &header, more ? ZMQ_SNDMORE : 0);
    }
    if (sent == FL_SENT && more) {
        sent = s_send_loan(self, body, 0); // refused: libzmq rolls the header back
    }
    fl_blob_unref(&header.blob);
    if (body != NULL) {
        fl_blob_unref(&body->blob);
    }
    return sent;
}

static zmq_msg_t *
s_frame(fl_parcel *parcel, unsigned index)
{
    return (zmq_msg_t *)(void *)parcel->frames[index];
}

void
fl_parcel_release(fl_parcel *parcel)
{
    for (unsigned i = 0; i < parcel->held; i++) {
        zmq_msg_close(s_frame(parcel, i));
    }
    *parcel = (fl_parcel){ .descriptor = -1 };
}

static bool
s_receive_frame(fl_socket *self, zmq_msg_t *frame)
{
    zmq_msg_init(frame);
    int rc;
    do {
        rc = zmq_msg_recv(frame, self->handle, ZMQ_DONTWAIT);
    } while (rc < 0 && zmq_errno() == EINTR);
    if (rc >= 0) {
        return true;
    }
    FL_ASSERT(zmq_errno() == EAGAIN);
    zmq_msg_close(frame);
    return false;
}

static fl_bytes
s_view(zmq_msg_t *frame)
{
    return fl_bytes_of(zmq_msg_data(frame), zmq_msg_size(frame));
}

//  CURVE adds a name, a nonce, a seal and a flag, ZMTP a flag and a size of one byte or eight.
static uint64_t
s_wire_bytes(zmq_msg_t *frame)
{
    const uint64_t sealed = zmq_msg_size(frame) + 8 + 8 + 16 + 1;
    return sealed + (sealed > 255 ? 9 : 2);
}

//  What libzmq knows of the sender rides on every frame but the route.
static void
s_read_sender(fl_parcel *parcel, zmq_msg_t *header)
{
    const char *user = zmq_msg_gets(header, "User-Id");
    parcel->user = user != NULL && strlen(user) == FL_USER_CHARS ? user : NULL;
    parcel->descriptor = zmq_msg_get(header, ZMQ_SRCFD);
}

bool
fl_socket_receive(fl_socket *self, fl_parcel *parcel)
{
    const unsigned kept = self->kind == FL_SOCKET_ROUTER ? 3 : 2;
    fl_parcel_release(parcel);
    bool more = true;
    while (more) {
        zmq_msg_t scratch;
        const bool keep = parcel->held < kept;
        zmq_msg_t *frame = keep ? s_frame(parcel, parcel->held) : &scratch;
        if (!s_receive_frame(self, frame)) {
            FL_ASSERT(parcel->held == 0); // a message comes whole or not at all
            return false;
        }
        more = zmq_msg_more(frame) != 0;
        const bool route = self->kind == FL_SOCKET_ROUTER && keep && parcel->held == 0;
        parcel->wire_bytes += route ? 0 : s_wire_bytes(frame);
        if (keep) {
            parcel->held++;
        } else {
            parcel->surplus++;
            zmq_msg_close(&scratch);
        }
    }
    unsigned next = 0;
    if (self->kind == FL_SOCKET_ROUTER) {
        parcel->route = s_view(s_frame(parcel, next++));
        parcel->named = parcel->route.size != 5 || parcel->route.data[0] != 0; // not libzmq's
    }
    if (next < parcel->held) {
        s_read_sender(parcel, s_frame(parcel, next));
        parcel->header = s_view(s_frame(parcel, next++));
    }
    if (next < parcel->held) {
        parcel->body = s_view(s_frame(parcel, next));
    }
    return true;
}
