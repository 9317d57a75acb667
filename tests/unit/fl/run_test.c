//  fl run: what it asks of a root, which is a function of the test.
#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "common/crypto/hash.h"
#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

#include <unistd.h>

enum { MODEL_BYTES = 2500000 };

//  What was asked last, and what is answered.
static struct {
    char verb[32], argument[FL_TEXT_MAX], body[4096], first_body[4096];
    unsigned silent, puts, looks;
    const char *text;
    uint8_t code;
    const char *state; // of the run, once it was looked at thrice
    uint8_t *model;    // that arrived
    uint64_t have;
    char put[64];
} root;

static fl_status
say(const char *text, uint8_t code, fl_message *reply, fl_bytes *body)
{
    *reply = (fl_message){ .verb = FL_ANSWER, .answer = { code } };
    *body = fl_bytes_of(text, strlen(text));
    return FL_OK;
}

//  Takes the pieces that follow what it has.
static fl_status
take_piece(const fl_ask *ask, fl_message *reply, fl_bytes *body)
{
    uint64_t offset = 0, total = 0;
    assert_int_equal(sscanf(ask->argument, "%*s %lu %lu", &offset, &total), 2);
    assert_int_equal(total, MODEL_BYTES);
    if (ask->body.size > 0 && offset == root.have) {
        memcpy(root.model + offset, ask->body.data, ask->body.size);
        root.have += ask->body.size;
    }
    root.puts++;
    (void)snprintf(root.put, sizeof root.put, "{\"next\":%lu}", root.have);
    return say(root.put, 0, reply, body);
}

static fl_status
follow(fl_message *reply, fl_bytes *body)
{
    static char text[512];
    bool over = ++root.looks > 2;
    (void)snprintf(
        text, sizeof text,
        "{\"run\":{\"number\":3,\"name\":\"a\",\"state\":\"%s\",\"ended\":%s,\"text\":"
        "\"no space\"},\"events\":[%s],\"next\":null}",
        over ? root.state : "running", over ? "true" : "false",
        root.looks == 2
            ? "{\"seq\":9,\"at\":1796045462000,\"kind\":\"round\",\"what\":"
              "{\"round\":4,\"reason\":\"none\",\"accuracy\":0.5,\"text\":\"\",\"why\":\"a b\"}}"
            : "");
    return say(text, 0, reply, body);
}

static fl_status
answers(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
        fl_why *why)
{
    (void)to;
    (void)why;
    const fl_ask *ask = &question->ask;
    (void)snprintf(root.verb, sizeof root.verb, "%s", ask->verb);
    (void)snprintf(root.argument, sizeof root.argument, "%s", ask->argument);
    if (strcmp(ask->verb, "put") == 0) {
        return take_piece(ask, reply, body);
    }
    (void)snprintf(root.body, sizeof root.body, "%.*s", (int)ask->body.size,
                   ask->body.size == 0 ? "" : (const char *)ask->body.data);
    if (root.silent > 0) {
        root.silent--;
        memcpy(root.first_body, root.body, sizeof root.body);
        return FL_MISSING;
    }
    return strcmp(ask->verb, "run-watch") == 0 ? follow(reply, body)
                                               : say(root.text, root.code, reply, body);
}

static int
start(void **state)
{
    memset(&root, 0, sizeof root);
    fake_forget();
    root.text = "{\"run\":\"0102030405060708090a0b0c0d0e0f10\",\"said\":\"run 3 (a) is queued\"}";
    root.state = "done";
    fake.answer = answers;
    int code = place_make(state);
    fake.state = place;
    place_write("operator.sock", "", 0);
    return code;
}

static int
end(void **state)
{
    free(root.model);
    fake_forget();
    return place_end(state);
}

static const char *
recipe(const char *text)
{
    place_write("lr-01.yaml", text, strlen(text));
    return place_of("lr-01.yaml");
}

#define assert_body(part) assert_non_null(strstr(root.body, part))

static void
what_is_submitted_is_every_setting_that_was_given(void **state)
{
    (void)state;
    const char *path = recipe("# a sweep\nround: {wait: 3s}\nrounds: 5\n");
    assert_int_equal(fake_fl("run", "submit", path, "--set", "rounds=7", "--set=train.rate=0.5",
                             "--priority", "-2", NULL),
                     FL_EXIT_OK);
    assert_string_equal(root.verb, "run-submit");
    assert_string_equal(fake.out, "run 3 (a) is queued\n");
    assert_body("\"name\":\"lr-01\"");
    assert_body("\"priority\":-2");
    assert_body("rounds: 7\\n");
    assert_body("round.wait: 3s\\n");
    assert_body("train.rate: 0.5\\n");
    assert_null(strstr(root.body, "sweep"));
    assert_null(strstr(root.body, "initial"));
    assert_int_equal(fake_fl("run", "submit", path, "--name", "other", "--json", NULL), FL_EXIT_OK);
    assert_body("\"name\":\"other\"");
    assert_out("{\"run\":\"0102");
    path = recipe("name: named\n");
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_OK);
    assert_body("\"name\":\"named\"");
}

static void
the_settings_that_are_printed_can_be_submitted_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("run", "settings", NULL), FL_EXIT_OK);
    assert_out("\nrounds: 20\n");
    const char *path = recipe(fake.out);
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_OK);
    assert_body("rounds: 20\\n");
    assert_int_equal(fake_fl("run", "settings", "--roff", NULL), FL_EXIT_OK);
    assert_out("\n.TP\n.B rounds\n");
    assert_int_equal(fake_fl("run", "settings", "--json", NULL), FL_EXIT_OK);
    assert_out("\"rounds\":{\"default\":\"20\",\"help\":\"");
}

static void
a_mistake_is_named_with_file_and_line_and_nobody_is_asked(void **state)
{
    (void)state;
    const char *path = recipe("rounds: 5\nruonds: 6\n");
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_USAGE);
    assert_err("lr-01.yaml:2: unknown key 'ruonds', did you mean 'rounds'?");
    path = recipe("rounds: 5\n");
    assert_int_equal(fake_fl("run", "submit", path, "--set", "rounds=0", NULL), FL_EXIT_USAGE);
    assert_err("'rounds' is 0");
    assert_int_equal(fake_fl("run", "submit", path, "--set", "rounds", NULL), FL_EXIT_USAGE);
    assert_int_equal(fake_fl("run", "submit", path, "--name", "A", NULL), FL_EXIT_USAGE);
    assert_err("'A' is no name of a run");
    assert_int_equal(fake_fl("run", "submit", place_of("none.yaml"), NULL), FL_EXIT_STATE_DIR);
    assert_err("none.yaml");
    path = recipe("model: {initial: /dev/null}\n");
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_STATE_DIR);
    assert_err("/dev/null is no file");
    assert_int_equal(fake_fl("run", "submit", path, "--set", "model.initial=gone", NULL),
                     FL_EXIT_STATE_DIR);
    assert_err("gone cannot be opened");
    path = recipe("rounds: 5\n");
    assert_int_equal(fake_fl("run", "submit", path, "--check", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, "lr-01: the settings are fine\n");
    assert_int_equal(fake_fl("run", "submit", path, "--check", "--json", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, "{\"name\":\"lr-01\"}\n");
    assert_int_equal(fake_fl("run", "submit", path, "--check", "--set=rounds=0", NULL),
                     FL_EXIT_USAGE);
    assert_int_equal(fake.asked, 0);
}

static void
a_root_that_does_not_answer_is_asked_the_same_again(void **state)
{
    (void)state;
    const char *path = recipe("rounds: 5\n");
    root.silent = 1;
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_OK);
    assert_int_equal(fake.asked, 2);
    assert_string_equal(root.body, root.first_body);
    //  Another time it is another run.
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_OK);
    assert_string_not_equal(root.body, root.first_body);
    root.silent = 99;
    assert_int_equal(fake_fl("run", "submit", path, NULL), FL_EXIT_SILENT);
    assert_err("no answer");
}

static void
a_run_begins_with_a_file_that_travels_by_its_hash(void **state)
{
    (void)state;
    char path[PATH_MAX + 32], hex[65];
    uint8_t *bytes = malloc(MODEL_BYTES);
    root.model = malloc(MODEL_BYTES);
    for (size_t i = 0; i < MODEL_BYTES; i++) {
        bytes[i] = (uint8_t)(i * 7 + (i >> 9));
    }
    memcpy(root.model, bytes, 1000);
    root.have = 1000; // of an earlier try
    place_write("base", bytes, MODEL_BYTES);
    const fl_hash hash = fl_hash_of(fl_bytes_of(bytes, MODEL_BYTES));
    fl_hex(hash.bytes, sizeof hash.bytes, hex);
    (void)snprintf(path, sizeof path, "model.initial=%s", place_of("base"));
    assert_int_equal(fake_fl("run", "submit", recipe(""), "--set", path, NULL), FL_EXIT_OK);
    assert_int_equal(root.have, MODEL_BYTES);
    assert_memory_equal(root.model, bytes, MODEL_BYTES);
    assert_int_equal(root.puts, 4); // one to ask, three pieces of at most 1 MiB
    assert_body(hex);
    (void)snprintf(path, sizeof path, "model.initial: \\\"%s\\\"\\n", hex);
    assert_body(path); // the path is nobody's business
    root.puts = 0;
    (void)snprintf(path, sizeof path, "model.initial=%s", hex); // it is there already
    assert_int_equal(fake_fl("run", "submit", recipe(""), "--set", path, NULL), FL_EXIT_OK);
    (void)snprintf(path, sizeof path, "\"initial\":\"%s\"", hex);
    assert_body(path);
    assert_int_equal(fake_fl("run", "submit", recipe(""), "--set", "model.initial=/nope", NULL),
                     FL_EXIT_STATE_DIR);
    assert_int_equal(root.puts, 0);
    free(bytes);
}

static void
who_waits_sees_what_happens_and_ends_as_the_run_does(void **state)
{
    (void)state;
    const char *path = recipe("rounds: 5\n");
    assert_int_equal(fake_fl("run", "submit", path, "--wait", NULL), FL_EXIT_OK);
    assert_out("is queued\n2026-11-30 13:31:02 round 4 accuracy=0.5 why=\"a b\"\n");
    assert_string_equal(root.argument, "9 0102030405060708090a0b0c0d0e0f10");
    root.looks = 0;
    root.state = "aborted";
    assert_int_equal(fake_fl("run", "watch", "a", NULL), FL_EXIT_ABORTED);
    assert_err("run 3 (a) was aborted: no space");
    root.looks = 0;
    assert_int_equal(fake_fl("run", "watch", "--json", NULL), FL_EXIT_ABORTED);
    assert_out("{\"seq\":9,");
    root.looks = 0;
    root.silent = 2;
    assert_int_equal(fake_fl("run", "watch", "a", NULL), FL_EXIT_SILENT); // which run is it?
    root.silent = 0;
    fake.pauses = 1; // Ctrl-C
    assert_int_equal(fake_fl("run", "watch", "a", NULL), FL_EXIT_OK);
    root.text = "{\"error\":\"there is no run x\"}";
    root.code = FL_EXIT_MISSING;
    assert_int_equal(fake_fl("run", "watch", "x", NULL), FL_EXIT_MISSING);
    assert_err("there is no run x");
}

static void
an_order_goes_to_its_run_and_says_what_the_root_says(void **state)
{
    (void)state;
    static const char *const verbs[] = { "pause", "resume", "stop" };
    root.text = "{\"said\":\"run 3 (a) is as you like it\"}";
    for (unsigned i = 0; i < 3; i++) {
        char wanted[32];
        (void)snprintf(wanted, sizeof wanted, "run-%s", verbs[i]);
        assert_int_equal(fake_fl("run", verbs[i], "a", NULL), FL_EXIT_OK);
        assert_string_equal(root.verb, wanted);
        assert_string_equal(root.argument, "a");
        assert_string_equal(fake.out, "run 3 (a) is as you like it\n");
    }
    assert_int_equal(fake_fl("run", "set", "a", "rounds=7", "--json", NULL), FL_EXIT_OK);
    assert_string_equal(root.verb, "run-set");
    assert_string_equal(root.body, "rounds=7");
    assert_out("{\"said\"");
    assert_int_equal(fake_fl("run", "set", "a", NULL), FL_EXIT_USAGE);
    assert_int_equal(fake_fl("run", "stop", NULL), FL_EXIT_USAGE); // an end names its run
    root.code = FL_EXIT_REFUSED;
    root.text = "{\"error\":\"run 3 (a) is done: it cannot be paused\"}";
    assert_int_equal(fake_fl("run", "pause", "a", NULL), FL_EXIT_REFUSED);
    assert_string_equal(fake.err, "fl run pause: run 3 (a) is done: it cannot be paused\n");
}

static void
runs_are_shown_as_a_table_and_one_with_its_settings(void **state)
{
    (void)state;
    root.text =
        "{\"runs\":[{\"number\":3,\"name\":\"a\",\"state\":\"paused\",\"reason\":\"storage\","
        "\"rounds_closed\":4,\"priority\":-2,\"begun_at\":1796045462000}],\"next\":null}";
    assert_int_equal(fake_fl("run", "list", NULL), FL_EXIT_OK);
    assert_string_equal(root.verb, "run-list");
    assert_out("RUN  NAME  STATE   WHY      ROUNDS  PRIORITY  BEGUN                ENDED\n"
               "  3  a     paused  storage       4        -2  2026-11-30 13:31:02  -\n");
    assert_int_equal(fake_fl("run", "list", "--json", NULL), FL_EXIT_OK);
    assert_out("{\"runs\":[{\"number\":3,");
    root.text =
        "{\"run\":\"0a\",\"number\":3,\"name\":\"a\",\"state\":\"paused\",\"reason\":"
        "\"storage\",\"text\":\"no space left\",\"elements\":10,\"recipe\":\"rounds: "
        "7\\ntrain.rate: 0.5\\n\",\"changes\":[{\"at\":1796045462000,\"setting\":\"rounds\","
        "\"old\":\"5\",\"new\":\"7\",\"round\":4,\"who\":\"operator\"}]}";
    assert_int_equal(fake_fl("run", "show", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "");
    assert_out("run 3 (a) is paused (storage): no space left\n");
    assert_out("10 parameters");
    assert_out("\n  rounds: 7\n  train.rate: 0.5\n");
    assert_out("2026-11-30 13:31:02  rounds is 7, it was 5: from round 4 on, by operator\n");
    assert_int_equal(fake_fl("run", "show", "a", "--json", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "a");
}

static void
a_round_or_a_model_is_of_the_run_that_is_named(void **state)
{
    (void)state;
    root.text = "{\"rounds\":[]}";
    assert_int_equal(fake_fl("rounds", "--run", "a", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "run:a 0 0 0");
    assert_int_equal(fake_fl("rounds", "7", "--run", "a", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "run:a 7 0 0");
    assert_int_equal(fake_fl("report", "7", "--run", "2", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "run:2 7");
    (void)fake_fl("model", "export", place_of("out"), "--run", "a", "--round", "3", NULL);
    assert_string_equal(root.argument, "run:a 3");
    root.text = "{\"number\":3,\"name\":\"a\",\"state\":\"queued\",\"ended\":false}";
    assert_int_equal(fake_fl("status", "--run", "a", NULL), FL_EXIT_OK);
    assert_string_equal(root.argument, "run:a");
    assert_out("run 3 (a) is queued\n"); // it is not in hand
    root.text = "{\"tier\":\"root\",\"node\":\"cloud\"}";
    assert_int_equal(fake_fl("status", "--run", "a", NULL), FL_EXIT_OK);
    assert_out("root cloud ");
    assert_int_equal(fake_fl("rounds", "--run", "a b", NULL), FL_EXIT_USAGE);
    assert_err("is no run");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(what_is_submitted_is_every_setting_that_was_given, start, end),
        unit_case(the_settings_that_are_printed_can_be_submitted_as_they_are, start, end),
        unit_case(a_mistake_is_named_with_file_and_line_and_nobody_is_asked, start, end),
        unit_case(a_root_that_does_not_answer_is_asked_the_same_again, start, end),
        unit_case(a_run_begins_with_a_file_that_travels_by_its_hash, start, end),
        unit_case(who_waits_sees_what_happens_and_ends_as_the_run_does, start, end),
        unit_case(an_order_goes_to_its_run_and_says_what_the_root_says, start, end),
        unit_case(runs_are_shown_as_a_table_and_one_with_its_settings, start, end),
        unit_case(a_round_or_a_model_is_of_the_run_that_is_named, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
