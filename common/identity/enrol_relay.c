#include "common/identity/enrol_relay.h"

#include <stdlib.h>
#include <string.h>

//  One enrolment on its way: who asked, and under which number we passed it on.
typedef struct passage {
    bool open, answered;
    fl_peer peer;
    uint64_t request; // the asker's number
    uint64_t ticket;  // ours
    fl_time since;
    fl_enrol_relay_answer answer;
} passage;

struct fl_enrol_relay {
    fl_enrol_relay_conf conf;
    uint64_t tickets;
    fl_time second;  // window of `passed`
    uint32_t passed; // enrolments handed on in it
    passage open[FL_ENROL_RELAY_OPEN];
};

fl_enrol_relay *
fl_enrol_relay_new(const fl_enrol_relay_conf *conf)
{
    fl_enrol_relay *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
    }
    return self;
}

void
fl_enrol_relay_destroy(fl_enrol_relay **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

static passage *
s_of_ticket(fl_enrol_relay *self, uint64_t ticket)
{
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        if (self->open[i].open && self->open[i].ticket == ticket) {
            return &self->open[i];
        }
    }
    return NULL;
}

//  A place for a request: the one that the same newcomer has already, a free one, or one whose
//  answer is overdue. NULL when all are taken.
static passage *
s_place(fl_enrol_relay *self, fl_peer peer, uint64_t request, fl_time now)
{
    passage *found = NULL;
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &self->open[i];
        if (at->open && at->peer == peer && at->request == request) {
            return at;
        }
        if (!at->open || now - at->since >= FL_ENROL_RELAY_MS) {
            found = at;
        }
    }
    if (found != NULL) {
        found->open = false;
    }
    return found;
}

static void
s_enrolled(const passage *at, fl_outbox *out)
{
    fl_enrolled *enrolled = &fl_outbox_send(out, at->peer, FL_ENROLLED)->enrolled;
    enrolled->request = at->request;
    enrolled->reason = at->answer.reason;
    memcpy(enrolled->text, at->answer.text, sizeof enrolled->text);
    if (at->answer.reason == FL_WHY_NONE) {
        enrolled->certificate = fl_bytes_of(at->answer.certificate, sizeof at->answer.certificate);
        enrolled->shard = at->answer.lease.shard;
        enrolled->shards = at->answer.lease.shards;
    }
}

//  A newcomer costs the root more than it costs itself: so many in a second, and no more.
static bool
s_may_pass(fl_enrol_relay *self, fl_time now)
{
    if (self->passed == 0 || now - self->second >= 1000) {
        self->second = now;
        self->passed = 0;
    }
    return self->passed++ < FL_ENROL_RELAY_PER_SECOND;
}

static void
on_enrol(fl_enrol_relay *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_enrol *enrol = &event->message.message->enrol;
    passage *at =
        s_may_pass(self, now) ? s_place(self, event->message.from, enrol->request, now) : NULL;
    if (at != NULL && !at->open) {
        *at = (passage){ .open = true,
                         .peer = event->message.from,
                         .request = enrol->request,
                         .ticket = ++self->tickets,
                         .since = now };
    } else if (at != NULL && self->conf.enrol != NULL) {
        return; // the registrar has it
    }
    bool taken = at != NULL;
    if (taken && self->conf.enrol != NULL) {
        taken = self->conf.enrol(self->conf.enrol_arg, at->ticket, enrol->sealed);
        at->open = taken;
    } else if (taken) {
        fl_enrol *up = &fl_outbox_send(out, FL_PARENT, FL_ENROL)->enrol;
        up->request = at->ticket;
        up->sealed = enrol->sealed;
    }
    if (!taken) {
        fl_refused *refused = &fl_outbox_send(out, event->message.from, FL_REFUSED)->refused;
        refused->reason = FL_WHY_BUSY;
        refused->about = FL_ENROL;
    }
}

static void
on_enrolled(fl_enrol_relay *self, const fl_enrolled *enrolled, fl_outbox *out)
{
    passage *at = s_of_ticket(self, enrolled->request);
    bool whole = enrolled->reason != FL_WHY_NONE || enrolled->certificate.size == FL_CERT_BYTES;
    if (at == NULL || !whole) {
        return; // an answer to nobody here
    }
    at->answer.reason = enrolled->reason;
    memcpy(at->answer.text, enrolled->text, sizeof at->answer.text);
    if (enrolled->reason == FL_WHY_NONE) {
        memcpy(at->answer.certificate, enrolled->certificate.data, FL_CERT_BYTES);
        at->answer.lease = (fl_lease){ .shard = enrolled->shard, .shards = enrolled->shards };
    }
    at->open = false;
    s_enrolled(at, out);
}

void
fl_enrol_relay_enrolled(fl_enrol_relay *self, uint64_t ticket, const fl_enrol_relay_answer *answer)
{
    passage *at = s_of_ticket(self, ticket);
    if (at != NULL) {
        at->answer = *answer;
        at->answered = true;
    }
}

static void
s_tell_answers(fl_enrol_relay *self, fl_outbox *out)
{
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &self->open[i];
        if (at->open && at->answered) {
            at->open = false;
            s_enrolled(at, out);
        }
    }
}

//  A child whose deny list is older than ours hears the newer one with the answer to its heartbeat.
static void
s_tell_denied(fl_enrol_relay *self, const fl_event *event, fl_outbox *out)
{
    uint64_t version = fl_identity_deny_version(self->conf.identity);
    if (event->message.message->beat.deny_version < version) {
        fl_deny *deny = &fl_outbox_send(out, event->message.from, FL_DENY)->deny;
        deny->version = version;
        deny->list = fl_identity_deny_bytes(self->conf.identity);
    }
}

static bool
s_relay(fl_enrol_relay *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    bool from_parent = event->message.from == FL_PARENT;
    if (message->verb == FL_ENROL && !from_parent) {
        on_enrol(self, event, now, out);
        return true;
    }
    if (message->verb == FL_ENROLLED && from_parent) {
        on_enrolled(self, &message->enrolled, out);
        return true;
    }
    if (message->verb == FL_DENY && from_parent) {
        return true; // the identity has taken it already
    }
    if (message->verb == FL_BEAT && !from_parent) {
        s_tell_denied(self, event, out);
    }
    return false;
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_enrol_relay *self = arg;
    s_tell_answers(self, out);
    if (event->kind == FL_EV_MESSAGE && s_relay(self, event, now, out)) {
        return;
    }
    self->conf.inner.step(self->conf.inner.self, event, now, out);
}

static fl_time
s_deadline(const void *arg)
{
    const fl_enrol_relay *self = arg;
    return self->conf.inner.deadline(self->conf.inner.self);
}

fl_machine
fl_enrol_relay_machine(fl_enrol_relay *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}
