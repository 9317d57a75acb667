#include "common/net/admission.h"

#include <czmq.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/verb_table.h"

enum { ROUTE_BYTES = 5, WINDOW_MS = 1000 };

typedef struct route {
    uint8_t bytes[ROUTE_BYTES];
    uint8_t size; // 0: none
} route;

typedef enum rank { EMPTY, KNOWN, GUEST, SEATED } rank;

//  Per key. KNOWN: was admitted once, has to say HELLO.
typedef struct session {
    rank rank;
    fl_peer peer; // generation << 16 | place
    uint8_t key[FL_KEY_BYTES];
    char user[FL_USER_CHARS + 1];
    fl_badge badge;
    route control, down, enrol;
    char place[FL_PLACE_CHARS + 1]; // of `control`
    struct {
        route route;
        fl_badge badge;
        char place[FL_PLACE_CHARS + 1];
    } hello;         // the last one; another process may hold the seat
    uint64_t origin; // a guest's network
    fl_time let_in_until[FL_WATCHED]; // when those let in that have not said a word are forgotten
    fl_time heard;
    fl_time shunned_until;
    fl_reason gone; // to be told; FL_WHY_NONE: nothing to tell
} session;

struct fl_admission {
    fl_admission_conf conf;
    const fl_admission_ops *ops;
    fl_guard *guard;
    fl_metrics *metrics;
    zhashx_t *by_user; // User-Id -> session
    session *sessions; // (conf.sessions_max)
    uint32_t used;     // places ever used
    uint32_t guests;
    uint32_t gone; // sessions with something to tell
};

static const fl_lane lane_of[FL_WATCHED] = {
    [FL_WAY_CONTROL] = FL_LANE_CONTROL, [FL_WAY_UP] = FL_LANE_UP, [FL_WAY_DOWN] = FL_LANE_DOWN
};

fl_admission *
fl_admission_new(const fl_admission_conf *conf, const fl_admission_ops *ops, fl_guard *guard,
                 fl_metrics *metrics)
{
    FL_ASSERT(conf->sessions_max >= 1 && conf->sessions_max <= FL_SESSIONS_MAX);
    FL_ASSERT(conf->guests_max <= FL_GUESTS_MAX && conf->guests_max <= conf->sessions_max);
    fl_admission *self = calloc(1, sizeof *self);
    session *sessions = calloc(conf->sessions_max, sizeof *sessions);
    zhashx_t *by_user = zhashx_new();
    if (self == NULL || sessions == NULL || by_user == NULL) {
        free(self);
        free(sessions);
        zhashx_destroy(&by_user);
        return NULL;
    }
    *self = (fl_admission){ .conf = *conf,
                            .ops = ops,
                            .guard = guard,
                            .metrics = metrics,
                            .by_user = by_user,
                            .sessions = sessions };
    return self;
}

void
fl_admission_destroy(fl_admission **self_p)
{
    fl_admission *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        zhashx_destroy(&self->by_user);
        free(self->sessions);
        free(self);
    }
}

//  May this key speak? Who has no seat may be about to show a newer certificate: that the one
//  shown last has ended is not held against it.
static fl_reason
s_standing(const fl_admission *self, const session *at, const uint8_t key[FL_KEY_BYTES])
{
    const fl_admission_ops *ops = self->ops;
    if (at == NULL || at->badge.role == FL_ROLE_NONE) {
        return ops->standing(ops->self, key, NULL);
    }
    fl_badge badge = at->badge;
    badge.not_after = at->rank == SEATED ? badge.not_after : UINT64_MAX;
    return ops->standing(ops->self, key, &badge);
}

//  Its first word makes room for the next one. One that ended before cannot be told from those that
//  stay silent, so each is forgotten after FL_UNHEARD_MS: who comes back twice in a moment, as a
//  process does that stood still, is not shut out for as long as a silent connection may last.
static fl_zap_verdict
s_let_in(fl_admission *self, fl_way way, session *at, fl_time now)
{
    fl_time *until = &at->let_in_until[way];
    const fl_time unheard = *until > now ? *until - now : 0;
    if (unheard > (FL_KEY_UNHEARD - 1) * FL_UNHEARD_MS) {
        fl_guard_tell(self->guard, (fl_notice){ way, at->peer, false,
                                                "too many silent connections of one key" });
        return FL_ZAP_LATER;
    }
    *until = now + unheard + FL_UNHEARD_MS;
    return FL_ZAP_ADMIT;
}

fl_zap_verdict
fl_admission_admits(void *arg, fl_way way, const uint8_t key[FL_KEY_BYTES], fl_time now)
{
    fl_admission *self = arg;
    char user[FL_USER_CHARS + 1];
    fl_hex(key, FL_KEY_BYTES, user);
    session *at = zhashx_lookup(self->by_user, user);
    if (s_standing(self, at, key) != FL_WHY_NONE || (at != NULL && now < at->shunned_until)) {
        self->metrics->net_keys_denied_total++;
        return FL_ZAP_DENY;
    }
    if (way == FL_WAY_CONTROL) {
        return FL_ZAP_ADMIT;
    }
    const fl_zap_verdict verdict =
        at != NULL && at->rank == SEATED ? s_let_in(self, way, at, now) : FL_ZAP_LATER;
    self->metrics->net_keys_later_total += verdict == FL_ZAP_LATER ? 1 : 0;
    return verdict;
}

// ---- sessions ---------------------------------------------------------------------------------
static session *
s_session(const fl_admission *self, fl_peer peer)
{
    const uint32_t place = peer & 0xffff;
    if (place >= self->used || self->sessions[place].rank == EMPTY ||
        self->sessions[place].peer != peer) {
        return NULL;
    }
    return &self->sessions[place];
}

//  The key without a seat that was not heard for longest; NULL when there is none.
static session *
s_longest_silent(fl_admission *self)
{
    session *found = NULL;
    for (uint32_t i = 0; i < self->used; i++) {
        session *at = &self->sessions[i];
        if (at->rank == KNOWN && at->gone == FL_WHY_NONE &&
            (found == NULL || at->heard < found->heard)) {
            found = at;
        }
    }
    return found;
}

//  The guest that makes room for one more: of those that share a network with the most others, the
//  one not heard for longest. So who floods pushes out his own.
static session *
s_crowded(fl_admission *self)
{
    session *found = NULL;
    uint32_t crowd = 0;
    for (uint32_t i = 0; i < self->used; i++) {
        session *at = &self->sessions[i];
        uint32_t like = 0;
        for (uint32_t k = 0; at->rank == GUEST && at->gone == FL_WHY_NONE && k < self->used; k++) {
            like += self->sessions[k].rank == GUEST && self->sessions[k].origin == at->origin;
        }
        if (like > crowd || (like > 0 && like == crowd && at->heard < found->heard)) {
            found = at;
            crowd = like;
        }
    }
    return found;
}

//  A place for a new key: a fresh one, or that of the key that was longest without a seat. A
//  place that changes hands gets a new peer number.
static session *
s_place(fl_admission *self, bool guest)
{
    session *at = NULL;
    if (guest && self->guests >= self->conf.guests_max) {
        at = s_crowded(self);
    } else if (self->used < self->conf.sessions_max) {
        at = &self->sessions[self->used];
        at->peer = self->used++;
    } else {
        at = s_longest_silent(self);
        at = at != NULL ? at : s_crowded(self);
    }
    if (at != NULL && at->rank != EMPTY) {
        self->guests -= at->rank == GUEST ? 1 : 0;
        fl_guard_unseat(self->guard, at->peer);
        zhashx_delete(self->by_user, at->user);
        fl_peer peer = at->peer + 0x10000; // FL_PARENT has a place that is never used: 0xffff
        *at = (session){ .peer = peer };
    }
    return at;
}

//  NULL when every place holds an admitted child.
static session *
s_session_for(fl_admission *self, const fl_parcel *parcel, const uint8_t key[FL_KEY_BYTES],
              bool guest)
{
    session *at = zhashx_lookup(self->by_user, parcel->user);
    if (at == NULL) {
        at = s_place(self, guest);
        if (at == NULL) {
            return NULL;
        }
        memcpy(at->key, key, FL_KEY_BYTES);
        memcpy(at->user, parcel->user, FL_USER_CHARS + 1);
        FL_ASSERT(zhashx_insert(self->by_user, at->user, at) == 0);
    }
    self->guests -= at->rank == GUEST ? 1 : 0;
    self->guests += guest ? 1 : 0;
    at->rank = guest ? GUEST : SEATED;
    return at;
}

static void
s_unseat(fl_admission *self, session *at)
{
    fl_guard_unseat(self->guard, at->peer);
    self->guests -= at->rank == GUEST ? 1 : 0;
    at->rank = KNOWN;
    at->control.size = 0;
    at->down.size = 0;
}

static void
s_lose_standing(fl_admission *self, session *at, fl_reason reason)
{
    self->metrics->net_cut_standing_total += fl_guard_cut_peer(self->guard, at->peer);
    s_unseat(self, at);
    self->gone += at->gone == FL_WHY_NONE ? 1 : 0;
    at->gone = reason;
}

static bool
s_on_route(const route *self, fl_bytes bytes)
{
    return self->size == bytes.size && self->size > 0 &&
           memcmp(self->bytes, bytes.data, bytes.size) == 0;
}

static void
s_take_route(route *self, fl_bytes bytes)
{
    FL_ASSERT(bytes.size == ROUTE_BYTES);
    memcpy(self->bytes, bytes.data, ROUTE_BYTES);
    self->size = ROUTE_BYTES;
}

// ---- verdicts ---------------------------------------------------------------------------------
static fl_judgement
s_drop(fl_admission *self, fl_drop drop, fl_reason reason, fl_verb about, const char *text)
{
    fl_judgement verdict = { .kind = FL_JUDGED_DROP,
                             .refused = { .reason = reason, .about = about } };
    snprintf(verdict.refused.text, sizeof verdict.refused.text, "%s", text);
    self->metrics->net_dropped_total[drop]++;
    self->metrics->net_refused_total[reason]++;
    return verdict;
}

//  A drop that the sender hears of, unless it was told often enough on this connection.
static fl_judgement
s_refuse(fl_admission *self, fl_visitor *visitor, fl_time now, fl_judgement verdict)
{
    if (visitor == NULL) {
        return verdict;
    }
    if (now - visitor->refused_since >= WINDOW_MS) {
        visitor->refused_since = now;
        visitor->refused = 0;
    }
    if (visitor->refused >= FL_REFUSALS_PER_SECOND) {
        self->metrics->net_refusals_unsaid_total++;
        return verdict;
    }
    visitor->refused++;
    verdict.kind = FL_JUDGED_REFUSE;
    return verdict;
}

//  Refused so often in this second that a certificate of it is not even looked at: a look costs a
//  signature check, and nobody honest says HELLO so often.
static bool
s_tiresome(const fl_visitor *visitor, fl_time now)
{
    return visitor != NULL && now - visitor->refused_since < WINDOW_MS &&
           visitor->refused >= FL_REFUSALS_PER_SECOND;
}

static fl_judgement
s_pass(fl_admission *self, session *at, fl_visitor *visitor, fl_time now, bool seat)
{
    at->heard = now;
    if (visitor != NULL) {
        fl_guard_name(self->guard, visitor, at->peer, at->rank == SEATED, seat);
        at->let_in_until[visitor->way] -= visitor->messages == 1 ? FL_UNHEARD_MS : 0;
    }
    return (fl_judgement){ .kind = FL_JUDGED_PASS,
                           .peer = at->peer,
                           .badge = at->rank == SEATED ? &at->badge : NULL };
}

static fl_judgement
s_hello(fl_admission *self, const fl_parcel *parcel, const uint8_t key[FL_KEY_BYTES],
        const fl_hello *hello, fl_visitor *visitor, fl_time now)
{
    fl_badge badge = { .role = FL_ROLE_NONE };
    if (s_tiresome(visitor, now)) {
        return s_drop(self, FL_DROP_REFUSED, FL_WHY_BUSY, FL_HELLO, "not checked: too many");
    }
    fl_reason reason =
        self->ops->check(self->ops->self, hello->certificate, key, hello->role, &badge);
    if (reason == FL_WHY_NONE) {
        reason = self->ops->standing(self->ops->self, key, &badge);
    }
    if (reason != FL_WHY_NONE) {
        return s_drop(self, FL_DROP_REFUSED, reason, FL_HELLO,
                      "the certificate does not admit this key here");
    }
    session *at = s_session_for(self, parcel, key, false);
    if (at == NULL) {
        return s_drop(self, FL_DROP_REFUSED, FL_WHY_FULL, FL_HELLO, "no room for another key");
    }
    s_take_route(&at->hello.route, parcel->route);
    at->hello.badge = badge;
    fl_descriptor_place(parcel->descriptor, at->hello.place);
    self->metrics->net_admitted_total++;
    const bool seat = at->control.size == 0 || s_on_route(&at->control, parcel->route);
    if (seat) {
        fl_admission_welcome(self, at->peer);
    }
    fl_judgement verdict = s_pass(self, at, visitor, now, seat);
    verdict.badge = &at->hello.badge;
    return verdict;
}

static fl_judgement
s_enrol(fl_admission *self, const fl_parcel *parcel, const uint8_t key[FL_KEY_BYTES],
        fl_visitor *visitor, fl_time now)
{
    session *at = zhashx_lookup(self->by_user, parcel->user);
    if (at == NULL || at->badge.role == FL_ROLE_NONE) {
        at = self->conf.guests_max > 0 ? s_session_for(self, parcel, key, true) : NULL;
    }
    if (at == NULL) {
        return s_drop(self, FL_DROP_REFUSED, FL_WHY_FULL, FL_ENROL, "no room for new nodes");
    }
    s_take_route(&at->enrol, parcel->route);
    fl_judgement verdict = s_pass(self, at, visitor, now, false);
    verdict.badge = at->rank == GUEST ? NULL : &at->badge; // seated, or was once
    verdict.origin = at->origin = fl_descriptor_origin(parcel->descriptor);
    return verdict;
}

//  Neither HELLO nor ENROL: only on the route, and from the key, that were admitted.
static fl_judgement
s_admitted(fl_admission *self, fl_way way, const fl_parcel *parcel, session *at,
           fl_message *message, fl_visitor *visitor, fl_time now)
{
    const bool seated = at != NULL && at->rank == SEATED;
    if (way != FL_WAY_CONTROL && !seated) {
        return s_drop(self, FL_DROP_UNSEATED, FL_WHY_UNKNOWN_SEAT, message->verb,
                      "no admitted seat of this key");
    }
    if (way == FL_WAY_CONTROL && (!seated || !s_on_route(&at->control, parcel->route))) {
        return s_refuse(
            self, visitor, now,
            s_drop(self, FL_DROP_UNSEATED, FL_WHY_UNKNOWN_SEAT, message->verb, "say hello first"));
    }
    if (way == FL_WAY_DOWN) {
        s_take_route(&at->down, parcel->route);
    }
    return s_pass(self, at, visitor, now, way == FL_WAY_CONTROL);
}

static fl_judgement
s_undecodable(fl_admission *self, fl_way way, fl_visitor *visitor, fl_time now,
              const fl_codec_result *result)
{
    const fl_verb verb = result->verb < FL_VERB_COUNT ? (fl_verb)result->verb : FL_VERB_NONE;
    self->metrics->net_codec_total[result->code]++;
    const fl_reason reason = result->code == FL_CODEC_VERSION ? FL_WHY_VERSION : FL_WHY_MALFORMED;
    fl_judgement verdict = s_drop(self, FL_DROP_MALFORMED, reason, verb, result->text);
    return way == FL_WAY_CONTROL ? s_refuse(self, visitor, now, verdict) : verdict;
}

//  Standing, shape, certificate or seat, then what the identity code has to say.
static fl_judgement
s_judge(fl_admission *self, fl_way way, const fl_parcel *parcel, const uint8_t key[FL_KEY_BYTES],
        fl_visitor *visitor, fl_time now, fl_message *message)
{
    session *at = zhashx_lookup(self->by_user, parcel->user);
    const fl_badge *badge = at != NULL && at->rank == SEATED ? &at->badge : NULL;
    const fl_reason standing = s_standing(self, at, key);
    if (standing != FL_WHY_NONE) {
        if (at != NULL && at->rank != KNOWN) {
            s_lose_standing(self, at, standing);
        }
        self->metrics->net_cut_standing_total += fl_guard_cut(self->guard, parcel->descriptor);
        fl_judgement verdict =
            s_drop(self, FL_DROP_STANDING, standing, FL_VERB_NONE, "this key is not admitted");
        verdict.badge = badge; // what it was until now
        return verdict;
    }
    fl_codec_result result = fl_decode(parcel->header, parcel->body.size, message);
    if (result.code == FL_CODEC_OK && parcel->surplus > 0) {
        result.code = FL_CODEC_BODY;
        snprintf(result.text, sizeof result.text, "more frames than a message has");
    }
    if (result.code != FL_CODEC_OK) {
        return s_undecodable(self, way, visitor, now, &result);
    }
    if (!fl_verb_allowed(message->verb, lane_of[way], FL_FROM_CHILD | FL_FROM_STRANGER)) {
        fl_judgement verdict = s_drop(self, FL_DROP_WAY, FL_WHY_MALFORMED, message->verb,
                                      "this verb is not allowed here");
        return way == FL_WAY_CONTROL ? s_refuse(self, visitor, now, verdict) : verdict;
    }
    fl_judgement verdict;
    if (message->verb == FL_HELLO) {
        verdict = s_hello(self, parcel, key, &message->hello, visitor, now);
    } else if (message->verb == FL_ENROL) {
        verdict = s_enrol(self, parcel, key, visitor, now);
    } else {
        return s_admitted(self, way, parcel, at, message, visitor, now);
    }
    return verdict.kind == FL_JUDGED_PASS ? verdict : s_refuse(self, visitor, now, verdict);
}

fl_judgement
fl_admission_judge(fl_admission *self, fl_way way, const fl_parcel *parcel, fl_time now,
                   fl_message *message)
{
    FL_ASSERT((unsigned)way < FL_WATCHED);
    uint8_t key[FL_KEY_BYTES];
    fl_visitor *visitor =
        fl_guard_heard(self->guard, way, parcel->descriptor, parcel->wire_bytes, now);
    self->metrics->net_messages_in_total[way]++;
    self->metrics->net_bytes_in_total[way] += parcel->header.size + parcel->body.size;
    if (parcel->user == NULL || !fl_unhex(parcel->user, key, FL_KEY_BYTES)) {
        return s_drop(self, FL_DROP_REFUSED, FL_WHY_CERTIFICATE, FL_VERB_NONE, "no proven key");
    }
    if (parcel->named) {
        fl_guard_cut(self->guard, parcel->descriptor);
        return s_drop(self, FL_DROP_NAMED, FL_WHY_MALFORMED, FL_VERB_NONE,
                      "a peer may not choose its routing id");
    }
    fl_judgement verdict = s_judge(self, way, parcel, key, visitor, now, message);
    if (verdict.kind != FL_JUDGED_PASS) {
        const session *at = zhashx_lookup(self->by_user, parcel->user);
        if (at != NULL && at->rank == SEATED) {
            verdict.badge = &at->badge;
        }
        return verdict;
    }
    const fl_reason reason =
        self->ops->incoming(self->ops->self, verdict.peer, verdict.badge, message);
    if (reason == FL_WHY_NONE) {
        return verdict;
    }
    if (message->verb == FL_HELLO) {
        s_unseat(self, s_session(self, verdict.peer));
    }
    fl_judgement refusal = s_drop(self, FL_DROP_REFUSED, reason, message->verb, "");
    refusal.badge = verdict.badge;
    snprintf(refusal.refused.text, sizeof refusal.refused.text, "%s refused: %s",
             fl_verb_name(message->verb), fl_reason_name(reason));
    return way == FL_WAY_CONTROL ? s_refuse(self, visitor, now, refusal) : refusal;
}

// ---- the machine's side -----------------------------------------------------------------------
static fl_bytes
s_bytes(const route *to)
{
    return fl_bytes_of(to != NULL && to->size > 0 ? to->bytes : NULL, to != NULL ? to->size : 0);
}

fl_bytes
fl_admission_route(const fl_admission *self, fl_way way, fl_peer peer)
{
    const session *at = s_session(self, peer);
    return s_bytes(at == NULL ? NULL : way == FL_WAY_DOWN ? &at->down : &at->control);
}

fl_bytes
fl_admission_enrol_route(const fl_admission *self, fl_peer peer)
{
    const session *at = s_session(self, peer);
    return s_bytes(at == NULL ? NULL : &at->enrol);
}

fl_bytes
fl_admission_hello_route(const fl_admission *self, fl_peer peer)
{
    const session *at = s_session(self, peer);
    return s_bytes(at == NULL ? NULL : &at->hello.route);
}

void
fl_admission_welcome(fl_admission *self, fl_peer peer)
{
    session *at = s_session(self, peer);
    if (at != NULL && at->rank == SEATED && at->hello.route.size > 0) {
        at->control = at->hello.route;
        at->badge = at->hello.badge;
        memcpy(at->place, at->hello.place, sizeof at->place);
    }
}

//  A name may sit there with other keys than it came with: two sessions.
const char *
fl_admission_place(const fl_admission *self, fl_peer peer, bool seat)
{
    const session *asks = s_session(self, peer), *holds = asks;
    for (uint32_t i = 0; asks != NULL && i < self->used; i++) {
        const session *at = &self->sessions[i];
        bool same = at->rank == SEATED && fl_name_equal(&at->badge.node, &asks->hello.badge.node);
        holds = same && at != asks ? at : holds;
    }
    return asks == NULL ? "" : seat ? holds->place : asks->hello.place;
}

const fl_badge *
fl_admission_badge(const fl_admission *self, fl_peer peer)
{
    const session *at = s_session(self, peer);
    return at != NULL && at->rank == SEATED ? &at->badge : NULL;
}

void
fl_admission_expel(fl_admission *self, fl_peer peer)
{
    session *at = s_session(self, peer);
    if (at != NULL) {
        s_unseat(self, at);
    }
}

void
fl_admission_shun(fl_admission *self, fl_peer peer, fl_time now)
{
    session *at = s_session(self, peer);
    if (at != NULL) {
        at->shunned_until = now + FL_SHUN_MS;
        self->metrics->net_cut_flood_total += fl_guard_cut_peer(self->guard, peer);
    }
}

void
fl_admission_recheck(fl_admission *self)
{
    for (uint32_t i = 0; i < self->used; i++) {
        session *at = &self->sessions[i];
        if (at->rank == SEATED || at->rank == GUEST) {
            const fl_reason reason = s_standing(self, at, at->key);
            if (reason != FL_WHY_NONE) {
                self->metrics->net_refused_total[reason]++;
                s_lose_standing(self, at, reason);
            }
        }
    }
}

bool
fl_admission_gone(fl_admission *self, fl_peer *peer, fl_reason *reason)
{
    for (uint32_t i = 0; self->gone > 0 && i < self->used; i++) {
        session *at = &self->sessions[i];
        if (at->gone != FL_WHY_NONE) {
            *peer = at->peer;
            *reason = at->gone;
            at->gone = FL_WHY_NONE;
            self->gone--;
            return true;
        }
    }
    return false;
}
