#include "cloud/fl/verbs.h"

#include "tests/support/unit.h"

#include "tests/support/place.h"
#include "tests/unit/fl/fake.h"

static int
start(void **state)
{
    fake_forget();
    fake.state = place;
    int made = place_make(state);
    place_write("operator.sock", "", 0);
    return made;
}

static int
stop(void **state)
{
    fake_forget();
    return place_end(state);
}

//  The fourth look finds nothing in hand.
static fl_status
drains(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
       fl_why *why)
{
    const char *text = fake.asked == 1  ? "{\"said\":\"\"}"
                       : fake.asked < 3 ? "{\"phase\":\"train\",\"left_ms\":1500}" // not heard yet
                       : fake.asked < 5 ? "{\"phase\":\"draining\",\"left_ms\":1500}"
                                        : "{\"phase\":\"drained\"}";
    (void)to;
    (void)why;
    assert_string_equal(question->ask.verb, fake.asked == 1 ? "drain" : "status");
    *reply = (fl_message){ .verb = FL_ANSWER };
    *body = fl_bytes_of(text, strlen(text));
    return FL_OK;
}

#define BEGINS "draining: about 1.5 s, until its round is closed\n"

static void
a_drain_says_how_long_it_takes_and_when_it_is_over(void **state)
{
    (void)state;
    fake.answer = drains;
    assert_int_equal(fake_fl("drain", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, BEGINS);
    fake.asked = 0;
    assert_int_equal(fake_fl("drain", "--wait", "150ms", NULL), FL_EXIT_FAILED);
    assert_string_equal(fake.out, BEGINS);
    fake.asked = 0;
    assert_int_equal(fake_fl("drain", "--wait", "1h", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, BEGINS "drained: safe to stop\n");
    fake.asked = 0;
    assert_int_equal(fake_fl("drain", "--json", NULL), FL_EXIT_OK);
    assert_string_equal(fake.out, "{\"phase\":\"train\",\"left_ms\":1500}\n");
}

//  Asked of a root: whether there is such a node, then the order and a look, again and again.
static const char *looks[3];

static fl_status
below(const fl_request_conf *to, const fl_message *question, fl_message *reply, fl_bytes *body,
      fl_why *why)
{
    const bool order = strcmp(question->ask.verb, "status") != 0;
    const uint32_t look = fake.asked / 2 - 1;
    const char *text = order ? "{\"said\":\"\"}" : looks[look < 3 ? look : 2];
    (void)to;
    (void)why;
    assert_string_equal(question->ask.argument, order ? "e1" : "");
    assert_string_equal(question->ask.verb, fake.asked == 1       ? "certificate"
                                            : fake.asked % 2 == 0 ? "drain"
                                                                  : "status");
    *reply = (fl_message){ .verb = FL_ANSWER };
    *body = fl_bytes_of(text, strlen(text));
    return FL_OK;
}

#define LOOK(busy, children) "{\"busy\":" busy ",\"left_ms\":900,\"children\":[" children "]}"
#define CHILD(here, rests, activity, below)                                                        \
    "{\"node\":\"e1\",\"present\":" here ",\"rests\":" rests ",\"activity\":\"" activity           \
    "\",\"below\":[" below "]}"
#define BELOW(node) "{\"node\":\"e0\",\"below\":[{\"node\":\"" node "\",\"reason\":\"drain\"}]}"

static void
a_node_is_drained_by_its_name_at_the_root(void **state)
{
    static const char *const rows[][3] = {
        { LOOK("true", CHILD("true", "false", "train", "")),
          LOOK("true", CHILD("true", "true", "send", "")),
          LOOK("true", CHILD("true", "true", "rest", "")) },
        { LOOK("true", BELOW("d1")), LOOK("true", BELOW("d1")), LOOK("true", BELOW("e1")) },
        { LOOK("true", ""), LOOK("true", ""), LOOK("false", "") },
    };
    (void)state;
    fake.answer = below;
    for (size_t i = 0; i < 3; i++) {
        memcpy(looks, rows[i], sizeof looks);
        fake.asked = 0;
        assert_int_equal(fake_fl("drain", "e1", "--wait", "1h", NULL), FL_EXIT_OK);
        assert_string_equal(fake.out, "draining: about 0.9 s, until its round is closed\n"
                                      "drained: safe to stop\n");
        assert_int_equal(fake.asked, 7);
    }
    looks[0] = LOOK("true", CHILD("false", "true", "rest", "")); // stopped since
    fake.asked = 0;
    assert_int_equal(fake_fl("drain", "e1", NULL), FL_EXIT_OK);
    looks[0] = LOOK("true", CHILD("false", "false", "rest", ""));
    fake.asked = 0;
    assert_int_equal(fake_fl("drain", "e1", NULL), FL_EXIT_MISSING);
    assert_err("e1 is away and was not told");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_drain_says_how_long_it_takes_and_when_it_is_over, start, stop),
        unit_case(a_node_is_drained_by_its_name_at_the_root, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
