#include "common/identity/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/crypto/hash.h"
#include "common/crypto/locked.h"
#include "common/crypto/ticket.h"
#include "common/wire/manifest.h"

struct fl_identity {
    fl_identity_conf conf;
    fl_keys *keys;
    fl_keys *retired;    // those before; NULL: none
    fl_keypair *keypair; // locked memory
    uint8_t cert_bytes[FL_CERT_BYTES];
    fl_cert cert;
    fl_authority_public authority;
    fl_uplink uplink;
    uint16_t parent_up, parent_down; // as of its WELCOME
    uint8_t next[FL_KEY_BYTES];      // our key after this one; zeros: none
    fl_ticket_key ticket_key;
    fl_deny_list *denied;
    fl_blob *deny_bytes; // as it was signed; NULL for version 0
    bool deny_changed;
    fl_blob *parts; // of the list that comes in parts; NULL: none does
    uint64_t parts_version, parts_size;
    fl_admission *gate;
    uint16_t up_port, down_port;
};

fl_reason
fl_identity_reason(fl_trust trust)
{
    switch (trust) {
    case FL_TRUST_OK:
        return FL_WHY_NONE;
    case FL_TRUST_ROLE:
        return FL_WHY_ROLE;
    case FL_TRUST_REVOKED:
        return FL_WHY_REVOKED;
    case FL_TRUST_MEMORY:
        return FL_WHY_STORAGE;
    case FL_TRUST_TOKEN:
        return FL_WHY_TOKEN;
    case FL_TRUST_EXPIRED:
        return FL_WHY_EXPIRED;
    case FL_TRUST_EARLY:
        return FL_WHY_CLOCK;
    case FL_TRUST_MALFORMED:
    case FL_TRUST_VERSION:
    case FL_TRUST_SEAL:
    case FL_TRUST_SIGNATURE:
    case FL_TRUST_KEY:
    case FL_TRUST_NAME:
    case FL_TRUST_OLD:
    case FL_TRUST_COUNT:
        break;
    }
    return FL_WHY_CERTIFICATE;
}

static fl_status
s_prove_ourselves(const fl_identity *self, const uint8_t bytes[FL_CERT_BYTES], const fl_keys *keys,
                  fl_cert *cert, fl_why *why)
{
    fl_trust trust = fl_cert_prove(fl_bytes_of(bytes, FL_CERT_BYTES), &self->authority,
                                   FL_ROLES(self->conf.role), cert);
    if (trust == FL_TRUST_OK && !fl_public_keys_equal(&cert->keys, fl_keys_public(keys))) {
        trust = FL_TRUST_KEY;
    }
    if (trust != FL_TRUST_OK) {
        return fl_fail(FL_DENIED, why,
                       "%s/%s: its certificate is not valid (%s): enrol this %s again",
                       self->conf.directory, FL_STATE_CERT, fl_trust_name(trust),
                       fl_role_name(self->conf.role));
    }
    return FL_OK;
}

static void
s_use_keys(fl_identity *self)
{
    memcpy(self->keypair->public_key, fl_keys_public(self->keys)->x, FL_KEY_BYTES);
    fl_keys_curve_secret(self->keys, self->keypair->secret_key);
}

//  The keys that an edge changes to are made long before, so that its children know them.
static fl_status
s_make_next(fl_identity *self, fl_why *why)
{
    const fl_entropy entropy = fl_entropy_os();
    fl_keys *next = NULL;
    if (self->conf.role == FL_ROLE_EDGE) {
        FL_TRY(fl_state_dir_keys_next(self->conf.directory, &entropy, &next, why));
        memcpy(self->next, fl_keys_public(next)->x, FL_KEY_BYTES);
        fl_keys_destroy(&next);
    }
    return FL_OK;
}

fl_status
fl_identity_open(const fl_identity_conf *conf, fl_identity **identity, fl_why *why)
{
    *identity = NULL;
    fl_identity *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->conf = *conf;
    self->denied = fl_deny_list_new();
    self->keypair = fl_locked_new(sizeof *self->keypair);
    fl_entropy entropy = fl_entropy_os();
    self->ticket_key = fl_ticket_key_draw(&entropy);
    fl_status status = FL_NOMEM;
    fl_why_set(why, "out of memory");
    if (self->denied != NULL && self->keypair != NULL) {
        status = fl_state_dir_keys_load(conf->directory, &self->keys, why);
    }
    if (status == FL_OK) {
        s_use_keys(self);
        status = fl_state_dir_cert_load(conf->directory, self->cert_bytes, why);
    }
    FL_THEN(status, fl_state_dir_authority_load(conf->directory, &self->authority, why));
    if (status == FL_OK && conf->parent) {
        status = fl_state_dir_parent_load(conf->directory, &self->uplink.parent, why);
    }
    FL_THEN(status, s_prove_ourselves(self, self->cert_bytes, self->keys, &self->cert, why));
    FL_THEN(status, s_make_next(self, why));
    if (status != FL_OK) {
        fl_identity_close(&self);
        return status;
    }
    *identity = self;
    return FL_OK;
}

void
fl_identity_close(fl_identity **self_p)
{
    fl_identity *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    fl_keys_destroy(&self->keys);
    fl_keys_destroy(&self->retired);
    fl_locked_free(self->keypair);
    fl_deny_list_destroy(&self->denied);
    fl_blob_unref(&self->deny_bytes);
    fl_blob_unref(&self->parts);
    fl_wipe(&self->ticket_key, sizeof self->ticket_key);
    free(self);
}

const fl_name *
fl_identity_node(const fl_identity *self)
{
    return &self->cert.node;
}

const fl_keys *
fl_identity_keys(const fl_identity *self)
{
    return self->keys;
}

const uint8_t *
fl_identity_certificate(const fl_identity *self)
{
    return self->cert_bytes;
}

fl_secagg_trust
fl_identity_trust(const fl_identity *self, unsigned roles)
{
    return (fl_secagg_trust){ .authority = &self->authority, .deny = self->denied, .roles = roles };
}

//  What a task carries beside its order.
static void
s_hash_parts(const fl_order *order, fl_hash *manifest, fl_hash *settings)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    *manifest = fl_hash_of(fl_manifest_encode(order, room));
    *settings = fl_hash_of(fl_settings_encode(order, room));
}

const fl_authority *
fl_identity_authority(const fl_identity *self)
{
    return self->conf.authority;
}

void
fl_identity_lend(fl_identity *self, const fl_authority *authority)
{
    FL_ASSERT(self->conf.authority == NULL);
    self->conf.authority = authority;
}

void
fl_identity_sign(const fl_identity *self, fl_task *task)
{
    FL_ASSERT(self->conf.authority != NULL);
    uint8_t order[FL_ORDER_BYTES];
    s_hash_parts(&task->order, &task->order.manifest, &task->order.settings);
    fl_order_encode(&task->order, order);
    fl_order_sign(self->conf.authority, fl_bytes_of(order, sizeof order), task->signature);
}

const fl_keypair *
fl_identity_keypair(const fl_identity *self)
{
    return self->keypair;
}

const fl_state_dir_parent *
fl_identity_parent(const fl_identity *self)
{
    FL_ASSERT(self->conf.parent);
    return &self->uplink.parent;
}

const fl_cert *
fl_identity_cert(const fl_identity *self)
{
    return &self->cert;
}

uint64_t
fl_identity_wall_s(const fl_identity *self)
{
    return self->conf.wall_s();
}

void
fl_identity_clock_why(const fl_cert *cert, uint64_t now, fl_why *why)
{
    char clock[32], made[32], end[32];
    fl_clock_date(now, clock);
    fl_clock_date(fl_cert_made(cert), made);
    fl_clock_date(cert->not_after, end);
    fl_why_set(why,
               "this machine's clock says %s, the certificate was made at %s by the root's clock "
               "and ends at %s: if one of the clocks is wrong, set it",
               clock, made, end);
}

fl_status
fl_identity_reload(fl_identity *self, bool *rekeyed, fl_why *why)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_keys *keys = NULL;
    fl_cert cert;
    *rekeyed = false;
    FL_TRY(fl_state_dir_cert_load(self->conf.directory, bytes, why));
    if (memcmp(bytes, self->cert_bytes, sizeof bytes) == 0) {
        return FL_MISSING;
    }
    FL_TRY(fl_state_dir_keys_load(self->conf.directory, &keys, why));
    fl_status status = s_prove_ourselves(self, bytes, keys, &cert, why);
    *rekeyed = status == FL_OK && !fl_public_keys_equal(&cert.keys, &self->cert.keys);
    bool fits = fl_name_equal(&cert.node, &self->cert.node) && (!*rekeyed || self->conf.parent);
    if (status == FL_OK && !fits) {
        status = fl_fail(FL_DENIED, why,
                         "%s has another name or new keys now, by which the children do not know "
                         "this process: give it the old ones back",
                         self->conf.directory);
    } else if (status == FL_OK && *rekeyed) {
        status = s_make_next(self, why);
    }
    if (status == FL_OK) {
        memcpy(self->cert_bytes, bytes, sizeof bytes);
        self->cert = cert;
    }
    if (status == FL_OK && *rekeyed) {
        fl_keys_destroy(&self->retired);
        self->retired = self->keys;
        self->keys = keys;
        s_use_keys(self);
    } else {
        fl_keys_destroy(&keys);
    }
    return status;
}

void
fl_identity_serve(fl_identity *self, fl_admission *gate, uint16_t up_port, uint16_t down_port)
{
    self->gate = gate;
    self->up_port = up_port;
    self->down_port = down_port;
}

// ---- the deny list ----------------------------------------------------------------------------
uint64_t
fl_identity_deny_version(const fl_identity *self)
{
    return fl_deny_list_version(self->denied);
}

fl_bytes
fl_identity_deny_bytes(const fl_identity *self)
{
    return self->deny_bytes == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(self->deny_bytes);
}

const fl_deny_list *
fl_identity_denied(const fl_identity *self)
{
    return self->denied;
}

fl_trust
fl_identity_deny_take(fl_identity *self, fl_bytes bytes)
{
    fl_blob *copy = fl_blob_copy(bytes);
    fl_trust trust = copy == NULL ? FL_TRUST_MEMORY
                                  : fl_deny_list_take(self->denied, bytes, &self->authority);
    if (trust == FL_TRUST_OK) {
        fl_blob_unref(&self->deny_bytes);
        self->deny_bytes = copy;
        self->deny_changed = true;
    } else {
        fl_blob_unref(&copy);
    }
    return trust;
}

uint64_t
fl_identity_deny_missing(const fl_identity *self, uint64_t version)
{
    return self->parts != NULL && self->parts_version == version ? self->parts_size : 0;
}

//  The next part; one that is not the next is dropped: it will be asked for again.
static fl_trust
s_take_part(fl_identity *self, const fl_deny_part *part)
{
    if (part->version <= fl_identity_deny_version(self)) {
        return FL_TRUST_OLD;
    }
    bool same = self->parts != NULL && part->version == self->parts_version &&
                part->total == fl_blob_size(self->parts);
    if (!same && part->offset == 0) {
        fl_blob_unref(&self->parts);
        self->parts = fl_blob_new(part->total);
        self->parts_version = part->version;
        self->parts_size = 0;
        same = self->parts != NULL;
    }
    if (!same || part->offset != self->parts_size) {
        return part->offset == 0 && self->parts == NULL ? FL_TRUST_MEMORY : FL_TRUST_OLD;
    }
    memcpy(fl_blob_data(self->parts) + part->offset, part->part.data, part->part.size);
    self->parts_size += part->part.size;
    if (self->parts_size < part->total) {
        return FL_TRUST_OK;
    }
    fl_trust trust = fl_identity_deny_take(self, fl_blob_bytes(self->parts));
    fl_blob_unref(&self->parts);
    return trust;
}

bool
fl_identity_deny_changed(fl_identity *self)
{
    bool changed = self->deny_changed;
    self->deny_changed = false;
    return changed;
}

// ---- what admission asks ----------------------------------------------------------------------
static fl_reason
s_standing(void *arg, const uint8_t key[FL_KEY_BYTES], const fl_badge *badge)
{
    (void)key;
    const fl_identity *self = arg;
    if (badge == NULL) {
        return FL_WHY_NONE; // of a key that has shown no certificate yet there is nothing to know
    }
    if (fl_deny_list_names(self->denied, &badge->node, badge->serial)) {
        return FL_WHY_REVOKED;
    }
    return self->conf.wall_s() > badge->not_after ? FL_WHY_EXPIRED : FL_WHY_NONE;
}

static fl_reason
s_check(void *arg, fl_bytes certificate, const uint8_t key[FL_KEY_BYTES], fl_role claimed,
        fl_badge *badge)
{
    fl_identity *self = arg;
    fl_cert cert;
    fl_trust trust =
        fl_cert_check(certificate, &self->authority, self->conf.wall_s(), FL_ROLES_CHILD, &cert);
    if (trust != FL_TRUST_OK) {
        return fl_identity_reason(trust);
    }
    if (memcmp(cert.keys.x, key, FL_KEY_BYTES) != 0) {
        return FL_WHY_CERTIFICATE;
    }
    if (cert.role != claimed) {
        return FL_WHY_ROLE;
    }
    if (fl_deny_list_names(self->denied, &cert.node, cert.serial)) {
        return FL_WHY_REVOKED;
    }
    *badge = (fl_badge){
        .node = cert.node, .role = cert.role, .serial = cert.serial, .not_after = cert.not_after
    };
    return FL_WHY_NONE;
}

static fl_ticket_claim
s_claim(const fl_identity *self, const fl_name *child, uint32_t seat, uint32_t epoch)
{
    return (fl_ticket_claim){
        .parent = self->cert.node, .child = *child, .seat = seat, .epoch = epoch
    };
}

static fl_reason
s_welcome_holds(fl_identity *self, const fl_welcome *welcome)
{
    fl_cert cert;
    fl_trust trust = fl_cert_check(welcome->certificate, &self->authority, self->conf.wall_s(),
                                   FL_ROLES_PARENT, &cert);
    if (trust == FL_TRUST_ROLE || trust == FL_TRUST_EARLY || trust == FL_TRUST_EXPIRED) {
        return fl_identity_reason(trust);
    }
    if (trust != FL_TRUST_OK || !fl_uplink_fits(&self->uplink, &cert)) {
        return FL_WHY_CERTIFICATE;
    }
    if (fl_deny_list_names(self->denied, &cert.node, cert.serial)) {
        return FL_WHY_REVOKED;
    }
    self->parent_up = welcome->up_port;
    self->parent_down = welcome->down_port;
    fl_uplink_settle(&self->uplink, &cert, welcome->next, self->conf.directory);
    return FL_WHY_NONE;
}

//  Known, signed, and with the parts that were signed.
static bool
s_task_holds(const fl_identity *self, const fl_task *task)
{
    if (task->order.beyond) {
        return false;
    }
    uint8_t order[FL_ORDER_BYTES];
    fl_hash manifest, settings;
    s_hash_parts(&task->order, &manifest, &settings);
    fl_order_encode(&task->order, order);
    return fl_hash_equal(&manifest, &task->order.manifest) &&
           fl_hash_equal(&settings, &task->order.settings) &&
           fl_order_holds(&self->authority, fl_bytes_of(order, sizeof order), task->signature);
}

//  What a peer says of keys or lanes is for the operator of both ends.
static void
s_log_said(const char *node, const fl_refused *refused)
{
    const fl_log_pair peer = fl_log_text("peer", node), why = fl_log_text("why", refused->text);
    if (refused->reason == FL_WHY_IN_USE) {
        fl_log(FL_LOG_WARN, "in-use", peer, why);
    } else {
        fl_log(FL_LOG_WARN, "unreachable", peer, why);
    }
}

static fl_reason
s_from_parent(fl_identity *self, fl_message *message)
{
    if (message->verb == FL_WELCOME) {
        return s_welcome_holds(self, &message->welcome);
    }
    if (message->verb == FL_REFUSED && message->refused.reason == FL_WHY_IN_USE) {
        s_log_said(self->cert.node.name, &message->refused);
    }
    if (message->verb == FL_TASK) {
        return s_task_holds(self, &message->task) ? FL_WHY_NONE : FL_WHY_PLAN;
    }
    if (message->verb == FL_DENY || message->verb == FL_DENY_PART) {
        fl_trust trust = message->verb == FL_DENY
                             ? fl_identity_deny_take(self, message->deny.list)
                             : s_take_part(self, &message->deny_part);
        return trust == FL_TRUST_OLD ? FL_WHY_NONE : fl_identity_reason(trust);
    }
    return FL_WHY_NONE;
}

static fl_reason
s_incoming(void *arg, fl_peer from, const fl_badge *badge, fl_message *message)
{
    fl_identity *self = arg;
    if (from == FL_PARENT) {
        fl_uplink_heard(&self->uplink, message);
        return s_from_parent(self, message);
    }
    if (message->verb == FL_REFUSED && message->refused.reason == FL_WHY_UNREACHABLE) {
        s_log_said(badge != NULL ? badge->node.name : "", &message->refused);
    }
    if (message->verb == FL_CONTRIB && badge != NULL) {
        const fl_contrib *contrib = &message->contrib;
        fl_ticket_claim claim = s_claim(self, &badge->node, contrib->seat, contrib->epoch);
        if (!fl_ticket_holds(&self->ticket_key, &claim, contrib->ticket)) {
            return FL_WHY_TICKET;
        }
    }
    return FL_WHY_NONE;
}

static void
s_fill_welcome(fl_identity *self, fl_peer to, fl_message *message)
{
    fl_welcome *welcome = &message->welcome;
    const fl_badge *badge = fl_admission_badge(self->gate, to);
    if (badge == NULL) {
        return; // cut off in this very turn
    }
    fl_ticket_claim claim = s_claim(self, &badge->node, welcome->seat, welcome->epoch);
    fl_ticket_make(&self->ticket_key, &claim, welcome->ticket);
    welcome->up_port = self->up_port;
    welcome->down_port = self->down_port;
    welcome->deny_version = fl_identity_deny_version(self);
    welcome->certificate = fl_bytes_of(self->cert_bytes, sizeof self->cert_bytes);
    memcpy(welcome->next, self->next, sizeof welcome->next);
}

//  Both ends hear where the two processes are, and what to do.
static void
s_fill_in_use(const fl_identity *self, fl_peer to, fl_refused *refused)
{
    char seat[FL_PLACE_CHARS + 8];
    const bool elsewhere = refused->text[0] != '\0';
    (void)snprintf(seat, sizeof seat, "%s %.21s", elsewhere ? "under" : "at",
                   elsewhere ? refused->text : fl_admission_place(self->gate, to, true));
    (void)snprintf(refused->text, sizeof refused->text,
                   "in use %s, came again from %s: stop one and enrol it under its own name; "
                   "a restart gets in after 3 beats",
                   seat, fl_admission_place(self->gate, to, false));
}

//  "cannot reach HOST:PORT, the up lane of edge-1"
static void
s_fill_unreachable(const fl_identity *self, fl_refused *refused)
{
    const bool up = refused->about == FL_CHUNK;
    fl_endpoint place;
    if ((up || refused->about == FL_FETCH) &&
        fl_endpoint_parse_remote(self->uplink.parent.endpoint, &place)) {
        (void)snprintf(refused->text, sizeof refused->text,
                       "cannot reach %.*s:%u, the %s lane of %s", (int)place.host.size,
                       (const char *)place.host.data, up ? self->parent_up : self->parent_down,
                       up ? "up" : "down", self->uplink.parent.node.name);
        s_log_said(self->uplink.parent.node.name, refused);
    }
}

static void
s_outgoing(void *arg, fl_peer to, fl_message *message)
{
    fl_identity *self = arg;
    if (message->verb == FL_HELLO) {
        message->hello.certificate = fl_bytes_of(self->cert_bytes, sizeof self->cert_bytes);
    } else if (message->verb == FL_WELCOME) {
        s_fill_welcome(self, to, message);
    } else if (message->verb == FL_ENROLLED) {
        memcpy(message->enrolled.next, self->next, sizeof message->enrolled.next);
    } else if (message->verb == FL_BEAT) {
        message->beat.deny_version = fl_identity_deny_version(self);
    } else if (message->verb == FL_REFUSED && message->refused.reason == FL_WHY_UNREACHABLE) {
        s_fill_unreachable(self, &message->refused);
    } else if (message->verb == FL_REFUSED && message->refused.reason == FL_WHY_IN_USE) {
        s_fill_in_use(self, to, &message->refused);
        const fl_badge *badge = fl_admission_badge(self->gate, to);
        s_log_said(badge != NULL ? badge->node.name : "", &message->refused);
    }
}

static const uint8_t *
s_dial(void *arg)
{
    return fl_uplink_dial(&((fl_identity *)arg)->uplink);
}

fl_admission_ops
fl_identity_ops(fl_identity *self)
{
    return (fl_admission_ops){ .self = self,
                               .standing = s_standing,
                               .check = s_check,
                               .incoming = s_incoming,
                               .outgoing = s_outgoing,
                               .dial = s_dial };
}
