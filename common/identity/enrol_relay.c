#include "common/identity/enrol_relay.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

//  One enrolment on its way: who asked, and under which number it is passed on.
typedef struct passage {
    bool open, sent, answered;
    fl_peer peer;
    uint64_t origin;  // whose share of the lane it takes: a network, or a known peer
    uint64_t request; // the asker's number
    uint64_t ticket;  // ours
    fl_time since;
    size_t size;
    uint8_t sealed[FL_SEALED_BYTES_MAX];
    fl_enrol_relay_answer answer;
} passage;

//  Newcomers and known keys wait apart: neither takes a place or a turn of the other.
typedef struct lane {
    fl_time next; // when the next one is passed on
    fl_time pace;
    passage open[FL_ENROL_RELAY_OPEN];
} lane;

enum { NEWCOMERS, KNOWN, LANES };

struct fl_enrol_relay {
    fl_enrol_relay_conf conf;
    uint64_t tickets;
    lane lanes[LANES];
    fl_deny_get asked; // the part of a long deny list that was asked for last
};

fl_enrol_relay *
fl_enrol_relay_new(const fl_enrol_relay_conf *conf)
{
    fl_enrol_relay *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
        self->lanes[NEWCOMERS].pace = 1000 / FL_ENROL_RELAY_PER_SECOND;
        self->lanes[KNOWN].pace = 1000 / FL_ENROL_RELAY_KNOWN_PER_SECOND;
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
    for (int i = 0; i < LANES * FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &self->lanes[i / FL_ENROL_RELAY_OPEN].open[i % FL_ENROL_RELAY_OPEN];
        if (at->open && at->ticket == ticket) {
            return at;
        }
    }
    return NULL;
}

// ---- fair shares ------------------------------------------------------------------------------
//  What an origin holds of the lane, in thousands, and what a key of it does.
static unsigned
s_held(const lane *of, uint64_t origin, fl_peer peer)
{
    unsigned held = 0;
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        const passage *at = &of->open[i];
        held += at->open && at->origin == origin ? 1000U + (at->peer == peer) : 0;
    }
    return held;
}

//  A place of the lane for one more: free, overdue, or taken from who holds most, if that is more
//  than an equal share. NULL: none.
static passage *
s_place(lane *of, uint64_t origin, fl_peer peer, fl_time now)
{
    passage *most = NULL;
    unsigned held = s_held(of, origin, peer), most_held = 0;
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &of->open[i];
        if (!at->open || now - at->since >= FL_ENROL_RELAY_MS) {
            return at;
        }
        unsigned holds = s_held(of, at->origin, at->peer);
        if (holds > most_held) {
            most = at;
            most_held = holds;
        }
    }
    bool richer = most->origin == origin ? most_held > held + 1
                                         : most_held / 1000 > held / 1000 + 1;
    return richer ? most : NULL;
}

//  Whose turn it is: who waits longest, so nobody longer than it takes to serve a full lane. -1:
//  nobody waits.
static int
s_turn(const lane *of)
{
    int found = -1;
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        const passage *at = &of->open[i];
        if (at->open && !at->sent && (found < 0 || at->since < of->open[found].since)) {
            found = i;
        }
    }
    return found;
}

// ---- up and down ------------------------------------------------------------------------------
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

static void
s_refuse(fl_outbox *out, fl_peer to)
{
    if (to == FL_PARENT) {
        return; // it was our own
    }
    fl_refused *refused = &fl_outbox_send(out, to, FL_REFUSED)->refused;
    refused->reason = FL_WHY_BUSY;
    refused->about = FL_ENROL;
}

//  An enrolment costs the root more than its sender: so many in a second, and no more.
static void
s_pass_on(fl_enrol_relay *self, lane *of, fl_time now, fl_outbox *out)
{
    int turn = now >= of->next ? s_turn(of) : -1;
    if (turn < 0) {
        return;
    }
    passage *at = &of->open[turn];
    of->next = now + of->pace;
    at->sent = true;
    fl_bytes sealed = fl_bytes_of(at->sealed, at->size);
    if (self->conf.enrol == NULL) {
        fl_enrol *up = &fl_outbox_send(out, FL_PARENT, FL_ENROL)->enrol;
        up->request = at->ticket;
        up->sealed = sealed;
    } else if (!self->conf.enrol(self->conf.enrol_arg, at->ticket, sealed)) {
        at->open = false;
        s_refuse(out, at->peer);
    }
}

static void
on_enrol(fl_enrol_relay *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_enrol *enrol = &event->message.message->enrol;
    fl_peer peer = event->message.from;
    bool known = event->message.role != FL_ROLE_NONE;
    uint64_t origin = known ? peer : event->message.origin;
    lane *of = &self->lanes[known ? KNOWN : NEWCOMERS];
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &of->open[i];
        if (at->open && at->peer == peer && at->request == enrol->request) {
            at->sent = at->sent && self->conf.enrol != NULL; // up there it may have been lost
            return;
        }
    }
    passage *at = s_place(of, origin, peer, now);
    if (at == NULL || at->open) {
        s_refuse(out, at == NULL ? peer : at->peer);
    }
    if (at != NULL) {
        *at = (passage){ .open = true, .peer = peer, .origin = origin, .since = now,
                         .request = enrol->request, .ticket = ++self->tickets,
                         .size = enrol->sealed.size };
        memcpy(at->sealed, enrol->sealed.data, enrol->sealed.size);
    }
}

// ---- our own ----------------------------------------------------------------------------------
static passage *
s_own(fl_enrol_relay *self)
{
    for (int i = 0; i < FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &self->lanes[KNOWN].open[i];
        if (at->open && at->peer == FL_PARENT) {
            return at;
        }
    }
    return NULL;
}

void
fl_enrol_relay_ask(fl_enrol_relay *self, const fl_sealed *sealed, fl_time now)
{
    passage *at = s_own(self);
    at = at != NULL ? at : s_place(&self->lanes[KNOWN], FL_PARENT, FL_PARENT, now);
    if (at != NULL) {
        *at = (passage){ .open = true,
                         .peer = FL_PARENT,
                         .origin = FL_PARENT,
                         .since = now,
                         .ticket = ++self->tickets,
                         .size = sealed->size };
        memcpy(at->sealed, sealed->bytes, sealed->size);
    }
}

bool
fl_enrol_relay_answered(fl_enrol_relay *self, fl_enrol_relay_answer *answer)
{
    passage *at = s_own(self);
    bool answered = at != NULL && at->answered;
    if (answered) {
        *answer = at->answer;
        at->open = false;
    }
    return answered;
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
on_enrolled(fl_enrol_relay *self, const fl_enrolled *enrolled)
{
    fl_enrol_relay_answer answer = { .reason = enrolled->reason };
    memcpy(answer.text, enrolled->text, sizeof answer.text);
    if (enrolled->reason == FL_WHY_NONE) {
        if (enrolled->certificate.size != FL_CERT_BYTES) {
            return;
        }
        memcpy(answer.certificate, enrolled->certificate.data, FL_CERT_BYTES);
        answer.lease = (fl_lease){ .shard = enrolled->shard, .shards = enrolled->shards };
    }
    fl_enrol_relay_enrolled(self, enrolled->request, &answer);
}

static void
s_tell_answers(fl_enrol_relay *self, fl_outbox *out)
{
    for (int i = 0; i < LANES * FL_ENROL_RELAY_OPEN; i++) {
        passage *at = &self->lanes[i / FL_ENROL_RELAY_OPEN].open[i % FL_ENROL_RELAY_OPEN];
        if (at->open && at->answered && at->peer != FL_PARENT) {
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
    fl_bytes list = fl_identity_deny_bytes(self->conf.identity);
    if (event->message.message->beat.deny_version > version && self->conf.enrol != NULL) {
        fl_log(FL_LOG_ERROR, "restored", fl_log_text("peer", event->message.node.name),
               fl_log_u64("has_list", event->message.message->beat.deny_version),
               fl_log_u64("ours", version));
    }
    if (event->message.message->beat.deny_version < version && list.size <= FL_DENY_WHOLE_MAX) {
        fl_deny *deny = &fl_outbox_send(out, event->message.from, FL_DENY)->deny;
        deny->version = version;
        deny->list = list;
    }
}

//  A part of a list that is too long for that. Of another version than the one asked for: from the
//  beginning.
static void
s_tell_part(fl_enrol_relay *self, const fl_event *event, fl_outbox *out)
{
    const fl_deny_get *get = &event->message.message->deny_get;
    uint64_t version = fl_identity_deny_version(self->conf.identity);
    fl_bytes list = fl_identity_deny_bytes(self->conf.identity);
    uint64_t offset = get->version == version ? get->offset : 0;
    if (offset < list.size) {
        size_t left = list.size - (size_t)offset;
        fl_deny_part *part = &fl_outbox_send(out, event->message.from, FL_DENY_PART)->deny_part;
        part->version = version;
        part->total = list.size;
        part->offset = offset;
        part->part = fl_bytes_of(list.data + offset,
                                 left < FL_DENY_BYTES_MAX ? left : FL_DENY_BYTES_MAX);
    }
}

//  The parent has a newer list and did not send it before it said so: it is a long one. A part is
//  asked for once, and again with each heartbeat: it may have been lost.
static void
s_ask_part(fl_enrol_relay *self, uint64_t version, bool beat, fl_outbox *out)
{
    fl_deny_get get = { .version = version,
                        .offset = fl_identity_deny_missing(self->conf.identity, version) };
    bool asked = self->asked.version == get.version && self->asked.offset == get.offset;
    if (version > fl_identity_deny_version(self->conf.identity) && (beat || !asked)) {
        fl_outbox_send(out, FL_PARENT, FL_DENY_GET)->deny_get = get;
        self->asked = get;
    }
}

//  True: it was for us. Admission lets each of these verbs come from one side only, but for BEAT.
static bool
s_relay(fl_enrol_relay *self, const fl_event *event, fl_time now, fl_outbox *out)
{
    const fl_message *message = event->message.message;
    switch ((int)message->verb) {
    case FL_ENROL:
        on_enrol(self, event, now, out);
        return true;
    case FL_ENROLLED:
        on_enrolled(self, &message->enrolled);
        return true;
    case FL_DENY: // the identity has taken it already
        return true;
    case FL_DENY_PART: // likewise
        s_ask_part(self, message->deny_part.version, false, out);
        return true;
    case FL_DENY_GET:
        s_tell_part(self, event, out);
        return true;
    case FL_BEAT:
        if (event->message.from == FL_PARENT) {
            s_ask_part(self, message->beat.deny_version, true, out);
        } else {
            s_tell_denied(self, event, out);
        }
        return false;
    default:
        return false;
    }
}

static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    fl_enrol_relay *self = arg;
    bool taken = event->kind == FL_EV_MESSAGE && s_relay(self, event, now, out);
    s_tell_answers(self, out);
    for (int i = 0; i < LANES; i++) {
        s_pass_on(self, &self->lanes[i], now, out);
    }
    if (!taken) {
        self->conf.inner.step(self->conf.inner.self, event, now, out);
    }
}

static fl_time
s_deadline(const void *arg)
{
    const fl_enrol_relay *self = arg;
    fl_time due = self->conf.inner.deadline(self->conf.inner.self);
    for (int i = 0; i < LANES; i++) {
        const lane *of = &self->lanes[i];
        due = of->next < due && s_turn(of) >= 0 ? of->next : due;
    }
    return due;
}

fl_machine
fl_enrol_relay_machine(fl_enrol_relay *self)
{
    return (fl_machine){ .self = self, .step = s_step, .deadline = s_deadline };
}
