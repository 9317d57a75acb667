#include "common/base/endpoint.h"

#include "tests/support/unit.h"

#include <string.h>

static void
a_port_is_digits_that_fit(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "tcp://h:65536", "tcp://h:99999", "tcp://h:123456", "tcp://h:70x", "tcp://h:-1",
        "tcp://h:+1",    "tcp://h: 1",    "tcp://h:1 ",     "tcp://h:",    "tcp://h",
    };
    fl_endpoint place;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(fl_endpoint_parse(bad[i], &place));
    }
    assert_true(fl_endpoint_parse("tcp://10.0.0.1:65535", &place));
    assert_int_equal(place.port, 65535);
    assert_int_equal(place.host.size, strlen("10.0.0.1"));
    assert_memory_equal(place.host.data, "10.0.0.1", place.host.size);
}

static void
a_host_is_a_name_or_an_address(void **state)
{
    (void)state;
    static const char *const bad[] = { "",          "tcp://",      "tcp://:1",
                                       "ipc://h:1", "tcp://a;b:1", "tcp://a b:1",
                                       "TCP://h:1", "tcp://h\n:1" };
    static const char *const good[] = { "tcp://h:1", "tcp://[fe80::1%eth0]:7402",
                                        "tcp://a_b.c-d:7" };
    fl_endpoint place;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(fl_endpoint_parse(bad[i], &place));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(fl_endpoint_parse_remote(good[i], &place));
    }
}

static void
any_port_and_every_address_are_a_listener_s_only(void **state)
{
    (void)state;
    fl_endpoint place;
    assert_true(fl_endpoint_parse("tcp://0.0.0.0:0", &place));
    assert_int_equal(place.port, 0);
    assert_false(fl_endpoint_parse_remote("tcp://0.0.0.0:0", &place));
    assert_true(fl_endpoint_parse("tcp://*:7000", &place));
    assert_false(fl_endpoint_parse_remote("tcp://*:7000", &place));
}

static void
a_remote_one_has_a_longest_length(void **state)
{
    (void)state;
    char text[FL_ENDPOINT_LENGTH_MAX + 2] = "tcp://";
    fl_endpoint place;
    memset(text + 6, 'h', sizeof text - 7);
    memcpy(text + FL_ENDPOINT_LENGTH_MAX - 1, ":1", 3);
    assert_false(fl_endpoint_parse_remote(text, &place));
    memcpy(text + FL_ENDPOINT_LENGTH_MAX - 2, ":1", 3);
    assert_true(fl_endpoint_parse_remote(text, &place));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_digits_that_fit),
        cmocka_unit_test(a_host_is_a_name_or_an_address),
        cmocka_unit_test(any_port_and_every_address_are_a_listener_s_only),
        cmocka_unit_test(a_remote_one_has_a_longest_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
