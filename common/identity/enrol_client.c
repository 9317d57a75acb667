#include "common/identity/enrol_client.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "common/config/lock.h"
#include "common/crypto/locked.h"
#include "common/identity/identity.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

enum {
    TOKEN_INPUT_MAX = 64 * 1024,
    KNOCK_MS = 3000,
    PAUSE_MS = 500,
    SAY_MS = 10000,
    WAITING_MAX = 256
};

//  One enrolment from beginning to end; `keys` are those that the certificate is for.
typedef struct enrolment {
    const fl_enrol_client_conf *conf;
    const fl_enrol_client_world *world;
    const char *state;
    fl_role role;
    fl_name node;
    fl_authority_public authority;
    fl_state_dir_parent parent;
    bool placed; // the parent is not the one in the directory: it is kept
    fl_keys *keys;
    fl_sealed sealed;
    fl_enrol_client *result;
    fl_why *why;
} enrolment;

static int __attribute__((format(printf, 3, 4)))
s_fail(const enrolment *self, int code, const char *format, ...)
{
    fl_why said; // what is formatted may be what `why` says now
    va_list args;
    va_start(args, format);
    (void)vsnprintf(said.text, sizeof said.text, format, args);
    va_end(args);
    *self->why = said;
    return code;
}

//  Trouble with a file: `why` has it.
static int
s_file(fl_status status)
{
    return status == FL_OK       ? FL_EXIT_OK
           : status == FL_EXISTS ? FL_EXIT_EXISTS
           : status == FL_NOMEM  ? FL_EXIT_FAILED
                                 : FL_EXIT_STATE_DIR;
}

static int
s_end(const enrolment *self, const fl_cert *cert, const char *how)
{
    self->result->cert = *cert;
    self->result->how = how;
    return FL_EXIT_OK;
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
s_fail_refused(const enrolment *self, fl_reason reason, char text[FL_TEXT_MAX])
{
    int code = reason == FL_WHY_TOKEN     ? FL_EXIT_TOKEN
               : reason == FL_WHY_EXPIRED ? FL_EXIT_EXPIRED
               : reason == FL_WHY_USED_UP ? FL_EXIT_USED_UP
               : reason == FL_WHY_NAME    ? FL_EXIT_NAME
                                          : FL_EXIT_REFUSED;
    return s_fail(self, code, "refused (%s)%s%s", fl_reason_name(reason),
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
s_hear(enrolment *self, fl_message *reply, uint8_t certificate[FL_CERT_BYTES])
{
    bool refused = reply->verb == FL_REFUSED;
    fl_reason reason = refused ? reply->refused.reason : reply->enrolled.reason;
    char *text = refused ? reply->refused.text : reply->enrolled.text;
    if (refused ? s_passing(reason) : reason == FL_WHY_AUTHORITY) { // its other words stand
        return FL_EXIT_BUSY;
    }
    if (reason != FL_WHY_NONE) {
        return s_fail_refused(self, reason, text);
    }
    if (reply->enrolled.certificate.size != FL_CERT_BYTES) {
        return s_fail(self, FL_EXIT_REFUSED,
                      "the answer is no certificate that this version knows");
    }
    memcpy(certificate, reply->enrolled.certificate.data, FL_CERT_BYTES);
    if (self->placed) {
        memcpy(self->parent.next, reply->enrolled.next, sizeof self->parent.next);
    }
    self->result->lease =
        (fl_lease){ .shard = reply->enrolled.shard, .shards = reply->enrolled.shards };
    return FL_EXIT_OK;
}

//  Say now and then that we wait, for whom and for how long.
static void
s_say_waiting(const enrolment *self, fl_time now, fl_time until, bool busy, fl_time *said)
{
    if (now - *said >= SAY_MS && until - now >= 1000) {
        *said = now;
        char text[WAITING_MAX];
        (void)snprintf(text, sizeof text, "%s %s yet, trying for %" PRId64 " s more",
                       busy ? "no room at" : "no answer from", self->parent.endpoint,
                       (until - now + 999) / 1000);
        self->world->say(self->world->self, text);
    }
}

//  Knock until there is an answer or the wait is over, with the keys of `doors` in
//  turn; at the parent that has changed its keys, too.
static int
s_knock(enrolment *self, const fl_keypair doors[2], uint8_t certificate[FL_CERT_BYTES])
{
    fl_time began = self->world->now_ms();
    fl_time until = began + self->conf->wait_ms, said = began - SAY_MS;
    unsigned knocks = 0;
    fl_message reply, question = { .verb = FL_ENROL };
    fl_bytes body;
    fl_status status = FL_MISSING;
    int code = FL_EXIT_SILENT;
    fl_entropy_fill(&self->world->entropy, &question.enrol.request, sizeof question.enrol.request);
    question.enrol.sealed = fl_bytes_of(self->sealed.bytes, self->sealed.size);
    fl_request_conf to = { .endpoint = self->parent.endpoint };
    for (fl_time now = self->world->now_ms(); now < until; now = self->world->now_ms()) {
        uint32_t most = until - now < KNOCK_MS ? (uint32_t)(until - now) : KNOCK_MS;
        to.keys = &doors[knocks % 2];
        bool ahead = knocks++ / 2 % 2 == 1 && fl_state_dir_parent_two(&self->parent);
        to.server_key = ahead ? self->parent.next : self->parent.key;
        status = self->world->ask(self->world->self, &to, &question, FL_ENROLLED, most, &reply,
                                  &body, self->why);
        bool answered = status == FL_OK && s_is_ours(&reply, question.enrol.request);
        code = answered ? s_hear(self, &reply, certificate) : FL_EXIT_SILENT;
        if (code != FL_EXIT_BUSY && code != FL_EXIT_SILENT) {
            break;
        }
        s_say_waiting(self, self->world->now_ms(), until, code == FL_EXIT_BUSY, &said);
        if (!self->world->pause(self->world->self, PAUSE_MS)) {
            break;
        }
    }
    if (code == FL_EXIT_SILENT) {
        return s_fail(
            self, code,
            "no answer from %s within %" PRId64 " s: is it running, is the "
            "address right, and is its key still the token's?%s%.120s",
            self->parent.endpoint, ((fl_time)self->conf->wait_ms + 999) / 1000,
            status == FL_MISSING ? "" : " Last: ", status == FL_MISSING ? "" : self->why->text);
    }
    return code == FL_EXIT_BUSY
               ? s_fail(self, code,
                        "%s had no room, or no authority, within %" PRId64 " s: ask later",
                        self->parent.endpoint, ((fl_time)self->conf->wait_ms + 999) / 1000)
               : code;
}

//  The certificate last: it is what says that this directory is enrolled.
static int
s_keep(const enrolment *self, const fl_keys *certified, const uint8_t certificate[FL_CERT_BYTES])
{
    fl_status status = fl_state_dir_authority_save(self->state, &self->authority, self->why);
    if (status == FL_OK && self->placed) {
        status = fl_state_dir_parent_save(self->state, &self->parent, self->why);
    }
    if (status == FL_OK && self->result->lease.shards > 0) {
        status = fl_state_dir_lease_save(self->state, &self->result->lease, self->why);
    }
    if (status == FL_OK && certified == NULL) { // who renews has one, or does not start
        status = fl_state_dir_mark_make(self->state, &self->node, self->why);
    }
    FL_THEN(status,
            fl_state_dir_cert_save(self->state, certificate, self->conf->next_keys, self->why));
    return status == FL_OK ? FL_EXIT_OK : s_file(status);
}

static void
s_door(const fl_keys *keys, fl_keypair *door)
{
    memcpy(door->public_key, fl_keys_public(keys)->x, sizeof door->public_key);
    fl_keys_curve_secret(keys, door->secret_key);
}

//  Who joins knocks with keys that are made for it. Who renews knocks with the certified ones
//  first, because a parent that knows them keeps a share for them; a parent of an older version
//  answers the running process then, so every other knock is a stranger's.
static int
s_knock_as(enrolment *self, const fl_keys *certified, uint8_t certificate[FL_CERT_BYTES])
{
    fl_keys *stranger = fl_keys_new(&self->world->entropy);
    fl_keypair *doors = fl_locked_new(2 * sizeof *doors);
    int code = FL_EXIT_FAILED;
    if (stranger != NULL && doors != NULL) {
        s_door(certified != NULL ? certified : stranger, &doors[0]);
        s_door(stranger, &doors[1]);
        code = s_knock(self, doors, certificate);
    } else {
        code = s_fail(self, code, "out of memory");
    }
    fl_keys_destroy(&stranger);
    fl_locked_free(doors);
    return code;
}

//  The request is sealed: send it, prove the answer, keep it. `certified`: NULL unless it renews.
static int
s_complete(enrolment *self, const fl_keys *certified, const char *how)
{
    uint8_t certificate[FL_CERT_BYTES];
    fl_cert cert;
    int code = s_knock_as(self, certified, certificate);
    if (code != FL_EXIT_OK) {
        return code;
    }
    fl_trust trust = fl_enrol_accept(fl_bytes_of(certificate, FL_CERT_BYTES), &self->authority,
                                     self->keys, self->role, &self->node, &cert);
    if (trust != FL_TRUST_OK) {
        return s_fail(self, FL_EXIT_REFUSED, "the certificate that was received is not valid: %s",
                      fl_trust_name(trust));
    }
    fl_trust time = fl_cert_time(&cert, self->world->wall_s());
    if (time != FL_TRUST_OK) {
        fl_identity_clock_why(&cert, self->world->wall_s(), self->why);
        if (time == FL_TRUST_EXPIRED || certified != NULL) {
            return time == FL_TRUST_EXPIRED ? FL_EXIT_EXPIRED : FL_EXIT_REFUSED;
        }
        self->world->say(self->world->self, self->why->text); // its time comes: a first one is kept
    }
    code = s_keep(self, certified, certificate);
    return code == FL_EXIT_OK ? s_end(self, &cert, how) : code;
}

// ---- the token --------------------------------------------------------------------------------
static int
s_fail_no_token(const enrolment *self, const char *path)
{
    return path == NULL
               ? s_fail(self, FL_EXIT_NO_TOKEN,
                        "no token: standard input was empty; make one with 'fl token' and give it "
                        "with --token-file FILE or on standard input")
               : s_fail(self, FL_EXIT_NO_TOKEN,
                        "no token: %s is missing, unreadable or empty; make one with 'fl token'",
                        path);
}

//  Line `line` modulo their number of those that are not empty; the end of it is cut off.
static char *
s_line(char *text, uint32_t line)
{
    uint32_t count = 0;
    for (const char *at = text + strspn(text, "\r\n"); *at != '\0';
         at += strcspn(at, "\r\n"), at += strspn(at, "\r\n")) {
        count++;
    }
    char *at = text + strspn(text, "\r\n");
    for (uint32_t left = count == 0 ? 0 : line % count; left > 0; left--) {
        at += strcspn(at, "\r\n");
        at += strspn(at, "\r\n");
    }
    at[strcspn(at, "\r\n")] = '\0';
    return at;
}

static int
s_parse_token(const enrolment *self, char text[TOKEN_INPUT_MAX + 1], fl_token *token)
{
    char *ours = self->conf->lines ? s_line(text, self->conf->line) : text;
    fl_trust trust = fl_token_parse(ours, token);
    return trust == FL_TRUST_OK
               ? FL_EXIT_OK
               : s_fail(self, FL_EXIT_TOKEN,
                        "the token is %s: copy the whole line that 'fl token' printed",
                        trust == FL_TRUST_VERSION ? "of another version" : "cut short or changed");
}

static int
s_read_token(const enrolment *self, fl_token *token)
{
    static char text[TOKEN_INPUT_MAX + 1];
    const char *path = self->conf->token;
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? self->world->in : fopen(path, "r");
    if (file != NULL) {
        (void)setvbuf(file, NULL, _IONBF, 0); // no copy of it elsewhere
    }
    size_t size = file == NULL ? 0 : fread(text, 1, TOKEN_INPUT_MAX, file);
    bool more = size == TOKEN_INPUT_MAX && fgetc(file) != EOF;
    text[size] = '\0';
    if (file != NULL && !standard) {
        (void)fclose(file);
    }
    int code = FL_EXIT_TOKEN;
    if (more) {
        code = s_fail(self, code, "%s holds more than %d bytes: give a file with fewer tokens",
                      standard ? "standard input" : path, TOKEN_INPUT_MAX);
    } else if (strspn(text, " \t\r\n") == size) {
        code = s_fail_no_token(self, standard ? NULL : path);
    } else {
        code = s_parse_token(self, text, token);
    }
    fl_wipe(text, sizeof text);
    return code;
}

//  What the authority would refuse anyway, said at once. Time is left to its clock.
static int
s_check_token(const enrolment *self, const fl_token *token)
{
    size_t length = strnlen(token->name, sizeof token->name);
    fl_authority_public known;
    if (token->role != self->role) {
        return s_fail(self, FL_EXIT_REFUSED,
                      "the token is for the role %s, not %s: give --role %s, or another "
                      "token",
                      fl_role_name(token->role), fl_role_name(self->role),
                      fl_role_name(token->role));
    }
    if (strncmp(self->node.name, token->name, token->exact ? sizeof token->name : length) != 0) {
        return s_fail(self, FL_EXIT_NAME, "the token is for a node named %.15s%s, not %s",
                      token->name, token->exact ? "" : "...", self->node.name);
    }
    if (fl_state_dir_authority_load(self->state, &known, NULL) == FL_OK &&
        !fl_authority_public_equal(&known, &token->authority)) {
        return s_fail(self, FL_EXIT_TOKEN,
                      "the token is of another authority than %s: use another state "
                      "directory, or another token",
                      self->state);
    }
    return FL_EXIT_OK;
}

// ---- joining ----------------------------------------------------------------------------------
//  What stands in the directory already. FL_EXIT_MISSING: nothing, so join; FL_EXIT_EXPIRED: a
//  certificate that has ended.
static int
s_already(enrolment *self)
{
    uint8_t bytes[FL_CERT_BYTES];
    fl_state_dir_parent parent;
    fl_cert cert;
    fl_status status = fl_state_dir_cert_load(self->state, bytes, self->why);
    FL_THEN(status, fl_state_dir_authority_load(self->state, &self->authority, self->why));
    FL_THEN(status, fl_state_dir_parent_load(self->state, &parent, self->why));
    FL_THEN(status, fl_state_dir_keys_load(self->state, &self->keys, self->why));
    if (status == FL_MISSING) {
        return FL_EXIT_MISSING;
    }
    if (status != FL_OK) {
        return s_file(status);
    }
    fl_trust trust =
        fl_cert_prove(fl_bytes_of(bytes, sizeof bytes), &self->authority, FL_ROLES_ANY, &cert);
    if (trust == FL_TRUST_OK && self->world->wall_s() > cert.not_after) {
        return FL_EXIT_EXPIRED;
    }
    if (trust != FL_TRUST_OK || !fl_public_keys_equal(&cert.keys, fl_keys_public(self->keys))) {
        return s_fail(self, FL_EXIT_STATE_DIR,
                      "%s/" FL_STATE_CERT " does not fit the other files there (%s): "
                      "remove it and enrol with a token",
                      self->state, trust == FL_TRUST_OK ? "key" : fl_trust_name(trust));
    }
    if (!fl_name_equal(&cert.node, &self->node) || cert.role != self->role) {
        return s_fail(self, FL_EXIT_EXISTS,
                      "%s belongs to %s (%s) already: choose another state directory", self->state,
                      cert.node.name, fl_role_name(cert.role));
    }
    self->result->already = true;
    return s_end(self, &cert, "already enrolled");
}

//  Any parent of the token's authority will do: the key of the one whose certificate we were given.
static int
s_other_parent(enrolment *self)
{
    const char *path = self->conf->parent;
    fl_blob *blob = NULL;
    fl_cert cert;
    if (path[0] == '\0') {
        return FL_EXIT_OK;
    }
    fl_status status = fl_file_read(path, FL_CERT_BYTES_MAX, &blob, self->why);
    if (status != FL_OK) {
        return s_file(status);
    }
    fl_trust trust = fl_cert_check(fl_blob_bytes(blob), &self->authority, self->world->wall_s(),
                                   FL_ROLES_PARENT, &cert);
    fl_blob_unref(&blob);
    if (trust != FL_TRUST_OK) {
        return s_fail(self, FL_EXIT_REFUSED,
                      "%s is no certificate of a parent under the token's "
                      "authority (%s)",
                      path, fl_trust_name(trust));
    }
    memcpy(self->parent.key, cert.keys.x, sizeof self->parent.key);
    return FL_EXIT_OK;
}

//  The token's terms become ours: authority, parent, request.
static int
s_seal_join(enrolment *self, const fl_token *token)
{
    const char *endpoint = self->conf->endpoint;
    fl_status status = FL_OK;
    if (self->keys == NULL) {
        status = fl_state_dir_keys_load(self->state, &self->keys, self->why);
    }
    if (status == FL_MISSING) {
        status = fl_state_dir_keys_make(self->state, &self->world->entropy, &self->keys, self->why);
    }
    if (status != FL_OK) {
        return s_file(status);
    }
    self->authority = token->authority;
    self->placed = true;
    memcpy(self->parent.key, token->parent, sizeof self->parent.key);
    (void)snprintf(self->parent.endpoint, sizeof self->parent.endpoint, "%s",
                   endpoint[0] == '\0' ? token->endpoint : endpoint);
    int code = s_other_parent(self);
    if (code != FL_EXIT_OK) {
        return code;
    }
    if (!fl_enrol_join(self->keys, token, self->role, &self->node, &self->world->entropy,
                       &self->sealed)) {
        return s_fail(self, FL_EXIT_TOKEN, "the token names an authority without a usable key");
    }
    return FL_EXIT_OK;
}

static int
s_join_locked(enrolment *self)
{
    fl_token token = { 0 };
    int code = s_read_token(self, &token);
    if (code == FL_EXIT_OK) {
        code = s_check_token(self, &token);
    }
    if (code == FL_EXIT_OK) {
        code = s_seal_join(self, &token);
    }
    fl_wipe(&token, sizeof token);
    return code == FL_EXIT_OK ? s_complete(self, NULL, "enrolled") : code;
}

static int
s_join(enrolment *self)
{
    fl_lock *lock = NULL;
    int code = s_already(self);
    if (code == FL_EXIT_EXPIRED && self->conf->locked) { // a program that was off: it may be soon
        fl_enrol_client_conf renewal = *self->conf;
        renewal.wait_ms = renewal.wait_ms < FL_ENROL_RENEW_MS ? renewal.wait_ms : FL_ENROL_RENEW_MS;
        code = fl_enrol_client_renew(&renewal, self->world, self->result, self->why);
        code = code == FL_EXIT_OK ? code : FL_EXIT_EXPIRED;
    }
    if (code != FL_EXIT_MISSING && code != FL_EXIT_EXPIRED) {
        return code;
    }
    fl_status status =
        self->conf->locked ? FL_OK : fl_lock_take(self->state, "fl enrol", &lock, self->why);
    if (status != FL_OK) {
        return status == FL_BUSY ? FL_EXIT_BUSY : FL_EXIT_STATE_DIR;
    }
    code = s_join_locked(self);
    fl_lock_release(&lock);
    return code;
}

// ---- renewing ---------------------------------------------------------------------------------
//  Whether one that has ended is renewed is for the authority to say.
static int
s_judge_old(enrolment *self, const uint8_t old[FL_CERT_BYTES])
{
    fl_cert cert;
    fl_trust trust =
        fl_cert_prove(fl_bytes_of(old, FL_CERT_BYTES), &self->authority, FL_ROLES_ANY, &cert);
    if (trust != FL_TRUST_OK) {
        return s_fail(self, FL_EXIT_STATE_DIR,
                      "the certificate in %s is not valid (%s): enrol with a token", self->state,
                      fl_trust_name(trust));
    }
    self->node = cert.node;
    self->role = cert.role;
    return FL_EXIT_OK;
}

static int
s_seal_renewal(enrolment *self, const fl_keys *old_keys, const uint8_t old[FL_CERT_BYTES])
{
    const bool known = self->role == FL_ROLE_EDGE; // to its children: it makes them when it starts
    const fl_entropy *entropy = known ? NULL : &self->world->entropy;
    fl_status status = self->conf->next_keys
                           ? fl_state_dir_keys_next(self->state, entropy, &self->keys, self->why)
                           : fl_state_dir_keys_load(self->state, &self->keys, self->why);
    if (status == FL_MISSING && self->conf->next_keys) {
        return s_fail(self, FL_EXIT_REFUSED,
                      "%s is an edge whose children do not know its next keys yet: start it, and "
                      "ask again when they have come to it",
                      self->node.name);
    }
    if (status != FL_OK) {
        return s_file(status);
    }
    if (!fl_enrol_renew(self->keys, old_keys, fl_bytes_of(old, FL_CERT_BYTES), &self->authority,
                        &self->world->entropy, &self->sealed)) {
        return s_fail(self, FL_EXIT_STATE_DIR, "%s/" FL_STATE_AUTHORITY " holds no usable key",
                      self->state);
    }
    return FL_EXIT_OK;
}

static int
s_renew(enrolment *self)
{
    const char *endpoint = self->conf->endpoint;
    uint8_t old[FL_CERT_BYTES];
    fl_keys *old_keys = NULL;
    fl_status status = fl_state_dir_cert_load(self->state, old, self->why);
    FL_THEN(status, fl_state_dir_authority_load(self->state, &self->authority, self->why));
    FL_THEN(status, fl_state_dir_parent_load(self->state, &self->parent, self->why));
    FL_THEN(status, fl_state_dir_keys_load(self->state, &old_keys, self->why));
    if (endpoint[0] != '\0') {
        (void)snprintf(self->parent.endpoint, sizeof self->parent.endpoint, "%s", endpoint);
        self->placed = true;
    }
    int code = status == FL_OK ? s_judge_old(self, old) : s_file(status);
    code = code == FL_EXIT_OK ? s_seal_renewal(self, old_keys, old) : code;
    code = code == FL_EXIT_OK ? s_complete(self, old_keys, "renewed") : code;
    fl_keys_destroy(&old_keys);
    return code;
}

// ---- both -------------------------------------------------------------------------------------
static int
s_run(const fl_enrol_client_conf *conf, const fl_enrol_client_world *world, fl_enrol_client *result,
      fl_why *why, int (*how)(enrolment *self))
{
    enrolment self = { .conf = conf,
                       .world = world,
                       .state = conf->state,
                       .role = conf->role,
                       .node = conf->node,
                       .result = result,
                       .why = why };
    memset(result, 0, sizeof *result);
    why->text[0] = '\0';
    int code = how(&self);
    fl_keys_destroy(&self.keys);
    return code;
}

int
fl_enrol_client_join(const fl_enrol_client_conf *conf, const fl_enrol_client_world *world,
                     fl_enrol_client *result, fl_why *why)
{
    return s_run(conf, world, result, why, s_join);
}

int
fl_enrol_client_renew(const fl_enrol_client_conf *conf, const fl_enrol_client_world *world,
                      fl_enrol_client *result, fl_why *why)
{
    return s_run(conf, world, result, why, s_renew);
}
