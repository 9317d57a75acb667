#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

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

static int
stop(void **state)
{
    fake_forget();
    return place_end(state);
}

//  What stands in a file of <place>, as text.
static void
assert_file(const char *name, const char *wanted)
{
    fl_blob *blob = NULL;
    char text[4096];
    assert_int_equal(fl_file_read(place_of(name), sizeof text - 1, &blob, NULL), FL_OK);
    (void)snprintf(text, sizeof text, "%.*s", (int)fl_blob_size(blob),
                   (const char *)fl_blob_data(blob));
    fl_blob_unref(&blob);
    if (strstr(text, wanted) == NULL) {
        fail_msg("%s: '%s' is not in: %s", name, wanted, text);
    }
}

static void
an_installation_begins_with_one_directory(void **state)
{
    (void)state;
    assert_int_equal(fake_fl("init", place_of("flat"), "--endpoint", "tcp://root.example:7000",
                             "--sites", "5", NULL),
                     FL_EXIT_OK);
    assert_out("fl-device --state DIR --join-token site.token");
    assert_file("flat/root.yaml", "down: tcp://0.0.0.0:7002");
    assert_file("flat/run.yaml", "expect: 5\n  wait: 1h");
    assert_file("flat/authority/tokens", " device site-* 5 ");
    assert_int_equal(fake_fl("init", place_of("flat"), "--endpoint", "tcp://root.example:7000",
                             "--sites", "5", NULL),
                     FL_EXIT_EXISTS);
    assert_int_equal(fake_fl("init", place_of("tree"), "--endpoint", "tcp://root.example:7000",
                             "--edges", "2", "--devices", "6", NULL),
                     FL_EXIT_OK);
    assert_out("edge-agg --state DIR --join-token edge.token");
    assert_file("tree/run.yaml", "expect_devices: 6\n");
    assert_file("tree/run.yaml", "edges: unmasked");
    static const char *const wrong[][4] = { { "--sites", "2" },
                                            { "--edges", "2", "--devices", "5" },
                                            { "--edges", "3" } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(fake_fl("init", place_of("none"), "--endpoint", "tcp://a:1", wrong[i][0],
                                 wrong[i][1], wrong[i][2], wrong[i][3], NULL),
                         FL_EXIT_USAGE);
    }
    assert_int_equal(access(place_of("none"), F_OK), -1); // nothing is left behind
}

static char certificate[2 * FL_CERT_BYTES + 1];

//  Nobody answers, then the node is not known yet, then it is.
static fl_status
joins_at_last(const fl_request_conf *to, const fl_message *question, fl_message *reply,
              fl_bytes *body, fl_why *why)
{
    static char text[sizeof certificate + 16];
    (void)to;
    (void)why;
    assert_string_equal(question->ask.verb, "certificate");
    assert_string_equal(question->ask.argument, "edge-1");
    *reply = (fl_message){ .verb = FL_ANSWER,
                           .answer.code = fake.asked < 3 ? FL_EXIT_MISSING : FL_EXIT_OK };
    (void)snprintf(text, sizeof text, fake.asked < 3 ? "{}" : "{\"said\":\"%s\"}", certificate);
    *body = fl_bytes_of(text, strlen(text));
    return fake.asked == 1 ? FL_MISSING : FL_OK;
}

#define TOKEN                                                                                      \
    "token", "--authority", place_of("ca"), "--endpoint", "tcp://edge:7000", "--parent", "edge-1", \
        "--state", place, "--role", "device", "--timeout", "1s"

static void
a_token_waits_for_a_parent_that_is_yet_to_join(void **state)
{
    (void)state;
    uint8_t bytes[FL_CERT_BYTES];
    fl_authority *authority = NULL;
    fl_keys *keys = identity_keys(3);
    assert_int_equal(fake_fl("ca", "init", "--authority", place_of("ca"), NULL), FL_EXIT_OK);
    assert_int_equal(fl_state_dir_secret_load(place_of("ca"), &authority, NULL), FL_OK);
    (void)identity_cert(authority, keys, FL_ROLE_EDGE, "edge-1", 1, bytes);
    fl_hex(bytes, sizeof bytes, certificate);
    place_write("operator.sock", "", 0);
    fake.answer = joins_at_last;
    assert_int_equal(fake_fl(TOKEN, NULL), FL_EXIT_SILENT);
    assert_int_equal(fake_fl(TOKEN, NULL), FL_EXIT_MISSING);
    fake.asked = 0;
    assert_int_equal(fake_fl(TOKEN, "--wait", "1s", NULL), FL_EXIT_SILENT);
    fake.asked = 0;
    assert_int_equal(fake_fl(TOKEN, "--wait", "1m", NULL), FL_EXIT_OK);
    assert_int_equal(fake.asked, 3);
    fl_keys_destroy(&keys);
    fl_authority_destroy(&authority);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(an_installation_begins_with_one_directory, start, stop),
        unit_case(a_token_waits_for_a_parent_that_is_yet_to_join, start, stop),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
