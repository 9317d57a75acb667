//  fl ca init, fl token: the operator's console. The authority's secret never leaves its directory.
#include <string.h>

#include "cloud/fl/verbs.h"
#include "common/crypto/token.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

enum { LOOK_MS = 200 };

// ---- fl ca init -------------------------------------------------------------------------------
int
fl_verb_ca_init(void *context, const fl_conf *conf)
{
    const fl_context *console = context;
    const char *directory = fl_conf_text(conf, "authority");
    char key[2 * FL_SIGN_PUBLIC_BYTES + 1];
    fl_authority *authority = NULL;
    fl_why why = { "" };
    fl_status status = fl_state_dir_secret_make(directory, &console->entropy, &authority, &why);
    if (status != FL_OK) {
        return fl_context_fail(console, "ca init", fl_context_code(status), "%s", why.text);
    }
    fl_hex(fl_authority_public_of(authority)->ed, FL_SIGN_PUBLIC_BYTES, key);
    fl_authority_destroy(&authority);
    if (fl_conf_bool(conf, "json")) {
        json_t *answer = json_pack("{s:s, s:s}", "authority", directory, "key", key);
        fl_context_print(console, &answer);
    } else {
        (void)fprintf(console->out, "authority %.16s made in %s: keep %s secret and backed up\n",
                      key, directory, FL_STATE_SECRET);
    }
    return FL_EXIT_OK;
}

// ---- fl token ---------------------------------------------------------------------------------
//  The certificate that the root has recorded for a node. A root that does not run yet, and a node
//  that has not joined yet, are waited for.
static int
s_ask_certificate(const fl_context *console, const fl_conf *conf, const char *name, fl_blob **blob)
{
    const fl_time wait_ms = (fl_time)fl_conf_ms(conf, "wait"), began = console->now_ms();
    const char *state = fl_context_state(console, conf, "token");
    json_t *answer = NULL;
    fl_why why = { "" };
    int code;
    if (state == NULL) {
        return FL_EXIT_USAGE;
    }
    if (wait_ms > 0 && console->watch(console->self, &why) != FL_OK) {
        return fl_context_fail(console, "token", FL_EXIT_FAILED, "%s", why.text);
    }
    do {
        code = fl_context_ask(console, state, "certificate", name,
                              (uint32_t)fl_conf_ms(conf, "timeout"), &answer, &why);
    } while ((code == FL_EXIT_SILENT || code == FL_EXIT_MISSING) &&
             console->now_ms() - began < wait_ms && console->pause(console->self, LOOK_MS));
    if (code != FL_EXIT_OK) {
        return fl_context_fail(console, "token", code, "%s", why.text);
    }
    const char *hex = json_string_value(json_object_get(answer, "said"));
    size_t size = hex == NULL ? 0 : strlen(hex) / 2;
    *blob = fl_blob_new(size);
    if (*blob == NULL || size == 0 || !fl_unhex(hex, fl_blob_data(*blob), (unsigned)size)) {
        fl_blob_unref(blob);
        code = fl_context_fail(console, "token", FL_EXIT_FAILED,
                               "the root's answer is no certificate; is it of another version?");
    }
    json_decref(answer);
    return code;
}

//  The parent's certificate, proved; its key goes into the token.
static int
s_parent(const fl_context *console, const fl_conf *conf, const fl_authority *authority,
         fl_token *token)
{
    const char *path = fl_conf_text(conf, "parent.cert"), *name = fl_conf_text(conf, "parent");
    fl_blob *blob = NULL;
    fl_cert cert;
    fl_why why = { "" };
    if (name[0] != '\0') {
        int code = s_ask_certificate(console, conf, name, &blob);
        if (code != FL_EXIT_OK) {
            return code;
        }
        path = name;
    } else if (fl_file_read(path, FL_CERT_BYTES_MAX, &blob, &why) != FL_OK) {
        return fl_context_fail(console, "token", FL_EXIT_STATE_DIR, "%s", why.text);
    }
    fl_trust trust = fl_cert_check(fl_blob_bytes(blob), fl_authority_public_of(authority),
                                   console->wall_s(), FL_ROLES_PARENT, &cert);
    fl_blob_unref(&blob);
    if (trust != FL_TRUST_OK) {
        return fl_context_fail(console, "token", FL_EXIT_REFUSED,
                               "%s is no certificate of a parent under this authority (%s): give "
                               "node.cert of the root or of an edge",
                               path, fl_trust_name(trust));
    }
    memcpy(token->parent, cert.keys.x, sizeof token->parent);
    return FL_EXIT_OK;
}

static int
s_terms(const fl_context *console, const fl_conf *conf, fl_token *token)
{
    const char *name = fl_conf_text(conf, "name"), *prefix = fl_conf_text(conf, "prefix");
    const char *endpoint = fl_conf_text(conf, "endpoint");
    const char *chosen = name[0] != '\0' ? name : prefix;
    fl_endpoint place;
    if (strlen(chosen) >= sizeof token->name) {
        return fl_context_fail(console, "token", FL_EXIT_USAGE,
                               "'%s' is too long for a node name: at most %zu characters", chosen,
                               sizeof token->name - 1);
    }
    if (!fl_endpoint_parse_remote(endpoint, &place)) {
        return fl_context_fail(console, "token", FL_EXIT_USAGE, "--endpoint: " FL_ENDPOINT_REFUSED,
                               endpoint, FL_ENDPOINT_LENGTH_MAX);
    }
    token->role = fl_conf_choice(conf, "role") == 0 ? FL_ROLE_DEVICE : FL_ROLE_EDGE;
    token->exact = name[0] != '\0';
    memcpy(token->name, chosen, strlen(chosen));
    memcpy(token->endpoint, endpoint, strlen(endpoint));
    token->count = (uint32_t)fl_conf_int(conf, "count");
    token->not_after = console->wall_s() + (uint64_t)(fl_conf_real(conf, "hours") * 3600);
    return FL_EXIT_OK;
}

static int
s_hand_out(const fl_context *console, const fl_conf *conf, const fl_token *token)
{
    char text[FL_TOKEN_TEXT_BYTES + 1];
    const char *path = fl_conf_text(conf, "out");
    const bool standard = path[0] == '\0' || strcmp(path, "-") == 0;
    char id[2 * FL_TOKEN_ID_BYTES + 1];
    fl_why why = { "" };
    fl_status status = FL_OK;
    fl_hex(token->id, FL_TOKEN_ID_BYTES, id);
    fl_token_text(token, text);
    if (!standard) {
        size_t length = strlen(text);
        text[length] = '\n';
        status = fl_file_deliver(path, fl_bytes_of(text, length + 1), 0600,
                                 fl_conf_bool(conf, "force"), &why);
        text[length] = '\0';
    }
    if (status == FL_OK && fl_conf_bool(conf, "json")) {
        json_t *answer =
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:s}", standard ? "token" : "file",
                      standard ? text : path, "id", id, "role", fl_role_name(token->role), "name",
                      token->name, "exact", token->exact, "count", (json_int_t)token->count,
                      "not_after", (json_int_t)token->not_after, "endpoint", token->endpoint);
        fl_context_print(console, &answer);
    } else if (status == FL_OK && standard) {
        (void)fprintf(console->out, "%s\n", text);
    }
    fl_wipe(text, sizeof text);
    return status == FL_OK
               ? FL_EXIT_OK
               : fl_context_fail(console, "token", fl_context_code(status), "%s", why.text);
}

int
fl_verb_token(void *context, const fl_conf *conf)
{
    const fl_context *console = context;
    fl_authority *authority = NULL;
    fl_token token = { 0 };
    fl_why why = { "" };
    fl_status status = fl_state_dir_secret_load(fl_conf_text(conf, "authority"), &authority, &why);
    if (status != FL_OK) {
        return fl_context_fail(console, "token", fl_context_code(status), "%s", why.text);
    }
    int code = s_parent(console, conf, authority, &token);
    if (code == FL_EXIT_OK) {
        code = s_terms(console, conf, &token);
    }
    if (code == FL_EXIT_OK &&
        fl_token_make(authority, console->wall_s(), &console->entropy, &token, &why) != FL_OK) {
        code = fl_context_fail(console, "token", FL_EXIT_USAGE, "%s", why.text);
    }
    if (code == FL_EXIT_OK &&
        fl_token_note(fl_conf_text(conf, "authority"), &token, &why) != FL_OK) {
        code = fl_context_fail(console, "token", FL_EXIT_STATE_DIR, "%s", why.text);
    }
    if (code == FL_EXIT_OK) {
        code = s_hand_out(console, conf, &token);
    }
    fl_authority_destroy(&authority);
    fl_wipe(&token, sizeof token);
    return code;
}

fl_status
fl_check_token(const fl_conf *conf, fl_why *why)
{
    bool name = fl_conf_text(conf, "name")[0] != '\0';
    if ((fl_conf_text(conf, "parent")[0] != '\0') ==
        (fl_conf_text(conf, "parent.cert")[0] != '\0')) {
        return fl_fail(FL_MISMATCH, why,
                       "--parent-cert: name the file with the parent's certificate; or ask the "
                       "root for it, with --parent NODE and its --state");
    }
    if (name && fl_conf_text(conf, "prefix")[0] != '\0') {
        return fl_fail(FL_MISMATCH, why, "--name and --prefix exclude each other");
    }
    if (name && fl_conf_int(conf, "count") != 1) {
        return fl_fail(FL_RANGE, why, "--count: one name is one node; use --prefix for several");
    }
    return FL_OK;
}
