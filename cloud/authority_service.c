#include "cloud/authority_service.h"

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
    fl_authority_service *office;
    uint64_t ticket;
    fl_enrol_request request;
    fl_enrol_relay_answer answer;
} application;

static void
s_sign(void *arg)
{
    application *application_of = arg;
    const fl_authority_service_conf *conf = &application_of->office->conf;
    fl_enrol_issue_sign(conf->authority, conf->ledger, &application_of->request, fl_clock_wall_s(),
                        conf->life_s, conf->shards, &application_of->answer);
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
    fl_enrol_relay_enrolled(fl_node_relay(self->conf.station), ticket, answer);
    if (fl_node_post(self->conf.station, &wake) != FL_OK) {
        fl_log(FL_LOG_WARN, "busy", fl_log_text("for", "an enrolment: it goes out a step later"));
    }
}

static void
s_signed(void *arg, bool ran)
{
    application *application_of = arg;
    if (ran) {
        s_tell(application_of->office, application_of->ticket, &application_of->request.node,
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
    made->office = self;
    made->ticket = ticket;
    if (!fl_enrol_issue_open(self->conf.authority, sealed, fl_clock_wall_s(),
                             fl_identity_denied(self->conf.identity), &made->request,
                             &made->answer)) {
        s_signed(made, true);
        return true;
    }
    const fl_job job = { .strand = FL_STRAND_STORE, .work = s_sign, .done = s_signed, .arg = made };
    if (fl_workers_add(fl_node_crew(self->conf.station), &job) != FL_OK) {
        s_signed(made, false);
        return false;
    }
    return true;
}

// ---- revocation -------------------------------------------------------------------------------
typedef struct act {
    fl_authority_service *office;
    fl_blob *list;
    uint64_t version;
} act;

static void
s_put_list(fl_question *question)
{
    act *act_of = question->self;
    const fl_authority_service_conf *conf = &act_of->office->conf;
    fl_denied denied = { .node = question->node, .lifted = question->number != 0 };
    fl_why why;
    fl_status status = fl_ledger_deny_put(conf->ledger, act_of->version,
                                          fl_blob_bytes(act_of->list), &denied, &why);
    char text[FL_TEXT_MAX];
    fl_issued issued;
    //  A name may be shut out before it comes, but more often it is a slip of the keyboard.
    bool unknown = !denied.lifted &&
                   fl_ledger_issued(conf->ledger, &question->node, &issued, NULL) == FL_MISSING;
    (void)snprintf(text, sizeof text, "%s is %s%s", question->node.name,
                   denied.lifted ? "admitted again" : "revoked",
                   unknown ? "; no node of that name has enrolled: is it spelt right?" : "");
    question->code = status == FL_OK ? 0 : 1;
    question->json = status == FL_OK ? fl_said_json(text) : fl_error_json(why.text);
    fl_blob_unref(&act_of->list);
    free(act_of);
}

static void
s_change(fl_authority_service *self, uint32_t ticket, const fl_name *node, bool admit)
{
    fl_identity *identity = self->conf.identity;
    fl_status status = admit ? fl_identity_admit(identity, node) : fl_identity_deny(identity, node);
    if (status != FL_OK) {
        //  What was asked for is so already: no harm in asking twice.
        bool so = status == FL_EXISTS || status == FL_MISSING;
        const char *what = status == FL_EXISTS    ? " was revoked already"
                           : status == FL_MISSING ? " is not revoked"
                           : status == FL_FULL    ? ": the deny list is full"
                                                  : ": out of memory";
        char text[FL_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%s%s", node->name, what);
        fl_queries_say(self->conf.queries, ticket, so ? 0 : 1, text);
        return;
    }
    act *act_of = calloc(1, sizeof *act_of);
    FL_ASSERT(act_of != NULL);
    act_of->office = self;
    act_of->list = fl_blob_copy(fl_identity_deny_bytes(identity));
    act_of->version = fl_identity_deny_version(identity);
    const fl_question question = {
        .ticket = ticket, .node = *node, .number = admit, .self = act_of, .work = s_put_list
    };
    fl_queries_put(self->conf.queries, &question);
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

bool
fl_authority_service_ask(fl_authority_service *self, uint32_t ticket, const fl_ask *ask)
{
    bool revoke = strcmp(ask->verb, "revoke") == 0;
    bool admit = strcmp(ask->verb, "admit") == 0;
    bool certificate = strcmp(ask->verb, "certificate") == 0;
    fl_name node;
    if (!revoke && !admit && !certificate) {
        return false;
    }
    if (!fl_name_parse(ask->argument, &node)) {
        fl_queries_say(self->conf.queries, ticket, FL_EXIT_USAGE, "that is no node name");
    } else if (certificate) {
        const fl_question question = {
            .ticket = ticket, .node = node, .self = self, .work = s_find_certificate
        };
        fl_queries_put(self->conf.queries, &question);
    } else {
        s_change(self, ticket, &node, admit);
    }
    return true;
}
