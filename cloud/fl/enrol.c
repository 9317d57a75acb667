//  fl enrol: a newcomer makes its keys where they stay, shows its token, keeps the certificate that
//  comes back; later it renews that one. The token is read from a file or standard input, never
//  from the command line or the environment, where other users could see it.
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/fl/verbs.h"
#include "common/app/lock.h"
#include "common/crypto/enrol.h"
#include "common/host/home.h"

#define VERB "enrol"

enum { TOKEN_INPUT_MAX = 1024, KNOCK_MS = 3000, PAUSE_MS = 500, SAY_MS = 10000 };

//  One enrolment from beginning to end; `keys` are those that the certificate is for.
typedef struct joining {
    const fl_console *console;
    const char *state;
    fl_role role;
    fl_node node;
    fl_authority_public authority;
    fl_home_parent parent;
    fl_keys *keys;
    fl_sealed sealed;
    uint32_t wait_ms;
    bool next_keys, json;
} joining;

// ---- saying ----------------------------------------------------------------------------------
//  "2027-01-31 12:00 UTC".
static void
s_date(uint64_t seconds, char text[32])
{
    struct tm parts;
    time_t at = (time_t)seconds;
    if (gmtime_r(&at, &parts) == NULL || strftime(text, 32, "%Y-%m-%d %H:%M UTC", &parts) == 0) {
        (void)snprintf(text, 32, "second %" PRIu64, seconds);
    }
}

static int
s_say_enrolled(const joining *self, const fl_cert *cert, const char *how)
{
    char date[32];
    s_date(cert->not_after, date);
    if (self->json) {
        json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "node", cert->node.name,
                                   "role", fl_role_name(cert->role), "state", self->state, "how",
                                   how, "serial", (json_int_t)cert->serial, "not_after",
                                   (json_int_t)cert->not_after);
        fl_console_print(self->console, &answer);
    } else {
        (void)fprintf(self->console->out, "%s as %s (%s) until %s\n", how, cert->node.name,
                      fl_role_name(cert->role), date);
    }
    return FL_EXIT_OK;
}

static int
s_fail_home(const joining *self, fl_status status, const fl_why *why)
{
    return fl_console_fail(self->console, VERB, fl_console_code(status), "%s", why->text);
}

//  Words of a stranger: only what prints, so that they cannot move the cursor.
static const char *
s_clean(char text[FL_TEXT_MAX])
{
    for (char *c = text; *c != '\0'; c++) {
        *c = isprint((unsigned char)*c) ? *c : '?';
    }
    return text;
}

static int
s_fail_refused(const joining *self, fl_reason reason, char text[FL_TEXT_MAX])
{
    int code = reason == FL_WHY_TOKEN     ? FL_EXIT_TOKEN
               : reason == FL_WHY_EXPIRED ? FL_EXIT_EXPIRED
               : reason == FL_WHY_USED_UP ? FL_EXIT_USED_UP
               : reason == FL_WHY_NAME    ? FL_EXIT_NAME
                                          : FL_EXIT_REFUSED;
    return fl_console_fail(self->console, VERB, code, "refused (%s)%s%s", fl_reason_name(reason),
                           text[0] == '\0' ? "" : ": ", s_clean(text));
}

// ---- knocking ---------------------------------------------------------------------------------
//  A refusal that a later knock may not meet.
static bool
s_passing(fl_reason reason)
{
    return reason == FL_WHY_BUSY || reason == FL_WHY_FULL || reason == FL_WHY_RESTART;
}

static bool
s_is_ours(const fl_message *reply, uint64_t request)
{
    return reply->verb == FL_REFUSED || reply->enrolled.request == request;
}

//  One answer taken apart: FL_EXIT_OK and the certificate; FL_EXIT_BUSY: knock again; or refused.
static int
s_hear(const joining *self, fl_message *reply, uint8_t certificate[FL_CERT_BYTES])
{
    bool refused = reply->verb == FL_REFUSED;
    fl_reason reason = refused ? reply->refused.reason : reply->enrolled.reason;
    char *text = refused ? reply->refused.text : reply->enrolled.text;
    if (s_passing(reason)) {
        return FL_EXIT_BUSY;
    }
    if (reason != FL_WHY_NONE) {
        return s_fail_refused(self, reason, text);
    }
    if (reply->enrolled.certificate.size != FL_CERT_BYTES) {
        return fl_console_fail(self->console, VERB, FL_EXIT_REFUSED,
                               "the answer is no certificate that this version knows");
    }
    memcpy(certificate, reply->enrolled.certificate.data, FL_CERT_BYTES);
    return FL_EXIT_OK;
}

//  Say now and then that we wait, for whom and for how long.
static void
s_say_waiting(const joining *self, fl_time now, fl_time until, bool busy, fl_time *said)
{
    if (now - *said >= SAY_MS && until - now >= 1000) {
        *said = now;
        (void)fprintf(self->console->err, "fl enrol: %s %s yet, knocking for %" PRId64 " s more\n",
                      busy ? "no room at" : "no answer from", self->parent.endpoint,
                      (until - now + 999) / 1000);
    }
}

//  Knock until there is an answer or the wait is over. The connection's keys are made for it: the
//  node's own may be in use by a running process, whose route they would take.
static int
s_knock(const joining *self, const fl_keys *door, uint8_t certificate[FL_CERT_BYTES])
{
    const fl_console *console = self->console;
    fl_time until = console->now_ms() + self->wait_ms, said = console->now_ms() - SAY_MS;
    fl_keypair pair;
    fl_message reply, question = { .verb = FL_ENROL };
    fl_bytes body;
    fl_why why = { "" };
    fl_status status = FL_MISSING;
    int code = FL_EXIT_SILENT;
    memcpy(pair.public_key, fl_keys_public(door)->x, sizeof pair.public_key);
    fl_keys_curve_secret(door, pair.secret_key);
    fl_entropy_fill(&console->entropy, &question.enrol.request, sizeof question.enrol.request);
    question.enrol.sealed = fl_bytes_of(self->sealed.bytes, self->sealed.size);
    const fl_inquiry_conf to = { .endpoint = self->parent.endpoint, .keys = &pair,
                                 .server_key = self->parent.key };
    for (fl_time now = console->now_ms(); now < until; now = console->now_ms()) {
        uint32_t most = until - now < KNOCK_MS ? (uint32_t)(until - now) : KNOCK_MS;
        status =
            console->ask(console->self, &to, &question, FL_ENROLLED, most, &reply, &body, &why);
        bool answered = status == FL_OK && s_is_ours(&reply, question.enrol.request);
        code = answered ? s_hear(self, &reply, certificate) : FL_EXIT_SILENT;
        if (code != FL_EXIT_BUSY && code != FL_EXIT_SILENT) {
            break;
        }
        s_say_waiting(self, console->now_ms(), until, code == FL_EXIT_BUSY, &said);
        if (!console->pause(console->self, PAUSE_MS)) {
            break;
        }
    }
    fl_wipe(&pair, sizeof pair);
    if (code == FL_EXIT_SILENT) {
        return fl_console_fail(console, VERB, code,
                               "no answer from %s within %" PRId64 " s: is it running, is the "
                               "address right, and is its key still the token's?%s%.120s",
                               self->parent.endpoint, ((fl_time)self->wait_ms + 999) / 1000,
                               status == FL_MISSING ? "" : " Last: ",
                               status == FL_MISSING ? "" : why.text);
    }
    return code == FL_EXIT_BUSY
               ? fl_console_fail(console, VERB, code, "%s had no room for us within %" PRId64 " s",
                                 self->parent.endpoint, ((fl_time)self->wait_ms + 999) / 1000)
               : code;
}

//  The certificate last: it is what says that this directory is enrolled.
static int
s_keep(const joining *self, const uint8_t certificate[FL_CERT_BYTES])
{
    fl_why why = { "" };
    fl_status status = fl_home_authority_save(self->state, &self->authority, &why);
    if (status == FL_OK) {
        status = fl_home_parent_save(self->state, &self->parent, &why);
    }
    if (status == FL_OK) {
        status = fl_home_cert_save(self->state, certificate, self->next_keys, &why);
    }
    return status == FL_OK ? FL_EXIT_OK : s_fail_home(self, status, &why);
}

//  The request is sealed: send it, prove the answer, keep it.
static int
s_complete(const joining *self, const char *how)
{
    uint8_t certificate[FL_CERT_BYTES];
    fl_cert cert;
    fl_keys *door = fl_keys_new(&self->console->entropy);
    if (door == NULL) {
        return fl_console_fail(self->console, VERB, FL_EXIT_FAILED, "out of memory");
    }
    int code = s_knock(self, door, certificate);
    fl_keys_destroy(&door);
    if (code != FL_EXIT_OK) {
        return code;
    }
    fl_trust trust = fl_enrol_accept(fl_bytes_of(certificate, FL_CERT_BYTES), &self->authority,
                                     self->keys, self->role, &self->node, self->console->wall_s(),
                                     &cert);
    if (trust != FL_TRUST_OK) {
        return fl_console_fail(self->console, VERB, FL_EXIT_REFUSED,
                               "the certificate that came does not hold: %s%s",
                               fl_trust_name(trust),
                               trust == FL_TRUST_EARLY || trust == FL_TRUST_EXPIRED
                                   ? "; is the clock of this machine right?"
                                   : "");
    }
    code = s_keep(self, certificate);
    return code == FL_EXIT_OK ? s_say_enrolled(self, &cert, how) : code;
}

// ---- the token --------------------------------------------------------------------------------
static int
s_fail_no_token(const joining *self, const char *path)
{
    return fl_console_fail(self->console, VERB, FL_EXIT_NO_TOKEN,
                           "no token: %s%s; make one with 'fl token' and give it with --token-file "
                           "FILE or on standard input",
                           path == NULL ? "standard input was empty" : path,
                           path == NULL ? "" : " is missing, unreadable or empty");
}

static int
s_read_token(const joining *self, const char *path, fl_token *token)
{
    char text[TOKEN_INPUT_MAX + 1];
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? self->console->in : fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(text, 1, TOKEN_INPUT_MAX, file);
    int code = FL_EXIT_OK;
    text[size] = '\0';
    if (file != NULL && !standard) {
        (void)fclose(file);
    }
    if (strspn(text, " \t\r\n") == size) {
        return s_fail_no_token(self, standard ? NULL : path);
    }
    fl_trust trust = fl_token_parse(text, token);
    fl_wipe(text, sizeof text);
    if (trust != FL_TRUST_OK) {
        code = fl_console_fail(self->console, VERB, FL_EXIT_TOKEN,
                               "the token is %s: copy the whole line that 'fl token' printed",
                               trust == FL_TRUST_VERSION ? "of another version"
                                                         : "cut short or changed");
    }
    return code;
}

//  What the authority would refuse anyway, said at once. Time is left to its clock.
static int
s_check_token(const joining *self, const fl_token *token)
{
    size_t length = strnlen(token->name, sizeof token->name);
    fl_authority_public known;
    if (token->role != self->role) {
        return fl_console_fail(self->console, VERB, FL_EXIT_REFUSED,
                               "the token is for the role %s, not %s: give --role %s, or another "
                               "token", fl_role_name(token->role), fl_role_name(self->role),
                               fl_role_name(token->role));
    }
    if (strncmp(self->node.name, token->name, token->exact ? sizeof token->name : length) != 0) {
        return fl_console_fail(self->console, VERB, FL_EXIT_NAME,
                               "the token is for a node named %.15s%s, not %s", token->name,
                               token->exact ? "" : "...", self->node.name);
    }
    if (fl_home_authority_load(self->state, &known, NULL) == FL_OK &&
        !fl_authority_public_equal(&known, &token->authority)) {
        return fl_console_fail(self->console, VERB, FL_EXIT_TOKEN,
                               "the token is of another authority than %s: use another state "
                               "directory, or another token", self->state);
    }
    return FL_EXIT_OK;
}

// ---- joining ----------------------------------------------------------------------------------
//  What stands in the directory already. FL_EXIT_MISSING: nothing that holds, so join.
static int
s_already(joining *self)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_home_parent parent;
    fl_cert cert;
    fl_why why = { "" };
    fl_status status = fl_home_cert_load(self->state, bytes, &why);
    if (status == FL_OK) {
        status = fl_home_authority_load(self->state, &self->authority, &why);
    }
    if (status == FL_OK) {
        status = fl_home_parent_load(self->state, &parent, &why);
    }
    if (status == FL_OK) {
        status = fl_home_keys_load(self->state, &self->keys, &why);
    }
    if (status == FL_MISSING) {
        return FL_EXIT_MISSING;
    }
    if (status != FL_OK) {
        return s_fail_home(self, status, &why);
    }
    fl_trust trust = fl_cert_check(fl_bytes_of(bytes, sizeof bytes), &self->authority,
                                   self->console->wall_s(), FL_ROLES_ANY, &cert);
    if (trust == FL_TRUST_EXPIRED) {
        return FL_EXIT_MISSING;
    }
    if (trust != FL_TRUST_OK || !fl_public_keys_equal(&cert.keys, fl_keys_public(self->keys))) {
        return fl_console_fail(self->console, VERB, FL_EXIT_HOME,
                               "%s/" FL_HOME_CERT " does not fit the other files there (%s): "
                               "remove it and enrol with a token", self->state,
                               trust == FL_TRUST_OK ? "key" : fl_trust_name(trust));
    }
    if (!fl_node_equal(&cert.node, &self->node) || cert.role != self->role) {
        return fl_console_fail(self->console, VERB, FL_EXIT_EXISTS,
                               "%s is the home of %s (%s) already: choose another state directory",
                               self->state, cert.node.name, fl_role_name(cert.role));
    }
    return s_say_enrolled(self, &cert, "already enrolled");
}

//  The token's terms become ours: authority, parent, request.
static int
s_seal_join(joining *self, const fl_conf *conf, const fl_token *token)
{
    const char *endpoint = fl_conf_text(conf, "endpoint");
    fl_why why = { "" };
    fl_status status = FL_OK;
    if (self->keys == NULL) {
        status = fl_home_keys_load(self->state, &self->keys, &why);
    }
    if (status == FL_MISSING) {
        status = fl_home_keys_make(self->state, &self->console->entropy, &self->keys, &why);
    }
    if (status != FL_OK) {
        return s_fail_home(self, status, &why);
    }
    self->authority = token->authority;
    memcpy(self->parent.key, token->parent, sizeof self->parent.key);
    (void)snprintf(self->parent.endpoint, sizeof self->parent.endpoint, "%s",
                   endpoint[0] == '\0' ? token->endpoint : endpoint);
    if (!fl_enrol_join(self->keys, token, self->role, &self->node, &self->console->entropy,
                       &self->sealed)) {
        return fl_console_fail(self->console, VERB, FL_EXIT_TOKEN,
                               "the token names an authority without a usable key");
    }
    return FL_EXIT_OK;
}

static int
s_join_locked(joining *self, const fl_conf *conf)
{
    fl_token token = { 0 };
    int code = s_read_token(self, fl_conf_text(conf, "token.file"), &token);
    if (code == FL_EXIT_OK) {
        code = s_check_token(self, &token);
    }
    if (code == FL_EXIT_OK) {
        code = s_seal_join(self, conf, &token);
    }
    fl_wipe(&token, sizeof token);
    return code == FL_EXIT_OK ? s_complete(self, "enrolled") : code;
}

static int
s_join(joining *self, const fl_conf *conf)
{
    fl_lock *lock = NULL;
    fl_why why = { "" };
    FL_ASSERT(fl_node_parse(fl_conf_text(conf, "node"), &self->node));
    self->role = fl_conf_choice(conf, "role") == 0 ? FL_ROLE_DEVICE : FL_ROLE_EDGE;
    int code = s_already(self);
    if (code != FL_EXIT_MISSING) {
        return code;
    }
    fl_status status = fl_lock_take(self->state, "fl enrol", &lock, &why);
    if (status != FL_OK) {
        return fl_console_fail(self->console, VERB,
                               status == FL_BUSY ? FL_EXIT_BUSY : FL_EXIT_HOME, "%s", why.text);
    }
    code = s_join_locked(self, conf);
    fl_lock_release(&lock);
    return code;
}

// ---- renewing ---------------------------------------------------------------------------------
static int
s_seal_renewal(joining *self, const fl_keys *old_keys, const uint8_t old[FL_CERT_BYTES])
{
    fl_cert cert;
    fl_trust trust = fl_cert_check(fl_bytes_of(old, FL_CERT_BYTES), &self->authority,
                                   self->console->wall_s(), FL_ROLES_ANY, &cert);
    if (trust == FL_TRUST_EXPIRED) {
        return fl_console_fail(self->console, VERB, FL_EXIT_EXPIRED,
                               "the certificate in %s is past its time and cannot renew itself: "
                               "enrol with a new token", self->state);
    }
    if (trust != FL_TRUST_OK) {
        return fl_console_fail(self->console, VERB, FL_EXIT_HOME,
                               "the certificate in %s does not hold (%s): enrol with a token",
                               self->state, fl_trust_name(trust));
    }
    self->node = cert.node;
    self->role = cert.role;
    if (!fl_enrol_renew(self->keys, old_keys, fl_bytes_of(old, FL_CERT_BYTES), &self->authority,
                        &self->console->entropy, &self->sealed)) {
        return fl_console_fail(self->console, VERB, FL_EXIT_HOME,
                               "%s/" FL_HOME_AUTHORITY " holds no usable key", self->state);
    }
    return FL_EXIT_OK;
}

static int
s_renew(joining *self, const fl_conf *conf)
{
    const char *endpoint = fl_conf_text(conf, "endpoint");
    uint8_t old[FL_CERT_BYTES];
    fl_keys *old_keys = NULL;
    fl_why why = { "" };
    fl_status status = fl_home_cert_load(self->state, old, &why);
    self->next_keys = fl_conf_bool(conf, "new.keys");
    if (status == FL_OK) {
        status = fl_home_authority_load(self->state, &self->authority, &why);
    }
    if (status == FL_OK) {
        status = fl_home_parent_load(self->state, &self->parent, &why);
    }
    if (status == FL_OK) {
        status = fl_home_keys_load(self->state, &old_keys, &why);
    }
    if (status == FL_OK) {
        status = self->next_keys
                     ? fl_home_keys_next(self->state, &self->console->entropy, &self->keys, &why)
                     : fl_home_keys_load(self->state, &self->keys, &why);
    }
    if (endpoint[0] != '\0') {
        (void)snprintf(self->parent.endpoint, sizeof self->parent.endpoint, "%s", endpoint);
    }
    int code = status == FL_OK ? s_seal_renewal(self, old_keys, old)
                               : s_fail_home(self, status, &why);
    fl_keys_destroy(&old_keys);
    return code == FL_EXIT_OK ? s_complete(self, "renewed") : code;
}

// ---- the verb ---------------------------------------------------------------------------------
int
fl_verb_enrol(void *context, const fl_conf *conf)
{
    joining self = { .console = context, .wait_ms = (uint32_t)fl_conf_ms(conf, "wait"),
                     .json = fl_conf_bool(conf, "json") };
    fl_why why = { "" };
    self.state = fl_console_state(self.console, conf, VERB);
    if (self.state == NULL) {
        return FL_EXIT_USAGE;
    }
    fl_status status = fl_home_open(self.state, &why);
    if (status != FL_OK) {
        return s_fail_home(&self, status, &why);
    }
    int code = fl_conf_bool(conf, "renew") ? s_renew(&self, conf) : s_join(&self, conf);
    fl_keys_destroy(&self.keys);
    return code;
}

fl_status
fl_check_enrol(const fl_conf *conf, fl_why *why)
{
    const char *endpoint = fl_conf_text(conf, "endpoint");
    fl_node node;
    if (endpoint[0] != '\0' &&
        (strncmp(endpoint, "tcp://", 6) != 0 || strlen(endpoint) > FL_ENDPOINT_LENGTH_MAX)) {
        fl_why_set(why, "--endpoint: give tcp://HOST:PORT, at most %d characters",
                   FL_ENDPOINT_LENGTH_MAX);
        return FL_RANGE;
    }
    if (fl_conf_bool(conf, "renew")) {
        return FL_OK;
    }
    if (fl_conf_bool(conf, "new.keys")) {
        fl_why_set(why, "--new-keys goes with --renew: a first enrolment makes keys anyway");
        return FL_MISMATCH;
    }
    if (!fl_node_parse(fl_conf_text(conf, "node"), &node)) {
        fl_why_set(why, "--node: give the name to take, 1 to 15 characters of a-z 0-9 . -");
        return FL_MISSING;
    }
    return FL_OK;
}
