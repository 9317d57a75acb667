//  ingest - how fast a parent takes contributions in, over a bare CURVE PUSH -> PULL of the same
//  bytes, in one run and in turns. Ours is the whole way of the product: the node of a parent
//  with its admission, reactor, aggregator, staging slots and worker pool, fed by real children,
//  which are devices in processes of their own. Its time runs from the moment at which all have
//  offered (CONTRIB) to the moment at which all of it is verified and in the accumulator (FOLDED).
//
//      bench-ingest [elements=1000000] [children=1] [pairs=11] [fresh=1]
//
//  fresh=2: the bare senders keep one connection for all vectors; fresh=1: one for each, as lanes.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cloud/root.h"
#include "common/base/log.h"
#include "common/config/clock.h"
#include "common/crypto/hash.h"
#include "common/model/safetensors.h"
#include "common/model/start.h"
#include "common/runtime/node.h"
#include "device/device.h"
#include "device/trainer_synthetic.h"
#include "tests/bench/bare.h"
#include "tests/bench/bench.h"

enum { CHILDREN_MAX = 4, WARM = 2, LIFE_S = 3600, BUDGET_MS = 120 * 1000 };

typedef struct ingest {
    uint64_t elements, children, pairs;
    char base[64];
    pid_t pids[CHILDREN_MAX];
    unsigned forked;
    fl_stop *stop;
    bare bare;
    fl_root *root;
    fl_machine inner;         // the root's
    fl_blob *model;
    fl_hash model_hash, tensors;         // of the file, and of what is in it
    fl_event offers[CHILDREN_MAX];       // held back until all are here
    fl_message messages[CHILDREN_MAX];
    unsigned offered, folded;
    uint64_t started, took;   // ns
    uint64_t seen[FL_EV_COUNT];          // when each kind came last; MESSAGE: a chunk
    double staged[BENCH_PAIRS_MAX], verified[BENCH_PAIRS_MAX]; // ns
    uint64_t cpu_started, cpu_took;      // ns of all threads of the parent
    uint64_t rounds;          // measured, with those that warm up
    bench_pairs found, cpu;
} ingest;

static void
s_must(fl_status status, const fl_why *why)
{
    if (status != FL_OK) {
        bench_die("ingest", why->text);
    }
}

// ---- identities -------------------------------------------------------------------------------
static void
s_home(const ingest *self, const char *name, char path[FL_STATE_PATH_MAX])
{
    fl_why why = { "" };
    s_must(fl_state_dir_path(self->base, name, path, &why), &why);
}

//  A node's keys and certificate, and its public key.
static void
s_enrol(const ingest *self, const fl_authority *authority, const char *name, fl_role role,
        uint8_t key[FL_CURVE_BYTES])
{
    static uint64_t serial;
    fl_why why = { "" };
    char home[FL_STATE_PATH_MAX];
    uint8_t bytes[FL_CERT_BYTES];
    fl_keys *keys = NULL;
    const fl_entropy entropy = fl_entropy_os();
    s_home(self, name, home);
    s_must(fl_state_dir_open(home, &why), &why);
    s_must(fl_state_dir_keys_make(home, &entropy, &keys, &why), &why);
    fl_cert cert = { .role = role, .keys = *fl_keys_public(keys), .serial = ++serial };
    FL_ASSERT(fl_name_parse(name, &cert.node));
    fl_cert_issue(authority, &cert, fl_clock_wall_s(), LIFE_S, bytes);
    s_must(fl_state_dir_cert_save(home, bytes, false, &why), &why);
    s_must(fl_state_dir_authority_save(home, fl_authority_public_of(authority), &why), &why);
    memcpy(key, fl_keys_public(keys)->x, FL_CURVE_BYTES);
    fl_keys_destroy(&keys);
}

// ---- a child ----------------------------------------------------------------------------------
static void
s_child_turn(void *arg)
{
    if (fl_device_done(arg)) {
        (void)kill(getpid(), SIGTERM);
    }
}

//  In a process of its own: read where the parent is, then be a device.
static void __attribute__((noreturn))
s_child(const ingest *self, const char *name, int told)
{
    fl_why why = { "" };
    char home[FL_STATE_PATH_MAX];
    fl_state_dir_parent parent;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(told, &parent, sizeof parent) != (ssize_t)sizeof parent) {
        _exit(0);
    }
    s_home(self, name, home);
    s_must(fl_state_dir_parent_save(home, &parent, &why), &why);
    const fl_identity_conf who = { .directory = home, .role = FL_ROLE_DEVICE, .parent = true,
                                   .wall_s = fl_clock_wall_s };
    fl_identity *identity = NULL;
    s_must(fl_identity_open(&who, &identity, &why), &why);
    const fl_trainer_synthetic_conf data = { .elements = self->elements,
                                             .samples = 64,
                                             .seed = (uint64_t)name[1] };
    fl_trainer trainer;
    s_must(fl_trainer_synthetic_new(&data, &trainer, &why), &why);
    const fl_node_conf conf = { .directory = home,
                                .identity = identity,
                                .stop = self->stop,
                                .parent = true,
                                .threads = 1,
                                .io_threads = 1 };
    fl_node *node = NULL;
    s_must(fl_node_open(&conf, &node, &why), &why);
    const fl_participant_conf member = { .node = *fl_identity_node(identity),
                                         .role = FL_ROLE_DEVICE,
                                         .incarnation = fl_hash_of(fl_bytes_of(name, 2)).bytes[0],
                                         .beat_ms = 1000,
                                         .backoff_min_ms = 100,
                                         .backoff_max_ms = 1000 };
    fl_device *device = fl_device_new(&member);
    FL_ASSERT(device != NULL);
    const fl_tier tier = { .self = device,
                           .machine = fl_device_machine(device),
                           .trainer = &trainer,
                           .turn = s_child_turn };
    s_must(fl_node_seat(node, &tier, &why), &why);
    FL_ASSERT(fl_node_run(node, NULL) == FL_OK);
    _exit(0);
}

static int
s_fork_child(ingest *self, const char *name)
{
    int ends[2];
    if (pipe(ends) != 0) {
        bench_die("ingest", "no pipe");
    }
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        s_child(self, name, ends[0]);
    }
    if (pid < 0) {
        bench_die("ingest", "no process");
    }
    close(ends[0]);
    self->pids[self->forked++] = pid;
    return ends[1];
}

// ---- the parent -------------------------------------------------------------------------------
//  The root's machine, but for the offers: they are let in together, so that no child's training
//  is measured.
static void
s_step(void *arg, const fl_event *event, fl_time now, fl_outbox *out)
{
    ingest *self = arg;
    const fl_verb verb =
        event->kind == FL_EV_MESSAGE ? event->message.message->verb : FL_VERB_NONE;
    const bool offer = verb == FL_CONTRIB;
    if (event->kind != FL_EV_MESSAGE || verb == FL_CHUNK) {
        self->seen[event->kind] = bench_ns();
    }
    if (!offer || self->offered == self->children) {
        self->inner.step(self->inner.self, event, now, out);
    } else {
        self->messages[self->offered] = *event->message.message;
        self->offers[self->offered++] = *event;
        self->started = bench_ns();
        self->cpu_started = bench_cpu_ns();
        for (unsigned i = 0; self->offered == self->children && i < self->offered; i++) {
            self->offers[i].message.message = &self->messages[i];
            self->inner.step(self->inner.self, &self->offers[i], now, out);
        }
    }
    if (event->kind == FL_EV_FOLDED && ++self->folded == self->children) {
        self->took = bench_ns() - self->started;
        self->cpu_took = bench_cpu_ns() - self->cpu_started;
    }
}

static fl_time
s_deadline(const void *arg)
{
    const ingest *self = arg;
    return self->inner.deadline(self->inner.self);
}

//  Between two rounds, on a worker, while the children wait: the other half of the pair. The model
//  stays as it is, so that nobody fetches one.
static bool
s_apply(void *arg, const fl_fold *fold, const fl_effect *effect, fl_applied *applied)
{
    ingest *self = arg;
    (void)fold;
    (void)effect;
    const uint64_t cpu_before = bench_cpu_ns();
    const uint64_t other = bare_run(&self->bare);
    const uint64_t cpu_other = bench_cpu_ns() - cpu_before;
    if (self->folded != self->children) {
        bench_die("ingest", "a round closed without everybody: the machine is too busy");
    }
    if (++self->rounds > WARM) {
        const size_t at = self->found.count;
        self->staged[at] = (double)(self->seen[FL_EV_MESSAGE] - self->started);
        self->verified[at] = (double)(self->seen[FL_EV_VERIFIED] - self->started);
        bench_pairs_add(&self->found, self->took, other);
        bench_pairs_add(&self->cpu, self->cpu_took, cpu_other);
    }
    self->offered = 0;
    self->folded = 0;
    applied->model = fl_blob_ref(self->model);
    applied->hash = self->model_hash;
    applied->tensors = self->tensors;
    applied->loss = 0.0;
    applied->accuracy = 0.0;
    return true;
}

//  A moment after the last round, so that the children hear of its end.
static void
s_turn(void *arg)
{
    const ingest *self = arg;
    const fl_root_view view = fl_root_look(self->root, fl_clock_ms());
    if (view.phase == FL_ROOT_DONE && view.phase_ms >= 300) {
        (void)kill(getpid(), SIGTERM);
    }
}

static bool
s_sign(void *identity, fl_task *task)
{
    fl_identity_sign(identity, task);
    return true;
}

static fl_root *
s_root(const ingest *self, fl_identity *identity)
{
    fl_root_conf conf = {
        .aggregator = { .node = *fl_identity_node(identity),
                        .child_roles = { FL_ROLE_DEVICE },
                        .seats_max = 64,
                        .slots = 4,
                        .expect = (uint32_t)self->children,
                        .window = { .count_min = 1, .time_max_ms = 60000 },
                        .timing = fl_timing_default() },
        .plan = { .clip = 1.0f,
                  .bits = 16,
                  .weight_unit = 64,
                  .weight_max = 255,
                  .devices_max = 256,
                  .recipe = { 3, { { "batch", 32 }, { "epochs", 1 }, { "rate", 0.1f } } } },
        .signer = { .self = identity, .sign = s_sign },
        .rounds = self->pairs + WARM,
        .expect_leaves = (uint32_t)self->children,
        .start_wait_ms = BUDGET_MS,
    };
    conf.aggregator.window.time_max_ms = BUDGET_MS;
    return fl_root_new(&conf);
}

static void
s_begin(ingest *self, fl_node *node)
{
    fl_why why = { "" };
    fl_event start = { .kind = FL_EV_START };
    fl_blob *model = fl_blob_ref(self->model);
    fl_handles_put_model(fl_node_handles(node), 0, &self->model_hash, &model);
    start.start.round = 1;
    start.start.run = (fl_run){ .bytes = { 7 } };
    start.start.model = self->model_hash;
    start.start.tensors = self->tensors;
    start.start.model_bytes = fl_blob_size(self->model);
    start.start.elements = self->elements;
    s_must(fl_node_post(node, &start), &why);
}

static void
s_parent(ingest *self, const fl_authority *authority, fl_state_dir_parent *where, const int *told)
{
    fl_why why = { "" };
    char home[FL_STATE_PATH_MAX];
    s_home(self, "parent", home);
    const fl_identity_conf who = { .directory = home, .role = FL_ROLE_ROOT,
                                   .authority = authority, .wall_s = fl_clock_wall_s };
    fl_identity *identity = NULL;
    s_must(fl_identity_open(&who, &identity, &why), &why);
    const fl_node_conf conf = {
        .directory = home,
        .identity = identity,
        .stop = self->stop,
        .listen = { "tcp://127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0" },
        .seats_max = 64,
        .slots = 4,
        .threads = 2,
        .io_threads = 1,
    };
    fl_node *node = NULL;
    s_must(fl_node_open(&conf, &node, &why), &why);
    bare_open(&self->bare);
    self->root = s_root(self, identity);
    FL_ASSERT(self->root != NULL);
    self->inner = fl_root_machine(self->root);
    const fl_tier tier = { .self = self,
                           .machine = { self, s_step, s_deadline },
                           .applier = { { self, s_apply } },
                           .turn = s_turn };
    s_must(fl_node_seat(node, &tier, &why), &why);
    s_begin(self, node);
    snprintf(where->endpoint, sizeof where->endpoint, "tcp://127.0.0.1:%u",
             fl_node_port(node, FL_WAY_CONTROL));
    for (unsigned i = 0; i < self->children; i++) {
        FL_ASSERT(write(told[i], where, sizeof *where) == (ssize_t)sizeof *where);
    }
    FL_ASSERT(fl_node_run(node, NULL) == FL_OK);
    bare_close(&self->bare);
    fl_node_close(&node);
    fl_root_destroy(&self->root);
    fl_identity_close(&identity);
}

// ---- the figures ------------------------------------------------------------------------------
static void
s_report(ingest *self)
{
    char name[64], note[256];
    double low, high;
    const double megabytes = (double)(self->children * self->bare.bytes) / 1e6;
    const double ratio = bench_pairs_ratio(&self->found, &low, &high);
    const double ours = bench_median(self->found.a, self->found.count);
    const double bare_ns = bench_median(self->found.b, self->found.count);
    snprintf(name, sizeof name, "ingest_%llux%lluk%s", (unsigned long long)self->children,
             (unsigned long long)(self->elements / 1000), self->bare.fresh ? "" : "_kept");
    snprintf(note, sizeof note,
             "%llu x %.1f MB; quartiles %.2f to %.2f; %.0f MB/s over %.0f; staged after %.1f ms, "
             "verified %.1f, folded %.1f; bare %s",
             (unsigned long long)self->children, (double)self->bare.bytes / 1e6, low, high,
             megabytes * 1e3 / ours * 1e6, megabytes * 1e3 / bare_ns * 1e6,
             bench_median(self->staged, self->found.count) / 1e6,
             bench_median(self->verified, self->found.count) / 1e6, ours / 1e6,
             self->bare.fresh ? "connects for each vector" : "keeps its connection");
    bench_say(name, ratio, "ratio", note);
    const double cpu = bench_pairs_ratio(&self->cpu, &low, &high);
    snprintf(name + strlen(name), sizeof name - strlen(name), "_cpu");
    snprintf(note, sizeof note, "the parent's CPU time, quartiles %.2f to %.2f; %.2f ms per MB "
             "over %.2f", low, high,
             bench_median(self->cpu.a, self->cpu.count) / 1e6 / megabytes,
             bench_median(self->cpu.b, self->cpu.count) / 1e6 / megabytes);
    bench_say(name, cpu, "ratio", note);
}

//  The children first: they write there.
static void
s_remove(const ingest *self)
{
    for (unsigned i = 0; i < self->forked; i++) {
        (void)kill(self->pids[i], SIGKILL);
        (void)waitpid(self->pids[i], NULL, 0);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", self->base, (char *)NULL);
        _exit(1);
    }
    (void)waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
    static ingest self;
    fl_why why = { "" };
    const fl_log_conf log = { .tier = "bench", .node = "", .least = FL_LOG_ERROR };
    fl_state_dir_parent where;
    int told[CHILDREN_MAX];
    self.elements = bench_option(argc, argv, "elements", 1000000);
    self.children = bench_option(argc, argv, "children", 1);
    self.pairs = bench_option(argc, argv, "pairs", 11);
    self.bare = (bare){ .senders = (unsigned)self.children, .bytes = 4 * self.elements,
                        .chunk = FL_CHUNK_BYTES_MAX,
                        .fresh = bench_option(argc, argv, "fresh", 1) == 1 };
    if (self.children > CHILDREN_MAX || self.pairs > BENCH_PAIRS_MAX) {
        bench_die("ingest", "too many children or pairs");
    }
    fl_log_setup(&log);
    s_must(fl_crypto_init(&why), &why);
    snprintf(self.base, sizeof self.base, "/tmp/fl-bench-XXXXXX");
    if (mkdtemp(self.base) == NULL) {
        bench_die("ingest", "no directory under /tmp");
    }
    s_must(fl_start_vector(self.elements, &self.model, &why), &why);
    fl_safetensors file;
    s_must(fl_safetensors_parse(fl_blob_bytes(self.model), &file, &why), &why);
    self.model_hash = fl_hash_of(fl_blob_bytes(self.model));
    self.tensors = fl_safetensors_digest(&file);
    const fl_entropy entropy = fl_entropy_os();
    fl_authority *authority = fl_authority_new(&entropy);
    FL_ASSERT(authority != NULL);
    s_enrol(&self, authority, "parent", FL_ROLE_ROOT, where.key);
    s_must(fl_stop_open(&self.stop, &why), &why);
    for (unsigned i = 0; i < self.children; i++) {
        const char name[3] = { 'c', (char)('1' + i), '\0' };
        uint8_t key[FL_CURVE_BYTES];
        s_enrol(&self, authority, name, FL_ROLE_DEVICE, key);
        told[i] = s_fork_child(&self, name);
    }
    bare_fork(&self.bare);
    s_parent(&self, authority, &where, told);
    s_report(&self);
    fl_authority_destroy(&authority);
    fl_blob_unref(&self.model);
    fl_stop_close(&self.stop);
    s_remove(&self);
    return 0;
}
