#include "device/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/healthcheck.h"
#include "common/admin/queries.h"
#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/exit_codes.h"
#include "common/config/start.h"
#include "common/identity/replica_dir.h"
#include "common/runtime/durable.h"
#include "common/runtime/enrol_at_start.h"
#include "device/device.h"
#include "device/settings.h"
#include "device/trainers.h"

#define PROGRAM "fl-device"

typedef struct process {
    const fl_conf *conf;
    fl_stop *stop;
    bool slotted;
    fl_replica_dir slot; // its number counts when slotted, its path always
    fl_lock *lock;
    fl_durable durable;
    fl_identity *identity;
    fl_site *site; // NULL: everything is allowed
    fl_secagg_client_conf masking;
    fl_secagg_mark mark;
    fl_dataset data;
    fl_trainer trainer;
    fl_device *device;
    fl_node *node;
    fl_queries *queries;
} process;

static fl_status
s_open_home(process *self, fl_why *why)
{
    if (self->slotted) {
        FL_TRY(fl_replica_dir_claim(fl_conf_text(self->conf, "slots"), PROGRAM, &self->slot,
                                    &self->lock, why));
        fl_log(FL_LOG_INFO, "slot", fl_log_u64("number", self->slot.number));
        return FL_OK;
    }
    FL_TRY(fl_state_dir_open(self->slot.path, why));
    return fl_lock_take(self->slot.path, PROGRAM, &self->lock, why);
}

static fl_status
s_open_files(process *self, fl_why *why)
{
    const fl_enrol_at_start_conf newcomer = { .conf = self->conf,
                                              .stop = self->stop,
                                              .state = self->slot.path,
                                              .role = FL_ROLE_DEVICE,
                                              .slotted = self->slotted,
                                              .slot = self->slot.number };
    FL_TRY(fl_enrol_at_start_join(&newcomer, why));
    const fl_identity_conf conf = { .directory = self->slot.path, .role = FL_ROLE_DEVICE,
                                    .parent = true, .wall_s = fl_clock_wall_s };
    FL_TRY(fl_identity_open(&conf, &self->identity, why));
    return fl_state_dir_mark_load(self->slot.path, fl_identity_node(self->identity), &self->mark,
                                  why);
}

//  Those of the owner, in front of our own.
static fl_status
s_open_trainers(process *self, const fl_lease *ours, fl_why *why)
{
    const fl_conf *site = self->site == NULL ? NULL : fl_site_conf(self->site);
    const char *slots = fl_conf_text(self->conf, "slots");
    const fl_trainers_conf conf = {
        .directory = fl_conf_text(self->conf, "trainers"),
        .state = self->slot.path,
        .hidden = self->slotted ? slots : self->slot.path,
        .node = fl_identity_node(self->identity)->name,
        .shard = ours->shard,
        .shards = ours->shards,
        .mute = site != NULL && !fl_conf_bool(site, "scores"),
        .samples_min = site == NULL ? 1 : (uint64_t)fl_conf_int(site, "samples_min"),
        .own = self->trainer,
    };
    fl_start_step("trying the trainers", FL_START_LONG_S);
    return fl_trainers_open(&conf, &self->trainer, why);
}

//  The samples may be made by somebody who starts when we do.
static fl_status
s_open_trainer(process *self, fl_why *why)
{
    static const char *const files[] = { "data.inputs", "data.labels" };
    fl_lease ours = { 0 };
    FL_TRY(fl_device_shard(self->conf, self->slot.path, &ours, why));
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = fl_conf_text(self->conf, files[i]);
        if (path[0] != '\0') {
            FL_TRY(fl_enrol_at_start_wait(self->conf, self->stop, path, why));
        }
    }
    const char *site = fl_conf_text(self->conf, "site");
    if (site[0] != '\0') {
        FL_TRY(fl_site_open(site, self->slot.path, &self->trainer.samples, &self->site, why));
    }
    FL_TRY(fl_device_trainer(self->conf, self->site, &ours, &self->data, &self->trainer, why));
    FL_TRY(s_open_trainers(self, &ours, why));
    if (ours.shards > 1) {
        fl_log(FL_LOG_INFO, "shard", fl_log_u64("shard", ours.shard),
               fl_log_u64("of", ours.shards));
    }
    return FL_OK;
}

static void
s_fill(void *arg, fl_status_input *input)
{
    process *self = arg;
    const fl_participant *participant = fl_device_participant(self->device);
    const fl_task *task = fl_participant_task(participant);
    input->tier = "device";
    input->node = *fl_identity_node(self->identity);
    input->run = *fl_participant_run(participant);
    input->round = task == NULL ? 0 : task->order.round;
    input->parent = fl_identity_parent(self->identity)->endpoint;
    input->final = fl_device_done(self->device);
    input->participant = participant;
}

//  Whoever is approved says HELLO, and is given the task that it refused.
static bool
s_approve(process *self, uint32_t ticket, const fl_ask *ask)
{
    fl_why why;
    char *said = NULL;
    const fl_event again = { .kind = FL_EV_REST, .rest.reason = FL_WHY_NONE };
    if (strcmp(ask->verb, "approve") != 0 || self->site == NULL) {
        return false;
    }
    fl_status status = fl_site_approve(self->site, ask->argument, &said, &why);
    bool rests = fl_participant_rests(fl_device_participant(self->device)) != FL_WHY_NONE;
    if (status == FL_OK && ask->argument[0] != '\0' && !rests) {
        status = fl_node_post(self->node, &again);
    }
    fl_queries_say(self->queries, ticket,
                   status == FL_OK        ? FL_EXIT_OK
                   : status == FL_MISSING ? FL_EXIT_MISSING
                                          : FL_EXIT_FAILED,
                   status == FL_OK ? said : why.text);
    free(said);
    return true;
}

static bool
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    process *self = arg;
    return s_approve(self, ticket, ask) || fl_queries_ask(self->queries, ticket, ask);
}

static void
s_turn(void *arg)
{
    process *self = arg;
    const time_t now = (time_t)fl_clock_wall_s();
    struct tm here;
    if (self->site != NULL && localtime_r(&now, &here) != NULL) {
        fl_node_rest(self->node, fl_site_hours(self->site, &here));
    }
}

static fl_reason
s_judge(void *arg, const fl_order *order, char text[FL_TEXT_MAX])
{
    process *self = arg;
    fl_reason reason = fl_trainers_judge(self->trainer.self, order, text);
    return reason == FL_WHY_NONE && self->site != NULL ? fl_site_judge(self->site, order, text)
                                                       : reason;
}

static fl_status
s_seat(process *self, fl_why *why)
{
    fl_participant_conf participant = fl_settings_participant(self->conf, FL_ROLE_DEVICE);
    participant.node = *fl_identity_node(self->identity);
    participant.samples = self->trainer.samples;
    self->masking = fl_settings_masking(self->conf, self->identity,
                                        (uint32_t)fl_conf_int(self->conf, "masking.draws_max"));
    participant.masking = &self->masking;
    participant.mark = &self->mark;
    participant.judge = s_judge;
    participant.judge_self = self;
    participant.offers = fl_device_offers(self->conf);
    fl_trainers_offer(self->trainer.self, &participant.offers);
    self->durable =
        (fl_durable){ .directory = self->slot.path, .node = *fl_identity_node(self->identity) };
    self->device = fl_device_new(&participant);
    const fl_queries_conf queries = { .node = self->node, .fill = s_fill, .self = self };
    self->queries = fl_queries_new(&queries);
    if (self->device == NULL || self->queries == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    const fl_tier tier = { .self = self,
                           .machine = fl_device_machine(self->device),
                           .trainer = &self->trainer,
                           .ask = s_ask,
                           .turn = s_turn,
                           .saver = { fl_durable_saver(&self->durable) } };
    return fl_node_seat(self->node, &tier, why);
}

static void
s_close(process *self)
{
    fl_node_close(&self->node);
    fl_queries_destroy(&self->queries);
    fl_device_destroy(&self->device);
    if (self->trainer.destroy != NULL) {
        self->trainer.destroy(&self->trainer.self);
    }
    fl_dataset_release(&self->data);
    fl_site_close(&self->site);
    fl_identity_close(&self->identity);
    fl_lock_release(&self->lock);
}

//  Where the process that is asked about lives.
static fl_status
s_ask_health(process *self, fl_why *why)
{
    if (self->slotted) {
        FL_TRY(fl_replica_dir_find(fl_conf_text(self->conf, "slots"), PROGRAM, &self->slot, why));
    }
    return fl_healthcheck_ask(self->slot.path, PROGRAM, why);
}

static fl_status
s_live(process *self, fl_why *why)
{
    fl_start_step("opening the state directory", FL_START_SHORT_S);
    FL_TRY(s_open_home(self, why));
    FL_TRY(s_open_files(self, why));
    fl_log_set_node(fl_identity_node(self->identity)->name);
    FL_TRY(s_open_trainer(self, why));
    fl_node_conf node = fl_settings_node(self->conf, false);
    node.directory = self->slot.path;
    node.identity = self->identity;
    node.stop = self->stop;
    node.parent = true;
    FL_TRY(fl_node_open(&node, &self->node, why));
    FL_TRY(s_seat(self, why));
    fl_log(FL_LOG_INFO, "started",
           fl_log_u64("samples", self->trainer.samples),
           fl_log_text("parent", fl_identity_parent(self->identity)->endpoint));
    return fl_node_run(self->node, why);
}

fl_status
fl_device_process(const fl_conf *conf, fl_stop *stop, fl_why *why)
{
    process self = { .conf = conf, .stop = stop,
                     .slotted = fl_conf_text(conf, "slots")[0] != '\0' };
    (void)snprintf(self.slot.path, sizeof self.slot.path, "%s", fl_conf_text(conf, "state"));
    if (fl_conf_bool(conf, "healthcheck")) {
        return s_ask_health(&self, why);
    }
    fl_settings_log(conf, "device", "");
    fl_status status = s_live(&self, why);
    s_close(&self);
    return status;
}
