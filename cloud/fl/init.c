//  fl init: an installation's first directory: the authority, the root's keys and settings, a run
//  to begin with, and one token for those who join the root.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/fl/verbs.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

//  What the directory is for, and the places in it.
typedef struct plan {
    const fl_context *console;
    const char *directory;
    fl_endpoint place; // of the root, as others see it
    const char *endpoint;
    uint32_t children; // of the root
    uint32_t devices;  // of all edges; 0: the children are sites
    double hours;      // of the token
} plan;

static fl_status
s_write(const plan *self, const char *name, const char *text, unsigned mode, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    FL_TRY(fl_state_dir_path(self->directory, name, path, why));
    return fl_file_write(path, fl_bytes_of(text, strlen(text)), mode, why);
}

static fl_status
s_write_root(const plan *self, fl_why *why)
{
    char text[3 * FL_STATE_PATH_MAX + 512];
    int length = snprintf(text, sizeof text,
                          "# fl-root --config %s/root.yaml; all settings: fl-root --help\n"
                          "state: %s/root\n"
                          "authority: %s/authority\n"
                          "listen:\n"
                          "  control: tcp://0.0.0.0:%u\n"
                          "  up: tcp://0.0.0.0:%u\n"
                          "  down: tcp://0.0.0.0:%u\n",
                          self->directory, self->directory, self->directory, self->place.port,
                          self->place.port + 1, self->place.port + 2);
    if (length >= (int)sizeof text) {
        return fl_fail(FL_RANGE, why, "%s: the path is too long", self->directory);
    }
    return s_write(self, "root.yaml", text, 0644, why);
}

//  Sites have a day's work between two rounds, edges some seconds; each profile waits for all, and
//  goes on with those who came.
static fl_status
s_write_run(const plan *self, fl_why *why)
{
    char text[1024], devices[64] = "";
    const bool sites = self->devices == 0;
    const bool few = !sites && self->children < 3;
    if (!sites) {
        (void)snprintf(devices, sizeof devices, "  expect_devices: %" PRIu32 "\n", self->devices);
    }
    (void)snprintf(text, sizeof text,
                   "# fl run submit %s/run.yaml; all settings: fl run settings\n"
                   "name: first\n"
                   "rounds: 20\n"
                   "model:\n"
                   "  layers: 784-128-10    # inputs, hidden, outputs; or initial: FILE\n"
                   "round:\n"
                   "  expect: %" PRIu32 "\n%s"
                   "  wait: %s              # for those who are away, before a round\n"
                   "  time_max: %s          # a round ends when all are in, or then\n"
                   "masking:\n"
                   "  step: %s              # each of three steps that open a sum\n%s",
                   self->directory, self->children, devices, sites ? "1h" : "10m",
                   sites ? "12h" : "10m", sites ? "1m" : "2s",
                   few ? "  edges: unmasked        # one or two edges cannot mask each other\n"
                       : "");
    return s_write(self, "run.yaml", text, 0644, why);
}

static fl_status
s_write_token(const plan *self, const fl_authority *authority, const fl_keys *root, fl_why *why)
{
    char text[FL_TOKEN_TEXT_BYTES + 1], path[FL_STATE_PATH_MAX];
    const bool sites = self->devices == 0;
    const uint64_t now = self->console->wall_s();
    fl_token token = { .role = sites ? FL_ROLE_DEVICE : FL_ROLE_EDGE, .count = self->children };
    (void)snprintf(token.name, sizeof token.name, "%s", sites ? "site-" : "edge-");
    memcpy(token.endpoint, self->endpoint, strlen(self->endpoint));
    memcpy(token.parent, fl_keys_public(root)->x, sizeof token.parent);
    token.not_after = now + (uint64_t)(self->hours * 3600);
    FL_TRY(fl_token_make(authority, now, &self->console->entropy, &token, why));
    FL_TRY(fl_state_dir_path(self->directory, "authority", path, why));
    FL_TRY(fl_token_note(path, &token, why));
    fl_token_text(&token, text);
    text[strlen(text) + 1] = '\0';
    text[strlen(text)] = '\n';
    fl_status status = s_write(self, sites ? "site.token" : "edge.token", text, 0600, why);
    fl_wipe(text, sizeof text);
    fl_wipe(&token, sizeof token);
    return status;
}

static fl_status
s_make(const plan *self, fl_why *why)
{
    char path[FL_STATE_PATH_MAX];
    fl_authority *authority = NULL;
    fl_keys *keys = NULL;
    FL_TRY(fl_state_dir_path(self->directory, "authority", path, why));
    fl_status status = fl_state_dir_secret_make(path, &self->console->entropy, &authority, why);
    FL_THEN(status, fl_state_dir_path(self->directory, "root", path, why));
    FL_THEN(status, fl_state_dir_open(path, why));
    FL_THEN(status, fl_state_dir_keys_make(path, &self->console->entropy, &keys, why));
    FL_THEN(status, s_write_root(self, why));
    FL_THEN(status, s_write_run(self, why));
    FL_THEN(status, s_write_token(self, authority, keys, why));
    fl_keys_destroy(&keys);
    fl_authority_destroy(&authority);
    return status;
}

static void
s_say(const plan *self, FILE *out)
{
    const bool sites = self->devices == 0;
    const char *at = self->directory, *what = sites ? "site" : "edge";
    (void)fprintf(out,
                  "made %s: authority (keep it secret and backed up), root, root.yaml, run.yaml, "
                  "%s.token\n"
                  "next:\n"
                  "  fl-root --config %s/root.yaml\n"
                  "  on each of %" PRIu32 " machines, with %s.token over a safe channel:\n",
                  at, what, at, self->children, what);
    if (sites) {
        (void)fprintf(out, "  fl-device --state DIR --join-token site.token --join-name site-N "
                           "--data-inputs FILE --data-labels FILE\n");
    } else {
        (void)fprintf(out,
                      "  edge-agg --state DIR --join-token edge.token --join-name edge-N\n"
                      "  a token for the devices of each edge, which join as the edges did:\n"
                      "  fl token --authority %s/authority --state %s/root --parent edge-N "
                      "--endpoint tcp://HOST:PORT --role device --prefix dev- --count N "
                      "--wait 1m\n",
                      at, at);
    }
    (void)fprintf(out, "  fl run submit %s/run.yaml --state %s/root\n", at, at);
}

int
fl_verb_init(void *context, const fl_conf *conf)
{
    const fl_context *console = context;
    const uint32_t sites = (uint32_t)fl_conf_int(conf, "sites");
    char where[PATH_MAX];
    plan self = { .console = console,
                  .directory = where,
                  .endpoint = fl_conf_text(conf, "endpoint"),
                  .children = sites > 0 ? sites : (uint32_t)fl_conf_int(conf, "edges"),
                  .devices = sites > 0 ? 0 : (uint32_t)fl_conf_int(conf, "devices"),
                  .hours = fl_conf_real(conf, "hours") };
    fl_why why = { "" };
    if (!fl_endpoint_parse_remote(self.endpoint, &self.place)) {
        return fl_context_fail(console, "init", FL_EXIT_USAGE, "--endpoint: " FL_ENDPOINT_REFUSED,
                               self.endpoint, FL_ENDPOINT_LENGTH_MAX);
    }
    if (mkdir(fl_conf_argument(conf, 0), 0700) != 0 ||
        realpath(fl_conf_argument(conf, 0), where) == NULL) {
        return fl_context_fail(console, "init",
                               errno == EEXIST ? FL_EXIT_EXISTS : FL_EXIT_STATE_DIR, "%s: %s",
                               fl_conf_argument(conf, 0), strerror(errno));
    }
    fl_status status = s_make(&self, &why);
    if (status != FL_OK) {
        return fl_context_fail(console, "init", fl_context_code(status),
                               "%s; remove %s before another try", why.text, self.directory);
    }
    if (fl_conf_bool(conf, "json")) {
        json_t *answer = json_pack("{s:s}", "directory", self.directory);
        fl_context_print(console, &answer);
    } else {
        s_say(&self, console->out);
    }
    return FL_EXIT_OK;
}

fl_status
fl_check_init(const fl_conf *conf, fl_why *why)
{
    const int64_t sites = fl_conf_int(conf, "sites"), edges = fl_conf_int(conf, "edges");
    const int64_t devices = fl_conf_int(conf, "devices");
    if ((sites > 0) == (edges > 0) || (edges > 0) != (devices > 0)) {
        return fl_fail(FL_MISMATCH, why,
                       "give --sites N, or --edges N and --devices N (of all edges together)");
    }
    if (sites > 0 && sites < 3) {
        return fl_fail(FL_RANGE, why, "--sites: masks need 3 sites at least");
    }
    if (devices > 0 && devices < 3 * edges) {
        return fl_fail(FL_RANGE, why, "--devices: masks need 3 of them at each edge, so %lld",
                       (long long)(3 * edges));
    }
    return FL_OK;
}
