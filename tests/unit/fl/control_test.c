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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_drain_says_how_long_it_takes_and_when_it_is_over, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
