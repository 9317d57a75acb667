#include "common/net/reactor.h"

#include <czmq.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/machine/outbox.h"
#include "common/net/admin_socket.h"
#include "common/net/courier.h"
#include "common/wire/verb_table.h"

enum {
    BATCH_MAX = 32,          // messages of one lane in one turn, so that none starves
    WAIT_MAX_MS = 60 * 1000,
    POLLED_MAX = 3 * FL_WATCHED + 1 + 3 + 1 + FL_WATCHES_MAX,
};

typedef struct watch {
    int descriptor;
    void (*ready)(void *arg);
    void *arg;
} watch;

struct fl_reactor {
    fl_reactor_conf conf;
    fl_metrics *metrics;
    fl_courier courier; // holds the dialer
    fl_admin_socket *operator;
    fl_outbox *outbox;
    fl_parcel parcel;
    fl_time now;
    watch watches[FL_WATCHES_MAX];
    unsigned watch_count;
    pthread_mutex_t lock;    // guards the posts
    fl_event *posts;         // (conf.posts_max), a ring
    uint32_t post_first, post_count;
    int wake;                // eventfd: a post or a stop
};

static fl_time
s_clock(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (fl_time)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

//  Seconds since 1970, for certificates; 0 when the clock stands before that.
static uint64_t
s_wall_s(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec < 0 ? 0 : (uint64_t)at.tv_sec;
}

static void
s_step(fl_reactor *self, const fl_event *event, fl_bytes body)
{
    fl_event stamped = *event;
    stamped.wall_s = s_wall_s();
    fl_outbox_reset(self->outbox);
    self->conf.machine.step(self->conf.machine.self, &stamped, self->now, self->outbox);
    for (uint32_t i = 0; i < fl_outbox_count(self->outbox); i++) {
        fl_courier_obey(&self->courier, fl_outbox_at(self->outbox, i), body);
    }
}

// ---- receiving --------------------------------------------------------------------------------
static void
s_step_message(fl_reactor *self, fl_peer from, const fl_badge *badge, uint64_t origin,
               const fl_message *message)
{
    fl_event event = { .kind = FL_EV_MESSAGE };
    event.message.from = from;
    event.message.message = message;
    event.message.origin = origin;
    event.message.body_bytes = (uint32_t)self->parcel.body.size;
    if (badge != NULL) {
        event.message.node = badge->node;
        event.message.role = badge->role;
    }
    s_step(self, &event, self->parcel.body);
}

static void
s_refuse(fl_reactor *self, fl_way way, const fl_judgement *verdict)
{
    if (verdict->kind == FL_JUDGED_REFUSE) {
        fl_courier_refuse(&self->courier, way, self->parcel.route, &verdict->refused);
    }
    const fl_name *node = verdict->badge != NULL ? &verdict->badge->node : NULL;
    self->conf.host.refused(self->conf.host.self, way, node, &verdict->refused);
}

//  One message of a child. False: none waits.
static bool
s_receive_child(fl_reactor *self, fl_way way)
{
    fl_listener *listener = self->conf.listener;
    fl_message message;
    if (!fl_socket_receive(listener->link[way], &self->parcel)) {
        return false;
    }
    const fl_judgement verdict =
        fl_admission_judge(listener->gate, way, &self->parcel, self->now, &message);
    if (verdict.kind == FL_JUDGED_PASS) {
        s_step_message(self, verdict.peer, verdict.badge, verdict.origin, &message);
    } else {
        s_refuse(self, way, &verdict);
    }
    return true;
}

static void
s_refuse_parent(fl_reactor *self, fl_way way, fl_drop drop, fl_reason reason, fl_verb about,
                const char *text)
{
    fl_refused refused = { .reason = reason, .about = about };
    snprintf(refused.text, sizeof refused.text, "%s", text);
    self->metrics->net_dropped_total[drop]++;
    self->metrics->net_refused_total[reason]++;
    self->conf.host.refused(self->conf.host.self, way, NULL, &refused);
}

//  One message of the parent. False: none waits.
static bool
s_receive_parent(fl_reactor *self, fl_way way, fl_socket *link, fl_lane lane)
{
    fl_message message;
    if (link == NULL || !fl_socket_receive(link, &self->parcel)) {
        return false;
    }
    const fl_parcel *parcel = &self->parcel;
    self->metrics->net_messages_in_total[way]++;
    self->metrics->net_bytes_in_total[way] += parcel->header.size + parcel->body.size;
    (void)fl_guard_heard(self->courier.dialer.guard,
                         way == FL_WAY_PARENT ? FL_WAY_CONTROL : FL_WAY_DOWN, parcel->descriptor,
                         parcel->wire_bytes, self->now);
    const fl_codec_result result = fl_decode(parcel->header, parcel->body.size, &message);
    if (result.code != FL_CODEC_OK || parcel->surplus > 0) {
        const fl_reason reason =
            result.code == FL_CODEC_VERSION ? FL_WHY_VERSION : FL_WHY_MALFORMED;
        self->metrics->net_codec_total[result.code]++;
        s_refuse_parent(self, way, FL_DROP_MALFORMED, reason, FL_VERB_NONE, result.text);
    } else if (!fl_verb_allowed(message.verb, lane, FL_FROM_PARENT)) {
        s_refuse_parent(self, way, FL_DROP_WAY, FL_WHY_MALFORMED, message.verb,
                        "this verb is not allowed here");
    } else {
        const fl_reason reason =
            self->conf.ops->incoming(self->conf.ops->self, FL_PARENT, NULL, &message);
        if (reason == FL_WHY_NONE) {
            s_step_message(self, FL_PARENT, NULL, 0, &message);
        } else {
            s_refuse_parent(self, way, FL_DROP_PARENT, reason, message.verb,
                            message.verb == FL_WELCOME
                                ? "the parent's certificate does not hold here"
                                : "the parent's message failed its check");
        }
    }
    return true;
}

static void
s_tell_gone(fl_reactor *self)
{
    fl_event event = { .kind = FL_EV_GONE };
    while (fl_admission_gone(self->conf.listener->gate, &event.gone.peer, &event.gone.reason)) {
        s_step(self, &event, fl_bytes_of(NULL, 0));
    }
}

//  What a guard has shut, for the log. True: the parent is among them.
static bool
s_tell_notices(fl_reactor *self, fl_guard *guard, bool parents)
{
    fl_notice notice;
    bool cut = false;
    while (fl_guard_told(guard, &notice)) {
        const fl_badge *badge =
            parents ? NULL : fl_admission_badge(self->conf.listener->gate, notice.peer);
        const fl_way way = parents ? (fl_way)(notice.way + FL_WAY_PARENT) : notice.way;
        self->conf.host.cut(self->conf.host.self, way, badge != NULL ? &badge->node : NULL,
                            notice.text);
        if (!parents && notice.flood && badge != NULL) {
            fl_admission_shun(self->conf.listener->gate, notice.peer, self->now);
        }
        cut = parents;
    }
    return cut;
}

//  Handshakes first, then the news of connections, then what they say: so a message never comes
//  before its connection is known.
static void
s_drain_children(fl_reactor *self)
{
    fl_listener *listener = self->conf.listener;
    fl_zap_serve(listener->zap, BATCH_MAX, self->now);
    fl_guard_listen(listener->guard, self->now);
    for (unsigned way = 0; way < FL_WATCHED; way++) {
        bool more = true;
        for (int n = 0; more && n < BATCH_MAX; n++) {
            more = s_receive_child(self, (fl_way)way);
        }
        fl_guard_drained(listener->guard, (fl_way)way, !more);
    }
    if (self->now >= fl_guard_deadline(listener->guard)) {
        fl_guard_look(listener->guard, self->now);
    }
    (void)s_tell_notices(self, listener->guard, false);
    s_tell_gone(self);
}

//  A parent that holds too much is left: its lanes are closed, so that libzmq does not connect
//  anew, and the machine goes back to it after its backoff.
static void
s_watch_parent(fl_reactor *self)
{
    fl_guard *guard = self->courier.dialer.guard;
    if (self->now >= fl_guard_deadline(guard)) {
        fl_guard_look(guard, self->now);
    }
    if (s_tell_notices(self, guard, true)) {
        fl_dialer_leave(&self->courier.dialer);
        fl_event event = { .kind = FL_EV_GONE };
        event.gone.peer = FL_PARENT;
        event.gone.reason = FL_WHY_FULL;
        s_step(self, &event, fl_bytes_of(NULL, 0));
    }
}

//  The links are looked up for each message: a step may remake them.
static void
s_drain_parent(fl_reactor *self)
{
    fl_dialer *dialer = &self->courier.dialer;
    bool more = true;
    fl_guard_listen(dialer->guard, self->now);
    for (fl_lane lane = FL_LANE_UP; lane <= FL_LANE_DOWN; lane++) {
        if (fl_guard_proved(dialer->guard, lane == FL_LANE_UP ? FL_WAY_UP : FL_WAY_DOWN)) {
            const fl_event event = { .kind = FL_EV_LANE, .lane.lane = lane };
            s_step(self, &event, fl_bytes_of(NULL, 0));
        }
    }
    for (int n = 0; more && n < BATCH_MAX; n++) {
        more = s_receive_parent(self, FL_WAY_PARENT, dialer->control, FL_LANE_CONTROL);
    }
    fl_guard_drained(dialer->guard, FL_WAY_CONTROL, !more);
    more = true;
    for (int n = 0; more && n < BATCH_MAX; n++) {
        more = s_receive_parent(self, FL_WAY_PARENT_DOWN, dialer->lane[FL_LANE_DOWN], FL_LANE_DOWN);
    }
    fl_guard_drained(dialer->guard, FL_WAY_DOWN, !more);
    s_watch_parent(self);
}

static void
s_drain_operator(fl_reactor *self)
{
    uint32_t ticket;
    fl_ask ask;
    for (int n = 0; n < BATCH_MAX && fl_admin_socket_ask(self->operator, & ticket, &ask); n++) {
        self->conf.host.ask(self->conf.host.self, ticket, &ask);
    }
}

static bool
s_take_post(fl_reactor *self, fl_event *event)
{
    pthread_mutex_lock(&self->lock);
    const bool found = self->post_count > 0;
    if (found) {
        *event = self->posts[self->post_first];
        self->post_first = (self->post_first + 1) % self->conf.posts_max;
        self->post_count--;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

static void
s_drain_posts(fl_reactor *self)
{
    uint64_t count;
    fl_event event;
    ssize_t size = read(self->wake, &count, sizeof count);
    FL_ASSERT(size == sizeof count || errno == EAGAIN);
    for (uint32_t n = 0; n < self->conf.posts_max && s_take_post(self, &event); n++) {
        s_step(self, &event, fl_bytes_of(NULL, 0));
    }
}

// ---- the loop ---------------------------------------------------------------------------------
static void
s_poll_socket(zmq_pollitem_t *items, int *count, void *handle)
{
    if (handle != NULL) {
        items[(*count)++] = (zmq_pollitem_t){ .socket = handle, .events = ZMQ_POLLIN };
    }
}

static void
s_poll_news(zmq_pollitem_t *items, int *count, fl_guard *guard)
{
    for (unsigned i = 0; guard != NULL && i < FL_WATCHED; i++) {
        s_poll_socket(items, count, fl_guard_handle(guard, (fl_way)i));
    }
}

static void
s_poll_link(zmq_pollitem_t *items, int *count, fl_socket *link)
{
    s_poll_socket(items, count, link != NULL ? fl_socket_handle(link) : NULL);
}

//  The watched descriptors come first, in their order.
static int
s_poll_items(fl_reactor *self, zmq_pollitem_t items[POLLED_MAX])
{
    int count = 0;
    for (unsigned i = 0; i < self->watch_count; i++) {
        items[count++] = (zmq_pollitem_t){ .fd = self->watches[i].descriptor,
                                           .events = ZMQ_POLLIN };
    }
    items[count++] = (zmq_pollitem_t){ .fd = self->wake, .events = ZMQ_POLLIN };
    fl_listener *listener = self->conf.listener;
    for (unsigned i = 0; listener != NULL && i < FL_WATCHED; i++) {
        s_poll_link(items, &count, listener->link[i]);
    }
    s_poll_news(items, &count, self->courier.dialer.guard);
    if (listener != NULL) {
        s_poll_news(items, &count, listener->guard);
        s_poll_socket(items, &count, fl_zap_handle(listener->zap));
    }
    s_poll_link(items, &count, self->courier.dialer.control);
    s_poll_link(items, &count, self->courier.dialer.lane[FL_LANE_DOWN]);
    if (self->operator != NULL) {
        s_poll_socket(items, &count, fl_admin_socket_handle(self->operator));
    }
    return count;
}

static bool
s_posts_wait(fl_reactor *self)
{
    pthread_mutex_lock(&self->lock);
    const bool wait = self->post_count > 0;
    pthread_mutex_unlock(&self->lock);
    return wait;
}

static long
s_wait_ms(fl_reactor *self, uint32_t wait_ms)
{
    if (s_posts_wait(self)) {
        return 0;
    }
    fl_time due = self->conf.machine.deadline(self->conf.machine.self);
    const fl_guard *guards[] = { self->conf.listener != NULL ? self->conf.listener->guard : NULL,
                                 self->courier.dialer.guard };
    for (unsigned i = 0; i < sizeof guards / sizeof *guards; i++) {
        if (guards[i] != NULL && fl_guard_deadline(guards[i]) < due) {
            due = fl_guard_deadline(guards[i]);
        }
    }
    const fl_time now = s_clock();
    fl_time left = due <= now ? 0 : due - now;
    if (due <= self->now) {
        left = 1; // stepped at that time already and still due: no reason to spin
    }
    return left < (fl_time)wait_ms ? (long)left : (long)wait_ms;
}

void
fl_reactor_turn(fl_reactor *self, uint32_t wait_ms)
{
    zmq_pollitem_t items[POLLED_MAX];
    const int count = s_poll_items(self, items);
    const int rc = zmq_poll(items, count, s_wait_ms(self, wait_ms));
    FL_ASSERT(rc >= 0 || zmq_errno() == EINTR);
    self->now = s_clock();
    self->metrics->net_turns_total++;
    for (unsigned i = 0; rc > 0 && i < self->watch_count; i++) {
        if ((items[i].revents & ZMQ_POLLIN) != 0) {
            self->watches[i].ready(self->watches[i].arg);
        }
    }
    s_drain_posts(self);
    if (self->conf.listener != NULL) {
        s_drain_children(self);
    }
    if (self->conf.dialer != NULL) {
        s_drain_parent(self);
    }
    if (self->operator != NULL) {
        s_drain_operator(self);
    }
    if (self->now >= self->conf.machine.deadline(self->conf.machine.self)) {
        s_step(self, &(fl_event){ .kind = FL_EV_TICK }, fl_bytes_of(NULL, 0));
    }
    fl_parcel_release(&self->parcel);
}

static void
s_wake(fl_reactor *self)
{
    const uint64_t one = 1;
    ssize_t size = write(self->wake, &one, sizeof one);
    FL_ASSERT(size == sizeof one || errno == EAGAIN); // EAGAIN: it is awake
}

fl_status
fl_reactor_post(fl_reactor *self, const fl_event *event)
{
    FL_ASSERT(event->kind != FL_EV_MESSAGE && event->kind < FL_EV_COUNT);
    pthread_mutex_lock(&self->lock);
    const bool full = self->post_count == self->conf.posts_max;
    if (!full) {
        self->posts[(self->post_first + self->post_count) % self->conf.posts_max] = *event;
        self->post_count++;
    }
    pthread_mutex_unlock(&self->lock);
    s_wake(self);
    return full ? FL_FULL : FL_OK;
}

void
fl_reactor_watch(fl_reactor *self, int descriptor, void (*ready)(void *arg), void *arg)
{
    FL_ASSERT(descriptor >= 0 && self->watch_count < FL_WATCHES_MAX);
    self->watches[self->watch_count++] = (watch){ descriptor, ready, arg };
}

void
fl_reactor_answer(fl_reactor *self, uint32_t ticket, uint8_t code, fl_blob **json_p)
{
    FL_ASSERT(self->operator != NULL);
    fl_admin_socket_answer(self->operator, ticket, code, json_p);
}

fl_time
fl_reactor_now(const fl_reactor *self)
{
    return self->now;
}

static fl_status
s_open(fl_reactor *self, fl_why *why)
{
    const fl_reactor_conf *conf = &self->conf;
    self->outbox = fl_outbox_new(conf->effects_max);
    self->posts = calloc(conf->posts_max, sizeof *self->posts);
    if (self->outbox == NULL || self->posts == NULL) {
        return fl_fail(FL_NOMEM, why, "net: no memory for %u effects and %u posts",
                       conf->effects_max, conf->posts_max);
    }
    self->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->wake < 0) {
        return fl_fail(FL_IO, why, "net: cannot make an eventfd: %s", strerror(errno));
    }
    fl_status status = FL_OK;
    if (conf->operator_endpoint != NULL) {
        self->operator= fl_admin_socket_new(conf->operator_endpoint, self->metrics, why);
        status = self->operator != NULL ? FL_OK : FL_IO;
    }
    if (status == FL_OK && conf->dialer != NULL) {
        status = fl_dialer_open(&self->courier.dialer, conf->dialer, self->metrics, why);
    }
    return status;
}

fl_reactor *
fl_reactor_new(const fl_reactor_conf *conf, fl_why *why)
{
    FL_ASSERT(conf->effects_max > 0 && conf->posts_max > 0);
    FL_ASSERT(conf->ops != NULL && conf->metrics != NULL);
    fl_reactor *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fl_why_set(why, "net: no memory for a reactor");
        return NULL;
    }
    self->conf = *conf;
    self->metrics = conf->metrics;
    self->courier = (fl_courier){
        .host = conf->host, .ops = conf->ops, .metrics = conf->metrics, .listener = conf->listener
    };
    self->parcel.descriptor = -1;
    self->wake = -1;
    self->now = s_clock();
    FL_ASSERT(pthread_mutex_init(&self->lock, NULL) == 0);
    if (s_open(self, why) != FL_OK) {
        fl_reactor_destroy(&self);
    }
    return self;
}

void
fl_reactor_destroy(fl_reactor **self_p)
{
    fl_reactor *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    fl_parcel_release(&self->parcel);
    fl_dialer_close(&self->courier.dialer);
    fl_admin_socket_destroy(&self->operator);
    if (self->wake >= 0) {
        close(self->wake);
    }
    fl_outbox_destroy(&self->outbox);
    pthread_mutex_destroy(&self->lock);
    free(self->posts);
    free(self);
}
