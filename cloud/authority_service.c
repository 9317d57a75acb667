#include "cloud/authority_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/config/exit_codes.h"

struct fl_authority_service {
    fl_authority_service_conf conf;
};

fl_authority_service *
fl_authority_service_new(const fl_authority_service_conf *conf)
{
    fl_authority_service *self = calloc(1, sizeof *self);
    if (self != NULL) {
        self->conf = *conf;
    }
    return self;
}

void
fl_authority_service_destroy(fl_authority_service **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

// ---- enrolment --------------------------------------------------------------------------------
typedef struct application {
    fl_authority_service *service;
    uint64_t ticket;
    fl_enrol_request request;
    fl_enrol_relay_answer answer;
} application;

static void
s_sign(void *arg)
{
    application *application_of = arg;
    const fl_authority_service_conf *conf = &application_of->service->conf;
    fl_enrol_issue_sign(fl_identity_authority(conf->identity), conf->ledger,
                        &application_of->request, fl_clock_wall_s(), conf->life_s, conf->shards,
                        &application_of->answer);
}

static void
s_tell(fl_authority_service *self, uint64_t ticket, const fl_name *node,
       const fl_enrol_relay_answer *answer)
{
    const fl_event wake = { .kind = FL_EV_TICK };
    bool granted = answer->reason == FL_WHY_NONE;
    if (granted) {
        fl_log(FL_LOG_INFO, "enrolled", fl_log_text("peer", node->name));
    } else {
        fl_log(FL_LOG_WARN, "enrol-refused", fl_log_text("peer", node->name),
               fl_log_text("reason", fl_reason_name(answer->reason)),
               fl_log_text("why", answer->text));
    }
    fl_enrol_relay_enrolled(fl_node_relay(self->conf.node), ticket, answer);
    if (fl_node_post(self->conf.node, &wake) != FL_OK) {
        fl_log(FL_LOG_WARN, "busy", fl_log_text("for", "an enrolment: answered a step later"));
    }
}

static void
s_signed(void *arg, bool ran)
{
    application *application_of = arg;
    if (ran) {
        s_tell(application_of->service, application_of->ticket, &application_of->request.node,
               &application_of->answer);
    }
    fl_wipe(application_of, sizeof *application_of);
    free(application_of);
}

bool
fl_authority_service_enrol(fl_authority_service *self, uint64_t ticket, fl_bytes sealed)
{
    application *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return false;
    }
    made->service = self;
    made->ticket = ticket;
    if (fl_identity_authority(self->conf.identity) == NULL) {
        made->answer = (fl_enrol_relay_answer){ .reason = FL_WHY_AUTHORITY,
                                                .text = "its directory is away: ask later" };
        s_signed(made, true);
        return true;
    }
    const fl_enrol_time time = { .now = fl_clock_wall_s(), .grace_s = self->conf.grace_s };
    if (!fl_enrol_issue_open(fl_identity_authority(self->conf.identity), sealed, &time,
                             fl_identity_denied(self->conf.identity), &made->request,
                             &made->answer)) {
        s_signed(made, true);
        return true;
    }
    const fl_job job = { .strand = FL_STRAND_STORE, .work = s_sign, .done = s_signed, .arg = made };
    if (fl_workers_add(fl_node_workers(self->conf.node), &job) != FL_OK) {
        s_signed(made, false);
        return false;
    }
    return true;
}

// ---- revocation -------------------------------------------------------------------------------
//  The list that is durable: what the next one is made of, so that no version is ever two lists'.
//  NULL when there is none yet.
static fl_status
s_held(const fl_authority_service_conf *conf, fl_deny_list *list, fl_blob **held, fl_why *why)
{
    uint64_t version = 0;
    fl_status status = fl_ledger_deny_get(conf->ledger, &version, held, why);
    if (*held != NULL) {
        fl_trust trust =
            fl_deny_list_take(list, fl_blob_bytes(*held),
                              fl_authority_public_of(fl_identity_authority(conf->identity)));
        if (trust != FL_TRUST_OK) {
            status = fl_fail(FL_MALFORMED, why, "the deny list in the ledger does not hold (%s)",
                             fl_trust_name(trust));
            fl_blob_unref(held);
        }
    }
    return status;
}

typedef enum order { REVOKE, ADMIT, FORGET, CERTIFICATE, ORDERS } order;

//  Every certificate of the node by its number, and no longer its name: that is free. The newest
//  one stands there even if it has expired, so that the ledger knows.
static fl_status
s_forget(const fl_authority_service_conf *conf, fl_deny_list *list, fl_denied *act, fl_why *why)
{
    const fl_authority_public *known =
        fl_authority_public_of(fl_identity_authority(conf->identity));
    fl_issued one;
    fl_cert cert;
    bool changed = fl_deny_list_remove(list, &act->node, 0) == FL_OK;
    FL_TRY(fl_ledger_issued(conf->ledger, &act->node, &one, why));
    act->serial = one.serial;
    one.serial = 0;
    fl_status found;
    while ((found = fl_ledger_issued_from(conf->ledger, &act->node, one.serial + 1, &one, why)) ==
           FL_OK) {
        fl_trust trust = fl_cert_check(fl_bytes_of(one.certificate, one.certificate_bytes), known,
                                       fl_clock_wall_s(), FL_ROLES_ANY, &cert);
        bool over = trust == FL_TRUST_EXPIRED;
        fl_status added = over && one.serial != act->serial
                              ? FL_EXISTS
                              : fl_deny_list_add(list, &act->node, one.serial);
        if (added != FL_OK && added != FL_EXISTS) {
            return added;
        }
        changed = changed || added == FL_OK;
    }
    return found != FL_MISSING ? found : changed ? FL_OK : FL_EXISTS;
}

static fl_status
s_edit(const fl_authority_service_conf *conf, fl_deny_list *list, fl_denied *act, order what,
       fl_why *why)
{
    fl_status status = what == ADMIT    ? fl_deny_list_remove(list, &act->node, act->serial)
                       : what == REVOKE ? fl_deny_list_add(list, &act->node, act->serial)
                                        : s_forget(conf, list, act, why);
    if (status == FL_EXISTS || status == FL_MISSING || status == FL_NOMEM || status == FL_FULL) {
        fl_why_set(why, "%s%s", act->node.name,
                   status == FL_EXISTS    ? what == FORGET ? " was forgotten already"
                                                           : " was revoked already"
                   : status == FL_MISSING ? " is not revoked"
                   : status == FL_NOMEM   ? ": out of memory for the deny list"
                                          : ": the deny list is full");
    }
    return status;
}

//  A name that never was, or a number that the name never had, is a slip of the keyboard.
static fl_status
s_known(const fl_authority_service_conf *conf, const fl_denied *act, fl_why *why)
{
    fl_issued one;
    FL_TRY(fl_ledger_issued(conf->ledger, &act->node, &one, why));
    const uint64_t newest = one.serial;
    fl_status status =
        act->serial == 0
            ? FL_OK
            : fl_ledger_issued_from(conf->ledger, &act->node, act->serial, &one, why);
    return act->serial > 0 && one.serial != act->serial
               ? fl_fail(FL_MISSING, why, "%s never had the certificate %llu; its newest is %llu",
                         act->node.name, (unsigned long long)act->serial,
                         (unsigned long long)newest)
               : status;
}

//  Afterwards the newest durable list is in question->made, or nothing. Not `changed`: what was
//  asked for is so already, which is no failure.
static fl_status
s_change(fl_question *question, fl_deny_list *list, fl_denied *act, order what, bool *changed,
         fl_why *why)
{
    const fl_authority_service *self = question->self;
    fl_status status = s_held(&self->conf, list, &question->made, why);
    if (status == FL_OK) {
        status = s_edit(&self->conf, list, act, what, why);
        *changed = status == FL_OK;
        status = status == FL_EXISTS || status == FL_MISSING ? FL_OK : status;
    }
    if (!*changed) {
        return status;
    }
    fl_blob_unref(&question->made);
    question->made = fl_deny_list_sign(list, fl_identity_authority(self->conf.identity));
    if (question->made == NULL) {
        return fl_fail(FL_NOMEM, why, "out of memory for the deny list");
    }
    status = fl_ledger_deny_put(self->conf.ledger, fl_deny_list_version(list),
                                fl_blob_bytes(question->made), act, why);
    if (status != FL_OK) {
        fl_blob_unref(&question->made);
    }
    return status;
}

//  `number`: of the one certificate that is meant; 0: of all. `best`: a name that never was, too.
//  `limit`: the order.
static void
s_put_list(fl_question *question)
{
    const order what = (order)question->limit;
    const fl_authority_service *self = question->self;
    fl_denied act = { .node = question->node, .serial = question->number, .lifted = what == ADMIT };
    fl_why why = { "out of memory for the deny list" };
    fl_deny_list *list = fl_deny_list_new();
    bool changed = false;
    fl_status status = list == NULL ? FL_NOMEM : FL_OK;
    (void)snprintf(act.reason, sizeof act.reason, "%s", what == FORGET ? FL_LEDGER_FORGOTTEN : "");
    if (status == FL_OK && what != ADMIT && !question->best) {
        status = s_known(&self->conf, &act, &why);
    }
    FL_THEN(status, s_change(question, list, &act, what, &changed, &why));
    fl_deny_list_destroy(&list);
    if (changed && status == FL_OK) {
        fl_why_set(&why, "%s is %s", act.node.name,
                   what == ADMIT    ? "admitted again"
                   : what == REVOKE ? "revoked"
                                    : "forgotten: its name, and its data shard if it had one, are "
                                      "free for who joins with a token");
    }
    question->code = status == FL_OK        ? FL_EXIT_OK
                     : status == FL_MISSING ? FL_EXIT_MISSING
                                            : FL_EXIT_FAILED;
    question->json = status == FL_OK ? fl_said_json(why.text) : fl_error_json(why.text);
}

//  Durable: only now it holds here, and the children hear of it. A node that is shut out as a whole
//  is not waited for.
static void
s_publish(fl_question *question)
{
    const fl_authority_service *self = question->self;
    const fl_event denied = { .kind = FL_EV_DENIED, .denied.node = question->node };
    fl_trust trust = question->made == NULL
                         ? FL_TRUST_OLD
                         : fl_identity_deny_take(self->conf.identity,
                                                 fl_blob_bytes(question->made));
    if (trust == FL_TRUST_MEMORY) {
        fl_blob_unref(&question->json);
        question->code = FL_EXIT_FAILED;
        question->json = fl_error_json("stored, but no memory to obey it: ask again");
    }
    if (trust == FL_TRUST_OK && question->number == 0 && question->limit != ADMIT) {
        fl_status told = fl_node_post(self->conf.node, &denied);
        (void)told; // else it is waited for once more
    }
}

// ---- certificates -----------------------------------------------------------------------------
static void
s_find_certificate(fl_question *question)
{
    const fl_authority_service *self = question->self;
    char hex[2 * FL_CERT_BYTES_MAX + 1];
    fl_issued issued;
    fl_why why;
    fl_status status = fl_ledger_issued(self->conf.ledger, &question->node, &issued, &why);
    if (status == FL_OK) {
        fl_hex(issued.certificate, issued.certificate_bytes, hex);
    }
    question->code = status == FL_OK        ? FL_EXIT_OK
                     : status == FL_MISSING ? FL_EXIT_MISSING
                                            : FL_EXIT_FAILED;
    question->json = status == FL_OK ? fl_said_json(hex) : fl_error_json(why.text);
}

// ---- tokens -----------------------------------------------------------------------------------
//  `number`: revoke it. The answer: how often it was used, and whether it is revoked.
static void
s_look_at_token(fl_question *question)
{
    const fl_authority_service *self = question->self;
    fl_bytes token = fl_bytes_of(question->id, sizeof question->id);
    uint32_t uses = 0;
    bool revoked = false;
    fl_why why;
    fl_status status = question->number == 0
                           ? FL_OK
                           : fl_ledger_token_revoke(self->conf.ledger, token, &why);
    FL_THEN(status, fl_ledger_token_uses(self->conf.ledger, token, &uses, &revoked, &why));
    if (status == FL_OK) {
        fl_why_set(&why, "used %u times%s", uses, revoked ? ", revoked" : "");
    }
    question->code = status == FL_OK ? FL_EXIT_OK : FL_EXIT_FAILED;
    question->json = status == FL_OK ? fl_said_json(why.text) : fl_error_json(why.text);
}

static void
s_ask_token(fl_authority_service *self, uint32_t ticket, const char *id, bool revoke)
{
    fl_question question = { .ticket = ticket, .number = revoke, .self = self,
                             .work = s_look_at_token };
    if (fl_unhex(id, question.id, sizeof question.id)) {
        fl_queries_put(self->conf.queries, &question);
    } else {
        fl_queries_say(self->conf.queries, ticket, FL_EXIT_USAGE,
                       "that is no id of a token: 'fl token list' shows them");
    }
}

//  "NODE", "NODE SERIAL", "NODE SERIAL any": also a name that no certificate was issued to.
static bool
s_parse(const char *argument, fl_question *question)
{
    char name[sizeof question->node.name + 1] = "", any[4] = "";
    int found = sscanf(argument, "%16s %" SCNu64 " %3s", name, &question->number, any);
    question->best = strcmp(any, "any") == 0;
    return fl_name_parse(name, &question->node) && (found > 1 || strchr(argument, ' ') == NULL);
}

bool
fl_authority_service_ask(fl_authority_service *self, uint32_t ticket, const fl_ask *ask)
{
    static const char *const orders[ORDERS] = { "revoke", "admit", "forget", "certificate" };
    bool token = strcmp(ask->verb, "token") == 0;
    fl_question question = { .ticket = ticket, .self = self };
    if (token || strcmp(ask->verb, "token-revoke") == 0) {
        s_ask_token(self, ticket, ask->argument, !token);
        return true;
    }
    while (question.limit < ORDERS && strcmp(ask->verb, orders[question.limit]) != 0) {
        question.limit++;
    }
    if (question.limit == ORDERS) {
        return false;
    }
    question.work = question.limit == CERTIFICATE ? s_find_certificate : s_put_list;
    question.then = question.limit == CERTIFICATE ? NULL : s_publish;
    if (question.limit != CERTIFICATE && fl_identity_authority(self->conf.identity) == NULL) {
        fl_queries_say(self->conf.queries, ticket, FL_EXIT_BUSY,
                       "the authority's directory is away: ask later");
    } else if (s_parse(ask->argument, &question)) {
        fl_queries_put(self->conf.queries, &question);
    } else {
        fl_queries_say(self->conf.queries, ticket, FL_EXIT_USAGE, "that is no node name");
    }
    return true;
}
