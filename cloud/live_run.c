#include "cloud/live_run.h"

#include <stdlib.h>
#include <string.h>

#include "cloud/run_recipe.h"
#include "common/base/limits.h"
#include "common/config/clock.h"
#include "common/crypto/entropy.h"
#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "common/runtime/durable.h"
#include "common/store/file.h"
#include "common/wire/manifest.h"

enum { PAGE = 64 };

struct fl_live_run {
    fl_live_run_conf shared;
    fl_ledger_run row;
    fl_conf *conf;
    fl_root_conf root;
    fl_ledger_resume resume;
    uint64_t seen; // rounds that root.best was shown
    fl_global_model *server;
    fl_ledger_facts *facts; // of the masked round in hand
    fl_past pasts[FL_PASTS_MAX];
    fl_ledger_round *members; // in the round closed last; NULL: none
};

//  The model of a fresh run. model.initial is the hash of a file that was put, or, of the run that
//  fl-root was started with, a path.
static fl_status
s_first(const fl_live_run *self, const fl_live_run_conf *conf, fl_blob **model, fl_why *why)
{
    const char *initial = fl_conf_text(self->conf, "model.initial");
    fl_blob *file = NULL;
    fl_hash hash;
    fl_why wrong;
    fl_status status = FL_OK;
    if (fl_unhex(initial, hash.bytes, sizeof hash.bytes)) {
        status = fl_checkpoints_load(conf->checkpoints, &hash, &file, &wrong);
    } else if (initial[0] != '\0') {
        status = fl_file_read(initial, FL_VECTOR_BYTES_MAX, &file, &wrong);
    }
    if (status == FL_OK) {
        const fl_bytes bytes = file == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(file);
        status = fl_run_settings_model(self->conf, bytes, model, &wrong);
    }
    fl_blob_unref(&file);
    if (status != FL_OK && initial[0] != '\0') {
        fl_why_set(why, "model.initial, %s: %s", initial, wrong.text);
    } else if (status != FL_OK) {
        *why = wrong;
    }
    return status == FL_MISSING ? FL_MISMATCH : status; // it will not come by waiting
}

//  The model that a queued run begins with: kept first, then named by the ledger.
static fl_status
s_begin(fl_live_run *self, const fl_live_run_conf *conf, fl_why *why)
{
    uint8_t room[FL_PARTS_MADE_MAX];
    fl_order order = { .plan = self->root.plan };
    fl_safetensors file;
    fl_blob *model = NULL;
    FL_TRY(s_first(self, conf, &model, why));
    const fl_bytes bytes = fl_blob_bytes(model);
    const fl_hash hash = fl_hash_of(bytes);
    fl_status status = fl_safetensors_parse(bytes, &file, why);
    FL_THEN(status, fl_checkpoints_save(conf->checkpoints, &hash, bytes, why));
    order.elements = file.elements;
    FL_THEN(status, fl_ledger_run_begin(conf->ledger, &self->row.run, file.elements, &hash,
                                        bytes.size, fl_manifest_encode(&order, room), why));
    fl_blob_unref(&model);
    return status;
}

//  A plain vector is not scored, nor is a model that devices score alone, or one of their owners.
static fl_samples
s_test(const fl_live_run *self, const fl_live_run_conf *conf)
{
    bool scored = fl_conf_int(self->conf, "model.elements") == 0 &&
                  fl_trainer_own(self->root.plan.trainer.name) &&
                  fl_conf_choice(self->conf, "evaluate.on") != FL_EVALUATE_DEVICES;
    return scored ? conf->test : (fl_samples){ .count = 0 };
}

static fl_status
s_model(fl_live_run *self, const fl_live_run_conf *conf, fl_why *why)
{
    fl_blob *optimizer = NULL, *model = NULL;
    const fl_hash *hash = &self->resume.run.model;
    FL_TRY(fl_checkpoints_load(conf->checkpoints, hash, &model, why));
    fl_status status =
        fl_checkpoints_load_optimizer(conf->checkpoints, &self->row.run, hash, &optimizer, why);
    const fl_global_model_conf server = { .optimizer = fl_run_settings_optimizer(self->conf),
                                          .test = s_test(self, conf),
                                          .evaluate_every =
                                              (uint64_t)fl_conf_int(self->conf, "evaluate.every"),
                                          .rounds = self->root.rounds,
                                          .gemm = conf->gemm,
                                          .ledger = conf->ledger,
                                          .checkpoints = conf->checkpoints,
                                          .keep =
                                              (uint32_t)fl_conf_int(conf->root, "checkpoints") };
    fl_bytes state = optimizer == NULL ? fl_bytes_of(NULL, 0) : fl_blob_bytes(optimizer);
    FL_THEN(status, fl_global_model_new(&server, model, state, &self->server, why));
    fl_blob_unref(&optimizer);
    fl_blob_unref(&model);
    return status;
}

static fl_status
s_read(fl_live_run *self, const fl_live_run_conf *conf, const fl_run *run, fl_why *why)
{
    char id[2 * sizeof run->bytes + 1];
    fl_hex(run->bytes, sizeof run->bytes, id);
    FL_TRY(fl_ledger_run_find(conf->ledger, id, &self->row, why));
    FL_TRY(fl_run_recipe_load(conf->ledger, run, NULL, &self->conf, why));
    FL_TRY(fl_run_settings_fit(self->conf, conf->root, why));
    self->root = fl_run_settings_root(self->conf, conf->root);
    memcpy(self->root.plan.run, self->row.name, sizeof self->root.plan.run);
    return FL_OK;
}

fl_status
fl_live_run_open(fl_live_run *self, fl_why *why)
{
    if (self->row.state == FL_RUN_QUEUED) {
        FL_TRY(s_begin(self, &self->shared, why));
    }
    FL_TRY(fl_live_run_refresh(self, why));
    return s_model(self, &self->shared, why);
}

//  What the rounds closed since say of the best model.
static fl_status
s_recall_best(fl_live_run *self, fl_why *why)
{
    fl_ledger_round *rounds = calloc(PAGE, sizeof *rounds);
    fl_status status = rounds != NULL ? FL_OK : fl_fail(FL_NOMEM, why, "out of memory");
    while (status == FL_OK && self->seen + 1 < self->resume.round) {
        uint32_t count = 0;
        uint64_t first = self->seen + 1, before = first + PAGE;
        before = before < self->resume.round ? before : self->resume.round;
        status = fl_ledger_rounds(self->shared.ledger, &self->row.run, first, before, rounds, PAGE,
                                  &count, why);
        for (uint32_t i = 0; status == FL_OK && i < count; i++) {
            const fl_report *report = &rounds[i].report;
            if (rounds[i].closed && report->close == FL_CLOSE_DONE) {
                (void)fl_best_see(&self->root.best, report->round, report->loss, report->accuracy);
            }
        }
        self->seen = before - 1;
    }
    free(rounds);
    return status;
}

fl_claim
fl_live_run_claim(const fl_live_run *self)
{
    const fl_aggregator_conf *rounds = &self->root.aggregator;
    const uint64_t elements = // of a file that was put they are not more than its bytes allow
        self->row.elements > 0 ? self->row.elements : self->row.model_bytes / sizeof(float);
    fl_claim claim = { .on_count = rounds->on_count,
                       .wanted = { self->root.plan.trainer, self->root.plan.data },
                       .bytes = fl_run_settings_memory(self->conf, self->shared.root, elements) };
    memcpy(claim.on, rounds->on, sizeof claim.on);
    return claim;
}

//  Another run's round was opened since then for some of its children, who may have forgotten
//  theirs.
static fl_status
s_passed(const fl_live_run *self, bool *passed, fl_why *why)
{
    fl_run since[PAGE];
    uint32_t count = 0;
    const fl_claim own = fl_live_run_claim(self);
    FL_TRY(fl_ledger_since(self->shared.ledger, &self->row.run, since, PAGE, &count, why));
    *passed = count == PAGE;
    for (uint32_t i = 0; i < count && !*passed; i++) {
        fl_live_run *other = NULL;
        fl_status status = fl_live_run_read(&self->shared, &since[i], &other, why);
        const fl_claim claim = status == FL_OK ? fl_live_run_claim(other) : own;
        *passed = fl_claims_meet(&claim, &own); // one that cannot be read may have met it
        fl_live_run_close(&other);
    }
    return FL_OK;
}

fl_status
fl_live_run_refresh(fl_live_run *self, fl_why *why)
{
    fl_ledger *ledger = self->shared.ledger;
    const fl_run *run = &self->row.run;
    bool passed = false;
    fl_ledger_facts_destroy(&self->facts);
    FL_TRY(fl_ledger_resume_get(ledger, run, &self->resume, why));
    if (self->resume.attempt > 0) {
        FL_TRY(s_passed(self, &passed, why));
    }
    FL_TRY(s_recall_best(self, why));
    FL_TRY(fl_ledger_facts_get(ledger, run, self->resume.round, &self->facts, why));
    self->root.aggregator.facts = self->facts->facts;
    self->root.aggregator.fact_count = self->facts->count;
    self->root.pasts = self->pasts;
    self->root.past_count = fl_durable_recall(ledger, run, self->resume.round, self->pasts);
    fl_ledger_round_destroy(&self->members);
    self->members = fl_durable_members(ledger, run);
    self->root.members = self->members == NULL ? NULL : self->members->report.roll;
    self->root.member_count = self->members == NULL ? 0 : self->members->report.roll_count;
    bool aborted = self->members != NULL && self->members->report.close == FL_CLOSE_ABORTED;
    self->root.passed = passed;
    self->root.aborted = aborted ? self->members->report.reason : FL_WHY_NONE;
    return FL_OK;
}

fl_status
fl_live_run_read(const fl_live_run_conf *conf, const fl_run *run, fl_live_run **live, fl_why *why)
{
    fl_live_run *self = calloc(1, sizeof *self);
    *live = NULL;
    if (self == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    self->shared = *conf;
    fl_status status = s_read(self, conf, run, why);
    if (status != FL_OK) {
        fl_live_run_close(&self);
    }
    *live = self;
    return status;
}

void
fl_live_run_close(fl_live_run **self_p)
{
    fl_live_run *self = *self_p;
    *self_p = NULL;
    if (self != NULL) {
        fl_global_model_destroy(&self->server);
        fl_ledger_round_destroy(&self->members);
        fl_ledger_facts_destroy(&self->facts);
        fl_conf_destroy(&self->conf);
        free(self);
    }
}

const fl_run *
fl_live_run_id(const fl_live_run *self)
{
    return &self->row.run;
}

uint64_t
fl_live_run_samples_max(const fl_live_run *self)
{
    return fl_run_settings_samples_max(self->conf);
}

const char *
fl_live_run_name(const fl_live_run *self)
{
    return self->row.name;
}

void
fl_live_run_start(fl_live_run *self, fl_root_conf *conf, fl_event *start, fl_blob **model)
{
    const fl_ledger_resume *resume = &self->resume;
    const fl_root_conf shared = *conf;
    *conf = self->root;
    conf->signer = shared.signer;
    conf->pooler = shared.pooler;
    conf->aggregator.node = shared.aggregator.node;
    conf->aggregator.masking = shared.aggregator.masking;
    conf->aggregator.child_roles[0] = shared.aggregator.child_roles[0];
    conf->aggregator.child_roles[1] = shared.aggregator.child_roles[1];
    *start = (fl_event){ .kind = FL_EV_START };
    start->start.round = resume->round;
    start->start.attempt = resume->attempt;
    start->start.draw = resume->draw;
    start->start.bound = resume->bound;
    start->start.run = resume->run.run;
    start->start.model = resume->run.model;
    start->start.tensors = fl_global_model_tensors(self->server);
    start->start.model_bytes = resume->run.model_bytes;
    start->start.elements = resume->run.elements;
    *model = fl_blob_ref(fl_global_model_file(self->server));
}

fl_applier
fl_live_run_applier(fl_live_run *self)
{
    return fl_global_model_applier(self->server);
}

static bool
s_save(void *arg, fl_save what, const fl_report *report)
{
    fl_live_run *self = arg;
    const fl_saver rounds = fl_global_model_saver(self->server);
    fl_why why;
    if (what != FL_SAVE_POOLS) {
        return rounds.save(rounds.self, what, report);
    }
    const fl_status status =
        fl_pools_refresh(self->shared.pools, report->attempt > 0, fl_clock_wall_s(), &why);
    return fl_durable_said(status, &why);
}

static bool
s_keep(void *arg, const fl_effect *keep)
{
    const fl_saver rounds = fl_global_model_saver(((fl_live_run *)arg)->server);
    return rounds.keep(rounds.self, keep);
}

fl_saver
fl_live_run_saver(fl_live_run *self)
{
    return (fl_saver){ .self = self, .save = s_save, .keep = s_keep };
}
