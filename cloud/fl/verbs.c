#include "cloud/fl/verbs.h"

// ---- settings that several verbs share --------------------------------------------------------
#define STATE(whose)                                                                               \
    {                                                                                              \
        .key = "state", .type = FL_CONF_TEXT, .fallback = "",                                      \
        .help = "State directory of " whose " (or FL_STATE)"                                       \
    }
#define JSON                                                                                       \
    {                                                                                              \
        .key = "json", .type = FL_CONF_BOOL, .fallback = "false",                                  \
        .help = "Print one line of JSON instead of text"                                           \
    }
#define TIMEOUT                                                                                    \
    {                                                                                              \
        .key = "timeout", .type = FL_CONF_DURATION, .fallback = "5s", .least = 1, .most = 3600000, \
        .help = "How long to wait for the answer"                                                  \
    }
#define AUTHORITY                                                                                  \
    {                                                                                              \
        .key = "authority", .type = FL_CONF_TEXT,                                                  \
        .help = "Directory of the authority, 0700, with its secret"                                \
    }

static const fl_setting ca_init[] = { AUTHORITY, JSON };

static const fl_setting token[] = {
    AUTHORITY,
    { .key = "parent.cert", .type = FL_CONF_TEXT, .fallback = "",
      .help = "Certificate of the newcomer's parent: node.cert in its state directory" },
    { .key = "parent", .type = FL_CONF_TEXT, .fallback = "",
      .help = "Or the parent's name: its certificate is asked from the running root" },
    STATE("the root, for --parent"),
    TIMEOUT,
    { .key = "endpoint", .type = FL_CONF_TEXT,
      .help = "Address of that parent as the newcomer sees it: tcp://HOST:PORT" },
    { .key = "role", .type = FL_CONF_CHOICE, .choices = "device|edge",
      .help = "What the newcomer may become" },
    { .key = "name", .type = FL_CONF_TEXT, .fallback = "",
      .help = "The one node name that the token allows" },
    { .key = "prefix", .type = FL_CONF_TEXT, .fallback = "",
      .help = "What node names must begin with; without --prefix and --name any name is allowed" },
    { .key = "count", .type = FL_CONF_INT, .fallback = "1", .least = 1, .most = 1000000,
      .help = "How many nodes may join with it" },
    { .key = "hours", .type = FL_CONF_REAL, .fallback = "24", .least = 0.001, .most = 2160,
      .help = "Hours for which the token is valid" },
    { .key = "out", .type = FL_CONF_TEXT, .fallback = "",
      .help = "Write the token to this file (mode 0600) instead of standard output" },
    JSON,
};

static const fl_setting token_list[] = { AUTHORITY, STATE("the root"), TIMEOUT, JSON };

static const fl_setting enrol[] = {
    STATE("the newcomer"),
    { .key = "node", .type = FL_CONF_TEXT, .fallback = "",
      .help = "Node name to take: 1 to 15 characters of a-z 0-9 . - (not when renewing)" },
    { .key = "role", .type = FL_CONF_CHOICE, .choices = "device|edge", .fallback = "device",
      .help = "What it becomes (not when renewing)" },
    { .key = "token.file", .type = FL_CONF_TEXT, .fallback = "-",
      .help = "File with the token; - is standard input" },
    { .key = "endpoint", .type = FL_CONF_TEXT, .fallback = "",
      .help = "Address of the parent, tcp://HOST:PORT, when it is not the one in the token" },
    { .key = "parent.cert", .type = FL_CONF_TEXT, .fallback = "",
      .help = "File with that parent's certificate, when it is not the parent in the token" },
    { .key = "wait", .type = FL_CONF_DURATION, .fallback = "60s", .least = 1, .most = 86400000,
      .help = "How long to try to reach the parent before giving up" },
    { .key = "renew", .type = FL_CONF_BOOL, .fallback = "false",
      .help = "Ask for the next certificate, with the present one instead of a token" },
    { .key = "new.keys", .type = FL_CONF_BOOL, .fallback = "false",
      .help = "With --renew: make new keys as well" },
    JSON,
};

static const fl_setting of_root[] = { STATE("the root"), TIMEOUT, JSON };
static const fl_setting of_any[] = { STATE("the process"), TIMEOUT, JSON };

static const fl_setting top[] = {
    STATE("the process"),
    { .key = "refresh", .type = FL_CONF_DURATION, .fallback = "500ms", .least = 50, .most = 1000,
      .help = "Time between two updates of the display" },
    { .key = "wait", .type = FL_CONF_DURATION, .fallback = "30s", .least = 0, .most = 86400000,
      .help = "How long to wait for a process that does not answer" },
    { .key = "json", .type = FL_CONF_BOOL, .fallback = "false",
      .help = "Print one line of JSON, the status, for each change" },
};

static const fl_setting model_export[] = {
    { .key = "round", .type = FL_CONF_INT, .fallback = "0", .least = 0, .most = 1e15,
      .help = "The model after this round; 0 is the newest" },
    STATE("the root"),
    TIMEOUT,
    JSON,
};

static const fl_setting shards[] = {
    { .key = "labels", .type = FL_CONF_TEXT, .help = "IDX file of the labels, plain or gzip" },
    { .key = "shards", .type = FL_CONF_INT, .fallback = "16", .least = 1, .most = 65536,
      .help = "How many devices share the samples" },
    { .key = "alpha", .type = FL_CONF_REAL, .fallback = "0.3", .least = 0, .most = 1000000,
      .help = "Label skew, Dirichlet(alpha); 0 splits evenly" },
    { .key = "minimum", .type = FL_CONF_INT, .fallback = "64", .least = 0, .most = 1e9,
      .help = "Fewest samples of a shard" },
    { .key = "seed", .type = FL_CONF_INT, .fallback = "1",
      .help = "Seed of the split into shards" },
    JSON,
};

static const fl_setting reference[] = {
    { .key = "train.inputs", .type = FL_CONF_TEXT, .help = "IDX file of the samples" },
    { .key = "train.labels", .type = FL_CONF_TEXT, .help = "IDX file of their labels" },
    { .key = "test.inputs", .type = FL_CONF_TEXT, .help = "IDX file of the test samples" },
    { .key = "test.labels", .type = FL_CONF_TEXT, .help = "IDX file of their labels" },
    { .key = "layers", .type = FL_CONF_TEXT, .fallback = "784-128-10",
      .help = "Layer sizes of the network" },
    { .key = "epochs", .type = FL_CONF_INT, .fallback = "20", .least = 1, .most = 10000,
      .help = "Passes over the samples" },
    { .key = "batch", .type = FL_CONF_INT, .fallback = "32", .least = 1, .most = 4096,
      .help = "Samples per step" },
    { .key = "rate", .type = FL_CONF_REAL, .fallback = "0.1", .least = 0, .most = 1000,
      .help = "Learning rate" },
    { .key = "momentum", .type = FL_CONF_REAL, .fallback = "0", .least = 0, .most = 1,
      .help = "Momentum of SGD" },
    { .key = "decay", .type = FL_CONF_REAL, .fallback = "0", .least = 0, .most = 1,
      .help = "Weight decay" },
    { .key = "seed", .type = FL_CONF_INT, .fallback = "1",
      .help = "Seed of the first parameters and of shuffling" },
    JSON,
};

// ---- the table --------------------------------------------------------------------------------
#define SETTINGS(table)                                                                            \
    .flags_only = true, .settings = (table), .setting_count = sizeof(table) / sizeof *(table)

static const fl_command commands[] = {
    { .program = { .name = "ca init", SETTINGS(ca_init),
                   .purpose = "Make an authority: authority.key and authority.pub." },
      .run = fl_verb_ca_init },
    { .program = { .name = "token list", SETTINGS(token_list),
                   .purpose = "List the tokens that were made with an authority's directory." },
      .run = fl_verb_token_list },
    { .program = { .name = "token revoke", .arguments = "ID", SETTINGS(of_root),
                   .purpose = "Let nobody join with a token any more; who did stays." },
      .run = fl_verb_token_revoke },
    { .program = { .name = "token", SETTINGS(token), .check = fl_check_token,
                   .purpose = "Make a token, a secret line with which nodes may join." },
      .run = fl_verb_token },
    { .program = { .name = "enrol", SETTINGS(enrol), .check = fl_check_enrol,
                   .purpose = "Join with a token: make keys, get a certificate for them." },
      .run = fl_verb_enrol },
    { .program = { .name = "revoke", .arguments = "NODE", SETTINGS(of_root),
                   .purpose = "Revoke a node: shut it out at once, until it is admitted again." },
      .run = fl_verb_revoke },
    { .program = { .name = "admit", .arguments = "NODE", SETTINGS(of_root),
                   .purpose = "Take a revocation back; the node reconnects by itself." },
      .run = fl_verb_admit },
    { .program = { .name = "status", SETTINGS(of_any),
                   .purpose = "Show the round of a process, its children, and what it waits for." },
      .run = fl_verb_status },
    { .program = { .name = "top", SETTINGS(top),
                   .purpose = "Watch a run until it is done." },
      .run = fl_verb_top },
    { .program = { .name = "report", .arguments = "[ROUND]", SETTINGS(of_any),
                   .purpose = "Show who was in a round, late, absent or refused, and why." },
      .run = fl_verb_report },
    { .program = { .name = "rounds", .arguments = "[FIRST]", SETTINGS(of_any),
                   .purpose = "List the rounds, from FIRST on." },
      .run = fl_verb_rounds },
    { .program = { .name = "model export", .arguments = "FILE", SETTINGS(model_export),
                   .purpose = "Copy a model to a safetensors file, after checking its hash." },
      .run = fl_verb_model_export },
    { .program = { .name = "health", SETTINGS(of_any),
                   .purpose = "Say whether a process is well; its exit code is 0 when it is." },
      .run = fl_verb_health },
    { .program = { .name = "stop", SETTINGS(of_any),
                   .purpose = "Stop a process cleanly; when it is started again, it continues." },
      .run = fl_verb_stop },
    { .program = { .name = "shards", SETTINGS(shards),
                   .purpose = "Show how a data set is split into shards." },
      .run = fl_verb_shards },
    { .program = { .name = "reference", SETTINGS(reference),
                   .purpose = "Train with all samples in one place, for comparison." },
      .run = fl_verb_reference },
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
    { FL_EXIT_MISSING, "there is no such round, node or model" },
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
