#include "cloud/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/authority_service.h"
#include "cloud/run_service.h"
#include "cloud/runs.h"
#include "cloud/settings.h"
#include "common/admin/healthcheck.h"
#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/lock.h"
#include "common/config/start.h"
#include "common/crypto/entropy.h"
#include "common/data/idx.h"
#include "common/runtime/enrol_at_start.h"
#include "common/runtime/settings.h"
#include "common/store/file.h"

enum { LOOK_MS = 5000 };

typedef struct process {
    const fl_conf *conf;
    fl_stop *stop;
    const char *state;
    fl_lock *lock;
    fl_authority *authority; // NULL while its directory is away
    fl_authority *found;     // by the look for it, on the store's strand
    fl_time look_at;         // for it; FL_NEVER: one is under way
    fl_ledger *ledger;
    fl_checkpoints *checkpoints;
    fl_identity *identity;
    fl_dataset test;
    fl_secagg_server_conf blocks;
    fl_pools *pools;
    fl_tracks *tracks;
    fl_runs *runs;
    fl_node *node;
    fl_queries *queries;
    fl_authority_service *service;
    fl_run_service *desk;
} process;

// ---- files ------------------------------------------------------------------------------------
static bool
s_certified(const process *self)
{
    uint8_t bytes[FL_CERT_BYTES];
    return fl_state_dir_cert_load(self->state, bytes, NULL) == FL_OK;
}

//  A root answers to the authority that it was certified by, or its children would not know it.
static fl_status
s_same_authority(const process *self, const fl_authority *authority, fl_why *why)
{
    fl_authority_public known;
    fl_status status = fl_state_dir_authority_load(self->state, &known, why);
    if (status == FL_OK && !fl_authority_public_equal(&known, fl_authority_public_of(authority))) {
        status = fl_fail(FL_DENIED, why,
                         "%s is of another authority than %s: name the authority's directory that "
                         "it began with, or another state directory",
                         self->state, fl_conf_text(self->conf, "authority"));
    }
    return status;
}

static fl_status
s_find_authority(const process *self, fl_authority **found, fl_why *why)
{
    FL_TRY(fl_state_dir_secret_load(fl_conf_text(self->conf, "authority"), found, why));
    fl_status status = s_certified(self) ? s_same_authority(self, *found, why) : FL_OK;
    if (status != FL_OK) {
        fl_authority_destroy(found);
    }
    return status;
}

//  The authority may be made by somebody who starts when we do. A root that has its certificate
//  begins without it: what needs a signature waits.
static fl_status
s_load_authority(process *self, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_why missing;
    bool certified = s_certified(self);
    FL_TRY(fl_state_dir_path(fl_conf_text(self->conf, "authority"), FL_STATE_AUTHORITY, path, why));
    if (!certified) {
        fl_status there = fl_enrol_at_start_wait(self->conf, self->stop, path, &missing);
        (void)there; // loading says better what is wrong
    }
    fl_status status = s_find_authority(self, &self->authority, why);
    return status == FL_MISSING && certified ? FL_OK : status;
}

static fl_status
s_open_files(process *self, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_start_step("opening the state directory", FL_START_SHORT_S);
    FL_TRY(fl_state_dir_open(self->state, why));
    FL_TRY(fl_lock_take(self->state, "fl-root", &self->lock, why));
    FL_TRY(s_load_authority(self, why));
    fl_start_step("opening the ledger", FL_START_LONG_S);
    FL_TRY(fl_state_dir_path(self->state, "ledger.db", path, why));
    FL_TRY(fl_ledger_open(path, &self->ledger, why));
    //  One from a backup would give serials a second time: 256 a second are never caught up with.
    const fl_entropy os = fl_entropy_os();
    uint32_t gap;
    fl_entropy_fill(&os, &gap, sizeof gap);
    FL_TRY(fl_ledger_serial_from(self->ledger, (fl_clock_wall_s() << 8) + 1, gap, why));
    FL_TRY(fl_state_dir_path(self->state, "models", path, why));
    return fl_checkpoints_open(path, self->ledger, &self->checkpoints, why);
}

//  Another number of shards would be another partition: what is leased would overlap.
static fl_status
s_same_shards(const process *self, fl_why *why)
{
    uint32_t leased = 0, shards = 0, wanted = (uint32_t)fl_conf_int(self->conf, "shards");
    fl_status status = fl_ledger_leased(self->ledger, &leased, &shards, why);
    if (status == FL_OK && leased > 0 && shards != wanted) {
        status = fl_fail(FL_RANGE, why,
                         "%s has leased %u of %u data shards, the setting shards now says %u: set "
                         "it as it was, or name another state directory",
                         self->state, leased, shards, wanted);
    }
    return status;
}

static uint64_t
s_life_s(const fl_conf *conf)
{
    return (uint64_t)fl_conf_ms(conf, "certificates.life") / 1000;
}

static fl_status
s_sign_ourselves(process *self, const fl_name *node, fl_why *why)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_entropy entropy = fl_entropy_os();
    fl_keys *keys = NULL;
    fl_status status = fl_state_dir_keys_load(self->state, &keys, why);
    if (status == FL_MISSING) {
        status = fl_state_dir_keys_make(self->state, &entropy, &keys, why);
    }
    if (status == FL_OK) {
        status = fl_enrol_issue_root(self->authority, self->ledger, node, fl_keys_public(keys),
                                     fl_clock_wall_s(), s_life_s(self->conf), bytes, why);
    }
    FL_THEN(status,
            fl_state_dir_authority_save(self->state, fl_authority_public_of(self->authority), why));
    FL_THEN(status, fl_state_dir_cert_save(self->state, bytes, false, why));
    fl_keys_destroy(&keys);
    return status;
}

//  The root makes its keys and certifies itself when it starts for the first time, and when its
//  certificate does not hold now: nobody but itself could shut it out.
static fl_status
s_certify(process *self, fl_why *why)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_name node;
    if (fl_state_dir_cert_load(self->state, bytes, why) == FL_OK) {
        fl_cert cert = { .role = FL_ROLE_NONE };
        fl_trust trust = FL_TRUST_OK;
        if (self->authority != NULL) {
            trust = fl_cert_check(fl_bytes_of(bytes, sizeof bytes),
                                  fl_authority_public_of(self->authority), fl_clock_wall_s(),
                                  FL_ROLES(FL_ROLE_ROOT), &cert);
        }
        if (cert.role != FL_ROLE_ROOT || (trust != FL_TRUST_EARLY && trust != FL_TRUST_EXPIRED)) {
            return FL_OK; // what else may be wrong with it is said when it is opened
        }
        fl_identity_clock_why(&cert, fl_clock_wall_s(), why);
        fl_log(FL_LOG_WARN, "clock", fl_log_text("why", why->text));
        return s_sign_ourselves(self, &cert.node, why);
    }
    const char *name = fl_conf_text(self->conf, "node");
    if (!fl_name_parse(name, &node)) {
        return fl_fail(FL_RANGE, why, "node: '%s' is no name: 1 to 15 of a-z, 0-9, dot and dash",
                       name);
    }
    return s_sign_ourselves(self, &node, why);
}

static fl_status
s_identify(process *self, fl_why *why)
{
    const fl_identity_conf conf = { .directory = self->state, .role = FL_ROLE_ROOT,
                                    .authority = self->authority, .wall_s = fl_clock_wall_s };
    fl_status status = fl_identity_open(&conf, &self->identity, why);
    uint64_t version = 0;
    fl_blob *list = NULL;
    FL_THEN(status, fl_ledger_deny_get(self->ledger, &version, &list, why));
    if (status == FL_OK && list != NULL) {
        fl_trust trust = fl_identity_deny_take(self->identity, fl_blob_bytes(list));
        if (trust != FL_TRUST_OK) {
            status = fl_fail(FL_MALFORMED, why,
                             "%s/ledger.db: the deny list in it is not valid (%s): restore it",
                             self->state, fl_trust_name(trust));
        }
        (void)fl_identity_deny_changed(self->identity);
    }
    fl_blob_unref(&list);
    return status;
}

// ---- runs -------------------------------------------------------------------------------------
static fl_status
s_load_test(process *self, fl_why *why)
{
    const char *inputs = fl_conf_text(self->conf, "test.inputs");
    const char *labels = fl_conf_text(self->conf, "test.labels");
    if (inputs[0] == '\0') {
        return FL_OK;
    }
    FL_TRY(fl_enrol_at_start_wait(self->conf, self->stop, inputs, why));
    FL_TRY(fl_enrol_at_start_wait(self->conf, self->stop, labels, why));
    fl_start_step("reading the test set", FL_START_LONG_S);
    return fl_dataset_load(inputs, labels, NULL, 0, &self->test, why);
}

//  What all runs share.
static fl_status
s_share(process *self, fl_live_run_conf *live, fl_why *why)
{
    const fl_dataset *test = &self->test;
    fl_why note = { "" };
    FL_TRY(s_load_test(self, why));
    *live = (fl_live_run_conf){ .ledger = self->ledger,
                                .checkpoints = self->checkpoints,
                                .pools = self->pools,
                                .test = { .inputs = test->inputs,
                                          .labels = test->labels,
                                          .count = test->samples,
                                          .features = test->features },
                                .root = self->conf };
    fl_start_step("opening OpenBLAS", FL_START_SHORT_S);
    fl_status status =
        fl_gemm_choose((unsigned)fl_conf_int(self->conf, "threads"), &live->gemm, &note);
    if (status != FL_OK) {
        *why = note;
    } else if (note.text[0] != '\0') {
        fl_log(FL_LOG_WARN, "blas", fl_log_text("why", note.text));
    }
    return status;
}

// ---- an authority that is away ----------------------------------------------------------------
static void
s_look(void *arg)
{
    process *self = arg;
    fl_why why;
    if (s_find_authority(self, &self->found, &why) != FL_OK) {
        fl_log(FL_LOG_WARN, "authority-away", fl_log_text("why", why.text));
    }
}

static void
s_looked(void *arg, bool ran)
{
    process *self = arg;
    const fl_event go = { .kind = FL_EV_RUN, .run.order = FL_RUN_GO };
    self->look_at = fl_node_now(self->node) + LOOK_MS;
    if (ran && self->found != NULL) {
        self->authority = self->found;
        self->found = NULL;
        fl_identity_lend(self->identity, self->authority);
        fl_log(FL_LOG_INFO, "authority-back", fl_log_none());
        fl_status posted = fl_node_post(self->node, &go);
        (void)posted; // a run that waits for it tries again by itself
    }
}

static void
s_mind_authority(process *self, fl_time now)
{
    const fl_job job = { .strand = FL_STRAND_STORE, .work = s_look, .done = s_looked, .arg = self };
    if (self->authority == NULL && now >= self->look_at) {
        fl_status added = fl_workers_add(fl_node_workers(self->node), &job);
        self->look_at = added == FL_OK ? FL_NEVER : now + LOOK_MS;
    }
}

static fl_reason
s_trouble(void *arg)
{
    const process *self = arg;
    return self->authority == NULL ? FL_WHY_AUTHORITY : FL_WHY_NONE;
}

// ---- what the node asks -----------------------------------------------------------------------
//  "NODE" or "undo NODE", any number of times: a node below drains, or takes rounds again.
static bool
s_drain(process *self, uint32_t ticket, const fl_ask *ask)
{
    const bool undo = strncmp(ask->argument, "undo ", 5) == 0;
    fl_event rest = { .kind = FL_EV_REST, .rest.reason = undo ? FL_WHY_NONE : FL_WHY_DRAIN };
    if (strcmp(ask->verb, "drain") != 0) {
        return false;
    }
    bool told = fl_name_parse(ask->argument + (undo ? 5 : 0), &rest.rest.node) &&
                fl_node_post(self->node, &rest) == FL_OK;
    fl_queries_say(self->queries, ticket, told ? FL_EXIT_OK : FL_EXIT_BUSY,
                   told ? "it was told" : "that is no node name, or there is too much at once");
    return true;
}

static bool
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    process *self = arg;
    return s_drain(self, ticket, ask) || fl_queries_ask(self->queries, ticket, ask) ||
           fl_run_service_ask(self->desk, ticket, ask) ||
           fl_authority_service_ask(self->service, ticket, ask);
}

static bool
s_enrol(void *arg, uint64_t ticket, fl_bytes sealed)
{
    process *self = arg;
    return fl_authority_service_enrol(self->service, ticket, sealed);
}

static fl_status
s_fits(void *arg, const fl_conf *run, fl_why *why)
{
    const process *self = arg;
    return fl_run_settings_fit(run, self->conf, why);
}

static void
s_told(void *arg, const fl_ledger_run *run)
{
    const process *self = arg;
    fl_runs_told(self->runs, &run->run, run->state == FL_RUN_STOPPED);
}

static uint32_t
s_waiting(void *arg, fl_run_waiting waiting[FL_WAITING_MAX])
{
    const process *self = arg;
    return fl_runs_waiting(self->runs, waiting);
}

static void
s_turn(void *arg)
{
    process *self = arg;
    fl_runs_turn(self->runs, fl_node_now(self->node));
    s_mind_authority(self, fl_node_now(self->node));
}

static void
s_fill(void *arg, fl_status_input *input)
{
    process *self = arg;
    static fl_root_view view;
    const uint32_t shown = fl_runs_shown(self->runs);
    const fl_root *root = fl_tracks_root(self->tracks, shown);
    view = fl_root_look(root, input->now);
    const fl_root *other = fl_tracks_root(self->tracks, 1 - shown);
    const fl_drawing_view pools = fl_drawing_look(fl_pools_drawing(self->pools));
    view.weakest = pools.edge;
    view.floor = pools.floor;
    view.bad = pools.bad;
    view.busy = view.busy || fl_root_look(other, input->now).busy;
    fl_reason trouble = s_trouble(self);
    trouble = trouble == FL_WHY_NONE ? fl_runs_trouble(self->runs, shown) : trouble;
    if (trouble != FL_WHY_NONE) {
        view.phase = FL_ROOT_PAUSED;
        view.reason = trouble;
    }
    input->tier = "root";
    input->node = *fl_identity_node(self->identity);
    input->run = *fl_runs_current(self->runs, shown);
    input->root = &view;
    input->aggregator = fl_root_aggregator(root);
    input->beside = fl_root_aggregator(other);
}

static bool
s_sign(void *arg, fl_task *task)
{
    const process *self = arg;
    if (self->authority != NULL) {
        fl_identity_sign(self->identity, task);
    }
    return self->authority != NULL;
}

static bool
s_give(void *arg, const fl_run *run, fl_pool_set *pools)
{
    const process *self = arg;
    return fl_drawing_give(fl_pools_drawing(self->pools), self->authority, run, pools);
}

static fl_status
s_open_pools(process *self, fl_why *why)
{
    const fl_entropy entropy = fl_entropy_os();
    const uint32_t floor = (uint32_t)fl_conf_int(self->conf, "pools.floor");
    const fl_drawing first = { .root = *fl_identity_node(self->identity),
                               .online = (uint32_t)fl_conf_int(self->conf, "pools.online"),
                               .floor = floor == 1 || floor == 2 ? FL_SECAGG_MEMBERS_MIN : floor };
    const uint64_t grace_s = (uint64_t)fl_conf_ms(self->conf, "certificates.grace") / 1000;
    FL_TRY(fl_pools_open(self->ledger, &first, grace_s, &entropy, &self->pools, why));
    return fl_pools_refresh(self->pools, true, fl_clock_wall_s(), why);
}

//  The machine, and what of it is every run's.
static fl_status
s_machine(process *self, fl_root_conf *shared, fl_why *why)
{
    self->blocks = fl_settings_blocks(self->identity, 2);
    *shared = (fl_root_conf){ .aggregator = fl_settings_aggregator(self->conf, NULL),
                              .signer = { .self = self, .sign = s_sign },
                              .pooler = { .self = self, .give = s_give } };
    shared->aggregator.node = *fl_identity_node(self->identity);
    shared->aggregator.masking = &self->blocks;
    shared->aggregator.child_roles[0] = FL_ROLE_EDGE;
    shared->aggregator.child_roles[1] = FL_ROLE_DEVICE;
    self->tracks = fl_tracks_new(shared);
    return self->tracks != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
}

static fl_status
s_seat(process *self, fl_why *why)
{
    fl_runs_conf runs = { .node = self->node, .most = (uint32_t)fl_conf_int(self->conf, "runs") };
    FL_TRY(s_open_pools(self, why));
    FL_TRY(s_share(self, &runs.live, why));
    FL_TRY(s_machine(self, &runs.shared, why));
    runs.machine = self->tracks;
    runs.memory = fl_conf_bytes(self->conf, "runs.memory");
    self->runs = fl_runs_new(&runs);
    const fl_queries_conf queries = { .node = self->node,
                                      .ledger = self->ledger,
                                      .checkpoints = self->checkpoints,
                                      .fill = s_fill,
                                      .self = self };
    self->queries = fl_queries_new(&queries);
    const fl_authority_service_conf service = {
        .identity = self->identity,
        .ledger = self->ledger,
        .node = self->node,
        .queries = self->queries,
        .life_s = s_life_s(self->conf),
        .grace_s = (uint64_t)fl_conf_ms(self->conf, "certificates.grace") / 1000,
        .shards = (uint32_t)fl_conf_int(self->conf, "shards"),
    };
    self->service = fl_authority_service_new(&service);
    const fl_run_service_conf desk = { .ledger = self->ledger,
                                       .checkpoints = self->checkpoints,
                                       .queries = self->queries,
                                       .self = self,
                                       .fits = s_fits,
                                       .trouble = s_trouble,
                                       .told = s_told,
                                       .waiting = s_waiting };
    self->desk = fl_run_service_new(&desk);
    if (self->queries == NULL || self->service == NULL || self->runs == NULL ||
        self->desk == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    const fl_tier tier = { .self = self,
                           .machine = fl_tracks_machine(self->tracks),
                           .applier = { fl_runs_applier(self->runs, 0),
                                        fl_runs_applier(self->runs, 1) },
                           .saver = { fl_runs_saver(self->runs, 0), fl_runs_saver(self->runs, 1) },
                           .enrol = s_enrol,
                           .ask = s_ask,
                           .turn = s_turn };
    return fl_node_seat(self->node, &tier, why);
}

static void
s_close(process *self)
{
    fl_node_close(&self->node);
    fl_run_service_destroy(&self->desk);
    fl_authority_service_destroy(&self->service);
    fl_queries_destroy(&self->queries);
    fl_runs_destroy(&self->runs);
    fl_tracks_destroy(&self->tracks);
    fl_pools_close(&self->pools);
    fl_dataset_release(&self->test);
    fl_identity_close(&self->identity);
    fl_checkpoints_close(&self->checkpoints);
    fl_ledger_close(&self->ledger);
    fl_authority_destroy(&self->authority);
    fl_lock_release(&self->lock);
}

// ---- a run from a file ------------------------------------------------------------------------
//  Another recipe under the name of a run that is there would be neither the one nor the other.
static fl_status
s_same_recipe(fl_ledger *ledger, const fl_ledger_run *row, const fl_run_recipe *recipe, fl_why *why)
{
    fl_blob *kept = NULL;
    FL_TRY(fl_ledger_run_recipe(ledger, &row->run, &kept, why));
    bool same = fl_bytes_equal(fl_blob_bytes(kept), fl_blob_bytes(recipe->text));
    fl_blob_unref(&kept);
    if (!same) {
        return fl_fail(FL_MISMATCH, why,
                       "run %s was submitted with other settings than its file says now: set the "
                       "file as it was, change the run with 'fl run set', or name another run",
                       row->name);
    }
    return FL_OK;
}

//  Submit the run of that RUN.yaml, if no run of its name is there; blocks. FL_MISMATCH when the
//  run that is there was submitted with other settings.
static fl_status
s_submit_file(fl_ledger *ledger, const char *path, fl_why *why)
{
    fl_run_recipe recipe;
    fl_ledger_run row;
    uint64_t number = 0;
    fl_entropy entropy = fl_entropy_os();
    FL_TRY(fl_run_recipe_read(path, NULL, 0, &recipe, why));
    fl_status status = fl_ledger_run_find(ledger, recipe.name, &row, why);
    if (status == FL_OK && row.state != FL_RUN_ABORTED) {
        status = s_same_recipe(ledger, &row, &recipe, why);
    } else if (status == FL_OK || status == FL_MISSING) { // what it was aborted for may be mended
        row = (fl_ledger_run){ .state = FL_RUN_QUEUED };
        fl_entropy_fill(&entropy, row.run.bytes, sizeof row.run.bytes);
        memcpy(row.name, recipe.name, sizeof row.name);
        status = fl_ledger_run_submit(ledger, &row, fl_blob_bytes(recipe.text), &number, why);
    }
    fl_blob_unref(&recipe.text);
    return status;
}

static fl_status
s_live(process *self, fl_why *why)
{
    FL_TRY(s_open_files(self, why));
    FL_TRY(s_same_shards(self, why));
    FL_TRY(s_certify(self, why));
    FL_TRY(s_identify(self, why));
    if (fl_conf_text(self->conf, "run")[0] != '\0') {
        FL_TRY(s_submit_file(self->ledger, fl_conf_text(self->conf, "run"), why));
    }
    fl_node_conf node = fl_settings_node(self->conf, true);
    node.slots *= FL_TRACKS;
    node.identity = self->identity;
    node.stop = self->stop;
    FL_TRY(fl_node_open(&node, &self->node, why));
    FL_TRY(s_seat(self, why));
    FL_TRY(fl_node_tell_ports(self->node, why));
    fl_log(FL_LOG_INFO, "started", fl_log_u64("port", fl_node_port(self->node, FL_WAY_CONTROL)));
    fl_runs_wake(self->runs);
    return fl_node_run(self->node, why);
}

fl_status
fl_root_process(const fl_conf *conf, fl_stop *stop, fl_why *why)
{
    process self = { .conf = conf, .stop = stop, .state = fl_conf_text(conf, "state") };
    if (fl_conf_bool(conf, "healthcheck")) {
        return fl_healthcheck_ask(self.state, "fl-root", why);
    }
    fl_settings_log(conf, "root", fl_conf_text(conf, "node"));
    fl_status status = s_live(&self, why);
    s_close(&self);
    return status;
}
