#include "common/runtime/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/start.h"
#include "common/crypto/entropy.h"
#include "common/machine/policy.h"
#include "common/net/context.h"
#include "common/runtime/note_log.h"
#include "common/runtime/renewal.h"
#include "common/store/file.h"

enum {
    JOBS_MAX = 1024,
    TURN_MS = 250,       // longest sleep of the loop
    STOP_MS = 10 * 1000, // a running job gets so long to end
    //  Of nobody but us: the parent, the store, the operator, libzmq, and connections that are
    //  accepted and not yet known.
    OTHER_DESCRIPTORS = 256,
    SEAT_DESCRIPTORS = FL_WATCHED * FL_KEY_CONNECTIONS + (FL_WATCHED - 1) * FL_KEY_UNHEARD,
    STRANGERS_MIN = 64,
};

struct fl_node {
    fl_node_conf conf;
    fl_tier tier;
    fl_time since;
    fl_metrics metrics;
    fl_admission_ops ops;
    bool net_open, porch_open;
    fl_listener listener;
    fl_dialer_conf dialer;
    fl_workers *workers;
    fl_handles *handles;
    fl_staging *staging[FL_TRACKS]; // NULL: no children
    fl_effects *effects[FL_TRACKS];
    fl_enrol_relay *relay;
    fl_reactor *reactor;
    fl_renewal renewal;
    bool stopping;
    bool rekeyed;   // the machine hears in the next turn that our keys are others
    bool drains;    // says the operator
    fl_reason site; // why the site takes no round now
};

// ---- what the reactor asks for ----------------------------------------------------------------
static bool
s_lend(fl_blob *blob, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    if (blob == NULL || offset > fl_blob_size(blob) || bytes > fl_blob_size(blob) - offset) {
        return false;
    }
    loan->blob = fl_blob_ref(blob);
    loan->bytes = fl_bytes_of(fl_blob_bytes(blob).data + offset, bytes);
    return true;
}

static bool
s_vector(void *arg, fl_vec vec, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    fl_node *self = arg;
    return s_lend(fl_handles_look(self->handles, vec), offset, bytes, loan);
}

static bool
s_model(void *arg, const fl_hash *hash, uint64_t offset, uint32_t bytes, fl_loan *loan)
{
    fl_node *self = arg;
    return s_lend(fl_handles_model(self->handles, hash), offset, bytes, loan);
}

//  The machine hears what is new of both: the operator's word goes before the site's hours.
static void
s_rest(fl_node *self, bool drains, fl_reason site)
{
    const fl_reason before = self->drains ? FL_WHY_DRAIN : self->site;
    self->drains = drains;
    self->site = site;
    const fl_event rest = { .kind = FL_EV_REST, .rest.reason = drains ? FL_WHY_DRAIN : site };
    if (rest.rest.reason != before && fl_node_post(self, &rest) != FL_OK) {
        fl_log(FL_LOG_ERROR, "rest-lost", fl_log_text("why", "too many events: ask again"));
    }
}

static void
s_obey(void *arg, const fl_effect *effect, fl_bytes body)
{
    fl_node *self = arg;
    if (effect->kind == FL_FX_NOTE) {
        fl_log_set_track(effect->track);
        fl_note_log(&effect->note, &self->metrics);
        return;
    }
    if (effect->kind == FL_FX_REST) {
        s_rest(self, effect->rest.drains, self->site);
        return;
    }
    bool done = fl_effects_obey(self->effects[effect->track], effect, body);
    FL_ASSERT(done);
}

void
fl_node_rest(fl_node *self, fl_reason site)
{
    s_rest(self, self->drains, site);
}

static void
s_answer(fl_node *self, uint32_t ticket, uint8_t code, const char *text)
{
    fl_blob *json = fl_blob_copy(fl_bytes_of(text, strlen(text)));
    fl_node_answer(self, ticket, code, &json);
}

static void
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    fl_node *self = arg;
    if (strcmp(ask->verb, "health") == 0) {
        s_answer(self, ticket, 0, "{\"ok\":true,\"said\":\"it is well\"}");
    } else if (strcmp(ask->verb, "drain") == 0 &&
               (ask->argument[0] == '\0' || strcmp(ask->argument, "undo") == 0)) {
        s_rest(self, ask->argument[0] == '\0', self->site);
        s_answer(self, ticket, 0, "{\"ok\":true,\"said\":\"it takes rounds again\"}");
    } else if (strcmp(ask->verb, "stop") == 0) {
        s_answer(self, ticket, 0,
                 "{\"ok\":true,\"said\":\"it stops; started again, it continues\"}");
        fl_log(FL_LOG_INFO, "stopping", fl_log_text("for", "the operator"));
        self->stopping = true;
    } else if (self->tier.ask == NULL || !self->tier.ask(self->tier.self, ticket, ask)) {
        s_answer(self, ticket, 2,
                 "{\"error\":\"this process does not answer that: ask the root, with its state "
                 "directory\"}");
    }
}

static void
s_refused(void *arg, fl_way way, const fl_name *node, const fl_refused *refused)
{
    fl_node *self = arg;
    self->metrics.frames_refused_total++;
    fl_log(FL_LOG_WARN, "gate-refused", fl_log_text("way", fl_label_word(FL_LABEL_lane, way)),
           fl_log_text("peer", node == NULL ? "stranger" : node->name),
           fl_log_text("verb", fl_verb_name(refused->about)),
           fl_log_text("reason", fl_reason_name(refused->reason)),
           fl_log_text("why", refused->text));
}

//  Who is known has an id of its own: a log has room for so many lines of one, and a crowd of
//  strangers must not use it up.
static void
s_cut(void *arg, fl_way way, const fl_name *node, const char *why)
{
    (void)arg;
    const bool parent = way >= FL_WAY_PARENT && way <= FL_WAY_PARENT_DOWN;
    const fl_log_pair lane = fl_log_text("way", fl_label_word(FL_LABEL_lane, way));
    if (node != NULL || parent) {
        fl_log(FL_LOG_WARN, "connection-cut", lane,
               fl_log_text("peer", node != NULL ? node->name : "parent"), fl_log_text("why", why));
    } else {
        fl_log(FL_LOG_WARN, "stranger-cut", lane, fl_log_text("why", why));
    }
}

static void
s_post(void *arg, const fl_event *event)
{
    fl_node *self = arg;
    self->rekeyed = self->rekeyed || (event->kind == FL_EV_RENEWED && event->renewed.rekeyed);
    fl_status status = fl_reactor_post(self->reactor, event);
    FL_ASSERT(status == FL_OK); // there is a place for every job
}

static void
s_collect(void *arg)
{
    fl_node *self = arg;
    (void)fl_workers_collect(self->workers);
}

static void
s_signal(void *arg)
{
    fl_node *self = arg;
    int number = fl_stop_take(self->conf.stop);
    if (number != 0) {
        fl_log(FL_LOG_INFO, "stopping", fl_log_u64("signal", (uint64_t)number));
        self->stopping = true;
    }
}

// ---- opening ----------------------------------------------------------------------------------
static fl_status
s_open_porch(fl_node *self, fl_why *why)
{
    fl_listener_conf conf = { .gate = { .sessions_max = self->conf.seats_max + 256,
                                        .guests_max = FL_GUESTS_MAX } };
    for (int i = 0; i < FL_WATCHED; i++) {
        conf.endpoint[i] = self->conf.listen[i];
    }
    conf.guard = self->dialer.guard;
    conf.keys = fl_identity_keypair(self->conf.identity);
    FL_TRY(fl_listener_open(&self->listener, &conf, &self->ops, &self->metrics, why));
    self->porch_open = true;
    const uint16_t *said = self->conf.advertise, *bound = self->listener.port;
    fl_identity_serve(self->conf.identity, self->listener.gate,
                      said[FL_WAY_UP] > 0 ? said[FL_WAY_UP] : bound[FL_WAY_UP],
                      said[FL_WAY_DOWN] > 0 ? said[FL_WAY_DOWN] : bound[FL_WAY_DOWN]);
    fl_status status = FL_OK;
    for (int i = 0; i < FL_TRACKS; i++) {
        FL_THEN(status,
                fl_staging_open(self->conf.directory, FL_SLOTS_MAX, &self->staging[i], why));
    }
    return status;
}

//  "tcp://host:port" of the parent.
static void
s_point_uplink(fl_node *self)
{
    const fl_state_dir_parent *parent = fl_identity_parent(self->conf.identity);
    fl_endpoint place;
    bool fine = fl_endpoint_parse_remote(parent->endpoint, &place);
    FL_ASSERT(fine && place.host.size < sizeof self->dialer.host); // it was read so
    memcpy(self->dialer.host, place.host.data, place.host.size);
    self->dialer.port = place.port;
    memcpy(self->dialer.parent_key, parent->key, sizeof self->dialer.parent_key);
    self->dialer.keys = fl_identity_keypair(self->conf.identity);
}

//  Every slot may have a whole window on its way.
static uint64_t
s_unread_max(const fl_node_conf *conf)
{
    const uint64_t windows = (uint64_t)conf->slots * FL_WINDOW_BYTES_MAX / 5 * 8;
    const uint64_t fits = windows > FL_UNREAD_DEFAULT ? windows : FL_UNREAD_DEFAULT;
    return conf->unread_max > 0 ? conf->unread_max : fits;
}

static fl_status
s_open(fl_node *self, fl_why *why)
{
    bool children = self->conf.listen[FL_WAY_CONTROL] != NULL;
    uint64_t needed = OTHER_DESCRIPTORS, strangers = 0;
    needed += children ? SEAT_DESCRIPTORS * (uint64_t)self->conf.seats_max + STRANGERS_MIN : 0;
    FL_TRY(fl_raise_nofile(needed, FL_STRANGERS_MAX - STRANGERS_MIN, &strangers, why));
    self->dialer.guard = (fl_guard_conf){ .unread_max = s_unread_max(&self->conf),
                                          .strangers_max = STRANGERS_MIN + (unsigned)strangers };
    FL_TRY(fl_net_open(self->conf.io_threads, why));
    self->net_open = true;
    if (children) {
        FL_TRY(s_open_porch(self, why));
    }
    if (self->conf.parent) {
        s_point_uplink(self);
    }
    self->workers = fl_workers_new(self->conf.threads, JOBS_MAX, why);
    return self->workers == NULL ? FL_NOMEM : FL_OK;
}

fl_status
fl_node_open(const fl_node_conf *conf, fl_node **node, fl_why *why)
{
    *node = NULL;
    fl_start_step("opening the network", FL_START_SHORT_S);
    fl_node *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->conf = *conf;
    self->since = fl_clock_ms();
    self->ops = fl_identity_ops(conf->identity);
    self->handles = fl_handles_new();
    fl_status status = s_open(self, why);
    if (status == FL_OK && self->handles == NULL) {
        status = fl_fail(FL_NOMEM, why, "out of memory");
    }
    if (status != FL_OK) {
        fl_node_close(&self);
        return status;
    }
    *node = self;
    return FL_OK;
}

static fl_status
s_seat_effects(fl_node *self, fl_why *why)
{
    const fl_entropy entropy = fl_entropy_os();
    fl_effects_conf effects = { .workers = self->workers,
                                .handles = self->handles,
                                .trainer = self->tier.trainer,
                                .directory = self->conf.directory,
                                .node = *fl_identity_node(self->conf.identity),
                                .post_self = self,
                                .post = s_post };
    fl_entropy_fill(&entropy, effects.own_seed, sizeof effects.own_seed);
    bool made = true;
    for (uint32_t i = 0; i < FL_TRACKS; i++) {
        effects.track = i;
        effects.staging = self->staging[i];
        effects.applier = self->tier.applier[i];
        effects.saver = self->tier.saver[i];
        self->effects[i] = fl_effects_new(&effects);
        made = made && self->effects[i] != NULL;
    }
    const fl_enrol_relay_conf relay = { .inner = self->tier.machine,
                                        .identity = self->conf.identity,
                                        .enrol = self->tier.enrol,
                                        .enrol_arg = self->tier.self };
    self->relay = fl_enrol_relay_new(&relay);
    self->renewal = (fl_renewal){ .directory = self->conf.directory,
                                  .identity = self->conf.identity,
                                  .relay = self->relay,
                                  .post = s_post,
                                  .self = self };
    if (!made || self->relay == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    return FL_OK;
}

//  The most that one step can ask for. A child costs eight effects when it is seated, told of a
//  round, granted, closed or given up, whichever come together; and eight more in a masked round:
//  after a restart it hears the five words of its block again, else one of them, and a refusal and
//  a note when it is turned away; before its task up to seven messages of pools. A block keeps a
//  fact, opens its sum and notes its states.
static uint32_t
s_effects_max(const fl_node_conf *conf)
{
    enum { OWN = 512, PER_CHILD = 8 + 8 + 7, PER_BLOCK = 16 };
    const uint32_t blocks = conf->seats_max < FL_BLOCKS_MAX ? conf->seats_max : FL_BLOCKS_MAX;
    return OWN + PER_CHILD * conf->seats_max + FL_TRACKS * PER_BLOCK * blocks;
}

fl_status
fl_node_seat(fl_node *self, const fl_tier *tier, fl_why *why)
{
    self->tier = *tier;
    char operator_lane[FL_STATE_PATH_MAX + 8];
    char path[FL_STATE_PATH_MAX];
    FL_TRY(s_seat_effects(self, why));
    FL_TRY(fl_state_dir_path(self->conf.directory, FL_STATE_OPERATOR, path, why));
    (void)snprintf(operator_lane, sizeof operator_lane, "ipc://%s", path);
    const fl_reactor_conf conf = {
        .machine = fl_enrol_relay_machine(self->relay),
        .host = { .self = self,
                  .obey = s_obey,
                  .vector = s_vector,
                  .model = s_model,
                  .ask = s_ask,
                  .refused = s_refused,
                  .cut = s_cut },
        .ops = &self->ops,
        .metrics = &self->metrics,
        .listener = self->porch_open ? &self->listener : NULL,
        .dialer = self->conf.parent ? &self->dialer : NULL,
        .operator_endpoint = operator_lane,
        .effects_max = s_effects_max(&self->conf),
        .posts_max = 2 * JOBS_MAX,
    };
    self->reactor = fl_reactor_new(&conf, why);
    if (self->reactor == NULL) {
        return FL_IO;
    }
    fl_reactor_watch(self->reactor, fl_workers_fd(self->workers), s_collect, self);
    fl_reactor_watch(self->reactor, fl_stop_fd(self->conf.stop), s_signal, self);
    return FL_OK;
}

void
fl_node_close(fl_node **self_p)
{
    fl_node *self = *self_p;
    *self_p = NULL;
    if (self == NULL) {
        return;
    }
    fl_reactor_destroy(&self->reactor);
    if (self->porch_open) {
        fl_listener_close(&self->listener);
    }
    for (int i = 0; i < FL_TRACKS; i++) {
        fl_effects_destroy(&self->effects[i]);
    }
    if (self->workers != NULL &&
        fl_workers_stop(self->workers, FL_WORKERS_CANCEL, STOP_MS) == FL_OK) {
        fl_workers_destroy(&self->workers);
    }
    fl_enrol_relay_destroy(&self->relay);
    for (int i = 0; i < FL_TRACKS; i++) {
        fl_staging_close(&self->staging[i]);
    }
    fl_handles_destroy(&self->handles);
    if (self->net_open) {
        fl_net_close();
    }
    free(self);
}

// ---- running ----------------------------------------------------------------------------------
static void
s_spread_denials(fl_node *self)
{
    if (!fl_identity_deny_changed(self->conf.identity)) {
        return;
    }
    fl_log(FL_LOG_WARN, "deny-list",
           fl_log_u64("version", fl_identity_deny_version(self->conf.identity)),
           fl_log_u64("entries", fl_deny_list_count(fl_identity_denied(self->conf.identity))));
    if (self->porch_open) {
        fl_admission_recheck(self->listener.gate);
    }
    if (self->tier.denied != NULL) {
        self->tier.denied(self->tier.self);
    }
}

//  Let running jobs end, so that nothing they hold is pulled from under them.
static fl_status
s_wind_down(fl_node *self, fl_why *why)
{
    const fl_event stop = { .kind = FL_EV_STOP };
    if (fl_reactor_post(self->reactor, &stop) == FL_OK) {
        fl_reactor_turn(self->reactor, 0);
        fl_reactor_turn(self->reactor, 50); // what it said leaves the queues
    }
    if (self->tier.trainer != NULL) {
        self->tier.trainer->cancel(self->tier.trainer->self);
    }
    bool ended = fl_workers_stop(self->workers, FL_WORKERS_DRAIN, STOP_MS) == FL_OK;
    (void)fl_workers_collect(self->workers);
    if (!ended) {
        fl_log(FL_LOG_ERROR, "left-running",
               fl_log_u64("jobs", (uint64_t)fl_effects_running(self->effects[0]) +
                                      fl_effects_running(self->effects[1])));
        fl_why_set(why, "jobs were still running at the end: a defect of this program");
    }
    return ended ? FL_OK : FL_BUSY;
}

//  The children have been told: from now on we are whom the new keys say.
static fl_status
s_take_keys(fl_node *self, fl_why *why)
{
    const bool rekeyed = self->rekeyed;
    self->rekeyed = false;
    return rekeyed && self->porch_open
               ? fl_listener_rekey(&self->listener, fl_identity_keypair(self->conf.identity), why)
               : FL_OK;
}

fl_status
fl_node_run(fl_node *self, fl_why *why)
{
    fl_start_over();
    while (!self->stopping) {
        fl_reactor_turn(self->reactor, TURN_MS);
        FL_TRY(s_take_keys(self, why));
        s_spread_denials(self);
        fl_renewal_turn(&self->renewal, fl_reactor_now(self->reactor));
        if (self->tier.turn != NULL) {
            self->tier.turn(self->tier.self);
        }
    }
    return s_wind_down(self, why);
}

fl_status
fl_node_post(fl_node *self, const fl_event *event)
{
    return fl_reactor_post(self->reactor, event);
}

void
fl_node_answer(fl_node *self, uint32_t ticket, uint8_t code, fl_blob **json_p)
{
    fl_reactor_answer(self->reactor, ticket, code, json_p);
}

uint16_t
fl_node_port(const fl_node *self, fl_way way)
{
    return self->listener.port[way];
}

fl_status
fl_node_tell_ports(const fl_node *self, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    char text[128];
    FL_TRY(fl_state_dir_path(self->conf.directory, "ports", path, why));
    int size = snprintf(text, sizeof text, "control %u\nup %u\ndown %u\n",
                        (unsigned)fl_node_port(self, FL_WAY_CONTROL),
                        (unsigned)fl_node_port(self, FL_WAY_UP),
                        (unsigned)fl_node_port(self, FL_WAY_DOWN));
    return fl_file_write(path, fl_bytes_of(text, (size_t)size), 0644, why);
}

fl_workers *
fl_node_workers(fl_node *self)
{
    return self->workers;
}

fl_handles *
fl_node_handles(fl_node *self)
{
    return self->handles;
}

fl_enrol_relay *
fl_node_relay(fl_node *self)
{
    return self->relay;
}

const fl_cert *
fl_node_certificate(const fl_node *self)
{
    return fl_identity_cert(self->conf.identity);
}

const fl_metrics *
fl_node_metrics(const fl_node *self)
{
    return &self->metrics;
}

fl_time
fl_node_now(const fl_node *self)
{
    return fl_reactor_now(self->reactor);
}

fl_time
fl_node_since(const fl_node *self)
{
    return self->since;
}
