#include "common/config/conf.h"

#include "tests/support/unit.h"
#include "tests/support/place.h"

static fl_why why;
static fl_status
s_check(const fl_conf *conf, fl_why *said)
{
    char where[FL_CONF_TEXT_MAX];
    if (fl_conf_int(conf, "window.min") <= fl_conf_int(conf, "window.max")) {
        return FL_OK;
    }
    fl_why_set(said, "%s: 'window.min' is above 'window.max'",
               fl_conf_place(conf, "window.min", where));
    return FL_RANGE;
}

static const fl_setting settings[] = {
    { "node", FL_CONF_TEXT, NULL, 0, 0, NULL, "Name of this node" },
    { "listen", FL_CONF_TEXT, "tcp://*:5555", 0, 0, NULL, "Where children connect" },
    { "window.min", FL_CONF_INT, "2", 1, 4096, NULL, "Fewest contributions of a round" },
    { "window.max", FL_CONF_INT, "8", 1, 4096, NULL, "Most contributions of a round" },
    { "window.budget", FL_CONF_DURATION, "30s", 100, 3600000, NULL, "Time that a round is given" },
    { "window.then", FL_CONF_CHOICE, "skip", 0, 0, "extend|skip|abort", "What follows too few" },
    { "rate", FL_CONF_REAL, "0.1", 0, 10, NULL, "Step of the optimizer" },
    { "slot_bytes", FL_CONF_SIZE, "64M", 0, 0, NULL, "Size of a slot" },
    { "offset", FL_CONF_INT, "0", -5, 5, NULL, "A number that may be below zero" },
    { "verbose", FL_CONF_BOOL, "false", 0, 0, NULL, "Say more" },
    { "rate.steps", FL_CONF_NUMBERS, "", 0, 0, NULL, "Steps of the optimizer, one after another" },
};

static const fl_program program = {
    .name = "edge-test",
    .purpose = "A program for this test.",
    .arguments = "FROM [TO]",
    .settings = settings,
    .setting_count = sizeof settings / sizeof *settings,
    .check = s_check,
};

//  Load with these words behind the program's name; what is printed lands in `printed`.
static char printed[16384];

static fl_status
s_load(const fl_program *which, fl_conf **conf, const char *const *words)
{
    char *argv[24] = { (char[]){ "edge-test" } };
    int argc = 1;
    for (; *words != NULL; words++) {
        argv[argc++] = (char *)(uintptr_t)*words;
    }
    memset(printed, 0, sizeof printed);
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    assert_non_null(out);
    fl_status status = fl_conf_load(which, argc, argv, out, conf, &why);
    assert_int_equal(fclose(out), 0);
    return status;
}

#define LOAD(conf, ...) s_load(&program, conf, (const char *const[]){ __VA_ARGS__, NULL })

//  Write `text` as the settings file; load it with a node and an argument given.
static fl_status
s_load_file(const char *text, fl_conf **conf)
{
    place_write("edge.yaml", text, strlen(text));
    return LOAD(conf, "--config", place_of("edge.yaml"), "--node=e1", "here");
}

static void
s_refused(const char *text, fl_status status, const char *line)
{
    fl_conf *conf = NULL;
    char wanted[512];
    (void)snprintf(wanted, sizeof wanted, "%s/edge.yaml:%s", place, line);
    assert_int_equal(s_load_file(text, &conf), status);
    assert_null(conf);
    assert_string_equal(why.text, wanted);
}

static int
s_begin(void **state)
{
    (void)unsetenv("FL_WINDOW_MIN");
    (void)unsetenv("FL_CONFIG");
    (void)unsetenv("FL_NODE");
    (void)unsetenv("FL_RATE");
    return place_make(state);
}

static void
defaults_hold_when_nothing_is_said(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    char where[FL_CONF_TEXT_MAX];
    assert_int_equal(LOAD(&conf, "--node", "e1", "here"), FL_OK);
    assert_string_equal(fl_conf_text(conf, "node"), "e1");
    assert_string_equal(fl_conf_text(conf, "listen"), "tcp://*:5555");
    assert_int_equal(fl_conf_int(conf, "window.min"), 2);
    assert_int_equal(fl_conf_ms(conf, "window.budget"), 30000);
    assert_int_equal(fl_conf_choice(conf, "window.then"), 1);
    assert_true(fl_conf_real(conf, "rate") > 0.09 && fl_conf_real(conf, "rate") < 0.11);
    assert_int_equal(fl_conf_bytes(conf, "slot_bytes"), 64 << 20);
    assert_int_equal(fl_conf_int(conf, "offset"), 0);
    assert_false(fl_conf_bool(conf, "verbose"));
    assert_false(fl_conf_given(conf, "listen"));
    assert_true(fl_conf_given(conf, "node"));
    assert_string_equal(fl_conf_place(conf, "listen", where), "default");
    assert_string_equal(fl_conf_argument(conf, 0), "here");
    assert_null(fl_conf_argument(conf, 1));
    fl_conf_destroy(&conf);
    assert_null(conf);
}

static void
a_flag_wins_over_environment_over_file_over_default(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    char where[FL_CONF_TEXT_MAX], wanted[128];
    const char *text = "node: e9\nwindow:\n  min: 3\n  budget: 1.5s\n";
    assert_int_equal(s_load_file(text, &conf), FL_OK);
    assert_int_equal(fl_conf_int(conf, "window.min"), 3);
    assert_int_equal(fl_conf_ms(conf, "window.budget"), 1500);
    assert_string_equal(fl_conf_text(conf, "node"), "e1"); // the flag of s_load_file
    (void)snprintf(wanted, sizeof wanted, "%s/edge.yaml:3", place);
    assert_string_equal(fl_conf_place(conf, "window.min", where), wanted);
    assert_string_equal(fl_conf_place(conf, "node", where), "--node");
    fl_conf_destroy(&conf);

    assert_int_equal(setenv("FL_WINDOW_MIN", "4", 1), 0);
    assert_int_equal(setenv("FL_CONFIG", place_of("edge.yaml"), 1), 0);
    assert_int_equal(LOAD(&conf, "here"), FL_OK);
    assert_int_equal(fl_conf_int(conf, "window.min"), 4);
    assert_string_equal(fl_conf_text(conf, "node"), "e9");
    assert_string_equal(fl_conf_place(conf, "window.min", where), "environment FL_WINDOW_MIN");
    fl_conf_destroy(&conf);

    assert_int_equal(LOAD(&conf, "here", "--window-min=5", "--verbose", "--offset", "-3"), FL_OK);
    assert_int_equal(fl_conf_int(conf, "window.min"), 5);
    assert_int_equal(fl_conf_int(conf, "offset"), -3);
    assert_true(fl_conf_bool(conf, "verbose"));
    fl_conf_destroy(&conf);
    assert_int_equal(LOAD(&conf, "here", "--verbose=false"), FL_OK);
    assert_false(fl_conf_bool(conf, "verbose"));
    fl_conf_destroy(&conf);
}

static void
a_file_is_refused_with_its_line(void **state)
{
    (void)state;
    s_refused("node: e1\n\nwidnow:\n  min: 3\n", FL_MALFORMED,
              "3: unknown key 'widnow', did you mean 'window'?");
    s_refused("window:\n  mni: 3\n", FL_MALFORMED,
              "2: unknown key 'window.mni', did you mean 'window.min'?");
    s_refused("zebra: 1\n", FL_MALFORMED, "1: unknown key 'zebra'");
    s_refused("window:\n  min: 9999\n", FL_RANGE,
              "2: 'window.min' is 9999, out of range; it must be a whole number from 1 to 4096");
    s_refused("window:\n  min: 2.5\n", FL_MALFORMED,
              "2: 'window.min' is '2.5'; it must be a whole number from 1 to 4096");
    s_refused("window: {budget: 5}\n", FL_MALFORMED,
              "1: 'window.budget' is '5'; it must be a duration such as 1500ms, 2s or 3m from "
              "100ms to 1h");
    s_refused("window: {then: wait}\n", FL_MALFORMED,
              "1: 'window.then' is 'wait'; it must be one of extend|skip|abort");
    s_refused("verbose: yes\n", FL_MALFORMED, "1: 'verbose' is 'yes'; it must be true or false");
    s_refused("listen:\n", FL_MALFORMED, "1: 'listen' has no value; give one or remove the line");
    s_refused("rate: 1\nrate: 2\n", FL_MALFORMED, "2: 'rate' was set on line 1 already");
    s_refused("window: 5\n", FL_MALFORMED, "1: 'window' must be a map of settings");
    s_refused("offset:\n  x: 5\n", FL_MALFORMED, "2: 'offset' must be a single value");
    s_refused("offset: [1]\n", FL_MALFORMED, "1: 'offset' must be a single value");
    s_refused("- a\n- b\n", FL_MALFORMED, "1: must be a map of settings");
    s_refused("{[a]: b}\n", FL_MALFORMED, "1: a key must be a word");
    s_refused("listen: \"a\\0b\"\n", FL_MALFORMED, "1: 'listen' holds a zero byte");
    s_refused("window:\n  min: 9\n", FL_RANGE, "2: 'window.min' is above 'window.max'");
}

static void
a_file_that_is_no_yaml_says_so(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(s_load_file("node: e1\nwindow: [\n", &conf), FL_MALFORMED);
    assert_non_null(strstr(why.text, "edge.yaml:3: not YAML: "));
    assert_int_equal(s_load_file("node: e1\nwindow:\n\tmin: 2\n", &conf), FL_MALFORMED);
    assert_non_null(strstr(why.text, "edge.yaml:3: not YAML: "));
    assert_non_null(strstr(why.text, "is there a tab? Indent with spaces"));
    assert_int_equal(s_load_file("a: \x01\n", &conf), FL_MALFORMED);
    assert_int_equal(s_load_file("&a window: {min: 2, deep: &b {x: *b}}\n", &conf), FL_MALFORMED);
    assert_int_equal(s_load_file("window: &w {window: *w}\n", &conf), FL_MALFORMED);
    assert_non_null(strstr(why.text, "unknown key 'window.window'"));
    assert_int_equal(LOAD(&conf, "--config=/no/such.yaml", "--node=e", "x"), FL_MISSING);
    assert_string_equal(why.text, "/no/such.yaml: cannot be read: there is no such file");
    assert_int_equal(LOAD(&conf, "--config", place, "--node=e", "x"), FL_IO);
    assert_int_equal(s_load_file("", &conf), FL_OK); // an empty file sets nothing
    fl_conf_destroy(&conf);
}

static void
a_file_too_large_is_refused(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    static char text[(1 << 20) + 2];
    memset(text, '\n', sizeof text - 1);
    assert_int_equal(s_load_file(text, &conf), FL_RANGE);
}

static void
dotted_keys_are_as_good_as_nested_maps(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(s_load_file("window.min: 6\nlisten: \"\"\nslot_bytes: 2KiB\n", &conf), FL_OK);
    assert_int_equal(fl_conf_int(conf, "window.min"), 6);
    assert_string_equal(fl_conf_text(conf, "listen"), "");
    assert_int_equal(fl_conf_bytes(conf, "slot_bytes"), 2048);
    fl_conf_destroy(&conf);
}

static void
s_flag_refused(fl_status status, const char *said, const char *const *words)
{
    fl_conf *conf = NULL;
    assert_int_equal(s_load(&program, &conf, words), status);
    assert_null(conf);
    assert_string_equal(why.text, said);
}

#define REFUSED(status, said, ...)                                                                 \
    s_flag_refused(status, said, (const char *const[]){ __VA_ARGS__, NULL })

static void
a_command_line_is_refused_in_one_line(void **state)
{
    (void)state;
    char long_value[300] = "--listen=";
    memset(long_value + 9, 'x', 280);
    REFUSED(FL_MALFORMED, "--widnow-min: unknown option, did you mean '--window-min'?",
            "--widnow-min=3");
    REFUSED(FL_MALFORMED, "--zebra: unknown option; --help lists them", "--zebra");
    REFUSED(FL_MALFORMED, "--hlep: unknown option, did you mean '--help'?", "--hlep");
    REFUSED(FL_MALFORMED, "--rate: given twice", "--rate=1", "--rate=2");
    REFUSED(FL_MALFORMED, "--rate: needs a value behind it", "--rate");
    REFUSED(FL_MALFORMED, "unexpected argument 'c'; --help shows what is taken", "a", "b", "c");
    REFUSED(FL_MISSING, "an argument is missing; wanted: FROM [TO]", "--node=e");
    REFUSED(FL_MALFORMED, "--rate: 'rate' is 'nan'; it must be a number from 0 to 10", "--rate=nan",
            "--node=e", "x");
    REFUSED(FL_RANGE, "--listen: 'listen' is longer than 255 characters", long_value, "x");
    REFUSED(FL_MISSING,
            "'node' is not set (Name of this node); set it there, with --node or with FL_NODE",
            "x");
    assert_int_equal(setenv("FL_RATE", "11", 1), 0);
    REFUSED(FL_RANGE,
            "environment FL_RATE: 'rate' is 11, out of range; it must be a number from 0 to 10",
            "--node=e", "x");
}

static void
a_double_dash_ends_the_flags(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(LOAD(&conf, "--node=e", "--", "--x", "-"), FL_OK);
    assert_string_equal(fl_conf_argument(conf, 0), "--x");
    assert_string_equal(fl_conf_argument(conf, 1), "-");
    fl_conf_destroy(&conf);
}

static void
s_number_is(const char *word, fl_status status)
{
    fl_conf *conf = NULL;
    assert_int_equal(LOAD(&conf, word, "--node=e", "x"), status);
    fl_conf_destroy(&conf);
}

static void
numbers_are_decimal_and_finite(void **state)
{
    (void)state;
    const char *bad[] = { "--rate=0x1",
                          "--rate=inf",
                          "--rate= 1",
                          "--rate=1 ",
                          "--rate=",
                          "--rate=1e999",
                          "--rate=--1",
                          "--window-min=1e2",
                          "--window-min=",
                          "--slot-bytes=5x",
                          "--slot-bytes=k",
                          "--window-budget=ms",
                          "--rate=1111111111111111111111111111111111111111111111111111" };
    const char *far[] = { "--slot-bytes=-1",   "--slot-bytes=99999999G",
                          "--window-budget=0", "--window-budget=2h",
                          "--offset=-6",       "--rate=-0.1" };
    const char *good[] = { "--rate=1e-3",    "--rate=.5",         "--window-budget=60m",
                           "--slot-bytes=0", "--slot-bytes=1.5k", "--offset=+5" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s_number_is(bad[i], FL_MALFORMED);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        s_number_is(far[i], FL_RANGE);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        s_number_is(good[i], FL_OK);
    }
}

static void
a_list_is_a_sequence_or_numbers_with_commas(void **state)
{
    (void)state;
    static const char *const texts[] = { "rate:\n  steps: [0.1, 1e-3, -2]\n",
                                         "rate.steps: 0.1 ,1e-3,-2\nrate: 0.2\n",
                                         "rate:\n  steps:\n  - 0.1\n  - 0.001\n  - -2.0\n" };
    fl_conf *conf = NULL;
    double numbers[FL_CONF_NUMBERS_MAX];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(s_load_file(texts[i], &conf), FL_OK);
        assert_int_equal(fl_conf_numbers(conf, "rate.steps", numbers), 3);
        assert_true(numbers[0] == 0.1 && numbers[1] == 0.001 && numbers[2] == -2);
        fl_conf_destroy(&conf);
    }
    static const char *const bad[] = { "'1,'", "',1'", "'1,,2'", "1 2", "x", "'[1, 2]'", "nan",
                                       "[[1]]", "['']", "[\"1\\0\"]", "[1,2,3,4,5,6,7,8,9]" };
    char text[600];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(text, sizeof text, "rate.steps: %s\n", bad[i]);
        assert_int_equal(s_load_file(text, &conf), FL_MALFORMED);
    }
    s_refused("rate.steps: [1]\nrate: {steps: [1]}\n", FL_MALFORMED,
              "2: 'rate.steps' was set on line 1 already");
    (void)snprintf(text, sizeof text, "rate.steps: [%099d, %099d, %099d]\n", 1, 1, 1);
    assert_int_equal(s_load_file(text, &conf), FL_RANGE);
}

static void
help_comes_from_the_table(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(LOAD(&conf, "--rate=7", "--help"), FL_OK);
    assert_null(conf);
    assert_non_null(strstr(printed, "usage: edge-test [--SETTING VALUE]... FROM [TO]\n"));
    assert_non_null(strstr(printed, "  --window-budget DURATION\n      Time that a round is given. "
                                    "Takes a duration such as 1500ms, 2s or 3m from 100ms to 1h. "
                                    "Default: 30s.\n"));
    assert_non_null(strstr(printed, "  --node TEXT\n      Name of this node. Must be given.\n"));
    assert_non_null(strstr(printed, "  --config FILE"));
    for (size_t i = 0; i < program.setting_count; i++) {
        assert_non_null(strstr(printed, settings[i].help));
    }
    assert_int_equal(LOAD(&conf, "--version"), FL_OK);
    assert_string_equal(printed, "edge-test " FL_VERSION "\n");
}

static void
the_man_page_comes_from_the_table(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(LOAD(&conf, "--man"), FL_OK);
    assert_memory_equal(printed, ".SH SETTINGS\n", 13);
    assert_non_null(strstr(printed, ".TP\n.B window.budget\nTime that a round is given.\nTakes a "
                                    "duration such as 1500ms, 2s or 3m from 100ms to 1h.\n"
                                    "Default: 30s.\nFlag: \\-\\-window\\-budget; environment: "
                                    "FL_WINDOW_BUDGET.\n"));
    static const fl_setting odd[] = {
        { "a", FL_CONF_TEXT, "", 0, 0, NULL, ".TH and \\ are no commands" },
    };
    fl_program strange = { .name = "x", .settings = odd, .setting_count = 1, .flags_only = true };
    assert_int_equal(s_load(&strange, &conf, (const char *const[]){ "--man", NULL }), FL_OK);
    assert_non_null(strstr(printed, "\n\\&.TH and \\e are no commands.\n"));
    assert_non_null(strstr(printed, "Default: none.\nFlag: \\-\\-a.\n"));
    assert_null(strstr(printed, "EXIT STATUS"));
    static const fl_exit exits[] = { { 4, "in use" }, { 0, NULL } };
    strange.exits = exits;
    assert_int_equal(s_load(&strange, &conf, (const char *const[]){ "--man", NULL }), FL_OK);
    assert_non_null(strstr(printed, ".SH EXIT STATUS\n.TP\n.B 4\nin use\n"));
    assert_int_equal(s_load(&strange, &conf, (const char *const[]){ "--help", NULL }), FL_OK);
    assert_non_null(strstr(printed, "\nExit codes:\n  4   in use\n"));
}

static void
settings_are_printed_with_their_source_and_can_be_read_back(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    char copy[sizeof printed];
    assert_int_equal(LOAD(&conf, "--print-config", "--listen=a\"b\\c", "--window-min=7"), FL_OK);
    assert_null(conf);
    assert_non_null(strstr(printed, "# node: must be given\n"));
    assert_non_null(strstr(printed, "listen: \"a\\\"b\\\\c\"  # --listen\n"));
    assert_non_null(strstr(printed, "window.min: 7  # --window-min\n"));
    assert_non_null(strstr(printed, "rate: 0.1  # default\n"));
    (void)snprintf(copy, sizeof copy, "%s", printed);
    assert_int_equal(s_load_file(copy, &conf), FL_OK);
    assert_string_equal(fl_conf_text(conf, "listen"), "a\"b\\c");
    assert_int_equal(fl_conf_int(conf, "window.min"), 7);
    fl_conf_destroy(&conf);
}

static void
a_check_says_fine_or_why_not(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    assert_int_equal(LOAD(&conf, "--check-config", "--node=e", "x"), FL_OK);
    assert_null(conf);
    assert_string_equal(printed, "edge-test: the settings are fine\n");
    assert_int_equal(LOAD(&conf, "--check-config", "x"), FL_MISSING);
    assert_int_equal(LOAD(&conf, "--check-config", "--node=e", "--window-min=9", "x"), FL_RANGE);
    assert_string_equal(why.text, "--window-min: 'window.min' is above 'window.max'");
}

static void
a_verb_knows_flags_only(void **state)
{
    (void)state;
    fl_conf *conf = NULL;
    fl_program verb = program;
    verb.flags_only = true;
    assert_int_equal(setenv("FL_NODE", "from-outside", 1), 0);
    assert_int_equal(s_load(&verb, &conf, (const char *const[]){ "x", NULL }), FL_MISSING);
    assert_string_equal(why.text, "--node must be given: Name of this node");
    assert_int_equal(s_load(&verb, &conf, (const char *const[]){ "--config=x", NULL }),
                     FL_MALFORMED);
    assert_int_equal(s_load(&verb, &conf, (const char *const[]){ "--check-config", NULL }),
                     FL_MALFORMED);
    assert_int_equal(s_load(&verb, &conf, (const char *const[]){ "-h", NULL }), FL_OK);
    assert_null(strstr(printed, "--config FILE"));
}

static fl_conf *panicking;

static void
s_unknown_key(void)
{
    (void)fl_conf_int(panicking, "window.mix");
}

static void
s_wrong_type(void)
{
    (void)fl_conf_int(panicking, "node");
}

static void
s_bad_table(const fl_setting *rows, uint32_t count)
{
    fl_program broken = { .name = "x", .settings = rows, .setting_count = count };
    fl_conf *conf = NULL;
    (void)!s_load(&broken, &conf, (const char *const[]){ NULL });
}

static void
s_default_out_of_range(void)
{
    static const fl_setting rows[] = { { "a", FL_CONF_INT, "9", 1, 5, NULL, "x" } };
    s_bad_table(rows, 1);
}

static void
s_two_of_one_spelling(void)
{
    static const fl_setting rows[] = { { "a.b", FL_CONF_INT, "9", 0, 0, NULL, "x" },
                                       { "a_b", FL_CONF_INT, "9", 0, 0, NULL, "x" } };
    s_bad_table(rows, 2);
}

static void
a_mistake_in_our_own_table_or_key_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(LOAD(&panicking, "--node=e", "x"), FL_OK);
    assert_true(unit_dies(s_unknown_key));
    assert_true(unit_dies(s_wrong_type));
    assert_true(unit_dies(s_default_out_of_range));
    assert_true(unit_dies(s_two_of_one_spelling));
    fl_conf_destroy(&panicking);
}

static const char *
s_nearest(const char *typed)
{
    static const char *const words[] = { "window", "quorum", "budget", "seats", "window.max",
                                         "round", "rounds" };
    fl_nearest nearest = { 0 };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        fl_nearest_try(&nearest, typed, words[i]);
    }
    return nearest.word == NULL ? "" : nearest.word;
}

static void
a_mistyped_word_gets_the_nearest_one_as_a_hint(void **state)
{
    (void)state;
    assert_string_equal(s_nearest("widnow"), "window");  // swapped
    assert_string_equal(s_nearest("windo"), "window");   // left out
    assert_string_equal(s_nearest("windoow"), "window"); // doubled
    assert_string_equal(s_nearest("qvorum"), "quorum");  // another key
    assert_string_equal(s_nearest("window.mxa"), "window.max");
    assert_string_equal(s_nearest("window"), "window");
    assert_string_equal(s_nearest("rouns"), "rounds"); // rather than another letter for the last
}

static void
a_word_unlike_all_others_gets_no_hint(void **state)
{
    (void)state;
    char longest[200];
    memset(longest, 'w', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_string_equal(s_nearest("zebra"), "");
    assert_string_equal(s_nearest("seal"), ""); // two of five letters
    assert_string_equal(s_nearest(""), "");
    assert_string_equal(s_nearest(longest), "");
}

static void
a_hint_is_printed_when_there_is_one(void **state)
{
    (void)state;
    char text[96];
    fl_nearest nearest = { .word = "window", .distance = 1 }, none = { 0 };
    fl_nearest_say(&nearest, text);
    assert_string_equal(text, ", did you mean 'window'?");
    fl_nearest_say(&none, text);
    assert_string_equal(text, "");
}

static void
a_list_is_all_that_was_given_in_its_order_up_to_its_bound(void **state)
{
    (void)state;
    static const fl_setting several[] = {
        { "set", FL_CONF_LIST, "", 0, 0, NULL, "A setting, KEY=VALUE" },
        { "rate", FL_CONF_REAL, "0.1", 0, 10, NULL, "Step of the optimizer" },
    };
    static const fl_program verb = {
        .name = "fl test", .settings = several, .setting_count = 2, .flags_only = true
    };
    char *argv[FL_CONF_LIST_MAX + 3] = { (char[]){ "fl test" } };
    fl_conf *conf = NULL;
    char again[] = "--set=a=1";
    uint32_t count = 7;
    assert_int_equal(s_load(&verb, &conf, (const char *const[]){ NULL }), FL_OK);
    (void)fl_conf_list(conf, &count);
    assert_int_equal(count, 0);
    fl_conf_destroy(&conf);
    assert_int_equal(
        s_load(&verb, &conf,
               (const char *const[]){ "--set", "a=1", "--rate=2", "--set=b=x=y", NULL }),
        FL_OK);
    const char *const *list = fl_conf_list(conf, &count);
    assert_int_equal(count, 2);
    assert_string_equal(list[0], "a=1");
    assert_string_equal(list[1], "b=x=y");
    fl_conf_destroy(&conf);
    for (int i = 0; i <= FL_CONF_LIST_MAX; i++) {
        argv[i + 1] = again;
    }
    int most = FL_CONF_LIST_MAX + 2;
    assert_int_equal(fl_conf_load(&verb, most, argv, stdout, &conf, &why), FL_RANGE);
    assert_string_equal(why.text, "--set: given more than 64 times");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        unit_case(defaults_hold_when_nothing_is_said, s_begin, place_end),
        unit_case(a_flag_wins_over_environment_over_file_over_default, s_begin, place_end),
        unit_case(a_file_is_refused_with_its_line, s_begin, place_end),
        unit_case(a_file_that_is_no_yaml_says_so, s_begin, place_end),
        unit_case(a_file_too_large_is_refused, s_begin, place_end),
        unit_case(dotted_keys_are_as_good_as_nested_maps, s_begin, place_end),
        unit_case(a_command_line_is_refused_in_one_line, s_begin, place_end),
        unit_case(a_double_dash_ends_the_flags, s_begin, place_end),
        unit_case(numbers_are_decimal_and_finite, s_begin, place_end),
        unit_case(a_list_is_a_sequence_or_numbers_with_commas, s_begin, place_end),
        unit_case(help_comes_from_the_table, s_begin, place_end),
        unit_case(the_man_page_comes_from_the_table, s_begin, place_end),
        unit_case(settings_are_printed_with_their_source_and_can_be_read_back, s_begin, place_end),
        unit_case(a_check_says_fine_or_why_not, s_begin, place_end),
        unit_case(a_verb_knows_flags_only, s_begin, place_end),
        unit_case(a_mistake_in_our_own_table_or_key_ends_the_process, s_begin, place_end),
        cmocka_unit_test(a_mistyped_word_gets_the_nearest_one_as_a_hint),
        cmocka_unit_test(a_word_unlike_all_others_gets_no_hint),
        cmocka_unit_test(a_hint_is_printed_when_there_is_one),
        cmocka_unit_test(a_list_is_all_that_was_given_in_its_order_up_to_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
