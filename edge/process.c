#include "edge/process.h"

#include <stdlib.h>
#include <string.h>

#include "common/admin/healthcheck.h"
#include "common/admin/queries.h"
#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/lock.h"
#include "common/config/start.h"
#include "common/runtime/durable.h"
#include "common/runtime/enrol_at_start.h"
#include "edge/edge.h"

typedef struct process {
    const fl_conf *conf;
    fl_stop *stop;
    const char *state;
    fl_lock *lock;
    fl_ledger *ledger;
    fl_durable durable;
    fl_identity *identity;
    fl_secagg_client_conf masking;
    fl_secagg_server_conf blocks;
    fl_secagg_mark mark;
    fl_ledger_facts *facts; // of the masked round opened last
    fl_ledger_facts *kept;  // heads of the sums that were opened
    fl_past pasts[FL_PASTS_MAX];
    fl_ledger_round *members; // in the round closed last; NULL: none
    fl_edge *edge;
    fl_node *node;
    fl_queries *queries;
} process;

static fl_status
s_open_files(process *self, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_start_step("opening the state directory", FL_START_SHORT_S);
    FL_TRY(fl_state_dir_open(self->state, why));
    FL_TRY(fl_lock_take(self->state, "edge-agg", &self->lock, why));
    const fl_enrol_at_start_conf newcomer = {
        .conf = self->conf, .stop = self->stop, .state = self->state, .role = FL_ROLE_EDGE
    };
    FL_TRY(fl_enrol_at_start_join(&newcomer, why));
    const fl_identity_conf conf = { .directory = self->state, .role = FL_ROLE_EDGE,
                                    .parent = true, .wall_s = fl_clock_wall_s };
    FL_TRY(fl_identity_open(&conf, &self->identity, why));
    fl_start_step("opening the ledger", FL_START_LONG_S);
    FL_TRY(fl_state_dir_path(self->state, "ledger.db", path, why));
    FL_TRY(fl_ledger_open(path, &self->ledger, why));
    return fl_state_dir_mark_load(self->state, fl_identity_node(self->identity), &self->mark, why);
}

//  The deny list that was last heard of holds until the parent says more.
static fl_status
s_recall_denied(process *self, fl_why *why)
{
    uint64_t version = 0;
    fl_blob *list = NULL;
    fl_status status = fl_ledger_deny_get(self->ledger, &version, &list, why);
    if (list != NULL) {
        if (fl_identity_deny_take(self->identity, fl_blob_bytes(list)) != FL_TRUST_OK) {
            fl_log(FL_LOG_WARN, "deny-list-lost", fl_log_u64("version", version));
        }
        (void)fl_identity_deny_changed(self->identity);
    }
    fl_blob_unref(&list);
    return status;
}

// ---- what the node asks -----------------------------------------------------------------------
typedef struct heard {
    process *process;
    uint64_t version;
    fl_blob *list;
} heard;

static void
s_put_list(void *arg)
{
    heard *list = arg;
    fl_why why;
    fl_status status = fl_ledger_deny_put(list->process->ledger, list->version,
                                          fl_blob_bytes(list->list), NULL, &why);
    (void)fl_durable_said(status, &why);
}

static void
s_list_put(void *arg, bool ran)
{
    (void)ran;
    heard *list = arg;
    fl_blob_unref(&list->list);
    free(list);
}

static void
s_denied(void *arg)
{
    process *self = arg;
    heard *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return; // the parent says it again after a restart
    }
    list->process = self;
    list->version = fl_identity_deny_version(self->identity);
    list->list = fl_blob_copy(fl_identity_deny_bytes(self->identity));
    const fl_job job = { .strand = FL_STRAND_STORE, .work = s_put_list, .done = s_list_put,
                         .arg = list };
    if (list->list == NULL || fl_workers_add(fl_node_workers(self->node), &job) != FL_OK) {
        s_list_put(list, false); // likewise
    }
}

static void
s_fill(void *arg, fl_status_input *input)
{
    process *self = arg;
    input->tier = "edge";
    input->node = *fl_identity_node(self->identity);
    input->run = *fl_participant_run(fl_edge_participant(self->edge));
    input->round = fl_edge_round(self->edge);
    input->parent = fl_identity_parent(self->identity)->endpoint;
    input->final = fl_edge_done(self->edge);
    input->aggregator = fl_edge_aggregator(self->edge);
    input->participant = fl_edge_participant(self->edge);
}

static bool
s_ask(void *arg, uint32_t ticket, const fl_ask *ask)
{
    process *self = arg;
    return fl_queries_ask(self->queries, ticket, ask);
}

//  What is known here of the round opened last.
static fl_status
s_recall_round(process *self, fl_edge_conf *edge, fl_why *why)
{
    fl_status status = fl_ledger_newest(self->ledger, &edge->last_run, &edge->last_round,
                                        &edge->last_attempt, why);
    if (status != FL_OK) {
        return status == FL_MISSING ? FL_OK : status;
    }
    edge->pasts = self->pasts;
    edge->past_count =
        fl_durable_recall(self->ledger, &edge->last_run, edge->last_round, self->pasts);
    self->members = fl_durable_members(self->ledger, &edge->last_run);
    if (self->members != NULL) {
        edge->members = self->members->report.roll;
        edge->member_count = self->members->report.roll_count;
    }
    status = fl_ledger_facts_get(self->ledger, &edge->last_run, edge->last_round, &self->facts,
                                 why);
    if (status == FL_OK) {
        edge->aggregator.facts = self->facts->facts;
        edge->aggregator.fact_count = self->facts->count;
    }
    return status;
}

static fl_status
s_seat(process *self, fl_why *why)
{
    fl_edge_conf edge = { .participant = fl_settings_participant(self->conf, FL_ROLE_EDGE),
                          .aggregator = fl_settings_aggregator(self->conf, self->conf) };
    FL_TRY(s_recall_round(self, &edge, why));
    FL_TRY(fl_ledger_sum_heads(self->ledger, &self->kept, why));
    edge.kept = self->kept->facts;
    edge.kept_count = self->kept->count;
    self->masking = fl_settings_masking(self->conf, self->identity, FL_DRAW_MAX);
    self->blocks = fl_settings_blocks(self->identity, 1);
    edge.participant.node = *fl_identity_node(self->identity);
    edge.participant.masking = &self->masking;
    edge.participant.mark = &self->mark;
    edge.aggregator.node = edge.participant.node;
    edge.aggregator.masking = &self->blocks;
    self->durable = (fl_durable){ .directory = self->state,
                                  .node = edge.participant.node,
                                  .ledger = self->ledger };
    edge.aggregator.child_roles[0] = FL_ROLE_DEVICE;
    edge.aggregator.child_roles[1] = FL_ROLE_EDGE;
    self->edge = fl_edge_new(&edge);
    const fl_queries_conf queries = {
        .node = self->node, .ledger = self->ledger, .fill = s_fill, .self = self
    };
    self->queries = fl_queries_new(&queries);
    if (self->edge == NULL || self->queries == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory");
    }
    const fl_tier tier = { .self = self,
                           .machine = fl_edge_machine(self->edge),
                           .saver = { fl_durable_saver(&self->durable) },
                           .ask = s_ask,
                           .denied = s_denied };
    return fl_node_seat(self->node, &tier, why);
}

static void
s_close(process *self)
{
    fl_node_close(&self->node);
    if (self->edge != NULL && fl_edge_done(self->edge)) {
        fl_why why;
        const fl_run *run = fl_participant_run(fl_edge_participant(self->edge));
        (void)fl_durable_said(fl_ledger_facts_forget(self->ledger, run, &why), &why);
    }
    fl_queries_destroy(&self->queries);
    fl_edge_destroy(&self->edge);
    fl_ledger_round_destroy(&self->members);
    fl_ledger_facts_destroy(&self->facts);
    fl_ledger_facts_destroy(&self->kept);
    fl_ledger_close(&self->ledger);
    fl_identity_close(&self->identity);
    fl_lock_release(&self->lock);
}

static fl_status
s_live(process *self, fl_why *why)
{
    FL_TRY(s_open_files(self, why));
    fl_log_set_node(fl_identity_node(self->identity)->name);
    FL_TRY(s_recall_denied(self, why));
    fl_node_conf node = fl_settings_node(self->conf, true);
    node.identity = self->identity;
    node.stop = self->stop;
    node.parent = true;
    FL_TRY(fl_node_open(&node, &self->node, why));
    FL_TRY(s_seat(self, why));
    FL_TRY(fl_node_tell_ports(self->node, why));
    fl_log(FL_LOG_INFO, "started",
           fl_log_u64("port", fl_node_port(self->node, FL_WAY_CONTROL)),
           fl_log_text("parent", fl_identity_parent(self->identity)->endpoint));
    return fl_node_run(self->node, why);
}

fl_status
fl_edge_process(const fl_conf *conf, fl_stop *stop, fl_why *why)
{
    process self = { .conf = conf, .stop = stop, .state = fl_conf_text(conf, "state") };
    if (fl_conf_bool(conf, "healthcheck")) {
        return fl_healthcheck_ask(self.state, "edge-agg", why);
    }
    fl_settings_log(conf, "edge", "");
    fl_status status = s_live(&self, why);
    s_close(&self);
    return status;
}
