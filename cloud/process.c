#include "cloud/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/authority_service.h"
#include "cloud/global_model.h"
#include "cloud/root.h"
#include "cloud/settings.h"
#include "common/admin/healthcheck.h"
#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/lock.h"
#include "common/config/start.h"
#include "common/crypto/hash.h"
#include "common/data/idx.h"
#include "common/model/safetensors.h"
#include "common/runtime/durable.h"
#include "common/runtime/enrol_at_start.h"
#include "common/runtime/settings.h"
#include "common/store/file.h"

enum { DAY_S = 24 * 3600 };

typedef struct process {
    const fl_conf *conf;
    fl_stop *stop;
    const char *state;
    fl_lock *lock;
    fl_authority *authority;
    fl_ledger *ledger;
    fl_checkpoints *checkpoints;
    fl_identity *identity;
    fl_dataset test;
    fl_ledger_resume resume;
    fl_blob *model;          // that the next round begins with
    fl_global_model *server;
    fl_secagg_server_conf blocks;
    fl_ledger_facts *facts;  // of the masked round in hand
    fl_past pasts[FL_PASTS_MAX];
    fl_root *root;
    fl_node *node;
    fl_queries *queries;
    fl_authority_service *service;
} process;

// ---- files ------------------------------------------------------------------------------------
//  The authority may be made by somebody who starts when we do.
static fl_status
s_load_authority(process *self, fl_why *why)
{
    const char *directory = fl_conf_text(self->conf, "authority");
    char path[FL_STATE_PATH_MAX];
    fl_why missing;
    FL_TRY(fl_state_dir_path(directory, FL_STATE_AUTHORITY, path, why));
    fl_status there = fl_enrol_at_start_wait(self->conf, self->stop, path, &missing);
    (void)there; // loading says better what is wrong
    return fl_state_dir_secret_load(directory, &self->authority, why);
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
    FL_TRY(fl_state_dir_path(self->state, "models", path, why));
    return fl_checkpoints_open(path, (uint32_t)fl_conf_int(self->conf, "checkpoints"),
                               &self->checkpoints, why);
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

//  A root answers to the authority that it was certified by, or its children would not know it.
static fl_status
s_same_authority(const process *self, fl_why *why)
{
    fl_authority_public known;
    fl_status status = fl_state_dir_authority_load(self->state, &known, why);
    if (status == FL_OK &&
        !fl_authority_public_equal(&known, fl_authority_public_of(self->authority))) {
        status = fl_fail(FL_DENIED, why,
                         "%s is of another authority than %s: name the authority's directory that "
                         "it began with, or another state directory",
                         self->state, fl_conf_text(self->conf, "authority"));
    }
    return status;
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
        uint64_t life = (uint64_t)fl_conf_int(self->conf, "certificates.days") * DAY_S;
        status = fl_enrol_issue_root(self->authority, self->ledger, node, fl_keys_public(keys),
                                     fl_clock_wall_s(), life, bytes, why);
    }
    if (status == FL_OK) {
        status =
            fl_state_dir_authority_save(self->state, fl_authority_public_of(self->authority), why);
    }
    if (status == FL_OK) {
        status = fl_state_dir_cert_save(self->state, bytes, false, why);
    }
    fl_keys_destroy(&keys);
    return status;
}

//  The root makes its keys and certifies itself when it starts for the first time, and again when
//  its certificate is about to end.
static fl_status
s_certify(process *self, fl_why *why)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_name node;
    if (fl_state_dir_cert_load(self->state, bytes, why) == FL_OK) {
        fl_status status = s_same_authority(self, why);
        bool due = fl_enrol_issue_root_due(self->authority, bytes, fl_clock_wall_s(), &node);
        return status == FL_OK && due ? s_sign_ourselves(self, &node, why) : status;
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
    if (status == FL_OK) {
        status = fl_ledger_deny_get(self->ledger, &version, &list, why);
    }
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

// ---- the run ----------------------------------------------------------------------------------
static fl_status
s_begin_run(process *self, fl_why *why)
{
    fl_safetensors file;
    fl_ledger_run run = { .model = { { 0 } } };
    FL_TRY(fl_root_settings_model(self->conf, &self->model, why));
    FL_TRY(fl_safetensors_parse(fl_blob_bytes(self->model), &file, why));
    fl_entropy entropy = fl_entropy_os();
    fl_entropy_fill(&entropy, run.run.bytes, sizeof run.run.bytes);
    run.elements = file.elements;
    run.model = fl_hash_of(fl_blob_bytes(self->model));
    run.model_bytes = fl_blob_size(self->model);
    FL_TRY(fl_checkpoints_save(self->checkpoints, &run.model, fl_blob_bytes(self->model),
                               fl_bytes_of(NULL, 0), why));
    FL_TRY(fl_ledger_run_begin(self->ledger, &run, why));
    return fl_ledger_resume_get(self->ledger, &self->resume, why);
}

//  What was begun goes on with the model that it began with, whatever the settings say now; so they
//  must not say another.
static fl_status
s_same_model(const process *self, fl_why *why)
{
    fl_safetensors file;
    fl_why differs;
    FL_TRY(fl_safetensors_parse(fl_blob_bytes(self->model), &file, why));
    fl_status status = fl_root_settings_same(self->conf, &file, &differs);
    if (status != FL_OK) {
        fl_why_set(why, "%s holds a run over another model (%s): set model.layers and "
                   "model.elements as they were, or name another state directory", self->state,
                   differs.text);
    }
    return status;
}

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
    FL_TRY(fl_root_settings_test_fits(self->conf, why)); // it may have been made meanwhile
    return fl_dataset_load(inputs, labels, NULL, 0, &self->test, why);
}

static fl_status
s_load_run(process *self, fl_why *why)
{
    fl_blob *optimizer = NULL;
    fl_dataset *test = &self->test;
    fl_start_step("loading the model", FL_START_LONG_S);
    fl_status status = fl_ledger_resume_get(self->ledger, &self->resume, why);
    if (status == FL_MISSING) {
        status = s_begin_run(self, why);
    } else if (status == FL_OK) {
        status = fl_checkpoints_load(self->checkpoints, &self->resume.run.model, &self->model,
                                     &optimizer, why);
        status = status == FL_OK ? s_same_model(self, why) : status;
    }
    if (status == FL_OK) {
        status = s_load_test(self, why);
    }
    fl_global_model_conf server = { .optimizer = fl_root_settings_optimizer(self->conf),
                                    .test = { .inputs = test->inputs,
                                              .labels = test->labels,
                                              .count = test->samples,
                                              .features = test->features },
                                    .ledger = self->ledger,
                                    .checkpoints = self->checkpoints };
    fl_why note = { "" };
    if (status == FL_OK) {
        fl_start_step("opening OpenBLAS", FL_START_SHORT_S);
        status = fl_gemm_choose((unsigned)fl_conf_int(self->conf, "threads"), &server.gemm, &note);
        if (note.text[0] != '\0') {
            *why = note;
        }
    }
    if (status == FL_OK) {
        fl_bytes state = optimizer == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(optimizer);
        status = fl_global_model_new(&server, self->model, state, &self->server, why);
    }
    fl_blob_unref(&optimizer);
    if (status == FL_OK && note.text[0] != '\0') {
        fl_log(FL_LOG_WARN, "blas", fl_log_text("why", note.text));
    }
    return status;
}

// ---- what the node asks -----------------------------------------------------------------------
static bool
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    process *self = arg;
    return fl_queries_ask(self->queries, ticket, ask) ||
           fl_authority_service_ask(self->service, ticket, ask);
}

static bool
s_enrol(void *arg, uint64_t ticket, fl_bytes sealed)
{
    process *self = arg;
    return fl_authority_service_enrol(self->service, ticket, sealed);
}

static bool
s_done(void *arg)
{
    process *self = arg;
    return fl_root_look(self->root, fl_node_now(self->node)).phase == FL_ROOT_DONE;
}

static void
s_fill(void *arg, fl_status_input *input)
{
    process *self = arg;
    static fl_root_view view;
    view = fl_root_look(self->root, input->now);
    input->tier = "root";
    input->node = *fl_identity_node(self->identity);
    input->run = self->resume.run.run;
    input->root = &view;
    input->aggregator = fl_root_aggregator(self->root);
}

static void
s_sign(void *arg, fl_task *task)
{
    const process *self = arg;
    fl_identity_sign(self->identity, task);
}

static fl_status
s_seat(process *self, fl_why *why)
{
    FL_TRY(fl_ledger_facts_get(self->ledger, &self->resume.run.run, self->resume.round,
                               &self->facts, why));
    const fl_queries_conf queries = { .node = self->node,
                                      .ledger = self->ledger,
                                      .checkpoints = self->checkpoints,
                                      .fill = s_fill,
                                      .self = self };
    self->queries = fl_queries_new(&queries);
    const fl_authority_service_conf service = {
        .authority = self->authority,
        .identity = self->identity,
        .ledger = self->ledger,
        .node = self->node,
        .queries = self->queries,
        .life_s = (uint64_t)fl_conf_int(self->conf, "certificates.days") * DAY_S,
        .shards = (uint32_t)fl_conf_int(self->conf, "shards"),
    };
    self->service = fl_authority_service_new(&service);
    fl_root_conf root = fl_root_settings(self->conf);
    self->blocks = fl_settings_blocks(self->identity, 2);
    root.aggregator.node = *fl_identity_node(self->identity);
    root.aggregator.masking = &self->blocks;
    root.signer = (fl_signer){ .self = self, .sign = s_sign };
    root.aggregator.facts = self->facts->facts;
    root.aggregator.fact_count = self->facts->count;
    root.pasts = self->pasts;
    root.past_count =
        fl_durable_recall(self->ledger, &self->resume.run.run, self->resume.round, self->pasts);
    self->root = fl_root_new(&root);
    if (self->queries == NULL || self->service == NULL || self->root == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    const fl_tier tier = { .self = self,
                           .machine = fl_root_machine(self->root),
                           .applier = fl_global_model_applier(self->server),
                           .saver = fl_global_model_saver(self->server),
                           .enrol = s_enrol,
                           .ask = s_ask,
                           .done = s_done };
    return fl_node_seat(self->node, &tier, why);
}

static fl_status
s_start(process *self, fl_why *why)
{
    const fl_ledger_resume *resume = &self->resume;
    fl_handles_put_model(fl_node_handles(self->node), &resume->run.model, &self->model);
    fl_event start = { .kind = FL_EV_START };
    start.start.round = resume->round;
    start.start.attempt = resume->attempt;
    start.start.run = resume->run.run;
    start.start.model = resume->run.model;
    start.start.model_bytes = resume->run.model_bytes;
    start.start.elements = resume->run.elements;
    fl_log_set_run(&resume->run.run);
    fl_log(FL_LOG_INFO, "started", fl_log_u64("next_round", resume->round),
           fl_log_u64("rounds", (uint64_t)fl_conf_int(self->conf, "rounds")),
           fl_log_u64("port", fl_node_port(self->node, FL_WAY_CONTROL)),
           fl_log_u64("parameters", resume->run.elements));
    FL_TRY(fl_node_post(self->node, &start));
    return fl_settings_ports(self->conf, self->node, why);
}

static fl_status
s_run(process *self, fl_why *why)
{
    fl_status status = fl_node_run(self->node, why);
    fl_root_view view = fl_root_look(self->root, fl_node_now(self->node));
    if (view.phase == FL_ROOT_DONE && view.aborted) {
        return fl_fail(FL_MISMATCH, why,
                       "the run was aborted in round %llu: %s, as its log says; mend that and "
                       "start again: the run goes on from its last closed round",
                       (unsigned long long)view.round, fl_reason_name(view.reason));
    }
    return status;
}

static void
s_close(process *self)
{
    fl_node_close(&self->node);
    fl_authority_service_destroy(&self->service);
    fl_queries_destroy(&self->queries);
    fl_root_destroy(&self->root);
    fl_ledger_facts_destroy(&self->facts);
    fl_global_model_destroy(&self->server);
    fl_blob_unref(&self->model);
    fl_dataset_release(&self->test);
    fl_identity_close(&self->identity);
    fl_checkpoints_close(&self->checkpoints);
    fl_ledger_close(&self->ledger);
    fl_authority_destroy(&self->authority);
    fl_lock_release(&self->lock);
}

static fl_status
s_live(process *self, fl_why *why)
{
    FL_TRY(s_open_files(self, why));
    FL_TRY(s_same_shards(self, why));
    FL_TRY(s_certify(self, why));
    FL_TRY(s_identify(self, why));
    FL_TRY(s_load_run(self, why));
    fl_node_conf node = fl_settings_node(self->conf, true);
    node.identity = self->identity;
    node.stop = self->stop;
    FL_TRY(fl_node_open(&node, &self->node, why));
    FL_TRY(s_seat(self, why));
    FL_TRY(s_start(self, why));
    return s_run(self, why);
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
