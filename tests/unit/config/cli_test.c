#include "common/config/cli.h"

#include "tests/support/unit.h"

#include <string.h>

static char out_text[8192], err_text[1024];

static int
s_report(void *context, const fl_conf *conf)
{
    char *seen = context;
    (void)snprintf(seen, 64, "report %s %d", fl_conf_argument(conf, 0), fl_conf_bool(conf, "json"));
    return 5;
}

static int
s_init(void *context, const fl_conf *conf)
{
    (void)conf;
    (void)snprintf(context, 64, "ca init");
    return FL_EXIT_OK;
}

static const fl_setting report_settings[] = {
    { "json", FL_CONF_BOOL, "false", 0, 0, NULL, "Answer as JSON" },
};

static const fl_command commands[] = {
    { { .name = "report",
        .purpose = "Who took part in a round.",
        .arguments = "ROUND",
        .settings = report_settings,
        .setting_count = 1,
        .flags_only = true },
      s_report },
    { { .name = "ca init", .purpose = "Make an authority.", .flags_only = true }, s_init },
};

static const fl_exit exits[] = { FL_CLI_EXITS, { 5, "nobody answered" }, { 0, NULL } };

static const fl_cli cli = {
    .name = "fl",
    .purpose = "The operator's command.",
    .commands = commands,
    .command_count = 2,
    .exits = exits,
};

static int
s_run(char *seen, const char *const *words)
{
    char *argv[8] = { (char[]){ "fl" } };
    int argc = 1;
    for (; *words != NULL; words++) {
        argv[argc++] = (char *)(uintptr_t)*words;
    }
    seen[0] = '\0';
    memset(out_text, 0, sizeof out_text);
    memset(err_text, 0, sizeof err_text);
    FILE *out = fmemopen(out_text, sizeof out_text - 1, "w");
    FILE *err = fmemopen(err_text, sizeof err_text - 1, "w");
    int code = fl_cli_run(&cli, seen, argc, argv, out, err);
    assert_int_equal(fclose(out) | fclose(err), 0);
    return code;
}

#define RUN(seen, ...) s_run(seen, (const char *const[]){ __VA_ARGS__ })

static void
a_verb_runs_with_its_settings_and_its_code(void **state)
{
    (void)state;
    char seen[64];
    assert_int_equal(RUN(seen, "report", "7", "--json", NULL), 5);
    assert_string_equal(seen, "report 7 1");
    assert_int_equal(RUN(seen, "ca", "init", NULL), FL_EXIT_OK);
    assert_string_equal(seen, "ca init");
    assert_string_equal(err_text, "");
}

static void
a_wrong_line_is_one_line_and_its_own_code(void **state)
{
    (void)state;
    char seen[64];
    assert_int_equal(RUN(seen, "report", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl report: an argument is missing; wanted: ROUND\n");
    assert_int_equal(RUN(seen, "reprot", "7", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'reprot', did you mean 'report'?\n");
    assert_int_equal(RUN(seen, "ca", "inti", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'ca', did you mean 'ca init'?\n");
    assert_int_equal(RUN(seen, "zebra", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'zebra'; 'help' lists them\n");
    //  Half a verb is answered with the whole.
    assert_int_equal(RUN(seen, "ca", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'ca', did you mean 'ca init'?\n");
    assert_int_equal(RUN(seen, "ca", "--help", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'ca', did you mean 'ca init'?\n");
    assert_int_equal(RUN(seen, "c", NULL), FL_EXIT_USAGE);
    assert_string_equal(err_text, "fl: there is no verb 'c'; 'help' lists them\n");
    assert_int_equal(RUN(seen, NULL), FL_EXIT_USAGE);
    assert_memory_equal(err_text, "usage: fl", 9);
    assert_string_equal(seen, "");
}

static void
help_lists_every_verb_and_every_code(void **state)
{
    (void)state;
    char seen[64];
    static const char *const words[] = { "help", "--help", "-h" };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(RUN(seen, words[i], NULL), FL_EXIT_OK);
        assert_non_null(strstr(out_text, "  report ROUND                 Who took part"));
        assert_non_null(strstr(out_text, "  ca init                      Make an authority."));
        assert_non_null(strstr(out_text, "  5   nobody answered\n"));
        assert_non_null(strstr(out_text, "  2   the command line is wrong\n"));
    }
    assert_int_equal(RUN(seen, "report", "--help", NULL), FL_EXIT_OK);
    assert_non_null(strstr(out_text, "usage: fl report [--SETTING VALUE]... ROUND\n"));
    assert_int_equal(RUN(seen, "--version", NULL), FL_EXIT_OK);
    assert_string_equal(out_text, "fl " FL_VERSION "\n");
    assert_string_equal(seen, "");
}

static void
the_man_page_has_every_verb_and_every_code(void **state)
{
    (void)state;
    char seen[64];
    assert_int_equal(RUN(seen, "--man", NULL), FL_EXIT_OK);
    assert_non_null(strstr(out_text, ".SS fl report ROUND\nWho took part in a round.\n"));
    assert_non_null(strstr(out_text, ".B json\nAnswer as JSON.\n"));
    assert_non_null(strstr(out_text, ".SS fl ca init\nMake an authority.\n"));
    assert_non_null(strstr(out_text, ".SH EXIT STATUS\n.TP\n.B 0\n"));
    assert_non_null(strstr(out_text, ".B 5\nnobody answered\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verb_runs_with_its_settings_and_its_code),
        cmocka_unit_test(a_wrong_line_is_one_line_and_its_own_code),
        cmocka_unit_test(help_lists_every_verb_and_every_code),
        cmocka_unit_test(the_man_page_has_every_verb_and_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
