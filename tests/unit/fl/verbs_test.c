#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

#include "common/crypto/token.h"
#include "common/identity/state_dir.h"
#include "common/store/file.h"

#include <unistd.h>

static int
start(void **state)
{
    fake_forget();
    fake.wall_s = IDENTITY_NOW;
    return place_make(state);
}

// ---- the table --------------------------------------------------------------------------------
static void
every_verb_has_json_help_and_a_place_in_the_manual(void **state)
{
    (void)state;
    char *page = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&page, &size);
    char *argv[] = { "fl", "--man", NULL };
    assert_int_equal(fl_cli_run(&fl_verbs, NULL, 2, argv, out, out), FL_EXIT_OK);
    assert_int_equal(fclose(out), 0);
    for (uint32_t i = 0; i < fl_verbs.command_count; i++) {
        const fl_program *program = &fl_verbs.commands[i].program;
        bool json = false;
        char title[64];
        for (uint32_t k = 0; k < program->setting_count; k++) {
            json = json || strcmp(program->settings[k].key, "json") == 0;
        }
        (void)snprintf(title, sizeof title, ".SS fl %s", program->name);
        if (!json || strstr(page, title) == NULL) {
            fail_msg("fl %s: no --json, or not in the manual", program->name);
        }
    }
    free(page);
}

static void
every_exit_code_means_one_thing(void **state)
{
    (void)state;
    for (uint32_t i = 0; fl_verbs.exits[i].meaning != NULL; i++) {
        assert_in_range(fl_verbs.exits[i].code, i < 3 ? i : 3, i < 3 ? i : 125);
        for (uint32_t k = 0; k < i; k++) {
            assert_int_not_equal(fl_verbs.exits[i].code, fl_verbs.exits[k].code);
        }
    }
}

// ---- asking a process -------------------------------------------------------------------------
static const char *answer_text;
static uint8_t answer_code;
static char asked_verb[32], asked_argument[FL_TEXT_MAX], asked_endpoint[256];

static fl_status
says(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
     fl_why *why)
{
    (void)why;
    assert_int_equal(question->verb, FL_ASK);
    assert_null(to->keys);
    (void)snprintf(asked_verb, sizeof asked_verb, "%s", question->ask.verb);
    (void)snprintf(asked_argument, sizeof asked_argument, "%s", question->ask.argument);
    (void)snprintf(asked_endpoint, sizeof asked_endpoint, "%s", to->endpoint);
    *reply = (fl_message){ .verb = FL_ANSWER, .answer = { answer_code } };
    *body = fl_bytes_of(answer_text, strlen(answer_text));
    return FL_OK;
}

static fl_status
says_nothing(const fl_request_conf *to, const fl_message *question, fl_message *reply,
             fl_bytes *body, fl_why *why)
{
    (void)to;
    (void)question;
    (void)reply;
    (void)body;
    (void)why;
    return FL_MISSING;
}

static fl_status
refuses(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
        fl_why *why)
{
    (void)to;
    (void)question;
    (void)body;
    (void)why;
    *reply = (fl_message){ .verb = FL_REFUSED, .refused = { FL_WHY_VERSION, FL_ASK, "too old" } };
    return FL_OK;
}

//  A process that answers everything in the same way.
static void
process(uint8_t code, const char *text)
{
    place_write("operator.sock", "", 0);
    fake.answer = says;
    fake.state = place;
    answer_code = code;
    answer_text = text;
}

static void
a_question_goes_to_the_socket_in_the_state_directory(void **state)
{
    (void)state;
    char wanted[256];
    process(0, "{\"tier\":\"edge\",\"node\":\"e1\"}");
    assert_int_equal(fake_fl("status", "--state", place, NULL), FL_EXIT_OK);
    assert_string_equal(asked_verb, "status");
    assert_string_equal(asked_argument, "");
    (void)snprintf(wanted, sizeof wanted, "ipc://%s/operator.sock", place);
    assert_string_equal(asked_endpoint, wanted);
    assert_out("edge e1 ");
    //  FL_STATE serves as well.
    assert_int_equal(fake_fl("status", "--json", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, "{\"tier\":\"edge\",\"node\":\"e1\"}\n");
    assert_string_equal(fake.err, "");
}

static void
each_verb_asks_its_question_with_its_argument(void **state)
{
    (void)state;
    static const char id[] = "00112233445566778899aabbccddeeff";
    static const char all[] = "{\"rounds\":[],\"said\":\"done\"}";
    static const struct {
        const char *typed[3], *verb, *argument, *shown;
    } rows[] = {
        { { "report", "7" }, "report", "7", "round 0 -" },
        { { "rounds" }, "rounds", "0 0 0", "ROUND  CLOSE" },
        { { "revoke", "dev-7" }, "revoke", "dev-7 0", "done\n" },
        { { "revoke", "dev-7", "--serial=3" }, "revoke", "dev-7 3", "done\n" },
        { { "revoke", "dev-7", "--force" }, "revoke", "dev-7 0 any", "done\n" },
        { { "forget", "dev-7" }, "forget", "dev-7 0", "done\n" },
        { { "admit", "dev-7", "--json" }, "admit", "dev-7 0", all },
        { { "token", "revoke", id }, "token-revoke", id, "done\n" },
        { { "stop" }, "stop", "", "done\n" },
        { { "drain", "--undo" }, "drain", "undo", "done\n" },
        { { "approve" }, "approve", "", "done\n" },
        { { "approve", "0123abcd" }, "approve", "0123abcd", "done\n" },
    };
    process(0, all);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const *typed = rows[i].typed;
        assert_int_equal(fake_fl(typed[0], typed[1], typed[2], NULL), FL_EXIT_OK);
        assert_string_equal(asked_verb, rows[i].verb);
        assert_string_equal(asked_argument, rows[i].argument);
        assert_int_equal(strncmp(fake.out, rows[i].shown, strlen(rows[i].shown)), 0);
    }
    process(0, "{\"ok\":true}");
    assert_int_equal(fake_fl("health", NULL), FL_EXIT_OK);
    assert_string_equal(asked_verb, "health");
    assert_string_equal(fake.out, "{\"ok\":true}\n");
}

//  Rounds 1 to 5, at most two in a page; round 4 was skipped, round 5 is in the clear
//  and was not scored.
static fl_status
answers_in_pages(const fl_request_conf *to, const fl_message *question, fl_message *reply,
                 fl_bytes *body, fl_why *why)
{
    static char text[2048];
    (void)to;
    (void)why;
    assert_string_equal(question->ask.verb, "rounds");
    char *end = NULL;
    unsigned long first = strtoul(question->ask.argument, &end, 10);
    unsigned long before = strtoul(end, &end, 10), limit = strtoul(end, &end, 10);
    unsigned long last = before == 0 || before > 5 ? 5 : before - 1;
    unsigned long count = limit == 1 ? 1 : 2, from = last >= count ? last - count + 1 : 1;
    int at = snprintf(text, sizeof text, "{\"rounds\":[");
    for (unsigned long i = from < first ? first : from; i <= last; i++) {
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "%s{\"round\":%lu,\"close\":\"%s\",\"late\":%lu,\"merge_ms\":%lu,"
                       "\"accuracy\":%s%lu,\"masking\":\"%s\",\"masked\":%s,"
                       "\"tiers\":{\"devices\":{\"masked\":%lu}}}",
                       text[at - 1] == '[' ? "" : ",", i, i == 4 ? "skipped" : "done", i, 10 * i,
                       i == 5 ? "null,\"any\":" : "0.", i, i == 5 ? "unmasked" : "honest",
                       i == 5 ? "false" : "true", i);
    }
    (void)snprintf(text + at, sizeof text - (size_t)at, "]}");
    *reply = (fl_message){ .verb = FL_ANSWER };
    *body = fl_bytes_of(text, strlen(text));
    return FL_OK;
}

static void
s_assert_rounds(uint32_t asked, const char *rounds, const char *summary)
{
    char wanted[64], *at = fake.out;
    assert_int_equal(fake.asked, asked);
    fake.asked = 0;
    for (; *rounds != '\0'; rounds++) {
        (void)snprintf(wanted, sizeof wanted, "\"round\":%c,", *rounds);
        at = strstr(at, wanted);
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at, "\"round\":"));
    assert_out(summary);
}

static void
rounds_come_in_pages_and_are_one_list(void **state)
{
    (void)state;
    process(0, "");
    fake.answer = answers_in_pages;
    assert_int_equal(fake_fl("rounds", "--json", NULL), FL_EXIT_OK);
    s_assert_rounds(3, "12345",
                    "\"summary\":{\"rounds_done\":4,\"late_total\":15,\"carried_total\":0,"
                    "\"capped_total\":0,\"absent_total\":0,\"refused_total\":0,\"merge_ms_p50\":30,"
                    "\"last_loss\":null,\"last_accuracy\":0.3,"
                    "\"tiers\":{\"devices\":{\"masked\":15}},"
                    "\"masking\":\"mixed\",\"masked\":false}");
    assert_int_equal(fake_fl("rounds", "--json", "--before", "4", NULL), FL_EXIT_OK);
    s_assert_rounds(2, "123", "\"masking\":\"honest\",\"masked\":true}");
    assert_int_equal(fake_fl("rounds", "--json", "--limit", "3", NULL), FL_EXIT_OK);
    s_assert_rounds(2, "345", "\"rounds_done\":2");
    assert_int_equal(fake_fl("rounds", "4", "--json", NULL), FL_EXIT_OK);
    s_assert_rounds(1, "45", "\"rounds_done\":1");
    assert_int_equal(fake_fl("rounds", "--json", "--before", "1", NULL), FL_EXIT_OK);
    s_assert_rounds(1, "", "\"rounds_done\":0");
    assert_out("\"masking\":null,\"masked\":false");
}

static void
a_wrong_argument_is_refused_before_anybody_is_asked(void **state)
{
    (void)state;
    process(0, "{}");
    static const char *const words[][2] = {
        { "report", "0" },        { "report", "x" },   { "report", "7x" },
        { "rounds", "-" },        { "revoke", "NO" },  { "admit", "a-name-too-long-" },
        { "report", "99999999999999999999" },
    };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        assert_int_equal(fake_fl(words[i][0], words[i][1], NULL), FL_EXIT_USAGE);
        assert_err(words[i][0]);
    }
    assert_int_equal(fake_fl("revoke", NULL), FL_EXIT_USAGE);
    assert_int_equal(fake.asked, 0);
}

static void
a_directory_of_another_user_is_not_taken_for_an_idle_one(void **state)
{
    (void)state;
    uid_t own = geteuid();
    assert_int_equal(chmod(place, 0), 0);
    assert_int_equal(own == 0 ? seteuid(65534) : 0, 0);
    int code = fake_fl("status", "--state", place, NULL);
    assert_int_equal(own == 0 ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(place, 0700), 0);
    assert_int_equal(code, FL_EXIT_STATE_DIR);
    assert_err("belongs to another user");
}

static void
trouble_has_a_line_and_a_code_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("status", NULL), FL_EXIT_USAGE);
    assert_err("--state DIR or set FL_STATE");
    assert_int_equal(fake_fl("status", "--state", place, NULL), FL_EXIT_SILENT);
    assert_err("no process runs in");
    process(13, "{\"error\":\"there is no round 9\"}");
    assert_int_equal(fake_fl("report", "9", NULL), FL_EXIT_MISSING);
    assert_string_equal(fake.err, "fl report: there is no round 9\n");
    assert_string_equal(fake.out, "");
    process(1, "not json");
    assert_int_equal(fake_fl("report", "9", NULL), FL_EXIT_FAILED);
    assert_err("failed and gave no reason");
    process(0, "[1]");
    assert_int_equal(fake_fl("status", NULL), FL_EXIT_FAILED);
    assert_err("no JSON object");
    process(0, "{\"tier\":");
    assert_int_equal(fake_fl("status", NULL), FL_EXIT_FAILED);
    fake.answer = says_nothing;
    assert_int_equal(fake_fl("status", "--timeout", "2s", NULL), FL_EXIT_SILENT);
    assert_int_equal(fake.now, 2000);
    assert_err("no answer from ipc://");
    fake.answer = refuses;
    assert_int_equal(fake_fl("status", NULL), FL_EXIT_REFUSED);
    assert_err("too old (version)");
}

// ---- models -----------------------------------------------------------------------------------
static char export_answer[512];

static void
serve_model(const char *name, const void *bytes, size_t size, bool damaged)
{
    fl_hash hash = fl_hash_of(fl_bytes_of(bytes, size));
    char text[65];
    hash.bytes[0] ^= damaged;
    fl_hex(hash.bytes, sizeof hash.bytes, text);
    (void)snprintf(export_answer, sizeof export_answer,
                   "{\"path\":\"%s\",\"hash\":\"%s\",\"round\":9,\"model_bytes\":%zu}",
                   place_of(name), text, size);
    process(0, export_answer);
}

static void
a_model_is_copied_whole_with_its_hash_proved(void **state)
{
    (void)state;
    enum { BYTES = 2500000 };
    uint8_t *bytes = malloc(BYTES);
    fl_blob *copy = NULL;
    for (size_t i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)(i * 7 + (i >> 9));
    }
    place_write("model", bytes, BYTES);
    serve_model("model", bytes, BYTES, false);
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_OK);
    assert_string_equal(asked_verb, "export");
    assert_string_equal(asked_argument, "");
    assert_out("after round 9");
    assert_int_equal(fl_file_read(place_of("out.st"), BYTES, &copy, NULL), FL_OK);
    assert_int_equal(fl_blob_size(copy), BYTES);
    assert_memory_equal(fl_blob_data(copy), bytes, BYTES);
    fl_blob_unref(&copy);
    free(bytes);
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), "--round", "9", "--json", NULL),
                     FL_EXIT_OK);
    assert_string_equal(asked_argument, "9");
    assert_out("\"file\":\"");
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), "--best", "--run", "a", NULL),
                     FL_EXIT_OK);
    assert_string_equal(asked_argument, "run:a best");
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), "--best", "--round", "9", NULL),
                     FL_EXIT_USAGE);
    assert_err("give --round or --best");
}

static void
a_damaged_model_is_not_exported_and_the_old_file_stays(void **state)
{
    (void)state;
    place_write("model", "abc", 3);
    place_write("out.st", "old", 3);
    serve_model("model", "abc", 3, true);
    unsigned before = place_count_files();
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_DAMAGED);
    assert_err("damaged");
    assert_int_equal(place_count_files(), before);
    fl_blob *copy = NULL;
    assert_int_equal(fl_file_read(place_of("out.st"), 9, &copy, NULL), FL_OK);
    assert_memory_equal(fl_blob_data(copy), "old", 3);
    fl_blob_unref(&copy);
}

static void
an_export_goes_to_standard_output_or_is_refused_where_no_file_is(void **state)
{
    (void)state;
    place_write("model", "abc", 3);
    serve_model("model", "abc", 3, false);
    assert_int_equal(fake_fl("model", "export", "-", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, "abc");
    assert_err("checked");
    assert_int_equal(fake_fl("model", "export", "-", "--json", NULL), FL_EXIT_USAGE);
    assert_int_equal(mkfifo(place_of("pipe"), 0600), 0);
    assert_int_equal(fake_fl("model", "export", place_of("pipe"), NULL), FL_EXIT_EXISTS);
    assert_err("is no regular file");
    assert_int_equal(fake_fl("model", "export", "/dev/null", "--force", NULL), FL_EXIT_OK);
}

static void
an_export_that_cannot_be_read_or_written_says_which_file(void **state)
{
    (void)state;
    serve_model("gone", "abc", 3, false);
    unsigned before = place_count_files();
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_STATE_DIR);
    assert_err("/gone cannot be opened");
    assert_int_equal(place_count_files(), before);
    place_write("model", "abc", 3);
    serve_model("model", "abc", 3, false);
    assert_int_equal(fake_fl("model", "export", place_of("no/such/dir"), NULL), FL_EXIT_STATE_DIR);
    assert_err("no/such/dir cannot be written");
    char deep[700];
    memset(deep, 'd', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(fake_fl("model", "export", deep, NULL), FL_EXIT_STATE_DIR);
    //  A directory has bytes for nobody: reading fails, not writing.
    serve_model("", "abc", 3, false);
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_STATE_DIR);
    process(0, "{\"path\":\"/x\",\"hash\":\"abcd\"}");
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_FAILED);
    process(13, "{\"error\":\"no\"}");
    assert_int_equal(fake_fl("model", "export", place_of("out.st"), NULL), FL_EXIT_MISSING);
}

// ---- the authority's desk ---------------------------------------------------------------------
static void
an_authority_is_made_once(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("ca", "init", "--authority", place_of("ca"), NULL), FL_EXIT_OK);
    assert_out("keep authority.key secret");
    assert_int_equal(fake_fl("ca", "init", "--authority", place_of("ca"), NULL), FL_EXIT_EXISTS);
    assert_err("not overwritten");
    assert_int_equal(fake_fl("ca", "init", "--json", "--authority", place_of("cb"), NULL),
                     FL_EXIT_OK);
    assert_out("{\"authority\":\"");
    assert_int_equal(fake_fl("ca", "init", NULL), FL_EXIT_USAGE);
    assert_err("--authority must be given");
}

//  An authority in <place>/ca and certificates of a root and of a device in <place>.
static fl_authority *
make_desk(void)
{
    fl_authority *authority = NULL;
    uint8_t bytes[FL_CERT_BYTES];
    assert_int_equal(fake_fl("ca", "init", "--authority", place_of("ca"), NULL), FL_EXIT_OK);
    assert_int_equal(fl_state_dir_secret_load(place_of("ca"), &authority, NULL), FL_OK);
    fl_keys *keys = identity_keys(3);
    (void)identity_cert(authority, keys, FL_ROLE_ROOT, "cloud", 1, bytes);
    place_write("root.cert", bytes, sizeof bytes);
    (void)identity_cert(authority, keys, FL_ROLE_DEVICE, "dev-1", 2, bytes);
    place_write("device.cert", bytes, sizeof bytes);
    fl_keys_destroy(&keys);
    return authority;
}

#define TOKEN "token", "--authority", place_of("ca"), "--endpoint", "tcp://cloud:7000"

static void
a_token_is_one_line_that_names_what_was_asked_for(void **state)
{
    (void)state;
    fl_authority *authority = make_desk();
    fl_keys *keys = identity_keys(3);
    fl_token token;
    assert_int_equal(fake_fl(TOKEN, "--parent-cert", place_of("root.cert"), "--role", "edge",
                             "--prefix", "edge-", "--count", "4", "--hours", "2", NULL),
                     FL_EXIT_OK);
    assert_ptr_equal(strchr(fake.out, '\n'), fake.out + strlen(fake.out) - 1);
    assert_int_equal(fl_token_parse(fake.out, &token), FL_TRUST_OK);
    assert_int_equal(token.role, FL_ROLE_EDGE);
    assert_string_equal(token.name, "edge-");
    assert_false(token.exact);
    assert_int_equal(token.count, 4);
    assert_int_equal(token.not_after, IDENTITY_NOW + 7200);
    assert_string_equal(token.endpoint, "tcp://cloud:7000");
    assert_memory_equal(token.parent, fl_keys_public(keys)->x, sizeof token.parent);
    assert_true(fl_authority_public_equal(&token.authority, fl_authority_public_of(authority)));
    fl_keys_destroy(&keys);
    fl_authority_destroy(&authority);
}

static void
a_token_goes_to_a_private_file_when_asked(void **state)
{
    (void)state;
    fl_authority *authority = make_desk();
    struct stat about;
    fl_blob *blob = NULL;
    assert_int_equal(fake_fl(TOKEN, "--parent-cert", place_of("root.cert"), "--role", "device",
                             "--name", "dev-9", "--out", place_of("token"), "--json", NULL),
                     FL_EXIT_OK);
    assert_out("\"file\":\"");
    assert_out("\"name\":\"dev-9\",\"exact\":true,\"count\":1");
    assert_null(strstr(fake.out, "\"token\""));
    assert_int_equal(stat(place_of("token"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(fl_file_read(place_of("token"), 1000, &blob, NULL), FL_OK);
    assert_int_equal(fl_blob_data(blob)[fl_blob_size(blob) - 1], '\n');
    fl_blob_unref(&blob);
    assert_int_equal(fake_fl(TOKEN, "--parent-cert", place_of("root.cert"), "--role", "device",
                             "--json", NULL),
                     FL_EXIT_OK);
    assert_out("{\"token\":\"");
    assert_int_equal(fake_fl(TOKEN, "--parent-cert", place_of("root.cert"), "--role", "device",
                             "--out", place_of("no/dir"), NULL),
                     FL_EXIT_STATE_DIR);
    assert_int_equal(fake_fl(TOKEN, "--parent-cert", place_of("root.cert"), "--role", "device",
                             "--out", "/dev/null", NULL),
                     FL_EXIT_EXISTS);
    assert_err("/dev/null is no regular file");
    fl_authority_destroy(&authority);
}

static void
a_token_for_nobody_or_by_nobody_is_not_made(void **state)
{
    (void)state;
    fl_authority *authority = make_desk();
#define REFUSED(code, words, ...)                                                                  \
    assert_int_equal(fake_fl(TOKEN, __VA_ARGS__, NULL), (code));                                   \
    assert_err(words);                                                                             \
    assert_string_equal(fake.out, "")
    const char *root = place_of("root.cert");
    REFUSED(FL_EXIT_REFUSED, "no certificate of a parent", "--role", "device", "--parent-cert",
            place_of("device.cert"));
    REFUSED(FL_EXIT_REFUSED, "no certificate of a parent", "--role", "device", "--parent-cert",
            place_of("ca/authority.pub"));
    root = place_of("root.cert");
    REFUSED(FL_EXIT_STATE_DIR, "gone.cert", "--role", "device", "--parent-cert",
            place_of("gone.cert"));
    REFUSED(FL_EXIT_USAGE, "exclude each other", "--role", "device", "--parent-cert", root,
            "--name", "a", "--prefix", "b");
    root = place_of("root.cert");
    REFUSED(FL_EXIT_USAGE, "one name is one node", "--role", "device", "--parent-cert", root,
            "--name", "a", "--count", "2");
    root = place_of("root.cert");
    REFUSED(FL_EXIT_USAGE, "too long for a node name", "--role", "device", "--parent-cert", root,
            "--name", "sixteen-letters-");
    root = place_of("root.cert");
    REFUSED(FL_EXIT_USAGE, "token: ", "--role", "device", "--parent-cert", root, "--name", "NO");
    root = place_of("root.cert");
    REFUSED(FL_EXIT_USAGE, "--role", "--role", "root", "--parent-cert", root);
    assert_int_equal(chmod(place_of("ca/authority.key"), 0644), 0);
    root = place_of("root.cert");
    REFUSED(FL_EXIT_STATE_DIR, "chmod 600", "--role", "device", "--parent-cert", root);
    fl_authority_destroy(&authority);
}

static void
an_endpoint_that_is_none_is_refused(void **state)
{
    (void)state;
    fl_authority *authority = make_desk();
    assert_int_equal(fake_fl("token", "--authority", place_of("ca"), "--endpoint", "cloud:7000",
                             "--parent-cert", place_of("root.cert"), "--role", "device", NULL),
                     FL_EXIT_USAGE);
    assert_err("--endpoint: 'cloud:7000' is no tcp://HOST:PORT");
    char endpoint[200] = "tcp://";
    memset(endpoint + 6, 'x', sizeof endpoint - 7);
    assert_int_equal(fake_fl("token", "--authority", place_of("ca"), "--endpoint", endpoint,
                             "--parent-cert", place_of("root.cert"), "--role", "device", NULL),
                     FL_EXIT_USAGE);
    assert_err("of at most 128 characters");
    fl_authority_destroy(&authority);
}

static int
stop(void **state)
{
    fake_forget();
    return place_end(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_has_json_help_and_a_place_in_the_manual),
        cmocka_unit_test(every_exit_code_means_one_thing),
        unit_case(a_question_goes_to_the_socket_in_the_state_directory, start, stop),
        unit_case(each_verb_asks_its_question_with_its_argument, start, stop),
        unit_case(rounds_come_in_pages_and_are_one_list, start, stop),
        unit_case(a_wrong_argument_is_refused_before_anybody_is_asked, start, stop),
        unit_case(a_directory_of_another_user_is_not_taken_for_an_idle_one, start, stop),
        unit_case(trouble_has_a_line_and_a_code_of_its_own, start, stop),
        unit_case(a_model_is_copied_whole_with_its_hash_proved, start, stop),
        unit_case(an_export_goes_to_standard_output_or_is_refused_where_no_file_is, start, stop),
        unit_case(a_damaged_model_is_not_exported_and_the_old_file_stays, start, stop),
        unit_case(an_export_that_cannot_be_read_or_written_says_which_file, start, stop),
        unit_case(an_authority_is_made_once, start, stop),
        unit_case(a_token_is_one_line_that_names_what_was_asked_for, start, stop),
        unit_case(a_token_goes_to_a_private_file_when_asked, start, stop),
        unit_case(a_token_for_nobody_or_by_nobody_is_not_made, start, stop),
        unit_case(an_endpoint_that_is_none_is_refused, start, stop),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
