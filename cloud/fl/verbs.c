#include "cloud/fl/verbs.h"

// ---- settings that several verbs share --------------------------------------------------------
#define STATE(whose)                                                                               \
    { "state", FL_CONF_TEXT, "", 0, 0, NULL, "State directory of " whose " (or FL_STATE)" }
#define JSON                                                                                       \
    { "json", FL_CONF_BOOL, "false", 0, 0, NULL, "Print one line of JSON instead of text" }
#define TIMEOUT                                                                                    \
    { "timeout", FL_CONF_DURATION, "5s", 1, 3600000, NULL, "How long to wait for the answer" }
#define RUN                                                                                        \
    { "run", FL_CONF_TEXT, "", 0, 0, NULL,                                                         \
      "Of this run: its name, number or id; without it of the one in hand, else the newest" }
#define AUTHORITY                                                                                  \
    { "authority", FL_CONF_TEXT, NULL, 0, 0, NULL,                                                 \
      "Directory of the authority, 0700, with its secret" }

#define FORCE                                                                                      \
    { "force", FL_CONF_BOOL, "false", 0, 0, NULL,                                                  \
      "Replace a read-only file, write into a pipe or a device" }

static const fl_setting init[] = {
    { "endpoint", FL_CONF_TEXT, NULL, 0, 0, NULL,
      "Address of the root as the others see it, tcp://HOST:PORT; it listens on that port and the "
      "next two" },
    { "sites", FL_CONF_INT, "0", 0, 64, NULL, "A flat federation of so many sites, no edges" },
    { "edges", FL_CONF_INT, "0", 0, 1024, NULL, "Or a tree: so many edges below the root" },
    { "devices", FL_CONF_INT, "0", 0, 1e6, NULL, "Devices of all these edges together" },
    { "hours", FL_CONF_REAL, "24", 0.001, 2160, NULL, "Hours for which the token is valid" },
    JSON,
};

static const fl_setting ca_init[] = { AUTHORITY, JSON };

static const fl_setting token[] = {
    AUTHORITY,
    { "parent.cert", FL_CONF_TEXT, "", 0, 0, NULL,
      "Certificate of the newcomer's parent: node.cert in its state directory" },
    { "parent", FL_CONF_TEXT, "", 0, 0, NULL,
      "Or the parent's name: its certificate is asked from the running root" },
    STATE("the root, for --parent"),
    TIMEOUT,
    { "wait", FL_CONF_DURATION, "0ms", 0, 604800000, NULL,
      "How long to wait for that parent to join, and for the root to run" },
    { "endpoint", FL_CONF_TEXT, NULL, 0, 0, NULL,
      "Address of that parent as the newcomer sees it: tcp://HOST:PORT" },
    { "role", FL_CONF_CHOICE, NULL, 0, 0, "device|edge", "What the newcomer may become" },
    { "name", FL_CONF_TEXT, "", 0, 0, NULL, "The one node name that the token allows" },
    { "prefix", FL_CONF_TEXT, "", 0, 0, NULL,
      "What node names must begin with; without --prefix and --name any name is allowed" },
    { "count", FL_CONF_INT, "1", 1, 1000000, NULL, "How many nodes may join with it" },
    { "hours", FL_CONF_REAL, "24", 0.001, 2160, NULL, "Hours for which the token is valid" },
    { "out", FL_CONF_TEXT, "", 0, 0, NULL,
      "Write the token to this file (mode 0600) instead of standard output" },
    FORCE,
    JSON,
};

static const fl_setting token_list[] = { AUTHORITY, STATE("the root"), TIMEOUT, JSON };

static const fl_setting enrol[] = {
    STATE("the newcomer"),
    { "node", FL_CONF_TEXT, "", 0, 0, NULL,
      "Node name to take: 1 to 15 characters of a-z 0-9 . - (not when renewing)" },
    { "role", FL_CONF_CHOICE, "device", 0, 0, "device|edge",
      "What it becomes (not when renewing)" },
    { "token.file", FL_CONF_TEXT, "-", 0, 0, NULL, "File with the token; - is standard input" },
    { "endpoint", FL_CONF_TEXT, "", 0, 0, NULL,
      "Address of the parent, tcp://HOST:PORT, when it is not the one in the token" },
    { "parent.cert", FL_CONF_TEXT, "", 0, 0, NULL,
      "File with that parent's certificate, when it is not the parent in the token" },
    { "wait", FL_CONF_DURATION, "60s", 1, 86400000, NULL,
      "How long to try to reach the parent before giving up" },
    { "renew", FL_CONF_BOOL, "false", 0, 0, NULL,
      "Ask for the next certificate, with the present one instead of a token" },
    { "new.keys", FL_CONF_BOOL, "false", 0, 0, NULL,
      "With --renew: make new keys as well; not of an edge, whose children know it by them" },
    JSON,
};

static const fl_setting run_submit[] = {
    { "name", FL_CONF_TEXT, "", 0, 0, NULL,
      "Name of the run; without it the setting name of the file, else the name of the file" },
    { "set", FL_CONF_LIST, "", 0, 0, NULL, "KEY=VALUE: a setting that wins over the file" },
    { "priority", FL_CONF_INT, "0", -1e6, 1e6, NULL, "Higher ones begin first" },
    { "wait", FL_CONF_BOOL, "false", 0, 0, NULL, "Stay until the run has ended" },
    { "check", FL_CONF_BOOL, "false", 0, 0, NULL, "Only say whether the settings are fine" },
    STATE("the root"),
    TIMEOUT,
    JSON,
};

static const fl_setting run_watch[] = {
    STATE("the root"),
    { "wait", FL_CONF_DURATION, "30s", 0, 86400000, NULL,
      "How long to wait for a root that does not answer" },
    { "json", FL_CONF_BOOL, "false", 0, 0, NULL, "Print one line of JSON for each event" },
};

static const fl_setting run_settings[] = {
    { "roff", FL_CONF_BOOL, "false", 0, 0, NULL, "Print them for the page fl-run(5) instead" },
    JSON,
};
#define SERIAL                                                                                     \
    { "serial", FL_CONF_INT, "0", 0, 1e15, NULL,                                                   \
      "Only the certificate with this number; 0 is every one of the node" }
static const fl_setting revoke[] = {
    STATE("the root"),
    SERIAL,
    { "force", FL_CONF_BOOL, "false", 0, 0, NULL,
      "Also a name that no certificate was issued to" },
    TIMEOUT,
    JSON,
};
static const fl_setting admit[] = { STATE("the root"), SERIAL, TIMEOUT, JSON };
static const fl_setting of_root[] = { STATE("the root"), TIMEOUT, JSON };
static const fl_setting of_rounds[] = { RUN, STATE("the process"), TIMEOUT, JSON };
static const fl_setting of_any[] = { STATE("the process"), TIMEOUT, JSON };

static const fl_setting drain[] = {
    STATE("the process, or of the root for a NODE below it"),
    { "undo", FL_CONF_BOOL, "false", 0, 0, NULL, "Take rounds again" },
    { "wait", FL_CONF_DURATION, "0ms", 0, 604800000, NULL,
      "How long to stay until it is drained; exit code 1 when it is not then" },
    TIMEOUT,
    JSON,
};

static const fl_setting rounds[] = {
    RUN,
    STATE("the process"),
    { "before", FL_CONF_INT, "0", 0, 1e15, NULL, "Only rounds before this one; 0 is all" },
    { "limit", FL_CONF_INT, "0", 0, 1e9, NULL, "At most so many, the newest of them; 0 is all" },
    TIMEOUT,
    JSON,
};

static const fl_setting top[] = {
    RUN,
    STATE("the process"),
    { "refresh", FL_CONF_DURATION, "500ms", 50, 1000, NULL,
      "Time between two updates of the display" },
    { "wait", FL_CONF_DURATION, "30s", 0, 86400000, NULL,
      "How long to wait for a process that does not answer" },
    { "json", FL_CONF_BOOL, "false", 0, 0, NULL,
      "Print one line of JSON, the status, for each change" },
};

static const fl_setting model_export[] = {
    { "round", FL_CONF_INT, "0", 0, 1e15, NULL, "The model after this round; 0 is the newest" },
    { "best", FL_CONF_BOOL, "false", 0, 0, NULL, "The model that scored best, by stop.metric" },
    RUN,
    FORCE,
    STATE("the root"),
    TIMEOUT,
    JSON,
};

static const fl_setting shards[] = {
    { "labels", FL_CONF_TEXT, NULL, 0, 0, NULL, "IDX file of the labels, plain or gzip" },
    { "shards", FL_CONF_INT, "16", 1, 65536, NULL, "How many devices share the samples" },
    { "alpha", FL_CONF_REAL, "0.3", 0, 1000000, NULL,
      "Label skew, Dirichlet(alpha); 0 splits evenly" },
    { "minimum", FL_CONF_INT, "64", 0, 1e9, NULL, "Fewest samples of a shard" },
    { "seed", FL_CONF_INT, "1", 0, 0, NULL, "Seed of the split into shards" },
    JSON,
};

static const fl_setting reference[] = {
    { "train.inputs", FL_CONF_TEXT, NULL, 0, 0, NULL, "IDX file of the samples" },
    { "train.labels", FL_CONF_TEXT, NULL, 0, 0, NULL, "IDX file of their labels" },
    { "test.inputs", FL_CONF_TEXT, NULL, 0, 0, NULL, "IDX file of the test samples" },
    { "test.labels", FL_CONF_TEXT, NULL, 0, 0, NULL, "IDX file of their labels" },
    { "layers", FL_CONF_TEXT, "784-128-10", 0, 0, NULL, "Layer sizes of the network" },
    { "epochs", FL_CONF_INT, "20", 1, 10000, NULL, "Passes over the samples" },
    { "batch", FL_CONF_INT, "32", 1, 4096, NULL, "Samples per step" },
    { "rate", FL_CONF_REAL, "0.1", 0, 1000, NULL, "Learning rate" },
    { "momentum", FL_CONF_REAL, "0", 0, 1, NULL, "Momentum of SGD" },
    { "decay", FL_CONF_REAL, "0", 0, 1, NULL, "Weight decay" },
    { "seed", FL_CONF_INT, "1", 0, 0, NULL, "Seed of the first parameters and of shuffling" },
    JSON,
};

static const fl_setting trainer_check[] = {
    { "model", FL_CONF_TEXT, "", 0, 0, NULL,
      "A model that it takes, safetensors or npz; without: three small tensors" },
    { "data", FL_CONF_TEXT, "", 0, 0, NULL, "What it is told as FL_DATA" },
    { "set", FL_CONF_LIST, "", 0, 0, NULL, "NAME=NUMBER of the run's recipe, such as rate=0.1" },
    { "form", FL_CONF_CHOICE, "once", 0, 0, "once|serve", "A command a round, or one that stays" },
    { "network", FL_CONF_CHOICE, "loopback", 0, 0, "loopback|world", "What it can reach" },
    { "time.max", FL_CONF_DURATION, "1m", 10, 86400000, NULL, "Longest training of one round" },
    { "cancel", FL_CONF_DURATION, "5s", 10, 3600000, NULL, "From SIGTERM until it is killed" },
    { "disk", FL_CONF_SIZE, "64MiB", 65536, 1099511627776, NULL,
      "Bytes in its own directory, beside the model" },
    JSON,
};
static const fl_setting tensor[] = { JSON };

// ---- the table --------------------------------------------------------------------------------
#define SETTINGS(table)                                                                            \
    .flags_only = true, .settings = (table), .setting_count = sizeof(table) / sizeof *(table)

static const fl_command commands[] = {
    { .program = { .name = "init",
                   .arguments = "DIRECTORY",
                   SETTINGS(init),
                   .check = fl_check_init,
                   .purpose = "Begin an installation: authority, root, settings, a run, a token." },
      .run = fl_verb_init },
    { .program = { .name = "ca init",
                   SETTINGS(ca_init),
                   .purpose = "Make an authority: authority.key and authority.pub." },
      .run = fl_verb_ca_init },
    { .program = { .name = "token list",
                   SETTINGS(token_list),
                   .purpose = "List the tokens that were made with an authority's directory." },
      .run = fl_verb_token_list },
    { .program = { .name = "token revoke",
                   .arguments = "ID",
                   SETTINGS(of_root),
                   .purpose = "Let nobody join with a token any more; who did stays." },
      .run = fl_verb_token_revoke },
    { .program = { .name = "token",
                   SETTINGS(token),
                   .check = fl_check_token,
                   .purpose = "Make a token, a secret line with which nodes may join." },
      .run = fl_verb_token },
    { .program = { .name = "enrol",
                   SETTINGS(enrol),
                   .check = fl_check_enrol,
                   .purpose = "Join with a token: make keys, get a certificate for them." },
      .run = fl_verb_enrol },
    { .program = { .name = "revoke",
                   .arguments = "NODE",
                   SETTINGS(revoke),
                   .purpose = "Revoke a node: shut it out at once, until it is admitted again." },
      .run = fl_verb_revoke },
    { .program = { .name = "admit",
                   .arguments = "NODE",
                   SETTINGS(admit),
                   .purpose = "Take a revocation back; the node reconnects by itself." },
      .run = fl_verb_admit },
    { .program = { .name = "forget",
                   .arguments = "NODE",
                   SETTINGS(of_root),
                   .purpose = "Shut a node out and free its name and data shard for its "
                              "replacement." },
      .run = fl_verb_forget },
    { .program = { .name = "status",
                   SETTINGS(of_rounds),
                   .purpose = "Show the round of a process, its children, and what it waits for." },
      .run = fl_verb_status },
    { .program = { .name = "top", SETTINGS(top), .purpose = "Watch a run until it is done." },
      .run = fl_verb_top },
    { .program = { .name = "report",
                   .arguments = "[ROUND]",
                   SETTINGS(of_rounds),
                   .purpose = "Show who was in a round, late, absent or refused, and why." },
      .run = fl_verb_report },
    { .program = { .name = "rounds",
                   .arguments = "[FIRST]",
                   SETTINGS(rounds),
                   .purpose = "List the rounds, from FIRST on." },
      .run = fl_verb_rounds },
    { .program = { .name = "run submit",
                   .arguments = "RUN.yaml",
                   SETTINGS(run_submit),
                   .purpose = "Put a run into the root's queue; it begins by itself." },
      .run = fl_verb_run_submit },
    { .program = { .name = "run settings",
                   SETTINGS(run_settings),
                   .purpose = "Print a RUN.yaml with every setting, its default and its meaning." },
      .run = fl_verb_run_settings },
    { .program = { .name = "run list",
                   SETTINGS(of_root),
                   .purpose = "List the runs of a root: queued, running, paused, ended." },
      .run = fl_verb_run_list },
    { .program = { .name = "run show",
                   .arguments = "[RUN]",
                   SETTINGS(of_root),
                   .purpose = "Show a run, its settings, and what was changed of them." },
      .run = fl_verb_run_show },
    { .program = { .name = "run watch",
                   .arguments = "[RUN]",
                   SETTINGS(run_watch),
                   .purpose = "Print what happens to a run until it has ended." },
      .run = fl_verb_run_watch },
    { .program = { .name = "run set",
                   .arguments = "RUN KEY=VALUE",
                   SETTINGS(of_root),
                   .purpose = "Change a setting of a run, or its priority; it is recorded." },
      .run = fl_verb_run_set },
    { .program = { .name = "run pause",
                   .arguments = "[RUN]",
                   SETTINGS(of_root),
                   .purpose = "Open no new round of a run until it is resumed." },
      .run = fl_verb_run_pause },
    { .program = { .name = "run resume",
                   .arguments = "[RUN]",
                   SETTINGS(of_root),
                   .purpose = "Go on with a run that is paused." },
      .run = fl_verb_run_resume },
    { .program = { .name = "run stop",
                   .arguments = "RUN",
                   SETTINGS(of_root),
                   .purpose = "End a run for good; its rounds and models stay." },
      .run = fl_verb_run_stop },
    { .program = { .name = "model export",
                   .arguments = "FILE",
                   SETTINGS(model_export),
                   .purpose = "Copy a model to a file, or to standard output (-), after checking "
                              "its hash." },
      .run = fl_verb_model_export },
    { .program = { .name = "health",
                   SETTINGS(of_any),
                   .purpose = "Say whether a process is well; its exit code is 0 when it is." },
      .run = fl_verb_health },
    { .program = { .name = "drain",
                   .arguments = "[NODE]",
                   SETTINGS(drain),
                   .purpose = "Let a process, or the node of that name, finish its round and take "
                              "no new one, so that it may be stopped." },
      .run = fl_verb_drain },
    { .program = { .name = "approve",
                   .arguments = "[HASH]",
                   SETTINGS(of_any),
                   .purpose = "Approve a run on a device by its manifest's hash; without it, list "
                              "what waits and what was approved." },
      .run = fl_verb_approve },
    { .program = { .name = "stop",
                   SETTINGS(of_any),
                   .purpose = "Stop a process cleanly; when it is started again, it continues." },
      .run = fl_verb_stop },
    { .program = { .name = "shards",
                   SETTINGS(shards),
                   .purpose = "Show how a data set is split into shards." },
      .run = fl_verb_shards },
    { .program = { .name = "reference",
                   SETTINGS(reference),
                   .purpose = "Train with all samples in one place, for comparison." },
      .run = fl_verb_reference },
    { .program = { .name = "trainer check",
                   .arguments = "COMMAND [WORD] [WORD] [WORD] [WORD] [WORD] [WORD] [WORD]",
                   SETTINGS(trainer_check),
                   .purpose = "Try a trainer, and say in one line what is wrong with it." },
      .run = fl_verb_trainer_check },
    { .program = { .name = "tensor get",
                   .arguments = "FILE [NAME]",
                   SETTINGS(tensor),
                   .purpose = "Print a tensor of a model, a number a line; without NAME, list "
                              "names and dimensions." },
      .run = fl_verb_tensor_get },
    { .program = { .name = "tensor put",
                   .arguments = "FILE NAME",
                   SETTINGS(tensor),
                   .purpose = "Replace a tensor of a model by the numbers on standard input." },
      .run = fl_verb_tensor_put },
};

static const fl_exit exits[] = {
    FL_CLI_EXITS,
    { FL_EXIT_SILENT, "nobody answers: the process does not run, or cannot be reached" },
    { FL_EXIT_STATE_DIR, "a file or directory is missing, damaged, or open to others" },
    { FL_EXIT_EXISTS, "it exists already and was not changed" },
    { FL_EXIT_NO_TOKEN, "no token was given" },
    { FL_EXIT_TOKEN, "the token is wrong: cut short, changed, or of another authority" },
    { FL_EXIT_EXPIRED, "the token or the certificate is past its time" },
    { FL_EXIT_USED_UP, "the token was used as often as it allows" },
    { FL_EXIT_NAME, "the node name is taken, or is not the token's" },
    { FL_EXIT_REFUSED, "refused for another reason; the line on standard error names it" },
    { FL_EXIT_ABORTED, "the run ended before its last round" },
    { FL_EXIT_MISSING, "there is no such run, round, node or model" },
    { FL_EXIT_SKIPPED, "the run ended with a round, or rounds, that were skipped" },
    { FL_EXIT_DAMAGED, "a model file is damaged: its bytes do not match its hash" },
    { FL_EXIT_BUSY, "the process is answering too many requests; try again" },
    { 0, NULL },
};

const fl_cli fl_verbs = {
    .name = "fl",
    .purpose = "The operator's command of Tributary.",
    .commands = commands,
    .command_count = sizeof commands / sizeof *commands,
    .exits = exits,
};
