#include "common/identity/enrol_issue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/config/clock.h"

static void __attribute__((format(printf, 3, 4)))
s_refuse(fl_enrol_relay_answer *answer, fl_reason reason, const char *format, ...)
{
    va_list args;
    answer->reason = reason;
    va_start(args, format);
    (void)vsnprintf(answer->text, sizeof answer->text, format, args);
    va_end(args);
}

//  What a newcomer hears: more exact than between neighbours, because a human acts on it.
static fl_reason
s_reason(fl_trust trust)
{
    return trust == FL_TRUST_NAME   ? FL_WHY_NAME
           : trust == FL_TRUST_SEAL ? FL_WHY_TOKEN
                                    : fl_identity_reason(trust);
}

bool
fl_enrol_issue_open(const fl_authority *authority, fl_bytes sealed, const fl_enrol_time *time,
                    const fl_deny_list *denied, fl_enrol_request *request,
                    fl_enrol_relay_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    fl_trust trust = fl_enrol_open(authority, sealed, time, denied, request);
    if (trust == FL_TRUST_EXPIRED) {
        char now[32], end[32];
        fl_clock_date(time->now, now);
        fl_clock_date(request->kind == FL_REQUEST_JOIN ? request->token.not_after
                                                       : request->old.not_after,
                      end);
        s_refuse(answer, FL_WHY_EXPIRED,
                 "the %s ended at %s, the root's clock says %s: join with a new token (fl token)",
                 request->kind == FL_REQUEST_JOIN ? "token" : "certificate", end, now);
    } else if (trust != FL_TRUST_OK) {
        s_refuse(answer, s_reason(trust), "the request is not valid: %s", fl_trust_name(trust));
    }
    return trust == FL_TRUST_OK;
}

static fl_status
s_issue(const fl_authority *authority, fl_ledger *ledger, fl_cert *cert, fl_bytes token,
        const uint8_t *parent, uint32_t uses_max, uint64_t wall_s, uint64_t life_s,
        uint8_t bytes[FL_CERT_BYTES], fl_lease *lease, fl_why *why)
{
    FL_TRY(fl_ledger_serial_next(ledger, &cert->serial, why));
    fl_cert_issue(authority, cert, wall_s, life_s, bytes);
    fl_issued issued = { .node = cert->node,
                         .serial = cert->serial,
                         .role = cert->role,
                         .certificate_bytes = FL_CERT_BYTES };
    memcpy(issued.certificate, bytes, FL_CERT_BYTES);
    if (parent != NULL) {
        memcpy(issued.parent, parent, sizeof issued.parent);
    }
    return fl_ledger_issue(ledger, token, uses_max, &issued, lease, why);
}

//  What the ledger knows of the name: free (its certificate was shut out by number: the node was
//  forgotten), these very keys again (the answer was lost), or taken.
static bool
s_repeats(const fl_authority *authority, fl_ledger *ledger, const fl_enrol_request *request,
          uint64_t wall_s, fl_enrol_relay_answer *answer)
{
    fl_issued held;
    fl_cert cert;
    if (fl_ledger_issued(ledger, &request->node, &held, NULL) != FL_OK ||
        fl_ledger_denies(ledger, &request->node, held.serial)) {
        return false;
    }
    fl_trust trust = fl_cert_check(fl_bytes_of(held.certificate, held.certificate_bytes),
                                   fl_authority_public_of(authority), wall_s, FL_ROLES_ANY, &cert);
    bool renews = request->kind == FL_REQUEST_RENEW && cert.serial == request->old.serial;
    if (trust == FL_TRUST_OK && fl_public_keys_equal(&cert.keys, &request->keys) &&
        cert.role == request->role && !renews) {
        memcpy(answer->certificate, held.certificate, FL_CERT_BYTES);
        return true;
    }
    if (request->kind == FL_REQUEST_JOIN && trust == FL_TRUST_OK) {
        s_refuse(answer, FL_WHY_NAME,
                 "the name %s is another node's until its certificate ends: choose another, or "
                 "if this one replaces it, 'fl forget' it first",
                 request->node.name);
        return true;
    }
    return false;
}

//  Each certificate is a line of the ledger for good, so that a name gets only so many.
static bool
s_too_often(fl_ledger *ledger, const fl_name *node, uint64_t life_s, fl_enrol_relay_answer *answer)
{
    const uint64_t ms = life_s * 1000 < FL_ENROL_PER_NAME_MS ? life_s * 1000 : FL_ENROL_PER_NAME_MS;
    uint32_t count = 0;
    if (fl_ledger_issued_of_late(ledger, node, ms, &count, NULL) != FL_OK ||
        count < FL_ENROL_PER_NAME) {
        return false;
    }
    s_refuse(answer, FL_WHY_BUSY, "%s got %u certificates within %u s: renew it later", node->name,
             count, (unsigned)(ms / 1000));
    return true;
}

//  Why nothing was recorded, for the newcomer. A full disk is FL_FULL as well, a locked ledger
//  FL_BUSY.
static bool
s_used_up(fl_ledger *ledger, fl_bytes token, uint32_t uses_max)
{
    uint32_t uses = 0;
    bool revoked = false;
    return fl_ledger_token_uses(ledger, token, &uses, &revoked, NULL) == FL_OK &&
           uses >= uses_max;
}

static bool
s_none_left(fl_ledger *ledger, const fl_lease *lease)
{
    uint32_t leased = 0, shards = 0;
    return fl_ledger_leased(ledger, &leased, &shards, NULL) == FL_OK && leased >= lease->shards;
}

static void
s_fail(fl_ledger *ledger, const fl_enrol_request *request, fl_status status, const fl_why *why,
       fl_enrol_relay_answer *answer)
{
    bool join = request->kind == FL_REQUEST_JOIN;
    fl_bytes token = fl_bytes_of(request->token.id, FL_TOKEN_ID_BYTES);
    if (status == FL_FULL && join && s_used_up(ledger, token, request->token.count)) {
        s_refuse(answer, FL_WHY_USED_UP, "the token is used up: it allowed %u nodes",
                 request->token.count);
    } else if (status == FL_DENIED) {
        s_refuse(answer, FL_WHY_REVOKED, "the token is revoked: join with another one");
    } else if (status == FL_BUSY && s_none_left(ledger, &answer->lease)) {
        s_refuse(answer, FL_WHY_NO_SHARD, "all %u data shards are leased to other devices",
                 answer->lease.shards);
    } else {
        fl_log(FL_LOG_ERROR, "not-saved", fl_log_text("status", fl_status_name(status)),
               fl_log_text("why", why->text)); // our paths are not for a newcomer
        s_refuse(answer, FL_WHY_STORAGE, "the root cannot record a certificate: see its log");
    }
}

void
fl_enrol_issue_sign(const fl_authority *authority, fl_ledger *ledger,
                    const fl_enrol_request *request, uint64_t wall_s, uint64_t life_s,
                    uint32_t shards, fl_enrol_relay_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->lease.shards = request->role == FL_ROLE_DEVICE ? shards : 0;
    bool repeats = s_repeats(authority, ledger, request, wall_s, answer) ||
                   s_too_often(ledger, &request->node, life_s, answer);
    fl_cert cert = { .role = request->role, .node = request->node, .keys = request->keys };
    bool join = request->kind == FL_REQUEST_JOIN;
    fl_bytes token =
        join ? fl_bytes_of(request->token.id, FL_TOKEN_ID_BYTES) : fl_bytes_of(NULL, 0);
    fl_status status = FL_OK;
    fl_why why;
    if (!repeats) {
        status = s_issue(authority, ledger, &cert, token, join ? request->token.parent : NULL,
                         join ? request->token.count : 0, wall_s, life_s, answer->certificate,
                         &answer->lease, &why);
    } else if (answer->reason == FL_WHY_NONE && answer->lease.shards > 0) {
        status = fl_ledger_lease(ledger, &request->node, &answer->lease, &why);
    }
    if (status != FL_OK) {
        s_fail(ledger, request, status, &why, answer);
    }
}

fl_status
fl_enrol_issue_root(const fl_authority *authority, fl_ledger *ledger, const fl_name *node,
                    const fl_public_keys *keys, uint64_t wall_s, uint64_t life_s,
                    uint8_t bytes[FL_CERT_BYTES], fl_why *why)
{
    fl_cert cert = { .role = FL_ROLE_ROOT, .node = *node, .keys = *keys };
    return s_issue(authority, ledger, &cert, fl_bytes_of(NULL, 0), NULL, 0, wall_s, life_s, bytes,
                   NULL, why);
}
