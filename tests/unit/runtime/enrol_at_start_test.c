#include "common/runtime/enrol_at_start.h"

#include "tests/support/unit.h"

#include "tests/support/identity.h"
#include "tests/support/place.h"

#include "common/identity/state_dir.h"

static const fl_setting rows[] = { FL_SETTINGS_STATE, FL_SETTINGS_PROCESS,
                                   FL_SETTINGS_PARTICIPANT("malicious") };
static const fl_program program = { .name = "newcomer",
                                    .purpose = "a test",
                                    .settings = rows,
                                    .setting_count = sizeof rows / sizeof rows[0] };

static fl_conf *conf;
static fl_stop *stop;
static fl_why why;

//  Up to three settings more, each "--key=value"; NULL for none.
static void
s_set(const char *first, const char *second, const char *third)
{
    const char *words[] = { "newcomer", "--state=x", first, second, third };
    char *argv[5];
    int count = 0;
    for (int i = 0; i < 5 && words[i] != NULL; i++) {
        argv[count++] = (char *)(uintptr_t)words[i];
    }
    fl_conf_destroy(&conf);
    assert_int_equal(fl_conf_load(&program, count, argv, stdout, &conf, &why), FL_OK);
}

static int
start(void **state)
{
    return place_make(state) != 0 || fl_stop_open(&stop, &why) != FL_OK;
}

static int
end(void **state)
{
    (void)fl_stop_take(stop);
    fl_stop_close(&stop);
    fl_conf_destroy(&conf);
    return place_end(state);
}

static void
a_file_that_is_there_is_not_waited_for(void **state)
{
    (void)state;
    s_set("--start-wait=1h", NULL, NULL);
    place_write("file", "x", 1);
    assert_int_equal(fl_enrol_at_start_wait(conf, stop, place_of("file"), &why), FL_OK);
}

static void
a_wait_for_a_file_ends_at_its_bound_with_a_line(void **state)
{
    (void)state;
    s_set("--start-wait=5ms", NULL, NULL);
    assert_int_equal(fl_enrol_at_start_wait(conf, stop, place_of("file"), &why), FL_MISSING);
    assert_non_null(strstr(why.text, "/file is not there"));
}

static void
a_signal_ends_a_wait_at_once_and_is_left_for_the_station(void **state)
{
    (void)state;
    s_set("--start-wait=1h", NULL, NULL);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(fl_enrol_at_start_wait(conf, stop, place_of("file"), &why), FL_MISSING);
    assert_non_null(strstr(why.text, "stopped while waiting for"));
    assert_int_equal(fl_stop_take(stop), SIGTERM);
}

static fl_status
s_join(bool slotted, uint32_t slot)
{
    char state[PATH_MAX];
    (void)snprintf(state, sizeof state, "%s", place_of("d"));
    assert_int_equal(fl_state_dir_open(state, &why), FL_OK);
    const fl_enrol_at_start_conf newcomer = { .conf = conf,
                                              .stop = stop,
                                              .state = state,
                                              .role = FL_ROLE_DEVICE,
                                              .slotted = slotted,
                                              .slot = slot };
    return fl_enrol_at_start_join(&newcomer, &why);
}

static void
without_a_token_to_join_with_nothing_is_done(void **state)
{
    (void)state;
    s_set(NULL, NULL, NULL);
    assert_int_equal(s_join(false, 0), FL_OK);
    assert_int_equal(access(place_of("d/node.key"), F_OK), -1);
}

static void
a_missing_or_damaged_token_is_one_line_and_no_keys(void **state)
{
    (void)state;
    char flag[PATH_MAX];
    (void)snprintf(flag, sizeof flag, "--join-token=%s", place_of("token"));
    s_set(flag, "--join-name=dev-1", NULL);
    assert_int_equal(s_join(false, 0), FL_DENIED);
    assert_non_null(strstr(why.text, "no token: "));
    assert_non_null(strstr(why.text, "/token is not there"));
    place_write("token", "\n", 1);
    assert_int_equal(s_join(false, 0), FL_DENIED);
    assert_non_null(strstr(why.text, "missing, unreadable or empty"));
    place_write("token", "abc\n", 4);
    assert_int_equal(s_join(false, 0), FL_DENIED);
    assert_non_null(strstr(why.text, "cut short or changed"));
    assert_null(strchr(why.text, '\n'));
    assert_int_equal(access(place_of("d/node.key"), F_OK), -1);
}

static void
a_file_with_more_tokens_than_are_read_is_refused_and_not_cut(void **state)
{
    (void)state;
    char flag[PATH_MAX];
    static char lines[64 * 1024 + 1];
    memset(lines, '\n', sizeof lines);
    memcpy(lines, "abc", 3);
    (void)snprintf(flag, sizeof flag, "--join-token=%s", place_of("token"));
    s_set(flag, "--join-name=dev-1", NULL);
    place_write("token", lines, sizeof lines - 1);
    assert_int_equal(s_join(false, 0), FL_DENIED);
    assert_non_null(strstr(why.text, "cut short or changed"));
    place_write("token", lines, sizeof lines);
    assert_int_equal(s_join(false, 0), FL_DENIED);
    assert_non_null(strstr(why.text, "/token holds more than 65536 bytes"));
    assert_int_equal(access(place_of("d/node.key"), F_OK), -1);
}

static void
a_name_that_is_none_is_said_with_its_slot(void **state)
{
    (void)state;
    char flag[PATH_MAX];
    (void)snprintf(flag, sizeof flag, "--join-token=%s", place_of("token"));
    s_set(flag, "--join-name=a-name-too-long", NULL);
    assert_int_equal(s_join(true, 7), FL_RANGE);
    assert_non_null(strstr(why.text, "'a-name-too-long07' is no node name"));
    s_set(flag, NULL, NULL);
    assert_int_equal(s_join(false, 0), FL_RANGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(a_file_that_is_there_is_not_waited_for, start, end),
        unit_case(a_wait_for_a_file_ends_at_its_bound_with_a_line, start, end),
        unit_case(a_signal_ends_a_wait_at_once_and_is_left_for_the_station, start, end),
        unit_case(without_a_token_to_join_with_nothing_is_done, start, end),
        unit_case(a_missing_or_damaged_token_is_one_line_and_no_keys, start, end),
        unit_case(a_file_with_more_tokens_than_are_read_is_refused_and_not_cut, start, end),
        unit_case(a_name_that_is_none_is_said_with_its_slot, start, end),
    };
    if (fl_crypto_init(NULL) != FL_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
