#include "common/base/log.h"

#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>

static char seen[4][FL_LOG_LINE_MAX + 1];
static unsigned lines;
static fl_time clock_ms;

static void
s_sink(void *self, const char *line, size_t size)
{
    assert_ptr_equal(self, seen);
    assert_true(size > 0 && size <= FL_LOG_LINE_MAX);
    assert_int_equal(line[size - 1], '\n');
    if (lines < 4) {
        memcpy(seen[lines], line, size - 1);
        seen[lines][size - 1] = '\0';
    }
    lines++;
}

static fl_time
s_now(void)
{
    return clock_ms;
}

static void
s_stamp(char text[32])
{
    memcpy(text, "noon", 5);
}

static const fl_log_conf plain = {
    .tier = "edge", .node = "e3", .least = FL_LOG_INFO, .sink = s_sink, .sink_self = seen
};

static int
s_fresh(void **state)
{
    (void)state;
    memset(seen, 0, sizeof seen);
    lines = 0;
    clock_ms = 0;
    fl_log_setup(&plain);
    return 0;
}

static void
a_line_carries_its_context_and_its_pairs(void **state)
{
    (void)state;
    fl_run run = { { 0x1f, 0x2e, 0x3d, 0x4c, 0x5b } };
    fl_log_set_run(&run);
    fl_log_set_round(7);
    fl_log(FL_LOG_INFO, "round-close", fl_log_u64("heard", 38), fl_log_text("why", "full"));
    assert_string_equal(seen[0], "level=info tier=edge node=e3 id=round-close run=1f2e3d4c round=7 "
                                 "heard=38 why=full");
    fl_log_set_node("e4");
    fl_log(FL_LOG_ERROR, "stopped", fl_log_none());
    assert_string_equal(seen[1], "level=error tier=edge node=e4 id=stopped run=1f2e3d4c round=7");
    fl_log_set_track(1); // with a run of its own, and none yet
    fl_log(FL_LOG_ERROR, "stopped", fl_log_none());
    assert_string_equal(seen[2], "level=error tier=edge node=e4 id=stopped round=7");
}

static void
a_hostile_text_stays_one_value_of_one_line(void **state)
{
    (void)state;
    fl_log(FL_LOG_WARN, "odd", fl_log_text("a", "two words"),
           fl_log_text("b", "x\" level=error\n\\"), fl_log_text("c", ""), fl_log_text("d", NULL),
           fl_log_text("e", "\x01\xff\x7f"), fl_log_text("f", "tcp://127.0.0.1:5555"),
           fl_log_text("g", "a=b"));
    assert_string_equal(seen[0],
                        "level=warn tier=edge node=e3 id=odd round=0 a=\"two words\" "
                        "b=\"x\\\" level=error\\n\\\\\" c=\"\" d=\"\" e=\"\\x01\\xff\\x7f\" "
                        "f=tcp://127.0.0.1:5555 g=\"a=b\"");
}

static void
what_is_less_urgent_than_asked_is_not_made(void **state)
{
    (void)state;
    assert_true(fl_log_wanted(FL_LOG_INFO) && !fl_log_wanted(FL_LOG_DEBUG));
    fl_log(FL_LOG_DEBUG, "chatter", fl_log_none());
    assert_int_equal(lines, 0);
}

static void
a_line_too_long_is_cut_and_says_so(void **state)
{
    (void)state;
    char text[2 * FL_LOG_LINE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fl_log(FL_LOG_INFO, "long", fl_log_text("bare", text), fl_log_text("after", "lost"));
    assert_true(strlen(seen[0]) > FL_LOG_LINE_MAX - 16);
    assert_non_null(strstr(seen[0], "xxx cut=1"));
    text[0] = ' ';
    fl_log(FL_LOG_INFO, "long", fl_log_text("quoted", text), fl_log_text("after", "lost"));
    assert_true(strlen(seen[1]) > FL_LOG_LINE_MAX - 16);
    assert_non_null(strstr(seen[1], "xxx\" cut=1"));
    assert_null(strstr(seen[1], "lost"));
}

static void
the_same_id_is_limited_and_the_rest_is_counted(void **state)
{
    (void)state;
    fl_log_conf conf = plain;
    conf.now = s_now;
    conf.burst = 2;
    conf.window_ms = 1000;
    fl_log_setup(&conf);
    for (int i = 0; i < 7; i++) {
        fl_log(FL_LOG_WARN, "flood", fl_log_none());
    }
    assert_int_equal(lines, 2);
    fl_log(FL_LOG_WARN, "other", fl_log_none());
    assert_int_equal(lines, 3);
    clock_ms = 1000;
    fl_log(FL_LOG_WARN, "flood", fl_log_u64("n", 8));
    assert_int_equal(lines, 4);
    assert_string_equal(seen[3], "level=warn tier=edge node=e3 id=flood round=0 suppressed=5 n=8");
}

static void
ids_beyond_the_table_are_never_limited(void **state)
{
    (void)state;
    fl_log_conf conf = plain;
    conf.now = s_now;
    conf.burst = 1;
    fl_log_setup(&conf);
    char id[16];
    for (int i = 0; i < 128; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        fl_log(FL_LOG_INFO, id, fl_log_none());
        fl_log(FL_LOG_INFO, id, fl_log_none());
    }
    assert_int_equal(lines, 128);
    fl_log(FL_LOG_INFO, "one-more", fl_log_none());
    fl_log(FL_LOG_INFO, "one-more", fl_log_none());
    assert_int_equal(lines, 130);
}

static void
a_wall_clock_comes_first_when_there_is_one(void **state)
{
    (void)state;
    fl_log_conf conf = plain;
    conf.stamp = s_stamp;
    conf.tier = conf.node = NULL;
    fl_log_setup(&conf);
    fl_log(FL_LOG_INFO, "up", fl_log_none());
    assert_string_equal(seen[0], "time=noon level=info id=up round=0");
}

static void
without_a_sink_a_line_goes_to_standard_error(void **state)
{
    (void)state;
    int pipes[2];
    int kept = dup(2);
    assert_int_equal(pipe(pipes), 0);
    fl_log_setup(&(fl_log_conf){ .tier = "root", .least = FL_LOG_INFO });
    assert_true(dup2(pipes[1], 2) == 2);
    fl_log(FL_LOG_INFO, "up", fl_log_none());
    assert_true(dup2(kept, 2) == 2);
    char text[64] = "";
    assert_true(read(pipes[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "level=info tier=root id=up round=0\n");
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(kept);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_carries_its_context_and_its_pairs, s_fresh),
        cmocka_unit_test_setup(a_hostile_text_stays_one_value_of_one_line, s_fresh),
        cmocka_unit_test_setup(what_is_less_urgent_than_asked_is_not_made, s_fresh),
        cmocka_unit_test_setup(a_line_too_long_is_cut_and_says_so, s_fresh),
        cmocka_unit_test_setup(the_same_id_is_limited_and_the_rest_is_counted, s_fresh),
        cmocka_unit_test_setup(ids_beyond_the_table_are_never_limited, s_fresh),
        cmocka_unit_test_setup(a_wall_clock_comes_first_when_there_is_one, s_fresh),
        cmocka_unit_test_setup(without_a_sink_a_line_goes_to_standard_error, s_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
